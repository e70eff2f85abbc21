//! Looking back: all events, the board at any of them, and the branches of a run.
//!
//! Looking back is not going back. The cursor moves over what was recorded, in every runtime; the
//! cluster does not notice. To be at a point, the board that was kept last before it is taken, and
//! the events from there are folded in. At most [`MAX_FRAMES`] boards are kept; when there would be
//! more, every other one goes and the distance doubles.
//!
//! A *position* is a number of events: at position 0 nothing has happened, at position n the first
//! n events have.
//!
//! ```text
//!  main       ──────────────●──────────────── live      a branch has the events of its parent up
//!  what-if-1                └──────────── live          to the fork, and its own from there
//! ```
//!
//! Events take memory for as long as the run lasts, so the oldest are forgotten beyond a limit; the
//! board at the oldest position that is left is kept.

use super::Board;
use super::tape::Tape;
use crate::base::{Span, Time};
use crate::command::Command;
use crate::event::{Event, Fact, Kind};
use std::sync::Arc;

/// How many boards are kept at the most.
pub const MAX_FRAMES: usize = 32;
/// How many marks of a branch are kept at the most.
pub const MAX_MARKS: usize = 8_192;
/// How many branches are kept at the most.
pub const MAX_BRANCHES: usize = 32;
/// How many events of a branch are kept at the most, if nothing else is said.
pub const MAX_EVENTS: usize = 4_000_000;
const FIRST_SPACING: usize = 1_024;
/// So many events before the cursor, a board is kept for stepping back.
const RUN_UP: usize = 512;

/// What a mark on the scrubber stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// Somebody began to lead.
    Leader,
    /// A person set it.
    Person,
    /// From here on something could not be seen.
    Gap,
    /// A fault, or the end of one, by command.
    Fault,
    /// A process died of its own.
    Panic,
    /// A check found a violation.
    Violation,
}

/// A point worth going to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The index of the event.
    pub event: usize,
    /// Its time.
    pub at: Time,
    /// What it stands for.
    pub kind: MarkKind,
    /// What happened, as a line.
    pub text: Arc<str>,
}

/// One way that a run went.
#[derive(Clone, Debug)]
pub struct Branch {
    /// `main`, `what-if-1` …
    pub name: Arc<str>,
    /// The name of the branch that it came from.
    pub parent: Option<Arc<str>>,
    /// How many events it has in common with that.
    pub fork: usize,
    /// The time of the fork.
    pub fork_at: Time,
    events: Tape,
    end: Board,
    frames: Vec<Arc<Board>>,
    spacing: usize,
    marks: Vec<Mark>,
    commands: Vec<usize>,
    quorum: Vec<(Time, bool)>,
}

impl Branch {
    fn main() -> Branch {
        Branch {
            name: "main".into(),
            parent: None,
            fork: 0,
            fork_at: Time::ZERO,
            events: Tape::default(),
            end: Board::new(),
            frames: vec![Arc::new(Board::new())],
            spacing: FIRST_SPACING,
            marks: Vec::new(),
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
        &self.end
    }

    /// The points worth going to, in order.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// How many violations were found.
    pub fn violations(&self) -> usize {
        self.marks.iter().filter(|mark| mark.kind == MarkKind::Violation).count()
    }

    /// The indices of the events that are commands.
    pub fn commands(&self) -> &[usize] {
        &self.commands
    }

    /// From when on some node could, or could not, reach a majority: each change, in order.
    pub fn quorum(&self) -> &[(Time, bool)] {
        &self.quorum
    }

    fn push(&mut self, event: Event) {
        let index = self.events.len();
        self.end.see(index, &event);
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
                std::mem::take(&mut oldest) || frame.events.is_multiple_of(spacing)
            });
            if !self.end.events.is_multiple_of(spacing) {
                return;
            }
        }
        self.frames.push(Arc::new(self.end.clone()));
    }

    fn note(&mut self, index: usize, event: &Event) {
        let (kind, text): (_, Arc<str>) = match &event.kind {
            Kind::Commanded(command) => {
                self.commands.push(index);
                self.note_quorum(event.at);
                if !command.is_fault() {
                    return;
                }
                (MarkKind::Fault, command.to_string().into())
            }
            Kind::Panicked { why } | Kind::Failed { why } => {
                (MarkKind::Panic, format!("{} died: {why}", event.node).into())
            }
            Kind::Fact(fact @ Fact::Leads { .. }) => {
                (MarkKind::Leader, format!("{} {fact}", event.node).into())
            }
            Kind::Started { .. }
            | Kind::Killed { .. }
            | Kind::Paused
            | Kind::Resumed
            | Kind::Present { .. } => {
                return self.note_quorum(event.at);
            }
            _ => return,
        };
        // A leader that is told to a newcomer leads as before.
        let known = |mark: &Mark| mark.kind == kind && mark.text == text;
        if kind != MarkKind::Leader || !self.marks.iter().any(known) {
            self.mark(Mark { event: index, at: event.at, kind, text });
        }
    }

    fn mark(&mut self, mark: Mark) {
        if self.marks.len() >= MAX_MARKS {
            let least = self.marks.iter().position(|mark| mark.kind == MarkKind::Leader);
            self.marks.remove(least.unwrap_or(0));
        }
        let place = self.marks.partition_point(|known| known.event <= mark.event);
        self.marks.insert(place, mark);
    }

    fn note_quorum(&mut self, at: Time) {
        let has = self.end.best_reach() >= self.end.majority();
        // Of what changes at one moment, only the last word counts.
        self.quorum.pop_if(|(since, _)| *since == at);
        if self.quorum.last().is_none_or(|(_, had)| *had != has) && self.quorum.len() < MAX_MARKS {
            self.quorum.push((at, has));
        }
    }

    /// The board at a position, from the nearest of the kept boards and `hints`.
    fn board_at(&self, position: usize, hints: &[&Board]) -> Board {
        let position = position.clamp(self.events.first(), self.events.len());
        if position == self.end.events {
            return self.end.clone();
        }
        let after = self.frames.partition_point(|frame| frame.events <= position).max(1);
        let frame = self.frames[..after].last().map(Arc::as_ref);
        let range = self.events.first()..=position;
        let usable = hints.iter().copied().filter(|hint| range.contains(&hint.events));
        let nearest = frame.into_iter().chain(usable).max_by_key(|board| board.events);
        let mut board = nearest.cloned().unwrap_or_default();
        self.play(&mut board, position);
        board
    }

    /// Folds events into a board up to a position.
    fn play(&self, board: &mut Board, position: usize) {
        for (index, event) in self.events.range(board.events..position) {
            board.see(index, event);
        }
    }

    /// A branch that begins at a position of this one.
    fn cut(&self, name: Arc<str>, position: usize) -> Branch {
        let end = self.board_at(position, &[]);
        let position = end.events;
        let mut branch = Branch {
            name,
            parent: Some(self.name.clone()),
            fork: position,
            fork_at: end.now,
            end,
            ..self.clone()
        };
        let now = branch.end.now;
        branch.events.truncate(position);
        branch.frames.retain(|frame| frame.events <= position);
        branch.marks.retain(|mark| mark.event < position);
        branch.commands.retain(|index| *index < position);
        branch.quorum.retain(|(at, _)| *at <= now);
        branch.note_quorum(now);
        branch
    }

    /// Forgets the oldest events when there are more than `limit`.
    fn forget(&mut self, limit: usize) {
        let kept = self.events.len() - self.events.first();
        if kept <= limit {
            return;
        }
        let mut events = self.events.clone();
        events.forget(kept - limit + limit / 8);
        let first = events.first();
        let board = Arc::new(self.board_at(first, &[]));
        self.events = events;
        self.frames.retain(|frame| frame.events > first);
        self.frames.insert(0, board);
        self.marks.retain(|mark| mark.event >= first);
        self.commands.retain(|index| *index >= first);
    }
}

/// All branches of a run, and where one looks.
#[derive(Clone, Debug)]
pub struct Timeline {
    branches: Vec<Branch>,
    viewed: usize,
    cursor: Option<usize>,
    /// The board at the cursor, if that is not the end.
    shown: Option<Board>,
    /// A board a little before the cursor.
    near: Option<Board>,
    forks: usize,
    limit: usize,
    steady: bool,
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::new(MAX_EVENTS)
    }
}

impl Timeline {
    /// A timeline without events, that keeps at most `limit` of each branch.
    pub fn new(limit: usize) -> Timeline {
        Timeline {
            branches: vec![Branch::main()],
            viewed: 0,
            cursor: None,
            shown: None,
            near: None,
            forks: 0,
            limit,
            steady: false,
        }
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
        if self.cursor.is_some_and(|at| at < self.viewed().events.first()) {
            self.seek(0);
        }
    }

    /// Begins a branch after the first `keep` events of the one that goes on, and looks at its
    /// end. The old one stays, with all its events. Positions that are forgotten count as the
    /// oldest that is not.
    pub fn fork(&mut self, keep: usize) {
        self.forks += 1;
        let name = format!("what-if-{}", self.forks).into();
        let branch = self.running().cut(name, keep);
        self.branches.push(branch);
        if self.branches.len() > MAX_BRANCHES {
            self.branches.remove(1);
        }
        self.view(self.branches.len() - 1);
    }

    /// A check found that the event with this index of the branch that goes on broke its rule.
    pub fn note_violation(&mut self, index: usize, text: &str) {
        let (kind, text) = (MarkKind::Violation, text.into());
        let branch = self.running_mut();
        let at = branch.events.get(index).map_or(branch.end.now, |event| event.at);
        branch.mark(Mark { event: index, at, kind, text });
    }

    /// Something of what comes next on the branch that goes on could not be seen.
    pub fn note_gap(&mut self, text: &str) {
        let branch = self.running_mut();
        let (event, at) = (branch.events.len().saturating_sub(1), branch.end.now);
        branch.mark(Mark { event, at, kind: MarkKind::Gap, text: text.into() });
    }

    /// Sets a person's mark at the cursor.
    pub fn note(&mut self, text: &str) {
        let (event, at) = (self.position().saturating_sub(1), self.board().now);
        let mark = Mark { event, at, kind: MarkKind::Person, text: text.into() };
        let viewed = self.viewed;
        self.branches[viewed].mark(mark);
    }

    // -- what there is ---------------------------------------------------------------------------

    /// The board at the cursor.
    pub fn board(&self) -> &Board {
        self.shown.as_ref().unwrap_or(&self.viewed().end)
    }

    /// The board after the last event of the branch that goes on: what the cluster is now.
    pub fn live_board(&self) -> &Board {
        &self.running().end
    }

    /// The board at a position of the branch that is looked at.
    pub fn board_at(&self, position: usize) -> Board {
        let hints: Vec<&Board> = self.near.iter().chain(&self.shown).collect();
        self.viewed().board_at(position, &hints)
    }

    /// The branch that is looked at.
    pub fn viewed(&self) -> &Branch {
        &self.branches[self.viewed]
    }

    /// The branch that goes on.
    pub fn running(&self) -> &Branch {
        &self.branches[self.branches.len() - 1]
    }

    fn running_mut(&mut self) -> &mut Branch {
        let last = self.branches.len() - 1;
        &mut self.branches[last]
    }

    /// All branches; the last one goes on.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The index of the branch that is looked at.
    pub fn viewed_index(&self) -> usize {
        self.viewed
    }

    /// The events of the branch that is looked at.
    pub fn events(&self) -> &Tape {
        &self.viewed().events
    }

    /// How many events of the branch that is looked at are before the cursor.
    pub fn position(&self) -> usize {
        self.cursor.unwrap_or(self.events().len())
    }

    /// Whether the cursor follows the end of the branch that goes on.
    pub fn is_live(&self) -> bool {
        self.cursor.is_none() && self.viewed + 1 == self.branches.len()
    }

    /// The event that happened last at the cursor.
    pub fn event(&self) -> Option<&Event> {
        self.events().get(self.position().checked_sub(1)?)
    }

    /// The last command before the cursor, and its index: what undo takes back by a fork there.
    pub fn last_command(&self) -> Option<(usize, &Command)> {
        let commands = &self.viewed().commands;
        let before = commands.partition_point(|index| *index < self.position());
        let index = *commands[..before].last()?;
        self.events().get(index).and_then(Event::command).map(|command| (index, command))
    }

    /// How many events there are in each of `columns` equal parts of the time from the oldest
    /// event to the last.
    pub fn density(&self, columns: usize) -> Vec<usize> {
        let edges: Vec<usize> =
            (0..=columns).map(|column| self.position_of(column, columns)).collect();
        edges.windows(2).map(|edge| edge[1] - edge[0]).collect()
    }

    /// The position at the left edge of a column of the scrubber. Column `columns` is the end.
    pub fn position_of(&self, column: usize, columns: usize) -> usize {
        match column {
            0 => self.events().first(),
            _ if column >= columns => self.events().len(),
            _ => self.events().upto(self.time_of(column, columns)),
        }
    }

    /// The time at the left edge of a column of the scrubber.
    pub fn time_of(&self, column: usize, columns: usize) -> Time {
        let (start, length) = self.extent();
        let part = (u128::from(length.0) * column as u128).div_ceil(columns.max(1) as u128);
        start + Span(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// The column of the scrubber that a time is in.
    pub fn column_of(&self, time: Time, columns: usize) -> usize {
        let (start, length) = self.extent();
        let passed = u128::from(time.since(start).0) * columns as u128;
        let column = passed / u128::from(length.0.max(1));
        usize::try_from(column).unwrap_or(columns).min(columns.saturating_sub(1))
    }

    /// The time of the oldest event, and how long it is from there to the end of the scrubber.
    fn extent(&self) -> (Time, Span) {
        let first = self.events().get(self.events().first());
        let start = first.map_or(Time::ZERO, |event| event.at);
        let length = self.viewed().end.now.since(start);
        (start, if self.steady { roomy(length) } else { length })
    }

    // -- moving the cursor -----------------------------------------------------------------------

    /// Goes to a position, and stays there.
    pub fn seek(&mut self, position: usize) {
        let position = position.clamp(self.events().first(), self.events().len());
        let from = position.saturating_sub(2 * RUN_UP).max(self.events().first());
        let near = match self.near.take() {
            Some(near) if (from..=position).contains(&near.events) => near,
            _ => self.board_at(position.saturating_sub(RUN_UP)),
        };
        let mut board = near.clone();
        self.viewed().play(&mut board, position);
        (self.cursor, self.shown, self.near) = (Some(position), Some(board), Some(near));
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
        self.view(self.branches.len() - 1);
    }

    /// Looks at the end of a branch.
    pub fn view(&mut self, branch: usize) {
        self.viewed = branch.min(self.branches.len() - 1);
        (self.cursor, self.shown, self.near) = (None, None, None);
    }

    /// Goes right behind the next mark that `wanted` names, if there is one.
    pub fn next_mark(&mut self, wanted: impl Fn(MarkKind) -> bool) -> bool {
        let position = self.position();
        let ahead = |mark: &&Mark| mark.event >= position && wanted(mark.kind);
        let found = self.viewed().marks.iter().find(ahead).map(|mark| mark.event + 1);
        found.inspect(|position| self.seek(*position)).is_some()
    }

    /// Goes right behind the mark before this one that `wanted` names, if there is one.
    pub fn previous_mark(&mut self, wanted: impl Fn(MarkKind) -> bool) -> bool {
        let position = self.position();
        let behind = |mark: &&Mark| mark.event + 1 < position && wanted(mark.kind);
        let found = self.viewed().marks.iter().rev().find(behind).map(|mark| mark.event + 1);
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

/// The next of 4 s, 5 s, 6 s, 7 s, 8 s, 10 s, 12 s, 14 s, 16 s, 20 s …: at most a quarter more.
fn roomy(length: Span) -> Span {
    let mut part = Span::secs(1);
    while part.0.saturating_mul(8) < length.0 {
        part = part + part;
    }
    Span(part.0.saturating_mul(length.0.div_ceil(part.0).max(4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ballot, NodeId};
    use crate::event::Watch;
    use crate::plan::builtin;
    use crate::sim::World;
    use proptest::prelude::*;

    /// The events of a real run of five nodes and their clients, with the commands at their steps.
    fn run(seed: u64, steps: u64, commands: &[(u64, &str)]) -> Vec<Event> {
        let plan = builtin("default").unwrap();
        let mut out = Vec::new();
        let mut world = World::new(&plan, seed, Watch::Labels, &mut out);
        for step in 0..steps {
            for (_, line) in commands.iter().filter(|(at, _)| *at == step) {
                // What makes no sense now is refused, and that is fine.
                let _ = world.apply(&line.parse().unwrap(), &mut out);
            }
            world.step(&mut out);
        }
        out
    }

    const STORY: &[(u64, &str)] = &[
        (300, "kill n2 keep"),
        (700, "partition n1,n2 | n3,n4,n5"),
        (900, "clock n4 drift 5000"),
        (1_300, "restart n2"),
        (1_700, "heal"),
        (2_000, "loss all 20%"),
        (2_300, "pause n5"),
        (2_600, "hold n1 -> n3"),
        (2_900, "resume n5"),
    ];

    fn timeline(events: &[Event]) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.extend(events.iter().cloned());
        timeline
    }

    fn folded(events: &[Event]) -> Board {
        let mut board = Board::new();
        events.iter().enumerate().for_each(|(index, event)| board.see(index, event));
        board
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn jumping_shows_what_folding_from_the_start_shows(
            seed in 0u64..1_000,
            jumps in prop::collection::vec(0usize..12_000, 1..8),
            keep in 0usize..12_000,
        ) {
            let events = run(seed, 3_500, STORY);
            let mut timeline = timeline(&events);
            for jump in &jumps {
                timeline.seek(*jump);
                let position = (*jump).min(events.len());
                prop_assert_eq!(timeline.position(), position);
                prop_assert_eq!(timeline.board(), &folded(&events[..position]));
            }
            // A branch that goes on with other events is a run of its own.
            let keep = keep.min(events.len());
            timeline.fork(keep);
            let other = [&events[..keep], &events[events.len() / 2..]].concat();
            timeline.extend(other[keep..].iter().cloned());
            prop_assert_eq!(timeline.board(), &folded(&other));
            for jump in jumps {
                let position = jump.min(other.len());
                prop_assert_eq!(timeline.board_at(jump), folded(&other[..position]));
            }
            timeline.view(0);
            prop_assert_eq!(timeline.board(), &folded(&events));
        }
    }

    #[test]
    fn the_board_agrees_with_the_run() {
        let timeline = timeline(&run(7, 3_500, STORY));
        let board = timeline.board();
        assert_eq!((board.nodes.servers().count(), board.nodes.clients().count()), (5, 3));
        assert!(board.leader().is_some() && board.decree.chosen().is_some());
        let applied = |(_, replica): (NodeId, &crate::view::log::Replica)| replica.applied;
        assert_eq!(board.log.replicas().map(applied).max(), Some(board.log.commit));
        assert!(board.locks.all().any(|(_, lock)| lock.grants().any(|grant| grant.end.is_some())));
        assert!(board.nodes.all().all(|node| node.life.is_up()));
        let faults: Vec<&str> = board.faults.active().iter().map(|f| &*f.text).collect();
        assert_eq!(faults, ["clock n4 drift 5000", "loss all 20%", "hold n1 -> n3"]);
        let network = &board.network;
        assert_eq!(network.sent, network.received + network.lost + network.in_flight() as u64);
        let held = network.flights().filter(|(_, flight)| flight.held).count();
        let wire = network.wire(NodeId::node(1), NodeId::node(3)).unwrap();
        assert!(held > 0 && wire.held as usize == held);
    }

    #[test]
    fn keyframes_stay_few_however_long_the_run() {
        let mut timeline = Timeline::default();
        for event in fired(200_000) {
            timeline.extend([event]);
        }
        assert!((MAX_FRAMES / 2..=MAX_FRAMES).contains(&timeline.viewed().frames.len()));
        assert_eq!(timeline.board_at(123_456).events, 123_456);
    }

    /// So many events without meaning, a millisecond apart.
    fn fired(count: u64) -> impl Iterator<Item = Event> {
        (0..count).map(|n| {
            let service = crate::base::ServiceId::Ping;
            let kind = Kind::Fired { service, timer: "t".into() };
            Event { at: Time(n * 1_000), node: NodeId::node(1), kind }
        })
    }

    #[test]
    fn the_oldest_events_are_forgotten_beyond_the_limit() {
        let mut timeline = Timeline::new(20_000);
        timeline.seek(0);
        for event in fired(100_000) {
            timeline.extend([event]);
        }
        let first = timeline.events().first();
        assert!((80_000..90_000).contains(&first), "{first}");
        assert_eq!(timeline.events().len(), 100_000);
        assert!(timeline.position() >= first, "the cursor stands on something");
        assert_eq!(timeline.board_at(0).events, first);
        assert_eq!(timeline.density(10).iter().sum::<usize>(), 100_000 - first);
        timeline.fork(5);
        assert_eq!(timeline.position(), first, "there is nothing before it to fork from");
    }

    #[test]
    fn a_fork_keeps_both_ways() {
        let events = run(1, 1_000, STORY);
        let mut timeline = timeline(&events);
        timeline.fork(500);
        assert!(timeline.is_live());
        timeline.extend(events[600..700].iter().cloned());
        timeline.fork(550);
        let shape: Vec<_> = timeline
            .branches()
            .iter()
            .map(|b| (&*b.name, b.parent.as_deref(), b.fork, b.events().len()))
            .collect();
        let len = events.len();
        let main = Some("main");
        assert_eq!(shape[..2], [("main", None, 0, len), ("what-if-1", main, 500, 600)]);
        assert_eq!(shape[2..], [("what-if-2", Some("what-if-1"), 550, 550)]);
        let parting = timeline.branches()[0].events().parting(timeline.branches()[1].events());
        assert_eq!(parting, 500);
        let parting = timeline.branches()[2].events().parting(timeline.branches()[1].events());
        assert_eq!(parting, 550);
        timeline.view(0);
        assert!(!timeline.is_live());
        timeline.live();
        assert_eq!(timeline.viewed_index(), 2);
    }

    #[test]
    fn events_that_come_while_one_looks_back_do_not_move_the_cursor() {
        let events = run(1, 2_000, STORY);
        let mut timeline = timeline(&events[..1_000]);
        timeline.seek(400);
        timeline.step(-2);
        timeline.extend(events[1_000..].iter().cloned());
        assert_eq!((timeline.position(), timeline.board().events), (398, 398));
        assert_eq!(timeline.event(), events.get(397));
        timeline.live();
        assert_eq!(timeline.board().events, events.len());
        timeline.step(-1);
        assert_eq!(timeline.position(), events.len() - 1);
    }

    #[test]
    fn skipping_goes_by_time() {
        let events = run(1, 3_000, STORY);
        let mut timeline = timeline(&events);
        timeline.seek_time(Time(200_000));
        let (before, after) = (events[timeline.position() - 1].at, events[timeline.position()].at);
        assert!(before <= Time(200_000) && after > Time(200_000));
        timeline.skip(Span::millis(100));
        let there = timeline.position();
        timeline.skip_back(Span::millis(50));
        assert!(timeline.position() < there);
        assert_eq!(timeline.column_of(timeline.time_of(7, 40), 40), 7);
    }

    #[test]
    fn a_steady_scrubber_stands_still_while_the_run_goes_on() {
        let mut timeline = Timeline::default().steady();
        timeline.extend(fired(12_100));
        let (before, columns) = (timeline.density(70), 70);
        timeline.extend(fired(13_900).skip(12_100));
        let after = timeline.density(70);
        let at = timeline.column_of(Time(12_000_000), columns);
        assert_eq!((&before[..at], at), (&after[..at], 60), "14 s have room for this");
        assert_eq!(timeline.column_of(timeline.viewed().end().now, columns), 69);
        timeline.extend(fired(14_100).skip(13_900));
        assert_eq!(timeline.column_of(Time(12_000_000), columns), 52, "now it is 16 s");
        assert_eq!(timeline.density(70).iter().sum::<usize>(), 14_100);
        let lengths = [0, 4, 5, 8, 9, 16, 17, 100_000].map(|n| roomy(Span::secs(n)).0 / 1_000_000);
        assert_eq!(lengths, [4, 4, 5, 8, 10, 16, 20, 114_688]);
    }

    #[test]
    fn marks_lead_from_violation_to_violation_and_fault_to_fault() {
        let events = run(1, 1_000, STORY);
        let mut timeline = timeline(&events);
        timeline.note_violation(500, "late");
        timeline.note_violation(100, "early");
        timeline.start();
        assert!(timeline.next_violation() && timeline.position() == 101);
        assert!(timeline.next_violation() && timeline.position() == 501);
        assert!(!timeline.next_violation() && timeline.previous_violation());
        assert_eq!(timeline.position(), 101);
        assert!(timeline.next_mark(|kind| kind == MarkKind::Fault));
        assert_eq!(
            timeline.event().and_then(Event::command).map(ToString::to_string).as_deref(),
            Some("kill n2 keep")
        );
        assert_eq!(timeline.viewed().violations(), 2);
        timeline.fork(200);
        assert_eq!(timeline.viewed().violations(), 1);
    }

    #[test]
    fn undo_finds_the_last_command_before_the_cursor() {
        let events = run(1, 1_000, STORY);
        let mut timeline = timeline(&events);
        let last = |timeline: &Timeline| timeline.last_command().map(|(_, c)| c.to_string());
        assert_eq!(last(&timeline).as_deref(), Some("clock n4 drift 5000"));
        let (index, _) = timeline.last_command().unwrap();
        timeline.fork(index);
        assert_eq!(last(&timeline).as_deref(), Some("partition n1,n2 | n3,n4,n5"));
        timeline.start();
        assert_eq!(last(&timeline), None);
    }

    #[test]
    fn the_quorum_track_says_when_there_was_none() {
        let story = [(100, "partition n1,n2 | n3,n4 | n5"), (500, "heal n1,n2 ~ n3,n4")];
        let timeline = timeline(&run(1, 900, &story));
        let had: Vec<bool> = timeline.viewed().quorum().iter().map(|(_, had)| *had).collect();
        assert_eq!(had, [true, false, true]);
    }

    #[test]
    fn leaders_are_marked() {
        let mut timeline = Timeline::default();
        let (at, node) = (Time(5), NodeId::node(3));
        let fact = Fact::Leads { ballot: Ballot::new(1, node) };
        timeline.extend([Event { at, node, kind: Kind::Fact(fact) }]);
        let mark = &timeline.viewed().marks()[0];
        assert_eq!((mark.kind, &*mark.text), (MarkKind::Leader, "n3 leads 1.3"));
    }
}
