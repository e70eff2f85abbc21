//! Rows that are built from left to right, where columns differ from row to row.

use super::Scene;
use super::table::{Mark, window};
use crate::base::NodeId;
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::{Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span as Run};
use unicode_width::UnicodeWidthStr;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    look: &'a Look,
    line: Line<'static>,
    selected: bool,
    pick: Option<Pick>,
}

impl<'a> Row<'a> {
    /// A row with nothing but its marker.
    pub(super) fn new(look: &'a Look, mark: Mark) -> Row<'a> {
        let line = Line::from(mark.span(look));
        Row { look, line, selected: false, pick: None }
    }

    /// A row of a line that was made elsewhere, its marker included.
    pub(super) fn of(look: &'a Look, line: Line<'static>) -> Row<'a> {
        Row { look, line, selected: false, pick: None }
    }

    /// A row without a marker.
    pub(super) fn plain(look: &'a Look) -> Row<'a> {
        Row::new(look, Mark::None)
    }

    /// A heading, in bold.
    pub(super) fn heading(look: &'a Look, text: impl Into<String>) -> Row<'a> {
        Row::plain(look).styled(Style::new().add_modifier(Modifier::BOLD), text)
    }

    /// The names of columns, or anything else that explains the rest.
    pub(super) fn muted(look: &'a Look, text: impl Into<String>) -> Row<'a> {
        Row::plain(look).text(Role::Muted, text)
    }

    /// Makes it the selected row, if it is.
    pub(super) fn selected(mut self, is: bool) -> Row<'a> {
        self.selected = is;
        if let Some(mark) = self.line.spans.first_mut().filter(|_| is) {
            *mark = Mark::Selected.span(self.look);
        }
        self
    }

    /// What a click on it selects.
    pub(super) fn picks(mut self, pick: Pick) -> Row<'a> {
        self.pick = Some(pick);
        self
    }

    /// Says what a click on where it stands selects.
    pub(super) fn take_down(&self, scene: &Scene<'_>, place: Rect) {
        if let Some(pick) = &self.pick {
            scene.spot(place, pick.clone());
        }
    }

    /// Whether it is the selected row.
    pub(super) fn is_selected(&self) -> bool {
        self.selected
    }

    /// How many cells it takes so far.
    pub(super) fn width(&self) -> usize {
        self.line.width()
    }

    /// Text of any width.
    pub(super) fn text(self, role: Role, text: impl Into<String>) -> Row<'a> {
        let style = self.look.style(role);
        self.styled(style, text)
    }

    /// Text of any width and style.
    pub(super) fn styled(mut self, style: Style, text: impl Into<String>) -> Row<'a> {
        self.line.push_span(Run::styled(text.into(), style));
        self
    }

    /// A column of `width` cells with its text at the left, and a space behind it. A column of no
    /// width is not there.
    pub(super) fn left(self, width: usize, role: Role, text: impl Into<String>) -> Row<'a> {
        self.column(width, role, text.into(), false)
    }

    /// A column of `width` cells with its text at the right, and a space behind it. A column of no
    /// width is not there.
    pub(super) fn right(self, width: usize, role: Role, text: impl Into<String>) -> Row<'a> {
        self.column(width, role, text.into(), true)
    }

    fn column(self, width: usize, role: Role, text: String, right: bool) -> Row<'a> {
        if width == 0 {
            return self;
        }
        let line = frame::cut(Line::raw(text), width, self.look.glyphs.ellipsis);
        let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
        let gap = " ".repeat(width.saturating_sub(text.width()));
        // The gap keeps out of the style: a fill would show as a block.
        let row = if right { self.text(Role::Text, gap.clone()) } else { self };
        let row = row.text(role, text);
        row.text(Role::Text, if right { " ".to_owned() } else { gap + " " })
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        let (mut line, width) = (self.line.clone(), area.width.into());
        // The gap behind the last column is no text that is missing.
        while line.width() > width
            && line.spans.last().is_some_and(|run| run.content.trim().is_empty())
        {
            line.spans.pop();
        }
        frame::put(buf, area, &frame::cut(line, width, self.look.glyphs.ellipsis));
        if self.selected {
            frame::select(buf, Rect { height: area.height.min(1), ..area }, self.look);
        }
    }
}

/// Draws the rows from the top of `area` on, as many as there is room for. Returns what is left of
/// the area.
pub(super) fn put(area: Rect, buf: &mut Buffer, rows: &[Row<'_>]) -> Rect {
    for (place, row) in area.rows().zip(rows) {
        row.draw(place, buf);
    }
    below(area, rows.len())
}

/// What is left of `area` below its first `rows` rows.
pub(super) fn below(area: Rect, rows: usize) -> Rect {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// The first `rows` rows of `area`, and what is left below.
pub(super) fn split(area: Rect, rows: usize) -> (Rect, Rect) {
    let rest = below(area, rows);
    (Rect { height: area.height - rest.height, ..area }, rest)
}

/// Draws a list as [`list`] does, and takes down which row selects what.
pub(super) fn choices(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, rows: &[Row<'_>]) {
    for (rect, at) in list(scene.look, area, buf, rows) {
        rows[at].take_down(scene, rect);
    }
}

/// Draws a list so that the selected row can be seen, and says how many rows cannot. Returns where
/// which row stands.
pub(super) fn list(
    look: &Look,
    area: Rect,
    buf: &mut Buffer,
    rows: &[Row<'_>],
) -> Vec<(Rect, usize)> {
    let height = usize::from(area.height);
    let selected = rows.iter().position(Row::is_selected).unwrap_or(0);
    if rows.len() <= height || height < 3 {
        let shown = window(rows.len(), selected, height);
        put(area, buf, &rows[shown.clone()]);
        return area.rows().zip(shown).collect();
    }
    let shown = window(rows.len(), selected, height - 1);
    let hidden = rows.len() - shown.len();
    let rest = put(area, buf, &rows[shown.clone()]);
    put(rest, buf, &[Row::muted(look, format!("{} {hidden} more", look.glyphs.ellipsis))]);
    area.rows().zip(shown).collect()
}

/// Names, a space between.
pub(super) fn names(ids: impl IntoIterator<Item = NodeId>) -> String {
    ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
}
