//! What is stated about transactions that clients open and end, by the log's order: every replica
//! says it.

use crate::base::{CallId, Isolation, Name, NodeId, Slot, TxAbort, Wrote};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A transaction that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTx {
    /// The call that began it, which is its name.
    pub tx: CallId,
    /// How much of others it sees.
    pub level: Isolation,
    /// The slot in which it began.
    pub snapshot: Slot,
    /// The keys that it has read from others.
    pub reads: Vec<Name>,
    /// What it has written, and nobody else need see.
    pub writes: Vec<(Name, i64)>,
}

/// A write that took effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Install {
    /// Which key.
    pub key: Name,
    /// Its value from now on.
    pub value: i64,
    /// Which write that is.
    pub wrote: Wrote,
}

/// A statement about a transaction.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TxFact {
    /// After slot `slot` these are open, and no others.
    All { slot: Slot, open: Arc<[CallId]> },
    /// Slot `slot` began it, or it was open then.
    Opens { slot: Slot, open: Arc<OpenTx> },
    /// From slot `slot` on it cannot commit, for this reason.
    Dooms { slot: Slot, tx: CallId, why: Arc<TxAbort> },
    /// Slot `slot` committed it: these writes took effect.
    Commits { slot: Slot, tx: CallId, writes: Arc<[Install]> },
    /// Slot `slot` aborted it.
    Aborts { slot: Slot, tx: CallId, why: Arc<TxAbort> },
}

/// What is new of what all replicas say in the order of the log: later slots, and the rest of the
/// last one by who spoke of it first. Others only repeat it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newest(Slot, NodeId);

impl Newest {
    /// A node starts again: what it has said of the last slot it may repeat.
    pub fn starts(&mut self, node: NodeId) {
        if self.1 == node {
            self.1 = NodeId::BENCH;
        }
    }

    /// Whether a statement of `node` about `slot` is new.
    pub fn takes(&mut self, slot: Slot, node: NodeId) -> bool {
        let new = (slot, node) == (self.0, self.1) || slot > self.0;
        if new {
            *self = Newest(slot, node);
        }
        new
    }
}

impl TxFact {
    /// The slot of the log that it is about.
    pub fn slot(&self) -> Slot {
        match self {
            TxFact::All { slot, .. }
            | TxFact::Opens { slot, .. }
            | TxFact::Dooms { slot, .. }
            | TxFact::Commits { slot, .. }
            | TxFact::Aborts { slot, .. } => *slot,
        }
    }
}

impl fmt::Display for TxFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxFact::All { slot, open } => {
                write!(f, "@{slot} open:")?;
                open.iter().try_for_each(|tx| write!(f, " {tx}"))
            }
            TxFact::Opens { slot, open } => write!(f, "@{slot} opens {}, {}", open.tx, open.level),
            TxFact::Dooms { slot, tx, why } => write!(f, "@{slot} dooms {tx}: {why}"),
            TxFact::Commits { slot, tx, writes } => {
                write!(f, "@{slot} commits {tx}:")?;
                if writes.is_empty() {
                    f.write_str(" nothing written")?;
                }
                writes.iter().try_for_each(|w| write!(f, " {}={}", w.key, w.value))
            }
            TxFact::Aborts { slot, tx, why } => write!(f, "@{slot} aborts {tx}: {why}"),
        }
    }
}
