use super::*;
use crate::error::Source;
use crate::tui::mode::Modes;
use proptest::prelude::*;
use ratatui::layout::Position;

const OVERVIEW: &str = include_str!("../../../layouts/overview.toml");

fn parse(text: &str) -> Result<Layout, crate::error::Error> {
    Layout::parse("mine", &Source::new("mine.toml", text))
}

/// What a cluster with a log, a ring, locks and transactions has to show.
const HAD: &[PaneKind] =
    &[PaneKind::Ring, PaneKind::Consensus, PaneKind::Locks, PaneKind::Txn, PaneKind::Clients];

/// The overview of such a cluster.
fn overview() -> Layout {
    Layout::overview().suited(HAD)
}

fn boxes(layout: &Layout, width: u16, height: u16) -> String {
    let Some(solved) = layout.solve(Rect::new(0, 0, width, height)) else {
        return "too small".to_owned();
    };
    let place = |place: &Placed| {
        let Rect { x, y, width, height } = place.rect;
        let names = place.panes.iter().map(|pane| layout.pane(*pane).id.as_str());
        format!(" {}={width}x{height}@{x},{y}", names.collect::<Vec<_>>().join("+"))
    };
    format!("{}:{}", solved.variant, solved.places.iter().map(place).collect::<String>())
}

#[test]
fn the_built_in_layouts_are_solved_at_the_usual_sizes() {
    let mut text = String::new();
    for found in Library::default().list() {
        let layout = found.layout.unwrap();
        for (width, height) in
            [(200, 60), (120, 36), (120, 30), (100, 30), (80, 24), (60, 20), (45, 14), (38, 9)]
        {
            let boxes = boxes(&layout, width, height);
            text.push_str(&format!("{} {width}x{height} {boxes}\n", found.name));
        }
    }
    insta::assert_snapshot!(text);
}

/// Every area lies inside the screen, between header and hint bar; areas share borders only.
fn sound(layout: &Layout, screen: Rect) -> Result<(), String> {
    let Some(solved) = layout.solve(screen) else { return Ok(()) };
    let body = Rect { y: screen.y + 1, height: screen.height - 2, ..screen };
    for (at, place) in solved.places.iter().enumerate() {
        let rect = place.rect;
        if rect.is_empty() || body.intersection(rect) != rect {
            return Err(format!("{screen} {place:?} leaves the screen"));
        }
        for other in &solved.places[..at] {
            let common = rect.intersection(other.rect);
            if common.width > 1 && common.height > 1 {
                return Err(format!("{screen} {place:?} covers {other:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn every_layout_is_sound_at_every_size() {
    for layout in Library::default().list().into_iter().map(|found| found.layout.unwrap()) {
        for width in 1..=300 {
            for height in 1..=100 {
                assert_eq!(sound(&layout, Rect::new(0, 0, width, height)), Ok(()));
            }
        }
        assert_eq!(sound(&layout, Rect::new(0, 0, u16::MAX, u16::MAX)), Ok(()));
        assert_eq!(sound(&layout, Rect::new(3, 7, 120, 36)), Ok(()));
        for (width, height) in [(120, 36), (80, 24)] {
            let solved = layout.solve(Rect::new(0, 0, width, height)).unwrap();
            assert_ne!(solved.variant, "stack", "{} at {width}x{height}", layout.name);
        }
    }
}

/// What the stack in the middle of the overview has where the screen is low.
const MIDDLE: &str = r#"["locks", "txn", "cache", "files", "balance"]"#;

#[test]
fn a_wrong_file_is_told_what_to_write() {
    let mut text = String::new();
    for (from, to) in [
        (r#""8..1fr""#, r#""50%""#),
        ("ring     work      checks", "work     work      checks"),
        ("[pane.events]", "[pane.evnets]"),
        ("[pane.checks]", "[pane.checks]\nkind = \"cheks\""),
        ("[pane.checks]", "[pane.checks]\nview = \"tall\""),
        ("[pane.network]", "[pane.network]\nview = \"matrx\""),
        ("[pane.timeline]", "[pane.timeline]\noptions.order = \"load\""),
        ("nodes    consensus network", "nodes    consensus"),
        ("nodes    consensus network", "noodes   consensus network"),
        (r#"["9", "1fr", "1"]"#, r#"["9", "1fr"]"#),
        ("[pane.network]\n", ""),
        (MIDDLE, r#"["locks", "ring"]"#),
        (MIDDLE, r#"["locks", "locks"]"#),
        (MIDDLE, "[]"),
        (r#"["consensus", "charts"]"#, "[]"),
        (r#"["consensus", "charts"]"#, r#"["consensus", "chart"]"#),
        (r#"["consensus", "charts"]"#, "[\"consensus\"]\nview = \"log\""),
        ("tabs.middle", "tabs.muddle"),
        ("tabs.lower", "tabs.nodes"),
        ("schema = 1", "schema = 2"),
        ("columns", "colums"),
        (r#"focus  = "nodes""#, r#"focus  = "node""#),
        ("[[variant]]", "[variant]"),
        ("areas   = [", "areas   = "),
    ] {
        assert!(OVERVIEW.contains(from), "{from}");
        let error = parse(&OVERVIEW.replacen(from, to, 1)).unwrap_err();
        text.push_str(&format!("{error}\n\n"));
    }
    for file in ["", "[pane]", "[pane.\"a b\"]", "[pane.nodes]"] {
        text.push_str(&format!("{}\n\n", parse(file).unwrap_err()));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn tabs_come_to_the_front_when_focused_and_stay() {
    let layout = overview();
    let id = |name: &str| layout.with_id(name).unwrap();
    let solved = layout.solve(Rect::new(0, 0, 80, 24)).unwrap();
    let lower = &solved.places[2];
    let mut focus = Focus::new(id("nodes"));
    assert_eq!(lower.front(&focus), Some(id("ring")));
    focus.go(id("txn"));
    focus.go(id("nodes"));
    assert_eq!((focus.pane(), lower.front(&focus)), (id("nodes"), Some(id("txn"))));
    assert_eq!(solved.neighbour(id("checks"), true), id("nodes"));
    assert_eq!(solved.neighbour(id("nodes"), false), id("checks"));
    assert_eq!(solved.neighbour(id("txn"), true), id("network"));
}

#[test]
fn zoom_gives_one_pane_the_whole_body() {
    let layout = overview();
    let mut solved = layout.solve(Rect::new(0, 0, 120, 36)).unwrap();
    let pane = layout.first(PaneKind::Timeline);
    solved.zoom(pane);
    let rect = Rect::new(0, 1, 120, 34);
    assert_eq!(solved.places, [Placed { rect, panes: vec![pane] }]);
}

#[test]
fn slots_show_what_the_cluster_has_and_leave_their_room_to_others() {
    use PaneKind::{
        Balance, Cache, Charts, Clients, Consensus, Files, Locks, Ring, Sagas, SpaceTime, Txn,
    };
    let mut text = String::new();
    let all = PaneKind::ALL.as_slice();
    for shows in [
        all,
        &[Consensus, Ring, Locks, Txn, Clients, SpaceTime, Charts],
        &[Consensus, Ring, Sagas, Clients, SpaceTime, Charts],
        &[Consensus, Ring, Cache, Files, Clients, SpaceTime, Charts],
        &[Consensus, Locks, Clients, SpaceTime, Charts],
        &[Balance, Clients, SpaceTime, Charts],
        &[SpaceTime, Charts],
        &[],
    ] {
        let layout = Layout::overview().suited(shows);
        let kind = |id: &str| layout.pane(layout.with_id(id).unwrap()).kind.id();
        let slots = ["ring", "consensus", "locks", "txn", "cache", "files", "balance"].map(kind);
        text.push_str(&format!("slots {}\n", slots.join(" ")));
        for (width, height) in [(120, 36), (80, 24)] {
            text.push_str(&format!("  {width}x{height} {}\n", boxes(&layout, width, height)));
        }
        assert_eq!(sound(&layout, Rect::new(0, 0, 120, 36)), Ok(()));
        let kinds: Vec<PaneKind> = layout.panes().map(|(_, spec)| spec.kind).collect();
        assert!(PaneKind::ALL.iter().all(|kind| kinds.contains(kind)), "every kind can be reached");
        assert_eq!(layout.clone().suited(all), Layout::overview().suited(all));
    }
    insta::assert_snapshot!(text);
}

const TWO: &str = r#"
[pane.network]
[pane.sides]
kind  = "network"
view  = "groups"
title = "Sides"
[[variant]]
columns = ["1fr", "1fr"]
rows    = ["1fr", "1"]
areas   = ["network sides", ". ."]
"#;

#[test]
fn two_panes_of_one_kind_have_names_and_views_of_their_own() {
    let layout = parse(TWO).unwrap();
    let view = |spec: &Spec| spec.mode.view(crate::tui::panes::pane(spec.kind).views());
    let told: Vec<String> = layout
        .panes()
        .take(3)
        .map(|(id, spec)| {
            format!("{} {} {} {}", id.number().unwrap(), spec.id, spec.title(false), view(spec))
        })
        .collect();
    assert_eq!(told, ["1 network Network matrix", "2 sides Sides groups", "3 nodes Nodes auto"]);
    assert_eq!(boxes(&layout, 80, 24), "1: network=40x21@0,1 sides=41x21@39,1");
    let kinds: Vec<PaneKind> = layout.panes().map(|(_, spec)| spec.kind).collect();
    assert!(PaneKind::ALL.iter().all(|kind| kinds.contains(kind)), "every kind can be reached");
}

#[test]
fn names_are_looked_for_in_directories_and_then_in_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("mine.toml"), TWO).unwrap();
    std::fs::write(path("overview.toml"), "schema = 2").unwrap();
    std::fs::write(path("notes.txt"), "no layout").unwrap();
    let library = Library::of([path("missing"), dir.path().to_owned()]);
    let names: Vec<String> = library.list().into_iter().map(|found| found.name).collect();
    assert_eq!(names[..2], ["mine", "overview"]);
    assert_eq!(library.load("mine").unwrap().file(), Some(path("mine.toml").as_path()));
    assert!(library.load("overview").unwrap_err().line().contains("schema 2"));
    assert!(Library::default().load("overview").unwrap().file().is_none());
    let missing = library.load("mime").unwrap_err();
    assert!(missing.to_string().contains("did you mean 'mine'?"), "{missing}");
    let file = path("mine.toml").to_string_lossy().into_owned();
    assert_eq!(library.load(&file).unwrap(), library.load("mine").unwrap());
    assert!(library.load("./none.toml").unwrap_err().line().contains("no such file"));
}

#[test]
fn a_layout_that_is_written_reads_back_the_same() {
    for layout in Library::default().list().into_iter().map(|found| found.layout.unwrap()) {
        let text = layout.write(layout.focus, &Modes::first(&layout));
        let again = Layout::parse(&layout.name, &Source::new("again.toml", text.as_str()));
        assert_eq!(again.unwrap(), layout, "{text}");
    }
}

#[test]
fn a_pulled_border_stays_where_it_is_put_and_is_saved() {
    let screen = Rect::new(0, 0, 120, 36);
    let mut layout = overview();
    let rect = |layout: &Layout, name: &str| {
        let pane = layout.with_id(name).unwrap();
        let solved = layout.solve(screen).unwrap();
        solved.places.iter().find(|place| place.panes == [pane]).unwrap().rect
    };
    let side = layout.border(screen, Position::new(46, 5)).unwrap();
    assert!(layout.pull(screen, side, Position::new(42, 5)));
    assert_eq!((rect(&layout, "nodes").width, rect(&layout, "consensus").x), (43, 42));
    assert!(!layout.pull(screen, side, Position::new(20, 5)), "nodes would be too small");
    let top = layout.border(screen, Position::new(60, 14)).unwrap();
    assert!(layout.pull(screen, top, Position::new(60, 17)));
    assert_eq!((rect(&layout, "locks").y, rect(&layout, "txn").y), (17, 22));
    assert_eq!(layout.border(screen, Position::new(10, 5)), None, "inside of a pane");
    assert_eq!(layout.border(screen, Position::new(0, 5)), None, "the edge of the screen");
    let text = layout.write(layout.focus, &Modes::first(&layout));
    let again = parse(&text).unwrap().suited(HAD);
    assert_eq!(boxes(&again, 120, 36), boxes(&layout, 120, 36));
}

#[test]
fn a_saved_layout_replaces_none_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::of([dir.path().join("own")]);
    let file = library.save("mine", TWO, None).unwrap();
    assert_eq!(library.load("mine").unwrap().file(), Some(file.as_path()));
    assert!(library.save("mine", TWO, None).unwrap_err().line().contains("there already"));
    assert!(library.save("mine", TWO, Some(&file)).is_ok());
    for name in ["", "a/b", "../x", "a b"] {
        assert!(library.save(name, TWO, None).unwrap_err().line().contains("no name"), "{name}");
    }
}

proptest! {
    /// Whatever is pulled wherever, the layout stays sound.
    #[test]
    fn pulling_does_no_harm(
        pulls in prop::collection::vec((0_u16..130, 0_u16..40, 0_u16..130, 0_u16..40), 1..12),
        (width, height) in (40_u16..130, 10_u16..40),
    ) {
        let screen = Rect::new(0, 0, width, height);
        let mut layout = overview();
        for (x, y, to_x, to_y) in pulls {
            if let Some(border) = layout.border(screen, Position::new(x, y)) {
                layout.pull(screen, border, Position::new(to_x, to_y));
            }
            prop_assert_eq!(sound(&layout, screen), Ok(()));
        }
    }
}

proptest! {
    /// A file with a few characters changed is refused or solved, never a panic.
    #[test]
    fn hostile_files_do_no_harm(
        changes in prop::collection::vec((0_usize..2000, "[ -~]{0,3}"), 1..4),
        (width, height) in (0_u16..300, 0_u16..100),
    ) {
        let mut text = OVERVIEW.to_owned();
        for (at, with) in changes {
            let at = at % text.len();
            text.replace_range(at..=at, &with);
        }
        if let Ok(layout) = parse(&text) {
            prop_assert_eq!(sound(&layout, Rect::new(0, 0, width, height)), Ok(()));
        }
    }
}
