//! Where the panes are: a grid of words, read from TOML and solved for a size.
//!
//! A layout is drawn, not nested. Each line of `areas` is a row of the grid and each word in it
//! names a pane, or a stack of panes shown as tabs; the same word in neighbouring cells is one
//! area, a dot is an empty cell. Row heights and column widths are *tracks*: `"9"` cells, `"1fr"` a
//! share of what is left, `"8..1fr"` a share with a minimum. There are no percentages. Neighbours
//! share their border, so tracks overlap by one cell, except that a track of `"1"` has no border
//! and overlaps nothing.
//!
//! ```toml
//! schema = 1
//! title  = "Cut"
//! about  = "Links as a matrix and as groups."   # what 'netsplit layouts' says of it
//! for    = ["paxos", "locks"]                   # which clusters it suits
//! focus  = "network"                            # the pane that keys go to at first
//! theme  = "projector"                          # unless the command line names another
//! [pane.network]                                # its kind is its name
//! [pane.groups]
//! kind  = "network"                             # two panes of one kind need two names
//! view  = "groups"
//! title = "Sides"
//! [pane.timeline]
//! [[variant]]
//! name    = "wide"
//! columns = ["2fr", "1fr"]
//! rows    = ["8..1fr", "1"]
//! areas   = ["network groups", "timeline timeline"]
//! ```
//!
//! A pane with a list of kinds, `kind = ["txn", "sagas", "cache"]`, is a *slot*: it is of the first
//! kind that the cluster has something for, and that no other pane shows, nor a slot above. A slot
//! for which there is none is left out: of its stack, or else its area goes to a neighbour that is
//! as wide or as high.
//!
//! A file has several variants for several sizes; the first in which every pane has its minimum is
//! taken. If none fits, all panes become one stack. A pane that a variant does not place is shown
//! alone when one goes to it, and so is a pane of a kind that the file does not name: every side of
//! the cluster can be reached in every layout. Row 1 and the last row of the screen belong to the
//! header and the hint bar. Solving is a pure function of the size, so a resize needs no care.

mod file;
mod kind;
mod library;
mod pull;
#[cfg(test)]
mod tests;
mod track;
mod write;

pub use kind::PaneKind;
pub use library::{Found, Library};
pub use pull::Border;

use super::mode::Mode;
use ratatui::layout::{Rect, Size};
use std::ops::Range;
use std::path::{Path, PathBuf};
use track::Track;

/// Below this nothing is drawn but a message.
pub const SMALLEST: Size = Size::new(40, 10);

/// One pane of a layout, by its place among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaneId(u8);

impl PaneId {
    /// The number in its title, which is the key that goes to it, if it is one of the first nine.
    pub fn number(self) -> Option<u8> {
        (self.0 < 9).then_some(self.0 + 1)
    }

    /// Its place among all panes of the layout, from 0.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// What a layout says of one of its panes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name in the file.
    pub id: String,
    /// What it shows.
    pub kind: PaneKind,
    /// Of a slot, what it may show, the best first; else nothing.
    slot: Vec<PaneKind>,
    /// Whether it is a slot for which the cluster has nothing.
    vacant: bool,
    /// Its name on the screen, if it is not that of its kind.
    pub title: Option<String>,
    /// How it is shown at first.
    pub mode: Mode,
}

impl Spec {
    /// A pane of this kind that nobody has said anything about.
    pub fn new(kind: PaneKind) -> Spec {
        let (id, mode) = (kind.id().to_owned(), Mode::default());
        Spec { id, kind, slot: Vec::new(), vacant: false, title: None, mode }
    }

    /// Its name on the screen, or what is to stand there where room is scarce.
    pub fn title(&self, short: bool) -> &str {
        match (&self.title, short) {
            (Some(title), _) => title,
            (None, true) => self.kind.short_title(),
            (None, false) => self.kind.title(),
        }
    }
}

/// A checked layout file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What it is called on the command line.
    pub name: String,
    /// Its name on the screen.
    pub title: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Which clusters it suits, in words for people.
    pub suits: Vec<String>,
    /// The theme that it asks for, if it does.
    pub theme: Option<String>,
    /// The pane that has focus at first.
    pub focus: PaneId,
    /// Where it was read from; none if it is built in.
    file: Option<PathBuf>,
    panes: Vec<Spec>,
    /// So many of the panes are named in the file, the others are of kinds that it leaves out.
    declared: usize,
    variants: Vec<Variant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Variant {
    name: String,
    columns: Vec<Track>,
    rows: Vec<Track>,
    areas: Vec<Area>,
}

/// Some cells of the grid, and the panes that share them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Area {
    word: String,
    columns: Range<usize>,
    rows: Range<usize>,
    panes: Vec<PaneId>,
}

/// One area on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where, borders included. One row high means without borders.
    pub rect: Rect,
    /// Whose it is; more than one pane share it as tabs.
    pub panes: Vec<PaneId>,
}

impl Placed {
    /// The pane to draw: of several, the one that was focused last.
    pub fn front(&self, focus: &Focus) -> Option<PaneId> {
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
    pub fn zoom(&mut self, pane: PaneId) {
        let (top, bottom) = (self.header.bottom(), self.hints.y);
        let rect = Rect { y: top, height: bottom - top, ..self.header };
        self.places = vec![Placed { rect, panes: vec![pane] }];
    }

    /// Whether the pane has a place, in front or as a tab.
    pub fn has(&self, pane: PaneId) -> bool {
        self.places.iter().any(|place| place.panes.contains(&pane))
    }

    /// The pane after `pane` by number, or before it, among those that have a place.
    pub fn neighbour(&self, pane: PaneId, forward: bool) -> PaneId {
        let mut panes: Vec<PaneId> =
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
    recent: Vec<PaneId>,
}

impl Focus {
    /// Focus on a pane, with no past.
    pub fn new(pane: PaneId) -> Focus {
        Focus { recent: vec![pane] }
    }

    /// The pane that has focus.
    pub fn pane(&self) -> PaneId {
        self.recent[0]
    }

    /// Panes that had focus, the last one first.
    pub fn recent(&self) -> &[PaneId] {
        &self.recent
    }

    /// Focuses another pane.
    pub fn go(&mut self, pane: PaneId) {
        self.recent.retain(|other| *other != pane);
        self.recent.insert(0, pane);
    }
}

impl Layout {
    /// The layout that is shown unless another is asked for.
    pub fn overview() -> Layout {
        library::builtin("overview").expect("a test reads this file")
    }

    /// Fills the slots for a cluster that has something to show in panes of these kinds.
    #[must_use]
    pub fn suited(mut self, shows: &[PaneKind]) -> Layout {
        self.panes.truncate(self.declared);
        let plain = self.panes.iter().filter(|spec| spec.slot.is_empty());
        let mut taken: Vec<PaneKind> = plain.map(|spec| spec.kind).collect();
        for spec in self.panes.iter_mut().filter(|spec| !spec.slot.is_empty()) {
            let free = |kind: &PaneKind| shows.contains(kind) && !taken.contains(kind);
            let found = spec.slot.iter().copied().find(free);
            spec.vacant = found.is_none();
            spec.kind = found.unwrap_or(spec.slot[0]);
            taken.extend(found);
        }
        self.complete()
    }

    /// Adds a pane of each kind that is in none yet.
    fn complete(mut self) -> Layout {
        let missing = |kind: &PaneKind| !self.panes.iter().any(|spec| spec.kind == *kind);
        let rest: Vec<Spec> = PaneKind::ALL.into_iter().filter(missing).map(Spec::new).collect();
        self.panes.extend(rest);
        self
    }

    /// Where it was read from; none if it is built in.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// All panes: those of the file in its order, then one of each kind that it leaves out.
    pub fn panes(&self) -> impl Iterator<Item = (PaneId, &Spec)> {
        (0..).map(PaneId).zip(&self.panes)
    }

    /// What is said of a pane.
    pub fn pane(&self, id: PaneId) -> &Spec {
        &self.panes[id.index()]
    }

    /// Whether the file names the pane, rather than leaving its kind out.
    pub fn declares(&self, pane: PaneId) -> bool {
        pane.index() < self.declared
    }

    /// The pane with this number.
    pub fn with_number(&self, number: u8) -> Option<PaneId> {
        self.panes().map(|(id, _)| id).find(|id| id.number() == Some(number))
    }

    /// The pane with this name.
    pub fn with_id(&self, name: &str) -> Option<PaneId> {
        self.panes().find(|(_, spec)| spec.id == name).map(|(id, _)| id)
    }

    /// The first pane of a kind.
    pub fn first(&self, kind: PaneKind) -> PaneId {
        let found = self.panes().find(|(_, spec)| spec.kind == kind);
        found.map_or(self.focus, |(id, _)| id)
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
            .find_map(|variant| Some((variant.name.clone(), variant.solve(body, &self.panes)?)));
        let (variant, places) = fitting.unwrap_or_else(|| {
            let panes = self.panes().take(self.declared).filter(|(_, spec)| !spec.vacant);
            let panes = panes.map(|(id, _)| id).collect();
            ("stack".to_owned(), vec![Placed { rect: body, panes }])
        });
        Some(Solved { variant, header, places, hints })
    }
}

impl Variant {
    /// The areas within `body`, or nothing if one of them would be too small.
    fn solve(&self, body: Rect, specs: &[Spec]) -> Option<Vec<Placed>> {
        let columns = track::solve(&self.columns, body.width)?;
        let rows = track::solve(&self.rows, body.height)?;
        let place = |area: &Area| {
            let (x, width) = stretch(&columns[area.columns.clone()])?;
            let (y, height) = stretch(&rows[area.rows.clone()])?;
            let rect = Rect::new(body.x + x, body.y + y, width, height);
            let enough = |pane: &PaneId| {
                let smallest = specs[pane.index()].kind.smallest();
                width >= smallest.width && height >= smallest.height
            };
            let fits = area.panes.iter().all(enough);
            fits.then(|| Placed { rect, panes: area.panes.clone() })
        };
        self.filled(specs).iter().map(place).collect()
    }

    /// The areas without slots that are left out, which are widened into where nothing is left.
    fn filled(&self, specs: &[Spec]) -> Vec<Area> {
        let mut areas = self.areas.clone();
        areas.iter_mut().for_each(|area| area.panes.retain(|pane| !specs[pane.index()].vacant));
        let (mut areas, bare): (Vec<Area>, Vec<Area>) =
            areas.into_iter().partition(|area| !area.panes.is_empty());
        for gap in bare {
            if let Some(area) = areas.iter_mut().find(|area| area.adjoins(&gap)) {
                area.columns = union(&area.columns, &gap.columns);
                area.rows = union(&area.rows, &gap.rows);
            }
        }
        areas
    }
}

impl Area {
    /// Whether both make one rectangle.
    fn adjoins(&self, other: &Area) -> bool {
        let meet = |a: &Range<usize>, b: &Range<usize>| a.end == b.start || b.end == a.start;
        (self.columns == other.columns && meet(&self.rows, &other.rows))
            || (self.rows == other.rows && meet(&self.columns, &other.columns))
    }
}

/// From the first of both to the last of both.
fn union(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

/// Start and length of a run of tracks.
fn stretch(tracks: &[(u16, u16)]) -> Option<(u16, u16)> {
    let (first, last) = (tracks.first()?, tracks.last()?);
    Some((first.0, last.0 + last.1 - first.0))
}
