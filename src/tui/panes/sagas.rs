//! Sagas: the track of each, how far it is on it and in which direction, and who waits for whom.

use super::row::{self, Row};
use super::table::{self, Mark};
use super::{Item, Pane, Scene};
use crate::base::{Leg, Name, NodeId, Span as Length, TxnId};
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::quorum::Quorums;
use crate::view::sagas::{Saga, Stage, Step};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The width of a stage.
const STAGE: usize = 8;
/// The widest box of a step.
const WIDEST: usize = 18;
/// The width of whom a saga waits for.
const WAITS: usize = 20;
/// From this width on, who waits for what has a column.
const WAITS_FROM: usize = 60;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sagas;

impl Pane for Sagas {
    fn about(&self) -> &'static str {
        "Sagas, newest first; those that are stuck stay on top. One row per saga, one box per step: \
         + is in effect, . is not, - was compensated, x was refused; ! marks the pivot, from which \
         on there is no way back. FORWARD does the steps, BACK compensates them, the last one first. \
         Behind: who directs the saga, whose answer it waits for, and for how long. Below: the track \
         of the selected one with the values that each step found and left, the keys that it keeps \
         from others (semantic locks), and what all of its steps add up to: nothing in the end."
    }

    fn views(&self) -> &'static [&'static str] {
        &["track"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let picked = picked(scene).map(|saga| saga.id);
        let item = |saga: &Saga| {
            let legs = saga.legs();
            let boxes = legs.iter().enumerate().map(|(at, leg)| chip(saga, at, leg));
            let boxes = boxes.collect::<Vec<_>>().join(", ");
            let text = format!("{} {}: {boxes}; {}", saga.id, saga.stage.0, waits(scene, saga));
            Item::new(mark(scene, saga), text)
                .selected(Some(saga.id) == picked)
                .picks(Pick::Txn(saga.id))
        };
        ordered(scene).into_iter().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let sagas = &scene.board.sagas;
        let stuck = sagas.all().filter(|saga| is_stuck(scene, saga)).count();
        let mut summary = Line::default();
        if stuck > 0 {
            let style = scene.look.style(Role::Warn);
            summary.push_span(Span::styled(format!("stuck {stuck}"), style));
            summary.push_span("  ");
        }
        if !sagas.is_empty() {
            summary.push_span(format!("done {}  undone {}", sagas.done, sagas.undone));
        }
        Title { name: None, summary, trouble: stuck > 0 }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let Some(saga) = picked(scene) else {
            row::put(area, buf, &[Row::muted(scene.look, "no saga yet")]);
            return;
        };
        let after = track(scene, saga);
        let sagas = scene.board.sagas.all().count();
        let height = usize::from(area.height);
        let least = height.div_ceil(2).min(sagas);
        let room = height.saturating_sub(after.len()).clamp(least.max(1), sagas.max(1));
        let (place, rest) = row::split(area, room);
        let rows: Vec<Row<'_>> = rows(scene, saga.id, area.width.into());
        row::choices(scene, place, buf, &rows);
        row::put(rest, buf, &after);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let ids: Vec<TxnId> = ordered(scene).iter().map(|saga| saga.id).collect();
        let at = picked(scene).map(|saga| saga.id);
        select.txn = to.along(at.as_ref(), &ids);
        select
    }
}

/// Those that are stuck, then all others, the newest first.
fn ordered<'a>(scene: &Scene<'a>) -> Vec<&'a Saga> {
    let mut all: Vec<&Saga> = scene.board.sagas.all().rev().collect();
    all.sort_by_key(|saga| !is_stuck(scene, saga));
    all
}

fn picked<'a>(scene: &Scene<'a>) -> Option<&'a Saga> {
    let selected = scene.select.txn.and_then(|id| scene.board.sagas.get(id));
    selected.or_else(|| ordered(scene).first().copied())
}

fn age(scene: &Scene<'_>, saga: &Saga) -> Length {
    scene.board.now.since(saga.stage.1)
}

fn is_stuck(scene: &Scene<'_>, saga: &Saga) -> bool {
    saga.is_stuck(scene.board.now)
}

fn mark(scene: &Scene<'_>, saga: &Saga) -> Mark {
    if is_stuck(scene, saga) { Mark::Doubt } else { Mark::None }
}

/// What became of a step, in one character.
fn sign(step: Option<&Step>) -> char {
    match step {
        Some(Step { undid: Some(_), .. }) => '-',
        Some(Step { did: Some(_), .. }) => '+',
        Some(Step { refused: Some(_), .. }) => 'x',
        _ => '.',
    }
}

/// A step: `+acct/1 -10`, with a `!` behind it if it is the pivot.
fn chip(saga: &Saga, at: usize, Leg { key, by }: &Leg) -> String {
    let pivot = if saga.pivot() == at { "!" } else { "" };
    format!("{}{key} {by:+}{pivot}", sign(saga.steps.get(&(at as u8))))
}

/// Who decides about a key.
fn owner(scene: &Scene<'_>, key: &Name) -> Option<NodeId> {
    let epoch = scene.board.ring.latest()?;
    Quorums::replicas(&epoch.ring, key).first().copied()
}

/// Whom a saga waits for: the owner of a key, or its own director.
fn awaited(scene: &Scene<'_>, saga: &Saga) -> Option<NodeId> {
    let up = |id: NodeId| scene.board.node(id).is_some_and(|node| node.life.is_up());
    match saga.stage.0 {
        Stage::Over { .. } => None,
        _ if !up(saga.director) => Some(saga.director),
        Stage::Closing { .. } => Some(saga.director),
        Stage::Forward(step) | Stage::Back(step) => {
            let legs = saga.legs();
            let key = legs.get(usize::from(step)).map(|leg| &leg.key);
            key.and_then(|key| owner(scene, key)).or(Some(saga.director))
        }
    }
}

/// Whom it waits for, in short.
fn waits(scene: &Scene<'_>, saga: &Saga) -> String {
    let age = table::brief(age(scene, saga));
    match awaited(scene, saga) {
        Some(whom) => format!("waits for {whom}, {age}"),
        None => String::new(),
    }
}

/// Who waits for whom, and for what.
fn waits_at_length(scene: &Scene<'_>, saga: &Saga) -> Option<String> {
    let whom = awaited(scene, saga)?;
    let up = scene.board.node(whom).is_some_and(|node| node.life.is_up());
    let down = if up { "" } else { ", which is down" };
    let (director, age) = (saga.director, table::brief(age(scene, saga)));
    let what = match saga.stage.0 {
        Stage::Back(step) => format!("to compensate step {}", u32::from(step) + 1),
        Stage::Forward(step) => format!("to do step {}", u32::from(step) + 1),
        _ => "to tell everybody".to_owned(),
    };
    Some(match whom == director {
        true => format!("all wait for {whom}{down} {what}, {age}"),
        false => format!("{director} waits for {whom}{down} {what}, {age}"),
    })
}

fn stage_role(saga: &Saga) -> Role {
    match saga.stage.0 {
        Stage::Forward(_) => Role::Text,
        Stage::Back(_) => Role::Warn,
        Stage::Closing { done: true } | Stage::Over { done: true } => Role::Ok,
        Stage::Closing { done: false } | Stage::Over { done: false } => Role::Muted,
    }
}

fn step_role(saga: &Saga, at: usize) -> Role {
    match sign(saga.steps.get(&(at as u8))) {
        '+' => Role::Ok,
        'x' => Role::Down,
        '-' => Role::Warn,
        _ => Role::Muted,
    }
}

/// A row for each saga.
fn rows<'a>(scene: &Scene<'a>, picked: TxnId, width: usize) -> Vec<Row<'a>> {
    let all = ordered(scene);
    let longest = all.iter().map(|saga| saga.id.to_string().len()).max().unwrap_or(4).max(4);
    let most = all.iter().map(|saga| saga.legs().len()).max().unwrap_or(2).clamp(2, 4);
    let behind = if width >= WAITS_FROM { WAITS } else { 0 };
    let room = width.saturating_sub(longest + 2 + STAGE + 1 + behind) / most;
    let cell = room.saturating_sub(1).clamp(6, WIDEST);
    let row = |saga: &&Saga| {
        let mut row = Row::new(scene.look, mark(scene, saga))
            .left(longest, Role::Text, saga.id.to_string())
            .left(STAGE, stage_role(saga), saga.stage.0.to_string());
        let legs = saga.legs();
        for at in 0..most {
            let text = legs.get(at).map_or_else(String::new, |leg| chip(saga, at, leg));
            row = row.left(cell, step_role(saga, at), text);
        }
        if legs.len() > most {
            row = row.text(Role::Muted, format!("and {} more  ", legs.len() - most));
        }
        if behind > 0 {
            row = row.text(
                if is_stuck(scene, saga) { Role::Warn } else { Role::Muted },
                waits(scene, saga),
            );
        }
        row.selected(saga.id == picked).picks(Pick::Txn(saga.id))
    };
    all.iter().map(row).collect()
}

/// The selected saga: its steps one by one, its locks, and what it adds up to.
fn track<'a>(scene: &Scene<'a>, saga: &Saga) -> Vec<Row<'a>> {
    let call = saga.call.map_or_else(String::new, |call| format!(" for {call}"));
    let begun = table::brief(scene.board.now.since(saga.since));
    let head = format!("{} {}{call}, begun {begun} ago", saga.id, saga.style);
    let mut rows = vec![Row::heading(scene.look, head)];
    for (at, leg) in saga.legs().iter().enumerate() {
        let (role, text) = (step_role(saga, at), told(scene, saga, at, leg));
        rows.push(Row::plain(scene.look).text(role, text));
    }
    if let Some((step, late)) = saga.turned {
        let why = if late { "was not answered in time" } else { "was refused" };
        rows.push(Row::muted(
            scene.look,
            format!("turned back: step {} {why}", u32::from(step) + 1),
        ));
    }
    let locks = saga.locks();
    if !locks.is_empty() {
        let keys = locks.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let text = format!("keeps {keys} from others");
        rows.push(Row::new(scene.look, Mark::Doubt).text(Role::Warn, text));
    }
    rows.extend(waits_at_length(scene, saga).map(|text| Row::muted(scene.look, text)));
    rows.push(Row::muted(
        scene.look,
        format!("steps and compensations add up to {:+}", saga.balance()),
    ));
    let (messages, forced) = (saga.effort.messages, saga.effort.forced());
    let sent = if messages > 0 { format!("{messages} messages, ") } else { String::new() };
    rows.push(Row::muted(scene.look, format!("{sent}{forced} forced writes so far")));
    rows
}

/// What became of one step.
fn told(scene: &Scene<'_>, saga: &Saga, at: usize, leg: &Leg) -> String {
    let step = saga.steps.get(&(at as u8)).cloned().unwrap_or_default();
    let owner = owner(scene, &leg.key).map_or_else(String::new, |id| format!(" at {id}"));
    let mut text = format!("{} {}{owner}", at + 1, chip(saga, at, leg));
    if let Some((before, after, _)) = step.did {
        text.push_str(&format!(": {before} to {after}"));
    }
    if let Some((before, after, _)) = step.undid {
        text.push_str(&format!(", compensated: {before} to {after}"));
    }
    match (&step.refused, scene.board.sagas.holder(&leg.key).filter(|id| *id != saga.id)) {
        (Some(why), Some(holder)) => text.push_str(&format!(", refused: {why}, by {holder}")),
        (Some(why), None) => text.push_str(&format!(", refused: {why}")),
        (None, _) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, call, n, name, op, txn};
    use super::*;
    use crate::base::{Refusal, Style};
    use crate::event::{Fact, SagaFact};

    fn takes(saga: TxnId, step: u8, back: bool, key: &str, values: (i64, i64)) -> Fact {
        let (key, (before, after)) = (name(key), values);
        let (version, lock) = (u64::from(step) + 1, !back);
        Fact::Saga(SagaFact::Takes { saga, step, back, key, before, after, version, lock })
    }

    fn story() -> Story {
        let mut story = Story::of(5, 2);
        let begins = |saga, seq, text| {
            let (call, op, style) = (call(1, seq), op(text), Style::default());
            Fact::Saga(SagaFact::Begins { saga, call, op, style })
        };
        let asks = |saga, step, back| Fact::Saga(SagaFact::Asks { saga, step, back });
        let (old, bad, stuck) = (txn(1, 1), txn(2, 1), txn(1, 2));
        story.says(n(1), begins(old, 1, "transfer acct/1 acct/2 5"));
        story.says(n(3), takes(old, 0, false, "acct/1", (100, 95)));
        story.says(n(4), takes(old, 1, false, "acct/2", (100, 105)));
        story.says(n(1), Fact::Saga(SagaFact::Ends { saga: old, done: true }));
        story.says(n(2), begins(bad, 2, "move acct/3 -10 acct/4 -500 acct/5 510"));
        story.says(n(3), takes(bad, 0, false, "acct/3", (100, 90)));
        let (step, key, why) = (1, name("acct/4"), Refusal::Funds);
        story.says(n(5), Fact::Saga(SagaFact::Refuses { saga: bad, step, key, why }));
        story.says(n(2), Fact::Saga(SagaFact::Turns { saga: bad, step: 1, late: false }));
        story.says(n(3), takes(bad, 0, true, "acct/3", (90, 100)));
        story.says(n(2), Fact::Saga(SagaFact::Ends { saga: bad, done: false }));
        story.says(n(1), begins(stuck, 3, "transfer acct/6 acct/7 20"));
        story.says(n(4), takes(stuck, 0, false, "acct/6", (100, 80)));
        story.says(n(1), asks(stuck, 1, false));
        story.at(4_200);
        story
    }

    #[test]
    fn tracks_and_who_waits_for_whom_are_drawn() {
        insta::assert_snapshot!(story().screen(&Sagas, 100, 12));
    }

    #[test]
    fn it_fits_everywhere() {
        story().fits_everywhere(&Sagas);
    }
}
