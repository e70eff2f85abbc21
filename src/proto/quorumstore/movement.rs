//! Moving from ring to ring: what a node takes over, and what it brings to others.

use super::coordinator::Purpose;
use super::{Cx, Items, Message, QuorumStore, Record};
use crate::base::placement::Ring;
use crate::base::{Name, NodeId, Versions};
use crate::event::Fact;
use std::collections::BTreeSet;

/// How many keys of others are brought to them at once.
const AT_ONCE: usize = 64;

impl QuorumStore {
    /// The log says that there is a new ring, or says so again.
    pub(super) fn view(&mut self, epoch: u64, ring: impl FnOnce() -> Ring, cx: &mut Cx<'_>) {
        if epoch < self.settled || self.rings.contains_key(&epoch) {
            return;
        }
        self.rings.insert(epoch, ring());
        if epoch < self.epoch {
            return;
        }
        if epoch > self.epoch {
            self.epoch = epoch;
            self.write_down(Record::Moved { epoch, blank: self.blank }, cx);
        }
        self.sources.clear();
        self.sources.insert(cx.me(), self.blank);
        self.buried.clear();
        if self.full == epoch && epoch > self.settled {
            cx.emit(Fact::Synced { epoch });
        }
        self.refresh(cx);
        self.ask_anew(cx);
    }

    /// All members of a ring hold what they are to keep: older rings do not matter any more.
    pub(super) fn note_settled(&mut self, epoch: u64, cx: &mut Cx<'_>) {
        if epoch <= self.settled {
            return;
        }
        self.settled = epoch;
        self.rings.retain(|of, _| *of >= epoch);
        self.refresh(cx);
        self.ask_anew(cx);
        let me = cx.me();
        let stray = |key: &&Name| !self.replicas(key).contains(&me);
        self.strays = self.items.keys().filter(stray).cloned().collect();
    }

    /// What is under way needs other replicas now, and maybe has enough.
    fn ask_anew(&mut self, cx: &mut Cx<'_>) {
        for flight in self.reads.keys().copied().collect::<Vec<u64>>() {
            self.ask_read(flight, false, cx);
            self.advance_read(flight, cx);
        }
        for flight in self.writes.keys().copied().collect::<Vec<u64>>() {
            self.ask_write(flight, false, cx);
            self.advance_write(flight, cx);
        }
    }

    /// The rings whose writes it may have missed.
    fn behind(&self) -> impl Iterator<Item = &Ring> {
        let last = if self.blank { self.epoch + 1 } else { self.epoch };
        self.rings.range(self.settled.min(last)..last).map(|(_, ring)| ring)
    }

    /// Whether it has what was acknowledged at a position, if it is to keep that.
    fn is_covered(&self, ring: &Ring, position: u64) -> bool {
        let list = ring.preference(position);
        let same = !self.blank && self.behind().all(|old| old.preference(position) == list);
        same || self.behind().all(|old| self.has_enough(old.preference(position)))
    }

    /// Whether so many of a list have handed over what they had that no quorum of the others is
    /// left. If some have lost their disks, all that there are must do.
    fn has_enough(&self, list: &[NodeId]) -> bool {
        let quorum = self.config.quorum;
        let least = usize::from(quorum.r.min(quorum.w)).min(list.len());
        let need = if self.config.strict { list.len() - least + 1 } else { 1 };
        let sound = list.iter().filter(|node| self.sources.get(node) == Some(&false)).count();
        sound >= need || list.iter().all(|node| self.sources.contains_key(node))
    }

    /// Finds out whether it has all that it is to keep, says so, and asks for what is missing.
    fn refresh(&mut self, cx: &mut Cx<'_>) {
        let Some(ring) = self.ring().cloned() else { return };
        let me = cx.me();
        if !is_member(&ring, me) {
            return;
        }
        let rings = self.behind().chain([&ring]);
        let ends: BTreeSet<u64> = rings.flat_map(Ring::points).map(|(at, _)| at).collect();
        let mut own = ends.into_iter().filter(|at| ring.preference(*at).contains(&me));
        let complete = own.all(|at| self.is_covered(&ring, at));
        if complete && (self.full < self.epoch || self.blank) {
            (self.full, self.blank) = (self.epoch, false);
            self.sources.insert(me, false);
            self.write_down(Record::Full { epoch: self.epoch }, cx);
            cx.emit(Fact::Synced { epoch: self.epoch });
        }
        self.pull(cx);
    }

    /// Whose data it lacks, of all who may have some.
    fn lacking(&self) -> BTreeSet<NodeId> {
        let nodes = self.behind().flat_map(|ring| ring.members().iter().map(|m| m.node));
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
        if self.pulling() && self.ring().is_some_and(|ring| is_member(ring, me)) {
            let pull = Message::Pull { epoch: self.epoch, blank: self.blank };
            cx.send_all(&self.lacking(), &pull);
        }
    }

    /// Hands over what another node is to keep in the ring that both are in and may not have.
    pub(super) fn pulled(&mut self, from: NodeId, epoch: u64, all: bool, cx: &mut Cx<'_>) {
        if epoch < self.epoch {
            return cx.send(from, Message::Behind { epoch: self.epoch });
        }
        let Some(ring) = self.ring().filter(|_| epoch == self.epoch) else { return };
        let theirs = |key: &Name| {
            ring.preference(ring.position(key.as_str())).contains(&from)
                && (all || self.lists(key).len() > 1)
        };
        let items = self.items.iter().filter(|(key, _)| theirs(key));
        let items = items.map(|(key, versions)| (key.clone(), versions.clone())).collect();
        cx.send(from, Message::Hand { epoch, blank: self.blank, items });
    }

    /// Takes in what another node has handed over.
    pub(super) fn handed(
        &mut self,
        from: NodeId,
        epoch: u64,
        blank: bool,
        items: &Items,
        cx: &mut Cx<'_>,
    ) {
        if epoch != self.epoch || self.sources.contains_key(&from) || self.ring().is_none() {
            return;
        }
        let news = |(key, versions): &&(Name, Versions)| self.items.get(key) != Some(versions);
        let keys = u32::try_from(items.iter().filter(news).count()).unwrap_or(u32::MAX);
        items.iter().for_each(|(key, versions)| self.keep(key, versions, cx));
        self.sources.insert(from, blank);
        cx.emit(Fact::Took { epoch, from, keys });
        self.refresh(cx);
    }

    /// Brings keys of others to those who are to keep them.
    pub(super) fn tend_strays(&mut self, cx: &mut Cx<'_>) {
        if self.blank || self.settled < self.epoch || self.ring().is_none() {
            return;
        }
        let waiting = self.strays.iter().filter(|key| !self.is_bringing(key));
        for key in waiting.take(AT_ONCE).cloned().collect::<Vec<Name>>() {
            match self.items.get(&key).cloned() {
                Some(versions) if !self.replicas(&key).contains(&cx.me()) => {
                    self.send_write(key, versions, Purpose::Stray, BTreeSet::new(), cx);
                }
                _ => drop(self.strays.remove(&key)),
            }
        }
    }

    /// All who are to keep a key have what this node had of it.
    pub(super) fn let_go(&mut self, key: &Name, versions: &Versions, cx: &mut Cx<'_>) {
        let mine = self.replicas(key).contains(&cx.me());
        if !mine && self.settled == self.epoch && self.items.get(key) == Some(versions) {
            self.drop_key(key, cx);
        }
    }
}

fn is_member(ring: &Ring, node: NodeId) -> bool {
    ring.members().iter().any(|member| member.node == node)
}
