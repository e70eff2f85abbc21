//! What comes out: everything that happened, in order, as plain data with one rendering each.
//!
//! An [`Event`] says when (world time, microseconds), where (which process) and what ([`Kind`]).
//! The part that checks and panes read is the [`Fact`]: a typed statement in the field's shared
//! words (promised, chosen, granted, voted), never a protocol's private message. That is why the
//! invariant that guards the simulator also runs on remote nodes, and why panes need no protocol
//! code. A process says a fact only when all it wrote before is on its disk (see `host`), so a
//! fact is as binding as a message.
//!
//! `Display` is the line that goldens, the event list, standard output and reports all show.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{MsgId, NodeId, ServiceId, Span, Time};
use crate::command::Command;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

mod balancing;
mod caching;
mod deadlock;
mod fact;
mod failover;
mod files;
mod handoff;
mod key;
mod saga;
mod session;
mod tx;

pub use balancing::{Balancing, Ended, Standing};
pub use caching::{Caching, Dropped};
pub use deadlock::Deadlock;
pub use fact::{Change, Fact, Freed, LetGo, Phase, Stage, Unhinted};
pub use failover::FailoverFact;
pub use files::{FileFact, Needless};
pub use handoff::HandoffFact;
pub use key::KeyDeed;
pub use saga::SagaFact;
pub use session::{Feels, Lapse, SessionFact};
pub use tx::{Install, Newest, OpenTx, TxFact};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in the world's time.
    pub at: Time,
    /// Where; [`NodeId::BENCH`] for what the workbench did.
    pub node: NodeId,
    /// What.
    pub kind: Kind,
}

/// How much of what happens becomes events. What happens is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Watch {
    /// Only facts, commands, starts and crashes.
    Facts,
    /// Messages and timers too, without labels.
    Messages,
    /// Everything: messages with labels.
    Labels,
}

impl Watch {
    /// Whether an event of this kind is wanted.
    pub fn wants(self, kind: &Kind) -> bool {
        let detail = matches!(
            kind,
            Kind::Sent { .. }
                | Kind::Received { .. }
                | Kind::Fired { .. }
                | Kind::Armed { .. }
                | Kind::Lost { .. }
        );
        !detail || self != Watch::Facts
    }
}

/// What a message says, as one line that begins with its kind: `Promise 3.2 from 17`. Empty when
/// the run does not keep labels, which makes it faster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label(Option<Arc<str>>);

impl Label {
    /// No label.
    pub const NONE: Label = Label(None);

    /// The label that `message` prints.
    pub fn of(message: &impl fmt::Display) -> Label {
        Label(Some(message.to_string().into()))
    }

    /// The whole line.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Its first word: the kind of message.
    pub fn kind(&self) -> &str {
        self.as_str().split(' ').next().unwrap_or_default()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a message never arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Loss {
    /// The link is cut.
    Cut,
    /// Chance, by a `loss` fault.
    Chance,
    /// A person or script dropped it.
    Dropped,
    /// The receiver was down.
    Down,
    /// There is no connection to the receiver.
    Unreachable,
    /// A queue on the way was full: the link or the receiver is too slow.
    Full,
}

/// What happened.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The process sent message `msg` of a service to `to`.
    Sent { msg: MsgId, to: NodeId, service: ServiceId, label: Label },
    /// The process received `msg` from `from`.
    Received { msg: MsgId, from: NodeId, service: ServiceId, label: Label },
    /// `msg` from the process to `to` is lost.
    Lost { msg: MsgId, to: NodeId, why: Loss },
    /// `msg` from the process to `to` is kept back.
    Held { msg: MsgId, to: NodeId },
    /// A timer ran out: `election`, `heartbeat` …
    Fired { service: ServiceId, timer: Cow<'static, str> },
    /// The process booted, for the `boot`th time (from 1), from `records` records on its disk;
    /// `torn` says that a half-written one was found at the end and cut off.
    Started { boot: u32, records: u64, torn: bool },
    /// The process crashed, and `lost` records that were not synced are gone.
    Killed { lost: u64 },
    /// The process is frozen.
    Paused,
    /// The process goes on.
    Resumed,
    /// A service broke one of its own rules and the process died of it.
    Panicked { why: Arc<str> },
    /// A command took effect on the cluster. Its targets are resolved.
    Commanded(Box<Command>),
    /// The process states something.
    Fact(Fact),
    /// For who looks in later: the process is there, in its `boot`th life, running or not. These
    /// commands say what is still wrong with its clock, its disk and its outgoing links; nothing
    /// else is. It never means a start. If the process runs or is frozen, it restates next.
    Present { boot: u32, state: Presence, faults: Arc<[Command]> },
    /// Events of this process (or of all, if said of the workbench) were not seen: so many, or an
    /// unknown number if 0. Stands before anything that may have come after one of them. `Present`
    /// ends it.
    Missed { count: u64 },
    /// The process died because its disk failed: nobody's fault but the machine's.
    Failed { why: Arc<str> },
    /// A timer that people watch was set to run out so long `after` this, by the process's own
    /// clock, or is not set any more.
    Armed { service: ServiceId, timer: Cow<'static, str>, after: Option<Span> },
}

/// How a process is that was there before anybody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Presence {
    /// It runs.
    Up,
    /// It is frozen.
    Paused,
    /// It is down.
    Down,
}

impl Event {
    /// The fact, if it is one.
    pub fn fact(&self) -> Option<&Fact> {
        match &self.kind {
            Kind::Fact(fact) => Some(fact),
            _ => None,
        }
    }

    /// The command, if it is one.
    pub fn command(&self) -> Option<&Command> {
        match &self.kind {
            Kind::Commanded(command) => Some(command),
            _ => None,
        }
    }
}

/// `12.480 n3 Sent`…: time, place, what.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.at, self.node, self.kind)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::Cut => "cut",
            Loss::Chance => "chance",
            Loss::Dropped => "dropped",
            Loss::Down => "down",
            Loss::Unreachable => "unreachable",
            Loss::Full => "queue full",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Sent { msg, to, service, label } => write!(f, "→ {to} {service} {label} {msg}"),
            Kind::Received { msg, from, service, label } => {
                write!(f, "← {from} {service} {label} {msg}")
            }
            Kind::Lost { msg, to, why } => write!(f, "× {to} lost {msg}: {why}"),
            Kind::Held { msg, to } => write!(f, "‖ {to} held {msg}"),
            Kind::Fired { service, timer } => write!(f, "timer {service} {timer}"),
            Kind::Armed { service, timer, after: Some(after) } => {
                write!(f, "timer {service} {timer} in {after}")
            }
            Kind::Armed { service, timer, after: None } => write!(f, "timer {service} {timer} off"),
            Kind::Started { boot, records, torn: false } => {
                write!(f, "starts, boot {boot}, {records} records")
            }
            Kind::Started { boot, records, torn: true } => {
                write!(f, "starts, boot {boot}, {records} records, a torn one cut off")
            }
            Kind::Killed { lost: 0 } => f.write_str("crashes"),
            Kind::Killed { lost } => write!(f, "crashes, {lost} unsynced records lost"),
            Kind::Paused => f.write_str("freezes"),
            Kind::Resumed => f.write_str("goes on"),
            Kind::Panicked { why } => write!(f, "PANIC {why}"),
            Kind::Failed { why } => write!(f, "fails: {why}"),
            Kind::Commanded(command) => write!(f, "▼ {}", command.brief()),
            Kind::Fact(fact) => write!(f, "{fact}"),
            Kind::Present { boot, state, faults } => {
                write!(f, "is {state}, boot {boot}")?;
                faults.iter().try_for_each(|fault| write!(f, "; {fault}"))
            }
            Kind::Missed { count: 0 } => f.write_str("was out of sight"),
            Kind::Missed { count } => write!(f, "was out of sight for {count} events"),
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Presence::Up => "up",
            Presence::Paused => "paused",
            Presence::Down => "down",
        })
    }
}
