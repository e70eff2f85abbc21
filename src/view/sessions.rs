//! Sessions, and the nodes and watches that hang on them.
//!
//! Every replica says what the log did, some late and some again after a start. Sessions and nodes
//! have numbers that are never used again, so what was once gone stays gone.

use crate::base::{Ballot, CallId, Name, NodeId, SessionId, Slot, Span, Terms, Time, Token};
use crate::event::{Feels, SessionFact};
use std::collections::{BTreeMap, BTreeSet};

/// How many numbers of what is gone are kept.
const MAX_GONE: usize = 1_024;

/// A session, by the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub client: NodeId,
    /// How long it lasts without a sign of life.
    pub ttl: Span,
    /// When the log took in the last sign of life, as far as was heard.
    pub alive: Time,
    /// The node that it hangs on as well, if it does, and its terms.
    pub home: Option<(NodeId, Terms)>,
    /// The last slot that prolonged it.
    slot: Slot,
}

impl Session {
    /// When it ends if there is no other sign of life. The leader counts by its own clock, so this
    /// is an estimate.
    pub fn deadline(&self) -> Time {
        self.alive + self.ttl
    }
}

/// A node below a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it hangs on.
    pub session: SessionId,
    /// What its client wants it for.
    pub wish: CallId,
}

/// A lock that nobody can take for now: its lock-delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// When it began, as far as was heard.
    pub since: Time,
    /// How long it lasts.
    pub span: Span,
    slot: Slot,
    /// Whether the account that is being given has it.
    told: bool,
}

impl Delay {
    /// When it is over. The leader counts by its own clock, so this is an estimate.
    pub fn deadline(&self) -> Time {
        self.since + self.span
    }
}

/// What is below a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Below {
    /// The nodes, by number.
    pub nodes: BTreeMap<Token, Node>,
    /// What is watched, by the session that watches and the node that will tell it: a node below
    /// the lock, or anything.
    pub watches: BTreeMap<(SessionId, NodeId), Option<Token>>,
    /// How many nodes were removed.
    pub removed: u64,
    /// How often a client was told of a change.
    pub told: u64,
    /// Its lock-delay, if one is under way.
    pub delay: Option<Delay>,
    /// The last slot that ended a delay, or granted the lock.
    taken: Slot,
}

impl Below {
    fn begin_delay(&mut self, at: Time, slot: Slot, span: Span) {
        match &mut self.delay {
            Some(delay) if delay.slot >= slot => delay.told |= delay.slot == slot,
            _ if slot <= self.taken => {}
            delay => *delay = Some(Delay { since: at, span, slot, told: true }),
        }
    }

    /// A slot ended the delay, or gave the lock to somebody.
    fn end_delay(&mut self, slot: Slot) {
        self.taken = self.taken.max(slot);
        self.delay.take_if(|delay| delay.slot < slot);
    }
}

/// Who is in the middle of an account: that is no part of how things stand, so all are equal.
#[derive(Clone, Debug, Default)]
struct Tellers(BTreeSet<NodeId>);

impl PartialEq for Tellers {
    fn eq(&self, _: &Tellers) -> bool {
        true
    }
}

impl Eq for Tellers {}

/// All sessions, and all that hangs on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    open: BTreeMap<SessionId, Session>,
    locks: BTreeMap<Name, Below>,
    /// What each client knows of its session.
    feels: BTreeMap<NodeId, (SessionId, Feels)>,
    /// Sessions and nodes that are gone.
    gone: BTreeSet<u64>,
    /// The last slot that anything was heard of.
    newest: Slot,
    /// Who gives a whole account that is not out of date.
    tellers: Tellers,
    /// The leader that keeps their time in its memory, if one does, and the slot that says so.
    lessor: Option<(Slot, Ballot)>,
    /// Up to which slot each client that follows changes was told.
    watchers: BTreeMap<NodeId, Slot>,
    /// The last slot that changed a node, and the last whose changes nobody is told any more.
    changed: Slot,
    forgotten: Slot,
    /// Whose check turned critical, or passing again, in which slot.
    checks: BTreeMap<NodeId, (Slot, bool)>,
}

impl Sessions {
    /// One session, if it is open by the log.
    pub fn get(&self, session: SessionId) -> Option<&Session> {
        self.open.get(&session)
    }

    /// All that are open by the log, by number.
    pub fn open(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.open.iter().map(|(id, session)| (*id, session))
    }

    /// What a client knows of its session, if it said so.
    pub fn feels(&self, client: NodeId) -> Option<(SessionId, Feels)> {
        self.feels.get(&client).copied()
    }

    /// The leader that keeps their time in its memory, where one does.
    pub fn lessor(&self) -> Option<NodeId> {
        self.lessor.map(|(_, lessor)| lessor.node)
    }

    /// Up to which slot each client that follows changes was told.
    pub fn watchers(&self) -> impl Iterator<Item = (NodeId, Slot)> {
        self.watchers.iter().map(|(client, upto)| (*client, *upto))
    }

    /// The changes that who follows them can be told: after the first of these slots, up to the
    /// second.
    pub fn history(&self) -> (Slot, Slot) {
        (self.forgotten, self.changed)
    }

    /// The nodes whose check is critical by the log.
    pub fn critical(&self) -> impl Iterator<Item = NodeId> {
        self.checks.iter().filter(|(_, (_, critical))| *critical).map(|(node, _)| *node)
    }

    /// The clients whose sessions wait for any change of a lock.
    pub fn watching(&self, lock: &Name) -> Vec<NodeId> {
        let below = self.locks.get(lock).into_iter();
        let sessions = below.flat_map(|below| below.watches.iter());
        let any = sessions.filter(|(_, watched)| watched.is_none());
        any.filter_map(|((session, _), _)| Some(self.get(*session)?.client)).collect()
    }

    /// What is below a lock.
    pub fn below(&self, lock: &Name) -> Option<&Below> {
        self.locks.get(lock)
    }

    /// Whether nobody ever had a session.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.gone.is_empty()
    }

    /// A process is down: what was watched there is not any more, and what it knew.
    pub(super) fn fall(&mut self, node: NodeId) {
        self.feels.remove(&node);
        self.watchers.remove(&node);
        self.tellers.0.remove(&node);
        for below in self.locks.values_mut() {
            below.watches.retain(|(_, at), _| *at != node);
        }
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &SessionFact) {
        self.take(at, node, fact);
        if let Some(slot) = fact.slot() {
            self.newest = self.newest.max(slot);
        }
    }

    fn take(&mut self, at: Time, node: NodeId, fact: &SessionFact) {
        match fact {
            SessionFact::All { slot, open, nodes } => self.take_account(node, *slot, open, nodes),
            SessionFact::Open { slot, session, client, ttl, .. } => {
                if self.is_news(node, *session) {
                    let (client, ttl, slot) = (*client, *ttl, *slot);
                    let new = Session { client, ttl, alive: at, home: None, slot };
                    self.open.entry(*session).or_insert(new);
                }
            }
            SessionFact::Pinged { slot, session } => {
                if let Some(session) = self.open.get_mut(session).filter(|one| one.slot < *slot) {
                    (session.slot, session.alive) = (*slot, at);
                }
            }
            SessionFact::Ended { session, .. } => self.end(*session),
            SessionFact::Made { lock, node: number, session, wish, .. } => {
                self.changed = self.changed.max(*number);
                if self.is_news(node, *number) {
                    let made = Node { session: *session, wish: *wish };
                    let below = self.below_mut(lock);
                    below.nodes.insert(*number, made);
                    below.end_delay(*number);
                }
            }
            SessionFact::Removed { slot, lock, node } => {
                self.changed = self.changed.max(*slot);
                if self.bury(*node) {
                    let below = self.below_mut(lock);
                    below.nodes.remove(node);
                    below.removed += 1;
                }
            }
            SessionFact::Asks { .. } => {}
            SessionFact::Feels { session, feels } => {
                self.feels.insert(node, (*session, *feels));
            }
            SessionFact::Watches { lock, session, node: watched, .. } => {
                self.below_mut(lock).watches.insert((*session, node), *watched);
            }
            SessionFact::Tells { lock, session, .. } => {
                let below = self.below_mut(lock);
                below.told += 1;
                below.watches.remove(&(*session, node));
            }
            SessionFact::Lessor { slot, lessor } => {
                // Said again, it is no later than it was.
                if self.lessor.is_none_or(|(_, known)| known != *lessor) {
                    self.lessor = self.lessor.max(Some((*slot, *lessor)));
                }
            }
            SessionFact::Noted { .. } => {}
            SessionFact::Hangs { session, node, terms, .. } => {
                if let Some(session) = self.open.get_mut(session) {
                    session.home = Some((*node, *terms));
                }
            }
            SessionFact::Delays { slot, lock, delay } => {
                self.below_mut(lock).begin_delay(at, *slot, *delay);
            }
            SessionFact::Lifted { slot, lock } => self.below_mut(lock).end_delay(*slot),
            SessionFact::Checked { slot, node: whose, critical } => {
                let known = self.checks.entry(*whose).or_default();
                *known = (*known).max((*slot, *critical));
            }
            SessionFact::Compacts { before, .. } => self.forgotten = self.forgotten.max(*before),
            SessionFact::Shows { revision: upto, .. } | SessionFact::Sees { upto, .. } => {
                self.watchers.insert(node, *upto);
            }
            SessionFact::Kept { session, ago } => {
                if let Some(session) = self.open.get_mut(session) {
                    session.alive = session.alive.max(Time(at.0.saturating_sub(ago.0)));
                }
            }
        }
    }

    /// All that there is after a slot. What else was made before is gone.
    fn take_account(&mut self, by: NodeId, slot: Slot, open: &[SessionId], nodes: &[Token]) {
        self.tellers.0.remove(&by);
        if slot < self.newest {
            return;
        }
        self.tellers.0.insert(by);
        let over: Vec<SessionId> =
            self.open.keys().copied().filter(|id| !open.contains(id)).collect();
        over.into_iter().for_each(|id| self.end(id));
        for below in self.locks.values_mut() {
            below.nodes.retain(|node, _| nodes.contains(node));
            below.delay.iter_mut().for_each(|delay| delay.told = false);
        }
        self.checks.retain(|_, (_, critical)| !*critical);
    }

    /// Whether what `by` says of a number is news: it is of a later slot than anything before, or a
    /// part of a whole account.
    fn is_news(&self, by: NodeId, number: u64) -> bool {
        !self.gone.contains(&number) && (number > self.newest || self.tellers.0.contains(&by))
    }

    /// A process has said how things stand.
    pub(super) fn restated(&mut self, node: NodeId) {
        if self.tellers.0.remove(&node) {
            self.locks.values_mut().for_each(|below| _ = below.delay.take_if(|delay| !delay.told));
        }
    }

    fn end(&mut self, session: SessionId) {
        self.open.remove(&session);
        self.bury(session);
        for below in self.locks.values_mut() {
            below.watches.retain(|(of, _), _| *of != session);
        }
    }

    /// Whether a number is gone for the first time.
    fn bury(&mut self, number: u64) -> bool {
        let news = self.gone.insert(number);
        if self.gone.len() > MAX_GONE {
            self.gone.pop_first();
        }
        news
    }

    fn below_mut(&mut self, lock: &Name) -> &mut Below {
        self.locks.entry(lock.clone()).or_default()
    }
}
