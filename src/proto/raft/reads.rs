//! Reads without an entry, as `log` has them: what a leader of Raft adds.

use super::message::Message;
use super::{Context, Raft, Role, Timer};
use crate::base::{NodeId, Slot};
use crate::proto::log::{ReadId, Reader, Rounds, Teller};
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

impl Teller for Raft {
    fn read_state(read: ReadId, slot: Slot) -> Message {
        Message::ReadState { read, slot }
    }

    fn rounds(&mut self) -> Option<&mut Rounds> {
        match &mut self.role {
            Role::Leader(leader) => Some(&mut leader.rounds),
            _ => None,
        }
    }

    /// What earlier leaders committed comes before its own first entry.
    fn slot_to_read(&self, early: bool) -> Slot {
        match &self.role {
            Role::Leader(leader) if !early => self.commit.max(leader.first),
            _ => self.commit,
        }
    }

    fn answered(&self, me: NodeId) -> u64 {
        match &self.role {
            Role::Leader(leader) => leader.answered(me, &self.configurations.last().voters),
            _ => 0,
        }
    }

    fn begin_round(&mut self, cx: &mut Context<'_, Self>) -> u64 {
        let round = self.count_round(cx);
        self.for_others(cx.me(), |raft, id| {
            let Role::Leader(leader) = &raft.role else { return };
            if let Some(matched) = leader.matched(id) {
                cx.send(id, raft.note(matched, round));
            }
        });
        round
    }
}

impl Raft {
    /// The number of the next heartbeat, which leaves now.
    pub(super) fn count_round(&mut self, cx: &Context<'_, Self>) -> u64 {
        let now = self.lease_clock(cx);
        self.rounds().map_or(0, |rounds| rounds.begin(now))
    }
}
