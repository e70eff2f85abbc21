//! What a run comes to: a verdict, and the proof if something broke.

use crate::base::{Blob, Name, Time};
use crate::check::{Standing, Violation};
use crate::event::{Event, Kind};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// How many facts are kept as possible evidence.
const MAX_EVIDENCE: usize = 500_000;

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Every property held.
    Ok,
    /// A safety property was broken, or a process died of its own assertion.
    Violation,
    /// Nothing wrong happened, but nothing right either, for longer than allowed.
    Stalled,
    /// A property was broken, as a scenario announced.
    Expected,
    /// Something that a scenario expects was not so.
    Failed,
}

impl Judgement {
    /// The verdict on a run with these failures.
    pub(super) fn of<'a>(failures: impl IntoIterator<Item = &'a Failure>) -> Judgement {
        let verdict = |failure: &Failure| match failure.stall {
            true => Judgement::Stalled,
            false => Judgement::Violation,
        };
        Judgement::worst(failures.into_iter().map(verdict))
    }

    /// The worst of several: a violation that nobody announced outweighs an expectation that was
    /// not met, and that a stall.
    pub fn worst(all: impl IntoIterator<Item = Judgement>) -> Judgement {
        let rank = |judgement: &Judgement| match judgement {
            Judgement::Ok => 0,
            Judgement::Expected => 1,
            Judgement::Stalled => 2,
            Judgement::Failed => 3,
            Judgement::Violation => 4,
        };
        all.into_iter().max_by_key(rank).unwrap_or(Judgement::Ok)
    }

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Ok => "ok",
            Judgement::Violation => "violation",
            Judgement::Stalled => "stalled",
            Judgement::Expected => "expected",
            Judgement::Failed => "failed",
        }
    }

    /// The exit code of the program.
    pub fn exit_code(self) -> u8 {
        match self {
            Judgement::Ok | Judgement::Expected => 0,
            Judgement::Violation => 3,
            Judgement::Stalled => 4,
            Judgement::Failed => 5,
        }
    }
}

/// The facts and commands of late, to show what a violation contradicts. Bounded, since a run may
/// last for hours.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    kept: VecDeque<(usize, Event)>,
    /// The event that was seen last, of whatever kind: what a violation is shown by.
    last: Option<(usize, Event)>,
}

impl Evidence {
    /// Keeps an event if a check may point at it.
    pub(super) fn keep(&mut self, index: usize, event: Event) {
        let passing = matches!(
            event.kind,
            Kind::Sent { .. }
                | Kind::Received { .. }
                | Kind::Lost { .. }
                | Kind::Fired { .. }
                | Kind::Armed { .. }
        );
        if !passing {
            if self.kept.len() == MAX_EVIDENCE {
                self.kept.pop_front();
            }
            self.kept.push_back((index, event.clone()));
        }
        self.last = Some((index, event));
    }

    fn line(&self, index: usize) -> Witness {
        let kept = self.kept.binary_search_by_key(&index, |(at, _)| *at);
        let event = match (&self.last, kept) {
            (Some((last, event)), _) if *last == index => Some(event),
            (_, kept) => kept.ok().map(|at| &self.kept[at].1),
        };
        let line = event.map_or("(no longer kept)".to_owned(), Event::to_string);
        Witness { n: index, line }
    }
}

/// An event that proves something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Its index in the run.
    pub n: usize,
    /// Its line.
    pub line: String,
}

/// Something that broke, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The name of the check.
    pub check: &'static str,
    /// The rule.
    pub rule: &'static str,
    /// Whether it says that nothing moves, rather than that something wrong happened.
    pub stall: bool,
    /// What is wrong, in one sentence.
    pub what: String,
    /// The event that showed it.
    pub shown_by: Witness,
    /// The earlier events that it contradicts, oldest first.
    pub because: Vec<Witness>,
}

impl Failure {
    pub(super) fn of(violation: &Violation, evidence: &Evidence) -> Failure {
        Failure {
            check: violation.check,
            rule: violation.rule,
            stall: violation.is_stall(),
            what: violation.what.clone(),
            shown_by: evidence.line(violation.at),
            because: violation.because.iter().map(|at| evidence.line(*at)).collect(),
        }
    }

    /// A process broke a rule of its own.
    pub(super) fn panic(index: usize, event: &Event, why: &str) -> Failure {
        Failure {
            check: "panic",
            rule: "assertion",
            stall: false,
            what: format!("{} died of its own assertion: {why}", event.node),
            shown_by: Witness { n: index, line: event.to_string() },
            because: Vec::new(),
        }
    }
}

/// How a check stood at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stood {
    name: &'static str,
    about: &'static str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<String>,
    broken: u64,
}

impl From<Standing<'_>> for Stood {
    fn from(standing: Standing<'_>) -> Stood {
        let verdict = standing.verdict.name();
        let Standing { name, about, waits_for, count: broken, .. } = standing;
        Stood { name, about, verdict, waits_for, broken }
    }
}

/// What a run comes to, and how to repeat it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The name of the cluster.
    pub cluster: String,
    /// The seed, if it is known.
    pub seed: Option<u64>,
    /// How far the run went.
    pub until: Time,
    /// How many events it had.
    pub events: u64,
    /// XXH3-64 of all event lines, newlines included. Equal digests: equal runs.
    pub digest: u64,
    /// The verdict.
    pub verdict: Judgement,
    /// All checks.
    pub checks: Vec<Stood>,
    /// What broke, in the order of finding.
    pub failures: Vec<Failure>,
    /// The command line that repeats the run.
    pub replay: String,
    /// Whether that gives the very same events. A live cluster never does.
    pub repeatable: bool,
    /// How many events of a live cluster could not be taken in; the verdict is that on the rest.
    pub missed: u64,
    /// What clients were told last is in files of the cluster.
    pub read: BTreeMap<Name, Blob>,
}

#[derive(Serialize)]
pub(super) struct SummaryLine<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    cluster: &'a str,
    seed: Option<String>,
    until_us: u64,
    events: u64,
    digest: String,
    verdict: &'static str,
    checks: &'a [Stood],
    violations: &'a [Failure],
    replay: &'a str,
    repeatable: bool,
    missed: u64,
}

impl Summary {
    /// The summary as it goes into a line of JSON: 64-bit numbers are texts.
    pub(super) fn as_json(&self) -> SummaryLine<'_> {
        SummaryLine {
            kind_of_line: "summary",
            cluster: &self.cluster,
            seed: self.seed.map(|seed| seed.to_string()),
            until_us: self.until.0,
            events: self.events,
            digest: format!("{:016x}", self.digest),
            verdict: self.verdict.name(),
            checks: &self.checks,
            violations: &self.failures,
            replay: &self.replay,
            repeatable: self.repeatable,
            missed: self.missed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}) broken: {}", self.rule, self.check, self.what)?;
        let width = self.shown_by.n.to_string().len().max(4);
        for Witness { n, line } in &self.because {
            writeln!(f, "  before {n:>width$}  {line}")?;
        }
        let Witness { n, line } = &self.shown_by;
        writeln!(f, "  shown  {n:>width$}  {line}")
    }
}

/// A summary without its last line, for a run that is judged by what a scenario announces.
pub(super) struct Unjudged<'a>(&'a Summary);

impl Summary {
    pub(super) fn without_verdict(&self) -> Unjudged<'_> {
        Unjudged(self)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Unjudged(self))?;
        writeln!(f, "replay: {}", self.replay)?;
        if !self.repeatable {
            writeln!(f, "live: not repeatable exactly")?;
        }
        writeln!(f, "verdict: {}", self.verdict.name())
    }
}

impl fmt::Display for Unjudged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { cluster, seed, until, events, digest, .. } = self.0;
        writeln!(f, "--")?;
        let seed = seed.map_or(String::new(), |seed| format!(", seed {seed}"));
        writeln!(f, "{cluster}{seed}: {events} events in {until} s, digest {digest:016x}")?;
        for check in &self.0.checks {
            write!(f, "{:<12} {:<8} {}", check.name, check.verdict, check.about)?;
            match &check.waits_for {
                Some(what) => writeln!(f, " Waits for {what}.")?,
                None => writeln!(f)?,
            }
        }
        for failure in &self.0.failures {
            write!(f, "{failure}")?;
        }
        match self.0.missed {
            0 => Ok(()),
            missed => writeln!(f, "{missed} events missed: the checks speak for the rest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{NodeId, ServiceId};

    fn failure(stall: bool) -> Failure {
        let shown_by = Witness { n: 12, line: "1.000 n1 crashes".to_owned() };
        let because = vec![Witness { n: 3, line: "0.500 n1 freezes".to_owned() }];
        let what = "it broke".to_owned();
        Failure { check: "log", rule: "X-1", stall, what, shown_by, because }
    }

    #[test]
    fn what_stalls_is_not_a_violation_unless_something_else_broke() {
        assert_eq!(Judgement::of([]), Judgement::Ok);
        assert_eq!(Judgement::of(&[failure(true)]), Judgement::Stalled);
        assert_eq!(Judgement::of(&[failure(true), failure(false)]), Judgement::Violation);
    }

    #[test]
    fn a_live_run_says_what_it_cannot_promise() {
        let mut summary = Summary {
            cluster: "three".to_owned(),
            seed: Some(7),
            until: Time(5_000_000),
            events: 90,
            digest: 1,
            verdict: Judgement::Ok,
            checks: Vec::new(),
            failures: Vec::new(),
            replay: "netsplit".to_owned(),
            repeatable: true,
            missed: 0,
            read: BTreeMap::new(),
        };
        let text = summary.to_string();
        assert!(!text.contains("missed") && !text.contains("live"), "{text}");
        (summary.repeatable, summary.missed) = (false, 12);
        let text = summary.to_string();
        assert!(text.contains("12 events missed: the checks speak for the rest\n"), "{text}");
        assert!(text.contains("replay: netsplit\nlive: not repeatable exactly\n"), "{text}");
    }

    #[test]
    fn a_failure_shows_its_witnesses() {
        let expected = "X-1 (log) broken: it broke\n  before    3  0.500 n1 freezes\n  \
                        shown    12  1.000 n1 crashes\n";
        assert_eq!(failure(false).to_string(), expected);
    }

    #[test]
    fn evidence_is_found_by_index_and_bounded() {
        let mut evidence = Evidence::default();
        let event = Event { at: Time::ZERO, node: NodeId::node(1), kind: Kind::Paused };
        for index in 0..MAX_EVIDENCE + 10 {
            evidence.keep(index * 2, event.clone());
        }
        assert_eq!(evidence.kept.len(), MAX_EVIDENCE);
        assert_eq!(evidence.line(40).line, "0.000 n1 freezes");
        assert!(evidence.line(18).line.contains("no longer kept"));
        let message = Kind::Fired { service: ServiceId::Log, timer: "election".into() };
        evidence.keep(9_000_001, Event { kind: message, ..event });
        assert_eq!(evidence.line(9_000_001).line, "0.000 n1 timer log election");
        assert!(evidence.line(41).line.contains("no longer kept"));
    }
}
