//! Clients that follow all changes: each is told all of them, in order, once.
//!
//! Replicas say what each slot changes, and behind the same barrier they answer who follows; so
//! what a client is told was said before. Only who saw everything from the start judges.

use super::{Broken, broken};
use crate::base::{Key, KeyChange, NodeId, Slot};
use crate::check::Witness;
use crate::event::{Fact, SessionFact};
use std::collections::BTreeMap;

/// So many slots with changes are kept.
const KEPT: usize = 4_096;

/// What there is to be told, and who was told how much.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    /// What each slot has changed: which nodes it has made (`true`) or removed.
    changed: BTreeMap<Slot, BTreeMap<Key, bool>>,
    /// The slots that made each node and removed it.
    nodes: BTreeMap<Key, (Slot, Option<Slot>)>,
    /// What was changed up to here is not kept.
    pruned: Slot,
    /// Up to which slot each client that runs was told, and in which event.
    cursors: BTreeMap<NodeId, (Slot, usize)>,
    /// The newest slot that each client was ever told of.
    newest: BTreeMap<NodeId, (Slot, usize)>,
}

impl Watching {
    /// Events of these processes were missed, or they have lost their memory.
    pub(super) fn forget(&mut self, hit: impl Fn(NodeId) -> bool) {
        self.cursors.retain(|who, _| !hit(*who));
    }

    /// Takes a statement in.
    pub(super) fn see(
        &mut self,
        at: usize,
        who: NodeId,
        fact: &Fact,
        witness: &Witness,
    ) -> Option<Broken> {
        let Fact::Session(fact) = fact else { return None };
        match fact {
            SessionFact::Made { lock, node, .. } => {
                let key = (lock.clone(), *node);
                self.nodes.entry(key.clone()).or_insert((*node, None));
                self.note(*node, key, true);
                None
            }
            SessionFact::Removed { slot, lock, node } => {
                let key = (lock.clone(), *node);
                let known = self.nodes.entry(key.clone()).or_insert((*node, None));
                known.1 = Some(known.1.unwrap_or(*slot));
                self.note(*slot, key, false);
                None
            }
            SessionFact::Shows { revision, keys } => {
                let broken = self.goes_back(who, *revision).or_else(|| self.shows(*revision, keys));
                self.moves(who, *revision, at);
                broken.filter(|_| witness.is_whole())
            }
            SessionFact::Sees { upto, changes } => {
                let broken = match self.cursors.get(&who) {
                    Some((cursor, then)) if !witness.restates(who) => self
                        .goes_back(who, *upto)
                        .or_else(|| self.sees(*cursor, *upto, changes, *then)),
                    _ => None,
                };
                self.moves(who, *upto, at);
                broken.filter(|_| witness.is_whole())
            }
            _ => None,
        }
    }

    fn note(&mut self, slot: Slot, key: Key, there: bool) {
        if slot <= self.pruned {
            return;
        }
        self.changed.entry(slot).or_default().insert(key, there);
        if self.changed.len() > KEPT
            && let Some((slot, _)) = self.changed.pop_first()
        {
            self.pruned = slot;
            self.nodes.retain(|_, (_, removed)| removed.is_none_or(|removed| removed > slot));
        }
    }

    fn moves(&mut self, who: NodeId, upto: Slot, at: usize) {
        self.cursors.insert(who, (upto, at));
        let newest = self.newest.entry(who).or_default();
        *newest = (*newest).max((upto, at));
    }

    /// W-7.
    fn goes_back(&self, who: NodeId, upto: Slot) -> Option<Broken> {
        let (newest, then) = *self.newest.get(&who)?;
        let what = format!("{who} sees the state of slot {upto}, and saw that of slot {newest}");
        if upto >= newest { None } else { broken("W-7", Some(then), what) }
    }

    /// W-6, of a whole state.
    fn shows(&self, revision: Slot, keys: &[Key]) -> Option<Broken> {
        if revision <= self.pruned {
            return None;
        }
        let there = |key: &Key| {
            let known = self.nodes.get(key);
            known.is_some_and(|(made, removed)| {
                *made <= revision && removed.is_none_or(|removed| removed > revision)
            })
        };
        let wrong = keys.iter().find(|key| !there(key));
        let missing = self.nodes.keys().find(|key| there(key) && !keys.contains(key));
        let (lock, node) = wrong.or(missing)?;
        let what = format!("node {lock}/{node} is not told as it was after slot {revision}");
        broken("W-6", None, what)
    }

    /// W-1 to 3, 5 and 6, of changes after `cursor`.
    fn sees(&self, cursor: Slot, upto: Slot, changes: &[KeyChange], then: usize) -> Option<Broken> {
        let mut last = cursor + 1;
        for change in changes {
            let slot = change.slot;
            if slot < last {
                let what = format!("{change} of slot {slot} is told after slot {}", last - 1);
                return broken("W-1", Some(then), what);
            }
            last = slot;
            let known = self.changed.get(&slot).and_then(|all| all.get(&change.key));
            if slot > self.pruned && known != Some(&change.there) {
                let what = format!("{change} is told of slot {slot}, which did not do that");
                return broken("W-6", None, what);
            }
        }
        self.lacks(cursor, upto, changes, then)
    }

    /// Something that is not told.
    fn lacks(
        &self,
        cursor: Slot,
        upto: Slot,
        changes: &[KeyChange],
        then: usize,
    ) -> Option<Broken> {
        let told = |slot: Slot, key: &Key| {
            changes.iter().any(|change| change.slot == slot && change.key == *key)
        };
        let due = self.changed.iter().filter(|(slot, _)| **slot > cursor && **slot <= upto);
        let mut due = due.flat_map(|(slot, all)| all.keys().map(|key| (*slot, key)));
        let (slot, (lock, node)) = due.find(|(slot, key)| !told(*slot, key))?;
        let rule = match changes.last() {
            _ if changes.iter().any(|change| change.slot == slot) => "W-3",
            Some(last) if last.slot > slot => "W-2",
            _ => "W-5",
        };
        let what = format!(
            "slot {slot} changed {lock}/{node}, which is not told to who was told up to slot {upto}"
        );
        broken(rule, Some(then), what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(node: u64) -> Key {
        ("door".parse().unwrap(), node)
    }

    fn change(slot: Slot, node: u64, there: bool) -> KeyChange {
        KeyChange { slot, key: key(node), there }
    }

    /// Slots 1, 2 and 4 made nodes, slot 5 removed the first two. A client that has seen slot 1
    /// is told this.
    fn told(upto: Slot, changes: &[KeyChange]) -> Option<&'static str> {
        let mut all = Watching::default();
        for node in [1, 2, 4] {
            all.nodes.insert(key(node), (node, (node < 3).then_some(5)));
            all.note(node, key(node), true);
        }
        [1, 2].into_iter().for_each(|node| all.note(5, key(node), false));
        all.sees(1, upto, changes, 0).map(|broken| broken.rule)
    }

    #[test]
    fn all_changes_are_told_once_in_order_and_together() {
        let [two, four] = [2, 4].map(|node| change(node, node, true));
        let five = [1, 2].map(|node| change(5, node, false));
        let all = [&[two.clone(), four.clone()], &five[..]].concat();
        assert_eq!(told(5, &all), None);
        assert_eq!(told(3, std::slice::from_ref(&two)), None);
        assert_eq!(told(3, &[change(1, 1, true), two.clone()]), Some("W-1"), "again");
        assert_eq!(told(4, &[four.clone(), two.clone()]), Some("W-1"), "out of order");
        assert_eq!(told(4, std::slice::from_ref(&four)), Some("W-2"), "with a gap");
        assert_eq!(told(5, &all[..3]), Some("W-3"), "half of a slot");
        assert_eq!(told(4, std::slice::from_ref(&two)), Some("W-5"), "and slot 4");
        assert_eq!(told(3, &[two, change(3, 3, true)]), Some("W-6"), "which never was");
    }

    #[test]
    fn nobody_goes_back_in_time() {
        let (mut all, client) = (Watching::default(), NodeId::client(1));
        all.moves(client, 7, 0);
        all.forget(|who| who == client);
        assert!(all.goes_back(client, 7).is_none());
        assert_eq!(all.goes_back(client, 6).map(|broken| broken.rule), Some("W-7"), "restarted");
    }
}
