//! Deadlocks: what is reported is one, and where they are looked for none stays.

use super::{Broken, Ghost, broken};
use crate::base::{CallId, Name, NodeId, Slot};
use crate::event::Deadlock;
use std::collections::{BTreeMap, BTreeSet};

/// All locks, as the log has them.
type Ghosts = BTreeMap<Name, Ghost>;

/// The circles of clients that wait for each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Circles {
    /// The last one that was reported: other replicas say the same later.
    last: (Slot, CallId),
}

impl Circles {
    /// LOCK-10: one is reported only if all wait for each other, and the last to line up gives way.
    pub(super) fn reported(&mut self, ghosts: &Ghosts, deadlock: &Deadlock) -> Option<Broken> {
        let Deadlock { slot, circle, victim } = deadlock;
        if (*slot, *victim) <= self.last {
            return None;
        }
        self.last = (*slot, *victim);
        let next = circle.iter().cycle().skip(1);
        for ((call, lock), (holder, _)) in circle.iter().zip(next) {
            let ghost = ghosts.get(lock);
            let waits =
                ghost.is_some_and(|ghost| ghost.queue.iter().any(|(waits, _)| waits == call));
            let mut held = ghost.into_iter().flat_map(|ghost| &ghost.held);
            if !waits || !held.any(|held| held.call.client == holder.client) {
                let what = format!(
                    "slot {slot} refuses {victim} for a deadlock, and {} does not wait for {} \
                     because of {lock}",
                    call.client, holder.client
                );
                return broken("LOCK-10", None, what);
            }
        }
        let place =
            |(call, lock): &&(CallId, Name)| ghosts.get(lock).and_then(|it| it.place(*call));
        let last = circle.iter().max_by_key(place).map(|(call, _)| *call);
        let what = format!("slot {slot} refuses {victim} of a circle that others joined later");
        if last == Some(*victim) { None } else { broken("LOCK-10", None, what) }
    }

    /// LOCK-11: by the next slot, no circle is there.
    pub(super) fn left(ghosts: &Ghosts, slot: Slot) -> Option<Broken> {
        let waits = ghosts.values().flat_map(|ghost| ghost.queue.iter());
        let all: BTreeSet<NodeId> = waits.map(|(call, _)| call.client).collect();
        let circle = all.into_iter().find(|who| goes_round(ghosts, *who))?;
        let what = format!("{circle} waits for itself, by others, and slot {slot} is there");
        broken("LOCK-11", None, what)
    }
}

/// Whether a client waits, by others, for itself.
fn goes_round(ghosts: &Ghosts, who: NodeId) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![who]);
    while let Some(client) = next.pop() {
        // Who waits for a permit waits for any of those who have one.
        let waits = |ghost: &&Ghost| {
            ghost.queue.iter().any(|(call, mode)| call.client == client && !mode.is_permit())
        };
        let held = ghosts.values().filter(waits).flat_map(|ghost| &ghost.held);
        for holder in held.map(|held| held.call.client) {
            if holder == who {
                return true;
            }
            if seen.insert(holder) {
                next.push(holder);
            }
        }
    }
    false
}
