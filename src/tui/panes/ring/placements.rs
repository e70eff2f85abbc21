//! The same keys under all placements: how evenly each spreads them, and what each would move if
//! the selected node left or joined.

use super::super::row::{self, Row};
use super::super::table::thousands;
use super::{View, change, hundredths};
use crate::base::placement::{BOUND, Fraction, Scheme, Share, Trial, sample};
use crate::tui::frame;
use crate::tui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How many keys are placed. The fullest of 50 nodes then has 80 keys and chance some 10 of them.
const KEYS: u64 = 4_096;
/// From this width on there are bars, and words about lookups.
const WIDE: u16 = 72;
/// The longest bar, and what it stands for: so much over the mean, in per mille.
const BAR: u16 = 12;
const MOST: u64 = 2_000;

impl<'a> View<'a> {
    pub(super) fn placements(&self, area: Rect, buf: &mut Buffer) {
        let look = self.scene.look;
        let node = self.scene.select.node;
        let other = change::other(self, node);
        let what = match (&other, self.has(node)) {
            (None, _) => "select a node to see what its change would move".to_owned(),
            (Some(_), true) => format!("if {node} leaves"),
            (Some(_), false) => format!("if {node} joins"),
        };
        let head = format!("{} keys, {} nodes; {what}", thousands(KEYS), self.ring.members().len());
        let mut rows = vec![Row::heading(look, head), self.placement_head(area.width)];
        let keys = sample(KEYS);
        let after = other.as_ref().unwrap_or(self.ring);
        for scheme in Scheme::ALL {
            if let Some(trial) = scheme.try_out(self.ring, after, &keys) {
                rows.push(self.placement(scheme, &trial, area.width));
            }
        }
        rows.push(Row::plain(look));
        let bound = BOUND.0 * 100 / BOUND.1;
        let text = format!(
            "max/mean: the fullest node beside the mean of these keys. For nothing: between nodes there \
             before and after. Bounded load: no node holds more than {bound}% of its part, so a \
             lookup needs a directory. Jump hash and modulo number the nodes; whoever comes after \
             the one that leaves gets another number. All but the first two take nodes as equal.",
        );
        let lines = frame::wrap(&text, usize::from(area.width.saturating_sub(2)));
        rows.extend(lines.into_iter().map(|line| Row::muted(look, line)));
        row::put(area, buf, &rows);
    }

    fn placement_head(&self, width: u16) -> Row<'a> {
        let muted = Role::Muted;
        let row = Row::plain(self.scene.look).left(13, muted, "placement");
        let row = row.right(8, muted, "max/mean").left(bar(width).into(), muted, "");
        row.right(7, muted, "moved")
            .right(11, muted, "for nothing")
            .text(muted, lookup(width, "lookup"))
    }

    fn placement(&self, scheme: Scheme, trial: &Trial, width: u16) -> Row<'a> {
        let look = self.scene.look;
        let share = |fraction: Fraction| Share::fraction(fraction.part, fraction.whole).to_string();
        let role = match trial.needless.ppm() {
            0 => Role::Ok,
            1..100_000 => Role::Text,
            _ => Role::Bad,
        };
        let load = trial.heaviest_per_mille;
        let length = look.glyphs.bar(bar(width), load.saturating_sub(1_000), MOST - 1_000);
        Row::plain(look)
            .left(13, Role::Text, scheme.name())
            .right(8, Role::Text, hundredths(load))
            .left(bar(width).into(), Role::Follower, length)
            .right(7, role, share(trial.moved))
            .right(11, role, share(trial.needless))
            .text(Role::Muted, lookup(width, scheme.lookup()))
    }
}

fn bar(width: u16) -> u16 {
    if width >= WIDE { BAR } else { 0 }
}

fn lookup(width: u16, text: &str) -> String {
    if width >= WIDE { format!(" {text}") } else { String::new() }
}
