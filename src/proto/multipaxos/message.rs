//! What replicas of the log say to each other, wait for, and write down.

use crate::base::{Ballot, Entry, Slot};
use crate::proto::log::ReadId;
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
        /// Which heartbeat this is, if it needs an answer; else 0.
        round: u64,
    },
    /// A follower answers a heartbeat, if that is numbered or it has not answered or voted lately.
    Alive {
        /// The leader's ballot.
        ballot: Ballot,
        /// The number of the heartbeat.
        round: u64,
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
    /// A node that is asked to read asks how far it must have applied the log first.
    ReadIndex {
        /// The asker's own name for it.
        read: ReadId,
    },
    /// The leader tells: it was the leader when it was asked, and all that was chosen by then is in
    /// slots up to this one. Where a majority is asked, an acceptor: it has voted in none after it.
    ReadState {
        /// The asker's name for it.
        read: ReadId,
        /// The slot.
        slot: Slot,
    },
    /// Election by connectivity: a node asks all others how they are.
    AskHealth {
        /// Counts the asker's rounds.
        round: u64,
    },
    /// The answer.
    Health {
        /// The asker's round.
        round: u64,
        /// By which leader's ballot it goes; none if it has no leader.
        ballot: Ballot,
        /// Whether it has a leader that a quorum answers.
        well: bool,
    },
}

/// More slots than there will ever be.
const SLOTS: Slot = 1 << 48;

/// How far ahead of what it knows to be chosen a replica takes anything in. Who is further behind
/// catches up first.
const REACH: u64 = 1 << 16;

impl Message {
    /// Whether a replica that knows all slots up to `known` to be chosen can act on it. What comes
    /// from another machine may be anything, and a slot costs room, as do all before it.
    pub(super) fn makes_sense(&self, known: Slot) -> bool {
        let real = |ballot: &Ballot| ballot.round < Ballot::ROUNDS;
        let near = |from: Slot, first: Slot, count: usize| {
            let last = first.checked_add(count as u64);
            last.is_some_and(|last| last <= from.saturating_add(REACH))
        };
        match self {
            Message::Prepare { ballot, .. }
            | Message::Accepted { ballot, .. }
            | Message::Alive { ballot, .. }
            | Message::Health { ballot, .. } => real(ballot),
            Message::Promise { ballot, commit, votes } => {
                let sound = |vote: &Vote| real(&vote.ballot) && near(*commit, vote.slot, 1);
                real(ballot) && near(known, *commit, 0) && votes.iter().all(sound)
            }
            Message::Refuse { promised, .. } => real(promised),
            Message::Accept { ballot, commit, first, entries } => {
                real(ballot) && *commit < SLOTS && near(known, *first, entries.len())
            }
            Message::Commit { ballot, upto: slot }
            | Message::Heartbeat { ballot, commit: slot, .. } => real(ballot) && *slot < SLOTS,
            Message::Entries { first, entries } => near(known, *first, entries.len()),
            Message::Install { machine } => machine.applied() < SLOTS,
            Message::ReadState { slot, .. } => *slot < SLOTS,
            Message::CatchUp { .. }
            | Message::Forward { .. }
            | Message::ReadIndex { .. }
            | Message::AskHealth { .. } => true,
        }
    }
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
                write!(f, "Accepted {ballot} slots {first} to {}", last(*first, u64::from(*count)))
            }
            Message::Commit { ballot, upto } => write!(f, "Commit {ballot} upto {upto}"),
            Message::Heartbeat { ballot, commit, round } => {
                write!(f, "Heartbeat {ballot} commit {commit}")?;
                numbered(f, *round)
            }
            Message::Alive { ballot, round } => {
                write!(f, "Alive {ballot}")?;
                numbered(f, *round)
            }
            Message::CatchUp { from } => write!(f, "CatchUp from {from}"),
            Message::Entries { first, entries } => {
                write!(f, "Entries {first} to {}", last(*first, entries.len() as u64))
            }
            Message::Install { machine } => write!(f, "Install upto {}", machine.applied()),
            Message::Forward { entry } => write!(f, "Forward {entry}"),
            Message::ReadIndex { read } => write!(f, "ReadIndex {read}"),
            Message::ReadState { read, slot } => write!(f, "ReadState {read} at {slot}"),
            Message::AskHealth { round } => write!(f, "AskHealth {round}"),
            Message::Health { round, ballot, well } => {
                write!(f, "Health {round} {ballot} {}", if *well { "well" } else { "unwell" })
            }
        }
    }
}

fn numbered(f: &mut fmt::Formatter<'_>, round: u64) -> fmt::Result {
    if round > 0 { write!(f, " round {round}") } else { Ok(()) }
}

/// The last of `count` slots from `first` on. Labels are made of messages that nobody has judged.
fn last(first: Slot, count: u64) -> Slot {
    first.saturating_add(count).saturating_sub(1)
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
    /// Ask again what is to be read.
    Read,
    /// Election by connectivity: look who has answered, and ask anew.
    Round,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// It promised this ballot.
    Promised(Ballot),
    /// It voted in consecutive slots.
    Accepted {
        /// The ballot of the proposals.
        ballot: Ballot,
        /// The first slot.
        first: Slot,
        /// What was proposed.
        entries: Entries,
    },
    /// The state after some slot; earlier slots are gone.
    Snapshot(Arc<Machine>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, NodeId, Op};

    fn accept(round: u32, commit: Slot, first: Slot) -> Message {
        let entry = Arc::new(Entry { call: CallId::default(), op: Op::Noop });
        let ballot = Ballot::new(round, NodeId::node(2));
        Message::Accept { ballot, commit, first, entries: [entry].into() }
    }

    #[test]
    fn what_is_far_ahead_waits_until_the_replica_has_caught_up() {
        let far = accept(3, 500_000, 500_000);
        assert!(!far.makes_sense(17) && far.makes_sense(499_000));
        let told = Message::Heartbeat {
            ballot: Ballot::new(3, NodeId::node(2)),
            commit: 500_000,
            round: 0,
        };
        assert!(told.makes_sense(17), "this is how it hears that it must catch up");
    }

    #[test]
    fn numbers_that_are_none_are_ignored() {
        assert!(accept(3, 17, 18).makes_sense(17));
        assert!(!accept(u32::MAX, 17, 18).makes_sense(17));
        assert!(!accept(3, u64::MAX, 18).makes_sense(17));
        assert!(!accept(3, 17, u64::MAX).makes_sense(17));
    }

    #[test]
    fn any_run_of_slots_has_a_last_one() {
        assert_eq!((last(3, 4), last(3, 0), last(0, 0)), (6, 2, 0));
        assert_eq!(last(u64::MAX, 9), u64::MAX - 1);
    }

    #[test]
    fn messages_stay_small() {
        assert!(size_of::<Message>() <= 64);
    }
}
