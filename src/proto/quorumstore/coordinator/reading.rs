//! Reads, and the first round of writes.

use super::super::{Cx, Message, QuorumStore, Repair};
use super::{Need, Purpose};
use crate::base::{CallId, Mutation, Name, NodeId, Outcome, Refusal, Span, Time, Versions};
use crate::event::Fact;
use crate::proto::Ticket;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a read is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Want {
    /// The value.
    Get,
    /// Which versions there are.
    Survey,
    /// To write this next; none is a deletion.
    Change(Option<i64>),
}

/// A read under way.
#[derive(Clone, Debug)]
pub(in super::super) struct Reading {
    ticket: Ticket,
    call: CallId,
    key: Name,
    want: Want,
    found: BTreeMap<NodeId, Versions>,
    since: Time,
    /// When it asked last.
    at: Time,
    /// It goes on only to see who lags.
    answered: bool,
}

impl Reading {
    fn all(&self, store: &QuorumStore) -> Versions {
        self.found.values().fold(Versions::default(), |all, one| store.merge(&all, one))
    }

    /// Who has all of this.
    fn who_have(&self, all: &Versions) -> BTreeSet<NodeId> {
        let having = self.found.iter().filter(|(_, found)| *found == all);
        having.map(|(node, _)| *node).collect()
    }
}

impl QuorumStore {
    pub(in super::super) fn read(
        &mut self,
        ticket: Ticket,
        call: CallId,
        key: Name,
        want: Want,
        cx: &mut Cx<'_>,
    ) {
        self.next_flight += 1;
        let (since, at, found) = (cx.now(), cx.now(), BTreeMap::new());
        let reading = Reading { ticket, call, key, want, found, since, at, answered: false };
        self.reads.insert(self.next_flight, reading);
        self.ask_read(self.next_flight, false, cx);
    }

    /// A write by a node itself, which asks first if that is the way here.
    pub(in super::super) fn change(
        &mut self,
        ticket: Ticket,
        call: CallId,
        key: Name,
        value: Option<i64>,
        cx: &mut Cx<'_>,
    ) {
        match self.config.quorum.survey {
            true => self.read(ticket, call, key, Want::Change(value), cx),
            false => {
                let seen = self.items.get(&key).cloned().unwrap_or_default();
                self.write_after(ticket, call, key, value, &seen, cx);
            }
        }
    }

    /// Asks all who have not answered and, if it is late, those who may stand in for them.
    pub(in super::super) fn ask_read(&mut self, flight: u64, late: bool, cx: &mut Cx<'_>) {
        let Some(reading) = self.reads.get(&flight) else { return };
        let (epoch, key) = (self.epoch, reading.key.clone());
        let mut asked: Vec<NodeId> = self.replicas(&key).into_iter().collect();
        if late && self.config.quorum.sloppy && !reading.answered {
            asked.extend(self.stand_ins(&key));
        }
        asked.retain(|node| !reading.found.contains_key(node));
        cx.send_all(&asked, &Message::Read { epoch, flight, key });
        if let Some(reading) = self.reads.get_mut(&flight) {
            reading.at = cx.now();
        }
    }

    pub(in super::super) fn found(
        &mut self,
        from: NodeId,
        flight: u64,
        versions: Versions,
        cx: &mut Cx<'_>,
    ) {
        self.clock = self.clock.max(versions.stamp());
        let Some(reading) = self.reads.get_mut(&flight) else { return };
        reading.found.insert(from, versions);
        self.advance_read(flight, cx);
    }

    /// Goes on if enough have answered.
    pub(in super::super) fn advance_read(&mut self, flight: u64, cx: &mut Cx<'_>) {
        let Some(reading) = self.reads.get(&flight) else { return };
        let key = reading.key.clone();
        if reading.answered {
            let found = |node: &NodeId| reading.found.contains_key(node);
            if self.replicas(&key).iter().all(found) {
                self.repair(flight, cx);
            }
            return;
        }
        let replicas = self.replicas(&key);
        let others = reading.found.keys().filter(|node| !replicas.contains(node)).count();
        let others = if self.config.quorum.sloppy { others } else { 0 };
        let need = Need { others, ..Need::of(self.reads_need()) };
        if self.is_quorum(&key, |node| reading.found.contains_key(node), &need) {
            self.conclude(flight, cx);
        }
    }

    fn conclude(&mut self, flight: u64, cx: &mut Cx<'_>) {
        let Some(reading) = self.reads.get(&flight) else { return };
        let (reading, all) = (reading.clone(), reading.all(self));
        let Reading { ticket, call, ref key, want, .. } = reading;
        let repair = self.config.quorum.read_repair;
        match want {
            Want::Survey => {
                self.reads.remove(&flight);
                cx.reply(ticket, Outcome::Found { versions: all });
            }
            Want::Change(value) => {
                self.reads.remove(&flight);
                self.write_after(ticket, call, key.clone(), value, &all, cx);
            }
            Want::Get if repair == Repair::WriteBack && !self.is_settled(&reading, &all) => {
                self.reads.remove(&flight);
                let from = reading.found.keys().copied().collect();
                let purpose = Purpose::WriteBack { ticket, call, epoch: self.epoch, from };
                self.send_write(key.clone(), all.clone(), purpose, reading.who_have(&all), cx);
            }
            Want::Get => {
                let from = reading.found.keys().copied().collect();
                self.answer_read(ticket, (call, key), (self.epoch, from), &all, cx);
                match self.reads.get_mut(&flight) {
                    Some(reading) if repair == Repair::Async => reading.answered = true,
                    _ => drop(self.reads.remove(&flight)),
                }
                self.advance_read(flight, cx);
            }
        }
    }

    /// Whether what was found is at a write quorum already.
    fn is_settled(&self, reading: &Reading, all: &Versions) -> bool {
        let have = reading.who_have(all);
        let need = Need::of(self.config.quorum.w);
        all.is_empty()
            || self.has(Mutation::QuorumNoWriteBack)
            || self.is_quorum(&reading.key, |node| have.contains(node), &need)
    }

    /// Answers a read with what these nodes had, asked by the ring of this epoch.
    pub(super) fn answer_read(
        &mut self,
        ticket: Ticket,
        (call, key): (CallId, &Name),
        (epoch, from): (u64, Arc<[NodeId]>),
        versions: &Versions,
        cx: &mut Cx<'_>,
    ) {
        let (key, versions) = (key.clone(), versions.clone());
        cx.emit(Fact::Answers { key, call, epoch, from, versions: versions.clone() });
        cx.reply(ticket, Outcome::Found { versions });
    }

    /// Sends those who have answered with less what they lack.
    fn repair(&mut self, flight: u64, cx: &mut Cx<'_>) {
        let Some(reading) = self.reads.remove(&flight) else { return };
        let all = reading.all(self);
        let have = reading.who_have(&all);
        if have.len() < reading.found.len() {
            // Who did not answer is not known to lag.
            let silent = self.replicas(&reading.key).into_iter();
            let silent = silent.filter(|node| !reading.found.contains_key(node));
            let done = have.into_iter().chain(silent).collect();
            self.send_write(reading.key, all, Purpose::Repair, done, cx);
        }
    }

    /// Asks again, gives up, and repairs with what is known after a while.
    pub(in super::super) fn retry_reads(&mut self, cx: &mut Cx<'_>) {
        let (now, retry, give_up) = (cx.now(), self.config.retry, self.config.give_up);
        let patience = Span((give_up.0).min(retry.0 * 4));
        let flights: Vec<u64> = self.reads.keys().copied().collect();
        for flight in flights {
            let Some(reading) = self.reads.get(&flight) else { continue };
            let age = now.since(reading.since);
            if reading.answered && age >= patience {
                self.repair(flight, cx);
            } else if !reading.answered && age >= give_up {
                cx.reply(reading.ticket, Outcome::Refused(Refusal::Unavailable));
                self.reads.remove(&flight);
            } else if now.since(reading.at) >= retry {
                self.ask_read(flight, true, cx);
            }
        }
    }
}
