//! What a user did wrong: what, where, and what to do about it.
//!
//! Protocols cannot fail and checks report violations, so this is the only error there is. It names
//! the place in the file or argument with a caret, as compilers do, and ends with a remedy.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::sync::Arc;

/// A text that errors point into, and what to call it: a path, or `-c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it.
    pub name: String,
    /// All of it.
    pub text: Arc<str>,
}

impl Source {
    /// A text and its name.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Source {
        Source { name: name.into(), text: text.into() }
    }
}

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

impl Source {
    /// Reads a file that must be text, and not so large that it can only be the wrong one.
    ///
    /// # Errors
    /// Says why it cannot be read.
    pub fn read(path: &str) -> Result<Source, Error> {
        let refuse = |why: &str| Error::new(format!("cannot read '{path}': {why}"));
        let file = std::fs::File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => refuse("there is no such file"),
            _ => refuse(&error.to_string()),
        })?;
        let mut bytes = Vec::new();
        if let Err(error) = file.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
            return Err(refuse(&error.to_string()));
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(refuse("it is larger than 16 MiB")
                .help("such files have a few lines; is this the right one?"));
        }
        String::from_utf8(bytes).map(|text| Source::new(path, text)).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count();
            refuse(&format!("line {} is not UTF-8 text", line + 1))
        })
    }
}

/// A place in a text, and what to write below it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    span: Range<usize>,
    label: String,
}

/// Something that the user must change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    what: String,
    source: Option<Source>,
    marks: Vec<Mark>,
    helps: Vec<String>,
}

impl Error {
    /// An error that says `what` is wrong, in one line.
    pub fn new(what: impl Into<String>) -> Error {
        Error { what: what.into(), source: None, marks: Vec::new(), helps: Vec::new() }
    }

    /// Points at a place, a range of bytes, with a few words. The first place is the culprit; later
    /// ones (in the same text) explain it.
    #[must_use]
    pub fn at(mut self, source: &Source, span: Range<usize>, label: impl Into<String>) -> Error {
        let source = self.source.get_or_insert_with(|| source.clone());
        let span = clamp(&source.text, span);
        self.marks.push(Mark { span, label: label.into() });
        self
    }

    /// Adds a remedy, in one line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.helps.push(help.into());
        self
    }

    /// What is wrong, without the place.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where the culprit is, if there is a text: line and column, from 1.
    pub fn place(&self) -> Option<(usize, usize)> {
        let (source, mark) = (self.source.as_ref()?, self.marks.first()?);
        let before = &source.text[..mark.span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }

    /// Place, reason and first remedy in one line, for where there is no room for more.
    pub fn line(&self) -> String {
        let place = self.source.as_ref().zip(self.place());
        let place = place.map(|(source, (line, _))| format!("{}:{line}: ", source.name));
        let help = self.helps.first().map(|help| format!(" ({help})"));
        [place.unwrap_or_default(), self.what.clone(), help.unwrap_or_default()].concat()
    }

    /// The whole message, for standard error, without a newline at the end.
    pub fn render(&self, colour: bool) -> String {
        let title = Level::ERROR.primary_title(self.what.as_str());
        let mut group = Group::with_title(title);
        if let Some(source) = &self.source {
            let marks = self.marks.iter().enumerate().map(|(i, mark)| {
                let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                kind.span(mark.span.clone()).label(mark.label.as_str())
            });
            let snippet = Snippet::source(&*source.text).path(source.name.as_str());
            group = group.element(snippet.annotations(marks));
        }
        for help in &self.helps {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Error {}

/// The nearest range that lies in the text and splits no character.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let down = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = down(span.start);
    start..down(span.end).max(start)
}

/// The one of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing costs the product of the lengths, and nobody mistypes a word of a thousand letters.
    let word: String = word.chars().take(64).collect();
    let score = |known: &str| {
        let edits = strsim::damerau_levenshtein(known, &word);
        let few = edits * 3 <= known.len().max(word.len());
        let bonus = if few { 1.0 / (1 + edits) as f64 } else { 0.0 };
        strsim::jaro_winkler(known, &word) + bonus
    };
    let scored = known.into_iter().map(|known| (score(known), known));
    let off = |known: &str| known.len().abs_diff(word.len());
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then(off(b.1).cmp(&off(a.1))));
    best.filter(|(score, _)| *score > 0.84).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_shows_its_place_and_its_remedy() {
        let source = Source::new("x.toml", "title = \"a\"\nnods = 5\n");
        let error = Error::new("unknown key 'nods'")
            .at(&source, 12..16, "not known here")
            .help("did you mean 'nodes'?");
        assert_eq!(error.place(), Some((2, 1)));
        assert_eq!(error.line(), "x.toml:2: unknown key 'nods' (did you mean 'nodes'?)");
        let expected = "\
error: unknown key 'nods'
 --> x.toml:2:1
  |
2 | nods = 5
  | ^^^^ not known here
  |
  = help: did you mean 'nodes'?";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["heartbeat", "suspect_after", "nodes", "seed"];
        assert_eq!(nearest("hearbeat", known), Some("heartbeat"));
        assert_eq!(nearest("node", known), Some("nodes"));
        assert_eq!(nearest("suspect", known), Some("suspect_after"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest("", known), None);
    }

    proptest! {
        #[test]
        fn no_text_and_no_place_panics(
            text in "\\PC{0,40}|(?s:.{0,20})", start in 0usize..60, end in 0usize..60, what in "(?s:.{0,9})"
        ) {
            let source = Source::new(what.clone(), text.as_str());
            let error = Error::new(what.clone()).at(&source, start..end, what.clone()).help(what);
            let _ = (error.render(true), error.render(false), error.place());
        }
    }
}
