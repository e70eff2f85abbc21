//! By which protocol a transaction comes to its outcome.

use super::Ballot;
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
    /// By three-phase commit. It does not block as long as nodes only crash, are only then
    /// suspected, and the network never splits.
    ThreePhase,
    /// By Paxos Commit: the acceptors, which are the first so many nodes, agree on each vote.
    PaxosCommit {
        /// How many there are; a majority of them is needed.
        acceptors: u8,
    },
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
            Commitment::ThreePhase => "three-phase commit",
            Commitment::PaxosCommit { .. } => "Paxos Commit",
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
            Commitment::ThreePhase => Ok(()),
            Commitment::PaxosCommit { acceptors } => write!(f, " on {acceptors} acceptors"),
        }
    }
}

/// A ballot of Paxos Commit as a person calls it: the participant's own is the one before all
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn(pub Ballot);

/// `0`, `1.2` …
impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ballot::NONE => f.pad("0"),
            ballot => ballot.fmt(f),
        }
    }
}
