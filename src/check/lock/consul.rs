//! Sessions that hang on nodes, and the lock-delay that they leave behind.
//!
//! What a session's locks must go through when it ends follows from its terms, whether or not a
//! replica says that they do.

use super::{Broken, broken};
use crate::base::{CallId, Entry, Name, NodeId, Op, SessionId, SessionOp, Slot, Span, Terms};
use crate::event::{Fact, SessionFact};
use std::collections::BTreeMap;

/// How many sessions are kept.
const KEPT: usize = 2_048;

/// A lock that nobody may take for now.
#[derive(Clone, Copy, Debug)]
struct Delay {
    slot: Slot,
    session: SessionId,
    terms: Terms,
    at: usize,
}

/// The locks of sessions that hang on nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    /// The last slot that anything was heard of.
    newest: Slot,
    homes: BTreeMap<SessionId, (NodeId, Terms)>,
    /// Whose each lock is, as far as sessions of this kind have them.
    holders: BTreeMap<Name, SessionId>,
    delays: BTreeMap<Name, Delay>,
}

impl Delays {
    /// Takes a statement in. `entry` is what its sayer has just applied.
    pub(super) fn see(&mut self, at: usize, fact: &Fact, entry: Option<&Entry>) -> Option<Broken> {
        match fact {
            // Who contends for a permit has a key of its own, which is all that a delay is for.
            Fact::Granted { slot, lock, call, mode, .. } if !mode.is_permit() => {
                self.granted(*slot, lock, *call)
            }
            Fact::Session(fact) => {
                // Slower replicas say the same later.
                let slot = fact.slot().filter(|slot| *slot >= self.newest)?;
                self.newest = slot;
                self.hear(at, slot, fact, entry)
            }
            _ => None,
        }
    }

    /// Whether the session that held a lock had the key deleted when it ended, so that its grants
    /// are counted anew.
    pub(super) fn begins_anew(&self, lock: &Name) -> bool {
        self.delays.get(lock).is_some_and(|delay| delay.terms.deletes)
    }

    fn hear(
        &mut self,
        at: usize,
        slot: Slot,
        fact: &SessionFact,
        entry: Option<&Entry>,
    ) -> Option<Broken> {
        match fact {
            SessionFact::Hangs { session, node, terms, .. } => {
                self.homes.insert(*session, (*node, *terms));
                if self.homes.len() > KEPT {
                    self.homes.pop_first();
                }
                None
            }
            SessionFact::Made { lock, session, .. } if self.homes.contains_key(session) => {
                self.holders.insert(lock.clone(), *session);
                None
            }
            // Given back; what goes with its session does so after that has ended.
            SessionFact::Removed { lock, .. } => {
                self.holders.remove(lock);
                None
            }
            SessionFact::Ended { session, .. } => self.ended(at, slot, *session, entry),
            SessionFact::Lifted { lock, .. } => {
                self.delays.remove(lock);
                None
            }
            _ => None,
        }
    }

    /// A session has ended. SES-7: by the check of a node, only if it hung on that.
    fn ended(
        &mut self,
        at: usize,
        slot: Slot,
        session: SessionId,
        entry: Option<&Entry>,
    ) -> Option<Broken> {
        let (home, terms) = *self.homes.get(&session)?;
        let own = |(_, of): &(&Name, &SessionId)| **of == session;
        let lost: Vec<Name> =
            self.holders.iter().filter(own).map(|(lock, _)| lock.clone()).collect();
        for lock in lost {
            self.holders.remove(&lock);
            self.delays.insert(lock, Delay { slot, session, terms, at });
        }
        match entry?.op {
            Op::Session(SessionOp::Check { node, .. }) if node != home => {
                let what = format!("s{session} hangs on {home} and ends with the check of {node}");
                broken("SES-7", None, what)
            }
            _ => None,
        }
    }

    /// CON-1, by the log's order.
    fn granted(&mut self, slot: Slot, lock: &Name, call: CallId) -> Option<Broken> {
        let Delay { slot: since, session, terms, at } = *self.delays.get(lock)?;
        if slot <= since {
            return None;
        }
        self.delays.remove(lock);
        let what = format!(
            "slot {slot} grants {lock} to {call} in the delay of {} since slot {since}, when \
             s{session} ended with it",
            terms.delay
        );
        if terms.delay == Span::ZERO { None } else { broken("CON-1", Some(at), what) }
    }
}
