//! Five nodes, each a process of its own, that have nothing to do: what they cost together, and what
//! one console gets that looks at them. It asks the program itself: `up`, `attach`, `down`, and the
//! line of figures in each log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_netsplit");
const CLUSTER: &str = "nodes = 5\n[membership]\n[log]\n[ring]\n[lock]\n[store]\n[txn]\n";
/// Longer than two lines of figures are apart, so that a whole one falls into it.
const LONG: Duration = Duration::from_secs(22);
/// Until everybody knows everybody, and somebody leads.
const WARM_UP: Duration = Duration::from_secs(4);

pub(crate) fn run() {
    println!("Five nodes that are idle, as processes; CPU in hundredths of a core, all together");
    println!(
        "{:<24} {:>7} {:>11} {:>9} {:>16} {:>22}",
        "", "CPU %", "wake-ups/s", "messages/s", "MiB a node", "bytes/s to the console"
    );
    let cluster = Cluster::start();
    std::thread::sleep(WARM_UP);
    cluster.row("nobody looks");
    let mut console = cluster.attach();
    std::thread::sleep(WARM_UP);
    cluster.row("one console looks");
    let _ = console.kill();
    let _ = console.wait();
    println!();
}

struct Cluster {
    dir: tempfile::TempDir,
    pids: Vec<u32>,
}

/// What the nodes have used so far.
struct Used {
    at: Instant,
    cpu: Duration,
    wakes: u64,
}

impl Cluster {
    fn start() -> Cluster {
        let dir = tempfile::tempdir().expect("there is a place for temporary files");
        let file = dir.path().join("idle.toml");
        fs::write(&file, CLUSTER).expect("it can be written");
        let output = netsplit(dir.path(), &["up", &file.to_string_lossy(), "--detach"]).output();
        let told = told(&output.expect("the program starts"));
        let pids = told.lines().filter_map(|line| line.split_once(" process ")?.1.parse().ok());
        Cluster { pids: pids.collect(), dir }
    }

    fn attach(&self) -> Child {
        let mut console = netsplit(self.dir.path(), &["attach", "idle", "--headless"]);
        console.args(["--for", "10m"]).stdout(Stdio::null());
        console.spawn().expect("the program starts")
    }

    fn row(&self, name: &str) {
        let before = self.used();
        std::thread::sleep(LONG);
        let after = self.used();
        let seconds = (after.at - before.at).as_secs_f64();
        println!(
            "{name:<24} {:>7.2} {:>11.0} {:>9} {:>16.1} {:>22}",
            (after.cpu - before.cpu).as_secs_f64() * 100.0 / seconds,
            (after.wakes - before.wakes) as f64 / seconds,
            self.figures("messages out"),
            self.memory() / self.pids.len() as f64,
            self.figures("bytes to them"),
        );
    }

    fn used(&self) -> Used {
        let mut used = Used { at: Instant::now(), cpu: Duration::ZERO, wakes: 0 };
        for pid in &self.pids {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
            for task in tasks.flatten() {
                used.cpu += Duration::from_nanos(number(&task.path().join("schedstat"), ""));
                used.wakes += number(&task.path().join("status"), "voluntary_ctxt_switches:");
            }
        }
        used
    }

    /// Resident memory of all nodes, in MiB.
    fn memory(&self) -> f64 {
        let status = |pid: &u32| PathBuf::from(format!("/proc/{pid}/status"));
        self.pids.iter().map(|pid| number(&status(pid), "VmRSS:") as f64 / 1024.0).sum()
    }

    /// The number before `unit` in the last line of figures, of all nodes together.
    fn figures(&self, unit: &str) -> u64 {
        let logs = (1..=self.pids.len())
            .map(|n| self.dir.path().join(format!("netsplit/clusters/idle/n{n}/log")));
        logs.filter_map(|log| figure(&fs::read_to_string(log).ok()?, unit)).sum()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = netsplit(self.dir.path(), &["down", "idle"]).stdout(Stdio::null()).status();
    }
}

/// The program, with a home of its own.
fn netsplit(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for place in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(place, home);
    }
    command.args(args).stdin(Stdio::null());
    command
}

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The first number of the line of a file that begins so.
fn number(file: &Path, start: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let rest = text.lines().find_map(|line| line.strip_prefix(start));
    rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn figure(log: &str, unit: &str) -> Option<u64> {
    let line = log.lines().rfind(|line| line.contains("a second: "))?;
    line.split_once(&format!(" {unit}"))?.0.rsplit(' ').next()?.parse().ok()
}
