//! What is read from a run for pictures, against the run itself.
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::{MsgId, NodeId, Span, Time};
use netsplit::event::{Event, Fact, Kind, Watch};
use netsplit::plan;
use netsplit::sim::history::History;
use netsplit::view::Board;
use netsplit::view::clients::Verdict;
use netsplit::view::flow::{self, Flow, Lanes, MOST, Message, Sign, Window};
use netsplit::view::timeline::Timeline;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Fourteen seconds of the default cluster, with messages that are lost, doubled, held and delayed.
fn run() -> &'static Timeline {
    static RUN: OnceLock<Timeline> = OnceLock::new();
    RUN.get_or_init(|| {
        let plan = plan::builtin("default").unwrap();
        let mut events = Vec::new();
        let mut run = History::new(&plan, 7, Watch::Labels, &mut events);
        for (millis, line) in [
            (1_000, "loss all 10%"),
            (1_500, "duplicate all 20%"),
            (2_000, "hold n2 -> n3"),
            (2_400, "kill n4"),
            (3_000, "release all"),
            (3_500, "heal"),
            (4_000, "delay n1 -> n2 90ms 40ms"),
            (4_500, "restart n4"),
            (5_000, "partition n1,n2 | n3,n4,n5"),
        ] {
            advance(&mut run, millis, &mut events);
            run.apply(&line.parse().unwrap(), &mut events).unwrap();
        }
        advance(&mut run, 14_000, &mut events);
        let mut timeline = Timeline::new(1_000_000);
        timeline.extend(events);
        timeline
    })
}

fn advance(run: &mut History, millis: u64, events: &mut Vec<Event>) {
    let until = Time(millis * 1_000);
    while run.world().next() <= until {
        run.step(events);
    }
    run.wait(until);
}

/// The windows of `length` that cover the run.
fn windows(length: Span) -> impl Iterator<Item = Window> {
    let end = run().board().now;
    (0..=end.0 / length.0).map(move |at| {
        let from = Time(at * length.0);
        let to = Time((at + 1) * length.0 - 1);
        Window { from, to, position: run().events().upto(to) }
    })
}

fn find(flow: &Flow, msg: MsgId) -> &Message {
    flow.messages.iter().find(|message| message.id == msg).unwrap()
}

#[test]
fn every_message_of_a_window_has_the_beginning_and_the_ends_that_the_run_tells() {
    let mut seen = 0;
    for window in windows(Span::millis(20)) {
        let flow = Flow::read(run().events(), &window);
        assert_eq!(flow.left_out, (0, 0));
        for (index, event) in run().events().range(flow.range.clone()) {
            assert!((window.from..=window.to).contains(&event.at));
            match &event.kind {
                Kind::Sent { msg, to, label, .. } => {
                    let message = find(&flow, *msg);
                    assert_eq!((message.from, message.to), (event.node, *to));
                    assert_eq!((message.sent, &message.label), (Some((index, event.at)), label));
                }
                Kind::Received { msg, from, .. } => {
                    let message = find(&flow, *msg);
                    assert_eq!((message.from, message.to), (*from, event.node));
                    let end = message.ends.iter().find(|end| end.index == index).unwrap();
                    assert_eq!((end.at, end.lost), (event.at, None));
                    seen += 1;
                }
                Kind::Lost { msg, why, .. } => {
                    let ends = &find(&flow, *msg).ends;
                    assert!(ends.iter().any(|end| end.index == index && end.lost == Some(*why)));
                }
                _ => {}
            }
        }
    }
    let received = |event: &(usize, &Event)| matches!(event.1.kind, Kind::Received { .. });
    let all = run().events().range(0..usize::MAX).filter(received).count();
    assert_eq!(seen, all);
}

#[test]
fn what_is_under_way_at_a_moment_is_what_the_board_says() {
    let events = run().events();
    for position in (0..events.len()).step_by(397) {
        let board = run().board_at(position);
        let window = Window { from: board.now - Span::millis(300), to: board.now, position };
        let flow = Flow::read(events, &window);
        let drawn: BTreeSet<MsgId> = flow
            .messages
            .iter()
            .filter(|message| message.is_under_way(position))
            .map(|message| message.id)
            .collect();
        let known: BTreeSet<MsgId> = board
            .network
            .flights()
            .filter(|(_, flight)| flight.sent >= window.from)
            .map(|(msg, _)| msg)
            .collect();
        assert!(drawn.is_superset(&known), "at {position}: {known:?} of {drawn:?}");
        let strange: Vec<_> =
            drawn.difference(&known).filter(|msg| board.network.flight(**msg).is_none()).collect();
        assert!(strange.is_empty(), "at {position}: {strange:?} are not under way");
    }
}

#[test]
fn a_long_window_costs_no_more_than_a_short_one_and_says_what_it_leaves_out() {
    let all = run().events().len();
    let position = all / 3;
    let window = Window { from: Time::ZERO, to: run().board().now, position };
    let flow = Flow::read(run().events(), &window);
    assert_eq!(flow.range.len(), MOST);
    assert!(flow.range.contains(&position));
    assert_eq!(flow.left_out.0 + MOST + flow.left_out.1, all);
}

#[test]
fn a_crash_a_start_and_a_command_stand_where_they_happened() {
    let window = Window { from: Time(2_390_000), to: Time(2_410_000), position: 0 };
    let flow = Flow::read(run().events(), &window);
    let dies = flow.deeds.iter().find(|deed| deed.sign == Sign::Dies).unwrap();
    assert_eq!((dies.node, dies.at), (NodeId::node(4), Time(2_400_000)));
    assert_eq!(flow.orders.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [Time(2_400_000)]);
    assert!(flow.stops(NodeId::node(4), &|_| true).contains(&dies.index));
}

#[test]
fn measurements_are_those_of_the_run_at_every_moment() {
    let events = run().events();
    let end = &run().board().metrics;
    let (mut ok, mut sent) = (0, 0);
    for (_, event) in events.range(0..events.len()) {
        sent += u64::from(matches!(event.kind, Kind::Sent { .. }));
        if let Some(Fact::Returns { outcome, .. }) = event.fact() {
            ok += u64::from(Verdict::of(outcome) == Verdict::Ok);
        }
    }
    let sum = end.since(Time::ZERO);
    assert_eq!((sum.all().ok, sum.traffic.values().map(|traffic| traffic.sent).sum()), (ok, sent));
    assert_eq!(end.kinds().iter().map(|(_, traffic)| traffic.sent).sum::<u64>(), sent);
    for (kind, (_, traffic)) in end.kinds().iter().enumerate() {
        let over_time: u64 = end.bins().iter().map(|bin| end.sent_in(bin, kind)).sum();
        assert_eq!(over_time, traffic.sent);
    }
    // Looking back finds what one would have seen then.
    let mut board = Board::new();
    for (index, event) in events.range(0..events.len()) {
        board.see(index, event);
        if index % 1_777 == 0 {
            assert_eq!(run().board_at(index + 1).metrics, board.metrics, "at {index}");
        }
    }
}

#[test]
fn with_many_processes_those_that_talk_to_the_selected_one_have_lanes() {
    let plan = plan::builtin("ring-50").unwrap();
    let mut events = Vec::new();
    let mut run = History::new(&plan, 7, Watch::Labels, &mut events);
    advance(&mut run, 2_000, &mut events);
    let mut timeline = Timeline::new(1_000_000);
    timeline.extend(events);
    let window = Window { from: Time(1_900_000), to: Time(2_000_000), position: usize::MAX };
    let flow = Flow::read(timeline.events(), &window);
    let all: Vec<NodeId> = timeline.board().nodes.ids().to_vec();
    let selected = NodeId::node(17);
    let lanes = Lanes::choose(flow.messages.iter(), &all, selected, &BTreeSet::new(), 9);
    assert_eq!((lanes.own.len(), lanes.count()), (8, 9));
    assert_eq!(lanes.own.len() + lanes.others.len(), all.len());
    assert!(lanes.own.contains(&selected));
    let talks = |peer: NodeId| {
        let mut messages = flow.messages.iter();
        messages.any(|m| (m.from, m.to) == (selected, peer) || (m.from, m.to) == (peer, selected))
    };
    assert!(lanes.own.iter().all(|id| *id == selected || talks(*id)));
    // Who is hidden is among the others, even if there is room.
    let hidden = BTreeSet::from([NodeId::node(2)]);
    let lanes = Lanes::choose(flow.messages.iter(), &all[..5], selected, &hidden, 9);
    assert_eq!((lanes.of(NodeId::node(2)), lanes.count()), (Some(4), 5));
}

#[test]
fn what_came_right_before_and_after_an_event_is_of_its_process_and_its_moment() {
    let events = run().events();
    let mut answered = 0;
    for (index, event) in events.range(0..events.len()) {
        let around = flow::around(events, index);
        let others = around.before.iter().chain(&around.after);
        for other in others.map(|index| events.get(*index).unwrap()) {
            assert_eq!((other.node, other.at), (event.node, event.at));
        }
        answered += usize::from(around.before.is_some());
    }
    assert!(answered > events.len() / 10, "{answered} of {}", events.len());
}
