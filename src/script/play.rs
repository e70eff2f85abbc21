//! Plays a scenario on clusters: waits, gives commands, looks whether what it expects is so.
//!
//! ```text
//!  Scenario ─> for each act: start a cluster ─> for each step: wait ─> do ─> expect ─> Played
//! ```
//!
//! The same code plays it in the simulator and on live clusters. It looks after every event, and
//! lets time pass in small slices, so it notices what was so only for a moment; what a step does
//! comes at the end of that slice.

use super::driver::{Driver, Watch};
use super::expect::{Claim, Expect, Stand, When};
use super::report::{Failure, Judgement, Summary};
use super::run::{Format, Options, Stop};
use super::scenario::{Act, Scenario, Step};
use super::told::Teller;
use crate::base::{Span, Time};
use crate::cluster::Cluster;
use crate::command::Command;
use crate::plan::Plan;
use std::io::Write;

/// How long time passes between two looks in a simulator, and where time is real.
const SLICE: Span = Span::millis(1);
const LIVE_SLICE: Span = Span::millis(10);

/// How the output of a scenario looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// One XML document, as test runners write it.
    Junit,
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
    scenario: &Scenario,
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
    scenario: &Scenario,
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
    let driver = Driver::new(start(&act.plan, seed)?, &act.plan, &options, out)?;
    let slice = if playing.live { LIVE_SLICE } else { SLICE };
    let mut stage = Stage {
        driver,
        slice,
        last: Time::ZERO,
        open: Vec::new(),
        missed: Vec::new(),
        steps: vec![],
    };
    for (step_number, step) in scenario.steps_of(number) {
        let goes_on = stage.step(step_number, step, teller)?;
        if !goes_on {
            break;
        }
    }
    stage.end(scenario, number, &options)
}

/// An act being played.
struct Stage<'a> {
    driver: Driver<'a>,
    slice: Span,
    /// When the last step was done.
    last: Time,
    /// What must be so for a while: step, text, watch.
    open: Vec<(usize, String, usize)>,
    missed: Vec<Missed>,
    steps: Vec<Played>,
}

impl Stage<'_> {
    /// Plays one step. False if the act cannot go on.
    fn step(&mut self, number: usize, step: &Step, teller: &Teller<'_>) -> Result<bool, Stop> {
        if !self.wait(number, step)? {
            return Ok(false);
        }
        let (began, events) = (self.driver.now, self.driver.board.events);
        teller.step(number, step, began, self.driver.out())?;
        for order in &step.orders {
            if let Some(why) = self.driver.give(order)? {
                self.miss(number, order.to_string(), format!("it was refused: {why}"));
                return Ok(false);
            }
        }
        let mut expected = Vec::new();
        for expect in &step.expect {
            let why = self.expect(number, expect)?;
            teller.expected(expect, why.as_deref(), self.driver.out())?;
            if let Some(why) = &why {
                self.miss(number, expect.to_string(), why.clone());
            }
            expected.push((expect.to_string(), why));
        }
        self.last = self.driver.now;
        self.steps.push(Played { number, began, events, expected });
        Ok(true)
    }

    fn miss(&mut self, step: usize, what: String, why: String) {
        self.missed.push(Missed { step, what, why });
    }

    /// Lets time pass until the step may begin. False if it never may.
    fn wait(&mut self, number: usize, step: &Step) -> Result<bool, Stop> {
        let wait = &step.wait;
        let due = wait.at.or(wait.after.map(|after| self.last + after));
        if let Some(due) = due.filter(|due| *due > self.driver.now) {
            self.driver.go_on(due)?;
        }
        let Some(condition) = &wait.when else { return Ok(true) };
        let claim = Claim::So(condition.clone());
        if self.sometime(&claim, wait.within)? {
            return Ok(true);
        }
        let why = claim.instead(&self.driver.board, &self.driver.checks);
        self.miss(number, format!("{condition}"), format!("waited {} in vain: {why}", wait.within));
        Ok(false)
    }

    /// Lets time pass until a claim was true for a moment. False if it never was.
    fn sometime(&mut self, claim: &Claim, within: Span) -> Result<bool, Stop> {
        let until = self.driver.now + within;
        let watch = self.driver.watch(claim, true, until);
        while self.driver.watches[watch].tripped.is_none() && self.driver.now < until {
            let next = (self.driver.now + self.slice).min(until);
            self.driver.go_on(next)?;
        }
        Ok(self.driver.watches[watch].tripped.is_some())
    }

    /// Looks whether an expectation is met. Says why not.
    fn expect(&mut self, number: usize, expect: &Expect) -> Result<Option<String>, Stop> {
        let claim = &expect.claim;
        let driver = &mut self.driver;
        match expect.when {
            When::Now if claim.holds(&driver.board, &driver.checks) => Ok(None),
            When::Now => Ok(Some(claim.instead(&driver.board, &driver.checks))),
            When::Within(span) => match self.sometime(claim, span)? {
                true => Ok(None),
                false => Ok(Some(claim.instead(&self.driver.board, &self.driver.checks))),
            },
            When::Throughout(span) => {
                let until = span.map_or(Time::NEVER, |span| driver.now + span);
                let watch = driver.watch(claim, false, until);
                if let Some((_, why)) = &driver.watches[watch].tripped {
                    return Ok(Some(why.clone()));
                }
                self.open.push((number, expect.to_string(), watch));
                Ok(None)
            }
        }
    }

    fn end(
        mut self,
        scenario: &Scenario,
        number: usize,
        options: &Options,
    ) -> Result<PlayedAct, Stop> {
        let act = &scenario.acts[number - 1];
        // What must be so for a while is watched until that is over.
        let bound = |watch: &Watch| Some(watch.until).filter(|until| *until != Time::NEVER);
        let open = |(_, _, watch): &(usize, String, usize)| bound(&self.driver.watches[*watch]);
        if let Some(until) = self.open.iter().filter_map(open).max()
            && until > self.driver.now
        {
            self.driver.go_on(until)?;
        }
        for (step, what, watch) in std::mem::take(&mut self.open) {
            if let Some((at, why)) = self.driver.watches[watch].tripped.clone() {
                self.miss(step, what, format!("at {at}s {why}"));
            }
        }
        let Stage { driver, mut missed, steps, .. } = self;
        let summary = driver.finish(&act.plan, options);
        missed.extend(not_broken(act, &summary.failures));
        let announced = announced(scenario, number);
        let verdict = verdict(&summary.failures, &announced, &missed);
        let title = act.title.clone();
        Ok(PlayedAct { number, title, steps, missed, summary, verdict })
    }
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

/// The commands that a play gave, which is what a recording of it holds.
pub fn orders(scenario: &Scenario, act: &PlayedAct) -> Vec<(Time, Command)> {
    let step = |played: &Played| {
        let step = &scenario.steps[played.number - 1];
        step.orders.iter().map(|order| (played.began, order.clone())).collect::<Vec<_>>()
    };
    act.steps.iter().flat_map(step).collect()
}
