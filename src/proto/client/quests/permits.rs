//! Permits of semaphores as with Consul (`lock::tree::permits`): contend, read who has a permit,
//! and write oneself down beside them, if nobody has written in between.
//!
//! Who finds all permits given out watches the keys, and reads again when one has changed: nobody
//! is next in line. It watches from the slot in which it read, and not from that in which the key
//! was written: the key does not change when a session ends, and what is to be left out of it does.
//! A step without an answer is asked for again; who has been written down meanwhile finds itself
//! there. A permit is given back in the same way.

use super::{Client, Quest, Quests, Stage};
use crate::base::{
    LockMode, Mutation, Name, Op, Outcome, Refusal, SessionId, SessionOp, SessionOutcome, Slot,
    Token,
};
use crate::proto::Context;
use crate::proto::client::calls::Calls;

/// What the key of a semaphore says.
struct Key<'a> {
    seen: Slot,
    index: Slot,
    limit: u8,
    holders: &'a [(SessionId, Token)],
    contenders: &'a [SessionId],
}

impl Quests {
    /// Whether an operation is about a permit that one asks for by writing a key.
    pub(super) fn is_of_permits(&self, op: &Op) -> bool {
        self.are_keys()
            && match op {
                Op::Acquire { mode, .. } => mode.is_permit(),
                Op::Release { lock, token } => self.permits.contains_key(&(lock.clone(), *token)),
                _ => false,
            }
    }

    /// Whether only who asks for a permit, or gives one back, takes this step.
    pub(super) fn steps_to_permits(step: &Op) -> bool {
        matches!(
            step,
            Op::Session(
                SessionOp::Contend { .. } | SessionOp::Permits { .. } | SessionOp::Swap { .. }
            )
        )
    }

    /// Has a key of its own; who gives a permit back has one.
    pub(super) fn contend(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let Some(Quest { op, .. }) = self.quests.get(&quest) else { return };
        match (&**op, self.session.open()) {
            (Op::Acquire { lock, .. }, Some(open)) => {
                let (lock, session, wish) = (lock.clone(), open.id, super::own(quest, cx));
                self.step(quest, SessionOp::Contend { lock, session, wish }, calls, cx);
            }
            _ => self.read_permits(quest, calls, cx),
        }
    }

    fn read_permits(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        if let Some(lock) = self.semaphore(quest) {
            self.step(quest, SessionOp::Permits { lock }, calls, cx);
        }
    }

    fn semaphore(&self, quest: u64) -> Option<Name> {
        match &*self.quests.get(&quest)?.op {
            Op::Acquire { lock, .. } | Op::Release { lock, .. } => Some(lock.clone()),
            _ => None,
        }
    }

    /// Takes in the answer to a step. Some, if that was the last one.
    pub(super) fn weigh(
        &mut self,
        quest: u64,
        step: &Op,
        outcome: &Outcome,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        let Quest { op, stage, .. } = self.quests.get(&quest)?.clone();
        match (step, outcome) {
            (Op::Session(SessionOp::Delete { .. }), _) => {
                if let Stage::Leaving(_, refused) = stage {
                    return Some(refused);
                }
                if let Op::Release { lock, token } = &*op {
                    self.permits.remove(&(lock.clone(), *token));
                }
                return Some(Outcome::Done);
            }
            // It was overtaken by something else of this session.
            (
                Op::Session(SessionOp::Contend { .. }),
                Outcome::Session(SessionOutcome::Busy { .. }),
            ) => self.contend(quest, calls, cx),
            (_, Outcome::Session(SessionOutcome::Made { node })) => {
                self.seen = self.seen.max(*node);
                self.quests.get_mut(&quest)?.node = Some(*node);
                self.read_permits(quest, calls, cx);
            }
            (
                _,
                Outcome::Session(SessionOutcome::Permits {
                    seen,
                    index,
                    limit,
                    holders,
                    contenders,
                }),
            ) => {
                let (seen, index, limit) = (*seen, *index, *limit);
                let key = Key { seen, index, limit, holders, contenders };
                return self.write_permits(quest, &op, &key, calls, cx);
            }
            (_, Outcome::Session(_)) => self.read_permits(quest, calls, cx),
            (_, Outcome::Granted { token }) => {
                let node = self.quests.get(&quest)?.node?;
                self.permits.insert((self.semaphore(quest)?, *token), node);
                return Some(outcome.clone());
            }
            (_, Outcome::Done) => match *op {
                Op::Release { .. } => return self.withdraw(quest, &op, calls, cx),
                // Its contender's key has gone.
                _ => self.contend(quest, calls, cx),
            },
            _ => return Some(outcome.clone()),
        }
        None
    }

    /// Writes the key anew, unless there is nothing to change in it.
    fn write_permits(
        &mut self,
        quest: u64,
        op: &Op,
        key: &Key<'_>,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        let own = self.session.open()?.id;
        let has = key.holders.iter().find(|(session, _)| *session == own);
        let none = self.mutations.has(Mutation::ConsulPruneLive);
        let all = self.mutations.has(Mutation::ConsulNoPrune);
        let lives = |id: &SessionId| !none && (all || key.contenders.contains(id));
        let others = key.holders.iter().map(|(session, _)| *session).filter(|id| *id != own);
        let mut holders: Vec<SessionId> = others.filter(lives).collect();
        let limit = match (op, has) {
            (Op::Acquire { .. }, Some((_, token))) => {
                let token = *token;
                let node = self.quests.get(&quest)?.node?;
                self.permits.insert((self.semaphore(quest)?, token), node);
                return Some(Outcome::Granted { token });
            }
            (Op::Acquire { mode: LockMode::OneOf(limit), .. }, None) => {
                if !holders.is_empty() && key.limit != *limit {
                    self.turn_away(quest, calls, cx);
                    return None;
                }
                if holders.len() >= usize::from(*limit) {
                    self.look_out(quest, None, key.seen, calls, cx);
                    return None;
                }
                holders.push(own);
                *limit
            }
            (_, None) => return self.withdraw(quest, op, calls, cx),
            (_, Some(_)) => key.limit,
        };
        let (lock, index) = (self.semaphore(quest)?, key.index);
        let holders = holders.into();
        let swap = SessionOp::Swap { lock, session: own, index, limit, holders };
        self.step(quest, swap, calls, cx);
        None
    }

    /// It is refused, and contends no longer.
    fn turn_away(&mut self, quest: u64, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let Some(lock) = self.semaphore(quest) else { return };
        let (Some(of), Some(open)) = (self.quests.get_mut(&quest), self.session.open()) else {
            return;
        };
        let (session, node) = (open.id, of.node.unwrap_or_default());
        of.stage = Stage::Leaving(node, Outcome::Refused(Refusal::NotShared));
        self.step(quest, SessionOp::Delete { lock, session, node }, calls, cx);
    }

    /// The permit is given back, and so is the contender's key.
    fn withdraw(
        &mut self,
        quest: u64,
        op: &Op,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> Option<Outcome> {
        let Op::Release { lock, token } = op else { return Some(Outcome::Done) };
        let Some(node) = self.permits.get(&(lock.clone(), *token)).copied() else {
            return Some(Outcome::Refused(Refusal::NotHeld));
        };
        let (lock, session) = (lock.clone(), self.session.open()?.id);
        self.step(quest, SessionOp::Delete { lock, session, node }, calls, cx);
        None
    }
}
