//! One node without I/O: a stack of services, their timers, and the write barrier.
//!
//! A host is fed one [`Input`] at a time and answers with [`Output`]s. It is the same in the
//! simulator, in process and over QUIC; what differs is who carries the outputs out.
//!
//! ```text
//!  Input ─> service ─┬─ calls, replies, facts ─> siblings (in turn, until nobody has more)
//!                    └─> outbox ─┬─ timers ────> kept there, by the node's own clock
//!                                ├─ writes ────> Output::Write, one batch an input
//!                                └─ messages, facts ─> behind the writes before them ─> Output
//! ```
//!
//! The outbox keeps the **write barrier**: what a node says leaves only when all that it wrote
//! before is durable ([`Input::Synced`]).

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{
    Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, Rng, ServiceId, Span, Time,
};
use crate::event::{Fact, Watch};
use crate::proto::{Config, Frame, Inner, Message, Outbox, Record, Service, Ticket, Timer};
use std::sync::Arc;

pub use crate::proto::{Batch, Output, Write};

/// What a host is told about itself, once.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which process it is.
    pub me: NodeId,
    /// Its services, in stack order.
    pub stack: Arc<[Config]>,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// What comes to a node.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Input {
    /// A message from another node, or from itself.
    Deliver { from: NodeId, message: Message },
    /// The clock has reached the earliest timer.
    Wake,
    /// Somebody wants a timer to run out now, or after this time: the earliest one, or the earliest
    /// of this name.
    Fire { timer: Option<Name>, after: Option<Span> },
    /// All writes up to this number are durable.
    Synced { upto: u64 },
    /// The workbench asks for an operation.
    Ask { op: Op },
    /// An observer has attached: say all that a newcomer must know. That changes nothing for the
    /// node: siblings do not hear it.
    Restate,
}

/// What is on a node's disk: records in the order of writing.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    records: Vec<Record>,
}

impl Disk {
    /// What is on it, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes one write in.
    pub fn write(&mut self, write: Write) {
        match write {
            Write::Append(record) => self.records.push(record),
            Write::Checkpoint { service, records } => {
                self.records.retain(|record| record.service() != service);
                self.records.extend(records);
            }
        }
    }

    /// How many records of a service are on it.
    pub fn len_of(&self, service: ServiceId) -> usize {
        self.records.iter().filter(|record| record.service() == service).count()
    }
}

/// One node.
#[derive(Clone, Debug)]
pub struct Host {
    services: Vec<Service>,
    frame: Frame,
}

impl Host {
    /// Boots a node from what is on its disk.
    pub fn start(
        setup: &Setup,
        boot: u32,
        disk: &[Record],
        rng: Rng,
        now: Time,
        wall: Time,
        out: &mut Vec<Output>,
    ) -> Host {
        let outbox = Outbox::new(!setup.mutations.has(Mutation::HostNoBarrier));
        let mut frame = Frame::new(setup.me, boot, rng, outbox);
        (frame.now, frame.wall, frame.starting) = (now, wall, true);
        let hearing = setup.stack.iter().filter(|config| config.hears());
        frame.hearing = hearing.fold(0, |all, config| all | 1 << config.service() as u16);
        std::mem::swap(frame.outbox.ready(), out);
        let start = |config| Service::start(config, disk, &mut frame);
        let mut host = Host { services: setup.stack.iter().map(start).collect(), frame };
        host.services.iter().for_each(|service| service.restate(&mut host.frame));
        host.frame.starting = false;
        host.settle();
        std::mem::swap(host.frame.outbox.ready(), out);
        host
    }

    /// Says how much observers want to know from now on; none if nobody looks. What happens is the
    /// same; a host that was just started tells everything.
    pub fn watch(&mut self, watch: Option<Watch>) {
        self.frame.outbox.watch(watch);
    }

    /// Handles one input. What comes of it is appended to `out`.
    pub fn handle(&mut self, input: Input, now: Time, wall: Time, out: &mut Vec<Output>) {
        (self.frame.now, self.frame.wall) = (now, wall);
        std::mem::swap(self.frame.outbox.ready(), out);
        match input {
            Input::Deliver { from, message } => {
                if let Some(index) = self.place(message.service()) {
                    self.services[index].message(from, message, &mut self.frame);
                }
            }
            Input::Wake => self.wake(),
            Input::Fire { timer, after } => match (self.earliest(timer.as_ref()), after) {
                (Some(index), None) => self.fire(index),
                (Some(index), Some(after)) => {
                    let (_, timer) = self.timers()[index];
                    self.frame.outbox.set(timer, now + after, now);
                }
                (None, _) => {}
            },
            Input::Synced { upto } => self.frame.outbox.release(upto),
            Input::Ask { op } => self.ask(op),
            Input::Restate => self.restate(),
        }
        self.settle();
        std::mem::swap(self.frame.outbox.ready(), out);
    }

    /// When, by the node's own clock, the earliest timer runs out.
    pub fn deadline(&self) -> Time {
        self.timers().iter().map(|(at, _)| *at).min().unwrap_or(Time::NEVER)
    }

    /// All timers that are set, and when they run out by the node's own clock.
    pub fn timers(&self) -> &[(Time, Timer)] {
        self.frame.outbox.timers()
    }

    /// Why no timer, or none of this name, can run out: all that are set have other names.
    pub fn cannot_fire(&self, name: Option<&Name>) -> Option<String> {
        if self.earliest(name).is_some() {
            return None;
        }
        let mut set: Vec<String> = self.timers().iter().map(|(_, timer)| word(*timer)).collect();
        set.sort_unstable();
        set.dedup();
        Some(match (name, set.is_empty()) {
            (_, true) => "no timer is set".to_owned(),
            (Some(name), _) => format!("no timer {name} is set, but {}", set.join(", ")),
            (None, _) => return None,
        })
    }

    /// The services, in stack order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Where a service is in the stack.
    fn place(&self, id: ServiceId) -> Option<usize> {
        self.services.iter().position(|service| service.id() == id)
    }

    /// Says how things stand, to observers only.
    fn restate(&mut self) {
        let hearing = std::mem::take(&mut self.frame.hearing);
        self.frame.outbox.state(Fact::Restates);
        self.services.iter().for_each(|service| service.restate(&mut self.frame));
        self.frame.outbox.state(Fact::Restated);
        self.frame.hearing = hearing;
    }

    fn wake(&mut self) {
        let due = self.earliest(None).filter(|index| self.timers()[*index].0 <= self.frame.now);
        if let Some(index) = due {
            self.fire(index);
        }
    }

    /// Where the timer is that runs out first, of all or of those of this name.
    fn earliest(&self, name: Option<&Name>) -> Option<usize> {
        let timers = self.timers().iter().enumerate();
        let is = |timer: Timer| name.is_none_or(|name| word(timer) == name.as_str());
        let named = timers.filter(|(_, (_, timer))| is(*timer));
        named.min_by_key(|(_, timer)| **timer).map(|(index, _)| index)
    }

    fn fire(&mut self, index: usize) {
        let timer = self.frame.outbox.fire(index);
        if let Some(index) = self.place(timer.service()) {
            self.services[index].timer(timer, &mut self.frame);
        }
    }

    /// The door for the workbench: the server of a node, the workload of a client. A node without
    /// either is asked itself, if it runs a service that takes any operation.
    fn ask(&mut self, op: Op) {
        let call = self.frame.new_call();
        let ticket = Ticket { service: None, key: call.seq };
        let doors = [ServiceId::Client, ServiceId::Server, ServiceId::Paxos, ServiceId::Log];
        if let Some(index) = doors.into_iter().find_map(|door| self.place(door)) {
            self.services[index].request(ticket, call, op, &mut self.frame);
        }
    }

    /// Has siblings hear, ask and answer each other, until nobody wants anything more.
    fn settle(&mut self) {
        while let Some((from, inner)) = self.frame.inner.pop_front() {
            match inner {
                Inner::Hear(fact) => self.tell_siblings(from, &fact),
                Inner::Call { to, ticket, call, op } => match self.place(to) {
                    Some(index) => {
                        self.services[index].request(ticket, call, op, &mut self.frame);
                    }
                    None => {
                        let outcome = Outcome::Refused(Refusal::NoService);
                        self.frame.inner.push_back((to, Inner::Reply { ticket, outcome }));
                    }
                },
                Inner::Reply { ticket, outcome } => {
                    if let Some(index) = ticket.service.and_then(|id| self.place(id)) {
                        self.services[index].reply(ticket.key, outcome, &mut self.frame);
                    }
                }
            }
        }
        self.frame.outbox.close();
    }

    fn tell_siblings(&mut self, from: ServiceId, fact: &Fact) {
        for service in &mut self.services {
            if service.hears() && service.id() != from {
                service.hear(fact, &mut self.frame);
            }
        }
    }
}

/// The name of a timer, as one word.
fn word(timer: Timer) -> String {
    timer.name().replace(' ', "-")
}
