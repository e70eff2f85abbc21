//! Locks that hang on sessions: who is in line, who watches whom, and how long sessions last.

use super::super::Scene;
use super::super::row::Row;
use super::{keys, left};
use crate::base::{Name, Token};
use crate::event::Feels;
use crate::tui::theme::Role;
use crate::view::sessions::{Below, Node};

/// What is below a lock, in three rows; nothing if locks do not hang on sessions.
pub(super) fn rows<'a>(scene: &Scene<'a>, name: &Name) -> Vec<Row<'a>> {
    let Some(below) = scene.board.sessions.below(name) else { return Vec::new() };
    if keys::are_there(scene) {
        return keys::rows(scene, name, below);
    }
    let told = format!("{name}: {} nodes removed, {} told of it", below.removed, below.told);
    let told = Row::muted(scene.look, told);
    let mut rows = match below.nodes.is_empty() {
        true => vec![told],
        false => vec![line(scene, name, below), sessions(scene, below), told],
    };
    rows.extend(watchers(scene));
    rows
}

/// Who follows changes, and how far each is behind; a client that is behind what is kept has to
/// look at the whole again.
fn watchers<'a>(scene: &Scene<'a>) -> Option<Row<'a>> {
    let sessions = &scene.board.sessions;
    let (forgotten, changed) = sessions.history();
    sessions.watchers().next()?;
    let head = format!("changes {}..{changed} kept, told to", forgotten + 1);
    let mut row = Row::plain(scene.look).text(Role::Muted, head);
    for (client, upto) in sessions.watchers() {
        let role = match upto {
            _ if upto < forgotten => Role::Bad,
            _ if upto < changed => Role::Warn,
            _ => Role::Ok,
        };
        row = row.text(Role::Text, format!(" {client} ")).text(role, upto.to_string());
    }
    Some(row)
}

/// The nodes, the last in line first: an arrow points to what its client watches, or names it.
fn line<'a>(scene: &Scene<'a>, name: &Name, below: &Below) -> Row<'a> {
    let arrow = scene.look.glyphs.arrow;
    let mut row = Row::plain(scene.look).text(Role::Muted, format!("{name} line: "));
    let nodes: Vec<(&Token, &Node)> = below.nodes.iter().rev().collect();
    let lock = scene.board.locks.get(name);
    let holds = |node: Token| lock.is_some_and(|it| it.holders.iter().any(|h| h.token == node));
    for (at, (number, node)) in nodes.iter().enumerate() {
        let role = if holds(**number) { Role::Ok } else { Role::Text };
        row = row.text(role, format!("{}/{number}", node.wish.client));
        let next = nodes.get(at + 1).map(|(next, _)| **next);
        let watches = below.watches.iter().find(|((session, _), _)| *session == node.session);
        let link = match (next, watches) {
            (None, _) => String::new(),
            (next, Some((_, watched))) if *watched == next => format!(" {arrow} "),
            (_, Some((_, None))) => format!(" {arrow}all "),
            (_, Some((_, Some(other)))) => format!(" {arrow}{other} "),
            _ => " - ".to_owned(),
        };
        row = row.text(Role::Muted, link);
    }
    row
}

/// How much is left of each session in line, by the log, and what its client knows of it.
fn sessions<'a>(scene: &Scene<'a>, below: &Below) -> Row<'a> {
    let board = scene.board;
    let head = match board.sessions.lessor() {
        Some(node) => format!("leases by {node}:"),
        None => "sessions:".to_owned(),
    };
    let mut row = Row::plain(scene.look).text(Role::Muted, head);
    for node in below.nodes.values() {
        let client = node.wish.client;
        let Some(session) = board.sessions.get(node.session) else { continue };
        let (text, role) = left(board.now, session.deadline());
        row = row.text(Role::Text, format!(" {client} s{} ", node.session)).text(role, text);
        let feels = board.sessions.feels(client).filter(|(of, _)| *of == node.session);
        if let Some((_, feels)) = feels.filter(|(_, feels)| *feels != Feels::Connected) {
            row = row.text(Role::Warn, format!(" {feels}"));
        }
    }
    row
}
