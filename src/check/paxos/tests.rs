//! What crashes and missed events make legal.

use crate::base::{Ballot, CallId, Entry, NodeId, Op, Time};
use crate::check::{Checks, Expect};
use crate::event::{Event, Fact, Kind};
use std::sync::Arc;

const N1: NodeId = NodeId::node(1);
const C1: NodeId = NodeId::client(1);

fn start(node: NodeId, boot: u32) -> (NodeId, Kind) {
    (node, Kind::Started { boot, records: 0, torn: false })
}

fn call(seq: u64) -> CallId {
    CallId { client: C1, seq: 1 << 32 | seq }
}

fn op() -> Op {
    "put a=1".parse().expect("an operation")
}

fn asks(seq: u64) -> (NodeId, Kind) {
    let (op, at, retry) = (Arc::new(op()), N1, 0);
    (C1, Kind::Fact(Fact::Invokes { call: call(seq), op, at, retry }))
}

fn entry(seq: u64) -> Arc<Entry> {
    Arc::new(Entry { call: call(seq), op: op() })
}

const BALLOT: Ballot = Ballot { round: 1, node: N1 };

fn proposes(seq: u64) -> (NodeId, Kind) {
    let (ballot, adopted) = (BALLOT, Ballot::NONE);
    (N1, Kind::Fact(Fact::Proposes { slot: 1, ballot, entry: entry(seq), adopted }))
}

fn promises() -> (NodeId, Kind) {
    (N1, Kind::Fact(Fact::Promises { slot: 1, ballot: BALLOT }))
}

fn accepts() -> (NodeId, Kind) {
    (N1, Kind::Fact(Fact::Accepts { slot: 1, ballot: BALLOT, entry: entry(1) }))
}

/// The first rule that a list of events breaks.
fn broken(kinds: &[(NodeId, Kind)]) -> Option<&'static str> {
    let expect = Expect { clients: vec![C1], ..Expect::of(vec![N1]) };
    let mut checks = Checks::all(&expect);
    for (node, kind) in kinds {
        checks.see(&Event { at: Time::ZERO, node: *node, kind: kind.clone() });
    }
    checks.first().map(|violation| violation.rule)
}

#[test]
fn only_of_a_client_that_was_heard_all_the_time_is_known_what_it_did_not_ask() {
    let missed = (C1, Kind::Missed { count: 0 });
    let found = (C1, Kind::Fact(Fact::Restated));
    let story = |then: &[(NodeId, Kind)]| {
        let first = [start(N1, 1), start(C1, 1), asks(1), promises()];
        broken(&[&first[..], then, &[proposes(2)]].concat())
    };
    assert_eq!(story(&[]), Some("PAX-2"));
    let late = asks(1);
    assert_eq!(story(&[missed.clone(), late.clone()]), None, "more may be on its way");
    assert_eq!(story(&[missed, found, late]), Some("PAX-2"));
}

#[test]
fn a_crash_may_keep_a_proposer_s_own_vote_and_swallow_the_proposal() {
    let first = [start(N1, 1), start(C1, 1), asks(1), promises()];
    let lives = [&first[..], &[accepts()]].concat();
    assert_eq!(broken(&lives), Some("PAX-2"), "it was never proposed");
    let starts_again = [&first[..], &[start(N1, 2), accepts()]].concat();
    assert_eq!(broken(&starts_again), None);
}
