//! The pictures in the README are what the program draws today.
//!
//! `UPDATE_PICTURES=1 cargo test --test pictures` draws them anew.
#![allow(missing_docs, clippy::unwrap_used)]

use assert_cmd::Command;
use std::fs;

/// A moment at which much is to be seen: one side of the cluster has lost its majority.
const MOMENT: [&str; 7] =
    ["frame", "default", "--at", "8s", "-c", "6s partition minority | majority", "--no-config"];

fn netsplit(args: &[&str]) -> Vec<u8> {
    let mut command = Command::cargo_bin("netsplit").unwrap();
    let output = command.env_clear().args(MOMENT).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_pictures_are_up_to_date_and_in_the_readme() {
    let readme = fs::read_to_string("README.md").unwrap();
    for theme in ["dark", "light"] {
        let path = format!("tests/pictures/overview-{theme}.svg");
        let drawn = netsplit(&["--theme", theme, "--format", "svg"]);
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        let kept = fs::read(&path).unwrap_or_default();
        assert!(kept == drawn, "{path} is out of date: set UPDATE_PICTURES=1 and run this again");
        assert!(readme.contains(&path), "{path} is not shown");
    }
}

#[test]
fn a_picture_is_the_same_every_time_and_as_large_as_it_was_asked_for() {
    let args = ["--size", "80x24", "--glyphs", "ascii", "--press", "2 z"];
    let picture = netsplit(&args);
    assert_eq!(picture, netsplit(&args));
    let text = String::from_utf8(picture).unwrap();
    assert_eq!(text.lines().count(), 24);
    assert!(
        text.lines().all(|line| line.len() <= 80 && line.bytes().all(|b| (32..127).contains(&b)))
    );
    assert!(text.contains("[2 Ring]"), "{text}");
}

#[test]
fn members_of_a_ring_are_not_missed_where_nobody_has_to_answer() {
    let ring = |cluster: &str| {
        let mut command = Command::cargo_bin("netsplit").unwrap();
        let line = ["frame", cluster, "--at", "2s", "--press", "2 z", "--no-config"];
        let output = command.env_clear().args(line).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(ring("default").contains("answers"));
    for cluster in ["quorum", "files"] {
        let ring = ring(cluster);
        assert!(!ring.contains("answers") && ring.contains("settled"), "{ring}");
    }
}

#[test]
fn a_recording_is_the_same_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let record = |name: &str| {
        let file = dir.path().join(name);
        let mut command = Command::cargo_bin("netsplit").unwrap();
        let line = ["run", "--headless", "--quiet", "--until", "2s", "-c", "1s kill n2"];
        command.env_clear().args(line).arg("--record").arg(&file).assert().success();
        fs::read_to_string(file).unwrap()
    };
    let first = record("a.cast");
    assert_eq!(first, record("b.cast"));
    assert!(first.starts_with("{\"height\":36,") && first.contains("\"version\":2"));
    assert!(first.contains("kill n2") || first.contains("DOWN"), "what happens is to be seen");
}
