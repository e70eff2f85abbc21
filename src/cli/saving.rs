//! Sessions written down: what was done becomes a scenario.

use super::{Run, RuntimeArg, start, words};
use crate::base::Time;
use crate::error::{Error, Source};
use crate::event::{Event, Watch};
use crate::plan::{self, Plan};
use crate::script::play::{self, Output, PlayedAct, Playing};
use crate::script::record::{self, Deeds, Home, Session};
use crate::script::scenario;
use crate::script::{Judgement, Step, Stop};
use crate::tui::app::App;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where to write down what is done.
#[derive(Clone, Debug)]
pub struct Saving {
    path: PathBuf,
    /// The files that it has written itself.
    own: Vec<PathBuf>,
}

/// Where an act of a scenario is saved: the first one where the person says, others beside it.
pub fn of_act(path: &Path, act: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match act {
        1 => path.to_owned(),
        _ => path.with_file_name(format!("{stem}-act{act}.{ending}")),
    }
}

/// Whether a path is that of a scenario, rather than of a saved run.
pub(super) fn is_scenario(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml")
}

/// A scenario is never written over: somebody may have written it by hand.
fn spare(path: &Path) -> Result<(), Error> {
    match path.exists() {
        false => Ok(()),
        true => {
            let error = Error::new(format!("'{}' is there already", path.display()));
            Err(error.help("choose another name; a scenario is never written over"))
        }
    }
}

impl Saving {
    /// For a run of so many acts that is to be saved as a scenario: in files that end in `.toml`.
    ///
    /// # Errors
    /// One of the files is there.
    pub(super) fn of(run: &Run, acts: usize) -> Result<Option<Saving>, Stop> {
        let path = run.save.clone().filter(|path| is_scenario(path));
        let Some(path) = path else { return Ok(None) };
        let free = (1..=acts).try_for_each(|act| spare(&of_act(&path, act)));
        free.map(|()| Some(Saving { path, own: Vec::new() })).map_err(Stop::Refused)
    }

    /// Writes down what a screen has shown of an act. Of an act that is played again, the last
    /// time counts.
    ///
    /// # Errors
    /// Why the file cannot be written.
    pub fn screen(
        &mut self,
        act: usize,
        app: &App,
        plan: &Plan,
        talk: &mut dyn Write,
    ) -> Result<(), Stop> {
        let path = of_act(&self.path, act);
        if !self.own.contains(&path) {
            spare(&path).map_err(Stop::Failed)?;
            self.own.push(path.clone());
        }
        let said = write_screen(&path, app, plan).map_err(Stop::Failed)?;
        Ok(writeln!(talk, "{said}")?)
    }

    /// Writes down the steps of a run without a screen. `digest` is that of all its events, if it
    /// was simulated and they were all seen.
    pub(super) fn steps(
        &self,
        plan: &Plan,
        steps: &[Step],
        until: Time,
        (broken, live, digest): (Vec<String>, bool, Option<u64>),
        talk: &mut dyn Write,
    ) -> Result<(), Stop> {
        let orders = steps.iter().map(|step| (step.at, step.command.clone())).collect();
        let deeds = Deeds { orders, told: Vec::new(), until, broken };
        let again = write(&self.path, plan, &deeds, live).map_err(Stop::Failed)?;
        let differs = digest.filter(|digest| *digest != again.summary.digest);
        let said = match live {
            true => outcome(&deeds, &again),
            false => replays(&again, differs.map(|_| "to another one than the run".to_owned())),
        };
        Ok(writeln!(talk, "{}", told(&self.path, &said, &again))?)
    }
}

/// Writes down the branch that a screen shows, and says what came of playing it again.
///
/// # Errors
/// The file is there, or cannot be written.
pub(super) fn screen(path: &Path, app: &App, plan: &Plan) -> Result<String, Error> {
    spare(path)?;
    write_screen(path, app, plan)
}

fn write_screen(path: &Path, app: &App, plan: &Plan) -> Result<String, Error> {
    let (deeds, seed) = (app.deeds(), app.simulated());
    let plan = Plan { seed: seed.unwrap_or(plan.seed), ..plan.clone() };
    let again = write(path, &plan, &deeds, seed.is_none())?;
    let said = match seed {
        None => outcome(&deeds, &again),
        Some(_) => replays(&again, differs(app, &again.events)),
    };
    Ok(told(path, &said, &again))
}

/// Where the branch that a screen shows differs from how it went again, if it does.
fn differs(app: &App, again: &[Event]) -> Option<String> {
    let tape = app.timeline().viewed().events();
    let other = |(index, event): &(usize, &Event)| again.get(*index) != Some(*event);
    let first = tape.range(0..tape.len()).find(other);
    match first {
        Some((index, event)) => {
            Some(format!("but differs from event {index} on, at {}s", event.at))
        }
        None if again.len() > tape.len() => Some("with what else happens at its end".to_owned()),
        None => None,
    }
}

fn replays(again: &PlayedAct, but: Option<String>) -> String {
    let but = but.map_or(String::new(), |but| format!(", {but}"));
    format!("it replays to digest {:016x}{but}", again.summary.digest)
}

/// How the simulator ends, where the run was a live one.
fn outcome(deeds: &Deeds, again: &PlayedAct) -> String {
    let there = record::broken(&again.summary);
    match there == deeds.broken {
        true => "in the simulator it ends alike".to_owned(),
        false => format!(
            "in the simulator it ends otherwise: broken here {}, there {}",
            names(&deeds.broken),
            names(&there)
        ),
    }
}

fn told(path: &Path, said: &str, again: &PlayedAct) -> String {
    let missed = match again.verdict {
        Judgement::Failed => again.missed.first().map(|missed| format!("; {missed}")),
        _ => None,
    };
    format!("saved as {}: {said}{}", path.display(), missed.unwrap_or_default())
}

/// Writes down what was done, and plays it in the simulator.
fn write(path: &Path, plan: &Plan, deeds: &Deeds, live: bool) -> Result<PlayedAct, Error> {
    let mut deeds = deeds.clone();
    if live {
        // What a live cluster broke may hold in the simulator: there it is found out anew.
        deeds.broken.clear();
    }
    let own = plan::file::parse(&plan.name, &Source::new("the cluster file", &*plan.text))?;
    let seed = (plan.seed, plan.seed == own.seed);
    let session = Session { name: plan.name.clone(), home: Home::of(&plan.text), seed, deeds };
    let text = session.scenario();
    std::fs::write(path, &text)
        .map_err(|error| Error::new(format!("cannot write '{}': {error}", path.display())))?;
    play_again(path, &text)
}

fn names(broken: &[String]) -> String {
    if broken.is_empty() { "nothing".to_owned() } else { broken.join(", ") }
}

/// Plays what was written down, in the simulator.
fn play_again(path: &Path, text: &str) -> Result<PlayedAct, Error> {
    let source = Source::new(path.to_string_lossy(), text);
    let scenario = scenario::parse("session", &source, &words())?;
    let playing = Playing {
        seed: None,
        output: Output::Text,
        events: false,
        narrate: false,
        keep: true,
        live: false,
        replay: String::new(),
    };
    let play = || {
        let mut begin = |plan: &Plan, seed: u64| start(plan, seed, Watch::Labels, RuntimeArg::Sim);
        play::play(&Arc::new(scenario), &playing, &mut begin, &mut std::io::sink())
    };
    // Whoever waits for a cluster must not have others to wait for, and the screen's loop does.
    let played = std::thread::scope(|scope| scope.spawn(play).join());
    let played = played.unwrap_or(Err(Stop::Gone));
    let gone = |_| Error::new(format!("'{}' is written, but was not played again", path.display()));
    let outcome = played.map_err(|stop| match stop {
        Stop::Refused(error) | Stop::Failed(error) => error,
        other => gone(other),
    })?;
    outcome.acts.into_iter().next().ok_or_else(|| gone(Stop::Gone))
}
