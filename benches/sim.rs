//! How fast the simulator delivers messages, lets time pass, and goes back.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use netsplit::base::Time;
use netsplit::event::{Event, Kind};
use netsplit::plan::{self, Plan, Services};
use netsplit::sim::history::History;
use netsplit::sim::{Watch, World};
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

criterion_group!(benches, ping_pong, samples, idle, seek);
criterion_main!(benches);
