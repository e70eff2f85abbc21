//! The same with nothing of ours in between: frames on one stream of quinn's, or of TCP.

use crate::Latency;
use crate::links::{LONG, WARM_UP, both, rate};
use crate::node::Site;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use netsplit::base::NodeId;
use netsplit::live::identity;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn sink<W: AsyncWrite>(to: W) -> FramedWrite<W, LengthDelimitedCodec> {
    let mut sink = FramedWrite::new(to, LengthDelimitedCodec::new());
    sink.set_backpressure_boundary(1 << 20);
    sink
}

fn source<R: AsyncRead>(from: R) -> FramedRead<R, LengthDelimitedCodec> {
    FramedRead::new(from, LengthDelimitedCodec::new())
}

/// Sends the message over and over, `batch` times a write.
async fn pour(to: impl AsyncWrite + Unpin, message: &Bytes, batch: usize) {
    let mut sink = sink(to);
    loop {
        for _ in 0..batch {
            sink.feed(message.clone()).await.expect("the other end is there");
        }
        SinkExt::<Bytes>::flush(&mut sink).await.expect("the other end is there");
        tokio::task::yield_now().await;
    }
}

/// Counts the messages that come.
async fn count(from: impl AsyncRead + Unpin, count: &AtomicU64) {
    let mut source = source(from);
    while source.next().await.is_some_and(|message| message.is_ok()) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Throws a message, and waits until it is back.
async fn throw(
    to: impl AsyncWrite + Unpin,
    from: impl AsyncRead + Unpin,
    message: &Bytes,
) -> Latency {
    let (mut sink, mut source) = (sink(to), source(from));
    let mut spans = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < WARM_UP + LONG {
        let since = Instant::now();
        sink.send(message.clone()).await.expect("the other end is there");
        source.next().await.expect("it comes back").expect("the other end is there");
        if begin.elapsed() > WARM_UP {
            spans.push(since.elapsed());
        }
    }
    Latency::of(spans)
}

/// Throws back what comes.
async fn catch(to: impl AsyncWrite + Unpin, from: impl AsyncRead + Unpin) {
    let (mut sink, mut source) = (sink(to), source(from));
    while let Some(Ok(message)) = source.next().await {
        if sink.send(message.freeze()).await.is_err() {
            return;
        }
    }
}

type Streams = (quinn::SendStream, quinn::RecvStream);

/// Two ends of one stream of QUIC, with the certificates and limits that nodes have.
fn with_quic<T>(
    site: &Site,
    (me, other): (NodeId, NodeId),
    a: impl AsyncFnOnce(Streams) -> T,
    b: impl AsyncFnOnce(Streams) + Send,
) -> T {
    let (mine, theirs) = (site.identity(me), site.identity(other));
    let (say, address) = sync_channel(1);
    let name = theirs.cluster.node(other);
    let b = async || {
        let config = identity::server_config(&theirs).expect("it is a node's");
        let endpoint = quinn::Endpoint::server(config, SocketAddr::from(ANYWHERE));
        let endpoint = endpoint.expect("there is a port");
        say.send(endpoint.local_addr().expect("it listens")).expect("it waits");
        let incoming = endpoint.accept().await.expect("it is open");
        let connection = incoming.await.expect("it is a node");
        identity::admit(&connection);
        b(connection.accept_bi().await.expect("it opens one")).await;
    };
    let a = async || {
        let address: SocketAddr = address.recv().expect("it starts");
        let endpoint =
            quinn::Endpoint::client(SocketAddr::from(ANYWHERE)).expect("there is a port");
        let config = identity::client_config(&mine).expect("it is whole");
        let dialling = endpoint.connect_with(config, address, &name).expect("the address is good");
        let connection = dialling.await.expect("it listens");
        identity::admit(&connection);
        a(connection.open_bi().await.expect("it may have one")).await
    };
    both(a, b)
}

pub(crate) fn quic_pour(site: &Site, ids: (NodeId, NodeId), message: &Bytes, batch: usize) -> f64 {
    let counter = AtomicU64::new(0);
    with_quic(
        site,
        ids,
        async |(to, _from)| {
            tokio::select! {
                rate = rate(&counter) => rate,
                () = pour(to, message, batch) => 0.0,
            }
        },
        async |(_to, from)| count(from, &counter).await,
    )
}

pub(crate) fn quic_echo(site: &Site, ids: (NodeId, NodeId), message: &Bytes) -> Latency {
    with_quic(
        site,
        ids,
        async |(to, from)| throw(to, from, message).await,
        async |(to, from)| catch(to, from).await,
    )
}

/// Two ends of a TCP connection.
fn with_tcp<T>(a: impl AsyncFnOnce(TcpStream) -> T, b: impl AsyncFnOnce(TcpStream) + Send) -> T {
    let (say, address) = sync_channel(1);
    let b = async || {
        let listener = TcpListener::bind(ANYWHERE).await.expect("there is a port");
        say.send(listener.local_addr().expect("it listens")).expect("it waits");
        let (stream, _) = listener.accept().await.expect("it is dialled");
        stream.set_nodelay(true).expect("it is TCP");
        b(stream).await;
    };
    let a = async || {
        let address: SocketAddr = address.recv().expect("it starts");
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is TCP");
        a(stream).await
    };
    both(a, b)
}

pub(crate) fn tcp_pour(message: &Bytes, batch: usize) -> f64 {
    let counter = AtomicU64::new(0);
    with_tcp(
        async |stream| {
            tokio::select! {
                rate = rate(&counter) => rate,
                () = pour(stream, message, batch) => 0.0,
            }
        },
        async |stream| count(stream, &counter).await,
    )
}

pub(crate) fn tcp_echo(message: &Bytes) -> Latency {
    with_tcp(
        async |mut stream| {
            let (from, to) = stream.split();
            throw(to, from, message).await
        },
        async |mut stream| {
            let (from, to) = stream.split();
            catch(to, from).await;
        },
    )
}
