//! Atomic commitment: all of a transaction or nothing of it, everywhere.
//!
//! | rule | holds as long as |
//! |---|---|
//! | AC-1 | all participants that carry an outcome out carry out the same one |
//! | AC-2 | no decision is reversed |
//! | AC-3 | commit is decided only if every participant voted yes |
//! | AC-6 | commit is carried out only after the coordinator decided it |
//! | 3PC-1 | in three-phase commit, all who are up know that all voted yes before anybody commits |
//! | AC-7 | what was decided for one transaction is carried out on no other that has the key |
//! | LOCKHOLD | a key that a yes-vote locked is in no other yes-vote before the outcome was carried out |
//!
//! From Bernstein, Hadzilacos and Goodman 1987, chapter 7. That everybody decides in the end
//! (AC-5) is a matter of progress: a participant in doubt may have to wait as long as its
//! coordinator is away, which is what blocking means and no violation.
//!
//! A range may change its owner while a transaction is in doubt. The new owner repeats the vote
//! and carries the outcome out in the old one's place, so a vote is a statement about keys, and a
//! participant is whoever speaks for them.
//!
//! What a node says waits for its disk, so a crash may keep that an outcome was carried out and
//! swallow that it was said. Who starts again says which votes it still holds; of the others it may
//! have given up those that had an outcome: a decision, a coordinator that has started again and
//! knows of none, or a participant that said no.
//!
//! A newcomer judges AC-3 and AC-6 of transactions that it saw from their begin, and LOCKHOLD
//! between these. What an owner restates may be out of date, if it was deposed and could not be
//! told, so it binds nobody.

use super::{Check, Violation, Witness};
use crate::base::{Commitment, Name, NodeId, Op, TxnId};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many transactions that are over are remembered, to notice late contradictions.
const REMEMBERED: usize = 4_096;

/// What is known of one transaction. Numbers are indices of events.
#[derive(Clone, Debug, Default)]
struct Txn {
    participants: Option<(Arc<[NodeId]>, usize)>,
    /// Where it was seen to begin.
    begun: Option<usize>,
    op: Option<Arc<Op>>,
    how: Commitment,
    /// Where it is known that all have voted yes (three-phase commit).
    ready: BTreeSet<Name>,
    votes: BTreeMap<Name, Vote>,
    decided: Option<(bool, usize)>,
    /// Whether its coordinator has started again before it was heard to decide.
    orphan: bool,
    carried_out: BTreeMap<NodeId, (bool, usize)>,
    /// Keys for which the outcome was carried out: a vote about them is an old one, repeated.
    settled: BTreeSet<Name>,
    over: bool,
}

/// What was voted for one key. A yes stands: what comes after it is late.
#[derive(Clone, Copy, Debug)]
struct Vote {
    yes: bool,
    node: NodeId,
    at: usize,
    /// Who gave it has crashed since.
    lost: bool,
}

/// A key that a yes-vote locks.
#[derive(Clone, Copy, Debug)]
struct Lock {
    txn: TxnId,
    at: usize,
    /// Who voted has started again, and has not said since that it holds the lock.
    lost: bool,
}

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Atomic {
    txns: BTreeMap<TxnId, Txn>,
    over: VecDeque<TxnId>,
    locks: BTreeMap<Name, Lock>,
}

/// What a rule says is wrong: the rule, the sentence, the earlier events.
type Wrong = (&'static str, String, Vec<usize>);

/// Whether somebody may have been told how a transaction ends: it was decided, its coordinator has
/// started again and knows of none, or a participant has not voted for it and never will.
fn has_outcome(txns: &BTreeMap<TxnId, Txn>, txn: TxnId) -> bool {
    let known =
        |txn: &Txn| txn.decided.is_some() || txn.orphan || txn.votes.values().any(|vote| !vote.yes);
    txns.get(&txn).is_some_and(known)
}

fn word(commit: bool) -> &'static str {
    if commit { "commit" } else { "abort" }
}

impl Txn {
    /// 3PC-1: who is up and does not know that all have voted yes, although it commits.
    fn waits(&self, txn: TxnId, what: &str) -> Option<Wrong> {
        let behind = |(key, vote): &(&Name, &Vote)| {
            vote.yes && !vote.lost && !self.ready.contains(*key) && !self.settled.contains(*key)
        };
        let three = self.how == Commitment::ThreePhase;
        let (key, vote) = self.votes.iter().find(behind).filter(|_| three)?;
        let what = format!(
            "commit of {txn} is {what}, and {} does not know for {key} that all voted yes",
            vote.node
        );
        Some(("3PC-1", what, vec![vote.at]))
    }
}

impl Atomic {
    /// For any cluster.
    pub fn new() -> Atomic {
        Atomic::default()
    }

    fn begins(
        &mut self,
        at: usize,
        txn: TxnId,
        op: &Arc<Op>,
        (participants, how): (&Arc<[NodeId]>, Commitment),
        fresh: bool,
    ) -> Option<Wrong> {
        if !self.txns.contains_key(&txn) {
            self.make_room();
        }
        let known = self.txns.entry(txn).or_default();
        (known.op, known.how) = (Some(op.clone()), how);
        match &known.participants {
            Some((before, index)) if before != participants => {
                let what = format!("{txn} begins a second time, with other participants");
                Some(("AC-2", what, vec![*index]))
            }
            Some(_) => None,
            None => {
                known.participants = Some((participants.clone(), at));
                known.begun = Some(at).filter(|_| fresh);
                None
            }
        }
    }

    fn votes(
        &mut self,
        at: usize,
        node: NodeId,
        txn: TxnId,
        yes: bool,
        keys: &Arc<[Name]>,
        witness: &Witness,
    ) -> Option<Wrong> {
        let known = self.txns.entry(txn).or_default();
        for key in keys.iter() {
            let vote =
                known.votes.entry(key.clone()).or_insert(Vote { yes, node, at, lost: false });
            if yes && !vote.yes {
                *vote = Vote { yes, node, at, lost: false };
            }
        }
        // The outcome may have been carried out before anybody looked, and this vote be said again.
        let sure = witness.is_whole() || known.begun.is_some_and(|begun| witness.saw(begun));
        if !yes || !sure || witness.restates(node) {
            return None;
        }
        let settled = known.settled.clone();
        let mut wrong = None;
        for key in keys.iter().filter(|key| !settled.contains(*key)) {
            match self.locks.get_mut(key) {
                Some(lock) if lock.txn == txn => lock.lost = false,
                Some(Lock { txn: holder, at: since, lost })
                    if witness.saw(*since) && !(*lost && has_outcome(&self.txns, *holder)) =>
                {
                    let what = format!(
                        "{node} votes yes to {txn} on {key}, which {holder} has locked and not \
                         given up"
                    );
                    wrong = Some(("LOCKHOLD", what, vec![*since]));
                }
                // Free, or nobody was there to see whether it was given up.
                _ => drop(self.locks.insert(key.clone(), Lock { txn, at, lost: false })),
            }
        }
        wrong
    }

    fn decides(&mut self, at: usize, txn: TxnId, commit: bool, witness: &Witness) -> Option<Wrong> {
        let known = self.txns.entry(txn).or_default();
        if let Some((before, index)) = known.decided {
            let what = format!("{txn} was decided {} and is now {}", word(before), word(commit));
            return (before != commit).then(|| ("AC-2", what, vec![index]));
        }
        known.decided = Some((commit, at));
        let begun = known.begun.filter(|begun| commit && witness.saw(*begun))?;
        let legs = known.op.as_deref().map(Op::legs).unwrap_or_default();
        let voted_no = |key: &Name| !known.votes.get(key).is_some_and(|vote| vote.yes);
        let missing = legs.into_iter().map(|leg| leg.key).find(voted_no);
        let Some(missing) = missing else { return known.waits(txn, "decided") };
        let (what, because) = match known.votes.get(&missing) {
            Some(vote) => (format!("{} voted no for {missing}", vote.node), vec![begun, vote.at]),
            None => (format!("nobody voted for {missing}"), vec![begun]),
        };
        Some(("AC-3", format!("{txn} is committed although {what}"), because))
    }

    /// AC-7: an outcome that a transaction cannot have, and another has whose key that is, too.
    /// That one aborts may be known to others than those who say so.
    fn strays(&self, txn: TxnId, commit: bool, keys: &[&Name], witness: &Witness) -> Option<Wrong> {
        let known = self.txns.get(&txn)?;
        known.begun.filter(|begun| witness.saw(*begun))?;
        let own = match known.decided {
            Some((decided, _)) => decided == commit,
            None => !commit,
        };
        let meant = |key: &Name, other: &Txn| {
            let legs = other.op.as_deref().map(Op::legs).unwrap_or_default();
            legs.iter().any(|leg| leg.key == *key) && !other.settled.contains(key)
        };
        let mut others =
            self.txns.iter().filter(|(id, _)| !own && **id != txn).filter_map(|(id, other)| {
                let (_, at) = other.decided.filter(|(decided, _)| *decided == commit)?;
                let key = keys.iter().find(|key| meant(key, other))?;
                Some((id, key, at))
            });
        let (other, key, at) = others.next()?;
        let word = word(commit);
        let what = format!("{word} is carried out on {txn} at {key}, and was decided for {other}");
        Some(("AC-7", what, vec![at]))
    }

    fn carries_out(
        &mut self,
        at: usize,
        node: NodeId,
        fact: &Fact,
        witness: &Witness,
    ) -> Option<Wrong> {
        let Fact::Resolves { txn, commit, changes } = fact else { return None };
        if witness.restates(node) && !self.txns.contains_key(txn) {
            self.txns.insert(*txn, Txn { over: true, ..Txn::default() });
            self.over.push_back(*txn);
            self.make_room();
        }
        let keys: Vec<&Name> = changes.iter().map(|change| &change.key).collect();
        let stray = self.strays(*txn, *commit, &keys, witness);
        let known = self.txns.entry(*txn).or_default();
        let contradiction = known.carried_out.iter().find(|(_, (other, _))| other != commit).map(
            |(other, before)| {
                let what = format!(
                    "{node} carries out {} of {txn}, {other} {}",
                    word(*commit),
                    word(before.0)
                );
                ("AC-1", what, vec![before.1])
            },
        );
        let undecided = match known.decided {
            Some((true, _)) => None,
            _ if !commit => None,
            Some((false, index)) => Some(vec![index]),
            // Of one that is long over, or was not seen to begin, nobody remembers the decision.
            None => known.begun.filter(|begun| witness.saw(*begun)).map(|begun| vec![begun]),
        };
        let undecided = undecided.map(|because| {
            let what = format!("{node} carries out commit of {txn}, which was not decided");
            ("AC-6", what, because)
        });
        known.carried_out.insert(node, (*commit, at));
        for key in changes.iter().map(|change| &change.key) {
            known.settled.insert(key.clone());
            if self.locks.get(key).is_some_and(|lock| lock.txn == *txn) {
                self.locks.remove(key);
            }
        }
        let legs = known.op.as_deref().map(Op::legs).unwrap_or_default();
        let waits = known.waits(*txn, "carried out").filter(|_| *commit);
        let whole = !legs.is_empty() && legs.iter().all(|leg| known.settled.contains(&leg.key));
        if whole {
            self.ends(*txn);
        }
        stray.or(contradiction).or(undecided).or(waits)
    }

    fn ends(&mut self, txn: TxnId) -> Option<Wrong> {
        if let Some(known) = self.txns.get_mut(&txn)
            && !std::mem::replace(&mut known.over, true)
        {
            self.over.push_back(txn);
        }
        None
    }

    /// A process crashes: it has no part any more in how a transaction goes on.
    fn crashes(&mut self, node: NodeId) {
        let votes = self.txns.values_mut().flat_map(|txn| txn.votes.values_mut());
        votes.filter(|vote| vote.node == node).for_each(|vote| vote.lost = true);
    }

    /// A process is about to say what it still holds.
    fn starts(&mut self, node: NodeId) {
        for (_, txn) in self.txns.iter_mut().filter(|(id, _)| id.coordinator == node) {
            txn.orphan |= txn.decided.is_none();
        }
        for (key, lock) in &mut self.locks {
            let txn = self.txns.get(&lock.txn);
            let vote = txn.and_then(|txn| txn.votes.get(key));
            lock.lost |= vote.is_some_and(|vote| vote.node == node);
        }
    }

    /// Forgets those that have been over for the longest.
    fn make_room(&mut self) {
        while self.over.len() > REMEMBERED
            && let Some(oldest) = self.over.pop_front()
        {
            self.txns.remove(&oldest);
        }
    }
}

impl Check for Atomic {
    fn name(&self) -> &'static str {
        "atomic"
    }

    fn about(&self) -> &'static str {
        "A transaction commits everywhere or nowhere, and only if all voted yes."
    }

    /// Any transaction may be over by now, and any key free.
    fn gap(&mut self, _: NodeId) {
        self.locks.clear();
        let open = self.txns.iter_mut().filter(|(_, txn)| !txn.over);
        self.over.extend(open.map(|(id, txn)| {
            txn.over = true;
            *id
        }));
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(
            event.fact(),
            Some(Fact::Votes { .. } | Fact::Decides { .. } | Fact::Resolves { .. })
        )
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        match event.kind {
            Kind::Started { .. } => self.starts(event.node),
            Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } => {
                self.crashes(event.node);
            }
            _ => {}
        }
        let Kind::Fact(fact) = &event.kind else { return None };
        let (node, fresh) = (event.node, !witness.restates(event.node));
        let (rule, what, because) = match fact {
            Fact::Begins { txn, op, participants, how, .. } => {
                self.begins(at, *txn, op, (participants, *how), fresh)
            }
            Fact::Precommits { txn, keys } => {
                self.txns.entry(*txn).or_default().ready.extend(keys.iter().cloned());
                None
            }
            Fact::Votes { txn, yes, keys } => self.votes(at, node, *txn, *yes, keys, witness),
            Fact::Decides { txn, commit } => self.decides(at, *txn, *commit, witness),
            Fact::Resolves { .. } => self.carries_out(at, node, fact, witness),
            Fact::Ends { txn } => self.ends(*txn),
            _ => None,
        }?;
        Some(Violation { check: "atomic", rule, what, at, because })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Time};
    use crate::event::Change;

    const TXN: TxnId = TxnId { coordinator: NodeId::node(1), number: 1 };
    const OTHER: TxnId = TxnId { coordinator: NodeId::node(2), number: 1 };

    fn names(text: &str) -> Arc<[Name]> {
        text.split_whitespace().map(|name| name.parse().expect("a name")).collect()
    }

    fn yes(node: u16, txn: TxnId, keys: &str) -> (u16, Fact) {
        (node, Fact::Votes { txn, yes: true, keys: names(keys) })
    }

    fn no(node: u16, txn: TxnId) -> (u16, Fact) {
        (node, Fact::Votes { txn, yes: false, keys: names("b") })
    }

    fn decide(txn: TxnId, commit: bool) -> (u16, Fact) {
        (txn.coordinator.number(), Fact::Decides { txn, commit })
    }

    fn carry_out(node: u16, txn: TxnId, commit: bool) -> (u16, Fact) {
        let key = if node == 3 { "b" } else { "a" }.parse().expect("a name");
        let changes = [Change { key, before: 0, after: 0 }].into();
        (node, Fact::Resolves { txn, commit, changes })
    }

    fn begin(txn: TxnId) -> (u16, Fact) {
        let op = "transfer a b 1".parse().expect("an operation");
        let participants = [NodeId::node(2), NodeId::node(3)].into();
        let (call, how) = (CallId::default(), Commitment::default());
        (1, Fact::Begins { txn, call, op: Arc::new(op), participants, how })
    }

    /// The rules that a list of facts breaks, in order.
    fn broken(facts: &[(u16, Fact)]) -> Vec<&'static str> {
        let kinds = facts.iter().map(|(node, fact)| (*node, Kind::Fact(fact.clone())));
        broken_by(&kinds.collect::<Vec<_>>())
    }

    fn broken_by(kinds: &[(u16, Kind)]) -> Vec<&'static str> {
        let mut check = Atomic::new();
        let event = |(node, kind): &(u16, Kind)| Event {
            at: Time::ZERO,
            node: NodeId::node(*node),
            kind: kind.clone(),
        };
        let witness = Witness::of_nobody();
        let see = |(at, kind)| check.see(at, &event(kind), &witness);
        kinds.iter().enumerate().filter_map(see).map(|v| v.rule).collect()
    }

    #[test]
    fn a_crash_may_swallow_that_a_decided_outcome_was_carried_out_and_no_other() {
        let start = |node| (node, Kind::Started { boot: 2, records: 0, torn: false });
        let say = |(node, fact)| (node, Kind::Fact(fact));
        let (voted, next) = ([begin(TXN), yes(2, TXN, "a")].map(say), say(yes(2, OTHER, "a")));
        let story = |between: &[(u16, Kind)]| {
            broken_by(&[&voted[..], between, std::slice::from_ref(&next)].concat())
        };
        let decided = say(decide(TXN, false));
        assert_eq!(story(&[decided.clone(), start(2)]), [""; 0]);
        assert_eq!(story(&[start(1), start(2)]), [""; 0], "who knows of none says abort");
        assert_eq!(story(&[start(2)]), ["LOCKHOLD"], "a vote evaporates");
        assert_eq!(story(&[decided.clone(), start(3)]), ["LOCKHOLD"], "it was not its vote");
        let again = say(yes(2, TXN, "a"));
        assert_eq!(story(&[decided, start(2), again]), ["LOCKHOLD"], "it holds it still");
    }

    #[test]
    fn what_is_legal_is_not_reported() {
        let commit = [begin(TXN), yes(2, TXN, "a"), yes(3, TXN, "b"), decide(TXN, true)];
        let done = [carry_out(2, TXN, true), carry_out(3, TXN, true), carry_out(2, TXN, true)];
        assert_eq!(broken(&[&commit[..], &done].concat()), [""; 0]);
        let refused = [begin(TXN), yes(2, TXN, "a"), no(3, TXN), decide(TXN, false)];
        let next = [carry_out(2, TXN, false), begin(OTHER), yes(2, OTHER, "a")];
        assert_eq!(broken(&[&refused[..], &next].concat()), [""; 0]);
        let presumed = [begin(TXN), yes(2, TXN, "a"), carry_out(2, TXN, false)];
        assert_eq!(broken(&presumed), [""; 0], "who does not know of it says abort");
    }

    #[test]
    fn a_new_owner_speaks_for_the_keys_of_the_old_one() {
        let moved = [
            begin(TXN),
            yes(2, TXN, "a"),
            yes(4, TXN, "a"),
            yes(3, TXN, "b"),
            decide(TXN, true),
            carry_out(4, TXN, true),
            yes(4, OTHER, "a"),
        ];
        assert_eq!(broken(&moved), [""; 0]);
    }

    #[test]
    fn every_rule_is_caught() {
        let split = [begin(TXN), carry_out(2, TXN, false), decide(TXN, true)];
        let one_of_each = [yes(2, TXN, "a"), yes(3, TXN, "b")];
        let facts = [&one_of_each[..], &split, &[carry_out(3, TXN, true)]].concat();
        assert_eq!(broken(&facts), ["AC-1"]);
        assert_eq!(broken(&[begin(TXN), decide(TXN, false), decide(TXN, true)]), ["AC-2"]);
        assert_eq!(
            broken(&[begin(TXN), yes(2, TXN, "a"), no(3, TXN), decide(TXN, true)]),
            ["AC-3"]
        );
        assert_eq!(broken(&[begin(TXN), yes(2, TXN, "a"), decide(TXN, true)]), ["AC-3"]);
        assert_eq!(broken(&[begin(TXN), carry_out(2, TXN, true)]), ["AC-6"]);
        assert_eq!(broken(&[yes(2, TXN, "a"), yes(2, OTHER, "a")]), ["LOCKHOLD"]);
        let mixed = [begin(TXN), begin(OTHER), yes(2, OTHER, "a"), yes(3, TXN, "b")];
        let facts = [&mixed[..], &[decide(TXN, true), carry_out(2, OTHER, true)]].concat();
        assert_eq!(broken(&facts).last(), Some(&"AC-7"), "a decision for one hits another");
    }

    #[test]
    fn with_three_phases_nobody_commits_who_is_ahead_of_others() {
        let say = |(node, fact)| (node, Kind::Fact(fact));
        let mut story = vec![begin(TXN), yes(2, TXN, "a"), yes(3, TXN, "b")];
        if let Fact::Begins { how, .. } = &mut story[0].1 {
            *how = Commitment::ThreePhase;
        }
        let story: Vec<(u16, Kind)> = story.into_iter().map(say).collect();
        let knows = |node, key| say((node, Fact::Precommits { txn: TXN, keys: names(key) }));
        let end = |between: &[(u16, Kind)]| {
            broken_by(&[&story, between, &[say(decide(TXN, true))]].concat())
        };
        assert_eq!(end(&[knows(2, "a")]), ["3PC-1"]);
        assert_eq!(end(&[knows(2, "a"), knows(3, "b")]), [""; 0]);
        let crash = (3, Kind::Killed { lost: 0 });
        assert_eq!(end(&[knows(2, "a"), crash]), [""; 0], "who is dead does not count");
    }
}
