//! Whoever watches one agent, and what they are told.
//!
//! Watchers share what an agent reports, but none can hold up the agent or another watcher: each
//! has a queue of its own, and what does not fit is counted, told as missed, and made up for by
//! introducing the agent once more.

use super::control::{Report, Stamped};
use crate::base::Time;
use crate::event::Watch;
use std::sync::Arc;
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// One console.
#[derive(Debug)]
struct Watcher {
    console: u64,
    reports: Sender<Report>,
    /// None until it asks for something.
    level: Option<Watch>,
    /// Whether the agent has to be introduced to it: it is new, or has missed something.
    stranger: bool,
    /// How many events it has missed since it last knew everything; none if it never did.
    missed: Option<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    all: Vec<Watcher>,
    batch: Vec<Stamped>,
}

impl Watchers {
    /// A console is there. It is told nothing before it asks.
    pub(super) fn attach(&mut self, console: u64, reports: Sender<Report>) {
        self.all.retain(|watcher| watcher.console != console);
        self.all.push(Watcher { console, reports, level: None, stranger: false, missed: None });
    }

    /// A console wants reports from now on.
    pub(super) fn watch(&mut self, console: u64, level: Watch) {
        let Some(watcher) = self.all.iter_mut().find(|watcher| watcher.console == console) else {
            return;
        };
        if watcher.level.is_some() && !watcher.stranger {
            // It knows everything so far, and may have to wait for what it has asked for.
            watcher.missed = Some(0);
        }
        (watcher.level, watcher.stranger) = (Some(level), true);
    }

    /// How much the most curious of them wants; none if nobody watches.
    pub(super) fn level(&self) -> Option<Watch> {
        self.all.iter().filter_map(|watcher| watcher.level).max()
    }

    /// Whether somebody has to be introduced.
    pub(super) fn strangers(&self) -> bool {
        let open = |watcher: &Watcher| watcher.stranger && watcher.reports.capacity() >= 4;
        self.all.iter().any(open)
    }

    /// Has something told with the next reports.
    pub(super) fn tell(&mut self, event: Stamped) {
        self.batch.push(event);
    }

    /// Answers one console.
    pub(super) fn answer(&mut self, console: u64, answer: Report) {
        if let Some(watcher) = self.all.iter_mut().find(|watcher| watcher.console == console) {
            // A console that does not read its answers waits for nothing.
            let _ = watcher.reports.try_send(answer);
        }
    }

    /// Tells everybody what has gathered, up to `upto`; strangers first the `introduction`, if
    /// one was made.
    pub(super) fn flush(&mut self, introduction: Option<&[Stamped]>, upto: Time) {
        let level = self.level();
        let events: Arc<[Stamped]> = std::mem::take(&mut self.batch).into();
        for watcher in &mut self.all {
            watcher.flush(introduction, &events, level, upto);
        }
        self.all.retain(|watcher| !watcher.reports.is_closed());
    }
}

impl Watcher {
    fn flush(
        &mut self,
        introduction: Option<&[Stamped]>,
        events: &Arc<[Stamped]>,
        most: Option<Watch>,
        upto: Time,
    ) {
        let Some(level) = self.level else { return };
        if self.stranger {
            return self.introduce(introduction, events, upto);
        }
        let events = match Some(level) == most {
            true => Arc::clone(events),
            false => events.iter().filter(|e| level.wants(&e.event.kind)).cloned().collect(),
        };
        let count = events.len() as u64;
        if let Err(TrySendError::Full(_)) = self.reports.try_send(Report::Events { events, upto }) {
            (self.missed, self.stranger) = (Some(count), true);
        }
    }

    /// Says how much was missed, and what one must know now. It may have to wait for room.
    fn introduce(&mut self, introduction: Option<&[Stamped]>, news: &Arc<[Stamped]>, upto: Time) {
        let room = self.reports.capacity() >= 4;
        let Some(introduction) = introduction.filter(|_| room) else {
            self.missed = self.missed.map(|missed| missed + news.len() as u64);
            return;
        };
        let events = introduction.iter().chain(news.iter()).cloned().collect();
        if let Some(count) = self.missed.take().filter(|count| *count > 0) {
            let _ = self.reports.try_send(Report::Missed { count });
        }
        let _ = self.reports.try_send(Report::Events { events, upto });
        let _ = self.reports.try_send(Report::Restated);
        self.stranger = false;
    }
}
