//! Clients and servers, in whole simulated clusters.

#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{Span, Time};
use netsplit::event::Watch;
use netsplit::event::{Event, Fact};
use netsplit::plan::{Client, Load, Lock, Plan};
use netsplit::sim::history::History;

/// Nodes that take requests, and refuse all of them.
fn plan(load: Vec<Load>) -> Plan {
    let mut plan = Plan::bare(3);
    plan.services.lock = Some(Lock::default());
    plan.services.log = None;
    plan.clients = vec![Client { rate: 2, ..Client::new(1, load) }];
    plan
}

fn run(run: &mut History, until: Span) -> Vec<Event> {
    let mut events = Vec::new();
    while run.world().next() <= Time::ZERO + until {
        run.step(&mut events);
    }
    events
}

fn command(run: &mut History, line: &str) {
    run.apply(&line.parse().unwrap(), &mut Vec::new()).unwrap();
}

/// What clients asked and heard, as lines.
fn told(events: &[Event]) -> Vec<String> {
    let told = |event: &Event| match event.fact() {
        Some(fact @ (Fact::Invokes { .. } | Fact::Returns { .. })) => {
            Some(format!("{} {fact}", event.node))
        }
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

#[test]
fn every_operation_is_asked_for_and_answered_once() {
    let load = vec![Load::ReadWrite { keys: 3, writes: 50 }, Load::Count { counters: 2 }];
    let mut history = History::new(&plan(load), 1, Watch::Facts, &mut Vec::new());
    let lines = told(&run(&mut history, Span::secs(10)));
    assert!(lines.len() > 30, "two operations a second: {lines:?}");
    for pair in lines.chunks_exact(2) {
        assert!(pair[0].contains(" asks n1: "), "{pair:?}");
        let call = pair[0].split(' ').nth(1).unwrap();
        assert_eq!(pair[1], format!("c1 {call} hears refused: no such service"));
    }
}

#[test]
fn a_silent_node_is_left_for_the_next_one() {
    let mut history = History::new(&plan(Vec::new()), 1, Watch::Facts, &mut Vec::new());
    command(&mut history, "kill n1");
    command(&mut history, "c1 put x=5");
    let lines = told(&run(&mut history, Span::secs(3)));
    assert_eq!(lines[0], "c1 c1/1 asks n2: put x=5, retry 1");
    // The first node may have begun the work, so another's refusal does not settle it.
    assert_eq!(lines[1], "c1 c1/1 asks n3: put x=5, retry 2");
    command(&mut history, "c1 get x");
    let lines = told(&run(&mut history, Span::secs(9)));
    assert!(lines.contains(&"c1 c1/2 hears refused: no such service".to_owned()), "{lines:?}");
    assert!(lines.contains(&"c1 c1/1 hears unknown".to_owned()), "{lines:?}");
}

#[test]
fn a_transfer_stays_with_its_coordinator() {
    let mut history = History::new(&plan(Vec::new()), 1, Watch::Facts, &mut Vec::new());
    command(&mut history, "isolate n1");
    let mut events = Vec::new();
    let ask = "c1 transfer acct/1 acct/2 5".parse().unwrap();
    history.apply(&ask, &mut events).unwrap();
    events.extend(run(&mut history, Span::secs(9)));
    let lines = told(&events);
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines[..4].iter().all(|line| line.contains(" asks n1: ")), "{lines:?}");
    assert_eq!(lines[4], "c1 c1/1 hears unknown");
}

#[test]
fn numbers_survive_a_crash() {
    let load = vec![Load::Count { counters: 1 }];
    let mut history = History::new(&plan(load), 1, Watch::Facts, &mut Vec::new());
    run(&mut history, Span::secs(2));
    command(&mut history, "disk c1 wipe");
    command(&mut history, "restart c1");
    let lines = told(&run(&mut history, Span::secs(4)));
    assert_eq!(lines[0], "c1 c1/2.1 asks n1: add count/1 1");
}

#[test]
fn what_a_node_is_asked_itself_is_told_like_a_clients_operation() {
    let mut history = History::new(&plan(Vec::new()), 1, Watch::Facts, &mut Vec::new());
    let mut events = Vec::new();
    history.apply(&"n2 get x".parse().unwrap(), &mut events).unwrap();
    assert_eq!(told(&events), ["n2 n2/1 asks n2: get x", "n2 n2/1 hears refused: no such service"]);
}
