//! What a scenario expects: a claim, and when it must be so.
//!
//! ```text
//!  n2 leads                          now, when the step's commands have been given
//!  within 3s: commit >= 40           at some moment of the next three seconds
//!  throughout 2s: nobody leads       at every moment of the next two seconds
//!  throughout: not n1 leads          at every moment to the end of the act
//!  lock is violated                  a check: its name or a rule, and ok, violated or stalled
//! ```

use crate::base::Span;
use crate::check::{Checks, Verdict};
use crate::error::nearest;
use crate::view::Board;
use crate::view::condition::{Condition, Misread};
use std::fmt;

/// How a check is expected to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Nothing spoke against it so far.
    Ok,
    /// It was broken: something wrong happened.
    Violated,
    /// It was broken: something good did not happen in time.
    Stalled,
}

impl Stand {
    const ALL: [(&'static str, Stand); 3] =
        [("ok", Stand::Ok), ("violated", Stand::Violated), ("stalled", Stand::Stalled)];
}

/// What is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A condition on the board.
    So(Condition),
    /// A check, by its name, or every check. Or a rule, as in FENCE-2.
    Check(String, Stand),
}

/// When it must be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When the step's commands have been given.
    Now,
    /// At some moment within so long.
    Within(Span),
    /// At every moment for so long; to the end of the act, if no length is given.
    Throughout(Option<Span>),
}

/// A claim, and when it must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// When.
    pub when: When,
    /// What.
    pub claim: Claim,
}

/// How to write each, and what it means.
pub const FORMS: &[(&str, &str)] = &[
    ("CONDITION", "it is so when the step's commands have been given"),
    ("within SPAN: CONDITION", "it is so at some moment of the time that follows"),
    ("throughout SPAN: CONDITION", "it is so at every moment of the time that follows"),
    ("throughout: CONDITION", "it is so at every moment to the end of the act"),
    ("CHECK is ok|violated|stalled", "a check, a rule such as FENCE-2, or everything"),
];

/// The word for all checks.
const EVERY: &str = "everything";

impl Claim {
    /// Whether it is so.
    pub fn holds(&self, board: &Board, checks: &Checks) -> bool {
        match self {
            Claim::So(condition) => condition.holds(board),
            Claim::Check(name, stand) => stands(name, *stand, checks),
        }
    }

    /// How things stand instead, for one that is not so.
    pub fn instead(&self, board: &Board, checks: &Checks) -> String {
        match self {
            Claim::So(condition) => {
                let told = |part: &&Condition| match part.instead(board) {
                    Some(instead) => format!("'{part}' ({instead})"),
                    None => format!("'{part}'"),
                };
                let missing: Vec<String> = condition.missing(board).iter().map(told).collect();
                match missing.as_slice() {
                    [] => "it was not so".to_owned(),
                    [one] => format!("it is not so that {one}"),
                    many => format!("these are not so: {}", many.join(", ")),
                }
            }
            Claim::Check(name, _) => {
                let broken =
                    checks.violations().find(|v| name == EVERY || is(name, v.check, v.rule));
                match broken.or_else(|| checks.first()) {
                    Some(found) => format!("{} is broken: {}", found.rule, found.what),
                    None => "every check is ok".to_owned(),
                }
            }
        }
    }
}

fn is(name: &str, check: &str, rule: &str) -> bool {
    name == check || name == rule
}

fn stands(name: &str, stand: Stand, checks: &Checks) -> bool {
    let broken = |stall: bool| {
        let found = |v: &crate::check::Violation| {
            v.is_stall() == stall && (name == EVERY || is(name, v.check, v.rule))
        };
        checks.violations().any(found)
    };
    match stand {
        Stand::Ok => !broken(false) && !broken(true),
        Stand::Violated => broken(false),
        // A property of progress may be late before its time is up.
        Stand::Stalled => {
            broken(true)
                || checks.standings().any(|s| s.name == name && s.verdict == Verdict::Stalled)
        }
    }
}

/// The names of all checks. Rules have names in capitals and are not listed.
pub(super) fn check_names() -> Vec<&'static str> {
    Checks::names(&crate::check::Expect::of(Vec::new()))
}

/// Says whether `name` is that of a check or looks like that of a rule.
///
/// # Errors
/// What was probably meant.
pub(super) fn known_check(name: &str) -> Result<(), String> {
    let rule = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    let names = check_names();
    if rule || name == EVERY || names.contains(&name) {
        return Ok(());
    }
    Err(match nearest(name, names.iter().copied().chain([EVERY])) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("checks are {}; {EVERY} stands for all", names.join(", ")),
    })
}

impl Expect {
    /// Reads an expectation.
    ///
    /// # Errors
    /// Says which part of the text is not understood.
    pub fn parse(text: &str) -> Result<Expect, Misread> {
        let (when, start) = match text.split_once(':') {
            Some((when, _)) => (timing(when)?, when.len() + 1),
            None => (no_timing(text)?, 0),
        };
        let claim = claim(&text[start..]).map_err(|misread| Misread {
            at: misread.at.start + start..misread.at.end + start,
            ..misread
        })?;
        Ok(Expect { when, claim })
    }
}

const TIMINGS: &str = "write within 3s: …, throughout 2s: … or throughout: …";

/// Without a colon there is no time.
fn no_timing(text: &str) -> Result<When, Misread> {
    let word = text.split_whitespace().next().unwrap_or_default();
    if !["within", "throughout"].contains(&word) {
        return Ok(When::Now);
    }
    let start = text.find(word).unwrap_or_default();
    let why = "a colon is missing after the time".to_owned();
    Err(Misread { at: start..start + word.len(), why, help: Some(TIMINGS.to_owned()) })
}

fn timing(text: &str) -> Result<When, Misread> {
    let at = |word: &str| {
        let start = text.find(word).unwrap_or_default();
        start..start + word.len()
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let span = |word: &str| {
        word.parse::<Span>().map_err(|why| Misread { at: at(word), why: why.0, help: None })
    };
    match words[..] {
        ["within", word] => Ok(When::Within(span(word)?)),
        ["throughout", word] => Ok(When::Throughout(Some(span(word)?))),
        ["throughout"] => Ok(When::Throughout(None)),
        _ => Err(Misread {
            at: 0..text.trim_end().len(),
            why: "this is no time for an expectation".to_owned(),
            help: Some(TIMINGS.to_owned()),
        }),
    }
}

fn claim(text: &str) -> Result<Claim, Misread> {
    if let [name, "is", stand] = text.split_whitespace().collect::<Vec<_>>()[..]
        && let Some((_, stand)) = Stand::ALL.iter().find(|(known, _)| *known == stand)
    {
        let start = text.find(name).unwrap_or_default();
        return match known_check(name) {
            Ok(()) => Ok(Claim::Check(name.to_owned(), *stand)),
            Err(help) => Err(Misread {
                at: start..start + name.len(),
                why: format!("there is no check '{name}'"),
                help: Some(help),
            }),
        };
    }
    Condition::parse(text).map(Claim::So).map_err(|misread| strange_stand(text).unwrap_or(misread))
}

/// A check that is said to stand as none can, or together with something else.
fn strange_stand(text: &str) -> Option<Misread> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_check = |name: &str| check_names().contains(&name) || name == EVERY;
    let (culprit, why, help) = match words[..] {
        [name, "is", stand] if is_check(name) => {
            (stand, format!("a check cannot be '{stand}'"), "write ok, violated or stalled")
        }
        [name, "is", _, word @ ("and" | "or"), ..] if is_check(name) => {
            let help = "write several expectations: [\"log is violated\", \"lock is ok\"]";
            (word, "a check stands alone".to_owned(), help)
        }
        _ => return None,
    };
    let start = text.rfind(culprit).unwrap_or_default();
    Some(Misread { at: start..start + culprit.len(), why, help: Some(help.to_owned()) })
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::So(condition) => write!(f, "{condition}"),
            Claim::Check(name, stand) => {
                let word = Stand::ALL.iter().find(|(_, known)| known == stand);
                write!(f, "{name} is {}", word.map_or("", |(word, _)| word))
            }
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::Now => write!(f, "{}", self.claim),
            When::Within(span) => write!(f, "within {span}: {}", self.claim),
            When::Throughout(Some(span)) => write!(f, "throughout {span}: {}", self.claim),
            When::Throughout(None) => write!(f, "throughout: {}", self.claim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_read_back_what_they_print() {
        for text in [
            "n2 leads",
            "within 3s: commit >= 40",
            "throughout: not n1 leads",
            "throughout 2s: nobody leads and n1 is up",
            "lock is violated",
            "within 5s: FENCE-2 is violated",
            "everything is ok",
            "progress is stalled",
        ] {
            let expect = Expect::parse(text).unwrap_or_else(|misread| panic!("{misread:?}"));
            assert_eq!(expect.to_string(), text);
        }
    }

    #[test]
    fn a_mistake_is_found_behind_the_time() {
        for (text, culprit, help) in [
            ("within 3: n1 leads", "3", ""),
            ("whithin 3s: n1 leads", "whithin 3s", "write within 3s"),
            ("within 3s: n1 ledas", "ledas", "did you mean 'leads'?"),
            ("within 3s n1 leads", "within", "write within 3s: …"),
            ("throughout: log is broken", "broken", "write ok, violated or stalled"),
            ("throughout: lokc is ok", "lokc", "did you mean 'lock'?"),
        ] {
            let misread = Expect::parse(text).expect_err(text);
            assert_eq!(&text[misread.at.clone()], culprit, "{misread:?}");
            assert!(misread.help.clone().unwrap_or_default().contains(help), "{misread:?}");
        }
    }
}
