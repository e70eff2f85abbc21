//! What is selected. There is one selection for the whole screen: a node that is selected in one
//! pane is selected in all.

use super::action::Action;
use crate::base::{Ballot, MsgId, Name, NodeId, Slot, Time, TxnId};

/// The selection. Each family of things keeps its own, so that going to another pane and back
/// finds everything as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The selected process.
    pub node: NodeId,
    /// The other end of the selected link, which goes from `node` to here.
    pub peer: NodeId,
    /// The selected slot of the log; none follows the newest.
    pub slot: Option<Slot>,
    /// The selected ballot of the single decree; none follows the newest.
    pub ballot: Option<Ballot>,
    /// The selected epoch of the ring; none follows the newest.
    pub epoch: Option<u64>,
    /// The selected lock; none is the first.
    pub lock: Option<Name>,
    /// The selected transaction; none is the newest.
    pub txn: Option<TxnId>,
    /// The selected key; none is the first.
    pub key: Option<Name>,
    /// The selected row of the event list, as an index of the run; none follows the newest.
    pub event: Option<usize>,
    /// The selected check, counted from 0; none is the first of those that matter most.
    pub check: Option<usize>,
    /// The moment whose measurements are told; none tells of no single one.
    pub time: Option<Time>,
}

impl Select {
    /// The first node, and its link to the second.
    pub fn new(node: NodeId, peer: NodeId) -> Select {
        let (slot, ballot, epoch, lock, txn) = (None, None, None, None, None);
        let (key, event, check, time) = (None, None, None, None);
        Select { node, peer, slot, ballot, epoch, lock, txn, key, event, check, time }
    }

    /// Selects what was pointed at. A moment is not selected but gone to, by who knows how.
    pub fn pick(&mut self, pick: &Pick) {
        match pick {
            Pick::Node(node) => self.node = *node,
            Pick::Link(from, to) => (self.node, self.peer) = (*from, *to),
            Pick::Slot(slot) => self.slot = Some(*slot),
            Pick::Ballot(ballot) => self.ballot = Some(*ballot),
            Pick::Lock(lock) => self.lock = Some(lock.clone()),
            Pick::Txn(txn) => self.txn = Some(*txn),
            Pick::Key(key) => self.key = Some(key.clone()),
            Pick::Event(index) => self.event = Some(*index),
            Pick::Check(number) => self.check = Some(*number),
            Pick::Moment(_) => {}
        }
    }

    /// Whether this is what is selected.
    pub fn has(&self, pick: &Pick) -> bool {
        match pick {
            Pick::Node(node) => self.node == *node,
            Pick::Link(from, to) => (self.node, self.peer) == (*from, *to),
            Pick::Slot(slot) => self.slot == Some(*slot),
            Pick::Ballot(ballot) => self.ballot == Some(*ballot),
            Pick::Lock(lock) => self.lock.as_ref() == Some(lock),
            Pick::Txn(txn) => self.txn == Some(*txn),
            Pick::Key(key) => self.key.as_ref() == Some(key),
            Pick::Event(index) => self.event == Some(*index),
            Pick::Check(number) => self.check == Some(*number),
            Pick::Moment(_) => false,
        }
    }
}

/// One thing that can be selected by pointing at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A process.
    Node(NodeId),
    /// One direction of a link.
    Link(NodeId, NodeId),
    /// A slot of the log.
    Slot(Slot),
    /// A ballot of the single decree.
    Ballot(Ballot),
    /// A lock.
    Lock(Name),
    /// A transaction.
    Txn(TxnId),
    /// A key.
    Key(Name),
    /// An event, as an index of the run.
    Event(usize),
    /// A check, counted from 0.
    Check(usize),
    /// A moment of the run.
    Moment(Time),
}

/// How to move a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// To the column on the left.
    Left,
    /// To the column on the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

impl Move {
    /// The move that a key asks for, if it asks for one.
    pub(super) fn of(action: Action) -> Option<Move> {
        Some(match action {
            Action::Left => Move::Left,
            Action::Right => Move::Right,
            Action::Up => Move::Up,
            Action::Down => Move::Down,
            Action::PageUp => Move::PageUp,
            Action::PageDown => Move::PageDown,
            Action::First => Move::First,
            Action::Last => Move::Last,
            _ => return None,
        })
    }

    /// Where `at` goes to in a list of `len` rows.
    pub fn within(self, at: usize, len: usize) -> usize {
        const PAGE: usize = 10;
        let last = len.saturating_sub(1);
        match self {
            Move::Up | Move::Left => at.saturating_sub(1),
            Move::Down | Move::Right => (at + 1).min(last),
            Move::PageUp => at.saturating_sub(PAGE),
            Move::PageDown => (at + PAGE).min(last),
            Move::First => 0,
            Move::Last => last,
        }
    }

    /// The item of `list` that `current` moves to; the first if `current` is not in it.
    pub fn along<T: PartialEq + Clone>(self, current: Option<&T>, list: &[T]) -> Option<T> {
        let at = current.and_then(|current| list.iter().position(|item| item == current));
        match at {
            Some(at) => list.get(self.within(at, list.len())).cloned(),
            None => list.first().cloned(),
        }
    }
}

/// What a verb such as *break* acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A process.
    Node(NodeId),
    /// One direction of a link.
    Link(NodeId, NodeId),
    /// A message in flight.
    Message(MsgId),
    /// A lock.
    Lock(Name),
    /// A transaction.
    Txn(TxnId),
    /// Nothing.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_stays_within_the_list() {
        assert_eq!(Move::Up.within(0, 3), 0);
        assert_eq!(Move::Down.within(2, 3), 2);
        assert_eq!(Move::PageDown.within(0, 3), 2);
        assert_eq!(Move::Last.within(0, 0), 0);
        assert_eq!(Move::Down.along(Some(&'b'), &['a', 'b', 'c']), Some('c'));
        assert_eq!(Move::Down.along(Some(&'x'), &['a', 'b']), Some('a'));
    }
}
