//! What every screen has: header, bordered panes with titles, hint bar, prompt, overlays.
//!
//! All of it draws into a [`Buffer`] and never outside of it, whatever the size; text is cut, never
//! wrapped by accident. Panes share borders, so the order matters: all plain borders, then the
//! focused one, then the titles, or the focused border would wipe the title of the pane below.

use super::action::Action;
use super::keys::KeyHint;
use super::layout::{Focus, Layout, PaneId, Placed, SMALLEST, Solved};
use super::spots::{Spot, Spots};
use super::theme::{Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::merge::MergeStrategy;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};
use std::ops::Range;
use tui_input::Input;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Below this many columns the header says less.
const WIDE: u16 = 100;
/// The longest cluster name the header shows in full.
const CLUSTER_MAX: usize = 16;

/// What a pane says on its top border.
#[derive(Clone, Debug, Default)]
pub struct Title {
    /// Its name, if it is another than that of its kind.
    pub name: Option<String>,
    /// At the right, if there is room.
    pub summary: Line<'static>,
    /// Whether it shows something that a person should see. Marks its tab when it is hidden.
    pub trouble: bool,
}

/// Draws borders and titles of all panes. Returns the panes that can be seen, with the area inside
/// their borders.
pub fn panes(
    buf: &mut Buffer,
    look: &Look,
    layout: &Layout,
    solved: &Solved,
    focus: &Focus,
    spots: &Spots,
    title: impl Fn(PaneId) -> Title,
) -> Vec<(PaneId, Rect)> {
    let has_focus = |place: &&Placed| place.panes.contains(&focus.pane());
    let focused = solved.places.iter().find(has_focus);
    for place in solved.places.iter().filter(|place| Some(*place) != focused) {
        border(buf, look, place.rect, false);
    }
    if let Some(place) = focused {
        border(buf, look, place.rect, true);
    }
    let mut seen = Vec::new();
    for place in &solved.places {
        let Some(front) = place.front(focus) else { continue };
        let focused = Some(place) == focused;
        spots.add(place.rect, Spot::Pane(front));
        if place.rect.height > 1 {
            let left = match place.panes.as_slice() {
                [only] => pane_title(look, layout, *only, title(*only), focused),
                tabs => {
                    let room = place.rect.width.saturating_sub(4).into();
                    let trouble = |pane| title(pane).trouble;
                    let strip = tab_strip(look, layout, tabs, front, focused, room, trouble);
                    for (pane, range) in strip.tabs {
                        spots.add(cells(place.rect, 2, range), Spot::Pane(pane));
                    }
                    strip.line
                }
            };
            top_border(buf, look, place.rect, left, title(front).summary);
        } else if focused {
            put(
                buf,
                place.rect,
                &Span::styled(look.glyphs.focus[0], look.style(Role::Accent)).into(),
            );
        }
        seen.push((front, inside(place.rect)));
    }
    seen
}

/// The area within borders; of one row, all but the first cell, which is where focus is shown.
fn inside(rect: Rect) -> Rect {
    if rect.height == 1 {
        let width = rect.width.saturating_sub(1);
        return Rect { x: rect.x + rect.width.min(1), width, ..rect };
    }
    rect.inner(ratatui::layout::Margin::new(1, 1))
}

fn border(buf: &mut Buffer, look: &Look, rect: Rect, focused: bool) {
    let rect = rect.intersection(buf.area);
    if rect.height < 2 || rect.width < 2 {
        return;
    }
    let style = look.style(if focused { Role::Accent } else { Role::Muted });
    if look.glyphs.is_ascii() {
        return ascii_border(buf, rect, style, focused);
    }
    let kind = if focused || look.is_heavy() { BorderType::Thick } else { BorderType::Plain };
    Block::bordered()
        .border_type(kind)
        .border_style(style)
        .merge_borders(MergeStrategy::Exact)
        .render(rect, buf);
}

fn ascii_border(buf: &mut Buffer, rect: Rect, style: Style, focused: bool) {
    let (right, bottom) = (rect.right() - 1, rect.bottom() - 1);
    for at in rect.positions() {
        let across = at.y == rect.y || at.y == bottom;
        let down = at.x == rect.x || at.x == right;
        let cell = &mut buf[at];
        let symbol = match (across, down) {
            (false, false) => continue,
            _ if focused => "#",
            (true, true) => "+",
            // A line that crosses another, or runs along a corner.
            (true, false) if matches!(cell.symbol(), "|" | "+") => "+",
            (false, true) if matches!(cell.symbol(), "-" | "+") => "+",
            (true, false) => "-",
            (false, true) => "|",
        };
        cell.set_symbol(symbol).set_style(style);
    }
}

/// `left` from the third cell of the top border on, `right` up to the third last.
fn top_border(buf: &mut Buffer, look: &Look, rect: Rect, left: Line<'_>, right: Line<'_>) {
    let room = rect.width.saturating_sub(4);
    let left = cut(left, room.into(), look.glyphs.ellipsis);
    let used = left.width() as u16;
    put(buf, Rect::new(rect.x.saturating_add(2), rect.y, room, 1), &left);
    // Some border between the two, and a space on either side of the summary.
    let room = room.saturating_sub(used + 3);
    if right.width() == 0 || room < 4 {
        return;
    }
    let right = cut(right, room.into(), look.glyphs.ellipsis);
    let width = right.width() as u16 + 2;
    let x = rect.right().saturating_sub(2 + width);
    let place = Rect::new(x, rect.y, width, 1);
    clear(buf, place);
    put(buf, Rect { x: x + 1, width: width - 2, ..place }, &right);
}

fn pane_title(
    look: &Look,
    layout: &Layout,
    pane: PaneId,
    title: Title,
    focused: bool,
) -> Line<'static> {
    let spec = layout.pane(pane);
    // What the layout calls it beats what the pane calls itself.
    let own = title.name.filter(|_| spec.title.is_none());
    let text = numbered(pane, own.as_deref().unwrap_or(spec.title(false)));
    if focused {
        front_title(look, &text, look.glyphs.focus, true)
    } else {
        format!(" {text} ").into()
    }
}

fn front_title(look: &Look, text: &str, around: [&str; 2], focused: bool) -> Line<'static> {
    let style = if focused { look.style(Role::Accent) } else { Style::new() };
    let [open, close] = around;
    Line::styled(format!("{open}{text}{close}"), style.add_modifier(Modifier::BOLD))
}

/// Some cells of the first row of `rect`, counted from its cell `from` on.
fn cells(rect: Rect, from: u16, range: Range<usize>) -> Rect {
    let cell = |at: usize| from.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
    let (start, end) = (cell(range.start).min(rect.width), cell(range.end).min(rect.width));
    Rect { x: rect.x + start, width: end - start, height: rect.height.min(1), ..rect }
}

/// A name with the number that goes to it before it.
fn numbered(pane: PaneId, name: &str) -> String {
    pane.number().map_or(name.to_owned(), |number| format!("{number} {name}"))
}

/// The names of the panes of a stack, and which cells are whose.
struct Strip {
    line: Line<'static>,
    tabs: Vec<(PaneId, Range<usize>)>,
}

/// The names of all panes of a stack; only their numbers, but for the one in front, if there is no
/// room for that.
fn tab_strip(
    look: &Look,
    layout: &Layout,
    tabs: &[PaneId],
    front: PaneId,
    focused: bool,
    room: usize,
    trouble: impl Fn(PaneId) -> bool,
) -> Strip {
    let strip = |full: bool| {
        let (mut line, mut ranges) = (Line::default(), Vec::new());
        for (at, &pane) in tabs.iter().enumerate() {
            match (full, at) {
                (true, 0) => {}
                (true, _) => line.push_span(look.glyphs.separator),
                (false, _) => line.push_span(" "),
            }
            let mark = if trouble(pane) { look.glyphs.violation } else { "" };
            let name = layout.pane(pane).title(true);
            let start = line.width();
            if pane == front {
                let around = if focused { look.glyphs.focus } else { look.glyphs.front };
                let gap = if mark.is_empty() { "" } else { " " };
                let text = format!("{}{gap}{mark}", numbered(pane, name));
                line.extend(front_title(look, &text, around, focused));
                ranges.push((pane, start..line.width()));
                continue;
            }
            line.push_span(match (full, pane.number()) {
                (true, _) => format!(" {} ", numbered(pane, name)),
                (false, Some(number)) => number.to_string(),
                (false, None) => look.glyphs.ellipsis.to_owned(),
            });
            line.push_span(Span::styled(mark, look.style(Role::Bad)));
            line.push_span(if full && !mark.is_empty() { " " } else { "" });
            ranges.push((pane, start..line.width()));
        }
        line.push_span(if full { "" } else { " " });
        Strip { line, tabs: ranges }
    };
    let full = strip(true);
    if full.line.width() <= room { full } else { strip(false) }
}

/// How the cluster's time passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The simulated cluster runs.
    Running,
    /// The simulated cluster is stopped.
    Paused,
    /// A cluster that cannot be stopped is shown as it is now.
    Live,
    /// Nothing comes from the cluster any more.
    Ended,
    /// What is shown is this long ago, as text such as `-3.2s`.
    Past(String),
    /// A few events of the run are shown by themselves.
    Excerpt,
}

/// What the first row of the screen says.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Where it runs, such as `SIM seed 7`.
    pub source: &'a str,
    /// Of a cluster elsewhere, how many processes can be seen, and how many there are.
    pub links: Option<(usize, usize)>,
    /// How time passes.
    pub pace: Pace,
    /// The time shown, such as `12.480s`.
    pub time: &'a str,
    /// How fast, such as `x1`.
    pub speed: &'a str,
    /// The event shown and how many there are, such as `1284/1902`.
    pub event: &'a str,
    /// Faults that are active.
    pub faults: usize,
    /// Checks that hold.
    pub holds: usize,
    /// Checks that are broken.
    pub broken: usize,
    /// Whether the mouse belongs to the terminal, because somebody said so.
    pub mouse_off: bool,
}

/// One field of the header.
struct Field {
    text: String,
    style: Style,
    /// The highest goes first when there is no room.
    rank: u8,
    /// Whether a bar stands before it on wide screens.
    bar: bool,
    /// What a click on it does.
    act: Option<Action>,
}

/// Draws the header. Faults and checks are always there; the rest is dropped, the least important
/// first, when it does not fit.
pub fn header(buf: &mut Buffer, area: Rect, look: &Look, spots: &Spots, header: &Header<'_>) {
    let right = verdict(look, header);
    let right_width = (right.width() as u16 + 1).min(area.width);
    let wide = area.width >= WIDE;
    let mut fields = header_fields(look, header, wide);
    let room = usize::from(area.width - right_width);
    let between = |field: &Field| if wide && field.bar { 3 } else { 1 };
    let width = |fields: &[Field]| {
        fields.iter().map(|field| field.text.width() + between(field)).sum::<usize>()
    };
    while width(&fields) + 1 > room {
        let least = fields.iter().enumerate().max_by_key(|(_, field)| field.rank);
        let Some((at, _)) = least else { break };
        fields.remove(at);
    }
    let mut left = Line::default();
    let bar = format!(" {} ", look.glyphs.separator);
    for (at, field) in fields.into_iter().enumerate() {
        let before = if at > 0 && wide && field.bar { bar.as_str() } else { " " };
        left.push_span(before.to_owned());
        let start = left.width();
        left.push_span(Span::styled(field.text, field.style));
        if let Some(act) = field.act {
            spots.add(cells(area, 0, start..left.width()), Spot::Act(act));
        }
    }
    put(buf, Rect { height: 1, ..area }, &left);
    let x = area.right() - right_width;
    put(buf, Rect { x, width: right_width, height: 1, ..area }, &right);
    let right = Rect { x, width: right_width, height: 1, ..area };
    let faults = verdict_split(look, header);
    spots.add(cells(right, 0, 0..faults), Spot::Act(Action::Broken));
    spots.add(cells(right, 0, faults..right_width.into()), Spot::Act(Action::NextViolation));
}

fn header_fields(look: &Look, header: &Header<'_>, wide: bool) -> Vec<Field> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let glyphs = look.glyphs;
    let (glyph, word, role) = match &header.pace {
        Pace::Running => (glyphs.running, "RUNNING".to_owned(), Role::Ok),
        Pace::Paused => (glyphs.halted, "PAUSED".to_owned(), Role::Warn),
        Pace::Live => (glyphs.live, "LIVE".to_owned(), Role::Ok),
        Pace::Ended => (glyphs.down, "ENDED".to_owned(), Role::Bad),
        Pace::Excerpt => (glyphs.past, "EXCERPT".to_owned(), Role::Candidate),
        Pace::Past(ago) => (glyphs.past, format!("PAST {ago}"), Role::Candidate),
    };
    let pace = format!("{glyph} {word}").trim_start().to_owned();
    let cluster = cut(header.cluster.into(), CLUSTER_MAX, glyphs.ellipsis).to_string();
    let long = |before: &str, short: &str, text: &str| {
        format!("{}{text}", if wide { before } else { short })
    };
    let field = |text: String, style, rank, bar| Field { text, style, rank, bar, act: None };
    let run = Some(Action::RunPause);
    let mouse = if header.mouse_off { "mouse off" } else { "" };
    // That a cluster is somewhere else must not be dropped before anything else is.
    let elsewhere = header.links.is_some();
    let links = header.links.map(|(up, all)| format!("{up}/{all} linked")).unwrap_or_default();
    let missing = header.links.is_some_and(|(up, all)| up < all);
    let mut fields = vec![
        field(cluster, bold, 2, true),
        field(header.source.to_owned(), Style::new(), if elsewhere { 1 } else { 5 }, true),
        field(links, if missing { look.style(Role::Warn) } else { Style::new() }, 2, false),
        Field { act: run, ..field(pace, look.style(role), 0, true) },
        field(long("t=", "", header.time), Style::new(), 1, false),
        field(header.speed.to_owned(), Style::new(), 3, false),
        field(long("event ", "#", header.event), Style::new(), 4, true),
        Field { act: Some(Action::Mouse), ..field(mouse.to_owned(), Style::new(), 3, true) },
    ];
    if wide {
        fields.insert(0, field("netsplit".to_owned(), look.style(Role::Accent), 6, true));
    }
    fields.retain(|field| !field.text.is_empty());
    fields
}

/// How many cells of the verdict are about faults; the rest is about checks.
fn verdict_split(look: &Look, header: &Header<'_>) -> usize {
    verdict(look, header).spans.first().map_or(0, Span::width)
}

/// `faults n │ inv n✓ n✗`.
fn verdict(look: &Look, header: &Header<'_>) -> Line<'static> {
    let glyphs = look.glyphs;
    let when = |condition, role| if condition { look.style(role) } else { Style::new() };
    Line::from(vec![
        Span::styled(format!("faults {}", header.faults), when(header.faults > 0, Role::Warn)),
        Span::raw(format!(" {} inv ", glyphs.separator)),
        Span::raw(format!("{}{} ", header.holds, glyphs.holds)),
        Span::styled(
            format!("{}{}", header.broken, glyphs.broken),
            when(header.broken > 0, Role::Violation),
        ),
    ])
}

/// Draws the hint bar: keys in bold, a word behind each.
pub fn hints(buf: &mut Buffer, area: Rect, look: &Look, spots: &Spots, hints: &[KeyHint]) {
    let mut line = Line::default();
    for (at, hint) in hints.iter().enumerate() {
        let bold = look.style(Role::Accent).add_modifier(Modifier::BOLD);
        line.push_span(if at > 0 { "  " } else { " " });
        let start = line.width();
        line.push_span(Span::styled(hint.keys.clone(), bold));
        line.push_span(format!(":{}", hint.word));
        // Of two keys, such as `,/.`, each has its half.
        let half = if hint.actions.len() == 2 { start + 1 } else { line.width() };
        for (range, act) in [start..half, half..line.width()].into_iter().zip(&hint.actions) {
            spots.add(cells(area, 0, range), Spot::Act(*act));
        }
    }
    put(buf, area, &cut(line, area.width.into(), look.glyphs.ellipsis));
}

/// Draws the line in which one types, over the hint bar, behind a label that says what; the text
/// scrolls sideways when it is long. Returns where the cursor is.
pub fn prompt(
    buf: &mut Buffer,
    area: Rect,
    look: &Look,
    label: &'static str,
    input: &Input,
) -> Position {
    let area = Rect { height: area.height.min(1), ..area };
    clear(buf, area);
    let sign = Span::styled(label, look.style(Role::Accent).add_modifier(Modifier::BOLD));
    put(buf, area, &sign.into());
    let label = (label.width() as u16).min(area.width);
    let room = usize::from(area.width.saturating_sub(label + 1));
    let scroll = input.visual_scroll(room);
    let mut skipped = 0;
    let rest = input.value().chars().skip_while(|c| {
        skipped += c.width().unwrap_or(0);
        skipped <= scroll
    });
    let rest: String = rest.collect();
    let text = Rect { x: area.x + label, width: area.width - label, ..area };
    put(buf, text, &Line::raw(rest));
    let column = input.visual_cursor().saturating_sub(scroll).min(room) as u16;
    let last = area.right().saturating_sub(1);
    Position::new(text.x.saturating_add(column).min(last), area.y)
}

/// Draws a message above the row `below`, as high as it needs up to five rows.
pub fn note(buf: &mut Buffer, below: Rect, look: &Look, role: Role, text: &str) {
    let mut lines = wrap(text, usize::from(below.width.saturating_sub(2)));
    lines.truncate(5);
    let height = (lines.len() as u16).min(below.y.saturating_sub(buf.area.y));
    let area = Rect { y: below.y.saturating_sub(height), height, ..below };
    clear(buf, area);
    buf.set_style(area.intersection(buf.area), look.style(role));
    for (row, line) in area.rows().zip(lines) {
        put(buf, Rect { x: row.x + row.width.min(1), ..row }, &Line::raw(line));
    }
}

/// Clears a box of at most `size` in the middle of `screen` and draws its border and title.
/// Returns the area inside.
pub fn overlay(
    buf: &mut Buffer,
    screen: Rect,
    look: &Look,
    spots: &Spots,
    title: &str,
    size: Size,
) -> Rect {
    let (width, height) = (size.width.min(screen.width), size.height.min(screen.height));
    let x = screen.x + (screen.width - width) / 2;
    let y = screen.y + (screen.height - height) / 2;
    let rect = Rect::new(x, y, width, height);
    spots.add(rect, Spot::Overlay);
    boxed(buf, rect, look, title, Line::default())
}

/// Clears a box and draws its border, its title and, on the right, `summary`. Returns the area
/// inside.
pub fn boxed(buf: &mut Buffer, rect: Rect, look: &Look, title: &str, summary: Line<'_>) -> Rect {
    clear(buf, rect);
    border(buf, look, rect, true);
    if rect.height < 2 {
        return Rect { width: 0, height: 0, ..rect };
    }
    let title = front_title(look, title, look.glyphs.focus, true);
    top_border(buf, look, rect, title, summary);
    inside(rect)
}

/// Says that the terminal is too small, and how to leave.
pub fn too_small(buf: &mut Buffer) {
    let area = buf.area;
    buf.reset();
    let lines = [
        "Terminal too small".to_owned(),
        String::new(),
        format!("   now  {} x {}", area.width, area.height),
        format!("needed  {} x {}", SMALLEST.width, SMALLEST.height),
        String::new(),
        "q quit".to_owned(),
    ];
    // Where there is no room for all, the gaps go first.
    let gaps = usize::from(area.height) >= lines.len();
    let lines: Vec<String> = lines.into_iter().filter(|line| gaps || !line.is_empty()).collect();
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (line, row) in lines.into_iter().zip(area.rows().skip(top.into())) {
        let indent = row.width.saturating_sub(line.width() as u16) / 2;
        put(buf, Rect { x: row.x + indent, width: row.width - indent, ..row }, &Line::raw(line));
    }
}

/// Writes a line into the first row of `area`, cut where the area or the buffer ends.
pub fn put(buf: &mut Buffer, area: Rect, line: &Line<'_>) {
    let area = area.intersection(buf.area);
    if !area.is_empty() {
        buf.set_line(area.x, area.y, line, area.width);
    }
}

/// Writes lines into the rows of `area`, as many as there is room for.
pub fn put_all<'a>(buf: &mut Buffer, area: Rect, lines: impl IntoIterator<Item = Line<'a>>) {
    for (row, line) in area.intersection(buf.area).rows().zip(lines) {
        put(buf, row, &line);
    }
}

/// Empties an area.
pub fn clear(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    for row in area.rows() {
        // Half of a wide character that begins before the area would cover its first cell.
        if let Some(before) = row.x.checked_sub(1).and_then(|x| buf.cell_mut((x, row.y)))
            && before.symbol().width() > 1
        {
            before.set_symbol(" ");
        }
        for at in row.positions() {
            buf[at].reset();
        }
    }
}

/// Marks a whole row as selected. Its text gives its colours up, since no two colours can be read
/// on every third one.
pub fn select(buf: &mut Buffer, area: Rect, look: &Look) {
    for at in area.intersection(buf.area).positions() {
        let cell = &mut buf[at];
        cell.fg = Color::Reset;
        cell.bg = Color::Reset;
        cell.modifier -= Modifier::REVERSED;
        cell.set_style(look.style(Role::Selection));
    }
}

/// A line of at most `width` cells, with an ellipsis where something was cut off.
pub fn cut<'a>(line: Line<'a>, width: usize, ellipsis: &'static str) -> Line<'a> {
    if line.width() <= width {
        return line;
    }
    let mut room = width.saturating_sub(ellipsis.width());
    let mut short = Line { spans: Vec::new(), ..line };
    for span in line.spans {
        let fits = |text: &str| {
            let mut used = 0;
            let cut = text.char_indices().find(|(_, c)| {
                used += c.width().unwrap_or(0);
                used > room
            });
            cut.map_or(text.len(), |(at, _)| at)
        };
        let end = fits(&span.content);
        let whole = end == span.content.len();
        let text = span.content[..end].to_owned();
        room = room.saturating_sub(text.width());
        short.spans.push(Span::styled(text, span.style));
        if !whole {
            break;
        }
    }
    short.spans.push(Span::raw(if width < ellipsis.width() { "" } else { ellipsis }));
    short
}

/// Breaks a text at spaces into lines of at most `width` cells; words that are longer are broken
/// anywhere.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for c in word.chars() {
                if !line.is_empty() && line.width() + c.width().unwrap_or(0) > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::layout::PaneKind;
    use crate::tui::theme::{ColorArg, Env, Flags, GlyphsArg};

    /// The overview of a cluster with a log, a ring, locks and transactions.
    fn overview() -> Layout {
        use PaneKind::{Consensus, Locks, Ring, Txn};
        Layout::overview().suited(&[Consensus, Ring, Locks, Txn])
    }

    fn look(glyphs: GlyphsArg) -> Look {
        let flags = Flags { color: ColorArg::True, glyphs: Some(glyphs), ..Flags::default() };
        Look::choose(&flags, &Env::default())
    }

    fn text(buf: &Buffer) -> String {
        let row = |row: Rect| row.positions().map(|at| buf[at].symbol().to_owned()).collect();
        let rows: Vec<String> = buf.area.rows().map(row).collect();
        rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n")
    }

    fn titled(pane: PaneKind) -> Title {
        match pane {
            PaneKind::Nodes => {
                Title { summary: "5 nodes: 4 up, 1 down".into(), ..Title::default() }
            }
            PaneKind::Consensus => Title {
                name: Some("Paxos".to_owned()),
                summary: "chosen 41  quorum LOST 2/5".into(),
                trouble: true,
            },
            PaneKind::Locks => Title { trouble: true, ..Title::default() },
            _ => Title::default(),
        }
    }

    fn sample() -> Header<'static> {
        Header {
            cluster: "five-raft",
            source: "SIM seed 7f3a",
            links: None,
            pace: Pace::Paused,
            time: "12.480s",
            speed: "x1",
            event: "1284/1902",
            faults: 3,
            holds: 11,
            broken: 1,
            mouse_off: false,
        }
    }

    /// The frame of the overview with this pane focused. The hints are tested with the keys.
    fn frame(size: (u16, u16), glyphs: GlyphsArg, focused: PaneKind) -> Buffer {
        let look = look(glyphs);
        let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        let Some(solved) = overview().solve(buf.area) else {
            too_small(&mut buf);
            return buf;
        };
        let spots = Spots::default();
        header(&mut buf, solved.header, &look, &spots, &sample());
        let layout = overview();
        let focus = Focus::new(layout.first(focused));
        let title = |id| titled(layout.pane(id).kind);
        panes(&mut buf, &look, &layout, &solved, &focus, &spots, title);
        buf
    }

    #[test]
    fn the_small_frame() {
        let buf = frame((80, 24), GlyphsArg::Unicode, PaneKind::Txn);
        insta::assert_snapshot!(text(&buf), @r#"
         five-raft SIM seed 7f3a ‖ PAUSED 12.480s x1 #1284/1902   faults 3 │ inv 11✓ 1✗
        ┌─ 1 Nodes ──── 5 nodes: 4 up, 1 down ─┬─ 3 Paxos ─ chosen 41  quorum LOST 2… ─┐
        │                                      │                                       │
        │                                      │                                       │
        │                                      │                                       │
        │                                      │                                       │
        │                                      │                                       │
        │                                      │                                       │
        │                                      │                                       │
        ┢━ 2 Ring │ 4 Locks ! │▌5 Txn▐│ 6 Net │ 7 Events │ 9 Checks ━━━━━━━━━━━━━━━━━━━┪
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┃                                                                              ┃
        ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛

        "#);
    }

    #[test]
    fn the_wide_frame() {
        let buf = frame((120, 36), GlyphsArg::Unicode, PaneKind::Consensus);
        insta::assert_snapshot!(text(&buf), @r#"
         netsplit │ five-raft │ SIM seed 7f3a │ ‖ PAUSED t=12.480s x1 │ event 1284/1902                   faults 3 │ inv 11✓ 1✗
        ┌─ 1 Nodes ─────────── 5 nodes: 4 up, 1 down ─┲━▌3 Paxos▐━━ chosen 41  quorum LOST 2/5 ━┱─ 6 Network ──────────────────┐
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        ├─ 2 Ring ────────────────────────────────────┨                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┃                              │
        │                                             ┃                                         ┠─ 7 Events ───────────────────┤
        │                                             ┃                                         ┃                              │
        │                                             ┡━ 4 Locks ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             ├─ 5 Transactions ────────────────────────┤                              │
        │                                             │                                         │                              │
        │                                             │                                         ├─ 9 Checks ───────────────────┤
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        │                                             │                                         │                              │
        ├─ 8 Timeline ────────────────────────────────┴─────────────────────────────────────────┴──────────────────────────────┤
        │                                                                                                                      │
        │                                                                                                                      │
        └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
        "#);
    }

    #[test]
    fn the_ascii_frame() {
        let buf = frame((120, 24), GlyphsArg::Ascii, PaneKind::Ring);
        insta::assert_snapshot!(text(&buf), @r#"
         netsplit | five-raft | SIM seed 7f3a | PAUSED t=12.480s x1 | event 1284/1902                    faults 3 | inv 11ok 1X
        +- 1 Nodes ----------- 5 nodes: 4 up, 1 down -+- 3 Paxos -- chosen 41  quorum LOST 2/5 -+- 6 Network ------------------+
        |                                             |                                         |                              |
        |                                             |                                         |                              |
        |                                             |                                         |                              |
        |                                             |                                         |                              |
        |                                             |                                         |                              |
        |                                             |                                         |                              |
        |                                             |                                         |                              |
        ##[2 Ring]#####################################                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #-(4 Locks !)| 5 Txn ---------------------+-(7 Events)| 9 Checks --------+
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        #                                             #                                         |                              |
        ###############################################-----------------------------------------+------------------------------+

        "#);
        let ascii = |symbol: &str| symbol.bytes().all(|byte| (32..127).contains(&byte));
        assert!(buf.content.iter().all(|cell| ascii(cell.symbol())));
    }

    #[test]
    fn the_narrow_frame() {
        let buf = frame((40, 10), GlyphsArg::Unicode, PaneKind::Network);
        insta::assert_snapshot!(text(&buf), @r#"
         ‖ PAUSED 12.480s faults 3 │ inv 11✓ 1✗
        ┏━ 1 2 3! 4! 5 ▌6 Net▐ 7 8 9 ━━━━━━━━━━┓
        ┃                                      ┃
        ┃                                      ┃
        ┃                                      ┃
        ┃                                      ┃
        ┃                                      ┃
        ┃                                      ┃
        ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
        "#);
    }

    #[test]
    fn a_small_terminal_is_told_so() {
        let buf = frame((38, 9), GlyphsArg::Unicode, PaneKind::Nodes);
        insta::assert_snapshot!(text(&buf), @r#"

        Terminal too small

             now  38 x 9
         needed  40 x 10

              q quit
        "#);
    }

    #[test]
    fn nothing_is_drawn_outside_at_any_size() {
        let look = look(GlyphsArg::Unicode);
        for width in (0..=130).step_by(3) {
            for height in 0..=40 {
                let mut buf = frame((width, height), GlyphsArg::Unicode, PaneKind::Timeline);
                let area = buf.area;
                let row = Rect::new(0, height.saturating_sub(1), width, 1);
                header(&mut buf, row, &look, &Spots::default(), &sample());
                let at = prompt(&mut buf, row, &look, ":", &"kill n3 and more".into());
                assert!(at.x <= width, "{at}");
                note(&mut buf, row, &look, Role::Bad, "no such node: n33; there are n1 to n5");
                overlay(&mut buf, area, &look, &Spots::default(), "Help", Size::new(60, 20));
                assert_eq!(buf.area, area);
            }
        }
    }

    #[test]
    fn the_header_drops_what_matters_least() {
        let draw = |width, header_: &Header<'_>| {
            let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
            let (area, spots) = (buf.area, Spots::default());
            header(&mut buf, area, &look(GlyphsArg::Unicode), &spots, header_);
            text(&buf)
        };
        insta::assert_snapshot!(
            [120, 100, 80, 70, 60, 50, 40, 30, 20].map(|width| draw(width, &sample())).join("\n"),
            @r#"
             netsplit │ five-raft │ SIM seed 7f3a │ ‖ PAUSED t=12.480s x1 │ event 1284/1902                   faults 3 │ inv 11✓ 1✗
             five-raft │ SIM seed 7f3a │ ‖ PAUSED t=12.480s x1 │ event 1284/1902          faults 3 │ inv 11✓ 1✗
             five-raft SIM seed 7f3a ‖ PAUSED 12.480s x1 #1284/1902   faults 3 │ inv 11✓ 1✗
             five-raft ‖ PAUSED 12.480s x1 #1284/1902       faults 3 │ inv 11✓ 1✗
             five-raft ‖ PAUSED 12.480s x1        faults 3 │ inv 11✓ 1✗
             five-raft ‖ PAUSED 12.480s faults 3 │ inv 11✓ 1✗
             ‖ PAUSED 12.480s faults 3 │ inv 11✓ 1✗
                    faults 3 │ inv 11✓ 1✗
            faults 3 │ inv 11✓ 1
            "#
        );
        let past = Header {
            pace: Pace::Past("-3.2s".to_owned()),
            cluster: "a name that is much too long",
            ..sample()
        };
        let shown = "│ a name that is … │ SIM seed 7f3a │ ◄ PAST -3.2s t=12.480s x1 │";
        assert!(draw(120, &past).contains(shown));
    }

    #[test]
    fn the_prompt_scrolls_with_its_cursor() {
        let look = look(GlyphsArg::Unicode);
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        let row = Rect::new(0, 1, 12, 1);
        let at = prompt(&mut buf, row, &look, ":", &"heal".into());
        assert_eq!((text(&buf).as_str(), at), ("\n:heal", Position::new(5, 1)));
        let at = prompt(&mut buf, row, &look, ":", &"partition n1,n2 | n3".into());
        assert_eq!((text(&buf).as_str(), at), ("\n:n1,n2 | n3", Position::new(11, 1)));
        let at = prompt(&mut buf, row, &look, ":", &"partition 日本".into());
        assert_eq!((text(&buf).as_str(), at), ("\n:ition 日 本", Position::new(11, 1)));
    }

    #[test]
    fn notes_wrap_and_stay_above() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 22, 4));
        let row = Rect::new(0, 3, 22, 1);
        let long = "no such node: n33; there are n1 to n5";
        note(&mut buf, row, &look(GlyphsArg::Unicode), Role::Bad, long);
        assert_eq!(text(&buf), "\n no such node: n33;\n there are n1 to n5\n");
        assert_eq!(wrap("abcdefgh ij\n\nk", 3), ["abc", "def", "gh", "ij", "", "k"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn a_selected_row_gives_its_colours_up() {
        let look = look(GlyphsArg::Unicode);
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 2));
        put(&mut buf, Rect::new(0, 0, 6, 1), &Span::styled("n3 ★", look.style(Role::Warn)).into());
        select(&mut buf, Rect::new(0, 0, 99, 1), &look);
        for x in 0..6 {
            let cell = &buf[(x, 0)];
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
            assert!(cell.modifier.contains(Modifier::REVERSED));
            assert!(!buf[(x, 1)].modifier.contains(Modifier::REVERSED));
        }
    }

    #[test]
    fn an_overlay_covers_half_of_a_wide_character_cleanly() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 9, 3));
        put(&mut buf, Rect::new(0, 1, 9, 1), &Line::raw("a日本語b"));
        let (place, look) = (Rect::new(2, 0, 4, 3), look(GlyphsArg::Unicode));
        overlay(&mut buf, place, &look, &Spots::default(), "", Size::new(4, 3));
        assert_eq!(buf[(1, 1)].symbol(), " ");
        assert_eq!(buf[(2, 1)].symbol(), "┃");
    }

    #[test]
    fn cutting_leaves_exactly_the_room() {
        let line = || Line::from(vec![Span::raw("commit "), Span::raw("日本")]);
        let cut = |width| cut(line(), width, "…").to_string();
        assert_eq!(
            [11, 10, 9, 8, 7, 1, 0].map(cut),
            ["commit 日本", "commit 日…", "commit …", "commit …", "commit…", "…", "",]
        );
    }
}
