//! A bucket of tokens: how much of something may be done now, at so much a second.

use super::{Span, Time};

/// The bucket holds what is earned in this part of a second, or one token.
const PART: u32 = 4;
/// In microseconds.
const SECOND: i64 = 1_000_000;

/// A bucket of tokens, full at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate: u32,
    tokens: i64,
    counted: Time,
}

impl Bucket {
    /// One that earns so many tokens a second from `now` on.
    pub fn new(rate: u32, now: Time) -> Bucket {
        Bucket { rate, tokens: Bucket::most(rate), counted: now }
    }

    fn most(rate: u32) -> i64 {
        i64::from((rate / PART).max(1))
    }

    /// How many tokens are left; below none, more was spent than there was.
    pub fn left(&mut self, now: Time) -> i64 {
        let most = Bucket::most(self.rate);
        let passed = i64::try_from(now.since(self.counted).0).unwrap_or(i64::MAX);
        let earned = passed.saturating_mul(i64::from(self.rate)) / SECOND;
        self.tokens = self.tokens.saturating_add(earned);
        if self.tokens >= most {
            (self.tokens, self.counted) = (most, now);
        } else if earned > 0 {
            // What is not a whole token yet counts later, and never twice.
            let spent = (earned.unsigned_abs() * SECOND.unsigned_abs()).div_ceil(self.rate.into());
            self.counted = (self.counted + Span(spent)).min(now);
        }
        self.tokens
    }

    /// Spends tokens, also more than are left.
    pub fn spend(&mut self, tokens: u32) {
        self.tokens -= i64::from(tokens);
    }

    /// Fills it up.
    pub fn fill(&mut self) {
        self.tokens = Bucket::most(self.rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_earned_is_bounded_by_the_bucket_and_nothing_of_it_is_lost() {
        let mut bucket = Bucket::new(8, Time(0));
        assert_eq!(bucket.left(Time(0)), 2);
        bucket.spend(3);
        let steps = (1..=13).map(|i| bucket.left(Time(i * 20_000))).collect::<Vec<_>>();
        assert_eq!(steps.last(), Some(&1), "{steps:?}");
        assert_eq!(bucket.left(Time(60_000_000)), 2);
    }
}
