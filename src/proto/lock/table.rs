//! The lock table: who holds what, and who waits, as a function of the replicated log.
//!
//! The machine on the log owns one table per replica and hands it every lock operation in slot
//! order, so all replicas have the same table at the same slot. It reads no clock: a lease ends
//! when an `expire` is *in the log*, and the lock service of the leader decides when to put it
//! there. A renewal that the log orders before the `expire` wins.
//!
//! A lock can be held by several at once who agree to that ([`LockMode`]): by all who read, or by
//! as many as there are permits. The queue stays one, in the order of asking, and whoever is first
//! in it is granted the lock as soon as that goes with those who hold it. So a writer waits for
//! those who read already, and not for those who come later: these stand behind it. To prefer
//! readers would let them keep it out for ever; to prefer writers, the other way round. In this
//! order nobody starves, and ZooKeeper's recipe has the same.
//!
//! **Source.** Courtois, Heymans and Parnas, *Concurrent control with "readers" and "writers"*
//! (1971), prefer one side or the other; the fair order is folklore.

use crate::base::{
    CallId, LockMode, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, Slot, Span, Token,
};
use crate::event::{Deadlock, Fact, Freed};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, VecDeque};

/// What an operation led to: outcomes of its own call, and of calls that had been waiting.
pub type Answers = SmallVec<[(CallId, Outcome); 1]>;

/// All locks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Table {
    locks: BTreeMap<Name, Lock>,
    /// Whether it looks for deadlocks.
    detects: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Lock {
    /// The token of the last grant; 0 before the first.
    token: Token,
    /// Who holds it, in the order of grants.
    holders: Vec<Grant>,
    /// Who waits, first come first served. Empty if nobody holds the lock.
    queue: VecDeque<Waiter>,
    /// The newest acquire of each client, by its number: how a repetition is told from a new wish.
    asked: BTreeMap<NodeId, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Grant {
    call: CallId,
    token: Token,
    ttl: Span,
    slot: Slot,
    renewals: u32,
    mode: LockMode,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Waiter {
    call: CallId,
    ttl: Span,
    slot: Slot,
    mode: LockMode,
}

/// One operation on its way through the table.
struct Step<'a> {
    slot: Slot,
    name: &'a Name,
    mutations: Mutations,
    facts: &'a mut Vec<Fact>,
    answers: Answers,
}

impl Table {
    /// A table that looks for deadlocks, or leaves them to the end of leases.
    pub fn new(detects: bool) -> Table {
        Table { detects, ..Table::default() }
    }

    /// Whether the table is in charge of `op`.
    pub fn takes(op: &Op) -> bool {
        matches!(op, Op::Acquire { .. } | Op::Renew { .. } | Op::Release { .. } | Op::Expire { .. })
    }

    /// Takes in the entry of `slot` and says, in `facts`, what changed. Operations of others change
    /// nothing.
    ///
    /// The answers are for `call`, and for calls that waited and were granted by this one. There is
    /// none for an acquire that has to wait: it comes with a later slot. An acquire that is
    /// repeated keeps its place or hears of its grant; a newer one of the same client replaces one
    /// that still waits, which is refused.
    pub fn apply(
        &mut self,
        slot: Slot,
        call: CallId,
        op: &Op,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
    ) -> Answers {
        let (Op::Acquire { lock: name, .. }
        | Op::Renew { lock: name, .. }
        | Op::Release { lock: name, .. }
        | Op::Expire { lock: name, .. }) = op
        else {
            return Answers::new();
        };
        let mut step = Step { slot, name, mutations, facts, answers: Answers::new() };
        let lock = match self.locks.get_mut(name) {
            Some(lock) => lock,
            None if matches!(op, Op::Acquire { .. }) => self.locks.entry(name.clone()).or_default(),
            None => return smallvec![(call, Outcome::Refused(Refusal::NotHeld))],
        };
        match *op {
            Op::Acquire { ttl, mode, .. } => {
                lock.acquire(Waiter { call, ttl, slot, mode }, &mut step);
            }
            Op::Renew { token, .. } => lock.renew(call, token, &mut step),
            Op::Release { token, .. } => lock.release(call, token, &mut step),
            Op::Expire { token, renewals, .. } => lock.expire(call, token, renewals, &mut step),
            _ => {}
        }
        let mut answers = step.answers;
        let late = mutations.has(Mutation::DeadlockLate) && !matches!(op, Op::Acquire { .. });
        if self.detects && !late {
            self.break_circles(slot, mutations, facts, &mut answers);
        }
        answers
    }

    /// Refuses a call of each circle of clients that wait for each other: the one that lined up
    /// last.
    fn break_circles(
        &mut self,
        slot: Slot,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
        answers: &mut Answers,
    ) {
        while let Some(circle) = self.circle(mutations) {
            let lined_up = |(call, name): &&(CallId, Name)| {
                let queue = self.locks.get(name).map(|lock| &lock.queue);
                let waiter = queue.and_then(|queue| queue.iter().find(|w| w.call == *call));
                waiter.map(|waiter| waiter.slot)
            };
            let waiting = circle.iter().filter(|one| lined_up(one).is_some());
            let victim = match mutations.has(Mutation::DeadlockOldest) {
                true => waiting.min_by_key(lined_up),
                false => waiting.max_by_key(lined_up),
            };
            let Some((victim, name)) = victim.cloned() else { return };
            let circle = circle.into();
            facts.push(Fact::Deadlock(Deadlock { slot, circle, victim }));
            facts.push(Fact::Left { slot, lock: name.clone(), call: victim });
            answers.push((victim, Outcome::Refused(Refusal::Deadlock)));
            if let Some(lock) = self.locks.get_mut(&name) {
                lock.queue.retain(|waiter| waiter.call != victim);
                let mut step =
                    Step { slot, name: &name, mutations, facts, answers: Answers::new() };
                lock.serve(&mut step);
                answers.extend(step.answers);
            }
        }
    }

    /// All calls that wait.
    pub(super) fn waiters(&self) -> impl Iterator<Item = CallId> {
        self.locks.values().flat_map(|lock| lock.queue.iter().map(|waiter| waiter.call))
    }

    /// The locks that a client waits for: with its call, and all who hold them. Or has ever waited
    /// for, if that is said. Who waits for a permit waits for any holder, not for all of them, and
    /// is left out.
    pub(super) fn waits_of(
        &self,
        client: NodeId,
        ever: bool,
    ) -> impl Iterator<Item = (&Name, CallId, NodeId)> {
        self.locks.iter().flat_map(move |(name, lock)| {
            let waits = |w: &&Waiter| w.call.client == client && !w.mode.is_permit();
            let call = lock.queue.iter().find(waits).map(|waiter| waiter.call);
            lock.holders.iter().filter_map(move |held| {
                let holder = held.call.client;
                let once = lock.asked.get(&client).filter(|_| ever && holder != client);
                let once = once.map(|seq| CallId { client, seq: *seq });
                Some((name, call.or(once)?, holder))
            })
        })
    }

    /// Says, as facts, what the table is at `slot`: for a replica that starts.
    pub fn restate(&self, slot: Slot, facts: &mut Vec<Fact>) {
        for (name, lock) in &self.locks {
            let held = lock.holders.iter().map(|grant| (grant.token, grant.renewals)).collect();
            let token = lock.token;
            facts.push(Fact::LockIs { slot, lock: name.clone(), token, held });
            facts.extend(lock.holders.iter().map(|grant| grant.fact(name)));
            for (ahead, waiter) in lock.queue.iter().enumerate() {
                facts.push(waiter.fact(name, ahead));
            }
        }
    }

    /// Whose calls hold the lock, under which tokens.
    pub fn holders(&self, lock: &Name) -> impl Iterator<Item = (CallId, Token)> {
        let held = self.locks.get(lock).into_iter().flat_map(|lock| &lock.holders);
        held.map(|grant| (grant.call, grant.token))
    }

    /// Whose calls wait for the lock, in order.
    pub fn queue(&self, lock: &Name) -> impl Iterator<Item = CallId> {
        self.locks.get(lock).into_iter().flat_map(|lock| lock.queue.iter().map(|w| w.call))
    }
}

impl Lock {
    fn acquire(&mut self, wish: Waiter, step: &mut Step<'_>) {
        let call = wish.call;
        let newest = self.asked.entry(call.client).or_default();
        if call.seq <= *newest {
            if let Some(outcome) = self.repeated(call) {
                step.answers.push((call, outcome));
            }
            return;
        }
        *newest = call.seq;
        if let Some(old) = self.queue.iter().position(|w| w.call.client == call.client) {
            let old = self.queue.remove(old);
            if let Some(Waiter { call, .. }) = old {
                let (slot, lock) = (step.slot, step.name.clone());
                step.facts.push(Fact::Left { slot, lock, call });
                step.answers.push((call, Outcome::Refused(Refusal::NotHeld)));
            }
            self.serve(step);
        }
        if self.takes(&wish, step.mutations) || step.mutations.has(Mutation::LockShared) {
            self.grant(wish, step);
        } else {
            step.facts.push(wish.fact(step.name, self.queue.len()));
            self.queue.push_back(wish);
        }
    }

    /// Whether somebody new is granted the lock at once.
    fn takes(&self, wish: &Waiter, mutations: Mutations) -> bool {
        let barges = wish.mode == LockMode::Read && mutations.has(Mutation::SharedBarge);
        let first = self.holders.is_empty() || self.queue.is_empty() || barges;
        first && self.fits(wish.mode, mutations)
    }

    /// Whether it can be held beside those who hold it.
    fn fits(&self, mode: LockMode, mutations: Mutations) -> bool {
        let writes = mode == LockMode::Alone && mutations.has(Mutation::SharedWriter);
        let read = |held: &LockMode| writes && *held == LockMode::Read;
        let over = usize::from(mode.is_permit() && mutations.has(Mutation::SharedOver));
        let held = self.holders.iter().map(|grant| grant.mode).skip(over);
        mode.fits(held.filter(|held| !read(held)))
    }

    /// The answer to an acquire that was seen before; none while it waits.
    fn repeated(&self, call: CallId) -> Option<Outcome> {
        match self.holders.iter().find(|grant| grant.call == call) {
            Some(grant) => Some(Outcome::Granted { token: grant.token }),
            _ if self.queue.iter().any(|waiter| waiter.call == call) => None,
            _ => Some(Outcome::Refused(Refusal::NotHeld)),
        }
    }

    fn renew(&mut self, call: CallId, token: Token, step: &mut Step<'_>) {
        let blind = step.mutations.has(Mutation::LockBlindRenew);
        let own = |grant: &&mut Grant| blind || grant.is_of(call, token);
        let Some(grant) = self.holders.iter_mut().find(own) else {
            return step.answers.push((call, Outcome::Refused(Refusal::NotHeld)));
        };
        grant.renewals = grant.renewals.saturating_add(1);
        let (slot, lock, ttl, of) = (step.slot, step.name.clone(), grant.ttl, grant.token);
        step.facts.push(Fact::Renewed { slot, lock, token: of, ttl });
        step.answers.push((call, Outcome::Granted { token }));
    }

    fn release(&mut self, call: CallId, token: Token, step: &mut Step<'_>) {
        let blind = step.mutations.has(Mutation::LockBlindRelease);
        let own = |grant: &Grant| blind || grant.is_of(call, token);
        self.end(call, self.holders.iter().position(own), Freed::Released, step);
    }

    fn expire(&mut self, call: CallId, token: Token, renewals: u32, step: &mut Step<'_>) {
        let stale = step.mutations.has(Mutation::LockStaleExpiry);
        let over = |grant: &Grant| grant.token == token && (stale || grant.renewals <= renewals);
        self.end(call, self.holders.iter().position(over), Freed::Expired, step);
    }

    /// Takes the lock from the holder that is meant, if there is one.
    fn end(&mut self, call: CallId, which: Option<usize>, why: Freed, step: &mut Step<'_>) {
        let Some(which) = which else {
            return step.answers.push((call, Outcome::Refused(Refusal::NotHeld)));
        };
        step.answers.push((call, Outcome::Done));
        let Grant { token, .. } = self.holders.remove(which);
        let (slot, lock) = (step.slot, step.name.clone());
        step.facts.push(Fact::Freed { slot, lock, token, why });
        self.serve(step);
    }

    /// Gives the lock to those who are first in line, as long as they can hold it.
    fn serve(&mut self, step: &mut Step<'_>) {
        while let Some(next) = self.next(step.mutations) {
            let alone =
                next.mode == LockMode::Read && step.mutations.has(Mutation::SharedOneReader);
            self.grant(next, step);
            if alone {
                return;
            }
        }
    }

    /// Whoever is next in line and can hold the lock now.
    fn next(&mut self, mutations: Mutations) -> Option<Waiter> {
        if mutations.has(Mutation::LockForgetWaiters) {
            return None;
        }
        let at = match mutations.has(Mutation::LockUnfair) {
            true => self.queue.len().checked_sub(1)?,
            false => 0,
        };
        let mode = self.queue.get(at)?.mode;
        let all = mutations.has(Mutation::LockWakeAll);
        if all || self.fits(mode, mutations) { self.queue.remove(at) } else { None }
    }

    fn grant(&mut self, to: Waiter, step: &mut Step<'_>) {
        if self.token == 0 || !step.mutations.has(Mutation::LockRepeatToken) {
            // A slot may grant it to several.
            self.token = step.slot.max(self.token + 1);
        }
        let Waiter { call, ttl, mode, .. } = to;
        let grant = Grant { call, token: self.token, ttl, slot: step.slot, renewals: 0, mode };
        step.facts.push(grant.fact(step.name));
        step.answers.push((call, Outcome::Granted { token: self.token }));
        self.holders.push(grant);
    }
}

impl Grant {
    /// Whether this grant is what `call`'s client holds under `token`.
    fn is_of(&self, call: CallId, token: Token) -> bool {
        self.call.client == call.client && self.token == token
    }

    fn fact(&self, lock: &Name) -> Fact {
        let Grant { call, token, ttl, slot, mode, .. } = *self;
        Fact::Granted { slot, lock: lock.clone(), call, token, ttl, mode }
    }
}

impl Waiter {
    fn fact(&self, lock: &Name, ahead: usize) -> Fact {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        let Waiter { call, slot, mode, .. } = *self;
        Fact::Queued { slot, lock: lock.clone(), call, ahead, mode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table, its log position and everything it said.
    #[derive(Default)]
    struct Lab {
        table: Table,
        slot: Slot,
        facts: Vec<Fact>,
        mutations: Mutations,
    }

    fn call(client: u16, seq: u64) -> CallId {
        CallId { client: NodeId::client(client), seq }
    }

    fn lock() -> Name {
        "door".parse().unwrap()
    }

    fn granted(client: u16, seq: u64, token: Token) -> (CallId, Outcome) {
        (call(client, seq), Outcome::Granted { token })
    }

    fn refused(client: u16, seq: u64) -> (CallId, Outcome) {
        (call(client, seq), Outcome::Refused(Refusal::NotHeld))
    }

    fn held(lab: &Lab) -> Option<(CallId, Token)> {
        lab.table.holders(&lock()).next()
    }

    impl Lab {
        fn apply(&mut self, client: u16, seq: u64, op: &str) -> Vec<(CallId, Outcome)> {
            self.put(call(client, seq), &op.parse().unwrap())
        }

        fn expire(&mut self, token: Token, renewals: u32) -> Vec<(CallId, Outcome)> {
            let own = CallId { client: NodeId::node(1), seq: self.slot };
            self.put(own, &Op::Expire { lock: lock(), token, renewals })
        }

        fn put(&mut self, call: CallId, op: &Op) -> Vec<(CallId, Outcome)> {
            self.slot += 1;
            self.table.apply(self.slot, call, op, self.mutations, &mut self.facts).into_vec()
        }
    }

    #[test]
    fn who_waits_gets_the_lock_in_the_order_of_asking() {
        let mut lab = Lab::default();
        assert_eq!(lab.apply(1, 1, "acquire door 3s"), [granted(1, 1, 1)]);
        assert_eq!(lab.apply(2, 1, "acquire door 3s"), []);
        assert_eq!(lab.apply(3, 1, "acquire door 3s"), []);
        let released = lab.apply(1, 2, "release door 1");
        assert_eq!(released, [(call(1, 2), Outcome::Done), granted(2, 1, 4)]);
        assert_eq!(lab.table.queue(&lock()).collect::<Vec<_>>(), [call(3, 1)]);
        let expired = lab.expire(4, 0);
        assert_eq!(expired[1..], [granted(3, 1, 5)]);
    }

    #[test]
    fn a_repeated_acquire_keeps_its_place_and_hears_of_its_grant() {
        let mut lab = Lab::default();
        lab.apply(1, 1, "acquire door 3s");
        assert_eq!(lab.apply(1, 1, "acquire door 3s"), [granted(1, 1, 1)]);
        lab.apply(2, 1, "acquire door 3s");
        lab.apply(3, 1, "acquire door 3s");
        assert_eq!(lab.apply(2, 1, "acquire door 3s"), [], "still waiting, still second");
        lab.apply(1, 2, "release door 1");
        assert_eq!(held(&lab), Some((call(2, 1), 6)));
        assert_eq!(lab.apply(1, 1, "acquire door 3s"), [refused(1, 1)], "that grant is over");
    }

    #[test]
    fn a_newer_acquire_replaces_one_that_waits() {
        let mut lab = Lab::default();
        lab.apply(1, 1, "acquire door 3s");
        lab.apply(2, 1, "acquire door 3s");
        lab.apply(3, 1, "acquire door 3s");
        assert_eq!(lab.apply(2, 2, "acquire door 3s"), [refused(2, 1)]);
        let queue: Vec<_> = lab.table.queue(&lock()).collect();
        assert_eq!(queue, [call(3, 1), call(2, 2)]);
        assert_eq!(lab.apply(2, 1, "acquire door 3s"), [refused(2, 1)], "late repetition");
    }

    #[test]
    fn only_the_holder_can_release_and_renew() {
        let mut lab = Lab::default();
        lab.apply(1, 1, "acquire door 3s");
        assert_eq!(lab.apply(2, 1, "release door 1"), [refused(2, 1)]);
        assert_eq!(lab.apply(1, 2, "release door 7"), [refused(1, 2)]);
        assert_eq!(lab.apply(2, 2, "renew door 1"), [refused(2, 2)]);
        assert_eq!(lab.apply(1, 3, "renew door 1"), [granted(1, 3, 1)]);
        assert_eq!(lab.apply(1, 4, "renew roof 1"), [refused(1, 4)], "no such lock");
        assert_eq!(held(&lab), Some((call(1, 1), 1)));
    }

    #[test]
    fn a_renewal_that_the_log_orders_first_beats_the_expiry() {
        let mut lab = Lab::default();
        lab.apply(1, 1, "acquire door 3s");
        lab.apply(1, 2, "renew door 1");
        lab.expire(1, 0);
        assert_eq!(held(&lab), Some((call(1, 1), 1)));
        lab.expire(1, 1);
        assert_eq!(held(&lab), None);
    }

    #[test]
    fn a_restarted_replica_says_what_a_running_one_knows() {
        let mut lab = Lab::default();
        lab.apply(1, 1, "acquire door 3s");
        lab.apply(2, 1, "acquire door 2s");
        lab.apply(1, 2, "renew door 1");
        let mut facts = Vec::new();
        lab.table.restate(lab.slot, &mut facts);
        let lines: Vec<String> = facts.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "slot 3 has door at token 1, held under 1 and renewed 1 times",
                "slot 1 grants door to c1/1 token 1 for 3s",
                "slot 2 queues c2/1 for door behind 0",
            ]
        );
    }

    /// What one client does next, drawn by chance.
    #[derive(Clone, Debug)]
    enum Deed {
        Acquire { client: u16, mode: LockMode },
        Repeat { client: u16 },
        Renew { client: u16, back: u64 },
        Release { client: u16, back: u64 },
        Expire { back: u64, renewals: u32 },
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let mode = prop::sample::select(&[LockMode::Alone, LockMode::Read, LockMode::OneOf(2)]);
        prop_oneof![
            (1u16..5, mode).prop_map(|(client, mode)| Deed::Acquire { client, mode }),
            (1u16..5).prop_map(|client| Deed::Repeat { client }),
            (1u16..5, 0u64..2).prop_map(|(client, back)| Deed::Renew { client, back }),
            (1u16..5, 0u64..2).prop_map(|(client, back)| Deed::Release { client, back }),
            (0u64..2, 0u32..2).prop_map(|(back, renewals)| Deed::Expire { back, renewals }),
        ]
    }

    fn play(deeds: &[Deed], mutations: Mutations) -> Result<(), String> {
        let mut lab = Lab { mutations, ..Lab::default() };
        let mut seqs = [0u64; 5];
        let mut last = [(0u64, LockMode::Alone); 5];
        let mut tokens = vec![0];
        for deed in deeds {
            let token =
                |back: u64| tokens[tokens.len() - 1 - (back as usize).min(tokens.len() - 1)];
            let mut next = |client: u16| {
                seqs[client as usize] += 1;
                call(client, seqs[client as usize])
            };
            let (ttl, lock) = (Span::secs(3), lock());
            match *deed {
                Deed::Acquire { client, mode } => {
                    let call = next(client);
                    last[client as usize] = (call.seq, mode);
                    lab.put(call, &Op::Acquire { lock, ttl, mode })
                }
                Deed::Repeat { client } if last[client as usize].0 > 0 => {
                    let (seq, mode) = last[client as usize];
                    lab.put(call(client, seq), &Op::Acquire { lock, ttl, mode })
                }
                Deed::Repeat { .. } => Vec::new(),
                Deed::Renew { client, back } => {
                    let token = token(back);
                    lab.put(next(client), &Op::Renew { lock, token })
                }
                Deed::Release { client, back } => {
                    let token = token(back);
                    lab.put(next(client), &Op::Release { lock, token })
                }
                Deed::Expire { back, renewals } => lab.expire(token(back), renewals),
            };
            tokens.extend(lab.table.locks.get(&self::lock()).map(|lock| lock.token));
            tokens.dedup();
        }
        obeys(&lab.facts)
    }

    /// Nobody holds it beside whom it must not be held, tokens rise, grants are in the order of
    /// asking, and nobody waits who could have it: from facts alone.
    fn obeys(facts: &[Fact]) -> Result<(), String> {
        let (mut held, mut highest) = (BTreeMap::new(), 0);
        let mut queue: VecDeque<(CallId, LockMode)> = VecDeque::new();
        for fact in facts {
            match fact {
                Fact::Granted { call, token, mode, .. } => {
                    if !mode.fits(held.values().copied()) {
                        return Err(format!("{fact}, but it is held"));
                    }
                    if *token <= highest {
                        return Err(format!("{fact}, but token {highest} was granted"));
                    }
                    if queue.pop_front().is_some_and(|(first, _)| first != *call) {
                        return Err(format!("{fact} out of turn"));
                    }
                    held.insert(*token, *mode);
                    highest = *token;
                }
                Fact::Left { call, .. } => queue.retain(|(waiter, _)| waiter != call),
                Fact::Queued { call, ahead, mode, .. } => {
                    if queue.len() != *ahead as usize {
                        return Err(format!("{fact}, but {} wait", queue.len()));
                    }
                    queue.push_back((*call, *mode));
                }
                Fact::Freed { token, .. } if held.remove(token).is_none() => {
                    return Err(format!("{fact}, but it is not held so"));
                }
                _ => {}
            }
        }
        match queue.front().filter(|(_, mode)| mode.fits(held.values().copied())) {
            Some((call, _)) => Err(format!("{call} waits for what it could have")),
            None => Ok(()),
        }
    }

    proptest! {
        #[test]
        fn no_order_of_operations_breaks_the_rules(
            deeds in proptest::collection::vec(deed(), 1..80)
        ) {
            prop_assert_eq!(play(&deeds, Mutations::NONE), Ok(()));
        }
    }

    fn alone(client: u16) -> Deed {
        Deed::Acquire { client, mode: LockMode::Alone }
    }

    #[test]
    fn readers_share_a_lock_and_stand_behind_a_writer_that_waits() {
        let mut lab = Lab::default();
        assert_eq!(lab.apply(1, 1, "acquire door 3s read"), [granted(1, 1, 1)]);
        assert_eq!(lab.apply(2, 1, "acquire door 3s read"), [granted(2, 1, 2)]);
        assert_eq!(lab.apply(3, 1, "acquire door 3s"), [], "it waits for both");
        assert_eq!(lab.apply(4, 1, "acquire door 3s read"), [], "it came later");
        assert_eq!(lab.apply(2, 2, "release door 2"), [(call(2, 2), Outcome::Done)]);
        let last = lab.apply(1, 2, "release door 1");
        assert_eq!(last, [(call(1, 2), Outcome::Done), granted(3, 1, 6)]);
        lab.apply(5, 1, "acquire door 3s read");
        let both = lab.expire(6, 0);
        assert_eq!(both[1..], [granted(4, 1, 8), granted(5, 1, 9)], "each its own token");
        lab.apply(1, 3, "release door 8");
        lab.apply(6, 1, "acquire door 3s");
        lab.apply(4, 2, "release door 8");
        let next = lab.apply(5, 2, "release door 9");
        assert_eq!(next[1..], [granted(6, 1, 12)]);
    }

    #[test]
    fn a_reader_goes_on_when_the_writer_before_it_gives_up() {
        let mut lab = Lab::default();
        lab.apply(1, 1, "acquire door 3s read");
        lab.apply(2, 1, "acquire door 3s");
        lab.apply(3, 1, "acquire door 3s read");
        let answers = lab.apply(2, 2, "acquire door 3s read");
        assert_eq!(answers, [refused(2, 1), granted(3, 1, 4), granted(2, 2, 5)]);
    }

    #[test]
    fn a_semaphore_has_so_many_permits_and_counts_a_call_once() {
        let mut lab = Lab::default();
        assert_eq!(lab.apply(1, 1, "acquire door 3s of 2"), [granted(1, 1, 1)]);
        assert_eq!(lab.apply(1, 1, "acquire door 3s of 2"), [granted(1, 1, 1)], "again");
        assert_eq!(lab.apply(2, 1, "acquire door 3s of 2"), [granted(2, 1, 3)]);
        assert_eq!(lab.apply(3, 1, "acquire door 3s of 2"), []);
        let holders: Vec<_> = lab.table.holders(&lock()).collect();
        assert_eq!(holders, [(call(1, 1), 1), (call(2, 1), 3)]);
        assert_eq!(lab.expire(1, 0)[1..], [granted(3, 1, 5)]);
    }

    #[test]
    fn a_shared_lock_and_a_repeated_token_break_the_rules() {
        let deeds = [alone(1), Deed::Release { client: 1, back: 0 }, alone(2), alone(3)];
        assert_eq!(play(&deeds, Mutations::NONE), Ok(()));
        for mutation in [Mutation::LockShared, Mutation::LockRepeatToken] {
            assert!(play(&deeds, Mutations::NONE.with(mutation)).is_err(), "{mutation}");
        }
    }

    #[test]
    fn a_blind_release_frees_what_another_holds() {
        let mut lab =
            Lab { mutations: Mutations::NONE.with(Mutation::LockBlindRelease), ..Lab::default() };
        lab.apply(1, 1, "acquire door 3s");
        lab.apply(2, 1, "release door 9");
        assert_eq!(held(&lab), None);
    }
}
