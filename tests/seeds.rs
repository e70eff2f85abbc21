//! The sample clusters survive any storm: no check is broken, nobody panics, and everybody makes
//! progress once it is over.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, Time};
use netsplit::command::{Command, Target};
use netsplit::plan::{self, Plan};
use netsplit::sim::hunt;
use std::ops::Range;

/// Runs a sample through the storm of each seed. Says which seeds went wrong, and how.
#[track_caller]
fn survives(plan: &Plan, seeds: Range<u64>, until: Time) {
    let mut wrong = Vec::new();
    for seed in seeds {
        let commands = hunt::storm(seed, plan, until);
        let found = hunt::run(plan, seed, &commands, until, true, &mut |_| {});
        if !found.clean() {
            wrong.push(format!("seed {seed}: {:?} {:?}", found.first(), found.panic));
        }
    }
    assert!(wrong.is_empty(), "{}: {} seeds went wrong: {wrong:#?}", plan.name, wrong.len());
}

fn sample(name: &str) -> Plan {
    plan::builtin(name).unwrap()
}

const MINUTE: Time = Time(60_000_000);

#[test]
fn the_default_cluster_survives_a_few_storms() {
    survives(&sample("default"), 0..6, MINUTE);
}

#[test]
fn the_small_samples_survive_a_few_storms() {
    survives(&sample("bank"), 0..6, MINUTE);
    survives(&sample("locks"), 0..6, MINUTE);
    survives(&sample("zookeeper"), 0..6, MINUTE);
    survives(&sample("sharing"), 0..6, MINUTE);
    survives(&sample("etcd"), 0..6, MINUTE);
    survives(&sample("consul"), 0..6, MINUTE);
    survives(&sample("raft"), 0..6, MINUTE);
    survives(&sample("zab"), 0..6, MINUTE);
    survives(&sample("redlock"), 0..6, MINUTE);
    survives(&sample("balance"), 0..6, MINUTE);
    survives(&sample("swim"), 0..2, MINUTE);
    survives(&sample("quorum"), 0..6, MINUTE);
    survives(&sample("cache"), 0..6, MINUTE);
    survives(&sample("saga"), 0..6, MINUTE);
    survives(&sample("transactions"), 0..6, MINUTE);
    survives(&sample("files"), 0..6, MINUTE);
    survives(&sample("three-paxos"), 0..20, Time(10_000_000));
}

/// A timer says when to do something, never that it may be done.
#[test]
fn timers_that_run_out_at_any_moment_do_no_harm() {
    let fire = |at: u64, plan: &Plan| {
        let who = NodeId::node((at % plan.nodes.len() as u64) as u16 + 1);
        (Time(at * 37_000), Command::Fire { who: Target::just(who), timer: None, after: None })
    };
    for name in [
        "default",
        "bank",
        "locks",
        "raft",
        "zab",
        "zookeeper",
        "sharing",
        "etcd",
        "consul",
        "three-paxos",
        "redlock",
        "balance",
        "quorum",
        "cache",
        "files",
    ] {
        let (plan, until) = (sample(name), Time(20_000_000));
        let commands: Vec<_> = (1..400).map(|at| fire(at, &plan)).collect();
        let found = hunt::run(&plan, 1, &commands, until, true, &mut |_| {});
        assert!(found.clean(), "{name}: {:?} {:?}", found.first(), found.panic);
        assert!(found.refused < 400, "{name}: none of them was fired");
    }
}

/// `NETSPLIT_SEEDS=500..1000` chooses which.
#[test]
#[ignore = "takes many minutes; run it in release after a change to a protocol"]
fn the_default_cluster_survives_a_thousand_storms() {
    let seeds = std::env::var("NETSPLIT_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    survives(&sample("default"), seeds.unwrap_or(0..1_000), MINUTE);
}

#[test]
#[ignore = "takes many minutes; run it in release after a change to a protocol"]
fn the_small_samples_survive_a_thousand_storms() {
    survives(&sample("bank"), 0..1_000, MINUTE);
    survives(&sample("locks"), 0..1_000, MINUTE);
    survives(&sample("zookeeper"), 0..1_000, MINUTE);
    survives(&sample("etcd"), 0..1_000, MINUTE);
    survives(&sample("consul"), 0..1_000, MINUTE);
    survives(&sample("raft"), 0..1_000, MINUTE);
    survives(&sample("zab"), 0..1_000, MINUTE);
    survives(&sample("redlock"), 0..1_000, MINUTE);
    survives(&sample("balance"), 0..1_000, MINUTE);
    survives(&sample("swim"), 0..1_000, MINUTE);
    survives(&sample("quorum"), 0..1_000, MINUTE);
    survives(&sample("cache"), 0..1_000, MINUTE);
    survives(&sample("files"), 0..1_000, MINUTE);
    survives(&sample("three-paxos"), 0..1_000, Time(10_000_000));
}
