//! Convergence: replicas that compare what they have become equal, once nothing is broken.

use super::super::quorum::Copies;
use crate::base::{Name, NodeId, Span, Time};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Replicas {
    copies: Copies,
    /// Since when the replicas of a key have not been equal.
    since: BTreeMap<Name, Time>,
    reported: BTreeSet<Name>,
}

impl Replicas {
    pub(super) fn see(&mut self, event: &Event) {
        let epoch = self.copies.epoch();
        self.copies.see(event);
        match &event.kind {
            Kind::Fact(Fact::Keeps { key, .. }) => self.look(key.clone(), event.at),
            Kind::Fact(Fact::View { .. }) if self.copies.epoch() == epoch => {}
            Kind::Fact(Fact::View { .. } | Fact::Restated) | Kind::Started { .. } => {
                let all: Vec<Name> = self.copies.keys().cloned().collect();
                all.into_iter().for_each(|key| self.look(key, event.at));
            }
            _ => {}
        }
    }

    fn look(&mut self, key: Name, now: Time) {
        match self.copies.differ(&key) {
            Some(_) => drop(self.since.entry(key).or_insert(now)),
            None => {
                self.since.remove(&key);
                self.reported.remove(&key);
            }
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.copies.forget(node);
        self.since.clear();
    }

    /// A key whose replicas have differed for too long, when nothing has been broken since `calm`.
    pub(super) fn overdue(&mut self, now: Time, calm: Time, within: Span) -> Option<String> {
        let late = |(key, since): &(&Name, &Time)| {
            now > (**since).max(calm) + within && !self.reported.contains(*key)
        };
        let (key, since) = self.since.iter().find(late)?;
        let (one, other) = self.copies.differ(key)?;
        let what = format!("{one} and {other} have not kept the same of {key} since {since}");
        self.reported.insert(key.clone());
        Some(what)
    }
}
