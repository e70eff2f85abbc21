//! Locks: who holds them by the log, or by the keys of instances, who believes so, and what the
//! guarded resource let through.
//!
//! A lease has two ends: the one that the log counts down, and the one that its holder believes in.
//! Every error with leases lies between the two, so both are shown. That two clients believe in one
//! lock is not the service's fault, since a client may be frozen or slow; what must never happen is
//! that the resource takes a write under an older token than one it has seen.

mod circles;
mod details;
mod keys;
mod nodes;

use super::row::{self, Row};
use super::table::{self, Mark};
use super::{Item, Pane, Scene};
use crate::base::{LockMode, Name, NodeId, Span, Time, Token};
use crate::event::Freed;
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use crate::view::locks::{Change, Lock, Waiter, Write};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span as Run};

/// From this width on, both leases have bars.
const WIDE: usize = 70;
/// From this width on, the last change has a column.
const CHANGE_FROM: usize = 100;
/// From then on, a lease is about to run out.
const SHORT: Span = Span::secs(1);

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locks;

impl Pane for Locks {
    fn about(&self) -> &'static str {
        "One row per lock, held and waited for first. Log is what is left of the lease as the \
         replicated log counts it, own is what its holder believes is left by its own clock. A row \
         that says believes is a client that goes by a grant that is over: it may be frozen or \
         slow, and nobody can tell it in time. That is why the guarded resource asks for the \
         fencing token and rejects one that is smaller than one it has seen. Only a write that \
         gets past that is a violation. Where locks are keys with an expiry, keys stands in the \
         place of log: who has the key on the primary, or on most instances. Without a count of \
         grants its tokens have no order, and a resource has to take every write."
    }

    fn views(&self) -> &'static [&'static str] {
        &["leases"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let all = ordered(scene);
        let picked = picked(scene, &all).map(|(name, _)| name);
        let lines = all.iter().flat_map(|(name, lock)| lines(scene, name, lock));
        let mut before = None;
        let item = |line: Entry<'_>| {
            let first = before.as_ref() != Some(line.name);
            before = Some(line.name.clone());
            Item::new(line.mark, sentence(scene, &line))
                .selected(first && Some(line.name) == picked)
                .picks(Pick::Lock(line.name.clone()))
        };
        lines.map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let locks = || scene.board.locks.all().map(|(_, lock)| lock);
        let held = locks().filter(|lock| !lock.holders.is_empty()).count();
        let all = scene.board.locks.all();
        let waits =
            |(name, lock): (&Name, &Lock)| lock.queue.len() + keys::watching(scene, name).len();
        let waiting: usize = all.map(waits).sum();
        let broken = locks().any(is_broken);
        let overlaps = locks().any(|lock| lock.overlap.is_some());
        let mut summary = Line::default();
        if broken {
            summary.push_span(Run::styled("STALE WRITE", scene.look.style(Role::Violation)));
            summary.push_span("  ");
        } else if overlaps {
            summary.push_span(Run::styled("two believe", scene.look.style(Role::Warn)));
            summary.push_span("  ");
        }
        if !scene.board.locks.is_empty() {
            summary.push_span(format!("{held} held  {waiting} waiting"));
        }
        Title { name: None, summary, trouble: broken || overlaps }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let all = ordered(scene);
        let Some((name, lock)) = picked(scene, &all) else {
            row::put(area, buf, &[Row::muted(scene.look, "nobody has asked for a lock yet")]);
            return;
        };
        let grid = Grid::of(&all, area.width.into());
        let height = usize::from(area.height);
        let head = usize::from(height > 1);
        let mut rest = area;
        if head > 0 {
            rest = row::put(rest, buf, &[grid.head(scene)]);
        }
        let notes = notes(scene, &all, name, lock, area);
        let most = match scene.zoomed {
            true => height / 2,
            false => height.saturating_sub(head + notes.len()),
        };
        let rows = grid.rows(scene, &all, name, most);
        let (place, rest) = row::split(rest, rows.len().min(most.max(1)));
        row::choices(scene, place, buf, &rows);
        let rest = row::put(rest, buf, &notes);
        match scene.zoomed {
            true => details::draw(scene, row::below(rest, 1), buf, name, lock),
            false => _ = row::put(rest, buf, &details::writes(scene, name, lock, rest)),
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let all = ordered(scene);
        let names: Vec<Name> = all.iter().map(|(name, _)| (*name).clone()).collect();
        let at = picked(scene, &all).map(|(name, _)| name);
        select.lock = to.along(at, &names);
        select
    }

    fn moment(&self, scene: &Scene<'_>) -> Option<usize> {
        let all = ordered(scene);
        let (at, _) = picked(scene, &all)?.1.changed?;
        scene.timeline.events().upto(at).checked_sub(1)
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        let all = ordered(scene);
        picked(scene, &all).map_or(Target::Nothing, |(name, _)| Target::Lock(name.clone()))
    }
}

/// A lock with its name.
type Named<'a> = (&'a Name, &'a Lock);

/// By name, but what is held, waited for or believed in before all others.
fn ordered<'a>(scene: &Scene<'a>) -> Vec<Named<'a>> {
    let mut all: Vec<Named<'a>> = scene.board.locks.all().collect();
    all.sort_by_key(|(_, lock)| lock.is_idle() && !is_broken(lock));
    all
}

/// The selected lock; the first if none is, or if it is forgotten.
fn picked<'a>(scene: &Scene<'_>, all: &[Named<'a>]) -> Option<Named<'a>> {
    let is = |(name, _): &&Named<'a>| scene.select.lock.as_ref() == Some(*name);
    all.iter().find(is).or(all.first()).copied()
}

/// The last writes, oldest first, each with the largest token that the resource had seen before:
/// by its own words, or by what it was seen to take.
fn judged(lock: &Lock) -> Vec<(&Write, Token)> {
    let mut seen = 0;
    let judge = |write| {
        let Write { token, highest, accepted, fenced, .. }: &Write = write;
        let before = if *fenced { seen.max(*highest) } else { 0 };
        seen = seen.max(before).max(if *accepted && *fenced { *token } else { 0 });
        (write, before)
    };
    lock.writes().map(judge).collect()
}

/// A write that the resource took although it had seen a larger token, and that token.
fn stale(lock: &Lock) -> Option<(&Write, Token)> {
    judged(lock).into_iter().find(|(write, before)| write.accepted && write.token < *before)
}

fn is_broken(lock: &Lock) -> bool {
    stale(lock).is_some()
}

/// The clients that believe in a grant of which the log says that it is over.
fn late(lock: &Lock) -> impl Iterator<Item = (NodeId, Token, Time)> {
    let holds = |client, token| {
        lock.holders.iter().any(|holder| (holder.call.client, holder.token) == (client, token))
    };
    lock.beliefs
        .iter()
        .map(|(client, belief)| (*client, belief.token, belief.until))
        .filter(move |(client, token, _)| !holds(*client, *token))
}

/// What is to be said about the locks as a whole and the selected one.
fn notes<'a>(
    scene: &Scene<'a>,
    all: &[Named<'_>],
    name: &Name,
    lock: &Lock,
    area: Rect,
) -> Vec<Row<'a>> {
    let look = scene.look;
    let (height, wide) = (usize::from(area.height), usize::from(area.width) >= WIDE);
    let mut rows = Vec::new();
    for (name, lock) in all {
        if let Some((write, before)) = stale(lock) {
            let text = format!("VIOLATION: {name} took token {} after {before}", write.token);
            rows.push(Row::new(look, Mark::Trouble).text(Role::Violation, text));
        }
    }
    for (name, lock) in all {
        if let Some(since) = lock.overlap {
            let ago = table::brief(scene.board.now.since(since));
            let count = lock.beliefs.len();
            let unfenced = lock.writes().any(|write| !write.fenced);
            let text = match (wide, unfenced) {
                (true, false) => format!(
                    "{name}: {count} believe for {ago}; its resource must reject the smaller token"
                ),
                (true, true) => {
                    format!(
                        "{name}: {count} believe for {ago}; its resource cannot tell who is late"
                    )
                }
                (false, false) => format!("{name}: {count} believe, the token decides"),
                (false, true) => format!("{name}: {count} believe, nothing decides"),
            };
            rows.push(Row::new(look, Mark::Doubt).text(Role::Warn, text));
        }
    }
    rows.extend(primaries(scene));
    rows.extend(circles::rows(scene));
    rows.extend(shared(scene, name, lock));
    if !lock.queue.is_empty() {
        rows.push(Row::plain(look).text(Role::Text, format!("{name} next: {}", queue(lock))));
    }
    rows.truncate(height.saturating_sub(3).min(4));
    // Where locks hang on sessions, these say more than who is next.
    let below = nodes::rows(scene, name);
    if below.len() > 1 && !lock.queue.is_empty() {
        rows.pop();
    }
    rows.extend(below);
    rows.truncate(height.saturating_sub(3).min(6));
    rows
}

/// How a lock is shared now, if it is.
fn shared<'a>(scene: &Scene<'a>, name: &Name, lock: &Lock) -> Option<Row<'a>> {
    let held = lock.holders.len();
    let text = match lock.mode() {
        LockMode::Alone if !lock.queue.iter().any(|waiter| waiter.mode == LockMode::Read) => {
            return None;
        }
        LockMode::Alone => format!("{name}: written by {held}, others waiting to read"),
        LockMode::Read => {
            let writers = lock.queue.iter().filter(|waiter| waiter.mode == LockMode::Alone).count();
            format!("{name}: read by {held}, {writers} waiting to write")
        }
        LockMode::OneOf(limit) => format!("{name}: {held} of {limit} permits are given out"),
    };
    Some(Row::plain(scene.look).text(Role::Text, text))
}

/// Who is primary, once a replica has taken over, and who has not heard of it.
fn primaries<'a>(scene: &Scene<'a>) -> Option<Row<'a>> {
    let sides = scene.board.locks.sides();
    let (epoch, primary, _) = sides.first()?;
    let behind = sides[1..].iter().flat_map(|(epoch, other, nodes)| {
        nodes.iter().map(move |node| format!("{node} goes by {other} (e{epoch})"))
    });
    let behind: Vec<String> = behind.collect();
    let (mark, role) = match behind.is_empty() {
        true => (Mark::None, Role::Text),
        false => (Mark::Doubt, Role::Warn),
    };
    let all = [format!("primary {primary} (e{epoch})")].into_iter().chain(behind);
    let text = all.collect::<Vec<_>>().join("; ");
    Some(Row::new(scene.look, mark).text(role, text))
}

/// Who waits, in order; `r` is to read.
fn queue(lock: &Lock) -> String {
    let waits = |waiter: &Waiter| match waiter.mode {
        LockMode::Read => format!("{}r", waiter.call.client),
        _ => waiter.call.client.to_string(),
    };
    lock.queue.iter().map(waits).collect::<Vec<_>>().join(" > ")
}

/// How much time is left until `until`, in a few characters, and how it looks.
fn left(now: Time, until: Time) -> (String, Role) {
    if until <= now {
        return ("over".to_owned(), Role::Bad);
    }
    if until == Time::NEVER {
        return ("never".to_owned(), Role::Warn);
    }
    match until.since(now) {
        short if short < SHORT => (format!("{}!", table::brief(short)), Role::Warn),
        long => (table::brief(long), Role::Ok),
    }
}

/// The state of a client that holds a lock beside others who read; without a column for that, it
/// has an `r`.
const READ: &str = "READ";

/// The state of a client that goes by a grant that is over.
const LATE: &str = "believes";

/// One line of the table.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a Name,
    lock: &'a Lock,
    state: &'static str,
    role: Role,
    client: Option<NodeId>,
    token: Token,
    /// When the lease ends by the log; long ago, if the log has given the lock to others.
    log: Option<Time>,
    /// When it ends by its holder's belief.
    own: Option<Time>,
    mark: Mark,
    /// Whether it is the first of its lock's.
    leads: bool,
}

/// Which columns there are.
struct Grid {
    wide: bool,
    name: usize,
    bar: usize,
    queue: usize,
    change: usize,
}

impl Grid {
    fn of(all: &[Named<'_>], width: usize) -> Grid {
        let wide = width >= WIDE;
        let longest = all.iter().map(|(name, _)| name.as_str().len()).max().unwrap_or(4);
        let name = longest.clamp(4, if wide { 14 } else { 8 });
        let queue = if wide { 12 } else { 0 };
        let change = if width >= CHANGE_FROM { 16 } else { 0 };
        let column = |width: usize| if width == 0 { 0 } else { width + 1 };
        let fixed = 1 + column(name) + column(6) + column(5) + column(change);
        let room = width.saturating_sub(fixed);
        let bar = match wide {
            true => (room.saturating_sub(column(8) + column(queue) + 2 * 7) / 2).min(20),
            false => room.saturating_sub(12).min(12),
        };
        let bar = if bar < 3 { 0 } else { bar };
        Grid { wide, name, bar, queue, change }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let muted = Role::Muted;
        let row = Row::plain(scene.look)
            .left(self.name, muted, "lock")
            .left(if self.wide { 8 } else { 0 }, muted, "state")
            .left(6, muted, "holder")
            .right(5, muted, "token");
        if !self.wide {
            return row
                .left(self.bar, muted, "lease")
                .right(5, muted, if scene.board.locks.are_keys() { "keys" } else { "log" })
                .right(5, muted, "own");
        }
        row.left(self.bar + 6, muted, "own belief")
            .left(self.bar + 6, muted, by_whom(scene))
            .left(self.queue, muted, "queue")
            .left(self.change, muted, "last change")
    }

    /// All locks; those that are free share a row if there is no room for all.
    fn rows<'a>(
        &self,
        scene: &Scene<'a>,
        all: &[Named<'_>],
        picked: &Name,
        most: usize,
    ) -> Vec<Row<'a>> {
        let lines: Vec<Entry<'_>> =
            all.iter().flat_map(|(name, lock)| lines(scene, name, lock)).collect();
        let free = |line: &Entry<'_>| line.state == "free" && line.name != picked;
        let many = lines.len() > most && lines.iter().filter(|line| free(line)).count() > 1;
        let shown = lines.iter().filter(|line| !(many && free(line)));
        let mut rows: Vec<Row<'a>> = Vec::new();
        let mut before = None;
        for line in shown {
            // Only the first row of a lock is the selected one, or the marks of others were lost.
            let first = before.replace(line.name) != Some(line.name);
            rows.push(self.row(scene, line, first && line.name == picked));
        }
        if many {
            let names: Vec<&str> =
                lines.iter().filter(|line| free(line)).map(|line| line.name.as_str()).collect();
            let text = format!("{} free: {}", names.len(), names.join(" "));
            rows.push(Row::muted(scene.look, text));
        }
        rows
    }

    fn row<'a>(&self, scene: &Scene<'a>, line: &Entry<'_>, picked: bool) -> Row<'a> {
        let reads = if !self.wide && line.state == READ { "r" } else { "" };
        let client = line.client.map_or_else(|| line.state.to_owned(), |id| format!("{id}{reads}"));
        let waiting = if line.leads { line.lock.queue.len() } else { 0 };
        let holder = match (self.wide, line.client, waiting) {
            (true, None, _) => "-".to_owned(),
            (true, ..) | (false, _, 0) => client,
            (false, ..) => format!("{client}+{waiting}"),
        };
        let row = Row::new(scene.look, line.mark)
            .left(self.name, Role::Text, line.name.as_str())
            .left(if self.wide { 8 } else { 0 }, line.role, line.state)
            .left(6, line.role, holder)
            .right(5, Role::Text, token_text(line.token));
        let row = match self.wide {
            true => self.both_leases(scene, row, line),
            false => self.leases(scene, row, line),
        };
        row.selected(picked).picks(Pick::Lock(line.name.clone()))
    }

    /// Narrow: one bar, by the log if it has a say, and both numbers.
    fn leases<'a>(&self, scene: &Scene<'a>, row: Row<'a>, line: &Entry<'_>) -> Row<'a> {
        let now = scene.board.now;
        let end = if line.state == LATE { line.own } else { line.log };
        let role = end.map_or(Role::Muted, |at| left(now, at).1);
        let mut row = row.left(self.bar, role, self.bar(scene, line, end));
        for at in [line.log, line.own] {
            let (text, role) = match at {
                Some(at) => left(now, at),
                None => ("-".to_owned(), Role::Muted),
            };
            row = row.right(5, role, text);
        }
        row
    }

    /// Wide: a bar and a number for each.
    fn both_leases<'a>(&self, scene: &Scene<'a>, mut row: Row<'a>, line: &Entry<'_>) -> Row<'a> {
        for at in [line.own, line.log] {
            let (text, role) = match at {
                Some(at) => left(scene.board.now, at),
                None => ("-".to_owned(), Role::Muted),
            };
            row = row.left(self.bar, role, self.bar(scene, line, at)).right(5, role, text);
        }
        if line.state == LATE || !line.leads {
            return row;
        }
        let queue = if line.lock.queue.is_empty() { "-".to_owned() } else { queue(line.lock) };
        row.left(self.queue, Role::Text, queue).left(self.change, Role::Muted, change(line.lock))
    }

    fn bar(&self, scene: &Scene<'_>, line: &Entry<'_>, until: Option<Time>) -> String {
        let Some(until) = until else { return String::new() };
        let belief = line.client.and_then(|client| line.lock.beliefs.get(&client));
        let believed = belief.map(|belief| belief.until.since(belief.since));
        let held = line.client.and_then(|client| line.lock.held_by(client));
        let granted = held.map(|holder| holder.ttl);
        let whole = if line.state == LATE { believed } else { granted.or(believed) };
        let left = until.since(scene.board.now);
        let bar = u16::try_from(self.bar).unwrap_or(u16::MAX);
        scene.look.glyphs.bar(bar, left.0, whole.unwrap_or(left).0)
    }
}

/// The rows of one lock: its holders by the log, and everybody else who believes in it.
fn lines<'a>(scene: &Scene<'_>, name: &'a Name, lock: &'a Lock) -> Vec<Entry<'a>> {
    let overlap = lock.overlap.is_some() || is_broken(lock);
    let mark = if overlap { Mark::Trouble } else { Mark::None };
    let blank = Entry {
        name,
        lock,
        state: "free",
        role: Role::Muted,
        client: None,
        token: lock.token,
        log: None,
        own: None,
        mark,
        leads: true,
    };
    let mut lines: Vec<Entry<'_>> = Vec::new();
    for holder in &lock.holders {
        let client = holder.call.client;
        let belief = lock.beliefs.get(&client).filter(|belief| belief.token == holder.token);
        let down = scene.board.node(client).is_some_and(|node| !node.life.is_up());
        let (state, role) = match (down, holder.mode) {
            (true, _) => ("HELD ?", Role::Warn),
            (false, LockMode::Read) => (READ, Role::Ok),
            (false, LockMode::OneOf(_)) => ("PERMIT", Role::Ok),
            (false, LockMode::Alone) => ("HELD", Role::Ok),
        };
        let mark = if down { mark.max(Mark::Doubt) } else { mark };
        let (client, log) = (Some(client), Some(holder.deadline()));
        let own = belief.map(|belief| belief.until);
        let (token, leads) = (holder.token, lines.is_empty());
        lines.push(Entry { state, role, client, token, log, own, mark, leads, ..blank });
    }
    for (client, token, until) in late(lock) {
        let mark = mark.max(Mark::Doubt);
        let (state, role) = (LATE, Role::Warn);
        let (client, own) = (Some(client), Some(until));
        let entry = Entry { state, role, client, token, own, mark, ..blank };
        lines.push(Entry { log: Some(Time::ZERO), ..entry });
    }
    if lines.is_empty() {
        let waited = !lock.queue.is_empty();
        let (state, role) = if waited { ("waiting", Role::Warn) } else { ("free", Role::Muted) };
        lines.push(Entry { state, role, ..blank });
    }
    lines
}

/// A line of the table, in words.
fn sentence(scene: &Scene<'_>, line: &Entry<'_>) -> String {
    let mut text = format!("{} {}", line.name, line.state);
    if let Some(client) = line.client {
        text.push_str(&format!(" {client}"));
    }
    text.push_str(&format!(", token {}", token_text(line.token)));
    for (what, until) in [(by_whom(scene), line.log), ("own belief", line.own)] {
        if let Some(until) = until {
            text.push_str(&format!(", {what} {}", left(scene.board.now, until).0));
        }
    }
    if line.leads && !line.lock.queue.is_empty() {
        text.push_str(&format!(", queue {}", queue(line.lock)));
    }
    text
}

/// Whose count of the lease is shown beside that of its holder.
fn by_whom(scene: &Scene<'_>) -> &'static str {
    match scene.board.locks.are_keys() {
        true => "lease by the keys",
        false => "lease by the log",
    }
}

/// A token in five cells: of one that was drawn by chance, the end.
fn token_text(token: Token) -> String {
    match token {
        0 => "-".to_owned(),
        1..=99_999 => token.to_string(),
        _ => format!("~{:04}", token % 10_000),
    }
}

/// What changed last, and when.
fn change(lock: &Lock) -> String {
    let Some((at, change)) = lock.changed else { return String::new() };
    let word = match change {
        Change::Granted => "grant",
        Change::Renewed => "renew",
        Change::Queued => "queue",
        Change::Freed(why) => freed(why),
    };
    format!("{} {word}", table::clock(at))
}

fn freed(why: Freed) -> &'static str {
    match why {
        Freed::Released => "release",
        Freed::Expired => "expire",
        Freed::Lost => "lost",
        Freed::Ended => "end",
    }
}

#[cfg(test)]
mod tests;
