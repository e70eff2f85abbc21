//! Sagas: what is asked of the owner of a key for one step, and how a saga runs.

use super::{CallId, Leg, Name, TxnId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// From which step on there is no way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pivot {
    /// The last one: all before it can be compensated.
    #[default]
    Last,
    /// The last one that takes something, and may be refused for that. Those after it only give:
    /// they are repeated until they succeed.
    Takes,
}

/// How sagas run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Style {
    /// Nobody directs: whoever has done its step passes the saga on to the next. Else the node that
    /// was asked directs all steps.
    pub choreographed: bool,
    /// From where on there is no way back.
    pub pivot: Pivot,
    /// Whether a step that may be compensated keeps others away from its key until the end.
    pub locks: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { choreographed: false, pivot: Pivot::default(), locks: true }
    }
}

impl Style {
    /// Which of these steps is the pivot.
    pub fn pivot_of(self, legs: &[Leg]) -> usize {
        match self.pivot {
            Pivot::Last => legs.len().saturating_sub(1),
            Pivot::Takes => legs.iter().rposition(|leg| leg.by < 0).unwrap_or(0),
        }
    }
}

/// `orchestrated saga`, `choreographed saga, no locks` …
impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.choreographed { "choreographed" } else { "orchestrated" };
        let pivot = if self.pivot == Pivot::Takes { ", pivot at the last taking step" } else { "" };
        let locks = if self.locks { "" } else { ", no semantic locks" };
        write!(f, "{who} saga{pivot}{locks}")
    }
}

/// What is to be done about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Act {
    /// Have it take effect.
    Do {
        /// Keep others away from the key until the saga is over.
        lock: bool,
        /// It comes after the pivot: it commutes with what others do, and is never refused.
        sure: bool,
    },
    /// Compensate it; if it has not taken effect, it never will.
    Undo,
    /// The saga is over: give the key free, and remember how the call ended.
    End {
        /// Whether all steps took effect; else none has, any more.
        done: bool,
    },
}

/// What is asked of the owner of a key. Saga and step are the idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SagaStep {
    /// Which saga.
    pub saga: TxnId,
    /// The client's call behind it.
    pub call: CallId,
    /// Which step, from 0.
    pub step: u8,
    /// At which key.
    pub key: Name,
    /// What it adds.
    pub by: i64,
    /// All sagas of the same coordinator with a lower number are over, everywhere.
    pub floor: u32,
    /// What is to be done.
    pub act: Act,
}

/// `do t1.7/1 acct/1 -10`, `compensate t1.7/1 acct/1` …
impl fmt::Display for SagaStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SagaStep { saga, key, by, .. } = self;
        let step = u32::from(self.step) + 1;
        match self.act {
            Act::Do { .. } => write!(f, "do {saga}/{step} {key} {by:+}"),
            Act::Undo => write!(f, "compensate {saga}/{step} {key}"),
            Act::End { .. } => write!(f, "end {saga}/{step} {key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pivot_is_the_last_step_or_the_last_that_takes() {
        let legs = |by: &[i64]| -> Vec<Leg> {
            let leg =
                |(at, by): (usize, &i64)| Leg { key: format!("k{at}").parse().unwrap(), by: *by };
            by.iter().enumerate().map(leg).collect()
        };
        let (last, takes) = (Style::default(), Style { pivot: Pivot::Takes, ..Style::default() });
        assert_eq!(last.pivot_of(&legs(&[-1, -1, 2])), 2);
        assert_eq!(takes.pivot_of(&legs(&[-1, -1, 2])), 1);
        assert_eq!(takes.pivot_of(&legs(&[1, 1])), 0, "nothing can be refused");
    }
}
