//! Whose votes count in which slot.
//!
//! A change of voters is an entry like any other. It counts from `window` slots after its own on,
//! so a slot is decided by the voters that were chosen in or before the slot `window` before it
//! (MP-5). As a leader has at most `window` slots under way, it knows them when it asks for votes,
//! and so does everybody who counts. What is in between is filled with no-ops, lest the change wait
//! for requests. Any voters may follow any others: no two sets decide the same slot.
//!
//! ```text
//!  slot      41     42          43 … 105        106
//!            put    voters n3…  put, noop …     put      (window = 64)
//!  decided by └──── n1, n2, n3 ──────────┘  └── n3, n4, n5
//! ```
//!
//! Whoever leads has the promises of a quorum of the voters of a slot before it asks for votes in
//! it. It asks all nodes for promises, whether they vote or not, so most often it has those of new
//! voters when their time comes; if not, it asks again.
//!
//! Nobody asks whether new voters are there, or have caught up: a change to voters of whom no
//! majority runs stops the log.
//!
//! **Sources.** Lamport, *Paxos Made Simple* (2001), section 3; Lamport, Malkhi and Zhou,
//! *Reconfiguring a state machine* (2010), section 3 (the window, α).

use crate::base::{Entry, Mutation, Mutations, NodeId, Slot, Voters, majority};
use crate::proto::log::{Configuration, Configurations};
use crate::proto::quorum::Tally;

/// The voters of all slots that are not cut off, as far as they are known.
#[derive(Clone, Debug)]
pub(super) struct Electorate {
    configurations: Configurations,
    window: u64,
    mutations: Mutations,
}

impl Electorate {
    /// Those after a state.
    pub(super) fn after(
        configuration: Configuration,
        window: u64,
        mutations: Mutations,
    ) -> Electorate {
        let configurations = Configurations::after(configuration);
        Electorate { configurations, window, mutations }
    }

    /// Goes on from another state.
    pub(super) fn install(&mut self, configuration: &Configuration) {
        self.configurations = Configurations::after(configuration.clone());
    }

    /// How many slots may be under way.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// Takes in what is applied in a slot. Returns whether it names voters.
    pub(super) fn apply(&mut self, slot: Slot, entry: &Entry) -> bool {
        self.configurations.append(slot, entry)
    }

    /// What is in a snapshot of the state after `slot` need not be known any more.
    pub(super) fn cut(&mut self, slot: Slot) {
        self.configurations.cut(slot);
    }

    /// The last that were named.
    pub(super) fn last(&self) -> &Configuration {
        self.configurations.last()
    }

    /// All that are known, oldest first.
    pub(super) fn all(&self) -> &[Configuration] {
        self.configurations.since(0)
    }

    /// Who decides a slot.
    pub(super) fn of(&self, slot: Slot) -> &Voters {
        &self.configurations.of(slot.saturating_sub(self.lead())).voters
    }

    /// How many slots after its own a change counts from.
    fn lead(&self) -> u64 {
        match self.mutations.has(Mutation::LogNoWindow) {
            true => 0,
            false => self.window,
        }
    }

    /// Whether voters were named who do not decide `slot` yet.
    pub(super) fn is_changing(&self, slot: Slot) -> bool {
        slot <= self.changes_until()
    }

    /// The last slot that those who were named last do not decide yet; 0 if none were.
    pub(super) fn changes_until(&self) -> Slot {
        match self.last().slot {
            0 => 0,
            named => named + self.window - 1,
        }
    }

    /// Whether these are a quorum of those who decide a slot.
    pub(super) fn enough(&self, tally: &Tally, slot: Slot) -> bool {
        self.reach(tally, slot) >= slot
    }

    /// Up to which slot, from `first` on, these are a quorum of those who decide it; the slot
    /// before `first`, if they are none.
    pub(super) fn reach(&self, tally: &Tally, first: Slot) -> Slot {
        let minority = self.mutations.has(Mutation::PaxosMinority);
        let enough = |voters: &Voters| match minority {
            true => tally.count() >= (majority(voters.iter().count()) - 1).max(1),
            false => tally.is_quorum(voters),
        };
        let all = self.configurations.since(first.saturating_sub(self.lead()));
        match all.iter().position(|one| !enough(&one.voters)) {
            Some(0) => first - 1,
            Some(later) => all[later].slot + self.lead() - 1,
            None => Slot::MAX,
        }
    }

    /// Whether a node decides that slot, or ones after it.
    pub(super) fn has(&self, node: NodeId, slot: Slot) -> bool {
        self.of(slot).has(node) || self.last().voters.has(node)
    }
}
