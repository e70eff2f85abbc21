//! The Merkle trees that replicas compared last: equal ones in a word, others level by level.

use super::super::row::Row;
use super::super::table::{self, Mark};
use super::Scene;
use crate::base::NodeId;
use crate::tui::theme::Role;
use crate::view::quorum::{Comparison, Level};

/// Levels up to this one have a cell for each of their nodes; of those below, the differing ones
/// are named.
const DRAWN: u8 = 2;

/// A row for each pair that differed, its levels below, and one for all that were equal.
pub(super) fn rows<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let all = || scene.board.quorums.comparisons();
    let mut rows = Vec::new();
    for (pair, comparison) in all().filter(|(_, comparison)| comparison.differs()) {
        rows.push(head(scene, pair, comparison));
        rows.extend(comparison.levels.iter().map(|one| level(scene, one)));
    }
    let equal = all().filter(|(_, comparison)| !comparison.differs());
    let equal: Vec<String> = equal.map(|((a, b), _)| format!("{a}={b}")).collect();
    if !equal.is_empty() {
        rows.push(Row::muted(scene.look, format!("equal trees: {}", equal.join(" "))));
    }
    rows
}

fn head<'a>(scene: &Scene<'a>, (one, other): (NodeId, NodeId), comparison: &Comparison) -> Row<'a> {
    let age = table::brief(scene.board.now.since(comparison.at));
    let keys = match comparison.streamed {
        Some((keys, news)) => format!(", {keys} keys exchanged, {news} news"),
        None => String::new(),
    };
    let text = format!("trees of {one} and {other} differed {age} ago{keys}");
    Row::new(scene.look, Mark::None).text(Role::Warn, text)
}

/// A level, indented: its nodes, those that differ bright.
fn level<'a>(scene: &Scene<'a>, level: &Level) -> Row<'a> {
    let glyphs = scene.look.glyphs;
    let full = glyphs.fills.last().copied().unwrap_or(glyphs.unfilled);
    let indent = "  ".repeat(usize::from(level.level) + 1);
    let mut row = Row::plain(scene.look).text(Role::Text, indent);
    if level.level <= DRAWN {
        for node in 0..4_u16.pow(level.level.into()) {
            let (role, cell) = match level.differ.contains(&node) {
                true => (Role::Warn, full),
                false => (Role::Muted, glyphs.unfilled),
            };
            row = row.text(role, cell);
        }
    }
    let count = format!(" {} of {} differ", level.differ.len(), level.nodes);
    let row = row.text(Role::Muted, count);
    if level.level <= DRAWN {
        return row;
    }
    let named: Vec<String> = level.differ.iter().take(8).map(u16::to_string).collect();
    row.text(Role::Warn, format!(": {}", named.join(" ")))
}
