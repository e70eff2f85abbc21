//! Other placements, to compare the ring with. They take every member of weight above 0 as equal.

use super::{Member, position};
use crate::base::NodeId;
use std::fmt;
use twox_hash::XxHash3_64;

/// The nodes that own something, in their order, each once.
pub(super) fn nodes(members: &[Member]) -> Vec<NodeId> {
    let placed = members.iter().filter(|member| member.weight > 0);
    let mut nodes: Vec<NodeId> = placed.map(|member| member.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// The bucket of `position` among `buckets` by division: the residue. Perfectly even, and nearly
/// every key moves when their number changes ([`modulo_moved`]). None without buckets.
pub fn modulo(position: u64, buckets: u32) -> Option<u32> {
    position.checked_rem(buckets.into()).and_then(|residue| u32::try_from(residue).ok())
}

/// A fraction, not reduced: its denominator says what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    /// So many.
    pub part: u64,
    /// Of so many. Never 0.
    pub whole: u64,
}

impl Fraction {
    /// In millionths, rounded.
    pub fn ppm(self) -> u64 {
        let rounded = (u128::from(self.part) * 1_000_000 + u128::from(self.whole / 2))
            / self.whole.max(1) as u128;
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }
}

/// `16/20`.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.part, self.whole))
    }
}

/// How many keys change their owner under [`modulo`]: so many of the residues that a period of
/// both moduli has.
///
/// The pair of residues of h modulo n and m takes each value with equal residues modulo gcd(n, m)
/// once in lcm(n, m) steps (Chinese remainder theorem). A key stays if both residues mean the same
/// node. From 5 to 4 nodes 4 of 20 residues stay, so 16/20 move, whichever node left.
pub fn modulo_moved(from: &[Member], to: &[Member]) -> Fraction {
    let (from, to) = (nodes(from), nodes(to));
    if from.is_empty() || to.is_empty() {
        return Fraction { part: u64::from(from != to), whole: 1 };
    }
    let (n, m) = (from.len() as u64, to.len() as u64);
    let divisor = gcd(n, m);
    let whole = n / divisor * m;
    let stays = (0..).zip(&from).filter(|(old, node)| {
        let new = to.binary_search(node).ok();
        new.is_some_and(|new| old % divisor == new as u64 % divisor)
    });
    Fraction { part: whole - stays.count() as u64, whole }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The bucket of `position` among `buckets` by jump hash (Lamping and Veach 2014, section 3): no
/// memory, and one more bucket moves just the keys that it gets, but only the last one can go.
/// None without buckets.
///
/// The paper divides floating-point numbers. This is the same quotient in integers, which are the
/// same everywhere.
pub fn jump(position: u64, buckets: u32) -> Option<u32> {
    let mut key = position;
    let mut bucket = None;
    let mut next = 0_u64;
    while next < u64::from(buckets) {
        bucket = Some(next as u32);
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((next + 1) << 31) / ((key >> 33) + 1);
    }
    bucket
}

/// Owners by the highest random weight (Thaler and Ravishankar 1998): each node draws a number for
/// the key, the highest one owns it. It moves as little as the ring and is more even, but every
/// lookup asks every node.
#[derive(Clone, Debug)]
pub struct Rendezvous {
    /// The nodes, each with the hash of its name.
    nodes: Vec<([u8; 8], NodeId)>,
}

impl Rendezvous {
    /// Of these members. Their order is irrelevant.
    pub fn new(members: &[Member]) -> Rendezvous {
        let hash = |node: NodeId| (position(0, &node.to_string()).to_le_bytes(), node);
        Rendezvous { nodes: nodes(members).into_iter().map(hash).collect() }
    }

    /// The owner of a key. None without members.
    pub fn owner(&self, position: u64) -> Option<NodeId> {
        let draw = |(name, node): &([u8; 8], NodeId)| {
            (XxHash3_64::oneshot_with_seed(position, name), *node)
        };
        self.nodes.iter().map(draw).max().map(|(_, node)| node)
    }
}

/// How many keys change their owner under [`Rendezvous`], on average over keys: all whose highest
/// draw among the nodes of both sides is that of a node of one side only. The draws are alike and
/// independent, so each of the nodes of both sides has the highest one equally often.
pub fn rendezvous_moved(from: &[Member], to: &[Member]) -> Fraction {
    let (from, to) = (nodes(from), nodes(to));
    let both = from.iter().filter(|node| to.contains(node)).count() as u64;
    let whole = from.len() as u64 + to.len() as u64 - both;
    Fraction { part: whole - both, whole: whole.max(1) }
}
