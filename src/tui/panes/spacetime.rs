//! Space-time: lanes of processes, time running right, messages as lines from one to another.
//!
//! The window of time lies around the cursor of the scrubber, and moves along if the selected event
//! is outside of it. What is later than the cursor is drawn muted: it was recorded, but has not
//! happened yet where one looks. Where there is no room for lanes, and with letters only, there are
//! rows instead, one for each event, time running down.
//!
//! The picture is drawn in three layers: `stroke` the lines of messages, in dots;
//! `lanes` what stands on them, in characters; `detail` what is selected, in words.

mod detail;
mod ladder;
mod lanes;

use super::{Item, Mark, Pane, Scene};
use crate::base::{MsgId, NodeId, Span, Time};
use crate::event::{Event, Kind};
use crate::tui::frame::Title;
use crate::tui::mode::{Choice, Mode};
use crate::tui::select::{Move, Pick, Select, Target};
use crate::view::flow::{self, Flow, Lanes, Message, Sign, Window};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// How long the window is. The first is what it is unless told otherwise; from there they go round,
/// ever closer.
const LENGTH: Choice = Choice {
    key: 'w',
    name: "window",
    doc: "time from left to right",
    values: &["40ms", "10ms", "4ms", "1ms", "10s", "4s", "1s", "400ms", "100ms"],
};
const HEARTBEATS: Choice =
    Choice { key: 'h', name: "heartbeats", doc: "heartbeats", values: &["fold", "show"] };
const QUIET: Choice =
    Choice { key: 'e', name: "quiet", doc: "votes, timers, promises", values: &["fold", "show"] };
const ONLY: Choice = Choice {
    key: 'n',
    name: "messages",
    doc: "messages of",
    values: &["all", "the selected node"],
};
const HIDDEN: Choice =
    Choice { key: 'x', name: "hide", doc: "hidden lanes, as n3,n5", values: &[] };

/// More lanes than this are not told apart.
const MOST_LANES: usize = 9;
/// Notches of the wheel from one end of the window to the other.
const NOTCHES: u64 = 10;
/// How many events are searched for the next one on a lane.
const SEARCH: usize = 50_000;
/// Rows of the list.
const LISTED: usize = 200;

/// The pane.
#[derive(Debug)]
pub(super) struct SpaceTime;

impl Pane for SpaceTime {
    fn about(&self) -> &'static str {
        "Who sent what to whom, and when. Each process has a lane, time runs right, and a message is \
         a line from the lane that sends it to the lane that receives it. A dashed line is lost or \
         still under way. The bar is the cursor, the same as on the timeline; what is right of it \
         is recorded, but has not happened yet where you look. Left and Right go from event to \
         event on the lane, Up and Down to another lane; + and - show less or more time, and the \
         wheel goes through it. x drops \
         the selected message, in the past in a branch that begins where it was sent. Heartbeats, \
         votes and timers are folded: the title says how many."
    }

    fn views(&self) -> &'static [&'static str] {
        &["lanes", "ladder"]
    }

    fn options(&self) -> &'static [Choice] {
        &[LENGTH, HEARTBEATS, QUIET, ONLY, HIDDEN]
    }

    fn scale(&self, mode: &mut Mode, closer: bool) {
        let at = LENGTH.values.iter().position(|value| *value == mode.value(&LENGTH)).unwrap_or(0);
        let ordered: Vec<usize> = (4..LENGTH.values.len()).chain(0..4).collect();
        let place = ordered.iter().position(|other| *other == at).unwrap_or(0);
        let next = if closer { place + 1 } else { place.wrapping_sub(1) };
        if let Some(at) = ordered.get(next) {
            mode.choose(&LENGTH, LENGTH.values[*at]);
        }
    }

    fn notch(&self, mode: &Mode) -> Option<Span> {
        Some(Span(length(mode).0 / NOTCHES))
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let view = View::of(scene, MOST_LANES);
        let rows = ladder::rows(&view);
        let near = rows.iter().position(|row| row.is_selected()).unwrap_or(rows.len());
        let first = near.saturating_sub(LISTED / 2);
        let item = |row: &ladder::Step| {
            let text = format!("{} {}", super::table::clock(row.at), row.text);
            Item::new(Mark::None, text).selected(row.is_selected()).picks(Pick::Event(row.index))
        };
        rows.iter().skip(first).take(LISTED).map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let view = View::of(scene, MOST_LANES);
        let mut parts = Vec::new();
        let (beats, quiet) = (view.folded(), view.quiet());
        let (before, after) = view.flow.left_out;
        let mut tell = |count: usize, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        tell(beats, "heartbeats folded");
        tell(quiet, "quiet");
        tell(before + after, "not looked at");
        parts.push(format!("{} wide", scene.mode.value(&LENGTH)));
        Title { summary: parts.join("  ").into(), ..Title::default() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let room = lanes::Room::of(scene, area);
        let ladder = scene.mode.view(self.views()) == "ladder";
        match room.filter(|_| !ladder) {
            Some(room) => lanes::draw(&View::of(scene, room.lanes.min(MOST_LANES)), &room, buf),
            None => ladder::draw(&View::of(scene, MOST_LANES), area, buf),
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let steps = |to| if matches!(to, Move::PageUp | Move::PageDown) { 10 } else { 1 };
        match to {
            Move::Left | Move::PageUp => {
                let found = walk(scene, select.node, false, steps(to));
                select.event = found.or(select.event);
            }
            Move::Right | Move::PageDown => {
                let found = walk(scene, select.node, true, steps(to));
                select.event = found.or(select.event);
            }
            Move::Up | Move::Down => {
                let hidden = hidden(scene.mode);
                let ids = scene.board.nodes.ids().iter().filter(|id| !hidden.contains(id));
                let ids: Vec<NodeId> = ids.copied().collect();
                select.node = to.along(Some(&select.node), &ids).unwrap_or(select.node);
                select.event = nearest(scene, select.node);
            }
            Move::First | Move::Last => select.event = None,
        }
        select
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        let event = scene.select.event.and_then(|index| scene.timeline.events().get(index));
        match event.map(|event| (&event.kind, event.node)) {
            Some((kind, _)) if message_of(kind).is_some() => {
                message_of(kind).map_or(Target::Nothing, Target::Message)
            }
            _ => Target::Node(scene.select.node),
        }
    }
}

/// The message that an event is about.
pub(super) fn message_of(kind: &Kind) -> Option<MsgId> {
    match kind {
        Kind::Sent { msg, .. }
        | Kind::Received { msg, .. }
        | Kind::Lost { msg, .. }
        | Kind::Held { msg, .. } => Some(*msg),
        _ => None,
    }
}

/// All that the events around here tell of one message.
pub(super) struct Told {
    /// The message.
    pub message: Message,
    /// What became of it up to the cursor.
    pub fate: (String, crate::tui::theme::Role),
    /// What came right before it was sent.
    pub before: Vec<String>,
    /// What came right after it was received.
    pub after: Vec<String>,
}

/// What the events tell of a message: of one that is under way, or that the selected event is
/// about.
pub(super) fn told(scene: &Scene<'_>, msg: MsgId) -> Option<Told> {
    let (events, position) = (scene.timeline.events(), scene.timeline.position());
    let flight = scene.board.network.flight(msg).map(|flight| flight.sent);
    let selected = || events.get(scene.select.event?).map(|event| event.at);
    let at = flight.or_else(selected)?;
    let window = Window { from: at, to: at, position: events.upto(at) };
    let flow = Flow::read(events, &window);
    let message = flow.messages.into_iter().find(|message| message.id == msg)?;
    let text = |index: usize| events.get(index).map(|event| event.kind.to_string());
    let sent = message.sent.map(|(index, _)| flow::around(events, index)).unwrap_or_default();
    let end = message.ends.first().filter(|end| end.lost.is_none());
    let received = end.map(|end| flow::around(events, end.index)).unwrap_or_default();
    Some(Told {
        fate: detail::fate(&message, position),
        message,
        before: sent.before.into_iter().filter_map(text).collect(),
        after: received.after.into_iter().filter_map(text).collect(),
    })
}

/// Whose lanes are hidden.
fn hidden(mode: &Mode) -> BTreeSet<NodeId> {
    let names = mode.value(&HIDDEN).split([',', ' ']);
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

/// All that is drawn, and how.
struct View<'a> {
    scene: &'a Scene<'a>,
    window: Window,
    flow: Flow,
    lanes: Lanes,
}

impl<'a> View<'a> {
    /// The window around the cursor, with at most so many lanes.
    fn of(scene: &'a Scene<'a>, most: usize) -> View<'a> {
        let window = window(scene);
        let flow = Flow::read(scene.timeline.events(), &window);
        let (all, selected) = (scene.board.nodes.ids(), scene.select.node);
        let messages = flow.messages.iter().filter(|message| shows_message(scene, message));
        let lanes = Lanes::choose(messages, all, selected, &hidden(scene.mode), most);
        View { scene, window, flow, lanes }
    }

    /// Whether a message is drawn.
    fn shows(&self, message: &Message) -> bool {
        shows_message(self.scene, message)
            && self.lanes.of(message.from) != self.lanes.of(message.to)
    }

    /// The messages that are drawn.
    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.flow.messages.iter().filter(|message| self.shows(message))
    }

    /// Whether a deed is drawn.
    fn shows_sign(&self, sign: Sign) -> bool {
        sign != Sign::Quiet || self.scene.mode.value(&QUIET) == "show"
    }

    /// How many heartbeats are not drawn.
    fn folded(&self) -> usize {
        let folds = self.scene.mode.value(&HEARTBEATS) == "fold";
        self.flow.messages.iter().filter(|message| folds && message.is_heartbeat()).count()
    }

    /// How many deeds are not drawn.
    fn quiet(&self) -> usize {
        self.flow.deeds.iter().filter(|deed| !self.shows_sign(deed.sign)).count()
    }

    /// Whether what the event of this index tells is later than the cursor.
    fn is_ahead(&self, index: usize) -> bool {
        index >= self.window.position
    }

    /// The selected message.
    fn picked(&self) -> Option<&Message> {
        self.flow.message_of(self.scene.select.event?)
    }

    /// What a process was at the cursor, in a partition: the letter of its side.
    fn letter(&self, id: NodeId) -> char {
        self.scene.board.group(id).unwrap_or(' ')
    }
}

fn shows_message(scene: &Scene<'_>, message: &Message) -> bool {
    let selected = scene.select.node;
    let mine = message.from == selected || message.to == selected;
    let beats = scene.mode.value(&HEARTBEATS) == "show" || !message.is_heartbeat();
    beats && (mine || scene.mode.value(&ONLY) == "all")
}

/// From the left of the window to its right.
fn length(mode: &Mode) -> Span {
    mode.value(&LENGTH).parse().unwrap_or(Span::millis(40))
}

/// The window of time: around the cursor, and so that the selected event is in it.
fn window(scene: &Scene<'_>) -> Window {
    let length = length(scene.mode);
    let (now, position) = (scene.board.now, scene.timeline.position());
    let part = |percent: u64| Span(length.0 / 100 * percent);
    // At the end of the run there is nothing on the right of the cursor.
    let ahead = if position == scene.timeline.events().len() { part(4) } else { part(36) };
    let mut to = now + ahead;
    let event = scene.select.event.and_then(|index| scene.timeline.events().get(index));
    if let Some(event) = event {
        let from = to - length;
        if event.at > to - part(2) || event.at < from + part(2) {
            to = event.at + part(50);
        }
    }
    let from = to - length;
    Window { from, to: (from + length).max(Time(from.0 + 1)), position }
}

/// Whether the selection stops at an event of a lane.
fn stops(scene: &Scene<'_>, lane: NodeId, event: &Event) -> bool {
    let folds = |choice| scene.mode.value(choice) == "fold";
    match &event.kind {
        _ if event.node != lane => false,
        Kind::Sent { service, label, .. } | Kind::Received { service, label, .. } => {
            !(folds(&HEARTBEATS) && flow::is_heartbeat(Some(*service), label))
        }
        Kind::Lost { .. } | Kind::Held { .. } | Kind::Commanded(_) => false,
        kind => Sign::of(kind) != Sign::Quiet || !folds(&QUIET),
    }
}

/// The event so many stops further on a lane, or back: the last one that there is.
fn walk(scene: &Scene<'_>, lane: NodeId, forward: bool, steps: usize) -> Option<usize> {
    let (events, position) = (scene.timeline.events(), scene.timeline.position());
    let stop = |(index, event): (usize, &Event)| stops(scene, lane, event).then_some(index);
    match forward {
        true => {
            let from = scene.select.event.map_or(position, |index| index + 1);
            let later = events.range(from..from.saturating_add(SEARCH));
            later.filter_map(stop).take(steps).last()
        }
        false => {
            let to = scene.select.event.unwrap_or(position);
            let earlier = events.range(to.saturating_sub(SEARCH)..to).rev();
            earlier.filter_map(stop).take(steps).last()
        }
    }
}

/// The stop on a lane that is nearest to the selected event in time.
fn nearest(scene: &Scene<'_>, lane: NodeId) -> Option<usize> {
    let index = scene.select.event?;
    let at = scene.timeline.events().get(index)?.at;
    let on = |select: Option<usize>| {
        let select = Select { event: select, ..scene.select.clone() };
        let scene = Scene { select: &select, ..*scene };
        [walk(&scene, lane, false, 1), walk(&scene, lane, true, 1)]
    };
    let time = |index: &usize| scene.timeline.events().get(*index).map(|event| event.at);
    let distance = |index: &usize| time(index).map(|t| t.since(at).0 + at.since(t).0);
    on(Some(index)).into_iter().flatten().min_by_key(distance)
}
