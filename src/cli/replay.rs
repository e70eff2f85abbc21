//! `netsplit replay`: a saved run, on the screen or without one.

use super::{FormatArg, Looks, Outcome, Person, Show, Start, desk, play, shell_word};
use crate::base::Time;
use crate::cluster::Cluster;
use crate::error::{Error, nearest};
use crate::event::Event;
use crate::plan::Plan;
use crate::saved::{Branch, Kind, Run, Seen, Story, file};
use crate::script::{self, Format, Stop, Summary};
use crate::tui::app::Title;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Open a saved run
#[derive(Clone, Debug, Args)]
pub(super) struct ReplayArgs {
    /// The file: W on the screen and --save write them
    #[arg(value_name = "FILE.nsr")]
    file: PathBuf,
    /// No screen: event lines on standard output, then the verdict
    #[arg(long)]
    headless: bool,
    /// Which branch [default: the one that was looked at when the run was saved]
    #[arg(long, value_name = "NAME", requires = "headless")]
    branch: Option<String>,
    /// How to write events and summary
    #[arg(long, value_enum, default_value = "text", requires = "headless")]
    format: FormatArg,
    /// Write the summary only
    #[arg(long, short, requires = "headless")]
    quiet: bool,
    /// Which time to look at first
    #[arg(long, value_name = "TIME", conflicts_with = "headless")]
    at: Option<String>,
    #[command(flatten)]
    pub(super) looks: Looks,
    #[command(flatten)]
    person: Person,
}

impl ReplayArgs {
    pub(super) fn execute(
        self,
        out: &mut dyn Write,
        talk: &mut dyn Write,
    ) -> Result<Outcome, Stop> {
        let run = file::read(&self.file).map_err(Stop::Refused)?;
        let plan = play::plan(&run).map_err(Stop::Refused)?;
        if self.headless {
            return self.headless(&run, out, talk);
        }
        let at = self.at.as_deref().map(|text| super::until("--at", text)).transpose()?;
        let start = Start::Saved { file: self.file, run: Box::new(run), at };
        let (paused, plain) = (true, self.person.plain);
        let show = Show { paused, plain, ..Show::new(plan, start, self.looks.set_up()?) };
        Ok(Outcome::Screen(Box::new(show)))
    }

    /// Writes one branch, as it was, and says whether it is the same again.
    fn headless(
        &self,
        run: &Run,
        out: &mut dyn Write,
        talk: &mut dyn Write,
    ) -> Result<Outcome, Stop> {
        if let Story::Seen { whole: false, .. } = &run.story {
            writeln!(talk, "the end of this recording is missing: whoever wrote it died")?;
        }
        let again = Again::of(run, &self.file, self.branch.as_deref())?;
        let format = match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Json => Format::Json,
        };
        let options = script::Options { format, quiet: self.quiet, ..again.options() };
        let summary = again.play(|cluster| script::run(cluster, &again.plan, &options, out))?;
        Ok(Outcome::Done(summary.verdict.exit_code()))
    }
}

/// One branch of a saved run, to be played once more without a screen.
pub(super) struct Again<'a> {
    run: &'a Run,
    file: &'a Path,
    plan: Plan,
    branch: Option<(usize, &'a Branch)>,
}

impl<'a> Again<'a> {
    /// The branch of this name, else the one that was looked at; of a recorded run, all of it.
    ///
    /// # Errors
    /// There is no such branch, or the cluster file in the run cannot be read.
    pub(super) fn of(run: &'a Run, file: &'a Path, name: Option<&str>) -> Result<Again<'a>, Stop> {
        let plan = play::plan(run).map_err(Stop::Refused)?;
        let branch = match &run.story {
            Story::Seen { .. } if name.is_some() => {
                let error = Error::new("a recorded run has no branches");
                return Err(Stop::Refused(error.help("leave --branch out")));
            }
            Story::Seen { .. } => None,
            Story::Branches(branches, view) => {
                let known = |name: &str| branches.iter().position(|branch| branch.name == name);
                let index = match name {
                    None => view.branch as usize,
                    Some(name) => known(name).ok_or_else(|| unknown(name, branches))?,
                };
                branches.get(index).map(|branch| (index, branch))
            }
        };
        Ok(Again { run, file, plan, branch })
    }

    /// The branch, if the run has branches.
    pub(super) fn branch(&self) -> Option<&'a Branch> {
        self.branch.map(|(_, branch)| branch)
    }

    /// The marks that a person has set: index of the event, and text.
    pub(super) fn marks(&self) -> Vec<(u64, String)> {
        match &self.run.story {
            Story::Branches(..) => self.branch().map_or(Vec::new(), |branch| branch.marks.clone()),
            Story::Seen { pieces, .. } => {
                let mark = |piece: &Seen| match piece {
                    Seen::Mark(event, text) => Some((*event, text.clone())),
                    _ => None,
                };
                pieces.iter().filter_map(mark).collect()
            }
        }
    }

    /// What the app is told about it.
    pub(super) fn title(&self) -> Title {
        let kind = match &self.run.about.kind {
            Kind::Simulated { seed } => {
                Kind::Simulated { seed: self.branch().map_or(*seed, |of| seed_of(self.run, of)) }
            }
            recorded => recorded.clone(),
        };
        desk::title(&self.plan, desk::source(&kind))
    }

    fn options(&self) -> script::Options {
        let name = self
            .branch()
            .map_or(String::new(), |branch| format!(" --branch {}", shell_word(&branch.name)));
        script::Options {
            seed: self.branch().map(|branch| seed_of(self.run, branch)),
            // All that there is comes by itself.
            until: Time::ZERO,
            steps: Vec::new(),
            format: Format::Text,
            quiet: true,
            replay: format!("netsplit replay {} --headless{name}", shell(self.file)),
            late: matches!(self.run.about.kind, Kind::Recorded { late: true, .. }),
            repeatable: true,
        }
    }

    /// Plays it without a word.
    ///
    /// # Errors
    /// It is not the same again.
    pub(super) fn keep(&self) -> Result<(Summary, Vec<Event>), Stop> {
        self.play(|cluster| script::keep(cluster, &self.plan, &self.options()))
    }

    /// Has somebody play it, and makes sure that it is the same again.
    fn play<T>(&self, play: impl FnOnce(Cluster) -> Result<T, Stop>) -> Result<T, Stop> {
        let index = self.branch.map_or(0, |(index, _)| index);
        let (cluster, digest) = play::digested(play::open_branch(self.run, &self.plan, index)?)?;
        let played = play(cluster)?;
        let digest = digest.join().map_err(|_| Stop::Gone)?.value();
        match self.branch() {
            Some(branch) if branch.digest != digest => Err(Stop::Failed(
                Error::new(format!(
                    "'{}' is not the run that was saved: its facts have digest {digest:016x}, and \
                     had {:016x}",
                    branch.name, branch.digest
                ))
                .help(format!("netsplit {} saved it; use that one", self.run.about.program)),
            )),
            _ => Ok(played),
        }
    }
}

fn unknown(name: &str, branches: &[Branch]) -> Stop {
    let names: Vec<&str> = branches.iter().map(|branch| branch.name.as_str()).collect();
    let error = Error::new(format!("this run has no branch '{name}'"));
    Stop::Refused(match nearest(name, names.iter().copied()) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error.help(format!("it has {}", names.join(", "))),
    })
}

fn seed_of(run: &Run, branch: &Branch) -> u64 {
    branch.seed.unwrap_or(match run.about.kind {
        Kind::Simulated { seed } => seed,
        Kind::Recorded { .. } => 0,
    })
}

fn shell(path: &Path) -> String {
    shell_word(&path.display().to_string())
}
