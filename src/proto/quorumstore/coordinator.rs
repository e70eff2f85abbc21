//! The coordinator's part: it asks all replicas of a key, and counts who answers.

mod reading;
mod writing;

pub(super) use reading::{Reading, Want};
pub(super) use writing::{Purpose, Writing};

use super::QuorumStore;
use crate::base::{Conflict, Mutation, Name, NodeId, Outcome, Version};

/// Whose answers make a quorum.
struct Need {
    /// How many of each list.
    count: u8,
    /// How many others count for any that are missing.
    others: usize,
    /// A coordinator that counts itself twice.
    twice: Option<NodeId>,
}

impl Need {
    fn of(count: u8) -> Need {
        Need { count, others: 0, twice: None }
    }
}

impl QuorumStore {
    /// Whether so many of each preference list of a key are among those who have answered.
    fn is_quorum(&self, key: &Name, has: impl Fn(&NodeId) -> bool, need: &Need) -> bool {
        let lists = self.lists(key);
        let enough = |list: &&[NodeId]| {
            let answered = list.iter().filter(|node| has(node));
            let twice = |node: &&NodeId| need.twice == Some(**node);
            let count = answered.clone().count() + answered.filter(twice).count();
            count + need.others >= usize::from(need.count).min(list.len())
        };
        !lists.is_empty() && lists.iter().all(enough)
    }

    /// Who may stand in for a replica, nearest first: nodes further along the ring that are none.
    fn stand_ins(&self, key: &Name) -> Vec<NodeId> {
        let replicas = self.replicas(key);
        let Some(ring) = self.ring() else { return Vec::new() };
        let walk = ring.walk(ring.position(key.as_str()));
        walk.filter(|node| !replicas.contains(node) && !self.suspects.contains(node)).collect()
    }

    /// What the writer of a version is told.
    fn done(&self, version: &Version) -> Outcome {
        match (self.config.quorum.versions, version.value) {
            (Conflict::Siblings, _) => Outcome::Done,
            (_, Some(value)) => Outcome::Written { value, version: version.number() },
            (_, None) => Outcome::Value { value: None, version: version.number() },
        }
    }

    /// How many a read needs.
    fn reads_need(&self) -> u8 {
        if self.has(Mutation::QuorumReadOne) { 1 } else { self.config.quorum.r }
    }
}
