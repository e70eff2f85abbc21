//! How long to wait for the next heartbeat, learnt from those before: the φ accrual detector
//! (Hayashibara, Défago, Yared and Katayama 2004).
//!
//! φ(t) = −log₁₀ P(the next heartbeat comes later than t after the last), where intervals are taken
//! as normally distributed, with the mean μ and the deviation σ of the last ones. A node is
//! suspected when φ passes a threshold. φ only rises while nothing comes (PHI-1), so the moment is
//! known in advance: t = μ + z·σ, where z is the quantile of the normal distribution that the
//! threshold stands for. A steady peer is missed soon, an erratic one late; the same silence says
//! different things of different histories.
//!
//! Everything is counted in whole microseconds, so that it is the same on every machine.

use crate::base::Span;
use std::collections::VecDeque;

/// How many intervals are remembered.
const WINDOW: usize = 64;
/// With fewer, nothing is known yet.
const FEWEST: usize = 8;
/// Quantiles of the normal distribution, in hundred-thousandths: what exceeds the one at index i
/// has the probability 10^-(i + 1).
const QUANTILES: [u64; 12] = [
    128_155, 232_635, 309_023, 371_902, 426_489, 475_342, 519_934, 561_200, 599_781, 636_134,
    670_602, 703_448,
];

/// The largest threshold.
pub const MOST: u8 = QUANTILES.len() as u8;

/// The last intervals between heartbeats of one peer, in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Intervals {
    last: VecDeque<u64>,
}

impl Intervals {
    /// Takes one in. What was missed for long should be taken in as the patience that it wore out:
    /// one outage must not make the detector blind for minutes.
    pub(super) fn note(&mut self, Span(interval): Span) {
        if self.last.len() == WINDOW {
            self.last.pop_front();
        }
        self.last.push_back(interval);
    }

    /// How long after a heartbeat φ passes `threshold`, from 1 to [`MOST`]. Intervals are taken to
    /// vary by `least` at least, so that a peer which was punctual for a while is not suspected for
    /// being a little late (PHI-3). None as long as too little is known.
    pub(super) fn patience(&self, threshold: u8, Span(least): Span) -> Option<Span> {
        let count = u64::try_from(self.last.len()).ok().filter(|_| self.last.len() >= FEWEST)?;
        let mean = self.last.iter().sum::<u64>() / count;
        let squares = self.last.iter().map(|interval| u128::from(interval.abs_diff(mean)).pow(2));
        let deviation = (squares.sum::<u128>() / u128::from(count)).isqrt();
        let deviation = u64::try_from(deviation).unwrap_or(u64::MAX).max(least);
        let quantile = QUANTILES[usize::from(threshold.clamp(1, MOST)) - 1];
        Some(Span(mean.saturating_add(deviation.saturating_mul(quantile) / 100_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(millis: impl IntoIterator<Item = u64>) -> Intervals {
        let mut intervals = Intervals::default();
        millis.into_iter().for_each(|ms| intervals.note(Span::millis(ms)));
        intervals
    }

    /// The figures of the normal model with a deviation of a tenth of the mean.
    #[test]
    fn phi_passes_a_threshold_when_the_distribution_says() {
        let steady = intervals([1_000; 20]);
        let at = |phi| steady.patience(phi, Span::millis(100)).unwrap();
        assert_eq!(at(8), Span(1_561_200), "8 at 1.561 of the mean");
        assert_eq!((at(1), at(3)), (Span(1_128_155), Span(1_309_023)));
        assert_eq!((at(0), at(99)), (at(1), at(MOST)));
    }

    #[test]
    fn an_erratic_peer_is_given_more_time() {
        let erratic = intervals([500, 1_500].repeat(10));
        let patience = erratic.patience(8, Span::millis(100)).unwrap();
        assert_eq!(patience, Span(1_000_000 + 5 * 561_200));
    }

    #[test]
    fn what_is_long_past_is_forgotten_and_little_says_nothing() {
        assert_eq!(intervals([1_000; FEWEST - 1]).patience(8, Span::ZERO), None);
        let changed = intervals([9_000; 30].into_iter().chain([1_000; WINDOW]));
        assert_eq!(changed.patience(8, Span::millis(1)).unwrap(), Span(1_005_612));
    }
}
