//! Watches: a client waits at a node until something has changed in that node's state.
//!
//! A watch is a call that is answered late. A node keeps it in memory, and answers it once, when it
//! has applied the change; a client that hears nothing asks again, here or elsewhere, and a node
//! that has applied the change already answers at once. So a change is never missed, although the
//! node may have crashed and its answer may be lost; changes between two watches are seen as one.
//!
//! Who follows *all* changes (`client::follower`) names the slot up to which it knows them, so that
//! each answer begins where the one before ended, whichever node gives it.

use super::{Context, Machine, Outcome, Protocol, Ticket};
use crate::base::{Name, Refusal, SessionId, SessionOp, SessionOutcome, Slot, Token};
use crate::event::{Fact, SessionFact};
use std::collections::BTreeMap;

/// What clients wait for at this node.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    /// One for each session and lock: a newer one takes the place of an older.
    open: BTreeMap<(SessionId, SessionOp), Vec<Ticket>>,
}

impl Watches {
    /// Answers an operation that changes nothing, or keeps it until it can be.
    pub(super) fn take<P: Protocol>(
        &mut self,
        ticket: Ticket,
        op: &SessionOp,
        machine: &Machine,
        cx: &mut Context<'_, P>,
    ) {
        if let Some(outcome) = machine.look(op) {
            return cx.reply(ticket, outcome);
        }
        let SessionOp::Watch { lock, session, node, seen } = op else {
            // Who follows all changes has no session.
            return self.open.entry((SessionId::default(), op.clone())).or_default().push(ticket);
        };
        self.drop_others(*session, op, cx);
        let tickets = self.open.entry((*session, op.clone())).or_default();
        if tickets.is_empty() {
            cx.emit(watches(lock, *session, *node, *seen));
        }
        tickets.push(ticket);
    }

    /// Says what is waited for here, for a newcomer.
    pub(super) fn restate<P: Protocol>(&self, cx: &mut Context<'_, P>) {
        for (session, op) in self.open.keys() {
            if let SessionOp::Watch { lock, node, seen, .. } = op {
                cx.emit(watches(lock, *session, *node, *seen));
            }
        }
    }

    /// The state has changed: answers what can be.
    pub(super) fn look<P: Protocol>(&mut self, machine: &Machine, cx: &mut Context<'_, P>) {
        if self.open.is_empty() {
            return;
        }
        self.open.retain(|(session, op), tickets| {
            let Some(outcome) = machine.look(op) else { return true };
            tell(*session, op, &outcome, cx);
            tickets.iter().for_each(|ticket| cx.reply(*ticket, outcome.clone()));
            false
        });
    }

    /// A client waits for one thing at a time below each lock.
    fn drop_others<P: Protocol>(
        &mut self,
        session: SessionId,
        new: &SessionOp,
        cx: &mut Context<'_, P>,
    ) {
        let other = |(of, op): &(SessionId, SessionOp)| {
            *of == session && op.lock() == new.lock() && op != new
        };
        self.open.retain(|key, tickets| {
            let other = other(key);
            for ticket in tickets.iter().filter(|_| other) {
                cx.reply(*ticket, Outcome::Refused(Refusal::NotHeld));
            }
            !other
        });
    }
}

fn watches(lock: &Name, session: SessionId, node: Option<Token>, seen: Slot) -> Fact {
    Fact::Session(SessionFact::Watches { lock: lock.clone(), session, node, seen })
}

fn tell<P: Protocol>(
    session: SessionId,
    op: &SessionOp,
    outcome: &Outcome,
    cx: &mut Context<'_, P>,
) {
    if let (
        SessionOp::Watch { lock, node, .. },
        Outcome::Session(SessionOutcome::Changed { seen: slot }),
    ) = (op, outcome)
    {
        let (lock, node, slot): (_, _, Slot) = (lock.clone(), *node, *slot);
        cx.emit(Fact::Session(SessionFact::Tells { lock, session, node, slot }));
    }
}
