//! Tombstones: when everybody has given up what is older, nobody needs them.
//!
//! What is older may still be under way, in a message or in the answer that a read is waiting for.
//! So whoever gives it up goes on refusing it for as long as a grace, and the tombstone stays for
//! that long after everybody has.

use super::{Cx, Message, QuorumStore};
use crate::base::{Mutation, Name, NodeId, Time, Versions};
use crate::event::{Fact, Unhinted};
use std::collections::BTreeSet;

/// Who has nothing older than some tombstones.
#[derive(Clone, Debug, Default)]
pub(super) struct Burial {
    confirmed: BTreeSet<NodeId>,
    /// Since when that is everybody.
    complete: Option<Time>,
}

impl QuorumStore {
    /// Asks about tombstones that are old enough, as the first replica of their keys.
    pub(super) fn tend_graves(&mut self, cx: &mut Cx<'_>) {
        let (now, grace) = (cx.now(), self.config.quorum.grace);
        self.refused.retain(|_, (_, since)| now.since(*since) < grace);
        let old = self.graves.iter().filter(|(_, since)| now.since(**since) >= grace);
        let due: Vec<Name> = old.map(|(key, _)| key.clone()).collect();
        for key in due {
            let Some(versions) = self.items.get(&key).cloned() else { continue };
            if self.has(Mutation::QuorumPurgeEarly) {
                self.purge(&key, &versions, cx);
            } else if self.lists(&key).first().and_then(|list| list.first()) == Some(&cx.me()) {
                self.ask_around(key, versions, cx);
            }
        }
    }

    fn ask_around(&mut self, key: Name, versions: Versions, cx: &mut Cx<'_>) {
        let burial = self.buried.entry(key.clone()).or_default();
        match burial.complete {
            None => {
                let peers = self.config.peers.iter();
                let open = peers.filter(|peer| !burial.confirmed.contains(peer));
                cx.send_all(open, &Message::Bury { key, versions });
            }
            Some(since) if cx.now().since(since) >= self.config.quorum.grace => {
                cx.send_all(&*self.config.peers, &Message::Purge { key, versions });
            }
            Some(_) => {}
        }
    }

    /// Another replica wants to drop tombstones: gives up what is older.
    pub(super) fn bury(&mut self, from: NodeId, key: Name, versions: Versions, cx: &mut Cx<'_>) {
        if self.blank {
            return;
        }
        self.refused.insert(key.clone(), (versions.clone(), cx.now()));
        if self.items.contains_key(&key) {
            self.keep(&key, &versions, cx);
        }
        let older = |slip: &(NodeId, Name, _)| slip.1 == key && versions.covers(slip.2);
        let hints: Vec<_> = self.hints.keys().filter(|slip| older(slip)).cloned().collect();
        hints.iter().for_each(|slip| self.end_hint(slip, Unhinted::Overtaken, cx));
        let others = self.hints.keys().any(|(_, of, _)| *of == key);
        if !others && self.items.get(&key).is_none_or(|own| *own == versions) {
            cx.send(from, Message::Buried { key, versions });
        }
    }

    /// A node has nothing older.
    pub(super) fn note_buried(
        &mut self,
        from: NodeId,
        key: &Name,
        versions: &Versions,
        cx: &mut Cx<'_>,
    ) {
        let same = self.items.get(key) == Some(versions);
        let Some(burial) = self.buried.get_mut(key).filter(|_| same) else { return };
        burial.confirmed.insert(from);
        if self.config.peers.iter().all(|peer| burial.confirmed.contains(peer)) {
            burial.complete.get_or_insert(cx.now());
        }
    }

    /// What of these versions is not older than tombstones that everybody was asked about.
    pub(super) fn accepted(&self, key: &Name, versions: &Versions) -> Versions {
        let Some((dead, _)) = self.refused.get(key) else { return versions.clone() };
        let older = |dot| dead.covers(dot) && !dead.has(dot);
        versions.iter().filter(|version| !older(version.dot)).cloned().collect()
    }

    /// Nobody has anything older than these tombstones.
    pub(super) fn purge(&mut self, key: &Name, versions: &Versions, cx: &mut Cx<'_>) {
        if self.items.get(key) == Some(versions) {
            cx.emit(Fact::Purges { key: key.clone(), versions: versions.clone() });
            self.drop_key(key, cx);
        }
    }
}
