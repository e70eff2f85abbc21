//! Checks: which properties hold, and the evidence against those that do not.
//!
//! Broken ones come first, and those that have seen nothing to judge last: they claim nothing. All
//! is as of the moment that the other panes show; what is broken later in the recorded run is said
//! below.

use super::table::{Mark, clock, marked, padded, put, right_of, take, thousands, window};
use super::{Item, Pane, Scene};
use crate::check::{Standing, Verdict, Violation};
use crate::tui::frame::{self, Title};
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use crate::view::timeline::{Mark as Point, MarkKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// How wide a check is where several stand side by side.
const COLUMN: u16 = 26;
/// What a list needs beside its evidence.
const LIST: u16 = 44;

/// The pane.
#[derive(Debug)]
pub(super) struct Standings;

impl Pane for Standings {
    fn about(&self) -> &'static str {
        "Properties that must hold in every run, judged by what all processes said. A safety \
         property is broken by one event and stays broken; a property of progress waits until it \
         is fulfilled. A check that has seen nothing to judge is unused: it does not claim that \
         anything holds. Below is the rule that was broken first, and the events that prove it; b \
         shows the fewest events that break it by themselves, as a branch."
    }

    fn views(&self) -> &'static [&'static str] {
        &["rules"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let ranked = ranked(scene);
        let chosen = selected(scene, &ranked);
        let item = |(at, standing): &(usize, Standing<'_>)| {
            let (_, _, mark) = sign(scene, standing);
            let text =
                format!("{}: {}, {}", standing.name, standing.verdict, note(scene, standing));
            Item::new(mark, text).selected(Some(*at) == chosen).picks(Pick::Check(*at))
        };
        ranked.iter().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let glyphs = scene.look.glyphs;
        let count = |verdict| scene.checks.standings().filter(|s| s.verdict == verdict).count();
        let (holds, broken) = (count(Verdict::Holds), count(Verdict::Broken));
        let mut summary = Line::from(format!("{holds}{} ", glyphs.holds));
        let waiting = count(Verdict::Waiting) + count(Verdict::Stalled);
        if waiting > 0 {
            let text = format!("{waiting}{} ", glyphs.pending);
            summary.push_span(Span::styled(text, scene.look.style(Role::Warn)));
        }
        let style = if broken > 0 { scene.look.style(Role::Violation) } else { Style::new() };
        summary.push_span(Span::styled(format!("{broken}{}", glyphs.broken), style));
        Title { name: None, summary, trouble: broken > 0 }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let ranked = ranked(scene);
        if ranked.is_empty() {
            return put(
                buf,
                scene.look,
                area,
                marked(scene.look, Mark::None, "nothing is checked"),
            );
        }
        if area.width >= 2 * LIST && usize::from(area.height) > ranked.len() {
            let mut left = Rect { width: LIST, ..area };
            put(buf, scene.look, take(&mut left, 1), head(scene, LIST));
            list(scene, &ranked, left, buf);
            let aside = right_of(area, LIST + 1);
            return put_all(scene, evidence(scene, &ranked, aside.width), aside, buf);
        }
        let mut rest = area;
        let columns = usize::from(area.width / COLUMN).max(1);
        let lines = evidence(scene, &ranked, area.width);
        let proof = if shown(scene, &ranked).is_some() { lines.len() } else { 0 };
        let room = usize::from(area.height) - proof.min(usize::from(area.height / 2));
        if ranked.len() <= room {
            list(scene, &ranked, take(&mut rest, ranked.len()), buf);
        } else if columns > 1 && ranked.len() <= room * columns {
            grid(scene, &ranked, columns, take(&mut rest, ranked.len().div_ceil(columns)), buf);
        } else {
            list(scene, &ranked, take(&mut rest, room), buf);
        }
        if usize::from(rest.height) > lines.len() {
            take(&mut rest, 1);
        }
        put_all(scene, lines, rest, buf);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let ranked = ranked(scene);
        let order: Vec<usize> = ranked.iter().map(|(at, _)| *at).collect();
        if let Some(check) = to.along(selected(scene, &ranked).as_ref(), &order) {
            select.check = Some(check);
        }
        select
    }

    fn moment(&self, scene: &Scene<'_>) -> Option<usize> {
        shown(scene, &ranked(scene)).map(|violation| violation.at)
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        let ranked = ranked(scene);
        let culprit =
            shown(scene, &ranked).and_then(|violation| scene.timeline.events().get(violation.at));
        Target::Node(culprit.map_or(scene.select.node, |event| event.node))
    }
}

/// What stands in which column of the list.
fn head(scene: &Scene<'_>, width: u16) -> Line<'static> {
    let (left, right) = ("rule", "first bad    n");
    let space = usize::from(width).saturating_sub(left.len() + right.len() + 3);
    let text = format!("  {left}{}{right}", " ".repeat(space));
    marked(scene.look, Mark::None, Span::styled(text, scene.look.style(Role::Muted)))
}

/// The checks with their numbers, broken ones first.
fn ranked<'a>(scene: &Scene<'a>) -> Vec<(usize, Standing<'a>)> {
    let mut all: Vec<(usize, Standing<'a>)> = scene.checks.standings().enumerate().collect();
    let rank = |verdict| match verdict {
        Verdict::Broken => 0,
        Verdict::Stalled => 1,
        Verdict::Waiting | Verdict::Holds => 2,
        Verdict::Idle => 3,
    };
    all.sort_by_key(|(at, standing)| (rank(standing.verdict), *at));
    all
}

/// The selected check: the first, if nobody has chosen another.
fn selected(scene: &Scene<'_>, ranked: &[(usize, Standing<'_>)]) -> Option<usize> {
    scene.select.check.or(ranked.first().map(|(at, _)| *at))
}

/// The violation whose evidence is shown: that of the selected check, or the first of all.
fn shown<'a>(scene: &Scene<'a>, ranked: &[(usize, Standing<'a>)]) -> Option<&'a Violation> {
    let chosen = selected(scene, ranked);
    let selected = ranked.iter().find(|(at, _)| Some(*at) == chosen);
    selected.and_then(|(_, standing)| standing.first).or(scene.checks.first())
}

fn list(scene: &Scene<'_>, ranked: &[(usize, Standing<'_>)], area: Rect, buf: &mut Buffer) {
    let chosen = selected(scene, ranked);
    let at = ranked.iter().position(|(at, _)| Some(*at) == chosen).unwrap_or(0);
    let height = usize::from(area.height);
    let folds = ranked.len() > height && height > 2;
    let shown = window(ranked.len(), at, height - usize::from(folds));
    for (standing, row) in ranked[shown.clone()].iter().zip(area.rows()) {
        standing_row(scene, standing, Some(standing.0) == chosen, row, buf);
    }
    if let Some(last) = area.rows().next_back().filter(|_| folds) {
        put(buf, scene.look, last, hidden(scene, ranked, &shown));
    }
}

/// Names those for which there is no row, with their signs.
fn hidden(
    scene: &Scene<'_>,
    ranked: &[(usize, Standing<'_>)],
    shown: &Range<usize>,
) -> Line<'static> {
    let look = scene.look;
    let mut line = marked(look, Mark::None, look.glyphs.ellipsis);
    let outside = ranked.iter().enumerate().filter(|(row, _)| !shown.contains(row));
    for (_, (_, standing)) in outside {
        let (glyph, role, _) = sign(scene, standing);
        line.push_span(Span::styled(format!(" {glyph} {}", standing.name), look.style(role)));
    }
    line
}

/// Several checks side by side, top to bottom and then right.
fn grid(
    scene: &Scene<'_>,
    ranked: &[(usize, Standing<'_>)],
    columns: usize,
    area: Rect,
    buf: &mut Buffer,
) {
    let chosen = selected(scene, ranked);
    let width = area.width / u16::try_from(columns).unwrap_or(1);
    for (at, part) in (0..).zip(ranked.chunks(area.height.max(1).into())) {
        let column = right_of(area, width * at);
        let column = Rect { width: (width - 1).min(column.width), ..column };
        for (standing, row) in part.iter().zip(column.rows()) {
            standing_row(scene, standing, Some(standing.0) == chosen, row, buf);
        }
    }
}

fn sign(scene: &Scene<'_>, standing: &Standing<'_>) -> (&'static str, Role, Mark) {
    let glyphs = scene.look.glyphs;
    match standing.verdict {
        Verdict::Idle => ("-", Role::Muted, Mark::None),
        Verdict::Holds => (glyphs.holds, Role::Ok, Mark::None),
        Verdict::Waiting => (glyphs.pending, Role::Warn, Mark::None),
        Verdict::Stalled => (glyphs.pending, Role::Warn, Mark::Doubt),
        Verdict::Broken => (glyphs.broken, Role::Bad, Mark::Trouble),
    }
}

/// When it was first broken and how often, what it waits for, or how much it has judged.
fn note(scene: &Scene<'_>, standing: &Standing<'_>) -> String {
    match (standing.first, &standing.waits_for) {
        (Some(first), _) => format!("{} {:>3}x", when(scene, first), standing.count.min(999)),
        (None, Some(what)) => what.clone(),
        (None, None) if standing.verdict == Verdict::Idle => "unused".to_owned(),
        (None, None) => match standing.since {
            Some(since) => format!("since {}", clock(since)),
            None => format!("{} judged", thousands(standing.judged)),
        },
    }
}

/// The row of a check and its number; whether it is the selected one.
fn standing_row(
    scene: &Scene<'_>,
    (at, s): &(usize, Standing<'_>),
    selected: bool,
    row: Rect,
    buf: &mut Buffer,
) {
    scene.spot(row, Pick::Check(*at));
    let (look, glyphs) = (scene.look, scene.look.glyphs);
    let (glyph, role, mark) = sign(scene, s);
    let glyph_width = [glyphs.holds, glyphs.pending, glyphs.broken].map(UnicodeWidthStr::width);
    let glyph_width = glyph_width.into_iter().max().unwrap_or(1);
    let mut line = Line::from(padded(Span::styled(glyph, look.style(role)), glyph_width, false));
    line.push_span(format!(" {}", s.name));
    let note = note(scene, s);
    let style =
        if s.verdict == Verdict::Holds { look.style(Role::Muted) } else { look.style(role) };
    let line = marked(look, mark.or_selected(selected), line);
    let used = line.width() as u16;
    put(buf, look, row, line);
    // A space between the two; what holds need not be said in words where there is no room.
    let space = right_of(row, used + 1);
    let whole = note.len();
    let note = frame::cut(Line::styled(note, style), space.width.into(), glyphs.ellipsis);
    let fits = s.verdict != Verdict::Holds || note.width() == whole;
    if space.width >= 4 && fits {
        let indent = space.width - note.width() as u16;
        put(buf, look, right_of(space, indent), note);
    }
    if selected {
        frame::select(buf, row, scene.look);
    }
}

/// When a violation was.
fn when(scene: &Scene<'_>, violation: &Violation) -> String {
    match scene.timeline.events().get(violation.at) {
        Some(event) => clock(event.at),
        None => "end".to_owned(),
    }
}

/// The first violation after the moment shown, as lines.
fn later(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let ahead =
        |mark: &&Point| mark.kind == MarkKind::Violation && mark.event >= scene.board.events;
    let Some(mark) = scene.timeline.viewed().marks().iter().find(ahead) else { return Vec::new() };
    let text = format!("later, at {}: {} (v goes there)", clock(mark.at), mark.text);
    let style = scene.look.style(Role::Warn);
    let lines = frame::wrap(&text, width).into_iter();
    lines.map(|text| marked(scene.look, Mark::None, Span::styled(text, style))).collect()
}

/// Rule, sentence and events of the shown violation; what the selected check means if there is
/// none.
fn evidence(scene: &Scene<'_>, ranked: &[(usize, Standing<'_>)], width: u16) -> Vec<Line<'static>> {
    let look = scene.look;
    let width = usize::from(width.saturating_sub(1));
    let mut lines = Vec::new();
    let chosen = selected(scene, ranked);
    let selected = ranked.iter().find(|(at, _)| Some(*at) == chosen);
    let violation = shown(scene, ranked);
    let about = match violation {
        Some(violation) => ranked.iter().find(|(_, s)| s.name == violation.check),
        None => selected,
    };
    if let Some(violation) = violation {
        let (mark, role, word) = match violation.is_stall() {
            true => (Mark::Doubt, Role::Warn, "stalled"),
            false => (Mark::Trouble, Role::Bad, "broken"),
        };
        let head = format!("{} {word} at {}", violation.rule, when(scene, violation));
        lines.push(marked(look, mark, Span::styled(head, look.style(role))));
        let text = frame::wrap(&violation.what, width);
        lines.extend(text.into_iter().map(|text| marked(look, Mark::None, text)));
        lines.extend(events(scene, violation));
        if scene.timeline.excerpt().is_none() {
            let text = "b: the fewest events that break it, as a branch";
            lines.push(marked(look, Mark::None, Span::styled(text, look.style(Role::Accent))));
        }
    }
    if let Some((_, standing)) = about {
        let text = frame::wrap(standing.about, width);
        let text = text.into_iter().map(|text| Span::styled(text, look.style(Role::Muted)));
        lines.extend(text.map(|text| marked(look, Mark::None, text)));
    }
    lines.extend(later(scene, width));
    lines
}

fn put_all(scene: &Scene<'_>, lines: Vec<Line<'static>>, area: Rect, buf: &mut Buffer) {
    for (line, row) in lines.into_iter().zip(area.rows()) {
        put(buf, scene.look, row, line);
    }
}

/// The events that contradict each other, oldest first.
fn events(scene: &Scene<'_>, violation: &Violation) -> Vec<Line<'static>> {
    let look = scene.look;
    let line = |(at, mark): (usize, Mark)| {
        let text = match scene.timeline.events().get(at) {
            Some(event) => format!("#{at} {event}"),
            None => "the end of the run".to_owned(),
        };
        marked(look, mark, text)
    };
    let because = violation.because.iter().map(|at| (*at, Mark::None));
    because.chain([(violation.at, Mark::Trouble)]).map(line).collect()
}
