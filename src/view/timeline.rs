//! Looking back: all events, how things stood at any of them, and the branches of a run.
//!
//! Looking back is not going back. The cursor moves over what was recorded, in every runtime; the
//! cluster does not notice. What one sees at a point is a [`Moment`]: the board and the checks,
//! folded from the events before it. To be there, the moment that was kept last before it is taken,
//! and the events from there are folded in. At most [`MAX_FRAMES`] moments are kept; when there
//! would be more, every other one goes and the distance doubles.
//!
//! A *position* is a number of events: at position 0 nothing has happened, at position n the first
//! n events have.
//!
//! ```text
//!  main       ──────────────●──────────────── live      a branch has the events of its parent up
//!  what-if-1                └──────────── live          to the fork, and its own from there
//! ```
//!
//! One branch *goes on*: what comes from the cluster belongs to it. Any branch can be looked at,
//! and of one that breaks a rule, the fewest events that do so by themselves: an *excerpt*.
//!
//! Events take memory for as long as the run lasts, so the oldest are forgotten beyond a limit; the
//! moment at the oldest position that is left is kept.

mod branch;
mod excerpt;
mod mark;
mod scale;

pub use scale::Axis;
#[cfg(test)]
mod tests;

use super::Board;
use super::tape::Tape;
use crate::base::{Span, Time};
use crate::check::{Checks, Violation};
use crate::command::Command;
use crate::event::Event;
pub use branch::{Branch, Given, MAX_FRAMES, Moment};
pub use mark::{MAX_MARKS, Mark, MarkKind};

/// How many branches are kept at the most.
pub const MAX_BRANCHES: usize = 32;
/// How many events of a branch are kept at the most, if nothing else is said.
pub const MAX_EVENTS: usize = 4_000_000;
/// So many events before the cursor, a moment is kept for stepping back.
const RUN_UP: usize = 512;

/// All branches of a run, and where one looks.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// In order of their numbers.
    branches: Vec<Branch>,
    running: usize,
    viewed: usize,
    /// What is looked at instead of that branch.
    excerpt: Option<Box<Branch>>,
    cursor: Option<usize>,
    /// How things stand at the cursor, if that is not the end.
    shown: Option<Moment>,
    /// How they stood a little before the cursor.
    near: Option<Moment>,
    /// Checks that have seen nothing, for a branch that begins anew.
    fresh: Checks,
    forks: u32,
    limit: usize,
    steady: bool,
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::new(MAX_EVENTS)
    }
}

impl Timeline {
    /// A timeline without events and without checks, that keeps at most `limit` events of each
    /// branch.
    pub fn new(limit: usize) -> Timeline {
        let fresh = Checks::of([]);
        Timeline {
            branches: vec![Branch::new(0, "main".into(), fresh.clone())],
            running: 0,
            viewed: 0,
            excerpt: None,
            cursor: None,
            shown: None,
            near: None,
            fresh,
            forks: 0,
            limit,
            steady: false,
        }
    }

    /// The same with checks, which have seen nothing yet and are to see every event.
    pub fn checked(self, checks: Checks) -> Timeline {
        let branches = vec![Branch::new(0, "main".into(), checks.clone())];
        Timeline { branches, fresh: checks, ..self }
    }

    /// The same, but with a scrubber that stands still: it ends a while after the end of the run,
    /// and only when the run has got there it shows a longer time. For a run that never stops:
    /// otherwise all columns of the scrubber would change all the time.
    pub fn steady(self) -> Timeline {
        Timeline { steady: true, ..self }
    }

    // -- what comes in ---------------------------------------------------------------------------

    /// Takes in what happened next, on the branch that goes on.
    pub fn extend(&mut self, events: impl IntoIterator<Item = Event>) {
        let limit = self.limit;
        let running = self.running_mut();
        for event in events {
            running.push(event);
        }
        running.forget(limit);
        // The cursor may stand where there is nothing any more.
        if self.cursor.is_some_and(|at| at < self.viewed().events().first()) {
            self.seek(0);
        }
    }

    /// Begins a branch after the first `keep` events of the one that goes on, and looks at its
    /// end. The old one stays, with all its events. Positions that are forgotten count as the
    /// oldest that is not.
    pub fn fork(&mut self, keep: usize) {
        self.forks += 1;
        let branch = self.running().cut(self.forks, keep);
        self.add(branch);
    }

    /// Begins a branch without events, whose cluster has its chance from another seed, and looks
    /// at it.
    pub fn begin(&mut self, seed: u64) {
        self.forks += 1;
        let name = format!("seed {seed}").into();
        let mut branch = Branch::new(self.forks, name, self.fresh.clone());
        branch.seed = Some(seed);
        self.add(branch);
    }

    fn add(&mut self, branch: Branch) {
        if self.branches.len() >= MAX_BRANCHES {
            // Neither `main` nor the one that it came from.
            self.branches.remove(if self.running == 1 { 2 } else { 1 });
        }
        self.branches.push(branch);
        self.running = self.branches.len() - 1;
        self.view(self.running);
    }

    /// From here on the branch with this number goes on. Looks at its end.
    pub fn switch(&mut self, id: u32) {
        if let Some(index) = self.index(id) {
            self.running = index;
            self.view(index);
        }
    }

    /// The last command of the branch that goes on was this step of the run; `joined` says that it
    /// was given in one breath with the command before it.
    pub fn explain(&mut self, step: u64, joined: bool) {
        self.running_mut().explain(step, joined);
    }

    /// Something of what comes next on the branch that goes on could not be seen.
    pub fn note_gap(&mut self, text: &str) {
        let branch = self.running_mut();
        let (event, at) = (branch.events().len().saturating_sub(1), branch.end().now);
        branch.marks_mut().add(Mark { event, at, kind: MarkKind::Gap, text: text.into() });
    }

    /// Sets a person's mark at the cursor.
    pub fn note(&mut self, text: &str) {
        let (event, at) = (self.position().saturating_sub(1), self.board().now);
        let mark = Mark { event, at, kind: MarkKind::Person, text: text.into() };
        self.viewed_mut().marks_mut().add(mark);
    }

    /// Gives a branch, by its index, what a person made of it: a name, marks on events, and which of
    /// its last commands belong together.
    pub fn dress(
        &mut self,
        index: usize,
        name: &str,
        marks: impl IntoIterator<Item = (usize, String)>,
        joined: &[bool],
    ) {
        let parent = self.branches.get(index).and_then(|branch| self.branch(branch.parent?));
        let common = parent.map_or(Vec::new(), |parent| {
            parent.commands().iter().map(|given| given.joined).collect()
        });
        let Some(branch) = self.branches.get_mut(index) else { return };
        branch.name = name.into();
        branch.join(&common, joined);
        for (event, text) in marks {
            let at = branch.events().get(event).map_or(branch.fork_at, |event| event.at);
            let mark = Mark { event, at, kind: MarkKind::Person, text: text.into() };
            branch.marks_mut().add(mark);
        }
    }

    /// Gives a mark of the branch that is looked at another text.
    pub fn rename_mark(&mut self, index: usize, text: &str) {
        if let Some(mark) = self.viewed_mut().marks_mut().get_mut(index) {
            mark.text = text.into();
        }
    }

    /// Takes a mark of the branch that is looked at away.
    pub fn remove_mark(&mut self, index: usize) {
        if index < self.viewed().marks().len() {
            self.viewed_mut().marks_mut().remove(index);
        }
    }

    /// Gives a branch another name.
    pub fn rename(&mut self, id: u32, name: &str) {
        if let Some(index) = self.index(id) {
            self.branches[index].name = name.into();
        }
    }

    // -- what there is ---------------------------------------------------------------------------

    fn moment(&self) -> &Moment {
        self.shown.as_ref().unwrap_or(self.viewed().last())
    }

    /// The board at the cursor.
    pub fn board(&self) -> &Board {
        &self.moment().board
    }

    /// The checks at the cursor.
    pub fn checks(&self) -> &Checks {
        &self.moment().checks
    }

    /// The board after the last event of the branch that goes on: what the cluster is now.
    pub fn live_board(&self) -> &Board {
        self.running().end()
    }

    /// The board at a position of the branch that is looked at.
    pub fn board_at(&self, position: usize) -> Board {
        self.moment_at(position).board
    }

    fn moment_at(&self, position: usize) -> Moment {
        let hints: Vec<&Moment> = self.near.iter().chain(&self.shown).collect();
        self.viewed().moment(position, &hints)
    }

    /// The branch that is looked at.
    pub fn viewed(&self) -> &Branch {
        self.excerpt().unwrap_or(self.whole())
    }

    fn viewed_mut(&mut self) -> &mut Branch {
        match &mut self.excerpt {
            Some(excerpt) => excerpt,
            None => &mut self.branches[self.viewed],
        }
    }

    /// The branch that is looked at, or the one that the excerpt is of.
    pub fn whole(&self) -> &Branch {
        &self.branches[self.viewed]
    }

    /// The excerpt, if one is looked at. The cluster knows nothing of it, so it cannot go on.
    pub fn excerpt(&self) -> Option<&Branch> {
        self.excerpt.as_deref()
    }

    /// The branch that goes on.
    pub fn running(&self) -> &Branch {
        &self.branches[self.running]
    }

    fn running_mut(&mut self) -> &mut Branch {
        &mut self.branches[self.running]
    }

    /// All branches, in the order in which they began.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The branch with this number, if it is kept.
    pub fn branch(&self, id: u32) -> Option<&Branch> {
        Some(&self.branches[self.index(id)?])
    }

    fn index(&self, id: u32) -> Option<usize> {
        self.branches.iter().position(|branch| branch.id == id)
    }

    /// The index of the branch that is looked at.
    pub fn viewed_index(&self) -> usize {
        self.viewed
    }

    /// Whether the branch that is looked at is the one that goes on.
    pub fn views_running(&self) -> bool {
        self.viewed == self.running && self.excerpt.is_none()
    }

    /// The events of the branch that is looked at.
    pub fn events(&self) -> &Tape {
        self.viewed().events()
    }

    /// How many events of the branch that is looked at are before the cursor.
    pub fn position(&self) -> usize {
        self.cursor.unwrap_or(self.events().len())
    }

    /// Whether the cursor follows the end of the branch that goes on.
    pub fn is_live(&self) -> bool {
        self.cursor.is_none() && self.views_running()
    }

    /// Whether the cursor stands at the end of the branch that is looked at.
    pub fn at_end(&self) -> bool {
        self.position() == self.events().len()
    }

    /// The event that happened last at the cursor.
    pub fn event(&self) -> Option<&Event> {
        self.events().get(self.position().checked_sub(1)?)
    }

    /// The last commands before the cursor that were given in one breath, and the index of the
    /// first of them: what undo takes back by a fork there.
    pub fn last_commands(&self) -> Option<(usize, Vec<&Command>)> {
        let all = self.viewed().commands();
        let before = all.partition_point(|given| given.event < self.position());
        let start = all[..before].iter().rposition(|given| !given.joined)?;
        let event = all[start].event;
        let commands = all[start..before].iter().map(|given| &given.command).collect();
        (event >= self.events().first()).then_some((event, commands))
    }

    // -- moving the cursor -----------------------------------------------------------------------

    /// Goes to a position, and stays there.
    pub fn seek(&mut self, position: usize) {
        let position = position.clamp(self.events().first(), self.events().len());
        let from = position.saturating_sub(2 * RUN_UP).max(self.events().first());
        let near = match self.near.take() {
            Some(near) if (from..=position).contains(&near.board.events) => near,
            _ => self.moment_at(position.saturating_sub(RUN_UP)),
        };
        let mut moment = near.clone();
        self.viewed().play(&mut moment, position);
        (self.cursor, self.shown, self.near) = (Some(position), Some(moment), Some(near));
    }

    /// Goes right behind the last event up to a time.
    pub fn seek_time(&mut self, time: Time) {
        self.seek(self.events().upto(time));
    }

    /// Goes `count` events forward, or back.
    pub fn step(&mut self, count: isize) {
        self.seek(self.position().saturating_add_signed(count));
    }

    /// Goes `span` forward.
    pub fn skip(&mut self, span: Span) {
        self.seek_time(self.board().now + span);
    }

    /// Goes `span` back.
    pub fn skip_back(&mut self, span: Span) {
        self.seek_time(self.board().now - span);
    }

    /// Goes to the oldest event.
    pub fn start(&mut self) {
        self.seek(0);
    }

    /// Follows the end of the branch that goes on.
    pub fn live(&mut self) {
        self.view(self.running);
    }

    /// Looks at the end of a branch, by its index.
    pub fn view(&mut self, branch: usize) {
        self.viewed = branch.min(self.branches.len() - 1);
        self.excerpt = None;
        (self.cursor, self.shown, self.near) = (None, None, None);
    }

    /// Looks at the end of an excerpt of the branch that is looked at: the fewest of its events that
    /// break this rule. Says how many those are, if there is one.
    pub fn view_excerpt(&mut self, violation: &Violation) -> Option<usize> {
        let (excerpt, proof) = excerpt::excerpt(self.whole(), &self.fresh, violation)?;
        self.view(self.viewed);
        self.excerpt = Some(Box::new(excerpt));
        Some(proof)
    }

    /// Goes right behind the next mark that `wanted` names, if there is one.
    pub fn next_mark(&mut self, wanted: impl Fn(MarkKind) -> bool) -> bool {
        let position = self.position();
        let ahead = |mark: &&Mark| mark.event >= position && wanted(mark.kind);
        let found = self.viewed().marks().iter().find(ahead).map(|mark| mark.event + 1);
        found.inspect(|position| self.seek(*position)).is_some()
    }

    /// Goes right behind the mark before this one that `wanted` names, if there is one.
    pub fn previous_mark(&mut self, wanted: impl Fn(MarkKind) -> bool) -> bool {
        let position = self.position();
        let behind = |mark: &&Mark| mark.event + 1 < position && wanted(mark.kind);
        let found = self.viewed().marks().iter().rev().find(behind).map(|mark| mark.event + 1);
        found.inspect(|position| self.seek(*position)).is_some()
    }

    /// Goes to the next violation, if there is one.
    pub fn next_violation(&mut self) -> bool {
        self.next_mark(|kind| kind == MarkKind::Violation)
    }

    /// Goes to the violation before this point, if there is one.
    pub fn previous_violation(&mut self) -> bool {
        self.previous_mark(|kind| kind == MarkKind::Violation)
    }
}
