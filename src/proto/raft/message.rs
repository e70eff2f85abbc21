//! What the nodes of a Raft group say to each other, wait for, and write down.

use super::election::Campaign;
use crate::base::{Ballot, Entry, NodeId, Slot};
use crate::proto::log::{Item, Items, Place, ReadId};
use crate::proto::machine::Machine;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A node that wants to lead asks for a vote.
    RequestVote {
        /// The term in which it wants to lead.
        term: u32,
        /// The last place in its log.
        last: Place,
        /// Why it asks.
        campaign: Campaign,
    },
    /// The answer to a `RequestVote`.
    Vote {
        /// The term that was asked for; the voter's own, if it refuses.
        term: u32,
        /// Whether it votes for who asked.
        granted: bool,
        /// Whether it was only asked what it would do.
        pre: bool,
    },
    /// The leader tells that it is there, what to append, and how far the log is committed.
    AppendEntries {
        /// The leader's term.
        term: u32,
        /// The place just before the entries: only who has it may append them.
        prev: Place,
        /// What to append; nothing in a heartbeat, and nothing as long as the leader does not know
        /// where the logs agree.
        items: Items,
        /// All slots up to here are committed.
        commit: Slot,
        /// Which heartbeat this is, to be repeated in the answer. With 0 and no entries it is a
        /// mere note that needs no answer.
        round: u64,
    },
    /// A follower's log is the leader's up to some slot, on its disk.
    Appended {
        /// The term of the leader.
        term: u32,
        /// Up to which slot.
        upto: Slot,
        /// The heartbeat that this answers; 0 for none.
        round: u64,
    },
    /// A follower's log does not have the place that entries were to be appended to.
    Mismatch {
        /// The term of the leader.
        term: u32,
        /// The slot of that place.
        at: Slot,
        /// The last place of the follower's log up to there that is of no later term than the
        /// entry it should have: the leader's log may have it too.
        hint: Place,
    },
    /// Whoever goes by an older term is told a newer one.
    Outdated {
        /// The newer term.
        term: u32,
    },
    /// A whole state, for a follower that misses slots which the leader has cut off.
    InstallSnapshot {
        /// The leader's term.
        term: u32,
        /// The last place that is in the state.
        last: Place,
        /// The state after it.
        machine: Arc<Machine>,
    },
    /// A follower hands a request to the leader.
    Forward {
        /// The entry that it wants in the log.
        entry: Arc<Entry>,
    },
    /// A node that is asked to read asks the leader how far it must have applied the log first.
    ReadIndex {
        /// The asker's own name for it.
        read: ReadId,
    },
    /// The leader tells: it was the leader when it was asked, and all that was committed by then is
    /// in slots up to this one.
    ReadState {
        /// The asker's name for it.
        read: ReadId,
        /// The slot.
        slot: Slot,
    },
    /// A node that is asked to have another lead tells the leader.
    HandOver {
        /// Who is to lead.
        to: NodeId,
    },
    /// The leader hands over: the receiver, who has its whole log, is to seek to lead at once.
    TimeoutNow {
        /// The leader's term.
        term: u32,
    },
}

/// More slots than there will ever be.
const SLOTS: Slot = 1 << 48;

impl Message {
    /// Whether it can be acted on: what comes from another machine may be anything. Terms and slots
    /// leave room for the next ones.
    pub(super) fn makes_sense(&self) -> bool {
        let real = |term: &u32| *term < Ballot::ROUNDS;
        let there = |place: &Place| real(&place.term) && place.slot < SLOTS;
        match self {
            Message::RequestVote { term, last, .. } => real(term) && there(last),
            Message::Vote { term, .. }
            | Message::Outdated { term }
            | Message::TimeoutNow { term } => real(term),
            Message::AppendEntries { term, prev, items, commit, .. } => {
                let sound = |item: &Item| item.term <= *term;
                real(term) && there(prev) && *commit < SLOTS && items.iter().all(sound)
            }
            Message::Appended { term, upto, .. } => real(term) && *upto < SLOTS,
            Message::Mismatch { term, hint, .. } => real(term) && there(hint),
            Message::InstallSnapshot { term, last, machine } => {
                real(term) && there(last) && last.slot == machine.applied()
            }
            Message::ReadState { slot, .. } => *slot < SLOTS,
            Message::Forward { .. } | Message::ReadIndex { .. } | Message::HandOver { .. } => true,
        }
    }
}

/// `RequestVote 3 last 17@2`, `AppendEntries 3 after 17@2 commit 16 [3 acquire a 3s (c1/4)]` …
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pre = |pre: bool| if pre { " pre" } else { "" };
        match self {
            Message::RequestVote { term, last, campaign } => {
                let why = match campaign {
                    Campaign::Ask => " pre",
                    Campaign::Seek => "",
                    Campaign::HandedOver => " handed over",
                };
                write!(f, "RequestVote {term} last {last}{why}")
            }
            Message::Vote { term, granted, pre: p } => {
                write!(f, "Vote {term} {}{}", if *granted { "yes" } else { "no" }, pre(*p))
            }
            Message::AppendEntries { term, prev, items, commit, round } => {
                write!(f, "AppendEntries {term} after {prev} commit {commit}")?;
                if *round > 0 {
                    write!(f, " round {round}")?;
                }
                items.iter().try_for_each(|item| write!(f, " [{} {}]", item.term, item.entry))
            }
            Message::Appended { term, upto, round: 0 } => write!(f, "Appended {term} upto {upto}"),
            Message::Appended { term, upto, round } => {
                write!(f, "Appended {term} upto {upto} round {round}")
            }
            Message::Mismatch { term, at, hint } => {
                write!(f, "Mismatch {term} at {at} hint {hint}")
            }
            Message::Outdated { term } => write!(f, "Outdated {term}"),
            Message::InstallSnapshot { term, last, .. } => {
                write!(f, "InstallSnapshot {term} upto {last}")
            }
            Message::Forward { entry } => write!(f, "Forward {entry}"),
            Message::ReadIndex { read } => write!(f, "ReadIndex {read}"),
            Message::ReadState { read, slot } => write!(f, "ReadState {read} at {slot}"),
            Message::HandOver { to } => write!(f, "HandOver {to}"),
            Message::TimeoutNow { term } => write!(f, "TimeoutNow {term}"),
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
    /// Hand unanswered requests to the leader again.
    Retry,
    /// Ask the leader again what is to be read.
    Read,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// It goes by this term, and voted for that node in it (`Ballot::node`; the bench for nobody).
    Term(Ballot),
    /// Its log has these items from this slot on, and nothing after them.
    Append(Slot, Items),
    /// The state after a place; its log begins after it.
    Snapshot(Place, Arc<Machine>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_ignored() {
        let request = |term, slot| {
            let last = Place { term: 1, slot };
            Message::RequestVote { term, last, campaign: Campaign::Seek }
        };
        assert!(request(3, 17).makes_sense());
        assert!(!request(u32::MAX, 17).makes_sense() && !request(3, u64::MAX).makes_sense());
    }

    #[test]
    fn messages_stay_small() {
        assert!(size_of::<Message>() <= 64);
    }
}
