//! Locks as keys that expire, on instances like Redis: one, or several that know nothing of each
//! other.
//!
//! **What it guarantees.** An instance sets a key only if it is absent, together with the time
//! after which it is gone, in one step; it deletes or extends a key only for who knows its value,
//! in one step. So on one instance that loses nothing, a lock has one holder at a time. With
//! `redlock`, who has the key on a majority of independent instances, and sooner than it expires on
//! the first, has the lock: two majorities share an instance. That rests on assumptions that no
//! message can check. Clocks run at nearly the same rate and do not jump; an instance that restarts
//! has its keys (`fsync = "always"`), or stays silent until every key that it may have forgotten is
//! over (`restart_delay`). A client that sleeps for longer than its key lasts writes late all the
//! same.
//!
//! **Roles.** An instance waits for clients and answers. All the rest is the client's
//! (`client::recipe`): the value, the counting of answers, how long a grant is good for, and to try
//! again later. Nobody waits in a queue, so nobody is promised a turn.
//!
//! ```text
//!  c1            n1          n2          n3
//!  │─Set v PX 2s─>│──────────>│──────────>×     of three, two say yes: c1 has the lock for
//!  │<────yes──────│           │           │     2s − what that took − what clocks may differ by
//!  │<────yes──────────────────│           │
//!  │ …            │           │           │
//!  │─Delete v────>│──────────>│──────────>×     only if the value is still v
//! ```
//!
//! **Tokens.** A value drawn by chance says whose a key is, but not which of two came later, so a
//! resource that is shown one has nothing to compare. One instance can count grants in the same
//! step (`fencing`), and the count fences as long as the instance does not forget it. Several
//! cannot: each counts its own.
//!
//! **Sources.** The Redis documentation, *Distributed locks with Redis* and the pages on SET and
//! SETNX; Kleppmann, *How to do distributed locking*, and Sanfilippo, *Is Redlock safe?* (both
//! 2016).
//!
//! **What is left out.** A log that is synced once a second, keys that are anything but locks, and
//! reading a key.

use super::{Context, Protocol, client};
use crate::base::{CallId, Mutation, Mutations, Name, NodeId, ServiceId, Span, Time};
use crate::event::{Fact, Freed, KeyDeed};
use keys::Keys;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

mod keys;

pub use keys::{Key, Record};

/// How often an instance that goes by the wall clock looks at it.
const WALL_STEP: Span = Span::millis(20);
/// A second by the clock, for a release that goes by it.
const SECOND: u64 = 1_000_000;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The nodes that keep keys. The others say where they are.
    pub instances: Arc<[NodeId]>,
    /// Whether each of them is a primary of its own; otherwise the first is.
    pub independent: bool,
    /// Whether a key is on the disk before anybody hears of it.
    pub fsync: bool,
    /// How long it is silent after a restart.
    pub restart_delay: Span,
    /// Whether it counts grants.
    pub counts: bool,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// What a client sends to an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Set the lock's key if it is absent.
    Set {
        /// For which acquire.
        call: CallId,
        /// The lock.
        lock: Name,
        /// The value that is to name the owner.
        value: u64,
        /// After how long the key is gone; zero is never.
        ttl: Span,
    },
    /// Have the key last for `ttl` from now, if it has this value.
    Extend {
        /// For which renewal.
        call: CallId,
        /// The lock.
        lock: Name,
        /// The value that it must have.
        value: u64,
        /// For how long.
        ttl: Span,
    },
    /// Delete the key if it has this value.
    Delete {
        /// For which release, or which attempt that failed.
        call: CallId,
        /// The lock.
        lock: Name,
        /// The value that it must have.
        value: u64,
    },
}

/// What an instance answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It did so; a set key is under this token.
    Yes {
        /// What resources are to be shown.
        token: u64,
    },
    /// The key is there, or has another value, or is gone.
    No,
    /// Another instance is to be asked.
    Moved {
        /// The primary.
        to: NodeId,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Set { call, lock, value, ttl: Span::ZERO } => {
                write!(f, "Set {call} {lock} {value} NX")
            }
            Message::Set { call, lock, value, ttl } => {
                write!(f, "Set {call} {lock} {value} NX PX {ttl}")
            }
            Message::Extend { call, lock, value, ttl } => {
                write!(f, "Extend {call} {lock} {value} PX {ttl}")
            }
            Message::Delete { call, lock, value } => write!(f, "Delete {call} {lock} {value}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Yes { token } => write!(f, "yes token {token}"),
            Answer::No => f.write_str("no"),
            Answer::Moved { to } => write!(f, "moved to {to}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The key with this number (of this node's own) is over.
    Expire(u32),
    /// It has been silent for long enough after its restart.
    Rejoin,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Redis {
    config: Config,
    me: NodeId,
    /// Until when it has to be silent after a restart.
    silent: Option<Time>,
    keys: Keys,
}

impl Protocol for Redis {
    const ID: ServiceId = ServiceId::Redis;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let delay = config.restart_delay;
        let silent = (cx.boot() > 1 && delay > Span::ZERO).then(|| cx.now() + delay);
        if silent.is_some() {
            cx.set(Timer::Rejoin, delay);
        }
        let on_wall = config.mutations.has(Mutation::LockLeaseWall);
        let keys = Keys::load(disk, config.counts, if on_wall { cx.wall() } else { cx.now() });
        let redis = Redis { config, me: cx.me(), silent, keys };
        let numbers: Vec<(u32, Span)> =
            redis.keys.all().map(|(_, entry)| (entry.number, entry.key.ttl)).collect();
        numbers.into_iter().for_each(|(number, ttl)| redis.arm(number, ttl, cx));
        redis
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if self.silent.is_some() {
            return;
        }
        let (Message::Set { call, value, .. }
        | Message::Extend { call, value, .. }
        | Message::Delete { call, value, .. }) = message;
        let answer = self.answer(message, cx);
        cx.send_other(from, client::Message::Instance { call, value, answer });
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Rejoin => match self.silent.filter(|until| *until > cx.now()) {
                Some(until) => cx.set(Timer::Rejoin, until.since(cx.now())),
                None => {
                    self.silent = None;
                    self.restate(cx);
                }
            },
            Timer::Expire(number) => {
                let now = self.clock(cx);
                let Some((lock, entry)) = self.keys.numbered(number) else { return };
                let (lock, left) = (lock.clone(), entry.until.since(now));
                if left > Span::ZERO {
                    return self.arm(number, left, cx);
                }
                self.purge(&lock, cx);
            }
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Expire(_) => "expire",
            Timer::Rejoin => "rejoin",
        }
    }

    fn timer_is_watched(timer: Timer) -> bool {
        timer == Timer::Rejoin
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        if self.silent.is_some() {
            return;
        }
        cx.emit(Fact::Primary { epoch: 0, node: self.primary() });
        let now = self.clock(cx);
        for (lock, entry) in self.keys.all() {
            let Key { call, token, ttl, .. } = entry.key;
            let left = if ttl == Span::ZERO { ttl } else { entry.until.since(now) };
            let deed = KeyDeed::Has { call, token, ttl, left };
            cx.emit(Fact::Key { lock: lock.clone(), deed });
        }
    }
}

impl Redis {
    fn primary(&self) -> NodeId {
        match self.config.independent {
            true => self.me,
            false => self.config.instances.first().copied().unwrap_or_default(),
        }
    }

    /// The clock that keys end by: the monotonic one, or, as a bug, one that can be set.
    fn clock(&self, cx: &Context<'_, Self>) -> Time {
        match self.config.mutations.has(Mutation::LockLeaseWall) {
            true => cx.wall(),
            false => cx.now(),
        }
    }

    fn answer(&mut self, message: Message, cx: &mut Context<'_, Self>) -> Answer {
        if self.primary() != self.me {
            return Answer::Moved { to: self.primary() };
        }
        match message {
            Message::Set { call, lock, value, ttl } => {
                self.purge(&lock, cx);
                self.set(&lock, (call, value, ttl), cx)
            }
            Message::Extend { call, lock, value, ttl } => {
                self.purge(&lock, cx);
                self.extend(&lock, (call, value, ttl), cx)
            }
            Message::Delete { call, lock, value } => {
                self.purge(&lock, cx);
                self.delete(&lock, call, value, cx)
            }
        }
    }

    /// Drops the lock's key if its time is over.
    fn purge(&mut self, lock: &Name, cx: &mut Context<'_, Self>) {
        let now = self.clock(cx);
        let over = self.keys.get(lock).is_some_and(|entry| entry.until <= now);
        if over && !self.config.mutations.has(Mutation::LockNoExpiry) {
            self.remove(lock, CallId::default(), Freed::Expired, cx);
        }
    }

    fn set(
        &mut self,
        lock: &Name,
        (call, value, ttl): (CallId, u64, Span),
        cx: &mut Context<'_, Self>,
    ) -> Answer {
        let there = self.keys.get(lock).map(|entry| entry.number);
        match there {
            Some(_) if !self.config.mutations.has(Mutation::LockShared) => return Answer::No,
            Some(number) => cx.cancel(Timer::Expire(number)),
            None => {}
        }
        let token = self.keys.count(lock).unwrap_or(value);
        let key = Key { call, value, token, ttl };
        self.keys.put(lock, key.clone(), self.clock(cx));
        self.write(Record::Set(lock.clone(), key), cx);
        cx.emit(Fact::Key { lock: lock.clone(), deed: KeyDeed::Set { call, token, ttl } });
        if let Some(entry) = self.keys.get(lock) {
            self.arm(entry.number, ttl, cx);
        }
        Answer::Yes { token }
    }

    fn extend(
        &mut self,
        lock: &Name,
        (by, value, ttl): (CallId, u64, Span),
        cx: &mut Context<'_, Self>,
    ) -> Answer {
        let blind = self.config.mutations.has(Mutation::LockBlindRenew);
        let own = self.keys.get(lock).filter(|entry| blind || entry.key.value == value);
        if own.is_none() {
            return Answer::No;
        }
        let now = self.clock(cx);
        let Some(entry) = self.keys.extend(lock, ttl, now) else { return Answer::No };
        let (number, key) = (entry.number, entry.key.clone());
        let token = key.token;
        self.arm(number, ttl, cx);
        self.write(Record::Set(lock.clone(), key), cx);
        cx.emit(Fact::Key { lock: lock.clone(), deed: KeyDeed::Extended { by, token, ttl } });
        Answer::Yes { token }
    }

    fn delete(
        &mut self,
        lock: &Name,
        by: CallId,
        value: u64,
        cx: &mut Context<'_, Self>,
    ) -> Answer {
        let mutations = self.config.mutations;
        let now = self.clock(cx);
        let same_second = |since: Time| since.0 / SECOND == now.0 / SECOND;
        let own = self.keys.get(lock).filter(|entry| {
            match mutations.has(Mutation::RedisReleaseBySecond) {
                true => same_second(entry.since),
                false => entry.key.value == value || mutations.has(Mutation::LockBlindRelease),
            }
        });
        let Some(token) = own.map(|entry| entry.key.token) else { return Answer::No };
        self.remove(lock, by, Freed::Released, cx);
        Answer::Yes { token }
    }

    fn remove(&mut self, lock: &Name, by: CallId, why: Freed, cx: &mut Context<'_, Self>) {
        let Some(entry) = self.keys.remove(lock) else { return };
        cx.cancel(Timer::Expire(entry.number));
        self.write(Record::Gone(lock.clone()), cx);
        let deed = KeyDeed::Gone { by, token: entry.key.token, why };
        cx.emit(Fact::Key { lock: lock.clone(), deed });
    }

    fn arm(&self, number: u32, ttl: Span, cx: &mut Context<'_, Self>) {
        let on_wall = self.config.mutations.has(Mutation::LockLeaseWall);
        let never = self.config.mutations.has(Mutation::LockNoExpiry) || ttl == Span::ZERO;
        match never {
            true => cx.cancel(Timer::Expire(number)),
            false => cx.set(Timer::Expire(number), if on_wall { WALL_STEP } else { ttl }),
        }
    }

    fn write(&mut self, record: Record, cx: &mut Context<'_, Self>) {
        if self.config.fsync {
            cx.write(record);
            if let Some(records) = self.keys.wrote() {
                cx.checkpoint(records);
            }
        }
    }
}
