//! A cluster to start: which processes, which services, which network.
//!
//! The settings of each service stand in `services`, with their defaults, because they are what a
//! person writes; [`Plan::setup`] turns them into what each process is told.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::cache::Mode;
use crate::base::placement::{Member, Shape};
use crate::base::{Conflict, Mutations, Name, NodeId, ServiceId, Span, Voters};
use crate::check::{Dialect, Expect, Failovers, Promise, Quorums, Shelves};
use crate::host::Setup;
use crate::proto::ring::Views;
use crate::proto::{
    Config, balance, cache, client, commit, files, lock, log, membership, multipaxos, paxos, ping,
    quorumstore, raft, redis, ring, saga, server, store, swim, tx,
};
use std::sync::Arc;

pub use crate::base::Terms;
pub use crate::proto::balance::Settings as BalanceSettings;
pub use crate::proto::cache::Settings as CacheSettings;
pub use crate::proto::client::{Sharing, Watch};
pub use crate::proto::files::Settings as Files;
pub use crate::proto::log::Reads;
pub use crate::proto::multipaxos::ElectBy;
pub use crate::proto::quorumstore::{Quorum, Repair};
pub use crate::proto::raft::Changes;
pub use crate::proto::redis::Failover;

pub mod file;
mod samples;
mod services;

pub use samples::{SAMPLES, builtin, load, name_of, source};
pub use services::{
    Balance, Cache, Heartbeats, Keys, Lock, LockKind, Log, LogKind, Membership, Paxos, Raft, Ring,
    Services, Store, StoreKind, Swim, Txn, TxnKind,
};

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
    /// writes to the resource of the same name meanwhile if it holds it alone, and gives it back.
    Lock {
        /// The locks.
        locks: Vec<Name>,
        /// The lease.
        ttl: Span,
        /// How long it is kept.
        hold: Span,
        /// How it is shared.
        share: Sharing,
    },
    /// Moves money between two of `accounts` accounts.
    Bank {
        /// How many accounts.
        accounts: u32,
        /// The most that is moved at once.
        most: i64,
        /// How many accounts take part in a transfer: all but the last give.
        legs: u8,
    },
    /// Requests about `keys` keys, at its rate whether they are answered or not.
    Request {
        /// How many different keys.
        keys: u32,
    },
    /// Opens a transaction, gets and sets some of `keys` keys in it, and commits or aborts it.
    Transact {
        /// How many different keys.
        keys: u32,
    },
    /// Reads the keys that it wrote, one after the other, and nothing else; used after faults.
    Idle,
    /// Follows all that changes below locks.
    Watch,
    /// Deletes one of `keys` keys, those that `ReadWrite` reads and writes.
    Delete {
        /// How many different keys.
        keys: u32,
    },
    /// Puts and reads `files` files, and removes one now and then.
    Files {
        /// How many different files.
        files: u32,
        /// How many bytes each has at the most.
        size: u32,
    },
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

impl Load {
    /// Whether it makes a client ask by itself, over and over.
    pub fn asks(&self) -> bool {
        !matches!(self, Load::Idle | Load::Watch)
    }

    fn to_client(&self) -> client::Load {
        match *self {
            Load::ReadWrite { keys, writes } => client::Load::ReadWrite { keys, writes },
            Load::Count { counters } => client::Load::Count { counters },
            Load::Lock { ref locks, ttl, hold, share } => {
                client::Load::Lock { locks: locks.as_slice().into(), ttl, hold, share }
            }
            Load::Bank { accounts, most, legs } => client::Load::Bank { accounts, most, legs },
            Load::Request { keys } => client::Load::Request { keys },
            Load::Transact { keys } => client::Load::Transact { keys },
            Load::Idle => client::Load::ReadBack,
            Load::Watch => client::Load::Watch,
            Load::Delete { keys } => client::Load::Delete { keys },
            Load::Files { files, size } => client::Load::Files { files, size },
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
            patience: self.services.membership.as_ref().map(|m| m.patience(self.nodes.len())),
            swim: self.swim().map(|swim| swim.bounds(self.nodes.len(), self.net)),
            opening_balance: self.services.store.as_ref().map_or(0, |s| s.opening_balance),
            dialect: self.dialect(),
            stale_reads: self.reads_may_be_stale(),
            cached: self.services.cache.as_ref().map(|cache| cache.settings.mode),
            window: self.window(),
            counted: self.counts_grants(),
            failover: self.failover(),
            detects: self.detects(),
            voters: self.voters(),
            quorums: self.quorums(),
            files: self.files(),
            idle: self.idle(),
        }
    }

    /// What checks must know about fail-over of the instance that keeps locks.
    fn failover(&self) -> Option<Failovers> {
        let kind = &self.services.lock.as_ref()?.kind;
        let Keys { failover, down_after, hold_down, restart_delay, .. } = *kind.keys()?;
        let (instances, fenced) = (self.instances(kind).to_vec(), failover == Failover::Fenced);
        // Whoever asks in vain waits anew before it asks again.
        let patience = restart_delay + down_after.times(4);
        let rules = Failovers { instances, fenced, patience, hold_down };
        (failover != Failover::None).then_some(rules)
    }

    /// Whether the log looks for deadlocks among locks.
    fn detects(&self) -> bool {
        self.services.lock.as_ref().is_some_and(|lock| lock.detects)
    }

    /// The switches of the store, if it is one by quorums.
    fn quorum(&self) -> Option<Quorum> {
        self.services.store.as_ref().and_then(Store::quorum)
    }

    fn replicas(&self) -> u8 {
        self.services.ring.as_ref().map_or(1, |ring| ring.replicas)
    }

    /// What checks must know about a store by quorums.
    fn quorums(&self) -> Option<Quorums> {
        let Quorum { r, w, versions, sloppy, read_repair, survey, sync_every, .. } =
            self.quorum()?;
        let strict = self.quorum()?.is_strict(self.replicas());
        let promise = match (strict && survey, versions, read_repair) {
            (true, Conflict::LastWriter, Repair::WriteBack) => Promise::Current,
            (true, _, _) => Promise::Regular,
            (false, ..) => Promise::Nothing,
        };
        let converge = sync_every > Span::ZERO;
        Some(Quorums { r, w, versions, sloppy, promise, converge })
    }

    /// After how long idle transactions are aborted, if clients open any.
    fn idle(&self) -> Option<Span> {
        match self.services.txn.as_ref()?.kind {
            TxnKind::Opened { idle_timeout, .. } => Some(idle_timeout),
            _ => None,
        }
    }

    /// What checks must know about the file store.
    fn files(&self) -> Option<Shelves> {
        let Files { replicas, scrub, throttle, block, .. } = self.services.files?;
        Some(Shelves { replicas, scrub, throttle, block })
    }

    /// Who votes on the log at the start.
    fn voters(&self) -> Voters {
        let named = self.services.log.as_ref().and_then(|log| log.voters.clone());
        named.unwrap_or_else(|| Voters::of(self.nodes.iter().map(|node| node.id)))
    }

    /// What one should know who relies on such a cluster, as sentences without their last stop.
    pub fn notes(&self) -> Vec<&'static str> {
        let fixed = self.services.log.as_ref().is_some_and(|log| log.kind == LogKind::Zab);
        let promise = self.quorums().map(|quorums| quorums.promise);
        let cached = self.services.cache.as_ref().map(|cache| cache.settings.mode);
        let notes = [
            (
                promise == Some(Promise::Nothing),
                "Reads of this store may be stale: r + w is not more than the replicas of a key, or \
                 stand-ins count, or writers do not ask first",
            ),
            (
                promise == Some(Promise::Regular),
                "A read finds what was acknowledged before it began, but of a write under way one \
                 read may show the new value and the next one the old",
            ),
            (
                cached == Some(Mode::WriteBehind),
                "A cache that crashes loses writes that it has acknowledged and not written yet: the \
                 check 'cache' bounds how many",
            ),
            (cached.is_some(), "Reads may be stale: the check 'cache' bounds for how long"),
            (
                self.reads_may_be_stale() && cached.is_none(),
                "Reads may be stale: the check 'clients' asks only that no client goes back in time",
            ),
            (fixed, "Who votes on Zab is fixed: 'voters' is refused while it runs"),
        ];
        notes.into_iter().filter(|(there, _)| *there).map(|(_, note)| note).collect()
    }

    /// Whether reads of keys show less than was told before they began.
    fn reads_may_be_stale(&self) -> bool {
        let Services { log, store, cache, .. } = &self.services;
        cache.is_some()
            || store.is_none() && log.as_ref().is_some_and(|log| !log.reads.are_current())
    }

    /// Beside whom clients can hold locks.
    fn shares(&self) -> client::Shares {
        let kept = self.services.lock.as_ref().map(|lock| lock.kind.shares());
        kept.unwrap_or_else(|| LockKind::Log.shares())
    }

    /// What clients watch while they wait for a lock, if they do.
    fn watch(&self) -> Option<Watch> {
        match self.services.lock.as_ref()?.kind {
            LockKind::ZooKeeper { watch } => Some(watch),
            LockKind::Etcd { .. } => Some(Watch::Predecessor),
            LockKind::Consul(terms) => Some(Watch::Key(terms)),
            _ => None,
        }
    }

    fn window(&self) -> u64 {
        let log = self.services.log.as_ref().filter(|log| log.kind == LogKind::MultiPaxos);
        log.map_or(0, |log| log.window)
    }

    fn counts_grants(&self) -> bool {
        let keys = self.services.lock.as_ref().and_then(|lock| lock.kind.keys());
        keys.is_some_and(|keys| keys.fencing)
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
        stack.extend(self.services.membership.as_ref().map(|kind| self.membership(kind)));
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
            let only_dead = self.swim().is_some();
            stack.push(Config::Ring(ring::Config {
                nodes: self.nodes.iter().map(|n| Member { node: n.id, weight: n.weight }).collect(),
                replicas,
                evict_after,
                only_dead,
                admit_after,
                with_store: self.services.store.is_some(),
                mutations: self.mutations,
            }));
        }
        stack.extend(self.services.lock.iter().flat_map(|lock| self.lock(&lock.kind)));
        stack.extend(self.services.store.as_ref().map(|store| self.store(store)));
        stack.extend(self.services.txn.as_ref().map(|txn| self.txn(txn)));
        stack.extend(self.services.balance.as_ref().map(|balance| self.balance(balance)));
        stack.extend(self.services.cache.as_ref().map(|cache| {
            let (nodes, mutations) = (cache.nodes.as_slice().into(), self.mutations);
            Config::Cache(cache::Config { nodes, settings: cache.settings, mutations })
        }));
        stack.extend(self.services.files.map(|settings| {
            let mutations = self.mutations;
            Config::Files(files::Config { settings, mutations })
        }));
        if self.services.can_be_asked() {
            let decree = self.services.paxos.is_some();
            let proposals = if decree { ServiceId::Paxos } else { ServiceId::Log };
            let store = self.services.store.is_some();
            let keys = if store { ServiceId::Store } else { ServiceId::Log };
            let keys = if self.services.cache.is_some() { ServiceId::Cache } else { keys };
            stack.push(Config::Server(server::Config { keep: KEEP, proposals, keys }));
        }
        stack
    }

    /// The lock service, and the instance that keeps the locks if not the log does.
    fn lock(&self, kind: &LockKind) -> Vec<Config> {
        let (peers, mutations) = (self.peers(), self.mutations);
        let fences = match kind {
            LockKind::Consul(terms) => !terms.deletes,
            kind => kind.keys().is_none_or(|keys| keys.fencing),
        };
        let sessions = self.watch().is_some();
        let leases = match kind {
            LockKind::Etcd { checkpoint } => Some(*checkpoint),
            LockKind::Consul(_) => Some(Span::ZERO),
            _ => None,
        };
        let leader_tells = matches!(kind, LockKind::Consul(_));
        let hang = leader_tells && self.services.membership.is_some();
        let checks = hang.then(|| self.swim().is_some());
        let config =
            lock::Config { peers, fences, sessions, leases, checks, leader_tells, mutations };
        let mut stack = vec![Config::Lock(config)];
        stack.extend(kind.keys().map(|keys| {
            let Keys { fsync, restart_delay, fencing, acks, failover, .. } = *keys;
            let Keys { down_after, hold_down, .. } = *keys;
            let instances = self.instances(kind);
            let independent = matches!(kind, LockKind::Redlock(_));
            let beat = Span(down_after.0 / 5);
            Config::Redis(redis::Config {
                peers: self.peers(),
                instances,
                independent,
                acks: acks.into(),
                failover,
                patience: redis::Patience { beat, down_after, hold_down },
                fsync,
                restart_delay,
                counts: fencing,
                mutations,
            })
        }));
        stack
    }

    /// The nodes that keep locks as keys; the first is the primary if they are not independent.
    fn instances(&self, kind: &LockKind) -> Arc<[NodeId]> {
        let count = match kind {
            LockKind::Redlock(_) => self.nodes.len(),
            _ => 1 + kind.keys().map_or(0, |keys| usize::from(keys.replicas)),
        };
        self.nodes.iter().take(count).map(|node| node.id).collect()
    }

    /// How clients take locks that are keys.
    fn recipe(&self) -> Option<client::Recipe> {
        let kind = &self.services.lock.as_ref()?.kind;
        let Keys { drift, attempt, retry, .. } = *kind.keys()?;
        let (instances, independent) = (self.instances(kind), matches!(kind, LockKind::Redlock(_)));
        Some(client::Recipe { instances, independent, drift, attempt, retry })
    }

    /// SWIM, if nodes find out by it who is alive.
    fn swim(&self) -> Option<&Swim> {
        match &self.services.membership {
            Some(Membership::Swim(swim)) => Some(swim),
            _ => None,
        }
    }

    fn membership(&self, kind: &Membership) -> Config {
        let (peers, mutations) = (self.peers(), self.mutations);
        match *kind {
            Membership::Heartbeats(Heartbeats { heartbeat, suspect_after, phi }) => {
                let config = membership::Config { peers, heartbeat, suspect_after, phi, mutations };
                Config::Membership(config)
            }
            Membership::Swim(Swim { period, timeout, helpers, gossip, push_pull, lifeguard }) => {
                Config::Swim(swim::Config {
                    peers,
                    period,
                    timeout,
                    helpers,
                    gossip,
                    push_pull,
                    lifeguard,
                    mutations,
                })
            }
        }
    }

    fn balance(&self, balance: &Balance) -> Config {
        let backends = self.nodes.iter().filter(|node| balance.backends.contains(&node.id));
        Config::Balance(balance::Config {
            balancers: balance.balancers.as_slice().into(),
            backends: backends.map(|n| Member { node: n.id, weight: n.weight }).collect(),
            settings: balance.settings,
            mutations: self.mutations,
        })
    }

    fn txn(&self, txn: &Txn) -> Config {
        let Txn { vote_timeout, retry, kind } = *txn;
        let (peers, mutations) = (self.peers(), self.mutations);
        match kind {
            TxnKind::Commit(how) => {
                Config::Txn(commit::Config { vote_timeout, retry, how, peers, mutations })
            }
            TxnKind::Saga { step_timeout, style } => {
                Config::Saga(saga::Config { step_timeout, retry, style, mutations })
            }
            TxnKind::Opened { level, idle_timeout } => {
                Config::Tx(tx::Config { level, idle_timeout, mutations })
            }
        }
    }

    fn store(&self, store: &Store) -> Config {
        let Store { kind, retry, give_up, opening_balance, read_time, read_queue } = *store;
        let (peers, mutations) = (self.peers(), self.mutations);
        match kind {
            StoreKind::Primary => {
                let handoff_rate = self.services.ring.as_ref().and_then(|ring| ring.handoff_rate);
                Config::Store(store::Config {
                    retry,
                    give_up,
                    opening_balance,
                    handoff_rate,
                    read_time,
                    read_queue,
                    mutations,
                })
            }
            StoreKind::Quorum(quorum) => {
                let strict = quorum.is_strict(self.replicas());
                Config::QuorumStore(quorumstore::Config {
                    peers,
                    quorum,
                    strict,
                    retry,
                    give_up,
                    mutations,
                })
            }
        }
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
            detects: self.detects(),
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
            recipe: self.recipe(),
            watch: self.watch(),
            shares: self.shares(),
            writes: self.quorum().map(|quorum| client::Writes { survey: quorum.survey }),
            mutations,
        })]
    }
}
