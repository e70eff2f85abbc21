//! Caches: what they have, how often they know, and who fetches.

use super::remember;
use crate::base::cache::Mode;
use crate::base::{Name, NodeId, Span, Time};
use crate::event::{Caching, Dropped};
use std::collections::{BTreeMap, VecDeque};

/// How many questions are kept, the last ones, to tell the share of hits from.
pub const MAX_QUESTIONS: usize = 300;
/// How many reads of the store are kept to tell how many there are a second.
pub const MAX_FETCHES: usize = 1_000;
/// How many keys are kept, those that were asked for last.
pub const MAX_KEYS: usize = 128;

/// How many writes of a key are kept, the last ones, to tell how old an answer was.
pub const MAX_WRITES: usize = 32;

/// How a key stands at its cache node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked for it since it went.
    #[default]
    Absent,
    /// Somebody fetches it, since then.
    Leased(Time),
    /// It is there, since then.
    Cached(Time),
}

/// A key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Where it is cached.
    pub node: NodeId,
    /// How it stands there.
    pub state: State,
    /// The version that the cache has, or had last.
    pub version: u64,
    /// The newest version that anybody has said to have written.
    pub written: u64,
    /// How old it was when it was last answered with.
    pub age: Option<Span>,
    /// How often the cache knew it, and how often not.
    pub hits: u64,
    /// How often it did not.
    pub misses: u64,
    /// How often something old was turned down.
    pub rejected: u64,
    /// The last writes: version, and when it was said.
    writes: VecDeque<(u64, Time)>,
    asked: Time,
}

impl Key {
    /// Since when there is a newer version than this, as far as that is remembered.
    fn replaced(&self, version: u64) -> Option<Time> {
        self.writes.iter().filter(|(newer, _)| *newer > version).map(|(_, at)| *at).min()
    }

    /// Since when it is stale.
    pub fn stale_since(&self) -> Option<Time> {
        self.is_stale().then(|| self.replaced(self.version)).flatten()
    }

    /// Whether the cache has something older than what was written.
    pub fn is_stale(&self) -> bool {
        matches!(self.state, State::Cached(_)) && self.version < self.written
    }
}

/// A cache node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// How many keys it has.
    pub keys: u64,
    /// How many there is room for.
    pub capacity: u32,
    /// How often it knew.
    pub hits: u64,
    /// How often it did not.
    pub misses: u64,
    /// What it owes the store: keys, and the newest version that it has acknowledged of each.
    pub owed: BTreeMap<Name, u64>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// Who fetches and who writes; none if nobody caches.
    pub mode: Option<Mode>,
    /// For how long an entry may be answered with.
    pub ttl: Span,
    /// How many answers were older than what had been written.
    pub stale: u64,
    /// How old the oldest of them was: since when there was a newer version.
    pub oldest: Span,
    /// How many keys crashes took whose newest value the store did not have.
    pub lost: u64,
    nodes: BTreeMap<NodeId, Node>,
    keys: BTreeMap<Name, Key>,
    questions: VecDeque<bool>,
    fetches: VecDeque<Time>,
}

impl Caches {
    /// The cache nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    /// One of them.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// The keys that are kept, by name.
    pub fn keys(&self) -> impl Iterator<Item = (&Name, &Key)> {
        self.keys.iter()
    }

    /// How many of the last [`MAX_QUESTIONS`] questions were hits, and how many there were.
    pub fn rate(&self) -> (usize, usize) {
        (self.questions.iter().filter(|hit| **hit).count(), self.questions.len())
    }

    /// How many reads of the store there were in the last second.
    pub fn load(&self, now: Time) -> usize {
        self.fetches.iter().rev().take_while(|at| now.since(**at) <= Span::secs(1)).count()
    }

    /// A node crashes, and with it goes what it owes.
    pub(super) fn crash(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            self.lost += node.owed.len() as u64;
            node.owed.clear();
        }
        self.fall(id);
    }

    /// A node that is down has nothing.
    pub(super) fn fall(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.keys = 0;
        }
        let gone = self.keys.values_mut().filter(|key| key.node == id);
        gone.for_each(|key| key.state = State::Absent);
    }

    pub(super) fn hear(&mut self, at: Time, id: NodeId, fact: &Caching) {
        match fact {
            Caching::Caches { mode, capacity, ttl, .. } => {
                (self.mode, self.ttl) = (Some(*mode), *ttl);
                self.fall(id);
                let node = self.nodes.entry(id).or_default();
                node.capacity = *capacity;
                node.owed.clear();
            }
            Caching::Fetches { .. } => remember(&mut self.fetches, MAX_FETCHES, at),
            Caching::Wrote { key, version, .. } => {
                let key = self.key(at, key);
                key.written = key.written.max(*version);
                remember(&mut key.writes, MAX_WRITES, (*version, at));
            }
            Caching::Hits { key, age, version } => {
                self.asked(id, true);
                let key = self.key(at, key);
                (key.hits, key.age, key.node) = (key.hits + 1, Some(*age), id);
                if let Some(since) = key.replaced(*version) {
                    self.stale += 1;
                    self.oldest = self.oldest.max(at.since(since));
                }
            }
            Caching::Owes { key, version } => {
                self.nodes.entry(id).or_default().owed.insert(key.clone(), *version);
            }
            Caching::Pays { key, version } => {
                let owed = &mut self.nodes.entry(id).or_default().owed;
                owed.retain(|owed, newest| owed != key || *newest > *version);
            }
            // It is fetched anew before its time, and was answered with.
            Caching::Leases { key, .. } if self.is_cached(key) => {}
            Caching::Leases { key, .. } | Caching::Waits { key } => {
                self.asked(id, false);
                let known = self.key(at, key);
                (known.misses, known.node) = (known.misses + 1, id);
                if let (Caching::Leases { .. }, State::Absent) = (fact, known.state) {
                    known.state = State::Leased(at);
                }
            }
            Caching::Fills { key, version } => {
                let known = self.key(at, key);
                let news = !matches!(known.state, State::Cached(_));
                (known.state, known.version, known.node) = (State::Cached(at), *version, id);
                self.nodes.entry(id).or_default().keys += u64::from(news);
            }
            Caching::Rejects { key, .. } => self.key(at, key).rejected += 1,
            Caching::Drops { key, why, .. } => self.drops(at, id, key, *why),
        }
    }

    fn is_cached(&self, key: &Name) -> bool {
        self.keys.get(key).is_some_and(|key| matches!(key.state, State::Cached(_)))
    }

    fn drops(&mut self, at: Time, id: NodeId, key: &Name, why: Dropped) {
        let known = self.key(at, key);
        let was = std::mem::replace(&mut known.state, State::Absent);
        if why != Dropped::Invalidated || matches!(was, State::Cached(_)) {
            let node = self.nodes.entry(id).or_default();
            node.keys = node.keys.saturating_sub(1);
        }
    }

    fn asked(&mut self, id: NodeId, hit: bool) {
        remember(&mut self.questions, MAX_QUESTIONS, hit);
        let node = self.nodes.entry(id).or_default();
        *(if hit { &mut node.hits } else { &mut node.misses }) += 1;
    }

    fn key(&mut self, at: Time, name: &Name) -> &mut Key {
        if !self.keys.contains_key(name) && self.keys.len() >= MAX_KEYS {
            let oldest = self.keys.iter().min_by_key(|(_, key)| key.asked);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.keys.remove(&oldest);
            }
        }
        let key = self.keys.entry(name.clone()).or_default();
        key.asked = at;
        key
    }
}
