//! The scrubber's axis: from times to columns and back. All branches share it.

use super::Timeline;
use crate::base::{Span, Time};
use std::ops::Range;

/// A stretch of time in so many columns.
#[derive(Clone, Copy, Debug)]
pub struct Axis<'a> {
    timeline: &'a Timeline,
    start: Time,
    length: Span,
    columns: usize,
}

impl Timeline {
    /// The whole time from the oldest event to the end of the branch that lasts longest.
    pub fn axis(&self, columns: usize) -> Axis<'_> {
        let (start, length) = self.extent();
        Axis { timeline: self, start, length, columns }
    }

    /// One in `parts` of that time, with the cursor in its middle half. It stands still until the
    /// cursor leaves that.
    pub fn closer_axis(&self, parts: u64, columns: usize) -> Axis<'_> {
        let whole = self.axis(columns);
        let half = (whole.length.0 / parts.max(1) / 2).max(1);
        let passed = self.board().now.since(whole.start).0;
        let from = (passed / half * half).saturating_sub(half / 2);
        let length = Span((2 * half).min(whole.length.0));
        let from = from.min(whole.length.0 - length.0);
        Axis { start: whole.start + Span(from), length, ..whole }
    }

    /// The time of the oldest event, and how long it is from there to the end of the scrubber:
    /// that of the branch which lasts longest.
    fn extent(&self) -> (Time, Span) {
        let first = self.events().get(self.events().first());
        let start = first.map_or(Time::ZERO, |event| event.at);
        let end = self.branches().iter().map(|branch| branch.end().now).max();
        let length = end.unwrap_or(start).since(start);
        (start, if self.steady { roomy(length) } else { length })
    }
}

impl Axis<'_> {
    /// How many events there are in each column.
    pub fn density(&self) -> Vec<usize> {
        let edges: Vec<usize> = (0..=self.columns).map(|column| self.position_of(column)).collect();
        edges.windows(2).map(|edge| edge[1] - edge[0]).collect()
    }

    /// The position at the left edge of a column. The last edge takes in what is right at the end.
    fn position_of(&self, column: usize) -> usize {
        let (whole, _) = self.timeline.extent();
        let events = self.timeline.events();
        match column {
            0 if self.start == whole => events.first(),
            _ => events.upto(self.time_of(column)),
        }
    }

    /// The time at the left edge of a column; that of the end for the column behind the last.
    pub fn time_of(&self, column: usize) -> Time {
        let part = u128::from(self.length.0) * column as u128;
        let part = part.div_ceil(self.columns.max(1) as u128);
        self.start + Span(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// The column that a time is in, if it is in sight.
    pub fn column_of(&self, time: Time) -> Option<usize> {
        let inside = self.start <= time && time <= self.start + self.length;
        inside.then(|| self.near(time))
    }

    /// What can be seen of the columns from the one that a time is in to that of another.
    pub fn columns(&self, from: Time, to: Time) -> Range<usize> {
        match to < self.start || self.start + self.length < from {
            true => 0..0,
            false => self.near(from)..(self.near(to) + 1).min(self.columns),
        }
    }

    fn near(&self, time: Time) -> usize {
        let passed = u128::from(time.since(self.start).0) * self.columns as u128;
        let column = passed / u128::from(self.length.0.max(1));
        usize::try_from(column).unwrap_or(usize::MAX).min(self.columns.saturating_sub(1))
    }
}

/// The next of 4 s, 5 s, 6 s, 7 s, 8 s, 10 s, 12 s, 14 s, 16 s, 20 s …: at most a quarter more.
pub(super) fn roomy(length: Span) -> Span {
    let mut part = Span::secs(1);
    while part.0.saturating_mul(8) < length.0 {
        part = part + part;
    }
    Span(part.0.saturating_mul(length.0.div_ceil(part.0).max(4)))
}
