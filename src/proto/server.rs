//! The door of a node: takes clients' requests and hands them to the service in charge.
//!
//! **What it guarantees.** A request that is repeated while this node works on it is not started
//! twice: its answer goes to whoever asked last. It guarantees nothing else. A request may be
//! started again after it was answered, or at another node, so each service recognises a call that
//! it has seen ([`CallId`]).
//!
//! **Roles.** A client (service `client`) asks any node. The node's server finds the sibling for
//! the operation, and sends back what the sibling answers.
//!
//! ```text
//!  c1                         n2: server                    n2: store
//!  │── Request c1/7 put x=5 ──>│── call ─────────────────────>│
//!  │── Request c1/7 (retry) ──>│   (known, not started again) │ … asks the owner of x
//!  │<─────── Response c1/7 ────│<───────────────────── reply ─│
//! ```
//!
//! What the workbench asks of a node (`n1 leave n3`) comes in by the same door, with the node as
//! its own client.
//!
//! **Sources.** Birrell and Nelson, *Implementing remote procedure calls* (1984), section 4: call
//! identifiers that survive retransmission.
//!
//! **What is left out.** Back pressure and admission: a node takes every request.

use super::{Context, Protocol, Ticket, client};
use crate::base::{CallId, FileOp, NodeId, Op, Outcome, Refusal, ServiceId, Span, Time};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a request that nobody repeats is remembered while it has no answer. After that a
    /// repetition starts it anew.
    pub keep: Span,
    /// Who takes proposals: the single decree, or the log where there is none.
    pub proposals: ServiceId,
    /// Who takes reads and writes of keys: the store, or the log where there is none.
    pub keys: ServiceId,
}

/// What a client sends to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A client asks for an operation.
    Request {
        /// Which of the client's calls; a retry has the same.
        call: CallId,
        /// What is asked for.
        op: Arc<Op>,
        /// How often the client asked before.
        retry: u32,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Request { call, op, retry: 0 } => write!(f, "Request {call} {op}"),
            Message::Request { call, op, retry } => write!(f, "Request {call} {op} retry {retry}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// It is time to look for requests that were kept for too long.
    Sweep,
}

/// What it writes: nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Pending {
    /// The sibling answers with this.
    key: u64,
    /// Who gets the answer; none if the workbench asked.
    asker: Option<NodeId>,
    /// When it was last asked for, by the node's own clock.
    asked: Time,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Server {
    keep: Span,
    proposals: ServiceId,
    keys: ServiceId,
    last_key: u64,
    pending: BTreeMap<CallId, Pending>,
    calls: BTreeMap<u64, CallId>,
}

impl Protocol for Server {
    const ID: ServiceId = ServiceId::Server;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], _: &mut Context<'_, Self>) -> Self {
        let (pending, calls) = (BTreeMap::new(), BTreeMap::new());
        let Config { keep, proposals, keys } = config;
        Server { keep, proposals, keys, last_key: 0, pending, calls }
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let Message::Request { call, op, .. } = message;
        self.take(Some(from), call, Op::clone(&op), cx);
    }

    fn timer(&mut self, Timer::Sweep: Timer, cx: &mut Context<'_, Self>) {
        let old = |pending: &Pending| cx.now().since(pending.asked) >= self.keep;
        let forgotten: Vec<CallId> =
            self.pending.iter().filter(|(_, p)| old(p)).map(|(call, _)| *call).collect();
        for call in forgotten {
            if let Some(Pending { key, asker, .. }) = self.pending.remove(&call) {
                self.calls.remove(&key);
                Self::answer(call, asker, Outcome::Unknown, cx);
            }
        }
        if !self.pending.is_empty() {
            cx.set(Timer::Sweep, self.keep);
        }
    }

    fn timer_name(Timer::Sweep: Timer) -> &'static str {
        "sweep"
    }

    fn request(&mut self, _: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        let at = cx.me();
        cx.emit(Fact::Invokes { call, op: Arc::new(op.clone()), at, retry: 0 });
        self.take(None, call, op, cx);
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Context<'_, Self>) {
        let Some(call) = self.calls.remove(&key) else { return };
        if let Some(Pending { asker, .. }) = self.pending.remove(&call) {
            Self::answer(call, asker, outcome, cx);
        }
        if self.pending.is_empty() {
            cx.cancel(Timer::Sweep);
        }
    }

    fn restate(&self, _: &mut Context<'_, Self>) {}
}

impl Server {
    fn take(&mut self, asker: Option<NodeId>, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        let asked = cx.now();
        if let Some(pending) = self.pending.get_mut(&call) {
            (pending.asker, pending.asked) = (asker, asked);
            return;
        }
        let Some(service) = self.in_charge(&op) else {
            return Self::answer(call, asker, Outcome::Refused(Refusal::NoService), cx);
        };
        if self.pending.is_empty() {
            cx.set(Timer::Sweep, self.keep);
        }
        self.last_key += 1;
        let key = self.last_key;
        self.calls.insert(key, call);
        self.pending.insert(call, Pending { key, asker, asked });
        cx.call(service, key, call, op);
    }

    fn answer(call: CallId, asker: Option<NodeId>, outcome: Outcome, cx: &mut Context<'_, Self>) {
        match asker {
            Some(client) => cx.send_other(client, client::Message::Response { call, outcome }),
            None => cx.emit(Fact::Returns { call, outcome: Box::new(outcome) }),
        }
    }
}

impl Server {
    /// The service that answers for an operation; none if nobody may ask for it from outside.
    fn in_charge(&self, op: &Op) -> Option<ServiceId> {
        match op {
            Op::Acquire { .. }
            | Op::Renew { .. }
            | Op::Release { .. }
            | Op::Write { .. }
            | Op::Session(_) => Some(ServiceId::Lock),
            Op::Get { .. } | Op::Put { .. } | Op::Add { .. } => Some(self.keys),
            Op::Delete { .. } | Op::Survey { .. } | Op::Store { .. } => {
                (self.keys == ServiceId::Store).then_some(self.keys)
            }
            Op::Transfer(_) | Op::Move { .. } | Op::Tx(_) => Some(ServiceId::Txn),
            Op::Propose { .. } => Some(self.proposals),
            Op::Join { .. } | Op::Leave { .. } => Some(ServiceId::Ring),
            Op::Voters { .. } | Op::Lead { .. } => Some(ServiceId::Log),
            Op::Request { .. } | Op::Serve { .. } => Some(ServiceId::Balance),
            Op::File(FileOp::Link { .. } | FileOp::Stat { .. }) => None,
            Op::File(_) => Some(ServiceId::Files),
            _ => None,
        }
    }
}
