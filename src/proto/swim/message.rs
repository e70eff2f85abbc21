//! What members tell each other, and what they believe of each other.

use crate::base::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many rumours a message shows in its label.
const SHOWN: usize = 3;

/// What may be believed of a member. A later one outweighs an earlier one of the same incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// It answers, as far as is known.
    Alive,
    /// It did not answer, and may still refute it.
    Suspect,
    /// It did not refute it in time.
    Dead,
}

/// What is believed of a member. Beliefs are in a *total order*: first by incarnation, then by
/// state. To merge two is to keep the greater, so the order in which rumours arrive does not
/// matter, nor how often (SWIM-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Belief {
    /// In which incarnation of the member.
    pub incarnation: Incarnation,
    /// What it is.
    pub state: State,
}

impl Belief {
    /// Of a member that nobody has heard of yet: it is taken for alive until it does not answer.
    pub const NONE: Belief = Belief { incarnation: Incarnation::NONE, state: State::Alive };
}

/// A piece of gossip: it rides on every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rumour {
    /// Whom it is about.
    pub who: NodeId,
    /// What is believed of it.
    pub belief: Belief,
    /// Who found that out: the member itself if it is alive, else the accuser.
    pub by: NodeId,
}

/// What it sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What it is about.
    pub what: What,
    /// News of members, for whoever reads it.
    pub rumours: Vec<Rumour>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Are you there?
    Ping {
        /// The asker's number for it.
        seq: u32,
    },
    /// I am, or whom you asked me to ping is.
    Ack {
        /// The number of the ping, or of the request.
        seq: u32,
    },
    /// Ping somebody for me, who does not answer me.
    PingReq {
        /// The asker's number for it.
        seq: u32,
        /// Whom to ping.
        target: NodeId,
    },
    /// I am there, but whom you asked me to ping does not answer me either (Lifeguard).
    Nack {
        /// The number of the request.
        seq: u32,
    },
    /// Nothing but the rumours.
    Gossip,
    /// The rumours are all that the sender knows.
    PushPull {
        /// It answers another; else the same is asked for.
        reply: bool,
    },
}

impl fmt::Display for Rumour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rumour { who, belief: Belief { incarnation, state }, by } = self;
        match state {
            State::Alive => write!(f, "{who} alive {incarnation}"),
            State::Suspect => write!(f, "{who} suspect {incarnation} by {by}"),
            State::Dead => write!(f, "{who} dead {incarnation} by {by}"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Ping { seq } => write!(f, "Ping {seq}"),
            What::Ack { seq } => write!(f, "Ack {seq}"),
            What::PingReq { seq, target } => write!(f, "PingReq {seq} {target}"),
            What::Nack { seq } => write!(f, "Nack {seq}"),
            What::Gossip => f.write_str("Gossip"),
            What::PushPull { reply: false } => f.write_str("Push"),
            What::PushPull { reply: true } => f.write_str("Pull"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        for (i, rumour) in self.rumours.iter().take(SHOWN).enumerate() {
            write!(f, "{} {rumour}", if i == 0 { " +" } else { "," })?;
        }
        match self.rumours.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
