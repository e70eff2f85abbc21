//! Reads without an entry in the log.
//!
//! A read must show all that was committed before it began. The leader knows what that is once an
//! entry of its own term is committed, and as long as it is the leader. That it still is, it learns
//! from a majority that answers a heartbeat sent after the read came; or it relies on a lease: who
//! has answered a heartbeat listens to no candidate for the shortest election time, so until then,
//! less a fifth for clocks that drift, nobody else can lead.
//!
//! Any node can answer: it asks the leader for the slot, and waits until it has applied that.

use super::message::Message;
use super::{Context, Raft, Role, Timer};
use crate::base::{Mutation, Name, NodeId, Op, Slot, Span, Time};
use crate::proto::Ticket;
use std::collections::VecDeque;

/// How a node answers a read of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// As a write: by an entry of its own.
    #[default]
    Log,
    /// When a majority has confirmed that the leader still is one.
    Index,
    /// At once, as long as the leader's lease lasts; else as `Index`.
    Lease,
}

/// A read that this node was asked for.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    ticket: Ticket,
    key: Name,
    /// How far the log must be applied, once the leader has said so.
    slot: Option<Slot>,
}

/// What the leader must know to let reads go.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// The number of the last heartbeat.
    pub(super) last: u64,
    /// The largest number that a majority has answered, and when that heartbeat left.
    confirmed: u64,
    /// When the heartbeats after `confirmed` left.
    left: VecDeque<(u64, Time)>,
    /// Until when, by its own clock, nobody else can lead.
    lease: Time,
    /// Who waits for the answers to which heartbeat: who, its number, the slot.
    open: Vec<(u64, NodeId, u64, Slot)>,
}

// -- asking --------------------------------------------------------------------------------------
impl Raft {
    /// Takes a read in, if reads need no entry. Returns whether it did.
    pub(super) fn reads(&mut self, ticket: Ticket, op: &Op, cx: &mut Context<'_, Self>) -> bool {
        let Op::Get { key } = op else { return false };
        if self.config.reads == Reads::Log {
            return false;
        }
        let slot = self.has(Mutation::RaftReadLocal).then_some(0);
        self.last_read += 1;
        self.readings.insert(self.last_read, Reading { ticket, key: key.clone(), slot });
        if self.readings.len() == 1 {
            cx.set(Timer::Read, self.config.log.heartbeat);
        }
        self.ask_where_to_read(self.last_read, cx);
        self.answer_reads(cx);
        true
    }

    fn ask_where_to_read(&mut self, read: u64, cx: &mut Context<'_, Self>) {
        match self.role {
            Role::Leader(_) => self.on_read_index(cx.me(), read, cx),
            Role::Follower(Some(leader)) => cx.send(leader, Message::ReadIndex { read }),
            Role::Follower(None) | Role::Candidate(_) => {}
        }
    }

    /// Asks for all that were not told yet where to read.
    pub(super) fn on_read_timer(&mut self, cx: &mut Context<'_, Self>) {
        let open = self.readings.iter().filter(|(_, reading)| reading.slot.is_none());
        let open: Vec<u64> = open.map(|(read, _)| *read).collect();
        open.into_iter().for_each(|read| self.ask_where_to_read(read, cx));
        if !self.readings.is_empty() {
            cx.set(Timer::Read, self.config.log.election.0);
        }
    }

    pub(super) fn on_read_state(&mut self, read: u64, slot: Slot, cx: &mut Context<'_, Self>) {
        if let Some(reading) = self.readings.get_mut(&read) {
            reading.slot = Some(slot);
            self.answer_reads(cx);
        }
    }

    /// Answers the reads for which enough is applied.
    pub(super) fn answer_reads(&mut self, cx: &mut Context<'_, Self>) {
        let (applied, registers) = (self.replica.applied(), self.replica.machine().registers());
        self.readings.retain(|_, Reading { ticket, key, slot }| {
            let ready = slot.is_some_and(|slot| slot <= applied);
            if ready {
                cx.reply(*ticket, registers.read(key));
            }
            !ready
        });
    }
}

// -- as leader -----------------------------------------------------------------------------------
impl Raft {
    pub(super) fn on_read_index(&mut self, from: NodeId, read: u64, cx: &mut Context<'_, Self>) {
        let now = self.lease_clock(cx);
        let early = self.has(Mutation::RaftReadBeforeNoop);
        let old = self.has(Mutation::RaftReadOldRound);
        let Role::Leader(leader) = &mut self.role else { return };
        // What earlier leaders committed comes before its own first entry.
        let slot = if early { self.commit } else { self.commit.max(leader.first) };
        if self.config.reads == Reads::Lease && now < leader.rounds.lease {
            return self.tell_where_to_read(from, read, slot, cx);
        }
        let rounds = &mut leader.rounds;
        let round = if old { rounds.confirmed } else { rounds.last + 1 };
        rounds.open.push((round, from, read, slot));
        if rounds.confirmed == rounds.last {
            self.begin_round(cx);
        }
        self.confirm(cx);
    }

    fn tell_where_to_read(
        &mut self,
        to: NodeId,
        read: u64,
        slot: Slot,
        cx: &mut Context<'_, Self>,
    ) {
        match to == cx.me() {
            true => self.on_read_state(read, slot, cx),
            false => cx.send(to, Message::ReadState { read, slot }),
        }
    }

    /// Sends a heartbeat just to learn whether it still leads.
    fn begin_round(&mut self, cx: &mut Context<'_, Self>) {
        let round = self.count_round(cx);
        for id in self.others(cx.me()) {
            let Role::Leader(leader) = &self.role else { return };
            if let Some(matched) = leader.matched(id) {
                cx.send(id, self.note(matched, round));
            }
        }
    }

    /// The number of the next heartbeat, which leaves now.
    pub(super) fn count_round(&mut self, cx: &Context<'_, Self>) -> u64 {
        let now = self.lease_clock(cx);
        let Role::Leader(leader) = &mut self.role else { return 0 };
        leader.rounds.last += 1;
        leader.rounds.left.push_back((leader.rounds.last, now));
        leader.rounds.last
    }

    /// Looks which heartbeats a majority has answered, and lets the reads go that waited for them.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_, Self>) {
        let shortest = self.config.log.election.0;
        let Role::Leader(leader) = &mut self.role else { return };
        let confirmed = leader.answered(cx.me(), &self.configurations.last().voters);
        let rounds = &mut leader.rounds;
        rounds.confirmed = rounds.confirmed.max(confirmed);
        while let Some((round, at)) = rounds.left.front().copied()
            && round <= confirmed
        {
            rounds.lease = at + Span(shortest.0 / 5 * 4);
            rounds.left.pop_front();
        }
        let ready: Vec<_> = rounds.open.extract_if(.., |open| open.0 <= confirmed).collect();
        let more = rounds.confirmed == rounds.last && !rounds.open.is_empty();
        for (_, from, read, slot) in ready {
            self.tell_where_to_read(from, read, slot, cx);
        }
        if more {
            self.begin_round(cx);
        }
    }

    /// Leases are measured on the clock that never jumps.
    fn lease_clock(&self, cx: &Context<'_, Self>) -> Time {
        if self.has(Mutation::RaftLeaseWall) { cx.wall() } else { cx.now() }
    }
}
