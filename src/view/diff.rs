//! What differs between two branches at the same virtual time, in words.
//!
//! Of each moment, everything that a person would ask about is said in a few words under a topic:
//! who leads, how far the log is, who holds a lock. Two moments differ in the topics under which
//! different words stand.

use super::Board;
use super::locks::Holder;
use super::nodes::Life;
use super::timeline::{Branch, Moment};
use crate::base::{Op, Outcome, Time};
use std::collections::BTreeMap;

/// A topic, and what there is to say about it in each branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: `leader`, `lock billing`, `c1`.
    pub topic: String,
    /// What holds in the one branch; a dash if there is nothing.
    pub left: String,
    /// What holds in the other one.
    pub right: String,
}

/// Words under topics, in the order in which a person reads them.
type Words = BTreeMap<(u8, String), String>;

/// What differs.
pub fn differences(left: &Moment, right: &Moment) -> Vec<Difference> {
    let (mut left, mut right) = (words(left), words(right));
    let mut topics: Vec<(u8, String)> = left.keys().chain(right.keys()).cloned().collect();
    topics.sort();
    topics.dedup();
    let said = |words: &mut Words, topic: &(u8, String)| {
        words.remove(topic).unwrap_or_else(|| "-".to_owned())
    };
    let both = topics.into_iter().map(|topic| {
        let (left, right) = (said(&mut left, &topic), said(&mut right, &topic));
        Difference { topic: topic.1, left, right }
    });
    both.filter(|difference| difference.left != difference.right).collect()
}

fn words(moment: &Moment) -> Words {
    let mut words = Words::new();
    let board = &moment.board;
    cluster(board, &mut words);
    state(board, &mut words);
    clients(board, &mut words);
    for violation in moment.checks.violations() {
        let text = format!("{} broken: {}", violation.rule, violation.what);
        words.insert((0, format!("check {}", violation.check)), text);
    }
    words
}

fn cluster(board: &Board, words: &mut Words) {
    let mut say = |rank, topic: &str, text: String| words.insert((rank, topic.to_owned()), text);
    say(
        1,
        "leader",
        match board.leader() {
            Some((leader, ballot)) => format!("{leader} in {ballot}"),
            None => "nobody".to_owned(),
        },
    );
    say(1, "quorum", if board.has_quorum() { "there is one" } else { "LOST" }.to_owned());
    let faults: Vec<&str> = board.faults.active().iter().map(|fault| &*fault.text).collect();
    if !faults.is_empty() {
        say(2, "faults", faults.join(", "));
    }
    for node in board.nodes.all() {
        let life = match &node.life {
            life if life.is_up() => "up",
            Life::Paused => "paused",
            _ => "DOWN",
        };
        say(3, &node.id.to_string(), format!("{life}, boot {}", node.boot));
    }
}

fn state(board: &Board, words: &mut Words) {
    let mut say = |rank, topic: String, text: String| words.insert((rank, topic), text);
    if !board.log.is_empty() {
        let last = board.log.chosen(board.log.commit);
        let last = last.map_or(String::new(), |entry| format!(", last {entry}"));
        say(4, "log".to_owned(), format!("chosen to slot {}{last}", board.log.commit));
    }
    if let Some((entry, _)) = board.decree.chosen() {
        say(4, "decree".to_owned(), format!("chosen {entry}"));
    }
    if board.ring.settled > 0 {
        say(4, "ring".to_owned(), format!("settled at epoch {}", board.ring.settled));
    }
    for (name, lock) in board.locks.all() {
        let held = |holder: &Holder| format!("{} with token {}", holder.call.client, holder.token);
        let text = match lock.holders.as_slice() {
            [] => format!("free, last token {}", lock.token),
            all => all.iter().map(held).collect::<Vec<_>>().join(" and "),
        };
        let waits = match lock.queue.len() {
            0 => String::new(),
            count => format!(", {count} wait"),
        };
        say(5, format!("lock {name}"), text + &waits);
    }
    for txn in board.txns.all() {
        let text = match (txn.outcome(), txn.in_doubt(board).len()) {
            (Some(true), _) => "committed".to_owned(),
            (Some(false), _) => "aborted".to_owned(),
            (None, 0) => "open".to_owned(),
            (None, count) => format!("in doubt at {count}"),
        };
        say(6, txn.id.to_string(), text);
    }
}

/// What clients have heard, and with it what keys hold.
fn clients(board: &Board, words: &mut Words) {
    let mut keys: BTreeMap<String, (Time, String)> = BTreeMap::new();
    for (id, client) in board.clients.all() {
        let (ok, refused, unknown) = (client.ok, client.refused, client.unknown);
        let last = client.last().map_or(String::new(), |done| format!(", last {}", done.outcome));
        let text = format!("ok {ok}, no {refused}, unknown {unknown}{last}");
        words.insert((8, id.to_string()), text);
        for done in client.done() {
            let (Some(op), Some(value)) = (&done.op, value(&done.outcome)) else { continue };
            let (Op::Put { key, .. } | Op::Add { key, .. } | Op::Get { key } | Op::Delete { key }) =
                &**op
            else {
                continue;
            };
            let known = keys.entry(key.to_string()).or_default();
            if done.at >= known.0 {
                *known = (done.at, value);
            }
        }
    }
    for (key, (_, value)) in keys {
        words.insert((7, format!("key {key}")), value);
    }
}

fn value(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Written { value, .. } | Outcome::Value { value: Some(value), .. } => {
            Some(value.to_string())
        }
        Outcome::Value { value: None, .. } => Some("absent".to_owned()),
        Outcome::Found { versions } => Some(versions.to_string()),
        _ => None,
    }
}

/// The time of the next event of either branch after `at`.
pub fn next(branches: [&Branch; 2], at: Time) -> Option<Time> {
    let next =
        |branch: &Branch| branch.events().get(branch.events().upto(at)).map(|event| event.at);
    branches.into_iter().filter_map(next).min()
}

/// The time of the last event of either branch before `at`.
pub fn previous(branches: [&Branch; 2], at: Time) -> Option<Time> {
    let before = Time(at.0.checked_sub(1)?);
    let last = |branch: &Branch| {
        let index = branch.events().upto(before).checked_sub(1)?;
        branch.events().get(index).map(|event| event.at)
    };
    branches.into_iter().filter_map(last).max()
}
