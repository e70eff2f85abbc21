//! What the mouse does. Everything it can do, keys can do as well.
//!
//! A click hits what was drawn: it asks the [`crate::tui::spots::Spots`] of the last picture.

use super::App;
use crate::base::{Span, Time};
use crate::tui::action::Action;
use crate::tui::faults::Page;
use crate::tui::layout::PaneKind;
use crate::tui::overlay::Overlay;
use crate::tui::panes;
use crate::tui::screen::Mouse;
use crate::tui::select::{Move, Pick};
use crate::tui::spots::Spot;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// How many rows a notch of the wheel moves.
const NOTCH: usize = 3;

impl App {
    /// What the terminal should tell of the mouse. Movements are told only while they drag
    /// something: over a slow line they are noise.
    pub fn mouse_wanted(&self) -> Mouse {
        match (self.mouse_off, self.dragging || self.pulled.is_some()) {
            (true, _) => Mouse::Off,
            (false, false) => Mouse::Clicks,
            (false, true) => Mouse::Drags,
        }
    }

    /// What the mouse does. `again` says that it is the second click of a double click.
    pub fn mouse(&mut self, event: &MouseEvent, again: bool) {
        let place = Position::new(event.column, event.row);
        match event.kind {
            _ if self.mouse_off || self.layout.solve(self.screen).is_none() => {}
            MouseEventKind::Down(MouseButton::Left) => self.click(place, again),
            MouseEventKind::Down(MouseButton::Right) if !self.spots.is_covered() => {
                self.point(place);
                self.open_faults(Page::All);
            }
            MouseEventKind::Up(MouseButton::Left) => self.let_go(),
            MouseEventKind::Drag(MouseButton::Left) if self.dragging => self.scrub(place),
            MouseEventKind::Drag(MouseButton::Left) => self.pull(place),
            MouseEventKind::ScrollUp => self.wheel(place, Move::Up),
            MouseEventKind::ScrollDown => self.wheel(place, Move::Down),
            _ => {}
        }
    }

    /// Lets the terminal have the mouse, or takes it back.
    pub(super) fn toggle_mouse(&mut self) {
        self.mouse_off = !self.mouse_off;
        self.dragging = false;
        self.say(match self.mouse_off {
            true => "mouse off: the terminal selects text; M takes the mouse back",
            false => "mouse on; with Shift held, most terminals still select text",
        });
    }

    fn click(&mut self, place: Position, again: bool) {
        self.notice = None;
        let spot = self.spots.at(place);
        if self.spots.is_covered() {
            return self.click_over(spot);
        }
        match spot {
            Some(Spot::Act(action)) => return self.act(action),
            Some(Spot::Pick(Pick::Moment(time))) => {
                self.point(place);
                self.dragging = true;
                return self.go_to(time);
            }
            _ => self.point(place),
        }
        if !self.is_deep() {
            self.pulled = self.layout.border(self.screen, place);
        }
        match spot {
            Some(Spot::Pick(_)) if again => self.enter(),
            Some(Spot::Pane(_)) if again => self.zoom = !self.zoom,
            _ => {}
        }
    }

    pub(super) fn let_go(&mut self) {
        self.dragging = false;
        self.pulled = None;
    }

    /// The border that the mouse holds goes where the mouse goes, as far as it can.
    fn pull(&mut self, place: Position) {
        if let Some(border) = self.pulled {
            self.layout.pull(self.screen, border, place);
        }
    }

    /// A click while something lies over the panes; beside it, it closes that.
    fn click_over(&mut self, spot: Option<Spot>) {
        match (&mut self.overlay, spot) {
            (_, Some(Spot::Row(at))) if self.prompt.is_open() => self.point_at_offer(at),
            (Some(Overlay::List(list)), Some(Spot::Row(row))) => {
                let of = list.of;
                list.at = row;
                self.try_theme();
                self.overlay = None;
                self.take(of, row, None);
            }
            (_, Some(Spot::Row(at))) => self.point_at_fault(at),
            (_, Some(Spot::Overlay)) => {}
            _ => self.uncover(),
        }
    }

    /// The wheel turns while something lies over the panes.
    fn wheel_over(&mut self, to: Move) {
        let action = if to == Move::Up { Action::Up } else { Action::Down };
        if self.prompt.is_open() {
            let offers = self.offers().0.len();
            return self.prompt.wheel(to == Move::Down, offers);
        }
        self.wheel_over_faults(to == Move::Down);
        for _ in 0..NOTCH {
            self.overlay.iter_mut().for_each(|overlay| overlay.wheel(action));
        }
        self.try_theme();
        self.bound_scroll();
    }

    /// Focuses the pane at a place, and selects what is there.
    pub(super) fn point(&mut self, place: Position) {
        if let Some(pane) = self.spots.pane(place) {
            self.focus.go(pane);
        }
        if let Some(Spot::Pick(pick)) = self.spots.at(place) {
            self.select.pick(&pick);
        }
    }

    /// Follows the mouse along the scrubber; beside it, nothing happens.
    fn scrub(&mut self, place: Position) {
        if let Some(Spot::Pick(Pick::Moment(time))) = self.spots.at(place) {
            self.go_to(time);
        }
    }

    /// Looks at a moment; from the end of the run on, at what happens now.
    fn go_to(&mut self, time: Time) {
        match time < self.timeline.viewed().end().now {
            true => self.look(|timeline| timeline.seek_time(time)),
            false => self.timeline.live(),
        }
    }

    /// Goes through time, by one event at the least. The selected event would hold its window back.
    fn go_by(&mut self, span: Span, to: Move) {
        self.select.event = None;
        let (now, before) = (self.timeline.board().now, self.timeline.position());
        self.go_to(if to == Move::Up { now - span } else { now + span });
        let stuck = self.timeline.position() == before && !self.timeline.is_live();
        if to == Move::Down && stuck {
            self.look(|timeline| timeline.step(1));
        }
    }

    /// Scrolls what is under the pointer, without moving the focus.
    fn wheel(&mut self, place: Position, to: Move) {
        if self.spots.is_covered() {
            return self.wheel_over(to);
        }
        let pane = self.spots.pane(place);
        match pane.map(|pane| (pane, self.layout.pane(pane).kind)) {
            Some((pane, PaneKind::Timeline)) => {
                panes::pane(PaneKind::Timeline).scale(self.modes.of_mut(pane), to == Move::Up);
            }
            Some((pane, kind)) => {
                if let Some(span) = panes::pane(kind).notch(self.modes.of(pane)) {
                    return self.go_by(span, to);
                }
                for _ in 0..NOTCH {
                    self.select = panes::pane(kind).select(&self.scene(pane), to);
                }
            }
            None => {}
        }
    }
}
