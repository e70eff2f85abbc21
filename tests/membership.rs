//! Heartbeats and suspicion, in whole simulated clusters.

#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, Span, Time};
use netsplit::event::Watch;
use netsplit::event::{Event, Fact};
use netsplit::plan::{self, Plan};
use netsplit::sim::World;
use netsplit::sim::history::History;

fn plan() -> Plan {
    let mut plan = Plan::bare(3);
    plan.services.membership = Some(plan::Membership::default());
    plan
}

/// Opinions that change until `secs`, as lines.
fn opinions(run: &mut History, secs: u64) -> Vec<String> {
    let mut events = Vec::new();
    while run.world().next() <= Time(secs * 1_000_000) {
        run.step(&mut events);
    }
    let told = |event: &Event| match event.fact() {
        Some(fact @ (Fact::Suspects { .. } | Fact::Trusts { .. })) => {
            Some(format!("{} {fact}", event.node))
        }
        _ => None,
    };
    let mut lines: Vec<String> = events.iter().filter_map(told).collect();
    lines.sort();
    lines
}

fn command(run: &mut History, line: &str) {
    run.apply(&line.parse().unwrap(), &mut Vec::new()).unwrap();
}

#[test]
fn a_crash_is_noticed_and_so_is_the_return() {
    let mut run = History::new(&plan(), 1, Watch::Facts, &mut Vec::new());
    assert_eq!(opinions(&mut run, 5).len(), 6, "each trusts two, and that does not change");
    command(&mut run, "kill n3");
    assert_eq!(opinions(&mut run, 10), ["n1 suspects n3 boot 1", "n2 suspects n3 boot 1"]);
    command(&mut run, "restart n3");
    assert_eq!(
        opinions(&mut run, 15),
        [
            "n1 trusts n3 boot 2",
            "n2 trusts n3 boot 2",
            "n3 trusts n1 boot 1",
            "n3 trusts n2 boot 1"
        ]
    );
}

#[test]
fn suspicion_belongs_to_the_observer() {
    let mut run = History::new(&plan(), 1, Watch::Facts, &mut Vec::new());
    opinions(&mut run, 2);
    command(&mut run, "partition n1 -> n2");
    assert_eq!(opinions(&mut run, 9), ["n2 suspects n1 boot 1"]);
    command(&mut run, "heal");
    assert_eq!(opinions(&mut run, 12), ["n2 trusts n1 boot 1"]);
}

#[test]
fn a_heartbeat_of_an_earlier_life_says_nothing() {
    let mut run = History::new(&plan(), 1, Watch::Facts, &mut Vec::new());
    opinions(&mut run, 1);
    command(&mut run, "hold n1 -> n2");
    opinions(&mut run, 2);
    command(&mut run, "kill n1");
    command(&mut run, "restart n1");
    command(&mut run, "heal");
    let lines = opinions(&mut run, 5);
    assert!(!lines.iter().any(|line| line.starts_with("n3 suspects")), "{lines:?}");
    let last = lines.iter().rfind(|line| line.starts_with("n2 trusts n1"));
    assert_eq!(last.map(String::as_str), Some("n2 trusts n1 boot 2"));
}

#[test]
fn nobody_is_suspected_on_a_sound_network() {
    for seed in 0..20 {
        let mut events = Vec::new();
        let mut world = World::new(&plan(), seed, Watch::Facts, &mut events);
        while world.next() <= Time(40_000_000) {
            world.step(&mut events);
        }
        let wrong = |e: &&Event| matches!(e.fact(), Some(Fact::Suspects { .. }));
        assert_eq!(events.iter().find(wrong), None);
        let trusted = |e: &&Event| {
            matches!(e.fact(), Some(Fact::Trusts { who, .. })
            if *who == NodeId::node(2))
        };
        assert_eq!(events.iter().filter(trusted).count(), 2);
    }
}

/// A cluster whose nodes learn how long to wait.
fn learning() -> Plan {
    let mut plan = plan();
    plan.services.membership = Some(plan::Membership { phi: Some(8), ..Default::default() });
    plan
}

/// How often somebody alive is suspected between two times, in seconds, on a network that adds up
/// to a second and a half to every message.
fn wrong(plan: &Plan, seed: u64, from: u64, until: u64) -> usize {
    let mut run = History::new(plan, seed, Watch::Facts, &mut Vec::new());
    command(&mut run, "delay all 0ms 1500ms");
    opinions(&mut run, from);
    opinions(&mut run, until).iter().filter(|line| line.contains("suspects")).count()
}

#[test]
fn a_steady_peer_is_missed_sooner_than_a_timeout_would() {
    let mut run = History::new(&learning(), 1, Watch::Facts, &mut Vec::new());
    opinions(&mut run, 20);
    command(&mut run, "kill n3");
    assert_eq!(opinions(&mut run, 22), ["n1 suspects n3 boot 1", "n2 suspects n3 boot 1"]);
}

#[test]
fn an_erratic_network_is_learnt() {
    let mut fixed = plan();
    let suspect_after = Span::millis(1_600);
    fixed.services.membership = Some(plan::Membership { suspect_after, ..Default::default() });
    for seed in 0..5 {
        let (learnt, by_timeout) = (wrong(&learning(), seed, 30, 90), wrong(&fixed, seed, 30, 90));
        assert!(learnt == 0 && by_timeout > 20, "seed {seed}: {learnt} and {by_timeout}");
    }
}

/// One outage counts as the patience that it wore out.
#[test]
fn a_long_silence_does_not_make_it_blind() {
    let mut run = History::new(&learning(), 1, Watch::Facts, &mut Vec::new());
    opinions(&mut run, 20);
    command(&mut run, "isolate n3");
    opinions(&mut run, 80);
    command(&mut run, "heal");
    opinions(&mut run, 90);
    command(&mut run, "kill n3");
    assert_eq!(opinions(&mut run, 93), ["n1 suspects n3 boot 1", "n2 suspects n3 boot 1"]);
}
