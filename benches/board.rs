//! How fast events become a board, and how fast one is back at a point of the past.
#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use netsplit::base::Span;
use netsplit::event::Event;
use netsplit::event::Watch;
use netsplit::plan::{Membership, Plan, Services};
use netsplit::sim::World;
use netsplit::view::Board;
use netsplit::view::timeline::Timeline;
use std::hint::black_box;

const EVENTS: usize = 500_000;

/// What five nodes that beat and play ball tell, with labels.
fn events() -> Vec<Event> {
    let (heartbeat, suspect_after) = (Span::millis(5), Span::millis(50));
    let services = Services {
        ping: Some(1),
        membership: Some(Membership { heartbeat, suspect_after }),
        ..Services::default()
    };
    let plan = Plan { services, ..Plan::bare(5) };
    let mut out = Vec::new();
    let mut world = World::new(&plan, 7, Watch::Labels, &mut out);
    while out.len() < EVENTS {
        world.step(&mut out);
    }
    out.truncate(EVENTS);
    out
}

fn fold(c: &mut Criterion) {
    let events = events();
    let mut group = c.benchmark_group("board");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(10);
    group.bench_function("fold", |b| {
        b.iter(|| {
            let mut board = Board::new();
            for (index, event) in events.iter().enumerate() {
                board.see(index, event);
            }
            black_box(board)
        });
    });
    group.bench_function("extend", |b| {
        let give = || (Timeline::default(), events.clone());
        b.iter_batched(
            give,
            |(mut timeline, events)| {
                timeline.extend(events);
                timeline
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn seek(c: &mut Criterion) {
    let mut timeline = Timeline::default();
    timeline.extend(events());
    let mut group = c.benchmark_group("seek");
    let mut at = 0;
    group.bench_function("anywhere", |b| {
        b.iter(|| {
            at = (at + 314_159) % EVENTS;
            timeline.seek(at);
            black_box(timeline.board().events)
        });
    });
    group.bench_function("one back", |b| {
        b.iter(|| {
            timeline.step(-1);
            black_box(timeline.board().events)
        });
    });
    group.finish();
}

criterion_group!(benches, fold, seek);
criterion_main!(benches);
