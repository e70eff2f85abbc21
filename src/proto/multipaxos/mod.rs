//! Multi-Paxos: nodes agree on a log, one entry a slot, and apply it to a state machine.
//!
//! **What it guarantees.** At most one entry is ever chosen in a slot; every replica applies the
//! chosen entries in the order of slots, without gaps; a command that a client repeats takes effect
//! once. All of this holds whatever messages are lost, repeated, delayed or overtaken, and
//! whichever nodes crash and come back with their disks. There is progress while one leader and a
//! majority reach each other.
//!
//! **Roles.** Every node is *acceptor* (it promises and votes, on disk first), *replica* (it learns
//! what is chosen and applies it) and, one at a time, *leader*. A leader asks once for promises
//! that cover all slots (phase 1) and then needs one round trip an entry (phase 2). A request may
//! come to any node: it hands it to the leader and answers when it has applied the entry itself.
//!
//! ```text
//!  n1 (candidate, leader)   n2              n3
//!   ├─ Prepare 2.1 from 7 ─>├──────────────>│    phase 1, once: promise for slots from 7 on
//!   │<─ Promise 2.1 [7: x] ─┤               │    n2 has voted for x in slot 7
//!   │<─ Promise 2.1 ────────────────────────┤
//!   ├─ Accept 2.1 slot 7 x ─>├─────────────>│    phase 2: x may be chosen, so propose it again;
//!   │<─ Accepted 2.1 ───────┤<──────────────┤    holes are filled with noop
//!   ├─ Commit 2.1 upto 7 ──>├──────────────>│    all replicas apply slot 7
//!   ├─ Heartbeat 2.1 ──────>├──────────────>│    until somebody misses it and seeks to lead
//! ```
//!
//! *Stable leader.* A node seeks to lead when it has heard of no leader for a time drawn from the
//! election range. Who has just heard of a leader ignores others' prepares, so a node that comes
//! back from behind a cut does not unseat a leader that works. A leader that hears no majority for
//! the longest election time, or that is refused, steps down. So a follower need not answer each
//! heartbeat: a vote is an answer, too, and one answer in half the shortest election time will do.
//!
//! *Elections by connectivity* ask for more than patience: see [`ElectBy`].
//!
//! *Commit.* A slot is chosen when a majority voted in one ballot. Leaders tell the largest slot up
//! to which all are chosen, in a ballot; a replica takes its own votes of that ballot for chosen,
//! and asks (`CatchUp`) for what it misses. *Snapshots.* Every so many slots a replica writes its
//! state down and cuts its log; who asks for slots that are cut gets the state (`Install`).
//!
//! *Reads* go through the log like writes, or cost no entry: see [`Reads`].
//!
//! *Window.* At most 64 slots are under way (`window`), in at most 8 messages; what comes meanwhile
//! leaves as one batch. The slots of one message are voted on, counted and chosen together.
//!
//! *Voters.* Who votes is in the log, and counts a window later: see `electorate`. All other nodes
//! keep a replica: they promise, vote and learn like any, and nobody counts that.
//!
//! **Rules.** PAX-1 to PAX-8 and MP-5 for every slot, LE-3 (`check::paxos`); MP-1, MP-2 and MP-4
//! (`check::log`).
//!
//! **Sources.** Lamport, *Paxos Made Simple* (2001), section 3; Chandra, Griesemer and Redstone,
//! *Paxos Made Live* (2007), sections 4 and 5; van Renesse and Altinbuken, *Paxos Made Moderately
//! Complex* (2015).
//!
//! **What is left out.** Quorums other than majorities; quorum reads while voters change (the
//! change is refused); handing leadership on; a lost disk (a node that forgets its votes may break
//! PAX-1).

mod acceptor;
mod connectivity;
mod electorate;
mod leader;
mod message;
mod reads;
mod replica;
mod strip;

pub use connectivity::ElectBy;
pub use message::{Entries, Message, Record, Timer, Vote};

use super::log::{self, Agreement, Configuration, Reader, Reads, Replica};
use super::{Context, Protocol, Ticket};
use crate::base::{
    Ballot, CallId, Entry, Mutation, NodeId, Op, ServiceId, Slot, Span, Time, Voters,
};
use crate::event::Fact;
use connectivity::Neighbours;
use electorate::Electorate;
use leader::{Candidate, Leader};
use std::sync::Arc;
use strip::Strip;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every log is told.
    pub log: log::Config,
    /// What makes a node seek to lead.
    pub elect_by: ElectBy,
    /// How many slots may be under way, and after how many a change of voters counts.
    pub window: u64,
}

/// What a node is to the log at the moment.
#[derive(Clone, Debug)]
enum Role {
    /// It follows the leader of this ballot; nobody if none.
    Follower(Ballot),
    /// It waits for promises.
    Candidate(Box<Candidate>),
    /// It leads.
    Leader(Box<Leader>),
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Log {
    config: log::Config,
    elect_by: ElectBy,
    electorate: Electorate,
    // As acceptor, durable; so are the votes in the strip.
    promised: Ballot,
    strip: Strip,
    // As replica.
    replica: Replica,
    /// All slots up to here are chosen, and known.
    commit: Slot,
    /// What the leader of a ballot said: all slots up to here are chosen.
    told: (Ballot, Slot),
    /// Who has entries that are missing here.
    source: Option<NodeId>,
    // Leading.
    role: Role,
    /// When a leader was last heard of, by the node's own clock.
    heard: Time,
    /// The leader of which ballot was last told that this node is there, and when.
    answered: (Ballot, Time),
    /// To whom it last gave a lease, and when; after a restart, to whom it may have.
    given: Option<(NodeId, Time)>,
    /// How long to wait for one from then on.
    patience: Span,
    /// The highest round that was heard of in a refusal.
    outbid: u32,
    neighbours: Neighbours,
}

impl Protocol for Log {
    const ID: ServiceId = ServiceId::Log;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let Config { log: config, elect_by, window } = config;
        let first = Configuration::first(config.voters.clone());
        let mut log = Log {
            electorate: Electorate::after(first, window, config.mutations),
            promised: Ballot::NONE,
            strip: Strip::default(),
            replica: Replica::new(&config),
            commit: 0,
            told: (Ballot::NONE, 0),
            source: None,
            role: Role::Follower(Ballot::NONE),
            heard: cx.now(),
            answered: (Ballot::NONE, Time::ZERO),
            given: (cx.boot() > 1 && !config.mutations.has(Mutation::LogForgetLease))
                .then(|| (NodeId::BENCH, cx.now())),
            patience: Span::ZERO,
            outbid: 0,
            neighbours: Neighbours::default(),
            elect_by,
            config,
        };
        disk.iter().for_each(|record| log.recall(record));
        log.patience = match cx.boot() {
            // Nobody can lead yet, so there is nobody to wait for.
            1 => cx.rng().span(log.config.heartbeat, log.config.election.0),
            _ => log.config.draw(cx),
        };
        match elect_by {
            ElectBy::Patience => cx.set(Timer::Election, log.patience),
            ElectBy::Connectivity => log.begin_round_of_health(cx),
        }
        log
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !message.makes_sense(self.commit) {
            return;
        }
        match message {
            Message::Prepare { ballot, from: slot } => self.on_prepare(from, ballot, slot, cx),
            Message::Promise { ballot, commit, votes } => {
                self.on_promise(from, ballot, commit, &votes, cx);
            }
            Message::Refuse { ballot, promised } => self.on_refuse(ballot, promised, cx),
            Message::Accept { ballot, commit, first, entries } => {
                self.on_accept(from, ballot, first, &entries, cx);
                self.on_told(ballot, commit, cx);
            }
            Message::Accepted { ballot, first, count } => {
                self.on_accepted(from, ballot, first, count, cx);
            }
            Message::Commit { ballot, upto } => {
                if self.listen(from, ballot, cx) {
                    self.on_told(ballot, upto, cx);
                }
            }
            Message::Heartbeat { ballot, commit, round } => {
                if self.listen(from, ballot, cx) {
                    self.on_told(ballot, commit, cx);
                    self.answer(from, ballot, round, cx);
                }
            }
            Message::Alive { ballot, round } => self.on_alive(from, ballot, round, cx),
            Message::CatchUp { from: slot } => self.on_catch_up(from, slot, cx),
            Message::Entries { first, entries } => self.on_entries(from, first, &entries, cx),
            Message::Install { machine } => self.on_install(from, &machine, cx),
            Message::Forward { entry } => self.propose(entry, cx),
            Message::ReadIndex { read } => self.on_read(from, read, cx),
            Message::ReadState { read, slot } => self.on_read_state(from, read, slot, cx),
            Message::AskHealth { round } => self.on_ask_health(from, round, cx),
            Message::Health { round, ballot, well } => self.on_health(from, round, ballot, well),
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Election => self.on_election(cx),
            Timer::Heartbeat => self.on_heartbeat(cx),
            Timer::CatchUp => self.ask_for_missing(cx),
            Timer::Retry => self.on_retry(cx),
            Timer::Read => self.on_read_timer(cx),
            Timer::Round => self.on_round(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Election => "election",
            Timer::Heartbeat => "heartbeat",
            Timer::CatchUp => "catch-up",
            Timer::Retry => "retry",
            Timer::Read => "read",
            Timer::Round => "round",
        }
    }

    fn timer_is_watched(timer: Timer) -> bool {
        matches!(timer, Timer::Election | Timer::Round)
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        if !self.takes_read(ticket, call, &op, cx) {
            self.on_request(ticket, Arc::new(Entry { call, op }), cx);
        }
    }

    /// First the state, then the votes in the order of ballots (no vote is below a promise, and a
    /// vote is a promise), then what came of them.
    fn restate(&self, cx: &mut Context<'_, Self>) {
        self.replica.restate_snapshot(cx);
        self.restate_voters(cx);
        self.restate_votes(cx);
        for (slot, cell) in self.strip.from(0) {
            if let Some(entry) = &cell.chosen {
                cx.emit(Fact::Chooses { slot, entry: entry.clone() });
                if slot <= self.replica.applied() {
                    let (entry, digest) = (entry.clone(), cell.digest);
                    cx.emit(Fact::Applies { slot, entry, digest });
                }
            }
        }
        self.replica.restate(cx);
        cx.emit(match &self.role {
            Role::Leader(leader) => Fact::Leads { ballot: leader.ballot },
            Role::Candidate(candidate) => Fact::Seeks { ballot: candidate.ballot },
            Role::Follower(Ballot::NONE) => Fact::Seeks { ballot: Ballot::NONE },
            Role::Follower(ballot) => Fact::Follows { ballot: *ballot },
        });
    }
}

impl Log {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    /// Says which voters decide slots that are not cut off, if not all nodes do.
    fn restate_voters(&self, cx: &mut Context<'_, Self>) {
        let all = self.config.peers.len();
        for Configuration { slot, voters, .. } in self.electorate.all() {
            if *slot > 0 || voters.iter().count() < all {
                cx.emit(Fact::Voters { slot: *slot, voters: voters.clone() });
            }
        }
    }

    /// Says which voters were named last.
    fn say_voters(&self, cx: &mut Context<'_, Self>) {
        let Configuration { slot, voters, .. } = self.electorate.last().clone();
        cx.emit(Fact::Voters { slot, voters });
    }

    /// The highest ballot that it goes by: promised, or led by somebody that it follows.
    fn current(&self) -> Ballot {
        match self.role {
            Role::Follower(ballot) => self.promised.max(ballot),
            _ => self.promised,
        }
    }
}

impl Agreement for Log {
    const RETRY: Timer = Timer::Retry;
    const CHANGES_VOTERS: bool = true;

    fn voters(&self) -> &Voters {
        &self.electorate.last().voters
    }

    fn changes_voters(&self) -> bool {
        self.config.reads != Reads::Quorum
    }

    fn config(&self) -> &log::Config {
        &self.config
    }

    fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    fn hand_on(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        match self.role {
            Role::Leader(_) => self.propose(entry, cx),
            Role::Candidate(_) | Role::Follower(Ballot::NONE) => {}
            Role::Follower(ballot) => cx.send(ballot.node, Message::Forward { entry }),
        }
    }
}
