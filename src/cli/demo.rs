//! Scenarios on the command line: list them, play them, check them.

use super::{
    FormatArg, Looks, OK, Outcome, Run, RuntimeArg, Saving, Show, Telling, USAGE, screen,
    shell_word, speed, start,
};
use crate::error::{Error, Source};
use crate::event::Watch;
use crate::plan::{self, Plan};
use crate::script::play::{self, Output, Playing};
use crate::script::scenario::{self, Scenario, Words};
use crate::script::{Judgement, Stop, library};
use crate::tui::{Library, PaneKind};
use clap::{Args, ValueEnum};
use std::io::Write;
use std::sync::Arc;

/// What `netsplit demo` was asked to do.
#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// Which one: the name of a built-in one, or a scenario file
    #[arg(required_unless_present_any = ["list", "all"])]
    name: Option<String>,
    /// List all lessons and incidents, by topic and length
    #[arg(long, conflicts_with_all = ["name", "all", "headless"])]
    list: bool,
    /// Play all of them, one after the other
    #[arg(long, conflicts_with = "name", requires = "headless")]
    all: bool,
    /// No screen: what it tells and whether it came out as announced, on standard output
    #[arg(long)]
    headless: bool,
    /// How to write it
    #[arg(long, value_enum, default_value = "text", requires = "headless")]
    format: DemoFormat,
    /// Another seed than its own; what it announces is sure for its own only
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// What the nodes live in
    #[arg(long, value_enum, default_value = "sim", value_name = "WHERE")]
    runtime: RuntimeArg,
    /// Show it to a room: no hints of keys, and '.' pauses, for remote controls
    #[arg(long, conflicts_with = "headless")]
    present: bool,
    /// How many of the cluster's seconds pass in one of yours: 0.01 to 1000, or full
    /// [default: 1]
    #[arg(long, value_name = "X", value_parser = speed, conflicts_with = "headless")]
    speed: Option<f64>,
    #[command(flatten)]
    pub(super) looks: Looks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DemoFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
    /// One XML document, as test runners write it, with a test suite for each scenario
    Junit,
}

/// The names that a scenario may use for what the screen has.
pub fn words() -> Words {
    let panes = PaneKind::ALL.iter().map(|pane| pane.id().to_owned()).collect();
    let layouts = Library::default().list().into_iter().map(|found| found.name).collect();
    Words { panes, layouts }
}

impl DemoArgs {
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<Outcome, Stop> {
        if self.list {
            return list(out).map(|()| Outcome::Done(OK));
        }
        let scenarios: Vec<Arc<Scenario>> = match &self.name {
            Some(name) => vec![Arc::new(library::load(name, &words()).map_err(Stop::Refused)?)],
            None => {
                let all = library::all(&words()).map_err(Stop::Refused)?;
                all.into_iter().map(|(_, scenario)| Arc::new(scenario)).collect()
            }
        };
        if !self.headless {
            let scenario = Arc::clone(&scenarios[0]);
            let story = Telling { scenario, act: 1, present: self.present, seed: self.seed };
            only_simulated(self.runtime)?;
            let show = story.show(self.speed.unwrap_or(1.0), self.looks.set_up()?);
            return Ok(Outcome::Screen(Box::new(show)));
        }
        let output = match self.format {
            DemoFormat::Text => Output::Text,
            DemoFormat::Json => Output::Json,
            DemoFormat::Junit => Output::Junit,
        };
        let (mut verdicts, (head, foot)) = (Vec::new(), output.frame());
        out.write_all(head.as_bytes())?;
        for scenario in &scenarios {
            let name = self.name.as_deref().unwrap_or(&scenario.name);
            let playing = Playing {
                seed: self.seed,
                output,
                events: false,
                narrate: true,
                keep: false,
                live: self.runtime.is_live(),
                replay: self.again(name),
            };
            verdicts.push(play(scenario, &playing, Watch::Labels, self.runtime, out)?);
        }
        out.write_all(foot.as_bytes())?;
        out.flush()?;
        Ok(Outcome::Done(Judgement::worst(verdicts).exit_code()))
    }

    /// The command line that plays this again.
    fn again(&self, name: &str) -> String {
        let seed = self.seed.map_or(String::new(), |seed| format!(" --seed {seed}"));
        let runtime = self.runtime.flag();
        format!("netsplit demo {} --headless{seed}{runtime}", shell_word(name))
    }
}

/// Refuses to tell a scenario on a cluster whose time nobody can turn back.
fn only_simulated(runtime: RuntimeArg) -> Result<(), Stop> {
    if !runtime.is_live() {
        return Ok(());
    }
    let what = "on the screen a scenario is told in the simulator, where one can go back";
    Err(Stop::Refused(Error::new(what).help("leave --runtime out, or add --headless")))
}

/// Plays a scenario in a runtime.
pub(super) fn play(
    scenario: &Arc<Scenario>,
    playing: &Playing,
    watch: Watch,
    runtime: RuntimeArg,
    out: &mut dyn Write,
) -> Result<Judgement, Stop> {
    let mut start = |plan: &plan::Plan, seed: u64| start(plan, seed, watch, runtime);
    play::play(scenario, playing, &mut start, out).map(|outcome| outcome.verdict)
}

impl Run {
    /// Plays a scenario.
    pub(super) fn play(&self, source: &Source, out: &mut dyn Write) -> Result<Outcome, Stop> {
        let scenario = scenario::parse(&library::name(&self.cluster), source, &words());
        let scenario = scenario.map_err(Stop::Refused)?;
        let lines = self.headless || self.person.plain;
        let alien = match self {
            Run { until: Some(_), .. } => Some("--until"),
            Run { save: Some(_), .. } if lines => Some("--save"),
            Run { record: Some(_), headless: true, .. } => Some("--record"),
            Run { steps, .. } if !steps.is_empty() => Some("-c"),
            Run { compare, .. } if !compare.is_empty() => Some("--compare"),
            _ => None,
        };
        if let Some(option) = alien {
            let lines = if ["--save", "--record"].contains(&option) { " in lines" } else { "" };
            let error = Error::new(format!("{option} does not go with a scenario{lines}"));
            return Err(Stop::Refused(error.help(match option {
                "--save" => "its file has it all; on the screen, what you do besides can be saved",
                "--compare" => "its acts say what it runs on; a cluster file can be compared",
                "--record" => "leave --headless out: on the screen it can be recorded",
                _ => "what happens, and until when, is in its file",
            })));
        }
        let format = self.output.format;
        if !lines {
            only_simulated(self.runtime)?;
            let saving = Saving::of(self, scenario.acts.len())?;
            let scenario = Arc::new(scenario);
            let story = Telling { scenario, act: 1, present: false, seed: self.seed };
            let save = self.save.clone().filter(|_| saving.is_none());
            let show = story.show(self.speed.unwrap_or(1.0), self.looks.set_up()?);
            let record = screen::reel(self.record.as_deref())?;
            return Ok(Outcome::Screen(Box::new(Show { save, saving, record, ..show })));
        }
        let playing = Playing {
            seed: self.seed,
            output: if format == FormatArg::Json { Output::Json } else { Output::Text },
            events: self.headless && !self.output.quiet,
            narrate: !self.headless,
            keep: false,
            live: self.runtime.is_live(),
            replay: self.play_again(),
        };
        let watch = self.output.events.watch();
        let verdict = play(&Arc::new(scenario), &playing, watch, self.runtime, out)?;
        Ok(Outcome::Done(verdict.exit_code()))
    }

    /// The command line that plays this again.
    fn play_again(&self) -> String {
        let seed = self.seed.map_or(String::new(), |seed| format!(" --seed {seed}"));
        let runtime = self.runtime.flag();
        let cluster = shell_word(&self.cluster);
        format!("netsplit run {cluster} --headless{seed}{runtime}{}", self.output.events.flag())
    }
}

/// Lists the library by topic, shortest first.
fn list(out: &mut dyn Write) -> Result<(), Stop> {
    let all = library::all(&words()).map_err(Stop::Refused)?;
    let mut topics: Vec<&str> = all.iter().map(|(_, scenario)| scenario.topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    let width = all.iter().map(|(_, scenario)| scenario.name.len()).max().unwrap_or_default();
    for topic in topics {
        writeln!(out, "{topic}")?;
        let mut shelf: Vec<_> = all.iter().filter(|(_, s)| s.topic == topic).collect();
        // Lessons before incidents, short ones first.
        shelf.sort_by_key(|(kind, scenario)| (*kind != "lessons", scenario.minutes()));
        for (kind, scenario) in shelf {
            let (Scenario { name, title, .. }, minutes) = (scenario, scenario.minutes());
            let kind = kind.trim_end_matches('s');
            writeln!(out, "  {name:<width$}  {kind:<8} {minutes:>2} min  {title}")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Says whether files are right: clusters and scenarios.
pub(super) fn check(
    files: &[String],
    out: &mut dyn Write,
    talk: &mut dyn Write,
) -> Result<u8, Stop> {
    let mut code = OK;
    for file in files {
        match check_one(file) {
            Ok(what) => writeln!(out, "{file}: right. {what}")?,
            Err(error) => {
                writeln!(talk, "{error}")?;
                code = USAGE;
            }
        }
    }
    out.flush()?;
    Ok(code)
}

/// How large a cluster is, and what one should know who relies on it.
fn weigh(plan: &Plan) -> String {
    let notes = plan.notes().into_iter().map(|note| format!(". {note}"));
    super::size(plan) + &notes.collect::<String>()
}

fn check_one(file: &str) -> Result<String, Error> {
    if let Some(layout) = super::layout_file(file) {
        return layout;
    }
    let source = library::source(file)?;
    if !scenario::is_scenario(&source) {
        return plan::file::parse(&library::name(file), &source).map(|plan| weigh(&plan));
    }
    let scenario = scenario::parse(&library::name(file), &source, &words())?;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (acts, steps) = (count(scenario.acts.len(), "act"), count(scenario.steps.len(), "step"));
    let expects = scenario.steps.iter().any(|step| !step.expect.is_empty());
    let expects = expects || scenario.acts.iter().any(|act| !act.breaks.is_empty());
    let but = if expects { "" } else { ". It expects nothing: only a broken check makes it fail" };
    let size = super::size(&scenario.acts[0].plan);
    Ok(format!("A scenario of {acts} and {steps}: {size}{but}"))
}
