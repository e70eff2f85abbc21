//! Choosing a theme: what is chosen in the list is what the screen looks like meanwhile.

use super::App;
use crate::tui::list::{List, Listed};
use crate::tui::overlay::Overlay;
use crate::tui::theme::{Depth, Role};

impl App {
    /// Lists the themes, and shows the next one.
    pub(super) fn list_themes(&mut self) {
        if self.look.able == Depth::None {
            return self.say("there are no colours here");
        }
        let names = self.themes.names();
        let here = names.iter().position(|name| name == self.look.theme.name());
        let row = |name: &String| match self.themes.load(name) {
            Ok(_) => (format!(" {name}"), Role::Text),
            Err(error) => (format!(" {name}: {}", error.line()), Role::Bad),
        };
        let list = List {
            of: Listed::Themes,
            title: "Themes".to_owned(),
            head: " The screen shows the chosen one.".to_owned(),
            rows: names.iter().map(row).collect(),
            at: here.map_or(0, |at| at + 1) % names.len().max(1),
            keys: &[],
            enter: "keep it",
        };
        self.tried = Some(self.look.clone());
        self.overlay = Some(Overlay::List(list));
        self.try_theme();
    }

    /// Has the screen look like the theme that is chosen, if one is being chosen.
    pub(super) fn try_theme(&mut self) {
        let Some(Overlay::List(List { of: Listed::Themes, at, .. })) = &self.overlay else {
            return;
        };
        let name = self.themes.names().into_iter().nth(*at).unwrap_or_default();
        if let Ok(theme) = self.themes.load(&name) {
            self.look.switch(theme);
        }
    }

    /// Takes the theme of a name, if there is one.
    pub(super) fn take_theme(&mut self, name: &str) {
        match self.themes.load(name) {
            _ if self.look.able == Depth::None => self.say("there are no colours here"),
            Ok(theme) => {
                self.look.switch(theme);
                self.keep_theme();
            }
            Err(error) => self.say(error.line()),
        }
    }

    /// Keeps the theme that is shown.
    pub(super) fn keep_theme(&mut self) {
        self.tried = None;
        self.look.because = "the key that changes it";
        let name = self.look.theme.name();
        self.say(format!("theme {name}; --theme {name} begins with it"));
    }

    /// Closes what lies over the panes. A theme that was only tried is gone.
    pub(super) fn uncover(&mut self) {
        self.prompt.close("");
        self.overlay = None;
        if let Some(look) = self.tried.take() {
            self.look = look;
        }
    }
}
