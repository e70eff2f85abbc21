//! What an instance (a Redis-like server) states about the key of one lock.

use super::Freed;
use crate::base::{CallId, Span, Token};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an instance did to the key of a lock, or has of it.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyDeed {
    /// The key was absent, and is now `call`'s, for `ttl` by the instance's own clock; a `ttl` of
    /// zero has no end. Resources are shown `token`: the key's value, or the count of grants.
    Set { call: CallId, token: Token, ttl: Span },
    /// It has the key for another `left`: it has restarted, or was sent a copy, or says so to a
    /// newcomer.
    Has { call: CallId, token: Token, ttl: Span, left: Span },
    /// `by` had the key's time begin anew.
    Extended { by: CallId, token: Token, ttl: Span },
    /// The key is gone: `by` deleted it, or nobody did and it expired, or was never copied.
    Gone { by: CallId, token: Token, why: Freed },
}

/// A key's time, as a person reads it.
struct Shown(Span);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Span::ZERO => f.write_str("without an expiry"),
            ttl => write!(f, "for {ttl}"),
        }
    }
}

/// `sets billing to c1/7 token 81 for 2s`, with the lock's name.
pub(super) fn display(f: &mut fmt::Formatter<'_>, lock: &str, deed: &KeyDeed) -> fmt::Result {
    match deed {
        KeyDeed::Set { call, token, ttl } => {
            write!(f, "sets {lock} to {call} token {token} {}", Shown(*ttl))
        }
        KeyDeed::Has { call, token, left, .. } => {
            write!(f, "has {lock} as {call} token {token} {}", Shown(*left))
        }
        KeyDeed::Extended { by, token, ttl } => {
            write!(f, "extends {lock} token {token} {} ({by})", Shown(*ttl))
        }
        KeyDeed::Gone { token, why: Freed::Expired, .. } => {
            write!(f, "expires {lock} token {token}")
        }
        KeyDeed::Gone { token, why: Freed::Lost | Freed::Ended, .. } => {
            write!(f, "drops {lock} token {token}")
        }
        KeyDeed::Gone { by, token, why: Freed::Released } => {
            write!(f, "deletes {lock} token {token} ({by})")
        }
    }
}
