//! Places in the stream of writes of a primary and those who take its place.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A place in the stream of writes: later ones order after earlier ones.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Spot {
    /// The epoch of the primary that wrote.
    pub epoch: u32,
    /// The number of the write; 0 for the state with which the epoch began. A primary that
    /// restarts goes on from a number that no write of its earlier lives had: what it has lost is
    /// lost for its replicas, too.
    pub seq: u64,
}

impl Spot {
    /// Where a primary begins that was the same in an earlier life.
    pub fn of_life(epoch: u32, boot: u32) -> Spot {
        Spot { epoch, seq: u64::from(boot.saturating_sub(1)) << 32 }
    }

    /// The number of the write, as a person reads it: those of later lives have a prefix.
    pub fn number(self) -> impl fmt::Display {
        Number(self.seq)
    }
}

struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 32 {
            0 => write!(f, "{}", self.0),
            lives => write!(f, "{lives}.{}", self.0 as u32),
        }
    }
}

/// `e2:17`.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}:{}", self.epoch, self.number())
    }
}
