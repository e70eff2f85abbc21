//! What a live node's disk is asked for, and what it answers.

use crate::base::Span;
use crate::command::Unsynced;
use crate::host::Write;
use crate::proto::Record;

/// What a disk is asked for. Requests are carried out in order.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Request {
    /// Count a boot, and read everything.
    Load,
    /// Make this durable.
    Commit { upto: u64, batch: Vec<Write> },
    /// The node crashed: what becomes of commits that are not durable yet.
    Crash(Unsynced),
    /// Forget everything but the number of boots.
    Wipe,
    /// Let every sync take this long in addition.
    Slow(Span),
}

/// What a disk answers.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Done {
    /// What is on it, oldest first. `boot` has been counted durably; `torn` says that a
    /// half-written record was found at the end and cut off.
    Loaded { boot: u32, records: Vec<Record>, torn: bool },
    /// All commits up to this one, since the last load, are durable.
    Synced { upto: u64 },
    /// After a crash: this many records are lost.
    Crashed { lost: u64 },
    /// It failed: nothing after the last `Synced` is durable, and nothing more will be before the
    /// next load.
    Failed { why: String },
}
