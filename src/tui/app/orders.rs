//! What keys and lines do to the cluster.
//!
//! A word such as `leader` is resolved against what the screen shows, then the command is given, or
//! refused with the reason. What harms a cluster elsewhere is asked about first: others use it too,
//! and nothing there can be undone.

use super::App;
use super::first_bad::EXCERPT;
use crate::base::{NodeId, Op};
use crate::command::{Command, Link, Target as Whom, Unsynced};
use crate::event::{Event, Kind};
use crate::tui::faults::Lasting;
use crate::tui::panes;
use crate::tui::select::Target;
use crate::tui::source::{OBSERVER, RECORDED, Source};
use crate::view::network::State;
use crate::view::nodes::{Life, Node};

/// How many events before the selected one are searched for the one that sent its message.
const SEARCH: usize = 100_000;

/// What there is to say of a cluster from which nothing will come any more.
const OVER: &str =
    "the cluster has ended; what was seen of it is still here to look at, and q quits";

impl App {
    /// Resolves a command and sends it, in a branch of its own if the screen shows the past.
    pub(super) fn order(&mut self, command: &Command) {
        self.undone.clear();
        if let Some(why) = self.refuses(command) {
            return self.say(why);
        }
        match command {
            Command::Run { until: None } => self.playing = true,
            Command::Stop => self.stop(),
            _ if command.steers_time() => {
                self.stop();
                self.outbox.push(command.clone());
            }
            _ => self.put(std::slice::from_ref(command), Lasting::Healed),
        }
    }

    /// Resolves commands and sends them together. Those that harm last as long as is said.
    pub(super) fn order_all(&mut self, commands: &[Command], lasting: Lasting) {
        self.undone.clear();
        self.put(commands, lasting);
    }

    fn put(&mut self, commands: &[Command], lasting: Lasting) {
        if let Some(why) = commands.iter().find_map(|command| self.refuses(command)) {
            return self.say(why);
        }
        if let Err(why) = commands.iter().try_for_each(|command| self.catch_up(command)) {
            return self.say(why);
        }
        let board = self.timeline.board();
        let resolved = commands.iter().map(|command| board.resolve(command));
        let commands = match resolved.collect::<Result<Vec<Command>, String>>() {
            Ok(commands) => commands,
            Err(why) => return self.say(why),
        };
        let remote = self.title.source.is_remote();
        // Of a cluster elsewhere one may know less than it does itself.
        let futile = commands.first().filter(|_| !remote).and_then(|first| board.futile(first));
        if let Some(why) = futile {
            return self.say(why);
        }
        match remote && commands.iter().any(Command::harms) {
            true => self.ask(commands, lasting),
            false => self.give(commands, lasting),
        }
    }

    /// Gives commands that name whom they hit, in one breath: they are undone together.
    pub(super) fn give(&mut self, commands: Vec<Command>, lasting: Lasting) {
        if let Some(why) = commands.iter().find_map(|command| self.refuses(command)) {
            return self.say(why);
        }
        self.be_here();
        let ends = lasting.later(&commands).last().map(|(after, _)| *after);
        let until = ends.map(|after| format!(" (ends after {after})")).unwrap_or_default();
        self.say(format!("{}{until}", told(&commands)));
        self.ends = ends.map(|_| (commands.clone(), lasting));
        self.joined = commands.iter().skip(1).cloned().collect();
        self.outbox.extend(commands);
    }

    /// What there is to say where nothing comes any more.
    pub(super) fn why_over(&self) -> &'static str {
        match self.title.source {
            Source::Recorded { .. } => RECORDED,
            _ => OVER,
        }
    }

    /// Why a command cannot be given now, if it cannot.
    pub(super) fn refuses(&self, command: &Command) -> Option<String> {
        let source = &self.title.source;
        if self.timeline.excerpt().is_some() && !command.steers_time() {
            return Some(EXCERPT.to_owned());
        }
        if self.opening.is_some() {
            return Some("the run is being opened; wait until it is there".to_owned());
        }
        if self.over {
            return Some(self.why_over().to_owned());
        }
        if let Some(why) = source.refuses(command) {
            return Some(why.to_owned());
        }
        if !source.obeys() {
            return Some(OBSERVER.to_owned());
        }
        let past = source.is_live() && !self.timeline.is_live();
        past.then(|| {
            let ago = self.behind();
            format!("this is how it was {ago:.1} s ago; Space returns to now, then give it again")
        })
    }

    /// Why a command would come to nothing now, as far as one can see from here.
    pub(super) fn hinders(&self, command: &Command) -> Option<String> {
        let board = self.timeline.board();
        self.refuses(command).or_else(|| match board.resolve(command) {
            Ok(command) if !self.title.source.is_remote() => board.futile(&command),
            Ok(_) => None,
            Err(why) => Some(why),
        })
    }

    pub(super) fn undo(&mut self) {
        if self.timeline.excerpt().is_some() {
            return self.say(EXCERPT);
        }
        let Some((index, commands)) = self.timeline.last_commands() else {
            return self.say("nothing to undo");
        };
        let commands: Vec<Command> = commands.into_iter().cloned().collect();
        self.say(format!("undone: {}", told(&commands)));
        self.undone.push(commands);
        self.fork_at(index);
    }

    pub(super) fn redo(&mut self) {
        let Some(commands) = self.undone.pop() else { return self.say("nothing to redo") };
        self.give(commands, Lasting::Healed);
    }

    pub(super) fn target(&self) -> Target {
        let pane = self.focus.pane();
        panes::pane(self.focused()).target(&self.scene(pane))
    }

    fn target_node(&self) -> NodeId {
        match self.target() {
            Target::Node(node) | Target::Link(node, _) => node,
            Target::Txn(txn) => txn.coordinator,
            _ => self.select.node,
        }
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.timeline.board().node(id)
    }

    fn is_down(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.life.is_down())
    }

    pub(super) fn break_or_restore(&mut self) {
        let target = self.target();
        match self.breaks(&target) {
            Ok(command) => self.order(&command),
            Err(why) => self.say(why),
        }
    }

    /// Goes to where a message is under way, if where one looks it is not any more, or not yet:
    /// right behind the event that sent it. What is done to it begins a branch there.
    fn catch_up(&mut self, command: &Command) -> Result<(), String> {
        use Command::{Deliver, Drop, Postpone, Twice};
        let (Deliver(msg) | Drop(msg) | Twice(msg) | Postpone { msg, .. }) = command else {
            return Ok(());
        };
        if self.timeline.board().network.flight(*msg).is_some() {
            return Ok(());
        }
        if self.is_live() {
            return Err(format!("{msg} is not under way any more"));
        }
        let near = self.select.event.unwrap_or(self.timeline.position());
        let events = self.timeline.events();
        let sent = |(_, event): &(usize, &Event)| match &event.kind {
            Kind::Sent { msg: sent, .. } => sent == msg,
            _ => false,
        };
        let mut earlier = events.range(near.saturating_sub(SEARCH)..near + 1).rev();
        let found = earlier.find(sent).map(|(index, _)| index);
        drop(earlier);
        match found {
            Some(index) => {
                self.look(|timeline| timeline.seek(index + 1));
                Ok(())
            }
            None => Err(format!("where {msg} was sent is not among the events around here")),
        }
    }

    /// The command that breaks what is whole, or restores what is broken.
    fn breaks(&self, target: &Target) -> Result<Command, String> {
        let board = self.timeline.board();
        Ok(match target {
            Target::Node(id) => self.kill_or_start(*id),
            Target::Txn(txn) => self.kill_or_start(txn.coordinator),
            Target::Message(msg) => Command::Drop(*msg),
            Target::Link(from, to) if from == to => return Err("no link is selected".to_owned()),
            Target::Link(from, to) => {
                let link = Link::Between(Whom::just(*from), Whom::just(*to));
                let cut = |a, b| board.network.state(a, b) == State::Cut;
                match cut(*from, *to) || cut(*to, *from) {
                    true => Command::Heal(link),
                    false => Command::Cut(link),
                }
            }
            Target::Lock(lock) => {
                let holder = board.locks.get(lock).and_then(|lock| lock.holder());
                let holder = holder.ok_or_else(|| format!("nobody holds {lock}"))?;
                let op = Op::Release { lock: lock.clone(), token: holder.token };
                Command::Ask { who: holder.call.client, op }
            }
            Target::Nothing => return Err("nothing is selected here".to_owned()),
        })
    }

    fn kill_or_start(&self, id: NodeId) -> Command {
        match self.is_down(id) {
            true => Command::Restart(Whom::just(id)),
            false => Command::Kill { who: Whom::just(id), unsynced: Unsynced::Chance },
        }
    }

    pub(super) fn pause_or_resume(&mut self) {
        let id = self.target_node();
        match self.node(id).map(|node| &node.life) {
            Some(Life::Paused) => self.order(&Command::Resume(Whom::just(id))),
            Some(life) if life.is_up() => self.order(&Command::Pause(Whom::just(id))),
            _ => self.say(format!("p: {id} is down; x starts it")),
        }
    }

    pub(super) fn isolate_or_reconnect(&mut self) {
        let id = self.target_node();
        let board = self.timeline.board();
        let cut = |other: NodeId| board.network.state(id, other) == State::Cut;
        let others = board.nodes.ids().iter().filter(|other| **other != id);
        let command = match others.copied().all(cut) {
            true => Command::Heal(Link::Of(Whom::just(id))),
            false => Command::Isolate(Whom::just(id)),
        };
        self.order(&command);
    }

    /// Does at once what is due later: the message arrives, the node's timer runs out.
    pub(super) fn fire(&mut self) {
        let command = match self.target() {
            Target::Message(msg) => Command::Deliver(msg),
            _ => {
                let id = self.target_node();
                let timer = self.node(id).and_then(Node::acts_by);
                Command::Fire { who: Whom::just(id), timer, after: None }
            }
        };
        self.order(&command);
    }

    /// Has a node that is up ask for the change, so that it works for one that is down, too.
    pub(super) fn join_or_leave(&mut self) {
        let (node, board) = (self.target_node(), self.timeline.board());
        let Some(epoch) = board.ring.latest() else { return self.say("no ring runs here") };
        if node.is_client() {
            return self.say(format!("a: {node} is a client, and no part of the ring"));
        }
        let op = match epoch.has(node) {
            true => Op::Leave { node },
            false => Op::Join { node, weight: 1 },
        };
        let up = board.nodes.servers().find(|other| other.life.is_up());
        let who = up.map_or(node, |other| other.id);
        self.order(&Command::Ask { who, op });
    }

    /// Ends every fault.
    pub(super) fn heal(&mut self) {
        let faults = self.timeline.board().faults.active();
        let mut cures: Vec<Command> = faults.iter().flat_map(|fault| fault.cures()).collect();
        cures.sort();
        cures.dedup();
        if cures.is_empty() {
            return self.say("nothing to heal");
        }
        self.undone.clear();
        self.give(cures, Lasting::Healed);
    }
}

/// Commands in one line.
fn told(commands: &[Command]) -> String {
    match commands {
        [one] => one.brief(),
        [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
        [] => String::new(),
    }
}
