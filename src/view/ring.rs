//! The ring: its epochs, who goes by which, who serves, and what moved.

use super::remember;
use crate::base::placement::{KeyRange, Member, Ring, Shape, Share};
use crate::base::{NodeId, Time};
use crate::event::{Fact, HandoffFact};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many epochs are kept, the last ones.
pub const MAX_EPOCHS: usize = 32;
/// How many transfers are kept.
pub const MAX_TRANSFERS: usize = 64;

/// The ring of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Which.
    pub epoch: u64,
    /// The circle: members, points, owners.
    pub ring: Ring,
    /// How much of the circle has another owner than in the epoch before; nothing, for the first.
    pub moved: Share,
    /// When the first node went by it.
    pub since: Time,
    /// When the first node heard that every member holds its ranges.
    pub settled: Option<Time>,
    /// How many keys changed hands for it.
    pub moved_keys: u64,
    /// How many keys a second each node hands over for it at the most, if that is bounded.
    pub rate: Option<u32>,
    /// What changed against the epoch before: `+n6`, `-n3`, `n2*2`; who is in it, for the first.
    pub what: Arc<str>,
}

impl Epoch {
    /// Whether a node is in it.
    pub fn has(&self, node: NodeId) -> bool {
        self.ring.members().iter().any(|member| member.node == node)
    }
}

/// One node and the ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeper {
    /// The epoch that it goes by; 0 is none yet.
    pub epoch: u64,
    /// The epoch in which it answers, if it answers for anything.
    pub serves: Option<u64>,
    /// What it answers for.
    pub ranges: Option<Arc<[KeyRange]>>,
    /// The last epoch whose ranges it holds.
    pub synced: u64,
    /// How many keys it holds.
    pub keys: u32,
    /// Of how many of them it is the owner.
    pub owned: u32,
    /// How many reads it has to do, where reads take time.
    pub reads: u32,
}

/// Keys that went from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// When they were taken in.
    pub at: Time,
    /// By the ring of this epoch.
    pub epoch: u64,
    /// From whom.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// How many.
    pub keys: u32,
}

/// The ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rings {
    epochs: BTreeMap<u64, Arc<Epoch>>,
    keepers: BTreeMap<NodeId, Keeper>,
    transfers: VecDeque<Transfer>,
    /// The last epoch that every member holds its ranges of.
    pub settled: u64,
    /// Whether somebody ever answered for a range.
    answered: bool,
}

impl Rings {
    /// Whether there is no ring.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// The ring of the highest epoch.
    pub fn latest(&self) -> Option<&Arc<Epoch>> {
        self.epochs.values().next_back()
    }

    /// The ring of one epoch.
    pub fn epoch(&self, epoch: u64) -> Option<&Arc<Epoch>> {
        self.epochs.get(&epoch)
    }

    /// The last [`MAX_EPOCHS`] epochs, oldest first: the history of membership.
    pub fn epochs(&self) -> impl DoubleEndedIterator<Item = &Arc<Epoch>> {
        self.epochs.values()
    }

    /// One node and the ring.
    pub fn keeper(&self, node: NodeId) -> Option<&Keeper> {
        self.keepers.get(&node)
    }

    /// How many reads there are to do at the owners of keys, where reads take time.
    pub fn backlog(&self) -> u64 {
        self.keepers.values().map(|keeper| u64::from(keeper.reads)).sum()
    }

    /// The last [`MAX_TRANSFERS`] transfers, oldest first.
    pub fn transfers(&self) -> impl DoubleEndedIterator<Item = &Transfer> {
        self.transfers.iter()
    }

    /// Whether members answer for what they own, as they do for a store that has owners: somebody
    /// ever did.
    pub fn has_owners(&self) -> bool {
        self.answered
    }

    /// How many keys there are, as their owners count them.
    pub fn keys(&self) -> u64 {
        self.keepers.values().map(|keeper| u64::from(keeper.owned)).sum()
    }

    /// A node that is down serves nothing. What it holds stays on its disk.
    pub(super) fn fall(&mut self, node: NodeId) {
        if let Some(keeper) = self.keepers.get_mut(&node) {
            (keeper.serves, keeper.ranges, keeper.reads) = (None, None, 0);
        }
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        match fact {
            Fact::View { epoch, members, shape } => {
                self.view(at, *epoch, members, *shape);
                self.keeper_mut(node).epoch = *epoch;
            }
            Fact::Serves { epoch, ranges, .. } => {
                self.answered = true;
                let keeper = self.keeper_mut(node);
                (keeper.serves, keeper.ranges) = (Some(*epoch), Some(ranges.clone()));
            }
            Fact::Yields { epoch } => {
                let keeper = self.keeper_mut(node);
                if keeper.serves.is_some_and(|serves| serves <= *epoch) {
                    (keeper.serves, keeper.ranges) = (None, None);
                }
            }
            Fact::Took { epoch, from, keys } => {
                let transfer = Transfer { at, epoch: *epoch, from: *from, to: node, keys: *keys };
                remember(&mut self.transfers, MAX_TRANSFERS, transfer);
                if let Some(epoch) = self.epochs.get_mut(epoch) {
                    Arc::make_mut(epoch).moved_keys += u64::from(*keys);
                }
            }
            Fact::Handoff(HandoffFact::Takes { epoch, keys, .. }) => {
                if let Some(epoch) = self.epochs.get_mut(epoch) {
                    Arc::make_mut(epoch).moved_keys += u64::from(*keys);
                }
            }
            Fact::Handoff(HandoffFact::Hands { epoch, rate, .. }) => {
                if let Some(epoch) = self.epochs.get_mut(epoch) {
                    Arc::make_mut(epoch).rate = Some(*rate);
                }
            }
            Fact::Synced { epoch } => {
                let keeper = self.keeper_mut(node);
                keeper.synced = keeper.synced.max(*epoch);
            }
            Fact::Settled { epoch } => {
                self.settled = self.settled.max(*epoch);
                if let Some(epoch) = self.epochs.get_mut(epoch)
                    && epoch.settled.is_none()
                {
                    Arc::make_mut(epoch).settled = Some(at);
                }
            }
            Fact::Load { keys, owned } => {
                let keeper = self.keeper_mut(node);
                (keeper.keys, keeper.owned) = (*keys, *owned);
            }
            Fact::Backlog { reads } => self.keeper_mut(node).reads = *reads,
            _ => {}
        }
    }

    fn keeper_mut(&mut self, node: NodeId) -> &mut Keeper {
        self.keepers.entry(node).or_default()
    }

    fn view(&mut self, at: Time, epoch: u64, members: &Arc<[Member]>, shape: Shape) {
        if self.epochs.contains_key(&epoch) {
            return;
        }
        let ring = Ring::new(members, shape);
        let before = self.epochs.range(..epoch).next_back().map(|(_, epoch)| &epoch.ring);
        let what = difference(before.map_or(&[], Ring::members), ring.members()).into();
        let moved = before.map_or(Share::NONE, |before| moved(before, &ring));
        let (since, settled, moved_keys, rate) = (at, None, 0, None);
        let new = Epoch { epoch, ring, moved, since, settled, moved_keys, rate, what };
        self.epochs.insert(epoch, Arc::new(new));
        if self.epochs.len() > MAX_EPOCHS {
            self.epochs.pop_first();
        }
    }
}

/// How much of the circle changes its owner.
fn moved(old: &Ring, new: &Ring) -> Share {
    old.moved(new).iter().map(|part| part.range.size()).sum()
}

/// What changed from `old` to `new`: `+n6 -n3 n2*2`.
fn difference(old: &[Member], new: &[Member]) -> String {
    let in_old = |node| old.iter().find(|member| member.node == node);
    let mut words = Vec::new();
    for member in new {
        match in_old(member.node) {
            None => words.push(format!("+{}", member.node)),
            Some(before) if before.weight != member.weight => {
                words.push(format!("{}*{}", member.node, member.weight));
            }
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|before| new.iter().all(|member| member.node != before.node));
    words.extend(gone.map(|before| format!("-{}", before.node)));
    words.join(" ")
}
