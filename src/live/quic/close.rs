//! Why a connection is closed by one of its ends: a number for programs, a text for people.

use quinn::{Connection, VarInt};

/// A number that goes with a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) struct Code(u32);

/// There is nothing more to say.
pub(in crate::live) const DONE: Code = Code(0);
/// The process ends.
pub(in crate::live) const STOPPING: Code = Code(1);
/// The greeting was refused.
pub(in crate::live) const REFUSED: Code = Code(2);
/// No greeting came in time.
pub(in crate::live) const SILENT: Code = Code(3);
/// What came makes no sense, or is too long.
pub(in crate::live) const MALFORMED: Code = Code(4);
/// The peer did what it may not.
pub(in crate::live) const FORBIDDEN: Code = Code(5);
/// A newer connection takes its place.
pub(in crate::live) const REPLACED: Code = Code(6);
/// The peer has started anew or moved.
pub(in crate::live) const MOVED: Code = Code(7);

impl Code {
    /// Closes a connection with this code. What was not delivered yet is lost.
    pub(in crate::live) fn on(self, connection: &Connection, why: &str) {
        connection.close(VarInt::from_u32(self.0), why.as_bytes());
    }

    pub(super) fn number(self) -> VarInt {
        VarInt::from_u32(self.0)
    }
}
