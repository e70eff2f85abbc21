//! The lessor: the leader, where it keeps the time of sessions in its memory.
//!
//! **What it guarantees.** A session whose sign of life was answered ends no earlier than its `ttl`
//! after that sign came, whoever leads then. It may last longer: a new lessor gives each session
//! its whole time again, or as much as the log notes to be left.
//!
//! A sign of life makes no entry of its own, so the log cannot tell whether it or the end of the
//! session came first. What the log does tell is *who counts*: a leader has itself promoted, and
//! whatever an earlier one still wants to end is refused. Before it answers signs of life, the
//! lessor makes sure that it still is the lessor, by one entry for all that have come.
//!
//! ```text
//!  c1            n1 (leader of 1.1)        log                           n2
//!  │─ ping s3 ───>│── confirm 1.1 ────────>│ slot 7: it still is          │
//!  │<──── done ───│   counts s3 from when the ping came                  │
//!  │              │ × frozen               │ slot 9: promote 2.2 <────────│ leads 2.2
//!  │─ ping s3 ───────────────────────────────────────────────────────────>│
//!  │              │── revoke s3 by 1.1 ───>│ slot 12: refused             │
//! ```
//!
//! With `checkpoint`, the lessor notes in the log now and then how much is left of sessions that
//! are longer than that, so that one that is not kept alive ends, however often leaders change. A
//! sign of life has the note struck out, by the entry that confirms the lessor, before it is
//! answered.
//!
//! **Sources.** etcd's `lease` package and `etcdserver` (leases are primary on the leader, demoted
//! and promoted; checkpoints; a leader makes sure that it leads before it renews and revokes);
//! etcd issues 12528 and 15247; Gray and Cheriton, *Leases* (1989).
//!
//! **What is left out.** etcd makes sure by a read of the index, which needs no entry, and its
//! followers pass signs of life on: here they point to the leader. It adds an election timeout to
//! each session after a promotion. A client does not give its lease back; it lets it end.

use super::{Lease, Leased, LockService, RETRY, Timer};
use crate::base::{
    Ballot, Mutation, Mutations, NodeId, Op, Outcome, Refusal, SessionId, SessionOp, Span, Time,
};
use crate::event::{Fact, SessionFact};
use crate::proto::{Context, Ticket};

/// A sign of life that is not answered.
#[derive(Clone, Copy, Debug)]
struct Sign {
    ticket: Ticket,
    session: SessionId,
    came: Time,
}

/// What a leader keeps of signs of life.
#[derive(Clone, Debug, Default)]
pub(super) struct Lessor {
    /// The log has it that this node counts.
    in_charge: bool,
    /// Those that have come since the last `confirm` left, and those that it is for.
    waiting: Vec<Sign>,
    under_way: Vec<Sign>,
    /// The key of that `confirm`.
    confirm: Option<u64>,
}

impl Lessor {
    pub(super) fn is_in_charge(&self) -> bool {
        self.in_charge
    }

    pub(super) fn is_confirm(&self, key: u64) -> bool {
        self.confirm == Some(key)
    }

    /// Whether a session has given a sign of life that is not answered.
    fn has_sign(&self, session: SessionId) -> bool {
        self.waiting.iter().chain(&self.under_way).any(|sign| sign.session == session)
    }
}

impl LockService {
    /// It leads: asks the log to have it count.
    pub(super) fn stand_for_lessor(&mut self, lessor: Ballot, cx: &mut Context<'_, Self>) {
        self.lessor.in_charge = false;
        self.put(Op::Session(SessionOp::Promote { lessor }), cx);
    }

    /// The log has it that this leader counts: every session gets its time again.
    pub(super) fn take_charge(&mut self, lessor: Ballot, cx: &mut Context<'_, Self>) {
        let own = self.leads == Some(lessor);
        if std::mem::replace(&mut self.lessor.in_charge, own) || !own {
            return;
        }
        let mutations = self.config.mutations;
        let forgets = mutations.has(Mutation::ConsulForgetDelay);
        for (of, lease) in self.leases.iter_mut().filter(|(_, lease)| lease.held) {
            let left = match of {
                Leased::Delay(_) if forgets => Span::ZERO,
                _ => lease.left_of(mutations, cx.now()),
            };
            lease.count(left, cx);
        }
        self.check_nodes(cx);
        self.set_checkpoint(cx);
    }

    /// It leads no longer: who has given a sign of life is to ask the next.
    pub(super) fn turn_away(&mut self, cx: &mut Context<'_, Self>) {
        self.lessor.in_charge = false;
        cx.cancel(Timer::Checkpoint);
        for sign in std::mem::take(&mut self.lessor.waiting) {
            cx.reply(sign.ticket, not_here(self.leader));
        }
    }

    /// A client gives a sign of life.
    pub(super) fn sign_of_life(
        &mut self,
        ticket: Ticket,
        session: SessionId,
        cx: &mut Context<'_, Self>,
    ) {
        let sign = Sign { ticket, session, came: cx.now() };
        if !self.counts() {
            let other = self.leader.filter(|leader| *leader != cx.me());
            return cx.reply(ticket, not_here(other));
        }
        if self.config.mutations.has(Mutation::LessorUnsure) {
            return self.keep(sign, cx);
        }
        self.lessor.waiting.push(sign);
        self.make_sure(cx);
    }

    /// Asks the log whether it still counts, for all signs of life that have come.
    fn make_sure(&mut self, cx: &mut Context<'_, Self>) {
        let Some(lessor) = self.leads.filter(|_| self.lessor.confirm.is_none()) else { return };
        if self.lessor.waiting.is_empty() {
            return;
        }
        let signs = std::mem::take(&mut self.lessor.waiting);
        let noted = |sign: &&Sign| {
            self.leases.get(&Leased::Session(sign.session)).is_some_and(|it| it.left.is_some())
        };
        let alive = signs.iter().filter(noted).map(|sign| sign.session).collect();
        self.lessor.under_way = signs;
        self.lessor.confirm = Some(self.put(Op::Session(SessionOp::Confirm { lessor, alive }), cx));
    }

    /// The log has answered.
    pub(super) fn confirmed(&mut self, outcome: &Outcome, cx: &mut Context<'_, Self>) {
        self.lessor.confirm = None;
        for sign in std::mem::take(&mut self.lessor.under_way) {
            match outcome {
                Outcome::Done => self.keep(sign, cx),
                _ => cx.reply(sign.ticket, not_here(None)),
            }
        }
        self.make_sure(cx);
    }

    /// Counts a session from when its sign of life came, and tells its client.
    fn keep(&mut self, Sign { ticket, session, came }: Sign, cx: &mut Context<'_, Self>) {
        let counts = self.counts();
        let Some(lease) = self.leases.get_mut(&Leased::Session(session)) else {
            return cx.reply(ticket, Outcome::Refused(Refusal::Expired));
        };
        // Whether it is over, the log has yet to say.
        if lease.ends {
            return cx.reply(ticket, Outcome::Unknown);
        }
        let ago = cx.now().since(came);
        if counts {
            lease.count(Span(lease.ttl.0.saturating_sub(ago.0)), cx);
        }
        cx.emit(Fact::Session(SessionFact::Kept { session, ago }));
        cx.reply(ticket, Outcome::Done);
    }

    /// The time of a session, or of a delay, is over: has the log end it, once, since the log
    /// repeats what it was asked for. A sign of life that has come is looked at first.
    pub(super) fn revoke(&mut self, number: u32, cx: &mut Context<'_, Self>) {
        let Some(lessor) = self.leads.filter(|_| self.lessor.in_charge) else { return };
        let found = self.leases.iter_mut().find(|(_, lease)| lease.number == number);
        let Some((of, lease)) = found else { return };
        let op = match of {
            Leased::Lock(..) => return,
            Leased::Delay(lock) => {
                SessionOp::Lift { lessor, lock: lock.clone(), since: lease.token }
            }
            Leased::Session(session) if self.lessor.has_sign(*session) => {
                return cx.set(Timer::Expire(number), RETRY);
            }
            Leased::Session(session) => SessionOp::Revoke { lessor, session: *session },
        };
        if lease.held && !std::mem::replace(&mut lease.ends, true) {
            self.put(Op::Session(op), cx);
        }
    }

    fn set_checkpoint(&self, cx: &mut Context<'_, Self>) {
        if let Some(every) = self.config.leases.filter(|every| *every > Span::ZERO) {
            cx.set(Timer::Checkpoint, every);
        }
    }

    /// Notes how much is left of the sessions that are long enough, and that gave no sign of life
    /// just now.
    pub(super) fn checkpoint(&mut self, cx: &mut Context<'_, Self>) {
        self.set_checkpoint(cx);
        let (Some(lessor), Some(every)) = (self.leads, self.config.leases) else { return };
        let now = cx.now();
        let left = |(of, lease): (&Leased, &Lease)| match of {
            Leased::Session(id)
                if lease.ttl > every && !lease.ends && !self.lessor.has_sign(*id) =>
            {
                Some((*id, lease.until.since(now))).filter(|(_, left)| *left > Span::ZERO)
            }
            _ => None,
        };
        let left: Vec<(SessionId, Span)> = self.leases.iter().filter_map(left).collect();
        if !left.is_empty() {
            self.put(Op::Session(SessionOp::Checkpoint { lessor, left: left.into() }), cx);
        }
    }
}

fn not_here(try_node: Option<NodeId>) -> Outcome {
    Outcome::Refused(Refusal::NotHere { try_node })
}

impl Lease {
    /// How much of it a new lessor gives.
    fn left_of(&self, mutations: Mutations, now: Time) -> Span {
        let whole = match mutations.has(Mutation::LessorOldCount) {
            true => (self.since + self.ttl).since(now),
            false => self.ttl,
        };
        self.left.unwrap_or(whole)
    }

    /// Counts so much of it from now.
    fn count(&mut self, left: Span, cx: &mut Context<'_, LockService>) {
        (self.armed, self.until, self.ends) = (Some(self.token), cx.now() + left, false);
        cx.set(Timer::Expire(self.number), left);
    }
}
