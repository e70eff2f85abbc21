//! One scenario, every runtime: the same verdicts and the same end, in the simulator, live in one
//! process, and live over QUIC.
//!
//! A scenario steers by what it sees ("when a transaction has a yes, kill its coordinator"), never
//! by the clock alone, so that it means the same where time is virtual and where it is not.

use netsplit::base::{Name, NodeId, Outcome, Span, Time};
use netsplit::check::{Checks, Verdict};
use netsplit::cli::{self, RuntimeArg};
use netsplit::cluster::{Cluster, Update};
use netsplit::command::Command;
use netsplit::event::Watch;
use netsplit::plan::{self, Client, Load, Plan};
use netsplit::script::library;
use netsplit::script::play::{self, Output, Playing};
use netsplit::view::Board;
use std::collections::VecDeque;
use std::sync::Arc;

/// How long anything may take, in the cluster's own time.
const PATIENCE: Span = Span::secs(40);
const LOOK: Span = Span::millis(20);

/// A cluster, and what is seen of it.
struct Lab {
    cluster: Cluster,
    board: Board,
    checks: Checks,
    now: Time,
    refused: Vec<String>,
    tail: VecDeque<String>,
}

impl Lab {
    fn new(plan: &Plan, runtime: RuntimeArg) -> Lab {
        let cluster = cli::start(plan, 7, Watch::Messages, runtime).expect("it starts");
        let mut lab = Lab {
            cluster,
            board: Board::new(),
            checks: Checks::all(&plan.expect()),
            now: Time::ZERO,
            refused: Vec::new(),
            tail: VecDeque::new(),
        };
        lab.wait();
        lab
    }

    fn wait(&mut self) {
        loop {
            match self.cluster.updates.blocking_recv().expect("the cluster lives") {
                Update::Events(events) => {
                    for event in events {
                        self.board.see(self.checks.seen(), &event);
                        self.checks.see(&event);
                        if self.tail.len() > 60 {
                            self.tail.pop_front();
                        }
                        if event.fact().is_some() || event.command().is_some() {
                            self.tail.push_back(event.to_string());
                        }
                    }
                }
                Update::Reached { now, busy: false } => return self.now = now,
                Update::Refused { why, .. } => self.refused.push(why),
                Update::Missed { count } => panic!("{count} events were missed"),
                _ => {}
            }
        }
    }

    fn send(&mut self, command: Command) {
        self.cluster.commands.blocking_send(command).expect("the cluster lives");
    }

    fn pass(&mut self, span: Span) {
        let until = Some(self.now + span);
        self.send(Command::Run { until });
        self.wait();
    }

    /// Has a command carried out.
    fn give(&mut self, text: &str) {
        let command = text.parse().expect("a command");
        let command = self.board.resolve(&command).expect(text);
        self.send(command);
        self.send(Command::Stop);
        self.wait();
        assert!(self.refused.is_empty(), "{text}: {:?}", self.refused);
    }

    /// Lets time pass until something is so.
    fn until(&mut self, what: &str, so: impl Fn(&Board) -> bool) {
        let end = self.now + PATIENCE;
        while !so(&self.board) {
            let tail = || self.tail.iter().cloned().collect::<Vec<_>>().join("\n");
            assert!(self.now < end, "never: {what}\n{}", tail());
            self.pass(LOOK);
        }
    }

    /// Has a client ask for something, and waits for the answer.
    fn ask(&mut self, who: u16, op: &str) -> Outcome {
        let answered = self.answers(who);
        self.give(&format!("c{who} {op}"));
        self.answer(who, answered)
    }

    /// How many answers a client has got.
    fn answers(&self, who: u16) -> u64 {
        self.board.clients.get(NodeId::client(who)).map_or(0, |client| client.total())
    }

    /// Waits until a client has got more than `before` answers, and says what it was told last.
    fn answer(&mut self, who: u16, before: u64) -> Outcome {
        let id = NodeId::client(who);
        self.until(&format!("an answer to c{who}"), |board| {
            board.clients.get(id).is_some_and(|client| client.total() > before)
        });
        let client = self.board.clients.get(id).expect("it has asked");
        client.last().expect("it was answered").outcome.clone()
    }

    /// What a client reads, asked again until it gets an answer.
    fn read(&mut self, key: &str) -> String {
        for _ in 0..20 {
            match self.ask(1, &format!("get {key}")) {
                Outcome::Unknown | Outcome::Refused(_) => self.pass(Span::millis(500)),
                told => {
                    // Not its version: that counts writes, of which some may have been repeated.
                    let told = told.to_string();
                    return format!("{key} is {}", told.split(" @").next().unwrap_or_default());
                }
            }
        }
        panic!("nobody can read {key}");
    }

    /// Writes, asked again until it is done.
    fn write(&mut self, op: &str) {
        for _ in 0..20 {
            match self.ask(1, op) {
                Outcome::Unknown | Outcome::Refused(_) => self.pass(Span::millis(500)),
                _ => return,
            }
        }
        panic!("nobody can {op}");
    }

    fn settle(&mut self) {
        self.until("a leader, and everybody with it", |board| {
            let up = |id: NodeId| board.node(id).is_some_and(|node| node.life.is_up());
            let Some((leader, ballot)) = board.leader() else { return false };
            let mut with = board.nodes.servers().filter(|node| up(node.id));
            up(leader) && with.all(|node| node.role.ballot() == ballot)
        });
    }

    /// How it ended: verdicts, and all that does not depend on chance.
    fn end(mut self, mut known: Vec<String>) -> Vec<String> {
        self.settle();
        self.until("everybody has applied the same", |board| {
            let mut replicas = board.log.replicas().map(|(_, r)| (r.applied, r.digest));
            let first = replicas.next();
            replicas.all(|replica| Some(replica) == first)
        });
        self.until("everybody is in the ring again", |board| {
            let settled = board.ring.epoch(board.ring.settled);
            settled.is_some_and(|epoch| board.nodes.servers().all(|node| epoch.has(node.id)))
        });
        self.until("no transaction is open", |board| board.txns.all().all(|txn| txn.is_over()));
        self.checks.finish();
        for standing in self.checks.standings() {
            let good = standing.verdict <= Verdict::Waiting;
            assert!(good, "{}: {:?}", standing.name, standing.verdict);
            known.push(format!("{} holds: {good}", standing.name));
        }
        let ring = self.board.ring.latest().map(|epoch| {
            let members = epoch.ring.members().iter().map(|member| member.node.to_string());
            members.collect::<Vec<_>>().join(",")
        });
        known.push(format!("ring of {ring:?}"));
        for (name, lock) in self.board.locks.all() {
            let holder = lock.holder().map(|holder| holder.call.client);
            known.push(format!("{name} is held by {holder:?}"));
        }
        for node in self.board.nodes.servers() {
            known.push(format!("{} is up: {}", node.id, node.life.is_up()));
        }
        known
    }
}

/// Five nodes with everything on, and two clients that only do what they are told.
fn plan() -> Plan {
    plan_of("default")
}

fn plan_of(sample: &str) -> Plan {
    let mut plan = plan::builtin(sample).expect("it is built in");
    let idle = |number| Client { rate: 0, ..Client::new(number, vec![Load::Idle]) };
    plan.clients = vec![idle(1), idle(2)];
    plan
}

/// Plays a scenario in every runtime; all must end alike.
fn everywhere(plan: &Plan, scenario: impl Fn(Lab) -> Vec<String> + Sync) {
    let run = |runtime| scenario(Lab::new(plan, runtime));
    let simulated = run(RuntimeArg::Sim);
    assert_eq!(simulated, run(RuntimeArg::Memory), "in memory it ends otherwise");
    assert_eq!(simulated, run(RuntimeArg::Quic), "over QUIC it ends otherwise");
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// The log may be agreed on by Multi-Paxos, Raft or Zab.
fn survives_its_leader(sample: &str) {
    everywhere(&plan_of(sample), |mut lab| {
        lab.settle();
        lab.write("put x=1");
        let (leader, _) = lab.board.leader().expect("it settled");
        lab.give(&format!("kill {leader}"));
        lab.until("another leader", |board| board.leader().is_some_and(|(next, _)| next != leader));
        lab.write("put y=2");
        lab.give(&format!("restart {leader}"));
        lab.until("it is back", |board| board.node(leader).is_some_and(|n| n.life.is_up()));
        let known = ["x", "y", "z"].map(|key| lab.read(key));
        lab.end(known.to_vec())
    });
}

#[test]
fn a_cluster_survives_its_leader() {
    survives_its_leader("default");
}

#[test]
fn a_cluster_on_raft_survives_its_leader() {
    survives_its_leader("raft");
}

#[test]
fn a_cluster_on_zab_survives_its_leader() {
    survives_its_leader("zab");
}

#[test]
fn a_partition_heals() {
    everywhere(&plan(), |mut lab| {
        lab.settle();
        lab.write("put x=1");
        lab.give("partition minority | majority");
        lab.pass(Span::secs(2));
        lab.until("the majority leads", |board| {
            board.leader().is_some_and(|(leader, _)| board.reach(leader) >= board.majority())
        });
        lab.give("heal");
        lab.settle();
        lab.write("add x 4");
        let known = vec![lab.read("x")];
        lab.end(known)
    });
}

#[test]
fn a_frozen_lock_holder_is_fenced_off() {
    everywhere(&plan(), |mut lab| {
        lab.settle();
        lab.ask(1, "acquire billing 1s");
        let token = lab.board.locks.get(&name("billing")).expect("it was granted").token;
        lab.give("pause c1");
        let before = lab.answers(2);
        lab.give("c2 acquire billing 30s");
        lab.until("c2 holds the lock", |board| {
            let holder = board.locks.get(&name("billing")).and_then(|lock| lock.holder());
            holder.is_some_and(|holder| holder.call.client == NodeId::client(2))
        });
        lab.answer(2, before);
        let newer = lab.board.locks.get(&name("billing")).expect("it was granted").token;
        let mine = lab.ask(2, &format!("write billing {newer} 2"));
        lab.give("resume c1");
        let late = lab.ask(1, &format!("write billing {token} 1"));
        let fenced = matches!(late, Outcome::Refused(_));
        lab.end(vec![format!("the holder is told {mine}; the late one is refused: {fenced}")])
    });
}

#[test]
fn a_coordinator_that_dies_after_the_votes_leaves_nobody_in_doubt_for_good() {
    everywhere(&plan(), |mut lab| {
        lab.settle();
        lab.write("put acct/a=100");
        lab.write("put acct/b=100");
        lab.give("delay all 150ms");
        let before = lab.answers(1);
        lab.give("c1 transfer acct/a acct/b 30");
        lab.until("somebody votes yes", |board| {
            board.txns.all().any(|txn| txn.bound().next().is_some())
        });
        let txn = lab.board.txns.all().next().expect("it was seen").id;
        lab.give(&format!("kill {}", txn.coordinator));
        lab.give("heal");
        lab.pass(Span::secs(3));
        lab.give(&format!("restart {}", txn.coordinator));
        lab.answer(1, before);
        lab.until("it is over", |board| board.txns.all().all(|txn| txn.is_over()));
        let sum = |text: &str| text.rsplit(' ').next().and_then(|n| n.parse::<i64>().ok());
        let (a, b) = (lab.read("acct/a"), lab.read("acct/b"));
        let total = sum(&a).zip(sum(&b)).map(|(a, b)| a + b);
        lab.end(vec![format!("together they have {total:?}")])
    });
}

#[test]
fn a_node_joins_the_ring_and_takes_its_keys() {
    let mut plan = plan();
    plan.nodes[4].member = false;
    everywhere(&plan, |mut lab| {
        lab.settle();
        for key in 0..12 {
            lab.write(&format!("put k{key}={key}"));
        }
        lab.write("join n5 1");
        lab.until("everybody has its ranges", |board| {
            let settled = board.ring.epoch(board.ring.settled);
            settled.is_some_and(|epoch| epoch.has(NodeId::node(5)))
        });
        let known = (0..12).map(|key| lab.read(&format!("k{key}"))).collect();
        lab.end(known)
    });
}

/// Lessons and incidents whose stories hang on no latency of the simulator.
const EVERYWHERE: &[&str] = &[
    "lock-fencing",
    "lock-blind-release",
    "set-without-nx",
    "log-minority-leader",
    "exactly-once",
    "zab-truncate",
];

#[test]
fn a_lesson_ends_alike_in_every_runtime() {
    for name in EVERYWHERE {
        let scenario = library::load(name, &cli::words()).expect("it is built in");
        let scenario = Arc::new(scenario);
        let verdicts = |runtime: RuntimeArg| {
            let playing = Playing {
                seed: None,
                output: Output::Text,
                events: false,
                narrate: false,
                keep: false,
                live: runtime.is_live(),
                replay: String::new(),
            };
            let mut start = |plan: &Plan, seed| cli::start(plan, seed, Watch::Messages, runtime);
            let mut out = Vec::new();
            let outcome = play::play(&scenario, &playing, &mut start, &mut out).expect("it plays");
            let text = String::from_utf8(out).expect("it writes text");
            let verdicts: Vec<&str> = outcome.acts.iter().map(|act| act.verdict.name()).collect();
            (verdicts, text)
        };
        let (simulated, _) = verdicts(RuntimeArg::Sim);
        for runtime in [RuntimeArg::Memory, RuntimeArg::Quic] {
            let (live, text) = verdicts(runtime);
            assert_eq!(simulated, live, "{name} ends otherwise with {runtime:?}:\n{text}");
        }
    }
}
