//! From a run to bytes, and back.

use super::{About, Branch, Kind, Run, Seen, Story, View};
use crate::base::frame;
use serde::{Deserialize, Serialize};
use std::fmt;
use twox_hash::XxHash3_64;

/// The format that this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// What every file begins with.
pub(super) const TITLE: &[u8; 12] = b"netsplit run";
const HEADER: usize = 24;

/// What a frame holds.
#[derive(Debug, Serialize, Deserialize)]
enum Part {
    About(About),
    Branch(Branch),
    View(View),
    Seen(Seen),
    End,
}

/// Why bytes are no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// They do not begin like one.
    NoRun,
    /// They have this format, which is newer than the program.
    Newer(u32),
    /// At this place a frame was whole once, and is not.
    Broken(usize),
    /// The frame at this place is whole, but this program does not know what it says.
    Unknown(usize),
    /// From this place on there is nothing whole, and the run is not over.
    Short(usize),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::NoRun => f.write_str("it is not a saved run"),
            Damage::Newer(format) => {
                write!(f, "it has format {format}, and this program reads {FORMAT} at the most")
            }
            Damage::Broken(at) => write!(f, "it is damaged at byte {at}"),
            Damage::Unknown(at) => {
                write!(f, "at byte {at} it says something that this program does not know")
            }
            Damage::Short(at) => write!(f, "from byte {at} on it is cut off or damaged"),
        }
    }
}

/// Writes a run, piece by piece.
#[derive(Clone, Debug)]
pub struct Encoder {
    salt: u64,
    next: u64,
}

impl Encoder {
    /// Begins a file. Returns its first bytes, too.
    pub fn new(about: &About) -> (Encoder, Vec<u8>) {
        let part = Part::About(about.clone());
        let payload = postcard::to_stdvec(&part).expect("it is plain data");
        let salt = XxHash3_64::oneshot(&payload);
        let mut encoder = Encoder { salt, next: 0 };
        let header = [&TITLE[..], &FORMAT.to_le_bytes(), &salt.to_le_bytes()].concat();
        let bytes = [header, encoder.seal(&payload)].concat();
        (encoder, bytes)
    }

    fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        self.next += 1;
        frame::seal(self.salt, self.next - 1, payload)
    }

    fn part(&mut self, part: &Part) -> Vec<u8> {
        let payload = postcard::to_stdvec(part).expect("it is plain data");
        self.seal(&payload)
    }

    /// The bytes of a piece of a recorded run.
    pub fn seen(&mut self, piece: Seen) -> Vec<u8> {
        self.part(&Part::Seen(piece))
    }

    /// The last bytes.
    pub fn end(mut self) -> Vec<u8> {
        self.part(&Part::End)
    }
}

/// A whole run as bytes.
pub fn encode(run: Run) -> Vec<u8> {
    let (mut encoder, mut bytes) = Encoder::new(&run.about);
    match run.story {
        Story::Branches(branches, view) => {
            for branch in branches {
                bytes.extend(encoder.part(&Part::Branch(branch)));
            }
            bytes.extend(encoder.part(&Part::View(view)));
        }
        Story::Seen { pieces, .. } => {
            for piece in pieces {
                bytes.extend(encoder.seen(piece));
            }
        }
    }
    bytes.extend(encoder.end());
    bytes
}

/// Reads a run.
///
/// # Errors
/// What is wrong with the bytes, and where.
pub fn decode(bytes: &[u8]) -> Result<Run, Damage> {
    let salt = header(bytes)?;
    let mut reader = Reader { bytes, salt, at: HEADER, next: 0 };
    let Some(Part::About(about)) = reader.part()? else { return Err(reader.damage()) };
    let (mut branches, mut view, mut pieces) = (Vec::new(), None, Vec::new());
    let whole = loop {
        let place = reader.at;
        match reader.part()? {
            Some(Part::Branch(branch)) => branches.push(branch),
            Some(Part::View(looked)) => view = Some(looked),
            Some(Part::Seen(piece)) => pieces.push(piece),
            Some(Part::End) if reader.at == bytes.len() => break true,
            Some(Part::End | Part::About(_)) => return Err(Damage::Unknown(place)),
            None => break false,
        }
    };
    let recorded = matches!(about.kind, Kind::Recorded { .. });
    if !whole && (!recorded || reader.more()) {
        return Err(reader.damage());
    }
    let story = match (recorded, view) {
        (true, None) if branches.is_empty() => Story::Seen { pieces, whole },
        (false, Some(view)) if pieces.is_empty() && sound(&branches, view) => {
            Story::Branches(branches, view)
        }
        _ => return Err(Damage::Unknown(HEADER)),
    };
    Ok(Run { about, story })
}

/// Whether all branches that are named are there, parents first.
fn sound(branches: &[Branch], view: View) -> bool {
    let mut numbered = (0..).zip(branches);
    let has_parent = |(at, branch): (u32, &Branch)| branch.parent.is_none_or(|(id, _)| id < at);
    (view.branch as usize) < branches.len() && numbered.all(has_parent)
}

fn header(bytes: &[u8]) -> Result<u64, Damage> {
    let rest = bytes.strip_prefix(TITLE).ok_or(Damage::NoRun)?;
    let (format, rest) = rest.split_first_chunk().ok_or(Damage::NoRun)?;
    match u32::from_le_bytes(*format) {
        0 => Err(Damage::NoRun),
        1..=FORMAT => match rest.split_first_chunk() {
            Some((salt, _)) => Ok(u64::from_le_bytes(*salt)),
            None => Err(Damage::Short(bytes.len())),
        },
        newer => Err(Damage::Newer(newer)),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    salt: u64,
    at: usize,
    next: u64,
}

impl Reader<'_> {
    /// What the next frame holds; none where no whole frame stands.
    fn part(&mut self) -> Result<Option<Part>, Damage> {
        let frame = frame::open(self.salt, &self.bytes[self.at..]);
        let Some(frame) = frame.filter(|frame| frame.sequence == self.next) else {
            return Ok(None);
        };
        let Ok((part, [])) = postcard::take_from_bytes::<Part>(frame.payload) else {
            return Err(Damage::Unknown(self.at));
        };
        self.at += frame.len();
        self.next += 1;
        Ok(Some(part))
    }

    /// Whether a whole frame stands further on.
    fn more(&self) -> bool {
        frame::any_in(self.salt, &self.bytes[self.at..])
    }

    /// What is wrong here, where no whole frame stands.
    fn damage(&self) -> Damage {
        match self.more() {
            true => Damage::Broken(self.at),
            false => Damage::Short(self.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{NodeId, Time};
    use crate::event::{Event, Kind as What};
    use crate::saved::{End, Given};
    use proptest::prelude::*;

    fn simulated(count: u32) -> Run {
        let about = About {
            program: "0.1.0".to_owned(),
            name: "default".to_owned(),
            plan: "nodes = 5".to_owned(),
            kind: Kind::Simulated { seed: 7 },
        };
        let branch = |n: u32| Branch {
            name: format!("what-if-{n}"),
            parent: n.checked_sub(1).map(|parent| (parent, 100)),
            seed: None,
            commands: vec![Given {
                step: 8,
                at: Time(9),
                event: 110,
                joined: false,
                line: "kill n1".to_owned(),
            }],
            end: End { events: Some(200), now: Time(10) },
            digest: 0x1234,
            marks: vec![(3, "here".to_owned())],
        };
        let branches = (0..count).map(branch).collect();
        Run { about, story: Story::Branches(branches, View { branch: 0, cursor: Some(4) }) }
    }

    fn recorded(count: u64, whole: bool) -> Run {
        let kind = Kind::Recorded { place: "LIVE memory".to_owned(), late: false, remote: false };
        let event = |n: u64| Event { at: Time(n), node: NodeId::node(1), kind: What::Paused };
        let piece = |n: u64| Seen::Events(vec![event(n), event(n + 1)]);
        let pieces = (0..count).map(piece).chain([Seen::Missed(3), Seen::Mark(1, "m".to_owned())]);
        let about = About { kind, ..simulated(0).about };
        Run { about, story: Story::Seen { pieces: pieces.collect(), whole } }
    }

    #[test]
    fn the_format_never_changes() {
        let hex: String = encode(simulated(1)).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex);
        let hex: String = encode(recorded(1, true)).iter().map(|b| format!("{b:02x}")).collect();
        insta::assert_snapshot!(hex);
    }

    #[test]
    fn what_is_no_run_or_newer_is_refused() {
        assert_eq!(decode(b""), Err(Damage::NoRun));
        assert_eq!(decode(b"[cluster]\nname = \"x\"\n0123456789"), Err(Damage::NoRun));
        let mut bytes = encode(simulated(1));
        bytes[12] = 2;
        assert_eq!(decode(&bytes), Err(Damage::Newer(2)));
        let nobody = View { branch: 3, cursor: None };
        let run = Run { story: Story::Branches(Vec::new(), nobody), ..simulated(0) };
        assert_eq!(decode(&encode(run)), Err(Damage::Unknown(HEADER)));
    }

    #[test]
    fn a_recording_that_was_cut_off_has_all_up_to_the_last_whole_frame() {
        let run = recorded(4, true);
        let bytes = encode(run.clone());
        let (encoder, head) = Encoder::new(&run.about);
        let end = encoder.end().len();
        let Ok(Run { story: Story::Seen { pieces, whole }, .. }) =
            decode(&bytes[..bytes.len() - end])
        else {
            panic!("its end is missing, and that is all");
        };
        assert_eq!((pieces.len(), whole), (6, false));
        let Ok(Run { story: Story::Seen { pieces, .. }, .. }) =
            decode(&bytes[..bytes.len() - end - 1])
        else {
            panic!("its last piece is torn, too");
        };
        assert_eq!(pieces.len(), 5);
        assert_eq!(decode(&head[..head.len() - 1]).err(), Some(Damage::Short(HEADER)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(count in 1u32..6, pieces in 0u64..6) {
            prop_assert_eq!(decode(&encode(simulated(count))), Ok(simulated(count)));
            prop_assert_eq!(decode(&encode(recorded(pieces, true))), Ok(recorded(pieces, true)));
        }

        #[test]
        fn a_simulated_run_is_whole_or_refused(
            count in 1u32..6, at in any::<prop::sample::Index>(), change in 1u8..
        ) {
            let bytes = encode(simulated(count));
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= change;
            prop_assert!(decode(&changed).is_err());
            prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
        }

        #[test]
        fn a_recording_is_never_anything_else_than_what_was_written(
            count in 0u64..6, at in any::<prop::sample::Index>(), change in 1u8.., cut in any::<bool>()
        ) {
            let run = recorded(count, true);
            let mut bytes = encode(run.clone());
            let at = at.index(bytes.len());
            match cut {
                true => bytes.truncate(at),
                false => bytes[at] ^= change,
            }
            if let Ok(Run { story: Story::Seen { pieces, whole }, .. }) = decode(&bytes) {
                let Story::Seen { pieces: all, .. } = run.story else { unreachable!() };
                prop_assert!(!whole && all.starts_with(&pieces));
            }
        }

        #[test]
        fn no_bytes_panic(noise in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&noise);
            let (mut encoder, bytes) = Encoder::new(&simulated(0).about);
            let _ = decode(&[bytes.clone(), noise.clone()].concat());
            let _ = decode(&[bytes, encoder.seal(&noise)].concat());
        }
    }
}
