//! The line of text that lets a newcomer in.

use super::{ClusterId, Identity, Role, Token, from_base32, sha256, to_base32, unix};
use crate::base::{ParseError, parse_error};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::SystemTime;

/// What every ticket begins with: the word, and the version of the format.
const PREFIX: &str = "nsp1";

/// What tickets of any version begin with.
const ANY_PREFIX: &str = "nsp";

/// How many bytes of the hash stand at the end, so that a typo is noticed.
const CHECKSUM: usize = 4;

/// How many addresses a ticket may have.
pub(super) const MAX_ADDRESSES: usize = 32;

/// Longer than any ticket, in bytes.
const MAX_TEXT: usize = 2_048;

/// An invitation. Its text ([`Display`](fmt::Display), [`FromStr`]) is one line: `nsp1` and base32
/// of the fields below, in this order, as postcard, and of the first four bytes of the SHA-256 of
/// `nsp1` and those. Whoever has the text has the token, so it is a secret until it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Which cluster it is for.
    pub cluster: ClusterId,
    /// Where its members listen: at least one, at most 32.
    pub addresses: Vec<SocketAddr>,
    /// The SHA-256 of the CA's certificate (DER), which the members must present.
    pub ca_hash: [u8; 32],
    /// What to give them.
    pub token: Token,
    /// Until when it is worth something, in seconds since 1970.
    pub expires: u64,
    /// What its holder becomes.
    pub role: Role,
}

impl Ticket {
    /// Whether it is too late to use it.
    pub fn expired(&self, now: SystemTime) -> bool {
        unix(now) >= self.expires
    }

    /// Whether the identity is what this ticket promises. Ask before you keep what you were sent.
    ///
    /// # Errors
    /// It is of another cluster, of another role, or does not fit together.
    pub fn accept(&self, identity: Identity) -> Result<Identity, Error> {
        let refuse = |why: String| {
            Error::new(format!("the cluster's answer to the ticket is no use: {why}"))
        };
        let ca = identity.ca().map_err(refuse)?;
        if sha256(&ca) != self.ca_hash || identity.cluster != self.cluster {
            return Err(refuse("it is of another cluster".into()));
        }
        if identity.role != self.role {
            let (got, promised) = (identity.role, self.role);
            return Err(refuse(format!("it is for {got}, and the ticket is for {promised}")));
        }
        identity.check().map_err(refuse)?;
        Ok(identity)
    }
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM] {
    let hash = sha256(&[PREFIX.as_bytes(), payload].concat());
    hash[..CHECKSUM].try_into().expect("a hash is longer than its beginning")
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = postcard::to_stdvec(self).map_err(|_| fmt::Error)?;
        bytes.extend(checksum(&bytes));
        write!(f, "{PREFIX}{}", to_base32(&bytes))
    }
}

/// Blanks and line breaks do not count: terminals and mail put them into long lines. No error
/// repeats the text, which may be most of a secret.
impl FromStr for Ticket {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Ticket, ParseError> {
        if text.len() > MAX_TEXT {
            return parse_error("this is no ticket: it is too long");
        }
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let Some(body) = text.strip_prefix(PREFIX) else {
            return parse_error(match text.starts_with(ANY_PREFIX) {
                true => {
                    "this ticket does not begin with nsp1: it has a typo, or it is of \
                         another version of netsplit"
                }
                false => "this is no ticket: tickets begin with nsp1",
            });
        };
        let bytes = from_base32(body).unwrap_or_default();
        let Some((payload, found)) = bytes.split_last_chunk::<CHECKSUM>() else {
            return typo();
        };
        if *found != checksum(payload) {
            return typo();
        }
        match postcard::take_from_bytes::<Ticket>(payload) {
            Ok((ticket, [])) if ticket.is_sound() => Ok(ticket),
            _ => parse_error("this ticket cannot be read: another version of netsplit made it"),
        }
    }
}

fn typo() -> Result<Ticket, ParseError> {
    parse_error("this ticket has a typo, or a part of it is missing: copy it once more")
}

impl Ticket {
    fn is_sound(&self) -> bool {
        (1..=MAX_ADDRESSES).contains(&self.addresses.len()) && self.role.exists()
    }
}
