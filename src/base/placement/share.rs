//! Arcs of the circle, and how much of it they are, without rounding.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// A part of the circle: behind `start`, up to `end` and with it, clockwise. It goes round the end
/// of the numbers if `end` is smaller. It is never empty: `start == end` is the whole circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyRange {
    /// The last position that is not part of it.
    pub start: u64,
    /// The last position of it.
    pub end: u64,
}

impl KeyRange {
    /// Whether a key at `position` is in it.
    pub const fn contains(self, position: u64) -> bool {
        // Count from the first position inside. The whole circle ends 2^64 - 1 after it.
        let first = self.start.wrapping_add(1);
        position.wrapping_sub(first) <= self.end.wrapping_sub(first)
    }

    /// How much of the circle it is.
    pub const fn size(self) -> Share {
        Share(self.end.wrapping_sub(self.start.wrapping_add(1)) as u128 + 1)
    }
}

/// `(3f00000000000000, 7a00000000000000]`.
impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("({:016x}, {:016x}]", self.start, self.end))
    }
}

/// A part of all keys, exactly: so many of the 2^64 positions. Sums over several copies of the
/// circle may be more than [`Share::WHOLE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u128);

impl Share {
    /// No key.
    pub const NONE: Share = Share(0);
    /// Every key: 2^64 positions.
    pub const WHOLE: Share = Share(1 << 64);

    /// `part` of `whole`, rounded down. Nothing if `whole` is 0.
    pub fn fraction(part: u64, whole: u64) -> Share {
        Share((u128::from(part) << 64) / u128::from(whole.max(1)))
    }

    /// How many positions.
    pub const fn positions(self) -> u128 {
        self.0
    }

    /// This share of `total` things, rounded to the nearest: of all keys, for example.
    pub fn of(self, total: u64) -> u64 {
        let circles = self.0 >> 64;
        let rest = self.0 & u128::from(u64::MAX);
        let rounded = (rest * u128::from(total) + (1 << 63)) >> 64;
        u64::try_from(circles.saturating_mul(total.into()).saturating_add(rounded))
            .unwrap_or(u64::MAX)
    }

    /// In thousandths of the circle, rounded.
    pub fn per_mille(self) -> u64 {
        self.of(1_000)
    }

    /// In millionths of the circle, rounded.
    pub fn ppm(self) -> u64 {
        self.of(1_000_000)
    }

    /// In thousand-millionths of the circle, rounded.
    pub(super) fn ppb(self) -> u64 {
        self.of(1_000_000_000)
    }

    /// This share over the one that `weight` of `total` promises, in thousandths, rounded.
    /// 0 if nothing is promised.
    pub(super) fn over_ideal_per_mille(self, weight: u64, total: u64) -> u64 {
        let promised = u128::from(weight) << 64;
        let scaled = self.0.saturating_mul(1_000).saturating_mul(total.into());
        let rounded = scaled.saturating_add(promised / 2).checked_div(promised).unwrap_or(0);
        u64::try_from(rounded).unwrap_or(u64::MAX)
    }
}

/// In percent, with one decimal: `20.2%`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_mille = self.per_mille();
        f.pad(&format!("{}.{}%", per_mille / 10, per_mille % 10))
    }
}

impl Add for Share {
    type Output = Share;
    fn add(self, other: Share) -> Share {
        Share(self.0 + other.0)
    }
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Share) {
        *self = *self + other;
    }
}

/// What is left without the other, or nothing.
impl Sub for Share {
    type Output = Share;
    fn sub(self, other: Share) -> Share {
        Share(self.0.saturating_sub(other.0))
    }
}

impl Sum for Share {
    fn sum<I: Iterator<Item = Share>>(shares: I) -> Share {
        shares.fold(Share::NONE, Share::add)
    }
}

/// Joins neighbours that say the same. `arcs` go once round the circle, or along parts of it.
pub(super) fn join<T: PartialEq>(arcs: impl Iterator<Item = (KeyRange, T)>) -> Vec<(KeyRange, T)> {
    let mut joined: Vec<(KeyRange, T)> = Vec::new();
    for (range, what) in arcs {
        match joined.last_mut() {
            Some((last, same)) if last.end == range.start && *same == what => last.end = range.end,
            _ => joined.push((range, what)),
        }
    }
    // The last one may go on where the first one starts.
    if let [(first, what), .., (last, same)] = joined.as_mut_slice()
        && last.end == first.start
        && what == same
    {
        first.start = last.start;
        joined.pop();
    }
    joined
}
