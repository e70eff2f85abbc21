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
//! messages away is a [`control::Link`]: channels ([`memory`]) or QUIC ([`quic`]).
//!
//! A watcher is told everything as [`control::Report`]s, and asks by [`control::Request`]s. The
//! [`hub`] merges the reports of all agents into the seam of `cluster`, in causal order; the panes
//! and checks behind it cannot tell a live cluster from a simulated one.

pub mod agent;
pub mod console;
pub mod control;
pub mod disk;
pub mod drive;
mod faults;
pub mod home;
pub mod hub;
pub mod identity;
pub mod memory;
pub mod node;
pub mod quic;
mod remote;
mod watchers;
pub mod wire;

pub use remote::{Remote, attach, redeem, shutdown};

use crate::base::{NodeId, Rng, Span, Time};
use crate::cluster::{Cluster, Update};
use crate::command::Command;
use crate::error::Error;
use crate::event::Watch;
use crate::plan::{Plan, Ways};
use agent::{Agent, Epoch, Settings};
use control::{Inbox, Link, Request};
use disk::{Disk, Medium, Wal};
use hub::Hub;
use identity::{Authority, Role};
use memory::{Inboxes, Memory};
use quic::{Book, Endpoint, Quic};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// How many things may wait for an agent.
const INBOX: usize = 4_096;
/// How long agents have to end when nobody wants them any more.
const FAREWELL: Duration = Duration::from_secs(5);

/// What agents of this process talk through, and where they keep what they write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Channels, and disks in memory.
    Memory,
    /// QUIC on loopback, and disks in a temporary directory.
    Quic,
}

/// Starts the cluster of `plan` in this process, on threads of its own. It ends when the seam is
/// dropped.
///
/// # Errors
/// What the system says when it has no thread, port or directory left.
pub fn start(plan: &Plan, seed: u64, level: Watch, way: Way) -> io::Result<Cluster> {
    let (commands, commands_out) = channel(64);
    let (updates_in, updates) = channel(64);
    let mut builder = match way {
        Way::Memory => tokio::runtime::Builder::new_current_thread(),
        Way::Quic => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().thread_name("live").build()?;
    let all: Arc<[NodeId]> = plan.processes().collect();
    let (boxes, outs): (Vec<_>, Vec<_>) = all.iter().map(|_| channel(INBOX)).unzip();
    let inboxes: Inboxes = Arc::new(all.iter().copied().zip(boxes).collect());
    let epoch = Epoch::new(Time::ZERO);
    let loopback = match way {
        Way::Memory => None,
        Way::Quic => {
            let _context = runtime.enter();
            Some(Loopback::open(plan, &inboxes, epoch).map_err(in_short)?)
        }
    };
    let site = Site { plan: plan.clone(), seed, all, inboxes, epoch, loopback };
    std::thread::Builder::new().name("live".to_owned()).spawn(move || {
        runtime.block_on(run(site, level, outs, commands_out, updates_in));
        runtime.shutdown_timeout(FAREWELL);
    })?;
    Ok(Cluster { commands, updates })
}

/// An error that concerns no file of the user's.
fn in_short(error: Error) -> io::Error {
    io::Error::other(error.what())
}

/// All that the agents of this process share.
struct Site {
    plan: Plan,
    seed: u64,
    all: Arc<[NodeId]>,
    inboxes: Inboxes,
    epoch: Epoch,
    loopback: Option<Loopback>,
}

async fn run(
    mut site: Site,
    level: Watch,
    outs: Vec<Receiver<Inbox>>,
    commands: Receiver<Command>,
    updates: Sender<Update>,
) {
    let (seed, all) = (site.seed, Arc::clone(&site.all));
    let feeds = site.inboxes.iter().map(|(id, inbox)| hub::feed(*id, seed, level, inbox.clone()));
    let feeds = feeds.collect();
    let mut agents = JoinSet::new();
    for (id, out) in all.iter().copied().zip(outs) {
        let disk = site.disk(id);
        let started = disk.map(|disk| match site.loopback.as_mut().and_then(|it| it.link(id)) {
            Some(link) => site.spawn(&mut agents, id, disk, link, out),
            None => {
                let link = Memory::new(id, Arc::clone(&site.inboxes));
                site.spawn(&mut agents, id, disk, link, out);
            }
        });
        if let Err(error) = started {
            tracing::error!("{id} has no disk: {error}");
        }
    }
    Hub::new(feeds, level, seed, commands, updates).serve().await;
    for inbox in site.inboxes.values() {
        let asked = Inbox::Asked { console: seed, request: Request::Shutdown };
        let _ = inbox.try_send(asked);
    }
    let _ = tokio::time::timeout(FAREWELL, agents.join_all()).await;
}

impl Site {
    fn spawn<L: Link + Sync>(
        &self,
        agents: &mut JoinSet<()>,
        id: NodeId,
        disk: Disk,
        link: L,
        out: Receiver<Inbox>,
    ) {
        let ways = match self.loopback {
            // A real network takes its own time.
            Some(_) => (Span::ZERO, Span::ZERO),
            None => (self.plan.net.fastest, self.plan.net.slowest),
        };
        let settings = Settings {
            setup: self.plan.setup(id),
            all: Arc::clone(&self.all),
            seed: self.seed,
            ways,
            epoch: self.epoch,
        };
        let mut agent = Agent::new(settings, disk, link);
        agent.boot();
        agents.spawn(drive::drive(agent, out));
    }

    /// A disk in memory, as fast as the plan says, or a real one.
    fn disk(&self, id: NodeId) -> io::Result<Disk> {
        let n = u64::from(id.number()) << 1 | agent::client_bit(id);
        let medium = match &self.loopback {
            Some(loopback) => Medium::File(loopback.wal(id).map_err(in_short)?),
            None => {
                let Ways { fastest, slowest } = self.plan.disk;
                Medium::Memory { fastest, slowest }
            }
        };
        let inbox = self.inboxes[&id].clone();
        let chance = Rng::split(self.seed, "disk", n);
        Disk::start(&format!("disk {id}"), medium, chance, move |done| {
            let _ = inbox.blocking_send(Inbox::Disk(done));
        })
    }
}

/// A cluster's network and disks on this machine, with certificates like any other. Nothing of it
/// stays.
struct Loopback {
    dir: TempDir,
    links: BTreeMap<NodeId, Quic>,
    /// They close when they are dropped.
    _endpoints: Vec<Endpoint>,
}

impl Loopback {
    /// Founds a cluster in a temporary directory, and opens the endpoints of all its processes.
    fn open(plan: &Plan, inboxes: &Inboxes, epoch: Epoch) -> Result<Loopback, Error> {
        let dir = tempfile::tempdir()
            .map_err(|error| Error::new(format!("there is no temporary directory: {error}")))?;
        let now = SystemTime::now();
        let authority = Authority::found(&dir.path().join("authority"), now)?;
        let all: Arc<[NodeId]> = inboxes.keys().copied().collect();
        let (mut links, mut endpoints) = (BTreeMap::new(), Vec::new());
        for (id, inbox) in inboxes.iter() {
            let (link, endpoint) = quic::open(quic::Options {
                me: *id,
                all: Arc::clone(&all),
                identity: authority.issue(Role::Node(*id), now)?,
                authority: None,
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                book: Book::new(),
                plan: "".into(),
                name: plan.name.clone(),
                epoch,
                inbox: inbox.clone(),
                life: RandomState::new().hash_one(id),
            })?;
            links.insert(*id, link);
            endpoints.push(endpoint);
        }
        let mut book = Book::new();
        endpoints.iter().for_each(|endpoint| book.merge(&endpoint.book()));
        endpoints.iter().for_each(|endpoint| endpoint.learn(&book));
        Ok(Loopback { dir, links, _endpoints: endpoints })
    }

    /// What a process sends with; once.
    fn link(&mut self, id: NodeId) -> Option<Quic> {
        self.links.remove(&id)
    }

    fn wal(&self, id: NodeId) -> Result<Wal, Error> {
        Wal::open(&self.dir.path().join(id.to_string()), disk::Sync::Full)
    }
}

#[cfg(test)]
mod tests;
