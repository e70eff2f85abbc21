//! Where in time we are: how much happened when, what is marked, and where the cursor stands.
//!
//! One row is enough for the scrubber. With more rows come marks, the stretches without a quorum,
//! the faults and the branches; with the whole screen all that `full` has.

use super::{Item, Mark, Pane, Scene, thousands};
use crate::base::Time;
use crate::tui::frame::{self, Title};
use crate::tui::glyph::Glyphs;
use crate::tui::mode::{Choice, Mode};
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::timeline::{Axis, Branch, MarkKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

mod full;

pub(in crate::tui) use full::{branch_head, branch_row};

/// The pane.
#[derive(Debug)]
pub(super) struct Scrubber;

/// Cells on each side of the scrubber: the name of the track, the time at the end.
const LEFT: u16 = 9;
const RIGHT: u16 = 9;

const PART: Choice = Choice {
    key: 'p',
    name: "part",
    doc: "how much of the run is in sight",
    values: &["all", "1/4", "1/16", "1/64", "1/256"],
};

/// The part of the run that is in sight.
fn axis<'a>(scene: &Scene<'a>, width: usize) -> Axis<'a> {
    match scene.mode.value(&PART).strip_prefix("1/").and_then(|parts| parts.parse().ok()) {
        Some(parts) => scene.timeline.closer_axis(parts, width),
        None => scene.timeline.axis(width),
    }
}

/// Cells from one time that is told to the next.
const TOLD: usize = 12;

/// A time, in as many digits as it takes to tell it from the next one that is told.
fn seconds(axis: &Axis<'_>, time: Time) -> String {
    let step = axis.time_of(TOLD).since(axis.time_of(0)).0;
    let (whole, micros) = (time.0 / 1_000_000, time.0 % 1_000_000);
    match step {
        100_000.. => format!("{whole}.{}s", micros / 100_000),
        10_000.. => format!("{whole}.{:02}s", micros / 10_000),
        _ => format!("{whole}.{:03}s", micros / 1_000),
    }
}

/// One row of the pane: a name, a cell for each column, and something behind.
struct Track {
    name: String,
    cells: Vec<(String, Role)>,
    behind: String,
}

impl Track {
    fn new(name: &str, width: usize) -> Track {
        let cells = vec![(" ".to_owned(), Role::Text); width];
        Track { name: name.to_owned(), cells, behind: String::new() }
    }

    fn set(&mut self, column: usize, text: &str, role: Role) {
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = (text.to_owned(), role);
        }
    }

    /// Writes a word from a column on, as far as there is room.
    fn write(&mut self, column: usize, word: &str, role: Role) {
        for (at, letter) in word.chars().enumerate() {
            self.set(column + at, &letter.to_string(), role);
        }
    }
}

fn density(scene: &Scene<'_>, width: usize) -> Track {
    let mut track = Track::new("", width);
    let axis = axis(scene, width);
    let counts = axis.density();
    let top = counts.iter().copied().max().unwrap_or(0).max(1) as u64;
    let line = scene.look.glyphs.sparkline(counts.iter().map(|n| *n as u64), top);
    for (column, glyph) in line.chars().enumerate() {
        track.set(column, &glyph.to_string(), Role::Muted);
    }
    track.name = seconds(&axis, axis.time_of(0));
    track.behind = seconds(&axis, axis.time_of(width).min(scene.timeline.viewed().end().now));
    track
}

/// The sign of a mark, and its colour.
pub(in crate::tui) fn mark_look(glyphs: &Glyphs, kind: MarkKind) -> (&'static str, Role) {
    match kind {
        MarkKind::Leader => (glyphs.leader, Role::Leader),
        MarkKind::Person => (glyphs.mark, Role::Accent),
        MarkKind::Gap => (glyphs.pending, Role::Warn),
        MarkKind::Fault => (glyphs.fault, Role::Warn),
        MarkKind::Panic => (glyphs.down, Role::Bad),
        MarkKind::Violation => (glyphs.violation, Role::Violation),
    }
}

fn marks(scene: &Scene<'_>, width: usize) -> Track {
    let (glyphs, axis) = (scene.look.glyphs, axis(scene, width));
    let mut track = Track::new("marks", width);
    let mut marks: Vec<_> = scene.timeline.viewed().marks().iter().collect();
    // Where several share a column, the gravest is drawn last and stays.
    marks.sort_by_key(|mark| mark.kind);
    for mark in marks {
        let (glyph, role) = mark_look(glyphs, mark.kind);
        axis.column_of(mark.at).into_iter().for_each(|column| track.set(column, glyph, role));
    }
    track
}

/// Where some node could reach a majority, and where none could.
fn quorum(scene: &Scene<'_>, width: usize) -> Track {
    let mut track = Track::new("quorum", width);
    let full = scene.look.glyphs.bar(1, 1, 1);
    let changes = scene.timeline.viewed().quorum();
    let axis = axis(scene, width);
    for column in axis.columns(Time::ZERO, scene.timeline.viewed().end().now) {
        let time = axis.time_of(column);
        let before = changes.partition_point(|(at, _)| *at <= time);
        match changes[..before].last() {
            Some((_, true)) => track.set(column, &full, Role::Ok),
            Some((_, false)) => track.set(column, "-", Role::Bad),
            None => {}
        }
    }
    track
}

/// What a stretch of time is drawn with.
fn stroke(scene: &Scene<'_>) -> &'static str {
    if scene.look.glyphs.is_ascii() { "-" } else { "─" }
}

/// A track for each fault, the ones that are still active first.
fn faults(scene: &Scene<'_>, width: usize) -> Vec<Track> {
    let faults = &scene.board.faults;
    let active = faults.active().iter().rev().map(|f| (f.since, None, f.text.clone()));
    let past = faults.past().rev().map(|f| (f.since, Some(f.until), f.text.clone()));
    let axis = axis(scene, width);
    let draw = |(since, until, text): (Time, Option<Time>, std::sync::Arc<str>)| {
        let columns = axis.columns(since, until.unwrap_or(scene.board.now));
        let mut track = Track::new("fault", width);
        let from = columns.clone().next()?;
        columns.for_each(|column| track.set(column, stroke(scene), Role::Warn));
        let word = format!(" {text} ");
        let room = width.saturating_sub(word.chars().count());
        track.write((from + 1).min(room), &word, Role::Warn);
        Some(track)
    };
    active.chain(past).filter_map(draw).collect()
}

fn branches(scene: &Scene<'_>, width: usize) -> Vec<Track> {
    let (timeline, axis) = (scene.timeline, axis(scene, width));
    let line = |branch: &Branch| {
        let name = if branch.parent.is_some() { "branch" } else { &branch.name };
        let mut track = Track::new(name, width);
        let viewed = std::ptr::eq(branch, timeline.viewed());
        let role = if viewed { Role::Accent } else { Role::Muted };
        let columns = axis.columns(branch.fork_at, branch.end().now);
        columns.clone().for_each(|column| track.set(column, stroke(scene), role));
        if let Some(from) = columns.clone().next().filter(|_| branch.parent.is_some()) {
            track.set(from, if scene.look.glyphs.is_ascii() { "+" } else { "└" }, role);
            let word = format!(" {} ", branch.name);
            let room = width.saturating_sub(word.chars().count());
            track.write((from + 2).min(room), &word, role);
        }
        track.behind = if viewed { "viewed".to_owned() } else { String::new() };
        track
    };
    timeline.branches().iter().chain(timeline.excerpt()).map(line).collect()
}

fn tracks(scene: &Scene<'_>, width: usize, height: usize) -> Vec<Track> {
    let mut tracks = vec![density(scene, width)];
    if height > 1 {
        tracks.push(marks(scene, width));
    }
    if height > 2 {
        tracks.push(quorum(scene, width));
        let branches = branches(scene, width);
        let room = height.saturating_sub(tracks.len() + branches.len());
        tracks.extend(faults(scene, width).into_iter().take(room));
        tracks.extend(branches);
    } else if height == 1 {
        // The marks share the only row with the density.
        let marks = marks(scene, width).cells.into_iter().enumerate();
        for (column, (glyph, role)) in marks.filter(|(_, (glyph, _))| glyph != " ") {
            tracks[0].set(column, &glyph, role);
        }
    }
    tracks
}

impl Pane for Scrubber {
    fn about(&self) -> &'static str {
        "The whole run from left to right, or less of it with + and the wheel: how much happened \
         when, and where faults, new leaders and broken checks are. The bar is the cursor. , and . move it by one event, < and > by one \
         second, v to the next violation, g to the start and G to the end. What is behind the \
         cursor stays: a command in the past begins a branch. A live cluster goes on meanwhile, and \
         takes commands only at its end."
    }

    fn views(&self) -> &'static [&'static str] {
        &["tracks"]
    }

    fn options(&self) -> &'static [Choice] {
        &[PART]
    }

    fn scale(&self, mode: &mut Mode, closer: bool) {
        let at = PART.values.iter().position(|value| *value == mode.value(&PART)).unwrap_or(0);
        let next = if closer { at + 1 } else { at.wrapping_sub(1) };
        PART.values.get(next).into_iter().for_each(|value| mode.choose(&PART, *value));
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let marks = scene.timeline.viewed().marks();
        let here = marks.iter().rposition(|mark| mark.at <= scene.board.now);
        let item = |(at, mark): (usize, &crate::view::timeline::Mark)| {
            let sign = match mark.kind {
                MarkKind::Violation | MarkKind::Panic => Mark::Trouble,
                MarkKind::Gap => Mark::Doubt,
                MarkKind::Fault => Mark::Fault,
                MarkKind::Leader | MarkKind::Person => Mark::None,
            };
            let item = Item::new(sign, format!("{} {}", mark.at, mark.text));
            item.selected(here == Some(at)).picks(Pick::Moment(mark.at))
        };
        marks.iter().enumerate().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let branch = scene.timeline.viewed();
        let summary = match scene.timeline.is_live() {
            _ if scene.timeline.excerpt().is_some() => format!(
                "first {}: {} of {} events  b goes back",
                branch.name,
                branch.events().len(),
                thousands(scene.timeline.whole().events().len() as u64)
            ),
            true => format!("{}  g start  G live", branch.name),
            false if scene.live => "the past: only to look at  Space returns to now".to_owned(),
            false => format!("{}  the past: a command here begins a branch  G live", branch.name),
        };
        let part = match scene.mode.value(&PART) {
            "all" => String::new(),
            part => format!("{part} of "),
        };
        Title { summary: Line::from(part + &summary), ..Title::default() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        let width = usize::from(area.width.saturating_sub(LEFT + RIGHT));
        if width == 0 {
            return;
        }
        let axis = axis(scene, width);
        let cursor = axis.column_of(scene.board.now);
        let full = scene.zoomed && area.height >= full::ROWS;
        let rows = match full {
            true => full::tracks(scene, width, usize::from(area.height - full::ROWS / 2)),
            false => tracks(scene, width, area.height.into()),
        };
        let below = area.rows().skip(rows.len());
        if full {
            for (row, line) in below.zip(full::lines(scene)) {
                let line = frame::cut(line, row.width.into(), scene.look.glyphs.ellipsis);
                frame::put(buf, row, &line);
            }
        }
        for (at, column) in (0..width).zip(area.x + LEFT..) {
            let moment = Pick::Moment(axis.time_of(at));
            scene.spot(Rect { x: column, width: 1, ..area }, moment);
        }
        for (row, track) in area.rows().zip(rows) {
            let mut line = Line::from(Span::styled(
                format!("{:>8} ", track.name.chars().take(8).collect::<String>()),
                scene.look.style(Role::Muted),
            ));
            for (column, (glyph, role)) in track.cells.into_iter().enumerate() {
                line.push_span(match Some(column) == cursor && !scene.timeline.is_live() {
                    true => Span::styled(scene.look.glyphs.cursor, scene.look.style(Role::Accent)),
                    false => Span::styled(glyph, scene.look.style(role)),
                });
            }
            line.push_span(format!(" {}", track.behind));
            frame::put(buf, row, &line);
        }
    }
}
