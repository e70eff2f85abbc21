//! The coordinator's half: votes, the decision, and telling it until everybody knows.

use super::{BLOCK, Cx, Message, Record, TwoPhase};
use crate::base::{
    CallId, Mutation, Name, NodeId, Op, Outcome, Refusal, Span, Time, Transfer, TxnId,
};
use crate::event::Fact;
use crate::proto::Ticket;
use std::sync::Arc;

/// How many rounds of `retry` an abort is told before it is forgotten.
const ABORT_ROUNDS: u64 = 25;

/// One key of a transaction.
#[derive(Clone, Debug)]
struct Side {
    key: Name,
    by: i64,
    voted: bool,
    acknowledged: bool,
}

/// A transaction that is not over.
#[derive(Clone, Debug)]
pub(super) struct Txn {
    call: CallId,
    /// What it began with; none if an earlier life did.
    begun: Option<(Arc<Op>, Arc<[NodeId]>)>,
    /// Who waits for the answer; none if it was given, or died with an earlier life.
    ticket: Option<Ticket>,
    /// The giving side, then the taking one.
    sides: [Side; 2],
    /// None while votes are missing.
    decided: Option<bool>,
    /// When it began, or was decided.
    since: Time,
    /// When something was sent for it last.
    at: Time,
}

impl Txn {
    fn new(call: CallId, sides: [(&Name, i64); 2], now: Time) -> Txn {
        let side = |(key, by): (&Name, i64)| {
            let key = key.clone();
            Side { key, by, voted: false, acknowledged: false }
        };
        let (ticket, decided, sides) = (None, None, sides.map(side));
        Txn { call, begun: None, ticket, sides, decided, since: now, at: now }
    }

    /// One that an earlier life has committed and not finished.
    pub(super) fn committed(call: CallId, keys: &[Name; 2], now: Time) -> Txn {
        let [from, to] = keys;
        Txn { decided: Some(true), ..Txn::new(call, [(from, 0), (to, 0)], now) }
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
    pub(super) fn record(&self, txn: TxnId) -> Option<Record> {
        let keys = [self.sides[0].key.clone(), self.sides[1].key.clone()];
        (self.decided == Some(true)).then_some(Record::Commit { txn, call: self.call, keys })
    }
}

impl TwoPhase {
    /// Begins a transaction, unless it coordinates one for this call already.
    pub(super) fn begin(
        &mut self,
        ticket: Ticket,
        call: CallId,
        transfer: &Transfer,
        cx: &mut Cx<'_>,
    ) {
        if let Some(state) = self.txns.values_mut().find(|state| state.call == call) {
            state.ticket = Some(ticket);
            if state.decided == Some(true) {
                self.answer_commit(call, cx);
            }
            return;
        }
        let Transfer { from, to, amount } = transfer;
        let owners = self.owner(from).zip(self.owner(to));
        let Some((giver, taker)) = owners.filter(|_| from != to && *amount > 0) else {
            return cx.reply(ticket, Outcome::Refused(Refusal::Unavailable));
        };
        let txn = self.next_txn(cx);
        let participants: Arc<[NodeId]> =
            if giver == taker { [giver].into() } else { [giver, taker].into() };
        let op = Arc::new(Op::Transfer(transfer.clone()));
        let begun = Some((Arc::clone(&op), Arc::clone(&participants)));
        cx.emit(Fact::Begins { txn, call, op, participants });
        let mut state = Txn::new(call, [(from, -amount), (to, *amount)], cx.now());
        (state.begun, state.ticket) = (begun, Some(ticket));
        self.txns.insert(txn, state);
        self.send(txn, cx);
    }

    /// Writes down that the next numbers may be used.
    pub(super) fn reserve(&mut self, cx: &mut Cx<'_>) {
        self.reserved = self.last.saturating_add(BLOCK);
        self.write(Record::Reserved(self.reserved), cx);
    }

    fn next_txn(&mut self, cx: &mut Cx<'_>) -> TxnId {
        if self.last == self.reserved {
            self.reserve(cx);
        }
        self.last += 1;
        TxnId { coordinator: cx.me(), number: self.last }
    }

    /// Sends what its participants have not answered yet.
    fn send(&mut self, txn: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get_mut(&txn) else { return };
        state.at = cx.now();
        let (call, decided) = (state.call, state.decided);
        let open = |side: &&Side| if decided.is_some() { !side.acknowledged } else { !side.voted };
        for Side { key, by, .. } in state.sides.clone().iter().filter(open) {
            let Some(owner) = self.owner(key) else { continue };
            let (key, by) = (key.clone(), *by);
            cx.send(
                owner,
                match decided {
                    None => Message::Prepare { txn, call, key, by },
                    Some(commit) => Message::Decide { txn, call, key, commit },
                },
            );
        }
    }

    /// A vote has come in.
    pub(super) fn vote(&mut self, txn: TxnId, key: &Name, yes: bool, cx: &mut Cx<'_>) {
        let yes = yes || self.has(Mutation::TxnIgnoreVotes);
        let Some(state) = self.txns.get_mut(&txn).filter(|state| state.decided.is_none()) else {
            return;
        };
        if !yes {
            return self.decide(txn, false, cx);
        }
        state.sides.iter_mut().filter(|side| side.key == *key).for_each(|side| side.voted = true);
        if state.sides.iter().all(|side| side.voted) {
            self.decide(txn, true, cx);
        }
    }

    fn decide(&mut self, txn: TxnId, commit: bool, cx: &mut Cx<'_>) {
        let Some(state) = self.txns.get_mut(&txn) else { return };
        (state.decided, state.since) = (Some(commit), cx.now());
        let call = state.call;
        if let Some(record) = state.record(txn)
            && !self.has(Mutation::TxnForgetDecision)
        {
            self.write(record, cx);
        }
        cx.emit(Fact::Decides { txn, commit });
        self.send(txn, cx);
        if commit {
            self.answer_commit(call, cx);
        }
        if commit && self.has(Mutation::TxnForgetEarly) {
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
        state.sides.iter_mut().filter(|s| s.key == *key).for_each(|s| s.acknowledged = true);
        // The giving account knows how the call ended, whoever carried it out.
        if state.sides[0].key == *key
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
        if state.decided == Some(true) {
            self.write(Record::End(txn), cx);
        }
        cx.emit(Fact::Ends { txn });
    }

    /// A participant is in doubt.
    pub(super) fn inquired(&mut self, from: NodeId, txn: TxnId, key: Name, cx: &mut Cx<'_>) {
        let (call, commit) = match self.txns.get(&txn) {
            Some(Txn { call, decided: Some(commit), .. }) => (*call, *commit),
            // It will decide soon, and tell.
            Some(_) => return,
            None if txn.coordinator != cx.me() => return,
            // Presumed abort: what it does not know, it never committed, or everybody knows.
            None => (CallId::default(), false),
        };
        cx.send(from, Message::Decide { txn, call, key, commit });
    }

    /// Aborts what has waited for votes for too long, and repeats what was not answered.
    pub(super) fn repeat(&mut self, cx: &mut Cx<'_>) {
        let (now, retry) = (cx.now(), self.config.retry);
        let due = self.txns.iter().filter(|(_, state)| now.since(state.at) >= retry);
        for txn in due.map(|(txn, _)| *txn).collect::<Vec<TxnId>>() {
            let Some(state) = self.txns.get(&txn) else { continue };
            let age = now.since(state.since);
            match state.decided {
                None if age >= self.config.vote_timeout => self.decide(txn, false, cx),
                Some(false) if age >= Span(retry.0.saturating_mul(ABORT_ROUNDS)) => {
                    self.end(txn, cx);
                }
                _ => self.send(txn, cx),
            }
        }
    }
}
