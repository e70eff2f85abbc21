//! What is selected, in words, below the lanes.

use super::super::row::{Row, put};
use super::super::table::Mark;
use super::View;
use super::lanes::{label, way};
use crate::base::Time;
use crate::event::{Event, Kind};
use crate::tui::theme::Role;
use crate::view::flow::{self, Message};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How many of the events right after the selected one are named.
const NAMED: usize = 3;

/// Draws as much as there is room for, what matters most first.
pub(super) fn draw(view: &View<'_>, area: Rect, buf: &mut Buffer) {
    let look = view.scene.look;
    let rows = match view.scene.select.event {
        Some(index) if view.scene.timeline.events().get(index).is_some() => selected(view, index),
        _ => nothing(view),
    };
    // In a single row, or two, what is selected and what can be done.
    let legend = Row::muted(look, legend(view));
    let mut rows = rows;
    if area.height > 4 {
        rows.truncate(usize::from(area.height).saturating_sub(1));
        rows.push(legend);
    }
    put(area, buf, &rows);
}

fn nothing<'a>(view: &'a View<'_>) -> Vec<Row<'a>> {
    let look = view.scene.look;
    let flying = view.scene.board.network.in_flight();
    let what = if flying == 1 { "message is" } else { "messages are" };
    vec![Row::muted(look, format!("{flying} {what} under way; Left and Right select an event"))]
}

fn selected<'a>(view: &'a View<'_>, index: usize) -> Vec<Row<'a>> {
    let look = view.scene.look;
    let events = view.scene.timeline.events();
    let Some(event) = events.get(index) else { return Vec::new() };
    let mut rows = match view.flow.message_of(index) {
        Some(message) => of_message(view, message),
        None => {
            let text = format!("{} {} {}", exact(event.at), event.node, said(event));
            vec![Row::new(look, Mark::Selected).text(Role::Text, text)]
        }
    };
    let around = flow::around(events, index);
    if let Some(before) = around.before.and_then(|index| events.get(index)) {
        rows.push(
            Row::plain(look).text(Role::Muted, "right before ").text(Role::Text, said(before)),
        );
    }
    if !around.after.is_empty() {
        let named = around.after.iter().take(NAMED).filter_map(|index| events.get(*index));
        let mut text = named.map(|event| label(look, event)).collect::<Vec<_>>().join(", ");
        if around.after.len() > NAMED {
            text.push_str(&format!(", and {} more", around.after.len() - NAMED));
        }
        rows.push(Row::plain(look).text(Role::Muted, "right after  ").text(Role::Text, text));
    }
    rows
}

fn said(event: &Event) -> String {
    match &event.kind {
        Kind::Commanded(command) => command.brief(),
        kind => kind.to_string(),
    }
}

/// To the microsecond: what is close together must not look the same.
fn exact(at: Time) -> String {
    format!("{}.{:06}", at.0 / 1_000_000, at.0 % 1_000_000)
}

fn of_message<'a>(view: &'a View<'_>, message: &Message) -> Vec<Row<'a>> {
    let (look, position) = (view.scene.look, view.window.position);
    let arrow = look.glyphs.arrow;
    let name = format!("{} {} {arrow} {}  ", message.id, message.from, message.to);
    let says = match message.label.as_str() {
        "" => message.service.map_or("not known what".to_owned(), |service| service.to_string()),
        label => format!("{} {label}", message.service.map_or("", |service| service.name())),
    };
    let (fate, role) = fate(message, position);
    let first = Row::new(look, Mark::Selected).text(Role::Accent, name).text(role, fate);
    let mut rows = vec![first.text(Role::Text, format!("  {says}"))];
    let sent = message.sent.map_or("not seen".to_owned(), |(_, at)| exact(at));
    let mut times = format!("sent {sent}");
    for end in &message.ends {
        let word = if end.lost.is_some() { "lost" } else { "received" };
        times.push_str(&format!("   {word} {}", exact(end.at)));
    }
    let verbs = match message.is_under_way(position) {
        true => "   x drop  d delay  f more",
        false if view.scene.live => "",
        false if message.sent.is_some() => "   x drop: in a branch that begins where it was sent",
        false => "",
    };
    rows.push(Row::plain(look).text(Role::Text, times).text(Role::Muted, verbs));
    rows
}

/// What became of a message, as far as one has got after so many events.
pub(super) fn fate(message: &Message, position: usize) -> (String, Role) {
    let past = message.ends.iter().filter(|end| end.index < position);
    let mut texts = Vec::new();
    let mut role = Role::Ok;
    for end in past {
        let took = message.sent.map(|(_, at)| end.at.since(at));
        texts.push(match (end.lost, took) {
            (Some(why), _) => format!("lost: {why}"),
            (None, Some(took)) => format!("took {}", way(took)),
            (None, None) => "arrived".to_owned(),
        });
        role = if end.lost.is_some() { Role::Bad } else { role };
    }
    match (texts.is_empty(), message.held, message.sent) {
        (false, ..) => (texts.join(", "), role),
        (true, _, Some((index, _))) if index >= position => {
            ("not sent yet".to_owned(), Role::Muted)
        }
        (true, Some(_), _) => ("held back".to_owned(), Role::Warn),
        (true, None, _) => ("under way".to_owned(), Role::Candidate),
    }
}

fn legend(view: &View<'_>) -> String {
    let glyphs = view.scene.look.glyphs;
    format!(
        "{} sends  {} receives  {} lost  {} leads  {} wants to  {} applies  {} dies  {} states",
        glyphs.send,
        glyphs.receive,
        glyphs.lost,
        glyphs.leader,
        glyphs.candidate,
        glyphs.holds,
        glyphs.down,
        if glyphs.is_ascii() { "*" } else { "•" },
    )
}
