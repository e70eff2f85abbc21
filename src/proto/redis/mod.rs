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
//! One instance may have replicas: see `copies`, and `failover` for who takes over.
//!
//! **What is left out.** Read-write locks and semaphores: the documented recipe has neither, since
//! a key has one owner. (Libraries have them, each by scripts of its own.) A log that is synced
//! once a second, keys that are anything but locks, and reading a key.

use super::{Context, Protocol};
use crate::base::{CallId, Mutation, Mutations, Name, NodeId, ServiceId, Span, Spot, Time};
use crate::event::{Fact, Freed, KeyDeed};
use copies::{Held, Stream};
use failover::Watch;
use keys::Keys;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

mod copies;
mod failover;
mod keys;

pub use failover::{Failover, Patience};
pub use keys::{Key, Record};

/// How often an instance that goes by the wall clock looks at it.
const WALL_STEP: Span = Span::millis(20);
/// A second by the clock, for a release that goes by it.
const SECOND: u64 = 1_000_000;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes.
    pub peers: Arc<[NodeId]>,
    /// The nodes that keep keys. The others say where they are.
    pub instances: Arc<[NodeId]>,
    /// Whether each of them is a primary of its own; otherwise the first is, at the start.
    pub independent: bool,
    /// How many replicas have to have a write before it is answered.
    pub acks: usize,
    /// How another instance becomes primary.
    pub failover: Failover,
    /// How long nodes wait before and after that.
    pub patience: Patience,
    /// Whether a key is on the disk before anybody hears of it.
    pub fsync: bool,
    /// How long it is silent after a restart.
    pub restart_delay: Span,
    /// Whether it counts grants.
    pub counts: bool,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// Who is primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// How often another was agreed on.
    pub epoch: u32,
    /// Who is.
    pub primary: NodeId,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{} {}", self.epoch, self.primary)
    }
}

/// What a client sends to an instance, and nodes to each other.
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
    /// The primary tells that it is there.
    Beat {
        /// Who it is, and since which epoch.
        view: View,
        /// Its last write.
        seq: u64,
    },
    /// The primary has written something.
    Copy {
        /// Which write it is.
        spot: Spot,
        /// What it was.
        record: Record,
    },
    /// A replica has all writes up to this one.
    Copied {
        /// The last of them.
        spot: Spot,
    },
    /// A replica lacks what an epoch began with, or writes of it.
    Lacks {
        /// The epoch.
        epoch: u32,
    },
    /// All keys, as they are after a write.
    State {
        /// The write.
        spot: Spot,
        /// The keys and counts.
        records: Vec<Record>,
    },
    /// A node that misses the primary asks for an epoch.
    Ask {
        /// The epoch.
        epoch: u32,
        /// Whether it only asks if it would be granted.
        pre: bool,
    },
    /// A node grants it.
    Grant {
        /// The epoch.
        epoch: u32,
        /// Whether it was only asked if it would.
        pre: bool,
        /// Up to where it has writes; none if it keeps no keys.
        at: Option<Spot>,
    },
    /// A later epoch was granted before.
    Newer {
        /// That one.
        epoch: u32,
    },
    /// Who is primary from now on.
    Promote {
        /// Who, and in which epoch.
        view: View,
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
            Message::Beat { view, seq } => write!(f, "Beat {view} at {seq}"),
            Message::Copy { spot, record } => write!(f, "Copy {spot} {}", copies::shown(record)),
            Message::Copied { spot } => write!(f, "Copied {spot}"),
            Message::Lacks { epoch } => write!(f, "Lacks e{epoch}"),
            Message::State { spot, records } => {
                let keys = records.iter().filter(|record| matches!(record, Record::Set(..)));
                write!(f, "State {spot} keys {}", keys.count())
            }
            Message::Ask { epoch, pre } => write!(f, "Ask e{epoch}{}", would(*pre)),
            Message::Grant { epoch, pre, at: Some(at) } => {
                write!(f, "Grant e{epoch}{} has {at}", would(*pre))
            }
            Message::Grant { epoch, pre, at: None } => {
                write!(f, "Grant e{epoch}{}", would(*pre))
            }
            Message::Newer { epoch } => write!(f, "Newer e{epoch}"),
            Message::Promote { view } => write!(f, "Promote {view}"),
        }
    }
}

/// What is only asked.
fn would(pre: bool) -> &'static str {
    if pre { " if asked" } else { "" }
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
    /// As the primary, it is to tell that it is there.
    Beat,
    /// The primary was not heard for too long.
    Watch,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Redis {
    config: Config,
    me: NodeId,
    /// Until when it has to be silent after a restart.
    silent: Option<Time>,
    keys: Keys,
    /// Who is primary, as far as it knows. On disk.
    view: View,
    /// Up to which write it has the keys. On disk, if keys are.
    at: Spot,
    /// The last write that the primary of this epoch had when it was last heard.
    seen: u64,
    stream: Stream,
    watch: Watch,
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
        let primary = config.instances.first().copied().unwrap_or_default();
        let mut redis = Redis {
            me: cx.me(),
            silent,
            keys,
            view: View { epoch: 0, primary },
            at: Spot::default(),
            seen: 0,
            stream: Stream::default(),
            watch: Watch::new(cx.now()),
            config,
        };
        disk.iter().for_each(|record| redis.recall(record));
        if redis.is_primary() {
            redis.at = Spot::of_life(redis.view.epoch, cx.boot()).max(redis.at);
        }
        redis.begin(cx);
        redis
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if self.silent.is_some() {
            return;
        }
        match message {
            Message::Set { call, value, .. }
            | Message::Extend { call, value, .. }
            | Message::Delete { call, value, .. } => {
                self.asked(from, (call, value), message, cx);
            }
            Message::Beat { view, seq } => self.on_beat(from, view, seq, cx),
            Message::Copy { spot, record } => self.on_copy(from, spot, record, cx),
            Message::Copied { spot } => self.on_copied(from, spot, cx),
            Message::Lacks { epoch } => self.on_lacks(from, epoch, cx),
            Message::State { spot, records } => self.on_state(from, spot, &records, cx),
            Message::Ask { epoch, pre } => self.on_ask(from, epoch, pre, cx),
            Message::Grant { epoch, pre, at } => self.on_grant(from, (epoch, pre), at, cx),
            Message::Newer { epoch } => self.on_newer(epoch, cx),
            Message::Promote { view } => self.on_promote(view, cx),
        }
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
            Timer::Beat => self.beat(cx),
            Timer::Watch => self.on_watch(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Expire(_) => "expire",
            Timer::Rejoin => "rejoin",
            Timer::Beat => "beat",
            Timer::Watch => "failover",
        }
    }

    fn timer_is_watched(timer: Timer) -> bool {
        matches!(timer, Timer::Rejoin | Timer::Watch)
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        if self.silent.is_some() {
            return;
        }
        cx.emit(Fact::Primary { epoch: self.view.epoch, node: self.primary() });
        if self.primary() != self.me {
            return;
        }
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
            false => self.view.primary,
        }
    }

    fn is_primary(&self) -> bool {
        self.primary() == self.me
    }

    /// Whether it keeps keys.
    fn keeps(&self) -> bool {
        self.config.instances.contains(&self.me)
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    /// The clock that keys end by: the monotonic one, or, as a bug, one that can be set.
    fn clock(&self, cx: &Context<'_, Self>) -> Time {
        match self.config.mutations.has(Mutation::LockLeaseWall) {
            true => cx.wall(),
            false => cx.now(),
        }
    }

    /// A client asks. It is answered at once, unless a write has to reach replicas first; a
    /// primary that has granted another epoch answers nobody.
    fn asked(
        &mut self,
        from: NodeId,
        (call, value): (CallId, u64),
        message: Message,
        cx: &mut Context<'_, Self>,
    ) {
        let to = self.primary();
        if to != self.me {
            let moved = copies::answer(call, value, Answer::Moved { to });
            return cx.send_other(from, moved);
        }
        if self.is_stale(self.view.epoch) {
            return;
        }
        let before = self.at.seq;
        let (answer, deed) = match message {
            Message::Set { lock, ttl, .. } => {
                self.purge(&lock, cx);
                self.set(&lock, (call, value, ttl), cx)
            }
            Message::Extend { lock, ttl, .. } => {
                self.purge(&lock, cx);
                self.extend(&lock, (call, value, ttl), cx)
            }
            Message::Delete { lock, .. } => {
                self.purge(&lock, cx);
                (self.delete(&lock, call, value, cx), None)
            }
            _ => return,
        };
        let (seq, answer) = (self.at.seq, copies::answer(call, value, answer));
        match seq > before {
            true => {
                self.stream.hold(Held { seq, to: from, answer, deed });
                self.release(cx);
            }
            false => {
                self.say(deed, cx);
                cx.send_other(from, answer);
            }
        }
    }

    fn say(&self, deed: Option<(Name, KeyDeed)>, cx: &mut Context<'_, Self>) {
        if let Some((lock, deed)) = deed {
            cx.emit(Fact::Key { lock, deed });
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
    ) -> (Answer, Option<(Name, KeyDeed)>) {
        let there = self.keys.get(lock).map(|entry| entry.number);
        match there {
            Some(_) if !self.has(Mutation::LockShared) => return (Answer::No, None),
            Some(number) => cx.cancel(Timer::Expire(number)),
            None => {}
        }
        let token = self.keys.count(lock).unwrap_or(value);
        let key = Key { call, value, token, ttl };
        self.keys.put(lock, key.clone(), self.clock(cx));
        self.write(Record::Set(lock.clone(), key), cx);
        if let Some(entry) = self.keys.get(lock) {
            self.arm(entry.number, ttl, cx);
        }
        (Answer::Yes { token }, Some((lock.clone(), KeyDeed::Set { call, token, ttl })))
    }

    fn extend(
        &mut self,
        lock: &Name,
        (by, value, ttl): (CallId, u64, Span),
        cx: &mut Context<'_, Self>,
    ) -> (Answer, Option<(Name, KeyDeed)>) {
        let blind = self.config.mutations.has(Mutation::LockBlindRenew);
        let own = self.keys.get(lock).filter(|entry| blind || entry.key.value == value);
        if own.is_none() {
            return (Answer::No, None);
        }
        let now = self.clock(cx);
        let Some(entry) = self.keys.extend(lock, ttl, now) else { return (Answer::No, None) };
        let (number, key) = (entry.number, entry.key.clone());
        let token = key.token;
        self.arm(number, ttl, cx);
        self.write(Record::Set(lock.clone(), key), cx);
        (Answer::Yes { token }, Some((lock.clone(), KeyDeed::Extended { by, token, ttl })))
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

    /// Writes a change of a key down, as a primary, and copies it to its replicas.
    fn write(&mut self, record: Record, cx: &mut Context<'_, Self>) {
        if self.has_replicas() {
            self.at.seq += 1;
            let copy = Message::Copy { spot: self.at, record: record.clone() };
            self.to_replicas(&copy, cx);
        }
        self.keep(record, cx);
    }
}
