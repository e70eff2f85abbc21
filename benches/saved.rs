//! How fast a saved run of a million events is there again, and how fast one steps back in it.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use netsplit::base::Time;
use netsplit::check::Checks;
use netsplit::cluster::Update;
use netsplit::plan::{self, Plan};
use netsplit::sim::player::Player;
use netsplit::sim::player::seam;
use netsplit::sim::restore::Tale;
use netsplit::view::timeline::Timeline;
use std::hint::black_box;

const EVENTS: u64 = 1_000_000;

fn tale() -> Tale {
    let (parent, journal) = (None, Vec::new());
    Tale { parent, seed: 7, journal, events: Some(EVENTS), now: Time::ZERO }
}

/// As the workbench opens it: the simulator on a thread, board and checks on another.
fn open(plan: &Plan) -> Timeline {
    let (mut cluster, commands, updates) = seam();
    let other = plan.clone();
    let play = move || {
        let mut send = |update| drop(updates.blocking_send(update));
        let _player = Player::again(&other, &[tale()], &mut send);
        drop(commands);
    };
    let thread = std::thread::spawn(play);
    let mut timeline = Timeline::default().checked(Checks::all(&plan.expect()));
    while let Some(update) = cluster.updates.blocking_recv() {
        if let Update::Events(events) = update {
            timeline.extend(events);
        }
    }
    thread.join().expect("the simulator does not panic");
    timeline
}

fn saved(c: &mut Criterion) {
    let plan = plan::builtin("default").expect("it is built in");
    let mut group = c.benchmark_group("saved run of 1,000,000 events");
    group.sample_size(10);
    group.bench_function("make again, without looking", |b| {
        b.iter(|| {
            let mut count = 0;
            let mut send = |update| {
                if let Update::Events(events) = update {
                    count += events.len();
                }
            };
            black_box(Player::again(&plan, &[tale()], &mut send));
            black_box(count)
        });
    });
    group.bench_function("open", |b| b.iter(|| black_box(open(&plan))));
    let mut timeline = open(&plan);
    group.bench_function("step back from anywhere", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 314_159) % (EVENTS as usize);
            timeline.seek(at);
            timeline.step(-1);
            black_box(timeline.board().events)
        });
    });
    group.finish();
}

criterion_group!(benches, saved);
criterion_main!(benches);
