//! Load balancing: requests are spread over backends that take time, have few slots and short
//! queues, crash, get slow, and lie about how well they are.
//!
//! **What it guarantees.** As long as a backend is healthy by the balancer's own words, and only
//! then, it is picked (LB-1); below a stated share of healthy ones the balancer picks among all and
//! says so, since it is more likely wrong itself than everybody dead. Round robin gives all the
//! same number of requests, give or take one (LB-2); smooth weighted round robin serves whoever is
//! furthest behind its weight (LB-3); least connections picks whoever has the least to do for its
//! weight (LB-5). A retry goes elsewhere, and retries are a bounded part of all requests, so that
//! trouble is not multiplied (LB-7). No more than a stated share is ejected for failures (LB-8). A
//! backend that drains takes nothing new and comes to rest (LB-9). One that returns gets its part
//! little by little (LB-10). By hash, no backend has more than 5/4 of its fair part (LB-11). Who
//! fails again and again is ejected (LB-12).
//!
//! **Roles.** A *balancer* takes clients' requests, picks a backend for each, and tries again
//! elsewhere if it fails. It knows of a backend what it has sent there itself, and what the backend
//! says when it is probed, which is old by up to the interval of probes (`load = "reports"`). A
//! *backend* works on so many requests at once, each for a time that chance draws, keeps so many
//! waiting, and refuses the rest. After a restart it is cold and slower for a while.
//!
//! ```text
//! c1                n1 (balancer)             n3, n4 (backends)
//! │── request k ───>│── Job 7 ───────────────>│ n3: takes a slot
//! │                 │<─────────── Answer 7 failed
//! │                 │── Job 8 ───────────────>│ n4, since n3 has just failed
//! │<── done ────────│<─────────── Answer 8 served
//! │                 │── Probe 5 ─────────────>│
//! │                 │<── Alive 5, load 3 ─────│
//! ```
//!
//! **Health.** `fall` probes in a row without an answer take a backend out, `rise` answers bring it
//! back. Besides, `eject_after` requests in a row that failed or timed out eject it for
//! `eject_for`; a queue that is full is no failure, or overload would take backends out one after
//! the other.
//!
//! **Sources.** Mitzenmacher, *The power of two choices in randomized load balancing* (2001) ·
//! Mirrokni, Thorup and Zadimoghaddam, *Consistent hashing with bounded loads* (2016) · the manuals
//! of nginx (smooth weighted round robin), HAProxy (`rise`, `fall`, `slowstart`) and Envoy (outlier
//! detection, panic threshold, retry budgets).
//!
//! **What is left out.** Sessions that stick, hedged requests, localities, and discovery: who the
//! backends are is fixed. Nothing is written down: who restarts begins with all healthy.

mod backend;
mod balancer;
mod policy;
mod pool;

pub use policy::{Candidate, Picker};

use super::{Context, Protocol, Ticket};
use crate::base::balance::{Limits, Policy};
use crate::base::placement::Member;
use crate::base::{CallId, Mutations, Name, NodeId, Op, Outcome, Refusal, ServiceId, Span};
use crate::event::Ended;
use backend::Backend;
use balancer::Balancer;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How balancers and backends behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How a backend is chosen.
    pub policy: Policy,
    /// What bounds that.
    pub limits: Limits,
    /// How long a backend works on a request: chance draws from this range.
    pub service: (Span, Span),
    /// How many requests a backend works on at once.
    pub slots: u16,
    /// How many may wait there; it refuses more.
    pub room: u16,
    /// How long after a restart a backend is slower: four times at first, then less and less.
    pub cold: Span,
    /// How long a balancer waits for a backend.
    pub timeout: Span,
    /// How often it probes each.
    pub probe: Span,
    /// After how many probes without an answer a backend is down.
    pub fall: u8,
    /// After how many answers it is up again.
    pub rise: u8,
    /// For how long a backend that fails is left out.
    pub eject_for: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            policy: Policy::RoundRobin,
            limits: Limits::default(),
            service: (Span::millis(20), Span::millis(60)),
            slots: 4,
            room: 16,
            cold: Span::ZERO,
            timeout: Span::millis(500),
            probe: Span::millis(500),
            fall: 3,
            rise: 2,
            eject_for: Span::secs(5),
        }
    }
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who spreads requests.
    pub balancers: Arc<[NodeId]>,
    /// Who works on them, each with its weight.
    pub backends: Arc<[Member]>,
    /// How.
    pub settings: Settings,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// What balancers and backends tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Work for a request.
    Job {
        /// The balancer's number for this try.
        number: u64,
        /// What it is about.
        key: Name,
    },
    /// What became of it.
    Answer {
        /// The balancer's number.
        number: u64,
        /// How it ended.
        ended: Ended,
    },
    /// Is it well?
    Probe {
        /// Counts the sender's probes of all backends.
        round: u64,
    },
    /// It is there.
    Alive {
        /// Which probe this answers.
        round: u64,
        /// How many requests it has, those that wait included.
        load: u32,
        /// It takes nothing new.
        draining: bool,
        /// Which of its lives this is.
        boot: u32,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Job { number, key } => write!(f, "Job {} {key}", Number(*number)),
            Message::Answer { number, ended } => write!(f, "Answer {} {ended}", Number(*number)),
            Message::Probe { round } => write!(f, "Probe {round}"),
            Message::Alive { round, load, draining: false, .. } => {
                write!(f, "Alive {round} load {load}")
            }
            Message::Alive { round, load, .. } => write!(f, "Alive {round} load {load} draining"),
        }
    }
}

/// The number of a try without the balancer's life, which is its upper half.
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 & 0xFFFF_FFFF)
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// It is time to probe all backends.
    Probe,
    /// The try of this number has not been answered.
    Patience(u64),
    /// This backend has been left out for long enough.
    Return(NodeId),
    /// This backend has warmed up.
    Warm(NodeId),
    /// As a backend: the job of this number is done.
    Work(u64),
}

/// What it writes: nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Balance {
    balancers: Arc<[NodeId]>,
    balancer: Option<Balancer>,
    backend: Option<Backend>,
}

type Cx<'a> = Context<'a, Balance>;

impl Protocol for Balance {
    const ID: ServiceId = ServiceId::Balance;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], cx: &mut Cx<'_>) -> Self {
        let me = cx.me();
        let backend = config.backends.iter().any(|member| member.node == me);
        let balancers = config.balancers.clone();
        Balance {
            backend: backend.then(|| Backend::new(config.settings, config.mutations, cx)),
            balancer: balancers.contains(&me).then(|| Balancer::new(config, cx)),
            balancers,
        }
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match (message, &mut self.backend, &mut self.balancer) {
            (Message::Job { number, .. }, Some(backend), _) => backend.take(from, number, cx),
            (Message::Probe { round }, Some(backend), _) => backend.probed(from, round, cx),
            (Message::Answer { number, ended }, _, Some(balancer)) => {
                balancer.answered(number, ended, cx);
            }
            (Message::Alive { round, load, draining, boot }, _, Some(balancer)) => {
                balancer.alive(from, round, (load, draining, boot), cx);
            }
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match (timer, &mut self.backend, &mut self.balancer) {
            (Timer::Work(number), Some(backend), _) => backend.done(number, cx),
            (Timer::Probe, _, Some(balancer)) => balancer.probe(cx),
            (Timer::Patience(number), _, Some(balancer)) => {
                balancer.answered(number, Ended::TimedOut, cx);
            }
            (Timer::Return(node), _, Some(balancer)) => balancer.returns(node, cx),
            (Timer::Warm(node), _, Some(balancer)) => balancer.warmed(node, cx),
            _ => {}
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Probe => "probe",
            Timer::Patience(_) => "patience",
            Timer::Return(_) => "return",
            Timer::Warm(_) => "warm",
            Timer::Work(_) => "work",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        match (op, &mut self.backend, &mut self.balancer) {
            (Op::Request { key }, _, Some(balancer)) => balancer.request(ticket, call, key, cx),
            (Op::Request { .. }, ..) => {
                // Clients that ask elsewhere are shared out among the balancers.
                let at = usize::from(call.client.number()) % self.balancers.len().max(1);
                let try_node = self.balancers.get(at).copied();
                cx.reply(ticket, Outcome::Refused(Refusal::NotHere { try_node }));
            }
            (Op::Serve { how }, Some(backend), _) => {
                backend.serve(how, cx);
                cx.reply(ticket, Outcome::Done);
            }
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        self.balancer.iter().for_each(|balancer| balancer.restate(cx));
        self.backend.iter().for_each(|backend| backend.restate(cx));
    }
}
