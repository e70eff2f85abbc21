//! What lies over the panes: help, and the brush that paints a partition.

use super::action::Action;
use super::frame;
use super::theme::{Look, Role};
use crate::base::NodeId;
use crate::command::{Command, Target};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::Line;

/// Something over the panes that takes all keys.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys, and what one sees. How far it is scrolled; drawing bounds it.
    Help(usize),
    /// Which node goes to which group.
    Paint(Paint),
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
    /// Handles a key. Some command, if it is to be given and the overlay closed.
    pub fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> Option<Command> {
        match self {
            Overlay::Help(scroll) => *scroll = scrolled(*scroll, action),
            Overlay::Paint(paint) => match (key.code, action) {
                (KeyCode::Enter, _) => return paint.command(),
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
    pub fn draw(&self, look: &Look, screen: Rect, buf: &mut Buffer) {
        let rows = u16::try_from(self.nodes.len() + 4).unwrap_or(u16::MAX);
        let inside = frame::overlay(buf, screen, look, "Partition", Size::new(46, rows));
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
        let command = press(KeyCode::Enter).map(|command| command.to_string());
        assert_eq!(command.as_deref(), Some("partition n1 | n2,n3"));
    }
}
