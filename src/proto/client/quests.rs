//! Quests: how a client takes a lock in several steps, where the service offers only sessions,
//! nodes and watches.
//!
//! **What it guarantees.** The client calls a lock its own only when it has seen that its node is
//! the lowest, and until its session may have ended. Who waits watches one node, the one before its
//! own, so a release wakes one client. A lost answer does no harm: the node is found again by the
//! name that the client gave it.
//!
//! ```text
//!  c2                              n1                        c1 (node 4)
//!  │── open 2s ───────────────────>│ s3
//!  │── create door/c2/9 of s3 ────>│ node 5
//!  │── list door ─────────────────>│ 4 5: not the lowest
//!  │── watch door/4 ──────────────>│
//!  │── ping s3 (every third of 2s)>│<──────── delete door/4 ─────│
//!  │<──────────────── changed ─────│
//!  │── list door ─────────────────>│ 5: the lowest, token 5
//! ```
//!
//! Who only reads looks for the nearest node before its own that does not, and watches that one:
//! a writer that waits lets no later reader past, and one that ends wakes all readers behind it up
//! to the next writer.
//!
//! A semaphore needs two directories. The one has a node per permit; whoever comes makes its own
//! and looks whether there are more than there are permits. Two that came at once would both count
//! the other one, and both wait for ever. So they come one by one: each takes a lock first, in the
//! other directory, and gives it back when it has its permit.
//!
//! Where a lock is one key (`Watch::Key`), the client asks for it, and if it is busy watches it and
//! asks again: nobody is next in line, so a release wakes all who wait.
//!
//! An answer to `create` that does not come may have been lost, or the request: the client lists
//! the nodes and looks for its own before it asks again. Of a call that is older than the log
//! remembers nobody can say what became of it: what does no more if it is done twice is asked for
//! anew.
//!
//! **Sources.** Hunt, Konar, Junqueira and Reed, *ZooKeeper: wait-free coordination for
//! internet-scale systems* (2010), section 2.4; ZooKeeper's page of recipes, on locks and shared
//! locks; etcd's `RWMutex` (`client/v3/experimental/recipes`), which is the same; for semaphores,
//! Curator's `InterProcessSemaphoreV2`.
//!
//! **What is left out.** Giving up: who has lined up waits until it has the lock or its session
//! ends. A client has one session, which lasts as long as the first lock that it asked for was to.

mod permits;

use super::Client;
use super::calls::{Calls, Finished};
use super::leases::Leases;
use super::session::{Session, own};
use crate::base::{
    CallId, LockMode, Mutation, Mutations, Name, NodeId, Op, Outcome, Place, Refusal, SessionOp,
    SessionOutcome, Slot, Span, Terms, Time, Token,
};
use crate::event::Fact;
use crate::proto::Context;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a client watches that is not the first in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The node before its own: a release wakes one client.
    Predecessor,
    /// The lock and all below it: a release wakes everybody.
    Parent,
    /// The lock, which is one key and has no line. Sessions hang on nodes, on these terms.
    Key(Terms),
}

/// Something that the client was asked for and does in steps.
#[derive(Clone, Debug)]
struct Quest {
    op: Arc<Op>,
    since: Time,
    /// Whom it asked first.
    at: NodeId,
    /// The step under way; none while there is no session.
    step: Option<u64>,
    /// The node that it made.
    node: Option<Token>,
    stage: Stage,
}

/// How far a quest for a permit has come.
#[derive(Clone, Debug, Default)]
enum Stage {
    /// It takes the lock that it was asked for, and no other.
    #[default]
    Straight,
    /// It takes the lock without which it may not count.
    Gate,
    /// It holds that, by this node, and takes its permit.
    Inside(Token),
    /// It gives that back, and ends so.
    Leaving(Token, Outcome),
}

/// Letters of the name of a lock that also stand in that of the other directory.
const STEM: usize = 58;

/// The lock without which nobody counts the permits of a semaphore.
fn gate(lock: &Name) -> Name {
    let stem = lock.as_str().get(..STEM).unwrap_or(lock.as_str());
    format!("{stem}/locks").parse().expect("it is made of a name and is not too long")
}

/// All quests of one client, and the session that they hang on.
#[derive(Clone, Debug)]
pub(super) struct Quests {
    watch: Watch,
    mutations: Mutations,
    session: Session,
    /// By the number of the call that they are for.
    quests: BTreeMap<u64, Quest>,
    /// The newest state that the client has seen: it reads no older one.
    seen: Slot,
    /// The permits that it has by a key, and its contenders' keys.
    permits: BTreeMap<(Name, Token), Token>,
}

impl Quests {
    pub(super) fn new(watch: Watch, mutations: Mutations) -> Quests {
        let (session, quests) = (Session::None, BTreeMap::new());
        Quests { watch, mutations, session, quests, seen: 0, permits: BTreeMap::new() }
    }

    /// Whether locks are keys, which only one client can have.
    fn are_keys(&self) -> bool {
        matches!(self.watch, Watch::Key(_))
    }

    /// Whether an operation takes several steps.
    pub(super) fn takes(op: &Op) -> bool {
        matches!(
            op,
            Op::Acquire { .. }
                | Op::Renew { .. }
                | Op::Release { .. }
                | Op::Session(SessionOp::Close { .. })
        )
    }

    /// Sets out.
    pub(super) fn begin(
        &mut self,
        call: CallId,
        op: Op,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        let op = Arc::new(op);
        let at = calls.favourite();
        cx.emit(Fact::Invokes { call, op: op.clone(), at, retry: 0 });
        let keys = self.are_keys();
        let stage = match &*op {
            Op::Acquire { mode, .. } if mode.is_permit() && !self.has_no_gate() && !keys => {
                Stage::Gate
            }
            _ => Stage::Straight,
        };
        let quest = Quest { op: op.clone(), since: cx.now(), at, step: None, node: None, stage };
        self.quests.insert(call.seq, quest);
        match (&*op, self.session.open()) {
            (Op::Release { .. }, Some(_)) if self.is_of_permits(&op) => {
                self.contend(call.seq, calls, cx);
            }
            (Op::Acquire { .. }, Some(_)) => self.set_out(call.seq, calls, cx),
            (Op::Acquire { ttl, .. }, None) => self.want(*ttl, calls, cx),
            (Op::Release { lock, token }, Some(open)) => {
                let (lock, session, token) = (lock.clone(), open.id, *token);
                let give_back = match self.watch {
                    Watch::Key(_) => SessionOp::Unlock { lock, session, token },
                    _ => SessionOp::Delete { lock, session, node: token },
                };
                self.step(call.seq, give_back, calls, cx);
            }
            (Op::Session(SessionOp::Close { .. }), Some(open)) => {
                let session = open.id;
                self.step(call.seq, SessionOp::Close { session }, calls, cx);
            }
            (Op::Renew { .. }, Some(_)) => drop(self.session.ping(calls, cx)),
            // It holds nothing that hangs on a session.
            (_, _) => calls.note(self.end(call.seq, Outcome::Refused(Refusal::NotHeld), None, cx)),
        }
    }

    fn has_no_gate(&self) -> bool {
        self.mutations.has(Mutation::SharedNoGate)
    }

    /// Whether it counts permits, and takes one, without the lock for that.
    fn counts_openly(&self, quest: u64) -> bool {
        self.mode(quest).is_permit() && self.has_no_gate()
    }

    /// Takes the first step.
    fn set_out(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        match self.mode(quest).is_permit() && self.are_keys() {
            true => self.contend(quest, calls, cx),
            false if self.counts_openly(quest) => self.list(quest, calls, cx),
            false => self.create(quest, calls, cx),
        }
    }

    /// How long the session lasts without a sign of life.
    pub(super) fn ttl(&self) -> Option<Span> {
        self.session.open().map(|open| open.ttl)
    }

    /// It is time for a sign of life.
    pub(super) fn ping(
        &mut self,
        leases: &mut Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        let answered = self.session.ping(calls, cx);
        if !answered && self.mutations.has(Mutation::LockSuspendedIsOver) {
            let over = self.expired(leases, calls, cx);
            over.into_iter().for_each(|over| calls.note(Some(over)));
        }
    }

    /// Whether a call is a step of something.
    pub(super) fn owns(&self, seq: u64) -> bool {
        self.session.is_opening(seq)
            || self.session.is_ping(seq)
            || self.quests.contains_key(&seq)
            || self.quests.values().any(|quest| quest.step == Some(seq))
    }

    /// A step is over. Returns what is over with it.
    pub(super) fn finished(
        &mut self,
        Finished { seq, op, outcome, .. }: &Finished,
        leases: &mut Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Vec<Finished> {
        if *outcome == Outcome::Refused(Refusal::Expired) {
            return self.expired(leases, calls, cx);
        }
        if self.session.is_opening(*seq) {
            return self.opened(outcome, calls, cx);
        }
        if self.session.is_ping(*seq) {
            return self.pinged(outcome, leases, cx);
        }
        let is_step = |quest: &Quest| quest.step == Some(*seq);
        let quest = self.quests.iter().find(|(_, quest)| is_step(quest)).map(|(seq, _)| *seq);
        let Some(quest) = quest else {
            let refused = Outcome::Refused(Refusal::NotHeld);
            return self.end(*seq, refused, None, cx).into_iter().collect();
        };
        let permit = Quests::steps_to_permits(op)
            || self.quests.get(&quest).is_some_and(|it| self.is_of_permits(&it.op));
        let over = match (&**op, outcome) {
            (Op::Session(op), Outcome::Unknown) if op.is_idempotent() => {
                calls.turn();
                self.step(quest, op.clone(), calls, cx);
                None
            }
            _ if permit => self.weigh(quest, op, outcome, calls, cx),
            (Op::Session(SessionOp::Close { .. }), Outcome::Done) => {
                let mut over: Vec<_> =
                    self.end(quest, Outcome::Done, None, cx).into_iter().collect();
                over.extend(self.expired(leases, calls, cx));
                return over;
            }
            (Op::Session(SessionOp::Delete { .. }), outcome) => self.left(quest, outcome),
            (Op::Session(SessionOp::Lock { .. }), Outcome::Unknown) => {
                calls.turn();
                self.create(quest, calls, cx);
                None
            }
            (_, Outcome::Session(outcome)) => self.advance(quest, outcome, calls, cx),
            (Op::Session(SessionOp::Create { .. }), Outcome::Unknown) => {
                calls.turn();
                match self.mutations.has(Mutation::LockNoGuid) {
                    true => self.create(quest, calls, cx),
                    false => self.list(quest, calls, cx),
                }
                None
            }
            (_, outcome) => Some(outcome.clone()),
        };
        over.and_then(|outcome| self.end(quest, outcome, None, cx)).into_iter().collect()
    }

    fn opened(
        &mut self,
        outcome: &Outcome,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Vec<Finished> {
        let waiting: Vec<u64> = self.quests.keys().copied().collect();
        match (outcome, &self.session) {
            (Outcome::Session(SessionOutcome::Opened { session }), _) => {
                self.session.opened(*session, cx);
                waiting.into_iter().for_each(|seq| self.set_out(seq, calls, cx));
                Vec::new()
            }
            // A session that was opened unheard of ends by itself.
            (
                Outcome::Unknown | Outcome::Refused(Refusal::Critical),
                Session::Opening { ttl, .. },
            ) => {
                let ttl = *ttl;
                self.session = Session::None;
                calls.turn();
                self.want(ttl, calls, cx);
                Vec::new()
            }
            (outcome, _) => {
                self.session = Session::None;
                waiting
                    .into_iter()
                    .filter_map(|seq| self.end(seq, outcome.clone(), None, cx))
                    .collect()
            }
        }
    }

    fn pinged(
        &mut self,
        outcome: &Outcome,
        leases: &mut Leases,
        cx: &mut Context<'_, Client>,
    ) -> Vec<Finished> {
        if *outcome != Outcome::Done {
            return Vec::new();
        }
        self.session.pinged(cx);
        let Some(asked) = self.session.open().map(|open| open.asked) else { return Vec::new() };
        leases.prolong(asked, cx);
        let renewed = |(seq, quest): (&u64, &Quest)| match *quest.op {
            Op::Renew { token, .. } => Some((*seq, Outcome::Granted { token })),
            _ => None,
        };
        let renewed: Vec<_> = self.quests.iter().filter_map(renewed).collect();
        let end = |(seq, outcome)| self.end(seq, outcome, Some(asked), cx);
        renewed.into_iter().filter_map(end).collect()
    }

    /// The session has ended, and all that hangs on it.
    fn expired(
        &mut self,
        leases: &mut Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Vec<Finished> {
        self.session.expired(calls, cx);
        self.permits.clear();
        leases.let_go_all(cx);
        let quests: Vec<u64> = self.quests.keys().copied().collect();
        let refused = Outcome::Refused(Refusal::Expired);
        let mut end = |seq: u64| {
            self.quests[&seq].step.iter().for_each(|step| calls.forget(*step, cx));
            self.end(seq, refused.clone(), None, cx)
        };
        quests.into_iter().filter_map(&mut end).collect()
    }

    /// Takes in the answer to a step. Some, if that was the last one.
    fn advance(
        &mut self,
        quest: u64,
        outcome: &SessionOutcome,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        match outcome {
            SessionOutcome::Made { node } => {
                // Its own node, it must find in the list.
                self.seen = self.seen.max(*node);
                self.quests.get_mut(&quest)?.node = Some(*node);
                if self.counts_openly(quest) || self.mutations.has(Mutation::LockNoCompare) {
                    return Some(Outcome::Granted { token: *node });
                }
                self.list(quest, calls, cx);
            }
            SessionOutcome::Listed { seen, nodes } => {
                self.seen = self.seen.max(*seen);
                let outcome = self.compare(quest, *seen, nodes, calls, cx)?;
                return self.goes_on(quest, outcome, calls, cx);
            }
            SessionOutcome::Changed { seen } => {
                self.seen = self.seen.max(*seen);
                let node = self.quests.get(&quest)?.node;
                if self.mutations.has(Mutation::LockFallThrough) {
                    return node.map(|token| Outcome::Granted { token });
                }
                match self.watch {
                    Watch::Key(_) => self.create(quest, calls, cx),
                    _ => self.list(quest, calls, cx),
                }
            }
            SessionOutcome::Busy { seen } => {
                self.seen = self.seen.max(*seen);
                self.look_out(quest, None, *seen, calls, cx);
            }
            _ => {}
        }
        None
    }

    /// Looks where the own node stands in line.
    fn compare(
        &mut self,
        quest: u64,
        seen: Slot,
        nodes: &[Place],
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        let wish = own(quest, cx);
        let known = self.quests.get(&quest)?.node;
        let is_own = |place: &Place| place.wish == wish || Some(place.node) == known;
        let Some(place) = nodes.iter().position(is_own) else {
            let full = |limit: u8| self.has_no_gate() && nodes.len() >= limit.into();
            match (known, self.mode(quest)) {
                (None, LockMode::OneOf(limit)) if full(limit) => {
                    self.look_out(quest, None, seen, calls, cx);
                }
                (None, _) => self.create(quest, calls, cx),
                _ => {}
            }
            if let Some(known) = known.filter(|_| self.mutations.has(Mutation::LockNoRecheck)) {
                return self.wait(quest, known, seen, nodes, calls, cx);
            }
            return known.map(|_| Outcome::Refused(Refusal::NotHeld));
        };
        let token = nodes[place].node;
        self.quests.get_mut(&quest)?.node = Some(token);
        self.wait(quest, token, seen, nodes, calls, cx)
    }

    /// Something was granted or is lost. Some, if it was what the quest is for.
    fn goes_on(
        &mut self,
        quest: u64,
        outcome: Outcome,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        let of = self.quests.get_mut(&quest)?;
        match (&of.stage, &outcome) {
            (Stage::Gate, Outcome::Granted { token }) => {
                (of.stage, of.node) = (Stage::Inside(*token), None);
                self.create(quest, calls, cx);
                None
            }
            (Stage::Inside(gate), _) => {
                of.stage = Stage::Leaving(*gate, outcome);
                self.leave(quest, calls, cx);
                None
            }
            _ => Some(outcome),
        }
    }

    /// Gives back the lock without which it may not count.
    fn leave(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let Some(Quest { op, stage: Stage::Leaving(node, _), .. }) = self.quests.get(&quest) else {
            return;
        };
        if let (Op::Acquire { lock, .. }, Some(open)) = (&**op, self.session.open()) {
            let (lock, session, node) = (gate(lock), open.id, *node);
            self.step(quest, SessionOp::Delete { lock, session, node }, calls, cx);
        }
    }

    /// A node was removed, and that was the last step.
    fn left(&self, quest: u64, outcome: &Outcome) -> Option<Outcome> {
        Some(match &self.quests.get(&quest)?.stage {
            Stage::Leaving(_, granted) => granted.clone(),
            _ => outcome.clone(),
        })
    }

    /// Watches what it must wait for. Without that, the lock is its own.
    fn wait(
        &mut self,
        quest: u64,
        token: Token,
        seen: Slot,
        nodes: &[Place],
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        let mode = self.mode(quest);
        let before = match self.blocks(mode, token, nodes) {
            Some(before) => before,
            // What is watched for then will never be.
            None if self.mutations.has(Mutation::LockWaitAlways) => token,
            None => return Some(Outcome::Granted { token }),
        };
        // Of a semaphore, any permit may be given back.
        let one = self.watch == Watch::Predecessor && !mode.is_permit();
        self.look_out(quest, one.then_some(before), seen, calls, cx);
        None
    }

    /// Watches a node, or all that is below the lock.
    fn look_out(
        &mut self,
        quest: u64,
        node: Option<Token>,
        seen: Slot,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        if let (Some(lock), Some(open)) = (self.lock(quest), self.session.open()) {
            let session = open.id;
            self.step(quest, SessionOp::Watch { lock, session, node, seen }, calls, cx);
        }
    }

    /// The nearest node before `token` because of which it waits.
    fn blocks(&self, mode: LockMode, token: Token, nodes: &[Place]) -> Option<Token> {
        let has = |mutation| self.mutations.has(mutation);
        let mut before = nodes.iter().filter(|place| place.node < token);
        let nearest = match mode {
            LockMode::Read if has(Mutation::SharedBarge) => None,
            LockMode::Read => before.rfind(|place| place.mode != LockMode::Read),
            LockMode::Alone if has(Mutation::SharedWriter) => {
                before.rfind(|place| place.mode != LockMode::Read)
            }
            LockMode::OneOf(limit) if nodes.len() <= limit.into() => None,
            LockMode::OneOf(_) => nodes.first(),
            LockMode::Alone => before.next_back(),
        };
        nearest.map(|place| place.node)
    }

    /// The lock that a quest is about to take.
    fn lock(&self, quest: u64) -> Option<Name> {
        let Quest { op, stage, .. } = self.quests.get(&quest)?;
        match (&**op, stage) {
            (Op::Acquire { lock, .. }, Stage::Gate) => Some(gate(lock)),
            (Op::Acquire { lock, .. }, _) => Some(lock.clone()),
            _ => None,
        }
    }

    /// Beside whom it is to hold that.
    fn mode(&self, quest: u64) -> LockMode {
        let quest = self.quests.get(&quest).filter(|quest| !matches!(quest.stage, Stage::Gate));
        match quest.map(|quest| &*quest.op) {
            Some(Op::Acquire { mode, .. }) => *mode,
            _ => LockMode::Alone,
        }
    }

    /// Asks for a session, unless there is one or it has been asked for.
    fn want(&mut self, ttl: Span, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let op = match self.watch {
            Watch::Key(terms) => SessionOp::Register { node: calls.favourite(), ttl, terms },
            _ => SessionOp::Open { ttl },
        };
        self.session.want(op, ttl, calls, cx);
    }

    /// Lines up for the lock; or takes it, where there is no line.
    fn create(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let mut wish = own(quest, cx);
        if self.mutations.has(Mutation::LockNoGuid) {
            wish = cx.new_call();
        }
        if let (Some(lock), Some(open)) = (self.lock(quest), self.session.open()) {
            let session = open.id;
            let take = match self.watch {
                Watch::Key(_) => SessionOp::Lock { lock, session, wish },
                _ => SessionOp::Create { lock, session, wish, mode: self.mode(quest) },
            };
            self.step(quest, take, calls, cx);
        }
    }

    fn list(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        if let Some(lock) = self.lock(quest) {
            self.step(quest, SessionOp::List { lock, seen: self.seen }, calls, cx);
        }
    }

    fn step(&mut self, quest: u64, op: SessionOp, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let call = cx.new_call();
        if let Some(quest) = self.quests.get_mut(&quest) {
            quest.step = Some(call.seq);
            calls.start(call, Op::Session(op), cx);
        }
    }

    /// A quest is over. What it got counts from `asked`, or else from the last sign of life.
    fn end(
        &mut self,
        seq: u64,
        outcome: Outcome,
        asked: Option<Time>,
        cx: &mut Context<'_, Client>,
    ) -> Option<Finished> {
        let Quest { op, since, .. } = self.quests.remove(&seq)?;
        let life = self.session.open().map(|open| open.asked);
        let since = asked.or(life).unwrap_or(since);
        cx.emit(Fact::Returns { call: own(seq, cx), outcome: Box::new(outcome.clone()) });
        Some(Finished { seq, op, since, outcome })
    }

    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        for (seq, Quest { op, at, .. }) in &self.quests {
            let (call, op, at) = (own(*seq, cx), op.clone(), *at);
            cx.emit(Fact::Invokes { call, op, at, retry: 0 });
        }
        self.session.restate(cx);
    }
}
