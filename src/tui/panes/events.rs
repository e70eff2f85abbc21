//! What happened, newest first.
//!
//! In the overview, messages and timers are left out, and what every replica says is shown once:
//! they are thousands a second, and what they lead to is said by other facts. Zoomed, everything is
//! there, in full.

use super::spacetime::message_of;
use super::table::thousands;
use super::{Item, Mark, Pane, Scene};
use crate::base::{NodeId, Outcome};
use crate::event::{Balancing, Caching, Event, Fact, Feels, Freed, Kind, SessionFact};
use crate::tui::frame::{self, Title};
use crate::tui::mode::Choice;
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use crate::view::filter::{Filter, FilterError};
use crate::view::tape::Tape;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// How many events are looked at to fill the list. Where nothing else happens for so long, the list
/// ends.
const REACH: usize = 20_000;

/// How many events a list has on either side of the selected one.
const LISTED: usize = 200;

/// What the list is narrowed to.
pub const FILTER: Choice =
    Choice { key: 'f', name: "filter", doc: "only what matches", values: &[] };
const FOLD: Choice =
    Choice { key: 'e', name: "equal", doc: "equal events in a row", values: &["fold", "show"] };

/// The pane.
#[derive(Debug)]
pub(super) struct Events;

/// Whether an event is worth a row. What every replica says alike is taken from the leader.
pub(super) fn shown(zoomed: bool, leader: Option<NodeId>, event: &Event) -> bool {
    use Fact::*;
    if zoomed {
        return true;
    }
    let leader = leader.is_none_or(|leader| leader == event.node);
    match &event.kind {
        Kind::Sent { .. } | Kind::Received { .. } => false,
        Kind::Fired { .. } | Kind::Armed { .. } => false,
        Kind::Lost { .. } | Kind::Held { .. } => false,
        Kind::Fact(fact) => match fact {
            Acceptor { .. } | Promises { .. } | Accepts { .. } => false,
            Chooses { slot, .. } => *slot == 0 && leader,
            Proposes { slot, .. } | Refuses { slot, .. } => *slot == 0,
            Applies { .. } | View { .. } | Settled { .. } | Snapshot { .. } => leader,
            Granted { .. } | Queued { .. } | Freed { .. } | Left { .. } => leader,
            Session(fact) => tells(fact, leader),
            Renewed { .. } | LockIs { .. } | Serves { .. } | Yields { .. } => false,
            Load { .. } | Backlog { .. } => false,
            Guards { accepted, .. } => !accepted,
            Resolves { .. } | Ends { .. } | Invokes { .. } => false,
            Balance(fact) => matches!(fact, Balancing::Rates { .. } | Balancing::Serves { .. }),
            Cache(fact) => matches!(fact, Caching::Rejects { .. } | Caching::Caches { .. }),
            Restates | Restated => false,
            Returns { outcome, .. } => **outcome == Outcome::Unknown,
            _ => true,
        },
        _ => true,
    }
}

/// Whether a statement about sessions is worth a row: signs of life are not.
fn tells(fact: &SessionFact, leader: bool) -> bool {
    match fact {
        SessionFact::Ended { .. }
        | SessionFact::Removed { .. }
        | SessionFact::Delays { .. }
        | SessionFact::Lifted { .. }
        | SessionFact::Checked { .. } => leader,
        SessionFact::Open { slot, session, .. } => leader && slot == session,
        SessionFact::Feels { feels, .. } => *feels != Feels::Connected,
        SessionFact::Tells { .. } => true,
        _ => false,
    }
}

/// What happened, in few words: the overview has little room.
pub(super) fn brief(event: &Event) -> String {
    let Kind::Fact(fact) = &event.kind else { return event.kind.to_string() };
    match fact {
        Fact::Applies { slot, entry, .. } => format!("commit {slot} {}", entry.op),
        Fact::Granted { lock, call, token, .. } => format!("{lock} → {} t{token}", call.client),
        Fact::Queued { lock, call, ahead, .. } => {
            format!("{lock} queues {} behind {ahead}", call.client)
        }
        Fact::Freed { lock, token, why: Freed::Expired, .. } => format!("{lock} t{token} expired"),
        Fact::Freed { lock, token, why: Freed::Released, .. } => {
            format!("{lock} t{token} released")
        }
        Fact::Freed { lock, token, why: Freed::Ended, .. } => {
            format!("{lock} t{token}: session ended")
        }
        Fact::Left { lock, call, .. } => format!("{} leaves the queue of {lock}", call.client),
        Fact::Holds { lock, token, .. } => format!("holds {lock} t{token}"),
        Fact::LetsGo { lock, token, .. } => format!("lets go of {lock} t{token}"),
        Fact::Guards { resource, token, highest, .. } => {
            format!("{resource} rejects t{token} < t{highest}")
        }
        Fact::Votes { txn, yes, .. } => format!("{txn} {}", if *yes { "yes" } else { "no" }),
        Fact::Decides { txn, commit } => {
            format!("{txn} {}", if *commit { "COMMIT" } else { "ABORT" })
        }
        Fact::Begins { txn, op, .. } => format!("{txn} {op}"),
        Fact::Returns { call, outcome } if **outcome == Outcome::Unknown => {
            format!("{call} unknown: timed out")
        }
        Fact::Chooses { slot: 0, entry } => format!("chosen {}", entry.op),
        fact => fact.to_string(),
    }
}

/// What is listed: what the filter lets through, or else what is worth a row.
struct Sieve {
    filter: Result<Filter, FilterError>,
    folds: bool,
    zoomed: bool,
    leader: Option<NodeId>,
}

impl Sieve {
    fn of(scene: &Scene<'_>) -> Sieve {
        let leader = scene.board.leader().map(|(leader, _)| leader);
        let filter = scene.mode.value(&FILTER).parse();
        let folds = scene.mode.value(&FOLD) == "fold";
        Sieve { filter, folds, zoomed: scene.zoomed, leader }
    }

    fn lets(&self, event: &Event) -> bool {
        match &self.filter {
            Ok(filter) if !filter.is_empty() => filter.wants(event),
            _ => shown(self.zoomed, self.leader, event),
        }
    }

    /// The rows at and before `from`, newest first.
    fn rows<'a>(&'a self, tape: &'a Tape, from: usize) -> impl Iterator<Item = Entry> + use<'a> {
        let end = from.saturating_add(1);
        let events = tape.range(end.saturating_sub(REACH)..end).rev();
        let events = events.filter(|(_, event)| self.lets(event));
        Folding { events: events.peekable(), folds: self.folds }
    }

    /// The rows behind `from`, oldest first, up to `to`.
    fn later<'a>(
        &'a self,
        tape: &'a Tape,
        from: usize,
        to: usize,
    ) -> impl Iterator<Item = Entry> + use<'a> {
        let events = tape.range(from + 1..to + 1).take(REACH);
        let events = events.filter(|(_, event)| self.lets(event));
        Folding { events: events.peekable(), folds: self.folds }
    }
}

/// A row: an event, and others like it right beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    newest: usize,
    oldest: usize,
    count: usize,
    /// Whether all are of one process.
    alone: bool,
}

impl Entry {
    fn has(&self, index: usize) -> bool {
        (self.oldest..=self.newest).contains(&index)
    }
}

/// Folds events that are alike and side by side.
struct Folding<I: Iterator> {
    events: std::iter::Peekable<I>,
    folds: bool,
}

impl<'a, I: Iterator<Item = (usize, &'a Event)>> Iterator for Folding<I> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let (index, event) = self.events.next()?;
        let mut entry = Entry { newest: index, oldest: index, count: 1, alone: true };
        if !self.folds {
            return Some(entry);
        }
        let like = |other: &Event| alike(&event.kind, &other.kind);
        while let Some((index, other)) = self.events.next_if(|(_, other)| like(other)) {
            entry.newest = entry.newest.max(index);
            entry.oldest = entry.oldest.min(index);
            entry.count += 1;
            entry.alone &= other.node == event.node;
        }
        Some(entry)
    }
}

/// Whether two events say the same, numbers of messages aside.
fn alike(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (
            Kind::Sent { service: a, label: says, .. },
            Kind::Sent { service: b, label: other, .. },
        )
        | (
            Kind::Received { service: a, label: says, .. },
            Kind::Received { service: b, label: other, .. },
        ) => (a, says.kind()) == (b, other.kind()),
        (Kind::Lost { why: a, .. }, Kind::Lost { why: b, .. }) => a == b,
        (Kind::Held { .. }, Kind::Held { .. }) => true,
        (Kind::Fired { .. }, Kind::Fired { .. }) | (Kind::Fact(_), Kind::Fact(_)) => a == b,
        _ => false,
    }
}

/// What rows that were folded say: what they have in common.
fn common(entry: &Entry, event: &Event) -> String {
    let text = match &event.kind {
        Kind::Sent { service, label, .. } => format!("→ {service} {}", label.kind()),
        Kind::Received { service, label, .. } => format!("← {service} {}", label.kind()),
        Kind::Lost { why, .. } => format!("× lost: {why}"),
        Kind::Held { .. } => "‖ held".to_owned(),
        _ => brief(event),
    };
    format!("{} x {text}", entry.count)
}

/// The newest event that can be seen: the one under the cursor, or the last.
fn newest(scene: &Scene<'_>) -> usize {
    scene.timeline.position().saturating_sub(1)
}

/// The sign in the first column, and the role of the row.
fn mark(scene: &Scene<'_>, index: usize, event: &Event) -> (&'static str, Role) {
    let glyphs = scene.look.glyphs;
    if scene.checks.violations().any(|violation| violation.at == index) {
        return (glyphs.violation, Role::Violation);
    }
    match &event.kind {
        Kind::Commanded(_) => (glyphs.fault, Role::Warn),
        Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } => {
            (glyphs.down, Role::Bad)
        }
        Kind::Lost { .. } => (glyphs.lost, Role::Bad),
        Kind::Missed { .. } => ("?", Role::Warn),
        Kind::Fact(Fact::Leads { .. }) => (glyphs.leader, Role::Leader),
        Kind::Fact(Fact::Seeks { .. }) => (glyphs.candidate, Role::Candidate),
        Kind::Fact(Fact::Suspects { .. }) => ("?", Role::Warn),
        Kind::Fact(Fact::Dead { .. }) => (glyphs.down, Role::Warn),
        Kind::Fact(Fact::Guards { accepted: false, .. } | Fact::Votes { yes: false, .. }) => {
            (" ", Role::Bad)
        }
        Kind::Sent { .. } | Kind::Received { .. } => (" ", Role::Muted),
        Kind::Fired { .. } | Kind::Armed { .. } => (" ", Role::Muted),
        _ => (" ", Role::Text),
    }
}

fn line(scene: &Scene<'_>, sieve: &Sieve, entry: &Entry) -> Line<'static> {
    let index = entry.newest;
    let Some(event) = scene.timeline.events().get(index) else { return Line::default() };
    let (mark, role) = mark(scene, index, event);
    let (secs, millis) = (event.at.0 / 1_000_000, event.at.0 / 1_000 % 1_000);
    let number = if scene.zoomed { format!("{index:>7} ") } else { String::new() };
    let filtered = sieve.filter.as_ref().is_ok_and(|filter| !filter.is_empty());
    let text = match &event.kind {
        _ if entry.count > 1 => common(entry, event),
        Kind::Commanded(command) => command.brief(),
        kind if scene.zoomed || filtered => kind.to_string(),
        _ => brief(event),
    };
    let text = match scene.look.glyphs.is_ascii() {
        true => text.replace('→', "->").replace('←', "<-").replace('×', "x").replace('‖', "="),
        false => text,
    };
    let node = if entry.alone { event.node.to_string() } else { "..".to_owned() };
    let style = scene.look.style(role);
    Line::from(vec![
        Span::styled(mark, style),
        Span::styled(number, scene.look.style(Role::Muted)),
        Span::raw(format!("{secs:>3}.{millis:03} {node:<3} ")),
        Span::styled(text, style),
    ])
}

/// The filter, if there is one: always in sight, so that nobody takes a part for the whole.
fn filter_lines(scene: &Scene<'_>, sieve: &Sieve) -> Vec<Line<'static>> {
    let look = scene.look;
    let accent = look.style(Role::Accent);
    match &sieve.filter {
        Ok(filter) if filter.is_empty() => Vec::new(),
        Ok(filter) => {
            let mut line = Line::from(Span::styled(format!(" filter: {filter}"), accent));
            line.push_span(Span::styled("  n/N: match  Esc: all", look.style(Role::Muted)));
            vec![line]
        }
        Err(error) => {
            let bad = look.style(Role::Bad);
            let text = scene.mode.value(&FILTER);
            vec![
                Line::styled(format!(" filter: {text}"), bad),
                Line::styled(format!(" wrong {error}"), bad),
            ]
        }
    }
}

impl Pane for Events {
    fn about(&self) -> &'static str {
        "What happened, newest first. The overview leaves out messages and timers; zoom (z) shows \
         them too. The first column marks faults, crashes, new leaders and broken checks. Events \
         that say the same stand in one row, with their number. / narrows the list, as in node:n1 \
         kind:fault t>3s; n and N go to the next match and the one before. Enter a moment of the \
         past with , and < and come back with G."
    }

    fn views(&self) -> &'static [&'static str] {
        &["newest first"]
    }

    fn options(&self) -> &'static [Choice] {
        &[FILTER, FOLD]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let (events, sieve) = (scene.timeline.events(), Sieve::of(scene));
        let from = scene.select.event.unwrap_or(newest(scene));
        let newer = sieve.later(events, from, newest(scene)).take(LISTED);
        let start = newer.last().map_or(from, |entry| entry.newest);
        let item = |entry: Entry| {
            let event = events.get(entry.newest)?;
            let text = match entry.count {
                1 => format!("#{} {event}", entry.newest),
                _ => format!("#{} {} {}", entry.newest, event.at, common(&entry, event)),
            };
            let selected = scene.select.event.is_some_and(|index| entry.has(index));
            Some(Item::new(Mark::None, text).selected(selected).picks(Pick::Event(entry.newest)))
        };
        sieve.rows(events, start).take(2 * LISTED).filter_map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let newer = scene.timeline.events().len() - scene.timeline.position();
        let summary = match newer {
            0 => Line::default(),
            n => Line::from(format!("{n} newer")),
        };
        Title { summary, ..Title::default() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let mut area = area.intersection(buf.area);
        let (events, sieve) = (scene.timeline.events(), Sieve::of(scene));
        let ellipsis = scene.look.glyphs.ellipsis;
        for line in filter_lines(scene, &sieve) {
            let row = super::table::take(&mut area, 1);
            frame::put(buf, row, &frame::cut(line, row.width.into(), ellipsis));
        }
        let selected = scene.select.event.filter(|index| *index <= newest(scene));
        let height = usize::from(area.height);
        let visible =
            |from: usize| -> Vec<Entry> { sieve.rows(events, from).take(height).collect() };
        let mut list = visible(newest(scene));
        if let (Some(selected), Some(last)) = (selected, list.last())
            && selected < last.oldest
        {
            list = visible(selected);
        }
        if list.is_empty() && newest(scene) > 0 {
            let filtered = !scene.mode.value(&FILTER).is_empty();
            let text = match filtered {
                true => format!(" nothing of that in the last {} events", thousands(REACH as u64)),
                false => " messages only: z shows them".to_owned(),
            };
            let line = Line::styled(text, scene.look.style(Role::Muted));
            frame::put(buf, area, &frame::cut(line, area.width.into(), ellipsis));
        }
        for (row, entry) in area.rows().zip(list) {
            let line = frame::cut(line(scene, &sieve, &entry), row.width.into(), ellipsis);
            frame::put(buf, row, &line);
            scene.spot(row, Pick::Event(entry.newest));
            if selected.is_some_and(|index| entry.has(index)) && scene.focused {
                frame::select(buf, row, scene.look);
            }
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let (events, sieve) = (scene.timeline.events(), Sieve::of(scene));
        let newest = newest(scene);
        let from = scene.select.event.unwrap_or(newest).min(newest);
        let older = |steps: usize| {
            let last = sieve.rows(events, from).take(steps + 1).last();
            last.map(|entry| entry.newest)
        };
        let newer = |steps: usize| {
            let last = sieve.later(events, from, newest).take(steps).last();
            last.map(|entry| entry.newest)
        };
        let event = match to {
            Move::Down | Move::Right => older(1),
            Move::PageDown => older(10),
            Move::Up | Move::Left => newer(1).or(scene.select.event),
            Move::PageUp => newer(10).or(scene.select.event),
            Move::First => sieve.rows(events, newest).last().map(|entry| entry.newest),
            Move::Last => None,
        };
        Select { event, ..scene.select.clone() }
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        let event = scene.select.event.and_then(|index| scene.timeline.events().get(index));
        match event.map(|event| (&event.kind, event.node)) {
            Some((kind, _)) if message_of(kind).is_some() => {
                message_of(kind).map_or(Target::Nothing, Target::Message)
            }
            Some((_, node)) if node != NodeId::BENCH => Target::Node(node),
            _ => Target::Nothing,
        }
    }
}
