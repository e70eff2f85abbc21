//! Which way to elect a leader survives which partial partition: the three patterns of Omni-Paxos
//! (Ng, Haridi and Carbone 2023), played by every log, in eight runs each.
//!
//! * *Quorum loss*: of five nodes all keep only their link to one that does not lead.
//! * *Constrained election*: the leader is gone, and the only one of the other four that reaches a
//!   majority is the one that lacks what was committed last.
//! * *Chain*: of three nodes the leader loses its link to one of its followers.
//!
//! In all three some node reaches a majority, so all could go on. The table says in how many of the
//! runs something is committed in the last ten of thirty seconds, how long it took at the most until
//! anything was, and how many leaders there were on the way, at the most.
//!
//! `INSTA_UPDATE=always cargo test --test topologies` writes the table anew.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{NodeId, Op, Span, Time};
use netsplit::check::Checks;
use netsplit::command::{Command, Link, Target};
use netsplit::event::{Event, Fact, Watch};
use netsplit::plan::{ElectBy, Log, LogKind, Plan, Raft, Services};
use netsplit::sim::World;
use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    QuorumLoss,
    ConstrainedElection,
    Chain,
}

const RUNS: u64 = 8;
const FAULT: Time = Time(5_000_000);
const UNTIL: Time = Time(35_000_000);
const LAST: Time = Time(25_000_000);

/// One run, and what of it counts.
struct Run {
    world: World,
    checks: Checks,
    nodes: Vec<NodeId>,
    leader: Option<NodeId>,
    asked: u64,
    /// The last slot that is committed, and when it was.
    committed: (u64, Time),
    /// The longest time without a commit, and the leaders, since the fault.
    gap: Span,
    leaders: u32,
}

impl Run {
    fn new(log: Log, nodes: u16, seed: u64) -> Run {
        let services = Services { log: Some(log), ..Services::default() };
        let plan = Plan { services, ..Plan::bare(nodes) };
        let mut out = Vec::new();
        let world = World::new(&plan, seed, Watch::Facts, &mut out);
        let nodes = plan.nodes.iter().map(|node| node.id).collect();
        let (checks, committed) = (Checks::all(&plan.expect()), (0, Time::ZERO));
        let (leader, asked, gap, leaders) = (None, 0, Span::ZERO, 0);
        let mut run = Run { world, checks, nodes, leader, asked, committed, gap, leaders };
        run.see(out);
        run
    }

    fn see(&mut self, events: Vec<Event>) {
        for event in events {
            self.checks.see(&event);
            match event.fact() {
                Some(Fact::Leads { .. }) => {
                    self.leader = Some(event.node);
                    self.leaders += u32::from(event.at > FAULT);
                }
                Some(Fact::Chooses { slot, .. } | Fact::Commits { slot })
                    if *slot > self.committed.0 =>
                {
                    let gap = event.at.since(self.committed.1.max(FAULT));
                    self.gap = self.gap.max(gap);
                    self.committed = (*slot, event.at);
                }
                _ => {}
            }
        }
    }

    fn give(&mut self, command: &Command) {
        let mut out = Vec::new();
        self.world.apply(command, &mut out).unwrap();
        self.see(out);
    }

    /// Goes on to a time; one node after the other is asked for something meanwhile.
    fn play(&mut self, until: Time) {
        while self.world.now() < until {
            let due = Time(self.asked * 25_000);
            if due <= self.world.next() {
                self.world.wait(due);
                let who = self.nodes[self.asked as usize % self.nodes.len()];
                let value = format!("v{}", self.asked).parse().unwrap();
                self.give(&Command::Ask { who, op: Op::Propose { value } });
                self.asked += 1;
                continue;
            }
            let mut out = Vec::new();
            self.world.step(&mut out);
            self.see(out);
        }
    }

    fn cut(&mut self, a: &[NodeId], b: &[NodeId]) {
        let (a, b) = (Target::Nodes(a.to_vec()), Target::Nodes(b.to_vec()));
        self.give(&Command::Cut(Link::Between(a, b)));
    }

    fn fault(&mut self, topology: Topology) {
        let leader = self.leader.expect("five seconds are enough to elect one");
        let others: Vec<NodeId> = self.nodes.iter().copied().filter(|id| *id != leader).collect();
        let (one, rest) = others.split_first().unwrap();
        match topology {
            Topology::QuorumLoss => {
                self.cut(rest, rest);
                self.cut(&[leader], rest);
            }
            Topology::ConstrainedElection => {
                self.cut(&[leader], &[*one]);
                self.play(FAULT + Span::millis(200));
                self.cut(&[leader], rest);
                self.cut(rest, rest);
            }
            Topology::Chain => self.cut(&[leader], rest),
        }
    }
}

/// What came of all runs, as one cell of the table.
fn cell(log: &Log, topology: Topology) -> String {
    let nodes = if topology == Topology::Chain { 3 } else { 5 };
    let (mut alive, mut gap, mut leaders) = (0, Span::ZERO, 0);
    for seed in 0..RUNS {
        let mut run = Run::new(log.clone(), nodes, seed);
        run.play(FAULT);
        run.fault(topology);
        run.play(UNTIL);
        assert!(run.checks.first().is_none(), "{topology:?} seed {seed}: {:?}", run.checks.first());
        if run.committed.1 > LAST {
            alive += 1;
            (gap, leaders) = (gap.max(run.gap), leaders.max(run.leaders));
        }
    }
    match alive {
        0 => "0".to_owned(),
        _ => format!("{alive:>2} in {:.1}s, {leaders} leaders", gap.0 as f64 / 1e6),
    }
}

fn variants() -> Vec<(&'static str, Log)> {
    let of = |kind| Log { kind, ..Log::default() };
    let raft = |pre_vote, sticky, check_quorum| {
        of(LogKind::Raft(Raft { pre_vote, sticky, check_quorum, ..Raft::default() }))
    };
    let by_connectivity = Log { elect_by: ElectBy::Connectivity, ..Log::default() };
    vec![
        ("multipaxos", Log::default()),
        ("multipaxos, by connectivity", by_connectivity),
        ("raft, none of its switches", raft(false, false, false)),
        ("raft, pre_vote", raft(true, false, false)),
        ("raft, sticky and check_quorum", raft(false, true, true)),
        ("raft, all three", raft(true, true, true)),
        ("zab", of(LogKind::Zab)),
    ]
}

#[test]
fn who_survives_which_partial_partition() {
    let mut table = String::new();
    for topology in [Topology::QuorumLoss, Topology::ConstrainedElection, Topology::Chain] {
        writeln!(table, "{topology:?}").unwrap();
        for (name, log) in variants() {
            writeln!(table, "  {name:<30} {}", cell(&log, topology)).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
