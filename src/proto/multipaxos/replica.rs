//! Learning what is chosen, applying it, catching up.

use super::{Context, Entries, Log, Message, Role, Timer};
use crate::base::{Ballot, Entry, Mutation, NodeId, Slot};
use crate::event::Fact;
use crate::proto::machine::Machine;
use std::sync::Arc;

/// How many entries one answer to `CatchUp` carries at the most.
const CATCH_UP: usize = 64;

// -- what is chosen ------------------------------------------------------------------------------
impl Log {
    /// Notes that `entry` is chosen in `slot`.
    pub(super) fn learn(&mut self, slot: Slot, entry: &Arc<Entry>, cx: &mut Context<'_, Self>) {
        if let Some(cell) = self.strip.note(slot)
            && cell.chosen.is_none()
        {
            cell.chosen = Some(entry.clone());
            cx.emit_with(|| Fact::Chooses { slot, entry: entry.clone() });
        }
    }

    /// The leader of `ballot` says that all slots up to `upto` are chosen. Where this node voted in
    /// that ballot it voted for what is chosen, because a ballot has one value a slot.
    pub(super) fn on_told(&mut self, ballot: Ballot, upto: Slot, cx: &mut Context<'_, Self>) {
        if ballot < self.told.0 || matches!(self.role, Role::Leader(_)) {
            return self.advance(cx);
        }
        let seen = if ballot == self.told.0 { self.told.1 } else { 0 };
        for slot in seen.max(self.commit) + 1..=upto.min(self.strip.last()) {
            if let Some(cell) = self.strip.get_mut(slot)
                && cell.chosen.is_none()
                && let Some((voted, entry)) = &cell.vote
                && *voted == ballot
            {
                cx.emit_with(|| Fact::Chooses { slot, entry: entry.clone() });
                cell.chosen = Some(entry.clone());
            }
        }
        self.told = (ballot, upto.max(seen));
        self.advance(cx);
        if self.commit < upto && self.source.is_none() {
            self.source = Some(ballot.node);
            // What is missing may just be late: chosen elsewhere before it arrived here.
            cx.set(Timer::CatchUp, crate::base::Span(self.config.heartbeat.0 / 4));
        }
    }

    /// Applies all that is chosen without a gap.
    pub(super) fn advance(&mut self, cx: &mut Context<'_, Self>) {
        while self.apply(self.commit + 1, cx) {
            self.commit += 1;
        }
        if self.config.mutations.has(Mutation::LogApplyGaps) {
            let rest = self.replica.applied().max(self.commit) + 1..=self.strip.last();
            for slot in rest {
                self.apply(slot, cx);
            }
        }
        // A snapshot keeps the last voters only, so it must not be too early for those.
        if self.replica.is_snapshot_due() && !self.electorate.is_changing(self.commit + 1) {
            self.replica.take_snapshot();
            self.cut(cx);
        }
    }

    /// Applies what is chosen in a slot, unless that is done. Returns whether anything is.
    fn apply(&mut self, slot: Slot, cx: &mut Context<'_, Self>) -> bool {
        let Some(cell) = self.strip.get_mut(slot) else { return false };
        let Some(entry) = &cell.chosen else { return false };
        if slot <= self.replica.applied() {
            return true;
        }
        if let Role::Leader(leader) = &mut self.role {
            leader.calls.remove(entry.call);
        }
        let named = self.electorate.apply(slot, entry);
        cell.digest = self.replica.apply(slot, entry, cx);
        if named {
            self.say_voters(cx);
        }
        true
    }

    /// Writes the snapshot down, and cuts off what is in it.
    fn cut(&mut self, cx: &mut Context<'_, Self>) {
        let slot = self.replica.snapshot().applied();
        self.strip.cut(slot);
        self.electorate.cut(slot);
        self.commit = self.commit.max(slot);
        cx.checkpoint(self.records());
        self.replica.restate_snapshot(cx);
    }
}

// -- catching up ---------------------------------------------------------------------------------
impl Log {
    /// All slots up to here are chosen, as far as this node has been told.
    fn goal(&self) -> Slot {
        match &self.role {
            Role::Leader(leader) => leader.done,
            _ => self.told.1,
        }
    }

    /// Asks for what is missing, and again after a while if it is missing still.
    pub(super) fn ask_for_missing(&mut self, cx: &mut Context<'_, Self>) {
        let Some(source) = self.source else { return };
        if self.commit >= self.goal() {
            self.source = None;
            return;
        }
        cx.send(source, Message::CatchUp { from: self.commit + 1 });
        cx.set(Timer::CatchUp, self.config.heartbeat);
        self.source = match self.role {
            Role::Follower(ballot) if ballot != Ballot::NONE => Some(ballot.node),
            _ => self.after(source),
        };
    }

    /// The next node round the table: perhaps it knows.
    fn after(&self, node: NodeId) -> Option<NodeId> {
        let peers = &self.config.peers;
        let at = peers.iter().position(|peer| *peer == node)?;
        peers.get((at + 1) % peers.len()).copied()
    }

    pub(super) fn on_catch_up(&self, from: NodeId, slot: Slot, cx: &mut Context<'_, Self>) {
        if slot <= self.strip.base() {
            return cx.send(from, Message::Install { machine: self.replica.snapshot().clone() });
        }
        let known = (slot..=self.commit).map_while(|slot| self.strip.chosen(slot).cloned());
        let entries: Entries = known.take(CATCH_UP).collect();
        if !entries.is_empty() {
            cx.send(from, Message::Entries { first: slot, entries });
        }
    }

    /// Whether news of `slot` from another replica may be taken in. A leader takes in only what it
    /// knows to be chosen: beyond that, others can know more only if it leads no more.
    fn may_learn(&self, slot: Slot) -> bool {
        match &self.role {
            Role::Leader(leader) => slot <= leader.done,
            _ => true,
        }
    }

    pub(super) fn on_entries(
        &mut self,
        from: NodeId,
        first: Slot,
        entries: &Entries,
        cx: &mut Context<'_, Self>,
    ) {
        let before = self.commit;
        for (slot, entry) in (first..).zip(entries.iter()) {
            if self.may_learn(slot) {
                self.learn(slot, entry, cx);
            }
        }
        self.go_on_catching_up(from, before, cx);
    }

    pub(super) fn on_install(
        &mut self,
        from: NodeId,
        machine: &Arc<Machine>,
        cx: &mut Context<'_, Self>,
    ) {
        let before = self.commit;
        if machine.applied() > self.replica.applied() && self.may_learn(machine.applied()) {
            self.replica.install(machine);
            if self.electorate.last() != machine.configuration() {
                self.electorate.install(machine.configuration());
                self.say_voters(cx);
            }
            self.cut(cx);
            self.replica.catch_up(cx);
        }
        self.go_on_catching_up(from, before, cx);
    }

    /// Asks for more at once, if what came was of use and is not all.
    fn go_on_catching_up(&mut self, from: NodeId, before: Slot, cx: &mut Context<'_, Self>) {
        self.advance(cx);
        if self.commit >= self.goal() {
            self.source = None;
            cx.cancel(Timer::CatchUp);
        } else if self.commit > before {
            cx.send(from, Message::CatchUp { from: self.commit + 1 });
            cx.set(Timer::CatchUp, self.config.heartbeat);
        }
    }
}
