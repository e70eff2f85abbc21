//! Ping: the smallest service there is, for measuring the machinery around it.
//!
//! **What it guarantees.** Nothing. **Roles.** Each node starts `width` balls; whoever gets one
//! throws it on to the next node.
//!
//! ```text
//! n1 ── Ball ──> n2 ── Ball ──> n3 ── Ball ──> n1 …
//! ```
//!
//! **Sources.** None. **What is left out.** Everything: it writes nothing and has no invariant.

use super::{Context, Protocol};
use crate::base::{NodeId, ServiceId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes, in the order in which the balls go round.
    pub peers: Arc<[NodeId]>,
    /// How many balls this node starts.
    pub width: u32,
}

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A ball.
    Ball {
        /// How often it has been thrown.
        throws: u64,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message::Ball { throws } = self;
        write!(f, "Ball {throws}")
    }
}

/// Its timers: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {}

/// What it writes: nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Ping {
    next: NodeId,
}

impl Protocol for Ping {
    const ID: ServiceId = ServiceId::Ping;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let at = config.peers.iter().position(|peer| *peer == cx.me()).unwrap_or(0);
        let next = config.peers[(at + 1) % config.peers.len()];
        for _ in 0..config.width {
            cx.send(next, Message::Ball { throws: 1 });
        }
        Ping { next }
    }

    fn message(&mut self, _: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let Message::Ball { throws } = message;
        cx.send(self.next, Message::Ball { throws: throws.saturating_add(1) });
    }

    fn timer(&mut self, timer: Timer, _: &mut Context<'_, Self>) {
        match timer {}
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {}
    }

    fn restate(&self, _: &mut Context<'_, Self>) {}
}
