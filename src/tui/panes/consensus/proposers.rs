//! Proposers over time: a line for each, on which its ballots begin and end. A duel is seen as
//! lines that take turns.

use super::super::Scene;
use super::super::charts::short;
use super::super::row::Row;
use super::super::table::clock;
use crate::base::{NodeId, Time};
use crate::tui::theme::Role;
use crate::view::decree::Row as Round;
use ratatui::style::Modifier;

/// Cells that a ballot wants at the least.
const BALLOT: usize = 12;
/// The most lines.
const MOST: usize = 6;

/// The lines, with the times on top, for so many cells.
pub(super) fn rows<'a>(scene: &Scene<'a>, width: usize) -> Vec<Row<'a>> {
    let decree = &scene.board.decree;
    let name = 6;
    let room = width.saturating_sub(name + 2);
    let count = decree.rows().count();
    let shown: Vec<&Round> = decree.rows().skip(count.saturating_sub(room / BALLOT)).collect();
    let (Some(first), true) = (shown.first(), room >= 2 * BALLOT) else { return Vec::new() };
    let end = decree.chosen().map_or(scene.board.now, |(_, at)| at);
    let axis = Axis { from: first.since, until: end.max(first.since), width: room };
    let mut proposers: Vec<NodeId> = shown.iter().map(|round| round.ballot.node).collect();
    proposers.sort_unstable();
    proposers.dedup();
    proposers.truncate(MOST);
    let (from, lasted) = (axis.from, short(axis.until.since(axis.from)));
    let word = if decree.chosen().is_some() { "chosen" } else { "now" };
    let start = format!("{}s", clock(from));
    let gap = room.saturating_sub(start.len() + lasted.len() + word.len() + 8);
    let head = format!("{start}{}{lasted} later, {word}", " ".repeat(gap));
    let mut rows =
        vec![Row::plain(scene.look).left(name, Role::Muted, "time").text(Role::Muted, head)];
    rows.extend(proposers.into_iter().map(|node| line(scene, &axis, &shown, node).selected(false)));
    rows
}

/// A stretch of time on so many cells.
struct Axis {
    from: Time,
    until: Time,
    width: usize,
}

impl Axis {
    fn cell(&self, at: Time) -> usize {
        let whole = u128::from(self.until.since(self.from).0).max(1);
        let cell = u128::from(at.since(self.from).0) * self.width as u128 / whole;
        usize::try_from(cell).unwrap_or(self.width).min(self.width.saturating_sub(1))
    }
}

/// One proposer: each of its ballots from its prepare to the next ballot of anybody.
fn line<'a>(scene: &Scene<'a>, axis: &Axis, rounds: &[&Round], node: NodeId) -> Row<'a> {
    let look = scene.look;
    let here = node == scene.select.node;
    let role = if here { Role::Accent } else { Role::Text };
    let mut row = Row::plain(look).left(6, role, node.to_string());
    let mut used = 0;
    for (at, round) in rounds.iter().enumerate().filter(|(_, round)| round.ballot.node == node) {
        let from = axis.cell(round.since).max(used);
        let own = rounds[at + 1..].iter().find(|later| later.ballot.node == node);
        let until = own.map_or(axis.width, |own| axis.cell(own.since));
        let room = until.saturating_sub(from);
        let text: String = story(scene, round).chars().take(room).collect();
        row = row.text(Role::Text, " ".repeat(from - used));
        let style = look.style(colour(scene, round));
        let picked = scene.select.ballot == Some(round.ballot);
        let style = if picked { style.add_modifier(Modifier::UNDERLINED) } else { style };
        used = from + text.chars().count();
        row = row.styled(style, text);
    }
    row
}

/// `|7.1 P3 A1x`: the ballot, its promises, its votes, and what came of it.
fn story(scene: &Scene<'_>, round: &Round) -> String {
    let glyphs = scene.look.glyphs;
    let accepts = match round.accepts() {
        0 => String::new(),
        many => format!(" A{many}"),
    };
    let end = match () {
        () if round.accepts() >= scene.board.majority_of_all() => glyphs.holds,
        () if round.refusals() > 0 => glyphs.cut,
        () => glyphs.computing,
    };
    format!("{}{} P{}{accepts}{end}", glyphs.commit, round.ballot, round.promises())
}

fn colour(scene: &Scene<'_>, round: &Round) -> Role {
    match () {
        () if round.accepts() >= scene.board.majority_of_all() => Role::Ok,
        () if round.refusals() > 0 => Role::Bad,
        () => Role::Candidate,
    }
}
