//! Sagas: all steps in effect, or none any more.
//!
//! | rule | holds as long as |
//! |---|---|
//! | SAGA-1 | a saga is closed as done only with all of its steps in effect, else only with none |
//! | SAGA-2 | only what took effect is compensated, the last step first |
//! | SAGA-3 | each step and each compensation takes effect once, and no step after its compensation |
//! | SAGA-4 | nothing is compensated once the pivot took effect |
//! | SAGA-5 | who directs sagas and starts again knows those that it had begun |
//! | SAGA-6 | where there are semantic locks, nobody reads or changes what may be compensated |
//!
//! From Garcia-Molina and Salem 1987; SAGA-6 is the countermeasure of Frank and Zahle 1998. Where
//! there are no locks, others may see and use what is compensated later: that is what sagas are,
//! and no violation. That each saga comes to its end is a matter of progress (LIVE-7).
//!
//! Steps after the pivot only give, and pass locks: what they do commutes with everything.
//!
//! A newcomer judges the sagas that it saw begin.

use super::{Check, Violation, Witness};
use crate::base::{CallId, Leg, Name, NodeId, Op, Outcome, Style, TxnId};
use crate::command::{Command, DiskFault};
use crate::event::{Event, Fact, Kind, SagaFact};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many sagas that are over are remembered, to notice what comes too late.
const REMEMBERED: usize = 4_096;

/// A change of a key: the version that it made, and the event that said so.
type Effect = (u64, usize);

/// What is known of one saga. Numbers are indices of events.
#[derive(Clone, Debug)]
struct Saga {
    begun: usize,
    legs: Vec<Leg>,
    style: Style,
    did: BTreeMap<u8, Effect>,
    undid: BTreeMap<u8, Effect>,
    closed: Option<(bool, usize)>,
}

/// Who keeps others away from a key, since which event.
type Lock = (TxnId, usize);

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Sagas {
    sagas: BTreeMap<TxnId, Saga>,
    over: VecDeque<TxnId>,
    locks: BTreeMap<Name, Lock>,
    /// Reads that are not answered: which key, and since when.
    reads: BTreeMap<CallId, (Name, usize)>,
    /// Sagas of who has started again, until they are begun or named anew.
    unheard: BTreeSet<TxnId>,
}

/// What a rule says is wrong: the rule, the sentence, the earlier events.
type Wrong = (&'static str, String, Vec<usize>);

fn nth(step: u8) -> u32 {
    u32::from(step) + 1
}

impl Saga {
    fn pivot(&self) -> u8 {
        self.style.pivot_of(&self.legs) as u8
    }

    /// The last step that is in effect.
    fn last(&self) -> Option<(u8, usize)> {
        let standing = |(step, _): &(&u8, &Effect)| !self.undid.contains_key(*step);
        self.did.iter().rfind(standing).map(|(step, (_, at))| (*step, *at))
    }

    /// A step has taken effect for the first time.
    fn does(&self, saga: TxnId, step: u8) -> Option<Wrong> {
        let late = self.undid.get(&step).map(|(_, at)| *at);
        let late = late.or(self.closed.map(|(_, at)| at))?;
        let what = format!("step {} of {saga} takes effect when it is over", nth(step));
        Some(("SAGA-3", what, vec![late]))
    }

    /// A compensation has taken effect for the first time.
    fn undoes(&self, saga: TxnId, step: u8) -> Option<Wrong> {
        let n = nth(step);
        if let Some((_, at)) = self.did.get(&self.pivot()).filter(|_| self.pivot() != step) {
            let what = format!("step {n} of {saga} is compensated after the pivot");
            return Some(("SAGA-4", what, vec![*at]));
        }
        if !self.did.contains_key(&step) {
            let what = format!("step {n} of {saga} is compensated, and has not taken effect");
            return Some(("SAGA-2", what, vec![self.begun]));
        }
        let (last, at) = self.last().filter(|(last, _)| *last > step)?;
        let what = format!("step {n} of {saga} is compensated before step {}", nth(last));
        Some(("SAGA-2", what, vec![at]))
    }

    /// It is closed, and this is what is known of its steps.
    fn closes(&self, saga: TxnId, done: bool) -> Option<Wrong> {
        if let Some((before, at)) = self.closed.filter(|(before, _)| *before != done) {
            let words = if before { ["done", "undone"] } else { ["undone", "done"] };
            let what = format!("{saga} was closed as {}, and is closed as {}", words[0], words[1]);
            return Some(("SAGA-1", what, vec![at]));
        }
        let standing = self.did.len() - self.undid.len().min(self.did.len());
        let (all, because) = (self.legs.len(), vec![self.begun]);
        let what = format!("{saga} is closed with {standing} of {all} steps in effect");
        let wanted = if done { all } else { 0 };
        (standing != wanted).then_some(("SAGA-1", what, because))
    }
}

impl Sagas {
    /// What was stated about a saga whose begin was seen.
    fn states(&mut self, at: usize, fact: &SagaFact, witness: &Witness) -> Option<Wrong> {
        let id = fact.saga();
        let state = self.sagas.get_mut(&id).filter(|state| witness.saw(state.begun))?;
        match fact {
            SagaFact::Takes { step, back, key, version, lock, .. } => {
                let seen = if *back { &state.undid } else { &state.did };
                if let Some((known, index)) = seen.get(step) {
                    let verb = if *back { "compensation" } else { "step" };
                    let what = format!("{verb} {} of {id} takes effect twice", nth(*step));
                    return (known != version).then(|| ("SAGA-3", what, vec![*index]));
                }
                let wrong = if *back { state.undoes(id, *step) } else { state.does(id, *step) };
                let seen = if *back { &mut state.undid } else { &mut state.did };
                seen.insert(*step, (*version, at));
                let sure = *step > state.pivot();
                wrong.or_else(|| self.passes(at, id, (key, *lock), *back || sure))
            }
            SagaFact::Closes { done, .. } => {
                let wrong = state.closes(id, *done);
                state.closed.get_or_insert((*done, at));
                self.locks.retain(|_, (holder, _)| *holder != id);
                wrong
            }
            _ => None,
        }
    }

    /// A change comes to a key, which may be locked.
    fn passes(
        &mut self,
        at: usize,
        id: TxnId,
        (key, lock): (&Name, bool),
        may: bool,
    ) -> Option<Wrong> {
        let held = self.locks.get(key).copied().filter(|(holder, _)| *holder != id);
        if lock {
            self.locks.insert(key.clone(), (id, at));
        } else if held.is_none() {
            self.locks.remove(key);
        }
        let (holder, index) = held.filter(|_| !may)?;
        let what = format!("{id} changes {key}, which {holder} may take back");
        Some(("SAGA-6", what, vec![index]))
    }

    /// A read was answered.
    fn answered(&mut self, call: CallId, outcome: &Outcome) -> Option<Wrong> {
        let (key, asked) = self.reads.remove(&call)?;
        let Outcome::Value { .. } = outcome else { return None };
        let (holder, at) = self.locks.get(&key).filter(|(_, at)| *at < asked)?;
        let what = format!("{call} reads {key}, which {holder} may take back");
        Some(("SAGA-6", what, vec![*at, asked]))
    }

    fn begins(&mut self, at: usize, id: TxnId, op: &Op, style: Style) -> Option<Wrong> {
        self.unheard.remove(&id);
        let new = !self.sagas.contains_key(&id);
        let (begun, legs) = (at, op.legs());
        let (did, undid) = (BTreeMap::new(), BTreeMap::new());
        let state = Saga { begun, legs, style, did, undid, closed: None };
        self.sagas.entry(id).or_insert(state);
        let mine = |of: &&TxnId| of.coordinator == id.coordinator;
        let forgotten = self.unheard.iter().find(mine).copied().filter(|_| new)?;
        self.unheard.remove(&forgotten);
        let begun = self.sagas.get(&forgotten)?.begun;
        let what =
            format!("{} began {forgotten}, and knows nothing of it any more", id.coordinator);
        Some(("SAGA-5", what, vec![begun]))
    }

    fn ends(&mut self, id: TxnId) {
        self.unheard.remove(&id);
        self.over.push_back(id);
        if self.over.len() > REMEMBERED
            && let Some(oldest) = self.over.pop_front()
        {
            self.sagas.remove(&oldest);
        }
    }

    /// What a process that starts again must know.
    fn starts(&mut self, node: NodeId) {
        let open = |(id, saga): &(&TxnId, &Saga)| {
            id.coordinator == node && saga.closed.is_none() && !saga.did.is_empty()
        };
        self.unheard.extend(self.sagas.iter().filter(open).map(|(id, _)| *id));
    }

    fn forget(&mut self) {
        *self = Sagas::default();
    }
}

impl Check for Sagas {
    fn name(&self) -> &'static str {
        "saga"
    }

    fn about(&self) -> &'static str {
        "A saga ends with all steps in effect, or with none: compensated once, the last one first."
    }

    fn gap(&mut self, _: NodeId) {
        self.forget();
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Saga(_)))
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let fresh = !witness.restates(event.node);
        let (rule, what, because) = match &event.kind {
            Kind::Started { .. } => {
                self.starts(event.node);
                return None;
            }
            Kind::Commanded(command) => {
                if let Command::Disk { fault: DiskFault::Lose | DiskFault::Wipe, .. } = **command {
                    self.forget();
                }
                return None;
            }
            Kind::Fact(Fact::Saga(SagaFact::Begins { saga, op, style, .. })) => {
                match fresh || self.sagas.contains_key(saga) {
                    true => self.begins(at, *saga, op, *style)?,
                    false => return None,
                }
            }
            Kind::Fact(Fact::Saga(SagaFact::Ends { saga, .. })) => {
                self.ends(*saga);
                return None;
            }
            Kind::Fact(Fact::Saga(fact)) => self.states(at, fact, witness)?,
            Kind::Fact(Fact::Invokes { call, op, retry: 0, .. }) => {
                if let Op::Get { key } = &**op {
                    self.reads.insert(*call, (key.clone(), at));
                }
                return None;
            }
            Kind::Fact(Fact::Returns { call, outcome }) => self.answered(*call, outcome)?,
            _ => return None,
        };
        Some(Violation { check: "saga", rule, what, at, because })
    }
}
