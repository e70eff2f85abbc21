//! Who has answered, and whether that is enough.
//!
//! Any two majorities of the same nodes share a node. All of Paxos rests on that.

use crate::base::{Mutation, Mutations, NodeId, Voters, majority};
use smallvec::SmallVec;

/// How many of `nodes` make a quorum: more than half. The mutation `paxos.minority` lets one less
/// count.
pub fn quorum(nodes: usize, mutations: Mutations) -> usize {
    match mutations.has(Mutation::PaxosMinority) {
        true => (majority(nodes) - 1).max(1),
        false => majority(nodes),
    }
}

/// The nodes that have answered one question, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(SmallVec<[NodeId; 7]>);

impl Tally {
    /// Counts `node`; again has no effect.
    pub fn add(&mut self, node: NodeId) {
        if !self.has(node) {
            self.0.push(node);
        }
    }

    /// Whether `node` was counted.
    pub fn has(&self, node: NodeId) -> bool {
        self.0.contains(&node)
    }

    /// Whether those who were counted are a quorum of these voters. Who does not vote is no part
    /// of it.
    pub fn is_quorum(&self, voters: &Voters) -> bool {
        voters.agree(|id| self.has(id))
    }

    /// How many were counted.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_more_than_half() {
        let sizes = [1, 2, 3, 4, 5].map(|n| quorum(n, Mutations::NONE));
        assert_eq!(sizes, [1, 2, 2, 3, 3]);
    }

    #[test]
    fn nobody_counts_twice() {
        let mut tally = Tally::default();
        (0..3).for_each(|_| tally.add(NodeId::node(1)));
        assert_eq!(tally.count(), 1);
    }
}
