//! Transactions that a client opens, works in, and ends: what it asks for, and what it is told.

use super::{CallId, Name, NodeId, ParseError, Slot, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How much of other transactions one sees, from the weakest level to the strongest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Isolation {
    /// What others have written, whether or not they commit.
    ReadUncommitted,
    /// What others have committed, by the time of each read.
    ReadCommitted,
    /// What others had committed when it began. Of two that write the same key, one aborts.
    Snapshot,
    /// As if all of them had run one after the other.
    #[default]
    Serializable,
}

impl Isolation {
    /// All of them.
    pub const ALL: [Isolation; 4] = [
        Isolation::ReadUncommitted,
        Isolation::ReadCommitted,
        Isolation::Snapshot,
        Isolation::Serializable,
    ];

    /// As a cluster file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "read-uncommitted",
            Isolation::ReadCommitted => "read-committed",
            Isolation::Snapshot => "snapshot",
            Isolation::Serializable => "serializable",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isolation {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Isolation, ParseError> {
        match Isolation::ALL.iter().find(|level| level.name() == text) {
            Some(level) => Ok(*level),
            None => parse_error(format!(
                "'{text}' is no isolation level; write one of {}",
                Isolation::ALL.map(Isolation::name).join(", ")
            )),
        }
    }
}

/// Stands for the transaction that the caller began last.
pub const LATEST: u64 = 0;

/// What a client asks for. `tx` is the number of the call that began the transaction.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TxOp {
    /// Begin a transaction; at the cluster's level if none is given.
    Begin { level: Option<Isolation> },
    /// Read a key.
    Get { tx: u64, key: Name },
    /// Write a key. Nobody else need see it before the commit.
    Set { tx: u64, key: Name, value: i64 },
    /// Have all writes take effect, or none if others were in the way.
    Commit { tx: u64 },
    /// Have none take effect.
    Abort { tx: u64 },
    /// In the log: abort a transaction of `client` that has been idle. Has no effect if something
    /// was asked of it after slot `since`.
    Expire { client: NodeId, tx: u64, since: Slot },
}

impl TxOp {
    /// The transaction that it is about; none for one that begins.
    pub fn tx(&self) -> Option<u64> {
        match self {
            TxOp::Begin { .. } => None,
            TxOp::Get { tx, .. }
            | TxOp::Set { tx, .. }
            | TxOp::Commit { tx }
            | TxOp::Abort { tx }
            | TxOp::Expire { tx, .. } => Some(*tx),
        }
    }

    /// The same about another transaction.
    #[must_use]
    pub fn about(mut self, number: u64) -> TxOp {
        match &mut self {
            TxOp::Begin { .. } => {}
            TxOp::Get { tx, .. }
            | TxOp::Set { tx, .. }
            | TxOp::Commit { tx }
            | TxOp::Abort { tx }
            | TxOp::Expire { tx, .. } => *tx = number,
        }
        self
    }
}

/// `tx begin snapshot`, `tx get x`, `tx set x=5`, `tx commit`, `tx abort`.
impl fmt::Display for TxOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxOp::Begin { level: Some(level) } => write!(f, "tx begin {level}"),
            TxOp::Begin { level: None } => f.write_str("tx begin"),
            TxOp::Get { key, .. } => write!(f, "tx get {key}"),
            TxOp::Set { key, value, .. } => write!(f, "tx set {key}={value}"),
            TxOp::Commit { .. } => f.write_str("tx commit"),
            TxOp::Abort { .. } => f.write_str("tx abort"),
            TxOp::Expire { client, .. } => write!(f, "tx expire of {client}"),
        }
    }
}

/// Reads what follows `tx`.
impl FromStr for TxOp {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<TxOp, ParseError> {
        let tx = LATEST;
        let words: Vec<&str> = text.split_whitespace().collect();
        Ok(match words[..] {
            ["begin"] => TxOp::Begin { level: None },
            ["begin", level] => TxOp::Begin { level: Some(level.parse()?) },
            ["get", key] => TxOp::Get { tx, key: key.parse()? },
            ["set", pair] => match pair.split_once('=') {
                Some((key, value)) => match value.parse() {
                    Ok(value) => TxOp::Set { tx, key: key.parse()?, value },
                    Err(_) => return parse_error(format!("'{value}' is not a whole number")),
                },
                None => return parse_error("write tx set KEY=NUMBER"),
            },
            ["commit"] => TxOp::Commit { tx },
            ["abort"] => TxOp::Abort { tx },
            _ => {
                return parse_error(
                    "write tx begin [LEVEL] · tx get K · tx set K=V · tx commit · tx abort",
                );
            }
        })
    }
}

/// One write: the transaction that made it, and which of its writes it is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wrote {
    /// The call that began the transaction.
    pub tx: CallId,
    /// Counts the transaction's writes.
    pub nth: u32,
}

/// Why a transaction aborted.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TxAbort {
    /// It was asked to.
    Asked,
    /// `by` has committed a write of `key` since it began.
    Conflict { key: Name, by: CallId },
    /// It has read `key`, and `by` has committed a write of it since.
    Stale { key: Name, by: CallId },
    /// Nothing was asked of it for too long.
    Idle,
    /// Its client began another one.
    Left,
}

impl fmt::Display for TxAbort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxAbort::Asked => f.write_str("as asked"),
            TxAbort::Conflict { key, by } => write!(f, "{by} has written {key}, too"),
            TxAbort::Stale { key, by } => write!(f, "{by} has written {key}, which was read"),
            TxAbort::Idle => f.write_str("idle for too long"),
            TxAbort::Left => f.write_str("another one was begun"),
        }
    }
}

/// What a client is told.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TxOutcome {
    /// It has begun, at this level.
    Begun { level: Isolation },
    /// A read: the value, and which write it is from; none if the key was never written.
    Read { value: Option<i64>, from: Option<Wrote> },
    /// The write is noted.
    Noted,
    /// It committed.
    Committed,
    /// It aborted.
    Aborted { why: TxAbort },
    /// There is no such transaction, or not any more, and nothing was done. How it ended, if that
    /// is known.
    Over { committed: Option<bool> },
}

impl fmt::Display for TxOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TxOutcome::Begun { level } => write!(f, "begun, {level}"),
            TxOutcome::Read { value: None, .. } => f.write_str("absent"),
            TxOutcome::Read { value: Some(value), from: None } => write!(f, "{value}"),
            TxOutcome::Read { value: Some(value), from: Some(from) } => {
                write!(f, "{value} by {}", from.tx)
            }
            TxOutcome::Noted => f.write_str("noted"),
            TxOutcome::Committed => f.write_str("committed"),
            TxOutcome::Aborted { why } => write!(f, "aborted: {why}"),
            TxOutcome::Over { committed: Some(true) } => f.write_str("over: it committed"),
            TxOutcome::Over { committed: Some(false) } => f.write_str("over: it aborted"),
            TxOutcome::Over { committed: None } => f.write_str("no such transaction"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_read_back_what_they_print() {
        for text in ["begin", "begin snapshot", "get x", "set x=-5", "commit", "abort"] {
            assert_eq!(text.parse::<TxOp>().unwrap().to_string(), format!("tx {text}"));
        }
        for text in ["", "begin twice", "set x", "set x=y", "end"] {
            assert!(text.parse::<TxOp>().is_err(), "{text}");
        }
    }
}
