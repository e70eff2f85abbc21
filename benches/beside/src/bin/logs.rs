//! How many operations a second each log commits, on the same work in one thread: nodes whose
//! messages and writes arrive at once, payloads of 16 bytes, one operation outstanding or 256.
//!
//! Names as arguments (`raft raft-rs`) measure those only.
//!
//! In netsplit's logs each node applies what is committed to its state machine, which knows the
//! sessions of its clients, and the leader answers. The others bring no state machine: they are
//! measured with that of netsplit on top, which is the same work, and as they come (`bare`).
//!
//! What is written is in memory, where it is safe at once; so netsplit's nodes need not wait for it
//! with what they say (`host.no_barrier`), nor do those of the others. Like a node that no console
//! is attached to, they make no facts. `watched` does both: waits, and makes all facts.

use netsplit::base::{CallId, Entry, Mutation, Mutations, NodeId, Op, Rng, Time, Voters};
use netsplit::event::{Fact, Watch};
use netsplit::host::{Host, Input, Output};
use netsplit::plan::{Log, LogKind, Plan, Services};
use netsplit::proto::machine::Machine;
use omnipaxos::messages::Message as OmniMessage;
use omnipaxos::storage::{Entry as OmniEntry, NoSnapshot};
use omnipaxos::{ClusterConfig, OmniPaxos, OmniPaxosConfig, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;
use raft::prelude::{ConfState, Message as RaftMessage};
use raft::storage::MemStorage;
use raft::{Config as RaftConfig, RawNode};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each is measured for at a time.
const LONG: Duration = Duration::from_millis(150);
/// How often: all take turns, and what counts is how fast each was at best, so that a machine that
/// does other things too disturbs them less.
const TURNS: usize = 7;
/// A log is begun anew after so many operations: not all of these cut theirs off.
const MOST: u64 = 200_000;

/// How often it is looked whether all that was asked for is committed, before time is taken; and
/// how often there is more to do between two looks at the clock.
const CHECKED: u64 = 16;

/// Some nodes that agree on a log.
trait Group {
    /// Asks the leader for one more operation.
    fn propose(&mut self, number: u64);
    /// Has everything done that there is to do.
    fn run(&mut self);
    /// How many operations the leader has applied. It may take long to find out.
    fn applied(&mut self) -> u64;
    /// How many messages were sent.
    fn messages(&self) -> u64;
}

/// The number in sixteen digits of base 16.
fn payload(number: u64) -> [u8; 16] {
    std::array::from_fn(|at| b"0123456789abcdef"[(number >> (60 - 4 * at)) as usize & 15])
}

// -- netsplit ------------------------------------------------------------------------------------

struct Netsplit {
    hosts: Vec<Host>,
    leader: usize,
    flying: VecDeque<(NodeId, NodeId, netsplit::proto::Message)>,
    outputs: Vec<Output>,
    /// For each node, up to where it has written and not been told that it is durable.
    written: Vec<Option<u64>>,
    now: Time,
    watch: Option<Watch>,
    /// Up to where the leader's log is committed, as far as it has said, and was at the start.
    commit: u64,
    start: u64,
    sent: u64,
}

impl Netsplit {
    fn new(kind: LogKind, nodes: u16, watch: Option<Watch>) -> Netsplit {
        // As many slots under way as may be outstanding; raft-rs is allowed as many.
        let log = Log { kind, snapshot_every: u64::MAX >> 1, window: 256, ..Log::default() };
        let services = Services { log: Some(log), ..Services::default() };
        let mutations = match watch {
            Some(_) => Mutations::NONE,
            None => Mutations::NONE.with(Mutation::HostNoBarrier),
        };
        let plan = Plan { services, mutations, ..Plan::bare(nodes) };
        let mut group = Netsplit {
            hosts: Vec::new(),
            leader: usize::MAX,
            flying: VecDeque::new(),
            outputs: Vec::new(),
            written: vec![None; usize::from(nodes)],
            now: Time::ZERO,
            watch,
            commit: 0,
            start: 0,
            sent: 0,
        };
        for (index, id) in plan.processes().enumerate() {
            let rng = Rng::split(7, "beside", index as u64);
            let (now, mut out) = (Time::ZERO, Vec::new());
            let mut setup = plan.setup(id);
            // The log alone: the others have no door for clients either.
            setup.stack = setup.stack[..1].into();
            group.hosts.push(Host::start(&setup, 1, &[], rng, now, now, &mut out));
            group.outputs = out;
            group.carry_out(index);
        }
        while group.leader == usize::MAX {
            group.run();
            let next = group.hosts.iter().map(Host::deadline).min().unwrap_or(Time::NEVER);
            group.now = next;
            for index in 0..group.hosts.len() {
                group.feed(index, Input::Wake);
            }
        }
        group.run();
        group.hosts.iter_mut().for_each(|host| host.watch(watch));
        (group.start, group.sent) = (group.commit, 0);
        group
    }

    fn feed(&mut self, index: usize, input: Input) {
        self.hosts[index].handle(input, self.now, self.now, &mut self.outputs);
        self.carry_out(index);
    }

    fn carry_out(&mut self, index: usize) {
        let me = NodeId::node(index as u16 + 1);
        for output in self.outputs.drain(..) {
            match output {
                Output::Send { to, message } => {
                    self.sent += u64::from(to != me);
                    self.flying.push_back((me, to, message));
                }
                Output::Write { upto, .. } => self.written[index] = Some(upto),
                Output::Fact(Fact::Leads { .. }) => self.leader = index,
                Output::Fact(Fact::Applies { slot, .. }) if index == self.leader => {
                    self.commit = slot;
                }
                Output::Fact(_) | Output::Fired(_) | Output::Armed(..) => {}
            }
        }
    }

    /// What a node has written is durable; it is told, if it waits for that.
    fn sync(&mut self, index: usize) {
        if let Some(upto) = self.written[index].take()
            && self.watch.is_some()
        {
            self.feed(index, Input::Synced { upto });
        }
    }
}

impl Group for Netsplit {
    fn propose(&mut self, number: u64) {
        let text = payload(number);
        let value = str::from_utf8(&text).expect("digits").parse().expect("a name");
        self.feed(self.leader, Input::Ask { op: Op::Propose { value } });
    }

    fn run(&mut self) {
        (0..self.hosts.len()).for_each(|index| self.sync(index));
        while let Some((from, to, message)) = self.flying.pop_front() {
            let index = usize::from(to.number()) - 1;
            self.feed(index, Input::Deliver { from, message });
            // What came for one node is taken in together.
            if self.flying.front().is_none_or(|(_, next, _)| *next != to) {
                self.sync(index);
            }
        }
    }

    fn applied(&mut self) -> u64 {
        self.hosts[self.leader].watch(Some(Watch::Facts));
        self.feed(self.leader, Input::Restate);
        self.hosts[self.leader].watch(self.watch);
        self.commit - self.start
    }

    fn messages(&self) -> u64 {
        self.sent
    }
}

// -- what the others do not bring ----------------------------------------------------------------

/// netsplit's state machine on each node; on none, if the others are measured as they come.
struct Replicas {
    /// What was asked for, in order: they are spared reading it from the payload.
    asked: Vec<Entry>,
    /// And how many of these each has applied.
    machines: Vec<(Machine, usize)>,
    facts: Vec<Fact>,
}

impl Replicas {
    fn new(nodes: u64, bare: bool) -> Replicas {
        let machine = |_| (Machine::new(Voters::of([]), None, Mutations::NONE), 0);
        let machines = (0..nodes).filter(|_| !bare).map(machine).collect();
        Replicas { asked: Vec::new(), machines, facts: Vec::new() }
    }

    fn ask(&mut self, number: u64, payload: &[u8]) {
        if !self.machines.is_empty() {
            let value = str::from_utf8(payload).expect("digits").parse().expect("a name");
            let call = CallId { client: NodeId::client(1), seq: number };
            self.asked.push(Entry { call, op: Op::Propose { value } });
        }
    }

    /// So many more are committed at a node, which answers them if it leads.
    fn apply(&mut self, index: usize, count: u64, leads: bool) {
        let Some((machine, applied)) = self.machines.get_mut(index) else { return };
        for entry in &self.asked[*applied..*applied + count as usize] {
            machine.apply(entry.call.seq, entry, &mut self.facts, &mut |_, outcome| {
                if leads {
                    black_box(outcome.clone());
                }
            });
        }
        *applied += count as usize;
    }
}

// -- raft-rs -------------------------------------------------------------------------------------

struct RaftRs {
    nodes: Vec<RawNode<MemStorage>>,
    replicas: Replicas,
    flying: VecDeque<RaftMessage>,
    applied: u64,
    sent: u64,
}

impl RaftRs {
    fn new(nodes: u64, bare: bool) -> RaftRs {
        let replicas = Replicas::new(nodes, bare);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let voters: Vec<u64> = (1..=nodes).collect();
        let node = |id: &u64| {
            let storage =
                MemStorage::new_with_conf_state(ConfState::from((voters.clone(), vec![])));
            let config = RaftConfig {
                id: *id,
                election_tick: 10,
                heartbeat_tick: 3,
                max_size_per_msg: 1 << 20,
                max_inflight_msgs: 256,
                batch_append: true,
                ..RaftConfig::default()
            };
            RawNode::new(&config, storage, &logger).expect("it is right")
        };
        let nodes = voters.iter().map(node).collect();
        let mut group = RaftRs { nodes, replicas, flying: VecDeque::new(), applied: 0, sent: 0 };
        group.nodes[0].campaign().expect("it may");
        group.run();
        (group.applied, group.sent) = (0, 0);
        group
    }

    fn send(&mut self, messages: Vec<RaftMessage>) {
        self.sent += messages.len() as u64;
        self.flying.extend(messages);
    }

    fn ready(&mut self, index: usize) {
        if !self.nodes[index].has_ready() {
            return;
        }
        let store = self.nodes[index].raft.raft_log.store.clone();
        let mut ready = self.nodes[index].ready();
        self.send(ready.take_messages());
        let count = |entries: &[raft::prelude::Entry]| {
            entries.iter().filter(|entry| !entry.data.is_empty()).count() as u64
        };
        let mut applied = count(&ready.take_committed_entries());
        if !ready.entries().is_empty() {
            store.wl().append(ready.entries()).expect("it fits");
        }
        if let Some(hard) = ready.hs() {
            store.wl().set_hardstate(hard.clone());
        }
        self.send(ready.take_persisted_messages());
        let mut light = self.nodes[index].advance(ready);
        if let Some(commit) = light.commit_index() {
            store.wl().mut_hard_state().set_commit(commit);
        }
        self.send(light.take_messages());
        applied += count(&light.take_committed_entries());
        self.replicas.apply(index, applied, index == 0);
        self.nodes[index].advance_apply();
        if index == 0 {
            self.applied += applied;
        }
    }
}

impl Group for RaftRs {
    fn propose(&mut self, number: u64) {
        let payload = payload(number);
        self.replicas.ask(number, &payload);
        self.nodes[0].propose(vec![], payload.to_vec()).expect("it leads");
    }

    fn run(&mut self) {
        self.ready(0);
        while let Some(message) = self.flying.pop_front() {
            let to = message.to as usize - 1;
            self.nodes[to].step(message).expect("it is right");
            // What came for one node is taken in together.
            if self.flying.front().is_none_or(|next| next.to as usize - 1 != to) {
                self.ready(to);
            }
        }
    }

    fn applied(&mut self) -> u64 {
        self.applied
    }

    fn messages(&self) -> u64 {
        self.sent
    }
}

// -- omnipaxos -----------------------------------------------------------------------------------

#[derive(Clone, Debug)]
struct Value(#[allow(dead_code)] Vec<u8>);

impl OmniEntry for Value {
    type Snapshot = NoSnapshot;
}

struct Omni {
    nodes: Vec<OmniPaxos<Value, MemoryStorage<Value>>>,
    replicas: Replicas,
    /// How many each has decided, as far as was looked.
    decided: Vec<u64>,
    leader: usize,
    flying: VecDeque<OmniMessage<Value>>,
    buffer: Vec<OmniMessage<Value>>,
    start: u64,
    sent: u64,
}

impl Omni {
    fn new(count: u64, bare: bool) -> Omni {
        let pids: Vec<u64> = (1..=count).collect();
        let node = |pid: &u64| {
            let cluster_config =
                ClusterConfig { configuration_id: 1, nodes: pids.clone(), flexible_quorum: None };
            let server_config = ServerConfig { pid: *pid, ..ServerConfig::default() };
            let config = OmniPaxosConfig { cluster_config, server_config };
            config.build(MemoryStorage::default()).expect("it is right")
        };
        let nodes = pids.iter().map(node).collect();
        let (flying, buffer) = (VecDeque::new(), Vec::new());
        let (replicas, decided) = (Replicas::new(count, bare), vec![0; count as usize]);
        let mut group =
            Omni { nodes, replicas, decided, leader: 0, flying, buffer, start: 0, sent: 0 };
        let leader = loop {
            group.nodes.iter_mut().for_each(OmniPaxos::tick);
            group.run();
            if let Some((leader, true)) = group.nodes[0].get_current_leader() {
                break leader;
            }
        };
        group.leader = leader as usize - 1;
        group.run();
        group.start = group.applied();
        group.sent = 0;
        group
    }

    fn gather(&mut self, index: usize) {
        let decided = self.nodes[index].get_decided_idx() as u64;
        self.replicas.apply(index, decided - self.decided[index], index == self.leader);
        self.decided[index] = decided;
        self.nodes[index].take_outgoing_messages(&mut self.buffer);
        self.sent += self.buffer.len() as u64;
        self.flying.extend(self.buffer.drain(..));
    }
}

impl Group for Omni {
    fn propose(&mut self, number: u64) {
        let payload = payload(number);
        self.replicas.ask(number, &payload);
        let value = Value(payload.to_vec());
        assert!(self.nodes[self.leader].append(value).is_ok(), "it leads");
    }

    fn run(&mut self) {
        (0..self.nodes.len()).for_each(|index| self.gather(index));
        while let Some(message) = self.flying.pop_front() {
            let to = message.get_receiver() as usize - 1;
            self.nodes[to].handle_incoming(message);
            if self.flying.front().is_none_or(|next| next.get_receiver() as usize - 1 != to) {
                self.gather(to);
            }
        }
    }

    fn applied(&mut self) -> u64 {
        self.nodes[self.leader].get_decided_idx() as u64 - self.start
    }

    fn messages(&self) -> u64 {
        self.sent
    }
}

// -- measuring -----------------------------------------------------------------------------------

/// Operations a second, and messages for each, with so many outstanding.
fn measure(make: &dyn Fn() -> Box<dyn Group>, outstanding: u64) -> (f64, f64) {
    let (mut spent, mut timed, mut done, mut sent) = (Duration::ZERO, 0, 0, 0);
    while spent < LONG {
        let mut group = make();
        let mut number = 0;
        let mut go_on = |group: &mut dyn Group| {
            for _ in 0..outstanding {
                number += 1;
                group.propose(number);
            }
            group.run();
            number
        };
        for _ in 0..CHECKED {
            let number = go_on(group.as_mut());
            assert_eq!(group.applied(), number, "it is committed before there is more");
        }
        let began = Instant::now();
        let mut asked = 0;
        while spent + began.elapsed() < LONG && asked < MOST {
            (0..CHECKED).for_each(|_| asked = go_on(group.as_mut()));
        }
        spent += began.elapsed();
        assert_eq!(group.applied(), number, "everything is committed");
        timed += number - CHECKED * outstanding;
        done += number;
        sent += group.messages();
    }
    (timed as f64 / spent.as_secs_f64(), sent as f64 / done as f64)
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!(
        "{:20}{:>6}{:>14}{:>22}{:>12}",
        "", "nodes", "outstanding", "operations a second", "messages"
    );
    for nodes in [3_u16, 5] {
        for outstanding in [1, 256] {
            let mut groups: Vec<(String, Box<dyn Fn() -> Box<dyn Group>>)> = Vec::new();
            for (watch, name) in [(None, ""), (Some(Watch::Labels), " watched")] {
                for kind in LogKind::all() {
                    let make = move || Box::new(Netsplit::new(kind, nodes, watch)) as Box<_>;
                    groups.push((format!("{}{name}", kind.name()), Box::new(make)));
                }
            }
            for (bare, name) in [(false, ""), (true, " bare")] {
                let raft = move || Box::new(RaftRs::new(nodes.into(), bare)) as Box<dyn Group>;
                groups.push((format!("raft-rs{name}"), Box::new(raft)));
                let omni = move || Box::new(Omni::new(nodes.into(), bare)) as Box<dyn Group>;
                groups.push((format!("omnipaxos{name}"), Box::new(omni)));
            }
            groups.retain(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name));
            let mut best = vec![(0.0, 0.0); groups.len()];
            for _ in 0..TURNS {
                for ((_, make), best) in groups.iter().zip(&mut best) {
                    let (rate, messages) = measure(make.as_ref(), outstanding);
                    *best = (rate.max(best.0), messages);
                }
            }
            for ((name, _), (rate, messages)) in groups.iter().zip(best) {
                println!("{name:20}{nodes:>6}{outstanding:>14}{rate:>22.0}{messages:>12.2}");
            }
        }
    }
}
