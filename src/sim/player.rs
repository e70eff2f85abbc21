//! The simulator behind the seam: commands in, updates out.
//!
//! A player holds the branches of a run and goes on along one of them. It works in slices, so that
//! a command is never kept waiting, and it sends events in batches through a bounded channel, so
//! that it never runs away from a slow reader. It reads no clock: whoever wants a cluster to keep
//! pace with a person sends `run until` a little at a time.

use super::history::History;
use crate::base::Time;
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use crate::event::{Event, Watch};
use crate::plan::Plan;
use std::collections::BTreeMap;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TryRecvError};

/// How many steps are taken between two looks at the commands.
const SLICE: u32 = 256;
/// How many branches are kept at the most, the one that goes on included.
const MAX_BRANCHES: usize = 32;

/// A run that is steered by commands.
#[derive(Debug)]
pub struct Player {
    plan: Plan,
    watch: Watch,
    /// The branch that goes on, and its number.
    history: History,
    current: u32,
    /// All others, by their numbers.
    others: BTreeMap<u32, History>,
    /// How many branches were begun.
    forks: u32,
    goal: Option<Time>,
    events: Vec<Event>,
}

impl Player {
    /// Starts the cluster of `plan` and stands still.
    pub fn new(plan: &Plan, seed: u64, watch: Watch) -> Player {
        let mut events = Vec::new();
        let history = History::new(plan, seed, watch, &mut events);
        let (others, plan) = (BTreeMap::new(), plan.clone());
        Player { plan, watch, history, current: 0, others, forks: 0, goal: None, events }
    }

    /// The current branch.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Carries out one command, or begins to; tells `send` what comes of it.
    pub fn command(&mut self, command: Command, send: &mut impl FnMut(Update)) {
        match command {
            Command::Run { until } => self.goal = Some(until.unwrap_or(Time::NEVER)),
            Command::Stop => self.halt(send),
            Command::Step(count) => {
                for _ in 0..count.min(1_000_000) {
                    self.history.step(&mut self.events);
                }
                self.halt(send);
            }
            Command::Fork { event } => {
                self.fork(self.history.fork(event), send);
                self.halt(send);
            }
            Command::Seed(seed) => {
                self.start(seed, send);
                self.halt(send);
            }
            Command::Branch(id) => match self.switch(id, send) {
                true => self.halt(send),
                false => {
                    let why = format!("there is no branch {id}, or it is no longer kept");
                    send(Update::Refused { command, why });
                }
            },
            _ => match self.history.apply(&command, &mut self.events) {
                Ok(step) => {
                    self.flush(send);
                    send(Update::Obeyed { step });
                }
                Err(why) => send(Update::Refused { command, why }),
            },
        }
    }

    /// Goes on along a new branch.
    fn begin(&mut self, branch: History) {
        if self.others.len() + 1 >= MAX_BRANCHES {
            // The oldest that is neither the first one nor the one that goes on.
            let oldest = self.others.keys().find(|id| **id != 0).copied();
            self.others.remove(&oldest.unwrap_or_default());
        }
        let left = std::mem::replace(&mut self.history, branch);
        self.others.insert(self.current, left);
        self.forks += 1;
        self.current = self.forks;
    }

    fn fork(&mut self, branch: History, send: &mut impl FnMut(Update)) {
        self.flush(send);
        let (keep, now) = (branch.world().events(), branch.world().now());
        self.begin(branch);
        send(Update::Forked { keep, now });
    }

    /// Goes on along a branch that has this many events in common with another one.
    pub(super) fn part(&mut self, parent: u32, events: u64, send: &mut impl FnMut(Update)) {
        self.switch(parent, send);
        self.fork(self.history.part(events), send);
    }

    /// Goes on along a branch that starts anew.
    pub(super) fn start(&mut self, seed: u64, send: &mut impl FnMut(Update)) {
        self.flush(send);
        let branch = History::new(&self.plan, seed, self.watch, &mut self.events);
        self.begin(branch);
        send(Update::Begun { seed });
    }

    /// Goes on along a branch that was left, if it is kept.
    fn switch(&mut self, id: u32, send: &mut impl FnMut(Update)) -> bool {
        if id != self.current {
            let Some(branch) = self.others.remove(&id) else { return false };
            self.flush(send);
            let left = std::mem::replace(&mut self.history, branch);
            self.others.insert(self.current, left);
            self.current = id;
        }
        send(Update::Switched { branch: id, now: self.history.world().now() });
        true
    }

    /// Takes a step. False if nothing will ever happen again.
    pub(super) fn step(&mut self) -> bool {
        self.history.step(&mut self.events)
    }

    pub(super) fn wait(&mut self, time: Time) {
        self.history.wait(time);
    }

    /// Whether it has anything to do.
    pub fn busy(&self) -> bool {
        self.goal.is_some()
    }

    /// Goes on for a slice, if it is to go on.
    pub fn slice(&mut self, send: &mut impl FnMut(Update)) {
        let Some(goal) = self.goal else { return };
        for _ in 0..SLICE {
            if self.history.world().next() > goal {
                self.history.wait(goal);
                return self.halt(send);
            }
            if !self.history.step(&mut self.events) {
                return self.halt(send);
            }
        }
        self.flush(send);
    }

    fn halt(&mut self, send: &mut impl FnMut(Update)) {
        self.goal = None;
        self.flush(send);
        send(Update::Reached { now: self.history.world().now(), busy: false });
    }

    pub(super) fn flush(&mut self, send: &mut impl FnMut(Update)) {
        if !self.events.is_empty() {
            send(Update::Events(std::mem::take(&mut self.events)));
        }
    }

    /// Serves commands until nobody is left to give any. Blocks; run it on a thread of its own.
    pub fn serve(mut self, mut commands: Receiver<Command>, updates: &Sender<Update>) {
        let mut gone = false;
        let mut send = |update| gone |= updates.blocking_send(update).is_err();
        self.halt(&mut send);
        loop {
            let command = match self.busy() {
                true => commands.try_recv(),
                false => commands.blocking_recv().ok_or(TryRecvError::Disconnected),
            };
            match command {
                Ok(command) => self.command(command, &mut send),
                Err(TryRecvError::Empty) => self.slice(&mut send),
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

/// A cluster seam whose other end is a [`Player`], and that end: give it to [`Player::serve`].
pub fn seam() -> (Cluster, Receiver<Command>, Sender<Update>) {
    let (commands, commands_out) = channel(64);
    let (updates_in, updates) = channel(64);
    (Cluster { commands, updates }, commands_out, updates_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Services;

    fn player() -> Player {
        let services = Services { ping: Some(1), ..Services::default() };
        Player::new(&Plan { services, ..Plan::bare(3) }, 7, Watch::Messages)
    }

    /// Gives commands, lets each come to its end, and returns what came out.
    fn play(player: &mut Player, commands: &[&str]) -> Vec<Update> {
        let mut updates = Vec::new();
        let mut send = |update| updates.push(update);
        for text in commands {
            player.command(text.parse().expect("a command"), &mut send);
            while player.busy() {
                player.slice(&mut send);
            }
        }
        updates
    }

    fn events(updates: &[Update]) -> usize {
        let count = |update: &Update| match update {
            Update::Events(events) => events.len(),
            _ => 0,
        };
        updates.iter().map(count).sum()
    }

    #[test]
    fn a_command_takes_effect_at_the_very_time_that_the_run_has_reached() {
        let updates = play(&mut player(), &["run until 1s", "kill n2", "run until 1.5s"]);
        let killed = updates.iter().find_map(|update| match update {
            Update::Events(events) => events.iter().find(|event| event.command().is_some()),
            _ => None,
        });
        assert_eq!(killed.map(|event| event.at), Some(Time(1_000_000)));
        let Some(Update::Reached { now, busy: false }) = updates.last() else {
            panic!("{updates:?}")
        };
        assert_eq!(*now, Time(1_500_000));
    }

    #[test]
    fn a_fork_says_how_much_is_kept_and_goes_on_from_there() {
        let mut player = player();
        let before = events(&play(&mut player, &["run until 1s"]));
        let updates = play(&mut player, &["fork 100"]);
        let Update::Forked { keep, .. } = updates[0] else { panic!("{updates:?}") };
        assert!((100..110).contains(&keep), "{keep} of {before}");
        let after = events(&play(&mut player, &["run until 1s"]));
        assert_eq!(keep as usize + after, before, "without new commands it repeats the run");
    }

    #[test]
    fn what_the_cluster_refuses_comes_back_with_the_reason() {
        let updates = play(&mut player(), &["restart n1"]);
        let refused =
            |update: &Update| matches!(update, Update::Refused { why, .. } if why == "n1 is up");
        assert!(updates.iter().any(refused), "{updates:?}");
    }
}
