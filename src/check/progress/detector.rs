//! Who suspects whom: what a failure detector owes in the end (Chandra and Toueg 1996).
//!
//! It owes *completeness* (LIVE-4, FD-1): whoever is down is suspected by all who watch it. And
//! *accuracy* (LIVE-5, FD-2): nobody who is alive stays suspected. A wrong suspicion that passes is
//! legal, however often it comes, and so is any as long as something is broken.

use crate::base::{NodeId, Span, Time};
use crate::event::{Event, Fact, Kind, Presence};
use std::collections::{BTreeMap, BTreeSet};

/// How much later than its patience says a node may notice: for messages under way when a fault
/// ended, and for heartbeats that chance makes late.
const SLACK: Span = Span::secs(2);
/// How often is looked.
const PAUSE: Span = Span::millis(500);

/// What was seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Detector {
    /// How long at the most a node trusts another that is silent.
    patience: Span,
    /// Who suspects whom: the observer first.
    suspected: BTreeSet<(NodeId, NodeId)>,
    /// Who has said what it thinks of others.
    watching: BTreeSet<NodeId>,
    /// Since when nodes are down, and since when they run.
    down: BTreeMap<NodeId, Time>,
    up: BTreeMap<NodeId, Time>,
    reported: BTreeSet<(NodeId, NodeId)>,
    /// When to look next.
    due: Time,
}

impl Detector {
    /// For a cluster whose nodes trust each other in silence for so long at the most.
    pub(super) fn new(patience: Span) -> Detector {
        Detector { patience, ..Detector::default() }
    }

    pub(super) fn see(&mut self, event: &Event) {
        let (node, at) = (event.node, event.at);
        match &event.kind {
            Kind::Fact(Fact::Suspects { who, .. } | Fact::Dead { who, .. }) => {
                self.watching.insert(node);
                self.suspected.insert((node, *who));
            }
            Kind::Fact(Fact::Trusts { who, .. }) => {
                self.watching.insert(node);
                self.suspected.remove(&(node, *who));
                self.reported.remove(&(node, *who));
            }
            Kind::Started { .. } => {
                self.forget(node);
                self.up.insert(node, at);
            }
            Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } => {
                self.forget(node);
                self.down.insert(node, at);
            }
            Kind::Paused => drop(self.up.remove(&node)),
            Kind::Resumed => drop(self.up.insert(node, at)),
            Kind::Present { state, .. } => {
                self.forget(node);
                match state {
                    Presence::Down => drop(self.down.insert(node, at)),
                    Presence::Up => drop(self.up.insert(node, at)),
                    Presence::Paused => {}
                }
            }
            _ => {}
        }
    }

    /// What a node thinks, and how it is, is not known any more.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.suspected.retain(|(observer, _)| *observer != node);
        self.reported.retain(|(observer, _)| *observer != node);
        self.watching.remove(&node);
        self.down.remove(&node);
        self.up.remove(&node);
    }

    /// All of it is not known any more.
    pub(super) fn forget_all(&mut self) {
        *self = Detector::new(self.patience);
    }

    /// What it owes, and which rule that breaks. Links, clocks and disks are as they should be
    /// since `smooth`; nothing at all is broken since `calm`, if that is so.
    pub(super) fn overdue(
        &mut self,
        now: Time,
        smooth: Time,
        calm: Option<Time>,
    ) -> Option<(&'static str, String)> {
        if now < self.due {
            return None;
        }
        self.due = now + PAUSE;
        let bound = self.patience.times(2) + SLACK;
        let (pair, rule, what) = self.unnoticed(now, smooth, bound).or_else(|| {
            let since = calm.filter(|since| now > *since + bound)?;
            let pair = *self.suspected.difference(&self.reported).next()?;
            let what = format!("{} suspects {}, which is alive since {since}", pair.0, pair.1);
            Some((pair, "LIVE-5", what))
        })?;
        self.reported.insert(pair);
        Some((rule, what))
    }

    /// Somebody is down for long, and somebody who watches does not suspect it.
    fn unnoticed(
        &self,
        now: Time,
        smooth: Time,
        bound: Span,
    ) -> Option<((NodeId, NodeId), &'static str, String)> {
        let down = self.down.iter().filter(|(node, _)| !node.is_client());
        let mut pairs = down.flat_map(|(node, since)| {
            let watching = self.watching.iter().filter_map(|who| Some((*who, *self.up.get(who)?)));
            watching.map(|(who, up)| ((who, *node), up.max(*since).max(smooth)))
        });
        let open = |pair: &(NodeId, NodeId)| {
            !self.suspected.contains(pair) && !self.reported.contains(pair)
        };
        let (pair, since) = pairs.find(|(pair, since)| now > *since + bound && open(pair))?;
        let what = format!("{} does not suspect {}, which is down since {since}", pair.0, pair.1);
        Some((pair, "LIVE-4", what))
    }
}
