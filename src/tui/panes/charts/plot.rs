//! One chart: curves over the time of the run, an axis on the left, faults and times below.

use super::super::Scene;
use super::super::stroke::{Stroke, dots};
use super::super::table::{clock, folded, put, right_of, take};
use crate::base::{Span, Time};
use crate::tui::frame;
use crate::tui::select::Pick;
use crate::tui::theme::Role;
use crate::view::timeline::{Mark, MarkKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span as Run};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::Canvas;

/// Cells for the numbers of the axis, with the axis.
const NUMBERS: u16 = 7;

/// One curve.
pub(super) struct Curve {
    /// What stands at its end.
    pub name: &'static str,
    /// How it looks.
    pub role: Role,
    /// One value after the other; none is a gap.
    pub values: Vec<Option<u64>>,
}

/// One chart.
pub(super) struct Chart<'a> {
    pub scene: &'a Scene<'a>,
    pub name: &'static str,
    /// The one that matters most last: it is drawn over the others.
    pub curves: &'a [Curve],
    /// Whether the axis grows by factors.
    pub log: bool,
    /// What a value is divided by on the axis.
    pub unit: u64,
    /// How long the time of one value is.
    pub length: Span,
    /// The end of the run.
    pub end: Time,
}

impl Chart<'_> {
    /// Draws it.
    pub(super) fn draw(&self, area: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let mut rest = area;
        put(buf, look, take(&mut rest, 1), self.head());
        let below = if rest.height > 5 { 2 } else { u16::from(rest.height > 2) };
        let height = rest.height - below;
        let plot = take(&mut rest, height.into());
        let plot = right_of(plot, NUMBERS);
        if plot.is_empty() {
            return;
        }
        let scale = self.scale(plot.height);
        self.numbers(Rect { x: area.x, width: NUMBERS.min(area.width), ..plot }, &scale, buf);
        let values = self.curves.iter().any(|curve| curve.values.iter().any(Option::is_some));
        if !values {
            let line = Line::styled("nothing measured yet", look.style(Role::Muted));
            put(buf, look, Rect { y: plot.y + plot.height / 2, height: 1, ..plot }, line);
        }
        match look.glyphs.canvas {
            Some(marker) => self.canvas(plot, &scale, marker, buf),
            None => self.letters(plot, &scale, buf),
        }
        self.bars(plot, buf);
        let faults = if below > 1 { take(&mut rest, 1) } else { Rect::default() };
        self.faults(right_of(faults, NUMBERS), buf);
        self.times(right_of(rest, NUMBERS), buf);
    }

    /// What is drawn, and the values at the moment that is chosen.
    fn head(&self) -> Line<'static> {
        let look = self.scene.look;
        let mut head = Line::styled(format!(" {}", self.name), look.style(Role::Muted));
        let Some(time) = self.scene.select.time else { return head };
        let at = usize::try_from(time.0 / self.length.0.max(1)).unwrap_or(usize::MAX);
        head.push_span(Run::styled(format!("  at {}s:", clock(time)), look.style(Role::Accent)));
        for curve in self.curves.iter().rev() {
            let value = curve.values.get(at).copied().flatten();
            let value = value.map_or("-".to_owned(), |value| self.label(value as f64));
            head.push_span(Run::styled(format!(" {} {value}", curve.name), look.style(curve.role)));
        }
        head
    }

    /// The highest value, and a little more.
    fn top(&self) -> u64 {
        let values = self.curves.iter().flat_map(|curve| curve.values.iter().flatten());
        values.copied().max().unwrap_or(1).max(self.unit)
    }

    fn scale(&self, height: u16) -> Scale {
        let top = self.top();
        match self.log {
            false => Scale { low: 0.0, high: top as f64, log: false, height },
            true => {
                let values = self.curves.iter().flat_map(|curve| curve.values.iter().flatten());
                let low = values.copied().min().unwrap_or(1).max(1) as f64;
                let (low, high) = (low.log10().floor(), (top as f64 * 1.2).log10());
                Scale { low, high: high.max(low + 1.0), log: true, height }
            }
        }
    }

    fn numbers(&self, area: Rect, scale: &Scale, buf: &mut Buffer) {
        let look = self.scene.look;
        let (tick, bar) = if look.glyphs.is_ascii() { ("+", "|") } else { ("┤", "│") };
        let style = look.style(Role::Muted);
        let mut last = String::new();
        for (row, place) in area.rows().enumerate() {
            let number = scale.number(row as u16).map(|value| self.label(value));
            let number = number.filter(|number| *number != last);
            let line = match &number {
                Some(number) => format!("{number:>6}{tick}"),
                None => format!("{:>6}{bar}", ""),
            };
            last = number.unwrap_or(last);
            frame::put(buf, place, &Line::styled(line, style));
        }
    }

    fn label(&self, value: f64) -> String {
        let value = value / self.unit as f64;
        match value {
            v if v >= 1_000_000.0 => format!("{:.0}M", v / 1_000_000.0),
            v if v >= 10_000.0 => format!("{:.0}k", v / 1_000.0),
            v if v >= 1.0 || v == 0.0 => format!("{v:.0}"),
            v => format!("{v:.1}"),
        }
    }

    /// Where the middle of a value's time is, in parts of the width.
    fn along(&self, bin: usize) -> f64 {
        let middle = (bin as f64 + 0.5) * self.length.0 as f64;
        (middle / self.end.0.max(1) as f64).min(1.0)
    }

    fn canvas(&self, plot: Rect, scale: &Scale, marker: Marker, buf: &mut Buffer) {
        let (across, down) = dots(marker);
        let size = (i32::from(plot.width) * across, i32::from(plot.height) * down);
        let mut strokes = Vec::new();
        for curve in self.curves {
            let color = self.scene.look.style(curve.role).fg.unwrap_or(Color::Reset);
            let place = |bin: usize, value: u64| {
                let x = self.along(bin) * f64::from(size.0 - 1);
                (x as i32, (scale.part(value) * f64::from(size.1 - 1)) as i32)
            };
            let mut before = None;
            for (bin, value) in curve.values.iter().enumerate() {
                let here = value.map(|value| place(bin, value));
                if let Some(to) = here {
                    let from = before.unwrap_or(to);
                    strokes.push(Stroke { from, to, dash: 0, thick: false, color, size });
                }
                before = here;
            }
        }
        let canvas = Canvas::default()
            .marker(marker)
            .x_bounds([0.0, f64::from(plot.width)])
            .y_bounds([0.0, f64::from(plot.height)])
            .paint(|context| strokes.iter().for_each(|stroke| context.draw(stroke)));
        canvas.render(plot, buf);
        self.names(plot, scale, buf);
    }

    /// The name of each curve, at the last of its values that has room.
    fn names(&self, plot: Rect, scale: &Scale, buf: &mut Buffer) {
        for (at, curve) in self.curves.iter().enumerate() {
            let width = curve.name.len() as u16;
            let values = curve.values.iter().enumerate().rev();
            let mut places = values.filter_map(|(bin, value)| Some((bin, (*value)?)));
            let Some((bin, value)) = places.next() else { continue };
            let x = (self.along(bin) * f64::from(plot.width)) as u16;
            let row = (scale.part(value) * f64::from(plot.height)) as u16;
            let x = plot.x + x.min(plot.width.saturating_sub(width + 1));
            let free = |y: u16| {
                let inside = plot.contains(Position::new(x, y));
                inside && (x..(x + width).min(plot.right())).all(|x| buf[(x, y)].symbol() == " ")
            };
            let row = plot.y + row.min(plot.height - 1);
            // Above the upper curve, below the lower one.
            let (above, below) =
                ([row.saturating_sub(1), row.saturating_sub(2)], [row + 1, row + 2]);
            let near = if at == 0 { [above, below] } else { [below, above] }.concat();
            if let Some(y) = near.into_iter().find(|y| free(*y)) {
                let place = Rect::new(x, y, width.min(plot.right() - x), 1);
                let style = self.scene.look.style(curve.role);
                frame::put(buf, place, &Line::styled(curve.name, style));
            }
        }
    }

    /// With letters only: the first letter of a curve's name, or its last digit.
    fn letters(&self, plot: Rect, scale: &Scale, buf: &mut Buffer) {
        for (at, curve) in self.curves.iter().enumerate() {
            let sign = if at + 1 == self.curves.len() { "o" } else { "*" };
            for (bin, value) in curve.values.iter().enumerate() {
                let Some(value) = value else { continue };
                let x = plot.x + (self.along(bin) * f64::from(plot.width - 1)) as u16;
                let y = plot.y + (scale.part(*value) * f64::from(plot.height - 1)) as u16;
                buf[(x, y)].set_symbol(sign).set_style(self.scene.look.style(curve.role));
            }
            let y = plot.y + at as u16;
            let text = format!("{sign} {}", curve.name);
            let x = plot.right().saturating_sub(text.len() as u16 + 1).max(plot.x);
            if y < plot.bottom() && plot.width > 20 {
                let place = Rect::new(x, y, plot.right() - x, 1);
                frame::put(buf, place, &Line::styled(text, self.scene.look.style(curve.role)));
            }
        }
    }

    fn column(&self, at: Time, width: u16) -> u16 {
        let part = u128::from(at.0) * u128::from(width) / u128::from(self.end.0.max(1));
        u16::try_from(part).unwrap_or(u16::MAX).min(width.saturating_sub(1))
    }

    /// The cursor, and the moment that is chosen. A click on a column goes to its time.
    fn bars(&self, plot: Rect, buf: &mut Buffer) {
        for (at, column) in plot.columns().enumerate() {
            let passed = u128::from(self.end.0) * at as u128 / u128::from(plot.width);
            let time = Time(u64::try_from(passed).unwrap_or(u64::MAX));
            self.scene.spot(column, Pick::Moment(time));
        }
        let ascii = self.scene.look.glyphs.is_ascii();
        if !self.scene.timeline.is_live() {
            self.bar(self.scene.board.now, if ascii { ":" } else { "┊" }, plot, buf);
        }
        if let Some(time) = self.scene.select.time {
            self.bar(time, if ascii { "|" } else { "│" }, plot, buf);
        }
    }

    fn bar(&self, time: Time, symbol: &str, plot: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let x = plot.x + self.column(time, plot.width);
        for y in plot.top()..plot.bottom() {
            if buf[(x, y)].symbol() == " " {
                buf[(x, y)].set_symbol(symbol).set_style(look.style(Role::Accent));
            }
        }
    }

    /// Faults, each with as much of its text as there is room for.
    fn faults(&self, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let look = self.scene.look;
        let wanted = |mark: &&Mark| {
            matches!(mark.kind, MarkKind::Fault | MarkKind::Panic | MarkKind::Violation)
        };
        let marks: Vec<&Mark> =
            self.scene.timeline.viewed().marks().iter().filter(wanted).collect();
        for (at, mark) in marks.iter().enumerate() {
            let column = self.column(mark.at, area.width);
            let next =
                marks.get(at + 1).map_or(area.width, |mark| self.column(mark.at, area.width));
            let (glyph, role) = match mark.kind {
                MarkKind::Violation => (look.glyphs.violation, Role::Violation),
                MarkKind::Panic => (look.glyphs.down, Role::Bad),
                _ => (look.glyphs.fault, Role::Warn),
            };
            let room = Rect {
                width: (next.max(column + 1) - column).min(area.width),
                ..right_of(area, column)
            };
            let style = look.style(role);
            frame::put(buf, Rect { width: 1, ..room }, &Line::styled(glyph, style));
            let text = frame::cut(
                folded(&mark.text).into(),
                usize::from(room.width).saturating_sub(2),
                look.glyphs.ellipsis,
            );
            if text.width() > 2 {
                frame::put(buf, right_of(room, 1), &text.style(look.style(Role::Muted)));
            }
        }
    }

    fn times(&self, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let style = self.scene.look.style(Role::Muted);
        let seconds = |at: u64| format!("{}.{}s", at / 1_000_000, at / 100_000 % 10);
        let parts = u64::from(area.width / 14).clamp(1, 8);
        for part in 0..parts {
            let at = self.end.0 / parts * part;
            let place = right_of(area, self.column(Time(at), area.width));
            frame::put(buf, place, &Line::styled(seconds(at), style));
        }
        let end = seconds(self.end.0);
        let place = right_of(area, area.width.saturating_sub(end.len() as u16));
        frame::put(buf, place, &Line::styled(end, style));
    }
}

/// From values to rows.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
    height: u16,
}

impl Scale {
    /// How far down a value is: 0 is the top, 1 the bottom.
    fn part(&self, value: u64) -> f64 {
        let value = if self.log { (value.max(1) as f64).log10() } else { value as f64 };
        let part = (self.high - value) / (self.high - self.low);
        part.clamp(0.0, 1.0)
    }

    /// The number at a row of the axis, if there is one: powers of ten, or a few even steps.
    fn number(&self, row: u16) -> Option<f64> {
        let rows = f64::from(self.height.saturating_sub(1).max(1));
        if !self.log {
            let every = (self.height / 4).max(1);
            let wanted = row.is_multiple_of(every) || row + 1 == self.height;
            let value = self.high - (self.high - self.low) * f64::from(row) / rows;
            return wanted.then_some(value);
        }
        let mut powers = (self.low as i32..=self.high as i32).map(f64::from);
        let at = |power: f64| ((self.high - power) / (self.high - self.low) * rows).round();
        powers.find(|power| at(*power) == f64::from(row)).map(|power| 10_f64.powf(power))
    }
}
