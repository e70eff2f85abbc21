//! The command line: what can be asked for, and what the answers look like.
//!
//! This module decides and writes; `main` only hands it the arguments and the streams. Standard
//! output is for data, standard error for talk.

mod carry;
mod compare;
mod demo;
pub mod desk;
mod frames;
mod layouts;
mod nodes;
pub mod play;
mod remote;
mod replay;
mod report;
mod saving;
mod schema;
mod screen;
mod tap;

use crate::base::{Mutation, Time};
use crate::cluster::Cluster;
use crate::command::FORMS;
use crate::error::{Error, Source};
use crate::event::Watch;
use crate::live::{self, Way};
use crate::plan::{self, Plan, SAMPLES};
use crate::saved;
use crate::script::scenario::{self, Scenario};
use crate::script::{self, Format, Step, Stop, library};
use crate::sim::player::{Player, seam};
use crate::tui::config::{Setup, Wishes};
use crate::tui::film::Reel;
use crate::tui::theme::{ColorArg, GlyphsArg};
use crate::tui::{Config, Layout};
use carry::Fetch;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use demo::DemoArgs;
pub use demo::words;
pub use nodes::NodeArgs;
use nodes::{InviteArgs, UpArgs};
use remote::{AttachArgs, DownArgs};
use replay::ReplayArgs;
use report::ReportArgs;
pub use saving::{Saving, of_act};
pub use schema::schema;
use screen::FrameArgs;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tap::Tap;

/// Exit code: all properties held.
pub const OK: u8 = 0;
/// Exit code: the program failed.
pub const FAILED: u8 = 1;
/// Exit code: wrong usage or bad input.
pub const USAGE: u8 = 2;

const ABOUT: &str = "A cluster in your terminal that you can break, rewind and explain.

Netsplit runs real protocol code (consistent hashing, locks, Paxos, Raft, Zab, two-phase commit) \
as a cluster of nodes in a deterministic simulator: the same file, seed and commands give the same \
run, byte for byte. Checks look at every event and prove what went wrong.";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold());

/// What `netsplit` was asked to do.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "netsplit",
    version,
    about = "A cluster in your terminal that you can break, rewind and explain",
    long_about = ABOUT,
    after_long_help = lessons(),
    after_help = "'netsplit --help' tells more: examples, all cluster commands, exit codes.",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    styles = STYLES
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: Run,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// Run a cluster (this is also what happens without a verb)
    #[command(after_long_help = lessons())]
    Run(Run),
    /// Play a lesson or an incident, step by step
    Demo(DemoArgs),
    /// Write up a scenario or a saved run: what happened, what broke and why
    Report(ReportArgs),
    /// Start all processes of a cluster on this machine
    Up(UpArgs),
    /// Look at a cluster of processes, here or elsewhere
    Attach(AttachArgs),
    /// Open a saved run
    Replay(ReplayArgs),
    /// End a cluster that 'netsplit up' started
    Down(DownArgs),
    /// Print a ticket that lets somebody in, once
    Invite(InviteArgs),
    /// Run one node of a cluster as this process
    Node(NodeArgs),
    /// Say whether cluster files, scenarios and layouts are right
    Check {
        /// Cluster files, scenarios, layout files, or names of built-in ones
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// List the built-in clusters, or print one to begin a file of your own
    Samples {
        /// Which one to print
        name: Option<String>,
    },
    /// List the layouts of the screen, or print one to begin a file of your own
    Layouts {
        /// Which one to print
        name: Option<String>,
    },
    /// Draw one picture of a cluster's screen, without a terminal
    Frame(FrameArgs),
    /// List the keys of the screen, as they are now
    Keys,
    /// Say what is known of this terminal, and show all signs and colours
    Doctor(Looks),
    /// Print what a cluster or scenario file may have, as JSON Schema
    Schema,
    /// Print the version, where files are, and all mutations: bugs that a cluster file can plant
    Info,
}

/// How to run a cluster.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("lines").multiple(true).args(["headless", "compare"]))]
pub struct Run {
    /// A cluster file, or the name of a built-in cluster ('netsplit samples' lists them)
    #[arg(default_value = "default")]
    cluster: String,
    /// Seed of all chance; in the simulator, the same seed gives the same run [default: what the
    /// file says, or 7]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// What the nodes live in
    #[arg(long, value_enum, default_value = "sim", value_name = "WHERE")]
    runtime: RuntimeArg,
    /// Give a command at a time, such as '3s kill leader'; may be repeated
    #[arg(short = 'c', long = "command", value_name = "AT COMMAND")]
    steps: Vec<String>,

    /// No screen: event lines on standard output, then the verdict
    #[arg(long)]
    headless: bool,
    /// Write what a client was told last is in a file of the cluster to one of yours
    #[arg(long, value_name = "FILE=PATH", requires = "lines", hide_short_help = true)]
    fetch: Vec<Fetch>,
    /// How long to run, in the cluster's own time; a scenario ends by itself [default: 30s]
    #[arg(long, value_name = "TIME", requires = "lines")]
    until: Option<String>,
    #[command(flatten)]
    output: Output,
    /// Play it on several kinds of log, side by side: multipaxos, raft, zab
    ///
    /// Or with several ways to commit transfers: twophase, presumed-commit, cooperative, logged,
    /// threephase, paxoscommit, saga, choreographed. On the screen, every key and every command
    /// goes to all of them. With --headless or --until, a table says what each made of it.
    #[arg(
        long,
        value_name = "KIND,KIND…",
        value_delimiter = ',',
        conflicts_with_all = ["save", "record", "plain"],
        hide_short_help = true
    )]
    compare: Vec<String>,
    /// Save the run: FILE.nsr for 'netsplit replay', FILE.toml as a scenario
    ///
    /// It is saved when it is over, a live one while it runs. FILE.toml is a scenario of what was
    /// done, to read, edit and play again. Of a scenario, each act is a run of its own: FILE, then
    /// FILE-act2, and so on.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// Record the screen of the run, for asciinema; of a scenario, all acts that are played
    #[arg(long, value_name = "FILE.cast", conflicts_with = "plain", hide_short_help = true)]
    record: Option<String>,

    /// Begin with time standing still
    #[arg(long, conflicts_with = "headless")]
    paused: bool,
    /// How many of the cluster's seconds pass in one of yours: 0.01 to 1000, or full
    /// [default: 1]
    #[arg(long, value_name = "X", value_parser = speed, conflicts_with = "headless", hide_short_help = true)]
    speed: Option<f64>,
    #[command(flatten)]
    looks: Looks,
    #[command(flatten)]
    person: Person,
}

/// What a run without a screen writes.
#[derive(Clone, Debug, Args)]
struct Output {
    /// How to write events and summary
    #[arg(long, value_enum, default_value = "text", requires = "lines", hide_short_help = true)]
    format: FormatArg,
    /// Which events to write; the digest is that of these
    #[arg(long, value_enum, default_value = "all", requires = "headless", hide_short_help = true)]
    events: EventsArg,
    /// Write the summary only
    #[arg(long, short, requires = "headless", hide_short_help = true)]
    quiet: bool,
}

impl Output {
    fn format(&self) -> Format {
        match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Json => Format::Json,
        }
    }
}

/// What the screen looks like.
#[derive(Clone, Debug, Args)]
struct Looks {
    /// Which colours to use: auto, dark, light, neutral, mono, projector, projector-dark, or a file
    #[arg(long, value_name = "NAME|FILE")]
    theme: Option<String>,
    /// How many colours to use
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW", hide_short_help = true)]
    color: ColorArg,
    /// The same as --color never
    #[arg(long, conflicts_with = "color", hide_short_help = true)]
    no_color: bool,
    /// Which characters to draw with
    #[arg(long, value_enum, value_name = "WHICH")]
    glyphs: Option<GlyphsArg>,
    /// How to arrange the panes: a layout file, or a name ('netsplit layouts' lists them)
    #[arg(long, value_name = "NAME|FILE")]
    layout: Option<String>,
    /// Look at no files of your own in the configuration directory
    #[arg(long, hide_short_help = true)]
    no_config: bool,
}

/// How a person who sits there is met.
#[derive(Clone, Debug, Args)]
struct Person {
    /// Lines instead of a screen, for screen readers and pipes
    #[arg(long, conflicts_with = "headless")]
    plain: bool,
    /// Do not show the tour, which comes once
    #[arg(long, hide_short_help = true)]
    no_tour: bool,
}

impl Looks {
    /// The person's files, unless they are not to be looked at.
    fn config(&self) -> Config {
        if self.no_config { Config::default() } else { Config::find() }
    }

    /// All that can be chosen about the screen.
    fn set_up(&self) -> Result<Setup, Stop> {
        let wishes = Wishes {
            theme: self.theme.clone(),
            color: if self.no_color { ColorArg::Never } else { self.color },
            glyphs: self.glyphs,
            layout: self.layout.clone(),
        };
        self.config().set_up(&wishes).map_err(Stop::Refused)
    }
}

/// What the nodes of a cluster live in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeArg {
    /// The simulator: virtual time, the same run for the same seed, and a way back
    Sim,
    /// This process, in real time
    Memory,
    /// This process, in real time, with QUIC on loopback between the nodes, and real disks
    Quic,
}

impl RuntimeArg {
    /// What a saved run of it is.
    fn kind(self, seed: u64) -> saved::Kind {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned());
        match self {
            RuntimeArg::Sim => saved::Kind::Simulated { seed },
            RuntimeArg::Memory | RuntimeArg::Quic => saved::Kind::Recorded {
                place: format!("LIVE {}", name.unwrap_or_default()),
                late: false,
                remote: false,
            },
        }
    }

    /// Whether time is real time.
    pub fn is_live(self) -> bool {
        self != RuntimeArg::Sim
    }

    /// As it stands on a command line, with a space before it; nothing for the simulator.
    fn flag(self) -> String {
        match self.to_possible_value().filter(|_| self.is_live()) {
            Some(value) => format!(" --runtime {}", value.get_name()),
            None => String::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventsArg {
    /// What processes state, and what was done to them
    Facts,
    /// Messages and timers too, without what messages say
    Messages,
    /// Everything
    All,
}

impl EventsArg {
    /// As it stands on a command line, with a space before it; nothing for all.
    fn flag(self) -> &'static str {
        match self {
            EventsArg::Facts => " --events facts",
            EventsArg::Messages => " --events messages",
            EventsArg::All => "",
        }
    }

    fn watch(self) -> Watch {
        match self {
            EventsArg::Facts => Watch::Facts,
            EventsArg::Messages => Watch::Messages,
            EventsArg::All => Watch::Labels,
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match (text, text.parse::<f64>()) {
        ("full", _) => Ok(f64::INFINITY),
        (_, Ok(speed)) if (0.01..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.01 to 1000, or full".to_owned()),
    }
}

/// The part of `--help` that teaches.
fn lessons() -> String {
    let mut text = String::from(
        "Examples:
  netsplit                                    watch the default cluster
  netsplit three-paxos --paused               two proposers, from the first step
  netsplit run --headless --until 30s         the same cluster, for a script
  netsplit run --headless --quiet -c '3s isolate leader' -c '8s heal'
  netsplit run bank --headless --format json | jq 'select(.kind == \"decides\")'
  netsplit samples locks > mine.toml && netsplit check mine.toml

Commands, for -c and for the ':' prompt:
",
    );
    let width = FORMS.iter().map(|(form, _)| form.len()).max().unwrap_or_default();
    for (form, about) in FORMS {
        let _ = writeln!(text, "  {form:width$}  {about}");
    }
    text.push_str(
        "
  The last six steer time; they are for the prompt only, and for the simulator.

  WHO   n1 · n1,n2 · c1 · leader · minority · majority · one · holder LOCK · coordinator TXN
  LINK  all · WHO · n1 ~ n2 (both ways) · n1 -> n2 (one way)
  TIME  3s · 250ms · 1.5s

Exit codes:
  0  every property held
  1  the program failed
  2  wrong usage or bad input
  3  a safety property was broken
  4  nothing wrong happened, but nothing right either, for too long
  5  something that a scenario expects was not so",
    );
    text
}

/// What is left to do when the command line has been understood.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing; the exit code.
    Done(u8),
    /// Show a cluster on the screen.
    Screen(Box<Show>),
    /// Show these side by side, each under a name.
    Abreast(Vec<(&'static str, Show)>),
    /// Be a node. It logs, which is up to the caller to set up.
    Serve(Box<NodeArgs>),
}

/// How to come by a cluster.
#[derive(Debug)]
pub enum Start {
    /// Start it with this seed, in this runtime.
    Run(u64, RuntimeArg),
    /// It runs already. Whether commands are taken from here is said beside it.
    Attached(Cluster, bool),
    /// It is what a file holds.
    Saved {
        /// The file.
        file: PathBuf,
        /// What it holds.
        run: Box<saved::Run>,
        /// Which time to look at first, if not at that of the file.
        at: Option<Time>,
    },
}

/// What to show on the screen, and how to begin.
#[derive(Debug)]
pub struct Show {
    /// What runs.
    pub plan: Plan,
    /// How to come by it.
    pub start: Start,
    /// What to do at given times, in order of time.
    pub steps: Vec<Step>,
    /// Whether time stands still at first.
    pub paused: bool,
    /// How many of the cluster's seconds pass in one of the person's; infinite for as many as can.
    pub speed: f64,
    /// What was chosen about the screen.
    pub setup: Setup,
    /// Whether lines are wanted instead of a screen.
    pub plain: bool,
    /// Whether somebody who is here for the first time is shown around.
    pub tour: bool,
    /// Where to save it when it is over; of a scenario, its first act.
    pub save: Option<PathBuf>,
    /// Where to record it, and all acts after it.
    pub record: Reel,
    /// The scenario to tell, if there is one.
    pub story: Option<Telling>,
    /// Where to write down what is done, if anywhere.
    pub saving: Option<Saving>,
}

impl Show {
    /// A cluster on the screen as it is if nothing else is wished for: time runs as fast as the
    /// person's, nothing is done to it, nobody is shown around, and nothing is written down.
    fn new(plan: Plan, start: Start, setup: Setup) -> Show {
        Show {
            plan,
            start,
            setup,
            steps: Vec::new(),
            paused: false,
            speed: 1.0,
            plain: false,
            tour: false,
            save: None,
            record: Reel::default(),
            story: None,
            saving: None,
        }
    }
}

/// A scenario to tell on the screen.
#[derive(Clone, Debug)]
pub struct Telling {
    /// What is told.
    pub scenario: Arc<Scenario>,
    /// Which act, counted from 1.
    pub act: usize,
    /// Whether it is shown to a room.
    pub present: bool,
    /// The seed, if another than each act's own is asked for.
    pub seed: Option<u64>,
}

impl Telling {
    /// What to show for its act.
    pub fn show(self, speed: f64, setup: Setup) -> Show {
        let plan = self.scenario.acts[self.act - 1].plan.clone();
        let start = Start::Run(self.seed.unwrap_or(plan.seed), RuntimeArg::Sim);
        Show { paused: true, speed, story: Some(self), ..Show::new(plan, start, setup) }
    }
}

impl Cli {
    /// Whether colours are forbidden, which holds for error messages too.
    pub fn colourless(&self) -> bool {
        let looks = match &self.verb {
            Some(Verb::Run(run)) => &run.looks,
            Some(Verb::Attach(attach)) => &attach.looks,
            Some(Verb::Replay(replay)) => &replay.looks,
            Some(Verb::Demo(demo)) => &demo.looks,
            Some(Verb::Report(report)) => &report.looks,
            _ => &self.run.looks,
        };
        looks.no_color || looks.color == ColorArg::Never
    }

    /// Does what was asked for, as far as no screen is needed.
    ///
    /// # Errors
    /// Says what the user must change, or why the output or the cluster failed.
    pub fn execute(self, out: &mut dyn Write, talk: &mut dyn Write) -> Result<Outcome, Stop> {
        match self.verb {
            None => self.run.execute(out, talk),
            Some(Verb::Run(run)) => run.execute(out, talk),
            Some(Verb::Attach(attach)) => attach.execute(out),
            Some(Verb::Replay(replay)) => replay.execute(out, talk),
            Some(Verb::Node(node)) => Ok(Outcome::Serve(Box::new(node))),
            Some(Verb::Up(up)) => up.execute(out).map(|()| Outcome::Done(OK)),
            Some(Verb::Down(down)) => down.execute(out).map(|()| Outcome::Done(OK)),
            Some(Verb::Invite(invite)) => invite.execute(out, talk).map(|()| Outcome::Done(OK)),
            Some(Verb::Demo(demo)) => demo.execute(out),
            Some(Verb::Report(report)) => report.execute(out),
            Some(Verb::Check { files }) => demo::check(&files, out, talk).map(Outcome::Done),
            Some(Verb::Samples { name }) => samples(name.as_deref(), out),
            Some(Verb::Layouts { name }) => {
                layouts::layouts(&Config::find().layouts(), name.as_deref(), out)
            }
            Some(Verb::Frame(frame)) => frame.execute(out),
            Some(Verb::Keys) => screen::keys(&Config::find(), out),
            Some(Verb::Doctor(looks)) => screen::doctor(&looks, out),
            Some(Verb::Schema) => {
                serde_json::to_writer_pretty(&mut *out, &schema()).map_err(std::io::Error::from)?;
                writeln!(out)?;
                Ok(Outcome::Done(OK))
            }
            Some(Verb::Info) => info(out),
        }
    }
}

/// Starts a cluster on a thread of its own. A simulated one stands still.
///
/// # Errors
/// Says what the system does not give a cluster that it needs.
pub fn start(plan: &Plan, seed: u64, watch: Watch, runtime: RuntimeArg) -> Result<Cluster, Stop> {
    let started = match runtime {
        RuntimeArg::Memory => live::start(plan, seed, watch, Way::Memory),
        RuntimeArg::Quic => live::start(plan, seed, watch, Way::Quic),
        RuntimeArg::Sim => {
            let (cluster, commands, updates) = seam();
            let plan = plan.clone();
            let play = move || Player::new(&plan, seed, watch).serve(commands, &updates);
            let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(play);
            thread.map(|_| cluster)
        }
    };
    started.map_err(|error| {
        let error = Error::new(format!("the cluster cannot be started: {error}"));
        Stop::Failed(error.help("the system has no thread or memory left; try fewer nodes"))
    })
}

impl Run {
    fn execute(self, out: &mut dyn Write, talk: &mut dyn Write) -> Result<Outcome, Stop> {
        let source = library::source(&self.cluster).map_err(Stop::Refused)?;
        if scenario::is_scenario(&source) {
            return self.play(&source, out);
        }
        let plan = plan::file::parse(&library::name(&self.cluster), &source);
        let plan = plan.map_err(Stop::Refused)?;
        let saving = Saving::of(&self, 1)?;
        let steps = steps(&self.steps)?;
        let seed = self.seed.unwrap_or(plan.seed);
        let plan = Plan { seed, ..plan };
        if !self.compare.is_empty() {
            return self.compare(&plan, &steps, out, talk);
        }
        if !self.headless {
            self.fits_runtime()?;
            let start = Start::Run(seed, self.runtime);
            let show = Show {
                steps,
                paused: self.paused,
                speed: self.speed.unwrap_or(1.0),
                plain: self.person.plain,
                tour: !self.person.no_tour,
                save: self.save.clone().filter(|_| saving.is_none()),
                record: screen::reel(self.record.as_deref())?,
                saving,
                ..Show::new(plan, start, self.looks.set_up()?)
            };
            return Ok(Outcome::Screen(Box::new(show)));
        }
        let until = until("--until", self.until())?;
        if let Some(late) = steps.iter().find(|step| step.at > until) {
            let error = Error::new(format!("'{late}' comes after the end of the run, {until}s"));
            return Err(Stop::Refused(error.help("let it run longer with --until")));
        }
        if let Some(file) = &self.record {
            self.fits_recording()?;
            screen::record(file, &plan, seed, &steps, until, &self.looks)?;
        }
        let (format, quiet) = (self.output.format(), self.output.quiet);
        let replay = self.replay(seed);
        let repeatable = !self.runtime.is_live();
        let options = script::Options {
            seed: Some(seed),
            until,
            steps,
            format,
            quiet,
            replay,
            late: false,
            repeatable,
        };
        let cluster = start(&plan, seed, self.output.events.watch(), self.runtime)?;
        let (cluster, tap) = match self.save.filter(|_| saving.is_none()) {
            Some(path) => tap::tap(cluster, &plan, self.runtime.kind(seed), path)
                .map(|(cluster, tap)| (cluster, Some(tap)))?,
            None => (cluster, None),
        };
        let summary = script::run(cluster, &plan, &options, out)?;
        tap.map_or(Ok(()), Tap::end)?;
        for fetch in &self.fetch {
            fetch.write(&summary).map_err(Stop::Refused)?;
        }
        if let Some(saving) = saving {
            let whole = repeatable && self.output.events == EventsArg::All;
            let broken = script::record::broken(&summary);
            let found = (broken, !repeatable, whole.then_some(summary.digest));
            saving.steps(&plan, &options.steps, until, found, talk)?;
        }
        Ok(Outcome::Done(summary.verdict.exit_code()))
    }

    fn until(&self) -> &str {
        self.until.as_deref().unwrap_or("30s")
    }

    /// Refuses what only a simulator can do.
    fn fits_runtime(&self) -> Result<(), Stop> {
        let option = match self {
            Run { speed: Some(_), .. } => "--speed",
            Run { paused: true, .. } => "--paused",
            _ => return Ok(()),
        };
        if !self.runtime.is_live() {
            return Ok(());
        }
        let what = format!("{option} is for the simulator: a live cluster's time is real time");
        Err(Stop::Refused(Error::new(what).help(format!("leave {option} or --runtime out"))))
    }

    /// Refuses to record what cannot be run once more for the camera.
    fn fits_recording(&self) -> Result<(), Stop> {
        match self.runtime.is_live() {
            true => {
                let error =
                    Error::new("without a screen, --record needs a run that can be repeated");
                let help =
                    "leave --runtime out, or --headless: what a screen shows can be recorded";
                Err(Stop::Refused(error.help(help)))
            }
            false => Ok(()),
        }
    }

    /// The command line that repeats this run.
    fn replay(&self, seed: u64) -> String {
        let cluster = shell_word(&self.cluster);
        let mut line = format!("netsplit run {cluster} --headless --seed {seed}");
        line.push_str(&self.runtime.flag());
        let _ = write!(line, " --until {}", shell_word(self.until()));
        line.push_str(self.output.events.flag());
        for step in &self.steps {
            let _ = write!(line, " -c {}", shell_word(step));
        }
        line
    }
}

/// A word as a shell wants it: in single quotes if it has anything special.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// What to do when, in order of time.
fn steps(texts: &[String]) -> Result<Vec<Step>, Stop> {
    let step = |text: &String| {
        let line = carry::typed(text).map_err(|why| argument("-c", text, &why))?;
        line.parse().map_err(|why: crate::base::ParseError| argument("-c", text, &why.0))
    };
    let mut steps = texts.iter().map(step).collect::<Result<Vec<Step>, _>>()?;
    steps.sort_by_key(|step| step.at);
    Ok(steps)
}

fn until(name: &str, text: &str) -> Result<Time, Stop> {
    text.parse().map_err(|why: crate::base::ParseError| argument(name, text, &why.0))
}

fn argument(name: &str, text: &str, why: &str) -> Stop {
    let source = Source::new(name, text);
    let error = Error::new(format!("{name} is not understood"));
    Stop::Refused(error.at(&source, 0..text.len(), why))
}

/// What a file that is right holds, if it means to be a layout.
fn layout_file(file: &str) -> Option<Result<String, Error>> {
    let source = Source::read(file).ok().filter(Layout::is_meant)?;
    let layout = Layout::parse(file, &source);
    Some(layout.map(|layout| format!("A layout: {}", layout.about)))
}

/// `5 nodes, 3 clients; membership, paxos, log`.
fn size(plan: &Plan) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let nodes = count(plan.nodes.len(), "node");
    let clients = count(plan.clients.len(), "client");
    match plan.services.names().join(", ") {
        names if names.is_empty() => format!("{nodes}, {clients}; no services"),
        names => format!("{nodes}, {clients}; {names}"),
    }
}

fn samples(name: Option<&str>, out: &mut dyn Write) -> Result<Outcome, Stop> {
    if let Some(name) = name {
        // Only the message of a missing sample is wanted: a built-in one is always right.
        plan::builtin(name).map_err(Stop::Refused)?;
        let text = SAMPLES.iter().find(|(sample, _)| *sample == name).map_or("", |(_, text)| text);
        write!(out, "{text}")?;
    } else {
        for (name, _) in SAMPLES {
            let plan = plan::builtin(name).map_err(Stop::Refused)?;
            writeln!(out, "{name:<12} {}", plan.title)?;
            writeln!(out, "{:<12} {}", "", size(&plan))?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done(OK))
}

fn info(out: &mut dyn Write) -> Result<Outcome, Stop> {
    writeln!(out, "netsplit {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "limits: {} nodes, {} clients", plan::file::MAX_NODES, plan::file::MAX_CLIENTS)?;
    writeln!(out, "files:")?;
    for line in screen::paths(&Config::find()) {
        writeln!(out, "  {line}")?;
    }
    writeln!(
        out,
        "\nmutations: known bugs, planted with mutations = [\"NAME\"] in a cluster file"
    )?;
    for mutation in Mutation::ALL {
        writeln!(out, "  {:<22} {}", mutation.name(), mutation.about())?;
    }
    out.flush()?;
    Ok(Outcome::Done(OK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cluster_may_be_named_without_a_verb() {
        let cli = Cli::parse_from(["netsplit", "bank", "--seed", "3"]);
        assert_eq!((cli.run.cluster.as_str(), cli.run.seed), ("bank", Some(3)));
        assert!(Cli::try_parse_from(["netsplit", "--seed", "x"]).is_err());
        assert!(Cli::try_parse_from(["netsplit", "--speed", "nan"]).is_err());
        assert!(Cli::try_parse_from(["netsplit", "--until", "3s"]).is_err(), "needs --headless");
    }

    #[test]
    fn a_live_cluster_has_no_speed_and_no_pause() {
        for option in ["--speed=1", "--paused"] {
            let run = |runtime| {
                let line = ["netsplit", option, "--runtime", runtime];
                Cli::parse_from(line).execute(&mut Vec::new(), &mut Vec::new())
            };
            assert!(matches!(run("sim"), Ok(Outcome::Screen(_))));
            let Err(Stop::Refused(error)) = run("memory") else { panic!("it is refused") };
            assert!(error.what().contains("for the simulator"), "{error}");
        }
    }

    #[test]
    fn the_line_to_replay_reads_back_as_the_same_run() {
        let line = ["run", "my bank.toml", "--headless", "--until", "9s", "-c", "3s kill n1"];
        let Some(Verb::Run(run)) = Cli::parse_from(["netsplit"].iter().chain(&line)).verb else {
            panic!("this is the verb run");
        };
        let expected = "netsplit run 'my bank.toml' --headless --seed 7 --until 9s -c '3s kill n1'";
        assert_eq!(run.replay(7), expected);
        let run = Run { runtime: RuntimeArg::Memory, ..run };
        assert!(run.replay(7).contains(" --seed 7 --runtime memory --until 9s "));
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
