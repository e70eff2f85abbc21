//! Links, the faults on them, the messages under way, and the groups that a partition leaves.

use super::remember;
use crate::base::{MsgId, NodeId, ServiceId, Span, Time};
use crate::command::{Command, Fault};
use crate::event::{Event, Kind, Label};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// The most messages under way that are kept; beyond, the oldest is taken for lost.
pub const MAX_FLIGHTS: usize = 8_192;
/// How many latencies of each link are kept.
pub const MAX_LATENCIES: usize = 32;

/// A directed link: from, to.
pub type Pair = (NodeId, NodeId);

/// What is most wrong with a link, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing is.
    Up,
    /// It is reordering.
    Reordering,
    /// It delivers twice.
    Duplicating,
    /// It is slow.
    Delayed,
    /// It loses messages.
    Lossy,
    /// It keeps messages back.
    Held,
    /// It is cut.
    Cut,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Up => "up",
            State::Reordering => "reordering",
            State::Duplicating => "duplicating",
            State::Delayed => "delayed",
            State::Lossy => "lossy",
            State::Held => "held",
            State::Cut => "cut",
        })
    }
}

/// One direction of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// What is wrong with it.
    pub fault: Fault,
    /// Since when what is wrong is wrong, if anything is.
    pub since: Option<Time>,
    /// When a message last arrived.
    pub last_arrival: Option<Time>,
    /// How many messages are under way, those kept back included.
    pub in_flight: u32,
    /// How many are kept back.
    pub held: u32,
    /// How many were sent.
    pub sent: u64,
    /// How many are lost.
    pub lost: u64,
    /// How long the last messages were under way, in microseconds, oldest first.
    latencies: VecDeque<u32>,
}

impl Wire {
    /// What is most wrong with it.
    pub fn state(&self) -> State {
        let fault = &self.fault;
        match () {
            () if fault.cut => State::Cut,
            () if fault.hold => State::Held,
            () if fault.loss > 0 => State::Lossy,
            () if fault.delay + fault.jitter > Span::ZERO => State::Delayed,
            () if fault.duplicate > 0 => State::Duplicating,
            () if fault.reorder > 0 => State::Reordering,
            () => State::Up,
        }
    }

    /// How long the last message was under way.
    pub fn latency(&self) -> Option<Span> {
        self.latencies.back().map(|micros| Span::micros((*micros).into()))
    }

    /// The longest way of the last [`MAX_LATENCIES`] messages.
    pub fn slowest(&self) -> Option<Span> {
        self.latencies.iter().max().map(|micros| Span::micros((*micros).into()))
    }
}

/// A message under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Who sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// The service whose message it is.
    pub service: ServiceId,
    /// What it says, if the run keeps labels.
    pub label: Label,
    /// When it was sent.
    pub sent: Time,
    /// Whether it is kept back.
    pub held: bool,
}

/// All links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    wires: BTreeMap<Pair, Wire>,
    flights: BTreeMap<MsgId, Flight>,
    groups: Vec<Vec<NodeId>>,
    letters: BTreeMap<NodeId, char>,
    /// How many messages were sent.
    pub sent: u64,
    /// How many arrived.
    pub received: u64,
    /// How many are lost.
    pub lost: u64,
}

impl Network {
    /// One direction of one link, if a message or a fault was ever on it. No news is good news.
    pub fn wire(&self, from: NodeId, to: NodeId) -> Option<&Wire> {
        self.wires.get(&(from, to))
    }

    /// All directed links that a message or a fault was ever on, in order.
    pub fn wires(&self) -> impl Iterator<Item = (Pair, &Wire)> {
        self.wires.iter().map(|(pair, wire)| (*pair, wire))
    }

    /// What is most wrong with a directed link.
    pub fn state(&self, from: NodeId, to: NodeId) -> State {
        self.wire(from, to).map_or(State::Up, Wire::state)
    }

    /// Whether nothing is cut between the two, either way.
    pub fn talk(&self, a: NodeId, b: NodeId) -> bool {
        self.state(a, b) != State::Cut && self.state(b, a) != State::Cut
    }

    /// The messages under way, oldest first.
    pub fn flights(&self) -> impl DoubleEndedIterator<Item = (MsgId, &Flight)> {
        self.flights.iter().map(|(msg, flight)| (*msg, flight))
    }

    /// One message, if it is under way.
    pub fn flight(&self, msg: MsgId) -> Option<&Flight> {
        self.flights.get(&msg)
    }

    /// How many messages are under way.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// The groups of nodes that are connected, directly or by others, in both directions; the first
    /// is group A. One group is a network that has not parted.
    pub fn groups(&self) -> &[Vec<NodeId>] {
        &self.groups
    }

    /// Whether there is more than one group.
    pub fn is_parted(&self) -> bool {
        self.groups.len() > 1
    }

    /// The letter of the group that a process is in, if the network has parted. A client that
    /// reaches several groups, or none, has no letter.
    pub fn letter(&self, id: NodeId) -> Option<char> {
        self.letters.get(&id).copied()
    }

    pub(super) fn see(&mut self, event: &Event) {
        let (at, node) = (event.at, event.node);
        match &event.kind {
            Kind::Sent { msg, to, service, label } => {
                self.sent += 1;
                let wire = self.wires.entry((node, *to)).or_default();
                wire.sent += 1;
                wire.in_flight += 1;
                let (service, label) = (*service, label.clone());
                let flight = Flight { from: node, to: *to, service, label, sent: at, held: false };
                self.flights.insert(*msg, flight);
                if self.flights.len() > MAX_FLIGHTS
                    && let Some((oldest, _)) = self.flights.first_key_value()
                {
                    self.land(*oldest);
                }
            }
            Kind::Received { msg, from, .. } => {
                self.received += 1;
                let flight = self.land(*msg);
                let wire = self.wires.entry((*from, node)).or_default();
                wire.last_arrival = Some(at);
                if let Some(flight) = flight {
                    let micros = u32::try_from(at.since(flight.sent).0).unwrap_or(u32::MAX);
                    remember(&mut wire.latencies, MAX_LATENCIES, micros);
                }
            }
            Kind::Lost { msg, to, .. } => {
                self.lost += 1;
                self.land(*msg);
                self.wires.entry((node, *to)).or_default().lost += 1;
            }
            Kind::Held { msg, to } => {
                if let Some(flight) = self.flights.get_mut(msg) {
                    flight.held = true;
                    self.wires.entry((node, *to)).or_default().held += 1;
                }
            }
            _ => {}
        }
    }

    /// Takes a message out of those under way.
    fn land(&mut self, msg: MsgId) -> Option<Flight> {
        let flight = self.flights.remove(&msg)?;
        if let Some(wire) = self.wires.get_mut(&(flight.from, flight.to)) {
            wire.in_flight = wire.in_flight.saturating_sub(1);
            wire.held = wire.held.saturating_sub(flight.held.into());
        }
        Some(flight)
    }

    pub(super) fn obey(&mut self, at: Time, command: &Command, links: &[Pair], ids: &[NodeId]) {
        for pair in links {
            let wire = self.wires.entry(*pair).or_default();
            let before = wire.fault;
            command.alter(&mut wire.fault);
            if wire.fault == Fault::default() {
                wire.since = None;
            } else if wire.since.is_none() || wire.fault.cut != before.cut {
                wire.since = Some(at);
            }
        }
        match command {
            Command::Heal(_) | Command::Release(_) => self.release(links),
            Command::Deliver(msg) | Command::Twice(msg) | Command::Postpone { msg, .. } => {
                self.let_go(*msg);
            }
            _ => {}
        }
        if !links.is_empty() {
            self.regroup(ids);
        }
    }

    /// Just this is wrong with the outgoing links of a process.
    pub(super) fn find(
        &mut self,
        at: Time,
        node: NodeId,
        faults: &[(Pair, &Command)],
        ids: &[NodeId],
    ) {
        let mut wrong: BTreeMap<Pair, Fault> = BTreeMap::new();
        for (pair, command) in faults.iter().filter(|((from, _), _)| *from == node) {
            command.alter(wrong.entry(*pair).or_default());
        }
        let known = self
            .wires
            .iter()
            .filter(|((from, _), wire)| *from == node && wire.fault != Fault::default());
        known.for_each(|(pair, _)| _ = wrong.entry(*pair).or_default());
        let mut news = false;
        for (pair, fault) in wrong {
            let wire = self.wires.entry(pair).or_default();
            if wire.fault == fault {
                continue;
            }
            news = true;
            wire.fault = fault;
            wire.since = Some(at).filter(|_| fault != Fault::default());
        }
        if news {
            self.regroup(ids);
        }
    }

    /// Nobody knows what became of messages to and from a process.
    pub(super) fn forget(&mut self, node: NodeId) {
        let of = |(msg, flight): (&MsgId, &Flight)| {
            (flight.from == node || flight.to == node).then_some(*msg)
        };
        let gone: Vec<MsgId> = self.flights.iter().filter_map(of).collect();
        gone.into_iter().for_each(|msg| drop(self.land(msg)));
    }

    /// A message is held no longer.
    fn let_go(&mut self, msg: MsgId) {
        let Some(flight) = self.flights.get_mut(&msg).filter(|flight| flight.held) else { return };
        flight.held = false;
        if let Some(wire) = self.wires.get_mut(&(flight.from, flight.to)) {
            wire.held = wire.held.saturating_sub(1);
        }
    }

    fn release(&mut self, links: &[Pair]) {
        for flight in self.flights.values_mut().filter(|flight| flight.held) {
            flight.held = links.binary_search(&(flight.from, flight.to)).is_err();
        }
        for pair in links {
            self.wires.entry(*pair).or_default().held = 0;
        }
    }

    /// Works out the groups anew.
    pub(super) fn regroup(&mut self, ids: &[NodeId]) {
        self.groups.clear();
        self.letters.clear();
        let (servers, clients): (Vec<NodeId>, Vec<NodeId>) =
            ids.iter().partition(|id| !id.is_client());
        let mut left = servers;
        while !left.is_empty() {
            let group = self.group_of(&mut left);
            self.groups.push(group);
        }
        if !self.is_parted() {
            return;
        }
        for (group, letter) in self.groups.iter().zip(('A'..='Z').chain('a'..='z').cycle()) {
            self.letters.extend(group.iter().map(|id| (*id, letter)));
        }
        for client in clients {
            let mut reached =
                self.groups.iter().filter(|g| g.iter().any(|n| self.talk(client, *n)));
            let (first, second) = (reached.next(), reached.next());
            let letter = first.and_then(|group| self.letters.get(group.first()?).copied());
            if let (Some(letter), None) = (letter, second) {
                self.letters.insert(client, letter);
            }
        }
    }

    /// Takes the first of `left`, and all that are connected to it, out of `left`.
    fn group_of(&self, left: &mut Vec<NodeId>) -> Vec<NodeId> {
        let mut group = vec![left.remove(0)];
        let mut next = 0;
        while let Some(&from) = group.get(next) {
            let (near, far): (Vec<NodeId>, Vec<NodeId>) =
                left.iter().partition(|to| self.talk(from, **to));
            group.extend(near);
            *left = far;
            next += 1;
        }
        group.sort_unstable();
        group
    }
}
