//! What a client believes to hold, and until when.

use super::{Client, Timer};
use crate::base::{LockMode, Name, Span, Time, Token};
use crate::event::{Fact, LetGo};
use crate::proto::Context;
use std::collections::BTreeMap;

/// What is given up of each lease, for clocks that do not run at the same rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margin {
    /// So many of 100 parts.
    pub(super) percent: u8,
    /// And this.
    pub(super) ticks: Span,
}

impl Margin {
    /// When a lease runs out that the service counts from some time after `asked`.
    pub(super) fn end_of(self, asked: Time, ttl: Span) -> Time {
        let given_up = ttl.0 / 100 * u64::from(self.percent) + self.ticks.0;
        asked + Span(ttl.0.saturating_sub(given_up))
    }
}

impl Default for Margin {
    fn default() -> Margin {
        Margin { percent: 1, ticks: Span::ZERO }
    }
}

#[derive(Clone, Debug)]
struct Lease {
    token: Token,
    ttl: Span,
    /// When it runs out, by the client's own clock.
    until: Time,
    mode: LockMode,
}

impl Lease {
    fn fact(&self, lock: &Name, cx: &Context<'_, Client>) -> Fact {
        let (token, mode, lease) = (self.token, self.mode, self.until.since(cx.now()));
        Fact::Holds { lock: lock.clone(), token, lease, mode }
    }
}

/// All leases, by lock.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<Name, Lease>,
    /// Grants that came too late to say how much of the lease is left: the token, the `ttl` and the
    /// mode.
    unsure: BTreeMap<Name, (Token, Span, LockMode)>,
    margin: Margin,
    /// Whether a later grant has a larger token.
    ordered: bool,
}

impl Leases {
    /// Where leases have this margin; tokens rise if they are `ordered`.
    pub(super) fn new(margin: Margin, ordered: bool) -> Leases {
        Leases { margin, ordered, ..Leases::default() }
    }

    /// The lock was granted to a call that was first made at `asked`. Returns false if it waited
    /// in the queue for so long that little of the lease is certain: then it counts from the next
    /// renewal, which the caller has to ask for.
    pub(super) fn granted(
        &mut self,
        lock: &Name,
        token: Token,
        (ttl, mode): (Span, LockMode),
        asked: Time,
        cx: &mut Context<'_, Client>,
    ) -> bool {
        let until = self.margin.end_of(asked, ttl);
        let sure = until.since(cx.now()) > Span(ttl.0 / 2);
        if sure {
            self.hold(lock, Lease { token, ttl, until, mode }, cx);
        } else {
            self.unsure.insert(lock.clone(), (token, ttl, mode));
        }
        sure
    }

    fn hold(&mut self, lock: &Name, lease: Lease, cx: &mut Context<'_, Client>) {
        let newer = |held: &Lease| !self.ordered || held.token < lease.token;
        let newer = self.held.get(lock).is_none_or(newer);
        if newer && lease.until > cx.now() {
            self.held.insert(lock.clone(), lease);
            self.believe(lock, cx);
        }
    }

    /// A renewal that was first asked for at `asked` is over, well or not.
    pub(super) fn renewed(
        &mut self,
        lock: &Name,
        token: Token,
        well: bool,
        asked: Time,
        cx: &mut Context<'_, Client>,
    ) {
        let unsure = self.unsure.get(lock).filter(|(unsure, ..)| *unsure == token).copied();
        if let Some((_, ttl, mode)) = unsure {
            self.unsure.remove(lock);
            if well {
                let until = self.margin.end_of(asked, ttl);
                self.hold(lock, Lease { token, ttl, until, mode }, cx);
            }
        } else if let Some(lease) = self.held.get_mut(lock).filter(|l| well && l.token == token) {
            lease.until = lease.until.max(self.margin.end_of(asked, lease.ttl));
            self.believe(lock, cx);
        }
    }

    fn believe(&self, lock: &Name, cx: &mut Context<'_, Client>) {
        if let Some(lease) = self.held.get(lock) {
            cx.emit(lease.fact(lock, cx));
        }
        self.arm(cx);
    }

    fn arm(&self, cx: &mut Context<'_, Client>) {
        match self.held.values().map(|lease| lease.until).min() {
            Some(next) => cx.set(Timer::LeaseEnd, next.since(cx.now())),
            None => cx.cancel(Timer::LeaseEnd),
        }
    }

    /// Lets go of everything whose time is over.
    pub(super) fn run_out(&mut self, cx: &mut Context<'_, Client>) {
        let now = cx.now();
        let over: Vec<(Name, Token)> = self
            .held
            .iter()
            .filter(|(_, lease)| lease.until <= now)
            .map(|(lock, lease)| (lock.clone(), lease.token))
            .collect();
        for (lock, token) in over {
            self.let_go(&lock, token, LetGo::RanOut, cx);
        }
        self.arm(cx);
    }

    /// Whatever is held lasts for its time again, counted from `asked`.
    pub(super) fn prolong(&mut self, asked: Time, cx: &mut Context<'_, Client>) {
        for lease in self.held.values_mut() {
            lease.until = lease.until.max(self.margin.end_of(asked, lease.ttl));
        }
        let held: Vec<Name> = self.held.keys().cloned().collect();
        held.iter().for_each(|lock| self.believe(lock, cx));
    }

    /// Lets go of everything: it was told that nothing of it is its own any more.
    pub(super) fn let_go_all(&mut self, cx: &mut Context<'_, Client>) {
        let held: Vec<_> = self.held.iter().map(|(lock, it)| (lock.clone(), it.token)).collect();
        held.into_iter().for_each(|(lock, token)| self.let_go(&lock, token, LetGo::Told, cx));
        self.unsure.clear();
    }

    /// Lets go of this grant, if it is believed to be held.
    pub(super) fn let_go(
        &mut self,
        lock: &Name,
        token: Token,
        why: LetGo,
        cx: &mut Context<'_, Client>,
    ) {
        if self.until(lock, token).is_some() {
            self.held.remove(lock);
            cx.emit(Fact::LetsGo { lock: lock.clone(), token, why });
            self.arm(cx);
        }
    }

    /// When the lease of this grant runs out; none if it is not believed to be held.
    pub(super) fn until(&self, lock: &Name, token: Token) -> Option<Time> {
        self.held.get(lock).filter(|lease| lease.token == token).map(|lease| lease.until)
    }

    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        for (lock, lease) in &self.held {
            cx.emit(lease.fact(lock, cx));
        }
    }
}
