//! Locks as with Consul: a key and its holder's session, which hangs on a node too.
//!
//! **What it guarantees.** A lock that its holder's session lost, because that ended, is granted to
//! nobody before its *lock-delay* is over: who had it may not have heard, and has so long to let
//! go. One that was given back can be taken at once. Each grant raises the *LockIndex* of the key
//! by one. It is the fencing token; with the key and the session, Consul calls it a sequencer.
//!
//! A session ends when it is silent for too long, as with leases; when its client closes it; or
//! when the *check* of its node turns critical, since whoever runs there is thought to be gone.
//! Checks follow what the cluster believes of its members, which may be wrong: a node that is
//! suspected and alive takes the locks of its sessions along. Then the delay is all there is
//! between two that believe, and the token is what the resource tells them apart by.
//!
//! ```text
//!  c1 (s3 at n2)       log                                      c2 (s4 at n3)
//!  │<─ LockIndex 1 ──── │ slot 5: door is s3's                          │
//!  │                    │ slot 6: busy <────────────────── lock door ───│ watches
//!  │   n2 is suspected  │ slot 9: n2 critical, ends s3, delays door 15s │
//!  │                    │ slot 12: busy <───────────────── lock door ───│ watches
//!  │   lets go          │ slot 30: the delay is over ───────── changed ─│
//!  │                    │ slot 31: door is s4's ──────── LockIndex 2 ──>│
//! ```
//!
//! Changes are told by the leader, as Consul's reads are by default: who watched at a node that
//! hears of them later would come late each time, and never get the lock.
//!
//! With `behavior = "delete"`, the key goes with the session, and its LockIndex with it: tokens
//! begin anew, and no resource can compare them.
//!
//! **Sources.** Consul's documentation of sessions and of the key-value store, and its code
//! (`agent/consul/state`, the end of a session; `kvs_endpoint`, where the leader looks at the
//! delay); Burrows, *The Chubby lock service* (2006), section 2.4, has both ideas.
//!
//! **What is left out.** Consul's servers count the delay by clocks of their own, outside of the
//! log, and one that restarts knows of none; here the leader has the log end it. Who finds a delay
//! asks again after five seconds with Consul's client; here the end of the delay counts as a
//! change of the key. Checks other than that of the node, and health between passing and critical.

use super::{Lock, Node, Session, SessionFact, Step, Tree};
use crate::base::{
    Ballot, CallId, LockMode, Mutation, Name, NodeId, Outcome, Refusal, SessionId, SessionOutcome,
    Slot, Span, Terms, Token,
};
use crate::event::{Fact, Freed, Lapse};

impl Tree {
    /// Opens a session that hangs on a node.
    pub(super) fn register(
        &mut self,
        node: NodeId,
        ttl: Span,
        terms: Terms,
        step: &mut Step<'_>,
    ) -> Outcome {
        if self.critical.contains_key(&node) {
            return Outcome::Refused(Refusal::Critical);
        }
        let (slot, outcome) = (step.slot, self.open(ttl, step));
        if let Some(session) = self.sessions.get_mut(&slot) {
            session.home = Some((node, terms));
            step.say(SessionFact::Hangs { slot, session: slot, node, terms });
        }
        outcome
    }

    /// Takes a lock that nobody holds. Who holds it already is told so again.
    pub(super) fn lock(
        &mut self,
        name: &Name,
        session: SessionId,
        wish: CallId,
        step: &mut Step<'_>,
    ) -> Outcome {
        if let Err(outcome) = self.admit(session, step) {
            return outcome;
        }
        self.free_late(name, step);
        let hasty = step.mutations.has(Mutation::ConsulHasty);
        let delayed = self.delays.contains_key(name) && !hasty;
        let lock = self.locks.entry(name.clone()).or_default();
        if lock.permits.are_used() {
            return Outcome::Refused(Refusal::NotShared);
        }
        let shares = step.mutations.has(Mutation::ConsulShared);
        match lock.holders().next() {
            Some((token, held)) if held.session == session => return Outcome::Granted { token },
            Some(_) if !shares => return busy(step),
            _ if delayed => return busy(step),
            _ => {}
        }
        let (slot, index) = (step.slot, lock.next_index(step));
        let node = Node { session, wish, mode: LockMode::Alone, granted: Some((index, slot)) };
        step.say(SessionFact::Made { slot, lock: name.clone(), node: slot, session, wish });
        step.facts.extend(node.granted_fact(name, &self.sessions));
        lock.nodes.insert(slot, node);
        (lock.token, lock.changed) = (index, slot);
        Outcome::Granted { token: index }
    }

    /// Gives a lock back.
    pub(super) fn unlock(
        &mut self,
        name: &Name,
        session: SessionId,
        token: Token,
        step: &mut Step<'_>,
    ) -> Outcome {
        if let Some(of) = self.sessions.get_mut(&session) {
            of.takes(step.call, step.mutations);
        }
        let anybody = step.mutations.has(Mutation::ConsulBlindRelease);
        let own = |_: Token, of: &Node| {
            anybody || (of.session == session && of.granted.is_some_and(|it| it.0 == token))
        };
        let lock = self.locks.get_mut(name);
        match lock.is_some_and(|it| it.remove(name, own, Freed::Released, &self.sessions, step)) {
            true => Outcome::Done,
            false => Outcome::Refused(Refusal::NotHeld),
        }
    }

    /// A leader has found out how a node is.
    pub(super) fn check(
        &mut self,
        lessor: Ballot,
        node: NodeId,
        critical: bool,
        step: &mut Step<'_>,
    ) -> Outcome {
        if !self.counts(lessor, step.mutations) {
            return Outcome::Refused(Refusal::Unavailable);
        }
        let news = match critical {
            true if self.critical.contains_key(&node) => false,
            true => self.critical.insert(node, step.slot).is_none(),
            false => self.critical.remove(&node).is_some(),
        };
        if news {
            step.say(SessionFact::Checked { slot: step.slot, node, critical });
        }
        let all = step.mutations.has(Mutation::ConsulWrongNode);
        let hit = |session: &Session| session.home.is_some_and(|(home, _)| all || home == node);
        let over: Vec<SessionId> =
            self.sessions.iter().filter(|(_, it)| hit(it)).map(|(id, _)| *id).collect();
        for id in over.into_iter().filter(|_| news && critical) {
            self.end(id, Lapse::Critical, step);
        }
        Outcome::Done
    }

    /// A leader finds that a delay is over.
    pub(super) fn lift(
        &mut self,
        lessor: Ballot,
        name: &Name,
        since: Slot,
        step: &mut Step<'_>,
    ) -> Outcome {
        if !self.counts(lessor, step.mutations) {
            return Outcome::Refused(Refusal::Unavailable);
        }
        if self.delays.get(name).is_some_and(|(begun, _)| *begun == since) {
            self.delays.remove(name);
            self.locks.entry(name.clone()).or_default().changed = step.slot;
            step.say(SessionFact::Lifted { slot: step.slot, lock: name.clone() });
        }
        Outcome::Done
    }

    /// A session has ended: its locks are free, and none can be taken before its delay is over.
    pub(super) fn free_all(&mut self, id: SessionId, terms: Terms, step: &mut Step<'_>) {
        if step.mutations.has(Mutation::ConsulLate) {
            return;
        }
        let slot = step.slot;
        for (name, lock) in &mut self.locks {
            if lock.permits.leave(name, id, step) {
                lock.changed = slot;
            }
            let own = |_: Token, node: &Node| node.session == id;
            if !lock.remove(name, own, Freed::Ended, &self.sessions, step) {
                continue;
            }
            if terms.deletes {
                lock.token = 0;
            }
            if terms.delay > Span::ZERO && !step.mutations.has(Mutation::ConsulNoDelay) {
                self.delays.insert(name.clone(), (slot, terms.delay));
                let (lock, delay) = (name.clone(), terms.delay);
                step.say(SessionFact::Delays { slot, lock, delay });
            }
        }
    }

    /// Frees a lock whose session ended before, which only a mutation leaves to be done.
    fn free_late(&mut self, name: &Name, step: &mut Step<'_>) {
        let (late, sessions) = (step.mutations.has(Mutation::ConsulLate), &self.sessions);
        if let Some(lock) = self.locks.get_mut(name).filter(|_| late) {
            let over = |_: Token, node: &Node| !sessions.contains_key(&node.session);
            lock.remove(name, over, Freed::Ended, sessions, step);
        }
    }

    /// Says, as facts, which delays are under way and which nodes are critical.
    pub(super) fn restate_delays(&self, facts: &mut Vec<Fact>) {
        for (node, slot) in &self.critical {
            let checked = SessionFact::Checked { slot: *slot, node: *node, critical: true };
            facts.push(Fact::Session(checked));
        }
        for (lock, (slot, delay)) in &self.delays {
            let (slot, lock, delay) = (*slot, lock.clone(), *delay);
            facts.push(Fact::Session(SessionFact::Delays { slot, lock, delay }));
        }
    }
}

fn busy(step: &Step<'_>) -> Outcome {
    Outcome::Session(SessionOutcome::Busy { seen: step.slot })
}

impl Lock {
    /// The LockIndex of the next grant.
    fn next_index(&self, step: &Step<'_>) -> Token {
        let same = self.token > 0 && step.mutations.has(Mutation::ConsulSameIndex);
        self.token + u64::from(!same)
    }
}
