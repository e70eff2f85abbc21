//! Paxos Commit: each vote is a value that acceptors agree on, so no node is needed for the
//! outcome.
//!
//! **What it guarantees.** The same as two-phase commit, and it blocks only as long as a majority
//! of the acceptors is away: any node may bring a transaction to its end (PC-4). Each participant
//! has an instance of Paxos of its own, whose value is *prepared* or *aborted* (PC-1). The
//! transaction commits if all instances have chosen *prepared* (PC-2), and only a participant that
//! has prepared on disk can bring that about (PC-3).
//!
//! **Roles.** The first `acceptors` nodes are *acceptors*. In ballot 0 of its instance, which
//! belongs to it, a participant skips the first phase and sends its vote to the acceptors; they
//! tell the *leader*, which is the coordinator. With one acceptor this is two-phase commit.
//!
//! ```text
//! n4 (coordinator, leader)     n2 (owner of a)      n1 n2 n3 (acceptors)
//! │── Prepare t4.7 a -10 ──────>│ intent
//! │                             │── Phase2a t4.7 a 0 prepared ──>│ accept, on disk
//! │<─────────────────────────── Phase2b t4.7 a 0 prepared ───────│ a majority: chosen
//! │   … and the same for b: all have chosen prepared
//! │── Commit t4.7 ─────────────>│
//! ```
//!
//! **When something is missing**, a leader takes a higher ballot for the instances that have chosen
//! nothing: it asks the acceptors for promises (`Phase1a`), takes the value of the highest ballot
//! that a majority reports (`Phase1b`), and *aborted* if there is none. A coordinator does so when
//! votes are late, and a participant that has been in doubt for too long, in the coordinator's
//! place. Two leaders may outbid each other for a while, and never decide differently.
//!
//! **What an acceptor forgets.** It keeps the last [`INSTANCES`] instances, and says nothing about
//! older ones: to be asked again as if for the first time could undo what was chosen.
//!
//! **Sources.** Gray and Lamport 2006, *Consensus on transaction commit*, sections 4 and A.3;
//! `PaxosCommit.tla` of the TLA+ examples.
//!
//! **What is left out.** Acceptors that send their votes to all participants (a delay less, many
//! messages more), and one message for all instances of an acceptor.

use super::{Cx, Message, Record, Transactions};
use crate::base::{
    Ballot, CallId, Commitment, Mutation, Name, NodeId, Outcome, Refusal, Span, Time, TxnId,
    majority,
};
use crate::event::Fact;
use crate::proto::quorum::Tally;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many instances an acceptor remembers.
pub const INSTANCES: usize = 1_024;

/// A ballot and the value that was accepted in it: whether it is *prepared*.
pub(super) type Vote = (Ballot, bool);

/// What an acceptor has promised and accepted in one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    promised: Option<Ballot>,
    vote: Option<Vote>,
}

/// All that an acceptor remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Acceptor {
    known: BTreeMap<(TxnId, Name), Accepted>,
    order: VecDeque<(TxnId, Name)>,
    /// The largest number of each coordinator of which something was forgotten.
    forgotten: BTreeMap<NodeId, u32>,
}

impl Acceptor {
    fn get(&self, of: &(TxnId, Name)) -> Option<Accepted> {
        let known = self.known.get(of).copied();
        let old = self.forgotten.get(&of.0.coordinator).is_some_and(|last| *last >= of.0.number);
        known.or(Some(Accepted::default()).filter(|_| !old))
    }

    pub(super) fn set(&mut self, of: (TxnId, Name), state: Accepted) {
        if self.known.insert(of.clone(), state).is_none() {
            self.order.push_back(of);
        }
        if self.order.len() > INSTANCES
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
            self.forget(oldest.0);
        }
    }

    pub(super) fn forget(&mut self, txn: TxnId) {
        let last = self.forgotten.entry(txn.coordinator).or_default();
        *last = txn.number.max(*last);
    }

    /// What must survive of it.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let forgotten = self.forgotten.iter().map(|(coordinator, number)| {
            Record::Forgot(TxnId { coordinator: *coordinator, number: *number })
        });
        let known = self.order.iter().filter_map(|of| {
            let state = *self.known.get(of)?;
            Some(Record::Instance { txn: of.0, key: of.1.clone(), state })
        });
        forgotten.chain(known)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What is on its disk, oldest first: it may have crashed before it came to say so.
    pub(super) fn restate(&self, cx: &mut Cx<'_>) {
        for of in &self.order {
            let Some(Accepted { promised, vote }) = self.known.get(of).copied() else { continue };
            let (txn, key) = of.clone();
            if let Some((ballot, prepared)) = vote {
                cx.emit(Fact::InstanceAccepts { txn, key: key.clone(), ballot, prepared });
            }
            let voted = vote.map(|(ballot, _)| ballot);
            if let Some(ballot) = promised.filter(|_| promised > voted) {
                cx.emit(Fact::InstancePromises { txn, key, ballot });
            }
        }
    }
}

/// One instance, as its leader knows it.
#[derive(Clone, Debug, Default)]
struct Instance {
    /// Who promised the leader's ballot, and the highest vote that they reported.
    promises: Tally,
    best: Option<Vote>,
    proposed: bool,
    accepted: BTreeMap<Ballot, (bool, Tally)>,
    chosen: Option<bool>,
}

/// A transaction that this node leads to its end.
#[derive(Clone, Debug)]
pub(super) struct Lead {
    call: CallId,
    ballot: Ballot,
    instances: BTreeMap<Name, Instance>,
    /// When it takes the next ballot.
    until: Time,
}

impl Lead {
    fn outcome(&self) -> Option<bool> {
        let mut chosen = self.instances.values().map(|instance| instance.chosen);
        match chosen.clone().any(|chosen| chosen == Some(false)) {
            true => Some(false),
            false => chosen.all(|chosen| chosen == Some(true)).then_some(true),
        }
    }
}

impl Transactions {
    fn acceptors(&self) -> &[NodeId] {
        let Commitment::PaxosCommit { acceptors } = self.config.how else { return &[] };
        &self.config.peers[..usize::from(acceptors).min(self.config.peers.len())]
    }

    fn to_acceptors(&self, message: &Message, cx: &mut Cx<'_>) {
        cx.send_all(self.acceptors(), message);
    }

    /// The store has prepared a key, or refused to. What may have been said before in the ballot
    /// that belongs to it must not be contradicted, so it says nothing if it does not know.
    pub(super) fn prepared_for_acceptors(
        &mut self,
        txn: TxnId,
        key: Name,
        outcome: &Outcome,
        cx: &mut Cx<'_>,
    ) {
        match outcome {
            Outcome::Done if self.doubts.contains_key(&(txn, key.clone())) => {
                self.vote_in_ballot_0(txn, key, true, cx);
            }
            Outcome::Refused(Refusal::Locked | Refusal::Funds)
            | Outcome::Committed { .. }
            | Outcome::Aborted { .. } => {
                self.say_no(txn, &key, cx);
                self.vote_in_ballot_0(txn, key, false, cx);
            }
            _ => {}
        }
    }

    /// A participant's own vote, in the ballot that is its own.
    fn vote_in_ballot_0(&self, txn: TxnId, key: Name, prepared: bool, cx: &mut Cx<'_>) {
        let ballot = Ballot::NONE;
        self.to_acceptors(&Message::Phase2a { txn, key, ballot, prepared }, cx);
    }

    // -- acceptor --------------------------------------------------------------------------------

    fn keep(&mut self, of: (TxnId, Name), state: Accepted, cx: &mut Cx<'_>) {
        self.acceptor.set(of.clone(), state);
        if !self.has(Mutation::PaxosCommitVolatile) {
            let (txn, key) = of;
            self.write(Record::Instance { txn, key, state }, cx);
        }
    }

    pub(super) fn phase_1a(
        &mut self,
        from: NodeId,
        of: (TxnId, Name),
        ballot: Ballot,
        cx: &mut Cx<'_>,
    ) {
        let Some(state) = self.acceptor.get(&of).filter(|_| ballot.round < Ballot::ROUNDS) else {
            return;
        };
        let (txn, key) = of.clone();
        if let Some(promised) = state.promised.filter(|promised| *promised >= ballot) {
            return cx.send(from, Message::Outbid { txn, key, promised });
        }
        self.keep(of, Accepted { promised: Some(ballot), ..state }, cx);
        cx.emit(Fact::InstancePromises { txn, key: key.clone(), ballot });
        cx.send(from, Message::Phase1b { txn, key, ballot, vote: state.vote });
    }

    pub(super) fn phase_2a(
        &mut self,
        of: (TxnId, Name),
        (ballot, prepared): Vote,
        cx: &mut Cx<'_>,
    ) {
        let Some(state) = self.acceptor.get(&of).filter(|_| ballot.round < Ballot::ROUNDS) else {
            return;
        };
        let below = state.promised.is_some_and(|promised| promised > ballot);
        let (txn, key) = of.clone();
        let leader = if ballot == Ballot::NONE { txn.coordinator } else { ballot.node };
        if below && !self.has(Mutation::PaxosCommitBelow) {
            let promised = state.promised.unwrap_or(Ballot::NONE);
            return cx.send(leader, Message::Outbid { txn, key, promised });
        }
        let vote = Some((ballot, prepared));
        if state.vote != vote {
            self.keep(of, Accepted { promised: Some(ballot).max(state.promised), vote }, cx);
            cx.emit(Fact::InstanceAccepts { txn, key: key.clone(), ballot, prepared });
        }
        cx.send(leader, Message::Phase2b { txn, key, ballot, prepared });
    }

    // -- leader ----------------------------------------------------------------------------------

    /// Leads a transaction of these keys: its coordinator from ballot 0 on, others from a ballot
    /// of their own.
    pub(super) fn lead(
        &mut self,
        txn: TxnId,
        call: CallId,
        keys: impl Iterator<Item = Name>,
        patience: Span,
        cx: &mut Cx<'_>,
    ) {
        if self.leads.contains_key(&txn) {
            return;
        }
        let instances = keys.map(|key| (key, Instance::default())).collect();
        let until = cx.now() + patience;
        self.leads.insert(txn, Lead { call, ballot: Ballot::NONE, instances, until });
    }

    /// Takes the next ballot for all instances that are late.
    pub(super) fn raise_late(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let late = self.leads.iter().filter(|(_, lead)| now >= lead.until);
        for txn in late.map(|(txn, _)| *txn).collect::<Vec<TxnId>>() {
            self.raise(txn, cx);
        }
    }

    fn raise(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let (now, retry) = (cx.now(), self.config.retry);
        let pause = cx.rng().span(retry, retry.times(4));
        let Some(lead) = self.leads.get_mut(&txn) else { return };
        lead.ballot = Ballot::new(lead.ballot.round + 1, cx.me());
        lead.until = now + pause;
        let ballot = lead.ballot;
        let mut open = Vec::new();
        for (key, instance) in &mut lead.instances {
            if instance.chosen.is_none() {
                (instance.promises, instance.best) = (Tally::default(), None);
                instance.proposed = false;
                open.push(key.clone());
            }
        }
        for key in open {
            self.to_acceptors(&Message::Phase1a { txn, key, ballot }, cx);
        }
    }

    /// Somebody has taken a higher ballot.
    pub(super) fn outbid(&mut self, txn: TxnId, promised: Ballot) {
        if let Some(lead) = self.leads.get_mut(&txn).filter(|_| promised.round < Ballot::ROUNDS) {
            lead.ballot.round = lead.ballot.round.max(promised.round);
        }
    }

    pub(super) fn phase_1b(
        &mut self,
        from: NodeId,
        (txn, key): (TxnId, Name),
        (ballot, vote): (Ballot, Option<Vote>),
        cx: &mut Cx<'_>,
    ) {
        let quorum = majority(self.acceptors().len());
        let ignore = self.has(Mutation::PaxosCommitOwnValue);
        let free = self.has(Mutation::PaxosCommitFree);
        let Some(lead) = self.leads.get_mut(&txn).filter(|lead| lead.ballot == ballot) else {
            return;
        };
        let Some(instance) = lead.instances.get_mut(&key) else { return };
        instance.promises.add(from);
        instance.best = instance.best.max(vote);
        if instance.promises.count() < quorum || instance.proposed {
            return;
        }
        instance.proposed = true;
        // Whoever has said nothing has no part in it.
        let found = instance.best.filter(|_| !ignore).map(|(_, prepared)| prepared);
        let prepared = found.unwrap_or(free);
        self.to_acceptors(&Message::Phase2a { txn, key, ballot, prepared }, cx);
    }

    pub(super) fn phase_2b(
        &mut self,
        from: NodeId,
        (txn, key): (TxnId, Name),
        (ballot, prepared): Vote,
        cx: &mut Cx<'_>,
    ) {
        let enough = match self.has(Mutation::PaxosCommitOne) {
            true => 1,
            false => majority(self.acceptors().len()),
        };
        let Some(lead) = self.leads.get_mut(&txn) else { return };
        let Some(instance) = lead.instances.get_mut(&key) else { return };
        let (_, who) = instance.accepted.entry(ballot).or_insert((prepared, Tally::default()));
        who.add(from);
        if who.count() >= enough && instance.chosen.is_none() {
            instance.chosen = Some(prepared);
            cx.emit(Fact::InstanceChooses { txn, key, prepared });
            self.end_if_chosen(txn, cx);
        }
    }

    fn end_if_chosen(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let Some(commit) = self.leads.get(&txn).and_then(Lead::outcome) else { return };
        let Some(Lead { call, instances, .. }) = self.leads.remove(&txn) else { return };
        if self.txns.contains_key(&txn) {
            return self.decide(txn, commit, cx);
        }
        cx.emit(Fact::Decides { txn, commit });
        for key in instances.into_keys() {
            let Some(owner) = self.owners.of(&key) else { continue };
            cx.send(owner, Message::Decide { txn, call, key, commit });
        }
    }

    /// Takes the coordinator's place.
    pub(super) fn lead_instead(
        &mut self,
        txn: TxnId,
        (call, own, rest): (CallId, &Name, &[Name]),
        cx: &mut Cx<'_>,
    ) {
        if !self.leads.contains_key(&txn) {
            cx.emit(Fact::TakesOver { txn });
            let keys = rest.iter().chain([own]).cloned();
            self.lead(txn, call, keys, Span::ZERO, cx);
            self.raise(txn, cx);
        }
    }
}
