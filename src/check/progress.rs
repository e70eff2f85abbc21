//! Progress: once nothing is broken any more, clients get answers again.
//!
//! | rule | holds as long as |
//! |---|---|
//! | LIVE-1 | each client that asks by itself gets its next success within a stated time after the last fault ended |
//! | LIVE-2 | whoever voted yes to a transaction carries its end out within the same time (AC-5) |
//! | LIVE-3 | whom a leader has handed over to leads next, if nothing was broken for that time (RX-6) |
//! | LIVE-4 | whoever is down for long is suspected by all who watch it (FD-1) |
//! | LIVE-5 | nobody who is alive stays suspected when nothing is broken any more (FD-2) |
//! | LIVE-6 | the replicas of a key that compare what they have become equal within the same time (Q-6) |
//! | LIVE-7 | a saga that has begun ends within the same time (SAGA-1) |
//! | LIVE-8 | each block of a file is on as many disks as it should be within the same time, and what scrubbing and the throttle need (FS-3) |
//! | 3PC-2 | in three-phase commit, nobody who is up waits for who is down, if nodes only crash and are suspected only then |
//! | PC-4 | in Paxos Commit, the same, as long as a majority of the acceptors is up |
//! | LIVE-9 | a transaction that a client has opened, and of which nothing is asked, is aborted within the same time after its timeout (TX-5) |
//! | LIVE-10 | while a primary is away that is to be replaced, another takes over within the same time after it is missed and the hold-down is over (FO-4) |
//!
//! No protocol can promise progress while messages are lost and nodes are down (Fischer, Lynch and
//! Paterson 1985), so nothing is demanded then: a fault that has not ended stops the clock. Faults
//! are what commands did: a node that is down or frozen, a link that is not as it was, a slow disk,
//! a clock at the wrong rate. A client that is down or frozen owes nothing itself.
//!
//! Who is not heard of may be down: whoever looks in late, or misses something, counts from when
//! all are there again.
//!
//! This is a *liveness* property: breaking it means that the cluster stalled, not that it did
//! something wrong ([`Violation::is_stall`]).

mod blocking;
mod blocks;
mod detector;
mod idle;
mod replicas;
mod takeover;

use super::faults::Faults;
use super::{Check, Expect, Violation, Witness};
use crate::base::{Ballot, CallId, Name, NodeId, Outcome, Refusal, Span, Time, TxnId};
use crate::command::{Command, DiskFault};
use crate::event::{Event, Fact, Kind, SagaFact};
use blocking::Blocking;
use blocks::Blocks;
use detector::Detector;
use idle::Idle;
use replicas::Replicas;
use std::collections::{BTreeMap, BTreeSet};
use takeover::Takeover;

/// A client that owes a success.
#[derive(Clone, Debug, Default)]
struct Debt {
    since: Time,
    /// It was reported, and had no success since.
    reported: bool,
}

/// The check.
#[derive(Clone, Debug)]
pub struct Progress {
    within: Span,
    faults: Faults,
    /// Who was not heard of since events were missed.
    unheard: BTreeSet<NodeId>,
    /// When anything was last wrong.
    trouble: Time,
    now: Time,
    last: usize,
    debts: BTreeMap<NodeId, Debt>,
    /// What is locked by a yes-vote.
    doubts: BTreeMap<(TxnId, Name), Debt>,
    /// Sagas that have begun, and which of them have been closed.
    sagas: BTreeMap<TxnId, Debt>,
    closed: BTreeSet<TxnId>,
    /// Who has handed over last to whom, when nothing had been broken for a while.
    handed: Option<(Ballot, NodeId)>,
    /// When somebody's time will be up, at the earliest.
    due: Time,
    /// Who suspects whom; none if nodes do not watch each other.
    detector: Option<Detector>,
    /// When a link, a clock, a disk or a frozen process was last wrong.
    rough: Time,
    /// Which keys differ where; none if replicas need not become equal.
    replicas: Option<Replicas>,
    /// Which blocks are not on enough disks; none if there is no file store.
    blocks: Option<Blocks>,
    /// Which transactions are idle; none if clients open none.
    idle: Option<Idle>,
    /// Who waits for whom that is down.
    blocking: Blocking,
    /// Who is primary; none if nobody takes over.
    takeover: Option<Takeover>,
}

/// Whether an answer shows that the cluster works. A definite "no" to the operation as such does.
fn is_success(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Unknown => false,
        Outcome::Refused(why) => {
            matches!(
                why,
                Refusal::Funds
                    | Refusal::NotHeld
                    | Refusal::StaleToken { .. }
                    | Refusal::NoFile
                    | Refusal::Overtaken
                    | Refusal::Deadlock
            )
        }
        _ => true,
    }
}

impl Progress {
    /// For such a cluster.
    pub fn new(expect: &Expect) -> Progress {
        let debts = expect.clients.iter().map(|client| (*client, Debt::default())).collect();
        let all = [expect.nodes.clone(), expect.clients.clone()].concat();
        let (faults, within) = (Faults::among(all), expect.progress_within);
        let (trouble, now) = (Time::ZERO, Time::ZERO);
        let due = Time::ZERO + within;
        let unheard = BTreeSet::new();
        let (doubts, sagas) = (BTreeMap::new(), BTreeMap::new());
        let (last, handed) = (0, None);
        let (detector, rough) = (expect.patience.map(Detector::new), Time::ZERO);
        Progress {
            within,
            faults,
            unheard,
            trouble,
            now,
            last,
            debts,
            doubts,
            sagas,
            closed: BTreeSet::new(),
            handed,
            due,
            detector,
            rough,
            replicas: expect.quorums.filter(|q| q.converge).map(|_| Replicas::default()),
            blocks: expect.files.map(Blocks::new),
            idle: expect.idle.map(Idle::new),
            blocking: Blocking::default(),
            takeover: expect.failover.clone().map(Takeover::new),
        }
    }

    fn returned(&mut self, call: CallId, outcome: &Outcome) {
        if is_success(outcome)
            && let Some(debt) = self.debts.get_mut(&call.client)
        {
            *debt = Debt { since: self.now, reported: false };
        }
    }

    /// Whether this client is up and running.
    fn is_live(&self, client: NodeId) -> bool {
        let Faults { down, frozen, .. } = &self.faults;
        !(down.contains(&client) || frozen.contains(&client) || self.unheard.contains(&client))
    }

    /// Starts a client's time anew, if it has one.
    fn excuse(&mut self, who: NodeId) {
        if let Some(debt) = self.debts.get_mut(&who) {
            debt.since = self.now;
        }
    }

    /// Whether something is wrong that the cluster cannot be blamed for.
    fn is_troubled(&self) -> bool {
        let Faults { down, frozen, links, disks, clocks, .. } = &self.faults;
        down.iter().chain(frozen).chain(&self.unheard).any(|who| !who.is_client())
            || !links.is_empty()
            || !disks.is_empty()
            || !clocks.is_empty()
    }

    fn change(&mut self, event: &Event) {
        let found = matches!(event.kind, Kind::Present { .. }).then(|| self.faults.clone());
        self.faults.see(event);
        if found.is_some_and(|before| before != self.faults) {
            self.trouble = self.now;
            self.excuse(event.node);
        }
        match &event.kind {
            Kind::Commanded(command) if command.is_fault() => {
                self.trouble = self.now;
                if let Command::Disk { fault: DiskFault::Lose | DiskFault::Wipe, .. } = **command {
                    // A vote may be forgotten, and that is not for this check to say.
                    self.doubts.clear();
                    self.sagas.clear();
                }
            }
            Kind::Started { .. } | Kind::Resumed => {
                self.trouble = self.now;
                self.excuse(event.node);
            }
            Kind::Fact(Fact::Returns { call, outcome }) => self.returned(*call, outcome),
            Kind::Fact(Fact::Votes { txn, yes: true, keys }) => {
                let doubt = Debt { since: self.now, reported: false };
                for key in keys.iter() {
                    self.doubts.entry((*txn, key.clone())).or_insert_with(|| doubt.clone());
                }
                self.due = self.due.min(self.now + self.within);
            }
            Kind::Fact(Fact::Resolves { txn, changes, .. }) => {
                for change in changes.iter() {
                    self.doubts.remove(&(*txn, change.key.clone()));
                }
            }
            Kind::Fact(Fact::Saga(fact)) => self.saga(fact),
            _ => {}
        }
        if let Kind::Started { .. } = event.kind {
            // That they are over may be on its disk, and was not said. Others it names anew.
            let over = |id: &TxnId| id.coordinator == event.node && self.closed.contains(id);
            self.sagas.retain(|id, _| !over(id));
            self.closed.retain(|id| id.coordinator != event.node);
        }
    }

    fn saga(&mut self, fact: &SagaFact) {
        let saga = fact.saga();
        match fact {
            SagaFact::Begins { .. } => {
                let debt = Debt { since: self.now, reported: false };
                self.sagas.entry(saga).or_insert(debt);
                self.due = self.due.min(self.now + self.within);
            }
            SagaFact::Closes { .. } => drop(self.closed.insert(saga)),
            SagaFact::Ends { .. } => {
                self.sagas.remove(&saga);
                self.closed.remove(&saga);
            }
            _ => {}
        }
    }

    /// Counts anew for those who are heard of again.
    fn hear_again(&mut self, witness: &Witness) {
        let back: Vec<NodeId> =
            self.unheard.iter().copied().filter(|who| !witness.misses(*who)).collect();
        for who in back {
            self.unheard.remove(&who);
            self.trouble = self.now;
            self.excuse(who);
        }
    }

    /// LIVE-4 and LIVE-5.
    fn misjudged(&mut self) -> Option<(&'static str, String)> {
        let Faults { frozen, links, disks, clocks, .. } = &self.faults;
        if !(frozen.is_empty() && links.is_empty() && disks.is_empty() && clocks.is_empty()) {
            self.rough = self.now;
        }
        let calm = (!self.is_troubled()).then_some(self.trouble);
        self.detector.as_mut()?.overdue(self.now, self.rough, calm)
    }

    /// LIVE-6.
    fn diverged(&mut self) -> Option<(&'static str, String)> {
        if self.is_troubled() {
            return None;
        }
        let what = self.replicas.as_mut()?.overdue(self.now, self.trouble, self.within)?;
        Some(("LIVE-6", what))
    }

    /// LIVE-8.
    fn thin(&mut self) -> Option<(&'static str, String)> {
        if self.is_troubled() {
            return None;
        }
        let what = self.blocks.as_mut()?.overdue(self.now, self.trouble, self.within)?;
        Some(("LIVE-8", what))
    }

    /// LIVE-9.
    fn idles(&mut self) -> Option<(&'static str, String)> {
        if self.is_troubled() {
            return None;
        }
        let what = self.idle.as_mut()?.overdue(self.now, self.trouble, self.within)?;
        Some(("LIVE-9", what))
    }

    /// LIVE-10.
    fn deserted(&mut self) -> Option<(&'static str, String)> {
        if !self.unheard.is_empty() {
            return None;
        }
        let what = self.takeover.as_mut()?.overdue(self.now, &self.faults, self.within)?;
        Some(("LIVE-10", what))
    }

    /// 3PC-2 and PC-4.
    fn blocked(&mut self) -> Option<(&'static str, String)> {
        if !self.unheard.is_empty() {
            return None;
        }
        self.blocking.overdue(self.now, &self.faults, self.within)
    }

    /// Whether nothing has been wrong for so long that everything should have come right.
    fn is_calm(&self) -> bool {
        !self.is_troubled() && self.now > self.trouble + self.within
    }

    /// LIVE-3: somebody leads in the place of who has handed over to another.
    fn succeeds(&mut self, event: &Event) -> Option<(&'static str, String)> {
        match event.fact() {
            Some(Fact::HandsOver { ballot, to }) => {
                self.handed = self.is_calm().then_some((*ballot, *to));
                None
            }
            Some(Fact::Leads { ballot }) => {
                let (before, to) = self.handed.take_if(|(before, _)| ballot > before)?;
                let what =
                    format!("{before} was handed over to {to}, and {} leads next", ballot.node);
                (ballot.node != to && self.is_calm()).then_some(("LIVE-3", what))
            }
            _ => None,
        }
    }

    /// Who or what has waited for too long, and which rule that breaks.
    fn overdue(&mut self) -> Option<(&'static str, String)> {
        if self.now <= self.due {
            return None;
        }
        if self.is_troubled() {
            self.trouble = self.now;
        }
        let deadline = |debt: &Debt| debt.since.max(self.trouble) + self.within;
        let owing = |client: &NodeId, debt: &Debt| self.is_live(*client) && !debt.reported;
        let is_late = |debt: &Debt| deadline(debt) < self.now;
        let late = self.debts.iter().find(|(client, debt)| owing(client, debt) && is_late(debt));
        if let Some((client, since)) = late.map(|(who, debt)| (*who, debt.since)) {
            let since = since.max(self.trouble);
            self.debts.entry(client).or_default().reported = true;
            return Some(("LIVE-1", format!("{client} has had no success since {since}")));
        }
        let open = |debt: &Debt| !debt.reported;
        let stuck = self.doubts.iter().find(|(_, debt)| open(debt) && is_late(debt));
        if let Some(((txn, key), since)) = stuck.map(|(what, debt)| (what.clone(), debt.since)) {
            let what = format!("{txn} has been in doubt on {key} since {since}");
            self.doubts.entry((txn, key)).or_default().reported = true;
            return Some(("LIVE-2", what));
        }
        let stuck = self.sagas.iter().find(|(_, debt)| open(debt) && is_late(debt));
        if let Some((saga, since)) = stuck.map(|(saga, debt)| (*saga, debt.since)) {
            self.sagas.entry(saga).or_default().reported = true;
            return Some(("LIVE-7", format!("{saga} has not ended since {since}")));
        }
        let owed = self.debts.iter().filter(|(client, debt)| owing(client, debt));
        let others = self.doubts.values().chain(self.sagas.values()).filter(|debt| open(debt));
        let due = owed.map(|(_, debt)| debt).chain(others).map(deadline).min();
        self.due = due.unwrap_or(self.now + self.within);
        None
    }
}

impl Check for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn about(&self) -> &'static str {
        "Once nothing is broken any more, each client is answered again in time."
    }

    fn gap(&mut self, node: NodeId) {
        // Some may have ended unseen.
        self.doubts.clear();
        self.sagas.clear();
        self.replicas.iter_mut().for_each(|replicas| replicas.forget(node));
        self.blocks.iter_mut().for_each(|blocks| blocks.forget(node));
        self.idle.iter_mut().for_each(Idle::forget);
        self.blocking.forget();
        let now = self.now;
        self.takeover.iter_mut().for_each(|takeover| takeover.forget(now));
        match (node, &mut self.detector) {
            (NodeId::BENCH, Some(detector)) => detector.forget_all(),
            (node, Some(detector)) => detector.forget(node),
            (_, None) => {}
        }
        match node {
            NodeId::BENCH => self.unheard.extend(&self.faults.all),
            node => drop(self.unheard.insert(node)),
        }
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Returns { .. } | Fact::HandsOver { .. }))
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        (self.now, self.last) = (self.now.max(event.at), at);
        self.change(event);
        self.hear_again(witness);
        self.detector.iter_mut().for_each(|detector| detector.see(event));
        self.replicas.iter_mut().for_each(|replicas| replicas.see(event));
        self.blocks.iter_mut().for_each(|blocks| blocks.see(event));
        self.idle.iter_mut().for_each(|idle| idle.see(event));
        self.blocking.see(event, &self.faults);
        self.takeover.iter_mut().for_each(|takeover| takeover.see(event));
        let late = self.succeeds(event).or_else(|| self.overdue());
        let late =
            late.or_else(|| self.diverged()).or_else(|| self.thin()).or_else(|| self.idles());
        let late = late.or_else(|| self.blocked()).or_else(|| self.deserted());
        let (rule, what) = match late {
            Some((rule @ ("3PC-2" | "PC-4" | "LIVE-10"), what)) => (rule, what),
            Some((rule, what)) => {
                (rule, format!("{what}, though nothing is broken and {} are over", self.within))
            }
            None => self.misjudged()?,
        };
        Some(Violation { check: "progress", rule, what, at, because: Vec::new() })
    }

    fn waits_for(&self) -> Option<String> {
        let Faults { down, frozen, links, disks, clocks, .. } = &self.faults;
        let node = |who: &&NodeId| !who.is_client();
        let troubles = [
            self.unheard.iter().find(node).map(|who| format!("{who} to be heard of")),
            down.iter().find(node).map(|who| format!("{who} to be restarted")),
            frozen.iter().find(node).map(|who| format!("{who} to be resumed")),
            links.keys().next().map(|(from, to)| format!("{from} -> {to} to be healed")),
            disks.first().map(|who| format!("the disk of {who} to be fast again")),
            clocks.first().map(|who| format!("the clock of {who} to be right again")),
        ];
        if let Some(trouble) = troubles.into_iter().flatten().next() {
            return Some(trouble);
        }
        let owes = |(client, debt): &(&NodeId, &Debt)| {
            debt.since <= self.trouble && self.is_live(**client) && !debt.reported
        };
        let (client, _) = self.debts.iter().find(owes)?;
        Some(format!("a success of {client}, until {}", self.trouble + self.within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Change;

    struct Lab {
        check: Progress,
        found: Vec<Violation>,
    }

    impl Lab {
        fn new() -> Lab {
            let expect = Expect {
                clients: vec![NodeId::client(1)],
                progress_within: Span::secs(10),
                ..Expect::of(vec![NodeId::node(1), NodeId::node(2)])
            };
            Lab { check: Progress::new(&expect), found: Vec::new() }
        }

        fn see(&mut self, secs: u64, node: NodeId, kind: Kind) {
            let at = Time::ZERO + Span::secs(secs);
            let event = Event { at, node, kind };
            self.found.extend(self.check.see(0, &event, &Witness::of_nobody()));
        }

        fn command(&mut self, secs: u64, line: &str) {
            let command = Box::new(line.parse().unwrap());
            self.see(secs, NodeId::BENCH, Kind::Commanded(command));
        }

        fn succeed(&mut self, secs: u64, outcome: Outcome) {
            let client = NodeId::client(1);
            let (call, outcome) = (CallId { client, seq: 1 }, Box::new(outcome));
            self.see(secs, client, Kind::Fact(Fact::Returns { call, outcome }));
        }
    }

    #[test]
    fn a_client_without_success_is_reported_once() {
        let mut lab = Lab::new();
        lab.succeed(1, Outcome::Done);
        lab.succeed(5, Outcome::Unknown);
        lab.see(11, NodeId::client(9), Kind::Paused);
        assert_eq!(lab.found.len(), 0);
        lab.see(12, NodeId::client(9), Kind::Paused);
        lab.see(13, NodeId::client(9), Kind::Paused);
        assert_eq!(lab.found.len(), 1);
        assert!(lab.found[0].is_stall());
    }

    #[test]
    fn who_is_in_doubt_for_too_long_is_reported_once() {
        let txn = TxnId { coordinator: NodeId::node(2), number: 1 };
        let key: Name = "acct/1".parse().unwrap();
        let votes = Kind::Fact(Fact::Votes { txn, yes: true, keys: [key.clone()].into() });
        let change = Change { key, before: 1, after: 1 };
        let over = Kind::Fact(Fact::Resolves { txn, commit: false, changes: [change].into() });
        for (end, reported) in [(Some(over), 0), (None, 1)] {
            let mut lab = Lab::new();
            lab.see(1, NodeId::node(1), votes.clone());
            end.into_iter().for_each(|end| lab.see(4, NodeId::node(1), end));
            for second in 5..30 {
                lab.succeed(second, Outcome::Done);
            }
            let rules: Vec<_> = lab.found.iter().map(|violation| violation.rule).collect();
            assert_eq!(rules, vec!["LIVE-2"; reported]);
        }
    }

    #[test]
    fn nothing_is_demanded_before_every_fault_has_ended() {
        for (fault, end) in [
            ("isolate n1", "heal"),
            ("delay n1 -> n2 1s", "delay n1 -> n2 0ms"),
            ("hold n1 ~ n2", "release n1 ~ n2"),
            ("clock n1 drift 900", "clock n1 ok"),
            ("disk n1 slow 1s", "disk n1 ok"),
            ("isolate c7", "heal"),
        ] {
            let mut lab = Lab::new();
            lab.see(0, NodeId::client(7), Kind::Started { boot: 1, records: 0, torn: false });
            lab.command(1, fault);
            lab.see(100, NodeId::client(7), Kind::Paused);
            assert!(lab.check.waits_for().is_some(), "{fault}");
            lab.command(100, end);
            lab.see(110, NodeId::client(7), Kind::Paused);
            assert_eq!(lab.found.len(), 0, "{fault}");
            lab.see(111, NodeId::client(7), Kind::Paused);
            assert_eq!(lab.found.len(), 1, "{end}");
        }
    }

    #[test]
    fn nodes_that_are_down_or_frozen_excuse_all_and_clients_only_themselves() {
        let down = Kind::Killed { lost: 0 };
        for (fault, end) in [
            (down.clone(), Kind::Started { boot: 2, records: 0, torn: false }),
            (Kind::Paused, Kind::Resumed),
        ] {
            let mut lab = Lab::new();
            lab.see(1, NodeId::node(2), fault);
            lab.see(50, NodeId::client(9), Kind::Paused);
            lab.see(60, NodeId::node(2), end);
            lab.see(70, NodeId::client(9), Kind::Paused);
            assert_eq!(lab.found.len(), 0);
            lab.see(71, NodeId::client(9), Kind::Paused);
            assert_eq!(lab.found.len(), 1);
        }
        let mut lab = Lab::new();
        lab.see(1, NodeId::client(1), down);
        lab.see(90, NodeId::client(9), Kind::Paused);
        assert_eq!(lab.found.len(), 0);
        let mut lab = Lab::new();
        lab.see(1, NodeId::client(9), Kind::Killed { lost: 0 });
        lab.see(12, NodeId::client(9), Kind::Paused);
        assert_eq!(lab.found.len(), 1);
    }
}
