//! Requests that are spread over backends: what each has to do, and how much it gets.
//!
//! What a backend really does stands beside what balancers make of it. Each balancer has an opinion
//! of its own, and where they differ the worst is shown, with how many hold it.

use super::row::{self, Row};
use super::table::{Mark, brief, thousands};
use super::{Item, Pane, Scene};
use crate::base::balance::Serving;
use crate::base::{NodeId, Span};
use crate::event::Standing;
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::balance::{Backend, Balancer};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Run};

/// From this width on, there are bars for work and share.
const BARS_FROM: usize = 62;
/// From this width on, what was served and what failed have columns.
const COUNTS_FROM: usize = 90;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backends;

impl Pane for Backends {
    fn about(&self) -> &'static str {
        "One row per backend: what balancers make of it, how many requests it works on and how many \
         wait, how long those took that were served lately, and which part of the last requests it \
         got. Health is a balancer's opinion: where balancers differ, the worst is shown and how \
         many hold it. Below is a row for each balancer: what it spread, how many retries that took, \
         and what it knows of the selected backend, by its own requests under way or by what the \
         backend told when it was probed. In a panic it goes by no health, since so few are healthy \
         that it may be wrong itself."
    }

    fn views(&self) -> &'static [&'static str] {
        &["backends"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let item = |(id, backend): (NodeId, &Backend)| {
            let Backend { active, waiting, served, failed, .. } = backend;
            let text = format!(
                "{id} {}: works on {active}, {waiting} wait, latency {}, {} % of requests, \
                 {served} served, {failed} not",
                state(scene, id, backend).0,
                latency(backend),
                share(scene, id)
            );
            Item::new(mark(scene, id, backend), text)
                .selected(Some(id) == picked(scene))
                .picks(Pick::Node(id))
        };
        let balancers = scene.board.balance.balancers();
        let balancers = balancers.map(|(id, balancer)| (id, sentence(scene, balancer)));
        let rows = balancers.map(|(id, text)| Item::new(Mark::None, format!("{id} {text}")));
        scene.board.balance.backends().map(item).chain(rows).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let balancers = || scene.board.balance.balancers().map(|(_, balancer)| balancer);
        let panics = balancers().any(|balancer| balancer.panics(scene.board.now));
        let mut summary = Line::default();
        if panics {
            summary.push_span(Run::styled("PANIC", scene.look.style(Role::Warn)));
            summary.push_span("  ");
        }
        if let Some(first) = balancers().next() {
            let oldest = balancers().filter_map(|balancer| balancer.age(scene.board.now)).max();
            let loads = match oldest {
                Some(age) => format!(", loads {} old", brief(age)),
                None => String::new(),
            };
            summary.push_span(format!("{}{loads}", first.policy));
        }
        Title { name: None, summary, trouble: panics }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        if scene.board.balance.is_empty() {
            row::put(area, buf, &[Row::muted(scene.look, "nobody spreads requests")]);
            return;
        }
        let columns = Columns::of(area.width.into());
        let rest = row::put(area, buf, &[columns.head(scene)]);
        let backends = scene.board.balance.backends();
        let rows: Vec<Row<'_>> =
            backends.map(|(id, backend)| columns.row(scene, id, backend)).collect();
        let knows = balancers(scene);
        let height = usize::from(rest.height);
        let most = height.saturating_sub(knows.len()).max(height / 2).max(3);
        let (place, rest) = row::split(rest, rows.len().min(most));
        row::choices(scene, place, buf, &rows);
        let gap = usize::from(usize::from(rest.height) > knows.len());
        row::put(row::below(rest, gap), buf, &knows);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let all: Vec<NodeId> = scene.board.balance.backends().map(|(id, _)| id).collect();
        let node = to.along(picked(scene).as_ref(), &all);
        Select { node: node.unwrap_or(scene.select.node), ..scene.select.clone() }
    }
}

/// The selected backend; none, if another node is selected.
fn picked(scene: &Scene<'_>) -> Option<NodeId> {
    let is = |(id, _): &(NodeId, &Backend)| *id == scene.select.node;
    scene.board.balance.backends().find(is).map(|(id, _)| id)
}

/// What balancers make of a backend, the worst of it, and how many make that of it.
fn opinion(scene: &Scene<'_>, id: NodeId) -> (Standing, usize, usize) {
    let all: Vec<Standing> =
        scene.board.balance.balancers().map(|(_, balancer)| balancer.standing(id)).collect();
    let worst = all.iter().copied().max().unwrap_or(Standing::Up);
    (worst, all.iter().filter(|standing| **standing == worst).count(), all.len())
}

/// What is to be said of a backend's health, in few words.
fn state(scene: &Scene<'_>, id: NodeId, backend: &Backend) -> (String, Role) {
    let (standing, count, all) = opinion(scene, id);
    let role = match standing {
        Standing::Up => Role::Ok,
        Standing::Warming | Standing::Draining => Role::Warn,
        Standing::Ejected | Standing::Down => Role::Bad,
    };
    let mut text = standing.to_string();
    if count < all {
        text.push_str(&format!(" {count}/{all}"));
    }
    match backend.how {
        Serving::Well | Serving::Draining => (text, role),
        how => (format!("{text}, {how}"), if role == Role::Ok { Role::Warn } else { role }),
    }
}

fn mark(scene: &Scene<'_>, id: NodeId, backend: &Backend) -> Mark {
    match opinion(scene, id).0 {
        Standing::Down | Standing::Ejected => Mark::Trouble,
        Standing::Up if !matches!(backend.how, Serving::Slowly(_) | Serving::Failing) => Mark::None,
        _ => Mark::Doubt,
    }
}

fn latency(backend: &Backend) -> String {
    match backend.latency {
        Some(Span(micros)) if micros < 1_000_000 => format!("{}ms", micros / 1_000),
        Some(long) => brief(long),
        None => "-".to_owned(),
    }
}

/// Which part of the last requests it got, in percent.
fn share(scene: &Scene<'_>, id: NodeId) -> usize {
    let (own, all) = scene.board.balance.share(id);
    (own * 100 + all / 2) / all.max(1)
}

/// Which columns there are.
struct Columns {
    state: usize,
    bar: u16,
    counts: bool,
}

impl Columns {
    fn of(width: usize) -> Columns {
        let counts = width >= COUNTS_FROM;
        let fixed = if counts { 70 } else { 54 };
        let bar = if width >= BARS_FROM { ((width - fixed) / 2).min(24) } else { 0 };
        let (bar, state) = (u16::try_from(bar).unwrap_or(0), if bar > 0 { 20 } else { 15 });
        Columns { state, bar, counts }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let muted = Role::Muted;
        let row = Row::plain(scene.look)
            .left(5, muted, "node")
            .left(self.state, muted, "health")
            .left(usize::from(self.bar), muted, "work")
            .right(if self.bar > 0 { 4 } else { 5 }, muted, if self.bar > 0 { "" } else { "work" })
            .right(5, muted, "wait")
            .right(6, muted, "takes")
            .right(5, muted, "share")
            .left(usize::from(self.bar), muted, "");
        match self.counts {
            true => row.right(7, muted, "served").right(7, muted, "not"),
            false => row,
        }
    }

    fn row<'a>(&self, scene: &Scene<'a>, id: NodeId, backend: &Backend) -> Row<'a> {
        let look = scene.look;
        let (text, role) = state(scene, id, backend);
        let bar = |part: u64, whole: u64| look.glyphs.bar(self.bar, part, whole);
        let Backend { active, waiting, slots, room, .. } = *backend;
        let (slots, room) = (u32::from(slots), u32::from(room));
        let full = if active >= slots { Role::Warn } else { Role::Text };
        let queue = match waiting {
            0 => Role::Muted,
            some if some >= room => Role::Bad,
            _ => Role::Warn,
        };
        let (own, all) = scene.board.balance.share(id);
        let (own, all) = (own as u64, all.max(1) as u64);
        // A share of its own part or less fills half of the bar.
        let fair = 2 * all / (scene.board.balance.backends().count().max(1) as u64);
        let work = if self.bar > 0 { 4 } else { 5 };
        let row = Row::new(look, mark(scene, id, backend))
            .left(5, Role::Text, id.to_string())
            .left(self.state, role, text)
            .left(usize::from(self.bar), full, bar(active.into(), slots.max(1).into()))
            .right(work, full, format!("{active}/{slots}"))
            .right(5, queue, waiting.to_string())
            .right(6, Role::Text, latency(backend))
            .right(5, Role::Text, format!("{}%", share(scene, id)))
            .left(usize::from(self.bar), Role::Muted, bar(own.min(fair), fair.max(1)));
        let row = match self.counts {
            true => row.right(7, Role::Text, thousands(backend.served)).right(
                7,
                Role::Text,
                thousands(backend.failed),
            ),
            false => row,
        };
        row.selected(Some(id) == picked(scene)).picks(Pick::Node(id))
    }
}

/// What a balancer has done, and knows of the selected backend.
fn sentence(scene: &Scene<'_>, balancer: &Balancer) -> String {
    let now = scene.board.now;
    let requests = thousands(balancer.requests);
    let mut text = format!("spread {requests}, {} retries", thousands(balancer.retries));
    if let Some(id) = picked(scene) {
        let own = balancer.active.get(&id).copied().unwrap_or_default();
        text.push_str(&format!("; {id} {}, has {own} of its", balancer.standing(id)));
        if let Some((at, load)) = balancer.told.get(&id) {
            text.push_str(&format!(", told {load} {} ago", brief(now.since(*at))));
        }
    }
    if balancer.panics(now) {
        text.push_str("; PANIC, goes by no health");
    }
    text
}

fn balancers<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let row = |(id, balancer): (NodeId, &Balancer)| {
        let panics = balancer.panics(scene.board.now);
        let (mark, role) =
            if panics { (Mark::Doubt, Role::Warn) } else { (Mark::None, Role::Text) };
        Row::new(scene.look, mark)
            .left(5, Role::Text, id.to_string())
            .text(role, sentence(scene, balancer))
            .picks(Pick::Node(id))
    };
    scene.board.balance.balancers().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, call, n};
    use super::*;
    use crate::base::balance::{Limits, Policy};
    use crate::base::placement::Member;
    use crate::event::{Balancing, Ended, Fact};

    fn says(story: &mut Story, node: u16, fact: Balancing) {
        story.says(n(node), Fact::Balance(fact));
    }

    /// n1 and n2 spread over n3 to n5; n4 is slow and full, n5 fails.
    fn trouble() -> Story {
        let mut story = Story::of(5, 2);
        let member = |node| Member { node: n(node), weight: 1 };
        let backends: std::sync::Arc<[Member]> = (3..=5).map(member).collect();
        let limits = Limits { reports: true, ..Limits::default() };
        let policy = Policy::LeastConnections;
        for node in [1, 2] {
            let backends = backends.clone();
            says(&mut story, node, Balancing::Spreads { policy, limits, backends });
        }
        for (node, how) in [(3, Serving::Well), (4, Serving::Slowly(10)), (5, Serving::Failing)] {
            let slowest = Span::millis(60);
            says(&mut story, node, Balancing::Serves { how, slots: 4, room: 8, slowest });
        }
        story.at(600);
        for (backend, load) in [(3, 1), (4, 9), (5, 0)] {
            says(&mut story, 1, Balancing::Learns { backend: n(backend), load });
        }
        for seq in 1..=12 {
            story.at(700 + seq * 10);
            let backend = n([3, 5, 3, 4][seq as usize % 4]);
            let (call, panic) = (call(1, seq), seq > 11);
            says(&mut story, 1, Balancing::Picks { call, backend, retry: 0, panic });
            let ended = if backend == n(5) { Ended::Failed } else { Ended::Served };
            let (retry, took) = (0, Span::millis(30 + seq));
            if backend != n(4) {
                says(&mut story, 1, Balancing::Tried { call, backend, retry, ended, took });
            }
        }
        says(&mut story, 4, Balancing::Busy { active: 4, waiting: 8 });
        says(&mut story, 3, Balancing::Busy { active: 1, waiting: 0 });
        let standing = Standing::Ejected;
        says(&mut story, 2, Balancing::Rates { backend: n(5), standing });
        story.at(1_000);
        story.select.node = n(4);
        story
    }

    #[test]
    fn the_backends_wide_and_narrow() {
        let mut story = trouble();
        insta::assert_snapshot!("balance_wide", story.screen(&Backends, 100, 8));
        insta::assert_snapshot!("balance_narrow", story.screen(&Backends, 48, 8));
        story.glyphs = crate::tui::theme::GlyphsArg::Ascii;
        insta::assert_snapshot!("balance_letters", story.screen(&Backends, 78, 8));
        story.fits_everywhere(&Backends);
    }
}
