//! One process of a cluster as a process of its own: all that `netsplit node` is.
//!
//! It has an identity (its own, or the one that a ticket gets it, or that of the founder), a disk,
//! an endpoint that listens and dials, and one agent between them. It ends when it is asked to, by
//! a signal or by an operator, after its disk has what it was given. A node that dies of its disk
//! leaves its agent behind, so that a person can see it and restart it.

use super::agent::{Agent, Counters, Epoch, Settings};
use super::control::{Inbox, Request};
use super::disk::{Disk, Medium, Sync, Wal};
use super::drive::drive;
use super::home::{self, AUTHORITY, DISK, MEMBERS};
use super::identity::{Authority, Identity, Role, Ticket};
use super::quic::{self, Book, Endpoint};
use super::{INBOX, console};
use crate::base::{NodeId, Rng, Span, Time};
use crate::error::Error;
use crate::plan::Plan;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::channel;

/// How often a line of figures is logged.
const FIGURES: Duration = Duration::from_secs(10);

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster.
    pub plan: Plan,
    /// Its file's text, for consoles.
    pub text: Arc<str>,
    /// Which process of it.
    pub me: NodeId,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    /// The directory of the cluster's authority, if it is not in the data directory.
    pub authority: Option<PathBuf>,
    /// An invitation, if it has no identity yet.
    pub join: Option<Ticket>,
    /// Whether it may found a cluster on an address that others can reach.
    pub found: bool,
    /// Whether writes are synced.
    pub sync: Sync,
}

/// Runs a node until `stop`, or until an operator ends it. `ready` is told where it listens.
///
/// # Errors
/// It cannot start: no identity, a bad ticket, a directory that cannot be written, an address that
/// is taken.
pub async fn run(
    options: Options,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), Error> {
    home::make(&options.data)?;
    let identity = identity(&options).await?;
    let join = options.join.as_ref().map_or(Vec::new(), |ticket| ticket.addresses.clone());
    let place = options.authority.clone().unwrap_or_else(|| options.data.join(AUTHORITY));
    let authority = Authority::exists(&place).then(|| Authority::open(&place)).transpose()?;
    let wal = Wal::open(&options.data.join(DISK), options.sync)?;
    let epoch = Epoch::new(age(identity.origin)?);
    let all: Arc<[NodeId]> = options.plan.processes().collect();
    let (inbox, out) = channel(INBOX);
    let life = entropy()?;
    let (link, endpoint) = quic::open(quic::Options {
        me: options.me,
        all: Arc::clone(&all),
        authority,
        listen: options.listen,
        book: Book::load(&options.data.join(MEMBERS))?,
        plan: Arc::clone(&options.text),
        name: options.plan.name.clone(),
        epoch,
        inbox: inbox.clone(),
        life,
        identity,
    })?;
    for address in join {
        // What fails is logged; others may know the way.
        let _ = endpoint.join(address).await;
    }
    let epoch = endpoint.agree_on_time().await;
    let done = inbox.clone();
    let disk = Disk::start("disk", Medium::File(wal), Rng::new(life), move |what| {
        let _ = done.blocking_send(Inbox::Disk(what));
    });
    let disk = disk.map_err(|error| Error::new(format!("no thread for the disk: {error}")))?;
    let settings = Settings {
        setup: options.plan.setup(options.me),
        all,
        seed: life,
        ways: (Span::ZERO, Span::ZERO),
        epoch,
    };
    let mut agent = Agent::new(settings, disk, link);
    agent.boot();
    let counters = agent.counters();
    let address = endpoint.address();
    tracing::info!("{} of {} listens on {address}", options.me, options.plan.name);
    let kept = tokio::spawn(quic::keep(options.data.join(MEMBERS), endpoint.watch_book()));
    ready(address);

    // As a task, it comes at once when a message has been read, and nothing else is asked then.
    let mut driven = tokio::spawn(drive(agent, out));
    let mut stop = pin!(stop);
    let mut stopping = false;
    let mut figures = Figures::new(counters);
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + FIGURES, FIGURES);
    loop {
        tokio::select! {
            ended = &mut driven => {
                if let Err(error) = ended && let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
                break;
            }
            () = &mut stop, if !stopping => {
                stopping = true;
                tracing::info!("{} stops", options.me);
                let asked = Inbox::Asked { console: 0, request: Request::Shutdown };
                let _ = inbox.send(asked).await;
            }
            _ = tick.tick() => tracing::info!("{} {}", options.me, figures.line(&endpoint)),
        }
    }
    endpoint.close().await;
    kept.abort();
    tracing::info!("{} has stopped", options.me);
    Ok(())
}

/// How long ago the cluster was founded, by this machine's clock.
fn age(origin: u64) -> Result<Time, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    match now.checked_sub(origin) {
        Some(age) => Ok(Time(age)),
        None => Err(Error::new("this machine's clock shows a time before the cluster was founded")
            .help("set the clock; nodes may be seconds apart, not days")),
    }
}

/// A random number.
fn entropy() -> Result<u64, Error> {
    super::identity::random::<8>().map(u64::from_be_bytes)
}

/// Who it is: as it was before, or by its ticket, or as the founder of a cluster.
async fn identity(options: &Options) -> Result<Identity, Error> {
    let role = Role::Node(options.me);
    if let Some(identity) = Identity::load(&options.data)? {
        return match identity.role == role {
            true => Ok(identity),
            false => Err(wrong_role(&options.data, identity.role, role)),
        };
    }
    let identity = match &options.join {
        Some(ticket) if ticket.role != role => {
            return Err(Error::new(format!("the ticket is for {}, not for {role}", ticket.role))
                .help(format!("ask for another: netsplit invite --role {role}")));
        }
        Some(ticket) => console::redeem(ticket).await?,
        None => found(options, role)?,
    };
    identity.save(&options.data)?;
    Ok(identity)
}

fn wrong_role(data: &Path, is: Role, wanted: Role) -> Error {
    Error::new(format!("{} holds the identity of {is}, not of {wanted}", data.display()))
        .help("give each process a data directory of its own with --data")
}

/// An identity from the authority at hand, or from a new one.
fn found(options: &Options, role: Role) -> Result<Identity, Error> {
    let now = SystemTime::now();
    let place = options.authority.clone().unwrap_or_else(|| options.data.join(AUTHORITY));
    if Authority::exists(&place) {
        return Authority::open(&place)?.issue(role, now);
    }
    if !options.listen.ip().is_loopback() && !options.found {
        let what = format!("{role} has no certificate, and {} is not loopback", options.listen);
        return Err(Error::new(what)
            .help("join a cluster: --join TICKET, which 'netsplit invite' prints on a member")
            .help("or found a new cluster here: --found"));
    }
    tracing::info!("founding a new cluster in {}", place.display());
    home::make(&place)?;
    Authority::found(&place, now)?.issue(role, now)
}

/// What goes into the line of figures.
struct Figures {
    counters: Arc<Counters>,
    then: [u64; 5],
    /// Bytes sent to consoles.
    shown: u64,
}

impl Figures {
    fn new(counters: Arc<Counters>) -> Figures {
        Figures { counters, then: [0; 5], shown: 0 }
    }

    /// Rates since the last line, and what there is now.
    fn line(&mut self, endpoint: &Endpoint) -> String {
        let Counters { sent, received, lost, written, synced } = &*self.counters;
        let now = [sent, received, lost, written, synced].map(|n| n.load(Ordering::Relaxed));
        let seconds = FIGURES.as_secs().max(1);
        let mut rates = [0; 5];
        for (rate, (now, then)) in rates.iter_mut().zip(now.iter().zip(&self.then)) {
            *rate = (now - then).div_ceil(seconds);
        }
        self.then = now;
        let [sent, received, lost, written, synced] = rates;
        let (peers, consoles) = endpoint.connections();
        // A console that has left takes its bytes with it.
        let shown = endpoint.console_traffic().bytes;
        let showing = shown.saturating_sub(self.shown).div_ceil(seconds);
        self.shown = shown;
        let memory = memory().map_or(String::new(), |mib| format!(", {mib:.1} MiB"));
        format!(
            "a second: {sent} messages out, {received} in, {lost} lost; {written} writes in \
             {synced} syncs; {peers} peers, {consoles} consoles, {showing} bytes to them{memory}"
        )
    }
}

/// Resident memory in MiB, where the system tells.
fn memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
