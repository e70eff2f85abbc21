//! Plays a scenario on clusters: waits, gives commands, looks whether what it expects is so.
//!
//! ```text
//!  Scenario ─> for each act: start a cluster ─> for each step: wait ─> do ─> expect ─> Played
//! ```
//!
//! The same code plays it in the simulator and on live clusters. It looks after every event, and
//! lets time pass in small slices, so it notices what was so only for a moment; what a step does
//! comes at the end of that slice.

use super::director::Director;
use super::driver::Driver;
use super::expect::{Claim, Stand};
use super::report::{Failure, Judgement, Summary};
use super::run::{Format, Options, Stop};
use super::scenario::{Act, Scenario};
use super::told::Teller;
use crate::base::{Span, Time};
use crate::cluster::Cluster;
use crate::event::Event;
use crate::plan::Plan;
use std::io::Write;
use std::sync::Arc;

/// How long time passes between two looks in a simulator, and where time is real.
pub const SLICE: Span = Span::millis(1);
const LIVE_SLICE: Span = Span::millis(10);

/// How the output of a scenario looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// A test suite in XML, as test runners write it; a document has several.
    Junit,
}

impl Output {
    /// What stands before the first scenario, and what behind the last one.
    pub fn frame(self) -> (&'static str, &'static str) {
        match self {
            Output::Junit => {
                ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", "</testsuites>\n")
            }
            _ => ("", ""),
        }
    }
}

/// How to play.
#[derive(Clone, Debug)]
pub struct Playing {
    /// The seed, if another than the cluster's own is asked for.
    pub seed: Option<u64>,
    /// How the output looks.
    pub output: Output,
    /// Whether event lines are written.
    pub events: bool,
    /// Whether all that a scenario tells is written, too.
    pub narrate: bool,
    /// Whether the events of each act are kept, for a report.
    pub keep: bool,
    /// Whether time is real time.
    pub live: bool,
    /// The command line that repeats this.
    pub replay: String,
}

/// An expectation that was not met, or a step that could not be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The step, counted from 1 in the file; 0 for the act as a whole.
    pub step: usize,
    /// What was expected.
    pub what: String,
    /// How things stood instead.
    pub why: String,
}

/// A step as it was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Its number in the file, counted from 1.
    pub number: usize,
    /// When it began.
    pub began: Time,
    /// How many events there were before its commands.
    pub events: usize,
    /// What it expected, and why it was not so if it was not.
    pub expected: Vec<(String, Option<String>)>,
}

/// An act as it was played.
#[derive(Clone, Debug)]
pub struct PlayedAct {
    /// Counted from 1.
    pub number: usize,
    /// What is different in it.
    pub title: String,
    /// Its steps.
    pub steps: Vec<Played>,
    /// What was not as it should be.
    pub missed: Vec<Missed>,
    /// The run, judged as if nobody had announced anything.
    pub summary: Summary,
    /// The verdict by what the scenario announces.
    pub verdict: Judgement,
    /// What happened, if that was to be kept.
    pub events: Vec<Event>,
}

/// A scenario as it was played.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its acts.
    pub acts: Vec<PlayedAct>,
    /// The worst verdict of its acts.
    pub verdict: Judgement,
}

impl Outcome {
    /// Stands for all events of all acts: equal digests, equal plays.
    pub fn digest(&self) -> u64 {
        self.acts.iter().fold(0, |sum, act| sum.rotate_left(7) ^ act.summary.digest)
    }
}

/// Starts the cluster of a plan with a seed. It must stand still.
pub type Start<'a> = dyn FnMut(&Plan, u64) -> Result<Cluster, Stop> + 'a;

/// Plays all acts and writes what happens.
///
/// # Errors
/// Stops early if a cluster cannot be started or dies, or the output cannot be written. What the
/// scenario expects and does not get is no error but in the outcome.
pub fn play(
    scenario: &Arc<Scenario>,
    playing: &Playing,
    start: &mut Start<'_>,
    out: &mut dyn Write,
) -> Result<Outcome, Stop> {
    let teller = Teller::new(scenario, playing);
    teller.begin(out)?;
    let mut acts = Vec::new();
    for (index, act) in scenario.acts.iter().enumerate() {
        teller.act(index + 1, act, out)?;
        let played = play_act(scenario, index + 1, playing, &teller, start, out)?;
        teller.end_of_act(act, &played, out)?;
        acts.push(played);
    }
    let verdict = Judgement::worst(acts.iter().map(|act| act.verdict));
    let outcome = Outcome { acts, verdict };
    teller.end(&outcome, out)?;
    out.flush()?;
    Ok(outcome)
}

fn play_act(
    scenario: &Arc<Scenario>,
    number: usize,
    playing: &Playing,
    teller: &Teller<'_>,
    start: &mut Start<'_>,
    out: &mut dyn Write,
) -> Result<PlayedAct, Stop> {
    let act = &scenario.acts[number - 1];
    let seed = playing.seed.unwrap_or(act.plan.seed);
    let options = Options {
        seed: Some(seed),
        until: Time::ZERO,
        steps: Vec::new(),
        format: if playing.output == Output::Json { Format::Json } else { Format::Text },
        quiet: !playing.events,
        replay: playing.replay.clone(),
        late: false,
        repeatable: !playing.live,
    };
    let slice = if playing.live { LIVE_SLICE } else { SLICE };
    let cluster = start(&act.plan, seed)?;
    let mut driver = Driver::new(cluster, &act.plan, &options, playing.keep, out)?;
    let director = Director::new(Arc::clone(scenario), number, slice);
    let director = driver.perform(director, teller)?;
    let (summary, events) = driver.finish(&act.plan, &options);
    let mut missed = director.missed().to_vec();
    missed.extend(not_broken(act, &summary.failures));
    let announced = announced(scenario, number);
    let verdict = verdict(&summary.failures, &announced, &missed);
    let (title, steps) = (act.title.clone(), director.played().to_vec());
    Ok(PlayedAct { number, title, steps, missed, summary, verdict, events })
}

fn is(name: &str, failure: &Failure) -> bool {
    name == failure.check || name == failure.rule
}

/// What an act announces to be broken, and is not.
fn not_broken<'a>(act: &'a Act, failures: &'a [Failure]) -> impl Iterator<Item = Missed> + 'a {
    let unbroken = |name: &&String| !failures.iter().any(|failure| is(name, failure));
    act.breaks.iter().filter(unbroken).map(|name| Missed {
        step: 0,
        what: format!("{name} is violated"),
        why: match failures.first() {
            Some(other) => format!("only this is broken: {}", other.rule),
            None => "nothing was broken".to_owned(),
        },
    })
}

/// The checks and rules that an act, counted from 1, announces to be broken.
fn announced(scenario: &Scenario, act: usize) -> Vec<&str> {
    let expects = scenario.steps_of(act).flat_map(|(_, step)| &step.expect);
    let stated = expects.filter_map(|expect| match &expect.claim {
        Claim::Check(name, Stand::Violated | Stand::Stalled) => Some(name.as_str()),
        _ => None,
    });
    scenario.acts[act - 1].breaks.iter().map(String::as_str).chain(stated).collect()
}

fn verdict(failures: &[Failure], announced: &[&str], missed: &[Missed]) -> Judgement {
    let is_announced = |failure: &&Failure| announced.iter().any(|name| is(name, failure));
    let surprises = Judgement::of(failures.iter().filter(|failure| !is_announced(failure)));
    let known = failures.iter().any(|failure| is_announced(&failure));
    Judgement::worst([
        surprises,
        if missed.is_empty() { Judgement::Ok } else { Judgement::Failed },
        if known { Judgement::Expected } else { Judgement::Ok },
    ])
}
