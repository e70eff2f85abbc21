//! What each command does to one agent: its part of it, as `sim::apply` does the whole.

use super::agent::{Agent, State, Waiting};
use super::control::Link;
use super::disk::Request as Errand;
use crate::base::{MsgId, NodeId, Span};
use crate::command::{ClockFault, Command, DiskFault, Target, Unsynced, in_force};
use crate::event::{Kind, Loss};
use crate::host::Input;
use std::collections::VecDeque;

/// Why a command could not be carried out, in words for a person.
type Refused<T = ()> = Result<T, String>;

impl<L: Link> Agent<L> {
    /// Whether the command makes sense here and now.
    pub(super) fn check(&self, command: &Command) -> Refused {
        match command {
            Command::Kill { who, .. } => self.must(who, "down", !self.is_down()),
            Command::Restart(who) => self.must(who, "up", self.is_down()),
            Command::Pause(who) => self.must(who, "not running", self.is_up()),
            Command::Resume(who) => {
                self.must(who, "not paused", matches!(self.state, State::Paused(_)))
            }
            Command::Disk { who, fault: DiskFault::Lose } => {
                self.must(who, "down", !self.is_down())
            }
            Command::Clock { who, .. } | Command::Disk { who, .. } => self.must(who, "here", true),
            Command::Ask { who, .. } => self.must(&Target::just(*who), "not running", self.is_up()),
            Command::Fire { who, timer, .. } => {
                self.must(who, "not running", self.is_up())?;
                match self.host.as_ref().and_then(|host| host.cannot_fire(timer.as_ref())) {
                    Some(why) => Err(format!("{}: {why}", self.me)),
                    None => Ok(()),
                }
            }
            Command::Deliver(msg)
            | Command::Drop(msg)
            | Command::Twice(msg)
            | Command::Postpone { msg, .. } => match self.waits(*msg) {
                true => Ok(()),
                false => Err(format!("message {msg} is not held or delayed any more")),
            },
            command if command.steers_time() => {
                Err(format!("'{command}' steers time; it is no command to the cluster"))
            }
            _ => Ok(()),
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    fn is_down(&self) -> bool {
        matches!(self.state, State::Down)
    }

    fn must(&self, who: &Target, trouble: &str, good: bool) -> Refused {
        match (who.nodes().contains(&self.me), good) {
            (false, _) => Err(format!("'{who}' is not {}", self.me)),
            (true, false) => Err(format!("{} is {trouble}", self.me)),
            (true, true) => Ok(()),
        }
    }

    fn waits(&self, msg: MsgId) -> bool {
        let mut waiting = self.held.iter().chain(self.delayed.values());
        waiting.any(|waiting| waiting.envelope.id == msg)
    }

    /// Carries out what [`Agent::check`] has let pass.
    pub(super) fn apply(&mut self, command: &Command) {
        match command {
            Command::Kill { unsynced, .. } => self.crash(*unsynced),
            Command::Restart(_) => self.boot(),
            Command::Pause(_) => {
                self.state = State::Paused(VecDeque::new());
                self.tell(self.me, Kind::Paused);
            }
            Command::Resume(_) => self.thaw(),
            Command::Clock { fault, .. } => self.set_clock(*fault),
            Command::Disk { fault, .. } => self.set_disk(*fault),
            Command::Ask { op, .. } => self.feed(Input::Ask { op: op.clone() }),
            Command::Fire { timer, after, .. } => {
                self.feed(Input::Fire { timer: timer.clone(), after: *after });
            }
            Command::Deliver(msg)
            | Command::Twice(msg)
            | Command::Drop(msg)
            | Command::Postpone { msg, .. } => {
                self.handle_message(command, *msg);
            }
            _ => self.change_network(command),
        }
    }

    fn thaw(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Up);
        self.tell(self.me, Kind::Resumed);
        if let State::Paused(inbox) = state {
            inbox.into_iter().for_each(|input| self.feed(input));
        }
    }

    fn set_clock(&mut self, fault: ClockFault) {
        match fault {
            ClockFault::Offset(micros) => self.clock.offset = micros,
            ClockFault::Drift(ppm) => self.clock.drift(self.now, ppm),
            ClockFault::Ok => {
                self.clock.offset = 0;
                self.clock.drift(self.now, 0);
            }
        }
    }

    fn set_disk(&mut self, fault: DiskFault) {
        match fault {
            DiskFault::Slow(by) => self.slow_disk(by),
            DiskFault::Ok => self.slow_disk(Span::ZERO),
            DiskFault::Lose => self.crash(Unsynced::Lose),
            DiskFault::Wipe => {
                if !self.is_down() {
                    self.crash(Unsynced::Lose);
                }
                self.disk.send(Errand::Wipe);
            }
        }
    }

    fn slow_disk(&mut self, by: Span) {
        self.disk_slow = by;
        self.disk.send(Errand::Slow(by));
    }

    /// Takes a message out of those that wait, and says for how long it would have waited: no
    /// longer, if it was held.
    fn take_out(&mut self, msg: MsgId) -> Option<(Span, Waiting)> {
        if let Some(index) = self.held.iter().position(|waiting| waiting.envelope.id == msg) {
            return Some((Span::ZERO, self.held.remove(index)));
        }
        let is = |(_, waiting): &(_, &Waiting)| waiting.envelope.id == msg;
        let key = self.delayed.iter().find(is).map(|(key, _)| *key)?;
        Some((key.0.since(self.now), self.delayed.remove(&key)?))
    }

    fn handle_message(&mut self, command: &Command, msg: MsgId) {
        let Some((left, waiting)) = self.take_out(msg) else { return };
        match command {
            Command::Drop(_) => {
                let lost = Kind::Lost { msg, to: waiting.to, why: Loss::Dropped };
                self.tell(self.me, lost);
            }
            Command::Twice(_) => {
                self.deliver(Span::ZERO, waiting.clone());
                self.deliver(Span::ZERO, waiting);
            }
            Command::Postpone { by, .. } => self.deliver(left + *by, waiting),
            _ => self.deliver(Span::ZERO, waiting),
        }
    }

    fn change_network(&mut self, command: &Command) {
        let mut links = command.links(&self.settings.all);
        links.retain(|(from, _)| *from == self.me);
        for (from, to) in &links {
            self.rules.change(*from, *to, |fault| command.alter(fault));
        }
        if matches!(command, Command::Heal(_) | Command::Release(_)) {
            let held = std::mem::take(&mut self.held);
            for waiting in held {
                match links.binary_search(&(self.me, waiting.to)) {
                    Ok(_) => self.deliver(Span::ZERO, waiting),
                    Err(_) => self.held.push(waiting),
                }
            }
        }
    }

    /// What is wrong here, as the commands that make it so.
    pub(super) fn faults(&self) -> Vec<Command> {
        let links = self.rules.faults().map(|(_, to, fault)| (to, fault));
        let clock = (self.clock.offset, self.clock.ppm());
        in_force(self.me, links, clock, self.disk_slow)
    }
}

/// Which agents a command concerns, in a cluster of the processes `all`: those must be asked.
///
/// # Errors
/// Says why nobody can be.
pub(super) fn audience(command: &Command, all: &[NodeId]) -> Refused<Vec<NodeId>> {
    let named = |who: &Target| match who {
        Target::Nodes(nodes) => Ok(nodes.clone()),
        word => Err(format!("'{word}' is not resolved")),
    };
    let whom = match command {
        Command::Kill { who, .. }
        | Command::Restart(who)
        | Command::Pause(who)
        | Command::Resume(who)
        | Command::Clock { who, .. }
        | Command::Disk { who, .. }
        | Command::Fire { who, .. } => named(who)?,
        Command::Ask { who, .. } => vec![*who],
        Command::Deliver(msg)
        | Command::Drop(msg)
        | Command::Twice(msg)
        | Command::Postpone { msg, .. } => {
            let nobody = || format!("message {msg} is not one of a live node");
            vec![msg.author().ok_or_else(nobody)?]
        }
        command if command.steers_time() => {
            return Err(format!("'{command}' steers time; it is no command to the cluster"));
        }
        _ => network_audience(command, all)?,
    };
    match whom.iter().find(|id| !all.contains(id)) {
        Some(stranger) => Err(format!("there is no {stranger} in this cluster")),
        None => Ok(whom),
    }
}

/// Faults act at the sender, so every process that sends over a link that is hit.
fn network_audience(command: &Command, all: &[NodeId]) -> Refused<Vec<NodeId>> {
    let links = command.links(all);
    let strange = |id: &NodeId| !all.contains(id);
    if let Some(stranger) = links.iter().flat_map(|(from, to)| [*from, *to]).find(strange) {
        return Ok(vec![stranger]);
    }
    let mut senders: Vec<NodeId> = links.into_iter().map(|(from, _)| from).collect();
    senders.dedup();
    match senders.is_empty() {
        true => Err(format!("'{command}' concerns no link")),
        false => Ok(senders),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(command: &str) -> String {
        let all: Vec<NodeId> = (1..=3).map(NodeId::node).chain([NodeId::client(1)]).collect();
        let command = command.parse().expect("a command");
        match audience(&command, &all) {
            Ok(whom) => whom.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(why) => why,
        }
    }

    #[test]
    fn a_command_goes_to_those_that_it_concerns() {
        for (command, whom) in [
            ("kill n1,n2", "n1 n2"),
            ("partition n1 -> n2", "n1"),
            ("partition n1 | n2,c1", "n1 n2 c1"),
            ("heal", "n1 n2 n3 c1"),
            ("drop #n2.17", "n2"),
            ("delay #n2.17 5ms", "n2"),
            ("c1 get x", "c1"),
            ("fire n1,n2 election", "n1 n2"),
            ("kill n9", "there is no n9 in this cluster"),
            ("partition n1 -> n9", "there is no n9 in this cluster"),
            ("drop #17", "message #17 is not one of a live node"),
            ("ring", "'ring' concerns no link"),
            ("step 3", "'step 3' steers time; it is no command to the cluster"),
            ("kill leader", "'leader' is not resolved"),
        ] {
            assert_eq!(asks(command), whom, "{command}");
        }
    }
}
