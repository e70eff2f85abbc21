//! The list view that every pane has: one line of plain text for each item.

use super::Scene;
use super::row::{self, Row};
use crate::tui::select::Pick;
use crate::tui::theme::{Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use std::fmt;

/// What stands in the marker column. The greater one is shown where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nothing special.
    None,
    /// A fault of ours.
    Fault,
    /// In doubt, or not done yet.
    Doubt,
    /// A rule is broken, or nothing can go on.
    Trouble,
    /// The selected row.
    Selected,
}

impl Mark {
    pub(super) fn span(self, look: &Look) -> Span<'static> {
        let glyphs = look.glyphs;
        match self {
            Mark::None => Span::raw(" "),
            Mark::Selected => Span::styled(">", look.style(Role::Accent)),
            Mark::Fault => Span::styled(glyphs.fault, look.style(Role::Warn)),
            Mark::Doubt => Span::styled(glyphs.pending, look.style(Role::Warn)),
            Mark::Trouble => Span::styled(glyphs.violation, look.style(Role::Violation)),
        }
    }

    /// This mark, or that of a selected row.
    pub(super) fn or_selected(self, selected: bool) -> Mark {
        if selected { self.max(Mark::Selected) } else { self }
    }
}

/// One item of a pane as plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Whether it is in trouble.
    pub mark: Mark,
    /// What there is to say of it, in one line.
    pub text: String,
    /// Whether it is the selected one.
    pub selected: bool,
    /// What a click on it selects.
    pub pick: Option<Pick>,
}

impl Item {
    /// An item that is not selected.
    pub fn new(mark: Mark, text: impl Into<String>) -> Item {
        Item { mark, text: text.into(), selected: false, pick: None }
    }

    /// Makes it the selected one, if it is.
    pub fn selected(self, selected: bool) -> Item {
        Item { selected, ..self }
    }

    /// Has a click on it select this.
    pub fn picks(self, pick: Pick) -> Item {
        Item { pick: Some(pick), ..self }
    }
}

/// With its mark in front, as in a terminal that knows letters only.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::None | Mark::Selected => " ",
            Mark::Fault => "v",
            Mark::Doubt => "?",
            Mark::Trouble => "!",
        };
        write!(f, "{}{mark} {}", if self.selected { ">" } else { " " }, self.text)
    }
}

/// Draws the items, the selected one among them.
pub(super) fn draw(scene: &Scene<'_>, items: &[Item], area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    if items.is_empty() {
        row::put(area, buf, &[Row::muted(look, "nothing to list yet")]);
        return;
    }
    let row = |item: &Item| {
        let role = match item.mark {
            Mark::None | Mark::Selected => Role::Text,
            Mark::Fault | Mark::Doubt => Role::Warn,
            Mark::Trouble => Role::Bad,
        };
        // A selected row would hide its mark, so the mark is in its role, too.
        let row = Row::new(look, item.mark).text(role, item.text.as_str());
        item.pick.iter().fold(row.selected(item.selected), |row, pick| row.picks(pick.clone()))
    };
    row::choices(scene, area, buf, &items.iter().map(row).collect::<Vec<_>>());
}
