//! Reads without an entry, as `log` has them: what Multi-Paxos adds.
//!
//! A leader answers when a majority has acknowledged a heartbeat that is numbered, and only then
//! are heartbeats numbered. Under leases all are, and whoever acknowledges one promises no other
//! ballot for the shortest election time; nor does it seek to lead itself.

use super::{Context, Log, Message, Role, Timer};
use crate::base::{Ballot, Mutation, NodeId, Slot, Time};
use crate::proto::log::{ReadId, Reader, Reads};
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
impl Log {
    pub(super) fn on_read_index(&mut self, from: NodeId, read: ReadId, cx: &mut Context<'_, Self>) {
        if self.config.reads == Reads::Quorum {
            let slot = self.highest();
            return cx.send(from, Message::ReadState { read, slot });
        }
        let (now, lease) = (self.lease_clock(cx), self.gives_leases());
        let early = self.has(Mutation::LogReadEarly);
        let old = self.has(Mutation::LogReadOldRound);
        let Role::Leader(leader) = &mut self.role else { return };
        // What earlier leaders have had chosen is in the slots that it took over.
        let slot = if early { self.commit } else { leader.done.max(leader.taken_over) };
        if lease && leader.rounds.lease_lasts(now) {
            return self.tell_where_to_read(from, read, slot, cx);
        }
        if leader.rounds.wait((from, read, slot), old) {
            self.begin_round(cx);
        }
        self.confirm(cx);
    }

    /// The highest slot that it voted in, or knows to be chosen.
    fn highest(&self) -> Slot {
        match self.has(Mutation::LogReadApplied) {
            true => self.replica.applied(),
            false => self.strip.last_vote().max(self.commit),
        }
    }

    fn tell_where_to_read(
        &mut self,
        to: NodeId,
        read: ReadId,
        slot: Slot,
        cx: &mut Context<'_, Self>,
    ) {
        match to == cx.me() {
            true => self.on_read_state(to, read, slot, cx),
            false => cx.send(to, Message::ReadState { read, slot }),
        }
    }

    /// Sends a heartbeat just to learn whether it still leads.
    fn begin_round(&mut self, cx: &mut Context<'_, Self>) {
        let now = self.lease_clock(cx);
        let Role::Leader(leader) = &mut self.role else { return };
        let (ballot, commit, round) = (leader.ballot, leader.done, leader.rounds.begin(now));
        cx.send_all(self.config.others(cx.me()), &Message::Heartbeat { ballot, commit, round });
    }

    /// The number of the heartbeat that leaves now; none if nobody needs the answers.
    pub(super) fn number_round(&mut self, cx: &Context<'_, Self>) -> u64 {
        let (now, lease) = (self.lease_clock(cx), self.gives_leases());
        match &mut self.role {
            Role::Leader(leader) if lease || leader.rounds.are_waited_for() => {
                leader.rounds.begin(now)
            }
            _ => 0,
        }
    }

    /// Looks which heartbeats a majority has answered, and lets the reads go that waited for them.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_, Self>) {
        let (me, shortest) = (cx.me(), self.config.election.0);
        let Role::Leader(leader) = &mut self.role else { return };
        let voters = self.electorate.of(leader.done + 1);
        let confirmed = leader.answered(me, voters);
        let ready = leader.rounds.confirm(confirmed, shortest);
        let more = leader.rounds.is_next_due();
        for (from, read, slot) in ready {
            self.tell_where_to_read(from, read, slot, cx);
        }
        if more {
            self.begin_round(cx);
        }
    }
}

impl Log {
    /// Slots up to `before` were chosen when it last looked, and now there are more. If others
    /// decide the next one, what they have confirmed counts, and nothing that was before.
    pub(super) fn confirm_anew(&mut self, before: Slot) {
        let Role::Leader(leader) = &mut self.role else { return };
        if self.electorate.of(before + 1) != self.electorate.of(leader.done + 1) {
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

    /// Leases are measured on the clock that never jumps.
    fn lease_clock(&self, cx: &Context<'_, Self>) -> Time {
        if self.has(Mutation::LogLeaseWall) { cx.wall() } else { cx.now() }
    }
}
