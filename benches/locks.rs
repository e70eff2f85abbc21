//! Lock cycles a second, for every kind of lock: taken and given back at once. Nodes and clients
//! live in this process, in real time, and talk in memory or over QUIC on loopback.
//!
//! Each client has a lock of its own, so what is measured is the service, not who waits for whom.
//! Disks are memory: what syncs cost is in the bench `live`.
//!
//! ```text
//! cargo bench --profile quick --bench locks             all kinds, half a minute
//! cargo bench --profile quick --bench locks -- redis    those whose name has this in it
//! ```
#![allow(missing_docs, clippy::print_stdout)]

use netsplit::base::{CallId, Op, Outcome};
use netsplit::cluster::{Cluster, Update};
use netsplit::command::Command;
use netsplit::error::Source;
use netsplit::event::{Event, Fact, Watch};
use netsplit::live::{self, Way};
use netsplit::plan::{self, Plan};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What is measured, by the sections of a cluster file.
const KINDS: &[(&str, &str)] = &[
    ("log, Multi-Paxos", "[log]\n[lock]"),
    ("log, Raft", "[log]\nkind = \"raft\"\n[lock]"),
    ("log, Zab", "[log]\nkind = \"zab\"\n[lock]"),
    ("redis", "[lock]\nkind = \"redis\""),
    ("redlock", "[lock]\nkind = \"redlock\""),
    ("zookeeper", "[log]\nkind = \"zab\"\n[lock]\nkind = \"zookeeper\""),
    ("etcd", "[log]\nkind = \"raft\"\n[lock]\nkind = \"etcd\""),
    ("consul", "[log]\nkind = \"raft\"\n[membership]\n[lock]\nkind = \"consul\""),
];
/// How many clients there are.
const CLIENTS: [u16; 2] = [1, 50];
/// How long each figure is measured, and what goes before.
const LONG: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_millis(1_500);

fn plan(sections: &str, clients: u16) -> Plan {
    let mut text = format!("nodes = 3\n{sections}\n");
    for n in 1..=clients {
        text.push_str(&format!(
            "[[client]]\nrate = 1000\ndo = [{{ load = \"lock\", locks = [\"lock/{n}\"], ttl = \"10s\", hold = \"0s\" }}]\n"
        ));
    }
    plan::file::parse("locks", &Source::new("locks.toml", text)).expect("it is a cluster file")
}

/// Counts locks that were given back.
#[derive(Default)]
struct Cycles {
    giving: BTreeSet<CallId>,
    done: u64,
}

impl Cycles {
    fn hear(&mut self, event: &Event) {
        match event.fact() {
            Some(Fact::Invokes { call, op, .. }) if matches!(**op, Op::Release { .. }) => {
                self.giving.insert(*call);
            }
            Some(Fact::Returns { call, outcome }) if self.giving.remove(call) => {
                self.done += u64::from(matches!(**outcome, Outcome::Done));
            }
            _ => {}
        }
    }

    /// How many are done until `end`.
    fn until(&mut self, cluster: &mut Cluster, end: Instant) -> u64 {
        self.done = 0;
        while Instant::now() < end {
            match cluster.updates.blocking_recv().expect("it runs") {
                Update::Events(events) => events.iter().for_each(|event| self.hear(event)),
                Update::Missed { count } => println!("{count} events missed"),
                _ => {}
            }
        }
        self.done
    }
}

fn measure(sections: &str, way: Way, clients: u16) -> f64 {
    let plan = plan(sections, clients);
    let mut cluster = live::start(&plan, 7, Watch::Facts, way).expect("it starts");
    cluster.commands.blocking_send(Command::Run { until: None }).expect("it runs");
    let mut cycles = Cycles::default();
    cycles.until(&mut cluster, Instant::now() + WARM_UP);
    let begun = Instant::now();
    let done = cycles.until(&mut cluster, begun + LONG);
    done as f64 / begun.elapsed().as_secs_f64()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` starts benches, too, to see whether they start.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    println!("Three nodes, and clients with a lock each; lock cycles a second");
    println!("{:<18} {:>7} {:>10} {:>10}", "", "clients", "in memory", "over QUIC");
    for (name, sections) in KINDS {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        for clients in CLIENTS {
            let [memory, quic] =
                [Way::Memory, Way::Quic].map(|way| measure(sections, way, clients));
            println!("{name:<18} {clients:>7} {memory:>10.0} {quic:>10.0}");
        }
    }
}
