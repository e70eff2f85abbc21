//! Keys that are kept by quorums: who has which version, what waits for whom, and where trees
//! differ.

mod trees;

use super::row::{self, Row};
use super::table::{self, Mark};
use super::{Item, Pane, Scene};
use crate::base::{Name, NodeId, Version, Versions};
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::quorum::{Key, Quorums, Round};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;

/// The widest box of a replica.
const WIDEST: usize = 20;
/// The width of the counters behind the boxes.
const COUNTERS: usize = 17;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replicas;

impl Pane for Replicas {
    fn about(&self) -> &'static str {
        "Keys that are kept by quorums. One row per key, one box per replica with its version, which \
         is named by the call that wrote it: c1/7. Several are siblings, one in parentheses is a \
         tombstone, and a box that is not what the newest one is stands out. W 2 says how many \
         replicas had acknowledged the last write when its client was told, +1 how many hints \
         counted; R 2 how many answered the last read. Below: what stand-ins keep for whom and how \
         old it is, and the Merkle trees that replicas compared last, level by level, where they \
         differ. Stale reads and lost writes are counted in the title: they are what a setting \
         costs, and not always a mistake."
    }

    fn views(&self) -> &'static [&'static str] {
        &["boxes"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let picked = picked(scene).map(|(name, _)| name);
        let quorums = &scene.board.quorums;
        let item = |(name, key): (&Name, &Key)| {
            let replicas = replicas(scene, name, key);
            let boxes =
                replicas.iter().map(|node| format!("{node} {}", chip(key.copies.get(node))));
            let boxes = boxes.collect::<Vec<_>>().join(", ");
            let text = format!("{name}: {boxes}; {}", counters(key));
            Item::new(mark(key, &replicas), text)
                .selected(Some(name) == picked)
                .picks(Pick::Key(name.clone()))
        };
        quorums.keys().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let quorums = &scene.board.quorums;
        let counts = quorums.counts;
        let mut summary = Line::default();
        let costs = [("stale", counts.stale), ("lost", counts.lost)];
        for (what, count) in costs.into_iter().filter(|(_, count)| *count > 0) {
            let style = scene.look.style(Role::Warn);
            summary.push_span(Span::styled(format!("{what} {count}"), style));
            summary.push_span("  ");
        }
        let hints = quorums.hints().len();
        if hints > 0 {
            summary.push_span(format!("hints {hints}  "));
        }
        if !quorums.is_empty() {
            summary.push_span(format!("W {}  R {}", counts.writes, counts.reads));
        }
        Title { name: None, summary, trouble: false }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let Some((name, key)) = picked(scene) else {
            let text = "no key is kept by a quorum yet";
            row::put(area, buf, &[Row::muted(scene.look, text)]);
            return;
        };
        let after = below(scene, name, key);
        let keys = scene.board.quorums.keys().count();
        let height = usize::from(area.height);
        let least = height.div_ceil(2).min(keys);
        let room = height.saturating_sub(after.len()).clamp(least.max(1), keys.max(1));
        let (place, rest) = row::split(area, room);
        let rows: Vec<Row<'_>> = rows(scene, name, area.width.into());
        row::choices(scene, place, buf, &rows);
        row::put(rest, buf, &after);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let names: Vec<Name> = scene.board.quorums.keys().map(|(name, _)| name.clone()).collect();
        let at = picked(scene).map(|(name, _)| name.clone());
        select.key = to.along(at.as_ref(), &names);
        select
    }
}

/// The selected key; the first if none is, or if it is forgotten.
fn picked<'a>(scene: &Scene<'a>) -> Option<(&'a Name, &'a Key)> {
    let quorums = &scene.board.quorums;
    let selected = scene.select.key.as_ref();
    let is = |(name, _): &(&Name, &Key)| Some(*name) == selected;
    quorums.keys().find(is).or_else(|| quorums.keys().next())
}

/// Who is to keep a key, and then who keeps it besides.
fn replicas(scene: &Scene<'_>, name: &Name, key: &Key) -> Vec<NodeId> {
    let ring = scene.board.ring.latest();
    let mut all = ring.map_or_else(Vec::new, |epoch| Quorums::replicas(&epoch.ring, name));
    let others = key.copies.keys().filter(|node| !all.contains(node));
    let others: Vec<NodeId> = others.copied().collect();
    all.extend(others);
    all
}

fn mark(key: &Key, replicas: &[NodeId]) -> Mark {
    if key.differs(replicas) { Mark::Doubt } else { Mark::None }
}

/// Versions by the calls that wrote them.
fn chip(versions: Option<&Versions>) -> String {
    let one = |version: &Version| match version.value {
        Some(_) => version.dot.to_string(),
        None => format!("({})", version.dot),
    };
    match versions {
        None => "-".to_owned(),
        Some(versions) => versions.iter().map(one).collect::<Vec<_>>().join("|"),
    }
}

/// How many took part in the last write and read.
fn counters(key: &Key) -> String {
    let write = key.write.as_ref().map_or_else(String::new, |round| {
        let hinted = round.hinted.len();
        let more = if hinted > 0 { format!("+{hinted}") } else { String::new() };
        format!("W {}{more}  ", round.from.len())
    });
    let read =
        key.read.as_ref().map_or_else(String::new, |round| format!("R {}", round.from.len()));
    let lost = if key.lost > 0 { format!("  lost {}", key.lost) } else { String::new() };
    format!("{write}{read}{lost}")
}

/// A row for each key.
fn rows<'a>(scene: &Scene<'a>, picked: &Name, width: usize) -> Vec<Row<'a>> {
    let quorums = &scene.board.quorums;
    let all: Vec<(&Name, &Key, Vec<NodeId>)> =
        quorums.keys().map(|(name, key)| (name, key, replicas(scene, name, key))).collect();
    let most = all.iter().map(|(.., nodes)| nodes.len()).max().unwrap_or(1).max(1);
    let longest = all.iter().map(|(name, ..)| name.as_str().len()).max().unwrap_or(4).clamp(4, 16);
    let counters_from = longest + 2 + COUNTERS + most * 12;
    let behind = if width >= counters_from { COUNTERS } else { 0 };
    let room = width.saturating_sub(longest + 2 + behind) / most;
    let cell = room.saturating_sub(1).clamp(4, WIDEST);
    let row = |(name, key, nodes): &(&Name, &Key, Vec<NodeId>)| {
        let mut row =
            Row::new(scene.look, mark(key, nodes)).left(longest, Role::Text, name.as_str());
        for node in nodes {
            let (role, text) = cell_of(scene, name, key, *node);
            row = row.left(cell, role, text);
        }
        for _ in nodes.len()..most {
            row = row.left(cell, Role::Text, "");
        }
        if behind > 0 {
            row = row.text(Role::Muted, counters(key));
        }
        row.selected(*name == picked).picks(Pick::Key((*name).clone()))
    };
    all.iter().map(row).collect()
}

/// What a replica has, and how that compares with the newest.
fn cell_of(scene: &Scene<'_>, name: &Name, key: &Key, node: NodeId) -> (Role, String) {
    let versions = key.copies.get(&node);
    let waiting = scene.board.quorums.hints();
    let waiting = waiting.filter(|(hint, _)| hint.target == node && hint.key == *name).count();
    let up = scene.board.node(node).is_some_and(|node| node.life.is_up());
    let role = match (up, versions == key.newest()) {
        (false, _) => Role::Down,
        (_, true) => Role::Ok,
        (_, false) => Role::Warn,
    };
    let hints = if waiting > 0 { format!(" +{waiting}") } else { String::new() };
    (role, format!("{node} {}{hints}", chip(versions)))
}

/// What stands below the keys: hints, the selected key's last rounds, and trees.
fn below<'a>(scene: &Scene<'a>, name: &Name, key: &Key) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let rounds = [("write", &key.write), ("read", &key.read)];
    for (what, round) in
        rounds.into_iter().filter_map(|(what, round)| Some((what, round.as_ref()?)))
    {
        rows.push(Row::muted(scene.look, told(scene, name, what, round)));
    }
    if scene.zoomed {
        for (node, versions) in &key.copies {
            let seen = versions.seen();
            rows.push(Row::muted(scene.look, format!("{node} keeps {versions}, seen {seen}")));
        }
    }
    rows.extend(mailboxes(scene));
    rows.extend(trees::rows(scene));
    rows
}

/// Who took part in a read or write.
fn told(scene: &Scene<'_>, name: &Name, what: &str, round: &Round) -> String {
    let Round { call, by, from, hinted, at } = round;
    let age = table::brief(scene.board.now.since(*at));
    let verb = if what == "write" { "had it" } else { "answered" };
    let hints = match hinted.is_empty() {
        true => String::new(),
        false => format!(", hints for {}", row::names(hinted.iter().copied())),
    };
    let from = row::names(from.iter().copied());
    format!("{name}: {what} {call} at {by} {age} ago: {from} {verb}{hints}")
}

/// What stand-ins keep, by whom it is for.
fn mailboxes<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let quorums = &scene.board.quorums;
    let mut holders: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (hint, _) in quorums.hints() {
        let of = holders.entry(hint.target).or_default();
        if !of.contains(&hint.holder) {
            of.push(hint.holder);
        }
    }
    let row = |(target, holders): (NodeId, Vec<NodeId>)| {
        let (count, age) = quorums.waiting(target, scene.board.now);
        let (age, at) = (table::brief(age), row::names(holders));
        let text = format!("hints for {target}: {count}, the oldest {age} old, at {at}");
        Row::new(scene.look, Mark::Doubt).text(Role::Warn, text)
    };
    holders.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, c, call, n, name, op};
    use super::*;
    use crate::base::{Member, Shape};
    use crate::event::Fact;

    fn version(dot: crate::base::CallId, seen: &Versions, value: Option<i64>) -> Versions {
        Version { dot, seen: seen.seen(), stamp: dot.seq, value }.into()
    }

    fn story() -> Story {
        let mut story = Story::of(5, 2);
        let members = (1..=5).map(|i| Member { node: n(i), weight: 1 }).collect();
        let shape = Shape { vnodes: 4, replicas: 3, seed: 7 };
        story.says(n(1), Fact::View { epoch: 1, members, shape });
        let x = name("x");
        let old = version(call(1, 1), &Versions::default(), Some(5));
        let new = version(call(2, 4), &old, Some(6));
        for node in 1..=5 {
            let versions = if node == 2 { old.clone() } else { new.clone() };
            let keeps = Fact::Keeps { key: x.clone(), versions };
            if Quorums::replicas(&story_ring(), &x).contains(&n(node)) {
                story.says(n(node), keeps);
            }
        }
        let (acks, hinted) = ([n(1), n(4)].into(), [n(2)].into());
        story.says(
            n(3),
            Fact::Acknowledges { key: x.clone(), dot: call(2, 4), epoch: 1, acks, hinted },
        );
        story.says(n(5), Fact::Hints { target: n(2), key: x.clone(), dot: call(2, 4) });
        let differ = |level, nodes, differ: &[u16]| Fact::Compares {
            with: n(2),
            level,
            nodes,
            differ: differ.into(),
        };
        story.says(n(1), differ(0, 1, &[0]));
        story.says(n(1), differ(1, 4, &[2]));
        story.says(n(1), differ(2, 4, &[9]));
        story.says(n(4), Fact::Compares { with: n(3), level: 0, nodes: 1, differ: [].into() });
        story.says(c(1), Fact::Invokes { call: call(1, 9), op: op("get x"), at: n(1), retry: 0 });
        let outcome = Box::new(crate::base::Outcome::Found { versions: old });
        story.says(c(1), Fact::Returns { call: call(1, 9), outcome });
        story.at(1_200);
        story
    }

    fn story_ring() -> crate::base::Ring {
        let members: Vec<Member> = (1..=5).map(|i| Member { node: n(i), weight: 1 }).collect();
        crate::base::Ring::new(&members, Shape { vnodes: 4, replicas: 3, seed: 7 })
    }

    #[test]
    fn boxes_hints_and_trees_are_drawn() {
        let story = story();
        insta::assert_snapshot!(story.screen(&Replicas, 78, 12));
    }

    #[test]
    fn it_fits_everywhere() {
        story().fits_everywhere(&Replicas);
    }
}
