//! Files: which block is on whose disk, and how its copies are.

use super::row::{self, Row};
use super::table::{self, Mark};
use super::{Item, Pane, Scene};
use crate::base::placement::Ring;
use crate::base::{BlockId, Manifest, Name, NodeId, Piece};
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::files::{Copy, Files as Shelves};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The widest cell of a copy.
const CELL: usize = 8;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files;

impl Pane for Files {
    fn about(&self) -> &'static str {
        "Files that are cut into blocks. One row per file: its version, its size, and how many of its \
         blocks are on as many disks as they should be. Below, the selected file: one row per block, \
         one column per node. A copy is ok, or spare where the ring has another place for it; rot has \
         a turned bit that nobody has noticed, spoilt one that its node knows of; <n2 is on its way \
         from n2, and a dot stands where a copy should be and is not. Last, when each node has read \
         all of its blocks, and how many bytes were copied to mend what was lost. The line c1 upload \
         plans @notes.txt puts a file of yours; c1 download plans, then fetch plans @back.txt, gets it \
         back."
    }

    fn views(&self) -> &'static [&'static str] {
        &["blocks"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let picked = picked(scene).map(|(name, ..)| name);
        let item = |(name, version, manifest): (&Name, u64, &Manifest)| {
            let text = format!("{name} @{version}: {}", summary(scene, name, manifest));
            Item::new(mark(scene, name), text)
                .selected(Some(name) == picked)
                .picks(Pick::Key(name.clone()))
        };
        scene.board.files.files().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let files = &scene.board.files;
        let mut summary = Line::default();
        let thin: usize = files.files().map(|(name, ..)| files.thin(name, ring(scene))).sum();
        let costs = [("thin", thin), ("spoilt", files.spoilt())];
        for (what, count) in costs.into_iter().filter(|(_, count)| *count > 0) {
            let style = scene.look.style(Role::Warn);
            summary.push_span(Span::styled(format!("{what} {count}"), style));
            summary.push_span("  ");
        }
        let count = files.files().count();
        if count > 0 {
            summary.push_span(format!("files {count}"));
        }
        Title { name: None, summary, trouble: false }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let Some((name, _, manifest)) = picked(scene) else {
            row::put(area, buf, &[Row::muted(scene.look, "there is no file yet")]);
            return;
        };
        let after = blocks(scene, name, manifest, area.width.into());
        let files = scene.board.files.files().count();
        let height = usize::from(area.height);
        let least = (height / 3).clamp(1, files.max(1));
        let room = height.saturating_sub(after.len()).clamp(least, files.max(1));
        let (place, rest) = row::split(area, room);
        let row = |(file, version, manifest): (&Name, u64, &Manifest)| {
            Row::new(scene.look, mark(scene, file))
                .left(14, Role::Text, file.as_str())
                .left(6, Role::Muted, format!("@{version}"))
                .text(Role::Text, summary(scene, file, manifest))
                .selected(file == name)
                .picks(Pick::Key(file.clone()))
        };
        let rows: Vec<Row<'_>> = scene.board.files.files().map(row).collect();
        row::choices(scene, place, buf, &rows);
        row::put(rest, buf, &after);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let names: Vec<Name> = scene.board.files.files().map(|(name, ..)| name.clone()).collect();
        let at = picked(scene).map(|(name, ..)| name.clone());
        select.key = to.along(at.as_ref(), &names);
        select
    }
}

fn ring<'a>(scene: &Scene<'a>) -> Option<&'a Ring> {
    scene.board.ring.latest().map(|epoch| &epoch.ring)
}

/// The selected file; the first if none is, or if it is gone.
fn picked<'a>(scene: &Scene<'a>) -> Option<(&'a Name, u64, &'a Manifest)> {
    let files = &scene.board.files;
    let selected = scene.select.key.as_ref();
    let is = |(name, ..): &(&Name, u64, &Manifest)| Some(*name) == selected;
    files.files().find(is).or_else(|| files.files().next())
}

fn mark(scene: &Scene<'_>, name: &Name) -> Mark {
    match scene.board.files.thin(name, ring(scene)) {
        0 => Mark::None,
        _ => Mark::Doubt,
    }
}

/// Size, and how many blocks are on enough disks.
fn summary(scene: &Scene<'_>, name: &Name, manifest: &Manifest) -> String {
    let (blocks, size) = (manifest.pieces.len(), manifest.size());
    let whole = blocks - scene.board.files.thin(name, ring(scene)).min(blocks);
    let enough = scene.board.files.enough(ring(scene));
    format!("{size} bytes, {whole} of {blocks} blocks on {enough} disks")
}

/// A row for each block of a file, with a cell for each node, and what was done about disks.
fn blocks<'a>(scene: &Scene<'a>, name: &Name, manifest: &Manifest, width: usize) -> Vec<Row<'a>> {
    let nodes: Vec<NodeId> =
        scene.board.nodes.ids().iter().copied().filter(|id| !id.is_client()).collect();
    let cell = (width.saturating_sub(14) / nodes.len().max(1)).clamp(3, CELL);
    let mut head = Row::plain(scene.look).left(12, Role::Muted, "block");
    for node in &nodes {
        head = head.left(cell, Role::Muted, node.to_string());
    }
    let mut rows = vec![head];
    rows.extend(manifest.blocks(name).map(|(block, piece)| {
        let holders =
            ring(scene).map_or_else(Vec::new, |ring| scene.board.files.holders(ring, &block));
        line(scene, &block, piece, &nodes, &holders, cell)
    }));
    rows.extend(upkeep(scene));
    rows
}

fn line<'a>(
    scene: &Scene<'a>,
    block: &BlockId,
    piece: Piece,
    nodes: &[NodeId],
    holders: &[NodeId],
    cell: usize,
) -> Row<'a> {
    let label = format!("#{} {}", block.index, piece.len);
    let mut row = Row::plain(scene.look).left(12, Role::Text, label);
    for node in nodes {
        let (role, text) = chip(&scene.board.files, block, *node, holders.contains(node));
        let up = scene.board.node(*node).is_some_and(|node| node.life.is_up());
        row = row.left(cell, if up { role } else { Role::Down }, text);
    }
    row
}

/// How a copy is, in a word.
fn chip(files: &Shelves, block: &BlockId, node: NodeId, holds: bool) -> (Role, String) {
    match files.copy(block, node) {
        Some(Copy::Sound) if holds => (Role::Ok, "ok".to_owned()),
        Some(Copy::Sound) => (Role::Muted, "spare".to_owned()),
        Some(Copy::Rotten) => (Role::Warn, "rot".to_owned()),
        Some(Copy::Spoilt) => (Role::Warn, "spoilt".to_owned()),
        Some(Copy::Asked(from)) => (Role::Warn, format!("<{from}")),
        None if holds => (Role::Warn, ".".to_owned()),
        None => (Role::Muted, String::new()),
    }
}

/// When nodes have scrubbed, and what was copied.
fn upkeep<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let files = &scene.board.files;
    let round = |(node, round): (NodeId, crate::view::files::Round)| {
        let age = table::brief(scene.board.now.since(round.at));
        let spoilt =
            if round.spoilt > 0 { format!(" {} spoilt", round.spoilt) } else { String::new() };
        format!("{node} {age}{spoilt}")
    };
    let rounds: Vec<String> = files.rounds().map(round).collect();
    let mut rows = Vec::new();
    if !rounds.is_empty() {
        rows.push(Row::muted(scene.look, format!("scrubbed: {}", rounds.join("  "))));
    }
    if files.mended > 0 {
        rows.push(Row::muted(scene.look, format!("copied to mend: {} bytes", files.mended)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, call, n, name};
    use super::*;
    use crate::base::{Content, Member, PutId, Shape, Time};
    use crate::event::{Fact, FileFact};

    fn story() -> Story {
        let mut story = Story::of(5, 1);
        let members = (1..=5).map(|i| Member { node: n(i), weight: 1 }).collect();
        let shape = Shape { vnodes: 4, replicas: 3, seed: 7 };
        story.says(n(1), Fact::View { epoch: 1, members, shape });
        story.says(n(1), Fact::File(FileFact::Opens { replicas: 3 }));
        let cut = Content::Made { size: 10_000, seed: 7 }.bytes().cut(4_096);
        let pieces = cut.iter().map(Piece::of).collect();
        let manifest = Manifest { put: PutId { base: 0, call: call(1, 1) }, pieces };
        let file = name("plans");
        let blocks: Vec<BlockId> = manifest.blocks(&file).map(|(block, _)| block).collect();
        let (version, manifest) = (1, Some(manifest));
        story.says(n(1), Fact::File(FileFact::Links { file, version, manifest }));
        let all = blocks.iter().zip(&cut).zip([[1, 2, 3], [2, 3, 4], [1, 4, 5]]);
        for ((block, bytes), nodes) in all {
            for node in nodes {
                let keeps = FileFact::Keeps { block: block.clone(), sum: bytes.sum() };
                story.says(n(node), Fact::File(keeps));
            }
        }
        let file = |fact| Fact::File(fact);
        story.says(n(1), file(FileFact::Rots { block: blocks[0].clone() }));
        story.says(n(4), file(FileFact::Spoilt { block: blocks[1].clone() }));
        story.says(n(4), file(FileFact::Scrubs { blocks: 2, spoilt: 1 }));
        let pulls =
            FileFact::Pulls { block: blocks[0].clone(), from: n(2), len: 4_096, at: Time::ZERO };
        story.says(n(5), file(pulls));
        story.at(1_200);
        story
    }

    #[test]
    fn blocks_are_drawn_by_node() {
        insta::assert_snapshot!(story().screen(&Files, 78, 9));
    }

    #[test]
    fn it_fits_everywhere() {
        story().fits_everywhere(&Files);
    }
}
