//! How long a key takes to the screen, with fifty nodes at full speed: the real program in a
//! pseudo-terminal of 120 by 36 cells.
//!
//! Prints the median, the 99th percentile and the worst of all keys, and fails beyond 16 ms and
//! 50 ms, which is what a person takes for immediate.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use pty_process::blocking::{Command, Pty, open};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const KEYS: usize = 400;
const MEDIAN: Duration = Duration::from_millis(16);
const LATE: Duration = Duration::from_millis(50);

const CLUSTER: &str = r#"
title = "Fifty nodes"
nodes = 50
[membership]
[log]
[ring]
[lock]
[store]
[[client]]
rate = 20
do = [{ load = "read-write", keys = 100, writes = 40 }]
"#;

/// Reads until the terminal shows this text.
fn until(pty: &mut Pty, terminal: &mut vt100::Parser, text: &str) {
    let mut bytes = [0; 65_536];
    while !terminal.screen().contents().contains(text) {
        let read = pty.read(&mut bytes).unwrap();
        terminal.process(&bytes[..read]);
    }
}

fn main() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), CLUSTER).unwrap();
    let (mut pty, pts) = open().unwrap();
    pty.resize(pty_process::Size::new(36, 120)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsplit"))
        .arg(file.path())
        .args(["--speed", "full", "--no-tour"])
        .env_clear()
        .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8")])
        .spawn(pts)
        .unwrap();
    let mut terminal = vt100::Parser::new(36.try_into().unwrap(), 120.try_into().unwrap(), 0);
    until(&mut pty, &mut terminal, "leads");
    let mut took: Vec<Duration> = Vec::new();
    for at in 0..KEYS {
        // The focus goes to and fro; its title says where it is.
        let (key, title) = [("1", "▌1 Nodes"), ("6", "▌6 Network")][at % 2];
        let start = Instant::now();
        pty.write_all(key.as_bytes()).unwrap();
        until(&mut pty, &mut terminal, title);
        took.push(start.elapsed());
    }
    pty.write_all(b"q").unwrap();
    let _ = pty.read_to_end(&mut Vec::new());
    child.wait().unwrap();
    took.sort_unstable();
    let (median, late, worst) = (took[KEYS / 2], took[KEYS * 99 / 100], took[KEYS - 1]);
    println!("key to screen, {KEYS} keys: median {median:?}, 99% {late:?}, worst {worst:?}");
    assert!(median < MEDIAN && late < LATE, "slower than a person takes for immediate");
}
