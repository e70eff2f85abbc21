//! The events of a run, in order: a list whose copies share what they have in common.
//!
//! Events stand in blocks. A branch copies the list of blocks, not the events, so that a run and
//! ten branches of it take little more memory than the run.

use crate::base::Time;
use crate::event::Event;
use std::ops::Range;
use std::sync::Arc;

/// How many events a block has.
const BLOCK: usize = 4_096;

/// A list of events.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    blocks: Vec<Arc<Vec<Event>>>,
    len: usize,
    /// How many of the oldest are forgotten; whole blocks.
    first: usize,
}

impl Tape {
    /// How many events there were, those forgotten included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there never was one.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The index of the oldest event that is not forgotten.
    pub fn first(&self) -> usize {
        self.first
    }

    /// One event.
    pub fn get(&self, index: usize) -> Option<&Event> {
        self.blocks.get(index / BLOCK)?.get(index % BLOCK)
    }

    /// The events of a range that are not forgotten, with their indices.
    pub fn range(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = (usize, &Event)> {
        let range = range.start.max(self.first)..range.end.min(self.len);
        range.filter_map(|index| Some((index, self.get(index)?)))
    }

    /// How many events there are up to and including `time`.
    pub fn upto(&self, time: Time) -> usize {
        let (mut low, mut high) = (self.first, self.len);
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle) {
                Some(event) if event.at > time => high = middle,
                _ => low = middle + 1,
            }
        }
        low
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Arc::new(Vec::with_capacity(BLOCK)));
        }
        if let Some(block) = self.blocks.last_mut() {
            Arc::make_mut(block).push(event);
            self.len += 1;
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.blocks.truncate(len.div_ceil(BLOCK));
        if let (Some(block), 1..) = (self.blocks.last_mut(), len % BLOCK) {
            *block = Arc::new(block.iter().take(len % BLOCK).cloned().collect());
        }
        self.len = len;
        self.first = self.first.min(len);
    }

    /// Forgets at least `count` of the oldest events, a few more to come out at a block.
    pub(super) fn forget(&mut self, count: usize) {
        let gone = ((self.first + count).div_ceil(BLOCK)).min(self.len / BLOCK);
        for block in self.blocks.iter_mut().take(gone) {
            *block = Arc::default();
        }
        self.first = self.first.max(gone * BLOCK);
    }

    /// The index of the first event in which two lists differ; the shorter length if they do not.
    pub fn parting(&self, other: &Tape) -> usize {
        let same = |(a, b): &(&Arc<Vec<Event>>, &Arc<Vec<Event>>)| Arc::ptr_eq(a, b);
        let shared = self.blocks.iter().zip(&other.blocks).take_while(same).count() * BLOCK;
        let end = self.len.min(other.len);
        let differs = |index: &usize| self.get(*index) != other.get(*index);
        (shared.min(end)..end).find(differs).unwrap_or(end)
    }
}
