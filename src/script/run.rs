//! Drives a cluster from step to step and writes down what it does.

use super::report::{Evidence, Failure, Judgement, Summary};
use crate::base::{ParseError, Time, parse_error};
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
use std::str::FromStr;
use twox_hash::XxHash3_64;

/// A command and when to give it: `3s kill leader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, in the world's time.
    pub at: Time,
    /// What. Its targets may be words.
    pub command: Command,
}

impl FromStr for Step {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Step, ParseError> {
        let text = text.trim();
        let Some((at, command)) = text.split_once(char::is_whitespace) else {
            return parse_error("write a time and a command: '3s kill leader'");
        };
        let at = at.parse()?;
        let command: Command = command.parse()?;
        match command.steers_time() {
            true => parse_error(format!("'{command}' steers time; --until says how long to run")),
            false => Ok(Step { at, command }),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s {}", self.at, self.command)
    }
}

/// How the output looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do and what to write.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed that the cluster was started with, if it is known.
    pub seed: Option<u64>,
    /// How long to run, in the world's time.
    pub until: Time,
    /// What to do meanwhile, in any order.
    pub steps: Vec<Step>,
    /// How the output looks.
    pub format: Format,
    /// Whether the event lines are left out. The digest is the same.
    pub quiet: bool,
    /// The command line that repeats this run.
    pub replay: String,
    /// Whether the cluster has been running before, so that not all of its run is seen.
    pub late: bool,
    /// Whether that gives the very same events. A live cluster never does.
    pub repeatable: bool,
}

/// Why a run ended before its end.
#[derive(Debug)]
pub enum Stop {
    /// A command could not be carried out, or the input is wrong.
    Refused(Error),
    /// The system did not give the cluster what it needs.
    Failed(Error),
    /// The output is gone, or full.
    Output(io::Error),
    /// The cluster is gone: its thread died.
    Gone,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Output(error)
    }
}

/// Runs a cluster that stands still at its start, writes its events to `out`, and then the summary.
///
/// # Errors
/// Stops early if a command is refused, the output cannot be written, or the cluster died.
pub fn run(
    cluster: &mut Cluster,
    plan: &Plan,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Summary, Stop> {
    let mut runner = Runner {
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
    };
    runner.wait(cluster, out)?;
    let mut steps: Vec<&Step> = options.steps.iter().collect();
    steps.sort_by_key(|step| step.at);
    for step in steps {
        runner.go_on(cluster, step.at, out)?;
        runner.give(cluster, step, out)?;
    }
    runner.go_on(cluster, options.until, out)?;
    let summary = runner.finish(plan, options);
    match options.format {
        Format::Text => write!(out, "{summary}")?,
        Format::Json => json_line(out, &summary.as_json())?,
    }
    out.flush()?;
    Ok(summary)
}

struct Runner {
    board: Board,
    checks: Checks,
    evidence: Evidence,
    failures: Vec<Failure>,
    recorder: Recorder,
    now: Time,
    /// How many events of a live cluster could not be taken in.
    missed: u64,
}

impl Runner {
    fn send(&self, cluster: &Cluster, command: Command) -> Result<(), Stop> {
        cluster.commands.blocking_send(command).map_err(|_| Stop::Gone)
    }

    /// Lets time pass up to `until`.
    fn go_on(
        &mut self,
        cluster: &mut Cluster,
        until: Time,
        out: &mut dyn Write,
    ) -> Result<(), Stop> {
        self.send(cluster, Command::Run { until: Some(until) })?;
        match self.wait(cluster, out)? {
            None => Ok(()),
            Some((command, why)) => Err(refused(&command.to_string(), &why)),
        }
    }

    /// Has a step's command carried out, without letting time pass.
    fn give(
        &mut self,
        cluster: &mut Cluster,
        step: &Step,
        out: &mut dyn Write,
    ) -> Result<(), Stop> {
        let text = step.to_string();
        let resolved = self.board.resolve(&step.command).map_err(|why| refused(&text, &why))?;
        self.send(cluster, resolved)?;
        // Stopping answers when all that was commanded before is done.
        self.send(cluster, Command::Stop)?;
        match self.wait(cluster, out)? {
            None => Ok(()),
            Some((_, why)) => Err(refused(&text, &why)),
        }
    }

    /// Takes updates in until time stands still. Returns the command that was refused, if one was.
    fn wait(
        &mut self,
        cluster: &mut Cluster,
        out: &mut dyn Write,
    ) -> Result<Option<(Command, String)>, Stop> {
        let mut refusal = None;
        loop {
            match cluster.updates.blocking_recv().ok_or(Stop::Gone)? {
                Update::Events(events) => {
                    events.into_iter().try_for_each(|event| self.see(event, out))?;
                }
                Update::Reached { now, busy: false } => {
                    self.now = now;
                    return Ok(refusal);
                }
                Update::Reached { .. } | Update::Forked { .. } => {}
                Update::Refused { command, why } => refusal = Some((command, why)),
                Update::Link { .. } => {}
                Update::Missed { count } => self.missed += count,
            }
        }
    }

    fn see(&mut self, event: Event, out: &mut dyn Write) -> io::Result<()> {
        let index = self.checks.seen();
        self.recorder.record(index, &event, out)?;
        self.board.see(index, &event);
        let news = self.checks.see(&event);
        if let Kind::Panicked { why } = &event.kind {
            self.failures.push(Failure::panic(index, &event, why));
        }
        self.evidence.keep(index, event);
        if news {
            self.note();
        }
        Ok(())
    }

    /// Writes down violations that are new, while their witnesses are still at hand.
    fn note(&mut self) {
        for violation in self.checks.violations() {
            if self.failures.iter().all(|failure| failure.check != violation.check) {
                self.failures.push(Failure::of(violation, &self.evidence));
            }
        }
    }

    fn finish(mut self, plan: &Plan, options: &Options) -> Summary {
        if self.checks.finish() {
            self.note();
        }
        Summary {
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
        }
    }
}

fn refused(text: &str, why: &str) -> Stop {
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

fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
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
    fn steps_read_back_what_they_print() {
        for text in ["3.000s kill leader", "0.000250s partition n1,n2 | n3", "8.000s c1 put x=5"] {
            assert_eq!(text.parse::<Step>().map(|step| step.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("250ms heal".parse::<Step>().map(|step| step.at), Ok(Time(250_000)));
    }

    #[test]
    fn steps_without_time_or_command_are_refused() {
        for text in ["", "3s", "kill n1", "3s fly n1", "3s run", "3s step 5", "-1s heal"] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }

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
