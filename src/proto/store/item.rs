//! What is kept for one key, and what each operation does to it. Pure: no messages, no time.

use super::deeds::Deeds;
use crate::base::{CallId, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, TxnId};
use crate::event::{Change, Fact};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many outcomes are remembered for each key.
const OUTCOMES: usize = 64;

/// Orders the states of one key, whoever wrote them: first by ring, then by the owner's life, then
/// by the owner's count. An owner puts its own epoch and boot on a key before it answers for it, so
/// what an earlier owner left half-copied can never win afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// The ring whose owner wrote it.
    pub epoch: u64,
    /// The boot of the owner.
    pub boot: u32,
    /// Counts the states of the key.
    pub count: u64,
}

/// A change that a transaction has planned. The key is locked as long as there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Whose it is.
    pub txn: TxnId,
    /// The client's call behind the transaction.
    pub call: CallId,
    /// What is added on commit.
    pub by: i64,
    /// The other keys of the transaction, whose owners may know the outcome.
    pub others: Arc<[Name]>,
    /// All have voted yes, as far as is known here (three-phase commit).
    pub ready: bool,
}

/// A transaction that was carried out or dropped on a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which one.
    pub txn: TxnId,
    /// How it ended.
    pub commit: bool,
    /// The value before and after.
    pub values: (i64, i64),
}

/// All that is kept for one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which of two states is the newer one.
    pub stamp: Stamp,
    /// The value, if it was ever written.
    pub value: Option<i64>,
    /// Counts the values, as `epoch << 32 | count`.
    pub version: u64,
    /// The last call of each client that concerned this key, and its answer.
    pub seen: BTreeMap<NodeId, (u64, Outcome)>,
    /// What is planned: at most one intent.
    pub intents: Vec<Intent>,
    /// The last transaction of each coordinator that is over here. Nothing older may start.
    pub over: BTreeMap<NodeId, u32>,
    /// The transactions that ended here last, all in one step. The next owner repeats them to
    /// observers, since nobody may have heard of them.
    pub ended: Vec<Ended>,
    /// How the last transactions ended that were prepared here, for participants who ask.
    pub outcomes: VecDeque<(TxnId, bool)>,
    /// What sagas did here.
    pub deeds: Deeds,
}

/// What the cluster's rules say about items.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What an absent account is worth.
    pub opening_balance: i64,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has to wait until the key is unlocked.
    Wait,
    /// It changed nothing; this is the answer.
    Read(Outcome),
    /// It changed the item; this is the answer once all replicas have it.
    Wrote(Outcome),
}

/// Whether a key is an account, which has an opening balance and never less than nothing.
pub fn is_account(key: &Name) -> bool {
    key.as_str().starts_with("acct/")
}

impl Item {
    /// The number that sums are made with: an absent account has its opening balance.
    pub fn balance(&self, key: &Name, rules: Rules) -> i64 {
        let absent = if is_account(key) { rules.opening_balance } else { 0 };
        self.value.unwrap_or(absent)
    }

    /// Carries out `op` of `call` at an owner in `epoch`. `late` says that it has waited for long
    /// enough and must be answered if it can be.
    pub fn carry_out(
        &mut self,
        (epoch, call, op): (u64, CallId, &Op),
        late: bool,
        rules: Rules,
    ) -> Step {
        match op {
            Op::Get { .. } => self.get(late, rules),
            Op::Put { key, value } => self.write((epoch, call), key, late, rules, |_| *value),
            Op::Add { key, by } => {
                self.write((epoch, call), key, late, rules, |old| old.saturating_add(*by))
            }
            Op::Intend { txn, call, key, by, others } => {
                let others = Arc::clone(others);
                let intent = Intent { txn: *txn, call: *call, by: *by, others, ready: false };
                self.intend(intent, key, rules)
            }
            Op::Settle { txn, call, key, commit } => {
                self.settle((epoch, *txn), *call, key, *commit, rules)
            }
            Op::Consult { txn, call, .. } => self.consult(*txn, *call, rules),
            Op::Precommit { txn, call, .. } => self.precommit(*txn, *call),
            Op::Saga(asked) => self.saga(epoch, asked, rules),
            _ => Step::Read(Outcome::Refused(Refusal::NoService)),
        }
    }

    fn locked(&self, rules: Rules) -> bool {
        let intent = !self.intents.is_empty() && !rules.mutations.has(Mutation::TxnEarlyRelease);
        intent || self.deeds.lock().is_some() && !rules.mutations.has(Mutation::SagaNoLock)
    }

    fn get(&self, late: bool, rules: Rules) -> Step {
        match (self.locked(rules), late) {
            (true, false) => Step::Wait,
            (true, true) => Step::Read(Outcome::Refused(Refusal::Locked)),
            (false, _) => Step::Read(Outcome::Value { value: self.value, version: self.version }),
        }
    }

    /// What is known about a call that may have been here before.
    pub(super) fn remembered(&self, call: CallId) -> Option<Outcome> {
        let (seq, outcome) = self.seen.get(&call.client)?;
        match seq.cmp(&call.seq) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(outcome.clone()),
            // Its answer was forgotten for a later call's.
            std::cmp::Ordering::Greater => Some(Outcome::Unknown),
        }
    }

    pub(super) fn remember(&mut self, call: CallId, outcome: Outcome) {
        let last = self.seen.entry(call.client).or_insert((0, Outcome::Unknown));
        if last.0 <= call.seq {
            *last = (call.seq, outcome);
        }
    }

    pub(super) fn set(&mut self, epoch: u64, value: i64) {
        self.value = Some(value);
        self.version = self.version.max(epoch << 32).saturating_add(1);
    }

    fn write(
        &mut self,
        (epoch, call): (u64, CallId),
        key: &Name,
        late: bool,
        rules: Rules,
        change: impl FnOnce(i64) -> i64,
    ) -> Step {
        if let Some(outcome) = self.remembered(call) {
            return Step::Read(outcome);
        }
        let value = change(self.balance(key, rules));
        let outcome = match (self.locked(rules), late) {
            (true, false) => return Step::Wait,
            (true, true) => Outcome::Refused(Refusal::Locked),
            (false, _) if value < 0 && is_account(key) => Outcome::Refused(Refusal::Funds),
            (false, _) => {
                self.set(epoch, value);
                Outcome::Written { value, version: self.version }
            }
        };
        // A refusal is remembered too: it says that the call has no effect later either.
        self.remember(call, outcome.clone());
        Step::Wrote(outcome)
    }

    fn over(&self, txn: TxnId) -> bool {
        self.over.get(&txn.coordinator).is_some_and(|last| *last >= txn.number)
    }

    fn note_over(&mut self, txn: TxnId) {
        let last = self.over.entry(txn.coordinator).or_default();
        *last = txn.number.max(*last);
    }

    /// Locks the key for a transaction. Answers `Done` for yes, the call's own outcome if another
    /// transaction for the same call has ended here, and a refusal otherwise.
    fn intend(&mut self, intent: Intent, key: &Name, rules: Rules) -> Step {
        let Intent { txn, call, by, .. } = intent;
        if self.intents.iter().any(|held| held.txn == txn) {
            return Step::Read(Outcome::Done);
        }
        if self.over(txn) {
            return Step::Read(Outcome::Refused(Refusal::NotPrepared));
        }
        if let Some(outcome) = self.remembered(call) {
            return Step::Read(outcome);
        }
        if self.intents.iter().any(|held| held.call == call) {
            return Step::Wait;
        }
        let short = is_account(key) && self.balance(key, rules).saturating_add(by) < 0;
        let refusal = match (self.locked(rules), short) {
            (true, _) => Refusal::Locked,
            (_, true) => Refusal::Funds,
            _ => {
                self.intents.push(intent);
                return Step::Wrote(Outcome::Done);
            }
        };
        self.note_over(txn);
        self.remember(call, Outcome::Aborted { txn });
        Step::Wrote(Outcome::Refused(refusal))
    }

    /// Ends a transaction here. Answers what became of the call, or `Done` if that was forgotten.
    fn settle(
        &mut self,
        (epoch, txn): (u64, TxnId),
        call: CallId,
        key: &Name,
        commit: bool,
        rules: Rules,
    ) -> Step {
        let ended = |txn| match commit {
            true => Outcome::Committed { txn },
            false => Outcome::Aborted { txn },
        };
        let any = rules.mutations.has(Mutation::TxnAnyDecision);
        let bound = self.intents.iter().any(|held| held.txn == txn);
        if !commit && bound && rules.mutations.has(Mutation::TxnIgnoreAbort) {
            return Step::Read(Outcome::Unknown);
        }
        if let Some(at) = self.intents.iter().position(|held| any || held.txn == txn) {
            let Intent { txn, by, call, .. } = self.intents.remove(at);
            let before = self.balance(key, rules);
            let mut after = before;
            if commit {
                after = before.saturating_add(by);
                self.set(epoch, after);
            }
            self.ended.push(Ended { txn, commit, values: (before, after) });
            self.outcomes.push_back((txn, commit));
            if self.outcomes.len() > OUTCOMES {
                self.outcomes.pop_front();
            }
            self.note_over(txn);
            self.remember(call, ended(txn));
            return Step::Wrote(ended(txn));
        }
        if let Some(known) = self.remembered(call) {
            // Over, but what became of the call was forgotten.
            let known = if known == Outcome::Unknown { Outcome::Done } else { known };
            if self.over(txn) {
                return Step::Read(known);
            }
            self.note_over(txn);
            return Step::Wrote(known);
        }
        if self.intents.iter().any(|held| held.call == call) {
            // Another attempt at the same call is in doubt: nobody can say yet how it ends.
            return Step::Wait;
        }
        self.note_over(txn);
        self.remember(call, ended(txn));
        Step::Wrote(ended(txn))
    }
}

impl Item {
    /// How a transaction of `call` stands here. Of one that is not prepared, the answer binds: it
    /// never will be. `Unknown` says that it is over, and that its outcome was forgotten.
    fn consult(&mut self, txn: TxnId, call: CallId, rules: Rules) -> Step {
        if let Some(intent) = self.intents.iter().find(|intent| intent.txn == txn) {
            let Intent { call, others, ready, .. } = intent.clone();
            return Step::Read(Outcome::Prepared { call, others, ready });
        }
        if let Some((_, commit)) = self.outcomes.iter().find(|(of, _)| *of == txn) {
            return Step::Read(match commit {
                true => Outcome::Committed { txn },
                false => Outcome::Aborted { txn },
            });
        }
        match self.remembered(call) {
            Some(known @ (Outcome::Committed { txn: of } | Outcome::Aborted { txn: of }))
                if of == txn =>
            {
                Step::Read(known)
            }
            Some(Outcome::Unknown) if !self.reaches_back(txn) => Step::Read(Outcome::Unknown),
            _ if self.over(txn) || rules.mutations.has(Mutation::TxnAnswerUnvoted) => {
                Step::Read(Outcome::Refused(Refusal::NotPrepared))
            }
            _ => {
                self.note_over(txn);
                Step::Wrote(Outcome::Refused(Refusal::NotPrepared))
            }
        }
    }
}

impl Item {
    /// Whether it would know of a transaction that has ended here. Those of one coordinator are
    /// prepared on a key one after the other, in the order of their numbers.
    fn reaches_back(&self, txn: TxnId) -> bool {
        let before =
            |(of, _): &(TxnId, bool)| of.coordinator == txn.coordinator && of.number < txn.number;
        self.outcomes.len() < OUTCOMES || self.outcomes.iter().any(before)
    }

    /// All have voted yes. Answers `Done`, or how the transaction ended here.
    fn precommit(&mut self, txn: TxnId, call: CallId) -> Step {
        match self.intents.iter_mut().find(|intent| intent.txn == txn) {
            Some(Intent { ready: true, .. }) => Step::Read(Outcome::Done),
            Some(intent) => {
                intent.ready = true;
                Step::Wrote(Outcome::Done)
            }
            None => Step::Read(self.remembered(call).unwrap_or(Outcome::Unknown)),
        }
    }
}

/// The facts that transactions have ended on a key.
pub(super) fn resolves(key: &Name, all: &[Ended]) -> impl Iterator<Item = Fact> {
    all.iter().map(|ended| {
        let Ended { txn, commit, values: (before, after) } = *ended;
        let changes = [Change { key: key.clone(), before, after }].into();
        Fact::Resolves { txn, commit, changes }
    })
}

/// The votes that an item's intents stand for.
pub(super) fn votes(key: &Name, item: &Item) -> impl Iterator<Item = Fact> {
    let keys: Arc<[Name]> = [key.clone()].into();
    item.intents.iter().flat_map(move |Intent { txn, ready, .. }| {
        let vote = Fact::Votes { txn: *txn, yes: true, keys: Arc::clone(&keys) };
        let ready = ready.then(|| Fact::Precommits { txn: *txn, keys: Arc::clone(&keys) });
        [vote].into_iter().chain(ready)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { opening_balance: 100, mutations: Mutations::NONE };

    fn call(seq: u64) -> CallId {
        CallId { client: NodeId::client(1), seq }
    }

    fn txn(number: u32) -> TxnId {
        TxnId { coordinator: NodeId::node(1), number }
    }

    fn key() -> Name {
        "acct/1".parse().unwrap()
    }

    fn step(item: &mut Item, seq: u64, op: Op) -> Step {
        item.carry_out((2, call(seq), &op), false, RULES)
    }

    fn intend(number: u32, seq: u64, by: i64) -> Op {
        Op::Intend { txn: txn(number), call: call(seq), key: key(), by, others: Arc::default() }
    }

    fn settle(number: u32, seq: u64, commit: bool) -> Op {
        Op::Settle { txn: txn(number), call: call(seq), key: key(), commit }
    }

    #[test]
    fn a_call_takes_effect_once() {
        let mut item = Item::default();
        let add = Op::Add { key: key(), by: -30 };
        let written = Outcome::Written { value: 70, version: 2 << 32 | 1 };
        assert_eq!(step(&mut item, 5, add.clone()), Step::Wrote(written.clone()));
        assert_eq!(step(&mut item, 5, add.clone()), Step::Read(written));
        assert_eq!(step(&mut item, 4, add.clone()), Step::Read(Outcome::Unknown));
        let short = Outcome::Refused(Refusal::Funds);
        let much = Op::Add { key: key(), by: -71 };
        assert_eq!(step(&mut item, 6, much.clone()), Step::Wrote(short.clone()));
        step(&mut item, 7, Op::Put { key: key(), value: 500 });
        assert_eq!(step(&mut item, 6, much), Step::Read(Outcome::Unknown));
        assert_eq!(item.value, Some(500));
    }

    #[test]
    fn an_intent_locks_the_key_until_the_decision() {
        let mut item = Item::default();
        assert_eq!(step(&mut item, 1, intend(1, 1, -30)), Step::Wrote(Outcome::Done));
        assert_eq!(step(&mut item, 1, intend(1, 1, -30)), Step::Read(Outcome::Done));
        assert_eq!(step(&mut item, 2, Op::Get { key: key() }), Step::Wait);
        let get = Op::Get { key: key() };
        let late = item.carry_out((2, call(2), &get), true, RULES);
        assert_eq!(late, Step::Read(Outcome::Refused(Refusal::Locked)));
        let other = Op::Intend {
            txn: txn(2),
            call: CallId { client: NodeId::client(2), seq: 1 },
            key: key(),
            by: 1,
            others: Arc::default(),
        };
        assert_eq!(step(&mut item, 9, other), Step::Wrote(Outcome::Refused(Refusal::Locked)));
        let committed = Outcome::Committed { txn: txn(1) };
        assert_eq!(step(&mut item, 1, settle(1, 1, true)), Step::Wrote(committed.clone()));
        assert_eq!(item.value, Some(70));
        assert_eq!(step(&mut item, 1, settle(1, 1, true)), Step::Read(committed.clone()));
        let over = Step::Read(Outcome::Refused(Refusal::NotPrepared));
        assert_eq!(step(&mut item, 1, intend(1, 1, -30)), over);
        assert_eq!(step(&mut item, 1, intend(3, 1, -30)), Step::Read(committed), "a second try");
        assert_eq!(item.value, Some(70));
    }

    #[test]
    fn a_transaction_that_is_over_never_starts() {
        let mut item = Item::default();
        let aborted = Outcome::Aborted { txn: txn(4) };
        assert_eq!(step(&mut item, 1, settle(4, 1, false)), Step::Wrote(aborted.clone()));
        let over = Step::Read(Outcome::Refused(Refusal::NotPrepared));
        assert_eq!(step(&mut item, 1, intend(4, 1, 5)), over);
        assert_eq!(step(&mut item, 1, intend(5, 1, 5)), Step::Read(aborted), "same call");
        assert!(item.intents.is_empty());
    }

    #[test]
    fn whoever_says_that_it_has_not_voted_never_votes_yes() {
        let mut item = Item::default();
        let consult = |number, seq| Op::Consult { txn: txn(number), call: call(seq), key: key() };
        let never = Outcome::Refused(Refusal::NotPrepared);
        assert_eq!(step(&mut item, 9, consult(1, 1)), Step::Wrote(never.clone()));
        let late = step(&mut item, 1, intend(1, 1, -30));
        assert_eq!(late, Step::Read(never.clone()));
        step(&mut item, 2, intend(2, 2, -30));
        let prepared = Outcome::Prepared { call: call(2), others: Arc::default(), ready: false };
        assert_eq!(step(&mut item, 9, consult(2, 2)), Step::Read(prepared));
        step(&mut item, 2, settle(2, 2, true));
        let known = Outcome::Committed { txn: txn(2) };
        assert_eq!(step(&mut item, 9, consult(2, 2)), Step::Read(known));
        assert_eq!(step(&mut item, 9, consult(1, 1)), Step::Read(never.clone()), "it was not here");
        assert_eq!(step(&mut item, 9, consult(1, 3)), Step::Read(never), "another call");
    }

    #[test]
    fn a_second_attempt_waits_for_the_first() {
        let mut item = Item::default();
        step(&mut item, 1, intend(1, 1, -30));
        assert_eq!(step(&mut item, 1, intend(2, 1, -30)), Step::Wait);
        assert_eq!(step(&mut item, 1, settle(2, 1, false)), Step::Wait);
        step(&mut item, 1, settle(1, 1, true));
        let known = Outcome::Committed { txn: txn(1) };
        assert_eq!(step(&mut item, 1, settle(2, 1, false)), Step::Wrote(known));
        assert_eq!(item.value, Some(70));
    }
}
