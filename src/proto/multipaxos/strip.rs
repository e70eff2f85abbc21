//! The slots of one replica that are not cut off yet.

use crate::base::{Ballot, Entry, Slot};
use std::collections::VecDeque;
use std::sync::Arc;

/// What one replica knows of one slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// Its vote in the highest ballot. Durable.
    pub(super) vote: Option<(Ballot, Arc<Entry>)>,
    /// What is chosen, once it knows.
    pub(super) chosen: Option<Arc<Entry>>,
    /// The digest of the state after it, once it is applied.
    pub(super) digest: u64,
}

/// A run of slots from just after `base` on.
#[derive(Clone, Debug, Default)]
pub(super) struct Strip {
    base: Slot,
    cells: VecDeque<Cell>,
}

impl Strip {
    /// The last slot that is cut off.
    pub(super) fn base(&self) -> Slot {
        self.base
    }

    /// The last slot that anything is known of.
    pub(super) fn last(&self) -> Slot {
        self.base + self.cells.len() as u64
    }

    /// The last slot with a vote; the last that is cut off, if none after it has one.
    pub(super) fn last_vote(&self) -> Slot {
        let after = self.cells.iter().rposition(|cell| cell.vote.is_some());
        self.base + after.map_or(0, |index| index as u64 + 1)
    }

    /// What is known of a slot; none if nothing is, or if it is cut off.
    pub(super) fn get(&self, slot: Slot) -> Option<&Cell> {
        self.cells.get(usize::try_from(slot.checked_sub(self.base + 1)?).ok()?)
    }

    /// The same, to note something more of it down.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Cell> {
        self.cells.get_mut(usize::try_from(slot.checked_sub(self.base + 1)?).ok()?)
    }

    /// A slot, to note something down; none if it is cut off.
    pub(super) fn note(&mut self, slot: Slot) -> Option<&mut Cell> {
        let index = usize::try_from(slot.checked_sub(self.base + 1)?).ok()?;
        while self.cells.len() <= index {
            self.cells.push_back(Cell::default());
        }
        self.cells.get_mut(index)
    }

    /// What is chosen in a slot, if that is known and not cut off.
    pub(super) fn chosen(&self, slot: Slot) -> Option<&Arc<Entry>> {
        self.get(slot)?.chosen.as_ref()
    }

    /// Cuts all slots up to `base` off.
    pub(super) fn cut(&mut self, base: Slot) {
        while self.base < base && self.cells.pop_front().is_some() {
            self.base += 1;
        }
        self.base = self.base.max(base);
    }

    /// All slots from `first` on, with what is known of them.
    pub(super) fn from(&self, first: Slot) -> impl Iterator<Item = (Slot, &Cell)> {
        let skip = usize::try_from(first.saturating_sub(self.base + 1)).unwrap_or(usize::MAX);
        let slots = self.cells.iter().enumerate().skip(skip);
        slots.map(|(index, cell)| (self.base + 1 + index as u64, cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_numbers_when_the_strip_is_cut() {
        let mut strip = Strip::default();
        strip.note(5).unwrap().digest = 55;
        strip.cut(3);
        assert_eq!((strip.base(), strip.last()), (3, 5));
        assert_eq!(strip.get(5).map(|cell| cell.digest), Some(55));
        assert!(strip.note(3).is_none() && strip.get(6).is_none());
        assert_eq!(strip.from(1).map(|(slot, _)| slot).collect::<Vec<_>>(), [4, 5]);
        strip.cut(9);
        assert_eq!((strip.base(), strip.last(), strip.last_vote()), (9, 9, 9));
    }
}
