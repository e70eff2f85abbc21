//! The timeline with the whole screen to itself: who led, what was broken, all branches as a tree,
//! and in words where the cursor stands.

use super::{Track, branches, density, faults, marks, quorum, stroke};
use crate::tui::Glyphs;
use crate::tui::panes::{Scene, clock, thousands};
use crate::tui::theme::Role;
use crate::view::timeline::{Branch, MarkKind, Timeline};
use ratatui::text::Line;

/// From this many rows on there is room for all that.
pub(super) const ROWS: u16 = 14;

/// What stands over the rows of [`branch_row`].
pub(in crate::tui) fn branch_head() -> String {
    format!(
        "  {:12} {:20} {:>9} {:>10}  {:9} commands",
        "name", "from", "until", "events", "checks"
    )
}

/// A branch in one row: where it came from, how far it went, how its checks stand, its commands.
pub(in crate::tui) fn branch_row(
    timeline: &Timeline,
    glyphs: &Glyphs,
    branch: &Branch,
) -> (String, Role) {
    let parent = branch.parent.and_then(|id| timeline.branch(id));
    let from = match (&parent, branch.seed) {
        (Some(parent), _) => format!("{} at {}s", parent.name, clock(branch.fork_at)),
        (None, Some(seed)) => format!("own start, seed {seed}"),
        (None, None) if branch.id == 0 => "the start".to_owned(),
        (None, None) => format!("{}s", clock(branch.fork_at)),
    };
    let broken = branch.checks().violations().count();
    let holds = branch.checks().holding();
    let checks = format!("{holds}{} {broken}{}", glyphs.holds, glyphs.broken);
    let own = branch.commands().iter().filter(|given| given.event >= branch.fork);
    let commands: Vec<String> = own.map(|given| given.command.to_string()).collect();
    let mark = if std::ptr::eq(branch, timeline.viewed()) { ">" } else { " " };
    let events = thousands(branch.events().len() as u64);
    let until = format!("{}s", clock(branch.end().now));
    let commands = commands.join(", ");
    let text = format!(
        "{mark} {:12} {from:20} {until:>9} {events:>10}  {checks:9} {commands}",
        branch.name
    );
    (text, if broken > 0 { Role::Bad } else { Role::Text })
}

/// The tracks, the most telling first.
pub(super) fn tracks(scene: &Scene<'_>, width: usize, height: usize) -> Vec<Track> {
    let mut tracks = vec![times(scene, width), named("events", density(scene, width))];
    tracks.push(leaders(scene, width));
    tracks.push(quorum(scene, width));
    let branches = branches(scene, width);
    let room = height.saturating_sub(tracks.len() + branches.len() + 2);
    tracks.extend(faults(scene, width).into_iter().take(room));
    tracks.push(marks(scene, width));
    tracks.push(checks(scene, width));
    tracks.extend(branches);
    tracks.truncate(height);
    tracks
}

fn named(name: &str, track: Track) -> Track {
    Track { name: name.to_owned(), behind: String::new(), ..track }
}

/// The times, a few of them.
fn times(scene: &Scene<'_>, width: usize) -> Track {
    let mut track = Track::new("", width);
    let axis = super::axis(scene, width);
    for column in (0..width).step_by(super::TOLD) {
        let text = super::seconds(&axis, axis.time_of(column));
        if column + text.len() <= width {
            track.write(column, &text, Role::Muted);
        }
    }
    track
}

/// Who led from when on, as far as it was said.
fn leaders(scene: &Scene<'_>, width: usize) -> Track {
    let mut track = Track::new("leader", width);
    let timeline = scene.timeline;
    let is_leader = |mark: &&crate::view::timeline::Mark| mark.kind == MarkKind::Leader;
    let (axis, end) = (super::axis(scene, width), timeline.viewed().end().now);
    for mark in timeline.viewed().marks().iter().filter(is_leader) {
        let columns = axis.columns(mark.at, end);
        columns.clone().for_each(|column| track.set(column, stroke(scene), Role::Leader));
        if let Some(from) = columns.clone().next() {
            track.write(from, &mark.text.replace(" leads ", " in "), Role::Leader);
        }
    }
    track
}

/// Where rules were broken, and which.
fn checks(scene: &Scene<'_>, width: usize) -> Track {
    let mut track = Track::new("checks", width);
    let (axis, broken) = (super::axis(scene, width), scene.timeline.viewed().marks().iter());
    for mark in broken.filter(|mark| mark.kind == MarkKind::Violation) {
        let Some(column) = axis.column_of(mark.at) else { continue };
        track.set(column, scene.look.glyphs.violation, Role::Violation);
        let rule = mark.text.split(':').next().unwrap_or_default();
        track.write(column + 1, &format!(" {rule}"), Role::Bad);
    }
    track
}

/// What there is to say below the tracks.
pub(super) fn lines(scene: &Scene<'_>) -> Vec<Line<'static>> {
    let (timeline, look) = (scene.timeline, scene.look);
    let (at, all) = (timeline.position() as u64, timeline.events().len() as u64);
    let branch = timeline.viewed();
    let mut lines = vec![Line::default()];
    lines.push(Line::from(format!(
        " cursor    {}s   event {} of {}   of {}",
        clock(scene.board.now),
        thousands(at),
        thousands(all),
        branch.name
    )));
    if timeline.excerpt().is_some() {
        let text =
            " The fewest events that break the rule by themselves: nothing can go on from here.";
        lines.push(Line::styled(text, look.style(Role::Warn)));
    } else if !timeline.is_live() && !scene.live {
        let text = format!(
            " In the past: {} events after it are kept; a command begins a branch",
            thousands(all - at)
        );
        lines.push(Line::styled(text, look.style(Role::Warn)));
    }
    lines.push(Line::default());
    lines.push(Line::styled(branch_head(), look.style(Role::Muted)));
    for branch in timeline.branches().iter().chain(timeline.excerpt()) {
        let (text, role) = branch_row(timeline, look.glyphs, branch);
        lines.push(Line::styled(text, look.style(role)));
    }
    let (kept, apart) = branch.kept();
    lines.push(Line::default());
    let text = format!(
        " recorded  {} events here, {kept} moments kept, {} events apart",
        thousands(all - timeline.events().first() as u64),
        thousands(apart as u64)
    );
    lines.push(Line::styled(text, look.style(Role::Muted)));
    let keys = " B: go to a branch, compare two   R: begin again   W: save   O: open";
    lines.push(Line::styled(keys, look.style(Role::Muted)));
    lines
}
