//! Writing behind: what a cache node has acknowledged and the store does not have yet.

use super::node::CacheNode;
use super::{Cx, Message, NODE, Settings, Timer};
use crate::base::cache::Mode;
use crate::base::{CallId, Mutation, Name, NodeId, Op, Outcome, Refusal, ServiceId, Span, Time};
use crate::event::{Caching, Fact};
use std::collections::BTreeMap;

/// For so many flushes it may owe something and still take writes on credit.
const OVERDUE: u64 = 4;

/// A front's write that is answered when the store has it.
#[derive(Clone, Debug)]
struct Waiting {
    front: NodeId,
    flight: u64,
    call: CallId,
    value: i64,
    version: u64,
}

/// What was sent to the store. It is sent until it is known what became of it, as the same call:
/// so it takes effect once, and before whatever is sent next.
#[derive(Clone, Copy, Debug)]
struct Sent {
    call: CallId,
    value: i64,
    version: u64,
    at: Time,
    /// The store has not answered.
    open: bool,
}

/// A key whose newest value the store does not have.
#[derive(Clone, Debug)]
struct Debt {
    value: i64,
    version: u64,
    /// The newest version that was acknowledged on credit, and since when one is owed.
    owed: Option<(u64, Time)>,
    sent: Option<Sent>,
    waiting: Vec<Waiting>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Debts {
    keys: BTreeMap<Name, Debt>,
    /// Which key was sent under which number.
    flushes: BTreeMap<u64, Name>,
    /// The last write of each client that was answered, and how.
    last: BTreeMap<NodeId, (CallId, Outcome)>,
}

impl Settings {
    /// How many keys it may owe, and for how long; nothing, unless it writes behind.
    pub(super) fn credit(&self) -> (u32, Span) {
        match self.mode {
            Mode::WriteBehind => (self.behind, Span(self.flush.0 * OVERDUE)),
            _ => (0, Span::ZERO),
        }
    }
}

impl Debts {
    /// Whether a crash would lose what was acknowledged of this key.
    pub(super) fn owes(&self, key: &Name) -> bool {
        self.keys.get(key).is_some_and(|debt| debt.owed.is_some())
    }

    /// The key that was sent under this number, which is answered now.
    pub(super) fn paid_by(&mut self, number: u64) -> Option<Name> {
        self.flushes.remove(&number)
    }

    /// Whether another write of this key may be acknowledged before the store has it.
    fn has_room(&self, key: &Name, settings: &Settings, now: Time) -> bool {
        let (most, longest) = settings.credit();
        let owed = || self.keys.values().filter_map(|debt| debt.owed);
        let fresh = owed().all(|(_, since)| now.since(since) < longest);
        fresh && (self.owes(key) || owed().count() < most as usize)
    }

    pub(super) fn restate(&self, cx: &mut Cx<'_>) {
        for (key, debt) in &self.keys {
            if let (key, Some((version, _))) = (key.clone(), debt.owed) {
                cx.emit(Fact::Cache(Caching::Owes { key, version }));
            }
        }
    }
}

impl CacheNode {
    /// A front has a write to carry out: on credit, or as soon as the store has it.
    pub(super) fn owe(
        &mut self,
        front: NodeId,
        flight: u64,
        call: CallId,
        op: &Op,
        cx: &mut Cx<'_>,
    ) {
        let Op::Put { key, value } = op else {
            return answer(front, flight, Outcome::Refused(Refusal::NoService), cx);
        };
        match self.debts.last.get(&call.client) {
            Some((last, outcome)) if *last == call => {
                return answer(front, flight, outcome.clone(), cx);
            }
            Some((last, _)) if last.seq > call.seq => return,
            _ => {}
        }
        let waits = |debt: &mut Debt| {
            let again = debt.waiting.iter_mut().find(|waiting| waiting.call == call);
            again.map(|waiting| (waiting.front, waiting.flight) = (front, flight))
        };
        if self.debts.keys.get_mut(key).and_then(waits).is_some() {
            return;
        }
        let (value, version, now) = (*value, self.next(), cx.now());
        let blind = self.has(Mutation::CacheBlindCredit);
        let credit = blind || self.debts.has_room(key, &self.settings, now);
        if self.debts.keys.is_empty() {
            cx.set(Timer::Flush, self.settings.flush);
        }
        let empty = || Debt { value, version, owed: None, sent: None, waiting: Vec::new() };
        let debt = self.debts.keys.entry(key.clone()).or_insert_with(empty);
        (debt.value, debt.version) = (value, version);
        if !credit {
            debt.waiting.push(Waiting { front, flight, call, value, version });
            return self.pay(key, cx);
        }
        debt.owed = Some((version, debt.owed.map_or(now, |(_, since)| since)));
        cx.emit(Fact::Cache(Caching::Owes { key: key.clone(), version }));
        self.renew(key.clone(), (Some(value), version), cx);
        self.acknowledge(front, flight, call, (value, version), cx);
    }

    fn acknowledge(
        &mut self,
        front: NodeId,
        flight: u64,
        call: CallId,
        (value, version): (i64, u64),
        cx: &mut Cx<'_>,
    ) {
        let outcome = Outcome::Written { value, version };
        self.debts.last.insert(call.client, (call, outcome.clone()));
        answer(front, flight, outcome, cx);
    }

    /// It is time to pay everything.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>) {
        let keys: Vec<Name> = self.debts.keys.keys().cloned().collect();
        keys.iter().for_each(|key| self.pay(key, cx));
        if !keys.is_empty() {
            cx.set(Timer::Flush, self.settings.flush);
        }
    }

    /// Sends the newest value of a key to the store, unless one is under way.
    fn pay(&mut self, key: &Name, cx: &mut Cx<'_>) {
        let number = self.next();
        let Some(debt) = self.debts.keys.get_mut(key) else { return };
        let sent = match debt.sent {
            Some(sent) if sent.open => return,
            Some(sent) => Sent { open: true, ..sent },
            None => {
                let (call, at) = (cx.new_call(), cx.now());
                Sent { call, value: debt.value, version: debt.version, at, open: true }
            }
        };
        debt.sent = Some(sent);
        self.debts.flushes.insert(number, key.clone());
        let op = Op::Put { key: key.clone(), value: sent.value };
        cx.call(ServiceId::Store, number << 1 | NODE, sent.call, op);
    }

    /// The store has answered.
    pub(super) fn paid(&mut self, key: &Name, outcome: &Outcome, cx: &mut Cx<'_>) {
        let Some(debt) = self.debts.keys.get_mut(key) else { return };
        let Some(sent) = debt.sent.take() else { return };
        match outcome {
            Outcome::Written { .. } => self.settle(key, sent, cx),
            // It never takes effect: another call may.
            Outcome::Refused(_) => {}
            _ => debt.sent = Some(Sent { open: false, ..sent }),
        }
    }

    /// The store has what was sent.
    fn settle(&mut self, key: &Name, sent: Sent, cx: &mut Cx<'_>) {
        let Some(debt) = self.debts.keys.get_mut(key) else { return };
        let (done, rest) =
            std::mem::take(&mut debt.waiting).into_iter().partition(|w| w.version <= sent.version);
        let done: Vec<Waiting> = done;
        debt.waiting = rest;
        let acknowledged = debt.owed.map_or(0, |(version, _)| version);
        debt.owed = debt.owed.filter(|_| acknowledged > sent.version).map(|(v, _)| (v, sent.at));
        if debt.version == sent.version {
            self.debts.keys.remove(key);
        }
        cx.emit(Fact::Cache(Caching::Pays { key: key.clone(), version: sent.version }));
        for waiting in done {
            let Waiting { front, flight, call, value, mut version } = waiting;
            // Nobody has read anything newer: from now on everybody shall read this.
            if version == sent.version && acknowledged < version {
                version = self.next();
                self.renew(key.clone(), (Some(value), version), cx);
            }
            self.acknowledge(front, flight, call, (value, version), cx);
        }
        if self.debts.keys.get(key).is_some_and(|debt| !debt.waiting.is_empty()) {
            self.pay(key, cx);
        }
    }
}

fn answer(front: NodeId, flight: u64, outcome: Outcome, cx: &mut Cx<'_>) {
    cx.send(front, Message::Wrote { flight, outcome: Box::new(outcome) });
}
