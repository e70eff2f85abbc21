//! Which layout is shown, which pane has focus, and what is each pane's own.

use super::App;
use crate::error::Error;
use crate::tui::config::Setup;
use crate::tui::keys::Keymap;
use crate::tui::layout::{Focus, Found, Layout, Library, PaneId, PaneKind, Solved, Spec};
use crate::tui::list::{List, Listed};
use crate::tui::mode::{Mode, Modes};
use crate::tui::narration;
use crate::tui::overlay::Overlay;
use crate::tui::palette::{Entry, Place};
use crate::tui::prompt::Ask;
use crate::tui::theme::Role;
use ratatui::layout::Rect;
use std::path::Path;

impl App {
    /// Takes all that a person can choose about the screen, but for the look, which was decided
    /// before.
    #[must_use]
    pub fn set_up(mut self, setup: Setup) -> App {
        self.keymap = Keymap::new(self.is_live(), &setup.keys);
        self.themes = setup.themes;
        self.arranged(setup.layout, setup.library)
    }

    /// Takes a layout, and looks for others in `library`. Where the cluster is about one kind of
    /// pane, that one gets focus.
    #[must_use]
    pub fn arranged(mut self, layout: Layout, library: Library) -> App {
        self.library = library;
        self.arrange(layout);
        let pane = self.title.focus.map(|kind| self.layout.first(kind));
        if let Some(pane) = pane.filter(|pane| self.layout.declares(*pane)) {
            self.focus = Focus::new(pane);
        }
        self
    }

    /// The file of the layout that is shown, which may change under way.
    pub fn layout_file(&self) -> Option<&Path> {
        self.layout.file()
    }

    /// The file of the layout has changed. If it is wrong now, the layout stays as it is.
    pub fn reload(&mut self) {
        let Some(file) = self.layout.file() else { return };
        let layout = self.library.load(&file.to_string_lossy());
        match layout.map(|layout| layout.suited(&self.title.shows)) {
            Ok(layout) if layout == self.layout => {}
            Ok(layout) => {
                let focus = self.layout.pane(self.focus.pane()).id.clone();
                let panes = self.layout.panes();
                let before =
                    panes.map(|(id, spec)| (spec.clone(), self.modes.of(id).clone())).collect();
                self.say(format!("layout {} as saved just now", layout.name));
                self.arrange(layout);
                let pane = self.layout.with_id(&focus);
                if let Some(pane) = pane.filter(|pane| self.layout.declares(*pane)) {
                    self.focus.go(pane);
                }
                self.restore(before);
            }
            Err(error) => self.say(error.line()),
        }
    }

    /// Shows panes as they were, if they are still there and the file says the same of them.
    fn restore(&mut self, before: Vec<(Spec, Mode)>) {
        for (id, spec) in self.layout.panes() {
            if let Some((_, mode)) = before.iter().find(|(old, _)| old == spec) {
                self.modes.of_mut(id).clone_from(mode);
            }
        }
    }

    /// Shows the layout of a name, if there is one.
    pub(super) fn arrange_by_name(&mut self, name: &str) {
        match self.library.load(name).map(|layout| layout.suited(&self.title.shows)) {
            Ok(layout) if layout == self.layout => {}
            Ok(layout) => self.arrange(layout),
            Err(error) => self.say(error.line()),
        }
    }

    pub(super) fn arrange(&mut self, layout: Layout) {
        let layout = layout.suited(&self.title.shows);
        self.modes = Modes::first(&layout);
        self.focus = Focus::new(layout.focus);
        self.zoom = false;
        self.layout = layout;
        self.show_narration();
    }

    /// The kind of the pane that has focus.
    pub(super) fn focused(&self) -> PaneKind {
        self.layout.pane(self.focus.pane()).kind
    }

    /// What the title of a pane says of it: its number and name.
    pub(super) fn name_of(&self, pane: PaneId) -> String {
        let name = self.layout.pane(pane).title(false);
        pane.number().map_or(name.to_owned(), |number| format!("{number} {name}"))
    }

    /// Where everything is now. A pane that has focus but no place is shown alone, as one is that
    /// was given the whole screen.
    pub(super) fn solve(&self, area: Rect) -> Option<Solved> {
        let whole = self.placed(area);
        let told = self.story.as_ref().filter(|_| !whole.as_ref().is_some_and(|it| self.tells(it)));
        let Some(story) = told else { return whole };
        let height = narration::height(story, &self.look, area).min(area.height);
        let mut solved = self.placed(Rect { height: area.height - height, ..area })?;
        // What is told stands between the panes and the hints.
        solved.hints.y += height;
        Some(solved)
    }

    fn placed(&self, area: Rect) -> Option<Solved> {
        let mut solved = self.layout.solve(area)?;
        let pane = self.focus.pane();
        if self.zoom || !solved.has(pane) {
            solved.zoom(pane);
        }
        Some(solved)
    }

    /// Whether a pane can be seen that has what a scenario tells.
    pub(super) fn tells(&self, solved: &Solved) -> bool {
        let mut fronts = solved.places.iter().filter_map(|place| place.front(&self.focus));
        fronts.any(|pane| self.layout.pane(pane).kind == PaneKind::Narration)
    }

    /// Brings the pane to the front that has what a scenario tells, if the layout places one.
    pub(super) fn show_narration(&mut self) {
        let pane = self.layout.first(PaneKind::Narration);
        if self.story.is_some() && self.layout.declares(pane) {
            let before = self.focus.pane();
            self.focus.go(pane);
            self.focus.go(before);
        }
    }

    pub(super) fn neighbour(&mut self, forward: bool) {
        if let Some(solved) = self.layout.solve(self.screen) {
            self.focus.go(solved.neighbour(self.focus.pane(), forward));
        }
    }

    pub(super) fn go_to_number(&mut self, number: u8) {
        match self.layout.with_number(number) {
            Some(pane) => self.focus.go(pane),
            None => self.say(format!("this layout has no pane {number}; 0 lists all panes")),
        }
    }

    /// Leaves zoom, or a pane that has no place in the layout.
    pub(super) fn back(&mut self) {
        if std::mem::take(&mut self.zoom) {
            return;
        }
        let Some(solved) = self.layout.solve(self.screen) else { return };
        if !solved.has(self.focus.pane()) {
            let before = self.focus.recent().iter().find(|pane| solved.has(**pane));
            let first = solved.places.first().and_then(|place| place.panes.first());
            if let Some(pane) = before.or(first).copied() {
                self.focus.go(pane);
            }
        }
    }

    /// Whether there is a step back for [`App::back`] to take.
    pub(super) fn is_deep(&self) -> bool {
        let placed = |solved: Solved| solved.has(self.focus.pane());
        self.zoom || !self.layout.solve(self.screen).is_none_or(placed)
    }

    /// Looks what the screen could show instead: other layouts, panes without a number, themes.
    pub(super) fn look_round(&mut self) {
        let layout = |found: Found| {
            let about = found.layout.map_or_else(|error| error.line(), |layout| layout.about);
            Entry::place(format!("layout {}", found.name), about, Place::Layout(found.name))
        };
        let theme = |name: String| {
            let place = Place::Theme(name.clone());
            Entry::place(format!("theme {name}"), "Take these colours", place)
        };
        let pane = |(id, spec): (PaneId, &Spec)| {
            let text = format!("pane {}", spec.title(false).to_lowercase());
            Entry::place(text, spec.kind.about(), Place::Pane(id))
        };
        let unnumbered = self.layout.panes().filter(|(id, _)| id.number().is_none());
        self.places = unnumbered.map(pane).collect();
        self.places.extend(self.library.list().into_iter().map(layout));
        self.places.extend(self.themes.names().into_iter().map(theme));
    }

    /// Shows something else.
    pub(super) fn show(&mut self, place: &Place) {
        match place {
            Place::Layout(name) => self.switch(self.library.load(name)),
            Place::Pane(pane) => self.focus.go(*pane),
            Place::Theme(name) => self.take_theme(name),
        }
    }

    pub(super) fn list_panes(&mut self) {
        let row = |(id, spec): (PaneId, &Spec)| {
            (format!(" {:<16} {}", self.name_of(id), spec.kind.about()), Role::Text)
        };
        let list = List {
            of: Listed::Panes,
            title: "Panes".to_owned(),
            head: " Also those that the layout does not place.".to_owned(),
            rows: self.layout.panes().map(row).collect(),
            at: self.focus.pane().index(),
            keys: &[],
            enter: "go there",
        };
        self.overlay = Some(Overlay::List(list));
    }

    pub(super) fn list_layouts(&mut self) {
        let all = self.library.list();
        let row = |found: &Found| match &found.layout {
            Ok(layout) => (format!(" {:<15} {}", found.name, layout.about), Role::Text),
            Err(error) => (format!(" {:<15} {}", found.name, error.line()), Role::Bad),
        };
        let list = List {
            of: Listed::Layouts,
            title: "Layouts".to_owned(),
            head: " The first fitting variant of each is taken.".to_owned(),
            rows: all.iter().map(row).collect(),
            at: all.iter().position(|found| found.name == self.layout.name).unwrap_or(0),
            keys: &[('s', "save what is shown as")],
            enter: "take it",
        };
        self.overlay = Some(Overlay::List(list));
    }

    /// Goes to the pane in this row of the list.
    pub(super) fn take_pane(&mut self, row: usize) {
        let pane = self.layout.panes().nth(row).map(|(id, _)| id);
        if let Some(pane) = pane {
            self.focus.go(pane);
        }
    }

    /// Shows the layout in this row of the list, or asks for a name to keep what is shown now.
    pub(super) fn take_layout(&mut self, row: usize, key: Option<char>) {
        if key.is_some() {
            let name = self.layout.file().map_or("", |_| self.layout.name.as_str()).to_owned();
            return self.prompt.ask(Ask::LayoutName, &name);
        }
        if let Some(found) = self.library.list().into_iter().nth(row) {
            self.switch(found.layout);
        }
    }

    /// Keeps the layout under this name, as it is shown now: sizes, views, focus.
    pub(super) fn save_layout(&mut self, name: &str) -> Result<(), String> {
        let text = self.layout.write(self.focus.pane(), &self.modes);
        let saved = self.library.save(name, &text, self.layout.file());
        let file = saved.map_err(|error| error.line())?;
        self.say(format!("layout {name} is in {}", file.display()));
        Ok(())
    }

    fn switch(&mut self, layout: Result<Layout, Error>) {
        match layout {
            Ok(layout) => {
                self.say(format!("layout {}: {}", layout.name, layout.about));
                self.arrange(layout);
            }
            Err(error) => self.say(error.line()),
        }
    }
}
