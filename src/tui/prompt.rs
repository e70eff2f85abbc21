//! The line in which one types: what is asked for, which offer is chosen, and what was typed
//! before.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
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
    /// Where to save the run.
    Save,
    /// Which run to open.
    Open,
    /// A name for the branch with this number.
    BranchName(u32),
    /// A name under which to keep the layout.
    LayoutName,
    /// A text for this mark of the branch that is looked at.
    MarkText(usize),
}

impl Ask {
    /// What stands before the line.
    pub fn label(self) -> &'static str {
        match self {
            Ask::Command => ":",
            Ask::Seed => "seed: ",
            Ask::Save => "save the run as: ",
            Ask::Open => "open the run in: ",
            Ask::BranchName(_) => "name of the branch: ",
            Ask::MarkText(_) => "text of the mark: ",
            Ask::LayoutName => "name of the layout: ",
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
    /// Which of the offers is chosen. None is while nothing is typed.
    chosen: Option<usize>,
    /// What is wrong with the line, if it was sent and could not be done.
    wrong: Option<String>,
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
        self.fill(text);
    }

    /// What is asked for.
    pub fn asked(&self) -> Ask {
        self.ask
    }

    /// Puts this into the line, to be completed.
    pub fn fill(&mut self, text: &str) {
        self.input = Some(Input::new(text.to_owned()));
        self.back = 0;
        self.typed();
    }

    /// Says what is wrong with the line, which stays.
    pub fn mend(&mut self, why: impl Into<String>) {
        self.wrong = Some(why.into());
    }

    /// Closes it, and remembers a line that was done.
    pub fn close(&mut self, line: &str) {
        self.input = None;
        if line.is_empty() {
            return;
        }
        self.lines.retain(|known| known != line);
        self.lines.push(line.to_owned());
        if self.lines.len() > MEMORY {
            self.lines.remove(0);
        }
    }

    /// The line, while it is open.
    pub fn input(&self) -> Option<&Input> {
        self.input.as_ref()
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        self.input.as_ref().map_or("", Input::value)
    }

    /// Which offer is chosen, if one is.
    pub fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// Chooses an offer.
    pub fn choose(&mut self, at: usize) {
        self.chosen = Some(at);
        self.wrong = None;
    }

    /// What is wrong with the line, if somebody tried it.
    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// Puts text where the cursor is. A line end does not send it.
    pub fn paste(&mut self, text: &str) {
        let Some(input) = &mut self.input else { return };
        for c in text.chars().filter(|c| !c.is_control()).take(1_000) {
            input.handle(tui_input::InputRequest::InsertChar(c));
        }
        self.typed();
    }

    /// Edits the line, or leaves it.
    pub fn key(&mut self, key: &KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, &mut self.input) {
            (KeyCode::Esc, _) => self.input = None,
            (KeyCode::Char('c'), _) if control => self.input = None,
            // An empty line that is deleted further closes, as in vi.
            (KeyCode::Backspace, Some(input)) if input.value().is_empty() => self.input = None,
            (_, Some(input)) => {
                let before = input.value().to_owned();
                input.handle_event(&Event::Key(*key));
                if input.value() != before {
                    self.typed();
                }
            }
            (_, None) => {}
        }
    }

    /// The offer above; from the first on, what was typed before.
    pub fn up(&mut self) {
        self.wrong = None;
        match self.chosen {
            Some(at) if at > 0 && self.back == 0 => self.chosen = Some(at - 1),
            _ => self.remember(self.back + 1),
        }
    }

    /// Back to what is being typed; from there on, the offer below of so many.
    pub fn down(&mut self, offers: usize) {
        self.wrong = None;
        match self.chosen {
            _ if self.back > 0 => self.remember(self.back - 1),
            None if offers > 0 => self.chosen = Some(0),
            Some(at) if at + 1 < offers => self.chosen = Some(at + 1),
            _ => {}
        }
    }

    /// The wheel turns over so many offers.
    pub fn wheel(&mut self, down: bool, offers: usize) {
        let at = self.chosen.unwrap_or(0);
        let at = if down { at + 1 } else { at.saturating_sub(1) };
        self.chosen = offers.checked_sub(1).map(|last| at.min(last));
    }

    /// The line is another one now.
    fn typed(&mut self) {
        self.wrong = None;
        self.chosen = (!self.text().trim().is_empty()).then_some(0);
    }

    fn remember(&mut self, back: usize) {
        let back = back.min(self.lines.len());
        let line = match back {
            0 => "",
            _ => &self.lines[self.lines.len() - back],
        };
        self.input = Some(Input::new(line.to_owned()));
        self.back = back;
        self.typed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(prompt: &mut Prompt, code: KeyCode) {
        prompt.key(&KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn what_was_done_is_remembered() {
        let mut prompt = Prompt::default();
        prompt.open();
        "kill n1".chars().for_each(|c| press(&mut prompt, KeyCode::Char(c)));
        assert_eq!((prompt.text(), prompt.chosen()), ("kill n1", Some(0)));
        prompt.close("kill n1");
        assert!(!prompt.is_open());
        prompt.open();
        assert_eq!(prompt.chosen(), None);
        prompt.up();
        assert_eq!(prompt.text(), "kill n1");
        prompt.down(3);
        assert_eq!(prompt.text(), "");
    }

    #[test]
    fn arrows_choose_an_offer_before_they_go_back_in_time() {
        let mut prompt = Prompt::default();
        prompt.close("heal");
        prompt.open();
        prompt.down(2);
        prompt.down(2);
        prompt.down(2);
        assert_eq!(prompt.chosen(), Some(1));
        prompt.up();
        assert_eq!((prompt.chosen(), prompt.text()), (Some(0), ""));
        prompt.up();
        assert_eq!(prompt.text(), "heal");
    }

    #[test]
    fn a_pasted_line_end_sends_nothing() {
        let mut prompt = Prompt::default();
        prompt.open();
        prompt.paste("kill n1\nkill n2\n");
        assert_eq!(prompt.text(), "kill n1kill n2");
    }
}
