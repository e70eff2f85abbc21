//! The help overlay: every key as it is now, what signs and colours mean, what the focused pane
//! shows, and how this screen was chosen.

use super::action::Group;
use super::frame::{overlay, put_all, wrap};
use super::keys::Keymap;
use super::spots::Spots;
use super::theme::{Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// From this many columns inside the overlay on, headings stand side by side.
const TWO_COLUMNS: usize = 100;
/// Cells for the keys of one line.
const KEYS: usize = 15;

/// What help is about.
#[derive(Clone, Copy, Debug)]
pub struct Help<'a> {
    /// The keys.
    pub keymap: &'a Keymap,
    /// The title of the focused pane.
    pub pane: &'a str,
    /// What one sees there, in a few sentences.
    pub about: &'a str,
    /// The first line to show.
    pub scroll: usize,
}

/// Draws the overlay over `screen`. Returns the largest scroll that still shows something new.
pub fn draw(buf: &mut Buffer, screen: Rect, look: &Look, spots: &Spots, help: &Help<'_>) -> usize {
    let title = format!("Help    pane {}", help.pane);
    let size = Size::new(screen.width.saturating_sub(4).min(130), screen.height.saturating_sub(2));
    let inside = overlay(buf, screen, look, spots, &title, size);
    let width = usize::from(inside.width.saturating_sub(2));
    let lines = lines(look, help, width);
    let most = lines.len().saturating_sub(inside.height.into());
    let text = Rect { x: inside.x + inside.width.min(1), width: width as u16, ..inside };
    put_all(buf, text, lines.into_iter().skip(help.scroll.min(most)));
    if most > 0 {
        more(buf, screen, inside, look, help.scroll.min(most), most);
    }
    most
}

/// Says at the bottom right that there is more to see.
fn more(buf: &mut Buffer, screen: Rect, inside: Rect, look: &Look, scroll: usize, most: usize) {
    let text = match (scroll, scroll < most) {
        (0, _) => " Down for more ",
        (_, true) => " Up and Down for more ",
        (_, false) => " Up for more ",
    };
    let width = (text.width() as u16).min(inside.width);
    let place = Rect::new(inside.right() - width, inside.bottom(), width, 1);
    let line = Line::styled(text, look.style(Role::Accent));
    put_all(buf, place.intersection(screen), [line]);
}

fn lines(look: &Look, help: &Help<'_>, width: usize) -> Vec<Line<'static>> {
    let section = |group: Group, width: usize| {
        let lines = help.keymap.help(group);
        let wide = lines.iter().map(|(keys, _)| keys.width()).max().unwrap_or(0).min(KEYS) + 2;
        let entry = |(keys, doc): (String, &str)| {
            let style = look.style(Role::Accent).add_modifier(Modifier::BOLD);
            entry(Span::styled(format!(" {keys}"), style), wide + 1, doc, width)
        };
        headed(group.title(), lines.into_iter().flat_map(entry).collect())
    };
    let mut all = if width >= TWO_COLUMNS {
        let half = width / 2;
        let of = |groups: &[Group]| -> Vec<Line<'static>> {
            groups.iter().flat_map(|group| section(*group, half - 2)).collect()
        };
        let left = of(&[Group::Find, Group::Panes, Group::Time]);
        let right = of(&[Group::Move, Group::Break, Group::Leave]);
        side_by_side(left, right, half)
    } else {
        Group::ALL.iter().flat_map(|group| section(*group, width)).collect()
    };
    all.extend(headed("signs and colours", legend(look, width)));
    let about = wrap(help.about, width.saturating_sub(1));
    let about = about.into_iter().map(|line| Line::raw(format!(" {line}"))).collect();
    all.extend(headed("what you see", about));
    let facts = format!(
        "Theme {} ({}), colours: {}, glyphs: {}. netsplit doctor tells more.",
        look.theme.name(),
        look.because,
        look.depth.name(),
        look.glyphs.name
    );
    let facts = wrap(&facts, width.saturating_sub(1));
    all.extend(headed("terminal", facts.into_iter().map(|l| Line::raw(format!(" {l}"))).collect()));
    all.pop();
    all
}

/// A heading, the lines under it, an empty line.
fn headed(title: &'static str, lines: Vec<Line<'static>>) -> Vec<Line<'static>> {
    let title = Line::styled(title, Style::new().add_modifier(Modifier::BOLD));
    [title].into_iter().chain(lines).chain([Line::default()]).collect()
}

/// Something in a column of `column` cells, and a text beside it that wraps within its own column.
fn entry(what: Span<'static>, column: usize, text: &str, width: usize) -> Vec<Line<'static>> {
    let mut what = Some(what);
    let texts = wrap(text, width.saturating_sub(column));
    let line = |text| {
        let what = what.take().unwrap_or_default();
        let gap = " ".repeat(column.saturating_sub(what.width()).max(1));
        Line::from(vec![what, Span::raw(gap), Span::raw(text)])
    };
    texts.into_iter().map(line).collect()
}

fn side_by_side(
    left: Vec<Line<'static>>,
    right: Vec<Line<'static>>,
    half: usize,
) -> Vec<Line<'static>> {
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let row = |_| {
        let mut line = left.next().unwrap_or_default();
        let gap = half.saturating_sub(line.width());
        line.push_span(" ".repeat(gap));
        line.spans.extend(right.next().unwrap_or_default().spans);
        line
    };
    (0..rows).map(row).collect()
}

/// Every sign in its colour, with its word, in as many columns as there is room for.
fn legend(look: &Look, width: usize) -> Vec<Line<'static>> {
    const COLUMN: usize = 25;
    let g = look.glyphs;
    let signs = [
        (g.leader, Role::Leader, "leads"),
        (g.follower, Role::Follower, "follows"),
        (g.candidate, Role::Candidate, "wants to lead"),
        (g.up, Role::Ok, "up"),
        (g.down, Role::Down, "down"),
        (g.paused, Role::Warn, "paused"),
        (g.recovering, Role::Down, "recovering"),
        (g.skewed, Role::Warn, "clock is off"),
        (g.holds, Role::Ok, "holds"),
        (g.broken, Role::Bad, "broken"),
        ("Y", Role::Ok, "yes"),
        ("N", Role::Bad, "no"),
        ("?", Role::Warn, "in doubt"),
        (g.cut, Role::Bad, "cut, lost"),
        (g.uncommitted, Role::Muted, "not committed"),
        (g.fault, Role::Bad, "fault"),
        (g.violation, Role::Violation, "violation"),
        (">", Role::Text, "selected"),
    ];
    let columns = (width / COLUMN).max(1);
    let cell = |(sign, role, word): (&'static str, Role, &'static str)| {
        let text = format!("{:1$}{word}", "", 3_usize.saturating_sub(sign.width()));
        let gap = COLUMN.saturating_sub(1 + sign.width() + text.width());
        [
            Span::raw(" "),
            Span::styled(sign, look.style(role)),
            Span::raw(text),
            Span::raw(" ".repeat(gap)),
        ]
    };
    signs.chunks(columns).map(|row| row.iter().flat_map(|sign| cell(*sign)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::ACTIONS;
    use crate::tui::frame::clear;
    use crate::tui::theme::{Env, Flags, GlyphsArg};

    const ABOUT: &str = "One row per node. A line over the table says when no side of a partition \
                         has a majority.";

    fn drawn(width: u16, height: u16, scroll: usize) -> (Vec<String>, usize) {
        let flags = Flags { glyphs: Some(GlyphsArg::Unicode), ..Flags::default() };
        let look = Look::choose(&flags, &Env::default());
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        let area = buf.area;
        clear(&mut buf, area);
        let keymap = Keymap::default();
        let help = Help { keymap: &keymap, pane: "1 Nodes", about: ABOUT, scroll };
        let most = draw(&mut buf, area, &look, &Spots::default(), &help);
        let row = |row: Rect| -> String {
            let row: String = row.positions().map(|at| buf[at].symbol().to_owned()).collect();
            row.trim_end().to_owned()
        };
        (area.rows().map(row).collect(), most)
    }

    #[test]
    fn scrolling_shows_every_key_on_a_small_screen() {
        let (first, most) = drawn(80, 24, 0);
        assert!(first.iter().any(|row| row.ends_with("Down for more ┛")), "{first:?}");
        let mut seen = String::new();
        for scroll in 0..=most {
            seen.push_str(&drawn(80, 24, scroll).0.join("\n"));
        }
        for row in ACTIONS {
            let start: String = row.doc.chars().take(30).collect();
            assert!(seen.contains(&start), "{}", row.doc);
        }
        assert!(seen.contains("background unknown"));
        assert_eq!(drawn(80, 24, most).0, drawn(80, 24, usize::MAX).0);
    }

    #[test]
    fn any_size_is_drawn() {
        for width in 0..=60 {
            for height in 0..=12 {
                drawn(width, height, 3);
            }
        }
    }
}
