//! Anti-entropy: two replicas find out what they have that the other has not, by Merkle trees.
//!
//! The tree covers the keys that both are to keep in the ring that both are in. A leaf stands for
//! 1/256 of the circle, and each node above it for four of the level below. Nothing of a comparison
//! is remembered: each message says all that the next one needs.

use super::{Cx, Items, Message, QuorumStore};
use crate::base::placement::Ring;
use crate::base::{Mutation, Name, NodeId, Versions};
use crate::event::Fact;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// The level of the leaves; the root is at 0.
const LEAVES: u8 = 4;
/// How many children a node has.
const FAN: u16 = 4;

/// Digests, level by level.
struct Tree(Vec<Vec<u64>>);

impl Tree {
    /// Of these keys: place on the circle, and digest.
    fn of(keys: impl Iterator<Item = (u64, u64)>) -> Tree {
        let mut level = vec![0; usize::from(FAN).pow(LEAVES.into())];
        keys.for_each(|(position, digest)| level[usize::from(leaf(position))] ^= digest);
        let mut levels = vec![level];
        while levels[0].len() > 1 {
            let above = levels[0].chunks(usize::from(FAN)).map(hash).collect();
            levels.insert(0, above);
        }
        Tree(levels)
    }

    fn digest(&self, level: u8, node: u16) -> u64 {
        let level = self.0.get(usize::from(level));
        level.and_then(|level| level.get(usize::from(node))).copied().unwrap_or_default()
    }
}

/// The digest of a node from those of its children. Nothing below is nothing above.
fn hash(children: &[u64]) -> u64 {
    if children.iter().all(|digest| *digest == 0) {
        return 0;
    }
    let bytes: Vec<u8> = children.iter().flat_map(|digest| digest.to_le_bytes()).collect();
    XxHash3_64::oneshot(&bytes)
}

/// In which leaf a key stands.
fn leaf(position: u64) -> u16 {
    u16::try_from(position >> 56).expect("eight bits are left")
}

fn digest(key: &Name, versions: &Versions) -> u64 {
    XxHash3_64::oneshot_with_seed(versions.digest(), key.as_str().as_bytes())
}

impl QuorumStore {
    /// Whether two nodes are both to keep a key.
    fn is_common(ring: &Ring, key: &Name, both: [NodeId; 2]) -> bool {
        let list = ring.preference(ring.position(key.as_str()));
        both.iter().all(|node| list.contains(node))
    }

    fn tree(&self, ring: &Ring, both: [NodeId; 2]) -> Tree {
        let all = self.has(Mutation::QuorumOtherRange);
        let common = self.items.iter().filter(|(key, _)| all || Self::is_common(ring, key, both));
        Tree::of(common.map(|(key, versions)| (ring.position(key.as_str()), digest(key, versions))))
    }

    /// Shows its root to the next node that it shares keys with.
    pub(super) fn begin_sync(&mut self, cx: &mut Cx<'_>) {
        let me = cx.me();
        let Some(ring) = self.ring().filter(|ring| ring.has(me)) else { return };
        let others = ring.members().iter().map(|member| member.node);
        let others = || others.clone().filter(|node| *node != me && !self.suspects.contains(node));
        let next = others().find(|node| *node > self.compared).or_else(|| others().next());
        let Some(with) = next else { return };
        let root = self.tree(ring, [me, with]).digest(0, 0);
        let nodes = [(0, root)].into();
        cx.send(with, Message::Tree { epoch: self.epoch, level: 0, nodes });
        self.compared = with;
    }

    /// Compares nodes of a level, and goes on below those that differ.
    pub(super) fn compare(
        &mut self,
        from: NodeId,
        epoch: u64,
        level: u8,
        nodes: &[(u16, u64)],
        cx: &mut Cx<'_>,
    ) {
        let Some(ring) = self.ring().filter(|_| epoch == self.epoch && !self.blank) else { return };
        let tree = self.tree(ring, [cx.me(), from]);
        let differ = nodes.iter().filter(|(node, digest)| tree.digest(level, *node) != *digest);
        let differ: Arc<[u16]> = differ.map(|(node, _)| *node).collect();
        let count = u16::try_from(nodes.len()).unwrap_or(u16::MAX);
        cx.emit(Fact::Compares { with: from, level, nodes: count, differ: Arc::clone(&differ) });
        if differ.is_empty() {
            return;
        }
        if level >= LEAVES {
            let items = self.in_leaves(from, &differ, cx.me());
            return cx.send(from, Message::Leaves { epoch, leaves: differ, items, reply: true });
        }
        let below = differ.iter().flat_map(|node| {
            let first = node.saturating_mul(FAN);
            (first..first.saturating_add(FAN)).map(|child| (child, tree.digest(level + 1, child)))
        });
        let nodes = below.collect();
        cx.send(from, Message::Tree { epoch, level: level + 1, nodes });
    }

    /// What it has in some leaves of what both are to keep.
    fn in_leaves(&self, with: NodeId, leaves: &[u16], me: NodeId) -> Items {
        let Some(ring) = self.ring() else { return Items::default() };
        let wanted = |key: &Name| {
            leaves.contains(&leaf(ring.position(key.as_str())))
                && Self::is_common(ring, key, [me, with])
        };
        let items = self.items.iter().filter(|(key, _)| wanted(key));
        items.map(|(key, versions)| (key.clone(), versions.clone())).collect()
    }

    /// Takes over what another one has in leaves that differ, and sends back what it lacks.
    pub(super) fn exchange(
        &mut self,
        from: NodeId,
        epoch: u64,
        leaves: &[u16],
        items: &Items,
        reply: bool,
        cx: &mut Cx<'_>,
    ) {
        if epoch != self.epoch || self.ring().is_none() {
            return;
        }
        let own = self.in_leaves(from, leaves, cx.me());
        let mut news = 0;
        for (key, versions) in items.iter() {
            let old = self.items.get(key).cloned();
            self.keep(key, versions, cx);
            news += u32::from(self.items.get(key) != old.as_ref());
        }
        let keys = u32::try_from(items.len()).unwrap_or(u32::MAX);
        cx.emit(Fact::Streams { from, keys, news });
        if reply {
            let theirs = |item: &&(Name, Versions)| !items.contains(item);
            let items = own.iter().filter(theirs).cloned().collect();
            let leaves = leaves.into();
            cx.send(from, Message::Leaves { epoch, leaves, items, reply: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_equal_if_and_only_if_contents_are() {
        let keys = [(1, 11), (1 << 60, 12), (3 << 60, 13)];
        let tree = |keys: &[(u64, u64)]| Tree::of(keys.iter().copied());
        let (whole, turned) = (tree(&keys), [keys[2], keys[0], keys[1]]);
        assert_eq!(whole.digest(0, 0), tree(&turned).digest(0, 0));
        assert_ne!(whole.digest(0, 0), tree(&keys[1..]).digest(0, 0));
        assert_eq!(tree(&[]).digest(0, 0), 0);
    }

    #[test]
    fn only_the_way_down_to_a_change_differs() {
        let (a, b) = (Tree::of([(5 << 56, 1)].into_iter()), Tree::of([].into_iter()));
        for level in 0..=LEAVES {
            let nodes = 0..FAN.pow(level.into());
            let differ: Vec<u16> =
                nodes.filter(|node| a.digest(level, *node) != b.digest(level, *node)).collect();
            assert_eq!(differ, [5 >> (2 * (LEAVES - level))], "level {level}");
        }
    }
}
