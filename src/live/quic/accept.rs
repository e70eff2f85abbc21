//! The door: who may come in, and as what.

use super::{Book, HANDSHAKE, Site, call, close, consoles, node};
use crate::base::NodeId;
use crate::live::identity::{self, Identity, Role, Unredeemed};
use crate::live::wire::{
    self, Answer, Granted, HELLO_MAX, Hello, Reader, Refusal, Token, VERSION, Who, WireError,
};
use bytes::BytesMut;
use quinn::{Connection, Incoming, RecvStream, SendStream};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// How many connections may be on their way in.
const MOST_STRANGERS: usize = 256;
/// From how many on a stranger must first prove that it can be reached where it says it is.
const CROWD: usize = 64;
/// How many connections there may be, beyond those with peers.
const MOST_CONNECTIONS: usize = 512;
/// How long a peer that was refused may take to read why.
const READ_WHY: Duration = Duration::from_secs(1);

/// Who is let in.
enum Guest {
    Node(NodeId),
    Console { operator: bool, console: u64, seat: OwnedSemaphorePermit },
    Joiner(Token),
}

/// Why somebody is not: for them, and for the log.
struct Turned(Refusal, String);

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Turned {
        let why = refusal.to_string();
        Turned(refusal, why)
    }
}

/// The stream on which a greeting came, with what comes behind it.
type Control = (SendStream, Reader<RecvStream>);

/// Accepts connections until the endpoint is closed.
pub(super) async fn accept(site: Arc<Site>) {
    let strangers = Arc::new(Semaphore::new(MOST_STRANGERS));
    let most = MOST_CONNECTIONS + 4 * site.peers.len();
    while let Some(incoming) = site.endpoint.accept().await {
        let seat = Arc::clone(&strangers).try_acquire_owned();
        let crowd = MOST_STRANGERS - strangers.available_permits() > CROWD;
        match seat {
            Ok(_) if crowd && incoming.may_retry() => {
                // Those that are no more than an address are not remembered.
                let _ = incoming.retry();
            }
            Ok(seat) if site.endpoint.open_connections() < most => {
                site.tasks.spawn(receive(Arc::clone(&site), incoming, seat));
            }
            _ => {
                let ip = incoming.remote_address().ip();
                site.complain(ip, &format!("too many connections: {ip} was turned away"));
                incoming.refuse();
            }
        }
    }
}

/// Greets a stranger, and serves it if it may come in.
async fn receive(site: Arc<Site>, incoming: Incoming, seat: OwnedSemaphorePermit) {
    let ip = incoming.remote_address().ip();
    let limit = Instant::now() + HANDSHAKE;
    let connected = async { incoming.accept()?.await };
    let connection = match timeout_at(limit, connected).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            let why = call::broken(&error);
            return site.complain(ip, &format!("{ip} did not get in: {why}"));
        }
        Err(_) => return site.complain(ip, &format!("{ip} did not get in: it is silent")),
    };
    let Ok(greeting) = timeout_at(limit, listen(&connection)).await else {
        site.complain(ip, &format!("no greeting came from {ip}"));
        return close::SILENT.on(&connection, "no greeting came in time");
    };
    let Some((control, hello)) = greeting else { return };
    let turned = match judge(&site, &connection, hello.as_ref()) {
        Ok(guest) => {
            drop(seat);
            return let_in(&site, connection, control, guest, hello).await;
        }
        Err(turned) => turned,
    };
    refuse(&site, &connection, control.0, hello.ok().map(|hello| hello.who), turned).await;
}

/// The greeting, and the stream that it came on; nothing if the connection broke before.
async fn listen(connection: &Connection) -> Option<(Control, Result<Hello, WireError>)> {
    let (send, receive) = connection.accept_bi().await.ok()?;
    let mut reader = Reader::with_limit(receive, HELLO_MAX);
    let hello = reader.next::<Hello>().await;
    Some(((send, reader), hello))
}

/// Compares what a stranger says with what it can prove.
fn judge(
    site: &Site,
    connection: &Connection,
    hello: Result<&Hello, &WireError>,
) -> Result<Guest, Turned> {
    let hello = hello.map_err(|error| match error {
        WireError::Version { .. } => {
            Turned(Refusal::WrongVersion { ours: VERSION }, error.to_string())
        }
        error => Turned(Refusal::Malformed, error.to_string()),
    })?;
    if site.stop.is_cancelled() {
        return Err(Refusal::Stopping.into());
    }
    if hello.cluster != site.cluster.0 {
        return Err(Refusal::WrongCluster.into());
    }
    let certificates = identity::peer_certificates(connection);
    let prove = |role| match identity::role_of(&certificates, site.cluster, role) {
        Some(_) => Ok(()),
        None if certificates.is_empty() => Err(Refusal::NoCertificate),
        None => Err(Refusal::NotYou),
    };
    match hello.who {
        Who::Joiner { token } => Ok(Guest::Joiner(token)),
        Who::Node(id) => {
            prove(Role::Node(id))?;
            match site.knows(id) {
                true => Ok(Guest::Node(id)),
                false if id == site.me => Err(Refusal::Taken { who: id }.into()),
                false => {
                    let why = format!("there is no {id} in this cluster");
                    Err(Turned(Refusal::NotInPlan { who: id }, why))
                }
            }
        }
        Who::Console { operator, console } => {
            prove(if operator { Role::Operator } else { Role::Observer })?;
            let seat = Arc::clone(&site.seats).try_acquire_owned();
            let most = consoles::MOST as u32;
            let seat = seat.map_err(|_| Refusal::TooManyConsoles { most })?;
            Ok(Guest::Console { operator, console, seat })
        }
    }
}

/// What a stranger says it is, for the log.
struct Claim(Option<Who>);

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Who::Node(id)) => write!(f, " as {id}"),
            Some(Who::Console { operator: true, .. }) => f.write_str(" as an operator"),
            Some(Who::Console { .. }) => f.write_str(" as an observer"),
            Some(Who::Joiner { .. }) => f.write_str(" with a ticket"),
            None => Ok(()),
        }
    }
}

/// Says no, and why.
async fn refuse(
    site: &Site,
    connection: &Connection,
    send: SendStream,
    who: Option<Who>,
    Turned(refusal, why): Turned,
) {
    let ip = connection.remote_address().ip();
    site.complain(ip, &format!("refused {ip}{}: {why}", Claim(who)));
    farewell(connection, send, &Answer::Refused(refusal)).await;
}

/// Sends the last thing that there is to say on a connection.
async fn farewell(connection: &Connection, mut send: SendStream, answer: &Answer) {
    if say(&mut send, answer).await {
        let _ = send.finish();
        // Whoever closes a connection throws away what was not delivered; so the reader does it.
        let _ = timeout(READ_WHY, connection.closed()).await;
    }
    close::REFUSED.on(connection, "");
}

async fn say(send: &mut SendStream, answer: &Answer) -> bool {
    let mut bytes = BytesMut::new();
    match wire::encode(answer, &mut bytes) {
        Ok(()) => send.write_all(&bytes).await.is_ok(),
        Err(error) => {
            tracing::error!("an answer cannot be sent: {error}");
            false
        }
    }
}

async fn let_in(
    site: &Arc<Site>,
    connection: Connection,
    (mut send, mut reader): Control,
    guest: Guest,
    hello: Result<Hello, WireError>,
) {
    let hello = hello.map_or(Vec::new(), |hello| hello.book);
    if let Guest::Node(id) = guest {
        site.learn(&hello, Some((id, connection.remote_address().ip())));
    }
    if let Guest::Joiner(token) = guest {
        return grant(site, &connection, send, token).await;
    }
    let welcome = site.welcome();
    let mut told = Book::new();
    told.note_all(welcome.book.iter().chain(&hello));
    if !say(&mut send, &Answer::Welcome(Box::new(welcome))).await {
        return;
    }
    reader.set_limit(wire::FRAME_MAX);
    match guest {
        Guest::Node(id) => {
            identity::admit(&connection);
            node::serve(site, id, connection, (send, reader), told).await;
        }
        Guest::Console { operator, console, seat } => {
            let visitor = consoles::Visitor { console, operator };
            consoles::serve(site, &connection, (send, reader), visitor).await;
            drop(seat);
        }
        Guest::Joiner(_) => {}
    }
}

/// Gives a joiner an identity for its token.
async fn grant(site: &Site, connection: &Connection, send: SendStream, token: Token) {
    let who = Who::Joiner { token };
    match redeem(site, token).await {
        Ok(identity) => {
            tracing::info!("{}: a newcomer has joined as {}", site.me, identity.role);
            let identity = postcard::to_stdvec(&identity).unwrap_or_default();
            farewell(connection, send, &Answer::Granted(Granted { identity })).await;
        }
        Err(turned) => refuse(site, connection, send, Some(who), turned).await,
    }
}

async fn redeem(site: &Site, token: Token) -> Result<Identity, Turned> {
    let authority = site.authority.clone().ok_or(Refusal::NoAuthority)?;
    let redeemed = tokio::task::spawn_blocking(move || {
        let now = SystemTime::now();
        let role = authority.redeem(token, now)?;
        authority.issue(role, now).map_err(Unredeemed::Failed)
    });
    let redeemed = redeemed.await;
    let failed = |why: String| Turned(Refusal::NoAuthority, why);
    let redeemed = redeemed.map_err(|error| failed(error.to_string()))?;
    redeemed.map_err(|why| match why {
        Unredeemed::Unknown => Refusal::TokenUnknown.into(),
        Unredeemed::Used => Refusal::TokenUsed.into(),
        Unredeemed::Expired => Refusal::TokenExpired.into(),
        Unredeemed::Failed(error) => failed(error.what().to_owned()),
    })
}
