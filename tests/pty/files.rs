//! Runs as files, from the screen: saved, opened, recorded by one that is killed.

use super::session::Session;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Runs `netsplit` in this home, without a terminal.
fn netsplit(home: &Path, args: &[&str]) -> Output {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_netsplit"));
    let env = [("HOME", home), ("XDG_STATE_HOME", home)];
    program.args(args).env_clear().envs(env).output().unwrap()
}

/// What it prints, if all is well.
#[track_caller]
fn printed(home: &Path, args: &[&str]) -> String {
    let output = netsplit(home, args);
    let (out, err) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    String::from_utf8(out).unwrap() + &err
}

/// A recorded run in lines, whatever the checks say of it: the machine may have been too busy.
fn replayed(home: &Path, file: &str) -> String {
    let output = netsplit(home, &["replay", file, "--headless"]);
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// Starts the workbench in this home.
fn session(home: &Path, args: &[&str]) -> Session {
    let state = home.to_str().unwrap();
    Session::with(args, &[("HOME", state), ("XDG_STATE_HOME", state)])
}

/// The runs that were kept without being asked for.
fn kept(home: &Path) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(home.join("netsplit/runs")).unwrap();
    runs.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_run_is_saved_and_opened_from_the_screen() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("mine.nsr");
    let file = file.to_str().unwrap();
    let mut session = session(home.path(), &["--paused"]);
    session.shows("q:quit");
    session.keys(">>");
    session.shows("leads 1.3");
    session.keys(":kill leader\r");
    session.shows("faults 1");
    let event = |session: &Session| {
        let screen = session.screen();
        screen.split("event ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    let before = event(&session);
    session.keys(&format!("W\x15{file}\r"));
    session.shows("saved: ");
    session.keys("H>>");
    session.shows("faults 0");
    session.until(|screen| screen.contents().contains("t=4.0"));
    assert_ne!(event(&session), before);
    session.keys("O/nowhere/at-all.nsr\r");
    session.shows("there is no such file");
    session.keys(&format!("O\x15{file}\r"));
    session.shows("opened by running again: all is as it was");
    session.shows("faults 1");
    assert_eq!(event(&session), before);
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn processes_elsewhere_are_driven_the_same_way_and_what_was_seen_is_replayed() {
    let home = tempfile::Builder::new().prefix("netsplit-").tempdir().unwrap();
    let home = home.path();
    printed(home, &["up", "default", "--detach"]);
    let file = home.join("elsewhere.nsr");
    let file = file.to_str().unwrap();
    let look = || {
        let mut session = session(home, &["attach", "default"]);
        session.shows("8/8 linked");
        session.shows(" leads ");
        session.keys(":kill n2\r");
        session.shows("for all who use it");
        session.keys("y");
        session.shows("faults 1");
        session.keys(&format!("W\x15{file}\r"));
        session.shows("saved: ");
        session.keys("H");
        session.shows("faults 0");
        session.keys("q");
        assert_eq!(session.finish(), Some(0));
    };
    let looked = std::panic::catch_unwind(look);
    printed(home, &["down", "default"]);
    assert!(looked.is_ok(), "what was started is ended in any case");
    let out = replayed(home, file);
    for part in ["kill n2", "n2 crashes", "raft         unused"] {
        assert!(out.contains(part), "'{part}' is missing in\n{out}");
    }
    let heals = |text: &str| text.lines().any(|line| line.ends_with("restart n2"));
    assert!(!heals(&out), "it was saved before that");
    let [all] = &kept(home)[..] else { panic!("one run is kept") };
    assert!(heals(&replayed(home, all.to_str().unwrap())));
    let mut session = session(home, &["replay", file]);
    session.shows("a recording, at its end");
    session.shows("faults 1");
    session.keys("x");
    session.shows("a recording");
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn what_a_killed_workbench_recorded_opens_as_far_as_it_got() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let mut recorded = session(home, &["run", "default", "--runtime", "memory"]);
    recorded.shows(" leads ");
    recorded.keys(":kill n2\r");
    recorded.shows("faults 1");
    let [file] = &kept(home)[..] else { panic!("one run is recorded") };
    // What was seen is written after a while; once more has been written, it is there.
    let written = || std::fs::metadata(file).unwrap().len();
    for _ in 0..2 {
        let before = written();
        recorded.until(|_| written() > before);
    }
    recorded.signal(Signal::KILL);
    assert_eq!(recorded.lose(), None, "it had no time for anything");
    let file = file.to_str().unwrap();
    let out = replayed(home, file);
    for part in ["kill n2", "the end of this recording is missing"] {
        assert!(out.contains(part), "'{part}' is missing in\n{out}");
    }
    let mut session = session(home, &["replay", file]);
    session.shows("the end of this recording is missing: whoever wrote it died");
    session.shows("faults 1");
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}
