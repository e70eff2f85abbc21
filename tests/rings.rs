//! Nodes join and leave all the time, by a person's word, while clients move money: in a storm, and
//! with a disk that is lost for good. Nothing that was acknowledged is lost.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, Rng, Span, Time};
use netsplit::command::{Command, DiskFault, Target};
use netsplit::plan;
use netsplit::sim::hunt::{self, Found};

const UNTIL: Time = Time(60_000_000);

/// During the first half, one node after the other is made to leave and called back.
fn come_and_go(rng: &mut Rng, commands: &mut Vec<(Time, Command)>) {
    let (mut at, mut gone) = (Time(1_000_000), None);
    while at < Time(UNTIL.0 / 2) {
        at += rng.span(Span::millis(100), Span::secs(3));
        let who = NodeId::node(rng.between(1, 5) as u16);
        let op = match gone.replace(who) {
            Some(node) => {
                gone = None;
                format!("join {node} {}", rng.between(1, 3))
            }
            None => format!("leave {who}"),
        };
        let asked = NodeId::node(rng.between(1, 5) as u16);
        commands.push((at, Command::Ask { who: asked, op: op.parse().unwrap() }));
    }
}

fn run(seed: u64, mut commands: Vec<(Time, Command)>) -> Found {
    let plan = plan::builtin("bank").unwrap();
    let mut rng = Rng::split(seed, "rings", 0);
    come_and_go(&mut rng, &mut commands);
    commands.sort_by_key(|(at, _)| *at);
    hunt::run(&plan, seed, &commands, UNTIL, true, &mut |_| {})
}

#[test]
fn members_come_and_go_in_a_storm() {
    for seed in 0..8 {
        let storm = hunt::storm(seed, &plan::builtin("bank").unwrap(), UNTIL);
        let found = run(seed, storm);
        assert!(found.clean(), "seed {seed}: {:?} {:?}", found.first(), found.panic);
    }
}

/// An acceptor that lost its disk breaks its promises, and the check of Paxos says so. The store
/// knows that it lost everything, and takes it all in again before it counts.
#[test]
fn a_node_that_lost_its_disk_is_filled_again() {
    for seed in 0..12 {
        let mut rng = Rng::split(seed, "wipe", 0);
        let who = || Target::Nodes(vec![NodeId::node(4)]);
        let at = Time(5_000_000) + rng.span(Span::ZERO, Span::secs(10));
        let back = at + rng.span(Span::millis(100), Span::secs(5));
        let wipe = Command::Disk { who: who(), fault: DiskFault::Wipe };
        let found = run(seed, vec![(at, wipe), (back, Command::Restart(who()))]);
        let broken: Vec<_> = found.checks.violations().filter(|v| v.check != "paxos").collect();
        assert!(broken.is_empty() && found.panic.is_none(), "seed {seed}: {broken:?}");
    }
}
