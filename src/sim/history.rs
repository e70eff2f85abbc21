//! Going back: a journal of commands, and keyframes of the world.
//!
//! The world is deterministic, so a run is its plan, its seed and its commands. To be at an earlier
//! step, take the last keyframe before it and repeat the steps from there. At most
//! [`MAX_FRAMES`] keyframes are kept; when there would be more, every other one goes and the
//! distance between them doubles. Seeking takes at most that many steps, whatever the length.

use super::world::{Watch, World};
use crate::base::Time;
use crate::command::Command;
use crate::event::Event;
use crate::plan::Plan;
use std::sync::Arc;

/// How many keyframes are kept at the most.
pub const MAX_FRAMES: usize = 32;
const FIRST_SPACING: u64 = 1_000;

/// A command, and where in the run it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The command is this step of the run, counted from 0.
    pub step: u64,
    /// The world's time then.
    pub at: Time,
    /// What was commanded.
    pub command: Command,
}

/// One branch of a run: the world at its end, and all that is needed to be anywhere before.
#[derive(Clone, Debug)]
pub struct History {
    world: World,
    frames: Vec<Arc<World>>,
    spacing: u64,
    journal: Vec<Entry>,
}

impl History {
    /// Starts a run. The first events tell of the starts.
    pub fn new(plan: &Plan, seed: u64, watch: Watch, out: &mut Vec<Event>) -> History {
        let world = World::new(plan, seed, watch, out);
        let frames = vec![Arc::new(world.clone())];
        History { world, frames, spacing: FIRST_SPACING, journal: Vec::new() }
    }

    /// The world at the end of the run.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The commands so far.
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// Takes a step. Returns false if nothing will ever happen again.
    pub fn step(&mut self, out: &mut Vec<Event>) -> bool {
        let stepped = self.world.step(out);
        if self.world.steps().is_multiple_of(self.spacing) && stepped {
            self.keep_frame();
        }
        stepped
    }

    /// Lets time pass up to `time`, at the most to the next step.
    pub fn wait(&mut self, time: Time) {
        self.world.wait(time);
    }

    /// Carries out a command now, or says why not.
    pub fn apply(&mut self, command: &Command, out: &mut Vec<Event>) -> Result<(), String> {
        let (step, at) = (self.world.steps(), self.world.now());
        self.world.apply(command, out)?;
        self.journal.push(Entry { step, at, command: command.clone() });
        Ok(())
    }

    /// A branch that begins where this one had `events` events: after the step that made the last
    /// of them. It begins at the end if there were never as many.
    pub fn fork(&self, events: u64) -> History {
        let mut frames = self.frames.clone();
        let after = frames.partition_point(|frame| frame.events() <= events).max(1);
        frames.truncate(after);
        let mut world = World::clone(&frames[after - 1]);
        let mut journal = self.journal.clone();
        let mut next = journal.partition_point(|entry| entry.step < world.steps());
        let mut out = Vec::new();
        while world.events() < events && world.steps() < self.world.steps() {
            out.clear();
            match journal.get(next) {
                Some(entry) if entry.step == world.steps() => {
                    world.wait(entry.at);
                    let repeated = world.apply(&entry.command, &mut out);
                    debug_assert!(repeated.is_ok(), "what worked once works again");
                    next += 1;
                }
                _ => drop(world.step(&mut out)),
            }
        }
        journal.truncate(next);
        History { world, frames, spacing: self.spacing, journal }
    }

    fn keep_frame(&mut self) {
        if self.frames.len() == MAX_FRAMES {
            self.spacing *= 2;
            let spacing = self.spacing;
            self.frames.retain(|frame| frame.steps().is_multiple_of(spacing));
            if !self.world.steps().is_multiple_of(spacing) {
                return;
            }
        }
        self.frames.push(Arc::new(self.world.clone()));
    }
}
