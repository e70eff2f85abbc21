//! One way that a run went: its events, and what follows from them at any of them.

use super::mark::{MAX_MARKS, Mark, MarkKind, Marks};
use crate::base::Time;
use crate::check::Checks;
use crate::command::Command;
use crate::event::{Event, Kind};
use crate::view::Board;
use crate::view::digest::Digest;
use crate::view::tape::Tape;
use std::sync::Arc;

/// How many moments of a branch are kept at the most.
pub const MAX_FRAMES: usize = 32;
const FIRST_SPACING: usize = 1_024;

/// All that follows from the first so many events.
#[derive(Clone, Debug)]
pub struct Moment {
    /// What the cluster looks like.
    pub board: Board,
    /// How the checks stand.
    pub checks: Checks,
    /// Stands for all that was stated.
    pub digest: Digest,
}

impl Moment {
    /// Before the first event.
    pub fn new(checks: Checks) -> Moment {
        Moment { board: Board::new(), checks, digest: Digest::default() }
    }

    /// Takes the next event in. True if a check was broken for the first time.
    fn see(&mut self, index: usize, event: &Event) -> bool {
        self.board.see(index, event);
        self.digest.see(event);
        self.checks.see(event)
    }

    fn events(&self) -> usize {
        self.board.events
    }
}

/// A command of a branch. It is kept also when its event is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// What was commanded.
    pub command: Command,
    /// The index of its event.
    pub event: usize,
    /// Its time.
    pub at: Time,
    /// Which step of a simulated run it was.
    pub step: u64,
    /// Whether it was given in one breath with the command before it, so that both are undone
    /// together.
    pub joined: bool,
}

/// One way that a run went.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Its number, by which the cluster knows it: 0 is `main`.
    pub id: u32,
    /// `main`, `what-if-1` …, or what a person calls it.
    pub name: Arc<str>,
    /// The number of the branch that it came from.
    pub parent: Option<u32>,
    /// How many events it has in common with that.
    pub fork: usize,
    /// The time of the fork.
    pub fork_at: Time,
    /// The seed of its chance, if that is another than that of `main`.
    pub seed: Option<u64>,
    events: Tape,
    end: Moment,
    frames: Vec<Arc<Moment>>,
    spacing: usize,
    marks: Marks,
    commands: Vec<Given>,
    quorum: Vec<(Time, bool)>,
}

impl Branch {
    /// A branch without events, whose checks have seen nothing.
    pub(super) fn new(id: u32, name: Arc<str>, checks: Checks) -> Branch {
        let end = Moment::new(checks);
        Branch {
            id,
            name,
            parent: None,
            fork: 0,
            fork_at: Time::ZERO,
            seed: None,
            events: Tape::default(),
            frames: vec![Arc::new(end.clone())],
            end,
            spacing: FIRST_SPACING,
            marks: Marks::default(),
            commands: Vec::new(),
            quorum: Vec::new(),
        }
    }

    /// Its events.
    pub fn events(&self) -> &Tape {
        &self.events
    }

    /// The board after its last event.
    pub fn end(&self) -> &Board {
        &self.end.board
    }

    /// The checks after its last event.
    pub fn checks(&self) -> &Checks {
        &self.end.checks
    }

    pub(super) fn last(&self) -> &Moment {
        &self.end
    }

    /// The points worth going to, in order.
    pub fn marks(&self) -> &[Mark] {
        self.marks.all()
    }

    /// How many violations were found.
    pub fn violations(&self) -> usize {
        self.marks().iter().filter(|mark| mark.kind == MarkKind::Violation).count()
    }

    /// Its commands, in order.
    pub fn commands(&self) -> &[Given] {
        &self.commands
    }

    /// Stands for all that was stated up to its last event.
    pub fn digest(&self) -> Digest {
        self.end.digest
    }

    /// From when on some node could, or could not, reach a majority: each change, in order.
    pub fn quorum(&self) -> &[(Time, bool)] {
        &self.quorum
    }

    /// How things stand right behind its last event up to a time.
    pub fn at(&self, time: Time) -> Moment {
        self.moment(self.events.upto(time), &[])
    }

    /// How many moments are kept, and how many events lie between two of them.
    pub fn kept(&self) -> (usize, usize) {
        (self.frames.len(), self.spacing)
    }

    pub(super) fn push(&mut self, event: Event) {
        let index = self.events.len();
        if self.end.see(index, &event) {
            self.note_violations(index, event.at);
        }
        self.note(index, &event);
        self.events.push(event);
        if (index + 1).is_multiple_of(self.spacing) {
            self.keep_frame();
        }
    }

    fn keep_frame(&mut self) {
        if self.frames.len() >= MAX_FRAMES {
            self.spacing *= 2;
            let spacing = self.spacing;
            let mut oldest = true;
            // The oldest stays: there is nothing before it to fold from.
            self.frames.retain(|frame| {
                std::mem::take(&mut oldest) || frame.events().is_multiple_of(spacing)
            });
            if !self.end.events().is_multiple_of(spacing) {
                return;
            }
        }
        self.frames.push(Arc::new(self.end.clone()));
    }

    fn note_violations(&mut self, index: usize, at: Time) {
        let new = self.end.checks.violations().filter(|violation| violation.at == index);
        for violation in new {
            let text = format!("{}: {}", violation.rule, violation.what).into();
            self.marks.add(Mark { event: index, at, kind: MarkKind::Violation, text });
        }
    }

    fn note(&mut self, index: usize, event: &Event) {
        match &event.kind {
            Kind::Commanded(command) => {
                let (command, at) = (Command::clone(command), event.at);
                self.commands.push(Given { command, event: index, at, step: 0, joined: false });
                self.note_quorum(event.at);
            }
            Kind::Started { .. }
            | Kind::Killed { .. }
            | Kind::Paused
            | Kind::Resumed
            | Kind::Present { .. } => self.note_quorum(event.at),
            _ => {}
        }
        if let Some(mark) = Mark::of(index, event) {
            self.marks.add(mark);
        }
    }

    pub(super) fn marks_mut(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// Says whether each command belongs together with the one before: first of those that it has
    /// in common with its parent, then of its own.
    pub(super) fn join(&mut self, common: &[bool], own: &[bool]) {
        let count = self.commands.len().saturating_sub(own.len());
        let all = common.iter().take(count).chain(own);
        for (given, joined) in self.commands.iter_mut().zip(all) {
            given.joined = *joined;
        }
    }

    /// Says more of the last command.
    pub(super) fn explain(&mut self, step: u64, joined: bool) {
        if let Some(last) = self.commands.last_mut() {
            (last.step, last.joined) = (step, joined);
        }
    }

    fn note_quorum(&mut self, at: Time) {
        let board = &self.end.board;
        let has = board.has_quorum();
        // Of what changes at one moment, only the last word counts.
        self.quorum.pop_if(|(since, _)| *since == at);
        if self.quorum.last().is_none_or(|(_, had)| *had != has) && self.quorum.len() < MAX_MARKS {
            self.quorum.push((at, has));
        }
    }

    /// How things stand at a position, from the nearest of the kept moments and `hints`.
    pub(super) fn moment(&self, position: usize, hints: &[&Moment]) -> Moment {
        let position = position.clamp(self.events.first(), self.events.len());
        if position == self.end.events() {
            return self.end.clone();
        }
        let after = self.frames.partition_point(|frame| frame.events() <= position).max(1);
        let frame = self.frames[..after].last().map(Arc::as_ref);
        let range = self.events.first()..=position;
        let usable = hints.iter().copied().filter(|hint| range.contains(&hint.events()));
        let nearest = frame.into_iter().chain(usable).max_by_key(|moment| moment.events());
        // There is always a frame: the oldest stays.
        let mut moment = nearest.unwrap_or(&self.end).clone();
        self.play(&mut moment, position);
        moment
    }

    /// Folds events into a moment up to a position.
    pub(super) fn play(&self, moment: &mut Moment, position: usize) {
        for (index, event) in self.events.range(moment.events()..position) {
            moment.see(index, event);
        }
    }

    /// A branch that begins at a position of this one.
    pub(super) fn cut(&self, id: u32, position: usize) -> Branch {
        let end = self.moment(position, &[]);
        let position = end.events();
        let mut branch = Branch {
            id,
            name: format!("what-if-{id}").into(),
            parent: Some(self.id),
            fork: position,
            fork_at: end.board.now,
            end,
            ..self.clone()
        };
        let now = branch.end.board.now;
        branch.events.truncate(position);
        branch.frames.retain(|frame| frame.events() <= position);
        branch.marks.retain(|event| event < position);
        branch.commands.retain(|given| given.event < position);
        branch.quorum.retain(|(at, _)| *at <= now);
        branch.note_quorum(now);
        branch
    }

    /// Forgets the oldest events when there are more than `limit`.
    pub(super) fn forget(&mut self, limit: usize) {
        let kept = self.events.len() - self.events.first();
        if kept <= limit {
            return;
        }
        let mut events = self.events.clone();
        events.forget(kept - limit + limit / 8);
        let first = events.first();
        let moment = Arc::new(self.moment(first, &[]));
        self.events = events;
        self.frames.retain(|frame| frame.events() > first);
        self.frames.insert(0, moment);
        self.marks.retain(|event| event >= first);
    }
}
