//! The line that is typed, and what is done with it.

use super::{App, Errand};
use crate::command::Command;
use crate::tui::action::ACTIONS;
use crate::tui::palette::{Does, Entry, Palette, Source};
use crate::tui::panes;
use crate::tui::prompt::Ask;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Position;

impl App {
    /// What is offered for the line as it stands, and how many entries there are at all.
    pub(super) fn offers(&self) -> (Vec<Entry>, usize) {
        self.offers_for(self.prompt.text())
    }

    /// What is offered for a line.
    pub(super) fn offers_for(&self, line: &str) -> (Vec<Entry>, usize) {
        let scene = self.scene(self.focus.pane());
        let name = |number| {
            let pane = self.layout.with_number(number)?;
            Some(self.layout.pane(pane).title(false).to_owned())
        };
        let source = Source {
            board: self.timeline.board(),
            select: &self.select,
            target: &panes::pane(self.focused()).target(&scene),
            panes: &name,
            places: &self.places,
            keymap: &self.keymap,
            live: self.is_live(),
            hinders: &|command| self.hinders(command),
        };
        source.offers(line)
    }

    /// Opens the line, with all that can be shown now at hand.
    pub(super) fn open_prompt(&mut self) {
        self.look_round();
        self.prompt.open();
    }

    pub(super) fn prompt_key(&mut self, key: &KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let copies = *key == KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL);
        match key.code {
            _ if copies && self.prompt.asked() == Ask::Command => self.copy_script(),
            KeyCode::Enter if self.prompt.asked() != Ask::Command => self.answer(),
            _ if self.prompt.asked() != Ask::Command => self.prompt.key(key),
            KeyCode::Enter => self.send(),
            KeyCode::Tab => self.complete(),
            KeyCode::Down => {
                let most = self.offers().0.len();
                self.prompt.down(most);
            }
            KeyCode::Up => self.prompt.up(),
            _ => self.prompt.key(key),
        }
    }

    /// Takes the answer to what was asked for; one that is wrong stays to be mended.
    fn answer(&mut self) {
        let line = self.prompt.text().trim().to_owned();
        if line.is_empty() {
            return self.prompt.close("");
        }
        match self.prompt.asked() {
            Ask::Command => {}
            Ask::Seed => match line.parse() {
                Ok(seed) => self.begin_with(seed),
                Err(_) => return self.say("a seed is a number from 0 to 18446744073709551615"),
            },
            Ask::Save => self.errands.push(Errand::Save(line)),
            Ask::Open => self.errands.push(Errand::Open(line)),
            Ask::BranchName(id) => self.timeline.rename(id, &line),
            Ask::MarkText(index) => self.timeline.rename_mark(index, &line),
            Ask::LayoutName => {
                if let Err(why) = self.save_layout(&line) {
                    return self.say(why);
                }
            }
        }
        self.prompt.close("");
    }

    /// Does what the line says if it says something, else what is chosen.
    fn send(&mut self) {
        let line = self.prompt.text().trim().to_owned();
        if self.carries(&line) {
            return self.prompt.close(&line);
        }
        if self.prompt.chosen().unwrap_or(0) == 0
            && let Ok(command) = line.parse::<Command>()
        {
            self.prompt.close(&line);
            return self.order(&command);
        }
        let Some(at) = self.prompt.chosen() else { return self.prompt.close("") };
        match self.offers().0.get(at) {
            Some(entry) => self.choose(entry),
            None => {
                let why = line.parse::<Command>().map_or_else(|why| why.to_string(), |_| line);
                self.prompt.mend(why);
            }
        }
    }

    /// Does what an entry is for.
    fn choose(&mut self, entry: &Entry) {
        match (&entry.does, &entry.no) {
            (_, Some(no)) => self.prompt.mend(no.clone()),
            (Does::Begin(line), None) => self.prompt.fill(line),
            (Does::Scenario, None) => self.ask_scenario(),
            (Does::Give(command), None) => {
                self.prompt.close(&entry.text);
                self.order(command);
            }
            (Does::Act(action), None) => {
                self.prompt.close(&entry.text);
                self.act(*action);
            }
            (Does::Show(place), None) => {
                self.prompt.close(&entry.text);
                self.show(place);
            }
        }
    }

    /// Chooses the entry that is pointed at, or does it if it is chosen already.
    pub(super) fn point_at_offer(&mut self, at: usize) {
        if self.prompt.chosen() != Some(at) {
            return self.prompt.choose(at);
        }
        if let Some(entry) = self.offers().0.get(at) {
            self.choose(entry);
        }
    }

    /// Completes the line to the chosen entry.
    fn complete(&mut self) {
        let at = self.prompt.chosen().unwrap_or(0);
        if let Some(entry) = self.offers().0.get(at) {
            match &entry.does {
                Does::Begin(line) => self.prompt.fill(line),
                _ => self.prompt.fill(&entry.text),
            }
        }
    }

    /// Draws the palette. Returns where the cursor belongs.
    pub(super) fn draw_palette(&self, buf: &mut Buffer) -> Option<Position> {
        let input = self.prompt.input().filter(|_| self.prompt.asked() == Ask::Command)?;
        let (offers, all) = self.offers();
        let chosen = self.prompt.chosen();
        let entry = chosen.and_then(|at| offers.get(at));
        let script = entry.and_then(|entry| self.script_of(entry));
        let effect = entry.map(|entry| self.effect_of(entry)).unwrap_or_default();
        let palette = Palette {
            input,
            offers: (&offers, all),
            at: chosen,
            wrong: self.prompt.wrong(),
            effect: &effect,
            script: script.as_deref(),
        };
        Some(palette.draw(&self.look, buf.area, &self.spots, buf))
    }

    fn effect_of(&self, entry: &Entry) -> Vec<String> {
        match &entry.does {
            Does::Give(command) => self.effect(command),
            Does::Act(action) => {
                let row = ACTIONS.iter().find(|row| row.action == *action);
                row.map(|row| row.doc.to_owned()).into_iter().collect()
            }
            Does::Begin(_) | Does::Show(_) => vec![entry.about.clone()],
            Does::Scenario => vec![
                "A file to read, edit and play again: netsplit demo FILE.toml.".to_owned(),
                "It is played in the simulator at once, to see whether it ends alike.".to_owned(),
            ],
        }
    }

    /// What a command would do if it were given now.
    pub(super) fn effect(&self, command: &Command) -> Vec<String> {
        let board = self.timeline.board();
        if command.steers_time() {
            return Vec::new();
        }
        let mut effect = match board.resolve(command) {
            Ok(command) => board.effect(&command),
            Err(why) => return vec![why],
        };
        if !self.timeline.is_live() && !self.is_live() {
            effect.push(format!("It begins a branch at {}; what came then is kept.", board.now));
        }
        if self.title.source.is_remote() && command.harms() {
            effect.push("You are asked first: others use this cluster, too.".to_owned());
        }
        effect
    }

    /// Copies the chosen entry as a script has it.
    fn copy_script(&mut self) {
        let offers = self.offers().0;
        let entry = self.prompt.chosen().and_then(|at| offers.get(at));
        if let Some(text) = entry.and_then(|entry| self.script_of(entry)) {
            self.put_aside("the script line".to_owned(), text);
        }
    }

    /// The line that has a script give the same command at the same time.
    fn script_of(&self, entry: &Entry) -> Option<String> {
        match &entry.does {
            Does::Give(command) if !command.steers_time() => {
                Some(format!("-c '{}s {command}'", self.timeline.board().now))
            }
            _ => None,
        }
    }
}
