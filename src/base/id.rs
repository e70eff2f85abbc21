//! Names for things, as small numbers with one text form each.

use super::{ParseError, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A process of the cluster: a node (`n1`, `n2` …), a client (`c1` …), or the workbench itself
/// (`-`), which appears as the author of faults and verdicts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NodeId(u16);

impl NodeId {
    /// The workbench: not a process.
    pub const BENCH: NodeId = NodeId(0);
    /// How many nodes, and how many clients, a cluster may have at the most.
    pub const MAX: u16 = 9_999;
    const CLIENT: u16 = 0x8000;

    /// Node `n<number>`.
    pub const fn node(number: u16) -> NodeId {
        NodeId(number)
    }

    /// Client `c<number>`.
    pub const fn client(number: u16) -> NodeId {
        NodeId(Self::CLIENT | number)
    }

    /// Whether this is a client.
    pub const fn is_client(self) -> bool {
        self.0 & Self::CLIENT != 0
    }

    /// The number in the name: 3 for `n3` and for `c3`.
    pub const fn number(self) -> u16 {
        self.0 & !Self::CLIENT
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self == Self::BENCH, self.is_client()) {
            (true, _) => f.pad("-"),
            (_, true) => f.pad(&format!("c{}", self.number())),
            (_, false) => f.pad(&format!("n{}", self.number())),
        }
    }
}

impl FromStr for NodeId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<NodeId, ParseError> {
        let bad = || ParseError(format!("'{text}' is not a process; write n1, n2 … or c1, c2 …"));
        let number = |digits: &str| match digits.parse::<u16>() {
            Ok(n) if (1..=Self::MAX).contains(&n) && !digits.starts_with('0') => Ok(n),
            _ => parse_error(bad().0),
        };
        match text.split_at_checked(1) {
            Some(("n", digits)) => Ok(NodeId::node(number(digits)?)),
            Some(("c", digits)) => Ok(NodeId::client(number(digits)?)),
            _ => Err(bad()),
        }
    }
}

/// One life of a process, and how often it has contradicted in it what others said of it. Only the
/// process itself raises it: a restart, or a refutation (SWIM, section 4.2), is above all before.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Incarnation {
    /// The boot, counted from 1.
    pub boot: u32,
    /// How often it refuted something since; 0 where nobody refutes anything.
    pub raised: u32,
}

impl Incarnation {
    /// Of a process that was never heard of.
    pub const NONE: Incarnation = Incarnation { boot: 0, raised: 0 };

    /// The first of a boot.
    pub const fn of_boot(boot: u32) -> Incarnation {
        Incarnation { boot, raised: 0 }
    }

    /// The next one of the same life.
    #[must_use]
    pub const fn raised(self) -> Incarnation {
        Incarnation { boot: self.boot, raised: self.raised.saturating_add(1) }
    }
}

/// `2` is boot 2, `2.1` the same after one refutation.
impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.raised {
            0 => f.pad(&self.boot.to_string()),
            raised => f.pad(&format!("{}.{raised}", self.boot)),
        }
    }
}

/// A proposal number: rounds first, then the proposer, so that no two proposers share one
/// (Lamport, *Paxos Made Simple*, section 2.2). The least ballot stands for "none".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ballot {
    /// Counts a proposer's attempts. Must survive its restarts.
    pub round: u32,
    /// Who proposes.
    pub node: NodeId,
}

impl Ballot {
    /// Less than every ballot that is ever used.
    pub const NONE: Ballot = Ballot { round: 0, node: NodeId::BENCH };

    /// More rounds than there will ever be. A ballot from here on is no ballot, and nobody goes by
    /// it, so that there is always a next round.
    pub const ROUNDS: u32 = 1 << 31;

    /// A term, whoever leads in it.
    pub const fn term(round: u32) -> Ballot {
        Ballot { round, node: NodeId::BENCH }
    }

    /// The ballot of `node` in `round`.
    pub const fn new(round: u32, node: NodeId) -> Ballot {
        Ballot { round, node }
    }
}

/// `3.2` is round 3 of n2, `3` is term 3; `-` is none.
impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.node) {
            (Self::NONE, _) => f.pad("-"),
            (_, NodeId::BENCH) => f.pad(&self.round.to_string()),
            (_, node) => f.pad(&format!("{}.{}", self.round, node.number())),
        }
    }
}

/// A place in the replicated log, counted from 1. Slot 0 is the one decree of single-decree Paxos.
pub type Slot = u64;

/// What a grant of a lock is known by. Of locks on the log it is a fencing token: the slot of the
/// entry that granted the lock, so later grants have larger ones (Burrows 2006, "sequencer"). Of locks
/// that are keys it is a count of grants, if somebody counts, or else a value drawn by chance.
pub type Token = u64;

/// One message in the network. In the simulator, numbers rise in the order of sending. Live nodes
/// count by themselves, so the upper bits say who counted, and in which of its lives.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MsgId(pub u64);

impl MsgId {
    const COUNT_BITS: u32 = 36;
    const LIFE_BITS: u32 = 12;

    /// The first number of `node` in its `life`th life, before the first message.
    pub const fn first(node: NodeId, life: u32) -> MsgId {
        let life = life as u64 % (1 << Self::LIFE_BITS);
        MsgId((node.0 as u64) << (64 - 16) | life << Self::COUNT_BITS)
    }

    /// The next one of the same life.
    #[must_use]
    pub const fn next(self) -> MsgId {
        let mask = (1 << Self::COUNT_BITS) - 1;
        MsgId(self.0 & !mask | (self.0 + 1) & mask)
    }

    /// Who counted it; none in the simulator.
    pub fn author(self) -> Option<NodeId> {
        let node = NodeId((self.0 >> 48) as u16);
        (node != NodeId::BENCH).then_some(node)
    }
}

/// `#702` in the simulator; `#n2.702`, in a later life `#n2.3.702`, of a live node.
impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0 & ((1 << Self::COUNT_BITS) - 1);
        let life = self.0 >> Self::COUNT_BITS & ((1 << Self::LIFE_BITS) - 1);
        match (self.author(), life) {
            (None, _) => f.pad(&format!("#{}", self.0)),
            (Some(node), 1) => f.pad(&format!("#{node}.{count}")),
            (Some(node), _) => f.pad(&format!("#{node}.{life}.{count}")),
        }
    }
}

impl FromStr for MsgId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<MsgId, ParseError> {
        let words: Vec<&str> = text.strip_prefix('#').unwrap_or(text).split('.').collect();
        let number = |word: &str, bits: u32| word.parse().ok().filter(|n: &u64| n >> bits == 0);
        let live = |node: &str, life: u64, count: &str| {
            let MsgId(first) = MsgId::first(node.parse().ok()?, life as u32);
            Some(MsgId(first | number(count, Self::COUNT_BITS)?))
        };
        let parsed = match words[..] {
            [count] => number(count, 48).map(MsgId),
            [node, count] => live(node, 1, count),
            [node, life, count] => {
                number(life, Self::LIFE_BITS).and_then(|life| live(node, life, count))
            }
            _ => None,
        };
        match parsed {
            Some(id) => Ok(id),
            None => parse_error(format!("'{text}' is not a message; write #702 or #n2.702")),
        }
    }
}

/// A transaction: its coordinator and a number that the coordinator never uses twice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TxnId {
    /// Who coordinates it.
    pub coordinator: NodeId,
    /// Counts this coordinator's transactions, restarts included.
    pub number: u32,
}

/// `t2.17` is transaction 17 of n2.
impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("t{}.{}", self.coordinator.number(), self.number))
    }
}

impl FromStr for TxnId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<TxnId, ParseError> {
        let parsed =
            text.strip_prefix('t').and_then(|rest| rest.split_once('.')).and_then(|(c, n)| {
                let coordinator = c.parse().ok().filter(|c| (1..=NodeId::MAX).contains(c))?;
                Some(TxnId { coordinator: NodeId::node(coordinator), number: n.parse().ok()? })
            });
        match parsed {
            Some(txn) => Ok(txn),
            None => parse_error(format!("'{text}' is not a transaction; write t2.17")),
        }
    }
}

/// One client operation: who asked, and that client's running number. A retry keeps its id, which
/// is how services recognise it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CallId {
    /// The client.
    pub client: NodeId,
    /// Counts the client's operations from 1, restarts included.
    pub seq: u64,
}

/// `c1/42` is call 42 of c1 in its first life, `c1/2.42` in its second: processes begin their
/// numbers with their boot, in the upper half.
impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seq >> 32, self.seq & 0xFFFF_FFFF) {
            (0 | 1, number) => f.pad(&format!("{}/{number}", self.client)),
            (boot, number) => f.pad(&format!("{}/{boot}.{number}", self.client)),
        }
    }
}

/// The services that a node can run. The order is the order of a node's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceId {
    /// Answers calls with nothing but an echo: for measuring the machinery itself.
    Ping,
    /// Who is alive: heartbeats and suspicion.
    Membership,
    /// Single-decree Paxos.
    Paxos,
    /// The replicated log and the state machine on it.
    Log,
    /// Who owns which keys.
    Ring,
    /// The lock service, and the resource that its tokens guard.
    Lock,
    /// The key-value store on the ring.
    Store,
    /// Two-phase commit across the owners of keys.
    Txn,
    /// The door: takes clients' requests and hands them to the service in charge.
    Server,
    /// A client's workload.
    Client,
    /// An instance that keeps locks as keys with an expiry.
    Redis,
    /// Requests that are spread over backends.
    Balance,
    /// Copies of keys in front of the store.
    Cache,
    /// Files, cut into blocks.
    Files,
}

impl ServiceId {
    /// All services, in stack order.
    pub const ALL: [ServiceId; 14] = [
        ServiceId::Ping,
        ServiceId::Membership,
        ServiceId::Paxos,
        ServiceId::Log,
        ServiceId::Ring,
        ServiceId::Lock,
        ServiceId::Store,
        ServiceId::Txn,
        ServiceId::Server,
        ServiceId::Client,
        ServiceId::Redis,
        ServiceId::Balance,
        ServiceId::Cache,
        ServiceId::Files,
    ];

    /// The word for it, as in a cluster file.
    pub const fn name(self) -> &'static str {
        match self {
            ServiceId::Ping => "ping",
            ServiceId::Membership => "membership",
            ServiceId::Paxos => "paxos",
            ServiceId::Log => "log",
            ServiceId::Ring => "ring",
            ServiceId::Lock => "lock",
            ServiceId::Store => "store",
            ServiceId::Txn => "txn",
            ServiceId::Server => "server",
            ServiceId::Client => "client",
            ServiceId::Redis => "redis",
            ServiceId::Balance => "balance",
            ServiceId::Cache => "cache",
            ServiceId::Files => "files",
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_what_they_print() {
        for id in [NodeId::node(1), NodeId::node(50), NodeId::client(3), NodeId::node(9_999)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let txn = TxnId { coordinator: NodeId::node(2), number: 17 };
        assert_eq!(txn.to_string().parse(), Ok(txn));
        assert_eq!(MsgId(7).to_string().parse(), Ok(MsgId(7)));
    }

    #[test]
    fn names_refuse_nonsense() {
        for text in ["", "n", "n0", "n01", "x1", "n10000", "n-1", "é1", "1", "n1 "] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
        for text in ["", "t", "t.", "t1", "t0.1", "t1.x"] {
            assert!(text.parse::<TxnId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ballots_order_by_round_first() {
        let low = Ballot::new(1, NodeId::node(9));
        let high = Ballot::new(2, NodeId::node(1));
        assert!(Ballot::NONE < low && low < high);
    }
}
