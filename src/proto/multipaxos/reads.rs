//! Reads without an entry, as `log` has them: what Multi-Paxos adds.
//!
//! A leader answers when a majority has acknowledged a heartbeat that is numbered, and only then
//! are heartbeats numbered. Under leases all are, and whoever acknowledges one promises no other
//! ballot for the shortest election time; nor does it seek to lead itself.

use super::{Context, Log, Message, Role, Timer};
use crate::base::{Ballot, Mutation, NodeId, Slot, Time};
use crate::proto::log::{ReadId, Reader, Reads, Rounds, Teller};
use crate::proto::quorum::Tally;

impl Reader for Log {
    const READ: Timer = Timer::Read;

    fn ask_where_to_read(&mut self, read: ReadId, cx: &mut Context<'_, Self>) {
        let ask = Message::ReadIndex { read };
        match self.role {
            _ if self.config.reads == Reads::Quorum => {
                cx.send_all(self.config.peers.iter(), &ask);
            }
            Role::Leader(_) => self.on_read_index(cx.me(), read, cx),
            Role::Candidate(_) | Role::Follower(Ballot::NONE) => {}
            Role::Follower(ballot) => cx.send(ballot.node, ask),
        }
    }

    fn is_sure(&self, told: &Tally) -> bool {
        self.config.reads != Reads::Quorum || self.electorate.enough(told, self.commit + 1)
    }
}

// -- telling where to read -----------------------------------------------------------------------
impl Teller for Log {
    fn read_state(read: ReadId, slot: Slot) -> Message {
        Message::ReadState { read, slot }
    }

    fn rounds(&mut self) -> Option<&mut Rounds> {
        match &mut self.role {
            Role::Leader(leader) => Some(&mut leader.rounds),
            _ => None,
        }
    }

    /// What earlier leaders have had chosen is in the slots that it took over.
    fn slot_to_read(&self, early: bool) -> Slot {
        match &self.role {
            Role::Leader(leader) if !early => leader.done.max(leader.taken_over),
            _ => self.commit,
        }
    }

    fn answered(&self, me: NodeId) -> u64 {
        match &self.role {
            Role::Leader(leader) => leader.answered(me, self.electorate.of(leader.done + 1)),
            _ => 0,
        }
    }

    fn begin_round(&mut self, cx: &mut Context<'_, Self>) -> u64 {
        let now = self.lease_clock(cx);
        let Role::Leader(leader) = &mut self.role else { return 0 };
        let (ballot, commit, round) = (leader.ballot, leader.done, leader.rounds.begin(now));
        cx.send_all(self.config.others(cx.me()), &Message::Heartbeat { ballot, commit, round });
        round
    }
}

impl Log {
    /// Somebody asks how far the log must be applied for a read: whoever leads, or everybody.
    pub(super) fn on_read(&mut self, from: NodeId, read: ReadId, cx: &mut Context<'_, Self>) {
        match self.config.reads {
            Reads::Quorum => {
                let slot = self.highest();
                cx.send(from, Message::ReadState { read, slot });
            }
            _ => self.on_read_index(from, read, cx),
        }
    }

    /// The highest slot that it voted in, or knows to be chosen.
    fn highest(&self) -> Slot {
        match self.has(Mutation::LogReadApplied) {
            true => self.replica.applied(),
            false => self.strip.last_vote().max(self.commit),
        }
    }

    /// The number of the heartbeat that leaves now; none if nobody needs the answers.
    pub(super) fn number_round(&mut self, cx: &Context<'_, Self>) -> u64 {
        let (now, lease) = (self.lease_clock(cx), self.gives_leases());
        match self.rounds() {
            Some(rounds) if lease || rounds.are_waited_for() => rounds.begin(now),
            _ => 0,
        }
    }

    /// Slots up to `before` were chosen when it last looked, and now there are more. If others
    /// decide the next one, what they have confirmed counts, and nothing that was before.
    pub(super) fn confirm_anew(&mut self, before: Slot) {
        let Role::Leader(leader) = &mut self.role else { return };
        if !std::ptr::eq(self.electorate.of(before + 1), self.electorate.of(leader.done + 1)) {
            leader.rounds.begin_anew(leader.done);
        }
    }
}

// -- leases --------------------------------------------------------------------------------------
impl Log {
    pub(super) fn gives_leases(&self) -> bool {
        self.config.reads == Reads::Lease
    }

    /// When the lease ends that it gave to somebody else than `candidate`; none if it gave none, or
    /// if that has ended. Who has restarted may have given one in its last life.
    pub(super) fn is_bound(&self, candidate: NodeId, cx: &Context<'_, Self>) -> Option<Time> {
        let (whom, since) = self.given?;
        let end = since + self.config.election.0;
        let binds = self.gives_leases() && whom != candidate && cx.now() < end;
        (binds && !self.has(Mutation::LogBreakLease)).then_some(end)
    }
}
