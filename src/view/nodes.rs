//! Processes: whether they run, what they are to the cluster, and what their clocks show.

use crate::base::{Ballot, Incarnation, Name, NodeId, ServiceId, Span, Time};
use crate::command::{ClockFault, Command, DiskFault};
use crate::event::{Fact, Kind, Presence};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether a process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Life {
    /// It was heard of, and nothing is known yet.
    #[default]
    Unknown,
    /// It runs.
    Up,
    /// It is frozen.
    Paused,
    /// It crashed.
    Down,
    /// It crashed because it broke a rule of its own, or because its disk failed: what it said.
    Failed(Arc<str>),
}

impl Life {
    /// Whether it runs, and is not frozen.
    pub fn is_up(&self) -> bool {
        matches!(self, Life::Up | Life::Unknown)
    }

    /// Whether it runs or is frozen: it still holds what it had in memory.
    pub fn is_there(&self) -> bool {
        !self.is_down()
    }

    /// Whether it crashed, for whatever reason.
    pub fn is_down(&self) -> bool {
        matches!(self, Life::Down | Life::Failed(_))
    }
}

/// What a node is to the replicated log, by its own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It has not said, or it is down.
    #[default]
    None,
    /// It leads in this ballot.
    Leads(Ballot),
    /// It follows the leader of this ballot.
    Follows(Ballot),
    /// It knows no leader, and seeks to lead in this ballot if that is not none.
    Seeks(Ballot),
}

impl Role {
    /// The ballot it goes by; none without a role.
    pub fn ballot(self) -> Ballot {
        match self {
            Role::None => Ballot::NONE,
            Role::Leads(ballot) | Role::Follows(ballot) | Role::Seeks(ballot) => ballot,
        }
    }
}

/// How far a clock is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// What was added to the wall clock, in microseconds.
    pub offset: i64,
    /// How many millionths it runs too fast; slow below zero.
    pub drift: i32,
    /// What drift had piled up when `drift` was set last, in microseconds.
    piled: i64,
    since: Time,
}

impl Clock {
    /// How far the wall clock is ahead of true time at `now`, in microseconds.
    pub fn ahead(&self, now: Time) -> i64 {
        self.offset.saturating_add(self.gained(now))
    }

    /// What drift has piled up by `now`, in microseconds.
    fn gained(&self, now: Time) -> i64 {
        let passed = i128::from(now.since(self.since).0);
        let gained = passed * i128::from(self.drift) / 1_000_000;
        self.piled.saturating_add(i64::try_from(gained).unwrap_or(i64::MAX))
    }

    fn set_drift(&mut self, now: Time, ppm: i32) {
        (self.piled, self.since, self.drift) = (self.gained(now), now, ppm);
    }

    fn is_off(&self) -> bool {
        self.offset != 0 || self.drift != 0
    }
}

/// That one process does not believe that another is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The incarnation of the other that is suspected.
    pub incarnation: Incarnation,
    /// Since when.
    pub since: Time,
}

/// A timer that runs down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// When it was set.
    pub set: Time,
    /// When it runs out, if it is not set anew before.
    pub until: Time,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Whether it runs.
    pub life: Life,
    /// Since when it does what `life` says.
    pub since: Time,
    /// How often it booted.
    pub boot: u32,
    /// From how many records on its disk it booted last.
    pub records: u64,
    /// Whether the last of them was half written, and cut off.
    pub torn: bool,
    /// How many unsynced records its last crash lost.
    pub unsynced_lost: u64,
    /// What it is to the log, by its own words.
    pub role: Role,
    /// Since when it has this role in this ballot.
    pub role_since: Time,
    /// Its clock.
    pub clock: Clock,
    /// What every sync of its disk takes in addition.
    pub disk_slow: Span,
    /// Whom it suspects.
    pub suspects: BTreeMap<NodeId, Suspicion>,
    /// Its timers that make it act on its own, by service and name.
    pub timers: BTreeMap<(ServiceId, Cow<'static, str>), Timer>,
    /// A bit for each service that it was seen to run.
    services: u16,
    /// How many messages it sent.
    pub sent: u64,
    /// How many it received.
    pub received: u64,
    /// How many of those that it sent are lost.
    pub lost: u64,
}

impl Node {
    fn new(id: NodeId) -> Node {
        Node {
            id,
            life: Life::Unknown,
            since: Time::ZERO,
            boot: 0,
            records: 0,
            torn: false,
            unsynced_lost: 0,
            role: Role::None,
            role_since: Time::ZERO,
            clock: Clock::default(),
            disk_slow: Span::ZERO,
            suspects: BTreeMap::new(),
            timers: BTreeMap::new(),
            services: 0,
            sent: 0,
            received: 0,
            lost: 0,
        }
    }

    /// The timer that will make it act on its own, by the name that a command has for it. Where
    /// several run down, the one that does so first.
    pub fn acts_by(&self) -> Option<Name> {
        let first = self.timers.iter().min_by_key(|(_, timer)| timer.until);
        first.and_then(|((_, name), _)| name.replace(' ', "-").parse().ok())
    }

    /// The services that were seen to send, receive or wait: all that it runs, before long.
    pub fn services(&self) -> impl Iterator<Item = ServiceId> {
        ServiceId::ALL.into_iter().filter(|service| self.services & bit(*service) > 0)
    }

    /// Whether its clock is off or its disk slow.
    pub fn is_impaired(&self) -> bool {
        self.clock.is_off() || self.disk_slow != Span::ZERO
    }
}

impl Node {
    /// From now on its clock runs at another rate, and its timers run out at other times.
    fn set_drift(&mut self, now: Time, ppm: i32) {
        let (before, after) = (rate(self.clock.drift), rate(ppm));
        for timer in self.timers.values_mut() {
            let left = u128::from(timer.until.since(now).0) * before / after;
            timer.until = now + Span(u64::try_from(left).unwrap_or(u64::MAX));
        }
        self.clock.set_drift(now, ppm);
    }
}

/// How far such a clock comes in a second, in microseconds.
fn rate(ppm: i32) -> u128 {
    u128::from(1_000_000u32.saturating_add_signed(ppm).max(1))
}

fn bit(service: ServiceId) -> u16 {
    1 << service as u16
}

/// All processes, nodes before clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
    ids: Arc<[NodeId]>,
}

impl Nodes {
    /// One process.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// The names of all, sorted: nodes, then clients.
    pub fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    /// All processes: nodes, then clients.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.values()
    }

    /// The nodes, without the clients.
    pub fn servers(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.values().filter(|node| !node.id.is_client())
    }

    /// The clients.
    pub fn clients(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.values().filter(|node| node.id.is_client())
    }

    /// The world's time at which `span` has passed on the clock of `id` from `at` on.
    pub(super) fn due(&self, id: NodeId, at: Time, span: Span) -> Time {
        let ppm = self.get(id).map_or(0, |node| node.clock.drift);
        let way = (u128::from(span.0) * 1_000_000).div_ceil(rate(ppm));
        at + Span(u64::try_from(way).unwrap_or(u64::MAX))
    }

    pub(super) fn meet(&mut self, id: NodeId) {
        self.nodes.insert(id, Node::new(id));
        self.ids = self.nodes.keys().copied().collect();
    }

    pub(super) fn count(&mut self, id: NodeId, kind: &Kind) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Kind::Sent { service, .. } | Kind::Received { service, .. } = kind {
            node.services |= bit(*service);
        }
        match kind {
            Kind::Sent { .. } => node.sent += 1,
            Kind::Received { .. } => node.received += 1,
            Kind::Lost { .. } => node.lost += 1,
            _ => {}
        }
    }

    /// A timer was set, cancelled, or ran out.
    pub(super) fn time(&mut self, at: Time, id: NodeId, kind: &Kind) {
        let (service, timer, until) = match kind {
            Kind::Armed { service, timer, after: Some(after) } => {
                (*service, timer, Some(self.due(id, at, *after)))
            }
            Kind::Armed { service, timer, after: None } | Kind::Fired { service, timer } => {
                (*service, timer, None)
            }
            _ => return,
        };
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.services |= bit(service);
        match until {
            Some(until) => {
                node.timers.insert((service, timer.clone()), Timer { set: at, until });
            }
            // Most timers that run out are not watched, and none of those is here.
            None if node.timers.is_empty() => {}
            None => drop(node.timers.remove(&(service, timer.clone()))),
        }
    }

    pub(super) fn live(&mut self, at: Time, id: NodeId, kind: &Kind) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let life = match kind {
            Kind::Started { boot, records, torn } => {
                (node.boot, node.records, node.torn) = (*boot, *records, *torn);
                Life::Up
            }
            Kind::Killed { lost } => {
                node.unsynced_lost = *lost;
                (node.role, node.role_since) = (Role::None, at);
                node.suspects.clear();
                node.timers.clear();
                match &node.life {
                    Life::Failed(why) => Life::Failed(why.clone()),
                    _ => Life::Down,
                }
            }
            Kind::Paused => Life::Paused,
            Kind::Resumed => Life::Up,
            Kind::Panicked { why } | Kind::Failed { why } => Life::Failed(why.clone()),
            _ => return,
        };
        (node.life, node.since) = (life, at);
    }

    /// A process is there, in this boot; nothing is wrong with its clock and disk but this.
    pub(super) fn find(
        &mut self,
        at: Time,
        id: NodeId,
        (boot, state): (u32, Presence),
        faults: &[Command],
    ) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.boot != boot {
            (node.boot, node.records, node.torn, node.since) = (boot, 0, false, at);
        }
        let same = match state {
            Presence::Up => node.life == Life::Up,
            Presence::Paused => node.life == Life::Paused,
            Presence::Down => node.life.is_down(),
        };
        if !same {
            node.since = at;
            node.life = match state {
                Presence::Up => Life::Up,
                Presence::Paused => Life::Paused,
                Presence::Down => Life::Down,
            };
        }
        if state == Presence::Down && node.role != Role::None {
            (node.role, node.role_since) = (Role::None, at);
        }
        let (mut offset, mut drift, mut slow) = (0, 0, Span::ZERO);
        for command in faults {
            match command {
                Command::Clock { fault: ClockFault::Offset(micros), .. } => offset = *micros,
                Command::Clock { fault: ClockFault::Drift(ppm), .. } => drift = *ppm,
                Command::Disk { fault: DiskFault::Slow(by), .. } => slow = *by,
                _ => {}
            }
        }
        node.disk_slow = slow;
        node.clock.offset = offset;
        if node.clock.drift != drift {
            node.set_drift(at, drift);
        }
    }

    /// What a process thinks of others it has to say again.
    pub(super) fn forget(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.suspects.clear();
        }
    }

    pub(super) fn obey(&mut self, at: Time, command: &Command) {
        let (Command::Clock { who, .. } | Command::Disk { who, .. }) = command else { return };
        for id in who.nodes() {
            let Some(node) = self.nodes.get_mut(id) else { continue };
            match command {
                Command::Clock { fault: ClockFault::Offset(micros), .. } => {
                    node.clock.offset = *micros;
                }
                Command::Clock { fault: ClockFault::Drift(ppm), .. } => {
                    node.set_drift(at, *ppm);
                }
                Command::Clock { fault: ClockFault::Ok, .. } => {
                    node.clock.offset = 0;
                    node.set_drift(at, 0);
                }
                Command::Disk { fault: DiskFault::Slow(by), .. } => node.disk_slow = *by,
                Command::Disk { fault: DiskFault::Ok, .. } => node.disk_slow = Span::ZERO,
                _ => {}
            }
        }
    }

    pub(super) fn hear(&mut self, at: Time, id: NodeId, fact: &Fact) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let role = match *fact {
            Fact::Suspects { who, incarnation } | Fact::Dead { who, incarnation, .. } => {
                if node.suspects.get(&who).is_none_or(|known| known.incarnation != incarnation) {
                    node.suspects.insert(who, Suspicion { incarnation, since: at });
                }
                return;
            }
            Fact::Trusts { who, .. } => {
                node.suspects.remove(&who);
                return;
            }
            Fact::Leads { ballot } => Role::Leads(ballot),
            Fact::Follows { ballot } => Role::Follows(ballot),
            Fact::Seeks { ballot } => Role::Seeks(ballot),
            _ => return,
        };
        if node.role != role {
            (node.role, node.role_since) = (role, at);
        }
    }
}
