//! Files: what they consist of, and how many sound copies each block has on whose disk.

use crate::base::placement::Ring;
use crate::base::{
    Blob, BlockId, CallId, FileOp, FileOutcome, Manifest, Name, NodeId, Op, Outcome, Piece, Time,
};
use crate::event::FileFact;
use std::collections::BTreeMap;

/// A node's copy of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copy {
    /// Nothing is known against it.
    Sound,
    /// It is not what was put, a bit of it having turned on this disk or on the one that it was
    /// copied from, and its node does not know.
    Rotten,
    /// Its node knows that it is spoilt.
    Spoilt,
    /// There is none yet: it was asked of another node.
    Asked(NodeId),
}

/// A version of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Which one.
    pub version: u64,
    /// What it consists of; none if the file was removed.
    pub manifest: Option<Manifest>,
}

/// The last round of scrubbing of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// When it was over.
    pub at: Time,
    /// How many blocks were looked at.
    pub blocks: u32,
    /// How many of them were spoilt.
    pub spoilt: u32,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// On how many disks a block is to be.
    replicas: u8,
    files: BTreeMap<Name, File>,
    copies: BTreeMap<BlockId, BTreeMap<NodeId, Copy>>,
    rounds: BTreeMap<NodeId, Round>,
    /// Which file each read under way is of.
    reading: BTreeMap<CallId, Name>,
    read: BTreeMap<Name, Blob>,
    /// Bytes that nodes have asked of each other to mend what was lost.
    pub mended: u64,
}

impl Files {
    /// All files that are there, by name.
    pub fn files(&self) -> impl Iterator<Item = (&Name, u64, &Manifest)> {
        self.files
            .iter()
            .filter_map(|(name, file)| Some((name, file.version, file.manifest.as_ref()?)))
    }

    /// One file, if it is there.
    pub fn file(&self, name: &Name) -> Option<&Manifest> {
        self.files.get(name)?.manifest.as_ref()
    }

    /// Who has which copy of a block.
    pub fn copies(&self, block: &BlockId) -> impl Iterator<Item = (NodeId, Copy)> {
        self.copies.get(block).into_iter().flatten().map(|(node, copy)| (*node, *copy))
    }

    /// A node's copy of a block.
    pub fn copy(&self, block: &BlockId, node: NodeId) -> Option<Copy> {
        self.copies.get(block)?.get(&node).copied()
    }

    /// Who is to hold a block by a ring.
    pub fn holders(&self, ring: &Ring, block: &BlockId) -> Vec<NodeId> {
        let place = ring.position(&block.place());
        ring.walk(place).take(self.replicas.into()).collect()
    }

    /// How many copies of a block have nothing against them.
    pub fn sound(&self, block: &BlockId) -> usize {
        self.copies(block).filter(|(_, copy)| *copy == Copy::Sound).count()
    }

    /// On how many disks a block is to be, in a ring.
    pub fn enough(&self, ring: Option<&Ring>) -> usize {
        let members = ring.map_or(0, |ring| ring.members().iter().filter(|m| m.weight > 0).count());
        members.min(self.replicas.into())
    }

    /// The blocks of a file that are on too few disks.
    pub fn thin(&self, name: &Name, ring: Option<&Ring>) -> usize {
        let enough = self.enough(ring);
        let blocks = self.file(name).into_iter().flat_map(|manifest| manifest.blocks(name));
        blocks.filter(|(block, _): &(BlockId, Piece)| self.sound(block) < enough).count()
    }

    /// How many copies are spoilt or rotten.
    pub fn spoilt(&self) -> usize {
        let all = self.copies.values().flat_map(BTreeMap::values);
        all.filter(|copy| matches!(copy, Copy::Spoilt | Copy::Rotten)).count()
    }

    /// The last round of scrubbing of each node.
    pub fn rounds(&self) -> impl Iterator<Item = (NodeId, Round)> {
        self.rounds.iter().map(|(node, round)| (*node, *round))
    }

    /// What clients were told last is in files, by name.
    pub fn read(&self) -> &BTreeMap<Name, Blob> {
        &self.read
    }

    pub(super) fn invoked(&mut self, call: CallId, op: &Op) {
        if let Op::File(FileOp::Download { file }) = op {
            self.reading.insert(call, file.clone());
        }
    }

    pub(super) fn returned(&mut self, call: CallId, outcome: &Outcome) {
        let Some(file) = self.reading.remove(&call) else { return };
        if let Outcome::File(FileOutcome::Content { bytes, .. }) = outcome {
            self.read.insert(file, bytes.clone());
        }
    }

    /// A node begins anew, and says what it has: what it does not say, it has not. What has rotted
    /// stays rotten, unless the disk is empty.
    pub(super) fn begin(&mut self, node: NodeId, empty: bool) {
        for of in self.copies.values_mut() {
            let rotten = |copy: &Copy| matches!(copy, Copy::Rotten | Copy::Spoilt);
            of.retain(|who, copy| *who != node || (!empty && rotten(copy)));
        }
        self.copies.retain(|_, of| !of.is_empty());
        self.rounds.remove(&node);
    }

    /// What has been written for a block, by its checksum.
    fn written(&self, block: &BlockId, sum: u64) -> Copy {
        let manifest = self.file(&block.file).filter(|manifest| manifest.put == block.put);
        let index = usize::try_from(block.index).unwrap_or(usize::MAX);
        match manifest.and_then(|manifest| manifest.pieces.get(index)) {
            Some(piece) if piece.sum != sum => Copy::Rotten,
            _ => Copy::Sound,
        }
    }

    fn set(&mut self, block: &BlockId, node: NodeId, copy: Copy) {
        self.copies.entry(block.clone()).or_default().insert(node, copy);
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &FileFact) {
        match fact {
            FileFact::Opens { replicas } => self.replicas = *replicas,
            FileFact::Links { file, version, manifest } => {
                let known = self.files.entry(file.clone()).or_default();
                if *version > known.version {
                    *known = File { version: *version, manifest: manifest.clone() };
                }
            }
            FileFact::Keeps { block, sum } => self.set(block, node, self.written(block, *sum)),
            FileFact::Has { block, sum } => {
                let copy = match self.copy(block, node) {
                    Some(Copy::Rotten | Copy::Spoilt) => Copy::Rotten,
                    _ => self.written(block, *sum),
                };
                self.set(block, node, copy);
            }
            FileFact::Rots { block } => self.set(block, node, Copy::Rotten),
            FileFact::Spoilt { block } => self.set(block, node, Copy::Spoilt),
            FileFact::Drops { block, .. } => {
                if let Some(of) = self.copies.get_mut(block) {
                    of.remove(&node);
                    if of.is_empty() {
                        self.copies.remove(block);
                    }
                }
            }
            FileFact::Pulls { block, from, len, .. } => {
                self.mended += u64::from(*len);
                if self.copy(block, node).is_none() {
                    self.set(block, node, Copy::Asked(*from));
                }
            }
            FileFact::Scrubs { blocks, spoilt } => {
                let round = Round { at, blocks: *blocks, spoilt: *spoilt };
                self.rounds.insert(node, round);
            }
            FileFact::Vouches { .. } => {}
        }
    }
}
