//! What it takes to end a transaction: messages, and writes that somebody waits for.
//!
//! | write | of whom | by what it shows | who forces it |
//! |---|---|---|---|
//! | that votes are asked for | coordinator | `Begins` | presumed commit |
//! | a yes | participant | `Votes` | all |
//! | that all have voted yes | participant | `Precommits` | three-phase commit |
//! | the vote of another | acceptor | `InstanceAccepts` | Paxos Commit |
//! | the decision to commit | coordinator, or the log | `Decides` | all but Paxos Commit |
//! | the outcome | participant | `Resolves` | all but commits that are presumed |
//!
//! A step or compensation of a saga is one at the owner of its key (`Takes`), and one of whoever
//! directs it, who notes what it asks for before it does (`Asks`).
//!
//! What textbooks count is beside it ([`theory`]). What is counted here may be more: a message
//! that is repeated, an acknowledgement that a paper leaves out, each vote of Paxos Commit in a
//! message of its own and to all acceptors; or less, where one of the keys is the coordinator's
//! own.

use crate::base::{Ballot, Commitment, Name, NodeId, Presume};
use crate::event::Fact;
use std::collections::BTreeSet;

/// A write that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Write {
    Collecting,
    Vote(Name),
    Ready(Name),
    Accepted(Name, Ballot),
    Decision,
    Outcome(Name),
    /// A step of a saga, and whether it is a compensation: as its owner, or as who directs.
    Step(u8, bool),
    Direction(u8, bool),
}

/// What one transaction has taken so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// How many messages about it were sent, as far as messages are watched.
    pub messages: u64,
    writes: BTreeSet<(NodeId, Write)>,
}

impl Effort {
    /// How many writes were forced to a disk.
    pub fn forced(&self) -> u64 {
        self.writes.len() as u64
    }

    /// Takes in what a node says of it, if it ends by `how`.
    pub(super) fn hear(&mut self, node: NodeId, fact: &Fact, how: Commitment) {
        let presumed = matches!(how, Commitment::TwoPhase { presume: Presume::Commit, .. });
        match fact {
            Fact::Begins { .. } if presumed => self.write(node, Write::Collecting),
            Fact::Votes { yes: true, keys, .. } => {
                keys.iter().for_each(|key| self.write(node, Write::Vote(key.clone())));
            }
            Fact::Precommits { keys, .. } => {
                keys.iter().for_each(|key| self.write(node, Write::Ready(key.clone())));
            }
            Fact::InstanceAccepts { key, ballot, .. } => {
                self.write(node, Write::Accepted(key.clone(), *ballot));
            }
            Fact::Decides { commit: true, .. } => match how {
                Commitment::PaxosCommit { .. } => {}
                // All replicas of the log say it, and it is one entry.
                Commitment::Logged => self.write(NodeId::BENCH, Write::Decision),
                _ => self.write(node, Write::Decision),
            },
            Fact::Resolves { commit, changes, .. } if !(presumed && *commit) => {
                for change in changes.iter() {
                    self.write(node, Write::Outcome(change.key.clone()));
                }
            }
            _ => {}
        }
    }

    /// A step of a saga, or its compensation, took effect at the owner of its key.
    pub(super) fn takes(&mut self, node: NodeId, step: u8, back: bool) {
        self.write(node, Write::Step(step, back));
    }

    /// Whoever directs a saga asks for it.
    pub(super) fn asks(&mut self, node: NodeId, step: u8, back: bool) {
        self.write(node, Write::Direction(step, back));
    }

    fn write(&mut self, node: NodeId, write: Write) {
        self.writes.insert((node, write));
    }
}

/// What transactions that took effect have taken, all in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efforts {
    /// How many there were.
    pub ended: u64,
    /// How many keys they had.
    pub keys: u64,
    /// How many messages.
    pub messages: u64,
    /// How many forced writes.
    pub forced: u64,
}

impl Efforts {
    pub(super) fn add(&mut self, keys: usize, effort: &Effort) {
        self.ended += 1;
        self.keys += keys as u64;
        self.messages += effort.messages;
        self.forced += effort.forced();
    }
}

/// What a commit takes in theory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theory {
    /// How many messages.
    pub messages: u64,
    /// How many forced writes.
    pub forced: u64,
    /// Where that is from.
    pub source: &'static str,
}

/// What a commit of so many participants takes without any failure, if none of them is where its
/// coordinator is.
pub fn theory(how: Commitment, participants: u64) -> Theory {
    let n = participants;
    let (messages, forced, source) = match how {
        Commitment::TwoPhase { presume: Presume::Abort, .. } => {
            (4 * n, 2 * n + 1, "Mohan, Lindsay and Obermarck 1986, presumed abort")
        }
        Commitment::TwoPhase { presume: Presume::Commit, .. } => {
            (3 * n, n + 2, "Mohan, Lindsay and Obermarck 1986, presumed commit")
        }
        Commitment::Logged => (4 * n, 2 * n + 1, "as presumed abort, and the log's own"),
        Commitment::ThreePhase => {
            let source =
                "Bernstein, Hadzilacos and Goodman 1987, section 7.5, and acknowledgements";
            (6 * n, 3 * n + 1, source)
        }
        Commitment::PaxosCommit { acceptors } => {
            let f = u64::from(acceptors.max(1) - 1) / 2;
            let messages = (n * f + f + 3 * n).saturating_sub(1);
            (
                messages,
                n + f + 1,
                "Gray and Lamport 2006, section 4.3, without the outcome's records and acknowledgements",
            )
        }
    };
    Theory { messages, forced, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_acceptor_paxos_commit_is_two_phase_commit_without_acknowledgements() {
        let two = theory(Commitment::default(), 3);
        let paxos = theory(Commitment::PaxosCommit { acceptors: 1 }, 3);
        assert_eq!((two.messages, two.forced), (12, 7));
        assert_eq!((paxos.messages, paxos.forced), (8, 4));
    }
}
