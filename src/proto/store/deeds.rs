//! What sagas did at a key. Pure: no messages, no time.
//!
//! The key remembers each saga that has been here until that is over everywhere, so a step or a
//! compensation that is asked for again, or comes too late, changes nothing.

use super::item::{Item, Rules, Step, is_account};
use crate::base::{Act, CallId, Mutation, Name, NodeId, Outcome, Refusal, SagaStep, TxnId};
use crate::event::{Fact, SagaFact};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The values before and after a change, and the version that it made.
type Change = (i64, i64, u64);

/// What one saga did at a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    saga: TxnId,
    call: CallId,
    step: u8,
    /// None if the step was refused or compensated before it came: it never takes effect.
    did: Option<Change>,
    undid: Option<Change>,
    /// Others keep away from the key.
    lock: bool,
    /// The step can not take effect any more.
    void: bool,
    /// The saga is over.
    over: bool,
}

/// All that sagas did at a key and may still ask about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deeds {
    all: Vec<Deed>,
    /// Sagas of these coordinators below these numbers are over, everywhere.
    floors: BTreeMap<NodeId, u32>,
}

impl Deeds {
    /// The saga that keeps others away from the key, if one does.
    pub fn lock(&self) -> Option<TxnId> {
        self.all.iter().find(|deed| deed.lock).map(|deed| deed.saga)
    }

    fn find(&mut self, saga: TxnId) -> Option<&mut Deed> {
        self.all.iter_mut().find(|deed| deed.saga == saga)
    }

    fn is_over(&self, saga: TxnId) -> bool {
        self.floors.get(&saga.coordinator).is_some_and(|floor| saga.number < *floor)
    }

    fn raise(&mut self, saga: TxnId, floor: u32) {
        let known = self.floors.entry(saga.coordinator).or_default();
        *known = floor.max(*known);
        let (coordinator, floor) = (saga.coordinator, *known);
        self.all.retain(|deed| deed.saga.coordinator != coordinator || deed.saga.number >= floor);
    }

    /// Whether another saga for the same call is not over.
    fn is_tried(&self, saga: TxnId, call: CallId) -> bool {
        self.all.iter().any(|deed| deed.call == call && deed.saga != saga && !deed.over)
    }
}

impl Item {
    /// Carries out what a saga asks for.
    pub(super) fn saga(&mut self, epoch: u64, asked: &SagaStep, rules: Rules) -> Step {
        self.deeds.raise(asked.saga, asked.floor);
        match asked.act {
            Act::Do { lock, sure } => self.does(epoch, asked, (lock, sure), rules),
            Act::Undo => self.undoes(epoch, asked, rules),
            Act::End { done } => self.ends(asked, done),
        }
    }

    /// Answers `Done` if it is in effect; that the saga aborted, if it never will be; and the
    /// call's own outcome, if another saga for the same call was here first.
    fn does(
        &mut self,
        epoch: u64,
        asked: &SagaStep,
        (lock, sure): (bool, bool),
        rules: Rules,
    ) -> Step {
        let SagaStep { saga: txn, by, ref key, .. } = *asked;
        let again = rules.mutations.has(Mutation::SagaNoKey);
        if let Some(deed) = self.deeds.find(txn) {
            match deed.void {
                true => return Step::Read(Outcome::Aborted { txn }),
                false if !again || deed.over => return Step::Read(Outcome::Done),
                false => self.deeds.all.retain(|deed| deed.saga != txn),
            }
        } else if self.deeds.is_over(txn) {
            return Step::Read(Outcome::Refused(Refusal::NotPrepared));
        } else if let Some(step) = self.tried_before(asked) {
            return step;
        }
        let short = is_account(key) && self.balance(key, rules).saturating_add(by) < 0;
        let locked = self.deeds.lock().is_some() && !rules.mutations.has(Mutation::SagaNoLock);
        let refusal = match (locked && !sure, short && by < 0 && !sure) {
            (true, _) => Refusal::Locked,
            (_, true) => Refusal::Funds,
            _ => {
                let did = Some(self.add(epoch, key, by, rules));
                self.note(asked, Deed { lock, did, ..Deed::of(asked) });
                return Step::Wrote(Outcome::Done);
            }
        };
        self.note(asked, Deed { void: true, ..Deed::of(asked) });
        self.give_up(asked);
        Step::Wrote(Outcome::Refused(refusal))
    }

    /// What is known of another saga for the same call, which would have been at this key first.
    fn tried_before(&self, asked: &SagaStep) -> Option<Step> {
        if asked.step > 0 {
            return None;
        }
        match self.remembered(asked.call) {
            Some(Outcome::Unknown) => Some(Step::Read(Outcome::Refused(Refusal::Forgotten))),
            Some(outcome) => Some(Step::Read(outcome)),
            None => self.deeds.is_tried(asked.saga, asked.call).then_some(Step::Wait),
        }
    }

    fn add(&mut self, epoch: u64, key: &Name, by: i64, rules: Rules) -> Change {
        let before = self.balance(key, rules);
        let after = before.saturating_add(by);
        self.set(epoch, after);
        (before, after, self.version)
    }

    fn note(&mut self, asked: &SagaStep, deed: Deed) {
        self.deeds.all.retain(|known| known.saga != asked.saga);
        self.deeds.all.push(deed);
    }

    /// The first step never takes effect, and so the call never does.
    fn give_up(&mut self, asked: &SagaStep) {
        if asked.step == 0 {
            self.remember(asked.call, Outcome::Aborted { txn: asked.saga });
        }
    }

    /// Answers that the saga aborted here, or how the call ended in another one.
    fn undoes(&mut self, epoch: u64, asked: &SagaStep, rules: Rules) -> Step {
        let SagaStep { saga: txn, ref key, by, .. } = *asked;
        let aborted = Outcome::Aborted { txn };
        match self.deeds.find(txn).cloned() {
            Some(deed) if deed.void => Step::Read(aborted),
            Some(deed) => {
                let undid = Some(self.add(epoch, key, by.saturating_neg(), rules));
                self.note(asked, Deed { undid, lock: false, void: true, ..deed });
                self.give_up(asked);
                Step::Wrote(aborted)
            }
            None if self.deeds.is_over(txn) => Step::Read(aborted),
            None if rules.mutations.has(Mutation::SagaNoTombstone) => Step::Read(aborted),
            None => {
                if let Some(step) = self.tried_before(asked) {
                    return step;
                }
                let mut deed = Deed { void: true, ..Deed::of(asked) };
                if rules.mutations.has(Mutation::SagaUndoBlind) {
                    deed.undid = Some(self.add(epoch, key, by.saturating_neg(), rules));
                }
                self.note(asked, deed);
                self.give_up(asked);
                Step::Wrote(aborted)
            }
        }
    }

    fn ends(&mut self, asked: &SagaStep, done: bool) -> Step {
        let SagaStep { saga: txn, call, step, .. } = *asked;
        match self.deeds.find(txn) {
            Some(deed) if !deed.over => (deed.lock, deed.over) = (false, true),
            _ => return Step::Read(Outcome::Done),
        }
        if step == 0 && done {
            self.remember(call, Outcome::Committed { txn });
        }
        Step::Wrote(Outcome::Done)
    }
}

impl Deed {
    fn of(asked: &SagaStep) -> Deed {
        let SagaStep { saga, call, step, .. } = *asked;
        Deed { saga, call, step, did: None, undid: None, lock: false, void: false, over: false }
    }

    fn facts<'a>(&'a self, key: &'a Name) -> impl Iterator<Item = (u64, Fact)> + 'a {
        let changes = [(false, self.did), (true, self.undid)];
        changes.into_iter().filter_map(move |(back, change)| {
            let (before, after, version) = change?;
            let (saga, step, key, lock) = (self.saga, self.step, key.clone(), self.lock && !back);
            let fact = SagaFact::Takes { saga, step, back, key, before, after, version, lock };
            Some((version, Fact::Saga(fact)))
        })
    }
}

/// The facts that sagas changed a key after version `since`, in the order of the changes.
pub(super) fn facts(key: &Name, item: &Item, since: u64) -> Vec<Fact> {
    let all = item.deeds.all.iter().flat_map(|deed| deed.facts(key));
    let mut all: Vec<(u64, Fact)> = all.filter(|(version, _)| *version > since).collect();
    all.sort_by_key(|(version, _)| *version);
    all.into_iter().map(|(_, fact)| fact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Mutations, Op};

    const RULES: Rules = Rules { opening_balance: 100, mutations: Mutations::NONE };
    const DO: Act = Act::Do { lock: true, sure: false };

    fn txn(number: u32) -> TxnId {
        TxnId { coordinator: NodeId::node(1), number }
    }

    fn ask(item: &mut Item, number: u32, step: u8, by: i64, act: Act) -> Step {
        let key: Name = "acct/1".parse().unwrap();
        let call = CallId { client: NodeId::client(1), seq: u64::from(number) };
        let asked = SagaStep { saga: txn(number), call, step, key, by, floor: 0, act };
        item.carry_out((2, call, &Op::Saga(asked)), false, RULES)
    }

    #[test]
    fn a_step_takes_effect_once_and_its_compensation_too() {
        let mut item = Item::default();
        assert_eq!(ask(&mut item, 1, 1, -30, DO), Step::Wrote(Outcome::Done));
        assert_eq!(ask(&mut item, 1, 1, -30, DO), Step::Read(Outcome::Done));
        let aborted = Outcome::Aborted { txn: txn(1) };
        assert_eq!(ask(&mut item, 1, 1, -30, Act::Undo), Step::Wrote(aborted.clone()));
        assert_eq!(ask(&mut item, 1, 1, -30, Act::Undo), Step::Read(aborted.clone()));
        assert_eq!(ask(&mut item, 1, 1, -30, DO), Step::Read(aborted), "it came too late");
        assert_eq!((item.value, facts(&"acct/1".parse().unwrap(), &item, 0).len()), (Some(100), 2));
    }

    #[test]
    fn a_compensation_that_overtakes_its_step_wins() {
        let mut item = Item::default();
        let aborted = Outcome::Aborted { txn: txn(1) };
        assert_eq!(ask(&mut item, 1, 1, -30, Act::Undo), Step::Wrote(aborted.clone()));
        assert_eq!(ask(&mut item, 1, 1, -30, DO), Step::Read(aborted));
        assert_eq!(item.value, None);
    }

    #[test]
    fn a_lock_keeps_others_away_until_the_end_unless_they_commute() {
        let mut item = Item::default();
        ask(&mut item, 1, 1, 30, DO);
        let locked = Step::Wrote(Outcome::Refused(Refusal::Locked));
        assert_eq!(ask(&mut item, 2, 1, -5, DO), locked);
        let sure = Act::Do { lock: false, sure: true };
        assert_eq!(ask(&mut item, 3, 1, 5, sure), Step::Wrote(Outcome::Done));
        let get = Op::Get { key: "acct/1".parse().unwrap() };
        assert_eq!(item.carry_out((2, CallId::default(), &get), false, RULES), Step::Wait);
        assert_eq!(ask(&mut item, 1, 1, 30, Act::End { done: true }), Step::Wrote(Outcome::Done));
        assert_eq!(ask(&mut item, 4, 1, -5, DO), Step::Wrote(Outcome::Done));
        assert_eq!(item.value, Some(130));
    }

    #[test]
    fn a_second_saga_for_a_call_is_told_how_the_first_one_ended() {
        let mut item = Item::default();
        let key: Name = "acct/1".parse().unwrap();
        let call = CallId { client: NodeId::client(1), seq: 9 };
        let mut ask = |number, act| {
            let asked = SagaStep {
                saga: txn(number),
                call,
                step: 0,
                key: key.clone(),
                by: 5,
                floor: 0,
                act,
            };
            item.carry_out((2, call, &Op::Saga(asked)), false, RULES)
        };
        ask(1, DO);
        assert_eq!(ask(2, DO), Step::Wait);
        assert_eq!(ask(2, Act::Undo), Step::Wait);
        ask(1, Act::End { done: true });
        let committed = Outcome::Committed { txn: txn(1) };
        assert_eq!(ask(2, DO), Step::Read(committed.clone()));
        assert_eq!(ask(2, Act::Undo), Step::Read(committed));
    }
}
