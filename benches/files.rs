//! How fast files are put, read and copied anew: client's node, holders, log, checksums and the
//! simulated network and disks, in memory.
#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use netsplit::base::{Content, FileOp, FileOutcome, Name, NodeId, Op, Outcome, Time};
use netsplit::command::Command;
use netsplit::event::{Event, Fact, FileFact, Watch};
use netsplit::plan::{Files, Log, Membership, Plan, Ring, Services};
use netsplit::sim::World;

/// Bytes in a file.
const SIZE: u32 = 512 << 10;

fn plan(block: u32) -> Plan {
    let services = Services {
        membership: Some(Membership::default()),
        log: Some(Log::default()),
        ring: Some(Ring::default()),
        files: Some(Files { block, throttle: 1 << 30, ..Files::default() }),
        ..Services::default()
    };
    Plan { services, ..Plan::bare(5) }
}

/// A cluster that has elected who leads its log.
fn world(block: u32) -> World {
    let mut out = Vec::new();
    let mut world = World::new(&plan(block), 7, Watch::Facts, &mut out);
    while world.now() < Time(3_000_000) {
        world.step(&mut out);
    }
    world
}

/// Goes on until an event says it.
fn until<T>(world: &mut World, mut said: impl FnMut(&Event) -> Option<T>) -> T {
    let mut out: Vec<Event> = Vec::new();
    loop {
        world.step(&mut out);
        if let Some(it) = out.drain(..).find_map(|event| said(&event)) {
            return it;
        }
    }
}

fn give(world: &mut World, command: &str) {
    let command: Command = command.parse().expect("it is a command");
    world.apply(&command, &mut Vec::new()).expect("it can be carried out");
}

/// Has n1 do it, and goes on until it is done.
fn ask(world: &mut World, op: FileOp) -> FileOutcome {
    let ask = Command::Ask { who: NodeId::node(1), op: Op::File(op) };
    world.apply(&ask, &mut Vec::new()).expect("n1 runs");
    until(world, |event| match event.fact()? {
        Fact::Returns { outcome, .. } => match &**outcome {
            Outcome::File(outcome) => Some(outcome.clone()),
            other => panic!("{other}"),
        },
        _ => None,
    })
}

/// Goes on until so many copies are on the disk of n2 anew.
fn mend(world: &mut World, mut copies: usize) {
    until(world, |event| match event.fact()? {
        Fact::File(FileFact::Keeps { .. }) if event.node == NodeId::node(2) => {
            copies -= 1;
            (copies == 0).then_some(())
        }
        _ => None,
    });
}

fn files(c: &mut Criterion) {
    let file: Name = "plans".parse().expect("a name");
    let mut group = c.benchmark_group("files");
    for block in [4 << 10, 64 << 10] {
        let kib = block >> 10;
        let content = Content::Given(Content::Made { size: SIZE, seed: 7 }.bytes());
        let upload = || FileOp::Upload { file: file.clone(), content: content.clone() };
        let mut world = world(block);
        group.throughput(Throughput::Bytes(SIZE.into())).sample_size(20);
        group.bench_function(format!("put, blocks of {kib} KiB"), |b| {
            b.iter(|| ask(&mut world, upload()));
        });
        ask(&mut world, upload());
        group.bench_function(format!("get, blocks of {kib} KiB"), |b| {
            b.iter(|| ask(&mut world, FileOp::Download { file: file.clone() }));
        });
        // The disk of n2 is lost, and it fetches its blocks from the other holders.
        let mut out = Vec::new();
        give(&mut world, "disk n2 wipe");
        give(&mut world, "restart n2");
        let mut after = world.clone();
        while after.now() < Time(world.now().0 + 60_000_000) {
            after.step(&mut out);
        }
        let kept = |event: &Event| {
            let keeps = matches!(event.fact(), Some(Fact::File(FileFact::Keeps { .. })));
            event.node == NodeId::node(2) && keeps
        };
        let copies = out.iter().filter(|event| kept(event)).count();
        let bytes = copies * block as usize;
        group.throughput(Throughput::Bytes(bytes as u64)).sample_size(20);
        group.bench_function(format!("repair, blocks of {kib} KiB"), |b| {
            b.iter_batched(|| world.clone(), |mut w| mend(&mut w, copies), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, files);
criterion_main!(benches);
