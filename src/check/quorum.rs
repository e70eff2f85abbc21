//! Keys that are kept by quorums: quorums are what they say, and nothing is lost that they took.
//!
//! | rule | holds as long as |
//! |---|---|
//! | Q-1 | a write is acknowledged when `w` replicas have it, and a read answered when `r` have answered, each counted once |
//! | Q-2 | where siblings are kept and quorums meet: a read shows every write that was acknowledged before it began, or one that followed |
//! | Q-4 | as long as no disk is lost, somebody has every acknowledged write, or one that overtook it |
//! | Q-5 | a replica drops a version only for one that followed it or, if the last writer wins, was written later by its stamp, and never for one that its writer had seen |
//! | Q-7 | a hint ends as delivered only when whom it was for has the write |
//! | Q-8 | what stand-ins keep counts only if quorums are sloppy |
//! | Q-9 | where two replicas find their trees to differ, there is a key that both are to keep |
//! | Q-10 | a tombstone is dropped only when nobody has anything older |
//! | Q-11 | while keys move, the old replicas count as well as the new ones |
//!
//! Who reads what, if the last writer wins, is judged by `clients`, and whether replicas
//! become equal by `progress`. Legal is: a write that was not acknowledged and turns up
//! later; a stale read if quorums need not meet; a concurrent write that is lost to a later stamp;
//! a hint that expires, and an acknowledged write that only stand-ins had and nobody else.
//!
//! Who looks in late does not know who has what until all have said so: Q-4 rests then.

mod copies;

use super::{Check, Expect, Promise, Quorums, Violation, Witness};
use crate::base::{CallId, Conflict, Name, NodeId, Op, Outcome, Version, Versions};
use crate::event::{Event, Fact, Unhinted};
pub(super) use copies::Copies;
use std::collections::{BTreeMap, BTreeSet};

/// An acknowledged version that no other acknowledged one follows, and when it was.
type Acked = Vec<(Version, usize)>;

/// The check.
#[derive(Clone, Debug)]
pub struct Quorum {
    rules: Option<Quorums>,
    copies: Copies,
    acked: BTreeMap<Name, Acked>,
    /// What reads under way must show.
    reads: BTreeMap<CallId, (Name, Acked)>,
    /// Keys whose tombstones were dropped.
    purged: BTreeSet<Name>,
    /// Writes of which a hint expired.
    expired: BTreeSet<CallId>,
    /// Writes that lost to later ones, at which replica.
    lost: BTreeSet<(NodeId, CallId)>,
}

type Wrong = (&'static str, String, Vec<usize>);

fn wrong(rule: &'static str, what: String) -> Option<Wrong> {
    Some((rule, what, Vec::new()))
}

impl Quorum {
    /// For such a cluster.
    pub fn new(expect: &Expect) -> Quorum {
        Quorum {
            rules: expect.quorums,
            copies: Copies::default(),
            acked: BTreeMap::new(),
            reads: BTreeMap::new(),
            purged: BTreeSet::new(),
            expired: BTreeSet::new(),
            lost: BTreeSet::new(),
        }
    }

    fn hear(&mut self, at: usize, node: NodeId, fact: &Fact, rules: Quorums) -> Option<Wrong> {
        match fact {
            Fact::Acknowledges { key, dot, epoch, acks, hinted } => {
                let many = self.enough_acks(node, (key, *dot, *epoch), acks, hinted, rules);
                self.note_acked(at, key, *dot);
                many
            }
            Fact::Answers { key, call, epoch, from, .. } => {
                self.enough_answers(node, (key, *call, *epoch), from, rules)
            }
            Fact::Keeps { key, versions } => self.dropped(node, key, versions, rules),
            Fact::Loses { dot, .. } => {
                self.lost.insert((node, *dot));
                None
            }
            Fact::Unhints { target, key, dot, why: Unhinted::Delivered } => {
                self.delivered(node, *target, key, *dot)
            }
            Fact::Unhints { dot, why: Unhinted::Expired, .. } => {
                self.expired.insert(*dot);
                None
            }
            Fact::Purges { key, versions } => self.purge(node, key, versions),
            Fact::Compares { with, level, differ, .. } => {
                self.compared([node, *with], *level, differ)
            }
            Fact::Invokes { call, op, retry: 0, .. } => {
                self.begun(*call, op, rules);
                None
            }
            Fact::Returns { call, outcome } => self.ended(*call, outcome),
            _ => None,
        }
    }

    /// for a write.
    fn enough_acks(
        &self,
        node: NodeId,
        (key, dot, epoch): (&Name, CallId, u64),
        acks: &[NodeId],
        hinted: &[NodeId],
        rules: Quorums,
    ) -> Option<Wrong> {
        for (of, list) in self.copies.lists(node, key, epoch) {
            let need = usize::from(rules.w).min(list.len());
            let strict = list.iter().filter(|node| acks.contains(node)).count();
            let hints = list.iter().filter(|node| !acks.contains(node) && hinted.contains(node));
            let all = strict + hints.count();
            if strict >= need || (rules.sloppy && all >= need) {
                continue;
            }
            let what = format!(
                "{node} acknowledges {key} {dot} when {strict} of its replicas in epoch {of} have \
                 it, and w is {need}"
            );
            let rule = if all >= need { "Q-8" } else { short(of, epoch) };
            return wrong(rule, what);
        }
        None
    }

    /// for a read.
    fn enough_answers(
        &self,
        node: NodeId,
        (key, call, epoch): (&Name, CallId, u64),
        from: &[NodeId],
        rules: Quorums,
    ) -> Option<Wrong> {
        for (of, list) in self.copies.lists(node, key, epoch) {
            let need = usize::from(rules.r).min(list.len());
            let count = match rules.sloppy {
                true => from.len(),
                false => list.iter().filter(|node| from.contains(node)).count(),
            };
            if count < need {
                let what = format!(
                    "{node} answers {call} when {count} of the replicas of {key} in epoch {of} \
                     have answered, and r is {need}"
                );
                return wrong(short(of, epoch), what);
            }
        }
        None
    }

    fn note_acked(&mut self, at: usize, key: &Name, dot: CallId) {
        let having = self.copies.all(key).find(|(_, versions)| versions.has(dot));
        let version = having.and_then(|(_, of)| of.iter().find(|version| version.dot == dot));
        let Some(version) = version.cloned() else { return };
        let acked = self.acked.entry(key.clone()).or_default();
        acked.retain(|(old, _)| !version.follows(old.dot) && old.dot != dot);
        if !acked.iter().any(|(other, _)| other.follows(dot)) {
            acked.push((version, at));
        }
    }

    /// a replica keeps something else than before. The copies still say what it kept.
    fn dropped(&self, node: NodeId, key: &Name, new: &Versions, rules: Quorums) -> Option<Wrong> {
        let old = self.copies.of(key, node).filter(|_| !new.is_empty())?;
        let gone = old.iter().find(|version| !new.covers(version.dot))?;
        let why = match (rules.versions, new.newest()) {
            (Conflict::LastWriter, Some(newest)) if gone.seen.has(newest.dot) => {
                format!("{newest}, which its writer had seen")
            }
            (Conflict::LastWriter, Some(newest)) if gone.number() < newest.number() => return None,
            _ => format!("{new}, which did not follow it"),
        };
        wrong("Q-5", format!("{node} drops {gone} of {key} for {why}"))
    }

    ///
    fn delivered(&self, node: NodeId, target: NodeId, key: &Name, dot: CallId) -> Option<Wrong> {
        let number = self.copies.all(key).find_map(|(_, versions)| {
            versions.iter().find(|version| version.dot == dot).map(Version::number)
        })?;
        let has = self.copies.of(key, target).is_some_and(|versions| {
            let later = versions.newest().is_some_and(|newest| newest.number() > number);
            versions.covers(dot) || later
        });
        let gone = self.purged.contains(key)
            || self.lost.contains(&(target, dot))
            || !self.copies.replicas(key).contains(&target);
        let what = format!("{node} has {key} {dot} for {target} delivered, which does not have it");
        (!has && !gone).then_some(("Q-7", what, Vec::new()))
    }

    ///
    fn purge(&mut self, node: NodeId, key: &Name, dead: &Versions) -> Option<Wrong> {
        self.purged.insert(key.clone());
        self.acked.remove(key);
        let older = |dot: CallId| dead.covers(dot) && !dead.has(dot);
        let copies =
            self.copies.all(key).flat_map(|(who, of)| of.iter().map(move |v| (who, v.dot)));
        let (who, dot) = copies.chain(self.copies.hints(key)).find(|(_, dot)| older(*dot))?;
        let what = format!("{node} drops the tombstone of {key}, and {who} still has {dot}");
        wrong("Q-10", what)
    }

    /// A node of a level stands for the part of the circle whose positions begin with its
    /// number, two bits for each level.
    fn compared(&self, both: [NodeId; 2], level: u8, differ: &[u16]) -> Option<Wrong> {
        let bits = u32::from(level) * 2;
        if !(1..=16).contains(&bits) || !self.copies.knows(both) {
            return None;
        }
        let in_part = |part: u16| move |at: u64| at >> (64 - bits) == u64::from(part);
        let stray = differ.iter().find(|part| !self.copies.share(both, in_part(**part)))?;
        let [node, with] = both;
        let what = format!(
            "{node} finds that its tree differs from that of {with} in part {stray} of level \
             {level}, where both are to keep nothing"
        );
        wrong("Q-9", what)
    }

    fn begun(&mut self, call: CallId, op: &Op, rules: Quorums) {
        let Op::Get { key } = op else { return };
        if rules.versions == Conflict::Siblings && rules.promise != Promise::Nothing {
            let acked = self.acked.get(key).cloned().unwrap_or_default();
            self.reads.insert(call, (key.clone(), acked));
        }
    }

    ///
    fn ended(&mut self, call: CallId, outcome: &Outcome) -> Option<Wrong> {
        let (key, floor) = self.reads.remove(&call)?;
        let Outcome::Found { versions } = outcome else { return None };
        if self.copies.wiped || (versions.is_empty() && self.purged.contains(&key)) {
            return None;
        }
        let (missed, at) = floor.iter().find(|(version, _)| !versions.covers(version.dot))?;
        let what =
            format!("{call} reads {versions} of {key}, but {missed} was acknowledged before");
        Some(("Q-2", what, vec![*at]))
    }

    /// what became of the acknowledged writes of a key of which somebody has given up a copy.
    fn lost(&self, key: &Name, rules: Quorums) -> Option<Wrong> {
        if self.copies.wiped || self.purged.contains(key) {
            return None;
        }
        let kept = |version: &Version| {
            let covers = |(_, of): (NodeId, &Versions)| match rules.versions {
                Conflict::Siblings => of.covers(version.dot),
                Conflict::LastWriter => true,
            };
            self.copies.all(key).any(covers)
                || self.copies.hints(key).any(|(_, dot)| dot == version.dot)
                || self.expired.contains(&version.dot)
        };
        let (gone, at) = self.acked.get(key)?.iter().find(|(version, _)| !kept(version))?;
        Some(("Q-4", format!("nobody has {gone} of {key}, which was acknowledged"), vec![*at]))
    }
}

/// Too few of the newest ring, or of an older one that counts as well.
fn short(of: u64, epoch: u64) -> &'static str {
    if of < epoch { "Q-11" } else { "Q-1" }
}

impl Check for Quorum {
    fn name(&self) -> &'static str {
        "quorum"
    }

    fn about(&self) -> &'static str {
        "Quorums of a key are what they say, and what they took is not lost, dropped or revived."
    }

    fn judges(&self, event: &Event) -> bool {
        let judged = |fact| matches!(fact, &Fact::Acknowledges { .. } | &Fact::Answers { .. });
        self.rules.is_some() && event.fact().is_some_and(judged)
    }

    fn gap(&mut self, node: NodeId) {
        self.copies.forget(node);
        self.reads.clear();
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let rules = self.rules?;
        let fact = event.fact();
        let found = fact.and_then(|fact| self.hear(at, event.node, fact, rules));
        let given_up = match fact {
            Some(Fact::Keeps { key, .. }) => self.copies.of(key, event.node).map(|_| key),
            Some(Fact::Unhints { key, .. }) => Some(key),
            _ => None,
        };
        self.copies.see(event);
        let found = found.or_else(|| {
            let key = given_up.filter(|_| witness.is_whole())?;
            self.lost(key, rules)
        });
        let (rule, what, because) = found?;
        Some(Violation { check: "quorum", rule, what, at, because })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Member, Ring, Shape, Time};
    use crate::event::Kind;
    use std::sync::Arc;

    fn n(number: u16) -> NodeId {
        NodeId::node(number)
    }

    fn dot(seq: u64) -> CallId {
        CallId { client: NodeId::client(seq as u16), seq }
    }

    fn x() -> Name {
        "x".parse().unwrap()
    }

    /// A version that follows those: a tombstone, if it is number 9.
    fn version(seq: u64, those: &Versions) -> Versions {
        let value = (seq != 9).then_some(seq as i64);
        Version { dot: dot(seq), seen: those.seen(), stamp: seq, value }.into()
    }

    fn keeps(versions: &Versions) -> Fact {
        Fact::Keeps { key: x(), versions: versions.clone() }
    }

    fn acks(seq: u64, acks: &[u16], hinted: &[u16]) -> Fact {
        let ids = |ids: &[u16]| ids.iter().map(|id| n(*id)).collect();
        let (acks, hinted) = (ids(acks), ids(hinted));
        Fact::Acknowledges { key: x(), dot: dot(seq), epoch: 1, acks, hinted }
    }

    /// The rules that a list of facts breaks in a cluster of three, two of them for a quorum.
    fn broken(versions: Conflict, sloppy: bool, facts: &[(u16, Fact)]) -> Vec<&'static str> {
        let promise = Promise::Regular;
        let quorums = Quorums { r: 2, w: 2, versions, sloppy, promise, converge: true };
        let nodes = (1..=3).map(n).collect();
        let expect = Expect { quorums: Some(quorums), ..Expect::of(nodes) };
        let mut check = Quorum::new(&expect);
        let members: Arc<[Member]> = (1..=3).map(|i| Member { node: n(i), weight: 1 }).collect();
        let shape = Shape { vnodes: 4, replicas: 3, seed: 7 };
        assert_eq!(Ring::new(&members, shape).preference(0).len(), 3);
        let view = [(1, Fact::View { epoch: 1, members, shape })];
        let all = view.iter().chain(facts).enumerate();
        let mut see = |(at, (node, fact)): (usize, &(u16, Fact))| {
            let event = Event { at: Time::ZERO, node: n(*node), kind: Kind::Fact(fact.clone()) };
            check.see(at, &event, &Witness::of_nobody()).map(|violation| violation.rule)
        };
        all.filter_map(&mut see).collect()
    }

    fn siblings(facts: &[(u16, Fact)]) -> Vec<&'static str> {
        broken(Conflict::Siblings, false, facts)
    }

    #[test]
    fn what_is_legal_is_not_reported() {
        let one = version(1, &Versions::default());
        let two = version(2, &one);
        let other = version(3, &Versions::default());
        let both = one.merged(&other, Conflict::Siblings);
        let legal = [
            (1, keeps(&one)),
            (2, keeps(&one)),
            (3, acks(1, &[1, 2], &[3])),
            (2, keeps(&both)),
            (1, keeps(&two)),
        ];
        assert_eq!(siblings(&legal), [""; 0]);
        let lost = [(1, keeps(&one)), (1, keeps(&other))];
        assert_eq!(broken(Conflict::LastWriter, false, &lost), [""; 0], "lost, but later");
        let hinted = [(1, keeps(&one)), (3, acks(1, &[1], &[2]))];
        assert_eq!(broken(Conflict::Siblings, true, &hinted), [""; 0], "sloppily");
    }

    #[test]
    fn every_rule_is_caught() {
        let one = version(1, &Versions::default());
        let two = version(2, &one);
        let other = version(3, &Versions::default());
        let dead = version(9, &one);
        assert_eq!(siblings(&[(1, keeps(&one)), (3, acks(1, &[1], &[]))]), ["Q-1"]);
        assert_eq!(siblings(&[(1, keeps(&one)), (3, acks(1, &[1], &[2]))]), ["Q-8"]);
        assert_eq!(siblings(&[(1, keeps(&one)), (1, keeps(&other))]), ["Q-5"]);
        let seen = [(1, keeps(&version(1, &other))), (1, keeps(&other))];
        assert_eq!(broken(Conflict::LastWriter, false, &seen), ["Q-5"]);
        let early = Fact::Purges { key: x(), versions: dead.clone() };
        assert_eq!(siblings(&[(1, keeps(&dead)), (2, keeps(&one)), (1, early)]), ["Q-10"]);
        let gone = Fact::Unhints { target: n(2), key: x(), dot: dot(2), why: Unhinted::Delivered };
        assert_eq!(siblings(&[(1, keeps(&two)), (2, keeps(&one)), (3, gone)]), ["Q-7"]);
        let nothing = keeps(&Versions::default());
        let lost = [(1, keeps(&one)), (2, acks(1, &[1, 2], &[])), (1, nothing)];
        assert_eq!(siblings(&lost), ["Q-4"]);
        let differ = [17].into();
        let nowhere = Fact::Compares { with: n(2), level: 4, nodes: 4, differ };
        let all_told = [(1, Fact::Restated), (2, Fact::Restated), (1, nowhere)];
        assert_eq!(siblings(&all_told), ["Q-9"]);
        let get = Arc::new(Op::Get { key: x() });
        let asks = Fact::Invokes { call: dot(7), op: get, at: n(1), retry: 0 };
        let outcome = Box::new(Outcome::Found { versions: other });
        let hears = Fact::Returns { call: dot(7), outcome };
        let stale = [(1, keeps(&one)), (3, acks(1, &[1, 2], &[])), (1, asks), (1, hears)];
        assert_eq!(siblings(&stale), ["Q-2"]);
    }
}
