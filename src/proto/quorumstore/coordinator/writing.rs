//! Writes: of clients, of what a read has found, and of keys that others are to have.

use super::super::{Cx, Message, QuorumStore};
use super::Need;
use crate::base::{
    CallId, Mutation, Name, NodeId, Outcome, Refusal, Span, Time, Version, Versions,
};
use crate::event::Fact;
use crate::proto::Ticket;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a write is for.
#[derive(Clone, Debug)]
pub(in super::super) enum Purpose {
    /// Somebody's write.
    Client(Ticket, CallId, Outcome),
    /// It was acknowledged, and some replicas do not have it yet.
    Acknowledged,
    /// A read that is answered when it is at a write quorum.
    WriteBack { ticket: Ticket, call: CallId, epoch: u64, from: Arc<[NodeId]> },
    /// Somebody lagged.
    Repair,
    /// This node has what others are to have.
    Stray,
}

/// A write under way.
#[derive(Clone, Debug)]
pub(in super::super) struct Writing {
    key: Name,
    versions: Versions,
    purpose: Purpose,
    /// Who has it.
    acks: BTreeSet<NodeId>,
    /// For whom a stand-in has it.
    hinted: BTreeSet<NodeId>,
    /// How often stand-ins were asked.
    tries: usize,
    since: Time,
    /// When it asked last.
    at: Time,
}

impl QuorumStore {
    /// A client names its version itself.
    pub(in super::super) fn write_version(
        &mut self,
        ticket: Ticket,
        key: Name,
        version: Version,
        cx: &mut Cx<'_>,
    ) {
        let (outcome, dot) = (self.done(&version), version.dot);
        self.clock = self.clock.max(version.stamp);
        let purpose = Purpose::Client(ticket, dot, outcome);
        self.send_write(key, version.into(), purpose, BTreeSet::new(), cx);
    }

    /// Writes a version that follows those.
    pub(super) fn write_after(
        &mut self,
        ticket: Ticket,
        call: CallId,
        key: Name,
        value: Option<i64>,
        those: &Versions,
        cx: &mut Cx<'_>,
    ) {
        let stamp = match self.has(Mutation::QuorumLocalClock) {
            true => cx.wall().0,
            false => cx.wall().0.max(self.clock.saturating_add(1)),
        };
        let version = Version { dot: call, seen: those.seen(), stamp, value };
        self.write_version(ticket, key, version, cx);
    }

    pub(in super::super) fn send_write(
        &mut self,
        key: Name,
        versions: Versions,
        purpose: Purpose,
        acks: BTreeSet<NodeId>,
        cx: &mut Cx<'_>,
    ) {
        self.next_flight += 1;
        let (since, at, hinted) = (cx.now(), cx.now(), BTreeSet::new());
        let writing = Writing { key, versions, purpose, acks, hinted, tries: 0, since, at };
        self.writes.insert(self.next_flight, writing);
        self.ask_write(self.next_flight, false, cx);
        self.retry_later(cx);
    }

    /// Asks all who do not have it. Stand-ins are asked for those who are not expected to answer.
    pub(in super::super) fn ask_write(&mut self, flight: u64, late: bool, cx: &mut Cx<'_>) {
        let Some(writing) = self.writes.get(&flight) else { return };
        let (epoch, key, versions) = (self.epoch, writing.key.clone(), writing.versions.clone());
        let missing = self.replicas(&key).into_iter().filter(|node| !writing.acks.contains(node));
        let missing: Vec<NodeId> = missing.collect();
        let write = |hint| {
            let (key, versions) = (key.clone(), versions.clone());
            Message::Write { epoch, flight, key, versions, hint }
        };
        cx.send_all(&missing, &write(None));
        let hints = self.config.quorum.hint_window > Span::ZERO
            && matches!(writing.purpose, Purpose::Client(..) | Purpose::Acknowledged);
        let silent = |node: &&NodeId| {
            (late || self.suspects.contains(node)) && !writing.hinted.contains(node)
        };
        let stand_ins = if hints { self.stand_ins(&key) } else { Vec::new() };
        for (i, target) in missing.iter().filter(silent).enumerate() {
            if let Some(node) = stand_ins.get((i + writing.tries) % stand_ins.len().max(1)) {
                cx.send(*node, write(Some(*target)));
            }
        }
        if let Some(writing) = self.writes.get_mut(&flight) {
            (writing.at, writing.tries) = (cx.now(), writing.tries + usize::from(late));
        }
    }

    pub(in super::super) fn written(
        &mut self,
        from: NodeId,
        flight: u64,
        hint: Option<NodeId>,
        cx: &mut Cx<'_>,
    ) {
        let Some(writing) = self.writes.get_mut(&flight) else { return };
        match hint {
            Some(target) => writing.hinted.insert(target),
            None => writing.acks.insert(from),
        };
        self.advance_write(flight, cx);
    }

    /// Answers if enough have it, and is over when nobody lacks it any more.
    pub(in super::super) fn advance_write(&mut self, flight: u64, cx: &mut Cx<'_>) {
        let Some(writing) = self.writes.get(&flight) else { return };
        let hints_count = self.config.quorum.sloppy || self.has(Mutation::QuorumCountHints);
        let me = cx.me();
        let has = |node: &NodeId| {
            writing.acks.contains(node) || (hints_count && writing.hinted.contains(node))
        };
        let twice = self.has(Mutation::QuorumCountTwice).then_some(me);
        let need = Need { twice, ..Need::of(self.config.quorum.w) };
        if self.is_quorum(&writing.key, has, &need) {
            self.acknowledge(flight, cx);
        }
        let Some(writing) = self.writes.get(&flight) else { return };
        let kept = |node: &NodeId| writing.acks.contains(node) || writing.hinted.contains(node);
        let replicas = self.replicas(&writing.key);
        if !replicas.is_empty() && replicas.iter().all(kept) {
            let stray = matches!(writing.purpose, Purpose::Stray);
            let (key, versions) = (writing.key.clone(), writing.versions.clone());
            let over = !matches!(writing.purpose, Purpose::Client(..) | Purpose::WriteBack { .. });
            if over {
                self.writes.remove(&flight);
            }
            if stray {
                self.let_go(&key, &versions, cx);
            }
        }
    }

    fn acknowledge(&mut self, flight: u64, cx: &mut Cx<'_>) {
        let Some(writing) = self.writes.get_mut(&flight) else { return };
        match std::mem::replace(&mut writing.purpose, Purpose::Acknowledged) {
            Purpose::Client(ticket, dot, outcome) => {
                let (key, epoch) = (writing.key.clone(), self.epoch);
                let acks = writing.acks.iter().copied().collect();
                let hinted = writing.hinted.difference(&writing.acks).copied().collect();
                cx.emit(Fact::Acknowledges { key, dot, epoch, acks, hinted });
                cx.reply(ticket, outcome);
            }
            Purpose::WriteBack { ticket, call, epoch, from } => {
                writing.purpose = Purpose::Repair;
                let (key, versions) = (writing.key.clone(), writing.versions.clone());
                self.answer_read(ticket, (call, &key), (epoch, from), &versions, cx);
            }
            other => writing.purpose = other,
        }
    }

    /// Asks again, and gives up.
    pub(in super::super) fn retry_writes(&mut self, cx: &mut Cx<'_>) {
        let (now, retry, give_up) = (cx.now(), self.config.retry, self.config.give_up);
        let flights: Vec<u64> = self.writes.keys().copied().collect();
        for flight in flights {
            let Some(writing) = self.writes.get(&flight) else { continue };
            if now.since(writing.since) >= give_up {
                self.give_up(flight, cx);
            } else if now.since(writing.at) >= retry {
                self.ask_write(flight, true, cx);
            }
        }
    }

    fn give_up(&mut self, flight: u64, cx: &mut Cx<'_>) {
        match self.writes.remove(&flight).map(|writing| writing.purpose) {
            // Some may have it already.
            Some(Purpose::Client(ticket, ..)) => cx.reply(ticket, Outcome::Unknown),
            Some(Purpose::WriteBack { ticket, .. }) => {
                cx.reply(ticket, Outcome::Refused(Refusal::Unavailable));
            }
            _ => {}
        }
    }

    /// Whether somebody is being told what this node has of a key that is others' to keep.
    pub(in super::super) fn is_bringing(&self, key: &Name) -> bool {
        let stray = |writing: &Writing| matches!(writing.purpose, Purpose::Stray);
        self.writes.values().any(|writing| writing.key == *key && stray(writing))
    }
}
