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

pub mod agent;
pub mod control;
pub mod disk;
pub mod drive;
mod faults;
pub mod hub;
pub mod identity;
pub mod memory;
mod watchers;
pub mod wire;

use crate::base::{NodeId, Rng, Time};
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use crate::event::Watch;
use crate::plan::Plan;
use agent::{Agent, Epoch, Settings};
use control::{Inbox, Request};
use disk::{Disk, Medium};
use hub::Hub;
use memory::{Inboxes, Memory};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// How many things may wait for an agent.
const INBOX: usize = 4_096;
/// How long agents have to end when nobody wants them any more.
const FAREWELL: Duration = Duration::from_secs(5);

/// Starts the cluster of `plan` in this process, on a thread of its own. It ends when the seam is
/// dropped.
///
/// # Errors
/// What the system says when it has no thread left.
pub fn start(plan: &Plan, seed: u64, level: Watch) -> io::Result<Cluster> {
    let (commands, commands_out) = channel(64);
    let (updates_in, updates) = channel(64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = plan.clone();
    std::thread::Builder::new().name("live".to_owned()).spawn(move || {
        runtime.block_on(run(&plan, seed, level, commands_out, updates_in));
        runtime.shutdown_timeout(FAREWELL);
    })?;
    Ok(Cluster { commands, updates })
}

async fn run(
    plan: &Plan,
    seed: u64,
    level: Watch,
    commands: Receiver<Command>,
    updates: Sender<Update>,
) {
    let all: Arc<[NodeId]> = plan.processes().collect();
    let (mut inboxes, mut outs) = (BTreeMap::new(), Vec::new());
    for id in all.iter() {
        let (inbox, out) = channel(INBOX);
        inboxes.insert(*id, inbox);
        outs.push((*id, out));
    }
    let inboxes: Inboxes = Arc::new(inboxes);
    let epoch = Epoch::new(Time::ZERO);
    let feeds = inboxes.iter().map(|(id, inbox)| hub::feed(*id, seed, level, inbox.clone()));
    let feeds = feeds.collect();
    let mut agents = JoinSet::new();
    for (id, out) in outs {
        let settings = Settings {
            setup: plan.setup(id),
            all: Arc::clone(&all),
            seed,
            ways: (plan.net.fastest, plan.net.slowest),
            epoch,
        };
        match disk_of(plan, id, seed, inboxes[&id].clone()) {
            Ok(disk) => {
                let mut agent = Agent::new(settings, disk, Memory::new(id, inboxes.clone()));
                agent.boot();
                agents.spawn(drive::drive(agent, out));
            }
            Err(error) => tracing::error!("{id} has no disk: {error}"),
        }
    }
    Hub::new(feeds, seed, commands, updates).serve().await;
    for inbox in inboxes.values() {
        let asked = Inbox::Asked { console: seed, request: Request::Shutdown };
        let _ = inbox.try_send(asked);
    }
    let _ = tokio::time::timeout(FAREWELL, agents.join_all()).await;
}

/// A disk in memory, as fast as the plan says.
fn disk_of(plan: &Plan, id: NodeId, seed: u64, inbox: Sender<Inbox>) -> io::Result<Disk> {
    let chance = Rng::split(seed, "disk", u64::from(id.number()) << 1 | agent::client_bit(id));
    let medium = Medium::Memory { fastest: plan.disk.fastest, slowest: plan.disk.slowest };
    Disk::start(&format!("disk {id}"), medium, chance, move |done| {
        let _ = inbox.blocking_send(Inbox::Disk(done));
    })
}

#[cfg(test)]
mod tests;
