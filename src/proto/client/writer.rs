//! Writes to keys that are kept by quorums: the client names its versions itself.
//!
//! In the first round it learns which versions there are; in the second it writes one that follows
//! them, named by the call. Whatever it repeats is the same version. Its stamps are a hybrid clock:
//! above its wall clock, and above all stamps that it was told.

use super::{Client, Writes};
use crate::base::{CallId, Mutation, Mutations, Name, Op, Vector, Version, Versions};
use crate::proto::Context;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What distinguishes the number of a survey from that of its write.
pub(super) const SURVEY: u64 = 1 << 63;

/// What a client knows of keys, in its life.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    survey: bool,
    /// It stamps with its wall clock, which only a mutation has.
    local: bool,
    /// The latest stamp that it knows of.
    clock: u64,
    known: BTreeMap<Name, Vector>,
}

impl Writer {
    pub(super) fn new(writes: Writes, mutations: Mutations) -> Writer {
        let local = mutations.has(Mutation::QuorumLocalClock);
        Writer { survey: writes.survey, local, clock: 0, known: BTreeMap::new() }
    }

    /// What to send first for an operation of this number.
    pub(super) fn begin(&mut self, call: CallId, op: &Op, cx: &Context<'_, Client>) -> Option<Op> {
        match op {
            Op::Put { key, .. } | Op::Delete { key } if self.survey => {
                Some(Op::Survey { key: key.clone() })
            }
            _ => self.write(call, op, cx),
        }
    }

    /// The second round of a write, which follows all that the client knows of.
    pub(super) fn write(&mut self, call: CallId, op: &Op, cx: &Context<'_, Client>) -> Option<Op> {
        let (key, value) = match op {
            Op::Put { key, value } => (key.clone(), Some(*value)),
            Op::Delete { key } => (key.clone(), None),
            _ => return None,
        };
        let wall = cx.wall().0;
        let stamp = if self.local { wall } else { wall.max(self.clock.saturating_add(1)) };
        self.clock = self.clock.max(stamp);
        let known = self.known.entry(key.clone()).or_default();
        let version = Version { dot: call, seen: known.clone(), stamp, value };
        known.note(call);
        Some(Op::Store { key, version: Arc::new(version) })
    }

    /// Notes what it was told of a key.
    pub(super) fn told(&mut self, key: &Name, versions: &Versions) {
        self.clock = self.clock.max(versions.stamp());
        self.known.entry(key.clone()).or_default().join(&versions.seen());
    }
}
