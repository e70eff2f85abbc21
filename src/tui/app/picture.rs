//! What is drawn: header, panes, hints, what lies over them.

use super::{App, LIVE_STEP, Speed};
use crate::base::NodeId;
use crate::check::{Standing, Verdict};
use crate::command::FORMS;
use crate::tui::frame::{self, Header, Pace};
use crate::tui::help::{self, Help};
use crate::tui::overlay::Overlay;
use crate::tui::panes;
use crate::tui::prompt::Ask;
use crate::tui::source::Source;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

/// How many commands are offered over the prompt at the most.
const MOST_FORMS: usize = 8;
/// The first words of commands that only a simulator takes.
const STEERS: [&str; 6] = ["run", "stop", "step", "fork", "branch", "seed"];

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
        self.draw_header(solved.header, buf);
        let kind = |id| self.layout.pane(id).kind;
        let title = |id| panes::title(kind(id), &self.scene(id));
        let (look, layout, focus) = (&self.look, &self.layout, &self.focus);
        for (id, inside) in frame::panes(buf, look, layout, &solved, focus, &self.spots, title) {
            panes::draw(kind(id), &self.scene(id), inside, buf);
        }
        let selected = self.spots.selected(self.focus.pane(), &self.select);
        let cursor = self.draw_hints(solved.hints, buf).or(selected.map(Rect::as_position));
        let cursor = cursor.filter(|_| self.overlay.is_none());
        self.draw_overlay(buf);
        self.look.finish(buf);
        cursor
    }

    /// The whole screen at this size.
    pub fn picture(&self, width: u16, height: u16) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        self.draw(&mut buf);
        buf
    }

    fn draw_header(&self, area: Rect, buf: &mut Buffer) {
        let board = self.timeline.board();
        // Time passes also where nothing happens.
        let live = self.timeline.is_live();
        let now = if live { board.now.max(self.reached) } else { board.now };
        let pace = match (live, self.moves()) {
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
        let checks = self.timeline.checks();
        let broken = checks.violations().count();
        let says_nothing =
            |standing: &Standing<'_>| matches!(standing.verdict, Verdict::Idle | Verdict::Waiting);
        let waiting = checks.standings().filter(says_nothing).count();
        let all = checks.standings().count() - waiting;
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
            holds: all.saturating_sub(broken),
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

    fn draw_hints(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let mut cursor = None;
        match self.prompt.input() {
            Some(input) => {
                let ask = self.prompt.asked();
                cursor = Some(frame::prompt(buf, area, &self.look, ask.label(), input));
                if ask == Ask::Command {
                    self.draw_forms(input.value(), area, buf);
                }
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

    /// Over the prompt, the commands that what was typed can become.
    fn draw_forms(&self, typed: &str, prompt: Rect, buf: &mut Buffer) {
        if self.notice.is_some() {
            return;
        }
        let verb = typed.split_whitespace().next().unwrap_or_default();
        let asks = verb.parse::<NodeId>().is_ok();
        let first = |form: &'static str| form.split(' ').next().unwrap_or_default();
        let fits = |form: &'static str| match first(form) {
            "PROCESS" => asks || verb.is_empty(),
            word => word.starts_with(verb),
        };
        // Forms that would be refused are not offered.
        let live = self.is_live();
        let steers = |form: &'static str| STEERS.contains(&first(form));
        let fits = |form: &'static str| fits(form) && !(live && steers(form));
        let known: Vec<_> = FORMS.iter().filter(|(form, _)| fits(form)).take(MOST_FORMS).collect();
        let height = u16::try_from(known.len()).unwrap_or(0).min(prompt.y.saturating_sub(1));
        let area = Rect { y: prompt.y - height, height, ..prompt };
        frame::clear(buf, area);
        let line = |(form, about): &(&str, &str)| Line::from(format!(" {form:<30} {about}"));
        for (row, known) in area.rows().zip(known) {
            let ellipsis = self.look.glyphs.ellipsis;
            frame::put(buf, row, &frame::cut(line(known), row.width.into(), ellipsis));
        }
        buf.set_style(area.intersection(buf.area), self.look.style(Role::Muted));
    }

    fn draw_overlay(&self, buf: &mut Buffer) {
        let screen = buf.area;
        match &self.overlay {
            Some(Overlay::Help(scroll)) => {
                let pane = &self.name_of(self.focus.pane());
                let about = &panes::about(self.focused());
                let help = Help { keymap: &self.keymap, pane, about, scroll: *scroll };
                help::draw(buf, screen, &self.look, &self.spots, &help);
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
            Some(overlay) => overlay.draw(&self.look, screen, &self.spots, buf),
            None => {}
        }
    }
}
