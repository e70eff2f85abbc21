//! What keys do to time: running, looking back, marks, branches.
//!
//! Looking never changes anything. Acting where one looks means to be there first: the cluster goes
//! on along the branch that is looked at, and in the past a branch of its own begins.

use super::first_bad::EXCERPT;
use super::{App, Speed};
use crate::base::{Span, Time};
use crate::command::Command;
use crate::tui::list::{List, Listed};
use crate::tui::overlay::Overlay;
use crate::tui::panes::{branch_head, branch_row, clock, mark_look};
use crate::tui::prompt::Ask;
use crate::tui::source::{NO_STEP, REAL_TIME};
use crate::tui::theme::Role;
use crate::view::timeline::{Mark, MarkKind, Timeline};

/// The speeds that keys lead through, in percent; beyond the last it is as fast as can be.
const SPEEDS: [u32; 12] = [1, 2, 5, 10, 25, 50, 100, 200, 400, 800, 1_600, 3_200];

/// The ways to begin again, by row.
const AGAIN: [Again; 3] = [Again::Same, Again::Next, Again::Typed];

#[derive(Clone, Copy)]
enum Again {
    Same,
    Next,
    Typed,
}

impl App {
    /// Lets `wall` pass on the person's clock.
    pub fn tick(&mut self, wall: Span) {
        if !self.playing {
            return;
        }
        let passed = match self.speed {
            Speed::Percent(percent) => Span(wall.0.saturating_mul(u64::from(percent)) / 100),
            Speed::Full => Span::secs(3_600),
        };
        if self.tick_story(passed) {
            return;
        }
        if !self.timeline.is_live() {
            return self.replay(passed);
        }
        if self.over {
            self.playing = false;
            self.say(self.why_over());
        } else if !self.running {
            self.running = true;
            self.outbox.push(Command::Run { until: Some(self.goal(passed)) });
        }
    }

    /// Plays what is recorded; at its end the run goes on.
    fn replay(&mut self, passed: Span) {
        let passed = if self.speed == Speed::Full { Span::millis(100) } else { passed };
        self.replayed += passed;
        let goal = self.replayed;
        self.forward(|timeline| timeline.seek_time(goal));
    }

    /// Lets a simulated cluster's time stand still; a live one cannot.
    pub(super) fn stop(&mut self) {
        if self.is_live() {
            return;
        }
        self.bound_for = None;
        if self.playing || self.running {
            // The answer, which ends `running`, comes after all that has happened until then.
            self.running = true;
            self.outbox.push(Command::Stop);
        }
        self.playing = false;
    }

    pub(super) fn run_pause(&mut self) {
        if self.is_live() {
            return self.hold_or_follow();
        }
        if self.playing {
            return self.stop();
        }
        self.playing = true;
        self.replayed = self.timeline.board().now;
    }

    /// Holds what a live cluster shows now, or returns to now.
    fn hold_or_follow(&mut self) {
        match self.timeline.is_live() {
            true => self.timeline.seek(self.timeline.events().len()),
            false => self.timeline.live(),
        }
    }

    /// Has the cluster go on along the branch that is looked at.
    fn follow(&mut self) {
        if self.timeline.views_running() {
            self.timeline.live();
        } else {
            self.outbox.push(Command::Branch(self.timeline.viewed().id));
        }
    }

    /// Has the cluster be where one looks: on that branch, or in the past on a branch of its own.
    pub(super) fn be_here(&mut self) {
        if self.timeline.is_live() {
            return;
        }
        let (at_end, position) = (self.timeline.at_end(), self.timeline.position());
        self.follow();
        if !at_end {
            self.outbox.push(Command::Fork { event: position as u64 });
        }
    }

    /// Has a branch begin at a position of the one that is looked at.
    pub(super) fn fork_at(&mut self, position: usize) {
        self.stop();
        if !self.timeline.views_running() {
            self.follow();
        }
        self.outbox.push(Command::Fork { event: position as u64 });
    }

    /// Moves the cursor. The cluster's time stands still meanwhile.
    pub(super) fn look(&mut self, go: impl FnOnce(&mut Timeline)) {
        self.stop();
        go(&mut self.timeline);
    }

    /// Whether the next step forward is one of the cluster, and none of what is recorded.
    fn steps_cluster(&mut self) -> bool {
        self.stop();
        if !self.timeline.at_end() {
            return false;
        }
        if self.timeline.excerpt().is_some() {
            self.say(EXCERPT);
        } else if self.is_live() {
            self.say(NO_STEP);
        } else if self.over {
            self.say(self.why_over());
        } else {
            self.follow();
            return true;
        }
        false
    }

    pub(super) fn step_forward(&mut self) {
        match self.steps_cluster() {
            true => self.outbox.push(Command::Step(1)),
            false => self.forward(|timeline| timeline.step(1)),
        }
    }

    pub(super) fn second_forward(&mut self) {
        if let Some(goal) = self.bound_for.filter(|_| self.running) {
            // On its way already: a key that is held down goes farther.
            self.bound_for = Some(goal + Span::secs(1));
            return;
        }
        if !self.steps_cluster() {
            return self.forward(|timeline| timeline.skip(Span::secs(1)));
        }
        self.running = true;
        if self.timeline.views_running() {
            self.bound_for = Some(self.reached + Span::secs(1));
            return self.go_on();
        }
        // Of another branch, only the time of its last event is known.
        let goal = self.timeline.board().now + Span::secs(1);
        self.outbox.push(Command::Run { until: Some(goal) });
    }

    /// Moves the cursor on; at the end of the run it follows the run again.
    fn forward(&mut self, go: impl FnOnce(&mut Timeline)) {
        go(&mut self.timeline);
        if !self.timeline.at_end() || self.timeline.is_live() {
            return;
        }
        match self.timeline.views_running() {
            true => self.timeline.live(),
            false if self.timeline.excerpt().is_some() => self.playing = false,
            false if self.playing => self.follow(),
            false => {}
        }
    }

    // -- speed -----------------------------------------------------------------------------------

    /// Slower or faster by one of the steps, or as fast as real time.
    pub(super) fn change_speed(&mut self, faster: Option<bool>) {
        if self.is_live() {
            return self.say(REAL_TIME);
        }
        self.speed = match (self.speed, faster) {
            (_, None) => Speed::Percent(100),
            (Speed::Full, Some(true)) => Speed::Full,
            (Speed::Full, Some(false)) => Speed::Percent(SPEEDS[SPEEDS.len() - 1]),
            (Speed::Percent(now), Some(true)) => {
                let next = SPEEDS.iter().find(|speed| **speed > now);
                next.map_or(Speed::Full, |speed| Speed::Percent(*speed))
            }
            (Speed::Percent(now), Some(false)) => {
                let next = SPEEDS.iter().rev().find(|speed| **speed < now);
                Speed::Percent(*next.unwrap_or(&SPEEDS[0]))
            }
        };
    }

    // -- marks -----------------------------------------------------------------------------------

    pub(super) fn set_mark(&mut self) {
        if self.timeline.excerpt().is_some() {
            return self.say(EXCERPT);
        }
        let is_own = |mark: &&Mark| mark.kind == MarkKind::Person;
        let number = self.timeline.viewed().marks().iter().filter(is_own).count() + 1;
        self.timeline.note(&format!("m{number}"));
        self.say(format!("mark m{number} is set here; ' lists the marks, and names them"));
    }

    pub(super) fn mark(&mut self, forward: bool) {
        self.stop();
        let wanted = |kind| kind != MarkKind::Leader;
        let found = match forward {
            true => self.timeline.next_mark(wanted),
            false => self.timeline.previous_mark(wanted),
        };
        let here = self.timeline.position();
        let marks = self.timeline.viewed().marks().iter();
        let text = marks.filter(|mark| found && mark.event + 1 == here).map(|mark| &*mark.text);
        let text = text.collect::<Vec<_>>().join(" · ");
        self.say(match (found, forward) {
            (true, _) => text,
            (false, true) => "no later mark or fault; [ goes back, ' lists all".to_owned(),
            (false, false) => "no earlier mark or fault; ' lists all".to_owned(),
        });
    }

    pub(super) fn violation(&mut self, forward: bool) {
        self.stop();
        let found = match forward {
            true => self.timeline.next_violation(),
            false => self.timeline.previous_violation(),
        };
        let at = self.timeline.position().saturating_sub(1);
        let here = self.timeline.checks().violations().find(|violation| violation.at == at);
        match here.filter(|_| found).map(ToString::to_string) {
            Some(text) => self.say(text),
            None if forward => self.say("no later violation; V goes back"),
            None => self.say("no earlier violation"),
        }
    }

    /// Shows the marks, at the one before the cursor.
    pub(super) fn list_marks(&mut self) {
        let marks = self.timeline.viewed().marks();
        if marks.is_empty() {
            return self.say("there are no marks yet; m sets one");
        }
        let before = marks.partition_point(|mark| mark.event < self.timeline.position());
        self.show_marks(before.saturating_sub(1));
    }

    fn show_marks(&mut self, at: usize) {
        let marks = self.timeline.viewed().marks();
        let glyphs = self.look.glyphs;
        let row = |mark: &Mark| {
            let (glyph, role) = mark_look(glyphs, mark.kind);
            (format!(" {:>9}s  {glyph} {}", clock(mark.at), mark.text), role)
        };
        self.overlay = Some(Overlay::List(List {
            of: Listed::Marks,
            title: format!("Marks of {}", self.timeline.viewed().name),
            head: "       time    what".to_owned(),
            rows: marks.iter().map(row).collect(),
            at,
            keys: &[('r', "change the text"), ('x', "take away")],
            enter: "go there",
        }));
    }

    fn take_mark(&mut self, index: usize, key: Option<char>) {
        let Some(mark) = self.timeline.viewed().marks().get(index).cloned() else { return };
        let own = mark.kind == MarkKind::Person;
        match key {
            None => self.look(|timeline| timeline.seek(mark.event + 1)),
            Some(_) if !own => {
                self.show_marks(index);
                self.say("only marks that a person has set can be changed");
            }
            Some('r') => self.prompt.ask(Ask::MarkText(index), &mark.text),
            Some(_) => {
                self.timeline.remove_mark(index);
                self.show_marks(index.saturating_sub(1));
            }
        }
    }

    // -- branches --------------------------------------------------------------------------------

    pub(super) fn list_branches(&mut self) {
        self.show_branches(self.timeline.viewed_index());
    }

    fn show_branches(&mut self, at: usize) {
        let row = |branch| branch_row(&self.timeline, self.look.glyphs, branch);
        let branches = self.timeline.branches().iter();
        self.overlay = Some(Overlay::List(List {
            of: Listed::Branches,
            title: "Branches".to_owned(),
            head: branch_head(),
            rows: branches.chain(self.timeline.excerpt()).map(row).collect(),
            at,
            keys: &[('c', "compare"), ('r', "rename")],
            enter: "go there",
        }));
    }

    fn take_branch(&mut self, index: usize, key: Option<char>) {
        let Some((id, name)) =
            self.timeline.branches().get(index).map(|branch| (branch.id, branch.name.clone()))
        else {
            return;
        };
        match key {
            Some('c') => self.compare_with(index),
            Some('r') => self.prompt.ask(Ask::BranchName(id), &name),
            _ => {
                self.undone.clear();
                self.look(|timeline| timeline.view(index));
            }
        }
    }

    // -- beginning again -------------------------------------------------------------------------

    pub(super) fn list_starts(&mut self) {
        let (same, next) = (self.seed(), self.seed().wrapping_add(1));
        let row = |text: String| (text, Role::Text);
        self.overlay = Some(Overlay::List(List {
            of: Listed::Restart,
            title: "Begin again, as a branch".to_owned(),
            head: " What there is stays; B leads back to it.".to_owned(),
            rows: vec![
                row(format!(" with the same seed, {same}: the same chance")),
                row(format!(" with the next seed, {next}: another chance")),
                row(" with a seed that I type".to_owned()),
            ],
            at: 0,
            keys: &[],
            enter: "begin",
        }));
    }

    /// The seed of the branch that is looked at.
    pub(super) fn seed(&self) -> u64 {
        let mut branch = Some(self.timeline.viewed());
        while let Some(at) = branch {
            if let Some(seed) = at.seed {
                return seed;
            }
            branch = at.parent.and_then(|id| self.timeline.branch(id));
        }
        self.title.source.seed().unwrap_or_default()
    }

    fn begin_again(&mut self, row: usize) {
        match AGAIN.get(row) {
            Some(Again::Same) => self.begin_with(self.seed()),
            Some(Again::Next) => self.begin_with(self.seed().wrapping_add(1)),
            Some(Again::Typed) => self.prompt.ask(Ask::Seed, &self.seed().to_string()),
            None => {}
        }
    }

    /// Begins a branch that starts anew.
    pub(super) fn begin_with(&mut self, seed: u64) {
        self.undone.clear();
        match seed == self.seed() {
            true => self.fork_at(0),
            false => {
                self.stop();
                self.outbox.push(Command::Seed(seed));
            }
        }
    }

    /// A row of a list was taken.
    pub(super) fn take(&mut self, of: Listed, row: usize, key: Option<char>) {
        match of {
            Listed::Marks => self.take_mark(row, key),
            Listed::Branches => self.take_branch(row, key),
            Listed::Restart => self.begin_again(row),
            Listed::Comparison { left, right, at } => self.take_comparison((left, right), at, key),
            Listed::Panes => self.take_pane(row),
            Listed::Layouts => self.take_layout(row, key),
            Listed::Themes => self.keep_theme(),
        }
    }

    /// Asks for the run up to `at`, but not past a command that is due. Says whether there is
    /// anything left to ask for.
    pub fn run_to(&mut self, at: Time) -> bool {
        let further = self.reached < at;
        if further {
            let goal = self.schedule.next().map_or(at, |due| at.min(due));
            self.outbox.push(Command::Run { until: Some(goal) });
        }
        further
    }

    /// A branch begins, or another one goes on: the clock shows `now`.
    pub(super) fn arrive(&mut self, now: Time) {
        self.reached = now;
        self.replayed = now;
    }
}
