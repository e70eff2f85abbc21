//! Keys that are kept by quorums: who has which versions, what is kept for whom, and how trees of
//! replicas compare.

use crate::base::placement::Ring;
use crate::base::{CallId, Name, NodeId, Op, Outcome, Span, Time, Version, Versions};
use crate::event::{Fact, Unhinted};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many keys are kept, those that changed last.
pub const MAX_KEYS: usize = 512;

/// Who took part in a read or a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// When it was over.
    pub at: Time,
    /// Whose it was.
    pub call: CallId,
    /// The coordinator.
    pub by: NodeId,
    /// Who answered.
    pub from: Arc<[NodeId]>,
    /// For whom a stand-in answered.
    pub hinted: Arc<[NodeId]>,
}

/// One key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// What each node keeps of it.
    pub copies: BTreeMap<NodeId, Versions>,
    /// The last write that was acknowledged.
    pub write: Option<Round>,
    /// The last read that was answered.
    pub read: Option<Round>,
    /// Acknowledged writes that were lost to later ones whose writers had not seen them.
    pub lost: u32,
    /// When it was last heard of.
    pub changed: Time,
    /// The write that a read must not fall behind, and its place by stamp.
    acked: Option<(CallId, u64)>,
}

impl Key {
    /// All that anybody keeps, by the latest stamp.
    pub fn newest(&self) -> Option<&Versions> {
        let stamp = |versions: &&Versions| versions.newest().map(Version::number);
        self.copies.values().max_by_key(stamp)
    }

    /// Whether some of these nodes keep something else than others.
    pub fn differs(&self, replicas: &[NodeId]) -> bool {
        let mut all = replicas.iter().map(|node| self.copies.get(node));
        all.next().is_some_and(|first| all.any(|other| other != first))
    }
}

/// A write that a stand-in keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// Whom it is for.
    pub target: NodeId,
    /// Who keeps it.
    pub holder: NodeId,
    /// Which key.
    pub key: Name,
    /// Which write.
    pub dot: CallId,
}

/// A level of a comparison: how many nodes of the tree, and which of them differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// 0 is the root.
    pub level: u8,
    /// How many were compared.
    pub nodes: u16,
    /// Which differ.
    pub differ: Arc<[u16]>,
}

/// The last comparison of two replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// When anything was heard of it.
    pub at: Time,
    /// The levels that were looked at, from the root.
    pub levels: Vec<Level>,
    /// How many keys of leaves that differ were exchanged, and how many were news.
    pub streamed: Option<(u32, u32)>,
}

impl Comparison {
    /// Whether the roots were not the same.
    pub fn differs(&self) -> bool {
        self.levels.first().is_some_and(|root| !root.differ.is_empty())
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes that were acknowledged, and how many of them with the help of stand-ins.
    pub writes: u64,
    /// See [`Counts::writes`].
    pub sloppy: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Reads that did not show a write that was acknowledged before they began.
    pub stale: u64,
    /// Acknowledged writes that were lost to later ones.
    pub lost: u64,
    /// Hints that were handed on.
    pub delivered: u64,
    /// Hints that were too old.
    pub expired: u64,
    /// Tombstones that were dropped.
    pub purged: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quorums {
    keys: BTreeMap<Name, Arc<Key>>,
    hints: BTreeMap<Hint, Time>,
    comparisons: BTreeMap<(NodeId, NodeId), Comparison>,
    /// What reads under way must not fall behind.
    floors: BTreeMap<CallId, (CallId, u64)>,
    /// Writes that were acknowledged and not lost so far, and those that lost to later ones.
    acknowledged: BTreeSet<CallId>,
    losing: BTreeSet<CallId>,
    /// What was counted.
    pub counts: Counts,
}

impl Quorums {
    /// Whether no key was kept by a quorum.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.comparisons.is_empty()
    }

    /// All keys, by name.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = (&Name, &Key)> {
        self.keys.iter().map(|(name, key)| (name, &**key))
    }

    /// One key.
    pub fn key(&self, name: &Name) -> Option<&Key> {
        self.keys.get(name).map(|key| &**key)
    }

    /// All hints, by whom they are for, and when each was made.
    pub fn hints(&self) -> impl ExactSizeIterator<Item = (&Hint, Time)> {
        self.hints.iter().map(|(hint, at)| (hint, *at))
    }

    /// How many hints wait for a node, and how old the oldest is.
    pub fn waiting(&self, target: NodeId, now: Time) -> (usize, Span) {
        let own = self.hints.iter().filter(|(hint, _)| hint.target == target);
        let oldest = own.clone().map(|(_, at)| *at).min().unwrap_or(now);
        (own.count(), now.since(oldest))
    }

    /// The last comparison of each pair of replicas.
    pub fn comparisons(&self) -> impl Iterator<Item = ((NodeId, NodeId), &Comparison)> {
        self.comparisons.iter().map(|(pair, comparison)| (*pair, comparison))
    }

    /// Who is to keep a key by a ring, the owner first.
    pub fn replicas(ring: &Ring, key: &Name) -> Vec<NodeId> {
        ring.preference(ring.position(key.as_str())).to_vec()
    }

    /// A node begins anew, and says what it has: what it does not say, it has not.
    pub(super) fn begin(&mut self, node: NodeId) {
        for key in self.keys.values_mut().filter(|key| key.copies.contains_key(&node)) {
            Arc::make_mut(key).copies.remove(&node);
        }
        self.hints.retain(|hint, _| hint.holder != node);
    }

    fn touch(&mut self, at: Time, name: &Name) -> &mut Key {
        if !self.keys.contains_key(name) && self.keys.len() >= MAX_KEYS {
            let oldest = self.keys.iter().min_by_key(|(_, key)| key.changed);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.keys.remove(&oldest);
            }
        }
        let key = Arc::make_mut(self.keys.entry(name.clone()).or_default());
        key.changed = at;
        key
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        match fact {
            Fact::Keeps { key, versions } => {
                let copies = &mut self.touch(at, key).copies;
                match versions.is_empty() {
                    true => drop(copies.remove(&node)),
                    false => drop(copies.insert(node, versions.clone())),
                }
            }
            Fact::Acknowledges { key, dot, acks, hinted, .. } => {
                let round = Round {
                    at,
                    call: *dot,
                    by: node,
                    from: Arc::clone(acks),
                    hinted: Arc::clone(hinted),
                };
                self.acknowledge(at, key, round);
            }
            Fact::Answers { key, call, from, .. } => {
                let (from, hinted) = (Arc::clone(from), Arc::default());
                let round = Round { at, call: *call, by: node, from, hinted };
                self.touch(at, key).read = Some(round);
                self.counts.reads += 1;
            }
            Fact::Hints { target, key, dot } => {
                let hint = Hint { target: *target, holder: node, key: key.clone(), dot: *dot };
                self.hints.entry(hint).or_insert(at);
            }
            Fact::Unhints { target, key, dot, why } => {
                let hint = Hint { target: *target, holder: node, key: key.clone(), dot: *dot };
                self.hints.remove(&hint);
                self.counts.delivered += u64::from(*why == Unhinted::Delivered);
                self.counts.expired += u64::from(*why == Unhinted::Expired);
            }
            Fact::Loses { key, dot, .. } => {
                remember(&mut self.losing, *dot);
                self.lose(at, key, *dot);
            }
            Fact::Purges { key, .. } => {
                self.touch(at, key).acked = None;
                self.counts.purged += 1;
            }
            Fact::Compares { with, level, nodes, differ } => {
                let level = Level { level: *level, nodes: *nodes, differ: Arc::clone(differ) };
                self.compare(at, node, *with, level);
            }
            Fact::Streams { from, keys, news } => {
                let comparison = self.comparisons.entry(pair(node, *from)).or_default();
                let (all, new) = comparison.streamed.unwrap_or_default();
                comparison.streamed = Some((all + keys, new + news));
                comparison.at = at;
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self, at: Time, name: &Name, round: Round) {
        self.counts.writes += 1;
        self.counts.sloppy += u64::from(!round.hinted.is_empty());
        let dot = round.call;
        let key = self.touch(at, name);
        let having = key.copies.values().flat_map(Versions::iter).find(|v| v.dot == dot);
        let number = having.map(Version::number);
        if number.is_some_and(|number| key.acked.is_none_or(|(_, last)| last < number)) {
            key.acked = number.map(|number| (dot, number));
        }
        key.write = Some(round);
        remember(&mut self.acknowledged, dot);
        self.lose(at, name, dot);
    }

    /// A write is lost if it was acknowledged and lost to a later one, whatever was said first.
    fn lose(&mut self, at: Time, name: &Name, dot: CallId) {
        if self.losing.contains(&dot) && self.acknowledged.remove(&dot) {
            self.touch(at, name).lost += 1;
            self.counts.lost += 1;
        }
    }

    fn compare(&mut self, at: Time, node: NodeId, with: NodeId, level: Level) {
        let comparison = self.comparisons.entry(pair(node, with)).or_default();
        if level.level == 0 {
            *comparison = Comparison::default();
        }
        comparison.at = at;
        comparison.levels.retain(|known| known.level != level.level);
        comparison.levels.push(level);
    }

    /// A client begins to read.
    pub(super) fn invoked(&mut self, call: CallId, op: &Op) {
        if let Op::Get { key } = op
            && let Some(acked) = self.keys.get(key).and_then(|key| key.acked)
        {
            self.floors.entry(call).or_insert(acked);
        }
    }

    /// A client has read: what it was not shown was there already.
    pub(super) fn returned(&mut self, call: CallId, outcome: &Outcome) {
        let Some((dot, number)) = self.floors.remove(&call) else { return };
        if let Outcome::Found { versions } = outcome {
            let newest = versions.newest().map_or(0, Version::number);
            self.counts.stale += u64::from(newest < number && !versions.covers(dot));
        }
    }
}

/// Puts one in, and forgets the first when there are too many.
fn remember(dots: &mut BTreeSet<CallId>, dot: CallId) {
    dots.insert(dot);
    if dots.len() > 4 * MAX_KEYS {
        dots.pop_first();
    }
}

fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}
