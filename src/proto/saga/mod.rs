//! Sagas across the owners of keys: steps that take effect one by one, and are compensated if one
//! of them fails.
//!
//! **What it guarantees.** A saga ends with all of its steps in effect, or with none: those that
//! took effect are compensated, the last one first (SAGA-1, SAGA-2). Each step and each
//! compensation takes effect once, however often it is asked for (SAGA-3). After the pivot there is
//! no way back (SAGA-4). A client's call is carried out at most once, whichever nodes it was sent
//! to. What it does *not* guarantee is isolation: others see what a saga has done so far, and may
//! build on what is compensated later.
//!
//! **Roles.** The node that is asked for a transfer is the saga's *origin*. Each key of it is a
//! *step*, in the order in which they are written. The *owner* of the key carries a step out
//! on the spot, in the key's own state: all replicas have it before anybody hears of it, and it
//! moves along when the key gets a new owner. Whoever *directs* the saga asks for one step after
//! the other, again and again until it is answered.
//!
//! ```text
//! n1 (origin)                     n2 (owner of a)    n4 (owner of b)
//! │ writes: t1.7 begins           │                  │
//! │── do t1.7/1 a -10 ───────────>│ a -= 10          │
//! │<──────────────────────── done ┤                  │
//! │── do t1.7/2 b +10 ────────────┼─────────────────>│ is locked: no
//! │<─────────────────────── failed┼──────────────────┤
//! │ writes: t1.7 turns back       │                  │
//! │── compensate t1.7/1 a ───────>│ a += 10          │
//! │<───────────────── compensated ┤                  │
//! │── end t1.7/1, t1.7/2 ────────>│ ────────────────>│ remember how it ended
//! ```
//!
//! **Orchestrated**, the origin directs all the time. It writes down at which step it is before it
//! asks for it, so after a crash it goes on there: what it asks for again is answered as before.
//! **Choreographed**, nobody is in charge: whoever has had a step done passes the saga on to the
//! owner of the next key, or back to that of the one before. The saga is a baton, which is on the
//! next one's disk before the one before lets it go. The last one passes it to the origin, which
//! closes the saga. A saga stands still while whoever directs it is away: that is *stuck*, and who
//! waits for what is said ([`SagaFact::Asks`]).
//!
//! **Going back.** A step is refused if an account has too little, or if its key is locked. One
//! that is not answered in time may or may not have taken effect, and it may yet: it is
//! compensated too, and the owner notes a compensation that overtakes its step, so that the late
//! step does nothing. The *pivot* is the step from which on there is no way back; it is asked for
//! until it is answered. It is the last step, or (`pivot = "takes"`) the last one that takes
//! something: those after it give, which is never refused.
//!
//! **Semantic locks** (`locks = true`). What a step before the pivot did may be taken back. Until
//! the saga is over, its key is marked: steps of others are refused there and turn back at once, so
//! nobody waits for anybody in a circle, and reads wait. Steps after a pivot are sure, and commute:
//! they pass.
//!
//! **Sources.** Garcia-Molina and Salem 1987, *Sagas*, sections 2 to 5 · Frank and Zahle 1998,
//! *Semantic ACID properties in multidatabases*, section 3 (pivot, countermeasures) · Richardson
//! 2018, *Microservices patterns*, chapter 4 (choreography, orchestration, semantic locks).
//!
//! **What is left out.** Parallel steps, nested sagas, checkpoints in the middle; countermeasures
//! other than locks and steps that commute.

mod director;

use super::numbers::Numbers;
use super::ring::Owners;
use super::{Context, Protocol, Ticket};
use crate::base::{
    Act, CallId, Mutation, Mutations, NodeId, Op, Outcome, Refusal, SagaStep, ServiceId, Span,
    Style, TxnId,
};
use crate::event::{Fact, SagaFact};
use director::Saga;
pub use director::Stage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

type Cx<'a> = Context<'a, Sagas>;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a step before the pivot may take before the saga turns back.
    pub step_timeout: Span,
    /// How often what is not answered is asked for again.
    pub retry: Span,
    /// How sagas run.
    pub style: Style,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// A saga on its way from one who directs it to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Baton {
    /// The client's call behind it.
    pub call: CallId,
    /// What it does.
    pub op: Arc<Op>,
    /// All sagas of the same origin with a lower number are over.
    pub floor: u32,
    /// How often it was passed on.
    pub hop: u32,
    /// How far it is.
    pub stage: Stage,
}

/// What nodes tell each other about sagas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Whoever directs asks the owner of a key.
    Ask(SagaStep),
    /// The owner has done it, or will not.
    Said {
        /// Which saga.
        saga: TxnId,
        /// Which step.
        step: u8,
        /// What was asked.
        act: Act,
        /// What became of it.
        outcome: Box<Outcome>,
    },
    /// The receiver is to direct the saga from here.
    Pass {
        /// Which saga.
        saga: TxnId,
        /// What one must know to direct it.
        baton: Baton,
    },
    /// The sender has taken it, on disk.
    Taken {
        /// Which saga.
        saga: TxnId,
        /// How often it was passed on.
        hop: u32,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Ask(asked) => match asked.act {
                Act::Do { .. } => write!(f, "Do {}", Words(asked)),
                Act::Undo => write!(f, "Compensate {}", Words(asked)),
                Act::End { .. } => write!(f, "End {}", Words(asked)),
            },
            Message::Said { saga, step, act, outcome } => {
                let word = match (act, &**outcome) {
                    (Act::Do { .. }, Outcome::Done) => "Done",
                    (Act::Do { .. }, _) => "Failed",
                    (Act::Undo, _) => "Compensated",
                    (Act::End { .. }, _) => "Ended",
                };
                write!(f, "{word} {saga}/{}", u32::from(*step) + 1)?;
                match &**outcome {
                    Outcome::Refused(why) => write!(f, ": {why}"),
                    _ => Ok(()),
                }
            }
            Message::Pass { saga, baton } => write!(f, "Pass {saga} {}", baton.stage),
            Message::Taken { saga, .. } => write!(f, "Taken {saga}"),
        }
    }
}

/// A step without its verb.
struct Words<'a>(&'a SagaStep);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SagaStep { saga, step, key, by, act, .. } = self.0;
        write!(f, "{saga}/{} {key}", u32::from(*step) + 1)?;
        match act {
            Act::Do { .. } => write!(f, " {by:+}"),
            _ => Ok(()),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Something was asked and is not answered.
    Retry,
}

/// What it writes. What a step did is in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// Numbers up to this one may have been used.
    Reserved(u32),
    /// It directs this saga from here.
    Directs {
        /// Which saga.
        saga: TxnId,
        /// What it must know to do so.
        baton: Baton,
    },
    /// It passes the saga on to this node, and to no other.
    Passes(TxnId, NodeId),
    /// It does not direct the saga any more, which was passed on so often. If it is the origin, it
    /// waits for the end.
    Passed(TxnId, u32),
    /// The saga is over.
    Over(TxnId),
    /// All sagas of this origin below this number are over.
    Closed(NodeId, u32),
}

/// The records of a service that has checkpointed before it does so again.
const MANY: usize = 256;

/// What the store is doing for a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Job {
    /// Who gets the answer.
    to: NodeId,
    asked: SagaStep,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Sagas {
    config: Config,
    owners: Owners,
    /// Those that it directs, or has begun and waits for.
    sagas: BTreeMap<TxnId, Saga>,
    /// Those of others that it has directed, and how often they had been passed on then. What comes
    /// again is an old one.
    had: BTreeMap<TxnId, u32>,
    /// The sagas of an origin below this number are over: what comes of them is older still.
    floors: BTreeMap<NodeId, u32>,
    numbers: Numbers,
    records: usize,
    jobs: BTreeMap<u64, Job>,
    next_job: u64,
    ticking: bool,
}

impl Protocol for Sagas {
    const ID: ServiceId = ServiceId::Txn;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Cx<'_>) -> Self {
        let mut service = Sagas {
            config,
            owners: Owners::default(),
            sagas: BTreeMap::new(),
            had: BTreeMap::new(),
            floors: BTreeMap::new(),
            numbers: Numbers::of_boot(cx.boot()),
            records: disk.len(),
            jobs: BTreeMap::new(),
            next_job: 0,
            ticking: false,
        };
        for record in disk {
            match record {
                Record::Reserved(upto) => service.numbers = Numbers::used(*upto),
                Record::Directs { saga, baton } => {
                    service.forget(saga.coordinator, baton.floor);
                    let mut state = Saga::of(baton.clone(), cx.now());
                    // It may have crashed before it wrote down that it passes the end on.
                    if state.is_over() && saga.coordinator != cx.me() {
                        state.pass_to(saga.coordinator);
                    }
                    service.sagas.insert(*saga, state);
                }
                Record::Passes(saga, to) => {
                    service.sagas.entry(*saga).and_modify(|state| state.pass_to(*to));
                }
                Record::Passed(saga, hop) => service.leave(*saga, *hop, cx.me()),
                Record::Over(saga) => drop(service.sagas.remove(saga)),
                Record::Closed(origin, floor) => service.forget(*origin, *floor),
            }
        }
        if disk.is_empty() {
            service.reserve(cx);
        }
        service.settle(cx);
        service
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Ask(asked) => self.ask_store(Job { to: from, asked }, cx),
            Message::Said { saga, step, act, outcome } => {
                self.said(saga, (step, act), *outcome, cx);
            }
            Message::Pass { saga, baton } => self.passed(from, saga, baton, cx),
            Message::Taken { saga, hop } => self.taken(saga, hop, cx),
        }
        self.settle(cx);
    }

    fn timer(&mut self, Timer::Retry: Timer, cx: &mut Cx<'_>) {
        self.ticking = false;
        self.repeat(cx);
        self.settle(cx);
    }

    fn timer_name(Timer::Retry: Timer) -> &'static str {
        "retry"
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        match op {
            Op::Transfer(_) | Op::Move { .. } => self.begin(ticket, call, op, cx),
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
        self.settle(cx);
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        let Some(Job { to, asked }) = self.jobs.remove(&key) else { return };
        let SagaStep { saga, step, key, act, .. } = asked;
        match outcome {
            // Nobody can say. Whoever wants to know asks again.
            Outcome::Unknown | Outcome::Refused(Refusal::Unavailable | Refusal::NoService) => {}
            outcome => {
                if let (
                    Act::Do { .. },
                    Outcome::Refused(why @ (Refusal::Locked | Refusal::Funds)),
                ) = (act, &outcome)
                {
                    let fact = SagaFact::Refuses { saga, step, key, why: why.clone() };
                    cx.emit(Fact::Saga(fact));
                }
                cx.send(to, Message::Said { saga, step, act, outcome: Box::new(outcome) });
            }
        }
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Cx<'_>) {
        self.owners.hear(fact, cx.me(), self.config.mutations);
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        for (saga, state) in &self.sagas {
            if saga.coordinator == cx.me() {
                self.state_begin(*saga, state, cx);
            }
            state.restate(*saga, cx);
        }
    }
}

impl Sagas {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    /// As an owner: has the store do what is asked, unless it is at it.
    fn ask_store(&mut self, job: Job, cx: &mut Cx<'_>) {
        if self.jobs.values().any(|known| *known == job) {
            return;
        }
        self.next_job += 1;
        let op = Op::Saga(job.asked.clone());
        self.jobs.insert(self.next_job, job);
        let call = cx.new_call();
        cx.call(ServiceId::Store, self.next_job, call, op);
    }

    /// Comes after each input, when all that it changed is done: has what is under way asked for
    /// again later, and writes down anew what is needed if much more than that is on disk.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        let busy = self.sagas.values().any(|saga| saga.stage() != Stage::Away);
        if busy && !self.ticking {
            self.ticking = true;
            cx.set(Timer::Retry, self.config.retry);
        }
        if self.records > MANY + 4 * (self.sagas.len() + self.had.len()) {
            let mut records = vec![Record::Reserved(self.numbers.reserved())];
            records.extend(self.had.iter().map(|(saga, hop)| Record::Passed(*saga, *hop)));
            let closed = self.floors.iter();
            records.extend(closed.map(|(origin, floor)| Record::Closed(*origin, *floor)));
            records.extend(self.sagas.iter().flat_map(|(saga, state)| state.records(*saga)));
            self.records = records.len();
            cx.checkpoint(records);
        }
    }

    /// Writes down that the next numbers may be used.
    fn reserve(&mut self, cx: &mut Cx<'_>) {
        self.numbers.reserve();
        self.write(Record::Reserved(self.numbers.reserved()), cx);
    }

    fn write(&mut self, record: Record, cx: &mut Cx<'_>) {
        cx.write(record);
        self.records += 1;
    }
}
