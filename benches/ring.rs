//! What placement costs: looking an owner up, building a ring, and comparing two.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use netsplit::base::placement::position;
use netsplit::base::{Member, NodeId, Ring, Rng, Shape};
use std::hint::black_box;

const SHAPE: Shape = Shape { vnodes: 160, replicas: 3, seed: 7 };
const SIZES: [u16; 3] = [10, 100, 1000];
/// More keys than a branch predictor remembers. A power of two.
const KEYS: usize = 1 << 14;

fn ring(nodes: u16) -> Ring {
    let members: Vec<Member> =
        (1..=nodes).map(|number| Member { node: NodeId::node(number), weight: 1 }).collect();
    Ring::new(&members, SHAPE)
}

fn lookups(c: &mut Criterion) {
    let mut rng = Rng::new(1);
    let positions: Vec<u64> = (0..KEYS).map(|_| rng.bits()).collect();
    let keys: Vec<String> = (0..KEYS).map(|i| format!("user:{i}")).collect();
    let mut i = 0;
    let mut next = move || {
        i = (i + 1) % KEYS;
        i
    };
    let mut group = c.benchmark_group("lookup");
    for nodes in SIZES {
        let ring = ring(nodes);
        group.bench_function(BenchmarkId::new("owner of a position", nodes), |b| {
            b.iter(|| ring.owner(black_box(positions[next()])));
        });
        group.bench_function(BenchmarkId::new("owner of a key", nodes), |b| {
            b.iter(|| ring.owner(ring.position(black_box(&keys[next()]))));
        });
        group.bench_function(BenchmarkId::new("preference list of a position", nodes), |b| {
            b.iter(|| ring.preference(black_box(positions[next()])).last().copied());
        });
        // Each lookup waits for the one before: the time until an answer, not the rate of answers.
        group.bench_function(BenchmarkId::new("owner, one after the other", nodes), |b| {
            let mut last = 0;
            b.iter(|| {
                let owner = ring.owner(black_box(positions[next()] ^ last));
                last = owner.map_or(0, |node| u64::from(node.number())) << 48;
                owner
            });
        });
    }
    group.bench_function("hash of a key", |b| b.iter(|| position(7, black_box(&keys[next()]))));
    group.finish();
}

fn changes(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring");
    group.sample_size(20);
    for nodes in SIZES {
        let before = ring(nodes);
        let after = before.without(NodeId::node(3));
        group.bench_function(BenchmarkId::new("build", nodes), |b| b.iter(|| ring(nodes)));
        group.bench_function(BenchmarkId::new("moved", nodes), |b| b.iter(|| before.moved(&after)));
        group.bench_function(BenchmarkId::new("preview", nodes), |b| {
            b.iter(|| before.preview(&after));
        });
    }
    group.finish();
}

criterion_group!(benches, lookups, changes);
criterion_main!(benches);
