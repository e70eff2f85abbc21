//! Which blocks are on whose disk, as the nodes themselves say.

use crate::base::{BlockId, Manifest, Name, NodeId, Piece};
use crate::command::{Command, DiskFault};
use crate::event::{Event, Fact, FileFact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// A copy of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Copy {
    /// Nothing is known against it.
    Sound,
    /// Its disk has turned a bit, and its node does not know.
    Rotten,
    /// Its node knows that it is spoilt.
    Spoilt,
}

/// What was said of files and blocks.
#[derive(Clone, Debug, Default)]
pub(in crate::check) struct Ghost {
    /// The newest version of each file.
    files: BTreeMap<Name, (u64, Option<Manifest>)>,
    copies: BTreeMap<BlockId, BTreeMap<NodeId, Copy>>,
    /// Copies that had rotted when their node started: those of them that are still there have.
    turned: BTreeSet<(NodeId, BlockId)>,
    /// How many members the rings had that somebody may still go by.
    members: BTreeMap<u64, usize>,
    /// Who has said all that it has.
    known: BTreeSet<NodeId>,
}

impl Ghost {
    /// Takes an event in.
    pub(in crate::check) fn see(&mut self, event: &Event) {
        match &event.kind {
            Kind::Started { records, .. } => self.started(event.node, *records == 0),
            Kind::Commanded(command) => {
                if let Command::Disk { who, fault: DiskFault::Wipe } = &**command {
                    who.nodes().iter().for_each(|node| self.started(*node, true));
                }
            }
            Kind::Fact(Fact::View { epoch, members, .. }) => {
                let count = members.iter().filter(|member| member.weight > 0).count();
                self.members.insert(*epoch, count);
            }
            Kind::Fact(Fact::Settled { epoch }) => {
                self.members.retain(|of, _| *of + 1 >= *epoch);
            }
            Kind::Fact(Fact::Restated) => drop(self.known.insert(event.node)),
            Kind::Fact(Fact::File(fact)) => self.hear(event.node, fact),
            _ => {}
        }
    }

    fn hear(&mut self, node: NodeId, fact: &FileFact) {
        match fact {
            FileFact::Links { file, version, manifest } => {
                let newest = self.files.entry(file.clone()).or_default();
                if *version > newest.0 {
                    *newest = (*version, manifest.clone());
                }
            }
            FileFact::Keeps { block, .. } => self.note(node, block, Copy::Sound),
            FileFact::Has { block, .. } => {
                // A turned bit stays turned, whatever its node believes.
                let old = self.copy(block, node);
                let rotten = matches!(old, Some(Copy::Rotten | Copy::Spoilt))
                    || self.turned.remove(&(node, block.clone()));
                self.note(node, block, if rotten { Copy::Rotten } else { Copy::Sound });
            }
            FileFact::Rots { block } => self.note(node, block, Copy::Rotten),
            FileFact::Spoilt { block } => self.note(node, block, Copy::Spoilt),
            FileFact::Drops { block, .. } => {
                if let Some(of) = self.copies.get_mut(block) {
                    of.remove(&node);
                    if of.is_empty() {
                        self.copies.remove(block);
                    }
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, node: NodeId, block: &BlockId, copy: Copy) {
        self.copies.entry(block.clone()).or_default().insert(node, copy);
    }

    /// It says next what it has. What it does not say again it has dropped, and was cut short
    /// before it could say so; of a disk that is not empty it loses no more than what it has not
    /// said yet.
    fn started(&mut self, node: NodeId, empty: bool) {
        self.known.insert(node);
        self.turned.retain(|(who, _)| *who != node);
        for (block, of) in &mut self.copies {
            let rotten = of.remove(&node).is_some_and(|copy| copy != Copy::Sound);
            if rotten && !empty {
                self.turned.insert((node, block.clone()));
            }
        }
    }

    /// What a node has may have changed unseen.
    pub(in crate::check) fn forget(&mut self, node: NodeId) {
        let is = |who: &NodeId| *who == node || node == NodeId::BENCH;
        self.known.retain(|who| !is(who));
        self.turned.retain(|(who, _)| !is(who));
        self.copies.values_mut().for_each(|of| of.retain(|who, _| !is(who)));
    }

    /// A node's copy of a block.
    pub(in crate::check) fn copy(&self, block: &BlockId, node: NodeId) -> Option<Copy> {
        self.copies.get(block)?.get(&node).copied()
    }

    /// On how many disks a block is, as those of these kinds.
    pub(in crate::check) fn count(&self, block: &BlockId, kinds: &[Copy]) -> usize {
        let of = self.copies.get(block).into_iter().flatten();
        of.filter(|(_, copy)| kinds.contains(copy)).count()
    }

    /// Which blocks of a node are rotten.
    pub(in crate::check) fn rotten(&self, node: NodeId) -> impl Iterator<Item = &BlockId> {
        let rots = move |of: &BTreeMap<NodeId, Copy>| of.get(&node) == Some(&Copy::Rotten);
        self.copies.iter().filter(move |(_, of)| rots(of)).map(|(block, _)| block)
    }

    /// How many disks are enough, by the smallest ring that counts.
    pub(in crate::check) fn enough(&self, replicas: u8) -> usize {
        let least = self.members.values().copied().min();
        least.unwrap_or(1).min(replicas.into())
    }

    /// Length and checksum of a block that is part of a file now.
    pub(in crate::check) fn piece(&self, block: &BlockId) -> Option<Piece> {
        let manifest = self.files.get(&block.file)?.1.as_ref()?;
        let index = usize::try_from(block.index).ok()?;
        manifest.pieces.get(index).filter(|_| manifest.put == block.put).copied()
    }

    /// The newest version of a file, and what it consists of.
    pub(in crate::check) fn newest(&self, file: &Name) -> Option<&(u64, Option<Manifest>)> {
        self.files.get(file)
    }

    /// All blocks that are part of files now.
    pub(in crate::check) fn blocks(&self) -> impl Iterator<Item = (BlockId, Piece)> {
        let files = self.files.iter();
        files.flat_map(|(file, (_, of))| of.iter().flat_map(|of| of.blocks(file)))
    }

    /// Whether everybody of these has said all that it has.
    pub(in crate::check) fn knows(&self, nodes: &[NodeId]) -> bool {
        nodes.iter().all(|node| self.known.contains(node))
    }
}
