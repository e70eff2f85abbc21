//! A node's clocks, as functions of the world's time.
//!
//! `mono` runs at its own rate and never jumps; `wall` is `mono` plus an offset that may. A drift
//! of `ppm` lets both gain that many microseconds a second.

use super::Time;

/// The clocks of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    since: Time,
    mono_then: Time,
    ppm: i32,
    /// What is added to `mono` for the wall clock, in microseconds.
    pub offset: i64,
}

const MILLION: u128 = 1_000_000;

impl Clock {
    /// The monotonic clock at world time `now`.
    pub fn mono(&self, now: Time) -> Time {
        let passed = now.since(self.since).0;
        if self.ppm == 0 {
            return Time(self.mono_then.0.saturating_add(passed));
        }
        let local = u128::from(passed) * self.rate() / MILLION;
        Time(self.mono_then.0.saturating_add(u64::try_from(local).unwrap_or(u64::MAX)))
    }

    /// The wall clock at world time `now`.
    pub fn wall(&self, now: Time) -> Time {
        Time(self.mono(now).0.saturating_add_signed(self.offset))
    }

    /// The first world time at which the monotonic clock shows at least `local`.
    pub fn when(&self, local: Time) -> Time {
        if local == Time::NEVER {
            return Time::NEVER;
        }
        let ahead = local.since(self.mono_then).0;
        if self.ppm == 0 {
            return Time(self.since.0.saturating_add(ahead));
        }
        let world = (u128::from(ahead) * MILLION).div_ceil(self.rate());
        Time(self.since.0.saturating_add(u64::try_from(world).unwrap_or(u64::MAX)))
    }

    /// Changes the rate from world time `now` on.
    pub fn drift(&mut self, now: Time, ppm: i32) {
        (self.mono_then, self.since, self.ppm) = (self.mono(now), now, ppm);
    }

    /// The rate, in millionths gained.
    pub fn ppm(&self) -> i32 {
        self.ppm
    }

    fn rate(&self) -> u128 {
        u128::from(1_000_000u32.saturating_add_signed(self.ppm).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_deadline_is_reached_exactly_when_it_is_due(
            ppm in -500_000i32..=500_000, start in 0u64..1_000_000_000, ahead in 0u64..1_000_000_000
        ) {
            let mut clock = Clock::default();
            clock.drift(Time(start), ppm);
            let local = Time(clock.mono(Time(start)).0 + ahead);
            let due = clock.when(local);
            prop_assert!(clock.mono(due) >= local);
            prop_assert!(due == Time(start) || clock.mono(Time(due.0 - 1)) < local);
        }
    }

    #[test]
    fn changing_the_rate_does_not_make_the_clock_jump() {
        let mut clock = Clock::default();
        clock.drift(Time(1_000_000), 500_000);
        let then = clock.mono(Time(3_000_000));
        clock.drift(Time(3_000_000), 0);
        assert_eq!(clock.mono(Time(3_000_000)), then);
        assert_eq!(then, Time(4_000_000));
    }
}
