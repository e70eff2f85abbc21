//! Rows instead of lanes: one for each message and deed, time running down.

use super::super::row::{self, Row};
use super::super::table::{Mark, clock};
use super::lanes::label;
use super::{View, detail};
use crate::base::{NodeId, Time};
use crate::event::Event;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::flow::{Message, Sign};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What a row needs besides the lanes.
const WORDS: u16 = 40;

/// One row.
pub(super) struct Step {
    /// The event that it tells of.
    pub index: usize,
    /// When.
    pub at: Time,
    /// In words.
    pub text: String,
    role: Role,
    /// From which lane to which; both the same for what happens on one.
    lanes: Option<(usize, usize)>,
    /// What stands where it ends, or happens.
    symbol: &'static str,
    selected: bool,
}

impl Step {
    /// Whether it tells of the selected event.
    pub(super) fn is_selected(&self) -> bool {
        self.selected
    }
}

/// All rows of a window, in order.
pub(super) fn rows(view: &View<'_>) -> Vec<Step> {
    let events = view.scene.timeline.events();
    let mut steps: Vec<Step> = view.messages().filter_map(|message| step(view, message)).collect();
    for deed in view.flow.deeds.iter().filter(|deed| view.shows_sign(deed.sign)) {
        let Some(event) = events.get(deed.index) else { continue };
        let (_, symbol, role) = super::lanes::sign(view.scene.look, deed.sign);
        let lane = view.lanes.of(deed.node).map(|lane| (lane, lane));
        let text = format!("{} {}", deed.node, label(view.scene.look, event));
        let role = if deed.sign == Sign::Applies { Role::Text } else { role };
        steps.push(one(view, deed.index, (deed.at, text), role, lane, symbol));
    }
    for (index, at) in &view.flow.orders {
        let Some(command) = events.get(*index).and_then(Event::command) else { continue };
        let (symbol, text) = (view.scene.look.glyphs.fault, command.to_string());
        steps.push(one(view, *index, (*at, text), Role::Warn, None, symbol));
    }
    steps.sort_by_key(|step| step.index);
    steps
}

fn one(
    view: &View<'_>,
    index: usize,
    (at, text): (Time, String),
    role: Role,
    lanes: Option<(usize, usize)>,
    symbol: &'static str,
) -> Step {
    let selected = view.scene.select.event == Some(index);
    Step { index, at, text, role, lanes, symbol, selected }
}

/// The row of a message stands where it was sent.
fn step(view: &View<'_>, message: &Message) -> Option<Step> {
    let glyphs = view.scene.look.glyphs;
    let first = message.sent.or_else(|| message.ends.first().map(|end| (end.index, end.at)));
    let (index, at) = first.filter(|(index, _)| view.flow.range.contains(index))?;
    let (from, to) = (view.lanes.of(message.from)?, view.lanes.of(message.to)?);
    let (fate, role) = detail::fate(message, usize::MAX);
    let role = if role == Role::Ok { Role::Text } else { role };
    let lost = message.ends.iter().any(|end| end.lost.is_some());
    let symbol = if lost { glyphs.lost } else { glyphs.receive };
    let arrow = glyphs.arrow;
    let what = match message.label.kind() {
        "" => message.service.map_or("?", |service| service.name()),
        kind => kind,
    };
    let fate = fate.strip_prefix("took ").unwrap_or(&fate);
    let text = format!("{} {arrow} {} {what}  {fate}", message.from, message.to);
    let mut step = one(view, index, (at, text), role, Some((from, to)), symbol);
    let is = |index: usize| view.scene.select.event == Some(index);
    step.selected |= message.ends.iter().any(|end| is(end.index));
    step.selected |= message.held.is_some_and(|(index, _)| is(index));
    Some(step)
}

/// Draws the rows around the selected one, or around the cursor.
pub(super) fn draw(view: &View<'_>, area: Rect, buf: &mut Buffer) {
    let look = view.scene.look;
    let steps = rows(view);
    let count = view.lanes.count() as u16;
    let room = area.width.saturating_sub(WORDS);
    let cell = [5, 4, 3, 2].into_iter().find(|cell| cell * count <= room).unwrap_or(0);
    let (head, body) = row::split(area, 1);
    row::put(head, buf, &[Row::muted(look, heading(view, cell.into()))]);
    if steps.is_empty() {
        row::put(body, buf, &[Row::muted(look, "nothing happened here; - shows more time")]);
        return;
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut near = None;
    for step in &steps {
        if near.is_none() && view.is_ahead(step.index) && rows.len() < steps.len() {
            near = Some(rows.len());
            let now = clock(view.scene.board.now);
            let line = "-".repeat(8);
            let text = format!("{line} cursor {now}: what follows is later {line}");
            rows.push(Row::plain(look).text(Role::Accent, text));
        }
        rows.push(
            shown(view, step, cell.into()).selected(step.selected).picks(Pick::Event(step.index)),
        );
    }
    let at = steps.iter().position(|step| step.selected);
    let at = at.map(|at| at + usize::from(near.is_some_and(|near| at >= near)));
    let at = at.or(near).unwrap_or(rows.len().saturating_sub(1));
    let window = super::super::table::window(rows.len(), at, body.height.into());
    row::put(body, buf, &rows[window.clone()]);
    for (place, row) in body.rows().zip(&rows[window]) {
        row.take_down(view.scene, place);
    }
}

fn heading(view: &View<'_>, cell: usize) -> String {
    let mut text = format!("{:<10}", "time");
    if cell > 1 {
        let name = |id: &NodeId| if cell < 3 { id.number().to_string() } else { id.to_string() };
        let lanes = view.lanes.own.iter().map(name);
        let others = (!view.lanes.others.is_empty()).then(|| "others".to_owned());
        for name in lanes.chain(others) {
            let name: String = name.chars().take(cell).collect();
            text.push_str(&format!("{name:<cell$}"));
        }
        text.push(' ');
    }
    text + "what"
}

fn shown<'a>(view: &View<'a>, step: &Step, cell: usize) -> Row<'a> {
    let look = view.scene.look;
    let ahead = view.is_ahead(step.index);
    let role = if ahead { Role::Muted } else { step.role };
    let at = Time(step.at.0 / 100 * 100);
    let time = format!("{}.{:04}", at.0 / 1_000_000, at.0 / 100 % 10_000);
    let mut row = Row::new(look, Mark::None).text(Role::Muted, format!("{time:<10}"));
    if cell > 1 {
        row = row.text(role, ladder(view, step, cell) + " ");
    }
    row.text(role, step.text.clone())
}

/// `|   o------>|`: the lanes, and what goes from one to another.
fn ladder(view: &View<'_>, step: &Step, cell: usize) -> String {
    let glyphs = view.scene.look.glyphs;
    let (bar, dash) = if glyphs.is_ascii() { ("|", "-") } else { ("│", "─") };
    let count = view.lanes.count();
    let mut cells: Vec<&str> = vec![" "; count * cell];
    (0..count).for_each(|lane| cells[lane * cell] = bar);
    if let Some((from, to)) = step.lanes {
        let (left, right) = (from.min(to) * cell, from.max(to) * cell);
        cells[left..right].iter_mut().for_each(|cell| *cell = dash);
        cells[from * cell] = glyphs.send;
        cells[to * cell] = step.symbol;
    }
    // Signs of letters may be two wide.
    cells.iter().map(|cell| cell.chars().next().unwrap_or(' ')).collect()
}
