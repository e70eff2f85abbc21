//! Who is alive, by heartbeats and by SWIM, in whole simulated clusters.

#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, ServiceId, Span, Time};
use netsplit::event::Watch;
use netsplit::event::{Event, Fact};
use netsplit::plan::{Heartbeats, Membership, Plan, Swim};
use netsplit::sim::World;
use netsplit::sim::history::History;
use std::collections::BTreeSet;

fn plan() -> Plan {
    let mut plan = Plan::bare(3);
    plan.services.membership = Some(Membership::default());
    plan
}

/// Opinions that change until `secs`, as lines.
fn opinions(run: &mut History, secs: u64) -> Vec<String> {
    let mut events = Vec::new();
    while run.world().next() <= Time(secs * 1_000_000) {
        run.step(&mut events);
    }
    let told = |event: &Event| match event.fact() {
        Some(fact @ (Fact::Suspects { .. } | Fact::Trusts { .. } | Fact::Dead { .. })) => {
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
    let heartbeats = Heartbeats { phi: Some(8), ..Heartbeats::default() };
    plan.services.membership = Some(Membership::Heartbeats(heartbeats));
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
    let heartbeats = Heartbeats { suspect_after, ..Heartbeats::default() };
    fixed.services.membership = Some(Membership::Heartbeats(heartbeats));
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

/// So many nodes on SWIM.
fn swim(nodes: u16, lifeguard: bool) -> Plan {
    let mut plan = Plan::bare(nodes);
    let swim = Swim { lifeguard, ..Swim::default() };
    plan.services.membership = Some(Membership::Swim(swim));
    plan
}

#[test]
fn on_swim_the_dead_come_back_in_their_next_boot() {
    let mut run = History::new(&swim(3, false), 1, Watch::Facts, &mut Vec::new());
    assert_eq!(opinions(&mut run, 5).len(), 6, "each trusts two, and that does not change");
    command(&mut run, "kill n3");
    let lines = opinions(&mut run, 15);
    let dead: Vec<_> = lines.iter().filter(|line| line.contains("dead")).collect();
    assert!(lines.len() == 4 && dead.len() == 2, "both suspect it, then both find it dead");
    command(&mut run, "restart n3");
    assert_eq!(
        opinions(&mut run, 20),
        [
            "n1 trusts n3 boot 2",
            "n2 trusts n3 boot 2",
            "n3 trusts n1 boot 1",
            "n3 trusts n2 boot 1"
        ]
    );
}

/// Each takes the other half for dead, and knocks at it all the time.
#[test]
fn on_swim_halves_that_took_each_other_for_dead_find_together() {
    for seed in 0..5 {
        let mut run = History::new(&swim(6, true), seed, Watch::Facts, &mut Vec::new());
        opinions(&mut run, 3);
        command(&mut run, "partition n1,n2,n3 | n4,n5,n6");
        let dead = opinions(&mut run, 90);
        assert_eq!(dead.iter().filter(|line| line.contains("dead")).count(), 18);
        command(&mut run, "heal");
        let lines = opinions(&mut run, 100);
        let trusting = lines.iter().filter_map(|line| line.split_once(" boot"));
        // `n1 trusts n4`: of different halves.
        let across = |pair: &&str| (pair[1..2] < *"4") != (pair[11..12] < *"4");
        let trusting = trusting.map(|(pair, _)| pair).filter(|pair| pair.contains("trusts"));
        assert_eq!(trusting.filter(across).collect::<BTreeSet<_>>().len(), 18);
        assert_eq!(opinions(&mut run, 120), [""; 0], "and that does not change");
    }
}

/// SWIM-7: what a node sends in a period, when there is no news.
#[test]
fn on_swim_a_node_sends_as_much_however_many_there_are() {
    let sent = |nodes: u16| {
        let mut run = World::new(&swim(nodes, true), 1, Watch::Facts, &mut Vec::new());
        let mut until = |secs: u64| {
            while run.next() <= Time(secs * 1_000_000) {
                run.step(&mut Vec::new());
            }
            run.weigh();
            run.traffic(ServiceId::Membership).0
        };
        until(60);
        let (begun, periods) = (until(60), 20);
        (until(60 + periods) - begun) / u64::from(nodes) / periods
    };
    // A ping and an ack each, and a push-pull every thirty periods.
    assert_eq!([5, 20, 80].map(sent), [2, 2, 2]);
}

/// All messages of one node take most of a second: it misses everybody, though it alone is slow.
fn accusations(lifeguard: bool, seed: u64) -> usize {
    let mut run = History::new(&swim(8, lifeguard), seed, Watch::Facts, &mut Vec::new());
    opinions(&mut run, 10);
    command(&mut run, "delay n1 700ms");
    let lines = opinions(&mut run, 130);
    lines.iter().filter(|line| line.starts_with("n1 suspects")).count()
}

#[test]
fn with_lifeguard_a_slow_node_doubts_itself_before_others() {
    for seed in 0..5 {
        let (with, without) = (accusations(true, seed), accusations(false, seed));
        assert!(with * 3 < without, "seed {seed}: {with} and {without}");
    }
}
