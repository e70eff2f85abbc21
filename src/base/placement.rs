//! Where keys live: consistent hashing with virtual nodes, as a pure function.
//!
//! The 2^64 hash values form a circle. Every member puts points on it, `vnodes` for each unit of
//! its weight, and a key belongs to the first point at or after the key's own position, clockwise,
//! round the end to the start. So a member that comes or goes concerns only the arcs that end in
//! its points, and all other keys stay where they are.
//!
//! ```text
//!              n2#0                       key ──> n2    the next point clockwise owns it
//!          ╭────●────╮                    key ──> n2 n3 its preference list, two replicas:
//!      n1#1●     key │                                  n3#1 is the next point of another node
//!          │      ×  ● n2#1
//!      n3#0●         │                    an arc is (start, end]: open where the previous point
//!          ╰──●──────╯                    stands, closed at its own point
//!            n3#1
//! ```
//!
//! # What it guarantees
//!
//! * RING-1: the arcs are disjoint and together the whole circle ([`Ring::ranges`]).
//! * RING-2: owners follow from members, weights, shape and key alone. The order in which members
//!   joined, and the index at which they are listed, do not matter.
//! * RING-3: who joins only takes keys, and who leaves only gives keys up ([`Ring::moved`]).
//! * RING-5: a preference list names distinct nodes, the owner first. A longer list starts with the
//!   shorter one.
//! * RING-6: a key at the very position of a point belongs to that point, everywhere.
//! * RING-9: of two points at one position, that of the smaller node counts.
//!
//! Balance is no guarantee but chance: with V points each, a node's share deviates from the mean by
//! about 1/√V of the mean ([`Ring::balance`]).
//!
//! # The hash is published
//!
//! Point `i` of node `n3` stands at XXH3-64 of the text `n3#i`, a key at XXH3-64 of its UTF-8
//! bytes, both with [`Shape::seed`]. Whoever computes these gets the same ring. The identity is
//! hashed and not a list index, since an index would reshuffle the circle when a member leaves.
//!
//! # Sources
//!
//! Karger et al. 1997, *Consistent hashing and random trees*, section 4 (the circle) · DeCandia et
//! al. 2007, *Dynamo*, sections 4.2 and 4.3 (virtual nodes, preference lists) and 6.2 (strategy 1,
//! which this is).
//!
//! # What is left out
//!
//! Failure domains: a preference list does not know which nodes share a rack. The other placements
//! in here serve comparison ([`Scheme`]): they spread the same keys, and tell what each would move.

mod bounded;
mod change;
mod maglev;
mod other;
mod share;
#[cfg(test)]
mod tests;
mod trial;

pub use bounded::BOUND;
pub use change::{Change, Flow, Move, Preview};
pub use maglev::Maglev;
pub use other::{Fraction, Rendezvous, jump, modulo, modulo_moved, rendezvous_moved};
pub use share::{KeyRange, Share};
pub use trial::{Scheme, Trial, sample};

use super::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// Where a key stands on the circle of `seed`: XXH3-64 of its bytes.
pub fn position(seed: u64, key: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, key.as_bytes())
}

/// A node that may own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// How many times `vnodes` points it has. None at weight 0: it is a member and owns nothing.
    pub weight: u16,
}

impl Member {
    /// The largest weight that anybody may ask for.
    pub const MAX_WEIGHT: u16 = 100;
}

/// What all routers must agree on, besides the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Points on the circle for each unit of weight.
    pub vnodes: u16,
    /// How many nodes keep each key, its owner included. 0 counts as 1.
    pub replicas: u8,
    /// The seed of the hash, for points and keys.
    pub seed: u64,
}

impl Shape {
    /// The most points for a unit of weight that anybody may ask for.
    pub const MAX_VNODES: u16 = 1_024;
}

/// The circle: which node owns which key, and which nodes keep copies.
///
/// Immutable, cheap to clone, and equal to another ring when members and shape are equal.
#[derive(Clone)]
pub struct Ring {
    members: Arc<[Member]>,
    shape: Shape,
    table: Arc<Table>,
}

impl Ring {
    /// The most points that a ring has, so that a careless number in a file cannot eat the memory.
    pub const MAX_POINTS: u64 = 1 << 21;

    /// The ring of these members.
    ///
    /// Their order is irrelevant. Of a node that is named twice, the larger weight counts. Members
    /// who ask for more than [`Ring::MAX_POINTS`] in total all get the same fraction of what they
    /// asked for; see [`Ring::points_wanted`].
    pub fn new(members: &[Member], shape: Shape) -> Ring {
        let mut members = members.to_vec();
        members.sort_unstable_by(|a, b| a.node.cmp(&b.node).then(b.weight.cmp(&a.weight)));
        members.dedup_by_key(|member| member.node);
        let points = place(&members, shape);
        Ring::of_points(members, shape, points)
    }

    /// How many points these members ask for, to be checked against [`Ring::MAX_POINTS`].
    pub fn points_wanted(members: &[Member], shape: Shape) -> u64 {
        members.iter().map(|member| u64::from(member.weight) * u64::from(shape.vnodes)).sum()
    }

    /// The ring with these points, each a position and an index into the sorted members.
    fn of_points(members: Vec<Member>, shape: Shape, points: Vec<(u64, u16)>) -> Ring {
        let table = Arc::new(Table::new(&members, shape, points));
        Ring { members: members.into(), shape, table }
    }

    /// This ring with one more member, or with another weight for one that it has.
    pub fn with(&self, member: Member) -> Ring {
        self.changed(member.node, Some(member))
    }

    /// This ring with one member less.
    pub fn without(&self, node: NodeId) -> Ring {
        self.changed(node, None)
    }

    /// This ring with `new` in the place of `old`, if that is a member. All others keep their
    /// points, unless there are too many.
    fn changed(&self, old: NodeId, new: Option<Member>) -> Ring {
        let others = self.members.iter().copied().filter(|member| member.node != old);
        let mut members: Vec<Member> = others.chain(new).collect();
        members.sort_unstable_by_key(|member| member.node);
        let wanted = |members| Ring::points_wanted(members, self.shape);
        if wanted(&members).max(wanted(&self.members)) > Ring::MAX_POINTS {
            return Ring::new(&members, self.shape);
        }
        let slot = |node: NodeId| usize::from(node.number()) * 2 + usize::from(node.is_client());
        let most = members.iter().map(|member| slot(member.node)).max().unwrap_or(0);
        let mut index = vec![0; most + 1];
        for (at, member) in (0..=u16::MAX).zip(&members) {
            index[slot(member.node)] = at;
        }
        let at = |node: NodeId| index[slot(node)];
        let kept = self.points().filter(|(_, node)| *node != old);
        let mut points: Vec<(u64, u16)> =
            kept.map(|(position, node)| (position, at(node))).collect();
        if let Some(member) = new {
            let mut own = place(&[member], self.shape);
            own.sort_unstable();
            points.extend(own.into_iter().map(|(position, _)| (position, at(member.node))));
        }
        Ring::of_points(members, self.shape, points)
    }

    /// This ring as if there was no way from its end to its start: behind the last point, keys
    /// belong to the node of that point. This is a well-known mistake, to be shown.
    pub fn unwrapped(&self) -> Ring {
        let index = |node| self.members.iter().position(|member| member.node == node);
        let index = |node| index(node).and_then(|at| u16::try_from(at).ok()).unwrap_or_default();
        let last = self.points().last().map(|(_, node)| (u64::MAX, index(node)));
        let points = self.points().map(|(at, node)| (at, index(node))).chain(last);
        Ring::of_points(self.members.to_vec(), self.shape, points.collect())
    }

    /// This ring as if a preference list named the nodes of the next points, though one node may have
    /// several of them. This is a well-known mistake, to be shown. Who owns what stays the same.
    pub fn repeating(&self) -> Ring {
        let table = &*self.table;
        let owners = &table.owners[..table.len];
        let row = |first| (first..first + table.width).map(|i| owners[i % owners.len()]);
        let rows = (0..table.len).chain((table.len > 0).then_some(0)).flat_map(row).collect();
        Ring { table: Arc::new(Table { rows, ..table.clone() }), ..self.clone() }
    }

    /// All members, by node, those of weight 0 included.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether a node owns anything.
    pub fn has(&self, node: NodeId) -> bool {
        self.members.iter().any(|member| member.node == node && member.weight > 0)
    }

    /// What it was built with.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many points are on the circle.
    pub fn len(&self) -> usize {
        self.table.len
    }

    /// Whether nobody owns anything: there is no point on the circle.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points, clockwise from position 0.
    pub fn points(&self) -> impl ExactSizeIterator<Item = (u64, NodeId)> {
        let table = &*self.table;
        (0..table.len).map(|i| (table.positions[i], table.owners[i]))
    }

    /// Where `key` stands on this circle.
    pub fn position(&self, key: &str) -> u64 {
        position(self.shape.seed, key)
    }

    /// The node of the first point at or after `position`. Nobody if the ring is empty.
    pub fn owner(&self, position: u64) -> Option<NodeId> {
        let table = &*self.table;
        table.owners.get(table.find(position)).copied()
    }

    /// The nodes that keep a key, its owner first, then the next distinct nodes clockwise: as many
    /// as the shape wants replicas, or all that have points if they are fewer.
    pub fn preference(&self, position: u64) -> &[NodeId] {
        self.table.row(self.table.find(position))
    }

    /// All nodes in the order in which `position` meets them, each once: the preference list and
    /// then those who stand in when nodes of it are down (Dynamo, section 4.6).
    pub fn walk(&self, position: u64) -> impl Iterator<Item = NodeId> {
        let table = &*self.table;
        let (before, after) = table.owners[..table.len].split_at(table.find(position));
        let mut seen = BTreeSet::new();
        let distinct = after.iter().chain(before).copied().filter(move |node| seen.insert(*node));
        distinct.take(table.nodes)
    }

    /// The circle cut at every point, clockwise, each arc with its preference list.
    pub fn ranges(&self) -> impl Iterator<Item = (KeyRange, &[NodeId])> {
        let table = &*self.table;
        (0..table.len).filter_map(|i| table.arc(i).map(|range| (range, table.row(i))))
    }

    /// What `node` owns, neighbouring arcs joined.
    pub fn owned_by(&self, node: NodeId) -> Vec<KeyRange> {
        self.chosen(|row| row[0] == node)
    }

    /// What `node` keeps, as owner or as a later one of the preference list, neighbouring arcs
    /// joined.
    pub fn replicated_by(&self, node: NodeId) -> Vec<KeyRange> {
        self.chosen(|row| row.contains(&node))
    }

    fn chosen(&self, is_chosen: impl Fn(&[NodeId]) -> bool) -> Vec<KeyRange> {
        let arcs = share::join(self.ranges().map(|(range, row)| (range, is_chosen(row))));
        arcs.into_iter().filter_map(|(range, chosen)| chosen.then_some(range)).collect()
    }

    /// How much of the circle `node` owns.
    pub fn share(&self, node: NodeId) -> Share {
        self.of_member(node, &self.table.owned)
    }

    /// How much of the circle `node` keeps, as owner or as a later one of the preference list.
    pub fn held(&self, node: NodeId) -> Share {
        self.of_member(node, &self.table.held)
    }

    fn of_member(&self, node: NodeId, shares: &[Share]) -> Share {
        let index = self.members.binary_search_by_key(&node, |member| member.node);
        index.map_or(Share::NONE, |index| shares[index])
    }

    /// How much of the circle each member owns. The sum is the whole circle, to the last key.
    pub fn shares(&self) -> impl ExactSizeIterator<Item = (NodeId, Share)> {
        self.members.iter().zip(&self.table.owned).map(|(member, &share)| (member.node, share))
    }

    /// How much of the circle `node` would own if shares followed weights exactly, rounded down.
    pub fn ideal(&self, node: NodeId) -> Share {
        let weight = self.members.iter().find(|m| m.node == node).map_or(0, |m| m.weight);
        Share::fraction(weight.into(), self.total_weight())
    }

    fn total_weight(&self) -> u64 {
        self.members.iter().map(|member| u64::from(member.weight)).sum()
    }

    /// How evenly the circle is shared out. None if the ring is empty.
    pub fn balance(&self) -> Option<Balance> {
        let total = self.total_weight();
        let placed = || self.members.iter().zip(&self.table.owned).filter(|(m, _)| m.weight > 0);
        let load = |(member, share): (&Member, &Share)| {
            (share.over_ideal_per_mille(member.weight.into(), total), member.node)
        };
        let (heaviest_per_mille, heaviest) = placed().map(load).max_by_key(|&(load, _)| load)?;
        let (lightest_per_mille, lightest) = placed().map(load).min_by_key(|&(load, _)| load)?;
        let squares = placed().map(|(member, share)| {
            let ideal = Share::fraction(member.weight.into(), total);
            u128::from(share.ppb().abs_diff(ideal.ppb())).pow(2)
        });
        let variance = squares.sum::<u128>() / placed().count().max(1) as u128;
        Some(Balance {
            heaviest,
            heaviest_per_mille,
            lightest,
            lightest_per_mille,
            deviation_ppm: ((variance.isqrt() + 500) / 1000) as u64,
        })
        .filter(|_| !self.is_empty())
    }
}

/// Two rings are equal when they were built from the same: everything else follows from it.
impl PartialEq for Ring {
    fn eq(&self, other: &Ring) -> bool {
        self.shape == other.shape && self.members == other.members
    }
}

impl Eq for Ring {}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ring = f.debug_struct("Ring");
        ring.field("members", &self.members).field("shape", &self.shape);
        ring.field("points", &self.len()).finish()
    }
}

/// How evenly a ring is shared out. Loads are shares over the share that the weight promises, in
/// per mille; with equal weights that is the share over the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Who owns the most for its weight.
    pub heaviest: NodeId,
    /// Its load: 1160 is 16 % too much.
    pub heaviest_per_mille: u64,
    /// Who owns the least for its weight.
    pub lightest: NodeId,
    /// Its load.
    pub lightest_per_mille: u64,
    /// The standard deviation of shares from what weights promise, in millionths of the circle.
    pub deviation_ppm: u64,
}

/// The points of sorted members: positions and indices, not yet sorted.
fn place(members: &[Member], shape: Shape) -> Vec<(u64, u16)> {
    let wanted = Ring::points_wanted(members, shape);
    let mut points = Vec::with_capacity(wanted.min(Ring::MAX_POINTS) as usize);
    let mut text = String::new();
    for (index, member) in (0..=u16::MAX).zip(members) {
        let mut count = u64::from(member.weight) * u64::from(shape.vnodes);
        if wanted > Ring::MAX_POINTS {
            count = count * Ring::MAX_POINTS / wanted;
        }
        text.clear();
        write!(text, "{}#", member.node).expect("writing to a string cannot fail");
        let stem = text.len();
        for point in 0..count {
            text.truncate(stem);
            write!(text, "{point}").expect("writing to a string cannot fail");
            points.push((position(shape.seed, &text), index));
        }
    }
    points
}

/// The points, laid out for looking up.
///
/// `first` cuts the circle into equal buckets, a power of two of them, and knows for each the first
/// point at or after its start. From there a lookup goes on point by point. Since points are spread
/// by a hash and there are more buckets than points, it looks at one or two.
///
/// Positions, owners and rows have one element more than there are points, a copy of the first one
/// behind the last position, so that a lookup past the last point needs no extra step.
#[derive(Clone)]
struct Table {
    /// How many points.
    len: usize,
    /// How many nodes have points.
    nodes: usize,
    positions: Box<[u64]>,
    owners: Box<[NodeId]>,
    /// The preference lists of all points, each `width` long.
    rows: Box<[NodeId]>,
    width: usize,
    first: Box<[u32]>,
    /// A position's bucket is the position shifted right by this.
    shift: u32,
    /// By member: what it owns.
    owned: Box<[Share]>,
    /// By member: what it keeps.
    held: Box<[Share]>,
}

impl Table {
    fn new(members: &[Member], shape: Shape, mut points: Vec<(u64, u16)>) -> Table {
        // Members are sorted by node, so equal positions are now in the order of nodes. Of a ring
        // that has changed a little, most are in order already, which this way of sorting uses.
        points.sort();
        let owners: Vec<u16> = points.iter().map(|&(_, member)| member).collect();
        let mut has_points = vec![false; members.len()];
        owners.iter().for_each(|&member| has_points[usize::from(member)] = true);
        let nodes = has_points.iter().filter(|&&has| has).count();
        let width = nodes.min(usize::from(shape.replicas).max(1));
        let rows = preferences(&owners, width);
        let node = |&member: &u16| members[usize::from(member)].node;
        let (first, shift) = buckets(&points);
        let mut table = Table {
            len: points.len(),
            nodes,
            positions: points.iter().map(|&(at, _)| at).chain([u64::MAX]).collect(),
            owners: owners.iter().chain(owners.first()).map(node).collect(),
            rows: rows.iter().chain(&rows[..width]).map(node).collect(),
            width,
            first,
            shift,
            owned: Box::default(),
            held: Box::default(),
        };
        let mut owned = vec![Share::NONE; members.len()];
        let mut held = owned.clone();
        for (i, row) in rows.chunks_exact(width.max(1)).enumerate() {
            let size = table.arc(i).map_or(Share::NONE, KeyRange::size);
            owned[usize::from(row[0])] += size;
            row.iter().for_each(|&member| held[usize::from(member)] += size);
        }
        (table.owned, table.held) = (owned.into(), held.into());
        table
    }

    /// The index of the first point at or after `position`: `len` is the first point again.
    fn find(&self, position: u64) -> usize {
        let mut i = self.first[(position >> self.shift) as usize] as usize;
        while self.positions[i] < position {
            i += 1;
        }
        i
    }

    fn row(&self, i: usize) -> &[NodeId] {
        &self.rows[i * self.width..(i + 1) * self.width]
    }

    /// The arc that ends in point `i`. None if a smaller node's point at the same position takes it.
    fn arc(&self, i: usize) -> Option<KeyRange> {
        let before = if i == 0 { self.len - 1 } else { i - 1 };
        let range = KeyRange { start: self.positions[before], end: self.positions[i] };
        (i == 0 || range.start != range.end).then_some(range)
    }
}

/// For each point the next `width` distinct owners, itself included, one list after the other.
///
/// From the back: a point's list is its owner, then the list of the next point without that owner.
/// Only the last point has to look around the circle.
fn preferences(owners: &[u16], width: usize) -> Vec<u16> {
    let mut rows = vec![0; owners.len() * width];
    let Some((&last, earlier)) = owners.split_last() else { return rows };
    let mut row = Vec::with_capacity(width + 1);
    for owner in [last].iter().chain(earlier) {
        if row.len() == width {
            break;
        }
        if !row.contains(owner) {
            row.push(*owner);
        }
    }
    for i in (0..owners.len()).rev() {
        row.retain(|&member| member != owners[i]);
        row.insert(0, owners[i]);
        row.truncate(width);
        rows[i * width..(i + 1) * width].copy_from_slice(&row);
    }
    rows
}

/// The first point at or after the start of each bucket, and the shift that finds a bucket: two to
/// four buckets for each point.
fn buckets(points: &[(u64, u16)]) -> (Box<[u32]>, u32) {
    let bits = points.len().max(1).ilog2() + 2;
    let shift = u64::BITS - bits;
    let mut first = Vec::with_capacity(1 << bits);
    for (i, (at, _)) in (0..).zip(points) {
        first.resize(first.len().max((at >> shift) as usize + 1), i);
    }
    first.resize(1 << bits, points.len() as u32);
    (first.into(), shift)
}
