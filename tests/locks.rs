//! The lock service and its clients, in whole simulated clusters.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, Span, Time};
use netsplit::check::lock::Lock;
use netsplit::check::{Check, Checks, Witness};
use netsplit::event::Watch;
use netsplit::event::{Event, Fact, LetGo};
use netsplit::plan::{self, Client, Load, LockKind, Log, Plan, Sharing};
use netsplit::sim::history::History;

/// Three nodes; clients that do as they are told, or take one lock again and again.
fn plan(clients: u16, load: Option<Load>) -> Plan {
    let mut plan = Plan::bare(3);
    (plan.services.log, plan.services.lock) = (Some(Log::default()), Some(plan::Lock::default()));
    let client = |n| Client::new(n, load.clone().into_iter().collect());
    plan.clients = (1..=clients).map(client).collect();
    plan
}

fn load(ttl: Span, hold: Span) -> Option<Load> {
    let share = Sharing::Alone;
    Some(Load::Lock { locks: vec!["door".parse().unwrap()], ttl, hold, share })
}

struct Lab {
    run: History,
    plan: Plan,
    events: Vec<Event>,
    /// How many of them were looked at.
    seen: usize,
}

impl Lab {
    fn new(plan: Plan) -> Lab {
        let mut events = Vec::new();
        Lab { run: History::new(&plan, 1, Watch::Facts, &mut events), plan, events, seen: 0 }
    }

    /// Lets time pass, and returns what happened at clients and at the resource since the last time
    /// that this was asked for, as lines.
    fn until(&mut self, millis: u64) -> Vec<String> {
        while self.run.world().next() <= Time(millis * 1_000) {
            self.run.step(&mut self.events);
        }
        self.run.wait(Time(millis * 1_000));
        let first = std::mem::replace(&mut self.seen, self.events.len());
        let told = |event: &Event| {
            let fact = event.fact()?;
            let guards = matches!(fact, Fact::Guards { .. });
            let line = match fact {
                Fact::Holds { lock, token, .. } => format!("holds {lock} {token}"),
                fact => fact.to_string(),
            };
            (event.node.is_client() || guards).then(|| format!("{} {line}", event.node))
        };
        self.events[first..].iter().filter_map(told).collect()
    }

    fn command(&mut self, line: &str) {
        self.run.apply(&line.parse().unwrap(), &mut self.events).unwrap();
    }

    /// The first violation of any check.
    fn broken(&self) -> Option<String> {
        let mut checks = Checks::all(&self.plan.expect());
        for event in &self.events {
            checks.see(event);
        }
        checks.first().map(ToString::to_string)
    }

    fn count(&self, is: impl Fn(&Fact) -> bool) -> usize {
        self.events.iter().filter(|event| event.fact().is_some_and(&is)).count()
    }
}

fn has(lines: &[String], part: &str) -> bool {
    lines.iter().any(|line| line.contains(part))
}

#[test]
fn a_late_write_of_a_holder_that_slept_is_turned_away_by_its_token() {
    let mut lab = Lab::new(plan(2, None));
    lab.until(1_000);
    lab.command("c1 acquire door 1s");
    assert!(has(&lab.until(1_100), "c1 holds door 1"));
    lab.command("hold c1 -> n1");
    lab.command("c1 write door 1 5");
    lab.command("pause c1");
    lab.command("c2 acquire door 1s");
    let lines = lab.until(2_500);
    assert!(has(&lines, "c2 c2/1 hears granted token"), "{lines:?}");
    let token = lab.events.iter().rev().find_map(|event| match event.fact() {
        Some(Fact::Holds { token, .. }) => Some(*token),
        _ => None,
    });
    let token = token.unwrap();
    lab.command(&format!("c2 write door {token} 6"));
    assert!(has(&lab.until(2_600), "door accepts write of c2/"));
    lab.command("heal");
    let lines = lab.until(2_700);
    assert!(has(&lines, "door rejects write of c1/2 token 1"), "{lines:?}");
    lab.command("resume c1");
    let lines = lab.until(3_000);
    assert!(has(&lines, "c1 lets go of door token 1: "), "{lines:?}");
    assert!(has(&lines, "c1 c1/2 hears refused: stale token"), "{lines:?}");
    assert_eq!(lab.broken(), None);
}

#[test]
fn a_dead_holders_lock_is_free_after_its_lease() {
    let mut lab = Lab::new(plan(2, None));
    lab.until(1_000);
    lab.command("c1 acquire door 2s");
    lab.until(1_100);
    lab.command("kill c1");
    lab.command("c2 acquire door 2s");
    assert!(!has(&lab.until(2_900), "granted"));
    assert!(has(&lab.until(3_400), "granted"));
    assert_eq!(lab.broken(), None);
}

#[test]
fn a_lease_outlives_the_leader_that_counted_it() {
    let mut lab = Lab::new(plan(2, None));
    lab.until(1_000);
    lab.command("c1 acquire door 2s");
    lab.until(2_000);
    let leads = |event: &Event| matches!(event.fact(), Some(Fact::Leads { .. }));
    let leader = lab.events.iter().rev().find(|event| leads(event)).unwrap().node;
    lab.command(&format!("kill {leader}"));
    lab.command("c2 acquire door 2s");
    assert!(!has(&lab.until(3_500), "c2 c2/1 hears granted"), "a new leader counts anew");
    assert!(has(&lab.until(6_000), "c2 c2/1 hears granted"));
    assert_eq!(lab.broken(), None);
}

#[test]
fn a_holder_that_needs_longer_renews_and_keeps_the_lock() {
    let mut lab = Lab::new(plan(1, load(Span::millis(500), Span::secs(4))));
    lab.until(20_000);
    let ran_out = |fact: &Fact| matches!(fact, Fact::LetsGo { why: LetGo::RanOut, .. });
    assert_eq!(lab.count(ran_out), 0);
    assert!(lab.count(|fact| matches!(fact, Fact::Renewed { .. })) > 30);
    assert!(lab.count(|fact| matches!(fact, Fact::Guards { accepted: true, .. })) > 5);
    assert_eq!(lab.broken(), None);
}

#[test]
fn who_waited_longer_than_the_lease_can_still_use_it() {
    let mut lab = Lab::new(plan(6, load(Span::millis(600), Span::millis(400))));
    lab.until(30_000);
    for client in (1..=6).map(NodeId::client) {
        let holds = |event: &&Event| {
            event.node == client && matches!(event.fact(), Some(Fact::Holds { .. }))
        };
        let wrote = |fact: &Fact| matches!(fact, Fact::Guards { call, accepted: true, .. } if call.client == client);
        assert!(lab.events.iter().filter(holds).count() > 5, "{client} holds");
        assert!(lab.count(wrote) > 5, "{client} writes");
    }
    assert_eq!(lab.broken(), None);
}

/// Its own signs of life arrive for so long that the log forgets what it asked for before them.
#[test]
fn who_hears_nothing_for_long_goes_on_where_it_was() {
    let mut plan = plan(2, None);
    let kind = LockKind::ZooKeeper { watch: plan::Watch::Predecessor };
    plan.services.lock = Some(plan::Lock { kind, detects: false });
    let mut lab = Lab::new(plan);
    lab.until(1_000);
    lab.command("c1 acquire door 1s");
    let lines = lab.until(1_500);
    let token = lines.iter().find_map(|line| line.strip_prefix("c1 holds door ")).unwrap();
    lab.command("c2 acquire door 1s");
    lab.until(2_000);
    lab.command("partition n1,n2,n3 -> c1,c2");
    lab.command(&format!("c1 release door {token}"));
    lab.until(32_000);
    lab.command("heal");
    let lines = lab.until(34_000);
    assert!(has(&lines, "c1 c1/7 hears refused: lock not held"), "{lines:?}");
    assert!(has(&lines, "c2 c2/1 hears granted token"), "{lines:?}");
    assert_eq!(lab.broken(), None);
}

#[test]
fn clients_that_sleep_overlap_in_belief_and_no_rule_is_broken() {
    let mut lab = Lab::new(plan(3, load(Span::millis(500), Span::millis(400))));
    lab.plan.progress_within = Span::secs(100);
    for round in 1..40u64 {
        lab.until(round * 1_000);
        let holds = |event: &&Event| matches!(event.fact(), Some(Fact::Holds { .. }));
        let who = lab.events.iter().rev().find(holds).unwrap().node.number();
        lab.command(&format!("pause c{who}"));
        lab.until(round * 1_000 + 900);
        lab.command(&format!("resume c{who}"));
    }
    let (mut check, witness) = (Lock::default(), Witness::of_nobody());
    for (at, event) in lab.events.iter().enumerate() {
        assert_eq!(check.see(at, event, &witness), None);
    }
    assert!(check.overlaps() > 3, "a sleeper believes what is not so: {}", check.overlaps());
    assert_eq!(lab.broken(), None);
}
