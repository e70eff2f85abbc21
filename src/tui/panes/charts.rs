//! Charts: how long calls took, how many there were, who answered, what was sent.
//!
//! The axis is the whole run, as on the timeline, with the same cursor; numbers are of what
//! happened up to it. Where nothing was measured there is a gap: no call is not a call that took no
//! time. `plot` draws one chart; this puts them together.

mod plot;

use super::row::{self, Row, split};
use super::table::{Mark, right_of, take, thousands};
use super::{Item, Pane, Scene};
use crate::base::{NodeId, Span, Time};
use crate::tui::frame::Title;
use crate::tui::mode::Choice;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::metrics::{Bin, Calls, Histogram};
use plot::{Chart, Curve};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const AXIS: Choice =
    Choice { key: 'a', name: "axis", doc: "axis of latencies", values: &["log", "linear"] };

/// Of how long ago rates are told.
const RECENT: Span = Span::secs(2);
/// How many nodes are listed; the rest is told in one row.
const LISTED: usize = 8;
/// The bars of the histogram: up to how many milliseconds each.
const EDGES: [u64; 9] = [2, 4, 8, 16, 32, 64, 128, 512, u64::MAX / 1_000];
/// Columns from one point of a curve to the next.
const POINT: u16 = 4;
/// In how many steps Left and Right go through the run at the most.
const STEPS: usize = 64;
/// Cells of a sparkline.
const SPARK: usize = 20;
/// The fewest cells in which one is of use.
const SHORTEST: usize = 8;

/// The pane.
#[derive(Debug)]
pub(super) struct Charts;

impl Pane for Charts {
    fn about(&self) -> &'static str {
        "How long calls took, and how many ended in a second, over the whole run. p50 is the middle: \
         half of the calls took less. p99 is what one in a hundred exceeds. A gap means that no call \
         succeeded then. The marks below the axis are faults; the dashed bar is the cursor. Left and \
         Right choose a moment, whose values stand above the curves, and Enter goes there. A call \
         belongs to the node that was asked for it last. Numbers are of what happened up to the \
         cursor."
    }

    fn views(&self) -> &'static [&'static str] {
        &["all", "latency", "throughput", "nodes", "messages"]
    }

    fn options(&self) -> &'static [Choice] {
        &[AXIS]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let sheet = Sheet::of(scene);
        let all = sheet.total.all();
        let (refused, unknown) = (thousands(all.refused), thousands(all.unknown));
        let first = format!(
            "all: {} calls ok, {refused} refused, {unknown} unknown; {}",
            thousands(all.ok),
            quantiles(&all.took)
        );
        let mut items = vec![Item::new(super::Mark::None, first)];
        for (node, calls) in &sheet.nodes {
            let text = format!(
                "{}: {} a second, {} ok in all, {}",
                name(*node),
                sheet.rate(*node),
                thousands(calls.ok),
                quantiles(&calls.took)
            );
            let item = Item::new(super::Mark::None, text);
            items.push(item.selected(*node == scene.select.node).picks(Pick::Node(*node)));
        }
        for ((service, word), traffic) in scene.board.metrics.kinds() {
            let (sent, lost) = (thousands(traffic.sent), thousands(traffic.lost));
            let text = format!("{service} {word}: {sent} sent, {lost} lost");
            items.push(Item::new(super::Mark::None, text));
        }
        items
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let took = Sheet::of(scene).total.all().took;
        Title { summary: quantiles(&took).into(), ..Title::default() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let sheet = Sheet::of(scene);
        match scene.mode.view(self.views()) {
            "latency" => sheet.latency(area, buf),
            "throughput" => sheet.throughput(area, buf),
            "nodes" => sheet.table(area, buf),
            "messages" => sheet.messages(area, buf),
            _ => sheet.all(area, buf),
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let here = scene.select.clone();
        if let Move::Left | Move::Right = to {
            return Select { time: beside(scene, to == Move::Right), ..here };
        }
        let ids: Vec<NodeId> = scene.board.nodes.servers().map(|node| node.id).collect();
        let node = to.along(Some(&here.node), &ids).unwrap_or(here.node);
        Select { node, time: None, ..here }
    }

    fn moment(&self, scene: &Scene<'_>) -> Option<usize> {
        scene.timeline.events().upto(scene.select.time?).checked_sub(1)
    }
}

/// The middle of the part of the run beside the one that is chosen, or that the cursor is in.
fn beside(scene: &Scene<'_>, right: bool) -> Option<Time> {
    let (length, parts) = scene.timeline.viewed().end().metrics.parts(STEPS);
    let here = scene.select.time.unwrap_or(scene.board.now).0 / length.0.max(1);
    let last = (parts.len() as u64).checked_sub(1)?;
    let at = if right { (here + 1).min(last) } else { here.saturating_sub(1) };
    Some(Time(at * length.0 + length.0 / 2))
}

/// `3.4ms`, `12ms`, `1.2s`: three digits at the most.
pub(super) fn short(span: Span) -> String {
    match span.0 {
        us if us < 10_000 => format!("{}.{}ms", us / 1_000, us % 1_000 / 100),
        us if us < 1_000_000 => format!("{}ms", us / 1_000),
        us if us < 10_000_000 => format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000),
        us => format!("{}s", us / 1_000_000),
    }
}

fn quantiles(took: &Histogram) -> String {
    let of = |of_1000| took.quantile(of_1000).map_or("-".to_owned(), short);
    match took.count() {
        0 => "no call yet".to_owned(),
        _ => format!("p50 {}  p99 {}  max {}", of(500), of(990), short(took.longest())),
    }
}

/// Calls of which the question was not seen belong to nobody.
fn name(node: NodeId) -> String {
    if node == NodeId::BENCH { "not seen".to_owned() } else { node.to_string() }
}

/// The numbers, at the cursor.
struct Sheet<'a> {
    scene: &'a Scene<'a>,
    total: Bin,
    recent: Bin,
    /// Since when is recent, in whole bins.
    since: Time,
    /// All nodes, and what each answered.
    nodes: Vec<(NodeId, Calls)>,
}

impl<'a> Sheet<'a> {
    fn of(scene: &'a Scene<'a>) -> Sheet<'a> {
        let metrics = &scene.board.metrics;
        let width = metrics.width().0;
        let since = Time((scene.board.now - RECENT).0 / width * width);
        let total = metrics.since(Time::ZERO);
        let servers = scene.board.nodes.servers().map(|node| node.id);
        let strangers = total.calls.keys().filter(|id| scene.board.node(**id).is_none());
        let of = |id| (id, total.calls.get(&id).cloned().unwrap_or_default());
        let nodes = servers.chain(strangers.copied()).map(of).collect();
        let recent = metrics.since(since);
        Sheet { scene, total, recent, since, nodes }
    }

    /// Calls a second that a node answered lately.
    fn rate(&self, node: NodeId) -> u64 {
        let span = self.scene.board.now.since(self.since).0.max(1);
        self.recent.calls.get(&node).map_or(0, |calls| calls.ok) * 1_000_000 / span
    }

    // -- together --------------------------------------------------------------------------------

    fn all(&self, area: Rect, buf: &mut Buffer) {
        match (area.width, area.height) {
            (100.., 26..) => self.four(area, buf),
            (60.., 14..) => {
                let (chart, rest) = split(area, usize::from(area.height) / 2);
                self.latency(chart, buf);
                self.table(rest, buf);
            }
            (_, 7..) => {
                let (chart, rest) = split(area, usize::from(area.height) - 2);
                self.latency(chart, buf);
                row::put(rest, buf, &self.counts());
            }
            _ => self.table(area, buf),
        }
    }

    /// Latency above, throughput and nodes in the middle, the histogram and messages below.
    fn four(&self, area: Rect, buf: &mut Buffer) {
        let third = usize::from(area.height) / 3;
        let (top, rest) = split(area, third);
        let (middle, bottom) = split(rest, third);
        self.latency(top, buf);
        let half = area.width / 2;
        let left = |rect: Rect| Rect { width: half - 2, ..rect };
        self.throughput(left(middle), buf);
        self.table(right_of(middle, half), buf);
        self.histogram(left(bottom), buf);
        self.messages(right_of(bottom, half), buf);
    }

    // -- curves ----------------------------------------------------------------------------------

    fn latency(&self, area: Rect, buf: &mut Buffer) {
        let (length, parts) = self.parts(area);
        let quantile = |of_1000: u64| {
            let of = |bin: &Bin| bin.all().took.quantile(of_1000).map(|span| span.0);
            parts.iter().map(of).collect()
        };
        let curves = [
            Curve { name: "p99", role: Role::Warn, values: quantile(990) },
            Curve { name: "p50", role: Role::Follower, values: quantile(500) },
        ];
        let log = self.scene.mode.value(&AXIS) == "log";
        let chart = self.chart("latency of calls that succeeded, ms", &curves, length);
        Chart { log, unit: 1_000, ..chart }.draw(area, buf);
    }

    fn throughput(&self, area: Rect, buf: &mut Buffer) {
        let (length, parts) = self.parts(area);
        let end = self.scene.timeline.viewed().end().now;
        // Of the last part, only some may be over.
        let passed = |at: usize| end.since(Time(length.0 * at as u64)).0.min(length.0);
        let each = |of: &dyn Fn(&Calls) -> u64| {
            let rate = |(at, bin): (usize, &Bin)| {
                let passed = passed(at);
                (passed >= length.0 / 2).then(|| of(&bin.all()) * 1_000_000 / passed.max(1))
            };
            parts.iter().enumerate().map(rate).collect::<Vec<_>>()
        };
        let failed = each(&|calls| calls.refused + calls.unknown);
        let failed = failed.into_iter().map(|rate| rate.filter(|rate| *rate > 0)).collect();
        let curves = [
            Curve { name: "failed", role: Role::Bad, values: failed },
            Curve { name: "ok", role: Role::Ok, values: each(&|calls| calls.ok) },
        ];
        self.chart("calls a second", &curves, length).draw(area, buf);
    }

    /// The whole run as recorded, in as many parts as can be told apart on a chart.
    fn parts(&self, area: Rect) -> (Span, Vec<Bin>) {
        let metrics = &self.scene.timeline.viewed().end().metrics;
        metrics.parts(usize::from(area.width / POINT).max(1))
    }

    fn chart<'b>(&'b self, name: &'static str, curves: &'b [Curve], length: Span) -> Chart<'b> {
        let end = self.scene.timeline.viewed().end().now;
        Chart { scene: self.scene, name, curves, log: false, unit: 1, length, end }
    }

    // -- tables ----------------------------------------------------------------------------------

    fn counts(&self) -> Vec<Row<'a>> {
        let (look, all) = (self.scene.look, self.total.all());
        let network = &self.scene.board.network;
        let row = Row::plain(look).text(Role::Ok, format!("{} ok  ", thousands(all.ok)));
        let row = row.text(Role::Text, format!("{} refused  ", thousands(all.refused)));
        let role = if all.unknown > 0 { Role::Warn } else { Role::Text };
        let calls = row.text(role, format!("{} unknown", thousands(all.unknown)));
        let (lost, sent) = (thousands(network.lost), thousands(network.sent));
        vec![calls, Row::plain(look).text(Role::Text, format!("{lost} of {sent} messages lost"))]
    }

    /// A row for each node, the slowest first where not all can be shown.
    fn table(&self, area: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let mut rest = area;
        let spark = area.width > 52;
        let mut head = format!("{:<8} {:>6} {:>6} {:>6}  ", "node", "calls/s", "p50", "p99");
        head.push_str(if spark { "calls over the run" } else { "" });
        row::put(take(&mut rest, 1), buf, &[Row::muted(look, head)]);
        let mut nodes: Vec<&(NodeId, Calls)> = self.nodes.iter().collect();
        let room = usize::from(rest.height.saturating_sub(2)).max(1);
        let most = if nodes.len() > room { room.min(LISTED) } else { nodes.len() };
        if nodes.len() > most {
            nodes.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.took.quantile(990)));
        }
        let mut rows: Vec<Row<'_>> =
            nodes.iter().take(most).map(|(node, calls)| self.node(*node, calls, spark)).collect();
        let others = &nodes[most..];
        if !others.is_empty() {
            let mut sum = Calls::default();
            others.iter().for_each(|(_, calls)| sum.merge(calls));
            let rate = others.iter().map(|(node, _)| self.rate(*node)).sum();
            let name = format!("{} others", others.len());
            rows.push(line(Row::new(look, Mark::None), &name, rate, &sum.took));
        }
        rows.extend(self.counts());
        row::choices(self.scene, rest, buf, &rows);
    }

    fn node(&self, node: NodeId, calls: &Calls, spark: bool) -> Row<'a> {
        let (scene, look) = (self.scene, self.scene.look);
        let row = Row::new(look, Mark::None).selected(node == scene.select.node);
        let mut row = line(row, &name(node), self.rate(node), &calls.took);
        if spark {
            let calls = |bin: &Bin| bin.calls.get(&node).map_or(0, |calls| calls.ok);
            row = row.text(Role::Muted, " ").text(Role::Text, self.spark(SPARK, calls));
        }
        let life = scene.board.node(node).map(|node| &node.life);
        let stale = scene.board.is_stale(node);
        let (role, note) = match life {
            Some(life) if life.is_down() => (Role::Bad, "  down"),
            Some(crate::view::nodes::Life::Paused) => (Role::Warn, "  paused"),
            _ if stale => (Role::Warn, "  stale leader"),
            _ => (Role::Text, ""),
        };
        row.text(role, note).picks(Pick::Node(node))
    }

    /// How many there were of something, over the whole run up to the cursor.
    fn spark(&self, width: usize, of: impl Fn(&Bin) -> u64) -> String {
        let end = self.scene.timeline.viewed().end().now.0.max(1);
        let (bins, length) = (self.scene.board.metrics.bins(), self.scene.board.metrics.width().0);
        let mut cells = vec![0; width];
        for (at, bin) in bins.iter().enumerate() {
            let cell = (at as u64 * length * width as u64 / end) as usize;
            cells[cell.min(width - 1)] += of(bin);
        }
        let top = cells.iter().copied().max().unwrap_or(0);
        self.scene.look.glyphs.sparkline(cells, top)
    }

    fn histogram(&self, area: Rect, buf: &mut Buffer) {
        let (look, all) = (self.scene.look, self.total.all());
        let mut from = Span::ZERO;
        let mut bars = Vec::new();
        for edge in EDGES {
            let to = Span(edge.saturating_mul(1_000));
            let name = match (from.0, edge) {
                (0, edge) => format!("<{edge} ms"),
                (from, edge) if edge > 1_000_000 => format!(">{} ms", from / 1_000),
                (from, edge) => format!("{}-{edge} ms", from / 1_000),
            };
            bars.push((name, all.took.between(from, to), Role::Text));
            from = to;
        }
        bars.push(("unknown".to_owned(), all.unknown, Role::Warn));
        let top = bars.iter().map(|(_, count, _)| *count).max().unwrap_or(0);
        let room = area.width.saturating_sub(22);
        let mut rows = vec![Row::muted(look, "how long calls took, up to the cursor")];
        for (name, count, role) in bars {
            let bar = look.glyphs.bar(room, count, top).replace(look.glyphs.unfilled, " ");
            let row = Row::plain(look).right(11, Role::Muted, name).text(role, bar);
            rows.push(row.right(8, role, thousands(count)));
        }
        row::put(area, buf, &rows);
    }

    /// Kinds of messages, the most frequent first.
    fn messages(&self, area: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let metrics = &self.scene.board.metrics;
        let mut kinds: Vec<_> = metrics.kinds().iter().enumerate().collect();
        kinds.sort_by_key(|(_, (_, traffic))| std::cmp::Reverse(traffic.sent));
        let width = usize::from(area.width.saturating_sub(24)).min(26);
        let spark = usize::from(area.width).saturating_sub(width + 23).min(SPARK);
        let spark = if spark < SHORTEST { 0 } else { spark };
        let over = if spark > 0 { "over the run" } else { "" };
        let head = format!("{:<width$} {:>9} {:>9} {over}", "message", "sent", "lost");
        let mut rows = vec![Row::muted(look, head)];
        let room = usize::from(area.height).saturating_sub(2);
        let (shown, rest) = kinds.split_at(room.min(kinds.len()));
        for (kind, ((service, word), traffic)) in shown {
            let role = if traffic.lost > 0 { Role::Bad } else { Role::Muted };
            let row = Row::plain(look).left(width, Role::Text, format!("{service} {word}"));
            let row = row.right(9, Role::Text, thousands(traffic.sent));
            let row = row.right(9, role, thousands(traffic.lost));
            rows.push(match spark {
                0 => row,
                cells => row.text(Role::Text, self.spark(cells, |bin| metrics.sent_in(bin, *kind))),
            });
        }
        if !rest.is_empty() {
            let sum = |of: fn(&crate::view::metrics::Traffic) -> u64| {
                thousands(rest.iter().map(|(_, (_, traffic))| of(traffic)).sum())
            };
            let name = format!("{} {} more kinds", look.glyphs.ellipsis, rest.len());
            let row = Row::plain(look).left(width, Role::Muted, name);
            let row = row.right(9, Role::Muted, sum(|traffic| traffic.sent));
            rows.push(row.right(9, Role::Muted, sum(|traffic| traffic.lost)));
        }
        row::put(area, buf, &rows);
    }
}

fn line<'a>(row: Row<'a>, name: &str, rate: u64, took: &Histogram) -> Row<'a> {
    let of = |of_1000| took.quantile(of_1000).map_or("-".to_owned(), short);
    let row = row.left(8, Role::Text, name).right(6, Role::Text, rate.to_string());
    row.right(6, Role::Text, of(500)).right(6, Role::Text, of(990))
}
