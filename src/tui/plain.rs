//! The loop of a workbench of lines: for screen readers, dumb terminals and pipes.
//!
//! Nothing is drawn over and nothing is asked of the terminal: events and answers are lines, one
//! after the other. Lines that come from a pipe wait until the time that was asked for has passed,
//! so that the same lines give the same run.

use super::app::{App, Plain};
use super::desk::Desk;
use super::run::{End, run_errand, take_in_update};
use crate::base::Span;
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::interval;

/// How often time passes while a cluster runs.
const TICK: Duration = Duration::from_millis(100);

/// Shows a cluster line by line until the person leaves or the lines end.
///
/// # Errors
/// The output cannot be written.
pub fn run(
    app: &mut App,
    cluster: Cluster,
    desk: &mut dyn Desk,
    out: &mut dyn Write,
) -> io::Result<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lines = read_lines()?;
    let end = runtime.block_on(turn(app, cluster, lines, desk, out));
    // A thread may still wait for a line that never comes.
    runtime.shutdown_background();
    end
}

/// The lines of standard input, read by a thread of their own.
fn read_lines() -> io::Result<UnboundedReceiver<String>> {
    let (send, lines) = unbounded_channel();
    let read = move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if send.send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("lines".to_owned()).spawn(read)?;
    Ok(lines)
}

async fn turn(
    app: &mut App,
    mut cluster: Cluster,
    mut lines: UnboundedReceiver<String>,
    desk: &mut dyn Desk,
    out: &mut dyn Write,
) -> io::Result<End> {
    let (mut term, mut hup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let person = io::stdin().is_terminal();
    let mut ticks = interval(TICK);
    let (mut plain, mut over, mut waits) = (Plain::default(), false, false);
    let mut last = Instant::now();
    say(out, &["netsplit: help tells the lines that can be written".to_owned(), app.status()])?;
    loop {
        tell(app, &mut plain, out)?;
        for errand in app.errands() {
            if let Some(other) = run_errand(app, desk, errand) {
                (cluster, over, plain) = (other, false, Plain::default());
            }
            tell(app, &mut plain, out)?;
        }
        let mut commands = app.commands();
        // A simulated cluster answers this when all before it is done.
        if !commands.is_empty() && !app.is_live() && !app.moves() {
            commands.push(Command::Stop);
            waits = true;
        }
        for command in commands {
            if cluster.commands.send(command).await.is_err() {
                over = true;
            }
        }
        if app.quits() {
            return Ok(End::Quit);
        }
        let moves = app.moves();
        // Who sits there may stop what runs; a pipe would run ahead of it.
        let listens = app.is_live() || person || !(moves || waits);
        tokio::select! {
            biased;
            update = cluster.updates.recv(), if !over => match update {
                Some(update) => {
                    waits &= !matches!(update, Update::Reached { .. });
                    take_in_update(app, desk, update);
                    if moves && !app.moves() {
                        tell(app, &mut plain, out)?;
                        say(out, &[app.status()])?;
                    }
                }
                None => {
                    app.ended();
                    over = true;
                }
            },
            line = lines.recv(), if listens => match line {
                Some(line) if !person && line.trim() == "run" && !app.is_live() => {
                    say(out, &["say how long: run 3s, run until 10s".to_owned()])?;
                }
                Some(line) => {
                    let answer = app.line(&mut plain, &line);
                    say(out, &app.readable(answer))?;
                }
                None => return Ok(End::Quit),
            },
            _ = term.recv() => return Ok(End::Signal(15)),
            _ = hup.recv() => return Ok(End::Signal(1)),
            _ = ticks.tick(), if moves => {
                let passed = u64::try_from(last.elapsed().as_micros()).unwrap_or(u64::MAX);
                last = Instant::now();
                app.tick(Span(passed.min(250_000)));
            }
        }
    }
}

/// Tells what happened, and what there is to say of it.
fn tell(app: &mut App, plain: &mut Plain, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = app.news(plain);
    lines.extend(app.notices());
    say(out, &app.readable(lines))
}

fn say(out: &mut dyn Write, lines: &[String]) -> io::Result<()> {
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
