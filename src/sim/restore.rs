//! Making a run again: its branches, from seeds and commands.

use super::history::{Entry, History};
use super::player::Player;
use crate::base::Time;
use crate::cluster::Update;
use crate::event::Watch;
use crate::plan::Plan;

/// How many steps are taken between two batches of events.
const BATCH: u32 = 1_024;

/// How one branch came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tale {
    /// The branch that it came from, by its place among all, and how many events it has in common
    /// with that. None if it has a start of its own; the first one has.
    pub parent: Option<(u32, u64)>,
    /// The seed of its chance, if it has a start of its own.
    pub seed: u64,
    /// Its own commands, in order.
    pub journal: Vec<Entry>,
    /// How many events it has; none if only the time tells its end.
    pub events: Option<u64>,
    /// The time of its end.
    pub now: Time,
}

impl Player {
    /// Makes all branches of a run again, with every event, and tells `send` what happens as if it
    /// happened for the first time. A command that is refused is passed over: then this program
    /// does something else than the one that the run is from, and its events show that.
    pub fn again(plan: &Plan, tales: &[Tale], send: &mut impl FnMut(Update)) -> Player {
        let seed = tales.first().map_or(plan.seed, |main| main.seed);
        let mut player = Player::new(plan, seed, Watch::Labels);
        for (index, tale) in tales.iter().enumerate() {
            match tale.parent {
                _ if index == 0 => {}
                Some((parent, events)) => player.part(parent, events, send),
                None => player.start(tale.seed, send),
            }
            player.repeat(tale, send);
        }
        player
    }

    /// Goes through one branch again.
    fn repeat(&mut self, tale: &Tale, send: &mut impl FnMut(Update)) {
        for entry in &tale.journal {
            self.go_on(send, |history| history.world().steps() < entry.step);
            self.wait(entry.at);
            self.command(entry.command.clone(), send);
        }
        match tale.events {
            Some(events) => self.go_on(send, |history| history.world().events() < events),
            None => self.go_on(send, |history| history.world().next() <= tale.now),
        }
        self.wait(tale.now);
        self.flush(send);
    }

    /// Takes steps as long as more are wanted.
    fn go_on(&mut self, send: &mut impl FnMut(Update), wanted: impl Fn(&History) -> bool) {
        loop {
            for _ in 0..BATCH {
                if !wanted(self.history()) || !self.step() {
                    return;
                }
            }
            self.flush(send);
        }
    }
}
