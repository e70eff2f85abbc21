//! Who votes on the replicated log, and what makes a quorum of them.

use super::{NodeId, ParseError, parse_error};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How many of `nodes` are a majority: more than half.
pub const fn majority(nodes: usize) -> usize {
    nodes / 2 + 1
}

/// A configuration: those who vote. A quorum is a majority of them; while one set gives way to
/// another (joint consensus, Ongaro and Ousterhout 2014, section 6), it is a majority of each. All
/// other nodes are learners: they keep a replica, and count for nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Voters {
    now: Arc<[NodeId]>,
    /// Those who give way; nobody, if that is over.
    before: Arc<[NodeId]>,
}

/// In order, each once.
fn sorted(nodes: impl IntoIterator<Item = NodeId>) -> Arc<[NodeId]> {
    let mut nodes: Vec<NodeId> = nodes.into_iter().collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes.into()
}

fn most(of: &[NodeId], has: impl Fn(NodeId) -> bool) -> bool {
    of.iter().filter(|id| has(**id)).count() >= majority(of.len())
}

impl Voters {
    /// These.
    pub fn of(nodes: impl IntoIterator<Item = NodeId>) -> Voters {
        Voters { now: sorted(nodes), before: [].into() }
    }

    /// These on their way to `next`.
    #[must_use]
    pub fn joint(&self, next: &Voters) -> Voters {
        Voters { now: next.now.clone(), before: self.now.clone() }
    }

    /// Those that a change that is under way leads to.
    #[must_use]
    pub fn settled(&self) -> Voters {
        Voters { now: self.now.clone(), before: [].into() }
    }

    /// Whether one set is giving way to another.
    pub fn is_joint(&self) -> bool {
        !self.before.is_empty()
    }

    /// Whether `node` votes.
    pub fn has(&self, node: NodeId) -> bool {
        self.now.contains(&node) || self.before.contains(&node)
    }

    /// All who vote, each once: those who will go on, and then those who give way.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> {
        let old = self.before.iter().filter(|id| !self.now.contains(id));
        self.now.iter().chain(old).copied()
    }

    /// Those who vote from now on.
    pub fn now(&self) -> &[NodeId] {
        &self.now
    }

    /// Whether those who are so are a quorum.
    pub fn agree(&self, has: impl Fn(NodeId) -> bool) -> bool {
        most(&self.now, &has) && (self.before.is_empty() || most(&self.before, &has))
    }

    /// Whether some of those who are so are in every quorum.
    pub fn block(&self, has: impl Fn(NodeId) -> bool) -> bool {
        !self.agree(|id| !has(id))
    }

    /// The largest value that each of a quorum reaches, if that is more than `floor`.
    pub fn reached<T: Ord + Copy>(&self, floor: T, by: impl Fn(NodeId) -> T) -> Option<T> {
        let half = |of: &[NodeId]| {
            let mut values: SmallVec<[T; 8]> = SmallVec::new();
            of.iter().map(|id| by(*id)).filter(|it| *it > floor).for_each(|it| values.push(it));
            let needed = majority(of.len());
            if values.len() < needed {
                return None;
            }
            values.sort_unstable_by(|a, b| b.cmp(a));
            values.get(needed - 1).copied()
        };
        let now = half(&self.now)?;
        match self.is_joint() {
            true => half(&self.before).map(|before| now.min(before)),
            false => Some(now),
        }
    }

    /// Whether each quorum of these surely shares a node with each quorum of `other`.
    pub fn meet(&self, other: &Voters) -> bool {
        let halves = |voters: &Voters| {
            let halves = [voters.now.clone(), voters.before.clone()];
            halves.into_iter().filter(|half| !half.is_empty()).collect::<Vec<_>>()
        };
        let others = halves(other);
        halves(self).iter().any(|half| others.iter().any(|other| majorities_meet(half, other)))
    }

    /// How many vote in one of them and not in the other.
    pub fn distance(&self, other: &Voters) -> usize {
        let lacks = |a: &Voters, b: &Voters| a.iter().filter(|id| !b.has(*id)).count();
        lacks(self, other) + lacks(other, self)
    }
}

/// Whether each majority of `a` shares a node with each majority of `b`. Two that share none take
/// as few as they can of those who are in both.
fn majorities_meet(a: &[NodeId], b: &[NodeId]) -> bool {
    let both = a.iter().filter(|id| b.contains(id)).count();
    let needs = |set: &[NodeId]| majority(set.len()).saturating_sub(set.len() - both);
    needs(a) + needs(b) > both
}

/// `n1,n2,n3`, or on the way `n1,n2,n3>n1,n4,n5`.
impl fmt::Display for Voters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, nodes: &[NodeId]| {
            nodes
                .iter()
                .enumerate()
                .try_for_each(|(i, id)| write!(f, "{}{id}", if i == 0 { "" } else { "," }))
        };
        if self.is_joint() {
            list(f, &self.before)?;
            f.write_str(">")?;
        }
        list(f, &self.now)
    }
}

/// Reads `n1,n2,n3`: what a person may ask for.
impl FromStr for Voters {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Voters, ParseError> {
        let nodes = text.split(',').map(str::parse).collect::<Result<Vec<NodeId>, _>>()?;
        match nodes.iter().find(|id| id.is_client() || **id == NodeId::BENCH) {
            Some(id) => parse_error(format!("{id} is not a node, so it cannot vote")),
            None => Ok(Voters::of(nodes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters(text: &str) -> Voters {
        match text.split_once('>') {
            Some((before, now)) => voters(before).joint(&voters(now)),
            None => text.parse().unwrap(),
        }
    }

    fn has(ids: &str) -> impl Fn(NodeId) -> bool {
        let set = voters(ids);
        move |id| set.has(id)
    }

    #[test]
    fn a_quorum_is_more_than_half_of_each_set() {
        let simple = voters("n1,n2,n3,n4");
        assert!(!simple.agree(has("n1,n2,n5")) && simple.agree(has("n1,n2,n3")));
        assert!(simple.block(has("n1,n2")) && !simple.block(has("n1")));
        let joint = voters("n1,n2,n3>n3,n4,n5");
        assert!(!joint.agree(has("n1,n2,n3")) && !joint.agree(has("n3,n4,n5")));
        assert!(joint.agree(has("n2,n3,n5")));
        assert!(joint.block(has("n1,n2")) && !joint.block(has("n1,n5")));
    }

    #[test]
    fn what_a_quorum_reaches_is_the_least_of_it() {
        let by = |id: NodeId| u64::from(id.number());
        assert_eq!(voters("n1,n2,n3").reached(0, by), Some(2));
        assert_eq!(voters("n1,n2,n3,n4").reached(0, by), Some(2));
        assert_eq!(voters("n1,n2,n3>n4,n5,n6").reached(0, by), Some(2));
        assert_eq!(voters("n1,n2,n3").reached(2, by), None, "no more than the floor");
        assert_eq!(Voters::of([]).reached(0, by), None);
    }

    /// By trying all sets of five nodes.
    #[test]
    fn quorums_meet_if_no_two_are_apart() {
        let ids = |bits: u32| (1..=5).filter(move |n| bits & 1 << n != 0).map(NodeId::node);
        let sets: Vec<Voters> = (1..32).map(|bits| Voters::of(ids(bits << 1))).collect();
        for a in &sets {
            for b in &sets {
                let apart =
                    sets.iter().any(|q| a.agree(|id| q.has(id)) && !b.block(|id| q.has(id)));
                assert_eq!(a.meet(b), !apart, "{a} and {b}");
                assert!(a.joint(b).meet(a) && b.meet(&a.joint(b)));
                assert!(a.distance(b) != 1 || a.meet(b), "one at a time is safe: {a} and {b}");
            }
        }
    }

    #[test]
    fn they_read_back_what_they_print() {
        assert_eq!(voters("n3,n1,n3").to_string(), "n1,n3");
        assert_eq!(voters("n1,n2>n2,n3").to_string(), "n1,n2>n2,n3");
        for text in ["", "n1,", "c1", "n1>n2", "x"] {
            assert!(text.parse::<Voters>().is_err(), "{text}");
        }
    }
}
