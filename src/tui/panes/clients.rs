//! Clients: what each is doing, how its calls ended, what it believes.
//!
//! A client knows less than the board. What it *believes* stands beside what the locks pane says:
//! a client that was frozen believes in a lease that ran out long ago.

use super::row::{self, Row, split};
use super::table::{Mark, brief, clock, thousands};
use super::{Item, Pane, Scene};
use crate::base::{Name, NodeId, Outcome, Span, Time};
use crate::tui::frame::Title;
use crate::tui::select::{Move, Pick, Select, Target};
use crate::tui::theme::Role;
use crate::view::clients::{Client, Done, Verdict};
use crate::view::locks::Belief;
use crate::view::metrics::Histogram;
use crate::view::nodes::Life;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A call that takes longer is called for attention to.
const LONG: Span = Span::secs(1);

/// The pane.
#[derive(Debug)]
pub(super) struct Clients;

impl Pane for Clients {
    fn about(&self) -> &'static str {
        "Who asks for what. A row says what the client waits for now and for how long, how many of \
         its calls took effect, were refused, and have an outcome that nobody knows (they timed out: \
         they may have taken effect, or may yet), how long its last calls took, and which locks it \
         believes to hold until when. Below are the calls of the selected one, newest first. A \
         question mark is a call that has waited for more than a second."
    }

    fn views(&self) -> &'static [&'static str] {
        &["table"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let item = |id: NodeId| {
            let caller = Caller::of(scene, id);
            let (now, _) = caller.doing();
            let calls = caller.client.map_or((0, 0, 0), |c| (c.ok, c.refused, c.unknown));
            let beliefs = match caller.beliefs(scene) {
                none if none.is_empty() => String::new(),
                some => format!("; believes {some}"),
            };
            let text = format!(
                "{id} {now}; {} ok, {} refused, {} unknown{beliefs}",
                calls.0, calls.1, calls.2
            );
            Item::new(caller.mark(), text).selected(id == scene.select.node).picks(Pick::Node(id))
        };
        callers(scene).into_iter().map(item).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let (ok, refused, unknown) = scene.board.clients.totals();
        let waits = callers(scene).into_iter().filter(|id| Caller::of(scene, *id).is_late());
        let waits = waits.count();
        let mut summary = format!("{} ok, {refused} refused, {unknown} unknown", thousands(ok));
        if waits > 0 {
            summary = format!("{waits} wait for long  {summary}");
        }
        Title { summary: summary.into(), ..Title::default() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let look = scene.look;
        let ids = callers(scene);
        if ids.is_empty() {
            row::put(area, buf, &[Row::muted(look, "nobody has asked for anything yet")]);
            return;
        }
        let columns = Columns::of(area.width);
        let mut rows = vec![columns.head(scene)];
        rows.extend(ids.iter().map(|id| columns.row(scene, &Caller::of(scene, *id))));
        let (most, height) = (rows.len() + 1, usize::from(area.height));
        let table = if height > most + 2 { most } else { height };
        let (above, below) = split(area, table);
        row::put(above, buf, &rows[..1]);
        row::choices(scene, row::below(above, 1), buf, &rows[1..]);
        let chosen = ids.iter().find(|id| **id == scene.select.node).or(ids.first());
        if let Some(id) = chosen {
            row::put(below, buf, &calls(&Caller::of(scene, *id), scene));
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let node = to.along(Some(&scene.select.node), &callers(scene));
        Select { node: node.unwrap_or(scene.select.node), ..scene.select.clone() }
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        match callers(scene).contains(&scene.select.node) {
            true => Target::Node(scene.select.node),
            false => Target::Nothing,
        }
    }
}

/// All clients, and the nodes at whose door a person asked.
fn callers(scene: &Scene<'_>) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = scene.board.nodes.clients().map(|node| node.id).collect();
    ids.extend(scene.board.clients.all().map(|(id, _)| id));
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// One of them.
struct Caller<'a> {
    id: NodeId,
    client: Option<&'a Client>,
    life: Option<&'a Life>,
    now: Time,
}

impl<'a> Caller<'a> {
    fn of(scene: &Scene<'a>, id: NodeId) -> Caller<'a> {
        let client = scene.board.clients.get(id);
        let life = scene.board.node(id).map(|node| &node.life);
        Caller { id, client, life, now: scene.board.now }
    }

    /// Since when it waits for what it has waited for the longest.
    fn waits(&self) -> Option<Span> {
        let (_, open) = self.client?.current()?;
        Some(self.now.since(open.since))
    }

    fn is_late(&self) -> bool {
        self.waits().is_some_and(|waits| waits > LONG)
    }

    fn mark(&self) -> Mark {
        if self.is_late() { Mark::Doubt } else { Mark::None }
    }

    /// What it does now, and how that looks.
    fn doing(&self) -> (String, Role) {
        match (self.life, self.client.and_then(Client::current)) {
            (Some(life), _) if life.is_down() => ("is down".to_owned(), Role::Bad),
            (Some(Life::Paused), _) => ("is frozen".to_owned(), Role::Warn),
            (_, Some((_, open))) => {
                let retry = match open.retry {
                    0 => String::new(),
                    more => format!(", try {}", more + 1),
                };
                let waits = brief(self.now.since(open.since));
                let role = if self.is_late() { Role::Warn } else { Role::Text };
                (format!("{} at {}, {waits}{retry}", open.op, open.at), role)
            }
            (_, None) => ("waits for nothing".to_owned(), Role::Muted),
        }
    }

    /// How long its last calls took that took effect.
    fn took(&self) -> Histogram {
        let mut took = Histogram::default();
        let done = self.client.into_iter().flat_map(Client::done);
        let ok = done.filter(|done| Verdict::of(&done.outcome) == Verdict::Ok);
        ok.filter_map(|done| done.took).for_each(|span| took.add(span));
        took
    }

    /// The locks that it believes to hold.
    fn beliefs(&self, scene: &Scene<'_>) -> String {
        let beliefs = beliefs(scene, self.id).into_iter();
        let text = |(lock, belief): (&Name, &Belief)| {
            let left = match belief.until.since(self.now) {
                Span::ZERO => "ran out".to_owned(),
                left => format!("for {}", brief(left)),
            };
            format!("{lock} t{} {left}", belief.token)
        };
        beliefs.map(text).collect::<Vec<_>>().join(", ")
    }
}

/// The locks that a client believes to hold.
pub(super) fn beliefs<'a>(scene: &Scene<'a>, id: NodeId) -> Vec<(&'a Name, &'a Belief)> {
    let of = |(name, lock): (&'a Name, &'a crate::view::locks::Lock)| {
        Some((name, lock.beliefs.get(&id)?))
    };
    scene.board.locks.all().filter_map(of).collect()
}

/// How wide columns are; those without width are not there.
struct Columns {
    doing: usize,
    counts: bool,
    took: bool,
    beliefs: usize,
}

impl Columns {
    fn of(width: u16) -> Columns {
        match width {
            ..50 => Columns {
                doing: usize::from(width).saturating_sub(18),
                counts: false,
                took: false,
                beliefs: 0,
            },
            50..90 => Columns {
                doing: 34,
                counts: true,
                took: false,
                beliefs: usize::from(width).saturating_sub(62),
            },
            _ => Columns {
                doing: 36,
                counts: true,
                took: true,
                beliefs: usize::from(width).saturating_sub(79),
            },
        }
    }

    fn head<'a>(&self, scene: &Scene<'a>) -> Row<'a> {
        let row = Row::plain(scene.look).left(5, Role::Muted, "who");
        let row = row.left(self.doing, Role::Muted, "does now").right(5, Role::Muted, "ok");
        let row = match self.counts {
            true => row.right(5, Role::Muted, "ref'd").right(5, Role::Muted, "unkn"),
            false => row.right(4, Role::Muted, "?"),
        };
        let row = match self.took {
            true => row.right(7, Role::Muted, "p50").right(7, Role::Muted, "p99"),
            false => row,
        };
        row.left(self.beliefs, Role::Muted, "believes to hold")
    }

    fn row<'a>(&self, scene: &Scene<'a>, caller: &Caller<'_>) -> Row<'a> {
        let (doing, role) = caller.doing();
        let (ok, refused, unknown) =
            caller.client.map_or((0, 0, 0), |client| (client.ok, client.refused, client.unknown));
        let doubt = if unknown > 0 { Role::Warn } else { Role::Text };
        let row = Row::new(scene.look, caller.mark()).left(5, Role::Text, caller.id.to_string());
        let row = row.left(self.doing, role, doing).right(5, Role::Text, ok.to_string());
        let row = match self.counts {
            true => {
                row.right(5, Role::Text, refused.to_string()).right(5, doubt, unknown.to_string())
            }
            false => row.right(4, doubt, unknown.to_string()),
        };
        let took = caller.took();
        let of = |of_1000| took.quantile(of_1000).map_or("-".to_owned(), super::charts::short);
        let row = match self.took {
            true => row.right(7, Role::Text, of(500)).right(7, Role::Text, of(990)),
            false => row,
        };
        let row = row.left(self.beliefs, Role::Text, caller.beliefs(scene));
        row.selected(caller.id == scene.select.node).picks(Pick::Node(caller.id))
    }
}

/// The calls of one: those that are not over, then the last ones, newest first.
fn calls<'a>(caller: &Caller<'_>, scene: &Scene<'a>) -> Vec<Row<'a>> {
    let look = scene.look;
    let mut rows = vec![Row::heading(look, format!("calls of {}", caller.id))];
    let Some(client) = caller.client else {
        rows.push(Row::muted(look, "it has not asked for anything yet"));
        return rows;
    };
    for (call, open) in client.open() {
        let waits = brief(caller.now.since(open.since));
        let row = Row::new(look, Mark::Doubt).left(10, Role::Text, clock(open.since));
        let row = row.left(8, Role::Muted, call.to_string());
        let text =
            format!("{} at {}: no answer for {waits}, try {}", open.op, open.at, open.retry + 1);
        rows.push(row.text(Role::Text, text));
    }
    rows.extend(client.done().rev().map(|done| over(scene, done)));
    rows
}

fn over<'a>(scene: &Scene<'a>, done: &Done) -> Row<'a> {
    let role = match Verdict::of(&done.outcome) {
        Verdict::Ok => Role::Ok,
        Verdict::Refused => Role::Bad,
        Verdict::Unknown => Role::Warn,
    };
    let op = done.op.as_ref().map_or("what it asked was not seen".to_owned(), |op| op.to_string());
    let row = Row::plain(scene.look).left(10, Role::Text, clock(done.at));
    let row = row.left(8, Role::Muted, done.call.to_string()).left(28, Role::Text, op);
    let took = done.took.map_or("-".to_owned(), super::charts::short);
    let outcome = match done.outcome {
        Outcome::Unknown => "unknown: timed out".to_owned(),
        ref outcome => outcome.to_string(),
    };
    row.right(7, Role::Text, took).text(role, outcome)
}
