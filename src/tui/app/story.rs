//! The scenario that is shown, if one is: what its keys do to the cluster.

use super::{App, Speed};
use crate::base::{Span, Time};
use crate::command::Command;
use crate::script::director::Next;
use crate::tui::narration::kind;
use crate::tui::story::{Do, Story, Turn};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// How much time may be waiting to pass: what a slow machine does not manage is dropped.
const MOST: Span = Span::millis(250);

impl App {
    /// Shows a scenario. Time stands still until the viewer wants the first step.
    pub fn tell(&mut self, story: Story) {
        self.playing = false;
        self.story = Some(story);
        self.show_narration();
    }

    /// The act that is to be played instead of this one, if the viewer wants another.
    pub fn next_act(&self) -> Option<usize> {
        self.next_act
    }

    /// Does what a key means to the story. False if it means nothing to it.
    pub(super) fn story_key(&mut self, key: &KeyEvent) -> bool {
        let plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
        let Some(story) = self.story.as_mut().filter(|_| plain) else { return false };
        let turn = match key.code {
            KeyCode::PageDown => Turn::Next,
            KeyCode::PageUp => Turn::Back,
            KeyCode::Char('R') => Turn::Again,
            // Remote controls for slides send it to blank the screen.
            KeyCode::Char('.') if story.presents() => {
                self.run_pause();
                return true;
            }
            _ => return false,
        };
        let running = self.timeline.running();
        let wish = story.turn(turn, running.events().len(), running.id);
        self.obey_story(wish);
        true
    }

    fn obey_story(&mut self, wish: Do) {
        match wish {
            Do::Nothing => {}
            Do::Act(act) => (self.next_act, self.quit) = (Some(act), true),
            Do::Go => {
                self.timeline.live();
                self.begin_passing();
            }
            Do::Fork { branch, event, until } => {
                self.timeline.live();
                self.undone.clear();
                if self.timeline.running().id != branch {
                    self.outbox.push(Command::Branch(branch));
                }
                self.playing = self.story.as_ref().is_some_and(Story::is_under_way);
                self.running = true;
                self.budget = Span::ZERO;
                self.outbox.push(Command::Fork { event: event as u64 });
                self.outbox.push(Command::Run { until: Some(until) });
            }
        }
    }

    /// Events from this one on are new in the run.
    pub(super) fn story_saw(&mut self, first: usize) {
        let running = self.timeline.running();
        if let Some(story) = &mut self.story {
            story.see(running.events().range(first..running.events().len()), running.checks());
        }
    }

    fn begin_passing(&mut self) {
        (self.playing, self.budget) = (true, Span::ZERO);
        if !self.running {
            self.direct();
        }
    }

    /// Time passed on the person's clock while a step is under way. False if none is.
    pub(super) fn tick_story(&mut self, passed: Span) -> bool {
        if !self.story.as_ref().is_some_and(Story::is_under_way) || !self.timeline.is_live() {
            return false;
        }
        let most = if self.speed == Speed::Full { passed } else { MOST.max(passed) };
        self.budget = (self.budget + passed).min(most);
        if !self.running {
            self.direct();
        }
        true
    }

    /// The cluster stands still. Goes on with the step that is under way, if one is.
    pub(super) fn story_reached(&mut self, now: Time) {
        let Some(story) = &self.story else { return };
        // After a way back, time has to pass up to where the step was over.
        if story.is_under_way() && self.playing && now >= story.stands_at() {
            self.direct();
        }
    }

    /// Asks the director until time has to pass, or the step is over.
    fn direct(&mut self) {
        loop {
            let Some(story) = self.story.as_mut().filter(|story| story.is_under_way()) else {
                self.playing = false;
                return;
            };
            match story.next(self.reached, self.timeline.running()) {
                Next::Run(until) => return self.pass(until),
                Next::Give(command) => match self.timeline.live_board().resolve(&command) {
                    Ok(resolved) => {
                        self.running = true;
                        self.outbox.push(resolved);
                        // It is answered when the command has been carried out.
                        self.outbox.push(Command::Stop);
                        return;
                    }
                    Err(why) => story.refused(&command, &why),
                },
                Next::Begin(_) => self.show_step(),
                Next::Met(..) | Next::Done(_) | Next::End => {}
            }
        }
    }

    /// Lets time pass, but only what the person's clock allows. A slice is passed whole or not at
    /// all, so that it ends where it ends without a screen.
    fn pass(&mut self, until: Time) {
        let whole = until.since(self.reached);
        let span = match whole <= Story::slice() {
            true if self.budget < whole => return,
            true => whole,
            false => whole.min(self.budget),
        };
        if span > Span::ZERO {
            self.budget = Span(self.budget.0 - span.0);
            self.running = true;
            self.outbox.push(Command::Run { until: Some(self.reached + span) });
        }
    }

    /// Shows what the step wants to be seen.
    fn show_step(&mut self) {
        let Some(story) = &self.story else { return };
        let looks = story.pointers().iter().find_map(|pointer| pointer.pane.clone());
        let show = story.show().cloned().unwrap_or_default();
        if let Some(layout) = &show.layout {
            self.arrange_by_name(layout);
        }
        self.zoom = show.zoom;
        if let Some(kind) = show.pane.or(looks).as_deref().and_then(kind) {
            self.focus.go(self.layout.first(kind));
        }
    }
}
