//! Requests that are spread over backends.
//!
//! | rule | holds as long as |
//! |---|---|
//! | LB-1 | a balancer picks who is healthy by its own words, unless too few are and it says so |
//! | LB-2 | round robin over the same backends gives all the same number, give or take one |
//! | LB-3 | weighted round robin serves whoever is furthest behind its weight |
//! | LB-5 | least connections picks whoever has the least to do for its weight |
//! | LB-7 | a retry goes elsewhere while another is up, and retries keep within their budget |
//! | LB-8 | no more than the stated share of backends is ejected at once |
//! | LB-9 | a backend that drains has nothing left when all it had could be done |
//! | LB-10 | a backend that has returned gets no more than it has warmed up for |
//! | LB-11 | by hash, nobody has more than 5/4 of its fair part |
//! | LB-12 | who fails too often in a row is ejected, if that is possible |
//!
//! A balancer is judged by what it says: what it knows may be old, and that is legal. Who looks in
//! late does not know what was under way, so loads and budgets are judged of those balancers only
//! whose start was seen. Picks by chance are judged by nobody: their distribution is a matter for
//! tests.

use super::{Check, Violation, Witness};
use crate::base::balance::{Limits, Policy, Serving};
use crate::base::placement::{BOUND, Member};
use crate::base::{CallId, NodeId, Span, Time};
use crate::event::{Balancing, Ended, Event, Fact, Kind, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// A clock may be so much faster than the world's, in tenths, and this much may pass between a
/// decision and its event.
const DRIFT: u64 = 11;
const LATE: Span = Span::millis(50);
/// What a retry costs, in percent of itself.
const RETRY: u32 = 100;

/// What has warmed up so far.
#[derive(Clone, Copy, Debug)]
struct Warm {
    since: Time,
    all: u64,
    own: u64,
}

/// What a balancer has said.
#[derive(Clone, Debug)]
struct Ghost {
    policy: Policy,
    limits: Limits,
    weights: BTreeMap<NodeId, u16>,
    standings: BTreeMap<NodeId, Standing>,
    /// Its start was seen, and everything since.
    whole: bool,
    /// First tries of each backend since the pool changed, and whether that was seen.
    counts: BTreeMap<NodeId, u64>,
    exact: bool,
    /// What each has to do, as the balancer knows.
    active: BTreeMap<NodeId, u32>,
    told: BTreeMap<NodeId, u32>,
    /// Where the requests failed that are not over, and in which event.
    failed: BTreeMap<CallId, (NodeId, usize)>,
    failures: BTreeMap<NodeId, (u8, usize)>,
    due: BTreeMap<NodeId, usize>,
    warm: BTreeMap<NodeId, Warm>,
    saved: u32,
}

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    balancers: BTreeMap<NodeId, Ghost>,
    /// Who was seen to start, and has not said yet whom it spreads requests over.
    started: BTreeSet<NodeId>,
    /// Backends that drain: until when, and since which event.
    draining: BTreeMap<NodeId, (Time, usize)>,
    busy: BTreeMap<NodeId, u32>,
}

/// What is wrong: the rule, in words, and the earlier events that it contradicts.
type Wrong = (&'static str, String, Vec<usize>);

impl Ghost {
    fn new(policy: Policy, limits: Limits, backends: &[Member], whole: bool) -> Ghost {
        Ghost {
            policy,
            limits,
            weights: backends.iter().map(|member| (member.node, member.weight)).collect(),
            standings: BTreeMap::new(),
            whole,
            counts: BTreeMap::new(),
            exact: whole,
            active: BTreeMap::new(),
            told: BTreeMap::new(),
            failed: BTreeMap::new(),
            failures: BTreeMap::new(),
            due: BTreeMap::new(),
            warm: BTreeMap::new(),
            saved: Limits::BURST * RETRY,
        }
    }

    fn standing(&self, backend: NodeId) -> Standing {
        self.standings.get(&backend).copied().unwrap_or(Standing::Up)
    }

    fn those(&self, is: impl Fn(Standing) -> bool) -> Vec<NodeId> {
        self.weights.keys().copied().filter(|node| is(self.standing(*node))).collect()
    }

    fn healthy(&self) -> Vec<NodeId> {
        self.those(|standing| matches!(standing, Standing::Up | Standing::Warming))
    }

    fn weight(&self, backend: NodeId) -> u64 {
        self.weights.get(&backend).copied().unwrap_or(1).into()
    }

    fn load(&self, backend: NodeId) -> u64 {
        let known = if self.limits.reports { &self.told } else { &self.active };
        known.get(&backend).copied().unwrap_or_default().into()
    }

    /// LB-8, and whom LB-12 has waited for.
    fn rates(&mut self, at: Time, backend: NodeId, standing: Standing) -> Option<Wrong> {
        self.standings.insert(backend, standing);
        (self.counts, self.exact) = (BTreeMap::new(), true);
        self.failures.remove(&backend);
        self.due.remove(&backend);
        match standing {
            Standing::Warming => {
                self.warm.insert(backend, Warm { since: at, all: 0, own: 0 });
            }
            _ => drop(self.warm.remove(&backend)),
        }
        let out = self.those(|standing| standing == Standing::Ejected).len();
        let most = self.limits.most_ejected(self.weights.len());
        (out > most).then(|| {
            let all = self.weights.len();
            ("LB-8", format!("{out} of {all} backends are ejected, {most} may be"), Vec::new())
        })
    }

    fn picks(
        &mut self,
        at: Time,
        call: CallId,
        backend: NodeId,
        retry: u8,
        panic: bool,
    ) -> Option<Wrong> {
        if retry == 0 {
            self.saved =
                (self.saved + u32::from(self.limits.retry_budget)).min(Limits::BURST * RETRY);
        }
        let healthy = self.healthy();
        let wrong = self
            .unhealthy(backend, panic, &healthy)
            .or_else(|| self.overdue())
            .or_else(|| self.retries(call, backend, retry, panic, &healthy))
            .or_else(|| self.too_warm(at, backend, panic, &healthy))
            .or_else(|| self.unfair(backend, retry, panic, &healthy));
        self.note(backend, retry);
        wrong
    }

    fn note(&mut self, backend: NodeId, retry: u8) {
        if retry == 0 {
            *self.counts.entry(backend).or_default() += 1;
        } else {
            self.saved = self.saved.saturating_sub(RETRY);
        }
        *self.active.entry(backend).or_default() += 1;
        *self.told.entry(backend).or_default() += 1;
        for (node, warm) in &mut self.warm {
            warm.all += 1;
            warm.own += u64::from(*node == backend);
        }
    }

    /// LB-1.
    fn unhealthy(&self, backend: NodeId, panic: bool, healthy: &[NodeId]) -> Option<Wrong> {
        let standing = self.standing(backend);
        let open = self.those(|standing| standing != Standing::Draining).len();
        let what = match (panic, standing) {
            (_, Standing::Draining) => format!("{backend} is picked, which drains"),
            (false, Standing::Down | Standing::Ejected) => {
                format!("{backend} is picked, which is {standing}, without a panic")
            }
            (true, _) if !self.limits.panics(healthy.len(), open) => {
                format!("it panics though {} of {open} backends are healthy", healthy.len())
            }
            _ => return None,
        };
        Some(("LB-1", what, Vec::new()))
    }

    /// LB-12.
    fn overdue(&mut self) -> Option<Wrong> {
        let (backend, failed) = self.due.pop_first()?;
        let what = format!("{backend} has failed {} times in a row", self.limits.eject_after);
        Some(("LB-12", format!("{what} and is not ejected"), vec![failed]))
    }

    /// LB-7.
    fn retries(
        &mut self,
        call: CallId,
        backend: NodeId,
        retry: u8,
        panic: bool,
        healthy: &[NodeId],
    ) -> Option<Wrong> {
        let failed = self.failed.remove(&call).filter(|_| retry > 0);
        let is_up = |other: &&NodeId| self.standing(**other) == Standing::Up;
        let elsewhere = healthy.iter().filter(is_up).any(|other| *other != backend);
        if let Some((_, at)) = failed.filter(|(last, _)| *last == backend && elsewhere && !panic) {
            let what = format!("{call} is sent to {backend} again, where it has just failed");
            return Some(("LB-7", what, vec![at]));
        }
        let spent = self.whole && self.saved < RETRY;
        (retry > self.limits.retries || (retry > 0 && spent)).then(|| {
            let what = format!("{call} is tried again though the budget for retries is spent");
            ("LB-7", what, Vec::new())
        })
    }

    /// LB-10.
    fn too_warm(
        &self,
        at: Time,
        backend: NodeId,
        panic: bool,
        healthy: &[NodeId],
    ) -> Option<Wrong> {
        let warm = self.warm.get(&backend).filter(|_| !panic)?;
        let others = healthy.iter().any(|node| self.standing(*node) == Standing::Up);
        let ago = Span(at.since(warm.since).0 / 10 * DRIFT) + LATE;
        let most = self.limits.warmed(ago, warm.all, healthy.len());
        (others && warm.own > most).then(|| {
            let what = format!(
                "{backend} gets request {} of {} since it has returned",
                warm.own + 1,
                warm.all + 1
            );
            ("LB-10", what, Vec::new())
        })
    }

    /// LB-2, 3, 5 and 11: what the policy promises.
    fn unfair(&self, backend: NodeId, retry: u8, panic: bool, healthy: &[NodeId]) -> Option<Wrong> {
        let steady = healthy.iter().all(|node| self.standing(*node) == Standing::Up);
        let turn = retry == 0 && !panic && steady;
        let no_event = Vec::new;
        match self.policy {
            Policy::RoundRobin if turn => {
                let count = |node: &NodeId| self.counts.get(node).copied().unwrap_or_default();
                let least = healthy.iter().map(count).min()?;
                let own = count(&backend);
                let what = format!("{backend} gets its turn {} when others had {least}", own + 1);
                (own > least).then(|| ("LB-2", what, no_event()))
            }
            Policy::Weighted if turn && self.exact => {
                let (mine, first, claim) = self.claims(backend, healthy)?;
                let what = format!("{backend} is picked, with a claim of {mine}, before {first}");
                (mine < claim).then(|| ("LB-3", format!("{what}, with {claim}"), no_event()))
            }
            Policy::LeastConnections if self.whole && retry == 0 && !panic => {
                let up = healthy.iter().filter(|node| self.standing(**node) == Standing::Up);
                let freer = |other: &&NodeId| {
                    self.load(**other) * self.weight(backend)
                        < self.load(backend) * self.weight(**other)
                };
                let (other, own) = (up.copied().find(|other| freer(&other))?, self.load(backend));
                let what = format!("{backend} is picked with {own} to do, {other} has");
                Some(("LB-5", format!("{what} {} for its weight", self.load(other)), no_event()))
            }
            Policy::Hash if self.whole && retry == 0 && !panic && steady => {
                let all: u64 = 1 + healthy.iter().map(|node| self.load(*node)).sum::<u64>();
                let weights: u64 = healthy.iter().map(|node| self.weight(*node)).sum();
                let (part, whole) = BOUND;
                let most = (all * self.weight(backend) * part).div_ceil((weights * whole).max(1));
                let what =
                    format!("{backend} has {} to do, {most} are its bound", self.load(backend));
                (self.load(backend) >= most).then(|| ("LB-11", what, no_event()))
            }
            _ => None,
        }
    }

    /// How far the picked one is behind its weight, and who is furthest behind, and how far.
    fn claims(&self, backend: NodeId, healthy: &[NodeId]) -> Option<(i64, NodeId, i64)> {
        let total: u64 = healthy.iter().map(|node| self.weight(*node)).sum();
        let picks: u64 = self.counts.values().sum();
        let claim = |node: NodeId| {
            let count = self.counts.get(&node).copied().unwrap_or_default();
            let (due, had) = ((picks + 1) * self.weight(node), count * total);
            i64::try_from(due).unwrap_or(i64::MAX) - i64::try_from(had).unwrap_or(i64::MAX)
        };
        let first = healthy.iter().copied().max_by_key(|node| claim(*node))?;
        Some((claim(backend), first, claim(first)))
    }

    fn tried(&mut self, at: usize, call: CallId, backend: NodeId, ended: Ended) {
        let active = self.active.entry(backend).or_default();
        *active = active.saturating_sub(1);
        match ended {
            Ended::Served => drop(self.failed.remove(&call)),
            _ => drop(self.failed.insert(call, (backend, at))),
        }
        while self.failed.len() > 1_000 {
            self.failed.pop_first();
        }
        match ended {
            Ended::Served => drop(self.failures.remove(&backend)),
            Ended::Failed | Ended::TimedOut if self.healthy().contains(&backend) => {
                let out = self.those(|standing| standing == Standing::Ejected).len();
                let room = out < self.limits.most_ejected(self.weights.len());
                let (count, _) = self.failures.entry(backend).or_insert((0, at));
                *count = count.saturating_add(1);
                if *count >= self.limits.eject_after && room {
                    self.due.insert(backend, at);
                }
            }
            _ => {}
        }
    }
}

impl Balance {
    fn hear(&mut self, at: usize, event: &Event, fact: &Balancing, again: bool) -> Option<Wrong> {
        let (node, now) = (event.node, event.at);
        match fact {
            Balancing::Spreads { policy, limits, backends } => {
                let whole = self.started.remove(&node);
                let known = self.balancers.get(&node).is_some_and(|ghost| ghost.whole);
                if whole || !(again && known) {
                    let ghost = Ghost::new(*policy, *limits, backends, whole);
                    self.balancers.insert(node, ghost);
                }
                None
            }
            Balancing::Serves { how, slots, room, slowest } => {
                self.serves(at, event, *how, (*slots, *room, *slowest));
                None
            }
            Balancing::Busy { active, waiting } => {
                self.busy.insert(node, active + waiting);
                if active + waiting == 0 {
                    self.draining.remove(&node);
                }
                None
            }
            _ => {
                let ghost = self.balancers.get_mut(&node)?;
                match fact {
                    Balancing::Rates { .. } if again && ghost.whole => None,
                    Balancing::Rates { backend, standing } => {
                        let wrong = ghost.rates(now, *backend, *standing);
                        ghost.exact &= !again;
                        wrong
                    }
                    Balancing::Learns { backend, load } => {
                        ghost.told.insert(*backend, *load);
                        None
                    }
                    Balancing::Picks { call, backend, retry, panic } => {
                        ghost.picks(now, *call, *backend, *retry, *panic)
                    }
                    Balancing::Tried { call, backend, ended, .. } => {
                        ghost.tried(at, *call, *backend, *ended);
                        None
                    }
                    _ => None,
                }
            }
        }
    }

    /// A backend that drains is to have nothing left when all that it can have is done, one batch
    /// after the other; twice that, to be fair.
    fn serves(
        &mut self,
        at: usize,
        event: &Event,
        how: Serving,
        (slots, room, slowest): (u16, u16, Span),
    ) {
        self.draining.remove(&event.node);
        let busy = self.busy.get(&event.node).is_some_and(|busy| *busy > 0);
        if how == Serving::Draining && busy {
            let batches = u64::from(room.div_ceil(slots.max(1))) + 1;
            let until = event.at + slowest.times(2 * batches) + LATE;
            self.draining.insert(event.node, (until, at));
        }
    }

    /// LB-9.
    fn restless(&mut self, now: Time) -> Option<(NodeId, Wrong)> {
        let (node, at) = self
            .draining
            .iter()
            .find(|(_, (until, _))| now > *until)
            .map(|(n, (_, at))| (*n, *at))?;
        self.draining.remove(&node);
        let left = self.busy.get(&node).copied().unwrap_or_default();
        let what = format!("{node} drains and still has {left} requests");
        Some((node, ("LB-9", what, vec![at])))
    }

    fn forget(&mut self, node: NodeId) {
        self.balancers.remove(&node);
        self.started.remove(&node);
        self.draining.remove(&node);
        self.busy.remove(&node);
    }
}

impl Check for Balance {
    fn name(&self) -> &'static str {
        "balance"
    }

    fn about(&self) -> &'static str {
        "Requests go to healthy backends, each gets its part, and trouble is not multiplied."
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Balance(_)))
    }

    fn gap(&mut self, node: NodeId) {
        match node {
            NodeId::BENCH => *self = Balance::default(),
            node => self.forget(node),
        }
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let wrong = match &event.kind {
            Kind::Started { .. } => {
                self.forget(event.node);
                self.started.insert(event.node);
                None
            }
            // Who is frozen, or has a wrong clock, gets nothing done meanwhile.
            Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } | Kind::Paused => {
                self.draining.remove(&event.node);
                None
            }
            Kind::Fact(Fact::Balance(fact)) => {
                self.hear(at, event, fact, witness.restates(event.node))
            }
            _ => None,
        };
        let wrong = wrong.map(|wrong| (event.node, wrong)).or_else(|| self.restless(event.at));
        let (node, (rule, what, because)) = wrong?;
        let what = format!("{node}: {what}");
        Some(Violation { check: "balance", rule, what, at, because })
    }
}
