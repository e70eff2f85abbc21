//! A primary and its replicas: the stream of writes, and what of it is where.
//!
//! Each change of a key is a write of the primary's term of office (its *epoch*), with a number.
//! Replicas take in the writes of one epoch in order, from the state with which it began. A
//! primary that waits for replicas (`acks`) holds its answer back until so many have the write.

use super::{Answer, Key, Record};
use crate::base::{CallId, Name, NodeId};
use crate::event::KeyDeed;
use crate::proto::client;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// A place in the stream of writes: later ones order after earlier ones.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Spot {
    /// The epoch of the primary that wrote.
    pub epoch: u32,
    /// The number of the write; 0 for the state with which the epoch began. A primary that
    /// restarts goes on from a number that no write of its earlier lives had: what it has lost is
    /// lost for its replicas, too.
    pub seq: u64,
}

impl Spot {
    /// Where a primary begins that was the same in an earlier life.
    pub(super) fn of_life(epoch: u32, boot: u32) -> Spot {
        Spot { epoch, seq: u64::from(boot.saturating_sub(1)) << 32 }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq >> 32 {
            0 => write!(f, "e{}:{}", self.epoch, self.seq),
            lives => write!(f, "e{}:{lives}.{}", self.epoch, self.seq as u32),
        }
    }
}

/// What a client is told once enough replicas have a write, and observers with it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) seq: u64,
    pub(super) to: NodeId,
    pub(super) answer: client::Message,
    /// What was done to which lock's key.
    pub(super) deed: Option<(Name, KeyDeed)>,
}

/// What a primary knows of its replicas, and whom it has not answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Up to where each replica has this epoch's writes.
    has: BTreeMap<NodeId, u64>,
    held: VecDeque<Held>,
}

impl Stream {
    /// A replica has all writes up to this one.
    pub(super) fn heard(&mut self, from: NodeId, seq: u64) {
        let has = self.has.entry(from).or_default();
        *has = seq.max(*has);
    }

    /// Keeps an answer back.
    pub(super) fn hold(&mut self, held: Held) {
        self.held.push_back(held);
    }

    /// The answers for which so many replicas have enough.
    pub(super) fn release(&mut self, acks: usize) -> Vec<Held> {
        let good = |seq: u64| self.has.values().filter(|has| **has >= seq).count() >= acks;
        let count = self.held.iter().take_while(|held| good(held.seq)).count();
        self.held.drain(..count).collect()
    }
}

/// The yes to a client, with the value that it asked with.
pub(super) fn answer(call: CallId, value: u64, answer: Answer) -> client::Message {
    client::Message::Instance { call, value, answer }
}

/// What a write says, as one word and the lock's name.
pub(super) fn shown(record: &Record) -> String {
    match record {
        Record::Set(lock, Key { token, .. }) => format!("set {lock} token {token}"),
        Record::Gone(lock) => format!("gone {lock}"),
        Record::Count(lock, count) => format!("count {lock} {count}"),
        Record::At(spot) => format!("at {spot}"),
        Record::Promised(epoch) => format!("promised e{epoch}"),
        Record::View(view) => format!("view {view}"),
    }
}
