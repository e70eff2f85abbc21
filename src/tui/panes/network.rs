//! Network: every directed link, the sides that a partition leaves, and what is broken.
//!
//! A matrix says what the row's process can tell the column's: how long messages take, or what is
//! wrong with the link. With many nodes a link is one character; where not even that fits, there
//! are only the sides and the links in trouble. The other view draws the sides as boxes.

mod boxes;

use super::nodes::{index, sign};
use super::table::{
    Mark, brief, clock, folded, marked, padded, put, right_of, take, thousands, window,
};
use super::{Item, Pane, Scene};
use crate::base::NodeId;
use crate::tui::frame::{self, Title};
use crate::tui::glyph::Glyphs;
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use crate::view::Board;
use crate::view::network::{Pair, State, Wire};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// The widest that a link's cell is.
const CELL: usize = 6;
/// What the details beside the matrix need.
const ASIDE: u16 = 30;

/// The pane.
#[derive(Debug)]
pub(super) struct Links;

impl Pane for Links {
    fn about(&self) -> &'static str {
        "Links, one for each direction: a row sends to a column. A number is how long the last \
         message was under way, in milliseconds. A link may be cut, held (messages are kept back), \
         lossy (30%), delayed (90d), duplicating or reordering; a process at its end may be down. \
         Below are the sides of a partition, the selected link, and the faults that are active. The \
         groups view (s) draws each side as a box. P paints a partition, x cuts or heals the link."
    }

    fn views(&self) -> &'static [&'static str] {
        &["matrix", "groups"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let ids = order(scene.board);
        let picked = link(scene);
        let pairs = ids.iter().flat_map(|from| ids.iter().map(|to| (*from, *to)));
        let item = |(from, to): Pair| {
            let wire = scene.board.network.wire(from, to);
            let state = wire.map_or(State::Up, Wire::state);
            let bad = state != State::Up;
            let latency = wire.and_then(Wire::latency).map(|took| format!(", last took {took}"));
            let text = format!("{from} to {to} {state}{}", latency.unwrap_or_default());
            let mark = if bad { Mark::Fault } else { Mark::None };
            Item::new(mark, text).selected(picked == Some((from, to))).picks(Pick::Link(from, to))
        };
        pairs.filter(|(from, to)| from != to).map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let board = scene.board;
        let bad = scene.board.network.wires().filter(|(_, wire)| wire.state() != State::Up).count();
        let mut summary = match board.network.groups().len() {
            0 | 1 => String::new(),
            many => format!("{many} sides, "),
        };
        summary.push_str(&match bad {
            0 => "all links fine".to_owned(),
            1 => "1 link bad".to_owned(),
            bad => format!("{bad} links bad"),
        });
        Title { name: None, summary: summary.into(), trouble: board.network.is_parted() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let ids = order(scene.board);
        if ids.is_empty() {
            return put(buf, scene.look, area, marked(scene.look, Mark::None, "no process yet"));
        }
        if scene.mode.view(self.views()) == "groups" {
            return draw_groups(scene, area, buf);
        }
        let mut rest = area;
        if let Some(matrix) = Matrix::fit(scene, &ids, area) {
            let aside = matrix.width() + 2;
            if area.width >= aside + ASIDE && matrix.height() >= 6 {
                let beside = Rect { height: matrix.height(), ..right_of(area, aside) };
                text(scene, selected(scene, true), beside, buf);
                take(&mut rest, matrix.height().into());
                matrix.draw(area, buf);
                return text(scene, below(scene, scene.zoomed), rest, buf);
            }
            matrix.draw(take(&mut rest, matrix.height().into()), buf);
            let mut lines = below(scene, scene.zoomed);
            lines.splice(0..0, selected(scene, false));
            return text(scene, lines, rest, buf);
        }
        let mut lines = sides(scene);
        lines.extend(selected(scene, false));
        lines.extend(totals(scene));
        lines.extend(in_trouble(scene));
        lines.extend(faults(scene));
        text(scene, lines, rest, buf);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let ids = order(scene.board);
        let Some((from, peer)) = link(scene) else { return select };
        (select.node, select.peer) = (from, peer);
        let (moved, fixed) = match to {
            Move::Left | Move::Right => (&mut select.peer, from),
            _ => (&mut select.node, peer),
        };
        // There is no link from a process to itself, so the selection passes over it.
        let others: Vec<NodeId> = ids.into_iter().filter(|id| *id != fixed).collect();
        if let Some(id) = to.along(Some(moved), &others) {
            *moved = id;
        }
        select
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        match link(scene) {
            Some((from, to)) => Target::Link(from, to),
            None => Target::Nothing,
        }
    }
}

/// The sides as boxes, then what is between and within them.
fn draw_groups(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let rest = boxes::draw(scene, area, buf);
    let mut lines = vec![majority(scene)];
    lines.extend(selected(scene, false));
    lines.extend(in_trouble(scene));
    lines.extend(totals(scene));
    lines.extend(faults(scene));
    let hint = " P paints a partition, H heals everything";
    lines.push(Line::styled(hint, scene.look.style(Role::Muted)));
    text(scene, lines, rest, buf);
}

/// How many nodes a majority is, and whether any side has it.
fn majority(scene: &Scene<'_>) -> Line<'static> {
    let board = scene.board;
    let (all, majority) = (board.voting(), board.majority());
    let text = format!("a majority of {all} is {majority}");
    match board.has_quorum() {
        true => marked(scene.look, Mark::None, text),
        false => {
            let style = scene.look.style(Role::Bad);
            let text = Span::styled(format!("{text}: no side has it"), style);
            marked(scene.look, Mark::Trouble, text)
        }
    }
}

/// The nodes that rows and columns stand for, side by side with their own side.
fn order(board: &Board) -> Vec<NodeId> {
    board.network.groups().iter().flatten().copied().collect()
}

/// The selected link. Another pane may have selected a process that has none to `peer`.
fn link(scene: &Scene<'_>) -> Option<Pair> {
    let ids = scene.board.nodes.ids();
    let known = |id: &NodeId| ids.contains(id);
    let from = Some(scene.select.node).filter(known).or(ids.first().copied())?;
    let peer = Some(scene.select.peer).filter(|id| known(id) && *id != from);
    let peer = peer.or(order(scene.board).into_iter().find(|id| *id != from))?;
    Some((from, peer))
}

/// The rows and columns of the matrix that there is room for.
struct Matrix<'a> {
    scene: &'a Scene<'a>,
    ids: &'a [NodeId],
    rows: Range<usize>,
    columns: Range<usize>,
    /// How wide names are, with the mark in front and a space behind.
    name: usize,
    /// How wide a cell is; 1 is a character for each link.
    cell: usize,
    /// Whether lines are drawn between sides.
    ruled: bool,
}

impl<'a> Matrix<'a> {
    /// The matrix with the widest cells that fit; none if nothing fits.
    fn fit(scene: &'a Scene<'a>, ids: &'a [NodeId], area: Rect) -> Option<Matrix<'a>> {
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        let longest = ids.iter().map(|id| id.to_string().len()).max()?;
        let sides = scene.board.network.groups().len();
        let parted = scene.board.network.is_parted();
        let name = longest + if parted { 4 } else { 2 };
        let room = width.checked_sub(name)?;
        let (from, _) = link(scene)?;
        let at = ids.iter().position(|id| *id == from).unwrap_or(0);
        let whole = |cell, ruled| Matrix {
            scene,
            ids,
            rows: 0..ids.len(),
            columns: 0..ids.len(),
            name,
            cell,
            ruled,
        };
        let cell = (room / ids.len()).min(CELL);
        if cell > 1 && ids.len() < height {
            let rules = sides.saturating_sub(1);
            // Lines between sides are worth it if they cost neither words nor what is below.
            let ruled = parted && room >= cell.max(5) * ids.len() + 2 * rules;
            let ruled = ruled && ids.len() + rules + 4 < height;
            let cell = if ruled { ((room - 2 * rules) / ids.len()).min(CELL) } else { cell };
            return Some(whole(cell, ruled));
        }
        // A character for each link, and the rows around the selected one.
        let shown = height.checked_sub(5 + height / 6).filter(|rows| *rows >= ids.len().min(8))?;
        let rows = window(ids.len(), at, shown);
        (ids.len() <= room).then(|| Matrix { rows, ..whole(1, false) })
    }

    /// Whether the letters of sides stand before names.
    fn letters(&self) -> bool {
        self.scene.board.network.is_parted()
    }

    fn width(&self) -> u16 {
        let rules = if self.ruled { 2 * self.rules(self.columns.clone()) } else { 0 };
        (self.name + self.columns.len() * self.cell + rules) as u16
    }

    fn height(&self) -> u16 {
        let rules = if self.ruled { self.rules(self.rows.clone()) } else { 0 };
        (1 + self.rows.len() + rules) as u16
    }

    fn rules(&self, range: Range<usize>) -> usize {
        range.filter(|at| self.starts_side(*at)).count()
    }

    /// Whether a side other than the first begins here.
    fn starts_side(&self, at: usize) -> bool {
        let side = |at: usize| self.ids.get(at).and_then(|id| self.scene.board.group(*id));
        at > 0 && side(at) != side(at - 1)
    }

    fn draw(&self, mut area: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let chosen = link(self.scene);
        let head = take(&mut area, 1);
        put(buf, look, head, self.head(chosen));
        for at in self.rows.clone() {
            if self.ruled && self.starts_side(at) {
                let row = take(&mut area, 1);
                put(buf, look, row, self.rule());
            }
            let row = take(&mut area, 1);
            put(buf, look, row, self.row(at, chosen));
            for to in self.columns.clone().filter(|to| *to != at) {
                let pair = (self.ids[at], self.ids[to]);
                if let Some(cell) = self.cell_of(Some(pair), row) {
                    self.scene.spot(cell, Pick::Link(pair.0, pair.1));
                }
            }
            if chosen.is_some_and(|(from, _)| from == self.ids[at])
                && let Some(cell) = self.cell_of(chosen, row)
            {
                frame::select(buf, cell, self.scene.look);
            }
        }
    }

    /// Where a link stands in its row.
    fn cell_of(&self, chosen: Option<Pair>, row: Rect) -> Option<Rect> {
        let column = self.ids.iter().position(|id| chosen.is_some_and(|(_, to)| to == *id))?;
        if !self.columns.contains(&column) {
            return None;
        }
        let rules = if self.ruled { 2 * self.rules(0..column + 1) } else { 0 };
        let start = self.name + column * self.cell + rules;
        let cell = right_of(row, start as u16);
        Some(Rect { width: (self.cell as u16).min(cell.width), ..cell })
    }

    /// The names of columns; where they do not fit, their last digits.
    fn head(&self, chosen: Option<Pair>) -> Line<'static> {
        let look = self.scene.look;
        let corner = if self.cell > 1 { " to" } else { " " };
        let muted = look.style(Role::Muted);
        let mut line = Line::from(padded(Span::styled(corner, muted), self.name, false));
        for at in self.columns.clone() {
            let id = self.ids[at];
            if self.ruled && self.starts_side(at) {
                line.push_span(Span::styled(format!("{} ", look.glyphs.separator), muted));
            }
            let fits = self.cell > self.name - if self.letters() { 4 } else { 2 };
            let name = if fits { id.to_string() } else { (id.number() % 10).to_string() };
            let selected = chosen.is_some_and(|(_, to)| to == id);
            let style = if selected { look.style(Role::Accent) } else { Style::new() };
            line.push_span(padded(Span::styled(name, style), self.cell, true));
        }
        line
    }

    fn rule(&self) -> Line<'static> {
        let look = self.scene.look;
        let dash = if look.glyphs.is_ascii() { "-" } else { "─" };
        let cross = if look.glyphs.is_ascii() { "+" } else { "┼" };
        let mut text = format!(" {}", dash.repeat(self.name - 1));
        for at in self.columns.clone() {
            if self.starts_side(at) {
                text.push_str(&format!("{cross}{dash}"));
            }
            text.push_str(&dash.repeat(self.cell));
        }
        Line::styled(text, look.style(Role::Muted))
    }

    fn row(&self, at: usize, chosen: Option<Pair>) -> Line<'static> {
        let (look, from) = (self.scene.look, self.ids[at]);
        let selected = chosen.is_some_and(|(chosen, _)| chosen == from);
        let mut line = Line::from(Mark::None.or_selected(selected).span(look));
        let letter = self.scene.board.group(from);
        if let Some(letter) = letter {
            line.push_span(Span::styled(
                letter.to_string(),
                look.style(Role::Group(index(letter))),
            ));
            line.push_span(" ");
        }
        let style = if selected { look.style(Role::Accent) } else { Style::new() };
        let left = self.name - line.width();
        line.push_span(padded(Span::styled(from.to_string(), style), left, false));
        for at in self.columns.clone() {
            if self.ruled && self.starts_side(at) {
                let style = look.style(Role::Muted);
                line.push_span(Span::styled(format!("{} ", look.glyphs.separator), style));
            }
            let (text, role) = cell(self.scene, from, self.ids[at], self.cell);
            line.push_span(padded(Span::styled(text, look.style(role)), self.cell, true));
        }
        line
    }
}

/// What stands for a link in a cell of that width.
fn cell(scene: &Scene<'_>, from: NodeId, to: NodeId, width: usize) -> (String, Role) {
    let (board, glyphs) = (scene.board, scene.look.glyphs);
    if from == to {
        return ("-".to_owned(), Role::Muted);
    }
    let down = |id| board.node(id).is_some_and(|node| node.life.is_down());
    let wire = board.network.wire(from, to);
    let state = wire.map_or(State::Up, Wire::state);
    if state == State::Up && (down(from) || down(to)) {
        return (glyphs.peer_down.to_owned(), Role::Down);
    }
    let (glyph, role) = sign_of(glyphs, state);
    // There is a space between cells, except where a link is one character.
    let fits = |text: &str| width > 1 && text.len() < width;
    let words = match (state, wire) {
        (State::Up, Some(wire)) => wire.latency().map(|latency| millis(latency.0)),
        (State::Delayed, Some(wire)) => Some(format!("{}d", millis(wire.fault.delay.0))),
        (State::Lossy, Some(wire)) => Some(format!("{}%", wire.fault.loss)),
        _ => None,
    };
    match words.filter(|words| fits(words)) {
        Some(words) => (words, role),
        None if state == State::Up && wire.is_none() => (glyph.to_owned(), Role::Muted),
        // The first letter of a sign stands for it where two do not fit.
        None if width < 3 && glyph.is_ascii() => (glyph.get(..1).unwrap_or(glyph).to_owned(), role),
        None => (glyph.to_owned(), role),
    }
}

fn sign_of(glyphs: &Glyphs, state: State) -> (&'static str, Role) {
    match state {
        State::Up => (glyphs.uncommitted, Role::Ok),
        State::Reordering => (glyphs.reorder, Role::Warn),
        State::Duplicating => (glyphs.duplicate, Role::Warn),
        State::Delayed => ("d", Role::Warn),
        State::Lossy => ("%", Role::Warn),
        State::Held => (glyphs.paused, Role::Warn),
        State::Cut => (glyphs.cut, Role::Bad),
    }
}

/// Milliseconds in at most three characters; beyond, in seconds.
fn millis(micros: u64) -> String {
    match micros / 1_000 {
        0 => "<1".to_owned(),
        ms if ms < 1_000 => ms.to_string(),
        ms if ms < 100_000 => format!("{}s", ms / 1_000),
        _ => "99s".to_owned(),
    }
}

/// How long a message was under way: `3.4ms`.
fn way(span: crate::base::Span) -> String {
    format!("{}.{}ms", span.0 / 1_000, span.0 % 1_000 / 100)
}

/// A link's state in words, and how they look; a process at its end may be down.
fn state_of(scene: &Scene<'_>, (from, to): Pair) -> Span<'static> {
    let wire = scene.board.network.wire(from, to);
    let state = wire.map_or(State::Up, Wire::state);
    let down = |id: &NodeId| scene.board.node(*id).is_some_and(|node| node.life.is_down());
    match [from, to].iter().find(|id| down(id)) {
        Some(id) if state == State::Up => {
            Span::styled(format!("{id} is DOWN"), scene.look.style(Role::Down))
        }
        _ => {
            let (_, role) = sign_of(scene.look.glyphs, state);
            Span::styled(words(wire), scene.look.style(role))
        }
    }
}

/// A link's state in words: `delayed 90ms`, `cut since 8.620`.
fn words(wire: Option<&Wire>) -> String {
    let Some(wire) = wire else { return "up, not used yet".to_owned() };
    let fault = &wire.fault;
    let mut all = Vec::new();
    let mut tell = |is: bool, text: String| {
        if is {
            all.push(text);
        }
    };
    tell(fault.cut, "cut".to_owned());
    tell(fault.hold, format!("holds {} back", wire.held));
    tell(fault.loss > 0, format!("loses {}%", fault.loss));
    let jitter =
        if fault.jitter.0 > 0 { format!(" up to +{}", fault.jitter) } else { String::new() };
    tell(fault.delay.0 + fault.jitter.0 > 0, format!("delayed {}{jitter}", fault.delay));
    tell(fault.duplicate > 0, format!("doubles {}%", fault.duplicate));
    tell(fault.reorder > 0, format!("reorders {}%", fault.reorder));
    match (all.is_empty(), wire.since) {
        (true, _) => "up".to_owned(),
        (false, Some(since)) => format!("{} since {}", all.join(", "), clock(since)),
        (false, None) => all.join(", "),
    }
}

fn text(scene: &Scene<'_>, lines: Vec<Line<'static>>, area: Rect, buf: &mut Buffer) {
    for (line, row) in lines.into_iter().zip(area.rows()) {
        put(buf, scene.look, row, line);
    }
}

/// The selected link: in one line, or in several.
fn selected(scene: &Scene<'_>, long: bool) -> Vec<Line<'static>> {
    let Some(pair) = link(scene) else { return Vec::new() };
    if long {
        return details(scene, pair);
    }
    let wire = scene.board.network.wire(pair.0, pair.1);
    let (lost, flight) = wire.map_or((0, 0), |wire| (wire.lost, wire.in_flight));
    let name = format!("{} {} {} ", pair.0, scene.look.glyphs.arrow, pair.1);
    let mut line = Line::from(Span::styled(name, scene.look.style(Role::Accent)));
    line.push_span(state_of(scene, pair));
    line.push_span(format!(", {} lost, {flight} in flight", thousands(lost)));
    vec![marked(scene.look, Mark::Selected, line)]
}

/// One direction of a link in words: `cut since 8.620`.
pub(super) fn state_words(scene: &Scene<'_>, pair: Pair) -> String {
    state_of(scene, pair).content.into_owned()
}

/// All that is known of one direction of a link.
pub(super) fn details(scene: &Scene<'_>, (from, to): Pair) -> Vec<Line<'static>> {
    let (board, look) = (scene.board, scene.look);
    let wire = board.network.wire(from, to);
    let name = format!("{from} {} {to}", look.glyphs.arrow);
    let accent = look.style(Role::Accent);
    let (sent, lost, flight, held) =
        wire.map_or((0, 0, 0, 0), |wire| (wire.sent, wire.lost, wire.in_flight, wire.held));
    let took = |span: Option<crate::base::Span>| span.map_or("-".to_owned(), way);
    let last = wire.and_then(|wire| wire.last_arrival);
    let ago = last.map_or("never".to_owned(), |at| format!("{} ago", brief(board.now.since(at))));
    let mut lines = vec![
        marked(look, Mark::Selected, Line::styled(name, accent)),
        Line::from(vec![Span::raw(" state     "), state_of(scene, (from, to))]),
        Line::raw(format!(" took      {}", took(wire.and_then(Wire::latency)))),
        Line::raw(format!(" slowest   {}", took(wire.and_then(Wire::slowest)))),
        Line::raw(format!(" in flight {flight}, held {held}")),
        Line::raw(format!(" sent      {}, lost {}", thousands(sent), thousands(lost))),
        Line::raw(format!(" arrived   {ago}")),
    ];
    for (msg, flight) in board.network.flights().filter(|(_, f)| (f.from, f.to) == (from, to)) {
        let held = if flight.held { "held" } else { "under way" };
        let since = brief(board.now.since(flight.sent));
        lines.push(Line::raw(format!(" {msg} {} {} {held} {since}", flight.service, flight.label)));
    }
    lines
}

/// What stands below the matrix.
fn below(scene: &Scene<'_>, long: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if scene.board.network.is_parted() {
        lines.extend(sides(scene));
    }
    lines.extend(totals(scene));
    lines.extend(faults(scene));
    if long {
        lines.extend(in_trouble(scene));
        lines.push(Line::raw(""));
        lines.extend(legend(scene));
    }
    lines
}

fn totals(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let network = &scene.board.network;
    let (flight, lost) = (network.in_flight() as u64, network.lost);
    let sent = thousands(network.sent);
    let text = format!(" in flight {}  lost {}/{sent}", thousands(flight), thousands(lost));
    vec![Line::raw(text)]
}

/// The sides of a partition, who is in each, and whether it has a majority.
fn sides(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (board, look) = (scene.board, scene.look);
    let mut lines = Vec::new();
    for group in board.network.groups() {
        let letter = group.first().and_then(|id| board.group(*id));
        let reach = board.best_reach_of(group.iter().copied());
        let (word, role) = match reach >= board.majority() {
            true => ("majority", Role::Ok),
            false => ("no majority", Role::Warn),
        };
        let name = letter.map_or("all".to_owned(), |letter| letter.to_string());
        let tint = letter.map_or(Style::new(), |letter| look.style(Role::Group(index(letter))));
        let mut line = Line::from(Span::styled(name, tint));
        line.push_span(format!(" {} ", group.len()));
        line.push_span(Span::styled(word, look.style(role)));
        for id in group {
            let Some(node) = board.node(*id) else { continue };
            let (glyph, _, role) = sign(scene, node);
            // Of many, only those that are not as the others are named.
            if group.len() > 9 && (role == Role::Follower || role == Role::Ok) {
                continue;
            }
            line.push_span(format!(" {id}"));
            line.push_span(Span::styled(glyph, look.style(role)));
        }
        lines.push(marked(look, Mark::None, line));
    }
    lines
}

/// What is broken now.
fn faults(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let line = |fault: &crate::view::faults::Fault| {
        let text = format!("{} {}", clock(fault.since), folded(&fault.text));
        marked(scene.look, Mark::Fault, text)
    };
    scene.board.faults.active().iter().map(line).collect()
}

/// Links that are not as they should be, the worst first; those that are cut between whole sides
/// are told of once for each pair of sides.
fn in_trouble(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (board, look) = (scene.board, scene.look);
    let mut between: Vec<(char, char, u64, u64)> = Vec::new();
    let mut single: Vec<(State, Pair, &Wire)> = Vec::new();
    for (pair, wire) in board.network.wires().filter(|(_, wire)| wire.state() != State::Up) {
        let sides = (board.group(pair.0), board.group(pair.1));
        match (wire.state(), sides) {
            (State::Cut, (Some(a), Some(b))) if a != b => {
                let (a, b) = (a.min(b), a.max(b));
                match between.iter_mut().find(|entry| (entry.0, entry.1) == (a, b)) {
                    Some(entry) => (entry.2, entry.3) = (entry.2 + 1, entry.3 + wire.lost),
                    None => between.push((a, b, 1, wire.lost)),
                }
            }
            (state, _) => single.push((state, pair, wire)),
        }
    }
    single.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut lines = Vec::new();
    for (a, b, links, lost) in between {
        let (glyph, role) = sign_of(look.glyphs, State::Cut);
        let text = format!("{a} {glyph} {b}  {links} links cut, {} lost", thousands(lost));
        lines.push(marked(look, Mark::None, Span::styled(text, look.style(role))));
    }
    for (state, (from, to), wire) in single {
        let (_, role) = sign_of(look.glyphs, state);
        let name = format!("{from} {} {to}", look.glyphs.arrow);
        let mut line = Line::from(format!("{name:<10} "));
        line.push_span(Span::styled(words(Some(wire)), look.style(role)));
        line.push_span(format!(", {} of {} lost", thousands(wire.lost), thousands(wire.sent)));
        lines.push(marked(look, Mark::None, line));
    }
    lines
}

fn legend(scene: &Scene<'_>) -> [Line<'static>; 2] {
    let glyphs = scene.look.glyphs;
    let fine = format!(
        " 4 took 4 ms  {} not used  90d delayed  30% lossy  a row sends to a column",
        glyphs.uncommitted
    );
    let broken = format!(
        " {} cut  {} held  {} peer down  {} doubles  {} reorders",
        glyphs.cut, glyphs.paused, glyphs.peer_down, glyphs.duplicate, glyphs.reorder
    );
    [fine, broken].map(|text| Line::styled(text, scene.look.style(Role::Muted)))
}
