//! Spreading requests: who gets the next one, and how a backend serves.

use super::{ParseError, Span, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a balancer chooses among its backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Policy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any, by chance.
    Random,
    /// As often as its weight says, spread out: smooth weighted round robin.
    Weighted,
    /// By chance, as often as its weight says.
    WeightedRandom,
    /// Whoever has the least to do for its weight.
    LeastConnections,
    /// Of two, drawn by chance, the one with less to do for its weight.
    TwoChoices,
    /// The first on the ring behind the request's key that has room.
    Hash,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 7] = [
        Policy::RoundRobin,
        Policy::Random,
        Policy::Weighted,
        Policy::WeightedRandom,
        Policy::LeastConnections,
        Policy::TwoChoices,
        Policy::Hash,
    ];

    /// As a cluster file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::RoundRobin => "round-robin",
            Policy::Random => "random",
            Policy::Weighted => "weighted",
            Policy::WeightedRandom => "weighted-random",
            Policy::LeastConnections => "least-connections",
            Policy::TwoChoices => "two-choices",
            Policy::Hash => "hash",
        }
    }

    /// Whether it looks at how much backends have to do.
    pub const fn looks_at_load(self) -> bool {
        matches!(self, Policy::LeastConnections | Policy::TwoChoices | Policy::Hash)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a backend serves, as it was told to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Serving {
    /// As it should.
    #[default]
    Well,
    /// Every request takes so many times as long.
    Slowly(u16),
    /// Every request fails at once, while probes are answered as if nothing were wrong.
    Failing,
    /// What it has is finished; it takes nothing new.
    Draining,
}

/// `well`, `slowly 10`, `failing`, `draining`.
impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Serving::Well => f.write_str("well"),
            Serving::Slowly(times) => write!(f, "slowly {times}"),
            Serving::Failing => f.write_str("failing"),
            Serving::Draining => f.write_str("draining"),
        }
    }
}

impl FromStr for Serving {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Serving, ParseError> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["well"] => Ok(Serving::Well),
            ["failing"] => Ok(Serving::Failing),
            ["draining"] => Ok(Serving::Draining),
            ["slowly", times] => match times.parse() {
                Ok(times @ 2..=1_000) => Ok(Serving::Slowly(times)),
                _ => parse_error(format!("'{times}' is not how many times as long, 2 to 1000")),
            },
            _ => parse_error(format!(
                "'{text}' is not how a backend serves; write well, slowly N, failing or draining"
            )),
        }
    }
}

/// What bounds a balancer in leaving backends out, and in asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Whether it goes by what backends reported of their load last, and by what it has sent them
    /// since, rather than by its own requests under way.
    pub reports: bool,
    /// Below this share of healthy backends, in percent, it picks among all: panic.
    pub panic: u8,
    /// How many failures in a row take a backend out for a while.
    pub eject_after: u8,
    /// How many of 100 backends may be out for that at once, rounded up.
    pub max_ejected: u8,
    /// How long a backend that returns takes to get its full part; zero for no slow start.
    pub slow_start: Span,
    /// How many retries there may be for 100 requests, besides [`Limits::BURST`].
    pub retry_budget: u8,
    /// How often one request is tried again.
    pub retries: u8,
}

impl Limits {
    /// So many retries are always saved up at the start, and never more.
    pub const BURST: u32 = 10;

    /// How many of so many backends may be ejected at once: one is always left.
    pub fn most_ejected(&self, backends: usize) -> usize {
        (backends * usize::from(self.max_ejected)).div_ceil(100).min(backends.saturating_sub(1))
    }

    /// Whether so few of all are healthy that health is not to be gone by.
    pub fn panics(&self, healthy: usize, backends: usize) -> bool {
        healthy * 100 < backends * usize::from(self.panic)
    }

    /// How many requests a backend may have had since it returned so long ago, of `all` that were
    /// spread over `pool` backends meanwhile. At least a tenth of its part, so that it warms up.
    pub fn warmed(&self, ago: Span, all: u64, pool: usize) -> u64 {
        let per_mille = (ago.0.saturating_mul(1_000) / self.slow_start.0.max(1)).clamp(100, 1_000);
        all.saturating_mul(per_mille) / (1_000 * pool.max(1) as u64)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            reports: false,
            panic: 50,
            eject_after: 5,
            max_ejected: 50,
            slow_start: Span::secs(5),
            retry_budget: 20,
            retries: 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_backend_serves_reads_back_what_it_prints() {
        for serving in ["well", "slowly 10", "failing", "draining"] {
            assert_eq!(serving.parse::<Serving>().unwrap().to_string(), serving);
        }
        for nonsense in ["", "badly", "slowly", "slowly 1", "slowly x", "well done"] {
            assert!(nonsense.parse::<Serving>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn one_backend_is_always_left() {
        let limits = Limits { max_ejected: 100, ..Limits::default() };
        assert_eq!([1, 2, 5].map(|n| limits.most_ejected(n)), [0, 1, 4]);
        let limits = Limits { max_ejected: 10, ..limits };
        assert_eq!([1, 2, 5, 20].map(|n| limits.most_ejected(n)), [0, 1, 1, 2]);
    }
}
