//! Zab: nodes elect a leader, agree on its epoch, make their histories its own, and then copy what
//! it broadcasts.
//!
//! **What it guarantees.** One leader is established in an epoch; all nodes deliver the same
//! entries in the same order; what a leader broadcasts is delivered in the order in which it did,
//! after everything that was delivered in earlier epochs. All of this holds whatever messages are
//! lost, repeated, delayed or overtaken, and whichever nodes crash and come back with their disks.
//! There is progress while one leader and a majority reach each other.
//!
//! **Phases.** A node *looks* for whoever has the newest history (phase 0, `election`). Whoever is
//! chosen *leads*, the others *follow* it through three phases; whoever loses touch looks again.
//!
//! ```text
//!  n3 (leader)                  n1                    n2
//!   │<─ CEpoch 4 ───────────────┤<────────────────────┤ discovery: the epoch accepted last
//!   ├─ NewEpoch 5 ─────────────>├────────────────────>│ newer than all of a majority; on disk
//!   │<─ AckEpoch 5 of 4 last 8@4┤ of 3 last 7@3 ──────┤ and these are our histories
//!   │                           │                     │
//!   ├─ NewLeader 5 DIFF ───────>│                     │ synchronisation: what is missing, what is
//!   ├─ NewLeader 5 TRUNC after 5@2 [3 x] [4 y] ──────>│ to be dropped; on disk, then the epoch
//!   │<─ AckLeader 5 ────────────┤<────────────────────┤
//!   ├─ UpToDate 5 commit 8 ────>├────────────────────>│ a majority has it: it is committed
//!   │                           │                     │
//!   ├─ Propose 5 after 8@4 [5 z]├────────────────────>│ broadcast
//!   │<─ Ack 5 upto 9 ───────────┤<────────────────────┤
//!   ├─ Commit 5 upto 9 ────────>├────────────────────>│
//! ```
//!
//! *Observers* are nodes that do not vote. They ask whoever has a leader who that is, follow it,
//! take over its history and copy what it broadcasts, as followers do; nobody counts what they say.
//! More of them answer more reads, and make no write slower.
//!
//! *Reads* go through the history like writes, or are answered from a node's own state: see
//! `reads`.
//!
//! *Two epochs.* `accepted` is the last epoch that a node has promised to a leader; `current` the
//! last one whose leader's history it had. A history is judged by the second: a leader that came
//! to nothing left a mark in the first, and nothing in anybody's history.
//!
//! *Who leads must have the newest history* of those who acknowledge its epoch; if one of them has
//! a newer one, it steps down. (The paper has it copy that one's history; ZooKeeper elects so that
//! it need not.)
//!
//! *The order of durability*: first the history, then that the epoch is adopted, then the answer.
//! The entries of a snapshot, of a difference and of a proposal are on disk before they are
//! acknowledged; `host` sees to that. The leader writes its own proposals as a follower does, those
//! together that come while others are on their way to the disk (group commit).
//!
//! **What the network may do.** The paper asks for channels that keep order and lose nothing, as
//! TCP does as long as it lasts. Here messages say what comes before them, a follower takes in
//! nothing with a gap before it, but puts by what has overtaken others, and both sides repeat what
//! is not answered. An entry's zxid is its epoch and its slot; slots are numbered through, and do
//! not begin anew in an epoch.
//!
//! **Rules.** ZAB-1 to ZAB-6, ZAB-10 to ZAB-12 (`check::raft`, which judges both protocols); MP-1,
//! MP-2, MP-4 (`check::log`).
//!
//! **Sources.** Junqueira, Reed and Serafini, *Zab: high-performance broadcast for primary-backup
//! systems* (DSN 2011); Medeiros, *ZooKeeper's atomic broadcast protocol: theory and practice*
//! (2012); the specifications and the list of ambiguities in ZooKeeper's repository.
//!
//! **What is left out.** Changing who votes: the voters are those of the cluster file for ever.
//! ZooKeeper's observers are sent what is committed only; here they are sent proposals, too.

mod discovery;
mod election;
mod follower;
mod leader;
mod message;
mod reads;

pub use message::{Message, Record, State, Sync, Timer, Vote};

use super::log::{Agreement, Entries, Reader, Replica};
use super::{Context, Protocol, Ticket};
use crate::base::{Ballot, CallId, Entry, Mutation, NodeId, Op, ServiceId, Slot, Span, Time};
use crate::event::{Fact, Stage};
use election::Election;
use follower::Following;
use leader::Leading;
use std::sync::Arc;

/// What it is told: what every log is.
pub type Config = super::log::Config;

/// What a node is doing.
#[derive(Clone, Debug)]
enum Phase {
    /// It looks for a leader.
    Looking(Election),
    /// It has found one.
    Following(Following),
    /// It was chosen.
    Leading(Box<Leading>),
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Zab {
    config: Config,
    // Durable; so is the snapshot of the replica.
    /// The last epoch that it accepted, and from whom.
    accepted: Ballot,
    /// The last epoch that it adopted.
    current: u32,
    history: Entries,
    // The rest is not.
    replica: Replica,
    /// All slots up to here are committed, as far as it knows.
    commit: Slot,
    phase: Phase,
    /// Counts its looking for a leader.
    round: u64,
    /// How long to wait for those whom it needs.
    patience: Span,
    /// The phase that it has said it is in, and with whom.
    said: (Stage, NodeId),
}

impl Protocol for Zab {
    const ID: ServiceId = ServiceId::Log;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let nobody = Following::of(cx.me(), Time::ZERO);
        let mut zab = Zab {
            accepted: Ballot::NONE,
            current: 0,
            history: Entries::default(),
            replica: Replica::new(&config),
            commit: 0,
            phase: Phase::Following(nobody),
            round: 0,
            patience: Span::ZERO,
            said: (Stage::Election, cx.me()),
            config,
        };
        disk.iter().for_each(|record| zab.recall(record));
        zab.look(cx);
        zab
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !message.makes_sense() {
            return;
        }
        match message {
            Message::Notify { round, vote, state } => self.on_notify(from, round, vote, state, cx),
            Message::CEpoch { accepted } => self.on_cepoch(from, accepted, cx),
            Message::NewEpoch { epoch } => self.on_new_epoch(from, epoch, cx),
            Message::AckEpoch { epoch, current, last, counts } => {
                self.on_ack_epoch(from, epoch, (current, last), counts, cx);
            }
            Message::NewLeader { epoch, how, after, items, upto } => {
                if self.heeds(from, epoch, cx) {
                    self.on_new_leader(from, &how, after, items, upto, cx);
                }
            }
            Message::Behind { epoch, last } => {
                if self.hears_learner(from, epoch, cx) {
                    self.synchronise(from, last, cx);
                }
            }
            Message::AckLeader { epoch, upto } => {
                if self.hears_learner(from, epoch, cx) {
                    self.on_ack_leader(from, upto, cx);
                }
            }
            Message::UpToDate { epoch, commit } => {
                if self.heeds(from, epoch, cx) {
                    self.on_up_to_date(commit, cx);
                }
            }
            Message::Propose { epoch, after, items } => {
                if self.heeds(from, epoch, cx) {
                    self.on_propose(from, after, items, cx);
                }
            }
            Message::Ack { epoch, upto } => {
                if self.hears_learner(from, epoch, cx) {
                    self.on_ack(from, upto, cx);
                }
            }
            Message::Commit { epoch, upto } => {
                if self.heeds(from, epoch, cx) {
                    self.learn(upto, cx);
                }
            }
            Message::Ping { epoch, commit } => {
                if self.heeds(from, epoch, cx) {
                    self.on_ping(from, commit, cx);
                }
            }
            Message::Forward { entry } => self.propose(entry, cx),
            Message::Sync { read } => self.on_sync(from, read, cx),
            Message::Synced { read, slot } => self.on_read_state(from, read, slot, cx),
        }
        self.say_stage(cx);
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Election => self.on_election(cx),
            Timer::Settle => self.on_settle(cx),
            Timer::Heartbeat => self.on_heartbeat(cx),
            Timer::Retry => self.on_retry(cx),
            Timer::Read => self.on_read_timer(cx),
        }
        self.say_stage(cx);
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Election => "election",
            Timer::Settle => "settle",
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
        self.history.restate(cx);
        if self.accepted != Ballot::NONE || cx.boot() > 1 || !cx.is_starting() {
            let (ballot, last) = (self.accepted, self.history.last().slot);
            cx.emit(Fact::Voter { ballot, last });
        }
        if self.current > 0 {
            cx.emit(Fact::Adopts { epoch: self.current });
        }
        if self.commit > self.history.base().slot {
            cx.emit(Fact::Commits { slot: self.commit });
        }
        if self.config.peers.iter().any(|id| !self.votes(*id)) {
            cx.emit(Fact::Voters { slot: 0, voters: self.config.voters.clone() });
        }
        self.history.restate_applied(self.applied(), cx);
        self.replica.restate(cx);
        cx.emit(self.standing(cx.me()));
        let (stage, leader) = self.stage(cx.me());
        cx.emit(Fact::Stands { stage, leader });
    }
}

impl Agreement for Zab {
    const RETRY: Timer = Timer::Retry;

    fn config(&self) -> &Config {
        &self.config
    }

    fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    fn hand_on(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        match &self.phase {
            Phase::Leading(_) => self.propose(entry, cx),
            Phase::Following(Following { leader, up_to_date: true, .. }) => {
                cx.send(*leader, Message::Forward { entry });
            }
            Phase::Following(_) | Phase::Looking(_) => {}
        }
    }
}

impl Zab {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    fn applied(&self) -> Slot {
        self.replica.applied()
    }

    /// Whether a node votes; else it is an observer.
    fn votes(&self, id: NodeId) -> bool {
        self.config.voters.has(id)
    }

    /// How long discovery and synchronisation may take before one looks for a leader anew.
    fn init_limit(&self) -> Span {
        self.config.election.1.times(2)
    }

    /// The phase that it is in, and with whom.
    fn stage(&self, me: NodeId) -> (Stage, NodeId) {
        match &self.phase {
            Phase::Looking(_) => (Stage::Election, me),
            Phase::Leading(leading) => (leading.stage(), me),
            Phase::Following(following) => (following.stage(), following.leader),
        }
    }

    /// Says which phase it is in, if that is another than before.
    fn say_stage(&mut self, cx: &mut Context<'_, Self>) {
        let (stage, leader) = self.stage(cx.me());
        if self.said != (stage, leader) {
            self.said = (stage, leader);
            cx.emit(Fact::Stands { stage, leader });
        }
    }

    fn on_election(&mut self, cx: &mut Context<'_, Self>) {
        match self.phase {
            Phase::Looking(_) => self.look_on(cx),
            Phase::Following(_) => self.look(cx),
            Phase::Leading(_) => {}
        }
    }

    fn on_heartbeat(&mut self, cx: &mut Context<'_, Self>) {
        match &self.phase {
            Phase::Looking(_) => {}
            Phase::Following(_) => self.ask_again(cx),
            Phase::Leading(_) => self.on_beat(cx),
        }
    }
}

// -- the disk ------------------------------------------------------------------------------------
impl Zab {
    /// Takes in one record of the disk.
    fn recall(&mut self, record: &Record) {
        match record {
            Record::Accepted(ballot) => self.accepted = *ballot,
            Record::Current(epoch) => self.current = *epoch,
            Record::Append(first, items) => {
                self.history.truncate(first.saturating_sub(1));
                items.iter().for_each(|item| self.history.push(item.clone()));
            }
            Record::Truncate(slot) => self.history.truncate(*slot),
            Record::Snapshot(base, machine) => {
                self.history = Entries::after(*base);
                self.commit = base.slot;
                self.replica.install(machine);
            }
        }
    }

    /// Writes the snapshot down with all that follows it.
    fn write_snapshot(&mut self, cx: &mut Context<'_, Self>) {
        let mut records =
            vec![Record::Snapshot(self.history.base(), self.replica.snapshot().clone())];
        let accepted = Record::Accepted(self.accepted);
        records.extend((!self.has(Mutation::ZabForgetEpoch)).then_some(accepted));
        records.push(Record::Current(self.current));
        let first = self.history.base().slot + 1;
        let items = self.history.items(first, usize::MAX);
        records.extend((!items.is_empty()).then_some(Record::Append(first, items)));
        cx.checkpoint(records);
        self.replica.restate_snapshot(cx);
    }

    /// Will listen to nobody of an earlier epoch.
    fn accept(&mut self, ballot: Ballot, cx: &mut Context<'_, Self>) {
        self.accepted = ballot;
        if !self.has(Mutation::ZabForgetEpoch) {
            cx.write(Record::Accepted(ballot));
        }
        cx.emit(Fact::Enters { term: ballot.round });
        cx.emit(Fact::VotesFor { ballot });
    }

    /// Its history is that of the leader of the epoch that it accepted.
    fn adopt(&mut self, cx: &mut Context<'_, Self>) {
        let epoch = self.accepted.round;
        if self.current != epoch {
            self.current = epoch;
            cx.write(Record::Current(epoch));
            cx.emit(Fact::Adopts { epoch });
        }
    }
}
