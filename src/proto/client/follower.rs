//! A client that follows all changes below locks, as one watches a prefix with etcd.
//!
//! **What it guarantees.** It is told every change after the state that it began with, once and in
//! the order of slots, all changes of a slot together, and never sees anything older than what it
//! has seen, whichever nodes answer. If it falls so far behind that changes are forgotten, it is
//! told so, and begins anew.
//!
//! ```text
//!  c5                                n1                          n2
//!  │── list all ────────────────────>│ through the log
//!  │<──── 2 nodes as of slot 7 ──────│
//!  │── watch all after 7 ───────────>│ waits
//!  │<──── up to slot 9: -door/4 ─────│
//!  │── watch all after 9 ───────────>×
//!  │── watch all after 9 ───────────────────────────────────────>│ has 10 and 11 already
//!  │<──── up to slot 11: +door/10 -door/5 ───────────────────────│
//! ```
//!
//! It begins with the state *by the log*. A state that some node happens to have may be older than
//! what the client knew before it was restarted.
//!
//! **Sources.** etcd's API guarantees, on watches; Kubernetes issue 59848 (a list from a cache that
//! lags is a way back in time).
//!
//! **What is left out.** Streams: etcd sends changes as they come, here each answer is asked for.
//! Filters: it follows all locks.

use super::Client;
use super::calls::{Calls, Finished};
use crate::base::{
    Key, KeyChange, Mutation, Mutations, Op, Outcome, Refusal, SessionOp, SessionOutcome, Slot,
};
use crate::event::{Fact, SessionFact};
use crate::proto::Context;

/// Where it is.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    mutations: Mutations,
    /// Up to which slot it knows all changes.
    seen: Slot,
    /// The call under way.
    call: u64,
}

impl Follower {
    pub(super) fn new(mutations: Mutations) -> Follower {
        Follower { mutations, seen: 0, call: 0 }
    }

    /// Looks at the whole.
    pub(super) fn begin(&mut self, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let stale = self.mutations.has(Mutation::WatchStaleList);
        self.ask(if stale { SessionOp::Glance } else { SessionOp::Snapshot }, calls, cx);
    }

    /// Asks for what comes next.
    fn go_on(&mut self, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let has = |mutation| u64::from(self.mutations.has(mutation));
        let (late, early) = (has(Mutation::WatchResumeLate), has(Mutation::WatchResumeEarly));
        let after = (self.seen + late).saturating_sub(early);
        self.ask(SessionOp::Follow { after }, calls, cx);
    }

    fn ask(&mut self, op: SessionOp, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        let call = cx.new_call();
        self.call = call.seq;
        calls.start(call, Op::Session(op), cx);
    }

    /// Whether an answer is for it. If so, goes on from there.
    pub(super) fn takes(
        &mut self,
        finished: &Finished,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) -> bool {
        if finished.seq != self.call {
            return false;
        }
        match &finished.outcome {
            Outcome::Session(SessionOutcome::State { revision, keys }) => {
                self.shows(*revision, keys, cx);
                self.go_on(calls, cx);
            }
            Outcome::Session(SessionOutcome::Told { upto, changes }) => {
                self.sees(*upto, changes, cx);
                self.go_on(calls, cx);
            }
            Outcome::Refused(Refusal::NoService | Refusal::OnlyClients) => {}
            _ => self.begin(calls, cx),
        }
        true
    }

    fn shows(&mut self, revision: Slot, keys: &[Key], cx: &mut Context<'_, Client>) {
        self.seen = revision;
        cx.emit(Fact::Session(SessionFact::Shows { revision, keys: keys.into() }));
    }

    fn sees(&mut self, upto: Slot, changes: &[KeyChange], cx: &mut Context<'_, Client>) {
        self.seen = upto;
        cx.emit(Fact::Session(SessionFact::Sees { upto, changes: changes.into() }));
    }

    /// Says how far it is, for a newcomer.
    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        if self.seen > 0 {
            let (upto, changes) = (self.seen, [].into());
            cx.emit(Fact::Session(SessionFact::Sees { upto, changes }));
        }
    }
}
