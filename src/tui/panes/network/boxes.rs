//! The sides of a partition as boxes, and what is cut between them.
//!
//! ```text
//!  ╭─ A 2: no majority ─╮     ╭─ B 3: majority ─╮
//!  │ ★n1 ●n2            │╌╌×╌╌│ ★n3 ●n4 ✗n5     │
//!  ╰────────────────────╯     ╰─────────────────╯
//! ```

use super::super::Scene;
use super::super::nodes::{index, sign};
use crate::base::NodeId;
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Cells between two boxes.
const GAP: u16 = 5;
/// Nodes of a larger side that are as the others are not named.
const NAMED: usize = 12;
/// A box is at most so wide inside.
const WIDEST: usize = 34;

/// One side.
struct Side {
    title: Line<'static>,
    rows: Vec<Vec<(NodeId, Line<'static>)>>,
    width: u16,
}

impl Side {
    fn of(scene: &Scene<'_>, group: &[NodeId], most: usize) -> Side {
        let (board, look) = (scene.board, scene.look);
        let reach = board.best_reach_of(group.iter().copied());
        let (word, role) = match reach >= board.majority() {
            true => ("majority", Role::Ok),
            false => ("no majority", Role::Warn),
        };
        let letter = group.first().and_then(|id| board.group(*id));
        let tint = letter.map_or(Style::new(), |letter| look.style(Role::Group(index(letter))));
        let name = letter.map_or("all".to_owned(), |letter| letter.to_string());
        let title = Line::from(vec![
            Span::raw(" "),
            Span::styled(name, tint.add_modifier(Modifier::BOLD)),
            Span::raw(format!(" {}: ", group.len())),
            Span::styled(word, look.style(role)),
            Span::raw(" "),
        ]);
        let mut rows: Vec<Vec<(NodeId, Line<'static>)>> = vec![Vec::new()];
        let mut used = 0;
        let mut usual = 0;
        for id in group {
            let Some(node) = board.node(*id) else { continue };
            let (glyph, _, role) = sign(scene, node);
            if group.len() > NAMED && matches!(role, Role::Follower | Role::Ok) {
                usual += 1;
                continue;
            }
            let name = Span::raw(format!("{id} "));
            let line = Line::from(vec![Span::styled(glyph, look.style(role)), name]);
            let width = line.width();
            if used + width > most && used > 0 {
                rows.push(Vec::new());
                used = 0;
            }
            used += width;
            if let Some(row) = rows.last_mut() {
                row.push((*id, line));
            }
        }
        if usual > 0 {
            let line = Line::styled(format!("and {usual} as usual"), look.style(Role::Muted));
            rows.push(vec![(NodeId::BENCH, line)]);
            rows.retain(|row| !row.is_empty());
        }
        let row_width = |row: &Vec<(NodeId, Line<'_>)>| row.iter().map(|(_, l)| l.width()).sum();
        let content: usize = rows.iter().map(row_width).max().unwrap_or(0);
        let width = (content + 4).max(title.width() + 4) as u16;
        Side { title, rows, width }
    }

    fn height(&self) -> u16 {
        self.rows.len() as u16 + 2
    }

    fn draw(&self, scene: &Scene<'_>, place: Rect, buf: &mut Buffer) {
        let ascii = scene.look.glyphs.is_ascii();
        let [corner, dash, bar] =
            if ascii { ["++++", "-", "|"] } else { ["╭╮╰╯", "─", "│"] };
        let corners: Vec<char> = corner.chars().collect();
        let style = scene.look.style(Role::Muted);
        let across = dash.repeat(usize::from(place.width.saturating_sub(2)));
        let edge = |left: char, right: char| Line::styled(format!("{left}{across}{right}"), style);
        let row = |y: u16| Rect { y: place.y + y, height: 1, ..place };
        frame::put(buf, row(0), &edge(corners[0], corners[1]));
        let title = Rect { x: place.x + 2, width: place.width.saturating_sub(4), ..row(0) };
        frame::put(buf, title, &self.title);
        for (at, nodes) in self.rows.iter().enumerate() {
            let place = row(at as u16 + 1);
            frame::put(buf, place, &Line::styled(bar, style));
            let right = Rect { x: place.right().saturating_sub(1), width: 1, ..place };
            frame::put(buf, right, &Line::styled(bar, style));
            let mut x = place.x + 2;
            for (id, line) in nodes {
                let width = (line.width() as u16).min(right.x.saturating_sub(x));
                let cell = Rect { x, width, ..place };
                frame::put(buf, cell, line);
                if scene.board.node(*id).is_some() {
                    scene.spot(cell, Pick::Node(*id));
                    if *id == scene.select.node {
                        let name = Rect { width: width.saturating_sub(1), ..cell };
                        frame::select(buf, name, scene.look);
                    }
                }
                x += width;
            }
        }
        frame::put(buf, row(place.height - 1), &edge(corners[2], corners[3]));
    }
}

/// Draws a box for each side, as many as there is room for. Returns what is left below.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Rect {
    let look = scene.look;
    let most = usize::from(area.width.saturating_sub(4)).min(WIDEST);
    let groups = scene.board.network.groups();
    let sides: Vec<Side> = groups.iter().map(|group| Side::of(scene, group, most)).collect();
    let (mut x, mut y, mut tall) = (area.x, area.y, 0);
    for (at, side) in sides.iter().enumerate() {
        let width = side.width.min(area.width);
        if x > area.x && x + GAP + width > area.right() {
            (x, y, tall) = (area.x, y + tall, 0);
        }
        if y + side.height() > area.bottom() {
            let line = format!(" {} {} more sides", look.glyphs.ellipsis, sides.len() - at);
            let row = Rect { y, height: area.bottom().saturating_sub(y).min(1), ..area };
            frame::put(buf, row, &Line::styled(line, look.style(Role::Muted)));
            return Rect { y: area.bottom(), height: 0, ..area };
        }
        if x > area.x {
            let dash = if look.glyphs.is_ascii() { "-" } else { "╌" };
            let cut = format!("{0}{0}{1}{0}{0}", dash, look.glyphs.cut);
            let between = Rect { x, y: y + 1, width: GAP, height: 1 };
            frame::put(buf, between, &Line::styled(cut, look.style(Role::Bad)));
            x += GAP;
        }
        side.draw(scene, Rect { x, y, width, height: side.height() }, buf);
        x += width;
        tall = tall.max(side.height());
    }
    let below = (y + tall).min(area.bottom());
    Rect { y: below, height: area.bottom() - below, ..area }
}
