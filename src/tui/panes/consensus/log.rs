//! The log: a lane per replica. Where there is no room for all, replicas whose lanes look the same
//! share one.

use super::super::charts::short;
use super::super::row::{self, Row};
use super::super::table::Mark;
use super::super::{Item, Scene};
use super::{copying, decree, elections, oldest, phase, quorum_row, servers};
use crate::base::{Ballot, NodeId, Slot};
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::log::{Progress, Replica, WINDOW};
use crate::view::nodes::{Life, Node, Role as Part, Timer};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use std::collections::BTreeMap;

/// From this width on, a lane has its ballot in front and its numbers behind.
const WIDE: usize = 90;
/// From here on what digits are is told.
const MIDDLE: usize = 70;
/// And from here on there is room for who voted for whom beside the slots.
const VERY_WIDE: usize = 140;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let nodes = servers(scene);
    let height = usize::from(area.height);
    let most = if scene.zoomed { height.saturating_sub(height / 3).max(6) } else { height };
    let grid = Grid::of(scene, &nodes, area.width.into());
    let folds = nodes.len() > most;
    let lanes: Vec<Row<'_>> = match folds {
        true => {
            let lanes = folded(scene, &grid, &nodes, true);
            let all = lanes.len() <= most;
            if all { lanes } else { folded(scene, &grid, &nodes, false) }
        }
        false => nodes.iter().map(|id| grid.lane(scene, *id)).collect(),
    };
    let head = usize::from(most != lanes.len());
    let mut rest = area;
    if head > 0 {
        rest = row::put(rest, buf, &[grid.index(scene)]);
    }
    let room = most.saturating_sub(head).min(lanes.len());
    let (place, rest) = row::split(rest, room);
    row::choices(scene, place, buf, &lanes);
    below(scene, &grid, rest, buf, folds.then_some(&nodes));
}

/// What stands below the lanes, the most urgent first.
fn below(scene: &Scene<'_>, grid: &Grid, area: Rect, buf: &mut Buffer, fold: Option<&Vec<NodeId>>) {
    let mut rows = trouble(scene);
    let strip = fold.map(|nodes| strip(scene, nodes, area.width.into())).unwrap_or_default();
    let decree = !scene.board.decree.is_empty();
    let open = scene.board.decree.chosen().is_none();
    if decree && !open {
        rows.push(decree::outcome(scene));
    }
    rows.push(slot_row(scene, grid.selected(scene)));
    let used = rows.len();
    let area = row::put(area, buf, &rows);
    let area = row::put(area, buf, &strip);
    if scene.zoomed && usize::from(area.height) > 8 {
        let mut rows = belief(scene, area.width.into());
        rows.push(legend(scene, area.width.into()));
        let area = row::put(area, buf, &rows);
        return details(scene, grid, area, buf);
    }
    if decree && open && area.height > 4 {
        return decree::draw(scene, area, buf);
    }
    let mut rows = Vec::new();
    if decree && open {
        rows.push(decree::outcome(scene));
    }
    if area.height > 1 || used + strip.len() < 3 {
        rows.push(legend(scene, area.width.into()));
    }
    row::put(area, buf, &rows);
}

/// What the selected node believes, which may be long untrue: all else here is told as one sees it
/// who sees everything.
fn belief<'a>(scene: &Scene<'a>, width: usize) -> Vec<Row<'a>> {
    let (board, id) = (scene.board, scene.select.node);
    let node = board.node(id).filter(|node| node.life.is_up() && !id.is_client());
    let Some(node) = node else { return Vec::new() };
    let leads = match node.role {
        Part::None => "nothing of a leader yet".to_owned(),
        Part::Leads(ballot) => format!("it leads {ballot}"),
        Part::Follows(ballot) => format!("{} leads {ballot}", ballot.node),
        Part::Seeks(Ballot::NONE) => "nobody leads".to_owned(),
        Part::Seeks(ballot) => format!("nobody leads, and seeks {ballot}"),
    };
    let replica = board.log.replica(id);
    let chosen = match replica.map_or(0, |replica| replica.chosen_upto) {
        0 => "nothing is chosen".to_owned(),
        upto => format!("chosen up to {upto}"),
    };
    let mut text = format!("{id} believes: {leads}; {chosen}");
    if let Some(Replica { promised, adopted: adopted @ 1.., .. }) = replica {
        text.push_str(&format!("; epoch accepted {}, adopted {adopted}", promised.round));
    }
    if width < WIDE {
        let raft = board.log.is_raft().then(|| copying::words(scene, id)).into_iter().flatten();
        for words in raft.chain(phase::words(scene, id)) {
            text.push_str(&format!("; {words}"));
        }
    }
    if !node.suspects.is_empty() {
        text.push_str(&format!("; suspects {}", row::names(node.suspects.keys().copied())));
    }
    let leader = board.leader().map(|(_, ballot)| ballot);
    let wrong = leader.is_some_and(|ballot| node.role.ballot() != ballot);
    let role = if wrong { Role::Warn } else { Role::Text };
    let lines = frame::wrap(&text, width.saturating_sub(1)).into_iter();
    lines.map(|line| Row::plain(scene.look).text(role, line)).collect()
}

fn legend<'a>(scene: &Scene<'a>, width: usize) -> Row<'a> {
    let glyphs = scene.look.glyphs;
    let (bar, dot, bad) = (glyphs.commit, glyphs.uncommitted, glyphs.conflict);
    let gone = glyphs.unfilled;
    let text = match width {
        WIDE.. => format!(
            "digit: round of the vote  {bar} chosen up to here  {dot} accepted, not chosen  \
             {bad} conflicts  c learned  {gone} in the snapshot"
        ),
        MIDDLE.. => format!(
            "digit: round of the vote  {bar} chosen up to here  {dot} accepted  {bad} conflicts"
        ),
        _ => format!("{bar} chosen  {dot} accepted  {bad} conflicts"),
    };
    Row::muted(scene.look, text)
}

/// What is wrong with the log as a whole.
fn trouble<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let board = scene.board;
    let mut rows: Vec<Row<'a>> = quorum_row(scene).into_iter().collect();
    let leader = board.leader();
    for node in board.nodes.servers().filter(|node| board.is_stale(node.id)) {
        if let (Some((leader, higher)), Part::Leads(own)) = (leader, node.role) {
            let text = format!("{} still leads {own}; {leader} leads {higher}", node.id);
            rows.push(Row::new(scene.look, Mark::Doubt).text(Role::Warn, text));
        }
    }
    let next = board.log.commit + 1;
    let waiting = (next + 1..=board.log.last_slot()).find(|slot| board.log.chosen(*slot).is_some());
    if let (Some(slot), None) = (waiting, board.log.chosen(next)) {
        let text = format!("slot {slot} is chosen but waits for slot {next}");
        rows.push(Row::new(scene.look, Mark::Doubt).text(Role::Warn, text));
    }
    rows
}

/// What stands behind a lane besides how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Epochs and phases.
    Zab,
    /// How far the leader is with it, and its vote.
    Raft,
    /// What is applied.
    Other,
}

/// Which columns there are, and which slots.
struct Grid {
    name: usize,
    group: usize,
    word: usize,
    ballot: usize,
    numbers: bool,
    kind: Kind,
    /// The width of the bar of the election timer; 0 if there is none.
    timer: usize,
    first: Slot,
    cells: usize,
}

impl Grid {
    fn of(scene: &Scene<'_>, nodes: &[NodeId], width: usize) -> Grid {
        let wide = width >= WIDE;
        let name = nodes.iter().map(|id| id.to_string().len()).max().unwrap_or(2);
        let group = usize::from(scene.board.network.is_parted());
        let (word, ballot) = if wide { (14, 6) } else { (6, 0) };
        let numbers = wide;
        let runs = |node: &Node| election(node).is_some();
        let timer = match scene.zoomed && scene.board.nodes.servers().any(runs) {
            true if wide => 10,
            true => 6,
            false => 0,
        };
        let kind = match () {
            () if scene.board.log.is_zab() => Kind::Zab,
            () if scene.board.log.is_raft() => Kind::Raft,
            () => Kind::Other,
        };
        let mut grid = Grid { name, group, word, ballot, numbers, kind, timer, first: 1, cells: 0 };
        let behind = match kind {
            _ if !numbers => 0,
            Kind::Other => NUMBERS,
            Kind::Zab => 9 + phase::WIDTH,
            Kind::Raft => 9 + copying::WIDTH,
        };
        let behind = behind + if timer > 0 { timer + 8 } else { 0 };
        grid.cells = (width.saturating_sub(grid.before() + behind) / 2).min(WINDOW);
        let (cells, last) = (grid.cells as u64, scene.board.log.last_slot());
        let tail = (last + 1).saturating_sub(cells).max(1);
        let wanted = scene.select.slot.map_or(tail, |slot| slot.max(oldest(scene)));
        // A slot of air on the left, so that one sees what comes next.
        grid.first = tail.min(if wanted < tail { wanted.saturating_sub(1).max(1) } else { tail });
        grid
    }

    /// How many cells stand before the lane.
    fn before(&self) -> usize {
        let column = |width: usize| if width == 0 { 0 } else { width + 1 };
        let columns = [self.name, self.group, 1, self.word, self.ballot];
        1 + columns.into_iter().map(column).sum::<usize>()
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        self.first..self.first + self.cells as u64
    }

    /// The slot that the row below speaks of.
    fn selected(&self, scene: &Scene<'_>) -> Slot {
        let last = scene.board.log.last_slot();
        scene.select.slot.map_or(last, |slot| slot.clamp(oldest(scene).min(last), last))
    }

    /// The names of the columns, and the numbers of every fifth slot.
    fn index<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let mut row = Row::muted(scene.look, "slot");
        let gap = self.before().saturating_sub(row.width());
        row = row.text(Role::Muted, " ".repeat(gap));
        let picked = scene.select.slot;
        let (mut at, mut used) = (0, 0);
        for slot in self.slots() {
            let text = slot.to_string();
            let near = picked.is_some_and(|picked| {
                slot != picked && slot.abs_diff(picked) <= text.len() as u64 / 2
            });
            let shown = Some(slot) == picked || (slot.is_multiple_of(5) && !near);
            if shown && used <= at && at + text.len() <= self.cells * 2 {
                let role = if Some(slot) == picked { Role::Accent } else { Role::Muted };
                row = row.text(Role::Text, " ".repeat(at - used)).text(role, text.clone());
                used = at + text.len();
            }
            at += 2;
        }
        if !self.numbers && self.timer == 0 {
            return row;
        }
        let rest = (self.cells * 2).saturating_sub(used);
        let row = row.text(Role::Text, " ".repeat(rest));
        let row = match self.timer {
            0 => row,
            timer => row.text(Role::Text, " ").left(timer + 6, Role::Muted, "election in"),
        };
        if !self.numbers {
            return row;
        }
        let row = row.right(8, Role::Muted, "chosen");
        match self.kind {
            Kind::Zab => phase::head(row),
            Kind::Raft => copying::head(row),
            Kind::Other => row.right(8, Role::Muted, "applied").right(5, Role::Muted, "state"),
        }
    }

    /// One replica.
    fn lane<'a>(&self, scene: &Scene<'a>, id: NodeId) -> Row<'a> {
        let board = scene.board;
        let (glyph, word, long, role) = standing(scene, id);
        let stale = board.is_stale(id);
        let mark = if stale { Mark::Doubt } else { Mark::None };
        let letter = board.group(id).map(String::from).unwrap_or_default();
        let ballot = board.node(id).map_or(Ballot::NONE, |node| node.role.ballot());
        let row = Row::new(scene.look, mark)
            .left(self.name, Role::Text, id.to_string())
            .left(self.group, Role::Text, letter)
            .left(1, role, glyph)
            .left(self.word, role, if self.word > 6 { long } else { word })
            .left(self.ballot, Role::Text, ballot.to_string());
        let empty = Replica::default();
        let replica = board.log.replica(id).unwrap_or(&empty);
        let row = self.cells(scene, row, id, replica);
        let row = match self.timer {
            0 => row,
            width => timer(scene, row.text(Role::Text, " "), id, width),
        };
        let row = self.numbers(row, replica);
        let row = match self.kind {
            Kind::Zab if self.numbers => phase::columns(scene, row, id),
            Kind::Raft if self.numbers => copying::columns(scene, row, id),
            _ => row,
        };
        row.selected(scene.select.node == id).picks(Pick::Node(id))
    }

    fn numbers<'a>(&self, row: Row<'a>, replica: &Replica) -> Row<'a> {
        if !self.numbers {
            return row;
        }
        let row = row.right(8, Role::Text, replica.chosen_upto.to_string());
        if self.kind != Kind::Other {
            return row;
        }
        let state = format!("{:04x}", replica.digest & 0xFFFF);
        row.right(8, Role::Text, replica.applied.to_string()).right(5, Role::Muted, state)
    }

    fn cells<'a>(
        &self,
        scene: &Scene<'a>,
        mut row: Row<'a>,
        id: NodeId,
        replica: &Replica,
    ) -> Row<'a> {
        for slot in self.slots() {
            let cell = Cell::of(scene, id, replica, slot);
            let (digit, mark) = cell.draw(scene);
            let style = scene.look.style(digit.1);
            let style = match scene.select.slot == Some(slot) {
                true => style.add_modifier(Modifier::UNDERLINED),
                false => style,
            };
            row = row.styled(style, digit.0).text(mark.1, mark.0);
        }
        row
    }

    /// What makes two lanes look the same.
    fn looks(&self, scene: &Scene<'_>, id: NodeId) -> Vec<Cell> {
        let empty = Replica::default();
        let replica = scene.board.log.replica(id).unwrap_or(&empty);
        self.slots().map(|slot| Cell::of(scene, id, replica, slot)).collect()
    }
}

/// Each replica in words: its role, and how far it is.
pub(super) fn list(scene: &Scene<'_>) -> Vec<Item> {
    let board = scene.board;
    let empty = Replica::default();
    let item = |id: NodeId| {
        let (_, _, word, _) = standing(scene, id);
        let replica = board.log.replica(id).unwrap_or(&empty);
        let ballot = board.node(id).map_or(Ballot::NONE, |node| node.role.ballot());
        let conflicts = replica.slots().filter(|(slot, _)| board.log.conflicts(id, *slot)).count();
        let mut text = format!(
            "{id} {word} {ballot}: voted up to {}, chosen up to {}, applied {}",
            replica.accepted_upto, replica.chosen_upto, replica.applied
        );
        if conflicts > 0 {
            text.push_str(&format!(", {conflicts} entries must give way"));
        }
        let mark = if board.is_stale(id) { Mark::Doubt } else { Mark::None };
        Item::new(mark, text).selected(id == scene.select.node).picks(Pick::Node(id))
    };
    servers(scene).into_iter().map(item).collect()
}

/// The timer at whose end a node stands for election, if it runs.
fn election(node: &Node) -> Option<Timer> {
    let found = node.timers.iter().find(|((_, name), _)| name == "election");
    found.map(|(_, timer)| *timer)
}

/// How long a node waits before it stands for election, unless it hears of a leader: a bar of so
/// many cells, and the time. All bars have one scale.
pub(super) fn timer<'a>(scene: &Scene<'a>, row: Row<'a>, id: NodeId, width: usize) -> Row<'a> {
    let node = scene.board.node(id).filter(|node| node.life.is_up());
    let leads = node.is_some_and(|node| matches!(node.role, Part::Leads(_)));
    let Some(timer) = node.and_then(election).filter(|_| !leads) else {
        return row.left(width + 6, Role::Muted, "-");
    };
    let left = timer.until.since(scene.board.now);
    let cells = u16::try_from(width).unwrap_or(0);
    let all = scene.board.nodes.servers().filter_map(election);
    let longest = all.map(|timer| timer.until.since(timer.set)).max().unwrap_or(left);
    let bar = scene.look.glyphs.bar(cells, left.0, longest.0);
    row.left(width, Role::Candidate, bar).right(5, Role::Muted, short(left))
}

/// How many cells the numbers behind a lane take.
const NUMBERS: usize = 9 + 9 + 6;

/// One slot of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    progress: Progress,
    /// The round of its vote, if it voted.
    round: Option<u32>,
    conflicts: bool,
    /// All slots up to this one are chosen, and the next is not, as far as the replica knows.
    bar: bool,
    /// The log was cut off right before it.
    cut: bool,
}

impl Cell {
    fn of(scene: &Scene<'_>, id: NodeId, replica: &Replica, slot: Slot) -> Cell {
        let place = replica.place(slot);
        let ballot = place.map(|place| place.ballot);
        Cell {
            progress: replica.progress(slot),
            round: ballot.filter(|ballot| *ballot != Ballot::NONE).map(|ballot| ballot.round),
            conflicts: scene.board.log.conflicts(id, slot),
            bar: slot == replica.chosen_upto,
            cut: replica.cut.is_some_and(|after| after + 1 == slot),
        }
    }

    /// The digit and the mark behind it.
    fn draw(self, scene: &Scene<'_>) -> ((String, Role), (&'static str, Role)) {
        let glyphs = scene.look.glyphs;
        let digit = match (self.progress, self.round) {
            (Progress::Empty, _) if self.cut => (glyphs.truncated.to_owned(), Role::Warn),
            (Progress::Empty, _) => (" ".to_owned(), Role::Text),
            (_, Some(round)) => {
                let tint = u8::try_from(round % 8).expect("less than eight");
                ((round % 10).to_string(), Role::Identity(tint))
            }
            (Progress::Snapshot, None) => (glyphs.unfilled.to_owned(), Role::Muted),
            (_, None) => ("c".to_owned(), Role::Muted),
        };
        let mark = match () {
            () if self.conflicts => (glyphs.conflict, Role::Bad),
            () if self.bar => (glyphs.commit, Role::Ok),
            () if self.progress == Progress::Accepted => (glyphs.uncommitted, Role::Warn),
            () => (" ", Role::Text),
        };
        (digit, mark)
    }
}

/// How a node stands to the log: glyph, word, longer word.
pub(super) fn standing(
    scene: &Scene<'_>,
    id: NodeId,
) -> (&'static str, &'static str, &'static str, Role) {
    let glyphs = scene.look.glyphs;
    let Some(node) = scene.board.node(id) else {
        return (glyphs.pending, "?", "unknown", Role::Muted);
    };
    match (&node.life, node.role) {
        (Life::Down, _) => (glyphs.down, "DOWN", "DOWN", Role::Down),
        (Life::Failed(_), _) => (glyphs.down, "FAILED", "FAILED", Role::Bad),
        (Life::Paused, _) => (glyphs.paused, "PAUSED", "PAUSED", Role::Warn),
        (_, Part::Leads(_)) if scene.board.is_stale(id) => {
            (glyphs.leader, "STALE", "leader (stale)", Role::Warn)
        }
        (_, Part::Leads(_)) => (glyphs.leader, "leader", "leader", Role::Leader),
        (_, Part::Follows(_)) if scene.board.learns(id) => {
            (glyphs.follower, "learns", "learner", Role::Follower)
        }
        (_, Part::Follows(_)) => (glyphs.follower, "follow", "follower", Role::Follower),
        (_, Part::Seeks(_))
            if let Some((word, long)) = phase::short(scene.board.log.replica(id)) =>
        {
            (glyphs.candidate, word, long, Role::Candidate)
        }
        (_, Part::Seeks(Ballot::NONE)) => (glyphs.observer, "alone", "no leader", Role::Candidate),
        (_, Part::Seeks(_)) => (glyphs.candidate, "seeks", "candidate", Role::Candidate),
        (_, Part::None) => (glyphs.observer, "-", "no role yet", Role::Muted),
    }
}

/// The leader, the selected node and all odd ones have a lane; the rest share. If
/// `named`, those that are behind are named.
fn folded<'a>(scene: &Scene<'a>, grid: &Grid, nodes: &[NodeId], named: bool) -> Vec<Row<'a>> {
    let board = scene.board;
    let own = |id: &NodeId| {
        let leads = board.node(*id).is_some_and(|node| matches!(node.role, Part::Leads(_)));
        *id == scene.select.node || leads
    };
    let (mut single, crowd): (Vec<NodeId>, Vec<NodeId>) = nodes.iter().partition(|id| own(id));
    let (up, gone): (Vec<NodeId>, Vec<NodeId>) =
        crowd.into_iter().partition(|id| board.node(*id).is_none_or(|node| node.life.is_up()));
    let mut alike: BTreeMap<Vec<Cell>, Vec<NodeId>> = BTreeMap::new();
    for id in up {
        alike.entry(grid.looks(scene, id)).or_default().push(id);
    }
    single.sort_by_key(|id| board.leader().is_none_or(|(leader, _)| leader != *id));
    let (mut groups, odd): (Vec<Vec<NodeId>>, Vec<Vec<NodeId>>) =
        alike.into_values().partition(|ids| ids.len() > 1);
    groups.sort_by_key(|ids| (std::cmp::Reverse(ids.len()), ids[0]));
    let mut rows: Vec<Row<'a>> = single.iter().map(|id| grid.lane(scene, *id)).collect();
    let best = nodes.iter().filter_map(|id| board.log.replica(*id)).map(|r| r.chosen_upto).max();
    for ids in &groups {
        let (row, behind) = shared(scene, grid, ids, best);
        rows.push(row);
        if behind && named {
            let names = format!("  {}", row::names(ids.iter().copied()));
            rows.push(Row::plain(scene.look).text(Role::Text, names));
        }
    }
    rows.extend(odd.iter().flatten().map(|id| grid.lane(scene, *id)));
    let (paused, down): (Vec<NodeId>, Vec<NodeId>) = gone
        .into_iter()
        .partition(|id| board.node(*id).is_some_and(|node| node.life == Life::Paused));
    let glyphs = scene.look.glyphs;
    for (ids, glyph, word, role) in
        [(down, glyphs.down, "down", Role::Down), (paused, glyphs.paused, "paused", Role::Warn)]
    {
        if !ids.is_empty() {
            let text = format!("{glyph} {} {word}", ids.len());
            let width = grid.before() - 2;
            let row = Row::plain(scene.look).left(width, role, text);
            rows.push(row.text(Role::Text, row::names(ids)));
        }
    }
    rows
}

/// One lane for several replicas, and whether they are behind.
fn shared<'a>(
    scene: &Scene<'a>,
    grid: &Grid,
    ids: &[NodeId],
    best: Option<Slot>,
) -> (Row<'a>, bool) {
    let empty = Replica::default();
    let replica = scene.board.log.replica(ids[0]).unwrap_or(&empty);
    let equal = best == Some(replica.chosen_upto);
    let (word, role) = if equal { ("equal", Role::Follower) } else { ("behind", Role::Warn) };
    let text = format!("{} {word}", ids.len());
    let row = Row::plain(scene.look).left(grid.before() - 2, role, text);
    let row = grid.cells(scene, row, ids[0], replica);
    (grid.numbers(row, replica), !equal)
}

/// How far each replica knows the choices, as one character for each.
fn strip<'a>(scene: &Scene<'a>, nodes: &[NodeId], width: usize) -> Vec<Row<'a>> {
    let log = &scene.board.log;
    let known = |id: &NodeId| log.replica(*id).map_or(0, |replica| replica.chosen_upto);
    let heights = scene.look.glyphs.heights.len() as u64;
    let height = |id: &NodeId| match scene.board.node(*id) {
        Some(node) if !node.life.is_up() => 0,
        _ => heights.saturating_sub(log.commit.saturating_sub(known(id))).max(1),
    };
    let text = scene.look.glyphs.sparkline(nodes.iter().map(height), heights);
    let chars: Vec<char> = text.chars().collect();
    let head = format!("chosen up to, of {} in order (gap: down)", nodes.len());
    let mut rows = vec![Row::muted(scene.look, head)];
    for part in chars.chunks(width.saturating_sub(2).max(10)) {
        rows.push(Row::plain(scene.look).text(Role::Follower, part.iter().collect::<String>()));
    }
    let board = scene.board;
    let text = format!("commit needs {}, has {}", board.majority(), board.best_reach());
    rows.push(Row::plain(scene.look).text(Role::Text, text));
    rows
}

/// One slot in words: what is in it, and who voted.
fn slot_row<'a>(scene: &Scene<'a>, slot: Slot) -> Row<'a> {
    let row = Row::plain(scene.look);
    if slot == 0 {
        return row.text(Role::Muted, "the log is empty");
    }
    let facts = SlotFacts::of(scene, slot);
    let row = row.text(Role::Muted, format!("slot {slot} ")).text(facts.role, facts.word);
    let votes = format!(" {}/{} ", facts.votes, scene.board.voting());
    row.text(Role::Text, votes).text(Role::Text, facts.entry)
}

/// What is known of one slot by all together.
struct SlotFacts {
    word: &'static str,
    role: Role,
    votes: usize,
    entry: String,
    ballot: Ballot,
}

impl SlotFacts {
    fn of(scene: &Scene<'_>, slot: Slot) -> SlotFacts {
        let log = &scene.board.log;
        let chosen = log.chosen(slot);
        let voters = || log.replicas().filter(|(id, _)| scene.board.votes(*id));
        let places = || voters().filter_map(|(_, replica)| replica.place(slot));
        let newest = places().max_by_key(|place| place.ballot);
        let entry = chosen.or(newest.map(|place| &place.entry));
        let same = |ballot: Ballot| {
            places().filter(|place| place.ballot == ballot && ballot != Ballot::NONE).count()
        };
        let ballot = newest.map_or(Ballot::NONE, |place| place.ballot);
        let votes = match chosen {
            // Votes in other ballots for the chosen entry count as well: it cannot change.
            Some(chosen) => places()
                .filter(|place| place.ballot != Ballot::NONE && place.entry == *chosen)
                .count(),
            None => same(ballot),
        };
        let (word, role) = match (chosen, newest) {
            (Some(_), _) => ("chosen", Role::Ok),
            (None, Some(_)) => ("accepted", Role::Warn),
            (None, None) if slot <= log.commit => ("in the snapshot", Role::Muted),
            (None, None) => ("empty", Role::Muted),
        };
        let entry = entry.map_or_else(|| "-".to_owned(), |entry| entry.to_string());
        SlotFacts { word, role, votes, entry, ballot }
    }
}

/// The slots one by one, and who asked to lead; the decree below, if there is one.
fn details(scene: &Scene<'_>, grid: &Grid, area: Rect, buf: &mut Buffer) {
    let area = row::below(area, 1);
    let both = !scene.board.decree.is_empty() && area.height > 12;
    let (area, below) =
        row::split(area, usize::from(if both { area.height / 2 } else { area.height }));
    let beside = match usize::from(area.width) {
        VERY_WIDE.. => 60,
        WIDE.. => 40,
        _ => 0,
    };
    let left = Rect { width: area.width - beside, ..area };
    slots(scene, grid, left, buf);
    elections::table(scene, Rect { x: left.right(), width: beside, ..area }, buf);
    if both {
        decree::draw(scene, below, buf);
    }
}

fn slots(scene: &Scene<'_>, grid: &Grid, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let nodes = servers(scene);
    let known = if nodes.len() <= 9 { nodes.len() * (grid.name + 1) } else { 8 };
    let head = Row::muted(look, "").right(7, Role::Muted, "slot").left(15, Role::Muted, "state");
    let head = head.left(7, Role::Muted, "ballot").right(7, Role::Muted, "votes");
    let head = head.left(known, Role::Muted, "known to").text(Role::Muted, "entry");
    let rest = row::put(area, buf, &[head]);
    let last = scene.board.log.last_slot();
    let picked = grid.selected(scene);
    let rows = (oldest(scene)..=last).rev().map(|slot| {
        let facts = SlotFacts::of(scene, slot);
        let knows = |id: &&NodeId| {
            let replica = scene.board.log.replica(**id);
            replica.is_some_and(|replica| replica.progress(slot) >= Progress::Chosen)
        };
        let text = match nodes.len() {
            0..=9 => row::names(nodes.iter().filter(knows).copied()),
            all => format!("{}/{all}", nodes.iter().filter(knows).count()),
        };
        Row::plain(look)
            .right(7, Role::Text, slot.to_string())
            .left(15, facts.role, facts.word)
            .left(7, Role::Text, facts.ballot.to_string())
            .right(7, Role::Text, format!("{}/{}", facts.votes, scene.board.voting()))
            .left(known, Role::Text, text)
            .text(Role::Text, facts.entry)
            .selected(slot == picked)
    });
    row::list(look, rest, buf, &rows.collect::<Vec<_>>());
}
