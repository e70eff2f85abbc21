//! Probing: one member a period, in an order by chance that names each once; and pings on behalf of
//! others.

use super::message::What;
use super::{Config, State, Swim, Timer};
use crate::base::{Mutation, NodeId, Span};
use crate::event::Fact;
use crate::proto::Context;
use std::collections::BTreeMap;

/// The worst that local health can be: timeouts are then nine times as long.
const SICKEST: u32 = 8;

/// The probe of this period.
#[derive(Clone, Debug)]
struct Probe {
    target: NodeId,
    seq: u32,
    answered: bool,
    /// Helpers were asked, and so many of them have not said that they are there.
    silent: Option<u32>,
}

/// Somebody wants to know whether a member is there.
#[derive(Clone, Copy, Debug)]
struct Errand {
    asker: NodeId,
    seq: u32,
}

/// Whom a node probes, and how well it does so.
#[derive(Clone, Debug)]
pub(super) struct Prober {
    /// Who is still to be probed in this pass, the next one last.
    order: Vec<NodeId>,
    probe: Option<Probe>,
    /// Pings for others, by their own numbers.
    errands: BTreeMap<u32, Errand>,
    seq: u32,
    /// How badly this node itself does, from 0 to [`SICKEST`] (Lifeguard): its own timeouts grow
    /// with it.
    sickness: u32,
}

impl Prober {
    /// Numbers of an earlier life mean nothing in this one.
    pub(super) fn new(boot: u32) -> Prober {
        let (order, errands) = (Vec::new(), BTreeMap::new());
        Prober {
            order,
            probe: None,
            errands,
            seq: boot.wrapping_sub(1).wrapping_shl(20),
            sickness: 0,
        }
    }

    fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    /// It did badly (`worse`) or well.
    pub(super) fn feel(&mut self, config: &Config, worse: u32, better: u32) {
        if config.lifeguard {
            self.sickness = (self.sickness + worse).saturating_sub(better).min(SICKEST);
        }
    }

    fn patience(&self, span: Span) -> Span {
        span.times(u64::from(self.sickness) + 1)
    }

    /// When a period begins that is spread over all nodes by chance.
    pub(super) fn first(cx: &mut Context<'_, Swim>, period: Span) {
        let first = cx.rng().span(Span::ZERO, period);
        cx.set(Timer::Probe, first);
    }
}

impl Swim {
    /// A period is over: what its probe has shown, and whom to probe next.
    pub(super) fn on_period(&mut self, cx: &mut Context<'_, Self>) {
        if let Some(probe) = self.prober.probe.take().filter(|probe| !probe.answered) {
            self.on_failure(&probe, cx);
        }
        if let Some(target) = self.next_target(cx) {
            let seq = self.prober.next_seq();
            self.prober.probe = Some(Probe { target, seq, answered: false, silent: None });
            self.send(target, What::Ping { seq }, cx);
            let patience = self.prober.patience(self.config.timeout);
            cx.set(Timer::Direct, patience);
        }
        self.knock(cx);
        let period = self.prober.patience(self.config.period);
        cx.set(Timer::Probe, period);
    }

    /// The next of this pass who is not dead; a pass is shuffled anew when the one before is over.
    fn next_target(&mut self, cx: &mut Context<'_, Self>) -> Option<NodeId> {
        for _ in 0..2 {
            while let Some(next) = self.prober.order.pop() {
                if self.members.belief(next).is_some_and(|belief| belief.state != State::Dead) {
                    return Some(next);
                }
            }
            self.prober.order = self.others.to_vec();
            cx.rng().shuffle(&mut self.prober.order);
        }
        None
    }

    /// Tells one of the dead that it is taken for dead. If it is not, it refutes it; so two halves
    /// find together again that each believed the other dead. That it does not answer means
    /// nothing.
    fn knock(&mut self, cx: &mut Context<'_, Self>) {
        if self.members.are_well() || self.has(Mutation::SwimForgetDead) {
            return;
        }
        if let Some(dead) = self.pick(1, cx, |_, state| state == State::Dead).pop() {
            let seq = self.prober.next_seq();
            self.send(dead, What::Ping { seq }, cx);
        }
    }

    /// The target has not answered in time: others may be able to reach it.
    pub(super) fn on_direct(&mut self, cx: &mut Context<'_, Self>) {
        let open = self.prober.probe.as_ref().filter(|probe| !probe.answered);
        let Some((target, seq)) = open.map(|probe| (probe.target, probe.seq)) else { return };
        if self.has(Mutation::SwimOnePath) {
            return;
        }
        let count = usize::from(self.config.helpers);
        let helpers = self.pick(count, cx, |who, state| who != target && state == State::Alive);
        let silent = u32::try_from(helpers.len()).unwrap_or(u32::MAX);
        self.prober.probe.iter_mut().for_each(|probe| probe.silent = Some(silent));
        for helper in helpers {
            self.send(helper, What::PingReq { seq, target }, cx);
        }
    }

    /// Nobody could reach the target in a whole period.
    fn on_failure(&mut self, probe: &Probe, cx: &mut Context<'_, Self>) {
        // Helpers who are silent as well speak against this node, not against the target.
        let worse = probe.silent.filter(|_| self.config.helpers > 0).map_or(1, |silent| silent);
        self.prober.feel(&self.config, worse, 0);
        let Some(belief) = self.members.belief(probe.target) else { return };
        let (who, incarnation) = (probe.target, belief.incarnation);
        if belief.state != State::Dead {
            cx.emit(Fact::Misses { who, incarnation });
            self.accuse(who, incarnation, cx);
        }
    }

    pub(super) fn on_ack(&mut self, from: NodeId, seq: u32, cx: &mut Context<'_, Self>) {
        if self.has(Mutation::SwimRaiseOthers) {
            self.raise_other(from, cx);
        }
        if let Some(errand) = self.prober.errands.remove(&seq) {
            cx.cancel(Timer::Errand(seq));
            return self.send(errand.asker, What::Ack { seq: errand.seq }, cx);
        }
        let probe = self.prober.probe.as_mut();
        if let Some(probe) = probe.filter(|probe| probe.seq == seq && !probe.answered) {
            probe.answered = true;
            self.prober.feel(&self.config, 0, 1);
            cx.cancel(Timer::Direct);
        }
    }

    pub(super) fn on_nack(&mut self, seq: u32) {
        let probe = self.prober.probe.as_mut().filter(|probe| probe.seq == seq);
        if let Some(silent) = probe.and_then(|probe| probe.silent.as_mut()) {
            *silent = silent.saturating_sub(1);
        }
    }

    /// Pings somebody for another.
    pub(super) fn on_errand(
        &mut self,
        asker: NodeId,
        seq: u32,
        target: NodeId,
        cx: &mut Context<'_, Self>,
    ) {
        if self.members.belief(target).is_none() {
            return;
        }
        let own = self.prober.next_seq();
        self.prober.errands.insert(own, Errand { asker, seq });
        // So that the asker hears of it before its period is over.
        let Span(timeout) = self.config.timeout;
        cx.set(Timer::Errand(own), Span(timeout / 5 * 4));
        self.send(target, What::Ping { seq: own }, cx);
    }

    pub(super) fn on_errand_over(&mut self, own: u32, cx: &mut Context<'_, Self>) {
        let Some(Errand { asker, seq }) = self.prober.errands.remove(&own) else { return };
        if self.config.lifeguard {
            self.send(asker, What::Nack { seq }, cx);
        }
    }

    /// Some other members by chance, of those who are as asked.
    pub(super) fn pick(
        &self,
        count: usize,
        cx: &mut Context<'_, Self>,
        is: impl Fn(NodeId, State) -> bool,
    ) -> Vec<NodeId> {
        let fits = |who: &NodeId| {
            let state = self.members.belief(*who).map(|belief| belief.state);
            state.is_some_and(|state| is(*who, state))
        };
        // Nearly all are as asked, mostly.
        let mut picked: Vec<NodeId> = Vec::new();
        for _ in 0..count * 2 {
            let lucky = cx.rng().pick(&self.others).filter(|who| !picked.contains(who));
            picked.extend(lucky.copied().filter(fits));
            if picked.len() >= count {
                return picked;
            }
        }
        let rest = self.others.iter().copied().filter(|who| !picked.contains(who) && fits(who));
        let mut fitting: Vec<NodeId> = rest.collect();
        while picked.len() < count && !fitting.is_empty() {
            let at = cx.rng().below(fitting.len() as u64) as usize;
            picked.push(fitting.swap_remove(at));
        }
        picked
    }
}
