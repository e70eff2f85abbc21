//! The options menu of a pane: its views and what can be chosen, each with its key.
//!
//! It stays open, so that one sees what a choice does, and lies at the bottom of the screen, where
//! it hides least of the pane.

use super::action::Action;
use super::frame;
use super::keys::Keymap;
use super::layout::{PaneId, PaneKind};
use super::mode::{Choice, LIST, Mode};
use super::panes;
use super::spots::Spots;
use super::theme::{Look, Role};
use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::{Line, Span};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// The menu of one pane.
#[derive(Clone, Debug)]
pub struct Menu {
    pane: PaneId,
    kind: PaneKind,
    /// What is being typed, and for what.
    typing: Option<(&'static Choice, Input)>,
}

impl Menu {
    /// The menu of this pane.
    pub fn new(pane: PaneId, kind: PaneKind) -> Menu {
        Menu { pane, kind, typing: None }
    }

    /// Whose menu it is.
    pub fn pane(&self) -> PaneId {
        self.pane
    }

    /// Handles a key, and changes how the pane is shown. Returns whether the menu is left.
    pub fn key(&mut self, key: &KeyEvent, action: Option<Action>, mode: &mut Mode) -> bool {
        if let Some((choice, input)) = &mut self.typing {
            match (key.code, action) {
                (KeyCode::Enter, _) => mode.choose(choice, input.value().trim()),
                (KeyCode::Esc, _) | (_, Some(Action::Interrupt)) => {}
                _ => {
                    input.handle_event(&Event::Key(*key));
                    return false;
                }
            }
            self.typing = None;
            return false;
        }
        let pane = panes::pane(self.kind);
        match (action, key.code) {
            (Some(Action::NextView), _) => mode.turn(pane.views()),
            (_, KeyCode::Char(letter)) => {
                match pane.options().iter().find(|choice| choice.key == letter) {
                    Some(choice) if choice.values.is_empty() => {
                        self.typing = Some((choice, Input::new(mode.value(choice).to_owned())));
                    }
                    Some(choice) => mode.next(choice),
                    None => return leaves(action),
                }
            }
            (_, code) => return code == KeyCode::Enter || leaves(action),
        }
        false
    }

    /// Draws it over the lower rows of `screen`.
    pub fn draw(
        &self,
        look: &Look,
        keymap: &Keymap,
        mode: &Mode,
        screen: Rect,
        spots: &Spots,
        buf: &mut Buffer,
    ) {
        let pane = panes::pane(self.kind);
        let views = pane.views();
        let all: Vec<&str> = views.iter().copied().chain([LIST]).collect();
        let here = mode.view(views);
        let view = entry(look, keymap.shown(Action::NextView), "view", &values(look, &all, here));
        let mut lines = vec![view];
        for choice in pane.options() {
            let key = choice.key.to_string();
            let value = match &self.typing {
                Some((typed, input)) if typed.name == choice.name => typed_text(look, input),
                _ if choice.values.is_empty() => text(mode.value(choice)),
                _ => values(look, choice.values, mode.value(choice)),
            };
            lines.push(entry(look, key, choice.doc, &value));
        }
        let hint = match self.typing {
            Some(_) => "Enter: take it   Esc: leave it as it was",
            None => "a key: next   Esc: done",
        };
        lines.push(Line::styled(format!(" {hint}"), look.style(Role::Muted)));
        let rows = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(screen.height);
        let place = Rect { y: screen.bottom() - rows, height: rows, ..screen };
        let title = format!("{} options", self.kind.title());
        let inside = frame::overlay(buf, place, look, spots, &title, Size::new(72, rows));
        frame::put_all(buf, inside, lines);
    }
}

fn leaves(action: Option<Action>) -> bool {
    let leave = [Action::Back, Action::Interrupt, Action::Options, Action::Quit];
    action.is_some_and(|action| leave.contains(&action))
}

fn entry(look: &Look, key: String, doc: &str, value: &[Span<'static>]) -> Line<'static> {
    let mut line = Line::from(vec![
        Span::styled(format!(" {key:<3}"), look.style(Role::Accent)),
        Span::raw(format!("{doc:<26}")),
    ]);
    line.extend(value.iter().cloned());
    line
}

/// All values, the chosen one between brackets.
fn values(look: &Look, all: &[&str], chosen: &str) -> Vec<Span<'static>> {
    let word = |value: &&str| match *value == chosen {
        true => Span::styled(format!("[{value}]"), look.style(Role::Accent)),
        false => Span::styled(format!(" {value} "), look.style(Role::Muted)),
    };
    all.iter().map(word).collect()
}

fn text(value: &str) -> Vec<Span<'static>> {
    vec![Span::raw(if value.is_empty() { "-".to_owned() } else { value.to_owned() })]
}

fn typed_text(look: &Look, input: &Input) -> Vec<Span<'static>> {
    vec![Span::styled(format!("{}_", input.value()), look.style(Role::Accent))]
}
