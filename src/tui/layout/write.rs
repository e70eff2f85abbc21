//! Writing a layout as a file: what is on the screen now, to have it again.

use super::{Layout, PaneId, Variant};
use crate::tui::mode::Modes;
use crate::tui::panes;
use std::fmt::Write as _;

impl Layout {
    /// The text of a file that is this layout, with focus on `focus` and every pane shown as in
    /// `modes`.
    pub fn write(&self, focus: PaneId, modes: &Modes) -> String {
        let mut out = String::from("schema = 1\n");
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "title  = {}", quoted(&self.title));
        let _ = writeln!(out, "about  = {}", quoted(&self.about));
        let _ = writeln!(out, "for    = {}", list(self.suits.iter().map(String::as_str)));
        let focus = if self.declares(focus) { focus } else { self.focus };
        let _ = writeln!(out, "focus  = {}", quoted(&self.pane(focus).id));
        if let Some(theme) = &self.theme {
            let _ = writeln!(out, "theme  = {}", quoted(theme));
        }
        for (id, _) in self.panes().take(self.declared) {
            self.write_pane(&mut out, id, modes);
        }
        for variant in &self.variants {
            self.write_variant(&mut out, variant);
        }
        out
    }

    fn write_pane(&self, out: &mut String, id: PaneId, modes: &Modes) {
        let (spec, mode) = (self.pane(id), modes.of(id));
        let _ = writeln!(out, "\n[pane.{}]", spec.id);
        if !spec.slot.is_empty() {
            let _ = writeln!(out, "kind  = {}", list(spec.slot.iter().map(|kind| kind.id())));
        } else if spec.id != spec.kind.id() {
            let _ = writeln!(out, "kind  = {}", quoted(spec.kind.id()));
        }
        if let Some(title) = &spec.title {
            let _ = writeln!(out, "title = {}", quoted(title));
        }
        if !spec.slot.is_empty() {
            return;
        }
        if mode.is_turned() {
            let view = mode.view(panes::pane(spec.kind).views());
            let _ = writeln!(out, "view  = {}", quoted(view));
        }
        for (name, value) in mode.chosen() {
            let _ = writeln!(out, "options.{name} = {}", quoted(value));
        }
    }

    fn write_variant(&self, out: &mut String, variant: &Variant) {
        let tracks = |tracks: &[super::Track]| {
            let texts: Vec<String> = tracks.iter().map(ToString::to_string).collect();
            list(texts.iter().map(String::as_str))
        };
        let _ = writeln!(out, "\n[[variant]]\nname    = {}", quoted(&variant.name));
        let _ = writeln!(out, "columns = {}", tracks(&variant.columns));
        let _ = writeln!(out, "rows    = {}\nareas   = [", tracks(&variant.rows));
        let widest = variant.areas.iter().map(|area| area.word.len()).max().unwrap_or(1);
        for row in 0..variant.rows.len() {
            let word = |column| {
                let here = variant
                    .areas
                    .iter()
                    .find(|area| area.rows.contains(&row) && area.columns.contains(&column));
                let word = here.map_or(".", |area| area.word.as_str());
                format!("{word:<widest$}")
            };
            let words: Vec<String> = (0..variant.columns.len()).map(word).collect();
            let _ = writeln!(out, "  {},", quoted(words.join(" ").trim_end()));
        }
        out.push_str("]\n");
        let id = |pane: &PaneId| self.pane(*pane).id.as_str();
        for area in &variant.areas {
            // A word that is no pane is a stack.
            if self.with_id(&area.word).is_none_or(|pane| !self.declares(pane)) {
                let tabs = list(area.panes.iter().map(id));
                let _ = writeln!(out, "tabs.{} = {tabs}", area.word);
            }
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", words.map(quoted).collect::<Vec<_>>().join(", "))
}
