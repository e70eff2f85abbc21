//! All placements on the same keys: how evenly each of them spreads the keys, and how many a change
//! of members moves.

use super::{Fraction, Maglev, Member, Rendezvous, Ring, jump, modulo, other};
use crate::base::NodeId;
use std::fmt;
use twox_hash::XxHash3_64;

/// A way to say which node owns a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The circle ([`Ring::owner`]).
    Ring,
    /// The circle, where a full node passes keys on ([`Ring::bounded`]).
    Bounded,
    /// The highest draw of all nodes ([`Rendezvous`]).
    Rendezvous,
    /// A table that the nodes fill by turns ([`Maglev`]).
    Maglev,
    /// [`jump`], with the nodes numbered in their order.
    Jump,
    /// Hash modulo n, with the nodes numbered in their order.
    Modulo,
}

impl Scheme {
    /// All of them; the first two mind weights.
    pub const ALL: [Scheme; 6] = [
        Scheme::Ring,
        Scheme::Bounded,
        Scheme::Rendezvous,
        Scheme::Maglev,
        Scheme::Jump,
        Scheme::Modulo,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Ring => "this ring",
            Scheme::Bounded => "bounded load",
            Scheme::Rendezvous => "rendezvous",
            Scheme::Maglev => "Maglev",
            Scheme::Jump => "jump hash",
            Scheme::Modulo => "hash mod N",
        }
    }

    /// What a lookup costs.
    pub fn lookup(self) -> &'static str {
        match self {
            Scheme::Ring => "find a point",
            Scheme::Bounded => "a point, a directory",
            Scheme::Rendezvous => "a draw of every node",
            Scheme::Maglev => "one entry of a table",
            Scheme::Jump => "log N steps",
            Scheme::Modulo => "one division",
        }
    }

    fn minds_weights(self) -> bool {
        matches!(self, Scheme::Ring | Scheme::Bounded)
    }

    /// Where each of these keys lies. Empty if no member owns anything.
    pub fn place(self, ring: &Ring, keys: &[u64]) -> Vec<NodeId> {
        let each = |owner: &dyn Fn(u64) -> Option<NodeId>| {
            keys.iter().filter_map(|key| owner(*key)).collect()
        };
        // Some know no nodes but their numbers, from 0 in their order.
        let numbered = |bucket: fn(u64, u32) -> Option<u32>| {
            let nodes = other::nodes(ring.members());
            let at = |key| bucket(key, nodes.len() as u32).and_then(|at| usize::try_from(at).ok());
            each(&|key| at(key).and_then(|at| nodes.get(at).copied()))
        };
        match self {
            Scheme::Ring => each(&|key| ring.owner(key)),
            Scheme::Bounded => ring.bounded(keys),
            Scheme::Rendezvous => {
                let rendezvous = Rendezvous::new(ring.members());
                each(&|key| rendezvous.owner(key))
            }
            Scheme::Maglev => {
                let maglev = Maglev::new(ring.members());
                each(&|key| maglev.owner(key))
            }
            Scheme::Jump => numbered(jump),
            Scheme::Modulo => numbered(modulo),
        }
    }

    /// How it spreads these keys over the members of `before`, and what it moves on the way to
    /// `after`. None if either owns nothing, or if there are no keys.
    pub fn try_out(self, before: &Ring, after: &Ring, keys: &[u64]) -> Option<Trial> {
        let (old, new) = (self.place(before, keys), self.place(after, keys));
        let pairs = old.iter().zip(&new).filter(|(old, new)| old != new);
        let stays = |node: &NodeId, ring: &Ring| ring.has(*node);
        let needless = pairs.clone().filter(|(old, new)| stays(old, after) && stays(new, before));
        let whole = keys.len() as u64;
        let fraction = |part: usize| Fraction { part: part as u64, whole };
        let heaviest_per_mille = self.heaviest(before, &old)?;
        (!new.is_empty()).then(|| Trial {
            heaviest_per_mille,
            needless: fraction(needless.count()),
            moved: fraction(pairs.count()),
        })
    }

    /// The heaviest load over what is promised, in per mille.
    fn heaviest(self, ring: &Ring, owners: &[NodeId]) -> Option<u64> {
        let promise = |member: &Member| match self.minds_weights() {
            true => u64::from(member.weight),
            false => u64::from(member.weight.min(1)),
        };
        let total: u64 = ring.members().iter().map(promise).sum();
        let load = |member: &Member| {
            let own = owners.iter().filter(|owner| **owner == member.node).count() as u64;
            let promised = owners.len() as u64 * promise(member);
            (own * total * 1_000 + promised / 2).checked_div(promised)
        };
        ring.members().iter().filter_map(load).max()
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The heaviest load over what is promised, in per mille: 1160 is 16 % too much.
    pub heaviest_per_mille: u64,
    /// How many keys change their owner.
    pub moved: Fraction,
    /// How many of them move between nodes that are there before and after, so for nothing.
    pub needless: Fraction,
}

/// Positions of so many keys, the same every time.
pub fn sample(count: u64) -> Vec<u64> {
    (0..count).map(|key| XxHash3_64::oneshot_with_seed(7, &key.to_le_bytes())).collect()
}
