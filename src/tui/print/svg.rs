//! A picture as SVG.

use super::shapes::shapes;
use super::{cells, rgb};
use crate::tui::theme::Look;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The width and height of a cell, in units of the picture.
const CELL: (u32, u32) = (9, 18);
/// From the top of a cell to the line that letters stand on.
const BASELINE: u32 = 14;

/// Letters of one style, side by side.
struct Run {
    x: u16,
    /// How many cells they take.
    width: u32,
    text: String,
    ink: u32,
    bold: bool,
    underlined: bool,
}

/// The picture as a file of its own. The text in it can be selected and searched.
pub fn svg(buf: &Buffer, look: &Look, title: &str) -> String {
    let area = buf.area;
    let paper = look.paper();
    let (width, height) = (u32::from(area.width) * CELL.0, u32::from(area.height) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#{:06x}\"/>\n",
        escape(title),
        paper.1
    );
    // Rectangles by colour and density: grounds first, then shapes. BTreeMap, so that the same
    // picture is the same file.
    let mut grounds: BTreeMap<u32, String> = BTreeMap::new();
    let mut drawn: BTreeMap<(u32, u8), String> = BTreeMap::new();
    let mut texts = String::new();
    for y in 0..area.height {
        let mut runs: Vec<Run> = Vec::new();
        for (x, cell) in cells(buf, area.y + y) {
            let x = x - area.x;
            let (ink, ground) = colours(cell, paper);
            if ground != paper.1 {
                let path = grounds.entry(ground).or_default();
                rect(path, x, y, (0, 0, 1000, 1000));
            }
            match shapes(cell.symbol()) {
                Some((shapes, dense)) => {
                    let path = drawn.entry((ink, dense)).or_default();
                    shapes.iter().for_each(|s| rect(path, x, y, (s.x, s.y, s.width, s.height)));
                }
                None => add(&mut runs, x, cell, ink),
            }
        }
        runs.iter().for_each(|run| write_run(&mut texts, run, y));
    }
    for (ground, path) in grounds {
        let _ = writeln!(
            out,
            "<path fill=\"#{ground:06x}\" shape-rendering=\"crispEdges\" d=\"{path}\"/>"
        );
    }
    for ((ink, dense), path) in drawn {
        let opacity = if dense < 100 { format!(" opacity=\"0.{dense}\"") } else { String::new() };
        let _ = writeln!(out, "<path fill=\"#{ink:06x}\"{opacity} d=\"{path}\"/>");
    }
    out.push_str(
        "<g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"15\" xml:space=\"preserve\">\n",
    );
    out + &texts + "</g>\n</svg>\n"
}

/// The colours of a cell as they are seen: ink and ground.
fn colours(cell: &Cell, paper: (u32, u32)) -> (u32, u32) {
    let (ink, ground) = (rgb(cell.fg).unwrap_or(paper.0), rgb(cell.bg).unwrap_or(paper.1));
    match cell.modifier.contains(Modifier::REVERSED) {
        true => (ground, ink),
        false => (ink, ground),
    }
}

/// Adds a rectangle, given in thousandths of a cell, to a path.
fn rect(path: &mut String, x: u16, y: u16, (left, top, width, height): (u16, u16, u16, u16)) {
    let across = |thousandths: u32| f64::from(thousandths * CELL.0) / 1000.0;
    let down = |thousandths: u32| f64::from(thousandths * CELL.1) / 1000.0;
    let (x, y) = (u32::from(x) * 1000 + u32::from(left), u32::from(y) * 1000 + u32::from(top));
    let (width, height) = (across(width.into()), down(height.into()));
    let _ = write!(path, "M{} {}h{width}v{height}h-{width}z", across(x), down(y));
}

/// Adds a letter to the last run, or begins another.
fn add(runs: &mut Vec<Run>, x: u16, cell: &Cell, ink: u32) {
    let symbol = cell.symbol();
    let width = (unicode_width::UnicodeWidthStr::width(symbol) as u32).max(1);
    let bold = cell.modifier.contains(Modifier::BOLD);
    let underlined = cell.modifier.contains(Modifier::UNDERLINED);
    let blank = symbol.trim().is_empty() && !underlined;
    if let Some(run) = runs.last_mut() {
        let end = u32::from(run.x) + run.width;
        let alike = (run.ink, run.bold, run.underlined) == (ink, bold, underlined);
        // One space between words stays in the run; more of them end it.
        if end == u32::from(x) && (alike || blank) && !(blank && run.text.ends_with(' ')) {
            run.text.push_str(symbol);
            run.width += width;
            return;
        }
    }
    if !blank {
        runs.push(Run { x, width, text: symbol.to_owned(), ink, bold, underlined });
    }
}

fn write_run(out: &mut String, run: &Run, y: u16) {
    let text = if run.underlined { run.text.as_str() } else { run.text.trim_end() };
    let width = run.width - (run.text.len() - text.len()) as u32;
    let (x, y) = (u32::from(run.x) * CELL.0, u32::from(y) * CELL.1 + BASELINE);
    let bold = if run.bold { " font-weight=\"bold\"" } else { "" };
    let line = if run.underlined { " text-decoration=\"underline\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" \
         fill=\"#{:06x}\"{bold}{line}>{}</text>",
        width * CELL.0,
        run.ink,
        escape(text)
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
