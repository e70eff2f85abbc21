//! Files in the cluster: their bytes, how they are cut into blocks, and what is asked about them.
//!
//! A file is put as a whole. Each put cuts the bytes into blocks of equal length, the last one
//! excepted; a [`Manifest`] says who put it, and length and checksum of each block. Checksums are
//! XXH3-64 (they find what chance does to bytes, not what an enemy does).

use super::{CallId, Name, ParseError, Rng, parse_error};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// The largest file, in bytes: it travels to and from clients in one message.
pub const MAX_FILE: usize = 768 << 10;

/// Bytes that are shared, not copied, when they are cloned or cut.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob(Bytes);

impl Blob {
    /// How many bytes these are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Their checksum.
    pub fn sum(&self) -> u64 {
        XxHash3_64::oneshot(&self.0)
    }

    /// Cut into pieces of `size` bytes, without copying them; one piece if there are no bytes.
    pub fn cut(&self, size: usize) -> Vec<Blob> {
        let count = self.len().div_ceil(size.max(1)).max(1);
        let piece = |i: usize| {
            let (from, to) = (i * size, (i + 1) * size);
            Blob(self.0.slice(from.min(self.len())..to.min(self.len())))
        };
        (0..count).map(piece).collect()
    }

    /// The pieces, one after the other.
    pub fn join(pieces: &[Blob]) -> Blob {
        match pieces {
            [only] => only.clone(),
            _ => {
                let mut all = Vec::with_capacity(pieces.iter().map(Blob::len).sum());
                pieces.iter().for_each(|piece| all.extend_from_slice(&piece.0));
                all.into()
            }
        }
    }

    /// These bytes with one bit turned.
    pub fn rotten(&self, bit: u64) -> Blob {
        let mut bytes = self.0.to_vec();
        let at = usize::try_from(bit / 8).unwrap_or(usize::MAX);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
        bytes.into()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob(bytes.into())
    }
}

/// `4096 bytes, sum 00c0ffee00c0ffee`.
impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, sum {:016x}", self.len(), self.sum())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({self})")
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(Blob::from)
    }
}

/// What is to stand in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Content {
    /// So many bytes that follow from a seed.
    Made {
        /// How many.
        size: u32,
        /// The seed.
        seed: u64,
    },
    /// These bytes.
    Given(Blob),
}

impl Content {
    /// The bytes.
    pub fn bytes(&self) -> Blob {
        match self {
            Content::Given(blob) => blob.clone(),
            Content::Made { size, seed } => {
                let size = usize::try_from(*size).unwrap_or(MAX_FILE).min(MAX_FILE);
                let mut rng = Rng::new(*seed);
                let mut bytes = Vec::with_capacity(size + 8);
                while bytes.len() < size {
                    bytes.extend(rng.bits().to_le_bytes());
                }
                bytes.truncate(size);
                bytes.into()
            }
        }
    }
}

/// `4096 seed 7`, `5 bytes, sum 00c0ffee00c0ffee`; in full (`{:#}`) `bytes aGVsbG8`.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Made { size, seed } => write!(f, "{size} seed {seed}"),
            Content::Given(blob) if f.alternate() => {
                write!(f, "bytes {}", BASE64URL_NOPAD.encode(blob.bytes()))
            }
            Content::Given(blob) => blob.fmt(f),
        }
    }
}

impl Content {
    /// What a person types whose content is in a file of theirs, `c1 upload plans @notes.txt`: the
    /// line up to the content, and the path.
    pub fn named(line: &str) -> Option<(&str, &str)> {
        let (head, path) = line.split_once(" @")?;
        let uploads = head.split_whitespace().rev().nth(1) == Some("upload");
        uploads.then_some((head, path.trim()))
    }

    /// Reads the words that it prints in full.
    fn read(words: &[&str]) -> Result<Content, ParseError> {
        let too_big = || parse_error(format!("a file has {} KiB at the most", MAX_FILE >> 10));
        match words {
            ["bytes", text] => match BASE64URL_NOPAD.decode(text.as_bytes()) {
                Ok(bytes) if bytes.len() <= MAX_FILE => Ok(Content::Given(bytes.into())),
                Ok(_) => too_big(),
                Err(_) => parse_error("bytes are written in base64url, without padding"),
            },
            [size, "seed", seed] => match (size.parse::<u32>(), seed.parse()) {
                (Ok(size), Ok(seed)) if size as usize <= MAX_FILE => {
                    Ok(Content::Made { size, seed })
                }
                (Ok(_), Ok(_)) => too_big(),
                _ => parse_error("write upload FILE SIZE seed NUMBER, with the size in bytes"),
            },
            [path, ..] if path.starts_with('@') => {
                parse_error("only who types a command can name a file of theirs")
            }
            _ => parse_error("write upload FILE SIZE seed NUMBER, or upload FILE bytes BASE64URL"),
        }
    }
}

/// Which put of a file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PutId {
    /// The version of the file that it is to follow.
    pub base: u64,
    /// Who put it.
    pub call: CallId,
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockId {
    /// Of which file.
    pub file: Name,
    /// Of which put of it.
    pub put: PutId,
    /// Its place in the file, from 0.
    pub index: u32,
}

impl BlockId {
    /// What its place on the ring follows from: the same for all versions of a file.
    pub fn place(&self) -> String {
        format!("{}#{}", self.file, self.index)
    }
}

/// `plans#3 (c1/7)`.
impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} ({})", self.file, self.index, self.put.call)
    }
}

/// Length and checksum of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Piece {
    /// In bytes.
    pub len: u32,
    /// XXH3-64 of its bytes.
    pub sum: u64,
}

impl Piece {
    /// Of these bytes.
    pub fn of(bytes: &Blob) -> Piece {
        Piece { len: u32::try_from(bytes.len()).unwrap_or(u32::MAX), sum: bytes.sum() }
    }
}

/// What a file consists of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Manifest {
    /// Which put made it so.
    pub put: PutId,
    /// Its blocks, in order.
    pub pieces: Arc<[Piece]>,
}

impl Manifest {
    /// All blocks, as blocks of this file.
    pub fn blocks<'a>(&'a self, file: &'a Name) -> impl Iterator<Item = (BlockId, Piece)> + 'a {
        let id = |index| BlockId { file: file.clone(), put: self.put, index };
        (0..).zip(self.pieces.iter()).map(move |(index, piece)| (id(index), *piece))
    }

    /// How many bytes the file has.
    pub fn size(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.len)).sum()
    }
}

/// What is asked about files.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FileOp {
    /// Make this the content of a file.
    Upload { file: Name, content: Content },
    /// Say what the content of a file is.
    Download { file: Name },
    /// Remove a file.
    Remove { file: Name },
    /// Have the disk of the node that is asked turn a bit of some block, of this file if one is
    /// named.
    Rot { file: Option<Name> },
    /// In the log: a file consists of these blocks now. Has no effect unless the file is still of
    /// the version that the put is to follow.
    Link { file: Name, manifest: Manifest },
    /// In the log: say which blocks a file consists of.
    Stat { file: Name },
}

impl fmt::Display for FileOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileOp::Upload { file, content } => {
                write!(f, "upload {file} ")?;
                content.fmt(f)
            }
            FileOp::Download { file } => write!(f, "download {file}"),
            FileOp::Remove { file } => write!(f, "remove {file}"),
            FileOp::Rot { file: None } => f.write_str("rot"),
            FileOp::Rot { file: Some(file) } => write!(f, "rot {file}"),
            FileOp::Link { file, manifest } => {
                write!(f, "link {file} {} blocks", manifest.pieces.len())
            }
            FileOp::Stat { file } => write!(f, "stat {file}"),
        }
    }
}

impl FileOp {
    /// Reads what a person may ask for; none if the words are about something else.
    pub(super) fn read(words: &[&str]) -> Option<Result<FileOp, ParseError>> {
        let name = |file: &str| file.parse::<Name>();
        Some(match words {
            ["upload", file, content @ ..] => Content::read(content)
                .and_then(|content| Ok(FileOp::Upload { file: name(file)?, content })),
            ["download", file] => name(file).map(|file| FileOp::Download { file }),
            ["remove", file] => name(file).map(|file| FileOp::Remove { file }),
            ["rot"] => Ok(FileOp::Rot { file: None }),
            ["rot", file] => name(file).map(|file| FileOp::Rot { file: Some(file) }),
            _ => return None,
        })
    }
}

/// What is answered about files.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FileOutcome {
    /// The file is of this version now. Versions of a file rise.
    Stored { version: u64 },
    /// It is gone, as of this version.
    Removed { version: u64 },
    /// This is its content.
    Content { version: u64, bytes: Blob },
    /// Among services: what it consists of, if it is there.
    Manifest { version: u64, manifest: Option<Manifest> },
}

impl fmt::Display for FileOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileOutcome::Stored { version } => write!(f, "stored @{version}"),
            FileOutcome::Removed { version } => write!(f, "removed @{version}"),
            FileOutcome::Content { version, bytes } => write!(f, "{bytes} @{version}"),
            FileOutcome::Manifest { version, manifest: None } => write!(f, "no file @{version}"),
            FileOutcome::Manifest { version, manifest: Some(manifest) } => {
                write!(f, "{} blocks @{version}", manifest.pieces.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_whole_again_when_it_is_joined() {
        for size in [0, 1, 999, 1_000, 1_001, 2_500] {
            let whole = Content::Made { size, seed: 7 }.bytes();
            let pieces = whole.cut(1_000);
            assert_eq!(pieces.len(), (size as usize).div_ceil(1_000).max(1));
            assert_eq!(Blob::join(&pieces), whole);
        }
    }

    #[test]
    fn a_turned_bit_shows_in_the_sum() {
        let whole = Content::Made { size: 100, seed: 7 }.bytes();
        for bit in [0, 7, 799] {
            assert_ne!(whole.rotten(bit).sum(), whole.sum());
            assert_eq!(whole.rotten(bit).rotten(bit), whole);
        }
    }
}
