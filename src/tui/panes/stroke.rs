//! Lines of messages, in the dots of a cell: two by four in braille, one by two in half blocks.

use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Painter, Shape};

/// Dots of a cell, across and down.
pub(super) fn dots(marker: Marker) -> (i32, i32) {
    match marker {
        Marker::Braille => (2, 4),
        _ => (1, 2),
    }
}

/// A straight line, in dots from the left upper corner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    pub from: (i32, i32),
    pub to: (i32, i32),
    /// Of how many dots the second half is missing; 0 is a line without gaps.
    pub dash: i32,
    /// Whether it is two dots thick.
    pub thick: bool,
    pub color: Color,
    /// How many dots there are, across and down.
    pub size: (i32, i32),
}

impl Stroke {
    fn points(&self) -> impl Iterator<Item = (i32, i32)> + '_ {
        let (dx, dy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let steps = dx.abs().max(dy.abs()).max(1);
        let at = move |step: i32| {
            let along = |from: i32, length: i32| {
                let scaled = 2 * i64::from(length) * i64::from(step) + i64::from(steps);
                from + scaled.div_euclid(2 * i64::from(steps)) as i32
            };
            (along(self.from.0, dx), along(self.from.1, dy))
        };
        let drawn = move |step: &i32| self.dash == 0 || step % self.dash < (self.dash + 1) / 2;
        (0..=steps).filter(drawn).map(at)
    }
}

impl Shape for Stroke {
    fn draw(&self, painter: &mut Painter<'_, '_>) {
        let inside =
            |(x, y): &(i32, i32)| (0..self.size.0).contains(x) && (0..self.size.1).contains(y);
        let thick = i32::from(self.thick);
        for (x, y) in self.points() {
            for place in (0..=thick).map(|more| (x + more, y)).filter(inside) {
                painter.paint(place.0 as usize, place.1 as usize, self.color);
            }
        }
    }
}
