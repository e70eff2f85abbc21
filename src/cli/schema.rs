//! `netsplit schema`: what a cluster or scenario file may have, as JSON Schema.
//!
//! Keys and values stand in `schema.json`. What has a language or a list of its own (commands,
//! conditions, mutations, panes) is put in from where it is defined, so that it cannot be out of
//! date.

use crate::base::Mutation;
use crate::command::FORMS;
use crate::script::expect;
use crate::tui::PaneKind;
use crate::view::condition;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The schema, complete.
pub fn schema() -> Value {
    let text = include_str!("schema.json");
    let mut schema: Value = serde_json::from_str(text).expect("the file is JSON, as a test shows");
    let about = |title: &str, forms: &[(&str, &str)]| {
        let mut text = title.to_owned();
        for (form, meaning) in forms {
            let _ = write!(text, "\n{form}: {meaning}");
        }
        text
    };
    let defs = &mut schema["$defs"];
    defs["command"]["description"] = json!(about("a command, one of", FORMS));
    let joined = "statements, joined by and, or, not and parentheses";
    defs["condition"]["description"] = json!(about(joined, condition::FORMS));
    defs["expectation"]["description"] = json!(about("what must be so", expect::FORMS));
    let mutations: Vec<&str> = Mutation::ALL.iter().map(|mutation| mutation.name()).collect();
    defs["mutation"]["enum"] = json!(mutations);
    let panes: Vec<&str> = PaneKind::ALL.iter().map(|pane| pane.id()).collect();
    defs["pane"]["enum"] = json!(panes);
    schema
}
