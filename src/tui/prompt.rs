//! The line in which one types: a command in its text form, or what else is asked for.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// How many lines are remembered.
const MEMORY: usize = 100;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// A command, with what was typed before at hand.
    #[default]
    Command,
    /// The seed of a run that begins anew.
    Seed,
    /// A name for the branch with this number.
    BranchName(u32),
    /// A text for this mark of the branch that is looked at.
    MarkText(usize),
}

impl Ask {
    /// What stands before the line.
    pub fn label(self) -> &'static str {
        match self {
            Ask::Command => ":",
            Ask::Seed => "seed: ",
            Ask::BranchName(_) => "name of the branch: ",
            Ask::MarkText(_) => "text of the mark: ",
        }
    }
}

/// The prompt: open or not, and its memory.
#[derive(Debug, Default)]
pub struct Prompt {
    ask: Ask,
    input: Option<Input>,
    lines: Vec<String>,
    /// Which remembered line is shown, counted back from the newest; 0 is what is being typed.
    back: usize,
}

impl Prompt {
    /// Whether keys go here.
    pub fn is_open(&self) -> bool {
        self.input.is_some()
    }

    /// Opens it for a command, empty.
    pub fn open(&mut self) {
        self.ask(Ask::Command, "");
    }

    /// Opens it for something, with a text to change.
    pub fn ask(&mut self, ask: Ask, text: &str) {
        self.ask = ask;
        self.reopen(text);
    }

    /// Opens it once more for the same, with a text to mend.
    pub fn reopen(&mut self, text: &str) {
        self.input = Some(Input::new(text.to_owned()));
        self.back = 0;
    }

    /// What is asked for.
    pub fn asked(&self) -> Ask {
        self.ask
    }

    /// The line, while it is open.
    pub fn input(&self) -> Option<&Input> {
        self.input.as_ref()
    }

    /// What stands in it, and the column of its cursor.
    fn text(&self) -> Option<(&str, usize)> {
        self.input.as_ref().map(|input| (input.value(), input.visual_cursor()))
    }

    /// Puts text where the cursor is. A line end does not send it.
    pub fn paste(&mut self, text: &str) {
        let Some(input) = &mut self.input else { return };
        for c in text.chars().filter(|c| !c.is_control()).take(1_000) {
            input.handle(tui_input::InputRequest::InsertChar(c));
        }
    }

    /// Handles a key. Some line, if it was sent.
    pub fn key(&mut self, key: &KeyEvent) -> Option<String> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => self.input = None,
            KeyCode::Char('c') if control => self.input = None,
            KeyCode::Enter => return self.send(),
            KeyCode::Up => self.remember(self.back + 1),
            KeyCode::Down => self.remember(self.back.saturating_sub(1)),
            // An empty line that is deleted further closes, as in vi.
            KeyCode::Backspace if self.text() == Some(("", 0)) => self.input = None,
            _ => {
                if let Some(input) = &mut self.input {
                    input.handle_event(&Event::Key(*key));
                }
            }
        }
        None
    }

    fn send(&mut self) -> Option<String> {
        let line = self.input.take()?.value().trim().to_owned();
        if line.is_empty() {
            return None;
        }
        if self.ask == Ask::Command {
            self.lines.retain(|known| *known != line);
            self.lines.push(line.clone());
            if self.lines.len() > MEMORY {
                self.lines.remove(0);
            }
        }
        Some(line)
    }

    fn remember(&mut self, back: usize) {
        if self.ask != Ask::Command {
            return;
        }
        let back = back.min(self.lines.len());
        let line = match back {
            0 => "",
            _ => &self.lines[self.lines.len() - back],
        };
        self.input = Some(Input::new(line.to_owned()));
        self.back = back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(prompt: &mut Prompt, code: KeyCode) -> Option<String> {
        prompt.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn it_sends_what_was_typed_and_remembers_it() {
        let mut prompt = Prompt::default();
        prompt.open();
        "kill n1".chars().for_each(|c| drop(press(&mut prompt, KeyCode::Char(c))));
        assert_eq!(press(&mut prompt, KeyCode::Enter), Some("kill n1".to_owned()));
        assert!(!prompt.is_open());
        prompt.open();
        press(&mut prompt, KeyCode::Up);
        assert_eq!(prompt.text(), Some(("kill n1", 7)));
        press(&mut prompt, KeyCode::Down);
        assert_eq!(prompt.text(), Some(("", 0)));
    }

    #[test]
    fn a_pasted_line_end_sends_nothing() {
        let mut prompt = Prompt::default();
        prompt.open();
        prompt.paste("kill n1\nkill n2\n");
        assert_eq!(prompt.text().map(|(text, _)| text), Some("kill n1kill n2"));
    }
}
