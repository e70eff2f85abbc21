//! The network of one process over QUIC: it listens, dials, and carries messages.
//!
//! ```text
//!   n1                                                          n2
//!   Agent ─> Quic::send ─> queue ─> its task ═ dials ═> acceptor ─> a reader ─> Inbox
//!                          (bounded)     │                    │
//!                                        └─ control stream: address books both ways
//!
//!   console ═ dials ═> acceptor ─> requests ─> Inbox
//!                          └────── reports <── queue (bounded) <── Agent
//! ```
//!
//! * **One endpoint** ([`open`]) listens and dials. n1's messages to n2 travel on the connection
//!   that n1 has dialled, n2's to n1 on another: a fault in one direction stays there, and nobody
//!   has to agree who dials.
//! * **Peers** (`peer`). Each has a queue, bounded in messages and bytes, and a task that dials
//!   when there is something to send. What fits in no queue is [lost](crate::event::Loss) as
//!   `Full`, what finds no connection as `Unreachable`; the agent never waits. Messages that wait
//!   together go out in one write for each service. After a failure the task waits a little longer
//!   each time, up to 2 s; it tries again at once when the peer itself dials, or is heard of at a
//!   new address.
//! * **Streams** (`node`). One stream a service, so that a lost packet of one service delays no
//!   other. A reader gives the agent what it reads and waits while the inbox is full; QUIC's flow
//!   control then makes the sender wait, whose queue fills up, and there messages are lost.
//! * **Strangers** (`accept`). Until a greeting has been checked against the certificate, a
//!   connection can hold one stream, 64 KiB and 5 s. A joiner needs no certificate, but gets
//!   nothing for its token other than an identity.
//! * **Consoles** (`consoles`). Requests in, reports out, on one stream. Reports that a slow
//!   console does not fetch fill a queue of its own, and the agent counts what it misses.
//! * **Time** (`clock`). A process that starts asks its peers how old the cluster is, lest it go by
//!   a clock that is wrong.
//! * **Addresses** ([`Book`]). Greetings carry what both sides know, and later changes follow. The
//!   version of an address also tells that its process has started anew: a connection to the old
//!   one is closed at once, instead of when it has been silent for 5 s.
//!
//! # What is guaranteed
//!
//! * A message arrives from the process that it names as its author, or not at all: the certificate
//!   says who is at the other end. It arrives at most once, unless a fault says otherwise.
//! * A message is reported as lost only if the receiver cannot have it.
//! * Whatever a peer sends, it changes nothing but what its role may change. Nonsense ends the
//!   connection with a reason, and is logged once a minute for each peer and reason.
//!
//! # What is left out
//!
//! * Delivery. What the other side has not acknowledged when a connection dies may be lost without
//!   a word, as on any network; protocols repeat what they need.
//! * Defence against members. Whoever holds a certificate of the cluster is believed about
//!   addresses, and may keep a node as busy as it likes, within the limits of memory.
//! * A crowd of strangers can keep honest newcomers waiting, though not those who are connected.

mod accept;
mod book;
mod call;
mod clock;
mod close;
mod complaints;
mod consoles;
mod gossip;
mod node;
mod peer;
mod runtime;

pub use book::{Book, keep};
pub use peer::Quic;

pub(super) use call::{BackOff, Call, CallError, broken, call, visit};
pub(super) use close::DONE;

use super::agent::Epoch;
use super::control::Inbox;
use super::identity::{self, Authority, ClusterId, Identity, Role};
use super::wire::{BookEntry, Hello, VERSION, Welcome, Who};
use crate::base::NodeId;
use crate::error::Error;
use complaints::Complaints;
use peer::Peer;
use quinn::{ClientConfig, Connection, EndpointConfig};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a stranger may take until its greeting is there.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How many handshakes a process begins at the same time.
const HANDSHAKES: usize = 8;
/// How many it has under way with peers that have not answered the last time.
const DOUBTFUL_HANDSHAKES: usize = 2;
/// How many bytes of packets may wait in the system.
const PACKETS: usize = 2 << 20;
/// How long one try to reach a peer may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long a node that ends waits for others to hear of it.
const FAREWELL: Duration = Duration::from_millis(500);
/// How often a process that finds a stranger's word about its own address contradicts.
const CONTRADICTIONS: u32 = 3;

/// What a process needs to take part.
#[derive(Debug)]
pub struct Options {
    /// Which process it is.
    pub me: NodeId,
    /// All processes of the cluster, in order.
    pub all: Arc<[NodeId]>,
    /// What it proves that with.
    pub identity: Identity,
    /// The cluster's authority, if this process is the one that redeems tickets.
    pub authority: Option<Authority>,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the others listen, as far as is known. Its own address is noted by [`open`].
    pub book: Book,
    /// The text of the cluster file, for consoles.
    pub plan: Arc<str>,
    /// The cluster's name.
    pub name: String,
    /// What time it is, by this machine's clock.
    pub epoch: Epoch,
    /// Where messages go.
    pub inbox: Sender<Inbox>,
    /// A random number, drawn when the process started.
    pub life: u64,
}

/// Opens the network of a process. Must be called within a tokio runtime.
///
/// # Errors
/// The port is in use, the address is not one of this machine, or the identity is of no use.
pub fn open(options: Options) -> Result<(Quic, Endpoint), Error> {
    let listen = options.listen;
    let cannot = |error: io::Error| cannot_listen(listen, &error);
    if options.identity.role != Role::Node(options.me) {
        let (me, role) = (options.me, options.identity.role);
        return Err(Error::new(format!("the identity is that of {role}, not of {me}")));
    }
    let socket = UdpSocket::bind(listen).map_err(cannot)?;
    let address = socket.local_addr().map_err(cannot)?;
    widen(&socket);
    let server = identity::server_config(&options.identity)?;
    let dialling = identity::client_config(&options.identity)?;
    let runtime = Arc::new(runtime::Tokio);
    let endpoint = quinn::Endpoint::new(EndpointConfig::default(), Some(server), socket, runtime);
    let endpoint = endpoint.map_err(cannot)?;

    let mut book = options.book;
    book.start(options.me, address, SystemTime::now());
    let others = options.all.iter().filter(|id| **id != options.me);
    let site = Arc::new(Site {
        me: options.me,
        peers: others.map(|id| (*id, Arc::new(Peer::new(*id)))).collect(),
        cluster: options.identity.cluster,
        authority: options.authority.map(Arc::new),
        plan: options.plan,
        name: options.name,
        epoch: Mutex::new(options.epoch),
        inbox: options.inbox,
        life: options.life,
        address,
        endpoint,
        dialling,
        book: watch::Sender::new(book),
        contradicted: Mutex::new(0),
        complaints: Mutex::new(Complaints::default()),
        arrivals: Mutex::new(BTreeMap::new()),
        dialled: Mutex::new(BTreeMap::new()),
        consoles: Mutex::new(BTreeMap::new()),
        seats: Arc::new(Semaphore::new(consoles::MOST)),
        turns: Semaphore::new(HANDSHAKES),
        doubtful_turns: Semaphore::new(DOUBTFUL_HANDSHAKES),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    for peer in site.peers.values() {
        site.tasks.spawn(peer::keep(Arc::clone(&site), Arc::clone(peer)));
    }
    site.tasks.spawn(accept::accept(Arc::clone(&site)));
    Ok((Quic::new(site.peers.clone()), Endpoint { site }))
}

/// Asks for room for packets that come while the process is busy; what finds none is lost, and QUIC
/// takes its time to notice. The system may give less.
#[cfg(unix)]
fn widen(socket: &UdpSocket) {
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, PACKETS);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(socket, PACKETS);
}

#[cfg(not(unix))]
fn widen(_: &UdpSocket) {}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Error {
    let (why, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            "another program listens there".to_owned(),
            "choose another port, or port 0 to have one chosen",
        ),
        io::ErrorKind::AddrNotAvailable => {
            ("this machine has no such address".to_owned(), "'ip address' shows those that it has")
        }
        io::ErrorKind::PermissionDenied => {
            ("that is not allowed".to_owned(), "choose a port above 1023")
        }
        _ => (error.to_string(), "choose another address"),
    };
    Error::new(format!("cannot listen at {address}: {why}")).help(remedy)
}

/// What has been sent over UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets, acknowledgements included.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Calls of the system. Fewer than packets where one call takes several.
    pub writes: u64,
}

impl Traffic {
    fn add(&mut self, connection: &Connection) {
        let sent = connection.stats().udp_tx;
        self.packets += sent.datagrams;
        self.bytes += sent.bytes;
        self.writes += sent.ios;
    }
}

/// The network of one process. It closes when this is dropped, without waiting for anything.
#[derive(Debug)]
pub struct Endpoint {
    site: Arc<Site>,
}

impl Endpoint {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.site.address
    }

    /// The addresses that it knows.
    pub fn book(&self) -> Book {
        self.site.book.borrow().clone()
    }

    /// The same, and how they change: [`keep`] saves them.
    pub fn watch_book(&self) -> watch::Receiver<Book> {
        self.site.book.subscribe()
    }

    /// Notes addresses, as if a peer had told them. Addresses of unknown version have version 0.
    pub fn learn(&self, book: &Book) {
        let entries: Vec<BookEntry> = book.entries().collect();
        self.site.learn(&entries, None);
    }

    /// Learns who is at an address, and all the addresses that are known there; those there learn
    /// ours. What goes wrong is logged, too.
    ///
    /// # Errors
    /// Nobody answers, or it is no node of this cluster.
    pub async fn join(&self, address: SocketAddr) -> Result<NodeId, Error> {
        let site = &self.site;
        let (config, name) = (site.dialling.clone(), site.cluster.any_node());
        let hello = site.hello();
        let visited = visit(&site.endpoint, config, (address, &name), &hello, HANDSHAKE).await;
        let (call, welcome) = visited.map_err(|why| {
            let what = format!("cannot join the cluster at {address}: {why}");
            site.complain(address.ip(), &what);
            Error::new(what)
        })?;
        site.learn(&welcome.book, Some((welcome.who, address.ip())));
        close::DONE.on(&call.connection, "");
        Ok(welcome.who)
    }

    /// What time it is, by those peers that answer at once; by this machine's clock if they agree
    /// with it, or if nobody answers. To be asked before anything is sent. What is wrong with the
    /// clock is logged.
    pub async fn agree_on_time(&self) -> Epoch {
        let ours = *lock(&self.site.epoch);
        let agreed = clock::agree(&self.site, ours).await.unwrap_or(ours);
        *lock(&self.site.epoch) = agreed;
        agreed
    }

    /// To how many peers it is connected, and how many consoles are.
    pub fn connections(&self) -> (usize, usize) {
        let peers = self.site.peers.values().filter(|peer| peer.is_open()).count();
        (peers, consoles::MOST - self.site.seats.available_permits())
    }

    /// What it has sent on the connections with peers that stand.
    pub fn traffic(&self) -> Traffic {
        let mut all = Traffic::default();
        for connections in [&self.site.arrivals, &self.site.dialled] {
            lock(connections).values().for_each(|connection| all.add(connection));
        }
        all
    }

    /// What it has sent to the consoles that are connected.
    pub fn console_traffic(&self) -> Traffic {
        let mut all = Traffic::default();
        lock(&self.site.consoles).values().for_each(|connection| all.add(connection));
        all
    }

    /// Closes it, and waits for a moment until the others have heard of that.
    pub async fn close(self) {
        self.site.close();
        self.site.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.site.endpoint.wait_idle()).await;
        let _ = tokio::time::timeout(FAREWELL, self.site.tasks.wait()).await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.site.close();
    }
}

/// What all tasks of one process's network share.
#[derive(Debug)]
struct Site {
    me: NodeId,
    peers: BTreeMap<NodeId, Arc<Peer>>,
    cluster: ClusterId,
    authority: Option<Arc<Authority>>,
    plan: Arc<str>,
    name: String,
    epoch: Mutex<Epoch>,
    inbox: Sender<Inbox>,
    life: u64,
    address: SocketAddr,
    endpoint: quinn::Endpoint,
    dialling: ClientConfig,
    book: watch::Sender<Book>,
    contradicted: Mutex<u32>,
    complaints: Mutex<Complaints>,
    /// The connection on which each peer sends.
    arrivals: Mutex<BTreeMap<NodeId, Connection>>,
    /// The connection on which each peer is sent to.
    dialled: Mutex<BTreeMap<NodeId, Connection>>,
    /// The connections of consoles, by their own numbers.
    consoles: Mutex<BTreeMap<usize, Connection>>,
    /// Of consoles.
    seats: Arc<Semaphore>,
    /// To begin a handshake.
    turns: Semaphore,
    /// The same, with a peer that has not answered the last time.
    doubtful_turns: Semaphore,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Site {
    fn close(&self) {
        self.stop.cancel();
        self.endpoint.close(close::STOPPING.number(), b"the process is ending");
    }

    /// Its own address first.
    fn entries(&self) -> Vec<BookEntry> {
        let mut entries: Vec<BookEntry> = self.book.borrow().entries().collect();
        entries.sort_by_key(|entry| entry.id != self.me);
        entries
    }

    fn hello(&self) -> Hello {
        let (cluster, who) = (self.cluster.0, Who::Node(self.me));
        Hello { version: VERSION, cluster, who, book: self.entries() }
    }

    fn welcome(&self) -> Welcome {
        Welcome {
            who: self.me,
            life: self.life,
            name: self.name.clone(),
            plan: self.plan.to_string(),
            now: lock(&self.epoch).now(),
            book: self.entries(),
        }
    }

    /// Whether this is another process of the cluster.
    fn knows(&self, id: NodeId) -> bool {
        self.peers.contains_key(&id)
    }

    /// Takes in what a peer says about addresses. One that listens at all of its addresses does not
    /// know under which one others reach it; `from` says whose word it is, and whence it came.
    fn learn(&self, entries: &[BookEntry], from: Option<(NodeId, IpAddr)>) {
        let mut moved = Vec::new();
        self.book.send_if_modified(|book| {
            let mut changed = false;
            for entry in entries.iter().filter(|entry| entry.addr.port() != 0) {
                let mut addr = entry.addr;
                if entry.id == self.me {
                    changed |= self.contradict(book, entry);
                    continue;
                }
                if addr.ip().is_unspecified() {
                    match from {
                        Some((peer, ip)) if peer == entry.id => addr.set_ip(ip.to_canonical()),
                        _ => continue,
                    }
                }
                if self.knows(entry.id) && book.note(entry.id, addr, entry.version) {
                    moved.push(entry.id);
                }
            }
            changed || !moved.is_empty()
        });
        for peer in moved.iter().filter_map(|id| self.peers.get(id)) {
            peer.hurry();
        }
    }

    /// Nobody knows better where this process listens. If somebody has a newer address for it, that
    /// is one of an earlier life, noted when the clock was wrong; unless two processes run under
    /// one name, so this does not go on for ever.
    fn contradict(&self, book: &mut Book, entry: &BookEntry) -> bool {
        if entry.version < book.version(self.me) || entry.addr == self.address {
            return false;
        }
        // Others see an address of ours that we do not know ourselves.
        if self.address.ip().is_unspecified() && entry.version == book.version(self.me) {
            return false;
        }
        let mut times = lock(&self.contradicted);
        if *times >= CONTRADICTIONS {
            return false;
        }
        *times += 1;
        tracing::warn!("another process was {} at {}, or still is", self.me, entry.addr);
        book.note(self.me, self.address, entry.version.saturating_add(1))
    }

    /// Logs what a peer did wrong, unless it was logged a moment ago.
    fn complain(&self, about: IpAddr, what: &str) {
        if lock(&self.complaints).is_new(about, what) {
            tracing::warn!("{}: {what}", self.me);
        }
    }

    /// Tells the agent that messages are lost.
    async fn lost(&self, to: NodeId, ids: Vec<crate::base::MsgId>) {
        for id in ids {
            let lost = Inbox::Lost { to, id, why: crate::event::Loss::Unreachable };
            if self.inbox.send(lost).await.is_err() {
                return;
            }
        }
    }
}

/// No code that holds one of these locks can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
