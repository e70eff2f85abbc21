//! The fault menu, and faults that last for a while.

use super::App;
use crate::command::Command;
use crate::event::Event;
use crate::tui::action::Action;
use crate::tui::faults::{Entry, Lasting, Menu, Page, Picked};
use crate::tui::overlay::{Overlay, Question, Wish};
use crate::tui::select::Target;
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;

impl App {
    /// Opens the fault menu on a page.
    pub(super) fn open_faults(&mut self, page: Page) {
        let menu = Menu::new(self.target(), page, self.lasting);
        let entries = menu.entries(self.timeline.board(), &|command| self.hinders(command));
        if entries.is_empty() && !matches!(page, Page::All | Page::Broken) {
            let what = match page {
                Page::Loss => "a share of its messages cannot be dropped",
                Page::Clock => "it has no clock",
                _ => "it cannot be delayed",
            };
            return self.say(match self.target() {
                Target::Nothing => "nothing is selected here".to_owned(),
                _ => format!("{what}; f shows what can be done"),
            });
        }
        self.overlay = Some(Overlay::Faults(menu));
    }

    fn fault_entries(&self) -> Vec<Entry> {
        match &self.overlay {
            Some(Overlay::Faults(menu)) => {
                menu.entries(self.timeline.board(), &|command| self.hinders(command))
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn fault_key(&mut self, key: &KeyEvent, action: Option<Action>) {
        let entries = self.fault_entries();
        let Some(Overlay::Faults(menu)) = &mut self.overlay else { return };
        let picked = menu.key(key, action, &entries);
        self.lasting = menu.lasting();
        self.pick_fault(picked);
    }

    /// A click on a row of the menu.
    pub(super) fn point_at_fault(&mut self, at: usize) {
        let entries = self.fault_entries();
        let Some(Overlay::Faults(menu)) = &mut self.overlay else { return };
        let picked = menu.point(at, &entries);
        self.pick_fault(picked);
    }

    /// The wheel turns over the menu.
    pub(super) fn wheel_over_faults(&mut self, down: bool) {
        let entries = self.fault_entries();
        if let Some(Overlay::Faults(menu)) = &mut self.overlay {
            menu.wheel(down, &entries);
        }
    }

    fn pick_fault(&mut self, picked: Option<Picked>) {
        let Some(picked) = picked else { return };
        self.overlay = None;
        let Picked::Do(entry, lasting) = picked else { return };
        match entry.asks() && !self.title.source.is_remote() {
            true => self.ask(entry.give, lasting),
            false => self.order_all(&entry.give, lasting),
        }
    }

    /// Asks whether this is really meant.
    pub(super) fn ask(&mut self, commands: Vec<Command>, lasting: Lasting) {
        let mut text: Vec<String> =
            vec![commands.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")];
        text.extend(commands.iter().flat_map(|command| self.timeline.board().effect(command)));
        let title = match self.title.source.is_remote() {
            true => format!("On {}, for all who use it", self.title.name),
            false => "This cannot be given back".to_owned(),
        };
        let question = Question { wish: Wish::Give(commands, lasting), title, text };
        self.overlay = Some(Overlay::Question(question));
    }

    /// What comes later for commands that are under way begins to wait when the first of them is
    /// seen to happen.
    pub(super) fn plan_ends(&mut self, events: &[Event]) {
        let Some((give, lasting)) = &self.ends else { return };
        let first = give.first();
        let Some(at) = events.iter().position(|event| event.command() == first) else { return };
        let (index, now) = (self.timeline.running().events().len() + at, events[at].at);
        for (after, command) in lasting.later(give) {
            self.schedule.plan(index, now + after, command);
        }
        self.ends = None;
    }

    /// Draws the menu over the screen.
    pub(super) fn draw_faults(&self, menu: &Menu, buf: &mut Buffer) {
        let board = self.timeline.board();
        let entries = self.fault_entries();
        let effect = match menu.chosen(&entries) {
            Some(entry) if entry.give.len() == 1 => self.effect(&entry.give[0]),
            _ => Vec::new(),
        };
        menu.draw(&self.look, board, (&entries, &effect), buf.area, &self.spots, buf);
    }
}
