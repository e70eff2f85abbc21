//! From text to condition, and from a wrong word to the one that was meant.

use super::forms::{Arg, Cmp, OPS, RESULTS, TABLE, Term, Which, is_slot};
use super::{Condition, Misread};
use crate::error::nearest;
use std::ops::Range;

/// How deep parentheses and `not` may be nested.
const DEEPEST: usize = 32;

/// A word and where it stands.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: &'a str,
    at: Range<usize>,
}

pub(super) fn condition(text: &str) -> Result<Condition, Misread> {
    let words = words(text);
    let end = text.trim_end().len();
    let mut reader = Reader { words: &words, next: 0, end: end..end };
    let condition = reader.any(0)?;
    match reader.peek() {
        None => Ok(condition),
        Some(word) => misread(word.at.clone(), "this ')' closes nothing", None),
    }
}

fn misread<T>(
    at: Range<usize>,
    why: impl Into<String>,
    help: Option<String>,
) -> Result<T, Misread> {
    Err(Misread { at, why: why.into(), help })
}

/// Splits at spaces, and around parentheses and comparisons.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = 0;
    while rest < text.len() {
        let tail = &text[rest..];
        let kind = |c: char| match c {
            c if c.is_whitespace() => 0,
            '(' => 1,
            ')' => 2,
            '<' | '>' | '=' => 3,
            _ => 4,
        };
        let first = tail.chars().next().map_or(0, kind);
        let single = matches!(first, 1 | 2);
        let end = tail.char_indices().skip(1).find(|(_, c)| single || kind(*c) != first);
        let end = rest + end.map_or(tail.len(), |(at, _)| at);
        if first != 0 {
            words.push(Word { text: &text[rest..end], at: rest..end });
        }
        rest = end;
    }
    words
}

struct Reader<'a> {
    words: &'a [Word<'a>],
    next: usize,
    end: Range<usize>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Word<'a>> {
        self.words.get(self.next)
    }

    fn take(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.text == text);
        self.next += usize::from(is);
        is
    }

    fn any(&mut self, depth: usize) -> Result<Condition, Misread> {
        let mut parts = vec![self.all(depth)?];
        while self.take("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_of(parts, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Misread> {
        let mut parts = vec![self.not(depth)?];
        while self.take("and") {
            parts.push(self.not(depth)?);
        }
        Ok(one_of(parts, Condition::All))
    }

    fn not(&mut self, depth: usize) -> Result<Condition, Misread> {
        let at = self.peek().map_or(self.end.clone(), |word| word.at.clone());
        if depth > DEEPEST {
            return misread(at, "this is nested too deeply", None);
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        if !self.take("(") {
            return self.term().map(Condition::Is);
        }
        let inner = self.any(depth + 1)?;
        match self.take(")") {
            true => Ok(inner),
            false => misread(at, "this '(' is never closed", Some("add a ')'".to_owned())),
        }
    }

    fn term(&mut self) -> Result<Term, Misread> {
        let ends = |word: &Word<'_>| ["and", "or", "not", "(", ")"].contains(&word.text);
        let rest = &self.words[self.next..];
        let count = rest.iter().position(ends).unwrap_or(rest.len());
        let before = self.next.checked_sub(1).map(|at| &self.words[at]);
        let words = &rest[..count];
        self.next += count;
        match (words, before, rest.first()) {
            ([], _, Some(word)) => {
                misread(word.at.clone(), format!("a statement is missing before '{word}'"), None)
            }
            ([], Some(word), None) => {
                let why = format!("a statement is missing after '{word}'");
                misread(word.at.clone(), why, None)
            }
            ([], None, None) => {
                let help = "write one, such as n2 leads or commit >= 40".to_owned();
                misread(0..self.end.end, "a condition is missing", Some(help))
            }
            _ => term(words),
        }
    }
}

impl std::fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text)
    }
}

fn one_of(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}

/// How far a form fits, and what it wants next.
struct Miss<'a> {
    fits: usize,
    /// The word of the form that does not fit; none if the form is over and words are left.
    wants: Option<&'a str>,
    /// Why what stands there does not do, in words for a person.
    why: Option<String>,
    form: &'a str,
}

fn term(words: &[Word<'_>]) -> Result<Term, Misread> {
    let mut misses = Vec::new();
    for (what, form, _) in TABLE {
        match fit(form, words) {
            Ok(args) => return Ok(Term { what: *what, args }),
            Err(miss) => misses.push(miss),
        }
    }
    let furthest = misses.iter().map(|miss| miss.fits).max().unwrap_or_default();
    misses.retain(|miss| miss.fits == furthest);
    Err(explain(words, furthest, &misses))
}

fn fit<'a>(form: &'a str, words: &[Word<'_>]) -> Result<Vec<Arg>, Miss<'a>> {
    let mut args = Vec::new();
    let mut given = words.iter();
    for (fits, wants) in form.split(' ').enumerate() {
        let miss = |why| Err(Miss { fits, wants: Some(wants), why, form });
        match given.next() {
            Some(word) if is_slot(wants) => match arg(wants, word.text) {
                Ok(arg) => args.push(arg),
                Err(why) => return miss(Some(why)),
            },
            Some(word) if word.text == wants => {}
            _ => return miss(None),
        }
    }
    match given.next() {
        None => Ok(args),
        Some(_) => Err(Miss { fits: form.split(' ').count(), wants: None, why: None, form }),
    }
}

/// Says which word is wrong and what could stand there.
fn explain(words: &[Word<'_>], furthest: usize, misses: &[Miss<'_>]) -> Misread {
    let mut wanted: Vec<&str> = misses.iter().filter_map(|miss| miss.wants).collect();
    wanted.dedup();
    let known: Vec<&str> = wanted.iter().copied().filter(|word| !is_slot(word)).collect();
    let forms: Vec<String> = misses.iter().map(|miss| miss.form.replace(" CMP ", " >= ")).collect();
    let shown = |list: &[String]| list.join(" · ");
    let Some(word) = words.get(furthest) else {
        let end = words.last().map_or(0, |word| word.at.end);
        let why = format!("something is missing here: {}", wanted.join(" or "));
        return Misread { at: end..end, why, help: Some(format!("write {}", shown(&forms))) };
    };
    let at = word.at.clone();
    if wanted.is_empty() {
        let why = "nothing more is expected here".to_owned();
        return Misread { at, why, help: Some("join statements with and, or".to_owned()) };
    }
    let near = nearest(word.text, known.iter().copied());
    let why = match misses {
        [Miss { why: Some(why), .. }, ..] if known.is_empty() => why.clone(),
        _ if furthest == 0 => format!("no statement begins with '{word}'"),
        _ => format!("'{word}' is not understood here"),
    };
    const TARGETS: [&str; 6] = ["leader", "minority", "majority", "one", "holder", "coordinator"];
    let help = match near {
        _ if furthest == 0 && TARGETS.contains(&word.text) => {
            "conditions name processes, such as n2 is up; somebody leads, lock NAME is held by WHO"
                .to_owned()
        }
        Some(near) => format!("did you mean '{near}'?"),
        None if furthest == 0 => {
            "statements begin with a process (n1, c1), somebody, nobody, everybody, lock, txn, \
             slot, decree, ring, commit …; 'netsplit schema' lists them all"
                .to_owned()
        }
        None => format!("write {}", shown(&forms)),
    };
    Misread { at, why, help: Some(help) }
}

/// Reads what stands for a word in capitals.
fn arg(slot: &str, text: &str) -> Result<Arg, String> {
    let one_of = |known: &'static [&'static str], what: &str| {
        let found = known.iter().find(|known| **known == text);
        found.map(|word| Arg::Word(word)).ok_or_else(|| {
            match nearest(text, known.iter().copied()) {
                Some(near) => format!("'{text}' is not {what}; did you mean '{near}'?"),
                None => format!("'{text}' is not {what}; known: {}", known.join(", ")),
            }
        })
    };
    match slot {
        "WHO" => text.parse().map(Arg::Who).map_err(|why| why.0),
        "N" => text.parse().map(Arg::N).map_err(|_| format!("'{text}' is not a whole number")),
        "CMP" => match Cmp::ALL.iter().find(|(known, _)| *known == text) {
            Some((_, cmp)) => Ok(Arg::Cmp(*cmp)),
            None => Err(format!("'{text}' compares nothing; write <, <=, =, >= or >")),
        },
        "SPAN" => text.parse().map(Arg::Span).map_err(|why| why.0),
        "SHARE" => match text.strip_suffix('%').and_then(|n| n.parse().ok()) {
            Some(percent @ 0..=100) => Ok(Arg::Share(percent)),
            _ => Err(format!("'{text}' is not a share; write 0% to 100%")),
        },
        "NAME" => text.parse().map(Arg::Name).map_err(|why| why.0),
        "TXN" => which(text).map(Arg::Txn),
        "OP" => one_of(OPS, "an operation"),
        _ => match text.parse() {
            Ok(value) => Ok(Arg::Value(value)),
            Err(_) => one_of(RESULTS, "a result"),
        },
    }
}

fn which(text: &str) -> Result<Which, String> {
    match text {
        "last" => Ok(Which::Last),
        "any" => Ok(Which::Any),
        _ if text.starts_with('t') => text.parse().map(Which::Id).map_err(|why| why.0),
        _ => text
            .parse()
            .map(Which::Number)
            .map_err(|_| format!("'{text}' is not a transaction; write 4, t2.4, last or any")),
    }
}
