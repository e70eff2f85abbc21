//! What nodes state about ranges that move a page at a time, and the one rendering of it.

use crate::base::placement::KeyRange;
use crate::base::{NodeId, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that a node states about the pages of a handoff.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandoffFact {
    /// It hands over so many keys in the ring of `epoch`, when its own clock is at `at`; it may
    /// hand over `rate` a second.
    Hands { epoch: u64, to: NodeId, keys: u32, rate: u32, at: Time },
    /// It has taken in so many keys that were news, and has all that `from` has for it in `range`.
    Takes { epoch: u64, from: NodeId, range: Option<KeyRange>, keys: u32 },
}

impl fmt::Display for HandoffFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandoffFact::Hands { epoch, to, keys, rate, .. } => {
                write!(f, "hands {keys} keys to {to} e{epoch}, {rate} a second at the most")
            }
            HandoffFact::Takes { epoch, from, range, keys } => {
                write!(f, "took {keys} keys from {from} e{epoch}, more to come")?;
                range.map_or(Ok(()), |range| write!(f, ", complete in {range}"))
            }
        }
    }
}
