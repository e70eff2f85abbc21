//! The help overlay: every key as it is now, what signs and colours mean, what the focused pane
//! shows, and how this screen was chosen.

use super::action::{Action, Group};
use super::frame::{overlay, put_all, wrap};
use super::keys::Keymap;
use super::layout::PaneKind;
use super::panes;
use super::spots::Spots;
use super::theme::{Look, Role};
use crate::command::FORMS;
use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;
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
    /// How far it is scrolled, and what is searched for.
    pub reading: &'a Reading,
}

/// How far somebody has read, and what they look for.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The first line to show; drawing bounds it.
    scroll: usize,
    /// What is searched for; all of its words must be there.
    search: Input,
}

impl Reading {
    /// Handles a key: letters search, arrows scroll. Returns whether help is left.
    pub fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> bool {
        let searches = !self.search.value().is_empty();
        match (key.code, action) {
            (_, Some(Action::Interrupt)) | (KeyCode::F(1), _) => return true,
            (KeyCode::Esc, _) if searches => self.search.reset(),
            (KeyCode::Esc, _) => return true,
            (KeyCode::Char('?'), _) if !searches => return true,
            (KeyCode::Char(_) | KeyCode::Backspace, _) => {
                self.search.handle_event(&Event::Key(*key));
                self.scroll = 0;
            }
            (_, Some(action)) => self.turn(action),
            _ => {}
        }
        false
    }

    /// Scrolls.
    pub fn turn(&mut self, action: Action) {
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1),
            Action::PageUp => self.scroll.saturating_sub(10),
            Action::PageDown => self.scroll.saturating_add(10),
            Action::First => 0,
            Action::Last => usize::MAX,
            _ => self.scroll,
        };
    }

    /// Whether a text has all the words that are searched for.
    fn finds(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.search.value().to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// Draws the overlay over `screen`. Returns the largest scroll that still shows something new, and
/// where the cursor of the search belongs.
pub fn draw(
    buf: &mut Buffer,
    screen: Rect,
    look: &Look,
    spots: &Spots,
    help: &Help<'_>,
) -> (usize, Option<Position>) {
    let search = help.reading.search.value();
    let title = match search.is_empty() {
        true => {
            format!("Help    pane {}    type to search", help.pane)
        }
        false => format!("Help    search: {search}"),
    };
    let size = Size::new(screen.width.saturating_sub(4).min(130), screen.height.saturating_sub(2));
    let inside = overlay(buf, screen, look, spots, &title, size);
    let width = usize::from(inside.width.saturating_sub(2));
    let lines = lines(look, help, width);
    let most = lines.len().saturating_sub(inside.height.into());
    let text = Rect { x: inside.x + inside.width.min(1), width: width as u16, ..inside };
    put_all(buf, text, lines.into_iter().skip(help.reading.scroll.min(most)));
    if most > 0 {
        more(buf, screen, inside, look, help.reading.scroll.min(most), most);
    }
    let cursor = (!search.is_empty()).then(|| {
        let before = 3 + "Help    search: ".width() + help.reading.search.visual_cursor();
        let x = inside.x.saturating_add(u16::try_from(before).unwrap_or(u16::MAX));
        Position::new(x.min(inside.right()), inside.y.saturating_sub(1))
    });
    (most, cursor)
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

/// What was found: headings with the lines below them that have all the words.
fn found(look: &Look, help: &Help<'_>, width: usize) -> Vec<Line<'static>> {
    let bold = look.style(Role::Accent).add_modifier(Modifier::BOLD);
    let finds = |what: &str, text: &str| help.reading.finds(&format!("{what} {text}"));
    let list = |entries: Vec<(String, String)>| -> Vec<Line<'static>> {
        let entries = entries.into_iter().filter(|(what, text)| finds(what, text));
        let line = |(what, text): (String, String)| {
            entry(Span::styled(format!(" {what}"), bold), what.width().max(KEYS) + 3, &text, width)
        };
        entries.flat_map(line).collect()
    };
    let keys = Group::ALL.iter().flat_map(|group| help.keymap.help(*group));
    let keys = list(keys.map(|(keys, doc)| (keys, doc.to_owned())).collect());
    let commands = FORMS.iter().map(|(form, about)| ((*form).to_owned(), (*about).to_owned()));
    let commands = list(commands.collect());
    let panes = PaneKind::ALL.iter().map(|pane| (pane.title().to_owned(), panes::about(*pane)));
    let panes = list(panes.collect());
    let sections = [("keys", keys), ("commands", commands), ("panes", panes)];
    let sections = sections.into_iter().filter(|(_, lines)| !lines.is_empty());
    let mut all: Vec<Line<'static>> =
        sections.flat_map(|(title, lines)| headed(title, lines)).collect();
    if all.is_empty() {
        all.push(Line::styled(" nothing is found; Esc shows everything", look.style(Role::Muted)));
    }
    all
}

fn lines(look: &Look, help: &Help<'_>, width: usize) -> Vec<Line<'static>> {
    if !help.reading.search.value().is_empty() {
        return found(look, help, width);
    }
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
        let reading = Reading { scroll, ..Reading::default() };
        let help = Help { keymap: &keymap, pane: "1 Nodes", about: ABOUT, reading: &reading };
        let (most, _) = draw(&mut buf, area, &look, &Spots::default(), &help);
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
