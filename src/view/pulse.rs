//! How the log is doing on the whole: leaders, entries, messages, and what callers were told.
//!
//! One figure each, for comparing runs; `elections`, `log` and `clients` have the rest.

use crate::base::{Ballot, NodeId, Outcome, ServiceId, Slot, Span, Time};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// The figures after some number of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// How often somebody began to lead.
    pub elections: u64,
    /// The last slot that somebody has applied.
    pub entries: Slot,
    /// How many messages of the log were sent, as far as messages are watched.
    pub messages: u64,
    /// How many operations clients asked for.
    pub asked: u64,
    /// How many of them were done, as their clients heard.
    pub done: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many ended with nothing to rely on.
    pub unknown: u64,
    leaders: BTreeSet<NodeId>,
    /// In which ballot each node led last.
    led: BTreeMap<NodeId, Ballot>,
    /// How long nobody led, up to `since` if nobody leads.
    leaderless: Span,
    since: Time,
    /// When a client last heard that something was done, and the longest time before it without.
    last: Time,
    silence: Span,
}

impl Pulse {
    /// For how long, up to a time, nobody led.
    pub fn leaderless(&self, until: Time) -> Span {
        match self.leaders.is_empty() {
            true => self.leaderless + until.since(self.since),
            false => self.leaderless,
        }
    }

    /// The longest time, up to now, in which no client heard that anything was done.
    pub fn silence(&self, until: Time) -> Span {
        self.silence.max(until.since(self.last))
    }

    /// Folds an event in.
    pub(super) fn see(&mut self, event: &Event) {
        let (at, node) = (event.at, event.node);
        match &event.kind {
            Kind::Sent { service: ServiceId::Log, .. } => self.messages += 1,
            Kind::Killed { .. } => self.leads(at, node, false),
            Kind::Fact(Fact::Leads { ballot }) => {
                let new = self.led.insert(node, *ballot) != Some(*ballot);
                self.elections += u64::from(new);
                self.leads(at, node, true);
            }
            Kind::Fact(Fact::Follows { .. } | Fact::Seeks { .. }) => self.leads(at, node, false),
            Kind::Fact(Fact::Applies { slot, .. }) => self.entries = self.entries.max(*slot),
            Kind::Fact(Fact::Invokes { retry: 0, .. }) => self.asked += 1,
            Kind::Fact(Fact::Returns { outcome, .. }) => self.returns(at, outcome),
            _ => {}
        }
    }

    fn leads(&mut self, at: Time, node: NodeId, so: bool) {
        let alone = self.leaders.is_empty();
        match so {
            true => drop(self.leaders.insert(node)),
            false => drop(self.leaders.remove(&node)),
        }
        match (alone, self.leaders.is_empty()) {
            (true, false) => self.leaderless = self.leaderless + at.since(self.since),
            (false, true) => self.since = at,
            _ => {}
        }
    }

    fn returns(&mut self, at: Time, outcome: &Outcome) {
        match outcome {
            Outcome::Unknown => self.unknown += 1,
            Outcome::Refused(_) => self.refused += 1,
            _ => {
                self.done += 1;
                self.silence = self.silence.max(at.since(self.last));
                self.last = at;
            }
        }
    }
}
