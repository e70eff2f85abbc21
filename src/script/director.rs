//! What comes next in a scenario: a pure machine that whoever plays it asks, again and again.
//!
//! ```text
//!  events ──> look ─┐                      ┌─> Run until …   let time pass, then ask again
//!                   ├─> Director ─ next() ─┼─> Begin, Done   a step begins, a step is over
//!  the time ────────┘                      ├─> Give command  carry it out, or say why not
//!                                          ├─> Met, End      an expectation, the end
//! ```
//!
//! It sees the board and the checks after every event, so it notices what was so only for a
//! moment. A play without a screen asks it in a loop; the screen asks it between two steps of the
//! person in front of it. So both do the same at the same time. A director is a value: a copy of
//! it, kept where a step was over, goes on from there.

use super::expect::{Claim, When};
use super::play::{Missed, Played};
use super::scenario::{Scenario, Step};
use crate::base::{Span, Time};
use crate::check::Checks;
use crate::command::Command;
use crate::view::Board;
use std::sync::Arc;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Let time pass up to then, or a part of it.
    Run(Time),
    /// A step begins. It is told by its number in the file, counted from 1.
    Begin(usize),
    /// Carry this out. If it is refused, say so with [`Director::refused`].
    Give(Command),
    /// An expectation of a step, by its place, was met; or was not, for this reason.
    Met(usize, usize, Option<String>),
    /// The step is over: a good moment to stop and read.
    Done(usize),
    /// The act is over.
    End,
}

/// How far it is with a step. Watches are told by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Due,
    When(Option<(usize, Time)>),
    Begin,
    Give(usize),
    Expect(usize, Option<(usize, Time)>),
    Done,
}

/// A claim under watch: it is looked at after every event.
#[derive(Clone, Debug)]
struct Watch {
    claim: Claim,
    /// Whether it trips when the claim becomes true, or when it becomes false.
    on: bool,
    /// Until when it is watched.
    until: Time,
    /// When it tripped, and how things stood then.
    tripped: Option<(Time, String)>,
}

/// Plays one act of a scenario.
#[derive(Clone, Debug)]
pub struct Director {
    scenario: Arc<Scenario>,
    act: usize,
    /// The numbers of the steps of the act, in order.
    steps: Vec<usize>,
    /// Which of them is next or under way.
    at: usize,
    stage: Stage,
    slice: Span,
    /// When the last step was over.
    last: Time,
    watches: Vec<Watch>,
    /// What must be so for a while: step, text, watch.
    open: Vec<(usize, String, usize)>,
    missed: Vec<Missed>,
    played: Vec<Played>,
}

impl Director {
    /// For an act, counted from 1. Between two looks it lets `slice` pass.
    pub fn new(scenario: Arc<Scenario>, act: usize, slice: Span) -> Director {
        let steps = scenario.steps_of(act).map(|(number, _)| number).collect();
        Director {
            scenario,
            act,
            steps,
            at: 0,
            stage: Stage::Due,
            slice,
            last: Time::ZERO,
            watches: Vec::new(),
            open: Vec::new(),
            missed: Vec::new(),
            played: Vec::new(),
        }
    }

    /// The scenario.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// The act, counted from 1.
    pub fn act(&self) -> usize {
        self.act
    }

    /// The steps as they were played so far.
    pub fn played(&self) -> &[Played] {
        &self.played
    }

    /// What was not as it should be, so far.
    pub fn missed(&self) -> &[Missed] {
        &self.missed
    }

    /// Looks at how things stand after an event.
    pub fn look(&mut self, at: Time, board: &Board, checks: &Checks) {
        self.watches.iter_mut().for_each(|watch| watch.look(at, board, checks));
    }

    /// The command that was to be given was refused: the act cannot go on.
    pub fn refused(&mut self, command: &Command, why: &str) {
        self.miss(command.to_string(), format!("it was refused: {why}"));
        self.cut();
    }

    fn number(&self) -> usize {
        self.steps.get(self.at).copied().unwrap_or_default()
    }

    fn miss(&mut self, what: String, why: String) {
        self.missed.push(Missed { step: self.number(), what, why });
    }

    fn cut(&mut self) {
        (self.at, self.stage) = (self.steps.len(), Stage::Due);
    }

    /// What to do now.
    pub fn next(&mut self, now: Time, board: &Board, checks: &Checks) -> Next {
        let scenario = Arc::clone(&self.scenario);
        loop {
            let Some(number) = self.steps.get(self.at).copied() else { return self.wind_up(now) };
            let step = &scenario.steps[number - 1];
            let next = match self.stage {
                Stage::Due => self.due(step, now),
                Stage::When(watch) => self.when(step, watch, (now, board, checks)),
                Stage::Begin => {
                    let (events, expected) = (board.events, Vec::new());
                    self.played.push(Played { number, began: now, events, expected });
                    self.stage = Stage::Give(0);
                    Some(Next::Begin(number))
                }
                Stage::Give(place) => {
                    let order = step.orders.get(place).cloned();
                    self.stage = match &order {
                        Some(_) => Stage::Give(place + 1),
                        None => Stage::Expect(0, None),
                    };
                    order.map(Next::Give)
                }
                Stage::Expect(place, watch) => {
                    self.expect(step, place, watch, (now, board, checks))
                }
                Stage::Done => {
                    (self.last, self.stage) = (now, Stage::Due);
                    self.at += 1;
                    Some(Next::Done(number))
                }
            };
            if let Some(next) = next {
                return next;
            }
        }
    }

    fn due(&mut self, step: &Step, now: Time) -> Option<Next> {
        let due = step.wait.at.or(step.wait.after.map(|after| self.last + after));
        match due.filter(|due| *due > now) {
            Some(due) => Some(Next::Run(due)),
            None => {
                self.stage = Stage::When(None);
                None
            }
        }
    }

    fn when(
        &mut self,
        step: &Step,
        watch: Option<(usize, Time)>,
        seen @ (now, board, checks): (Time, &Board, &Checks),
    ) -> Option<Next> {
        let Some(condition) = &step.wait.when else {
            self.stage = Stage::Begin;
            return None;
        };
        let Some((watch, until)) = watch else {
            let until = now + step.wait.within;
            let watch = self.watch(&Claim::So(condition.clone()), true, until, seen);
            self.stage = Stage::When(Some((watch, until)));
            return None;
        };
        if self.watches[watch].tripped.is_some() {
            self.stage = Stage::Begin;
            return None;
        }
        if now < until {
            return Some(Next::Run((now + self.slice).min(until)));
        }
        let why = Claim::So(condition.clone()).instead(board, checks);
        self.miss(condition.to_string(), format!("waited {} in vain: {why}", step.wait.within));
        self.cut();
        None
    }

    fn watch(
        &mut self,
        claim: &Claim,
        on: bool,
        until: Time,
        (now, board, checks): (Time, &Board, &Checks),
    ) -> usize {
        let mut watch = Watch { claim: claim.clone(), on, until, tripped: None };
        watch.look(now, board, checks);
        self.watches.push(watch);
        self.watches.len() - 1
    }

    fn expect(
        &mut self,
        step: &Step,
        place: usize,
        watch: Option<(usize, Time)>,
        seen @ (now, board, checks): (Time, &Board, &Checks),
    ) -> Option<Next> {
        let Some(expect) = step.expect.get(place) else {
            self.stage = Stage::Done;
            return None;
        };
        let claim = &expect.claim;
        let instead = || Some(claim.instead(board, checks));
        let why = match (expect.when, watch) {
            (When::Now, _) if claim.holds(board, checks) => None,
            (When::Now, _) => instead(),
            (When::Within(span), None) => {
                let watch = self.watch(claim, true, now + span, seen);
                self.stage = Stage::Expect(place, Some((watch, now + span)));
                return None;
            }
            (When::Within(_), Some((watch, until))) => match &self.watches[watch].tripped {
                Some(_) => None,
                None if now < until => {
                    return Some(Next::Run((now + self.slice).min(until)));
                }
                None => instead(),
            },
            (When::Throughout(span), _) => {
                let until = span.map_or(Time::NEVER, |span| now + span);
                let watch = self.watch(claim, false, until, seen);
                let why = self.watches[watch].tripped.clone().map(|(_, why)| why);
                if why.is_none() {
                    self.open.push((self.number(), expect.to_string(), watch));
                }
                why
            }
        };
        self.stage = Stage::Expect(place + 1, None);
        if let Some(played) = self.played.last_mut() {
            played.expected.push((expect.to_string(), why.clone()));
        }
        if let Some(why) = &why {
            self.miss(expect.to_string(), why.clone());
        }
        Some(Next::Met(self.number(), place, why))
    }

    /// All steps are over: what must be so for a while is watched until that is over, too.
    fn wind_up(&mut self, now: Time) -> Next {
        let bound = |(_, _, watch): &(usize, String, usize)| {
            Some(self.watches[*watch].until).filter(|until| *until != Time::NEVER)
        };
        if let Some(until) = self.open.iter().filter_map(bound).max().filter(|until| *until > now) {
            return Next::Run(until);
        }
        for (step, what, watch) in std::mem::take(&mut self.open) {
            if let Some((at, why)) = self.watches[watch].tripped.clone() {
                let why = format!("at {at}s {why}");
                let of_step = self.played.iter_mut().filter(|played| played.number == step);
                let mut expected = of_step.flat_map(|played| &mut played.expected);
                if let Some(expected) = expected.find(|(text, _)| *text == what) {
                    expected.1 = Some(why.clone());
                }
                self.missed.push(Missed { step, what, why });
            }
        }
        Next::End
    }
}

impl Watch {
    fn look(&mut self, at: Time, board: &Board, checks: &Checks) {
        // What must be so for a while need not be so when that is over.
        let over = at > self.until || (!self.on && at == self.until);
        if self.tripped.is_none() && !over && self.claim.holds(board, checks) == self.on {
            self.tripped = Some((at, self.claim.instead(board, checks)));
        }
    }
}
