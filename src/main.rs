//! The program: arguments in, an exit code out. Only this file and the screen touch the terminal.

use clap::Parser as _;
use netsplit::base::Time;
use netsplit::cli::desk::{self, Files};
use netsplit::cli::{
    self, Cli, FAILED, NodeArgs, OK, Outcome, RuntimeArg, Show, Start, Telling, USAGE,
};
use netsplit::cluster::Cluster;
use netsplit::error::Error;
use netsplit::event::Watch;
use netsplit::live::home::Home;
use netsplit::plan::Plan;
use netsplit::saved::Story;
use netsplit::script::Stop;
use netsplit::tui::abreast::Abreast;
use netsplit::tui::app::{App, Speed, Title};
use netsplit::tui::desk::Opened;
use netsplit::tui::film::Reel;
use netsplit::tui::keyboard::Keyboard;
use netsplit::tui::run::End;
use netsplit::tui::story::Story as Tale;
use netsplit::tui::{self, Env, Flags, Look, PaneKind, Source, background};
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !no_color && !cli.colourless();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let done = cli.execute(&mut out, &mut io::stderr()).and_then(|outcome| match outcome {
        Outcome::Done(code) => Ok(code),
        Outcome::Screen(show) => screen(*show, &mut Keyboard::default()),
        Outcome::Abreast(shows) => abreast(shows, &mut Keyboard::default()),
        Outcome::Serve(node) => serve(*node),
    });
    let code = done.and_then(|code| match out.flush() {
        // Whom a signal ends, such as that the terminal is gone, nobody reads.
        Err(_) if code > 128 => Ok(code),
        done => Ok(done.map(|()| code)?),
    });
    ExitCode::from(code.unwrap_or_else(|stop| explain(&stop, colour)))
}

/// Is a node of a cluster. What it has to say goes to standard error.
fn serve(node: NodeArgs) -> Result<u8, Stop> {
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
    // Nobody has set up another one before.
    let _ = match node.logs_json() {
        true => log.json().try_init(),
        false => log.with_ansi(false).try_init(),
    };
    // Not the buffered one of `main`: whoever started the node waits for its line.
    node.execute(&mut io::stdout()).map(|()| OK)
}

/// Opens the workbench.
fn screen(mut show: Show, keyboard: &mut Keyboard) -> Result<u8, Stop> {
    if !show.plain {
        needs_terminal("with lines, --plain, or without a person: --headless --until 30s")?;
    }
    let look = look(&show.setup.flags, show.plain);
    let mut reel = std::mem::take(&mut show.record);
    let (mut next, mut end) = (Some(show), End::Quit);
    while let Some(show) = next.take() {
        (end, next) = sit(show, &look, keyboard, &mut reel)?;
    }
    Ok(code(end))
}

/// Shows several runs side by side.
fn abreast(shows: Vec<(&'static str, Show)>, keyboard: &mut Keyboard) -> Result<u8, Stop> {
    needs_terminal("for a table: --headless --until 30s")?;
    let (mut sides, mut clusters, mut kept) = (Vec::new(), Vec::new(), None);
    for (name, show) in shows {
        let look = kept.get_or_insert_with(|| look(&show.setup.flags, false)).clone();
        let (_, Opening { title, cluster, .. }, _) = set_up(show.start, &show.plan, None)?;
        let title = Title { focus: Some(PaneKind::Consensus), ..title };
        let mut app = App::new(title, look, speed(show.speed), !show.paused).set_up(show.setup);
        app.schedule(show.steps.iter().map(|step| (step.at, step.command.clone())).collect());
        sides.push((name, app));
        clusters.push(cluster);
    }
    let mut abreast = Abreast::new(sides);
    let slow_line = std::env::var_os("SSH_CONNECTION").is_some();
    let end = guarded(|| tui::abreast::run(&mut abreast, clusters, keyboard, slow_line));
    Ok(code(end.ok_or_else(defect)?.map_err(Stop::Output)?))
}

/// How fast the cluster's time passes.
fn speed(times: f64) -> Speed {
    match times.is_finite() {
        true => Speed::Percent((times * 100.0).round() as u32),
        false => Speed::Full,
    }
}

/// The exit code for how the screen was left.
fn code(end: End) -> u8 {
    match end {
        End::Quit => OK,
        // As a shell would say it.
        End::Signal(number) => 128 + number,
    }
}

/// Refuses to draw where nobody can see it.
fn needs_terminal(else_run: &str) -> Result<(), Stop> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match !dumb && io::stdout().is_terminal() && io::stdin().is_terminal() {
        true => Ok(()),
        false => {
            let error = Error::new("there is no terminal to draw on");
            Err(Stop::Refused(error.help(format!("run {else_run}"))))
        }
    }
}

/// Finds out what suits the terminal. It is asked before anybody reads keys, so only once.
fn look(flags: &Flags, plain: bool) -> Look {
    let env = Env::read();
    let background = match flags.theme {
        None if env.may_ask() && !plain => background::ask(),
        _ => None,
    };
    Look::choose(flags, &env.answered(background))
}

/// Shows a run, and says how that ended and what the person wants to see after it: another act.
fn sit(
    show: Show,
    look: &Look,
    keyboard: &mut Keyboard,
    reel: &mut Reel,
) -> Result<(End, Option<Show>), Stop> {
    let act = show.story.as_ref().map_or(1, |story| story.act);
    let save = show.save.as_ref().map(|path| cli::of_act(path, act));
    let (mut files, opened, at) = set_up(show.start, &show.plan, save)?;
    let Opening { title, cluster, story } = opened;
    let playing = !show.paused && !show.plain;
    let again = (show.speed, show.setup.clone());
    let mut app = App::new(title, look.clone(), speed(show.speed), playing).set_up(show.setup);
    if let Some(Telling { scenario, act, present, .. }) = &show.story {
        app.tell(Tale::new(scenario.clone(), *act, *present));
    }
    app.schedule(show.steps.iter().map(|step| (step.at, step.command.clone())).collect());
    app.resume(story, at);
    let slow_line = std::env::var_os("SSH_CONNECTION").is_some();
    let end = guarded(|| match show.plain {
        true => tui::plain::run(&mut app, cluster, &mut files, &mut io::stdout()),
        false => {
            if show.tour && is_first_time() {
                app.begin_tour();
            }
            tui::run::run(
                &mut app,
                cluster,
                &mut files,
                keyboard,
                slow_line,
                (reel, &show.plan.title),
            )
        }
    });
    guarded(|| files.close(&app)).into_iter().for_each(tell);
    let end = end.ok_or_else(defect)?.map_err(Stop::Output)?;
    let mut saving = show.saving;
    if let Some(saving) = &mut saving {
        saving.screen(act, &app, &show.plan, &mut io::stderr())?;
    }
    if let (End::Quit, Some(act), Some(story)) = (end, app.next_act(), show.story) {
        let (speed, setup) = again;
        let next = Telling { act, ..story }.show(speed, setup);
        return Ok((end, Some(Show { save: show.save, saving, ..next })));
    }
    Ok((end, None))
}

/// What the screen begins with.
struct Opening {
    title: Title,
    cluster: Cluster,
    story: Option<Story>,
}

/// Comes by the cluster, and by a desk for its run.
fn set_up(
    start: Start,
    plan: &Plan,
    save: Option<PathBuf>,
) -> Result<(Files, Opening, Option<Time>), Stop> {
    let (cluster, source) = match start {
        Start::Saved { file, run, at } => {
            let (files, opened) = desk::open_run(&file, *run).map_err(Stop::Refused)?;
            let Opened { title, cluster, story } = opened;
            return Ok((files, Opening { title, cluster, story: Some(story) }, at));
        }
        Start::Attached(cluster, operator) => (cluster, Source::Remote { operator }),
        Start::Run(seed, runtime) => {
            let source = match runtime {
                RuntimeArg::Sim => Source::Simulated { seed },
                RuntimeArg::Memory => Source::Live { runtime: "memory".to_owned() },
                RuntimeArg::Quic => Source::Live { runtime: "quic".to_owned() },
            };
            (cli::start(plan, seed, Watch::Labels, runtime)?, source)
        }
    };
    let files = Files::new(plan, &source, save).map_err(Stop::Refused)?;
    Ok((files, Opening { title: desk::title(plan, source), cluster, story: None }, None))
}

/// Does this, unless it panics: what the screen shows is worth keeping also then.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// What there is to say after a panic, which was told already.
fn defect() -> Stop {
    let error = Error::new("this is a defect of netsplit, and nothing you did wrong");
    Stop::Failed(error.help("report the lines above, and the file of the run if there is one"))
}

/// Says where the run is, and how to have it again.
fn tell(kept: Result<Option<PathBuf>, Error>) {
    let text = match kept {
        Ok(None) => return,
        Ok(Some(path)) => format!("to go on: netsplit replay {}", path.display()),
        Err(error) => format!("the run was not saved: {}", error.what()),
    };
    // The terminal may be gone, and then nobody reads it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether this person was never here before. From now on they were. Where nothing can be
/// remembered, nobody is shown around again and again.
fn is_first_time() -> bool {
    let Ok(home) = Home::find() else { return false };
    home.once("tour-seen")
}

/// Says why the program ends early, and with which code. A reader that went away (`| head`) has
/// seen enough: that is no error.
fn explain(stop: &Stop, colour: bool) -> u8 {
    let (text, code) = match stop {
        Stop::Refused(error) => (error.render(colour), USAGE),
        Stop::Output(error) if error.kind() == ErrorKind::BrokenPipe => return OK,
        Stop::Output(error) => (format!("error: cannot write: {error}"), FAILED),
        Stop::Failed(error) => (error.render(colour), FAILED),
        Stop::Gone => ("error: the cluster's thread died".to_owned(), FAILED),
    };
    // There is nowhere left to tell that standard error is gone.
    let _ = writeln!(io::stderr(), "{text}");
    code
}
