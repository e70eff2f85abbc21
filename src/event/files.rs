//! What nodes state about files and their blocks, and the one rendering of each statement.

use crate::base::{BlockId, Manifest, Name, NodeId, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a node dropped its copy of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Needless {
    /// The file has another content now, or is gone.
    Garbage,
    /// Those who are to keep it have all said that they do.
    Spare,
}

/// Something that a node states about files or blocks.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileFact {
    /// It has a file store, which keeps each block on so many disks.
    Opens { replicas: u8 },
    /// By the log's order: this version of a file consists of this; of nothing if it was removed.
    Links { file: Name, version: u64, manifest: Option<Manifest> },
    /// It has put a block on its disk, whose bytes have this checksum.
    Keeps { block: BlockId, sum: u64 },
    /// After a start, or for a newcomer: that is on its disk, with the checksum that it had then.
    Has { block: BlockId, sum: u64 },
    /// It has dropped its copy of a block.
    Drops { block: BlockId, why: Needless },
    /// It promises `to`, who would drop its copy of a block, to keep its own, which is sound.
    Vouches { block: BlockId, to: NodeId },
    /// Its disk has turned a bit of a block, and it does not know.
    Rots { block: BlockId },
    /// It found that its copy of a block does not fit its checksum, and does not count it any more.
    Spoilt { block: BlockId },
    /// It has looked at all of its blocks, one after the other, and found so many spoilt.
    Scrubs { blocks: u32, spoilt: u32 },
    /// It asks `from` for a block of so many bytes that it is to keep and does not have, when its
    /// own clock is at `at`.
    Pulls { block: BlockId, from: NodeId, len: u32, at: Time },
}

impl fmt::Display for FileFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileFact::Opens { replicas } => {
                write!(f, "keeps files, each block on {replicas} disks")
            }
            FileFact::Links { file, version, manifest: Some(manifest) } => {
                let (blocks, call) = (manifest.pieces.len(), manifest.put.call);
                write!(f, "has {file} @{version}: {blocks} blocks ({call})")
            }
            FileFact::Links { file, version, manifest: None } => {
                write!(f, "has {file} @{version}: removed")
            }
            FileFact::Keeps { block, sum } => write!(f, "keeps {block} sum {sum:016x}"),
            FileFact::Has { block, sum } => write!(f, "has {block} sum {sum:016x}"),
            FileFact::Drops { block, why: Needless::Garbage } => {
                write!(f, "drops {block}: garbage")
            }
            FileFact::Drops { block, why: Needless::Spare } => write!(f, "drops {block}: spare"),
            FileFact::Vouches { block, to } => write!(f, "vouches to {to} for {block}"),
            FileFact::Rots { block } => write!(f, "rots {block}"),
            FileFact::Spoilt { block } => write!(f, "finds {block} spoilt"),
            FileFact::Scrubs { blocks, spoilt } => {
                write!(f, "has scrubbed {blocks} blocks, {spoilt} spoilt")
            }
            FileFact::Pulls { block, from, len, .. } => {
                write!(f, "pulls {block} from {from}, {len} bytes")
            }
        }
    }
}
