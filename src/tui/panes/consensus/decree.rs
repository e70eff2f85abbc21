//! The single decree: a row per ballot, a column per acceptor.

use super::super::row::{self, Row};
use super::super::table::{self, Mark};
use super::super::{Item, Scene};
use super::{proposers, quorum_row, servers};
use crate::base::{Ballot, Entry, NodeId, Op};
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::decree::{Answer, Row as Round};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// From this width on, there are columns for the proposer and for both counts.
const WIDE: usize = 72;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let height = usize::from(area.height);
    let grid = Grid::of(scene, area.width.into());
    let ballots: Vec<Row<'_>> =
        scene.board.decree.rows().map(|round| grid.ballot(scene, round)).collect();
    let mut after = Vec::new();
    if height >= 5 {
        after = grid.now(scene);
    }
    if height >= 4 {
        after.push(outcome(scene));
        after.extend(quorum_row(scene).filter(|_| height >= 7));
    }
    if height >= 9 {
        after.extend(grid.refusals(scene, area.width.into()));
        after.push(legend(scene, &grid));
    }
    if scene.zoomed && height >= 14 {
        after.extend(lesson(scene));
        after.push(Row::plain(scene.look));
        after.extend(proposers::rows(scene, area.width.into()));
    }
    let head = usize::from(height >= 3);
    let room = height.saturating_sub(head).saturating_sub(after.len()).min(ballots.len());
    let mut rest = area;
    if head > 0 {
        rest = row::put(rest, buf, &[grid.head(scene)]);
    }
    // The newest ballots, or those around the selected one.
    let at = ballots.iter().position(Row::is_selected).unwrap_or_default();
    let shown = table::window(ballots.len(), at, room);
    let (place, rest) = row::split(rest, room);
    row::choices(scene, place, buf, &ballots[shown]);
    row::put(rest, buf, &after);
}

/// Each ballot in words: who asked, for what, and who answered how.
pub(super) fn list(scene: &Scene<'_>) -> Vec<Item> {
    let decree = &scene.board.decree;
    let grid = Grid::of(scene, WIDE);
    let newest = decree.rows().next_back().map(|newest| newest.ballot);
    let item = |round: &Round| {
        let entry = round.entry.as_ref().map_or_else(|| "nothing yet".to_owned(), |e| value(e));
        let (_, word, _) = grid.standing(scene, round).words(scene);
        let (promises, accepts, refusals) = (round.promises(), round.accepts(), round.refusals());
        let text = format!(
            "{} proposes {entry}: {promises} promise, {accepts} accept, {refusals} refuse; {word}",
            round.ballot
        );
        let selected = scene.select.ballot.or(newest) == Some(round.ballot);
        Item::new(Mark::None, text).selected(selected).picks(Pick::Ballot(round.ballot))
    };
    decree.rows().map(item).collect()
}

/// How it stands, in a few words.
pub(super) fn standing(scene: &Scene<'_>) -> String {
    let decree = &scene.board.decree;
    match decree.chosen() {
        Some((entry, _)) => format!("chosen {}", value(entry)),
        None => format!("quorum {} of {}", scene.board.majority_of_all(), servers(scene).len()),
    }
}

/// What came of it, or what is going on.
pub(super) fn outcome<'a>(scene: &Scene<'a>) -> Row<'a> {
    let (decree, look, all) = (&scene.board.decree, scene.look, servers(scene).len());
    if let Some((entry, at)) = decree.chosen() {
        let other = decree.learners().iter().find(|(_, learned)| value(learned) != value(entry));
        if let Some((node, learned)) = other {
            let text =
                format!("VIOLATION: {} chosen, {node} learned {}", value(entry), value(learned));
            return Row::new(look, Mark::Trouble).text(Role::Violation, text);
        }
        let by = decree.chosen_in(scene.board.majority_of_all());
        let by = by.map(|ballot| format!(" in {ballot}")).unwrap_or_default();
        let word = if scene.board.log.is_empty() { "chosen" } else { "decree" };
        let text = format!(
            "{} {word} {}{by}, known to {}/{all}, first at {}",
            look.glyphs.holds,
            value(entry),
            decree.learners().len(),
            table::clock(at)
        );
        return Row::plain(look).text(Role::Ok, text);
    }
    if let Some(duel) = decree.duel() {
        let lasted = table::brief(scene.board.now.since(duel.since));
        let text = format!("DUEL: {} ballots in {lasted}, none chosen", duel.ballots);
        return Row::new(look, Mark::Trouble).text(Role::Bad, text);
    }
    let count = decree.rows().count();
    let text = match decree.rows().next_back() {
        Some(round) => format!(
            "{} nothing chosen: {} promised {}/{all}, accepted {}/{all}",
            look.glyphs.computing,
            round.ballot,
            round.promises(),
            round.accepts()
        ),
        None => format!("{} nothing chosen in {count} ballots", look.glyphs.computing),
    };
    Row::plain(look).text(Role::Text, text)
}

/// Why duels happen and end.
fn lesson<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    if scene.board.decree.duel().is_none() {
        return Vec::new();
    }
    let text = "each prepare makes acceptors refuse the other's accept; \
                waiting a random while, or one leader, ends it";
    vec![Row::muted(scene.look, text)]
}

fn legend<'a>(scene: &Scene<'a>, grid: &Grid) -> Row<'a> {
    let glyphs = scene.look.glyphs;
    let text = match grid.wide {
        true => format!(
            "P promised  p refused  A accepted  a refused  . silent  {} gone  * adopted",
            glyphs.cut
        ),
        false => format!("P A yes  p a refused  {} gone  * adopted", glyphs.cut),
    };
    Row::muted(scene.look, text)
}

/// The value that an entry proposes.
fn value(entry: &Entry) -> String {
    match &entry.op {
        Op::Propose { value } => value.to_string(),
        op => op.to_string(),
    }
}

/// How a ballot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A majority accepted.
    Won,
    /// So many refused that no majority is left.
    Lost,
    /// It may still win.
    Open,
}

impl Standing {
    fn words(self, scene: &Scene<'_>) -> (&'static str, &'static str, Role) {
        let glyphs = scene.look.glyphs;
        match self {
            Standing::Won => (glyphs.holds, "chosen", Role::Ok),
            Standing::Lost => (glyphs.cut, "refused", Role::Bad),
            Standing::Open => (glyphs.computing, "open", Role::Text),
        }
    }
}

/// Which columns there are.
struct Grid {
    acceptors: Vec<NodeId>,
    ballot: usize,
    proposer: usize,
    value: usize,
    /// The width of an acceptor's column, its gap included; 0 if there is no room for any.
    cell: usize,
    wide: bool,
    majority: usize,
}

impl Grid {
    fn of(scene: &Scene<'_>, width: usize) -> Grid {
        let acceptors = servers(scene);
        let wide = width >= WIDE;
        let rows = scene.board.decree.rows();
        let ballot = rows.map(|round| round.ballot.to_string().len()).max().unwrap_or(3).max(6);
        let proposer = if wide { 8 } else { 0 };
        let count = acceptors.len().to_string().len();
        let result = if wide { 8 + 8 + 9 } else { 2 * count + 4 };
        let before = 1 + ballot + 1 + if wide { proposer + 1 } else { 0 };
        let room = width.saturating_sub(before + result);
        let cells = [6, 4, 3, 2, 1].into_iter().find(|cell| {
            let least = if *cell > 4 { 18 } else { 7 };
            (*cell < 6 || scene.zoomed) && acceptors.len() * cell + least <= room
        });
        let cell = cells.unwrap_or(0);
        let value = room.saturating_sub(acceptors.len() * cell + 2).min(if wide { 24 } else { 12 });
        let majority = scene.board.majority_of_all();
        Grid { acceptors, ballot, proposer, value, cell, wide, majority }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let mut row = Row::plain(scene.look)
            .left(self.ballot, Role::Muted, "ballot")
            .left(self.proposer, Role::Muted, "proposer")
            .left(self.value, Role::Muted, "value");
        for id in &self.acceptors {
            let full = id.to_string();
            let number = id.number();
            let text = match self.cell {
                0 => continue,
                1 => (number % 10).to_string(),
                cell if full.len() < cell => full,
                cell if cell > 2 => (number % 100).to_string(),
                _ => (number % 10).to_string(),
            };
            let here = *id == scene.select.node;
            let role = if here { Role::Accent } else { Role::Muted };
            let gap = self.cell.saturating_sub(text.len());
            row = row.text(role, text).text(Role::Text, " ".repeat(gap));
        }
        match self.wide {
            true => row.right(8, Role::Muted, "promise").right(7, Role::Muted, "accept"),
            false => row.text(Role::Muted, "acc"),
        }
    }

    fn ballot<'a>(&self, scene: &Scene<'a>, round: &Round) -> Row<'a> {
        let look = scene.look;
        let standing = self.standing(scene, round);
        let entry = round.entry.as_ref().map_or_else(|| "?".to_owned(), |entry| value(entry));
        let entry = match round.adopted {
            Some(ballot) if self.value >= 18 => format!("{entry} (from {ballot})"),
            Some(_) => format!("{entry}*"),
            None => entry,
        };
        let proposer = round.ballot.node;
        let mut row = Row::plain(look)
            .left(self.ballot, Role::Text, round.ballot.to_string())
            .left(self.proposer, Role::Text, proposer.to_string())
            .left(self.value, Role::Text, entry);
        for id in self.acceptors.iter().filter(|_| self.cell > 0) {
            row = self.cell(scene, row, round, *id);
        }
        let all = self.acceptors.len();
        let (glyph, word, role) = standing.words(scene);
        let accepts = format!("{}/{all}", round.accepts());
        let row = match self.wide {
            true => row
                .right(8, Role::Text, format!("{}/{all}", round.promises()))
                .right(7, Role::Text, accepts)
                .text(role, format!("{glyph} {word}")),
            false => row.text(Role::Text, accepts).text(role, glyph),
        };
        let newest = scene.board.decree.rows().next_back().map(|newest| newest.ballot);
        let row = row.selected(scene.select.ballot.or(newest) == Some(round.ballot));
        row.picks(Pick::Ballot(round.ballot))
    }

    /// One acceptor's answers to one ballot.
    fn cell<'a>(&self, scene: &Scene<'a>, row: Row<'a>, round: &Round, id: NodeId) -> Row<'a> {
        let cell = round.cell(id);
        let gone = !scene.board.node(id).is_some_and(|node| node.life.is_up())
            || (id != round.ballot.node && !scene.board.network.talk(round.ballot.node, id));
        let silent = if gone { (scene.look.glyphs.cut, Role::Bad) } else { (".", Role::Muted) };
        let letter = |answer, yes, no| match answer {
            Answer::Yes => (yes, Role::Ok),
            Answer::No(_) => (no, Role::Bad),
            Answer::Waiting => silent,
        };
        let (promise, accept) = (letter(cell.promise, "P", "p"), letter(cell.accept, "A", "a"));
        let asked = round.entry.is_some() && !matches!(cell.promise, Answer::No(_));
        let told = cell.accept != Answer::Waiting;
        let silent = cell.promise == Answer::Waiting && !told;
        if self.cell < 3 {
            let (text, role) = if told { accept } else { promise };
            let gap = " ".repeat(self.cell.saturating_sub(1));
            return row.text(role, text).text(Role::Text, gap);
        }
        let gap = if self.cell > 3 { " " } else { "" };
        let second = if told || (asked && !silent) { accept } else { (" ", Role::Text) };
        let rest = " ".repeat(self.cell - 2 - gap.len());
        row.text(promise.1, promise.0)
            .text(Role::Text, gap)
            .text(second.1, second.0)
            .text(Role::Text, rest)
    }

    fn standing(&self, scene: &Scene<'_>, round: &Round) -> Standing {
        if round.accepts() >= self.majority {
            return Standing::Won;
        }
        let holds = scene.board.decree.acceptors();
        let may = |id: &&NodeId| {
            let cell = round.cell(**id);
            let bound = holds.get(id).is_some_and(|acceptor| acceptor.promised > round.ballot);
            cell.accept == Answer::Yes || !bound
        };
        match self.acceptors.iter().filter(may).count() < self.majority {
            true => Standing::Lost,
            false => Standing::Open,
        }
    }

    /// What binds the acceptors now. Rows above are history.
    fn now<'a>(&self, scene: &Scene<'a>) -> Vec<Row<'a>> {
        let holds = scene.board.decree.acceptors();
        let promised = |id: &NodeId| holds.get(id).map_or(Ballot::NONE, |a| a.promised);
        let accepted = |id: &NodeId| holds.get(id).map_or(Ballot::NONE, |a| a.accepted);
        vec![
            self.now_row(scene, "promised now", promised),
            self.now_row(scene, "accepted now", accepted),
        ]
    }

    fn now_row<'a>(
        &self,
        scene: &Scene<'a>,
        what: &str,
        of: impl Fn(&NodeId) -> Ballot,
    ) -> Row<'a> {
        let ballots: Vec<String> = self.acceptors.iter().map(|id| of(id).to_string()).collect();
        let before = self.ballot + self.proposer + usize::from(self.wide) + self.value + 2;
        let fits = ballots.iter().all(|ballot| ballot.len() < self.cell);
        if fits && what.len() <= before {
            let row = Row::plain(scene.look).left(before - 1, Role::Text, what);
            let pad = |text: &String| format!("{text:<width$}", width = self.cell);
            return row.text(Role::Text, ballots.iter().map(pad).collect::<String>());
        }
        let mut by: BTreeMap<Ballot, Vec<NodeId>> = BTreeMap::new();
        for id in &self.acceptors {
            by.entry(of(id)).or_default().push(*id);
        }
        let few = |ids: Vec<NodeId>| match ids.len() {
            0..=5 => row::names(ids),
            many => format!("{many} nodes"),
        };
        let parts = by.into_iter().rev().map(|(ballot, ids)| format!("{ballot} {}", few(ids)));
        let text = parts.collect::<Vec<_>>().join("  ");
        Row::plain(scene.look).text(Role::Text, format!("{what} {text}"))
    }

    /// Who refused the selected ballot, and why. Without columns, all answers to it.
    fn refusals<'a>(&self, scene: &Scene<'a>, width: usize) -> Vec<Row<'a>> {
        let decree = &scene.board.decree;
        let picked = match scene.select.ballot {
            Some(ballot) => decree.row(ballot),
            None => decree.rows().next_back(),
        };
        let Some(round) = picked else { return Vec::new() };
        let mut rows = Vec::new();
        if self.cell == 0 {
            let per = (width.saturating_sub(7) / 11 * 10).max(10);
            for ids in self.acceptors.chunks(per) {
                let mut row = Row::plain(scene.look).left(5, Role::Muted, ids[0].to_string());
                let one = Grid { cell: 1, acceptors: Vec::new(), ..*self };
                for (at, id) in ids.iter().enumerate() {
                    let gap = if at > 0 && at % 10 == 0 { " " } else { "" };
                    row = one.cell(scene, row.text(Role::Text, gap), round, *id);
                }
                rows.push(row);
            }
        }
        let refused = |id: &NodeId| match round.cell(*id) {
            cell if let Answer::No(higher) = cell.accept => Some((*id, higher)),
            cell if let Answer::No(higher) = cell.promise => Some((*id, higher)),
            _ => None,
        };
        let refused: Vec<(NodeId, Ballot)> = self.acceptors.iter().filter_map(refused).collect();
        if !refused.is_empty() {
            let why = refused.iter().map(|(id, higher)| format!("{id} (promised {higher})"));
            let text = format!("{} refused by {}", round.ballot, why.collect::<Vec<_>>().join(" "));
            rows.push(Row::plain(scene.look).text(Role::Text, text));
        }
        rows
    }
}
