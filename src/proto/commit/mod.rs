//! Transactions across the owners of keys, by two-phase commit.
//!
//! **What it guarantees.** All participants carry the same outcome out (AC-1), and it is never
//! reversed (AC-2). Commit is decided only if all voted yes (AC-3). While nobody is down or cut off
//! and all vote yes, it is commit (AC-4); when everything is repaired, everyone decides (AC-5). A
//! client's call is carried out at most once, whichever nodes it was sent to.
//!
//! **Roles.** The node that is asked for a transfer *coordinates* it. The *participants* are the
//! owners of the two keys. To prepare, a participant has its store put an *intent* on the key: the
//! key is locked, the intent is on the disks of all replicas, and it moves along when the key gets
//! a new owner. Only then does it vote yes. It votes no if the key is locked, if the account has
//! too little, or if the call has been here before. With a yes from both, the coordinator writes
//! the decision down, and only then tells it. Decisions go to whoever owns the key by now, again
//! and again until they are acknowledged.
//!
//! ```text
//! n1 (coordinator)                 n2 (owner of a)      n4 (owner of b)
//! │── Prepare t1.7 a -10 ──────────>│ intent             │
//! │── Prepare t1.7 b +10 ───────────┼───────────────────>│ intent
//! │<──────────────── Vote t1.7 yes ─┤                    │  from here on n2 is *in doubt*
//! │<──────────────── Vote t1.7 yes ─┼────────────────────┤
//! │ writes: t1.7 commits            │                    │
//! │── Commit t1.7 ─────────────────>│ a -= 10, unlocked  │
//! │── Commit t1.7 ──────────────────┼───────────────────>│ b += 10, unlocked
//! │<────────────────────── Ack t1.7 ┤                    │
//! │<────────────────────── Ack t1.7 ┼────────────────────┤
//! │ forgets t1.7                    │                    │
//! ```
//!
//! **Presumed abort.** The coordinator writes nothing when it begins or aborts. After a crash it
//! knows only what it had committed and not finished. A participant in doubt asks it (`Inquire`)
//! and is told *abort* for every transaction that it does not know. That is safe because it
//! forgets a commit only when both have acknowledged it. Until the coordinator is back, the key
//! stays locked: two-phase commit blocks.
//!
//! **Presumed commit.** The other way round (`presume = "commit"`): before it asks for votes, the
//! coordinator writes down that it does. If that record is all that it finds after a crash, it
//! aborts; what it does not know, it committed. So commits need no acknowledgement and are
//! forgotten at once, at the price of one more record that others wait for; aborts are told until
//! all have acknowledged them.
//!
//! **Cooperative termination** (`termination = "cooperative"`). Participants in doubt ask each
//! other too. Who has carried an outcome out tells it. Who has not voted notes first that it never
//! will, and says abort: with a yes afterwards it would break its word. Only when all that can be
//! reached are in doubt themselves, they must wait for the coordinator.
//!
//! **The log as coordinator** (`coordinator = "log"`). With all votes the coordinator asks the
//! replicated log to commit ([`Decisions`]). A participant that has been in doubt for too long asks
//! the log to abort. The first request about a transaction is the decision, and whoever asks is
//! told: nobody has to wait for a node that is gone, as long as the log has a majority.
//!
//! **Retries.** A client that hears nothing asks another node, which begins another transaction
//! for the same call. Each key remembers how the last call of each client ended, so the second one
//! finds out at the giving account: it waits while the first is in doubt, votes no when it is
//! over, and the client hears how the first one ended. For the same reason the client is told of
//! an abort only when the giving account has noted it.
//!
//! **Sources.** Gray 1978, *Notes on data base operating systems*, section 5.8 · Mohan, Lindsay
//! and Obermarck 1986, *Transaction management in R\**, section 3 (presumed abort and commit) ·
//! Bernstein, Hadzilacos and Goodman 1987, chapter 7 (AC-1 to AC-5, blocking, cooperative
//! termination) · Corbett et al. 2012, *Spanner*, section 4.2.1 (replicated participants) · Gray
//! and Lamport 2006, *Consensus on transaction commit*, section 5 (a replicated coordinator).
//!
//! **What is left out.** Reads take no part in transactions, so nobody votes *read-only*; keys are
//! locked when votes are asked for, so to let one go with its vote would let others change what was
//! read. Two keys of one owner are copied one by one, so there is no commit in one phase. There are
//! no deadlocks to detect because a locked key is a no.

mod coordinator;
mod decisions;
mod participant;
mod paxoscommit;
mod threephase;

pub use decisions::Decisions;

use super::numbers::Numbers;
use super::ring::Owners;
use super::{Context, Protocol, Ticket};
use crate::base::{
    Ballot, CallId, Commitment, Mutation, Mutations, Name, NodeId, Op, Outcome, Presume, Refusal,
    ServiceId, Span, Turn, TxnId,
};
use crate::event::Fact;
use coordinator::Txn;
use participant::{Doubt, Job, Task};
pub use paxoscommit::{Accepted, INSTANCES};
use paxoscommit::{Acceptor, Lead};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use threephase::State;

type Cx<'a> = Context<'a, Transactions>;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a coordinator waits for votes before it aborts.
    pub vote_timeout: Span,
    /// How often decisions and questions are repeated.
    pub retry: Span,
    /// Who decides, and what is written down for it.
    pub how: Commitment,
    /// All nodes, in order.
    pub peers: Arc<[NodeId]>,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// What coordinators and participants tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// The coordinator asks for a vote.
    Prepare {
        /// Which transaction.
        txn: TxnId,
        /// The client's call behind it.
        call: CallId,
        /// Which key.
        key: Name,
        /// What is to be added to it.
        by: i64,
        /// The other keys of the transaction.
        others: Arc<[Name]>,
    },
    /// The participant's vote.
    Vote {
        /// Which transaction.
        txn: TxnId,
        /// For which key.
        key: Name,
        /// Yes: it is prepared, on disk, and waits for the decision. No: it has no part in it.
        yes: bool,
    },
    /// The coordinator's decision.
    Decide {
        /// Which transaction.
        txn: TxnId,
        /// The client's call behind it; the least one if the coordinator has forgotten.
        call: CallId,
        /// For which key.
        key: Name,
        /// Commit or abort.
        commit: bool,
    },
    /// The participant has carried the decision out, on disk.
    Ack {
        /// Which transaction.
        txn: TxnId,
        /// For which key.
        key: Name,
        /// How the call ended at this key: maybe by another transaction.
        outcome: Box<Outcome>,
    },
    /// A participant that has voted yes asks for the decision.
    Inquire {
        /// Which transaction.
        txn: TxnId,
        /// For which key.
        key: Name,
    },
    /// A participant that has voted yes asks the owner of another key of the transaction.
    Consult {
        /// Which transaction.
        txn: TxnId,
        /// The client's call behind it.
        call: CallId,
        /// The key of the one who is asked.
        key: Name,
        /// The key of the one who asks.
        about: Name,
    },
    /// Who was asked does not know either.
    Uncertain {
        /// Which transaction.
        txn: TxnId,
        /// The key of the one who was asked.
        key: Name,
    },
    /// In three-phase commit, the coordinator, or who has taken its place, tells that all have
    /// voted yes.
    PreCommit {
        /// Which transaction.
        txn: TxnId,
        /// The client's call behind it.
        call: CallId,
        /// For which key.
        key: Name,
    },
    /// The participant has noted that, on disk.
    Ready {
        /// Which transaction.
        txn: TxnId,
        /// For which key.
        key: Name,
    },
    /// In three-phase commit, who was consulted is prepared as well.
    State {
        /// Which transaction.
        txn: TxnId,
        /// The key of the one who was asked.
        key: Name,
        /// The key of the one who asked.
        about: Name,
        /// It knows that all have voted yes.
        ready: bool,
        /// It has been up since it voted.
        present: bool,
    },
    /// In three-phase commit, the node that was the coordinator does not know of the transaction.
    Forgotten {
        /// Which transaction.
        txn: TxnId,
        /// The key of the one who asked.
        key: Name,
    },
    /// In Paxos Commit, a leader asks an acceptor for a promise about the vote on a key.
    Phase1a {
        /// Which transaction.
        txn: TxnId,
        /// Which key.
        key: Name,
        /// The leader's ballot.
        ballot: Ballot,
    },
    /// The acceptor promises.
    Phase1b {
        /// Which transaction.
        txn: TxnId,
        /// Which key.
        key: Name,
        /// The leader's ballot.
        ballot: Ballot,
        /// What it has accepted in the highest ballot so far.
        vote: Option<(Ballot, bool)>,
    },
    /// A participant in ballot 0, or a leader in its own, proposes.
    Phase2a {
        /// Which transaction.
        txn: TxnId,
        /// Which key.
        key: Name,
        /// The ballot.
        ballot: Ballot,
        /// That the participant has prepared, or that it has no part in it.
        prepared: bool,
    },
    /// The acceptor has accepted that, on disk.
    Phase2b {
        /// Which transaction.
        txn: TxnId,
        /// Which key.
        key: Name,
        /// The ballot.
        ballot: Ballot,
        /// What was proposed in it.
        prepared: bool,
    },
    /// The acceptor has promised a higher ballot.
    Outbid {
        /// Which transaction.
        txn: TxnId,
        /// Which key.
        key: Name,
        /// That ballot.
        promised: Ballot,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |prepared: bool| if prepared { "prepared" } else { "aborted" };
        match self {
            Message::Prepare { txn, key, by, .. } => write!(f, "Prepare {txn} {key} {by:+}"),
            Message::Vote { txn, key, yes: true } => write!(f, "Vote {txn} {key} yes"),
            Message::Vote { txn, key, yes: false } => write!(f, "Vote {txn} {key} no"),
            Message::Decide { txn, key, commit: true, .. } => write!(f, "Commit {txn} {key}"),
            Message::Decide { txn, key, commit: false, .. } => write!(f, "Abort {txn} {key}"),
            Message::Ack { txn, key, .. } => write!(f, "Ack {txn} {key}"),
            Message::Inquire { txn, key } => write!(f, "Inquire {txn} {key}"),
            Message::Consult { txn, key, .. } => write!(f, "Consult {txn} {key}"),
            Message::Uncertain { txn, key } => write!(f, "Uncertain {txn} {key}"),
            Message::PreCommit { txn, key, .. } => write!(f, "PreCommit {txn} {key}"),
            Message::Ready { txn, key } => write!(f, "Ready {txn} {key}"),
            Message::State { txn, key, ready, present, .. } => {
                let state = if *ready { "precommitted" } else { "waits" };
                let back = if *present { "" } else { ", was down" };
                write!(f, "State {txn} {key} {state}{back}")
            }
            Message::Forgotten { txn, key } => write!(f, "Forgotten {txn} {key}"),
            Message::Phase1a { txn, key, ballot } => write!(f, "Phase1a {txn} {key} {ballot}"),
            Message::Phase1b { txn, key, ballot, vote: None } => {
                write!(f, "Phase1b {txn} {key} {ballot}")
            }
            Message::Phase1b { txn, key, ballot, vote: Some((of, prepared)) } => {
                write!(f, "Phase1b {txn} {key} {ballot} {} in {}", value(*prepared), Turn(*of))
            }
            Message::Phase2a { txn, key, ballot, prepared } => {
                write!(f, "Phase2a {txn} {key} {} {}", Turn(*ballot), value(*prepared))
            }
            Message::Phase2b { txn, key, ballot, prepared } => {
                write!(f, "Phase2b {txn} {key} {} {}", Turn(*ballot), value(*prepared))
            }
            Message::Outbid { txn, key, promised } => write!(f, "Outbid {txn} {key} {promised}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Something was asked, decided or voted and is not over.
    Retry,
}

/// What it writes. All of it is the coordinator's; the participant's part is in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// Numbers up to this one may have been used.
    Reserved(u32),
    /// It has decided to commit.
    Commit {
        /// Which transaction.
        txn: TxnId,
        /// The client's call behind it.
        call: CallId,
        /// The keys.
        keys: Arc<[Name]>,
    },
    /// Nothing more is to come of it.
    End(TxnId),
    /// With presumed commit: it asks for votes, and aborts unless a later record says otherwise.
    Collecting {
        /// Which transaction.
        txn: TxnId,
        /// The client's call behind it.
        call: CallId,
        /// The keys.
        keys: Arc<[Name]>,
    },
    /// As an acceptor of Paxos Commit: what it has promised and accepted.
    Instance {
        /// Which transaction.
        txn: TxnId,
        /// Which key.
        key: Name,
        /// What it must not forget.
        state: Accepted,
    },
    /// As an acceptor: it has forgotten instances up to this one of its coordinator.
    Forgot(TxnId),
}

/// The records of a service that has checkpointed before it does so again.
const MANY: usize = 256;

/// One node's part.
#[derive(Clone, Debug)]
pub struct Transactions {
    config: Config,
    owners: Owners,
    /// As a coordinator: all that is not over.
    txns: BTreeMap<TxnId, Txn>,
    numbers: Numbers,
    records: usize,
    /// As a participant: what the store is doing.
    jobs: BTreeMap<u64, Job>,
    next_job: u64,
    /// As a participant: yes-votes without a decision, by transaction and key.
    doubts: BTreeMap<(TxnId, Name), Doubt>,
    /// With Paxos Commit, as an acceptor, and as a leader.
    acceptor: Acceptor,
    leads: BTreeMap<TxnId, Lead>,
    /// Whom it holds for dead.
    suspected: BTreeSet<NodeId>,
    ticking: bool,
}

impl Protocol for Transactions {
    const ID: ServiceId = ServiceId::Txn;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Cx<'_>) -> Self {
        let mut service = Transactions {
            config,
            owners: Owners::default(),
            txns: BTreeMap::new(),
            numbers: Numbers::of_boot(cx.boot()),
            records: disk.len(),
            jobs: BTreeMap::new(),
            next_job: 0,
            doubts: BTreeMap::new(),
            acceptor: Acceptor::default(),
            leads: BTreeMap::new(),
            suspected: BTreeSet::new(),
            ticking: false,
        };
        for record in disk {
            match record {
                Record::Reserved(upto) => service.numbers = Numbers::used(*upto),
                Record::Commit { txn, call, keys } => {
                    service.txns.insert(*txn, Txn::unfinished(*call, keys, true, cx.now()));
                }
                Record::Collecting { txn, call, keys } => {
                    service.txns.insert(*txn, Txn::unfinished(*call, keys, false, cx.now()));
                }
                Record::End(txn) => drop(service.txns.remove(txn)),
                Record::Instance { txn, key, state } => {
                    service.acceptor.set((*txn, key.clone()), *state);
                }
                Record::Forgot(txn) => service.acceptor.forget(*txn),
            }
        }
        if disk.is_empty() {
            service.reserve(cx);
        }
        service.settle(cx);
        service
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Prepare { txn, call, key, by, others } => {
                let op = Op::Intend { txn, call, key: key.clone(), by, others };
                self.ask(Job { to: from, txn, key, task: Task::Prepare }, op, cx);
            }
            Message::Vote { txn, key, yes } => self.vote(from, txn, &key, yes, cx),
            Message::Decide { txn, call, key, commit } => {
                let op = Op::Settle { txn, call, key: key.clone(), commit };
                self.ask(Job { to: from, txn, key, task: Task::Settle }, op, cx);
            }
            Message::Ack { txn, key, outcome } => self.acknowledged(txn, &key, *outcome, cx),
            Message::Inquire { txn, key } => self.inquired(from, txn, key, cx),
            Message::Consult { txn, ref key, .. } if self.is_stranger(txn, key, cx.me()) => {}
            Message::Consult { txn, call, key, about } => {
                let op = Op::Consult { txn, call, key: key.clone() };
                self.ask(Job { to: from, txn, key, task: Task::Consult { about } }, op, cx);
            }
            Message::Uncertain { .. } => {}
            Message::PreCommit { txn, call, key } => {
                let op = Op::Precommit { txn, call, key: key.clone() };
                self.ask(Job { to: from, txn, key, task: Task::Precommit }, op, cx);
            }
            Message::Ready { txn, key } => self.is_ready(txn, &key, cx),
            Message::State { txn, key, about, ready, present } => {
                self.has_state((txn, about), key, State { ready, present });
            }
            Message::Forgotten { txn, key } => self.orphaned(txn, key),
            Message::Phase1a { txn, key, ballot } => self.phase_1a(from, (txn, key), ballot, cx),
            Message::Phase1b { txn, key, ballot, vote } => {
                self.phase_1b(from, (txn, key), (ballot, vote), cx);
            }
            Message::Phase2a { txn, key, ballot, prepared } => {
                self.phase_2a((txn, key), (ballot, prepared), cx);
            }
            Message::Phase2b { txn, key, ballot, prepared } => {
                self.phase_2b(from, (txn, key), (ballot, prepared), cx);
            }
            Message::Outbid { txn, promised, .. } => self.outbid(txn, promised),
        }
        self.settle(cx);
    }

    fn timer(&mut self, Timer::Retry: Timer, cx: &mut Cx<'_>) {
        self.ticking = false;
        self.repeat(cx);
        self.doubt(cx);
        self.raise_late(cx);
        self.settle(cx);
    }

    fn timer_name(Timer::Retry: Timer) -> &'static str {
        "retry"
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        match op {
            Op::Transfer(_) | Op::Move { .. } => self.begin(ticket, call, op, cx),
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
        self.settle(cx);
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        self.answered(key, outcome, cx);
        self.settle(cx);
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Cx<'_>) {
        self.owners.hear(fact, cx.me(), self.config.mutations);
        match fact {
            Fact::Suspects { who, .. } => {
                self.suspected.insert(*who);
                if self.has(Mutation::TxnDisconnect) {
                    self.disconnect(*who, cx);
                }
            }
            Fact::Trusts { who, .. } => drop(self.suspected.remove(who)),
            Fact::Votes { txn, yes: true, keys } => self.note_doubt(*txn, keys, cx),
            Fact::Precommits { txn, keys } => {
                for key in keys.iter() {
                    if let Some(doubt) = self.doubts.get_mut(&(*txn, key.clone())) {
                        doubt.own.ready = true;
                    }
                }
            }
            Fact::Resolves { txn, changes, .. } => {
                for change in changes.iter() {
                    self.doubts.remove(&(*txn, change.key.clone()));
                }
            }
            // The next owner asks for itself.
            Fact::Yields { .. } => self.doubts.clear(),
            _ => {}
        }
        self.settle(cx);
    }

    fn restate(&self, cx: &mut Cx<'_>) {
        for (txn, state) in &self.txns {
            if let Some((op, participants)) = state.begun() {
                let (txn, call, how) = (*txn, state.call(), self.config.how);
                cx.emit(Fact::Begins { txn, call, op, participants, how });
            }
            if let Some(commit) = state.decided() {
                cx.emit(Fact::Decides { txn: *txn, commit });
            }
        }
        self.acceptor.restate(cx);
    }
}

impl Transactions {
    fn has(&self, mutation: Mutation) -> bool {
        self.config.mutations.has(mutation)
    }

    fn presumes(&self, what: Presume) -> bool {
        matches!(self.config.how, Commitment::TwoPhase { presume, .. } if presume == what)
    }

    /// Comes after each input, when all that it changed is done: has what is under way asked for
    /// again later, and writes down anew what is needed if much more than that is on disk.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        let busy = !self.txns.is_empty() || !self.doubts.is_empty() || !self.leads.is_empty();
        if busy && !self.ticking {
            self.ticking = true;
            cx.set(Timer::Retry, self.config.retry);
        }
        if self.records > MANY + 4 * self.txns.len() + 2 * self.acceptor.len() {
            let how = self.config.how;
            let mut records = vec![Record::Reserved(self.numbers.reserved())];
            records.extend(self.txns.iter().filter_map(|(txn, state)| state.record(*txn, how)));
            records.extend(self.acceptor.records());
            self.records = records.len();
            cx.checkpoint(records);
        }
    }

    fn write(&mut self, record: Record, cx: &mut Cx<'_>) {
        cx.write(record);
        self.records += 1;
    }
}
