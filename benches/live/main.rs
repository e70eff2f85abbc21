//! How fast live nodes are, beside what they are made of: raw QUIC and raw TCP.
//!
//! ```text
//! cargo bench --profile quick --bench live              everything, about three minutes
//! cargo bench --profile quick --bench live -- links     only that part: links, cluster or idle
//! ```
//!
//! Everything runs on loopback, and each node on a thread of its own with a runtime of its own, as
//! `netsplit node` has. Parts that are compared take turns within one run.

#![allow(missing_docs)]
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

mod cluster;
mod driver;
mod idle;
mod links;
mod node;
mod raw;

use std::time::Duration;

/// What is measured of one way to send.
#[derive(Clone, Copy, Debug, Default)]
struct Latency {
    p50: Duration,
    p99: Duration,
}

impl Latency {
    fn of(mut all: Vec<Duration>) -> Latency {
        all.sort_unstable();
        let at = |share: usize| all.get(all.len() * share / 100).copied().unwrap_or_default();
        Latency { p50: at(50), p99: at(99) }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` starts benches, too, to see whether they start.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let parts: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if wanted("links") {
        links::run();
    }
    if wanted("cluster") {
        cluster::run();
    }
    if wanted("idle") {
        idle::run();
    }
}
