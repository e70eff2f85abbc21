//! The store: keys and values, spread over the ring, copied to the nodes of each preference list.
//!
//! **What it guarantees.** Each key is linearizable, and no write that was acknowledged is lost as
//! long as one node of its preference list keeps its disk. A call takes effect at most once,
//! however often and wherever it is retried. Nobody answers for a range before its data has arrived
//! (RING-7), nor after a newer ring has taken it away.
//!
//! **Roles.** The *owner* of a key is the first of its preference list in the ring that the node
//! has moved to. It alone decides about the key: it writes the new state down, copies it to all
//! other *replicas* of the list, and answers when all of them have it on disk. To read, it asks
//! all of them whether they are still in its ring, and answers when they are. A replica that has
//! moved to a newer ring says neither, so an owner that was deposed, and may not know it, can
//! neither write nor read. Any node is a *router*: it takes a request, asks the owner, and asks
//! again until it has an answer or gives up.
//!
//! ```text
//! c1            n4 (router)            n2 (owner)              n3, n5 (replicas)
//! │─ put x=5 ──>│── Ask c1/7 put x=5 ──>│ writes               │
//! │             │                       │── Copy e3 x ────────>│ write
//! │             │                       │<──────────── Copied ─│
//! │<── done ────│<───────────── Answer ─│                      │
//! │─ get x ────>│── Ask c1/8 get x ────>│── Check e3 ─────────>│ still in e3
//! │<── 5 ───────│<───────────── Answer ─│<─────────── Checked ─│
//! ```
//!
//! **When the ring changes**, a node moves: it writes the new epoch down and from then on refuses
//! the old one. It then pulls the ranges that it keeps in the new ring: from at least one node of
//! their preference lists in *every* ring since the last settled one (its own copy counts where it
//! was on that list). Each of these has moved too before it answers, and every acknowledged write
//! was on all nodes of a list, so the puller has them all, and no more can be acknowledged behind
//! its back. Where it owns a range that is complete, it serves; when all of its ranges are, it is
//! *synced*. Data that it need not keep any more goes when the ring is settled.
//!
//! **As fast as it may.** What a node has for another goes in one message, or, where the cluster
//! file bounds `handoff_rate`, a page at a time, in the order of the circle: the puller asks for
//! what comes after the last key that it has, and the giver lets it wait until it may hand over
//! more. What a page completes counts at once, so an owner serves its ranges one after the other.
//! No old ring writes to the giver any more, so pages of different times fit together; whether it
//! had everything is what it said with the worst of them.
//!
//! **Half-copied writes.** A state that did not reach all replicas may be unknown to the next
//! owner, and turn up later. Before an owner answers anything about a key for the first time in
//! its life and ring, even a read or a refusal, it copies the key's state to all replicas under
//! its own [`Stamp`], which beats all stamps of older owners. So what was not taken over never
//! comes back once somebody has seen the key without it. That covers an owner that restarts as
//! well: what only it had on disk becomes everybody's before anyone is told of it.
//!
//! **What a read costs** is nothing, unless the cluster file says `read_time`: then an owner does
//! one read after the other; the chapter on that is `desk`.
//!
//! **Transactions** lock a key by an intent, which is part of the key's state: copied, and handed
//! over, like a value. The chapter on them is `commit`. So is what sagas did to a key; the chapter
//! on them is `saga`.
//!
//! **Sources.** Lamport, Malkhi, Zhou 2009, *Vertical Paxos and Primary-Backup Replication*,
//! section 4 (an epoch's primary writes to all, a new epoch reads from one of each earlier one) ·
//! van Renesse and Guerraoui 2010, *Replication techniques for availability* (primary-backup) ·
//! DeCandia et al. 2007, *Dynamo*, section 4.3 (preference lists).
//!
//! **What is left out.** Quorums (one silent replica stops writes until it is out of the ring),
//! anti-entropy by Merkle trees, and deletion. A
//! node whose disk was lost counts as empty until it has pulled; if all disks of a list were lost,
//! so is the data.

mod deeds;
mod desk;
mod handoff;
mod item;
mod owner;
mod route;

pub use deeds::{Deed, Deeds};
pub use item::{Ended, Intent, Item, Rules, Stamp, is_account};

use super::ring::circle;
use super::{Context, Protocol, Ticket};
use crate::base::placement::{KeyRange, Ring};
use crate::base::{
    Bucket, CallId, Mutation, Mutations, Name, NodeId, Op, Outcome, ServiceId, Span, Time,
};
use crate::event::Fact;
use desk::Desk;
pub use handoff::Mark;
use handoff::{Page, Source};
use owner::{Flight, Line, Peer, Read};
use route::Route;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

type Cx<'a> = Context<'a, Store>;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long an owner waits for its replicas before it asks again.
    pub retry: Span,
    /// How long a router tries before it tells that the outcome is unknown.
    pub give_up: Span,
    /// What an absent key that begins with `acct/` is worth.
    pub opening_balance: i64,
    /// How many keys a second it hands over to others at the most; none for all at once.
    pub handoff_rate: Option<u32>,
    /// How long an owner works on a read, on one at a time; zero if that takes no time.
    pub read_time: Span,
    /// How many reads may wait for their turn; it refuses more.
    pub read_queue: u16,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// What the stores of two nodes tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A router asks the owner.
    Ask {
        /// Whose operation it is.
        call: CallId,
        /// What is asked for.
        op: Arc<Op>,
    },
    /// The owner has done it.
    Answer {
        /// Whose operation it was.
        call: CallId,
        /// What became of it.
        outcome: Box<Outcome>,
    },
    /// The owner tells a replica the new state of a key.
    Copy {
        /// The ring by which the sender owns the key.
        epoch: u64,
        /// The sender's number for it; never used twice.
        flight: u64,
        /// Which key.
        key: Name,
        /// Its state.
        item: Arc<Item>,
    },
    /// A replica has the state, or a newer one, on disk.
    Copied {
        /// The ring that both are in.
        epoch: u64,
        /// The owner's number.
        flight: u64,
    },
    /// An owner with reads to answer asks whether the receiver is still in this ring.
    Check {
        /// The ring.
        epoch: u64,
        /// Counts the sender's questions to this receiver.
        round: u64,
    },
    /// It is.
    Checked {
        /// The ring.
        epoch: u64,
        /// The question.
        round: u64,
    },
    /// The sender needs its ranges of this ring.
    Pull {
        /// The ring that the sender has moved to.
        epoch: u64,
        /// It has those up to this one, if any.
        after: Option<Mark>,
    },
    /// The receiver's keys of this ring, as far as the sender has them.
    Hand {
        /// The ring that both have moved to.
        epoch: u64,
        /// The sender lost its disk and cannot speak for what it was given before.
        blank: bool,
        /// The last ring of which the sender had everything.
        full: u64,
        /// The keys.
        items: Arc<[(Name, Arc<Item>)]>,
        /// These are those after this one, if any.
        after: Option<Mark>,
        /// There are more after this one; none if that is all.
        next: Option<Mark>,
    },
    /// Whatever was asked is not the sender's business: it is in this ring.
    NotOwner {
        /// The ring that the sender has moved to.
        epoch: u64,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Ask { call, op } => write!(f, "Ask {call} {op}"),
            Message::Answer { call, outcome } => write!(f, "Answer {call} {outcome}"),
            Message::Copy { epoch, key, item, .. } => {
                write!(f, "Copy e{epoch} {key}")?;
                if let Some(value) = item.value {
                    write!(f, "={value}")?;
                }
                let intents = item.intents.iter().map(|intent| intent.txn);
                let mut holders = intents.chain(item.deeds.lock());
                holders.try_for_each(|txn| write!(f, " locked by {txn}"))
            }
            Message::Copied { epoch, .. } => write!(f, "Copied e{epoch}"),
            Message::Check { epoch, .. } => write!(f, "Check e{epoch}"),
            Message::Checked { epoch, .. } => write!(f, "Checked e{epoch}"),
            Message::Pull { epoch, after: None } => write!(f, "Pull e{epoch}"),
            Message::Pull { epoch, after: Some((_, key)) } => {
                write!(f, "Pull e{epoch} after {key}")
            }
            Message::Hand { epoch, blank: false, items, next, .. } => {
                write!(f, "Hand e{epoch} {} keys", items.len())?;
                if next.is_some() { f.write_str(", more to come") } else { Ok(()) }
            }
            Message::Hand { epoch, .. } => write!(f, "Hand e{epoch} nothing, disk lost"),
            Message::NotOwner { epoch } => write!(f, "NotOwner e{epoch}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Something was asked and is not answered.
    Retry,
    /// The load has changed and was told less than a second ago.
    Load,
    /// Keys were asked for that may be handed over by now.
    Hand,
    /// A read has been worked on for as long as it takes.
    Turn,
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
    /// It took in what `from` had for it in this ring.
    Took {
        /// The ring.
        epoch: u64,
        /// Who.
        from: NodeId,
        /// Whether that node had lost its disk.
        blank: bool,
        /// The last ring of which that node had everything.
        full: u64,
    },
    /// It holds all that it must hold in this ring.
    Full {
        /// The ring.
        epoch: u64,
    },
    /// The state of a key.
    Item {
        /// Which key.
        key: Name,
        /// Its state.
        item: Arc<Item>,
    },
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Store {
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
    /// Whose data of this epoch it has, its own included.
    sources: BTreeMap<NodeId, Source>,
    /// Whose data of this epoch it has a part of.
    pages: BTreeMap<NodeId, Page>,
    /// Who waits to be handed keys of this epoch, and after which one.
    asked: BTreeMap<NodeId, Option<Mark>>,
    /// How many keys it may hand over, if that is bounded.
    bucket: Option<Bucket>,
    /// What it stated last.
    serves: Arc<[KeyRange]>,
    items: BTreeMap<Name, Arc<Item>>,
    /// Records since the last checkpoint.
    records: usize,

    /// As an owner: keys whose state all replicas have, in this epoch and life.
    clean: BTreeSet<Name>,
    lines: BTreeMap<Name, Line>,
    flights: BTreeMap<u64, Flight>,
    next_flight: u64,
    reads: Vec<Read>,
    desk: Desk,
    peers: BTreeMap<NodeId, Peer>,

    /// As a router.
    routes: BTreeMap<CallId, Route>,

    load: (u32, u32),
    /// When the load was told last; none if never.
    load_told: Option<Time>,
    retrying: bool,
}

impl Protocol for Store {
    const ID: ServiceId = ServiceId::Store;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Cx<'_>) -> Self {
        let bucket = config.handoff_rate.map(|rate| Bucket::new(rate, cx.now()));
        let mut store = Store {
            config,
            epoch: 0,
            rings: BTreeMap::new(),
            settled: 0,
            blank: cx.boot() > 1,
            full: 0,
            sources: BTreeMap::new(),
            pages: BTreeMap::new(),
            asked: BTreeMap::new(),
            bucket,
            serves: Arc::default(),
            items: BTreeMap::new(),
            records: disk.len(),
            clean: BTreeSet::new(),
            lines: BTreeMap::new(),
            flights: BTreeMap::new(),
            next_flight: u64::from(cx.boot()) << 32,
            reads: Vec::new(),
            desk: Desk::default(),
            peers: BTreeMap::new(),
            routes: BTreeMap::new(),
            load: (0, 0),
            load_told: None,
            retrying: false,
        };
        disk.iter().for_each(|record| store.recover(record));
        store
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Ask { call, op } => self.asked(from, call, &op, cx),
            Message::Answer { call, outcome } => self.routed(call, *outcome, cx),
            Message::Copy { epoch, flight, key, item } => {
                self.copy(from, (epoch, flight), key, item, cx);
            }
            Message::Copied { epoch, flight } => self.copied(from, epoch, flight, cx),
            Message::Check { epoch, round } => self.check(from, epoch, round, cx),
            Message::Checked { epoch, round } => self.checked(from, epoch, round, cx),
            Message::Pull { epoch, after } => self.pulled(from, epoch, after, cx),
            Message::Hand { epoch, blank, full, items, after, next } => {
                self.take(from, epoch, Source { blank, full }, (&items, after, next), cx);
            }
            // Its own log will tell it sooner or later; until then asking again does no harm.
            Message::NotOwner { .. } => {}
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Cx<'_>) {
        match timer {
            Timer::Retry => {
                self.retrying = false;
                self.retry_routes(cx);
                self.retry_owned(cx);
                self.pull(cx);
                self.retry_later(cx);
            }
            Timer::Load => self.tell_load(cx),
            Timer::Hand => self.hand_over(cx),
            Timer::Turn => self.next_turn(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Retry => "retry",
            Timer::Load => "load",
            Timer::Hand => "hand",
            Timer::Turn => "turn",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        self.route(ticket, call, op, cx);
        self.retry_later(cx);
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Cx<'_>) {
        match fact {
            Fact::View { epoch, members, shape } => {
                let (me, mutations) = (cx.me(), self.config.mutations);
                self.view(*epoch, || circle(members, *shape, me, mutations), cx);
            }
            Fact::Settled { epoch } => self.note_settled(*epoch, cx),
            _ => return,
        }
        self.retry_later(cx);
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        for (key, item) in &self.items {
            // What is not everybody's may still be beaten by a newer owner's state.
            let copying = self.lines.get(key).is_some_and(Line::is_copying);
            if self.clean.contains(key) && !copying {
                item::resolves(key, &item.ended).for_each(|fact| cx.emit(fact));
                item::votes(key, item).for_each(|fact| cx.emit(fact));
                deeds::facts(key, item, 0).into_iter().for_each(|fact| cx.emit(fact));
            }
        }
        // At a start, the ring would take it for news.
        if self.full == self.epoch && self.ring().is_some() && !cx.is_starting() {
            cx.emit(Fact::Synced { epoch: self.full });
        }
        if !self.serves.is_empty() {
            cx.emit(self.serving(cx.me()));
        }
        if self.load_told.is_some() {
            cx.emit(Fact::Load { keys: self.load.0, owned: self.load.1 });
        }
        if self.desk.len() > 0 {
            cx.emit(Fact::Backlog { reads: self.desk.len() });
        }
    }
}

impl Store {
    fn recover(&mut self, record: &Record) {
        match record {
            Record::Moved { epoch, blank } => {
                (self.epoch, self.blank) = (*epoch, *blank);
                self.sources.clear();
            }
            Record::Took { epoch, from, blank, full } => {
                if *epoch == self.epoch {
                    self.sources.insert(*from, Source { blank: *blank, full: *full });
                }
            }
            Record::Full { epoch } => (self.full, self.blank) = (*epoch, false),
            Record::Item { key, item } => {
                self.items.insert(key.clone(), Arc::clone(item));
            }
        }
    }

    /// What it answers for now.
    fn serving(&self, me: NodeId) -> Fact {
        let lists = self.ring().into_iter().flat_map(Ring::ranges).map(|(_, list)| list);
        let copies = lists.filter(|list| list[0] == me).map(distinct).min().unwrap_or_default();
        let copies = u8::try_from(copies).unwrap_or(u8::MAX);
        Fact::Serves { epoch: self.epoch, ranges: Arc::clone(&self.serves), copies }
    }

    /// The ring that it goes by; none while its log has not caught up with its disk.
    fn ring(&self) -> Option<&Ring> {
        self.rings.get(&self.epoch)
    }

    fn rules(&self) -> Rules {
        let Config { opening_balance, mutations, .. } = self.config;
        Rules { opening_balance, mutations }
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    /// Keeps a state, on disk too.
    fn keep(&mut self, key: Name, item: Arc<Item>, cx: &mut Cx<'_>) {
        let news = holds_something(&item);
        let old = self.items.insert(key.clone(), Arc::clone(&item));
        self.write(Record::Item { key, item }, cx);
        if news && !old.is_some_and(|old| holds_something(&old)) {
            self.load_changed(cx);
        }
    }

    fn write(&mut self, record: Record, cx: &mut Cx<'_>) {
        cx.write(record);
        self.records += 1;
        if self.records > 256 + 4 * self.items.len() {
            self.checkpoint(cx);
        }
    }

    /// Replaces the log by what is known now.
    fn checkpoint(&mut self, cx: &mut Cx<'_>) {
        let (epoch, blank) = (self.epoch, self.blank);
        // `Full` ends a blank state, so the record that says `blank` comes after it.
        let mut records = vec![Record::Full { epoch: self.full }, Record::Moved { epoch, blank }];
        let took = self.sources.iter().filter(|(from, _)| **from != cx.me());
        records.extend(took.map(|(from, source)| {
            let Source { blank, full } = *source;
            Record::Took { epoch, from: *from, blank, full }
        }));
        let item = |(key, item): (&Name, &Arc<Item>)| {
            let (key, item) = (key.clone(), Arc::clone(item));
            Record::Item { key, item }
        };
        records.extend(self.items.iter().map(item));
        self.records = records.len();
        cx.checkpoint(records);
    }

    /// Sees to it that what is under way is asked for again.
    fn retry_later(&mut self, cx: &mut Cx<'_>) {
        let busy = !self.routes.is_empty()
            || !self.flights.is_empty()
            || !self.reads.is_empty()
            || !self.lines.is_empty()
            || self.pulling();
        if busy && !self.retrying {
            self.retrying = true;
            cx.set(Timer::Retry, self.config.retry);
        }
    }

    fn load_changed(&mut self, cx: &mut Cx<'_>) {
        let wait = match self.load_told {
            Some(told) => Span::secs(1) - cx.now().since(told),
            None => Span::ZERO,
        };
        cx.set(Timer::Load, wait);
    }

    fn tell_load(&mut self, cx: &mut Cx<'_>) {
        let (me, ring) = (cx.me(), self.ring());
        let (mut keys, mut owned) = (0, 0);
        for (key, _) in self.items.iter().filter(|(_, item)| holds_something(item)) {
            keys += 1;
            owned += u32::from(ring.is_some_and(|ring| owner(ring, key) == Some(me)));
        }
        let load = (keys, owned);
        if self.load_told.is_none() || self.load != load {
            (self.load, self.load_told) = (load, Some(cx.now()));
            cx.emit(Fact::Load { keys, owned });
        }
    }
}

/// Whether there is more to an item than that somebody asked for it.
fn holds_something(item: &Item) -> bool {
    item.value.is_some() || !item.intents.is_empty()
}

fn owner(ring: &Ring, key: &Name) -> Option<NodeId> {
    ring.owner(ring.position(key.as_str()))
}

/// How many nodes a list names.
fn distinct(list: &[NodeId]) -> usize {
    (0..list.len()).filter(|at| !list[..*at].contains(&list[*at])).count()
}

fn preference<'a>(ring: &'a Ring, key: &Name) -> &'a [NodeId] {
    ring.preference(ring.position(key.as_str()))
}

/// The key that an operation is about; none if it is none of the store's.
fn key_of(op: &Op) -> Option<&Name> {
    match op {
        Op::Get { key }
        | Op::Put { key, .. }
        | Op::Add { key, .. }
        | Op::Intend { key, .. }
        | Op::Settle { key, .. }
        | Op::Consult { key, .. }
        | Op::Precommit { key, .. } => Some(key),
        Op::Saga(asked) => Some(&asked.key),
        _ => None,
    }
}
