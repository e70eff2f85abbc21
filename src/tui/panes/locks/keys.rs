//! Locks that are keys which sessions hold: whose each is, what it waits for, and how nodes are.

use super::super::Scene;
use super::super::row::Row;
use super::super::table::Mark;
use super::left;
use crate::base::{Name, NodeId};
use crate::event::Feels;
use crate::tui::theme::Role;
use crate::view::locks::Lock;
use crate::view::sessions::Below;

/// Whether sessions hang on nodes in this cluster.
pub(super) fn are_there(scene: &Scene<'_>) -> bool {
    let sessions = &scene.board.sessions;
    sessions.open().any(|(_, session)| session.home.is_some())
        || sessions.critical().next().is_some()
}

/// Who waits for any change of such a lock.
pub(super) fn watching(scene: &Scene<'_>, name: &Name) -> Vec<NodeId> {
    match are_there(scene) {
        true => scene.board.sessions.watching(name),
        false => Vec::new(),
    }
}

/// Who has the key or why nobody can, who waits, and how sessions and nodes are.
pub(super) fn rows<'a>(scene: &Scene<'a>, name: &Name, below: &Below) -> Vec<Row<'a>> {
    let mut rows = vec![key(scene, name, below), sessions(scene)];
    let critical: Vec<NodeId> = scene.board.sessions.critical().collect();
    if !critical.is_empty() {
        let text = format!("critical: {}; sessions there have ended", names(&critical));
        rows.push(Row::new(scene.look, Mark::Doubt).text(Role::Warn, text));
    }
    rows
}

fn key<'a>(scene: &Scene<'a>, name: &Name, below: &Below) -> Row<'a> {
    let row = Row::plain(scene.look).text(Role::Muted, format!("{name} key: "));
    let lock = scene.board.locks.get(name);
    let holder = lock.and_then(|lock| lock.holder());
    let row = match (below.nodes.values().next(), holder, below.delay) {
        _ if lock.is_some_and(|lock| lock.mode().is_permit()) => contenders(row, below, lock),
        (Some(node), Some(holder), _) => {
            let (client, session) = (node.wish.client, node.session);
            let text = format!("{client} by s{session}, LockIndex {}", holder.token);
            row.text(Role::Ok, text)
        }
        (_, _, Some(delay)) => {
            let (text, role) = left(scene.board.now, delay.deadline());
            row.text(Role::Warn, "lock-delay ").text(role, text)
        }
        _ => row.text(Role::Text, "free"),
    };
    let waiting = scene.board.sessions.watching(name);
    match waiting.is_empty() {
        true => row,
        false => row.text(Role::Muted, "  watched by ").text(Role::Text, names(&waiting)),
    }
}

/// Whose keys are there of those who contend for a permit; who has one stands out.
fn contenders<'a>(mut row: Row<'a>, below: &Below, lock: Option<&Lock>) -> Row<'a> {
    row = row.text(Role::Muted, "contend");
    for node in below.nodes.values() {
        let client = node.wish.client;
        let has = lock.is_some_and(|lock| lock.held_by(client).is_some());
        let role = if has { Role::Ok } else { Role::Text };
        row = row.text(role, format!(" {client} by s{}", node.session));
    }
    row
}

/// How much is left of each session, on which node it hangs, and what its client knows of it.
fn sessions<'a>(scene: &Scene<'a>) -> Row<'a> {
    let board = scene.board;
    let mut row = Row::plain(scene.look).text(Role::Muted, "sessions:");
    for (id, session) in board.sessions.open() {
        let (text, role) = left(board.now, session.deadline());
        let home = session.home.map(|(node, _)| format!("@{node}")).unwrap_or_default();
        row = row.text(Role::Text, format!(" {} s{id}{home} ", session.client)).text(role, text);
        let feels = board.sessions.feels(session.client).filter(|(of, _)| *of == id);
        if let Some((_, feels)) = feels.filter(|(_, feels)| *feels != Feels::Connected) {
            row = row.text(Role::Warn, format!(" {feels}"));
        }
    }
    row
}

fn names(all: &[NodeId]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
