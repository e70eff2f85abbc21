//! Requests that are spread over backends: what each balancer makes of them, and what they have to
//! do.

use super::remember;
use crate::base::balance::{Limits, Policy, Serving};
use crate::base::placement::Member;
use crate::base::{NodeId, Span, Time};
use crate::event::{Balancing, Ended, Standing};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many picks are kept, the last ones, to tell shares from.
pub const MAX_PICKS: usize = 400;
/// For how long a panic is called one after the last pick that went by no health.
const PANIC: Span = Span::secs(1);
/// A latency counts for so many parts of the average, the ones before for the others.
const PART: u64 = 8;

/// A balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// How it picks.
    pub policy: Policy,
    /// What bounds that.
    pub limits: Limits,
    /// Over whom it spreads requests.
    pub backends: Arc<[Member]>,
    /// What it makes of those that are not up, and since when.
    pub standings: BTreeMap<NodeId, (Standing, Time)>,
    /// When a backend last told its load, and that.
    pub told: BTreeMap<NodeId, (Time, u32)>,
    /// How many requests of this balancer each backend has.
    pub active: BTreeMap<NodeId, u32>,
    /// How many requests it was asked for, and how many tries were retries.
    pub requests: u64,
    /// How many tries were retries.
    pub retries: u64,
    panic: Option<Time>,
}

impl Balancer {
    /// What it makes of a backend.
    pub fn standing(&self, backend: NodeId) -> Standing {
        self.standings.get(&backend).map_or(Standing::Up, |(standing, _)| *standing)
    }

    /// Whether it goes by no health now.
    pub fn panics(&self, now: Time) -> bool {
        self.panic.is_some_and(|at| now.since(at) <= PANIC)
    }

    /// How old the oldest load is that it goes by; none if it counts itself, or nobody told it.
    pub fn age(&self, now: Time) -> Option<Span> {
        let oldest = self.told.values().map(|(at, _)| *at).min();
        oldest.filter(|_| self.limits.reports).map(|at| now.since(at))
    }
}

/// A backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// How it serves.
    pub how: Serving,
    /// How many requests it works on at once.
    pub slots: u16,
    /// How many may wait.
    pub room: u16,
    /// How many it works on.
    pub active: u32,
    /// How many wait.
    pub waiting: u32,
    /// How long requests that were served there took, as balancers saw it: the average, where
    /// recent ones count for more. None if nothing was served.
    pub latency: Option<Span>,
    /// How many tries were served there.
    pub served: u64,
    /// How many were not.
    pub failed: u64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    balancers: BTreeMap<NodeId, Balancer>,
    backends: BTreeMap<NodeId, Backend>,
    /// The last picks of all balancers.
    picks: VecDeque<NodeId>,
}

impl Balance {
    /// Whether nothing is spread.
    pub fn is_empty(&self) -> bool {
        self.balancers.is_empty() && self.backends.is_empty()
    }

    /// The balancers that run.
    pub fn balancers(&self) -> impl Iterator<Item = (NodeId, &Balancer)> {
        self.balancers.iter().map(|(node, balancer)| (*node, balancer))
    }

    /// The backends.
    pub fn backends(&self) -> impl Iterator<Item = (NodeId, &Backend)> {
        self.backends.iter().map(|(node, backend)| (*node, backend))
    }

    /// A backend, if it is one.
    pub fn backend(&self, node: NodeId) -> Option<&Backend> {
        self.backends.get(&node)
    }

    /// How many of the last [`MAX_PICKS`] picks went to a backend, and how many there were.
    pub fn share(&self, node: NodeId) -> (usize, usize) {
        (self.picks.iter().filter(|pick| **pick == node).count(), self.picks.len())
    }

    /// A node that is down has nothing to do and knows nothing.
    pub(super) fn fall(&mut self, node: NodeId) {
        self.balancers.remove(&node);
        if let Some(backend) = self.backends.get_mut(&node) {
            (backend.active, backend.waiting, backend.how) = (0, 0, Serving::Well);
        }
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Balancing) {
        match fact {
            Balancing::Spreads { policy, limits, backends } => {
                self.spreads(node, *policy, *limits, backends);
            }
            Balancing::Serves { how, slots, room, .. } => {
                let backend = self.backends.entry(node).or_default();
                (backend.how, backend.slots, backend.room) = (*how, *slots, *room);
            }
            Balancing::Busy { active, waiting } => {
                let backend = self.backends.entry(node).or_default();
                (backend.active, backend.waiting) = (*active, *waiting);
            }
            Balancing::Picks { backend, .. } => {
                remember(&mut self.picks, MAX_PICKS, *backend);
                self.of_balancer(at, node, fact);
            }
            Balancing::Tried { backend, ended, took, .. } => {
                self.backends.entry(*backend).or_default().tried(*ended, *took);
                self.of_balancer(at, node, fact);
            }
            Balancing::Rates { .. } | Balancing::Learns { .. } => self.of_balancer(at, node, fact),
        }
    }

    fn spreads(&mut self, node: NodeId, policy: Policy, limits: Limits, backends: &Arc<[Member]>) {
        for member in backends.iter() {
            self.backends.entry(member.node).or_default();
        }
        let known = self.balancers.entry(node).or_insert_with(|| Balancer {
            policy,
            limits,
            backends: Arc::clone(backends),
            standings: BTreeMap::new(),
            told: BTreeMap::new(),
            active: BTreeMap::new(),
            requests: 0,
            retries: 0,
            panic: None,
        });
        // Whoever is not up is named next.
        known.standings.clear();
    }

    fn of_balancer(&mut self, at: Time, node: NodeId, fact: &Balancing) {
        let Some(balancer) = self.balancers.get_mut(&node) else { return };
        match fact {
            Balancing::Rates { backend, standing: Standing::Up } => {
                balancer.standings.remove(backend);
            }
            Balancing::Rates { backend, standing } => {
                balancer.standings.insert(*backend, (*standing, at));
            }
            Balancing::Learns { backend, load } => {
                balancer.told.insert(*backend, (at, *load));
            }
            Balancing::Picks { backend, retry, panic, .. } => {
                *balancer.active.entry(*backend).or_default() += 1;
                balancer.requests += u64::from(*retry == 0);
                balancer.retries += u64::from(*retry > 0);
                balancer.panic = if *panic { Some(at) } else { balancer.panic };
            }
            Balancing::Tried { backend, .. } => {
                let active = balancer.active.entry(*backend).or_default();
                *active = active.saturating_sub(1);
            }
            _ => {}
        }
    }
}

impl Backend {
    fn tried(&mut self, ended: Ended, took: Span) {
        if ended != Ended::Served {
            self.failed += 1;
            return;
        }
        self.served += 1;
        let before = self.latency.unwrap_or(took);
        self.latency = Some(Span((before.0 * (PART - 1) + took.0) / PART));
    }
}
