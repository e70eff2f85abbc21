//! Events in, board out.

use super::clients::Verdict;
use super::decree::Answer;
use super::log::Progress;
use super::network::State;
use super::txns::Part;
use super::*;
use crate::base::placement::{Member, Shape};
use crate::base::{
    CallId, Commitment, Entry, Incarnation, LockMode, MsgId, Name, Op, Outcome, Refusal, ServiceId,
    Span, TxnId,
};
use crate::event::{Freed, HandoffFact, Label, LetGo, Loss, Phase as Half};
use std::sync::Arc;

const N1: NodeId = NodeId::node(1);
const N2: NodeId = NodeId::node(2);
const N3: NodeId = NodeId::node(3);
const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);

/// A board of the processes of a small cluster, and a clock that the tests move.
struct Bench {
    board: Board,
    now: Time,
    index: usize,
}

impl Bench {
    fn new(servers: u16) -> Bench {
        let mut bench = Bench { board: Board::new(), now: Time::ZERO, index: 0 };
        let servers = (1..=servers).map(NodeId::node);
        servers.chain([C1, C2]).for_each(|id| bench.start(id, 1));
        bench
    }

    fn see(&mut self, node: NodeId, kind: Kind) {
        self.board.see(self.index, &Event { at: self.now, node, kind });
        self.index += 1;
    }

    fn start(&mut self, node: NodeId, boot: u32) {
        self.see(node, Kind::Started { boot, records: 0, torn: false });
    }

    fn say(&mut self, node: NodeId, fact: Fact) {
        self.see(node, Kind::Fact(fact));
    }

    fn command(&mut self, line: &str) {
        let command = line.parse().unwrap();
        self.see(NodeId::BENCH, Kind::Commanded(Box::new(command)));
    }

    fn at(&mut self, millis: u64) -> &mut Bench {
        self.now = Time::ZERO + Span::millis(millis);
        self
    }

    fn resolve(&self, line: &str) -> String {
        let resolved = self.board.resolve(&line.parse().unwrap());
        resolved.map_or_else(|why| format!("refused: {why}"), |command| command.to_string())
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn call(client: NodeId, seq: u64) -> CallId {
    CallId { client, seq }
}

fn entry(seq: u64) -> Arc<Entry> {
    Arc::new(Entry { call: call(C1, seq), op: Op::Get { key: name("x") } })
}

fn ballot(text: &str) -> Ballot {
    let (round, node) = text.split_once('.').unwrap();
    Ballot::new(round.parse().unwrap(), NodeId::node(node.parse().unwrap()))
}

// -- nodes, faults, network ----------------------------------------------------------------------

#[test]
fn a_leader_that_was_deposed_without_hearing_of_it_is_stale() {
    let mut bench = Bench::new(3);
    bench.say(N1, Fact::Leads { ballot: ballot("1.1") });
    assert!(!bench.board.is_stale(N1));
    bench.say(N2, Fact::Leads { ballot: ballot("2.2") });
    assert!(bench.board.is_stale(N1) && !bench.board.is_stale(N2));
    bench.see(N2, Kind::Killed { lost: 0 });
    assert!(!bench.board.is_stale(N1), "a dead leader deposes nobody");
    assert_eq!(bench.board.leader(), Some((N1, ballot("1.1"))));
}

/// What is broken after a story of commands, `n1 dies`, `n1 starts`, `n1 goes on`, a second each.
fn broken_after(story: &[&str]) -> Vec<String> {
    let mut bench = Bench::new(3);
    for (second, line) in (1..).zip(story) {
        bench.at(second * 1000);
        match line.split_once(' ') {
            Some((id, "starts")) => bench.start(id.parse().unwrap(), 2),
            Some((id, "dies")) => bench.see(id.parse().unwrap(), Kind::Killed { lost: 0 }),
            Some((id, "goes on")) => bench.see(id.parse().unwrap(), Kind::Resumed),
            Some((id, "panics")) => {
                bench.see(id.parse().unwrap(), Kind::Panicked { why: "why".into() });
            }
            _ => bench.command(line),
        }
    }
    let line = |fault: &faults::Fault| format!("{} @{}", fault.text, fault.since.0 / 1_000_000);
    bench.board.faults.active().iter().map(line).collect()
}

#[test]
fn a_fault_lasts_until_nothing_of_it_is_left() {
    let none: [&str; 0] = [];
    assert_eq!(broken_after(&["kill n1,n2", "n1 dies", "n2 dies"]), ["kill n1,n2 @1"]);
    assert_eq!(broken_after(&["kill n1,n2", "n1 starts"]), ["kill n1,n2 @1"]);
    assert_eq!(broken_after(&["kill n1,n2", "n1 starts", "n2 starts"]), none);
    assert_eq!(broken_after(&["n1 panics", "n1 dies"]), ["n1 died: why @1"]);
    assert_eq!(broken_after(&["n1 panics", "n1 starts"]), none);
    assert_eq!(broken_after(&["pause n1", "n1 goes on"]), none);
    assert_eq!(broken_after(&["pause n1", "kill n1", "n1 dies"]), ["kill n1 @2"]);
    assert_eq!(broken_after(&["clock n1 +5s", "clock n1 drift 9", "clock n1 ok"]), none);
    assert_eq!(broken_after(&["clock n1 +5s", "clock n1 +2s"]), ["clock n1 +2s @2"]);
    assert_eq!(broken_after(&["clock n1 +5s", "clock n1 +0s"]), none);
    assert_eq!(broken_after(&["disk n1 slow 5ms", "disk n1 ok"]), none);
    assert_eq!(broken_after(&["disk n1 wipe", "n1 dies", "n1 starts"]), none);
}

#[test]
fn a_network_fault_lasts_until_its_last_link_is_healed() {
    let none: [&str; 0] = [];
    let parted = "partition n1 | n2,n3";
    assert_eq!(broken_after(&[parted, "heal n1 ~ n2"]), ["partition n1 | n2,n3 @1"]);
    assert_eq!(broken_after(&[parted, "heal n1 ~ n2", "heal n1 ~ n3"]), none);
    assert_eq!(broken_after(&[parted, "heal"]), none);
    assert_eq!(broken_after(&[parted, parted]), ["partition n1 | n2,n3 @1"], "cut once");
    assert_eq!(broken_after(&["loss all 5%", "loss n1 0%"]), ["loss all 5% @1"]);
    assert_eq!(broken_after(&["loss all 5%", "loss all 7%"]), ["loss all 7% @2"]);
    assert_eq!(broken_after(&["loss all 5%", "loss all 0%"]), none);
    assert_eq!(broken_after(&["hold all", "delay all 5ms", "release all"]), ["delay all 5ms @2"]);
}

#[test]
fn the_cures_of_all_faults_leave_nothing_broken() {
    let mut bench = Bench::new(5);
    let story = ["isolate n1", "bridge n3", "ring", "partition n1 | n2 | n5", "hold n1 -> n2"];
    let more = ["loss all 3%", "clock n1 +5s", "disk n2 slow 5ms", "delay n1 ~ c1 5ms"];
    story.iter().chain(&more).for_each(|line| bench.command(line));
    assert!(bench.board.faults.count() > 6);
    while let Some(fault) = bench.board.faults.active().first() {
        let (before, cures) = (bench.board.faults.count(), fault.cures());
        cures.iter().for_each(|cure| bench.command(&cure.to_string()));
        assert!(bench.board.faults.count() < before, "{cures:?} cures something");
    }
    assert_eq!(bench.board.network.groups().len(), 1);
}

/// The groups after a command: members joined, groups with a space between, then clients' letters.
fn groups(servers: u16, line: &str) -> String {
    let mut bench = Bench::new(servers);
    bench.command(line);
    let groups = bench.board.network.groups().iter();
    let groups: Vec<String> =
        groups.map(|group| group.iter().map(ToString::to_string).collect()).collect();
    let letter = |id| bench.board.group(id).map_or('-', |letter| letter);
    format!("{} {}{}{}", groups.join(" "), letter(N1), letter(C1), letter(C2))
}

#[test]
fn groups_are_those_who_are_connected_both_ways() {
    assert_eq!(groups(3, "partition n1 | n2,n3"), "n1 n2n3 A--");
    assert_eq!(groups(3, "partition n1,c1 | n2,n3,c2"), "n1 n2n3 AAB");
    assert_eq!(groups(3, "partition n1 -> n2"), "n1n2n3 ---");
    assert_eq!(groups(2, "partition n1 -> n2"), "n1 n2 A--");
    assert_eq!(groups(5, "bridge n3"), "n1n2n3n4n5 ---");
    assert_eq!(groups(3, "isolate c1"), "n1n2n3 ---");
}

#[test]
fn without_a_majority_in_reach_nobody_has_a_quorum() {
    let mut bench = Bench::new(5);
    assert_eq!((bench.board.best_reach(), bench.board.majority()), (5, 3));
    bench.command("partition n1,n2 | n3,n4,n5");
    assert_eq!((bench.board.reach(N1), bench.board.best_reach()), (2, 3));
    bench.see(NodeId::node(5), Kind::Killed { lost: 0 });
    assert_eq!(bench.board.best_reach(), 2);
}

#[test]
fn a_message_is_under_way_until_it_arrives_or_is_lost() {
    let mut bench = Bench::new(2);
    let (service, label) = (ServiceId::Log, Label::NONE);
    let sent = |msg| Kind::Sent { msg: MsgId(msg), to: N2, service, label: label.clone() };
    bench.at(10).see(N1, sent(1));
    bench.see(N1, sent(2));
    bench.see(N1, sent(3));
    bench.see(N1, Kind::Held { msg: MsgId(3), to: N2 });
    let wire = |bench: &Bench| bench.board.network.wire(N1, N2).cloned().unwrap();
    assert_eq!((wire(&bench).in_flight, wire(&bench).held), (3, 1));
    let (from, label) = (N1, label.clone());
    bench.at(15).see(N2, Kind::Received { msg: MsgId(1), from, service, label });
    bench.see(N1, Kind::Lost { msg: MsgId(2), to: N2, why: Loss::Chance });
    assert_eq!(wire(&bench).latency(), Some(Span::millis(5)));
    assert_eq!((wire(&bench).in_flight, wire(&bench).sent, wire(&bench).lost), (1, 3, 1));
    bench.command("delay #3 5ms");
    assert_eq!((wire(&bench).in_flight, wire(&bench).held), (1, 0), "delayed, not held any more");
    bench.see(N1, Kind::Held { msg: MsgId(3), to: N2 });
    bench.command("release all");
    assert_eq!((wire(&bench).in_flight, wire(&bench).held), (1, 0));
    assert_eq!(bench.board.node(N1).map(|node| (node.sent, node.lost)), Some((3, 1)));
}

#[test]
fn the_state_of_a_link_is_its_worst_fault() {
    let mut bench = Bench::new(2);
    bench.at(1).command("delay n1 -> n2 5ms");
    assert_eq!(bench.board.network.state(N1, N2), State::Delayed);
    bench.at(2).command("partition n1 -> n2");
    assert_eq!(bench.board.network.state(N1, N2), State::Cut);
    assert_eq!(bench.board.network.state(N2, N1), State::Up);
    let since = |bench: &Bench| bench.board.network.wire(N1, N2).and_then(|wire| wire.since);
    assert_eq!(since(&bench), Some(Time(2_000)), "since it is cut");
    bench.at(3).command("heal");
    assert_eq!(since(&bench), None);
}

#[test]
fn a_drifting_clock_piles_up() {
    let mut bench = Bench::new(1);
    bench.command("clock n1 drift 1000");
    bench.at(2_000).command("clock n1 +5ms");
    let ahead = |bench: &Bench, at| bench.board.node(N1).unwrap().clock.ahead(Time(at));
    assert_eq!(ahead(&bench, 4_000_000), 9_000);
    bench.at(4_000).command("clock n1 ok");
    assert_eq!(ahead(&bench, 9_000_000), 4_000, "what has piled up stays");
}

#[test]
fn suspicions_end_with_trust_or_with_the_one_who_had_them() {
    let mut bench = Bench::new(3);
    let suspects = |bench: &Bench| bench.board.node(N1).unwrap().suspects.len();
    bench.say(N1, Fact::Suspects { who: N2, incarnation: Incarnation::of_boot(1) });
    bench.say(N1, Fact::Suspects { who: N3, incarnation: Incarnation::of_boot(1) });
    bench.say(N1, Fact::Trusts { who: N3, incarnation: Incarnation::of_boot(2) });
    assert_eq!(suspects(&bench), 1);
    bench.see(N1, Kind::Killed { lost: 0 });
    assert_eq!(suspects(&bench), 0);
}

// -- consensus -----------------------------------------------------------------------------------

#[test]
fn ballots_of_the_decree_show_who_answered_what() {
    let mut bench = Bench::new(3);
    let (low, high) = (ballot("1.1"), ballot("2.2"));
    bench.say(N1, Fact::Prepares { slot: 0, ballot: low });
    bench.say(N1, Fact::Promises { slot: 0, ballot: low });
    bench.say(N3, Fact::Promises { slot: 0, ballot: low });
    let value = entry(1);
    let proposes = |ballot, adopted| Fact::Proposes { slot: 0, ballot, entry: entry(1), adopted };
    bench.say(N1, proposes(low, Ballot::NONE));
    bench.say(N1, Fact::Accepts { slot: 0, ballot: low, entry: value.clone() });
    bench.say(N2, Fact::Prepares { slot: 0, ballot: high });
    bench.say(N3, Fact::Promises { slot: 0, ballot: high });
    let (phase, promised) = (Half::Accept, high);
    bench.say(N3, Fact::Refuses { slot: 0, ballot: low, promised, phase });
    bench.say(N2, proposes(high, low));
    let decree = &bench.board.decree;
    let row = decree.row(low).unwrap();
    assert_eq!((row.promises(), row.accepts(), row.refusals()), (2, 1, 1));
    assert_eq!(row.cell(N3).accept, Answer::No(high));
    assert_eq!(row.cell(N2).promise, Answer::Waiting);
    assert_eq!(decree.row(high).unwrap().adopted, Some(low));
    assert_eq!(decree.acceptors()[&N3].promised, high);
    assert_eq!(decree.acceptors()[&N1].entry, Some(value));
    assert_eq!((decree.chosen_in(2), decree.chosen_in(1)), (None, Some(low)));
}

#[test]
fn proposers_that_take_turns_without_a_choice_are_in_a_duel() {
    let mut bench = Bench::new(3);
    let mut prepare = |text| {
        bench.say(N1, Fact::Prepares { slot: 0, ballot: ballot(text) });
        bench.board.decree.duel().is_some()
    };
    assert!(!prepare("1.1") && !prepare("2.1") && !prepare("3.2") && !prepare("4.1"));
    assert!(prepare("5.2"));
    bench.say(N3, Fact::Chooses { slot: 0, entry: entry(1) });
    assert_eq!(bench.board.decree.duel(), None);
}

#[test]
fn the_log_shows_what_each_replica_voted_for_knows_and_applied() {
    let mut bench = Bench::new(3);
    let (low, high) = (ballot("1.1"), ballot("2.2"));
    for slot in 1..=3 {
        bench.say(N1, Fact::Accepts { slot, ballot: low, entry: entry(slot) });
    }
    bench.say(N1, Fact::Chooses { slot: 1, entry: entry(1) });
    bench.say(N2, Fact::Chooses { slot: 3, entry: entry(9) });
    assert_eq!(bench.board.log.commit, 1, "slot 2 is open");
    bench.say(N2, Fact::Chooses { slot: 2, entry: entry(2) });
    assert_eq!(bench.board.log.commit, 3);
    bench.say(N1, Fact::Applies { slot: 1, entry: entry(1), digest: 7 });
    let replica = bench.board.log.replica(N1).unwrap();
    assert_eq!((replica.accepted_upto, replica.chosen_upto, replica.applied), (3, 1, 1));
    let progress: Vec<Progress> = (1..=4).map(|slot| replica.progress(slot)).collect();
    let accepted = Progress::Accepted;
    assert_eq!(progress, [Progress::Applied, accepted, accepted, Progress::Empty]);
    assert!(bench.board.log.conflicts(N1, 3) && !bench.board.log.conflicts(N1, 2));
    bench.say(N1, Fact::Accepts { slot: 3, ballot: high, entry: entry(9) });
    assert!(!bench.board.log.conflicts(N1, 3));
}

#[test]
fn an_entry_conflicts_with_that_of_the_last_leader_before_anything_is_committed() {
    let mut bench = Bench::new(3);
    for (node, term) in [(N1, 1), (N2, 2), (N3, 2)] {
        bench.say(node, Fact::Appends { slot: 1, term: 1, entry: entry(1) });
        bench.say(node, Fact::Appends { slot: 2, term, entry: entry(u64::from(term)) });
    }
    let conflicts = |bench: &Bench| [N1, N2, N3].map(|id| bench.board.log.conflicts(id, 2));
    assert_eq!(conflicts(&bench), [false; 3], "nobody leads, so either may stay");
    bench.say(N2, Fact::Leads { ballot: ballot("3.2") });
    assert_eq!(conflicts(&bench), [true, false, false]);
    bench.say(N1, Fact::Leads { ballot: ballot("4.1") });
    assert_eq!(conflicts(&bench), [false, true, true]);
    assert!(!bench.board.log.conflicts(N1, 1));
}

#[test]
fn a_replica_that_starts_has_what_it_restates_and_no_more() {
    let mut bench = Bench::new(3);
    for slot in 1..=5 {
        bench.say(N1, Fact::Accepts { slot, ballot: ballot("1.1"), entry: entry(slot) });
        bench.say(N1, Fact::Applies { slot, entry: entry(slot), digest: slot });
    }
    bench.see(N1, Kind::Killed { lost: 0 });
    bench.start(N1, 2);
    bench.say(N1, Fact::Acceptor { log: true, promised: ballot("1.1"), accepted: Ballot::NONE });
    bench.say(N1, Fact::Snapshot { slot: 2, digest: 2 });
    bench.say(N1, Fact::Accepts { slot: 3, ballot: ballot("1.1"), entry: entry(3) });
    let replica = bench.board.log.replica(N1).unwrap();
    assert_eq!((replica.applied, replica.snapshot, replica.accepted_upto), (2, 2, 3));
    assert_eq!(replica.progress(4), Progress::Empty);
    assert_eq!(bench.board.log.commit, 5, "what is chosen stays chosen");
}

// -- ring ----------------------------------------------------------------------------------------

#[test]
fn an_epoch_says_what_changed_and_what_moved() {
    let mut bench = Bench::new(3);
    let shape = Shape { vnodes: 8, replicas: 2, seed: 1 };
    let view = |epoch, weights: &[(NodeId, u16)]| {
        let members = weights.iter().map(|(node, weight)| Member { node: *node, weight: *weight });
        Fact::View { epoch, members: members.collect(), shape }
    };
    let first = view(1, &[(N1, 1), (N2, 1)]);
    bench.say(N1, first.clone());
    bench.say(N1, view(2, &[(N1, 2), (N3, 1)]));
    bench.say(N2, first);
    let (epoch, to, from, range) = (2, N3, N2, None);
    let hands = HandoffFact::Hands { epoch, to, keys: 12, rate: 50, at: Time(1) };
    bench.say(N2, Fact::Handoff(hands));
    bench.say(N3, Fact::Handoff(HandoffFact::Takes { epoch, from, range, keys: 12 }));
    bench.say(N3, Fact::Took { epoch, from, keys: 18 });
    bench.at(9).say(N1, Fact::Settled { epoch: 2 });
    let ring = &bench.board.ring;
    let what: Vec<&str> = ring.epochs().map(|epoch| &*epoch.what).collect();
    assert_eq!(what, ["+n1 +n2", "n1*2 +n3 -n2"]);
    assert_eq!(ring.keeper(N2).map(|keeper| keeper.epoch), Some(1), "it lags");
    let latest = ring.latest().unwrap();
    let old = &ring.epoch(1).unwrap().ring;
    assert_eq!(latest.moved, old.preview(&latest.ring).moved);
    assert!(latest.moved >= old.share(N2), "all that n2 had, at the least");
    assert_eq!((latest.moved_keys, latest.settled), (30, Some(Time(9_000))));
    assert_eq!(latest.rate, Some(50), "it was told how fast keys may move");
}

#[test]
fn an_owner_serves_until_it_yields_or_dies() {
    let mut bench = Bench::new(2);
    let serves = |bench: &Bench| bench.board.ring.keeper(N1).and_then(|keeper| keeper.serves);
    bench.say(N1, Fact::Serves { epoch: 1, ranges: Arc::default(), copies: 0 });
    bench.say(N1, Fact::Yields { epoch: 1 });
    assert_eq!(serves(&bench), None);
    bench.say(N1, Fact::Serves { epoch: 2, ranges: Arc::default(), copies: 0 });
    bench.say(N1, Fact::Load { keys: 10, owned: 4 });
    assert_eq!((serves(&bench), bench.board.ring.keys()), (Some(2), 4));
    bench.see(N1, Kind::Killed { lost: 0 });
    assert_eq!(serves(&bench), None);
}

// -- locks ---------------------------------------------------------------------------------------

const TTL: Span = Span::secs(3);

const ALONE: LockMode = LockMode::Alone;

fn granted(slot: u64, client: NodeId, seq: u64) -> Fact {
    let call = call(client, seq);
    Fact::Granted { slot, lock: name("l"), call, token: slot, ttl: TTL, mode: ALONE }
}

fn queued(slot: u64, client: NodeId, seq: u64) -> Fact {
    Fact::Queued { slot, lock: name("l"), call: call(client, seq), ahead: 0, mode: ALONE }
}

fn freed(slot: u64, token: u64) -> Fact {
    Fact::Freed { slot, lock: name("l"), token, why: Freed::Expired }
}

/// Holder, then waiters, of lock `l`.
fn lock(bench: &Bench) -> String {
    let lock = bench.board.locks.get(&name("l")).unwrap();
    let holder = lock.holder().map_or("-".to_owned(), |h| format!("{}:{}", h.call, h.token));
    lock.queue.iter().fold(holder, |text, waiter| format!("{text} {}", waiter.call))
}

#[test]
fn a_lock_follows_the_first_replica_and_not_those_that_lag() {
    let mut bench = Bench::new(3);
    let story = [granted(1, C1, 1), queued(2, C2, 1), freed(5, 1), granted(5, C2, 1)];
    for (millis, fact) in (1..).zip(story.clone()) {
        bench.at(millis).say(N1, fact);
    }
    assert_eq!(lock(&bench), "c2/1:5");
    let before = bench.board.locks.clone();
    bench.at(100);
    story.into_iter().for_each(|fact| bench.say(N2, fact));
    assert_eq!(bench.board.locks, before, "a second replica says nothing new");
    let kept = bench.board.locks.get(&name("l")).unwrap();
    assert_eq!(kept.holder().unwrap().deadline(), Time(4_000) + TTL);
    let first = kept.grants().next().unwrap();
    assert_eq!((first.token, first.end), (1, Some((Time(3_000), Freed::Expired))));
}

#[test]
fn one_slot_may_give_a_lock_to_several() {
    let mut bench = Bench::new(3);
    let reads = |slot, client, token| {
        let (lock, call, mode) = (name("l"), call(client, token), LockMode::Read);
        Fact::Granted { slot, lock, call, token, ttl: TTL, mode }
    };
    let end = |slot, token| Fact::Freed { slot, lock: name("l"), token, why: Freed::Ended };
    let both = [granted(1, C1, 1), freed(5, 1), reads(5, C1, 5), reads(5, C2, 6)];
    both.iter().for_each(|fact| bench.say(N1, fact.clone()));
    both.iter().for_each(|fact| bench.say(N2, fact.clone()));
    let held = |bench: &Bench| {
        let lock = bench.board.locks.get(&name("l")).unwrap();
        lock.holders.iter().map(|holder| holder.token).collect::<Vec<_>>()
    };
    assert_eq!(held(&bench), [5, 6]);
    bench.say(N1, end(9, 6));
    bench.say(N1, end(9, 5));
    bench.say(N2, end(9, 6));
    assert_eq!(held(&bench), [0; 0]);
}

#[test]
fn a_renewal_moves_the_deadline_once() {
    let mut bench = Bench::new(3);
    bench.say(N1, granted(1, C1, 1));
    let renewed = Fact::Renewed { slot: 2, lock: name("l"), token: 1, ttl: TTL };
    bench.at(1_000).say(N1, renewed.clone());
    bench.at(1_500).say(N2, renewed);
    let holder = bench.board.locks.get(&name("l")).unwrap().holder().unwrap();
    assert_eq!((holder.granted, holder.deadline()), (Time::ZERO, Time(1_000_000) + TTL));
}

#[test]
fn what_a_replica_restates_is_taken_unless_it_is_out_of_date() {
    let mut bench = Bench::new(3);
    let is = |slot| Fact::LockIs { slot, lock: name("l"), token: 9, held: vec![(9, 0)] };
    bench.say(N1, is(20));
    bench.say(N1, granted(9, C1, 1));
    bench.say(N1, queued(4, C2, 1));
    assert_eq!(lock(&bench), "c1/1:9 c2/1", "it waits since before the grant");
    bench.say(N1, freed(25, 9));
    bench.say(N1, granted(25, C2, 1));
    bench.say(N2, is(12));
    bench.say(N2, granted(9, C1, 1));
    bench.say(N2, queued(4, C2, 1));
    assert_eq!(lock(&bench), "c2/1:25");
}

#[test]
fn two_clients_that_believe_in_one_lock_overlap() {
    let mut bench = Bench::new(3);
    let holds = |token| Fact::Holds { lock: name("l"), token, lease: Span::secs(1), mode: ALONE };
    let overlap = |bench: &Bench| bench.board.locks.get(&name("l")).unwrap().overlap;
    bench.command("clock c1 drift -500000");
    bench.say(C1, holds(1));
    bench.at(1_500).say(C2, holds(5));
    assert_eq!(overlap(&bench), Some(Time(1_500_000)));
    let beliefs = &bench.board.locks.get(&name("l")).unwrap().beliefs;
    assert_eq!(beliefs[&C1].until, Time(2_000_000), "its clock is slow");
    bench.say(C1, Fact::LetsGo { lock: name("l"), token: 1, why: LetGo::RanOut });
    assert_eq!(overlap(&bench), None);
}

// -- transactions --------------------------------------------------------------------------------

const TXN: TxnId = TxnId { coordinator: N1, number: 1 };

fn begun() -> Bench {
    let mut bench = Bench::new(3);
    let op = Arc::new("transfer a b 5".parse::<Op>().unwrap());
    let participants = Arc::new([N2, N3]);
    let how = Commitment::default();
    bench.say(N1, Fact::Begins { txn: TXN, call: call(C1, 1), op, participants, how });
    bench
}

fn vote(yes: bool) -> Fact {
    Fact::Votes { txn: TXN, yes, keys: Arc::new([name("a")]) }
}

/// Phase, and what happens next.
fn txn(bench: &Bench) -> String {
    let txn = bench.board.txns.get(TXN).unwrap();
    format!("{} {}", txn.phase(), txn.next(&bench.board))
}

#[test]
fn a_transaction_goes_from_votes_to_the_end() {
    let mut bench = begun();
    assert_eq!(txn(&bench), "VOTING waits for the vote of n2 n3");
    bench.say(N2, vote(true));
    assert_eq!(txn(&bench), "VOTING waits for the vote of n3");
    bench.say(N3, vote(true));
    assert_eq!(txn(&bench), "PREPARED n1 decides");
    bench.say(N1, Fact::Decides { txn: TXN, commit: true });
    assert_eq!(txn(&bench), "COMMITTING n2 n3 must hear of it");
    for node in [N2, N3] {
        bench.say(node, Fact::Resolves { txn: TXN, commit: true, changes: Arc::default() });
    }
    bench.say(N1, Fact::Ends { txn: TXN });
    assert_eq!(txn(&bench), "COMMITTED done");
    assert_eq!((bench.board.txns.committed, bench.board.txns.aborted), (1, 0));
}

#[test]
fn a_participant_that_voted_yes_is_in_doubt_while_its_coordinator_is_away() {
    let mut bench = begun();
    bench.say(N2, vote(true));
    bench.command("isolate n3");
    assert_eq!(txn(&bench), "VOTING will abort: n3 is cut off");
    bench.see(N1, Kind::Killed { lost: 0 });
    assert_eq!(txn(&bench), "VOTING BLOCKED until n1 is up; n2 in doubt");
    let part = |bench: &Bench, node| bench.board.txns.get(TXN).unwrap().part(node, &bench.board);
    assert_eq!((part(&bench, N2), part(&bench, N3)), (Part::InDoubt, Part::Waiting));
    bench.start(N1, 2);
    assert_eq!(part(&bench, N2), Part::Yes);
    bench.say(N2, Fact::Resolves { txn: TXN, commit: false, changes: Arc::default() });
    assert_eq!(txn(&bench), "ABORTED done");
    assert_eq!(part(&bench, N2), Part::Done { commit: false });
}

#[test]
fn a_no_aborts() {
    let mut bench = begun();
    bench.say(N3, vote(false));
    assert_eq!(txn(&bench), "VOTING will abort: n3 voted no");
    bench.say(N2, vote(true));
    bench.say(N1, Fact::Decides { txn: TXN, commit: false });
    assert_eq!(txn(&bench), "ABORTING n2 must hear of it");
    assert!(bench.board.txns.locker(&name("a")).is_some());
    bench.say(N2, Fact::Resolves { txn: TXN, commit: false, changes: Arc::default() });
    assert_eq!(txn(&bench), "ABORTED done (n3 voted no)");
    assert!(bench.board.txns.locker(&name("a")).is_none());
}

#[test]
fn old_transactions_go_when_there_are_too_many_and_open_ones_stay() {
    let mut bench = begun();
    for number in 2..=txns::MAX_TXNS as u32 + 10 {
        let txn = TxnId { coordinator: N2, number };
        bench.say(N2, Fact::Decides { txn, commit: false });
    }
    assert_eq!(bench.board.txns.len(), txns::MAX_TXNS);
    assert!(bench.board.txns.get(TXN).is_some());
}

// -- clients -------------------------------------------------------------------------------------

#[test]
fn calls_are_open_until_they_return_and_count_by_how_they_ended() {
    let mut bench = Bench::new(3);
    let ask = |seq, at, retry| {
        let op = Arc::new(Op::Get { key: name("x") });
        Fact::Invokes { call: call(C1, seq), op, at, retry }
    };
    let done = |seq, outcome| Fact::Returns { call: call(C1, seq), outcome: Box::new(outcome) };
    bench.say(C1, ask(1, N1, 0));
    bench.at(5).say(C1, ask(1, N2, 1));
    let client = bench.board.clients.get(C1).unwrap();
    let (id, open) = client.current().unwrap();
    assert_eq!((id, open.at, open.since, open.retry), (call(C1, 1), N2, Time::ZERO, 1));
    bench.at(7).say(C1, done(1, Outcome::Done));
    bench.say(C1, ask(2, N1, 0));
    bench.say(C1, done(2, Outcome::Refused(Refusal::Funds)));
    bench.say(C1, ask(3, N1, 0));
    bench.say(C1, done(3, Outcome::Unknown));
    let client = bench.board.clients.get(C1).unwrap();
    assert_eq!(bench.board.clients.totals(), (1, 1, 1));
    assert_eq!(client.done().next().unwrap().took, Some(Span::millis(7)));
    assert_eq!(Verdict::of(&client.last().unwrap().outcome), Verdict::Unknown);
    assert_eq!(client.current(), None);
}

// -- words for targets ---------------------------------------------------------------------------

#[test]
fn words_become_names_by_what_is_on_the_board() {
    let mut bench = Bench::new(5);
    let leader = NodeId::node(4);
    bench.say(leader, Fact::Leads { ballot: ballot("2.4") });
    bench.say(N1, granted(7, C2, 1));
    bench.say(N1, vote(true));
    assert_eq!(bench.resolve("kill leader lose"), "kill n4 lose");
    assert_eq!(bench.resolve("partition minority | majority"), "partition n4,n5 | n1,n2,n3");
    assert_eq!(bench.resolve("pause holder l"), "pause c2");
    assert_eq!(bench.resolve("isolate coordinator t1.1"), "isolate n1");
    assert_eq!(bench.resolve("delay leader -> one 5ms").parse::<Command>().map(drop), Ok(()));
    assert_eq!(bench.resolve("heal"), "heal");
}

#[test]
fn words_that_stand_for_nobody_say_why() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.resolve("kill leader"), "refused: nobody leads now");
    assert_eq!(bench.resolve("pause holder l"), "refused: nobody has asked for a lock l yet");
    let missing = "refused: transaction t9.9 was not seen, or is long over";
    assert_eq!(bench.resolve("kill coordinator t9.9"), missing);
    let both = "refused: n1 cannot be on two sides of a partition";
    assert_eq!(bench.resolve("partition minority | n1,n2"), both);
    for node in [N1, N2, N3] {
        bench.see(node, Kind::Killed { lost: 0 });
    }
    assert_eq!(bench.resolve("kill one"), "refused: no node is up now");
    assert_eq!(Bench::new(2).resolve("kill minority"), "refused: a cluster of 2 has no minority");
}

#[test]
fn a_timer_is_there_until_it_runs_out_is_cancelled_or_dies() {
    let mut bench = Bench::new(3);
    let set = |after| Kind::Armed { service: ServiceId::Log, timer: "election".into(), after };
    let shown = |bench: &Bench| {
        let timers = bench.board.node(N1).unwrap().timers.values();
        timers.map(|timer| (timer.set.0, timer.until.0)).collect::<Vec<_>>()
    };
    bench.at(100).see(N1, set(Some(Span::millis(300))));
    assert_eq!(shown(&bench), [(100_000, 400_000)]);
    // A clock that runs half as fast again is there in two thirds of the time.
    bench.command("clock n1 drift 500000");
    bench.at(200).see(N1, set(Some(Span::millis(300))));
    assert_eq!(shown(&bench), [(200_000, 400_000)]);
    bench.at(400).see(N1, Kind::Fired { service: ServiceId::Log, timer: "election".into() });
    assert_eq!(shown(&bench), []);
    bench.see(N1, set(Some(Span::millis(300))));
    bench.see(N1, set(None));
    assert_eq!(shown(&bench), []);
    bench.see(N1, set(Some(Span::millis(300))));
    bench.see(N1, Kind::Killed { lost: 0 });
    assert_eq!(shown(&bench), []);
    let services: Vec<ServiceId> = bench.board.node(N1).unwrap().services().collect();
    assert_eq!(services, [ServiceId::Log]);
}
