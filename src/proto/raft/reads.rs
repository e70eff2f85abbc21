//! Reads without an entry, as `log` has them: what a leader of Raft adds.

use super::message::Message;
use super::{Context, Raft, Role, Timer};
use crate::base::{Mutation, NodeId, Slot, Time};
use crate::proto::log::{ReadId, Reader, Reads};
use crate::proto::quorum::Tally;

impl Reader for Raft {
    const READ: Timer = Timer::Read;

    fn ask_where_to_read(&mut self, read: ReadId, cx: &mut Context<'_, Self>) {
        match self.role {
            Role::Leader(_) => self.on_read_index(cx.me(), read, cx),
            Role::Follower(Some(leader)) => cx.send(leader, Message::ReadIndex { read }),
            Role::Follower(None) | Role::Candidate(_) => {}
        }
    }

    /// The leader knows.
    fn is_sure(&self, _: &Tally) -> bool {
        true
    }
}

impl Raft {
    pub(super) fn on_read_index(&mut self, from: NodeId, read: ReadId, cx: &mut Context<'_, Self>) {
        let (now, lease) = (self.lease_clock(cx), self.config.log.reads == Reads::Lease);
        let early = self.has(Mutation::LogReadEarly);
        let old = self.has(Mutation::LogReadOldRound);
        let Role::Leader(leader) = &mut self.role else { return };
        // What earlier leaders committed comes before its own first entry.
        let slot = if early { self.commit } else { self.commit.max(leader.first) };
        if lease && leader.rounds.lease_lasts(now) {
            return self.tell_where_to_read(from, read, slot, cx);
        }
        if leader.rounds.wait((from, read, slot), old) {
            self.begin_round(cx);
        }
        self.confirm(cx);
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

    /// Sends a heartbeat just to learn who answers, and says which it is.
    pub(super) fn begin_round(&mut self, cx: &mut Context<'_, Self>) -> u64 {
        let round = self.count_round(cx);
        for id in self.others(cx.me()) {
            let Role::Leader(leader) = &self.role else { continue };
            if let Some(matched) = leader.matched(id) {
                cx.send(id, self.note(matched, round));
            }
        }
        round
    }

    /// The number of the next heartbeat, which leaves now.
    pub(super) fn count_round(&mut self, cx: &Context<'_, Self>) -> u64 {
        let now = self.lease_clock(cx);
        let Role::Leader(leader) = &mut self.role else { return 0 };
        leader.rounds.begin(now)
    }

    /// Looks which heartbeats a majority has answered, and lets the reads go that waited for them.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_, Self>) {
        let shortest = self.config.log.election.0;
        let Role::Leader(leader) = &mut self.role else { return };
        let confirmed = leader.answered(cx.me(), &self.configurations.last().voters);
        let ready = leader.rounds.confirm(confirmed, shortest);
        let more = leader.rounds.is_next_due();
        for (from, read, slot) in ready {
            self.tell_where_to_read(from, read, slot, cx);
        }
        if more {
            self.begin_round(cx);
        }
    }

    /// Leases are measured on the clock that never jumps.
    fn lease_clock(&self, cx: &Context<'_, Self>) -> Time {
        if self.has(Mutation::LogLeaseWall) { cx.wall() } else { cx.now() }
    }
}
