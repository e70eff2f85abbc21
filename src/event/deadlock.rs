//! What is stated about deadlocks.

use crate::base::{CallId, Name, Slot};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Clients waited for each other, and the call of one of them was refused. By the log's order:
/// every replica says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlock {
    /// The slot that closed the circle, and that broke it.
    pub slot: Slot,
    /// Calls that waited, each for a lock that the client of the next one held; the last for one
    /// that the first client held.
    pub circle: Arc<[(CallId, Name)]>,
    /// The call that was refused.
    pub victim: CallId,
}

/// `c1 > roof > c2 > door > c1`.
impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} refuses {} in the circle", self.slot, self.victim)?;
        self.circle.iter().try_for_each(|(call, lock)| write!(f, " {} > {lock} >", call.client))?;
        match self.circle.first() {
            Some((call, _)) => write!(f, " {}", call.client),
            None => Ok(()),
        }
    }
}
