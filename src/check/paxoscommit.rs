//! Paxos Commit: one instance of consensus for each vote.
//!
//! | rule | holds as long as |
//! |---|---|
//! | PC-1 | an instance is one of Paxos: no vote below a promise, one value in a ballot, one chosen |
//! | PC-2 | commit is decided only when all instances have chosen *prepared* |
//! | PC-3 | an acceptor accepts *prepared* only if the participant has prepared, on disk |
//!
//! From Gray and Lamport 2006, sections 4 and A.3. An instance is that of a transaction and one of
//! its keys. It has chosen what a majority of the acceptors accepted in one ballot. In the first
//! ballot only the participant speaks; in later ones a leader does, who finds *prepared* or
//! proposes *aborted*. Acceptors that restart say again what is on their disks.
//!
//! Judged are transactions that were seen to begin.

use super::{Check, Violation, Witness};
use crate::base::{Ballot, Commitment, Name, NodeId, Op, Turn, TxnId, majority};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many transactions are remembered.
const REMEMBERED: usize = 1_024;

/// What is known of one instance. Numbers are indices of events.
#[derive(Clone, Debug, Default)]
struct Instance {
    /// The participant's yes.
    voted: bool,
    promised: BTreeMap<NodeId, (Ballot, usize)>,
    /// What each ballot is about, and who accepted it.
    ballots: BTreeMap<Ballot, (bool, BTreeSet<NodeId>, usize)>,
    chosen: Option<(bool, usize)>,
}

/// One transaction.
#[derive(Clone, Debug)]
struct Txn {
    begun: usize,
    quorum: usize,
    instances: BTreeMap<Name, Instance>,
}

/// The check.
#[derive(Clone, Debug, Default)]
pub struct PaxosCommit {
    txns: BTreeMap<TxnId, Txn>,
    order: VecDeque<TxnId>,
}

type Wrong = (&'static str, String, Vec<usize>);

fn word(prepared: bool) -> &'static str {
    if prepared { "prepared" } else { "aborted" }
}

impl PaxosCommit {
    /// For any cluster.
    pub fn new() -> PaxosCommit {
        PaxosCommit::default()
    }

    fn begins(&mut self, at: usize, txn: TxnId, op: &Op, how: Commitment) {
        let Commitment::PaxosCommit { acceptors } = how else { return };
        if self.txns.contains_key(&txn) {
            return;
        }
        let instances = op.legs().into_iter().map(|leg| (leg.key, Instance::default())).collect();
        let quorum = majority(usize::from(acceptors));
        self.txns.insert(txn, Txn { begun: at, quorum, instances });
        self.order.push_back(txn);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.txns.remove(&oldest);
        }
    }

    fn instance(&mut self, txn: TxnId, key: &Name) -> Option<(&mut Instance, usize)> {
        let txn = self.txns.get_mut(&txn)?;
        Some((txn.instances.get_mut(key)?, txn.quorum))
    }

    fn promises(&mut self, at: usize, node: NodeId, (txn, key): (TxnId, &Name), ballot: Ballot) {
        if let Some((instance, _)) = self.instance(txn, key) {
            let promised = instance.promised.entry(node).or_insert((ballot, at));
            *promised = (*promised).max((ballot, at));
        }
    }

    fn accepts(
        &mut self,
        at: usize,
        node: NodeId,
        (txn, key): (TxnId, &Name),
        (ballot, prepared): (Ballot, bool),
    ) -> Option<Wrong> {
        let begun = self.txns.get(&txn)?.begun;
        let (instance, quorum) = self.instance(txn, key)?;
        let what = word(prepared);
        let before = instance.ballots.get(&ballot).filter(|(value, ..)| *value == prepared);
        if before.is_some_and(|(_, who, _)| who.contains(&node)) {
            return None;
        }
        if let Some((promised, since)) = instance.promised.get(&node)
            && *promised > ballot
        {
            let what = format!(
                "{node} accepts {what} for {key} of {txn} in {}, and had promised {promised}",
                Turn(ballot)
            );
            return Some(("PC-1", what, vec![*since]));
        }
        let (value, who, since) =
            instance.ballots.entry(ballot).or_insert((prepared, BTreeSet::new(), at));
        if *value != prepared {
            let what = format!(
                "ballot {} for {key} of {txn} is about {} and about {what}",
                Turn(ballot),
                word(*value)
            );
            return Some(("PC-1", what, vec![*since]));
        }
        who.insert(node);
        let (enough, since) = (who.len() >= quorum, *since);
        if prepared && !instance.voted {
            let what = format!("{node} accepts prepared for {key} of {txn}, where nobody prepared");
            return Some(("PC-3", what, vec![begun]));
        }
        match instance.chosen {
            Some((other, before)) if enough && other != prepared => {
                let what = format!("for {key} of {txn}, {} and {what} are chosen", word(other));
                Some(("PC-1", what, vec![before, since]))
            }
            None if enough => {
                instance.chosen = Some((prepared, at));
                None
            }
            _ => None,
        }
    }

    fn decides(&self, txn: TxnId) -> Option<Wrong> {
        let Txn { begun, instances, .. } = self.txns.get(&txn)?;
        let open = |(_, instance): &(&Name, &Instance)| !matches!(instance.chosen, Some((true, _)));
        let (key, instance) = instances.iter().find(open)?;
        let (what, because) = match instance.chosen {
            Some((_, at)) => ("aborted was chosen", at),
            None => ("nothing was chosen", *begun),
        };
        Some(("PC-2", format!("{txn} is committed, and for {key} {what}"), vec![because]))
    }
}

impl Check for PaxosCommit {
    fn name(&self) -> &'static str {
        "paxoscommit"
    }

    fn about(&self) -> &'static str {
        "Each vote of a transaction is chosen once, and commit needs all of them."
    }

    /// Anything may have been promised and chosen since.
    fn gap(&mut self, _: NodeId) {
        self.txns.clear();
        self.order.clear();
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::InstanceAccepts { .. }))
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let Kind::Fact(fact) = &event.kind else { return None };
        let (node, fresh) = (event.node, !witness.restates(event.node));
        let wrong = match fact {
            Fact::Begins { txn, op, how, .. } if fresh => {
                self.begins(at, *txn, op, *how);
                None
            }
            Fact::Votes { txn, yes: true, keys } => {
                for key in keys.iter() {
                    if let Some((instance, _)) = self.instance(*txn, key) {
                        instance.voted = true;
                    }
                }
                None
            }
            Fact::InstancePromises { txn, key, ballot } => {
                self.promises(at, node, (*txn, key), *ballot);
                None
            }
            Fact::InstanceAccepts { txn, key, ballot, prepared } => {
                self.accepts(at, node, (*txn, key), (*ballot, *prepared))
            }
            Fact::Decides { txn, commit: true } => self.decides(*txn),
            _ => None,
        };
        let (rule, what, because) = wrong?;
        Some(Violation { check: "paxoscommit", rule, what, at, because })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Time};
    use std::sync::Arc;

    const TXN: TxnId = TxnId { coordinator: NodeId::node(1), number: 1 };

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    fn begin() -> (u16, Fact) {
        let op = Arc::new("transfer a b 1".parse().expect("an operation"));
        let (call, participants) = (CallId::default(), [NodeId::node(2)].into());
        let how = Commitment::PaxosCommit { acceptors: 3 };
        (1, Fact::Begins { txn: TXN, call, op, participants, how })
    }

    fn yes(key: &str) -> (u16, Fact) {
        (2, Fact::Votes { txn: TXN, yes: true, keys: [name(key)].into() })
    }

    fn accept(node: u16, key: &str, round: u32, prepared: bool) -> (u16, Fact) {
        let ballot = if round == 0 { Ballot::NONE } else { Ballot::new(round, NodeId::node(5)) };
        (node, Fact::InstanceAccepts { txn: TXN, key: name(key), ballot, prepared })
    }

    fn promise(node: u16, key: &str, round: u32) -> (u16, Fact) {
        let ballot = Ballot::new(round, NodeId::node(5));
        (node, Fact::InstancePromises { txn: TXN, key: name(key), ballot })
    }

    fn commit() -> (u16, Fact) {
        (1, Fact::Decides { txn: TXN, commit: true })
    }

    /// The rules that a list of facts breaks, in order.
    fn broken(facts: &[(u16, Fact)]) -> Vec<&'static str> {
        let mut check = PaxosCommit::new();
        let event = |(node, fact): &(u16, Fact)| Event {
            at: Time::ZERO,
            node: NodeId::node(*node),
            kind: Kind::Fact(fact.clone()),
        };
        let witness = Witness::of_nobody();
        let see = |(at, fact)| check.see(at, &event(fact), &witness);
        facts.iter().enumerate().filter_map(see).map(|v| v.rule).collect()
    }

    #[test]
    fn what_is_legal_is_not_reported() {
        let votes = [begin(), yes("a"), yes("b"), accept(1, "a", 0, true), accept(2, "a", 0, true)];
        let late = [promise(1, "b", 1), promise(3, "b", 1), accept(2, "b", 0, true)];
        let found = [accept(1, "b", 1, true), accept(3, "b", 1, true), commit()];
        assert_eq!(broken(&[&votes[..], &late, &found].concat()), [""; 0]);
    }

    #[test]
    fn what_is_said_again_is_not_judged_again() {
        let votes = [begin(), yes("a"), accept(1, "a", 0, true), promise(1, "a", 1)];
        let again = [accept(1, "a", 0, true), promise(1, "a", 1)];
        assert_eq!(broken(&[&votes[..], &again].concat()), [""; 0]);
    }

    #[test]
    fn every_rule_is_caught() {
        let below = [begin(), promise(1, "a", 1), accept(1, "a", 0, false)];
        assert_eq!(broken(&below), ["PC-1"]);
        let two = [begin(), yes("a"), accept(1, "a", 1, true), accept(2, "a", 1, false)];
        assert_eq!(broken(&two), ["PC-1"]);
        let first = [begin(), yes("a"), accept(1, "a", 0, true), accept(2, "a", 0, true)];
        let second = [accept(1, "a", 1, false), accept(3, "a", 1, false)];
        assert_eq!(broken(&[&first[..], &second].concat()), ["PC-1"]);
        assert_eq!(broken(&[&first[..], &[commit()]].concat()), ["PC-2"]);
        assert_eq!(broken(&[begin(), accept(1, "a", 0, true)]), ["PC-3"]);
    }
}
