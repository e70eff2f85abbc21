//! The panes: each draws one side of the board, and says what is selected in it.
//!
//! A pane is a value without state. It is shown a [`Scene`], draws it, and that is all it can do:
//! drawing cannot change anything. What is selected lives in [`Select`], the same for all panes;
//! how a pane is shown lives in its [`Mode`].
//!
//! Every pane can also be read as a list: one line of plain text for each item, for whoever sees no
//! pictures, or wants to copy them.

mod balance;
mod cache;
mod charts;
mod checks;
mod clients;
mod consensus;
mod events;
mod files;
pub(super) mod inspect;
mod isolation;
mod list;
mod locks;
mod narration;
mod network;
mod nodes;
mod replicas;
mod ring;
mod row;
mod sagas;
mod spacetime;
mod stroke;
mod table;
mod timeline;
mod txn;

pub use events::FILTER;
pub use list::{Item, Mark};
pub(super) use table::{clock, thousands};
pub(super) use timeline::{branch_head, branch_row, mark_look};

use super::frame::Title;
use super::layout::PaneKind;
use super::mode::{Choice, LIST, Mode};
use super::select::{Move, Pick, Select, Target};
use super::source::Links;
use super::spots::{Spot, Spots};
use super::story::Story;
use super::theme::Look;
use crate::base::{NodeId, Span};
use crate::check::Checks;
use crate::event::Event;
use crate::view::Board;
use crate::view::timeline::Timeline;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// All that a pane may read.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The cluster, at the cursor.
    pub board: &'a Board,
    /// The run as recorded: events, marks, branches, the cursor.
    pub timeline: &'a Timeline,
    /// How the checks stand at the cursor.
    pub checks: &'a Checks,
    /// Colours and glyphs.
    pub look: &'a Look,
    /// Whether the cluster's time is real time, so that the past is there to look at only.
    pub live: bool,
    /// Which processes of a live cluster can be seen now.
    pub links: &'a Links,
    /// What is selected.
    pub select: &'a Select,
    /// In which view the pane is shown, and what was chosen for it.
    pub mode: &'a Mode,
    /// Takes down what is drawn where, so that it can be pointed at.
    pub spots: &'a Spots,
    /// Whether this pane has the whole screen, and should show more.
    pub zoomed: bool,
    /// Whether keys go to this pane.
    pub focused: bool,
    /// The scenario that is told, if one is.
    pub story: Option<&'a Story>,
}

impl Scene<'_> {
    /// What has just been drawn here can be selected by pointing at it.
    pub fn spot(&self, rect: Rect, pick: Pick) {
        self.spots.add(rect, Spot::Pick(pick));
    }
}

/// One side of the board.
pub trait Pane: Sync {
    /// What one sees in it, in a few sentences for help.
    fn about(&self) -> &'static str;

    /// Its views but the list, the first one first. There is one at least.
    fn views(&self) -> &'static [&'static str];

    /// What can be chosen in its options menu.
    fn options(&self) -> &'static [Choice] {
        &[]
    }

    /// What it shows as plain text, one item after the other, in the order in which the selection
    /// moves.
    fn list(&self, scene: &Scene<'_>) -> Vec<Item>;

    /// What its top border says: the name, a summary on the right, and whether it shows trouble
    /// that its tab must call for attention to.
    fn title(&self, scene: &Scene<'_>) -> Title;

    /// Draws it inside its borders. The area may be of any size, also empty.
    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer);

    /// The selection after a move.
    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let _ = to;
        scene.select.clone()
    }

    /// Shows less of time or space, closer, or more of it. Nothing where there is but one scale.
    fn scale(&self, mode: &mut Mode, closer: bool) {
        let _ = (mode, closer);
    }

    /// How much time a notch of the wheel passes by, in a pane across which time runs.
    fn notch(&self, mode: &Mode) -> Option<Span> {
        let _ = mode;
        None
    }

    /// What verbs act on.
    fn target(&self, scene: &Scene<'_>) -> Target {
        Target::Node(scene.select.node)
    }

    /// The event that the selected row tells of, as an index of the run.
    fn moment(&self, scene: &Scene<'_>) -> Option<usize> {
        let _ = scene;
        None
    }
}

/// What the top border of a pane says: its view, too, if it is not the first.
pub fn title(kind: PaneKind, scene: &Scene<'_>) -> Title {
    let pane = pane(kind);
    let mut title = pane.title(scene);
    if scene.mode.is_turned() {
        let name = title.name.unwrap_or_else(|| kind.title().to_owned());
        title.name = Some(format!("{name} ({})", scene.mode.view(pane.views())));
    }
    title
}

/// Draws a pane in its view inside its borders. The area may be of any size, also empty.
pub fn draw(kind: PaneKind, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let pane = pane(kind);
    match scene.mode.view(pane.views()) {
        LIST => list::draw(scene, &pane.list(scene), area, buf),
        _ => pane.draw(scene, area, buf),
    }
}

/// What one sees in a pane, and how else it can be shown, in a few sentences for help.
pub fn about(kind: PaneKind) -> String {
    let pane = pane(kind);
    let views = pane.views().join(", ");
    let mut text = format!("{}\nViews: {views}, {LIST}.", pane.about());
    for (at, choice) in pane.options().iter().enumerate() {
        text.push_str(if at == 0 { " Options: " } else { ", " });
        text.push_str(choice.doc);
    }
    if !pane.options().is_empty() {
        text.push('.');
    }
    text
}

/// Whether an event matters enough for a row of its own. What all replicas say alike is taken from
/// the leader.
pub(super) fn is_worth_a_row(leader: Option<NodeId>, event: &Event) -> bool {
    events::shown(false, leader, event)
}

/// The pane of a kind.
pub fn pane(kind: PaneKind) -> &'static dyn Pane {
    match kind {
        PaneKind::Nodes => &nodes::Nodes,
        PaneKind::Ring => &ring::Circle,
        PaneKind::Network => &network::Links,
        PaneKind::Checks => &checks::Standings,
        PaneKind::Consensus => &consensus::Consensus,
        PaneKind::Events => &events::Events,
        PaneKind::Locks => &locks::Locks,
        PaneKind::Txn => &txn::Transactions,
        PaneKind::SpaceTime => &spacetime::SpaceTime,
        PaneKind::Charts => &charts::Charts,
        PaneKind::Clients => &clients::Clients,
        PaneKind::Narration => &narration::Narration,
        PaneKind::Balance => &balance::Backends,
        PaneKind::Replicas => &replicas::Replicas,
        PaneKind::Cache => &cache::Caches,
        PaneKind::Sagas => &sagas::Sagas,
        PaneKind::Files => &files::Files,
        PaneKind::Isolation => &isolation::Openings,
        _ => &timeline::Scrubber,
    }
}

#[cfg(test)]
mod album;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pane_has_a_view_and_no_option_takes_a_key_from_the_menu() {
        for kind in PaneKind::ALL {
            let pane = pane(kind);
            assert!(!pane.views().is_empty() && !pane.views().contains(&LIST), "{kind:?}");
            let mut keys: Vec<char> = "soq?".chars().collect();
            for choice in pane.options() {
                assert!(!keys.contains(&choice.key), "{kind:?} {choice:?}");
                keys.push(choice.key);
            }
            assert!(about(kind).contains("list."));
        }
    }
}
