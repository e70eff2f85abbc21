//! Many keys through many changes of the ring: no acknowledged write is lost.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{Name, NodeId, Op, Outcome, Span, Time};
use netsplit::command::Command;
use netsplit::event::Fact;
use netsplit::plan::{
    Client, Load, Log, Membership, Plan, Quorum, Repair, Ring, Services, Store, StoreKind,
};
use netsplit::sim::hunt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a node leaves or joins.
const CHANGES: u64 = 100;
/// How long there is between two changes.
const PAUSE: u64 = 700_000;
/// When the first one does: by then most keys are written.
const BEGIN: u64 = 45_000_000;
/// How many keys there are.
const KEYS: u32 = 100_000;

/// Six nodes, and fifty clients that write as fast as they can.
fn plan(kind: StoreKind) -> Plan {
    let services = Services {
        membership: Some(Membership::default()),
        log: Some(Log::default()),
        ring: Some(Ring { vnodes: 16, ..Ring::default() }),
        store: Some(Store { kind, ..Store::default() }),
        ..Services::default()
    };
    let load = vec![Load::ReadWrite { keys: KEYS, writes: 90 }];
    let client = |n| Client { rate: 1_000, ..Client::new(n, load.clone()) };
    let progress_within = Span::secs(30);
    Plan { services, clients: (1..=50).map(client).collect(), progress_within, ..Plan::bare(6) }
}

/// One node after the other leaves, and comes back.
fn changes() -> Vec<(Time, Command)> {
    let change = |i: u64| {
        let node = NodeId::node((i / 2 % 6) as u16 + 1);
        let op =
            if i.is_multiple_of(2) { Op::Leave { node } } else { Op::Join { node, weight: 1 } };
        let who = NodeId::node((i / 2 + 1) as u16 % 6 + 1);
        (Time(BEGIN + i * PAUSE), Command::Ask { who, op })
    };
    (0..CHANGES).map(change).collect()
}

/// What was acknowledged, and what was read afterwards.
#[derive(Default)]
struct Keys {
    calls: BTreeMap<netsplit::base::CallId, Arc<Op>>,
    /// The newest version of each key that its writer was told.
    written: BTreeMap<Name, u64>,
    epochs: u64,
}

impl Keys {
    fn hear(&mut self, fact: &Fact) {
        match fact {
            Fact::Invokes { call, op, .. } => drop(self.calls.insert(*call, Arc::clone(op))),
            Fact::Returns { call, outcome } => {
                let Some(op) = self.calls.remove(call) else { return };
                if let (Op::Put { key, .. }, Outcome::Written { version, .. }) = (&*op, &**outcome)
                {
                    let newest = self.written.entry(key.clone()).or_default();
                    *newest = (*newest).max(*version);
                }
            }
            Fact::View { epoch, .. } => self.epochs = self.epochs.max(*epoch),
            _ => {}
        }
    }
}

/// Runs it, and says how many keys were written and through how many rings. That no read misses an
/// acknowledged write is for the check `clients`; that somebody still has each, for `quorum`.
fn survives(kind: StoreKind) -> Keys {
    let (plan, mut keys) = (plan(kind), Keys::default());
    let until = Time(BEGIN + CHANGES * PAUSE + 10_000_000);
    let found = hunt::run(&plan, 1, &changes(), until, true, &mut |event| {
        event.fact().into_iter().for_each(|fact| keys.hear(fact));
    });
    assert!(found.clean(), "{:?} {:?}", found.first(), found.panic);
    assert!(keys.epochs > CHANGES, "the ring has changed {} times", keys.epochs - 1);
    keys
}

#[test]
#[ignore = "takes minutes; run it in the profile quick after a change to a store or the ring"]
fn a_hundred_thousand_keys_survive_a_hundred_changes_at_their_owners() {
    let keys = survives(StoreKind::Primary);
    assert!(keys.written.len() > KEYS as usize * 9 / 10, "{} keys", keys.written.len());
}

#[test]
#[ignore = "takes minutes; run it in the profile quick after a change to a store or the ring"]
fn a_hundred_thousand_keys_survive_a_hundred_changes_at_quorums() {
    let quorum = Quorum { read_repair: Repair::WriteBack, ..Quorum::default() };
    let keys = survives(StoreKind::Quorum(quorum));
    assert!(keys.written.len() > KEYS as usize * 9 / 10, "{} keys", keys.written.len());
}
