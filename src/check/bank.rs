//! Money: transfers move it and never make or lose any.
//!
//! | rule | holds as long as |
//! |---|---|
//! | BANK-1 | a transaction changes each of its keys by what it says, and no other |
//! | BANK-2 | each change of an account begins with the balance that the last one left |
//! | BANK-3 | nothing is taken from an account that has too little, but when a saga takes back what others have used |
//!
//! The first two together keep the total: nothing is made inside a transaction, and nothing is lost
//! between two. They are read from what participants say when they carry a commit out
//! ([`Fact::Resolves`]), so a lost update, a half transaction and a change that vanished with a
//! node all show, whether or not a client ever looks.
//!
//! A newcomer judges by transactions that it saw begin, and takes the first change of each account
//! for granted. It does not know what was written by hand before.
//!
//! An account that somebody writes to by hand (`c1 put acct/1=5`) is no longer watched: such a
//! write may make money, and nothing is wrong with that.

use super::{Check, Violation, Witness};
use crate::base::{Leg, Name, NodeId, Op, TxnId};
use crate::event::{Change, Event, Fact, Kind, SagaFact};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many transactions are remembered.
const REMEMBERED: usize = 4_096;

/// How many of the last transactions of each account are known, whatever else is forgotten: a new
/// owner may state them again much later.
const LAST: usize = 16;

/// The keys that are accounts.
const ACCOUNT: &str = "acct/";

/// What one transaction did, key by key, with the event that said so.
#[derive(Clone, Debug, Default)]
struct Txn {
    changes: BTreeMap<(Name, bool), (i64, i64, usize)>,
    /// Where it was seen to begin, and what it does.
    begun: Option<usize>,
    legs: Vec<Leg>,
    committed: bool,
}

/// What is known of an account that ever changed.
#[derive(Clone, Debug)]
struct Account {
    balance: i64,
    /// The event that said so.
    at: usize,
    last: VecDeque<Step>,
}

/// A transaction, and whether it is what compensates it.
type Step = (TxnId, bool);

/// The check.
#[derive(Clone, Debug)]
pub struct Bank {
    opening: i64,
    accounts: BTreeMap<Name, Account>,
    txns: BTreeMap<TxnId, Txn>,
    order: VecDeque<TxnId>,
    by_hand: BTreeSet<Name>,
}

type Wrong = (&'static str, String, Vec<usize>);

impl Bank {
    /// For accounts that begin with `opening`.
    pub fn new(opening: i64) -> Bank {
        Bank {
            opening,
            accounts: BTreeMap::new(),
            txns: BTreeMap::new(),
            order: VecDeque::new(),
            by_hand: BTreeSet::new(),
        }
    }

    fn remember(&mut self, txn: TxnId) -> &mut Txn {
        if !self.txns.contains_key(&txn) {
            self.order.push_back(txn);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.txns.remove(&oldest);
            }
        }
        self.txns.entry(txn).or_default()
    }

    fn carried_out(
        &mut self,
        at: usize,
        step: Step,
        changes: &[Change],
        witness: &Witness,
    ) -> Option<Wrong> {
        let (mut wrong, (txn, back)) = (None, step);
        for change in changes {
            let said = (change.before, change.after, at);
            let known = self.remember(txn);
            // A new owner, or one that restarted, may carry the same change out again.
            let key = (change.key.clone(), back);
            if known.changes.get(&key).is_some_and(|k| (k.0, k.1) == (said.0, said.1)) {
                continue;
            }
            known.changes.insert(key, said);
            let found = self.balance(at, step, change, witness).or_else(|| self.sum(step, change));
            wrong = wrong.or(found);
        }
        wrong
    }

    fn balance(
        &mut self,
        at: usize,
        step: Step,
        change: &Change,
        witness: &Witness,
    ) -> Option<Wrong> {
        let (txn, back) = step;
        let Change { key, before, after } = change;
        if !key.as_str().starts_with(ACCOUNT) || self.by_hand.contains(key) {
            return None;
        }
        let begun = self.txns.get(&txn).and_then(|txn| txn.begun);
        if !witness.is_whole() && !begun.is_some_and(|begun| witness.saw(begun)) {
            // A new change, or an old one that is said again: nobody can tell.
            let again = |account: &Account| account.last.contains(&step);
            if !self.accounts.get(key).is_some_and(again) {
                self.accounts.remove(key);
            }
            return None;
        }
        let opening = if witness.is_whole() { self.opening } else { *before };
        let new = Account { balance: opening, at, last: VecDeque::new() };
        let account = self.accounts.entry(key.clone()).or_insert(new);
        if account.last.contains(&step) {
            return None;
        }
        account.last.push_back(step);
        if account.last.len() > LAST {
            account.last.pop_front();
        }
        // What happened to it while somebody was not heard of, nobody knows.
        let known = account.at == at || witness.saw(account.at);
        let (balance, index) = if known { (account.balance, account.at) } else { (*before, at) };
        (account.balance, account.at) = (*after, at);
        let because = if index == at { Vec::new() } else { vec![index] };
        if balance != *before {
            let what = format!("{txn} found {before} in {key}, where {balance} was left");
            return Some(("BANK-2", what, because));
        }
        let what = format!("{txn} leaves {after} in {key}");
        (*after < 0 && after < before && !back).then_some(("BANK-3", what, because))
    }

    /// The coordinator says that both sides have carried it out: then both have said so.
    fn ends(&self, txn: TxnId, witness: &Witness) -> Option<Wrong> {
        let Txn { changes, begun, legs, committed } = self.txns.get(&txn)?;
        let begun = (*begun).filter(|begun| *committed && witness.saw(*begun))?;
        let (done, all) = (changes.len(), legs.len());
        let what = format!("{txn} is over, and only {done} of its {all} sides changed");
        let because = changes.values().map(|(_, _, index)| *index);
        (done < all).then(|| ("BANK-1", what, [begun].into_iter().chain(because).collect()))
    }

    /// A key changes by what the transaction says.
    fn sum(&self, (txn, back): Step, change: &Change) -> Option<Wrong> {
        let Txn { legs, begun, .. } = self.txns.get(&txn)?;
        let (begun, gain) = ((*begun)?, change.after.saturating_sub(change.before));
        let meant = legs.iter().find(|leg| leg.key == change.key).map_or(0, |leg| leg.by);
        let meant = if back { meant.saturating_neg() } else { meant };
        let what = format!("{txn} adds {gain} to {} instead of {meant}", change.key);
        let changed = gain != meant && !self.by_hand.contains(&change.key);
        changed.then(|| ("BANK-1", what, vec![begun]))
    }
}

impl Check for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn about(&self) -> &'static str {
        "Transfers neither make money nor lose any."
    }

    /// Any account may have changed since.
    fn gap(&mut self, _: NodeId) {
        self.accounts.clear();
    }

    fn judges(&self, event: &Event) -> bool {
        let takes = |fact: &SagaFact| matches!(fact, SagaFact::Takes { .. });
        match event.fact() {
            Some(Fact::Resolves { commit, .. }) => *commit,
            Some(Fact::Saga(fact)) => takes(fact),
            _ => false,
        }
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let Kind::Fact(fact) = &event.kind else { return None };
        let fresh = !witness.restates(event.node);
        let (rule, what, mut because) = match fact {
            Fact::Resolves { txn, commit: true, changes } if fresh => {
                self.carried_out(at, (*txn, false), changes, witness)?
            }
            Fact::Saga(SagaFact::Takes { saga, back, key, before, after, .. }) if fresh => {
                let change = Change { key: key.clone(), before: *before, after: *after };
                self.carried_out(at, (*saga, *back), &[change], witness)?
            }
            Fact::Begins { txn, op, .. } | Fact::Saga(SagaFact::Begins { saga: txn, op, .. })
                if fresh =>
            {
                let txn = self.remember(*txn);
                (txn.begun, txn.legs) = (Some(at), op.legs());
                return None;
            }
            Fact::Decides { txn, commit: true } => {
                self.remember(*txn).committed = true;
                return None;
            }
            Fact::Ends { txn } => self.ends(*txn, witness)?,
            Fact::Invokes { op, .. } => {
                if let Op::Put { key, .. } | Op::Add { key, .. } = &**op {
                    self.by_hand.insert(key.clone());
                }
                return None;
            }
            _ => return None,
        };
        because.retain(|index| *index != at);
        Some(Violation { check: "bank", rule, what, at, because })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Commitment, NodeId, Time};
    use std::sync::Arc;

    fn change(key: &str, before: i64, after: i64) -> Change {
        Change { key: key.parse().expect("a name"), before, after }
    }

    fn begins(txn: TxnId) -> Fact {
        let op = Arc::new("transfer acct/1 acct/2 10".parse().expect("an operation"));
        let (participants, how) = ([NodeId::node(2)].into(), Commitment::default());
        Fact::Begins { txn, call: CallId::default(), op, participants, how }
    }

    /// The rules that transactions break, each given as its number and its changes.
    fn broken(bank: &mut Bank, resolved: &[(u32, &[Change])]) -> Vec<&'static str> {
        let event = |fact| Event { at: Time::ZERO, node: NodeId::node(1), kind: Kind::Fact(fact) };
        let facts = |(number, changes): &(u32, &[Change])| {
            let txn = TxnId { coordinator: NodeId::node(1), number: *number };
            [begins(txn), Fact::Resolves { txn, commit: true, changes: Arc::from(*changes) }]
        };
        let (witness, all) = (Witness::of_nobody(), resolved.iter().flat_map(facts));
        let see = |(at, fact)| bank.see(at, &event(fact), &witness);
        all.enumerate().filter_map(see).map(|v| v.rule).collect()
    }

    #[test]
    fn transfers_that_add_up_are_not_reported_even_twice() {
        let first = [change("acct/1", 100, 90)];
        let second = [change("acct/2", 100, 110)];
        let facts: [(u32, &[Change]); 4] = [(1, &first), (1, &second), (1, &first), (1, &second)];
        assert_eq!(broken(&mut Bank::new(100), &facts), [""; 0]);
    }

    #[test]
    fn every_rule_is_caught() {
        let (give, take) = ([change("acct/1", 100, 90)], [change("acct/2", 100, 111)]);
        assert_eq!(broken(&mut Bank::new(100), &[(1, &give), (1, &take)]), ["BANK-1"]);
        let lost = [change("acct/1", 100, 90)];
        assert_eq!(broken(&mut Bank::new(100), &[(1, &give), (2, &lost)]), ["BANK-2"]);
        let overdrawn = [change("acct/1", 9, -1)];
        assert_eq!(broken(&mut Bank::new(9), &[(1, &overdrawn)]), ["BANK-3"]);
    }

    #[test]
    fn half_a_transaction_is_caught_when_it_is_over() {
        let mut bank = Bank::new(100);
        let txn = TxnId { coordinator: NodeId::node(1), number: 1 };
        let mut see = |fact| {
            let event = Event { at: Time::ZERO, node: NodeId::node(1), kind: Kind::Fact(fact) };
            bank.see(0, &event, &Witness::of_nobody())
        };
        assert_eq!(see(begins(txn)), None);
        assert_eq!(see(Fact::Decides { txn, commit: true }), None);
        let changes = [change("acct/1", 100, 90)].into();
        assert_eq!(see(Fact::Resolves { txn, commit: true, changes }), None);
        assert_eq!(see(Fact::Ends { txn }).map(|violation| violation.rule), Some("BANK-1"));
    }

    #[test]
    fn an_account_that_a_person_wrote_to_is_let_go() {
        let mut bank = Bank::new(100);
        let op = Arc::new("put acct/1=5".parse().expect("an operation"));
        let at = NodeId::node(1);
        let fact = Fact::Invokes { call: CallId::default(), op, at, retry: 0 };
        let event = Event { at: Time::ZERO, node: at, kind: Kind::Fact(fact) };
        bank.see(0, &event, &Witness::of_nobody());
        assert_eq!(broken(&mut bank, &[(1, &[change("acct/1", 5, 4)])]), [""; 0]);
    }
}
