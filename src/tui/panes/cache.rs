//! Caches: how often they know, what that saves the store, and how each key stands.

use super::row::{self, Row};
use super::table::{Mark, brief, thousands};
use super::{Item, Pane, Scene};
use crate::base::{Name, NodeId};
use crate::tui::frame::Title;
use crate::tui::select::{Pick, Select};
use crate::tui::theme::Role;
use crate::view::cache::{Key, Node, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Run};

/// From this width on, hits, misses and what was turned down have columns.
const COUNTS_FROM: usize = 66;
/// How wide the bar of a node is.
const BAR: u16 = 12;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caches;

impl Pane for Caches {
    fn about(&self) -> &'static str {
        "Above a row per cache node: how many keys it has of those that it has room for, how often \
         it knew the answer, and how many keys it owes the store if it writes behind. Then how many \
         answers were older than what had been written, how old the oldest was, and how many keys \
         crashes took that were owed. Below the keys that were asked for last: whether the key is \
         cached and for how long, or somebody fetches it under a lease; how old it was when it was \
         last answered with; and how often something old was turned down because its lease was \
         void. A key is stale if a newer version was written: that is legal for a while, never \
         after the cache was told. The title says how many of the last questions were hits, and how \
         many reads the store had in the last second; and, where reads take the owners of keys \
         time, how many wait there."
    }

    fn views(&self) -> &'static [&'static str] {
        &["keys"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let node = |(id, node): (NodeId, &Node)| {
            let Node { keys, capacity, hits, misses, owed } = node;
            let text = format!(
                "{id} has {keys} of {capacity} keys, {hits} hits, {misses} misses, owes {}",
                owed.len()
            );
            let picked = id == scene.select.node;
            Item::new(Mark::None, text).selected(picked).picks(Pick::Node(id))
        };
        let key = |(name, key): (&Name, &Key)| {
            let Key { hits, misses, rejected, .. } = key;
            let counts = format!("{hits} hits, {misses} misses, {rejected} turned down");
            Item::new(
                mark(key),
                format!("{name} at {}: {}, {counts}", key.node, state(scene, key).0),
            )
        };
        let caches = &scene.board.caches;
        let measured = measures(scene).into_iter().map(|(text, _)| Item::new(Mark::None, text));
        caches.nodes().map(node).chain(measured).chain(caches.keys().map(key)).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let caches = &scene.board.caches;
        let mut summary = Line::default();
        let stale = caches.keys().filter(|(_, key)| key.is_stale()).count();
        if stale > 0 {
            summary.push_span(Run::styled(format!("{stale} stale"), scene.look.style(Role::Warn)));
            summary.push_span("  ");
        }
        if let Some(mode) = caches.mode {
            let (hits, all) = caches.rate();
            let rate = (hits * 100 + all / 2) / all.max(1);
            let load = caches.load(scene.board.now);
            summary.push_span(format!("{mode}  hits {rate}%  store {load}/s"));
        }
        if let backlog @ 1.. = scene.board.ring.backlog() {
            let waiting = format!("  {} wait", thousands(backlog));
            summary.push_span(Run::styled(waiting, scene.look.style(Role::Warn)));
        }
        Title { name: None, summary, trouble: false }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let caches = &scene.board.caches;
        if caches.mode.is_none() {
            row::put(area, buf, &[Row::muted(scene.look, "nobody caches")]);
            return;
        }
        let counts = usize::from(area.width) >= COUNTS_FROM;
        let nodes: Vec<Row<'_>> =
            caches.nodes().map(|(id, node)| node_row(scene, id, node)).collect();
        let most = usize::from(area.height) / 3;
        let (place, rest) = row::split(area, nodes.len().min(most.max(1)));
        row::choices(scene, place, buf, &nodes);
        let rest = row::put(rest, buf, &[measured_row(scene), head(scene, counts)]);
        let keys: Vec<Row<'_>> =
            caches.keys().map(|(name, key)| key_row(scene, name, key, counts)).collect();
        row::list(scene.look, rest, buf, &keys);
    }

    fn select(&self, scene: &Scene<'_>, to: super::Move) -> Select {
        let all: Vec<NodeId> = scene.board.caches.nodes().map(|(id, _)| id).collect();
        let node = to.along(Some(&scene.select.node), &all);
        Select { node: node.unwrap_or(scene.select.node), ..scene.select.clone() }
    }
}

fn node_row<'a>(scene: &Scene<'a>, id: NodeId, node: &Node) -> Row<'a> {
    let Node { keys, capacity, hits, misses, ref owed } = *node;
    let all = (hits + misses).max(1);
    let owes = match owed.len() {
        0 => String::new(),
        owed => format!("  owes {owed}"),
    };
    Row::plain(scene.look)
        .left(5, Role::Text, id.to_string())
        .left(BAR.into(), Role::Text, scene.look.glyphs.bar(BAR, keys, capacity.into()))
        .right(9, Role::Text, format!("{keys}/{capacity}"))
        .text(Role::Muted, format!("hits {}% of {}", hits * 100 / all, thousands(hits + misses)))
        .text(Role::Warn, owes)
        .selected(id == scene.select.node)
        .picks(Pick::Node(id))
}

/// What was measured, in words: old answers, and what crashes took.
fn measures(scene: &Scene<'_>) -> Vec<(String, Role)> {
    let caches = &scene.board.caches;
    let old = match caches.stale {
        0 => "no old answers".to_owned(),
        many => format!("old answers {}, at most by {}", thousands(many), brief(caches.oldest)),
    };
    let bound = format!("ttl {}", brief(caches.ttl));
    let lost = (caches.lost > 0)
        .then(|| (format!("lost {} that were acknowledged", caches.lost), Role::Bad));
    [(old, Role::Text), (bound, Role::Muted)].into_iter().chain(lost).collect()
}

fn measured_row<'a>(scene: &Scene<'a>) -> Row<'a> {
    let row = Row::plain(scene.look);
    measures(scene).into_iter().fold(row, |row, (text, role)| row.text(role, format!("{text}  ")))
}

/// How a key stands, in words.
fn state(scene: &Scene<'_>, key: &Key) -> (String, Role) {
    let now = scene.board.now;
    match key.state {
        State::Cached(since) if key.is_stale() => {
            (format!("STALE {}", brief(now.since(since))), Role::Warn)
        }
        State::Cached(since) => (format!("cached {}", brief(now.since(since))), Role::Ok),
        State::Leased(since) => (format!("leased {}", brief(now.since(since))), Role::Candidate),
        State::Absent => ("absent".to_owned(), Role::Muted),
    }
}

fn mark(key: &Key) -> Mark {
    if key.is_stale() { Mark::Doubt } else { Mark::None }
}

fn head<'a>(scene: &Scene<'a>, counts: bool) -> Row<'a> {
    let muted = Role::Muted;
    let row = Row::plain(scene.look)
        .left(12, muted, "key")
        .left(5, muted, "at")
        .left(12, muted, "state")
        .right(6, muted, "age");
    match counts {
        true => row.right(7, muted, "hits").right(7, muted, "misses").right(7, muted, "refused"),
        false => row,
    }
}

fn key_row<'a>(scene: &Scene<'a>, name: &Name, key: &Key, counts: bool) -> Row<'a> {
    let (text, role) = state(scene, key);
    let age = key.age.map_or_else(|| "-".to_owned(), brief);
    let row = Row::new(scene.look, mark(key))
        .left(12, Role::Text, name.as_str())
        .left(5, Role::Muted, key.node.to_string())
        .left(12, role, text)
        .right(6, Role::Text, age);
    match counts {
        true => row
            .right(7, Role::Text, thousands(key.hits))
            .right(7, Role::Text, thousands(key.misses))
            .right(7, Role::Text, thousands(key.rejected)),
        false => row,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, n, name};
    use super::*;
    use crate::base::Span;
    use crate::base::cache::Mode;
    use crate::event::{Caching, Fact};

    fn says(story: &mut Story, node: u16, fact: Caching) {
        story.says(n(node), Fact::Cache(fact));
    }

    /// n1 caches `a`, which was written since, and owes `c`; `b` is fetched.
    fn stale() -> Story {
        let mut story = Story::of(3, 2);
        let (ttl, lease) = (Span::secs(5), Span::secs(1));
        let (mode, capacity, behind, credit) = (Mode::WriteBehind, 8, 4, Span::secs(2));
        let told = Caching::Caches { mode, capacity, ttl, lease, behind, credit };
        for node in [1, 2] {
            says(&mut story, node, told.clone());
        }
        story.at(500);
        let (a, b) = (name("key/a"), name("key/b"));
        says(&mut story, 1, Caching::Leases { key: a.clone(), token: 1, after: None });
        says(&mut story, 3, Caching::Fetches { key: a.clone() });
        says(&mut story, 1, Caching::Fills { key: a.clone(), version: 1 });
        story.at(1_700);
        for _ in 0..3 {
            let (key, age) = (a.clone(), Span::millis(1_200));
            says(&mut story, 1, Caching::Hits { key, version: 1, age });
        }
        says(&mut story, 3, Caching::Wrote { key: a.clone(), version: 2, told: false });
        story.at(1_900);
        says(&mut story, 1, Caching::Hits { key: a, version: 1, age: Span::millis(1_400) });
        says(&mut story, 1, Caching::Owes { key: name("key/c"), version: 3 });
        says(&mut story, 2, Caching::Leases { key: b.clone(), token: 1, after: None });
        says(&mut story, 2, Caching::Rejects { key: b, version: 1 });
        story.at(2_000);
        story
    }

    #[test]
    fn the_keys_wide_and_narrow() {
        let mut story = stale();
        insta::assert_snapshot!("cache_wide", story.screen(&Caches, 78, 8));
        insta::assert_snapshot!("cache_narrow", story.screen(&Caches, 44, 8));
        story.fits_everywhere(&Caches);
    }
}
