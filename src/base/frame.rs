//! Frames in a file: bytes that show whether they are whole, and in which order they were written.
//!
//! ```text
//!  magic u64 | checksum u64 | sequence u64 | length u64 | payload
//! ```
//!
//! Numbers are little-endian. The checksum is XXH3 over sequence, length and payload, seeded with
//! the file's salt: bytes that another file left on the disk, or that stand in a payload, are never
//! taken for a frame of this one.

use twox_hash::XxHash3_64;

/// What every frame begins with.
pub const MAGIC: [u8; 8] = *b"\xF7frame\r\n";
/// How many bytes stand before the payload.
pub const HEAD: usize = 32;

/// A frame that is whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number in the file.
    pub sequence: u64,
    /// What it holds.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// How many bytes it takes, header included.
    #[allow(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        HEAD + self.payload.len()
    }
}

/// A frame around any bytes.
pub fn seal(salt: u64, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u64;
    let body = [&sequence.to_le_bytes()[..], &length.to_le_bytes(), payload].concat();
    let checksum = XxHash3_64::oneshot_with_seed(salt, &body);
    [&MAGIC[..], &checksum.to_le_bytes(), &body].concat()
}

/// The whole frame that `bytes` begin with, if they do.
pub fn open(salt: u64, bytes: &[u8]) -> Option<Frame<'_>> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (checksum, body) = take_u64(rest)?;
    let (sequence, rest) = take_u64(body)?;
    let (length, rest) = take_u64(rest)?;
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    let body = &body[..16 + payload.len()];
    let whole = XxHash3_64::oneshot_with_seed(salt, body) == checksum;
    whole.then_some(Frame { sequence, payload })
}

/// Whether there is a whole frame anywhere in `bytes`.
pub fn any_in(salt: u64, bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| open(salt, &bytes[at..]).is_some())
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*head), rest))
}
