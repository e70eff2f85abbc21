//! The board: what a run looks like after so many events, without a colour or a terminal.
//!
//! [`Board::see`] folds one event in. Everything that a pane shows follows from the events, so a
//! board can be had for every point of the past ([`timeline`], which keeps the checks beside it),
//! and it is the same for the simulator, for nodes elsewhere and for a recording.
//!
//! ```text
//!  Event ──> Board ─┬─ nodes     who runs, in which role, by which clock
//!                   ├─ members   who believes what of whom
//!                   ├─ network   links and their faults, messages under way, groups
//!                   ├─ faults    what is broken now, and since when
//!                   ├─ log       the replicas' logs, what is chosen, who led
//!                   ├─ elections who asked to lead, who voted, what came of it
//!                   ├─ decree    ballots of the single decree
//!                   ├─ ring      epochs, who serves, what moved
//!                   ├─ locks     holders, queues, what clients believe, guarded writes
//!                   ├─ sessions  who has one, and which nodes and watches hang on it
//!                   ├─ txns      votes, decisions, who is in doubt
//!                   ├─ opened    transactions that clients open, who is in their way
//!                   ├─ sagas     steps in effect, who directs, who waits for what
//!                   ├─ balance   balancers, backends, who gets how much
//!                   ├─ caches    what caches have, and how often they know
//!                   ├─ files     what files consist of, and whose disks have it
//!                   ├─ clients   calls and their outcomes
//!                   ├─ pulse     how the log is doing on the whole
//!                   └─ metrics   how much and how fast, over time
//! ```
//!
//! The board knows more than any node: it hears everybody. Where a node believes something else
//! (a leader that does not know that it was deposed, a client that still believes in its lease),
//! both are here, since the difference is what one looks for.
//!
//! # Rules
//!
//! * A fold is pure: the same events give the same board, wherever it began to fold.
//! * Facts are said by every replica and repeated after starts. A family takes what is new and
//!   passes over the rest.
//! * Memory is bounded: every list keeps its latest entries only, and says how many.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod balance;
pub mod cache;
pub mod clients;
pub mod condition;
pub mod decree;
pub mod diff;
pub mod digest;
mod effect;
pub mod effort;
pub mod elections;
pub mod faults;
pub mod files;
pub mod filter;
pub mod flow;
pub mod locks;
pub mod log;
pub mod members;
pub mod metrics;
pub mod network;
pub mod nodes;
pub mod opened;
pub mod pulse;
pub mod quorum;
mod resolve;
pub mod ring;
pub mod sagas;
pub mod sessions;
pub mod tape;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod txns;

use crate::base::{Ballot, CallId, NodeId, Outcome, ServiceId, Time, majority};
use crate::command::{Command, DiskFault};
use crate::event::{Event, Fact, Kind, Presence};
use balance::Balance;
use cache::Caches;
use clients::{Clients, Verdict};
use decree::Decree;
use elections::Elections;
use faults::Faults;
use files::Files;
use locks::Locks;
use log::Logs;
use members::Members;
use metrics::Metrics;
use network::Network;
use nodes::{Node, Nodes, Role};
use opened::Openings;
use pulse::Pulse;
use quorum::Quorums;
use ring::Rings;
use sagas::Sagas;
use sessions::Sessions;
use std::collections::{BTreeSet, VecDeque};
use txns::Txns;

/// Everything that is to be seen after some number of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The time of the last event.
    pub now: Time,
    /// How many events were folded in, counted from the start of the run.
    pub events: usize,
    /// The processes.
    pub nodes: Nodes,
    /// Who believes what of whom.
    pub members: Members,
    /// The links between them, and the messages under way.
    pub network: Network,
    /// What is broken now.
    pub faults: Faults,
    /// The replicated log.
    pub log: Logs,
    /// Who asked to lead it.
    pub elections: Elections,
    /// The single decree.
    pub decree: Decree,
    /// The ring.
    pub ring: Rings,
    /// Keys that are kept by quorums.
    pub quorums: Quorums,
    /// The locks.
    pub locks: Locks,
    /// The sessions that locks hang on.
    pub sessions: Sessions,
    /// The transactions.
    pub txns: Txns,
    /// The sagas.
    pub sagas: Sagas,
    /// Transactions that clients open.
    pub opened: Openings,
    /// Requests that are spread over backends.
    pub balance: Balance,
    /// Copies of keys in front of the store.
    pub caches: Caches,
    /// Files and their blocks.
    pub files: Files,
    /// The callers.
    pub clients: Clients,
    /// How much and how fast, over time.
    pub metrics: Metrics,
    /// How the log is doing on the whole.
    pub pulse: Pulse,
    /// Who is saying how things stand.
    restating: BTreeSet<NodeId>,
}

impl Board {
    /// A board that has seen nothing.
    pub fn new() -> Board {
        Board::default()
    }

    /// Folds in the event with this index, counted from 0.
    pub fn see(&mut self, index: usize, event: &Event) {
        self.now = self.now.max(event.at);
        self.events = index + 1;
        let (at, node) = (event.at, event.node);
        self.pulse.see(event);
        self.meet(node);
        match &event.kind {
            Kind::Sent { .. } | Kind::Received { .. } | Kind::Lost { .. } | Kind::Held { .. } => {
                self.nodes.count(node, &event.kind);
                self.measure(event);
                self.network.see(event);
            }
            Kind::Fired { .. } | Kind::Armed { .. } => self.nodes.time(at, node, &event.kind),
            Kind::Started { .. } | Kind::Killed { .. } => self.turn(index, event),
            Kind::Paused | Kind::Resumed | Kind::Panicked { .. } | Kind::Failed { .. } => {
                self.nodes.live(at, node, &event.kind);
                self.faults.live(index, event);
            }
            Kind::Commanded(command) => self.obey(index, at, command),
            Kind::Fact(Fact::Restates) => {
                self.restating.insert(node);
                self.quorums.begin(node);
                self.files.begin(node, false);
            }
            Kind::Fact(Fact::Restated) => {
                self.restating.remove(&node);
                self.locks.restated(at, node);
                self.sessions.restated(node);
            }
            Kind::Fact(fact) => {
                self.opened.hear(at, node, fact);
                self.hear(at, node, fact);
            }
            Kind::Present { boot, state, faults } => {
                self.find(index, event, (*boot, *state), faults);
            }
            Kind::Missed { .. } if node == NodeId::BENCH => {
                let all: Vec<NodeId> = self.nodes.ids().to_vec();
                all.into_iter().for_each(|id| self.forget(at, id));
            }
            Kind::Missed { .. } => self.forget(at, node),
        }
    }

    /// Counts a message that is sent or lost.
    fn measure(&mut self, event: &Event) {
        match &event.kind {
            Kind::Sent { service, label, .. } => {
                self.metrics.sent(event.at, *service, label);
                if *service == ServiceId::Txn {
                    self.txns.sent(label);
                    self.sagas.sent(label);
                }
            }
            Kind::Lost { msg, .. } => {
                if let Some(flight) = self.network.flight(*msg) {
                    self.metrics.lost(event.at, flight.service, &flight.label);
                }
            }
            _ => {}
        }
    }

    /// Counts a call that ends.
    fn timed(&mut self, at: Time, node: NodeId, call: CallId, outcome: &Outcome) {
        let open = self.clients.get(node).and_then(|client| client.get(call));
        let (asked, took) = (open.map(|open| open.at), open.map(|open| at.since(open.since)));
        self.metrics.returned(at, asked, Verdict::of(outcome), took);
    }

    /// A process is there, and this is all that is wrong with it.
    fn find(
        &mut self,
        index: usize,
        event: &Event,
        (boot, state): (u32, Presence),
        faults: &[Command],
    ) {
        let (at, node) = (event.at, event.node);
        let same_life = self.nodes.get(node).is_some_and(|known| known.boot == boot);
        if state == Presence::Down {
            self.members.forget(node);
            self.fall(at, node);
        }
        if !same_life {
            self.forget(at, node);
        }
        self.nodes.find(at, node, (boot, state), faults);
        let mut links = Vec::new();
        for command in faults {
            links.extend(command.links(self.nodes.ids()).into_iter().map(|pair| (pair, command)));
        }
        self.network.find(at, node, &links, self.nodes.ids());
        self.faults.find(index, event, state, faults, self.nodes.ids());
    }

    /// Events of a process were missed: what it had then, it has to say again.
    fn forget(&mut self, at: Time, node: NodeId) {
        self.restating.remove(&node);
        self.nodes.forget(node);
        self.members.forget(node);
        self.network.forget(node);
        self.log.restart(node);
        self.elections.crash(node);
        self.ring.fall(node);
        self.locks.fall(at, node);
        self.sessions.fall(node);
        self.balance.fall(node);
        self.caches.fall(node);
        self.clients.fall(node);
        self.txns.forget(node);
    }

    /// A process has lost what it had in memory.
    fn fall(&mut self, at: Time, node: NodeId) {
        self.elections.crash(node);
        self.ring.fall(node);
        self.locks.fall(at, node);
        self.sessions.fall(node);
        self.balance.fall(node);
        self.caches.crash(node);
        self.clients.fall(node);
    }

    /// Makes room for a process that was never heard of.
    fn meet(&mut self, node: NodeId) {
        if node != NodeId::BENCH && self.nodes.get(node).is_none() {
            self.nodes.meet(node);
            self.network.regroup(self.nodes.ids());
        }
    }

    /// A process starts or dies.
    fn turn(&mut self, index: usize, event: &Event) {
        let (at, node) = (event.at, event.node);
        self.nodes.live(at, node, &event.kind);
        self.faults.live(index, event);
        if let Kind::Started { .. } = event.kind {
            self.log.restart(node);
            self.opened.starts(node);
            self.locks.restart(at, node);
            self.members.forget(node);
            self.quorums.begin(node);
            self.files.begin(node, matches!(event.kind, Kind::Started { records: 0, .. }));
        } else {
            self.restating.remove(&node);
            self.members.fall(at, node);
            self.fall(at, node);
        }
    }

    fn obey(&mut self, index: usize, at: Time, command: &Command) {
        self.nodes.obey(at, command);
        let links = command.links(self.nodes.ids());
        self.network.obey(at, command, &links, self.nodes.ids());
        self.faults.obey(index, at, command, links);
        if let Command::Disk { who, fault: DiskFault::Wipe } = command {
            who.nodes().iter().for_each(|node| self.files.begin(*node, true));
        }
    }

    /// A client asks, or has its answer.
    fn ask(&mut self, at: Time, node: NodeId, fact: &Fact) {
        match fact {
            Fact::Invokes { call, op, .. } => {
                self.quorums.invoked(*call, op);
                self.files.invoked(*call, op);
            }
            Fact::Returns { call, outcome } => {
                self.quorums.returned(*call, outcome);
                self.files.returned(*call, outcome);
                self.timed(at, node, *call, outcome);
            }
            _ => {}
        }
        self.clients.hear(at, node, fact);
    }

    fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        self.nodes.hear(at, node, fact);
        let again = self.restating.contains(&node);
        match fact {
            Fact::Suspects { who, .. } | Fact::Trusts { who, .. } | Fact::Dead { who, .. } => {
                let runs = self.node(*who).is_some_and(|node| node.life.is_up());
                self.members.hear(at, node, fact, runs, again);
            }
            Fact::Misses { .. } | Fact::Incarnation { .. } => {}
            Fact::Acceptor { .. }
            | Fact::Prepares { .. }
            | Fact::Promises { .. }
            | Fact::Refuses { .. }
            | Fact::Proposes { .. }
            | Fact::Accepts { .. }
            | Fact::Chooses { .. } => {
                self.log.hear(at, node, fact);
                self.elections.hear(at, node, fact, self.log.voters.as_ref());
                self.decree.hear(at, node, fact);
            }
            Fact::Leads { .. }
            | Fact::Follows { .. }
            | Fact::Seeks { .. }
            | Fact::Applies { .. }
            | Fact::Snapshot { .. }
            | Fact::Enters { .. }
            | Fact::VotesFor { .. }
            | Fact::Appends { .. }
            | Fact::Truncates { .. }
            | Fact::Commits { .. }
            | Fact::Voter { .. }
            | Fact::Voters { .. }
            | Fact::HandsOver { .. }
            | Fact::Stands { .. }
            | Fact::Copies { .. }
            | Fact::Adopts { .. } => {
                self.log.hear(at, node, fact);
                self.elections.hear(at, node, fact, self.log.voters.as_ref());
            }
            Fact::Granted { .. }
            | Fact::Queued { .. }
            | Fact::Renewed { .. }
            | Fact::Freed { .. }
            | Fact::LockIs { .. }
            | Fact::LetsGo { .. }
            | Fact::Left { .. }
            | Fact::Deadlock(_)
            | Fact::Guards { .. }
            | Fact::Key { .. }
            | Fact::Primary { .. }
            | Fact::Takes { .. } => self.locks.hear(at, node, fact, again),
            Fact::Holds { lease, .. } => {
                self.locks.believes(at, node, fact, self.nodes.due(node, at, *lease), again);
            }
            Fact::View { .. }
            | Fact::Serves { .. }
            | Fact::Yields { .. }
            | Fact::Took { .. }
            | Fact::Synced { .. }
            | Fact::Settled { .. }
            | Fact::Handoff(_)
            | Fact::Load { .. }
            | Fact::Backlog { .. } => self.ring.hear(at, node, fact),
            Fact::Begins { .. }
            | Fact::Votes { .. }
            | Fact::Decides { .. }
            | Fact::Resolves { .. }
            | Fact::Ends { .. }
            | Fact::Precommits { .. }
            | Fact::TakesOver { .. }
            | Fact::InstancePromises { .. }
            | Fact::InstanceAccepts { .. }
            | Fact::InstanceChooses { .. } => self.txns.hear(at, node, fact, again),
            Fact::Invokes { .. } | Fact::Returns { .. } => self.ask(at, node, fact),
            Fact::Session(fact) => self.sessions.hear(at, node, fact),
            Fact::Saga(fact) => self.sagas.hear(at, node, fact, again),
            Fact::Balance(fact) => self.balance.hear(at, node, fact),
            Fact::Cache(fact) => self.caches.hear(at, node, fact),
            Fact::File(fact) => self.files.hear(at, node, fact),
            _ => self.quorums.hear(at, node, fact),
        }
    }

    /// A process, if there is one of that name.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Who leads the log: of those that say so, the one with the highest ballot.
    pub fn leader(&self) -> Option<(NodeId, Ballot)> {
        let leads = |node: &Node| match node.role {
            Role::Leads(ballot) if node.life.is_there() => Some((ballot, node.id)),
            _ => None,
        };
        self.nodes.servers().filter_map(leads).max().map(|(ballot, id)| (id, ballot))
    }

    /// Whether `id` leads by its own words while another leads in a higher ballot: it was deposed
    /// and nobody could tell it.
    pub fn is_stale(&self, id: NodeId) -> bool {
        let Some(Role::Leads(own)) = self.node(id).map(|node| node.role) else { return false };
        self.leader().is_some_and(|(leader, ballot)| leader != id && ballot > own)
    }

    /// Whether a server votes on the log: all do, unless the log says otherwise. While one set of
    /// voters gives way to another, those count who will go on.
    pub fn votes(&self, id: NodeId) -> bool {
        self.log.voters.as_ref().is_none_or(|voters| voters.now().contains(&id))
    }

    /// Whether a server keeps a replica without a vote.
    pub fn learns(&self, id: NodeId) -> bool {
        !id.is_client() && self.log.voters.as_ref().is_some_and(|voters| !voters.has(id))
    }

    /// How many servers vote.
    pub fn voting(&self) -> usize {
        self.nodes.servers().filter(|node| self.votes(node.id)).count()
    }

    /// How many servers a majority of those who vote is.
    pub fn majority(&self) -> usize {
        majority(self.voting())
    }

    /// How many servers a majority is for the single decree, on which all vote.
    pub fn majority_of_all(&self) -> usize {
        majority(self.nodes.servers().count())
    }

    /// Whether `id` runs and can exchange messages with a quorum of those who vote.
    fn reaches_quorum(&self, id: NodeId) -> bool {
        let up = |id: NodeId| self.node(id).is_some_and(|node| node.life.is_up());
        let there = |other: NodeId| other == id || (up(other) && self.network.talk(id, other));
        match &self.log.voters {
            Some(voters) => up(id) && voters.agree(there),
            None => self.reach(id) >= self.majority(),
        }
    }

    /// Whether anything can be agreed on: some server reaches a quorum.
    pub fn has_quorum(&self) -> bool {
        match &self.log.voters {
            Some(_) => self.nodes.servers().any(|node| self.reaches_quorum(node.id)),
            None => self.best_reach() >= self.majority(),
        }
    }

    /// How many running servers that vote `id` can exchange messages with, itself included; none if
    /// it does not run itself.
    pub fn reach(&self, id: NodeId) -> usize {
        let runs = |node: &&Node| node.life.is_up();
        if !self.node(id).as_ref().is_some_and(runs) {
            return 0;
        }
        let others = self.nodes.servers().filter(|node| runs(node) && self.votes(node.id));
        others.filter(|other| other.id == id || self.network.talk(id, other.id)).count()
    }

    /// The most running servers that vote that any running server can exchange messages with,
    /// itself included. Below [`Board::majority`], nothing can be agreed on.
    pub fn best_reach(&self) -> usize {
        self.best_reach_of(self.nodes.servers().map(|node| node.id))
    }

    /// The most running servers that vote that any of these can exchange messages with, itself included.
    pub fn best_reach_of(&self, ids: impl IntoIterator<Item = NodeId>) -> usize {
        let voters = self.nodes.servers().filter(|node| self.votes(node.id));
        let most = voters.filter(|node| node.life.is_up()).count();
        let mut best = 0;
        for id in ids {
            best = best.max(self.reach(id));
            if best == most {
                break;
            }
        }
        best
    }

    /// The letter of the group that `id` is in, if the network has parted.
    pub fn group(&self, id: NodeId) -> Option<char> {
        self.network.letter(id)
    }
}

/// Puts `item` at the end of `list` and takes the oldest away if there are more than `most`.
fn remember<T>(list: &mut VecDeque<T>, most: usize, item: T) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}
