//! Reads without an entry in the log.
//!
//! A read must show all that was committed before it began. Any node can answer: it learns up to
//! which slot that goes, and waits until it has applied that. Whom it asks, [`Reads`] says.
//!
//! **The leader knows** once it has committed what it began with, and as long as it is the leader.
//! That it still is, it learns from a majority that answers a heartbeat sent after the read came
//! (`index`); or it relies on a lease (`lease`): who has answered a heartbeat helps nobody else to
//! lead for the shortest election time, so until then, less a fifth for clocks that drift, nobody
//! does. Who has just restarted may have answered one in its last life, and waits as long.
//!
//! **A majority knows** without a leader (`quorum`): what is chosen, some node of every majority
//! has voted for, so it is in no slot after the highest that any of them voted in. Such a slot may
//! never be filled, if who proposed it is gone; a read that waits for long goes through the log.
//!
//! **Nobody is asked**: the node answers from its own state (`local`), or when it has caught up
//! with its leader, whose word it takes for it (`sync`, on Zab). Such reads may be stale.
//!
//! ```text
//!  n2                 n1 (leader)    n3          n2                n1            n3
//!   ├─ ReadIndex 7 ────>│             │           ├─ ReadIndex 7 ──>├────────────>│
//!   │                   ├─ heartbeat ─>           │<─ ReadState 7 at 41 ──────────┤
//!   │                   │<─ answer ───┤           │<─ ReadState 7 at 42 ┤         │
//!   │<─ ReadState 7 at 42             │           │   applies slot 42, answers
//!   │   applies slot 42, answers
//! ```
//!
//! **Sources.** Ongaro, *Consensus: bridging theory and practice* (2014), section 6.4; Gray and
//! Cheriton, *Leases* (1989); Charapko, Ailijiang and Demirbas, *Linearizable quorum reads in
//! Paxos* (HotStorage 2019).

use super::{Agreement, Replica};
use crate::base::{CallId, Entry, Mutation, NodeId, Op, Slot, Span, Time};
use crate::proto::quorum::Tally;
use crate::proto::{Context, Protocol, Ticket};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

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
    /// When a majority has told how far it has voted.
    Quorum,
    /// At once, from the node's own state: it may be stale.
    Local,
    /// When the node has caught up with its leader, if that still is one (Zab).
    Sync,
}

impl Reads {
    /// Whether a read shows all that was told anybody before it began. Else it shows no less than
    /// the same client has been told.
    pub fn are_current(self) -> bool {
        !matches!(self, Reads::Local | Reads::Sync)
    }
}

// -- as the node that was asked ------------------------------------------------------------------

/// A node's own name for a read. Those of earlier lives are not used again: what was told then may
/// come now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReadId {
    /// In which of its lives.
    boot: u32,
    /// Counts its reads, from 1.
    number: u32,
}

/// `7`; `2.7` in its second life.
impl fmt::Display for ReadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.boot {
            1 => write!(f, "{}", self.number),
            boot => write!(f, "{boot}.{}", self.number),
        }
    }
}

/// A read that this node was asked for.
#[derive(Clone, Debug)]
struct Reading {
    ticket: Ticket,
    entry: Arc<Entry>,
    /// Who has told how far the log must be applied, and how far that is.
    told: Tally,
    slot: Slot,
    /// Enough have told.
    sure: bool,
    /// It has waited since the last look at it.
    late: bool,
}

/// All reads that are not answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    open: BTreeMap<ReadId, Reading>,
    last: u32,
}

impl Readings {
    fn begin(&mut self, boot: u32, ticket: Ticket, entry: Arc<Entry>) -> ReadId {
        self.last += 1;
        let read = ReadId { boot, number: self.last };
        let told = Tally::default();
        self.open.insert(read, Reading { ticket, entry, told, slot: 0, sure: false, late: false });
        read
    }

    fn unsure(&self) -> Vec<ReadId> {
        self.open.iter().filter(|(_, it)| !it.sure).map(|(read, _)| *read).collect()
    }

    /// Takes those out that have known for long where to read, and still wait.
    fn take_late(&mut self) -> Vec<Reading> {
        let mut late = Vec::new();
        self.open.retain(|_, it| {
            let stays = !it.sure || !std::mem::replace(&mut it.late, true);
            if !stays {
                late.push(it.clone());
            }
            stays
        });
        late
    }
}

impl Replica {
    /// Answers the reads for which enough is applied.
    pub(super) fn answer_reads<P: Protocol>(&mut self, cx: &mut Context<'_, P>) {
        if self.readings.open.is_empty() {
            return;
        }
        let (applied, registers) = (self.machine.applied(), self.machine.registers());
        self.readings.open.retain(|_, it| {
            let ready = it.sure && it.slot <= applied;
            if let Op::Get { key } = &it.entry.op
                && ready
            {
                cx.reply(it.ticket, registers.read(key));
            }
            !ready
        });
    }
}

/// A protocol that answers reads without entries.
pub trait Reader: Agreement {
    /// The timer that brings up again what nobody has told.
    const READ: Self::Timer;

    /// Asks whoever knows how far the log must be applied for a read.
    fn ask_where_to_read(&mut self, read: ReadId, cx: &mut Context<'_, Self>);

    /// Whether these are enough who have told it.
    fn is_sure(&self, told: &Tally) -> bool;

    /// Takes a read in, if reads need no entry. Returns whether it did.
    fn takes_read(
        &mut self,
        ticket: Ticket,
        call: CallId,
        op: &Op,
        cx: &mut Context<'_, Self>,
    ) -> bool {
        let Op::Get { key } = op else { return false };
        let blind = self.config().mutations.has(Mutation::LogReadLocal);
        match self.config().reads {
            Reads::Log => false,
            reads if reads == Reads::Local || blind => {
                cx.reply(ticket, self.replica().machine.registers().read(key));
                true
            }
            _ => {
                self.begin_read(ticket, Arc::new(Entry { call, op: op.clone() }), cx);
                true
            }
        }
    }

    /// Asks how far the log must be applied, for as long as nobody has told.
    fn begin_read(&mut self, ticket: Ticket, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        if self.replica().readings.open.is_empty() {
            cx.set(Self::READ, self.config().heartbeat);
        }
        let read = self.replica().readings.begin(cx.boot(), ticket, entry);
        self.ask_where_to_read(read, cx);
    }

    /// Somebody tells how far the log must be applied for a read.
    fn on_read_state(
        &mut self,
        from: NodeId,
        read: ReadId,
        slot: Slot,
        cx: &mut Context<'_, Self>,
    ) {
        let Some(reading) = self.replica().readings.open.get_mut(&read) else { return };
        if reading.sure {
            return;
        }
        reading.slot = reading.slot.max(slot);
        reading.told.add(from);
        let told = reading.told.clone();
        if self.is_sure(&told) {
            if let Some(reading) = self.replica().readings.open.get_mut(&read) {
                reading.sure = true;
            }
            self.replica().answer_reads(cx);
        }
    }

    /// Asks again for all that were not told enough; and who knows a slot that is never filled goes
    /// through the log.
    fn on_read_timer(&mut self, cx: &mut Context<'_, Self>) {
        let unsure = self.replica().readings.unsure();
        unsure.into_iter().for_each(|read| self.ask_where_to_read(read, cx));
        if self.config().reads == Reads::Quorum {
            let late = self.replica().readings.take_late();
            late.into_iter().for_each(|it| self.on_request(it.ticket, it.entry, cx));
        }
        if !self.replica().readings.open.is_empty() {
            cx.set(Self::READ, self.config().election.0);
        }
    }
}

// -- as leader -----------------------------------------------------------------------------------

/// A read that waits for answers to a heartbeat: which one, who asked, its name for it, and the
/// slot that is to be told.
#[derive(Clone, Copy, Debug)]
struct Open {
    round: u64,
    from: NodeId,
    read: ReadId,
    slot: Slot,
}

/// What a leader must know to let reads go: which of its heartbeats a majority has answered.
#[derive(Clone, Debug, Default)]
pub(in crate::proto) struct Rounds {
    /// The number of the last heartbeat.
    last: u64,
    /// The largest number that a majority has answered.
    confirmed: u64,
    /// When the heartbeats after `confirmed` left.
    left: VecDeque<(u64, Time)>,
    /// Until when, by its own clock, nobody else can lead.
    lease: Time,
    /// Others may be helped to lead whatever voters have promised: there are no leases any more.
    unleased: bool,
    open: Vec<Open>,
}

impl Rounds {
    /// From now on, there are no leases.
    pub(in crate::proto) fn end_leases(&mut self) {
        (self.lease, self.unleased) = (Time::ZERO, true);
    }

    /// The number of the last heartbeat.
    pub(in crate::proto) fn last(&self) -> u64 {
        self.last
    }

    /// The number of the next heartbeat, which leaves now.
    pub(in crate::proto) fn begin(&mut self, now: Time) -> u64 {
        self.last += 1;
        self.left.push_back((self.last, now));
        self.last
    }

    /// Whether it is sure that nobody else leads.
    pub(in crate::proto) fn lease_lasts(&self, now: Time) -> bool {
        now < self.lease
    }

    /// Whether reads wait for answers.
    pub(in crate::proto) fn are_waited_for(&self) -> bool {
        !self.open.is_empty()
    }

    /// Has a read wait for the answers to the next heartbeat; to the last one that was answered, in
    /// a mutation. Returns whether the next one is to leave now: it does not wait for another.
    pub(in crate::proto) fn wait(
        &mut self,
        (from, read, slot): (NodeId, ReadId, Slot),
        mutation: bool,
    ) -> bool {
        let round = if mutation { self.confirmed } else { self.last + 1 };
        self.open.push(Open { round, from, read, slot });
        self.confirmed == self.last
    }

    /// A majority has answered the heartbeat of this number. Returns whom to tell what.
    pub(in crate::proto) fn confirm(
        &mut self,
        confirmed: u64,
        shortest: Span,
    ) -> Vec<(NodeId, ReadId, Slot)> {
        self.confirmed = self.confirmed.max(confirmed);
        while let Some((round, at)) = self.left.front().copied()
            && round <= self.confirmed
        {
            if !self.unleased {
                self.lease = at + Span(shortest.0 / 5 * 4);
            }
            self.left.pop_front();
        }
        let ready = self.open.extract_if(.., |open| open.round <= confirmed);
        ready.map(|open| (open.from, open.read, open.slot)).collect()
    }

    /// Others are to confirm from now on: all that was confirmed counts for nothing, and who waits
    /// asks them, as if the read had come just now.
    pub(in crate::proto) fn begin_anew(&mut self, slot: Slot) {
        self.lease = Time::ZERO;
        self.left.clear();
        for open in &mut self.open {
            (open.round, open.slot) = (self.last + 1, open.slot.max(slot));
        }
    }

    /// Whether the next heartbeat is to leave now, for those who wait for it.
    pub(in crate::proto) fn is_next_due(&self) -> bool {
        self.confirmed == self.last && self.are_waited_for()
    }
}

/// A protocol whose leader learns from the answers to its heartbeats that it still is one.
pub(in crate::proto) trait Teller: Reader {
    /// What it tells whoever asked for a read: how far the log must be applied.
    fn read_state(read: ReadId, slot: Slot) -> Self::Message;

    /// What it knows of its heartbeats, if it leads.
    fn rounds(&mut self) -> Option<&mut Rounds>;

    /// How far the log must be applied for a read, as far as it knows as a leader: all that is
    /// committed, and all that earlier leaders may have committed; without these if `early`, in a
    /// mutation.
    fn slot_to_read(&self, early: bool) -> Slot;

    /// The largest heartbeat that a quorum has answered; its own it has answered itself.
    fn answered(&self, me: NodeId) -> u64;

    /// Sends a heartbeat just to learn who answers. Returns its number.
    fn begin_round(&mut self, cx: &mut Context<'_, Self>) -> u64;

    /// Somebody asks a leader how far the log must be applied for a read.
    fn on_read_index(&mut self, from: NodeId, read: ReadId, cx: &mut Context<'_, Self>) {
        let (now, lease) = (self.lease_clock(cx), self.config().reads == Reads::Lease);
        let has = |mutation| self.config().mutations.has(mutation);
        let (early, old) = (has(Mutation::LogReadEarly), has(Mutation::LogReadOldRound));
        let slot = self.slot_to_read(early);
        let Some(rounds) = self.rounds() else { return };
        if lease && rounds.lease_lasts(now) {
            return self.tell_where_to_read(from, read, slot, cx);
        }
        if rounds.wait((from, read, slot), old) {
            self.begin_round(cx);
        }
        self.confirm(cx);
    }

    /// Tells who asked how far the log must be applied; it may be this node.
    fn tell_where_to_read(
        &mut self,
        to: NodeId,
        read: ReadId,
        slot: Slot,
        cx: &mut Context<'_, Self>,
    ) {
        match to == cx.me() {
            true => self.on_read_state(to, read, slot, cx),
            false => cx.send(to, Self::read_state(read, slot)),
        }
    }

    /// Looks which heartbeats a majority has answered, and lets the reads go that waited for them.
    fn confirm(&mut self, cx: &mut Context<'_, Self>) {
        let (confirmed, shortest) = (self.answered(cx.me()), self.config().election.0);
        let Some(rounds) = self.rounds() else { return };
        let ready = rounds.confirm(confirmed, shortest);
        let more = rounds.is_next_due();
        for (from, read, slot) in ready {
            self.tell_where_to_read(from, read, slot, cx);
        }
        if more {
            self.begin_round(cx);
        }
    }

    /// Leases are measured on the clock that never jumps.
    fn lease_clock(&self, cx: &Context<'_, Self>) -> Time {
        match self.config().mutations.has(Mutation::LogLeaseWall) {
            true => cx.wall(),
            false => cx.now(),
        }
    }
}
