//! The hand on a cluster: lets time pass, gives commands, and takes in what comes of it.

use super::director::{Director, Next};
use super::report::{Evidence, Failure, Judgement, Summary};
use super::run::{Format, Options, Stop};
use super::told::Teller;
use crate::base::Time;
use crate::check::Checks;
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use crate::error::{Error, Source};
use crate::event::{Event, Kind};
use crate::plan::Plan;
use crate::view::Board;
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::io::{self, Write};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// A cluster, and all that is made of its events.
pub(super) struct Driver<'a> {
    cluster: Cluster,
    out: &'a mut dyn Write,
    board: Board,
    checks: Checks,
    evidence: Evidence,
    failures: Vec<Failure>,
    recorder: Recorder,
    now: Time,
    /// How many events of a live cluster could not be taken in.
    missed: u64,
    /// All events, if they are to be kept.
    kept: Option<Vec<Event>>,
    /// Who says what comes next, if a scenario is played.
    director: Option<Director>,
}

impl<'a> Driver<'a> {
    /// Takes a cluster over that stands still at its start, and keeps all its events if that is
    /// wanted.
    pub(super) fn new(
        cluster: Cluster,
        plan: &Plan,
        options: &Options,
        keep: bool,
        out: &'a mut dyn Write,
    ) -> Result<Driver<'a>, Stop> {
        let mut driver = Driver {
            cluster,
            out,
            board: Board::new(),
            checks: match options.late {
                true => Checks::partial(&plan.expect()),
                false => Checks::all(&plan.expect()),
            },
            evidence: Evidence::default(),
            failures: Vec::new(),
            recorder: Recorder::new(options),
            now: Time::ZERO,
            missed: 0,
            kept: keep.then(Vec::new),
            director: None,
        };
        driver.wait()?;
        Ok(driver)
    }

    fn send(&self, command: Command) -> Result<(), Stop> {
        self.cluster.commands.blocking_send(command).map_err(|_| Stop::Gone)
    }

    /// Lets time pass up to `until`.
    pub(super) fn go_on(&mut self, until: Time) -> Result<(), Stop> {
        self.send(Command::Run { until: Some(until) })?;
        match self.wait()? {
            None => Ok(()),
            Some((command, why)) => Err(refused(&command.to_string(), &why)),
        }
    }

    /// Has a command carried out, without letting time pass. Says why not, if it was refused.
    pub(super) fn give(&mut self, command: &Command) -> Result<Option<String>, Stop> {
        let resolved = match self.board.resolve(command) {
            Ok(resolved) => resolved,
            Err(why) => return Ok(Some(why)),
        };
        self.send(resolved)?;
        // Stopping answers when all that was commanded before is done.
        self.send(Command::Stop)?;
        Ok(self.wait()?.map(|(_, why)| why))
    }

    /// Takes updates in until time stands still. Returns the command that was refused, if one was.
    fn wait(&mut self) -> Result<Option<(Command, String)>, Stop> {
        let mut refusal = None;
        loop {
            match self.cluster.updates.blocking_recv().ok_or(Stop::Gone)? {
                Update::Events(events) => {
                    events.into_iter().try_for_each(|event| self.see(event))?;
                }
                Update::Reached { now, busy: false } => {
                    self.now = now;
                    return Ok(refusal);
                }
                Update::Reached { .. }
                | Update::Forked { .. }
                | Update::Begun { .. }
                | Update::Switched { .. }
                | Update::Obeyed { .. } => {}
                Update::Refused { command, why } => refusal = Some((command, why)),
                Update::Link { .. } => {}
                Update::Missed { count } => self.missed += count,
            }
        }
    }

    fn see(&mut self, event: Event) -> io::Result<()> {
        let index = self.checks.seen();
        self.recorder.record(index, &event, self.out)?;
        self.board.see(index, &event);
        let news = self.checks.see(&event);
        if let Kind::Panicked { why } = &event.kind {
            self.failures.push(Failure::panic(index, &event, why));
        }
        let at = event.at;
        if let Some(kept) = &mut self.kept {
            kept.push(event.clone());
        }
        self.evidence.keep(index, event);
        if news {
            self.note();
        }
        if let Some(director) = &mut self.director {
            director.look(at, &self.board, &self.checks);
        }
        Ok(())
    }

    /// Plays an act to its end and tells what happens. Returns who directed it.
    pub(super) fn perform(
        &mut self,
        director: Director,
        teller: &Teller<'_>,
    ) -> Result<Director, Stop> {
        let scenario = Arc::clone(director.scenario());
        self.director = Some(director);
        loop {
            let Some(director) = &mut self.director else { return Err(Stop::Gone) };
            match director.next(self.now, &self.board, &self.checks) {
                Next::Run(until) => self.go_on(until)?,
                Next::Begin(number) => {
                    teller.step(number, &scenario.steps[number - 1], self.now, self.out)?;
                }
                Next::Give(command) => {
                    let refused = self.give(&command)?;
                    if let (Some(why), Some(director)) = (refused, &mut self.director) {
                        director.refused(&command, &why);
                    }
                }
                Next::Met(number, place, why) => {
                    let expect = &scenario.steps[number - 1].expect[place];
                    teller.expected(expect, why.as_deref(), self.out)?;
                }
                Next::Done(_) => {}
                Next::End => return self.director.take().ok_or(Stop::Gone),
            }
        }
    }

    /// Writes down violations that are new, while their witnesses are still at hand.
    fn note(&mut self) {
        for violation in self.checks.violations() {
            if self.failures.iter().all(|failure| failure.check != violation.check) {
                self.failures.push(Failure::of(violation, &self.evidence));
            }
        }
    }

    /// Ends the run and says what came of it, with the events that were kept.
    pub(super) fn finish(mut self, plan: &Plan, options: &Options) -> (Summary, Vec<Event>) {
        if self.checks.finish() {
            self.note();
        }
        let summary = Summary {
            cluster: plan.name.clone(),
            seed: options.seed,
            until: self.now,
            events: self.checks.seen() as u64,
            digest: self.recorder.digest.finish(),
            verdict: Judgement::of(&self.failures),
            checks: self.checks.standings().map(Into::into).collect(),
            failures: self.failures,
            replay: options.replay.clone(),
            repeatable: options.repeatable,
            missed: self.missed,
            read: self.board.files.read().clone(),
        };
        (summary, self.kept.unwrap_or_default())
    }
}

/// The cluster refused what was asked of it.
pub(super) fn refused(text: &str, why: &str) -> Stop {
    let source = Source::new("-c", text);
    Stop::Refused(Error::new("this command was not carried out").at(&source, 0..text.len(), why))
}

/// Writes events down and digests their lines.
struct Recorder {
    digest: XxHash3_64,
    line: String,
    format: Format,
    quiet: bool,
}

/// An event as JSON. Consumers that round numbers to 53 bits read times right for 285 years.
#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    n: usize,
    t_us: u64,
    node: String,
    kind: &'a str,
    text: &'a str,
}

impl Recorder {
    fn new(options: &Options) -> Recorder {
        Recorder {
            digest: XxHash3_64::with_seed(0),
            line: String::new(),
            format: options.format,
            quiet: options.quiet,
        }
    }

    fn record(&mut self, n: usize, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        self.line.clear();
        writeln!(self.line, "{event}").expect("a String takes everything");
        self.digest.write(self.line.as_bytes());
        match (self.quiet, self.format) {
            (true, _) => Ok(()),
            (false, Format::Text) => out.write_all(self.line.as_bytes()),
            (false, Format::Json) => {
                let text = event.kind.to_string();
                let node = event.node.to_string();
                let kind = &kind_of(&event.kind);
                let (t_us, text) = (event.at.0, &*text);
                json_line(out, &EventLine { kind_of_line: "event", n, t_us, node, kind, text })
            }
        }
    }
}

pub(super) fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// The kind of an event in one word: `sent`, `started`, and for a fact its own: `promises`,
/// `lets_go`. It is the name of the enum's variant.
fn kind_of(kind: &Kind) -> String {
    let mut name = Variant::default();
    // The writer refuses what comes after the name, which ends the formatting there.
    let _ = match kind {
        Kind::Fact(fact) => write!(name, "{fact:?}"),
        kind => write!(name, "{kind:?}"),
    };
    name.0
}

#[derive(Default)]
struct Variant(String);

impl fmt::Write for Variant {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                'A'..='Z' if self.0.is_empty() => self.0.push(c.to_ascii_lowercase()),
                'A'..='Z' => self.0.extend(['_', c.to_ascii_lowercase()]),
                'a'..='z' => self.0.push(c),
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Name, NodeId, Token};
    use crate::event::{Fact, LetGo};

    #[test]
    fn every_event_has_a_kind_in_one_word() {
        let lock: Name = "billing".parse().unwrap();
        let fact = Fact::LetsGo { lock, token: Token::default(), why: LetGo::RanOut };
        assert_eq!(kind_of(&Kind::Fact(fact)), "lets_go");
        assert_eq!(kind_of(&Kind::Paused), "paused");
        assert_eq!(kind_of(&Kind::Killed { lost: 1 }), "killed");
        let lead = Fact::Leads { ballot: crate::base::Ballot::new(1, NodeId::node(2)) };
        assert_eq!(kind_of(&Kind::Fact(lead)), "leads");
    }
}
