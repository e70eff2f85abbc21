//! Nodes: who runs, who leads, whose clock is off, and who waits for what.
//!
//! A table as long as the nodes are few, else a map with a cell for each. Clients follow the nodes.
//! The roles are what nodes say of themselves; that one of them was deposed and does not know is
//! said from outside. Zoomed, there is all that is known of the selected process, the timers that
//! make it act on its own, and who suspects whom.

mod beliefs;
mod detail;
mod map;

use super::row;
use super::table::{
    Column, Mark, Table, brief, clock, marked, put, right_of, signed, take, thousands, window,
};
use super::{Item, Pane, Scene};
use crate::base::NodeId;
use crate::tui::frame::{self, Title};
use crate::tui::mode::Choice;
use crate::tui::select::{Move, Pick, Select};
use crate::tui::source::Unseen;
use crate::tui::theme;
use crate::view::Board;
use crate::view::nodes::{Life, Node, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Above this many nodes there is a map instead of a table, unless it is zoomed and they fit.
const TABLE: usize = 9;

const VIEWS: &[&str] = &["auto", "table", "map", "beliefs"];
const ORDER: Choice = Choice {
    key: 'r',
    name: "order",
    doc: "order of the rows",
    values: &["auto", "name", "trouble first"],
};

/// The pane.
#[derive(Debug)]
pub(super) struct Nodes;

impl Pane for Nodes {
    fn about(&self) -> &'static str {
        "Every node and client: whether it runs, its role in the log and the ballot it goes by, the \
         letter of its side when the network has parted, how far its clock is off, its place in \
         the log, the ring it goes by, and how many others suspect it. A leader is called deposed \
         if another leads in a higher ballot: it cannot know that itself. The view 'beliefs' has a \
         row for each observer and a column for whom it observes."
    }

    fn views(&self) -> &'static [&'static str] {
        VIEWS
    }

    fn options(&self) -> &'static [Choice] {
        &[ORDER]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let sheet = Sheet::new(scene);
        let item = |node: &&Node| {
            let text = match node.id.is_client() {
                false => sheet.sentence(node),
                true => format!("{} {}", sheet.one_line(node), doing(scene.board, node.id)),
            };
            Item::new(sheet.mark(node), text)
                .selected(node.id == scene.select.node)
                .picks(Pick::Node(node.id))
        };
        sheet.servers.iter().chain(&sheet.clients).map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let board = scene.board;
        let count =
            |is: fn(&Life) -> bool| board.nodes.servers().filter(|node| is(&node.life)).count();
        let mut summary = format!("{} nodes: {} up", count(|_| true), count(Life::is_up));
        for (many, word) in
            [(count(Life::is_down), "down"), (count(|life| *life == Life::Paused), "paused")]
        {
            if many > 0 {
                summary.push_str(&format!(", {many} {word}"));
            }
        }
        let unseen = board.nodes.servers().filter(|node| unseen(scene, node.id).is_some()).count();
        if unseen > 0 {
            summary.push_str(&format!(", {unseen} no link"));
        }
        let failed = board.nodes.all().any(|node| matches!(node.life, Life::Failed(_)));
        let trouble = failed || unseen > 0 || lacks_majority(board);
        Title { name: None, summary: summary.into(), trouble }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let mut rest = area;
        let sheet = Sheet::new(scene);
        if sheet.servers.is_empty() && sheet.clients.is_empty() {
            let first = marked(scene.look, Mark::None, "no process seen yet");
            let lines = std::iter::once(first).chain(troubles(scene));
            return frame::put_all(buf, area, lines);
        }
        let troubles = troubles(scene);
        let mut most = usize::from(area.height / 3).clamp(1, 4).min(troubles.len());
        // The title says that there is trouble; a table is worth more than the sentence.
        if sheet.servers.len() <= TABLE {
            let spare = usize::from(area.height).saturating_sub(sheet.servers.len());
            most = most.min(spare.saturating_sub(1).max(1)).min(spare);
        }
        let height = area.height.saturating_sub(most as u16);
        let foot = Rect { y: area.y + height, height: area.height - height, ..area };
        rest.height = height;
        sheet.draw_body(&mut rest, buf);
        // Trouble comes right below what is in trouble.
        let foot = Rect { y: rest.y, ..foot };
        for (line, row) in troubles.into_iter().zip(foot.rows()) {
            put(buf, scene.look, row, line);
        }
        if scene.zoomed {
            let below = row::below(area, usize::from(foot.bottom() - area.y) + 1);
            draw_details(scene, below, buf);
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let sheet = Sheet::new(scene);
        let all = sheet.servers.iter().chain(&sheet.clients);
        let ids: Vec<NodeId> = all.map(|node| node.id).collect();
        if let Some(node) = to.along(Some(&select.node), &ids) {
            select.node = node;
        }
        select
    }
}

/// The selected process in words, and who suspects whom beside it or below.
fn draw_details(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let draw = |lines: Vec<Line<'static>>, area: Rect, buf: &mut Buffer| {
        for (line, row) in lines.into_iter().zip(area.rows()) {
            put(buf, scene.look, row, line);
        }
    };
    let small = scene.board.nodes.servers().count() <= 5;
    let beside = match area.width {
        100.. => (area.width / 2).min(56),
        70.. if small => 26,
        _ => 0,
    };
    let left = Rect { width: area.width - beside, ..area };
    let lines = detail::detail(scene, usize::from(left.width.saturating_sub(2)));
    let rest = row::below(left, lines.len() + 1);
    draw(lines, left, buf);
    let right = if beside > 0 { right_of(area, left.width) } else { rest };
    draw(detail::suspicions(scene, right.width.into()), right, buf);
}

/// Whether rows are in the order of names. A long table is easier to watch with trouble on top.
fn by_name(scene: &Scene<'_>) -> bool {
    match scene.mode.value(&ORDER) {
        "name" => true,
        "trouble first" => false,
        _ => {
            let few = scene.board.nodes.servers().count() <= TABLE;
            few || scene.mode.view(VIEWS) != "table"
        }
    }
}

fn lacks_majority(board: &Board) -> bool {
    board.nodes.servers().next().is_some() && !board.has_quorum()
}

/// What is wrong with the cluster as a whole, the worst first.
fn troubles(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (board, look) = (scene.board, scene.look);
    let mut lines = Vec::new();
    let mut tell = |mark, role, text: String| {
        lines.push(marked(look, mark, Span::styled(text, look.style(role))));
    };
    for node in board.nodes.all() {
        if let Life::Failed(why) = &node.life {
            tell(Mark::Trouble, theme::Role::Bad, format!("{} died: {why}", node.id));
        }
    }
    if lacks_majority(board) {
        let all = board.voting();
        let text = match board.network.is_parted() {
            true => format!("no side has a majority of {all} ({})", sides(board)),
            false => format!("no majority: {} of {all} reach each other", board.best_reach()),
        };
        tell(Mark::Trouble, theme::Role::Bad, text);
    }
    if let Some((leader, ballot)) = board.leader() {
        for node in board.nodes.servers().filter(|node| board.is_stale(node.id)) {
            let old = node.role.ballot();
            let text = format!("{} leads {old} and does not know of {leader} {ballot}", node.id);
            tell(Mark::Doubt, theme::Role::Warn, text);
        }
    }
    for (id, Unseen { why, .. }) in scene.links.all().filter(|_| scene.timeline.is_live()) {
        tell(Mark::Doubt, theme::Role::Warn, format!("{id} no link: {why}"));
    }
    lines
}

/// How many nodes run on each side: `A 2, B 3`.
fn sides(board: &Board) -> String {
    let up = |id: &&NodeId| board.node(**id).is_some_and(|node| node.life.is_up());
    let side = |group: &Vec<NodeId>| {
        let letter = group.first().and_then(|id| board.group(*id)).unwrap_or('-');
        format!("{letter} {}", group.iter().filter(up).count())
    };
    board.network.groups().iter().map(side).collect::<Vec<_>>().join(", ")
}

/// What a table of processes says, by column.
#[derive(Clone, Copy, Debug)]
enum Key {
    Name,
    State,
    Off,
    Role,
    Ballot,
    Group,
    Clock,
    Slot,
    Epoch,
    Suspected,
    Boot,
    Since,
    Disk,
    Sent,
    Received,
    Lost,
}

struct Sheet<'a> {
    scene: &'a Scene<'a>,
    servers: Vec<&'a Node>,
    clients: Vec<&'a Node>,
}

impl<'a> Sheet<'a> {
    fn new(scene: &'a Scene<'a>) -> Sheet<'a> {
        let nodes = &scene.board.nodes;
        let (servers, clients) = (nodes.servers().collect(), nodes.clients().collect());
        let mut sheet = Sheet { scene, servers, clients };
        // A map has a place for each node, where one looks for it.
        if !by_name(scene) && !sheet.has_map() {
            let mut ranked: Vec<&Node> = sheet.servers.clone();
            ranked.sort_by_key(|node| (std::cmp::Reverse(sheet.mark(node)), node.id));
            sheet.servers = ranked;
        }
        sheet
    }

    /// Whether nodes are cells of a map.
    fn has_map(&self) -> bool {
        match self.scene.mode.view(VIEWS) {
            "map" => true,
            "auto" => self.servers.len() > TABLE && !self.scene.zoomed,
            _ => false,
        }
    }

    /// Draws nodes and clients from the top of `area`, and takes what it needs off it.
    fn draw_body(&self, area: &mut Rect, buf: &mut Buffer) {
        let fits = self.servers.len() <= usize::from(area.height);
        let table = self.scene.mode.view(VIEWS) == "table";
        if self.scene.mode.view(VIEWS) == "beliefs" {
            return self.beliefs(area, buf);
        }
        match self.has_map() || !(fits || table) {
            true => self.map(area, buf),
            false => self.table(area, buf),
        }
        if !area.is_empty() && !self.clients.is_empty() {
            self.clients(area, buf);
        }
    }

    fn table(&self, area: &mut Rect, buf: &mut Buffer) {
        let table = Table::fit(self.columns(), area.width);
        let height = usize::from(area.height);
        let room = height.saturating_sub(self.servers.len());
        // The selected client is more important than the names of columns.
        let client = self.scene.select.node.is_client() && !self.clients.is_empty();
        let folds = height < self.servers.len();
        if room > usize::from(client) || (folds && height > 2) {
            let head = take(area, 1);
            put(buf, self.scene.look, head, table.head(self.scene.look));
        }
        let at = self.servers.iter().position(|node| node.id == self.scene.select.node);
        let shown = window(self.servers.len(), at.unwrap_or(0), area.height.into());
        for node in &self.servers[shown] {
            let row = take(area, 1);
            self.row(&table, node, row, buf);
        }
    }

    fn row(&self, table: &Table<Key>, node: &Node, row: Rect, buf: &mut Buffer) {
        let selected = node.id == self.scene.select.node;
        let mark = self.mark(node).or_selected(selected);
        let line = table.row(self.scene.look, mark, |key| self.cell(node, key));
        put(buf, self.scene.look, row, line);
        self.scene.spot(row, Pick::Node(node.id));
        if selected {
            frame::select(buf, row, self.scene.look);
        }
    }

    fn mark(&self, node: &Node) -> Mark {
        match node.life {
            _ if unseen(self.scene, node.id).is_some() => Mark::Doubt,
            Life::Failed(_) => Mark::Trouble,
            Life::Down | Life::Paused => Mark::Fault,
            _ if self.scene.board.is_stale(node.id) => Mark::Doubt,
            _ if node.is_impaired() => Mark::Fault,
            _ => Mark::None,
        }
    }

    /// The columns that have something to say in this cluster.
    fn columns(&self) -> Vec<Column<Key>> {
        let board = self.scene.board;
        let name = self.servers.iter().map(|node| node.id.to_string().len()).max();
        let unseen = self.servers.iter().any(|node| unseen(self.scene, node.id).is_some());
        let ballot = self.servers.iter().map(|node| node.role.ballot().to_string().len()).max();
        let mut columns = vec![
            Column::words(Key::Name, "node", name.unwrap_or_default(), 0),
            Column::words(Key::State, "state", if unseen { 9 } else { 8 }, 0),
        ];
        if self.servers.iter().any(|node| node.is_impaired()) {
            columns.push(Column::words(Key::Off, "", 1, 2));
        }
        if has_roles(board) {
            columns.push(Column::words(Key::Role, "role", 10, 1));
            columns.push(Column::numbers(Key::Ballot, "bal", ballot.unwrap_or_default(), 3));
        }
        if board.network.is_parted() {
            columns.push(Column::words(Key::Group, "", 1, 1));
        }
        columns.push(Column::numbers(Key::Clock, "clock", 6, 4));
        if !board.log.is_empty() {
            columns.push(Column::numbers(Key::Slot, "slot", 4, 5));
        }
        if !board.ring.is_empty() {
            columns.push(Column::numbers(Key::Epoch, "ring", 4, 6));
        }
        columns.extend([
            Column::numbers(Key::Suspected, "susp", 4, 7),
            Column::numbers(Key::Boot, "boot", 4, 8),
            Column::numbers(Key::Since, "since", 9, 9),
            Column::numbers(Key::Disk, "disk", 7, 10),
            Column::numbers(Key::Sent, "sent", 8, 11),
            Column::numbers(Key::Received, "received", 8, 12),
            Column::numbers(Key::Lost, "lost", 7, 13),
        ]);
        columns
    }

    fn cell(&self, node: &Node, key: Key) -> Span<'static> {
        let (board, look) = (self.scene.board, self.scene.look);
        let plain = Span::raw::<String>;
        let warn = |text: String, warn: bool| {
            Span::styled(text, if warn { look.style(theme::Role::Warn) } else { Style::new() })
        };
        match key {
            Key::Name => plain(node.id.to_string()),
            Key::State => {
                let (glyph, word, role) = state(self.scene, node);
                Span::styled(format!("{glyph} {word}"), look.style(role))
            }
            Key::Off => {
                let glyph = if node.is_impaired() { look.glyphs.skewed } else { "" };
                warn(glyph.to_owned(), true)
            }
            Key::Role => role(self.scene, node),
            Key::Ballot => plain(node.role.ballot().to_string()),
            Key::Group => letter(self.scene, node.id),
            Key::Clock if node.life.is_down() => plain("-".to_owned()),
            Key::Clock => {
                let ahead = node.clock.ahead(board.now);
                warn(signed(ahead), ahead != 0)
            }
            Key::Slot => {
                let replica = board.log.replica(node.id);
                plain(replica.map_or("-".to_owned(), |replica| replica.applied.to_string()))
            }
            Key::Epoch => {
                let epoch = board.ring.keeper(node.id).map(|keeper| keeper.epoch);
                plain(epoch.map_or("-".to_owned(), |epoch| format!("e{epoch}")))
            }
            Key::Suspected => {
                let by = suspected_by(board, node.id).len();
                warn(by.to_string(), by > 0)
            }
            Key::Boot => plain(node.boot.to_string()),
            Key::Since => plain(clock(node.since)),
            Key::Disk => match node.disk_slow.0 {
                0 => plain("ok".to_owned()),
                _ => warn(format!("+{}", node.disk_slow), true),
            },
            Key::Sent => plain(thousands(node.sent)),
            Key::Received => plain(thousands(node.received)),
            Key::Lost => plain(thousands(node.lost)),
        }
    }

    fn one_line(&self, node: &Node) -> String {
        let board = self.scene.board;
        let (_, word, _) = state(self.scene, node);
        let mut text = format!("{} {word}", node.id);
        if has_roles(board) && !node.id.is_client() {
            let (_, word, _) = role_words(self.scene, node);
            text.push_str(&format!(", {word} {}", node.role.ballot()));
        }
        if let Some(replica) = board.log.replica(node.id) {
            text.push_str(&format!(", slot {}", replica.applied));
        }
        text
    }

    /// All that the table says of a node, in words.
    fn sentence(&self, node: &Node) -> String {
        let board = self.scene.board;
        let mut text = self.one_line(node);
        if let Some(group) = board.group(node.id).filter(|_| board.network.is_parted()) {
            text.push_str(&format!(", side {group}"));
        }
        if !node.life.is_down() {
            text.push_str(&format!(", clock {}", signed(node.clock.ahead(board.now))));
        }
        if node.disk_slow.0 > 0 {
            text.push_str(&format!(", disk +{} a sync", node.disk_slow));
        }
        let by = suspected_by(board, node.id);
        if !by.is_empty() {
            text.push_str(&format!(", suspected by {}", by.len()));
        }
        text
    }

    /// A row for each client if there is room, else one row for all.
    fn clients(&self, area: &mut Rect, buf: &mut Buffer) {
        if usize::from(area.height) < self.clients.len() {
            let row = take(area, 1);
            return self.clients_in_a_row(row, buf);
        }
        for client in &self.clients {
            let row = take(area, 1);
            let (glyph, word, role) = state(self.scene, client);
            let look = self.scene.look;
            let selected = client.id == self.scene.select.node;
            let mark = self.mark(client).or_selected(selected);
            let line = Line::from(vec![
                Span::raw(format!("{:<4} ", client.id.to_string())),
                Span::styled(format!("{:<9}", format!("{glyph} {word}")), look.style(role)),
                Span::raw(doing(self.scene.board, client.id)),
            ]);
            put(buf, look, row, marked(look, mark, line));
            self.scene.spot(row, Pick::Node(client.id));
            if selected {
                frame::select(buf, row, self.scene.look);
            }
        }
    }

    fn clients_in_a_row(&self, row: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let at = self.clients.iter().position(|client| client.id == self.scene.select.node);
        let mark = Mark::None.or_selected(at.is_some());
        let (ok, refused, unknown) = self.scene.board.clients.totals();
        let counts = format!(" ok {ok} no {refused} ? {unknown}");
        put(buf, look, row, marked(look, mark, ""));
        let mut rest = right_of(row, 1);
        let width = |client: &Node| client.id.to_string().len() + 2;
        let widest = self.clients.iter().copied().map(width).max().unwrap_or(1);
        let cells = usize::from(row.width).saturating_sub(counts.len()) / widest;
        for client in &self.clients[window(self.clients.len(), at.unwrap_or(0), cells)] {
            let cell = Rect { width: (width(client) as u16 - 1).min(rest.width), ..rest };
            self.map_cell(client, &client.id.to_string(), cell, buf);
            rest = right_of(rest, width(client) as u16);
        }
        put(buf, look, rest, Line::styled(counts, look.style(theme::Role::Muted)));
    }
}

/// Whether the nodes keep a log, so that they have roles.
fn has_roles(board: &Board) -> bool {
    !board.log.is_empty() || board.nodes.servers().any(|node| node.role != Role::None)
}

/// The letter of a process's side.
fn letter(scene: &Scene<'_>, id: NodeId) -> Span<'static> {
    match scene.board.group(id) {
        None => Span::raw("-"),
        Some(group) => {
            let style = scene.look.style(theme::Role::Group(index(group)));
            Span::styled(group.to_string(), style)
        }
    }
}

/// Which group a letter stands for, counted from 0.
pub(super) fn index(letter: char) -> u8 {
    let from = if letter.is_ascii_uppercase() { b'A' } else { b'a' - 26 };
    u8::try_from(letter).map_or(0, |letter| letter.wrapping_sub(from))
}

/// Since when and why a process cannot be seen, if that matters for the moment shown.
fn unseen<'a>(scene: &Scene<'a>, id: NodeId) -> Option<&'a Unseen> {
    scene.links.unseen(id).filter(|_| scene.timeline.is_live())
}

/// Glyph, word and look of a process's state. How one is that cannot be seen, nobody knows.
fn state(scene: &Scene<'_>, node: &Node) -> (&'static str, &'static str, theme::Role) {
    let glyphs = scene.look.glyphs;
    match node.life {
        _ if unseen(scene, node.id).is_some() => (glyphs.pending, "no link", theme::Role::Warn),
        Life::Unknown => (glyphs.pending, life_word(&node.life), theme::Role::Muted),
        Life::Up => (glyphs.up, life_word(&node.life), theme::Role::Ok),
        Life::Paused => (glyphs.paused, life_word(&node.life), theme::Role::Warn),
        Life::Down => (glyphs.down, life_word(&node.life), theme::Role::Down),
        Life::Failed(_) => (glyphs.down, life_word(&node.life), theme::Role::Bad),
    }
}

fn life_word(life: &Life) -> &'static str {
    match life {
        Life::Unknown => "unknown",
        Life::Up => "up",
        Life::Paused => "PAUSED",
        Life::Down => "DOWN",
        Life::Failed(_) => "FAILED",
    }
}

/// Glyph, word and look of a node's role.
fn role_words(scene: &Scene<'_>, node: &Node) -> (&'static str, &'static str, theme::Role) {
    let glyphs = scene.look.glyphs;
    match node.role {
        Role::None => ("-", "no role", theme::Role::Muted),
        Role::Leads(_) if scene.board.is_stale(node.id) => {
            (glyphs.leader, "deposed", theme::Role::Warn)
        }
        Role::Leads(_) => (glyphs.leader, "leader", theme::Role::Leader),
        Role::Follows(_) if scene.board.learns(node.id) => {
            (glyphs.follower, "learner", theme::Role::Follower)
        }
        Role::Seeks(_) if scene.board.learns(node.id) => {
            (glyphs.follower, "learner", theme::Role::Muted)
        }
        Role::Follows(_) => (glyphs.follower, "follower", theme::Role::Follower),
        Role::Seeks(_) => (glyphs.candidate, "seeks", theme::Role::Candidate),
    }
}

fn role(scene: &Scene<'_>, node: &Node) -> Span<'static> {
    let (glyph, word, role) = role_words(scene, node);
    match node.role {
        Role::None => Span::styled("-", scene.look.style(role)),
        _ => Span::styled(format!("{glyph} {word}"), scene.look.style(role)),
    }
}

/// What is most important about a process, as one glyph: that it does not run, or its role.
pub(super) fn sign(scene: &Scene<'_>, node: &Node) -> (&'static str, &'static str, theme::Role) {
    match node.role {
        _ if node.life != Life::Up || unseen(scene, node.id).is_some() => state(scene, node),
        Role::None => state(scene, node),
        _ => role_words(scene, node),
    }
}

/// Who suspects a process in its present boot or an earlier one.
fn suspected_by(board: &Board, id: NodeId) -> Vec<NodeId> {
    let suspects = |node: &&Node| node.id != id && node.suspects.contains_key(&id);
    board.nodes.all().filter(suspects).map(|node| node.id).collect()
}

/// What a caller waits for, or how its last call ended.
fn doing(board: &Board, id: NodeId) -> String {
    let Some(client) = board.clients.get(id) else { return "nothing yet".to_owned() };
    if let Some((_, open)) = client.current() {
        let waited = brief(board.now.since(open.since));
        let retry = if open.retry > 0 { format!(", retry {}", open.retry) } else { String::new() };
        return format!("{waited} at {}: {}{retry}", open.at, open.op);
    }
    match client.last() {
        None => "nothing yet".to_owned(),
        Some(done) => match &done.op {
            Some(op) => format!("{op}: {}", done.outcome),
            None => done.outcome.to_string(),
        },
    }
}
