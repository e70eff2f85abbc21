//! One node without I/O: a stack of services, their timers, and the write barrier.
//!
//! A host is fed one [`Input`] at a time and answers with [`Output`]s. It is the same in the
//! simulator, in process and over QUIC; what differs is who carries the outputs out.
//!
//! ```text
//!  Input ─> service ─> effects ─┬─ call, reply, fact ─> siblings (at once, until nobody has more)
//!                               ├─ timers ────────────> kept here, by the node's own clock
//!                               ├─ writes ────────────> Output::Write, one batch an input
//!                               └─ messages, facts ───> behind the writes before them ─> Output
//! ```
//!
//! **The write barrier.** What a node says, to other nodes or to observers, leaves only when all
//! that it wrote before is durable ([`Input::Synced`]). This one rule replaces a contract about
//! the order of disk and network in every protocol. The mutation `host.no_barrier` removes it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{Mutation, Mutations, Name, NodeId, Op, Rng, ServiceId, Span, Time};
use crate::event::Fact;
use crate::proto::{Config, Effect, Frame, Message, Record, Service, Ticket, Timer};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

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
    /// Somebody wants a timer to run out now: the earliest one, or the earliest of this name.
    Fire { timer: Option<Name> },
    /// All writes up to this number are durable.
    Synced { upto: u64 },
    /// The workbench asks for an operation.
    Ask { op: Op },
    /// An observer has attached: say all that a newcomer must know. That changes nothing for the
    /// node: siblings do not hear it.
    Restate,
}

/// One change of the write-ahead log.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Write {
    /// Append a record.
    Append(Record),
    /// Replace all records of one service.
    Checkpoint { service: ServiceId, records: Vec<Record> },
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

/// What a node wants from its driver.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Send { to: NodeId, message: Message },
    /// Write these, in order; `Input::Synced` with this number when they are durable.
    Write { upto: u64, batch: Vec<Write> },
    /// Tell observers.
    Fact(Fact),
    /// A timer ran out (for observers).
    Fired(Timer),
    /// A timer that people watch was set to run out so long after now, by the node's own clock, or
    /// cancelled (for observers).
    Armed(Timer, Option<Span>),
}

/// One node.
#[derive(Clone, Debug)]
pub struct Host {
    services: Vec<Service>,
    timers: Vec<(Time, Timer)>,
    frame: Frame,
    /// How many batches were written, and how many of them are durable.
    written: u64,
    durable: u64,
    /// What may be said once batch `.0` is durable.
    waiting: VecDeque<(u64, Output)>,
    barrier: bool,
    /// Empty between inputs; kept for its room.
    effects: VecDeque<(ServiceId, Effect)>,
}

impl Clone for Frame {
    fn clone(&self) -> Frame {
        Frame { effects: Vec::new(), rng: self.rng.clone(), ..*self }
    }
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
        let (me, effects) = (setup.me, Vec::new());
        let frame = Frame { now, wall, me, boot, starting: true, calls: 0, rng, effects };
        let mut host = Host {
            services: Vec::with_capacity(setup.stack.len()),
            timers: Vec::new(),
            frame,
            written: 0,
            durable: 0,
            waiting: VecDeque::new(),
            barrier: !setup.mutations.has(Mutation::HostNoBarrier),
            effects: VecDeque::new(),
        };
        let mut effects = VecDeque::new();
        for config in setup.stack.iter() {
            let service = Service::start(config, disk, &mut host.frame);
            effects.extend(host.frame.effects.drain(..).map(|effect| (service.id(), effect)));
            host.services.push(service);
        }
        host.gather_restated(&mut effects);
        host.frame.starting = false;
        host.settle(effects, out);
        host
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input, now: Time, wall: Time, out: &mut Vec<Output>) {
        (self.frame.now, self.frame.wall) = (now, wall);
        let mut effects = std::mem::take(&mut self.effects);
        match input {
            Input::Deliver { from, message } => {
                let id = message.service();
                self.with(id, &mut effects, |service, frame| service.message(from, message, frame));
            }
            Input::Wake => self.wake(&mut effects, out),
            Input::Fire { timer } => {
                if let Some(index) = self.earliest(timer.as_ref()) {
                    self.fire(index, &mut effects, out);
                }
            }
            Input::Synced { upto } => self.release(upto, out),
            Input::Ask { op } => self.ask(op, &mut effects),
            Input::Restate => self.restate(out),
        }
        self.settle(effects, out);
    }

    /// When, by the node's own clock, the earliest timer runs out.
    pub fn deadline(&self) -> Time {
        self.timers.iter().map(|(at, _)| *at).min().unwrap_or(Time::NEVER)
    }

    /// All timers that are set, and when they run out by the node's own clock.
    pub fn timers(&self) -> &[(Time, Timer)] {
        &self.timers
    }

    /// Why no timer, or none of this name, can run out: all that are set have other names.
    pub fn cannot_fire(&self, name: Option<&Name>) -> Option<String> {
        if self.earliest(name).is_some() {
            return None;
        }
        let mut set: Vec<String> = self.timers.iter().map(|(_, timer)| word(*timer)).collect();
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

    fn with(
        &mut self,
        id: ServiceId,
        effects: &mut VecDeque<(ServiceId, Effect)>,
        act: impl FnOnce(&mut Service, &mut Frame),
    ) -> bool {
        let Some(service) = self.services.iter_mut().find(|service| service.id() == id) else {
            return false;
        };
        act(service, &mut self.frame);
        effects.extend(self.frame.effects.drain(..).map(|effect| (id, effect)));
        true
    }

    fn gather_restated(&mut self, effects: &mut VecDeque<(ServiceId, Effect)>) {
        for service in &self.services {
            service.restate(&mut self.frame);
            let id = service.id();
            effects.extend(self.frame.effects.drain(..).map(|effect| (id, effect)));
        }
    }

    /// Says how things stand, to observers only.
    fn restate(&mut self, out: &mut Vec<Output>) {
        self.say(Output::Fact(Fact::Restates), &[], out);
        for service in &self.services {
            service.restate(&mut self.frame);
        }
        for effect in std::mem::take(&mut self.frame.effects) {
            if let Effect::Emit(fact) = effect {
                self.say(Output::Fact(fact), &[], out);
            }
        }
        self.say(Output::Fact(Fact::Restated), &[], out);
    }

    fn wake(&mut self, effects: &mut VecDeque<(ServiceId, Effect)>, out: &mut Vec<Output>) {
        let due = self.earliest(None).filter(|index| self.timers[*index].0 <= self.frame.now);
        if let Some(index) = due {
            self.fire(index, effects, out);
        }
    }

    /// Where the timer is that runs out first, of all or of those of this name.
    fn earliest(&self, name: Option<&Name>) -> Option<usize> {
        let timers = self.timers.iter().enumerate();
        let is = |timer: Timer| name.is_none_or(|name| word(timer) == name.as_str());
        let named = timers.filter(|(_, (_, timer))| is(*timer));
        named.min_by_key(|(_, timer)| **timer).map(|(index, _)| index)
    }

    fn fire(
        &mut self,
        index: usize,
        effects: &mut VecDeque<(ServiceId, Effect)>,
        out: &mut Vec<Output>,
    ) {
        let (_, timer) = self.timers.swap_remove(index);
        out.push(Output::Fired(timer));
        self.with(timer.service(), effects, |service, frame| service.timer(timer, frame));
    }

    /// The door for the workbench: the server of a node, the workload of a client. A node without
    /// either is asked itself, if it runs a service that takes any operation.
    fn ask(&mut self, op: Op, effects: &mut VecDeque<(ServiceId, Effect)>) {
        let call = self.frame.new_call();
        let ticket = Ticket { service: None, key: call.seq };
        let doors = [ServiceId::Client, ServiceId::Server, ServiceId::Paxos, ServiceId::Log];
        for door in doors {
            let op = op.clone();
            if self.with(door, effects, |service, frame| service.request(ticket, call, op, frame)) {
                return;
            }
        }
    }

    /// Carries effects out, siblings' answers included, until nobody wants anything more.
    fn settle(&mut self, mut effects: VecDeque<(ServiceId, Effect)>, out: &mut Vec<Output>) {
        let mut batch = Vec::new();
        while let Some((from, effect)) = effects.pop_front() {
            match effect {
                Effect::Send { to, message } => {
                    self.say(Output::Send { to, message }, &batch, out);
                }
                Effect::Emit(fact) => {
                    self.tell_siblings(from, &fact, &mut effects);
                    self.say(Output::Fact(fact), &batch, out);
                }
                Effect::Set { timer, at } => {
                    if timer.is_watched() {
                        out.push(Output::Armed(timer, Some(at.since(self.frame.now))));
                    }
                    self.set(timer, at);
                }
                Effect::Cancel(timer) => {
                    if timer.is_watched() {
                        out.push(Output::Armed(timer, None));
                    }
                    self.timers.retain(|(_, set)| *set != timer);
                }
                Effect::Write(record) => batch.push(Write::Append(record)),
                Effect::Checkpoint { service, records } => {
                    batch.push(Write::Checkpoint { service, records });
                }
                Effect::Call { to, ticket, call, op } => {
                    let known = self.with(to, &mut effects, |service, frame| {
                        service.request(ticket, call, op, frame);
                    });
                    if !known {
                        let outcome =
                            crate::base::Outcome::Refused(crate::base::Refusal::NoService);
                        effects.push_back((to, Effect::Reply { ticket, outcome }));
                    }
                }
                Effect::Reply { ticket, outcome } => {
                    if let Some(id) = ticket.service {
                        self.with(id, &mut effects, |service, frame| {
                            service.reply(ticket.key, outcome, frame);
                        });
                    }
                }
            }
        }
        if !batch.is_empty() {
            self.written += 1;
            out.push(Output::Write { upto: self.written, batch });
        }
        self.effects = effects;
    }

    fn tell_siblings(
        &mut self,
        from: ServiceId,
        fact: &Fact,
        effects: &mut VecDeque<(ServiceId, Effect)>,
    ) {
        for service in &mut self.services {
            if service.hears() && service.id() != from {
                let id = service.id();
                service.hear(fact, &mut self.frame);
                effects.extend(self.frame.effects.drain(..).map(|effect| (id, effect)));
            }
        }
    }

    fn set(&mut self, timer: Timer, at: Time) {
        match self.timers.iter_mut().find(|(_, set)| *set == timer) {
            Some(slot) => slot.0 = at,
            None => self.timers.push((at, timer)),
        }
    }

    /// Says something now, or once the writes before it are durable.
    fn say(&mut self, output: Output, batch: &[Write], out: &mut Vec<Output>) {
        let needs = self.written + u64::from(!batch.is_empty());
        if needs > self.durable && self.barrier {
            self.waiting.push_back((needs, output));
        } else {
            out.push(output);
        }
    }

    fn release(&mut self, upto: u64, out: &mut Vec<Output>) {
        self.durable = self.durable.max(upto);
        while self.waiting.front().is_some_and(|(needs, _)| *needs <= self.durable) {
            out.extend(self.waiting.pop_front().map(|(_, output)| output));
        }
    }
}

/// The name of a timer, as one word.
fn word(timer: Timer) -> String {
    timer.name().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ping;

    fn host(out: &mut Vec<Output>) -> Host {
        let peers: Arc<[NodeId]> = [NodeId::node(1), NodeId::node(2)].into();
        let stack = [Config::Ping(ping::Config { peers, width: 1 })].into();
        let setup = Setup { me: NodeId::node(1), stack, mutations: Mutations::NONE };
        Host::start(&setup, 1, &[], Rng::new(1), Time::ZERO, Time::ZERO, out)
    }

    #[test]
    fn what_is_said_after_a_write_waits_for_it() {
        let mut out = Vec::new();
        let mut host = host(&mut out);
        out.clear();
        let fact = |n| Effect::Emit(Fact::Yields { epoch: n });
        let write = Effect::Checkpoint { service: ServiceId::Ping, records: Vec::new() };
        let effects = [fact(1), write, fact(2)].map(|effect| (ServiceId::Ping, effect));
        host.settle(effects.into(), &mut out);
        assert!(matches!(
            out[..],
            [Output::Fact(Fact::Yields { epoch: 1 }), Output::Write { upto: 1, .. }]
        ));

        out.clear();
        host.settle([(ServiceId::Ping, fact(3))].into(), &mut out);
        assert!(out.is_empty(), "what is said later does not overtake");

        host.handle(Input::Synced { upto: 1 }, Time::ZERO, Time::ZERO, &mut out);
        assert!(matches!(
            out[..],
            [Output::Fact(Fact::Yields { epoch: 2 }), Output::Fact(Fact::Yields { epoch: 3 })]
        ));
    }
}
