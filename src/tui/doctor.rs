//! What `netsplit doctor` says: what the terminal tells of itself, what was chosen and why, and a
//! card of all signs and colours to look at.

use super::theme::{Env, Look, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// What the environment says that matters here.
const VARS: [&str; 13] = [
    "TERM",
    "COLORTERM",
    "COLORFGBG",
    "NO_COLOR",
    "NETSPLIT_THEME",
    "NETSPLIT_GLYPHS",
    "LC_ALL",
    "LC_CTYPE",
    "LANG",
    "TMUX",
    "STY",
    "SSH_CONNECTION",
    "SSH_TTY",
];

/// The environment, and what was chosen, line by line.
pub fn facts(look: &Look, env: &Env) -> Vec<String> {
    let set = |name: &&str| {
        let value = env.get(name);
        let value: String = value.chars().filter(|c| !c.is_control()).take(60).collect();
        (!value.is_empty()).then(|| format!("  {name:<16}{value}"))
    };
    let mut lines = vec!["environment".to_owned()];
    lines.extend(VARS.iter().filter_map(set));
    lines.extend([
        "chosen".to_owned(),
        format!("  {:<16}{} ({})", "theme", look.theme.name(), look.because),
        format!("  {:<16}{}", "colours", look.depth.name()),
        format!("  {:<16}{}", "glyphs", look.glyphs.name),
    ]);
    lines
}

/// A card to look at: if a sign is missing or a line has gaps, another set of glyphs is better.
pub fn card(look: &Look) -> Buffer {
    let g = look.glyphs;
    let roles = [
        (g.leader, "leader", Role::Leader),
        (g.follower, "follower", Role::Follower),
        (g.candidate, "candidate", Role::Candidate),
        (g.holds, "ok", Role::Ok),
        (g.broken, "bad", Role::Bad),
        (g.violation, "violation", Role::Violation),
        (g.paused, "warn", Role::Warn),
        (g.down, "down", Role::Down),
        (g.uncommitted, "muted", Role::Muted),
    ];
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in roles.chunks(5) {
        let sign = |(sign, name, role): &(&'static str, &'static str, Role)| {
            Span::styled(format!("{:<14}", format!("{sign} {name}")), look.style(*role))
        };
        lines.push(row.iter().map(sign).collect());
    }
    let block = |n: u8| Span::styled(format!(" n{} ", n + 1), look.style(Role::Identity(n)));
    lines.push((0..8).map(block).collect());
    lines.push(Line::from(format!(
        "bars {} {}  heights {}",
        g.bar(10, 7, 16),
        g.bar(10, 1, 1),
        g.sparkline(1..=8, 8)
    )));
    lines.push(Line::from(match (g.is_ascii(), g.canvas) {
        (true, _) => "lines +--+--+  |  no curves: lists instead",
        (false, Some(ratatui::symbols::Marker::Braille)) => {
            "lines ┌──┬──┐ ┏━━┳━━┓ ├──┼──┤  curves ⡠⠊⠑⢄⣀⡠⠔⠒⠤⣀"
        }
        (false, _) => "lines ┌──┬──┐ ┏━━┳━━┓ ├──┼──┤  curves ▄▀▀▄▄▀",
    }));
    let mut buf = Buffer::empty(Rect::new(0, 0, 72, lines.len() as u16));
    for (y, line) in (0..).zip(lines) {
        buf.set_line(0, y, &line, 72);
    }
    buf.set_style(buf.area, Style::new());
    look.finish(&mut buf);
    buf
}
