//! The simulator: a whole cluster as one value that goes forward one step at a time.
//!
//! A [`World`] holds every node, disk, clock and message in flight, and nothing outside it matters:
//! the same plan, seed and commands give the same events, byte for byte, on any machine. Cloning a
//! world is a snapshot of the cluster; `history` builds going back and branching on that.
//!
//! One *step* is one input to one node: a message, a timer, a finished sync. Virtual time jumps
//! from one step to the next. Ties are broken by order of insertion, then by node.
//!
//! What is left out: processors are infinitely fast (a node handles an input in no time), and
//! messages have no size.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod apply;
pub mod history;
pub mod hunt;
pub mod player;
pub mod restore;
mod world;

pub use world::{State, World};
