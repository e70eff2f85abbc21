//! Consoles that look at a cluster through the network.

use super::town::{Desk, SOON, Town, n, soon};
use netsplit::base::NodeId;
use netsplit::event::{Fact, Kind, Watch};
use netsplit::live::console;
use netsplit::live::control::{CommandId, Report, Request};
use netsplit::live::hub::{Feed, News};
use netsplit::live::identity::Role;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

const PAXOS: &str = r#"
title = "Three nodes agree on one value"
nodes = 3
[paxos]
proposers = { n1 = "red", n3 = "blue" }
"#;

const BALLS: &str = "title = \"Balls\"\nnodes = 2\n[ping]\nwidth = 16\n";

/// What each node has learned to be chosen, in what was seen.
fn chosen(desk: &Desk) -> BTreeSet<(NodeId, String)> {
    let facts = desk.events.iter().filter_map(|event| match event.fact()? {
        Fact::Chooses { entry, .. } => Some((event.node, format!("{entry:?}"))),
        _ => None,
    });
    facts.collect()
}

/// The commands that were shown.
fn commands(desk: &Desk) -> Vec<String> {
    let shown = desk.events.iter().filter_map(|event| event.command().map(ToString::to_string));
    shown.collect()
}

#[tokio::test]
async fn consoles_see_the_same_whenever_they_come() {
    let town = Town::new(PAXOS);
    let all = town.populate();
    let at = all[0].endpoint.address();
    let first = town.console(Role::Operator, at, at).await;
    assert_eq!((first.name.as_str(), first.role), ("town", Role::Operator));
    assert_eq!(first.plan, town.plan);
    let mut first = Desk::new(first).await;
    let complete = |desk: &Desk| chosen(desk).len() == 3;
    first.until("decision everywhere", complete).await;
    // It comes late, by another door, and sees the same.
    let late = town.console(Role::Observer, at, all[2].endpoint.address()).await;
    let mut late = Desk::new(late).await;
    late.until("decision everywhere", complete).await;
    assert_eq!(chosen(&late), chosen(&first));
    assert_eq!((first.up(), late.up()), (3, 3));
    assert_eq!((first.missed, late.missed), (0, 0));
}

#[tokio::test]
async fn each_sees_a_command_once_whoever_gave_it() {
    let town = Town::new(PAXOS);
    let all = town.populate();
    let at = all[0].endpoint.address();
    let mut one = Desk::new(town.console(Role::Operator, at, at).await).await;
    let mut two = Desk::new(town.console(Role::Operator, at, at).await).await;
    for desk in [&mut one, &mut two] {
        desk.until("connections", |desk| desk.up() == 3).await;
    }
    // Three processes carry it out, each a part of it.
    one.say("partition n1 | n2 | n3").await;
    two.until("partition", |desk| commands(desk).len() == 1).await;
    two.say("kill n2").await;
    let killed = |desk: &Desk| {
        desk.events.iter().any(|e| e.node == n(2) && matches!(e.kind, Kind::Killed { .. }))
    };
    for desk in [&mut one, &mut two] {
        desk.until("end of n2", killed).await;
        let soon = desk.events.len() + 3;
        let _ = timeout(Duration::from_millis(300), desk.until("more", |d| d.events.len() > soon))
            .await;
        assert_eq!(commands(desk), ["partition n1 | n2 | n3", "kill n2"]);
        assert_eq!(desk.refused, [""; 0]);
    }
    // What cannot be done is refused to whoever asked for it.
    two.say("kill n2").await;
    two.until("refusal", |desk| !desk.refused.is_empty()).await;
    assert_eq!(two.refused, ["n2 is down"]);
    two.say("restart n2").await;
    one.until("restart", |desk| commands(desk).len() == 3).await;
}

#[tokio::test]
async fn an_observer_looks_and_changes_nothing() {
    let town = Town::new(PAXOS);
    let all = town.populate();
    let at = all[0].endpoint.address();
    let attached = town.console(Role::Observer, at, at).await;
    let mut desk = Desk::new(attached).await;
    desk.until("connections", |desk| desk.up() == 3).await;
    desk.say("kill n2").await;
    desk.until("refusal", |desk| !desk.refused.is_empty()).await;
    assert_eq!(desk.refused, ["an observer may look, and change nothing"]);
    assert_eq!(commands(&desk), [""; 0]);

    // Nor if it asks by other means.
    let identity = town.identity(Role::Observer);
    let attached = console::attach(identity, &[at], Watch::Facts).await.unwrap();
    let mut feed = attached.feeds.into_iter().next().unwrap();
    up(&mut feed).await;
    feed.requests.send(Request::Shutdown).await.unwrap();
    let why = loop {
        if let News::Link(state) = soon("end", feed.news.recv()).await.unwrap() {
            break format!("{state:?}");
        }
    };
    assert!(why.contains("an observer may look, and change nothing"), "{why}");
    up(&mut feed).await;
}

/// Waits for the connection.
async fn up(feed: &mut Feed) {
    let wait = async {
        loop {
            match feed.news.recv().await.expect("it is followed") {
                News::Link(netsplit::cluster::LinkState::Up) => return,
                _ => continue,
            }
        }
    };
    soon("connection", wait).await;
}

#[tokio::test]
async fn commands_of_others_and_commands_that_are_none_are_refused() {
    let town = Town::new(PAXOS);
    let all = town.populate();
    let identity = town.identity(Role::Operator);
    let at = [all[0].endpoint.address()];
    let attached = console::attach(identity, &at, Watch::Facts).await.unwrap();
    let console = attached.console;
    let mut feed = attached.feeds.into_iter().next().unwrap();
    up(&mut feed).await;
    let loss =
        netsplit::command::Command::Loss { link: netsplit::command::Link::All, percent: 200 };
    let kill: netsplit::command::Command = "kill n1".parse().unwrap();
    for (id, command, why) in [
        (CommandId { console: console ^ 1, number: 1 }, kill, "the number of another console"),
        (CommandId { console, number: 2 }, loss, "is not a share"),
    ] {
        feed.requests.send(Request::Command { id, command }).await.unwrap();
        let answer = loop {
            if let News::Report(Report::Answer { id: answered, result }) =
                soon("answer", feed.news.recv()).await.unwrap()
            {
                assert_eq!(answered, id);
                break result.unwrap_err();
            }
        };
        assert!(answer.contains(why), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_console_misses_events_and_is_told_and_no_other_one_is() {
    let town = Town::new(BALLS);
    let all = town.populate();
    let at = [all[0].endpoint.address()];
    let attach = async || {
        let identity = town.identity(Role::Observer);
        let attached = console::attach(identity, &at, Watch::Labels).await.unwrap();
        attached.feeds.into_iter().next().unwrap()
    };
    let (mut slow, mut quick) = (attach().await, attach().await);
    up(&mut slow).await;
    up(&mut quick).await;
    // The slow one reads nothing until the quick one has seen more than all queues can hold.
    let mut seen = 0;
    let since = std::time::Instant::now();
    while seen < 120_000 {
        match soon("news", quick.news.recv()).await.unwrap() {
            News::Report(Report::Events { events, .. }) => seen += events.len(),
            News::Report(Report::Missed { count }) => panic!("{count} missed by the quick one"),
            News::Report(_) => {}
            News::Link(state) => panic!("{state:?}"),
        }
        assert!(since.elapsed() < 4 * SOON, "only {seen} events");
    }
    let (mut kept, mut missed) = (0, 0);
    while missed == 0 {
        match soon("news", slow.news.recv()).await.unwrap() {
            News::Report(Report::Events { events, .. }) => kept += events.len(),
            News::Report(Report::Missed { count }) => missed = count,
            News::Report(_) => {}
            News::Link(state) => panic!("{state:?}"),
        }
    }
    assert!(kept < seen, "{kept} of {seen} were kept for it");
    // It knows everything again.
    let restated = async {
        while !matches!(slow.news.recv().await.unwrap(), News::Report(Report::Restated)) {}
    };
    soon("introduction", restated).await;
}

#[tokio::test]
async fn a_process_that_comes_back_elsewhere_is_followed_there() {
    let town = Town::new(PAXOS);
    let mut all = town.populate();
    let at = all[0].endpoint.address();
    let mut desk = Desk::new(town.console(Role::Operator, at, at).await).await;
    desk.until("connections", |desk| desk.up() == 3).await;
    all.pop().expect("n3").endpoint.close().await;
    desk.until("loss of n3", |desk| desk.up() == 2).await;
    let (id, why) = desk.links.last().unwrap();
    assert_eq!(*id, n(3));
    assert!(why.contains("Down") && why.contains("the process is ending"), "{why}");
    desk.say("kill n3").await;
    desk.until("refusal", |desk| !desk.refused.is_empty()).await;
    assert_eq!(desk.refused, ["n3 cannot be reached"]);

    let _back = town.process(n(3), all[0].endpoint.book());
    desk.until("n3", |desk| desk.up() == 3).await;
    desk.say("kill n3").await;
    desk.until("its end", |desk| {
        desk.events.iter().any(|e| e.node == n(3) && matches!(e.kind, Kind::Killed { .. }))
    })
    .await;
}

#[tokio::test]
async fn there_are_only_so_many_consoles() {
    let town = Town::quiet(2);
    let one = town.open(1);
    let at = [one.endpoint.address()];
    let identity = town.identity(Role::Observer);
    let mut feeds = Vec::new();
    for _ in 0..16 {
        let attached = console::attach(identity.clone(), &at, Watch::Facts).await.unwrap();
        let mut feed = attached.feeds.into_iter().next().unwrap();
        up(&mut feed).await;
        feeds.push(feed);
    }
    assert_eq!(one.endpoint.connections(), (0, 16));
    let error = console::attach(identity.clone(), &at, Watch::Facts).await.unwrap_err();
    assert!(error.what().contains("16 consoles are connected, and that is the most"), "{error}");
    feeds.pop();
    let again = async {
        while console::attach(identity.clone(), &at, Watch::Facts).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("free place", again).await;
}
