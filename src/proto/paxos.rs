//! Single-decree Paxos: nodes agree on one value, once.
//!
//! **What it guarantees.** At most one value is ever chosen, and it is one that somebody proposed,
//! whatever messages are lost, repeated, delayed or overtaken, and whichever nodes crash and come
//! back with their disks. Progress is not guaranteed: two proposers may outbid each other for ever
//! (set `backoff` to zero to watch). A random pause after each refusal makes that unlikely.
//!
//! **Roles.** Every node is *acceptor* (it promises and votes; its promise and its vote are on disk
//! before anybody hears of them) and *learner* (it counts votes). A node becomes *proposer* when
//! the plan says so or when it is asked to propose.
//!
//! ```text
//!  n1 (proposer)        n2              n3
//!   ├─ Prepare 1.1 ────>├──────────────>│      1: may I? who has voted, and for what?
//!   │<─ Promise 1.1 ────┤               │         (two of three promised: a quorum)
//!   │<─ Promise 1.1 ────────────────────┤
//!   ├─ Accept 1.1 red ─>├──────────────>│      2: the value of the highest vote reported,
//!   │<─ Accepted 1.1 ───┤──────────────>│         or its own if none was
//!   │<─ Accepted 1.1 ──>│<──────────────┤      a quorum of votes in one ballot: red is chosen
//! ```
//!
//! A *ballot* is a round and the proposer's id, so that no two proposers share one; the round is on
//! disk before the ballot is used, so that no two lives of a proposer share one either. An acceptor
//! promises `b` if it promised nothing higher, and votes in `b` if it promised nothing higher than
//! `b`; otherwise it says so (`Refuse`), which spares the proposer a timeout.
//!
//! **Rules** (PAX-1 to PAX-8 in `check::paxos`): one value is chosen; it was proposed; no vote
//! below a promise; one value per ballot; a proposal is safe; nobody decides what is not chosen;
//! promise and vote never go back; a ballot has one owner.
//!
//! **Sources.** Lamport, *Paxos Made Simple* (2001), sections 2.2 to 2.4; the inductive invariant
//! after `Voting.tla` of the TLA+ examples.
//!
//! **What is left out.** A learner that missed the votes does not ask for them; it learns when
//! somebody, perhaps itself, proposes again.

use super::quorum::{Tally, quorum};
use super::{Context, Protocol, Ticket};
use crate::base::{
    Ballot, CallId, Entry, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, ServiceId, Span,
};
use crate::event::{Fact, Phase};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The single decree's slot in facts.
const DECREE: crate::base::Slot = 0;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes: each is acceptor and learner.
    pub peers: Arc<[NodeId]>,
    /// Who proposes by itself when it starts, and what.
    pub proposers: Arc<[(NodeId, Name)]>,
    /// How long a proposer waits for a quorum before it tries a higher ballot.
    pub retry: Span,
    /// The longest pause, drawn by chance, between a refusal and the next ballot.
    pub backoff: Span,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// A vote: in which ballot, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The ballot of the proposal.
    pub ballot: Ballot,
    /// What was proposed in it.
    pub entry: Arc<Entry>,
}

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// A proposer asks for a promise not to vote below its ballot.
    Prepare {
        /// The proposer's ballot.
        ballot: Ballot,
    },
    /// An acceptor promises.
    Promise {
        /// The ballot that it promised.
        ballot: Ballot,
        /// Its vote in the highest ballot so far, if it has voted.
        vote: Option<Vote>,
    },
    /// An acceptor turns a ballot down.
    Refuse {
        /// The ballot that it turned down.
        ballot: Ballot,
        /// What it has promised instead.
        promised: Ballot,
    },
    /// A proposer asks for votes.
    Accept(Vote),
    /// An acceptor tells every learner how it voted.
    Accepted(Vote),
}

impl Message {
    /// Whether all of its ballots are ones.
    fn makes_sense(&self) -> bool {
        let voted = |vote: &Vote| vote.ballot.round < Ballot::ROUNDS;
        match self {
            Message::Prepare { ballot } => ballot.round < Ballot::ROUNDS,
            Message::Promise { vote, .. } => vote.as_ref().is_none_or(voted),
            Message::Refuse { promised, .. } => promised.round < Ballot::ROUNDS,
            Message::Accept(vote) | Message::Accepted(vote) => voted(vote),
        }
    }
}

/// `Prepare 3.2`, `Promise 3.2 voted 1.1 propose red (n1/1)`, `Refuse 1.1 promised 3.2` …
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Prepare { ballot } => write!(f, "Prepare {ballot}"),
            Message::Promise { ballot, vote: None } => write!(f, "Promise {ballot}"),
            Message::Promise { ballot, vote: Some(vote) } => {
                write!(f, "Promise {ballot} voted {} {}", vote.ballot, vote.entry)
            }
            Message::Refuse { ballot, promised } => {
                write!(f, "Refuse {ballot} promised {promised}")
            }
            Message::Accept(vote) => write!(f, "Accept {} {}", vote.ballot, vote.entry),
            Message::Accepted(vote) => write!(f, "Accepted {} {}", vote.ballot, vote.entry),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Try a higher ballot: no quorum answered, or the pause after a refusal is over.
    Retry,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// The proposer used this round.
    Round(u32),
    /// The acceptor promised this ballot.
    Promised(Ballot),
    /// The acceptor voted, which is also a promise.
    Accepted(Vote),
}

/// What a proposer is doing.
#[derive(Clone, Debug)]
enum Stage {
    /// It has nothing to propose, or waits for its next ballot.
    Idle,
    /// It asked for promises.
    Preparing { promises: Tally, best: Option<Vote> },
    /// It asked for votes.
    Proposing,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct Paxos {
    config: Config,
    // As acceptor, durable.
    promised: Ballot,
    vote: Option<Vote>,
    // As proposer; `round` is durable.
    round: u32,
    ballot: Ballot,
    stage: Stage,
    own: Option<Arc<Entry>>,
    waiting: Vec<Ticket>,
    // As learner.
    votes: BTreeMap<Ballot, (Arc<Entry>, Tally)>,
    chosen: Option<Arc<Entry>>,
}

impl Protocol for Paxos {
    const ID: ServiceId = ServiceId::Paxos;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let mut paxos = Paxos {
            config,
            promised: Ballot::NONE,
            vote: None,
            round: 0,
            ballot: Ballot::NONE,
            stage: Stage::Idle,
            own: None,
            waiting: Vec::new(),
            votes: BTreeMap::new(),
            chosen: None,
        };
        disk.iter().for_each(|record| paxos.recall(record));
        let own = paxos.config.proposers.iter().find(|(node, _)| *node == cx.me());
        if let Some(value) = own.map(|(_, value)| value.clone()) {
            // The same call in every life: it is the same proposal, made again.
            let call = CallId { client: cx.me(), seq: 0 };
            paxos.own = Some(Arc::new(Entry { call, op: Op::Propose { value } }));
            paxos.prepare(cx);
        }
        paxos
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        if !message.makes_sense() {
            return;
        }
        match message {
            Message::Prepare { ballot } => self.on_prepare(from, ballot, cx),
            Message::Promise { ballot, vote } => self.on_promise(from, ballot, vote, cx),
            Message::Refuse { ballot, promised } => self.on_refuse(ballot, promised, cx),
            Message::Accept(vote) => self.on_accept(from, vote, cx),
            Message::Accepted(vote) => self.on_accepted(from, vote, cx),
        }
    }

    fn timer(&mut self, Timer::Retry: Timer, cx: &mut Context<'_, Self>) {
        if self.chosen.is_none() {
            self.prepare(cx);
        }
    }

    fn timer_name(Timer::Retry: Timer) -> &'static str {
        "retry"
    }

    fn timer_is_watched(_: Timer) -> bool {
        true
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        if !matches!(op, Op::Propose { .. }) {
            return cx.reply(ticket, Outcome::Refused(Refusal::NoService));
        }
        if let Some(outcome) = self.outcome() {
            return cx.reply(ticket, outcome);
        }
        self.waiting.push(ticket);
        if self.own.is_none() {
            self.own = Some(Arc::new(Entry { call, op }));
            self.prepare(cx);
        }
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        if let Some(Vote { ballot, entry }) = self.vote.clone() {
            cx.emit(Fact::Accepts { slot: DECREE, ballot, entry });
        }
        let accepted = self.vote.as_ref().map_or(Ballot::NONE, |vote| vote.ballot);
        if self.promised != Ballot::NONE || cx.boot() > 1 || !cx.is_starting() {
            cx.emit(Fact::Acceptor { log: false, promised: self.promised, accepted });
        }
        if let Some(entry) = self.chosen.clone() {
            cx.emit(Fact::Chooses { slot: DECREE, entry });
        }
    }
}

// -- as proposer ---------------------------------------------------------------------------------
impl Paxos {
    fn recall(&mut self, record: &Record) {
        match record {
            Record::Round(round) => self.round = *round,
            Record::Promised(ballot) => self.promised = self.promised.max(*ballot),
            Record::Accepted(vote) => {
                self.promised = self.promised.max(vote.ballot);
                self.vote = Some(vote.clone());
            }
        }
    }

    /// Phase 1, in a ballot above every one that it has seen.
    fn prepare(&mut self, cx: &mut Context<'_, Self>) {
        self.round += 1;
        if !self.config.mutations.has(Mutation::PaxosReuseBallot) {
            cx.write(Record::Round(self.round));
        }
        self.ballot = Ballot::new(self.round, cx.me());
        if self.config.mutations.has(Mutation::PaxosRandomBallot) {
            let number = u32::try_from(cx.rng().between(1, 20)).unwrap_or(1);
            self.ballot = Ballot::new(number, NodeId::node(1));
        }
        if self.config.mutations.has(Mutation::PaxosNoPrepare) {
            return self.propose(None, cx);
        }
        self.stage = Stage::Preparing { promises: Tally::default(), best: None };
        cx.emit(Fact::Prepares { slot: DECREE, ballot: self.ballot });
        cx.send_all(self.config.peers.iter(), &Message::Prepare { ballot: self.ballot });
        cx.set(Timer::Retry, self.config.retry);
    }

    fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        vote: Option<Vote>,
        cx: &mut Context<'_, Self>,
    ) {
        let Stage::Preparing { promises, best } = &mut self.stage else { return };
        if ballot != self.ballot {
            return;
        }
        promises.add(from);
        let first = self.config.mutations.has(Mutation::PaxosFirstReport);
        let better = |new: &Vote, old: &Vote| !first && new.ballot > old.ballot;
        if let Some(vote) = vote
            && best.as_ref().is_none_or(|best| better(&vote, best))
        {
            *best = Some(vote);
        }
        if promises.count() >= quorum(self.config.peers.len(), self.config.mutations) {
            let best = best.take();
            self.propose(best, cx);
        }
    }

    /// Phase 2: the value that may be chosen already, or else its own.
    fn propose(&mut self, best: Option<Vote>, cx: &mut Context<'_, Self>) {
        let best = best.filter(|_| !self.config.mutations.has(Mutation::PaxosOwnValue));
        let (entry, adopted) = match (best, &self.own) {
            (Some(vote), _) => (vote.entry, vote.ballot),
            (None, Some(own)) if self.config.mutations.has(Mutation::PaxosInvent) => {
                let call = CallId { client: NodeId::client(1), seq: 1 << 32 | 1_000_000 };
                (Arc::new(Entry { call, op: own.op.clone() }), Ballot::NONE)
            }
            (None, Some(own)) => (own.clone(), Ballot::NONE),
            (None, None) => return,
        };
        self.stage = Stage::Proposing;
        let ballot = self.ballot;
        cx.emit(Fact::Proposes { slot: DECREE, ballot, entry: entry.clone(), adopted });
        cx.send_all(self.config.peers.iter(), &Message::Accept(Vote { ballot, entry }));
        cx.set(Timer::Retry, self.config.retry);
    }

    fn on_refuse(&mut self, ballot: Ballot, promised: Ballot, cx: &mut Context<'_, Self>) {
        if ballot != self.ballot || matches!(self.stage, Stage::Idle) || self.chosen.is_some() {
            return;
        }
        self.round = self.round.max(promised.round);
        self.stage = Stage::Idle;
        let pause = cx.rng().span(Span::ZERO, self.config.backoff);
        cx.set(Timer::Retry, pause);
    }
}

// -- as acceptor and learner ---------------------------------------------------------------------
impl Paxos {
    fn on_prepare(&mut self, from: NodeId, ballot: Ballot, cx: &mut Context<'_, Self>) {
        if ballot < self.promised {
            return self.refuse(from, ballot, Phase::Prepare, cx);
        }
        if ballot > self.promised {
            self.promised = ballot;
            let mutations = self.config.mutations;
            if ![Mutation::PaxosForgetPromise, Mutation::PaxosVolatile]
                .into_iter()
                .any(|forgets| mutations.has(forgets))
            {
                cx.write(Record::Promised(ballot));
            }
            cx.emit(Fact::Promises { slot: DECREE, ballot });
        }
        cx.send(from, Message::Promise { ballot, vote: self.vote.clone() });
    }

    fn refuse(&self, from: NodeId, ballot: Ballot, phase: Phase, cx: &mut Context<'_, Self>) {
        let promised = self.promised;
        cx.emit(Fact::Refuses { slot: DECREE, ballot, promised, phase });
        cx.send(from, Message::Refuse { ballot, promised });
    }

    fn on_accept(&mut self, from: NodeId, vote: Vote, cx: &mut Context<'_, Self>) {
        let mutations = self.config.mutations;
        let below = mutations.has(Mutation::PaxosAcceptBelow);
        let above = mutations.has(Mutation::PaxosAcceptAbove) && vote.ballot == self.promised;
        if vote.ballot < self.promised && !below || above {
            return self.refuse(from, vote.ballot, Phase::Accept, cx);
        }
        if self.vote.as_ref() != Some(&vote) {
            if !mutations.has(Mutation::PaxosUnraised) {
                self.promised = self.promised.max(vote.ballot);
            }
            self.vote = Some(vote.clone());
            if !mutations.has(Mutation::PaxosVolatile) {
                cx.write(Record::Accepted(vote.clone()));
            }
            let Vote { ballot, entry } = vote.clone();
            cx.emit(Fact::Accepts { slot: DECREE, ballot, entry });
        }
        cx.send_all(self.config.peers.iter(), &Message::Accepted(vote));
    }

    fn on_accepted(&mut self, from: NodeId, vote: Vote, cx: &mut Context<'_, Self>) {
        if self.chosen.is_some() {
            return;
        }
        let key = match self.config.mutations.has(Mutation::PaxosCountValues) {
            true => self.votes.iter().find(|(_, (entry, _))| *entry == vote.entry).map(|(b, _)| *b),
            false => None,
        };
        let votes = self.votes.entry(key.unwrap_or(vote.ballot));
        let (entry, tally) = votes.or_insert_with(|| (vote.entry, Tally::default()));
        tally.add(from);
        let mut enough = quorum(self.config.peers.len(), self.config.mutations);
        if self.config.mutations.has(Mutation::PaxosDecideAlone) {
            enough = 1;
        }
        if tally.count() >= enough {
            let entry = entry.clone();
            self.chosen = Some(entry.clone());
            self.votes.clear();
            self.stage = Stage::Idle;
            cx.cancel(Timer::Retry);
            cx.emit(Fact::Chooses { slot: DECREE, entry });
            if let Some(outcome) = self.outcome() {
                for ticket in std::mem::take(&mut self.waiting) {
                    cx.reply(ticket, outcome.clone());
                }
            }
        }
    }

    /// What to tell who proposed.
    fn outcome(&self) -> Option<Outcome> {
        match &self.chosen.as_ref()?.op {
            Op::Propose { value } => Some(Outcome::Chosen { value: value.clone() }),
            _ => None,
        }
    }
}
