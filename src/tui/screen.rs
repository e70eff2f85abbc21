//! The terminal: the one place that changes its modes and writes to it.
//!
//! A [`Screen`] takes the terminal over when it is made and gives it back when it is dropped, when
//! the thread that made it panics, or when [`restore`] is called, whichever comes first; giving it
//! back twice does nothing. A panic on any other thread, such as a simulated node's, must not tear
//! the screen down under a running program: it is kept for [`take_panics`] instead.
//!
//! A [`Painter`] turns buffers into bytes. It keeps what is on the terminal, writes only the cells
//! that differ, all in one write and between the marks of a synchronized update, and writes nothing
//! at all if nothing differs. It never clears the terminal: a new size is painted over in full.

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Modifier;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, kill_current_process_group};
use std::io::{self, IsTerminal, Stdout, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// Larger sizes are taken for this one: a terminal that claims to have 65535 rows would otherwise
/// cost gigabytes.
const LARGEST: Size = Size::new(1000, 500);

/// Whether the terminal is ours now.
static OURS: AtomicBool = AtomicBool::new(false);
/// The thread that draws.
static DRAWER: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What other threads said when they panicked.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What the terminal tells of the mouse, rather than use it itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mouse {
    /// Nothing.
    #[default]
    Off,
    /// Buttons and the wheel.
    Clicks,
    /// Movements with a button held, too.
    Drags,
}

impl Mouse {
    /// What asks the terminal for it: buttons 1000, movements 1002, any column 1006. Of the first
    /// two only one can be on, and either one's end is the end of both.
    fn ask(self) -> &'static str {
        match self {
            Mouse::Off => "\x1b[?1002l\x1b[?1000l\x1b[?1006l",
            Mouse::Clicks => "\x1b[?1002l\x1b[?1000h\x1b[?1006h",
            Mouse::Drags => "\x1b[?1002h\x1b[?1006h",
        }
    }
}

/// Draws buffers on a terminal of which it knows what it shows.
#[derive(Debug)]
pub struct Painter<W: Write> {
    out: W,
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    stale: bool,
    clear: bool,
    bytes: u64,
}

impl<W: Write> Painter<W> {
    /// Draws on `out`, of which nothing is known but its size and that the cursor is hidden.
    pub fn new(out: W, size: Size) -> Painter<W> {
        let area = area(size);
        let (shown, next) = (Buffer::empty(area), Buffer::empty(area));
        Painter { out, shown, next, cursor: None, stale: true, clear: false, bytes: 0 }
    }

    /// What `draw` will be given.
    pub fn area(&self) -> Rect {
        self.next.area
    }

    /// The terminal has another size now; the next frame paints all of it.
    pub fn resize(&mut self, size: Size) {
        let area = area(size);
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.stale = true;
    }

    /// Someone else wrote to the terminal: clear it and paint all of it with the next frame.
    pub fn redraw(&mut self) {
        self.stale = true;
        self.clear = true;
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it draws on.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Draws a frame. `paint` gets an empty buffer and says where the cursor is to be seen, if it
    /// is. Returns how many bytes were written: none if the frame is the one before.
    pub fn draw(
        &mut self,
        paint: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<usize> {
        self.next.reset();
        let area = self.next.area;
        let cursor = paint(&mut self.next).filter(|at| area.contains(*at));
        let frame = self.frame(cursor)?;
        if !frame.is_empty() {
            self.out.write_all(&frame)?;
            self.out.flush()?;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        (self.cursor, self.stale, self.clear) = (cursor, false, false);
        self.bytes += frame.len() as u64;
        Ok(frame.len())
    }

    /// The bytes that turn what is shown into what is next.
    fn frame(&mut self, cursor: Option<Position>) -> io::Result<Vec<u8>> {
        if self.stale {
            // Nothing on the screen blinks, so every cell differs from this one.
            let mut unlike = Cell::EMPTY;
            unlike.modifier = Modifier::all();
            self.shown = Buffer::filled(self.next.area, unlike);
        }
        let changes = self.shown.diff(&self.next);
        let mut frame = Vec::new();
        if changes.is_empty() && cursor == self.cursor && !self.stale {
            return Ok(frame);
        }
        queue!(frame, BeginSynchronizedUpdate)?;
        if self.clear {
            queue!(frame, Clear(ClearType::All))?;
        }
        if !changes.is_empty() {
            CrosstermBackend::new(&mut frame).draw(changes.into_iter())?;
        }
        match (cursor, self.cursor) {
            (Some(at), Some(_)) => queue!(frame, MoveTo(at.x, at.y))?,
            (Some(at), None) => queue!(frame, MoveTo(at.x, at.y), Show)?,
            (None, Some(_)) => queue!(frame, Hide)?,
            (None, None) => {}
        }
        queue!(frame, EndSynchronizedUpdate)?;
        Ok(frame)
    }
}

fn area(size: Size) -> Rect {
    Rect::new(0, 0, size.width.min(LARGEST.width), size.height.min(LARGEST.height))
}

/// Within this time of its signal, every thread of a program has stopped.
const STOPPING: Duration = Duration::from_millis(500);

/// The terminal, taken over.
#[derive(Debug)]
pub struct Screen {
    painter: Painter<Stdout>,
    mouse: Mouse,
}

impl Screen {
    /// Takes the terminal over: alternate screen, raw mode, bracketed paste, hidden cursor. The
    /// thread that calls this is the one whose panics give the terminal back.
    ///
    /// # Errors
    /// Fails if standard output is not a terminal, or does not tell its size.
    pub fn enter() -> io::Result<Screen> {
        // Whether to use colours was decided by `Look`; crossterm must not decide again, since with
        // NO_COLOR it would drop bold and reverse as well.
        crossterm::style::force_color_output(true);
        let size = terminal_size()?;
        *locked(&DRAWER) = Some(thread::current().id());
        static HOOK: Once = Once::new();
        HOOK.call_once(install_hook);
        take_over()?;
        Ok(Screen { painter: Painter::new(io::stdout(), size), mouse: Mouse::Off })
    }

    /// What `draw` will be given.
    pub fn area(&self) -> Rect {
        self.painter.area()
    }

    /// Call this when the terminal reports a new size; the report itself may be out of date.
    ///
    /// # Errors
    /// Fails if the terminal is gone.
    pub fn resize(&mut self) -> io::Result<()> {
        self.painter.resize(terminal_size()?);
        Ok(())
    }

    /// Clear the terminal and paint all of it with the next frame.
    pub fn redraw(&mut self) {
        self.painter.redraw();
    }

    /// Has the terminal tell this of the mouse from now on.
    ///
    /// # Errors
    /// Fails if the terminal is gone.
    pub fn set_mouse(&mut self, mouse: Mouse) -> io::Result<()> {
        if std::mem::replace(&mut self.mouse, mouse) != mouse {
            let mut out = io::stdout();
            out.write_all(mouse.ask().as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }

    /// Asks the terminal to put a text on the clipboard of whoever sits at it.
    ///
    /// # Errors
    /// Fails if the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        queue!(out, CopyToClipboard::to_clipboard_from(text))?;
        out.flush()
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.painter.bytes()
    }

    /// Draws a frame, see [`Painter::draw`].
    ///
    /// # Errors
    /// Fails if the terminal is gone.
    pub fn draw(
        &mut self,
        paint: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> io::Result<usize> {
        self.painter.draw(paint)
    }

    /// Gives the terminal back, stops the program until the shell continues it, and takes the
    /// terminal again. No thread may be reading from the terminal meanwhile.
    ///
    /// # Errors
    /// Fails if the terminal is gone.
    pub async fn suspend(&mut self) -> io::Result<()> {
        restore();
        self.mouse = Mouse::Off;
        sleep().await?;
        take_over()?;
        self.painter =
            Painter { bytes: self.bytes(), ..Painter::new(io::stdout(), terminal_size()?) };
        Ok(())
    }
}

/// Stops the whole group, as the terminal itself would: whatever started us stops with us. Comes
/// back once it is continued. Any thread may take the signal, and this one goes on until that one
/// has; where there is no shell that could continue us, the system lets nobody be stopped.
async fn sleep() -> io::Result<()> {
    let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    kill_current_process_group(Signal::TSTP)?;
    // Awake after this time is awake for good.
    let _ = timeout(STOPPING, continued.recv()).await;
    Ok(())
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn terminal_size() -> io::Result<Size> {
    let (width, height) = size()?;
    Ok(Size { width, height })
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    queue!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    out.flush()
}

/// Gives the terminal back as it was, from any thread; does nothing if it is not ours. Errors are
/// ignored: if the terminal is gone, there is nothing to give back.
pub fn restore() {
    if OURS.swap(false, Ordering::SeqCst) {
        let _ = leave(&mut io::stdout());
        let _ = disable_raw_mode();
    }
}

/// Undoes what `take_over`, `set_mouse` and a frame that was cut short may have left.
fn leave(out: &mut impl Write) -> io::Result<()> {
    queue!(
        out,
        EndSynchronizedUpdate,
        Print(Mouse::Off.ask()),
        SetAttribute(Attribute::Reset),
        DisableBracketedPaste,
        Show,
        LeaveAlternateScreen
    )?;
    out.flush()
}

/// The messages of threads that panicked while the screen was up, oldest first. Each is told once.
pub fn take_panics() -> Vec<String> {
    std::mem::take(&mut *locked(&PANICS))
}

fn install_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let drawer = *locked(&DRAWER) == Some(thread::current().id());
        if OURS.load(Ordering::SeqCst) && !drawer {
            let mut panics = locked(&PANICS);
            // A node that panics in a loop must not fill the memory.
            if panics.len() < 100 {
                panics.push(info.to_string());
            }
            return;
        }
        restore();
        before(info);
    }));
}

/// A panic while one of the locks was held leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long what is under way may take when the terminal is gone.
const LAST: Duration = Duration::from_secs(3);

/// Says so when the terminal goes away, and ends the process with status 129 if it is still there
/// after a while. Where hang-ups are ignored, as under `nohup`, reading keys from a lost terminal
/// would otherwise spin without end.
pub fn watch_hangup(say: impl Fn() + Send + 'static) {
    let watch = move || {
        while let Some(lost) = hangs_up(true) {
            if lost {
                say();
                thread::sleep(LAST);
                std::process::exit(129)
            }
        }
    };
    if io::stdin().is_terminal() {
        // Without the watch the program works as well; it only cannot tell that it is alone.
        let _ = thread::Builder::new().name("hang-up watch".to_owned()).spawn(watch);
    }
}

/// Whether the terminal is gone.
pub fn is_lost() -> bool {
    hangs_up(false) == Some(true)
}

/// Looks whether the terminal has hung up, or waits until it may have. None where nobody can tell.
fn hangs_up(wait: bool) -> Option<bool> {
    let stdin = io::stdin();
    let mut descriptor = [PollFd::new(&stdin, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut descriptor, if wait { None } else { Some(&now) }) {
        Ok(_) => Some(descriptor[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)),
        Err(Errno::INTR) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Color, Style};

    const MODES: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[?1002h\x1b[?1006h";

    fn emulator(rows: u16, columns: u16) -> vt100::Parser {
        vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
    }

    fn count(bytes: &[u8], part: &str) -> usize {
        bytes.windows(part.len()).filter(|window| *window == part.as_bytes()).count()
    }

    /// Draws frames of text one after the other; the terminal's screen and the bytes of each.
    fn frames(size: Size, texts: &[&str]) -> (String, Vec<usize>, Vec<u8>) {
        let mut painter = Painter::new(Vec::new(), size);
        let mut written = Vec::new();
        for text in texts {
            let paint = |buf: &mut Buffer| {
                buf.set_string(0, 0, text, Style::new().fg(Color::Red));
                None
            };
            written.push(painter.draw(paint).unwrap());
        }
        assert_eq!(painter.bytes() as usize, painter.out.len());
        let mut terminal = emulator(size.height.max(1), size.width.max(1));
        terminal.process(&painter.out);
        (terminal.screen().contents(), written, painter.out)
    }

    #[test]
    fn only_what_changed_is_written() {
        let (screen, written, bytes) =
            frames(Size::new(20, 3), &["ballot 41", "ballot 41", "ballot 42", "", ""]);
        assert_eq!(screen.trim_end(), "");
        assert!(written[0] >= 60, "the first frame paints every cell: {written:?}");
        assert_eq!((written[1], written[4]), (0, 0));
        assert!(written[2] < 60, "{written:?}");
        assert_eq!((count(&bytes, "\x1b[?2026h"), count(&bytes, "\x1b[?2026l")), (3, 3));
        assert_eq!(count(&bytes, "\x1b[2J"), 0);
        assert!(count(&bytes, "\x1b[?25") == 0, "the cursor stays hidden");
    }

    #[test]
    fn wide_and_hostile_text_stays_in_place() {
        let (screen, ..) = frames(Size::new(12, 1), &["日本\x1b[31m\u{7}x", "ab本|\u{301}"]);
        assert_eq!(screen.trim_end(), "ab本|\u{301}");
        let (_, written, bytes) = frames(Size::new(0, 0), &["", ""]);
        assert_eq!(written[1], 0);
        assert_eq!(count(&bytes, "\0"), 0);
    }

    #[test]
    fn a_new_size_is_painted_over_and_only_redraw_clears() {
        let mut painter = Painter::new(Vec::new(), Size::new(8, 2));
        let mut terminal = emulator(2, 8);
        terminal.process(b"rubbish\r\nrubbish");
        painter.draw(|_| None).unwrap();
        painter.resize(Size::new(10, 3));
        painter
            .draw(|buf| {
                buf.set_string(0, 2, "0123456789", Style::new());
                None
            })
            .unwrap();
        assert_eq!(count(&painter.out, "\x1b[2J"), 0);
        painter.redraw();
        painter.draw(|_| None).unwrap();
        assert_eq!(count(&painter.out, "\x1b[2J"), 1);
        painter.draw(|_| None).unwrap();
        assert_eq!(count(&painter.out, "\x1b[2J"), 1);
        terminal.process(&painter.out);
        assert_eq!(terminal.screen().contents().trim(), "");
    }

    #[test]
    fn the_cursor_is_shown_where_asked_and_nowhere_else() {
        let mut painter = Painter::new(Vec::new(), Size::new(8, 2));
        let mut terminal = emulator(2, 8);
        let mut show = |at: Option<(u16, u16)>| {
            painter.out.clear();
            let written = painter.draw(|_| at.map(Position::from)).unwrap();
            terminal.process(&painter.out);
            let screen = terminal.screen();
            (written > 0, (!screen.hide_cursor()).then(|| screen.cursor_position()))
        };
        show(Some((0, 0)));
        assert_eq!(show(Some((3, 1))), (true, Some((1, 3))));
        assert_eq!(show(Some((3, 1))), (false, Some((1, 3))));
        assert_eq!(show(Some((8, 1))), (true, None), "outside the screen");
        assert_eq!(show(None), (false, None));
    }

    #[test]
    fn leaving_undoes_entering_even_in_the_middle_of_a_frame() {
        let mut terminal = emulator(4, 20);
        terminal.process(b"$ netsplit\r\n");
        let before = terminal.screen().contents();
        terminal.process(MODES);
        terminal.process(b"\x1b[?2026h\x1b[7m\x1b[31mhalf a fra");
        let mut bytes = Vec::new();
        leave(&mut bytes).unwrap();
        assert!(bytes.starts_with(b"\x1b[?2026l"));
        terminal.process(&bytes);
        let screen = terminal.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(screen.mouse_protocol_encoding(), vt100::MouseProtocolEncoding::Default);
        assert_eq!((screen.contents(), screen.inverse()), (before, false));
    }
}
