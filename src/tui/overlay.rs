//! What lies over the panes: help, options, the brush that paints a partition, and questions.
//!
//! A question is answered by `y` or `n`. Nothing else says yes, least of all the key that led to it
//! or Enter, so that no habit of the fingers does harm.

use super::action::Action;
use super::faults::{self, Lasting};
use super::frame;
use super::help::Reading;
use super::list::List;
use super::menu::Menu;
use super::paint::Paint;
use super::search::Search;
use super::select::Target as Thing;
use super::spots::Spots;
use super::theme::{Look, Role};
use super::tour::Tour;
use crate::command::Command;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Style;
use ratatui::text::Line;

/// Something over the panes that takes all keys.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys, and what one sees.
    Help(Reading),
    /// Which node goes to which group.
    Paint(Paint),
    /// What can be chosen in a pane.
    Options(Menu),
    /// What the list of events is to be narrowed to.
    Search(Search),
    /// All that is known of one thing. How far it is scrolled.
    Inspect(Thing, usize),
    /// What can be done to what is selected.
    Faults(faults::Menu),
    /// What to know first.
    Tour(Tour),
    /// Whether something is really meant.
    Question(Question),
    /// Something to choose from.
    List(List),
}

/// What a key says to an overlay, beyond what the overlay does by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Give this command, for so long.
    Order(Command, Lasting),
    /// This row of the list was taken, with this letter or with `Enter`.
    Take(usize, Option<char>),
    /// Yes, do what the question is about.
    Yes,
    /// No.
    No,
}

/// What one is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Give these commands, as they stand; they last as long as is said.
    Give(Vec<Command>, Lasting),
    /// Leave the program.
    Quit,
}

/// Whether something is really meant.
#[derive(Clone, Debug)]
pub struct Question {
    /// What yes does.
    pub wish: Wish,
    /// What it is about, on the frame.
    pub title: String,
    /// What yes will do, in sentences; the first one stands out.
    pub text: Vec<String>,
}

impl Question {
    /// Draws it in the middle of `screen`, over the panes.
    fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) {
        let width = screen.width.min(62);
        let room = usize::from(width.saturating_sub(4));
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (at, text) in self.text.iter().enumerate() {
            let style = if at == 0 { look.style(Role::Warn) } else { Style::new() };
            let parts = frame::wrap(text, room).into_iter();
            lines.extend(parts.map(|part| Line::styled(format!(" {part}"), style)));
        }
        let rows = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
        let inside = frame::overlay(buf, screen, look, spots, &self.title, Size::new(width, rows));
        // The way out is there even where not all of the text is.
        let (text, keys) = (inside.height.saturating_sub(2), inside.height.saturating_sub(1));
        frame::put_all(buf, Rect { height: text, ..inside }, lines);
        let hint = Line::styled(" y: yes, do it   n: no", look.style(Role::Accent));
        frame::put(buf, Rect { y: inside.y + keys, height: 1.min(inside.height), ..inside }, &hint);
    }
}

impl Overlay {
    /// Handles a key. An answer closes the overlay.
    pub fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> Option<Answer> {
        match self {
            Overlay::Question(_) => {
                return match key.code {
                    KeyCode::Char('y' | 'Y') => Some(Answer::Yes),
                    KeyCode::Char('n' | 'N') => Some(Answer::No),
                    _ => None,
                };
            }
            Overlay::List(list) => return list.key(key, action),
            Overlay::Inspect(_, scroll) => *scroll = scrolled(*scroll, action),
            Overlay::Help(help) => return help.key(key, action).then_some(Answer::No),
            // Their keys are the app's.
            Overlay::Options(_) | Overlay::Search(_) | Overlay::Faults(_) | Overlay::Tour(_) => {}
            Overlay::Paint(paint) => {
                let command = paint.key(key, action)?;
                return Some(Answer::Order(command, paint.lasting()));
            }
        }
        None
    }
}

impl Overlay {
    /// Draws it over `screen`. Some are drawn by who knows what they are about.
    pub fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) {
        match self {
            Overlay::Help(_) | Overlay::Options(_) | Overlay::Search(_) | Overlay::Inspect(..) => {}
            Overlay::Faults(_) | Overlay::Tour(_) => {}
            Overlay::Paint(paint) => paint.draw(look, screen, spots, buf),
            Overlay::Question(question) => question.draw(look, screen, spots, buf),
            Overlay::List(list) => list.draw(look, screen, spots, buf),
        }
    }
}

impl Overlay {
    /// The wheel turns over it.
    pub fn wheel(&mut self, to: Action) {
        match self {
            Overlay::Help(help) => help.turn(to),
            Overlay::Inspect(_, scroll) => *scroll = scrolled(*scroll, Some(to)),
            Overlay::List(list) => list.go(Some(to)),
            _ => {}
        }
    }
}

fn scrolled(scroll: usize, action: Option<Action>) -> usize {
    match action {
        Some(Action::Up) => scroll.saturating_sub(1),
        Some(Action::Down) => scroll.saturating_add(1),
        Some(Action::PageUp) => scroll.saturating_sub(10),
        Some(Action::PageDown) => scroll.saturating_add(10),
        Some(Action::First) => 0,
        Some(Action::Last) => usize::MAX,
        _ => scroll,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn only_y_says_yes() {
        let question = Question { wish: Wish::Quit, title: String::new(), text: Vec::new() };
        let mut question = Overlay::Question(question);
        let mut press = |code| question.key(&KeyEvent::new(code, KeyModifiers::NONE), None);
        for code in [KeyCode::Enter, KeyCode::Char('x'), KeyCode::Char('q'), KeyCode::Char(' ')] {
            assert_eq!(press(code), None);
        }
        assert_eq!(press(KeyCode::Char('n')), Some(Answer::No));
        assert_eq!(press(KeyCode::Char('y')), Some(Answer::Yes));
    }
}
