//! The doors to clusters elsewhere, for callers that do not wait by themselves.

use super::console::{self, Attached};
use super::control::Request;
use super::hub::{Feed, Hub, News};
use super::identity::{Identity, Role, Ticket};
use crate::base::{NodeId, Time};
use crate::cluster::{Cluster, LinkState};
use crate::error::Error;
use crate::event::Watch;
use crate::plan::Plan;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::channel;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a process that is to end may take to be found; who is not found has ended already.
const FIND_WITHIN: Duration = Duration::from_secs(3);
/// How long it may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A cluster elsewhere, and what one is there.
#[derive(Debug)]
pub struct Remote {
    /// Its events and its commands.
    pub cluster: Cluster,
    /// What it runs.
    pub plan: Plan,
    /// What may be done from here.
    pub role: Role,
    /// Its time.
    pub now: Time,
}

fn runtime() -> Result<Runtime, Error> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::new(format!("the system gives no network: {error}")))
}

/// Attaches a console to the cluster that has members at any of these addresses.
///
/// # Errors
/// Nobody answers there, or not to this certificate.
pub fn attach(identity: Identity, addresses: &[SocketAddr], level: Watch) -> Result<Remote, Error> {
    let runtime = runtime()?;
    let attached = runtime.block_on(console::attach(identity, addresses, level))?;
    let Attached { plan, role, feeds, console, now, line, .. } = attached;
    let (commands, commands_out) = channel(64);
    let (updates_in, updates) = channel(64);
    let thread = std::thread::Builder::new().name("console".to_owned()).spawn(move || {
        runtime.block_on(async {
            Hub::new(feeds, level, console, commands_out, updates_in).serve().await;
            line.close().await;
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    });
    thread.map_err(|error| Error::new(format!("the system has no thread left: {error}")))?;
    Ok(Remote { cluster: Cluster { commands, updates }, plan, role, now })
}

/// Has a ticket's promise kept.
///
/// # Errors
/// Says why the ticket is worth nothing, or that nobody answers at its addresses.
pub fn redeem(ticket: &Ticket) -> Result<Identity, Error> {
    runtime()?.block_on(console::redeem(ticket))
}

/// Ends all processes of a cluster. Returns those that did not end in time.
///
/// # Errors
/// Nobody answers at any of these addresses, or not to this certificate.
pub fn shutdown(identity: Identity, addresses: &[SocketAddr]) -> Result<Vec<NodeId>, Error> {
    if identity.role != Role::Operator {
        return Err(Error::new("only an operator may end a cluster")
            .help("ask for a ticket: netsplit invite --role operator"));
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let attached = console::attach(identity, addresses, Watch::Facts).await?;
        let mut ends: JoinSet<_> = attached.feeds.into_iter().map(end).collect();
        let mut silent = Vec::new();
        while let Some(end) = ends.join_next().await {
            silent.extend(end.unwrap_or_default());
        }
        attached.line.close().await;
        silent.sort();
        Ok(silent)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Ends one process. Returns it if it does not end.
async fn end(mut feed: Feed) -> Option<NodeId> {
    let mut linked = async |up: bool| loop {
        match feed.news.recv().await {
            Some(News::Link(state)) if (state == LinkState::Up) == up => return,
            Some(_) => {}
            None => return,
        }
    };
    timeout(FIND_WITHIN, linked(true)).await.ok()?;
    feed.requests.send(Request::Shutdown).await.ok()?;
    timeout(END_WITHIN, linked(false)).await.is_err().then_some(feed.process)
}
