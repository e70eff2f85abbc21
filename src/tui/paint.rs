//! The brush that paints a partition: a letter for each node, then one command.
//!
//! What it will cut, and which side keeps a majority, is told before it is done. The shapes that
//! teach most are a digit away.

use super::action::Action;
use super::faults::{FLAPS, Lasting};
use super::frame;
use super::spots::Spots;
use super::theme::{Look, Role};
use crate::base::NodeId;
use crate::command::{Command, Link, Target};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::{Line, Span};

/// Cells for a node: its mark, its name, its letter.
const CELL: usize = 9;
/// So many nodes stand below each other; more stand beside them.
const TALL: usize = 8;
/// The widest that it gets.
const WIDEST: u16 = 76;

/// The shapes that a digit paints.
const SHAPES: [(char, &str); 8] = [
    ('1', "leader alone"),
    ('2', "halves"),
    ('3', "leader in a minority"),
    ('4', "ring"),
    ('5', "bridge here"),
    ('6', "one way"),
    ('7', "comes and goes"),
    ('8', "star here"),
];

/// A partition in the making.
#[derive(Clone, Debug)]
pub struct Paint {
    nodes: Vec<(NodeId, char)>,
    leader: Option<NodeId>,
    at: usize,
    /// Whether only what A says to the others is cut.
    one_way: bool,
    /// Whether the cut comes and goes.
    flaps: bool,
}

impl Paint {
    /// Everybody in group A; the brush is at `at`.
    pub fn new(
        nodes: impl IntoIterator<Item = NodeId>,
        leader: Option<NodeId>,
        at: NodeId,
    ) -> Paint {
        let nodes: Vec<(NodeId, char)> = nodes.into_iter().map(|node| (node, 'A')).collect();
        let at = nodes.iter().position(|(node, _)| *node == at).unwrap_or(0);
        Paint { nodes, leader, at, one_way: false, flaps: false }
    }

    fn group(&self, letter: char) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, l)| *l == letter).map(|(node, _)| *node).collect()
    }

    fn groups(&self) -> Vec<(char, Vec<NodeId>)> {
        let groups = ('A'..='D').map(|letter| (letter, self.group(letter)));
        groups.filter(|(_, group)| !group.is_empty()).collect()
    }

    /// The command that it stands for, if there are two groups.
    fn command(&self) -> Option<Command> {
        let groups = self.groups().into_iter().map(|(_, group)| Target::Nodes(group));
        let mut groups: Vec<Target> = groups.collect();
        match (groups.len(), self.one_way) {
            (0 | 1, _) => None,
            (_, false) => Some(Command::Partition(groups)),
            (_, true) => {
                let first = groups.remove(0);
                let rest = groups.iter().flat_map(Target::nodes).copied().collect();
                Some(Command::Cut(Link::OneWay(first, Target::Nodes(rest))))
            }
        }
    }

    fn set(&mut self, letter: char) {
        if let Some((_, group)) = self.nodes.get_mut(self.at) {
            *group = letter;
            self.go(self.at + 1);
        }
    }

    fn go(&mut self, at: usize) {
        self.at = at.min(self.nodes.len().saturating_sub(1));
    }

    /// Everybody in A but those that are in B.
    fn split(&mut self, other: impl Fn(usize, NodeId) -> bool) {
        for (at, (node, group)) in self.nodes.iter_mut().enumerate() {
            *group = if other(at, *node) { 'B' } else { 'A' };
        }
    }

    /// Paints a shape; those that are no groups are commands of their own.
    fn shape(&mut self, digit: char) -> Option<Command> {
        let len = self.nodes.len();
        let leader = self.leader.or(self.nodes.first().map(|(node, _)| *node));
        let place = self.nodes.iter().position(|(node, _)| Some(*node) == leader).unwrap_or(0);
        match digit {
            '1' => self.split(|_, node| Some(node) == leader),
            '2' => self.split(|at, _| at >= len.div_ceil(2)),
            '3' => {
                let minority = len.saturating_sub(1) / 2;
                self.split(|at, _| (at + len - place) % len < minority.max(1));
            }
            '4' => return Some(Command::Ring),
            '5' => {
                let (node, _) = self.nodes.get(self.at)?;
                return Some(Command::Bridge(Target::just(*node)));
            }
            '6' => self.one_way = !self.one_way,
            '8' => {
                let (node, _) = self.nodes.get(self.at)?;
                return Some(Command::Star(Target::just(*node)));
            }
            _ => self.flaps = !self.flaps,
        }
        None
    }

    /// How long it is to last.
    pub fn lasting(&self) -> Lasting {
        if self.flaps { Lasting::Flapping } else { Lasting::Healed }
    }

    /// Handles a key. Some command, if it is done.
    pub fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> Option<Command> {
        match (key.code, action) {
            (KeyCode::Enter, _) => return self.command(),
            (KeyCode::Char(c), _) if ('a'..='d').contains(&c.to_ascii_lowercase()) => {
                self.set(c.to_ascii_uppercase());
            }
            (KeyCode::Char(digit @ '1'..='8'), _) => return self.shape(digit),
            (_, Some(Action::Up)) => self.go(self.at.saturating_sub(1)),
            (_, Some(Action::Down)) => self.go(self.at + 1),
            (_, Some(Action::Left)) => self.go(self.at.saturating_sub(TALL)),
            (_, Some(Action::Right)) => self.go(self.at + TALL),
            _ => {}
        }
        None
    }

    /// Draws it in the middle of `screen`.
    pub fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) {
        let muted = look.style(Role::Muted);
        let words = self.words(look);
        let rows = self.nodes.len().min(TALL);
        let height = u16::try_from(rows + words.len() + 6).unwrap_or(u16::MAX);
        let size = Size::new(WIDEST, height);
        let inside = frame::overlay(buf, screen, look, spots, "Partition", size);
        let mut lines = vec![Line::styled(" a b c d: group   Enter: cut   Esc: leave", muted)];
        // With few rows, what the keys do and what the nodes are in comes first.
        let short = inside.height < height.saturating_sub(2);
        let (first, second) = SHAPES.split_at(3);
        let shapes = |shapes: &[(char, &str)]| {
            let words = shapes.iter().map(|(digit, word)| format!(" {digit}: {word} "));
            Line::styled(words.collect::<String>(), muted)
        };
        if !short {
            lines.extend([shapes(first), shapes(second), Line::default()]);
        }
        let above = lines.len() as u16;
        frame::put_all(buf, inside, lines);
        let nodes = Rect {
            y: inside.y + above.min(inside.height),
            height: inside.height.saturating_sub(above),
            ..inside
        };
        let foot = (words.len() as u16).min(nodes.height / 2);
        let (nodes, below) = (
            Rect { height: nodes.height - foot, ..nodes },
            Rect { y: nodes.bottom() - foot, height: foot, ..nodes },
        );
        self.draw_nodes(look, nodes, buf);
        frame::put_all(buf, below, words);
    }

    /// Columns of [`TALL`] nodes, the one at the brush among them.
    fn draw_nodes(&self, look: &Look, area: Rect, buf: &mut Buffer) {
        let tall = TALL.min(area.height.into());
        if tall == 0 {
            return;
        }
        let wide = (usize::from(area.width) / CELL).max(1);
        let page = self.at / (tall * wide) * (tall * wide);
        for (at, (node, group)) in self.nodes.iter().enumerate().skip(page).take(tall * wide) {
            let (column, row) = ((at - page) / tall, (at - page) % tall);
            let x = area.x + (column * CELL) as u16;
            let width = (CELL as u16).min(area.right().saturating_sub(x));
            let cell = Rect::new(x, area.y + row as u16, width, 1);
            let mark = if at == self.at { '>' } else { ' ' };
            let leads = if Some(*node) == self.leader { look.glyphs.leader } else { " " };
            let style = look.style(Role::Group(*group as u8 - b'A'));
            let line = Line::from(vec![
                Span::raw(format!("{mark}{node:<4}{leads}")),
                Span::styled(group.to_string(), style),
            ]);
            frame::put(buf, cell, &line);
            if at == self.at {
                frame::select(buf, Rect { width: width.min(7), ..cell }, look);
            }
        }
    }

    /// What it will cut, and who keeps a majority.
    fn words(&self, look: &Look) -> Vec<Line<'static>> {
        let mut words = self.cut_words(look);
        if self.flaps {
            let text = format!(" It comes every other second, {FLAPS} times, and ends.");
            words.push(Line::styled(text, look.style(Role::Warn)));
        }
        words
    }

    fn cut_words(&self, look: &Look) -> Vec<Line<'static>> {
        let groups = self.groups();
        let majority = self.nodes.len() / 2 + 1;
        if groups.len() < 2 {
            let text = " All are in one group: nothing is cut yet.";
            return vec![Line::styled(text, look.style(Role::Muted))];
        }
        let mut sizes = Line::from(" ");
        for (letter, group) in &groups {
            let (word, role) = match group.len() >= majority {
                true => ("majority", Role::Ok),
                false => ("no majority", Role::Warn),
            };
            sizes.push_span(format!("{letter} {}: ", group.len()));
            sizes.push_span(Span::styled(word, look.style(role)));
            sizes.push_span("   ");
        }
        if self.one_way {
            let text = " Only what A says is lost; A still hears the others.";
            return vec![sizes, Line::styled(text, look.style(Role::Warn))];
        }
        vec![sizes, Line::styled(" Nothing gets through between groups.", look.style(Role::Muted))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    /// What the keys lead to in a cluster of five that n4 leads, the brush at n2.
    fn painted(keys: &str) -> String {
        let nodes = (1..=5).map(NodeId::node);
        let mut paint = Paint::new(nodes, Some(NodeId::node(4)), NodeId::node(2));
        let mut press = |code| paint.key(&KeyEvent::new(code, KeyModifiers::NONE), None);
        let done = keys.chars().find_map(|c| press(KeyCode::Char(c)));
        let done = done.or_else(|| press(KeyCode::Enter));
        done.map_or("nothing".to_owned(), |command| command.to_string())
    }

    #[test]
    fn letters_and_shapes_give_the_command() {
        for (keys, command) in [
            ("", "nothing"),
            ("b", "partition n1,n3,n4,n5 | n2"),
            ("bCb", "partition n1,n5 | n2,n4 | n3"),
            ("1", "partition n1,n2,n3,n5 | n4"),
            ("2", "partition n1,n2,n3 | n4,n5"),
            ("3", "partition n1,n2,n3 | n4,n5"),
            ("4", "ring"),
            ("5", "bridge n2"),
            ("8", "star n2"),
            ("16", "partition n1,n2,n3,n5 -> n4"),
            ("166", "partition n1,n2,n3,n5 | n4"),
        ] {
            assert_eq!(painted(keys), command, "{keys}");
        }
    }
}
