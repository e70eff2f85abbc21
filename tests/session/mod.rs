//! The program in a pseudo-terminal of its own, driven as a person would.
#![allow(dead_code, clippy::unwrap_used, reason = "each test program needs a part of it")]

use pty_process::blocking::{Command as Program, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long something may take that should come at once: the machine may have much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, and what its terminal shows.
pub(crate) struct Session {
    pty: Pty,
    /// The terminal.
    pub(crate) terminal: vt100::Parser,
    child: Child,
    /// All bytes that were written.
    pub(crate) bytes: Vec<u8>,
}

/// The variables that the program gets, unless a test says otherwise.
const ENV: [(&str, &str); 3] =
    [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("RUST_BACKTRACE", "0")];

impl Session {
    /// Starts the program on a terminal of 120 by 36 cells.
    pub(crate) fn start(args: &[&str]) -> Session {
        Session::with(args, &[])
    }

    /// Starts it with some variables more.
    pub(crate) fn with(args: &[&str], env: &[(&str, &str)]) -> Session {
        let program = Program::new(env!("CARGO_BIN_EXE_netsplit")).args(args);
        Session::of(program.arg("--no-tour"), env)
    }

    /// Starts it as somebody who was never here before, and keeps its state there.
    pub(crate) fn newcomer(args: &[&str], state: &str) -> Session {
        let program = Program::new(env!("CARGO_BIN_EXE_netsplit")).args(args);
        Session::of(program, &[("HOME", state), ("XDG_STATE_HOME", state)])
    }

    /// Has a shell with job control start it.
    pub(crate) fn by_shell(script: &str, args: &[&str]) -> Session {
        let program = Program::new("/bin/sh").args(["-mc", script, env!("CARGO_BIN_EXE_netsplit")]);
        Session::of(program.args(args).arg("--no-tour"), &[("PATH", "/usr/bin:/bin")])
    }

    fn of(program: Program, env: &[(&str, &str)]) -> Session {
        let (pty, pts) = open().unwrap();
        pty.resize(pty_process::Size::new(36, 120)).unwrap();
        let child = program.env_clear().envs(ENV).envs(env.iter().copied()).spawn(pts).unwrap();
        let terminal = vt100::Parser::new(36.try_into().unwrap(), 120.try_into().unwrap(), 0);
        Session { pty, terminal, child, bytes: Vec::new() }
    }

    /// What the terminal shows.
    pub(crate) fn screen(&self) -> String {
        self.terminal.screen().contents()
    }

    /// Reads until the terminal is as wanted. Something must be written for that.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !wanted(self.terminal.screen()) {
            assert!(self.read(end), "the terminal shows\n{}", self.screen());
        }
    }

    /// Takes in something that is written until then. Says whether there was anything. Reading
    /// from a terminal that nobody writes to any more is an error on Linux.
    fn read(&mut self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap();
        let ready = poll(&mut [PollFd::new(&self.pty, PollFlags::IN)], Some(&left)).unwrap();
        let mut bytes = [0; 4_096];
        let read = if ready == 0 { 0 } else { self.pty.read(&mut bytes).unwrap_or(0) };
        self.terminal.process(&bytes[..read]);
        self.bytes.extend(&bytes[..read]);
        read > 0
    }

    /// Reads until the terminal shows this text.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        self.until(|screen| screen.contents().contains(text));
    }

    /// Types this.
    pub(crate) fn keys(&mut self, text: &str) {
        self.pty.write_all(text.as_bytes()).unwrap();
    }

    /// Clicks on the cell at this column and row, counted from 0.
    pub(crate) fn click(&mut self, column: u16, row: u16) {
        let (x, y) = (column + 1, row + 1);
        self.keys(&format!("\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m"));
    }

    /// Where this text stands: column and row.
    #[track_caller]
    pub(crate) fn find(&self, text: &str) -> (u16, u16) {
        let screen = self.screen();
        let found = screen.lines().zip(0u16..).find_map(|(line, y)| {
            let at = line.find(text)?;
            Some((line[..at].chars().count() as u16, y))
        });
        found.unwrap_or_else(|| panic!("no {text} in\n{screen}"))
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.pty.resize(pty_process::Size::new(rows, columns)).unwrap();
        let (rows, columns) = (rows.try_into().unwrap(), columns.try_into().unwrap());
        self.terminal.screen_mut().set_size(rows, columns);
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Reads to the end; the program's exit code. The terminal must have been given back.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        while self.read(end) {}
        given_back(self.terminal.screen());
        exit_code(&mut self.child)
    }

    /// Takes the terminal away; the program's exit code.
    #[track_caller]
    pub(crate) fn lose(mut self) -> Option<i32> {
        drop(self.pty);
        exit_code(&mut self.child)
    }
}

/// Waits for the end of the program.
#[track_caller]
fn exit_code(child: &mut Child) -> Option<i32> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("the program goes on and on");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All modes are as a shell wants them.
#[track_caller]
pub(crate) fn given_back(screen: &vt100::Screen) {
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    assert_eq!(screen.mouse_protocol_encoding(), vt100::MouseProtocolEncoding::Default);
}
