//! The replicated log as services see it, and the half of it that every protocol shares.
//!
//! **What a log is to its services.** Whoever wants something in the log calls
//! [`ServiceId::Log`] with an operation, and is answered once the own replica has applied it. Who
//! leads is heard in [`Fact::Leads`], [`Fact::Follows`] and [`Fact::Seeks`]; what the state machine
//! does, in its own facts (`Granted`, `View` …). Nobody above knows how entries are agreed on.
//!
//! **What a protocol adds.** [`Agreement`] is all that differs: how an entry gets from here into
//! the log. A protocol says when an entry is chosen ([`Replica::apply`], slot by slot) and when a
//! whole state has come from elsewhere ([`Replica::install`]); requests, retries, answers, client
//! sessions (`machine`) and snapshots are the same for all, and stand here.
//!
//! ```text
//!  lock, ring … ── call ──> Agreement::on_request ──> hand_on ──> (Multi-Paxos or Raft)
//!        ^                       Replica: waiting                       │ chosen, in order
//!        └────── reply, facts ── Replica: machine <── Replica::apply <──┘
//! ```
//!
//! **Sources.** Schneider, *Implementing fault-tolerant services using the state machine approach*
//! (1990); Ongaro, *Consensus: bridging theory and practice* (2014), chapters 5 and 6.
//!
//! **What is left out.** Snapshots in pieces: a state travels, and is written, as a whole.

mod configuration;
mod entries;
mod reads;
mod watches;

#[cfg(doc)]
use super::ServiceId;
use super::machine::{Known, Machine};
use super::ring::Views;
use super::{Context, Protocol, Ticket};
use crate::base::{
    CallId, Entry, Lane, Mutations, NodeId, Op, Outcome, Refusal, Slot, Span, Time, Voters,
};
use crate::event::Fact;
use reads::Readings;
use smallvec::SmallVec;
use std::sync::Arc;

pub use configuration::Configuration;
pub(super) use configuration::Configurations;
pub(super) use entries::{BATCH, Batch, Entries, say_appended};
pub use entries::{Item, Items, Place};
pub use reads::{ReadId, Reader, Reads};
pub(super) use reads::{Rounds, Teller};
use watches::Watches;

/// How many messages with entries a leader may have under way to one node. What comes meanwhile
/// goes together, so that the more there is to do, the less each entry costs.
pub(super) const PIPELINE: usize = 8;

/// What every log is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes: each keeps a replica.
    pub peers: Arc<[NodeId]>,
    /// Those of them who vote, until an entry of the log names others.
    pub voters: Voters,
    /// How often a leader tells that it is there.
    pub heartbeat: Span,
    /// The shortest and the longest time without a leader before a node seeks to lead.
    pub election: (Span, Span),
    /// How many entries are applied between two snapshots.
    pub snapshot_every: u64,
    /// How reads of keys are answered.
    pub reads: Reads,
    /// The ring that the state machine starts from, if there is to be one.
    pub views: Option<Views>,
    /// Whether the state machine looks for deadlocks among locks.
    pub detects: bool,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

impl Config {
    /// All other nodes.
    pub fn others(&self, me: NodeId) -> impl Iterator<Item = &NodeId> {
        self.peers.iter().filter(move |peer| **peer != me)
    }

    /// A time to wait for a leader, by chance.
    pub fn draw<P: Protocol>(&self, cx: &mut Context<'_, P>) -> Span {
        let (fastest, slowest) = self.election;
        cx.rng().span(fastest, slowest)
    }
}

/// A request that came to this node and is not answered.
#[derive(Clone, Debug)]
struct Waiting {
    entry: Arc<Entry>,
    tickets: SmallVec<[Ticket; 1]>,
}

/// Somebody asked this node that `node` may lead.
#[derive(Clone, Copy, Debug)]
struct Wish {
    ticket: Ticket,
    node: NodeId,
    /// How long it is waited for, by the node's own clock.
    until: Time,
}

/// The state machine of one node, its last snapshot, and who waits for an answer of it.
#[derive(Clone, Debug)]
pub struct Replica {
    machine: Machine,
    snapshot: Arc<Machine>,
    waiting: Lane<CallId, Waiting>,
    wishes: Vec<Wish>,
    readings: Readings,
    watches: Watches,
    every: u64,
}

impl Replica {
    /// The state before slot 1.
    pub fn new(config: &Config) -> Replica {
        let machine = Machine::new(config.voters.clone(), config.views.clone(), config.mutations)
            .detecting(config.detects);
        let (snapshot, every) = (Arc::new(machine.clone()), config.snapshot_every);
        let (waiting, wishes) = (Lane::default(), Vec::new());
        let (readings, watches) = (Readings::default(), Watches::default());
        Replica { machine, snapshot, waiting, wishes, readings, watches, every }
    }

    /// The state after the last slot that was applied.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The state that is on disk: slots up to it may be cut off.
    pub fn snapshot(&self) -> &Arc<Machine> {
        &self.snapshot
    }

    /// The last slot that was applied.
    pub fn applied(&self) -> Slot {
        self.machine.applied()
    }

    /// Whether so much was applied since the last snapshot that it is time for another.
    pub fn is_snapshot_due(&self) -> bool {
        self.applied() >= self.snapshot.applied() + self.every
    }

    /// Takes the state as it is for the snapshot, which is to be written down next.
    pub fn take_snapshot(&mut self) {
        self.snapshot = Arc::new(self.machine.clone());
    }

    /// Goes on from another state: found on the disk, or come from another node.
    pub fn install(&mut self, machine: &Arc<Machine>) {
        self.machine = (**machine).clone();
        self.snapshot = machine.clone();
    }

    /// Applies what is chosen in the next slot, says so, and answers who waited for it. Returns
    /// the digest of the state after it.
    pub fn apply<P: Protocol>(
        &mut self,
        slot: Slot,
        entry: &Arc<Entry>,
        cx: &mut Context<'_, P>,
    ) -> u64 {
        let (mut facts, mut answers) = (Vec::new(), SmallVec::<[(Ticket, Outcome); 1]>::new());
        let Replica { machine, waiting, .. } = self;
        machine.apply(slot, entry, &mut facts, &mut |call, outcome| {
            if let Some(waiting) = waiting.remove(call) {
                for ticket in &waiting.tickets {
                    answers.push((*ticket, outcome.clone()));
                }
            }
        });
        let digest = machine.digest();
        cx.emit_with(|| Fact::Applies { slot, entry: entry.clone(), digest });
        for fact in facts {
            cx.emit(fact);
        }
        for (ticket, outcome) in answers {
            cx.reply(ticket, outcome);
        }
        self.answer_reads(cx);
        self.watches.look(&self.machine, cx);
        digest
    }

    /// Says the whole state, and answers what it shows to be done: after [`Replica::install`].
    pub fn catch_up<P: Protocol>(&mut self, cx: &mut Context<'_, P>) {
        self.restate(cx);
        let answered = self.waiting.iter().filter_map(|(call, _)| match self.machine.known(call) {
            Known::Answered(outcome) => Some((call, outcome.clone())),
            _ => None,
        });
        for (call, outcome) in answered.collect::<Vec<_>>() {
            if let Some(waiting) = self.waiting.remove(call) {
                waiting.tickets.iter().for_each(|ticket| cx.reply(*ticket, outcome.clone()));
            }
        }
        self.answer_reads(cx);
        self.watches.look(&self.machine, cx);
    }

    /// Says the snapshot, for a newcomer.
    pub fn restate_snapshot<P: Protocol>(&self, cx: &mut Context<'_, P>) {
        if self.snapshot.applied() > 0 {
            let (slot, digest) = (self.snapshot.applied(), self.snapshot.digest());
            cx.emit(Fact::Snapshot { slot, digest });
        }
    }

    /// Says the state of the machine, for a newcomer.
    pub fn restate<P: Protocol>(&self, cx: &mut Context<'_, P>) {
        let mut facts = Vec::new();
        self.machine.restate(&mut facts);
        facts.into_iter().for_each(|fact| cx.emit(fact));
        self.watches.restate(cx);
    }

    /// Whether anybody waits for an answer.
    fn is_asked(&self) -> bool {
        !self.waiting.is_empty() || !self.wishes.is_empty()
    }

    /// Somebody leads: answers those who wished it to.
    pub fn grant<P: Protocol>(&mut self, leader: NodeId, cx: &mut Context<'_, P>) {
        self.wishes.retain(|wish| {
            let granted = wish.node == leader;
            if granted {
                cx.reply(wish.ticket, Outcome::Done);
            }
            !granted
        });
    }

    /// Gives up on wishes that were not granted in time. They still may be.
    fn give_up<P: Protocol>(&mut self, cx: &mut Context<'_, P>) {
        let now = cx.now();
        self.wishes.retain(|wish| {
            if wish.until <= now {
                cx.reply(wish.ticket, Outcome::Unknown);
            }
            wish.until > now
        });
    }

    /// All requests that are in no log as far as this node knows.
    fn open(&self) -> Vec<Arc<Entry>> {
        let waiting = self.waiting.iter().map(|(_, waiting)| waiting.entry.clone());
        waiting.filter(|entry| self.machine.known(entry.call) == Known::No).collect()
    }
}

/// How entries get into the log: all that a protocol adds to a [`Replica`].
pub trait Agreement: Protocol {
    /// The timer that brings unanswered requests to the leader again.
    const RETRY: Self::Timer;
    /// Whether its voters can change.
    const CHANGES_VOTERS: bool = false;
    /// Whether its leader can hand over to another node.
    const HANDS_OVER: bool = false;

    /// What it was told.
    fn config(&self) -> &Config;

    /// The state machine.
    fn replica(&mut self) -> &mut Replica;

    /// Brings an entry to the leader, if one is known; proposes it, if this node leads.
    fn hand_on(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>);

    /// Who votes, as far as this node knows.
    fn voters(&self) -> &Voters {
        &self.config().voters
    }

    /// Whether they can as it is set up.
    fn changes_voters(&self) -> bool {
        Self::CHANGES_VOTERS
    }

    /// Asks the leader, which is another node or this one, to have `to` lead in its place. Returns
    /// whether there was anybody to ask.
    fn hand_over(&mut self, to: NodeId, cx: &mut Context<'_, Self>) -> bool {
        let _ = (to, cx);
        false
    }

    /// Why an operation cannot be done, whoever leads.
    fn unable(&mut self, op: &Op) -> Option<Refusal> {
        let here = |id: NodeId| self.config().peers.contains(&id);
        match op {
            Op::Voters { .. } if !self.changes_voters() => Some(Refusal::NotByThisLog),
            Op::Lead { .. } if !Self::HANDS_OVER => Some(Refusal::NotByThisLog),
            Op::Voters { voters } => {
                let stranger = voters.iter().find(|id| !here(*id));
                stranger.map(|node| Refusal::NoSuchNode { node })
            }
            Op::Lead { node } if !here(*node) => Some(Refusal::NoSuchNode { node: *node }),
            Op::Lead { node } if !self.voters().has(*node) => Some(Refusal::NoVoter),
            _ => None,
        }
    }

    /// Takes a request in. It is answered when this replica has applied it.
    fn on_request(&mut self, ticket: Ticket, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        // However long ago it was asked for first, it is in no log.
        if let Op::Session(op) = &entry.op
            && op.is_look()
        {
            let Replica { machine, watches, .. } = self.replica();
            return watches.take(ticket, op, machine, cx);
        }
        if let Known::Answered(outcome) = self.replica().machine.known(entry.call) {
            return cx.reply(ticket, outcome.clone());
        }
        if let Some(why) = self.unable(&entry.op) {
            return cx.reply(ticket, Outcome::Refused(why));
        }
        if !self.replica().is_asked() {
            cx.set(Self::RETRY, self.config().election.0);
        }
        if let Op::Lead { node } = entry.op {
            return self.on_wish(ticket, node, cx);
        }
        let fresh = || Waiting { entry: entry.clone(), tickets: SmallVec::new() };
        let tickets = &mut self.replica().waiting.get_or(entry.call, fresh).tickets;
        if !tickets.contains(&ticket) {
            tickets.push(ticket);
        }
        self.hand_on(entry, cx);
    }

    /// Takes in that `node` is to lead. It is answered when this node hears that it does.
    fn on_wish(&mut self, ticket: Ticket, node: NodeId, cx: &mut Context<'_, Self>) {
        let until = cx.now() + self.config().election.1.times(3);
        self.replica().wishes.push(Wish { ticket, node, until });
        if !self.hand_over(node, cx) {
            self.replica().wishes.retain(|wish| wish.ticket != ticket);
            cx.reply(ticket, Outcome::Refused(Refusal::Unavailable));
        }
    }

    /// Hands on all requests that are in no log as far as this node knows.
    fn hand_on_all(&mut self, cx: &mut Context<'_, Self>) {
        let open = self.replica().open();
        open.into_iter().for_each(|entry| self.hand_on(entry, cx));
    }

    /// Does so again, as long as anybody waits.
    fn on_retry(&mut self, cx: &mut Context<'_, Self>) {
        self.replica().give_up(cx);
        if self.replica().is_asked() {
            self.hand_on_all(cx);
            cx.set(Self::RETRY, self.config().election.0);
        }
    }
}
