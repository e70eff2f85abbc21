//! Calls under way: whom to ask, when to ask again, and when to give up.

use super::recipe::Recipes;
use super::{Client, Timer};
use crate::base::{CallId, Name, NodeId, Op, Outcome, Refusal, Span, Time};
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
    /// Who takes locks, if they are keys.
    recipes: Option<Recipes>,
}

impl Calls {
    pub(super) fn new(
        peers: Arc<[NodeId]>,
        at: usize,
        timeout: Span,
        retries: u32,
        stale_reads: bool,
    ) -> Calls {
        let (favourite, open) = (at % peers.len().max(1), BTreeMap::new());
        let told = stale_reads.then(BTreeMap::new);
        Calls { peers, timeout, retries, favourite, open, told, recipes: None }
    }

    /// The same, where locks are keys.
    pub(super) fn with(self, recipes: Option<Recipes>) -> Calls {
        Calls { recipes, ..self }
    }

    /// Has whoever takes locks that are keys see to something, if there is anybody.
    pub(super) fn recipes(
        &mut self,
        see: impl FnOnce(&mut Recipes) -> Option<Finished>,
    ) -> Option<Finished> {
        self.recipes.as_mut().and_then(see)
    }

    /// Asks for `op`. Without any node to ask, nothing will ever answer.
    pub(super) fn begin(&mut self, id: CallId, op: Op, cx: &mut Context<'_, Client>) {
        if let Some(recipes) = self.recipes.as_mut().filter(|_| Recipes::takes(&op)) {
            return recipes.begin(id, op, cx);
        }
        let at = self.peers.get(self.favourite).copied().unwrap_or_default();
        let call = Call {
            op: Arc::new(op),
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

    fn ask(&self, id: CallId, call: &Call, cx: &mut Context<'_, Client>) {
        let Call { op, at, retry, .. } = call;
        cx.emit(Fact::Invokes { call: id, op: op.clone(), at: *at, retry: *retry });
        let request = server::Message::Request { call: id, op: op.clone(), retry: *retry };
        cx.send_other(*at, request);
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
        let call = self.open.get_mut(&id.seq)?;
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

    /// Goes at once to the node that another points to; once a round, so that two nodes that point
    /// to each other do not use up all retries.
    fn redirect(&mut self, id: CallId, from: NodeId, hint: NodeId, cx: &mut Context<'_, Client>) {
        let Some(call) = self.open.get_mut(&id.seq) else { return };
        let limit = self.retries.saturating_mul(call.patience());
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
        if call.retry >= self.retries.saturating_mul(call.patience()) {
            let outcome = match call.refused.take() {
                Some(why) if !call.doubt => Outcome::Refused(why),
                _ => Outcome::Unknown,
            };
            return self.end(seq, outcome, cx);
        }
        // A transfer that may be under way is known to its coordinator only.
        let stays = call.doubt && is_transaction(&call.op);
        if !stays && !self.peers.is_empty() {
            let here = self.peers.iter().position(|peer| *peer == call.at).unwrap_or(0);
            let next = (here + 1) % self.peers.len();
            call.at = self.peers[next];
            if here == self.favourite {
                self.favourite = next;
            }
        }
        (call.refused, call.redirected) = (None, false);
        call.retry += 1;
        let call = call.clone();
        self.ask(CallId { client: cx.me(), seq }, &call, cx);
        None
    }

    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        for (seq, Call { op, at, retry, .. }) in &self.open {
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
        let Call { op, since, .. } = self.open.remove(&seq)?;
        cx.cancel(Timer::Timeout(seq));
        let call = CallId { client: cx.me(), seq };
        cx.emit(Fact::Returns { call, outcome: Box::new(outcome.clone()) });
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
        !matches!(*self.op, Op::Get { .. })
    }

    fn patience(&self) -> u32 {
        if matches!(*self.op, Op::Acquire { .. }) { PATIENCE } else { 1 }
    }

    /// Whether a refusal ends the call. One that speaks for the node that was asked, rather than
    /// for the call, does not if another node may still be doing it.
    fn is_final(&self, why: &Refusal) -> bool {
        match why {
            Refusal::NotHeld | Refusal::StaleToken { .. } => true,
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
            | Refusal::Taken => !self.doubt,
        }
    }
}
