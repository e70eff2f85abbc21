//! What nodes state about fail-over, and the one rendering of each statement.

use crate::base::NodeId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that a node states about the primary and its replicas. A place is an epoch and the
/// number of a write in it.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailoverFact {
    /// It has not heard `primary` for too long, and asks for the next epoch.
    Asks { epoch: u32, primary: NodeId },
    /// It grants an epoch to who asks: it will grant it to nobody else.
    Grants { epoch: u32, to: NodeId },
    /// It is the primary of an epoch, and goes on from this place of an earlier one.
    TakesOver { epoch: u32, from: (u32, u64) },
    /// As the primary, it has answered a write: enough replicas have it.
    Serves { epoch: u32, seq: u64 },
    /// As a replica, it has the state with which an epoch goes on, up to this write.
    Copies { epoch: u32, seq: u64 },
}

/// The number of a write, as a person reads it: those of later lives of a primary have a prefix.
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 32 {
            0 => write!(f, "{}", self.0),
            lives => write!(f, "{lives}.{}", self.0 as u32),
        }
    }
}

impl fmt::Display for FailoverFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailoverFact::Asks { epoch, primary } => {
                write!(f, "misses {primary}, asks for e{epoch}")
            }
            FailoverFact::Grants { epoch, to } => write!(f, "grants e{epoch} to {to}"),
            FailoverFact::TakesOver { epoch, from: (before, seq) } => {
                write!(f, "takes over in e{epoch} from write {} of e{before}", Number(*seq))
            }
            FailoverFact::Serves { epoch, seq } => {
                write!(f, "has answered write {} of e{epoch}", Number(*seq))
            }
            FailoverFact::Copies { epoch, seq } => {
                write!(f, "has the state of e{epoch} up to write {}", Number(*seq))
            }
        }
    }
}
