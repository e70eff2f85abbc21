//! The owner's desk: where a read takes time, reads are done one after the other.
//!
//! With `read_time`, an owner works on a read for so long, and on one at a time; who comes
//! meanwhile waits for its turn. Whoever asked may have given up by then, and may have asked again:
//! the owner does not know, and works for nobody. If that is most of what it does, it never gets
//! out of it, though it could do all that is asked for (a *metastable failure*). `read_queue`
//! bounds the line: who comes when it is full is refused at once, and who is let in is answered in
//! time. Writes do not wait: they go by the disk.
//!
//! **Source.** Bronson et al. 2021, *Metastable failures in distributed systems*.

use super::{Cx, Store, Timer, key_of};
use crate::base::{CallId, NodeId, Op, Outcome, Refusal, Span};
use crate::event::Fact;
use std::collections::VecDeque;
use std::sync::Arc;

/// A read that waits for its turn; the first in line has it.
#[derive(Clone, Debug)]
struct Turn {
    router: NodeId,
    call: CallId,
    op: Arc<Op>,
}

/// All that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk(VecDeque<Turn>);

impl Desk {
    /// How many reads there are to do.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

impl Store {
    /// Whether an operation has to wait for its turn.
    pub(super) fn takes_time(&self, op: &Op) -> bool {
        self.config.read_time > Span::ZERO && matches!(op, Op::Get { .. })
    }

    /// Takes a read into the line, unless it is there already or there are too many.
    pub(super) fn line_up(&mut self, router: NodeId, call: CallId, op: &Arc<Op>, cx: &mut Cx<'_>) {
        if self.desk.0.iter().any(|turn| (turn.router, turn.call) == (router, call)) {
            return;
        }
        if self.desk.0.len() > usize::from(self.config.read_queue) {
            let refused = Outcome::Refused(Refusal::Overloaded);
            return self.answer(vec![(router, call, refused)], cx);
        }
        self.desk.0.push_back(Turn { router, call, op: Arc::clone(op) });
        if self.desk.len() == 1 {
            cx.set(Timer::Turn, self.config.read_time);
        }
        cx.emit(Fact::Backlog { reads: self.desk.len() });
    }

    /// The first in line is done, and the next one's turn begins.
    pub(super) fn next_turn(&mut self, cx: &mut Cx<'_>) {
        let Some(Turn { router, call, op }) = self.desk.0.pop_front() else { return };
        if !self.desk.0.is_empty() {
            cx.set(Timer::Turn, self.config.read_time);
        }
        cx.emit(Fact::Backlog { reads: self.desk.len() });
        // A key that is another's by now is asked for there.
        if let Some(key) = key_of(&op).filter(|key| self.answers_for(key, cx.me())) {
            self.admit(router, call, &op, key, cx);
        }
    }
}
