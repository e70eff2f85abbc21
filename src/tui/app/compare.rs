//! Two branches side by side: where they part, and what differs at the same virtual time.

use super::App;
use crate::base::{Span, Time};
use crate::tui::list::{List, Listed};
use crate::tui::overlay::Overlay;
use crate::tui::panes::clock;
use crate::tui::theme::Role;
use crate::view::diff::{self, Difference};
use crate::view::timeline::Branch;

/// The widest that one of the two columns gets.
const COLUMN: usize = 44;
/// The widest that a topic gets.
const TOPIC: usize = 16;

impl App {
    /// Compares a branch with the one that is looked at, or with the one that it came from.
    pub(super) fn compare_with(&mut self, index: usize) {
        let Some(other) = self.timeline.branches().get(index) else { return };
        let viewed = self.timeline.viewed();
        let parent = other.parent.and_then(|id| self.timeline.branch(id));
        let left = if other.id == viewed.id { parent } else { Some(viewed) };
        let Some(left) = left else {
            return self.say("choose the branch to compare with the one that you look at");
        };
        let (left, right) = (left.id.min(other.id), left.id.max(other.id));
        let end = |id| self.timeline.branch(id).map_or(Time::ZERO, |branch| branch.end().now);
        let at = match self.timeline.at_end() {
            true => end(left).min(end(right)),
            false => self.timeline.board().now,
        };
        self.show_comparison(left, right, at);
    }

    fn show_comparison(&mut self, left: u32, right: u32, at: Time) {
        let both = (self.timeline.branch(left), self.timeline.branch(right));
        let (Some(a), Some(b)) = both else { return };
        let differences = diff::differences(&a.at(at), &b.at(at));
        let wide = usize::from(self.screen.width.saturating_sub(TOPIC as u16 + 12)) / 2;
        let wide = wide.clamp(12, COLUMN);
        let row = |topic: &str, left: &str, right: &str| {
            let cell = |text: &str, width| cell(text, width, self.look.glyphs.ellipsis);
            format!(" {} {} {}", cell(topic, TOPIC), cell(left, wide), cell(right, wide))
        };
        let mut rows: Vec<(String, Role)> = Vec::new();
        for Difference { topic, left, right } in &differences {
            let broken = topic.starts_with("check ");
            rows.push((row(topic, left, right), if broken { Role::Bad } else { Role::Text }));
        }
        if rows.is_empty() {
            rows.push((" nothing differs at this time".to_owned(), Role::Ok));
        }
        rows.extend(parting(a, b).into_iter().map(|text| (text, Role::Muted)));
        self.overlay = Some(Overlay::List(List {
            of: Listed::Comparison { left, right, at },
            title: format!("Two branches at {}s: {} differ", clock(at), differences.len()),
            head: row("", &a.name, &b.name),
            rows,
            at: 0,
            keys: &[(',', "back"), ('.', "on"), ('<', "1s back"), ('>', "1s on")],
            enter: "go there",
        }));
    }

    /// A key was pressed in a comparison: both branches go on or back together.
    pub(super) fn take_comparison(
        &mut self,
        (left, right): (u32, u32),
        at: Time,
        key: Option<char>,
    ) {
        let both = (self.timeline.branch(left), self.timeline.branch(right));
        let (Some(a), Some(b)) = both else { return };
        let end = a.end().now.max(b.end().now);
        let at = match key {
            Some('.') => diff::next([a, b], at).unwrap_or(at),
            Some(',') => diff::previous([a, b], at).unwrap_or(at),
            Some('>') => (at + Span::secs(1)).min(end),
            Some('<') => at - Span::secs(1),
            _ => return self.look(|timeline| timeline.seek_time(at)),
        };
        self.show_comparison(left, right, at);
    }
}

/// Where two branches part, and what comes next in each.
fn parting(a: &Branch, b: &Branch) -> Vec<String> {
    let parting = a.events().parting(b.events());
    let next = |branch: &Branch| match branch.events().get(parting) {
        Some(event) => event.to_string(),
        None => "nothing more".to_owned(),
    };
    vec![
        String::new(),
        format!(" the same up to event {parting}; then"),
        format!("   {}: {}", a.name, next(a)),
        format!("   {}: {}", b.name, next(b)),
    ]
}

/// A text in so many cells.
fn cell(text: &str, width: usize, ellipsis: &str) -> String {
    let short = match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).collect::<String>() + ellipsis,
        false => text.to_owned(),
    };
    format!("{short:width$}")
}
