//! Plays and saved runs, written up.

use super::frames::Camera;
use super::replay::Again;
use super::{Looks, OK, Outcome, RuntimeArg, argument, desk, shell_word, start, words};
use crate::error::Error;
use crate::event::{Event, Watch};
use crate::plan::Plan;
use crate::saved::{self, Kind, Story, file};
use crate::script::play::{self, Output, PlayedAct, Playing};
use crate::script::scenario::Scenario;
use crate::script::writeup::{self, Account, Picture, mermaid, traces};
use crate::script::{Failure, Stop, library};
use crate::tui::{PaneKind, Source};
use clap::{Args, ValueEnum};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Write up a scenario or a saved run: what happened, what broke and why, what the cure changes
#[derive(Clone, Debug, Args)]
pub(super) struct ReportArgs {
    /// A scenario (the name of a built-in one, or a file), or a saved run, FILE.nsr
    #[arg(value_name = "FILE")]
    file: String,
    /// What to write
    #[arg(long, value_enum, default_value = "markdown")]
    format: ReportFormat,
    /// Draw the screen at the turning point and where it broke, as SVG files in this directory, and
    /// show them in the report
    #[arg(long, value_name = "DIR")]
    frames: Option<PathBuf>,
    /// Which act of a scenario, for what shows one run only [default: 1]
    #[arg(long, value_name = "N")]
    act: Option<usize>,
    /// Another seed than the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Which branch of a saved run [default: the one that was looked at when it was saved]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    #[command(flatten)]
    pub(super) looks: Looks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Markdown, with diagrams
    Markdown,
    /// The decisive messages of a run, as a Mermaid sequence diagram
    Mermaid,
    /// A log of a run with vector clocks, for ShiViz
    Shiviz,
    /// A trace of a run for chrome://tracing and Perfetto
    ChromeTrace,
}

impl ReportArgs {
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<Outcome, Stop> {
        if self.frames.is_some() && self.format != ReportFormat::Markdown {
            let error = Error::new("--frames is for a report in Markdown, which shows them");
            return Err(Stop::Refused(error.help("leave --format or --frames out")));
        }
        match file::is_run(Path::new(&self.file)) {
            true => self.saved(out)?,
            false => self.scenario(out)?,
        }
        out.flush()?;
        Ok(Outcome::Done(OK))
    }

    fn scenario(&self, out: &mut dyn Write) -> Result<(), Stop> {
        self.alien(&[("--branch", self.branch.is_some())], "a scenario has acts: --act 2")?;
        let scenario = Arc::new(library::load(&self.file, &words()).map_err(Stop::Refused)?);
        let seed = self.seed.map_or(String::new(), |seed| format!(" --seed {seed}"));
        let playing = Playing {
            seed: self.seed,
            output: Output::Text,
            events: false,
            narrate: false,
            keep: true,
            live: false,
            replay: format!("netsplit demo {} --headless{seed}", shell_word(&self.file)),
        };
        let mut begin = |plan: &Plan, seed: u64| start(plan, seed, Watch::Labels, RuntimeArg::Sim);
        let outcome = play::play(&scenario, &playing, &mut begin, &mut std::io::sink())?;
        if self.format == ReportFormat::Markdown {
            let camera = self.camera()?;
            let shoot =
                |act| camera.as_ref().map_or(Ok(Vec::new()), |c| self.act(c, &scenario, act));
            let pictures = outcome.acts.iter().map(shoot).collect::<Result<Vec<_>, _>>()?;
            let text = writeup::markdown(&scenario, &outcome, &pictures, &playing.replay);
            return Ok(out.write_all(text.as_bytes())?);
        }
        let wanted = self.act.unwrap_or(1);
        let act = outcome.acts.iter().find(|act| act.number == wanted).ok_or_else(|| {
            let acts = outcome.acts.len();
            argument("--act", &wanted.to_string(), &format!("the scenario has acts 1 to {acts}"))
        })?;
        self.export(&act.events, &act.summary.failures, out)
    }

    /// Pictures of an act, with focus on what its steps point at.
    fn act(
        &self,
        camera: &Camera,
        scenario: &Scenario,
        act: &PlayedAct,
    ) -> Result<Vec<Picture>, Stop> {
        let plan = &scenario.acts[act.number - 1].plan;
        let seed = self.seed.unwrap_or(plan.seed);
        let mut title = desk::title(plan, Source::Simulated { seed });
        let pointers = act.steps.iter().flat_map(|played| &scenario.steps[played.number - 1].look);
        let mut panes = pointers.filter_map(|pointer| pane(pointer.pane.as_deref()?));
        title.focus = panes.next_back().or(title.focus);
        let name = match scenario.acts.len() {
            1 => scenario.name.clone(),
            _ => format!("{}-act{}", scenario.name, act.number),
        };
        camera.moments(&name, &title, &act.events, &act.summary.failures)
    }

    fn saved(&self, out: &mut dyn Write) -> Result<(), Stop> {
        let options = [("--act", self.act.is_some()), ("--seed", self.seed.is_some())];
        self.alien(&options, "a saved run has branches: --branch main")?;
        let path = Path::new(&self.file);
        let run = file::read(path).map_err(Stop::Refused)?;
        let again = Again::of(&run, path, self.branch.as_deref())?;
        let (summary, events) = again.keep()?;
        if self.format != ReportFormat::Markdown {
            return self.export(&events, &summary.failures, out);
        }
        let mut title = again.title();
        // What is drawn is a moment of the run, not the file.
        title.name.clone_from(&run.about.name);
        let stem = path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy());
        let pictures = match self.camera()? {
            Some(camera) => camera.moments(&stem, &title, &events, &summary.failures)?,
            None => Vec::new(),
        };
        let about = about(&run, again.branch());
        let (marks, title) = (again.marks(), run.about.name.clone());
        let account = Account { title, about, summary, events, marks, pictures };
        Ok(out.write_all(writeup::account(&account).as_bytes())?)
    }

    fn camera(&self) -> Result<Option<Camera>, Stop> {
        let dir = self.frames.as_ref();
        dir.map(|dir| Camera::new(dir, self.looks.set_up()?)).transpose()
    }

    fn alien(&self, options: &[(&str, bool)], help: &str) -> Result<(), Stop> {
        let Some((option, _)) = options.iter().find(|(_, given)| *given) else { return Ok(()) };
        let error = Error::new(format!("{option} does not go with '{}'", self.file));
        Err(Stop::Refused(error.help(help)))
    }

    /// Writes a run for other tools.
    fn export(
        &self,
        events: &[Event],
        failures: &[Failure],
        out: &mut dyn Write,
    ) -> Result<(), Stop> {
        let text = match self.format {
            ReportFormat::ChromeTrace => format!("{}\n", traces::chrome(events)),
            ReportFormat::Shiviz => traces::shiviz(events),
            _ => mermaid::diagram(events, failures.first()),
        };
        Ok(out.write_all(text.as_bytes())?)
    }
}

fn pane(name: &str) -> Option<PaneKind> {
    PaneKind::ALL.into_iter().find(|pane| pane.id() == name)
}

/// What kind of run it is, in sentences.
fn about(run: &saved::Run, branch: Option<&saved::Branch>) -> Vec<String> {
    let mut about = Vec::new();
    match (&run.about.kind, branch) {
        (Kind::Recorded { place, late, .. }, _) => {
            about.push(format!("What was seen of a live cluster ({place})."));
            if *late {
                about.push(
                    "It had been running before anybody looked: the checks speak for what was \
                     seen."
                        .to_owned(),
                );
            }
        }
        (Kind::Simulated { .. }, Some(branch)) => {
            about.push(format!("Branch `{}` of a simulated run.", branch.name));
        }
        (Kind::Simulated { .. }, None) => {}
    }
    if let Story::Seen { whole: false, .. } = &run.story {
        about.push("The end of the recording is missing: whoever wrote it died.".to_owned());
    }
    about
}
