//! A play, written up for people who were not there: Markdown with a timeline, the decisive
//! messages as a diagram, what broke and the proof, and what changes under the cure.
//!
//! [`mermaid`] draws the messages, [`traces`] writes whole runs for tools that show them.

pub mod mermaid;
pub mod traces;

use super::Failure;
use super::play::{Outcome, PlayedAct};
use super::scenario::Scenario;
use crate::event::{Event, Fact, Kind};
use std::fmt::Write as _;

/// How many rows the timeline of an act has at the most.
const MAX_ROWS: usize = 60;

/// The report on a play whose events were kept.
pub fn markdown(scenario: &Scenario, outcome: &Outcome, replay: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# {}\n\n{}\n", scenario.title, scenario.about);
    let _ = writeln!(text, "Verdict: **{}**.\n", outcome.verdict.name());
    for act in &outcome.acts {
        one_act(scenario, act, &mut text);
    }
    if outcome.acts.len() > 1 {
        cure(outcome, &mut text);
    }
    let _ = writeln!(text, "## How to see it again\n\n```console\n{replay}\n```\n");
    let seed = outcome.acts.first().and_then(|act| act.summary.seed).unwrap_or_default();
    let _ = writeln!(text, "Seed {seed}, digest `{:016x}`.\n", outcome.digest());
    if !scenario.sources.is_empty() {
        let _ = writeln!(text, "## Sources\n");
        for source in &scenario.sources {
            let _ = writeln!(text, "* {source}");
        }
    }
    text
}

fn one_act(scenario: &Scenario, act: &PlayedAct, text: &mut String) {
    let heading = match act.title.as_str() {
        "" => "What happened".to_owned(),
        title => format!("Act {}: {title}", act.number),
    };
    let _ = writeln!(text, "## {heading}\n");
    for played in &act.steps {
        let step = &scenario.steps[played.number - 1];
        if let (title, Some(say)) = (&step.title, step.say.first()) {
            let _ = writeln!(text, "{}. **{title}** ({}s). {say}", played.number, played.began);
        }
    }
    let _ = writeln!(text, "\n### Timeline\n\n| time | who | what |\n|---|---|---|");
    let turns: Vec<&Event> = turning_points(&act.events).collect();
    for event in turns.iter().take(MAX_ROWS) {
        let what = event.kind.to_string().replace('|', "\\|");
        let _ = writeln!(text, "| {} | {} | {what} |", event.at, event.node);
    }
    if turns.len() > MAX_ROWS {
        let _ = writeln!(text, "\n… and {} more.", turns.len() - MAX_ROWS);
    }
    let _ = writeln!(text, "\n### The decisive messages\n\n```mermaid");
    text.push_str(&mermaid::diagram(&act.events, act.summary.failures.first()));
    let _ = writeln!(text, "```\n");
    for failure in &act.summary.failures {
        broke(failure, text);
    }
    for missed in &act.missed {
        let _ = writeln!(text, "Not as announced: {missed}\n");
    }
}

fn broke(failure: &Failure, text: &mut String) {
    let _ = writeln!(text, "### {} is broken\n\n{}\n\n```text", failure.rule, failure.what);
    for witness in failure.because.iter().chain([&failure.shown_by]) {
        let _ = writeln!(text, "{:>6}  {}", witness.n, witness.line);
    }
    let _ = writeln!(text, "```\n");
}

fn cure(outcome: &Outcome, text: &mut String) {
    let _ = writeln!(text, "## What the cure changes\n\n| act | verdict | broken |\n|---|---|---|");
    for act in &outcome.acts {
        let broken: Vec<String> =
            act.summary.failures.iter().map(|f| format!("{}: {}", f.rule, f.what)).collect();
        let broken = if broken.is_empty() { "nothing".to_owned() } else { broken.join("; ") };
        let _ = writeln!(text, "| {} | {} | {broken} |", act.title, act.verdict.name());
    }
    let _ = writeln!(text);
}

/// What was done, and where the run took a turn.
fn turning_points(events: &[Event]) -> impl Iterator<Item = &Event> {
    let mut last: Option<String> = None;
    events.iter().filter(move |event| {
        let told = match &event.kind {
            Kind::Commanded(_) | Kind::Killed { .. } | Kind::Panicked { .. } => true,
            Kind::Paused | Kind::Resumed | Kind::Failed { .. } => true,
            Kind::Started { boot, .. } => *boot > 1,
            Kind::Fact(fact) => turns(fact),
            _ => false,
        };
        // Every replica says the same; once is enough.
        let line = event.kind.to_string();
        let again = last.as_ref() == Some(&line) && event.fact().is_some();
        if told {
            last = Some(line);
        }
        told && !again
    })
}

fn turns(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Leads { .. }
            | Fact::Suspects { .. }
            | Fact::View { .. }
            | Fact::Granted { .. }
            | Fact::Freed { .. }
            | Fact::Guards { .. }
            | Fact::Votes { .. }
            | Fact::Decides { .. }
            | Fact::Resolves { .. }
            | Fact::Proposes { slot: 0, .. }
            | Fact::Chooses { slot: 0, .. }
            | Fact::Returns { .. }
    )
}
