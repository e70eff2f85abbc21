//! Transactions: the matrix of votes, and the story of the selected one.
//!
//! A participant that voted yes may decide nothing alone. While it cannot reach the coordinator it
//! is in doubt, holds its locks, and no clock ends that: such transactions stay on top.

use super::row::{self, Row};
use super::table::{self, Mark};
use super::{Item, Pane, Scene};
use crate::base::{Commitment, Leg, NodeId, Time, TxnId};
use crate::tui::frame::{self, Title};
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use crate::view::effort::{Efforts, theory};
use crate::view::nodes::Life;
use crate::view::txns::{Part, Phase, Txn};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The width of a phase.
const PHASE: usize = 10;
/// From this width on, the coordinator has a column.
const COORDINATOR_FROM: usize = 47;
/// From this width on, what happens next has a column.
const NEXT_FROM: usize = 66;

/// Up to so many participants are read one by one.
const STRIP: usize = 7;

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transactions;

impl Pane for Transactions {
    fn about(&self) -> &'static str {
        "Transactions, newest first; what is in doubt stays on top. One row per transaction, \
         one column per node: Y yes, N no, . no vote yet, C committed, A aborted; c and a know the \
         outcome and have still to carry it out; P knows that all voted yes (three-phase commit). Y? is in doubt: it voted yes, holds its locks, and \
         cannot reach the coordinator, which alone may know the outcome. That lasts until the \
         coordinator is back, however long that takes. A transaction without a commit record \
         aborts (presumed abort). Zoomed in, a transaction by Paxos Commit shows what each acceptor \
         has accepted about each vote."
    }

    fn views(&self) -> &'static [&'static str] {
        &["votes"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let picked = picked(scene).map(|txn| txn.id);
        let item = |txn: &Txn| {
            let votes =
                txn.parts().into_iter().map(|id| format!("{id} {}", cell(scene, txn, id).0));
            let votes = votes.collect::<Vec<_>>().join(", ");
            let text = format!("{} {}: {votes}; {}", txn.id, phase(scene, txn).0, next(scene, txn));
            Item::new(mark(scene, txn), text)
                .selected(Some(txn.id) == picked)
                .picks(Pick::Txn(txn.id))
        };
        ordered(scene).into_iter().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let txns = &scene.board.txns;
        let split = txns.all().filter(|txn| is_split(txn)).count();
        let doubt = txns.all().filter(|txn| in_doubt(scene, txn)).count();
        let mut summary = Line::default();
        if split > 0 {
            let style = scene.look.style(Role::Violation);
            summary.push_span(Span::styled(format!("SPLIT {split}"), style));
            summary.push_span("  ");
        }
        if doubt > 0 {
            let style = scene.look.style(Role::Warn);
            summary.push_span(Span::styled(format!("in doubt {doubt}"), style));
            summary.push_span("  ");
        }
        if !txns.is_empty() {
            summary.push_span(format!("C {}  A {}", txns.committed, txns.aborted));
        }
        Title { name: None, summary, trouble: doubt + split > 0 }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let all = ordered(scene);
        let Some(picked) = picked(scene) else {
            row::put(area, buf, &[Row::muted(scene.look, "no transaction yet")]);
            return;
        };
        let grid = Grid::of(scene, &all, area.width.into());
        let height = usize::from(area.height);
        let mut after = Vec::new();
        if scene.zoomed && height >= 12 {
            after = story(scene, picked);
        } else if height >= 6 {
            after.push(next_row(scene, picked));
        }
        if height >= 9 {
            after.push(legend(scene, area.width.into()));
        }
        if scene.zoomed && height >= 12 {
            after.extend(effort(scene, picked, usize::from(area.width).saturating_sub(1)));
        }
        let head = usize::from(height > 1);
        let most = height.saturating_sub(head).saturating_sub(after.len());
        let least = if scene.zoomed { (height / 3).max(1) } else { 1 };
        let room = most.max(least).min(all.len());
        let mut rest = area;
        if head > 0 {
            rest = row::put(rest, buf, &[grid.head(scene)]);
        }
        let (place, rest) = row::split(rest, room);
        let rows: Vec<Row<'_>> =
            all.iter().map(|txn| grid.row(scene, txn).selected(txn.id == picked.id)).collect();
        row::choices(scene, place, buf, &rows);
        let gap = usize::from(scene.zoomed && usize::from(rest.height) > after.len());
        row::put(row::below(rest, gap), buf, &after);
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        match to {
            Move::Left | Move::Right => {
                let nodes: Vec<NodeId> = scene.board.nodes.servers().map(|node| node.id).collect();
                select.node = to.along(Some(&select.node), &nodes).unwrap_or(select.node);
            }
            _ => {
                let ids: Vec<TxnId> = ordered(scene).iter().map(|txn| txn.id).collect();
                let newest = scene.board.txns.all().next_back().map(|txn| txn.id);
                let at = picked(scene).map(|txn| txn.id);
                select.txn = to.along(at.as_ref(), &ids).filter(|id| Some(*id) != newest);
            }
        }
        select
    }

    fn moment(&self, scene: &Scene<'_>) -> Option<usize> {
        scene.timeline.events().upto(picked(scene)?.since).checked_sub(1)
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        picked(scene).map_or(Target::Nothing, |txn| Target::Txn(txn.id))
    }
}

/// Newest first, but what is in doubt, or torn apart, before all others.
fn ordered<'a>(scene: &Scene<'a>) -> Vec<&'a Txn> {
    let mut all: Vec<&Txn> = scene.board.txns.all().rev().collect();
    all.sort_by_key(|txn| !(is_split(txn) || in_doubt(scene, txn)));
    all
}

/// The selected transaction; the newest if none is, or if it is forgotten.
fn picked<'a>(scene: &Scene<'a>) -> Option<&'a Txn> {
    let txns = &scene.board.txns;
    scene.select.txn.and_then(|id| txns.get(id)).or_else(|| txns.all().next_back())
}

fn in_doubt(scene: &Scene<'_>, txn: &Txn) -> bool {
    !txn.in_doubt(scene.board).is_empty()
}

/// Whether one participant committed and another aborted, or one did not do what was decided.
fn is_split(txn: &Txn) -> bool {
    let decided = txn.decision.map(|(commit, _)| commit);
    let mut outcomes = txn.resolved.values().map(|done| done.commit).chain(decided);
    outcomes.next().is_some_and(|first| outcomes.any(|other| other != first))
}

/// Which columns there are.
struct Grid {
    nodes: Vec<NodeId>,
    id: usize,
    coordinator: usize,
    /// The width of a node's column, its gap included; 0 for names instead of columns.
    cell: usize,
    /// The width of all cells together.
    votes: usize,
    age: usize,
    next: bool,
}

impl Grid {
    fn of(scene: &Scene<'_>, all: &[&Txn], width: usize) -> Grid {
        let nodes: Vec<NodeId> = scene.board.nodes.servers().map(|node| node.id).collect();
        let id = all.iter().map(|txn| txn.id.to_string().len()).max().unwrap_or(4).max(4);
        let coordinator = if width >= COORDINATOR_FROM { 6 } else { 0 };
        let next = width >= NEXT_FROM;
        let fixed = 1 + id + 1 + PHASE + 1 + if coordinator > 0 { coordinator + 1 } else { 0 };
        let room = width.saturating_sub(fixed);
        let (least, age) = if next { (14, 5) } else { (10, 4) };
        let behind = if next { age + 1 + 26 } else { age };
        let fits = |cell: &usize| nodes.len() * cell + behind <= room;
        let cell = [5, 4, 3].into_iter().find(fits);
        // The votes are worth more than the age.
        let cell = cell.or(Some(3).filter(|cell| nodes.len() * cell <= room)).unwrap_or(0);
        let votes = match cell {
            0 if next => (room.saturating_sub(behind)).clamp(least, 30),
            0 => room.saturating_sub(age + 1),
            cell => nodes.len() * cell,
        };
        let age = if votes + age <= room { age } else { 0 };
        Grid { nodes, id, coordinator, cell, votes, age, next }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let mut row = Row::plain(scene.look)
            .left(self.id, Role::Muted, "txn")
            .left(PHASE, Role::Muted, "phase")
            .left(self.coordinator, Role::Muted, "coord");
        if self.cell == 0 {
            row = row.left(self.votes, Role::Muted, "votes");
        } else {
            for id in &self.nodes {
                let here = *id == scene.select.node;
                let role = if here { Role::Accent } else { Role::Muted };
                let mut name = id.to_string();
                if name.len() >= self.cell {
                    name = (id.number() % 100).to_string();
                }
                row = row.left(self.cell - 1, role, name);
            }
        }
        let row = row.right(self.age, Role::Muted, "age");
        if self.next { row.text(Role::Muted, "what happens next") } else { row }
    }

    fn row<'a>(&self, scene: &Scene<'a>, txn: &Txn) -> Row<'a> {
        let board = scene.board;
        let mark = mark(scene, txn);
        let (phase, role) = phase(scene, txn);
        let coordinator = txn.id.coordinator;
        let (glyph, life) = state(scene, coordinator);
        let mut row = Row::new(scene.look, mark)
            .left(self.id, Role::Text, txn.id.to_string())
            .left(PHASE, role, phase)
            .left(self.coordinator, life, format!("{coordinator} {glyph}"));
        if self.cell == 0 {
            row = row.left(self.votes, Role::Text, self.parts(scene, txn));
        } else {
            for id in &self.nodes {
                let (text, role) = cell(scene, txn, *id);
                row = row.left(self.cell - 1, role, text);
            }
        }
        let row = row.right(self.age, Role::Text, table::brief(txn.age(board.now)));
        let row = row.picks(Pick::Txn(txn.id));
        if self.next { row.text(Role::Text, next(scene, txn)) } else { row }
    }

    /// The participants with their votes; of too many, how many voted what.
    fn parts(&self, scene: &Scene<'_>, txn: &Txn) -> String {
        let cells: Vec<(NodeId, String)> =
            txn.parts().into_iter().map(|id| (id, cell(scene, txn, id).0)).collect();
        let named: Vec<String> = cells.iter().map(|(id, text)| format!("{id} {text}")).collect();
        let named = named.join("  ");
        if named.len() <= self.votes {
            return named;
        }
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for (_, text) in &cells {
            match kinds.iter_mut().find(|(kind, _)| kind == text) {
                Some((_, count)) => *count += 1,
                None => kinds.push((text, 1)),
            }
        }
        let counts = kinds.into_iter().map(|(kind, count)| format!("{kind} {count}"));
        counts.collect::<Vec<_>>().join("  ")
    }
}

fn mark(scene: &Scene<'_>, txn: &Txn) -> Mark {
    match (is_split(txn), in_doubt(scene, txn)) {
        (true, _) => Mark::Trouble,
        (_, true) => Mark::Doubt,
        _ => Mark::None,
    }
}

/// The phase as a word.
fn phase(scene: &Scene<'_>, txn: &Txn) -> (String, Role) {
    let phase = txn.phase();
    let role = match phase {
        Phase::Committed | Phase::Committing => Role::Ok,
        Phase::Aborted | Phase::Aborting => Role::Bad,
        Phase::Prepared if in_doubt(scene, txn) => Role::Warn,
        Phase::Voting | Phase::Prepared => Role::Text,
    };
    match is_split(txn) {
        true => ("SPLIT".to_owned(), Role::Violation),
        false => (phase.to_string(), role),
    }
}

/// What stands beside a node that does not run.
fn state(scene: &Scene<'_>, id: NodeId) -> (&'static str, Role) {
    match scene.board.node(id).map(|node| &node.life) {
        Some(Life::Paused) => (scene.look.glyphs.paused, Role::Warn),
        Some(life) if life.is_down() => (scene.look.glyphs.down, Role::Bad),
        _ => ("", Role::Leader),
    }
}

/// How a node stands to a transaction, in two cells.
fn cell(scene: &Scene<'_>, txn: &Txn, id: NodeId) -> (String, Role) {
    let board = scene.board;
    let coordinator = txn.id.coordinator;
    let down = board.node(id).is_some_and(|node| !node.life.is_up());
    let away = match () {
        () if down => scene.look.glyphs.cut,
        () if id != coordinator && !board.network.talk(coordinator, id) => "~",
        () => "",
    };
    let (letter, role) = match txn.part(id, board) {
        Part::None => ("-", Role::Muted),
        Part::Waiting if away.is_empty() => (".", Role::Text),
        Part::Waiting => ("", Role::Bad),
        Part::Yes => ("Y", Role::Ok),
        Part::InDoubt => return ("Y?".to_owned(), Role::Warn),
        Part::Ready => ("P", Role::Ok),
        Part::No => return ("N".to_owned(), Role::Bad),
        Part::Deciding { commit: true } => ("c", Role::Ok),
        Part::Deciding { commit: false } => ("a", Role::Bad),
        Part::Done { commit: true } => return ("C".to_owned(), Role::Ok),
        Part::Done { commit: false } => return ("A".to_owned(), Role::Bad),
    };
    match letter {
        "-" => (letter.to_owned(), role),
        _ => (format!("{letter}{away}"), role),
    }
}

fn legend<'a>(scene: &Scene<'a>, width: usize) -> Row<'a> {
    let gone = scene.look.glyphs.cut;
    let text = match width >= NEXT_FROM {
        true => {
            format!("Y yes N no . silent  Y? in doubt  C A done  c a decided  ~ cut {gone} down")
        }
        false => format!("Y? in doubt  c a decided  ~ cut {gone} down"),
    };
    Row::muted(scene.look, text)
}

/// The selected transaction in a line: what happens next, and what is locked for it.
fn next_row<'a>(scene: &Scene<'a>, txn: &Txn) -> Row<'a> {
    let (mark, role) = match (is_split(txn), in_doubt(scene, txn)) {
        (true, _) => (Mark::Trouble, Role::Violation),
        (_, true) => (Mark::Doubt, Role::Warn),
        _ => (Mark::None, Role::Text),
    };
    let text = format!("{}: {}{}", txn.id, next(scene, txn), locks(txn));
    Row::new(scene.look, mark).text(role, text)
}

fn next(scene: &Scene<'_>, txn: &Txn) -> String {
    match is_split(txn) {
        true => "VIOLATION: outcomes differ".to_owned(),
        false => txn.next(scene.board),
    }
}

fn locks(txn: &Txn) -> String {
    let keys: Vec<&str> = txn.locked().map(|key| key.as_str()).collect();
    match keys.is_empty() {
        true => String::new(),
        false => format!(", locks {}", keys.join(" ")),
    }
}

/// What happened to the selected transaction, in order of time, and why it goes on as it does.
fn story<'a>(scene: &Scene<'a>, txn: &Txn) -> Vec<Row<'a>> {
    let (look, board) = (scene.look, scene.board);
    let what = txn.op.as_ref().map(ToString::to_string).unwrap_or_default();
    let whose = txn.call.map(|call| format!(" ({call})")).unwrap_or_default();
    let mut rows = vec![Row::heading(look, format!("{} {what}{whose}", txn.id))];
    if txn.how != Commitment::default() {
        rows.push(Row::muted(look, assumption(txn.how)));
    }
    let mut steps = steps(txn);
    let coordinator = txn.id.coordinator;
    if let Some(node) = board.node(coordinator).filter(|node| !node.life.is_up())
        && !txn.is_over()
    {
        let word = if node.life == Life::Paused { "is frozen" } else { "is down" };
        steps.push((node.since, coordinator, word.to_owned(), Role::Bad));
    }
    steps.sort_by_key(|step| step.0);
    if txn.parts().len() > STRIP {
        steps = folded(steps);
    }
    for (at, node, text, role) in steps {
        let row = Row::plain(look).right(10, Role::Muted, table::clock(at));
        rows.push(row.left(5, Role::Text, node.to_string()).text(role, text));
    }
    rows.extend(strip(scene, txn));
    rows.extend(instances(scene, txn));
    rows.extend(freedom(scene, txn));
    let doubt = txn.in_doubt(board);
    if !doubt.is_empty() {
        let since = txn.bound_since().map(|since| table::brief(board.now.since(since)));
        let since = since.unwrap_or_default();
        let who = match txn.how {
            Commitment::TwoPhase { cooperative: false, .. } => format!("{coordinator} alone"),
            _ => "somebody out of reach".to_owned(),
        };
        let text = format!("in doubt for {since}: {who} may know, and decide either way");
        rows.push(Row::new(look, Mark::Doubt).text(Role::Warn, text));
    }
    rows.push(next_row(scene, txn));
    rows
}

/// With Paxos Commit: a row for each vote, a column for each acceptor. P and A are what it
/// accepted, with the round of the ballot if that is not the participant's own.
fn instances<'a>(scene: &Scene<'a>, txn: &Txn) -> Vec<Row<'a>> {
    let Commitment::PaxosCommit { acceptors } = txn.how else { return Vec::new() };
    let nodes: Vec<NodeId> =
        scene.board.nodes.servers().take(acceptors.into()).map(|node| node.id).collect();
    let keys = txn.op.as_ref().map(|op| op.legs()).unwrap_or_default();
    let width = keys.iter().map(|leg| leg.key.as_str().len()).max().unwrap_or(4).clamp(4, 20);
    let mut head = Row::plain(scene.look).left(width, Role::Muted, "vote");
    for id in &nodes {
        head = head.left(4, Role::Muted, id.to_string());
    }
    let row = |leg: Leg| {
        let instance = txn.instances.get(&leg.key).cloned().unwrap_or_default();
        let mut row = Row::plain(scene.look).left(width, Role::Text, leg.key.to_string());
        for id in &nodes {
            let (text, role) = match instance.accepted.get(id) {
                Some((ballot, prepared)) => {
                    let round =
                        if ballot.round == 0 { String::new() } else { ballot.round.to_string() };
                    let letter = if *prepared { "P" } else { "A" };
                    (format!("{letter}{round}"), if *prepared { Role::Ok } else { Role::Bad })
                }
                None => (".".to_owned(), Role::Muted),
            };
            row = row.left(4, role, text);
        }
        match instance.chosen {
            Some(true) => row.text(Role::Ok, "prepared is chosen"),
            Some(false) => row.text(Role::Bad, "aborted is chosen"),
            None => row.text(Role::Muted, "nothing is chosen"),
        }
    };
    [head].into_iter().chain(keys.into_iter().map(row)).collect()
}

/// How many messages, if any were seen.
fn sent(seen: u64, messages: f64, digits: usize) -> String {
    match seen {
        0 => String::new(),
        _ => format!("{messages:.digits$} messages, "),
    }
}

/// What it has taken, beside what a commit of as many keys takes in theory, and the mean of all.
fn effort<'a>(scene: &Scene<'a>, txn: &Txn, width: usize) -> Vec<Row<'a>> {
    let keys = txn.op.as_ref().map_or(0, |op| op.legs().len());
    if keys == 0 {
        return Vec::new();
    }
    let (theory, taken) = (theory(txn.how, keys as u64), &txn.effort);
    let own = format!(
        "{}{} forced writes; in theory a commit takes {}, and {} messages ({})",
        sent(taken.messages, taken.messages as f64, 0),
        taken.forced(),
        theory.forced,
        theory.messages,
        theory.source
    );
    let Efforts { ended, messages, forced, .. } = scene.board.txns.efforts();
    let mean = |amount: u64| amount as f64 / ended as f64;
    let sent = sent(messages, mean(messages), 1);
    let all = format!("mean of all commits ({ended}): {sent}{:.1} forced writes", mean(forced));
    let all = Some(all).filter(|_| ended > 0);
    let texts = [own].into_iter().chain(all).flat_map(|text| frame::wrap(&text, width));
    texts.map(|text| Row::muted(scene.look, text)).collect()
}

/// One cell per participant, if there are too many to read them one by one.
fn strip<'a>(scene: &Scene<'a>, txn: &Txn) -> Vec<Row<'a>> {
    let parts = txn.parts();
    if parts.len() <= STRIP {
        return Vec::new();
    }
    let row = |part: &[NodeId]| {
        let mut row = Row::plain(scene.look).left(5, Role::Muted, part[0].to_string());
        for (at, id) in part.iter().enumerate() {
            let (text, role) = cell(scene, txn, *id);
            let gap = if at > 0 && at % 10 == 0 { " " } else { "" };
            let sign = if text.ends_with('?') { "?" } else { text.get(..1).unwrap_or(".") };
            row = row.text(Role::Text, gap).text(role, sign);
        }
        row
    };
    parts.chunks(50).map(row).collect()
}

/// By which protocol it ends, and what that rests on.
fn assumption(how: Commitment) -> String {
    match how {
        Commitment::TwoPhase { .. } => how.to_string(),
        Commitment::Logged => format!("{how}: needs a majority of the log"),
        Commitment::ThreePhase => {
            format!("{how}: right if nodes only crash, and the network never splits")
        }
        Commitment::PaxosCommit { .. } => format!("{how}: needs a majority of them"),
    }
}

/// What each participant that is not done may do alone. Many alike are counted.
fn freedom<'a>(scene: &Scene<'a>, txn: &Txn) -> Vec<Row<'a>> {
    let mut alike: Vec<(&str, Role, Vec<NodeId>)> = Vec::new();
    for id in txn.parts() {
        let Some((text, role)) = may(txn.part(id, scene.board), txn.decision.is_some()) else {
            continue;
        };
        match alike.iter_mut().find(|(known, ..)| *known == text) {
            Some((.., ids)) => ids.push(id),
            None => alike.push((text, role, vec![id])),
        }
    }
    let row = |(text, role, ids): (&str, Role, Vec<NodeId>)| {
        let names = match ids.len() {
            many if many > STRIP => format!("{many} nodes"),
            _ => row::names(ids),
        };
        Row::plain(scene.look).text(Role::Text, format!("  {names}: ")).text(role, text)
    };
    alike.into_iter().map(row).collect()
}

/// What a participant may do without the coordinator; nothing to say of one that is done. A vote
/// that was not awaited comes too late.
fn may(part: Part, decided: bool) -> Option<(&'static str, Role)> {
    Some(match part {
        Part::None | Part::Done { .. } | Part::No => return None,
        Part::Waiting if decided => ("did not vote in time, and is bound by nothing", Role::Text),
        Part::Waiting => ("has not voted: may still vote no, which aborts", Role::Text),
        Part::Yes => ("voted yes: may do nothing alone, and will be told", Role::Ok),
        Part::Ready => ("knows that all voted yes: commits with those who are left", Role::Ok),
        Part::InDoubt => {
            ("in doubt: may neither commit nor abort, and keeps its locks", Role::Warn)
        }
        Part::Deciding { commit: true } => ("the outcome is commit: may do nothing else", Role::Ok),
        Part::Deciding { commit: false } => {
            ("the outcome is abort: may do nothing else", Role::Bad)
        }
    })
}

/// When, where, what.
type Step = (Time, NodeId, String, Role);

/// Steps in a row that begin with the same word share a line.
fn folded(steps: Vec<Step>) -> Vec<Step> {
    let word = |step: &Step| step.2.split(',').next().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for run in steps.chunk_by(|a, b| word(a) == word(b) && a.3 == b.3) {
        let (first, last) = (&run[0], &run[run.len() - 1]);
        let more = match run.len() {
            1 => String::new(),
            all => format!(", and {} more by {}", all - 1, table::clock(last.0)),
        };
        lines.push((first.0, first.1, format!("{}{more}", first.2), first.3));
    }
    lines
}

/// Where a decision to commit stands.
fn decided(how: Commitment) -> &'static str {
    match how {
        Commitment::TwoPhase { .. } | Commitment::ThreePhase => "decides commit, forced to disk",
        Commitment::Logged => "commit is in the log",
        Commitment::PaxosCommit { .. } => "knows that all votes are chosen: commit",
    }
}

fn steps(txn: &Txn) -> Vec<Step> {
    let coordinator = txn.id.coordinator;
    let asked = match txn.participants.len() {
        0 => "is first heard of".to_owned(),
        many if many > STRIP => format!("begins, asks {many} nodes"),
        _ => format!("begins, asks {}", row::names(txn.participants.iter().copied())),
    };
    let mut steps = vec![(txn.since, coordinator, asked, Role::Leader)];
    for (node, vote) in &txn.votes {
        let keys: Vec<&str> = vote.keys.iter().map(|key| key.as_str()).collect();
        let (text, role) = match vote.yes {
            true => (format!("votes yes, forced to disk, locks {}", keys.join(" ")), Role::Ok),
            false => ("votes no".to_owned(), Role::Bad),
        };
        steps.push((vote.at, *node, text, role));
    }
    if let Some((commit, at)) = txn.decision {
        let (text, role) = match commit {
            true => (decided(txn.how), Role::Ok),
            false => ("decides abort, no record needed", Role::Bad),
        };
        steps.push((at, coordinator, text.to_owned(), role));
    }
    for (node, at) in &txn.ready {
        steps.push((*at, *node, "knows that all voted yes, on disk".to_owned(), Role::Ok));
    }
    for (node, at) in &txn.heirs {
        let text = format!("takes over from {coordinator}");
        steps.push((*at, *node, text, Role::Leader));
    }
    for (node, done) in &txn.resolved {
        let (word, role) = if done.commit { ("commits", Role::Ok) } else { ("aborts", Role::Bad) };
        let changes = done.changes.iter().map(|c| format!(" {} {}>{}", c.key, c.before, c.after));
        steps.push((done.at, *node, format!("{word}{}", changes.collect::<String>()), role));
    }
    if let Some(at) = txn.ended {
        steps.push((at, coordinator, "knows that all know".to_owned(), Role::Leader));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Story, begins, n, name, txn, votes};
    use super::*;
    use crate::base::TxnId;
    use crate::event::{Change, Fact};
    use crate::tui::theme::GlyphsArg;

    fn resolves(story: &mut Story, id: TxnId, node: u16, key: &str, commit: bool) {
        let after = if commit { 90 } else { 100 };
        let changes = [Change { key: name(key), before: 100, after }].into();
        story.says(n(node), Fact::Resolves { txn: id, commit, changes });
    }

    /// One of each kind, for so many nodes.
    fn bank(nodes: u16) -> Story {
        let mut story = Story::of(nodes, 1);
        let last = nodes;
        let committed = txn(2, 41);
        story.at(11_000);
        begins(&mut story, committed, &[1, 2]);
        votes(&mut story, committed, 1, "acct/1");
        votes(&mut story, committed, 2, "acct/2");
        story.at(11_010).says(n(2), Fact::Decides { txn: committed, commit: true });
        resolves(&mut story, committed, 1, "acct/1", true);
        resolves(&mut story, committed, 2, "acct/2", true);
        story.at(11_020).says(n(2), Fact::Ends { txn: committed });
        let blocked = txn(last, 42);
        story.at(11_596);
        begins(&mut story, blocked, &[1, 2]);
        story.at(11_598);
        votes(&mut story, blocked, 1, "acct/3");
        story.at(11_600);
        votes(&mut story, blocked, 2, "acct/9");
        story.at(11_905).kill(n(last));
        let aborted = txn(1, 43);
        story.at(12_000);
        begins(&mut story, aborted, &[1, 2]);
        votes(&mut story, aborted, 2, "");
        story.says(n(1), Fact::Decides { txn: aborted, commit: false });
        let cut = txn(1, 44);
        story.at(12_100);
        begins(&mut story, cut, &[1, 2, last]);
        votes(&mut story, cut, 1, "acct/5");
        let late = txn(2, 45);
        begins(&mut story, late, &[1, 2]);
        votes(&mut story, late, 1, "acct/7");
        votes(&mut story, late, 2, "acct/8");
        story.says(n(2), Fact::Decides { txn: late, commit: true });
        resolves(&mut story, late, 2, "acct/8", true);
        story.at(12_480);
        story
    }

    #[test]
    fn the_votes_in_the_overview() {
        insta::assert_snapshot!(bank(5).screen(&Transactions, 41, 10), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      n1 n2 n3 n4 n5  age
        ?t5.42 PREPARED   Y? Y? -  -  -  0.8s
        >t2.45 COMMITTING c  C  -  -  -  0.3s
         t1.44 VOTING     Y  .  -  -  ×  0.3s
         t1.43 ABORTED    .  N  -  -  -  0.0s
         t2.41 COMMITTED  C  C  -  -  -  0.0s
         t2.45: n1 must hear of it, locks acct/7
         Y? in doubt  c a decided  ~ cut × down
        "#);
        insta::assert_snapshot!(bank(5).screen(&Transactions, 78, 11), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      coord  n1  n2  n3  n4  n5    age what happens next
        ?t5.42 PREPARED   n5 ✗   Y?  Y?  -   -   -    0.8s BLOCKED until n5 is up; n1…
        >t2.45 COMMITTING n2     c   C   -   -   -    0.3s n1 must hear of it
         t1.44 VOTING     n1     Y   .   -   -   ×    0.3s will abort: n5 is down
         t1.43 ABORTED    n1     .   N   -   -   -    0.0s done (n2 voted no)
         t2.41 COMMITTED  n2     C   C   -   -   -    0.0s done
         t2.45: n1 must hear of it, locks acct/7
         Y yes N no . silent  Y? in doubt  C A done  c a decided  ~ cut × down
        "#);
        insta::assert_snapshot!(bank(5).screen(&Transactions, 38, 4), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      n1 n2 n3 n4 n5  age
        ?t5.42 PREPARED   Y? Y? -  -  -  0.8s
        >t2.45 COMMITTING c  C  -  -  -  0.3s
         … 3 more
        "#);
        insta::assert_snapshot!(bank(3).screen(&Transactions, 41, 6), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      n1   n2   n3    age
        ?t3.42 PREPARED   Y?   Y?   -    0.8s
        >t2.45 COMMITTING c    C    -    0.3s
         t1.44 VOTING     Y    .    ×    0.3s
         … 2 more
         t2.45: n1 must hear of it, locks acct/7
        "#);
        insta::assert_snapshot!(Story::of(3, 1).screen(&Transactions, 41, 2), @r#"
        [] 
         no transaction yet
        "#);
    }

    #[test]
    fn the_votes_of_many_nodes() {
        insta::assert_snapshot!(bank(9).screen(&Transactions, 41, 10), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      votes               age
        ?t9.42 PREPARED   n1 Y?  n2 Y?       0.8s
        >t2.45 COMMITTING n1 c  n2 C         0.3s
         t1.44 VOTING     n1 Y  n2 .  n9 ×   0.3s
         t1.43 ABORTED    n1 .  n2 N         0.0s
         t2.41 COMMITTED  n1 C  n2 C         0.0s
         t2.45: n1 must hear of it, locks acct/7
         Y? in doubt  c a decided  ~ cut × down
        "#);
        insta::assert_snapshot!(bank(50).screen(&Transactions, 41, 10), @r#"
        [] in doubt 1  C 2  A 1 !
         txn    phase      votes              age
        ?t50.42 PREPARED   n1 Y?  n2 Y?      0.8s
        >t2.45  COMMITTING n1 c  n2 C        0.3s
         t1.44  VOTING     Y 1  . 1  × 1     0.3s
         t1.43  ABORTED    n1 .  n2 N        0.0s
         t2.41  COMMITTED  n1 C  n2 C        0.0s
         t2.45: n1 must hear of it, locks acct/7
         Y? in doubt  c a decided  ~ cut × down
        "#);
        insta::assert_snapshot!(bank(9).screen(&Transactions, 78, 8), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      coord  n1 n2 n3 n4 n5 n6 n7 n8 n9   age what happens next
        ?t9.42 PREPARED   n9 ✗   Y? Y? -  -  -  -  -  -  -   0.8s BLOCKED until n9 is…
        >t2.45 COMMITTING n2     c  C  -  -  -  -  -  -  -   0.3s n1 must hear of it
         t1.44 VOTING     n1     Y  .  -  -  -  -  -  -  ×   0.3s will abort: n9 is d…
         t1.43 ABORTED    n1     .  N  -  -  -  -  -  -  -   0.0s done (n2 voted no)
         t2.41 COMMITTED  n2     C  C  -  -  -  -  -  -  -   0.0s done
         t2.45: n1 must hear of it, locks acct/7
        "#);
        insta::assert_snapshot!(bank(50).screen(&Transactions, 78, 8), @r#"
        [] in doubt 1  C 2  A 1 !
         txn    phase      coord  votes                  age what happens next
        ?t50.42 PREPARED   n50 ✗  n1 Y?  n2 Y?          0.8s BLOCKED until n50 is up;…
        >t2.45  COMMITTING n2     n1 c  n2 C            0.3s n1 must hear of it
         t1.44  VOTING     n1     n1 Y  n2 .  n50 ×     0.3s will abort: n50 is down
         t1.43  ABORTED    n1     n1 .  n2 N            0.0s done (n2 voted no)
         t2.41  COMMITTED  n2     n1 C  n2 C            0.0s done
         t2.45: n1 must hear of it, locks acct/7
        "#);
    }

    #[test]
    fn the_votes_in_ascii() {
        let mut story = bank(5);
        story.glyphs = GlyphsArg::Ascii;
        insta::assert_snapshot!(story.screen(&Transactions, 78, 9), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      coord  n1  n2  n3  n4  n5    age what happens next
        ?t5.42 PREPARED   n5 x   Y?  Y?  -   -   -    0.8s BLOCKED until n5 is up; n1~
        >t2.45 COMMITTING n2     c   C   -   -   -    0.3s n1 must hear of it
         t1.44 VOTING     n1     Y   .   -   -   x    0.3s will abort: n5 is down
         t1.43 ABORTED    n1     .   N   -   -   -    0.0s done (n2 voted no)
         t2.41 COMMITTED  n2     C   C   -   -   -    0.0s done
         t2.45: n1 must hear of it, locks acct/7
         Y yes N no . silent  Y? in doubt  C A done  c a decided  ~ cut x down
        "#);
    }

    #[test]
    fn the_story_of_the_selected_one() {
        let mut story = bank(5);
        story.zoomed = true;
        story.press(&Transactions, &[Move::First]);
        assert_eq!(story.select.txn, Some(txn(5, 42)));
        insta::assert_snapshot!(story.screen(&Transactions, 118, 20), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      coord  n1   n2   n3   n4   n5     age what happens next
        >t5.42 PREPARED   n5 ✗   Y?   Y?   -    -    -     0.8s BLOCKED until n5 is up; n1 n2 in doubt
         t2.45 COMMITTING n2     c    C    -    -    -     0.3s n1 must hear of it
         t1.44 VOTING     n1     Y    .    -    -    ×     0.3s will abort: n5 is down
         t1.43 ABORTED    n1     .    N    -    -    -     0.0s done (n2 voted no)
         t2.41 COMMITTED  n2     C    C    -    -    -     0.0s done

         t5.42 transfer acct/3 acct/9 10 (c1/42)
             11.596 n5    begins, asks n1 n2
             11.598 n1    votes yes, forced to disk, locks acct/3
             11.600 n2    votes yes, forced to disk, locks acct/9
             11.905 n5    is down
           n1 n2: in doubt: may neither commit nor abort, and keeps its locks
        ?in doubt for 0.8s: n5 alone may know, and decide either way
        ?t5.42: BLOCKED until n5 is up; n1 n2 in doubt, locks acct/3 acct/9
         Y yes N no . silent  Y? in doubt  C A done  c a decided  ~ cut × down
         2 forced writes; in theory a commit takes 5, and 8 messages (Mohan, Lindsay and Obermarck 1986, presumed abort)
         mean of all commits (1): 5.0 forced writes
        "#);
        story.press(&Transactions, &[Move::Last]);
        insta::assert_snapshot!(story.screen(&Transactions, 78, 20), @r#"
        [] in doubt 1  C 2  A 1 !
         txn   phase      coord  n1  n2  n3  n4  n5    age what happens next
        ?t5.42 PREPARED   n5 ✗   Y?  Y?  -   -   -    0.8s BLOCKED until n5 is up; n1…
         t2.45 COMMITTING n2     c   C   -   -   -    0.3s n1 must hear of it
         t1.44 VOTING     n1     Y   .   -   -   ×    0.3s will abort: n5 is down
         t1.43 ABORTED    n1     .   N   -   -   -    0.0s done (n2 voted no)
        >t2.41 COMMITTED  n2     C   C   -   -   -    0.0s done

         t2.41 transfer acct/3 acct/9 10 (c1/41)
             11.000 n2    begins, asks n1 n2
             11.000 n1    votes yes, forced to disk, locks acct/1
             11.000 n2    votes yes, forced to disk, locks acct/2
             11.010 n2    decides commit, forced to disk
             11.010 n1    commits acct/1 100>90
             11.010 n2    commits acct/2 100>90
             11.020 n2    knows that all know
         t2.41: done
         Y yes N no . silent  Y? in doubt  C A done  c a decided  ~ cut × down
         5 forced writes; in theory a commit takes 5, and 8 messages (Mohan, Lindsay
         and Obermarck 1986, presumed abort)
         mean of all commits (1): 5.0 forced writes
        "#);
    }

    #[test]
    fn the_selection_goes_along_the_rows_and_follows_the_newest() {
        let mut story = bank(5);
        let target = |story: &Story| story.with(|scene| Transactions.target(scene));
        assert_eq!(target(&story), Target::Txn(txn(2, 45)));
        story.press(&Transactions, &[Move::Down]);
        assert_eq!(target(&story), Target::Txn(txn(1, 44)));
        story.press(&Transactions, &[Move::Up, Move::Up]);
        assert_eq!(target(&story), Target::Txn(txn(5, 42)), "in doubt, hence on top");
        story.press(&Transactions, &[Move::Down]);
        assert_eq!(story.select.txn, None);
        let empty = Story::of(3, 0);
        assert_eq!(target(&empty), Target::Nothing);
    }

    #[test]
    fn a_torn_transaction_is_a_violation() {
        let mut story = bank(5);
        resolves(&mut story, txn(2, 45), 1, "acct/7", false);
        insta::assert_snapshot!(story.screen(&Transactions, 78, 8), @r#"
        [] SPLIT 1  in doubt 1  C 2  A 1 !
         txn   phase      coord  n1  n2  n3  n4  n5    age what happens next
        >t2.45 SPLIT      n2     A   C   -   -   -    0.3s VIOLATION: outcomes differ
        ?t5.42 PREPARED   n5 ✗   Y?  Y?  -   -   -    0.8s BLOCKED until n5 is up; n1…
         t1.44 VOTING     n1     Y   .   -   -   ×    0.3s will abort: n5 is down
         t1.43 ABORTED    n1     .   N   -   -   -    0.0s done (n2 voted no)
         t2.41 COMMITTED  n2     C   C   -   -   -    0.0s done
        !t2.45: VIOLATION: outcomes differ
        "#);
    }

    #[test]
    fn it_fits_everywhere() {
        for mut story in [Story::of(3, 0), bank(3), bank(9), bank(50)] {
            story.fits_everywhere(&Transactions);
        }
    }
}
