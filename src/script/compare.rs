//! The same cluster, load, seed and faults on several ways to agree on the log, or to commit
//! transactions ([`commits`]), side by side.
//!
//! ```text
//!  events of a run ─> Tally ─> Row: what it took, what clients noticed ─┐
//!  events of another … ─> Row ──────────────────────────────────────────┴─> Table
//! ```
//!
//! Everything that chance decides (when a message arrives, what a client asks for) comes from the
//! same seed; that the runs then differ is what is measured. Messages are those of the log alone,
//! and weigh what they weigh on a wire, without the wrapping there.

pub mod commits;

use super::report::Judgement;
use crate::base::{Slot, Span, Time};
use crate::check::{Checks, Verdict};
use crate::command::Command;
use crate::event::Event;
use crate::plan::{LogKind, Plan, TxnKind};
use crate::view::Board;
use serde::Serialize;
use std::fmt;

/// What one kind of log made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which kind.
    pub log: &'static str,
    /// How many leaders were elected.
    pub elections: u64,
    /// How long, of all the time, nobody led: in microseconds.
    pub leaderless: Span,
    /// How many entries were committed.
    pub entries: Slot,
    /// How many messages of the log were sent, and how many bytes those were.
    pub messages: u64,
    /// See `messages`.
    pub bytes: u64,
    /// What came of it for clients.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a run for clients.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
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
    /// Checks that were broken. A lost or doubled operation is a broken check.
    pub broken: Vec<String>,
    /// What it comes to.
    #[serde(serialize_with = "name")]
    pub verdict: Judgement,
}

fn name<S: serde::Serializer>(verdict: &Judgement, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(verdict.name())
}

/// Adds up what happens in a run.
#[derive(Debug)]
pub struct Tally {
    board: Board,
    checks: Checks,
}

impl Tally {
    /// Of a run of this plan, of which nothing was seen yet.
    pub fn new(plan: &Plan) -> Tally {
        Tally { board: Board::new(), checks: Checks::all(&plan.expect()) }
    }

    /// Takes the next event in.
    pub fn see(&mut self, event: &Event) {
        self.board.see(self.checks.seen(), event);
        self.checks.see(event);
    }

    /// What a command's words stand for now.
    ///
    /// # Errors
    /// Says which of them stands for nobody.
    pub fn resolve(&self, command: &Command) -> Result<Command, String> {
        self.board.resolve(command)
    }

    /// What it came to by `until`. `traffic` is how many messages of the log were sent, and their
    /// bytes.
    pub fn end(mut self, kind: LogKind, until: Time, traffic: (u64, u64)) -> Row {
        let outcome = self.outcome(until);
        let pulse = &self.board.pulse;
        Row {
            log: kind.name(),
            elections: pulse.elections,
            leaderless: pulse.leaderless(until),
            entries: pulse.entries,
            messages: traffic.0,
            bytes: traffic.1,
            outcome,
        }
    }

    /// What it came to by `until`, where transactions are of this kind, which is called `name`.
    pub fn end_commits(mut self, name: &'static str, kind: TxnKind, until: Time) -> commits::Row {
        let outcome = self.outcome(until);
        commits::Row::of(name, kind, &self.board, outcome)
    }

    /// What clients were told, and how the checks stand in the end.
    fn outcome(&mut self, until: Time) -> Outcome {
        self.checks.finish();
        let broken = self.checks.standings().filter(|standing| standing.first.is_some());
        let broken: Vec<_> = broken.map(|standing| (standing.name, standing.verdict)).collect();
        let verdict = |(_, verdict): &(_, Verdict)| match verdict {
            Verdict::Stalled => Judgement::Stalled,
            _ => Judgement::Violation,
        };
        let verdict = Judgement::worst(broken.iter().map(verdict));
        let pulse = &self.board.pulse;
        Outcome {
            asked: pulse.asked,
            done: pulse.done,
            refused: pulse.refused,
            unknown: pulse.unknown,
            silence: pulse.silence(until),
            broken: broken.into_iter().map(|(name, _)| name.to_owned()).collect(),
            verdict,
        }
    }
}

/// All rows as a table: a line for each figure, a column for each kind of log.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [Row]);

/// A line for each figure, and a column for each row, so many cells wide.
struct Columns<'a, R> {
    rows: &'a [R],
    width: usize,
}

impl<R> Columns<'_, R> {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        figure: impl Fn(&R) -> String,
    ) -> fmt::Result {
        let width = self.width;
        write!(f, "{what:36}")?;
        self.rows.iter().try_for_each(|row| write!(f, "{:>width$}", figure(row)))?;
        writeln!(f)
    }

    /// What came of each for clients, and below which checks were broken.
    fn outcomes(
        &self,
        f: &mut fmt::Formatter<'_>,
        of: impl Fn(&R) -> (&str, &Outcome),
    ) -> fmt::Result {
        let mut line = |what: &str, figure: fn(&Outcome) -> String| {
            self.line(f, what, |row| figure(of(row).1))
        };
        line("operations asked for", |it| it.asked.to_string())?;
        line("  done", |it| it.done.to_string())?;
        line("  refused", |it| it.refused.to_string())?;
        line("  outcome unknown", |it| it.unknown.to_string())?;
        line("longest time with nothing done", |it| seconds(it.silence))?;
        line("verdict", |it| it.verdict.name().to_owned())?;
        for (name, outcome) in self.rows.iter().map(of) {
            if !outcome.broken.is_empty() {
                writeln!(f, "{name}: broken: {}", outcome.broken.join(", "))?;
            }
        }
        Ok(())
    }
}

/// So much of something for each entry.
fn each(amount: u64, entries: Slot) -> String {
    match entries {
        0 => "-".to_owned(),
        _ => format!("{:.1}", amount as f64 / entries as f64),
    }
}

fn seconds(span: Span) -> String {
    format!("{:.3} s", span.0 as f64 / 1e6)
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = Columns { rows: self.0, width: 14 };
        table.line(f, "", |row| row.log.to_owned())?;
        table.line(f, "leaders elected", |row| row.elections.to_string())?;
        table.line(f, "nobody led for", |row| seconds(row.leaderless))?;
        table.line(f, "entries committed", |row| row.entries.to_string())?;
        table.line(f, "messages an entry", |row| each(row.messages, row.entries))?;
        table.line(f, "bytes an entry", |row| each(row.bytes, row.entries))?;
        table.outcomes(f, |row| (row.log, &row.outcome))
    }
}
