//! How fast events become a board, how fast one is back at a point of the past, and how fast a
//! screen is drawn.
#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use netsplit::base::Span;
use netsplit::cli::desk;
use netsplit::cluster::Update;
use netsplit::event::Event;
use netsplit::event::Watch;
use netsplit::plan::{self, Heartbeats, Membership, Plan, Services};
use netsplit::sim::World;
use netsplit::tui::app::{App, Speed, Title};
use netsplit::tui::{Env, Flags, Look, Source};
use netsplit::view::Board;
use netsplit::view::timeline::Timeline;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::hint::black_box;

const EVENTS: usize = 500_000;

/// What five nodes that beat and play ball tell, with labels.
fn events() -> Vec<Event> {
    let (heartbeat, suspect_after) = (Span::millis(5), Span::millis(50));
    let beats = Heartbeats { heartbeat, suspect_after, phi: None };
    let services = Services {
        ping: Some(1),
        membership: Some(Membership::Heartbeats(beats)),
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

/// Lets three seconds pass.
fn run(world: &mut World, events: &mut Vec<Event>) {
    let until = world.now() + Span::secs(3);
    while world.now() < until {
        world.step(events);
    }
}

/// The workbench on a cluster of a sample in which the network has parted and a node is down.
fn workbench(sample: &str) -> App {
    let plan = plan::builtin(sample).expect("it is built in");
    let mut events = Vec::new();
    let mut world = World::new(&plan, plan.seed, Watch::Labels, &mut events);
    for order in ["partition n1,n2 | n3,n4,n5", "kill n4"] {
        run(&mut world, &mut events);
        let order = order.parse().expect("it is a command");
        world.apply(&order, &mut events).expect("it can be carried out");
    }
    run(&mut world, &mut events);
    let source = Source::Simulated { seed: plan.seed };
    let title = Title { focus: None, ..desk::title(&plan, source) };
    let env = Env::of(&[("LANG", "C.UTF-8"), ("COLORTERM", "truecolor")]);
    let look = Look::choose(&Flags::default(), &env);
    let mut app = App::new(title, look, Speed::Percent(100), false);
    app.resize(Rect::new(0, 0, 200, 60));
    app.update(Update::Events(events));
    app
}

fn frame(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    for sample in ["default", "ring-50"] {
        let app = workbench(sample);
        let mut buf = Buffer::empty(Rect::new(0, 0, 200, 60));
        group.bench_function(format!("{sample} at 200x60"), |b| {
            b.iter(|| {
                buf.reset();
                black_box(app.draw(&mut buf))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fold, seek, frame);
criterion_main!(benches);
