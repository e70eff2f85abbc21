//! One peer as a sender sees it: a queue, and the task that owns the connection.

use super::call::{BackOff, Call, CallError, broken, visit};
use super::{ATTEMPT, Book, Site, close, gossip, lock};
use crate::base::{MsgId, NodeId, ServiceId};
use crate::event::Loss;
use crate::live::control::{Envelope, Link};
use crate::live::wire;
use bytes::{Bytes, BytesMut};
use quinn::{Connection, ConnectionError, SendStream};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::timeout;

/// How many messages may wait for one peer.
const MOST_MESSAGES: usize = 16_384;
/// How many bytes, beyond the last message.
const MOST_BYTES: usize = 2 << 20;
/// For how long a handshake keeps others from beginning.
const TURN: Duration = Duration::from_secs(1);
/// A try that takes longer than this may be in vain.
const STUCK: Duration = Duration::from_millis(300);
/// A connection that lasted for so long was a success.
const SUCCESS: Duration = Duration::from_secs(1);

const SERVICES: usize = ServiceId::ALL.len();

/// What one process sends with.
#[derive(Clone, Debug)]
pub struct Quic {
    peers: BTreeMap<NodeId, Arc<Peer>>,
}

impl Quic {
    pub(super) fn new(peers: BTreeMap<NodeId, Arc<Peer>>) -> Quic {
        Quic { peers }
    }
}

impl Link for Quic {
    fn send(&mut self, to: NodeId, envelope: Envelope) -> Result<(), Loss> {
        self.peers.get(&to).ok_or(Loss::Unreachable)?.send(&envelope)
    }
}

/// Whether messages can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has wanted to send anything yet.
    Resting,
    /// It is being dialled for the first time. Messages wait.
    Opening,
    /// It is connected.
    Open,
    /// It could not be reached, or the connection is gone.
    Down,
}

/// The messages of one service that wait, as frames.
#[derive(Debug, Default)]
struct Waiting {
    frames: BytesMut,
    /// Each message, and the length of its frame.
    ids: Vec<(MsgId, usize)>,
}

#[derive(Debug)]
struct Outbox {
    state: State,
    services: [Waiting; SERVICES],
    messages: usize,
    bytes: usize,
    /// Whether there was something to send since the last try.
    wanted: bool,
}

/// What is written to one stream at once.
#[derive(Debug)]
struct Batch {
    service: usize,
    frames: Bytes,
    ids: Vec<(MsgId, usize)>,
}

impl Batch {
    /// The messages of which the stream has not taken every byte: nobody can receive them.
    fn beyond(&self, written: usize) -> impl Iterator<Item = MsgId> {
        let ends = self.ids.iter().scan(0, |end, (id, length)| {
            *end += length;
            Some((*id, *end))
        });
        ends.filter(move |(_, end)| *end > written).map(|(id, _)| id)
    }
}

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    id: NodeId,
    outbox: Mutex<Outbox>,
    /// Something waits to be sent.
    work: Notify,
    /// It is worth trying again now.
    hurry: Notify,
}

impl Peer {
    pub(super) fn new(id: NodeId) -> Peer {
        let outbox = Outbox {
            state: State::Resting,
            services: std::array::from_fn(|_| Waiting::default()),
            messages: 0,
            bytes: 0,
            wanted: false,
        };
        Peer { id, outbox: Mutex::new(outbox), work: Notify::new(), hurry: Notify::new() }
    }

    fn send(&self, envelope: &Envelope) -> Result<(), Loss> {
        let mut outbox = lock(&self.outbox);
        let wake = !outbox.wanted;
        let result = outbox.push(envelope);
        drop(outbox);
        if wake {
            self.work.notify_one();
        }
        result
    }

    /// Has the task try again without waiting any longer, if there is something to send.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    pub(super) fn is_open(&self) -> bool {
        lock(&self.outbox).state == State::Open
    }

    /// Waits until there is something to send.
    async fn wanted(&self) {
        while !lock(&self.outbox).wanted {
            self.work.notified().await;
        }
    }

    /// The queue of a peer that cannot be reached is empty. Returns what was in it.
    fn shut(&self) -> Vec<MsgId> {
        let mut outbox = lock(&self.outbox);
        let lost = outbox.take();
        outbox.state = State::Down;
        lost.iter().flat_map(|batch| batch.beyond(0)).collect()
    }
}

impl Outbox {
    fn push(&mut self, envelope: &Envelope) -> Result<(), Loss> {
        self.wanted = true;
        match self.state {
            State::Down => return Err(Loss::Unreachable),
            State::Resting => self.state = State::Opening,
            State::Opening | State::Open => {}
        }
        if self.messages >= MOST_MESSAGES || self.bytes >= MOST_BYTES {
            return Err(Loss::Full);
        }
        let waiting = &mut self.services[envelope.message.service() as usize];
        let before = waiting.frames.len();
        if let Err(error) = wire::encode(envelope, &mut waiting.frames) {
            tracing::error!("message {} cannot be sent: {error}", envelope.id);
            return Err(Loss::Full);
        }
        let length = waiting.frames.len() - before;
        waiting.ids.push((envelope.id, length));
        (self.messages, self.bytes) = (self.messages + 1, self.bytes + length);
        Ok(())
    }

    /// Takes all that waits.
    fn take(&mut self) -> Vec<Batch> {
        (self.messages, self.bytes, self.wanted) = (0, 0, false);
        let waiting = self.services.iter_mut().enumerate().filter(|(_, it)| !it.ids.is_empty());
        waiting
            .map(|(service, it)| Batch {
                service,
                frames: it.frames.split().freeze(),
                ids: std::mem::take(&mut it.ids),
            })
            .collect()
    }
}

/// The task of one peer. It ends when the site is closed.
pub(super) async fn keep(site: Arc<Site>, peer: Arc<Peer>) {
    tokio::select! {
        // No connection is of use when the other one is cancelled.
        () = site.stop.cancelled() => drop(peer.shut()),
        () = keep_trying(&site, &peer) => {}
    }
}

async fn keep_trying(site: &Site, peer: &Peer) {
    let mut back_off = BackOff::new(site.life ^ u64::from(peer.id.number()));
    // Whether the log says that it cannot be reached.
    let mut outage = false;
    loop {
        peer.wanted().await;
        let why = match dial_until_answered(site, peer, outage).await {
            Ok((call, told)) => {
                if std::mem::take(&mut outage) {
                    tracing::info!("{}: {} can be reached again", site.me, peer.id);
                }
                let since = Instant::now();
                let why = converse(site, peer, call, told).await;
                if since.elapsed() >= SUCCESS {
                    back_off.reset();
                }
                why
            }
            Err(why) => Some(why),
        };
        let lost = peer.shut();
        site.lost(peer.id, lost).await;
        if let Some(why) = why
            && !std::mem::replace(&mut outage, true)
        {
            tracing::warn!("{}: {} cannot be reached: {why}", site.me, peer.id);
        }
        tokio::select! {
            () = tokio::time::sleep(back_off.pause()) => {}
            () = peer.hurry.notified() => {}
        }
    }
}

/// Dials the peer, and anew if it turns out that it has just started, or moved: a process does not
/// answer what was sent to it before it was there, and QUIC repeats that ever more slowly.
async fn dial_until_answered(
    site: &Site,
    peer: &Peer,
    doubtful: bool,
) -> Result<(Call, Book), CallError> {
    let mut book = site.book.subscribe();
    loop {
        let version = book.borrow_and_update().version(peer.id);
        let moved = async {
            tokio::time::sleep(STUCK).await;
            let _ = book.wait_for(|book| book.version(peer.id) != version).await;
        };
        tokio::select! {
            dialled = dial(site, peer, doubtful) => return dialled,
            () = moved => {}
        }
    }
}

/// Waits until a handshake may begin, and says for how long it may keep others waiting. A crowd of
/// handshakes at once, as in a large cluster that starts, would take so long that all of them fail,
/// and then again and again: so those that have failed before are given fewer places. But whoever
/// has been heard of is there.
async fn turn<'a>(
    site: &'a Site,
    peer: &Peer,
    doubtful: bool,
) -> (Option<SemaphorePermit<'a>>, Duration) {
    if doubtful {
        tokio::select! {
            turn = site.doubtful_turns.acquire() => return (turn.ok(), ATTEMPT),
            () = peer.hurry.notified() => {}
        }
    }
    (site.turns.acquire().await.ok(), TURN)
}

/// Dials the peer. Returns, too, what the greetings have told both sides about addresses.
async fn dial(site: &Site, peer: &Peer, doubtful: bool) -> Result<(Call, Book), CallError> {
    let id = peer.id;
    let Some(address) = site.book.borrow().get(id) else {
        return Err(CallError::Broken("its address is not known".to_owned()));
    };
    let (config, name) = (site.dialling.clone(), site.cluster.node(id));
    let (turn, patience) = turn(site, peer, doubtful).await;
    let hello = site.hello();
    let whom = (address, name.as_str());
    let mut visit = pin!(visit(&site.endpoint, config, whom, &hello, ATTEMPT));
    let visited = timeout(patience, &mut visit).await;
    drop(turn);
    let (call, welcome) = match visited {
        Ok(visited) => visited?,
        Err(_) => visit.await?,
    };
    site.learn(&welcome.book, Some((id, address.ip())));
    let mut told = Book::new();
    told.note_all(hello.book.iter().chain(&welcome.book));
    Ok((call, told))
}

/// Sends what there is to send until the connection ends. Says why it did; nothing if that was our
/// own wish.
async fn converse(site: &Site, peer: &Peer, call: Call, told: Book) -> Option<CallError> {
    let Call { connection, send, answers } = call;
    let version = site.book.borrow().version(peer.id);
    lock(&peer.outbox).state = State::Open;
    lock(&site.dialled).insert(peer.id, connection.clone());
    let (lost, (), ()) = tokio::join!(
        pump(peer, &connection),
        gossip::gossip(site, peer.id, &connection, (send, answers), told),
        watch_moves(site, peer.id, version, &connection),
    );
    lock(&site.dialled).remove(&peer.id);
    site.lost(peer.id, lost).await;
    match connection.close_reason() {
        Some(ConnectionError::LocallyClosed) | None => None,
        Some(reason) => Some(broken(&reason)),
    }
}

/// Closes the connection when its other end is known to be one that is no more.
async fn watch_moves(site: &Site, id: NodeId, version: u64, connection: &Connection) {
    let mut book = site.book.subscribe();
    while book.borrow_and_update().version(id) <= version {
        tokio::select! {
            _ = connection.closed() => return,
            changed = book.changed() => if changed.is_err() { return },
        }
    }
    close::MOVED.on(connection, "you have started anew, or moved");
}

/// Writes what waits, over and over. Returns what could not be written when the connection ended.
async fn pump(peer: &Peer, connection: &Connection) -> Vec<MsgId> {
    let mut streams: [Option<SendStream>; SERVICES] = std::array::from_fn(|_| None);
    loop {
        tokio::select! {
            () = peer.wanted() => {}
            _ = connection.closed() => return Vec::new(),
        }
        let mut batches = lock(&peer.outbox).take().into_iter();
        while let Some(batch) = batches.next() {
            if let Err(written) = write(connection, &mut streams[batch.service], &batch).await {
                close::DONE.on(connection, "");
                let mut lost: Vec<MsgId> = batch.beyond(written).collect();
                batches.for_each(|batch| lost.extend(batch.beyond(0)));
                return lost;
            }
        }
    }
}

/// Writes a batch to the stream of its service, which is opened if it is not.
///
/// # Errors
/// The connection is gone; so many bytes had been taken by then.
async fn write(
    connection: &Connection,
    stream: &mut Option<SendStream>,
    batch: &Batch,
) -> Result<(), usize> {
    let stream = match stream {
        Some(stream) => stream,
        None => stream.insert(connection.open_uni().await.map_err(|_| 0_usize)?),
    };
    let mut left = [batch.frames.clone()];
    while !left[0].is_empty() {
        let written = stream.write_chunks(&mut left).await;
        written.map_err(|_| batch.frames.len() - left[0].len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::proto::{Message, ping};

    fn envelope(number: u64) -> Envelope {
        let id = MsgId(MsgId::first(NodeId::node(1), 1).0 + number);
        let message = Message::Ping(ping::Message::Ball { throws: number });
        Envelope { id, stamp: Time(number), message }
    }

    #[test]
    fn a_queue_takes_messages_up_to_its_limit() {
        let peer = Peer::new(NodeId::node(2));
        for number in 1..=MOST_MESSAGES as u64 {
            assert_eq!(peer.send(&envelope(number)), Ok(()), "{number}");
        }
        assert_eq!(peer.send(&envelope(0)), Err(Loss::Full));
        assert_eq!(peer.shut().len(), MOST_MESSAGES);
        assert_eq!(peer.send(&envelope(0)), Err(Loss::Unreachable), "it is down now");
        assert_eq!(peer.shut(), []);
    }

    #[test]
    fn only_messages_that_were_not_written_whole_are_lost() {
        let mut outbox = Peer::new(NodeId::node(2)).outbox.into_inner().unwrap();
        (1..=3).for_each(|number| outbox.push(&envelope(number)).unwrap());
        let batch = outbox.take().remove(0);
        let ends: Vec<usize> =
            (1..=3).map(|n| batch.ids[..n].iter().map(|(_, length)| length).sum()).collect();
        assert_eq!(ends[2], batch.frames.len());
        let lost = |written: usize| batch.beyond(written).count();
        assert_eq!([lost(0), lost(ends[0] - 1), lost(ends[0]), lost(ends[1] + 1)], [3, 3, 2, 1]);
        assert_eq!(lost(ends[2]), 0);
    }
}
