//! What is drawn: header, panes, hints, what lies over them.

use super::{App, LIVE_STEP, Speed};
use crate::tui::frame::{self, Header, Pace};
use crate::tui::help::{self, Help};
use crate::tui::narration;
use crate::tui::overlay::Overlay;
use crate::tui::panes;
use crate::tui::prompt::Ask;
use crate::tui::source::Source;
use crate::tui::theme::{Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

impl App {
    /// Draws the whole screen. Returns where the terminal's cursor belongs, if anywhere: in the
    /// line that is typed, else at what is selected, where screen readers look for it.
    pub fn draw(&self, buf: &mut Buffer) -> Option<Position> {
        self.spots.clear();
        let Some(solved) = self.solve(buf.area) else {
            frame::too_small(buf);
            self.look.finish(buf);
            return None;
        };
        let checks = self.timeline.checks();
        let rules = (checks.holding(), checks.violations().count());
        self.draw_header(solved.header, rules, buf);
        let kind = |id| self.layout.pane(id).kind;
        let title = |id| panes::title(kind(id), &self.scene(id));
        let (look, layout, focus) = (&self.look, &self.layout, &self.focus);
        for (id, inside) in frame::panes(buf, look, layout, &solved, focus, &self.spots, title) {
            panes::draw(kind(id), &self.scene(id), inside, buf);
        }
        if let Some(story) = &self.story {
            if !self.tells(&solved) {
                let height = narration::height(story, &self.look, buf.area).min(solved.hints.y);
                let area = Rect { y: solved.hints.y - height, height, ..solved.hints };
                narration::draw(story, &self.look, area, buf);
            }
            narration::tags(story, &self.layout, &solved, &self.spots, buf);
        }
        let cursor = self.draw_over(solved.hints, buf);
        self.look.finish(buf);
        cursor
    }

    /// Draws the focused pane alone, in a box with this name.
    pub fn draw_pane(&self, name: &str, area: Rect, buf: &mut Buffer) {
        self.spots.clear();
        let scene = self.scene(self.focus.pane());
        let summary = panes::title(self.focused(), &scene).summary;
        let inside = frame::boxed(buf, area, &self.look, name, summary);
        panes::draw(self.focused(), &scene, inside, buf);
    }

    /// Draws the hints and what lies over the panes. Returns where the cursor belongs, if anywhere.
    pub fn draw_over(&self, hints: Rect, buf: &mut Buffer) -> Option<Position> {
        let selected = self.spots.selected(self.focus.pane(), &self.select);
        let asked = self.draw_hints(hints, buf);
        let over = self.draw_overlay(buf);
        let covered = self.spots.is_covered();
        match self.draw_palette(buf).or(over).or(asked) {
            None if !covered => selected.map(Rect::as_position),
            typed => typed,
        }
    }

    /// Whether something lies over the panes, or there is something to say.
    pub fn is_covered(&self) -> bool {
        self.overlay.is_some() || self.prompt.is_open() || self.notice.is_some()
    }

    /// Whether the screen is large enough.
    pub fn fits(&self, screen: Rect) -> bool {
        self.solve(screen).is_some()
    }

    /// What things look like.
    pub fn looks(&self) -> &Look {
        &self.look
    }

    /// The whole screen at this size.
    pub fn picture(&self, width: u16, height: u16) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        self.draw(&mut buf);
        buf
    }

    /// Draws the header. `rules` says how many checks hold, and how many are broken.
    pub fn draw_header(&self, area: Rect, (holds, broken): (usize, usize), buf: &mut Buffer) {
        let board = self.timeline.board();
        // Time passes also where nothing happens.
        let live = self.timeline.is_live();
        let now = if live { board.now.max(self.reached) } else { board.now };
        let pace = match (live, self.moves()) {
            _ if self.timeline.excerpt().is_some() => Pace::Excerpt,
            (false, _) => Pace::Past(format!("-{:.1}s", self.behind())),
            (true, _) if self.over => Pace::Ended,
            (true, _) if self.is_live() => Pace::Live,
            (true, true) => Pace::Running,
            (true, false) => Pace::Paused,
        };
        let speed = match self.speed {
            _ if self.is_live() => String::new(),
            Speed::Full => "max".to_owned(),
            Speed::Percent(percent) if percent % 100 == 0 => format!("x{}", percent / 100),
            Speed::Percent(percent) => format!("x{}.{:02}", percent / 100, percent % 100),
        };
        let header = Header {
            cluster: &self.title.name,
            source: &self.source().label(if self.look.glyphs.is_ascii() { "-" } else { "·" }),
            links: self.linked(),
            pace,
            time: &match live && self.is_live() {
                true => format!("{}.{}s", now.0 / 1_000_000, now.0 / LIVE_STEP % 10),
                false => format!("{}.{:03}s", now.0 / 1_000_000, now.0 / 1_000 % 1_000),
            },
            speed: &speed,
            event: &format!("{}/{}", board.events, self.timeline.events().len()),
            faults: board.faults.count(),
            holds,
            broken,
            mouse_off: self.mouse_off,
        };
        frame::header(buf, area, &self.look, &self.spots, &header);
    }

    /// What one looks at, with the seed of the branch that is looked at.
    fn source(&self) -> Source {
        match &self.title.source {
            Source::Simulated { .. } => Source::Simulated { seed: self.seed() },
            source => source.clone(),
        }
    }

    /// Of how many processes elsewhere how many can be seen.
    fn linked(&self) -> Option<(usize, usize)> {
        let all = self.title.processes.len();
        let shown = self.title.source.is_remote() || self.links.count() > 0;
        shown.then(|| (all.saturating_sub(self.links.count()), all))
    }

    /// How far the cursor is behind the end of the run, in seconds.
    pub(super) fn behind(&self) -> f64 {
        let end = self.timeline.viewed().end().now;
        // A live cluster's time passes also where nothing happens.
        let end = if self.is_live() { end.max(self.reached) } else { end };
        end.since(self.timeline.board().now).0 as f64 / 1e6
    }

    /// The hints, or what is asked for by name. Returns where the cursor belongs, if anywhere.
    fn draw_hints(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let mut cursor = None;
        match self.prompt.input().filter(|_| self.prompt.asked() != Ask::Command) {
            Some(input) => {
                let label = self.prompt.asked().label();
                cursor = Some(frame::prompt(buf, area, &self.look, label, input));
            }
            None => {
                let hints = self.keymap.hints(area.width.into());
                frame::hints(buf, area, &self.look, &self.spots, &hints);
            }
        }
        if let Some(notice) = &self.notice {
            frame::note(buf, area, &self.look, Role::Candidate, notice);
        }
        cursor
    }

    /// What lies over the panes. Returns where the cursor belongs if something is typed there.
    fn draw_overlay(&self, buf: &mut Buffer) -> Option<Position> {
        let screen = buf.area;
        match &self.overlay {
            Some(Overlay::Help(reading)) => {
                let pane = &self.name_of(self.focus.pane());
                let about = &panes::about(self.focused());
                let help = Help { keymap: &self.keymap, pane, about, reading };
                return help::draw(buf, screen, &self.look, &self.spots, &help).1;
            }
            Some(Overlay::Options(menu)) => {
                let mode = self.modes.of(menu.pane());
                menu.draw(&self.look, &self.keymap, mode, screen, &self.spots, buf);
            }
            Some(Overlay::Search(search)) => search.draw(&self.look, &self.spots, screen, buf),
            Some(Overlay::Inspect(target, scroll)) => {
                let scene = self.scene(self.focus.pane());
                panes::inspect::draw(&scene, target, *scroll, screen, buf);
            }
            Some(Overlay::Tour(tour)) => {
                let live = self.is_live();
                tour.draw(&self.look, &self.keymap, live, screen, &self.spots, buf);
            }
            Some(Overlay::Faults(menu)) => self.draw_faults(menu, buf),
            Some(overlay) => overlay.draw(&self.look, screen, &self.spots, buf),
            None => {}
        }
        None
    }
}
