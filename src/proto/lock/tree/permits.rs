//! Semaphores as with Consul: one key says who has a permit, and whoever wants one writes it anew.
//!
//! **What it guarantees.** Nothing by itself: the service keeps keys, and lets one be written only
//! by who has seen its last version (*check-and-set* on its `ModifyIndex`). That at most so many
//! have a permit follows from what clients write there. Each who contends has a key of its own,
//! which its session holds. Who has died has lost that, and still stands among those who have a
//! permit: whoever finds it there and its own key gone, leaves it out of what it writes. So a
//! permit that nobody gave back is free only when somebody else wants it.
//!
//! ```text
//!  c2 (s4)                         log
//!  │─ contend for pool by s4 ──────>│ slot 7: key pool/s4
//!  │─ permits of pool ─────────────>│ index 6: s3 has one of 2; s4 contends, and s3 does not
//!  │─ write s4, if the index is 6 ─>│ slot 9: s3 is left out, s4 has a permit, index 9
//! ```
//!
//! The token of a permit is the index under which it was written down.
//!
//! **Sources.** Consul's documentation, *Distributed semaphore*, and its client
//! (`api/semaphore.go`).
//!
//! A key is a lock or a semaphore: who wants the other one while it is in use is refused, and so is
//! who wants a semaphore of another limit.
//!
//! **What is left out.** With Consul, a limit stays until the semaphore is destroyed; here, as long
//! as somebody has a permit. The key holds sessions alone there: the tokens of those who have a
//! permit are told by the side here. Keys are read through the log. A watch is for the key and all
//! below it, from the slot in which they were read: who waits is told of a contender that is gone.

use super::{Session, SessionFact, Step, Tree};
use crate::base::{
    CallId, LockMode, Mutation, Name, Outcome, Refusal, SessionId, SessionOutcome, Slot, Span,
    Token,
};
use crate::event::{Fact, Freed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The key of a semaphore, and those of who contends for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Permits {
    /// The slot that wrote the key last; 0 before.
    index: Slot,
    limit: u8,
    holders: BTreeMap<SessionId, Permit>,
    /// The slot that made each contender's key, and what for.
    contenders: BTreeMap<SessionId, (Slot, CallId)>,
}

/// What the key says of one that has a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Permit {
    token: Token,
    wish: CallId,
    ttl: Span,
}

impl Permits {
    /// The keys of who contends, with their sessions.
    pub(super) fn contenders(&self) -> impl Iterator<Item = (Slot, SessionId, CallId)> {
        self.contenders.iter().map(|(session, (node, wish))| (*node, *session, *wish))
    }

    /// Under which tokens there are permits.
    pub(super) fn held(&self) -> impl Iterator<Item = (Token, u32)> {
        self.holders.values().map(|permit| (permit.token, 0))
    }

    /// Whether anybody contends, or is written down.
    pub(super) fn are_used(&self) -> bool {
        !self.contenders.is_empty() || !self.holders.is_empty()
    }

    /// Whether this is a session's key.
    pub(super) fn has(&self, session: SessionId, node: Slot) -> bool {
        self.contenders.get(&session).is_some_and(|(own, _)| *own == node)
    }

    /// A session is over, or gives its key up. Whether it contended.
    pub(super) fn leave(&mut self, name: &Name, session: SessionId, step: &mut Step<'_>) -> bool {
        let Some((node, _)) = self.contenders.remove(&session) else { return false };
        step.say(SessionFact::Removed { slot: step.slot, lock: name.clone(), node });
        true
    }

    /// Says, as facts, who has a permit.
    pub(super) fn restate(&self, name: &Name, facts: &mut Vec<Fact>) {
        facts.extend(self.holders.values().map(|permit| permit.fact(name, self.limit)));
    }

    fn say(&self, seen: Slot) -> SessionOutcome {
        let holders = self.holders.iter().map(|(id, permit)| (*id, permit.token)).collect();
        let contenders = self.contenders.keys().copied().collect();
        let (index, limit) = (self.index, self.limit);
        SessionOutcome::Permits { seen, index, limit, holders, contenders }
    }

    /// Takes over what a session has written.
    fn write(
        &mut self,
        name: &Name,
        by: SessionId,
        (limit, holders): (u8, &[SessionId]),
        sessions: &BTreeMap<SessionId, Session>,
        step: &mut Step<'_>,
    ) {
        let slot = step.slot;
        (self.index, self.limit) = (slot, limit);
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.holders).into_iter().partition(|it| holders.contains(&it.0));
        self.holders = kept;
        for (session, Permit { token, .. }) in gone {
            let why = match sessions.contains_key(&session) {
                _ if session == by => Freed::Released,
                true => Freed::Lost,
                false => Freed::Ended,
            };
            step.facts.push(Fact::Freed { slot, lock: name.clone(), token, why });
        }
        let contender = self.contenders.get(&by).filter(|_| holders.contains(&by));
        if let (Some((_, wish)), None) = (contender, self.holders.get(&by)) {
            let ttl = sessions.get(&by).map_or(Span::ZERO, |session| session.ttl);
            let permit = Permit { token: slot, wish: *wish, ttl };
            step.facts.push(permit.fact(name, limit));
            self.holders.insert(by, permit);
        }
    }
}

impl Permit {
    fn fact(&self, name: &Name, limit: u8) -> Fact {
        let Permit { token, wish: call, ttl } = *self;
        let (lock, mode) = (name.clone(), LockMode::OneOf(limit));
        Fact::Granted { slot: token, lock, call, token, ttl, mode }
    }
}

impl Tree {
    /// Makes the key of one that contends. It has one, however often it asks; a new wish makes that
    /// anew, so that a removal of the old one that comes late does not take it away.
    pub(super) fn contend(
        &mut self,
        name: &Name,
        session: SessionId,
        wish: CallId,
        step: &mut Step<'_>,
    ) -> Outcome {
        if let Err(outcome) = self.admit_write(session, step) {
            return outcome;
        }
        let (slot, lock) = (step.slot, self.locks.entry(name.clone()).or_default());
        if !lock.nodes.is_empty() {
            return Outcome::Refused(Refusal::NotShared);
        }
        if let Some((node, _)) = lock.permits.contenders.get(&session).filter(|it| it.1 == wish) {
            return Outcome::Session(SessionOutcome::Made { node: *node });
        }
        lock.permits.leave(name, session, step);
        lock.permits.contenders.insert(session, (slot, wish));
        lock.changed = slot;
        step.say(SessionFact::Made { slot, lock: name.clone(), node: slot, session, wish });
        Outcome::Session(SessionOutcome::Made { node: slot })
    }

    /// Whether a session writes: what was overtaken is not written, and never will be.
    fn admit_write(&mut self, session: SessionId, step: &Step<'_>) -> Result<(), Outcome> {
        let busy = |outcome| match outcome {
            Outcome::Unknown => Outcome::Session(SessionOutcome::Busy { seen: step.slot }),
            outcome => outcome,
        };
        self.admit(session, step).map_err(busy)
    }

    /// What the key says, and who contends.
    pub(super) fn permits(&self, name: &Name, slot: Slot) -> Outcome {
        let permits = self.locks.get(name).map(|lock| lock.permits.say(slot));
        Outcome::Session(permits.unwrap_or_else(|| Permits::default().say(slot)))
    }

    /// Writes the key, if nobody has since that `index`.
    pub(super) fn swap(
        &mut self,
        name: &Name,
        session: SessionId,
        (index, limit, holders): (Slot, u8, &[SessionId]),
        step: &mut Step<'_>,
    ) -> Outcome {
        if let Err(outcome) = self.admit_write(session, step) {
            return outcome;
        }
        let Some(lock) = self.locks.get_mut(name) else {
            return Outcome::Refused(Refusal::NotHeld);
        };
        if lock.permits.index != index && !step.mutations.has(Mutation::ConsulNoCas) {
            return Outcome::Session(SessionOutcome::Busy { seen: step.slot });
        }
        (lock.token, lock.changed) = (step.slot, step.slot);
        lock.permits.write(name, session, (limit, holders), &self.sessions, step);
        match lock.permits.holders.get(&session) {
            Some(permit) => Outcome::Granted { token: permit.token },
            None => Outcome::Done,
        }
    }
}
