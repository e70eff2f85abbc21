//! Who may take part in a cluster: its authority, certificates, tickets, and the TLS made of them.
//!
//! A cluster that listens on a network has a certificate authority of its own (CA), made when the
//! cluster is founded. Whoever holds a certificate of that CA belongs to the cluster, nobody else
//! does, and what the certificate names is all that its holder may claim to be: one process of the
//! plan, an operator, or an observer.
//!
//! ```text
//!   founder                                   newcomer
//!   ───────                                   ────────
//!   Authority::found(dir)
//!   Authority::invite(role) ── Ticket, by hand ─> joining_config(ca_hash, cluster)
//!                                                      │ QUIC, no client certificate;
//!   server_config(own identity) <──────────────────────┘ server presents [leaf, CA]
//!   Authority::redeem(token) <──── token ─────────
//!   Authority::issue(role)   ───── Identity ─────> Ticket::accept, Identity::save(dir)
//!                                                      │
//!   server_config <────── mutual TLS ──────────── client_config(identity)
//!   role_of(certificates, claim)
//! ```
//!
//! * [`Authority`] is a directory with the CA's key. It founds, issues, invites and redeems.
//! * [`Identity`] is what one process needs to prove who it is: a certificate, its key, and the
//!   CA's certificate. It is plain data, so that a newcomer can be sent one.
//! * [`Ticket`] is a line of text that lets a newcomer in, once, until it expires. It carries the
//!   hash of the CA's certificate, so the newcomer knows whom to give the token to.
//! * [`server_config`], [`client_config`] and [`joining_config`] are the three ways to speak.
//!
//! **What a name proves.** The cluster's id, 16 random bytes, stands in every certificate: in the
//! CA's subject, so that two clusters never have CAs of the same name (a verifier that picks the
//! wrong one of two would only see a bad signature), and in every subject alternative name. The
//! certificate of n2 is valid for `n2.<id>.netsplit` and, as every node's, for
//! `node.<id>.netsplit`; a console's is valid for `operator.<id>.netsplit` or
//! `observer.<id>.netsplit` and cannot be shown by a server at all. So "is this an operator?" is the question that every TLS library
//! answers: is the certificate valid for that name ([`is_role`]).
//!
//! **Validity.** Certificates begin a week before they are made, because the clocks of machines
//! differ; the CA ends after ten years, all others after one.
//!
//! # What is left out
//!
//! * Revocation. A role ends with its certificate, after a year at most; to end it now, found the
//!   cluster anew. A connection that stands is not closed when the certificate expires.
//! * Rotation. Before a certificate expires ([`Identity::expires`]), its holder joins again with a
//!   new ticket, which replaces the identity. The CA itself is never replaced.
//! * Cleaning. Tokens that were used or have expired are kept, some fifty bytes each, so that
//!   whoever comes with one is told what is wrong with it.
//! * Signing requests. The authority makes the newcomer's key, and sends it through the channel
//!   that the ticket has proved: whoever can read that can issue certificates anyway.

mod authority;
mod files;
mod holder;
mod ticket;
mod tls;
mod transport;

#[cfg(test)]
mod tests;

pub use crate::live::wire::Token;
pub use authority::{Authority, Unredeemed};
pub use holder::Identity;
pub use ticket::Ticket;
pub use tls::{
    ALPN, client_config, explain, is_role, joining_config, peer_certificates, role_of,
    server_config,
};
pub(in crate::live) use transport::ACK_WITHIN;
pub use transport::{admit, transport};

use crate::base::{NodeId, ParseError, parse_error};
use crate::error::Error;
use data_encoding::BASE32_NOPAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Which cluster: a random number, drawn when it was founded. Its text is base32 in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub [u8; 16]);

impl ClusterId {
    /// Draws one.
    fn random() -> Result<ClusterId, Error> {
        random().map(ClusterId)
    }

    /// The name that every node's certificate is valid for: what to ask of a server when any node
    /// will do.
    pub fn any_node(self) -> String {
        format!("node.{self}.netsplit")
    }

    /// The name that only the certificate of that process is valid for: what to ask of a server
    /// that must be this one.
    pub fn node(self, node: NodeId) -> String {
        Role::Node(node).name_in(self)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_base32(&self.0))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterId({self})")
    }
}

impl FromStr for ClusterId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<ClusterId, ParseError> {
        match from_base32(text).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Ok(ClusterId(bytes)),
            None => parse_error("not a cluster's id: 26 letters and digits of base32"),
        }
    }
}

/// What a certificate lets its holder be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// One process of the plan: a node or a client of the cluster.
    Node(NodeId),
    /// A console that may look and inject faults.
    Operator,
    /// A console that may only look.
    Observer,
}

impl Role {
    /// The name that only certificates of this role are valid for, in that cluster.
    fn name_in(self, cluster: ClusterId) -> String {
        format!("{self}.{cluster}.netsplit")
    }

    /// Whether there can be such a process. What comes from the wire may be any number.
    fn exists(self) -> bool {
        self.to_string().parse() == Ok(self)
    }
}

/// `n2`, `operator`, `observer`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Node(node) => node.fmt(f),
            Role::Operator => f.pad("operator"),
            Role::Observer => f.pad("observer"),
        }
    }
}

impl FromStr for Role {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Role, ParseError> {
        match (text, text.parse()) {
            ("operator", _) => Ok(Role::Operator),
            ("observer", _) => Ok(Role::Observer),
            (_, Ok(node)) => Ok(Role::Node(node)),
            _ => parse_error(format!(
                "'{text}' is not a role; write operator, observer, or a process: n1, c1 …"
            )),
        }
    }
}

/// The hash by which tickets name a CA's certificate, and by which tokens are filed.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Error::new("the operating system gives no random numbers")),
    }
}

fn to_base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// The bytes that are written so, and in no other way.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let strict = !text.bytes().any(|c| c.is_ascii_uppercase());
    let upper = text.to_ascii_uppercase();
    strict.then(|| BASE32_NOPAD.decode(upper.as_bytes()).ok()).flatten()
}

/// Seconds since 1970. A clock before that is taken to stand at its beginning.
fn unix(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
