//! The tour for whoever is here for the first time: a few cards, once, to be left at any time.

use super::action::Action;
use super::frame;
use super::keys::Keymap;
use super::spots::Spots;
use super::theme::{Look, Role};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::Line;

/// How many cards there are.
pub const CARDS: usize = 6;

/// Which card is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tour(usize);

impl Tour {
    /// Handles a key. Returns whether the tour is over.
    pub fn key(&mut self, key: &KeyEvent, action: Option<Action>) -> bool {
        match (key.code, action) {
            (KeyCode::Esc, _) | (_, Some(Action::Quit | Action::Interrupt | Action::Back)) => {
                return true;
            }
            (_, Some(Action::Left | Action::Up | Action::PageUp)) => {
                self.0 = self.0.saturating_sub(1);
            }
            _ if self.0 + 1 == CARDS => return true,
            _ => self.0 += 1,
        }
        false
    }

    /// Draws the card over the lower rows of `screen`.
    pub fn draw(
        &self,
        look: &Look,
        keymap: &Keymap,
        live: bool,
        screen: Rect,
        spots: &Spots,
        buf: &mut Buffer,
    ) {
        let (title, text) = card(self.0, keymap, live);
        let width = screen.width.min(74);
        let mut lines: Vec<Line<'_>> = frame::wrap(&text, usize::from(width.saturating_sub(4)))
            .into_iter()
            .map(|line| Line::raw(format!(" {line}")))
            .collect();
        let next = if self.0 + 1 == CARDS { "Enter: begin" } else { "Enter: next" };
        let hint = format!(" {next}   Left: back   Esc: leave, it does not come again");
        lines.push(Line::default());
        lines.push(Line::styled(hint, look.style(Role::Accent)));
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(screen.height);
        let place = Rect { y: screen.bottom() - height, height, ..screen };
        let title = format!("{} of {CARDS}  {title}", self.0 + 1);
        let inside = frame::overlay(buf, place, look, spots, &title, Size::new(width, height));
        frame::put_all(buf, inside, lines);
    }
}

/// Title and text of a card, with the keys as they are.
fn card(at: usize, keymap: &Keymap, live: bool) -> (&'static str, String) {
    let key = |action| keymap.shown(action);
    match at {
        0 => (
            "A cluster, in front of you",
            format!(
                "Each pane shows one side of it: nodes, ring, log, locks, transactions, network. {} \
                 goes to the next one, its number to any, {} gives it the whole screen. The mouse \
                 works, too.",
                key(Action::NextPane),
                key(Action::Zoom)
            ),
        ),
        1 if live => (
            "It runs by itself",
            format!(
                "{} holds what you see while the cluster goes on, {} and {} look one event or one \
                 second back.",
                key(Action::RunPause),
                key(Action::StepBack),
                key(Action::SecondBack)
            ),
        ),
        1 => (
            "Time is yours",
            format!(
                "{} runs and pauses it. {} and {} go one event forward and back, {} and {} one \
                 second.",
                key(Action::RunPause),
                key(Action::StepForward),
                key(Action::StepBack),
                key(Action::SecondForward),
                key(Action::SecondBack)
            ),
        ),
        2 => (
            "Break something",
            format!(
                "{} kills or starts the selected node, and cuts or heals the selected link. {} has \
                 everything else that can be done to the selection, and bundles of faults from easy \
                 to nasty. {} heals everything.",
                key(Action::Break),
                key(Action::FaultMenu),
                key(Action::Heal)
            ),
        ),
        3 if live => (
            "Nobody is asked twice",
            "What you break stays broken until somebody heals it: this cluster cannot go back in \
             time. A cluster elsewhere asks before it is harmed."
                .to_owned(),
        ),
        3 => (
            "Nothing is lost",
            format!(
                "{} goes back to before the last command. A command that you give in the past \
                 begins a branch; what came then is kept.",
                key(Action::Undo)
            ),
        ),
        4 => (
            "Why it broke",
            format!(
                "Checks look at every event. {} goes to the next broken property, and the pane \
                 Checks shows the events that prove it.",
                key(Action::NextViolation)
            ),
        ),
        _ => (
            "Find everything",
            format!(
                "{} finds any command by a few letters, and tells its effect before it is given. {} \
                 is help, {} leaves. If the ring is drawn with boxes or question marks, start with \
                 --glyphs block.",
                key(Action::Prompt),
                key(Action::Help),
                key(Action::Quit)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn it_goes_forward_and_back_and_ends() {
        let mut tour = Tour::default();
        let mut press = |code, action| tour.key(&KeyEvent::new(code, KeyModifiers::NONE), action);
        for _ in 0..CARDS - 1 {
            assert!(!press(KeyCode::Enter, None));
        }
        assert!(!press(KeyCode::Left, Some(Action::Left)));
        assert!(!press(KeyCode::Enter, None));
        assert!(press(KeyCode::Enter, None));
        let mut tour = Tour::default();
        assert!(tour.key(&KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE), Some(Action::Back)));
    }
}
