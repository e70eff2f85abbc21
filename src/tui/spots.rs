//! Where on the screen what is, written down while it is drawn.
//!
//! Whoever draws something that can be pointed at says so here, with the rectangle that it has just
//! drawn. So a click hits what a person saw, and no second computation can disagree with the first.
//! What was drawn last lies on top.

use super::action::Action;
use super::layout::PaneId;
use super::select::{Pick, Select};
use ratatui::layout::{Position, Rect};
use std::cell::RefCell;

/// Something that can be pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A pane, borders included, or its tab.
    Pane(PaneId),
    /// Something in a pane that can be selected.
    Pick(Pick),
    /// What does the same as a key.
    Act(Action),
    /// What lies over the panes. A click beside it closes it.
    Overlay,
    /// A row of what lies over the panes, counted from 0.
    Row(usize),
}

/// All spots of the last picture.
#[derive(Clone, Debug, Default)]
pub struct Spots(RefCell<Vec<(Rect, Spot)>>);

impl Spots {
    /// A new picture begins.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// This was drawn here.
    pub fn add(&self, rect: Rect, spot: Spot) {
        self.0.borrow_mut().push((rect, spot));
    }

    /// What lies on top at a place.
    pub fn at(&self, place: Position) -> Option<Spot> {
        let spots = self.0.borrow();
        let found = spots.iter().rev().find(|(rect, _)| rect.contains(place));
        found.map(|(_, spot)| spot.clone())
    }

    /// The pane at a place.
    pub fn pane(&self, place: Position) -> Option<PaneId> {
        self.0.borrow().iter().rev().find_map(|(rect, spot)| match spot {
            Spot::Pane(pane) if rect.contains(place) => Some(*pane),
            _ => None,
        })
    }

    /// Where something that can be selected was drawn first.
    pub fn find(&self, pick: &Pick) -> Option<Rect> {
        let is = |spot: &Spot| matches!(spot, Spot::Pick(found) if found == pick);
        self.0.borrow().iter().find(|(_, spot)| is(spot)).map(|(rect, _)| *rect)
    }

    /// Whether something lies over the panes.
    pub fn is_covered(&self) -> bool {
        self.0.borrow().iter().any(|(_, spot)| *spot == Spot::Overlay)
    }

    /// Where the selected thing of a pane stands, as far as it can be seen.
    pub fn selected(&self, pane: PaneId, select: &Select) -> Option<Rect> {
        let spots = self.0.borrow();
        let within: Vec<Rect> =
            spots.iter().filter(|(_, s)| *s == Spot::Pane(pane)).map(|(rect, _)| *rect).collect();
        let here = |rect: &Rect| within.iter().any(|pane| pane.contains(rect.as_position()));
        spots.iter().find_map(|(rect, spot)| match spot {
            Spot::Pick(pick) if select.has(pick) && here(rect) => Some(*rect),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::NodeId;
    use crate::tui::layout::{Layout, PaneKind};

    #[test]
    fn what_was_drawn_last_lies_on_top() {
        let layout = Layout::overview();
        let (nodes, ring) = (layout.first(PaneKind::Nodes), layout.first(PaneKind::Ring));
        let spots = Spots::default();
        let node = Pick::Node(NodeId::node(2));
        spots.add(Rect::new(0, 0, 10, 5), Spot::Pane(nodes));
        spots.add(Rect::new(1, 2, 8, 1), Spot::Pick(node.clone()));
        assert_eq!(spots.at(Position::new(3, 2)), Some(Spot::Pick(node)));
        assert_eq!(spots.at(Position::new(3, 3)), Some(Spot::Pane(nodes)));
        assert_eq!(spots.at(Position::new(10, 3)), None);
        assert_eq!(spots.pane(Position::new(3, 2)), Some(nodes));
        let select = Select::new(NodeId::node(2), NodeId::node(1));
        let row = Some(Rect::new(1, 2, 8, 1));
        assert_eq!(spots.selected(nodes, &select), row);
        assert_eq!(spots.selected(ring, &select), None);
        spots.add(Rect::new(2, 1, 4, 3), Spot::Overlay);
        assert!(spots.is_covered());
        assert_eq!(spots.at(Position::new(3, 2)), Some(Spot::Overlay));
    }
}
