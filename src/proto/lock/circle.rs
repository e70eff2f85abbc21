//! Deadlocks: clients that wait for each other in a circle, found in the table of locks.
//!
//! Who waits for a lock waits for its holder. The table is the same at all replicas, so that they
//! find the same circles in the same slot, and none that is over: a detector that gathers who waits
//! from several places at several times finds *phantoms*. A circle comes up when somebody lines up,
//! and also when a lock is granted to a client that waits elsewhere. Of each circle the call that
//! lined up last is refused. What its client holds, it keeps; it is up to the client to give that
//! back.
//!
//! **Sources.** Chandy, Misra and Haas, *Distributed deadlock detection* (1983) (what a detector
//! must not report); Knapp, *Deadlock detection in distributed databases* (1987).
//!
//! **What is left out.** Who is further behind in a queue waits for those before it, too: that
//! becomes a circle when they are granted the lock, and is found then.

use super::table::Table;
use crate::base::{CallId, Mutation, Mutations, Name, NodeId};
use std::collections::BTreeSet;

/// Calls that wait, each for a lock that the client of the next one holds; the last for one that
/// the first client holds.
pub(super) type Circle = Vec<(CallId, Name)>;

impl Table {
    /// Clients that wait for each other, if there are any.
    pub(super) fn circle(&self, mutations: Mutations) -> Option<Circle> {
        let all: BTreeSet<NodeId> = self.waiters().map(|call| call.client).collect();
        all.into_iter().find_map(|client| {
            let (mut path, mut seen) = (Vec::new(), BTreeSet::new());
            self.leads_to(client, client, mutations, &mut path, &mut seen).then_some(path)
        })
    }

    /// Follows who waits for whom from a client on. Whether that leads to `goal`, by `path`.
    fn leads_to(
        &self,
        from: NodeId,
        goal: NodeId,
        mutations: Mutations,
        path: &mut Circle,
        seen: &mut BTreeSet<NodeId>,
    ) -> bool {
        if !seen.insert(from) {
            return false;
        }
        let stale = mutations.has(Mutation::DeadlockStale);
        for (name, call, holder) in self.waits_of(from, stale) {
            path.push((call, name.clone()));
            if holder == goal || self.leads_to(holder, goal, mutations, path, seen) {
                return true;
            }
            path.pop();
        }
        false
    }
}
