use super::*;
use crate::base::{Ballot, NodeId};
use crate::check::{Check, Violation, Witness};
use crate::event::{Fact, Kind, Watch};
use crate::plan::builtin;
use crate::sim::World;
use proptest::prelude::*;

/// The events of a real run of five nodes and their clients, with the commands at their steps.
fn run(seed: u64, steps: u64, commands: &[(u64, &str)]) -> Vec<Event> {
    let plan = builtin("default").unwrap();
    let mut out = Vec::new();
    let mut world = World::new(&plan, seed, Watch::Labels, &mut out);
    for step in 0..steps {
        for (_, line) in commands.iter().filter(|(at, _)| *at == step) {
            // What makes no sense now is refused, and that is fine.
            let _ = world.apply(&line.parse().unwrap(), &mut out);
        }
        world.step(&mut out);
    }
    out
}

const STORY: &[(u64, &str)] = &[
    (300, "kill n2 keep"),
    (700, "partition n1,n2 | n3,n4,n5"),
    (900, "clock n4 drift 5000"),
    (1_300, "restart n2"),
    (1_700, "heal"),
    (2_000, "loss all 20%"),
    (2_300, "pause n5"),
    (2_600, "hold n1 -> n3"),
    (2_900, "resume n5"),
];

fn timeline(events: &[Event]) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.extend(events.iter().cloned());
    timeline
}

fn folded(events: &[Event]) -> Board {
    let mut board = Board::new();
    events.iter().enumerate().for_each(|(index, event)| board.see(index, event));
    board
}

/// How checks stand, so that two can be compared.
fn standings(checks: &Checks) -> String {
    let all = checks.standings();
    all.map(|s| format!("{} {} {} {:?} {:?}\n", s.name, s.verdict, s.count, s.first, s.waits_for))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn checks_stand_at_any_point_and_branch_as_if_they_had_seen_no_more(
        seed in 0u64..1_000,
        jumps in prop::collection::vec(0usize..12_000, 1..6),
        keep in 0usize..12_000,
    ) {
        let expect = builtin("default").unwrap().expect();
        let seen = |events: &[Event]| {
            let mut checks = Checks::all(&expect);
            for event in events {
                checks.see(event);
            }
            standings(&checks)
        };
        let events = run(seed, 3_500, STORY);
        let mut timeline = Timeline::default().checked(Checks::all(&expect));
        timeline.extend(events.iter().cloned());
        for jump in jumps {
            timeline.seek(jump);
            let position = jump.min(events.len());
            prop_assert_eq!(standings(timeline.checks()), seen(&events[..position]));
        }
        let keep = keep.min(events.len());
        timeline.fork(keep);
        timeline.extend(events[keep..].iter().take(500).cloned());
        let there = &events[..(keep + 500).min(events.len())];
        prop_assert_eq!(standings(timeline.checks()), seen(there));
    }

    #[test]
    fn jumping_shows_what_folding_from_the_start_shows(
        seed in 0u64..1_000,
        jumps in prop::collection::vec(0usize..12_000, 1..8),
        keep in 0usize..12_000,
    ) {
        let events = run(seed, 3_500, STORY);
        let mut timeline = timeline(&events);
        for jump in &jumps {
            timeline.seek(*jump);
            let position = (*jump).min(events.len());
            prop_assert_eq!(timeline.position(), position);
            prop_assert_eq!(timeline.board(), &folded(&events[..position]));
        }
        // A branch that goes on with other events is a run of its own.
        let keep = keep.min(events.len());
        timeline.fork(keep);
        let other = [&events[..keep], &events[events.len() / 2..]].concat();
        timeline.extend(other[keep..].iter().cloned());
        prop_assert_eq!(timeline.board(), &folded(&other));
        for jump in jumps {
            let position = jump.min(other.len());
            prop_assert_eq!(timeline.board_at(jump), folded(&other[..position]));
        }
        timeline.view(0);
        prop_assert_eq!(timeline.board(), &folded(&events));
    }
}

#[test]
fn the_board_agrees_with_the_run() {
    let timeline = timeline(&run(7, 3_500, STORY));
    let board = timeline.board();
    assert_eq!((board.nodes.servers().count(), board.nodes.clients().count()), (5, 3));
    assert!(board.leader().is_some() && board.decree.chosen().is_some());
    let applied = |(_, replica): (NodeId, &crate::view::log::Replica)| replica.applied;
    assert_eq!(board.log.replicas().map(applied).max(), Some(board.log.commit));
    assert!(board.locks.all().any(|(_, lock)| lock.grants().any(|grant| grant.end.is_some())));
    assert!(board.nodes.all().all(|node| node.life.is_up()));
    let faults: Vec<&str> = board.faults.active().iter().map(|f| &*f.text).collect();
    assert_eq!(faults, ["clock n4 drift 5000", "loss all 20%", "hold n1 -> n3"]);
    let network = &board.network;
    assert_eq!(network.sent, network.received + network.lost + network.in_flight() as u64);
    let held = network.flights().filter(|(_, flight)| flight.held).count();
    let wire = network.wire(NodeId::node(1), NodeId::node(3)).unwrap();
    assert!(held > 0 && wire.held as usize == held);
}

#[test]
fn keyframes_stay_few_however_long_the_run() {
    let mut timeline = Timeline::default();
    for event in fired(200_000) {
        timeline.extend([event]);
    }
    assert!((MAX_FRAMES / 2..=MAX_FRAMES).contains(&timeline.viewed().kept().0));
    assert_eq!(timeline.board_at(123_456).events, 123_456);
}

/// So many events without meaning, a millisecond apart.
fn fired(count: u64) -> impl Iterator<Item = Event> {
    (0..count).map(|n| {
        let service = crate::base::ServiceId::Ping;
        let kind = Kind::Fired { service, timer: "t".into() };
        Event { at: Time(n * 1_000), node: NodeId::node(1), kind }
    })
}

#[test]
fn the_oldest_events_are_forgotten_beyond_the_limit() {
    let mut timeline = Timeline::new(20_000);
    timeline.seek(0);
    for event in fired(100_000) {
        timeline.extend([event]);
    }
    let first = timeline.events().first();
    assert!((80_000..90_000).contains(&first), "{first}");
    assert_eq!(timeline.events().len(), 100_000);
    assert!(timeline.position() >= first, "the cursor stands on something");
    assert_eq!(timeline.board_at(0).events, first);
    assert_eq!(timeline.axis(10).density().iter().sum::<usize>(), 100_000 - first);
    timeline.fork(5);
    assert_eq!(timeline.position(), first, "there is nothing before it to fork from");
}

#[test]
fn a_fork_keeps_both_ways() {
    let events = run(1, 1_000, STORY);
    let mut timeline = timeline(&events);
    timeline.fork(500);
    assert!(timeline.is_live());
    timeline.extend(events[600..700].iter().cloned());
    timeline.fork(550);
    let shape: Vec<_> = timeline
        .branches()
        .iter()
        .map(|b| (&*b.name, b.parent, b.fork, b.events().len()))
        .collect();
    let len = events.len();
    assert_eq!(shape[..2], [("main", None, 0, len), ("what-if-1", Some(0), 500, 600)]);
    assert_eq!(shape[2..], [("what-if-2", Some(1), 550, 550)]);
    let parting = timeline.branches()[0].events().parting(timeline.branches()[1].events());
    assert_eq!(parting, 500);
    let parting = timeline.branches()[2].events().parting(timeline.branches()[1].events());
    assert_eq!(parting, 550);
    timeline.view(0);
    assert!(!timeline.is_live());
    timeline.live();
    assert_eq!(timeline.viewed_index(), 2);
}

#[test]
fn events_that_come_while_one_looks_back_do_not_move_the_cursor() {
    let events = run(1, 2_000, STORY);
    let mut timeline = timeline(&events[..1_000]);
    timeline.seek(400);
    timeline.step(-2);
    timeline.extend(events[1_000..].iter().cloned());
    assert_eq!((timeline.position(), timeline.board().events), (398, 398));
    assert_eq!(timeline.event(), events.get(397));
    timeline.live();
    assert_eq!(timeline.board().events, events.len());
    timeline.step(-1);
    assert_eq!(timeline.position(), events.len() - 1);
}

#[test]
fn skipping_goes_by_time() {
    let events = run(1, 3_000, STORY);
    let mut timeline = timeline(&events);
    timeline.seek_time(Time(200_000));
    let (before, after) = (events[timeline.position() - 1].at, events[timeline.position()].at);
    assert!(before <= Time(200_000) && after > Time(200_000));
    timeline.skip(Span::millis(100));
    let there = timeline.position();
    timeline.skip_back(Span::millis(50));
    assert!(timeline.position() < there);
    let axis = timeline.axis(40);
    assert_eq!(axis.column_of(axis.time_of(7)), Some(7));
}

#[test]
fn a_closer_axis_holds_the_cursor_and_stands_still_while_that_moves_a_little() {
    let mut timeline = Timeline::default();
    timeline.extend(fired(16_000));
    let edges = |timeline: &Timeline| {
        let axis = timeline.closer_axis(4, 40);
        (axis.time_of(0).0 / 1_000_000, axis.time_of(40).0 / 1_000_000)
    };
    assert_eq!(edges(&timeline), (11, 15), "the end is in sight");
    let mut windows = Vec::new();
    for millis in (0..16_000).step_by(100) {
        timeline.seek_time(Time(millis * 1_000));
        let axis = timeline.closer_axis(4, 40);
        assert!(axis.column_of(timeline.board().now).is_some(), "{millis}");
        assert_eq!(axis.column_of(axis.time_of(7)), Some(7));
        windows.push(edges(&timeline));
    }
    windows.dedup();
    assert_eq!(windows.len(), 8, "{windows:?}");
    let axis = timeline.closer_axis(4, 40);
    assert_eq!((axis.column_of(Time::ZERO), axis.columns(Time::ZERO, Time(1))), (None, 0..0));
    assert_eq!(axis.columns(Time::ZERO, Time::NEVER), 0..40);
}

#[test]
fn a_steady_scrubber_stands_still_while_the_run_goes_on() {
    let mut timeline = Timeline::default().steady();
    timeline.extend(fired(12_100));
    let before = timeline.axis(70).density();
    timeline.extend(fired(13_900).skip(12_100));
    let after = timeline.axis(70).density();
    let at = timeline.axis(70).column_of(Time(12_000_000)).unwrap();
    assert_eq!((&before[..at], at), (&after[..at], 60), "14 s have room for this");
    assert_eq!(timeline.axis(70).column_of(timeline.viewed().end().now), Some(69));
    timeline.extend(fired(14_100).skip(13_900));
    assert_eq!(timeline.axis(70).column_of(Time(12_000_000)), Some(52), "now it is 16 s");
    assert_eq!(timeline.axis(70).density().iter().sum::<usize>(), 14_100);
    let lengths =
        [0, 4, 5, 8, 9, 16, 17, 100_000].map(|n| scale::roomy(Span::secs(n)).0 / 1_000_000);
    assert_eq!(lengths, [4, 4, 5, 8, 10, 16, 20, 114_688]);
}

/// Is broken by the event with this index, and no other.
#[derive(Clone, Debug)]
struct BrokenAt(usize);

impl Check for BrokenAt {
    fn name(&self) -> &'static str {
        "broken"
    }
    fn about(&self) -> &'static str {
        "One event breaks it."
    }
    fn see(&mut self, at: usize, _: &Event, _: &Witness) -> Option<Violation> {
        let what = "it was planted".to_owned();
        let broken = Violation { check: "broken", rule: "T-1", what, at, because: Vec::new() };
        (at == self.0).then_some(broken)
    }
}

#[test]
fn marks_lead_from_violation_to_violation_and_fault_to_fault() {
    let events = run(1, 1_000, STORY);
    let mut timeline = Timeline::default()
        .checked(Checks::of([Box::new(BrokenAt(500)) as Box<dyn Check>, Box::new(BrokenAt(100))]));
    timeline.extend(events);
    timeline.start();
    assert!(timeline.next_violation() && timeline.position() == 101);
    assert!(timeline.next_violation() && timeline.position() == 501);
    assert!(!timeline.next_violation() && timeline.previous_violation());
    assert_eq!(timeline.position(), 101);
    assert!(timeline.next_mark(|kind| kind == MarkKind::Fault));
    assert_eq!(
        timeline.event().and_then(Event::command).map(ToString::to_string).as_deref(),
        Some("kill n2 keep")
    );
    assert_eq!(timeline.viewed().violations(), 2);
    timeline.fork(200);
    assert_eq!(timeline.viewed().violations(), 1);
}

#[test]
fn undo_finds_the_last_command_before_the_cursor() {
    let events = run(1, 1_000, STORY);
    let mut timeline = timeline(&events);
    let last = |timeline: &Timeline| timeline.last_commands().map(|(_, c)| c[0].to_string());
    assert_eq!(last(&timeline).as_deref(), Some("clock n4 drift 5000"));
    let (index, _) = timeline.last_commands().unwrap();
    timeline.fork(index);
    assert_eq!(last(&timeline).as_deref(), Some("partition n1,n2 | n3,n4,n5"));
    timeline.start();
    assert_eq!(last(&timeline), None);
}

#[test]
fn the_quorum_track_says_when_there_was_none() {
    let story = [(100, "partition n1,n2 | n3,n4 | n5"), (500, "heal n1,n2 ~ n3,n4")];
    let timeline = timeline(&run(1, 900, &story));
    let had: Vec<bool> = timeline.viewed().quorum().iter().map(|(_, had)| *had).collect();
    assert_eq!(had, [true, false, true]);
}

#[test]
fn leaders_are_marked() {
    let mut timeline = Timeline::default();
    let (at, node) = (Time(5), NodeId::node(3));
    let fact = Fact::Leads { ballot: Ballot::new(1, node) };
    timeline.extend([Event { at, node, kind: Kind::Fact(fact) }]);
    let mark = &timeline.viewed().marks()[0];
    assert_eq!((mark.kind, &*mark.text), (MarkKind::Leader, "n3 leads 1.3"));
}

/// There are no three leaders of far ballots.
#[derive(Clone, Debug, Default)]
struct ThirdLeads(usize);

impl Check for ThirdLeads {
    fn name(&self) -> &'static str {
        "third"
    }
    fn about(&self) -> &'static str {
        "Two leaders are enough."
    }
    fn see(&mut self, at: usize, event: &Event, _: &Witness) -> Option<Violation> {
        let far = Ballot::new(100, NodeId::node(1));
        self.0 +=
            usize::from(matches!(event.kind, Kind::Fact(Fact::Leads { ballot }) if ballot >= far));
        let what = "a third leader".to_owned();
        let broken = Violation { check: "third", rule: "T-2", what, at, because: Vec::new() };
        (self.0 == 3).then_some(broken)
    }
}

#[test]
fn an_excerpt_has_the_fewest_events_that_break_the_rule_on_their_stage() {
    let mut events = run(1, 1_000, STORY);
    let lead = |n, at| Event {
        at,
        node: NodeId::node(n),
        kind: Kind::Fact(Fact::Leads { ballot: Ballot::new(100 + u32::from(n), NodeId::node(n)) }),
    };
    for (at, n) in [(900, 1), (600, 2), (500, 2)] {
        events.insert(at, lead(n, events[at].at));
    }
    let mut timeline =
        Timeline::default().checked(Checks::of([Box::<ThirdLeads>::default() as Box<dyn Check>]));
    timeline.extend(events);
    let violation = timeline.viewed().checks().first().cloned().unwrap();
    assert_eq!(timeline.view_excerpt(&violation), Some(3));
    let told: Vec<String> =
        timeline.events().range(0..99).map(|(_, e)| e.kind.to_string()).collect();
    assert_eq!(told.iter().filter(|text| text.starts_with("leads 10")).count(), 3);
    // Five nodes and three clients start, and n2 crashes.
    assert_eq!(told.len(), 3 + 8 + 1, "{told:?}");
    assert_eq!(timeline.checks().first().map(|found| found.at), Some(told.len() - 1));
    assert!(!timeline.is_live() && timeline.branches().len() == 1);
    timeline.live();
    assert!(timeline.is_live() && timeline.events().len() > 1_000);
}
