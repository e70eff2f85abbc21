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

mod entries;

#[cfg(doc)]
use super::ServiceId;
use super::machine::{Known, Machine};
use super::ring::Views;
use super::{Context, Protocol, Ticket};
use crate::base::{CallId, Entry, Mutations, NodeId, Outcome, Slot, Span};
use crate::event::Fact;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use entries::Entries;
pub use entries::{Item, Items, Place};

/// What every log is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes: each votes and keeps a replica.
    pub peers: Arc<[NodeId]>,
    /// How often a leader tells that it is there.
    pub heartbeat: Span,
    /// The shortest and the longest time without a leader before a node seeks to lead.
    pub election: (Span, Span),
    /// How many entries are applied between two snapshots.
    pub snapshot_every: u64,
    /// The ring that the state machine starts from, if there is to be one.
    pub views: Option<Views>,
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
    tickets: Vec<Ticket>,
}

impl Waiting {
    fn answer<P: Protocol>(&self, outcome: &Outcome, cx: &mut Context<'_, P>) {
        for ticket in &self.tickets {
            cx.reply(*ticket, outcome.clone());
        }
    }
}

/// The state machine of one node, its last snapshot, and who waits for an answer of it.
#[derive(Clone, Debug)]
pub struct Replica {
    machine: Machine,
    snapshot: Arc<Machine>,
    waiting: BTreeMap<CallId, Waiting>,
    every: u64,
}

impl Replica {
    /// The state before slot 1.
    pub fn new(config: &Config) -> Replica {
        let machine = Machine::new(config.views.clone(), config.mutations);
        let (snapshot, every) = (Arc::new(machine.clone()), config.snapshot_every);
        Replica { machine, snapshot, waiting: BTreeMap::new(), every }
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
        let mut facts = Vec::new();
        let answers = self.machine.apply(slot, entry, &mut facts);
        let digest = self.machine.digest();
        cx.emit(Fact::Applies { slot, entry: entry.clone(), digest });
        facts.into_iter().for_each(|fact| cx.emit(fact));
        for (call, outcome) in answers {
            if let Some(waiting) = self.waiting.remove(&call) {
                waiting.answer(&outcome, cx);
            }
        }
        digest
    }

    /// Says the whole state, and answers what it shows to be done: after [`Replica::install`].
    pub fn catch_up<P: Protocol>(&mut self, cx: &mut Context<'_, P>) {
        self.restate(cx);
        let answered = self.waiting.keys().filter_map(|call| match self.machine.known(*call) {
            Known::Answered(outcome) => Some((*call, outcome)),
            _ => None,
        });
        for (call, outcome) in answered.collect::<Vec<_>>() {
            if let Some(waiting) = self.waiting.remove(&call) {
                waiting.answer(&outcome, cx);
            }
        }
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
    }

    /// All requests that are in no log as far as this node knows.
    fn open(&self) -> Vec<Arc<Entry>> {
        let waiting = self.waiting.values().map(|waiting| waiting.entry.clone());
        waiting.filter(|entry| self.machine.known(entry.call) == Known::No).collect()
    }
}

/// How entries get into the log: all that a protocol adds to a [`Replica`].
pub trait Agreement: Protocol {
    /// The timer that brings unanswered requests to the leader again.
    const RETRY: Self::Timer;

    /// What it was told.
    fn config(&self) -> &Config;

    /// The state machine.
    fn replica(&mut self) -> &mut Replica;

    /// Brings an entry to the leader, if one is known; proposes it, if this node leads.
    fn hand_on(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>);

    /// Takes a request in. It is answered when this replica has applied it.
    fn on_request(&mut self, ticket: Ticket, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        if let Known::Answered(outcome) = self.replica().machine.known(entry.call) {
            return cx.reply(ticket, outcome);
        }
        if self.replica().waiting.is_empty() {
            cx.set(Self::RETRY, self.config().election.0);
        }
        let fresh = Waiting { entry: entry.clone(), tickets: Vec::new() };
        let tickets = &mut self.replica().waiting.entry(entry.call).or_insert(fresh).tickets;
        if !tickets.contains(&ticket) {
            tickets.push(ticket);
        }
        self.hand_on(entry, cx);
    }

    /// Hands on all requests that are in no log as far as this node knows.
    fn hand_on_all(&mut self, cx: &mut Context<'_, Self>) {
        let open = self.replica().open();
        open.into_iter().for_each(|entry| self.hand_on(entry, cx));
    }

    /// Does so again, as long as anybody waits.
    fn on_retry(&mut self, cx: &mut Context<'_, Self>) {
        if !self.replica().waiting.is_empty() {
            self.hand_on_all(cx);
            cx.set(Self::RETRY, self.config().election.0);
        }
    }
}
