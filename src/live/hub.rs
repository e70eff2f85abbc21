//! Many agents, one seam: the reports of all agents as one list of events, and each command to
//! those that it concerns.
//!
//! **Order.** Each agent reports in the order of its stamps, and says up to which stamp it has
//! reported. What is older than what all agents have reported can be sorted and shown: nothing can
//! come before it any more. An agent that is silent for [`PATIENCE`] is not waited for, and one
//! whose connection is lost neither: what it has done since its last report may be unknown for
//! ever, so it is said to be out of sight ([`Kind::Missed`]) before anything later is shown. When
//! it has caught up it is asked how things stand.
//!
//! **Time** passes by itself. `run until` lets events through up to a time and holds the others
//! back, so a script can wait for a time as it does in the simulator; going back is refused.

use super::control::{CommandId, Inbox, Report, Request, Stamped};
use super::faults::audience;
use crate::base::{NodeId, Span, Time};
use crate::cluster::{LinkState, Update};
use crate::command::Command;
use crate::event::{Event, Kind, Watch};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How long a silent agent is waited for.
pub const PATIENCE: Span = Span::millis(250);
/// How long an agent may take to answer a command.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often those who watch are told what time it is.
const TICK: Duration = Duration::from_millis(33);
/// How many events may wait to be shown.
const MOST_QUEUED: usize = 1_000_000;
/// How many commands are remembered, to show each only once.
const REMEMBERED: usize = 4_096;

/// What comes from one agent.
#[derive(Clone, Debug)]
pub enum News {
    /// A report.
    Report(Report),
    /// The connection to it came or went.
    Link(LinkState),
}

/// One agent, as the hub sees it.
#[derive(Debug)]
pub struct Feed {
    /// Which process it is.
    pub process: NodeId,
    /// Where requests to it go.
    pub requests: Sender<Request>,
    /// What comes from it.
    pub news: Receiver<News>,
}

/// A feed from an agent in this process, which is watched from now on. `inbox` is the agent's.
pub fn feed(process: NodeId, console: u64, level: Watch, inbox: Sender<Inbox>) -> Feed {
    let (reports, mut reported) = channel(1_024);
    let (requests, mut asked) = channel(256);
    let (told, news) = channel(8);
    // An inbox that is full of other things has an agent that will not miss two more.
    let _ = told.try_send(News::Link(LinkState::Up));
    let _ = inbox.try_send(Inbox::Attached { console, reports });
    let _ = inbox.try_send(Inbox::Asked { console, request: Request::Watch(level) });
    tokio::spawn(async move {
        loop {
            tokio::select! {
                request = asked.recv() => match request {
                    Some(request) => drop(inbox.send(Inbox::Asked { console, request }).await),
                    None => return,
                },
                report = reported.recv() => match report {
                    Some(report) => drop(told.send(News::Report(report)).await),
                    None => return,
                },
            }
        }
    });
    Feed { process, requests, news }
}

/// An agent, and what has come from it.
#[derive(Debug)]
struct Source {
    feed: Feed,
    /// Everything up to here has come.
    upto: Time,
    /// Whether it is connected.
    up: bool,
    /// Since when, if it has not reported yet.
    fresh: Option<Instant>,
    /// Whether it was said to be out of sight, and has not been asked since how things stand.
    lost: bool,
    /// Whether its channel is closed for good.
    over: bool,
}

/// Up to when events are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Halt,
    Until(Time),
    Never,
}

/// A command that waits for answers.
#[derive(Debug)]
struct Pending {
    command: Command,
    since: Instant,
    waits: BTreeSet<NodeId>,
    whys: Vec<String>,
}

/// The hub.
#[derive(Debug)]
pub struct Hub {
    sources: Vec<Source>,
    all: Arc<[NodeId]>,
    /// How much is asked for.
    level: Watch,
    commands: Receiver<Command>,
    updates: Sender<Update>,
    /// By stamp, then in the order of coming.
    queue: BTreeMap<(Time, u64), Stamped>,
    came: u64,
    shown: Time,
    goal: Goal,
    /// Whether somebody waits for a `Reached` as soon as all commands are answered.
    halting: bool,
    console: u64,
    number: u32,
    pending: BTreeMap<u32, Pending>,
    known: BTreeSet<CommandId>,
    known_in_order: VecDeque<CommandId>,
    missed: u64,
    gone: bool,
}

impl Hub {
    /// A hub for the agents of `feeds`, which report at this level already. `console` names it: a
    /// random number.
    pub fn new(
        feeds: Vec<Feed>,
        level: Watch,
        console: u64,
        commands: Receiver<Command>,
        updates: Sender<Update>,
    ) -> Hub {
        let all = feeds.iter().map(|feed| feed.process).collect();
        let source = |feed| Source {
            feed,
            upto: Time::ZERO,
            up: false,
            fresh: None,
            lost: false,
            over: false,
        };
        Hub {
            sources: feeds.into_iter().map(source).collect(),
            all,
            level,
            commands,
            updates,
            queue: BTreeMap::new(),
            came: 0,
            shown: Time::ZERO,
            goal: Goal::Halt,
            halting: false,
            console,
            number: 0,
            pending: BTreeMap::new(),
            known: BTreeSet::new(),
            known_in_order: VecDeque::new(),
            missed: 0,
            gone: false,
        }
    }

    /// Serves until nobody is left to give commands, or nothing can come any more.
    pub async fn serve(mut self) {
        // Who is there already can be asked from the start.
        for index in 0..self.sources.len() {
            while let Ok(news) = self.sources[index].feed.news.try_recv() {
                self.news(index, Some(news)).await;
            }
        }
        self.tell(Update::Reached { now: Time::ZERO, busy: false }).await;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !self.gone && self.sources.iter().any(|source| !source.over) {
            let mut ticked = false;
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => return,
                },
                (index, news) = next_news(&mut self.sources, self.came) => {
                    self.news(index, news).await;
                }
                _ = tick.tick() => {
                    self.expire().await;
                    ticked = true;
                }
            }
            self.show(ticked).await;
        }
    }

    async fn tell(&mut self, update: Update) {
        self.gone |= self.updates.send(update).await.is_err();
    }

    async fn refuse(&mut self, command: Command, why: impl Into<String>) {
        self.tell(Update::Refused { command, why: why.into() }).await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Run { until } => self.goal = until.map_or(Goal::Never, Goal::Until),
            Command::Stop => {
                self.goal = Goal::Halt;
                self.halting = true;
                self.halt().await;
            }
            Command::Step(_) | Command::Fork { .. } | Command::Branch(_) | Command::Seed(_) => {
                let why = "the cluster is live: its time cannot be stopped or turned back";
                self.refuse(command, why).await;
            }
            _ => self.give(command).await,
        }
    }

    /// Has a command carried out by those whom it concerns.
    async fn give(&mut self, command: Command) {
        let whom = match audience(&command, &self.all) {
            Ok(whom) => whom,
            Err(why) => return self.refuse(command, why).await,
        };
        self.number += 1;
        let id = CommandId { console: self.console, number: self.number };
        let mut pending = Pending {
            command: command.clone(),
            since: Instant::now(),
            waits: BTreeSet::new(),
            whys: Vec::new(),
        };
        for source in self.sources.iter().filter(|source| whom.contains(&source.feed.process)) {
            let process = source.feed.process;
            let request = Request::Command { id, command: command.clone() };
            match source.up && source.feed.requests.try_send(request).is_ok() {
                true => drop(pending.waits.insert(process)),
                false => pending.whys.push(format!("{process} cannot be reached")),
            }
        }
        self.pending.insert(self.number, pending);
        self.settle(self.number).await;
    }

    /// Says what became of a command, if everybody has answered.
    async fn settle(&mut self, number: u32) {
        if self.pending.get(&number).is_none_or(|pending| !pending.waits.is_empty()) {
            return;
        }
        if let Some(Pending { command, whys, .. }) = self.pending.remove(&number)
            && !whys.is_empty()
        {
            self.refuse(command, whys.join("; ")).await;
        }
        self.halt().await;
    }

    /// Says that time stands still, once all commands that were given before are answered.
    async fn halt(&mut self) {
        if self.halting && self.pending.is_empty() {
            self.halting = false;
            self.tell(Update::Reached { now: self.shown, busy: false }).await;
        }
    }

    /// Gives up on answers that do not come.
    async fn expire(&mut self) {
        let late = |pending: &Pending| pending.since.elapsed() > ANSWER_WITHIN;
        let numbers: Vec<u32> =
            self.pending.iter().filter(|(_, p)| late(p)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(pending) = self.pending.get_mut(&number) {
                let silent = std::mem::take(&mut pending.waits);
                pending.whys.extend(silent.iter().map(|id| format!("{id} does not answer")));
            }
            self.settle(number).await;
        }
    }

    async fn news(&mut self, index: usize, news: Option<News>) {
        let process = self.sources[index].feed.process;
        match news {
            Some(News::Report(report)) => self.report(index, report).await,
            Some(News::Link(state)) => {
                let source = &mut self.sources[index];
                let was_up = std::mem::replace(&mut source.up, state == LinkState::Up);
                match state {
                    // Who connects asks how things stand.
                    LinkState::Up => (source.lost, source.fresh) = (false, Some(Instant::now())),
                    LinkState::Down(_) if was_up => self.lose(index),
                    LinkState::Down(_) => {}
                }
                self.tell(Update::Link { process, state }).await;
            }
            None => {
                self.sources[index].over = true;
                if std::mem::take(&mut self.sources[index].up) {
                    self.lose(index);
                }
            }
        }
        if !self.sources[index].up {
            self.unanswered(process).await;
        }
    }

    /// Says that a process is out of sight since its last report.
    fn lose(&mut self, index: usize) {
        self.lose_at(index, self.sources[index].upto);
    }

    fn lose_at(&mut self, index: usize, at: Time) {
        let source = &mut self.sources[index];
        let node = source.feed.process;
        if !std::mem::replace(&mut source.lost, true) {
            self.miss(at, node, 0);
        }
    }

    /// Says that events of a process were missed.
    fn miss(&mut self, at: Time, node: NodeId, count: u64) {
        let event = Event { at, node, kind: Kind::Missed { count } };
        self.put(Stamped { command: None, event });
    }

    /// Whoever is gone will not answer.
    async fn unanswered(&mut self, process: NodeId) {
        let numbers: Vec<u32> = self.pending.keys().copied().collect();
        for number in numbers {
            if let Some(pending) = self.pending.get_mut(&number)
                && pending.waits.remove(&process)
            {
                pending.whys.push(format!("{process} went away before it answered"));
                self.settle(number).await;
            }
        }
    }

    async fn report(&mut self, index: usize, report: Report) {
        match report {
            Report::Events { events, upto } => {
                let source = &mut self.sources[index];
                source.upto = source.upto.max(upto);
                source.fresh = None;
                self.ask(index);
                for stamped in events.iter() {
                    self.queue_up(index, stamped.clone());
                }
            }
            Report::Missed { count } => {
                self.missed += count;
                let Source { feed, upto, .. } = &self.sources[index];
                self.miss(*upto, feed.process, count);
            }
            Report::Answer { id, result } => {
                if id.console == self.console
                    && let Some(pending) = self.pending.get_mut(&id.number)
                    && pending.waits.remove(&self.sources[index].feed.process)
                {
                    pending.whys.extend(result.err());
                    self.settle(id.number).await;
                }
            }
            Report::Restated => {}
        }
    }

    /// Asks a process that was out of sight how things stand, once it keeps up again: to answer
    /// costs it time.
    fn ask(&mut self, index: usize) {
        let keeps_up = self.latest().since(self.sources[index].upto) <= PATIENCE;
        let source = &mut self.sources[index];
        if keeps_up && self.queue.len() < MOST_QUEUED && std::mem::take(&mut source.lost) {
            let _ = source.feed.requests.try_send(Request::Watch(self.level));
        }
    }

    fn queue_up(&mut self, index: usize, stamped: Stamped) {
        if self.queue.len() >= MOST_QUEUED {
            self.missed += 1;
            return self.lose_at(index, stamped.event.at);
        }
        if let Some(id) = stamped.command
            && !self.remember(id)
        {
            return;
        }
        self.put(stamped);
    }

    fn put(&mut self, stamped: Stamped) {
        self.came += 1;
        self.queue.insert((stamped.event.at, self.came), stamped);
    }

    /// Whether this command is new: each of the agents that carry it out reports it.
    fn remember(&mut self, id: CommandId) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.known_in_order.push_back(id);
        if self.known_in_order.len() > REMEMBERED
            && let Some(oldest) = self.known_in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Up to when anybody has reported.
    fn latest(&self) -> Time {
        let connected = self.sources.iter().filter(|source| source.up).map(|s| s.upto);
        connected.max().unwrap_or(self.shown)
    }

    /// Up to when everything has come, as far as it is worth waiting for.
    fn complete(&mut self) -> Time {
        let latest = self.latest();
        let mut complete = latest;
        for index in 0..self.sources.len() {
            match &self.sources[index] {
                Source { up: false, .. } => {}
                Source { fresh: Some(since), .. }
                    if since.elapsed() <= Duration::from_micros(PATIENCE.0) =>
                {
                    complete = complete.min(self.shown);
                }
                source if latest.since(source.upto) > PATIENCE => self.lose(index),
                source => complete = complete.min(source.upto),
            }
        }
        complete
    }

    /// Shows what can be shown.
    async fn show(&mut self, ticked: bool) {
        if self.missed > 0 {
            let count = std::mem::take(&mut self.missed);
            self.tell(Update::Missed { count }).await;
        }
        let complete = self.complete();
        let limit = match self.goal {
            Goal::Halt => return,
            Goal::Until(time) => complete.min(time),
            Goal::Never => complete,
        };
        let events = self.pop_until(limit);
        if !events.is_empty() {
            self.tell(Update::Events(events)).await;
        }
        self.shown = self.shown.max(limit);
        match self.goal {
            Goal::Until(time) if complete >= time => {
                (self.goal, self.halting) = (Goal::Halt, true);
                self.halt().await;
            }
            _ if ticked => self.tell(Update::Reached { now: self.shown, busy: true }).await,
            _ => {}
        }
    }

    fn pop_until(&mut self, limit: Time) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= limit
        {
            let Stamped { mut event, .. } = entry.remove();
            self.shown = self.shown.max(event.at);
            event.at = self.shown;
            events.push(event);
        }
        events
    }
}

/// The next thing that comes from any source that is not over. `turn` says whom to ask first, so
/// that nobody is always last.
async fn next_news(sources: &mut [Source], turn: u64) -> (usize, Option<News>) {
    let count = sources.len();
    let first = usize::try_from(turn % count.max(1) as u64).unwrap_or_default();
    poll_fn(|cx| {
        for index in (first..count).chain(0..first) {
            let source = &mut sources[index];
            if source.over {
                continue;
            }
            if let Poll::Ready(news) = source.feed.news.poll_recv(cx) {
                return Poll::Ready((index, news));
            }
        }
        Poll::Pending
    })
    .await
}
