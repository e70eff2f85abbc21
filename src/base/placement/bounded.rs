//! The ring with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2016).

use super::Ring;
use crate::base::NodeId;

/// How much more than its fair part a node may hold, as a fraction: 5/4, so 25 % more. HAProxy's
/// `hash-balance-factor` and Envoy's setting of the same name are this number in percent.
pub const BOUND: (u64, u64) = (5, 4);

impl Ring {
    /// Where these keys lie if none of the nodes may hold more than [`BOUND`] of its fair part of
    /// them: one after the other, each on the first node clockwise that has room (BL-1, BL-2).
    /// Empty if the ring is.
    ///
    /// A key's place depends on the keys before it, so whoever looks one up must search on, or ask
    /// a directory.
    pub fn bounded(&self, keys: &[u64]) -> Vec<NodeId> {
        let mut room: Vec<u64> =
            self.members.iter().map(|member| self.room(member.weight, keys.len())).collect();
        keys.iter().filter_map(|key| self.first_with_room(*key, &mut room)).collect()
    }

    /// How many of so many keys a member of this weight may hold, rounded up.
    pub(super) fn room(&self, weight: u16, keys: usize) -> u64 {
        let (part, whole) = BOUND;
        let all = keys as u64 * u64::from(weight) * part;
        all.div_ceil((self.total_weight() * whole).max(1))
    }

    /// The first node clockwise of `position` of which this is so.
    pub fn first_that(&self, position: u64, mut is: impl FnMut(NodeId) -> bool) -> Option<NodeId> {
        let table = &*self.table;
        let (before, after) =
            table.owners[..table.len].split_at(table.find(position).min(table.len));
        after.iter().chain(before).copied().find(|node| is(*node))
    }

    fn first_with_room(&self, position: u64, room: &mut [u64]) -> Option<NodeId> {
        self.first_that(position, |node| {
            let member = self.members.binary_search_by_key(&node, |member| member.node);
            let Some(left) = member.ok().and_then(|member| room.get_mut(member)) else {
                return false;
            };
            let has = *left > 0;
            *left = left.saturating_sub(1);
            has
        })
    }
}
