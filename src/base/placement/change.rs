//! From one ring to another: what moves, what has to be copied, and whether less would have done.

use super::share::join;
use super::{Balance, Fraction, KeyRange, Member, Ring, Share, modulo_moved, rendezvous_moved};
use crate::base::NodeId;
use std::collections::BTreeMap;

/// An arc whose owner changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    /// Which keys.
    pub range: KeyRange,
    /// Who owned them. Nobody if that ring was empty.
    pub from: Option<NodeId>,
    /// Who owns them now. Nobody if this ring is empty.
    pub to: Option<NodeId>,
}

/// An arc whose preference list changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// Which keys.
    pub range: KeyRange,
    /// Who kept them, the owner first.
    pub old: Vec<NodeId>,
    /// Who is to keep them, the owner first.
    pub new: Vec<NodeId>,
}

impl Change {
    /// Who needs a copy of the range. Every one of `old` has one to give.
    pub fn gains(&self) -> impl Iterator<Item = NodeId> {
        self.new.iter().filter(|node| !self.old.contains(node)).copied()
    }

    /// Whose copy of the range is no longer wanted.
    pub fn losses(&self) -> impl Iterator<Item = NodeId> {
        self.old.iter().filter(|node| !self.new.contains(node)).copied()
    }
}

/// How much goes from one owner to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The giver. Nobody if that ring was empty.
    pub from: Option<NodeId>,
    /// The receiver. Nobody if this ring is empty.
    pub to: Option<NodeId>,
    /// How much of the circle.
    pub share: Share,
}

/// What a change of members, weights or shape would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// How many keys change their owner.
    pub moved: Share,
    /// The least that any placement must move to go from the old shares to the new ones: what the
    /// growing shares grow by. A ring moves just this when one member joins, leaves, or gets
    /// another weight.
    pub minimum: Share,
    /// Who gives how much to whom, sorted; the sum is `moved`.
    pub flows: Vec<Flow>,
    /// How many copies of keys must be made before every key has its replicas again. A key that
    /// needs two counts twice.
    pub copies: Share,
    /// The same by the node that receives them, sorted.
    pub copies_to: Vec<(NodeId, Share)>,
    /// Balance as it is. None if the ring is empty.
    pub before: Option<Balance>,
    /// Balance as it would be. None if the ring is empty.
    pub after: Option<Balance>,
    /// How many keys would change their owner if the owner were the hash modulo the number of
    /// members.
    pub modulo: Fraction,
    /// How many keys would change their owner under rendezvous hashing, on average.
    pub rendezvous: Fraction,
}

impl Ring {
    /// The arcs whose owner changes on the way to `to`, neighbours of the same move joined.
    pub fn moved(&self, to: &Ring) -> Vec<Move> {
        let arcs = compare(self, to).map(|arc| (arc.range, (owner(arc.old), owner(arc.new))));
        let arcs = join(arcs.filter(|(_, (old, new))| old != new));
        arcs.into_iter().map(|(range, (from, to))| Move { range, from, to }).collect()
    }

    /// The arcs whose preference list changes on the way to `to`, neighbours of the same change
    /// joined: what a hand-off has to do.
    pub fn changes(&self, to: &Ring) -> Vec<Change> {
        let arcs = compare(self, to).filter(|arc| arc.old != arc.new);
        let arcs = join(arcs.map(|arc| (arc.range, (arc.old, arc.new))));
        let own = |(range, (old, new)): (KeyRange, (&[NodeId], &[NodeId]))| Change {
            range,
            old: old.to_vec(),
            new: new.to_vec(),
        };
        arcs.into_iter().map(own).collect()
    }

    /// What the way to `to` would cost, without going it. Try it with [`Ring::with`] and
    /// [`Ring::without`].
    pub fn preview(&self, to: &Ring) -> Preview {
        let mut flows = BTreeMap::new();
        let mut copies = BTreeMap::new();
        for Arc { range, old, new } in compare(self, to) {
            if owner(old) != owner(new) {
                *flows.entry((owner(old), owner(new))).or_default() += range.size();
            }
            for &node in new.iter().filter(|node| !old.contains(node)) {
                *copies.entry(node).or_default() += range.size();
            }
        }
        Preview {
            moved: flows.values().copied().sum(),
            minimum: least_moved(self, to),
            flows: flows.into_iter().map(|((from, to), share)| Flow { from, to, share }).collect(),
            copies: copies.values().copied().sum(),
            copies_to: copies.into_iter().collect(),
            before: self.balance(),
            after: to.balance(),
            modulo: modulo_moved(self.members(), to.members()),
            rendezvous: rendezvous_moved(self.members(), to.members()),
        }
    }
}

/// A part of the circle within which neither ring has a point, with both preference lists.
struct Arc<'a> {
    range: KeyRange,
    old: &'a [NodeId],
    new: &'a [NodeId],
}

/// Cuts the circle at the points of both rings, clockwise.
fn compare<'a>(from: &'a Ring, to: &'a Ring) -> impl Iterator<Item = Arc<'a>> {
    let mut ends: Vec<u64> = from.points().chain(to.points()).map(|(at, _)| at).collect();
    // A stable sort finds the two sorted halves and merges them.
    ends.sort();
    ends.dedup();
    let mut start = ends.last().copied().unwrap_or_default();
    ends.into_iter().map(move |end| {
        let range = KeyRange { start, end };
        start = end;
        Arc { range, old: from.preference(end), new: to.preference(end) }
    })
}

fn owner(preference: &[NodeId]) -> Option<NodeId> {
    preference.first().copied()
}

/// Any way from the old shares to the new ones moves at least what shares grow by, and at least
/// what shares shrink by. The two differ only if a ring is empty.
fn least_moved(from: &Ring, to: &Ring) -> Share {
    let growth = |from: &Ring, to: &Ring| -> Share {
        let nodes = to.members().iter().map(|&Member { node, .. }| node);
        nodes.map(|node| to.share(node) - from.share(node)).sum()
    };
    growth(from, to).max(growth(to, from))
}
