//! Drives a cluster from step to step and writes down what it does.

use super::driver::{Driver, json_line, refused};
use super::report::Summary;
use crate::base::{ParseError, Time, parse_error};
use crate::cluster::Cluster;
use crate::command::Command;
use crate::error::Error;
use crate::event::Event;
use crate::plan::Plan;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

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
    cluster: Cluster,
    plan: &Plan,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Summary, Stop> {
    let (summary, _) = go(Driver::new(cluster, plan, options, false, out)?, plan, options)?;
    match options.format {
        Format::Text => write!(out, "{summary}")?,
        Format::Json => json_line(out, &summary.as_json())?,
    }
    out.flush()?;
    Ok(summary)
}

/// Runs a cluster that stands still at its start, writes nothing, and keeps all events.
///
/// # Errors
/// Stops early if a command is refused or the cluster died.
pub fn keep(
    cluster: Cluster,
    plan: &Plan,
    options: &Options,
) -> Result<(Summary, Vec<Event>), Stop> {
    let options = Options { quiet: true, ..options.clone() };
    let mut nowhere = io::sink();
    go(Driver::new(cluster, plan, &options, true, &mut nowhere)?, plan, &options)
}

fn go(
    mut driver: Driver<'_>,
    plan: &Plan,
    options: &Options,
) -> Result<(Summary, Vec<Event>), Stop> {
    let mut steps: Vec<&Step> = options.steps.iter().collect();
    steps.sort_by_key(|step| step.at);
    for step in steps {
        driver.go_on(step.at)?;
        if let Some(why) = driver.give(&step.command)? {
            return Err(refused(&step.to_string(), &why));
        }
    }
    driver.go_on(options.until)?;
    Ok(driver.finish(plan, options))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
