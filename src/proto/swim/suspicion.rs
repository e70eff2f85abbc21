//! How long a member may be suspected before it is declared dead.
//!
//! Lifeguard's part (section IV-B of its paper): who has heard of one accuser only waits six times
//! as long as who has heard of three, since the accuser may be the one that is slow. The wait
//! shrinks with the logarithm of the confirmations.

use crate::base::{NodeId, Span, Time};

/// How many probe periods a suspicion lasts at the least, in a cluster of up to ten.
const MULTIPLIER: u64 = 4;
/// How many times longer it lasts if nobody confirms it.
const PATIENCE: u64 = 6;
/// How many independent confirmations cut it to the least.
pub(super) const CONFIRMATIONS: usize = 2;
/// What a confirmation takes off, in ten-thousandths of all that can be: log(1 + c) / log(1 + 2).
const CUT: [u64; CONFIRMATIONS + 1] = [0, 6_309, 10_000];

/// One member is suspected.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    /// Since when, by the node's own clock.
    pub(super) since: Time,
    /// Who says so.
    pub(super) accusers: Vec<NodeId>,
}

impl Suspicion {
    /// Takes in that somebody suspects it, too. False if that is nothing new.
    pub(super) fn confirm(&mut self, by: NodeId) -> bool {
        let new = self.accusers.len() <= CONFIRMATIONS && !self.accusers.contains(&by);
        if new {
            self.accusers.push(by);
        }
        new
    }

    /// How long it lasts in all, in a cluster of `size` members that are probed every `period`.
    pub(super) fn lasts(&self, period: Span, size: usize, lifeguard: bool) -> Span {
        let Span(least) = least(period, size);
        // In a cluster so small, there is nobody to confirm anything.
        if !lifeguard || size < CONFIRMATIONS + 2 {
            return Span(least);
        }
        let confirmed = (self.accusers.len() - 1).min(CONFIRMATIONS);
        let more = least.saturating_mul(PATIENCE - 1);
        Span(least + more - more / 10_000 * CUT[confirmed])
    }
}

/// How long a suspicion lasts at the least: 4·max(1, log₁₀ n) periods. The logarithm is taken as
/// straight between powers of ten.
pub fn least(Span(period): Span, size: usize) -> Span {
    let size = u64::try_from(size).unwrap_or(u64::MAX).max(10);
    let digits = size.ilog10();
    let power = 10u64.pow(digits);
    let thousandths = u64::from(digits) * 1_000 + (size - power) * 1_000 / (9 * power);
    Span(period.saturating_mul(MULTIPLIER).saturating_mul(thousandths) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspicion_shrinks_with_each_confirmation() {
        let [a, b, c] = [1, 2, 3].map(NodeId::node);
        let mut suspicion = Suspicion { since: Time::ZERO, accusers: vec![a] };
        let lasts = |suspicion: &Suspicion| suspicion.lasts(Span::secs(1), 5, true);
        assert_eq!(lasts(&suspicion), Span::secs(24));
        assert!(!suspicion.confirm(a), "it said so before");
        assert!(suspicion.confirm(b));
        assert_eq!(lasts(&suspicion), Span::micros(11_382_000));
        assert!(suspicion.confirm(c));
        assert_eq!(lasts(&suspicion), Span::secs(4));
        assert!(!suspicion.confirm(NodeId::node(4)), "enough is enough");
        assert_eq!(suspicion.lasts(Span::secs(1), 5, false), Span::secs(4));
        assert_eq!(suspicion.lasts(Span::secs(1), 3, true), Span::secs(4));
    }

    #[test]
    fn more_members_have_more_time() {
        let least = |size| least(Span::secs(1), size).0 / 1_000;
        assert_eq!([1, 10, 55, 100, 1_000].map(least), [4_000, 4_000, 6_000, 8_000, 12_000]);
    }
}
