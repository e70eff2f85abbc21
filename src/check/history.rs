//! What clients see of keys: acknowledged writes survive, and reads are never stale.
//!
//! | rule | holds as long as |
//! |---|---|
//! | CLIENT-1 | an operation that begins after another on the same key returned version `v` returns `v` or more; a write returns more |
//! | CLIENT-2 | one version of a key has one value |
//! | CLIENT-3 | what is read was written: by a write that may have taken effect |
//! | CLIENT-4 | a counter is at least what was acknowledged before, and at most what was ever added |
//! | CLIENT-5 | where reads may be stale: a read returns no older version than its own client was told before |
//!
//! Because every answer carries its key's version, these rules decide linearizability per key
//! without a search (Herlihy and Wing 1990; with versions the order of writes is known, an
//! easy case of Gibbons and Korach 1997): order all operations by version, reads after their write.
//! CLIENT-1 says that this order never contradicts real time, CLIENT-2 and CLIENT-3 that it
//! explains all values.
//!
//! Where the cluster file lets nodes answer reads from their own state (`reads = "local"` or
//! `"sync"`), reads are not judged by real time but by what each client sees: CLIENT-5 stands for
//! CLIENT-1, and a counter is at least what it was when the client last heard of it. Writes are
//! judged as ever. Together that is sequential consistency of each key, which is what ZooKeeper
//! promises; a sync makes a read current only as long as no leader is deposed unawares.
//!
//! Keys that are kept by quorums have the stamps of their versions for numbers. CLIENT-1 holds
//! there as far as the store promises ([`Promise`]): a read binds those after it only if what it
//! found was written back first, and nothing binds anybody if quorums need not meet. A key that was
//! deleted may be forgotten, and begin anew. Where siblings stay side by side, the check `quorum`
//! judges.
//!
//! Where caches stand in front of the store, the check `cache` judges how old a read may be, and
//! here a read binds nobody and is bound by nothing. If they write behind, a crash may lose what
//! was acknowledged: how much, that check judges as well, and nothing is left for this one.
//!
//! An operation whose outcome is unknown, or whose client died, may have taken effect or may do so
//! at any time later; it binds nobody. A definite refusal must never take effect.
//!
//! A newcomer does not know what was written before, or is still to take effect. CLIENT-3 rests
//! then, and of CLIENT-4 is left that a counter never falls. An operation that was under way when
//! it came may have begun before anything that it saw.
//!
//! CLIENT-3 and CLIENT-4 leave keys alone that transactions or both kinds of writes touch: `txn`
//! judges money.

use super::{Check, Expect, Promise, Violation, Witness};
use crate::base::cache::Mode;
use crate::base::{CallId, Conflict, Name, NodeId, Op, Outcome};
use crate::event::{Event, Fact, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many versions of one key are remembered.
const KEPT: usize = 512;
/// How many writes of one key may be without a definite outcome before their values are forgotten.
const OPEN: usize = 4_096;

/// An operation under way.
#[derive(Clone, Debug)]
struct Call {
    op: Arc<Op>,
    /// The newest version that anybody had been told when it began, and by which event.
    floor: (u64, usize),
    /// What had been acknowledged as added when it began.
    acked: i128,
    /// It is a read that may be stale.
    loose: bool,
}

/// What is known of a key.
#[derive(Clone, Debug, Default)]
struct Key {
    floor: (u64, usize),
    versions: BTreeMap<u64, (Option<i64>, usize)>,
    /// Values of writes that may take effect any time, and how many there are of each.
    open: BTreeMap<i64, u32>,
    /// Sums of additions: acknowledged, and all that were not refused.
    acked: i128,
    added: i128,
    /// Who writes to it: `put`, `add` or others, whose values cannot be foretold.
    put: bool,
    add: bool,
    other: bool,
}

/// The newest version of each key that a client was told, and by which event.
type Told = BTreeMap<Name, (u64, usize)>;

/// The check.
#[derive(Clone, Debug, Default)]
pub struct History {
    keys: BTreeMap<Name, Key>,
    calls: BTreeMap<CallId, Call>,
    acknowledged: u64,
    unknown: u64,
    /// Where reads may be stale: the newest version that each client was told of each key in its
    /// life, and by which event.
    told: Option<BTreeMap<NodeId, Told>>,
    /// What the store promises.
    promise: Promise,
    /// Concurrent writes stay side by side, which is not for this check to judge.
    siblings: bool,
    /// Who writes and fetches, if there are caches.
    cached: Option<Mode>,
}

/// An answer with the number of its version: of several, that of the newest.
fn numbered(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Found { versions } => match versions.newest() {
            Some(newest) => Outcome::Value { value: newest.value, version: newest.number() },
            None => Outcome::Value { value: None, version: 0 },
        },
        other => other.clone(),
    }
}

struct Broken {
    rule: &'static str,
    what: String,
    because: Option<usize>,
}

fn broken(rule: &'static str, because: Option<usize>, what: String) -> Option<Broken> {
    Some(Broken { rule, what, because })
}

impl Check for History {
    fn name(&self) -> &'static str {
        "clients"
    }

    fn about(&self) -> &'static str {
        match self.cached {
            Some(Mode::WriteBehind) => {
                return "Caches write behind here: what clients may lose, the check 'cache' bounds.";
            }
            Some(_) => {
                return "Acknowledged writes survive, and nobody reads what was never written. How \
                        old a read may be, the check 'cache' says.";
            }
            None => {}
        }
        if self.told.is_some() {
            return "Acknowledged writes survive, and nobody reads what is older than it was told \
                    itself (reads may be stale here) or was never written.";
        }
        "Acknowledged writes survive, and nobody reads what is stale or was never written."
    }

    /// Any call may be over.
    fn gap(&mut self, node: NodeId) {
        self.calls.retain(|call, _| node != NodeId::BENCH && call.client != node);
        self.forget(node);
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Returns { .. }))
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        if let Kind::Started { .. } = event.kind {
            self.forget(event.node);
        }
        let broken = match event.fact()? {
            Fact::Invokes { call, op, retry, .. } => {
                self.invoked(*call, op, *retry == 0 && !witness.restates(event.node));
                None
            }
            Fact::Returns { call, outcome } => {
                self.returned(at, *call, outcome, witness.is_whole())
            }
            _ => None,
        };
        broken.map(|Broken { rule, what, because }| {
            let because = because.into_iter().collect();
            Violation { check: "clients", rule, what, at, because }
        })
    }
}

impl History {
    /// The check for such a cluster.
    pub fn new(expect: &Expect) -> History {
        let quorums = expect.quorums;
        let promise = quorums.map_or(Promise::Current, |quorums| quorums.promise);
        let siblings = quorums.is_some_and(|quorums| quorums.versions == Conflict::Siblings);
        let told = expect.stale_reads.then(BTreeMap::new);
        let cached = expect.cached;
        History { told, promise, siblings, cached, ..History::default() }
    }

    /// A client begins anew, or may have.
    fn forget(&mut self, client: NodeId) {
        if let Some(told) = &mut self.told {
            told.retain(|who, _| client != NodeId::BENCH && *who != client);
        }
    }

    /// Notes what a client was told.
    fn note(&mut self, at: usize, client: NodeId, name: &Name, version: u64) {
        if let Some(told) = self.told.as_mut().filter(|_| self.cached.is_none()) {
            let known = told.entry(client).or_default().entry(name.clone()).or_default();
            *known = (*known).max((version, at));
        }
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How many operations ended without anybody knowing their outcome.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    fn key(&mut self, name: &Name) -> &mut Key {
        if !self.keys.contains_key(name) {
            self.keys.insert(name.clone(), Key::default());
        }
        self.keys.get_mut(name).expect("it was put in just now")
    }

    fn invoked(&mut self, id: CallId, op: &Arc<Op>, fresh: bool) {
        if self.calls.contains_key(&id) {
            return;
        }
        let name = match &**op {
            Op::Get { key } => key,
            Op::Put { key, value } => {
                self.key(key).opened(*value);
                key
            }
            Op::Delete { key } => key,
            Op::Add { key, by } => {
                let (by, money) = (i128::from(*by), key.as_str().starts_with("acct/"));
                let state = self.key(key);
                (state.add, state.added) = (true, state.added + by);
                state.other |= by < 0 || money;
                key
            }
            op @ (Op::Transfer(_) | Op::Move { .. }) => {
                op.legs().iter().for_each(|leg| self.key(&leg.key).other = true);
                return;
            }
            _ => return,
        };
        let Key { floor, acked, .. } = *self.key(name);
        let own = self.told.as_ref().filter(|_| matches!(**op, Op::Get { .. }));
        let loose = own.is_some();
        let floor = match own {
            Some(told) => told.get(&id.client).and_then(|told| told.get(name)).copied(),
            None => Some(floor),
        };
        let floor = floor.filter(|_| fresh).unwrap_or_default();
        self.calls.insert(id, Call { op: op.clone(), floor, acked, loose });
    }

    fn returned(
        &mut self,
        at: usize,
        id: CallId,
        outcome: &Outcome,
        whole: bool,
    ) -> Option<Broken> {
        self.unknown += u64::from(*outcome == Outcome::Unknown);
        let call = self.calls.remove(&id)?;
        let (Op::Get { key: name }
        | Op::Put { key: name, .. }
        | Op::Delete { key: name }
        | Op::Add { key: name, .. }) = &*call.op
        else {
            return None;
        };
        let write = !matches!(*call.op, Op::Get { .. });
        let outcome = &numbered(outcome);
        let value = matches!(outcome, Outcome::Written { .. } | Outcome::Value { .. });
        self.acknowledged += u64::from(write && (value || *outcome == Outcome::Done));
        if self.siblings || self.cached == Some(Mode::WriteBehind) {
            return None;
        }
        let binds = match self.promise {
            Promise::Current => true,
            Promise::Regular => write,
            Promise::Nothing => false,
        };
        if let Outcome::Value { version, .. } | Outcome::Written { version, .. } = outcome {
            self.note(at, id.client, name, *version);
        }
        let key = self.key(name);
        match *outcome {
            Outcome::Refused(_) => {
                key.closed(&call.op);
                if let Op::Add { by, .. } = *call.op {
                    key.added -= i128::from(by);
                }
                None
            }
            Outcome::Value { value, version } => {
                let late = version < call.floor.0 || (write && version == call.floor.0);
                let late = late && !key.was_deleted(call.floor.0);
                let told = key.tell(name, id, &call, (late, version), value);
                let broken = told.or_else(|| key.explain(name, id, &call, (version, value), whole));
                key.note(at, version, value, binds);
                broken
            }
            Outcome::Written { value, version } => {
                key.closed(&call.op);
                if let Op::Add { by, .. } = *call.op {
                    key.acked += i128::from(by);
                }
                let late = version <= call.floor.0 && !key.was_deleted(call.floor.0);
                let told = key.tell(name, id, &call, (late, version), Some(value));
                let wrong = || match *call.op {
                    Op::Put { value: put, .. } if put != value => {
                        let what = format!("{id} put {put} to {name} and hears {value}");
                        broken("CLIENT-2", None, what)
                    }
                    Op::Add { .. } => key.counted(name, id, &call, Some(value), whole),
                    _ => None,
                };
                let broken = told.or_else(wrong);
                key.note(at, version, Some(value), binds);
                broken
            }
            _ => None,
        }
    }
}

impl Key {
    fn opened(&mut self, value: i64) {
        self.put = true;
        *self.open.entry(value).or_default() += 1;
        if self.open.len() > OPEN {
            (self.open, self.other) = (BTreeMap::new(), true);
        }
    }

    /// A write that will not take effect again.
    fn closed(&mut self, op: &Op) {
        if let Op::Put { value, .. } = op
            && let Some(count) = self.open.get_mut(value)
        {
            *count -= 1;
            if *count == 0 {
                self.open.remove(value);
            }
        }
    }

    /// CLIENT-1 and CLIENT-2.
    fn tell(
        &self,
        name: &Name,
        id: CallId,
        call: &Call,
        (late, version): (bool, u64),
        value: Option<i64>,
    ) -> Option<Broken> {
        let (floor, then) = call.floor;
        if late {
            let what = format!(
                "{id} ({}) gets version {} of {name}, but version {} had been told before it began",
                call.op,
                Version(version),
                Version(floor)
            );
            let rule = if call.loose { "CLIENT-5" } else { "CLIENT-1" };
            return broken(rule, Some(then), what);
        }
        match self.versions.get(&version) {
            Some((before, then)) if *before != value => {
                let what = format!(
                    "version {} of {name} is {}, but was {}",
                    Version(version),
                    Value(value),
                    Value(*before)
                );
                broken("CLIENT-2", Some(*then), what)
            }
            _ => None,
        }
    }

    /// CLIENT-3 and CLIENT-4, for a read.
    fn explain(
        &self,
        name: &Name,
        id: CallId,
        call: &Call,
        (version, value): (u64, Option<i64>),
        whole: bool,
    ) -> Option<Broken> {
        if self.add {
            return self.counted(name, id, call, value, whole);
        }
        if !whole {
            return None;
        }
        // A version that is known was compared; one that is older than all known was forgotten. A
        // new version of the value before it is no other value.
        let before = self.versions.range(..=version).next_back();
        let known = before.is_some_and(|(_, (known, _))| *known == value);
        let forgotten = before.is_none() && self.versions.len() == KEPT;
        let written = value.is_none_or(|value| self.open.contains_key(&value));
        if known || written || forgotten || self.other {
            return None;
        }
        let what = format!("{id} reads {} from {name}, which nobody wrote", Value(value));
        broken("CLIENT-3", None, what)
    }

    fn counted(
        &self,
        name: &Name,
        id: CallId,
        call: &Call,
        value: Option<i64>,
        whole: bool,
    ) -> Option<Broken> {
        let own = match *call.op {
            Op::Add { by, .. } => i128::from(by),
            _ => 0,
        };
        let count = value.map_or(0, i128::from);
        let (least, most) = match whole {
            true if call.loose => (self.told_at(call.floor.0).unwrap_or(0), self.added),
            true => (call.acked + own, self.added),
            false => (self.told_at(call.floor.0)? + own, i128::MAX),
        };
        if self.put || self.other || (least..=most).contains(&count) {
            return None;
        }
        let added = self.added;
        let what = match whole {
            true => format!(
                "{id} finds {name} at {count}, but {least} had been acknowledged and {added} added"
            ),
            false => format!("{id} finds {name} at {count}, but it had been at {least}"),
        };
        broken("CLIENT-4", Some(call.floor.1), what)
    }

    /// The value of a version, if somebody was told.
    fn told_at(&self, version: u64) -> Option<i128> {
        self.versions.get(&version).map(|(value, _)| value.map_or(0, i128::from))
    }

    /// Whether what a call must not fall behind is a deletion, which may be forgotten.
    fn was_deleted(&self, floor: u64) -> bool {
        self.versions.get(&floor).is_some_and(|(value, _)| value.is_none())
    }

    /// Takes an answer down. Those who ask later must not fall behind it, if it binds them.
    fn note(&mut self, at: usize, version: u64, value: Option<i64>, binds: bool) {
        self.versions.entry(version).or_insert((value, at));
        if self.versions.len() > KEPT {
            self.versions.pop_first();
        }
        let anew = self.was_deleted(self.floor.0) && value.is_some();
        if binds && (version > self.floor.0 || anew) {
            self.floor = (version, at);
        }
    }
}

/// A version as `epoch.count`, as outcomes print it.
struct Version(u64);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

struct Value(Option<i64>);

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(value) => write!(f, "{value}"),
            None => f.write_str("absent"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Refusal, Time};
    use crate::event::Kind;

    /// Shows what clients did: `c1/1 get x` begins an operation, the other kind of line ends one.
    #[derive(Default)]
    struct Lab {
        check: History,
        witness: Witness,
        at: usize,
    }

    fn id(client: u16, seq: u64) -> CallId {
        CallId { client: NodeId::client(client), seq }
    }

    impl Lab {
        fn new() -> Lab {
            Lab { witness: Witness::of_nobody(), ..Lab::default() }
        }

        fn see(&mut self, kind: Kind) -> Option<&'static str> {
            self.at += 1;
            let event = Event { at: Time::ZERO, node: NodeId::client(1), kind };
            self.check.see(self.at, &event, &self.witness).map(|violation| violation.rule)
        }

        fn ask(&mut self, call: CallId, op: &str) {
            let op = Arc::new(op.parse().unwrap());
            let at = NodeId::node(1);
            let broken = self.see(Kind::Fact(Fact::Invokes { call, op, at, retry: 0 }));
            assert_eq!(broken, None);
        }

        fn hear(&mut self, call: CallId, outcome: Outcome) -> Option<&'static str> {
            self.see(Kind::Fact(Fact::Returns { call, outcome: Box::new(outcome) }))
        }

        /// One operation from begin to end.
        fn done(&mut self, call: CallId, op: &str, outcome: Outcome) -> Option<&'static str> {
            self.ask(call, op);
            self.hear(call, outcome)
        }
    }

    fn written(value: i64, version: u64) -> Outcome {
        Outcome::Written { value, version }
    }

    fn read(value: i64, version: u64) -> Outcome {
        Outcome::Value { value: Some(value), version }
    }

    #[test]
    fn an_acknowledged_write_that_is_lost_is_found() {
        let mut lab = Lab::new();
        assert_eq!(lab.done(id(1, 1), "put x=5", written(5, 1)), None);
        let absent = Outcome::Value { value: None, version: 0 };
        assert_eq!(lab.done(id(2, 1), "get x", absent), Some("CLIENT-1"));
    }

    #[test]
    fn operations_that_overlap_may_be_ordered_either_way() {
        let mut lab = Lab::new();
        lab.done(id(1, 1), "put x=5", written(5, 1));
        lab.ask(id(1, 2), "get x");
        lab.ask(id(2, 1), "put x=6");
        assert_eq!(lab.hear(id(2, 1), written(6, 2)), None);
        assert_eq!(lab.hear(id(1, 2), read(5, 1)), None, "it began before the write ended");
        assert_eq!(lab.done(id(1, 3), "get x", read(5, 1)), Some("CLIENT-1"));
    }

    #[test]
    fn two_writes_cannot_have_one_version() {
        let mut lab = Lab::new();
        lab.ask(id(1, 1), "put x=5");
        lab.ask(id(2, 1), "put x=6");
        assert_eq!(lab.hear(id(1, 1), written(5, 1)), None);
        assert_eq!(lab.hear(id(2, 1), written(6, 1)), Some("CLIENT-2"));
        assert_eq!(lab.done(id(1, 2), "put x=7", written(7, 1)), Some("CLIENT-1"));
    }

    #[test]
    fn an_unknown_write_may_take_effect_and_a_refused_one_may_not() {
        let mut lab = Lab::new();
        lab.done(id(1, 1), "put x=5", Outcome::Unknown);
        lab.done(id(1, 2), "put x=6", Outcome::Refused(Refusal::Unavailable));
        assert_eq!(lab.done(id(2, 1), "get x", read(5, 1)), None);
        assert_eq!(lab.done(id(2, 2), "get x", read(6, 2)), Some("CLIENT-3"));
        assert_eq!(lab.check.unknown(), 1);
    }

    #[test]
    fn a_counter_counts_every_addition_once() {
        let mut lab = Lab::new();
        lab.done(id(1, 1), "add n 1", written(1, 1));
        lab.done(id(1, 2), "add n 1", Outcome::Unknown);
        assert_eq!(lab.done(id(2, 1), "get n", read(1, 1)), None);
        assert_eq!(lab.done(id(2, 2), "get n", read(2, 2)), None);
        assert_eq!(lab.done(id(2, 3), "add n 1", written(4, 3)), Some("CLIENT-4"), "twice");
        assert_eq!(lab.done(id(2, 4), "get n", read(1, 4)), Some("CLIENT-4"), "lost");
    }

    #[test]
    fn a_run_that_was_joined_later_is_judged_by_versions_alone() {
        let mut lab = Lab::default();
        assert_eq!(lab.done(id(1, 1), "get x", read(5, 9)), None);
        assert_eq!(lab.done(id(1, 2), "add n 1", written(700, 9)), None);
        assert_eq!(lab.done(id(1, 3), "get x", read(4, 8)), Some("CLIENT-1"));
        assert_eq!(lab.done(id(1, 4), "add n 1", written(700, 10)), Some("CLIENT-4"));
        assert_eq!(lab.done(id(1, 5), "add n 1", written(900, 11)), None, "others add too");
    }
}
