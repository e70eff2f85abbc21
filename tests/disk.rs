//! What a process has promised survives it: a child commits and says so, and is killed with
//! SIGKILL at any moment, again and again.

#![cfg(unix)]

use netsplit::base::{CallId, NodeId, Rng, ServiceId, TxnId};
use netsplit::host::Write;
use netsplit::live::disk::{Disk, Done, Medium, Request, Sync, Wal};
use netsplit::proto::{Record, commit};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, thread};

/// Tells the child where its log is.
const DIRECTORY: &str = "NETSPLIT_TEST_DISK";

/// Each commit replaces so many long records, so the log is rewritten many times a second.
const WIDTH: usize = 300;

fn record(number: u32) -> Record {
    let long = "x".repeat(64).parse().expect("it is a name");
    let keys = [long, "y".parse().expect("it is a name")];
    let txn = TxnId { coordinator: NodeId::node(1), number };
    commit::Record::Commit { txn, call: CallId::default(), keys: keys.into() }.into()
}

fn load(dir: &Path) -> (Disk, mpsc::Receiver<Done>, u32, Vec<Record>) {
    let medium = Medium::File(Wal::open(dir, Sync::Full).expect("the directory can be opened"));
    let (say, answers) = mpsc::channel();
    let done = move |done| drop(say.send(done));
    let disk = Disk::start("disk", medium, Rng::new(1), done).expect("there is a thread");
    disk.send(Request::Load { life: 1 });
    match answers.recv().expect("it answers") {
        Done::Loaded { boot, records, .. } => (disk, answers, boot, records),
        other => panic!("{other:?}"),
    }
}

/// The number that all records carry; 0 if there are none.
fn number(records: &[Record]) -> u32 {
    let numbers: Vec<u32> = records
        .iter()
        .map(|record| match record {
            Record::Txn(commit::Record::Commit { txn, .. }) => txn.number,
            other => panic!("{other:?} was never written"),
        })
        .collect();
    let Some((first, rest)) = numbers.split_first() else { return 0 };
    assert_eq!(numbers.len(), WIDTH, "a commit is there as a whole");
    assert!(rest.iter().all(|number| number == first), "a commit is there as a whole");
    *first
}

/// The child: not a test of its own.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn child() {
    let Some(dir) = env::var_os(DIRECTORY) else { return };
    let (disk, answers, boot, records) = load(&PathBuf::from(dir));
    let begun = number(&records);
    let mut out = std::io::stdout();
    writeln!(out, "\nboot {boot} {begun}").expect("the parent listens");
    for upto in 1.. {
        let records = vec![record(begun + upto); WIDTH];
        let batch = vec![Write::Checkpoint { service: ServiceId::Txn, records }];
        disk.send(Request::Commit { upto: u64::from(upto), batch });
        // Two commits are under way at any time.
        if upto < 2 {
            continue;
        }
        match answers.recv().expect("it answers") {
            Done::Synced { upto, .. } => writeln!(out, "synced {}", u64::from(begun) + upto),
            other => panic!("{other:?}"),
        }
        .expect("the parent listens");
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new(env::current_exe().expect("this program has a path"))
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be run")
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().expect("there is room");
    let mut rng = Rng::new(1);
    let (mut lives, mut acknowledged) = (0, 0);
    let begun = Instant::now();
    while lives < 3 || begun.elapsed() < Duration::from_secs(3) {
        lives += 1;
        let mut child = spawn(dir.path());
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let booted = lines.find_map(|line| {
            let line = line.expect("it is text");
            let (boot, begun) = line.strip_prefix("boot ")?.split_once(' ')?;
            Some((boot.parse::<u32>().ok()?, begun.parse::<u64>().ok()?))
        });
        let (boot, found) = booted.expect("the child loads what its elder left");
        assert!(found >= acknowledged, "{acknowledged} was acknowledged, {found} is there");
        assert_eq!(boot, lives, "every start is counted");
        thread::sleep(Duration::from_micros(rng.between(0, 250_000)));
        child.kill().expect("it runs until it is killed");
        for line in lines {
            let line = line.expect("it is text");
            let synced = line.strip_prefix("synced ").expect("it says nothing else");
            acknowledged = synced.parse::<u64>().expect("it is a number");
        }
        child.wait().expect("it has ended");
    }
    let (_, _, boot, records) = load(dir.path());
    assert_eq!(boot, lives + 1);
    assert!(acknowledged > 0, "the children did something");
    assert!(u64::from(number(&records)) >= acknowledged);
}
