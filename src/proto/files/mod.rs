//! The file store: files cut into checksummed blocks, which live on nodes of the ring.
//!
//! **What it guarantees.** A file is acknowledged when each of its blocks is on the disks of
//! `replicas` nodes, so no loss of fewer disks at once loses a byte of it, as long as what is lost
//! is copied anew before more is. Who reads a file is given the very bytes that were put, of a
//! version not older than the last one acknowledged before, or an error that says so; never other
//! bytes, whatever has become of disks. Of two puts of a file at the same time, one may be refused.
//!
//! **Roles.** The *namespace* says which blocks a file consists of ([`Namespace`]). It is part of
//! the state machine on the replicated log, and that is why: it is small, everybody must agree on
//! it, in one order, and a list of blocks must not be lost with the blocks. What is large, the
//! blocks, is not in the log. Any node that is asked is a *coordinator*. The *holders* of a block
//! are the first `replicas` nodes that its place on the ring meets.
//!
//! ```text
//! c1          n1 (coordinator)           log             n2, n3, n4 (holders)
//! │─ upload f ─>│── stat f ─────────────>│                       │
//! │             │<─ @3 ──────────────────│                       │
//! │             │── Keep f#0 … for @4 ──────────────────────────>│ checked, on disk
//! │             │<─ Kept f#0 … ──────────────────────────────────│ all have all blocks
//! │             │── link f: 5 blocks, ──>│ only if f is still @3 │
//! │<─ stored @4 │<─ stored @4 ───────────│                       │ hear the same from their logs
//! │                                                              │ drop the blocks of @3
//! ```
//!
//! A block has a name of its own for each put, so blocks never change, and a put that comes to
//! nothing has harmed nothing. A reader asks the log what the file consists of, fetches each block
//! from one holder after the other, and compares it with the checksum that the namespace has: no
//! disk, network or holder can make it take other bytes. Who was sent a spoilt block says so to its
//! holder ([`Message::Doubt`]).
//!
//! **Repair.** Each node knows from its log and the ring what it is to hold. What it lacks (the
//! ring has changed, its disk was lost, its copy is spoilt) it *pulls* from whoever has it, and
//! checks it. It pulls no more than `throttle` bytes a second: unbounded repair after a large
//! failure once took a whole cloud down. Each node *scrubs*: within `scrub` it reads all of its
//! blocks and compares them with their checksums.
//!
//! **Deletion.** Blocks that the namespace has dropped are garbage. A copy that the ring has moved
//! elsewhere is dropped when all holders have *vouched* for theirs, in the same settled ring: they
//! have just read it, and do not give it up while they are its holders. (A holder in a ring that is
//! settled knows of no newer one in which it is none; and one that has left drops its copy only
//! when the new holders have vouched in turn.)
//!
//! **Sources.** Ghemawat, Gobioff, Leung 2003, *The Google file system*, sections 2.6, 4.3 to 4.5
//! and 5.2 · Shvachko et al. 2010, *The Hadoop distributed file system*, section III (block
//! scanner, re-replication) · Saltzer, Reed, Clark 1984, *End-to-end arguments*.
//!
//! **What is left out.** Appending and changing parts of a file. Files above
//! [`MAX_FILE`](crate::base::MAX_FILE) bytes (a client sends one in one message). Blocks of puts
//! that came to nothing stay until the file is put again or removed.

mod gate;
mod holder;
mod namespace;
mod repair;

use namespace::Entry;
pub use namespace::Namespace;

use super::{Context, Protocol, Ticket};
use crate::base::placement::Ring;
use crate::base::{
    Blob, BlockId, CallId, FileOp, Manifest, Mutation, Mutations, Name, NodeId, Op, Outcome, Piece,
    Refusal, ServiceId, Span, Time,
};
use crate::event::{Fact, FileFact};
use gate::Flight;
use holder::{Block, Upkeep};
use repair::Repair;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

type Cx<'a> = Context<'a, Files>;

/// The switches of the file store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// On how many disks each block is to be.
    pub replicas: u8,
    /// How many bytes a block has, the last of a file excepted.
    pub block: u32,
    /// Within which time a node reads all of its blocks; zero if never.
    pub scrub: Span,
    /// How many bytes a second a node pulls at the most.
    pub throttle: u32,
    /// How long it waits for an answer before it asks again, or somebody else.
    pub retry: Span,
    /// How long it tries.
    pub give_up: Span,
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its switches.
    pub settings: Settings,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// What nodes tell each other about blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Put this block on your disk.
    Keep {
        /// The coordinator's number for the put; never used twice.
        flight: u64,
        /// Which block.
        block: Box<BlockId>,
        /// Its length and checksum.
        piece: Piece,
        /// Its bytes.
        bytes: Blob,
    },
    /// It is there.
    Kept {
        /// The coordinator's number.
        flight: u64,
        /// The block's place in the file.
        index: u32,
    },
    /// Send me this block.
    Fetch {
        /// Which block.
        block: BlockId,
    },
    /// Here it is.
    Fetched {
        /// Which block.
        block: Box<BlockId>,
        /// Its bytes; none if the sender has no copy, or a spoilt one.
        bytes: Option<Blob>,
    },
    /// What you sent does not fit its checksum.
    Doubt {
        /// Which block.
        block: BlockId,
    },
    /// The sender would drop its copy: is yours sound, and will you keep it?
    Vouch {
        /// The settled ring by which the receiver is to hold it.
        epoch: u64,
        /// Which block.
        block: BlockId,
    },
    /// It is, and it will be kept.
    Vouched {
        /// The same ring.
        epoch: u64,
        /// Which block.
        block: BlockId,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Keep { block, bytes, .. } => write!(f, "Keep {block} {} bytes", bytes.len()),
            Message::Kept { index, .. } => write!(f, "Kept #{index}"),
            Message::Fetch { block } => write!(f, "Fetch {block}"),
            Message::Fetched { block, bytes: Some(bytes) } => {
                write!(f, "Fetched {block} {} bytes", bytes.len())
            }
            Message::Fetched { block, bytes: None } => write!(f, "Fetched {block} nothing"),
            Message::Doubt { block } => write!(f, "Doubt {block}"),
            Message::Vouch { epoch, block } => write!(f, "Vouch e{epoch} {block}"),
            Message::Vouched { epoch, block } => write!(f, "Vouched e{epoch} {block}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Somebody has not answered, or there is room for another pull.
    Retry,
    /// It is time to see who vouches for copies that can go.
    Tend,
    /// It is time to look at some blocks.
    Scrub,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// A block.
    Block {
        /// Which one.
        block: Box<BlockId>,
        /// The checksum of its bytes.
        sum: u64,
        /// Its bytes.
        bytes: Blob,
    },
    /// It has dropped that block.
    Drop {
        /// Which one.
        block: BlockId,
    },
    /// The disk has turned a bit of that block, because somebody wished it to.
    Rot {
        /// Which one.
        block: Box<BlockId>,
        /// Which bit of it.
        bit: u64,
    },
}

/// How often it is seen who vouches for copies that can go.
const TEND: Span = Span::millis(500);

/// One node's part.
#[derive(Clone, Debug)]
pub struct Files {
    config: Config,
    epoch: u64,
    ring: Option<Ring>,
    settled: u64,
    suspects: BTreeSet<NodeId>,
    /// As this node's log has them.
    files: BTreeMap<Name, Entry>,
    /// As a coordinator.
    flights: BTreeMap<u64, Flight>,
    next_flight: u64,
    /// As a holder.
    blocks: BTreeMap<BlockId, Block>,
    upkeep: Upkeep,
    repair: Repair,
    retrying: bool,
}

impl Protocol for Files {
    const ID: ServiceId = ServiceId::Files;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Cx<'_>) -> Self {
        let mut files = Files {
            epoch: 0,
            ring: None,
            settled: 0,
            suspects: BTreeSet::new(),
            files: BTreeMap::new(),
            flights: BTreeMap::new(),
            next_flight: u64::from(cx.boot()) << 32,
            blocks: BTreeMap::new(),
            upkeep: Upkeep::default(),
            repair: Repair::new(config.settings, cx.now()),
            retrying: false,
            config,
        };
        disk.iter().for_each(|record| files.recover(record));
        cx.set(Timer::Tend, TEND);
        files.scrub_later(cx);
        files
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Keep { flight, block, piece, bytes } => {
                self.take_in(from, flight, *block, piece, bytes, cx);
            }
            Message::Kept { flight, index } => self.note_kept(from, flight, index, cx),
            Message::Fetch { block } => self.hand_out(from, block, cx),
            Message::Fetched { block, bytes } => {
                self.pulled(from, &block, bytes.as_ref(), cx);
                self.fetched(from, &block, bytes.as_ref(), cx);
            }
            Message::Doubt { block } => _ = self.is_sound(&block, cx),
            Message::Vouch { epoch, block } => self.vouch(from, epoch, block, cx),
            Message::Vouched { epoch, block } => self.note_vouched(from, epoch, &block, cx),
        }
        self.retry_later(cx);
    }

    fn timer(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Retry => {
                self.retrying = false;
                self.retry_flights(cx);
                self.pull(cx);
            }
            Timer::Tend => {
                self.ask_to_vouch(cx);
                cx.set(Timer::Tend, TEND);
            }
            Timer::Scrub => {
                self.scrub(cx);
                self.scrub_later(cx);
            }
        }
        self.retry_later(cx);
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Retry => "retry",
            Timer::Tend => "tend",
            Timer::Scrub => "scrub",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        match op {
            Op::File(FileOp::Rot { file }) => self.rot(ticket, file.as_ref(), cx),
            Op::File(op) => self.take_off(ticket, call, op, cx),
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
        self.retry_later(cx);
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        self.log_has_answered(key, outcome, cx);
        self.retry_later(cx);
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::View { epoch, members, shape } if *epoch > self.epoch => {
                (self.epoch, self.ring) = (*epoch, Some(Ring::new(members, *shape)));
                self.place_anew(cx);
            }
            Fact::Settled { epoch } => self.settled = self.settled.max(*epoch),
            Fact::Suspects { who, .. } => drop(self.suspects.insert(*who)),
            Fact::Trusts { who, .. } => drop(self.suspects.remove(who)),
            Fact::File(FileFact::Links { file, version, manifest }) => {
                self.linked(file, *version, manifest.as_ref(), cx);
            }
            _ => return,
        }
        self.retry_later(cx);
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        cx.emit(Fact::File(FileFact::Opens { replicas: self.config.settings.replicas }));
        for (block, copy) in self.blocks.iter().filter(|(_, copy)| !copy.spoilt) {
            cx.emit(Fact::File(FileFact::Has { block: block.clone(), sum: copy.sum }));
        }
    }
}

impl Files {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    /// All nodes in the order in which a block meets them; none while there is no ring.
    fn walk(&self, block: &BlockId) -> impl Iterator<Item = NodeId> {
        let place = |ring: &Ring| ring.position(&block.place());
        self.ring.iter().flat_map(move |ring| ring.walk(place(ring)))
    }

    /// Who is to hold a block.
    fn holders(&self, block: &BlockId) -> impl Iterator<Item = NodeId> {
        self.walk(block).take(self.config.settings.replicas.into())
    }

    /// The log has a new version of a file, or says again what it has.
    fn linked(&mut self, file: &Name, version: u64, manifest: Option<&Manifest>, cx: &mut Cx<'_>) {
        let filed = self.files.entry(file.clone()).or_default();
        if version > filed.version {
            *filed = Entry { version, manifest: manifest.cloned() };
            self.collect_garbage(file, cx);
            self.place(file, cx);
        }
    }

    /// What the namespace says of a block: none if it is not part of a file.
    fn piece(&self, block: &BlockId) -> Option<Piece> {
        let manifest = self.files.get(&block.file)?.manifest.as_ref()?;
        let index = usize::try_from(block.index).ok()?;
        manifest.pieces.get(index).filter(|_| manifest.put == block.put).copied()
    }

    /// Sees to it that what is under way is asked for again.
    fn retry_later(&mut self, cx: &mut Cx<'_>) {
        let busy = !self.flights.is_empty() || self.repair.is_busy();
        if busy && !self.retrying {
            self.retrying = true;
            cx.set(Timer::Retry, Span(self.config.settings.retry.0 / 2));
        }
    }

    /// Whether something that was asked at a time should have been answered by now.
    fn is_late(&self, at: Time, cx: &Cx<'_>) -> bool {
        cx.now().since(at) >= self.config.settings.retry
    }
}
