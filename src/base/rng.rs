//! Chance, from a seed: xoshiro256++ (Blackman and Vigna 2019), started by splitmix64.
//!
//! A seed that is printed in a report must replay for ever, so the generator and the way numbers
//! are drawn from it live here, with golden values, and not in a library that may change either.
//! Every purpose gets its own stream ([`Rng::split`]), so that one more draw in one place does not
//! shift all others.

use super::Span;

/// A stream of random numbers. Cloning it clones its future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng([u64; 4]);

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Rng {
        let mut state = seed;
        Rng([(); 4].map(|()| splitmix(&mut state)))
    }

    /// The stream of `seed` for one purpose. Streams of different purposes are independent.
    pub fn split(seed: u64, purpose: &str, n: u64) -> Rng {
        let mut state = seed ^ n.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        for byte in purpose.bytes() {
            state = splitmix(&mut state) ^ u64::from(byte);
        }
        Rng::new(splitmix(&mut state))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..n` (Lemire 2019, without the rejection step: the bias is below 2^-32 for
    /// every `n` that is used here). Zero if `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`. `low` if the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A length of time in `low..=high`.
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        Span(self.between(low.0, high.0))
    }

    /// True in `percent` of 100 cases.
    pub fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// One of `items`; none if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut rng = Rng::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| rng.bits()).collect();
        assert_eq!(
            drawn,
            [
                1_021_219_803_524_665_661,
                3_174_977_118_032_272_916,
                13_236_943_193_235_544_178,
                7_880_630_202_246_103_356
            ]
        );
    }

    #[test]
    fn purposes_do_not_share_a_stream() {
        assert_ne!(Rng::split(7, "net", 0), Rng::split(7, "net", 1));
        assert_ne!(Rng::split(7, "net", 0), Rng::split(7, "clock", 0));
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.below(0), 0);
        for _ in 0..10_000 {
            assert!(rng.below(7) < 7);
            assert!((3..=5).contains(&rng.between(3, 5)));
        }
    }
}
