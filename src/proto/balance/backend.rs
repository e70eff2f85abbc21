//! A backend: slots, a queue, and time that work takes.

use super::{Cx, Message, Settings, Timer};
use crate::base::balance::Serving;
use crate::base::{Mutation, Mutations, NodeId, Span, Time};
use crate::event::{Balancing, Ended, Fact};
use std::collections::{BTreeMap, VecDeque};

/// How many times slower than warm a backend is that has just restarted.
const COLD: u64 = 4;

/// Whose request it is: the balancer, and its number for the try.
type Job = (NodeId, u64);

/// A backend's state.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    settings: Settings,
    mutations: Mutations,
    serving: Serving,
    started: Time,
    waiting: VecDeque<Job>,
    active: BTreeMap<u64, Job>,
    last: u64,
}

impl Backend {
    pub(super) fn new(settings: Settings, mutations: Mutations, cx: &mut Cx<'_>) -> Backend {
        let (serving, started) = (Serving::Well, cx.now());
        let (waiting, active) = (VecDeque::new(), BTreeMap::new());
        Backend { settings, mutations, serving, started, waiting, active, last: 0 }
    }

    /// A balancer has work for it. What it has already is not taken twice.
    pub(super) fn take(&mut self, from: NodeId, number: u64, cx: &mut Cx<'_>) {
        let job = (from, number);
        if self.waiting.contains(&job) || self.active.values().any(|other| *other == job) {
            return;
        }
        let refusal = match self.serving {
            Serving::Draining => Some(Ended::Drained),
            Serving::Failing => Some(Ended::Failed),
            _ if self.is_full() => Some(Ended::Full),
            _ => None,
        };
        if let Some(ended) = refusal {
            return cx.send(from, Message::Answer { number, ended });
        }
        self.waiting.push_back(job);
        self.fill(cx);
        self.tell(cx);
    }

    fn is_full(&self) -> bool {
        let Settings { slots, room, .. } = self.settings;
        self.active.len() + self.waiting.len() >= usize::from(slots) + usize::from(room)
    }

    /// Gives free slots to those who wait.
    fn fill(&mut self, cx: &mut Cx<'_>) {
        let stuck =
            self.serving == Serving::Draining && self.mutations.has(Mutation::BalanceDrainStuck);
        while !stuck && self.active.len() < usize::from(self.settings.slots) {
            let Some(job) = self.waiting.pop_front() else { return };
            self.last += 1;
            self.active.insert(self.last, job);
            let time = self.time(cx);
            cx.set(Timer::Work(self.last), time);
        }
    }

    /// How long the next request takes.
    fn time(&self, cx: &mut Cx<'_>) -> Span {
        let (fastest, slowest) = self.settings.service;
        let Span(warm) = cx.rng().span(fastest, slowest).times(self.factor());
        let Span(cold) = if cx.boot() > 1 { self.settings.cold } else { Span::ZERO };
        let left = cold.saturating_sub(cx.now().since(self.started).0);
        let more = u128::from(warm) * u128::from((COLD - 1) * left) / u128::from(cold.max(1));
        Span(warm.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)))
    }

    fn factor(&self) -> u64 {
        match self.serving {
            Serving::Slowly(times) => times.into(),
            _ => 1,
        }
    }

    /// A slot is free.
    pub(super) fn done(&mut self, number: u64, cx: &mut Cx<'_>) {
        if let Some((from, number)) = self.active.remove(&number) {
            let ended = Ended::Served;
            cx.send(from, Message::Answer { number, ended });
        }
        self.fill(cx);
        self.tell(cx);
    }

    /// Answers a probe: failing is something else than not being there.
    pub(super) fn probed(&self, from: NodeId, round: u64, cx: &mut Cx<'_>) {
        let load = self.load();
        let (draining, boot) = (self.serving == Serving::Draining, cx.boot());
        cx.send(from, Message::Alive { round, load, draining, boot });
    }

    fn load(&self) -> u32 {
        u32::try_from(self.active.len() + self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// It was told how to serve from now on.
    pub(super) fn serve(&mut self, how: Serving, cx: &mut Cx<'_>) {
        self.serving = how;
        self.restate(cx);
        self.fill(cx);
    }

    pub(super) fn restate(&self, cx: &mut Cx<'_>) {
        let Settings { slots, room, service: (_, slowest), cold, .. } = self.settings;
        let cold = if cold > Span::ZERO { COLD } else { 1 };
        let slowest = slowest.times(self.factor() * cold);
        cx.emit(Fact::Balance(Balancing::Serves { how: self.serving, slots, room, slowest }));
        self.tell(cx);
    }

    fn tell(&self, cx: &mut Cx<'_>) {
        let active = u32::try_from(self.active.len()).unwrap_or(u32::MAX);
        cx.emit(Fact::Balance(Balancing::Busy { active, waiting: self.load() - active }));
    }
}
