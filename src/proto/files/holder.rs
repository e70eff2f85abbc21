//! The holder's part: blocks on this node's disk.

use super::{Cx, Files, Message, Record, Timer};
use crate::base::{Blob, BlockId, Mutation, Name, NodeId, Outcome, Piece, Refusal, Span};
use crate::event::{Fact, FileFact, Needless};
use crate::proto::Ticket;

/// A block on the disk.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) bytes: Blob,
    /// Their checksum when they were written.
    pub(super) sum: u64,
    /// They do not fit it any more: this copy does not count.
    pub(super) spoilt: bool,
}

/// How far scrubbing and the disk are.
#[derive(Clone, Debug, Default)]
pub(super) struct Upkeep {
    /// Who was looked at last, in this round.
    last: Option<BlockId>,
    blocks: u32,
    spoilt: u32,
    /// Bytes in the log of blocks that are not there any more.
    dead: usize,
    alive: usize,
}

/// In so many steps a round of scrubbing goes through all blocks.
const STEPS: u64 = 8;
/// So many bytes of dropped blocks stay in the log in any case.
const DEAD: usize = 1 << 20;

impl Files {
    pub(super) fn recover(&mut self, record: &Record) {
        match record {
            Record::Block { block, sum, bytes } => {
                self.put_in((**block).clone(), *sum, bytes.clone());
            }
            Record::Drop { block } => self.take_out(block),
            Record::Rot { block, bit } => self.turn(block, *bit),
        }
    }

    fn put_in(&mut self, block: BlockId, sum: u64, bytes: Blob) {
        self.upkeep.alive += bytes.len();
        let old = self.blocks.insert(block, Block { bytes, sum, spoilt: false });
        self.bury(old);
    }

    fn take_out(&mut self, block: &BlockId) {
        let old = self.blocks.remove(block);
        self.bury(old);
    }

    fn bury(&mut self, old: Option<Block>) {
        let len = old.map_or(0, |old| old.bytes.len());
        self.upkeep.alive -= len;
        self.upkeep.dead += len;
    }

    fn turn(&mut self, block: &BlockId, bit: u64) {
        if let Some(copy) = self.blocks.get_mut(block) {
            copy.bytes = copy.bytes.rotten(bit);
        }
    }

    /// Writes down, and writes anew what is there when most of the log is dead.
    fn write_down(&mut self, record: Record, cx: &mut Cx<'_>) {
        cx.write(record);
        if self.upkeep.dead <= DEAD.max(self.upkeep.alive) {
            return;
        }
        self.upkeep.dead = 0;
        cx.checkpoint(self.blocks.iter().map(|(block, copy)| {
            let (block, bytes) = (Box::new(block.clone()), copy.bytes.clone());
            Record::Block { block, sum: copy.sum, bytes }
        }));
    }

    /// A coordinator wants a block kept. What does not fit its checksum was spoilt on its way.
    pub(super) fn take_in(
        &mut self,
        from: NodeId,
        flight: u64,
        block: BlockId,
        piece: Piece,
        bytes: Blob,
        cx: &mut Cx<'_>,
    ) {
        if Piece::of(&bytes) != piece || self.is_garbage(&block) {
            return;
        }
        let index = block.index;
        if !self.has_sound(&block) {
            self.keep(block.clone(), bytes, cx);
            self.place_block(&block, cx);
        }
        cx.send(from, Message::Kept { flight, index });
    }

    /// Puts a block on the disk.
    pub(super) fn keep(&mut self, block: BlockId, bytes: Blob, cx: &mut Cx<'_>) {
        let sum = bytes.sum();
        self.put_in(block.clone(), sum, bytes.clone());
        self.repair.lacking.remove(&block);
        self.write_down(Record::Block { block: Box::new(block.clone()), sum, bytes }, cx);
        cx.emit(Fact::File(FileFact::Keeps { block, sum }));
    }

    pub(super) fn drop_block(&mut self, block: &BlockId, why: Needless, cx: &mut Cx<'_>) {
        self.take_out(block);
        self.repair.forget(block);
        self.write_down(Record::Drop { block: block.clone() }, cx);
        cx.emit(Fact::File(FileFact::Drops { block: block.clone(), why }));
    }

    /// Whether it has a copy of which it knows no harm.
    pub(super) fn has_sound(&self, block: &BlockId) -> bool {
        self.blocks.get(block).is_some_and(|copy| !copy.spoilt)
    }

    /// Sends a block to who asks for it.
    pub(super) fn hand_out(&mut self, from: NodeId, block: BlockId, cx: &mut Cx<'_>) {
        let copy = self.blocks.get(&block).filter(|copy| !copy.spoilt);
        let bytes = copy.map(|copy| copy.bytes.clone());
        cx.send(from, Message::Fetched { block: Box::new(block), bytes });
    }

    /// Reads a block and compares it with its checksum. A copy that is spoilt is asked for anew.
    pub(super) fn is_sound(&mut self, block: &BlockId, cx: &mut Cx<'_>) -> bool {
        let trusts = self.has(Mutation::FilesTrustScrub);
        let Some(copy) = self.blocks.get_mut(block).filter(|copy| !copy.spoilt) else {
            return false;
        };
        copy.spoilt = !trusts && copy.bytes.sum() != copy.sum;
        let spoilt = copy.spoilt;
        if spoilt {
            cx.emit(Fact::File(FileFact::Spoilt { block: block.clone() }));
            self.place_block(block, cx);
        }
        !spoilt
    }

    /// Looks at the next few blocks.
    pub(super) fn scrub(&mut self, cx: &mut Cx<'_>) {
        let step = self.blocks.len().div_ceil(STEPS as usize);
        let after = |block: &&BlockId| self.upkeep.last.as_ref().is_none_or(|last| *block > last);
        let next: Vec<BlockId> = self.blocks.keys().filter(after).take(step).cloned().collect();
        for block in &next {
            self.upkeep.blocks += 1;
            self.upkeep.spoilt += u32::from(!self.is_sound(block, cx));
        }
        self.upkeep.last = next.into_iter().next_back();
        if self.upkeep.last.as_ref() >= self.blocks.keys().next_back() {
            let (blocks, spoilt) = (self.upkeep.blocks, self.upkeep.spoilt);
            (self.upkeep.last, self.upkeep.blocks, self.upkeep.spoilt) = (None, 0, 0);
            cx.emit(Fact::File(FileFact::Scrubs { blocks, spoilt }));
        }
    }

    pub(super) fn scrub_later(&mut self, cx: &mut Cx<'_>) {
        let scrub = self.config.settings.scrub;
        if scrub > Span::ZERO {
            cx.set(Timer::Scrub, Span((scrub.0 / STEPS).max(1)));
        }
    }

    /// Has the disk turn a bit of some block that is sound: of another, it might turn the same bit
    /// back.
    pub(super) fn rot(&mut self, ticket: Ticket, file: Option<&Name>, cx: &mut Cx<'_>) {
        let of = |block: &&BlockId| file.is_none_or(|file| block.file == *file);
        let is_sound = |copy: &Block| !copy.bytes.is_empty() && copy.bytes.sum() == copy.sum;
        let sound = self.blocks.iter().filter(|(_, copy)| is_sound(copy));
        let all: Vec<BlockId> = sound.map(|(block, _)| block).filter(of).cloned().collect();
        let Some(block) = cx.rng().pick(&all).cloned() else {
            return cx.reply(ticket, Outcome::Refused(Refusal::NoFile));
        };
        let bits = self.blocks.get(&block).map_or(0, |copy| copy.bytes.len() as u64 * 8);
        let bit = cx.rng().below(bits);
        self.turn(&block, bit);
        self.write_down(Record::Rot { block: Box::new(block.clone()), bit }, cx);
        cx.emit(Fact::File(FileFact::Rots { block }));
        cx.reply(ticket, Outcome::Done);
    }
}
