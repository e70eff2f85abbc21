//! The cache: copies of keys in memory, in front of the store.
//!
//! **What it guarantees.** What it answers was current at some time that is no longer ago than
//! `ttl`; and as soon as a writer has been told that the cache knows, nobody is answered anything
//! older (CACHE-1). A value that was read before a write is never taken in after the cache has
//! heard of it (CACHE-3). For each key, one asker at a time fetches what is missing (CACHE-4); if
//! it does not come back, another may when its lease is over (CACHE-7). The store has everything
//! (CACHE-5): a cache that starts is empty. It never keeps more than `capacity` keys (CACHE-8).
//!
//! **Roles.** Each key has one *cache node*, by consistent hashing; it does not change when nodes
//! come and go, so a key never has two. Any node is a *front*: it takes clients' requests, asks
//! the cache node, and goes to the store itself if that is silent.
//!
//! ```text
//!  n1 (front)        n4 (cache node of x)   store
//!  │── Get x ────────>│                       │
//!  │<── Miss lease 7 ─│ others wait, or ask   │
//!  │── get x ────────────────────────────────>│ 5 @3
//!  │                  │<── Delete x @4 ─── n2 has written x = 6: lease 7 is void
//!  │── Fill 7 x=5 @3 >│ turned down
//! ```
//!
//! **Modes.** *Aside*, as drawn: the front fetches and fills, a writer writes to the store first
//! and then deletes. *Read-through*: the cache node fetches, once for all who ask meanwhile.
//! *Write-through*: it also writes, and renews an entry that it has with what is newer. Where it
//! has none it waits for a reader: the store's answer to a write that was repeated may be an old
//! one. A writer is answered when the cache node has acknowledged the deletion. If it is silent for
//! too long the writer is answered all the same, and `ttl` bounds how long readers see the old
//! value.
//!
//! *Write-behind*: the cache node answers first, and pays the store every `flush`, the newest value
//! of each key. What a crash loses in between is lost, though it was acknowledged: that is what
//! this mode is. But it has a bound (CACHE-5): a cache node owes at most `behind` keys, and takes
//! no write on credit while it has owed one for four flushes. Then writers wait for the store.
//! Versions are the cache node's own here, and nobody goes to the store past it.
//!
//! **Invalidation.** With `invalidate = "message"` the writer of the first two modes sends the
//! deletion once and is answered at once. A message may be late or lost; `ttl` is the only bound.
//!
//! **Time.** An entry's time counts from when its lease was given, which is before it was read. In
//! the last `early` percent of it, an asker may be answered and given a lease as well, by chance
//! and sooner the nearer the end is: so that a hot key is fetched anew before all miss it at once.
//!
//! **Sources.** Nishtala et al., *Scaling Memcache at Facebook* (2013), section 3.2.1 (leases
//! against stale sets and thundering herds) · Vattani, Chierichetti and Lowenstein, *Optimal
//! probabilistic cache stampede prevention* (2015).
//!
//! **What is left out.** Replicas of cache nodes, and invalidation by the store's own log: what
//! transactions change is seen when an entry's time is over. A write that is repeated over a crash
//! of a cache node that writes behind may take effect twice; sums cannot be written behind.

mod behind;
mod front;
mod node;

use super::{Context, Protocol, Ticket};
use crate::base::cache::{Evict, Invalidate, Mode};
use crate::base::placement::{Member, Ring, Shape};
use crate::base::{CallId, Mutations, Name, NodeId, Op, Outcome, ServiceId, Span};
use front::Fronts;
use node::CacheNode;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The ring of cache nodes.
const SHAPE: Shape = Shape { vnodes: 64, replicas: 1, seed: 11 };

/// How caches behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who fetches and who writes.
    pub mode: Mode,
    /// How many keys a cache node keeps.
    pub capacity: u32,
    /// What makes room.
    pub evict: Evict,
    /// For how long an entry may be answered with.
    pub ttl: Span,
    /// For how long one asker may fetch a key before another one may.
    pub lease: Span,
    /// How long a front waits for a cache node.
    pub timeout: Span,
    /// In which last part of its time an entry may be fetched anew, in percent.
    pub early: u8,
    /// How a cache node hears of writes that go to the store.
    pub invalidate: Invalidate,
    /// How many keys a cache node that writes behind may owe the store.
    pub behind: u32,
    /// How often it pays.
    pub flush: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            mode: Mode::Aside,
            capacity: 1_000,
            evict: Evict::Lru,
            ttl: Span::secs(5),
            lease: Span::secs(1),
            timeout: Span::millis(200),
            early: 0,
            invalidate: Invalidate::Acknowledged,
            behind: 16,
            flush: Span::millis(500),
        }
    }
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cache nodes.
    pub nodes: Arc<[NodeId]>,
    /// How they behave.
    pub settings: Settings,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// What fronts and cache nodes tell each other. `flight` is the front's number for it.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// What is it?
    Get { flight: u64, key: Name },
    /// This, and if there is a lease, fetch it anew under it.
    Hit { flight: u64, value: Option<i64>, version: u64, lease: Option<u64> },
    /// Nobody here knows. Fetch it under this lease; without one, somebody does already.
    Miss { flight: u64, lease: Option<u64> },
    /// The value that was read under this lease.
    Fill { key: Name, lease: u64, value: Option<i64>, version: u64 },
    /// This version was written; 0 if it is not known which.
    Delete { flight: u64, key: Name, version: u64 },
    /// This value was written.
    Set { flight: u64, key: Name, value: i64, version: u64 },
    /// The cache knows.
    Deleted { flight: u64 },
    /// Carry this out at the store.
    Write { flight: u64, call: CallId, op: Arc<Op> },
    /// What became of it.
    Wrote { flight: u64, outcome: Box<Outcome> },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |token: &u64| token & 0xFFFF_FFFF;
        match self {
            Message::Get { key, .. } => write!(f, "Get {key}"),
            Message::Hit { value: Some(value), lease: None, .. } => write!(f, "Hit {value}"),
            Message::Hit { value: None, lease: None, .. } => f.write_str("Hit absent"),
            Message::Hit { lease: Some(lease), .. } => write!(f, "Hit lease {}", short(lease)),
            Message::Miss { lease: Some(lease), .. } => write!(f, "Miss lease {}", short(lease)),
            Message::Miss { lease: None, .. } => f.write_str("Miss wait"),
            Message::Fill { key, lease, value: Some(value), .. } => {
                write!(f, "Fill {key}={value} lease {}", short(lease))
            }
            Message::Fill { key, lease, .. } => {
                write!(f, "Fill {key} absent lease {}", short(lease))
            }
            Message::Delete { key, .. } => write!(f, "Delete {key}"),
            Message::Set { key, value, .. } => write!(f, "Set {key}={value}"),
            Message::Deleted { .. } => f.write_str("Deleted"),
            Message::Write { call, op, .. } => write!(f, "Write {call} {op}"),
            Message::Wrote { outcome, .. } => write!(f, "Wrote {outcome}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// As a front: nothing was heard about this flight, or it is time to ask again.
    Flight(u64),
    /// As a cache node that writes behind: it is time to pay.
    Flush,
}

/// What it writes: nothing, as a cache should. A known bug keeps entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// An entry, kept over a crash.
    Kept {
        /// Its key.
        key: Name,
        /// Its value.
        value: Option<i64>,
        /// Its version.
        version: u64,
    },
}

/// The key that a client's operation is about; none if it is none of the store's.
fn key_of(op: &Op) -> Option<Name> {
    match op {
        Op::Get { key } | Op::Put { key, .. } | Op::Add { key, .. } => Some(key.clone()),
        _ => None,
    }
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Cache {
    fronts: Fronts,
    node: Option<CacheNode>,
}

type Cx<'a> = Context<'a, Cache>;

/// The node's calls of the store are odd for its front and even for its cache.
const NODE: u64 = 0;
const FRONT: u64 = 1;

impl Protocol for Cache {
    const ID: ServiceId = ServiceId::Cache;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Cx<'_>) -> Self {
        let Config { nodes, settings, mutations } = config;
        let members: Vec<Member> =
            nodes.iter().map(|node| Member { node: *node, weight: 1 }).collect();
        let caches = nodes.contains(&cx.me());
        Cache {
            fronts: Fronts::new(Ring::new(&members, SHAPE), settings, mutations, cx),
            node: caches.then(|| CacheNode::new(settings, mutations, disk, cx)),
        }
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        let Some(node) = &mut self.node else {
            return self.fronts.answered(message, cx);
        };
        match message {
            Message::Get { flight, key } => node.get(from, flight, key, cx),
            Message::Fill { key, lease, value, version } => {
                node.fill(key, lease, (value, version), cx);
            }
            Message::Delete { flight, key, version } => node.delete(from, flight, key, version, cx),
            Message::Set { flight, key, value, version } => {
                node.set(from, flight, key, (Some(value), version), cx);
            }
            Message::Write { flight, call, op } => node.write(from, flight, call, op, cx),
            answer => self.fronts.answered(answer, cx),
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match (timer, &mut self.node) {
            (Timer::Flight(flight), _) => self.fronts.timed_out(flight, cx),
            (Timer::Flush, Some(node)) => node.flush(cx),
            (Timer::Flush, None) => {}
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Flight(_) => "flight",
            Timer::Flush => "flush",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        self.fronts.request(ticket, call, op, cx);
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        match (key & 1, &mut self.node) {
            (NODE, Some(node)) => node.replied(key >> 1, outcome, cx),
            _ => self.fronts.replied(key >> 1, outcome, cx),
        }
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        self.node.iter().for_each(|node| node.restate(cx));
    }
}
