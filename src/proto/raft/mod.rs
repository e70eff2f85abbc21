//! Raft: nodes elect a leader, and copy its log.
//!
//! **What it guarantees.** At most one node leads in a term; logs that have an entry of the same
//! term in the same slot are the same up to there; what is committed is in the log of every later
//! leader; so all replicas apply the same entries in the same order, and a command that a client
//! repeats takes effect once. All of this holds whatever messages are lost, repeated, delayed or
//! overtaken, and whichever nodes crash and come back with their disks. There is progress while one
//! leader and a majority reach each other.
//!
//! **Roles.** A node *follows* the leader of its term; when it hears of none for a time drawn from
//! the election range, it becomes *candidate* and asks for votes; with a majority of them it
//! *leads*. Only the leader puts entries into the log, and it never drops one of its own. A request
//! may come to any node: it hands it to the leader and answers when it has itself applied the
//! entry.
//!
//! ```text
//!  n1 (candidate, leader)       n2                    n3
//!   ├─ RequestVote 2 last 7@1 ─>├────────────────────>│   one vote a term, on disk first, and only
//!   │<─ Vote 2 yes ─────────────┤                     │   for a log as up to date as one's own
//!   ├─ AppendEntries 2          │                     │
//!   │        after 7@1 ────────>├────────────────────>│   n3 has that place, n2 has not:
//!   │<─ Mismatch 2 at 7 hint 5@1┤<─ Appended 2 upto 7 ┤   so the leader goes back with n2
//!   ├─ AppendEntries 2          │                     │
//!   │        after 7@1 [2 noop]─│────────────────────>│   n3 appends slot 8; what n2 had from
//!   │        after 5@1, then    │                     │   slot 6 on gives way
//!   │        [1 x] [2 noop] ───>│                     │
//!   │<─ Appended 2 upto 8 ──────┤<────────────────────┤
//!   ├─ AppendEntries 2 commit 8>├────────────────────>│   a majority has slot 8, of this term: it
//!   │                           │                     │   and all before it are committed
//! ```
//!
//! *Elections.* A vote goes to who asks first in a term, if its last entry is of a later term than
//! one's own, or of the same term and its log at least as long. So whoever wins has all that is
//! committed. Before it enters a new term, a node asks whether it would win (`pre_vote`), so one
//! that cannot does not unseat a leader; who has heard of a leader within the shortest election
//! time, or has just restarted, does not listen to candidates (`sticky`); a leader that has heard
//! no majority for the longest election time steps down (`check_quorum`). Each is a switch of its
//! own, because each alone leaves a hole: see the cluster file's `[log]`.
//!
//! *Commit.* The leader counts copies only of entries of its own term (figure 8 of the paper shows
//! why); the first is a no-op, so that it need not wait for a request. Its own copy counts when it
//! is on its own disk: it acknowledges it to itself, like any follower. While some are on their way
//! there, it writes no others; those that come meanwhile are written together (group commit).
//!
//! *Copying.* The leader finds out with one empty message at a time where a follower's log agrees
//! with its own, going back a term at a time (probe); then it sends what comes without waiting for
//! answers, at most 8 messages, and in batches of what has gathered meanwhile (replicate). A
//! follower whose next slot is cut off gets the state instead (snapshot).
//!
//! *Reads* go through the log like writes, or cost no entry: see [`Reads`](super::log::Reads).
//! *Who votes* can change by entries of the log: see `membership`; the other nodes are learners.
//! *Leadership* can be handed on: see `transfer`.
//!
//! *Snapshots.* Every so many slots a replica writes its state down and cuts its log.
//!
//! **Rules.** RAFT-1 to RAFT-11, RAFT-13, RX-5, RX-9 to RX-12 (`check::raft`); MP-1, MP-2, MP-4
//! (`check::log`).
//!
//! **Sources.** Ongaro and Ousterhout, *In search of an understandable consensus algorithm* (2014);
//! Ongaro, *Consensus: bridging theory and practice* (2014), chapters 3 to 5, sections 6.4 (reads)
//! and 9.6 (pre-vote).
//!
//! **What is left out.** Nodes that are in no cluster file; a lost disk (a node that forgets its
//! vote may break RAFT-1).

mod election;
mod follower;
mod membership;
mod message;
mod reads;
mod replication;
mod transfer;

pub use super::log::{Item, Items, Place};
pub use election::Campaign;
pub use membership::Changes;
pub use message::{Message, Record, Timer};

use super::log::{
    self, Agreement, Configuration, Configurations, Entries, Reader, Replica, Teller,
};
use super::{Context, Protocol, Ticket};
use crate::base::{
    Ballot, CallId, Entry, Mutation, NodeId, Op, ServiceId, Slot, Span, Time, Voters,
};
use crate::event::Fact;
use election::Candidate;
use replication::Leader;
use std::sync::Arc;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every log is told.
    pub log: log::Config,
    /// Ask whether one would win before one enters a new term.
    pub pre_vote: bool,
    /// Do not listen to candidates while there is a leader.
    pub sticky: bool,
    /// Step down as a leader that no majority answers.
    pub check_quorum: bool,
    /// How one set of voters gives way to another.
    pub changes: Changes,
}

/// What a node is at the moment.
#[derive(Clone, Debug)]
enum Role {
    /// It follows the leader of its term, if it knows one.
    Follower(Option<NodeId>),
    /// It asks for votes.
    Candidate(Candidate),
    /// It leads.
    Leader(Box<Leader>),
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Raft {
    config: Config,
    // Durable; so is the snapshot of the replica.
    term: u32,
    vote: Option<NodeId>,
    entries: Entries,
    /// Who votes, by what is in the log: whether it is committed or not.
    configurations: Configurations,
    // The rest is not.
    replica: Replica,
    /// All slots up to here are committed, as far as it knows.
    commit: Slot,
    role: Role,
    /// When it started, and when a leader was last heard of, by the node's own clock.
    woke: Time,
    heard: Time,
    /// How long to wait for one from then on.
    patience: Span,
}

impl Protocol for Raft {
    const ID: ServiceId = ServiceId::Log;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let mut raft = Raft {
            term: 0,
            vote: None,
            entries: Entries::default(),
            configurations: Configurations::after(Configuration::first(config.log.voters.clone())),
            replica: Replica::new(&config.log),
            commit: 0,
            role: Role::Follower(None),
            woke: cx.now(),
            heard: cx.now(),
            patience: Span::ZERO,
            config,
        };
        disk.iter().for_each(|record| raft.recall(record));
        raft.patience = match cx.boot() {
            // Nobody can lead yet, so there is nobody to wait for.
            1 => cx.rng().span(raft.config.log.heartbeat, raft.config.log.election.0),
            _ => raft.config.log.draw(cx),
        };
        cx.set(Timer::Election, raft.patience);
        raft
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !message.makes_sense() {
            return;
        }
        match message {
            Message::RequestVote { term, last, campaign } => {
                self.on_request_vote(from, term, last, campaign, cx);
            }
            Message::Vote { term, granted, pre } => self.on_vote(from, term, granted, pre, cx),
            Message::AppendEntries { term, prev, items, commit, round } => {
                if self.listen(from, term, cx) {
                    self.on_append(from, prev, items, commit, round, cx);
                }
            }
            Message::Appended { term, upto, round } => {
                let late = term < self.term && self.has(Mutation::RaftAckOldTerm);
                if self.is_leader_of(if late { self.term } else { term }) {
                    self.on_appended(from, upto, round, cx);
                }
            }
            Message::Mismatch { term, at, hint } => {
                if self.is_leader_of(term) {
                    self.on_mismatch(from, at, hint, cx);
                }
            }
            Message::Outdated { term } => {
                if term > self.term {
                    self.enter(term, cx);
                }
            }
            Message::InstallSnapshot { term, last, machine } => {
                if self.listen(from, term, cx) {
                    self.on_install(from, last, &machine, cx);
                }
            }
            Message::Forward { entry } => self.propose(entry, cx),
            Message::ReadIndex { read } => self.on_read_index(from, read, cx),
            Message::ReadState { read, slot } => self.on_read_state(from, read, slot, cx),
            Message::HandOver { to } => self.on_hand_over(to, cx),
            Message::TimeoutNow { term } => self.on_timeout_now(from, term, cx),
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Election => self.on_election(cx),
            Timer::Heartbeat => self.on_heartbeat(cx),
            Timer::Retry => self.on_retry(cx),
            Timer::Read => self.on_read_timer(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Election => "election",
            Timer::Heartbeat => "heartbeat",
            Timer::Retry => "retry",
            Timer::Read => "read",
        }
    }

    fn timer_is_watched(timer: Timer) -> bool {
        timer == Timer::Election
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        if !self.takes_read(ticket, call, &op, cx) {
            self.on_request(ticket, Arc::new(Entry { call, op }), cx);
        }
    }

    /// First what is on disk, in the order of slots, then what came of it.
    fn restate(&self, cx: &mut Context<'_, Self>) {
        self.replica.restate_snapshot(cx);
        self.entries.restate(cx);
        if self.term > 0 || cx.boot() > 1 || !cx.is_starting() {
            let (ballot, last) = (self.ballot(self.vote), self.entries.last().slot);
            cx.emit(Fact::Voter { ballot, last });
        }
        let Configuration { slot, voters, .. } = self.configurations.last();
        if *slot > 0 || voters.iter().count() < self.config.log.peers.len() {
            self.say_voters(cx);
        }
        if self.commit > self.entries.base().slot {
            cx.emit(Fact::Commits { slot: self.commit });
        }
        self.entries.restate_applied(self.applied(), cx);
        self.replica.restate(cx);
        cx.emit(self.standing(cx.me()));
        if let Role::Leader(leader) = &self.role {
            leader.facts(cx.me()).for_each(|fact| cx.emit(fact));
        }
    }
}

impl Agreement for Raft {
    const RETRY: Timer = Timer::Retry;
    const CHANGES_VOTERS: bool = true;
    const HANDS_OVER: bool = true;

    fn config(&self) -> &log::Config {
        &self.config.log
    }

    fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    fn voters(&self) -> &Voters {
        &self.configurations.last().voters
    }

    fn hand_over(&mut self, to: NodeId, cx: &mut Context<'_, Self>) -> bool {
        let leader = match self.role {
            Role::Leader(_) => cx.me(),
            Role::Follower(Some(leader)) => leader,
            Role::Follower(None) | Role::Candidate(_) => return false,
        };
        match leader {
            _ if leader == to => self.replica.grant(to, cx),
            _ if leader == cx.me() => self.on_hand_over(to, cx),
            _ => cx.send(leader, Message::HandOver { to }),
        }
        true
    }

    fn hand_on(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        match self.role {
            Role::Leader(_) => self.propose(entry, cx),
            Role::Follower(Some(leader)) => cx.send(leader, Message::Forward { entry }),
            Role::Candidate(_) | Role::Follower(None) => {}
        }
    }
}

impl Raft {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.log.mutations.has(mutation)
    }

    fn applied(&self) -> Slot {
        self.replica.applied()
    }

    fn is_leader_of(&self, term: u32) -> bool {
        self.term == term && matches!(self.role, Role::Leader(_))
    }

    /// What it is, as a fact.
    fn standing(&self, me: NodeId) -> Fact {
        match &self.role {
            Role::Leader(_) => Fact::Leads { ballot: Ballot::new(self.term, me) },
            Role::Follower(Some(leader)) => {
                Fact::Follows { ballot: Ballot::new(self.term, *leader) }
            }
            Role::Candidate(candidate) if !candidate.pre => {
                Fact::Seeks { ballot: Ballot::new(self.term, me) }
            }
            Role::Follower(None) | Role::Candidate(_) => Fact::Seeks { ballot: Ballot::NONE },
        }
    }

    /// Says by which voters it goes.
    fn say_voters(&self, cx: &mut Context<'_, Self>) {
        let Configuration { slot, voters, .. } = self.configurations.last().clone();
        cx.emit(Fact::Voters { slot, voters });
    }
}

// -- the disk ------------------------------------------------------------------------------------
impl Raft {
    /// Takes in one record of the disk.
    fn recall(&mut self, record: &Record) {
        match record {
            Record::Term(ballot) => {
                self.term = ballot.round;
                self.vote = Some(ballot.node).filter(|node| *node != NodeId::BENCH);
            }
            Record::Append(first, items) => {
                self.entries.truncate(first.saturating_sub(1));
                self.configurations.truncate(first.saturating_sub(1));
                for item in items.iter() {
                    self.term = self.term.max(item.term);
                    self.push(item.clone());
                }
            }
            Record::Snapshot(base, machine) => {
                self.entries = Entries::after(*base);
                self.configurations = Configurations::after(machine.configuration().clone());
                self.commit = base.slot;
                self.replica.install(machine);
            }
        }
    }

    fn ballot(&self, vote: Option<NodeId>) -> Ballot {
        Ballot::new(self.term, vote.unwrap_or(NodeId::BENCH))
    }

    fn term_record(&self) -> Record {
        let vote = if self.has(Mutation::RaftForgetVote) { None } else { self.vote };
        Record::Term(self.ballot(vote))
    }

    /// Writes its term and its vote down.
    fn write_term(&self, cx: &mut Context<'_, Self>) {
        if !self.has(Mutation::RaftForgetTerm) {
            cx.write(self.term_record());
        }
    }

    /// Writes the snapshot down with all that follows it.
    fn write_snapshot(&mut self, cx: &mut Context<'_, Self>) {
        let mut records =
            vec![Record::Snapshot(self.entries.base(), self.replica.snapshot().clone())];
        records.extend((!self.has(Mutation::RaftForgetTerm)).then(|| self.term_record()));
        let first = self.entries.base().slot + 1;
        let items = self.entries.items(first, usize::MAX);
        records.extend((!items.is_empty()).then_some(Record::Append(first, items)));
        cx.checkpoint(records);
        self.replica.restate_snapshot(cx);
    }
}
