//! Locks, leases and fences.
//!
//! | rule | holds as long as |
//! |---|---|
//! | LOCK-1 | by the order of the log, a lock is granted only when nobody holds it, or all who do read as well, or a permit is left; and no call twice |
//! | LOCK-3 | a release, renewal or expiry affects only the grant that it names, and only if that is its caller's own and was not renewed since |
//! | LOCK-6 | a client believes to hold a lock only for as long as its lease lasts, counted from when it asked |
//! | LOCK-7 | who waits is granted the lock in the order of asking |
//! | LOCK-8 | all replicas say the same of the same slot |
//! | LOCK-9 | a lease does not run out before its time, counted from the last grant or renewal |
//! | LOCK-10 | a call is refused for a deadlock only if its client then waits, by others, for itself, and lined up last |
//! | LOCK-11 | where deadlocks are looked for, none stays |
//! | LOCK-12 | who is first in line is granted the lock in the slot that makes it free for it |
//! | RL-1 | where several instances keep a lock, each for itself, no client's grant begins while another's is good |
//! | FENCE-1 | tokens of successive grants rise, where grants are counted (CON-2) |
//! | FO-1 | a primary answers no write that a later one has not begun with |
//! | FO-2 | who takes over has every write that was answered |
//! | FO-3 | each epoch has one primary |
//! | FO-5 | a node that goes by a new primary grants no other epoch before half of the hold-down is over |
//! | FO-6 | who is made primary has granted the epoch: those who decide have reached it |
//! | FENCE-2 | a resource accepts no token below one that it has accepted |
//! | SES-1 | a client with a session believes to hold a lock only under a token that the log has granted it (ZKL-1) |
//! | SES-2 | what hangs on a session goes with it in the same slot, and not before unless the session removes it (ZKL-3, CON-3) |
//! | SES-3 | a session does not end before its time, counted from its last sign of life (ETL-1) |
//! | SES-4 | a client takes its session for expired only if the log has ended it |
//! | SES-5 | a client is told that a lock is its own only if the log has granted it (ETL-2) |
//! | SES-6 | where a leader keeps the time of sessions, no earlier leader ends any (ETL-3) |
//! | SES-7 | by the check of a node only sessions end that hang on it |
//! | CON-1 | a lock that its holder's session lost is granted to nobody before its lock-delay is over |
//! | W-1 | who follows changes is told them in the order of slots, and none twice |
//! | W-2 | none is left out, and what is forgotten is said to be; whichever nodes tell (W-4) |
//! | W-3 | all changes of a slot are told together |
//! | W-5 | who is told that there are no others up to a slot was told all up to there |
//! | W-6 | only what the log did is told |
//! | W-7 | a client sees nothing older than what it has seen, before it was restarted, too |
//!
//! Where locks are keys that expire, LOCK-1, LOCK-3 and FENCE-1 are judged by each instance's own
//! words, and nobody waits in a queue (LOCK-7).
//!
//! LOCK-2, two clients that believe they hold one lock, is legal: leases cannot prevent it. It is
//! counted ([`Lock::overlaps`]). Legal too: a rejected write, and an old holder's write that is
//! accepted before the new holder's first.
//!
//! A newcomer hears from every replica how each lock stands as of the last slot that the replica
//! applied, and judges from the newest of these on.
//!
//! Sources: Burrows 2006, section 2.4; Kleppmann, *How to do distributed locking* (2016).

mod circles;
mod consul;
mod failover;
mod ghost;
mod keys;
mod leases;
mod sessions;
mod watching;

use super::{Check, Expect, Violation, Witness};
use crate::base::{CallId, Entry, LockMode, Name, NodeId, Slot, Token};
use crate::event::{Event, Fact, Freed, Kind};
use circles::Circles;
use consul::Delays;
use failover::Failover;
use ghost::{Deed, Ghost, Held, Said};
use keys::Keys;
use leases::Leases;
use sessions::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use watching::Watching;

/// How many statements about one lock are kept, to compare other replicas' with.
const KEPT: usize = 512;

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    ghosts: BTreeMap<Name, Ghost>,
    /// Who is just telling how locks stand.
    telling: BTreeSet<NodeId>,
    /// What each replica applied last.
    applied: BTreeMap<NodeId, (Slot, Arc<Entry>)>,
    /// The last slot that any replica applied.
    newest: Slot,
    /// The largest token that each resource accepted, and where.
    fences: BTreeMap<Name, (Token, usize)>,
    believers: BTreeMap<Name, Vec<(NodeId, LockMode)>>,
    /// The locks of which the newest slot has changed who holds them or who waits.
    changed: BTreeSet<Name>,
    leases: Leases,
    keys: Keys,
    sessions: Sessions,
    watching: Watching,
    failover: Failover,
    delays: Delays,
    circles: Circles,
    /// Whether deadlocks are looked for.
    detects: bool,
    overlaps: u64,
}

impl Check for Lock {
    fn name(&self) -> &'static str {
        "lock"
    }

    fn about(&self) -> &'static str {
        "A lock has one holder by the log's order, is granted in the order of asking, and late \
         writes do not pass its fence."
    }

    /// Replicas say everything, so that the others make up for what one was not heard to say. If
    /// all were missed, nothing is judged before one has told how things stand.
    fn gap(&mut self, node: NodeId) {
        let hit = |who: NodeId| node == NodeId::BENCH || who == node;
        self.believers.values_mut().for_each(|all| all.retain(|(who, _)| !hit(*who)));
        self.applied.retain(|who, _| !hit(*who));
        self.telling.retain(|who| !hit(*who));
        self.leases.forget(hit);
        self.keys.forget(hit);
        self.sessions.forget(hit);
        self.watching.forget(hit);
        self.failover.forget(hit);
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(
            event.fact(),
            Some(
                Fact::Granted { .. } | Fact::Queued { .. } | Fact::Guards { .. } | Fact::Key { .. }
            )
        )
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let broken = match &event.kind {
            Kind::Killed { .. } => {
                self.telling.remove(&event.node);
                self.sessions.forget(|who| who == event.node);
                self.watching.forget(|who| who == event.node);
                let others = |(who, _): &(NodeId, LockMode)| *who != event.node;
                self.believers.values_mut().for_each(|all| all.retain(others));
                None
            }
            // Before it says how things stand, something may be missing before what it says.
            Kind::Fact(fact)
                if slot_of(fact).is_some()
                    && witness.misses(event.node)
                    && !witness.restates(event.node) =>
            {
                None
            }
            Kind::Fact(fact) => {
                let stays = self.stays(fact).filter(|_| witness.is_whole());
                let heard = self.hear(at, event.node, fact, witness.restates(event.node));
                let of_locks = heard.or(stays);
                let applied = self.applied.get(&event.node);
                let entry = applied.map(|(_, entry)| entry.clone());
                let entry = entry.as_deref();
                let of_locks =
                    of_locks.or(self.hear_of_circles(fact).filter(|_| witness.is_whole()));
                let broken = of_locks.or(self.sessions.see(at, event.node, fact, entry, witness));
                let of_delays = self.delays.see(at, fact, entry);
                let broken = broken.or(of_delays.filter(|_| witness.is_whole()));
                broken.or(self.watching.see(at, event.node, fact, witness))
            }
            _ => None,
        };
        let broken = self.leases.see(at, event, witness).or(broken);
        let judges = !self.leases.has_strays();
        let broken = self.failover.see(at, event, witness).or(broken);
        let broken = self.keys.see(at, event, witness, judges).or(broken);
        broken.map(|Broken { rule, what, because }| {
            let because = because.into_iter().collect();
            Violation { check: "lock", rule, what, at, because }
        })
    }
}

/// A rule that was broken, by which earlier event.
struct Broken {
    rule: &'static str,
    what: String,
    because: Option<usize>,
}

fn broken(rule: &'static str, because: Option<usize>, what: String) -> Option<Broken> {
    Some(Broken { rule, what, because })
}

/// The slot that a statement of a replica is about.
fn slot_of(fact: &Fact) -> Option<Slot> {
    match fact {
        Fact::Applies { slot, .. }
        | Fact::Granted { slot, .. }
        | Fact::Queued { slot, .. }
        | Fact::Renewed { slot, .. }
        | Fact::Freed { slot, .. }
        | Fact::Left { slot, .. }
        | Fact::LockIs { slot, .. } => Some(*slot),
        _ => None,
    }
}

impl Lock {
    /// For such a cluster.
    pub fn new(expect: &Expect) -> Lock {
        let (keys, failover) = (Keys::new(expect.counted), Failover::new(expect.failover.as_ref()));
        Lock { keys, failover, detects: expect.detects, ..Lock::default() }
    }

    /// How often a client began to believe that it holds a lock while another did.
    pub fn overlaps(&self) -> u64 {
        self.overlaps
    }

    /// Whether a circle stays, or somebody waits for nothing, now that the next slot is taken in.
    fn stays(&mut self, fact: &Fact) -> Option<Broken> {
        let Fact::Applies { slot, .. } = fact else { return None };
        if *slot <= self.newest {
            return None;
        }
        let changed = std::mem::take(&mut self.changed);
        let idle = changed.iter().find_map(|name| self.ghosts.get(name)?.idle(name, *slot));
        idle.or_else(|| Circles::left(&self.ghosts, *slot).filter(|_| self.detects))
    }

    fn hear_of_circles(&mut self, fact: &Fact) -> Option<Broken> {
        match fact {
            Fact::Deadlock(deadlock) => self.circles.reported(&self.ghosts, deadlock),
            _ => None,
        }
    }

    fn hear(&mut self, at: usize, node: NodeId, fact: &Fact, again: bool) -> Option<Broken> {
        match fact {
            // What came of it is not said again.
            Fact::Applies { .. } if again => None,
            Fact::Applies { slot, entry, .. } => {
                self.telling.remove(&node);
                self.newest = self.newest.max(*slot);
                self.applied.insert(node, (*slot, entry.clone()));
                None
            }
            Fact::LockIs { slot, lock, token, held } => {
                self.adopt(at, node, *slot, lock, (*token, held));
                None
            }
            Fact::Granted { slot, lock, call, token, mode, .. } => {
                self.say(at, node, *slot, lock, Deed::Granted, Said::Granted(*call, *token, *mode))
            }
            Fact::Queued { slot, lock, call, mode, .. } => {
                self.say(at, node, *slot, lock, Deed::Queued, Said::Queued(*call, *mode))
            }
            Fact::Renewed { slot, lock, token, .. } => {
                self.say(at, node, *slot, lock, Deed::Renewed, Said::Renewed(*token))
            }
            Fact::Freed { slot, lock, token, why } => {
                self.say(at, node, *slot, lock, Deed::Freed, Said::Freed(*token, *why))
            }
            Fact::Left { slot, lock, call } => {
                self.leaves(*slot, lock, *call);
                None
            }
            Fact::Restated => {
                self.telling.remove(&node);
                None
            }
            Fact::Guards { resource, call, token, highest, accepted: true } => {
                self.guard(at, resource, *call, (*token, *highest))
            }
            Fact::Holds { lock, mode, .. } => {
                let all = self.believers.entry(lock.clone()).or_default();
                if !all.iter().any(|(who, _)| *who == node) {
                    self.overlaps += u64::from(!mode.fits(all.iter().map(|(_, mode)| *mode)));
                    all.push((node, *mode));
                }
                None
            }
            Fact::LetsGo { lock, .. } => {
                if let Some(all) = self.believers.get_mut(lock) {
                    all.retain(|(who, _)| *who != node);
                }
                None
            }
            _ => None,
        }
    }

    /// A replica restates a lock. What it says is news only if nobody was heard to apply as much:
    /// then the ghost starts from there.
    fn adopt(
        &mut self,
        at: usize,
        node: NodeId,
        slot: Slot,
        lock: &Name,
        (token, held): (Token, &[(Token, u32)]),
    ) {
        if slot <= self.newest {
            return;
        }
        let ghost = self.ghosts.entry(lock.clone()).or_default();
        if slot > ghost.slot {
            // Who holds it and who waits is said next; of slots up to here, nothing else is judged.
            let unknown = |(token, renewals): &(Token, u32)| {
                let (call, mode) = (CallId::default(), LockMode::Alone);
                Held { call, token: *token, renewals: *renewals, at, mode }
            };
            let held = held.iter().map(unknown).collect();
            let (told_by, token_at) = (Some(node), at);
            self.telling.insert(node);
            *ghost = Ghost { slot, base: slot, told_by, held, token, token_at, ..Ghost::default() };
        }
    }

    fn say(
        &mut self,
        at: usize,
        node: NodeId,
        slot: Slot,
        lock: &Name,
        deed: Deed,
        said: Said,
    ) -> Option<Broken> {
        let tells = self.telling.contains(&node);
        let ghost = self.ghosts.entry(lock.clone()).or_default();
        let which = ghost.which(said);
        if let Some((before, then)) = ghost.known(slot, deed, which, said) {
            let what = format!("{node} says of {lock} in slot {slot}: {said}, not {before}");
            return if before == said { None } else { broken("LOCK-8", Some(then), what) };
        }
        if tells && ghost.told_by == Some(node) && slot <= ghost.base {
            ghost.take_restated(slot, said, at);
        }
        if slot <= ghost.base || slot < ghost.slot {
            return None;
        }
        (ghost.slot, ghost.told_by) = (slot, None);
        ghost.said.insert((slot, deed, which), (said, at));
        if ghost.said.len() > KEPT {
            ghost.said.pop_first();
        }
        self.changed.insert(lock.clone());
        let entry = self.applied.get(&node).filter(|(applied, _)| *applied == slot);
        let entry = entry.map(|(_, entry)| entry.clone());
        if said == Said::Freed(ghost.token, Freed::Ended) && self.delays.begins_anew(lock) {
            ghost.token = 0;
        }
        match said {
            Said::Granted(call, token, mode) => ghost.grant(at, lock, (call, token, mode)),
            Said::Queued(call, mode) => {
                ghost.queue.push_back((call, mode));
                None
            }
            Said::Renewed(token) => ghost.renew(lock, token, entry.as_deref()),
            Said::Freed(token, why) => ghost.free(lock, token, why, entry.as_deref()),
        }
    }

    /// Somebody waits no longer. A slower replica may say so after what else the slot did.
    fn leaves(&mut self, slot: Slot, lock: &Name, call: CallId) {
        let ghost = self.ghosts.entry(lock.clone()).or_default();
        if slot > ghost.base && slot >= ghost.slot {
            (ghost.slot, ghost.told_by) = (slot, None);
            ghost.queue.retain(|(waiter, _)| *waiter != call);
            self.changed.insert(lock.clone());
        }
    }

    /// The resource says itself which token was the highest, which a newcomer did not see.
    fn guard(
        &mut self,
        at: usize,
        resource: &Name,
        call: CallId,
        (token, said): (Token, Token),
    ) -> Option<Broken> {
        let (highest, then) = self.fences.get(resource).copied().unwrap_or_default();
        if token < highest {
            let what = format!(
                "{resource} accepts {call} with token {token} after it accepted token {highest}"
            );
            return broken("FENCE-2", Some(then), what);
        }
        if token < said {
            let what = format!("{resource} accepts {call} with token {token} after token {said}");
            return broken("FENCE-2", None, what);
        }
        self.fences.insert(resource.clone(), (token, at));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Op, Span, Time};
    use crate::event::LetGo;

    fn name() -> Name {
        "door".parse().unwrap()
    }

    fn call(client: u16) -> CallId {
        CallId { client: NodeId::client(client), seq: 1 }
    }

    fn granted(slot: Slot, client: u16, token: Token) -> Fact {
        let (lock, call, ttl) = (name(), call(client), Span::secs(1));
        Fact::Granted { slot, lock, call, token, ttl, mode: LockMode::Alone }
    }

    fn queued(slot: Slot, client: u16) -> Fact {
        let mode = LockMode::Alone;
        Fact::Queued { slot, lock: name(), call: call(client), ahead: 0, mode }
    }

    fn freed(slot: Slot, token: Token, why: Freed) -> Fact {
        Fact::Freed { slot, lock: name(), token, why }
    }

    fn applies(slot: Slot, client: u16, op: Op) -> Fact {
        let entry = Arc::new(Entry { call: CallId { seq: slot, ..call(client) }, op });
        Fact::Applies { slot, entry, digest: 0 }
    }

    fn guards(token: Token, accepted: bool) -> Fact {
        Fact::Guards { resource: name(), call: call(1), token, highest: 0, accepted }
    }

    /// The rules that facts of these nodes break, stated more than a lease apart.
    fn rules(facts: &[(u16, Fact)]) -> Vec<&'static str> {
        let mut check = Lock::default();
        let mut see = |(at, (node, fact)): (usize, &(u16, Fact))| {
            let kind = Kind::Fact(fact.clone());
            let time = Time::ZERO + Span::secs(2 * at as u64);
            let event = Event { at: time, node: NodeId::node(*node), kind };
            check.see(at, &event, &Witness::of_nobody())
        };
        facts.iter().enumerate().filter_map(&mut see).map(|violation| violation.rule).collect()
    }

    #[test]
    fn a_grant_of_a_held_lock_is_found_by_whichever_replica_says_it_first() {
        let release = Op::Release { lock: name(), token: 1 };
        let fine = [
            (1, granted(1, 1, 1)),
            (2, granted(1, 1, 1)),
            (2, applies(2, 1, release)),
            (2, freed(2, 1, Freed::Released)),
            (2, granted(3, 2, 3)),
            (1, freed(2, 1, Freed::Released)),
            (1, granted(3, 2, 3)),
        ];
        assert_eq!(rules(&fine), [""; 0]);
        assert_eq!(rules(&[(1, granted(1, 1, 1)), (2, granted(3, 2, 3))]), ["LOCK-1"]);
        assert_eq!(rules(&[(1, granted(1, 1, 1)), (2, granted(1, 2, 1))]), ["LOCK-8"]);
    }

    #[test]
    fn a_lock_is_shared_only_by_those_who_agree() {
        let shared = |slot, client, mode| match granted(slot, client, slot) {
            Fact::Granted { slot, lock, call, token, ttl, .. } => {
                (1, Fact::Granted { slot, lock, call, token, ttl, mode })
            }
            other => (1, other),
        };
        let reads = |slot, client| shared(slot, client, LockMode::Read);
        let permit = |slot, client| shared(slot, client, LockMode::OneOf(2));
        assert_eq!(rules(&[reads(1, 1), reads(2, 2)]), [""; 0]);
        assert_eq!(rules(&[reads(1, 1), (1, granted(2, 2, 2))]), ["LOCK-1"]);
        assert_eq!(rules(&[(1, granted(1, 1, 1)), reads(2, 2)]), ["LOCK-1"]);
        assert_eq!(rules(&[permit(1, 1), permit(2, 2)]), [""; 0]);
        assert_eq!(rules(&[permit(1, 1), permit(2, 2), permit(3, 3)]), ["LOCK-1"]);
        assert_eq!(rules(&[permit(1, 1), permit(2, 1)]), ["LOCK-1"], "the same call twice");
        let waits = [reads(1, 1), (1, queued(2, 2)), reads(3, 3)];
        assert_eq!(rules(&waits), ["LOCK-7"], "a writer waits");
    }

    #[test]
    fn nobody_waits_for_a_lock_that_is_free_for_it() {
        let noop = |slot| (1, applies(slot, 1, Op::Noop));
        let facts = |next| {
            let free = (1, freed(3, 1, Freed::Expired));
            let expire = applies(3, 9, Op::Expire { lock: name(), token: 1, renewals: 0 });
            rules(&[(1, granted(1, 1, 1)), (1, queued(2, 2)), (1, expire), free, next, noop(4)])
        };
        assert_eq!(facts((1, granted(3, 2, 3))), [""; 0]);
        assert_eq!(facts(noop(3)), ["LOCK-12"]);
    }

    #[test]
    fn tokens_must_rise() {
        let free = (1, freed(2, 5, Freed::Expired));
        let again = [(1, granted(1, 1, 5)), free, (1, granted(3, 2, 5))];
        assert_eq!(rules(&again), ["FENCE-1"]);
    }

    #[test]
    fn only_the_own_grant_can_be_ended() {
        let end = |op: Op, why: Freed| {
            let client = if why == Freed::Released { 2 } else { 1 };
            let lock = name();
            let renew = applies(2, 1, Op::Renew { lock: lock.clone(), token: 1 });
            let renewed = Fact::Renewed { slot: 2, lock, token: 1, ttl: Span::secs(1) };
            let facts =
                [granted(1, 1, 1), renew, renewed, applies(3, client, op), freed(3, 1, why)];
            rules(&facts.map(|fact| (1, fact)))
        };
        let lock = name();
        let release = Op::Release { lock: lock.clone(), token: 1 };
        assert_eq!(end(release, Freed::Released), ["LOCK-3"], "by a stranger");
        let old = Op::Expire { lock: lock.clone(), token: 1, renewals: 0 };
        assert_eq!(end(old, Freed::Expired), ["LOCK-3"], "it was renewed");
        let right = Op::Expire { lock, token: 1, renewals: 1 };
        assert_eq!(end(right, Freed::Expired), [""; 0]);
    }

    #[test]
    fn who_asked_first_is_next() {
        let facts = |first, second| {
            let free = freed(4, 1, Freed::Expired);
            let all = [granted(1, 1, 1), queued(2, 2), queued(3, 3), free];
            let after = [granted(4, first, 4), freed(5, 4, Freed::Expired), granted(5, second, 5)];
            let all: Vec<_> = all.into_iter().chain(after).map(|fact| (1, fact)).collect();
            rules(&all)
        };
        assert_eq!(facts(2, 3), [""; 0]);
        assert_eq!(facts(3, 2), ["LOCK-7"]);
    }

    #[test]
    fn a_restarted_replica_that_repeats_old_facts_is_no_news() {
        let expired = freed(3, 1, Freed::Expired);
        let lock_is = |slot| Fact::LockIs { slot, lock: name(), token: 1, held: vec![(1, 0)] };
        let facts = [
            (1, applies(1, 1, Op::Noop)),
            (1, granted(1, 1, 1)),
            (1, queued(2, 2)),
            (1, applies(3, 1, Op::Noop)),
            (2, lock_is(2)),
            (2, granted(1, 1, 1)),
            (2, queued(2, 2)),
            (1, freed(3, 1, Freed::Released)),
            (1, granted(3, 2, 3)),
        ];
        let noop = [(1, applies(9, 1, Op::Noop))];
        assert_eq!(rules(&facts[..7]), [""; 0]);
        assert_eq!(rules(&[&facts[..7], &noop].concat()), [""; 0]);
        let joined_late = [
            (2, lock_is(9)),
            (2, granted(1, 1, 1)),
            (2, queued(2, 2)),
            (1, expired),
            (1, freed(10, 1, Freed::Expired)),
            (1, granted(10, 3, 10)),
        ];
        assert_eq!(rules(&joined_late), ["LOCK-7"], "it knows the queue from what was restated");
    }

    #[test]
    fn a_fence_is_judged_by_what_was_accepted() {
        let one = |fact| (1, fact);
        let legal = [guards(5, true), guards(5, true), guards(9, true), guards(5, false)].map(one);
        assert_eq!(rules(&legal), [""; 0]);
        assert_eq!(rules(&[guards(9, true), guards(5, true)].map(one)), ["FENCE-2"]);
    }

    #[test]
    fn overlapping_beliefs_are_counted_and_not_reported() {
        let mut check = Lock::default();
        let mode = LockMode::Alone;
        let holds = Fact::Holds { lock: name(), token: 1, lease: Span::secs(1), mode };
        let lets_go = Fact::LetsGo { lock: name(), token: 1, why: LetGo::RanOut };
        let mut see = |client, kind| {
            let event = Event { at: Time::ZERO, node: NodeId::client(client), kind };
            assert_eq!(check.see(0, &event, &Witness::of_nobody()), None);
            check.overlaps()
        };
        assert_eq!(see(1, Kind::Fact(holds.clone())), 0);
        assert_eq!(see(1, Kind::Fact(holds.clone())), 0, "renewed");
        assert_eq!(see(2, Kind::Fact(holds.clone())), 1);
        see(1, Kind::Fact(lets_go));
        see(2, Kind::Killed { lost: 0 });
        assert_eq!(see(3, Kind::Fact(holds)), 1);
    }
}
