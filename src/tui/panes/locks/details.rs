//! What a lock's row has no room for: its writes, its grants, and who waits for whom.

use super::super::Scene;
use super::super::row::{self, Row};
use super::super::table::{self, Mark};
use super::{freed, judged, keys as session_keys, left, token_text};
use crate::base::{CallId, Name, NodeId, Op, Time};
use crate::tui::theme::Role;
use crate::view::locks::{Grant, Lock};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// How far a chain of waiters is followed.
const DEEPEST: usize = 16;

/// Zoomed: the writes and the grants of the selected lock, and all that wait.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, name: &Name, lock: &Lock) {
    let writes = writes(scene, name, lock, area);
    let rest = row::below(row::put(area, buf, &writes), usize::from(!writes.is_empty()));
    let beside = area.width >= 100;
    let (left_half, right) = match beside {
        true => {
            let half = Rect { width: rest.width / 2, ..rest };
            (half, Rect { x: half.right(), width: rest.width - half.width, ..rest })
        }
        false => row::split(rest, usize::from(rest.height).div_ceil(2)),
    };
    grants(scene, left_half, buf, name, lock);
    match scene.board.locks.are_keys() {
        true => keys_of(scene, right, buf, name, lock),
        false => waits(scene, right, buf),
    }
}

/// What the guarded resource said to the last writes, as far as there is room.
pub(super) fn writes<'a>(scene: &Scene<'a>, name: &Name, lock: &Lock, area: Rect) -> Vec<Row<'a>> {
    let room = usize::from(area.height).saturating_sub(1);
    if room == 0 || lock.writes().next().is_none() {
        return Vec::new();
    }
    let mut rows = vec![Row::heading(scene.look, format!("writes guarded by {name}"))];
    let mut last: Vec<Row<'a>> = judged(lock)
        .into_iter()
        .rev()
        .take(room)
        .map(|(write, highest)| {
            let token = write.token;
            let (mark, role, text) = match (write.accepted, token < highest) {
                (true, _) if !write.fenced && write.late => {
                    (Mark::Doubt, Role::Warn, "taken late: nothing to compare".to_owned())
                }
                (true, true) => {
                    (Mark::Trouble, Role::Violation, format!("taken after {highest}: VIOLATION"))
                }
                (true, false) => {
                    (Mark::None, Role::Ok, format!("{} taken", scene.look.glyphs.holds))
                }
                (false, _) => {
                    let cross = scene.look.glyphs.cut;
                    (Mark::None, Role::Bad, format!("{cross} rejected, saw {highest}"))
                }
            };
            Row::new(scene.look, mark)
                .right(9, Role::Muted, table::clock(write.at))
                .left(4, Role::Text, write.call.client.to_string())
                .text(Role::Text, format!("token {:>3} ", token_text(token)))
                .text(role, text)
        })
        .collect();
    last.reverse();
    rows.extend(last);
    rows
}

/// Who held the lock when, as bars over time.
fn grants(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, name: &Name, lock: &Lock) {
    let look = scene.look;
    let rise = if scene.board.locks.are_keys() { "" } else { ": tokens only rise" };
    let head = Row::heading(look, format!("grants of {name}, oldest first{rise}"));
    let width = usize::from(area.width).saturating_sub(1 + 6 + 5 + 29).min(40);
    let columns = Row::plain(look)
        .right(5, Role::Muted, "token")
        .left(4, Role::Muted, "who")
        .left(width, Role::Muted, "held when")
        .right(9, Role::Muted, "from")
        .right(9, Role::Muted, "until")
        .text(Role::Muted, "end");
    let rest = row::put(area, buf, &[head, columns]);
    let grants: Vec<&Grant> = lock.grants().collect();
    let shown = grants.len().saturating_sub(rest.height.into());
    let grants = &grants[shown..];
    let Some(first) = grants.first() else { return };
    let all = (first.since, scene.board.now);
    let rows: Vec<Row<'_>> = grants
        .iter()
        .map(|grant| {
            let end = grant.end.map(|(at, _)| at);
            let word = grant.end.map_or("held", |(_, why)| freed(why));
            let role = if end.is_none() { Role::Ok } else { Role::Muted };
            let until = table::clock(end.unwrap_or(scene.board.now));
            Row::plain(look)
                .right(5, Role::Text, token_text(grant.token))
                .left(4, Role::Text, grant.call.client.to_string())
                .left(width, role, stretch(scene, width, all, grant))
                .right(9, Role::Muted, table::clock(grant.since))
                .right(9, Role::Muted, until)
                .text(role, word)
        })
        .collect();
    row::put(rest, buf, &rows);
}

/// The part of `all` in which a grant was held, as part of a line of `width` cells.
fn stretch(scene: &Scene<'_>, width: usize, all: (Time, Time), grant: &Grant) -> String {
    let (fill, gap) =
        (scene.look.glyphs.fills.last().copied().unwrap_or("#"), scene.look.glyphs.unfilled);
    let end = grant.end.map_or(all.1, |(at, _)| at);
    let whole = u128::from(all.1.since(all.0).0).max(1);
    let cell = |at: Time| {
        let cell = u128::from(at.since(all.0).0) * width as u128 / whole;
        usize::try_from(cell).unwrap_or(width).min(width)
    };
    let from = cell(grant.since).min(width.saturating_sub(1));
    let until = cell(end).max(from + 1);
    (0..width).map(|at| if (from..until).contains(&at) { fill } else { gap }).collect()
}

/// What each instance has: whose key, and for how long. One that does not count says so.
fn keys_of(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, name: &Name, lock: &Lock) {
    let look = scene.look;
    let masters: BTreeSet<NodeId> = scene.board.locks.masters().collect();
    let rest = row::put(area, buf, &[Row::heading(look, format!("keys of {name}, by instance"))]);
    let now = scene.board.now;
    let row = |node: NodeId| {
        let down = scene.board.node(node).is_some_and(|node| !node.life.is_up());
        let mark = if down { Mark::Doubt } else { Mark::None };
        let row = Row::new(look, mark).left(5, Role::Text, node.to_string());
        let Some(key) = lock.keys.get(&node) else { return row.text(Role::Muted, "no key") };
        let (time, role) = left(now, key.until);
        let whole = key.ttl.map_or(1, |ttl| ttl.0);
        let bar = look.glyphs.bar(12, key.until.since(now).0.min(whole), whole);
        let row = row
            .left(4, Role::Text, key.call.client.to_string())
            .right(5, Role::Text, token_text(key.token))
            .left(12, role, bar)
            .right(5, role, time);
        match (down, masters.contains(&node)) {
            (true, _) => row.text(Role::Warn, "down"),
            (false, false) => row.text(Role::Muted, "a copy"),
            (false, true) => row,
        }
    };
    let all: BTreeSet<NodeId> = masters.iter().chain(lock.keys.keys()).copied().collect();
    let rows: Vec<Row<'_>> = all.into_iter().map(row).collect();
    row::list(look, rest, buf, &rows);
}

/// Who waits for whom, a chain per line; a circle is a deadlock.
fn waits(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let rest = row::put(area, buf, &[Row::heading(look, "who waits for whom")]);
    let mut rows = Vec::new();
    for (name, lock) in scene.board.locks.all() {
        for waiter in &lock.queue {
            let client = waiter.call.client;
            let Chain { text, closed, .. } = chain(scene, client, name);
            let ago = table::brief(scene.board.now.since(waiter.since));
            let (mark, role, word) = match closed {
                true => (Mark::Trouble, Role::Bad, "DEADLOCK "),
                false => (Mark::None, Role::Text, ""),
            };
            let row = Row::new(look, mark).right(5, Role::Muted, ago);
            rows.push(row.text(role, format!("{word}{text}")));
        }
        for client in session_keys::watching(scene, name) {
            let row = Row::plain(look).right(5, Role::Muted, "");
            rows.push(row.text(Role::Text, chain(scene, client, name).text));
        }
    }
    rows.extend(keys(scene));
    if rows.is_empty() {
        rows.push(Row::muted(look, "nobody waits"));
    }
    row::list(look, rest, buf, &rows);
}

/// Who waits for whom, because of which locks.
pub(super) struct Chain {
    /// `c5 > shard > c2 > billing > c9`.
    pub(super) text: String,
    /// How many locks are in it.
    pub(super) locks: usize,
    /// Whether it closes to a circle.
    pub(super) closed: bool,
}

/// Who a client waits for, because of a lock, and so on.
pub(super) fn chain(scene: &Scene<'_>, client: NodeId, name: &Name) -> Chain {
    let arrow = format!(" {} ", scene.look.glyphs.arrow);
    let locks = &scene.board.locks;
    let mut text = client.to_string();
    let mut seen = BTreeSet::from([client]);
    let (mut next, mut found) = (Some(name), 0);
    for _ in 0..DEEPEST {
        let Some(name) = next else { break };
        found += 1;
        text += &format!("{arrow}{name}");
        let Some(holder) = locks.get(name).and_then(|lock| lock.holder()) else { break };
        let holder = holder.call.client;
        text += &format!("{arrow}{holder}");
        if !seen.insert(holder) {
            return Chain { text, locks: found, closed: holder == client };
        }
        let waits = |lock: &Lock| lock.queue.iter().any(|waiter| waiter.call.client == holder);
        next = locks.all().find(|(_, lock)| waits(lock)).map(|(name, _)| name);
    }
    Chain { text, locks: found, closed: false }
}

/// Calls for keys that a transaction has locked.
fn keys<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let board = scene.board;
    let arrow = scene.look.glyphs.arrow;
    let calls = board.clients.all().flat_map(|(_, client)| client.open());
    let blocked = |(call, op, since): (CallId, &Op, Time)| {
        let keys: Vec<Name> = match op {
            Op::Get { key } | Op::Put { key, .. } | Op::Add { key, .. } | Op::Delete { key } => {
                vec![key.clone()]
            }
            _ => op.legs().into_iter().map(|leg| leg.key).collect(),
        };
        let locked = keys.iter().find_map(|key| Some((key, board.txns.locker(key)?)));
        let (key, txn) = locked.filter(|(_, txn)| txn.call != Some(call))?;
        let node = txn.id.coordinator;
        let down = board.node(node).is_some_and(|node| !node.life.is_up());
        let end = if down { " DOWN" } else { "" };
        let text = format!("{} {arrow} {key} {arrow} {} {arrow} {node}{end}", call.client, txn.id);
        let mark = if down { Mark::Doubt } else { Mark::None };
        let row = Row::new(scene.look, mark);
        Some(row.right(5, Role::Muted, table::brief(board.now.since(since))).text(Role::Text, text))
    };
    calls.filter_map(|(call, open)| blocked((call, &open.op, open.since))).collect()
}
