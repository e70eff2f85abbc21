//! A play or a saved run, written up for people who were not there: Markdown with a timeline, the
//! decisive messages as a diagram, pictures of the screen, what broke and the proof, and what
//! changes under the cure.
//!
//! [`moments`] says which moments are worth a picture; whoever can draw does. [`mermaid`] draws
//! the messages, [`traces`] writes whole runs for tools that show them.

pub mod mermaid;
pub mod traces;

use super::play::{Outcome, PlayedAct};
use super::scenario::Scenario;
use super::{Failure, Summary};
use crate::command::Command;
use crate::event::{Event, Fact, Kind};
use std::fmt::Write as _;

/// How many rows the timeline of a run has at the most, and how many of them are the first ones
/// where some are left out.
const MAX_ROWS: usize = 60;
const FIRST_ROWS: usize = 20;

/// A moment of a run that is worth a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What it is, in a word: `turn`, `broken`, `end`.
    pub name: &'static str,
    /// The index of the event that made it.
    pub event: usize,
    /// What is to be seen.
    pub caption: String,
}

/// A picture of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What is to be seen.
    pub caption: String,
    /// Where it is, as a link in the report says it.
    pub file: String,
}

/// A run that is no play, for a report.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name of the cluster.
    pub title: String,
    /// What kind of run it is, in sentences.
    pub about: Vec<String>,
    /// What it came to.
    pub summary: Summary,
    /// All that happened.
    pub events: Vec<Event>,
    /// What a person noted: index of the event, and text.
    pub marks: Vec<(u64, String)>,
    /// Pictures of it.
    pub pictures: Vec<Picture>,
}

/// The turning point and where it broke, or how it ended: the turning point is the last harm that
/// was done before that, else the latest of the proofs.
pub fn moments(events: &[Event], failures: &[Failure]) -> Vec<Moment> {
    let Some(last) = events.len().checked_sub(1) else { return Vec::new() };
    let failure = failures.first();
    let end = failure.map_or(last, |failure| failure.shown_by.n.min(last));
    let harm = |event: &Event| event.command().is_some_and(Command::harms);
    let proof = failure.and_then(|failure| failure.because.last()).map(|witness| witness.n);
    let turn = events[..end].iter().rposition(harm).or(proof.filter(|n| *n < end));
    let turn = turn.map(|event| {
        let caption = format!("The turning point: {}", events[event]);
        Moment { name: "turn", event, caption }
    });
    let at = events[end].at;
    let (name, caption) = match failure {
        Some(failure) => ("broken", format!("At {at}s: {} is broken", failure.rule)),
        None => ("end", format!("The end, at {at}s: nothing is broken")),
    };
    turn.into_iter().chain([Moment { name, event: end, caption }]).collect()
}

/// The report on a play whose events were kept, with pictures of each act.
pub fn markdown(
    scenario: &Scenario,
    outcome: &Outcome,
    pictures: &[Vec<Picture>],
    replay: &str,
) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# {}\n\n{}\n", scenario.title, scenario.about);
    let _ = writeln!(text, "Verdict: **{}**.\n", outcome.verdict.name());
    for (act, pictures) in outcome.acts.iter().zip(pictures) {
        one_act(scenario, act, pictures, &mut text);
    }
    if outcome.acts.len() > 1 {
        cure(outcome, &mut text);
    }
    let seed = outcome.acts.first().and_then(|act| act.summary.seed);
    again(replay, seed, outcome.digest(), &mut text);
    if !scenario.sources.is_empty() {
        let _ = writeln!(text, "## Sources\n");
        for source in &scenario.sources {
            let _ = writeln!(text, "* {source}");
        }
    }
    text
}

/// The report on a run that is no play.
pub fn account(account: &Account) -> String {
    let Account { title, about, summary, events, marks, pictures } = account;
    let mut text = format!("# {title}, as it ran\n\n{}\n\n", about.join(" "));
    let Summary { until, failures, .. } = summary;
    let verdict = summary.verdict.name();
    let _ = writeln!(text, "{} events in {until} s. Verdict: **{verdict}**.\n", summary.events);
    if summary.missed > 0 {
        let _ = writeln!(text, "{} events were missed.\n", summary.missed);
    }
    if !marks.is_empty() {
        let _ = writeln!(text, "## What was noted\n");
        for (event, note) in marks {
            let event = usize::try_from(*event).ok().and_then(|event| events.get(event));
            let at = event.map_or(String::new(), |event| format!("{}s: ", event.at));
            let _ = writeln!(text, "* {at}{note}");
        }
        let _ = writeln!(text);
    }
    let _ = writeln!(text, "## What happened");
    one_run(events, failures, pictures, &mut text);
    again(&summary.replay, summary.seed, summary.digest, &mut text);
    text
}

fn again(replay: &str, seed: Option<u64>, digest: u64, text: &mut String) {
    let _ = writeln!(text, "## How to see it again\n\n```console\n{replay}\n```\n");
    let seed = seed.map_or("Digest".to_owned(), |seed| format!("Seed {seed}, digest"));
    let _ = writeln!(text, "{seed} `{digest:016x}`.\n");
}

fn one_act(scenario: &Scenario, act: &PlayedAct, pictures: &[Picture], text: &mut String) {
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
    one_run(&act.events, &act.summary.failures, pictures, text);
    for missed in &act.missed {
        let _ = writeln!(text, "Not as announced: {missed}\n");
    }
}

/// The timeline of a run, its decisive messages, its pictures, and what broke.
fn one_run(events: &[Event], failures: &[Failure], pictures: &[Picture], text: &mut String) {
    let _ = writeln!(text, "\n### Timeline\n\n| time | who | what |\n|---|---|---|");
    let turns = timeline(events, failures);
    let more = turns.len().saturating_sub(MAX_ROWS);
    for (row, event) in turns.iter().enumerate() {
        let what = event.kind.to_string().replace('|', "\\|");
        match row.checked_sub(FIRST_ROWS) {
            Some(0) if more > 0 => {
                let _ = writeln!(text, "| … | | {more} more |");
            }
            Some(later) if later < more => {}
            _ => {
                let _ = writeln!(text, "| {} | {} | {what} |", event.at, event.node);
            }
        }
    }
    let which = if failures.is_empty() { "last" } else { "decisive" };
    let _ = writeln!(text, "\n### The {which} messages\n\n```mermaid");
    text.push_str(&mermaid::diagram(events, failures.first()));
    let _ = writeln!(text, "```\n");
    for Picture { caption, file } in pictures {
        // The caption may have brackets, which end the text of a picture.
        let _ = writeln!(text, "![The screen](<{file}>)\n\n{caption}\n");
    }
    for failure in failures {
        broke(failure, text);
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

/// What was done, where the run took a turn, and what proves that something broke. In a long run,
/// what happens every day is left out.
fn timeline<'a>(events: &'a [Event], failures: &[Failure]) -> Vec<&'a Event> {
    let proof = |failure: &Failure, index: usize| {
        failure.because.iter().chain([&failure.shown_by]).any(|witness| witness.n == index)
    };
    let proves = |index| failures.iter().any(|failure| proof(failure, index));
    let mut turns: Vec<(usize, &Event)> = turning_points(events).collect();
    for routine in (1..=3).rev() {
        if turns.len() > MAX_ROWS {
            turns.retain(|(index, event)| how_common(event) < routine || proves(*index));
        }
    }
    turns.into_iter().map(|(_, event)| event).collect()
}

/// How little there is to a turning point: 3 for what happens with every request, 0 for what a
/// cluster does seldom.
fn how_common(event: &Event) -> u8 {
    match event.fact() {
        Some(Fact::Returns { .. }) => 3,
        Some(Fact::Votes { .. } | Fact::Resolves { .. }) => 2,
        Some(Fact::Decides { .. } | Fact::Granted { .. } | Fact::Freed { .. }) => 1,
        Some(Fact::Guards { .. }) => 1,
        _ => 0,
    }
}

/// The events that took the run another way, with their indices.
fn turning_points(events: &[Event]) -> impl Iterator<Item = (usize, &Event)> {
    let mut last: Option<String> = None;
    events.iter().enumerate().filter(move |(_, event)| {
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
            | Fact::Dead { .. }
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
