//! Ring: who owns which part of the key space, who serves it, and what a change would move.
//!
//! A circle where there is room for one, with position 0 on top and clockwise as in the books, else
//! the same circle cut open as a strip. The selected node's arcs are thick. Zoomed, there is also
//! what would move if that node left the ring, or joined it, beside what other placements would
//! move: try one node after the other. A key that is followed stays in sight while owners change.

mod change;
mod circle;
mod key;
mod owners;
mod placements;

use super::row::{self, Row};
use super::table::{Mark, marked, put, right_of, take, thousands};
use super::{Item, Pane, Scene};
use crate::base::NodeId;
use crate::base::placement::{Balance, Member, Preview, Ring, Share};
use crate::tui::frame::Title;
use crate::tui::mode::Choice;
use crate::tui::select::{Move, Select};
use crate::tui::theme::Role;
use crate::view::ring::{Epoch, Keeper};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};

/// From so many keys on, a share of the circle says how many keys it is.
const MANY: u64 = 1_000;

/// The key that is followed.
const KEY: Choice = Choice { key: 'k', name: "key", doc: "follow a key", values: &[] };
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
         would move if owners were the hash modulo the number of nodes, or the highest draw of \
         all nodes for each key (rendezvous). o follows a key: where it lies, who owns it, who \
         has copies. s goes on to all placements on the same keys: how even each is, and what \
         it would move."
    }

    fn options(&self) -> &'static [Choice] {
        &[KEY]
    }

    fn views(&self) -> &'static [&'static str] {
        &["circle", "strip", "placements"]
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
            Some(view) if scene.mode.view(self.views()) == "placements" => {
                view.placements(area, buf);
            }
            Some(view) => {
                let view = if scene.zoomed { view.with_changes() } else { view };
                match area.width >= ASIDE + 20 && area.height >= CIRCLE {
                    true => view.draw_wide(area, buf),
                    false => view.draw_tall(area, buf),
                }
            }
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        if matches!(to, Move::Left | Move::Right) {
            // The newest comes first in the history.
            let epochs: Vec<u64> = scene.board.ring.epochs().map(|epoch| epoch.epoch).collect();
            let newest = epochs.last().copied();
            select.epoch = to.along(select.epoch.or(newest).as_ref(), &epochs);
            select.epoch = select.epoch.filter(|epoch| Some(*epoch) != newest);
            return select;
        }
        let servers: Vec<NodeId> = scene.board.nodes.servers().map(|node| node.id).collect();
        if let Some(node) = to.along(Some(&select.node), &servers) {
            select.node = node;
        }
        select
    }

    fn moment(&self, scene: &Scene<'_>) -> Option<usize> {
        let rings = &scene.board.ring;
        let epoch = match scene.select.epoch {
            Some(epoch) => rings.epoch(epoch)?,
            None => rings.latest()?,
        };
        scene.timeline.events().upto(epoch.since).checked_sub(1)
    }
}

/// A ring to be shown.
struct View<'a> {
    scene: &'a Scene<'a>,
    epoch: &'a Epoch,
    ring: &'a Ring,
    /// Zoomed: what the last change of members moved.
    last: Option<Preview>,
    /// Zoomed: what would move if the selected node left or joined.
    next: Option<Preview>,
}

impl<'a> View<'a> {
    fn of(scene: &'a Scene<'a>) -> Option<View<'a>> {
        let epoch = scene.board.ring.latest()?;
        Some(View { scene, epoch, ring: &epoch.ring, last: None, next: None })
    }

    /// With what changes did and would do.
    fn with_changes(mut self) -> View<'a> {
        let other = change::other(&self, self.scene.select.node);
        self.next = other.map(|other| self.ring.preview(&other));
        let before = self.scene.board.ring.epochs().rev().nth(1);
        self.last = before.map(|before| before.ring.preview(self.ring));
        self
    }

    /// The circle on the left, everything else on the right, strip and key at the bottom.
    fn draw_wide(&self, area: Rect, buf: &mut Buffer) {
        let mut upper = area;
        let wants_strip = self.scene.zoomed && area.height >= 18;
        let key = self.key_rows();
        let foot = if wants_strip { 3 + key.len() as u16 } else { key.len().min(1) as u16 };
        upper.height -= foot;
        let mut lower = Rect { y: upper.bottom(), height: foot, ..area };
        if wants_strip {
            take(&mut lower, 1);
            self.strip(take(&mut lower, 2), buf);
        }
        row::put(lower, buf, &key);
        let largest = if area.width >= 160 { 40 } else { 24 };
        // A circle is twice as wide as it is high.
        let width = match self.marker() {
            Some(_) => (2 * upper.height.min(largest) + 2).min(area.width - ASIDE),
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
        self.draw_text(right, buf);
    }

    /// The owners; zoomed, what changes move below them.
    fn draw_text(&self, mut area: Rect, buf: &mut Buffer) {
        let members = self.ring.members().len();
        let most = match self.scene.zoomed {
            true => (members + 1).min(usize::from(area.height).div_ceil(2)),
            false => area.height.into(),
        };
        self.owners(&mut area, most, buf);
        if !self.scene.zoomed {
            return;
        }
        let width = usize::from(area.width);
        let history = self.history(width);
        let gap = usize::from(area.height > 16);
        take(&mut area, gap);
        let kept = history.len().min(4) + gap;
        let rows = self.preview_rows(width, usize::from(area.height).saturating_sub(kept));
        let rest = row::put(area, buf, &rows);
        row::list(self.scene.look, row::below(rest, gap), buf, &history);
    }

    /// Circle, strip and owners, one below the other.
    fn draw_tall(&self, area: Rect, buf: &mut Buffer) {
        let mut rest = area;
        let owners = self.ring.members().len().min(10) + 1;
        let key: Vec<Row<'_>> = self.key_rows().into_iter().take(1).collect();
        let spare = usize::from(area.height).saturating_sub(owners + 1 + key.len());
        match self.marker() {
            Some(marker) if spare >= CIRCLE.into() && !self.scene.zoomed => {
                let height = spare.min(usize::from(area.width / 2)).min(24);
                self.circle(take(&mut rest, height), marker, buf);
            }
            _ => self.strip(take(&mut rest, if area.height > 8 { 2 } else { 1 }), buf),
        }
        rest = row::put(rest, buf, &key);
        put(buf, self.scene.look, take(&mut rest, 1), self.epoch_line());
        self.draw_text(rest, buf);
    }

    /// Whether a node is a member.
    fn has(&self, node: NodeId) -> bool {
        self.ring.members().iter().any(|member| member.node == node)
    }

    /// What to draw curves with; none in ASCII.
    fn marker(&self) -> Option<Marker> {
        let circle = self.scene.mode.view(Circle.views()) == "circle";
        self.scene.look.glyphs.canvas.filter(|_| circle)
    }

    fn keeper(&self, node: NodeId) -> Option<&'a Keeper> {
        self.scene.board.ring.keeper(node)
    }

    /// Whether nobody answers for what a member owns, and somebody should.
    fn is_silent(&self, node: NodeId) -> bool {
        let serves = self.keeper(node).and_then(|keeper| keeper.serves);
        let owns = self.scene.board.ring.has_owners() && self.ring.share(node) > Share::NONE;
        owns && serves != Some(self.epoch.epoch)
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
                let moved = thousands(self.epoch.moved_keys);
                let pace = self.epoch.rate.map_or(String::new(), |rate| {
                    format!(" {moved} keys at {}/s,", thousands(rate.into()))
                });
                let text = format!("e{}{pace} not held by {}", self.epoch.epoch, late.join(" "));
                marked(look, Mark::Doubt, Span::styled(text, style))
            }
        }
    }
}

/// The heaviest load over what is promised: `1.02`.
fn load(balance: &Balance) -> String {
    hundredths(balance.heaviest_per_mille)
}

/// Thousandths as a number with two decimals: `1.02`.
fn hundredths(per_mille: u64) -> String {
    let hundredths = (per_mille + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// How far a share is from what is promised, relative to that: `+2.0%`, and `+120%`.
fn deviation(share: Share, ideal: Share) -> String {
    let (share, ideal) = (share.ppm(), ideal.ppm());
    let Some(per_mille) = (share.abs_diff(ideal) * 1_000 + ideal / 2).checked_div(ideal) else {
        return "-".to_owned();
    };
    let sign = if share < ideal { '-' } else { '+' };
    match per_mille {
        0..1_000 => format!("{sign}{}.{}%", per_mille / 10, per_mille % 10),
        _ => format!("{sign}{}%", (per_mille + 5) / 10),
    }
}
