//! Two processes: messages a second, and how long a message takes there and back.

use crate::Latency;
use crate::node::{Node, Site, introduce, runtime};
use crate::raw;
use bytes::{Bytes, BytesMut};
use netsplit::base::{Ballot, CallId, Entry, MsgId, NodeId, Op, Span, Time};
use netsplit::event::Loss;
use netsplit::live::control::{Envelope, Inbox, Link};
use netsplit::live::disk::Medium;
use netsplit::live::quic::{Book, Quic};
use netsplit::live::wire;
use netsplit::plan::{Plan, Services};
use netsplit::proto::{Message, multipaxos};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

/// How long each figure is measured.
pub(crate) const LONG: Duration = Duration::from_millis(1_500);
/// What goes before: connections are opened, and find out how fast they may be.
pub(crate) const WARM_UP: Duration = Duration::from_millis(300);

const A: NodeId = NodeId::node(1);
const B: NodeId = NodeId::node(2);

pub(crate) fn run() {
    println!("Two processes on loopback: messages a second, and there and back in microseconds");
    println!("{:<26} {:>6} {:>12} {:>9} {:>9}", "", "bytes", "messages/s", "p50", "p99");
    for size in [64, 256] {
        let envelope = envelope(size);
        // All of them put the same head before it.
        let bytes = Bytes::from(frame(&envelope)).slice(size_of::<u32>()..);
        let row = |name: &str, rate: f64, latency: Latency| {
            let micros = |span: Duration| span.as_secs_f64() * 1e6;
            let (p50, p99) = (micros(latency.p50), micros(latency.p99));
            let size = bytes.len() + size_of::<u32>();
            println!("{name:<26} {size:>6} {rate:>12.0} {p50:>9.1} {p99:>9.1}");
        };
        let site = Arc::new(Site::found(&[A, B]));
        row("netsplit's link", pour(&site, &envelope), echo(&site, &envelope));
        let latency = raw::quic_echo(&site, (A, B), &bytes);
        for (name, batch) in [("quinn, 256 a write", 256), ("quinn, 1 a write", 1)] {
            row(name, raw::quic_pour(&site, (A, B), &bytes, batch), latency);
        }
        let latency = raw::tcp_echo(&bytes);
        for (name, batch) in [("TCP, 256 a write", 256), ("TCP, 1 a write", 1)] {
            row(name, raw::tcp_pour(&bytes, batch), latency);
        }
    }
    println!();
    println!("Two agents that throw balls to each other, through all but the disk");
    println!("{:<26} {:>12} {:>16}", "", "messages/s", "mean, there+back");
    for balls in [1, 16, 256] {
        let rate = agents(balls);
        let both = 2.0 * f64::from(balls) / rate * 1e6;
        println!("{:<26} {rate:>12.0} {both:>13.1} µs", format!("{balls} in the air"));
    }
    println!();
}

/// A vote that is asked for: the message that a log sends most, of about so many bytes.
fn envelope(size: usize) -> Envelope {
    let entry = |length: usize| {
        let call = CallId { client: NodeId::client(1), seq: 1 << 32 | 12_345 };
        let value = "x".repeat(length).parse().expect("it is a name");
        Arc::new(Entry { call, op: Op::Propose { value } })
    };
    let of = |lengths: &[usize]| {
        let entries = lengths.iter().map(|length| entry(*length)).collect();
        let (ballot, commit, first) = (Ballot::new(1, A), 100_000, 100_001);
        let message = multipaxos::Message::Accept { ballot, commit, first, entries };
        let id = MsgId::first(A, 1).next();
        Envelope { id, stamp: Time(3_600_000_000), message: Message::Log(message) }
    };
    let shapes = (1..=64).flat_map(|length| (1..=4).map(move |count| vec![length; count]));
    let near = |lengths: &Vec<usize>| frame(&of(lengths)).len().abs_diff(size);
    of(&shapes.min_by_key(near).expect("there are some"))
}

fn frame(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    wire::encode(envelope, &mut bytes).expect("it is short");
    bytes.to_vec()
}

/// Runs the two ends on threads of their own, and returns what the first one does. `b` runs until
/// `a` has ended.
pub(crate) fn both<T>(a: impl AsyncFnOnce() -> T, b: impl AsyncFnOnce() + Send) -> T {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            runtime().block_on(async {
                tokio::select! {
                    () = b() => {}
                    _ = ended => {}
                }
            });
        });
        let result = runtime().block_on(a());
        drop(end);
        result
    })
}

/// Counts for [`LONG`], after a while.
pub(crate) async fn rate(count: &AtomicU64) -> f64 {
    tokio::time::sleep(WARM_UP).await;
    let (before, since) = (count.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(LONG).await;
    let sent = count.load(Ordering::Relaxed) - before;
    sent as f64 / since.elapsed().as_secs_f64()
}

/// Sends as fast as the link takes it.
fn pour(site: &Site, envelope: &Envelope) -> f64 {
    let count = AtomicU64::new(0);
    with_links(
        site,
        async |mut link, _| {
            tokio::select! {
                rate = rate(&count) => rate,
                () = send_all(&mut link, envelope) => 0.0,
            }
        },
        async |_, mut inbox| {
            let mut taken = Vec::new();
            while inbox.recv_many(&mut taken, 256).await > 0 {
                count.fetch_add(
                    taken.drain(..).filter_map(arrived).count() as u64,
                    Ordering::Relaxed,
                );
            }
        },
    )
}

async fn send_all(link: &mut Quic, envelope: &Envelope) {
    loop {
        for _ in 0..256 {
            if link.send(B, envelope.clone()) == Err(Loss::Full) {
                // Several milliseconds' worth waits now.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Sends one message, waits for the answer, and so on.
fn echo(site: &Site, envelope: &Envelope) -> Latency {
    with_links(
        site,
        async |mut link, mut inbox| {
            let mut spans = Vec::new();
            let begin = Instant::now();
            while begin.elapsed() < WARM_UP + LONG {
                let since = Instant::now();
                let _ = link.send(B, envelope.clone());
                if back(&mut inbox).await.is_some() && begin.elapsed() > WARM_UP {
                    spans.push(since.elapsed());
                }
            }
            Latency::of(spans)
        },
        async |mut link, mut inbox| {
            let mut id = MsgId::first(B, 1);
            while let Some(item) = inbox.recv().await {
                if let Some(envelope) = arrived(item) {
                    id = id.next();
                    let _ = link.send(A, Envelope { id, ..envelope });
                }
            }
        },
    )
}

async fn back(inbox: &mut Receiver<Inbox>) -> Option<Envelope> {
    let next = async { inbox.recv().await.and_then(arrived) };
    tokio::time::timeout(Duration::from_millis(200), next).await.ok().flatten()
}

fn arrived(item: Inbox) -> Option<Envelope> {
    match item {
        Inbox::Arrived { envelope, .. } => Some(envelope),
        _ => None,
    }
}

/// Two ends of netsplit's own link.
fn with_links<T>(
    site: &Site,
    a: impl AsyncFnOnce(Quic, Receiver<Inbox>) -> T,
    b: impl AsyncFnOnce(Quic, Receiver<Inbox>) + Send,
) -> T {
    let (say, other) = std::sync::mpsc::sync_channel(1);
    let b = async || {
        let (link, endpoint, _inbox, out) = site.open(B, Book::new());
        say.send(Arc::new(endpoint)).expect("it waits");
        b(link, out).await;
    };
    let a = async || {
        let (link, endpoint, _inbox, out) = site.open(A, Book::new());
        let other = other.recv().expect("it starts");
        introduce(&[(A, &endpoint), (B, &other)]);
        a(link, out).await
    };
    both(a, b)
}

/// Messages a second between two agents, with so many balls in the air.
fn agents(balls: u32) -> f64 {
    let site = Arc::new(Site::found(&[A, B]));
    let start = |me, width, book| {
        let services = Services { ping: Some(width), ..Services::default() };
        let plan = Plan { services, ..Plan::bare(2) };
        let medium = Medium::Memory { fastest: Span::ZERO, slowest: Span::ZERO };
        Node::start(&site, plan.setup(me), medium, book)
    };
    // The second only catches and throws back, and must be there when the first one begins.
    let b = start(B, 0, Book::new());
    std::thread::sleep(WARM_UP);
    let mut book = Book::new();
    book.put(B, b.endpoint.address());
    let a = start(A, balls, book);
    let received = || [&a, &b].map(|node| node.counters.received.load(Ordering::Relaxed));
    std::thread::sleep(WARM_UP);
    let (before, since) = (received(), Instant::now());
    std::thread::sleep(LONG);
    let count: u64 = received().iter().zip(before).map(|(now, before)| now - before).sum();
    let rate = count as f64 / since.elapsed().as_secs_f64();
    a.stop();
    b.stop();
    rate
}
