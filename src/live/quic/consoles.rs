//! A console that watches: its requests go to the agent, and reports come back.

use super::{Site, close, lock};
use crate::live::control::{CommandId, Inbox, Report, Request};
use crate::live::wire::{self, Reader, WireError};
use bytes::BytesMut;
use quinn::{Connection, RecvStream, SendStream};
use std::hash::{BuildHasher, RandomState};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many consoles there may be at a time.
pub(super) const MOST: usize = 16;
/// How many reports may wait for a console.
const REPORTS: usize = 256;
/// How many bytes of reports are written at once, or a single report more.
const CHUNK: usize = 64 << 10;
/// How many bytes QUIC keeps for a console that is slow.
const SEND_WINDOW: u64 = 1 << 20;

/// Who it is.
pub(super) struct Visitor {
    /// The number that it has drawn; its commands carry it.
    pub(super) console: u64,
    /// Whether it may give commands.
    pub(super) operator: bool,
}

/// Serves a console that has been let in, until the connection ends.
pub(super) async fn serve(
    site: &Site,
    connection: &Connection,
    (send, requests): (SendStream, Reader<RecvStream>),
    visitor: Visitor,
) {
    connection.set_send_window(SEND_WINDOW);
    let (reports, queue) = channel(REPORTS);
    // Not the number that it has drawn itself: that might be another console's.
    let console = RandomState::new().hash_one(connection.stable_id());
    let attached = Inbox::Attached { console, reports: reports.clone() };
    if site.inbox.send(attached).await.is_err() {
        return close::STOPPING.on(connection, "the process is ending");
    }
    lock(&site.consoles).insert(connection.stable_id(), connection.clone());
    tokio::join!(write(connection, send, queue), async {
        if let Err(why) = read(site, requests, &visitor, console, &reports).await {
            let ip = connection.remote_address().ip();
            site.complain(ip, &format!("a console at {ip} was cut off: {why}"));
            close::FORBIDDEN.on(connection, &why);
        }
    });
    lock(&site.consoles).remove(&connection.stable_id());
}

/// Passes requests on.
///
/// # Errors
/// What the console did wrong.
async fn read(
    site: &Site,
    mut requests: Reader<RecvStream>,
    visitor: &Visitor,
    console: u64,
    reports: &Sender<Report>,
) -> Result<(), String> {
    loop {
        let request = match requests.next::<Request>().await {
            Ok(request) => request,
            Err(WireError::Closed | WireError::Io { .. }) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        if let Err(refused) = check(&request, visitor) {
            let Some(id) = refused.id else { return Err(refused.why) };
            let answer = Report::Answer { id, result: Err(refused.why) };
            if reports.send(answer).await.is_err() {
                return Ok(());
            }
        } else if site.inbox.send(Inbox::Asked { console, request }).await.is_err() {
            return Ok(());
        }
    }
}

/// Why a request is not passed on, and which command that answers, if it does.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    id: Option<CommandId>,
    why: String,
}

fn check(request: &Request, visitor: &Visitor) -> Result<(), Refused> {
    let observer = "an observer may look, and change nothing";
    match request {
        Request::Watch(_) => Ok(()),
        Request::Shutdown if visitor.operator => Ok(()),
        Request::Shutdown => Err(Refused { id: None, why: observer.to_owned() }),
        Request::Command { id, command } => {
            let refused = |why: String| Err(Refused { id: Some(*id), why });
            if id.console != visitor.console {
                return refused("the command carries the number of another console".to_owned());
            }
            match (visitor.operator, command.check()) {
                (false, _) => refused(observer.to_owned()),
                (true, Err(error)) => refused(error.to_string()),
                (true, Ok(())) => Ok(()),
            }
        }
    }
}

/// Writes reports, many at once if many wait. While one write takes long, the queue fills up.
async fn write(connection: &Connection, mut send: SendStream, mut queue: Receiver<Report>) {
    let mut bytes = BytesMut::new();
    loop {
        let report = tokio::select! {
            report = queue.recv() => report,
            _ = connection.closed() => return,
        };
        let Some(report) = report else {
            return close::STOPPING.on(connection, "the process is ending");
        };
        let mut next = Some(report);
        while let Some(report) = next {
            if let Err(error) = wire::encode_report(&report, &mut bytes) {
                tracing::error!("a report cannot be sent: {error}");
            }
            next = if bytes.len() < CHUNK { queue.try_recv().ok() } else { None };
        }
        if send.write_all(&bytes.split()).await.is_err() {
            return;
        }
    }
}
