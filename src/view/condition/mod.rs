//! Conditions on the board: `n2 leads and not slot 7 is chosen`, in a small language of its own.
//!
//! A scenario waits for them and expects them, so one says what one means instead of a time that
//! holds for one seed only. A condition prints as the text that it is read from. What can be said
//! is one table ([`FORMS`]): it reads, it prints, it is the help, and it finds the word that was
//! meant where a person mistyped one.
//!
//! ```text
//!  "n2 leads and slot 7 has 2 accepts"
//!       │ parse: words, connectives, the form that fits each part
//!       v
//!  Condition::All [ Term(Leads, [n2]), Term(SlotAccepts, [7, 2]) ]
//!       │ holds(board)
//!       v
//!  true or false: a pure function of the board
//! ```
//!
//! `not` binds closest, then `and`, then `or`; parentheses group.

mod forms;
mod holds;
mod parse;

pub use forms::{FORMS, Term};

use super::Board;
use std::fmt;
use std::ops::Range;

/// Something that is so or not, on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One statement.
    Is(Term),
    /// It is not so.
    Not(Box<Condition>),
    /// All of these; at least two.
    All(Vec<Condition>),
    /// Any of these; at least two.
    Any(Vec<Condition>),
}

/// Why a text is no condition: where, what was expected, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The culprit, in bytes of the text.
    pub at: Range<usize>,
    /// What is wrong there.
    pub why: String,
    /// What to write, if that can be guessed.
    pub help: Option<String>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Says which word is not understood, and what was expected in its place.
    pub fn parse(text: &str) -> Result<Condition, Misread> {
        parse::condition(text)
    }

    /// Whether it is so.
    pub fn holds(&self, board: &Board) -> bool {
        match self {
            Condition::Is(term) => term.holds(board),
            Condition::Not(inner) => !inner.holds(board),
            Condition::All(parts) => parts.iter().all(|part| part.holds(board)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(board)),
        }
    }

    /// How it is instead of this, for a statement that is not so and of which that can be told.
    pub fn instead(&self, board: &Board) -> Option<String> {
        match self {
            Condition::Is(term) => term.instead(board),
            _ => None,
        }
    }

    /// The statements in it that stand in its way: what is missing while it does not hold.
    pub fn missing(&self, board: &Board) -> Vec<&Condition> {
        match self {
            Condition::All(parts) => parts.iter().flat_map(|part| part.missing(board)).collect(),
            _ if self.holds(board) => Vec::new(),
            _ => vec![self],
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Condition], word: &str| {
            for (i, part) in parts.iter().enumerate() {
                let word = if i == 0 { "" } else { word };
                match part {
                    Condition::Is(_) | Condition::Not(_) => write!(f, "{word}{part}")?,
                    _ => write!(f, "{word}({part})")?,
                }
            }
            Ok(())
        };
        match self {
            Condition::Is(term) => write!(f, "{term}"),
            Condition::Not(inner) => match **inner {
                Condition::Is(_) | Condition::Not(_) => write!(f, "not {inner}"),
                _ => write!(f, "not ({inner})"),
            },
            Condition::All(parts) => joined(f, parts, " and "),
            Condition::Any(parts) => joined(f, parts, " or "),
        }
    }
}

#[cfg(test)]
mod tests;
