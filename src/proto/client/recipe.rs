//! How a client takes a lock that is a key on one instance, or on several independent ones.
//!
//! An attempt asks all instances at once, with a value drawn for this attempt, and waits a short
//! while. It is good if a quorum says yes (of one instance, that one; of independent ones, more
//! than half) and some of the lease is left: what the attempt took, and what clocks may differ by,
//! is not the client's. Otherwise the client deletes what it may have set, everywhere, and tries
//! again a little later, by chance so that two who got in each other's way do not do so again.
//!
//! A value is never used for two attempts: a delete that is late must not hit the next key.

use super::calls::{Finished, PATIENCE};
use super::leases::Margin;
use super::{Client, Timer};
use crate::base::{
    CallId, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, Span, Time, Token, majority,
};
use crate::event::Fact;
use crate::proto::Context;
use crate::proto::redis::{Answer, Message};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values are drawn from so many.
const VALUES: u64 = 1 << 32;
/// What is given up of each lease besides a share of it, since clocks have ticks.
const TICKS: Span = Span::millis(2);
/// What everybody writes who does not draw a value.
const CONSTANT: u64 = 1;
/// How a client takes locks.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The nodes that keep locks as keys.
    pub instances: Arc<[NodeId]>,
    /// Whether each is to be asked, and more than half have to say yes.
    pub independent: bool,
    /// How many percent of each lease are given up for clocks that run at other rates.
    pub drift: u8,
    /// How long it waits for answers in one attempt.
    pub attempt: Span,
    /// How long it waits between two attempts: from half of this to one and a half.
    pub retry: Span,
}

impl Recipe {
    /// What is given up of each lease.
    pub(super) fn margin(&self) -> Margin {
        Margin { percent: self.drift, ticks: TICKS }
    }

    fn quorum(&self) -> usize {
        if self.independent { majority(self.instances.len()) } else { 1 }
    }
}

/// What a key was set to, which who holds it must know.
#[derive(Clone, Debug)]
struct Grant {
    token: Token,
    value: u64,
    ttl: Span,
}

/// A call under way: its attempt at hand, or the time until the next.
#[derive(Clone, Debug)]
struct Attempt {
    op: Arc<Op>,
    /// The name of the lock's key.
    key: Name,
    retry: u32,
    /// When this attempt began, by the client's own clock.
    since: Time,
    value: u64,
    ttl: Span,
    answers: BTreeMap<NodeId, Answer>,
    /// Whether it waits for its next attempt.
    rests: bool,
    /// Whether some instance has not answered.
    doubt: bool,
}

/// All calls about locks under way.
#[derive(Clone, Debug)]
pub(super) struct Recipes {
    recipe: Recipe,
    retries: u32,
    mutations: Mutations,
    /// Which instance it takes for the primary, where there is one.
    primary: usize,
    open: BTreeMap<u64, Attempt>,
    /// The last grant of each lock.
    granted: BTreeMap<Name, Grant>,
}

/// The lock that an operation is about, if instances are in charge of it.
fn lock_of(op: &Op) -> Option<&Name> {
    match op {
        Op::Acquire { lock, .. } | Op::Renew { lock, .. } | Op::Release { lock, .. } => Some(lock),
        _ => None,
    }
}

impl Recipes {
    pub(super) fn new(recipe: Recipe, retries: u32, mutations: Mutations) -> Recipes {
        let (open, granted) = (BTreeMap::new(), BTreeMap::new());
        Recipes { recipe, retries, mutations, primary: 0, open, granted }
    }

    /// Whether an operation is for instances to do.
    pub(super) fn takes(op: &Op) -> bool {
        lock_of(op).is_some()
    }

    pub(super) fn begin(&mut self, id: CallId, op: Op, cx: &mut Context<'_, Client>) {
        let Some(lock) = lock_of(&op) else { return };
        let (value, ttl) = match &op {
            Op::Acquire { ttl, .. } => (0, *ttl),
            Op::Renew { token, .. } | Op::Release { token, .. } => {
                let known = self.granted.get(lock).filter(|grant| grant.token == *token);
                known.map_or((*token, Span::ZERO), |grant| (grant.value, grant.ttl))
            }
            _ => return,
        };
        let key = self.key(lock, cx.me());
        let attempt = Attempt {
            op: Arc::new(op),
            key,
            retry: 0,
            since: cx.now(),
            value,
            ttl,
            answers: BTreeMap::new(),
            rests: false,
            doubt: false,
        };
        self.open.insert(id.seq, attempt);
        self.attempt(id, cx);
    }

    /// Who is asked.
    fn targets(&self) -> Vec<NodeId> {
        match self.recipe.independent {
            true => self.recipe.instances.to_vec(),
            false => self.recipe.instances.get(self.primary).copied().into_iter().collect(),
        }
    }

    /// Asks every instance that is to be asked.
    fn attempt(&mut self, id: CallId, cx: &mut Context<'_, Client>) {
        let targets = self.targets();
        let Some(attempt) = self.open.get_mut(&id.seq) else { return };
        attempt.answers.clear();
        (attempt.since, attempt.rests) = (cx.now(), false);
        if let Op::Acquire { .. } = *attempt.op {
            attempt.value = match self.mutations.has(Mutation::RedisConstantValue) {
                true => CONSTANT,
                false => 1 + cx.rng().below(VALUES),
            };
        }
        let (op, retry) = (attempt.op.clone(), attempt.retry);
        let at = targets.first().copied().unwrap_or_default();
        cx.emit(Fact::Invokes { call: id, op, at, retry });
        let message = message(id, attempt, self.mutations);
        targets.into_iter().for_each(|to| cx.send_other(to, message.clone()));
        cx.set(Timer::Attempt(id.seq), self.recipe.attempt);
    }

    /// An instance answered. Some, if that ends the call.
    pub(super) fn answered(
        &mut self,
        from: NodeId,
        id: CallId,
        (value, answer): (u64, Answer),
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let all = self.targets().len();
        let attempt = self.open.get_mut(&id.seq).filter(|open| !open.rests)?;
        if attempt.value != value {
            return None;
        }
        if let Answer::Moved { to } = answer {
            attempt.answers.insert(from, Answer::No);
            return if self.moved(from, to) { self.fails(id, None, cx) } else { None };
        }
        attempt.answers.entry(from).or_insert(answer);
        let yes = |answer: &&Answer| matches!(answer, Answer::Yes { .. });
        let good = attempt.answers.values().filter(yes).count();
        let bad = attempt.answers.len() - good;
        let minority = usize::from(self.mutations.has(Mutation::RedlockMinority));
        let quorum = (self.recipe.quorum() - minority).max(1);
        match (good >= quorum, bad + quorum > all) {
            (true, _) => self.succeeds(id, cx),
            (false, true) => self.fails(id, Some(Refusal::NotHeld), cx),
            (false, false) => None,
        }
    }

    /// Another instance is the primary: it is asked in the next attempt. Returns whether that is
    /// news.
    fn moved(&mut self, from: NodeId, to: NodeId) -> bool {
        let place = |node| self.recipe.instances.iter().position(|instance| *instance == node);
        let (Some(at), true) = (place(to), place(from) == Some(self.primary)) else {
            return false;
        };
        self.primary = at;
        true
    }

    fn succeeds(&mut self, id: CallId, cx: &mut Context<'_, Client>) -> Option<Finished> {
        let attempt = self.open.get(&id.seq)?;
        let Attempt { value, ttl, since, .. } = *attempt;
        let tokens = attempt.answers.values().filter_map(|answer| match answer {
            Answer::Yes { token } => Some(*token),
            _ => None,
        });
        let token = tokens.max().unwrap_or(value);
        let late = self.mutations.has(Mutation::LockLateLease);
        let over = self.recipe.margin().end_of(since, ttl) <= cx.now() && !late;
        match &*attempt.op {
            Op::Acquire { .. } | Op::Renew { .. } if over => self.fails(id, None, cx),
            Op::Acquire { lock, .. } => {
                self.granted.insert(lock.clone(), Grant { token, value, ttl });
                if self.mutations.has(Mutation::RedisExpireLater) {
                    let lock = attempt.key.clone();
                    let expire = Message::Extend { call: id, lock, value, ttl };
                    self.targets().into_iter().for_each(|to| cx.send_other(to, expire.clone()));
                }
                self.end(id, Outcome::Granted { token }, cx)
            }
            Op::Renew { token, .. } => {
                let token = *token;
                self.end(id, Outcome::Granted { token }, cx)
            }
            _ => self.end(id, Outcome::Done, cx),
        }
    }

    /// An attempt is over and no good, for this reason if instances gave one.
    fn fails(
        &mut self,
        id: CallId,
        why: Option<Refusal>,
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let targets = self.targets();
        let attempt = self.open.get_mut(&id.seq)?;
        attempt.doubt |= attempt.answers.len() < targets.len();
        let acquires = matches!(*attempt.op, Op::Acquire { .. });
        if acquires {
            let (lock, value) = (attempt.key.clone(), attempt.value);
            let delete = Message::Delete { call: id, lock, value };
            // One instance that said no has set nothing.
            let may = |to: &NodeId| {
                self.recipe.independent || attempt.answers.get(to) != Some(&Answer::No)
            };
            targets.into_iter().filter(may).for_each(|to| cx.send_other(to, delete.clone()));
        } else if let Some(why) = why {
            return self.end(id, Outcome::Refused(why), cx);
        }
        let most = self.retries.saturating_mul(if acquires { PATIENCE } else { 1 });
        if attempt.retry >= most {
            let taken = acquires && !attempt.doubt;
            let refused = Outcome::Refused(Refusal::Taken);
            return self.end(id, if taken { refused } else { Outcome::Unknown }, cx);
        }
        attempt.rests = true;
        let Span(retry) = self.recipe.retry;
        let rest = cx.rng().span(Span(retry / 2), Span(retry + retry / 2));
        cx.set(Timer::Attempt(id.seq), rest);
        None
    }

    /// The time of an attempt, or of a rest, is over. Some, if that ends the call.
    pub(super) fn time_is_up(
        &mut self,
        seq: u64,
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let id = CallId { client: cx.me(), seq };
        let attempt = self.open.get_mut(&seq)?;
        match attempt.rests {
            true => {
                attempt.retry += 1;
                self.attempt(id, cx);
                None
            }
            false => {
                self.primary = (self.primary + 1) % self.recipe.instances.len().max(1);
                self.fails(id, None, cx)
            }
        }
    }

    fn end(
        &mut self,
        id: CallId,
        outcome: Outcome,
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let Attempt { op, since, .. } = self.open.remove(&id.seq)?;
        cx.cancel(Timer::Attempt(id.seq));
        cx.emit(Fact::Returns { call: id, outcome: Box::new(outcome.clone()) });
        Some(Finished { seq: id.seq, op, since, outcome })
    }

    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        for (seq, Attempt { op, retry, .. }) in &self.open {
            let call = CallId { client: cx.me(), seq: *seq };
            let at = self.targets().first().copied().unwrap_or_default();
            cx.emit(Fact::Invokes { call, op: op.clone(), at, retry: *retry });
        }
    }

    /// The name of a lock's key: that of the lock, or, as a bug, one of the client's own.
    fn key(&self, lock: &Name, me: NodeId) -> Name {
        match self.mutations.has(Mutation::RedisOwnKey) {
            true => format!("{lock}:{me}").parse().unwrap_or_else(|_| lock.clone()),
            false => lock.clone(),
        }
    }
}

/// What an attempt asks of an instance.
fn message(call: CallId, attempt: &Attempt, mutations: Mutations) -> Message {
    let (value, ttl, lock) = (attempt.value, attempt.ttl, attempt.key.clone());
    let later = mutations.has(Mutation::RedisExpireLater);
    match *attempt.op {
        Op::Renew { .. } => Message::Extend { call, lock, value, ttl },
        Op::Acquire { .. } if later => Message::Set { call, lock, value, ttl: Span::ZERO },
        Op::Acquire { .. } => Message::Set { call, lock, value, ttl },
        _ => Message::Delete { call, lock, value },
    }
}
