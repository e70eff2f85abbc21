//! Whole runs for tools that show them: ShiViz, and the trace viewer of browsers.

use crate::base::{MsgId, NodeId};
use crate::event::{Event, Kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The expression that ShiViz reads these logs with.
pub const SHIVIZ: &str = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)";

/// A log with vector clocks, as ShiViz reads it: two lines for each event.
pub fn shiviz(events: &[Event]) -> String {
    let mut clocks: BTreeMap<NodeId, BTreeMap<String, u64>> = BTreeMap::new();
    let mut sent: BTreeMap<MsgId, BTreeMap<String, u64>> = BTreeMap::new();
    let mut text = format!("{SHIVIZ}\n\n");
    for event in events.iter().filter(|event| event.node != NodeId::BENCH) {
        let clock = clocks.entry(event.node).or_default();
        if let Kind::Received { msg, .. } = &event.kind {
            for (node, count) in sent.get(msg).into_iter().flatten() {
                let own = clock.entry(node.clone()).or_default();
                *own = (*own).max(*count);
            }
        }
        *clock.entry(event.node.to_string()).or_default() += 1;
        if let Kind::Sent { msg, .. } = &event.kind {
            sent.insert(*msg, clock.clone());
        }
        let _ = writeln!(text, "{} {}\n{}", event.node, json!(clock), event.kind);
    }
    text
}

/// A trace for `chrome://tracing` and Perfetto: a row for each process, an arrow for each message.
pub fn chrome(events: &[Event]) -> Value {
    let row = |node: NodeId| u32::from(node.number()) + 10_000 * u32::from(node.is_client());
    let mut trace = Vec::new();
    let mut named = BTreeMap::new();
    for event in events {
        let (tid, ts) = (row(event.node), event.at.0);
        named.entry(tid).or_insert_with(|| match event.node {
            NodeId::BENCH => "commands".to_owned(),
            node => node.to_string(),
        });
        let name = event.kind.to_string();
        let base = json!({ "pid": 1, "tid": tid, "ts": ts, "name": name });
        let with = |more: Value| merged(&base, &more);
        match &event.kind {
            Kind::Sent { msg, .. } => {
                trace.push(with(json!({ "ph": "X", "dur": 1 })));
                let flow =
                    json!({ "ph": "s", "id": msg.0.to_string(), "name": "message", "cat": "m" });
                trace.push(with(flow));
            }
            Kind::Received { msg, .. } => {
                trace.push(with(json!({ "ph": "X", "dur": 1 })));
                let flow = json!({ "ph": "f", "bp": "e", "id": msg.0.to_string(), "name": "message", "cat": "m" });
                trace.push(with(flow));
            }
            _ => trace.push(with(json!({ "ph": "i", "s": "t" }))),
        }
    }
    for (tid, name) in named {
        let args = json!({ "name": name });
        trace.push(json!({ "ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": args }));
    }
    json!({ "traceEvents": trace, "displayTimeUnit": "ms" })
}

/// An object with the keys of another put over its own.
fn merged(base: &Value, more: &Value) -> Value {
    let (Some(base), Some(more)) = (base.as_object(), more.as_object()) else {
        return base.clone();
    };
    let all = base.iter().chain(more).map(|(key, value)| (key.clone(), value.clone()));
    Value::Object(all.collect())
}
