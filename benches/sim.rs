//! How fast the simulator delivers messages, lets time pass, and goes back.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use netsplit::base::{NodeId, Op, Span, Time};
use netsplit::command::Command;
use netsplit::event::Watch;
use netsplit::event::{Event, Kind};
use netsplit::plan::{self, Log, Plan, Services};
use netsplit::sim::World;
use netsplit::sim::history::History;
use std::hint::black_box;

const STEPS: u64 = 100_000;

/// Five nodes throw balls round: the machinery alone, one delivery a step.
fn ping_pong(c: &mut Criterion) {
    let mut group = c.benchmark_group("ping-pong");
    group.throughput(Throughput::Elements(STEPS)).sample_size(20);
    for (name, watch) in
        [("facts", Watch::Facts), ("messages", Watch::Messages), ("labels", Watch::Labels)]
    {
        group.bench_function(name, |b| {
            let plan = Plan {
                services: Services { ping: Some(1), ..Services::default() },
                ..Plan::bare(5)
            };
            let mut out = Vec::new();
            let mut world = World::new(&plan, 7, watch, &mut out);
            b.iter(|| {
                for _ in 0..STEPS {
                    out.clear();
                    world.step(&mut out);
                    black_box(&out);
                }
            });
        });
    }
    group.finish();
}

/// Plays ten virtual seconds of a plan, from the second on in which everything has settled.
fn ten_seconds(plan: &Plan, watch: Watch, see: &mut impl FnMut(&[Event])) {
    let mut out = Vec::new();
    let mut world = World::new(plan, 7, watch, &mut out);
    while world.next() < Time(10_000_000) {
        out.clear();
        world.step(&mut out);
        see(&out);
    }
}

/// How many messages arrive in that time.
fn deliveries(plan: &Plan) -> u64 {
    let mut count = 0;
    let received = |event: &&Event| matches!(event.kind, Kind::Received { .. });
    ten_seconds(plan, Watch::Messages, &mut |events| {
        count += events.iter().filter(received).count() as u64;
    });
    count
}

/// Real clusters: deliveries a second, all services and their disks included.
fn samples(c: &mut Criterion) {
    let mut group = c.benchmark_group("deliveries");
    group.sample_size(10);
    for name in ["default", "bank", "locks", "ring-50"] {
        let plan = plan::builtin(name).expect("it is built in");
        group.throughput(Throughput::Elements(deliveries(&plan)));
        for (how, watch) in [("facts", Watch::Facts), ("labels", Watch::Labels)] {
            group.bench_function(format!("{name}/{how}"), |b| {
                b.iter(|| {
                    ten_seconds(&plan, watch, &mut |events| {
                        black_box(events.len());
                    })
                });
            });
        }
    }
    group.finish();
}

/// Virtual seconds per second of a cluster that nobody asks for anything: elements are seconds.
fn idle(c: &mut Criterion) {
    let mut plan = plan::builtin("default").expect("it is built in");
    plan.clients.clear();
    let mut group = c.benchmark_group("virtual seconds");
    group.throughput(Throughput::Elements(10)).sample_size(10);
    group.bench_function("idle default", |b| {
        b.iter(|| {
            ten_seconds(&plan, Watch::Facts, &mut |events| {
                black_box(events.len());
            })
        });
    });
    group.finish();
}

/// Going to any point of a run of 500,000 steps.
fn seek(c: &mut Criterion) {
    let plan = plan::builtin("default").expect("it is built in");
    let mut out = Vec::new();
    let mut history = History::new(&plan, 7, Watch::Facts, &mut out);
    while history.world().steps() < 500_000 {
        out.clear();
        history.step(&mut out);
    }
    let events = history.world().events();
    let mut group = c.benchmark_group("seek in 500,000 steps");
    group.sample_size(20);
    group.bench_function("anywhere", |b| {
        let mut at = 1;
        b.iter(|| {
            // A stride that visits everything in no order.
            at = (at + 7_919 * 101) % events;
            black_box(history.fork(at))
        });
    });
    group.finish();
}

/// A cluster that replicates a log, and a stream of requests to its nodes in turn.
struct Replicating {
    world: World,
    out: Vec<Event>,
    next: Time,
    asked: u64,
}

impl Replicating {
    fn new(watch: Watch) -> Replicating {
        let services = Services { log: Some(Log::default()), ..Services::default() };
        let plan = Plan { services, ..Plan::bare(5) };
        let mut out = Vec::new();
        let world = World::new(&plan, 7, watch, &mut out);
        let mut cluster = Replicating { world, out, next: Time(2_000_000), asked: 0 };
        // Until somebody leads.
        cluster.run(20_000);
        cluster
    }

    /// Takes steps, and returns how many messages were delivered (if the world tells).
    fn run(&mut self, steps: u64) -> u64 {
        let mut delivered = 0;
        for _ in 0..steps {
            self.out.clear();
            if self.world.now() >= self.next {
                self.next = self.world.now() + Span::millis(2);
                self.asked += 1;
                let who = NodeId::node(1 + (self.asked % 5) as u16);
                let op = Op::Propose { value: "x".parse().expect("it is a name") };
                drop(self.world.apply(&Command::Ask { who, op }, &mut self.out));
            }
            self.world.step(&mut self.out);
            let received = |event: &&Event| matches!(event.kind, Kind::Received { .. });
            delivered += self.out.iter().filter(received).count() as u64;
            black_box(&self.out);
        }
        delivered
    }
}

/// Five nodes replicate a log, 500 entries a virtual second.
fn multipaxos(c: &mut Criterion) {
    let delivered = Replicating::new(Watch::Messages).run(STEPS);
    let mut group = c.benchmark_group("multipaxos");
    group.throughput(Throughput::Elements(delivered)).sample_size(20);
    for (name, watch) in [("facts", Watch::Facts), ("messages", Watch::Messages)] {
        let mut cluster = Replicating::new(watch);
        group.bench_function(name, |b| b.iter(|| cluster.run(STEPS)));
    }
    group.finish();
}

criterion_group!(benches, ping_pong, samples, idle, seek, multipaxos);
criterion_main!(benches);
