//! Zoomed: all there is to say about the selected process, and who suspects whom.

use super::super::Scene;
use super::super::table::{Mark, brief, clock, folded, marked, signed, thousands};
use super::{letter, life_word, role_words, state, suspected_by, unseen};
use crate::base::{NodeId, ServiceId};
use crate::tui::frame;
use crate::tui::source::Unseen;
use crate::tui::theme::Role;
use crate::view::Board;
use crate::view::nodes::{Node, Role as Part, Timer};
use ratatui::text::{Line, Span};
use std::borrow::Cow;

/// Above this many nodes, suspicions are listed and not drawn.
const MATRIX: usize = 16;

/// All there is to say about what is selected.
pub(super) fn detail(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(node) = scene.board.node(scene.select.node) else { return Vec::new() };
    let look = scene.look;
    let (_, word, _) = state(scene, node);
    let since = unseen(scene, node.id).map_or(node.since, |unseen| unseen.since);
    let head = format!("{} {word} since {}", node.id, clock(since));
    let mut lines =
        vec![marked(look, Mark::Selected, Line::styled(head, look.style(Role::Accent)))];
    let mut tell = |mark: Mark, text: String| {
        for (at, part) in frame::wrap(&text, width.saturating_sub(2)).into_iter().enumerate() {
            let mark = if at == 0 { mark } else { Mark::None };
            let indent = if at == 0 { " " } else { "   " };
            lines.push(marked(look, mark, format!("{indent}{part}")));
        }
    };
    if let Some(Unseen { why, .. }) = unseen(scene, node.id) {
        tell(Mark::Doubt, why.clone());
        let (word, since) = (life_word(&node.life), clock(node.since));
        tell(Mark::None, format!("when it was last seen: {word} since {since}"));
    }
    for fault in scene.board.faults.active().iter().filter(|fault| fault.hits(node.id)) {
        tell(Mark::Fault, format!("{} {}", clock(fault.since), folded(&fault.text)));
    }
    for text in facts(scene, node) {
        tell(Mark::None, text);
    }
    lines.splice(1..1, timers(scene, node, width));
    lines
}

/// The timers that make it act on its own, running down.
fn timers(scene: &Scene<'_>, node: &Node, width: usize) -> Vec<Line<'static>> {
    let (look, now) = (scene.look, scene.board.now);
    let line = |((service, name), timer): (&(ServiceId, Cow<'static, str>), &Timer)| {
        let name = format!(" {:<14}", format!("{service} {name}"));
        let (left, whole) = (timer.until.since(now), timer.until.since(timer.set));
        let text = format!(" {} of {}", brief(left), brief(whole));
        let room = width.saturating_sub(name.len() + text.len()).min(20) as u16;
        let bar = Span::styled(look.glyphs.bar(room, left.0, whole.0), look.style(Role::Candidate));
        marked(look, Mark::None, Line::from(vec![Span::raw(name), bar, Span::raw(text)]))
    };
    node.timers.iter().filter(|_| node.life.is_up()).map(line).collect()
}

/// What a node said about itself and others about it, a line each.
fn facts(scene: &Scene<'_>, node: &Node) -> Vec<String> {
    let board = scene.board;
    let services: Vec<String> = node.services().map(|service| service.to_string()).collect();
    let mut lines = Vec::new();
    if !services.is_empty() {
        lines.push(format!("seen to run {}", services.join(", ")));
    }
    lines.push(format!("boot {} from {} records{}", node.boot, thousands(node.records), {
        let torn = if node.torn { ", a torn one cut off" } else { "" };
        let lost = match node.unsynced_lost {
            0 => String::new(),
            lost => format!("; {} unsynced ones lost in its last crash", thousands(lost)),
        };
        format!("{torn}{lost}")
    }));
    if node.role != Part::None {
        let (_, word, _) = role_words(scene, node);
        let since = clock(node.role_since);
        lines.push(format!("{word} of ballot {} since {since}", node.role.ballot()));
    }
    if let Some(log) = board.log.replica(node.id) {
        let promised = log.promised;
        lines.push(format!(
            "log: voted up to {}, chosen up to {}, applied {}, snapshot {}, promised {promised}",
            log.accepted_upto, log.chosen_upto, log.applied, log.snapshot,
        ));
    }
    if let Some(keeper) = board.ring.keeper(node.id) {
        let serves = keeper.serves.map_or("nothing".to_owned(), |epoch| format!("e{epoch}"));
        lines.push(format!(
            "ring: goes by e{}, answers for {serves}, holds {} keys, owns {}",
            keeper.epoch,
            thousands(keeper.keys.into()),
            thousands(keeper.owned.into()),
        ));
    }
    let ahead = signed(node.clock.ahead(board.now));
    let disk = node.disk_slow;
    lines.push(format!("clock {ahead}, drift {} ppm; disk +{disk} a sync", node.clock.drift));
    let names = |ids: Vec<NodeId>| ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ");
    let suspects = names(node.suspects.keys().copied().collect());
    let by = names(suspected_by(board, node.id));
    let or_none = |text: String| if text.is_empty() { "nobody".to_owned() } else { text };
    lines.push(format!("suspects {}, suspected by {}", or_none(suspects), or_none(by)));
    let (sent, received, lost) = (thousands(node.sent), thousands(node.received), node.lost);
    lines.push(format!("messages: {sent} sent, {received} received, {} lost", thousands(lost)));
    calls(board, node.id, &mut lines);
    lines
}

/// The calls of a caller: counts, what is open, and the last ones that are over.
fn calls(board: &Board, id: NodeId, lines: &mut Vec<String>) {
    let Some(client) = board.clients.get(id) else { return };
    let (ok, refused, unknown) = (client.ok, client.refused, client.unknown);
    lines.push(format!("calls: {ok} ok, {refused} refused, {unknown} unknown"));
    for (call, open) in client.open() {
        let waited = brief(board.now.since(open.since));
        lines.push(format!(
            "{call} waits {waited} at {}: {}, retry {}",
            open.at, open.op, open.retry
        ));
    }
    for done in client.done().rev() {
        let op = done.op.as_ref().map(|op| format!("{op}: ")).unwrap_or_default();
        let took = done.took.map(|took| format!(" after {}", brief(took))).unwrap_or_default();
        lines.push(format!("{} {op}{}{took}", done.call, done.outcome));
    }
}

/// Who suspects whom, as a matrix; as a list where there are too many nodes for that.
pub(super) fn suspicions(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let look = scene.look;
    let nodes: Vec<&Node> = scene.board.nodes.servers().collect();
    let heading = Span::styled("who suspects whom", look.style(Role::Accent));
    let mut lines = vec![marked(look, Mark::None, heading)];
    let cell = nodes.iter().map(|node| node.id.to_string().len()).max().unwrap_or(0) + 1;
    if nodes.len() > MATRIX || (nodes.len() + 1) * cell + 2 > width {
        lines.extend(listed(scene, &nodes, width));
        return lines;
    }
    let pad = |text: &str| format!("{text:>cell$}");
    let heads: String = nodes.iter().map(|node| pad(&node.id.to_string())).collect();
    let head = format!("{}{heads}", " ".repeat(cell + 1));
    lines.push(marked(look, Mark::None, Span::styled(head, look.style(Role::Muted))));
    for node in &nodes {
        let mut line = Line::from(vec![
            Span::raw(format!(" {:<cell$}", node.id.to_string())),
            if scene.board.network.is_parted() { letter(scene, node.id) } else { Span::raw(" ") },
        ]);
        for other in &nodes {
            let (text, role) = opinion(scene, node, other.id);
            line.push_span(Span::styled(pad(text), look.style(role)));
        }
        let picked = node.id == scene.select.node;
        lines.push(marked(look, if picked { Mark::Selected } else { Mark::None }, line));
    }
    for legend in [" ? suspects   . trusts".to_owned(), format!(" {} is down", look.glyphs.down)] {
        lines.push(marked(look, Mark::None, Span::styled(legend, look.style(Role::Muted))));
    }
    lines
}

/// What one node thinks of another.
fn opinion(scene: &Scene<'_>, node: &Node, of: NodeId) -> (&'static str, Role) {
    match () {
        () if node.id == of => ("-", Role::Muted),
        () if !node.life.is_up() => (scene.look.glyphs.down, Role::Down),
        () if node.suspects.contains_key(&of) => ("?", Role::Warn),
        () => (".", Role::Muted),
    }
}

/// Each suspected node, by how many and by whom.
fn listed(scene: &Scene<'_>, nodes: &[&Node], width: usize) -> Vec<Line<'static>> {
    let look = scene.look;
    let all = nodes.iter().map(|node| (node.id, suspected_by(scene.board, node.id)));
    let mut lines = Vec::new();
    for (id, by) in all.filter(|(_, by)| !by.is_empty()) {
        let names = by.iter().map(NodeId::to_string).collect::<Vec<_>>().join(",");
        let text = format!(" {id} is suspected by {}: {}", by.len(), folded(&names));
        for part in frame::wrap(&text, width.saturating_sub(2)) {
            lines.push(marked(look, Mark::Doubt, part));
        }
    }
    if lines.is_empty() {
        lines.push(marked(look, Mark::None, " nobody suspects anybody"));
    }
    lines
}
