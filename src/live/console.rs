//! A console elsewhere: the other end of the control streams.
//!
//! ```text
//!   any address ── Hello ──> a node: Welcome { cluster file, addresses }
//!                                      │
//!   one task a process:  dial ─> Welcome ─> Watch ─> Report, Report … ──> hub
//!                          ^                └─ requests <───────────────── hub
//!                          └── Down(why), a pause, newer addresses ──┘
//! ```
//!
//! [`attach`] needs one address that answers; from there it learns what the cluster is and where
//! its processes listen. Each process then gets a [`Feed`] of its own, so that one that is silent
//! holds nothing up. A task that cannot reach its process asks another one where it is now.
//!
//! [`redeem`] exchanges a ticket for the identity that all this needs. The token goes to one member
//! after the other, never to two at once, because it is good for once.
//!
//! # What is left out
//!
//! Proxying. A console must be able to reach every process by itself; one that it cannot reach is
//! shown as such, and the others are not.

use super::control::{Report, Request};
use super::hub::{Feed, News};
use super::identity::{self, Identity, Role, Ticket};
use super::quic::{BackOff, Book, Call, CallError, DONE, broken, call, visit};
use super::wire::{self, Answer, Hello, Refusal, VERSION, Welcome, Who, WireError};
use crate::base::{NodeId, Time};
use crate::cluster::LinkState;
use crate::error::{Error, Source};
use crate::event::Watch;
use crate::plan::{Plan, file};
use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use quinn::{ClientConfig, Endpoint, VarInt};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

/// How long one member may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often members are asked where another one is, at the most.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A connection that lasted for so long was a success.
const SUCCESS: Duration = Duration::from_secs(1);
/// How long members may take to hear that a console leaves.
const FAREWELL: Duration = Duration::from_millis(500);
/// How many requests may wait for one process, and how many reports for the hub.
const REQUESTS: usize = 256;
const REPORTS: usize = 64;

/// A cluster that a console is attached to.
#[derive(Debug)]
pub struct Attached {
    /// What it runs.
    pub plan: Plan,
    /// What it is called.
    pub name: String,
    /// What the console may do: operator or observer.
    pub role: Role,
    /// One for each process, in order. They watch already.
    pub feeds: Vec<Feed>,
    /// The number that the console's commands must carry: for the hub.
    pub console: u64,
    /// The time since the cluster was founded.
    pub now: Time,
    /// The addresses that are known, as they change.
    pub book: watch::Receiver<Book>,
    /// What it all goes through.
    pub line: Line,
}

/// The endpoint of a console.
#[derive(Clone, Debug)]
pub struct Line(Endpoint);

impl Line {
    /// Hangs up, so that members need not find out by themselves. Waits for a moment.
    pub async fn close(self) {
        self.0.close(VarInt::from_u32(0), b"the console leaves");
        let _ = tokio::time::timeout(FAREWELL, self.0.wait_idle()).await;
    }
}

// -- joining --------------------------------------------------------------------------------------

/// Exchanges a ticket for an identity.
///
/// # Errors
/// Nobody answers, or who answers is no member of the ticket's cluster; the ticket has expired or
/// was used.
pub async fn redeem(ticket: &Ticket) -> Result<Identity, Error> {
    let line = Line(endpoint()?);
    let identity = redeem_through(&line.0, ticket).await;
    line.close().await;
    identity
}

async fn redeem_through(endpoint: &Endpoint, ticket: &Ticket) -> Result<Identity, Error> {
    let config = identity::joining_config(ticket.ca_hash, ticket.cluster)?;
    let name = ticket.cluster.any_node();
    let who = Who::Joiner { token: ticket.token };
    let hello = Hello { version: VERSION, cluster: ticket.cluster.0, who, book: Vec::new() };
    let mut failures = Vec::new();
    for address in &ticket.addresses {
        let whom = (*address, name.as_str());
        match call(endpoint, config.clone(), whom, &hello, PATIENCE).await {
            Ok((call, answer)) => {
                DONE.on(&call.connection, "");
                match answer {
                    Answer::Granted(granted) => return accept(ticket, &granted.identity),
                    Answer::Refused(refusal) => {
                        failures.push((*address, CallError::Refused(refusal)));
                    }
                    Answer::Welcome(_) => {
                        let why = "we asked for a certificate".to_owned();
                        failures.push((*address, CallError::Garbled(why)));
                    }
                }
            }
            Err(why) => failures.push((*address, why)),
        }
    }
    Err(not_redeemed(ticket, &failures))
}

fn accept(ticket: &Ticket, bytes: &[u8]) -> Result<Identity, Error> {
    match postcard::take_from_bytes(bytes) {
        Ok((identity, [])) => ticket.accept(identity),
        _ => Err(Error::new("the cluster's answer to the ticket cannot be read")
            .help("the same version of netsplit must run on both sides")),
    }
}

fn not_redeemed(ticket: &Ticket, failures: &[(SocketAddr, CallError)]) -> Error {
    let spent = |why: &CallError| {
        let CallError::Refused(refusal) = why else { return false };
        matches!(refusal, Refusal::TokenUsed | Refusal::TokenExpired | Refusal::TokenUnknown)
    };
    // Whoever knows about the token knows best.
    let telling = failures.iter().filter(|(_, why)| spent(why)).take(1).collect::<Vec<_>>();
    if let [(address, CallError::Refused(refusal))] = telling[..] {
        return Error::new(format!("the cluster at {address} does not take the ticket: {refusal}"))
            .help("ask for a new one: netsplit invite");
    }
    let mut error = nobody("the ticket cannot be used", failures);
    if failures.iter().any(|(_, why)| *why == CallError::Refused(Refusal::NoAuthority)) {
        let remedy = "a ticket must lead to the process with the cluster's key: 'netsplit invite \
                      --address' says where that is";
        error = error.help(remedy);
    }
    if ticket.expired(SystemTime::now()) {
        error = error.help("the ticket has expired in any case; ask for a new one");
    }
    error
}

/// An error about all addresses that were tried.
fn nobody(what: &str, failures: &[(SocketAddr, CallError)]) -> Error {
    let silent = failures.iter().all(|(_, why)| *why == CallError::Silence);
    let mut error = match failures {
        [] => Error::new(format!("{what}: there is no address")),
        [(address, why)] => Error::new(format!("{what} at {address}: {why}")),
        _ if silent => Error::new(format!("{what}: nobody answers")),
        [(first, why), ..] => Error::new(format!("{what} anywhere; at {first}: {why}")),
    };
    for (address, why) in failures.iter().skip(1).take(4) {
        error = error.help(format!("{address} was tried too: {why}"));
    }
    match silent {
        true => error.help("do the nodes run, and does a firewall let UDP through?"),
        false => error,
    }
}

// -- attaching ------------------------------------------------------------------------------------

/// Attaches to the cluster of which at least one member listens at one of these addresses. Must be
/// called within a tokio runtime, in which tasks go on until the feeds are dropped.
///
/// # Errors
/// Nobody answers; who answers is of another cluster, or of another version; the identity is not
/// that of a console.
pub async fn attach(
    identity: Identity,
    addresses: &[SocketAddr],
    level: Watch,
) -> Result<Attached, Error> {
    let operator = match identity.role {
        Role::Operator => true,
        Role::Observer => false,
        Role::Node(id) => {
            let what = format!("this is the certificate of {id}, and a console needs its own");
            return Err(Error::new(what).help("ask for one: netsplit invite --role observer"));
        }
    };
    let console = RandomState::new().hash_one(SystemTime::now());
    let who = Who::Console { operator, console };
    let remote = Remote {
        endpoint: endpoint()?,
        config: identity::client_config(&identity)?,
        any: identity.cluster.any_node(),
        hello: Hello { version: VERSION, cluster: identity.cluster.0, who, book: Vec::new() },
        identity,
        book: watch::Sender::new(Book::new()),
        asked: Mutex::new(None),
    };
    let (welcome, address) = remote.first(addresses).await?;
    let plan = plan(&welcome)?;
    let remote = Arc::new(remote);
    let feeds = plan.processes().map(|process| {
        // Where one was found, it may be found again, whatever the others call that place.
        let hint = (process == welcome.who).then_some(address);
        feed(&remote, process, hint, level)
    });
    Ok(Attached {
        feeds: feeds.collect(),
        name: plan.name.clone(),
        plan,
        role: remote.identity.role,
        console,
        now: welcome.now,
        book: remote.book.subscribe(),
        line: Line(remote.endpoint.clone()),
    })
}

/// The cluster's file, as the member has it.
fn plan(welcome: &Welcome) -> Result<Plan, Error> {
    let name: String = welcome.name.chars().filter(|c| !c.is_control()).take(40).collect();
    let source = Source::new(format!("{name}.toml at {}", welcome.who), welcome.plan.as_str());
    file::parse(&name, &source)
        .map_err(|error| error.help("the cluster may run another version of netsplit"))
}

/// An endpoint for dialling, in whatever family of addresses there is.
fn endpoint() -> Result<Endpoint, Error> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    Endpoint::client(any)
        .or_else(|_| Endpoint::client(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))))
        .map_err(|error| Error::new(format!("there is no socket to dial with: {error}")))
}

/// What all tasks of a console share.
#[derive(Debug)]
struct Remote {
    endpoint: Endpoint,
    config: ClientConfig,
    identity: Identity,
    /// The name that any member's certificate is valid for.
    any: String,
    hello: Hello,
    book: watch::Sender<Book>,
    /// When a member was last asked where the others are.
    asked: Mutex<Option<Instant>>,
}

impl Remote {
    /// Dials, and learns what the member knows about addresses.
    async fn visit(&self, address: SocketAddr, name: &str) -> Result<(Call, Welcome), CallError> {
        let (config, whom) = (self.config.clone(), (address, name));
        let (call, welcome) = visit(&self.endpoint, config, whom, &self.hello, PATIENCE).await?;
        self.book.send_if_modified(|book| {
            let mut changed = false;
            for entry in &welcome.book {
                let mut addr = entry.addr;
                // One that listens at all of its addresses does not know under which we reach it.
                if addr.ip().is_unspecified() && entry.id == welcome.who {
                    addr.set_ip(address.ip());
                }
                if !addr.ip().is_unspecified() && addr.port() != 0 {
                    changed |= book.note(entry.id, addr, entry.version);
                }
            }
            changed
        });
        Ok((call, welcome))
    }

    /// The first member that welcomes us, and where it is.
    async fn first(&self, addresses: &[SocketAddr]) -> Result<(Welcome, SocketAddr), Error> {
        let visits = addresses
            .iter()
            .map(|address| async { (*address, self.visit(*address, &self.any).await) });
        let mut visits: FuturesUnordered<_> = visits.collect();
        let mut failures = Vec::new();
        while let Some((address, visited)) = visits.next().await {
            match visited {
                Ok((call, welcome)) => {
                    DONE.on(&call.connection, "");
                    return Ok((welcome, address));
                }
                Err(why) => failures.push((address, why)),
            }
        }
        failures.sort_by_key(|(address, _)| *address);
        Err(nobody("cannot attach to the cluster", &failures))
    }

    /// Asks another member where everybody is, if nobody has just done so.
    async fn ask_around(&self, missing: NodeId, turn: usize) {
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
                return;
            }
            *asked = Some(Instant::now());
        }
        let others: Vec<SocketAddr> = {
            let book = self.book.borrow();
            book.entries().filter(|entry| entry.id != missing).map(|entry| entry.addr).collect()
        };
        let Some(address) = others.get(turn.checked_rem(others.len()).unwrap_or(0)) else { return };
        if let Ok((call, _)) = self.visit(*address, &self.any).await {
            DONE.on(&call.connection, "");
        }
    }
}

/// A feed, and the task that fills it.
fn feed(remote: &Arc<Remote>, process: NodeId, hint: Option<SocketAddr>, level: Watch) -> Feed {
    let (requests, asked) = channel(REQUESTS);
    let (told, news) = channel(REPORTS);
    let remote = Arc::clone(remote);
    let mut follower = Follower { remote, process, hint, level, asked, told: told.clone() };
    tokio::spawn(async move {
        tokio::select! {
            // Nobody looks any more, so no connection is of use.
            () = told.closed() => {}
            () = follower.follow() => {}
        }
    });
    Feed { process, requests, news }
}

/// Follows one process for as long as anybody looks.
struct Follower {
    remote: Arc<Remote>,
    process: NodeId,
    /// Where it was found by hand.
    hint: Option<SocketAddr>,
    level: Watch,
    asked: Receiver<Request>,
    told: Sender<News>,
}

impl Follower {
    async fn follow(&mut self) {
        let seed = RandomState::new().hash_one(self.process);
        let mut back_off = BackOff::new(seed);
        let mut book = self.remote.book.subscribe();
        let mut said = "it is being dialled".to_owned();
        self.tell(News::Link(LinkState::Down(said.clone()))).await;
        for turn in 0.. {
            let address = book.borrow_and_update().get(self.process);
            let why = match self.dial(address, turn).await {
                Ok(call) => {
                    let since = Instant::now();
                    said.clear();
                    let why = self.converse(call).await;
                    if since.elapsed() >= SUCCESS {
                        back_off.reset();
                    }
                    why
                }
                Err(why) => why,
            };
            let why = why.to_string();
            if why != said {
                self.tell(News::Link(LinkState::Down(why.clone()))).await;
                said = why;
            }
            let pause = tokio::time::sleep(back_off.pause());
            let elsewhere = book.wait_for(|book| book.get(self.process) != address);
            let asking = self.remote.ask_around(self.process, turn);
            tokio::select! {
                _ = async { tokio::join!(pause, asking) } => {}
                _ = elsewhere => {}
            }
        }
    }

    async fn tell(&self, news: News) {
        // If nobody is there to be told, this task ends.
        let _ = self.told.send(news).await;
    }

    async fn dial(&self, address: Option<SocketAddr>, turn: usize) -> Result<Call, CallError> {
        let known = [address, self.hint.filter(|hint| Some(*hint) != address)];
        let known: Vec<SocketAddr> = known.into_iter().flatten().collect();
        let Some(address) = known.get(turn.checked_rem(known.len()).unwrap_or(0)) else {
            return Err(CallError::Broken("its address is not known yet".to_owned()));
        };
        let name = self.remote.identity.cluster.node(self.process);
        let (call, welcome) = self.remote.visit(*address, &name).await?;
        match welcome.who == self.process {
            true => Ok(call),
            false => Err(CallError::Garbled(format!("it says that it is {}", welcome.who))),
        }
    }

    /// Passes requests and reports on until the connection ends. Says why it did.
    async fn converse(&mut self, call: Call) -> CallError {
        let Call { connection, mut send, mut answers } = call;
        identity::admit(&connection);
        // What was asked for while nobody could hear it has been given up.
        while self.asked.try_recv().is_ok() {}
        self.tell(News::Link(LinkState::Up)).await;
        let told = &self.told;
        let hear = async {
            loop {
                match answers.next::<Report>().await {
                    Ok(report) => drop(told.send(News::Report(report)).await),
                    Err(error) => break error,
                }
            }
        };
        let (asked, level) = (&mut self.asked, self.level);
        let say = async {
            let mut bytes = BytesMut::new();
            let mut next = Some(Request::Watch(level));
            while let Some(request) = next {
                let encoded = wire::encode(&request, &mut bytes);
                if encoded.is_ok() && send.write_all(&bytes.split()).await.is_err() {
                    break;
                }
                next = asked.recv().await;
            }
            // Only the reading end knows why it is over.
            std::future::pending().await
        };
        // When one ends, the connection is of no use to the other.
        let error = tokio::select! { error = hear => error, () = say => WireError::Closed };
        match connection.close_reason() {
            Some(reason) => broken(&reason),
            None => {
                DONE.on(&connection, "");
                CallError::Garbled(error.to_string())
            }
        }
    }
}
