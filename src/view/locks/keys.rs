//! Locks that are keys: what each instance has, and who holds a lock for that.
//!
//! No instance speaks for the others. Whoever has the key on the primary, or on a majority of
//! independent instances, holds the lock as far as the service goes. An instance that is down keeps
//! what it had until it starts: then it says what it still has.

use super::{Change, Grant, Holder, Lock, Locks, MAX_GRANTS, grant_of, remember};
use crate::base::{CallId, LockMode, Name, NodeId, Span, Time, Token, majority};
use crate::event::{Freed, KeyDeed};
use std::collections::BTreeMap;

/// The key of a lock on one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The acquire that it was set for; it names the client.
    pub call: CallId,
    /// What resources are shown.
    pub token: Token,
    /// For how long at a time; none if it does not expire.
    pub ttl: Option<Span>,
    /// Since when it is there.
    pub since: Time,
    /// When it expires, by the clock of whoever watches; never if it does not.
    pub until: Time,
}

impl Locks {
    /// The instances whose keys count: those that go by themselves, in the newest epoch.
    pub fn masters(&self) -> impl Iterator<Item = NodeId> {
        let own = self.primaries.iter().filter(|(node, (_, primary))| *node == primary);
        let newest = own.clone().map(|(_, (epoch, _))| *epoch).max();
        own.filter(move |(_, (epoch, _))| Some(*epoch) == newest).map(|(node, _)| *node)
    }

    /// By which primaries nodes go, newest epoch first, and who does; nothing as long as no replica
    /// has taken over.
    pub fn sides(&self) -> Vec<(u32, NodeId, Vec<NodeId>)> {
        let mut sides: BTreeMap<(u32, NodeId), Vec<NodeId>> = BTreeMap::new();
        for (node, side) in &self.primaries {
            sides.entry(*side).or_default().push(*node);
        }
        let all = sides.into_iter().rev().map(|((epoch, primary), all)| (epoch, primary, all));
        let all: Vec<_> = all.collect();
        if all.iter().any(|(epoch, ..)| *epoch > 0) { all } else { Vec::new() }
    }

    /// Whether locks are keys of instances.
    pub fn are_keys(&self) -> bool {
        !self.primaries.is_empty()
    }

    /// An instance goes by this primary.
    pub(super) fn goes_by(&mut self, at: Time, node: NodeId, epoch: u32, primary: NodeId) {
        self.primaries.insert(node, (epoch, primary));
        let names: Vec<Name> = self.locks.keys().cloned().collect();
        names.iter().for_each(|name| self.recount(at, name, Freed::Lost));
    }

    /// An instance starts: what it still has it will say.
    pub(in crate::view) fn restart(&mut self, at: Time, node: NodeId) {
        let held: Vec<Name> = self
            .locks
            .iter_mut()
            .filter_map(|(name, lock)| lock.keys.remove(&node).map(|_| name.clone()))
            .collect();
        held.iter().for_each(|name| self.recount(at, name, Freed::Lost));
    }

    /// `again` says that it is how things stand, and no news.
    pub(super) fn hear_key(
        &mut self,
        at: Time,
        node: NodeId,
        name: &Name,
        deed: &KeyDeed,
        again: bool,
    ) {
        let keys = &mut self.lock_mut(name).keys;
        let until = |ttl: Span| if ttl == Span::ZERO { Time::NEVER } else { at + ttl };
        let finite = |ttl: Span| Some(ttl).filter(|ttl| *ttl > Span::ZERO);
        let mut why = Freed::Lost;
        match *deed {
            KeyDeed::Set { call, token, ttl } => {
                let (ttl, until) = (finite(ttl), until(ttl));
                keys.insert(node, Key { call, token, ttl, since: at, until });
            }
            KeyDeed::Has { call, token, ttl, left } => {
                let known = keys.get(&node).filter(|key| of(**key) == (call, token));
                if again && known.is_some() {
                    return;
                }
                let since = known.map_or(at, |key| key.since);
                let (ttl, until) = (finite(ttl), until(left));
                keys.insert(node, Key { call, token, ttl, since, until });
            }
            KeyDeed::Extended { ttl, .. } => {
                if let Some(key) = keys.get_mut(&node) {
                    (key.ttl, key.until) = (finite(ttl), until(ttl));
                }
            }
            KeyDeed::Gone { why: gone, .. } => {
                keys.remove(&node);
                why = gone;
            }
        }
        self.recount(at, name, why);
    }

    /// Finds out who holds a lock after something changed. `why` is why nobody does, if so.
    fn recount(&mut self, at: Time, name: &Name, why: Freed) {
        let masters: Vec<NodeId> = self.masters().collect();
        let Some(lock) = self.locks.get_mut(name) else { return };
        let had = |node: &NodeId| lock.keys.get(node);
        let keys: Vec<Key> = masters.iter().filter_map(had).copied().collect();
        let quorum = majority(masters.len());
        let same = |key: &Key| keys.iter().filter(|other| other.call == key.call).count();
        let holder = keys.iter().find(|key| same(key) >= quorum);
        lock.hold(at, holder.copied(), why);
    }
}

impl Lock {
    fn hold(&mut self, at: Time, key: Option<Key>, why: Freed) {
        let before = self.holder().map(|holder| (holder.call, holder.token));
        if let Some(holder) = self.holders.first_mut().filter(|_| key.map(of) == before) {
            let renewed = key.map_or(at, renewed);
            if renewed > holder.renewed {
                holder.renewed = renewed;
                self.changed = Some((at, Change::Renewed));
            }
            return;
        }
        if let Some((_, token)) = before {
            let open = |grant: &&mut Grant| grant.token == token && grant.end.is_none();
            if let Some(grant) = self.grants.iter_mut().rev().find(open) {
                grant.end = Some((at, why));
            }
            self.changed = Some((at, Change::Freed(why)));
        }
        self.token = key.map_or(0, |key| key.token);
        let holder = key.map(|key| {
            let Key { call, token, ttl, since, .. } = key;
            let (ttl, mode) = (ttl.unwrap_or(Span(u64::MAX)), LockMode::Alone);
            Holder { call, token, ttl, granted: since, renewed: renewed(key), mode, last: 0 }
        });
        self.holders = holder.into_iter().collect();
        if let Some(holder) = holder {
            self.changed = Some((at, Change::Granted));
            remember(&mut self.grants, MAX_GRANTS, grant_of(holder, at));
        }
    }
}

/// When a key was set or extended last, by how long it lasts.
fn renewed(key: Key) -> Time {
    key.ttl.map_or(key.since, |ttl| Time(key.until.0.saturating_sub(ttl.0)))
}

/// Which grant a key is of.
fn of(key: Key) -> (CallId, Token) {
    (key.call, key.token)
}
