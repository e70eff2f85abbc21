//! The participant's half: votes, carries decisions out, and asks when it is left in doubt. What it
//! knows is in its store; this part only talks.

use super::threephase::State;
use super::{Config, Cx, Message, Transactions};
use crate::base::{
    CallId, Commitment, Leg, Mutation, Name, NodeId, Op, Outcome, Presume, Refusal, ServiceId,
    Span, Time, TxnId,
};
use crate::event::Fact;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a sibling is asked to do for a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The store is to prepare a key: that is a vote.
    Prepare,
    /// The store is to carry a decision out.
    Settle,
    /// The store is to note that all have voted yes.
    Precommit,
    /// The store is to say how the transaction stands at this node's own key.
    Recall,
    /// The store is to say so for the owner of another key of the transaction, which is in doubt.
    Consult {
        /// That key.
        about: Name,
    },
    /// The log is to decide, for a coordinator that has all votes.
    Commit,
    /// The log is to decide, for a participant that has waited for too long.
    Abort,
}

/// Something that a sibling does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The node that gets the answer.
    pub(super) to: NodeId,
    pub(super) txn: TxnId,
    pub(super) key: Name,
    pub(super) task: Task,
}

/// A yes-vote without a decision.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    since: Time,
    asked: Time,
    /// The call behind it, and the other keys; none as long as the store was not asked.
    pub(super) known: Option<(CallId, Arc<[Name]>)>,
    /// In three-phase commit: how it stands here, and at whoever was asked in this round.
    pub(super) own: State,
    /// None as long as nobody was asked.
    pub(super) states: Option<BTreeMap<Name, State>>,
    /// The coordinator does not know of the transaction.
    pub(super) orphan: bool,
    /// It takes the coordinator's place.
    pub(super) leads: bool,
}

/// How a key and the other keys of a transaction are told apart.
pub(super) fn others(legs: &[Leg], key: &Name) -> Arc<[Name]> {
    legs.iter().filter(|leg| leg.key != *key).map(|leg| leg.key.clone()).collect()
}

impl Transactions {
    /// Has a sibling do something, unless it is at it already.
    pub(super) fn ask(&mut self, job: Job, op: Op, cx: &mut Cx<'_>) {
        if self.jobs.values().any(|known| *known == job) {
            return;
        }
        let service = match job.task {
            Task::Commit | Task::Abort => ServiceId::Log,
            _ => ServiceId::Store,
        };
        self.next_job += 1;
        self.jobs.insert(self.next_job, job);
        let call = cx.new_call();
        cx.call(service, self.next_job, call, op);
    }

    /// It has done it, or could not.
    pub(super) fn answered(&mut self, job: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        let Some(job) = self.jobs.remove(&job) else { return };
        match job.task {
            // No owner can be reached. Who wants to know asks again, maybe elsewhere.
            _ if outcome == Outcome::Refused(Refusal::Unavailable) => {}
            Task::Prepare => self.prepared(job, &outcome, cx),
            Task::Settle => self.settled(job, outcome, cx),
            Task::Precommit => self.precommitted(job, &outcome, cx),
            Task::Recall => self.recalled(&job, outcome),
            Task::Consult { about } => {
                self.consulted((job.to, job.txn), (job.key, about), outcome, cx);
            }
            Task::Commit => self.concluded(job.txn, &outcome, cx),
            Task::Abort => {
                if let Outcome::Committed { .. } | Outcome::Aborted { .. } = outcome {
                    let commit = matches!(outcome, Outcome::Committed { .. });
                    self.settle_alone(job.txn, job.key, commit, cx);
                }
            }
        }
    }

    fn prepared(&mut self, Job { to, txn, key, .. }: Job, outcome: &Outcome, cx: &mut Cx<'_>) {
        if let Commitment::PaxosCommit { .. } = self.config.how {
            return self.prepared_for_acceptors(txn, key, outcome, cx);
        }
        let yes = *outcome == Outcome::Done;
        match self.doubts.get_mut(&(txn, key.clone())) {
            Some(doubt) if yes => doubt.own.present = true,
            // The key is another node's by now, which must speak for itself, or it is over.
            None if yes && self.config.how == Commitment::ThreePhase => return,
            _ if yes => {}
            _ => self.say_no(txn, &key, cx),
        }
        cx.send(to, Message::Vote { txn, key, yes });
    }

    pub(super) fn say_no(&mut self, txn: TxnId, key: &Name, cx: &mut Cx<'_>) {
        let keys: Arc<[Name]> = [key.clone()].into();
        cx.emit(Fact::Votes { txn, yes: false, keys });
    }

    fn settled(&mut self, Job { to, txn, key, .. }: Job, outcome: Outcome, cx: &mut Cx<'_>) {
        let unneeded = self.presumes(Presume::Commit)
            && matches!(outcome, Outcome::Committed { txn: of } if of == txn);
        if outcome != Outcome::Unknown && !unneeded {
            let known = if outcome == Outcome::Done { Outcome::Unknown } else { outcome };
            cx.send(to, Message::Ack { txn, key, outcome: Box::new(known) });
        }
    }

    /// The store states that keys are locked by a yes-vote.
    pub(super) fn note_doubt(&mut self, txn: TxnId, keys: &[Name], cx: &mut Cx<'_>) {
        let doubt = Doubt {
            since: cx.now(),
            asked: cx.now(),
            known: None,
            own: State::default(),
            states: None,
            orphan: false,
            leads: false,
        };
        for key in keys {
            self.doubts.entry((txn, key.clone())).or_insert_with(|| doubt.clone());
        }
    }

    /// Asks about all that has been in doubt for a while.
    pub(super) fn doubt(&mut self, cx: &mut Cx<'_>) {
        let (now, retry) = (cx.now(), self.config.retry);
        let mut due = Vec::new();
        for (of, doubt) in &mut self.doubts {
            if now.since(doubt.asked) >= retry {
                doubt.asked = now;
                due.push((of.clone(), doubt.clone()));
            }
        }
        for ((txn, key), doubt) in due {
            self.inquire(txn, key, &doubt, now.since(doubt.since), cx);
        }
    }

    fn inquire(&mut self, txn: TxnId, key: Name, doubt: &Doubt, age: Span, cx: &mut Cx<'_>) {
        let Config { retry, vote_timeout, how, .. } = self.config;
        if self.has(Mutation::TxnHeuristic) && age >= retry.times(3) {
            return self.settle_alone(txn, key, false, cx);
        }
        match (how, &doubt.known) {
            (Commitment::Logged, _) if age >= vote_timeout + retry.times(2) => {
                let job = Job { to: cx.me(), txn, key, task: Task::Abort };
                return self.ask(job, Op::Conclude { txn, commit: false }, cx);
            }
            (Commitment::TwoPhase { cooperative: true, .. }, None) => self.recall(txn, &key, cx),
            (Commitment::ThreePhase, _) => self.terminate(txn, &key, cx),
            (Commitment::PaxosCommit { .. }, known)
                if age >= vote_timeout + retry.times(2) && !self.has(Mutation::PaxosCommitWait) =>
            {
                match known {
                    None => self.recall(txn, &key, cx),
                    Some((call, others)) => {
                        self.lead_instead(txn, (*call, &key, others), cx);
                    }
                }
            }
            (Commitment::TwoPhase { cooperative: true, .. }, Some((call, others))) => {
                self.consult_all(txn, *call, &key, others, cx);
            }
            _ => {}
        }
        cx.send(txn.coordinator, Message::Inquire { txn, key });
    }

    /// Asks the store how a transaction stands at this node's own key.
    pub(super) fn recall(&mut self, txn: TxnId, key: &Name, cx: &mut Cx<'_>) {
        let op = Op::Consult { txn, call: CallId::default(), key: key.clone() };
        self.ask(Job { to: cx.me(), txn, key: key.clone(), task: Task::Recall }, op, cx);
    }

    /// Asks the owners of the other keys.
    pub(super) fn consult_all(
        &mut self,
        txn: TxnId,
        call: CallId,
        about: &Name,
        others: &[Name],
        cx: &mut Cx<'_>,
    ) {
        for key in others {
            // The owner by this node's ring may be the wrong one; who is not says nothing.
            let whom = match self.config.how {
                Commitment::ThreePhase => self.config.peers.to_vec(),
                _ => self.owners.of(key).into_iter().collect(),
            };
            let (key, about) = (key.clone(), about.clone());
            cx.send_all(&whom, &Message::Consult { txn, call, key, about });
        }
    }

    fn recalled(&mut self, job: &Job, outcome: Outcome) {
        let of = (job.txn, job.key.clone());
        match (outcome, self.doubts.get_mut(&of)) {
            (Outcome::Prepared { call, others, ready }, Some(doubt)) => {
                (doubt.known, doubt.own.ready) = (Some((call, others)), ready);
            }
            // Its router has given up.
            (Outcome::Unknown, _) => {}
            _ => drop(self.doubts.remove(&of)),
        }
    }

    /// The store has said how a transaction stands at a key here, for somebody who is in doubt.
    fn consulted(
        &mut self,
        (to, txn): (NodeId, TxnId),
        (key, about): (Name, Name),
        outcome: Outcome,
        cx: &mut Cx<'_>,
    ) {
        let commit = match outcome {
            Outcome::Committed { .. } => true,
            Outcome::Aborted { .. } => false,
            Outcome::Refused(Refusal::NotPrepared) => {
                self.say_no(txn, &key, cx);
                false
            }
            Outcome::Prepared { ready, .. } if self.config.how == Commitment::ThreePhase => {
                if let Some(doubt) = self.doubts.get(&(txn, key.clone())) {
                    let present = doubt.own.present;
                    cx.send(to, Message::State { txn, key, about, ready, present });
                }
                return;
            }
            _ => return cx.send(to, Message::Uncertain { txn, key }),
        };
        cx.send(to, Message::Decide { txn, call: CallId::default(), key: about, commit });
    }

    /// Carries an outcome out that no coordinator has told.
    fn settle_alone(&mut self, txn: TxnId, key: Name, commit: bool, cx: &mut Cx<'_>) {
        let op = Op::Settle { txn, call: CallId::default(), key: key.clone(), commit };
        self.ask(Job { to: txn.coordinator, txn, key, task: Task::Settle }, op, cx);
    }

    /// Gives up all that it said yes to for a coordinator, as a server that drops the prepared
    /// work of a session that ended.
    pub(super) fn disconnect(&mut self, coordinator: NodeId, cx: &mut Cx<'_>) {
        let of = |(txn, _): &&(TxnId, Name)| txn.coordinator == coordinator;
        let dropped: Vec<(TxnId, Name)> = self.doubts.keys().filter(of).cloned().collect();
        dropped.into_iter().for_each(|(txn, key)| self.settle_alone(txn, key, false, cx));
    }
}
