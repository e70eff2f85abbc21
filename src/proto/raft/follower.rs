//! Following: appending what the leader sends, applying what is committed.

use super::{Context, Message, Raft, Record, Role};
use crate::base::{Mutation, NodeId, Slot};
use crate::event::Fact;
use crate::proto::log::{Configurations, Entries, Item, Items, Place, say_appended};
use crate::proto::machine::Machine;
use std::sync::Arc;

// -- appending -----------------------------------------------------------------------------------
impl Raft {
    /// Puts an item at the end of its log, not on disk. Returns whether it names voters.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let slot = self.entries.last().slot + 1;
        let news = self.configurations.append(slot, &item.entry);
        self.entries.push(item);
        news
    }

    /// Writes items of its log down, and says that it has them.
    pub(super) fn write_items(&self, first: Slot, items: Items, cx: &mut Context<'_, Self>) {
        let heard = cx.has_audience().then(|| items.clone());
        cx.write(Record::Append(first, items));
        if let Some(items) = heard {
            say_appended(first, &items, cx);
        }
    }

    /// The leader sends what comes after `prev`.
    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        prev: Place,
        items: Items,
        commit: Slot,
        round: u64,
        cx: &mut Context<'_, Self>,
    ) {
        let term = self.term;
        if !self.has_place(prev) {
            let hint = self.entries.last_upto(prev.slot, prev.term);
            return cx.send(from, Message::Mismatch { term, at: prev.slot, hint });
        }
        let upto = prev.slot + items.len() as u64;
        let answer = Message::Appended { term, upto, round };
        let wanted = !items.is_empty() || round > 0;
        if wanted && self.has(Mutation::RaftAckEarly) {
            cx.send(from, answer.clone());
        }
        self.take_in(prev.slot, items, cx);
        let known = if self.has(Mutation::RaftCommitBeyond) { Slot::MAX } else { upto };
        self.learn(commit.min(known), cx);
        if wanted && !self.has(Mutation::RaftAckEarly) {
            cx.send(from, answer);
        }
    }

    /// The consistency check. What is cut off is committed, so that the leader has the same.
    fn has_place(&self, prev: Place) -> bool {
        match self.entries.place(prev.slot) {
            Some(place) => place.term == prev.term || self.has(Mutation::RaftNoMatch),
            None => prev.slot < self.entries.base().slot,
        }
    }

    /// Appends what it does not have. An entry of another term gives way, with all after it; one
    /// that it has stays, with all after it: the message may be old.
    fn take_in(&mut self, prev: Slot, items: Items, cx: &mut Context<'_, Self>) {
        let end = prev + items.len() as u64;
        let keeps = self.has(Mutation::RaftNoTruncate);
        if let Some((before, new)) = self.entries.lacks(prev, items, keeps) {
            self.drop_after(before, cx);
            let first = self.entries.last().slot + 1;
            let news = new.iter().fold(false, |news, item| news | self.push(item.clone()));
            self.write_items(first, new, cx);
            if news {
                self.say_voters(cx);
            }
        }
        if end > prev && self.has(Mutation::RaftTruncateAlways) {
            self.drop_after(end, cx);
        }
    }

    /// Drops what comes after a slot; on disk, the next entry that is written takes its place.
    fn drop_after(&mut self, slot: Slot, cx: &mut Context<'_, Self>) {
        if self.entries.last().slot > slot.max(self.entries.base().slot) {
            self.entries.truncate(slot);
            cx.emit(Fact::Truncates { after: slot });
            if !self.has(Mutation::RaftConfigKept) && self.configurations.truncate(slot) {
                self.say_voters(cx);
            }
        }
    }
}

// -- applying ------------------------------------------------------------------------------------
impl Raft {
    /// All slots up to here are committed, and its own entries are those.
    fn learn(&mut self, commit: Slot, cx: &mut Context<'_, Self>) {
        let commit = commit.min(self.entries.last().slot);
        if commit > self.commit {
            self.commit = commit;
            cx.emit_with(|| Fact::Commits { slot: commit });
            self.advance(cx);
        }
    }

    /// Applies all that is committed.
    pub(super) fn advance(&mut self, cx: &mut Context<'_, Self>) {
        while self.applied() < self.commit {
            let slot = self.applied() + 1;
            let Some(cell) = self.entries.get_mut(slot) else { break };
            let entry = &cell.item.entry;
            if let Role::Leader(leader) = &mut self.role {
                leader.calls.remove(entry.call);
            }
            cell.digest = self.replica.apply(slot, entry, cx);
        }
        if self.replica.is_snapshot_due()
            && let Some(base) = self.entries.place(self.applied())
        {
            self.replica.take_snapshot();
            self.entries.cut(base);
            self.configurations.cut(base.slot);
            self.write_snapshot(cx);
        }
    }

    /// Goes by the voters of a state that has come from the leader.
    fn take_configuration(&mut self, machine: &Machine, cx: &mut Context<'_, Self>) {
        let news = self.configurations.last() != machine.configuration();
        self.configurations = Configurations::after(machine.configuration().clone());
        if news {
            self.say_voters(cx);
        }
    }

    /// The leader sends its state after `last`. What this node has after that place stays, if it
    /// has the place: it may have told the leader so.
    pub(super) fn on_install(
        &mut self,
        from: NodeId,
        last: Place,
        machine: &Arc<Machine>,
        cx: &mut Context<'_, Self>,
    ) {
        if last.slot > self.commit || self.has(Mutation::RaftInstallOld) {
            match self.entries.place(last.slot) == Some(last) {
                true => {
                    self.entries.cut(last);
                    self.configurations.cut(last.slot);
                }
                false => {
                    self.drop_after(last.slot.saturating_sub(1), cx);
                    self.entries = Entries::after(last);
                    self.take_configuration(machine, cx);
                }
            }
            self.commit = last.slot;
            self.replica.install(machine);
            self.write_snapshot(cx);
            self.replica.catch_up(cx);
        }
        let (term, upto) = (self.term, self.commit);
        cx.send(from, Message::Appended { term, upto, round: 0 });
    }
}
