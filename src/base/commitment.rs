//! By which protocol a transaction comes to its outcome.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a coordinator says about a transaction of which it knows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Presume {
    /// It aborted, or everybody knows.
    #[default]
    Abort,
    /// It committed, or everybody knows.
    Commit,
}

/// How the participants of a transaction come to the same outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Commitment {
    /// By two-phase commit, where one node decides.
    TwoPhase {
        /// What that node says when it knows nothing.
        presume: Presume,
        /// Participants in doubt ask each other too.
        cooperative: bool,
    },
    /// By two-phase commit, where the first decision in the replicated log counts.
    Logged,
}

impl Default for Commitment {
    fn default() -> Self {
        Commitment::TwoPhase { presume: Presume::Abort, cooperative: false }
    }
}

impl Commitment {
    /// As a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Commitment::TwoPhase { .. } | Commitment::Logged => "two-phase commit",
        }
    }
}

/// `two-phase commit, presumed abort` …
impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())?;
        match self {
            Commitment::TwoPhase { presume, cooperative } => {
                let presumed = if *presume == Presume::Abort { "abort" } else { "commit" };
                let together = if *cooperative { ", cooperative" } else { "" };
                write!(f, ", presumed {presumed}{together}")
            }
            Commitment::Logged => f.write_str(", decided in the log"),
        }
    }
}
