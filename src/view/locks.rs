//! Locks: what the log says, what clients believe, and what the guarded resource let through.
//!
//! Every replica says what the log did, some late and some again after a start, so slots decide
//! what is news. The time of a grant is that of the first replica that said it.

mod keys;

use super::remember;
use crate::base::{CallId, LockMode, Name, NodeId, Slot, Span, Time, Token};
use crate::event::{Deadlock, Fact, Freed};
pub use keys::Key;
use std::collections::{BTreeMap, VecDeque};

/// How many grants of each lock are kept.
pub const MAX_GRANTS: usize = 16;
/// How many guarded writes of each resource are kept.
pub const MAX_WRITES: usize = 8;
/// How many locks are kept. Beyond, one that is free is forgotten.
pub const MAX_LOCKS: usize = 512;

/// Who holds a lock by the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its call; it names the client.
    pub call: CallId,
    /// The fencing token.
    pub token: Token,
    /// For how long at a time.
    pub ttl: Span,
    /// When it was granted.
    pub granted: Time,
    /// When it was granted or renewed last.
    pub renewed: Time,
    /// Beside whom it holds it.
    pub mode: LockMode,
    /// The slot that renewed it last, or granted it.
    last: Slot,
}

impl Holder {
    /// Whom a fact of this moment grants a lock to, if it does.
    fn granted(fact: &Fact, at: Time) -> Option<Holder> {
        let Fact::Granted { slot: last, call, token, ttl, mode, .. } = *fact else { return None };
        Some(Holder { call, token, ttl, granted: at, renewed: at, mode, last })
    }

    /// When the lease runs out by the clock of whoever said so first. The leader counts by its own,
    /// from when it heard, so this is an estimate.
    pub fn deadline(&self) -> Time {
        self.renewed + self.ttl
    }
}

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The call; it names the client.
    pub call: CallId,
    /// Since when.
    pub since: Time,
    /// Beside whom it wants to hold it.
    pub mode: LockMode,
}

/// A grant, now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The call; it names the client.
    pub call: CallId,
    /// The fencing token.
    pub token: Token,
    /// When it began.
    pub since: Time,
    /// When and why it ended, if it has.
    pub end: Option<(Time, Freed)>,
    /// Beside whom it was held.
    pub mode: LockMode,
}

/// What a client believes: that it holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belief {
    /// Under this token.
    pub token: Token,
    /// Since when.
    pub since: Time,
    /// Until then, in the world's time, if its clock goes on as it does. A client that is frozen
    /// believes on beyond it.
    pub until: Time,
    /// Beside whom.
    pub mode: LockMode,
}

/// A write to the guarded resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// When it was judged.
    pub at: Time,
    /// The call; it names the client.
    pub call: CallId,
    /// The token that it showed.
    pub token: Token,
    /// The largest token seen before.
    pub highest: Token,
    /// Whether it was let through.
    pub accepted: bool,
    /// Whether the resource compares tokens.
    pub fenced: bool,
    /// Whether the lock was no longer that of the grant which it was made under.
    pub late: bool,
}

impl Write {
    /// Whether a later holder had written before: fencing must reject it.
    pub fn is_stale(&self) -> bool {
        self.fenced && self.token < self.highest
    }
}

/// What changed last at a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was granted.
    Granted,
    /// The lease was prolonged.
    Renewed,
    /// Somebody lined up.
    Queued,
    /// It was freed.
    Freed(Freed),
}

/// One lock, and the resource of the same name that it guards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Who holds it by the log, in the order of grants.
    pub holders: Vec<Holder>,
    /// The largest token that was ever given out; of a lock that is a key, the holder's.
    pub token: Token,
    /// Who waits, in order.
    pub queue: Vec<Waiter>,
    /// What changed last, and when.
    pub changed: Option<(Time, Change)>,
    /// Which clients believe that they hold it.
    pub beliefs: BTreeMap<NodeId, Belief>,
    /// Its key on each instance that has one, where locks are keys.
    pub keys: BTreeMap<NodeId, Key>,
    /// Since when clients believe so of whom one must not hold it beside the others.
    pub overlap: Option<Time>,
    grants: VecDeque<Grant>,
    writes: VecDeque<Write>,
    /// The last slot that changed it, and the last thing that it did.
    stamp: (Slot, Step),
    /// Who gives a whole account of it, as of which slot.
    restating: Option<(NodeId, Slot)>,
    account: Option<Account>,
}

/// What a slot does to a lock, in order: who waits may leave, then it is freed, then given away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    #[default]
    Leave,
    Free,
    Give,
}

/// What a replica tells a newcomer of a lock: how it stands after a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    by: NodeId,
    slot: Slot,
    /// Whether its last token was not heard of before.
    news: bool,
    holders: Vec<Holder>,
    queue: Vec<(CallId, LockMode)>,
}

impl Lock {
    /// The last [`MAX_GRANTS`] grants, oldest first.
    pub fn grants(&self) -> impl DoubleEndedIterator<Item = &Grant> {
        self.grants.iter()
    }

    /// The last [`MAX_WRITES`] guarded writes, oldest first.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = &Write> {
        self.writes.iter()
    }

    /// Who has held it for longest by the log.
    pub fn holder(&self) -> Option<Holder> {
        self.holders.first().copied()
    }

    /// What a client holds it under by the log, if it does.
    pub fn held_by(&self, client: NodeId) -> Option<Holder> {
        self.holders.iter().rfind(|holder| holder.call.client == client).copied()
    }

    /// How it is shared now, by those who hold it or else by those who wait.
    pub fn mode(&self) -> LockMode {
        let waits = || self.queue.first().map(|waiter| waiter.mode);
        self.holder().map(|holder| holder.mode).or_else(waits).unwrap_or_default()
    }

    /// Whether nobody holds it, waits for it or believes in it.
    pub fn is_idle(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty() && self.beliefs.is_empty()
    }

    /// Whether what slot `slot` did is news, and from now on old.
    fn is_news(&mut self, slot: Slot, step: Step) -> bool {
        let stamp = (slot, step);
        let news = stamp > self.stamp;
        self.stamp = self.stamp.max(stamp);
        news
    }

    fn grant(&mut self, holder: Holder) {
        let Holder { granted: at, last: slot, .. } = holder;
        // A slot may grant it to several.
        let another = (slot, Step::Give) == self.stamp && holder.token > self.token;
        if !self.is_news(slot, Step::Give) && !another {
            return;
        }
        if !holder.mode.fits(self.holders.iter().map(|held| held.mode)) {
            // What was said in between was not heard.
            self.holders.clear();
        }
        self.token = self.token.max(holder.token);
        self.queue.retain(|waiter| waiter.call != holder.call);
        self.holders.push(holder);
        self.changed = Some((at, Change::Granted));
        remember(&mut self.grants, MAX_GRANTS, grant_of(holder, at));
    }

    /// `restated` says that it comes from a whole account of the lock that is not out of date.
    fn enqueue(&mut self, slot: Slot, waiter: Waiter, restated: bool) {
        let Waiter { call, since: at, .. } = waiter;
        let known = self.holders.iter().any(|holder| holder.call == call)
            || self.queue.iter().any(|waiter| waiter.call == call);
        if !(self.is_news(slot, Step::Give) || restated) || known {
            return;
        }
        self.queue.push(waiter);
        self.changed = Some((at, Change::Queued));
    }

    /// Who waited waits no longer. A call that has left never comes back.
    fn leave(&mut self, slot: Slot, call: CallId) {
        self.stamp = self.stamp.max((slot, Step::Leave));
        self.queue.retain(|waiter| waiter.call != call);
    }

    fn renew(&mut self, at: Time, slot: Slot, token: Token, ttl: Span) {
        // A grant or a queue that is told later of this slot or an earlier one is old.
        self.stamp = self.stamp.max((slot, Step::Give));
        let meant = |holder: &&mut Holder| holder.token == token && holder.last < slot;
        if let Some(holder) = self.holders.iter_mut().find(meant) {
            (holder.renewed, holder.ttl, holder.last) = (at, ttl, slot);
            self.changed = Some((at, Change::Renewed));
        }
    }

    fn free(&mut self, at: Time, slot: Slot, token: Token, why: Freed) {
        // A slot may take it from several.
        let another =
            (slot, Step::Free) == self.stamp && self.holders.iter().any(|h| h.token == token);
        if !self.is_news(slot, Step::Free) && !another {
            return;
        }
        self.holders.retain(|holder| holder.token != token);
        self.changed = Some((at, Change::Freed(why)));
        let open = |grant: &&mut Grant| grant.token == token && grant.end.is_none();
        if let Some(grant) = self.grants.iter_mut().rev().find(open) {
            grant.end = Some((at, why));
        }
    }

    /// Takes a whole account for the state, where it differs, if it is newer than what is known.
    fn settle(&mut self, at: Time, Account { slot, news, holders, queue, .. }: Account) {
        if slot < self.stamp.0 {
            return;
        }
        let same =
            |one: &Holder, other: &Holder| (one.call, one.token) == (other.call, other.token);
        let held = self.holders.len() == holders.len()
            && self.holders.iter().zip(&holders).all(|(one, other)| same(one, other));
        let waits: Vec<_> = self.queue.iter().map(|waiter| (waiter.call, waiter.mode)).collect();
        if held && waits == queue && !news {
            return;
        }
        self.stamp = (slot, Step::Give);
        if !held {
            self.changed = Some((at, Change::Granted)).filter(|_| !holders.is_empty());
            for holder in &holders {
                if !self.holders.iter().any(|known| same(known, holder)) {
                    remember(&mut self.grants, MAX_GRANTS, grant_of(*holder, at));
                }
            }
            self.holders = holders;
        }
        let since = |call: CallId| {
            let known = self.queue.iter().find(|waiter| waiter.call == call);
            known.map_or(at, |waiter| waiter.since)
        };
        let waiter = |(call, mode): &_| Waiter { call: *call, since: since(*call), mode: *mode };
        self.queue = queue.iter().map(waiter).collect();
    }

    fn weigh(&mut self, at: Time) {
        let modes: Vec<LockMode> = self.beliefs.values().map(|belief| belief.mode).collect();
        let beside = |at: usize| modes[..at].iter().copied();
        match modes.iter().enumerate().all(|(at, mode)| mode.fits(beside(at))) {
            true => self.overlap = None,
            false => _ = self.overlap.get_or_insert(at),
        }
    }
}

/// The grant that somebody holds the lock under, since a time.
fn grant_of(Holder { call, token, mode, .. }: Holder, since: Time) -> Grant {
    Grant { call, token, since, end: None, mode }
}

/// All locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    locks: BTreeMap<Name, Lock>,
    /// Whom each instance goes by as the primary, since which epoch.
    primaries: BTreeMap<NodeId, (u32, NodeId)>,
    /// The last circle of clients that was broken, and when.
    deadlock: Option<(Time, Deadlock)>,
}

impl Locks {
    /// One lock.
    pub fn get(&self, name: &Name) -> Option<&Lock> {
        self.locks.get(name)
    }

    /// All locks, by name.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (&Name, &Lock)> {
        self.locks.iter()
    }

    /// The last circle of clients that waited for each other and was broken, and when.
    pub fn deadlock(&self) -> Option<&(Time, Deadlock)> {
        self.deadlock.as_ref()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.locks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// A client that is down believes nothing, and the account of a replica that is down is over:
    /// it will repeat old slots one by one.
    pub(super) fn fall(&mut self, at: Time, node: NodeId) {
        for lock in self.locks.values_mut() {
            lock.restating = lock.restating.filter(|(by, _)| *by != node);
            lock.account.take_if(|account| account.by == node);
            if lock.beliefs.remove(&node).is_some() {
                lock.weigh(at);
            }
        }
    }

    /// A client says that it holds a lock, which it will believe until `until`.
    /// `again` says that it is how things stand, and no news.
    pub(super) fn believes(
        &mut self,
        at: Time,
        node: NodeId,
        fact: &Fact,
        until: Time,
        again: bool,
    ) {
        let Fact::Holds { lock, token, mode, .. } = fact else { return };
        let lock = self.lock_mut(lock);
        if again && lock.beliefs.get(&node).is_some_and(|known| known.token == *token) {
            return;
        }
        let known = lock.beliefs.get(&node).filter(|belief| belief.token == *token);
        let since = known.map_or(at, |belief| belief.since);
        lock.beliefs.insert(node, Belief { token: *token, since, until, mode: *mode });
        lock.weigh(at);
    }

    /// A process has said how things stand.
    pub(super) fn restated(&mut self, at: Time, node: NodeId) {
        for lock in self.locks.values_mut() {
            if let Some(account) = lock.account.take_if(|account| account.by == node) {
                lock.settle(at, account);
            }
        }
    }

    /// Takes in what a newcomer is told. True if that was all.
    fn restate(&mut self, at: Time, node: NodeId, fact: &Fact) -> bool {
        match fact {
            Fact::LockIs { slot, lock, token, .. } => {
                let lock = self.lock_mut(lock);
                let (slot, news, queue) = (*slot, *token > lock.token, Vec::new());
                lock.token = lock.token.max(*token);
                let holders = Vec::new();
                lock.account = Some(Account { by: node, slot, news, holders, queue });
            }
            Fact::Granted { lock, .. } => {
                if let Some(account) = &mut self.lock_mut(lock).account {
                    account.holders.extend(Holder::granted(fact, at));
                }
            }
            Fact::Queued { lock, call, mode, .. } => {
                if let Some(account) = &mut self.lock_mut(lock).account {
                    account.queue.push((*call, *mode));
                }
            }
            // The last write that was accepted.
            Fact::Guards { resource, .. } | Fact::Takes { resource, .. } => {
                return !self.lock_mut(resource).writes.is_empty();
            }
            _ => return false,
        }
        true
    }

    /// `again` says that it is how things stand, and no news.
    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact, again: bool) {
        if again && self.restate(at, node, fact) {
            return;
        }
        match fact {
            Fact::Granted { lock, .. } => {
                let lock = self.lock_mut(lock);
                Holder::granted(fact, at).into_iter().for_each(|holder| lock.grant(holder));
            }
            Fact::Queued { slot, lock, call, mode, .. } => {
                let lock = self.lock_mut(lock);
                let told = |(by, upto): (NodeId, Slot)| by == node && *slot <= upto;
                let waiter = Waiter { call: *call, since: at, mode: *mode };
                lock.enqueue(*slot, waiter, lock.restating.is_some_and(told));
            }
            Fact::Renewed { slot, lock, token, ttl } => {
                self.lock_mut(lock).renew(at, *slot, *token, *ttl);
            }
            Fact::Left { slot, lock, call } => self.lock_mut(lock).leave(*slot, *call),
            Fact::Freed { slot, lock, token, why } => {
                self.lock_mut(lock).free(at, *slot, *token, *why);
            }
            Fact::LockIs { slot, lock, token, .. } => {
                let lock = self.lock_mut(lock);
                lock.token = lock.token.max(*token);
                lock.restating = Some((node, *slot)).filter(|_| *slot >= lock.stamp.0);
            }
            Fact::LetsGo { lock, .. } => {
                let lock = self.lock_mut(lock);
                lock.beliefs.remove(&node);
                lock.weigh(at);
            }
            Fact::Guards { resource, call, token, highest, accepted } => {
                let (call, token, highest, accepted) = (*call, *token, *highest, *accepted);
                let (fenced, late) = (true, false);
                let write = Write { at, call, token, highest, accepted, fenced, late };
                remember(&mut self.lock_mut(resource).writes, MAX_WRITES, write);
            }
            Fact::Takes { resource, call, token } => {
                let lock = self.lock_mut(resource);
                let (call, token, highest, accepted, fenced) = (*call, *token, 0, true, false);
                let late = lock.holders.iter().all(|holder| holder.token != token);
                let write = Write { at, call, token, highest, accepted, fenced, late };
                remember(&mut lock.writes, MAX_WRITES, write);
            }
            Fact::Key { lock, deed } => self.hear_key(at, node, lock, deed, again),
            Fact::Deadlock(new) => {
                let known = self.deadlock.as_ref().map(|(_, known)| (known.slot, known.victim));
                if known < Some((new.slot, new.victim)) {
                    self.deadlock = Some((at, new.clone()));
                }
            }
            Fact::Primary { epoch, node: primary } => self.goes_by(at, node, *epoch, *primary),
            _ => {}
        }
    }

    fn lock_mut(&mut self, name: &Name) -> &mut Lock {
        if self.locks.len() >= MAX_LOCKS
            && !self.locks.contains_key(name)
            && let Some(idle) = self.locks.iter().find(|(_, lock)| lock.is_idle())
        {
            let idle = idle.0.clone();
            self.locks.remove(&idle);
        }
        self.locks.entry(name.clone()).or_default()
    }
}
