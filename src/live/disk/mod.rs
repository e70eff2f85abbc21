//! What a live node keeps: a write-ahead log and the thread that writes it.
//!
//! A node may say "I promise" only when the promise survives whatever happens to the node next. The
//! host holds back what it says (`host`); here is what it waits for.
//!
//! ```text
//!  agent ── Commit 7, 8, 9 ──> thread ── one frame, one write ──> file
//!    <───── Synced upto 9 ───────┘  <──── fdatasync returned ──────┘
//! ```
//!
//! **Group commit.** While one sync is under way, further commits queue up. The next frame takes
//! all of them, so a slow disk costs latency but hardly throughput (DeWitt and others 1984).
//!
//! **Torn tails.** A crash in the middle of a write leaves any part of it behind, not only a
//! beginning: blocks reach the disk in any order. So each frame carries a checksum, and a frame is
//! written only after the one before it was synced. A whole frame is thus a witness that all before
//! it were durable, which tells a crash from decay: a broken frame with nothing whole behind it is
//! a *torn tail*, and is cut off; a broken frame with a whole one behind it is something that the
//! disk had promised to keep. A node that forgot its vote may vote twice, so such a log is refused
//! (Alagappan and others 2018, "Protocol-Aware Recovery for Consensus-Based Storage"; their nodes
//! go on to fetch what is lost from their peers).
//!
//! **A failed sync is final.** After `fsync` fails, the kernel may mark the unwritten pages clean:
//! the next `fsync` returns success and has written nothing, and reading shows what memory holds,
//! not what the disk does (Rebello and others 2020, "Can Applications Recover from fsync
//! Failures?"). So nothing is tried again. The node is told ([`Done::Failed`]), the file is cut
//! after the last frame whose sync succeeded, and the next [`Request::Load`] opens and reads it
//! anew.
//!
//! **Reading makes durable.** A process that was killed may leave a frame in the kernel's memory
//! only. The next one reads it and acts on it, so loading syncs the file before it says what is
//! in it.
//!
//! **Rewriting.** When a log has grown to well over twice what it began with, the records that
//! still count are written to a new file, which takes the old one's name in one step once it is
//! durable. A crash leaves the one or the other, and both say the same.
//!
//! # What is guaranteed
//!
//! * What was `Synced` is loaded again after any crash of the process or the machine, in order.
//! * What is loaded was committed: a prefix of it, never a part of a frame.
//! * No two lives of a node have the same boot number, even if its records are wiped.
//!
//! # What is not
//!
//! * The last frame has no witness: if it decays *after* it was acknowledged, it looks like a torn
//!   tail.
//! * A disk that says it has written and has not, or that loses the whole file.

use crate::base::{Rng, Span};
use crate::command::Unsynced;
use crate::host::Write;
use crate::proto::Record;
use std::sync::mpsc;
use std::{fmt, io, thread};

mod dir;
mod frame;
mod memory;
mod wal;
mod writer;

pub use wal::{Sync, Wal};

/// What a disk is asked for. Requests are carried out in order.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Request {
    /// Count a boot, and read everything. The answers until the next load carry the same `life`.
    Load { life: u64 },
    /// Make this durable. Without effect after a crash or a failure, until the next load.
    Commit { upto: u64, batch: Vec<Write> },
    /// The node crashed: what becomes of commits that are not durable yet.
    Crash(Unsynced),
    /// Forget everything but the number of boots, and commit nothing until the next load.
    Wipe,
    /// Let every sync that begins from now on take this long in addition.
    Slow(Span),
}

/// What a disk answers. Answers come in the order of requests, but may be under way when the next
/// request is made: one of an earlier `life` is out of date.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Done {
    /// What is on it, oldest first. `boot` has been counted durably; `torn` says that a
    /// half-written record was found at the end and cut off.
    Loaded { life: u64, boot: u32, records: Vec<Record>, torn: bool },
    /// All commits up to this one, since the last load, are durable.
    Synced { life: u64, upto: u64 },
    /// After a crash: this many records are lost.
    Crashed { life: u64, lost: u64 },
    /// It failed: nothing after the last `Synced` is durable, and nothing more will be before the
    /// next load. A crash says how much is lost.
    Failed { life: u64, why: String },
}

/// Where records are kept.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Debug)]
pub enum Medium {
    /// In memory, gone with the process. A sync takes from `fastest` to `slowest`.
    Memory { fastest: Span, slowest: Span },
    /// In a directory.
    File(Wal),
}

/// A node's disk: the handle of its thread.
///
/// The queue to the thread has no limit of its own. What a node has in flight is what fills it, and
/// a node that waits for its disk says nothing that others could answer.
///
/// The thread ends soon after the handle is dropped. What was not synced by then is lost, as in a
/// crash.
#[derive(Debug)]
pub struct Disk {
    requests: mpsc::Sender<Request>,
    thread: thread::JoinHandle<()>,
}

impl Disk {
    /// Starts the thread under `name`. It answers by calling `done`. `chance` decides what a crash
    /// leaves, and how long a sync takes in memory.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(
        name: &str,
        medium: Medium,
        chance: Rng,
        done: impl FnMut(Done) + Send + 'static,
    ) -> io::Result<Disk> {
        let store: Box<dyn Store> = match medium {
            Medium::Memory { fastest, slowest } => Box::new(memory::Memory::new(fastest, slowest)),
            Medium::File(wal) => Box::new(wal),
        };
        let (requests, inbox) = mpsc::channel();
        let writer = writer::Writer::new(store, chance, done);
        let thread =
            thread::Builder::new().name(name.to_owned()).spawn(move || writer.run(&inbox))?;
        Ok(Disk { requests, thread })
    }

    /// Asks for something, without waiting.
    pub fn send(&self, request: Request) {
        // The thread outlives the handle unless it panicked, and then it has said so.
        let _ = self.requests.send(request);
    }

    /// Ends the thread and waits for it: its directory can be opened again.
    pub fn close(self) {
        drop(self.requests);
        let _ = self.thread.join();
    }
}

/// What a medium can do. After an error or a crash only `load` and `wipe` are called.
trait Store: Send {
    /// How long a sync takes, beyond the time it really takes.
    fn latency(&self, chance: &mut Rng) -> Span;

    /// Reads everything and counts a boot, durably.
    fn load(&mut self) -> Result<Loaded, Trouble>;

    /// Makes a group of writes durable: all or, after a crash, none of them.
    fn commit(&mut self, group: Vec<Write>) -> Result<(), Trouble>;

    /// Tidies up after a commit, if it is time to.
    fn tidy(&mut self) -> Result<(), Trouble>;

    /// Leaves behind what a crash left of writes under way: `kept` as if they had got there, half
    /// of `torn`.
    fn crash(&mut self, kept: Vec<Write>, torn: Option<Write>) -> Result<(), Trouble>;

    /// Forgets everything but the number of boots.
    fn wipe(&mut self) -> Result<(), Trouble>;
}

/// What a load finds.
#[derive(Debug)]
struct Loaded {
    boot: u32,
    records: Vec<Record>,
    torn: bool,
}

/// What went wrong, and what to do about it.
#[derive(Debug)]
struct Trouble {
    what: String,
    remedy: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

#[cfg(test)]
mod tests;
