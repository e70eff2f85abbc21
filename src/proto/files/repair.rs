//! Repair: a node pulls what it is to hold and lacks, and drops what others hold in its place.

use super::{Cx, Files, Message, Settings};
use crate::base::{Blob, BlockId, Bucket, Mutation, Name, NodeId, Piece, Time};
use crate::event::{Fact, FileFact, Needless};
use std::collections::{BTreeMap, BTreeSet};

/// How many blocks are pulled at once.
const AT_ONCE: usize = 4;
/// For how many blocks at once others are asked to vouch.
const VOUCHES: usize = 64;

/// A block that was asked for.
#[derive(Clone, Debug)]
struct Pull {
    /// Who is asked next, if this is in vain.
    others: Vec<NodeId>,
    at: Time,
}

/// What a node has to do about its blocks.
#[derive(Clone, Debug)]
pub(super) struct Repair {
    /// What it is to hold and does not.
    pub(super) lacking: BTreeSet<BlockId>,
    /// What it has and is not to hold, and who has vouched for it in this ring.
    spare: BTreeMap<BlockId, BTreeSet<NodeId>>,
    pulls: BTreeMap<BlockId, Pull>,
    /// Which block was asked for last: all get their turn, though some may be nowhere.
    last: Option<BlockId>,
    /// How many bytes it may pull now; a block more, at the most, was pulled already.
    bucket: Bucket,
}

impl Repair {
    pub(super) fn new(settings: Settings, now: Time) -> Repair {
        Repair {
            lacking: BTreeSet::new(),
            spare: BTreeMap::new(),
            pulls: BTreeMap::new(),
            last: None,
            bucket: Bucket::new(settings.throttle, now),
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.lacking.is_empty()
    }

    pub(super) fn forget(&mut self, block: &BlockId) {
        self.lacking.remove(block);
        self.spare.remove(block);
        self.pulls.remove(block);
    }

    /// The next blocks to ask for, so many at the most.
    fn next(&self, count: usize) -> Vec<BlockId> {
        let is_new = |block: &&BlockId| !self.pulls.contains_key(*block);
        let is_past = |block: &&BlockId| self.last.as_ref().is_some_and(|last| *block <= last);
        let (past, coming): (Vec<&BlockId>, Vec<&BlockId>) =
            self.lacking.iter().filter(is_new).partition(is_past);
        coming.into_iter().chain(past).take(count).cloned().collect()
    }
}

impl Files {
    /// Drops blocks of a file that are not part of it any more. What is put to follow its newest
    /// version may become part of it yet.
    pub(super) fn collect_garbage(&mut self, file: &Name, cx: &mut Cx<'_>) {
        let old = |block: &&BlockId| block.file == *file && self.is_garbage(block);
        let garbage: Vec<BlockId> = self.blocks.keys().filter(old).cloned().collect();
        garbage.iter().for_each(|block| self.drop_block(block, Needless::Garbage, cx));
        let lacking = self.repair.lacking.iter();
        let gone: Vec<BlockId> = lacking.filter(|block| block.file == *file).cloned().collect();
        gone.iter().for_each(|block| self.repair.forget(block));
    }

    /// Whether a block is not, and never will be, part of its file.
    pub(super) fn is_garbage(&self, block: &BlockId) -> bool {
        let version = self.files.get(&block.file).map_or(0, |filed| filed.version);
        block.put.base < version && self.piece(block).is_none()
    }

    /// There is a new ring.
    pub(super) fn place_anew(&mut self, cx: &mut Cx<'_>) {
        self.repair.spare.clear();
        let files: Vec<Name> = self.files.keys().cloned().collect();
        files.iter().for_each(|file| self.place(file, cx));
    }

    /// Finds out what of a file this node is to hold.
    pub(super) fn place(&mut self, file: &Name, cx: &mut Cx<'_>) {
        let Some(manifest) = self.files.get(file).and_then(|filed| filed.manifest.clone()) else {
            return;
        };
        let blocks: Vec<BlockId> = manifest.blocks(file).map(|(block, _)| block).collect();
        blocks.iter().for_each(|block| self.place_block(block, cx));
    }

    /// The same of one block.
    pub(super) fn place_block(&mut self, block: &BlockId, cx: &mut Cx<'_>) {
        let me = cx.me();
        if self.piece(block).is_none() || self.ring.is_none() {
            return;
        }
        let holds = self.holders(block).any(|node| node == me);
        match (holds, self.has_sound(block)) {
            (true, false) => drop(self.repair.lacking.insert(block.clone())),
            (false, true) if self.has(Mutation::FilesDropEarly) => {
                self.drop_block(block, Needless::Spare, cx);
            }
            (false, true) => drop(self.repair.spare.insert(block.clone(), BTreeSet::new())),
            // Of no use to anybody.
            (false, false) if self.blocks.contains_key(block) => {
                self.drop_block(block, Needless::Spare, cx);
            }
            (false, false) => drop(self.repair.lacking.remove(block)),
            (true, true) => {}
        }
    }

    /// Asks for what is lacking, as far as the throttle lets it, and for what did not come.
    pub(super) fn pull(&mut self, cx: &mut Cx<'_>) {
        self.repair.pulls.retain(|block, _| self.repair.lacking.contains(block));
        let late = |(_, pull): &(&BlockId, &Pull)| self.is_late(pull.at, cx);
        let late = self.repair.pulls.iter().filter(late);
        let late: Vec<BlockId> = late.map(|(block, _)| block.clone()).collect();
        for block in late {
            let others = self.repair.pulls.remove(&block).map(|pull| pull.others);
            self.ask_to_pull(block, others.unwrap_or_default(), cx);
        }
        let free = AT_ONCE.saturating_sub(self.repair.pulls.len());
        for block in self.repair.next(free) {
            let mut others = self.likely(&block);
            others.retain(|node| *node != cx.me());
            let first = others.len().min(usize::from(self.config.settings.replicas));
            cx.rng().shuffle(&mut others[..first]);
            self.repair.last = Some(block.clone());
            self.ask_to_pull(block, others, cx);
        }
    }

    /// Asks the first of these for a block, if the throttle lets it.
    fn ask_to_pull(&mut self, block: BlockId, mut others: Vec<NodeId>, cx: &mut Cx<'_>) {
        let free = self.repair.bucket.left(cx.now()) > 0 || self.has(Mutation::FilesNoThrottle);
        let Some(piece) = self.piece(&block).filter(|_| free && !others.is_empty()) else { return };
        let from = others.remove(0);
        self.repair.bucket.spend(piece.len);
        self.repair.pulls.insert(block.clone(), Pull { others, at: cx.now() });
        let (len, at) = (piece.len, cx.now());
        cx.emit(Fact::File(FileFact::Pulls { block: block.clone(), from, len, at }));
        cx.send(from, Message::Fetch { block });
    }

    /// What it has asked for has come, or word that there is none.
    pub(super) fn pulled(
        &mut self,
        from: NodeId,
        block: &BlockId,
        bytes: Option<&Blob>,
        cx: &mut Cx<'_>,
    ) {
        if !self.repair.pulls.contains_key(block) {
            return;
        }
        let Some(piece) = self.piece(block) else { return };
        let trusts = self.has(Mutation::FilesCopySpoilt);
        match bytes {
            Some(bytes) if trusts || Piece::of(bytes) == piece => {
                self.repair.pulls.remove(block);
                self.keep(block.clone(), bytes.clone(), cx);
                self.pull(cx);
            }
            Some(_) => cx.send(from, Message::Doubt { block: block.clone() }),
            None => {}
        }
    }

    /// Asks the holders of what can go whether they have it.
    pub(super) fn ask_to_vouch(&mut self, cx: &mut Cx<'_>) {
        if self.settled != self.epoch {
            return;
        }
        for (block, vouched) in self.repair.spare.iter().take(VOUCHES) {
            let open = self.holders(block).filter(|node| !vouched.contains(node));
            for node in open.collect::<Vec<NodeId>>() {
                cx.send(node, Message::Vouch { epoch: self.epoch, block: block.clone() });
            }
        }
    }

    /// Somebody would drop its copy: says whether this one is sound, if this node is to hold it.
    pub(super) fn vouch(&mut self, from: NodeId, epoch: u64, block: BlockId, cx: &mut Cx<'_>) {
        let me = cx.me();
        let holds = epoch == self.epoch && self.holders(&block).any(|node| node == me);
        let blind = self.has(Mutation::FilesVouchBlind);
        if holds && (blind || self.is_sound(&block, cx)) {
            cx.emit(Fact::File(FileFact::Vouches { block: block.clone(), to: from }));
            cx.send(from, Message::Vouched { epoch, block });
        }
    }

    /// A holder has vouched; when all have, this copy can go.
    pub(super) fn note_vouched(
        &mut self,
        from: NodeId,
        epoch: u64,
        block: &BlockId,
        cx: &mut Cx<'_>,
    ) {
        if epoch != self.epoch || self.settled != epoch {
            return;
        }
        let holders: Vec<NodeId> = self.holders(block).collect();
        let Some(vouched) = self.repair.spare.get_mut(block) else { return };
        vouched.insert(from);
        if holders.iter().all(|node| vouched.contains(node)) {
            self.drop_block(block, Needless::Spare, cx);
        }
    }
}
