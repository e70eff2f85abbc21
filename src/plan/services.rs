//! What the nodes run: the settings of each service as a person writes them, with their defaults.

use super::Ways;
use crate::base::{Commitment, Conflict, Isolation, Name, NodeId, Op, Span, Style, Terms, Voters};
use crate::check::SwimBounds;
use crate::proto::client::{Shares, Watch};
use crate::proto::files::Settings as Files;
use crate::proto::log::Reads;
use crate::proto::membership;
use crate::proto::multipaxos::ElectBy;
use crate::proto::quorumstore::{Quorum, Repair};
use crate::proto::raft::Changes;
use crate::proto::redis::Failover;
use crate::proto::swim;
use crate::proto::{balance, cache};

/// How nodes find out who is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Each tells all others.
    Heartbeats(Heartbeats),
    /// Each asks one other at a time, and gossip spreads the answer.
    Swim(Swim),
}

/// Heartbeats and suspicion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeats {
    /// How often each node tells each other that it is alive.
    pub heartbeat: Span,
    /// After how long without a heartbeat a node is suspected; with `phi`, as long as too little is
    /// known of it.
    pub suspect_after: Span,
    /// Suspect a node when φ, which follows from the intervals of its heartbeats, passes this.
    pub phi: Option<u8>,
}

/// SWIM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swim {
    /// How often each node probes another.
    pub period: Span,
    /// How long it waits for an answer before it asks helpers.
    pub timeout: Span,
    /// How many helpers it asks.
    pub helpers: u8,
    /// How often rumours are passed on besides those that ride on probes.
    pub gossip: Span,
    /// How often each node exchanges all that it knows with another.
    pub push_pull: Span,
    /// Whether nodes doubt themselves before they doubt others.
    pub lifeguard: bool,
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
    /// How many keys a second a node hands over to others at the most; none for all at once.
    pub handoff_rate: Option<u32>,
}

/// The lock service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Who keeps the locks.
    pub kind: LockKind,
    /// Whether the log, if it keeps them, looks for clients that wait for each other. If not, such
    /// a circle ends when a lease does.
    pub detects: bool,
}

/// Who keeps the locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LockKind {
    /// The replicated log.
    #[default]
    Log,
    /// One instance, as keys that expire; maybe with replicas.
    Redis(Keys),
    /// Each node by itself, as keys that expire: who has a majority of them has the lock.
    Redlock(Keys),
    /// Clients line up by themselves, as with ZooKeeper, with nodes on the replicated log that live
    /// as long as their sessions.
    ZooKeeper {
        /// What who waits watches.
        watch: Watch,
    },
    /// The same with leases, as with etcd: the leader keeps signs of life in its memory.
    Etcd {
        /// How often it notes in the log what is left of leases; zero for never.
        checkpoint: Span,
    },
    /// Keys that sessions hold which hang on nodes as well, as with Consul.
    Consul(Terms),
}

impl LockKind {
    /// As a cluster file writes it.
    pub fn name(&self) -> &'static str {
        match self {
            LockKind::Log => "log",
            LockKind::Redis(_) => "redis",
            LockKind::Redlock(_) => "redlock",
            LockKind::ZooKeeper { .. } => "zookeeper",
            LockKind::Etcd { .. } => "etcd",
            LockKind::Consul(_) => "consul",
        }
    }

    /// Beside whom locks of this kind can be held.
    pub fn shares(&self) -> Shares {
        let owner = matches!(self, LockKind::Redis(_) | LockKind::Redlock(_));
        let readers = !owner && !matches!(self, LockKind::Consul(_));
        let permits = !owner && !matches!(self, LockKind::Etcd { .. });
        Shares { readers, permits }
    }

    /// The switches of a kind that keeps locks as keys.
    pub fn keys(&self) -> Option<&Keys> {
        match self {
            LockKind::Log
            | LockKind::ZooKeeper { .. }
            | LockKind::Etcd { .. }
            | LockKind::Consul(_) => None,
            LockKind::Redis(keys) | LockKind::Redlock(keys) => Some(keys),
        }
    }
}

/// The switches of locks that are keys, and of the clients who take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Whether a key is on the disk before a client hears of it. If not, a crash loses all keys.
    pub fsync: bool,
    /// How long an instance that has restarted stays silent.
    pub restart_delay: Span,
    /// Whether the instance counts grants, and resources compare the count: only on one instance.
    pub fencing: bool,
    /// How many percent of each lease a client gives up for clocks that run at other rates.
    pub drift: u8,
    /// How long a client waits for instances before it gives an attempt up.
    pub attempt: Span,
    /// How long it waits, more or less, between two attempts.
    pub retry: Span,
    /// How many replicas the one instance has.
    pub replicas: u8,
    /// How many of them have to have a write before it is answered.
    pub acks: u8,
    /// How one of them takes the primary's place.
    pub failover: Failover,
    /// How long nodes do not hear the primary before they do something about it.
    pub down_after: Span,
    /// How long they do nothing again after that.
    pub hold_down: Span,
}

impl Default for Keys {
    fn default() -> Self {
        Keys {
            fsync: true,
            restart_delay: Span::ZERO,
            fencing: false,
            drift: 1,
            attempt: Span::millis(100),
            retry: Span::millis(200),
            replicas: 0,
            acks: 0,
            failover: Failover::None,
            down_after: Span::millis(500),
            hold_down: Span::secs(2),
        }
    }
}

/// How the replicas of a key agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// Its owner decides, and copies to the others.
    #[default]
    Primary,
    /// They do not: reads and writes ask so many of them that they meet.
    Quorum(Quorum),
}

/// The key-value store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// How the replicas of a key agree.
    pub kind: StoreKind,
    /// How long an owner waits for its replicas before it asks again.
    pub retry: Span,
    /// How long it tries before it tells the client that the outcome is unknown.
    pub give_up: Span,
    /// What an absent key that begins with `acct/` is worth.
    pub opening_balance: i64,
    /// How long an owner works on a read, on one at a time; zero if that takes no time.
    pub read_time: Span,
    /// How many reads may wait at an owner for their turn; it refuses more.
    pub read_queue: u16,
}

/// Transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    /// How long a coordinator waits for votes before it aborts.
    pub vote_timeout: Span,
    /// How often decisions and questions are repeated.
    pub retry: Span,
    /// What they are, and by which protocol they come to their outcome.
    pub kind: TxnKind,
}

/// What transactions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnKind {
    /// Atomic: all keys change at once, as far as anybody can see.
    Commit(Commitment),
    /// Sagas: they change one by one, and are changed back if one of them cannot be.
    Saga {
        /// How long a step before the pivot may take before the saga turns back.
        step_timeout: Span,
        /// How they run.
        style: Style,
    },
    /// Clients open them, work in them and end them, on the keys of the log.
    Opened {
        /// The level of those that do not say one.
        level: Isolation,
        /// After how long an idle one is aborted.
        idle_timeout: Span,
    },
}

impl From<Commitment> for TxnKind {
    fn from(how: Commitment) -> TxnKind {
        TxnKind::Commit(how)
    }
}

/// Requests that are spread over backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Who spreads them.
    pub balancers: Vec<NodeId>,
    /// Who works on them.
    pub backends: Vec<NodeId>,
    /// How.
    pub settings: balance::Settings,
}

/// Copies of keys in front of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Who keeps them.
    pub nodes: Vec<NodeId>,
    /// How.
    pub settings: cache::Settings,
}

/// Which services the nodes run. All nodes run the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Balls that each node starts, for measuring.
    pub ping: Option<u32>,
    /// Who is alive.
    pub membership: Option<Membership>,
    /// Single-decree Paxos.
    pub paxos: Option<Paxos>,
    /// The replicated log.
    pub log: Option<Log>,
    /// The ring. Needs membership and log.
    pub ring: Option<Ring>,
    /// The lock service. Needs the log, unless it keeps locks as keys.
    pub lock: Option<Lock>,
    /// The store. Needs the ring.
    pub store: Option<Store>,
    /// Transactions. Needs the store.
    pub txn: Option<Txn>,
    /// Requests that are spread over backends.
    pub balance: Option<Balance>,
    /// Copies of keys in front of the store, which it needs.
    pub cache: Option<Cache>,
    /// The file store. Needs the ring.
    pub files: Option<Files>,
}

impl Membership {
    /// How long at the most one of so many nodes trusts another that is silent, or goes on
    /// suspecting one that is back.
    pub fn patience(&self, nodes: usize) -> Span {
        match self {
            Membership::Heartbeats(heartbeats) => heartbeats.patience(),
            Membership::Swim(swim) => swim.patience(nodes),
        }
    }

    /// As a person calls it.
    pub fn title(&self) -> &'static str {
        match self {
            Membership::Heartbeats(Heartbeats { phi: None, .. }) => "heartbeats",
            Membership::Heartbeats(_) => "heartbeats, φ accrual",
            Membership::Swim(Swim { lifeguard: false, .. }) => "SWIM",
            Membership::Swim(_) => "SWIM with Lifeguard",
        }
    }
}

impl Heartbeats {
    fn patience(&self) -> Span {
        self.suspect_after.times(if self.phi.is_some() { membership::MOST_PATIENCE } else { 1 })
    }
}

/// In so many periods each node is probed by somebody, for all practical purposes: that nobody
/// does so in one has the probability 1/e.
const SURELY: u64 = 40;
/// So many periods at the most a node that had lost trust in itself takes to regain it.
const RECOVERY: u64 = 9 * 10 / 2;

impl Swim {
    /// Each node probes each other once in two passes; in a large cluster, the news comes first.
    fn patience(&self, nodes: usize) -> Span {
        let passes = 2 * nodes as u64;
        let recovery = if self.lifeguard { RECOVERY } else { 0 };
        let news = self.period.times(SURELY) + self.push_pull.times(3);
        self.period.times(passes).min(news) + self.period.times(recovery)
    }

    /// What checks must know of it, in a cluster of so many nodes on such a network.
    pub(super) fn bounds(&self, nodes: usize, net: Ways) -> SwimBounds {
        let slowest = net.slowest.times(4);
        let in_time = slowest < self.timeout && self.timeout + slowest < self.period;
        let longest = self.period.times(if self.lifeguard { 9 } else { 1 });
        SwimBounds {
            suspicion: swim::least_suspicion(self.period, nodes),
            probe: (in_time && self.helpers > 0 && nodes > 2).then_some(longest),
        }
    }
}

impl Default for Swim {
    fn default() -> Self {
        Swim {
            period: Span::secs(1),
            timeout: Span::millis(500),
            helpers: 3,
            gossip: Span::millis(200),
            push_pull: Span::secs(30),
            lifeguard: true,
        }
    }
}

impl Default for Membership {
    fn default() -> Self {
        Membership::Heartbeats(Heartbeats::default())
    }
}

impl Default for Heartbeats {
    fn default() -> Self {
        Heartbeats { heartbeat: Span::secs(1), suspect_after: Span::secs(4), phi: None }
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
            handoff_rate: None,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Store {
            kind: StoreKind::Primary,
            retry: Span::millis(50),
            give_up: Span::secs(3),
            opening_balance: 100,
            read_time: Span::ZERO,
            read_queue: 10_000,
        }
    }
}

/// Two of three each way, as Dynamo's users had it most often.
impl Default for Quorum {
    fn default() -> Self {
        Quorum {
            r: 2,
            w: 2,
            versions: Conflict::LastWriter,
            sloppy: false,
            hint_window: Span::secs(20),
            hint_rate: 32,
            read_repair: Repair::Async,
            grace: Span::secs(30),
            sync_every: Span::secs(4),
            survey: true,
        }
    }
}

impl Store {
    /// The switches of a store by quorums, if it is one.
    pub fn quorum(&self) -> Option<Quorum> {
        match self.kind {
            StoreKind::Primary => None,
            StoreKind::Quorum(quorum) => Some(quorum),
        }
    }
}

impl Default for Files {
    fn default() -> Self {
        Files {
            replicas: 3,
            block: 16 << 10,
            scrub: Span::secs(10),
            throttle: 1 << 20,
            retry: Span::millis(100),
            give_up: Span::secs(3),
        }
    }
}

impl Default for Txn {
    fn default() -> Self {
        let kind = TxnKind::Commit(Commitment::default());
        Txn { vote_timeout: Span::secs(1), retry: Span::millis(200), kind }
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
            ("balance", self.balance.is_some()),
            ("cache", self.cache.is_some()),
            ("files", self.files.is_some()),
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
            lock: Some(Lock::default()),
            store: Some(Store::default()),
            txn: Some(Txn::default()),
            balance: None,
            cache: None,
            files: None,
        }
    }
}

impl Services {
    /// Whether there is anything that a client can ask for.
    pub fn can_be_asked(&self) -> bool {
        let Services { paxos, log, lock, store, txn, balance, .. } = self;
        let agrees = paxos.is_some() || log.is_some() || lock.is_some();
        agrees || store.is_some() || txn.is_some() || balance.is_some()
    }
}
