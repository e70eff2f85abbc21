//! Addresses, told on the control stream of a connection between nodes while it lasts.

use super::{Book, Site, close, lock};
use crate::base::NodeId;
use crate::live::wire::{self, Peer as Note, Reader, WireError};
use bytes::BytesMut;
use quinn::{Connection, RecvStream, SendStream};
use std::sync::Mutex;
use std::time::Duration;

/// Changes that follow each other faster than this are told together.
const PAUSE: Duration = Duration::from_millis(100);

/// Tells the other side what is new to it, and learns what it tells, until the connection ends.
/// `told` is what the greeting has told it.
pub(super) async fn gossip(
    site: &Site,
    peer: NodeId,
    connection: &Connection,
    (send, mut notes): (SendStream, Reader<RecvStream>),
    told: Book,
) {
    let told = Mutex::new(told);
    let hear = async {
        loop {
            match notes.next::<Note>().await {
                Ok(Note::Book(entries)) => {
                    lock(&told).note_all(entries.iter().filter(|entry| site.knows(entry.id)));
                    site.learn(&entries, Some((peer, connection.remote_address().ip())));
                }
                Err(WireError::Closed | WireError::Io { .. }) => return,
                Err(error) => {
                    let what = format!("{peer} was cut off: {error}");
                    site.complain(connection.remote_address().ip(), &what);
                    return close::MALFORMED.on(connection, &error.to_string());
                }
            }
        }
    };
    tokio::join!(hear, async {
        tokio::select! {
            // The connection is of no use when this one is cancelled.
            _ = connection.closed() => {}
            () = tell(site, send, &told) => {}
        }
    });
}

async fn tell(site: &Site, mut send: SendStream, told: &Mutex<Book>) {
    let mut book = site.book.subscribe();
    let mut bytes = BytesMut::new();
    loop {
        let news = book.borrow_and_update().newer_than(&lock(told));
        if !news.is_empty() {
            lock(told).note_all(&news);
            // Far shorter than a frame may be: a cluster has some hundred processes.
            let _ = wire::encode(&Note::Book(news), &mut bytes);
            if send.write_all(&bytes.split()).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if book.changed().await.is_err() {
            return;
        }
    }
}
