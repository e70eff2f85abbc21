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
        let (verdict, broken) = self.judge();
        let pulse = &self.board.pulse;
        Row {
            log: kind.name(),
            elections: pulse.elections,
            leaderless: pulse.leaderless(until),
            entries: pulse.entries,
            messages: traffic.0,
            bytes: traffic.1,
            asked: pulse.asked,
            done: pulse.done,
            refused: pulse.refused,
            unknown: pulse.unknown,
            silence: pulse.silence(until),
            verdict,
            broken,
        }
    }

    /// What it came to by `until`, where transactions are of this kind, which is called `name`.
    pub fn end_commits(mut self, name: &'static str, kind: TxnKind, until: Time) -> commits::Row {
        let judged = self.judge();
        commits::Row::of(name, kind, &self.board, until, judged)
    }

    /// How the checks stand in the end, and which of them are broken.
    fn judge(&mut self) -> (Judgement, Vec<String>) {
        self.checks.finish();
        let broken = self.checks.standings().filter(|standing| standing.first.is_some());
        let broken: Vec<_> = broken.map(|standing| (standing.name, standing.verdict)).collect();
        let verdict = |(_, verdict): &(_, Verdict)| match verdict {
            Verdict::Stalled => Judgement::Stalled,
            _ => Judgement::Violation,
        };
        let worst = Judgement::worst(broken.iter().map(verdict));
        (worst, broken.into_iter().map(|(name, _)| name.to_owned()).collect())
    }
}

/// All rows as a table: a line for each figure, a column for each kind of log.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [Row]);

impl Table<'_> {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        figure: impl Fn(&Row) -> String,
    ) -> fmt::Result {
        write!(f, "{what:36}")?;
        self.0.iter().try_for_each(|row| write!(f, "{:>14}", figure(row)))?;
        writeln!(f)
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
        self.line(f, "", |row| row.log.to_owned())?;
        self.line(f, "leaders elected", |row| row.elections.to_string())?;
        self.line(f, "nobody led for", |row| seconds(row.leaderless))?;
        self.line(f, "entries committed", |row| row.entries.to_string())?;
        self.line(f, "messages an entry", |row| each(row.messages, row.entries))?;
        self.line(f, "bytes an entry", |row| each(row.bytes, row.entries))?;
        self.line(f, "operations asked for", |row| row.asked.to_string())?;
        self.line(f, "  done", |row| row.done.to_string())?;
        self.line(f, "  refused", |row| row.refused.to_string())?;
        self.line(f, "  outcome unknown", |row| row.unknown.to_string())?;
        self.line(f, "longest time with nothing done", |row| seconds(row.silence))?;
        self.line(f, "verdict", |row| row.verdict.name().to_owned())?;
        for row in self.0.iter().filter(|row| !row.broken.is_empty()) {
            writeln!(f, "{}: broken: {}", row.log, row.broken.join(", "))?;
        }
        Ok(())
    }
}
