//! Three nodes with a log and locks: what they get done, and what it costs.

use crate::driver::{ALL, Done, Driver, Load};
use crate::node::{Node, Site, introduce, runtime};
use netsplit::base::NodeId;
use netsplit::live::disk::{Medium, Sync, Wal};
use netsplit::live::quic::{Book, Traffic};
use netsplit::plan::{self, Client, Plan, Services};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How many operations are under way at a time.
const CLIENTS: [u16; 3] = [1, 16, 256];
/// How long each figure is measured, and what goes before.
const LONG: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_millis(700);

pub(crate) fn run() {
    println!("Three nodes; per commit: what all three together write, sync, send and compute");
    println!(
        "{:<24} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "",
        "clients",
        "cycles/s",
        "p50 ms",
        "p99 ms",
        "batches",
        "syncs",
        "packets",
        "sends",
        "bytes",
        "CPU µs"
    );
    for sync in [Sync::Full, Sync::Never] {
        let cluster = Cluster::start(sync);
        let runtime = runtime();
        runtime.block_on(cluster.measure(sync));
    }
    println!();
}

struct Cluster {
    site: Arc<Site>,
    nodes: Vec<Node>,
    _dir: tempfile::TempDir,
}

/// What all nodes have done so far.
#[derive(Clone, Copy, Debug)]
struct Figures {
    at: Instant,
    written: u64,
    synced: u64,
    traffic: Traffic,
    cpu: Duration,
}

impl Cluster {
    fn start(sync: Sync) -> Cluster {
        let plan = Plan {
            services: Services {
                log: Some(plan::Log::default()),
                lock: Some(plan::Lock::default()),
                ..Services::default()
            },
            clients: vec![Client::new(ALL.number(), Vec::new())],
            ..Plan::bare(3)
        };
        let all: Vec<NodeId> = plan.processes().collect();
        let site = Arc::new(Site::found(&all));
        // Not where temporary files are: that may be memory.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room");
        let node = |id: NodeId| {
            let wal = Wal::open(&dir.path().join(id.to_string()), sync);
            let medium = Medium::File(wal.expect("the directory can be opened"));
            Node::start(&site, plan.setup(id), medium, Book::new())
        };
        let nodes = plan.nodes.iter().map(|it| node(it.id)).collect();
        Cluster { site, nodes, _dir: dir }
    }

    async fn measure(self, sync: Sync) {
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        let mut driver = Driver::new(&self.site, &ids, CLIENTS[CLIENTS.len() - 1]);
        let mut all: Vec<_> = self.nodes.iter().map(|node| (node.id, &*node.endpoint)).collect();
        all.push((ALL, &driver.endpoint));
        introduce(&all);
        // Somebody must lead first.
        driver.begin(Load::Propose, ids.len());
        while driver.go(Duration::from_millis(200)).await.cycles == 0 {}
        driver.finish().await;
        for (load, name, commits) in
            [(Load::Propose, "log entry", 1), (Load::Lock, "lock and unlock", 2)]
        {
            for clients in CLIENTS {
                driver.begin(load, clients.into());
                driver.go(WARM_UP).await;
                let before = self.figures();
                let done = driver.go(LONG).await;
                let after = self.figures();
                driver.finish().await;
                let how = if sync == Sync::Full { "synced" } else { "not synced" };
                row(&format!("{name}, {how}"), clients, (before, after), done, commits);
            }
        }
        drop(driver);
        tokio::task::spawn_blocking(|| self.nodes.into_iter().for_each(Node::stop))
            .await
            .expect("they end");
    }

    fn figures(&self) -> Figures {
        let mut all = Figures {
            at: Instant::now(),
            written: 0,
            synced: 0,
            traffic: Traffic::default(),
            cpu: Duration::ZERO,
        };
        let cpu = threads();
        for node in &self.nodes {
            all.written += node.counters.written.load(Ordering::Relaxed);
            all.synced += node.counters.synced.load(Ordering::Relaxed);
            let sent = node.endpoint.traffic();
            all.traffic.packets += sent.packets;
            all.traffic.bytes += sent.bytes;
            all.traffic.writes += sent.writes;
            for name in [node.id.to_string(), format!("disk {}", node.id)] {
                all.cpu += cpu.get(&name).copied().unwrap_or_default();
            }
        }
        all
    }
}

/// What each thread of this process has computed so far, by name.
fn threads() -> BTreeMap<String, Duration> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return BTreeMap::new() };
    let stats =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats.filter_map(|stat| cpu_of(&stat)).collect()
}

/// Name and time of one line of `/proc/…/stat`, in which a hundredth of a second is the unit.
fn cpu_of(stat: &str) -> Option<(String, Duration)> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let mut fields = tail.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let ticks = next()? + next()?;
    Some((name.to_owned(), Duration::from_millis(10 * ticks)))
}

fn row(
    name: &str,
    clients: u16,
    (before, after): (Figures, Figures),
    mut done: Done,
    commits: u64,
) {
    let seconds = (after.at - before.at).as_secs_f64();
    let total = (done.cycles * commits).max(1) as f64;
    let per = |now: u64, then: u64| (now - then) as f64 / total;
    let latency = done.latency();
    let millis = |span: Duration| span.as_secs_f64() * 1e3;
    println!(
        "{name:<24} {clients:>7} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.0} {:>7.0}{}",
        done.cycles as f64 / seconds,
        millis(latency.p50),
        millis(latency.p99),
        per(after.written, before.written),
        per(after.synced, before.synced),
        per(after.traffic.packets, before.traffic.packets),
        per(after.traffic.writes, before.traffic.writes),
        per(after.traffic.bytes, before.traffic.bytes),
        (after.cpu - before.cpu).as_secs_f64() * 1e6 / total,
        match (done.failed, done.repeated) {
            (0, 0) => String::new(),
            (failed, repeated) => format!("  ({failed} failed, {repeated} repeated)"),
        }
    );
}
