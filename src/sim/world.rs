//! The world's state, and how it takes a step.

use crate::base::{Clock, MsgId, NodeId, Rng, ServiceId, Span, Time};
use crate::command::{Unsynced, in_force};
use crate::event::{Event, Kind, Label, Loss, Presence, Watch};
use crate::host::{Batch, Disk, Host, Input, Output, Setup, Write};
use crate::net::{Rules, Verdict};
use crate::plan::Plan;
use crate::proto::Message;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Whether a process runs.
#[derive(Clone, Debug)]
pub enum State {
    /// It runs.
    Up,
    /// It is frozen; what came meanwhile waits, in order.
    Paused(VecDeque<Input>),
    /// It crashed.
    Down,
}

/// One process: what is lost in a crash (`host`), and what is not.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) setup: Setup,
    pub(super) host: Option<Arc<Host>>,
    pub(super) state: State,
    pub(super) boot: u32,
    pub(super) disk: Arc<Disk>,
    /// Batches that are not durable yet, oldest first: that one is being written.
    pub(super) pending: VecDeque<Pending>,
    pub(super) disk_slow: Span,
    pub(super) torn: bool,
    pub(super) clock: Clock,
}

/// A batch on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    upto: u64,
    batch: Batch,
    /// How long it takes a disk that is well.
    way: Span,
}

/// A message under way.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) id: MsgId,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) message: Message,
    pub(super) label: Label,
}

/// What the world will do later.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Deliver(Envelope),
    Synced { node: NodeId, boot: u32, upto: u64 },
}

/// The whole simulated cluster.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) now: Time,
    pub(super) steps: u64,
    pub(super) events: u64,
    pub(super) ids: Arc<[NodeId]>,
    pub(super) slots: Vec<Slot>,
    /// When each process next wants to be woken, in the world's time.
    deadlines: Vec<Time>,
    pub(super) queue: BTreeMap<(Time, u64), Item>,
    pub(super) held: Vec<Envelope>,
    pub(super) rules: Rules,
    disk_ways: (Span, Span),
    seed: u64,
    net: Rng,
    disks: Rng,
    pub(super) chance: Rng,
    next_item: u64,
    next_msg: u64,
    watch: Watch,
    outputs: Vec<Output>,
    /// Whether messages are weighed, and what was sent by then: how many, and how many bytes.
    weighs: bool,
    traffic: BTreeMap<ServiceId, (u64, u64)>,
}

impl World {
    /// Starts the cluster of `plan`. The first events tell of the starts.
    pub fn new(plan: &Plan, seed: u64, watch: Watch, out: &mut Vec<Event>) -> World {
        let ids: Arc<[NodeId]> = plan.processes().collect();
        let slots = ids.iter().map(|id| Slot {
            setup: plan.setup(*id),
            host: None,
            state: State::Down,
            boot: 0,
            disk: Arc::default(),
            pending: VecDeque::new(),
            disk_slow: Span::ZERO,
            torn: false,
            clock: Clock::default(),
        });
        let mut world = World {
            now: Time::ZERO,
            steps: 0,
            events: 0,
            slots: slots.collect(),
            deadlines: vec![Time::NEVER; ids.len()],
            ids,
            queue: BTreeMap::new(),
            held: Vec::new(),
            rules: Rules::new(plan.net.fastest, plan.net.slowest),
            disk_ways: (plan.disk.fastest, plan.disk.slowest),
            seed,
            net: Rng::split(seed, "net", 0),
            disks: Rng::split(seed, "disk", 0),
            chance: Rng::split(seed, "chance", 0),
            next_item: 0,
            next_msg: 1,
            watch,
            outputs: Vec::new(),
            weighs: false,
            traffic: BTreeMap::new(),
        };
        for index in 0..world.slots.len() {
            world.start(index, out);
        }
        world
    }

    /// The time of the last step.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many steps and commands led here.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How many events led here.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// When the next step will be; [`Time::NEVER`] if nothing will ever happen.
    pub fn next(&self) -> Time {
        let item = self.queue.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
        self.deadlines.iter().copied().min().unwrap_or(Time::NEVER).min(item).max(self.now)
    }

    /// How many directed links something is wrong with.
    pub fn network_faults(&self) -> usize {
        self.rules.faults().count()
    }

    /// Weighs all messages between processes from now on, as they would be on a wire.
    pub fn weigh(&mut self) {
        self.weighs = true;
    }

    /// How many messages of a service were sent since they are weighed, and their bytes.
    pub fn traffic(&self, service: ServiceId) -> (u64, u64) {
        self.traffic.get(&service).copied().unwrap_or_default()
    }

    /// Lets time pass to `time` without a step. Only forward, and not beyond [`World::next`].
    pub fn wait(&mut self, time: Time) {
        self.now = self.now.max(time.min(self.next()));
    }

    /// Takes one step. Returns false, and does nothing, if nothing will ever happen again.
    pub fn step(&mut self, out: &mut Vec<Event>) -> bool {
        let item = self.queue.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
        let mut wake = (Time::NEVER, 0);
        for (index, at) in self.deadlines.iter().enumerate() {
            if *at < wake.0 {
                wake = (*at, index);
            }
        }
        if item == Time::NEVER && wake.0 == Time::NEVER {
            return false;
        }
        self.steps += 1;
        if item <= wake.0 {
            self.now = self.now.max(item);
            if let Some((_, item)) = self.queue.pop_first() {
                self.take(item, out);
            }
        } else {
            self.now = self.now.max(wake.0);
            self.feed(wake.1, Input::Wake, out);
        }
        true
    }

    /// Has every process say how things stand, as to somebody who has just begun to look. Nothing
    /// else changes.
    pub fn restate_all(&mut self, out: &mut Vec<Event>) {
        for id in self.ids.clone().iter() {
            self.restate(*id, out);
        }
    }

    /// Has one process say how things stand. What it wrote last and is not durable yet it says
    /// when it is.
    pub fn restate(&mut self, id: NodeId, out: &mut Vec<Event>) {
        let Some(index) = self.index(id) else { return };
        let slot = &self.slots[index];
        let state = match slot.state {
            State::Up => Presence::Up,
            State::Paused(_) => Presence::Paused,
            State::Down => Presence::Down,
        };
        let links = self.rules.faults().filter(|(from, ..)| *from == id);
        let links = links.map(|(_, to, fault)| (to, fault));
        let clock = (slot.clock.offset, slot.clock.ppm());
        let faults = in_force(id, links, clock, slot.disk_slow).into();
        let boot = slot.boot;
        self.tell(id, Kind::Present { boot, state, faults }, out);
        // A frozen process does not notice: it is looked at from outside.
        self.handle(index, Input::Restate, out);
    }

    pub(super) fn index(&self, id: NodeId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    pub(super) fn tell(&mut self, node: NodeId, kind: Kind, out: &mut Vec<Event>) {
        if !self.watch.wants(&kind) {
            return;
        }
        self.events += 1;
        out.push(Event { at: self.now, node, kind });
    }

    fn take(&mut self, item: Item, out: &mut Vec<Event>) {
        match item {
            Item::Deliver(envelope) => self.deliver(envelope, out),
            Item::Synced { node, boot, upto } => {
                let Some(index) = self.index(node) else { return };
                let slot = &mut self.slots[index];
                if slot.boot == boot
                    && slot.pending.front().is_some_and(|it| it.upto == upto)
                    && let Some(Pending { batch, .. }) = slot.pending.pop_front()
                {
                    let disk = Arc::make_mut(&mut slot.disk);
                    batch.into_iter().for_each(|write| disk.write(write));
                    self.write_next(index);
                    self.feed(index, Input::Synced { upto }, out);
                }
            }
        }
    }

    pub(super) fn deliver(&mut self, envelope: Envelope, out: &mut Vec<Event>) {
        let Envelope { id, from, to, message, label } = envelope;
        let Some(index) = self.index(to) else { return };
        if matches!(self.slots[index].state, State::Down) {
            return self.tell(from, Kind::Lost { msg: id, to, why: Loss::Down }, out);
        }
        if from != to {
            self.tell(to, Kind::Received { msg: id, from, service: message.service(), label }, out);
        }
        self.feed(index, Input::Deliver { from, message }, out);
    }

    /// Gives an input to a process that is up, or keeps it for one that is frozen.
    pub(super) fn feed(&mut self, index: usize, input: Input, out: &mut Vec<Event>) {
        let slot = &mut self.slots[index];
        match &mut slot.state {
            State::Down => return,
            State::Paused(inbox) => return inbox.push_back(input),
            State::Up => {}
        }
        self.handle(index, input, out);
    }

    /// Gives an input to a process that is not down.
    fn handle(&mut self, index: usize, input: Input, out: &mut Vec<Event>) {
        let slot = &mut self.slots[index];
        let Some(host) = &mut slot.host else { return };
        let (mono, wall) = (slot.clock.mono(self.now), slot.clock.wall(self.now));
        let mut outputs = std::mem::take(&mut self.outputs);
        let host = Arc::make_mut(host);
        host.watch(Some(self.watch));
        let handled =
            catch_unwind(AssertUnwindSafe(|| host.handle(input, mono, wall, &mut outputs)));
        match handled {
            Ok(()) => self.carry_out(index, &mut outputs, out),
            Err(panic) => self.panicked(index, panic.as_ref(), out),
        }
        outputs.clear();
        self.outputs = outputs;
        self.rearm(index);
    }

    fn panicked(&mut self, index: usize, why: &dyn std::any::Any, out: &mut Vec<Event>) {
        let text = why.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| why.downcast_ref::<String>().cloned());
        let why = text.unwrap_or_else(|| "no message".to_owned()).into();
        self.tell(self.ids[index], Kind::Panicked { why }, out);
        self.crash(index, Unsynced::Lose, out);
    }

    /// Sets when a process wants to be woken.
    pub(super) fn rearm(&mut self, index: usize) {
        let slot = &self.slots[index];
        self.deadlines[index] = match (&slot.state, &slot.host) {
            (State::Up, Some(host)) => slot.clock.when(host.deadline()),
            _ => Time::NEVER,
        };
    }

    fn carry_out(&mut self, index: usize, outputs: &mut Vec<Output>, out: &mut Vec<Event>) {
        let node = self.ids[index];
        for output in outputs.drain(..) {
            match output {
                Output::Fact(fact) => self.tell(node, Kind::Fact(fact), out),
                Output::Fired(timer) => {
                    let (service, timer) = (timer.service(), timer.name().into());
                    self.tell(node, Kind::Fired { service, timer }, out);
                }
                Output::Armed(timer, after) => {
                    let (service, timer) = (timer.service(), timer.name().into());
                    self.tell(node, Kind::Armed { service, timer, after }, out);
                }
                Output::Send { to, message } => self.send(node, to, message, out),
                Output::Write { upto, batch } => self.write(index, upto, batch),
            }
        }
    }

    fn write(&mut self, index: usize, upto: u64, batch: Batch) {
        let way = self.disks.span(self.disk_ways.0, self.disk_ways.1);
        let pending = &mut self.slots[index].pending;
        pending.push_back(Pending { upto, batch, way });
        if pending.len() == 1 {
            self.write_next(index);
        }
    }

    /// Begins with the oldest batch, if there is one; how slow the disk is, it is now.
    fn write_next(&mut self, index: usize) {
        let slot = &self.slots[index];
        if let Some(Pending { upto, way, .. }) = slot.pending.front() {
            let item = Item::Synced { node: self.ids[index], boot: slot.boot, upto: *upto };
            self.later(self.now + *way + slot.disk_slow, item);
        }
    }

    pub(super) fn later(&mut self, at: Time, item: Item) {
        self.next_item += 1;
        self.queue.insert((at, self.next_item), item);
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message, out: &mut Vec<Event>) {
        let id = MsgId(self.next_msg);
        self.next_msg += 1;
        if from == to {
            let envelope = Envelope { id, from, to, message, label: Label::NONE };
            return self.later(self.now, Item::Deliver(envelope));
        }
        let label = match self.watch {
            Watch::Labels => Label::of(&message),
            _ => Label::NONE,
        };
        let service = message.service();
        if self.weighs {
            let (messages, bytes) = self.traffic.entry(service).or_default();
            (*messages, *bytes) = (*messages + 1, *bytes + weight(&message));
        }
        self.tell(from, Kind::Sent { msg: id, to, service, label: label.clone() }, out);
        let envelope = Envelope { id, from, to, message, label };
        match self.rules.judge(from, to, &mut self.net) {
            Verdict::Deliver { after } => self.later(self.now + after, Item::Deliver(envelope)),
            Verdict::Twice { after, again } => {
                self.later(self.now + after, Item::Deliver(envelope.clone()));
                self.later(self.now + again, Item::Deliver(envelope));
            }
            Verdict::Drop(why) => self.tell(from, Kind::Lost { msg: id, to, why }, out),
            Verdict::Hold => {
                self.tell(from, Kind::Held { msg: id, to }, out);
                self.held.push(envelope);
            }
        }
    }

    /// Boots a process that is down.
    pub(super) fn start(&mut self, index: usize, out: &mut Vec<Event>) {
        let (now, seed, id) = (self.now, self.seed, self.ids[index]);
        let slot = &mut self.slots[index];
        slot.boot += 1;
        slot.state = State::Up;
        let purpose = u64::from(slot.boot) << 32 | u64::from(id.number()) << 1;
        let rng = Rng::split(seed, "node", purpose | u64::from(id.is_client()));
        let records = slot.disk.records().len() as u64;
        let started =
            Kind::Started { boot: slot.boot, records, torn: std::mem::take(&mut slot.torn) };
        self.tell(id, started, out);
        let slot = &mut self.slots[index];
        let (mono, wall) = (slot.clock.mono(now), slot.clock.wall(now));
        let mut outputs = Vec::new();
        let booted = catch_unwind(AssertUnwindSafe(|| {
            let disk = slot.disk.records();
            Host::start(&slot.setup, slot.boot, disk, rng, mono, wall, &mut outputs)
        }));
        match booted {
            Ok(host) => {
                slot.host = Some(Arc::new(host));
                self.carry_out(index, &mut outputs, out);
            }
            Err(panic) => self.panicked(index, panic.as_ref(), out),
        }
        self.rearm(index);
    }

    /// Crashes a process. Whether writes under way survive is up to `unsynced`.
    pub(super) fn crash(&mut self, index: usize, unsynced: Unsynced, out: &mut Vec<Event>) {
        let slot = &mut self.slots[index];
        if matches!(slot.state, State::Down) {
            return;
        }
        let writes = slot.pending.drain(..).flat_map(|it| it.batch);
        let writes: Vec<Write> = writes.flat_map(Write::pieces).collect();
        let total = writes.len() as u64;
        let (kept, torn) = match unsynced {
            Unsynced::Keep => (total, false),
            Unsynced::Lose => (0, false),
            Unsynced::Tear => (0, total > 0),
            Unsynced::Chance => {
                let kept = self.chance.between(0, total);
                (kept, kept < total && self.chance.percent(50))
            }
        };
        let disk = Arc::make_mut(&mut slot.disk);
        writes.into_iter().take(kept as usize).for_each(|write| disk.write(write));
        (slot.host, slot.state, slot.torn) = (None, State::Down, torn);
        self.rearm(index);
        self.tell(self.ids[index], Kind::Killed { lost: total - kept }, out);
    }
}

/// How many bytes a message has in the encoding of the wire, without its frame.
fn weight(message: &Message) -> u64 {
    postcard::to_allocvec(message).map_or(0, |bytes| bytes.len() as u64)
}
