//! Which characters things are drawn with: one table, three sets.
//!
//! `unicode` is for UTF-8 terminals, `block` is the same without braille (which some fonts lack and
//! no program can find out), `ascii` keeps to bytes 32 to 126. Every character is one cell wide in
//! every terminal that follows the standard tables, in the basic plane, and never an emoji: those
//! are drawn two cells wide or in colour by some terminals, and shift the rest of the row. A few
//! signs of the ASCII set are two letters because one would not be understood; they are named in
//! the test below, and columns that hold them are two wide.

use ratatui::buffer::Buffer;
use ratatui::symbols::Marker;

/// One set of characters.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// `unicode`, `block` or `ascii`.
    pub name: &'static str,
    /// Leads.
    pub leader: &'static str,
    /// Follows.
    pub follower: &'static str,
    /// Wants to lead.
    pub candidate: &'static str,
    /// Watches without a vote.
    pub observer: &'static str,
    /// The node runs.
    pub up: &'static str,
    /// The node has crashed.
    pub down: &'static str,
    /// The node is frozen.
    pub paused: &'static str,
    /// The node is back but not caught up.
    pub recovering: &'static str,
    /// The node's clock is off.
    pub skewed: &'static str,
    /// A check holds.
    pub holds: &'static str,
    /// A check is broken.
    pub broken: &'static str,
    /// A check is being computed.
    pub computing: &'static str,
    /// A check has nothing to say yet.
    pub pending: &'static str,
    /// A log entry that is not committed.
    pub uncommitted: &'static str,
    /// A log entry that will be overwritten.
    pub conflict: &'static str,
    /// Where a log was cut off.
    pub truncated: &'static str,
    /// Everything left of it is committed.
    pub commit: &'static str,
    /// A link that is cut.
    pub cut: &'static str,
    /// A link to a node that is down.
    pub peer_down: &'static str,
    /// A link that delivers twice.
    pub duplicate: &'static str,
    /// A link that delivers out of order.
    pub reorder: &'static str,
    /// A message leaves.
    pub send: &'static str,
    /// A message arrives.
    pub receive: &'static str,
    /// The selected message.
    pub picked: &'static str,
    /// A message that was lost.
    pub lost: &'static str,
    /// Time at which a fault was made.
    pub fault: &'static str,
    /// Time at which a property broke.
    pub violation: &'static str,
    /// A mark in time.
    pub mark: &'static str,
    /// Where in time we are.
    pub cursor: &'static str,
    /// The cluster runs. In ASCII nothing: the word beside it says it.
    pub running: &'static str,
    /// The cluster is paused.
    pub halted: &'static str,
    /// What is shown is now.
    pub live: &'static str,
    /// What is shown is over.
    pub past: &'static str,
    /// From one to the other.
    pub arrow: &'static str,
    /// Something was left out here.
    pub ellipsis: &'static str,
    /// Between two fields.
    pub separator: &'static str,
    /// Around the title of the focused pane.
    pub focus: [&'static str; 2],
    /// Around the tab in front of a stack that has no focus.
    pub front: [&'static str; 2],
    /// Parts of a cell from one part to a whole cell, for bars.
    pub fills: &'static [&'static str],
    /// The rest of a bar.
    pub unfilled: &'static str,
    /// Heights from the lowest to the highest, for sparklines.
    pub heights: &'static [&'static str],
    /// What curves are drawn with; without it there is a strip or a list instead.
    pub canvas: Option<Marker>,
}

/// For UTF-8 terminals.
pub static UNICODE: Glyphs = Glyphs {
    name: "unicode",
    leader: "★",
    follower: "●",
    candidate: "◆",
    observer: "○",
    up: "●",
    down: "✗",
    paused: "‖",
    recovering: "◌",
    skewed: "Δ",
    holds: "✓",
    broken: "✗",
    computing: "…",
    pending: "?",
    uncommitted: "·",
    conflict: "!",
    truncated: "✄",
    commit: "│",
    cut: "×",
    peer_down: "!",
    duplicate: "»",
    reorder: "~",
    send: "○",
    receive: "►",
    picked: "◉",
    lost: "×",
    fault: "▼",
    violation: "!",
    mark: "◆",
    cursor: "┃",
    running: "▸",
    halted: "‖",
    live: "●",
    past: "◄",
    arrow: "→",
    ellipsis: "…",
    separator: "│",
    focus: ["▌", "▐"],
    front: ["[", "]"],
    fills: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    unfilled: "░",
    heights: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    canvas: Some(Marker::Braille),
};

/// For UTF-8 terminals whose font has no braille.
pub static BLOCK: Glyphs = Glyphs { name: "block", canvas: Some(Marker::HalfBlock), ..UNICODE };

/// For every terminal.
pub static ASCII: Glyphs = Glyphs {
    name: "ascii",
    leader: "L",
    follower: "f",
    candidate: "C",
    observer: "o",
    up: "+",
    down: "x",
    paused: "=",
    recovering: "~",
    skewed: "d",
    holds: "ok",
    broken: "X",
    computing: "..",
    pending: "?",
    uncommitted: "'",
    conflict: "!",
    truncated: "%",
    commit: "|",
    cut: "x",
    peer_down: "!",
    duplicate: ">>",
    reorder: "~",
    send: "o",
    receive: ">",
    picked: "@",
    lost: "x",
    fault: "v",
    violation: "!",
    mark: "m",
    cursor: "#",
    running: "",
    halted: "",
    live: "",
    past: "",
    arrow: ">",
    ellipsis: "~",
    separator: "|",
    focus: ["[", "]"],
    front: ["(", ")"],
    fills: &["#"],
    unfilled: ".",
    heights: &[".", ":", "-", "=", "+", "*", "#", "@"],
    canvas: None,
};

impl Glyphs {
    /// Whether only bytes 32 to 126 may be used.
    pub fn is_ascii(&self) -> bool {
        self.canvas.is_none()
    }

    /// A bar of `width` cells, filled for `part` of `whole`. A part that is not zero shows at least
    /// the smallest fill; a part larger than the whole, or of nothing, fills or empties the bar.
    pub fn bar(&self, width: u16, part: u64, whole: u64) -> String {
        let steps = self.fills.len() as u128;
        let all = u128::from(width) * steps;
        let filled = match (part, whole) {
            (0, _) | (_, 0) => 0,
            _ => (u128::from(part) * all / u128::from(whole)).clamp(1.min(all), all),
        };
        (0..u128::from(width))
            .map(|cell| match filled.saturating_sub(cell * steps).min(steps) {
                0 => self.unfilled,
                steps => self.fills[steps as usize - 1],
            })
            .collect()
    }

    /// One character per value, as high as the value is of `top`. Zero is a space, so that silence
    /// looks different from little.
    pub fn sparkline(&self, values: impl IntoIterator<Item = u64>, top: u64) -> String {
        let levels = self.heights.len() as u128;
        let height = |value: u64| match (u128::from(value) * levels).checked_sub(1) {
            None => " ",
            Some(level) => self.heights[(level / u128::from(top.max(1))).min(levels - 1) as usize],
        };
        values.into_iter().map(height).collect()
    }
}

/// Replaces what is outside bytes 32 to 126, such as names that a user chose, so that an ASCII
/// terminal never gets anything else.
pub fn keep_ascii(buf: &mut Buffer) {
    for cell in &mut buf.content {
        let plain = match cell.symbol() {
            symbol if symbol.bytes().all(|byte| (32..127).contains(&byte)) => continue,
            "→" => ">",
            "←" => "<",
            "…" => "~",
            "·" => "'",
            _ => "?",
        };
        cell.set_symbol(plain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;
    use unicode_width::UnicodeWidthStr;

    /// Emoji-capable, missing from many fonts, or two cells wide somewhere.
    const BANNED: &str = "⏸⏮⏭⏱⚠⚡⌛☠✂✔✖▶◀↗↘↔↕▪▫‼⭐⏵①";
    /// Two letters in the ASCII set, because one would not be understood.
    const TWO_WIDE: [&str; 3] = ["ok", "..", ">>"];
    /// Carried by the word beside it.
    const EMPTY: [&str; 1] = [""];

    fn all(set: &Glyphs) -> Vec<&'static str> {
        let mut all = vec![
            set.leader,
            set.follower,
            set.candidate,
            set.observer,
            set.up,
            set.down,
            set.paused,
            set.recovering,
            set.skewed,
            set.holds,
            set.broken,
            set.computing,
            set.pending,
            set.uncommitted,
            set.conflict,
            set.truncated,
            set.commit,
            set.cut,
            set.peer_down,
            set.duplicate,
            set.reorder,
            set.send,
            set.receive,
            set.picked,
            set.lost,
            set.fault,
            set.violation,
            set.mark,
            set.cursor,
            set.running,
            set.halted,
            set.live,
            set.past,
            set.arrow,
            set.ellipsis,
            set.separator,
            set.unfilled,
        ];
        all.extend(set.focus.iter().chain(&set.front).chain(set.fills).chain(set.heights));
        all
    }

    #[test]
    fn every_glyph_is_one_safe_cell() {
        for set in [&UNICODE, &BLOCK] {
            for glyph in all(set) {
                assert_eq!(glyph.chars().count(), 1, "{glyph}");
                assert_eq!(glyph.width(), 1, "{glyph}");
                assert!(glyph.chars().all(|c| (c as u32) < 0xE000), "{glyph}");
                assert!(!BANNED.contains(glyph), "{glyph}");
            }
        }
        for glyph in all(&ASCII) {
            assert!(glyph.bytes().all(|byte| (32..127).contains(&byte)), "{glyph}");
            let odd = TWO_WIDE.contains(&glyph) || EMPTY.contains(&glyph);
            assert!(odd || glyph.len() == 1, "{glyph}");
        }
    }

    #[test]
    fn meanings_that_stand_in_one_column_differ() {
        for set in [&UNICODE, &BLOCK, &ASCII] {
            for column in [
                &[set.leader, set.follower, set.candidate, set.observer][..],
                &[set.up, set.down, set.paused, set.recovering, set.skewed],
                &[set.holds, set.broken, set.computing, set.pending],
                &[set.uncommitted, set.conflict, set.commit, set.truncated],
                &[set.cut, set.peer_down, set.duplicate, set.reorder],
                &[set.send, set.receive, set.picked, set.lost],
                &[set.fault, set.violation, set.mark, set.cursor],
            ] {
                for (at, glyph) in column.iter().enumerate() {
                    assert!(!column[..at].contains(glyph), "{} {column:?}", set.name);
                }
            }
        }
    }

    #[test]
    fn bars_are_exact_and_never_overflow() {
        assert_eq!(UNICODE.bar(4, 1, 2), "██░░");
        assert_eq!(UNICODE.bar(4, 5, 8), "██▌░");
        assert_eq!(UNICODE.bar(4, 1, 1_000_000), "▏░░░");
        assert_eq!(UNICODE.bar(4, 0, 8), "░░░░");
        assert_eq!(UNICODE.bar(4, 9, 8), "████");
        assert_eq!(UNICODE.bar(4, 9, 0), "░░░░");
        assert_eq!(UNICODE.bar(0, 1, 1), "");
        assert_eq!(ASCII.bar(5, 2, 5), "##...");
        assert_eq!(ASCII.bar(5, u64::MAX, u64::MAX), "#####");
        assert_eq!(UNICODE.sparkline([0, 1, 4, 8, 9], 8), " ▁▄██");
        assert_eq!(ASCII.sparkline([0, 1, u64::MAX], 0), " @@");
    }

    #[test]
    fn an_ascii_screen_is_ascii_to_the_last_cell() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        buf.set_string(0, 0, "n1 → café…│█", Style::new());
        keep_ascii(&mut buf);
        assert_eq!(buf, Buffer::with_lines(["n1 > caf?~??"]));
    }
}
