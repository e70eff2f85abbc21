//! The program as a user runs it: output, messages, exit codes.

use assert_cmd::Command;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs `netsplit` with these arguments and without a terminal.
fn netsplit(args: &[&str]) -> Ran {
    let output = command().args(args).output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let code = output.status.code().expect("it ends by itself");
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

fn command() -> Command {
    let mut command = Command::cargo_bin("netsplit").expect("the binary is built");
    command.env_clear().env("TERM", "xterm-256color");
    command
}

/// Checks that a command line is refused as bad input, with all of `parts` on standard error.
#[track_caller]
fn refused(args: &[&str], parts: &[&str]) {
    let ran = netsplit(args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
    for part in parts {
        assert!(ran.err.contains(part), "'{part}' is missing in:\n{}", ran.err);
    }
}

fn digest(out: &str) -> &str {
    let (_, rest) = out.split_once("digest ").expect("the summary has a digest");
    &rest[..16]
}

#[test]
fn a_run_ends_with_its_verdict_and_how_to_repeat_it() {
    let ran = netsplit(&["run", "three-paxos", "--headless", "--until", "2s", "-c", "1s kill n2"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "0.000 n1 starts, boot 1, 0 records");
    assert!(lines.contains(&"1.000 - ▼ kill n2"));
    assert_eq!(lines.last(), Some(&"verdict: ok"));
    let replay = "replay: netsplit run three-paxos --headless --seed 7 --until 2s -c '1s kill n2'";
    assert!(lines.contains(&replay), "{}", ran.out);
}

#[test]
fn same_seed_same_digest_whatever_is_written() {
    let run = |more: &[&str]| {
        let args = ["run", "bank", "--headless", "--until", "2s", "-c", "1s kill n2"];
        netsplit(&[&args[..], more].concat()).out
    };
    let text = run(&[]);
    let digest = digest(&text).to_owned();
    assert_eq!(run(&[]), text);
    assert!(run(&["--quiet"]).contains(&format!("digest {digest}")));
    assert!(run(&["--format", "json"]).contains(&format!("\"digest\":\"{digest}\"")));
    assert!(!run(&["--seed", "8"]).contains(&digest));
}

#[test]
fn the_replay_line_repeats_the_run() {
    let args = ["run", "locks", "--headless", "--until", "2s", "--quiet", "-c", "1s isolate n1"];
    let first = netsplit(&args).out;
    let (_, line) = first.split_once("replay: netsplit ").expect("there is a replay line");
    let line = line.lines().next().expect("it has an end");
    let (words, step) = line.split_once(" -c ").expect("it has the step");
    let mut again: Vec<&str> = words.split(' ').collect();
    again.extend(["-c", step.trim_matches('\''), "--quiet"]);
    assert_eq!(netsplit(&again).out, first);
}

#[test]
fn json_is_one_object_a_line() {
    let ran = netsplit(&[
        "--headless",
        "--until",
        "500ms",
        "--format",
        "json",
        "--seed",
        "18446744073709551615",
    ]);
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let (summary, events) = lines.split_last().expect("there are lines");
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["seed"], "18446744073709551615", "not rounded");
    assert_eq!(summary["events"], events.len());
    assert_eq!(summary["verdict"], "ok");
    for (n, event) in events.iter().enumerate() {
        assert_eq!((&event["type"], &event["n"]), (&"event".into(), &n.into()));
        assert!(event["t_us"].is_u64() && event["node"].is_string() && event["text"].is_string());
    }
    assert_eq!(events[0]["kind"], "started");
    assert!(events.iter().any(|event| event["kind"] == "sent"));
}

#[test]
fn fewer_events_can_be_asked_for() {
    let count = |events| {
        let args = ["run", "three-paxos", "--headless", "--until", "1s", "--events", events];
        netsplit(&args).out.lines().count()
    };
    assert!(count("facts") < count("messages"));
    assert_eq!(count("messages"), count("all"));
}

#[test]
fn words_mean_who_they_mean_at_that_time() {
    let ran = netsplit(&["run", "locks", "--headless", "--until", "6s", "-c", "5s kill leader"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let killed = ran.out.lines().find(|line| line.contains("▼ kill n")).expect("somebody died");
    let leader = killed.rsplit(' ').next().expect("it has a name");
    let leads = format!(" {leader} leads ");
    assert!(ran.out.contains(&leads), "{leader} never led");
}

#[test]
fn processes_may_be_listed_in_any_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("mine.toml");
    let list = |ids: [&str; 4]| {
        let [one, two, three, four] = ids;
        let nodes = format!("[[node]]\nid = \"{one}\"\n[[node]]\nid = \"{two}\"\n");
        let clients = [three, four].map(|id| format!("[[client]]\nid = \"{id}\"\ndo = \"idle\"\n"));
        std::fs::write(&path, format!("[log]\n{nodes}{}", clients.concat())).expect("written");
        let path = path.to_str().expect("UTF-8");
        netsplit(&["run", path, "--headless", "--until", "2s", "-c", "1s partition n1,c1 | n2,c3"])
    };
    let (sorted, other) = (list(["n1", "n2", "c1", "c3"]), list(["n2", "n1", "c3", "c1"]));
    assert_eq!((sorted.code, other.code), (0, 0), "{}", other.err);
    assert_eq!(sorted.out, other.out);
}

#[test]
fn commands_that_make_no_sense_are_refused() {
    refused(&["--headless", "-c", "3s kil leader"], &["-c:1:1", "^^^", "did you mean 'kill'?"]);
    refused(&["--headless", "-c", "kill n1"], &["-c:1:1"]);
    refused(&["--headless", "-c", "3s step 5"], &["steers time"]);
    refused(&["--headless", "-q", "-c", "1s kill n9"], &["there is no n9 in this cluster"]);
    refused(&["--headless", "-q", "-c", "1s restart n1"], &["n1 is up"]);
    refused(&["--headless", "-q", "-c", "0s kill leader"], &["nobody leads now"]);
    refused(&["--headless", "-c", "31s kill n1"], &["after the end of the run", "--until"]);
    refused(&["--headless", "--until", "soon"], &["--until:1:1", "not a length of time"]);
}

#[test]
fn usage_errors_have_a_hint() {
    refused(&["--headles"], &["--headless"]);
    refused(&["--until", "3s"], &["--headless"]);
    refused(&["--headless", "--format", "xml"], &["text", "json"]);
    refused(&["bnak"], &["did you mean the built-in cluster 'bank'?"]);
    refused(&["--headless", "--paused"], &["cannot be used with"]);
    refused(&["check"], &["<FILE>"]);
}

#[test]
fn kinds_of_log_are_compared_on_the_same_load_and_faults() {
    let line = ["default", "--until", "12s", "-c", "4s kill leader", "--compare"];
    let compare = |kinds: &str| netsplit(&[&line[..], &[kinds]].concat());
    let all = compare("multipaxos,raft,zab");
    assert_eq!(all.code, 0, "{}", all.err);
    let row = |name: &str| {
        let line = all.out.lines().find(|line| line.starts_with(name)).expect(name);
        line[36..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("  "), ["multipaxos", "raft", "zab"]);
    assert_eq!(row("leaders elected"), ["2"; 3], "one of each was killed");
    assert_eq!(row("verdict"), ["ok"; 3]);
    assert_eq!(all.out, compare("multipaxos,raft,zab").out);
    let json = netsplit(&[&line[..], &["raft", "--format", "json"]].concat()).out;
    let raft: serde_json::Value = serde_json::from_str(&json).expect("an object a line");
    assert_eq!((&raft["elections"], &raft["verdict"]), (&2.into(), &"ok".into()));
    refused(&["default", "--compare", "raft"], &["no terminal", "--headless"]);
    let many = "raft,zab,raft,zab";
    refused(&["default", "--compare", many], &["no screen has room", "--headless"]);
    refused(&["default", "--compare", "rafts"], &["did you mean raft?"]);
    refused(&["three-paxos", "--compare", "raft"], &["has no log", "[log]"]);
    refused(&["default", "--compare", "raft", "--runtime", "quic"], &["--runtime"]);
    refused(&["log-minority-leader", "--compare", "raft"], &["does not go with a scenario"]);
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    refused(&[], &["no terminal", "--headless"]);
    refused(&["run", "bank"], &["no terminal", "--headless"]);
}

#[test]
fn files_are_checked_with_place_and_remedy() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let good = file("good.toml", "nodes = 3\n[log]\n[lock]\n");
    let bad = file("bad.toml", "nodes = 3\n[membrship]\n");
    let ran = netsplit(&["check", &good, &bad, "bank"]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("good.toml: right. 3 nodes, 0 clients; log, lock\n"), "{}", ran.out);
    let zab = "nodes = 5\n[log]\nkind = \"zab\"\nvoters = [\"n1\"]\nreads = \"local\"\n";
    let noted = netsplit(&["check", &file("zab.toml", zab)]).out;
    for note in ["Reads may be stale", "Who votes on Zab is fixed"] {
        assert!(noted.contains(note), "{noted}");
    }
    assert!(ran.out.contains("bank: right."), "a bad file does not hide the next: {}", ran.out);
    assert!(ran.err.contains("bad.toml:2:2") && ran.err.contains("did you mean 'membership'?"));
    assert_eq!(netsplit(&["check", &good]).code, 0);
    refused(&["run", &bad, "--headless"], &["bad.toml:2:2", "did you mean 'membership'?"]);
}

#[test]
fn layouts_are_listed_printed_and_checked() {
    let list = netsplit(&["layouts"]).out;
    for name in [
        "overview",
        "paxos",
        "ring",
        "locks",
        "transactions",
        "partition-lab",
        "lecture",
        "requests",
    ] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{name} is missing in:\n{list}");
    }
    let text = netsplit(&["layouts", "overview"]).out;
    let dir = tempfile::tempdir().expect("there is a directory for it");
    let file = dir.path().join("mine.toml");
    let path = file.to_str().expect("the path is text");
    std::fs::write(&file, &text).expect("it can be written");
    let ran = netsplit(&["check", path]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    std::fs::write(&file, text.replace("1fr", "50%")).expect("it can be written");
    refused(&["check", path], &["size '50%'", "mine.toml:", "write a number of cells"]);
    refused(&["layouts", "overveiw"], &["did you mean 'overview'?"]);
    refused(&["--layout", path], &["size '50%'"]);
    refused(&["--layout", "nowhere"], &["there is no layout 'nowhere'", "overview, partition-lab"]);
}

#[test]
fn a_planted_bug_ends_with_proof_and_code_3() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bug.toml");
    let text = netsplit(&["samples", "three-paxos"]).out;
    let text = text.replacen("nodes = 3", "nodes = 3\nmutations = [\"paxos.own_value\"]", 1);
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("UTF-8");
    let args = ["run", path, "--headless", "--until", "3s", "-c", "0s isolate n1", "-c", "1s heal"];
    let ran = netsplit(&[&args[..], &["--quiet"]].concat());
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("PAX-5 (paxos) broken: ") && ran.out.contains("  before "));
    assert!(ran.out.ends_with("verdict: violation\n"));
    let json = netsplit(&[&args[..], &["--quiet", "--format", "json"]].concat());
    let summary: serde_json::Value = serde_json::from_str(&json.out).expect("one line of JSON");
    let broken = &summary["violations"][0];
    assert_eq!((&summary["verdict"], &broken["rule"]), (&"violation".into(), &"PAX-5".into()));
    assert!(broken["because"][0]["line"].as_str().is_some_and(|line| line.contains("proposes")));
}

#[test]
fn a_cluster_that_does_not_move_ends_with_code_4() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("slow.toml");
    let text = "nodes = 3\nprogress_within = \"1s\"\n[network]\nlatency = \"20s\"\n\
                [log]\n[lock]\n[[client]]\ndo = \"lock\"\n";
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("UTF-8");
    let ran = netsplit(&["run", path, "--headless", "--quiet", "--until", "4s"]);
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("LIVE-1") && ran.out.ends_with("verdict: stalled\n"), "{}", ran.out);
}

#[test]
fn a_sample_can_begin_a_file_of_ones_own() {
    let list = netsplit(&["samples"]);
    let names = [
        "default",
        "three-paxos",
        "bank",
        "locks",
        "raft",
        "ring-50",
        "zab",
        "zookeeper",
        "sharing",
        "etcd",
        "consul",
        "redlock",
        "swim",
        "quorum",
        "saga",
        "transactions",
        "files",
    ];
    for name in names {
        assert!(list.out.contains(name), "{}", list.out);
    }
    let text = netsplit(&["samples", "locks"]).out;
    assert_eq!(text, include_str!("../sample-clusters/locks.toml"));
    refused(&["samples", "lcoks"], &["did you mean the built-in cluster 'locks'?"]);
}

#[test]
fn help_teaches() {
    let long = netsplit(&["--help"]);
    assert_eq!(long.code, 0);
    for part in ["Examples:", "kill WHO", "Exit codes:", "--headless", "three-paxos"] {
        assert!(long.out.contains(part), "{part} is missing");
    }
    assert!(netsplit(&["-h"]).out.lines().count() < 50, "the short help fits a screen");
    assert!(netsplit(&["--version"]).out.starts_with("netsplit 0."));
    let info = netsplit(&["info"]);
    assert!(info.out.contains("lock.no_fence") && info.out.contains("does not look at the token"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_netsplit"))
        .args(["--headless", "--until", "600s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut reader = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("there is a line");
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_full_disk_is_a_failure_of_the_program() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_netsplit"))
        .args(["--headless", "--until", "5s"])
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .expect("the binary starts");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_real_file_comes_back_bit_for_bit_from_disks_of_which_two_were_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (mine, back, saved) = (path("my plans.bin"), path("back.bin"), path("run.nsr"));
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(|n| (n ^ (n >> 3)).to_le_bytes()).collect();
    std::fs::write(&mine, &bytes[..700_000]).unwrap();
    let (upload, fetch) = (format!("2s c1 upload plans @{mine}"), format!("plans={back}"));
    let [lose, wipe] = ["4s disk n3 wipe", "4s disk n5 wipe"];
    let args = ["run", "files", "--headless", "--quiet", "--until", "22s", "--save", &saved];
    let steps = ["-c", &upload, "-c", lose, "-c", wipe, "-c", "20s c1 download plans"];
    let ran = netsplit(&[&args[..], &steps[..], &["--fetch", &fetch]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(std::fs::read(&back).unwrap() == bytes[..700_000], "it is another file");
    // The file is part of the run.
    std::fs::remove_file(&mine).unwrap();
    let again = netsplit(&["replay", &saved, "--headless", "--quiet"]);
    assert_eq!(digest(&again.out), digest(&ran.out), "{}", again.err);
    refused(&args_of(&upload), &["my plans.bin", "No such file"]);
    std::fs::write(&mine, [0; (768 << 10) + 1]).unwrap();
    refused(&args_of(&upload), &["768 KiB at the most"]);
    refused(
        &["run", "files", "--headless", "--quiet", "--until", "1s", "--fetch", "none=x"],
        &["no client has read the file none", "c1 download none"],
    );
}

fn args_of(step: &str) -> [&str; 4] {
    ["run", "files", "-c", step]
}
