//! What a scenario tells, in a pane of its own: a layout may give it a place. Where none has, it is
//! told in a box below the panes.

use super::{Item, Mark, Pane, Scene, Title};
use crate::tui::frame;
use crate::tui::narration;
use crate::tui::story::Story;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// What there is to say when nothing is told.
const NOTHING: &str = "No scenario is told. 'netsplit demo --list' lists lessons and incidents, \
                       'netsplit demo NAME' tells one here, step by step.";

/// The pane.
pub(super) struct Narration;

impl Pane for Narration {
    fn about(&self) -> &'static str {
        "What a scenario tells: its step, what to look at, and questions to think about. PgDn goes \
         on, PgUp goes back, R plays the step again."
    }

    fn views(&self) -> &'static [&'static str] {
        &["text"]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        let most = usize::from(u16::MAX);
        let lines = lines(scene, most, most);
        lines.iter().map(|line| Item::new(Mark::None, line.to_string())).collect()
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let Some(story) = scene.story else { return Title::default() };
        Title {
            name: Some(story.scenario().title.clone()),
            summary: narration::hint(story, scene.look),
            trouble: story.missed().is_some(),
        }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let text = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        let lines = lines(scene, usize::from(text.width), usize::from(text.height));
        frame::put_all(buf, text, narration::cut(lines, text.height, scene.look));
    }
}

/// Where in the scenario one is, once it has begun.
fn place(story: &Story) -> Option<String> {
    match (story.place(), story.act().0, story.scenario().acts.len()) {
        ((0, _), ..) => None,
        ((step, steps), _, 1) => Some(format!("step {step} of {steps}")),
        ((step, steps), act, _) => Some(format!("act {act}, step {step} of {steps}")),
    }
}

fn lines(scene: &Scene<'_>, width: usize, room: usize) -> Vec<Line<'static>> {
    match scene.story {
        Some(story) => {
            let place = place(story).map(|at| Line::styled(at, scene.look.style(Role::Muted)));
            let room = room.saturating_sub(place.iter().count());
            let lines = narration::lines(story, scene.look, width, room);
            place.into_iter().chain(lines).collect()
        }
        None => {
            let style = scene.look.style(Role::Muted);
            frame::wrap(NOTHING, width).into_iter().map(|line| Line::styled(line, style)).collect()
        }
    }
}
