//! Processes through a long storm: kill -9, restarts, cuts, frozen nodes, slow disks, consoles that
//! come and go, under load. At the end everything that was acknowledged must be readable, no check
//! may have found anything, every process must end when it is asked to, and none may have grown.
//!
//! `cargo test` takes a short one. For an hour:
//!
//! ```text
//! cargo test --profile quick --test soak -- --for 1h --seed 3
//! ```

#![allow(clippy::print_stdout, reason = "it is a harness of its own")]

use netsplit::base::{NodeId, Rng, Span, Time};
use netsplit::check::{Checks, Verdict};
use netsplit::cluster::{Cluster, LinkState, Update};
use netsplit::command::Command as Order;
use netsplit::error::Source;
use netsplit::event::{Event, Fact, Kind, Watch};
use netsplit::live::home::{AUTHORITY, DISK, MEMBERS};
use netsplit::live::identity::{Authority, Identity, Role};
use netsplit::live::quic::Book;
use netsplit::live::{self, Remote};
use netsplit::plan::{self, Plan};
use netsplit::view::Board;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

const PROGRAM: &str = env!("CARGO_BIN_EXE_netsplit");

const CLUSTER: &str = r#"
nodes = 5
progress_within = "30s"
[membership]
[log]
[ring]
[lock]
[store]
[txn]
[[client]]
rate = 40
do = [{ load = "read-write", keys = 16, writes = 50 }, { load = "count", counters = 2 }]
[[client]]
rate = 20
do = [{ load = "bank", accounts = 6, most = 20 }]
[[client]]
rate = 4
do = [{ load = "lock", locks = ["billing"], ttl = "1s", hold = "300ms" }]
"#;

/// How long it is calm at the end, at the least; at the most as long as progress may take.
const CALM: Duration = Duration::from_secs(12);
/// How many of the last events are told when something is wrong.
const RECENT: usize = 80;
/// How often a long run says how far it is.
const TELL: Duration = Duration::from_secs(300);

fn main() {
    let options = Options::read();
    let started = Instant::now();
    let told = Soak::begin(&options).run(&options);
    println!("\ntest soak ... ok ({told}; {:.0?})", started.elapsed());
}

struct Options {
    length: Duration,
    seed: u64,
}

impl Options {
    /// `--for 90s`, `--for 1h`, `--seed 7`. Everything else is for other harnesses.
    fn read() -> Options {
        let words: Vec<String> = std::env::args().collect();
        let after = |name: &str| {
            words.iter().position(|word| word == name).and_then(|at| words.get(at + 1))
        };
        let length = after("--for").map_or(Duration::from_secs(10), |text| {
            let hours = text.strip_suffix('h').and_then(|h| h.parse::<u64>().ok());
            let minutes = text.strip_suffix('m').and_then(|m| m.parse::<u64>().ok());
            match (hours, minutes) {
                (Some(hours), _) => Duration::from_secs(hours * 3_600),
                (_, Some(minutes)) => Duration::from_secs(minutes * 60),
                _ => Duration::from_micros(text.parse::<Span>().expect("--for 90s, 5m, 1h").0),
            }
        });
        let seed = after("--seed").map_or(7, |text| text.parse().expect("a number"));
        Options { length, seed }
    }
}

/// One process of the cluster. It ends with this.
struct Process {
    id: NodeId,
    address: SocketAddr,
    data: PathBuf,
    child: Option<Child>,
}

impl Process {
    fn start(&mut self, base: &Path) {
        let log = File::options().create(true).append(true).open(self.data.join("log"));
        let mut command = Command::new(PROGRAM);
        command.args(["node", "--id", &self.id.to_string(), "--listen", &self.address.to_string()]);
        command.arg("--cluster").arg(base.join("soak.toml")).arg("--data").arg(&self.data);
        command.arg("--authority").arg(base.join(AUTHORITY));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log"));
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// SIGKILL.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
    }

    /// Resident memory in KiB, and open files.
    fn size(&self) -> Option<(u64, usize)> {
        let pid = self.child.as_ref()?.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some((kib, fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()))
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.data.join("log")).unwrap_or_default();
        log.lines().rev().take(12).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Soak {
    _dir: tempfile::TempDir,
    base: PathBuf,
    plan: Plan,
    observer: Identity,
    processes: Vec<Process>,
    cluster: Cluster,
    board: Board,
    checks: Checks,
    rng: Rng,
    /// When a killed process is to be started again.
    due: BTreeMap<NodeId, Instant>,
    frozen: BTreeMap<NodeId, Instant>,
    linked: BTreeMap<NodeId, bool>,
    refused: u64,
    acknowledged: BTreeMap<NodeId, u64>,
    kills: u64,
    deeds: u64,
    sizes: BTreeMap<NodeId, Vec<(u64, usize)>>,
    recent: VecDeque<Event>,
    now: Time,
}

impl Soak {
    fn begin(options: &Options) -> Soak {
        let dir = tempfile::Builder::new().prefix("netsplit-soak").tempdir().expect("a directory");
        let base = dir.path().to_owned();
        fs::write(base.join("soak.toml"), CLUSTER).expect("a file");
        let plan =
            plan::file::parse("soak", &Source::new("soak.toml", CLUSTER)).expect("it is right");
        let now = SystemTime::now();
        let authority = Authority::found(&base.join(AUTHORITY), now).expect("it is new");
        let sockets: Vec<UdpSocket> = plan
            .processes()
            .map(|_| UdpSocket::bind("127.0.0.1:0").expect("there is a port"))
            .collect();
        let mut book = Book::new();
        for (id, socket) in plan.processes().zip(&sockets) {
            book.put(id, socket.local_addr().expect("it is bound"));
        }
        drop(sockets);
        let mut processes = Vec::new();
        for id in plan.processes() {
            let data = base.join(id.to_string());
            fs::create_dir(&data).expect("a directory");
            let identity = authority.issue(Role::Node(id), now).expect("it has the key");
            identity.save(&data).expect("it can be written");
            book.save(&data.join(MEMBERS)).expect("it can be written");
            let address = book.get(id).expect("it was put there");
            let mut process = Process { id, address, data, child: None };
            process.start(&base);
            processes.push(process);
        }
        let operator = authority.issue(Role::Operator, now).expect("it has the key");
        let observer = authority.issue(Role::Observer, now).expect("it has the key");
        let Remote { cluster, .. } = attach(&operator, &book.addresses());
        cluster.commands.blocking_send(Order::Run { until: None }).expect("it lives");
        let checks = Checks::partial(&plan.expect());
        Soak {
            _dir: dir,
            base,
            observer,
            processes,
            cluster,
            board: Board::new(),
            checks,
            rng: Rng::new(options.seed),
            due: BTreeMap::new(),
            frozen: BTreeMap::new(),
            linked: plan.processes().map(|id| (id, false)).collect(),
            refused: 0,
            acknowledged: BTreeMap::new(),
            kills: 0,
            deeds: 0,
            sizes: BTreeMap::new(),
            recent: VecDeque::new(),
            now: Time::ZERO,
            plan,
        }
    }

    fn run(mut self, options: &Options) -> String {
        self.look(Duration::from_secs(4));
        let end = Instant::now() + options.length;
        let (mut measured, mut told) = (Instant::now(), Instant::now());
        while Instant::now() < end {
            if told.elapsed() > TELL {
                told = Instant::now();
                let (left, kills) = (end - told, self.kills);
                println!("{left:.0?} to go: {kills} kill -9, answered: {:?}", self.acknowledged);
            }
            self.mischief();
            let pause = Duration::from_millis(self.rng.between(100, 1_500));
            self.look(pause);
            self.repair(false);
            if measured.elapsed() > Duration::from_secs(2) {
                measured = Instant::now();
                self.measure();
            }
        }
        self.repair(true);
        let before = self.acknowledged.clone();
        self.calm(&before);
        self.measure();
        self.judge(&before);
        self.end();
        let total: u64 = self.acknowledged.values().sum();
        format!(
            "seed {}: {} kill -9, {} other faults, {total} operations acknowledged, {} events, \
             {} orders refused",
            options.seed,
            self.kills,
            self.deeds,
            self.checks.seen(),
            self.refused
        )
    }

    /// Looks until all clients have been answered again, as long as progress may take.
    fn calm(&mut self, before: &BTreeMap<NodeId, u64>) {
        let end = Instant::now() + Duration::from_micros(self.plan.progress_within.0);
        self.look(CALM);
        while Instant::now() < end && !self.unanswered(before).is_empty() {
            self.look(Duration::from_millis(100));
        }
    }

    /// Clients that were answered at some time, and have not been since.
    fn unanswered(&self, before: &BTreeMap<NodeId, u64>) -> Vec<NodeId> {
        let same = |(client, count): &(&NodeId, &u64)| before.get(client) == Some(count);
        self.acknowledged.iter().filter(same).map(|(client, _)| *client).collect()
    }

    /// The last events, and the ends of all logs.
    fn story(&self) -> String {
        let events = self.recent.iter().map(ToString::to_string);
        let logs = self.processes.iter().map(|it| format!("-- {}\n{}", it.id, it.log()));
        events.chain(logs).collect::<Vec<_>>().join("\n")
    }

    /// Takes in what comes for a while.
    fn look(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            match self.cluster.updates.try_recv() {
                Ok(update) => self.take(update),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn take(&mut self, update: Update) {
        match update {
            Update::Events(events) => {
                for event in events {
                    self.now = self.now.max(event.at);
                    if let Kind::Panicked { why } = &event.kind {
                        panic!("{} failed: {why}", event.node);
                    }
                    if let Some(Fact::Returns { .. }) = event.fact() {
                        *self.acknowledged.entry(event.node).or_default() += 1;
                    }
                    self.recent.push_back(event.clone());
                    if self.recent.len() > RECENT {
                        self.recent.pop_front();
                    }
                    self.board.see(self.checks.seen(), &event);
                    if self.checks.see(&event) {
                        let broken = self.checks.violations().map(|v| v.what.clone());
                        panic!("{}", broken.collect::<Vec<_>>().join("\n"));
                    }
                }
            }
            Update::Link { process, state } => {
                self.linked.insert(process, state == LinkState::Up);
            }
            Update::Refused { .. } => self.refused += 1,
            _ => {}
        }
    }

    fn order(&mut self, text: &str) {
        let order = text.parse().expect(text);
        self.deeds += 1;
        self.cluster.commands.blocking_send(order).expect("the console lives");
    }

    fn trouble(&self) -> usize {
        self.due.len() + self.frozen.len()
    }

    /// One thing that goes wrong.
    fn mischief(&mut self) {
        let node = NodeId::node(self.rng.between(1, 5) as u16);
        let whole = !self.due.contains_key(&node) && !self.frozen.contains_key(&node);
        let soon = Instant::now() + Duration::from_millis(self.rng.between(200, 3_000));
        match self.rng.below(9) {
            0..=2 if whole && self.trouble() < 2 => {
                self.kills += 1;
                self.process(node).kill();
                self.due.insert(node, soon);
            }
            3 if whole && self.trouble() < 2 => {
                self.order(&format!("pause {node}"));
                self.frozen.insert(node, soon);
            }
            4 => self.order(&format!("isolate {node}")),
            5 => self.order("partition n1,n2 | n3,n4,n5"),
            6 => self.order(&format!("disk {node} slow 20ms")),
            7 => {
                let percent = self.rng.below(20);
                self.order(&format!("loss all {percent}%"));
            }
            _ => self.peek(),
        }
        if self.rng.percent(60) {
            self.order("heal");
        }
    }

    /// A second console looks in for a moment.
    fn peek(&mut self) {
        let addresses: Vec<SocketAddr> = self.processes.iter().map(|p| p.address).collect();
        let mut second = attach(&self.observer, &addresses).cluster;
        second.commands.blocking_send(Order::Run { until: None }).expect("it lives");
        let end = Instant::now() + Duration::from_secs(40);
        let mut links = BTreeMap::new();
        loop {
            assert!(Instant::now() < end, "a second console sees nothing: {links:?}");
            match second.updates.try_recv() {
                Ok(Update::Events(_)) => return,
                Ok(Update::Link { process, state }) => drop(links.insert(process, state)),
                _ => self.look(Duration::from_millis(5)),
            }
        }
    }

    fn process(&mut self, id: NodeId) -> &mut Process {
        self.processes.iter_mut().find(|process| process.id == id).expect("it is one of ours")
    }

    /// Ends troubles that are over; at the end, all.
    fn repair(&mut self, all: bool) {
        let now = Instant::now();
        let over = |due: &BTreeMap<NodeId, Instant>| {
            due.iter().filter(|(_, at)| all || **at <= now).map(|(id, _)| *id).collect::<Vec<_>>()
        };
        for id in over(&self.due) {
            self.due.remove(&id);
            let base = self.base.clone();
            self.process(id).start(&base);
        }
        for id in over(&self.frozen) {
            self.frozen.remove(&id);
            self.order(&format!("resume {id}"));
        }
        if all {
            self.look(Duration::from_secs(3));
            self.order("heal");
            for id in self.plan.processes().collect::<Vec<_>>() {
                self.order(&format!("disk {id} ok"));
            }
        }
    }

    fn measure(&mut self) {
        for process in &self.processes {
            if let Some(size) = process.size() {
                self.sizes.entry(process.id).or_default().push(size);
            }
        }
    }

    fn judge(&mut self, before: &BTreeMap<NodeId, u64>) {
        let unanswered = self.unanswered(before);
        let story = || self.story();
        assert!(unanswered.is_empty(), "{unanswered:?} got no answer in time:\n{}", story());
        self.checks.finish();
        for standing in self.checks.standings() {
            let bad = matches!(standing.verdict, Verdict::Broken | Verdict::Stalled);
            assert!(!bad, "{} {:?}", standing.name, standing.verdict);
        }
        let linked = |id: &NodeId| self.linked.get(id) == Some(&true);
        let all: Vec<NodeId> = self.plan.processes().filter(|id| !linked(id)).collect();
        assert!(all.is_empty(), "no link to {all:?}");
        for (id, sizes) in &self.sizes {
            let quarter = (sizes.len() / 4).max(1);
            let most = |part: &[(u64, usize)]| {
                let kib = part.iter().map(|(kib, _)| *kib).max().unwrap_or_default();
                (kib, part.iter().map(|(_, files)| *files).max().unwrap_or_default())
            };
            let (early, late) =
                (most(&sizes[..2 * quarter]), most(&sizes[sizes.len() - quarter..]));
            println!(
                "{id}: {} KiB, {} files; early {} KiB, {} files",
                late.0, late.1, early.0, early.1
            );
            assert!(late.0 <= early.0 * 3 / 2 + 8_192, "{id} grows: {sizes:?}");
            assert!(late.1 <= early.1 + 40, "{id} keeps files open: {sizes:?}");
        }
    }

    /// Asks everybody to end; nobody may hang.
    fn end(&mut self) {
        for process in &mut self.processes {
            let child = process.child.as_ref().expect("it was restarted");
            let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a number");
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
        }
        let until = Instant::now() + Duration::from_secs(15);
        for process in &mut self.processes {
            let log = process.log();
            let child = process.child.as_mut().expect("it was restarted");
            let status = loop {
                match child.try_wait().expect("it is ours") {
                    Some(status) => break status,
                    None if Instant::now() > until => panic!("{} hangs:\n{log}", process.id),
                    None => std::thread::sleep(Duration::from_millis(20)),
                }
            };
            assert!(status.success(), "{}: {status}\n{log}", process.id);
            assert!(process.data.join(DISK).exists());
        }
    }
}

/// Attaches a console, however long the first node takes to listen.
fn attach(identity: &Identity, addresses: &[SocketAddr]) -> Remote {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match live::attach(identity.clone(), addresses, Watch::Facts) {
            Ok(remote) => return remote,
            Err(error) if Instant::now() > end => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
