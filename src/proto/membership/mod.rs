//! Who is alive: heartbeats and suspicion.
//!
//! **What it guarantees.** Completeness: a node that crashed, or can no longer be heard, is
//! suspected by every node that goes on, within `suspect_after` of its last heartbeat's arrival, or
//! within a time that is learnt from the heartbeats before (`phi`).
//! Accuracy only in the end: once messages arrive in time again, nobody who is alive stays
//! suspected. A suspicion is one observer's opinion and may be wrong (a slow link looks like a
//! crash), so nothing that must be right may rely on it. Who changes the ring because of it asks
//! the log first.
//!
//! **Roles.** All the same: each node tells all others that it is alive, and watches all others.
//! An *incarnation* is the number of a node's boot. A heartbeat of an earlier incarnation says
//! nothing about the present one and is ignored.
//!
//! ```text
//!  n1                                n2
//!  │── Heartbeat 1 ──────────────────>│ trusts n1 boot 1
//!  │── Heartbeat 1 ──────────────────>│ waits again
//!  ×  crashes                         │
//!                                     │ suspect_after passes: suspects n1 boot 1
//!  boots again                        │
//!  │── Heartbeat 2 ──────────────────>│ trusts n1 boot 2
//! ```
//!
//! **Sources.** Chandra and Toueg, *Unreliable failure detectors for reliable distributed systems*
//! (1996): the class "eventually perfect", when there are bounds that hold from some time on. One
//! heartbeat a second, and patience for four, are what such detectors do where a wrong suspicion
//! moves data (SWIM's memberlist, Akka, Cassandra): it need not be fast, since a log has election
//! times of its own, and an idle cluster should cost nothing worth mentioning. The
//! incarnation is that of Das, Gupta and Motivala, *SWIM* (2002), section 4.2, but counted by the
//! host, so nobody has to refute anything.
//!
//! **What is left out.** Indirect probes and gossip (see `swim`): every pair has its own
//! heartbeats, which is n² messages a round.

mod phi;

pub use phi::MOST as MOST_PHI;

use super::{Context, Protocol};
use crate::base::{Incarnation, Mutation, Mutations, NodeId, ServiceId, Span, Time};
use crate::event::Fact;
use phi::Intervals;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes, this one included.
    pub peers: Arc<[NodeId]>,
    /// How often it says that it is alive. Chance adds or takes up to a tenth, so that nodes do
    /// not all speak at once.
    pub heartbeat: Span,
    /// After how long without a heartbeat a node is suspected; with `phi`, as long as little is
    /// known of it.
    pub suspect_after: Span,
    /// Suspect a node when φ passes this, from 1 to [`MOST_PHI`]: 8 is wrong once in 10⁸ times, as
    /// far as intervals are what they were.
    pub phi: Option<u8>,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// What is learnt never exceeds so many times `suspect_after`: who is down must be missed at last.
pub const MOST_PATIENCE: u64 = 4;

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// The sender is alive.
    Heartbeat {
        /// Which boot of the sender says so.
        incarnation: u32,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message::Heartbeat { incarnation } = self;
        write!(f, "Heartbeat {incarnation}")
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// It is time to say that this node is alive.
    Heartbeat,
    /// Nothing was heard of this node for too long.
    Suspect(NodeId),
}

/// What it writes: nothing. Who is alive now is not worth remembering.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// What a node thinks of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opinion {
    /// Not heard of, and not missed for long enough, if neither trusted nor suspected.
    alive: Option<bool>,
    /// The latest boot that was heard of; 0 if none was.
    incarnation: u32,
}

/// What it knows of another node.
#[derive(Clone, Debug)]
struct Peer {
    opinion: Opinion,
    /// When the last heartbeat came, if one came in this life of the node.
    heard: Option<Time>,
    intervals: Intervals,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Membership {
    others: Arc<[NodeId]>,
    config: Config,
    peers: BTreeMap<NodeId, Peer>,
}

impl Protocol for Membership {
    const ID: ServiceId = ServiceId::Membership;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let me = cx.me();
        let others: Arc<[NodeId]> = config.peers.iter().copied().filter(|p| *p != me).collect();
        let opinion = Opinion { alive: None, incarnation: 0 };
        let unknown = Peer { opinion, heard: None, intervals: Intervals::default() };
        let peers = others.iter().map(|peer| (*peer, unknown.clone())).collect();
        for peer in others.iter() {
            cx.set(Timer::Suspect(*peer), config.suspect_after);
        }
        let membership = Membership { others, config, peers };
        membership.beat(cx);
        membership
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let Message::Heartbeat { incarnation } = message;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if incarnation < peer.opinion.incarnation {
            return;
        }
        peer.learn(incarnation, &self.config, cx.now());
        cx.set(Timer::Suspect(from), peer.patience(&self.config));
        if peer.opinion.alive == Some(false)
            && self.config.mutations.has(Mutation::MembershipGrudge)
        {
            return;
        }
        let heard = Opinion { alive: Some(true), incarnation };
        if peer.opinion != heard {
            peer.opinion = heard;
            cx.emit(heard.fact(from));
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Heartbeat => self.beat(cx),
            Timer::Suspect(_) if self.config.mutations.has(Mutation::MembershipBlind) => {}
            Timer::Suspect(id) => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.opinion.alive = Some(false);
                    cx.emit(peer.opinion.fact(id));
                }
            }
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Heartbeat => "heartbeat",
            Timer::Suspect(_) => "suspect",
        }
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        for (id, peer) in &self.peers {
            if peer.opinion.alive.is_some() {
                cx.emit(peer.opinion.fact(*id));
            }
        }
    }
}

impl Membership {
    fn beat(&self, cx: &mut Context<'_, Self>) {
        let incarnation = cx.boot();
        cx.send_all(self.others.iter(), &Message::Heartbeat { incarnation });
        let Span(micros) = self.config.heartbeat;
        let tenth = micros / 10;
        let next = cx.rng().span(Span(micros - tenth), Span(micros + tenth));
        cx.set(Timer::Heartbeat, next);
    }
}

impl Peer {
    /// Notes the time since the heartbeat before, if both are of one life of the peer. What was
    /// longer than the patience counts as that.
    fn learn(&mut self, incarnation: u32, config: &Config, now: Time) {
        let before = self.heard.replace(now).filter(|_| incarnation == self.opinion.incarnation);
        if let Some(before) = before.filter(|_| config.phi.is_some()) {
            self.intervals.note(now.since(before).min(self.patience(config)));
        }
    }

    /// How long to wait for its next heartbeat.
    fn patience(&self, config: &Config) -> Span {
        let Span(micros) = config.heartbeat;
        let learnt = config.phi.and_then(|phi| self.intervals.patience(phi, Span(micros / 10)));
        let most = config.suspect_after.times(MOST_PATIENCE);
        learnt.map_or(config.suspect_after, |learnt| learnt.min(most))
    }
}

impl Opinion {
    fn fact(self, who: NodeId) -> Fact {
        let incarnation = Incarnation::of_boot(self.incarnation);
        match self.alive {
            Some(true) => Fact::Trusts { who, incarnation },
            _ => Fact::Suspects { who, incarnation },
        }
    }
}
