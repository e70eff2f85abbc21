//! What a balancer makes of its backends: who is healthy, who is left out, who warms up.

use super::policy::Candidate;
use super::{Cx, Settings, Timer};
use crate::base::placement::Member;
use crate::base::{Mutation, Mutations, NodeId, Span, Time};
use crate::event::{Balancing, Ended, Fact, Standing};
use std::collections::BTreeMap;

/// A backend that gets its full part little by little.
#[derive(Clone, Copy, Debug)]
struct Warm {
    since: Time,
    /// How many requests everybody has had since then, and how many it.
    all: u64,
    own: u64,
}

/// What is known of one backend.
#[derive(Clone, Debug)]
struct Known {
    weight: u16,
    said: Standing,
    draining: bool,
    down: bool,
    ejected: bool,
    warm: Option<Warm>,
    /// Whether it has answered the last probe, and its life then; 0 if it never did.
    answered: bool,
    boot: u32,
    /// Probes in a row that it did not answer, or did.
    missed: u8,
    heard: u8,
    /// Requests in a row that failed.
    failures: u8,
    /// Requests of this balancer that it has.
    active: u32,
    /// What it reported last, and how much it was sent since.
    reported: u32,
    since: u32,
}

impl Known {
    fn standing(&self) -> Standing {
        match self {
            Known { draining: true, .. } => Standing::Draining,
            Known { down: true, .. } => Standing::Down,
            Known { ejected: true, .. } => Standing::Ejected,
            Known { warm: Some(_), .. } => Standing::Warming,
            _ => Standing::Up,
        }
    }

    fn is_healthy(&self) -> bool {
        matches!(self.said, Standing::Up | Standing::Warming)
    }
}

/// Whom a request may go to, and whether that is for want of anybody healthy.
pub(super) struct Choice {
    pub(super) among: Vec<Candidate>,
    pub(super) panic: bool,
}

/// All backends of one balancer.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    settings: Settings,
    mutations: Mutations,
    all: BTreeMap<NodeId, Known>,
    round: u64,
    /// What it makes of somebody has changed since it was last asked.
    changed: bool,
}

impl Pool {
    pub(super) fn new(backends: &[Member], settings: Settings, mutations: Mutations) -> Pool {
        let known = |weight| Known {
            weight,
            said: Standing::Up,
            draining: false,
            down: false,
            ejected: false,
            warm: None,
            answered: true,
            boot: 0,
            missed: 0,
            heard: 0,
            failures: 0,
            active: 0,
            reported: 0,
            since: 0,
        };
        let all = backends.iter().map(|member| (member.node, known(member.weight))).collect();
        Pool { settings, mutations, all, round: 0, changed: false }
    }

    /// Whether it makes something else of somebody than when this was asked last.
    pub(super) fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whom the next request may go to.
    pub(super) fn choice(&self, now: Time) -> Choice {
        let has = |mutation| self.mutations.has(mutation);
        let is_open = |known: &Known| !known.draining || has(Mutation::BalanceIgnoreDrain);
        let healthy = self.all.values().filter(|known| known.is_healthy()).count();
        let open = self.all.values().filter(|known| !known.draining).count();
        let panic = self.settings.limits.panics(healthy, open);
        let is_in = |known: &Known| match known.said {
            Standing::Up | Standing::Warming => true,
            Standing::Draining => is_open(known),
            Standing::Ejected => panic || has(Mutation::BalancePickEjected),
            Standing::Down => panic,
        };
        let pool: Vec<_> = self.all.iter().filter(|(_, known)| is_in(known)).collect();
        let may = |known: &Known| panic || self.is_warm_enough(known, now, healthy);
        let warm: Vec<_> = pool.iter().filter(|(_, known)| may(known)).copied().collect();
        let among = if warm.is_empty() { pool } else { warm };
        let candidate = |(node, known): (&NodeId, &Known)| {
            let Known { weight, .. } = *known;
            Candidate { node: *node, weight, load: self.load(known) }
        };
        let panic = panic && !has(Mutation::BalanceSilentPanic);
        Choice { among: among.into_iter().map(candidate).collect(), panic }
    }

    fn load(&self, known: &Known) -> u32 {
        match self.settings.limits.reports {
            true if self.mutations.has(Mutation::BalanceStaleLoad) => known.reported,
            true => known.reported + known.since,
            false => known.active,
        }
    }

    fn is_warm_enough(&self, known: &Known, now: Time, pool: usize) -> bool {
        known.warm.is_none_or(|Warm { since, all, own }| {
            own <= self.settings.limits.warmed(now.since(since), all, pool)
                || self.mutations.has(Mutation::BalanceNoSlowStart)
        })
    }

    /// A request has been sent to it.
    pub(super) fn sent(&mut self, to: NodeId) {
        for (node, known) in &mut self.all {
            let is = *node == to;
            known.active += u32::from(is);
            known.since += u32::from(is);
            if let Some(warm) = &mut known.warm {
                warm.all += 1;
                warm.own += u64::from(is);
            }
        }
    }

    /// A request there is over.
    pub(super) fn ended(&mut self, node: NodeId, ended: Ended, cx: &mut Cx<'_>) {
        let Some(known) = self.all.get_mut(&node) else { return };
        known.active = known.active.saturating_sub(1);
        match ended {
            Ended::Served => known.failures = 0,
            Ended::Drained => known.draining = true,
            Ended::Failed | Ended::TimedOut if known.is_healthy() => {
                known.failures = known.failures.saturating_add(1);
            }
            _ => {}
        }
        self.tell(node, cx);
        self.eject(node, cx);
    }

    /// Leaves it out for a while if it has failed too often, unless too many are left out.
    fn eject(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let limits = self.settings.limits;
        let out = self.all.values().filter(|known| known.ejected).count();
        let room = out < limits.most_ejected(self.all.len())
            || self.mutations.has(Mutation::BalanceEjectAll);
        let never = self.mutations.has(Mutation::BalanceNeverEject);
        let Some(known) = self.all.get_mut(&node) else { return };
        if known.is_healthy() && known.failures >= limits.eject_after && room && !never {
            (known.ejected, known.failures) = (true, 0);
            cx.set(Timer::Return(node), self.settings.eject_for);
            self.tell(node, cx);
        }
    }

    /// It has been left out for long enough.
    pub(super) fn returns(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if let Some(known) = self.all.get_mut(&node) {
            known.ejected = false;
            self.warm_up(node, cx);
        }
    }

    /// It is there again, and gets its part little by little.
    fn warm_up(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let slow_start = self.settings.limits.slow_start;
        let begins = |known: &&mut Known| slow_start > Span::ZERO && known.warm.is_none();
        if let Some(known) = self.all.get_mut(&node).filter(begins) {
            known.warm = Some(Warm { since: cx.now(), all: 0, own: 0 });
            cx.set(Timer::Warm(node), slow_start);
        }
        self.tell(node, cx);
    }

    /// It has warmed up.
    pub(super) fn warmed(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if let Some(known) = self.all.get_mut(&node) {
            known.warm = None;
            self.tell(node, cx);
        }
    }

    /// Begins another round of probes. Whoever has not answered the last one has missed it.
    pub(super) fn probe(&mut self, cx: &mut Cx<'_>) -> u64 {
        let nodes: Vec<NodeId> = self.all.keys().copied().collect();
        for node in nodes {
            let Some(known) = self.all.get_mut(&node) else { continue };
            if !std::mem::take(&mut known.answered) {
                (known.missed, known.heard) = (known.missed.saturating_add(1), 0);
                known.down |= known.missed >= self.settings.fall;
            }
            self.tell(node, cx);
        }
        self.round += 1;
        self.round
    }

    /// It has answered a probe.
    pub(super) fn alive(
        &mut self,
        node: NodeId,
        round: u64,
        (load, draining, boot): (u32, bool, u32),
        cx: &mut Cx<'_>,
    ) {
        let rise = self.settings.rise;
        let Some(known) = self.all.get_mut(&node).filter(|_| round == self.round) else { return };
        if std::mem::replace(&mut known.answered, true) {
            return;
        }
        (known.missed, known.heard) = (0, known.heard.saturating_add(1));
        (known.reported, known.since) = (load, 0);
        cx.emit(Fact::Balance(Balancing::Learns { backend: node, load }));
        let before = std::mem::replace(&mut known.boot, boot);
        let reborn = before != 0 && before != boot;
        let back = known.down && known.heard >= rise;
        let drained = std::mem::replace(&mut known.draining, draining) && !draining;
        known.down &= !back;
        if !known.down && !draining && (back || reborn || drained) {
            return self.warm_up(node, cx);
        }
        self.tell(node, cx);
    }

    /// Says what it makes of a backend, if that has changed.
    fn tell(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let Some(known) = self.all.get_mut(&node) else { return };
        if known.down || known.draining {
            // What it did before does not count when it comes back.
            (known.ejected, known.failures, known.warm) = (false, 0, None);
            cx.cancel(Timer::Return(node));
            cx.cancel(Timer::Warm(node));
        } else if known.ejected {
            known.warm = None;
            cx.cancel(Timer::Warm(node));
        }
        let standing = known.standing();
        if std::mem::replace(&mut known.said, standing) != standing {
            self.changed = true;
            cx.emit(Fact::Balance(Balancing::Rates { backend: node, standing }));
        }
    }

    pub(super) fn restate(&self, cx: &mut Cx<'_>) {
        for (node, known) in self.all.iter().filter(|(_, known)| known.said != Standing::Up) {
            let (backend, standing) = (*node, known.said);
            cx.emit(Fact::Balance(Balancing::Rates { backend, standing }));
        }
    }
}
