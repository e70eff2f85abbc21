//! How a pane is shown: which of its views, and what was chosen in its options menu.
//!
//! A pane declares both as data ([`Pane::views`](super::panes::Pane::views),
//! [`Pane::options`](super::panes::Pane::options)) and reads them when it draws. It keeps no state
//! of its own: `s` and `o` change what is here.

use super::layout::{Layout, PaneId};
use std::collections::BTreeMap;

/// The view that every pane has, after its own: one line of plain text for each item.
pub const LIST: &str = "list";

/// Something about a pane that a person may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The key in the options menu. Unlike other keys it means this only there.
    pub key: char,
    /// Its name in text: lower case, with dashes.
    pub name: &'static str,
    /// What it does, in a few words.
    pub doc: &'static str,
    /// What it can be, first what it is unless told otherwise. None of them: any text.
    pub values: &'static [&'static str],
}

/// How one pane is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    view: usize,
    chosen: BTreeMap<&'static str, String>,
}

impl Mode {
    /// The view, of those that a pane has.
    pub fn view(&self, views: &[&'static str]) -> &'static str {
        views.get(self.view).copied().unwrap_or(LIST)
    }

    /// In the view of this name; none if neither the pane nor every pane has it.
    pub fn in_view(mut self, views: &[&'static str], name: &str) -> Option<Mode> {
        self.view = views.iter().copied().chain([LIST]).position(|view| view == name)?;
        Some(self)
    }

    /// Whether it is shown in another view than at first.
    pub fn is_turned(&self) -> bool {
        self.view > 0
    }

    /// Goes to the next view, after the list to the first.
    pub fn turn(&mut self, views: &[&'static str]) {
        self.view = if self.view < views.len() { self.view + 1 } else { 0 };
    }

    /// What is chosen; empty if nothing is and there is no first value.
    pub fn value(&self, choice: &Choice) -> &str {
        let first = choice.values.first().copied().unwrap_or_default();
        self.chosen.get(choice.name).map_or(first, String::as_str)
    }

    /// All that was chosen, by name.
    pub fn chosen(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.chosen.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Chooses this text.
    pub fn choose(&mut self, choice: &Choice, value: impl Into<String>) {
        self.chosen.insert(choice.name, value.into());
    }

    /// Chooses the next value, after the last the first. Nothing where any text can be chosen.
    pub fn next(&mut self, choice: &Choice) {
        let at = choice.values.iter().position(|value| *value == self.value(choice));
        let next = at.map_or(0, |at| at + 1) % choice.values.len().max(1);
        if let Some(value) = choice.values.get(next) {
            self.choose(choice, *value);
        }
    }
}

/// How each pane of a layout is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes(Vec<Mode>);

impl Modes {
    /// As a layout wants its panes at first.
    pub fn first(layout: &Layout) -> Modes {
        Modes(layout.panes().map(|(_, spec)| spec.mode.clone()).collect())
    }

    /// How this pane is shown.
    pub fn of(&self, pane: PaneId) -> &Mode {
        &self.0[pane.index()]
    }

    /// How this pane is shown, to change it.
    pub fn of_mut(&mut self, pane: PaneId) -> &mut Mode {
        &mut self.0[pane.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::layout::PaneKind;

    #[test]
    fn views_and_values_go_round() {
        let views = ["circle", "strip"];
        let choice = Choice { key: 'o', name: "order", doc: "", values: &["name", "load"] };
        let mut mode = Mode::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(format!("{} {}", mode.view(&views), mode.value(&choice)));
            mode.turn(&views);
            mode.next(&choice);
        }
        assert_eq!(seen, ["circle name", "strip load", "list name", "circle load"]);
    }

    #[test]
    fn any_text_stays_until_another_is_chosen() {
        let choice = Choice { key: 'k', name: "key", doc: "", values: &[] };
        let layout = Layout::overview();
        let (ring, nodes) = (layout.first(PaneKind::Ring), layout.first(PaneKind::Nodes));
        let mut modes = Modes::first(&layout);
        assert_eq!(modes.of(ring).value(&choice), "");
        modes.of_mut(ring).choose(&choice, "user:42");
        modes.of_mut(ring).next(&choice);
        assert_eq!(modes.of(ring).value(&choice), "user:42");
        assert_eq!(modes.of(nodes), &Mode::default());
    }
}
