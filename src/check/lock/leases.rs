//! How long leases last: for the client that has one, and for the service that gave it.
//!
//! Both count on clocks of their own, which may run a little fast or slow; so a tenth of the lease
//! is allowed for that, and nobody is judged whose clock was made to run worse. A client that is
//! frozen may believe for longer. That is legal, and nothing is said about it: what counts is until
//! when it says that it will believe.
//!
//! Whoever leads counts a lease from when it applied the grant, and says so when its disk lets it.
//! A grant that is said while a node is frozen or has a slow disk, or within a lease after that, is
//! of unknown age, and nobody is blamed for ending it early.

use super::{Broken, broken};
use crate::base::{Name, NodeId, Op, SessionId, Slot, Span, Time, Token};
use crate::check::Witness;
use crate::command::{ClockFault, Command, DiskFault};
use crate::event::{Event, Fact, Freed, KeyDeed, Kind, Lapse, SessionFact};
use std::collections::{BTreeMap, BTreeSet};

/// How many millionths a clock may run too fast or too slow for leases to be judged by it.
const MAX_DRIFT: u32 = 50_000;
/// One of so many parts of a lease is allowed for clocks.
const SLACK_PART: u64 = 10;

/// A lease as the service counts it.
#[derive(Clone, Copy, Debug)]
struct Given {
    /// The slot that gave it; of an instance's key, which event said so.
    slot: Slot,
    since: Time,
    ttl: Span,
    at: usize,
    /// Whether it was said when it was applied.
    sure: bool,
}

/// How long after its trouble a node may still say late what it did to sessions.
const BACKLOG: Span = Span::secs(10);

/// What a lease is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leased {
    /// By the log.
    Lock(Name, Token),
    /// By an instance.
    Key(NodeId, Name),
    Session(SessionId),
    /// Nobody may take the lock for so long.
    Delay(Name),
}

/// What leases are judged by.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    given: BTreeMap<Leased, Given>,
    /// The newest slot that did something to a lock: slower replicas say the same later.
    newest: BTreeMap<Name, Slot>,
    /// For how long the session of a client lasts.
    sessions: BTreeMap<NodeId, Span>,
    /// When a client last asked for a lease of a lock, for how long, and in which event.
    asked: BTreeMap<(NodeId, Name), (Time, Span, usize)>,
    /// Whose clock runs too badly to be judged by, or did once.
    strays: BTreeSet<NodeId>,
    /// Who may say late what it did: it is frozen, or its disk is slow (`true`).
    late: BTreeSet<(NodeId, bool)>,
    /// When somebody last ceased to be late.
    caught_up: Option<Time>,
    /// Clients ask again and again for what is taken, each time anew, since nobody lets them wait.
    polls: bool,
}

impl Leases {
    /// Events of these processes were missed: they may have asked for anything.
    pub(super) fn forget(&mut self, hit: impl Fn(NodeId) -> bool) {
        self.asked.retain(|(who, _), _| !hit(*who));
    }

    /// Takes an event in.
    pub(super) fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Broken> {
        let node = event.node;
        match &event.kind {
            Kind::Commanded(command) => {
                self.obey(event.at, command);
                None
            }
            Kind::Present { faults, .. } => {
                faults.iter().for_each(|command| self.obey(event.at, command));
                None
            }
            Kind::Paused | Kind::Resumed => {
                self.lags(event.at, (node, false), event.kind == Kind::Paused);
                None
            }
            Kind::Killed { .. } => {
                self.forget(|who| who == node);
                self.lags(event.at, (node, false), false);
                None
            }
            // What it says before it has said how things stand may be late.
            Kind::Fact(Fact::Invokes { op, retry, .. })
                if (*retry == 0 || self.polls) && !witness.misses(node) =>
            {
                self.ask(at, event, op);
                None
            }
            Kind::Fact(Fact::Primary { .. }) => {
                self.polls = true;
                None
            }
            Kind::Fact(Fact::Holds { lock, lease, .. }) => self.believes(event, lock, *lease),
            Kind::Fact(
                Fact::Granted { slot, lock, token, ttl, .. }
                | Fact::Renewed { slot, lock, token, ttl },
            ) => {
                if self.is_news(lock, *slot) {
                    self.give(at, event.at, Leased::Lock(lock.clone(), *token), (*slot, *ttl));
                }
                None
            }
            Kind::Fact(Fact::Key { lock, deed }) => self.hear_key(at, event, lock, deed, witness),
            Kind::Fact(Fact::Session(fact)) => self.hear(at, event, fact, witness),
            Kind::Fact(Fact::Freed { slot, lock, token, why }) if self.is_news(lock, *slot) => {
                let of = Leased::Lock(lock.clone(), *token);
                let judged = *why == Freed::Expired && witness.is_whole();
                let broken = judged.then(|| self.expires(event, *slot, &of, "LOCK-9"));
                self.given.remove(&of);
                broken.flatten()
            }
            _ => None,
        }
    }

    /// Whether what a slot did to a lock is no older than what is known.
    fn is_news(&mut self, lock: &Name, slot: Slot) -> bool {
        let newest = self.newest.entry(lock.clone()).or_default();
        *newest = slot.max(*newest);
        slot == *newest
    }

    /// Whether some clock runs, or ran, too badly for leases to be judged.
    pub(super) fn has_strays(&self) -> bool {
        !self.strays.is_empty()
    }

    fn hear_key(
        &mut self,
        at: usize,
        event: &Event,
        lock: &Name,
        deed: &KeyDeed,
        witness: &Witness,
    ) -> Option<Broken> {
        let by = Leased::Key(event.node, lock.clone());
        match *deed {
            KeyDeed::Set { ttl, .. }
            | KeyDeed::Has { left: ttl, .. }
            | KeyDeed::Extended { ttl, .. } => {
                self.give(at, event.at, by, (at as Slot, ttl));
                None
            }
            KeyDeed::Gone { why: Freed::Expired, .. } if witness.is_whole() => {
                self.expires(event, at as Slot, &by, "LOCK-9")
            }
            KeyDeed::Gone { .. } => None,
        }
    }

    fn obey(&mut self, at: Time, command: &Command) {
        match command {
            Command::Clock { who, fault: ClockFault::Drift(drift) }
                if drift.unsigned_abs() > MAX_DRIFT =>
            {
                self.strays.extend(who.nodes());
            }
            Command::Disk { who, fault: DiskFault::Slow(_) } => {
                who.nodes().iter().for_each(|id| self.lags(at, (*id, true), true));
            }
            Command::Disk { who, fault: DiskFault::Ok } => {
                who.nodes().iter().for_each(|id| self.lags(at, (*id, true), false));
            }
            _ => {}
        }
    }

    fn lags(&mut self, at: Time, who: (NodeId, bool), so: bool) {
        match so {
            true => drop(self.late.insert(who)),
            false if self.late.remove(&who) => self.caught_up = Some(at),
            false => {}
        }
    }

    /// The service gave a lease, or prolonged it, in this slot.
    fn give(&mut self, at: usize, since: Time, of: Leased, (slot, ttl): (Slot, Span)) {
        // Sessions make many entries, which a disk that was slow may write for a while.
        let wait = match of {
            Leased::Session(_) | Leased::Delay(_) => ttl.max(BACKLOG),
            Leased::Lock(..) | Leased::Key(..) => ttl,
        };
        let sure = self.is_sure(since, wait);
        // Other replicas say it later.
        if self.given.get(&of).is_none_or(|known| known.slot < slot) {
            self.given.insert(of, Given { slot, since, ttl, at, sure });
        }
    }

    /// Whether what is said now is said when it happens: nobody is late, nor was so a `wait` ago.
    fn is_sure(&self, now: Time, wait: Span) -> bool {
        self.late.is_empty() && self.caught_up.is_none_or(|then| now > then + wait)
    }

    fn hear(
        &mut self,
        at: usize,
        event: &Event,
        fact: &SessionFact,
        witness: &Witness,
    ) -> Option<Broken> {
        match fact {
            SessionFact::Asks { ttl, .. } => {
                self.sessions.insert(event.node, *ttl);
                let own = self.asked.iter_mut().filter(|((who, _), _)| *who == event.node);
                own.for_each(|(_, asked)| *asked = (event.at, *ttl, at));
            }
            SessionFact::Open { slot, session, ttl, .. } if slot == session => {
                self.give(at, event.at, Leased::Session(*session), (*slot, *ttl));
            }
            SessionFact::Pinged { slot, session } => {
                let of = Leased::Session(*session);
                let ttl = self.given.get(&of)?.ttl;
                self.give(at, event.at, of, (*slot, ttl));
            }
            SessionFact::Kept { session, ago } => {
                let sure = self.is_sure(event.at, BACKLOG);
                if let Some(given) = self.given.get_mut(&Leased::Session(*session)) {
                    given.since = Time(event.at.0.saturating_sub(ago.0)).max(given.since);
                    (given.at, given.sure) = (at, sure);
                }
            }
            SessionFact::Delays { slot, lock, delay } => {
                self.give(at, event.at, Leased::Delay(lock.clone()), (*slot, *delay));
            }
            SessionFact::Lifted { slot, lock } => {
                let of = Leased::Delay(lock.clone());
                let broken = witness.is_whole().then(|| self.expires(event, *slot, &of, "CON-1"));
                self.given.entry(of).and_modify(|given| given.slot = given.slot.max(*slot));
                return broken.flatten();
            }
            SessionFact::Ended { slot, session, why } => {
                let (of, whole) = (Leased::Session(*session), witness.is_whole());
                let broken = (whole && *why == Lapse::Silent)
                    .then(|| self.expires(event, *slot, &of, "SES-3"));
                // A slower replica may still say what was before.
                self.given.entry(of).and_modify(|given| given.slot = *slot);
                return broken.flatten();
            }
            _ => {}
        }
        None
    }

    fn ask(&mut self, at: usize, event: &Event, op: &Op) {
        match op {
            Op::Acquire { lock, ttl, .. } => {
                let ttl = self.sessions.get(&event.node).unwrap_or(ttl);
                self.asked.insert((event.node, lock.clone()), (event.at, *ttl, at));
            }
            Op::Renew { lock, .. } => {
                if let Some(asked) = self.asked.get_mut(&(event.node, lock.clone())) {
                    (asked.0, asked.2) = (event.at, at);
                }
            }
            _ => {}
        }
    }

    fn believes(&self, event: &Event, lock: &Name, lease: Span) -> Option<Broken> {
        let node = event.node;
        let (asked, ttl, at) = *self.asked.get(&(node, lock.clone()))?;
        let most = asked + ttl + Span(ttl.0 / SLACK_PART);
        // Who wakes up late says once more that it held it, for no time at all.
        let over = lease == Span::ZERO;
        if over || self.strays.contains(&node) || event.at + lease <= most {
            return None;
        }
        let until = event.at + lease;
        let what =
            format!("{node} believes until {until} to hold {lock}, and asked at {asked} for {ttl}");
        broken("LOCK-6", Some(at), what)
    }

    fn expires(
        &self,
        event: &Event,
        slot: Slot,
        of: &Leased,
        rule: &'static str,
    ) -> Option<Broken> {
        let given = self.given.get(of).filter(|given| given.slot < slot && given.sure)?;
        let least = given.since + Span(given.ttl.0 - given.ttl.0 / SLACK_PART);
        if !self.strays.is_empty() || event.at >= least {
            return None;
        }
        let name = match of {
            Leased::Lock(lock, _) | Leased::Key(_, lock) => lock.to_string(),
            Leased::Session(session) => format!("s{session}"),
            Leased::Delay(lock) => format!("the lock-delay of {lock}"),
        };
        let what = format!(
            "{name} expires at {}, and its lease of {} counts from {}",
            event.at, given.ttl, given.since
        );
        broken(rule, Some(given.at), what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, LockMode};
    use std::sync::Arc;

    const ALONE: LockMode = LockMode::Alone;

    fn name() -> Name {
        "door".parse().unwrap()
    }

    /// The rules that these break, each with its time in milliseconds.
    fn rules(all: &[(u64, NodeId, Kind)]) -> Vec<&'static str> {
        let (mut leases, mut witness) = (Leases::default(), Witness::of_nobody());
        let see = |(index, (at, node, kind)): (usize, &(u64, NodeId, Kind))| {
            let at = Time::ZERO + Span::millis(*at);
            let event = Event { at, node: *node, kind: kind.clone() };
            witness.see(index + 1, &event);
            leases.see(index, &event, &witness)
        };
        all.iter().enumerate().filter_map(see).map(|broken| broken.rule).collect()
    }

    fn fact(at: u64, node: NodeId, fact: Fact) -> (u64, NodeId, Kind) {
        (at, node, Kind::Fact(fact))
    }

    fn command(line: &str) -> (u64, NodeId, Kind) {
        (0, NodeId::BENCH, Kind::Commanded(Box::new(line.parse().unwrap())))
    }

    #[test]
    fn a_client_may_not_believe_for_longer_than_it_asked_for() {
        let client = NodeId::client(1);
        let call = CallId { client, seq: 1 };
        let op = Arc::new(Op::Acquire { lock: name(), ttl: Span::secs(1), mode: ALONE });
        let asks = fact(100, client, Fact::Invokes { call, op, at: NodeId::node(1), retry: 0 });
        let holds = |lease| {
            let lease = Span::millis(lease);
            fact(700, client, Fact::Holds { lock: name(), token: 1, lease, mode: ALONE })
        };
        assert_eq!(rules(&[asks.clone(), holds(400)]), [""; 0]);
        assert_eq!(rules(&[asks.clone(), holds(990)]), ["LOCK-6"]);
        let late = Fact::Holds { lock: name(), token: 1, lease: Span::ZERO, mode: ALONE };
        assert_eq!(rules(&[asks.clone(), fact(5_000, client, late)]), [""; 0], "it slept");
        assert_eq!(rules(&[command("clock c1 drift 90000"), asks.clone(), holds(990)]), [""; 0]);
        assert_eq!(rules(&[holds(990)]), [""; 0], "nobody saw when it asked");
        let missed = (50, client, Kind::Missed { count: 1 });
        assert_eq!(rules(&[missed, asks.clone(), holds(990)]), [""; 0], "nor if it asked again");
    }

    #[test]
    fn a_lease_may_not_run_out_early() {
        let node = NodeId::node(1);
        let call = CallId { client: NodeId::client(1), seq: 1 };
        let (lock, ttl) = (name(), Span::secs(1));
        let granted = Fact::Granted { slot: 1, lock, call, token: 1, ttl, mode: ALONE };
        let granted = fact(0, node, granted);
        let freed = |at, why| fact(at, node, Fact::Freed { slot: 2, lock: name(), token: 1, why });
        assert_eq!(rules(&[granted.clone(), freed(1_000, Freed::Expired)]), [""; 0]);
        assert_eq!(rules(&[granted.clone(), freed(300, Freed::Released)]), [""; 0]);
        assert_eq!(rules(&[granted.clone(), freed(300, Freed::Expired)]), ["LOCK-9"]);
        let slow = command("disk n2 slow 20ms");
        let late = [slow, granted.clone(), freed(300, Freed::Expired)];
        assert_eq!(rules(&late), [""; 0], "it may have been granted long ago");
        let frozen = [Kind::Paused, Kind::Resumed].map(|kind| (0, node, kind));
        let late = [&frozen[..], &[granted.clone(), freed(300, Freed::Expired)]].concat();
        assert_eq!(rules(&late), [""; 0]);
        let wrong = command("clock n2 drift 400000");
        assert_eq!(rules(&[wrong, granted, freed(300, Freed::Expired)]), [""; 0]);
    }
}
