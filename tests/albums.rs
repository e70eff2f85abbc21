//! Pictures of messages, measurements, clients and filters, of runs of real clusters.
//!
//! A page has one picture for each size: the title, the rows between bars, and below them where a
//! style begins and ends, by the name of its role.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, Time};
use netsplit::check::Checks;
use netsplit::error::Source;
use netsplit::event::{Event, Watch};
use netsplit::plan;
use netsplit::sim::history::History;
use netsplit::tui::mode::Mode;
use netsplit::tui::panes::{self, Scene, pane};
use netsplit::tui::select::{Move, Select};
use netsplit::tui::source::Links;
use netsplit::tui::spots::Spots;
use netsplit::tui::theme::{ColorArg, Env, Flags, GlyphsArg, Look, Role, Theme};
use netsplit::tui::{PaneKind, glyph};
use netsplit::view::timeline::Timeline;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::Color;

/// A run, and where one looks.
struct Stage {
    timeline: Timeline,
    checks: Checks,
    links: Links,
    select: Select,
    mode: Mode,
    spots: Spots,
    glyphs: GlyphsArg,
}

fn n(number: u16) -> NodeId {
    NodeId::node(number)
}

/// A cluster of a file's text, run for so long; commands take effect at their milliseconds.
fn stage(plan: &plan::Plan, orders: &[(u64, &str)], until: u64) -> Stage {
    let mut events = Vec::new();
    let mut run = History::new(plan, 7, Watch::Labels, &mut events);
    for (millis, line) in orders {
        advance(&mut run, *millis, &mut events);
        run.apply(&line.parse().unwrap(), &mut events).unwrap();
    }
    advance(&mut run, until, &mut events);
    let mut timeline = Timeline::new(1_000_000);
    timeline.extend(events);
    Stage {
        timeline,
        checks: Checks::of([]),
        links: Links::default(),
        select: Select::new(n(1), n(2)),
        mode: Mode::default(),
        spots: Spots::default(),
        glyphs: GlyphsArg::Unicode,
    }
}

fn advance(run: &mut History, millis: u64, events: &mut Vec<Event>) {
    let until = Time(millis * 1_000);
    while run.world().next() <= until {
        run.step(events);
    }
    run.wait(until);
}

impl Stage {
    fn look(&self) -> Look {
        let theme = Theme::builtin("dark").map(|theme| (theme, "test"));
        let flags = Flags { theme, glyphs: Some(self.glyphs), color: ColorArg::True };
        Look::choose(&flags, &Env::default())
    }

    fn with<T>(&self, see: impl FnOnce(&Scene<'_>) -> T) -> T {
        let look = self.look();
        see(&Scene {
            board: self.timeline.board(),
            timeline: &self.timeline,
            checks: &self.checks,
            look: &look,
            live: false,
            links: &self.links,
            select: &self.select,
            mode: &self.mode,
            spots: &self.spots,
            zoomed: false,
            focused: true,
            story: None,
        })
    }

    fn press(&mut self, kind: PaneKind, moves: &[Move]) {
        for to in moves {
            self.select = self.with(|scene| pane(kind).select(scene, *to));
        }
    }

    fn draw(&self, kind: PaneKind, (width, height): (u16, u16)) -> (String, Buffer) {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        let title = self.with(|scene| {
            panes::draw(kind, scene, buf.area, &mut buf);
            panes::title(kind, scene)
        });
        if self.glyphs == GlyphsArg::Ascii {
            glyph::keep_ascii(&mut buf);
        }
        (format!("{}: {}", title.name.unwrap_or_default(), title.summary), buf)
    }

    fn page(&self, kind: PaneKind, size: (u16, u16), styled: bool) -> String {
        let (title, buf) = self.draw(kind, size);
        let mut page = format!("{title}\n");
        for row in buf.content.chunks(size.0.into()) {
            let row: String = row.iter().map(Cell::symbol).collect();
            page.push_str(&format!("|{row}|\n"));
        }
        if styled {
            let rows = buf.content.chunks(size.0.into()).enumerate();
            let rows = rows.map(|(at, row)| (at, styles(&self.look(), row)));
            let rows = rows.filter(|(_, styles)| !styles.is_empty());
            rows.for_each(|(at, styles)| page.push_str(&format!("{at:>2}: {styles}\n")));
        }
        page
    }
}

/// The name of each role that has a look of its own.
const ROLES: [(&str, Role); 12] = [
    ("leader", Role::Leader),
    ("follower", Role::Follower),
    ("accent", Role::Accent),
    ("ok", Role::Ok),
    ("bad", Role::Bad),
    ("violation", Role::Violation),
    ("warn", Role::Warn),
    ("muted", Role::Muted),
    ("group B", Role::Group(1)),
    ("group C", Role::Group(2)),
    ("group D", Role::Group(3)),
    ("selection", Role::Selection),
];

/// Where in a row a role other than plain text begins and ends: `bad 12-14`.
fn styles(look: &Look, row: &[Cell]) -> String {
    let name = |cell: &Cell| {
        let style = cell.style();
        let role = ROLES.iter().find(|(_, role)| {
            let wanted = look.style(*role);
            let same = |a: Option<Color>, b: Option<Color>| {
                a.unwrap_or(Color::Reset) == b.unwrap_or(Color::Reset)
            };
            same(wanted.fg, style.fg)
                && same(wanted.bg, style.bg)
                && wanted.add_modifier == style.add_modifier
        });
        role.map_or("", |(name, _)| *name)
    };
    let mut runs: Vec<(&str, usize, usize)> = Vec::new();
    for (at, cell) in row.iter().enumerate() {
        let name = name(cell);
        match runs.last_mut() {
            Some((last, _, end)) if *last == name => *end = at,
            _ => runs.push((name, at, at)),
        }
    }
    let named = runs.iter().filter(|(name, ..)| !name.is_empty());
    named.map(|(name, from, to)| format!("{name} {from}-{to}")).collect::<Vec<_>>().join(", ")
}

/// What is within the borders of a pane on screens of 40x10 and 60x20, in a layout at 80x24, and
/// zoomed at 80x24, 120x36 and 200x60.
const SIZES: [(u16, u16); 6] = [(38, 6), (58, 16), (78, 11), (78, 20), (118, 32), (198, 56)];

/// Small clusters, the usual one, and a big one. Each had its faults.
fn clusters() -> Vec<(&'static str, Stage)> {
    let text = plan::SAMPLES.iter().find(|(name, _)| *name == "default").unwrap().1;
    let of = |nodes: u16| {
        let text = text.replace("nodes = 5", &format!("nodes = {nodes}"));
        let text = text.replace("n4 = \"blue\"", "n3 = \"blue\"");
        plan::file::parse("default", &Source::new("default.toml", text)).unwrap()
    };
    let orders = [
        (1_000, "loss all 10%"),
        (1_500, "hold n1 -> n2"),
        (2_000, "kill n3"),
        (2_600, "heal"),
        (3_000, "restart n3"),
        (3_500, "partition n1 | n2,n3"),
    ];
    let big = [(500, "kill n8,n19"), (800, "partition n1,n2,n3 | n4,n5,n6,n7")];
    vec![
        ("3 nodes", stage(&of(3), &orders, 4_000)),
        ("5 nodes", stage(&of(5), &orders, 4_000)),
        ("9 nodes", stage(&of(9), &orders, 4_000)),
        ("50 nodes", stage(&plan::builtin("ring-50").unwrap(), &big, 1_200)),
    ]
}

/// A pane in clusters of every size: at 80x24 with styles and in letters, the usual cluster at all
/// sizes, the others in two.
fn album(kind: PaneKind, set: impl Fn(&mut Stage)) -> String {
    let mut album = String::new();
    for (name, mut stage) in clusters() {
        set(&mut stage);
        for (at, size) in SIZES.iter().enumerate() {
            if name == "5 nodes" || at == 3 || at == 4 {
                let (width, height) = *size;
                album.push_str(&format!("== {name}, {width}x{height}\n"));
                album.push_str(&stage.page(kind, *size, at == 3));
            }
        }
        stage.glyphs = GlyphsArg::Ascii;
        album.push_str(&format!("== {name}, 78x20, letters\n"));
        album.push_str(&stage.page(kind, (78, 20), false));
    }
    album
}

/// Looks at the moment right after the crash, where a message is selected.
fn at_the_crash(stage: &mut Stage) {
    let crash = stage.timeline.viewed().marks().iter();
    let crash = crash.filter(|mark| mark.text.starts_with("kill")).map(|mark| mark.at).next();
    stage.timeline.seek_time(crash.unwrap());
    stage.press(PaneKind::SpaceTime, &[Move::Left, Move::Left]);
}

#[test]
fn messages_between_lanes() {
    insta::assert_snapshot!("spacetime", album(PaneKind::SpaceTime, at_the_crash));
}

#[test]
fn messages_as_rows() {
    let ladder = |stage: &mut Stage| {
        at_the_crash(stage);
        stage.mode.turn(pane(PaneKind::SpaceTime).views());
    };
    insta::assert_snapshot!("ladder", album(PaneKind::SpaceTime, ladder));
}

#[test]
fn measurements() {
    insta::assert_snapshot!("charts", album(PaneKind::Charts, |_| ()));
}

#[test]
fn callers() {
    let first = |stage: &mut Stage| stage.select.node = NodeId::client(2);
    insta::assert_snapshot!("clients", album(PaneKind::Clients, first));
}

#[test]
fn a_filtered_list() {
    let filter =
        |stage: &mut Stage| stage.mode.choose(&panes::FILTER, "node:n1,n3 !kind:heartbeat");
    insta::assert_snapshot!("events", album(PaneKind::Events, filter));
}

#[test]
fn a_wrong_filter_is_told_with_its_place_and_hides_nothing() {
    let mut stage = clusters().remove(0).1;
    stage.mode.choose(&panes::FILTER, "node:n1 kind:fualt");
    let page = stage.page(PaneKind::Events, (78, 11), false);
    assert!(page.contains("at 9:") && page.contains("did you mean 'fault'"), "{page}");
    assert!(page.contains("partition n1 | n2,n3"), "{page}");
}

#[test]
fn a_quiet_moment_without_a_message_is_a_gap_and_not_a_zero() {
    let mut stage = stage(&plan::builtin("default").unwrap(), &[], 3_000);
    let latency = |stage: &Stage| stage.page(PaneKind::Charts, (78, 20), false);
    assert!(!latency(&stage).contains("nothing measured yet"));
    stage.timeline.start();
    assert!(latency(&stage).contains("no call yet"));
}

#[test]
fn what_is_hidden_has_no_lane_and_shorter_windows_show_less() {
    let mut stage = clusters().remove(1).1;
    at_the_crash(&mut stage);
    let spacetime = pane(PaneKind::SpaceTime);
    let hide = spacetime.options().iter().find(|choice| choice.name == "hide").unwrap();
    stage.mode.choose(hide, "n2, c1");
    let page = stage.page(PaneKind::SpaceTime, (118, 32), false);
    assert!(!page.contains("| n2 ") && !page.contains("| c1 ") && page.contains("| others"));
    let mut windows = Vec::new();
    for closer in [true, true, true, true, false, false, false, false, false, false, false] {
        spacetime.scale(&mut stage.mode, closer);
        let title = stage.with(|scene| spacetime.title(scene)).summary.to_string();
        windows.push(title.rsplit(' ').nth(1).unwrap_or_default().to_owned());
    }
    assert_eq!(windows.join(" "), "10ms 4ms 1ms 1ms 4ms 10ms 40ms 100ms 400ms 1s 4s");
}

#[test]
fn sides_as_boxes() {
    let groups = |stage: &mut Stage| {
        stage.timeline.live();
        stage.mode.turn(pane(PaneKind::Network).views());
    };
    insta::assert_snapshot!("sides", album(PaneKind::Network, groups));
}
