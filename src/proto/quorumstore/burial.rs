//! Tombstones: when everybody has given up what is older, nobody needs them.

use super::{Cx, Message, QuorumStore};
use crate::base::{Mutation, Name, NodeId, Versions};
use crate::event::{Fact, Unhinted};
use std::collections::BTreeSet;

impl QuorumStore {
    /// Asks about tombstones that are old enough, as the first replica of their keys.
    pub(super) fn tend_graves(&mut self, cx: &mut Cx<'_>) {
        let (now, grace) = (cx.now(), self.config.quorum.grace);
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
        let buried = self.buried.entry(key.clone()).or_default();
        let open = self.config.peers.iter().filter(|peer| !buried.contains(peer));
        cx.send_all(open, &Message::Bury { key, versions });
    }

    /// Another replica wants to drop tombstones: gives up what is older.
    pub(super) fn bury(&mut self, from: NodeId, key: Name, versions: Versions, cx: &mut Cx<'_>) {
        if self.blank {
            return;
        }
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
        let Some(buried) = self.buried.get_mut(key).filter(|_| same) else { return };
        buried.insert(from);
        let all: &BTreeSet<NodeId> = buried;
        if self.config.peers.iter().all(|peer| all.contains(peer)) {
            let purge = Message::Purge { key: key.clone(), versions: versions.clone() };
            cx.send_all(&*self.config.peers, &purge);
        }
    }

    /// Nobody has anything older than these tombstones.
    pub(super) fn purge(&mut self, key: &Name, versions: &Versions, cx: &mut Cx<'_>) {
        if self.items.get(key) == Some(versions) {
            cx.emit(Fact::Purges { key: key.clone(), versions: versions.clone() });
            self.drop_key(key, cx);
        }
    }
}
