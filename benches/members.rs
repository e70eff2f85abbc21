//! SWIM in a large simulated cluster: how fast it is simulated, what each node sends, and how soon
//! a crash is noticed.
//!
//! `cargo bench --bench members -- 1000 40` has so many nodes, of which so many crash, one after
//! the other.
#![allow(missing_docs, clippy::print_stdout)]

use netsplit::base::{NodeId, ServiceId, Span, Time};
use netsplit::command::{Command, Target, Unsynced};
use netsplit::event::{Event, Fact, Watch};
use netsplit::plan::{Membership, Plan, Swim};
use netsplit::sim::World;
use std::time::Instant;

struct Cluster {
    world: World,
    nodes: u16,
    out: Vec<Event>,
}

impl Cluster {
    fn new(nodes: u16) -> Cluster {
        let mut plan = Plan::bare(nodes);
        plan.services.membership = Some(Membership::Swim(Swim::default()));
        let mut out = Vec::new();
        let mut world = World::new(&plan, 7, Watch::Facts, &mut out);
        world.weigh();
        Cluster { world, nodes, out }
    }

    /// Plays until `until`, or until `see` has seen enough.
    fn play(&mut self, until: Time, mut see: impl FnMut(&Event) -> bool) {
        let mut enough = false;
        while !enough && self.world.next() <= until {
            self.world.step(&mut self.out);
            enough = self.out.drain(..).any(|event| see(&event));
        }
        if !enough {
            self.world.wait(until);
        }
    }

    /// Plays so many seconds, and tells how fast and at what cost.
    fn measure(&mut self, what: &str, secs: u64) {
        let (begun, before) = (Instant::now(), self.world.traffic(ServiceId::Membership));
        self.play(self.world.now() + Span::secs(secs), |_| false);
        let after = self.world.traffic(ServiceId::Membership);
        let each = |n: u64| n as f64 / f64::from(self.nodes) / secs as f64;
        println!(
            "{what:<24} {:>7.1} simulated seconds a second, {:>5.2} messages and {:>6.0} bytes a \
             node and period",
            secs as f64 / begun.elapsed().as_secs_f64(),
            each(after.0 - before.0),
            each(after.1 - before.1),
        );
    }

    /// Kills a node, and tells after how long somebody misses it, and after how long all suspect it.
    fn crash(&mut self, node: NodeId) -> (Span, Span) {
        let who = Target::just(node);
        let kill = Command::Kill { who: who.clone(), unsynced: Unsynced::Keep };
        let killed = self.world.now();
        self.world.apply(&kill, &mut Vec::new()).expect("it runs");
        let (mut first, mut left) = (None, self.nodes - 1);
        self.play(killed + Span::secs(200), |event| {
            match event.fact() {
                Some(Fact::Misses { who, .. }) if *who == node => {
                    first.get_or_insert(event.at.since(killed));
                }
                Some(Fact::Suspects { who, .. }) if *who == node => left -= 1,
                _ => {}
            }
            left == 0
        });
        let all = self.world.now().since(killed);
        self.world.apply(&Command::Restart(who), &mut Vec::new()).expect("it is down");
        self.play(self.world.now() + Span::secs(15), |_| false);
        (first.expect("somebody probes it"), all)
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse().ok());
    let (nodes, crashes) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(40));
    println!("{nodes} nodes on SWIM with Lifeguard, a period of a second");
    let mut cluster = Cluster::new(nodes);
    cluster.measure("all hear of all", 60);
    cluster.measure("nothing is new", 60);
    let periods = |span: Span| span.0 as f64 / 1e6;
    let (mut begun, mut all) = (0.0, 0.0);
    for crash in 0..crashes {
        let (first, last) = cluster.crash(NodeId::node(1 + crash * 7 % nodes));
        // A probe that fails takes a period, and is counted by the period that it began in.
        begun += (periods(first) - 1.0).max(0.01).ceil();
        all += periods(last);
    }
    let mean = |sum: f64| sum / f64::from(crashes);
    let theory = 1.0 / (1.0 - (-1.0f64).exp());
    println!(
        "probed after a crash in period {:.2} on average; e/(e - 1) = {theory:.2}",
        mean(begun)
    );
    println!("suspected by all after {:.2} periods on average", mean(all));
}
