//! Protocols as pure state machines.
//!
//! A protocol is a value that takes one input at a time (a message, a timer, a call from a sibling)
//! and pushes what it wants done into its [`Context`]. It owns no clock, no thread, no socket and
//! no file, so one implementation runs in the simulator, in process and over QUIC, and a run can be
//! cloned, rewound and repeated.
//!
//! A node is a *stack* of such services ([`ServiceId`] gives the order). Services of one node talk
//! in two ways, both instant and both lost in a crash:
//!
//! * [`Context::call`] asks a sibling for an operation; the answer comes to [`Protocol::reply`].
//! * Every fact that a service emits is also offered to its siblings ([`Protocol::hear`]): that is
//!   how the store learns of a new ring and the lock service of a new leader.
//!
//! What leaves the node (messages, and facts for observers) waits until everything that the node
//! wrote before is on its disk. A message to itself does too, so "my own vote is durable" arrives
//! as a message. The [`Outbox`] keeps this rule; no protocol needs to think of it beyond calling
//! [`Context::write`] before [`Context::send`].
//!
//! Handlers return nothing: protocols cannot fail. What makes no sense is ignored or refused; a
//! broken invariant is an `assert!`, which the driver turns into an event.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{CallId, NodeId, Op, Outcome, Rng, ServiceId, Span, Time};
use crate::event::Fact;
use std::collections::VecDeque;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;

pub mod balance;
pub mod cache;
pub mod client;
pub mod commit;
pub mod files;
pub mod lock;
pub mod log;
pub mod machine;
pub mod membership;
pub mod multipaxos;
mod numbers;
mod outbox;
pub mod paxos;
pub mod ping;
pub mod quorum;
pub mod quorumstore;
pub mod raft;
pub mod redis;
pub mod register;
pub mod ring;
pub mod saga;
pub mod server;
mod stack;
pub mod store;
pub mod swim;
pub mod tx;
pub mod zab;

pub use outbox::{Batch, Outbox, Output, Write};
pub use stack::{Config, Message, Record, Service, Timer};

/// What a protocol author writes.
pub trait Protocol: Sized + Clone + Debug {
    /// Which service of the stack this is.
    const ID: ServiceId;
    /// Whether it wants to hear its siblings' facts.
    const HEARS: bool = false;
    /// What it is told once, at every start.
    type Config: Clone + Debug;
    /// What it sends to its peers on other nodes. `Display` gives the label.
    type Message: Clone + Debug + Display + Into<Message>;
    /// The names of its timers.
    type Timer: Copy + Ord + Debug + Into<Timer>;
    /// One entry of its write-ahead log on this node's disk.
    type Record: Clone + Debug + Into<Record>;

    /// Boots, or reboots from what reached the disk: nothing else survives a crash. `disk` is all
    /// that was written, oldest first, from the last [`Context::checkpoint`] on.
    fn start(config: Self::Config, disk: &[Self::Record], cx: &mut Context<'_, Self>) -> Self;

    /// A message from the same service on another node (or this one) arrived.
    fn message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>);

    /// A timer that was set ran out. It is not set any more.
    fn timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>);

    /// What to call a timer on screen.
    fn timer_name(timer: Self::Timer) -> &'static str;

    /// Whether people should see a timer run down: those that make a node act on its own, such as
    /// an election timer. Every setting of one is an event.
    fn timer_is_watched(timer: Self::Timer) -> bool {
        let _ = timer;
        false
    }

    /// A sibling (or the workbench) asks for an operation on behalf of `call`. Must be answered
    /// once with [`Context::reply`], unless the node crashes first.
    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        let _ = (call, op);
        cx.reply(ticket, Outcome::Refused(crate::base::Refusal::NoService));
    }

    /// The answer to a [`Context::call`] with the same `key`.
    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Context<'_, Self>) {
        let _ = (key, outcome, cx);
    }

    /// A sibling on this node stated a fact. Called only if [`Protocol::HEARS`]. Facts may be
    /// repeated.
    fn hear(&mut self, fact: &Fact, cx: &mut Context<'_, Self>) {
        let _ = (fact, cx);
    }

    /// Says, as facts, all that a newcomer must know. Called after every start, when all services
    /// of the node have started, and when an observer attaches.
    fn restate(&self, cx: &mut Context<'_, Self>);
}

/// Where the answer to a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The sibling that asked; none for the workbench.
    pub service: Option<ServiceId>,
    /// The asker's own number for it.
    pub key: u64,
}

/// What a service wants of its siblings. The host carries it out, in order.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Inner {
    /// They may hear this fact.
    Hear(Fact),
    /// One is asked.
    Call { to: ServiceId, ticket: Ticket, call: CallId, op: Op },
    /// One is answered.
    Reply { ticket: Ticket, outcome: Outcome },
}

/// What the host lends to a service while it handles one input.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The node's monotonic clock.
    pub now: Time,
    /// The node's wall clock. It may jump; nothing that must be right may rely on it.
    pub wall: Time,
    /// Which node this is.
    pub me: NodeId,
    /// Counts the node's starts from 1. Survives crashes, even the loss of the disk.
    pub boot: u32,
    /// It is about to start: what is restated now is what it found on its disk.
    pub starting: bool,
    /// How many calls this node made of its own since it started.
    pub calls: u32,
    /// This node's stream of chance.
    pub rng: Rng,
    /// Which services hear their siblings' facts: a bit for each, by its place in the stack.
    pub hearing: u32,
    /// What services want of each other, in order, and which one does.
    pub inner: VecDeque<(ServiceId, Inner)>,
    /// What they want of the world outside.
    pub outbox: Outbox,
}

impl Frame {
    /// Of a node that has just been switched on, where nobody hears anybody.
    pub fn new(me: NodeId, boot: u32, rng: Rng, outbox: Outbox) -> Frame {
        let (now, wall, inner) = (Time::ZERO, Time::ZERO, VecDeque::new());
        Frame { now, wall, me, boot, starting: false, calls: 0, rng, hearing: 0, inner, outbox }
    }

    pub(crate) fn new_call(&mut self) -> CallId {
        self.calls += 1;
        CallId { client: self.me, seq: u64::from(self.boot) << 32 | u64::from(self.calls) }
    }
}

/// A service's only way to the world.
#[derive(Debug)]
pub struct Context<'a, P: Protocol> {
    frame: &'a mut Frame,
    service: PhantomData<P>,
}

impl<'a, P: Protocol> Context<'a, P> {
    /// A context that records into `frame`.
    pub fn new(frame: &'a mut Frame) -> Self {
        Context { frame, service: PhantomData }
    }

    /// The node's monotonic clock: it may run fast or slow, but never jumps.
    pub fn now(&self) -> Time {
        self.frame.now
    }

    /// The node's wall clock: it may jump either way.
    pub fn wall(&self) -> Time {
        self.frame.wall
    }

    /// Which node this is.
    pub fn me(&self) -> NodeId {
        self.frame.me
    }

    /// How often this node has started, this time included.
    pub fn boot(&self) -> u32 {
        self.frame.boot
    }

    /// Whether this node is about to start, rather than asked to restate by a newcomer.
    pub fn is_starting(&self) -> bool {
        self.frame.starting
    }

    /// A call of this node's own, for what a service asks of a sibling on nobody's behalf. No
    /// service of this node, in any of its lives, ever gets the same one.
    pub fn new_call(&mut self) -> CallId {
        self.frame.new_call()
    }

    /// Chance, from this node's own stream.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.frame.rng
    }

    /// Sends a message to this service on `to`. It leaves once all earlier writes are durable, and
    /// may be lost, repeated, delayed or overtaken. One to this very node is never lost.
    pub fn send(&mut self, to: NodeId, message: P::Message) {
        self.frame.outbox.say(Output::Send { to, message: message.into() });
    }

    /// Sends a message to another service on `to`, by the same rules: clients and servers talk so.
    pub fn send_other(&mut self, to: NodeId, message: impl Into<Message>) {
        self.frame.outbox.say(Output::Send { to, message: message.into() });
    }

    /// Sends the same message to many.
    pub fn send_all<'b>(&mut self, to: impl IntoIterator<Item = &'b NodeId>, message: &P::Message) {
        for node in to {
            self.send(*node, message.clone());
        }
    }

    /// Sets a timer to run out after `span`; moves it if it is set already.
    pub fn set(&mut self, timer: P::Timer, span: Span) {
        let at = self.frame.now + span;
        self.frame.outbox.set(timer.into(), at, self.frame.now);
    }

    /// Cancels a timer.
    pub fn cancel(&mut self, timer: P::Timer) {
        self.frame.outbox.cancel(timer.into());
    }

    /// Appends a record to this service's log. What is sent or stated later waits for it.
    pub fn write(&mut self, record: P::Record) {
        self.frame.outbox.write(Write::Append(record.into()));
    }

    /// Replaces this service's log by `records`: all of them or, after a crash, none.
    pub fn checkpoint(&mut self, records: impl IntoIterator<Item = P::Record>) {
        let records = records.into_iter().map(Into::into).collect();
        self.frame.outbox.write(Write::Checkpoint { service: P::ID, records });
    }

    /// Whether a sibling hears, or an observer looks: else a fact need not be made.
    pub fn has_audience(&self) -> bool {
        self.frame.outbox.is_watched() || self.frame.hearing & !(1 << P::ID as u16) != 0
    }

    /// States a fact: to siblings at once, to observers once all earlier writes are durable.
    pub fn emit(&mut self, fact: Fact) {
        if self.frame.hearing & !(1 << P::ID as u16) != 0 {
            self.frame.inner.push_back((P::ID, Inner::Hear(fact.clone())));
        }
        self.frame.outbox.state(fact);
    }

    /// States a fact that is dear to make, if there is anybody to hear it.
    pub fn emit_with(&mut self, fact: impl FnOnce() -> Fact) {
        if self.has_audience() {
            self.emit(fact());
        }
    }

    /// Asks a sibling for `op` on behalf of `call`. The answer carries `key`.
    pub fn call(&mut self, to: ServiceId, key: u64, call: CallId, op: Op) {
        let ticket = Ticket { service: Some(P::ID), key };
        self.frame.inner.push_back((P::ID, Inner::Call { to, ticket, call, op }));
    }

    /// Answers a request.
    pub fn reply(&mut self, ticket: Ticket, outcome: Outcome) {
        self.frame.inner.push_back((P::ID, Inner::Reply { ticket, outcome }));
    }
}
