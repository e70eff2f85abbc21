//! What panes have in common: rows with a marker in front, columns that give way, short numbers.
//!
//! Column 1 of every row is the marker column, so that a look down it finds trouble in any pane.

pub(super) use super::list::Mark;
use crate::base::{NodeId, Span as Length, Time};
use crate::tui::frame;
use crate::tui::theme::{Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<K> {
    /// What its cells say.
    pub key: K,
    /// What stands on top.
    pub head: &'static str,
    /// How wide it is.
    pub width: usize,
    /// Whether cells end at its right side, as numbers do.
    pub right: bool,
    /// The highest goes first when there is no room; 0 stays.
    pub rank: u8,
}

impl<K> Column<K> {
    /// A column of words.
    pub(super) fn words(key: K, head: &'static str, width: usize, rank: u8) -> Column<K> {
        Column { key, head, width: width.max(head.len()), right: false, rank }
    }

    /// A column of numbers.
    pub(super) fn numbers(key: K, head: &'static str, width: usize, rank: u8) -> Column<K> {
        Column { right: true, ..Column::words(key, head, width, rank) }
    }
}

/// The columns for which there is room.
#[derive(Clone, Debug)]
pub(super) struct Table<K>(Vec<Column<K>>);

impl<K: Copy> Table<K> {
    /// Drops columns until the rest fits into `width` cells.
    pub(super) fn fit(mut columns: Vec<Column<K>>, width: u16) -> Table<K> {
        loop {
            let used: usize = columns.iter().map(|column| column.width + 1).sum();
            let least = columns.iter().enumerate().max_by_key(|(_, column)| column.rank);
            match least {
                Some((at, column)) if used > width.into() && column.rank > 0 => {
                    columns.remove(at);
                }
                _ => return Table(columns),
            }
        }
    }

    /// The row on top.
    pub(super) fn head(&self, look: &Look) -> Line<'static> {
        let style = look.style(Role::Muted);
        let cells = self.0.iter().map(|c| padded(Span::styled(c.head, style), c.width, c.right));
        line(Span::raw(" "), cells)
    }

    /// A row.
    pub(super) fn row(
        &self,
        look: &Look,
        mark: Mark,
        cell: impl Fn(K) -> Span<'static>,
    ) -> Line<'static> {
        let cells = self.0.iter().map(|c| {
            let cell = cell(c.key);
            let cut = frame::cut(cell.into(), c.width, look.glyphs.ellipsis);
            padded(Span::styled(cut.to_string(), cut_style(&cut)), c.width, c.right)
        });
        line(mark.span(look), cells)
    }
}

fn cut_style(line: &Line<'_>) -> Style {
    line.spans.first().map_or(Style::new(), |span| span.style)
}

fn line(mark: Span<'static>, cells: impl Iterator<Item = Span<'static>>) -> Line<'static> {
    let mut line = Line::from(mark);
    for (at, cell) in cells.enumerate() {
        line.push_span(if at > 0 { " " } else { "" });
        line.push_span(cell);
    }
    line
}

/// A text with spaces around it, `width` cells wide.
pub(super) fn padded(text: Span<'_>, width: usize, right: bool) -> Span<'static> {
    let gap = " ".repeat(width.saturating_sub(text.content.width()));
    let content = match right {
        true => format!("{gap}{}", text.content),
        false => format!("{}{gap}", text.content),
    };
    Span::styled(content, text.style)
}

/// A line behind a mark, cut where the room ends.
pub(super) fn marked(look: &Look, mark: Mark, text: impl Into<Line<'static>>) -> Line<'static> {
    let mut line = Line::from(mark.span(look));
    line.extend(text.into().spans);
    line
}

/// Puts a line; one that does not fit says so at its end.
pub(super) fn put(buf: &mut Buffer, look: &Look, area: Rect, line: Line<'static>) {
    frame::put(buf, area, &frame::cut(line, area.width.into(), look.glyphs.ellipsis));
}

/// Which of `len` rows to show in `room` so that row `at` is among them.
pub(super) fn window(len: usize, at: usize, room: usize) -> Range<usize> {
    let start = at.saturating_sub(room / 2).min(len.saturating_sub(room));
    start..(start + room).min(len)
}

/// Takes the first `rows` rows off `area`.
pub(super) fn take(area: &mut Rect, rows: usize) -> Rect {
    let height = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    let taken = Rect { height, ..*area };
    area.y += height;
    area.height -= height;
    taken
}

/// The same rows without the first `columns` columns.
pub(super) fn right_of(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect { x: area.x + columns, width: area.width - columns, ..area }
}

/// `12 345`.
pub(in crate::tui) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// How long something lasts, in at most five characters: `0.3s`, `12s`, `5m`, `30h`.
pub(super) fn brief(length: Length) -> String {
    match length.0 / 1_000 {
        ms if ms < 10_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        ms if ms < 600_000 => format!("{}s", ms / 1_000),
        ms if ms < 36_000_000 => format!("{}m", ms / 60_000),
        ms => format!("{}h", ms / 3_600_000),
    }
}

/// How far a clock is off: `+250ms`, `-30us`.
pub(super) fn signed(micros: i64) -> String {
    let sign = if micros < 0 { '-' } else { '+' };
    match micros.unsigned_abs() {
        0 => "+0ms".to_owned(),
        us if us < 1_000 => format!("{sign}{us}us"),
        us if us < 100_000_000 => format!("{sign}{}ms", us / 1_000),
        us => format!("{sign}{}s", us / 1_000_000),
    }
}

/// A text in which lists of names are folded: `n1,n2,n3,n4` is `n1..n4`.
pub(super) fn folded(text: &str) -> String {
    let fold = |word: &str| {
        let mut runs: Vec<(NodeId, NodeId)> = Vec::new();
        for name in word.split(',') {
            let Ok(id) = name.parse::<NodeId>() else { return word.to_owned() };
            let next = |last: NodeId| {
                last.is_client() == id.is_client() && last.number() + 1 == id.number()
            };
            match runs.last_mut() {
                Some((_, last)) if next(*last) => *last = id,
                _ => runs.push((id, id)),
            }
        }
        let run = |(first, last): &(NodeId, NodeId)| match last.number() - first.number() {
            0 => first.to_string(),
            1 | 2 => {
                let between = first.number()..=last.number();
                let name = first.to_string();
                let names = between.map(|number| format!("{}{number}", &name[..1]));
                names.collect::<Vec<_>>().join(",")
            }
            _ => format!("{first}..{last}"),
        };
        runs.iter().map(run).collect::<Vec<_>>().join(",")
    };
    text.split(' ').map(fold).collect::<Vec<_>>().join(" ")
}

/// When, to the millisecond.
pub(in crate::tui) fn clock(at: Time) -> String {
    Time(at.0 / 1_000 * 1_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        let many = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(many, ["0", "999", "1 000", "12 345", "1 234 567"]);
        let spans = [0, 350, 9_999, 61_000, 3_600_000, u64::MAX / 1_000];
        let spans = spans.map(|ms| brief(Length::millis(ms)));
        assert_eq!(spans, ["0.0s", "0.3s", "9.9s", "61s", "60m", "5124095576h"]);
        let clocks = [0, -30, 250_000, -12_345_678, i64::MIN].map(signed);
        assert_eq!(clocks, ["+0ms", "-30us", "+250ms", "-12345ms", "-9223372036854s"]);
        assert_eq!(clock(Time(12_480_999)), "12.480");
    }

    #[test]
    fn long_lists_of_names_are_folded() {
        let text = "partition n1,n2,n3,n4,n7 | n5,n6 x,y c1,c2,c3";
        assert_eq!(folded(text), "partition n1..n4,n7 | n5,n6 x,y c1,c2,c3");
        assert_eq!(folded("n9998,n9999 -> all"), "n9998,n9999 -> all");
        assert_eq!(folded(""), "");
    }

    #[test]
    fn a_window_shows_the_selected_row_and_no_gap() {
        assert_eq!(window(5, 4, 10), 0..5);
        assert_eq!(window(50, 0, 10), 0..10);
        assert_eq!(window(50, 25, 10), 20..30);
        assert_eq!(window(50, 49, 10), 40..50);
        assert_eq!(window(50, 49, 0), 49..49);
        assert_eq!(window(0, 7, 3), 0..0);
    }

    #[test]
    fn columns_give_way_by_rank() {
        let columns = |width| {
            let all = vec![
                Column::words('a', "a", 4, 0),
                Column::numbers('b', "b", 4, 2),
                Column::words('c', "c", 4, 1),
            ];
            Table::fit(all, width).0.iter().map(|column| column.key).collect::<String>()
        };
        let all = [15, 14, 10, 9, 0].map(columns);
        assert_eq!(all, ["abc", "ac", "ac", "a", "a"]);
    }
}
