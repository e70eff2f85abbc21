//! Verbs about the screen that need none: `frame`, `doctor`, `keys`; and recordings.

use super::{Looks, OK, Outcome, argument, desk, steps};
use crate::base::Time;
use crate::error::Error;
use crate::event::Watch;
use crate::plan::{self, Plan};
use crate::script::{Step, Stop};
use crate::sim::player::Player;
use crate::tui::action::Group;
use crate::tui::app::{App, Speed, Title};
use crate::tui::config::{Config, Setup};
use crate::tui::film::{Film, Reel};
use crate::tui::theme::{ColorArg, GlyphsArg, Theme};
use crate::tui::{Env, Keymap, Look, Source, doctor, print};
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::Write;

/// Pictures of a recording in a second of the cluster.
const PICTURES: u64 = 10;
/// The size of a recording.
const FILMED: (u16, u16) = (120, 36);

/// Draw one picture of a cluster's screen, without a terminal
#[derive(Clone, Debug, Args)]
pub(super) struct FrameArgs {
    /// A cluster file, or the name of a built-in cluster
    #[arg(default_value = "default")]
    cluster: String,
    /// The moment to show, in the cluster's own time
    #[arg(long, value_name = "TIME", default_value = "5s")]
    at: String,
    /// Columns and rows
    #[arg(long, value_name = "WxH", default_value = "120x36", value_parser = size)]
    size: (u16, u16),
    /// How to write the picture
    #[arg(long, value_enum, default_value = "text")]
    format: PictureArg,
    /// Keys to press before the picture is taken, such as '2 z'
    #[arg(long, value_name = "KEYS", default_value = "")]
    press: String,
    /// Seed of all chance [default: what the file says, or 7]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Give a command at a time, such as '3s kill leader'; may be repeated
    #[arg(short = 'c', long = "command", value_name = "AT COMMAND")]
    steps: Vec<String>,
    #[command(flatten)]
    looks: Looks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PictureArg {
    /// Characters only
    Text,
    /// Characters, with the sequences that colour them
    Ansi,
    /// A picture for a page, in which lines and braille are shapes
    Svg,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let number = |text: &str| text.parse().ok().filter(|cells| (1..=500).contains(cells));
    let size = text.split_once('x').and_then(|(width, height)| number(width).zip(number(height)));
    size.ok_or_else(|| "write columns and rows up to 500, such as 120x36".to_owned())
}

/// A screen whose cluster moves only when it is told to: no thread, no clock.
struct Stand {
    app: App,
    player: Player,
}

impl Stand {
    fn new(plan: &Plan, seed: u64, steps: &[Step], setup: Setup) -> Stand {
        let look = still_look(&setup);
        let title = Title { focus: None, ..desk::title(plan, Source::Simulated { seed }) };
        let app = App::new(title, look, Speed::Percent(100), false).set_up(setup);
        let mut stand = Stand { app, player: Player::new(plan, seed, Watch::Labels) };
        stand.give(crate::command::Command::Stop);
        let steps = steps.iter().map(|step| (step.at, step.command.clone())).collect();
        stand.app.schedule(steps);
        stand.settle();
        stand
    }

    fn give(&mut self, command: crate::command::Command) {
        let Stand { app, player } = self;
        let mut tell = |update| {
            app.update(update);
        };
        player.command(command, &mut tell);
        while player.busy() {
            player.slice(&mut tell);
        }
    }

    /// Lets the cluster do all that the screen wants of it.
    fn settle(&mut self) {
        loop {
            let commands = self.app.commands();
            if commands.is_empty() {
                return;
            }
            commands.into_iter().for_each(|command| self.give(command));
        }
    }

    /// Lets the cluster go on until this time, and does what is due on the way.
    fn run_to(&mut self, at: Time) {
        while self.app.run_to(at) {
            self.settle();
        }
        self.settle();
    }
}

/// How a picture looks unless it is said: dark, in all colours, with all glyphs. What the terminal
/// can show does not matter to a file.
pub(super) fn still_look(setup: &Setup) -> Look {
    let mut flags = setup.flags.clone();
    flags.theme.get_or_insert((Theme::Dark, "a picture"));
    flags.glyphs.get_or_insert(GlyphsArg::Unicode);
    if flags.color == ColorArg::Auto {
        flags.color = ColorArg::True;
    }
    Look::choose(&flags, &Env::default())
}

impl FrameArgs {
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<Outcome, Stop> {
        let plan = plan::load(&self.cluster).map_err(Stop::Refused)?;
        let (steps, at) = (steps(&self.steps)?, super::until("--at", &self.at)?);
        let setup = self.looks.set_up()?;
        let look = still_look(&setup);
        let mut stand = Stand::new(&plan, self.seed.unwrap_or(plan.seed), &steps, setup);
        let (width, height) = self.size;
        stand.app.fit(width, height);
        stand.run_to(at);
        for word in self.press.split_whitespace() {
            let key = crate::tui::keys::press(word);
            stand.app.key(&key.map_err(|why| argument("--press", word, &why))?);
            stand.settle();
        }
        let buf = stand.app.picture(width, height);
        let picture = match self.format {
            PictureArg::Text => print::text(&buf),
            PictureArg::Ansi => print::ansi(&buf),
            PictureArg::Svg => {
                print::svg(&buf, &look, &format!("netsplit: {} at {at}s", plan.title))
            }
        };
        out.write_all(picture.as_bytes())?;
        out.flush()?;
        Ok(Outcome::Done(OK))
    }
}

/// Makes the file of a recording, if there is to be one.
pub(super) fn reel(name: Option<&str>) -> Result<Reel, Stop> {
    name.map_or(Ok(Reel::default()), |name| file(name).map(Reel::of))
}

fn file(name: &str) -> Result<File, Stop> {
    File::create(name).map_err(|error| unwritten(name, &error))
}

fn unwritten(name: &str, error: &std::io::Error) -> Stop {
    let error = Error::new(format!("cannot write '{name}': {error}"));
    Stop::Refused(error.help("choose another file for --record"))
}

/// Records the screen of a simulated run.
pub(super) fn record(
    name: &str,
    plan: &Plan,
    seed: u64,
    steps: &[Step],
    until: Time,
    looks: &Looks,
) -> Result<(), Stop> {
    let refuse = |error| unwritten(name, &error);
    let out = std::io::BufWriter::new(file(name)?);
    let mut stand = Stand::new(plan, seed, steps, looks.set_up()?);
    let (width, height) = FILMED;
    stand.app.fit(width, height);
    let mut film = Film::begin(out, FILMED, &plan.title).map_err(refuse)?;
    let mut now = Time::ZERO;
    loop {
        stand.run_to(now);
        let picture = stand.app.picture(width, height);
        film.show(now, |buf| buf.clone_from(&picture)).map_err(refuse)?;
        if now >= until {
            return film.flush().map_err(refuse);
        }
        now = until.min(Time(now.0 + 1_000_000 / PICTURES));
    }
}

/// Prints the keys as they are.
pub(super) fn keys(config: &Config, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let keymap = Keymap::new(false, &config.keys().map_err(Stop::Refused)?);
    for group in Group::ALL {
        writeln!(out, "{}", group.title())?;
        for (keys, name, doc) in keymap.table(group) {
            writeln!(out, "  {keys:<12} {name:<20} {doc}")?;
        }
    }
    if let Some(file) = config.file() {
        writeln!(
            out,
            "\nTo change one, in {}:\n  [keys]\n  help = [\"?\", \"F1\"]",
            file.display()
        )?;
    }
    out.flush()?;
    Ok(Outcome::Done(OK))
}

/// Says what is known of the terminal and of the person's files, and shows a card to look at.
pub(super) fn doctor(looks: &Looks, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let setup = looks.set_up()?;
    let env = Env::read();
    let look = Look::choose(&setup.flags, &env);
    for line in doctor::facts(&look, &env) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "files")?;
    for line in paths(&looks.config()) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "a card to look at: is every sign there, and is every line whole?\n")?;
    write!(out, "{}", print::ansi(&doctor::card(&look)))?;
    writeln!(
        out,
        "\nIf curves look wrong, try --glyphs block; if lines do, --glyphs ascii. If colours are hard to\nread, try --theme light, dark or neutral."
    )?;
    out.flush()?;
    Ok(Outcome::Done(OK))
}

/// Where the person's files are looked for, and whether they are there.
pub(super) fn paths(config: &Config) -> Vec<String> {
    let there = |path: &std::path::Path| if path.exists() { "" } else { " (not there)" };
    let mut lines = Vec::new();
    match config.file() {
        Some(file) => lines.push(format!("{:<14}{}{}", "settings", file.display(), there(&file))),
        None => lines.push(format!("{:<14}not looked at", "settings")),
    }
    for dir in config.layouts().dirs() {
        lines.push(format!("{:<14}{}{}", "layouts", dir.display(), there(dir)));
    }
    if let Some(dir) = config.themes().dir() {
        lines.push(format!("{:<14}{}{}", "themes", dir.display(), there(dir)));
    }
    lines
}
