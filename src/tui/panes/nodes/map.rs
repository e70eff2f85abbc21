//! Nodes as cells, for more of them than there are rows.

use super::super::table::{self, Mark, Table, marked, put, right_of, take, window};
use super::{Sheet, index, sides, sign};
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme;
use crate::view::nodes::{Node, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

impl Sheet<'_> {
    /// A cell for each node: its name and what is most important about it. Where that does not
    /// fit either, one character for each.
    pub(super) fn map(&self, area: &mut Rect, buf: &mut Buffer) {
        let name = self.servers.iter().map(|node| node.id.to_string().len()).max().unwrap_or(0);
        let width = name + 2;
        let per_row = (usize::from(area.width) / width).max(1);
        let rows = self.servers.len().div_ceil(per_row);
        // One row is kept for what the characters mean.
        if rows < usize::from(area.height) {
            for nodes in self.servers.chunks(per_row) {
                let mut row = right_of(take(area, 1), 1);
                for node in nodes {
                    let cell = Rect { width: (name as u16 + 1).min(row.width), ..row };
                    let text = table::padded(node.id.to_string().into(), name, false);
                    self.map_cell(node, &text.content, cell, buf);
                    row = right_of(row, width as u16);
                }
            }
        } else {
            self.dense_map(area, buf);
        }
        for line in self.legend(area.width) {
            let row = take(area, 1);
            put(buf, self.scene.look, row, line);
        }
        if self.scene.zoomed {
            self.exceptions(area, buf);
        }
    }

    fn dense_map(&self, area: &mut Rect, buf: &mut Buffer) {
        let name = self.servers.iter().map(|node| node.id.to_string().len()).max().unwrap_or(0);
        let room = usize::from(area.width).saturating_sub(name + 2);
        let per_row = if room >= 10 { room / 10 * 10 } else { room.max(1) };
        let at = self.servers.iter().position(|node| node.id == self.scene.select.node);
        let rows: Vec<&[&Node]> = self.servers.chunks(per_row).collect();
        let keep = usize::from(area.height.saturating_sub(1)).max(1);
        for nodes in &rows[window(rows.len(), at.unwrap_or(0) / per_row, keep)] {
            let row = take(area, 1);
            let first = nodes.first().map(|node| format!(" {}", node.id)).unwrap_or_default();
            put(buf, self.scene.look, row, first.into());
            let mut row = right_of(row, name as u16 + 2);
            for node in *nodes {
                self.map_cell(node, "", Rect { width: row.width.min(1), ..row }, buf);
                row = right_of(row, 1);
            }
        }
    }

    pub(super) fn map_cell(&self, node: &Node, name: &str, cell: Rect, buf: &mut Buffer) {
        let (glyph, _, role) = sign(self.scene, node);
        let look = self.scene.look;
        let line =
            Line::from(vec![Span::raw(name.to_owned()), Span::styled(glyph, look.style(role))]);
        frame::put(buf, cell, &line);
        self.scene.spot(cell, Pick::Node(node.id));
        if let Some(group) = self.scene.board.group(node.id) {
            buf.set_style(cell, look.style(theme::Role::Group(index(group))));
        }
        if node.id == self.scene.select.node {
            // A map has no marker column, so the cell is in reverse in any case.
            frame::select(buf, cell, look);
        }
    }

    /// What there is on the map and how often, the sides, and what is selected.
    fn legend(&self, width: u16) -> Vec<Line<'static>> {
        let (board, look) = (self.scene.board, self.scene.look);
        let mut kinds: Vec<(&str, &str, theme::Role, usize)> = Vec::new();
        for node in &self.servers {
            let (glyph, word, role) = sign(self.scene, node);
            match kinds.iter_mut().find(|kind| kind.1 == word) {
                Some(kind) => kind.3 += 1,
                None => kinds.push((glyph, word, role, 1)),
            }
        }
        let mut lines = vec![Line::raw(" ")];
        for (glyph, word, role, many) in kinds {
            let text = format!("{glyph} {many} {word}");
            let used = lines.last().map_or(0, Line::width);
            if used > 1 && used + text.width() + 2 > width.into() {
                lines.push(Line::raw(" "));
            }
            let Some(line) = lines.last_mut() else { break };
            line.push_span(if line.width() > 1 { "  " } else { "" });
            line.push_span(Span::styled(text, look.style(role)));
        }
        if board.network.is_parted() {
            lines.push(marked(look, Mark::None, format!("sides {}", sides(board))));
        }
        if let Some(node) = board.node(self.scene.select.node).filter(|n| !n.id.is_client()) {
            lines.push(marked(look, Mark::Selected, self.one_line(node)));
        }
        lines
    }

    /// A table of the nodes that are not as most are.
    fn exceptions(&self, area: &mut Rect, buf: &mut Buffer) {
        let odd = |node: &&Node| {
            self.mark(node) != Mark::None
                || matches!(node.role, Role::Leads(_) | Role::Seeks(_))
                || node.id == self.scene.select.node
        };
        let nodes: Vec<&Node> = self.servers.iter().copied().filter(odd).collect();
        if area.height < 3 || nodes.is_empty() {
            return;
        }
        take(area, 1);
        let table = Table::fit(self.columns(), area.width);
        put(buf, self.scene.look, take(area, 1), table.head(self.scene.look));
        let at = nodes.iter().position(|node| node.id == self.scene.select.node).unwrap_or(0);
        let half = usize::from(area.height / 2).max(1);
        for node in &nodes[window(nodes.len(), at, half)] {
            let row = take(area, 1);
            self.row(&table, node, row, buf);
        }
    }
}
