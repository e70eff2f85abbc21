//! The participant's half: votes, carries decisions out, and asks when it is left in doubt. What it
//! knows is in its store; this part only talks.

use super::{Cx, Message, TwoPhase};
use crate::base::{CallId, Mutation, Name, NodeId, Op, Outcome, ServiceId, Time, TxnId};
use crate::event::Fact;
use std::sync::Arc;

/// Something that the store does for a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The coordinator that gets the answer.
    pub(super) to: NodeId,
    pub(super) txn: TxnId,
    pub(super) key: Name,
    /// A vote, or else carrying a decision out.
    pub(super) prepare: bool,
}

/// A yes-vote without a decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    since: Time,
    asked: Time,
}

impl TwoPhase {
    /// Has the store do something, unless it is at it already.
    pub(super) fn ask_store(&mut self, job: Job, op: Op, cx: &mut Cx<'_>) {
        if self.jobs.values().any(|known| *known == job) {
            return;
        }
        self.next_job += 1;
        self.jobs.insert(self.next_job, job);
        let call = cx.new_call();
        cx.call(ServiceId::Store, self.next_job, call, op);
    }

    /// The store has done it, or could not.
    pub(super) fn store_answered(&mut self, job: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        let Some(Job { to, txn, key, prepare }) = self.jobs.remove(&job) else { return };
        match (prepare, outcome) {
            // No owner can be reached. The coordinator asks again, maybe elsewhere.
            (_, Outcome::Refused(crate::base::Refusal::Unavailable)) => {}
            (true, Outcome::Done) => cx.send(to, Message::Vote { txn, key, yes: true }),
            (true, _) => {
                let keys: Arc<[Name]> = [key.clone()].into();
                cx.emit(Fact::Votes { txn, yes: false, keys });
                cx.send(to, Message::Vote { txn, key, yes: false });
            }
            (false, Outcome::Unknown) => {}
            (false, outcome) => {
                let known = if outcome == Outcome::Done { Outcome::Unknown } else { outcome };
                cx.send(to, Message::Ack { txn, key, outcome: Box::new(known) });
            }
        }
    }

    /// The store states that keys are locked by a yes-vote.
    pub(super) fn note_doubt(&mut self, txn: TxnId, keys: &[Name], cx: &mut Cx<'_>) {
        let (since, asked) = (cx.now(), cx.now());
        for key in keys {
            self.doubts.entry((txn, key.clone())).or_insert(Doubt { since, asked });
        }
        self.tick_later(cx);
    }

    /// Asks the coordinators of what has been in doubt for a while.
    pub(super) fn doubt(&mut self, cx: &mut Cx<'_>) {
        let (now, retry) = (cx.now(), self.config.retry);
        let impatient = self.has(Mutation::TxnHeuristic);
        let mut given_up = Vec::new();
        for ((txn, key), doubt) in &mut self.doubts {
            if now.since(doubt.asked) < retry {
                continue;
            }
            doubt.asked = now;
            let (txn, key) = (*txn, key.clone());
            if impatient && now.since(doubt.since) >= retry.times(3) {
                given_up.push((txn, key));
            } else {
                cx.send(txn.coordinator, Message::Inquire { txn, key });
            }
        }
        given_up.into_iter().for_each(|(txn, key)| self.give_up(txn, key, cx));
    }

    /// Aborts alone, which is what a bound participant must never do.
    fn give_up(&mut self, txn: TxnId, key: Name, cx: &mut Cx<'_>) {
        let op = Op::Settle { txn, call: CallId::default(), key: key.clone(), commit: false };
        self.ask_store(Job { to: txn.coordinator, txn, key, prepare: false }, op, cx);
    }

    /// Gives up all that it said yes to for a coordinator, as a server that drops the prepared
    /// work of a session that ended.
    pub(super) fn disconnect(&mut self, coordinator: NodeId, cx: &mut Cx<'_>) {
        let of = |(txn, _): &&(TxnId, Name)| txn.coordinator == coordinator;
        let dropped: Vec<(TxnId, Name)> = self.doubts.keys().filter(of).cloned().collect();
        dropped.into_iter().for_each(|(txn, key)| self.give_up(txn, key, cx));
    }
}
