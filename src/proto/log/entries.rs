//! The log of a node whose leaders are elected: entries with terms (in Zab: epochs), as far as they
//! are not in its snapshot.

use crate::base::{Entry, Slot};
use crate::event::Fact;
use crate::proto::{Context, Protocol};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// An entry of the log, and the term in which a leader made it. Term and slot together name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The term of the leader that put it into the log first.
    pub term: u32,
    /// What it says.
    pub entry: Arc<Entry>,
}

/// Entries of consecutive slots.
pub type Items = Arc<[Item]>;

/// How many entries one message carries at the most.
pub(in crate::proto) const BATCH: usize = 256;

/// The entries that a leader sent or wrote last, and their first slot: most often several are to
/// have the same.
#[derive(Clone, Debug, Default)]
pub(in crate::proto) struct Batch {
    first: Slot,
    items: Items,
}

impl Batch {
    /// The entries of a log from `first` on, at most so many.
    pub(in crate::proto) fn from(&mut self, first: Slot, entries: &Entries, most: usize) -> Items {
        let there = usize::try_from(entries.last().slot + 1 - first).unwrap_or(most);
        if self.first != first || self.items.len() != there.min(most) {
            (self.first, self.items) = (first, entries.items(first, most));
        }
        self.items.clone()
    }
}

/// Says that a log has these items from a slot on.
pub(in crate::proto) fn say_appended<P: Protocol>(
    first: Slot,
    items: &[Item],
    cx: &mut Context<'_, P>,
) {
    for (slot, Item { term, entry }) in (first..).zip(items) {
        cx.emit(Fact::Appends { slot, term: *term, entry: entry.clone() });
    }
}

/// A place in a log: a slot, and the term of the entry in it. What comes before is the same in all
/// logs that have this place. Places order by term first: the later one belongs to the log that is
/// more up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The term of the entry; 0 for the place before slot 1.
    pub term: u32,
    /// The slot.
    pub slot: Slot,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.slot, self.term)
    }
}

/// One slot: what is in it, and the digest of the state after it, once it is applied.
#[derive(Clone, Debug)]
pub(in crate::proto) struct Cell {
    pub(in crate::proto) item: Item,
    pub(in crate::proto) digest: u64,
}

/// A run of slots from just after `base` on, without gaps.
#[derive(Clone, Debug, Default)]
pub(in crate::proto) struct Entries {
    base: Place,
    cells: VecDeque<Cell>,
}

impl Entries {
    /// An empty log whose first slot comes after `base`.
    pub(in crate::proto) fn after(base: Place) -> Entries {
        Entries { base, cells: VecDeque::new() }
    }

    /// The last place that is cut off.
    pub(in crate::proto) fn base(&self) -> Place {
        self.base
    }

    /// The last place.
    pub(in crate::proto) fn last(&self) -> Place {
        match self.cells.back() {
            Some(cell) => {
                Place { term: cell.item.term, slot: self.base.slot + self.cells.len() as u64 }
            }
            None => self.base,
        }
    }

    fn index(&self, slot: Slot) -> Option<usize> {
        usize::try_from(slot.checked_sub(self.base.slot + 1)?).ok()
    }

    /// What is in a slot; none if nothing is, or if it is cut off.
    pub(in crate::proto) fn get(&self, slot: Slot) -> Option<&Cell> {
        self.cells.get(self.index(slot)?)
    }

    /// A slot, to note its digest down.
    pub(in crate::proto) fn get_mut(&mut self, slot: Slot) -> Option<&mut Cell> {
        let index = self.index(slot)?;
        self.cells.get_mut(index)
    }

    /// The place at a slot; none if there is nothing, or if that is cut off.
    pub(in crate::proto) fn place(&self, slot: Slot) -> Option<Place> {
        match slot == self.base.slot {
            true => Some(self.base),
            false => self.get(slot).map(|cell| Place { term: cell.item.term, slot }),
        }
    }

    /// Of items that come after slot `after`, those from the first on that it has not, and the slot
    /// before them; none if it has all. What is cut off it has. `keeps` takes whatever is in a slot
    /// for what should be there, in a mutation.
    pub(in crate::proto) fn lacks(
        &self,
        after: Slot,
        items: Items,
        keeps: bool,
    ) -> Option<(Slot, Items)> {
        let has = |(slot, item): (Slot, &Item)| {
            let there = self.get(slot);
            slot <= self.base.slot || there.is_some_and(|it| it.item.term == item.term || keeps)
        };
        let known = (after + 1..).zip(items.iter()).position(|it| !has(it))?;
        let new = if known == 0 { items } else { items[known..].into() };
        Some((after + known as u64, new))
    }

    /// Appends an item.
    pub(in crate::proto) fn push(&mut self, item: Item) {
        self.cells.push_back(Cell { item, digest: 0 });
    }

    /// Drops all slots after `slot`.
    pub(in crate::proto) fn truncate(&mut self, slot: Slot) {
        let keep = slot.saturating_sub(self.base.slot);
        self.cells.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    /// Cuts off everything up to `base`, which is a place of this log.
    pub(in crate::proto) fn cut(&mut self, base: Place) {
        while self.base.slot < base.slot && self.cells.pop_front().is_some() {
            self.base.slot += 1;
        }
        self.base = base;
    }

    /// All slots, with what is in them.
    pub(in crate::proto) fn iter(&self) -> impl Iterator<Item = (Slot, &Cell)> {
        (self.base.slot + 1..).zip(&self.cells)
    }

    /// Says what is in each slot, for a newcomer.
    pub(in crate::proto) fn restate<P: Protocol>(&self, cx: &mut Context<'_, P>) {
        for (slot, cell) in self.iter() {
            let (term, entry) = (cell.item.term, cell.item.entry.clone());
            cx.emit(Fact::Appends { slot, term, entry });
        }
    }

    /// Says what was applied up to a slot, for a newcomer.
    pub(in crate::proto) fn restate_applied<P: Protocol>(
        &self,
        upto: Slot,
        cx: &mut Context<'_, P>,
    ) {
        for (slot, cell) in self.iter().take_while(|(slot, _)| *slot <= upto) {
            let (entry, digest) = (cell.item.entry.clone(), cell.digest);
            cx.emit(Fact::Applies { slot, entry, digest });
        }
    }

    /// At most `most` items from slot `first` on.
    pub(in crate::proto) fn items(&self, first: Slot, most: usize) -> Items {
        let skip = self.index(first).unwrap_or(usize::MAX).min(self.cells.len());
        let end = skip.saturating_add(most).min(self.cells.len());
        self.cells.range(skip..end).map(|cell| cell.item.clone()).collect()
    }

    /// The last place, up to `slot`, whose term is at most `term`. Of what is cut off it says no
    /// more.
    pub(in crate::proto) fn last_upto(&self, slot: Slot, term: u32) -> Place {
        let mut slot = slot.min(self.last().slot);
        while self.get(slot).is_some_and(|cell| cell.item.term > term) {
            slot -= 1;
        }
        self.place(slot).unwrap_or(Place { term, slot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Op};

    fn log(base: Slot, terms: &[u32]) -> Entries {
        let mut log = Entries::after(Place { term: 1, slot: base });
        for term in terms {
            let entry = Arc::new(Entry { call: CallId::default(), op: Op::Noop });
            log.push(Item { term: *term, entry });
        }
        log
    }

    #[test]
    fn slots_keep_their_numbers_when_the_log_is_cut() {
        let mut log = log(2, &[1, 2, 2, 3]);
        assert_eq!(log.last(), Place { term: 3, slot: 6 });
        log.cut(Place { term: 2, slot: 4 });
        assert_eq!((log.base().slot, log.last().slot), (4, 6));
        assert_eq!(log.place(4), Some(Place { term: 2, slot: 4 }));
        assert!(log.get(4).is_none() && log.place(3).is_none() && log.place(7).is_none());
        assert_eq!(log.items(6, 10).len(), 1);
        assert_eq!((log.items(3, 10).len(), log.items(9, 10).len()), (0, 0));
        log.truncate(5);
        assert_eq!(log.last(), Place { term: 2, slot: 5 });
        log.truncate(1);
        assert_eq!(log.last().slot, 4, "what is cut off stays");
    }

    #[test]
    fn what_is_lacking_begins_with_the_first_entry_that_differs() {
        let own = log(2, &[4, 4, 5]);
        let theirs = |terms: &[u32]| log(2, terms).items(3, 9);
        let lacks = |after, terms: &[u32], keeps| {
            let lacks = own.lacks(after, theirs(terms), keeps);
            lacks.map(|(before, new)| (before, new.iter().map(|item| item.term).collect()))
        };
        assert_eq!(lacks(2, &[4, 4, 5], false), None::<(Slot, Vec<u32>)>);
        assert_eq!(lacks(2, &[4, 4], false), None, "what comes after them stays");
        assert_eq!(lacks(2, &[4, 4, 6, 6], false), Some((4, vec![6, 6])));
        assert_eq!(lacks(2, &[4, 4, 6, 6], true), Some((5, vec![6])), "it keeps its own");
        assert_eq!(lacks(5, &[6], false), Some((5, vec![6])));
        assert_eq!(lacks(0, &[1, 1, 4], false), None, "what is cut off it has");
    }

    #[test]
    fn those_who_are_sent_the_same_share_it() {
        let (mut batch, mut log) = (Batch::default(), log(2, &[4, 4]));
        let one = batch.from(3, &log, BATCH);
        assert!(Arc::ptr_eq(&one, &batch.from(3, &log, BATCH)));
        log.push(one[0].clone());
        assert_eq!([batch.from(3, &log, BATCH).len(), batch.from(5, &log, BATCH).len()], [3, 1]);
        assert_eq!(batch.from(3, &log, 2).len(), 2);
    }

    #[test]
    fn a_conflict_is_skipped_term_by_term() {
        let log = log(2, &[4, 4, 5, 5, 6]);
        assert_eq!(log.last_upto(7, 5), Place { term: 5, slot: 6 });
        assert_eq!(log.last_upto(6, 6), Place { term: 5, slot: 6 });
        assert_eq!(log.last_upto(1, 5), Place { term: 5, slot: 1 }, "who knows");
        assert_eq!(log.last_upto(9, 3), Place { term: 1, slot: 2 });
    }
}
