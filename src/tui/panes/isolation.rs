//! Transactions that clients open: how much of others each sees, and who is in its way.
//!
//! A client has one at the most, so there is a row for each client, with its last one. One that
//! cannot commit any more is marked before its client knows.

use super::row::{self, Row};
use super::table::{self, Mark};
use super::{Item, Pane, Scene};
use crate::base::{Isolation, Name, NodeId};
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::theme::Role;
use crate::view::opened::{Opened, State, Version};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The width of the longest state.
const STATE: usize = 9;
/// From this width on, levels are written out.
const LEVEL_FROM: usize = 60;
/// From this width on, what is in the way has a column.
const WHY_FROM: usize = 84;
/// The least for the keys that were read or written.
const KEYS: usize = 8;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Openings;

impl Pane for Openings {
    fn about(&self) -> &'static str {
        "Transactions that clients open: a row for each client, with its last one. Its level says how \
         much of others it sees: read uncommitted shows drafts, read committed what is committed by \
         the time of each read, snapshot and serializable what was committed when it began (up to \
         the slot in the column sees). Then the keys that it has read and those that it writes if it \
         commits. DOOMED cannot commit any more, and its client does not know yet: another has \
         written the same key (snapshot), or one that it has read (serializable). Nobody waits for \
         anybody: there are no locks. Below: the selected one, with the versions of its keys."
    }

    fn views(&self) -> &'static [&'static str] {
        &["levels"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let picked = picked(scene).map(|open| open.tx);
        let item = |open: &Opened| {
            let (reads, writes) = (names(open.reads.iter()), writes(open));
            let (state, why) = (word(open), why(open));
            let text = format!(
                "{} {}: {state}, sees {}, read {reads}, writes {writes}{why}",
                open.tx,
                open.level,
                sees(open)
            );
            let item = Item::new(mark(open), text).selected(Some(open.tx) == picked);
            item.picks(Pick::Node(open.tx.client))
        };
        scene.board.opened.all().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let opened = &scene.board.opened;
        let open = opened.all().filter(|open| open.is_open()).count();
        let doomed = opened.all().filter(|open| is_doomed(open)).count();
        let mut summary = Line::default();
        if doomed > 0 {
            let style = scene.look.style(Role::Warn);
            summary.push_span(Span::styled(format!("doomed {doomed}"), style));
            summary.push_span("  ");
        }
        if opened.all().next().is_some() {
            let (committed, aborted) = (opened.committed, opened.aborted);
            summary.push_span(format!("open {open}  C {committed}  A {aborted}"));
        }
        Title { name: None, summary, trouble: false }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let Some(open) = picked(scene) else {
            row::put(area, buf, &[Row::muted(scene.look, "nobody has opened a transaction yet")]);
            return;
        };
        let width = usize::from(area.width);
        let all: Vec<&Opened> = scene.board.opened.all().collect();
        let columns = Columns::of(&all, width);
        let head = usize::from(area.height > 1);
        let (place, rest) = row::split(area, head);
        row::put(place, buf, &[columns.head(scene)]);
        let after = details(scene, open);
        let height = usize::from(rest.height);
        let least = height.div_ceil(2).min(all.len());
        let room = height.saturating_sub(after.len()).clamp(least.max(1), all.len());
        let (place, rest) = row::split(rest, room);
        let rows = all.iter().map(|it| columns.row(scene, it).selected(it.tx == open.tx));
        row::choices(scene, place, buf, &rows.collect::<Vec<_>>());
        row::put(rest, buf, &after);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let ids: Vec<NodeId> = scene.board.opened.all().map(|open| open.tx.client).collect();
        let at = picked(scene).map(|open| open.tx.client);
        select.node = to.along(at.as_ref(), &ids).unwrap_or(select.node);
        select
    }
}

/// That of the selected client, or of the first that has one.
fn picked<'a>(scene: &Scene<'a>) -> Option<&'a Opened> {
    let opened = &scene.board.opened;
    opened.of(scene.select.node).or_else(|| opened.all().next())
}

fn is_doomed(open: &Opened) -> bool {
    matches!(open.state, State::Doomed(_))
}

fn mark(open: &Opened) -> Mark {
    if is_doomed(open) { Mark::Doubt } else { Mark::None }
}

fn word(open: &Opened) -> &'static str {
    match open.state {
        State::Open => "OPEN",
        State::Doomed(_) => "DOOMED",
        State::Committed => "COMMITTED",
        State::Aborted(_) => "ABORTED",
    }
}

fn role(open: &Opened) -> Role {
    match open.state {
        State::Open => Role::Text,
        State::Doomed(_) => Role::Warn,
        State::Committed => Role::Ok,
        State::Aborted(_) => Role::Bad,
    }
}

/// Why it has aborted or will, behind a comma.
fn why(open: &Opened) -> String {
    match &open.state {
        State::Doomed(why) | State::Aborted(why) => format!(", {why}"),
        _ => String::new(),
    }
}

/// Up to which slot it sees what others have committed.
fn sees(open: &Opened) -> String {
    match (open.level, open.sees()) {
        (_, Some(slot)) => format!("@{slot}"),
        (Isolation::ReadUncommitted, None) => "drafts".to_owned(),
        (_, None) => "newest".to_owned(),
    }
}

fn names<'a>(keys: impl Iterator<Item = &'a Name>) -> String {
    let keys: Vec<&str> = keys.map(Name::as_str).collect();
    if keys.is_empty() { "-".to_owned() } else { keys.join(" ") }
}

fn writes(open: &Opened) -> String {
    let writes = open.writes.iter().map(|(key, value)| format!("{key}={value}"));
    let writes = writes.collect::<Vec<_>>().join(" ");
    if writes.is_empty() { "-".to_owned() } else { writes }
}

fn level(level: Isolation, short: bool) -> &'static str {
    match level {
        Isolation::ReadUncommitted if short => "uncomm",
        Isolation::ReadCommitted if short => "commit",
        Isolation::Snapshot if short => "snap",
        Isolation::Serializable if short => "serial",
        level => level.name(),
    }
}

/// How wide what is.
struct Columns {
    tx: usize,
    level: usize,
    reads: usize,
    writes: usize,
    why: bool,
}

impl Columns {
    fn of(all: &[&Opened], width: usize) -> Columns {
        let tx = all.iter().map(|open| open.tx.to_string().len()).max().unwrap_or(2).max(2);
        let level = if width >= LEVEL_FROM { 16 } else { 6 };
        let why = width >= WHY_FROM;
        let fixed = 1 + tx + 1 + level + 1 + STATE + 1 + 6 + 1;
        let room = width.saturating_sub(fixed);
        let keys = if why { room * 3 / 5 } else { room };
        let reads = (keys / 2).saturating_sub(1).max(KEYS);
        let writes = keys.saturating_sub(reads + 2).max(KEYS);
        Columns { tx, level, reads, writes, why }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let row = Row::plain(scene.look)
            .left(self.tx, Role::Muted, "tx")
            .left(self.level, Role::Muted, "level")
            .left(STATE, Role::Muted, "state")
            .left(6, Role::Muted, "sees")
            .left(self.reads, Role::Muted, "read")
            .left(self.writes, Role::Muted, "writes");
        if self.why { row.text(Role::Muted, "in its way") } else { row }
    }

    fn row<'a>(&self, scene: &Scene<'a>, open: &Opened) -> Row<'a> {
        let text = if open.is_open() { Role::Text } else { Role::Muted };
        let row = Row::new(scene.look, mark(open))
            .left(self.tx, text, open.tx.to_string())
            .left(self.level, text, level(open.level, self.level < 16))
            .left(STATE, role(open), word(open))
            .left(6, text, sees(open))
            .left(self.reads, text, names(open.reads.iter()))
            .left(self.writes, text, writes(open))
            .picks(Pick::Node(open.tx.client));
        match &open.state {
            State::Doomed(why) | State::Aborted(why) if self.why => {
                row.text(role(open), why.to_string())
            }
            _ => row,
        }
    }
}

/// The selected one: since when, why it ends as it does, and the versions of its keys.
fn details<'a>(scene: &Scene<'a>, open: &Opened) -> Vec<Row<'a>> {
    let now = scene.board.now;
    let ago = table::brief(now.since(open.since));
    let end = match open.ended {
        Some(at) => format!(", {} {} ago", word(open).to_lowercase(), table::brief(now.since(at))),
        None => String::new(),
    };
    let head = format!("{} {}, begun {ago} ago{end}", open.tx, open.level);
    let mut rows = vec![Row::heading(scene.look, head)];
    match &open.state {
        State::Doomed(why) => {
            let text = format!("it will abort: {why}");
            rows.push(Row::new(scene.look, Mark::Doubt).text(Role::Warn, text));
        }
        State::Aborted(why) => {
            rows.push(Row::plain(scene.look).text(Role::Bad, format!("aborted: {why}")));
        }
        _ => {}
    }
    let keys = open.keys();
    let width = keys.iter().map(|key| key.as_str().len()).max().unwrap_or(3).clamp(3, 16);
    for key in keys {
        rows.push(
            Row::plain(scene.look)
                .left(width, Role::Text, key.as_str())
                .text(Role::Muted, versions(scene, open, key)),
        );
    }
    rows
}

/// What a key is to it and to others: its own draft, the versions that were committed, the newest
/// first and the one that it sees in brackets, and what others write.
fn versions(scene: &Scene<'_>, open: &Opened, key: &Name) -> String {
    let opened = &scene.board.opened;
    let upto = open.sees().unwrap_or(u64::MAX);
    let seen = opened.versions(key).rfind(|version| version.slot <= upto);
    let verb = if open.is_open() { "draft" } else { "wrote" };
    let own = open.writes.get(key).map(|value| format!("{verb} {value}"));
    let version = |version: &Version| {
        let text = format!("{} @{} {}", version.value, version.slot, version.by);
        if Some(version) == seen { format!("[{text}]") } else { text }
    };
    let known = opened.versions(key).rev().map(version);
    let drafts = opened.drafts(key, open.tx).map(|(tx, value)| format!("{tx} drafts {value}"));
    let parts: Vec<String> = own.into_iter().chain(known).chain(drafts).collect();
    if parts.is_empty() { "no version seen".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, c, call, n, name};
    use super::*;
    use crate::base::{Entry, Op, TxAbort, TxOp, Wrote};
    use crate::event::{Fact, Install, OpenTx, TxFact};
    use std::sync::Arc;

    fn opens(story: &mut Story, slot: u64, client: u16, level: Isolation) {
        let (tx, snapshot) = (call(client, slot), slot);
        let open = OpenTx { tx, level, snapshot, reads: Vec::new(), writes: Vec::new() };
        story.says(n(1), Fact::Tx(TxFact::Opens { slot, open: Arc::new(open) }));
    }

    fn works(story: &mut Story, slot: u64, client: u16, op: TxOp) {
        let entry = Arc::new(Entry { call: call(client, slot), op: Op::Tx(op) });
        story.says(n(1), Fact::Applies { slot, entry, digest: slot });
    }

    fn story() -> Story {
        let mut story = Story::of(3, 3);
        let (x, y) = (name("x"), name("y"));
        opens(&mut story, 1, 1, Isolation::Serializable);
        works(&mut story, 2, 1, TxOp::Set { tx: 1, key: x.clone(), value: 1 });
        let wrote = Wrote { tx: call(1, 1), nth: 1 };
        let writes = [Install { key: x.clone(), value: 1, wrote }].into();
        story.says(n(1), Fact::Tx(TxFact::Commits { slot: 3, tx: call(1, 1), writes }));
        opens(&mut story, 4, 2, Isolation::Snapshot);
        opens(&mut story, 5, 3, Isolation::ReadCommitted);
        opens(&mut story, 6, 1, Isolation::Serializable);
        works(&mut story, 7, 2, TxOp::Get { tx: 4, key: x.clone() });
        works(&mut story, 8, 2, TxOp::Set { tx: 4, key: x.clone(), value: 2 });
        works(&mut story, 9, 3, TxOp::Get { tx: 5, key: y });
        works(&mut story, 10, 1, TxOp::Set { tx: 6, key: x.clone(), value: 3 });
        let wrote = Wrote { tx: call(1, 6), nth: 1 };
        let writes = [Install { key: x.clone(), value: 3, wrote }].into();
        story.says(n(1), Fact::Tx(TxFact::Commits { slot: 11, tx: call(1, 6), writes }));
        let why = Arc::new(TxAbort::Conflict { key: x, by: call(1, 6) });
        story.says(n(1), Fact::Tx(TxFact::Dooms { slot: 11, tx: call(2, 4), why }));
        story.says(n(2), Fact::Tx(TxFact::All { slot: 3, open: [].into() }));
        story.at(4_200);
        story.select.node = c(2);
        story
    }

    #[test]
    fn who_is_in_whose_way_is_drawn() {
        insta::assert_snapshot!(story().screen(&Openings, 110, 12));
        insta::assert_snapshot!(story().screen(&Openings, 50, 8));
    }

    #[test]
    fn it_fits_everywhere() {
        story().fits_everywhere(&Openings);
    }
}
