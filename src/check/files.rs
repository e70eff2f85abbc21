//! The file store: who reads a file gets what was put, and copies go only when others are there.
//!
//! | rule | holds as long as |
//! |---|---|
//! | F-1 | a read gives the very bytes of the put that made the version |
//! | F-2 | a read gives a version not older than the last that was acknowledged before it began |
//! | F-3 | when a version of a file is there, each of its blocks was put on enough disks |
//! | F-4 | who has vouched for a block has a sound copy of it |
//! | F-5 | what is put on a disk as a block fits the checksum of the block |
//! | F-6 | a copy that has rotted is found by the next whole round of scrubbing |
//! | F-7 | no node copies more than the throttle lets it |
//! | FS-5 | a copy of a block that is part of a file is dropped only when its holders have vouched |
//!
//! That lost copies are made anew is for `progress` to say (LIVE-8). Legal is: a read that is
//! refused, whatever the reason; a copy that rots; a block that is lost because all disks that had
//! it were lost before it could be copied.
//!
//! Who looks in late does not know who had what before: F-2, F-3, F-6 and FS-5 are judged only by
//! who saw the run from its start.

mod ghost;

use super::{Check, Expect, Shelves, Violation, Witness};
use crate::base::{
    BlockId, Bucket, CallId, FileOp, FileOutcome, Manifest, Name, NodeId, Op, Outcome, Refusal,
    Time,
};
use crate::event::{Event, Fact, FileFact, Kind, Needless};
pub(super) use ghost::{Copy, Ghost};
use std::collections::{BTreeMap, BTreeSet};

/// How many puts and versions are remembered.
const REMEMBERED: usize = 4_096;

/// Length and checksum of a whole file.
type Whole = (usize, u64);

/// A version of a file: the put that made it; none if it was removed.
type Made = Option<CallId>;

/// The check.
#[derive(Clone, Debug)]
pub struct Files {
    rules: Option<Shelves>,
    ghost: Ghost,
    /// What was to stand in the file, by put.
    puts: BTreeMap<CallId, (Name, Whole)>,
    versions: BTreeMap<(Name, u64), Made>,
    /// The last version that was acknowledged, and when it was.
    acked: BTreeMap<Name, (u64, usize)>,
    /// Reads and removals under way, and the version that they must know.
    asked: BTreeMap<CallId, (Name, u64, usize)>,
    /// Who ever had a block.
    had: BTreeMap<BlockId, BTreeSet<NodeId>>,
    /// Checksums of blocks.
    sums: BTreeMap<BlockId, u64>,
    /// Who has vouched for a block, to whom.
    vouched: BTreeMap<(BlockId, NodeId), BTreeSet<NodeId>>,
    /// How many rounds of scrubbing a rotten copy has survived.
    survived: BTreeMap<(NodeId, BlockId), u8>,
    /// What each node may pull.
    buckets: BTreeMap<NodeId, Bucket>,
}

type Wrong = (&'static str, String, Vec<usize>);

fn wrong(rule: &'static str, what: String) -> Option<Wrong> {
    Some((rule, what, Vec::new()))
}

impl Files {
    /// For such a cluster.
    pub fn new(expect: &Expect) -> Files {
        Files {
            rules: expect.files,
            ghost: Ghost::default(),
            puts: BTreeMap::new(),
            versions: BTreeMap::new(),
            acked: BTreeMap::new(),
            asked: BTreeMap::new(),
            had: BTreeMap::new(),
            sums: BTreeMap::new(),
            vouched: BTreeMap::new(),
            survived: BTreeMap::new(),
            buckets: BTreeMap::new(),
        }
    }

    fn begun(&mut self, at: usize, call: CallId, op: &FileOp) {
        match op {
            FileOp::Upload { file, content } => {
                let bytes = content.bytes();
                self.puts.insert(call, (file.clone(), (bytes.len(), bytes.sum())));
                trim(&mut self.puts);
            }
            FileOp::Download { file } => {
                let (floor, since) = self.acked.get(file).copied().unwrap_or((0, at));
                self.asked.insert(call, (file.clone(), floor, since));
            }
            _ => {}
        }
    }

    fn ended(&mut self, at: usize, call: CallId, outcome: &Outcome, whole: bool) -> Option<Wrong> {
        match outcome {
            Outcome::File(FileOutcome::Content { version, bytes }) => {
                let (file, floor, since) = self.asked.remove(&call)?;
                let found = (bytes.len(), bytes.sum());
                let other = self.other_bytes(call, &file, *version, found);
                other.or_else(|| {
                    let what = format!("{call} reads {file} @{version}, but @{floor} was there");
                    (whole && *version < floor).then(|| ("F-2", what, vec![since]))
                })
            }
            Outcome::File(FileOutcome::Stored { version }) => {
                let file = self.puts.get(&call)?.0.clone();
                self.acked(at, file, *version);
                None
            }
            Outcome::Refused(Refusal::NoFile) => {
                let (file, floor, since) = self.asked.remove(&call)?;
                let from = (file.clone(), floor);
                let to = (file.clone(), u64::MAX);
                let removed = self.versions.range(from..to).any(|(_, made)| made.is_none());
                let what = format!("{call} finds no {file}, but @{floor} was there");
                (whole && floor > 0 && !removed).then(|| ("F-2", what, vec![since]))
            }
            _ => {
                self.asked.remove(&call);
                None
            }
        }
    }

    fn acked(&mut self, at: usize, file: Name, version: u64) {
        let last = self.acked.entry(file).or_default();
        if version > last.0 {
            *last = (version, at);
        }
    }

    /// F-1.
    fn other_bytes(&self, call: CallId, file: &Name, version: u64, found: Whole) -> Option<Wrong> {
        let made = (*self.versions.get(&(file.clone(), version))?)?;
        let (_, put) = self.puts.get(&made)?;
        let what = format!(
            "{call} reads {} bytes, sum {:016x}, as {file} @{version}; {made} put {} bytes, sum \
             {:016x}",
            found.0, found.1, put.0, put.1
        );
        (found != *put).then_some(("F-1", what, Vec::new()))
    }

    fn hear(&mut self, event: &Event, fact: &FileFact, whole: bool) -> Option<Wrong> {
        let rules = self.rules?;
        let node = event.node;
        match fact {
            FileFact::Links { file, version, manifest } => {
                self.linked(node, file, *version, manifest.as_ref(), whole)
            }
            FileFact::Keeps { block, sum } => {
                self.had.entry(block.clone()).or_default().insert(node);
                self.survived.remove(&(node, block.clone()));
                self.unfit(node, block, *sum)
            }
            FileFact::Has { block, .. } => {
                self.had.entry(block.clone()).or_default().insert(node);
                None
            }
            FileFact::Vouches { block, to } => {
                self.vouched.entry((block.clone(), *to)).or_default().insert(node);
                let sound = self.ghost.copy(block, node) == Some(Copy::Sound);
                let what = format!("{node} vouches for {block}, of which it has no sound copy");
                let knows = self.ghost.knows(&[node]);
                (knows && !sound).then_some(("F-4", what, Vec::new()))
            }
            FileFact::Drops { block, why } => {
                self.survived.remove(&(node, block.clone()));
                let wrong = self.dropped(node, block, *why, rules).filter(|_| whole);
                self.vouched.remove(&(block.clone(), node));
                wrong
            }
            FileFact::Scrubs { .. } => self.scrubbed(node).filter(|_| whole),
            FileFact::Spoilt { block } => {
                self.survived.remove(&(node, block.clone()));
                None
            }
            FileFact::Pulls { len, at, .. } => self.copies(node, *at, *len, rules),
            FileFact::Rots { .. } | FileFact::Opens { .. } => None,
        }
    }

    /// F-3.
    fn linked(
        &mut self,
        node: NodeId,
        file: &Name,
        version: u64,
        manifest: Option<&Manifest>,
        whole: bool,
    ) -> Option<Wrong> {
        let key = (file.clone(), version);
        if self.versions.contains_key(&key) {
            return None;
        }
        self.versions.insert(key, manifest.map(|manifest| manifest.put.call));
        trim(&mut self.versions);
        let enough = self.ghost.enough(self.rules?.replicas);
        let mut thin = None;
        for (block, piece) in manifest.into_iter().flat_map(|manifest| manifest.blocks(file)) {
            let had = self.had.get(&block).map_or(0, BTreeSet::len);
            if had < enough && thin.is_none() {
                thin = Some(format!(
                    "{node} has {file} @{version}, whose block {} was put on {had} disks and not \
                     on {enough}",
                    block.index
                ));
            }
            self.sums.insert(block, piece.sum);
        }
        let older = |block: &BlockId| block.file == *file && block.put.base + 1 < version;
        self.had.retain(|block, _| !older(block));
        self.sums.retain(|block, _| !older(block));
        thin.filter(|_| whole).map(|what| ("F-3", what, Vec::new()))
    }

    /// F-5.
    fn unfit(&mut self, node: NodeId, block: &BlockId, sum: u64) -> Option<Wrong> {
        let first = *self.sums.entry(block.clone()).or_insert(sum);
        let what = format!("{node} keeps {block} with the sum {sum:016x}; it has {first:016x}");
        (first != sum).then_some(("F-5", what, Vec::new()))
    }

    /// FS-5.
    fn dropped(
        &self,
        node: NodeId,
        block: &BlockId,
        why: Needless,
        rules: Shelves,
    ) -> Option<Wrong> {
        let piece = self.ghost.piece(block)?;
        if self.ghost.copy(block, node) == Some(Copy::Spoilt) {
            return None;
        }
        if why == Needless::Garbage {
            return wrong("FS-5", format!("{node} drops {block} as garbage, which it is not"));
        }
        let vouched = self.vouched.get(&(block.clone(), node)).map_or(0, BTreeSet::len);
        let enough = self.ghost.enough(rules.replicas);
        let what = format!(
            "{node} drops {block} of {} bytes when {vouched} of {enough} have vouched for it",
            piece.len
        );
        (vouched < enough).then_some(("FS-5", what, Vec::new()))
    }

    /// F-6: the round in which a copy rots may have been past it, the next one may not.
    fn scrubbed(&mut self, node: NodeId) -> Option<Wrong> {
        let rotten: Vec<BlockId> = self.ghost.rotten(node).cloned().collect();
        let mut missed = None;
        for block in rotten {
            let rounds = self.survived.entry((node, block.clone())).or_default();
            *rounds = rounds.saturating_add(1);
            if *rounds == 2 {
                missed = missed.or(Some(block));
            }
        }
        wrong("F-6", format!("{node} has scrubbed and not found that {} is rotten", missed?))
    }

    /// F-7, by the node's own clock: what it says may wait for its disk and come all at once.
    fn copies(&mut self, node: NodeId, now: Time, len: u32, rules: Shelves) -> Option<Wrong> {
        let bucket = self.buckets.entry(node).or_insert_with(|| Bucket::new(rules.throttle, now));
        let tokens = bucket.left(now) - i64::from(len);
        bucket.spend(len);
        let what = format!("{node} copies more than {} bytes a second", rules.throttle);
        let over = tokens < -i64::from(rules.block);
        if over {
            bucket.fill();
        }
        over.then_some(("F-7", what, Vec::new()))
    }

    fn judge(&mut self, at: usize, event: &Event, whole: bool) -> Option<Wrong> {
        match &event.kind {
            Kind::Started { .. } => {
                self.buckets.remove(&event.node);
                self.survived.retain(|(node, _), _| *node != event.node);
                None
            }
            Kind::Fact(Fact::File(fact)) => self.hear(event, fact, whole),
            Kind::Fact(Fact::Invokes { call, op, retry: 0, .. }) => {
                if let Op::File(op) = &**op {
                    self.begun(at, *call, op);
                }
                None
            }
            Kind::Fact(Fact::Returns { call, outcome }) => self.ended(at, *call, outcome, whole),
            _ => None,
        }
    }
}

/// Forgets the oldest.
fn trim<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    while map.len() > REMEMBERED {
        map.pop_first();
    }
}

impl Check for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn about(&self) -> &'static str {
        "Files are what was put, on enough disks; no copy goes before others are there."
    }

    fn judges(&self, event: &Event) -> bool {
        match event.fact() {
            Some(Fact::File(FileFact::Rots { .. } | FileFact::Opens { .. })) => false,
            Some(Fact::File(_)) => self.rules.is_some(),
            Some(Fact::Returns { outcome, .. }) => matches!(**outcome, Outcome::File(_)),
            _ => false,
        }
    }

    fn gap(&mut self, node: NodeId) {
        self.ghost.forget(node);
        self.asked.clear();
        self.buckets.clear();
        self.survived.clear();
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        self.rules?;
        let found = self.judge(at, event, witness.is_whole());
        self.ghost.see(event);
        let (rule, what, because) = found?;
        Some(Violation { check: "files", rule, what, at, because })
    }
}

#[cfg(test)]
mod tests;
