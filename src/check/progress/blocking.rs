//! Who is up does not wait for who is down: what three-phase commit (3PC-2) and Paxos Commit (PC-4)
//! promise beyond two-phase commit.
//!
//! The first promises it only if nodes do nothing but crash, whoever is suspected is down, and
//! links are as they should be; from where that is not so, nothing is owed to transactions under
//! way. The second needs a majority of its acceptors, and what is broken otherwise stops the clock.
//! Both stand on a store that moves keys away from who is down, which takes a majority of the
//! nodes.
//! Time counts from the last crash or start, and only for a participant that has been up, and has
//! had the key, since it voted.

use super::super::faults::Faults;
use crate::base::{Commitment, Name, NodeId, Span, Time, TxnId, majority};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// How many transactions are remembered.
const REMEMBERED: usize = 1_024;

/// A participant that has voted yes.
#[derive(Clone, Copy, Debug)]
struct Vote {
    node: NodeId,
    since: Time,
    how: Commitment,
    reported: bool,
}

/// What was seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocking {
    /// By which protocol those end whose begin was seen.
    how: BTreeMap<TxnId, Commitment>,
    votes: BTreeMap<(TxnId, Name), Vote>,
    /// When last a node crashed or started, or something else was wrong.
    since: Time,
}

impl Blocking {
    /// Takes an event in, and what is wrong after it.
    pub(super) fn see(&mut self, event: &Event, faults: &Faults) {
        let (node, at) = (event.node, event.at);
        match &event.kind {
            Kind::Started { .. } | Kind::Killed { .. } | Kind::Panicked { .. }
                if !node.is_client() =>
            {
                self.votes.retain(|_, vote| vote.node != node);
                self.since = at;
            }
            Kind::Fact(Fact::Begins { txn, how, .. }) => self.begins(*txn, *how),
            Kind::Fact(Fact::Votes { txn, yes: true, keys }) => self.votes(at, node, *txn, keys),
            Kind::Fact(Fact::Resolves { txn, changes, .. }) => {
                for change in changes.iter() {
                    self.votes.remove(&(*txn, change.key.clone()));
                }
            }
            Kind::Fact(Fact::Ends { txn }) => drop(self.how.remove(txn)),
            // Its keys are another's now.
            Kind::Fact(Fact::Yields { .. }) => self.votes.retain(|_, vote| vote.node != node),
            Kind::Fact(Fact::Suspects { who, .. }) if !faults.down.contains(who) => self.betray(),
            _ => {}
        }
        if faults.are_rough(|_| true) {
            self.betray();
            self.since = at;
        }
    }

    fn begins(&mut self, txn: TxnId, how: Commitment) {
        if let Commitment::ThreePhase | Commitment::PaxosCommit { .. } = how {
            self.how.insert(txn, how);
        }
        if self.how.len() > REMEMBERED {
            self.how.pop_first();
        }
    }

    fn votes(&mut self, at: Time, node: NodeId, txn: TxnId, keys: &[Name]) {
        let Some(how) = self.how.get(&txn).copied() else { return };
        let vote = Vote { node, since: at, how, reported: false };
        for key in keys {
            self.votes.entry((txn, key.clone())).or_insert(vote);
        }
    }

    /// What three-phase commit rests on is not so.
    fn betray(&mut self) {
        self.votes.retain(|_, vote| vote.how != Commitment::ThreePhase);
    }

    pub(super) fn forget(&mut self) {
        *self = Blocking { since: self.since, ..Blocking::default() };
    }

    /// Who has waited for too long for somebody who is down, and which rule that breaks.
    pub(super) fn overdue(
        &mut self,
        now: Time,
        faults: &Faults,
        within: Span,
    ) -> Option<(&'static str, String)> {
        if faults.are_rough(|_| true) || faults.down.iter().all(|who| who.is_client()) {
            return None;
        }
        let nodes: Vec<NodeId> = faults.all.iter().copied().filter(|id| !id.is_client()).collect();
        let enough = |most: usize| {
            let most = most.min(nodes.len());
            let up = nodes[..most].iter().filter(|id| !faults.down.contains(id)).count();
            up >= majority(most)
        };
        let owed = |vote: &Vote| match vote.how {
            Commitment::PaxosCommit { acceptors } => enough(acceptors.into()),
            _ => true,
        };
        let late = |vote: &Vote| now > vote.since.max(self.since) + within;
        let due = |vote: &Vote| !vote.reported && late(vote) && owed(vote);
        let all = enough(nodes.len());
        let (of, vote) = self.votes.iter_mut().find(|(_, vote)| all && due(vote))?;
        vote.reported = true;
        let down: BTreeSet<NodeId> =
            faults.down.iter().copied().filter(|id| !id.is_client()).collect();
        let down = down.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
        let rule = if vote.how == Commitment::ThreePhase { "3PC-2" } else { "PC-4" };
        let (Vote { node, since, .. }, (txn, key)) = (vote, of);
        let what =
            format!("{node} is in doubt of {txn} on {key} since {since}, while {down} is down");
        Some((rule, what))
    }
}
