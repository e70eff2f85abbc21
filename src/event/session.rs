//! What is stated about sessions, and about what hangs on them.

use crate::base::{
    Ballot, CallId, Health, Key, KeyChange, Name, NodeId, SessionId, Slot, Span, Terms, Token,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a client knows of its session. That it has ended, only the service can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Feels {
    /// Its last sign of life was answered.
    Connected,
    /// One was not, so far: the session may last or have ended.
    Suspended,
    /// It was told that the session has ended.
    Expired,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lapse {
    /// It gave no sign of life.
    Silent,
    /// The check of the node that it hangs on turned critical.
    Critical,
    /// Its client closed it.
    Closed,
}

/// A statement about sessions. Those with a slot are by the log's order, and every replica says
/// them.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionFact {
    /// After a start: these sessions are open after `slot`, these nodes are there, and no others.
    /// Followed by one `Open` and one `Made` for each.
    All { slot: Slot, open: Arc<[SessionId]>, nodes: Arc<[Token]> },
    /// As of `slot`, the session is open for `client`, and ends after `ttl` without a sign of life.
    Open { slot: Slot, session: SessionId, client: NodeId, ttl: Span, pings: u32 },
    /// Slot `slot` took in a sign of life.
    Pinged { slot: Slot, session: SessionId },
    /// Slot `slot` ended the session.
    Ended { slot: Slot, session: SessionId, why: Lapse },
    /// As of `slot`, there is a node below `lock`, for `wish` and as long as the session.
    Made { slot: Slot, lock: Name, node: Token, session: SessionId, wish: CallId },
    /// Slot `slot` removed the node.
    Removed { slot: Slot, lock: Name, node: Token },
    /// As a client: it asks for a session that lasts for `ttl`, or gives the sign of life that has
    /// `session` last for that long.
    Asks { session: Option<SessionId>, ttl: Span },
    /// As a client: how it stands with its session.
    Feels { session: SessionId, feels: Feels },
    /// As a node: it will tell the client of the session, once, when `node` is gone; or, without
    /// one, when anything below `lock` changes after slot `seen`.
    Watches { lock: Name, session: SessionId, node: Option<Token>, seen: Slot },
    /// As a node: it tells so, having applied `slot`.
    Tells { lock: Name, session: SessionId, node: Option<Token>, slot: Slot },
    /// From `slot` on, the leader of this ballot keeps the time of sessions in its memory, and may
    /// end them; no earlier one.
    Lessor { slot: Slot, lessor: Ballot },
    /// As of `slot`, a later lessor gives the session `left`, not its whole time; or its whole time
    /// again, without it.
    Noted { slot: Slot, session: SessionId, left: Option<Span> },
    /// As the lessor: it has counted the session anew from `ago` before, and tells the client.
    Kept { session: SessionId, ago: Span },
    /// As of `slot`, what changed up to slot `before` is forgotten, and nobody is told it any more.
    Compacts { slot: Slot, before: Slot },
    /// As a client that watches: these nodes are there as of slot `revision`.
    Shows { revision: Slot, keys: Arc<[Key]> },
    /// As a client that watches: it was told these changes, and that there are no others up to slot
    /// `upto`.
    Sees { upto: Slot, changes: Arc<[KeyChange]> },
    /// As of `slot`, the session hangs on `node` as well, and these are its terms.
    Hangs { slot: Slot, session: SessionId, node: NodeId, terms: Terms },
    /// As of `slot`, nobody can take `lock` for `delay`: the session of its holder has ended.
    Delays { slot: Slot, lock: Name, delay: Span },
    /// Slot `slot` ended that.
    Lifted { slot: Slot, lock: Name },
    /// As of `slot`, the check of `node` is critical, or passing again.
    Checked { slot: Slot, node: NodeId, critical: bool },
}

impl SessionFact {
    /// The slot of the log that it is about, if it is about one.
    pub fn slot(&self) -> Option<Slot> {
        match self {
            SessionFact::All { slot, .. }
            | SessionFact::Open { slot, .. }
            | SessionFact::Pinged { slot, .. }
            | SessionFact::Ended { slot, .. }
            | SessionFact::Made { slot, .. }
            | SessionFact::Removed { slot, .. }
            | SessionFact::Lessor { slot, .. }
            | SessionFact::Noted { slot, .. }
            | SessionFact::Compacts { slot, .. }
            | SessionFact::Hangs { slot, .. }
            | SessionFact::Delays { slot, .. }
            | SessionFact::Lifted { slot, .. }
            | SessionFact::Checked { slot, .. } => Some(*slot),
            _ => None,
        }
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lapse::Silent => "no sign of life",
            Lapse::Critical => "its node is critical",
            Lapse::Closed => "closed",
        })
    }
}

impl fmt::Display for Feels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Feels::Connected => "connected",
            Feels::Suspended => "suspended",
            Feels::Expired => "expired",
        })
    }
}

/// `door/17`, or `door` for all below it.
struct Path<'a>(&'a Name, Option<Token>);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path(lock, Some(node)) => write!(f, "{lock}/{node}"),
            Path(lock, None) => write!(f, "{lock}"),
        }
    }
}

impl fmt::Display for SessionFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionFact::All { slot, open, nodes } => {
                write!(f, "slot {slot} has {} sessions and {} nodes", open.len(), nodes.len())
            }
            SessionFact::Open { slot, session, client, ttl, .. } if slot == session => {
                write!(f, "slot {slot} opens s{session} of {client} for {ttl}")
            }
            SessionFact::Open { slot, session, client, ttl, pings } => {
                write!(f, "slot {slot} has s{session} of {client} for {ttl}, {pings} pings")
            }
            SessionFact::Pinged { slot, session } => write!(f, "slot {slot} prolongs s{session}"),
            SessionFact::Ended { slot, session, why } => {
                write!(f, "slot {slot} ends s{session}: {why}")
            }
            SessionFact::Made { slot, lock, node, session, wish } => {
                write!(f, "slot {slot} has node {lock}/{node} of s{session} for {wish}")
            }
            SessionFact::Removed { slot, lock, node } => {
                write!(f, "slot {slot} removes node {lock}/{node}")
            }
            SessionFact::Asks { session: None, ttl } => write!(f, "asks for a session for {ttl}"),
            SessionFact::Asks { session: Some(session), ttl } => {
                write!(f, "gives a sign of life for s{session}, good for {ttl}")
            }
            SessionFact::Feels { session, feels } => write!(f, "s{session} is {feels}"),
            SessionFact::Watches { lock, session, node, .. } => {
                write!(f, "watches {} for s{session}", Path(lock, *node))
            }
            SessionFact::Tells { lock, session, node, slot } => {
                write!(f, "tells s{session} that {} changed by slot {slot}", Path(lock, *node))
            }
            SessionFact::Lessor { slot, lessor } => {
                write!(f, "slot {slot} has {lessor} keep the time of sessions")
            }
            SessionFact::Noted { slot, session, left: Some(left) } => {
                write!(f, "slot {slot} notes that {left} are left of s{session}")
            }
            SessionFact::Noted { slot, session, left: None } => {
                write!(f, "slot {slot} notes that s{session} has its whole time")
            }
            SessionFact::Kept { session, .. } => write!(f, "keeps s{session} alive"),
            SessionFact::Hangs { slot, session, node, terms } => {
                write!(f, "slot {slot} has s{session} hang on {node}, {terms}")
            }
            SessionFact::Delays { slot, lock, delay } => {
                write!(f, "slot {slot} delays {lock} for {delay}")
            }
            SessionFact::Lifted { slot, lock } => write!(f, "slot {slot} ends the delay of {lock}"),
            SessionFact::Checked { slot, node, critical } => {
                write!(f, "slot {slot} has the check of {node} {}", Health(*critical))
            }
            SessionFact::Compacts { slot, before } => {
                write!(f, "slot {slot} forgets what changed up to slot {before}")
            }
            SessionFact::Shows { revision, keys } => {
                write!(f, "sees {} nodes as of slot {revision}", keys.len())
            }
            SessionFact::Sees { upto, changes } if changes.is_empty() => {
                write!(f, "sees that nothing changed up to slot {upto}")
            }
            SessionFact::Sees { upto, changes } => {
                f.write_str("sees")?;
                changes.iter().try_for_each(|change| write!(f, " {change}"))?;
                write!(f, " up to slot {upto}")
            }
        }
    }
}
