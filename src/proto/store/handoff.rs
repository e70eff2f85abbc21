//! Moving from ring to ring: who must have what before anybody answers.

use super::{Cx, Item, Message, Record, Store, preference};
use crate::base::placement::{KeyRange, Ring};
use crate::base::{Mutation, Name, NodeId};
use crate::event::Fact;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one node's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// It lost its disk.
    pub(super) blank: bool,
    /// The last ring of which it had everything.
    pub(super) full: u64,
}

impl Store {
    /// The log says that there is a new ring, or says so again.
    pub(super) fn view(&mut self, epoch: u64, ring: impl FnOnce() -> Ring, cx: &mut Cx<'_>) {
        if epoch < self.settled || self.rings.contains_key(&epoch) {
            return;
        }
        self.rings.insert(epoch, ring());
        if epoch < self.epoch {
            return;
        }
        let old = self.epoch;
        if epoch > old {
            self.epoch = epoch;
            self.sources.clear();
            self.write(Record::Moved { epoch, blank: self.blank }, cx);
        }
        if !std::mem::take(&mut self.serves).is_empty() {
            cx.emit(Fact::Yields { epoch: old });
        }
        self.depose();
        let source = Source { blank: self.blank, full: self.full };
        self.sources.insert(cx.me(), source);
        if self.full == epoch && epoch > self.settled {
            cx.emit(Fact::Synced { epoch });
        }
        self.refresh(cx);
        self.reroute(cx);
        self.load_changed(cx);
    }

    /// All members of a ring hold their ranges: older rings do not matter any more.
    pub(super) fn note_settled(&mut self, epoch: u64, cx: &mut Cx<'_>) {
        if epoch <= self.settled {
            return;
        }
        self.settled = epoch;
        self.rings.retain(|of, _| *of >= epoch);
        self.refresh(cx);
        if epoch == self.epoch && !self.blank {
            self.drop_foreign(cx);
        }
    }

    /// Drops what this node need not keep in the settled ring.
    fn drop_foreign(&mut self, cx: &mut Cx<'_>) {
        let Some(ring) = self.rings.get(&self.epoch).cloned() else { return };
        let (me, before) = (cx.me(), self.items.len());
        self.items.retain(|key, _| preference(&ring, key).contains(&me));
        if self.items.len() < before {
            self.checkpoint(cx);
            self.load_changed(cx);
        }
    }

    /// The rings whose writes it may have missed.
    fn behind(&self) -> impl Iterator<Item = (&u64, &Ring)> {
        let last = if self.blank { self.epoch + 1 } else { self.epoch };
        self.rings.range(self.settled.min(last)..last)
    }

    /// Whether it has all that was ever acknowledged at this position, if it was to keep it.
    pub(super) fn covered(&self, position: u64) -> bool {
        self.has(Mutation::RingNoHandoff)
            || self
                .behind()
                .all(|(epoch, ring)| self.covers(*epoch, ring.preference(position), position))
    }

    /// Whether it has the data of somebody who had all of that ring's writes at this position.
    fn covers(&self, epoch: u64, list: &[NodeId], position: u64) -> bool {
        let knows = |(node, source): (&NodeId, &Source)| {
            let later = || {
                let ring = self.rings.get(&source.full).filter(|_| source.full >= epoch);
                ring.is_some_and(|ring| ring.preference(position).contains(node))
            };
            !source.blank && (list.contains(node) || later())
        };
        // If all of them have lost their disks, the data is gone and there is nothing to wait for.
        self.sources.iter().any(knows) || list.iter().all(|node| self.sources.contains_key(node))
    }

    /// Cuts the circle wherever an owner or a preference list may change.
    fn arcs(&self) -> Vec<KeyRange> {
        let rings = self.behind().map(|(_, ring)| ring).chain(self.ring());
        let mut ends: Vec<u64> = rings.flat_map(Ring::points).map(|(at, _)| at).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut start = ends.last().copied().unwrap_or_default();
        let cut = |end| {
            let range = KeyRange { start, end };
            start = end;
            range
        };
        ends.into_iter().map(cut).collect()
    }

    /// Finds out what it can answer for now, says so, and asks for what is missing.
    pub(super) fn refresh(&mut self, cx: &mut Cx<'_>) {
        let Some(ring) = self.ring().cloned() else { return };
        let me = cx.me();
        let mut serves: Vec<KeyRange> = Vec::new();
        let mut complete = true;
        for arc in self.arcs() {
            let list = ring.preference(arc.end);
            if !list.contains(&me) {
                continue;
            }
            if !self.covered(arc.end) {
                complete = false;
            } else if list[0] == me {
                match serves.last_mut() {
                    Some(last) if last.end == arc.start => last.end = arc.end,
                    _ => serves.push(arc),
                }
            }
        }
        let member = ring.members().iter().any(|member| member.node == me);
        if complete && member && (self.full < self.epoch || self.blank) {
            (self.full, self.blank) = (self.epoch, false);
            self.sources.insert(me, Source { blank: false, full: self.full });
            self.write(Record::Full { epoch: self.epoch }, cx);
            cx.emit(Fact::Synced { epoch: self.epoch });
        }
        if *self.serves != *serves {
            self.serves = serves.into();
            cx.emit(self.serving(cx.me()));
            self.adopt_intents(&ring, cx);
        }
        if !complete {
            self.pull(cx);
        }
    }

    /// Intents must be everybody's before their transactions are asked for.
    fn adopt_intents(&mut self, ring: &Ring, cx: &mut Cx<'_>) {
        let me = cx.me();
        let locked = self.items.iter().filter(|(_, item)| !item.intents.is_empty());
        let keys: Vec<Name> = locked.map(|(key, _)| key.clone()).collect();
        for key in keys {
            let position = ring.position(key.as_str());
            if ring.owner(position) == Some(me) && self.covered(position) {
                self.adopt(&key, cx);
            }
        }
    }

    /// Whose data it lacks, of all who may have some.
    fn lacking(&self) -> BTreeSet<NodeId> {
        let nodes = self.behind().flat_map(|(_, ring)| ring.members().iter().map(|m| m.node));
        nodes.filter(|node| !self.sources.contains_key(node)).collect()
    }

    /// Whether it still needs something.
    pub(super) fn pulling(&self) -> bool {
        let incomplete = self.full < self.epoch || self.blank;
        incomplete && self.ring().is_some() && !self.lacking().is_empty()
    }

    /// Asks everybody for what they have for it.
    pub(super) fn pull(&mut self, cx: &mut Cx<'_>) {
        let me = cx.me();
        let member = |ring: &Ring| ring.members().iter().any(|member| member.node == me);
        if !self.pulling() || !self.ring().is_some_and(member) {
            return;
        }
        let epoch = self.epoch;
        for node in self.lacking() {
            cx.send(node, Message::Pull { epoch });
        }
    }

    /// Hands over what another node must keep in the ring that both are in.
    pub(super) fn pulled(&mut self, from: NodeId, epoch: u64, cx: &mut Cx<'_>) {
        if epoch < self.epoch {
            return cx.send(from, Message::NotOwner { epoch: self.epoch });
        }
        let Some(ring) = self.ring().filter(|_| epoch == self.epoch) else { return };
        let theirs = |key: &Name| preference(ring, key).contains(&from);
        let items = self.items.iter().filter(|(key, _)| theirs(key));
        let items = items.map(|(key, item)| (key.clone(), Arc::clone(item))).collect();
        let (blank, full) = (self.blank, self.full);
        cx.send(from, Message::Hand { epoch, blank, full, items });
    }

    /// Takes in what another node has handed over.
    pub(super) fn take(
        &mut self,
        from: NodeId,
        epoch: u64,
        source: Source,
        items: &[(Name, Arc<Item>)],
        cx: &mut Cx<'_>,
    ) {
        if epoch != self.epoch || self.sources.contains_key(&from) || self.ring().is_none() {
            return;
        }
        let mut keys = 0;
        for (key, item) in items {
            if self.items.get(key).is_none_or(|old| old.stamp < item.stamp) {
                keys += 1;
                self.keep(key.clone(), Arc::clone(item), cx);
            }
        }
        self.sources.insert(from, source);
        let Source { blank, full } = source;
        self.write(Record::Took { epoch, from, blank, full }, cx);
        if !blank {
            cx.emit(Fact::Took { epoch, from, keys });
        }
        self.refresh(cx);
    }
}
