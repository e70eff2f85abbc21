//! The picture: lanes, what stands on them, lines between them, the axis.

use super::super::Scene;
use super::super::events::brief;
use super::super::stroke::{Stroke, dots};
use super::super::table::{padded, put, right_of, take};
use super::{View, detail, hidden};
use crate::base::{NodeId, Span as Length, Time};
use crate::event::{Event, Kind};
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::{Look, Role};
use crate::view::flow::{Deed, Message, Sign};
use crate::view::nodes::Life;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::Canvas;
use unicode_width::UnicodeWidthStr;

/// The least room that a picture is worth drawing in.
const NARROW: u16 = 40;
/// What the lane of all that have none of their own is called.
const OTHERS: &str = "others";
/// Dots of a lost line: every second of so many is missing.
const DASH: i32 = 6;
/// A label is cut at so many cells.
const LABEL: usize = 24;

/// What there is room for.
pub(super) struct Room {
    /// The lanes and what is between them; one row above the first lane.
    plot: Rect,
    /// Names of lanes.
    gutter: Rect,
    axis: Rect,
    detail: Rect,
    marker: Marker,
    /// How many lanes fit.
    pub lanes: usize,
}

impl Room {
    /// The rooms within `area`; none if a picture would not be readable.
    pub(super) fn of(scene: &Scene<'_>, area: Rect) -> Option<Room> {
        let marker = scene.look.glyphs.canvas?;
        let hidden = hidden(scene.mode);
        let ids = scene.board.nodes.ids();
        let shown = ids.iter().filter(|id| !hidden.contains(id)).count();
        let wanted = (shown + usize::from(shown < ids.len())).min(super::MOST_LANES);
        let rows = match area.height {
            0..10 => 1,
            10..18 => 2,
            _ => 5,
        };
        let body = area.height.checked_sub(rows + 1)?;
        let lanes = usize::from(body / 2);
        if area.width < NARROW || lanes < wanted.clamp(2, 4) {
            return None;
        }
        let longest = ids.iter().map(|id| id.to_string().len()).max().unwrap_or(2);
        let shared = lanes < shown || wanted < shown || shown < ids.len();
        let name = if shared { OTHERS.len() } else { longest };
        let mut rest = area;
        let body = take(&mut rest, body.into());
        let axis = take(&mut rest, 1);
        let width = name as u16 + 4;
        let plot = right_of(body, width);
        let gutter = Rect { width, ..body };
        Some(Room { plot, gutter, axis, detail: rest, marker, lanes })
    }
}

/// Draws lanes, axis and what is selected.
pub(super) fn draw(view: &View<'_>, room: &Room, buf: &mut Buffer) {
    let picture = Picture { view, room, look: view.scene.look };
    picture.strokes(buf);
    picture.lines(buf);
    picture.signs(buf);
    picture.labels(buf);
    picture.orders(buf);
    picture.cursor(buf);
    picture.names(buf);
    picture.axis(buf);
    detail::draw(view, room.detail, buf);
}

struct Picture<'a> {
    view: &'a View<'a>,
    room: &'a Room,
    look: &'a Look,
}

/// Where something stands: column and row of the plot, from 0.
type Place = (u16, u16);

/// A sign, and the event that it stands for.
struct Stand {
    /// Which one is seen where several share a cell: the highest.
    rank: u8,
    place: Place,
    symbol: &'static str,
    role: Role,
    event: usize,
}

impl Picture<'_> {
    /// Rows from one lane to the next.
    fn gap(&self) -> u16 {
        let lanes = self.view.lanes.count().max(2) as u16;
        ((self.room.plot.height - 2) / (lanes - 1)).clamp(1, 6)
    }

    /// The row of a lane, counted from the top of the plot.
    fn row(&self, lane: usize) -> u16 {
        1 + lane as u16 * self.gap()
    }

    /// Where a time is, in parts of a column; may be outside.
    fn along(&self, at: Time, parts: i32) -> i64 {
        let window = self.view.window;
        let length = i128::from(window.to.0 - window.from.0).max(1);
        let passed = i128::from(at.0) - i128::from(window.from.0);
        let all = i128::from(self.room.plot.width) * i128::from(parts);
        i64::try_from(passed * all / length).unwrap_or(i64::MAX)
    }

    /// The column of a time, if it can be seen.
    fn column(&self, at: Time) -> Option<u16> {
        let column = if at < self.view.window.from { -1 } else { self.along(at, 1) };
        u16::try_from(column).ok().filter(|column| *column < self.room.plot.width)
    }

    fn place(&self, at: Time, node: NodeId) -> Option<Place> {
        Some((self.column(at)?, self.row(self.view.lanes.of(node)?)))
    }

    fn position(&self, (column, row): Place) -> Option<Position> {
        let plot = self.room.plot;
        let at = Position::new(plot.x + column, plot.y + row);
        plot.contains(at).then_some(at)
    }

    fn set(&self, buf: &mut Buffer, place: Place, symbol: &str, role: Role) {
        if let Some(at) = self.position(place) {
            buf[at].set_symbol(symbol).set_style(self.look.style(role));
        }
    }

    fn is_blank(&self, buf: &Buffer, place: Place) -> bool {
        self.position(place).is_some_and(|at| buf[at].symbol() == " ")
    }

    // -- lines of messages -----------------------------------------------------------------------

    fn strokes(&self, buf: &mut Buffer) {
        let picked = self.view.picked().map(|message| message.id);
        let mut strokes: Vec<(u8, Stroke)> = Vec::new();
        for message in self.view.messages() {
            let is_picked = picked == Some(message.id);
            let ends = if message.ends.is_empty() { 1 } else { message.ends.len() };
            for end in 0..ends {
                let Some((role, mut stroke)) = self.stroke(message, end) else { continue };
                let style = self.look.style(if is_picked { Role::Accent } else { role });
                stroke.color = style.fg.unwrap_or(Color::Reset);
                stroke.thick = is_picked;
                let rank = match role {
                    _ if is_picked => 3,
                    Role::Muted => 0,
                    Role::Text => 1,
                    _ => 2,
                };
                strokes.push((rank, stroke));
            }
        }
        // In a cell that several share, the colour of the last one counts.
        strokes.sort_by_key(|(rank, _)| *rank);
        let (width, height) = (self.room.plot.width, self.room.plot.height);
        let canvas = Canvas::default()
            .marker(self.room.marker)
            .x_bounds([0.0, f64::from(width)])
            .y_bounds([0.0, f64::from(height)])
            .paint(|context| strokes.iter().for_each(|(_, stroke)| context.draw(stroke)));
        canvas.render(self.room.plot, buf);
    }

    /// The line of one end of a message, and how it looks.
    fn stroke(&self, message: &Message, end: usize) -> Option<(Role, Stroke)> {
        let (across, down) = dots(self.room.marker);
        let (from, to) = (self.view.lanes.of(message.from)?, self.view.lanes.of(message.to)?);
        let y = |lane| i64::from(self.row(lane)) * i64::from(down) + i64::from(down) / 2;
        let end = message.ends.get(end);
        let start = message.sent.map_or(self.view.window.from, |(_, at)| at);
        let ahead = message.sent.is_some_and(|(index, _)| self.view.is_ahead(index));
        let x = |at| self.along(at, across);
        let (role, to) = match end {
            Some(end) if end.lost.is_none() => (Role::Text, (x(end.at), y(to))),
            // It got as far as it could: nowhere, or to who was down.
            Some(end) if end.at > start => (Role::Bad, (x(end.at), y(to))),
            Some(_) => (Role::Bad, self.stub(x(start), y(from), y(to))),
            None if message.held.is_some() => (Role::Warn, self.stub(x(start), y(from), y(to))),
            None => (Role::Candidate, (x(self.seen_until()), y(from).midpoint(y(to)))),
        };
        let role = if ahead { Role::Muted } else { role };
        let dash = if role == Role::Text || ahead && end.is_some_and(|end| end.lost.is_none()) {
            0
        } else {
            DASH
        };
        let size =
            (i32::from(self.room.plot.width) * across, i32::from(self.room.plot.height) * down);
        let (from, to) = clip((x(start), y(from)), to, i64::from(size.0))?;
        let stroke = Stroke { from, to, dash, thick: false, color: Color::Reset, size };
        Some((role, stroke))
    }

    /// The end of a line that only says where a message was to go.
    fn stub(&self, x: i64, from: i64, to: i64) -> (i64, i64) {
        let (across, down) = dots(self.room.marker);
        (x + 2 * i64::from(across), from + i64::from(down) * (to - from).signum())
    }

    /// Until when it is known of a message that nothing became of it.
    fn seen_until(&self) -> Time {
        self.view.scene.timeline.viewed().end().now
    }

    // -- what stands on lanes --------------------------------------------------------------------

    fn lines(&self, buf: &mut Buffer) {
        for (lane, id) in self.view.lanes.own.iter().enumerate() {
            let mut changes = self.lives(*id).into_iter().peekable();
            let mut symbol = "─";
            for column in 0..self.room.plot.width {
                while changes.peek().is_some_and(|(at, _)| *at <= i64::from(column)) {
                    symbol = changes.next().map_or(symbol, |(_, symbol)| symbol);
                }
                self.set(buf, (column, self.row(lane)), symbol, Role::Muted);
            }
        }
        if !self.view.lanes.others.is_empty() {
            let row = self.row(self.view.lanes.own.len());
            let all = 0..self.room.plot.width;
            all.for_each(|column| self.set(buf, (column, row), "┈", Role::Muted));
        }
    }

    /// From which column on a lane is drawn with what: nothing while the process is down, dots
    /// while it is frozen.
    fn lives(&self, id: NodeId) -> Vec<(i64, &'static str)> {
        let (alive, frozen, gone) = ("─", self.look.glyphs.uncommitted, " ");
        let events = self.view.scene.timeline.events();
        let mut lives = Vec::new();
        for deed in self.view.flow.deeds.iter().filter(|deed| deed.node == id) {
            let Some(event) = events.get(deed.index) else { continue };
            let (before, after) = match &event.kind {
                Kind::Started { boot: 1, .. } => (gone, alive),
                Kind::Started { .. } => (gone, alive),
                Kind::Resumed => (frozen, alive),
                Kind::Paused => (alive, frozen),
                Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } => (alive, gone),
                _ => continue,
            };
            if lives.is_empty() {
                lives.push((i64::MIN, before));
            }
            lives.push((self.along(deed.at, 1), after));
        }
        if lives.is_empty() {
            let life = self.view.scene.board.node(id).map(|node| &node.life);
            lives.push((
                i64::MIN,
                match life {
                    Some(Life::Paused) => frozen,
                    Some(life) if life.is_down() => gone,
                    _ => alive,
                },
            ));
        }
        lives
    }

    fn signs(&self, buf: &mut Buffer) {
        let mut signs = Vec::new();
        self.view.messages().for_each(|message| self.of_message(message, &mut signs));
        for deed in self.view.flow.deeds.iter().filter(|deed| self.view.shows_sign(deed.sign)) {
            let Some(place) = self.place(deed.at, deed.node) else { continue };
            let (rank, symbol, role) = sign(self.look, deed.sign);
            let role = if self.view.is_ahead(deed.index) { Role::Muted } else { role };
            signs.push(Stand { rank, place, symbol, role, event: deed.index });
        }
        signs.extend(self.picked());
        signs.sort_by_key(|stand| stand.rank);
        for Stand { place, symbol, role, event, .. } in signs {
            self.set(buf, place, symbol, role);
            if let Some(at) = self.position(place) {
                // A cell is hard to hit.
                let left = at.x.saturating_sub(1).max(self.room.plot.x);
                self.view.scene.spot(Rect::new(left, at.y, 3, 1), Pick::Event(event));
            }
        }
    }

    /// Where a message was sent, and how far it got.
    fn of_message(&self, message: &Message, signs: &mut Vec<Stand>) {
        let glyphs = self.look.glyphs;
        let start = message.sent.map_or(self.view.window.from, |(_, at)| at);
        if let Some((event, at)) = message.sent
            && let Some(place) = self.place(at, message.from)
        {
            let (symbol, role) = (glyphs.send, self.role(event));
            signs.push(Stand { rank: 5, place, symbol, role, event });
        }
        for end in &message.ends {
            let (rank, symbol, role) = match end.lost {
                None => (5, glyphs.receive, self.role(end.index)),
                Some(_) => (6, glyphs.lost, Role::Bad),
            };
            let place = match end.lost.is_some() && end.at <= start {
                true => self.beside(message, start),
                false => self.place(end.at, message.to),
            };
            let event = end.index;
            signs.extend(place.map(|place| Stand { rank, place, symbol, role, event }));
        }
        if let (Some((event, _)), true) = (message.held, message.ends.is_empty()) {
            let (symbol, role) = (glyphs.paused, Role::Warn);
            let place = self.beside(message, start);
            signs.extend(place.map(|place| Stand { rank: 6, place, symbol, role, event }));
        }
    }

    fn role(&self, index: usize) -> Role {
        if self.view.is_ahead(index) { Role::Muted } else { Role::Text }
    }

    /// Where a line ends that did not get far: see [`Picture::stub`].
    fn beside(&self, message: &Message, at: Time) -> Option<Place> {
        let (from, to) = (self.view.lanes.of(message.from)?, self.view.lanes.of(message.to)?);
        let row = if to > from { self.row(from) + 1 } else { self.row(from) - 1 };
        let column = self.column(at)?.saturating_add(2);
        Some((column.min(self.room.plot.width.saturating_sub(1)), row))
    }

    /// The selected event: a sign of its own.
    fn picked(&self) -> Option<Stand> {
        let index = self.view.scene.select.event?;
        let event = self.view.scene.timeline.events().get(index)?;
        let place = self.place(event.at, event.node)?;
        let glyphs = self.look.glyphs;
        let symbol = match Sign::of(&event.kind) {
            _ if super::message_of(&event.kind).is_some() => glyphs.picked,
            Sign::Quiet => glyphs.picked,
            other => sign(self.look, other).1,
        };
        Some(Stand { rank: u8::MAX, place, symbol, role: Role::Accent, event: index })
    }

    // -- words -----------------------------------------------------------------------------------

    fn labels(&self, buf: &mut Buffer) {
        let events = self.view.scene.timeline.events();
        let wanted = |deed: &&Deed| !matches!(deed.sign, Sign::Quiet | Sign::Applies);
        let mut deeds: Vec<&Deed> = self.view.flow.deeds.iter().filter(wanted).collect();
        deeds.sort_by_key(|deed| std::cmp::Reverse((deed.sign, std::cmp::Reverse(deed.index))));
        for deed in deeds {
            let Some(event) = events.get(deed.index) else { continue };
            let Some((column, row)) = self.place(deed.at, deed.node) else { continue };
            let text = label(self.look, event);
            let role = if self.view.is_ahead(deed.index) { Role::Muted } else { Role::Text };
            self.write(buf, (column, row - 1), &text, role);
        }
    }

    /// Writes a word about a column where nothing is, if there is such a place.
    fn write(&self, buf: &mut Buffer, (column, row): Place, text: &str, role: Role) {
        let width = text.width() as u16;
        let starts = [column.saturating_sub(width / 2), column, (column + 1).saturating_sub(width)];
        let free = |start: &u16| {
            let around = start.saturating_sub(1)..=start + width;
            let last = self.room.plot.width;
            start + width <= last
                && around.filter(|at| *at < last).all(|at| self.is_blank(buf, (at, row)))
        };
        let Some(start) = starts.into_iter().find(free) else { return };
        let Some(at) = self.position((start, row)) else { return };
        let place = Rect::new(at.x, at.y, width, 1);
        frame::put(buf, place, &Line::styled(text.to_owned(), self.look.style(role)));
    }

    /// Commands, in the row above the lanes.
    fn orders(&self, buf: &mut Buffer) {
        let events = self.view.scene.timeline.events();
        for (index, at) in &self.view.flow.orders {
            let Some(column) = self.column(*at) else { continue };
            let role = if self.view.is_ahead(*index) { Role::Muted } else { Role::Warn };
            self.set(buf, (column, 0), self.look.glyphs.fault, role);
            let Some(command) = events.get(*index).and_then(Event::command) else { continue };
            let text = super::super::table::folded(&command.to_string());
            let (width, right) = (text.width() as u16 + 1, self.room.plot.width - column);
            if width >= right && column > width {
                self.write(buf, (column - width / 2 - 1, 0), &text, role);
            } else if self.is_blank(buf, (column + 1, 0)) {
                let text = format!(" {text}");
                let room = self.room.plot.width.saturating_sub(column + 1);
                let free = (0..room).take_while(|more| self.is_blank(buf, (column + 1 + more, 0)));
                let line = frame::cut(text.into(), free.count(), self.look.glyphs.ellipsis);
                if let Some(place) = self.position((column + 1, 0)) {
                    let style = self.look.style(role);
                    let place = Rect::new(place.x, place.y, room, 1);
                    frame::put(buf, place, &line.style(style));
                }
            }
        }
    }

    fn cursor(&self, buf: &mut Buffer) {
        let now = self.view.scene.board.now;
        let Some(column) = self.column(now) else { return };
        for row in 0..self.room.plot.height {
            let Some(at) = self.position((column, row)) else { continue };
            if matches!(buf[at].symbol(), " " | "─" | "┈") {
                buf[at].set_symbol("┊").set_style(self.look.style(Role::Accent));
            }
        }
    }

    /// Names at the left, with the letters of sides.
    fn names(&self, buf: &mut Buffer) {
        let (gutter, look) = (self.room.gutter, self.look);
        let width = usize::from(gutter.width).saturating_sub(4);
        let lanes = self.view.lanes.own.iter().map(|id| (id.to_string(), Some(*id)));
        let others = (!self.view.lanes.others.is_empty()).then(|| (OTHERS.to_owned(), None));
        for (lane, (name, id)) in lanes.chain(others).enumerate() {
            let selected = id == Some(self.view.scene.select.node);
            let role = match id {
                None => Role::Muted,
                Some(_) if selected => Role::Accent,
                Some(_) => Role::Text,
            };
            let mark = if selected { ">" } else { " " };
            let mut line = Line::from(Span::styled(mark, look.style(Role::Accent)));
            line.push_span(padded(Span::styled(name, look.style(role)), width, false));
            if let Some(letter) = id.map(|id| self.view.letter(id)).filter(|letter| *letter != ' ')
            {
                let style = look.style(Role::Group(letter as u8 - b'A'));
                line.push_span(" ");
                line.push_span(Span::styled(letter.to_string(), style));
            }
            let y = gutter.y + self.row(lane);
            let place = Rect { y, height: 1, ..gutter }.intersection(gutter);
            put(buf, look, place, line);
            if let Some(id) = id {
                self.view.scene.spot(place, Pick::Node(id));
            }
        }
    }

    /// Times below the lanes.
    fn axis(&self, buf: &mut Buffer) {
        let window = self.view.window;
        let length = window.to.0 - window.from.0;
        let decimals = if length <= 4_000 { 4 } else { 3 };
        let step = step(length * 12 / u64::from(self.room.plot.width.max(1)));
        let first = window.from.0.div_ceil(step) * step;
        let style = self.look.style(Role::Muted);
        let axis = Rect { x: self.room.plot.x, width: self.room.plot.width, ..self.room.axis };
        for at in (0..64).map(|more| Time(first + more * step)).take_while(|at| *at <= window.to) {
            let Some(column) = self.column(at) else { continue };
            let place = right_of(axis, column);
            let text = format!("{}.{:04}", at.0 / 1_000_000, at.0 / 100 % 10_000);
            let text = &text[..text.len() + decimals - 4];
            if text.len() < place.width.into() {
                frame::put(buf, place, &Line::styled(format!("╵{text}"), style));
            }
        }
    }
}

/// The least of 1, 2, 5, 10, 20 … hundred microseconds that is not below `least` microseconds.
fn step(least: u64) -> u64 {
    let nice = (0..14).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power) * 100));
    nice.into_iter().find(|nice| *nice >= least).unwrap_or(u64::MAX / 64)
}

/// The part of a line that is within `0..width`, with a little more at the ends.
fn clip(from: (i64, i64), to: (i64, i64), width: i64) -> Option<((i32, i32), (i32, i32))> {
    let at = |x: i64| {
        let (dx, dy) = (i128::from(to.0) - i128::from(from.0), i128::from(to.1 - from.1));
        let part = i128::from(x) - i128::from(from.0);
        let y = if dx == 0 { 0 } else { part * dy / dx };
        (x as i32, i32::try_from(i128::from(from.1) + y).unwrap_or(from.1 as i32))
    };
    let (first, last) = (from.0.max(-1), to.0.min(width));
    if first > last {
        return None;
    }
    let start = if from.0 < first { at(first) } else { (from.0 as i32, from.1 as i32) };
    let end = if to.0 > last { at(last) } else { (to.0 as i32, to.1 as i32) };
    Some((start, end))
}

/// The sign of a deed: how much it weighs where several share a cell, and how it looks.
pub(super) fn sign(look: &Look, sign: Sign) -> (u8, &'static str, Role) {
    let glyphs = look.glyphs;
    match sign {
        Sign::Quiet => (0, glyphs.uncommitted, Role::Muted),
        Sign::Applies => (1, if glyphs.is_ascii() { "K" } else { glyphs.holds }, Role::Ok),
        Sign::States => (4, if glyphs.is_ascii() { "*" } else { "•" }, Role::Text),
        Sign::Follows => (6, glyphs.follower, Role::Follower),
        Sign::Suspects => (7, glyphs.pending, Role::Warn),
        Sign::Starts => (8, glyphs.recovering, Role::Ok),
        Sign::Freezes => (9, glyphs.paused, Role::Warn),
        Sign::Vanishes => (9, glyphs.pending, Role::Warn),
        Sign::Seeks => (10, glyphs.candidate, Role::Candidate),
        Sign::Leads => (11, glyphs.leader, Role::Leader),
        Sign::Dies => (12, glyphs.down, Role::Bad),
    }
}

/// What happened, in few words.
pub(super) fn label(look: &Look, event: &Event) -> String {
    frame::cut(brief(event).into(), LABEL, look.glyphs.ellipsis).to_string()
}

/// How long a message was under way: `3.4ms`.
pub(super) fn way(span: Length) -> String {
    format!("{}.{}ms", span.0 / 1_000, span.0 % 1_000 / 100)
}
