//! What nodes state about fail-over, and the one rendering of each statement.

use crate::base::{NodeId, Spot};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that a node states about the primary and its replicas.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailoverFact {
    /// It has not heard `primary` for too long, and asks for the next epoch.
    Asks { epoch: u32, primary: NodeId },
    /// It grants an epoch to who asks: it will grant it to nobody else.
    Grants { epoch: u32, to: NodeId },
    /// It is the primary of an epoch, and goes on from this place of an earlier one.
    TakesOver { epoch: u32, from: Spot },
    /// As the primary, it has answered a write: enough replicas have it.
    Serves { spot: Spot },
    /// As a replica, it has the state with which an epoch goes on, up to this write.
    Copies { spot: Spot },
    /// Enough have granted it the epoch, and it says who is the primary from now on.
    Promotes { epoch: u32, primary: NodeId },
}

impl fmt::Display for FailoverFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailoverFact::Asks { epoch, primary } => {
                write!(f, "misses {primary}, asks for e{epoch}")
            }
            FailoverFact::Grants { epoch, to } => write!(f, "grants e{epoch} to {to}"),
            FailoverFact::TakesOver { epoch, from } => {
                let (number, before) = (from.number(), from.epoch);
                write!(f, "takes over in e{epoch} from write {number} of e{before}")
            }
            FailoverFact::Serves { spot } => {
                write!(f, "has answered write {} of e{}", spot.number(), spot.epoch)
            }
            FailoverFact::Copies { spot } => {
                write!(f, "has the state of e{} up to write {}", spot.epoch, spot.number())
            }
            FailoverFact::Promotes { epoch, primary } => {
                write!(f, "makes {primary} primary in e{epoch}")
            }
        }
    }
}
