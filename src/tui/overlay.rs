//! What lies over the panes: help, options, the brush that paints a partition, and questions.
//!
//! A question is answered by `y` or `n`. Nothing else says yes, least of all the key that led to it
//! or Enter, so that no habit of the fingers does harm.

use super::action::Action;
use super::frame;
use super::list::List;
use super::menu::Menu;
use super::spots::Spots;
use super::theme::{Look, Role};
use crate::base::NodeId;
use crate::command::{Command, Target};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Style;
use ratatui::text::Line;

/// Something over the panes that takes all keys.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys, and what one sees. How far it is scrolled; drawing bounds it.
    Help(usize),
    /// Which node goes to which group.
    Paint(Paint),
    /// What can be chosen in a pane.
    Options(Menu),
    /// Whether something is really meant.
    Question(Question),
    /// Something to choose from.
    List(List),
}

/// What a key says to an overlay, beyond what the overlay does by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Give this command.
    Order(Command),
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
    /// Give this command, as it stands.
    Give(Command),
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

/// A partition in the making.
#[derive(Clone, Debug)]
pub struct Paint {
    nodes: Vec<(NodeId, char)>,
    at: usize,
}

impl Paint {
    /// Everybody in group A.
    pub fn new(nodes: impl IntoIterator<Item = NodeId>) -> Paint {
        Paint { nodes: nodes.into_iter().map(|node| (node, 'A')).collect(), at: 0 }
    }

    /// The command that it stands for, if there are two groups.
    fn command(&self) -> Option<Command> {
        let group = |letter| -> Vec<NodeId> {
            self.nodes.iter().filter(|(_, l)| *l == letter).map(|(node, _)| *node).collect()
        };
        let groups: Vec<Target> =
            ('A'..='D').map(group).filter(|group| !group.is_empty()).map(Target::Nodes).collect();
        (groups.len() > 1).then_some(Command::Partition(groups))
    }

    fn set(&mut self, letter: char) {
        if let Some((_, group)) = self.nodes.get_mut(self.at) {
            *group = letter;
            self.at = (self.at + 1).min(self.nodes.len().saturating_sub(1));
        }
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
            Overlay::Help(scroll) => *scroll = scrolled(*scroll, action),
            // Its keys change how a pane is shown, which is the app's.
            Overlay::Options(_) => {}
            Overlay::Paint(paint) => match (key.code, action) {
                (KeyCode::Enter, _) => return paint.command().map(Answer::Order),
                (KeyCode::Char(c), _) if ('a'..='d').contains(&c.to_ascii_lowercase()) => {
                    paint.set(c.to_ascii_uppercase());
                }
                (_, Some(Action::Up | Action::Left)) => paint.at = paint.at.saturating_sub(1),
                (_, Some(Action::Down | Action::Right)) => {
                    paint.at = (paint.at + 1).min(paint.nodes.len().saturating_sub(1));
                }
                _ => {}
            },
        }
        None
    }
}

impl Overlay {
    /// Draws it over `screen`. Help and options are drawn by who knows what they are about.
    pub fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) {
        match self {
            Overlay::Help(_) | Overlay::Options(_) => {}
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
            Overlay::Help(scroll) => *scroll = scrolled(*scroll, Some(to)),
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

impl Paint {
    /// Draws it in the middle of `screen`.
    fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) {
        let rows = u16::try_from(self.nodes.len() + 4).unwrap_or(u16::MAX);
        let inside = frame::overlay(buf, screen, look, spots, "Partition", Size::new(46, rows));
        let hint = " a b c d: group   Enter: cut   Esc: leave";
        frame::put(buf, inside, &Line::styled(hint, look.style(Role::Muted)));
        let room = usize::from(inside.height.saturating_sub(2));
        let first = self.at.saturating_sub(room.saturating_sub(1));
        let rows = inside.rows().skip(2).zip(self.nodes.iter().enumerate().skip(first));
        for (row, (index, (node, group))) in rows {
            let mark = if index == self.at { '>' } else { ' ' };
            let style = look.style(Role::Group(*group as u8 - b'A'));
            frame::put(buf, row, &Line::styled(format!("{mark}{node:<5} {group}"), style));
            if index == self.at {
                frame::select(buf, row, look);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn painting_two_groups_gives_the_command() {
        let mut paint = Overlay::Paint(Paint::new((1..=3).map(NodeId::node)));
        let mut press = |code| paint.key(&KeyEvent::new(code, KeyModifiers::NONE), None);
        assert_eq!(press(KeyCode::Enter), None, "one group is no partition");
        press(KeyCode::Char('a'));
        press(KeyCode::Char('b'));
        press(KeyCode::Char('B'));
        let command = "partition n1 | n2,n3".parse().unwrap();
        assert_eq!(press(KeyCode::Enter), Some(Answer::Order(command)));
    }

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
