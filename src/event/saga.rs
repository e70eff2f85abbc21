//! What is stated about sagas.

use crate::base::{CallId, Name, NodeId, Op, Refusal, Style, TxnId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A statement about a saga. Steps count from 0, and are written from 1.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SagaFact {
    /// As the node that was asked: it begins a saga for `call`, and has that on disk.
    Begins { saga: TxnId, call: CallId, op: Arc<Op>, style: Style },
    /// As whoever directs the saga now: it asks the owner of the step's key to do it, or (`back`)
    /// to compensate it, until it hears that it is so.
    Asks { saga: TxnId, step: u8, back: bool },
    /// As an owner: the step has taken effect, or (`back`) its compensation has, as version
    /// `version` of the key. `lock` keeps others away from the key.
    Takes {
        saga: TxnId,
        step: u8,
        back: bool,
        key: Name,
        before: i64,
        after: i64,
        version: u64,
        lock: bool,
    },
    /// As an owner: it refused the step, which never takes effect.
    Refuses { saga: TxnId, step: u8, key: Name, why: Refusal },
    /// As whoever directs it: the saga goes back from here, since the step was refused, or was not
    /// answered in time (`late`).
    Turns { saga: TxnId, step: u8, late: bool },
    /// As whoever directs it: all steps took effect (`done`), or none has any more; it tells the
    /// owners of the keys so.
    Closes { saga: TxnId, done: bool },
    /// As whoever directed it: it has passed the saga on to `to`.
    Passes { saga: TxnId, to: NodeId },
    /// As the node that was asked: the saga is over, everywhere. All steps took effect (`done`), or
    /// none has any more.
    Ends { saga: TxnId, done: bool },
}

impl SagaFact {
    /// Which saga it is about.
    pub fn saga(&self) -> TxnId {
        match self {
            SagaFact::Begins { saga, .. }
            | SagaFact::Asks { saga, .. }
            | SagaFact::Takes { saga, .. }
            | SagaFact::Refuses { saga, .. }
            | SagaFact::Turns { saga, .. }
            | SagaFact::Closes { saga, .. }
            | SagaFact::Passes { saga, .. }
            | SagaFact::Ends { saga, .. } => *saga,
        }
    }
}

impl fmt::Display for SagaFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nth = |step: &u8| u32::from(*step) + 1;
        match self {
            SagaFact::Begins { saga, call, op, style } => {
                write!(f, "{saga} begins {op} ({call}) by {style}")
            }
            SagaFact::Asks { saga, step, back: false } => {
                write!(f, "{saga} asks for step {}", nth(step))
            }
            SagaFact::Asks { saga, step, back: true } => {
                write!(f, "{saga} asks to compensate step {}", nth(step))
            }
            SagaFact::Takes { saga, step, back, key, before, after, lock, .. } => {
                let what = if *back { "compensates" } else { "does" };
                write!(f, "{saga} {what} step {} {key}:{before}→{after}", nth(step))?;
                f.write_str(if *lock { ", locks it" } else { "" })
            }
            SagaFact::Refuses { saga, step, key, why } => {
                write!(f, "{saga} refuses step {} {key}: {why}", nth(step))
            }
            SagaFact::Turns { saga, step, late } => {
                let why = if *late { "was not answered" } else { "was refused" };
                write!(f, "{saga} turns back, step {} {why}", nth(step))
            }
            SagaFact::Closes { saga, done: true } => write!(f, "{saga} has all steps done"),
            SagaFact::Closes { saga, done: false } => write!(f, "{saga} has no step left"),
            SagaFact::Passes { saga, to } => write!(f, "{saga} is passed on to {to}"),
            SagaFact::Ends { saga, done: true } => write!(f, "{saga} ends, done"),
            SagaFact::Ends { saga, done: false } => write!(f, "{saga} ends, undone"),
        }
    }
}
