//! Several runs abreast: the same cluster on several kinds of log.
//!
//! ```text
//!  key, tick ──> each App ──> its own cluster ──> its own App ──┐
//!                                                               ├──> columns: a pane, and figures
//!                another App ──> another cluster ──> … ─────────┘
//! ```
//!
//! Each run has an app of its own, and every key goes to all of them: so they pause, look back and
//! go on together, and whom a command means (`kill leader`) is found out in each. What lies over
//! the panes (a line that is typed, a menu, help) is drawn once, from the first app that has any.

use super::app::App;
use super::frame;
use super::keyboard::{Keyboard, is_suspend};
use super::run::{End, FRAME, SLOW_FRAME, send};
use super::screen::{Screen, is_lost, watch_hangup};
use super::theme::Role;
use crate::base::Span;
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// The narrowest that a column gets.
const NARROWEST: u16 = 26;
/// How many rows the pane has at the least, with its border.
const SMALLEST_PANE: u16 = 10;
/// How many updates of all clusters wait to be taken in.
const ROOM: usize = 64;
/// How many are taken in between two looks at the keyboard.
const AT_ONCE: usize = 32;

/// Several runs, side by side.
#[derive(Debug)]
pub struct Abreast {
    sides: Vec<(&'static str, App)>,
}

impl Abreast {
    /// The runs of these apps, each under a name; one at least.
    pub fn new(sides: Vec<(&'static str, App)>) -> Abreast {
        Abreast { sides }
    }

    /// The screen has this size now.
    pub fn resize(&mut self, screen: Rect) {
        self.sides.iter_mut().for_each(|(_, app)| app.resize(screen));
    }

    /// What a key does, in all of them.
    pub fn key(&mut self, key: &KeyEvent) {
        self.sides.iter_mut().for_each(|(_, app)| app.key(key));
    }

    /// A line was pasted.
    pub fn paste(&mut self, text: &str) {
        self.sides.iter_mut().for_each(|(_, app)| app.paste(text));
    }

    /// So much of the person's time has passed.
    pub fn tick(&mut self, wall: Span) {
        self.sides.iter_mut().for_each(|(_, app)| app.tick(wall));
    }

    /// Whether time passes on the screen.
    pub fn moves(&self) -> bool {
        self.sides.iter().any(|(_, app)| app.moves())
    }

    /// Whether the person wants to leave.
    pub fn quits(&self) -> bool {
        self.sides.iter().any(|(_, app)| app.quits())
    }

    /// Takes in what came out of the cluster with this index. Says whether there is something new.
    pub fn update(&mut self, side: usize, update: Update) -> bool {
        self.sides.get_mut(side).is_some_and(|(_, app)| app.update(update))
    }

    /// Takes the commands that are to be sent to the cluster with this index.
    pub fn commands(&mut self, side: usize) -> Vec<Command> {
        self.sides.get_mut(side).map_or(Vec::new(), |(_, app)| app.commands())
    }

    /// What would need a file or the clipboard is not done here, and the person is told so.
    fn decline(&mut self) {
        for (_, app) in &mut self.sides {
            let asked = !app.errands().is_empty() || app.to_copy().is_some();
            if asked {
                app.told("not while runs are compared: open one of them with 'netsplit run'");
            }
        }
    }

    /// Draws all of it. Returns where the terminal's cursor belongs, if anywhere.
    pub fn draw(&self, buf: &mut Buffer) -> Option<Position> {
        let screen = buf.area;
        let (_, front) =
            self.sides.iter().find(|(_, app)| app.is_covered()).or(self.sides.first())?;
        if !front.fits(screen) || screen.width / (self.sides.len() as u16) < NARROWEST {
            frame::too_small(buf);
            return None;
        }
        let rules = self.sides.iter().map(|(_, app)| app.timeline().checks());
        let broken = rules.clone().map(|checks| checks.violations().count()).sum();
        let holds = rules.map(|checks| checks.holding()).sum();
        front.draw_header(Rect { height: 1, ..screen }, (holds, broken), buf);
        let hints = Rect { y: screen.bottom() - 1, height: 1, ..screen };
        let body = Rect { y: screen.y + 1, height: screen.height - 2, ..screen };
        for (column, (name, app)) in columns(body, self.sides.len()).zip(&self.sides) {
            draw_side(name, app, column, buf);
        }
        let cursor = front.draw_over(hints, buf);
        front.looks().finish(buf);
        cursor
    }
}

/// Columns of about the same width.
fn columns(body: Rect, count: usize) -> impl Iterator<Item = Rect> {
    let count = count.max(1) as u16;
    (0..count).map(move |at| {
        let edge = |at: u16| (u32::from(body.width) * u32::from(at) / u32::from(count)) as u16;
        Rect { x: body.x + edge(at), width: edge(at + 1) - edge(at), ..body }
    })
}

fn draw_side(name: &str, app: &App, column: Rect, buf: &mut Buffer) {
    let figures = figures(app);
    let height = (figures.len() as u16 + 2).min(column.height.saturating_sub(SMALLEST_PANE));
    let above = Rect { height: column.height - height, ..column };
    let below = Rect { y: above.bottom(), height, ..column };
    app.draw_pane(name, above, buf);
    let look = app.looks();
    let inside = frame::boxed(buf, below, look, "so far", Line::default());
    for (row, (what, figure, role)) in inside.rows().zip(figures) {
        let room = usize::from(row.width).saturating_sub(what.len() + 1);
        let line = Line::styled(format!("{what} {figure:>room$}"), look.style(role));
        frame::put(buf, row, &frame::cut(line, row.width.into(), look.glyphs.ellipsis));
    }
}

/// What came of a run up to where one looks at it.
fn figures(app: &App) -> Vec<(&'static str, String, Role)> {
    let board = app.timeline().board();
    let (pulse, now) = (&board.pulse, board.now);
    let seconds = |span: Span| format!("{:.3} s", span.0 as f64 / 1e6);
    let each = match pulse.entries {
        0 => "-".to_owned(),
        entries => format!("{:.1}", pulse.messages as f64 / entries as f64),
    };
    let broken: Vec<&str> = app.timeline().checks().violations().map(|it| it.check).collect();
    let (verdict, role) = match broken.as_slice() {
        [] => ("all hold".to_owned(), Role::Ok),
        broken => (format!("broken: {}", broken.join(" ")), Role::Bad),
    };
    let text = |what, figure| (what, figure, Role::Text);
    vec![
        ("rules", verdict, role),
        text("leaders elected", pulse.elections.to_string()),
        text("nobody led for", seconds(pulse.leaderless(now))),
        text("entries", pulse.entries.to_string()),
        text("messages an entry", each),
        text("asked for", pulse.asked.to_string()),
        text("  done", pulse.done.to_string()),
        text("  refused", pulse.refused.to_string()),
        text("  unknown", pulse.unknown.to_string()),
        text("nothing done for", seconds(pulse.silence(now))),
    ]
}

/// Shows runs and their clusters, in the same order, until the person leaves or a signal comes.
/// The terminal is as before afterwards.
///
/// # Errors
///
/// What the terminal says when it cannot be written to or read from.
pub fn run(
    abreast: &mut Abreast,
    clusters: Vec<Cluster>,
    keyboard: &mut Keyboard,
    slow_line: bool,
) -> io::Result<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut screen = Screen::enter()?;
    let lost = Arc::new(Notify::new());
    let told = Arc::clone(&lost);
    watch_hangup(move || told.notify_one());
    abreast.resize(screen.area());
    let turn = turn(abreast, clusters, keyboard, &mut screen, slow_line);
    let end = runtime.block_on(async {
        tokio::select! {
            biased;
            () = lost.notified() => Ok(End::Signal(1)),
            end = turn => end,
        }
    });
    drop(screen);
    if is_lost() { Ok(End::Signal(1)) } else { end }
}

/// What comes out of all clusters, each update with the index of its own.
fn gather(clusters: &mut [Cluster]) -> mpsc::Receiver<(usize, Update)> {
    let (put, get) = mpsc::channel(ROOM);
    for (side, cluster) in clusters.iter_mut().enumerate() {
        let nothing = mpsc::channel(1).1;
        let mut updates = std::mem::replace(&mut cluster.updates, nothing);
        let put = put.clone();
        tokio::spawn(async move {
            while let Some(update) = updates.recv().await {
                if put.send((side, update)).await.is_err() {
                    break;
                }
            }
        });
    }
    get
}

async fn turn(
    abreast: &mut Abreast,
    mut clusters: Vec<Cluster>,
    keyboard: &mut Keyboard,
    screen: &mut Screen,
    slow_line: bool,
) -> io::Result<End> {
    let (mut term, mut hup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut updates = gather(&mut clusters);
    let frame = if slow_line { SLOW_FRAME } else { FRAME };
    let mut ticks = interval(frame);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut outboxes: Vec<VecDeque<Command>> = clusters.iter().map(|_| VecDeque::new()).collect();
    let mut last_tick = Instant::now();
    // Whether there is something new to show; and whether it need not wait for the next tick.
    let (mut dirty, mut answer) = (true, true);
    loop {
        // Before there is a picture: what is told is to be seen.
        abreast.decline();
        if dirty && (answer || !abreast.moves()) {
            screen.draw(|buf| abreast.draw(buf))?;
            (dirty, answer) = (false, false);
        }
        for (side, (outbox, cluster)) in outboxes.iter_mut().zip(&clusters).enumerate() {
            outbox.extend(abreast.commands(side));
            send(outbox, cluster);
        }
        if abreast.quits() {
            return Ok(End::Quit);
        }
        let ticking = abreast.moves();
        tokio::select! {
            biased;
            event = keyboard.next() => match event {
                Some(Ok(event)) if is_suspend(&event) => {
                    screen.suspend().await?;
                    (dirty, answer) = (true, true);
                }
                Some(Ok(event)) => {
                    take_in(abreast, screen, &event)?;
                    (dirty, answer) = (true, true);
                    last_tick = if ticking { last_tick } else { Instant::now() };
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(End::Signal(1)),
            },
            _ = term.recv() => return Ok(End::Signal(15)),
            _ = hup.recv() => return Ok(End::Signal(1)),
            _ = ticks.tick(), if ticking => {
                let passed = last_tick.elapsed().min(Duration::from_millis(250));
                last_tick = Instant::now();
                abreast.tick(Span(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)));
                (dirty, answer) = (true, true);
            }
            Some((side, update)) = updates.recv() => {
                dirty |= abreast.update(side, update);
                for _ in 0..AT_ONCE {
                    let Ok((side, update)) = updates.try_recv() else { break };
                    dirty |= abreast.update(side, update);
                }
            }
        }
    }
}

fn take_in(abreast: &mut Abreast, screen: &mut Screen, event: &Event) -> io::Result<()> {
    match event {
        Event::Key(key) if *key == KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL) => {
            screen.redraw();
        }
        Event::Key(key) => abreast.key(key),
        Event::Paste(text) => abreast.paste(text),
        Event::Resize(..) => {
            screen.resize()?;
            abreast.resize(screen.area());
        }
        Event::Mouse(_) | Event::FocusGained | Event::FocusLost => {}
    }
    Ok(())
}
