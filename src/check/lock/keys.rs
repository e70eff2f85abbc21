//! Locks that are keys: each instance for itself, and all of them together by what clients claim.
//!
//! An instance can be judged by its own words: it sets only what is absent, and deletes and extends
//! only for whose key it is. That several instances give a lock to one client only cannot be read
//! from any of their words, but from the clients': each says how long its grant is good for, as the
//! recipe has it compute that. Two such times of two clients must not overlap. It is not asked how
//! long a client *believes*: one that is frozen goes on believing, and no service can prevent that.
//!
//! Clocks may run a little fast or slow, so a tenth of a grant is allowed for that, and nobody is
//! judged once a clock was made to run worse.

use super::{Broken, broken};
use crate::base::{CallId, Name, NodeId, Span, Time, Token};
use crate::check::Witness;
use crate::event::{Event, Fact, Freed, KeyDeed, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// One of so many parts of a grant is allowed for clocks.
const SLACK_PART: u64 = 10;

/// A key, as its instance has it.
#[derive(Clone, Copy, Debug)]
struct Key {
    call: CallId,
    token: Token,
    at: usize,
}

/// How long a client says that its grant is good for.
#[derive(Clone, Copy, Debug)]
struct Claim {
    until: Time,
    slack: Span,
    at: usize,
}

/// What locks that are keys are judged by.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    keys: BTreeMap<(NodeId, Name), Key>,
    claims: BTreeMap<Name, BTreeMap<NodeId, Claim>>,
    /// The instances that go by themselves, of all that were heard of.
    masters: BTreeSet<NodeId>,
    /// The last count of each lock's grants, and where it was given out.
    counts: BTreeMap<Name, (Token, usize)>,
    /// Whether tokens are counts.
    counted: bool,
    /// By which epoch each process goes, where one instance takes another's place.
    epochs: BTreeMap<NodeId, u32>,
}

impl Keys {
    /// Whose tokens rise, if they are `counted`.
    pub(super) fn new(counted: bool) -> Keys {
        Keys { counted, ..Keys::default() }
    }

    /// Events of these processes were missed.
    pub(super) fn forget(&mut self, hit: impl Fn(NodeId) -> bool) {
        self.keys.retain(|(node, _), _| !hit(*node));
        self.claims.values_mut().for_each(|all| all.retain(|who, _| !hit(*who)));
    }

    /// Takes an event in. `clocks` says whether all clocks are good enough to be judged by.
    pub(super) fn see(
        &mut self,
        at: usize,
        event: &Event,
        witness: &Witness,
        clocks: bool,
    ) -> Option<Broken> {
        let node = event.node;
        match &event.kind {
            // Whatever it has then, it says when it starts; a client that died claims nothing.
            Kind::Killed { .. } => {
                self.forget(|who| who == node);
                None
            }
            Kind::Fact(Fact::Primary { node: primary, epoch }) => {
                self.epochs.insert(node, *epoch);
                match *primary == node {
                    true => drop(self.masters.insert(node)),
                    false => {
                        self.masters.remove(&node);
                        self.keys.retain(|(who, _), _| *who != node);
                    }
                }
                None
            }
            Kind::Fact(Fact::Key { lock, deed }) => self.hear(at, node, lock, deed),
            Kind::Fact(Fact::Holds { lock, lease, .. }) if !self.masters.is_empty() => {
                let claim = Claim { until: event.at + *lease, slack: part(*lease), at };
                let broken = self.claims(event, lock);
                self.claims.entry(lock.clone()).or_default().insert(node, claim);
                broken.filter(|_| clocks && !witness.restates(node))
            }
            Kind::Fact(Fact::LetsGo { lock, .. }) => {
                self.claims.entry(lock.clone()).or_default().remove(&node);
                None
            }
            _ => None,
        }
    }

    /// LOCK-1 and, of several instances, RL-1: nobody else's grant is good now.
    fn claims(&self, event: &Event, lock: &Name) -> Option<Broken> {
        let others = self.claims.get(lock)?.iter();
        let good = |(who, claim): &(&NodeId, &Claim)| {
            **who != event.node && event.at + claim.slack < claim.until
        };
        let (who, claim) = others.clone().find(good)?;
        let several = self.masters.len() > 1 && self.newest() == 0;
        let rule = if several { "RL-1" } else { "LOCK-1" };
        let what = format!(
            "{} has {lock} granted at {}, and the grant of {who} is good until {}",
            event.node, event.at, claim.until
        );
        broken(rule, Some(claim.at), what)
    }

    fn hear(&mut self, at: usize, node: NodeId, lock: &Name, deed: &KeyDeed) -> Option<Broken> {
        let place = (node, lock.clone());
        match *deed {
            KeyDeed::Has { call, token, .. } => {
                self.keys.insert(place, Key { call, token, at });
                None
            }
            KeyDeed::Set { call, token, .. } => {
                let before = self.keys.insert(place, Key { call, token, at });
                if let Some(before) = before {
                    let what =
                        format!("{node} sets {lock} for {call} while {} has it", before.call);
                    return broken("LOCK-1", Some(before.at), what);
                }
                self.count(at, node, lock, token)
            }
            KeyDeed::Extended { by, token, .. } => {
                let key = self.keys.get(&place)?;
                self.is_stranger(key, by, token, lock, "extended")
            }
            KeyDeed::Gone { by, token, why } => {
                let key = self.keys.remove(&place)?;
                let released = why == Freed::Released;
                self.is_stranger(&key, by, token, lock, "deleted").filter(|_| released)
            }
        }
    }

    /// LOCK-3: only its owner does something to a key.
    fn is_stranger(
        &self,
        key: &Key,
        by: CallId,
        token: Token,
        lock: &Name,
        done: &str,
    ) -> Option<Broken> {
        if by.client == key.call.client && token == key.token {
            return None;
        }
        let what = format!("{lock} of {} is {done} for {by}", key.call);
        broken("LOCK-3", Some(key.at), what)
    }

    /// The last epoch of all.
    fn newest(&self) -> u32 {
        self.epochs.values().copied().max().unwrap_or_default()
    }

    /// FENCE-1: where grants are counted, the count rises. What a primary says that has been
    /// replaced, and does not know it yet, is judged by FO-1: later ones have counted it.
    fn count(&mut self, at: usize, node: NodeId, lock: &Name, token: Token) -> Option<Broken> {
        let replaced = self.epochs.get(&node).is_some_and(|epoch| *epoch < self.newest());
        if !self.counted || replaced {
            return None;
        }
        let (before, then) = self.counts.get(lock).copied().unwrap_or_default();
        self.counts.insert(lock.clone(), (token.max(before), at));
        let what = format!("{lock} is granted under token {token} after token {before}");
        if token > before { None } else { broken("FENCE-1", Some(then), what) }
    }
}

/// What is allowed of a grant for clocks.
fn part(lease: Span) -> Span {
    Span(lease.0 / SLACK_PART)
}
