//! Locks, their leases, and the resource that they guard.
//!
//! **What it guarantees.** By the order of the log, a lock is held under at most one grant at a
//! time, or by several who all read, or by as many as there are permits; who waits gets it in the
//! order of asking, readers behind a writer too; only the holder releases or renews it. Each
//! grant has a *fencing token*, the slot of the entry that granted it (or one more than the last
//! token, if that granted several), so tokens rise. A lease
//! ends no earlier than its `ttl` after the last grant or renewal, by the leader's clock. A client
//! may *believe* that it holds a lock when it does not any more (it slept, its clock is slow): no
//! lock service with leases can prevent that. The resource does: it accepts no write with a smaller
//! token than one that it has accepted.
//!
//! **Roles.** Every node takes requests and hands them to the log; the table of locks is part of
//! the machine on the log ([`table`]). The node that leads the log also watches the clock: when a
//! lease has run out, it appends an `expire`, which names how often it saw the grant renewed, so a
//! renewal that the log orders first wins. A new leader gives every grant its full `ttl` again.
//! Each resource has one home node, given by its name; the others forward writes to it
//! ([`resource`]). Where instances keep the locks as keys ([`super::redis`]), this service is there
//! for the resources only; the recipe that Redis documents has neither read-write locks nor
//! semaphores.
//!
//! ```text
//!  c1        n1 (leader)     log                                  home of door
//!  │─acquire──>│──────────────>│ slot 5: granted to c1, token 5       │
//!  │  sleeps   │  ttl passes   │                                      │
//!  │           │──expire 5────>│ slot 9: freed, granted to c2, token 9│
//!  │           │               │          c2: write, token 9 ────────>│ accepts, highest 9
//!  │─write, token 5 ─────────────────────────────────────────────────>│ rejects: stale
//! ```
//!
//! **Kinds.** So much if the service keeps the queue (`kind = "log"`). With `"zookeeper"` it offers
//! no locks, but sessions, nodes that end with them, and watches ([`tree`]), of which clients
//! make locks by a recipe (`client::quests`). What has a lease is then the session. A sign of life
//! goes through the log as a renewal does; ZooKeeper's leader keeps them in memory, which is
//! cheaper, and cannot tell in the log which came first. Reads are those of ZooKeeper: a node
//! answers from its own state, which may be old, but not older than what the client has seen.
//! `"etcd"` has the same recipe, with leases for sessions: the leader keeps signs of life in its
//! memory ([`lessor`]). `"consul"` has such sessions too, but they hang on nodes as well, and locks
//! that one entry takes, or finds busy (`tree::consul`), and semaphores in one key
//! (`tree::permits`).
//!
//! **Sources.** Gray and Cheriton, *Leases: an efficient fault-tolerant mechanism for distributed
//! file cache consistency* (1989); Burrows, *The Chubby lock service for loosely-coupled
//! distributed systems* (2006), sections 2.4 (sequencers) and 2.9 (fail-over extends leases);
//! Kleppmann, *How to do distributed locking* (2016); Hunt, Konar, Junqueira and Reed, *ZooKeeper*
//! (2010).
//!
//! A number cannot fence a semaphore: who holds an old permit may be well while many later ones
//! came and went, and a resource that goes by the largest token would turn it away. So clients
//! write under a lock that they hold alone, and to nothing while they read or hold a permit.
//!
//! **What is left out.** Re-entrance, and turning a read lock into a write lock: whoever asks to
//! write while it reads waits for itself. A resource that fences reads as well. A circle of waiting
//! clients ends when a lease does, unless the table of locks looks for circles (`circle`).

use super::{Context, Protocol, Ticket};
use crate::base::{
    Ballot, CallId, Mutation, Mutations, Name, NodeId, OWN_SESSION, Op, Outcome, Refusal,
    ServiceId, SessionId, SessionOp, Span, Time, Token,
};
use crate::event::{Fact, SessionFact};
use health::Health;
use lessor::Lessor;
use resource::{Judged, Resources};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use twox_hash::XxHash3_64;

mod circle;
mod health;
pub mod lessor;
pub mod resource;
pub mod table;
pub mod tree;

pub use resource::{Accepted, Write};

/// How long a forwarded write, or an `expire`, may stay without effect before it is repeated.
const RETRY: Span = Span::millis(250);
/// How often a leader that goes by the wall clock looks at it.
const WALL_STEP: Span = Span::millis(20);
/// How long a write is forwarded before its outcome counts as unknown.
const GIVE_UP: Span = Span::secs(3);

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes, in the order that decides which is the home of a resource.
    pub peers: Arc<[NodeId]>,
    /// Whether resources compare tokens, which must rise then.
    pub fences: bool,
    /// Whether locks hang on sessions.
    pub sessions: bool,
    /// If the leader keeps the time of sessions in its memory: how often it notes in the log what
    /// is left of them; zero for never.
    pub leases: Option<Span>,
    /// If sessions hang on nodes that fail: whether only nodes that are dead do, not those that are
    /// suspected.
    pub checks: Option<bool>,
    /// Whether only the leader lets clients watch locks.
    pub leader_tells: bool,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// What it sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// To the home of a resource: judge this write.
    Write {
        /// The write, with the token that it is made under.
        write: Write,
    },
    /// From the home: what became of it.
    Wrote {
        /// Whose write it was.
        call: CallId,
        /// The answer.
        outcome: Outcome,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Write { write: Write { call, resource, token, value } } => {
                write!(f, "Write {call} {resource} token {token} value {value}")
            }
            Message::Wrote { call, outcome } => write!(f, "Wrote {call} {outcome}"),
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The lease with this number (of this node's own) runs out.
    Expire(u32),
    /// It is time to repeat forwarded writes.
    Retry,
    /// It is time to note in the log what is left of sessions.
    Checkpoint,
}

/// What it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// As the home of a resource: it accepted a write.
    Accepted(Accepted),
}

/// What a lease is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leased {
    Lock(Name, Token),
    Session(SessionId),
    Delay(Name),
}

/// What a node knows of a lease, from its own replica of the table.
#[derive(Clone, Debug)]
struct Lease {
    /// The number in its timer.
    number: u32,
    held: bool,
    /// That of the grant; of a session, its number.
    token: Token,
    ttl: Span,
    renewals: u32,
    /// The grant that the timer is set for.
    armed: Option<Token>,
    /// When it runs out by the wall clock, which only a mutation goes by.
    wall: Time,
    /// As the lessor: when it was opened and when it runs out, by the own clock; what the log notes
    /// to be left of it; whether it is being ended.
    since: Time,
    until: Time,
    left: Option<Span>,
    ends: bool,
}

/// A write that was sent to its home.
#[derive(Clone, Debug)]
struct Forwarded {
    ticket: Ticket,
    write: Write,
    since: Time,
}

/// One node's part.
#[derive(Clone, Debug)]
pub struct LockService {
    config: Config,
    /// The ballot in which this node leads the log, if it does.
    leads: Option<Ballot>,
    /// Who does, as far as it knows.
    leader: Option<NodeId>,
    lessor: Lessor,
    health: Health,
    leases: BTreeMap<Leased, Lease>,
    last_number: u32,
    /// Whom the log's answers are for, by key; nobody for an `expire` of this node's own.
    asked: BTreeMap<u64, Ticket>,
    last_key: u64,
    forwarded: BTreeMap<CallId, Forwarded>,
    resources: Resources,
}

impl Protocol for LockService {
    const ID: ServiceId = ServiceId::Lock;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, disk: &[Record], _: &mut Context<'_, Self>) -> Self {
        let resources = Resources::load(disk, config.fences);
        LockService {
            config,
            leads: None,
            leader: None,
            lessor: Lessor::default(),
            health: Health::default(),
            leases: BTreeMap::new(),
            last_number: 0,
            asked: BTreeMap::new(),
            last_key: 0,
            forwarded: BTreeMap::new(),
            resources,
        }
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        match message {
            Message::Write { write } => {
                let call = write.call;
                let outcome = self.judge(write, cx);
                cx.send(from, Message::Wrote { call, outcome });
            }
            Message::Wrote { call, outcome } => {
                if let Some(Forwarded { ticket, .. }) = self.forwarded.remove(&call) {
                    cx.reply(ticket, outcome);
                }
            }
        }
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Expire(number) => self.expire(number, cx),
            Timer::Retry => self.retry(cx),
            Timer::Checkpoint => self.checkpoint(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Expire(_) => "lease",
            Timer::Retry => "retry",
            Timer::Checkpoint => "checkpoint",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        match op {
            Op::Acquire { .. } | Op::Renew { .. } | Op::Release { .. } if self.config.sessions => {
                cx.reply(ticket, Outcome::Refused(Refusal::OnlyClients));
            }
            Op::Session(SessionOp::Close { session: OWN_SESSION }) if self.config.sessions => {
                cx.reply(ticket, Outcome::Refused(Refusal::OnlyClients));
            }
            Op::Session(_) if !self.config.sessions => {
                cx.reply(ticket, Outcome::Refused(Refusal::NoService));
            }
            Op::Session(SessionOp::Watch { .. })
                if self.config.leader_tells && self.leads.is_none() =>
            {
                cx.reply(ticket, Outcome::Refused(Refusal::NotHere { try_node: self.leader }));
            }
            Op::Session(SessionOp::Ping { session }) if self.config.leases.is_some() => {
                self.sign_of_life(ticket, session, cx);
            }
            Op::Acquire { .. } | Op::Renew { .. } | Op::Release { .. } | Op::Session(_) => {
                self.last_key += 1;
                self.asked.insert(self.last_key, ticket);
                cx.call(ServiceId::Log, self.last_key, call, op);
            }
            Op::Write { resource, token, value } => {
                self.write(ticket, Write { call, resource, token, value }, cx);
            }
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Context<'_, Self>) {
        if self.lessor.is_confirm(key) {
            self.confirmed(&outcome, cx);
        } else if let Some(ticket) = self.asked.remove(&key) {
            cx.reply(ticket, outcome);
        }
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Context<'_, Self>) {
        match fact {
            Fact::Leads { ballot } if self.leads != Some(*ballot) => {
                (self.leads, self.leader) = (Some(*ballot), Some(cx.me()));
                match self.config.leases {
                    Some(_) => self.stand_for_lessor(*ballot, cx),
                    None => self.count_all(cx),
                }
            }
            Fact::Follows { ballot } => self.step_down(Some(ballot.node), cx),
            Fact::Seeks { .. } => self.step_down(None, cx),
            Fact::Session(fact) => self.hear_of_session(fact, cx),
            Fact::Suspects { .. } | Fact::Dead { .. } | Fact::Trusts { .. } => {
                self.hear_of_node(fact, cx);
            }
            // Their locks hang on sessions, which have the leases.
            _ if self.config.sessions => {}
            Fact::LockIs { lock, held, .. } => self.lock_is(lock, held, cx),
            Fact::Granted { lock, token, ttl, .. } => {
                self.begin(Leased::Lock(lock.clone(), *token), (*token, *ttl), None, cx);
            }
            Fact::Renewed { lock, token, .. } => {
                self.prolong(Leased::Lock(lock.clone(), *token), cx);
            }
            Fact::Freed { lock, token, .. } => {
                if let Some(mut lease) = self.leases.remove(&Leased::Lock(lock.clone(), *token)) {
                    lease.disarm(cx);
                }
            }
            _ => {}
        }
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        self.resources.restate().for_each(|fact| cx.emit(fact));
    }
}

impl LockService {
    /// Whether it counts the time of leases.
    fn counts(&self) -> bool {
        self.leads.is_some() && (self.config.leases.is_none() || self.lessor.is_in_charge())
    }

    /// Counts all leases from now.
    fn count_all(&mut self, cx: &mut Context<'_, Self>) {
        let mutations = self.config.mutations;
        self.leases.values_mut().for_each(|lease| lease.arm(mutations, cx));
    }

    fn step_down(&mut self, leader: Option<NodeId>, cx: &mut Context<'_, Self>) {
        (self.leads, self.leader) = (None, leader);
        self.leases.values_mut().for_each(|lease| lease.disarm(cx));
        self.leave_checks();
        self.turn_away(cx);
    }

    /// Has the log carry something out for nobody in particular. Returns its key.
    fn put(&mut self, op: Op, cx: &mut Context<'_, Self>) -> u64 {
        self.last_key += 1;
        let call = cx.new_call();
        cx.call(ServiceId::Log, self.last_key, call, op);
        self.last_key
    }

    fn lease(&mut self, of: Leased) -> &mut Lease {
        let last = &mut self.last_number;
        self.leases.entry(of).or_insert_with(|| {
            *last = last.wrapping_add(1);
            let (token, ttl, wall, since) = (0, Span::ZERO, Time::NEVER, Time::ZERO);
            Lease {
                number: *last,
                held: false,
                token,
                ttl,
                renewals: 0,
                armed: None,
                wall,
                since,
                until: since,
                left: None,
                ends: false,
            }
        })
    }

    /// A lock is held under these tokens, each renewed so often, and under no others.
    fn lock_is(&mut self, name: &Name, held: &[(Token, u32)], cx: &mut Context<'_, Self>) {
        self.leases.retain(|of, lease| match of {
            Leased::Lock(lock, token) if lock == name => {
                let stays = held.iter().any(|(held, _)| held == token);
                if !stays {
                    lease.disarm(cx);
                }
                stays
            }
            _ => true,
        });
        for (token, renewals) in held {
            let lease = self.lease(Leased::Lock(name.clone(), *token));
            (lease.token, lease.renewals) = (*token, *renewals);
        }
    }

    /// A lease was given under this number, or is said to have been.
    fn begin(
        &mut self,
        of: Leased,
        (token, ttl): (Token, Span),
        renewals: Option<u32>,
        cx: &mut Context<'_, Self>,
    ) {
        let (counts, mutations) = (self.counts(), self.config.mutations);
        let lease = self.lease(of);
        if lease.token != token {
            (lease.renewals, lease.since) = (0, cx.now());
        }
        lease.renewals = renewals.unwrap_or(lease.renewals);
        (lease.held, lease.token, lease.ttl) = (true, token, ttl);
        if counts && lease.armed != Some(token) {
            lease.arm(mutations, cx);
        }
    }

    /// A lease was renewed: it lasts for its whole time again.
    fn prolong(&mut self, of: Leased, cx: &mut Context<'_, Self>) {
        let (counts, mutations) = (self.counts(), self.config.mutations);
        let lease = self.lease(of);
        lease.renewals = lease.renewals.saturating_add(1);
        if counts {
            lease.arm(mutations, cx);
        }
    }

    fn hear_of_session(&mut self, fact: &SessionFact, cx: &mut Context<'_, Self>) {
        match fact {
            SessionFact::All { open, .. } => {
                self.leases.retain(|of, lease| {
                    let gone = match of {
                        Leased::Session(id) => !open.contains(id),
                        Leased::Delay(_) => true,
                        Leased::Lock(..) => false,
                    };
                    if gone {
                        lease.disarm(cx);
                    }
                    !gone
                });
                self.forget_checks();
            }
            SessionFact::Open { session, ttl, pings, .. } => {
                self.begin(Leased::Session(*session), (*session, *ttl), Some(*pings), cx);
            }
            SessionFact::Pinged { session, .. } => self.prolong(Leased::Session(*session), cx),
            SessionFact::Ended { session, .. } => {
                if let Some(mut lease) = self.leases.remove(&Leased::Session(*session)) {
                    lease.disarm(cx);
                }
            }
            SessionFact::Lessor { lessor, .. } => self.take_charge(*lessor, cx),
            SessionFact::Noted { session, left, .. } => {
                self.lease(Leased::Session(*session)).left = *left;
            }
            SessionFact::Delays { slot, lock, delay } => {
                self.begin(Leased::Delay(lock.clone()), (*slot, *delay), None, cx);
            }
            SessionFact::Lifted { lock, .. } => {
                if let Some(mut delay) = self.leases.remove(&Leased::Delay(lock.clone())) {
                    delay.disarm(cx);
                }
            }
            SessionFact::Checked { node, critical, .. } => {
                self.hear_of_check(*node, *critical, cx);
            }
            _ => {}
        }
    }

    /// As the leader: has the log end a lease. Repeated until the log did something about it.
    fn expire(&mut self, number: u32, cx: &mut Context<'_, Self>) {
        let Some((of, lease)) = self.leases.iter().find(|(_, lease)| lease.number == number) else {
            return;
        };
        let on_wall = self.config.mutations.has(Mutation::LockLeaseWall);
        if on_wall && cx.wall() < lease.wall {
            return cx.set(Timer::Expire(number), WALL_STEP);
        }
        if self.config.mutations.has(Mutation::LockNoExpiry) {
            return;
        }
        if self.config.leases.is_some() {
            return self.revoke(number, cx);
        }
        if self.leads.is_some() && lease.held {
            let op = lease.expire(of);
            self.put(op, cx);
            cx.set(Timer::Expire(number), RETRY);
        }
    }

    /// The node that keeps a resource.
    fn home(&self, resource: &Name) -> Option<NodeId> {
        let hash = XxHash3_64::oneshot(resource.as_str().as_bytes());
        let nodes = u64::try_from(self.config.peers.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(hash.checked_rem(nodes)?).ok()?;
        self.config.peers.get(index).copied()
    }

    fn write(&mut self, ticket: Ticket, write: Write, cx: &mut Context<'_, Self>) {
        match self.home(&write.resource) {
            Some(home) if home == cx.me() => {
                let outcome = self.judge(write, cx);
                cx.reply(ticket, outcome);
            }
            Some(home) => {
                if self.forwarded.is_empty() {
                    cx.set(Timer::Retry, RETRY);
                }
                cx.send(home, Message::Write { write: write.clone() });
                let (call, since) = (write.call, cx.now());
                let before = self.forwarded.insert(call, Forwarded { ticket, write, since });
                if let Some(before) = before {
                    cx.reply(before.ticket, Outcome::Unknown);
                }
            }
            None => cx.reply(ticket, Outcome::Refused(Refusal::Unavailable)),
        }
    }

    /// As the home: accepts a write or turns it down.
    fn judge(&mut self, write: Write, cx: &mut Context<'_, Self>) -> Outcome {
        let Judged { outcome, record, fact } = self.resources.write(write, self.config.mutations);
        record.into_iter().for_each(|record| cx.write(record));
        if let Some(records) = self.resources.compact() {
            cx.checkpoint(records);
        }
        fact.into_iter().for_each(|fact| cx.emit(fact));
        outcome
    }

    fn retry(&mut self, cx: &mut Context<'_, Self>) {
        let now = cx.now();
        let (over, open): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.forwarded)
            .into_iter()
            .partition(|(_, forwarded)| now.since(forwarded.since) >= GIVE_UP);
        for Forwarded { ticket, .. } in over.into_values() {
            cx.reply(ticket, Outcome::Unknown);
        }
        for Forwarded { write, .. } in open.values() {
            if let Some(home) = self.home(&write.resource) {
                cx.send(home, Message::Write { write: write.clone() });
            }
        }
        self.forwarded = open;
        if !self.forwarded.is_empty() {
            cx.set(Timer::Retry, RETRY);
        }
    }
}

impl Lease {
    /// What puts an end to it.
    fn expire(&self, of: &Leased) -> Op {
        let Lease { token, renewals, .. } = *self;
        match of {
            Leased::Lock(lock, _) => Op::Expire { lock: lock.clone(), token, renewals },
            Leased::Session(session) => {
                let session = *session;
                Op::Session(SessionOp::Expire { session, pings: renewals })
            }
            // Where there are delays, a leader keeps time.
            Leased::Delay(_) => Op::Noop,
        }
    }

    /// As the leader: counts the lease from now.
    fn arm(&mut self, mutations: Mutations, cx: &mut Context<'_, LockService>) {
        if self.held {
            (self.armed, self.wall) = (Some(self.token), cx.wall() + self.ttl);
            (self.until, self.ends) = (cx.now() + self.ttl, false);
            let on_wall = mutations.has(Mutation::LockLeaseWall);
            cx.set(Timer::Expire(self.number), if on_wall { WALL_STEP } else { self.ttl });
        }
    }

    fn disarm(&mut self, cx: &mut Context<'_, LockService>) {
        if self.armed.take().is_some() {
            cx.cancel(Timer::Expire(self.number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LockMode, Rng};
    use crate::proto::{Frame, Inner, Outbox};

    struct Lab {
        frame: Frame,
        service: LockService,
        /// When the lease was to end, when last looked at.
        ends: Option<Time>,
    }

    impl Lab {
        fn new() -> Lab {
            let me = NodeId::node(1);
            let mut frame = Frame::new(me, 1, Rng::new(1), Outbox::new(true));
            let (fences, sessions, leases, mutations) = (true, false, None, Mutations::NONE);
            let (peers, checks, leader_tells) = ([me].into(), None, false);
            let config =
                Config { peers, fences, sessions, leases, checks, leader_tells, mutations };
            let service = Protocol::start(config, &[], &mut Context::new(&mut frame));
            Lab { frame, service, ends: None }
        }

        /// Has it hear facts at a time, in milliseconds, and returns what it wants done.
        fn hear(&mut self, at: u64, facts: &[Fact]) -> Vec<String> {
            self.frame.now = Time(at * 1_000);
            for fact in facts {
                self.service.hear(fact, &mut Context::new(&mut self.frame));
            }
            self.effects()
        }

        fn fire(&mut self, at: u64, timer: Timer) -> Vec<String> {
            self.frame.now = Time(at * 1_000);
            self.service.timer(timer, &mut Context::new(&mut self.frame));
            self.effects()
        }

        /// What it asks of its siblings, and what became of the lease's timer.
        fn effects(&mut self) -> Vec<String> {
            let line = |(_, inner)| match inner {
                Inner::Call { to, op, .. } => format!("{to}: {op}"),
                other => format!("{other:?}"),
            };
            let mut effects: Vec<String> = self.frame.inner.drain(..).map(line).collect();
            let ends = self.frame.outbox.timers().first().map(|(at, _)| *at);
            if ends != self.ends {
                effects.push(match ends {
                    Some(at) => format!("lease ends at {at}"),
                    None => "no lease".to_owned(),
                });
                self.ends = ends;
            }
            effects
        }
    }

    fn granted(token: Token) -> Fact {
        let call = CallId { client: NodeId::client(1), seq: 1 };
        let (ttl, mode) = (Span::secs(2), LockMode::Alone);
        Fact::Granted { slot: token, lock: door(), call, token, ttl, mode }
    }

    fn door() -> Name {
        "door".parse().unwrap()
    }

    fn renewed() -> Fact {
        Fact::Renewed { slot: 5, lock: door(), token: 3, ttl: Span::secs(2) }
    }

    fn leads(round: u32) -> Fact {
        Fact::Leads { ballot: Ballot::new(round, NodeId::node(1)) }
    }

    #[test]
    fn the_leader_ends_a_lease_after_its_last_renewal() {
        let mut lab = Lab::new();
        lab.hear(0, &[leads(1)]);
        assert_eq!(lab.hear(100, &[granted(3)]), ["lease ends at 2.100"]);
        assert_eq!(lab.hear(1_000, &[renewed()]), ["lease ends at 3.000"]);
        let asked = lab.fire(3_000, Timer::Expire(1));
        assert_eq!(asked, ["log: expire door 3 1", "lease ends at 3.250"]);
        let freed =
            Fact::Freed { slot: 9, lock: door(), token: 3, why: crate::event::Freed::Expired };
        assert_eq!(lab.hear(3_100, &[freed]), ["no lease"]);
    }

    #[test]
    fn a_new_leader_gives_every_grant_its_full_time() {
        let mut lab = Lab::new();
        let follows = Fact::Follows { ballot: Ballot::new(1, NodeId::node(2)) };
        assert!(lab.hear(0, &[granted(3), follows.clone()]).is_empty(), "the leader counts");
        assert_eq!(lab.hear(1_500, &[leads(2)]), ["lease ends at 3.500"]);
        assert!(lab.hear(1_600, &[leads(2)]).is_empty(), "said again");
        assert_eq!(lab.hear(1_700, &[follows]), ["no lease"]);
        assert!(lab.fire(3_500, Timer::Expire(1)).is_empty());
    }

    #[test]
    fn hearing_it_all_again_changes_nothing() {
        let mut lab = Lab::new();
        lab.hear(0, &[leads(1), granted(3), renewed()]);
        let is = |held: &[_]| Fact::LockIs { slot: 5, lock: door(), token: 3, held: held.into() };
        assert!(lab.hear(1_000, &[is(&[(3, 1)]), granted(3)]).is_empty());
        let asked = lab.fire(2_000, Timer::Expire(1));
        assert_eq!(asked[0], "log: expire door 3 1");
        lab.hear(2_100, &[is(&[])]);
        assert!(lab.fire(2_250, Timer::Expire(1)).is_empty(), "by a snapshot, it is free");
    }
}
