//! The same hosts in real time: in this process, over QUIC, on other machines.
//!
//! ```text
//!              ┌──────────── one process of the cluster ─────────────┐
//!  console ──> │ Inbox ─> Agent ─> Host ─> Agent ─┬─> Link ──────────┼──> other agents' inboxes
//!     ^        │   ^        │                     └─> disk (thread)  │
//!     │        │   └────────┼──── Synced ──────────────────┘         │
//!     └────────┼── Report <─┘                                        │
//!              └─────────────────────────────────────────────────────┘
//! ```
//!
//! An [`agent`] is what stays when its node is killed: it holds the host, if the node is up, the
//! node's clock and disk, the network's rules for what the node sends, and whoever watches. It does
//! what `sim::World` does for all nodes at once, for one node, against the real clock. What carries
//! messages away is a [`control::Link`]: channels ([`memory`]) or QUIC (`quic`).
//!
//! A watcher is told everything as [`control::Report`]s, and asks by [`control::Request`]s. The
//! [`hub`] merges the reports of all agents into the seam of `cluster`, in causal order; the panes
//! and checks behind it cannot tell a live cluster from a simulated one.

pub mod control;
pub mod disk;
pub mod identity;
pub mod wire;
