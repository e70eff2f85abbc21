use super::*;
use crate::base::{Content, Piece, PutId};
use std::sync::Arc;

fn n(number: u16) -> NodeId {
    NodeId::node(number)
}

fn call(seq: u64) -> CallId {
    CallId { client: NodeId::client(1), seq }
}

fn f() -> Name {
    "f".parse().unwrap()
}

fn content(seed: u64) -> Content {
    Content::Made { size: 100, seed }
}

fn block(seq: u64) -> BlockId {
    BlockId { file: f(), put: PutId { base: seq - 1, call: call(seq) }, index: 0 }
}

fn keeps(seq: u64) -> Fact {
    Fact::File(FileFact::Keeps { block: block(seq), sum: content(seq).bytes().sum() })
}

/// Put number `seq` makes the version of that number.
fn links(seq: u64) -> Fact {
    let pieces = [Piece::of(&content(seq).bytes())].into();
    let manifest = Some(Manifest { put: block(seq).put, pieces });
    Fact::File(FileFact::Links { file: f(), version: seq, manifest })
}

fn asks(seq: u64, op: FileOp) -> Fact {
    Fact::Invokes { call: call(seq), op: Arc::new(Op::File(op)), at: n(1), retry: 0 }
}

fn uploads(seq: u64) -> Fact {
    asks(seq, FileOp::Upload { file: f(), content: content(seq) })
}

fn hears(seq: u64, outcome: FileOutcome) -> Fact {
    Fact::Returns { call: call(seq), outcome: Box::new(Outcome::File(outcome)) }
}

/// The rules that a list of facts breaks in a cluster of four, of which three keep each block.
fn broken(facts: &[(u16, Fact)]) -> Vec<&'static str> {
    let kinds = facts.iter().map(|(node, fact)| (*node, Kind::Fact(fact.clone())));
    broken_by(kinds.collect())
}

/// The same, of facts and other events.
fn broken_by(kinds: Vec<(u16, Kind)>) -> Vec<&'static str> {
    let nodes: Vec<NodeId> = (1..=4).map(n).collect();
    let scrub = crate::base::Span::secs(1);
    let files = Some(Shelves { replicas: 3, scrub, throttle: 1_000, block: 100 });
    let expect = Expect { files, ..Expect::of(nodes.clone()) };
    let mut check = Files::new(&expect);
    let mut witness = Witness::whole(&expect);
    let member = |node: &NodeId| crate::base::Member { node: *node, weight: 1 };
    let shape = crate::base::Shape { vnodes: 4, replicas: 3, seed: 7 };
    let members = nodes.iter().map(member).collect();
    let view = Fact::View { epoch: 1, members, shape };
    let start = |node: &NodeId| {
        let kind = Kind::Started { boot: 1, records: 0, torn: false };
        Event { at: Time(0), node: *node, kind }
    };
    let said = [(1, Kind::Fact(view))].into_iter().chain(kinds);
    let said = said.map(|(node, kind)| Event { at: Time(9), node: n(node), kind });
    let events: Vec<Event> = nodes.iter().map(start).chain(said).collect();
    let mut broken = Vec::new();
    for (at, event) in events.iter().enumerate() {
        witness.see(at, event);
        broken.extend(check.see(at, event, &witness).map(|violation| violation.rule));
    }
    broken
}

/// A file that was put as it should be.
fn put(seq: u64) -> Vec<(u16, Fact)> {
    let stored = hears(seq, FileOutcome::Stored { version: seq });
    vec![
        (1, uploads(seq)),
        (1, keeps(seq)),
        (2, keeps(seq)),
        (3, keeps(seq)),
        (1, links(seq)),
        (1, stored),
    ]
}

fn then(facts: &[(u16, Fact)]) -> Vec<&'static str> {
    broken(&[put(1), facts.to_vec()].concat())
}

fn file(fact: FileFact) -> Fact {
    Fact::File(fact)
}

#[test]
fn what_is_legal_is_not_reported() {
    let vouch = |node| (node, file(FileFact::Vouches { block: block(1), to: n(4) }));
    let drop = (4, file(FileFact::Drops { block: block(1), why: Needless::Spare }));
    assert!(then(&[(4, keeps(1)), vouch(1), vouch(2), vouch(3), drop]).is_empty());
    let rots = (2, file(FileFact::Rots { block: block(1) }));
    let spoilt = (2, file(FileFact::Spoilt { block: block(1) }));
    let scrubs = (2, file(FileFact::Scrubs { blocks: 1, spoilt: 0 }));
    assert!(then(&[rots, scrubs.clone(), spoilt, scrubs.clone(), scrubs]).is_empty());
    let download = (1, asks(2, FileOp::Download { file: f() }));
    let bytes = content(1).bytes();
    let read = (1, hears(2, FileOutcome::Content { version: 1, bytes }));
    assert!(then(&[download, read]).is_empty());
    let garbage = (1, file(FileFact::Drops { block: block(1), why: Needless::Garbage }));
    assert!(broken(&[put(1), put(2), vec![garbage]].concat()).is_empty());
}

#[test]
fn each_rule_is_noticed() {
    let download = (1, asks(9, FileOp::Download { file: f() }));
    let read = |version, seed| {
        (1, hears(9, FileOutcome::Content { version, bytes: content(seed).bytes() }))
    };
    assert_eq!(then(&[download.clone(), read(1, 5)]), ["F-1"]);
    let old = [put(1), put(2), vec![download, read(1, 1)]].concat();
    assert_eq!(broken(&old), ["F-2"]);
    assert_eq!(broken(&[(1, uploads(1)), (1, keeps(1)), (1, links(1))]), ["F-3"]);
    let vouch = |node| (node, file(FileFact::Vouches { block: block(1), to: n(1) }));
    assert_eq!(then(&[vouch(4)]), ["F-4"]);
    let other = file(FileFact::Keeps { block: block(1), sum: 1 });
    assert_eq!(then(&[(4, other)]), ["F-5"]);
    let rots = (2, file(FileFact::Rots { block: block(1) }));
    let scrubs = (2, file(FileFact::Scrubs { blocks: 1, spoilt: 0 }));
    assert_eq!(then(&[rots, scrubs.clone(), scrubs]), ["F-6"]);
    let pulls = (4, file(FileFact::Pulls { block: block(1), from: n(1), len: 100, at: Time(9) }));
    assert_eq!(then(&vec![pulls; 7]), ["F-7"]);
    let drop = |why| (1, file(FileFact::Drops { block: block(1), why }));
    assert_eq!(then(&[vouch(2), drop(Needless::Spare)]), ["FS-5"]);
    assert_eq!(then(&[drop(Needless::Garbage)]), ["FS-5"]);
}

#[test]
fn a_rotten_copy_that_was_dropped_before_a_crash_is_not_looked_for() {
    let rots = (2, Kind::Fact(file(FileFact::Rots { block: block(1) })));
    let starts = (2, Kind::Started { boot: 2, records: 3, torn: false });
    let has = (2, Kind::Fact(file(FileFact::Has { block: block(1), sum: 1 })));
    let scrubs = (2, Kind::Fact(file(FileFact::Scrubs { blocks: 1, spoilt: 0 })));
    let put = || put(1).into_iter().map(|(node, fact)| (node, Kind::Fact(fact)));
    let dropped = [rots.clone(), starts.clone(), scrubs.clone(), scrubs.clone()];
    assert!(broken_by(put().chain(dropped).collect()).is_empty());
    let there = [rots, starts, has, scrubs.clone(), scrubs];
    assert_eq!(broken_by(put().chain(there).collect()), ["F-6"]);
}
