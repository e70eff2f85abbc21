//! Going back: a journal of commands, and keyframes of the world.
//!
//! The world is deterministic, so a run is its plan, its seed and its commands. To be at an earlier
//! step, take the last keyframe before it and repeat the steps from there. At most
//! [`MAX_FRAMES`] keyframes are kept; when there would be more, every other one goes and the
//! distance between them doubles. Seeking takes at most that many steps, whatever the length.

use super::world::World;
use crate::base::Time;
use crate::command::Command;
use crate::event::{Event, Watch};
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

    /// Carries out a command now, and returns which step of the run that was; or says why not.
    pub fn apply(&mut self, command: &Command, out: &mut Vec<Event>) -> Result<u64, String> {
        let (step, at) = (self.world.steps(), self.world.now());
        self.world.apply(command, out)?;
        self.journal.push(Entry { step, at, command: command.clone() });
        Ok(step)
    }

    /// A branch that begins where this one had `events` events: after the step that made the last
    /// of them, or right before a command if that is what came next. It begins at the end if there
    /// were never as many.
    pub fn fork(&self, events: u64) -> History {
        let mut branch = self.part(events);
        let next = self.journal.get(branch.journal.len());
        if let Some(ahead) = next.and_then(|entry| up_to(&branch.world, entry)) {
            branch.world = ahead;
        }
        branch
    }

    /// The same, but never further than the step that made the last event, whatever came next.
    pub fn part(&self, events: u64) -> History {
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

/// The world right before a command, if nothing is to be seen until then: who takes the command
/// back finds everything, and the time, as it was.
fn up_to(world: &World, entry: &Entry) -> Option<World> {
    let (mut world, mut out) = (world.clone(), Vec::new());
    while world.steps() < entry.step {
        world.step(&mut out);
        if !out.is_empty() {
            return None;
        }
    }
    world.wait(entry.at);
    Some(world)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Services;

    fn plan() -> Plan {
        Plan { services: Services { ping: Some(2), ..Services::default() }, ..Plan::bare(5) }
    }

    fn command(text: &str) -> Command {
        text.parse().expect("a command")
    }

    /// A run with faults in it, longer than one keyframe.
    fn run(seed: u64, out: &mut Vec<Event>) -> History {
        let mut history = History::new(&plan(), seed, Watch::Labels, out);
        for text in ["loss all 1%", "partition n1 ~ n2", "pause n3", "resume n3", "kill n4", "heal"]
        {
            for _ in 0..700 {
                history.step(out);
            }
            let applied = history.apply(&command(text), out);
            assert!(applied.is_ok(), "{text}: {applied:?}");
        }
        history.apply(&command("restart n4"), out).expect("n4 is down");
        for _ in 0..3_000 {
            history.step(out);
        }
        history
    }

    #[test]
    fn the_same_seed_gives_the_same_events_and_another_seed_others() {
        let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
        run(7, &mut first);
        run(7, &mut second);
        run(8, &mut third);
        assert_eq!(first, second);
        assert_ne!(first, third);
    }

    #[test]
    fn a_branch_goes_on_exactly_as_the_run_did() {
        let mut events = Vec::new();
        let history = run(7, &mut events);
        for fork_at in (0..events.len()).step_by(997) {
            let mut branch = history.fork(fork_at as u64);
            let kept = usize::try_from(branch.world().events()).expect("few events");
            assert!(kept >= fork_at, "the whole step that made the event is kept");
            let mut again = events[..kept].to_vec();
            let rest = history.journal().iter().skip(branch.journal().len());
            for entry in rest {
                while branch.world().steps() < entry.step {
                    branch.step(&mut again);
                }
                branch.wait(entry.at);
                branch.apply(&entry.command, &mut again).expect("it worked the first time");
            }
            while branch.world().steps() < history.world().steps() {
                branch.step(&mut again);
            }
            assert_eq!(again.len(), events.len(), "forked at {fork_at}");
            assert!(again == events, "forked at {fork_at}");
        }
    }

    #[test]
    fn keyframes_stay_few() {
        let mut out = Vec::new();
        let mut history = History::new(&plan(), 7, Watch::Facts, &mut out);
        for _ in 0..300_000 {
            history.step(&mut out);
        }
        assert!((MAX_FRAMES / 2..=MAX_FRAMES).contains(&history.frames.len()));
        let fork = history.fork(u64::MAX);
        assert_eq!(fork.world().steps(), history.world().steps());
    }
}
