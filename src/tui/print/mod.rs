//! Pictures of the screen without a terminal: as text, as text with colours, as SVG.
//!
//! A picture is a [`Buffer`], drawn by the same code as on a terminal, so what is printed is what a
//! terminal would show. In an SVG, lines, blocks and braille are shapes: fonts lack them, or leave
//! gaps between them.

mod shapes;
mod svg;

pub use svg::svg;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// The cells of a row that hold something: the second half of a wide character does not.
fn cells(buf: &Buffer, y: u16) -> impl Iterator<Item = (u16, &Cell)> {
    let mut next = buf.area.left();
    (buf.area.left()..buf.area.right()).filter_map(move |x| {
        let cell = &buf[(x, y)];
        let covered = x < next;
        if !covered {
            next = x + (cell.symbol().width() as u16).max(1);
        }
        (!covered).then_some((x, cell))
    })
}

/// The characters alone, a line each row, without spaces at the ends.
pub fn text(buf: &Buffer) -> String {
    let row = |y| -> String { cells(buf, y).map(|(_, cell)| cell.symbol()).collect() };
    let rows = buf.area.top()..buf.area.bottom();
    rows.map(|y| format!("{}\n", row(y).trim_end())).collect()
}

/// The characters with the sequences that colour them, a line each row.
pub fn ansi(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let mut last = String::new();
        for (_, cell) in cells(buf, y) {
            let style = sequence(cell);
            if style != last {
                out.push_str(&style);
                last = style;
            }
            out.push_str(cell.symbol());
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

fn sequence(cell: &Cell) -> String {
    let mut sequence = "\x1b[0".to_owned();
    let attributes =
        [(Modifier::BOLD, ";1"), (Modifier::UNDERLINED, ";4"), (Modifier::REVERSED, ";7")];
    for (modifier, code) in attributes {
        if cell.modifier.contains(modifier) {
            sequence.push_str(code);
        }
    }
    for (plane, color) in [("38", cell.fg), ("48", cell.bg)] {
        // Writing to a String cannot fail.
        let _ = match (color, index(color)) {
            (Color::Rgb(r, g, b), _) => write!(sequence, ";{plane};2;{r};{g};{b}"),
            (_, Some(index)) => write!(sequence, ";{plane};5;{index}"),
            _ => Ok(()),
        };
    }
    sequence + "m"
}

/// The number of a colour among the terminal's 256; none if it is the default or has none.
fn index(color: Color) -> Option<u8> {
    Some(match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => index,
        Color::Reset | Color::Rgb(..) => return None,
    })
}

/// What a colour looks like; none if it is the default.
fn rgb(color: Color) -> Option<u32> {
    match (color, index(color)) {
        (Color::Rgb(r, g, b), _) => Some(u32::from_be_bytes([0, r, g, b])),
        (_, Some(index)) => Some(crate::tui::theme::cube(index)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn text_and_colours_come_out_as_they_went_in() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 2));
        buf.set_string(0, 0, "日x", Style::new().fg(Color::Rgb(1, 2, 3)));
        let loud = Style::new().fg(Color::White).bg(Color::Indexed(124));
        buf.set_string(0, 1, "no", loud.add_modifier(Modifier::BOLD));
        assert_eq!(text(&buf), "日x\nno\n");
        let size = |n: u16| n.try_into().unwrap();
        let mut terminal = vt100::Parser::new(size(2), size(8), 0);
        terminal.process(ansi(&buf).trim_end().replace('\n', "\r\n").as_bytes());
        let screen = terminal.screen();
        let rows: Vec<String> = screen.rows(0, 8).map(|row| row.trim_end().to_owned()).collect();
        assert_eq!(rows, ["日x", "no"]);
        let cell = screen.cell(1, 1).unwrap();
        assert_eq!((cell.fgcolor(), cell.bold()), (vt100::Color::Idx(15), true));
        assert_eq!(cell.bgcolor(), vt100::Color::Idx(124));
        assert_eq!(screen.cell(0, 2).unwrap().fgcolor(), vt100::Color::Rgb(1, 2, 3));
    }
}
