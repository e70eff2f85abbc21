//! What a play says while it goes on, and at its end: lines for people, for programs, for tests.

use super::driver::json_line;
use super::expect::{Expect, When};
use super::play::{Missed, Outcome, Output, PlayedAct, Playing};
use super::report::Judgement;
use super::scenario::{Act, Scenario, Step};
use crate::base::Time;
use serde::Serialize;
use std::io::{self, Write};

/// How wide lines of text are, indent included.
const WIDTH: usize = 88;

/// Writes what a play says.
#[derive(Debug)]
pub(super) struct Teller<'a> {
    scenario: &'a Scenario,
    output: Output,
    narrate: bool,
    replay: &'a str,
}

#[derive(Serialize)]
struct StepLine<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    step: usize,
    title: &'a str,
    t_us: u64,
    say: &'a [String],
}

#[derive(Serialize)]
struct ExpectLine<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    expect: String,
    /// Nobody knows yet of what must be so for a while.
    met: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct ActLine<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    act: usize,
    title: &'a str,
    verdict: &'static str,
    missed: Vec<String>,
}

#[derive(Serialize)]
struct EndLine<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    scenario: &'a str,
    acts: usize,
    digest: String,
    verdict: &'static str,
    replay: &'a str,
}

impl<'a> Teller<'a> {
    pub(super) fn new(scenario: &'a Scenario, playing: &'a Playing) -> Teller<'a> {
        let Playing { output, narrate, replay, .. } = playing;
        Teller { scenario, output: *output, narrate: *narrate, replay }
    }

    fn is_text(&self) -> bool {
        self.output == Output::Text
    }

    pub(super) fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.is_text() || !self.narrate {
            return Ok(());
        }
        let Scenario { title, about, learn, sources, .. } = self.scenario;
        writeln!(out, "{title}")?;
        wrapped(out, "  ", about)?;
        learn.iter().try_for_each(|line| wrapped(out, "  learn: ", line))?;
        sources.iter().try_for_each(|line| wrapped(out, "  source: ", line))
    }

    pub(super) fn act(&self, number: usize, act: &Act, out: &mut dyn Write) -> io::Result<()> {
        let count = self.scenario.acts.len();
        if !self.is_text() || count == 1 {
            return Ok(());
        }
        writeln!(out, "== act {number} of {count}: {}", act.title)?;
        if self.narrate { wrapped(out, "  ", &act.say) } else { Ok(()) }
    }

    pub(super) fn step(
        &self,
        number: usize,
        step: &Step,
        at: Time,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.output {
            Output::Text => self.step_text(number, step, at, out),
            Output::Json => {
                let (title, say) = (step.title.as_str(), step.say.as_slice());
                let kind_of_line = "step";
                json_line(out, &StepLine { kind_of_line, step: number, title, t_us: at.0, say })
            }
            Output::Junit => Ok(()),
        }
    }

    fn step_text(
        &self,
        number: usize,
        step: &Step,
        at: Time,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let title = match step.title.as_str() {
            "" => String::new(),
            title => format!("  {title}"),
        };
        writeln!(out, "-- step {number} at {at}{title}")?;
        if !self.narrate {
            return Ok(());
        }
        step.say.iter().try_for_each(|text| wrapped(out, "  ", text))?;
        for pointer in &step.look {
            let node = pointer.node.map(|node| node.to_string());
            let place = pointer.pane.clone().or(node).unwrap_or_default();
            wrapped(out, &format!("  look at {place}: "), &pointer.say)?;
        }
        for order in &step.orders {
            writeln!(out, "  ▼ {order}")?;
        }
        let Some(ask) = &step.ask else { return Ok(()) };
        wrapped(out, "  ? ", &ask.question)?;
        for (i, choice) in ask.choices.iter().enumerate() {
            wrapped(out, &format!("    {} ", i + 1), choice)?;
        }
        wrapped(out, &format!("    answer {}: ", ask.answer + 1), &ask.why)
    }

    pub(super) fn expected(
        &self,
        expect: &Expect,
        why: Option<&str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let watched = why.is_none() && matches!(expect.when, When::Throughout(_));
        match (self.output, why) {
            (Output::Text, None) if self.narrate => {
                writeln!(out, "  {} {expect}", if watched { "…" } else { "✓" })
            }
            (Output::Text, None) | (Output::Junit, _) => Ok(()),
            (Output::Text, Some(why)) => wrapped(out, "  ✗ ", &format!("{expect}: {why}")),
            (Output::Json, _) => {
                let (expect, met) = (expect.to_string(), (!watched).then_some(why.is_none()));
                json_line(out, &ExpectLine { kind_of_line: "expect", expect, met, why })
            }
        }
    }

    pub(super) fn end_of_act(
        &self,
        act: &Act,
        played: &PlayedAct,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self.output {
            Output::Text => self.act_text(act, played, out),
            Output::Json => {
                json_line(out, &played.summary.as_json())?;
                let PlayedAct { number: act, title, verdict, missed, .. } = played;
                let (act, verdict) = (*act, verdict.name());
                let missed = missed.iter().map(Missed::to_string).collect();
                json_line(out, &ActLine { kind_of_line: "act", act, title, verdict, missed })
            }
            Output::Junit => Ok(()),
        }
    }

    fn act_text(&self, act: &Act, played: &PlayedAct, out: &mut dyn Write) -> io::Result<()> {
        match self.narrate {
            true => {
                for failure in &played.summary.failures {
                    write!(out, "{failure}")?;
                }
            }
            false => write!(out, "{}", played.summary.without_verdict())?,
        }
        for missed in &played.missed {
            wrapped(out, "not as expected: ", &missed.to_string())?;
        }
        match (self.scenario.acts.len(), act.title.as_str()) {
            (1, _) => Ok(()),
            (_, title) => {
                writeln!(out, "act {} ({title}): {}", played.number, played.verdict.name())
            }
        }
    }

    pub(super) fn end(&self, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
        let Scenario { name, acts, .. } = self.scenario;
        let digest = format!("{:016x}", outcome.digest());
        match self.output {
            Output::Text => {
                writeln!(out, "{name}: digest {digest}")?;
                writeln!(out, "replay: {}", self.replay)?;
                writeln!(out, "verdict: {}", outcome.verdict.name())
            }
            Output::Json => json_line(
                out,
                &EndLine {
                    kind_of_line: "end",
                    scenario: name,
                    acts: acts.len(),
                    digest,
                    verdict: outcome.verdict.name(),
                    replay: self.replay,
                },
            ),
            Output::Junit => junit(self.scenario, outcome, out),
        }
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Missed { step, what, why } = self;
        match step {
            0 => write!(f, "'{what}': {why}"),
            _ => write!(f, "step {step}: '{what}': {why}"),
        }
    }
}

/// A paragraph, with its lines under each other behind a mark.
fn wrapped(out: &mut dyn Write, mark: &str, text: &str) -> io::Result<()> {
    let indent = mark.chars().count();
    let mut line = mark.to_owned();
    let mut width = indent;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if width > indent && width + 1 + length > WIDTH {
            writeln!(out, "{line}")?;
            (line, width) = (" ".repeat(indent), indent);
        }
        if width > indent {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += length;
    }
    match width > indent {
        true => writeln!(out, "{line}"),
        false => Ok(()),
    }
}

/// One test suite: a test case for each act, and for each expectation in it.
fn junit(scenario: &Scenario, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let mut cases = Vec::new();
    for act in &outcome.acts {
        let of = |name: &str| match act.title.as_str() {
            "" => name.to_owned(),
            title => format!("{title}: {name}"),
        };
        for step in &act.steps {
            for (text, why) in &step.expected {
                cases.push((of(&format!("step {}: {text}", step.number)), why.clone()));
            }
        }
        let bad = !matches!(act.verdict, Judgement::Ok | Judgement::Expected);
        let why = || {
            let missed = act.missed.iter().map(Missed::to_string);
            let broken = act.summary.failures.iter().map(|failure| failure.what.clone());
            let list = missed.chain(broken).collect::<Vec<_>>().join("; ");
            format!("{}: {list}", act.verdict.name())
        };
        cases.push((of("verdict"), bad.then(why)));
    }
    let failed = cases.iter().filter(|(_, why)| why.is_some()).count();
    let name = escaped(&scenario.name);
    writeln!(out, "<testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\">", cases.len())?;
    for (case, why) in &cases {
        write!(out, "  <testcase classname=\"{name}\" name=\"{}\"", escaped(case))?;
        match why {
            None => writeln!(out, "/>")?,
            Some(why) => writeln!(out, "><failure message=\"{}\"/></testcase>", escaped(why))?,
        }
    }
    writeln!(out, "</testsuite>")
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_behind_their_mark() {
        let mut out = Vec::new();
        wrapped(&mut out, "  ? ", &"word ".repeat(20)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  ? word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("    word"));
    }

    #[test]
    fn xml_is_not_broken_by_what_is_told() {
        assert_eq!(escaped("a<b & \"c\" >= 4\n"), "a&lt;b &amp; &quot;c&quot; &gt;= 4 ");
    }
}
