//! Tracks: the widths of columns and the heights of rows, and how a length is shared out to them.

use std::fmt;
use std::str::FromStr;

/// The width of a column or the height of a row, borders included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    /// So many cells.
    Cells(u16),
    /// A share of what is left, but at least so many cells.
    Share { smallest: u16, share: u16 },
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Track::Cells(cells) => write!(f, "{cells}"),
            Track::Share { smallest: 0, share } => write!(f, "{share}fr"),
            Track::Share { smallest, share } => write!(f, "{smallest}..{share}fr"),
        }
    }
}

impl FromStr for Track {
    type Err = ();

    fn from_str(text: &str) -> Result<Track, ()> {
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
        track.ok_or(())
    }
}

/// Start and length of each track within `total` cells, or nothing if they do not fit.
pub(super) fn solve(tracks: &[Track], total: u16) -> Option<Vec<(u16, u16)>> {
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

/// Whether neighbours overlap by a cell. A track of one cell has no border to share.
pub(super) fn share_border(a: Track, b: Track) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_track_prints_as_it_is_read() {
        for text in ["1", "47", "1fr", "3fr", "8..1fr"] {
            assert_eq!(text.parse::<Track>().map(|track| track.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "0", "50%", "0fr", "8..", "..1fr", "8..9", "-1", "70000", "1 fr"] {
            assert_eq!(text.parse::<Track>(), Err(()), "{text}");
        }
    }

    proptest! {
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
            if let Some(solved) = solve(&tracks, total) {
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
