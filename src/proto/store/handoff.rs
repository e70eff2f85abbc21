//! Moving from ring to ring: who must have what before anybody answers.

use super::{Cx, Item, Message, Record, Store, Timer, preference};
use crate::base::placement::{KeyRange, Ring};
use crate::base::{Mutation, Name, NodeId, Span};
use crate::event::{Fact, HandoffFact};
use std::collections::BTreeSet;
use std::sync::Arc;

/// After so long it looks again whether it may hand over more.
const SOON: Span = Span::millis(20);

/// A place on the circle, and a key there.
pub type Mark = (u64, Name);

/// Keys and their states.
pub(super) type Keys = [(Name, Arc<Item>)];

/// What has come so far of one node's data, in the order of the circle.
#[derive(Clone, Debug)]
pub(super) struct Page {
    source: Source,
    /// What comes next is after this one.
    next: Mark,
    /// Where nothing is missing.
    range: Option<KeyRange>,
}

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
            self.pages.clear();
            self.asked.clear();
            self.write(Record::Moved { epoch, blank: self.blank }, cx);
        }
        if !std::mem::take(&mut self.serves).is_empty() {
            cx.emit(Fact::Yields { epoch: old });
        }
        self.depose();
        let source = Source { blank: self.blank, full: self.full };
        self.sources.insert(cx.me(), source);
        if epoch > self.settled {
            self.recall(cx);
        }
        self.refresh(cx);
        self.reroute(cx);
        self.load_changed(cx);
    }

    /// Says what it has of this ring on disk: it may have crashed before it came to say so.
    fn recall(&self, cx: &mut Cx<'_>) {
        let (me, epoch) = (cx.me(), self.epoch);
        let others = self.sources.iter().filter(|(from, source)| **from != me && !source.blank);
        others.for_each(|(from, _)| cx.emit(Fact::Took { epoch, from: *from, keys: 0 }));
        if self.full == epoch {
            cx.emit(Fact::Synced { epoch });
        }
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
        let here = |page: &Page| page.range.is_some_and(|range| range.contains(position));
        let pages = self.pages.iter().filter(|(_, page)| here(page));
        let pages = pages.map(|(node, page)| (node, &page.source));
        self.covered_by(position, || self.sources.iter().chain(pages.clone()))
    }

    /// The same, by what its disk says: pages that were turned are forgotten in a crash.
    fn covered_for_good(&self, position: u64) -> bool {
        self.covered_by(position, || self.sources.iter())
    }

    fn covered_by<'a, Given>(&self, position: u64, given: impl Fn() -> Given) -> bool
    where
        Given: Iterator<Item = (&'a NodeId, &'a Source)>,
    {
        let covers = |epoch: u64, list: &[NodeId]| {
            // If all of them have lost their disks, the data is gone: nothing to wait for.
            given().any(|(node, source)| self.knows(*node, *source, (epoch, list), position))
                || list.iter().all(|node| self.sources.contains_key(node))
        };
        self.has(Mutation::RingNoHandoff)
            || self.behind().all(|(epoch, ring)| covers(*epoch, ring.preference(position)))
    }

    /// Whether a node had all of a ring's writes at this position.
    fn knows(
        &self,
        node: NodeId,
        source: Source,
        (epoch, list): (u64, &[NodeId]),
        position: u64,
    ) -> bool {
        let later = || {
            let ring = self.rings.get(&source.full).filter(|_| source.full >= epoch);
            ring.is_some_and(|ring| ring.preference(position).contains(&node))
        };
        !source.blank && (list.contains(&node) || later())
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
            let for_good = self.covered_for_good(arc.end);
            complete &= for_good;
            if list[0] == me && (for_good || self.covered(arc.end)) {
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
        // What comes in pages is asked for page by page.
        if !complete && self.pages.is_empty() {
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
            let after = self.pages.get(&node).map(|page| page.next.clone());
            cx.send(node, Message::Pull { epoch, after });
        }
    }

    /// Another node asks for what it must keep in the ring that both are in.
    pub(super) fn pulled(
        &mut self,
        from: NodeId,
        epoch: u64,
        after: Option<Mark>,
        cx: &mut Cx<'_>,
    ) {
        if epoch < self.epoch {
            return cx.send(from, Message::NotOwner { epoch: self.epoch });
        }
        if epoch > self.epoch || self.ring().is_none() {
            return;
        }
        match self.bucket {
            None => self.hand(from, after, usize::MAX, cx),
            Some(_) => {
                self.asked.insert(from, after);
                self.hand_over(cx);
            }
        }
    }

    /// Hands over to those who wait, as far as it may.
    pub(super) fn hand_over(&mut self, cx: &mut Cx<'_>) {
        let unbounded = self.has(Mutation::RingNoThrottle);
        while let Some(bucket) = &mut self.bucket {
            let left = usize::try_from(bucket.left(cx.now())).unwrap_or(0);
            let most = if unbounded { usize::MAX } else { left };
            let waiting = self.asked.first_key_value().map(|(to, _)| *to).filter(|_| most > 0);
            let Some(to) = waiting else { break };
            let after = self.asked.remove(&to).unwrap_or_default();
            self.hand(to, after, most, cx);
        }
        if !self.asked.is_empty() {
            cx.set(Timer::Hand, SOON);
        }
    }

    /// Hands over the keys after this one, so many at the most.
    fn hand(&mut self, to: NodeId, after: Option<Mark>, most: usize, cx: &mut Cx<'_>) {
        let Some(ring) = self.ring() else { return };
        let theirs = self.items.iter().filter(|(key, _)| preference(ring, key).contains(&to));
        let marked = theirs.map(|(key, item)| ((ring.position(key.as_str()), key.clone()), item));
        let mut items: Vec<(Mark, &Arc<Item>)> = marked.collect();
        if self.bucket.is_some() {
            items.retain(|(mark, _)| after.as_ref().is_none_or(|after| mark > after));
            items.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        let more = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| more).map(|(mark, _)| mark.clone());
        let items: Arc<[_]> =
            items.into_iter().map(|((_, key), item)| (key, Arc::clone(item))).collect();
        let (epoch, blank, full) = (self.epoch, self.blank, self.full);
        let keys = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if let (Some(bucket), Some(rate)) = (&mut self.bucket, self.config.handoff_rate) {
            bucket.spend(keys);
            let at = cx.now();
            cx.emit(Fact::Handoff(HandoffFact::Hands { epoch, to, keys, rate, at }));
        }
        cx.send(to, Message::Hand { epoch, blank, full, items, after, next });
    }

    /// Takes in what another node has handed over.
    pub(super) fn take(
        &mut self,
        from: NodeId,
        epoch: u64,
        source: Source,
        (items, after, next): (&Keys, Option<Mark>, Option<Mark>),
        cx: &mut Cx<'_>,
    ) {
        let page = self.pages.get(&from);
        let awaited = page.map(|page| &page.next) == after.as_ref();
        let known = self.sources.contains_key(&from);
        if epoch != self.epoch || known || !awaited || self.ring().is_none() {
            return;
        }
        let source = page.map_or(source, |page| page.source.worse(source));
        let mut keys = 0;
        for (key, item) in items {
            if self.items.get(key).is_none_or(|old| old.stamp < item.stamp) {
                keys += 1;
                self.keep(key.clone(), Arc::clone(item), cx);
            }
        }
        match next {
            Some(next) => self.turn_page(from, (source, next, keys), cx),
            None => self.take_last(from, (source, keys), cx),
        }
        self.refresh(cx);
    }

    /// There is more to come from this node.
    fn turn_page(&mut self, from: NodeId, page: (Source, Mark, u32), cx: &mut Cx<'_>) {
        let (source, next, keys) = page;
        // Where arcs end between the first one, which may begin behind the last key, and here.
        let mut ends: Vec<u64> = self.arcs().into_iter().map(|arc| arc.end).collect();
        ends.sort_unstable();
        let start = ends.first().copied().unwrap_or_default();
        let end = ends.into_iter().rfind(|end| *end < next.0);
        let range = end.filter(|end| *end > start).map(|end| KeyRange { start, end });
        let epoch = self.epoch;
        if !source.blank {
            cx.emit(Fact::Handoff(HandoffFact::Takes { epoch, from, range, keys }));
        }
        self.pages.insert(from, Page { source, next: next.clone(), range });
        cx.send(from, Message::Pull { epoch, after: Some(next) });
    }

    /// That was all that this node has.
    fn take_last(&mut self, from: NodeId, (source, keys): (Source, u32), cx: &mut Cx<'_>) {
        let (epoch, Source { blank, full }) = (self.epoch, source);
        self.pages.remove(&from);
        self.sources.insert(from, source);
        self.write(Record::Took { epoch, from, blank, full }, cx);
        if !blank {
            cx.emit(Fact::Took { epoch, from, keys });
        }
    }
}

impl Source {
    /// What data is worth of which one part is worth this and another part that.
    fn worse(self, other: Source) -> Source {
        Source { blank: self.blank || other.blank, full: self.full.min(other.full) }
    }
}
