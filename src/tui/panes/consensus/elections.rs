//! Elections: when each node will ask, and what came of asking: a row per ballot, a column per
//! voter.

use super::super::charts::short;
use super::super::row::{self, Row};
use super::super::table::{self, Mark};
use super::super::{Item, Scene};
use super::log::{standing, timer};
use super::{quorum_row, servers};
use crate::base::NodeId;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::elections::{Election, Outcome};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// With more nodes, votes are only counted.
const MOST_COLUMNS: usize = 9;
/// Cells of what is in front of the votes, and behind them.
const FRONT: usize = 1 + 9 + 7;
const BEHIND: usize = 6 + 16;

/// The whole view: how long each node waits before it asks, then elections, the newest first.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut rest = area;
    let nodes = servers(scene);
    if usize::from(area.height) >= nodes.len() + 5 && nodes.len() <= MOST_COLUMNS {
        let width = usize::from(area.width);
        rest = row::put(
            rest,
            buf,
            &[Row::muted(scene.look, "asks for votes in, unless it hears of a leader")],
        );
        let (place, below) = row::split(rest, nodes.len());
        let lanes: Vec<Row<'_>> = nodes.iter().map(|id| clock(scene, *id, width)).collect();
        row::choices(scene, place, buf, &lanes);
        rest = row::below(below, usize::from(area.height >= 15));
    }
    let trouble: Vec<Row<'_>> = quorum_row(scene).into_iter().collect();
    rest = row::put(rest, buf, &trouble);
    table(scene, rest, buf);
}

/// How long a node waits before it asks.
fn clock<'a>(scene: &Scene<'a>, id: NodeId, width: usize) -> Row<'a> {
    let (glyph, _, word, role) = standing(scene, id);
    let name = name_width(scene);
    let row = Row::plain(scene.look)
        .left(name, Role::Text, id.to_string())
        .left(1, role, glyph)
        .left(14, role, word);
    let bar = width.saturating_sub(row.width() + 20).clamp(4, 30);
    let row = timer(scene, row, id, bar);
    row.selected(scene.select.node == id).picks(Pick::Node(id))
}

fn name_width(scene: &Scene<'_>) -> usize {
    servers(scene).iter().map(|id| id.to_string().len()).max().unwrap_or(2)
}

/// The elections as far as there is room, the newest first, and what the letters mean.
pub(super) fn table(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let columns = Columns::of(scene, area.width.into());
    let rows: Vec<Row<'_>> =
        scene.board.elections.rows().rev().map(|election| columns.row(scene, election)).collect();
    if rows.is_empty() {
        row::put(area, buf, &[Row::muted(scene.look, "nobody has asked to lead yet")]);
        return;
    }
    let rest = row::put(area, buf, &[columns.head(scene)]);
    let legend = usize::from(columns.cells > 0 && rest.height > 3);
    let (place, below) = row::split(rest, rows.len().min(usize::from(rest.height) - legend));
    row::list(scene.look, place, buf, &rows);
    if legend > 0 {
        let learners = servers(scene).iter().any(|id| scene.board.learns(*id));
        let text = match learners {
            true => "Y voted for it  n for another  . said nothing  - has no vote",
            false => "Y voted for it  n for another  . said nothing",
        };
        row::put(below, buf, &[Row::muted(scene.look, text)]);
    }
}

/// Each election in words.
pub(super) fn list(scene: &Scene<'_>) -> Vec<Item> {
    let item = |election: &Election| {
        let (_, word) = outcome(scene, election);
        let votes = row::names(election.votes.iter().copied());
        let (ballot, since) = (election.ballot, table::clock(election.since));
        Item::new(
            Mark::None,
            format!("{since} {} asks in {ballot}: {votes} vote; {word}", ballot.node),
        )
    };
    scene.board.elections.rows().rev().map(item).collect()
}

struct Columns {
    /// The width of a voter's cell; 0 if votes are only counted.
    cells: usize,
}

impl Columns {
    fn of(scene: &Scene<'_>, width: usize) -> Columns {
        let (count, cell) = (servers(scene).len(), name_width(scene));
        let fits = count <= MOST_COLUMNS && FRONT + count * (cell + 1) + BEHIND <= width;
        Columns { cells: if fits { cell } else { 0 } }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let row = Row::muted(scene.look, "").right(8, Role::Muted, "since");
        let row = row.left(6, Role::Muted, "ballot");
        let voters = servers(scene);
        let row =
            voters.iter().fold(row, |row, id| row.left(self.cells, Role::Muted, id.to_string()));
        row.right(5, Role::Muted, "votes").text(Role::Muted, "outcome")
    }

    fn row<'a>(&self, scene: &Scene<'a>, election: &Election) -> Row<'a> {
        let (look, elections) = (scene.look, &scene.board.elections);
        let term = election.ballot.round;
        let row = Row::plain(look).right(8, Role::Text, table::clock(election.since)).left(
            6,
            Role::Text,
            election.ballot.to_string(),
        );
        let voters = servers(scene);
        let row = voters.iter().fold(row, |row, id| {
            let (letter, role) = match elections.vote(term, *id) {
                _ if !election.counts(*id) => ("-", Role::Muted),
                _ if election.votes.contains(id) => ("Y", Role::Ok),
                Some(_) => ("n", Role::Bad),
                None => (".", Role::Muted),
            };
            row.left(self.cells, role, letter)
        });
        let (role, word) = outcome(scene, election);
        let votes = match election.count() {
            0 => "-".to_owned(),
            count => {
                format!("{count}/{}", voters.iter().filter(|id| election.counts(**id)).count())
            }
        };
        row.right(5, Role::Text, votes).text(role, word)
    }
}

fn outcome(scene: &Scene<'_>, election: &Election) -> (Role, String) {
    let glyphs = scene.look.glyphs;
    match scene.board.elections.outcome(election) {
        Outcome::Won(None) => (Role::Leader, format!("{} found leading", glyphs.leader)),
        Outcome::Won(Some(after)) => {
            (Role::Leader, format!("{} won in {}", glyphs.leader, short(after)))
        }
        Outcome::Open => (Role::Candidate, format!("{} asks", glyphs.candidate)),
        Outcome::Lost(winner) => (Role::Muted, format!("lost to {winner}")),
        Outcome::Split => (Role::Warn, "split vote".to_owned()),
        Outcome::Nothing => (Role::Muted, "came to nothing".to_owned()),
    }
}
