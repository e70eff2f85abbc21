//! What a change moves: what would move if the selected node left or joined, what other placements
//! would have moved, and what the changes of this run did move.

use super::super::row::Row;
use super::super::table::{Mark, brief, clock, thousands};
use super::{MANY, View, load};
use crate::base::NodeId;
use crate::base::placement::{Flow, Member, Preview, Ring, Share};
use crate::tui::theme::Role;
use crate::view::ring::Epoch;

/// How many flows are listed.
const FLOWS: usize = 8;
/// The longest bar.
const BAR: usize = 20;

/// The ring without `node`, or with it if it is not a member. None if it is no server.
pub(super) fn other(view: &View<'_>, node: NodeId) -> Option<Ring> {
    match view.has(node) {
        _ if node.is_client() || view.scene.board.node(node).is_none() => None,
        true => Some(view.ring.without(node)),
        false => Some(view.ring.with(Member { node, weight: 1 })),
    }
}

impl<'a> View<'a> {
    /// `20.2%  ~2 016 keys`: how many keys of so many a share is, on average. Of few keys that
    /// says nothing.
    fn amount(&self, share: Share) -> String {
        match self.scene.board.ring.keys() {
            0..MANY => format!("{share:>5}"),
            keys => format!("{share:>5}  ~{} keys", thousands(share.of(keys))),
        }
    }

    /// The widest amount.
    fn amounts(&self) -> usize {
        self.amount(Share::fraction(1, 1)).len()
    }

    /// What would happen if the selected node left or joined, in at most so many rows.
    pub(super) fn preview_rows(&self, width: usize, most: usize) -> Vec<Row<'a>> {
        let look = self.scene.look;
        let Some(preview) = &self.next else { return Vec::new() };
        let node = self.scene.select.node;
        let verb = if self.has(node) { "leaves (x stops it)" } else { "joins" };
        let least = if preview.moved == preview.minimum { ", the minimum" } else { "" };
        let mut rows = vec![
            Row::heading(look, format!("if {node} {verb}")),
            self.entry("owners change for", format!("{}{least}", self.amount(preview.moved))),
            self.entry("copies to make", self.amount(preview.copies)),
        ];
        if let (Some(before), Some(after)) = (preview.before, preview.after) {
            let text = format!("{} {} {}", load(&before), look.glyphs.arrow, load(&after));
            rows.push(self.entry("max/mean", text));
        }
        let compare = self.comparison(preview, width);
        let room = most.saturating_sub(rows.len() + compare.len());
        rows.extend(self.flows(preview, width, room.min(FLOWS + 1)));
        rows.extend(compare);
        rows
    }

    fn entry(&self, name: &str, value: String) -> Row<'a> {
        Row::plain(self.scene.look)
            .left(2, Role::Text, "")
            .left(18, Role::Muted, name)
            .text(Role::Text, value)
    }

    /// Who would give how much to whom, the most first.
    fn flows(&self, preview: &Preview, width: usize, most: usize) -> Vec<Row<'a>> {
        let look = self.scene.look;
        let top = preview.flows.iter().map(|flow| flow.share.ppm()).max().unwrap_or(1);
        let name = |node: Option<NodeId>| node.map_or("-".to_owned(), |node| node.to_string());
        let mut flows: Vec<&Flow> = preview.flows.iter().collect();
        flows.sort_by_key(|flow| std::cmp::Reverse(flow.share));
        let named = if flows.len() > most { most.saturating_sub(1) } else { most };
        let row = |flow: &&Flow| {
            let way = format!("{} {} {}", name(flow.from), look.glyphs.arrow, name(flow.to));
            let row = Row::plain(look).left(2, Role::Text, "").left(12, Role::Text, way);
            let row = row.left(self.amounts(), Role::Text, self.amount(flow.share));
            let bar = width.saturating_sub(row.width() + 1).min(BAR) as u16;
            row.text(Role::Follower, look.glyphs.bar(bar, flow.share.ppm(), top))
        };
        let mut rows: Vec<Row<'a>> = flows.iter().take(named).map(row).collect();
        if flows.len() > named && most > 0 {
            let text = format!("   and to {} others", flows.len() - named);
            rows.push(Row::muted(look, text));
        }
        rows
    }

    /// How many keys other placements would move for the same change.
    fn comparison(&self, preview: &Preview, width: usize) -> Vec<Row<'a>> {
        let look = self.scene.look;
        let ppm = |fraction: u64| Share::fraction(fraction, 1_000_000);
        let all = [
            ("this ring", preview.moved, Role::Ok),
            ("rendezvous", ppm(preview.rendezvous.ppm()), Role::Text),
            ("hash mod N", ppm(preview.modulo.ppm()), Role::Bad),
        ];
        let row = |(name, share, role): (&str, Share, Role)| {
            let row = Row::plain(look).left(2, Role::Text, "").left(12, Role::Muted, name);
            let row = row.left(self.amounts(), Role::Text, self.amount(share));
            let bar = width.saturating_sub(row.width() + 1).min(BAR) as u16;
            row.text(role, look.glyphs.bar(bar, share.ppm(), 1_000_000))
        };
        let head = Row::muted(look, "  the same change with other placements:");
        [head].into_iter().chain(all.map(row)).collect()
    }

    /// The epochs, newest first.
    pub(super) fn history(&self, width: usize) -> Vec<Row<'a>> {
        let look = self.scene.look;
        let newest = self.epoch.epoch;
        let picked = self.scene.select.epoch.unwrap_or(newest).min(newest);
        let row = |epoch: &Epoch| {
            let took = match epoch.settled {
                Some(at) => format!("in {}", brief(at.since(epoch.since))),
                None => "not settled yet".to_owned(),
            };
            let (moved, share) = (thousands(epoch.moved_keys), epoch.moved);
            let first = epoch.epoch == self.oldest();
            let what = if first { "start".to_owned() } else { epoch.what.to_string() };
            let text = match width {
                _ if first => format!("settled {took}"),
                0..60 => format!("{share} {took}"),
                _ => format!("{share} moved, {moved} keys copied, {took}"),
            };
            let mark = if epoch.settled.is_none() { Mark::Doubt } else { Mark::None };
            Row::new(look, mark)
                .left(4, Role::Text, format!("e{}", epoch.epoch))
                .right(8, Role::Muted, clock(epoch.since))
                .left(10, Role::Text, what)
                .text(Role::Text, text)
                .selected(epoch.epoch == picked)
        };
        let text = match width {
            0..60 => "changes   h l: choose  Enter: go there",
            _ => "membership changes      h l: choose   Enter: go to that moment",
        };
        let rings = self.scene.board.ring.epochs().rev().map(|epoch| row(epoch));
        [Row::heading(look, text)].into_iter().chain(rings).collect()
    }

    fn oldest(&self) -> u64 {
        self.scene.board.ring.epochs().next().map_or(0, |epoch| epoch.epoch)
    }
}
