//! Maglev hashing (Eisenbud et al. 2016, section 3.4): a table that tells the owner at once.

use super::other::nodes;
use super::{Member, position};
use crate::base::NodeId;

/// Sizes of tables, all prime, so that every skip meets every entry. A hundred entries a node keep
/// the parts even and the needless moves few.
const SIZES: [u32; 4] = [1_009, 10_007, 65_537, 655_373];

/// A lookup table: each node has taken entries in an order of its own, turn by turn. It takes every
/// member of weight above 0 as equal.
#[derive(Clone, Debug)]
pub struct Maglev {
    nodes: Vec<NodeId>,
    /// The index of the node that has an entry.
    table: Vec<u16>,
}

impl Maglev {
    /// The table of these members. Their order is irrelevant.
    pub fn new(members: &[Member]) -> Maglev {
        let nodes = nodes(members);
        let wanted = nodes.len() * 100;
        let size = SIZES.into_iter().find(|size| *size as usize >= wanted).unwrap_or(SIZES[3]);
        Maglev { table: fill(&nodes, size), nodes }
    }

    /// How many entries the table has; none without members.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nobody owns anything.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The owner of a key. None without members.
    pub fn owner(&self, position: u64) -> Option<NodeId> {
        let entry = position.checked_rem(self.table.len() as u64)?;
        self.nodes.get(usize::from(self.table[entry as usize])).copied()
    }
}

/// Lets the nodes take entries by turns, each the next free one of its own order, which begins at
/// one hash of its name and goes on by another. So the parts differ by one entry at most (MG-1).
fn fill(nodes: &[NodeId], size: u32) -> Vec<u16> {
    const FREE: u16 = u16::MAX;
    if nodes.is_empty() {
        return Vec::new();
    }
    let size = u64::from(size);
    let order = |node: &NodeId| {
        let name = node.to_string();
        (position(1, &name) % size, position(2, &name) % (size - 1) + 1)
    };
    let mut orders: Vec<(u64, u64)> = nodes.iter().map(order).collect();
    let mut table = vec![FREE; size as usize];
    for turn in 0..size as usize {
        let index = turn % nodes.len();
        let (next, skip) = &mut orders[index];
        while table[*next as usize] != FREE {
            *next = (*next + *skip) % size;
        }
        table[*next as usize] = index as u16;
    }
    table
}
