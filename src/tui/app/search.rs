//! What `/`, `n` and `N` do: the filter of the list of events, and going from match to match.

use super::App;
use crate::tui::layout::{PaneId, PaneKind};
use crate::tui::overlay::Overlay;
use crate::tui::panes::FILTER;
use crate::tui::search::{Search, Typed};
use crate::view::filter::Filter;
use crate::view::timeline::Timeline;
use crossterm::event::KeyEvent;

/// How many events are searched for the next match.
const SEARCH: usize = 1_000_000;

impl App {
    /// Begins to type a filter.
    pub(super) fn open_search(&mut self) {
        let text = self.modes.of(self.events_pane()).value(&FILTER).to_owned();
        self.overlay = Some(Overlay::Search(Search::new(&text)));
    }

    /// Handles a key while a filter is typed. Says whether one is.
    pub(super) fn search_key(&mut self, key: &KeyEvent) -> bool {
        let Some(Overlay::Search(search)) = &mut self.overlay else { return false };
        match search.key(key) {
            Typed::More => {}
            Typed::Left => self.overlay = None,
            Typed::Taken => {
                let text = search.text().trim().to_owned();
                self.overlay = None;
                let pane = self.events_pane();
                self.filter(&text);
                self.focus.go(pane);
            }
        }
        true
    }

    /// The list of events that has focus, or else the first one.
    fn events_pane(&self) -> PaneId {
        match self.focused() {
            PaneKind::Events => self.focus.pane(),
            _ => self.layout.first(PaneKind::Events),
        }
    }

    fn filter(&mut self, text: &str) {
        let pane = self.events_pane();
        self.modes.of_mut(pane).choose(&FILTER, text);
        self.select.event = None;
    }

    /// Takes the filter away, if the pane that has it has focus. Says whether there was one.
    pub(super) fn clear_filter(&mut self) -> bool {
        let filtered = !self.modes.of(self.events_pane()).value(&FILTER).is_empty();
        let here = self.focused() == PaneKind::Events && filtered;
        if here {
            self.filter("");
        }
        here
    }

    /// Goes right behind the next event that the filter lets through, or the one before.
    pub(super) fn next_match(&mut self, forward: bool) {
        let filter = match self.modes.of(self.events_pane()).value(&FILTER).parse::<Filter>() {
            Ok(filter) if filter.is_empty() => return self.say("no filter is set; / sets one"),
            Ok(filter) => filter,
            Err(error) => return self.say(format!("the filter is wrong {error}")),
        };
        match find(&self.timeline, &filter, forward) {
            Some(index) => {
                self.look(|timeline| timeline.seek(index + 1));
                self.select.event = Some(index);
            }
            None if forward => self.say(format!("no later match of {filter}; N goes back")),
            None => self.say(format!("no earlier match of {filter}")),
        }
    }
}

fn find(timeline: &Timeline, filter: &Filter, forward: bool) -> Option<usize> {
    let (events, position) = (timeline.events(), timeline.position());
    let wanted = |(_, event): &(usize, &crate::event::Event)| filter.wants(event);
    let found = match forward {
        true => events.range(position..position.saturating_add(SEARCH)).find(wanted),
        false => {
            let end = position.saturating_sub(1);
            events.range(end.saturating_sub(SEARCH)..end).rev().find(wanted)
        }
    };
    found.map(|(index, _)| index)
}
