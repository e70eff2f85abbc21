//! The loop that ties the app to a terminal, a cluster and the clock.
//!
//! One task owns everything. It waits for a key, an update, a signal or, only while time passes on
//! the screen, for the next tick; then it lets the app take it in and draws if anything changed. A
//! paused workbench waits and does nothing else: no bytes, no processor. A live cluster is never
//! paused, so it is drawn less often: nobody reads sixty pictures a second for hours.

use super::app::{App, Errand};
use super::copy;
use super::desk::{Desk, Opened};
use super::film::Reel;
use super::keyboard::{Keyboard, is_suspend};
use super::screen::{Screen, is_lost, watch_hangup};
use super::theme::Env;
use crate::base::Span;
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

/// Pictures a second at the most, here and over a slow line.
pub(super) const FRAME: Duration = Duration::from_millis(33);
pub(super) const SLOW_FRAME: Duration = Duration::from_millis(125);
/// How long a picture of a live cluster stays, unless a key waits for the next one.
const LIVE_FRAME: Duration = Duration::from_millis(100);
/// How often the file of the layout is looked at, if there is one. With a built-in layout a paused
/// workbench sleeps for good; with a file it wakes to ask when that was written, which costs some
/// microseconds a second and needs no watcher of another kind on every system.
const WATCH: Duration = Duration::from_secs(1);
/// How long updates are taken in between two looks at the keyboard.
const PATIENCE: Duration = Duration::from_millis(4);

/// Two clicks within this time are a double click.
const DOUBLE: Duration = Duration::from_millis(400);

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The person left.
    Quit,
    /// A signal of this number came, or the terminal went away (1).
    Signal(u8),
}

/// Shows a cluster until the person leaves or a signal comes, and records it under a title if there
/// is something to record on. The terminal is as before afterwards.
///
/// # Errors
///
/// What the terminal says when it cannot be written to or read from.
pub fn run(
    app: &mut App,
    cluster: Cluster,
    desk: &mut dyn Desk,
    keyboard: &mut Keyboard,
    slow_line: bool,
    (reel, title): (&mut Reel, &str),
) -> io::Result<End> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut screen = Screen::enter()?;
    let lost = Arc::new(Notify::new());
    let told = Arc::clone(&lost);
    watch_hangup(move || told.notify_one());
    app.resize(screen.area());
    let Rect { width, height, .. } = screen.area();
    reel.begin((width, height), title)?;
    let turn = turn(app, cluster, desk, keyboard, &mut screen, slow_line, reel);
    let end = runtime.block_on(async {
        tokio::select! {
            biased;
            () = lost.notified() => Ok(End::Signal(1)),
            end = turn => end,
        }
    });
    drop(screen);
    let end = if is_lost() { Ok(End::Signal(1)) } else { end };
    reel.flush()?;
    end
}

async fn turn(
    app: &mut App,
    mut cluster: Cluster,
    desk: &mut dyn Desk,
    keyboard: &mut Keyboard,
    screen: &mut Screen,
    slow_line: bool,
    reel: &mut Reel,
) -> io::Result<End> {
    let (mut term, mut hup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut ticks = interval(if slow_line { SLOW_FRAME } else { FRAME });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last_tick = Instant::now();
    let mut drawn = Instant::now() - LIVE_FRAME;
    // Whether there is something new to show, and whether a key waits for it.
    let (mut dirty, mut answer) = (true, true);
    let mut outbox = VecDeque::new();
    let mut clicks = Clicks::default();
    let mut over = false;
    let mut watch = interval(WATCH);
    let mut written = last_written(app);
    loop {
        let stays = stays(app, slow_line);
        if dirty && (answer || drawn.elapsed() >= stays) {
            show(app, screen, reel)?;
            (dirty, answer, drawn) = (false, false, Instant::now());
        }
        screen.set_mouse(app.mouse_wanted())?;
        if fill_clipboard(app, screen)? {
            (dirty, answer) = (true, true);
            continue;
        }
        for errand in app.errands() {
            dirty = true;
            if let Some(other) = run_errand(app, desk, errand) {
                (cluster, over, outbox) = (other, false, VecDeque::new());
            }
        }
        outbox.extend(app.commands());
        send(&mut outbox, &cluster);
        if app.quits() {
            return Ok(End::Quit);
        }
        let ticking = app.moves();
        tokio::select! {
            biased;
            event = keyboard.next() => match event {
                Some(Ok(event)) if is_suspend(&event) => {
                    screen.suspend().await?;
                    (dirty, answer) = (true, true);
                }
                Some(Ok(event)) => {
                    take_in(app, screen, &event, &mut clicks)?;
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
                app.tick(Span(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)));
                dirty |= app.moves();
            }
            () = sleep_until((drawn + stays).into()), if dirty => {}
            _ = watch.tick(), if app.layout_file().is_some() => {
                if reloaded(app, &mut written) {
                    (dirty, answer) = (true, true);
                }
            }
            update = cluster.updates.recv(), if !over => match update {
                Some(update) => dirty |= take_updates(app, &mut cluster, desk, update),
                None => {
                    app.ended();
                    (over, dirty) = (true, true);
                }
            },
        }
    }
}

/// Records what there is to see, and draws it. In this order: what was drawn last is what the mouse
/// points at.
fn show(app: &App, screen: &mut Screen, reel: &mut Reel) -> io::Result<()> {
    reel.show(app.reached(), |buf| {
        app.draw(buf);
    })?;
    screen.draw(|buf| app.draw(buf)).map(|_| ())
}

/// Takes the layout anew if its file has changed. Says whether it has.
fn reloaded(app: &mut App, written: &mut Option<(PathBuf, SystemTime)>) -> bool {
    let now = last_written(app);
    let changed = now != *written;
    if changed {
        *written = now;
        app.reload();
    }
    changed
}

/// Which file the layout is in, and when that was written.
fn last_written(app: &App) -> Option<(PathBuf, SystemTime)> {
    let file = app.layout_file()?;
    let written = std::fs::metadata(file).and_then(|meta| meta.modified()).ok()?;
    Some((file.to_owned(), written))
}

/// Sends what can be sent. Never waits: the cluster may itself be waiting for its updates to be
/// taken in.
pub(super) fn send(outbox: &mut VecDeque<Command>, cluster: &Cluster) {
    while let Some(command) = outbox.pop_front() {
        match cluster.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(command)) => {
                outbox.push_front(command);
                break;
            }
            // The updates end, too, and that is what is said.
            Err(TrySendError::Closed(_)) => outbox.clear(),
        }
    }
}

/// Puts on the clipboard what is to be there. Says whether there was something.
fn fill_clipboard(app: &mut App, screen: &mut Screen) -> io::Result<bool> {
    let Some(copy) = app.to_copy() else { return Ok(false) };
    let way = match copy::by_tool(&Env::read(), &copy.text) {
        Some(tool) => tool,
        None => screen.copy(&copy.text).map(|()| "the terminal, if it allows it")?,
    };
    app.copied(&copy, way);
    Ok(true)
}

/// How long a picture stays at the least.
fn stays(app: &App, slow_line: bool) -> Duration {
    match (app.is_live(), app.moves()) {
        (true, _) => LIVE_FRAME,
        (false, true) if slow_line => SLOW_FRAME,
        (false, true) => FRAME,
        (false, false) => Duration::ZERO,
    }
}

/// Takes in what has come, but not so much that a key would have to wait. Says whether there is
/// something new to show.
fn take_updates(app: &mut App, cluster: &mut Cluster, desk: &mut dyn Desk, first: Update) -> bool {
    let start = Instant::now();
    let mut news = take_in_update(app, desk, first);
    while start.elapsed() < PATIENCE
        && let Ok(update) = cluster.updates.try_recv()
    {
        news |= take_in_update(app, desk, update);
    }
    news
}

/// Takes in one update, and takes note of it. Says whether there is something new to show.
pub(super) fn take_in_update(app: &mut App, desk: &mut dyn Desk, update: Update) -> bool {
    let notice = desk.see(&update);
    let news = app.update(update);
    let told = notice.is_some();
    notice.into_iter().for_each(|notice| app.told(notice));
    news | told
}

/// Does what the app wants done with files. Some cluster, if another run is to be shown.
pub(super) fn run_errand(app: &mut App, desk: &mut dyn Desk, errand: Errand) -> Option<Cluster> {
    match errand {
        Errand::Save(path) => {
            let done = desk.save(app, &path);
            app.told(done.unwrap_or_else(|why| why));
            None
        }
        Errand::Bring(head, path) => {
            match desk.bring(&path) {
                Ok(content) => app.brought(&head, &content),
                Err(why) => app.told(why),
            }
            None
        }
        Errand::Take(content, path) => {
            let done = desk.take(&content, &path).map(|()| format!("{content}: in {path}"));
            app.told(done.unwrap_or_else(|why| why));
            None
        }
        Errand::Open(path) => match desk.open(app, &path) {
            Ok(Opened { title, cluster, story }) => {
                app.open(title, Some(story));
                Some(cluster)
            }
            Err(why) => {
                app.told(why);
                None
            }
        },
    }
}

/// The last click, to tell a double click by.
#[derive(Debug, Default)]
struct Clicks(Option<(Instant, (u16, u16))>);

impl Clicks {
    /// Whether this is the second click of a double click.
    fn again(&mut self, event: &MouseEvent) -> bool {
        let MouseEventKind::Down(_) = event.kind else { return false };
        let (now, place) = (Instant::now(), (event.column, event.row));
        let again = self.0.is_some_and(|(at, last)| last == place && now - at < DOUBLE);
        // A third click is a first one again.
        self.0 = Some((now, place)).filter(|_| !again);
        again
    }
}

fn take_in(
    app: &mut App,
    screen: &mut Screen,
    event: &Event,
    clicks: &mut Clicks,
) -> io::Result<()> {
    match event {
        Event::Key(key) if *key == KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL) => {
            screen.redraw();
        }
        Event::Key(key) => app.key(key),
        Event::Paste(text) => app.paste(text),
        Event::Resize(..) => {
            screen.resize()?;
            app.resize(screen.area());
        }
        Event::Mouse(mouse) => app.mouse(mouse, clicks.again(mouse)),
        Event::FocusGained | Event::FocusLost => {}
    }
    Ok(())
}
