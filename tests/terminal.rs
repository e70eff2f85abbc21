//! The terminal is given back, however the program ends.
//!
//! Each test starts this test program again, inside a pseudo-terminal of its own, to run [`child`],
//! which takes the terminal over and then ends in one of several ways.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::tui::screen::{self, Mouse, Screen};
use pty_process::blocking::{Command, open};
use ratatui::style::{Color, Style};
use std::io::Read;
use std::time::Duration;

const HOW: &str = "NETSPLIT_TEST_TERMINAL";

#[test]
#[ignore = "the other tests start it"]
fn child() {
    let Ok(how) = std::env::var(HOW) else { return };
    screen::watch_hangup(|| ());
    let mut screen = Screen::enter().unwrap();
    screen.set_mouse(Mouse::Drags).unwrap();
    let mut draw = |text: &str| {
        screen
            .draw(|buf| {
                buf.set_string(0, 0, text, Style::new().fg(Color::Cyan).bold().reversed());
                None
            })
            .unwrap();
    };
    draw("drawn");
    match how.as_str() {
        "return" => {}
        "panic" => panic!("the drawing thread gives up"),
        "other" => {
            std::thread::spawn(|| panic!("a node gives up")).join().unwrap_err();
            draw(&format!("still here {}", screen::take_panics().len()));
            std::thread::sleep(Duration::from_secs(20));
        }
        "hangup" => {
            std::thread::sleep(Duration::from_secs(20));
        }
        "suspend" => {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(screen.suspend()).unwrap();
            screen
                .draw(|buf| {
                    buf.set_string(0, 0, "back again", Style::new());
                    None
                })
                .unwrap();
            std::thread::sleep(Duration::from_secs(20));
        }
        other => panic!("no such way to end: {other}"),
    }
}

/// A child in a terminal, what the terminal shows, and the child's process.
struct Session {
    pty: pty_process::blocking::Pty,
    terminal: vt100::Parser,
    child: std::process::Child,
}

impl Session {
    /// A shell with job control starts the child, and continues it if it stops.
    fn start(how: &str) -> Session {
        Session::start_by(r#""$0" "$@"; echo "[status $?]"; fg"#, how)
    }

    fn start_by(script: &str, how: &str) -> Session {
        let (pty, pts) = open().unwrap();
        pty.resize(pty_process::Size::new(24, 80)).unwrap();
        let child = Command::new("sh")
            .args(["-mc", script])
            .arg(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(HOW, how)
            .env("RUST_BACKTRACE", "0")
            .env("NO_COLOR", "1")
            .spawn(pts)
            .unwrap();
        Session { pty, terminal: emulator(), child }
    }

    /// Reads, a byte at a time so as to miss nothing, until the terminal shows what is wanted.
    fn until(&mut self, wanted: impl Fn(&vt100::Screen) -> bool) {
        let mut byte = [0];
        while !wanted(self.terminal.screen()) {
            let read = self.pty.read(&mut byte).unwrap_or(0);
            let shown = self.terminal.screen().contents();
            assert!(read > 0, "the child ended; the terminal shows {shown}");
            self.terminal.process(&byte);
        }
    }

    /// Reads to the end; returns what is on the screen then, having checked that all is given back.
    fn finish(mut self) -> String {
        let mut rest = Vec::new();
        // Reading from a terminal that nobody writes to any more is an error on Linux.
        let _ = self.pty.read_to_end(&mut rest);
        self.terminal.process(&rest);
        self.child.wait().unwrap();
        given_back(self.terminal.screen());
        self.terminal.screen().contents()
    }
}

fn emulator() -> vt100::Parser {
    vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0)
}

fn given_back(screen: &vt100::Screen) {
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
}

fn drawn(screen: &vt100::Screen) -> bool {
    let mouse = screen.mouse_protocol_mode() == vt100::MouseProtocolMode::ButtonMotion;
    let ours = mouse && screen.alternate_screen() && screen.hide_cursor();
    ours && screen.contents().starts_with("drawn")
}

#[test]
fn a_normal_end_gives_the_terminal_back() {
    let mut session = Session::start("return");
    session.until(drawn);
    let left = session.finish();
    assert!(left.contains("1 passed") && !left.contains("drawn"), "{left}");
}

/// What to do about NO_COLOR is the theme's business; the terminal library would drop bold and
/// reverse with the colours.
#[test]
fn a_style_arrives_whole_although_no_color_is_set() {
    let mut session = Session::start("return");
    session.until(drawn);
    let cell = session.terminal.screen().cell(0, 0).unwrap();
    assert!(cell.bold() && cell.inverse());
    assert_eq!(cell.fgcolor(), vt100::Color::Idx(6));
    session.finish();
}

#[test]
fn a_panic_is_told_on_the_terminal_that_was_given_back() {
    let mut session = Session::start("panic");
    session.until(drawn);
    let left = session.finish();
    assert!(left.contains("the drawing thread gives up") && !left.contains("drawn"), "{left}");
}

#[test]
fn a_panic_elsewhere_leaves_the_screen_alone() {
    let mut session = Session::start("other");
    session.until(|screen| screen.contents().starts_with("still here 1"));
    let screen = session.terminal.screen();
    assert!(screen.alternate_screen() && screen.hide_cursor());
    assert_eq!(screen.contents().trim_end(), "still here 1");
    session.child.kill().unwrap();
    session.child.wait().unwrap();
}

#[test]
fn a_lost_terminal_ends_the_program() {
    // As under nohup: the signal itself does nothing.
    let mut session = Session::start_by(r#"trap "" HUP; exec "$0" "$@""#, "hangup");
    session.until(drawn);
    drop(session.pty);
    assert_eq!(session.child.wait().unwrap().code(), Some(129));
}

#[test]
fn a_suspended_program_returns_to_its_screen() {
    let mut session = Session::start("suspend");
    session.until(drawn);
    session.until(|screen| !screen.alternate_screen());
    given_back(session.terminal.screen());
    // 128 and the number of the signal: it did stop.
    session.until(|screen| screen.contents().contains("[status 148]"));
    session.until(|screen| screen.contents().starts_with("back again"));
    assert!(session.terminal.screen().alternate_screen());
    session.child.kill().unwrap();
    session.child.wait().unwrap();
}
