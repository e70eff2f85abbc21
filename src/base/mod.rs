//! The words: ids, time, chance, operations, placement. Imports nothing of ours.
//!
//! Everything else is built from these, and they are all plain data: ordered, hashable, cloneable,
//! with one text form each. Nothing in here reads a clock, an environment or a file.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod balance;
mod bucket;
pub mod cache;
mod clock;
mod commitment;
mod few;
mod file;
pub mod frame;
mod id;
mod lane;
mod mode;
mod mutation;
mod op;
pub mod placement;
mod rng;
mod saga;
mod session;
mod spot;
mod time;
mod tx;
mod version;
mod voters;

pub use bucket::Bucket;
pub use clock::Clock;
pub use commitment::{Commitment, Presume, Turn};
pub use few::Few;
pub use file::{Blob, BlockId, Content, FileOp, FileOutcome, MAX_FILE, Manifest, Piece, PutId};
pub use id::{Ballot, CallId, Incarnation, MsgId, NodeId, ServiceId, Slot, Token, TxnId};
pub use lane::Lane;
pub use mode::LockMode;
pub use mutation::{Mutation, Mutations};
pub use op::{Entry, Leg, MAX_LEGS, Name, OWN, Op, Outcome, Refusal, Transfer};
pub use placement::{KeyRange, Member, Ring, Shape, Share};
pub use rng::Rng;
pub use saga::{Act, Pivot, SagaStep, Style};
pub(crate) use session::Health;
pub use session::{
    Key, KeyChange, OWN_SESSION, Place, SessionId, SessionOp, SessionOutcome, Terms,
};
pub use spot::Spot;
pub use time::{Span, Time};
pub use tx::{Isolation, LATEST, TxAbort, TxOp, TxOutcome, Wrote};
pub use version::{Conflict, Vector, Version, Versions};
pub use voters::{Voters, majority};

/// Why a text could not be read: what was expected, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub String);

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

/// Shorthand for the many `FromStr` of this crate.
pub fn parse_error<T>(text: impl Into<String>) -> Result<T, ParseError> {
    Err(ParseError(text.into()))
}
