//! A recording of the screen, in the format of asciinema, version 2.
//!
//! What it tells the time by is the cluster's clock, so a simulated run gives the same recording
//! every time, byte for byte. While that clock stands still or goes back, as when somebody looks at
//! the past, every picture stays for a moment.

use super::screen::Painter;
use crate::base::{Span, Time};
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// How long a picture stays that is no later than the one before, by the cluster's clock.
const MOMENT: Span = Span::millis(100);
/// What every picture is wrapped in on a terminal; a recording needs it neither.
const WRAPS: [&str; 2] = ["\x1b[?2026h", "\x1b[?2026l"];

/// A recording under way.
#[derive(Debug)]
pub struct Film<W: Write> {
    out: W,
    painter: Painter<Vec<u8>>,
    /// The cluster's time of the last picture, if there is one, and how much longer the recording
    /// has been since.
    last: Option<Time>,
    longer: Span,
}

impl<W: Write> Film<W> {
    /// Begins a recording of a screen of this size.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(mut out: W, (width, height): (u16, u16), title: &str) -> io::Result<Film<W>> {
        let head = serde_json::json!({
            "version": 2, "width": width, "height": height, "title": title,
        });
        writeln!(out, "{head}")?;
        Ok(Film {
            out,
            painter: Painter::new(Vec::new(), Size { width, height }),
            last: None,
            longer: Span::ZERO,
        })
    }

    /// Adds what the screen shows at a time, if it is anything new.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn show(&mut self, at: Time, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.painter.draw(|buf| {
            paint(buf);
            None
        })?;
        let bytes = std::mem::take(self.painter.out());
        if bytes.is_empty() {
            return Ok(());
        }
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for wrap in WRAPS {
            text = text.replace(wrap, "");
        }
        if let Some(last) = self.last.replace(at).filter(|last| at <= *last) {
            self.longer = self.longer + (last.since(at) + MOMENT);
        }
        let seconds = (at + self.longer).0 as f64 / 1e6;
        writeln!(self.out, "{}", serde_json::json!([seconds, "o", text]))
    }

    /// Sees to it that all of it is written.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What goes into a camera: one recording of one screen after the other, such as those of the acts
/// of a scenario, in the size of the first. Without a file there is nothing to record on.
#[derive(Debug, Default)]
pub struct Reel {
    blank: Option<File>,
    film: Option<Film<BufWriter<File>>>,
}

impl Reel {
    /// A reel that records to a file.
    pub fn of(file: File) -> Reel {
        Reel { blank: Some(file), film: None }
    }

    /// A screen of this size begins.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn begin(&mut self, size: (u16, u16), title: &str) -> io::Result<()> {
        if let Some(file) = self.blank.take() {
            self.film = Some(Film::begin(BufWriter::new(file), size, title)?);
        }
        Ok(())
    }

    /// Adds what a screen shows at a time.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn show(&mut self, at: Time, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.film.as_mut().map_or(Ok(()), |film| film.show(at, paint))
    }

    /// A screen ends.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.film.as_mut().map_or(Ok(()), Film::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn a_recording_played_back_shows_the_last_picture() {
        let mut bytes = Vec::new();
        let mut film = Film::begin(&mut bytes, (20, 2), "a \"title\"").unwrap();
        let told = [(0, "one"), (1_500_000, "one"), (2_500_000, "two"), (500_000, "one two")];
        for (at, text) in told {
            film.show(Time(at), |buf| buf.set_string(0, 1, text, Style::new())).unwrap();
        }
        film.flush().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["version"], &lines[0]["width"]), (&2.into(), &20.into()));
        assert_eq!(lines.len(), 4, "what shows nothing new is left out");
        assert_eq!((&lines[2][0], &lines[2][1]), (&2.5.into(), &"o".into()));
        assert_eq!(lines[3][0], 2.6, "who looks back does not turn the recording back");
        let size = |n: u16| n.try_into().unwrap();
        let mut terminal = vt100::Parser::new(size(2), size(20), 0);
        for line in &lines[1..] {
            terminal.process(line[2].as_str().unwrap().as_bytes());
        }
        assert_eq!(terminal.screen().contents().trim(), "one two");
    }
}
