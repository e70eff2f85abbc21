//! A node that has dialled us: what it sends goes to the agent.

use super::{Book, Site, close, gossip, lock};
use crate::base::NodeId;
use crate::live::control::{Envelope, Inbox};
use crate::live::wire::{Reader, WireError};
use quinn::{Connection, RecvStream, SendStream};
use std::sync::Arc;

/// Serves a node that has been let in, until the connection ends. `told` is what the greetings have
/// told both sides about addresses.
pub(super) async fn serve(
    site: &Arc<Site>,
    peer: NodeId,
    connection: Connection,
    control: (SendStream, Reader<RecvStream>),
    told: Book,
) {
    // It is there, so it can be reached.
    if let Some(peer) = site.peers.get(&peer) {
        peer.hurry();
    }
    tokio::join!(
        receive(site, peer, &connection),
        gossip::gossip(site, peer, &connection, control, told),
    );
    let mut arrivals = lock(&site.arrivals);
    if arrivals.get(&peer).is_some_and(|last| last.stable_id() == connection.stable_id()) {
        arrivals.remove(&peer);
    }
}

/// Takes streams, each of which has a reader of its own. QUIC limits how many there are at once.
async fn receive(site: &Arc<Site>, peer: NodeId, connection: &Connection) {
    let mut first = true;
    while let Ok(stream) = connection.accept_uni().await {
        // Not before: one that only asks for addresses takes nobody's place.
        if std::mem::take(&mut first) {
            let before = lock(&site.arrivals).insert(peer, connection.clone());
            if let Some(before) = before {
                close::REPLACED.on(&before, "a newer connection takes its place");
            }
        }
        site.tasks.spawn(read(Arc::clone(site), peer, connection.clone(), Reader::new(stream)));
    }
}

/// Gives the agent what a stream brings, and waits while its inbox is full.
async fn read(
    site: Arc<Site>,
    peer: NodeId,
    connection: Connection,
    mut messages: Reader<RecvStream>,
) {
    let why = loop {
        match messages.next::<Envelope>().await {
            Ok(envelope) if envelope.id.author() != Some(peer) => {
                break format!("message {} is not one of {peer}", envelope.id);
            }
            Ok(envelope) => {
                if site.inbox.send(Inbox::Arrived { from: peer, envelope }).await.is_err() {
                    return;
                }
            }
            Err(WireError::Closed | WireError::Io { .. }) => return,
            Err(error) => break error.to_string(),
        }
    };
    site.complain(connection.remote_address().ip(), &format!("{peer} was cut off: {why}"));
    close::MALFORMED.on(&connection, &why);
}
