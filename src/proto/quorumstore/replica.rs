//! The replica's part: it keeps what it is sent, and says what it has.

use super::{Cx, Message, QuorumStore, Record};
use crate::base::{CallId, Conflict, Mutation, Name, NodeId, Time, Versions};
use crate::event::Fact;

impl QuorumStore {
    /// A coordinator wants something kept, here or for another.
    pub(super) fn take_in(
        &mut self,
        from: NodeId,
        (epoch, flight): (u64, u64),
        key: &Name,
        versions: &Versions,
        hint: Option<NodeId>,
        cx: &mut Cx<'_>,
    ) {
        if !self.is_current(from, epoch, cx) {
            return;
        }
        match hint {
            Some(target) => self.keep_hint(target, key, versions, cx),
            None => self.keep(key, versions, cx),
        }
        cx.send(from, Message::Written { flight, hint });
    }

    /// A coordinator wants to know what is kept. Who has lost its disk does not know that.
    pub(super) fn look_up(
        &mut self,
        from: NodeId,
        epoch: u64,
        flight: u64,
        key: &Name,
        cx: &mut Cx<'_>,
    ) {
        if self.is_current(from, epoch, cx) && !self.blank {
            let versions = self.hinted(key);
            cx.send(from, Message::Found { flight, versions });
        }
    }

    /// Whether a coordinator goes by this node's ring or a newer one. Tells it if not.
    fn is_current(&self, from: NodeId, epoch: u64, cx: &mut Cx<'_>) -> bool {
        if epoch < self.epoch {
            cx.send(from, Message::Behind { epoch: self.epoch });
        }
        epoch >= self.epoch
    }

    /// What there is of a key, with what is kept for others.
    fn hinted(&self, key: &Name) -> Versions {
        let own = self.items.get(key).cloned().unwrap_or_default();
        let hints = self.hints.iter().filter(|((_, of, _), _)| of == key);
        hints.fold(own, |all, (_, hint)| self.merge(&all, &hint.alone()))
    }

    pub(super) fn merge(&self, old: &Versions, new: &Versions) -> Versions {
        let merged = old.merged(new, self.config.quorum.versions);
        match self.has(Mutation::QuorumDropSibling) {
            true => merged.newest().cloned().into_iter().collect(),
            false => merged,
        }
    }

    /// Keeps what is new, on disk too.
    pub(super) fn keep(&mut self, key: &Name, versions: &Versions, cx: &mut Cx<'_>) {
        let versions = &self.accepted(key, versions);
        let old = self.items.get(key).cloned().unwrap_or_default();
        let new = self.merge(&old, versions);
        self.clock = self.clock.max(versions.stamp());
        self.tell_losses(key, [&old, versions], &new, cx);
        if new == old {
            return;
        }
        self.put(key, new.clone(), cx.now());
        if !self.lists(key).is_empty() && !self.replicas(key).contains(&cx.me()) {
            self.strays.insert(key.clone());
        }
        self.write_down(Record::Item { key: key.clone(), versions: new.clone() }, cx);
        cx.emit(Fact::Keeps { key: key.clone(), versions: new });
    }

    /// Of concurrent writes, the later one has won.
    fn tell_losses(&self, key: &Name, all: [&Versions; 2], kept: &Versions, cx: &mut Cx<'_>) {
        let Some(by) = kept.newest().map(|version| version.dot) else { return };
        if self.config.quorum.versions == Conflict::LastWriter {
            let dots = all.into_iter().flat_map(Versions::iter).map(|version| version.dot);
            for dot in dots.filter(|dot| !kept.covers(*dot)).collect::<Vec<CallId>>() {
                cx.emit(Fact::Loses { key: key.clone(), dot, by });
            }
        }
    }

    /// Puts in what is kept of a key, and notes whether that is a tombstone.
    pub(super) fn put(&mut self, key: &Name, versions: Versions, now: Time) {
        self.buried.remove(key);
        match versions.is_deleted() {
            true => drop(self.graves.insert(key.clone(), now)),
            false => drop(self.graves.remove(key)),
        }
        match versions.is_empty() {
            true => drop(self.items.remove(key)),
            false => drop(self.items.insert(key.clone(), versions)),
        }
    }

    /// Keeps nothing of a key any more.
    pub(super) fn drop_key(&mut self, key: &Name, cx: &mut Cx<'_>) {
        self.put(key, Versions::default(), cx.now());
        self.strays.remove(key);
        let versions = Versions::default();
        self.write_down(Record::Item { key: key.clone(), versions: versions.clone() }, cx);
        cx.emit(Fact::Keeps { key: key.clone(), versions });
    }
}
