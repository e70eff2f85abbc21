//! The bytes of a log: a header, then frames.
//!
//! ```text
//!  header  "netsplit log" | format u32 | salt u64
//!  frame   list of writes, in postcard
//! ```
//!
//! What a frame is, [`crate::base::frame`] says. The salt makes that bytes which an older file left
//! on the disk, or which a client stored as a value, are never taken for a frame of this one.
//! Sequence numbers count from 0 without gaps.
//!
//! Frame 0 holds the records that the log began with, often none. It is durable before the file has
//! its name, so it is never torn.

use crate::base::frame::any_in;
pub(super) use crate::base::frame::{open, seal};
use crate::host::{Disk, Write};

/// The format that this program writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;
const TITLE: &[u8; 12] = b"netsplit log";
const HEADER: usize = 24;

/// The beginning of a file.
pub(super) fn header(salt: u64) -> Vec<u8> {
    [&TITLE[..], &FORMAT.to_le_bytes(), &salt.to_le_bytes()].concat()
}

/// One frame.
pub(super) fn frame(salt: u64, sequence: u64, writes: &[Write]) -> Vec<u8> {
    let payload = postcard::to_stdvec(writes).expect("writes are plain data");
    seal(salt, sequence, &payload)
}

/// What a log holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) salt: u64,
    pub(super) disk: Disk,
    /// Where frame 0 ends.
    pub(super) base: u64,
    /// Where the last whole frame ends. What follows is a torn tail.
    pub(super) end: u64,
    /// The number of the next frame.
    pub(super) next: u64,
}

/// Why a log cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It does not begin like one.
    NoLog,
    /// It has this format, which is newer than the program.
    Newer(u32),
    /// The frame at this place was whole once, and is not.
    Broken(u64),
    /// The frame at this place is whole, but this program does not know what it says.
    Unknown(u64),
}

/// Reads a whole log.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, Damage> {
    let salt = read_header(bytes)?;
    let mut contents = Contents { salt, disk: Disk::default(), base: 0, end: 0, next: 0 };
    let mut at = HEADER;
    while let Some(frame) = open(salt, &bytes[at..]).filter(|it| it.sequence == contents.next) {
        let unknown = |_| Damage::Unknown(at as u64);
        let (writes, rest) =
            postcard::take_from_bytes::<Vec<Write>>(frame.payload).map_err(unknown)?;
        if !rest.is_empty() {
            return Err(Damage::Unknown(at as u64));
        }
        writes.into_iter().for_each(|write| contents.disk.write(write));
        at += frame.len();
        if frame.sequence == 0 {
            contents.base = at as u64;
        }
        contents.next += 1;
    }
    if contents.next == 0 || any_in(salt, &bytes[at..]) {
        return Err(Damage::Broken(at as u64));
    }
    contents.end = at as u64;
    Ok(contents)
}

fn read_header(bytes: &[u8]) -> Result<u64, Damage> {
    let rest = bytes.strip_prefix(TITLE).ok_or(Damage::NoLog)?;
    let (format, rest) = rest.split_first_chunk().ok_or(Damage::NoLog)?;
    match u32::from_le_bytes(*format) {
        0 => Err(Damage::NoLog),
        1..=FORMAT => match rest.split_first_chunk() {
            Some((salt, _)) => Ok(u64::from_le_bytes(*salt)),
            None => Err(Damage::NoLog),
        },
        newer => Err(Damage::Newer(newer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ServiceId;
    use crate::base::frame::MAGIC;
    use crate::live::disk::tests::{round, said, txn};
    use proptest::prelude::*;

    /// The bytes of a log in which every frame after the first says one more thing, and where each
    /// of its frames ends.
    fn log(frames: u32) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = [header(7), frame(7, 0, &[])].concat();
        let mut ends = vec![bytes.len()];
        for n in 1..=frames {
            bytes.extend(frame(7, u64::from(n), &[round(n)]));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn rounds(frames: usize) -> Vec<String> {
        let writes: Vec<Write> = (1..=frames as u32).map(round).collect();
        let mut disk = Disk::default();
        writes.into_iter().for_each(|write| disk.write(write));
        said(disk.records())
    }

    #[test]
    fn the_format_never_changes() {
        let records = vec![];
        let writes = [round(1), Write::Checkpoint { service: ServiceId::Paxos, records }, txn(300)];
        let bytes = [header(7), frame(7, 0, &writes)].concat();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = [
            "6e657473706c6974206c6f67010000000700000000000000",
            "f76672616d650d0a229be6dc9715a5d1",
            "00000000000000000d00000000000000",
            "0300020001010200000700ac02",
        ];
        assert_eq!(hex, golden.concat());
    }

    #[test]
    fn another_file_is_no_log() {
        assert_eq!(read(b"").unwrap_err(), Damage::NoLog);
        assert_eq!(read(b"netsplit lo").unwrap_err(), Damage::NoLog);
        assert_eq!(read(b"[cluster]\nname = \"x\"\n0123456789").unwrap_err(), Damage::NoLog);
        let (mut bytes, _) = log(1);
        bytes[12] = 2;
        assert_eq!(read(&bytes).unwrap_err(), Damage::Newer(2));
        assert_eq!(read(&header(7)).unwrap_err(), Damage::Broken(24));
    }

    #[test]
    fn what_a_later_version_wrote_is_refused() {
        let (mut bytes, ends) = log(1);
        bytes.extend(seal(7, 2, &[1, 9, 9, 9]));
        assert_eq!(read(&bytes).unwrap_err(), Damage::Unknown(ends[1] as u64));
        let (mut bytes, ends) = log(1);
        bytes.extend(seal(7, 2, &[0, 0]));
        assert_eq!(read(&bytes).unwrap_err(), Damage::Unknown(ends[1] as u64), "trailing bytes");
    }

    #[test]
    fn a_frame_of_another_file_is_no_frame() {
        let (mut bytes, ends) = log(2);
        bytes.extend(frame(8, 3, &[round(3)]));
        assert_eq!(read(&bytes).unwrap().end, ends[2] as u64);
    }

    #[test]
    fn a_missing_frame_is_damage() {
        let (mut bytes, ends) = log(2);
        bytes.extend(frame(7, 4, &[round(4)]));
        assert_eq!(read(&bytes).unwrap_err(), Damage::Broken(ends[2] as u64));
    }

    proptest! {
        #[test]
        fn a_cut_leaves_every_whole_frame(frames in 0u32..12, cut in any::<prop::sample::Index>(), zeros in 0usize..99) {
            let (mut bytes, ends) = log(frames);
            let cut = ends[0] + cut.index(bytes.len() - ends[0] + 1);
            bytes.truncate(cut);
            bytes.resize(cut + zeros, 0);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let contents = read(&bytes).unwrap();
            prop_assert_eq!(said(contents.disk.records()), rounds(whole));
            prop_assert_eq!(contents.end, ends[whole] as u64);
            prop_assert_eq!(contents.next, whole as u64 + 1);
        }

        #[test]
        fn a_changed_byte_is_noticed(
            frames in 1u32..12, at in any::<prop::sample::Index>(), change in 1u8.., cut in any::<prop::sample::Index>()
        ) {
            let (mut bytes, ends) = log(frames);
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let last = ends[ends.len() - 2];
            match read(&bytes) {
                Ok(contents) => {
                    prop_assert!(at >= last, "only the last frame can be taken for a torn one");
                    prop_assert_eq!(said(contents.disk.records()), rounds(ends.len() - 2));
                }
                Err(_) => prop_assert!(at < last),
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(contents) = read(&bytes) {
                let whole = contents.next as usize - 1;
                prop_assert_eq!(said(contents.disk.records()), rounds(whole), "a prefix");
            }
        }

        #[test]
        fn no_bytes_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&noise);
            let _ = read(&[header(7), noise.clone()].concat());
            let _ = read(&[header(7), frame(7, 0, &[]), seal(7, 1, &noise)].concat());
            let _ = read(&[header(7), frame(7, 0, &[]), MAGIC.to_vec(), noise].concat());
        }
    }
}
