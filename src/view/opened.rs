//! Transactions that clients open: what each has read and written so far, and who is in its way.

use crate::base::{CallId, Isolation, Name, NodeId, Op, Slot, Time, TxAbort, TxOp};
use crate::event::{Fact, Install, Newest, OpenTx, TxFact};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// So many versions of a key are kept.
const VERSIONS: usize = 4;
/// So many keys are kept.
const KEYS: usize = 256;

/// How a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its client works in it.
    Open,
    /// It cannot commit any more, and its client does not know yet.
    Doomed(Arc<TxAbort>),
    /// It has committed.
    Committed,
    /// It has aborted.
    Aborted(Arc<TxAbort>),
}

/// The last transaction of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The call that began it.
    pub tx: CallId,
    /// How much of others it sees.
    pub level: Isolation,
    /// The slot in which it began.
    pub snapshot: Slot,
    /// When it was first heard of.
    pub since: Time,
    /// The keys that it has read from others.
    pub reads: BTreeSet<Name>,
    /// What it has written.
    pub writes: BTreeMap<Name, i64>,
    /// How it stands.
    pub state: State,
    /// When it ended.
    pub ended: Option<Time>,
}

/// A value that was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The slot that did so.
    pub slot: Slot,
    /// The value.
    pub value: i64,
    /// Whose it is.
    pub by: CallId,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    all: BTreeMap<NodeId, Opened>,
    keys: BTreeMap<Name, VecDeque<Version>>,
    /// How many have committed.
    pub committed: u64,
    /// How many have aborted.
    pub aborted: u64,
    newest: Newest,
    applied: Slot,
}

impl Opened {
    fn of(open: &OpenTx, since: Time) -> Opened {
        let OpenTx { tx, level, snapshot, reads, writes } = open;
        Opened {
            tx: *tx,
            level: *level,
            snapshot: *snapshot,
            since,
            reads: reads.iter().cloned().collect(),
            writes: writes.iter().cloned().collect(),
            state: State::Open,
            ended: None,
        }
    }

    /// Whether its client still works in it.
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// The last slot whose commits it sees; none if that is always the last one.
    pub fn sees(&self) -> Option<Slot> {
        (self.level >= Isolation::Snapshot).then_some(self.snapshot)
    }

    /// The keys that it has read or written.
    pub fn keys(&self) -> BTreeSet<&Name> {
        self.reads.iter().chain(self.writes.keys()).collect()
    }

    fn ends(&mut self, state: State, at: Time) {
        (self.state, self.ended) = (state, Some(at));
    }
}

impl Openings {
    /// The last one of each client.
    pub fn all(&self) -> impl Iterator<Item = &Opened> {
        self.all.values()
    }

    /// The last one of a client.
    pub fn of(&self, client: NodeId) -> Option<&Opened> {
        self.all.get(&client)
    }

    /// The newest versions of a key, the newest last; none if none was seen.
    pub fn versions(&self, key: &Name) -> impl DoubleEndedIterator<Item = &Version> {
        self.keys.get(key).into_iter().flatten()
    }

    /// Which other open transactions have written a key, and what.
    pub fn drafts(&self, key: &Name, but: CallId) -> impl Iterator<Item = (CallId, i64)> {
        let others = self.all().filter(move |other| other.is_open() && other.tx != but);
        others.filter_map(|other| Some((other.tx, *other.writes.get(key)?)))
    }

    /// A node starts again.
    pub(super) fn starts(&mut self, node: NodeId) {
        self.newest.starts(node);
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        match fact {
            Fact::Tx(fact) if self.newest.takes(fact.slot(), node) => self.take(at, fact),
            Fact::Applies { slot, entry, .. } if *slot > self.applied => {
                self.applied = *slot;
                if let Op::Tx(op) = &entry.op {
                    self.works(entry.call.client, op);
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, at: Time, fact: &TxFact) {
        match fact {
            TxFact::All { open, .. } => {
                self.all.retain(|_, known| !known.is_open() || open.contains(&known.tx));
            }
            TxFact::Opens { slot, open } => {
                let known = self.all.get(&open.tx.client).filter(|known| known.tx == open.tx);
                let since = known.map_or(at, |known| known.since);
                // Of one that is known, a replica that is behind says nothing new.
                if known.is_none() || *slot >= self.applied {
                    self.all.insert(open.tx.client, Opened::of(open, since));
                }
            }
            TxFact::Dooms { tx, why, .. } => {
                if let Some(open) = self.open_mut(*tx) {
                    open.state = State::Doomed(Arc::clone(why));
                }
            }
            TxFact::Commits { slot, tx, writes } => {
                self.committed += 1;
                writes.iter().for_each(|install| self.install(*slot, *tx, install));
                if let Some(open) = self.open_mut(*tx) {
                    open.ends(State::Committed, at);
                }
            }
            TxFact::Aborts { tx, why, .. } => {
                self.aborted += 1;
                if let Some(open) = self.open_mut(*tx) {
                    open.ends(State::Aborted(Arc::clone(why)), at);
                }
            }
        }
    }

    fn open_mut(&mut self, tx: CallId) -> Option<&mut Opened> {
        self.all.get_mut(&tx.client).filter(|open| open.tx == tx && open.is_open())
    }

    /// A client reads or writes.
    fn works(&mut self, client: NodeId, op: &TxOp) {
        let Some(seq) = op.tx() else { return };
        let Some(open) = self.open_mut(CallId { client, seq }) else { return };
        match op {
            TxOp::Get { key, .. } if !open.writes.contains_key(key) => {
                open.reads.insert(key.clone());
            }
            TxOp::Set { key, value, .. } => drop(open.writes.insert(key.clone(), *value)),
            _ => {}
        }
    }

    fn install(&mut self, slot: Slot, by: CallId, install: &Install) {
        if self.keys.len() >= KEYS && !self.keys.contains_key(&install.key) {
            self.keys.pop_first();
        }
        let versions = self.keys.entry(install.key.clone()).or_default();
        versions.push_back(Version { slot, value: install.value, by });
        if versions.len() > VERSIONS {
            versions.pop_front();
        }
    }
}
