//! `netsplit replay`: a saved run, on the screen or without one.

use super::{FormatArg, Looks, Outcome, Person, Show, Start, play, shell_word};
use crate::base::Time;
use crate::error::{Error, nearest};
use crate::saved::{Branch, Kind, Run, Story, file};
use crate::script::{self, Format, Stop};
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
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<Outcome, Stop> {
        let run = file::read(&self.file).map_err(Stop::Refused)?;
        let plan = play::plan(&run).map_err(Stop::Refused)?;
        if self.headless {
            return self.headless(&run, out);
        }
        let at = self.at.as_deref().map(|text| super::until("--at", text)).transpose()?;
        let start = Start::Saved { file: self.file, run: Box::new(run), at };
        let (setup, steps) = (self.looks.set_up()?, Vec::new());
        let (paused, speed, save) = (true, 1.0, None);
        let (plain, tour) = (self.person.plain, false);
        let (story, saving, record) = (None, None, None);
        let show = Show {
            plan,
            start,
            steps,
            paused,
            speed,
            setup,
            plain,
            tour,
            save,
            story,
            saving,
            record,
        };
        Ok(Outcome::Screen(Box::new(show)))
    }

    /// Writes one branch, as it was, and says whether it is the same again.
    fn headless(&self, run: &Run, out: &mut dyn Write) -> Result<Outcome, Stop> {
        let plan = play::plan(run).map_err(Stop::Refused)?;
        let branch = self.branch(run)?;
        let index = branch.map_or(0, |(index, _)| index);
        let name = branch
            .map_or(String::new(), |(_, branch)| format!(" --branch {}", shell_word(&branch.name)));
        let late = matches!(run.about.kind, Kind::Recorded { late: true, .. });
        let options = script::Options {
            seed: branch.map(|(_, branch)| seed(run, branch)),
            // All that there is comes by itself.
            until: Time::ZERO,
            steps: Vec::new(),
            format: match self.format {
                FormatArg::Text => Format::Text,
                FormatArg::Json => Format::Json,
            },
            quiet: self.quiet,
            replay: format!("netsplit replay {} --headless{name}", shell(&self.file)),
            late,
            repeatable: true,
        };
        let cluster = play::open_branch(run, &plan, index)?;
        let (cluster, digest) = play::digested(cluster)?;
        let summary = script::run(cluster, &plan, &options, out)?;
        let digest = digest.join().map_err(|_| Stop::Gone)?.value();
        match branch {
            Some((_, branch)) if branch.digest != digest => Err(Stop::Failed(
                Error::new(format!(
                    "'{}' is not the run that was saved: its facts have digest {digest:016x}, and \
                     had {:016x}",
                    branch.name, branch.digest
                ))
                .help(format!("netsplit {} saved it; use that one", run.about.program)),
            )),
            _ => Ok(Outcome::Done(summary.verdict.exit_code())),
        }
    }

    /// The branch that is meant, if the run has branches.
    fn branch<'a>(&self, run: &'a Run) -> Result<Option<(usize, &'a Branch)>, Stop> {
        let Story::Branches(branches, view) = &run.story else { return Ok(None) };
        let index = match &self.branch {
            None => view.branch as usize,
            Some(name) => {
                let known = branches.iter().position(|branch| branch.name == *name);
                known.ok_or_else(|| unknown(name, branches))?
            }
        };
        Ok(branches.get(index).map(|branch| (index, branch)))
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

fn seed(run: &Run, branch: &Branch) -> u64 {
    branch.seed.unwrap_or(match run.about.kind {
        Kind::Simulated { seed } => seed,
        Kind::Recorded { .. } => 0,
    })
}

fn shell(path: &Path) -> String {
    shell_word(&path.display().to_string())
}
