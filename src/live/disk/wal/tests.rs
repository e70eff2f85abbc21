use super::*;
use crate::base::ServiceId;
use crate::live::disk::tests::{round, said, txn};
use tempfile::TempDir;

/// A tail that fails in one way.
struct Faulty {
    file: File,
    /// How many more bytes there is room for.
    room: usize,
    syncs: bool,
}

impl Tail for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = bytes.len().min(self.room);
        self.room -= fits;
        self.file.write_all(&bytes[..fits])?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.syncs { self.file.sync_data() } else { Err(io::Error::other("I/O error")) }
    }
}

fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &TempDir) -> Wal {
    Wal::open(dir.path(), Sync::Full).unwrap()
}

/// Opens and loads.
fn loaded(dir: &TempDir) -> (Wal, Loaded) {
    let mut wal = open(dir);
    let loaded = wal.load().unwrap();
    (wal, loaded)
}

fn refusal(dir: &TempDir) -> String {
    Wal::open(dir.path(), Sync::Full).unwrap_err().to_string()
}

fn rounds(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("Paxos(Round({n}))")).collect()
}

fn log_len(dir: &TempDir) -> u64 {
    fs::metadata(dir.path().join(LOG)).unwrap().len()
}

fn make_faulty(wal: &mut Wal, dir: &TempDir, room: usize, syncs: bool) {
    let file = OpenOptions::new().append(true).open(dir.path().join(LOG)).unwrap();
    wal.log.as_mut().unwrap().tail = Box::new(Faulty { file, room, syncs });
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let dir = temp();
    let (mut wal, first) = loaded(&dir);
    assert_eq!((first.boot, first.records.len(), first.torn), (1, 0, false));
    wal.commit(vec![round(1), txn(5)]).unwrap();
    wal.commit(vec![round(2)]).unwrap();
    drop(wal);
    let (mut wal, second) = loaded(&dir);
    assert_eq!((second.boot, second.torn), (2, false));
    assert_eq!(said(&second.records), ["Paxos(Round(1))", "Txn(Reserved(5))", "Paxos(Round(2))"]);
    wal.commit(vec![round(3)]).unwrap();
    drop(wal);
    assert_eq!(said(&loaded(&dir).1.records).len(), 4);
}

#[test]
fn a_directory_belongs_to_one_process() {
    let dir = temp();
    let first = open(&dir);
    let error = refusal(&dir);
    assert!(error.contains("is in use by another process") && error.contains("help: "), "{error}");
    drop(first);
    open(&dir);
}

#[test]
fn boots_are_counted_whatever_happens_to_the_log() {
    let dir = temp();
    let (mut wal, _) = loaded(&dir);
    assert_eq!(wal.load().unwrap().boot, 2, "in one process, too");
    wal.commit(vec![round(1)]).unwrap();
    wal.wipe().unwrap();
    let after = wal.load().unwrap();
    assert_eq!((after.boot, after.records.len()), (3, 0));
    drop(wal);
    fs::remove_file(dir.path().join(LOG)).unwrap();
    assert_eq!(loaded(&dir).1.boot, 4);

    let boots = dir.path().join(BOOTS);
    let mut bytes = fs::read(&boots).unwrap();
    bytes[16] ^= 1;
    fs::write(&boots, &bytes).unwrap();
    assert!(refusal(&dir).contains("boots is damaged"));
    fs::remove_file(&boots).unwrap();
    let error = refusal(&dir);
    assert!(error.contains("boots: No such file") && error.contains("help: "), "{error}");
}

#[test]
fn a_torn_tail_is_cut_off() {
    let dir = temp();
    let (mut wal, _) = loaded(&dir);
    wal.commit(vec![round(1)]).unwrap();
    let whole = log_len(&dir);
    wal.crash(vec![round(2)], Some(round(3))).unwrap();
    assert!(log_len(&dir) > whole);
    drop(wal);
    let (mut wal, after) = loaded(&dir);
    assert_eq!((said(&after.records), after.torn), (rounds([1, 2]), true));
    wal.commit(vec![round(4)]).unwrap();
    drop(wal);
    let (_, after) = loaded(&dir);
    assert_eq!((said(&after.records), after.torn), (rounds([1, 2, 4]), false), "told once");
}

#[test]
fn damage_before_the_end_is_refused() {
    let dir = temp();
    let (mut wal, _) = loaded(&dir);
    let at = log_len(&dir);
    wal.commit(vec![round(1)]).unwrap();
    wal.commit(vec![round(2)]).unwrap();
    drop(wal);
    let path = dir.path().join(LOG);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at as usize + 33] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let error = refusal(&dir);
    let place = format!("log is damaged at byte {at}:");
    assert!(error.contains(&place) && error.contains("help: restore it"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing is cut off");
}

#[test]
fn a_newer_log_is_refused_by_name() {
    let dir = temp();
    drop(open(&dir));
    let path = dir.path().join(LOG);
    let mut bytes = fs::read(&path).unwrap();
    bytes[12] = 2;
    fs::write(&path, bytes).unwrap();
    let error = refusal(&dir);
    assert!(error.contains("log has format 2, and this version knows none after 1"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_with_a_remedy() {
    let dir = temp();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = Wal::open(&dir.path().join("file"), Sync::Full).unwrap_err().to_string();
    assert!(error.contains("cannot create the directory") && error.contains("help: "), "{error}");
    let error = Wal::open(&dir.path().join("file/below"), Sync::Full).unwrap_err().to_string();
    assert!(error.contains("help: choose another directory"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_refused_with_a_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let dir = temp();
    let set = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o500);
    // The superuser may do anything.
    if File::create(dir.path().join("probe")).is_err() {
        let error = refusal(&dir);
        assert!(error.contains("Permission denied") && error.contains("let this user"), "{error}");
    }
    set(0o700);
}

#[test]
fn a_full_disk_damages_nothing() {
    for room in [0, 10, 40, 70] {
        let dir = temp();
        let (mut wal, _) = loaded(&dir);
        wal.commit(vec![round(1)]).unwrap();
        make_faulty(&mut wal, &dir, room, true);
        let trouble = (2..9).find_map(|n| wal.commit(vec![round(n)]).err().map(|it| (n, it)));
        let (failed_at, trouble) = trouble.unwrap();
        assert!(trouble.to_string().ends_with("; free some space, then start again"), "{trouble}");
        assert!(wal.commit(vec![round(9)]).is_err(), "nothing more before the next load");
        let after = wal.load().unwrap();
        assert_eq!((said(&after.records), after.torn), (rounds(1..failed_at), false));
        wal.commit(vec![round(20)]).unwrap();
        drop(wal);
        assert_eq!(said(&loaded(&dir).1.records), rounds((1..failed_at).chain([20])));
    }
}

#[test]
fn a_failed_sync_is_not_tried_again() {
    let dir = temp();
    let (mut wal, _) = loaded(&dir);
    wal.commit(vec![round(1)]).unwrap();
    make_faulty(&mut wal, &dir, usize::MAX, false);
    let trouble = wal.commit(vec![round(2)]).unwrap_err();
    assert!(trouble.to_string().contains("check the disk"), "{trouble}");
    // The frame may still be in the system's memory, whole, though the disk does not have it.
    let mut bytes = fs::read(dir.path().join(LOG)).unwrap();
    bytes.extend(frame::frame(frame::read(&bytes).unwrap().salt, 2, &[round(2)]));
    fs::write(dir.path().join(LOG), bytes).unwrap();
    assert_eq!(said(&wal.load().unwrap().records), rounds([1]));
    wal.commit(vec![round(3)]).unwrap();
    assert_eq!(said(&wal.load().unwrap().records), rounds([1, 3]), "what is good grows again");
}

#[test]
fn another_process_does_not_see_what_failed_to_sync() {
    let dir = temp();
    let (mut wal, _) = loaded(&dir);
    wal.commit(vec![round(1)]).unwrap();
    make_faulty(&mut wal, &dir, usize::MAX, false);
    wal.commit(vec![round(2)]).unwrap_err();
    drop(wal);
    assert_eq!(said(&loaded(&dir).1.records), rounds([1]));
}

/// A log with records of two services in it, most of which count no more.
fn overgrown(dir: &TempDir) -> Wal {
    let (mut wal, _) = loaded(dir);
    wal.commit(vec![txn(1)]).unwrap();
    wal.commit((0..200).map(round).collect()).unwrap();
    let none = Write::Checkpoint { service: ServiceId::Paxos, records: Vec::new() };
    wal.commit(vec![txn(2), none, round(3)]).unwrap();
    wal.commit(vec![txn(4)]).unwrap();
    rewrite_soon(&mut wal);
    wal
}

/// Makes a log worth rewriting.
fn rewrite_soon(wal: &mut Wal) {
    wal.log.as_mut().unwrap().limit = 500;
}

const FEW: [&str; 4] =
    ["Txn(Reserved(1))", "Txn(Reserved(2))", "Paxos(Round(3))", "Txn(Reserved(4))"];

#[test]
fn a_long_log_is_rewritten() {
    let dir = temp();
    let mut wal = overgrown(&dir);
    assert!(log_len(&dir) > 500);
    wal.tidy().unwrap();
    let short = log_len(&dir);
    assert!(short < 200);
    wal.tidy().unwrap();
    assert_eq!(log_len(&dir), short);
    wal.commit(vec![round(5)]).unwrap();
    drop(wal);
    let (mut wal, after) = loaded(&dir);
    assert_eq!(said(&after.records), [&FEW[..], &["Paxos(Round(5))"]].concat());
    wal.commit(vec![round(6)]).unwrap();
    assert_eq!(said(&wal.load().unwrap().records).len(), 6);
}

#[test]
fn a_log_that_is_all_alive_is_seldom_rewritten() {
    let dir = temp();
    let mut wal = Wal::open(dir.path(), Sync::Never).unwrap();
    wal.load().unwrap();
    let mut rewritten = 0;
    for n in 0..80 {
        wal.commit((0..8000).map(|i| round(n * 8000 + i)).collect()).unwrap();
        let salt = wal.log.as_ref().unwrap().salt;
        wal.tidy().unwrap();
        rewritten += u32::from(wal.log.as_ref().unwrap().salt != salt);
    }
    assert!((1..=3).contains(&rewritten), "{rewritten} times for {} bytes", log_len(&dir));
}

#[test]
fn a_crash_while_a_log_is_rewritten_loses_nothing() {
    let dir = temp();
    drop(overgrown(&dir));
    let (old, boots) =
        (fs::read(dir.path().join(LOG)).unwrap(), fs::read(dir.path().join(BOOTS)).unwrap());
    let mut wal = open(&dir);
    rewrite_soon(&mut wal);
    wal.tidy().unwrap();
    drop(wal);
    let new = fs::read(dir.path().join(LOG)).unwrap();
    let crashed = |log: &[u8], staged: Option<&[u8]>| {
        let dir = temp();
        fs::write(dir.path().join(BOOTS), &boots).unwrap();
        fs::write(dir.path().join(LOG), log).unwrap();
        if let Some(staged) = staged {
            fs::write(dir.path().join("log.new"), staged).unwrap();
        }
        let (mut wal, after) = loaded(&dir);
        assert_eq!(said(&after.records), FEW);
        assert!(!dir.path().join("log.new").exists());
        wal.commit(vec![round(9)]).unwrap();
        drop(wal);
        assert_eq!(said(&loaded(&dir).1.records).len(), 5);
    };
    (0..=new.len()).step_by(7).for_each(|len| crashed(&old, Some(&new[..len])));
    crashed(&old, Some(&new));
    crashed(&new, None);
}

#[test]
fn a_crash_while_a_log_is_founded_leaves_a_directory_that_opens() {
    for (name, bytes) in [("boots.new", &b"x"[..]), ("log.new", b"net")] {
        let dir = temp();
        fs::write(dir.path().join(name), bytes).unwrap();
        assert_eq!(loaded(&dir).1.boot, 1);
    }
}

#[test]
fn a_log_that_cannot_be_rewritten_goes_on() {
    let dir = temp();
    let mut wal = overgrown(&dir);
    // A directory in the place of the new file is as good an obstacle as a full disk.
    fs::create_dir(dir.path().join("log.new")).unwrap();
    wal.tidy().unwrap();
    wal.commit(vec![round(5)]).unwrap();
    drop(wal);
    assert!(refusal(&dir).contains("cannot remove "));
    fs::remove_dir(dir.path().join("log.new")).unwrap();
    assert_eq!(said(&loaded(&dir).1.records), [&FEW[..], &["Paxos(Round(5))"]].concat());
}
