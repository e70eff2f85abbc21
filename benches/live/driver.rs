//! Clients that ask, wait for the answer, and ask again at once.
//!
//! The clients of a plan ask a thousand times a second at the most, and one process each of them
//! would be measured, too. So here one process speaks for all: each client has a name, numbers its
//! calls, has one call under way, and repeats it under the same number when no answer comes, as
//! `proto::client` does. The nodes see what they see of clients in processes of their own, except
//! that all of them share one connection to each node.

use crate::Latency;
use crate::node::Site;
use netsplit::base::{CallId, LockMode, MsgId, Name, NodeId, Op, Outcome, Span, Time, Token};
use netsplit::live::control::{Envelope, Inbox, Link};
use netsplit::live::quic::{Book, Endpoint, Quic};
use netsplit::proto::{Message, client, server};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

/// The process that speaks for all clients.
pub(crate) const ALL: NodeId = NodeId::client(1);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a lock is asked for: far longer than it is kept.
const TTL: Span = Span::secs(30);

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Each appends to the log.
    Propose,
    /// Each takes a lock of its own and gives it back.
    Lock,
}

/// One client.
struct Client {
    id: NodeId,
    /// Which node it asks.
    node: NodeId,
    name: Name,
    seq: u64,
    op: Option<Arc<Op>>,
    asked: Instant,
    /// When the cycle of which the call is part began.
    began: Instant,
}

/// What they have done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Entries appended, or locks taken and given back.
    pub(crate) cycles: u64,
    /// Calls that were answered otherwise than hoped.
    pub(crate) failed: u64,
    /// Calls that had to be repeated.
    pub(crate) repeated: u64,
    pub(crate) spans: Vec<Duration>,
}

impl Done {
    pub(crate) fn latency(&mut self) -> Latency {
        Latency::of(std::mem::take(&mut self.spans))
    }
}

/// All of them.
pub(crate) struct Driver {
    pub(crate) endpoint: Endpoint,
    link: Quic,
    inbox: Receiver<Inbox>,
    clients: Vec<Client>,
    msg: MsgId,
    load: Load,
    /// Whether a client whose cycle is over begins another.
    goes_on: bool,
}

impl Driver {
    /// Up to `most` clients, who ask the nodes in turn. Must be called within a runtime.
    pub(crate) fn new(site: &Site, nodes: &[NodeId], most: u16) -> Driver {
        let (link, endpoint, _, inbox) = site.open(ALL, Book::new());
        let client = |number: u16| Client {
            id: NodeId::client(number),
            node: nodes[usize::from(number - 1) % nodes.len()],
            name: format!("lock-{number}").parse().expect("it is a name"),
            seq: 0,
            op: None,
            asked: Instant::now(),
            began: Instant::now(),
        };
        let clients = (1..=most).map(client).collect();
        let (load, goes_on) = (Load::Propose, false);
        Driver { endpoint, link, inbox, clients, msg: MsgId::first(ALL, 1), load, goes_on }
    }

    /// Has the first `count` clients begin.
    pub(crate) fn begin(&mut self, load: Load, count: usize) {
        (self.load, self.goes_on) = (load, true);
        for index in 0..count {
            self.first(index);
        }
    }

    /// Lets them go on for a while.
    pub(crate) async fn go(&mut self, span: Duration) -> Done {
        let mut done = Done::default();
        let end = tokio::time::Instant::now() + span;
        let mut items = Vec::new();
        let mut tick = tokio::time::interval(PATIENCE / 4);
        loop {
            tokio::select! {
                _ = self.inbox.recv_many(&mut items, 256) => {}
                _ = tick.tick() => done.repeated += self.repeat(),
                () = tokio::time::sleep_until(end) => return done,
            }
            for item in items.drain(..) {
                self.take(item, &mut done);
            }
        }
    }

    /// Lets everybody come to an end.
    pub(crate) async fn finish(&mut self) {
        self.goes_on = false;
        for _ in 0..100 {
            if self.clients.iter().all(|client| client.op.is_none()) {
                return;
            }
            self.go(Duration::from_millis(50)).await;
        }
    }

    fn first(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.began = Instant::now();
        let op = match self.load {
            Load::Propose => Op::Propose { value: client.name.clone() },
            Load::Lock => {
                Op::Acquire { lock: client.name.clone(), ttl: TTL, mode: LockMode::Alone }
            }
        };
        self.ask(index, op);
    }

    fn ask(&mut self, index: usize, op: Op) {
        let client = &mut self.clients[index];
        client.seq += 1;
        client.op = Some(Arc::new(op));
        self.send(index, 0);
    }

    fn send(&mut self, index: usize, retry: u32) {
        let Client { id, node, seq, asked, op, .. } = &mut self.clients[index];
        let Some(op) = op else { return };
        *asked = Instant::now();
        self.msg = self.msg.next();
        let call = CallId { client: *id, seq: *seq };
        let request = server::Message::Request { call, op: Arc::clone(op), retry };
        let envelope = Envelope { id: self.msg, stamp: Time::ZERO, message: request.into() };
        // What is lost is repeated.
        let _ = self.link.send(*node, envelope);
    }

    fn repeat(&mut self) -> u64 {
        let late = |client: &Client| client.op.is_some() && client.asked.elapsed() > PATIENCE;
        let late: Vec<usize> =
            (0..self.clients.len()).filter(|n| late(&self.clients[*n])).collect();
        late.iter().for_each(|index| self.send(*index, 1));
        late.len() as u64
    }

    fn take(&mut self, item: Inbox, done: &mut Done) {
        let Inbox::Arrived { envelope, .. } = item else { return };
        let Message::Client(client::Message::Response { call, outcome }) = envelope.message else {
            return;
        };
        let index = usize::from(call.client.number() - 1);
        let Some(client) = self.clients.get_mut(index).filter(|client| client.seq == call.seq)
        else {
            return;
        };
        match (client.op.take().as_deref(), outcome) {
            (Some(Op::Acquire { lock, .. }), Outcome::Granted { token }) => {
                let lock = lock.clone();
                return self.give_back(index, lock, token);
            }
            (Some(Op::Propose { .. }), Outcome::Chosen { .. })
            | (Some(Op::Release { .. }), Outcome::Done) => {
                done.cycles += 1;
                done.spans.push(client.began.elapsed());
            }
            (None, _) => return,
            _ => done.failed += 1,
        }
        if self.goes_on {
            self.first(index);
        }
    }

    fn give_back(&mut self, index: usize, lock: Name, token: Token) {
        self.ask(index, Op::Release { lock, token });
    }
}
