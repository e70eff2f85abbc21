//! A list over the panes: marks, branches, ways to begin again, panes, layouts. One row is chosen;
//! `Enter` takes it, and letters do more with it.

use super::action::Action;
use super::frame;
use super::overlay::Answer;
use super::select::Move;
use super::spots::{Spot, Spots};
use super::theme::{Look, Role};
use crate::base::Time;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

/// What a list is of, and so what its answers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The marks of the branch that is looked at.
    Marks,
    /// The branches.
    Branches,
    /// Ways to begin again.
    Restart,
    /// The panes, by number.
    Panes,
    /// The layouts.
    Layouts,
    /// The themes. The one that is chosen is shown.
    Themes,
    /// What differs between these branches at this time.
    Comparison {
        /// The number of the one.
        left: u32,
        /// The number of the other.
        right: u32,
        /// The virtual time.
        at: Time,
    },
}

/// A list to choose from.
#[derive(Clone, Debug)]
pub struct List {
    /// What of.
    pub of: Listed,
    /// What stands on the frame.
    pub title: String,
    /// What stands over the rows.
    pub head: String,
    /// The rows, each with the colour of what it says.
    pub rows: Vec<(String, Role)>,
    /// Which row is chosen.
    pub at: usize,
    /// Letters that do something with the chosen row, and what, in a word.
    pub keys: &'static [(char, &'static str)],
    /// What `Enter` does, in a word.
    pub enter: &'static str,
}

impl List {
    /// Handles a key. An answer closes the list.
    pub(super) fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> Option<Answer> {
        let plain = (key.modifiers - KeyModifiers::SHIFT).is_empty();
        match key.code {
            KeyCode::Enter if !self.rows.is_empty() => return Some(Answer::Take(self.at, None)),
            KeyCode::Char(c) if plain && self.keys.iter().any(|(known, _)| *known == c) => {
                return Some(Answer::Take(self.at, Some(c)));
            }
            _ => {}
        }
        if let (Listed::Panes, Some(Action::Pane(number))) = (self.of, action) {
            return Some(Answer::Take(usize::from(number.saturating_sub(1)), None));
        }
        if let (Listed::Themes, Some(Action::Theme)) = (self.of, action) {
            self.at = (self.at + 1) % self.rows.len().max(1);
        }
        self.go(action);
        None
    }

    /// Moves on.
    pub(super) fn go(&mut self, action: Option<Action>) {
        if let Some(to) = action.and_then(Move::of) {
            self.at = to.within(self.at, self.rows.len());
        }
    }

    /// Draws it in the middle of `screen`.
    pub(super) fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) {
        let hint = self.hint();
        let texts = self.rows.iter().map(|(text, _)| text).chain([&self.head, &hint]);
        let width = texts.map(|text| text.width()).max().unwrap_or(0) + 4;
        let width = u16::try_from(width).unwrap_or(u16::MAX).min(screen.width.saturating_sub(2));
        let rows = u16::try_from(self.rows.len() + 4).unwrap_or(u16::MAX);
        let size = Size::new(width, rows.min(screen.height.saturating_sub(2)));
        let inside = frame::overlay(buf, screen, look, spots, &self.title, size);
        let cut = |text: &str| {
            frame::cut(Line::raw(text.to_owned()), inside.width.into(), look.glyphs.ellipsis)
        };
        let mut rows = inside.rows();
        if let Some(row) = rows.next() {
            frame::put(buf, row, &cut(&self.head).style(look.style(Role::Muted)));
        }
        if let Some(row) = rows.next_back() {
            frame::put(buf, row, &cut(&hint).style(look.style(Role::Accent)));
        }
        let room = usize::from(inside.height.saturating_sub(2));
        let last = self.rows.len().saturating_sub(room);
        let first = self.at.saturating_sub(room / 2).min(last);
        let shown = self.rows.iter().enumerate().skip(first);
        for (row, (at, (text, role))) in rows.zip(shown) {
            spots.add(row, Spot::Row(at));
            frame::put(buf, row, &cut(text).style(look.style(*role)));
            if at == self.at {
                frame::select(buf, row, look);
            }
        }
    }

    fn hint(&self) -> String {
        let more = self.keys.iter().map(|(key, word)| format!("   {key}: {word}"));
        let enter = if self.rows.is_empty() { "" } else { self.enter };
        let more: String = more.collect();
        match enter {
            "" => format!(" Esc: leave{more}"),
            enter => format!(" Enter: {enter}{more}   Esc: leave"),
        }
    }
}
