//! A cache node: entries, leases, and what it fetches and writes itself.

use super::behind::Debts;
use super::{Cx, Message, NODE, Record, Settings};
use crate::base::cache::{Evict, Mode};
use crate::base::{CallId, Mutation, Mutations, Name, NodeId, Op, Outcome, ServiceId, Span, Time};
use crate::event::{Caching, Dropped, Fact};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value, or that there is none, and its version.
type Known = (Option<i64>, u64);

/// What is kept of a key.
#[derive(Clone, Debug)]
struct Entry {
    known: Known,
    since: Time,
    until: Time,
    /// When it was asked for last, as a count of questions, and how often.
    used: u64,
    hits: u64,
}

/// Leave to fetch a key.
#[derive(Clone, Copy, Debug)]
struct Lease {
    token: u64,
    given: Time,
}

/// What was asked of the store, and who waits for it: fronts, with their flights.
#[derive(Clone, Debug)]
struct Errand {
    key: Name,
    call: CallId,
    /// A write, rather than a fetch under this lease.
    write: bool,
    token: u64,
    since: Time,
    waiting: Vec<(NodeId, u64)>,
}

/// A cache node's state.
#[derive(Clone, Debug)]
pub(super) struct CacheNode {
    pub(super) settings: Settings,
    mutations: Mutations,
    entries: BTreeMap<Name, Entry>,
    leases: BTreeMap<Name, Lease>,
    /// What it has acknowledged and not written yet.
    pub(super) debts: Debts,
    errands: BTreeMap<u64, Errand>,
    questions: u64,
    /// The last number given out: of a lease, or of an errand.
    last: u64,
}

impl CacheNode {
    pub(super) fn new(
        settings: Settings,
        mutations: Mutations,
        disk: &[Record],
        cx: &mut Cx<'_>,
    ) -> CacheNode {
        let mut node = CacheNode {
            settings,
            mutations,
            entries: BTreeMap::new(),
            leases: BTreeMap::new(),
            debts: Debts::default(),
            errands: BTreeMap::new(),
            questions: 0,
            // No lease of an earlier life is good any more.
            last: u64::from(cx.boot()) << 32,
        };
        for Record::Kept { key, value, version } in disk {
            node.keep(key.clone(), (*value, *version), cx.now());
        }
        node
    }

    pub(super) fn has(&self, mutation: Mutation) -> bool {
        self.mutations.has(mutation)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A front asks.
    pub(super) fn get(&mut self, from: NodeId, flight: u64, key: Name, cx: &mut Cx<'_>) {
        self.questions += 1;
        self.expire(&key, cx);
        let Some(entry) = self.entries.get_mut(&key) else {
            return match self.settings.mode {
                Mode::Aside => self.miss(from, flight, key, cx),
                _ => self.fetch(Some((from, flight)), key, cx),
            };
        };
        (entry.used, entry.hits) = (self.questions, entry.hits + 1);
        let ((value, version), age) = (entry.known, cx.now().since(entry.since));
        cx.emit(Fact::Cache(Caching::Hits { key: key.clone(), version, age }));
        let lease = self.early(key, cx);
        cx.send(from, Message::Hit { flight, value, version, lease });
    }

    /// Lets go of an entry whose time is over.
    fn expire(&mut self, key: &Name, cx: &mut Cx<'_>) {
        let is_over = |entry: &Entry| entry.until <= cx.now();
        let endless = self.has(Mutation::CacheNoExpiry) || self.has(Mutation::CacheUntold);
        if self.entries.get(key).is_some_and(is_over) && !endless && !self.debts.owes(key) {
            self.drop_entry(key, Dropped::Expired, cx);
        }
    }

    fn drop_entry(&mut self, key: &Name, why: Dropped, cx: &mut Cx<'_>) {
        if let Some(Entry { known: (_, version), .. }) = self.entries.remove(key) {
            cx.emit(Fact::Cache(Caching::Drops { key: key.clone(), version, why }));
        }
    }

    /// A lease on a key, unless somebody has one that is not over.
    fn lease(&mut self, key: &Name, cx: &mut Cx<'_>) -> Option<u64> {
        let now = cx.now();
        let forever = self.has(Mutation::CacheLeaseForever);
        let good = |lease: &Lease| forever || now.since(lease.given) < self.settings.lease;
        if self.leases.get(key).is_some_and(good) && !self.has(Mutation::CacheNoLease) {
            return None;
        }
        let token = self.next();
        let before = self.leases.insert(key.clone(), Lease { token, given: now });
        let after = before.map(|lease| now.since(lease.given));
        cx.emit(Fact::Cache(Caching::Leases { key: key.clone(), token, after }));
        Some(token)
    }

    fn miss(&mut self, from: NodeId, flight: u64, key: Name, cx: &mut Cx<'_>) {
        let lease = self.lease(&key, cx);
        if lease.is_none() {
            cx.emit(Fact::Cache(Caching::Waits { key }));
        }
        cx.send(from, Message::Miss { flight, lease });
    }

    /// Has a key fetched anew before its time is over, by chance; a lease, if the asker is to.
    fn early(&mut self, key: Name, cx: &mut Cx<'_>) -> Option<u64> {
        let part = Span(self.settings.ttl.0 / 100 * u64::from(self.settings.early));
        let left = self.entries.get(&key)?.until.since(cx.now());
        // The store does not have what is owed.
        if self.debts.owes(&key) && !self.has(Mutation::CacheRefreshOwed) {
            return None;
        }
        if part == Span::ZERO || left >= cx.rng().span(Span::ZERO, part) {
            return None;
        }
        if self.settings.mode == Mode::Aside {
            return self.lease(&key, cx);
        }
        self.fetch(None, key, cx);
        None
    }

    /// Reads a key in the store for all who ask meanwhile.
    fn fetch(&mut self, asker: Option<(NodeId, u64)>, key: Name, cx: &mut Cx<'_>) {
        let Some(token) = self.lease(&key, cx) else {
            let token = self.leases.get(&key).map(|lease| lease.token);
            let errand = self.errands.values_mut().find(|errand| Some(errand.token) == token);
            errand.into_iter().for_each(|errand| errand.waiting.extend(asker));
            if asker.is_some() {
                cx.emit(Fact::Cache(Caching::Waits { key }));
            }
            return;
        };
        cx.emit(Fact::Cache(Caching::Fetches { key: key.clone() }));
        let (call, op) = (cx.new_call(), Op::Get { key: key.clone() });
        let waiting = asker.into_iter().collect();
        self.send_off(Errand { key, call, write: false, token, since: cx.now(), waiting }, op, cx);
    }

    fn send_off(&mut self, errand: Errand, op: Op, cx: &mut Cx<'_>) {
        let (number, call) = (self.next(), errand.call);
        self.errands.insert(number, errand);
        cx.call(ServiceId::Store, number << 1 | NODE, call, op);
    }

    /// A front has fetched a key under a lease.
    pub(super) fn fill(&mut self, key: Name, token: u64, known: Known, cx: &mut Cx<'_>) {
        let good = |lease: &&Lease| {
            lease.token == token && cx.now().since(lease.given) < self.settings.lease
        };
        let given = self.leases.get(&key).filter(good).map(|lease| lease.given);
        let stale = self.has(Mutation::CacheStaleSet).then(|| cx.now());
        match given.or(stale) {
            Some(given) => {
                self.leases.remove(&key);
                self.install(key, known, given, cx);
            }
            None => cx.emit(Fact::Cache(Caching::Rejects { key, version: known.1 })),
        }
    }

    fn install(&mut self, key: Name, known: Known, given: Time, cx: &mut Cx<'_>) {
        let version = known.1;
        if self.has(Mutation::CacheCreateOnly) && self.entries.contains_key(&key) {
            return;
        }
        if self.has(Mutation::CacheOldContents) {
            cx.write(Record::Kept { key: key.clone(), value: known.0, version });
        }
        cx.emit(Fact::Cache(Caching::Fills { key: key.clone(), version }));
        self.keep(key.clone(), known, given);
        while self.entries.len() > self.settings.capacity as usize
            && !self.has(Mutation::CacheNoEvict)
        {
            self.evict(&key, cx);
        }
    }

    fn keep(&mut self, key: Name, known: Known, given: Time) {
        let hits = self.entries.get(&key).map_or(0, |entry| entry.hits);
        let until = given + self.settings.ttl;
        let entry = Entry { known, since: given, until, used: self.questions, hits };
        self.entries.insert(key, entry);
    }

    /// Makes room for `newest`.
    fn evict(&mut self, newest: &Name, cx: &mut Cx<'_>) {
        let frequency = self.settings.evict == Evict::Lfu;
        let rank = |entry: &Entry| (if frequency { entry.hits } else { 0 }, entry.used);
        let pinned = |key: &Name| self.debts.owes(key) && !self.has(Mutation::CacheEvictOwed);
        let others = self.entries.iter().filter(|(key, _)| *key != newest && !pinned(key));
        let least = others.min_by_key(|(_, entry)| rank(entry)).map(|(key, _)| key.clone());
        if let Some(key) = least {
            self.drop_entry(&key, Dropped::Evicted, cx);
        }
    }

    /// A key has a new value here, whatever the store has.
    pub(super) fn renew(&mut self, key: Name, known: Known, cx: &mut Cx<'_>) {
        self.leases.remove(&key);
        let now = cx.now();
        self.install(key, known, now, cx);
    }

    /// A key was written: what is known of it, or is just being fetched, is old.
    pub(super) fn delete(
        &mut self,
        from: NodeId,
        flight: u64,
        key: Name,
        version: u64,
        cx: &mut Cx<'_>,
    ) {
        self.forget(key, version, cx);
        cx.send(from, Message::Deleted { flight });
    }

    fn forget(&mut self, key: Name, version: u64, cx: &mut Cx<'_>) {
        self.entries.remove(&key);
        self.leases.remove(&key);
        cx.emit(Fact::Cache(Caching::Drops { key, version, why: Dropped::Invalidated }));
    }

    /// A key was written, and this is what.
    pub(super) fn set(
        &mut self,
        from: NodeId,
        flight: u64,
        key: Name,
        known: Known,
        cx: &mut Cx<'_>,
    ) {
        self.renew(key, known, cx);
        cx.send(from, Message::Deleted { flight });
    }

    /// Carries a write out for a front. One that is asked for again is under way.
    pub(super) fn write(
        &mut self,
        from: NodeId,
        flight: u64,
        call: CallId,
        op: Arc<Op>,
        cx: &mut Cx<'_>,
    ) {
        if self.settings.mode == Mode::WriteBehind {
            return self.owe(from, flight, call, &op, cx);
        }
        let Some(key) = super::key_of(&op) else { return };
        let asker = (from, flight);
        let same = |errand: &&mut Errand| errand.write && errand.call == call;
        if let Some(errand) = self.errands.values_mut().find(same) {
            errand.waiting.retain(|waiting| *waiting != asker);
            return errand.waiting.push(asker);
        }
        let (waiting, since) = (vec![asker], cx.now());
        let errand = Errand { key, call, write: true, token: 0, since, waiting };
        self.send_off(errand, Op::clone(&op), cx);
    }

    /// The store has answered.
    pub(super) fn replied(&mut self, number: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        if let Some(key) = self.debts.paid_by(number) {
            return self.paid(&key, &outcome, cx);
        }
        let Some(errand) = self.errands.remove(&number) else { return };
        match errand.write {
            true => self.written(errand, outcome, cx),
            false => self.fetched(errand, &outcome, cx),
        }
    }

    fn fetched(&mut self, errand: Errand, outcome: &Outcome, cx: &mut Cx<'_>) {
        let Errand { key, token, waiting, .. } = errand;
        if let Outcome::Value { value, mut version } = *outcome {
            if self.settings.mode == Mode::WriteBehind {
                version = self.next();
            }
            self.fill(key, token, (value, version), cx);
            for (front, flight) in waiting {
                cx.send(front, Message::Hit { flight, value, version, lease: None });
            }
            return;
        }
        // The lease goes on: nobody tries again before it is over.
        for (front, flight) in waiting {
            cx.send(front, Message::Miss { flight, lease: None });
        }
    }

    fn written(&mut self, errand: Errand, outcome: Outcome, cx: &mut Cx<'_>) {
        let Errand { key, since, waiting, .. } = errand;
        match outcome {
            Outcome::Written { value, version } => {
                self.wrote(key, (Some(value), version), since, cx);
            }
            // It may have taken effect, or may yet.
            Outcome::Unknown => self.forget(key, 0, cx),
            _ => {}
        }
        for (front, flight) in waiting {
            let outcome = Box::new(outcome.clone());
            cx.send(front, Message::Wrote { flight, outcome });
        }
    }

    /// The store has this version, or had it once: the answer to a write that was repeated is old.
    /// Where there is an entry, it is of the newest version that was heard of.
    fn wrote(&mut self, key: Name, known: Known, since: Time, cx: &mut Cx<'_>) {
        let had = self.entries.get(&key).map(|entry| entry.known.1);
        if self.has(Mutation::CacheSetLast) || had.is_some_and(|had| had <= known.1) {
            self.leases.remove(&key);
            self.install(key, known, since, cx);
        } else if had.is_none() {
            self.forget(key, known.1, cx);
        }
    }

    pub(super) fn restate(&self, cx: &mut Cx<'_>) {
        let Settings { mode, capacity, ttl, lease, .. } = self.settings;
        let (behind, credit) = self.settings.credit();
        cx.emit(Fact::Cache(Caching::Caches { mode, capacity, ttl, lease, behind, credit }));
        for (key, entry) in &self.entries {
            let (key, version) = (key.clone(), entry.known.1);
            cx.emit(Fact::Cache(Caching::Fills { key, version }));
        }
        self.debts.restate(cx);
    }
}
