//! A balancer: picks, waits, tries again.

use super::policy::Picker;
use super::pool::{Choice, Pool};
use super::{Config, Cx, Message, Settings, Timer};
use crate::base::balance::Limits;
use crate::base::placement::Member;
use crate::base::{CallId, Mutation, Mutations, Name, NodeId, Outcome, Refusal, Span, Time};
use crate::event::{Balancing, Ended, Fact};
use crate::proto::Ticket;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a retry costs; a request saves up as much as the budget gives for it, in percent of that.
const RETRY: u32 = 100;

/// A request.
#[derive(Clone, Debug)]
struct Request {
    ticket: Ticket,
    call: CallId,
    key: Name,
    /// Where it has been, the last one last.
    been: Vec<NodeId>,
}

/// A balancer's state.
#[derive(Clone, Debug)]
pub(super) struct Balancer {
    settings: Settings,
    mutations: Mutations,
    backends: Arc<[Member]>,
    pool: Pool,
    picker: Picker,
    /// Requests under way by the number of their try, and since when.
    tries: BTreeMap<u64, (Request, Time)>,
    last: u64,
    /// How much is saved up for retries, in percent of one.
    saved: u32,
}

impl Balancer {
    pub(super) fn new(config: Config, cx: &mut Cx<'_>) -> Balancer {
        let Config { backends, settings, mutations, .. } = config;
        let mut balancer = Balancer {
            settings,
            mutations,
            pool: Pool::new(&backends, settings, mutations),
            picker: Picker::new(settings.policy, &backends, mutations, cx.rng()),
            backends,
            tries: BTreeMap::new(),
            // A backend must not take the first tries of a new life for those of the last one.
            last: u64::from(cx.boot()) << 32,
            saved: Limits::BURST * RETRY,
        };
        balancer.probe(cx);
        balancer
    }

    /// A client asks.
    pub(super) fn request(&mut self, ticket: Ticket, call: CallId, key: Name, cx: &mut Cx<'_>) {
        if self.pool.has_changed() {
            self.picker.begin_anew();
        }
        let Choice { among, panic } = self.pool.choice(cx.now());
        match self.picker.first(&among, &key, cx.rng()) {
            Some(node) => {
                let saved = self.saved + u32::from(self.settings.limits.retry_budget);
                self.saved = saved.min(Limits::BURST * RETRY);
                self.send(Request { ticket, call, key, been: Vec::new() }, node, panic, cx);
            }
            None => cx.reply(ticket, Outcome::Refused(Refusal::Unavailable)),
        }
    }

    fn send(&mut self, mut request: Request, backend: NodeId, panic: bool, cx: &mut Cx<'_>) {
        let (call, key) = (request.call, request.key.clone());
        let retry = retry_of(&request);
        self.last += 1;
        let number = self.last;
        self.pool.sent(backend);
        cx.emit(Fact::Balance(Balancing::Picks { call, backend, retry, panic }));
        cx.send(backend, Message::Job { number, key });
        cx.set(Timer::Patience(number), self.settings.timeout);
        request.been.push(backend);
        self.tries.insert(number, (request, cx.now()));
    }

    /// A try is over.
    pub(super) fn answered(&mut self, number: u64, ended: Ended, cx: &mut Cx<'_>) {
        let Some((request, since)) = self.tries.remove(&number) else { return };
        let Some(backend) = request.been.last().copied() else { return };
        let (call, retry, took) = (request.call, retry_of(&request) - 1, cx.now().since(since));
        cx.cancel(Timer::Patience(number));
        cx.emit(Fact::Balance(Balancing::Tried { call, backend, retry, ended, took }));
        self.pool.ended(backend, ended, cx);
        match ended {
            Ended::Served => cx.reply(request.ticket, Outcome::Done),
            _ => self.retry(request, ended, cx),
        }
    }

    /// Tries again elsewhere, if that is not too much.
    fn retry(&mut self, request: Request, ended: Ended, cx: &mut Cx<'_>) {
        let storm = self.mutations.has(Mutation::BalanceRetryStorm);
        let enough = retry_of(&request) > self.settings.limits.retries;
        if enough || (self.saved < RETRY && !storm) {
            return cx.reply(request.ticket, outcome(ended));
        }
        let Choice { among, panic } = self.pool.choice(cx.now());
        let others = among.iter().filter(|other| !request.been.contains(&other.node));
        let mut left: Vec<_> = others.copied().collect();
        if left.is_empty() {
            // Anybody but the last one.
            let last = request.been.last();
            left = among.iter().filter(|other| Some(&other.node) != last).copied().collect();
        }
        let left = if left.is_empty() { among } else { left };
        let same = request.been.last().filter(|_| self.mutations.has(Mutation::BalanceRetrySame));
        let chosen = match same {
            Some(same) => Some(*same),
            None if self.mutations.has(Mutation::BalanceRoundSkips) => {
                self.picker.first(&left, &request.key, cx.rng())
            }
            None => self.picker.again(&left, &request.key, cx.rng()),
        };
        match chosen {
            Some(node) => {
                self.saved = self.saved.saturating_sub(RETRY);
                self.send(request, node, panic, cx);
            }
            None => cx.reply(request.ticket, outcome(ended)),
        }
    }

    /// Asks all backends whether they are well.
    pub(super) fn probe(&mut self, cx: &mut Cx<'_>) {
        let round = self.pool.probe(cx);
        for member in self.backends.iter() {
            cx.send(member.node, Message::Probe { round });
        }
        let Span(micros) = self.settings.probe;
        let tenth = micros / 10;
        let next = cx.rng().span(Span(micros - tenth), Span(micros + tenth));
        cx.set(Timer::Probe, next);
    }

    /// A backend has answered a probe.
    pub(super) fn alive(
        &mut self,
        from: NodeId,
        round: u64,
        said: (u32, bool, u32),
        cx: &mut Cx<'_>,
    ) {
        self.pool.alive(from, round, said, cx);
    }

    /// A backend has been left out for long enough.
    pub(super) fn returns(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        self.pool.returns(node, cx);
    }

    /// A backend has warmed up.
    pub(super) fn warmed(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        self.pool.warmed(node, cx);
    }

    pub(super) fn restate(&self, cx: &mut Cx<'_>) {
        let Settings { policy, limits, .. } = self.settings;
        let backends = Arc::clone(&self.backends);
        cx.emit(Fact::Balance(Balancing::Spreads { policy, limits, backends }));
        self.pool.restate(cx);
    }
}

/// How often a request has been tried.
fn retry_of(request: &Request) -> u8 {
    u8::try_from(request.been.len()).unwrap_or(u8::MAX)
}

/// What the client is told when the last try ended like this.
fn outcome(ended: Ended) -> Outcome {
    match ended {
        Ended::TimedOut => Outcome::Unknown,
        Ended::Full => Outcome::Refused(Refusal::Overloaded),
        _ => Outcome::Refused(Refusal::Unavailable),
    }
}
