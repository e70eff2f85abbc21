//! Where the panes are: a grid of words, read from TOML and solved for a size.
//!
//! A layout is drawn, not nested. Each line of `areas` is a row of the grid and each word in it
//! names a pane, or a stack of panes shown as tabs; the same word in neighbouring cells is one
//! area. Row heights and column widths are *tracks*: `"9"` cells, `"1fr"` a share of what is left,
//! `"8..1fr"` a share with a minimum. There are no percentages. Neighbours share their border, so
//! tracks overlap by one cell, except that a track of `"1"` has no border and overlaps nothing.
//!
//! A file has several variants for several sizes; the first in which every pane has its minimum is
//! taken. If none fits, all panes become one stack. Row 1 and the last row of the screen belong to
//! the header and the hint bar. Solving is a pure function of the size, so a resize needs no care.

use ratatui::layout::{Rect, Size};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Below this nothing is drawn but a message.
pub const SMALLEST: Size = Size::new(40, 10);

/// The panes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaneKind {
    /// Every process, its state and roles.
    Nodes,
    /// Who owns which part of the key space.
    Ring,
    /// Ballots and the log.
    Consensus,
    /// Locks, holders, leases, waiters.
    Locks,
    /// Distributed transactions.
    Txn,
    /// Links, groups, messages in flight.
    Network,
    /// What happened, newest first.
    Events,
    /// Where in time we are.
    Timeline,
    /// Which properties hold.
    Checks,
}

impl PaneKind {
    /// All of them, by number.
    pub const ALL: [PaneKind; 9] = [
        PaneKind::Nodes,
        PaneKind::Ring,
        PaneKind::Consensus,
        PaneKind::Locks,
        PaneKind::Txn,
        PaneKind::Network,
        PaneKind::Events,
        PaneKind::Timeline,
        PaneKind::Checks,
    ];

    /// The number in its title, which is the key that goes to it.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The pane with this number.
    pub fn with_number(number: u8) -> Option<PaneKind> {
        PaneKind::ALL.into_iter().find(|pane| pane.number() == number)
    }

    /// Its name in layout files.
    pub fn id(self) -> &'static str {
        self.facts().0
    }

    /// Its name on the screen.
    pub fn title(self) -> &'static str {
        self.facts().1
    }

    /// Its name where room is scarce.
    pub fn short_title(self) -> &'static str {
        self.facts().2
    }

    /// The smallest size it can be read at, borders included.
    pub fn smallest(self) -> Size {
        let (width, height) = self.facts().3;
        Size::new(width, height)
    }

    fn facts(self) -> (&'static str, &'static str, &'static str, (u16, u16)) {
        match self {
            PaneKind::Nodes => ("nodes", "Nodes", "Nodes", (38, 7)),
            PaneKind::Ring => ("ring", "Ring", "Ring", (30, 10)),
            PaneKind::Consensus => ("consensus", "Consensus", "Cons", (38, 7)),
            PaneKind::Locks => ("locks", "Locks", "Locks", (38, 6)),
            PaneKind::Txn => ("txn", "Transactions", "Txn", (40, 6)),
            PaneKind::Network => ("network", "Network", "Net", (30, 8)),
            PaneKind::Events => ("events", "Events", "Events", (28, 6)),
            PaneKind::Timeline => ("timeline", "Timeline", "Time", (40, 1)),
            PaneKind::Checks => ("checks", "Checks", "Checks", (28, 6)),
        }
    }
}

/// What is wrong with a layout file, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutError(String);

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LayoutError {}

type Result<T> = std::result::Result<T, LayoutError>;

fn wrong<T>(text: String) -> Result<T> {
    Err(LayoutError(text))
}

/// A checked layout file.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its name on the screen.
    pub title: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// The pane that has focus at first.
    pub focus: PaneKind,
    panes: Vec<PaneKind>,
    variants: Vec<Variant>,
}

#[derive(Clone, Debug)]
struct Variant {
    name: String,
    columns: Vec<Track>,
    rows: Vec<Track>,
    areas: Vec<Area>,
}

/// Some cells of the grid, and the panes that share them.
#[derive(Clone, Debug)]
struct Area {
    columns: Range<usize>,
    rows: Range<usize>,
    panes: Vec<PaneKind>,
}

/// The width of a column or the height of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Track {
    Cells(u16),
    Share { smallest: u16, share: u16 },
}

/// One area on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where, borders included. One row high means without borders.
    pub rect: Rect,
    /// Whose it is; more than one pane share it as tabs.
    pub panes: Vec<PaneKind>,
}

impl Placed {
    /// The pane to draw: of several, the one that was focused last.
    pub fn front(&self, focus: &Focus) -> Option<PaneKind> {
        let recent = focus.recent.iter().find(|pane| self.panes.contains(pane));
        recent.or(self.panes.first()).copied()
    }
}

/// A layout at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solved {
    /// The variant that was taken.
    pub variant: String,
    /// The first row.
    pub header: Rect,
    /// The areas, none of which is empty.
    pub places: Vec<Placed>,
    /// The last row.
    pub hints: Rect,
}

impl Solved {
    /// Gives everything between header and hint bar to one pane.
    pub fn zoom(&mut self, pane: PaneKind) {
        let (top, bottom) = (self.header.bottom(), self.hints.y);
        let rect = Rect { y: top, height: bottom - top, ..self.header };
        self.places = vec![Placed { rect, panes: vec![pane] }];
    }

    /// The pane after `pane` by number, or before it, among those that have a place.
    pub fn neighbour(&self, pane: PaneKind, forward: bool) -> PaneKind {
        let mut panes: Vec<PaneKind> =
            self.places.iter().flat_map(|place| &place.panes).copied().collect();
        panes.sort_unstable();
        if !forward {
            panes.reverse();
        }
        let next = panes.iter().find(|other| if forward { **other > pane } else { **other < pane });
        next.or(panes.first()).copied().unwrap_or(pane)
    }
}

/// Which pane has focus, and which had it before: that decides which tab is in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    recent: Vec<PaneKind>,
}

impl Focus {
    /// Focus on a pane, with no past.
    pub fn new(pane: PaneKind) -> Focus {
        Focus { recent: vec![pane] }
    }

    /// The pane that has focus.
    pub fn pane(&self) -> PaneKind {
        self.recent[0]
    }

    /// Focuses another pane.
    pub fn go(&mut self, pane: PaneKind) {
        self.recent.retain(|other| *other != pane);
        self.recent.insert(0, pane);
    }
}

impl Layout {
    /// The layout that is built in.
    pub fn overview() -> Layout {
        Layout::parse(include_str!("../../layouts/overview.toml")).expect("a test reads this file")
    }

    /// Reads a layout file. The error says what to write instead.
    pub fn parse(text: &str) -> Result<Layout> {
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return wrong(error.to_string()),
        };
        if file.schema != 1 {
            return wrong(format!("schema {}: this program reads schema 1", file.schema));
        }
        let mut panes = Vec::new();
        for id in file.pane.keys() {
            panes.push(known_pane(id)?);
        }
        panes.sort_unstable();
        let variants: Vec<Variant> = file
            .variant
            .iter()
            .map(|variant| read_variant(variant, &panes))
            .collect::<Result<_>>()?;
        let focus = known_pane(&file.focus)?;
        if !panes.contains(&focus) {
            return wrong(format!("focus: there is no [pane.{}]", focus.id()));
        }
        Ok(Layout { title: file.title, about: file.about, focus, panes, variants })
    }

    /// Places the panes on a screen of this size; `None` if it is smaller than [`SMALLEST`].
    pub fn solve(&self, screen: Rect) -> Option<Solved> {
        if screen.width < SMALLEST.width || screen.height < SMALLEST.height {
            return None;
        }
        let header = Rect { height: 1, ..screen };
        let hints = Rect { y: screen.bottom() - 1, height: 1, ..screen };
        let body = Rect { y: screen.y + 1, height: screen.height - 2, ..screen };
        let fitting = self
            .variants
            .iter()
            .find_map(|variant| Some((variant.name.clone(), variant.solve(body)?)));
        let (variant, places) = fitting.unwrap_or_else(|| {
            let stack = Placed { rect: body, panes: self.panes.clone() };
            ("stack".to_owned(), vec![stack])
        });
        Some(Solved { variant, header, places, hints })
    }
}

impl Variant {
    /// The areas within `body`, or nothing if one of them would be too small.
    fn solve(&self, body: Rect) -> Option<Vec<Placed>> {
        let columns = solve_tracks(&self.columns, body.width)?;
        let rows = solve_tracks(&self.rows, body.height)?;
        let place = |area: &Area| {
            let (x, width) = stretch(&columns[area.columns.clone()])?;
            let (y, height) = stretch(&rows[area.rows.clone()])?;
            let rect = Rect::new(body.x + x, body.y + y, width, height);
            let room = |pane: &PaneKind| {
                let smallest = pane.smallest();
                width >= smallest.width && height >= smallest.height
            };
            let fits = area.panes.iter().all(room);
            fits.then(|| Placed { rect, panes: area.panes.clone() })
        };
        self.areas.iter().map(place).collect()
    }
}

/// Start and length of a run of tracks.
fn stretch(tracks: &[(u16, u16)]) -> Option<(u16, u16)> {
    let (first, last) = (tracks.first()?, tracks.last()?);
    Some((first.0, last.0 + last.1 - first.0))
}

/// Start and length of each track within `total` cells, or nothing if they do not fit.
fn solve_tracks(tracks: &[Track], total: u16) -> Option<Vec<(u16, u16)>> {
    let joints = tracks.windows(2).filter(|pair| share_border(pair[0], pair[1])).count();
    let lengths = share_out(tracks, i64::from(total) + joints as i64)?;
    let mut solved = Vec::new();
    let mut start = 0;
    for (at, &length) in lengths.iter().enumerate() {
        if at > 0 && share_border(tracks[at - 1], tracks[at]) {
            start -= 1;
        }
        // A border on both sides is the least that a track with borders can be.
        if tracks[at] != Track::Cells(1) && length < 2 {
            return None;
        }
        solved.push((u16::try_from(start).ok()?, u16::try_from(length).ok()?));
        start += length;
    }
    (start <= i64::from(total)).then_some(solved)
}

fn share_border(a: Track, b: Track) -> bool {
    a != Track::Cells(1) && b != Track::Cells(1)
}

/// The length of each track. Tracks whose share would be below their minimum get the minimum, and
/// the others share what is left; rounding goes down along the running sum, so that it adds up.
fn share_out(tracks: &[Track], total: i64) -> Option<Vec<i64>> {
    let mut lengths: Vec<Option<i64>> = tracks
        .iter()
        .map(|track| match track {
            Track::Cells(cells) => Some(i64::from(*cells)),
            Track::Share { .. } => None,
        })
        .collect();
    loop {
        let left = total - lengths.iter().flatten().sum::<i64>();
        let open = |at: usize| match (tracks[at], lengths[at]) {
            (Track::Share { smallest, share }, None) => Some((at, smallest.into(), share.into())),
            _ => None,
        };
        let open: Vec<(usize, i64, i64)> = (0..tracks.len()).filter_map(open).collect();
        let shares: i64 = open.iter().map(|(_, _, share)| share).sum();
        if left < 0 {
            return None;
        }
        let short = open.iter().find(|(_, smallest, share)| left * share < smallest * shares);
        if let Some(&(at, smallest, _)) = short {
            lengths[at] = Some(smallest);
            continue;
        }
        let mut sum = 0;
        for (at, _, share) in open {
            lengths[at] = Some((sum + share) * left / shares - sum * left / shares);
            sum += share;
        }
        return lengths.into_iter().collect();
    }
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    title: String,
    #[serde(default)]
    about: String,
    focus: String,
    pane: BTreeMap<String, PaneFile>,
    variant: Vec<VariantFile>,
}

/// What can be said of a pane; nothing so far.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaneFile {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantFile {
    name: String,
    columns: Vec<String>,
    rows: Vec<String>,
    areas: Vec<String>,
    #[serde(default)]
    tabs: BTreeMap<String, Vec<String>>,
}

fn known_pane(id: &str) -> Result<PaneKind> {
    if let Some(pane) = PaneKind::ALL.into_iter().find(|pane| pane.id() == id) {
        return Ok(pane);
    }
    let known: Vec<&str> = PaneKind::ALL.iter().map(|pane| pane.id()).collect();
    let near = known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a, id).total_cmp(&strsim::jaro_winkler(b, id)));
    let near = near.filter(|near| strsim::jaro_winkler(near, id) > 0.7);
    let advice = near.map(|near| format!("   (did you mean '{near}'?)")).unwrap_or_default();
    wrong(format!("pane '{id}' is unknown; known: {}{advice}", known.join(", ")))
}

fn read_track(text: &str) -> Result<Track> {
    let share = |text: &str| text.strip_suffix("fr")?.parse().ok().filter(|share| *share > 0);
    let cells = |text: &str| text.parse().ok().filter(|cells| *cells > 0);
    let track = match text.split_once("..") {
        Some((smallest, rest)) => cells(smallest)
            .zip(share(rest))
            .map(|(smallest, share)| Track::Share { smallest, share }),
        None => cells(text)
            .map(Track::Cells)
            .or_else(|| share(text).map(|share| Track::Share { smallest: 0, share })),
    };
    track.ok_or_else(|| {
        let forms = r#"write a number of cells ("9"), a share ("1fr") or "8..1fr""#;
        LayoutError(format!("size '{text}': {forms}"))
    })
}

fn read_variant(file: &VariantFile, declared: &[PaneKind]) -> Result<Variant> {
    let name = &file.name;
    let tracks =
        |texts: &[String]| texts.iter().map(|text| read_track(text)).collect::<Result<Vec<_>>>();
    let (columns, rows) = (tracks(&file.columns)?, tracks(&file.rows)?);
    let grid: Vec<Vec<&str>> =
        file.areas.iter().map(|line| line.split_whitespace().collect()).collect();
    if grid.len() != rows.len() {
        return wrong(format!("variant {name}: areas needs {} lines, one a row", rows.len()));
    }
    if grid.iter().any(|line| line.len() != columns.len()) {
        let words = columns.len();
        return wrong(format!("variant {name}: every line of areas needs {words} words"));
    }
    let mut areas = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for word in grid.iter().flatten().filter(|word| **word != ".") {
        if !words.contains(word) {
            words.push(word);
            areas.push(read_area(file, &grid, word)?);
        }
    }
    let mut placed: Vec<PaneKind> = Vec::new();
    for pane in areas.iter().flat_map(|area| &area.panes) {
        if !declared.contains(pane) {
            return wrong(format!("variant {name}: there is no [pane.{}]", pane.id()));
        }
        if placed.contains(pane) {
            return wrong(format!("variant {name}: pane '{}' stands twice", pane.id()));
        }
        placed.push(*pane);
    }
    Ok(Variant { name: name.clone(), columns, rows, areas })
}

fn read_area(file: &VariantFile, grid: &[Vec<&str>], word: &str) -> Result<Area> {
    let name = &file.name;
    let rows = span(grid.iter().map(|line| line.contains(&word)));
    let width = grid.first().map_or(0, Vec::len);
    let columns = span((0..width).map(|at| grid.iter().any(|line| line[at] == word)));
    let whole = grid[rows.clone()]
        .iter()
        .all(|line| line[columns.clone()].iter().all(|other| *other == word));
    if !whole {
        return wrong(format!("variant {name}: area '{word}' is not a rectangle"));
    }
    let panes = match file.tabs.get(word) {
        Some(tabs) if tabs.is_empty() => {
            return wrong(format!("variant {name}: tabs.{word} names no pane"));
        }
        Some(tabs) => tabs.iter().map(|tab| known_pane(tab)).collect::<Result<_>>(),
        None => known_pane(word).map(|pane| vec![pane]),
    };
    let panes = panes.map_err(|LayoutError(why)| LayoutError(format!("variant {name}: {why}")))?;
    Ok(Area { columns, rows, panes })
}

/// From the first to the last that is true.
fn span(flags: impl Iterator<Item = bool>) -> Range<usize> {
    let mut range = 0..0;
    for (at, _) in flags.enumerate().filter(|(_, flag)| *flag) {
        if range.is_empty() {
            range.start = at;
        }
        range.end = at + 1;
    }
    range
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boxes(width: u16, height: u16) -> String {
        let Some(solved) = Layout::overview().solve(Rect::new(0, 0, width, height)) else {
            return "too small".to_owned();
        };
        let place = |place: &Placed| {
            let Rect { x, y, width, height } = place.rect;
            let names: Vec<&str> = place.panes.iter().map(|pane| pane.id()).collect();
            format!(" {}={width}x{height}@{x},{y}", names.join("+"))
        };
        format!("{}:{}", solved.variant, solved.places.iter().map(place).collect::<String>())
    }

    #[test]
    fn the_overview_is_solved_at_the_usual_sizes() {
        assert_eq!(
            boxes(200, 60),
            "wide: nodes=47x9@0,1 consensus=123x14@46,1 network=32x12@168,1 ring=47x47@0,9 \
             events=32x33@168,12 locks=123x9@46,14 txn=123x34@46,22 checks=32x12@168,44 \
             timeline=200x4@0,55"
        );
        assert_eq!(
            boxes(120, 36),
            "wide: nodes=47x9@0,1 consensus=43x14@46,1 network=32x12@88,1 ring=47x23@0,9 \
             events=32x13@88,12 locks=43x9@46,14 txn=43x10@46,22 checks=32x8@88,24 \
             timeline=120x4@0,31"
        );
        assert_eq!(
            boxes(120, 30),
            "low: nodes=47x9@0,1 consensus=43x12@46,1 network=32x12@88,1 ring=47x19@0,9 \
             locks+txn=43x16@46,12 events+checks=32x16@88,12 timeline=120x1@0,28"
        );
        let lower = "ring+locks+txn+network+events+checks";
        assert_eq!(
            boxes(100, 30),
            format!(
                "small: nodes=50x9@0,1 consensus=51x9@49,1 {lower}=100x19@0,9 \
                 timeline=100x1@0,28"
            )
        );
        assert_eq!(
            boxes(80, 24),
            format!(
                "small: nodes=40x9@0,1 consensus=41x9@39,1 {lower}=80x13@0,9 timeline=80x1@0,22"
            )
        );
        let all = "nodes+ring+consensus+locks+txn+network+events+timeline+checks";
        assert_eq!(boxes(60, 20), format!("stack: {all}=60x18@0,1"));
        assert_eq!(boxes(45, 14), format!("stack: {all}=45x12@0,1"));
        assert_eq!(boxes(40, 10), format!("stack: {all}=40x8@0,1"));
        assert_eq!(boxes(38, 9), "too small");
        assert_eq!(boxes(39, 100), "too small");
    }

    /// Every area lies inside the screen, between header and hint bar; areas share borders only.
    fn sound(layout: &Layout, screen: Rect) -> std::result::Result<(), String> {
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
    fn every_size_has_a_sound_layout() {
        let layout = Layout::overview();
        for width in 1..=300 {
            for height in 1..=100 {
                assert_eq!(sound(&layout, Rect::new(0, 0, width, height)), Ok(()));
            }
        }
        assert_eq!(sound(&layout, Rect::new(0, 0, u16::MAX, u16::MAX)), Ok(()));
        assert_eq!(sound(&layout, Rect::new(3, 7, 120, 36)), Ok(()));
    }

    fn error_after(from: &str, to: &str) -> String {
        let text = include_str!("../../layouts/overview.toml");
        assert!(text.contains(from), "{from}");
        Layout::parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_file_is_told_what_to_write() {
        assert_eq!(
            error_after(r#""8..1fr""#, r#""50%""#),
            r#"size '50%': write a number of cells ("9"), a share ("1fr") or "8..1fr""#
        );
        assert_eq!(
            error_after("ring     txn       checks", "txn      txn       checks"),
            "variant wide: area 'txn' is not a rectangle"
        );
        assert_eq!(
            error_after("[pane.locks]", "[pane.lokcs]"),
            "pane 'lokcs' is unknown; known: nodes, ring, consensus, locks, txn, network, events, \
             timeline, checks   (did you mean 'locks'?)"
        );
        assert_eq!(
            error_after("nodes    consensus network", "nodes    consensus"),
            "variant wide: every line of areas needs 3 words"
        );
        assert_eq!(
            error_after(r#"["9", "1fr", "1"]"#, r#"["9", "1fr"]"#),
            "variant small: areas needs 2 lines, one a row"
        );
        assert_eq!(error_after("[pane.txn]\n", ""), "variant wide: there is no [pane.txn]");
        assert_eq!(
            error_after(r#"["locks", "txn"]"#, r#"["locks", "ring"]"#),
            "variant low: pane 'ring' stands twice"
        );
        assert_eq!(
            error_after(r#"["locks", "txn"]"#, "[]"),
            "variant low: tabs.middle names no pane"
        );
        assert_eq!(
            error_after("schema = 1", "schema = 2"),
            "schema 2: this program reads schema 1"
        );
        assert!(error_after("columns", "colums").contains("unknown field `colums`"));
    }

    #[test]
    fn tabs_come_to_the_front_when_focused_and_stay() {
        let solved = Layout::overview().solve(Rect::new(0, 0, 80, 24)).unwrap();
        let lower = &solved.places[2];
        let mut focus = Focus::new(PaneKind::Nodes);
        assert_eq!(lower.front(&focus), Some(PaneKind::Ring));
        focus.go(PaneKind::Txn);
        focus.go(PaneKind::Nodes);
        assert_eq!((focus.pane(), lower.front(&focus)), (PaneKind::Nodes, Some(PaneKind::Txn)));
        assert_eq!(solved.neighbour(PaneKind::Checks, true), PaneKind::Nodes);
        assert_eq!(solved.neighbour(PaneKind::Nodes, false), PaneKind::Checks);
        assert_eq!(solved.neighbour(PaneKind::Txn, true), PaneKind::Network);
    }

    #[test]
    fn zoom_gives_one_pane_the_whole_body() {
        let mut solved = Layout::overview().solve(Rect::new(0, 0, 120, 36)).unwrap();
        solved.zoom(PaneKind::Timeline);
        let rect = Rect::new(0, 1, 120, 34);
        assert_eq!(solved.places, [Placed { rect, panes: vec![PaneKind::Timeline] }]);
    }

    proptest! {
        /// A file with a few characters changed is refused or solved, never a panic.
        #[test]
        fn hostile_files_do_no_harm(
            changes in prop::collection::vec((0_usize..2000, "[ -~]{0,3}"), 1..4),
            (width, height) in (0_u16..300, 0_u16..100),
        ) {
            let mut text = include_str!("../../layouts/overview.toml").to_owned();
            for (at, with) in changes {
                let at = at % text.len();
                text.replace_range(at..=at, &with);
            }
            if let Ok(layout) = Layout::parse(&text) {
                prop_assert_eq!(sound(&layout, Rect::new(0, 0, width, height)), Ok(()));
            }
        }

        /// Any tracks at any length: they lie inside it in order, or do not fit.
        #[test]
        fn any_tracks_stay_inside(
            tracks in prop::collection::vec(prop_oneof![
                (1_u16..40).prop_map(Track::Cells),
                Just(Track::Cells(u16::MAX)),
                (0_u16..40, 1_u16..5)
                    .prop_map(|(smallest, share)| Track::Share { smallest, share }),
            ], 1..8),
            total in 0_u16..300,
        ) {
            if let Some(solved) = solve_tracks(&tracks, total) {
                let mut end = 0;
                for (at, (start, length)) in solved.into_iter().enumerate() {
                    let shared = u16::from(at > 0 && share_border(tracks[at - 1], tracks[at]));
                    prop_assert_eq!(start + shared, end);
                    end = start + length;
                }
                prop_assert!(end <= total);
            }
        }
    }
}
