//! The seam between a running cluster and whoever looks at it: two channels.
//!
//! Commands go in, updates come out, and neither side knows what is behind: the simulator, nodes
//! in this process, or nodes elsewhere. Updates carry events in batches, because a simulator makes
//! millions a second, and the few answers that are no events of the cluster.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{NodeId, Time};
use crate::command::Command;
use crate::event::Event;
use tokio::sync::mpsc::{Receiver, Sender};

/// What comes out of a cluster.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Update {
    /// These events happened next.
    Events(Vec<Event>),
    /// Time stands still at `now`; everything up to there has been sent. `busy` says that it will
    /// go on by itself. Answers `run` (when it ends), `stop`, `step`, `fork`.
    Reached { now: Time, busy: bool },
    /// A new branch begins: of the events so far, the first `keep` belong to it, and its clock
    /// shows `now`.
    Forked { keep: u64, now: Time },
    /// A new branch begins that has nothing in common with the others: its cluster has its chance
    /// from this seed.
    Begun { seed: u64 },
    /// What comes next belongs to the branch with this number, counted in the order of `Forked` and
    /// `Begun` from 1; 0 is the first one. Its clock shows `now`.
    Switched { branch: u32, now: Time },
    /// The command that came last as an event was this step of a simulated run.
    Obeyed { step: u64 },
    /// A command was not carried out, or not by everybody whom it concerns.
    Refused { command: Command, why: String },
    /// The connection to a live process came or went. Processes elsewhere are not connected before
    /// this says so; those in this process always are.
    Link { process: NodeId, state: LinkState },
    /// So many events of live processes could not be taken in and are lost. Their processes state
    /// what one must know now.
    Missed { count: u64 },
}

/// Whether a live process can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is connected.
    Up,
    /// It is being connected to, for the first time or again; with the reason why it is not.
    Down(String),
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// What goes in.
    pub commands: Sender<Command>,
    /// What comes out, in order.
    pub updates: Receiver<Update>,
}
