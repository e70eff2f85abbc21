//! What durability costs: commits a second, with and without waiting for the disk.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use netsplit::base::Rng;
use netsplit::host::Write;
use netsplit::live::disk::{Disk, Done, Medium, Request, Sync, Wal};
use netsplit::proto::paxos;
use std::sync::mpsc;
use std::time::Duration;

/// How many commits are under way at once.
const DEPTHS: [u64; 3] = [1, 16, 256];

fn load(sync: Sync, dir: &tempfile::TempDir) -> (Disk, mpsc::Receiver<Done>) {
    let wal = Wal::open(dir.path(), sync).expect("the directory can be opened");
    let (say, answers) = mpsc::channel();
    let done = move |done| drop(say.send(done));
    let disk =
        Disk::start("disk", Medium::File(wal), Rng::new(1), done).expect("there is a thread");
    disk.send(Request::Load { life: 1 });
    let loaded = answers.recv().expect("it answers");
    assert!(matches!(loaded, Done::Loaded { .. }), "{loaded:?}");
    (disk, answers)
}

/// Sends `depth` commits at once and waits until all are durable.
fn commit(disk: &Disk, answers: &mpsc::Receiver<Done>, last: &mut u64, depth: u64) {
    for _ in 0..depth {
        *last += 1;
        let batch = vec![Write::Append(paxos::Record::Round(*last as u32).into())];
        disk.send(Request::Commit { upto: *last, batch });
    }
    loop {
        match answers.recv().expect("it answers") {
            Done::Synced { upto, .. } if upto == *last => return,
            Done::Synced { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn commits(c: &mut Criterion) {
    for (name, sync) in [("synced", Sync::Full), ("not synced", Sync::Never)] {
        let mut group = c.benchmark_group(format!("commit, {name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(4));
        for depth in DEPTHS {
            // Not where temporary files are: that may be memory.
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room");
            let (disk, answers) = load(sync, &dir);
            let mut last = 0;
            group.throughput(Throughput::Elements(depth));
            group.bench_function(BenchmarkId::new("under way", depth), |b| {
                b.iter(|| commit(&disk, &answers, &mut last, depth));
            });
            disk.close();
        }
        group.finish();
    }
}

criterion_group!(benches, commits);
criterion_main!(benches);
