//! The same transfers, committed in several ways, side by side.
//!
//! Messages and forced writes are counted from what happened, a commit at a time
//! ([`crate::view::effort`]); what theory says stands below.

use super::{Columns, Outcome};
use crate::plan::TxnKind;
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
    /// What came of it for clients.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Row {
    pub(super) fn of(txn: &'static str, kind: TxnKind, board: &Board, outcome: Outcome) -> Row {
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
        Row { txn, committed, aborted, counted: ended, keys, messages, forced, theory, outcome }
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
        let table = Columns { rows: self.0, width: 16 };
        table.line(f, "", |row| row.txn.to_owned())?;
        table.line(f, "took effect", |row| row.committed.to_string())?;
        table.line(f, "did not", |row| row.aborted.to_string())?;
        table.line(f, "keys each", |row| row.each(row.keys))?;
        table.line(f, "messages each", |row| row.each(row.messages))?;
        table.line(f, "  in theory", |row| row.in_theory(|theory| theory.0))?;
        table.line(f, "forced writes each", |row| row.each(row.forced))?;
        table.line(f, "  in theory", |row| row.in_theory(|theory| theory.1))?;
        table.outcomes(f, |row| (row.txn, &row.outcome))?;
        for row in self.0 {
            if let Some((.., source)) = row.theory {
                writeln!(f, "{}: {source}", row.txn)?;
            }
        }
        Ok(())
    }
}
