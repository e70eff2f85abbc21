//! Pulling a border: the panes on its two sides change their sizes until the layout is left.

use super::track::{self, Track};
use super::{Layout, Solved};
use ratatui::layout::{Position, Rect};

/// A border between two tracks: which of the two directions, and the track that begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border {
    across: bool,
    track: usize,
}

impl Layout {
    /// The border at a place of a screen of this size, if there is one that can be pulled.
    pub fn border(&self, screen: Rect, place: Position) -> Option<Border> {
        let solved = self.solve(screen)?;
        let variant = self.variants.iter().find(|variant| variant.name == solved.variant)?;
        let body = body(&solved);
        let edges = solved.places.iter().map(|place| place.rect);
        let edges: Vec<Rect> = edges.filter(|rect| rect.contains(place)).collect();
        let at = |start: u16, across: bool| {
            let (tracks, from, length) = match across {
                true => (&variant.rows, body.y, body.height),
                false => (&variant.columns, body.x, body.width),
            };
            let starts = track::solve(tracks, length)?;
            let track = starts.iter().position(|(at, _)| from + at == start)?;
            let shared = track > 0 && track::share_border(tracks[track - 1], tracks[track]);
            shared.then_some(Border { across, track })
        };
        let side = edges.iter().find(|rect| rect.x == place.x && rect.y < place.y);
        let top = edges.iter().find(|rect| rect.y == place.y);
        match (side, top) {
            (Some(rect), _) => at(rect.x, false),
            (None, Some(rect)) => at(rect.y, true),
            (None, None) => None,
        }
    }

    /// Moves a border to a place, as far as every pane keeps its minimum. Says whether it moved.
    pub fn pull(&mut self, screen: Rect, border: Border, to: Position) -> bool {
        let Some(solved) = self.solve(screen) else { return false };
        let body = body(&solved);
        let Some(index) = self.variants.iter().position(|v| v.name == solved.variant) else {
            return false;
        };
        let mut pulled = self.variants[index].clone();
        let moved = match border.across {
            true => shift(&mut pulled.rows, border.track, body.height, to.y.saturating_sub(body.y)),
            false => {
                shift(&mut pulled.columns, border.track, body.width, to.x.saturating_sub(body.x))
            }
        };
        let fits = moved.is_some() && pulled.solve(body, &self.panes).is_some();
        if fits {
            self.variants[index] = pulled;
        }
        fits
    }
}

/// What lies between header and hint bar.
fn body(solved: &Solved) -> Rect {
    let (top, bottom) = (solved.header.bottom(), solved.hints.y);
    Rect { y: top, height: bottom.saturating_sub(top), ..solved.header }
}

/// Lets a track begin at `to`: it and the one before it get other lengths, and no other track does.
/// The last track that shares what is left goes on to do so, or the screen could not grow.
fn shift(tracks: &mut [Track], at: usize, total: u16, to: u16) -> Option<()> {
    let solved = track::solve(tracks, total)?;
    let by = i32::from(to) - i32::from(solved.get(at)?.0);
    let mut shares = tracks.iter().filter(|track| matches!(track, Track::Share { .. })).count();
    for (index, by) in [(at - 1, by), (at, -by)] {
        let length = u16::try_from(i32::from(solved[index].1) + by).ok()?;
        let length = Some(length).filter(|length| *length > 1)?;
        match tracks[index] {
            Track::Share { .. } if shares == 1 => {}
            Track::Share { .. } => {
                tracks[index] = Track::Cells(length);
                shares -= 1;
            }
            Track::Cells(_) => tracks[index] = Track::Cells(length),
        }
    }
    Some(())
}
