//! The circle, and the same cut open as a strip.

use super::super::table::{put, right_of, thousands};
use super::{COLOURS, View};
use crate::base::NodeId;
use crate::base::placement::{KeyRange, Share};
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Points};
use std::f64::consts::TAU;

/// An arc is named on the circle if it is larger than this, in per mille of the circle.
const NAMED: u64 = 30;
/// What names beside the circle take, in cells on each side and rows on top and at the bottom.
const NAMES: (u16, u16) = (4, 1);

impl View<'_> {
    /// The circle, with what is most important in its middle.
    pub(super) fn circle(&self, area: Rect, marker: Marker, buf: &mut Buffer) {
        if area.height < 3 || area.width < 6 {
            return;
        }
        let (width, height) = (f64::from(area.width), f64::from(area.height));
        let named = self.named();
        // In dots, of which a cell has two by four, so that a unit is as wide as it is high.
        let mut radius = width.min(2.0 * height) - 1.0;
        if !named.is_empty() && area.width > 30 {
            let (aside, above) = (f64::from(NAMES.0), f64::from(NAMES.1));
            radius = (width - 2.0 * aside).min(2.0 * (height - 2.0 * above)) - 1.0;
        }
        let selected = self.scene.select.node;
        let groups = self.dots(radius);
        let canvas = Canvas::default()
            .marker(marker)
            .x_bounds([-width, width])
            .y_bounds([-2.0 * height, 2.0 * height])
            .paint(|context| {
                // The selected node comes last: in cells that two share, its colour counts.
                for (node, coords) in groups.iter().filter(|(node, _)| *node != selected) {
                    context.draw(&Points { coords, color: color(self.style(*node)) });
                }
                for (node, coords) in groups.iter().filter(|(node, _)| *node == selected) {
                    context.draw(&Points { coords, color: color(self.style(*node)) });
                }
                let coords = &self.key_dots(radius);
                context.draw(&Points { coords, color: color(self.scene.look.style(Role::Leader)) });
            });
        canvas.render(area, buf);
        if area.width > 30 {
            for (at, node) in named {
                self.name(area, radius, at, node, buf);
            }
        }
        self.middle(area, radius, buf);
    }

    /// The middles of the arcs that are large enough to be named, and whose they are.
    fn named(&self) -> Vec<(u64, NodeId)> {
        let size = |range: &KeyRange| range.size().per_mille();
        let large = |node: NodeId| {
            let ranges = self.ring.owned_by(node).into_iter();
            let ranges = ranges.filter(move |range| (NAMED..1_000).contains(&size(range)));
            ranges.map(move |range| {
                let half = range.end.wrapping_sub(range.start) / 2;
                (range.start.wrapping_add(half), node)
            })
        };
        self.ring.members().iter().flat_map(|member| large(member.node)).collect()
    }

    /// Writes a name beside the circle.
    fn name(&self, area: Rect, radius: f64, at: u64, node: NodeId, buf: &mut Buffer) {
        let angle = TAU * (at as f64) / (u64::MAX as f64);
        let text = node.to_string();
        let (reach, high) = (radius / 2.0 + 2.0, radius / 4.0 + 0.8);
        let middle = (f64::from(area.width) / 2.0, f64::from(area.height) / 2.0);
        let left = if angle.sin() < 0.0 { text.len() as f64 - 1.0 } else { 0.0 };
        let x = (middle.0 + reach * angle.sin() - left).round().max(0.0) as u16;
        let y = (middle.1 - high * angle.cos()).round().max(0.0) as u16;
        let (x, y) = (x.min(area.width.saturating_sub(text.len() as u16)), y.min(area.height - 1));
        let width = (text.len() as u16).min(area.width);
        let place = Rect { x: area.x + x, y: area.y + y, width, height: 1 };
        put(buf, self.scene.look, place, Line::styled(text, self.style(node)));
    }

    /// A spoke at the place of the followed key.
    fn key_dots(&self, radius: f64) -> Vec<(f64, f64)> {
        let Some((_, at)) = self.followed() else { return Vec::new() };
        let angle = TAU * (at as f64) / (u64::MAX as f64);
        let spoke = (0..8).map(|inward| radius - f64::from(inward) - 4.0);
        spoke.map(|radius| (radius * angle.sin(), radius * angle.cos())).collect()
    }

    /// The dots of each owner's arcs: three thick if it is selected, else one.
    fn dots(&self, radius: f64) -> Vec<(NodeId, Vec<(f64, f64)>)> {
        let mut groups: Vec<(NodeId, Vec<(f64, f64)>)> = Vec::new();
        let count = (TAU * radius * 1.5).max(8.0) as u64;
        for step in 0..count {
            let position = (u128::from(step) << 64) / u128::from(count);
            let Some(owner) = self.ring.owner(position as u64) else { continue };
            let angle = TAU * step as f64 / count as f64;
            let thick = if owner == self.scene.select.node { 4 } else { 1 };
            let dots = (0..thick).map(|inward| {
                let radius = radius - f64::from(inward);
                (radius * angle.sin(), radius * angle.cos())
            });
            match groups.iter_mut().find(|(node, _)| *node == owner) {
                Some((_, coords)) => coords.extend(dots),
                None => groups.push((owner, dots.collect())),
            }
        }
        groups
    }

    /// Text inside the circle, where it is wide enough.
    fn middle(&self, area: Rect, radius: f64, buf: &mut Buffer) {
        let look = self.scene.look;
        let node = self.scene.select.node;
        let share = self.ring.share(node);
        let shape = self.ring.shape();
        let mut lines = vec![
            Line::raw(format!("{} keys", thousands(self.scene.board.ring.keys()))),
            Line::raw(format!("{} x {} vnodes", self.ring.members().len(), shape.vnodes)),
        ];
        if share > Share::NONE {
            lines.push(Line::styled(format!("{node} {share}"), self.style(node)));
        }
        // A cell is two dots wide, and the thick arcs take four on either side.
        let inside = (radius * 0.9 - 5.0).max(0.0) as usize;
        let lines: Vec<Line<'_>> =
            lines.into_iter().filter(|line| line.width() <= inside).collect();
        let top = area.y + (area.height.saturating_sub(lines.len() as u16)) / 2;
        for (at, line) in (0..).zip(lines) {
            let width = (line.width() as u16).min(area.width);
            let x = area.x + (area.width - width) / 2;
            put(buf, look, Rect { x, y: top + at, width, height: 1 }, line);
        }
    }

    /// The circle cut open at position 0: a digit for each owner, and a scale.
    pub(super) fn strip(&self, area: Rect, buf: &mut Buffer) {
        let row = right_of(area, 1);
        let (width, look) = (row.width, self.scene.look);
        let many = self.ring.members().len() > COLOURS + 1;
        for column in 0..width {
            let position = (u128::from(2 * column + 1) << 63) / u128::from(width);
            let Some(owner) = self.ring.owner(position as u64) else { continue };
            let selected = owner == self.scene.select.node;
            let text = match (many, selected) {
                (false, _) => (owner.number() % 10).to_string(),
                (true, true) => look.glyphs.fills.last().unwrap_or(&"#").to_string(),
                (true, false) => look.glyphs.unfilled.to_owned(),
            };
            let cell = Rect { x: row.x + column, width: 1, height: row.height.min(1), ..row };
            frame::put(buf, cell, &Line::styled(text, self.style(owner)));
            self.scene.spot(cell, Pick::Node(owner));
            if selected && !many {
                frame::select(buf, cell, look);
            }
        }
        if row.height > 1 && width >= 20 {
            let quarter = usize::from(width / 4);
            let cells = ["0%", "25%", "50%", "75%"].map(|text| format!("{text:<quarter$}"));
            let scale = Rect { y: row.y + 1, height: 1, ..row };
            put(buf, look, scale, Line::styled(cells.concat(), look.style(Role::Muted)));
            if let Some((key, at)) = self.followed() {
                let column = (u128::from(at) * u128::from(width)) >> 64;
                let column = u16::try_from(column).unwrap_or(0).min(width - 1);
                let text = Line::styled(format!("^{key}"), look.style(Role::Accent));
                put(buf, look, right_of(scale, column), text);
            }
        }
    }
}

fn color(style: Style) -> Color {
    style.fg.unwrap_or(Color::Reset)
}
