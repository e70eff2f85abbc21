//! The decisive messages of a run, as a Mermaid sequence diagram.

use crate::base::NodeId;
use crate::event::{Event, Fact, Kind};
use crate::script::Failure;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How many arrows and notes there are at the most, the last ones.
const MAX_LINES: usize = 40;
/// Messages of these kinds say only that somebody is there.
const CHATTER: &[&str] = &["Heartbeat", "Alive", "Beat", "Commit", "Trim"];

/// Draws what led to a failure, or to the end of the run if nothing failed.
pub fn diagram(events: &[Event], failure: Option<&Failure>) -> String {
    let end = failure.map_or(events.len(), |failure| failure.shown_by.n + 1).min(events.len());
    let lines: Vec<(BTreeSet<NodeId>, String)> = events[..end].iter().filter_map(line).collect();
    let lines = &lines[lines.len().saturating_sub(MAX_LINES)..];
    let seen: BTreeSet<NodeId> = lines.iter().flat_map(|(nodes, _)| nodes).copied().collect();
    let mut text = String::from("sequenceDiagram\n");
    for node in &seen {
        let _ = writeln!(text, "  participant {node}");
    }
    for (_, line) in lines {
        let _ = writeln!(text, "  {line}");
    }
    if let (Some(failure), Some(last)) = (failure, seen.last()) {
        let first = seen.first().unwrap_or(last);
        let _ = writeln!(text, "  Note over {first},{last}: {} is broken", failure.rule);
    }
    text
}

fn line(event: &Event) -> Option<(BTreeSet<NodeId>, String)> {
    let node = event.node;
    let one = |text: String| Some(([node].into(), format!("Note over {node}: {}", safe(&text))));
    match &event.kind {
        Kind::Received { from, label, .. } if !CHATTER.contains(&label.kind()) => {
            let text = format!("{from}->>{node}: {}", safe(label.as_str()));
            Some(([*from, node].into(), text))
        }
        Kind::Killed { .. } | Kind::Paused | Kind::Resumed => one(event.kind.to_string()),
        Kind::Started { boot, .. } if *boot > 1 => one("starts again".to_owned()),
        Kind::Fact(fact @ (Fact::Leads { .. } | Fact::Guards { .. } | Fact::Decides { .. })) => {
            one(fact.to_string())
        }
        _ => None,
    }
}

/// What a diagram can show: no sign that has a meaning in it.
fn safe(text: &str) -> String {
    let plain = |c: char| if matches!(c, ';' | '#' | ':' | '\n') { ' ' } else { c };
    text.chars().map(plain).take(80).collect()
}
