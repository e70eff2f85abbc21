//! Sessions written down: what was done becomes a scenario.

use super::{Run, RuntimeArg, start, words};
use crate::base::Time;
use crate::error::{Error, Source};
use crate::event::{Event, Watch};
use crate::plan::{Plan, SAMPLES};
use crate::script::play::{self, Output, Playing};
use crate::script::record::{self, Home, Session};
use crate::script::scenario;
use crate::script::{Judgement, Step, Stop};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where and how to write down what is done.
#[derive(Clone, Debug)]
pub struct Saving {
    path: PathBuf,
    name: String,
    home: Home,
    seed: (u64, bool),
    live: bool,
}

impl Saving {
    /// For a run that is to be saved as a scenario: in a file that ends in `.toml`.
    ///
    /// # Errors
    /// The file is there: somebody may have written it by hand.
    pub(super) fn of(run: &Run, plan: &Plan, source: &Source) -> Result<Option<Saving>, Stop> {
        let is_scenario = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
        let Some(path) = run.save.clone().filter(is_scenario) else { return Ok(None) };
        if path.exists() {
            let error = Error::new(format!("'{}' is there already", path.display()));
            let help = "choose another name; a scenario is never written over";
            return Err(Stop::Refused(error.help(help)));
        }
        let built_in = SAMPLES.iter().any(|(name, _)| *name == run.cluster);
        let home = match built_in {
            true => Home::BuiltIn(run.cluster.clone()),
            false => Home::Text(source.text.to_string()),
        };
        let seed = run.seed.unwrap_or(plan.seed);
        let (name, live) = (plan.name.clone(), run.runtime.is_live());
        Ok(Some(Saving { path, name, home, seed: (seed, seed == plan.seed), live }))
    }

    /// Writes down what a screen has shown.
    ///
    /// # Errors
    /// Why the file cannot be written.
    pub fn events<'a>(
        &self,
        events: impl Iterator<Item = &'a Event>,
        until: Time,
        broken: Vec<String>,
        talk: &mut dyn Write,
    ) -> Result<(), Stop> {
        self.write(record::orders(events), until, broken, None, talk)
    }

    /// Writes down the steps of a run without a screen. `digest` is that of all its events.
    pub(super) fn steps(
        &self,
        steps: &[Step],
        until: Time,
        (broken, digest): (Vec<String>, Option<u64>),
        talk: &mut dyn Write,
    ) -> Result<(), Stop> {
        let orders = steps.iter().map(|step| (step.at, step.command.clone())).collect();
        self.write(orders, until, broken, digest, talk)
    }

    fn write(
        &self,
        orders: Vec<(Time, crate::command::Command)>,
        until: Time,
        broken: Vec<String>,
        digest: Option<u64>,
        talk: &mut dyn Write,
    ) -> Result<(), Stop> {
        let Saving { name, home, seed, .. } = self.clone();
        // What a live cluster broke may hold in the simulator: there it is found out anew.
        let known = if self.live { Vec::new() } else { broken.clone() };
        let session = Session { name, home, seed, orders, until, broken: known };
        let text = session.scenario();
        let path = self.path.display();
        std::fs::write(&self.path, &text)
            .map_err(|error| Stop::Failed(Error::new(format!("cannot write '{path}': {error}"))))?;
        let again = play_again(&self.path, &text)?;
        let summary = &again.acts[0].summary;
        let said = match (self.live, digest) {
            (true, _) => {
                let there = record::broken(summary);
                match there == broken {
                    true => "in the simulator it ends alike".to_owned(),
                    false => format!(
                        "in the simulator it ends otherwise: broken here {}, there {}",
                        names(&broken),
                        names(&there)
                    ),
                }
            }
            (false, Some(digest)) if digest != summary.digest => {
                format!("it replays to another digest, {:016x}", summary.digest)
            }
            (false, _) => format!("it replays to digest {:016x}", summary.digest),
        };
        let verdict = match again.verdict {
            Judgement::Failed => again.acts[0].missed.first().map(ToString::to_string),
            _ => None,
        };
        let but = verdict.map_or(String::new(), |missed| format!("; {missed}"));
        writeln!(talk, "saved as {path}: {said}{but}")?;
        Ok(())
    }
}

fn names(broken: &[String]) -> String {
    if broken.is_empty() { "nothing".to_owned() } else { broken.join(", ") }
}

/// Plays what was written down, in the simulator.
fn play_again(path: &Path, text: &str) -> Result<play::Outcome, Stop> {
    let source = Source::new(path.to_string_lossy(), text);
    let scenario = scenario::parse("session", &source, &words()).map_err(Stop::Failed)?;
    let playing = Playing {
        seed: None,
        output: Output::Text,
        events: false,
        narrate: false,
        keep: false,
        live: false,
        replay: String::new(),
    };
    let mut begin = |plan: &Plan, seed: u64| start(plan, seed, Watch::Labels, RuntimeArg::Sim);
    play::play(&Arc::new(scenario), &playing, &mut begin, &mut std::io::sink())
}
