//! One agent and one hub, by hand: no network, no time that matters.

use super::agent::{Agent, Epoch, Settings};
use super::control::{CommandId, Envelope, Inbox, Link, Report, Request, Stamped};
use super::disk::{Disk, Medium};
use super::drive::drive;
use super::hub::{Feed, Hub, News, PATIENCE};
use crate::base::{MsgId, Mutations, NodeId, Rng, Span, Time};
use crate::cluster::{LinkState, Update};
use crate::command::Command;
use crate::event::{Event, Kind, Loss, Presence, Watch};
use crate::host::Setup;
use crate::proto::{Config, ping};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

const N1: NodeId = NodeId::node(1);
const N2: NodeId = NodeId::node(2);

/// A link that keeps what it is given.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<(NodeId, Envelope)>>>);

impl Link for Kept {
    fn send(&mut self, to: NodeId, envelope: Envelope) -> Result<(), Loss> {
        self.0.lock().expect("nobody panics with it").push((to, envelope));
        Ok(())
    }
}

/// n1 of two nodes that play ball, driven, with its inbox and its link.
fn n1(peers: &[NodeId]) -> (Sender<Inbox>, Kept) {
    let (inbox, out) = channel(64);
    let stack = [Config::Ping(ping::Config { peers: peers.into(), width: 1 })].into();
    let settings = Settings {
        setup: Setup { me: N1, stack, mutations: Mutations::NONE },
        all: [N1, N2].into(),
        seed: 1,
        ways: (Span::ZERO, Span::ZERO),
        epoch: Epoch::new(Time(1_000)),
    };
    let medium = Medium::Memory { fastest: Span::ZERO, slowest: Span::ZERO };
    let done = inbox.clone();
    let disk = Disk::start("disk n1", medium, Rng::new(1), move |what| {
        let _ = done.blocking_send(Inbox::Disk(what));
    });
    let link = Kept::default();
    let mut agent = Agent::new(settings, disk.expect("a thread"), link.clone());
    agent.boot();
    tokio::spawn(drive(agent, out));
    (inbox, link)
}

/// Attaches a console, which watches from now on.
async fn watch(inbox: &Sender<Inbox>, console: u64, room: usize) -> Receiver<Report> {
    let (reports, told) = channel(room);
    let there = [
        Inbox::Attached { console, reports },
        Inbox::Asked { console, request: Request::Watch(Watch::Messages) },
    ];
    for item in there {
        inbox.send(item).await.expect("the agent lives");
    }
    told
}

/// Reads reports until one of them is the one.
async fn until<T>(told: &mut Receiver<Report>, mut so: impl FnMut(&Report) -> Option<T>) -> T {
    let found = async {
        loop {
            let report = told.recv().await.expect("the agent lives");
            if let Some(found) = so(&report) {
                return found;
            }
        }
    };
    timeout(Duration::from_secs(10), found).await.expect("it comes soon")
}

/// Whether this says that a process is up.
fn is_there(kind: &Kind) -> bool {
    matches!(kind, Kind::Started { .. } | Kind::Present { state: Presence::Up, .. })
}

/// Finds an event of which something is so.
fn event(so: impl Fn(&Kind) -> bool) -> impl Fn(&Report) -> Option<Event> {
    move |report| match report {
        Report::Events { events, .. } => {
            events.iter().map(|stamped| &stamped.event).find(|event| so(&event.kind)).cloned()
        }
        _ => None,
    }
}

async fn command(inbox: &Sender<Inbox>, console: u64, number: u32, text: &str) {
    let command = text.parse().expect("a command");
    let request = Request::Command { id: CommandId { console, number }, command };
    inbox.send(Inbox::Asked { console, request }).await.expect("the agent lives");
}

fn ball(stamp: Time) -> Envelope {
    let message = ping::Message::Ball { throws: 1 }.into();
    Envelope { id: MsgId::first(N2, 1).next(), stamp, message }
}

#[tokio::test]
async fn a_service_that_panics_leaves_a_red_node_and_an_agent_that_listens() {
    let (inbox, _) = n1(&[]);
    let mut told = watch(&inbox, 1, 64).await;
    // It dies at once, maybe before anybody looks.
    let down = |kind: &Kind| {
        matches!(kind, Kind::Killed { .. } | Kind::Present { state: Presence::Down, .. })
    };
    until(&mut told, event(down)).await;
    for number in 1..3 {
        command(&inbox, 1, number, "restart n1").await;
        // Both may come in one report.
        let panicked = event(|kind| matches!(kind, Kind::Panicked { .. }));
        let killed = event(|kind| matches!(kind, Kind::Killed { .. }));
        let mut red = false;
        until(&mut told, |report| {
            red |= panicked(report).is_some();
            killed(report).filter(|_| red)
        })
        .await;
    }
}

#[tokio::test]
async fn who_reads_too_slowly_misses_a_counted_number_and_holds_nobody_up() {
    let (inbox, link) = n1(&[N1, N2]);
    let mut slow = watch(&inbox, 1, 8).await;
    let mut quick = watch(&inbox, 2, 64).await;
    until(&mut quick, event(is_there)).await;
    for _ in 0..100 {
        inbox.send(Inbox::Arrived { from: N2, envelope: ball(Time::ZERO) }).await.expect("alive");
        until(&mut quick, event(|kind| matches!(kind, Kind::Sent { .. }))).await;
    }
    assert!(link.0.lock().expect("nobody panics").len() >= 100);
    let (mut seen, mut missed) = (0, 0);
    until(&mut slow, |report| {
        if let Report::Events { events, .. } = report {
            let received = |s: &&Stamped| matches!(s.event.kind, Kind::Received { .. });
            seen += events.iter().filter(received).count();
        }
        if let Report::Missed { count } = report {
            missed = *count;
        }
        (missed > 0 && *report == Report::Restated).then_some(())
    })
    .await;
    // Each ball is two events: received, and sent on.
    assert!(seen < 100 && missed >= 2 * (100 - seen as u64) - 2, "{seen} seen, {missed} missed");
}

#[tokio::test]
async fn who_asks_again_how_things_stand_is_told_what_it_misses_meanwhile() {
    let (inbox, _) = n1(&[N1, N2]);
    let mut slow = watch(&inbox, 1, 8).await;
    let mut quick = watch(&inbox, 2, 64).await;
    until(&mut quick, event(is_there)).await;
    until(&mut slow, |report| (*report == Report::Restated).then_some(())).await;
    for ball_number in 0..60 {
        if ball_number == 5 {
            // There is room for a report, but not for an introduction.
            let request = Request::Watch(Watch::Messages);
            inbox.send(Inbox::Asked { console: 1, request }).await.expect("the agent lives");
        }
        inbox.send(Inbox::Arrived { from: N2, envelope: ball(Time::ZERO) }).await.expect("alive");
        until(&mut quick, event(|kind| matches!(kind, Kind::Sent { .. }))).await;
    }
    let (mut seen, mut missed) = (0, 0);
    until(&mut slow, |report| {
        if let Report::Events { events, .. } = report {
            let received = |s: &&Stamped| matches!(s.event.kind, Kind::Received { .. });
            seen += events.iter().filter(received).count();
        }
        if let Report::Missed { count } = report {
            missed = *count;
        }
        (*report == Report::Restated).then_some(())
    })
    .await;
    assert!(seen < 60 && missed >= 2 * (60 - seen as u64) - 2, "{seen} seen, {missed} missed");
}

#[tokio::test]
async fn who_comes_late_is_told_what_is_broken() {
    let (inbox, _) = n1(&[N1, N2]);
    let mut early = watch(&inbox, 1, 64).await;
    let broken = ["clock n1 +5s", "partition n1 -> n2", "disk n1 slow 3ms", "loss n1 -> n2 7%"];
    for (number, text) in broken.iter().enumerate() {
        command(&inbox, 1, number as u32 + 1, text).await;
        until(&mut early, |report| matches!(report, Report::Answer { .. }).then_some(())).await;
    }
    let mut late = watch(&inbox, 2, 64).await;
    let mut told = Vec::new();
    until(&mut late, |report| {
        if let Report::Events { events, .. } = report {
            let present = |kind: &Kind| match kind {
                Kind::Present { faults, .. } => Some(faults.clone()),
                _ => None,
            };
            let wrong = events.iter().filter_map(|s| present(&s.event.kind));
            wrong.for_each(|faults| told.extend(faults.iter().map(Command::to_string)));
        }
        (*report == Report::Restated).then_some(())
    })
    .await;
    told.sort();
    let mut expected = broken.map(str::to_owned);
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_effect_is_stamped_later_than_its_cause_unless_the_cause_s_clock_is_absurd() {
    let (inbox, _) = n1(&[N1, N2]);
    let mut told = watch(&inbox, 1, 64).await;
    until(&mut told, event(is_there)).await;
    let received = |kind: &Kind| matches!(kind, Kind::Received { .. });
    let ahead = Time(30_000_000);
    inbox.send(Inbox::Arrived { from: N2, envelope: ball(ahead) }).await.expect("alive");
    assert!(until(&mut told, event(received)).await.at > ahead);
    let absurd = Time(7_200_000_000);
    inbox.send(Inbox::Arrived { from: N2, envelope: ball(absurd) }).await.expect("alive");
    assert!(until(&mut told, event(received)).await.at < absurd);
}

#[tokio::test]
async fn a_held_message_that_is_delayed_goes_out_when_it_is_due_or_when_it_is_told_to() {
    let (inbox, link) = n1(&[N1, N2]);
    let mut told = watch(&inbox, 1, 64).await;
    until(&mut told, event(is_there)).await;
    command(&inbox, 1, 1, "hold n1 -> n2").await;
    inbox.send(Inbox::Arrived { from: N2, envelope: ball(Time::ZERO) }).await.expect("alive");
    let held = until(&mut told, event(|kind| matches!(kind, Kind::Held { .. }))).await;
    let Kind::Held { msg, .. } = held.kind else { panic!("{held}") };
    let sent = |link: &Kept| {
        let sent = link.0.lock().expect("nobody panics");
        sent.iter().any(|(_, envelope)| envelope.id == msg)
    };
    for (number, order, out) in [(2, "delay MSG 3600s", false), (3, "deliver MSG", true)] {
        command(&inbox, 1, number, &order.replace("MSG", &msg.to_string())).await;
        let result = until(&mut told, |report| match report {
            Report::Answer { id, result } if id.number == number => Some(result.clone()),
            _ => None,
        });
        assert_eq!(result.await, Ok(()), "{order}");
        assert_eq!(sent(&link), out, "{order}");
    }
}

/// A hub for two agents that the test plays.
struct Lab {
    news: [Sender<News>; 2],
    requests: [Receiver<Request>; 2],
    commands: Sender<Command>,
    updates: Receiver<Update>,
}

impl Lab {
    fn new() -> Lab {
        let (commands, commands_out) = channel(8);
        let (updates_in, updates) = channel(64);
        let feed = |process| {
            let ((told, news), (requests, asked)) = (channel(64), channel(8));
            (told, asked, Feed { process, requests, news })
        };
        let ((told1, asked1, feed1), (told2, asked2, feed2)) = (feed(N1), feed(N2));
        let hub = Hub::new(vec![feed1, feed2], Watch::Messages, 9, commands_out, updates_in);
        tokio::spawn(hub.serve());
        for told in [&told1, &told2] {
            told.try_send(News::Link(LinkState::Up)).expect("there is room");
        }
        Lab { news: [told1, told2], requests: [asked1, asked2], commands, updates }
    }

    async fn report(&self, agent: usize, upto: u64, events: &[(u64, Kind, Option<CommandId>)]) {
        let node = [N1, N2][agent];
        let stamped = |(at, kind, command): &(u64, Kind, _)| Stamped {
            command: *command,
            event: Event { at: Time(*at), node, kind: kind.clone() },
        };
        let events = events.iter().map(stamped).collect();
        let report = Report::Events { events, upto: Time(upto) };
        self.news[agent].send(News::Report(report)).await.expect("the hub lives");
    }

    async fn give(&self, text: &str) {
        self.commands.send(text.parse().expect("a command")).await.expect("the hub lives");
    }

    /// The next update that is neither a tick nor empty.
    async fn next(&mut self) -> Update {
        let next = async {
            loop {
                match self.updates.recv().await.expect("the hub lives") {
                    Update::Reached { .. } | Update::Link { state: LinkState::Up, .. } => {}
                    update => return update,
                }
            }
        };
        timeout(Duration::from_secs(10), next).await.expect("it comes soon")
    }

    async fn events(&mut self, count: usize) -> Vec<(u64, NodeId)> {
        let mut found = Vec::new();
        while found.len() < count {
            if let Update::Events(events) = self.next().await {
                found.extend(events.iter().map(|event| (event.at.0, event.node)));
            }
        }
        found
    }
}

#[tokio::test]
async fn reports_are_merged_by_stamp_and_only_when_nothing_can_come_before() {
    let mut lab = Lab::new();
    lab.give("run").await;
    lab.report(0, 50, &[(10, Kind::Paused, None), (40, Kind::Resumed, None)]).await;
    lab.report(1, 30, &[(5, Kind::Paused, None), (20, Kind::Resumed, None)]).await;
    assert_eq!(lab.events(3).await, [(5, N2), (10, N1), (20, N2)]);
    lab.report(1, 60, &[]).await;
    assert_eq!(lab.events(1).await, [(40, N1)]);
}

#[tokio::test]
async fn a_silent_agent_is_not_waited_for_and_told_late() {
    let mut lab = Lab::new();
    lab.give("run").await;
    lab.report(1, 10, &[]).await;
    let late = 20 + PATIENCE.0;
    lab.report(0, late, &[(15, Kind::Paused, None)]).await;
    assert_eq!(lab.events(2).await, [(10, N2), (15, N1)], "first that n2 is out of sight");
    lab.report(1, 12, &[(11, Kind::Resumed, None)]).await;
    lab.report(0, late, &[]).await;
    assert_eq!(lab.events(1).await[0].1, N2);
    assert!(lab.requests[1].try_recv().is_err(), "it is still behind");
    lab.report(1, late, &[(11, Kind::Paused, None)]).await;
    let told = lab.events(1).await;
    assert!(told[0].0 >= 15 && told[0].1 == N2, "with the time that was shown already: {told:?}");
    let asked = lab.requests[1].recv().await;
    assert!(matches!(asked, Some(Request::Watch(_))), "how do things stand? {asked:?}");
}

#[tokio::test]
async fn a_command_that_many_carry_out_is_shown_once() {
    let mut lab = Lab::new();
    lab.give("run").await;
    let id = CommandId { console: 77, number: 1 };
    let kind = || Kind::Commanded(Box::new("heal".parse().expect("a command")));
    lab.report(0, 50, &[(10, kind(), Some(id))]).await;
    lab.report(1, 50, &[(12, kind(), Some(id)), (13, Kind::Paused, None)]).await;
    assert_eq!(lab.events(2).await, [(10, N1), (13, N2)]);
}

#[tokio::test]
async fn a_command_goes_to_whom_it_concerns_and_says_who_could_not_be_reached() {
    let mut lab = Lab::new();
    lab.give("kill n2").await;
    let asked = lab.requests[1].recv().await.expect("n2 is asked");
    let Request::Command { id, .. } = asked else { panic!("{asked:?}") };
    let answer = Report::Answer { id, result: Err("n2 is down".to_owned()) };
    lab.news[1].send(News::Report(answer)).await.expect("the hub lives");
    assert!(matches!(lab.next().await, Update::Refused { why, .. } if why == "n2 is down"));
    assert!(lab.requests[0].try_recv().is_err(), "n1 has nothing to do with it");

    let down = LinkState::Down("no answer".to_owned());
    lab.news[1].send(News::Link(down)).await.expect("the hub lives");
    assert!(matches!(lab.next().await, Update::Link { process: N2, .. }));
    lab.give("heal").await;
    let asked = lab.requests[0].recv().await.expect("n1 is asked");
    let Request::Command { id, .. } = asked else { panic!("{asked:?}") };
    let answer = Report::Answer { id, result: Ok(()) };
    lab.news[0].send(News::Report(answer)).await.expect("the hub lives");
    let why =
        |update| matches!(update, Update::Refused { why, .. } if why == "n2 cannot be reached");
    assert!(why(lab.next().await));
    lab.give("fork 3").await;
    assert!(matches!(lab.next().await, Update::Refused { .. }));
}
