//! What the nodes of a Zab ensemble say to each other, wait for, and write down.

use crate::base::{Ballot, Entry, NodeId, Slot};
use crate::proto::log::{Item, Items, Place, ReadId};
use crate::proto::machine::Machine;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Whom a node wants to lead, and why: the one with the newest history, and of equals the one with
/// the highest number. They order by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// The epoch whose leader that node's history was last the same as.
    pub epoch: u32,
    /// The last place of its history.
    pub last: Place,
    /// Which node.
    pub node: NodeId,
}

/// What a node that tells its vote is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It looks for a leader.
    Looking,
    /// It follows the one that it voted for.
    Following,
    /// It leads.
    Leading,
}

/// How a follower's history becomes the leader's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Sync {
    /// It lacks something at its end.
    Diff,
    /// It has something at its end that the leader has not, and drops it first.
    Trunc,
    /// It lacks what the leader has cut off, and takes this state instead.
    Snap(Arc<Machine>),
}

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Election: whom it votes for.
    Notify {
        /// In which round of its looking for a leader.
        round: u64,
        /// For whom.
        vote: Vote,
        /// What it is.
        state: State,
    },
    /// Discovery, CEPOCH: a follower has found its leader, and has accepted this epoch last.
    CEpoch {
        /// Which epoch.
        accepted: u32,
    },
    /// NEWEPOCH: the leader begins an epoch that is newer than all that a majority has accepted.
    NewEpoch {
        /// Which epoch.
        epoch: u32,
    },
    /// ACKEPOCH: a follower will listen to nobody of an earlier epoch, and has this history.
    AckEpoch {
        /// Which epoch it has accepted.
        epoch: u32,
        /// The epoch whose leader its history was last the same as.
        current: u32,
        /// The last place of its history.
        last: Place,
        /// Whether it accepted the epoch of this leader, and so counts for it. It may have accepted
        /// the same number from another one.
        counts: bool,
    },
    /// Synchronisation, DIFF, TRUNC or SNAP with NEWLEADER: what makes a follower's history the
    /// leader's, as far as one message takes it.
    NewLeader {
        /// Which epoch.
        epoch: u32,
        /// How to begin.
        how: Sync,
        /// What stays of the follower's history: all up to this place.
        after: Place,
        /// What comes next.
        items: Items,
        /// Where the leader's history ends. Who has all of it has adopted the epoch.
        upto: Slot,
    },
    /// A follower has more of the leader's history, but not all yet; or has not what the leader
    /// thought it had.
    Behind {
        /// Which epoch.
        epoch: u32,
        /// The last place that it has in common with the leader, as far as it knows.
        last: Place,
    },
    /// ACK of NEWLEADER: its history is the leader's, on disk, and so is that it adopted the epoch.
    AckLeader {
        /// Which epoch.
        epoch: u32,
        /// The last slot of its history.
        upto: Slot,
    },
    /// COMMITLD, UPTODATE: a majority has adopted the epoch. Its history is committed up to here,
    /// and broadcast begins.
    UpToDate {
        /// Which epoch.
        epoch: u32,
        /// Up to which slot.
        commit: Slot,
    },
    /// Broadcast, PROPOSE: the leader puts entries into the history.
    Propose {
        /// Which epoch.
        epoch: u32,
        /// What comes just before them.
        after: Place,
        /// The entries.
        items: Items,
    },
    /// ACK: a follower has the leader's history up to here on disk. Also the answer to a ping.
    Ack {
        /// Which epoch.
        epoch: u32,
        /// Up to which slot.
        upto: Slot,
    },
    /// COMMIT: a majority has acknowledged everything up to here.
    Commit {
        /// Which epoch.
        epoch: u32,
        /// Up to which slot.
        upto: Slot,
    },
    /// The leader tells that it is there, and how far it is.
    Ping {
        /// Which epoch.
        epoch: u32,
        /// Up to which slot the history is committed.
        commit: Slot,
    },
    /// A follower hands a request to the leader.
    Forward {
        /// The entry that it wants in the history.
        entry: Arc<Entry>,
    },
    /// A node that is asked to read asks the leader how far it must have applied the history first.
    Sync {
        /// The asker's own name for it.
        read: ReadId,
    },
    /// The leader tells.
    Synced {
        /// The asker's name for it.
        read: ReadId,
        /// Up to which slot the history is committed.
        slot: Slot,
    },
}

/// More slots than there will ever be.
const SLOTS: Slot = 1 << 48;

impl Message {
    /// Whether it can be acted on: what comes from another machine may be anything. Epochs and
    /// slots leave room for the next ones.
    pub(super) fn makes_sense(&self) -> bool {
        let real = |epoch: &u32| *epoch < Ballot::ROUNDS;
        let there = |place: &Place| real(&place.term) && place.slot < SLOTS;
        let sound = |epoch: &u32, items: &Items| {
            real(epoch) && items.iter().all(|item: &Item| item.term <= *epoch)
        };
        match self {
            Message::Notify { vote, .. } => real(&vote.epoch) && there(&vote.last),
            Message::CEpoch { accepted: epoch } | Message::NewEpoch { epoch } => real(epoch),
            Message::AckEpoch { epoch, current, last, .. } => {
                real(epoch) && current <= epoch && there(last)
            }
            Message::NewLeader { epoch, how, after, items, upto } => {
                let whole = match how {
                    Sync::Snap(machine) => machine.applied() == after.slot,
                    Sync::Diff | Sync::Trunc => true,
                };
                sound(epoch, items) && there(after) && *upto < SLOTS && whole
            }
            Message::Propose { epoch, after, items } => sound(epoch, items) && there(after),
            Message::Behind { epoch, last } => real(epoch) && there(last),
            Message::AckLeader { epoch, upto: slot }
            | Message::UpToDate { epoch, commit: slot }
            | Message::Ack { epoch, upto: slot }
            | Message::Commit { epoch, upto: slot }
            | Message::Ping { epoch, commit: slot } => real(epoch) && *slot < SLOTS,
            Message::Synced { slot, .. } => *slot < SLOTS,
            Message::Forward { .. } | Message::Sync { .. } => true,
        }
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} of epoch {}", self.node, self.last, self.epoch)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Looking => "looking",
            State::Following => "following",
            State::Leading => "leading",
        })
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sync::Diff => "DIFF",
            Sync::Trunc => "TRUNC",
            Sync::Snap(_) => "SNAP",
        })
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: &Items) -> fmt::Result {
    items.iter().try_for_each(|item| write!(f, " [{} {}]", item.term, item.entry))
}

/// `Notify 2 n3 with 7@1 of epoch 1, looking`, `NewLeader 2 TRUNC after 5@1 upto 6 [1 noop]` …
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Notify { round, vote, state } => write!(f, "Notify {round} {vote}, {state}"),
            Message::CEpoch { accepted } => write!(f, "CEpoch {accepted}"),
            Message::NewEpoch { epoch } => write!(f, "NewEpoch {epoch}"),
            Message::AckEpoch { epoch, current, last, counts } => {
                let again = if *counts { "" } else { " again" };
                write!(f, "AckEpoch {epoch} of {current} last {last}{again}")
            }
            Message::NewLeader { epoch, how, after, items, upto } => {
                write!(f, "NewLeader {epoch} {how} after {after} upto {upto}")?;
                list(f, items)
            }
            Message::Behind { epoch, last } => write!(f, "Behind {epoch} last {last}"),
            Message::AckLeader { epoch, upto } => write!(f, "AckLeader {epoch} upto {upto}"),
            Message::UpToDate { epoch, commit } => write!(f, "UpToDate {epoch} commit {commit}"),
            Message::Propose { epoch, after, items } => {
                write!(f, "Propose {epoch} after {after}")?;
                list(f, items)
            }
            Message::Ack { epoch, upto } => write!(f, "Ack {epoch} upto {upto}"),
            Message::Commit { epoch, upto } => write!(f, "Commit {epoch} upto {upto}"),
            Message::Ping { epoch, commit } => write!(f, "Ping {epoch} commit {commit}"),
            Message::Forward { entry } => write!(f, "Forward {entry}"),
            Message::Sync { read } => write!(f, "Sync {read}"),
            Message::Synced { read, slot } => write!(f, "Synced {read} at {slot}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Nothing came of an election, or nothing was heard of those whom one needs: look for a leader
    /// anew.
    Election,
    /// A majority agrees on a leader, and no better vote has come since.
    Settle,
    /// Tell the others that it is there: as leader, with a ping; else by asking again.
    Heartbeat,
    /// Hand unanswered requests to the leader again.
    Retry,
    /// Ask the leader again what is to be read.
    Read,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// It has accepted this epoch (`Ballot::round`) from this leader.
    Accepted(Ballot),
    /// It has adopted this epoch: its history was that of its leader.
    Current(u32),
    /// Its history has these items from this slot on, and nothing after them.
    Append(Slot, Items),
    /// Its history ends with this slot.
    Truncate(Slot),
    /// The state after a place; its history begins after it.
    Snapshot(Place, Arc<Machine>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_history_is_the_best_vote_and_then_the_highest_number() {
        let vote = |epoch, term, slot, node| Vote {
            epoch,
            last: Place { term, slot },
            node: NodeId::node(node),
        };
        assert!(vote(2, 1, 3, 1) > vote(1, 1, 9, 3), "the epoch that it adopted");
        assert!(vote(2, 2, 3, 1) > vote(2, 1, 9, 3), "the epoch of its last entry");
        assert!(vote(2, 2, 4, 1) > vote(2, 2, 3, 3), "how long it is");
        assert!(vote(2, 2, 4, 3) > vote(2, 2, 4, 1));
    }

    #[test]
    fn numbers_that_are_none_are_ignored() {
        let ack = |epoch, current, slot| {
            let last = Place { term: 1, slot };
            Message::AckEpoch { epoch, current, last, counts: true }
        };
        assert!(ack(3, 2, 17).makes_sense());
        assert!(!ack(u32::MAX, 2, 17).makes_sense() && !ack(3, 2, u64::MAX).makes_sense());
        assert!(!ack(3, 4, 17).makes_sense(), "nobody adopts what it has not accepted");
    }

    #[test]
    fn messages_stay_small() {
        assert!(size_of::<Message>() <= 72);
    }
}
