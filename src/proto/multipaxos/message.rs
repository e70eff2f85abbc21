//! What replicas of the log say to each other, wait for, and write down.

use crate::base::{Ballot, Entry, Slot};
use crate::proto::machine::Machine;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Entries of consecutive slots.
pub type Entries = Arc<[Arc<Entry>]>;

/// An acceptor's vote in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The slot.
    pub slot: Slot,
    /// The ballot of the proposal.
    pub ballot: Ballot,
    /// What was proposed.
    pub entry: Arc<Entry>,
}

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A node that wants to lead asks for a promise not to vote below its ballot, in any slot.
    Prepare {
        /// The candidate's ballot.
        ballot: Ballot,
        /// The first slot that the candidate does not know to be chosen.
        from: Slot,
    },
    /// An acceptor promises.
    Promise {
        /// The ballot that it promised.
        ballot: Ballot,
        /// All slots up to here are chosen, and the acceptor has them.
        commit: Slot,
        /// Its votes in the slots after `commit`, from the first that was asked for.
        votes: Arc<[Vote]>,
    },
    /// A node turns a ballot down.
    Refuse {
        /// The ballot that it turned down.
        ballot: Ballot,
        /// The ballot that it goes by instead.
        promised: Ballot,
    },
    /// The leader asks for votes in consecutive slots.
    Accept {
        /// The leader's ballot.
        ballot: Ballot,
        /// All slots up to here are chosen.
        commit: Slot,
        /// The slot of the first entry.
        first: Slot,
        /// What to vote for.
        entries: Entries,
    },
    /// An acceptor tells the leader that it voted.
    Accepted {
        /// The ballot in which it voted.
        ballot: Ballot,
        /// The first slot.
        first: Slot,
        /// How many slots.
        count: u32,
    },
    /// The leader tells how far the log is chosen.
    Commit {
        /// The leader's ballot.
        ballot: Ballot,
        /// All slots up to here are chosen.
        upto: Slot,
    },
    /// The leader tells that it is there.
    Heartbeat {
        /// The leader's ballot.
        ballot: Ballot,
        /// All slots up to here are chosen.
        commit: Slot,
    },
    /// A follower answers a heartbeat.
    Alive {
        /// The leader's ballot.
        ballot: Ballot,
    },
    /// A replica that missed entries asks for them.
    CatchUp {
        /// The first slot that it misses.
        from: Slot,
    },
    /// Chosen entries for a replica that missed them.
    Entries {
        /// The slot of the first one.
        first: Slot,
        /// The entries.
        entries: Entries,
    },
    /// A whole state, for a replica that misses slots which the sender has cut off.
    Install {
        /// The state after the last of those slots.
        machine: Arc<Machine>,
    },
    /// A follower hands a request to the leader.
    Forward {
        /// The entry that it wants in the log.
        entry: Arc<Entry>,
    },
}

/// `Prepare 3.2 from 17`, `Accept 3.2 slot 17 acquire a 3s (c1/4)` …
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Prepare { ballot, from } => write!(f, "Prepare {ballot} from {from}"),
            Message::Promise { ballot, commit, votes } => {
                write!(f, "Promise {ballot} commit {commit}")?;
                votes.iter().try_for_each(|v| write!(f, " [{} {} {}]", v.slot, v.ballot, v.entry))
            }
            Message::Refuse { ballot, promised } => {
                write!(f, "Refuse {ballot} promised {promised}")
            }
            Message::Accept { ballot, commit, first, entries } => {
                write!(f, "Accept {ballot} commit {commit} slot {first}")?;
                entries.iter().try_for_each(|entry| write!(f, " [{entry}]"))
            }
            Message::Accepted { ballot, first, count: 1 } => {
                write!(f, "Accepted {ballot} slot {first}")
            }
            Message::Accepted { ballot, first, count } => {
                write!(f, "Accepted {ballot} slots {first} to {}", first + u64::from(*count) - 1)
            }
            Message::Commit { ballot, upto } => write!(f, "Commit {ballot} upto {upto}"),
            Message::Heartbeat { ballot, commit } => {
                write!(f, "Heartbeat {ballot} commit {commit}")
            }
            Message::Alive { ballot } => write!(f, "Alive {ballot}"),
            Message::CatchUp { from } => write!(f, "CatchUp from {from}"),
            Message::Entries { first, entries } => {
                write!(f, "Entries {first} to {}", first + entries.len() as u64 - 1)
            }
            Message::Install { machine } => write!(f, "Install upto {}", machine.applied()),
            Message::Forward { entry } => write!(f, "Forward {entry}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Nothing was heard of a leader: seek to lead.
    Election,
    /// As leader: tell that it is there, and repeat what was not answered.
    Heartbeat,
    /// Ask for entries that are chosen but missing.
    CatchUp,
    /// Hand unanswered requests to the leader again.
    Retry,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// It promised this ballot.
    Promised(Ballot),
    /// It voted.
    Accepted(Vote),
    /// The state after some slot; earlier slots are gone.
    Snapshot(Arc<Machine>),
}

#[cfg(test)]
mod tests {
    #[test]
    fn messages_stay_small() {
        assert!(size_of::<super::Message>() <= 64);
    }
}
