//! Sagas: which steps are in effect, who directs, who waits for what.

use super::effort::{Effort, Efforts};
use crate::base::{CallId, Leg, Name, NodeId, Op, Refusal, Span, Style, Time, TxnId};
use crate::event::{Label, SagaFact};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// How many sagas are kept. Beyond, the oldest that is over goes, else the oldest.
pub const MAX_SAGAS: usize = 64;

/// A saga that has waited for so long for one step is stuck.
pub const STUCK: Span = Span::secs(2);

/// What became of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The value before and after it took effect, and when.
    pub did: Option<(i64, i64, Time)>,
    /// The same of its compensation.
    pub undid: Option<(i64, i64, Time)>,
    /// Why it was refused.
    pub refused: Option<Refusal>,
}

impl Step {
    /// Whether it is in effect.
    pub fn stands(&self) -> bool {
        self.did.is_some() && self.undid.is_none()
    }
}

/// How far a saga is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It goes forward: this step is asked for.
    Forward(u8),
    /// It goes back: this step's compensation is asked for.
    Back(u8),
    /// It is known how it ends; not everybody has heard.
    Closing {
        /// All steps are in effect.
        done: bool,
    },
    /// It is over.
    Over {
        /// All steps are in effect.
        done: bool,
    },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::Forward(_) => "FORWARD",
            Stage::Back(_) => "BACK",
            Stage::Closing { .. } => "CLOSING",
            Stage::Over { done: true } => "DONE",
            Stage::Over { done: false } => "UNDONE",
        })
    }
}

/// One saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saga {
    /// Its name; it names its origin.
    pub id: TxnId,
    /// Whose call it is, if its begin was seen.
    pub call: Option<CallId>,
    /// What it does, if its begin was seen.
    pub op: Option<Arc<Op>>,
    /// How it runs.
    pub style: Style,
    /// When it was first heard of.
    pub since: Time,
    /// What became of its steps, as far as they were heard of.
    pub steps: BTreeMap<u8, Step>,
    /// How far it is, and since when.
    pub stage: (Stage, Time),
    /// Who directs it.
    pub director: NodeId,
    /// At which step it turned back, and whether because that was not answered in time.
    pub turned: Option<(u8, bool)>,
    /// What it has taken so far.
    pub effort: Effort,
}

impl Saga {
    fn new(id: TxnId, since: Time) -> Saga {
        let (call, op, turned) = (None, None, None);
        let (style, steps, stage) = (Style::default(), BTreeMap::new(), (Stage::Forward(0), since));
        let director = id.coordinator;
        let effort = Effort::default();
        Saga { id, call, op, style, since, steps, stage, director, turned, effort }
    }

    /// Its steps in order; none if its begin was not seen.
    pub fn legs(&self) -> Vec<Leg> {
        self.op.as_ref().map_or_else(Vec::new, |op| op.legs())
    }

    /// The step from which on there is no way back.
    pub fn pivot(&self) -> usize {
        self.style.pivot_of(&self.legs())
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.stage.0, Stage::Over { .. })
    }

    /// Whether it has waited for long.
    pub fn is_stuck(&self, now: Time) -> bool {
        !self.is_over() && now.since(self.stage.1) >= STUCK
    }

    /// The keys that it keeps from others.
    pub fn locks(&self) -> Vec<Name> {
        let open = matches!(self.stage.0, Stage::Forward(_) | Stage::Back(_));
        let (legs, pivot) = (self.legs(), self.pivot());
        let held = |(at, _): &(usize, &Leg)| {
            *at < pivot && self.steps.get(&(*at as u8)).is_some_and(Step::stands)
        };
        let keys = legs.iter().enumerate().filter(held).map(|(_, leg)| leg.key.clone());
        if open && self.style.locks { keys.collect() } else { Vec::new() }
    }

    /// What its steps have added and compensations taken away so far, all in all.
    pub fn balance(&self) -> i64 {
        let gain = |change: &Option<(i64, i64, Time)>| {
            change.map_or(0, |(before, after, _)| after.saturating_sub(before))
        };
        self.steps.values().map(|step| gain(&step.did) + gain(&step.undid)).sum()
    }
}

/// All sagas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sagas {
    all: VecDeque<Saga>,
    /// How many have ended with all steps done.
    pub done: u64,
    /// How many have ended with none.
    pub undone: u64,
    /// What those have taken that are done and are not kept any more.
    gone: Efforts,
}

impl Sagas {
    /// Those that are known, the oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Saga> {
        self.all.iter()
    }

    /// One of them.
    pub fn get(&self, id: TxnId) -> Option<&Saga> {
        self.all.iter().find(|saga| saga.id == id)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What all have taken that are done, of those that were seen to begin.
    pub fn efforts(&self) -> Efforts {
        let mut efforts = self.gone;
        self.all.iter().for_each(|saga| saga.count(&mut efforts));
        efforts
    }

    /// A message of sagas was sent.
    pub(super) fn sent(&mut self, label: &Label) {
        let word = label.as_str().split([' ', '/', ':']).nth(1);
        let about = word.and_then(|word| word.parse::<TxnId>().ok());
        if let Some(saga) = self.all.iter_mut().find(|saga| Some(saga.id) == about) {
            saga.effort.messages += 1;
        }
    }

    /// Who keeps others away from a key.
    pub fn holder(&self, key: &Name) -> Option<TxnId> {
        let holds = |saga: &&Saga| saga.locks().contains(key);
        self.all.iter().find(holds).map(|saga| saga.id)
    }

    fn entry(&mut self, id: TxnId, at: Time) -> &mut Saga {
        let place = self.all.iter().position(|saga| saga.id == id).unwrap_or_else(|| {
            if self.all.len() >= MAX_SAGAS {
                let over = self.all.iter().position(Saga::is_over).unwrap_or(0);
                let old = self.all.remove(over);
                old.iter().for_each(|saga| saga.count(&mut self.gone));
            }
            self.all.push_back(Saga::new(id, at));
            self.all.len() - 1
        });
        &mut self.all[place]
    }

    /// Takes in what was stated; `again` if it is not new.
    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &SagaFact, again: bool) {
        let id = fact.saga();
        // What is long over may be said again by a new owner of a key.
        let old = matches!(fact, SagaFact::Takes { .. } | SagaFact::Refuses { .. });
        if old && self.get(id).is_none() {
            return;
        }
        let saga = self.entry(id, at);
        match fact {
            SagaFact::Takes { step, back, .. } if !again => saga.effort.takes(node, *step, *back),
            SagaFact::Asks { step, back, .. } if !again => saga.effort.asks(node, *step, *back),
            _ => {}
        }
        match fact {
            SagaFact::Begins { call, op, style, .. } => {
                (saga.call, saga.op, saga.style) = (Some(*call), Some(Arc::clone(op)), *style);
            }
            SagaFact::Asks { step, back, .. } => {
                let stage = if *back { Stage::Back(*step) } else { Stage::Forward(*step) };
                saga.director = node;
                saga.enter(stage, at);
            }
            SagaFact::Takes { step, back, before, after, .. } => {
                let step = saga.steps.entry(*step).or_default();
                let change = if *back { &mut step.undid } else { &mut step.did };
                change.get_or_insert((*before, *after, at));
            }
            SagaFact::Refuses { step, why, .. } => {
                saga.steps.entry(*step).or_default().refused = Some(why.clone());
            }
            SagaFact::Turns { step, late, .. } => saga.turned = Some((*step, *late)),
            SagaFact::Closes { done, .. } => {
                saga.director = node;
                saga.enter(Stage::Closing { done: *done }, at);
            }
            // Who restarts passes on what may be further already.
            SagaFact::Passes { to, .. } if saga.director == node => saga.director = *to,
            SagaFact::Passes { .. } => {}
            SagaFact::Ends { done, .. } => {
                let fresh = !saga.is_over() && !again;
                saga.stage = (Stage::Over { done: *done }, at);
                let count = if *done { &mut self.done } else { &mut self.undone };
                *count += u64::from(fresh);
            }
        }
    }
}

impl Saga {
    /// Adds what it has taken, if it is done.
    fn count(&self, efforts: &mut Efforts) {
        if self.op.is_some() && self.stage.0 == (Stage::Over { done: true }) {
            efforts.add(self.legs().len(), &self.effort);
        }
    }

    /// A director that starts again says once more where it is.
    fn enter(&mut self, stage: Stage, at: Time) {
        if self.stage.0 != stage && !self.is_over() {
            self.stage = (stage, at);
        }
    }
}
