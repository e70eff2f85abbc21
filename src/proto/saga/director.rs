//! Whoever directs a saga: one step after the other, forward or back, until it is over.

use super::{Baton, Cx, Message, Record, Sagas};
use crate::base::{
    Act, CallId, Leg, MAX_LEGS, Mutation, NodeId, Op, Outcome, Refusal, SagaStep, Span, Time, TxnId,
};
use crate::event::{Fact, SagaFact};
use crate::proto::Ticket;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// How far a saga is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// This step is to be done.
    Forward(u8),
    /// This step is to be compensated.
    Back(u8),
    /// All is done, or nothing is left; whoever has a part in it is told so.
    Ending {
        /// Whether all is done.
        done: bool,
    },
    /// Somebody else directs it, and will pass it back to its origin.
    Away,
}

/// `forward 2`, `back 1` …
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Forward(step) => write!(f, "forward {}", u32::from(*step) + 1),
            Stage::Back(step) => write!(f, "back {}", u32::from(*step) + 1),
            Stage::Ending { done: true } => f.write_str("done"),
            Stage::Ending { done: false } => f.write_str("undone"),
            Stage::Away => f.write_str("away"),
        }
    }
}

/// A saga that is not over.
#[derive(Clone, Debug)]
pub(super) struct Saga {
    baton: Baton,
    legs: Vec<Leg>,
    /// Who waits for the answer; none if it was given, or died with an earlier life.
    ticket: Option<Ticket>,
    /// To whom it is being passed; none if this node directs it.
    to: Option<NodeId>,
    /// How the call ended in another saga, which was first.
    other: Option<Outcome>,
    /// Who has not heard that it is over.
    missing: BTreeSet<u8>,
    /// When this stage began, and when something was sent last.
    since: Time,
    at: Time,
}

impl Saga {
    pub(super) fn of(baton: Baton, now: Time) -> Saga {
        let legs = baton.op.legs();
        let missing = (0..legs.len()).map(|step| step as u8).collect();
        let (ticket, to, other) = (None, None, None);
        Saga { baton, legs, ticket, to, other, missing, since: now, at: now }
    }

    pub(super) fn stage(&self) -> Stage {
        self.baton.stage
    }

    fn baton(&self) -> Baton {
        self.baton.clone()
    }

    /// Is passed on to this node from now on.
    pub(super) fn pass_to(&mut self, to: NodeId) {
        self.to = Some(to);
    }

    /// What must survive of it.
    pub(super) fn records(&self, saga: TxnId) -> impl Iterator<Item = Record> {
        let directs = Record::Directs { saga, baton: self.baton() };
        [directs].into_iter().chain(self.to.map(|to| Record::Passes(saga, to)))
    }

    fn enter(&mut self, stage: Stage, now: Time) {
        (self.baton.stage, self.since, self.at) = (stage, now, now);
    }

    /// Says who waits for what.
    fn state_stage(&self, saga: TxnId, cx: &mut Cx<'_>) {
        cx.emit(Fact::Saga(match self.stage() {
            Stage::Forward(step) => SagaFact::Asks { saga, step, back: false },
            Stage::Back(step) => SagaFact::Asks { saga, step, back: true },
            Stage::Ending { done } => SagaFact::Closes { saga, done },
            Stage::Away => return,
        }));
    }

    /// The same, or to whom it is being passed.
    pub(super) fn restate(&self, saga: TxnId, cx: &mut Cx<'_>) {
        match self.to {
            Some(to) => cx.emit(Fact::Saga(SagaFact::Passes { saga, to })),
            None => self.state_stage(saga, cx),
        }
    }

    /// Whether nothing is to be done or compensated any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage(), Stage::Ending { .. })
    }

    /// The step at which this stage is, of those that have a key.
    fn step(&self) -> Option<u8> {
        match self.stage() {
            Stage::Forward(step) | Stage::Back(step) => Some(step),
            Stage::Ending { .. } | Stage::Away => None,
        }
    }
}

impl Baton {
    /// Whether a node can direct such a saga.
    fn is_sound(&self, saga: TxnId, me: NodeId) -> bool {
        let legs = self.op.legs();
        let there = |step: u8| usize::from(step) < legs.len();
        fits(&legs)
            && match self.stage {
                Stage::Forward(step) | Stage::Back(step) => there(step),
                Stage::Ending { .. } => saga.coordinator == me,
                Stage::Away => false,
            }
    }
}

/// What a refusal, or another saga, says about the first step of this one.
fn is_of_another(outcome: &Outcome, saga: TxnId) -> bool {
    match outcome {
        Outcome::Committed { txn } | Outcome::Aborted { txn } => *txn != saga,
        Outcome::Refused(Refusal::Forgotten) => true,
        _ => false,
    }
}

impl Sagas {
    /// Begins a saga, unless it has begun one for this call.
    pub(super) fn begin(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        let own =
            |(id, saga): &(&TxnId, &mut Saga)| id.coordinator == cx.me() && saga.baton.call == call;
        if let Some((_, state)) = self.sagas.iter_mut().find(own) {
            state.ticket = Some(ticket);
            return;
        }
        if !fits(&op.legs()) {
            return cx.reply(ticket, Outcome::Refused(Refusal::Unavailable));
        }
        let saga = self.next(cx);
        let floor = self.floor(saga, cx.me());
        let (op, stage) = (Arc::new(op), Stage::Forward(0));
        let baton = Baton { call, op, floor, hop: 0, stage };
        if !self.has(Mutation::SagaNoLog) {
            self.write(Record::Directs { saga, baton: baton.clone() }, cx);
        }
        let state = Saga { ticket: Some(ticket), ..Saga::of(baton, cx.now()) };
        self.state_begin(saga, &state, cx);
        self.sagas.insert(saga, state);
        self.go(saga, cx);
    }

    pub(super) fn state_begin(&self, saga: TxnId, state: &Saga, cx: &mut Cx<'_>) {
        let (call, op, style) = (state.baton.call, Arc::clone(&state.baton.op), self.config.style);
        cx.emit(Fact::Saga(SagaFact::Begins { saga, call, op, style }));
    }

    fn next(&mut self, cx: &mut Cx<'_>) -> TxnId {
        if self.numbers.are_used_up() {
            self.reserve(cx);
        }
        TxnId { coordinator: cx.me(), number: self.numbers.next() }
    }

    /// All own sagas with a lower number are over.
    fn floor(&self, new: TxnId, me: NodeId) -> u32 {
        let open = self.sagas.keys().filter(|saga| saga.coordinator == me);
        open.map(|saga| saga.number).min().unwrap_or(new.number)
    }

    /// Goes on at the stage at which a saga is: here, or at the next one's.
    fn go(&mut self, saga: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.sagas.get(&saga) else { return };
        let me = cx.me();
        let next = match state.step().and_then(|step| state.legs.get(usize::from(step))) {
            _ if !self.config.style.choreographed => me,
            Some(leg) => self.owners.of(&leg.key).unwrap_or(me),
            None => saga.coordinator,
        };
        let Some(state) = self.sagas.get_mut(&saga) else { return };
        if next != me {
            state.pass_to(next);
            self.write(Record::Passes(saga, next), cx);
            cx.emit(Fact::Saga(SagaFact::Passes { saga, to: next }));
            self.send(saga, cx);
            if self.has(Mutation::SagaPassAndForget) {
                self.let_go(saga, cx);
            }
            return;
        }
        state.state_stage(saga, cx);
        if let Stage::Ending { done } = state.stage() {
            self.answer(saga, done, cx);
        }
        self.send(saga, cx);
    }

    /// Tells the client how it ended.
    fn answer(&mut self, saga: TxnId, done: bool, cx: &mut Cx<'_>) {
        let Some(state) = self.sagas.get_mut(&saga) else { return };
        let own = match done {
            true => Outcome::Committed { txn: saga },
            false => Outcome::Aborted { txn: saga },
        };
        if let Some(ticket) = state.ticket.take() {
            cx.reply(ticket, state.other.clone().unwrap_or(own));
        }
    }

    /// Asks for what is not answered.
    fn send(&mut self, saga: TxnId, cx: &mut Cx<'_>) {
        let Some(state) = self.sagas.get_mut(&saga) else { return };
        state.at = cx.now();
        if let Some(to) = state.to {
            let baton = Baton { hop: state.baton.hop.saturating_add(1), ..state.baton() };
            return cx.send(to, Message::Pass { saga, baton });
        }
        let (steps, act): (Vec<u8>, _) = match state.stage() {
            Stage::Forward(step) => (vec![step], None),
            Stage::Back(step) => (vec![step], Some(Act::Undo)),
            Stage::Ending { done } => {
                (state.missing.iter().copied().collect(), Some(Act::End { done }))
            }
            Stage::Away => return,
        };
        for step in steps {
            self.ask(saga, step, act, cx);
        }
    }

    fn ask(&self, saga: TxnId, step: u8, act: Option<Act>, cx: &mut Cx<'_>) {
        let Some(Saga { baton: Baton { call, floor, .. }, legs, .. }) = self.sagas.get(&saga)
        else {
            return;
        };
        let Some(Leg { key, by }) = legs.get(usize::from(step)).cloned() else { return };
        let (at, pivot) = (usize::from(step), self.config.style.pivot_of(legs));
        let lock = self.config.style.locks && at < pivot;
        let act = act.unwrap_or(Act::Do { lock, sure: at > pivot });
        if let Some(owner) = self.owners.of(&key) {
            let (call, floor) = (*call, *floor);
            cx.send(owner, Message::Ask(SagaStep { saga, call, step, key, by, floor, act }));
        }
    }

    /// An owner has answered.
    pub(super) fn said(
        &mut self,
        saga: TxnId,
        (step, act): (u8, Act),
        outcome: Outcome,
        cx: &mut Cx<'_>,
    ) {
        let Some(state) = self.sagas.get_mut(&saga).filter(|state| state.to.is_none()) else {
            return;
        };
        match (state.stage(), act) {
            (Stage::Forward(at), Act::Do { .. }) if at == step => match outcome {
                Outcome::Done => self.did(saga, step, cx),
                other if step == 0 && is_of_another(&other, saga) => {
                    self.was_tried(saga, other, cx)
                }
                _ => self.turn(saga, step, false, cx),
            },
            (Stage::Back(at), Act::Undo) if at == step => match outcome {
                other if step == 0 && is_of_another(&other, saga) => {
                    self.was_tried(saga, other, cx)
                }
                _ => self.undid(saga, step, cx),
            },
            (Stage::Ending { done }, Act::End { .. }) => {
                state.missing.remove(&step);
                if state.missing.is_empty() {
                    self.over(saga, done, cx);
                }
            }
            _ => {}
        }
    }

    /// The call was carried out, or given up, by another saga. This one has done nothing.
    fn was_tried(&mut self, saga: TxnId, other: Outcome, cx: &mut Cx<'_>) {
        if let Some(state) = self.sagas.get_mut(&saga) {
            let forgotten = matches!(other, Outcome::Refused(_));
            state.other = Some(if forgotten { Outcome::Unknown } else { other });
        }
        self.enter(saga, Stage::Ending { done: false }, cx);
    }

    fn did(&mut self, saga: TxnId, step: u8, cx: &mut Cx<'_>) {
        let Some(state) = self.sagas.get(&saga) else { return };
        let last = usize::from(step) + 1 >= state.legs.len();
        let next = if last { Stage::Ending { done: true } } else { Stage::Forward(step + 1) };
        self.enter(saga, next, cx);
    }

    /// A step failed, or took too long (`late`), so that nobody knows whether it has taken effect.
    fn turn(&mut self, saga: TxnId, step: u8, late: bool, cx: &mut Cx<'_>) {
        cx.emit(Fact::Saga(SagaFact::Turns { saga, step, late }));
        let uncertain = late && !self.has(Mutation::SagaLateIsFailed);
        let next = match (uncertain, step) {
            _ if self.has(Mutation::SagaUndoForward) => Stage::Back(0),
            (true, _) => Stage::Back(step),
            (false, 0) => Stage::Ending { done: false },
            (false, _) => Stage::Back(step - 1),
        };
        self.enter(saga, next, cx);
    }

    fn undid(&mut self, saga: TxnId, step: u8, cx: &mut Cx<'_>) {
        let Some(state) = self.sagas.get(&saga) else { return };
        let next = match step {
            _ if self.has(Mutation::SagaUndoForward)
                && usize::from(step) + 1 < state.legs.len() =>
            {
                Stage::Back(step + 1)
            }
            _ if self.has(Mutation::SagaUndoForward) => Stage::Ending { done: false },
            0 => Stage::Ending { done: false },
            _ => Stage::Back(step - 1),
        };
        self.enter(saga, next, cx);
    }

    /// Begins the next stage, which is on disk before anybody hears of it.
    fn enter(&mut self, saga: TxnId, stage: Stage, cx: &mut Cx<'_>) {
        let Some(state) = self.sagas.get_mut(&saga) else { return };
        state.enter(stage, cx.now());
        let baton = state.baton();
        if !self.has(Mutation::SagaNoLog) {
            self.write(Record::Directs { saga, baton }, cx);
        }
        self.go(saga, cx);
    }

    fn over(&mut self, saga: TxnId, done: bool, cx: &mut Cx<'_>) {
        self.answer(saga, done, cx);
        self.sagas.remove(&saga);
        self.write(Record::Over(saga), cx);
        cx.emit(Fact::Saga(SagaFact::Ends { saga, done }));
    }

    /// This node is to direct a saga from here.
    pub(super) fn passed(&mut self, from: NodeId, saga: TxnId, baton: Baton, cx: &mut Cx<'_>) {
        if !baton.is_sound(saga, cx.me()) {
            return;
        }
        let (hop, known) = (baton.hop, self.sagas.get(&saga));
        let fresh = match (known, self.had.get(&saga)) {
            (Some(state), _) => hop > state.baton.hop,
            (None, Some(had)) => hop > *had,
            // Its origin has closed it, as all that were before it perhaps.
            (None, None) => {
                let floor = self.floors.get(&saga.coordinator).copied();
                saga.coordinator != cx.me() && saga.number >= floor.unwrap_or_default()
            }
        };
        if fresh {
            let ticket = known.and_then(|state| state.ticket);
            self.forget(saga.coordinator, baton.floor);
            self.write(Record::Directs { saga, baton: baton.clone() }, cx);
            self.sagas.insert(saga, Saga { ticket, ..Saga::of(baton, cx.now()) });
        }
        cx.send(from, Message::Taken { saga, hop });
        if fresh {
            self.go(saga, cx);
        }
    }

    /// Sagas of an origin below `floor` are over: nobody passes them on any more, and what comes of
    /// them yet was long under way.
    pub(super) fn forget(&mut self, origin: NodeId, floor: u32) {
        let known = self.floors.entry(origin).or_default();
        *known = floor.max(*known);
        self.had.retain(|of, _| of.coordinator != origin || of.number >= floor);
    }

    /// The next one has it.
    pub(super) fn taken(&mut self, saga: TxnId, hop: u32, cx: &mut Cx<'_>) {
        let passing = |state: &Saga| state.to.is_some() && state.baton.hop.saturating_add(1) == hop;
        if self.sagas.get(&saga).is_some_and(passing) {
            self.let_go(saga, cx);
        }
    }

    fn let_go(&mut self, saga: TxnId, cx: &mut Cx<'_>) {
        let hop = self.sagas.get(&saga).map_or(0, |state| state.baton.hop);
        self.write(Record::Passed(saga, hop), cx);
        self.leave(saga, hop, cx.me());
    }

    /// Does not direct a saga any more, and remembers only that it did, unless it has begun it.
    pub(super) fn leave(&mut self, saga: TxnId, hop: u32, me: NodeId) {
        match self.sagas.get_mut(&saga) {
            Some(state) if saga.coordinator == me => {
                (state.baton.stage, state.to) = (Stage::Away, None);
            }
            _ => {
                self.sagas.remove(&saga);
                self.had.insert(saga, hop);
            }
        }
    }

    /// Turns back where a step takes too long, and repeats what was not answered.
    pub(super) fn repeat(&mut self, cx: &mut Cx<'_>) {
        let (now, retry) = (cx.now(), self.config.retry);
        let due = self.sagas.iter().filter(|(_, state)| now.since(state.at) >= retry);
        for saga in due.map(|(saga, _)| *saga).collect::<Vec<TxnId>>() {
            let Some(state) = self.sagas.get(&saga) else { continue };
            let age = now.since(state.since);
            match state.stage() {
                Stage::Forward(step)
                    if state.to.is_none() && self.may_turn(&state.legs, step, age) =>
                {
                    self.turn(saga, step, true, cx);
                }
                Stage::Back(step)
                    if state.to.is_none()
                        && age >= self.config.step_timeout
                        && self.has(Mutation::SagaDropUndo) =>
                {
                    self.undid(saga, step, cx);
                }
                Stage::Away => {}
                _ => self.send(saga, cx),
            }
        }
    }

    fn may_turn(&self, legs: &[Leg], step: u8, age: Span) -> bool {
        let before = usize::from(step) < self.config.style.pivot_of(legs);
        age >= self.config.step_timeout && (before || self.has(Mutation::SagaUndoPivot))
    }
}

/// Whether these can be the steps of a saga.
fn fits(legs: &[Leg]) -> bool {
    let twice = |(at, leg): (usize, &Leg)| legs[..at].iter().any(|other| other.key == leg.key);
    let count = (2..=MAX_LEGS).contains(&legs.len());
    count && legs.iter().all(|leg| leg.by != 0) && !legs.iter().enumerate().any(twice)
}
