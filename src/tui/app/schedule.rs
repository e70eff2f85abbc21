//! Commands that wait for their time: what was asked for at the start, and the ends of faults that
//! are to last for a while.
//!
//! A person may go back and begin a branch. What was planned in a future that never comes is
//! forgotten then, and what was done in it is to be done again.

use crate::base::Time;
use crate::command::Command;

/// A command that waits.
#[derive(Clone, Debug)]
struct Plan {
    at: Time,
    command: Command,
    /// How many events there were when it was planned.
    planned: usize,
    /// How many events there were when it was given, if it was.
    given: Option<usize>,
    /// Whether it is left out if there is nothing for it to do any more.
    optional: bool,
}

/// Commands that wait for their time.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule(Vec<Plan>);

impl Schedule {
    /// The commands to give in this run, whatever happens.
    pub(super) fn story(&mut self, commands: Vec<(Time, Command)>) {
        let plan = |(at, command)| Plan { at, command, planned: 0, given: None, optional: false };
        self.0.extend(commands.into_iter().map(plan));
        self.0.sort_by_key(|plan| plan.at);
    }

    /// A command to give later, planned when there were `events`.
    pub(super) fn plan(&mut self, events: usize, at: Time, command: Command) {
        self.0.push(Plan { at, command, planned: events, given: None, optional: true });
        self.0.sort_by_key(|plan| plan.at);
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.iter().find(|plan| plan.given.is_none()).map(|plan| plan.at)
    }

    /// The next command that is due at `now`, when there are `events`, and whether it may be left
    /// out. It counts as given.
    pub(super) fn due(&mut self, now: Time, events: usize) -> Option<(Time, Command, bool)> {
        let plan = self.0.iter_mut().find(|plan| plan.given.is_none() && plan.at <= now)?;
        plan.given = Some(events);
        Some((plan.at, plan.command.clone(), plan.optional))
    }

    /// A branch begins after `keep` events.
    pub(super) fn fork(&mut self, keep: usize) {
        self.0.retain(|plan| plan.planned < keep || !plan.optional);
        for plan in self.0.iter_mut().filter(|plan| plan.optional) {
            plan.given = plan.given.filter(|given| *given < keep);
        }
    }

    /// The run begins again, and its story with it.
    pub(super) fn begin(&mut self) {
        self.0.retain(|plan| !plan.optional);
        self.0.iter_mut().for_each(|plan| plan.given = None);
    }

    /// Nothing will be done any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_forgets_what_was_planned_after_it_and_does_again_what_was_done() {
        let mut schedule = Schedule::default();
        let heal = || Command::Heal(crate::command::Link::All);
        schedule.plan(10, Time(50), heal());
        schedule.plan(30, Time(90), heal());
        assert_eq!(schedule.next(), Some(Time(50)));
        assert!(schedule.due(Time(49), 20).is_none());
        assert!(schedule.due(Time(60), 40).is_some());
        assert_eq!(schedule.next(), Some(Time(90)));
        schedule.fork(25);
        assert_eq!(schedule.next(), Some(Time(50)), "the second one is forgotten");
        schedule.fork(5);
        assert_eq!(schedule.next(), None);
    }
}
