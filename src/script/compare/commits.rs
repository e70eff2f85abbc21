//! The same transfers, committed in several ways, side by side.
//!
//! Messages and forced writes are counted from what happened, a commit at a time
//! ([`crate::view::effort`]); what theory says stands below.

use super::{name, seconds};
use crate::base::{Span, Time};
use crate::plan::TxnKind;
use crate::script::report::Judgement;
use crate::view::Board;
use crate::view::effort::{Efforts, theory};
use serde::Serialize;
use std::fmt;

/// What one way made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which way.
    pub txn: &'static str,
    /// How many transactions took effect.
    pub committed: u64,
    /// How many did not.
    pub aborted: u64,
    /// Of how many that took effect all was seen: how many keys those had, and how many messages
    /// and forced writes they took.
    pub counted: u64,
    /// See `counted`.
    pub keys: u64,
    /// See `counted`.
    pub messages: u64,
    /// See `counted`.
    pub forced: u64,
    /// What a commit of as many keys takes in theory: messages, forced writes, and whose theory
    /// that is. None for sagas.
    pub theory: Option<(u64, u64, &'static str)>,
    /// How many operations clients asked for, and what they were told: done, refused, or nothing
    /// that they could rely on.
    pub asked: u64,
    /// See `asked`.
    pub done: u64,
    /// See `asked`.
    pub refused: u64,
    /// See `asked`.
    pub unknown: u64,
    /// The longest time in which no client was told that anything was done: in microseconds.
    pub silence: Span,
    /// Checks that were broken.
    pub broken: Vec<String>,
    /// What it comes to.
    #[serde(serialize_with = "name")]
    pub verdict: Judgement,
}

impl Row {
    pub(super) fn of(
        txn: &'static str,
        kind: TxnKind,
        board: &Board,
        until: Time,
        (verdict, broken): (Judgement, Vec<String>),
    ) -> Row {
        let pulse = &board.pulse;
        let (efforts, committed, aborted) = match kind {
            TxnKind::Saga { .. } => (board.sagas.efforts(), board.sagas.done, board.sagas.undone),
            _ => (board.txns.efforts(), board.txns.committed, board.txns.aborted),
        };
        let Efforts { ended, keys, messages, forced } = efforts;
        let theory = match kind {
            TxnKind::Commit(how) if ended > 0 => {
                let theory = theory(how, (keys + ended / 2) / ended);
                Some((theory.messages, theory.forced, theory.source))
            }
            _ => None,
        };
        Row {
            txn,
            committed,
            aborted,
            counted: ended,
            keys,
            messages,
            forced,
            theory,
            asked: pulse.asked,
            done: pulse.done,
            refused: pulse.refused,
            unknown: pulse.unknown,
            silence: pulse.silence(until),
            broken,
            verdict,
        }
    }

    /// So much of something for each that took effect.
    fn each(&self, amount: u64) -> String {
        match self.counted {
            0 => "-".to_owned(),
            ended => format!("{:.1}", amount as f64 / ended as f64),
        }
    }

    fn in_theory(&self, which: impl Fn((u64, u64, &'static str)) -> u64) -> String {
        self.theory.map_or_else(|| "-".to_owned(), |theory| which(theory).to_string())
    }
}

/// All rows as a table: a line for each figure, a column for each way.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |what: &str, figure: &dyn Fn(&Row) -> String| {
            write!(f, "{what:36}")?;
            self.0.iter().try_for_each(|row| write!(f, "{:>16}", figure(row)))?;
            writeln!(f)
        };
        line("", &|row| row.txn.to_owned())?;
        line("took effect", &|row| row.committed.to_string())?;
        line("did not", &|row| row.aborted.to_string())?;
        line("keys each", &|row| row.each(row.keys))?;
        line("messages each", &|row| row.each(row.messages))?;
        line("  in theory", &|row| row.in_theory(|theory| theory.0))?;
        line("forced writes each", &|row| row.each(row.forced))?;
        line("  in theory", &|row| row.in_theory(|theory| theory.1))?;
        line("operations asked for", &|row| row.asked.to_string())?;
        line("  done", &|row| row.done.to_string())?;
        line("  refused", &|row| row.refused.to_string())?;
        line("  outcome unknown", &|row| row.unknown.to_string())?;
        line("longest time with nothing done", &|row| seconds(row.silence))?;
        line("verdict", &|row| row.verdict.name().to_owned())?;
        for row in self.0.iter().filter(|row| !row.broken.is_empty()) {
            writeln!(f, "{}: broken: {}", row.txn, row.broken.join(", "))?;
        }
        for row in self.0 {
            if let Some((.., source)) = row.theory {
                writeln!(f, "{}: {source}", row.txn)?;
            }
        }
        Ok(())
    }
}
