//! The table of owners: what each was promised, what it owns, and whether it answers for that.

use super::super::Item;
use super::super::table::{Column, Mark, Table, put, take, thousands};
use super::{MANY, View, deviation};
use crate::base::NodeId;
use crate::base::placement::{Flow, Preview, Share};
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::ring::Keeper;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use std::cmp::Ordering;

/// What the table says, by column.
#[derive(Clone, Copy, Debug)]
enum Key {
    Name,
    Weight,
    Points,
    Share,
    Ideal,
    Deviation,
    Keys,
    Held,
    Moved,
    Preview,
    Epoch,
    Status,
    Bar,
}

impl View<'_> {
    /// The owners, or those with the most, those with the least, and the selected one.
    pub(super) fn owners(&self, area: &mut Rect, most: usize, buf: &mut Buffer) {
        let members = self.ring.members();
        let room = most.min(area.height.into());
        let head = usize::from(room > members.len().min(6));
        let table = Table::fit(self.columns(), area.width);
        let look = self.scene.look;
        if head > 0 {
            put(buf, look, take(area, 1), table.head(look));
        }
        for node in self.listed(room - head) {
            let row = take(area, 1);
            let selected = node == self.scene.select.node;
            let mark = self.mark(node).or_selected(selected);
            let line = table.row(look, mark, |key| self.cell(node, key));
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

    pub(super) fn mark(&self, node: NodeId) -> Mark {
        let down = self.scene.board.node(node).is_some_and(|node| node.life.is_down());
        match (down, self.is_silent(node)) {
            (true, _) => Mark::Fault,
            (false, true) => Mark::Doubt,
            (false, false) => Mark::None,
        }
    }

    /// All that the table says of an owner, in words.
    pub(super) fn item(&self, node: NodeId) -> Item {
        let (share, ideal) = (self.ring.share(node), self.ring.ideal(node));
        let keeper = self.keeper(node);
        let keys = keeper.map_or(0, |keeper| keeper.owned);
        let mut text = format!(
            "{node} owns {share} of {ideal} promised ({}), {} keys",
            deviation(share, ideal),
            thousands(keys.into()),
        );
        if self.scene.board.ring.has_owners() {
            text.push_str(&format!(", answers: {}", self.status(node, keeper).content));
        }
        Item::new(self.mark(node), text)
            .selected(node == self.scene.select.node)
            .picks(Pick::Node(node))
    }

    fn columns(&self) -> Vec<Column<Key>> {
        let name = self.ring.members().iter().map(|member| member.node.to_string().len()).max();
        let mut columns = vec![
            Column::words(Key::Name, "node", name.unwrap_or_default(), 0),
            Column::numbers(Key::Share, "owns", 6, 0),
            Column::numbers(Key::Deviation, "dev", 6, 4),
            Column::numbers(Key::Keys, "keys", 6, 2),
        ];
        if self.scene.zoomed {
            let next = if self.has(self.scene.select.node) { "if out" } else { "if in" };
            columns.insert(1, Column::numbers(Key::Weight, "wt", 2, 9));
            columns.insert(2, Column::numbers(Key::Points, "points", 6, 10));
            columns.insert(4, Column::numbers(Key::Ideal, "ideal", 6, 8));
            columns.push(Column::numbers(Key::Held, "copies", 6, 7));
            columns.push(Column::numbers(Key::Moved, "moved", 7, 6));
            columns.push(Column::numbers(Key::Preview, next, 7, 1));
        } else if self.ring.members().iter().any(|member| member.weight != 1) {
            columns.push(Column::numbers(Key::Weight, "wt", 3, 7));
        }
        columns.push(Column::numbers(Key::Epoch, "ring", 4, 5));
        if self.scene.board.ring.has_owners() {
            columns.push(Column::words(Key::Status, "answers", 8, 3));
        }
        columns.push(Column::words(Key::Bar, "", 10, 11));
        columns
    }

    fn cell(&self, node: NodeId, key: Key) -> Span<'static> {
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
            Key::Preview => Span::raw(self.gain(node, self.next.as_ref())),
            Key::Moved => Span::raw(self.gain(node, self.last.as_ref())),
            Key::Points => Span::raw(self.points(node).to_string()),
            Key::Ideal => Span::raw(self.ring.ideal(node).to_string()),
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

    /// How many points of the circle a member has.
    fn points(&self, node: NodeId) -> usize {
        self.ring.points().filter(|(_, owner)| *owner == node).count()
    }

    /// What a node gets or gives by a change, in keys; as a share if there are few.
    pub(super) fn gain(&self, node: NodeId, change: Option<&Preview>) -> String {
        let Some(change) = change else { return String::new() };
        let keys = self.scene.board.ring.keys();
        let sum = |is: &dyn Fn(&Flow) -> bool| -> Share {
            change.flows.iter().filter(|flow| is(flow)).map(|flow| flow.share).sum()
        };
        let gets = sum(&|flow| flow.to == Some(node));
        let gives = sum(&|flow| flow.from == Some(node));
        let (sign, by) = match gets.cmp(&gives) {
            Ordering::Less => ("-", gives - gets),
            Ordering::Equal => return "0".to_owned(),
            Ordering::Greater => ("+", gets - gives),
        };
        match keys {
            0..MANY => format!("{sign}{by}"),
            _ => format!("{sign}{}", thousands(by.of(keys))),
        }
    }
}
