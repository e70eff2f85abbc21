use super::*;
use crate::base::{Rng, ServiceId};
use crate::host;
use crate::proto::{commit, paxos};
use proptest::prelude::*;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Longer than any answer takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// A record of one service.
pub(super) fn round(n: u32) -> Write {
    Write::Append(paxos::Record::Round(n).into())
}

/// A record of another.
pub(super) fn txn(n: u32) -> Write {
    Write::Append(commit::Record::Reserved(n).into())
}

/// Records as texts, to compare them.
pub(super) fn said(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| format!("{record:?}")).collect()
}

fn start(medium: Medium) -> (Disk, Receiver<Done>) {
    let (say, answers) = mpsc::channel();
    let done = move |done| drop(say.send(done));
    (Disk::start("disk n1", medium, Rng::new(1), done).unwrap(), answers)
}

fn memory(latency: Span) -> Medium {
    Medium::Memory { fastest: latency, slowest: latency }
}

fn commit(upto: u64, batch: Vec<Write>) -> Request {
    Request::Commit { upto, batch }
}

/// The next answer that is none of `Synced`, and the last that was.
fn answer(answers: &Receiver<Done>) -> (u64, Done) {
    let mut synced = 0;
    loop {
        match answers.recv_timeout(LONG).unwrap() {
            Done::Synced { upto, .. } => synced = upto,
            other => return (synced, other),
        }
    }
}

fn wait_for(answers: &Receiver<Done>, number: u64) {
    while !matches!(answers.recv_timeout(LONG).unwrap(), Done::Synced { upto, .. } if upto == number)
    {
    }
}

#[test]
fn commits_that_wait_are_synced_together() {
    let (disk, answers) = start(memory(Span::millis(50)));
    disk.send(Request::Load { life: 1 });
    (1..=100).for_each(|n| disk.send(commit(n, vec![round(1)])));
    answer(&answers);
    let mut syncs = 0;
    loop {
        syncs += 1;
        if matches!(answers.recv_timeout(LONG).unwrap(), Done::Synced { upto: 100, life: 1 }) {
            break;
        }
    }
    assert!(syncs < 20, "{syncs} syncs for 100 commits");
}

#[test]
fn a_sync_covers_only_what_came_before_it() {
    let (disk, answers) = start(memory(Span::millis(40)));
    disk.send(Request::Load { life: 1 });
    answer(&answers);
    disk.send(commit(1, vec![round(1)]));
    std::thread::sleep(Duration::from_millis(20));
    let sent = Instant::now();
    disk.send(commit(2, vec![round(2)]));
    wait_for(&answers, 2);
    assert!(sent.elapsed() >= Duration::from_millis(40));
}

#[test]
fn a_crash_does_not_wait_for_a_slow_disk() {
    let dir = tempfile::tempdir().unwrap();
    let wal = Wal::open(dir.path(), Sync::Full).unwrap();
    for medium in [memory(Span::ZERO), Medium::File(wal)] {
        let (disk, answers) = start(medium);
        disk.send(Request::Load { life: 1 });
        disk.send(commit(1, vec![round(1)]));
        answer(&answers);
        wait_for(&answers, 1);
        disk.send(Request::Slow(Span(u64::MAX)));
        disk.send(commit(2, vec![round(2), txn(1)]));
        std::thread::sleep(Duration::from_millis(5));
        disk.send(commit(3, vec![round(3)]));
        disk.send(Request::Crash(Unsynced::Lose));
        assert!(matches!(answer(&answers), (0, Done::Crashed { life: 1, lost: 3 })));
        disk.send(commit(4, vec![round(4)]));
        disk.send(Request::Load { life: 2 });
        let (_, loaded) = answer(&answers);
        let Done::Loaded { life: 2, boot: 2, records, torn: false } = loaded else {
            panic!("{loaded:?}")
        };
        assert_eq!(said(&records), ["Paxos(Round(1))"]);
        disk.send(commit(5, vec![round(5)]));
        let silence = answers.recv_timeout(Duration::from_millis(50));
        assert_eq!(silence.unwrap_err(), RecvTimeoutError::Timeout, "it is still slow");
    }
}

#[test]
fn the_thread_ends_with_its_handle() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Wal::open(dir.path(), Sync::Full);
    let (disk, answers) = start(Medium::File(open().unwrap()));
    disk.send(Request::Load { life: 1 });
    disk.send(Request::Slow(Span::secs(1000)));
    disk.send(commit(1, vec![round(1)]));
    answer(&answers);
    drop(disk);
    assert_eq!(answers.recv_timeout(LONG).unwrap_err(), RecvTimeoutError::Disconnected);
    let (disk, _) = start(Medium::File(open().unwrap()));
    disk.close();
    open().unwrap();
}

/// A store whose every commit fails.
struct Failing(memory::Memory);

impl Store for Failing {
    fn latency(&self, _: &mut Rng) -> Span {
        Span::millis(1)
    }
    fn load(&mut self) -> Result<Loaded, Trouble> {
        self.0.load()
    }
    fn commit(&mut self, _: Vec<Write>) -> Result<(), Trouble> {
        Err(Trouble { what: "the disk is full".to_owned(), remedy: "free some space".to_owned() })
    }
    fn tidy(&mut self) -> Result<(), Trouble> {
        self.0.tidy()
    }
    fn crash(&mut self, kept: Vec<Write>, torn: Option<Write>) -> Result<(), Trouble> {
        self.0.crash(kept, torn)
    }
    fn wipe(&mut self) -> Result<(), Trouble> {
        self.0.wipe()
    }
}

#[test]
fn a_failure_is_told_once_and_what_it_cost_is_counted() {
    let (say, answers) = mpsc::channel();
    let (requests, inbox) = mpsc::channel();
    let store = Box::new(Failing(memory::Memory::new(Span::ZERO, Span::ZERO)));
    let done = move |done| drop(say.send(done));
    let writer = writer::Writer::new(store, Rng::new(1), done);
    for request in
        [Request::Load { life: 7 }, commit(1, vec![round(1), round(2)]), commit(2, vec![round(3)])]
    {
        requests.send(request).unwrap();
    }
    let thread = std::thread::spawn(move || writer.run(&inbox));
    assert!(matches!(answer(&answers), (0, Done::Loaded { life: 7, .. })));
    let (_, failed) = answer(&answers);
    let Done::Failed { life: 7, why } = failed else { panic!("{failed:?}") };
    assert_eq!(why, "the disk is full; free some space");
    requests.send(commit(3, vec![round(4)])).unwrap();
    requests.send(Request::Crash(Unsynced::Keep)).unwrap();
    assert!(matches!(answer(&answers), (0, Done::Crashed { life: 7, lost: 4 })));
    drop(requests);
    thread.join().unwrap();
}

/// One step of the model test.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    Wait,
    Crash(Unsynced),
    Wipe,
}

fn step() -> impl Strategy<Value = Step> {
    let service = prop_oneof![Just(ServiceId::Paxos), Just(ServiceId::Txn)];
    let checkpoint = (service, prop::collection::vec(0u32..999, 0..3)).prop_map(|(service, of)| {
        let record = |n: u32| match service {
            ServiceId::Paxos => paxos::Record::Round(n).into(),
            _ => commit::Record::Reserved(n).into(),
        };
        Write::Checkpoint { service, records: of.into_iter().map(record).collect() }
    });
    let write = prop_oneof![
        4 => (0u32..999).prop_map(round),
        4 => (0u32..999).prop_map(txn),
        1 => checkpoint,
    ];
    let unsynced = prop_oneof![
        Just(Unsynced::Chance),
        Just(Unsynced::Lose),
        Just(Unsynced::Keep),
        Just(Unsynced::Tear),
    ];
    prop_oneof![
        8 => prop::collection::vec(write, 1..4).prop_map(Step::Commit),
        2 => Just(Step::Wait),
        3 => unsynced.prop_map(Step::Crash),
        1 => Just(Step::Wipe),
    ]
}

/// What a disk must say, from what was asked of it and what it has said.
#[derive(Default)]
struct Model {
    /// What is durable.
    disk: host::Disk,
    /// Committed, not durable as far as anybody knows.
    pending: Vec<(u64, Vec<Write>)>,
    life: u64,
    last: u64,
}

impl Model {
    fn synced(&mut self, upto: u64) {
        assert!(self.pending.iter().any(|(number, _)| *number == upto), "{upto} is not pending");
        while self.pending.first().is_some_and(|(number, _)| *number <= upto) {
            self.pending.remove(0).1.into_iter().for_each(|write| self.disk.write(write));
        }
    }

    /// Takes answers in until one that is no `Synced`.
    fn hear(&mut self, answers: &Receiver<Done>) -> Done {
        loop {
            match answers.recv_timeout(LONG).unwrap() {
                Done::Synced { life, upto } => {
                    assert_eq!(life, self.life);
                    self.synced(upto);
                }
                other => return other,
            }
        }
    }

    fn load(&mut self, disk: &Disk, answers: &Receiver<Done>, torn: Option<bool>) {
        self.life += 1;
        disk.send(Request::Load { life: self.life });
        let loaded = self.hear(answers);
        let Done::Loaded { life, boot, records, torn: found } = loaded else {
            panic!("{loaded:?}")
        };
        assert_eq!((life, u64::from(boot)), (self.life, self.life));
        assert_eq!(said(&records), said(self.disk.records()));
        assert!(torn.is_none_or(|torn| torn == found));
    }

    fn crash(&mut self, unsynced: Unsynced, disk: &Disk, answers: &Receiver<Done>) {
        disk.send(Request::Crash(unsynced));
        let crashed = self.hear(answers);
        let Done::Crashed { life, lost } = crashed else { panic!("{crashed:?}") };
        assert_eq!(life, self.life);
        let writes: Vec<Write> = self.pending.drain(..).flat_map(|(_, batch)| batch).collect();
        let total = writes.len();
        match unsynced {
            Unsynced::Keep => assert_eq!(lost, 0),
            Unsynced::Lose | Unsynced::Tear => assert_eq!(lost, total as u64),
            Unsynced::Chance => assert!(lost <= total as u64),
        }
        writes.into_iter().take(total - lost as usize).for_each(|write| self.disk.write(write));
        let torn = match unsynced {
            Unsynced::Keep | Unsynced::Lose => Some(false),
            Unsynced::Tear => Some(total > 0),
            Unsynced::Chance => (lost == 0).then_some(false),
        };
        self.load(disk, answers, torn);
    }

    fn step(&mut self, step: Step, disk: &Disk, answers: &Receiver<Done>) {
        match step {
            Step::Commit(batch) => {
                self.last += 1;
                disk.send(commit(self.last, batch.clone()));
                self.pending.push((self.last, batch));
            }
            Step::Wait => {
                while !self.pending.is_empty() {
                    let Done::Synced { upto, .. } = answers.recv_timeout(LONG).unwrap() else {
                        panic!("only syncs are under way")
                    };
                    self.synced(upto);
                }
            }
            Step::Crash(unsynced) => self.crash(unsynced, disk, answers),
            Step::Wipe => {
                self.crash(Unsynced::Lose, disk, answers);
                disk.send(Request::Wipe);
                self.disk = host::Disk::default();
                self.load(disk, answers, Some(false));
            }
        }
    }
}

fn follows_the_model(medium: Medium, slow: Span, steps: Vec<Step>) -> (Model, Disk) {
    let (disk, answers) = start(medium);
    let mut model = Model::default();
    disk.send(Request::Slow(slow));
    model.load(&disk, &answers, Some(false));
    steps.into_iter().for_each(|step| model.step(step, &disk, &answers));
    model.step(Step::Wait, &disk, &answers);
    (model, disk)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_disk_in_memory_keeps_its_promises(
        steps in prop::collection::vec(step(), 0..24), slow in 0u64..2
    ) {
        follows_the_model(memory(Span::ZERO), Span::millis(slow), steps);
    }

    #[test]
    fn a_disk_in_a_directory_keeps_its_promises(
        steps in prop::collection::vec(step(), 0..24), slow in 0u64..2
    ) {
        let dir = tempfile::tempdir().unwrap();
        let open = || Medium::File(Wal::open(dir.path(), Sync::Full).unwrap());
        let (mut model, disk) = follows_the_model(open(), Span::millis(slow), steps);
        disk.close();
        let (disk, answers) = start(open());
        model.load(&disk, &answers, Some(false));
    }
}
