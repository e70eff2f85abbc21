//! Copies of keys in front of the store.
//!
//! | rule | holds as long as |
//! |---|---|
//! | CACHE-1 | no answer is older than a write of which the cache had been told, nor than any write longer ago than `ttl` |
//! | CACHE-3 | a cache takes in nothing older than what it has had or has heard of |
//! | CACHE-4 | one asker at a time may fetch a key |
//! | CACHE-5 | a cache that writes behind owes no more keys than it may, takes nothing on credit while it has owed for long, and drops nothing that it owes |
//! | CACHE-7 | who waits for another's fetch waits no longer than a lease |
//! | CACHE-8 | a cache keeps no more keys than it has room for |
//!
//! A crash of a cache that writes behind loses what it owes. That is legal, and CACHE-5 is its
//! bound: so many keys, written in so short a time.
//!
//! That a reader sees an old value for a while is legal: it is what caches are for. How old is what
//! counts. Writes that nobody was told of (their front crashed, or transactions made them) bind no
//! cache. Who looks in late counts keys only of caches whose start was seen.

use super::{Check, Violation, Witness};
use crate::base::{Name, NodeId, Span, Time};
use crate::event::{Caching, Dropped, Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What a wrong clock and a slow disk may make of a time: so many tenths of it, and this.
const DRIFT: u64 = 11;
const LATE: Span = Span::secs(1);
/// How many writes of a key are remembered that the cache may not know of.
const UNTOLD: usize = 64;

/// What a cache has said.
#[derive(Clone, Debug, Default)]
struct Ghost {
    capacity: usize,
    ttl: Span,
    lease: Span,
    /// Its start was seen, and everything since.
    whole: bool,
    keys: BTreeSet<Name>,
    /// The newest version of each key that it had, or heard of, and in which event.
    floors: BTreeMap<Name, (u64, usize)>,
    leases: BTreeMap<Name, (Time, usize)>,
    /// How many keys it may owe the store, and for how long.
    behind: usize,
    credit: Span,
    /// What it owes: versions that were acknowledged, when, and in which event.
    owed: BTreeMap<Name, BTreeMap<u64, (Time, usize)>>,
}

/// What was written of a key.
#[derive(Clone, Debug, Default)]
struct Key {
    /// The newest version that the cache had been told of, and in which event.
    told: (u64, usize),
    /// Versions that it may not know of: since when, and in which event.
    untold: BTreeMap<u64, (Time, usize)>,
}

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    caches: BTreeMap<NodeId, Ghost>,
    keys: BTreeMap<Name, Key>,
}

/// What is wrong: the rule, in words, and the earlier event that it contradicts.
type Wrong = (&'static str, String, Vec<usize>);

fn longest(Span(micros): Span) -> Span {
    Span(micros / 10 * DRIFT) + LATE
}

fn in_millis(Span(micros): Span) -> Span {
    Span(micros / 1_000 * 1_000)
}

impl Key {
    fn wrote(&mut self, now: Time, at: usize, version: u64, told: bool) {
        if told && version > self.told.0 {
            self.told = (version, at);
        }
        self.untold.entry(version).or_insert((now, at));
        while self.untold.len() > UNTOLD {
            self.untold.pop_first();
        }
    }

    /// CACHE-1.
    fn too_old(&self, now: Time, key: &Name, version: u64, ttl: Span) -> Option<Wrong> {
        let (told, at) = self.told;
        if told > version {
            let what =
                format!("{key} is answered with an older version than the cache was told of");
            return Some(("CACHE-1", what, vec![at]));
        }
        let mut newer = self.untold.range(version + 1..).map(|(_, written)| *written);
        let (since, at) = newer.find(|(since, _)| now > *since + longest(ttl))?;
        let ago = in_millis(now.since(since));
        let what = format!("{key} is answered with a version that was replaced {ago} ago");
        Some(("CACHE-1", what, vec![at]))
    }
}

impl Ghost {
    /// CACHE-3 and CACHE-8.
    fn fills(&mut self, at: usize, key: &Name, version: u64) -> Option<Wrong> {
        self.keys.insert(key.clone());
        self.leases.remove(key);
        let (floor, heard) = self.floors.get(key).copied().unwrap_or_default();
        self.floors.insert(key.clone(), (version.max(floor), at));
        let owed = self.owed.get(key).and_then(BTreeMap::last_key_value);
        if let Some((_, (_, first))) = owed.filter(|(newest, _)| **newest != version) {
            let what = format!("{key} is taken in from the store, which it owes a newer one");
            return Some(("CACHE-3", what, vec![*first]));
        }
        if version < floor {
            let what = format!("{key} is taken in as it was before the cache heard of a newer one");
            return Some(("CACHE-3", what, vec![heard]));
        }
        None
    }

    /// CACHE-8, when there was time to make room.
    fn overflows(&self) -> Option<Wrong> {
        let (count, room) = (self.keys.len(), self.capacity);
        (self.whole && count > room + 1).then(|| {
            ("CACHE-8", format!("it keeps {count} keys and has room for {room}"), Vec::new())
        })
    }

    fn drops(&mut self, at: usize, key: &Name, version: u64, why: Dropped) {
        self.keys.remove(key);
        if why == Dropped::Invalidated {
            self.leases.remove(key);
            let (floor, _) = self.floors.get(key).copied().unwrap_or_default();
            if version > floor {
                self.floors.insert(key.clone(), (version, at));
            }
        }
    }

    /// CACHE-5, when a write is acknowledged before the store has it.
    fn owes(&mut self, now: Time, at: usize, key: &Name, version: u64) -> Option<Wrong> {
        self.owed.entry(key.clone()).or_default().insert(version, (now, at));
        let (count, most) = (self.owed.len(), self.behind);
        if count > most {
            let what = format!("it owes the store {count} keys, and may owe it {most}");
            return Some(("CACHE-5", what, Vec::new()));
        }
        let (since, first) = self.owed.values().flat_map(BTreeMap::values).min().copied()?;
        (now > since + longest(self.credit)).then(|| {
            let what = "it takes a write on credit, and has owed another one since";
            ("CACHE-5", format!("{what} {since}"), vec![first])
        })
    }

    fn pays(&mut self, key: &Name, version: u64) {
        if let Some(versions) = self.owed.get_mut(key) {
            versions.retain(|owed, _| *owed > version);
        }
        self.owed.retain(|_, versions| !versions.is_empty());
    }

    /// CACHE-5, when an entry goes.
    fn loses(&self, key: &Name, why: Dropped) -> Option<Wrong> {
        let (_, (_, first)) = self.owed.get(key)?.last_key_value()?;
        (why != Dropped::Invalidated).then(|| {
            let what = format!("it drops {key}, and the store does not have what was acknowledged");
            ("CACHE-5", what, vec![*first])
        })
    }

    /// CACHE-4, by the clock of the cache: facts that wait for its disk are late.
    fn leases(&mut self, now: Time, at: usize, key: &Name, after: Option<Span>) -> Option<Wrong> {
        let (_, given) = self.leases.insert(key.clone(), (now, at))?;
        let ago = in_millis(after.filter(|after| *after < self.lease)?);
        let what = format!("{key} is to be fetched again, {ago} after somebody else was let to");
        Some(("CACHE-4", what, vec![given]))
    }

    /// CACHE-7.
    fn waits(&self, now: Time, key: &Name) -> Option<Wrong> {
        let (since, given) = *self.leases.get(key)?;
        (now > since + longest(self.lease)).then(|| {
            let what = format!("{key} is waited for since {since}, and nobody fetches it");
            ("CACHE-7", what, vec![given])
        })
    }
}

impl Cache {
    fn hear(&mut self, at: usize, event: &Event, fact: &Caching, again: bool) -> Option<Wrong> {
        let (node, now) = (event.node, event.at);
        if let Caching::Wrote { key, version, told } = fact {
            self.keys.entry(key.clone()).or_default().wrote(now, at, *version, *told);
            return None;
        }
        let ghost = self.caches.entry(node).or_default();
        match fact {
            Caching::Caches { capacity, ttl, lease, behind, credit, .. } => {
                (ghost.capacity, ghost.behind) = (*capacity as usize, *behind as usize);
                (ghost.ttl, ghost.lease, ghost.credit) = (*ttl, *lease, *credit);
                None
            }
            Caching::Hits { key, version, .. } => {
                self.keys.get(key).and_then(|known| known.too_old(now, key, *version, ghost.ttl))
            }
            Caching::Fills { key, .. } if again => {
                ghost.keys.insert(key.clone());
                None
            }
            Caching::Fills { key, version } => {
                let full = ghost.overflows();
                ghost.fills(at, key, *version).or(full)
            }
            Caching::Drops { key, version, why } => {
                ghost.drops(at, key, *version, *why);
                ghost.loses(key, *why)
            }
            // It has owed that for longer than anybody knows who was not there.
            Caching::Owes { .. } if again => None,
            Caching::Owes { key, version } => ghost.owes(now, at, key, *version),
            Caching::Pays { key, version } => {
                ghost.pays(key, *version);
                None
            }
            Caching::Leases { key, after, .. } => ghost.leases(now, at, key, *after),
            Caching::Waits { key } => ghost.waits(now, key),
            _ => None,
        }
    }
}

impl Check for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn about(&self) -> &'static str {
        "No answer is older than caches may be, one asker at a time fetches what is missing, and a \
         cache owes the store no more than it may."
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Cache(_)))
    }

    fn gap(&mut self, node: NodeId) {
        match node {
            NodeId::BENCH => self.caches.clear(),
            node => drop(self.caches.remove(&node)),
        }
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let (rule, what, because) = match &event.kind {
            Kind::Started { .. } => {
                self.caches.insert(event.node, Ghost { whole: true, ..Ghost::default() });
                return None;
            }
            Kind::Fact(Fact::Cache(fact)) => {
                self.hear(at, event, fact, witness.restates(event.node))?
            }
            _ => return None,
        };
        let what = format!("{}: {what}", event.node);
        Some(Violation { check: "cache", rule, what, at, because })
    }
}
