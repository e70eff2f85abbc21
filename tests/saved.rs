//! Saved runs as a user has them: written, opened, refused.
#![allow(missing_docs, clippy::unwrap_used)]

use assert_cmd::Command;
use std::fs;
use std::path::Path;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs `netsplit` with these arguments, in a home of its own, and without a terminal.
fn netsplit(home: &Path, args: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("netsplit").unwrap();
    command.env_clear().env("TERM", "xterm-256color").env("HOME", home).current_dir(home);
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// The event lines, without the summary.
fn events(out: &str) -> Vec<&str> {
    out.lines().take_while(|line| !line.is_empty() && !line.starts_with("--")).collect()
}

fn refused(home: &Path, args: &[&str], parts: &[&str]) {
    let ran = netsplit(home, args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
    for part in parts {
        assert!(ran.err.contains(part), "'{part}' is missing in:\n{}", ran.err);
    }
}

#[test]
fn a_simulated_run_is_saved_and_replays_line_by_line() {
    let home = tempfile::tempdir().unwrap();
    let steps = ["-c", "500ms kill n2", "-c", "1s isolate leader", "-c", "1.5s restart n2"];
    let args = ["run", "default", "--headless", "--until", "2s", "--seed", "11", "--save", "a.nsr"];
    let first = netsplit(home.path(), &[&args[..], &steps].concat());
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    let again = netsplit(home.path(), &["replay", "a.nsr", "--headless"]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    let same = |out: &str| -> Vec<String> {
        out.lines().filter(|line| !line.starts_with("replay: ")).map(str::to_owned).collect()
    };
    assert!(same(&again.out) == same(&first.out), "{}", again.out);
    // How much of it is written to standard output is not part of the run.
    let facts = ["--events", "facts", "--save", "b.nsr"];
    netsplit(home.path(), &[&args[..7], &facts, &steps].concat());
    let again = netsplit(home.path(), &["replay", "b.nsr", "--headless"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(events(&again.out) == events(&first.out));
}

#[test]
fn a_live_run_is_recorded_and_replays_line_by_line() {
    let home = tempfile::tempdir().unwrap();
    let args = ["run", "three-paxos", "--headless", "--runtime", "memory", "--until", "700ms"];
    let first = netsplit(home.path(), &[&args[..], &["--save", "live.nsr"]].concat());
    assert_eq!((first.code, first.err.as_str()), (0, ""));
    refused(
        home.path(),
        &[&args[..], &["--record", "live.cast"]].concat(),
        &["needs a run that can be repeated", "what a screen shows can be recorded"],
    );
    let again = netsplit(home.path(), &["replay", "live.nsr", "--headless"]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    let (before, after) = (events(&first.out), events(&again.out));
    assert!(before.len() > 20 && after.starts_with(&before), "{}", again.out);
}

#[test]
fn what_is_damaged_is_refused_with_the_place() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.nsr");
    netsplit(home.path(), &["run", "--headless", "-q", "--until", "1s", "--save", "a.nsr"]);
    let whole = fs::read(&file).unwrap();
    let replay = ["replay", "a.nsr", "--headless"];
    fs::write(&file, &whole[..whole.len() - 40]).unwrap();
    refused(home.path(), &replay, &["cannot open 'a.nsr'", "cut off or damaged"]);
    let mut bytes = whole.clone();
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    refused(home.path(), &replay, &["damaged at byte 24"]);
    let mut bytes = whole.clone();
    bytes[12] = 9;
    fs::write(&file, &bytes).unwrap();
    refused(home.path(), &replay, &["format 9", "newer netsplit"]);
    fs::write(&file, "nodes = 5").unwrap();
    refused(home.path(), &replay, &["not a saved run"]);
    refused(home.path(), &["replay", "none.nsr"], &["there is no such file"]);
    fs::write(&file, &whole).unwrap();
    refused(
        home.path(),
        &["replay", "a.nsr", "--headless", "--branch", "mian"],
        &["has no branch 'mian'", "did you mean 'main'?"],
    );
}

#[test]
fn no_other_file_is_written_over() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("mine.toml");
    fs::write(&file, "nodes = 5").unwrap();
    let args = ["run", "--headless", "-q", "--until", "100ms", "--save", "mine.toml"];
    let ran = netsplit(home.path(), &args);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("is there already"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), "nodes = 5");
    let other = home.path().join("mine.nsr");
    fs::write(&other, "nodes = 5").unwrap();
    let args = ["run", "--headless", "-q", "--until", "100ms", "--save", "mine.nsr"];
    let ran = netsplit(home.path(), &args);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("is no saved run"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&other).unwrap(), "nodes = 5");
}

#[test]
fn a_saved_run_is_written_up_simulated_or_recorded() {
    let home = tempfile::tempdir().unwrap();
    let steps = ["-c", "1s kill leader", "-c", "1.5s c1 propose x"];
    let args = ["run", "default", "--headless", "-q", "--until", "2s", "--save", "a.nsr"];
    let first = netsplit(home.path(), &[&args[..], &steps].concat());
    let digest = first.out.split("digest ").nth(1).unwrap()[..16].to_owned();
    let ran = netsplit(home.path(), &["report", "a.nsr", "--frames", "pictures"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in [
        "Branch `main` of a simulated run.",
        "| 1.000 | - | ▼ kill",
        "![The screen](<pictures/a-turn.svg>)\n\nThe turning point: 1.000 - ▼ kill",
        "![The screen](<pictures/a-end.svg>)",
        "netsplit replay a.nsr --headless --branch main",
        &digest,
    ] {
        assert!(ran.out.contains(part), "'{part}' is missing in\n{}", ran.out);
    }
    let turn = fs::read_to_string(home.path().join("pictures/a-turn.svg")).unwrap();
    assert!(turn.contains("at 1.000s</title>"), "{turn}");

    let args =
        ["run", "three-paxos", "--headless", "-q", "--runtime", "memory", "--until", "500ms"];
    netsplit(home.path(), &[&args[..], &["--save", "live.nsr"]].concat());
    let ran = netsplit(home.path(), &["report", "live.nsr", "--frames", "pictures"]);
    assert!(ran.out.contains("What was seen of a live cluster (LIVE memory)."), "{}", ran.out);
    assert!(home.path().join("pictures/live-end.svg").exists());
    let trace = netsplit(home.path(), &["report", "live.nsr", "--format", "chrome-trace"]);
    assert!(trace.out.starts_with("{\"displayTimeUnit\"") && trace.code == 0, "{}", trace.out);

    let whole = fs::read(home.path().join("live.nsr")).unwrap();
    fs::write(home.path().join("cut.nsr"), &whole[..whole.len() - 30]).unwrap();
    let cut = netsplit(home.path(), &["report", "cut.nsr"]);
    assert!(cut.out.contains("The end of the recording is missing"), "{}", cut.out);
    let whole = fs::read(home.path().join("a.nsr")).unwrap();
    fs::write(home.path().join("cut.nsr"), &whole[..whole.len() - 30]).unwrap();
    refused(home.path(), &["report", "cut.nsr"], &["cannot open 'cut.nsr'", "cut off or damaged"]);
    fs::write(home.path().join("cut.nsr"), "nodes = 3").unwrap();
    refused(home.path(), &["report", "cut.nsr"], &["not a saved run", "help"]);
    refused(home.path(), &["report", "none.nsr"], &["there is no such file"]);
    refused(home.path(), &["report", "a.nsr", "--act", "2"], &["--act does not go", "--branch"]);
    refused(home.path(), &["report", "live.nsr", "--branch", "x"], &["has no branches"]);
}
