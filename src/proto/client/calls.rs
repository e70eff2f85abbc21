//! Calls under way: whom to ask, when to ask again, and when to give up.

use super::leases::Leases;
use super::quests::Quests;
use super::recipe::Recipes;
use super::tx;
use super::writer::{SURVEY, Writer};
use super::{Client, Shares, Timer};
use crate::base::{CallId, Name, NodeId, Op, Outcome, Refusal, SessionOp, Span, Time};
use crate::event::Fact;
use crate::proto::{Context, server};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many times as often as anything else an acquire is asked for before it is given up.
pub(super) const PATIENCE: u32 = 8;

/// A call without an answer.
#[derive(Clone, Debug)]
struct Call {
    op: Arc<Op>,
    /// What is sent for it: a write by quorums has two rounds.
    sends: Arc<Op>,
    /// Whom it asked last.
    at: NodeId,
    retry: u32,
    /// When it asked first, by its own clock.
    since: Time,
    /// Why the node that was asked last turned it down, if it did.
    refused: Option<Refusal>,
    /// It went where a refusal pointed, and the time for this round is not up.
    redirected: bool,
    /// Some node was asked and may do it, now or later.
    doubt: bool,
}

/// A call that is over.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    /// Its number.
    pub(super) seq: u64,
    /// What was asked for.
    pub(super) op: Arc<Op>,
    /// When it was first asked for, by the client's own clock.
    pub(super) since: Time,
    /// What the client knows.
    pub(super) outcome: Outcome,
}

/// All calls under way.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    peers: Arc<[NodeId]>,
    timeout: Span,
    retries: u32,
    /// Which node is asked first: the one that answered last.
    favourite: usize,
    open: BTreeMap<u64, Call>,
    /// The newest version of each key that it was told, where reads may be stale.
    told: Option<BTreeMap<Name, u64>>,
    /// Beside whom locks can be held here.
    shares: Shares,
    /// Who takes locks, if they are keys.
    recipes: Option<Recipes>,
    /// Who takes locks, if they need nodes.
    quests: Option<Quests>,
    /// What ended without an answer that says so.
    over: Vec<Finished>,
    /// Where keys are kept by quorums.
    writer: Option<Writer>,
    /// The call that opened the latest transaction.
    latest: u64,
}

impl Calls {
    pub(super) fn new(
        peers: Arc<[NodeId]>,
        at: usize,
        timeout: Span,
        retries: u32,
        stale_reads: bool,
        shares: Shares,
    ) -> Calls {
        let (favourite, open) = (at % peers.len().max(1), BTreeMap::new());
        let told = stale_reads.then(BTreeMap::new);
        let (recipes, quests, over, writer) = (None, None, Vec::new(), None);
        Calls {
            peers,
            timeout,
            retries,
            favourite,
            open,
            told,
            shares,
            recipes,
            quests,
            over,
            writer,
            latest: 0,
        }
    }

    /// The same, where locks are keys, or need nodes.
    pub(super) fn with(self, recipes: Option<Recipes>, quests: Option<Quests>) -> Calls {
        Calls { recipes, quests, ..self }
    }

    /// The same, where keys are kept by quorums.
    pub(super) fn writing(self, writer: Option<Writer>) -> Calls {
        Calls { writer, ..self }
    }

    /// Has whoever takes locks that are keys see to something, if there is anybody.
    pub(super) fn recipes(
        &mut self,
        see: impl FnOnce(&mut Recipes) -> Option<Finished>,
    ) -> Option<Finished> {
        self.recipes.as_mut().and_then(see)
    }

    /// Asks for `op`, in several steps if it takes them.
    pub(super) fn begin(&mut self, id: CallId, op: Op, cx: &mut Context<'_, Client>) {
        let op = tx::stamp(&mut self.latest, id, op);
        if let Some(why) = self.shares.refuses(&op) {
            return self.refuse(id, op, why, cx);
        }
        if let Some(recipes) = self.recipes.as_mut().filter(|_| Recipes::takes(&op)) {
            return recipes.begin(id, op, cx);
        }
        match self.quests.take() {
            Some(mut quests) if Quests::takes(&op) => {
                quests.begin(id, op, self, cx);
                self.quests = Some(quests);
            }
            quests => {
                self.quests = quests;
                self.start(id, op, cx);
            }
        }
    }

    /// Refuses an operation without asking anybody.
    fn refuse(&mut self, id: CallId, op: Op, why: Refusal, cx: &mut Context<'_, Client>) {
        let (op, at, outcome) = (Arc::new(op), self.favourite(), Outcome::Refused(why));
        cx.emit(Fact::Invokes { call: id, op: op.clone(), at, retry: 0 });
        cx.emit(Fact::Returns { call: id, outcome: Box::new(outcome.clone()) });
        self.note(Some(Finished { seq: id.seq, op, since: cx.now(), outcome }));
    }

    /// It is time for a sign of life.
    pub(super) fn ping(&mut self, leases: &mut Leases, cx: &mut Context<'_, Client>) {
        if let Some(mut quests) = self.quests.take() {
            quests.ping(leases, self, cx);
            self.quests = Some(quests);
        }
    }

    /// What is over with the end of a call: it, or what it was a step of.
    pub(super) fn over(
        &mut self,
        finished: Finished,
        leases: &mut Leases,
        cx: &mut Context<'_, Client>,
    ) -> Vec<Finished> {
        match self.quests.take() {
            Some(mut quests) if quests.owns(finished.seq) => {
                let over = quests.finished(&finished, leases, self, cx);
                self.quests = Some(quests);
                over
            }
            quests => {
                self.quests = quests;
                vec![finished]
            }
        }
    }

    /// Takes note of what ended without an answer that says so.
    pub(super) fn note(&mut self, over: Option<Finished>) {
        self.over.extend(over);
    }

    /// What ended without an answer that says so, since the last time that this was asked.
    pub(super) fn noted(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.over)
    }

    /// How long a lock is granted for at a time, if not for as long as it was asked for.
    pub(super) fn ttl(&self) -> Option<Span> {
        self.quests.as_ref().and_then(Quests::ttl)
    }

    /// Whom it asks first.
    pub(super) fn favourite(&self) -> NodeId {
        self.peers.get(self.favourite).copied().unwrap_or_default()
    }

    /// Asks another node first from now on.
    pub(super) fn turn(&mut self) {
        self.favourite = (self.favourite + 1) % self.peers.len().max(1);
    }

    /// Waits for an answer no longer.
    pub(super) fn forget(&mut self, seq: u64, cx: &mut Context<'_, Client>) {
        if self.open.remove(&seq).is_some() {
            cx.cancel(Timer::Timeout(seq));
        }
    }

    /// Asks for `op` as it is. Without any node to ask, nothing will ever answer.
    pub(super) fn start(&mut self, id: CallId, op: Op, cx: &mut Context<'_, Client>) {
        let at = self.favourite();
        let op = Arc::new(op);
        let other = self.writer.as_mut().and_then(|writer| writer.begin(id, &op, cx));
        let sends = other.map_or_else(|| Arc::clone(&op), Arc::new);
        let call = Call {
            op,
            sends,
            at,
            retry: 0,
            since: cx.now(),
            refused: None,
            redirected: false,
            doubt: false,
        };
        self.ask(id, &call, cx);
        self.open.insert(id.seq, call);
    }

    /// How many are under way.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    fn ask(&self, id: CallId, call: &Call, cx: &mut Context<'_, Client>) {
        let Call { op, at, retry, .. } = call;
        if !call.is_step() {
            cx.emit(Fact::Invokes { call: id, op: op.clone(), at: *at, retry: *retry });
        }
        self.send(id, call, cx);
    }

    fn send(&self, id: CallId, call: &Call, cx: &mut Context<'_, Client>) {
        let seq = if call.is_survey() { id.seq | SURVEY } else { id.seq };
        let (number, op, retry) = (CallId { seq, ..id }, Arc::clone(&call.sends), call.retry);
        cx.send_other(call.at, server::Message::Request { call: number, op, retry });
        cx.set(Timer::Timeout(id.seq), self.timeout);
    }

    /// A node answered. Some, if that ends the call.
    pub(super) fn answered(
        &mut self,
        from: NodeId,
        id: CallId,
        outcome: Outcome,
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let survey = id.seq & SURVEY != 0;
        let id = CallId { seq: id.seq & !SURVEY, ..id };
        let call = self.open.get_mut(&id.seq).filter(|call| call.is_survey() == survey)?;
        if let (Some(writer), Outcome::Found { versions }) = (&mut self.writer, &outcome)
            && let Op::Get { key } | Op::Put { key, .. } | Op::Delete { key } = &*call.op
        {
            writer.told(key, versions);
            if survey {
                return self.write(id, from, cx);
            }
        }
        if self.told.as_mut().is_some_and(|told| !is_news(told, &call.op, &outcome)) {
            // Another node may know more.
            return None;
        }
        match &outcome {
            Outcome::Refused(why) if !call.is_final(why) => {
                if call.at == from {
                    call.refused = Some(why.clone());
                }
                if let Refusal::NotHere { try_node: Some(hint) } = *why
                    && self.peers.contains(&hint)
                {
                    self.redirect(id, from, hint, cx);
                }
                None
            }
            // The log may have forgotten this call, and will not have forgotten another.
            Outcome::Unknown if call.is_idempotent() => self.end(id.seq, outcome, cx),
            Outcome::Unknown => {
                call.doubt |= call.has_effect();
                None
            }
            _ => {
                if let Some(at) = self.peers.iter().position(|peer| *peer == from) {
                    self.favourite = at;
                }
                self.end(id.seq, outcome, cx)
            }
        }
    }

    /// Goes on with the second round of a write, at the node that answered the first.
    fn write(&mut self, id: CallId, at: NodeId, cx: &mut Context<'_, Client>) -> Option<Finished> {
        let call = self.open.get_mut(&id.seq)?;
        call.sends = Arc::new(self.writer.as_mut()?.write(id, &call.op, cx)?);
        (call.at, call.refused) = (at, None);
        let call = call.clone();
        self.send(id, &call, cx);
        None
    }

    /// Goes at once to the node that another points to; once a round, so that two nodes that point
    /// to each other do not use up all retries.
    fn redirect(&mut self, id: CallId, from: NodeId, hint: NodeId, cx: &mut Context<'_, Client>) {
        let Some(call) = self.open.get_mut(&id.seq) else { return };
        let limit = call.limit(self.retries);
        if call.at != from || hint == from || call.redirected || call.retry >= limit {
            return;
        }
        (call.at, call.refused, call.redirected) = (hint, None, true);
        call.retry += 1;
        let call = call.clone();
        self.ask(id, &call, cx);
    }

    /// A round is over without an answer. Some, if that was the last.
    pub(super) fn timed_out(&mut self, seq: u64, cx: &mut Context<'_, Client>) -> Option<Finished> {
        let call = self.open.get_mut(&seq)?;
        call.doubt |= call.refused.is_none() && call.has_effect();
        if call.retry >= call.limit(self.retries) {
            let outcome = match call.refused.take() {
                Some(why) if !call.doubt => Outcome::Refused(why),
                _ => Outcome::Unknown,
            };
            return self.end(seq, outcome, cx);
        }
        // A transfer that may be under way is known to its coordinator only.
        let stays = call.doubt && is_transaction(&call.op);
        if call.is_watch() {
            // Where the signs of life go, if they are answered.
            call.at = self.peers.get(self.favourite).copied().unwrap_or_default();
        } else if !stays && !self.peers.is_empty() {
            let here = self.peers.iter().position(|peer| *peer == call.at).unwrap_or(0);
            let next = (here + 1) % self.peers.len();
            call.at = self.peers[next];
            if here == self.favourite {
                self.favourite = next;
            }
        }
        (call.refused, call.redirected) = (None, false);
        call.retry = call.retry.saturating_add(1);
        let call = call.clone();
        self.ask(CallId { client: cx.me(), seq }, &call, cx);
        None
    }

    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        self.quests.iter().for_each(|quests| quests.restate(cx));
        let whole = self.open.iter().filter(|(_, call)| !call.is_step());
        for (seq, Call { op, at, retry, .. }) in whole {
            let call = CallId { client: cx.me(), seq: *seq };
            cx.emit(Fact::Invokes { call, op: op.clone(), at: *at, retry: *retry });
        }
        self.recipes.iter().for_each(|recipes| recipes.restate(cx));
    }

    fn end(
        &mut self,
        seq: u64,
        outcome: Outcome,
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let call = self.open.remove(&seq)?;
        cx.cancel(Timer::Timeout(seq));
        if !call.is_step() {
            let call = CallId { client: cx.me(), seq };
            cx.emit(Fact::Returns { call, outcome: Box::new(outcome.clone()) });
        }
        let Call { op, since, .. } = call;
        Some(Finished { seq, op, since, outcome })
    }
}

fn is_transaction(op: &Op) -> bool {
    matches!(op, Op::Transfer(_) | Op::Move { .. })
}

/// Whether an answer is no older than what was told of the same key before; if so, notes it.
fn is_news(told: &mut BTreeMap<Name, u64>, op: &Op, outcome: &Outcome) -> bool {
    let (Op::Get { key } | Op::Put { key, .. } | Op::Add { key, .. }) = op else { return true };
    let (Outcome::Value { version, .. } | Outcome::Written { version, .. }) = outcome else {
        return true;
    };
    let known = told.entry(key.clone()).or_default();
    let news = version >= known;
    *known = (*known).max(*version);
    news
}

impl Call {
    fn has_effect(&self) -> bool {
        !matches!(*self.op, Op::Get { .. } | Op::Request { .. }) && !self.is_survey()
    }

    /// Whether this is the first round of a write.
    fn is_survey(&self) -> bool {
        matches!(*self.sends, Op::Survey { .. })
    }

    /// How often it is asked again, if others are so often.
    fn limit(&self, retries: u32) -> u32 {
        match &*self.op {
            Op::Acquire { .. } => retries.saturating_mul(PATIENCE),
            // What became of these is found out in other ways.
            Op::Session(
                SessionOp::Open { .. }
                | SessionOp::Create { .. }
                | SessionOp::Register { .. }
                | SessionOp::Lock { .. },
            ) => 0,
            Op::Session(_) => u32::MAX,
            _ => retries,
        }
    }

    /// Whether it is a part of what was asked for, rather than the whole.
    fn is_step(&self) -> bool {
        matches!(*self.op, Op::Session(_))
    }

    fn is_idempotent(&self) -> bool {
        matches!(&*self.op, Op::Session(op) if op.is_idempotent())
    }

    fn is_watch(&self) -> bool {
        matches!(*self.op, Op::Session(SessionOp::Watch { .. }))
    }

    /// Whether a refusal ends the call. One that speaks for the node that was asked, rather than
    /// for the call, does not if another node may still be doing it.
    fn is_final(&self, why: &Refusal) -> bool {
        match why {
            Refusal::NotHeld
            | Refusal::StaleToken { .. }
            | Refusal::Expired
            | Refusal::Critical
            | Refusal::Deadlock
            | Refusal::Compacted
            | Refusal::NoFile
            | Refusal::Overtaken
            | Refusal::NotShared
            | Refusal::NoReaders
            | Refusal::NoPermits
            | Refusal::OnlyClients => true,
            Refusal::Funds if is_transaction(&self.op) => true,
            Refusal::NotHere { .. } => false,
            Refusal::NoService | Refusal::Locked | Refusal::Funds | Refusal::Unavailable => {
                !self.doubt
            }
            Refusal::NotByThisLog
            | Refusal::NoSuchNode { .. }
            | Refusal::NoVoter
            | Refusal::OneAtATime
            | Refusal::Behind
            | Refusal::NotPrepared
            | Refusal::Taken
            | Refusal::Forgotten
            | Refusal::Overloaded => !self.doubt,
        }
    }
}
