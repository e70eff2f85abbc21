//! Ring: who owns which part of the key space, who serves it, and what a change would move.
//!
//! A circle where there is room for one, with position 0 on top and clockwise as in the books, else
//! the same circle cut open as a strip. The selected node's arcs are thick. Zoomed, there is also
//! what would move if that node left the ring, or joined it: try one after the other.

use super::table::{Column, Mark, Table, brief, clock, marked, put, right_of, take, thousands};
use super::{Item, Pane, Scene};
use crate::base::NodeId;
use crate::base::placement::{Balance, Flow, Member, Preview, Ring, Share};
use crate::tui::frame::{self, Title};
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::ring::{Epoch, Keeper};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Points};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Above this many members, colours repeat, so only the selected one has a bright one.
const COLOURS: usize = 8;
/// The least rows of a circle that looks like one.
const CIRCLE: u16 = 7;
/// What the table of owners needs beside the circle.
const ASIDE: u16 = 44;

/// The pane.
#[derive(Debug)]
pub(super) struct Circle;

impl Pane for Circle {
    fn about(&self) -> &'static str {
        "Consistent hashing: the circle of all hash values, and which node owns which arcs of it. \
         The thick arcs belong to the selected node. Below are each owner's share, how far that is \
         from what its weight promises, how many keys it owns, and whether it answers for them. \
         Zoomed, a preview says what would move if the selected node left or joined, and what \
         would move if owners were the hash modulo the number of nodes."
    }

    fn views(&self) -> &'static [&'static str] {
        &["circle", "strip"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let Some(view) = View::of(scene) else { return Vec::new() };
        let members = view.ring.members().iter().map(|member| member.node);
        members.map(|node| view.item(node)).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let Some(view) = View::of(scene) else { return Title::default() };
        let mut summary = format!("e{} RF {}", view.epoch.epoch, view.ring.shape().replicas);
        if let Some(balance) = view.ring.balance() {
            summary.push_str(&format!(" max/mean {}", load(&balance)));
        }
        let silent = view.ring.members().iter().any(|member| view.is_silent(member.node));
        Title { name: None, summary: summary.into(), trouble: silent }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        match View::of(scene) {
            None => put(buf, scene.look, area, marked(scene.look, Mark::None, "no ring yet")),
            Some(view) if area.width >= ASIDE + 20 && area.height >= CIRCLE => {
                view.draw_wide(area, buf);
            }
            Some(view) => view.draw_tall(area, buf),
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let servers: Vec<NodeId> = scene.board.nodes.servers().map(|node| node.id).collect();
        if let Some(node) = to.along(Some(&select.node), &servers) {
            select.node = node;
        }
        select
    }
}

/// What the owners' table says, by column.
#[derive(Clone, Copy, Debug)]
enum Key {
    Name,
    Share,
    Deviation,
    Keys,
    Epoch,
    Status,
    Weight,
    Held,
    Preview,
    Bar,
}

/// A ring to be shown.
struct View<'a> {
    scene: &'a Scene<'a>,
    epoch: &'a Epoch,
    ring: &'a Ring,
}

impl<'a> View<'a> {
    fn of(scene: &'a Scene<'a>) -> Option<View<'a>> {
        let epoch = scene.board.ring.latest()?;
        Some(View { scene, epoch, ring: &epoch.ring })
    }

    /// The circle on the left, everything else on the right, the strip at the bottom.
    fn draw_wide(&self, area: Rect, buf: &mut Buffer) {
        let mut upper = area;
        let height = area.height.min(24);
        let wants_strip = self.scene.zoomed && area.height >= 18;
        if wants_strip {
            let strip = Rect { y: area.bottom() - 3, height: 3, ..area };
            upper.height -= 3;
            self.strip(Rect { y: strip.y + 1, height: 2, ..strip }, buf);
        }
        // A circle is twice as wide as it is high.
        let width = match self.marker() {
            Some(_) => (2 * height.min(upper.height) + 2).min(area.width - ASIDE),
            None => 0,
        };
        let mut left = Rect { width, ..upper };
        if let Some(marker) = self.marker() {
            let circle = take(&mut left, usize::from(width / 2).min(upper.height.into()));
            self.circle(circle, marker, buf);
        }
        let mut right = right_of(upper, if width > 0 { width + 1 } else { 0 });
        put(buf, self.scene.look, take(&mut right, 1), self.epoch_line());
        if self.marker().is_none() && !wants_strip {
            self.strip(take(&mut right, 2), buf);
        }
        let most = match self.scene.zoomed {
            true => usize::from(right.height / 2),
            false => usize::from(right.height),
        };
        self.owners(&mut right, most, buf);
        if self.scene.zoomed {
            let room = usize::from(right.width);
            let mut lines = vec![Line::raw("")];
            lines.extend(self.preview_lines(room));
            lines.push(Line::raw(""));
            lines.extend(self.history());
            for (line, row) in lines.into_iter().zip(right.rows()) {
                put(buf, self.scene.look, row, line);
            }
        }
    }

    /// Circle, strip and owners, one below the other.
    fn draw_tall(&self, area: Rect, buf: &mut Buffer) {
        let mut rest = area;
        let owners = self.ring.members().len().min(10) + 1;
        let spare = usize::from(area.height).saturating_sub(owners + 1);
        match self.marker() {
            Some(marker) if spare >= CIRCLE.into() => {
                let height = spare.min(usize::from(area.width / 2)).min(24);
                self.circle(take(&mut rest, height), marker, buf);
            }
            _ => self.strip(take(&mut rest, if spare > 1 { 2 } else { 1 }), buf),
        }
        put(buf, self.scene.look, take(&mut rest, 1), self.epoch_line());
        let most = rest.height.into();
        self.owners(&mut rest, most, buf);
        if self.scene.zoomed {
            let lines = self.preview_lines(area.width.into());
            for (line, row) in lines.into_iter().zip(rest.rows()) {
                put(buf, self.scene.look, row, line);
            }
        }
    }

    /// What to draw curves with; none in ASCII.
    fn marker(&self) -> Option<Marker> {
        let circle = self.scene.mode.view(Circle.views()) == "circle";
        self.scene.look.glyphs.canvas.filter(|_| circle)
    }

    fn keeper(&self, node: NodeId) -> Option<&'a Keeper> {
        self.scene.board.ring.keeper(node)
    }

    /// Whether nobody answers for what a member owns.
    fn is_silent(&self, node: NodeId) -> bool {
        let serves = self.keeper(node).and_then(|keeper| keeper.serves);
        self.ring.share(node) > Share::NONE && serves != Some(self.epoch.epoch)
    }

    /// How a member's arcs look.
    fn style(&self, node: NodeId) -> Style {
        let look = self.scene.look;
        let members = self.ring.members();
        let at = members.iter().position(|member| member.node == node).unwrap_or_default();
        match () {
            () if members.len() <= COLOURS => look.style(Role::Identity(at as u8)),
            () if node == self.scene.select.node => look.style(Role::Accent),
            () => look.style(Role::Muted),
        }
    }

    /// Ring, epoch and who is not done with it.
    fn epoch_line(&self) -> Line<'static> {
        let look = self.scene.look;
        let late = |member: &&Member| {
            let done = self.keeper(member.node).is_some_and(|k| k.synced >= self.epoch.epoch);
            !done
        };
        let late: Vec<String> =
            self.ring.members().iter().filter(late).map(|member| member.node.to_string()).collect();
        let keys = thousands(self.scene.board.ring.keys());
        let size = format!("e{} {keys} keys, {} points", self.epoch.epoch, self.ring.len());
        match late.is_empty() {
            _ if self.epoch.settled.is_some() => {
                let text = format!("{size}, settled");
                marked(look, Mark::None, text)
            }
            true => marked(look, Mark::None, format!("{size}, all hold theirs")),
            false => {
                let style = look.style(Role::Warn);
                let text = format!("e{} not held by {}", self.epoch.epoch, late.join(" "));
                marked(look, Mark::Doubt, Span::styled(text, style))
            }
        }
    }

    /// The circle, with what is most important in its middle.
    fn circle(&self, area: Rect, marker: Marker, buf: &mut Buffer) {
        if area.height < 3 || area.width < 6 {
            return;
        }
        let (width, height) = (f64::from(area.width), f64::from(area.height));
        // In dots, of which a cell has two by four, so that a unit is as wide as it is high.
        let radius = width.min(2.0 * height) - 1.0;
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
            });
        canvas.render(area, buf);
        self.middle(area, radius, buf);
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
    fn strip(&self, area: Rect, buf: &mut Buffer) {
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
        }
    }

    /// The owners, or those with the most, those with the least, and the selected one.
    fn owners(&self, area: &mut Rect, most: usize, buf: &mut Buffer) {
        let members = self.ring.members();
        let room = most.min(area.height.into());
        let head = usize::from(room > members.len().min(6));
        let table = Table::fit(self.columns(), area.width);
        let look = self.scene.look;
        if head > 0 {
            put(buf, look, take(area, 1), table.head(look));
        }
        let preview = self.preview();
        for node in self.listed(room - head) {
            let row = take(area, 1);
            let selected = node == self.scene.select.node;
            let mark = self.mark(node).or_selected(selected);
            let line = table.row(look, mark, |key| self.cell(node, key, preview.as_ref()));
            put(buf, look, row, line);
            self.scene.spot(row, Pick::Node(node));
            if selected {
                frame::select(buf, row, look);
            }
        }
    }

    /// The members to list in so many rows: all in order, or the extremes by share.
    fn listed(&self, room: usize) -> Vec<NodeId> {
        let mut all: Vec<NodeId> = self.ring.members().iter().map(|member| member.node).collect();
        if all.len() <= room {
            return all;
        }
        all.sort_by_key(|node| (std::cmp::Reverse(self.ring.share(*node)), *node));
        let selected = all.iter().position(|node| *node == self.scene.select.node);
        let (top, bottom) = (room.div_ceil(2), room / 2);
        let last = all.len() - bottom;
        let hidden = selected.filter(|at| (top..last).contains(at));
        let mut listed = all[..top].to_vec();
        if let (Some(at), Some(spot)) = (hidden, listed.last_mut()) {
            *spot = all[at];
        }
        listed.extend(&all[last..]);
        listed
    }

    fn mark(&self, node: NodeId) -> Mark {
        let down = self.scene.board.node(node).is_some_and(|node| node.life.is_down());
        match (down, self.is_silent(node)) {
            (true, _) => Mark::Fault,
            (false, true) => Mark::Doubt,
            (false, false) => Mark::None,
        }
    }

    /// All that the table says of an owner, in words.
    fn item(&self, node: NodeId) -> Item {
        let (share, ideal) = (self.ring.share(node), self.ring.ideal(node));
        let keeper = self.keeper(node);
        let keys = keeper.map_or(0, |keeper| keeper.owned);
        let status = self.status(node, keeper).content.into_owned();
        let text = format!(
            "{node} owns {share} of {ideal} promised ({}), {} keys, answers: {status}",
            deviation(share, ideal),
            thousands(keys.into()),
        );
        Item::new(self.mark(node), text).selected(node == self.scene.select.node)
    }

    fn columns(&self) -> Vec<Column<Key>> {
        let name = self.ring.members().iter().map(|member| member.node.to_string().len()).max();
        let mut columns = vec![
            Column::words(Key::Name, "node", name.unwrap_or_default(), 0),
            Column::numbers(Key::Share, "owns", 6, 0),
            Column::numbers(Key::Deviation, "dev", 6, 5),
            Column::numbers(Key::Keys, "keys", 6, 2),
            Column::numbers(Key::Epoch, "ring", 4, 4),
            Column::words(Key::Status, "answers", 8, 1),
        ];
        if self.ring.members().iter().any(|member| member.weight != 1) {
            columns.push(Column::numbers(Key::Weight, "wt", 3, 6));
        }
        if self.scene.zoomed {
            columns.push(Column::numbers(Key::Held, "holds", 6, 7));
            columns.push(Column::numbers(Key::Preview, "preview", 8, 3));
        }
        columns.push(Column::words(Key::Bar, "", 10, 8));
        columns
    }

    fn cell(&self, node: NodeId, key: Key, preview: Option<&Preview>) -> Span<'static> {
        let (look, share) = (self.scene.look, self.ring.share(node));
        let keeper = self.keeper(node);
        let number = |number: Option<u32>| {
            Span::raw(number.map_or("-".to_owned(), |number| thousands(number.into())))
        };
        match key {
            Key::Name => Span::styled(node.to_string(), self.style(node)),
            Key::Share => Span::raw(share.to_string()),
            Key::Deviation => Span::raw(deviation(share, self.ring.ideal(node))),
            Key::Keys => number(keeper.map(|keeper| keeper.owned)),
            Key::Held => number(keeper.map(|keeper| keeper.keys)),
            Key::Epoch => {
                let epoch = keeper.map_or(0, |keeper| keeper.epoch);
                let late = epoch < self.epoch.epoch;
                let style = if late { look.style(Role::Warn) } else { Style::new() };
                Span::styled(format!("e{epoch}"), style)
            }
            Key::Status => self.status(node, keeper),
            Key::Weight => {
                let member = self.ring.members().iter().find(|member| member.node == node);
                Span::raw(member.map_or(0, |member| member.weight).to_string())
            }
            Key::Preview => Span::raw(preview.map_or(String::new(), |p| self.gain(node, p))),
            Key::Bar => {
                let top = self.ring.shares().map(|(_, share)| share.ppm()).max().unwrap_or(1);
                Span::styled(look.glyphs.bar(10, share.ppm(), top), self.style(node))
            }
        }
    }

    /// Whether a member answers for what it owns, and why not.
    fn status(&self, node: NodeId, keeper: Option<&Keeper>) -> Span<'static> {
        let (look, glyphs) = (self.scene.look, self.scene.look.glyphs);
        let down = self.scene.board.node(node).is_some_and(|node| node.life.is_down());
        let epoch = self.epoch.epoch;
        let (glyph, word, role) = match keeper {
            _ if down => (glyphs.down, "DOWN", Role::Down),
            Some(keeper) if keeper.serves == Some(epoch) => (glyphs.up, "yes", Role::Ok),
            Some(keeper) if keeper.epoch < epoch => (glyphs.recovering, "behind", Role::Warn),
            Some(keeper) if keeper.synced < epoch => (glyphs.recovering, "syncs", Role::Candidate),
            Some(_) => (glyphs.recovering, "not yet", Role::Warn),
            None => (glyphs.pending, "unknown", Role::Muted),
        };
        Span::styled(format!("{glyph} {word}"), look.style(role))
    }

    /// What a node would get or give in a preview, in keys.
    fn gain(&self, node: NodeId, preview: &Preview) -> String {
        let keys = self.scene.board.ring.keys();
        let sum = |is: &dyn Fn(&Flow) -> bool| -> Share {
            preview.flows.iter().filter(|flow| is(flow)).map(|flow| flow.share).sum()
        };
        let gets = sum(&|flow| flow.to == Some(node)).of(keys);
        let gives = sum(&|flow| flow.from == Some(node)).of(keys);
        match gets.cmp(&gives) {
            std::cmp::Ordering::Less => format!("-{}", thousands(gives - gets)),
            std::cmp::Ordering::Equal => "0".to_owned(),
            std::cmp::Ordering::Greater => format!("+{}", thousands(gets - gives)),
        }
    }

    /// The ring without the selected node, or with it if it is not a member.
    fn other(&self) -> Option<Ring> {
        let node = self.scene.select.node;
        let member = self.ring.members().iter().any(|member| member.node == node);
        match member {
            _ if node.is_client() || self.scene.board.node(node).is_none() => None,
            true => Some(self.ring.without(node)),
            false => Some(self.ring.with(Member { node, weight: 1 })),
        }
    }

    fn preview(&self) -> Option<Preview> {
        self.other().filter(|_| self.scene.zoomed).map(|other| self.ring.preview(&other))
    }

    /// What would happen if the selected node left or joined.
    fn preview_lines(&self, width: usize) -> Vec<Line<'static>> {
        let look = self.scene.look;
        let Some(preview) = self.preview() else { return Vec::new() };
        let node = self.scene.select.node;
        let leaves = self.ring.members().iter().any(|member| member.node == node);
        let verb = if leaves { "leaves" } else { "joins" };
        let keys = self.scene.board.ring.keys();
        let count = |share: Share| format!("{} keys {share}", thousands(share.of(keys)));
        let least = if preview.moved == preview.minimum { " (least possible)" } else { "" };
        let accent = look.style(Role::Accent);
        let mut lines = vec![
            marked(look, Mark::None, Span::styled(format!("if {node} {verb}"), accent)),
            Line::raw(format!("   owners change for   {}{least}", count(preview.moved))),
            Line::raw(format!("   copies to make      {}", count(preview.copies))),
        ];
        let modulo = preview.modulo.ppm();
        let share = Share::fraction(modulo, 1_000_000);
        lines.push(Line::raw(format!("   with hash mod N     {}", count(share))));
        if let (Some(before), Some(after)) = (preview.before, preview.after) {
            let (before, after) = (load(&before), load(&after));
            let arrow = look.glyphs.arrow;
            lines.push(Line::raw(format!("   max/mean            {before} {arrow} {after}")));
        }
        let top = preview.flows.iter().map(|flow| flow.share.ppm()).max().unwrap_or(1);
        let name = |node: Option<NodeId>| node.map_or("-".to_owned(), |node| node.to_string());
        let mut flows = preview.flows.clone();
        flows.sort_by_key(|flow| std::cmp::Reverse(flow.share));
        for flow in flows.iter().take(8) {
            let way = format!("{} {} {}", name(flow.from), look.glyphs.arrow, name(flow.to));
            let size = match keys {
                0 => flow.share.to_string(),
                _ => thousands(flow.share.of(keys)),
            };
            let text = format!("   {way:<12} {size:>7} ");
            let bar = (width.saturating_sub(text.len() + 4)).min(20) as u16;
            let bar = look.glyphs.bar(bar, flow.share.ppm(), top);
            lines.push(Line::raw(format!("{text}{bar}")));
        }
        if flows.len() > 8 {
            lines.push(Line::raw(format!("   and {} others", flows.len() - 8)));
        }
        lines
    }

    /// The epochs, newest first.
    fn history(&self) -> Vec<Line<'static>> {
        let look = self.scene.look;
        let line = |epoch: &Arc<Epoch>| {
            let settled = match epoch.settled {
                Some(at) => format!("settled in {}", brief(at.since(epoch.since))),
                None => "not settled".to_owned(),
            };
            let moved = thousands(epoch.moved_keys);
            let (number, since) = (epoch.epoch, clock(epoch.since));
            let (what, share) = (&epoch.what, epoch.moved);
            let text = format!("e{number} {since:>8} {what}: {share} moved, {moved} keys copied");
            Line::raw(format!(" {text}, {settled}"))
        };
        let head = Span::styled("rings", look.style(Role::Accent));
        let rings = self.scene.board.ring.epochs().rev().map(line);
        [marked(look, Mark::None, head)].into_iter().chain(rings).collect()
    }
}

fn color(style: Style) -> Color {
    style.fg.unwrap_or(Color::Reset)
}

/// The heaviest load over what is promised: `1.02`.
fn load(balance: &Balance) -> String {
    let hundredths = (balance.heaviest_per_mille + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// How far a share is from what is promised, relative to that: `+2.0%`.
fn deviation(share: Share, ideal: Share) -> String {
    let (share, ideal) = (share.ppm(), ideal.ppm());
    let Some(per_mille) = (share.abs_diff(ideal) * 1_000 + ideal / 2).checked_div(ideal) else {
        return "-".to_owned();
    };
    let sign = if share < ideal { '-' } else { '+' };
    format!("{sign}{}.{}%", per_mille / 10, per_mille % 10)
}
