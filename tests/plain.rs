//! The workbench of lines: what comes back for what is written, through pipes.
#![allow(missing_docs, clippy::unwrap_used)]

use assert_cmd::Command;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

/// The lines that come back for these lines.
fn told(args: &[&str], lines: &str) -> (Vec<String>, Option<i32>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    let program = program.arg("--plain").args(args).env_clear().env("LANG", "C");
    let output = program.write_stdin(lines).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "nothing is drawn: {text}");
    (text.lines().map(str::to_owned).collect(), output.status.code())
}

#[track_caller]
fn says(lines: &[String], wanted: &str) {
    assert!(lines.iter().any(|line| line.contains(wanted)), "no {wanted} in\n{}", lines.join("\n"));
}

#[test]
fn lines_run_break_and_heal_a_cluster() {
    let lines = "run 3s\nkill leader\nrun 3s\nbroken\n1\nrun until 8s\nquit\n";
    let (told, code) = told(&[], lines);
    assert_eq!(code, Some(0));
    says(&told, "leads");
    says(&told, "t 3.000");
    says(&told, "crashes");
    let news = told.iter().filter(|line| !line.starts_with("t ")).count();
    assert!(news < 40, "few lines, each worth telling:\n{}", told.join("\n"));
    says(&told, "Broken now: 1");
    says(&told, "t 8.000");
    assert!(told.last().unwrap().contains("0 faults"), "{}", told.join("\n"));
}

#[test]
fn the_same_lines_give_the_same_run() {
    let lines = "run 2s\npartition minority | majority\nrun 3s\nnodes\n";
    assert_eq!(told(&["--seed", "3"], lines), told(&["--seed", "3"], lines));
}

#[test]
fn panes_are_lists_and_numbers_choose() {
    let (told, _) = told(&[], "run 2s\nnodes\n2\n1\nstatus\neffect kill n1,n3\nwhat\nkillead\n");
    says(&told, "Nodes: 5 nodes: 5 up");
    says(&told, "Fault on n2");
    says(&told, "kill n2");
    says(&told, "selected n2");
    says(&told, "No majority is left: 2 of 5");
    says(&told, "1 kill leader: now kill");
}

#[test]
fn what_cannot_be_given_back_is_asked_about() {
    let (told, _) = told(&[], "run 1s\nnodes\n1\n4\nn\nstatus\nhelp\nnonsense that is nothing\n");
    says(&told, "This cannot be given back");
    says(&told, "y: yes, do it");
    says(&told, "0 faults");
    says(&told, "A number chooses from the last menu.");
    says(&told, "is not a command");
}

#[test]
fn a_run_is_saved_and_another_one_opened() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.nsr");
    let file = file.display();
    let (told, _) = told(
        &[],
        &format!(
            "run 2s\nkill n4\nsave\nsave {file}\nopen nowhere.nsr\nopen {file}\nrun 1s\nquit\n"
        ),
    );
    says(&told, "write save FILE, such as run.nsr");
    says(&told, "saved: ");
    says(&told, "nowhere.nsr");
    says(&told, "opened by running again");
    says(&told, "t 3.000 paused; n3 leads 1.3; 1 faults");
}

#[test]
fn a_live_run_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("live.nsr");
    let file = file.to_str().unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_netsplit"));
    let program = program.args(["--plain", "--runtime", "memory", "--save", file]).env_clear();
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = program.stdin.take().unwrap();
    let told = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut told = told.map_while(Result::ok);
    // Before it is seen, nobody can be hit.
    assert!(told.any(|line| line.contains(" leads ")));
    writeln!(lines, "kill n2").unwrap();
    assert!(told.any(|line| line.ends_with(" n2 crashes")));
    // It asks first, because the cluster ends with it.
    writeln!(lines, "quit\ny").unwrap();
    assert!(told.count() > 0 && program.wait().unwrap().success());
    let mut program = Command::new(env!("CARGO_BIN_EXE_netsplit"));
    let program = program.args(["replay", file, "--plain"]).env_clear().write_stdin("status\n");
    let lines = String::from_utf8(program.output().unwrap().stdout).unwrap();
    assert!(lines.contains("a recording, at its end"), "{lines}");
    assert!(lines.contains(" n2 crashes"), "{lines}");
}

#[test]
fn undo_is_a_line_too() {
    let (told, _) = told(&[], "run 1s\nkill n4\nundo\nstatus\nredo\nback 500ms\nnow\n");
    says(&told, "undone: kill n4");
    says(&told, "the past");
    assert!(told.last().unwrap().contains("1 faults"), "{}", told.join("\n"));
}
