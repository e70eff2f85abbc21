//! What a scenario tells: lines for a pane of its own or for a box below the panes, and tags on
//! what one should look at.

use super::frame;
use super::spots::Spots;
use super::story::Story;
use super::theme::{Look, Role};
use crate::tui::layout::{Layout, PaneKind, Placed, Solved};
use crate::tui::select::Pick;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// How many rows the panes keep at the least.
const PANES: u16 = 10;
/// How many rows the box has at the least, borders included.
const LEAST: u16 = 5;

/// How high the box is on a screen of this size.
pub(super) fn height(story: &Story, look: &Look, screen: Rect) -> u16 {
    let most = screen.height.saturating_sub(PANES + 2).max(LEAST.min(screen.height));
    let (width, room) = (screen.width.saturating_sub(4), most.saturating_sub(2));
    let lines = lines(story, look, usize::from(width), usize::from(room)).len();
    let wants = u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2);
    wants.max(LEAST).min(most)
}

/// Draws the box.
pub(super) fn draw(story: &Story, look: &Look, area: Rect, buf: &mut Buffer) {
    let inside = frame::boxed(buf, area, look, &place(story), hint(story, look));
    let text = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let lines = lines(story, look, usize::from(text.width), usize::from(text.height));
    frame::put_all(buf, text, cut(lines, text.height, look));
}

/// The scenario, and where in it one is.
fn place(story: &Story) -> String {
    let (step, steps) = story.place();
    let (act, of) = (story.act().0, story.scenario().acts.len());
    match (step, of) {
        (0, _) => story.scenario().title.clone(),
        (_, 1) => format!("{}  step {step} of {steps}", story.scenario().title),
        _ => format!("{}  act {act} of {of}, step {step} of {steps}", story.scenario().title),
    }
}

/// The keys that go on and back.
pub(super) fn hint(story: &Story, look: &Look) -> Line<'static> {
    let hint = if story.presents() { "" } else { " PgDn next  PgUp back  R again " };
    Line::styled(hint, look.style(Role::Muted))
}

/// As many lines as there is room for, and a sign that there are more.
pub(super) fn cut(mut lines: Vec<Line<'static>>, room: u16, look: &Look) -> Vec<Line<'static>> {
    let room = usize::from(room);
    if lines.len() > room && room > 0 {
        lines.truncate(room);
        lines[room - 1] = Line::styled(look.glyphs.ellipsis, look.style(Role::Muted));
    }
    lines
}

/// What is told now. Where there is no room for all of it, the answer to a question takes the place
/// of what led to it.
pub(super) fn lines(story: &Story, look: &Look, width: usize, room: usize) -> Vec<Line<'static>> {
    let answered = story.question().is_some_and(|(_, revealed)| revealed);
    let all = told(story, look, width, true);
    if answered && all.len() > room { told(story, look, width, false) } else { all }
}

/// All that is told now, with or without what led to the question.
fn told(story: &Story, look: &Look, width: usize, whole: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut tell = |text: &str, style: Style| {
        lines.extend(frame::wrap(text, width).into_iter().map(|line| Line::styled(line, style)));
    };
    let (plain, strong) = (Style::new(), Style::new().add_modifier(Modifier::BOLD));
    let Some(step) = story.step() else {
        tell(&story.scenario().about, plain);
        let (_, act) = story.act();
        if !act.title.is_empty() {
            tell(&act.title, strong);
            tell(&act.say, plain);
        }
        tell(&opening(story), look.style(Role::Muted));
        return lines;
    };
    tell(&step.title, strong);
    step.say.iter().filter(|_| whole).for_each(|text| tell(text, plain));
    for (at, pointer) in story.pointers().iter().enumerate().filter(|_| whole) {
        let place = pointer.pane.as_deref().and_then(kind).map(PaneKind::title);
        let node = pointer.node.map(|node| node.to_string());
        let place = place.map(str::to_owned).or(node).unwrap_or_default();
        tell(&format!("[{}] {place}: {}", at + 1, pointer.say), look.style(Role::Candidate));
    }
    if let Some((ask, revealed)) = story.question() {
        tell(&format!("Think first: {}", ask.question), strong);
        for (at, choice) in ask.choices.iter().enumerate() {
            let right = revealed && at == ask.answer;
            let mark = if right { look.glyphs.holds } else { " " };
            tell(&format!("{mark} {} {choice}", at + 1), if right { strong } else { plain });
        }
        if revealed {
            tell(&ask.why, plain);
        }
    }
    if let Some(why) = story.missed() {
        tell(&format!("Not as announced: {why}"), look.style(Role::Warn));
    }
    tell(&standing(story), look.style(Role::Muted));
    lines
}

fn opening(story: &Story) -> String {
    match story.is_under_way() {
        true => "running until the first step may begin …".to_owned(),
        false => "PgDn begins.".to_owned(),
    }
}

/// What the next key does.
fn standing(story: &Story) -> String {
    let waits = story.question().is_some_and(|(_, revealed)| !revealed);
    let text = match story.is_over() {
        _ if story.is_left() => "You left the script here: the cluster is yours. PgDn returns.",
        _ if story.is_under_way() => "running …",
        _ if waits => "PgDn shows the answer.",
        (true, true) => "The act is over. PgDn begins the next one, with other switches.",
        (true, false) => "The end. The cluster is yours now; q leaves.",
        _ => return String::new(),
    };
    text.to_owned()
}

/// The pane of a name.
pub(super) fn kind(name: &str) -> Option<PaneKind> {
    PaneKind::ALL.into_iter().find(|pane| pane.id() == name)
}

/// Puts a tag on each thing that the step points at, as far as it is on the screen.
pub(super) fn tags(
    story: &Story,
    layout: &Layout,
    solved: &Solved,
    spots: &Spots,
    buf: &mut Buffer,
) {
    for (at, pointer) in story.pointers().iter().enumerate() {
        let node = pointer.node.and_then(|node| spots.find(&Pick::Node(node)));
        let pane = pointer.pane.as_deref().and_then(kind);
        let pane = pane.and_then(|pane| {
            let is = |place: &&Placed| place.panes.iter().any(|id| layout.pane(*id).kind == pane);
            solved.places.iter().find(is).map(|place| place.rect)
        });
        let Some(rect) = pane.or(node) else { continue };
        let tag = format!("[{}]", at + 1);
        let x = rect.right().saturating_sub(4).max(rect.x);
        let cell = Position::new(x, rect.y + u16::from(pane.is_some() && rect.height > 2));
        let style = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        let room = Rect { x: cell.x, y: cell.y, width: 3, height: 1 };
        frame::put(buf, room, &Line::from(Span::styled(tag, style)));
    }
}
