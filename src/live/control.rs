//! What goes in and out of one agent: messages, requests, reports.
//!
//! **Causal order.** Every event and every message carries a *stamp*: the time since the cluster
//! was founded, in microseconds, but at least one more than any stamp its agent has seen before
//! (Kulkarni and others 2014, "Logical Physical Clocks"). So sorting by stamp puts a cause before
//! its effect, whatever the machines' clocks say.

use crate::base::{MsgId, NodeId, Time};
use crate::command::Command;
use crate::event::{Event, Loss, Watch};
use crate::proto::Message;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A message under way from one agent to another. The link knows the two ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Its number; also says who sent it.
    pub id: MsgId,
    /// When it was sent.
    pub stamp: Time,
    /// What it says.
    pub message: Message,
}

/// What carries messages away. Faults have been applied before.
pub trait Link: Send + 'static {
    /// Sends a message now, without waiting. It may still be lost on the way, silently.
    ///
    /// # Errors
    /// Says why it is lost already.
    fn send(&mut self, to: NodeId, envelope: Envelope) -> Result<(), Loss>;
}

/// One command of one console. Agents that carry out the same command report it under the same
/// name, so that whoever merges their reports shows it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandId {
    /// Which console: a random number.
    pub console: u64,
    /// Counts the console's commands from 1.
    pub number: u32,
}

/// What a console asks of an agent.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Report what happens from now on, and first all that a newcomer must know. Given again, it
    /// changes how much is reported, and all that a newcomer must know is reported again.
    Watch(Watch),
    /// Carry out the part of a command that concerns this agent. Answered once.
    Command { id: CommandId, command: Command },
    /// Stop the agent for good: the process ends. Nothing unsynced is kept.
    Shutdown,
}

/// An event as one agent reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Of an event that reports a command: which one.
    pub command: Option<CommandId>,
    /// What happened; its time is its stamp.
    pub event: Event,
}

/// What an agent tells a console. Stamps never fall from one report to the next.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// What happened, oldest first; no event with a stamp up to `upto` will come after this. Comes
    /// without events, too, as a sign of life.
    Events { events: Arc<[Stamped]>, upto: Time },
    /// So many events were not reported because the console is too slow. What a newcomer must
    /// know follows.
    Missed { count: u64 },
    /// A command was carried out, or why not.
    Answer { id: CommandId, result: Result<(), String> },
    /// What a newcomer must know has been reported, up to here.
    Restated,
}

/// What comes to an agent.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Debug)]
pub enum Inbox {
    /// A message arrived from another agent.
    Arrived { from: NodeId, envelope: Envelope },
    /// A message that the link had taken was lost.
    Lost { to: NodeId, id: MsgId, why: Loss },
    /// A console is there: its name, and where its reports go. It leaves by dropping the other end.
    Attached { console: u64, reports: mpsc::Sender<Report> },
    /// It asks for something.
    Asked { console: u64, request: Request },
    /// The disk has done something.
    Disk(super::disk::Done),
}
