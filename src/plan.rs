//! A cluster to start: which processes, which services, which network.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{Mutations, NodeId, Span};
use crate::host::Setup;
use crate::proto::{Config, ping};
use std::sync::Arc;

/// A range of times that chance draws from, evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// The shortest.
    pub fastest: Span,
    /// The longest.
    pub slowest: Span,
}

/// One node of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Its share of the ring, relative to others.
    pub weight: u16,
}

/// Which services the nodes run. All nodes run the same.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Balls that each node starts, for measuring.
    pub ping: Option<u32>,
}

/// A cluster, ready to start.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to call it.
    pub name: String,
    /// What it shows, in one sentence.
    pub about: String,
    /// The servers.
    pub nodes: Vec<Node>,
    /// How long messages are under way.
    pub net: Ways,
    /// How long a sync takes.
    pub disk: Ways,
    /// Rules that are switched off.
    pub mutations: Mutations,
    /// What the nodes run.
    pub services: Services,
}

impl Plan {
    /// `n` nodes that run nothing.
    pub fn bare(n: u16) -> Plan {
        Plan {
            name: "bare".to_owned(),
            about: String::new(),
            nodes: (1..=n).map(|n| Node { id: NodeId::node(n), weight: 1 }).collect(),
            net: Ways { fastest: Span::millis(1), slowest: Span::millis(4) },
            disk: Ways { fastest: Span::micros(200), slowest: Span::millis(1) },
            mutations: Mutations::NONE,
            services: Services::default(),
        }
    }

    /// All processes, in order.
    pub fn processes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|node| node.id)
    }

    /// What one process is told.
    pub fn setup(&self, me: NodeId) -> Setup {
        let peers: Arc<[NodeId]> = self.nodes.iter().map(|node| node.id).collect();
        let mut stack = Vec::new();
        if let Some(width) = self.services.ping {
            stack.push(Config::Ping(ping::Config { peers, width }));
        }
        Setup { me, stack: stack.into(), mutations: self.mutations }
    }
}
