//! The coordinator's part: it brings blocks to their holders, fetches them, and asks the log.

use super::{Cx, Files, Message};
use crate::base::{
    Blob, BlockId, CallId, Content, FileOp, FileOutcome, Manifest, Mutation, Name, NodeId, Op,
    Outcome, Piece, PutId, Refusal, ServiceId, Time,
};
use crate::proto::Ticket;
use std::collections::BTreeSet;

/// What somebody has asked for.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    ticket: Ticket,
    call: CallId,
    file: Name,
    since: Time,
    /// When it asked last.
    at: Time,
    stage: Stage,
}

/// How far it is.
#[derive(Clone, Debug)]
enum Stage {
    /// The log is to say what the file consists of.
    Asking(Option<Content>),
    /// Holders are to put its blocks on their disks.
    Placing { manifest: Manifest, blocks: Vec<Placing>, tries: usize },
    /// The log is to take this in.
    Logging(FileOp),
    /// Holders are to send its blocks.
    Fetching { version: u64, manifest: Manifest, blocks: Vec<Fetching> },
}

/// A block on its way out.
#[derive(Clone, Debug)]
struct Placing {
    bytes: Blob,
    kept: BTreeSet<NodeId>,
}

/// A block on its way in.
#[derive(Clone, Debug, Default)]
struct Fetching {
    bytes: Option<Blob>,
    /// How many were asked in vain.
    tries: usize,
}

impl Flight {
    fn block(&self, put: PutId, index: usize) -> BlockId {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        BlockId { file: self.file.clone(), put, index }
    }
}

impl Files {
    /// Begins with what a client wants.
    pub(super) fn take_off(&mut self, ticket: Ticket, call: CallId, op: FileOp, cx: &mut Cx<'_>) {
        let (file, stage) = match op {
            FileOp::Upload { file, content } => (file, Stage::Asking(Some(content))),
            FileOp::Download { file } => (file, Stage::Asking(None)),
            FileOp::Remove { ref file } => (file.clone(), Stage::Logging(op)),
            _ => return cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        };
        self.next_flight += 1;
        let (since, at) = (cx.now(), cx.now());
        self.flights.insert(self.next_flight, Flight { ticket, call, file, since, at, stage });
        self.ask_log(self.next_flight, cx);
    }

    /// Asks the log, if that is where a flight is.
    fn ask_log(&mut self, key: u64, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        flight.at = cx.now();
        let (call, op) = match &flight.stage {
            Stage::Asking(_) => (cx.new_call(), FileOp::Stat { file: flight.file.clone() }),
            Stage::Logging(op) => (flight.call, op.clone()),
            Stage::Placing { .. } | Stage::Fetching { .. } => return,
        };
        cx.call(ServiceId::Log, key, call, Op::File(op));
    }

    /// The log has answered. Trouble of its own is no answer: it is asked again.
    pub(super) fn log_has_answered(&mut self, key: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get(&key) else { return };
        match (&flight.stage, outcome) {
            (Stage::Asking(want), Outcome::File(FileOutcome::Manifest { version, manifest })) => {
                match want.clone() {
                    Some(content) => self.place_blocks(key, version, manifest, &content, cx),
                    None => self.fetch_blocks(key, version, manifest, cx),
                }
            }
            (
                Stage::Logging(_),
                outcome @ (Outcome::File(_)
                | Outcome::Refused(Refusal::Overtaken | Refusal::NoFile)),
            ) => self.land(key, outcome, cx),
            _ => {}
        }
    }

    fn land(&mut self, key: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        if let Some(flight) = self.flights.remove(&key) {
            cx.reply(flight.ticket, outcome);
        }
    }

    /// Cuts a file, unless this very put is what the file consists of already.
    fn place_blocks(
        &mut self,
        key: u64,
        version: u64,
        old: Option<Manifest>,
        content: &Content,
        cx: &mut Cx<'_>,
    ) {
        let size = usize::try_from(self.config.settings.block).unwrap_or(usize::MAX);
        let Some(flight) = self.flights.get_mut(&key) else { return };
        if old.is_some_and(|old| old.put.call == flight.call) {
            return self.land(key, Outcome::File(FileOutcome::Stored { version }), cx);
        }
        let put = PutId { base: version, call: flight.call };
        let cut = content.bytes().cut(size);
        let manifest = Manifest { put, pieces: cut.iter().map(Piece::of).collect() };
        let blocks = cut.into_iter().map(|bytes| Placing { bytes, kept: BTreeSet::new() });
        flight.stage = Stage::Placing { manifest, blocks: blocks.collect(), tries: 0 };
        self.send_blocks(key, cx);
    }

    /// Sends blocks to those who are to hold them and, if that takes too long, to others.
    fn send_blocks(&mut self, key: u64, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get(&key) else { return };
        let Stage::Placing { manifest, blocks, tries } = &flight.stage else { return };
        let count = usize::from(self.config.settings.replicas) + tries;
        for (index, (placing, piece)) in blocks.iter().zip(manifest.pieces.iter()).enumerate() {
            if placing.kept.len() >= self.enough() {
                continue;
            }
            let block = flight.block(manifest.put, index);
            let likely = self.likely(&block).into_iter().take(count);
            for node in likely.filter(|node| !placing.kept.contains(node)) {
                let (block, bytes) = (Box::new(block.clone()), placing.bytes.clone());
                cx.send(node, Message::Keep { flight: key, block, piece: *piece, bytes });
            }
        }
        if let Some(flight) = self.flights.get_mut(&key) {
            flight.at = cx.now();
        }
    }

    /// On how many disks a block must be: on all that there are, if they are fewer than replicas.
    fn enough(&self) -> usize {
        let members = self.ring.iter().flat_map(|ring| ring.members());
        let members = members.filter(|member| member.weight > 0).count();
        match self.has(Mutation::FilesAckEarly) {
            true => 1,
            false => members.clamp(1, self.config.settings.replicas.into()),
        }
    }

    /// A block is on a disk.
    pub(super) fn note_kept(&mut self, from: NodeId, key: u64, index: u32, cx: &mut Cx<'_>) {
        let enough = self.enough();
        let Some(flight) = self.flights.get_mut(&key) else { return };
        let Stage::Placing { manifest, blocks, .. } = &mut flight.stage else { return };
        let Ok(index) = usize::try_from(index) else { return };
        let Some(placing) = blocks.get_mut(index) else { return };
        placing.kept.insert(from);
        if blocks.iter().all(|placing| placing.kept.len() >= enough) {
            let (file, manifest) = (flight.file.clone(), manifest.clone());
            flight.stage = Stage::Logging(FileOp::Link { file, manifest });
            self.ask_log(key, cx);
        }
    }

    fn fetch_blocks(
        &mut self,
        key: u64,
        version: u64,
        manifest: Option<Manifest>,
        cx: &mut Cx<'_>,
    ) {
        let Some(manifest) = manifest else {
            return self.land(key, Outcome::Refused(Refusal::NoFile), cx);
        };
        let Some(flight) = self.flights.get_mut(&key) else { return };
        let count = manifest.pieces.len();
        let blocks = vec![Fetching::default(); count];
        flight.stage = Stage::Fetching { version, manifest, blocks };
        (0..count).for_each(|index| self.ask_for(key, index, cx));
    }

    /// Who is to hold a block, or may have it in another's place, the likeliest first.
    pub(super) fn likely(&self, block: &BlockId) -> Vec<NodeId> {
        let (late, mut order): (Vec<NodeId>, Vec<NodeId>) =
            self.walk(block).partition(|node| self.suspects.contains(node));
        order.extend(late);
        order
    }

    /// Asks the next one who may have a block; if all were, the log, whether the file is still so.
    fn ask_for(&mut self, key: u64, index: usize, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get(&key) else { return };
        let Stage::Fetching { manifest, blocks, .. } = &flight.stage else { return };
        let block = flight.block(manifest.put, index);
        let Some(fetching) = blocks.get(index) else { return };
        let next = self.likely(&block).get(fetching.tries).copied();
        let Some(flight) = self.flights.get_mut(&key) else { return };
        flight.at = cx.now();
        match next {
            Some(node) => cx.send(node, Message::Fetch { block }),
            // The timer asks: nobody is hurried by a file that nobody has.
            None => flight.stage = Stage::Asking(None),
        }
    }

    /// A block has come, or word that somebody has none.
    pub(super) fn fetched(
        &mut self,
        from: NodeId,
        block: &BlockId,
        bytes: Option<&Blob>,
        cx: &mut Cx<'_>,
    ) {
        let wants = |flight: &Flight| match &flight.stage {
            Stage::Fetching { manifest, .. } => {
                flight.file == block.file && manifest.put == block.put
            }
            _ => false,
        };
        let keys: Vec<u64> =
            self.flights.iter().filter(|(_, f)| wants(f)).map(|(key, _)| *key).collect();
        for key in keys {
            self.fetched_for(key, from, block, bytes, cx);
        }
    }

    fn fetched_for(
        &mut self,
        key: u64,
        from: NodeId,
        block: &BlockId,
        bytes: Option<&Blob>,
        cx: &mut Cx<'_>,
    ) {
        let trusts = self.has(Mutation::FilesTrustRead);
        let asked = |files: &Files, tries| files.likely(block).get(tries) == Some(&from);
        let Ok(index) = usize::try_from(block.index) else { return };
        let Some(flight) = self.flights.get(&key) else { return };
        let Stage::Fetching { manifest, blocks, .. } = &flight.stage else { return };
        let (Some(piece), Some(fetching)) = (manifest.pieces.get(index), blocks.get(index)) else {
            return;
        };
        if fetching.bytes.is_some() {
            return;
        }
        let fits = bytes.filter(|bytes| trusts || Piece::of(bytes) == *piece).cloned();
        let in_vain = fits.is_none() && asked(self, fetching.tries);
        if fits.is_none() && bytes.is_some() {
            cx.send(from, Message::Doubt { block: block.clone() });
        }
        let Some(flight) = self.flights.get_mut(&key) else { return };
        let Stage::Fetching { version, blocks, .. } = &mut flight.stage else { return };
        blocks[index].bytes = fits;
        blocks[index].tries += usize::from(in_vain);
        let version = *version;
        let whole: Option<Vec<Blob>> = blocks.iter().map(|block| block.bytes.clone()).collect();
        match whole {
            Some(blocks) => {
                let bytes = Blob::join(&blocks);
                self.land(key, Outcome::File(FileOutcome::Content { version, bytes }), cx);
            }
            None if in_vain => self.ask_for(key, index, cx),
            None => {}
        }
    }

    /// Asks again, and gives up.
    pub(super) fn retry_flights(&mut self, cx: &mut Cx<'_>) {
        for key in self.flights.keys().copied().collect::<Vec<u64>>() {
            let Some(flight) = self.flights.get(&key) else { continue };
            if cx.now().since(flight.since) >= self.config.settings.give_up {
                self.give_up(key, cx);
            } else if self.is_late(flight.at, cx) {
                self.ask_again(key, cx);
            }
        }
    }

    fn ask_again(&mut self, key: u64, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        match &mut flight.stage {
            Stage::Asking(_) | Stage::Logging(_) => self.ask_log(key, cx),
            Stage::Placing { tries, .. } => {
                *tries += 1;
                self.send_blocks(key, cx);
            }
            Stage::Fetching { blocks, .. } => {
                let open = blocks.iter_mut().enumerate().filter(|(_, b)| b.bytes.is_none());
                let open = open.map(|(index, block)| {
                    block.tries += 1;
                    index
                });
                let open: Vec<usize> = open.collect();
                open.into_iter().for_each(|index| self.ask_for(key, index, cx));
            }
        }
    }

    /// What the log was asked may still take effect; all else has had none.
    fn give_up(&mut self, key: u64, cx: &mut Cx<'_>) {
        let logging = self.flights.get(&key).map(|f| matches!(f.stage, Stage::Logging(_)));
        let outcome = match logging {
            Some(true) => Outcome::Unknown,
            _ => Outcome::Refused(Refusal::Unavailable),
        };
        self.land(key, outcome, cx);
    }
}
