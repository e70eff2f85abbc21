//! The store by quorums: every replica of a key takes reads and writes, and nobody owns it.
//!
//! **What it guarantees.** A write is acknowledged when `w` of the key's N replicas have it on
//! disk, a read is answered when `r` of them have answered. If r + w > N, a read that begins after
//! a write was acknowledged finds it, or one that followed (Q-2). It is linearizable only if what a
//! read found is at `w` replicas before it is answered (`read_repair = "write-back"`) and a writer
//! asks first what there is (`survey`), for its write to come after that (Q-3). In all other cases
//! a read may be stale, and replicas become equal later (Q-6): by writes that are repeated, read
//! repair, hints and anti-entropy. No acknowledged write is lost to fewer than `w` lost disks.
//!
//! **Roles.** Any node that is asked is a *coordinator*: it asks all *replicas*, which are the
//! key's preference list, and counts who answers. With a *sloppy* quorum, a *stand-in* from further
//! along the ring counts for a replica that does not answer. It keeps what it was sent as a *hint*,
//! and hands it on when that replica is back; such a write may be invisible to reads until then
//! (Q-8).
//!
//! ```text
//! c1            n4 (coordinator)       n1, n2 (replicas)      n3 (down)    n5 (stand-in)
//! │─ put x=5 ─>│── Read x ──────────────>│                     ×             │
//! │            │<──────────── Found 4 ───│  r = 2: the new version follows that one
//! │            │── Write x 5 ───────────>│ on disk             ×             │
//! │<── done ───│<──────────── Written ───│  w = 2                            │
//! │            │── Write x 5 for n3 ──────────────────────────────────────────>│ hint
//! │            │                         │                     │<─ Replay x 5 ─│ n3 is back
//! ```
//!
//! A client asks in two rounds: a *survey* tells it which versions there are, and then it names its
//! version itself, by its call. So whatever it repeats, and wherever, is the same version. Without
//! `survey`, it knows only what it was told before.
//!
//! **Concurrent writes** ([`Conflict`]). By `versions = "lww"` the later stamp wins and the other
//! write is lost, though it was acknowledged; stamps are hybrid clocks, so a write never loses to
//! one that its writer had seen, however wrong clocks are. By `versions = "siblings"` both stay
//! until somebody writes who has seen both.
//!
//! **Deletion.** A key is deleted by writing a *tombstone*. When that is older than `grace`, the
//! first replica asks all nodes of the cluster whether they have anything older, which they give up
//! for it and refuse from then on. When all have answered, and another `grace` has passed in which
//! reads and messages of before come to their end, everybody drops it (Q-10). A node that is down
//! for good keeps tombstones alive: better than that it brings deleted values back.
//!
//! **Anti-entropy.** Each replica compares, every `sync_every`, the Merkle tree of the keys that it
//! and another one are both to keep, level by level, and only leaves that differ are exchanged
//! (Q-9).
//!
//! **When the ring changes**, old and new replicas count side by side until the new ring is
//! settled: a read needs `r` and a write `w` of each preference list since the last settled ring
//! (Q-11). A node that has moved to a ring refuses coordinators of an older one. It is *synced*
//! when, for all keys whose list has changed, it has taken over what so many of each old list had,
//! all of them moved, that no quorum of the others is left. Who has keys of others sends them
//! there, and drops them when all have them.
//!
//! **Sources.** DeCandia et al. 2007, *Dynamo*, sections 4.3 to 4.7 · Attiya, Bar-Noy, Dolev 1995,
//! *Sharing memory robustly in message-passing systems* (write-back) · Lynch and Shvartsman 1997,
//! *Robust emulation of shared memory* (several writers) · Merkle 1987 · the Cassandra manual, on
//! hints, repair and tombstones.
//!
//! **What is left out.** Counters and transactions (both need one order of writes). Tombstones are
//! safe as long as no message is under way for longer than `grace`, nor across a restart.

mod burial;
mod coordinator;
mod hints;
mod movement;
mod replica;
mod sync;

use super::ring::circle;
use super::{Context, Protocol, Ticket};
use crate::base::placement::Ring;
use crate::base::{
    CallId, Conflict, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, ServiceId, Span,
    Time, Version, Versions,
};
use crate::event::Fact;
use burial::Burial;
use coordinator::{Reading, Want, Writing};
use hints::Hint;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

type Cx<'a> = Context<'a, QuorumStore>;

/// What a coordinator does about replicas that have answered a read with less than others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    Off,
    /// It sends them what they lack, after it has answered.
    #[default]
    Async,
    /// It answers when what it found is at a write quorum.
    WriteBack,
}

/// The switches of a store by quorums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// How many replicas must answer a read.
    pub r: u8,
    /// How many replicas must have a write.
    pub w: u8,
    /// What becomes of concurrent writes.
    pub versions: Conflict,
    /// Whether what stand-ins keep counts.
    pub sloppy: bool,
    /// How long a hint is kept; zero if there are none.
    pub hint_window: Span,
    /// How many hints are handed on at once, to each node.
    pub hint_rate: u16,
    /// What is done about replicas that lag.
    pub read_repair: Repair,
    /// How old a tombstone must be to be dropped.
    pub grace: Span,
    /// How often a replica compares with another one; zero if never.
    pub sync_every: Span,
    /// Whether a writer asks first which versions there are.
    pub survey: bool,
}

impl Quorum {
    /// Whether a read meets every write that was acknowledged before, among `n` replicas.
    pub fn is_strict(&self, n: u8) -> bool {
        !self.sloppy && u16::from(self.r) + u16::from(self.w) > u16::from(n)
    }
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes of the cluster.
    pub peers: Arc<[NodeId]>,
    /// Its switches.
    pub quorum: Quorum,
    /// Whether reads meet writes: [`Quorum::is_strict`].
    pub strict: bool,
    /// How long a coordinator waits before it asks again.
    pub retry: Span,
    /// How long it tries.
    pub give_up: Span,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// Keys and what is kept of each.
pub type Items = Arc<[(Name, Versions)]>;

/// What stores tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Keep this, for yourself or as a hint for another.
    Write {
        /// The ring by which the receiver is asked.
        epoch: u64,
        /// The coordinator's number for it; never used twice.
        flight: u64,
        /// Which key.
        key: Name,
        /// What to keep.
        versions: Versions,
        /// Whom it is for, if the receiver only stands in.
        hint: Option<NodeId>,
    },
    /// It is on disk.
    Written {
        /// The coordinator's number.
        flight: u64,
        /// Whom it was for, if that is another.
        hint: Option<NodeId>,
    },
    /// What do you have?
    Read {
        /// The ring by which the receiver is asked.
        epoch: u64,
        /// The coordinator's number.
        flight: u64,
        /// Which key.
        key: Name,
    },
    /// This, hints included.
    Found {
        /// The coordinator's number.
        flight: u64,
        /// What there is.
        versions: Versions,
    },
    /// The receiver goes by an older ring than the sender, which answers by its own only.
    Behind {
        /// The sender's ring.
        epoch: u64,
    },
    /// A hint is handed on.
    Replay {
        /// Which key.
        key: Name,
        /// The version that the receiver has missed.
        version: Arc<Version>,
    },
    /// It is on disk.
    Replayed {
        /// Which key.
        key: Name,
        /// The version.
        dot: CallId,
    },
    /// The sender needs what it is to keep in this ring.
    Pull {
        /// The ring that the sender has moved to.
        epoch: u64,
        /// It has lost its disk, and needs all.
        blank: bool,
    },
    /// What the receiver is to keep, as far as the sender has it.
    Hand {
        /// The ring that both have moved to.
        epoch: u64,
        /// The sender has lost its disk, and does not count.
        blank: bool,
        /// The keys.
        items: Items,
    },
    /// Nodes of the sender's tree of what both are to keep.
    Tree {
        /// The ring that says what that is.
        epoch: u64,
        /// 0 is the root.
        level: u8,
        /// Place in the level, and digest.
        nodes: Arc<[(u16, u64)]>,
    },
    /// What the sender has in leaves that differ.
    Leaves {
        /// The ring that says what both are to keep.
        epoch: u64,
        /// Which leaves.
        leaves: Arc<[u16]>,
        /// What is in them.
        items: Items,
        /// Whether the receiver is to send its own.
        reply: bool,
    },
    /// These tombstones are to be dropped: have you anything older?
    Bury {
        /// Which key.
        key: Name,
        /// The tombstones.
        versions: Versions,
    },
    /// Not any more.
    Buried {
        /// Which key.
        key: Name,
        /// The tombstones.
        versions: Versions,
    },
    /// Nobody has: drop them.
    Purge {
        /// Which key.
        key: Name,
        /// The tombstones.
        versions: Versions,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Write { epoch, key, versions, hint: None, .. } => {
                write!(f, "Write e{epoch} {key}={versions}")
            }
            Message::Write { epoch, key, versions, hint: Some(target), .. } => {
                write!(f, "Write e{epoch} {key}={versions} for {target}")
            }
            Message::Written { hint: None, .. } => f.write_str("Written"),
            Message::Written { hint: Some(target), .. } => write!(f, "Written for {target}"),
            Message::Read { epoch, key, .. } => write!(f, "Read e{epoch} {key}"),
            Message::Found { versions, .. } => write!(f, "Found {versions}"),
            Message::Behind { epoch } => write!(f, "Behind e{epoch}"),
            Message::Replay { key, version } => write!(f, "Replay {key}={version}"),
            Message::Replayed { key, dot } => write!(f, "Replayed {key} {dot}"),
            Message::Pull { epoch, blank: false } => write!(f, "Pull e{epoch}"),
            Message::Pull { epoch, blank: true } => write!(f, "Pull e{epoch} everything"),
            Message::Hand { epoch, blank: false, items } => {
                write!(f, "Hand e{epoch} {} keys", items.len())
            }
            Message::Hand { epoch, .. } => write!(f, "Hand e{epoch} nothing, disk lost"),
            Message::Tree { epoch, level, nodes } => {
                write!(f, "Tree e{epoch} level {level}, {} nodes", nodes.len())
            }
            Message::Leaves { epoch, leaves, items, .. } => {
                write!(f, "Leaves e{epoch} {}, {} keys", leaves.len(), items.len())
            }
            Message::Bury { key, versions } => write!(f, "Bury {key}={versions}"),
            Message::Buried { key, .. } => write!(f, "Buried {key}"),
            Message::Purge { key, .. } => write!(f, "Purge {key}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Something was asked and is not answered.
    Retry,
    /// It is time to look after hints, tombstones, and keys of others.
    Tend,
    /// It is time to compare with another replica.
    Sync,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// It goes by this ring from now on.
    Moved {
        /// The ring.
        epoch: u64,
        /// It has lost what it kept before.
        blank: bool,
    },
    /// It holds all that it must hold in this ring.
    Full {
        /// The ring.
        epoch: u64,
    },
    /// What it keeps of a key; nothing if it has dropped it.
    Item {
        /// Which key.
        key: Name,
        /// What it keeps.
        versions: Versions,
    },
    /// It keeps a hint.
    Hint {
        /// Whom it is for.
        target: NodeId,
        /// Which key.
        key: Name,
        /// The version.
        version: Arc<Version>,
        /// When it was told to, by its wall clock.
        created: Time,
    },
    /// It does not keep that hint any more.
    Unhint {
        /// Whom it was for.
        target: NodeId,
        /// Which key.
        key: Name,
        /// The version.
        dot: CallId,
    },
}

/// How often hints, tombstones and keys of others are looked after.
const TEND: Span = Span::millis(500);

/// One node's part.
#[derive(Clone, Debug)]
pub struct QuorumStore {
    config: Config,
    /// The ring that it has moved to, on disk; 0 before the first.
    epoch: u64,
    /// Every ring since the last settled one that it has heard of.
    rings: BTreeMap<u64, Ring>,
    settled: u64,
    /// It lost its disk and has not pulled everything yet.
    blank: bool,
    /// The last ring of which it had everything.
    full: u64,
    /// Who has moved to this ring and handed over what it had, and whether it had lost its disk.
    sources: BTreeMap<NodeId, bool>,
    items: BTreeMap<Name, Versions>,
    hints: BTreeMap<(NodeId, Name, CallId), Hint>,
    /// Records since the last checkpoint.
    records: usize,
    /// Keys that are others' to keep.
    strays: BTreeSet<Name>,
    /// Since when it has had nothing but tombstones of a key.
    graves: BTreeMap<Name, Time>,
    /// Who has nothing older, for tombstones that it asks about.
    buried: BTreeMap<Name, Burial>,
    /// Tombstones that it was asked about, and when last: what is older does not come in any more.
    refused: BTreeMap<Name, (Versions, Time)>,

    /// As a coordinator.
    reads: BTreeMap<u64, Reading>,
    writes: BTreeMap<u64, Writing>,
    next_flight: u64,
    /// The latest stamp that it knows of.
    clock: u64,
    suspects: BTreeSet<NodeId>,

    /// Whom it compared with last.
    compared: NodeId,
    load: Option<(u32, u32)>,
    retrying: bool,
}

impl Protocol for QuorumStore {
    const ID: ServiceId = ServiceId::Store;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Cx<'_>) -> Self {
        let sync_every = config.quorum.sync_every;
        let mut store = QuorumStore {
            config,
            epoch: 0,
            rings: BTreeMap::new(),
            settled: 0,
            blank: cx.boot() > 1,
            full: 0,
            sources: BTreeMap::new(),
            items: BTreeMap::new(),
            hints: BTreeMap::new(),
            records: disk.len(),
            strays: BTreeSet::new(),
            graves: BTreeMap::new(),
            buried: BTreeMap::new(),
            refused: BTreeMap::new(),
            reads: BTreeMap::new(),
            writes: BTreeMap::new(),
            next_flight: u64::from(cx.boot()) << 32,
            clock: 0,
            suspects: BTreeSet::new(),
            compared: cx.me(),
            load: None,
            retrying: false,
        };
        disk.iter().for_each(|record| store.recover(record, cx.now()));
        cx.set(Timer::Tend, TEND);
        if sync_every > Span::ZERO {
            let first = cx.rng().span(Span(sync_every.0 / 2), sync_every);
            cx.set(Timer::Sync, first);
        }
        store
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Write { epoch, flight, key, versions, hint } => {
                self.take_in(from, (epoch, flight), &key, &versions, hint, cx);
            }
            Message::Written { flight, hint } => self.written(from, flight, hint, cx),
            Message::Read { epoch, flight, key } => self.look_up(from, epoch, flight, &key, cx),
            Message::Found { flight, versions } => self.found(from, flight, versions, cx),
            // Its own log will tell it sooner or later, and until then others may answer.
            Message::Behind { .. } => {}
            Message::Replay { key, version } => {
                let dot = version.dot;
                self.keep(&key, &Versions::from(Version::clone(&version)), cx);
                cx.send(from, Message::Replayed { key, dot });
            }
            Message::Replayed { key, dot } => self.replayed(from, key, dot, cx),
            Message::Pull { epoch, blank } => self.pulled(from, epoch, blank, cx),
            Message::Hand { epoch, blank, items } => self.handed(from, epoch, blank, &items, cx),
            Message::Tree { epoch, level, nodes } => self.compare(from, epoch, level, &nodes, cx),
            Message::Leaves { epoch, leaves, items, reply } => {
                self.exchange(from, epoch, &leaves, &items, reply, cx);
            }
            Message::Bury { key, versions } => self.bury(from, key, versions, cx),
            Message::Buried { key, versions } => self.note_buried(from, &key, &versions, cx),
            Message::Purge { key, versions } => self.purge(&key, &versions, cx),
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Retry => {
                self.retrying = false;
                self.retry_reads(cx);
                self.retry_writes(cx);
                self.pull(cx);
            }
            Timer::Tend => {
                self.tend_hints(cx);
                self.tend_strays(cx);
                self.tend_graves(cx);
                self.tell_load(cx);
                cx.set(Timer::Tend, TEND);
            }
            Timer::Sync => {
                self.begin_sync(cx);
                cx.set(Timer::Sync, self.config.quorum.sync_every);
            }
        }
        self.retry_later(cx);
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Retry => "retry",
            Timer::Tend => "tend",
            Timer::Sync => "sync",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        match op {
            Op::Get { key } => self.read(ticket, call, key, Want::Get, cx),
            Op::Survey { key } => self.read(ticket, call, key, Want::Survey, cx),
            Op::Put { key, value } => self.change(ticket, call, key, Some(value), cx),
            Op::Delete { key } => self.change(ticket, call, key, None, cx),
            Op::Store { key, version } => {
                self.write_version(ticket, key, Version::clone(&version), cx);
            }
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
        self.retry_later(cx);
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::View { epoch, members, shape } => {
                let (me, mutations) = (cx.me(), self.config.mutations);
                self.view(*epoch, || circle(members, *shape, me, mutations), cx);
            }
            Fact::Settled { epoch } => self.note_settled(*epoch, cx),
            Fact::Suspects { who, .. } => drop(self.suspects.insert(*who)),
            Fact::Trusts { who, .. } => drop(self.suspects.remove(who)),
            _ => return,
        }
        self.retry_later(cx);
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        for (key, versions) in &self.items {
            cx.emit(Fact::Keeps { key: key.clone(), versions: versions.clone() });
        }
        for (target, key, dot) in self.hints.keys() {
            cx.emit(Fact::Hints { target: *target, key: key.clone(), dot: *dot });
        }
        // At a start, the ring would take it for news.
        if self.full == self.epoch && self.ring().is_some() && !cx.is_starting() {
            cx.emit(Fact::Synced { epoch: self.full });
        }
        if let Some((keys, owned)) = self.load {
            cx.emit(Fact::Load { keys, owned });
        }
    }
}

impl QuorumStore {
    fn recover(&mut self, record: &Record, now: Time) {
        match record {
            Record::Moved { epoch, blank } => (self.epoch, self.blank) = (*epoch, *blank),
            Record::Full { epoch } => (self.full, self.blank) = (*epoch, false),
            Record::Item { key, versions } => {
                self.put(key, versions.clone(), now);
                self.clock = self.clock.max(versions.stamp());
            }
            Record::Hint { target, key, version, created } => {
                let hint = Hint { version: Arc::clone(version), created: *created };
                self.hints.insert((*target, key.clone(), version.dot), hint);
            }
            Record::Unhint { target, key, dot } => {
                self.hints.remove(&(*target, key.clone(), *dot));
            }
        }
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    /// The ring that it goes by; none while its log has not caught up with its disk.
    fn ring(&self) -> Option<&Ring> {
        self.rings.get(&self.epoch)
    }

    /// The preference lists of a key that count now, in the rings since the last settled one; none
    /// while it does not know them.
    fn lists(&self, key: &Name) -> Vec<&[NodeId]> {
        let Some(ring) = self.ring() else { return Vec::new() };
        let position = ring.position(key.as_str());
        let first = match self.has(Mutation::QuorumOneRing) {
            true => self.epoch,
            false => self.settled.min(self.epoch),
        };
        let all = self.rings.range(first..=self.epoch);
        let mut lists: Vec<&[NodeId]> = all.map(|(_, ring)| ring.preference(position)).collect();
        lists.dedup();
        lists
    }

    /// Who is to have a key now, each once.
    fn replicas(&self, key: &Name) -> BTreeSet<NodeId> {
        self.lists(key).into_iter().flatten().copied().collect()
    }

    fn write_down(&mut self, record: Record, cx: &mut Cx<'_>) {
        cx.write(record);
        self.records += 1;
        if self.records > 256 + 4 * (self.items.len() + self.hints.len()) {
            self.checkpoint(cx);
        }
    }

    /// Replaces the log by what is known now.
    fn checkpoint(&mut self, cx: &mut Cx<'_>) {
        let (epoch, blank) = (self.epoch, self.blank);
        // `Full` ends a blank state, so the record that says `blank` comes after it.
        let mut records = vec![Record::Full { epoch: self.full }, Record::Moved { epoch, blank }];
        records.extend(self.items.iter().map(|(key, versions)| {
            let (key, versions) = (key.clone(), versions.clone());
            Record::Item { key, versions }
        }));
        records.extend(self.hints.iter().map(|((target, key, _), hint)| {
            let (target, key) = (*target, key.clone());
            Record::Hint { target, key, version: Arc::clone(&hint.version), created: hint.created }
        }));
        self.records = records.len();
        cx.checkpoint(records);
    }

    /// Sees to it that what is under way is asked for again.
    fn retry_later(&mut self, cx: &mut Cx<'_>) {
        let busy = !self.reads.is_empty() || !self.writes.is_empty() || self.pulling();
        if busy && !self.retrying {
            self.retrying = true;
            cx.set(Timer::Retry, self.config.retry);
        }
    }

    fn tell_load(&mut self, cx: &mut Cx<'_>) {
        let (me, ring) = (cx.me(), self.ring());
        let owner = |ring: &Ring, key: &Name| ring.owner(ring.position(key.as_str()));
        let (mut keys, mut owned) = (0, 0);
        for (key, _) in self.items.iter().filter(|(_, versions)| !versions.is_deleted()) {
            keys += 1;
            owned += u32::from(ring.is_some_and(|ring| owner(ring, key) == Some(me)));
        }
        if self.load != Some((keys, owned)) {
            self.load = Some((keys, owned));
            cx.emit(Fact::Load { keys, owned });
        }
    }
}
