//! What balancers and backends state about requests, and the one rendering of each statement.

use crate::base::balance::{Limits, Policy, Serving};
use crate::base::placement::Member;
use crate::base::{CallId, NodeId, Span};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a balancer makes of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// It is healthy.
    Up,
    /// It has returned, and gets its full part little by little.
    Warming,
    /// It takes nothing new, by its own words.
    Draining,
    /// It failed so often that it is left out for a while.
    Ejected,
    /// It does not answer probes.
    Down,
}

/// How one try of a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ended {
    /// It was served.
    Served,
    /// The backend answered that it failed.
    Failed,
    /// The backend's queue was full.
    Full,
    /// The backend drains.
    Drained,
    /// Nothing was heard in time.
    TimedOut,
}

/// Something that a balancer or a backend states.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Balancing {
    /// As a balancer: it spreads requests over these, each by its weight.
    Spreads { policy: Policy, limits: Limits, backends: Arc<[Member]> },
    /// As a balancer: what it makes of a backend from now on; `Up`, if it has said nothing.
    Rates { backend: NodeId, standing: Standing },
    /// As a balancer: a backend reported that it had so much to do when it was probed.
    Learns { backend: NodeId, load: u32 },
    /// As a balancer: it has sent `call` to `backend`, after so many tries elsewhere. In a panic it
    /// does not go by health.
    Picks { call: CallId, backend: NodeId, retry: u8, panic: bool },
    /// As a balancer: what came of it, so long after.
    Tried { call: CallId, backend: NodeId, retry: u8, ended: Ended, took: Span },
    /// As a backend: how it serves from now on, so many requests at a time while so many may wait,
    /// each for so long at the most.
    Serves { how: Serving, slots: u16, room: u16, slowest: Span },
    /// As a backend: it works on so many requests, and so many wait.
    Busy { active: u32, waiting: u32 },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Standing::Up => "up",
            Standing::Warming => "warming",
            Standing::Draining => "draining",
            Standing::Ejected => "ejected",
            Standing::Down => "down",
        })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Ended::Served => "served",
            Ended::Failed => "failed",
            Ended::Full => "full",
            Ended::Drained => "drains",
            Ended::TimedOut => "timed out",
        })
    }
}

impl fmt::Display for Balancing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Balancing::Spreads { policy, backends, .. } => {
                write!(f, "spreads {policy} over")?;
                backends.iter().try_for_each(|member| match member.weight {
                    1 => write!(f, " {}", member.node),
                    weight => write!(f, " {}*{weight}", member.node),
                })
            }
            Balancing::Rates { backend, standing } => write!(f, "rates {backend} {standing}"),
            Balancing::Learns { backend, load } => write!(f, "learns that {backend} has {load}"),
            Balancing::Picks { call, backend, retry, panic } => {
                write!(f, "picks {backend} for {call}")?;
                if *retry > 0 {
                    write!(f, ", retry {retry}")?;
                }
                f.write_str(if *panic { ", in panic" } else { "" })
            }
            Balancing::Tried { call, backend, ended, took, .. } => {
                write!(f, "{call} at {backend}: {ended} after {took}")
            }
            Balancing::Serves { how, slots, room, .. } => {
                write!(f, "serves {how}, {slots} at a time, {room} may wait")
            }
            Balancing::Busy { active, waiting } => write!(f, "works on {active}, {waiting} wait"),
        }
    }
}
