//! Transactions that clients open, work in and end, on the replicated log: begin, get, set, commit,
//! abort, at a level of isolation.
//!
//! **What it guarantees.** Nobody sees a write before it is committed, but by asking for that
//! (`read-uncommitted`); an abort leaves no trace; what has ended stays ended (TX-1 to TX-3). A
//! commit whose answer was lost can be asked for again, and whoever does is told how it ended, as
//! long as the client has begun no other transaction (TX-4). Each level keeps away what it promises
//! to: see the table.
//!
//! **Roles.** A client has at most one transaction, named by the call that began it. Every node
//! takes its requests and hands them to the log. What they do is part of the machine on the log
//! ([`table`]), which has all *versions* of a key that an open transaction may read: so readers
//! wait for nobody, and nobody for them. Writes are a draft of the transaction's own until it
//! commits; then all of them take effect in one slot of the log.
//!
//! ```text
//!  c1                          c2                     log
//!  │── begin snapshot ────────────────────────────────> slot 5: sees what is committed up to 5
//!  │                           │── begin, set x=2, commit > slot 9: x=2 is a new version
//!  │── get x ─────────────────────────────────────────> the version before slot 5
//!  │── set x=3, commit ───────────────────────────────> x has a version after slot 5: abort
//! ```
//!
//! | level | a read sees | may commit | keeps away |
//! |---|---|---|---|
//! | `read-uncommitted` | the newest draft | always | nothing but torn writes (G0) |
//! | `read-committed` | the newest version | always | dirty reads (G1) |
//! | `snapshot` | versions of its begin | if no key that it wrote has a newer version | also lost updates, read skew (G-single) |
//! | `serializable` | the same | if it only read, or no key that it read has a newer version | also write skew, and what only readers notice (G2) |
//!
//! **Why that is serializable.** There are no locks, and nobody guesses: the log's order decides. A
//! transaction that only reads is as old as its begin, and always commits. One that writes is as
//! young as its commit: all that it has read is current then, or it aborts (backward validation,
//! with the log in the place of the critical section). So each has one slot in which all of it
//! could have happened at once, and the order of these slots explains everything. That slot lies
//! between the begin and the end: the order agrees with real time, too.
//!
//! The leader of the log watches the clock: a transaction of which nothing was asked for
//! `idle_timeout` is aborted by an entry that says up to which slot nothing was, so that a request
//! which the log orders first wins (TX-5).
//!
//! **Sources.** Berenson et al. 1995, *A critique of ANSI SQL isolation levels* · Adya 1999, *Weak
//! consistency*, chapters 3 and 4 (G0 to G2) · Kung and Robinson 1981, *On optimistic methods for
//! concurrency control*, section 4 (backward validation) · Reed 1978 (versions) · Fekete, O'Neil
//! and O'Neil 2004, *A read-only transaction anomaly under snapshot isolation*.
//!
//! **What is left out.** Locks: whoever loses aborts, and nobody waits. Serializable snapshots as
//! in Cahill et al. 2008, which abort less often. Predicates (phantoms): there are no ranges to
//! read. Keys of the ring, and those of plain puts: these are the transactions' own.

pub mod table;

use super::{Context, Protocol, Ticket};
use crate::base::{
    CallId, Isolation, Mutation, Mutations, NodeId, Op, Outcome, Refusal, ServiceId, Slot, Span,
    TxOp,
};
use crate::event::{Fact, TxFact};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How long an `expire` may stay without effect before it is repeated.
const RETRY: Span = Span::millis(250);

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The level of transactions that do not say one.
    pub level: Isolation,
    /// After how long an idle transaction is aborted.
    pub idle_timeout: Span,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// What it sends: nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {}

impl fmt::Display for Message {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// This client's transaction has been idle.
    Idle(NodeId),
}

/// What it writes: nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Tx {
    config: Config,
    leads: bool,
    /// The open transaction of each client, and the slot in which something was asked of it last.
    open: BTreeMap<NodeId, (u64, Slot)>,
    /// Whom the log's answers are for, by key; nobody for an `expire` of this node's own.
    asked: BTreeMap<u64, Ticket>,
    last_key: u64,
}

impl Protocol for Tx {
    const ID: ServiceId = ServiceId::Txn;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], _: &mut Context<'_, Self>) -> Self {
        let (open, asked) = (BTreeMap::new(), BTreeMap::new());
        Tx { config, leads: false, open, asked, last_key: 0 }
    }

    fn message(&mut self, _: NodeId, message: Message, _: &mut Context<'_, Self>) {
        match message {}
    }

    /// As the leader: has the log abort it. Repeated until the log did something about it.
    fn timer(&mut self, Timer::Idle(client): Timer, cx: &mut Context<'_, Self>) {
        let idle = self.leads && !self.config.mutations.has(Mutation::TxNoExpiry);
        let Some((tx, since)) = self.open.get(&client).copied().filter(|_| idle) else { return };
        let (call, op) = (cx.new_call(), Op::Tx(TxOp::Expire { client, tx, since }));
        self.last_key += 1;
        cx.call(ServiceId::Log, self.last_key, call, op);
        cx.set(Timer::Idle(client), RETRY);
    }

    fn timer_name(_: Timer) -> &'static str {
        "idle"
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        let op = match op {
            Op::Tx(_) if !call.client.is_client() => {
                return cx.reply(ticket, Outcome::Refused(Refusal::OnlyClients));
            }
            Op::Tx(TxOp::Begin { level }) => {
                Op::Tx(TxOp::Begin { level: level.or(Some(self.config.level)) })
            }
            Op::Tx(
                TxOp::Get { .. } | TxOp::Set { .. } | TxOp::Commit { .. } | TxOp::Abort { .. },
            ) => op,
            _ => return cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        };
        self.last_key += 1;
        self.asked.insert(self.last_key, ticket);
        cx.call(ServiceId::Log, self.last_key, call, op);
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Context<'_, Self>) {
        if let Some(ticket) = self.asked.remove(&key) {
            cx.reply(ticket, outcome);
        }
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Context<'_, Self>) {
        match fact {
            Fact::Leads { .. } if !self.leads => {
                self.leads = true;
                self.open.keys().for_each(|client| self.watch(*client, cx));
            }
            Fact::Follows { .. } | Fact::Seeks { .. } => {
                self.leads = false;
                self.open.keys().for_each(|client| cx.cancel(Timer::Idle(*client)));
            }
            Fact::Tx(TxFact::All { open, .. }) => {
                let is_open =
                    |client: &NodeId, seq| open.contains(&CallId { client: *client, seq });
                self.open.retain(|client, (seq, _)| is_open(client, *seq));
            }
            Fact::Tx(TxFact::Opens { slot, open }) => {
                self.open.insert(open.tx.client, (open.tx.seq, *slot));
                self.watch(open.tx.client, cx);
            }
            Fact::Tx(TxFact::Commits { tx, .. } | TxFact::Aborts { tx, .. })
                if self.open.get(&tx.client).is_some_and(|(open, _)| *open == tx.seq) =>
            {
                self.open.remove(&tx.client);
                cx.cancel(Timer::Idle(tx.client));
            }
            Fact::Applies { slot, entry, .. } => {
                if let Op::Tx(TxOp::Get { tx, .. } | TxOp::Set { tx, .. }) = entry.op {
                    self.asks(*slot, CallId { seq: tx, ..entry.call }, cx);
                }
            }
            _ => {}
        }
    }

    fn restate(&self, _: &mut Context<'_, Self>) {}
}

impl Tx {
    /// Something was asked of a transaction.
    fn asks(&mut self, slot: Slot, tx: CallId, cx: &mut Context<'_, Self>) {
        let open = self.open.get_mut(&tx.client).filter(|(open, _)| *open == tx.seq);
        if let Some((_, last)) = open {
            *last = slot;
            self.watch(tx.client, cx);
        }
    }

    fn watch(&self, client: NodeId, cx: &mut Context<'_, Self>) {
        if self.leads {
            cx.set(Timer::Idle(client), self.config.idle_timeout);
        }
    }
}
