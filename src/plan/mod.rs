//! A cluster to start: which processes, which services, which network.
//!
//! The settings of each service stand here, with their defaults, because they are what a person
//! writes; `setup` turns them into what each process is told.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::placement::{Member, Shape};
use crate::base::{Mutations, Name, NodeId, Op, ServiceId, Span, Voters};
use crate::check::{Dialect, Expect};
use crate::host::Setup;
use crate::proto::ring::Views;
use crate::proto::{
    Config, client, lock, log, membership, multipaxos, paxos, ping, raft, ring, server, store,
    twophase,
};
use std::sync::Arc;

pub use crate::proto::log::Reads;
pub use crate::proto::multipaxos::ElectBy;
pub use crate::proto::raft::Changes;

pub mod file;
mod samples;

pub use samples::{SAMPLES, builtin, load, name_of, source};

/// How long a node remembers a request that nobody repeats, while it has no answer.
const KEEP: Span = Span::secs(10);

/// A range of times that chance draws from, evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// The shortest.
    pub fastest: Span,
    /// The longest.
    pub slowest: Span,
}

impl Ways {
    const fn millis(fastest: u64, slowest: u64) -> Ways {
        Ways { fastest: Span::millis(fastest), slowest: Span::millis(slowest) }
    }
}

/// One node of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Its share of the ring, relative to others; 1 to 100.
    pub weight: u16,
    /// Whether it is in the ring from the start.
    pub member: bool,
}

/// Heartbeats and suspicion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// How often each node tells each other that it is alive.
    pub heartbeat: Span,
    /// After how long without a heartbeat a node is suspected; with `phi`, as long as too little is
    /// known of it.
    pub suspect_after: Span,
    /// Suspect a node when φ, which follows from the intervals of its heartbeats, passes this.
    pub phi: Option<u8>,
}

/// Single-decree Paxos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paxos {
    /// Nodes that propose by themselves at the start, and what.
    pub proposers: Vec<(NodeId, Name)>,
    /// How long a proposer waits for answers before it tries a higher ballot.
    pub retry: Span,
    /// How long it waits, at the most and by chance, after a refusal before it tries again. Zero
    /// lets two proposers duel.
    pub backoff: Span,
}

/// How nodes agree on the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogKind {
    /// By Multi-Paxos.
    #[default]
    MultiPaxos,
    /// By Raft.
    Raft(Raft),
    /// By Zab.
    Zab,
}

impl LogKind {
    /// All kinds, as they are if nothing else is said.
    pub fn all() -> [LogKind; 3] {
        [LogKind::MultiPaxos, LogKind::Raft(Raft::default()), LogKind::Zab]
    }

    /// As a cluster file writes it.
    pub fn name(self) -> &'static str {
        match self {
            LogKind::MultiPaxos => "multipaxos",
            LogKind::Raft(_) => "raft",
            LogKind::Zab => "zab",
        }
    }

    /// As a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            LogKind::MultiPaxos => "Multi-Paxos",
            LogKind::Raft(_) => "Raft",
            LogKind::Zab => "Zab",
        }
    }

    /// Whether it knows what to do about an operation on the log itself.
    pub fn can(self, op: &Op) -> bool {
        match op {
            Op::Voters { .. } => self != LogKind::Zab,
            Op::Lead { .. } => matches!(self, LogKind::Raft(_)),
            _ => true,
        }
    }
}

/// The switches of Raft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raft {
    /// A node asks whether it would win before it enters a new term.
    pub pre_vote: bool,
    /// A node does not listen to candidates while there is a leader.
    pub sticky: bool,
    /// A leader that no majority answers steps down.
    pub check_quorum: bool,
    /// How one set of voters gives way to another.
    pub changes: Changes,
}

/// The replicated log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How nodes agree on it.
    pub kind: LogKind,
    /// How often a leader tells that it is there.
    pub heartbeat: Span,
    /// After how long without a leader a node seeks to lead; chance draws from this range.
    pub election: Ways,
    /// How many entries are applied between two snapshots.
    pub snapshot_every: u64,
    /// Who votes at the start, the others being learners; none if all do.
    pub voters: Option<Voters>,
    /// How reads of keys are answered, in a cluster without a store.
    pub reads: Reads,
    /// What makes a node seek to lead, on Multi-Paxos.
    pub elect_by: ElectBy,
    /// How many slots may be under way, and after how many a change of voters counts, on
    /// Multi-Paxos.
    pub window: u64,
}

/// The consistent-hash ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Points on the circle per unit of weight.
    pub vnodes: u16,
    /// How many nodes hold each key.
    pub replicas: u8,
    /// Seed of the hash.
    pub seed: u64,
    /// How long a member must be suspected before the leader takes it out of the ring.
    pub evict_after: Span,
    /// How long a node that is no member must be trusted before the leader takes it in.
    pub admit_after: Span,
}

/// The lock service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {}

/// The key-value store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// How long an owner waits for its replicas before it asks again.
    pub retry: Span,
    /// How long it tries before it tells the client that the outcome is unknown.
    pub give_up: Span,
    /// What an absent key that begins with `acct/` is worth.
    pub opening_balance: i64,
}

/// Two-phase commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    /// How long a coordinator waits for votes before it aborts.
    pub vote_timeout: Span,
    /// How often decisions and questions are repeated.
    pub retry: Span,
}

/// Which services the nodes run. All nodes run the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Balls that each node starts, for measuring.
    pub ping: Option<u32>,
    /// Heartbeats and suspicion.
    pub membership: Option<Membership>,
    /// Single-decree Paxos.
    pub paxos: Option<Paxos>,
    /// The replicated log.
    pub log: Option<Log>,
    /// The ring. Needs membership and log.
    pub ring: Option<Ring>,
    /// The lock service. Needs the log.
    pub lock: Option<Lock>,
    /// The store. Needs the ring.
    pub store: Option<Store>,
    /// Transactions. Needs the store.
    pub txn: Option<Txn>,
}

/// What a client does, over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// Reads and writes of `keys` keys; `writes` of 100 are writes.
    ReadWrite {
        /// How many different keys.
        keys: u32,
        /// Share of writes, in percent.
        writes: u8,
    },
    /// Adds one to one of `counters` counters.
    Count {
        /// How many different counters.
        counters: u32,
    },
    /// Takes one of these locks for `ttl`, keeps it for `hold` (renewing at half of the lease),
    /// writes to the resource of the same name meanwhile, and gives it back.
    Lock {
        /// The locks.
        locks: Vec<Name>,
        /// The lease.
        ttl: Span,
        /// How long it is kept.
        hold: Span,
    },
    /// Moves money between two of `accounts` accounts.
    Bank {
        /// How many accounts.
        accounts: u32,
        /// The most that is moved at once.
        most: i64,
    },
    /// Reads the keys that it wrote, one after the other, and nothing else; used after faults.
    Idle,
}

/// A client: a process that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name.
    pub id: NodeId,
    /// What it does, one of these at a time, by chance.
    pub load: Vec<Load>,
    /// How many operations it starts a second, one after the other; at most 1000.
    pub rate: u32,
    /// How long it waits for an answer before it asks another node.
    pub timeout: Span,
    /// How often it asks again before it calls the outcome unknown.
    pub retries: u32,
    /// Whether it looks at its clock before each write under a lease.
    pub careful: bool,
}

/// A cluster, ready to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The file that it was read from; empty if it was made otherwise.
    pub text: Arc<str>,
    /// What to call it: a word.
    pub name: String,
    /// Its headline.
    pub title: String,
    /// What it shows, in one sentence.
    pub about: String,
    /// The seed of its chance, unless another is asked for.
    pub seed: u64,
    /// The servers, in order.
    pub nodes: Vec<Node>,
    /// The clients, in order.
    pub clients: Vec<Client>,
    /// How long messages are under way.
    pub net: Ways,
    /// How long a sync takes.
    pub disk: Ways,
    /// Rules that are switched off.
    pub mutations: Mutations,
    /// What the nodes run.
    pub services: Services,
    /// How long after the last fault ends each client may wait for its next success.
    pub progress_within: Span,
}

impl Membership {
    /// How long at the most a node trusts another that is silent.
    pub fn patience(&self) -> Span {
        self.suspect_after.times(if self.phi.is_some() { membership::MOST_PATIENCE } else { 1 })
    }
}

impl Default for Membership {
    fn default() -> Self {
        Membership { heartbeat: Span::secs(1), suspect_after: Span::secs(4), phi: None }
    }
}

impl Default for Paxos {
    fn default() -> Self {
        Paxos { proposers: Vec::new(), retry: Span::millis(100), backoff: Span::millis(200) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log {
            kind: LogKind::default(),
            heartbeat: Span::millis(150),
            election: Ways::millis(400, 800),
            snapshot_every: 64,
            voters: None,
            reads: Reads::Log,
            elect_by: ElectBy::Patience,
            window: 64,
        }
    }
}

impl Default for Raft {
    fn default() -> Self {
        let changes = Changes::default();
        Raft { pre_vote: true, sticky: true, check_quorum: true, changes }
    }
}

impl Default for Ring {
    fn default() -> Self {
        Ring {
            vnodes: 64,
            replicas: 3,
            seed: 7,
            evict_after: Span::secs(2),
            admit_after: Span::secs(1),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Store { retry: Span::millis(50), give_up: Span::secs(3), opening_balance: 100 }
    }
}

impl Default for Txn {
    fn default() -> Self {
        Txn { vote_timeout: Span::secs(1), retry: Span::millis(200) }
    }
}

impl Services {
    /// The words for what is on, as in a cluster file.
    pub fn names(&self) -> Vec<&'static str> {
        let on = [
            ("ping", self.ping.is_some()),
            ("membership", self.membership.is_some()),
            ("paxos", self.paxos.is_some()),
            ("log", self.log.is_some()),
            ("ring", self.ring.is_some()),
            ("lock", self.lock.is_some()),
            ("store", self.store.is_some()),
            ("txn", self.txn.is_some()),
        ];
        on.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
    }

    /// Everything there is, with default settings.
    pub fn all() -> Services {
        Services {
            ping: None,
            membership: Some(Membership::default()),
            paxos: Some(Paxos::default()),
            log: Some(Log::default()),
            ring: Some(Ring::default()),
            lock: Some(Lock {}),
            store: Some(Store::default()),
            txn: Some(Txn::default()),
        }
    }
}

impl Services {
    /// Whether there is anything that a client can ask for.
    pub fn can_be_asked(&self) -> bool {
        let Services { paxos, log, lock, store, txn, .. } = self;
        paxos.is_some() || log.is_some() || lock.is_some() || store.is_some() || txn.is_some()
    }
}

impl Load {
    /// Whether it makes a client ask by itself, over and over.
    pub fn asks(&self) -> bool {
        !matches!(self, Load::Idle)
    }

    fn to_client(&self) -> client::Load {
        match *self {
            Load::ReadWrite { keys, writes } => client::Load::ReadWrite { keys, writes },
            Load::Count { counters } => client::Load::Count { counters },
            Load::Lock { ref locks, ttl, hold } => {
                client::Load::Lock { locks: locks.as_slice().into(), ttl, hold }
            }
            Load::Bank { accounts, most } => client::Load::Bank { accounts, most },
            Load::Idle => client::Load::ReadBack,
        }
    }
}

impl Client {
    /// A client that does this, ten times a second.
    pub fn new(number: u16, load: Vec<Load>) -> Client {
        let (id, timeout) = (NodeId::client(number), Span::secs(1));
        Client { id, load, rate: 10, timeout, retries: 3, careful: true }
    }
}

impl Plan {
    /// `n` nodes that run nothing, and no client.
    pub fn bare(n: u16) -> Plan {
        let node = |n| Node { id: NodeId::node(n), weight: 1, member: true };
        Plan {
            text: Arc::from(""),
            name: "bare".to_owned(),
            title: String::new(),
            about: String::new(),
            seed: 7,
            nodes: (1..=n).map(node).collect(),
            clients: Vec::new(),
            net: Ways::millis(1, 4),
            disk: Ways { fastest: Span::micros(200), slowest: Span::millis(1) },
            mutations: Mutations::NONE,
            services: Services::default(),
            progress_within: Span::secs(20),
        }
    }

    /// All processes, in order: nodes, then clients.
    pub fn processes(&self) -> impl Iterator<Item = NodeId> {
        let clients = self.clients.iter().map(|client| client.id);
        self.nodes.iter().map(|node| node.id).chain(clients)
    }

    /// What one process is told.
    pub fn setup(&self, me: NodeId) -> Setup {
        let stack = match self.clients.iter().find(|client| client.id == me) {
            Some(client) => self.client_stack(client),
            None => self.node_stack(),
        };
        Setup { me, stack: stack.into(), mutations: self.mutations }
    }

    /// What checks must know about this cluster.
    pub fn expect(&self) -> Expect {
        let busy = self.clients.iter().filter(|c| c.rate > 0 && c.load.iter().any(Load::asks));
        Expect {
            nodes: self.nodes.iter().map(|node| node.id).collect(),
            clients: busy.map(|client| client.id).collect(),
            progress_within: self.progress_within,
            patience: self.services.membership.as_ref().map(Membership::patience),
            opening_balance: self.services.store.as_ref().map_or(0, |s| s.opening_balance),
            dialect: self.dialect(),
            stale_reads: self.reads_may_be_stale(),
            window: self.window(),
            voters: self.voters(),
        }
    }

    /// Who votes on the log at the start.
    fn voters(&self) -> Voters {
        let named = self.services.log.as_ref().and_then(|log| log.voters.clone());
        named.unwrap_or_else(|| Voters::of(self.nodes.iter().map(|node| node.id)))
    }

    /// What one should know who relies on such a cluster, as sentences without their last stop.
    pub fn notes(&self) -> Vec<&'static str> {
        let fixed = self.services.log.as_ref().is_some_and(|log| log.kind == LogKind::Zab);
        let notes = [
            (
                self.reads_may_be_stale(),
                "Reads may be stale: the check 'clients' asks only that no client goes back in time",
            ),
            (fixed, "Who votes on Zab is fixed: 'voters' is refused while it runs"),
        ];
        notes.into_iter().filter(|(there, _)| *there).map(|(_, note)| note).collect()
    }

    /// Whether reads of keys show less than was told before they began.
    fn reads_may_be_stale(&self) -> bool {
        let Services { log, store, .. } = &self.services;
        store.is_none() && log.as_ref().is_some_and(|log| !log.reads.are_current())
    }

    fn window(&self) -> u64 {
        let log = self.services.log.as_ref().filter(|log| log.kind == LogKind::MultiPaxos);
        log.map_or(0, |log| log.window)
    }

    fn dialect(&self) -> Dialect {
        match self.services.log.as_ref().map(|log| log.kind) {
            Some(LogKind::Zab) => Dialect::Zab,
            _ => Dialect::Raft,
        }
    }

    fn peers(&self) -> Arc<[NodeId]> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    fn node_stack(&self) -> Vec<Config> {
        let peers = self.peers();
        let mut stack = Vec::new();
        if let Some(width) = self.services.ping {
            stack.push(Config::Ping(ping::Config { peers: peers.clone(), width }));
        }
        if let Some(Membership { heartbeat, suspect_after, phi }) = self.services.membership {
            let peers = peers.clone();
            let mutations = self.mutations;
            let config = membership::Config { peers, heartbeat, suspect_after, phi, mutations };
            stack.push(Config::Membership(config));
        }
        if let Some(paxos) = &self.services.paxos {
            stack.push(Config::Paxos(paxos::Config {
                peers: peers.clone(),
                proposers: paxos.proposers.as_slice().into(),
                retry: paxos.retry,
                backoff: paxos.backoff,
                mutations: self.mutations,
            }));
        }
        stack.extend(self.services.log.as_ref().map(|log| self.log(log)));
        if let Some(Ring { replicas, evict_after, admit_after, .. }) = self.services.ring {
            stack.push(Config::Ring(ring::Config {
                nodes: self.nodes.iter().map(|n| Member { node: n.id, weight: n.weight }).collect(),
                replicas,
                evict_after,
                admit_after,
                with_store: self.services.store.is_some(),
                mutations: self.mutations,
            }));
        }
        if self.services.lock.is_some() {
            let config = lock::Config { peers, mutations: self.mutations };
            stack.push(Config::Lock(config));
        }
        if let Some(Store { retry, give_up, opening_balance }) = self.services.store {
            let mutations = self.mutations;
            let config = store::Config { retry, give_up, opening_balance, mutations };
            stack.push(Config::Store(config));
        }
        if let Some(Txn { vote_timeout, retry }) = self.services.txn {
            let mutations = self.mutations;
            stack.push(Config::Txn(twophase::Config { vote_timeout, retry, mutations }));
        }
        if self.services.can_be_asked() {
            let decree = self.services.paxos.is_some();
            let proposals = if decree { ServiceId::Paxos } else { ServiceId::Log };
            let store = self.services.store.is_some();
            let keys = if store { ServiceId::Store } else { ServiceId::Log };
            stack.push(Config::Server(server::Config { keep: KEEP, proposals, keys }));
        }
        stack
    }

    fn log(&self, log: &Log) -> Config {
        let config = log::Config {
            peers: self.peers(),
            voters: self.voters(),
            heartbeat: log.heartbeat,
            election: (log.election.fastest, log.election.slowest),
            snapshot_every: log.snapshot_every,
            reads: log.reads,
            views: self.services.ring.as_ref().map(|ring| self.views(ring)),
            mutations: self.mutations,
        };
        match log.kind {
            LogKind::MultiPaxos => {
                let Log { elect_by, window, .. } = *log;
                Config::Log(multipaxos::Config { log: config, elect_by, window })
            }
            LogKind::Zab => Config::Zab(config),
            LogKind::Raft(Raft { pre_vote, sticky, check_quorum, changes }) => {
                let log = config;
                Config::Raft(raft::Config { log, pre_vote, sticky, check_quorum, changes })
            }
        }
    }

    /// The ring that the log starts from.
    fn views(&self, ring: &Ring) -> Views {
        let members = self.nodes.iter().filter(|node| node.member);
        let members: Vec<Member> =
            members.map(|node| Member { node: node.id, weight: node.weight }).collect();
        let Ring { vnodes, replicas, seed, .. } = *ring;
        Views::new(&members, Shape { vnodes, replicas, seed }, self.mutations)
    }

    fn client_stack(&self, client: &Client) -> Vec<Config> {
        let Client { rate, timeout, retries, careful, .. } = *client;
        let loads = client.load.iter().map(Load::to_client).collect();
        let peers = self.peers();
        let (mutations, stale_reads) = (self.mutations, self.reads_may_be_stale());
        vec![Config::Client(client::Config {
            peers,
            loads,
            rate,
            timeout,
            retries,
            careful,
            stale_reads,
            mutations,
        })]
    }
}
