//! The panes: each draws one side of the board, and says what is selected in it.
//!
//! A pane is a value without state. It is shown a [`Scene`], draws it, and that is all it can do:
//! drawing cannot change anything. What is selected lives in [`Select`], the same for all panes.

mod checks;
mod consensus;
mod events;
mod locks;
mod network;
mod nodes;
mod ring;
mod row;
mod table;
mod timeline;
mod txn;

pub(super) use table::thousands;

use super::frame::Title;
use super::layout::PaneKind;
use super::select::{Move, Select, Target};
use super::source::Links;
use super::theme::Look;
use crate::check::Checks;
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
    /// What the checks found in the whole run.
    pub checks: &'a Checks,
    /// Colours and glyphs.
    pub look: &'a Look,
    /// Whether the cluster's time is real time, so that the past is there to look at only.
    pub live: bool,
    /// Which processes of a live cluster can be seen now.
    pub links: &'a Links,
    /// What is selected.
    pub select: &'a Select,
    /// Whether this pane has the whole screen, and should show more.
    pub zoomed: bool,
    /// Whether keys go to this pane.
    pub focused: bool,
}

/// One side of the board.
pub trait Pane: Sync {
    /// What one sees in it, in a few sentences for help.
    fn about(&self) -> &'static str;

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

    /// What verbs act on.
    fn target(&self, scene: &Scene<'_>) -> Target {
        Target::Node(scene.select.node)
    }
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
        _ => &timeline::Scrubber,
    }
}

#[cfg(test)]
mod sample;
