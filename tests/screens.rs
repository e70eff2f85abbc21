//! What panes show, as text, and that they stay within their borders.
//!
//! [`Stage`] is a run told in lines: a simulated cluster that keeps heartbeats, commands given at
//! their times, and facts that services would say. [`screen`] is the one door from it to text.

use netsplit::base::placement::{Member, Ring, Shape};
use netsplit::base::{Ballot, CallId, Entry, NodeId, Op, Outcome, Time};
use netsplit::check::{Check, Checks, Violation, Witness};
use netsplit::event::Watch;
use netsplit::event::{Event, Fact, Kind};
use netsplit::plan::{self, Plan};
use netsplit::sim::history::History;
use netsplit::tui::mode::Mode;
use netsplit::tui::panes::{self, Scene, pane};
use netsplit::tui::select::{Move, Select, Target};
use netsplit::tui::source::Links;
use netsplit::tui::spots::Spots;
use netsplit::tui::theme::{ColorArg, Env, Flags, GlyphsArg, Look};
use netsplit::tui::{PaneKind, glyph};
use netsplit::view::timeline::Timeline;
use proptest::prelude::*;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use std::sync::Arc;

/// A run, what is found in it, and what is selected.
struct Stage {
    timeline: Timeline,
    links: Links,
    select: Select,
    mode: Mode,
    spots: Spots,
    zoomed: bool,
}

fn look(glyphs: GlyphsArg) -> Look {
    let flags = Flags { glyphs: Some(glyphs), color: ColorArg::True, ..Flags::default() };
    Look::choose(&flags, &Env::default())
}

fn n(number: u16) -> NodeId {
    NodeId::node(number)
}

fn c(number: u16) -> NodeId {
    NodeId::client(number)
}

fn at(millis: u64) -> Time {
    Time(millis * 1_000)
}

/// Nodes that keep heartbeats, and clients.
fn cluster(nodes: u16, clients: u16) -> Plan {
    let mut plan = Plan::bare(nodes);
    plan.services.membership = Some(plan::Membership::default());
    plan.clients = (1..=clients).map(|number| plan::Client::new(number, Vec::new())).collect();
    plan
}

/// Runs a cluster for so many milliseconds; each command takes effect at its time, and each fact is
/// said at its time.
fn stage(
    plan: &Plan,
    orders: &[(u64, &str)],
    facts: Vec<(u64, NodeId, Fact)>,
    until: u64,
) -> Stage {
    let mut events = Vec::new();
    let mut run = History::new(plan, 7, Watch::Labels, &mut events);
    for (millis, line) in orders {
        while run.world().next() <= at(*millis) {
            run.step(&mut events);
        }
        run.wait(at(*millis));
        let command = line.parse().expect("orders are commands");
        run.apply(&command, &mut events).expect("orders can be carried out");
    }
    while run.world().next() <= at(until) {
        run.step(&mut events);
    }
    let facts = facts.into_iter().map(|(millis, node, fact)| said(millis, node, fact));
    // Nobody calls here, and a call by a simulated client would depend on services.
    events
        .retain(|event| !matches!(event.fact(), Some(Fact::Invokes { .. } | Fact::Returns { .. })));
    events.extend(facts);
    events.sort_by_key(|event| event.at);
    of_events(events)
}

fn said(millis: u64, node: NodeId, fact: Fact) -> Event {
    Event { at: at(millis), node, kind: Kind::Fact(fact) }
}

fn of_events(events: Vec<Event>) -> Stage {
    let mut timeline = Timeline::new(1_000_000).checked(rules());
    timeline.extend(events);
    Stage {
        timeline,
        links: Links::default(),
        select: Select::new(n(1), n(2)),
        mode: Mode::default(),
        spots: Spots::default(),
        zoomed: false,
    }
}

/// A check of our own, so that these pages do not depend on what is checked elsewhere.
#[derive(Clone, Debug)]
struct Rule {
    name: &'static str,
    about: &'static str,
    breaks: fn(&Kind) -> bool,
    last: Option<usize>,
    waits: bool,
}

impl Check for Rule {
    fn name(&self) -> &'static str {
        self.name
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn see(&mut self, at: usize, event: &Event, _: &Witness) -> Option<Violation> {
        if !(self.breaks)(&event.kind) {
            return None;
        }
        let because = self.last.replace(at).into_iter().collect();
        let what =
            format!("{} did what {} forbids, and not for the first time.", event.node, self.name);
        let broken = Violation { check: self.name, rule: "PAX-1", what, at, because };
        (!broken.because.is_empty()).then_some(broken)
    }
    fn waits_for(&self) -> Option<String> {
        self.waits.then(|| "c1's next success".to_owned())
    }
}

fn rules() -> Checks {
    let never: fn(&Kind) -> bool = |_| false;
    let rule = |name, about, breaks, waits| {
        Box::new(Rule { name, about, breaks, waits, last: None }) as Box<dyn Check>
    };
    Checks::of([
        rule("paxos", "Only one value is chosen for each slot.", never, false),
        rule("log", "All replicas apply one order.", never, false),
        rule(
            "leaders",
            "At most one node leads in each ballot.",
            |kind| matches!(kind, Kind::Fact(Fact::Leads { .. })),
            false,
        ),
        rule("locks", "At most one client holds a lock at a time.", never, false),
        rule("transactions", "All participants end a transaction in one way.", never, false),
        rule("ring", "Owners of different nodes never overlap.", never, false),
        rule("money", "No money is made or lost.", never, false),
        rule("progress", "Each client succeeds again after the last fault.", never, true),
    ])
}

/// What a pane shows at this size, its title on top.
fn screen(kind: PaneKind, stage: &Stage, (width, height): (u16, u16), glyphs: GlyphsArg) -> String {
    let look = look(glyphs);
    let scene = scene(stage, &look);
    let title = panes::title(kind, &scene);
    let mark = if title.trouble { " !" } else { "" };
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    panes::draw(kind, &scene, area, &mut buf);
    if glyphs == GlyphsArg::Ascii {
        glyph::keep_ascii(&mut buf);
    }
    let name = title.name.unwrap_or(kind.title().to_owned());
    let mut text = format!("{name}{mark}: {}\n", title.summary);
    for row in buf.content.chunks(width.into()) {
        let row: String = row.iter().map(Cell::symbol).collect();
        text.push_str(&format!("|{row}|\n"));
    }
    text
}

fn scene<'a>(stage: &'a Stage, look: &'a Look) -> Scene<'a> {
    Scene {
        board: stage.timeline.board(),
        timeline: &stage.timeline,
        checks: stage.timeline.checks(),
        look,
        live: false,
        links: &stage.links,
        select: &stage.select,
        mode: &stage.mode,
        spots: &stage.spots,
        zoomed: stage.zoomed,
        focused: true,
        story: None,
    }
}

fn ballot(round: u32, node: u16) -> Ballot {
    Ballot { round, node: n(node) }
}

/// The story of the mockups: five nodes part, the smaller side keeps its leader, n3 leads the
/// other, a clock runs ahead, and n5 dies.
fn split() -> Stage {
    let mut facts = leads(ballot(6, 1), 200, &[2, 3, 4, 5]);
    facts.extend(leads(ballot(7, 3), 9_001, &[4, 5]));
    facts.extend(chosen(1_000, 5, 38));
    facts.extend(ring(1_500, 5, 1, 64));
    facts.extend(calls());
    let orders = [
        (8_620, "partition n1,n2 | n3,n4,n5"),
        (9_840, "clock n4 +250ms"),
        (11_900, "kill n5 keep"),
    ];
    stage(&cluster(5, 3), &orders, facts, 12_480)
}

fn leads(ballot: Ballot, millis: u64, followers: &[u16]) -> Vec<(u64, NodeId, Fact)> {
    let mut facts = vec![(millis, ballot.node, Fact::Leads { ballot })];
    facts.extend(followers.iter().map(|node| (millis + 4, n(*node), Fact::Follows { ballot })));
    facts
}

/// All nodes learn and apply these slots.
fn chosen(millis: u64, nodes: u16, slots: u64) -> Vec<(u64, NodeId, Fact)> {
    let entry = Arc::new(Entry { call: CallId { client: n(1), seq: 0 }, op: Op::Noop });
    let each = |slot: u64| {
        let entry = entry.clone();
        (1..=nodes).flat_map(move |node| {
            let choose = Fact::Chooses { slot, entry: entry.clone() };
            let apply = Fact::Applies { slot, entry: entry.clone(), digest: slot };
            [(millis + slot, n(node), choose), (millis + slot, n(node), apply)]
        })
    };
    (1..=slots).flat_map(each).collect()
}

fn members(nodes: u16) -> Arc<[Member]> {
    (1..=nodes).map(|node| Member { node: n(node), weight: 1 }).collect()
}

/// All nodes go by a ring of all nodes and answer for what is theirs; each holds its keys.
fn ring(millis: u64, nodes: u16, epoch: u64, vnodes: u16) -> Vec<(u64, NodeId, Fact)> {
    let shape = Shape { vnodes, replicas: 3, seed: 7 };
    let members = members(nodes);
    let ring = Ring::new(&members, shape);
    let each = |node: u16| {
        let ranges = ring.owned_by(n(node)).into();
        let count = |share: netsplit::base::placement::Share| share.of(10_000) as u32;
        let load =
            Fact::Load { keys: count(ring.held(n(node))), owned: count(ring.share(n(node))) };
        [
            (millis, n(node), Fact::View { epoch, members: members.clone(), shape }),
            (millis + 1, n(node), Fact::Serves { epoch, ranges, copies: 3 }),
            (millis + 2, n(node), load),
            (millis + 3, n(node), Fact::Synced { epoch }),
            (millis + 4, n(node), Fact::Settled { epoch }),
        ]
    };
    (1..=nodes).flat_map(each).collect()
}

/// One client has an answer, one waits.
fn calls() -> Vec<(u64, NodeId, Fact)> {
    let op = Arc::new(Op::Add { key: "x".parse().expect("x is a name"), by: 1 });
    let call = |client: u16| CallId { client: c(client), seq: 1 };
    let asks =
        |client, retry| Fact::Invokes { call: call(client), op: op.clone(), at: n(2), retry };
    vec![
        (2_000, c(1), asks(1, 0)),
        (2_030, c(1), Fact::Returns { call: call(1), outcome: Box::new(Outcome::Done) }),
        (11_000, c(2), asks(2, 0)),
        (12_000, c(2), asks(2, 1)),
    ]
}

/// A cluster of this size in which all is well.
fn sound(nodes: u16) -> Stage {
    let others: Vec<u16> = (2..=nodes).collect();
    let mut facts = leads(ballot(2, 1), 200, &others);
    facts.extend(ring(300, nodes, 1, 32));
    stage(&cluster(nodes, 2), &[], facts, 1_000)
}

/// Fifty nodes, of which some are in trouble.
fn fifty() -> Stage {
    let others: Vec<u16> = (1..=50).filter(|node| *node != 3).collect();
    let mut facts = leads(ballot(9, 3), 200, &others);
    facts.extend(ring(300, 50, 1, 64));
    let few = (42..=50).map(|node| format!("n{node}")).collect::<Vec<_>>().join(",");
    let most = (1..=41).map(|node| format!("n{node}")).collect::<Vec<_>>().join(",");
    let partition = format!("partition {most} | {few}");
    let orders = [
        (400, partition.as_str()),
        (500, "kill n8,n19,n27 keep"),
        (500, "pause n12,n22"),
        (600, "delay n17 -> n5 90ms 20ms"),
        (600, "loss n2 -> n40 30%"),
    ];
    stage(&cluster(50, 2), &orders, facts, 1_200)
}

/// Columns and rows.
type Size = (u16, u16);

/// What is within a pane's borders on a screen of 120x36, and on one of 80x24.
const OVERVIEW: [(PaneKind, Size, Size); 4] = [
    (PaneKind::Nodes, (45, 7), (38, 7)),
    (PaneKind::Ring, (45, 20), (78, 11)),
    (PaneKind::Network, (30, 10), (78, 11)),
    (PaneKind::Checks, (30, 7), (78, 11)),
];

/// The story at the sizes that the pane has on a screen of 120x36 and of 80x24, and zoomed.
#[test]
fn the_story_of_a_split() {
    let mut stage = split();
    stage.select.node = n(3);
    stage.select.peer = n(4);
    for (kind, wide, small) in OVERVIEW {
        let mut pages = String::new();
        for size in [wide, small, inner(kind)] {
            pages.push_str(&screen(kind, &stage, size, GlyphsArg::Unicode));
        }
        pages.push_str(&screen(kind, &stage, wide, GlyphsArg::Ascii));
        stage.zoomed = true;
        pages.push_str(&screen(kind, &stage, (118, 32), GlyphsArg::Unicode));
        pages.push_str(&screen(kind, &stage, (78, 20), GlyphsArg::Unicode));
        stage.zoomed = false;
        insta::assert_snapshot!(format!("split_{}", kind.id()), pages);
    }
}

fn inner(kind: PaneKind) -> (u16, u16) {
    let size = kind.smallest();
    (size.width - 2, size.height - 2)
}

#[test]
fn clusters_of_every_size() {
    for nodes in [3, 5, 9, 50] {
        let mut stage = if nodes == 50 { fifty() } else { sound(nodes) };
        for (kind, wide, small) in OVERVIEW {
            if kind == PaneKind::Checks {
                continue;
            }
            let mut pages = String::new();
            for size in [wide, small, inner(kind)] {
                pages.push_str(&screen(kind, &stage, size, GlyphsArg::Unicode));
            }
            stage.zoomed = true;
            pages.push_str(&screen(kind, &stage, (118, 32), GlyphsArg::Unicode));
            stage.zoomed = false;
            insta::assert_snapshot!(format!("{nodes}_nodes_{}", kind.id()), pages);
        }
    }
}

#[test]
fn the_selection_walks_over_nodes_and_then_clients() {
    let mut stage = split();
    let look = look(GlyphsArg::Unicode);
    let mut seen = Vec::new();
    for _ in 0..9 {
        seen.push(stage.select.node.to_string());
        stage.select = pane(PaneKind::Nodes).select(&scene(&stage, &look), Move::Down);
    }
    assert_eq!(seen.join(" "), "n1 n2 n3 n4 n5 c1 c2 c3 c3");
}

#[test]
fn the_selection_walks_over_links_and_never_to_a_loop() {
    let mut stage = split();
    let look = look(GlyphsArg::Unicode);
    let links = pane(PaneKind::Network);
    let mut seen = Vec::new();
    for to in [Move::Right, Move::Right, Move::Down, Move::Down, Move::Left, Move::Last] {
        stage.select = links.select(&scene(&stage, &look), to);
        let Target::Link(from, to) = links.target(&scene(&stage, &look)) else { panic!() };
        seen.push(format!("{from}>{to}"));
    }
    assert_eq!(seen.join(" "), "n1>n3 n1>n4 n2>n4 n3>n4 n3>n2 n5>n2");
}

#[test]
fn checks_that_are_broken_come_first_and_say_why() {
    let mut stage = split();
    stage.select.check = Some(5);
    let page = screen(PaneKind::Checks, &stage, (60, 24), GlyphsArg::Unicode);
    let rows: Vec<&str> = page.lines().collect();
    assert!(rows[0].starts_with("Checks !: 6✓ 1? 1✗"), "{page}");
    assert!(rows[1].starts_with("|!✗ leaders"), "{page}");
    assert!(page.contains("PAX-1 broken at 9.001"), "{page}");
    assert!(page.contains("n3 leads 7.3") && page.contains("n1 leads 6.1"), "{page}");
    // Before it happened, that is said.
    stage.timeline.seek(100);
    let page = screen(PaneKind::Checks, &stage, (60, 24), GlyphsArg::Unicode);
    assert!(page.starts_with("Checks: 7✓ 1? 0✗"), "{page}");
    assert!(page.contains("later, at 9.001: PAX-1") && page.contains("(v goes there)"), "{page}");
}

fn every_kind() -> impl Strategy<Value = PaneKind> {
    prop::sample::select(PaneKind::ALL.to_vec())
}

/// The stages that the property below draws, folded once.
fn stages() -> &'static [std::sync::Mutex<Stage>] {
    static STAGES: std::sync::OnceLock<Vec<std::sync::Mutex<Stage>>> = std::sync::OnceLock::new();
    STAGES.get_or_init(|| {
        let stages = [of_events(Vec::new()), sound(3), split(), sound(9), fifty()];
        stages.into_iter().map(std::sync::Mutex::new).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_drawn_outside_of_any_area(
        kind in every_kind(),
        which in 0..5_usize,
        part in 0..=100_usize,
        (x, y, width, height) in (0..4_u16, 0..4_u16, 0..=200_u16, 0..=60_u16),
        glyphs in prop::sample::select(vec![GlyphsArg::Unicode, GlyphsArg::Block, GlyphsArg::Ascii]),
        zoomed: bool,
        turns in 0..4_usize,
        moves in prop::collection::vec(prop::sample::select(vec![Move::Up, Move::Down, Move::Left,
            Move::Right, Move::First, Move::Last, Move::PageDown]), 0..4),
        select in (0..60_u16, 0..60_u16, any::<bool>(), 0..9_usize),
    ) {
        let mut stage = stages()[which].lock().unwrap();
        let events = stage.timeline.events().len();
        stage.timeline.seek(events * part / 100);
        stage.zoomed = zoomed;
        stage.mode = Mode::default();
        for _ in 0..turns {
            stage.mode.turn(pane(kind).views());
        }
        let (node, peer, client, check) = select;
        stage.select = Select::new(if client { c(node) } else { n(node) }, n(peer));
        stage.select.check = Some(check);
        let look = look(glyphs);
        for to in moves {
            let select = pane(kind).select(&scene(&stage, &look), to);
            stage.select = select;
        }
        let scene = scene(&stage, &look);
        pane(kind).target(&scene);
        pane(kind).moment(&scene);
        panes::title(kind, &scene);
        let mut buf = Buffer::filled(Rect::new(0, 0, 206, 66), Cell::new("%"));
        let area = Rect::new(x, y, width, height);
        panes::draw(kind, &scene, area, &mut buf);
        let outside = buf.area.positions().find(|at| !area.contains(*at) && buf[*at] != Cell::new("%"));
        prop_assert_eq!(outside, None);
    }
}

#[test]
fn a_link_to_a_node_that_is_down_says_so() {
    let mut stage = split();
    (stage.select.node, stage.select.peer) = (n(3), n(5));
    let page = screen(PaneKind::Network, &stage, (78, 11), GlyphsArg::Unicode);
    assert!(page.contains("n5 is DOWN"), "{page}");
    (stage.select.node, stage.select.peer) = (n(1), n(5));
    let page = screen(PaneKind::Network, &stage, (78, 11), GlyphsArg::Unicode);
    assert!(page.contains("cut since 8.620"), "{page}");
}
