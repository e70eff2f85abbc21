//! The scrubber's axis: from times to columns and back. All branches share it.

use super::Timeline;
use crate::base::{Span, Time};

impl Timeline {
    /// How many events there are in each of `columns` equal parts of the time from the oldest
    /// event to the last.
    pub fn density(&self, columns: usize) -> Vec<usize> {
        let edges: Vec<usize> =
            (0..=columns).map(|column| self.position_of(column, columns)).collect();
        edges.windows(2).map(|edge| edge[1] - edge[0]).collect()
    }

    /// The position at the left edge of a column of the scrubber. Column `columns` is the end.
    pub fn position_of(&self, column: usize, columns: usize) -> usize {
        match column {
            0 => self.events().first(),
            _ if column >= columns => self.events().len(),
            _ => self.events().upto(self.time_of(column, columns)),
        }
    }

    /// The time at the left edge of a column of the scrubber.
    pub fn time_of(&self, column: usize, columns: usize) -> Time {
        let (start, length) = self.extent();
        let part = (u128::from(length.0) * column as u128).div_ceil(columns.max(1) as u128);
        start + Span(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// The column of the scrubber that a time is in.
    pub fn column_of(&self, time: Time, columns: usize) -> usize {
        let (start, length) = self.extent();
        let passed = u128::from(time.since(start).0) * columns as u128;
        let column = passed / u128::from(length.0.max(1));
        usize::try_from(column).unwrap_or(columns).min(columns.saturating_sub(1))
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

/// The next of 4 s, 5 s, 6 s, 7 s, 8 s, 10 s, 12 s, 14 s, 16 s, 20 s …: at most a quarter more.
pub(super) fn roomy(length: Span) -> Span {
    let mut part = Span::secs(1);
    while part.0.saturating_mul(8) < length.0 {
        part = part + part;
    }
    Span(part.0.saturating_mul(length.0.div_ceil(part.0).max(4)))
}
