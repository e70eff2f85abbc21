//! Local reads and `sync`, as ZooKeeper has them.
//!
//! A read is answered by the node that was asked, from its own state: it may be stale, though no
//! client sees time run backwards (a client that has been told more than a node knows asks
//! another). A *sync* before the read brings the node up to where the leader was: what was
//! committed before the read began is then seen, if that leader still led. For it is no operation
//! of a quorum: a leader that has been deposed, and has not noticed yet, answers as well. Who must
//! rule that out reads through the history, like a write.
//!
//! ```text
//!  n1 (follower)        n3 (leader)
//!   ├─ Sync 7 ───────────>│
//!   │<─ Synced 7 at 42 ───┤    how far the history is committed there
//!   │   applies slot 42, answers
//! ```
//!
//! **Sources.** Hunt, Konar, Junqueira and Reed, *ZooKeeper: wait-free coordination for
//! internet-scale systems* (2010), sections 2.3 and 4.4; the chapter on consistency guarantees of
//! ZooKeeper's programmer's guide.

use super::follower::Following;
use super::{Context, Message, Phase, Timer, Zab};
use crate::base::NodeId;
use crate::proto::log::{ReadId, Reader};
use crate::proto::quorum::Tally;

impl Reader for Zab {
    const READ: Timer = Timer::Read;

    fn ask_where_to_read(&mut self, read: ReadId, cx: &mut Context<'_, Self>) {
        match self.phase {
            Phase::Leading(_) => self.on_sync(cx.me(), read, cx),
            Phase::Following(Following { leader, up_to_date: true, .. }) => {
                cx.send(leader, Message::Sync { read });
            }
            Phase::Following(_) | Phase::Looking(_) => {}
        }
    }

    /// The leader knows.
    fn is_sure(&self, _: &Tally) -> bool {
        true
    }
}

impl Zab {
    pub(super) fn on_sync(&mut self, from: NodeId, read: ReadId, cx: &mut Context<'_, Self>) {
        let Phase::Leading(leading) = &self.phase else { return };
        let slot = self.commit;
        match from == cx.me() {
            _ if !leading.is_established() => {}
            true => self.on_read_state(from, read, slot, cx),
            false => cx.send(from, Message::Synced { read, slot }),
        }
    }
}
