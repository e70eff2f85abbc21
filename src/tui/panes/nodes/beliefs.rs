//! What each node believes of each other: a row for each observer, a column for whom it observes.
//!
//! It is the only honest view of partial failures, where there is no single answer. Where a row and
//! a column disagree, one of two hears the other and is not heard: a gray failure.

use super::super::table::{Mark, marked, put, take, window};
use super::Sheet;
use crate::base::NodeId;
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::members::{Belief, Record};
use crate::view::nodes::Node;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// How wide a cell is that has an incarnation in it: a sign, `1.12`, and a space before.
const WIDE: usize = 6;

/// The columns that are shown, and how wide they are.
struct Columns {
    shown: Range<usize>,
    width: usize,
    name: usize,
}

impl Sheet<'_> {
    /// Draws the matrix from the top of `area`, and takes what it needs off it.
    pub(super) fn beliefs(&self, area: &mut Rect, buf: &mut Buffer) {
        let columns = self.columns_of_beliefs(area.width.into());
        let legend = self.legend_of_beliefs(&columns);
        let at = self.servers.iter().position(|node| node.id == self.scene.select.node);
        let room = usize::from(area.height).saturating_sub(legend.len() + 1).max(1);
        let rows = window(self.servers.len(), at.unwrap_or(0), room);
        put(buf, self.scene.look, take(area, 1), self.head_of_beliefs(&columns));
        for node in &self.servers[rows] {
            let row = take(area, 1);
            put(buf, self.scene.look, row, self.row_of_beliefs(node, &columns));
            self.scene.spot(row, Pick::Node(node.id));
            if node.id == self.scene.select.node {
                frame::select(buf, row, self.scene.look);
            }
        }
        for line in legend {
            put(buf, self.scene.look, take(area, 1), line);
        }
    }

    /// Cells with incarnations if there is room, with names above them if there is less, and else
    /// a character for each.
    fn columns_of_beliefs(&self, width: usize) -> Columns {
        let name = self.servers.iter().map(|node| node.id.to_string().len()).max().unwrap_or(0);
        let room = width.saturating_sub(name + 2);
        let fits = |cell: &usize| self.servers.len() * cell <= room;
        let cell = [WIDE.max(name + 1), name + 1].into_iter().find(fits).unwrap_or(1);
        let at = self.servers.iter().position(|node| node.id == self.scene.select.node);
        let shown = window(self.servers.len(), at.unwrap_or(0), (room / cell).max(1));
        Columns { shown, width: cell, name }
    }

    /// The names, or every fifth where there is a character for each.
    fn head_of_beliefs(&self, columns: &Columns) -> Line<'static> {
        let mut text = " ".repeat(columns.name + 2);
        for (at, node) in self.servers[columns.shown.clone()].iter().enumerate() {
            let name = node.id.to_string();
            match columns.width {
                1 if at % 5 == 0 => text.push_str(&format!("{name:<5}")),
                1 => {}
                width => text.push_str(&format!("{name:>width$}")),
            }
        }
        Span::styled(text, self.scene.look.style(Role::Muted)).into()
    }

    fn row_of_beliefs(&self, observer: &Node, columns: &Columns) -> Line<'static> {
        let picked = observer.id == self.scene.select.node;
        let mark = self.mark(observer).or_selected(picked);
        let name = Span::raw(format!("{:<1$} ", observer.id.to_string(), columns.name));
        let mut line = marked(self.scene.look, mark, name);
        for of in &self.servers[columns.shown.clone()] {
            let (sign, number, role) = self.belief(observer, of);
            let text = match columns.width {
                WIDE.. => format!("{sign}{number}"),
                _ => sign.to_owned(),
            };
            let width = columns.width;
            let cell = Span::styled(format!("{text:>width$}"), self.scene.look.style(role));
            line.push_span(cell);
        }
        line
    }

    /// What one believes of another: a sign, the incarnation, and whether that is as it should be.
    fn belief(&self, observer: &Node, of: &Node) -> (&'static str, String, Role) {
        let (board, glyphs) = (self.scene.board, &self.scene.look.glyphs);
        let opinion = board.members.opinion(observer.id, of.id);
        let (belief, number) = match opinion {
            _ if observer.id == of.id => return ("-", String::new(), Role::Muted),
            _ if observer.life.is_down() => return (" ", String::new(), Role::Muted),
            None => return (" ", String::new(), Role::Muted),
            Some(opinion) => (opinion.belief, opinion.incarnation.to_string()),
        };
        let runs = of.life.is_up();
        let one_way = board.members.opinion(of.id, observer.id).is_some()
            && !board.members.doubts(of.id, observer.id);
        let (sign, role) = match belief {
            Belief::Alive if runs => (".", Role::Muted),
            Belief::Alive => ("!", Role::Warn),
            Belief::Suspect if !runs => ("?", Role::Down),
            Belief::Suspect if one_way => ("?", Role::Bad),
            Belief::Suspect => ("?", Role::Warn),
            Belief::Dead if !runs => (glyphs.down, Role::Down),
            Belief::Dead => (glyphs.down, Role::Bad),
        };
        (sign, number, role)
    }

    /// What the signs mean, how often detection was wrong, and what is said of the selected node.
    fn legend_of_beliefs(&self, columns: &Columns) -> Vec<Line<'static>> {
        let (board, look) = (self.scene.board, self.scene.look);
        let muted = |text: String| Line::from(Span::styled(text, look.style(Role::Muted)));
        let down = look.glyphs.down;
        let Record { wrong, buried, noticed, took } = board.members.record();
        let mut record = format!(" wrongly suspected {wrong}, buried {buried}");
        if let Some(mean) = took.0.checked_div(u64::from(noticed)) {
            let secs = mean as f64 / 1e6;
            record.push_str(&format!("; crashes noticed {noticed}, after {secs:.1}s"));
        }
        let mut lines = vec![
            muted(format!(
                " . trusts  ? suspects  {down} takes for dead  ! trusts though it is down"
            )),
            muted(record),
        ];
        if columns.shown.len() < self.servers.len() {
            let (first, last) = (columns.shown.start, columns.shown.end);
            lines.push(muted(format!(
                " columns {} to {last} of {}",
                first + 1,
                self.servers.len()
            )));
        }
        lines.extend(self.one_way());
        lines
    }

    /// The first pair of which only one doubts the other, though both run.
    fn one_way(&self) -> Option<Line<'static>> {
        let members = &self.scene.board.members;
        let up = self.servers.iter().filter(|node| node.life.is_up());
        let ids: Vec<NodeId> = up.map(|node| node.id).collect();
        let gray = |(a, b): &(NodeId, NodeId)| members.doubts(*a, *b) && !members.doubts(*b, *a);
        let mut pairs = ids.iter().flat_map(|a| ids.iter().map(|b| (*a, *b))).filter(gray);
        let (a, b) = pairs.next()?;
        let more = match pairs.count() {
            0 => String::new(),
            more => format!(", and {more} more so"),
        };
        let text = format!("{a} doubts {b}, which trusts {a}{more}");
        let style = self.scene.look.style(Role::Warn);
        Some(marked(self.scene.look, Mark::Doubt, Span::styled(text, style)))
    }
}
