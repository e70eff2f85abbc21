//! Decisions in the replicated log: the first one about a transaction is the one that counts.
//!
//! A coordinator that has all votes asks the log to commit; participants that have been in doubt
//! for too long ask it to abort. All of them are told the same. So the log takes the place of the
//! coordinator's disk, and nobody has to wait for a node that is gone.

use crate::base::{Mutation, Mutations, NodeId, Outcome, TxnId};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many decisions are remembered.
const REMEMBERED: usize = 512;

/// The last decisions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Decisions {
    known: BTreeMap<TxnId, bool>,
    order: VecDeque<TxnId>,
    /// The largest number of each coordinator whose decision was forgotten. About what is not
    /// above it and not known, nothing can be said any more.
    forgotten: BTreeMap<NodeId, u32>,
}

impl Decisions {
    /// Applies a request for a decision, and says how the transaction ends.
    pub fn apply(
        &mut self,
        txn: TxnId,
        commit: bool,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
    ) -> Outcome {
        let first = self.known.get(&txn).copied();
        let known = first.filter(|_| !mutations.has(Mutation::TxnLastDecision));
        let old = self.forgotten.get(&txn.coordinator).is_some_and(|last| *last >= txn.number);
        if first.is_none() && old {
            return Outcome::Unknown;
        }
        let commit = known.unwrap_or(commit);
        if known.is_none() {
            self.decide(txn, commit);
            facts.push(Fact::Decides { txn, commit });
        }
        match commit {
            true => Outcome::Committed { txn },
            false => Outcome::Aborted { txn },
        }
    }

    fn decide(&mut self, txn: TxnId, commit: bool) {
        if self.known.insert(txn, commit).is_none() {
            self.order.push_back(txn);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
            let last = self.forgotten.entry(oldest.coordinator).or_default();
            *last = oldest.number.max(*last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_decision_counts_until_it_is_forgotten() {
        let mut decisions = Decisions::default();
        let txn = |number| TxnId { coordinator: NodeId::node(1), number };
        let mut ask = |number, commit| {
            let mut facts = Vec::new();
            let known = decisions.apply(txn(number), commit, Mutations::NONE, &mut facts);
            (known, facts.len())
        };
        assert_eq!(ask(1, true), (Outcome::Committed { txn: txn(1) }, 1));
        assert_eq!(ask(1, false), (Outcome::Committed { txn: txn(1) }, 0));
        assert_eq!(ask(2, false), (Outcome::Aborted { txn: txn(2) }, 1));
        assert_eq!(ask(2, true), (Outcome::Aborted { txn: txn(2) }, 0));
        (3..=REMEMBERED as u32 + 1).for_each(|number| assert_eq!(ask(number, true).1, 1));
        assert_eq!(ask(1, false), (Outcome::Unknown, 0), "nobody can say");
        assert_eq!(ask(2, true), (Outcome::Aborted { txn: txn(2) }, 0));
    }
}
