//! Resources that locks guard: one value each, on a fixed home node, behind a fence.
//!
//! A resource keeps the largest token that it has accepted, durably, and turns down every write
//! with a smaller one. It knows nothing of leases and reads no clock. A write with the token of an
//! earlier grant is accepted as long as no later holder has written: that is legal, and the order
//! of accepted writes is the order of grants.
//!
//! Where tokens do not rise, because nobody counts grants, there is nothing to compare: the
//! resource takes every write, and says so.

use super::Record;
use crate::base::{CallId, Mutation, Mutations, Name, NodeId, Outcome, Refusal, Token};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Records that may pile up beyond those that are needed.
const SLACK: usize = 256;

/// A write to a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Write {
    /// Whose it is.
    pub call: CallId,
    /// What is written to.
    pub resource: Name,
    /// The token of the grant that it is made under.
    pub token: Token,
    /// The value.
    pub value: i64,
}

/// A write that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// What was written.
    pub write: Write,
    /// How many writes the resource had accepted, this one included.
    pub version: u64,
}

/// What follows from a write.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// The answer.
    pub(super) outcome: Outcome,
    /// What must be durable before it is given.
    pub(super) record: Option<Record>,
    /// What observers hear; nothing if the write was only repeated.
    pub(super) fact: Option<Fact>,
}

#[derive(Clone, Debug)]
struct Resource {
    /// The largest token that was accepted.
    highest: Token,
    last: Accepted,
    /// The newest write of each client.
    seen: BTreeMap<NodeId, Accepted>,
}

/// The resources whose home is here.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources {
    all: BTreeMap<Name, Resource>,
    /// Whether tokens are compared.
    fences: bool,
    /// How many records are on disk.
    records: usize,
}

impl Resources {
    /// What is on disk.
    pub(super) fn load(disk: &[Record], fences: bool) -> Resources {
        let mut resources = Resources { fences, ..Resources::default() };
        for Record::Accepted(accepted) in disk {
            resources.keep(accepted.clone());
        }
        resources.records = disk.len();
        resources
    }

    /// Judges a write. The caller writes the record down and gives the answer.
    pub(super) fn write(&mut self, write: Write, mutations: Mutations) -> Judged {
        let resource = self.all.get(&write.resource);
        let highest = resource.map_or(0, |resource| resource.highest);
        let newest = resource.and_then(|resource| resource.seen.get(&write.call.client));
        if let Some(newest) = newest.filter(|newest| newest.write.call == write.call) {
            return Judged { outcome: newest.outcome(), record: None, fact: None };
        }
        // Of a call before the newest nobody knows any more whether it was accepted.
        let old = newest.is_some_and(|newest| newest.write.call.seq > write.call.seq);
        let below = self.fences && write.token < highest;
        let stale = below && !mutations.has(Mutation::LockNoFence);
        let accepted = !old && !stale;
        let fact = self.fact(&write, highest, accepted);
        if !accepted {
            let outcome = match old {
                true => Outcome::Unknown,
                false => Outcome::Refused(Refusal::StaleToken { highest }),
            };
            return Judged { outcome, record: None, fact: stale.then_some(fact) };
        }
        let version = resource.map_or(0, |resource| resource.last.version) + 1;
        let accepted = Accepted { write, version };
        let outcome = accepted.outcome();
        self.keep(accepted.clone());
        self.records += 1;
        Judged { outcome, record: Some(Record::Accepted(accepted)), fact: Some(fact) }
    }

    fn fact(&self, write: &Write, highest: Token, accepted: bool) -> Fact {
        let (resource, call, token) = (write.resource.clone(), write.call, write.token);
        match self.fences {
            true => Fact::Guards { resource, call, token, highest, accepted },
            false => Fact::Takes { resource, call, token },
        }
    }

    fn keep(&mut self, accepted: Accepted) {
        let Write { call, token, .. } = accepted.write;
        let resource = self.all.entry(accepted.write.resource.clone()).or_insert_with(|| {
            Resource { highest: token, last: accepted.clone(), seen: BTreeMap::new() }
        });
        resource.highest = resource.highest.max(token);
        resource.last = accepted.clone();
        resource.seen.insert(call.client, accepted);
    }

    /// All that is needed on disk, if much more than that is there.
    pub(super) fn compact(&mut self) -> Option<Vec<Record>> {
        let needed: usize = self.all.values().map(|resource| resource.seen.len()).sum();
        if self.records < SLACK + 2 * needed {
            return None;
        }
        let mut newest: Vec<&Accepted> =
            self.all.values().flat_map(|resource| resource.seen.values()).collect();
        newest.sort_by_key(|accepted| accepted.version);
        self.records = newest.len();
        Some(newest.into_iter().cloned().map(Record::Accepted).collect())
    }

    /// The last accepted write of each resource, as facts.
    pub(super) fn restate(&self) -> impl Iterator<Item = Fact> {
        self.all.values().map(|resource| self.fact(&resource.last.write, resource.highest, true))
    }
}

impl Accepted {
    fn outcome(&self) -> Outcome {
        Outcome::Written { value: self.write.value, version: self.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(client: u16, seq: u64, token: Token, value: i64) -> Write {
        let call = CallId { client: NodeId::client(client), seq };
        Write { call, resource: "door".parse().unwrap(), token, value }
    }

    fn judge(resources: &mut Resources, write: Write) -> Outcome {
        resources.write(write, Mutations::NONE).outcome
    }

    #[test]
    fn a_smaller_token_than_one_that_was_accepted_is_turned_down() {
        let mut door = Resources::load(&[], true);
        let written = |value, version| Outcome::Written { value, version };
        assert_eq!(judge(&mut door, write(1, 1, 5, 10)), written(10, 1));
        assert_eq!(judge(&mut door, write(1, 2, 5, 11)), written(11, 2), "the same grant");
        assert_eq!(judge(&mut door, write(2, 1, 9, 20)), written(20, 3));
        let stale = Outcome::Refused(Refusal::StaleToken { highest: 9 });
        assert_eq!(judge(&mut door, write(1, 3, 5, 12)), stale);
        let unfenced = Mutations::NONE.with(Mutation::LockNoFence);
        assert_eq!(door.write(write(1, 4, 5, 13), unfenced).outcome, written(13, 4));
    }

    #[test]
    fn where_tokens_have_no_order_every_write_is_taken() {
        let mut door = Resources::load(&[], false);
        judge(&mut door, write(2, 1, 9, 20));
        let late = door.write(write(1, 1, 5, 10), Mutations::NONE);
        assert_eq!(late.outcome, Outcome::Written { value: 10, version: 2 });
        assert!(matches!(late.fact, Some(Fact::Takes { token: 5, .. })));
    }

    #[test]
    fn a_repeated_write_gets_the_same_answer_even_from_a_restarted_home() {
        let mut door = Resources::load(&[], true);
        let first = door.write(write(1, 1, 5, 10), Mutations::NONE);
        let record = first.record.unwrap();
        judge(&mut door, write(2, 1, 9, 20));
        let again = door.write(write(1, 1, 5, 10), Mutations::NONE);
        assert_eq!(again.outcome, first.outcome);
        assert!(again.record.is_none() && again.fact.is_none());
        let mut restarted = Resources::load(&[record], true);
        assert_eq!(judge(&mut restarted, write(1, 1, 5, 10)), first.outcome);
    }

    #[test]
    fn an_overtaken_write_is_not_carried_out_afterwards() {
        let mut door = Resources::load(&[], true);
        judge(&mut door, write(1, 2, 5, 11));
        assert_eq!(judge(&mut door, write(1, 1, 5, 10)), Outcome::Unknown);
        assert_eq!(door.all.values().next().unwrap().last.write.value, 11);
    }

    #[test]
    fn compaction_keeps_all_that_matters() {
        let mut door = Resources::load(&[], true);
        let mut disk = Vec::new();
        for n in 0..1_000 {
            let client = 1 + (n % 3) as u16;
            let judged = door.write(write(client, n, n / 100, n as i64), Mutations::NONE);
            disk.extend(judged.record);
            if let Some(records) = door.compact() {
                disk = records;
            }
        }
        assert!(disk.len() < SLACK + 10, "{} records", disk.len());
        let mut restarted = Resources::load(&disk, true);
        let next = write(1, 5_000, 9, 1);
        assert_eq!(judge(&mut restarted, next.clone()), judge(&mut door, next));
        let stale = judge(&mut restarted, write(1, 5_001, 8, 1));
        assert_eq!(stale, Outcome::Refused(Refusal::StaleToken { highest: 9 }));
        let newest_of_2 = write(2, 997, 9, 997);
        assert_eq!(judge(&mut restarted, newest_of_2.clone()), judge(&mut door, newest_of_2));
    }
}
