//! The log as replicas apply it.
//!
//! | rule | says | reads |
//! |---|---|---|
//! | MP-1 | two replicas that applied a slot applied the same entry and came to the same state | `Applies`, `Snapshot` |
//! | MP-2 | a slot is applied right after the one before it | `Applies`, `Snapshot` |
//! | MP-4 | a call takes effect in one slot at the most | `Applies` |
//!
//! The digest that replicas state is the same before and after an entry that has no effect, which
//! is how MP-4 tells a repeated command from a command that is carried out again.
//!
//! A newcomer is told of every replica's last slots, and judges all that comes after.
//!
//! The last 65,536 slots and the last 128 calls of each client are kept.

use super::{Check, Expect, Violation, Witness};
use crate::base::{CallId, Entry, NodeId, Op, Slot};
use crate::event::{Event, Fact, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;

const SLOTS: usize = 65_536;
const CALLS: usize = 128;

/// A slot, as the first replica to apply it said.
#[derive(Clone, Debug)]
struct Applied {
    /// None if only the state after it is known.
    entry: Option<Arc<Entry>>,
    digest: u64,
    at: usize,
    node: NodeId,
}

/// The check.
#[derive(Clone, Debug)]
pub struct Log {
    slots: BTreeMap<Slot, Applied>,
    /// Up to where each node has applied, if that is known.
    upto: BTreeMap<NodeId, (Slot, usize)>,
    /// In which slot each call took effect first, by client and number.
    effects: BTreeMap<NodeId, BTreeMap<u64, (Slot, usize)>>,
}

fn broken(rule: &'static str, at: usize, what: String, because: Vec<usize>) -> Option<Violation> {
    Some(Violation { check: "log", rule, what, at, because })
}

impl Check for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn about(&self) -> &'static str {
        "Replicas apply the same entries in the same order without gaps, and each command once."
    }

    fn gap(&mut self, node: NodeId) {
        self.upto.retain(|who, _| node != NodeId::BENCH && *who != node);
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Applies { .. } | Fact::Snapshot { .. }))
    }

    fn see(&mut self, at: usize, event: &Event, _: &Witness) -> Option<Violation> {
        match &event.kind {
            // What was applied is gone, unless a snapshot brings it back.
            Kind::Started { .. } => {
                self.upto.insert(event.node, (0, at));
                None
            }
            Kind::Fact(Fact::Snapshot { slot, digest }) => {
                let upto = self.upto.entry(event.node).or_insert((*slot, at));
                *upto = (*upto).max((*slot, at));
                self.agrees(at, event.node, *slot, None, *digest)
            }
            Kind::Fact(Fact::Applies { slot, entry, digest }) => {
                self.applies(at, event.node, *slot, entry, *digest)
            }
            _ => None,
        }
    }
}

impl Log {
    /// The check for any cluster.
    pub fn new(_: &Expect) -> Log {
        Log { slots: BTreeMap::new(), upto: BTreeMap::new(), effects: BTreeMap::new() }
    }

    fn applies(
        &mut self,
        at: usize,
        node: NodeId,
        slot: Slot,
        entry: &Arc<Entry>,
        digest: u64,
    ) -> Option<Violation> {
        let upto = self.upto.entry(node).or_insert((slot, at));
        let (last, then) = *upto;
        // A slot that was applied before is repeated for a newcomer.
        let gap = slot > last + 1;
        if slot > last {
            *upto = (slot, at);
        }
        if gap {
            let what = format!("{node} applies slot {slot} right after slot {last}");
            return broken("MP-2", at, what, vec![then]);
        }
        self.agrees(at, node, slot, Some(entry), digest)
            .or_else(|| self.once(at, node, slot, entry, digest))
    }

    fn agrees(
        &mut self,
        at: usize,
        node: NodeId,
        slot: Slot,
        entry: Option<&Arc<Entry>>,
        digest: u64,
    ) -> Option<Violation> {
        if slot == 0 {
            return None;
        }
        let first = self.slots.entry(slot).or_insert_with(|| Applied {
            entry: entry.cloned(),
            digest,
            at,
            node,
        });
        let other = first.node;
        let because = vec![first.at];
        if let (Some(entry), Some(known)) = (entry, &first.entry)
            && !Arc::ptr_eq(entry, known)
            && entry != known
        {
            let what = format!("{node} applies {entry} in slot {slot}, {other} applied {known}");
            return broken("MP-1", at, what, because);
        }
        if digest != first.digest {
            let what = format!("after slot {slot} the state of {node} is not that of {other}");
            return broken("MP-1", at, what, because);
        }
        if first.entry.is_none() {
            first.entry = entry.cloned();
        }
        if self.slots.len() > SLOTS {
            self.slots.pop_first();
        }
        None
    }

    fn once(
        &mut self,
        at: usize,
        node: NodeId,
        slot: Slot,
        entry: &Arc<Entry>,
        digest: u64,
    ) -> Option<Violation> {
        let before = match slot {
            1 => 0,
            _ => self.slots.get(&(slot - 1))?.digest,
        };
        // What is joint is the first half of a change: the call takes effect with the second.
        if matches!(entry.op, Op::Noop | Op::Joint { .. }) || digest == before {
            return None;
        }
        let CallId { client, seq } = entry.call;
        let calls = self.effects.entry(client).or_default();
        let (first, then) = *calls.entry(seq).or_insert((slot, at));
        if calls.len() > CALLS {
            calls.pop_first();
        }
        if first != slot {
            let what =
                format!("{node} carries {entry} out in slot {slot}, as it was in slot {first}");
            return broken("MP-4", at, what, vec![then]);
        }
        None
    }
}
