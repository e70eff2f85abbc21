//! How fast the simulator delivers messages.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use netsplit::plan::{Plan, Services};
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

criterion_group!(benches, ping_pong);
criterion_main!(benches);
