//! Which rumours are still to be passed on.
//!
//! A rumour rides on so many messages and is then left to those who have heard it: λ·log(n + 1)
//! times reach everybody with high probability, however many there are (SWIM, section 4.1). Those
//! that were passed on least go first, so that news spreads fastest when there is much of it.

use crate::base::NodeId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The λ of the paper.
const MULTIPLIER: u32 = 4;

/// How often a rumour was passed on, and how new it is.
type Turn = (u32, Reverse<u64>);

/// Whom there is news of. What the news is, the members' table says: a newer rumour of a member
/// takes the place of an older one.
#[derive(Clone, Debug, Default)]
pub(super) struct Gossip {
    queue: BTreeSet<(Turn, NodeId)>,
    turns: BTreeMap<NodeId, Turn>,
    count: u64,
}

impl Gossip {
    /// There is news of `who`.
    pub(super) fn push(&mut self, who: NodeId) {
        self.count += 1;
        self.put(who, (0, Reverse(self.count)));
    }

    /// Whether there is nothing to pass on.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The news for one message, which counts as passed on: of `most` members at the most, in a
    /// cluster of `size`.
    pub(super) fn take(&mut self, most: usize, size: usize) -> Vec<NodeId> {
        let times = times(size);
        let next: Vec<(Turn, NodeId)> = self.queue.iter().take(most).copied().collect();
        for ((passed, order), who) in &next {
            if passed + 1 < times {
                self.put(*who, (passed + 1, *order));
            } else {
                self.drop(*who);
            }
        }
        next.into_iter().map(|(_, who)| who).collect()
    }

    fn put(&mut self, who: NodeId, turn: Turn) {
        self.drop(who);
        self.turns.insert(who, turn);
        self.queue.insert((turn, who));
    }

    fn drop(&mut self, who: NodeId) {
        if let Some(turn) = self.turns.remove(&who) {
            self.queue.remove(&(turn, who));
        }
    }
}

/// How often a rumour is passed on by each who hears it: λ·⌈log₁₀(n + 1)⌉.
fn times(size: usize) -> u32 {
    MULTIPLIER * size.max(1).ilog10().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rumour_is_passed_on_so_often_and_the_newest_first() {
        let (a, b) = (NodeId::node(1), NodeId::node(2));
        let mut gossip = Gossip::default();
        gossip.push(a);
        assert_eq!(gossip.take(9, 5), [a]);
        gossip.push(b);
        assert_eq!(gossip.take(1, 5), [b], "it was passed on least");
        assert_eq!(gossip.take(1, 5), [b], "and is newer");
        (0..5).for_each(|_| drop(gossip.take(1, 5)));
        assert!(gossip.is_empty());
        assert_eq!([times(9), times(10), times(999), times(1_000)], [4, 8, 12, 16]);
    }
}
