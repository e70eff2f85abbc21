//! The `/` line: what the list of events is to be narrowed to.
//!
//! While one types, the words that a filter may have stand above, or what is wrong with the line
//! and where. Enter takes it, an empty line takes the filter away, Esc leaves it as it was.

use super::frame;
use super::spots::{Spot, Spots};
use super::theme::{Look, Role};
use crate::view::filter::{Family, Filter};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// A filter that is being typed.
#[derive(Clone, Debug)]
pub struct Search {
    input: Input,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing yet.
    More,
    /// It is to be left as it was.
    Left,
    /// It is to be taken.
    Taken,
}

impl Search {
    /// The line, with what it was before.
    pub fn new(text: &str) -> Search {
        Search { input: Input::new(text.to_owned()) }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Handles a key. A line with a mistake is not taken.
    pub fn key(&mut self, key: &KeyEvent) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => Typed::Left,
            KeyCode::Char('c') if control => Typed::Left,
            KeyCode::Enter if self.text().parse::<Filter>().is_ok() => Typed::Taken,
            KeyCode::Enter => Typed::More,
            KeyCode::Backspace if self.text().is_empty() => Typed::Left,
            _ => {
                self.input.handle_event(&Event::Key(*key));
                Typed::More
            }
        }
    }

    /// Draws it over the lowest rows of `screen`.
    pub fn draw(&self, look: &Look, spots: &Spots, screen: Rect, buf: &mut Buffer) {
        let muted = look.style(Role::Muted);
        let kinds = Family::ALL.map(|(_, word)| word).join(" ");
        let help = match self.text().parse::<Filter>() {
            Err(error) => vec![
                (look.style(Role::Bad), format!("{}^", " ".repeat(error.at + 1))),
                (look.style(Role::Bad), format!(" {}", error.why)),
            ],
            Ok(_) => vec![
                (muted, " node:n1,n2  kind:WORD  service:log  msg:702  t>3s  t<9.1".to_owned()),
                (muted, format!(" kinds: {kinds}")),
                (muted, " !WORD: not that; anything else: part of the text".to_owned()),
                (muted, " Enter: take it   Esc: leave it as it was".to_owned()),
            ],
        };
        let mut rows: Vec<Line<'_>> = Vec::new();
        let width = usize::from(screen.width);
        for (style, text) in help {
            let parts = match text.ends_with('^') {
                true => vec![text],
                false => frame::wrap(&text, width),
            };
            rows.extend(parts.into_iter().map(|part| Line::styled(part, style)));
        }
        let height = (rows.len() as u16 + 1).min(screen.height);
        let area = Rect { y: screen.bottom() - height, height, ..screen };
        frame::clear(buf, area);
        spots.add(area, Spot::Overlay);
        let above = Rect { height: height - 1, ..area };
        // A mark below a character must stand right below it, so the line comes first then.
        let wrong = self.text().parse::<Filter>().is_err();
        let (line, rest) = match wrong {
            true => (Rect { height: 1, ..area }, Rect { y: area.y + 1, ..above }),
            false => (Rect { y: area.bottom() - 1, height: 1, ..area }, above),
        };
        frame::put_all(buf, rest, rows);
        let accent = look.style(Role::Accent);
        let sign = Span::styled("/", accent.add_modifier(Modifier::BOLD));
        let typed = Span::raw(self.text().to_owned());
        frame::put(buf, line, &Line::from(vec![sign, typed, Span::styled("_", accent)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(search: &mut Search, code: KeyCode) -> Typed {
        search.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_line_with_a_mistake_is_not_taken_and_any_other_is() {
        let mut search = Search::new("node:n");
        assert_eq!(press(&mut search, KeyCode::Enter), Typed::More);
        assert_eq!(press(&mut search, KeyCode::Char('1')), Typed::More);
        assert_eq!((press(&mut search, KeyCode::Enter), search.text()), (Typed::Taken, "node:n1"));
        assert_eq!(press(&mut Search::new(""), KeyCode::Enter), Typed::Taken);
        assert_eq!(press(&mut Search::new("x"), KeyCode::Esc), Typed::Left);
    }
}
