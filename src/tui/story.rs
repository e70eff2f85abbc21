//! A scenario with a person in front of it: what is told, and what the next key does.
//!
//! ```text
//!          PgDn                  the cluster runs                 the step is over
//!  told ────────> answer shown ────> until the step may begin ──> and told; time stands still
//!   ^                                its commands are given              │
//!   └──────────────────────────── PgDn, or PgUp to the step before ──────┘
//! ```
//!
//! The [`Director`] says what comes next, the same that plays scenarios without a screen, so what
//! one sees is what the test sees. Where a step is over, a copy of the director is kept with the
//! number of events: going back is a fork there. Between two steps the cluster is the viewer's own.
//! Whoever lets it run on or breaks something leaves the script, and comes back with the next PgDn,
//! which goes to where the script was left.

use crate::base::{Span, Time};
use crate::check::Checks;
use crate::command::Command;
use crate::event::Event;
use crate::script::director::{Director, Next};
use crate::script::play::{Played, SLICE};
use crate::script::record::Told;
use crate::script::scenario::{Act, Pointer, Question, Scenario, Show, Step};
use crate::view::Board;
use crate::view::timeline::Branch;
use std::sync::Arc;

/// Where a step was over: what to go on with, and how many events there were.
#[derive(Clone, Debug)]
struct Pause {
    director: Director,
    board: Board,
    events: usize,
    /// In which branch of the run.
    branch: u32,
    at: Time,
    /// The step that is told there; none before the first.
    step: Option<usize>,
    /// What was not as expected in it.
    missed: Option<String>,
}

/// What a viewer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The next thing: an answer, a step, the script again, the next act.
    Next,
    /// The step before.
    Back,
    /// This step again.
    Again,
}

/// What the screen has to do for the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Do {
    /// Nothing.
    Nothing,
    /// Begin a branch off this one after so many events, let time pass to then, and go on if the
    /// story is under way.
    Fork {
        /// The branch that the script went along.
        branch: u32,
        /// After how many events.
        event: usize,
        /// Where the step was over.
        until: Time,
    },
    /// Let time pass and ask again.
    Go,
    /// Play another act, counted from 1.
    Act(usize),
}

/// A scenario being shown.
#[derive(Clone, Debug)]
pub struct Story {
    now: Pause,
    /// The ends of all steps so far, before the first one as well.
    past: Vec<Pause>,
    /// Whether a step is under way.
    under_way: bool,
    /// Whether the question's answer is shown.
    revealed: bool,
    /// Whether the viewer has gone on without the script.
    left: bool,
    /// Whether a branch is about to begin that takes the script on.
    returns: bool,
    /// Whether the act is over.
    over: bool,
    /// Whether it is shown to a room.
    present: bool,
}

impl Story {
    /// For an act, counted from 1. Nothing has happened yet.
    pub fn new(scenario: Arc<Scenario>, act: usize, present: bool) -> Story {
        let director = Director::new(scenario, act, SLICE);
        let (board, step, missed) = (Board::new(), None, None);
        let (events, branch, at) = (0, 0, Time::ZERO);
        let now = Pause { director, board, events, branch, at, step, missed };
        Story {
            past: Vec::new(),
            under_way: false,
            revealed: false,
            left: false,
            returns: false,
            over: false,
            present,
            now,
        }
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        self.now.director.scenario()
    }

    /// The act, and its number, counted from 1.
    pub(super) fn act(&self) -> (usize, &Act) {
        let act = self.now.director.act();
        (act, &self.scenario().acts[act - 1])
    }

    /// The step that is told.
    pub(super) fn step(&self) -> Option<&Step> {
        self.now.step.map(|number| &self.scenario().steps[number - 1])
    }

    /// Which of how many steps of the act is told, counted from 1; 0 before the first.
    pub(super) fn place(&self) -> (usize, usize) {
        let steps: Vec<usize> =
            self.scenario().steps_of(self.act().0).map(|(number, _)| number).collect();
        let at = steps.iter().position(|number| Some(*number) == self.now.step);
        (at.map_or(0, |at| at + 1), steps.len())
    }

    /// The question of the step, and whether its answer is shown.
    pub(super) fn question(&self) -> Option<(&Question, bool)> {
        self.step()?.ask.as_ref().map(|ask| (ask, self.revealed))
    }

    /// What to look at.
    pub(super) fn pointers(&self) -> &[Pointer] {
        self.step().map_or(&[], |step| &step.look)
    }

    /// What was not as expected.
    pub(super) fn missed(&self) -> Option<&str> {
        self.now.missed.as_deref()
    }

    /// Whether a step is under way, so that time has to pass.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// Whether the viewer has gone on without the script.
    pub(super) fn is_left(&self) -> bool {
        self.left
    }

    /// Whether the act is over; and whether another one follows.
    pub(super) fn is_over(&self) -> (bool, bool) {
        (self.over, self.act().0 < self.scenario().acts.len())
    }

    /// Whether it is shown to a room.
    pub(super) fn presents(&self) -> bool {
        self.present
    }

    /// These events happened next, and these are the checks after them.
    pub(super) fn see<'a>(
        &mut self,
        events: impl Iterator<Item = (usize, &'a Event)>,
        checks: &Checks,
    ) {
        let opening = self.past.is_empty();
        for (index, event) in events {
            if !self.under_way && !opening {
                // The script's own board stays as it was where the script was left.
                self.left = true;
                return;
            }
            self.now.board.see(index, event);
            self.now.director.look(event.at, &self.now.board, checks);
        }
    }

    /// A branch has begun. If the script asked for it, it goes on there.
    pub(super) fn forked(&mut self, branch: u32) {
        if std::mem::take(&mut self.returns) {
            self.now.branch = branch;
        }
    }

    /// What the viewer's wish comes to.
    pub(super) fn turn(&mut self, turn: Turn, events: usize, branch: u32) -> Do {
        match turn {
            _ if self.left || (branch != self.now.branch && self.is_told()) => self.come_back(),
            Turn::Next if self.under_way => Do::Nothing,
            Turn::Next if self.question().is_some_and(|(_, revealed)| !revealed) => {
                self.revealed = true;
                Do::Nothing
            }
            Turn::Next if self.over => match self.is_over() {
                (_, true) => Do::Act(self.act().0 + 1),
                _ => Do::Nothing,
            },
            Turn::Next => {
                if self.past.is_empty() {
                    (self.now.events, self.now.branch) = (events, branch);
                }
                self.past.push(self.now.clone());
                (self.now.missed, self.under_way, self.revealed) = (None, true, false);
                Do::Go
            }
            Turn::Again if self.now.step.is_some() && self.go_back() => {
                self.past.push(self.now.clone());
                (self.under_way, self.revealed) = (true, false);
                self.fork()
            }
            Turn::Back if self.go_back() => self.fork(),
            Turn::Back if self.act().0 > 1 => Do::Act(self.act().0 - 1),
            Turn::Back | Turn::Again => Do::Nothing,
        }
    }

    /// To where the script was left.
    fn come_back(&mut self) -> Do {
        self.left = false;
        self.fork()
    }

    fn fork(&mut self) -> Do {
        self.returns = true;
        let Pause { branch, events: event, at: until, .. } = self.now;
        Do::Fork { branch, event, until }
    }

    fn go_back(&mut self) -> bool {
        let Some(pause) = self.past.pop() else { return false };
        self.now = pause;
        (self.under_way, self.over) = (false, false);
        self.revealed = true;
        true
    }

    /// What comes next, at a moment when time stands still.
    pub(super) fn next(&mut self, now: Time, running: &Branch) -> Next {
        let next = self.now.director.next(now, &self.now.board, running.checks());
        match &next {
            Next::Begin(number) => self.now.step = Some(*number),
            Next::Met(_, _, Some(why)) => self.now.missed = Some(why.clone()),
            // Behind the last step, the end of the act comes by itself.
            Next::Done(_) if self.place().0 < self.place().1 => self.stand(now, running),
            Next::End => {
                self.stand(now, running);
                self.over = true;
                self.now.missed = self.now.director.missed().last().map(ToString::to_string);
            }
            _ => {}
        }
        next
    }

    fn stand(&mut self, now: Time, running: &Branch) {
        (self.under_way, self.left) = (false, false);
        (self.now.events, self.now.branch, self.now.at) = (running.events().len(), running.id, now);
    }

    /// Whether a step was told already.
    fn is_told(&self) -> bool {
        !self.past.is_empty() && !self.under_way
    }

    /// Whether a branch of the run is the one that is told in.
    pub(super) fn is_told_in(&self, branch: u32) -> bool {
        !self.past.is_empty() && self.now.branch == branch
    }

    /// The steps that were told so far, and when.
    pub(super) fn told(&self) -> Vec<Told> {
        let told = |played: &Played| {
            let Step { title, say, .. } = &self.scenario().steps[played.number - 1];
            Told { at: played.began, title: title.clone(), say: say.clone() }
        };
        self.now.director.played().iter().map(told).collect()
    }

    /// A command was refused.
    pub(super) fn refused(&mut self, command: &Command, why: &str) {
        self.now.director.refused(command, why);
    }

    /// What the screen should show for the step.
    pub(super) fn show(&self) -> Option<&Show> {
        self.step().and_then(|step| step.show.as_ref())
    }

    /// When the last step was over.
    pub(super) fn stands_at(&self) -> Time {
        self.now.at
    }

    /// The time that may pass at once while a step is under way.
    pub(super) fn slice() -> Span {
        SLICE
    }
}
