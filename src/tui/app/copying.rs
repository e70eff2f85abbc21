//! What goes to the clipboard.

use super::App;
use crate::tui::copy::{Copy, LONGEST};
use crate::tui::panes;
use crate::tui::select::Target;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

/// A pane is copied as if it had this size at least.
const WHOLE: (u16, u16) = (78, 20);

impl App {
    /// What is to be put on the clipboard now, if anything is.
    pub fn to_copy(&mut self) -> Option<Copy> {
        self.copy.take()
    }

    /// It was put there, by this.
    pub fn copied(&mut self, copy: &Copy, by: &str) {
        let (count, first) = (copy.text.chars().count(), copy.text.lines().next().unwrap_or(""));
        let what = match copy.text.lines().count() {
            1 => first.chars().take(60).collect(),
            _ => copy.what.clone(),
        };
        self.say(format!("copied {count} characters by {by}: {what}"));
    }

    /// Copies what was said last, if something was, else the selected item of the pane.
    pub(super) fn copy_selection(&mut self, said: Option<String>) {
        let item = said.map(|text| ("what was said", text)).or_else(|| {
            let items = panes::pane(self.focused()).list(&self.scene(self.focus.pane()));
            let item = items.into_iter().find(|item| item.selected);
            item.map(|item| ("the selected row", item.text))
        });
        match item.or_else(|| Some(("the selection", named(&self.target())?))) {
            Some((what, text)) => self.put_aside(what.to_owned(), text),
            None => self.say("nothing is selected here"),
        }
    }

    /// Copies the whole pane as text, in the view that it is in.
    pub(super) fn copy_pane(&mut self) {
        let pane = self.focus.pane();
        let solved = self.solve(self.screen);
        let mut places = solved.iter().flat_map(|solved| &solved.places);
        let place = places.find(|place| place.panes.contains(&pane));
        let size = place.map_or(WHOLE, |place| (place.rect.width, place.rect.height));
        let area = Rect::new(0, 0, size.0.max(WHOLE.0), size.1.max(WHOLE.1));
        let mut buf = Buffer::empty(area);
        let (kind, scene) = (self.focused(), self.scene(pane));
        let title = panes::title(kind, &scene);
        panes::draw(kind, &scene, area, &mut buf);
        let name = title.name.unwrap_or_else(|| self.layout.pane(pane).title(false).to_owned());
        let mut text = format!("{name}  {}\n", title.summary);
        for row in buf.content.chunks(area.width.into()) {
            let row: String = row.iter().map(Cell::symbol).collect();
            text.push_str(row.trim_end());
            text.push('\n');
        }
        self.put_aside(format!("pane {name}"), format!("{}\n", text.trim_end()));
    }

    pub(super) fn put_aside(&mut self, what: String, text: String) {
        match text.len() <= LONGEST {
            true => self.copy = Some(Copy { text, what }),
            false => self.say(format!("{what} is too long for a clipboard: {} bytes", text.len())),
        }
    }
}

/// What a line calls it.
fn named(target: &Target) -> Option<String> {
    Some(match target {
        Target::Node(id) => id.to_string(),
        Target::Link(a, b) => format!("{a} -> {b}"),
        Target::Message(msg) => msg.to_string(),
        Target::Lock(lock) => lock.to_string(),
        Target::Txn(txn) => txn.to_string(),
        Target::Nothing => return None,
    })
}
