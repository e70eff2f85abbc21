//! Reading one value of a TOML file, with an error that points at it when it is wrong.
//!
//! Cluster files, scenarios and layouts are read through this. A key that nobody knows, a value out
//! of range and one of another kind are refused with their place and a remedy.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{ParseError, Span};
use crate::error::{Error, Source, nearest};
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value, or what is wrong with it.
pub type Read<T> = Result<T, Error>;

/// The longest time that a file may ask for: longer than any experiment, and sums of a few do not
/// run over.
pub const LONGEST: Span = Span::secs(3_600);

/// A table whose keys are all known.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    source: &'a Source,
    table: &'a DeTable<'a>,
}

/// A value under its key.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    source: &'a Source,
    key: &'a str,
    key_at: Range<usize>,
    at: Range<usize>,
    value: &'a DeValue<'a>,
}

/// Reads a text as TOML.
///
/// # Errors
/// Says where it is none.
pub fn document(source: &Source) -> Read<Spanned<DeTable<'_>>> {
    DeTable::parse(&source.text).map_err(|error| {
        let whole = Error::new("this is not TOML");
        let whole = match error.span() {
            Some(span) => whole.at(source, span, error.message()),
            None => whole.help(error.message()),
        };
        match error.message().contains("basic string") {
            true => whole.help("a text ends with \" in its line; of several lines, with \"\"\""),
            false => whole,
        }
    })
}

impl<'a> Table<'a> {
    /// Reads the table, or says which key is none of `known`. `what` names the table.
    ///
    /// # Errors
    /// There is a key that is none of those.
    pub fn new(
        source: &'a Source,
        table: &'a DeTable<'a>,
        what: &str,
        known: &[&str],
    ) -> Read<Table<'a>> {
        let mut strangers: Vec<_> = table.keys().collect();
        strangers.retain(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(stranger) = strangers.into_iter().min_by_key(|key| key.span().start) else {
            return Ok(Table { source, table });
        };
        let name = stranger.get_ref();
        let help = match (nearest(name, known.iter().copied()), known) {
            (Some(near), _) => format!("did you mean '{near}'?"),
            (None, []) => format!("{what} takes no keys"),
            (None, _) => format!("{what} knows: {}", known.join(", ")),
        };
        let label = format!("not a key of {what}");
        Err(Error::new("unknown key").at(source, stranger.span(), label).help(help))
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let (name, value) = self.table.get_key_value(key)?;
        Some(Value {
            source: self.source,
            key: name.get_ref(),
            key_at: name.span(),
            at: value.span(),
            value: value.get_ref(),
        })
    }

    /// The value of a key, read in a way of its own, or what holds without it.
    pub fn get_or<T>(
        &self,
        key: &str,
        default: T,
        read: impl FnOnce(&Value<'a>) -> Read<T>,
    ) -> Read<T> {
        self.get(key).map_or(Ok(default), |value| read(&value))
    }

    /// All values, in the order of the file.
    pub fn entries(&self) -> Vec<Value<'a>> {
        let keys = self.table.keys();
        let mut all: Vec<_> = keys.filter_map(|key| self.get(key.get_ref())).collect();
        all.sort_by_key(|value| value.key_at.start);
        all
    }
}

impl<'a> Value<'a> {
    /// An error that points at a part of a text, given in bytes of that text. Where the file
    /// writes the text otherwise (with escapes), it points at all of it.
    pub fn wrong_part(
        &self,
        part: Range<usize>,
        what: impl Into<String>,
        label: impl Into<String>,
    ) -> Error {
        let DeValue::String(text) = self.value else { return self.wrong(what, label) };
        let written = self.source.text.get(self.at.clone()).unwrap_or_default();
        match written.find(text.as_ref()) {
            Some(offset) if !text.is_empty() => {
                let start = self.at.start + offset;
                let part = start + part.start..start + part.end;
                Error::new(what).at(self.source, part, label)
            }
            _ => self.wrong(what, label),
        }
    }

    /// Its key.
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// An error that points at the value.
    pub fn wrong(&self, what: impl Into<String>, label: impl Into<String>) -> Error {
        Error::new(what).at(self.source, self.at.clone(), label)
    }

    /// An error that points at the key.
    pub fn wrong_key(&self, what: impl Into<String>, label: impl Into<String>) -> Error {
        Error::new(what).at(self.source, self.key_at.clone(), label)
    }

    /// Adds this value to an error as a witness.
    pub fn witness(&self, error: Error, label: impl Into<String>) -> Error {
        error.at(self.source, self.at.clone(), label)
    }

    fn must_be(&self, what: &str) -> Error {
        let label = match self.value {
            DeValue::String(_) => "this is a text",
            DeValue::Integer(_) => "this is a whole number",
            DeValue::Float(_) => "this is a fraction",
            DeValue::Boolean(_) => "this is true or false",
            DeValue::Datetime(_) => "this is a date",
            DeValue::Array(_) => "this is a list",
            DeValue::Table(_) => "this is a table",
        };
        self.wrong(format!("'{}' must be {what}", self.key), label)
    }

    /// A text.
    pub fn text(&self) -> Read<&'a str> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.must_be("a text").help(format!("write {} = \"…\"", self.key))),
        }
    }

    /// A text of one line that is fit to be shown.
    pub fn line(&self, longest: usize) -> Read<String> {
        let text = self.text()?;
        if text.chars().any(char::is_control) {
            return Err(self.wrong(format!("'{}' must be one plain line", self.key), "it is not"));
        }
        match text.chars().count() <= longest {
            true => Ok(text.to_owned()),
            false => {
                let what = format!("'{}' may have {longest} characters at the most", self.key);
                Err(self.wrong(what, format!("this has {}", text.chars().count())))
            }
        }
    }

    /// Anything that is written as a text and has its own form.
    pub fn parse<T: FromStr<Err = ParseError>>(&self) -> Read<T> {
        self.text()?.parse().map_err(|ParseError(why)| self.wrong(why, "not understood"))
    }

    /// True or false.
    pub fn flag(&self) -> Read<bool> {
        match self.value {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.must_be("true or false")),
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// Whether it is a text.
    pub fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// A whole number of a range.
    pub fn number<T>(&self, range: RangeInclusive<T>) -> Read<T>
    where
        T: TryFrom<i128> + Into<i128> + Copy,
    {
        let (least, most): (i128, i128) = ((*range.start()).into(), (*range.end()).into());
        let DeValue::Integer(digits) = self.value else {
            return Err(self.must_be(&format!("a whole number from {least} to {most}")));
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).ok();
        let number = number.filter(|n| (least..=most).contains(n));
        match number.and_then(|n| T::try_from(n).ok()) {
            Some(number) => Ok(number),
            None => {
                let what = format!("'{}' must be from {least} to {most}", self.key);
                Err(self.wrong(what, "out of range"))
            }
        }
    }

    /// A length of time, at least `least`.
    pub fn time(&self, least: Span) -> Read<Span> {
        let DeValue::String(text) = self.value else {
            let error = self.must_be("a length of time, in quotes and with a unit");
            return Err(match self.value {
                DeValue::Integer(digits) => error.help(format!("write \"{digits}ms\"?")),
                _ => error.help("write \"150ms\", \"2s\" or \"1.5s\""),
            });
        };
        self.checked_time(text, least)
    }

    fn checked_time(&self, text: &str, least: Span) -> Read<Span> {
        let span: Span = match text.trim().parse() {
            Ok(span) => span,
            Err(ParseError(why)) => return Err(self.wrong(why, "not understood")),
        };
        match (least..=LONGEST).contains(&span) {
            true => Ok(span),
            false => {
                let longest = LONGEST.0 / 1_000_000;
                let what = format!("'{}' must be from {least} to {longest}s", self.key);
                Err(self.wrong(what, if span < least { "too short" } else { "too long" }))
            }
        }
    }

    /// A range of times, `1ms..4ms`, or one time.
    pub fn times(&self, least: Span) -> Read<(Span, Span)> {
        let text = match self.value {
            DeValue::String(text) => text,
            _ => return Err(self.must_be("times from..to").help("write \"1ms..4ms\" or \"2ms\"")),
        };
        let (fastest, slowest) = text.split_once("..").unwrap_or((text, text));
        let fastest = self.checked_time(fastest, least)?;
        let slowest = self.checked_time(slowest, least)?;
        match fastest <= slowest {
            true => Ok((fastest, slowest)),
            false => {
                let what = format!("'{}' runs backwards", self.key);
                let help = format!("write \"{slowest}..{fastest}\"");
                Err(self.wrong(what, "the first time is longer than the second").help(help))
            }
        }
    }

    /// A list; each item goes by the key of the list.
    pub fn list(&self) -> Read<Vec<Value<'a>>> {
        let DeValue::Array(items) = self.value else {
            let written = self.source.text.get(self.at.clone()).unwrap_or_default();
            let help = match (self.value, written.starts_with('[')) {
                (DeValue::Table(_), true) => format!("write [[{}]], in double brackets", self.key),
                (DeValue::Table(_), false) => format!("write {} = [{{ … }}]", self.key),
                _ => format!("write {} = [ … ]", self.key),
            };
            return Err(self.must_be("a list").help(help));
        };
        let item = |item: &'a Spanned<DeValue<'a>>| Value {
            at: item.span(),
            value: item.get_ref(),
            ..self.clone()
        };
        Ok(items.iter().map(item).collect())
    }

    /// A table with these keys. `what` names it.
    pub fn table(&self, what: &str, known: &[&str]) -> Read<Table<'a>> {
        match self.value {
            DeValue::Table(table) => Table::new(self.source, table, what, known),
            _ => Err(self.must_be("a table")),
        }
    }

    /// The table as it was read, whatever its keys.
    pub fn raw_table(&self) -> Read<&'a DeTable<'a>> {
        match self.value {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.must_be("a table")),
        }
    }

    /// A table whose keys are the writer's own.
    pub fn open_table(&self) -> Read<Table<'a>> {
        match self.value {
            DeValue::Table(table) => Ok(Table { source: self.source, table }),
            _ => Err(self.must_be("a table")),
        }
    }
}
