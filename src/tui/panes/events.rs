//! What happened, newest first.
//!
//! In the overview, messages and timers are left out, and what every replica says is shown once:
//! they are thousands a second, and what they lead to is said by other facts. Zoomed, everything is
//! there, in full.

use super::{Item, Mark, Pane, Scene};
use crate::base::{NodeId, Outcome};
use crate::event::{Event, Fact, Freed, Kind};
use crate::tui::frame::{self, Title};
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// How many events are looked at to fill the list. Where nothing else happens for so long, the list
/// ends.
const REACH: usize = 20_000;

/// How many events a list has on either side of the selected one.
const LISTED: usize = 200;

/// The pane.
#[derive(Debug)]
pub(super) struct Events;

/// Whether an event is worth a row. What every replica says alike is taken from the leader.
fn shown(zoomed: bool, leader: Option<NodeId>, event: &Event) -> bool {
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
            Granted { .. } | Queued { .. } | Freed { .. } => leader,
            Renewed { .. } | LockIs { .. } | Serves { .. } | Yields { .. } | Load { .. } => false,
            Guards { accepted, .. } => !accepted,
            Resolves { .. } | Ends { .. } | Invokes { .. } => false,
            Restates | Restated => false,
            Returns { outcome, .. } => **outcome == Outcome::Unknown,
            _ => true,
        },
        _ => true,
    }
}

/// Whose word counts where all say the same.
fn leader(scene: &Scene<'_>) -> Option<NodeId> {
    scene.board.leader().map(|(leader, _)| leader)
}

/// What happened, in few words: the overview has little room.
fn brief(event: &Event) -> String {
    let Kind::Fact(fact) = &event.kind else { return event.kind.to_string() };
    match fact {
        Fact::Applies { slot, entry, .. } => format!("commit {slot} {}", entry.op),
        Fact::Granted { lock, call, token, .. } => format!("{lock} → {} t{token}", call.client),
        Fact::Queued { lock, call, ahead, .. } => {
            format!("{lock} queues {} behind {ahead}", call.client)
        }
        Fact::Freed { lock, token, why: Freed::Expired, .. } => format!("{lock} t{token} expired"),
        Fact::Freed { lock, token, .. } => format!("{lock} t{token} released"),
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
        Fact::Returns { call, .. } => format!("{call} unknown: timed out"),
        Fact::Chooses { slot: 0, entry } => format!("chosen {}", entry.op),
        fact => fact.to_string(),
    }
}

/// The indices of the rows at and before `from`, newest first.
fn rows<'a>(scene: &Scene<'a>, from: usize) -> impl Iterator<Item = usize> + use<'a> {
    let (events, scene) = (scene.timeline.events(), *scene);
    let leader = leader(&scene);
    let end = from.saturating_add(1);
    let window = events.range(end.saturating_sub(REACH)..end).rev();
    window.filter(move |(_, event)| shown(scene.zoomed, leader, event)).map(|(index, _)| index)
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
        Kind::Fact(Fact::Guards { accepted: false, .. } | Fact::Votes { yes: false, .. }) => {
            (" ", Role::Bad)
        }
        Kind::Sent { .. } | Kind::Received { .. } => (" ", Role::Muted),
        Kind::Fired { .. } | Kind::Armed { .. } => (" ", Role::Muted),
        _ => (" ", Role::Text),
    }
}

fn line(scene: &Scene<'_>, index: usize) -> Line<'static> {
    let Some(event) = scene.timeline.events().get(index) else { return Line::default() };
    let (mark, role) = mark(scene, index, event);
    let (secs, millis) = (event.at.0 / 1_000_000, event.at.0 / 1_000 % 1_000);
    let number = if scene.zoomed { format!("{index:>7} ") } else { String::new() };
    let text = match &event.kind {
        Kind::Commanded(command) => command.to_string(),
        kind if scene.zoomed => kind.to_string(),
        _ => brief(event),
    };
    let text = match scene.look.glyphs.is_ascii() {
        true => text.replace('→', "->").replace('←', "<-").replace('×', "x"),
        false => text,
    };
    let style = scene.look.style(role);
    Line::from(vec![
        Span::styled(mark, style),
        Span::styled(number, scene.look.style(Role::Muted)),
        Span::raw(format!("{secs:>3}.{millis:03} {:<3} ", event.node)),
        Span::styled(text, style),
    ])
}

impl Pane for Events {
    fn about(&self) -> &'static str {
        "What happened, newest first. The overview leaves out messages and timers; zoom (z) shows \
         them too. The first column marks faults, crashes, new leaders and broken checks. Enter a \
         moment of the past with , and < and come back with G."
    }

    fn views(&self) -> &'static [&'static str] {
        &["newest first"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let from = scene.select.event.unwrap_or(newest(scene));
        let newer = scene.timeline.events().range(from + 1..newest(scene) + 1).take(LISTED);
        let start = newer.last().map_or(from, |(index, _)| index);
        let item = |index: usize| {
            let event = scene.timeline.events().get(index)?;
            let item = Item::new(Mark::None, format!("#{index} {event}"));
            Some(item.selected(scene.select.event == Some(index)))
        };
        rows(scene, start).take(2 * LISTED).filter_map(item).collect()
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
        let area = area.intersection(buf.area);
        let selected = scene.select.event.filter(|index| *index <= newest(scene));
        let height = usize::from(area.height);
        let visible = |from: usize| -> Vec<usize> { rows(scene, from).take(height).collect() };
        let mut list = visible(newest(scene));
        if let (Some(selected), Some(last)) = (selected, list.last())
            && selected < *last
        {
            list = visible(selected);
        }
        if list.is_empty() && newest(scene) > 0 {
            let text = " messages only: z shows them";
            let line = Line::styled(text, scene.look.style(Role::Muted));
            frame::put(buf, area, &frame::cut(line, area.width.into(), scene.look.glyphs.ellipsis));
        }
        for (row, index) in area.rows().zip(list) {
            let line = frame::cut(line(scene, index), row.width.into(), scene.look.glyphs.ellipsis);
            frame::put(buf, row, &line);
            scene.spot(row, Pick::Event(index));
            if selected == Some(index) && scene.focused {
                frame::select(buf, row, scene.look);
            }
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let from = scene.select.event.unwrap_or(newest(scene)).min(newest(scene));
        let older = |steps: usize| rows(scene, from).take(steps + 1).last();
        let newer = |steps: usize| {
            let later = scene.timeline.events().range(from + 1..newest(scene) + 1).take(REACH);
            let leader = leader(scene);
            let rows = later.filter(|(_, event)| shown(scene.zoomed, leader, event));
            rows.take(steps).last().map(|(index, _)| index)
        };
        let event = match to {
            Move::Down | Move::Right => older(1),
            Move::PageDown => older(10),
            Move::Up | Move::Left => newer(1).or(scene.select.event),
            Move::PageUp => newer(10).or(scene.select.event),
            Move::First => rows(scene, newest(scene)).last(),
            Move::Last => None,
        };
        Select { event, ..scene.select.clone() }
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        let event = scene.select.event.and_then(|index| scene.timeline.events().get(index));
        match event.map(|event| (&event.kind, event.node)) {
            Some((Kind::Sent { msg, .. }, _)) if scene.board.network.flight(*msg).is_some() => {
                Target::Message(*msg)
            }
            Some((_, node)) if node != NodeId::BENCH => Target::Node(node),
            _ => Target::Nothing,
        }
    }
}
