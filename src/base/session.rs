//! What clients and a lock service with sessions say to each other.
//!
//! A session stands for a client as long as it gives a sign of life. What is made for a session is
//! gone when the session is.

use super::{Ballot, CallId, LockMode, Name, NodeId, Slot, Span, Token};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A session: the slot of the entry that opened it.
pub type SessionId = u64;

/// The session of whoever asks. No session has this number.
pub const OWN_SESSION: SessionId = 0;

/// What becomes of the locks of a session that ends, as with Consul.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// For how long nobody can take them then: their lock-delay.
    pub delay: Span,
    /// Whether their keys are deleted, and what was counted of them with it.
    pub deletes: bool,
}

/// `lock-delay 15s`, and `deletes` if so.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lock-delay {}{}", self.delay, if self.deletes { ", deletes" } else { "" })
    }
}

/// What is asked about sessions and what hangs on them.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionOp {
    /// Open a session that ends when it gives no sign of life for `ttl`.
    Open { ttl: Span },
    /// A sign of life.
    Ping { session: SessionId },
    /// In the log: end a session that has given no sign of life. Has no effect if it has given more
    /// than `pings`, so that one that the log orders before it wins.
    Expire { session: SessionId, pings: u32 },
    /// Line up for a lock: make a node below it, with the next number, that lives as long as the
    /// session. `wish` is what the client wants it for, and stands in its name: whoever asks for
    /// it again gets the same node. So does `mode`, for whom it may be held beside.
    Create { lock: Name, session: SessionId, wish: CallId, mode: LockMode },
    /// Remove a node below a lock.
    Delete { lock: Name, session: SessionId, node: Token },
    /// List the nodes below a lock, from a replica that has applied `seen` at least.
    List { lock: Name, seen: Slot },
    /// Say it, once, when `node` below a lock is gone; or, without one, when anything below the
    /// lock is not as it was after slot `seen`.
    Watch { lock: Name, session: SessionId, node: Option<Token>, seen: Slot },
    /// In the log, where a leader keeps the time of sessions in its memory: the leader of this
    /// ballot does from now on, and no earlier one.
    Promote { lessor: Ballot },
    /// In the log: that leader still is the one. These sessions gave a sign of life, so what was
    /// noted of their time counts no longer.
    Confirm { lessor: Ballot, alive: Arc<[SessionId]> },
    /// In the log: that leader notes how much is left of these sessions.
    Checkpoint { lessor: Ballot, left: Arc<[(SessionId, Span)]> },
    /// In the log: that leader ends a session.
    Revoke { lessor: Ballot, session: SessionId },
    /// Through the log: which nodes there are, below all locks.
    Snapshot,
    /// The same from a node's own state, however old.
    Glance,
    /// Say what has changed below any lock after slot `after`, as soon as there is something.
    Follow { after: Slot },
    /// Open a session that hangs on `node` as well: it ends when the node's check turns critical.
    Register { node: NodeId, ttl: Span, terms: Terms },
    /// Take a lock for `wish`, if nobody holds it and no lock-delay is under way.
    Lock { lock: Name, session: SessionId, wish: CallId },
    /// Give a lock back that the session holds under `token`.
    Unlock { lock: Name, session: SessionId, token: Token },
    /// In the log: the leader that keeps the time of sessions finds this node's check critical, or
    /// passing again. All sessions end that hang on a node whose check is critical.
    Check { lessor: Ballot, node: NodeId, critical: bool },
    /// In the log: that leader finds that the lock-delay which began in slot `since` is over.
    Lift { lessor: Ballot, lock: Name, since: Slot },
    /// End the session now.
    Close { session: SessionId },
    /// Have a key of one's own below a semaphore, for `wish`: the key is there as long as the
    /// session.
    Contend { lock: Name, session: SessionId, wish: CallId },
    /// Through the log: who has a permit of a semaphore, and who contends for one.
    Permits { lock: Name },
    /// Write down who has a permit of a semaphore of `limit`, if slot `index` was the last to.
    Swap { lock: Name, session: SessionId, index: Slot, limit: u8, holders: Arc<[SessionId]> },
}

/// What is answered.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionOutcome {
    /// It is open.
    Opened { session: SessionId },
    /// The node is there, under this number.
    Made { node: Token },
    /// The nodes below the lock after slot `seen`, in order.
    Listed { seen: Slot, nodes: Vec<Place> },
    /// What was watched for has happened, in slot `seen` at the latest.
    Changed { seen: Slot },
    /// All nodes there are, as of slot `revision`.
    State { revision: Slot, keys: Vec<Key> },
    /// All that changed up to slot `upto`, in the order of slots.
    Told { upto: Slot, changes: Vec<KeyChange> },
    /// As of slot `seen`, somebody holds the lock, or a lock-delay is under way.
    Busy { seen: Slot },
    /// As of slot `seen`, who has a permit of a semaphore, each with its token, as it was written
    /// down in slot `index`; and whose keys are there of those who contend for one.
    Permits {
        seen: Slot,
        index: Slot,
        limit: u8,
        holders: Vec<(SessionId, Token)>,
        contenders: Vec<SessionId>,
    },
}

/// A node by its lock and number.
pub type Key = (Name, Token);

/// A node was made or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyChange {
    /// The slot that did it: the revision.
    pub slot: Slot,
    /// Which node.
    pub key: Key,
    /// Whether it is there now.
    pub there: bool,
}

/// `+door/5` or `-door/5`.
impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lock, node) = &self.key;
        write!(f, "{}{lock}/{node}", if self.there { '+' } else { '-' })
    }
}

/// A node below a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Its number: the slot of the entry that made it.
    pub node: Token,
    /// What its client wants it for.
    pub wish: CallId,
    /// Beside whom.
    pub mode: LockMode,
}

impl SessionOp {
    /// The lock that it is about, if it is about one.
    pub fn lock(&self) -> Option<&Name> {
        match self {
            SessionOp::Create { lock, .. }
            | SessionOp::Delete { lock, .. }
            | SessionOp::List { lock, .. }
            | SessionOp::Watch { lock, .. }
            | SessionOp::Lock { lock, .. }
            | SessionOp::Unlock { lock, .. }
            | SessionOp::Lift { lock, .. }
            | SessionOp::Contend { lock, .. }
            | SessionOp::Permits { lock }
            | SessionOp::Swap { lock, .. } => Some(lock),
            _ => None,
        }
    }

    /// Whether it does no more if it is done twice, so that it may be asked for by another call.
    pub fn is_idempotent(&self) -> bool {
        matches!(
            self,
            SessionOp::Delete { .. }
                | SessionOp::Unlock { .. }
                | SessionOp::Close { .. }
                | SessionOp::Contend { .. }
                | SessionOp::Permits { .. }
                | SessionOp::Swap { .. }
        )
    }

    /// Whether it changes nothing, and any replica answers it from its own state.
    pub fn is_look(&self) -> bool {
        matches!(
            self,
            SessionOp::List { .. }
                | SessionOp::Watch { .. }
                | SessionOp::Follow { .. }
                | SessionOp::Glance
        )
    }
}

impl fmt::Display for SessionOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionOp::Open { ttl } => write!(f, "open a session for {ttl}"),
            SessionOp::Ping { session } => write!(f, "ping s{session}"),
            SessionOp::Expire { session, pings } => {
                write!(f, "expire s{session} after {pings} pings")
            }
            SessionOp::Create { lock, session, wish, mode } => {
                write!(f, "create {lock}/{wish} of s{session}{}", mode.aside())
            }
            SessionOp::Delete { lock, session, node } => {
                write!(f, "delete {lock}/{node} of s{session}")
            }
            SessionOp::List { lock, .. } => write!(f, "list {lock}"),
            SessionOp::Watch { lock, node: Some(node), .. } => write!(f, "watch {lock}/{node}"),
            SessionOp::Watch { lock, node: None, .. } => write!(f, "watch {lock}"),
            SessionOp::Promote { lessor } => write!(f, "promote {lessor}"),
            SessionOp::Confirm { lessor, .. } => write!(f, "confirm {lessor}"),
            SessionOp::Checkpoint { lessor, left } => {
                write!(f, "checkpoint {} sessions by {lessor}", left.len())
            }
            SessionOp::Snapshot => f.write_str("list all"),
            SessionOp::Glance => f.write_str("list all from anybody"),
            SessionOp::Follow { after } => write!(f, "watch all after {after}"),
            SessionOp::Revoke { lessor, session } => write!(f, "revoke s{session} by {lessor}"),
            SessionOp::Register { node, ttl, terms } => {
                write!(f, "open a session at {node} for {ttl}, {terms}")
            }
            SessionOp::Lock { lock, session, .. } => write!(f, "lock {lock} by s{session}"),
            SessionOp::Unlock { lock, session, token } => {
                write!(f, "unlock {lock} token {token} by s{session}")
            }
            SessionOp::Check { lessor, node, critical } => {
                write!(f, "check of {node} {} by {lessor}", Health(*critical))
            }
            SessionOp::Lift { lessor, lock, since } => {
                write!(f, "lift the delay of {lock} since slot {since} by {lessor}")
            }
            SessionOp::Close { session: OWN_SESSION } => f.write_str("close session"),
            SessionOp::Close { session } => write!(f, "close s{session}"),
            SessionOp::Contend { lock, session, .. } => {
                write!(f, "contend for {lock} by s{session}")
            }
            SessionOp::Permits { lock } => write!(f, "permits of {lock}"),
            SessionOp::Swap { lock, session, index, limit, holders } => {
                write!(f, "write of {limit} permits of {lock}:{}", Sessions(holders))?;
                write!(f, ", if the index is {index}, by s{session}")
            }
        }
    }
}

/// ` s3 s5`, or ` none`.
struct Sessions<'a>(&'a [SessionId]);

impl fmt::Display for Sessions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str(" none"),
            all => all.iter().try_for_each(|session| write!(f, " s{session}")),
        }
    }
}

/// Whether the check of a node is critical.
pub(crate) struct Health(pub(crate) bool);

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "critical" } else { "passing" })
    }
}

impl fmt::Display for SessionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionOutcome::Opened { session } => write!(f, "opened s{session}"),
            SessionOutcome::Made { node } => write!(f, "made node {node}"),
            SessionOutcome::Listed { seen, nodes } => {
                write!(f, "nodes as of slot {seen}:")?;
                if nodes.is_empty() {
                    f.write_str(" none")?;
                }
                nodes.iter().try_for_each(|place| write!(f, " {}", place.node))
            }
            SessionOutcome::Changed { seen } => write!(f, "changed by slot {seen}"),
            SessionOutcome::Busy { seen } => write!(f, "busy as of slot {seen}"),
            SessionOutcome::Permits { index, limit, holders, contenders, .. } => {
                let held: Vec<SessionId> = holders.iter().map(|(session, _)| *session).collect();
                write!(f, "index {index}, of {limit} permits:{}", Sessions(&held))?;
                write!(f, "; contend:{}", Sessions(contenders))
            }
            SessionOutcome::State { revision, keys } => {
                write!(f, "{} nodes as of slot {revision}", keys.len())
            }
            SessionOutcome::Told { upto, changes } => {
                write!(f, "up to slot {upto}:")?;
                changes.iter().try_for_each(|change| write!(f, " {change}"))
            }
        }
    }
}
