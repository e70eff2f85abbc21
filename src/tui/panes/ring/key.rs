//! The key that a person follows: where it lies, who owns it, who has copies, and whether anybody
//! answers for it. It stays while the membership changes.

use super::super::row::{self, Row};
use super::super::table::Mark;
use super::{KEY, View};
use crate::base::NodeId;
use crate::base::placement::Share;
use crate::tui::theme::Role;
use crate::view::ring::Epoch;

impl<'a> View<'a> {
    /// The key, and its place on the circle.
    pub(super) fn followed(&self) -> Option<(&'a str, u64)> {
        let key = self.scene.mode.value(&KEY);
        (!key.is_empty()).then(|| (key, self.ring.position(key)))
    }

    /// What there is to say of the key, in one row or two.
    pub(super) fn key_rows(&self) -> Vec<Row<'a>> {
        let Some((key, at)) = self.followed() else { return Vec::new() };
        let look = self.scene.look;
        let Some(owner) = self.ring.owner(at) else { return Vec::new() };
        let silent = self.is_silent(owner);
        let (mark, role) = match silent {
            true => (Mark::Doubt, Role::Warn),
            false => (Mark::None, Role::Text),
        };
        let place = Share::fraction(at >> 1, 1 << 63);
        let word = if silent { " (does not answer)" } else { "" };
        let chain = self.chain(self.ring.preference(at));
        let first = Row::new(look, mark)
            .text(Role::Accent, format!("key {key}"))
            .text(Role::Muted, format!("  hash {:04x} at {place}  ", at >> 48))
            .text(role, format!("{chain}{word}"));
        let before = self.before(key).map(|(epoch, nodes)| {
            let chain = self.chain(&nodes);
            Row::muted(look, format!("  before e{}: {chain}", epoch.epoch))
        });
        [first].into_iter().chain(before).collect()
    }

    /// `n3 > n4 n1`: the owner, and who has copies.
    fn chain(&self, nodes: &[NodeId]) -> String {
        let copies = row::names(nodes.iter().skip(1).copied());
        let owner = nodes.first().map(NodeId::to_string).unwrap_or_default();
        match copies.is_empty() {
            true => owner,
            false => format!("{owner} {} {copies}", self.scene.look.glyphs.arrow),
        }
    }

    /// The epoch that changed last who has the key, and who had it before.
    fn before(&self, key: &str) -> Option<(&'a Epoch, Vec<NodeId>)> {
        let epochs: Vec<&Epoch> = self.scene.board.ring.epochs().map(|epoch| &**epoch).collect();
        let nodes = |epoch: &Epoch| epoch.ring.preference(epoch.ring.position(key)).to_vec();
        let changed = epochs.windows(2).rev().find(|pair| nodes(pair[0]) != nodes(pair[1]));
        changed.map(|pair| (pair[1], nodes(pair[0])))
    }
}
