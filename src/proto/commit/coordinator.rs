//! The coordinator's half: votes, the decision, and telling it until everybody knows.

use super::participant::{Job, Task, others};
use super::{Cx, Message, Record, Transactions};
use crate::base::{
    CallId, Commitment, Leg, MAX_LEGS, Mutation, Name, NodeId, Op, Outcome, Presume, Refusal, Span,
    Time, TxnId,
};
use crate::event::Fact;
use crate::proto::Ticket;
use std::sync::Arc;

/// How many rounds of `retry` an abort is told before it is forgotten.
const ABORT_ROUNDS: u64 = 25;

/// One key of a transaction.
#[derive(Clone, Debug)]
struct Side {
    leg: Leg,
    voted: bool,
    /// Who gave the vote.
    voter: Option<NodeId>,
    ready: bool,
    acknowledged: bool,
}

/// How far a transaction is that is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Votes are missing.
    Voting,
    /// The log is asked to commit it: whoever asks it may not decide any more.
    Concluding,
    /// In three-phase commit: all are told that all have voted yes.
    Readying,
}

/// A transaction that is not over.
#[derive(Clone, Debug)]
pub(super) struct Txn {
    call: CallId,
    /// What it began with; none if an earlier life did.
    begun: Option<(Arc<Op>, Arc<[NodeId]>)>,
    /// Who waits for the answer; none if it was given, or died with an earlier life.
    ticket: Option<Ticket>,
    sides: Vec<Side>,
    /// None while votes are missing, or the log has not answered.
    decided: Option<bool>,
    stage: Stage,
    /// When it began, or was decided.
    since: Time,
    /// When something was sent for it last.
    at: Time,
}

impl Txn {
    fn new(call: CallId, legs: Vec<Leg>, now: Time) -> Txn {
        let side = |leg| Side { leg, voted: false, voter: None, ready: false, acknowledged: false };
        let (ticket, decided, sides) = (None, None, legs.into_iter().map(side).collect());
        let (begun, stage) = (None, Stage::Voting);
        Txn { call, begun, ticket, sides, decided, stage, since: now, at: now }
    }

    /// One that an earlier life has not finished, and how it ends.
    pub(super) fn unfinished(call: CallId, keys: &[Name], commit: bool, now: Time) -> Txn {
        let legs = keys.iter().map(|key| Leg { key: key.clone(), by: 0 }).collect();
        Txn { decided: Some(commit), ..Txn::new(call, legs, now) }
    }

    fn legs(&self) -> Vec<Leg> {
        self.sides.iter().map(|side| side.leg.clone()).collect()
    }

    /// The client's call behind it.
    pub(super) fn call(&self) -> CallId {
        self.call
    }

    /// What it does and whom it asked, if it began in this life.
    pub(super) fn begun(&self) -> Option<(Arc<Op>, Arc<[NodeId]>)> {
        self.begun.clone()
    }

    /// The decision, once there is one.
    pub(super) fn decided(&self) -> Option<bool> {
        self.decided
    }

    /// What must survive of it.
    pub(super) fn record(&self, txn: TxnId, how: Commitment) -> Option<Record> {
        let keys = self.sides.iter().map(|side| side.leg.key.clone()).collect();
        match (how, self.decided) {
            (Commitment::TwoPhase { .. } | Commitment::ThreePhase, Some(true)) => {
                Some(Record::Commit { txn, call: self.call, keys })
            }
            (Commitment::TwoPhase { presume: Presume::Commit, .. }, _) => {
                Some(Record::Collecting { txn, call: self.call, keys })
            }
            _ => None,
        }
    }
}

impl Transactions {
    /// Begins a transaction, unless it coordinates one for this call already.
    pub(super) fn begin(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        if let Some(state) = self.txns.values_mut().find(|state| state.call == call) {
            state.ticket = Some(ticket);
            if state.decided == Some(true) {
                self.answer_commit(call, cx);
            }
            return;
        }
        let Some(participants) = self.participants(&op.legs()) else {
            return cx.reply(ticket, Outcome::Refused(Refusal::Unavailable));
        };
        let (txn, how) = (self.next_txn(cx), self.config.how);
        let mut state = Txn::new(call, op.legs(), cx.now());
        let keys: Vec<Name> = op.legs().into_iter().map(|leg| leg.key).collect();
        let op = Arc::new(op);
        let begun = Some((Arc::clone(&op), Arc::clone(&participants)));
        (state.begun, state.ticket) = (begun, Some(ticket));
        if let Some(record) = state.record(txn, how)
            && !self.has(Mutation::TxnNoCollecting)
        {
            self.write(record, cx);
        }
        cx.emit(Fact::Begins { txn, call, op, participants, how });
        self.txns.insert(txn, state);
        self.send(txn, cx);
        if let Commitment::PaxosCommit { .. } = how {
            self.lead(txn, call, keys.into_iter(), self.config.vote_timeout, cx);
        }
    }

    /// The owners of the keys, each once; none if that makes no sense or they are not known.
    fn participants(&self, legs: &[Leg]) -> Option<Arc<[NodeId]>> {
        let twice = |(at, leg): (usize, &Leg)| legs[..at].iter().any(|other| other.key == leg.key);
        let fits = (2..=MAX_LEGS).contains(&legs.len()) && legs.iter().all(|leg| leg.by != 0);
        if !fits || legs.iter().enumerate().any(twice) {
            return None;
        }
        let mut owners = Vec::new();
        for leg in legs {
            let owner = self.owners.of(&leg.key)?;
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        Some(owners.into())
    }

    /// Writes down that the next numbers may be used.
    pub(super) fn reserve(&mut self, cx: &mut Cx<'_>) {
        self.numbers.reserve();
        self.write(Record::Reserved(self.numbers.reserved()), cx);
    }

    fn next_txn(&mut self, cx: &mut Cx<'_>) -> TxnId {
        if self.numbers.are_used_up() {
            self.reserve(cx);
        }
        TxnId { coordinator: cx.me(), number: self.numbers.next() }
    }

    /// Sends what its participants have not answered yet.
    fn send(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get_mut(&txn) else { return };
        state.at = cx.now();
        let (call, decided, stage, legs) = (state.call, state.decided, state.stage, state.legs());
        let open = |side: &&Side| match (decided, stage) {
            (Some(_), _) => !side.acknowledged,
            (None, Stage::Readying) => !side.ready,
            (None, _) => !side.voted,
        };
        for Side { leg, .. } in state.sides.clone().iter().filter(open) {
            let Some(owner) = self.owners.of(&leg.key) else { continue };
            let Leg { key, by } = leg.clone();
            let others = others(&legs, &key);
            cx.send(
                owner,
                match (decided, stage) {
                    (Some(commit), _) => Message::Decide { txn, call, key, commit },
                    (None, Stage::Readying) => Message::PreCommit { txn, call, key },
                    (None, _) => Message::Prepare { txn, call, key, by, others },
                },
            );
        }
    }

    /// A vote has come in. When all have said yes the votes are counted: what is heard after that,
    /// say to a question that was long under way, changes nothing.
    pub(super) fn vote(
        &mut self,
        from: NodeId,
        txn: TxnId,
        key: &Name,
        yes: bool,
        cx: &mut Cx<'_>,
    ) {
        let yes = yes || self.has(Mutation::TxnIgnoreVotes);
        let asks = |state: &&mut Txn| state.decided.is_none() && state.stage == Stage::Voting;
        let Some(state) = self.txns.get_mut(&txn).filter(asks) else { return };
        if !yes {
            return self.decide(txn, false, cx);
        }
        let own = |side: &&mut Side| side.leg.key == *key;
        for side in state.sides.iter_mut().filter(own) {
            (side.voted, side.voter) = (true, Some(from));
        }
        if state.sides.iter().all(|side| side.voted) {
            self.all_voted(txn, cx);
        }
    }

    fn all_voted(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        match self.config.how {
            Commitment::Logged => self.conclude(txn, cx),
            Commitment::TwoPhase { .. } => self.decide(txn, true, cx),
            // The acceptors say who has voted.
            Commitment::PaxosCommit { .. } => {}
            Commitment::ThreePhase if self.has(Mutation::ThreePhaseSkip) => {
                self.decide(txn, true, cx);
            }
            Commitment::ThreePhase => {
                if let Some(state) = self.txns.get_mut(&txn) {
                    state.stage = Stage::Readying;
                }
                self.send(txn, cx);
            }
        }
    }

    /// A participant of three-phase commit has noted that all have voted yes.
    pub(super) fn is_ready(&mut self, txn: TxnId, key: &Name, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get_mut(&txn) else { return };
        let own = |side: &&mut Side| side.leg.key == *key;
        state.sides.iter_mut().filter(own).for_each(|side| side.ready = true);
        self.commit_if_ready(txn, cx);
    }

    /// Commits when all that are not dead have noted it, and there is one that has: what nobody has
    /// noted must not be decided, since those who come back could not know.
    fn commit_if_ready(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get(&txn) else { return };
        let dead = |side: &Side| side.voter.is_some_and(|id| self.suspected.contains(&id));
        let all = state.sides.iter().all(|side| side.ready || dead(side));
        let open = state.decided.is_none() && state.stage == Stage::Readying;
        if open && all && state.sides.iter().any(|side| side.ready) {
            self.decide(txn, true, cx);
        }
    }

    /// Asks the log to commit.
    fn conclude(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get_mut(&txn) else { return };
        (state.stage, state.at) = (Stage::Concluding, cx.now());
        let key = state.sides[0].leg.key.clone();
        let job = Job { to: cx.me(), txn, key, task: Task::Commit };
        self.ask(job, Op::Conclude { txn, commit: true }, cx);
        if self.has(Mutation::TxnForgetDecision) {
            self.decide(txn, true, cx);
        }
    }

    /// The log has decided.
    pub(super) fn concluded(&mut self, txn: TxnId, outcome: &Outcome, cx: &mut Cx<'_>) {
        let open = self.txns.get(&txn).is_some_and(|state| state.decided.is_none());
        match outcome {
            Outcome::Committed { .. } if open => self.decide(txn, true, cx),
            Outcome::Aborted { .. } if open => self.decide(txn, false, cx),
            // It is asked again.
            _ => {}
        }
    }

    pub(super) fn decide(&mut self, txn: TxnId, commit: bool, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get_mut(&txn) else { return };
        (state.decided, state.since) = (Some(commit), cx.now());
        let (call, record) = (state.call, state.record(txn, self.config.how));
        // Who has begun and not committed aborts: that stands on disk already, or is presumed.
        if let Some(record) = record.filter(|_| commit && !self.has(Mutation::TxnForgetDecision)) {
            self.write(record, cx);
        }
        cx.emit(Fact::Decides { txn, commit });
        self.send(txn, cx);
        if commit {
            self.answer_commit(call, cx);
        }
        let forget = if commit { Mutation::TxnForgetEarly } else { Mutation::TxnForgetAbort };
        if self.has(forget) && (commit || self.presumes(Presume::Commit)) {
            return self.end(txn, cx);
        }
        if commit && self.has(Mutation::TxnReverse) {
            self.decide(txn, false, cx);
        }
    }

    fn answer_commit(&mut self, call: CallId, cx: &mut Cx<'_>) {
        let of = self.txns.iter_mut().find(|(_, state)| state.call == call);
        if let Some((txn, state)) = of
            && let Some(ticket) = state.ticket.take()
        {
            cx.reply(ticket, Outcome::Committed { txn: *txn });
        }
    }

    /// A participant has carried the decision out.
    pub(super) fn acknowledged(
        &mut self,
        txn: TxnId,
        key: &Name,
        outcome: Outcome,
        cx: &mut Cx<'_>,
    ) {
        let Some(state) = self.txns.get_mut(&txn).filter(|state| state.decided.is_some()) else {
            return;
        };
        let own = |side: &&mut Side| side.leg.key == *key;
        state.sides.iter_mut().filter(own).for_each(|side| side.acknowledged = true);
        // The first key knows how the call ended, whoever carried it out.
        if state.sides[0].leg.key == *key
            && let Some(ticket) = state.ticket.take()
        {
            cx.reply(ticket, outcome);
        }
        if state.sides.iter().all(|side| side.acknowledged) {
            self.end(txn, cx);
        }
    }

    fn end(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.remove(&txn) else { return };
        if let Some(ticket) = state.ticket {
            cx.reply(ticket, Outcome::Unknown);
        }
        let (presumed, how) = (self.presumes(Presume::Commit), self.config.how);
        let logged = matches!(how, Commitment::Logged | Commitment::PaxosCommit { .. });
        if !logged && (presumed || state.decided == Some(true)) {
            self.write(Record::End(txn), cx);
        }
        // Who presumes commit does not wait until everybody knows of one.
        if !(presumed && state.decided == Some(true)) {
            cx.emit(Fact::Ends { txn });
        }
    }

    /// A participant is in doubt.
    pub(super) fn inquired(&mut self, from: NodeId, txn: TxnId, key: Name, cx: &mut Cx<'_>) {
        let how = self.config.how;
        let (call, commit) = match self.txns.get(&txn) {
            Some(Txn { call, decided: Some(commit), .. }) => (*call, *commit),
            // It will decide soon, and tell.
            Some(_) => return,
            None if self.config.how == Commitment::ThreePhase && txn.coordinator == cx.me() => {
                return cx.send(from, Message::Forgotten { txn, key });
            }
            None if txn.coordinator != cx.me() => return,
            None if matches!(how, Commitment::Logged | Commitment::PaxosCommit { .. }) => return,
            // With presumed abort, what it does not know it never committed, or everybody knows;
            // with presumed commit, the other way round.
            None => (CallId::default(), self.presumes(Presume::Commit)),
        };
        cx.send(from, Message::Decide { txn, call, key, commit });
    }

    /// Aborts what has waited for votes for too long, and repeats what was not answered.
    pub(super) fn repeat(&mut self, cx: &mut Cx<'_>) {
        let (now, retry) = (cx.now(), self.config.retry);
        let due = self.txns.iter().filter(|(_, state)| now.since(state.at) >= retry);
        for txn in due.map(|(txn, _)| *txn).collect::<Vec<TxnId>>() {
            let Some(state) = self.txns.get(&txn) else { continue };
            let by_acceptors = matches!(self.config.how, Commitment::PaxosCommit { .. });
            let (age, presumed) = (now.since(state.since), self.presumes(Presume::Commit));
            match state.decided {
                None if state.stage == Stage::Concluding => self.conclude(txn, cx),
                None if state.stage == Stage::Readying => {
                    self.send(txn, cx);
                    self.commit_if_ready(txn, cx);
                }
                None if age >= self.config.vote_timeout && !by_acceptors => {
                    self.decide(txn, false, cx);
                }
                Some(false) if !presumed && age >= Span(retry.0.saturating_mul(ABORT_ROUNDS)) => {
                    self.end(txn, cx);
                }
                // Whoever has missed it will ask, and be told the same.
                Some(true) if presumed => self.end(txn, cx),
                _ => self.send(txn, cx),
            }
        }
    }
}
