//! Who is alive: SWIM, which asks one member at a time and lets the answer spread as gossip.
//!
//! **What it guarantees.** Completeness: whoever crashed is found out by some member within 2n − 1
//! periods, on average within e/(e − 1) ≈ 1.58 (SWIM-4), and the news reaches all in O(log n)
//! more. Accuracy only in the end, as any failure detector; but a lost message or a bad link alone
//! lets nobody be suspected (SWIM-5), and whoever is suspected wrongly has time to refute it. Each
//! member sends and receives the same few messages a period, however many members there are
//! (SWIM-7): heartbeats cost each of them n.
//!
//! **Roles.** All the same. Each period a node *probes* one member, in an order by chance that has
//! each once a pass. Whoever does not answer in time is pinged by `helpers` others on its behalf.
//! If none of them hears of it either, it is *suspected*, and dead when a time has passed without
//! a refutation. Rumours ride on all messages, and go out to three by chance every `gossip` while
//! there are any.
//!
//! ```text
//!  n1                n2              n3
//!  │── Ping 1 ───────×               │   n2 does not answer
//!  │── PingReq 1 n2 ────────────────>│   nor does it answer n3, who says so (Lifeguard)
//!  │                 ×────── Ping 7 ─┤
//!  │<──────────────────────── Nack 1 ┤
//!  │ n2 suspect 1 by n1 ────────────>│   the rumour spreads; n2 may hear it and refute it:
//!  │                 │ alive 1.1 ───>│   an incarnation above it, which only n2 may say
//!  │ or the time is up: n2 dead 1    │
//! ```
//!
//! *Incarnations.* A member's own number for what it says of itself: its boot, which the host
//! counts, and how often it has refuted something in it. So a restart is above all that came
//! before, without a disk. Of two beliefs about one member the greater is kept: by incarnation
//! first, then alive, suspect, dead. So merging is a join (SWIM-2): order and repetition do not
//! matter.
//!
//! *The dead* are knocked at, one each period, and told so. Without that, two halves of a cluster
//! that was parted would each take the other for dead for good (SWIM-6). And everybody exchanges
//! all that it knows with one other by chance every `push_pull`, which finds what gossip missed.
//!
//! *Lifeguard* (a switch). The accuser may be the one that is slow. So a node whose probes fail,
//! or who is accused itself, gives others more time, up to nine times (*local health*); helpers
//! who cannot reach the target say so, and those who say nothing speak against the asker; and a
//! suspicion lasts six times as long as long as there is one accuser only.
//!
//! **Rules.** SWIM-1, 2, 3 and 5 (`check::swim`); LIVE-4 and LIVE-5, which is that views converge
//! again (SWIM-6; `check::progress`).
//!
//! **Sources.** Das, Gupta and Motivala, *SWIM: scalable weakly-consistent infection-style process
//! group membership protocol* (2002); Dadgar, Phillips and Currey, *Lifeguard: SWIM-ing with
//! situational awareness* (2017); HashiCorp's memberlist, for its parameters and for what the
//! papers leave open (push-pull, gossip between probes).
//!
//! **What is left out.** Joining and leaving: members are those of the cluster file. In the paper
//! the dead stay dead whatever is said of them; here a higher incarnation brings them back, as in
//! memberlist.

mod gossip;
mod members;
mod message;
mod probe;
mod suspicion;

pub use message::{Belief, Message, Rumour, State, What};
pub use suspicion::least as least_suspicion;

use super::{Context, Protocol};
use crate::base::{Incarnation, Mutation, Mutations, NodeId, ServiceId, Span};
use crate::event::Fact;
use gossip::Gossip;
use members::Members;
use probe::Prober;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use suspicion::Suspicion;

/// How many rumours a message carries at the most, but for push-pull.
const MOST_RUMOURS: usize = 24;
/// To how many members rumours go between probes.
const FAN_OUT: usize = 3;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes, this one included.
    pub peers: Arc<[NodeId]>,
    /// How often it probes a member.
    pub period: Span,
    /// How long it waits for the answer before it asks helpers.
    pub timeout: Span,
    /// How many helpers it asks.
    pub helpers: u8,
    /// How often it passes rumours on, besides those that ride on probes.
    pub gossip: Span,
    /// How often it exchanges all that it knows with another.
    pub push_pull: Span,
    /// Whether it doubts itself before it doubts others.
    pub lifeguard: bool,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The period is over.
    Probe,
    /// The target has had its time to answer directly.
    Direct,
    /// A ping for somebody else, of this number, has had its time.
    Errand(u32),
    /// This member has had its time to refute a suspicion.
    Suspicion(NodeId),
    /// Pass rumours on.
    Gossip,
    /// Exchange everything with somebody.
    PushPull,
}

/// What it writes: nothing. Who is alive now is not worth remembering.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Swim {
    config: Config,
    others: Arc<[NodeId]>,
    members: Members,
    /// Its own.
    incarnation: Incarnation,
    gossip: Gossip,
    prober: Prober,
    suspicions: BTreeMap<NodeId, Suspicion>,
}

impl Protocol for Swim {
    const ID: ServiceId = ServiceId::Membership;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let me = cx.me();
        let others: Arc<[NodeId]> = config.peers.iter().copied().filter(|p| *p != me).collect();
        let zero = config.mutations.has(Mutation::SwimIncarnationZero);
        let boot = if zero { 1 } else { cx.boot() };
        let mut swim = Swim {
            members: Members::new(others.clone()),
            others,
            incarnation: Incarnation { boot, raised: 0 },
            gossip: Gossip::default(),
            prober: Prober::new(cx.boot()),
            suspicions: BTreeMap::new(),
            config,
        };
        Prober::first(cx, swim.config.period);
        // A newcomer asks at once; from then on everybody has its own beat.
        let first = cx.rng().span(Span::ZERO, swim.config.gossip);
        cx.set(Timer::PushPull, first);
        swim.spread(me, cx);
        swim
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if self.members.belief(from).is_none() {
            return;
        }
        for rumour in message.rumours {
            self.hear_of(rumour, cx);
        }
        match message.what {
            What::Ping { seq } => self.send(from, What::Ack { seq }, cx),
            What::Ack { seq } => self.on_ack(from, seq, cx),
            What::PingReq { seq, target } => self.on_errand(from, seq, target, cx),
            What::Nack { seq } => self.on_nack(seq),
            What::Gossip | What::PushPull { reply: true } => {}
            What::PushPull { reply: false } => {
                self.send(from, What::PushPull { reply: true }, cx);
            }
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Probe => self.on_period(cx),
            Timer::Direct => self.on_direct(cx),
            Timer::Errand(seq) => self.on_errand_over(seq, cx),
            Timer::Suspicion(who) => self.on_suspicion(who, cx),
            Timer::Gossip => self.on_gossip(cx),
            Timer::PushPull => self.on_push_pull(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Probe => "probe",
            Timer::Direct => "direct",
            Timer::Errand(_) => "errand",
            Timer::Suspicion(_) => "suspicion",
            Timer::Gossip => "gossip",
            Timer::PushPull => "push-pull",
        }
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        cx.emit(Fact::Incarnation { incarnation: self.incarnation, refutes: None });
        self.members.known().for_each(|rumour| cx.emit(rumour.fact()));
    }
}

impl Swim {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    fn send(&mut self, to: NodeId, what: What, cx: &mut Context<'_, Self>) {
        let rumours = self.news(to, what, cx);
        cx.send(to, Message { what, rumours });
    }

    fn on_gossip(&mut self, cx: &mut Context<'_, Self>) {
        for to in self.pick(FAN_OUT, cx, |_, state| state != State::Dead) {
            if !self.gossip.is_empty() {
                self.send(to, What::Gossip, cx);
            }
        }
        if !self.gossip.is_empty() {
            cx.set(Timer::Gossip, self.config.gossip);
        }
    }

    fn on_push_pull(&mut self, cx: &mut Context<'_, Self>) {
        if let Some(to) = self.pick(1, cx, |_, state| state != State::Dead).pop() {
            self.send(to, What::PushPull { reply: false }, cx);
        }
        cx.set(Timer::PushPull, self.config.push_pull);
    }
}

#[cfg(test)]
mod tests;
