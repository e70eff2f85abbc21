//! Three-phase commit: a transaction that survives its coordinator, if nodes do nothing but crash.
//!
//! **What it guarantees.** The same as two-phase commit, and in addition that those who are up
//! never wait for those who are down (3PC-2), **as long as nodes only crash, whoever is suspected
//! is dead, and the network never splits**. The rule behind it (3PC-1): nobody commits while
//! somebody who is up does not know yet that all have voted yes. If the network splits it breaks:
//! who knows it commits, and on the other side those who do not know it abort.
//!
//! **Roles.** Between votes and the decision there is one phase more. The coordinator tells
//! everybody that all have voted yes (`PreCommit`), and commits when everybody has that on disk.
//!
//! ```text
//! n1 (coordinator)           n2            n4             states of n2, n4
//! │── Prepare ──────────────>│────────────>│ intents      wait, wait
//! │<──────────────── Vote yes│─────────────│
//! │── PreCommit ────────────>│────────────>│              precommitted, precommitted
//! │<─────────────────── Ready│─────────────│
//! │ writes: commits          │             │
//! │── Commit ───────────────>│────────────>│              committed, committed
//! ```
//!
//! **Termination.** A participant that suspects the coordinator takes its place. It asks the others
//! how they stand (`Consult`). Who knows the outcome tells it, and who has not voted says abort. If
//! all are prepared: one has precommitted, so all may; those who have not are told, and then all
//! commit; or none has, so nobody can have committed, and all abort. Those who are suspected are
//! not asked, and it does not matter who takes over, or how many do.
//!
//! **Recovery.** Who was down does not count, since the others may have gone on without it
//! (`present`); it asks until it hears the outcome. Only if all others were down as well, what they
//! find on their disks decides: the coordinator commits only if one participant at least has
//! precommitted, so if none has, nobody committed. A key that got a new owner was down, too.
//!
//! **Sources.** Skeen 1981, *Nonblocking commit protocols*, sections 4 to 6 · Bernstein, Hadzilacos
//! and Goodman 1987, section 7.5 (termination, total failure).
//!
//! **What is left out.** Quorums that would survive a split (Keidar and Dolev 1995): Paxos Commit
//! does.

use super::participant::{Doubt, Job};
use super::{Cx, Message, Transactions};
use crate::base::{Commitment, Mutation, Name, NodeId, Outcome, TxnId};
use crate::event::Fact;
use std::collections::BTreeMap;

/// How a participant stands that is prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// It knows that all have voted yes.
    pub(super) ready: bool,
    /// It has been up since it voted.
    pub(super) present: bool,
}

/// What the states of those who count lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Wait,
    Ready,
    Commit,
    Abort,
}

fn way(states: &[State]) -> Way {
    match (states.iter().any(|state| state.ready), states.iter().all(|state| state.ready)) {
        (_, true) => Way::Commit,
        (true, false) => Way::Ready,
        (false, false) => Way::Abort,
    }
}

impl Transactions {
    /// The store has noted that all have voted yes, or knows better.
    pub(super) fn precommitted(&mut self, job: Job, outcome: &Outcome, cx: &mut Cx<'_>) {
        let Job { to, txn, key, .. } = job;
        match outcome {
            Outcome::Done | Outcome::Committed { .. } => {
                cx.send(to, Message::Ready { txn, key });
            }
            Outcome::Aborted { .. } => cx.send(to, Message::Vote { txn, key, yes: false }),
            _ => {}
        }
    }

    /// The coordinator does not know of a transaction any more.
    pub(super) fn orphaned(&mut self, txn: TxnId, key: Name) {
        if let Some(doubt) = self.doubts.get_mut(&(txn, key)) {
            doubt.orphan = true;
        }
    }

    /// Whether it has nothing to say of a transaction at a key: it is neither bound nor the owner.
    pub(super) fn is_stranger(&self, txn: TxnId, key: &Name, me: NodeId) -> bool {
        self.config.how == Commitment::ThreePhase
            && self.owners.of(key) != Some(me)
            && !self.doubts.contains_key(&(txn, key.clone()))
    }

    /// Somebody else has said how it stands.
    pub(super) fn has_state(&mut self, of: (TxnId, Name), key: Name, state: State) {
        if let Some(doubt) = self.doubts.get_mut(&of) {
            doubt.states.get_or_insert_default().insert(key, state);
        }
    }

    /// One more round in the place of a coordinator that is dead, or has forgotten.
    pub(super) fn terminate(&mut self, txn: TxnId, key: &Name, cx: &mut Cx<'_>) {
        let dead = self.suspected.contains(&txn.coordinator);
        if self.has(Mutation::ThreePhaseWait) {
            return;
        }
        let Some(doubt) = self.doubts.get_mut(&(txn, key.clone())) else { return };
        if !dead && !doubt.orphan {
            return;
        }
        if !std::mem::replace(&mut doubt.leads, true) {
            cx.emit(Fact::TakesOver { txn });
        }
        let round = doubt.clone();
        doubt.states = doubt.known.as_ref().map(|_| BTreeMap::new());
        self.recall(txn, key, cx);
        let Some((call, others)) = round.known.clone() else { return };
        let keys = || others.iter().chain([key]);
        match self.way(&round, &others) {
            Way::Wait => {}
            Way::Ready => {
                for key in keys() {
                    let Some(owner) = self.owners.of(key) else { continue };
                    cx.send(owner, Message::PreCommit { txn, call, key: key.clone() });
                }
            }
            way @ (Way::Commit | Way::Abort) => {
                let commit = way == Way::Commit;
                cx.emit(Fact::Decides { txn, commit });
                for key in keys() {
                    let Some(owner) = self.owners.of(key) else { continue };
                    cx.send(owner, Message::Decide { txn, call, key: key.clone(), commit });
                }
            }
        }
        self.consult_all(txn, call, key, &others, cx);
    }

    /// What follows from the answers of a round.
    fn way(&self, round: &Doubt, others: &[Name]) -> Way {
        let dead = |key: &Name| self.owners.of(key).is_none_or(|id| self.suspected.contains(&id));
        let Some(answers) = &round.states else { return Way::Wait };
        let known = |key: &Name| answers.contains_key(key);
        if others.iter().any(|key| !known(key) && !dead(key)) {
            return Way::Wait;
        }
        if self.has(Mutation::ThreePhaseIgnoreReady) && !round.own.ready {
            return Way::Abort;
        }
        let mut states = vec![round.own];
        states.extend(answers.values().copied());
        match (round.own.present, states.iter().any(|state| state.present)) {
            (true, _) => {
                states.retain(|state| state.present);
                way(&states)
            }
            // Nobody was there all the time: only all of them together know enough.
            (false, false) if others.iter().all(known) => way(&states),
            (false, _) => Way::Wait,
        }
    }
}
