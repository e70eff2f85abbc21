//! The transaction that a client has opened: which one its requests are about, and what a load asks
//! for in it.

use super::load::{one_of, value_of};
use super::{Client, calls::Finished};
use crate::base::{CallId, LATEST, Op, Outcome, TxOp, TxOutcome};
use crate::proto::Context;

/// Names the transaction that an operation is about, if it says only that it is the latest.
pub(super) fn stamp(latest: &mut u64, id: CallId, op: Op) -> Op {
    match op {
        Op::Tx(op @ TxOp::Begin { .. }) => {
            *latest = id.seq;
            Op::Tx(op)
        }
        Op::Tx(op) if op.tx() == Some(LATEST) => Op::Tx(op.about(*latest)),
        op => op,
    }
}

/// How many reads and writes are left in the transaction of a load; none if it has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work(Option<u8>);

impl Work {
    /// What comes next.
    pub(super) fn next(self, keys: u32, call: CallId, cx: &mut Context<'_, Client>) -> Option<Op> {
        let tx = LATEST;
        Some(Op::Tx(match self.0 {
            None => TxOp::Begin { level: None },
            Some(0) if cx.rng().percent(90) => TxOp::Commit { tx },
            Some(0) => TxOp::Abort { tx },
            Some(_) => {
                let key = one_of("key", keys, cx)?;
                match cx.rng().percent(40) {
                    true => TxOp::Set { tx, key, value: value_of(call) },
                    false => TxOp::Get { tx, key },
                }
            }
        }))
    }

    /// A call is over. After anything that is not as it should be, it begins anew.
    pub(super) fn finished(&mut self, finished: &Finished, cx: &mut Context<'_, Client>) {
        if let Op::Tx(_) = *finished.op {
            self.0 = match (&finished.outcome, self.0) {
                (Outcome::Tx(TxOutcome::Begun { .. }), _) => Some(cx.rng().between(2, 5) as u8),
                (Outcome::Tx(TxOutcome::Read { .. } | TxOutcome::Noted), Some(left)) => {
                    Some(left.saturating_sub(1))
                }
                _ => None,
            };
        }
    }
}
