//! One process of the cluster in real time: what stays when its node is killed.
//!
//! The agent takes in what came ([`Inbox`]), wakes its host when a timer is due, carries out what
//! the host wants, and tells watchers. It never waits: messages go into a link's queue or are lost,
//! writes go to the disk's thread, reports go into watchers' queues or are counted as missed. What
//! commands do to it is in `faults`.
//!
//! A service that breaks one of its own rules panics; the agent catches that, tells it, and has the
//! node crash. Nothing else in the process notices.

use super::control::{Envelope, Inbox, Link, Report, Request, Stamped};
use super::disk::{Disk, Done, Request as Errand};
use super::watchers::Watchers;
use crate::base::{Clock, MsgId, NodeId, Rng, Span, Time};
use crate::command::{Command, Unsynced};
use crate::event::{Event, Kind, Label, Loss, Presence, Watch};
use crate::host::{Host, Input, Output, Setup};
use crate::net::{Rules, Verdict};
use crate::proto::{Message, Record};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many messages may be delayed or held, and how many inputs may wait for a frozen node.
const MOST_WAITING: usize = 65_536;
/// A stamp further ahead than this comes from a wrong clock, and is not followed.
pub(super) const BELIEVED: Span = Span::secs(60);
/// How often watchers are told that nothing happened.
const SIGN_OF_LIFE: Span = Span::millis(33);
/// How many messages to itself a node may send in one turn. More wait for the next one.
const MOST_LOCAL: usize = 1_024;

/// The time since the cluster was founded.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    base: Time,
    since: Instant,
}

impl Epoch {
    /// The cluster is `base` old now.
    pub fn new(base: Time) -> Epoch {
        Epoch { base, since: Instant::now() }
    }

    /// How old it is now. Clocks that are set meanwhile do not matter.
    pub fn now(&self) -> Time {
        let passed = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        Time(self.base.0.saturating_add(passed))
    }

    /// How long to wait for a time.
    pub fn until(&self, time: Time) -> Duration {
        Duration::from_micros(time.since(self.now()).0)
    }
}

/// What an agent has done so far, for whoever keeps an eye on the process.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages sent to other processes, lost ones included.
    pub sent: AtomicU64,
    /// Messages received from other processes.
    pub received: AtomicU64,
    /// Messages that were lost on this side.
    pub lost: AtomicU64,
    /// Batches that were given to the disk.
    pub written: AtomicU64,
    /// Times that the disk said that something is durable. Fewer than `written` when batches share
    /// a sync.
    pub synced: AtomicU64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an agent is told about itself, once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the node is told.
    pub setup: Setup,
    /// All processes of the cluster, in order.
    pub all: Arc<[NodeId]>,
    /// Seed of the node's and its network's chance.
    pub seed: u64,
    /// How long the messages that it sends are under way, on top of what the link takes.
    pub ways: (Span, Span),
    /// What time it is.
    pub epoch: Epoch,
}

/// Whether the node runs.
#[derive(Debug)]
pub(super) enum State {
    Up,
    /// It is frozen; what came meanwhile waits, in order.
    Paused(VecDeque<Input>),
    /// It reads its disk.
    Booting,
    Down,
}

/// A message that waits at the sender.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) to: NodeId,
    pub(super) envelope: Envelope,
}

/// One process.
#[derive(Debug)]
pub struct Agent<L> {
    pub(super) settings: Settings,
    pub(super) me: NodeId,
    pub(super) state: State,
    pub(super) host: Option<Host>,
    boot: u32,
    pub(super) clock: Clock,
    pub(super) rules: Rules,
    net: Rng,
    link: L,
    pub(super) disk: Disk,
    pub(super) disk_slow: Span,
    /// Counts loads of the disk. What it says of an earlier one is out of date.
    life: u64,
    /// Crashes that it was told of and has not answered.
    crashes: u32,
    pub(super) delayed: BTreeMap<(Time, u64), Waiting>,
    pub(super) held: Vec<Waiting>,
    local: VecDeque<Message>,
    next_msg: MsgId,
    next_delayed: u64,
    pub(super) now: Time,
    stamp: Time,
    told: Time,
    pub(super) watchers: Watchers,
    watch: Option<Watch>,
    counters: Arc<Counters>,
    outputs: Vec<Output>,
    leaving: bool,
}

impl<L: Link> Agent<L> {
    /// An agent whose node is down. [`Agent::boot`] starts it.
    pub fn new(settings: Settings, disk: Disk, link: L) -> Agent<L> {
        let (me, now) = (settings.setup.me, settings.epoch.now());
        let (fastest, slowest) = settings.ways;
        let net = Rng::split(settings.seed, "net", u64::from(me.number()) << 1 | client_bit(me));
        Agent {
            me,
            state: State::Down,
            host: None,
            boot: 0,
            clock: Clock::default(),
            rules: Rules::new(fastest, slowest),
            net,
            link,
            disk,
            disk_slow: Span::ZERO,
            life: 0,
            crashes: 0,
            delayed: BTreeMap::new(),
            held: Vec::new(),
            local: VecDeque::new(),
            next_msg: MsgId::first(me, 0).next(),
            next_delayed: 0,
            now,
            stamp: now,
            told: now,
            watchers: Watchers::default(),
            watch: None,
            counters: Arc::default(),
            outputs: Vec::new(),
            leaving: false,
            settings,
        }
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// What time it is.
    pub fn epoch(&self) -> Epoch {
        self.settings.epoch
    }

    /// Whether it has been asked to stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether it has been asked to stop, and has: its disk has what it was given.
    pub fn is_done(&self) -> bool {
        self.leaving && self.crashes == 0 && matches!(self.state, State::Down)
    }

    /// Has the node boot from its disk.
    pub fn boot(&mut self) {
        self.state = State::Booting;
        self.life += 1;
        self.disk.send(Errand::Load { life: self.life });
    }

    /// When it wants its next turn, if nothing comes before.
    pub fn next(&self) -> Time {
        if !self.local.is_empty() {
            return self.now;
        }
        let timer = match (&self.state, &self.host) {
            (State::Up, Some(host)) => self.clock.when(host.deadline()),
            _ => Time::NEVER,
        };
        let delayed = self.delayed.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
        let told = self.watch.map_or(Time::NEVER, |_| self.told + SIGN_OF_LIFE);
        timer.min(delayed).min(told)
    }

    /// Takes in what came, does what is due, and tells watchers.
    pub fn turn(&mut self, inbox: &mut Vec<Inbox>) {
        self.now = self.settings.epoch.now();
        for item in inbox.drain(..) {
            self.take(item);
        }
        self.wake();
        for _ in 0..MOST_LOCAL {
            let Some(message) = self.local.pop_front() else { break };
            self.feed(Input::Deliver { from: self.me, message });
        }
        self.report();
    }

    fn take(&mut self, item: Inbox) {
        match item {
            Inbox::Arrived { from, envelope } => self.arrived(from, envelope),
            Inbox::Lost { to, id, why } => self.lost(self.me, to, id, why),
            Inbox::Disk(done) => self.disk_did(done),
            Inbox::Attached { console, reports } => self.watchers.attach(console, reports),
            Inbox::Asked { console, request } => self.asked(console, request),
        }
    }

    fn asked(&mut self, console: u64, request: Request) {
        match request {
            Request::Watch(level) => {
                self.watchers.watch(console, level);
                self.watch = self.watchers.level();
                // What happens in the rest of this turn is news to it.
                self.report();
            }
            Request::Command { id, command } => {
                let result = self.command(id, &command);
                self.watchers.answer(console, Report::Answer { id, result });
            }
            Request::Shutdown => self.leave(),
        }
    }

    /// Stops for good, once the disk has what it was given.
    pub fn leave(&mut self) {
        self.leaving = true;
        if !matches!(self.state, State::Down) {
            self.crash(Unsynced::Keep);
        }
    }

    fn arrived(&mut self, from: NodeId, envelope: Envelope) {
        let Envelope { id, stamp, message } = envelope;
        if stamp.since(self.now) <= BELIEVED {
            self.stamp = self.stamp.max(stamp + Span(1));
        }
        Counters::count(&self.counters.received);
        if matches!(self.state, State::Down | State::Booting) {
            return self.lost(from, self.me, id, Loss::Down);
        }
        if self.watch > Some(Watch::Facts) {
            let (service, label) = (message.service(), self.label(&message));
            self.tell(self.me, Kind::Received { msg: id, from, service, label });
        }
        self.feed(Input::Deliver { from, message });
    }

    fn lost(&mut self, from: NodeId, to: NodeId, msg: MsgId, why: Loss) {
        Counters::count(&self.counters.lost);
        self.tell(from, Kind::Lost { msg, to, why });
    }

    fn label(&self, message: &Message) -> Label {
        match self.watch {
            Some(Watch::Labels) => Label::of(message),
            _ => Label::NONE,
        }
    }

    fn disk_did(&mut self, done: Done) {
        match done {
            Done::Loaded { life, boot, records, torn } => {
                // A node that was killed while it read its disk has no use for what it says.
                if life == self.life && matches!(self.state, State::Booting) {
                    self.start(boot, &records, torn);
                }
            }
            Done::Synced { life, upto } => {
                if life == self.life {
                    Counters::count(&self.counters.synced);
                    self.feed(Input::Synced { upto });
                }
            }
            Done::Crashed { lost, .. } => {
                self.crashes = self.crashes.saturating_sub(1);
                self.tell(self.me, Kind::Killed { lost });
            }
            Done::Failed { life, why } => {
                if life == self.life && !matches!(self.state, State::Down) {
                    let why = format!("disk: {why}").into();
                    self.fail(Kind::Failed { why });
                }
            }
        }
    }

    fn start(&mut self, boot: u32, records: &[Record], torn: bool) {
        self.boot = boot;
        if boot > 1 && self.next_msg.author() == Some(self.me) {
            self.next_msg = MsgId::first(self.me, boot).next();
        }
        self.tell(self.me, Kind::Started { boot, records: records.len() as u64, torn });
        let purpose =
            u64::from(boot) << 32 | u64::from(self.me.number()) << 1 | client_bit(self.me);
        let rng = Rng::split(self.settings.seed, "node", purpose);
        let (mono, wall) = (self.clock.mono(self.now), self.clock.wall(self.now));
        let mut outputs = Vec::new();
        let booted = catch_unwind(AssertUnwindSafe(|| {
            Host::start(&self.settings.setup, boot, records, rng, mono, wall, &mut outputs)
        }));
        match booted {
            Ok(host) => {
                (self.host, self.state) = (Some(host), State::Up);
                self.carry_out(&mut outputs);
            }
            Err(panic) => self.panicked(panic.as_ref()),
        }
    }

    /// Gives an input to a node that is up, or keeps it for one that is frozen.
    pub(super) fn feed(&mut self, input: Input) {
        match &mut self.state {
            State::Down | State::Booting => {}
            State::Paused(inbox) if inbox.len() < MOST_WAITING => inbox.push_back(input),
            // Its disk must be heard in any case: it says a bounded number of things.
            State::Paused(inbox) if matches!(input, Input::Synced { .. }) => inbox.push_back(input),
            State::Paused(_) => Counters::count(&self.counters.lost),
            State::Up => self.handle(input),
        }
    }

    fn handle(&mut self, input: Input) {
        let Some(host) = &mut self.host else { return };
        let (mono, wall) = (self.clock.mono(self.now), self.clock.wall(self.now));
        let mut outputs = std::mem::take(&mut self.outputs);
        host.watch(self.watch);
        let handled =
            catch_unwind(AssertUnwindSafe(|| host.handle(input, mono, wall, &mut outputs)));
        match handled {
            Ok(()) => self.carry_out(&mut outputs),
            Err(panic) => self.panicked(panic.as_ref()),
        }
        outputs.clear();
        self.outputs = outputs;
    }

    fn panicked(&mut self, why: &dyn std::any::Any) {
        let text = why.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| why.downcast_ref::<String>().cloned());
        let why = text.unwrap_or_else(|| "no message".to_owned()).into();
        self.fail(Kind::Panicked { why });
    }

    /// The node dies of itself.
    fn fail(&mut self, kind: Kind) {
        tracing::error!("{} {kind}", self.me);
        self.tell(self.me, kind);
        self.crash(Unsynced::Lose);
    }

    /// Crashes the node. The disk says what was lost, and then it is told.
    pub(super) fn crash(&mut self, unsynced: Unsynced) {
        (self.host, self.state) = (None, State::Down);
        self.local.clear();
        self.crashes += 1;
        self.disk.send(Errand::Crash(unsynced));
    }

    fn carry_out(&mut self, outputs: &mut Vec<Output>) {
        for output in outputs.drain(..) {
            match output {
                Output::Fact(fact) => self.tell(self.me, Kind::Fact(fact)),
                Output::Fired(timer) => {
                    let (service, timer) = (timer.service(), timer.name().into());
                    self.tell(self.me, Kind::Fired { service, timer });
                }
                Output::Armed(timer, after) => {
                    let (service, timer) = (timer.service(), timer.name().into());
                    self.tell(self.me, Kind::Armed { service, timer, after });
                }
                Output::Send { to, message } if to == self.me => self.local.push_back(message),
                Output::Send { to, message } => self.send(to, message),
                Output::Write { upto, batch } => {
                    Counters::count(&self.counters.written);
                    self.disk.send(Errand::Commit { upto, batch: batch.into_vec() });
                }
            }
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        let id = self.next_msg;
        self.next_msg = id.next();
        Counters::count(&self.counters.sent);
        if self.watch > Some(Watch::Facts) {
            let (service, label) = (message.service(), self.label(&message));
            self.tell(self.me, Kind::Sent { msg: id, to, service, label });
        }
        let waiting = Waiting { to, envelope: Envelope { id, stamp: self.stamp(), message } };
        match self.rules.judge(self.me, to, &mut self.net) {
            Verdict::Deliver { after } => self.deliver(after, waiting),
            Verdict::Twice { after, again } => {
                self.deliver(after, waiting.clone());
                self.deliver(again, waiting);
            }
            Verdict::Drop(why) => self.lost(self.me, to, id, why),
            Verdict::Hold => self.hold(waiting),
        }
    }

    fn hold(&mut self, waiting: Waiting) {
        let (msg, to) = (waiting.envelope.id, waiting.to);
        if self.held.len() >= MOST_WAITING {
            return self.lost(self.me, to, msg, Loss::Full);
        }
        self.tell(self.me, Kind::Held { msg, to });
        self.held.push(waiting);
    }

    /// Sends a message on after a while.
    pub(super) fn deliver(&mut self, after: Span, waiting: Waiting) {
        if after == Span::ZERO {
            return self.pass_on(waiting);
        }
        if self.delayed.len() >= MOST_WAITING {
            return self.lost(self.me, waiting.to, waiting.envelope.id, Loss::Full);
        }
        self.next_delayed += 1;
        self.delayed.insert((self.now + after, self.next_delayed), waiting);
    }

    fn pass_on(&mut self, waiting: Waiting) {
        let (to, id) = (waiting.to, waiting.envelope.id);
        if let Err(why) = self.link.send(to, waiting.envelope) {
            self.lost(self.me, to, id, why);
        }
    }

    /// Does what is due by now.
    fn wake(&mut self) {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= self.now
        {
            let waiting = entry.remove();
            self.pass_on(waiting);
        }
        // A timer may be set anew by what it does, to a time that has passed already.
        for _ in 0..MOST_LOCAL {
            let due = match (&self.state, &self.host) {
                (State::Up, Some(host)) => self.clock.when(host.deadline()) <= self.now,
                _ => false,
            };
            if !due {
                return;
            }
            self.handle(Input::Wake);
        }
    }

    fn stamp(&mut self) -> Time {
        self.stamp = self.stamp.max(self.now);
        self.stamp
    }

    /// Tells watchers, if there are any, of something that happened at `node`.
    pub(super) fn tell(&mut self, node: NodeId, kind: Kind) {
        self.tell_of(None, node, kind);
    }

    /// The same, of something that a command brought about.
    pub(super) fn tell_of(
        &mut self,
        command: Option<super::control::CommandId>,
        node: NodeId,
        kind: Kind,
    ) {
        if self.watch.is_some_and(|watch| watch.wants(&kind)) {
            let at = self.stamp();
            self.watchers.tell(Stamped { command, event: Event { at, node, kind } });
        }
    }

    fn report(&mut self) {
        if self.watch.is_none() {
            return;
        }
        let introduction = self.watchers.strangers().then(|| self.introduce());
        let upto = self.stamp();
        // What happens from now on is later than what has been told.
        self.stamp = upto + Span(1);
        self.watchers.flush(introduction.as_deref(), upto);
        self.told = self.now;
        self.watch = self.watchers.level();
    }

    /// All that a newcomer must know. What the node itself states goes to everybody, behind its
    /// writes, as always.
    fn introduce(&mut self) -> Vec<Stamped> {
        let at = self.stamp();
        let event = self.presence().map(|kind| Event { at, node: self.me, kind });
        if matches!(self.state, State::Up | State::Paused(_)) {
            self.handle(Input::Restate);
        }
        event.into_iter().map(|event| Stamped { command: None, event }).collect()
    }

    /// That the node is there, and what is wrong with it; none if there is nothing to say yet.
    fn presence(&self) -> Option<Kind> {
        let state = match &self.state {
            State::Up => Presence::Up,
            State::Paused(_) => Presence::Paused,
            State::Down | State::Booting => Presence::Down,
        };
        let (boot, faults) = (self.boot, self.faults());
        let known = boot > 0 || !faults.is_empty();
        known.then(|| Kind::Present { boot, state, faults: faults.into() })
    }

    /// Carries out a command, or says why not and changes nothing.
    fn command(&mut self, id: super::control::CommandId, command: &Command) -> Result<(), String> {
        // It may have come over a wire, from whoever calls itself a console.
        command.check().map_err(|why| why.to_string())?;
        self.check(command)?;
        self.tell_of(Some(id), NodeId::BENCH, Kind::Commanded(Box::new(command.clone())));
        self.apply(command);
        Ok(())
    }
}

pub(super) fn client_bit(id: NodeId) -> u64 {
    u64::from(id.is_client())
}
