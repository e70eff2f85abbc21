//! Re-replication (FS-3): what was lost is copied anew, once nothing is broken.

use super::super::Shelves;
use super::super::files::{Copy, Ghost};
use crate::base::{BlockId, NodeId, Span, Time};
use crate::event::{Event, Fact, FileFact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of blocks.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    rules: Shelves,
    ghost: Ghost,
    /// Since when a block has been on too few disks.
    since: BTreeMap<BlockId, Time>,
    reported: BTreeSet<BlockId>,
}

impl Blocks {
    pub(super) fn new(rules: Shelves) -> Blocks {
        let (since, reported) = (BTreeMap::new(), BTreeSet::new());
        Blocks { rules, ghost: Ghost::default(), since, reported }
    }

    pub(super) fn see(&mut self, event: &Event) {
        self.ghost.see(event);
        match &event.kind {
            Kind::Started { .. } | Kind::Fact(Fact::View { .. } | Fact::Restated) => {
                let all: Vec<BlockId> = self.ghost.blocks().map(|(block, _)| block).collect();
                self.since.retain(|block, _| all.contains(block));
                all.into_iter().for_each(|block| self.look(block, event.at));
            }
            Kind::Fact(Fact::File(fact)) => self.hear(fact, event.at),
            _ => {}
        }
    }

    fn hear(&mut self, fact: &FileFact, now: Time) {
        match fact {
            FileFact::Links { file, .. } => {
                self.since.retain(|block, _| block.file != *file);
                let newest = self.ghost.newest(file).and_then(|(_, manifest)| manifest.clone());
                let blocks = newest.iter().flat_map(|manifest| manifest.blocks(file));
                let blocks: Vec<BlockId> = blocks.map(|(block, _)| block).collect();
                blocks.into_iter().for_each(|block| self.look(block, now));
            }
            FileFact::Keeps { block, .. }
            | FileFact::Has { block, .. }
            | FileFact::Drops { block, .. }
            | FileFact::Rots { block }
            | FileFact::Spoilt { block } => self.look(block.clone(), now),
            _ => {}
        }
    }

    fn look(&mut self, block: BlockId, now: Time) {
        let thin = self.sound(&block) < self.ghost.enough(self.rules.replicas);
        match thin && self.ghost.piece(&block).is_some() {
            true => drop(self.since.entry(block).or_insert(now)),
            false => {
                self.since.remove(&block);
                self.reported.remove(&block);
            }
        }
    }

    /// On how many disks a block is sound. Without scrubbing nobody finds out what has rotted.
    fn sound(&self, block: &BlockId) -> usize {
        match self.rules.scrub {
            Span::ZERO => self.ghost.count(block, &[Copy::Sound, Copy::Rotten]),
            _ => self.ghost.count(block, &[Copy::Sound]),
        }
    }

    pub(super) fn forget(&mut self, node: NodeId) {
        self.ghost.forget(node);
        self.since.clear();
    }

    /// How long it takes at the most to find what is spoilt, and to copy everything.
    fn allowance(&self) -> Span {
        let bytes: u64 = self.ghost.blocks().map(|(_, piece)| u64::from(piece.len)).sum();
        let copying = bytes * 1_000_000 / u64::from(self.rules.throttle.max(1));
        Span(self.rules.scrub.times(2).0 + copying)
    }

    /// A block that has been on too few disks for too long, when nothing has been broken since
    /// `calm`.
    pub(super) fn overdue(&mut self, now: Time, calm: Time, within: Span) -> Option<String> {
        let oldest = self.since.values().min()?;
        if now <= (*oldest).max(calm) + within {
            return None;
        }
        let within = within + self.allowance();
        let late = |(block, since): &(&BlockId, &Time)| {
            now > (**since).max(calm) + within && !self.reported.contains(*block)
        };
        let (block, since) = self.since.iter().find(late)?;
        let (sound, enough) = (self.sound(block), self.ghost.enough(self.rules.replicas));
        let what = format!("{block} has been on {sound} disks since {since}, not on {enough}");
        self.reported.insert(block.clone());
        Some(what)
    }
}
