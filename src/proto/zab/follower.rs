//! Following: taking over the leader's history, then what it broadcasts.

use super::message::Sync;
use super::{Context, Message, Phase, Record, Timer, Zab};
use crate::base::{Mutation, NodeId, Slot, Time};
use crate::event::{Fact, Stage};
use crate::proto::log::{Agreement, Entries, Items, PIPELINE, Place, say_appended};
use crate::proto::machine::Machine;
use std::sync::Arc;

/// Who follows.
#[derive(Clone, Debug)]
pub(super) struct Following {
    pub(super) leader: NodeId,
    /// Since when.
    pub(super) since: Time,
    /// Whether the leader has told its epoch.
    pub(super) has_epoch: bool,
    /// Whether broadcast has begun.
    pub(super) up_to_date: bool,
    /// Proposals that have overtaken others: they wait until those have come.
    early: Vec<(Place, Items)>,
}

impl Following {
    pub(super) fn of(leader: NodeId, since: Time) -> Following {
        Following { leader, since, has_epoch: false, up_to_date: false, early: Vec::new() }
    }

    /// The phase it is in.
    pub(super) fn stage(&self) -> Stage {
        match (self.has_epoch, self.up_to_date) {
            (_, true) => Stage::Broadcast,
            (true, false) => Stage::Synchronisation,
            (false, false) => Stage::Discovery,
        }
    }
}

// -- finding the leader --------------------------------------------------------------------------
impl Zab {
    /// A majority wants that node to lead.
    pub(super) fn follow(&mut self, leader: NodeId, cx: &mut Context<'_, Self>) {
        cx.cancel(Timer::Settle);
        self.turn_into(Phase::Following(Following::of(leader, cx.now())), cx);
        self.be_patient(cx);
        self.ask_again(cx);
    }

    /// Repeats what the leader has not answered.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_, Self>) {
        let Phase::Following(Following { leader, since, has_epoch, up_to_date: false, .. }) =
            self.phase
        else {
            return;
        };
        if cx.now().since(since) > self.init_limit() {
            return self.look(cx);
        }
        match has_epoch {
            true => self.ack_epoch(leader, cx),
            false => cx.send(leader, Message::CEpoch { accepted: self.accepted.round }),
        }
        cx.set(Timer::Heartbeat, self.config.heartbeat);
    }

    /// Whether a message comes from the leader, in the epoch that was accepted from it.
    pub(super) fn heeds(&mut self, from: NodeId, epoch: u32, cx: &mut Context<'_, Self>) -> bool {
        let Phase::Following(following) = &self.phase else { return false };
        let heeds = following.leader == from && following.has_epoch && epoch == self.accepted.round;
        if heeds {
            cx.set(Timer::Election, self.patience);
        }
        heeds
    }

    /// Whether its history is, up to its end, that of its leader.
    fn has_adopted(&self) -> bool {
        self.current == self.accepted.round
    }
}

// -- synchronisation -----------------------------------------------------------------------------
impl Zab {
    /// The leader sends what makes this history its own.
    pub(super) fn on_new_leader(
        &mut self,
        from: NodeId,
        how: &Sync,
        after: Place,
        items: Items,
        upto: Slot,
        cx: &mut Context<'_, Self>,
    ) {
        let epoch = self.accepted.round;
        if let Sync::Snap(machine) = how {
            self.install(after, machine, cx);
        } else if !self.has_place(after) {
            let last = self.history.last_upto(after.slot, after.term);
            return cx.send(from, Message::Behind { epoch, last });
        }
        let end = after.slot + items.len() as u64;
        let done = end >= upto;
        if done && self.has(Mutation::ZabAckBeforeHistory) {
            cx.send(from, Message::AckLeader { epoch, upto: end });
        }
        // Who has adopted the epoch has nothing else than the leader; this message may be old.
        let trunc = matches!(how, Sync::Trunc) && !self.has_adopted();
        if trunc && !self.has(Mutation::ZabNoTrunc) {
            self.drop_after(after.slot, cx);
        }
        self.take_in(after.slot, items, cx);
        if !done {
            return cx.send(from, Message::Behind { epoch, last: self.history.last() });
        }
        self.adopt(cx);
        if !self.has(Mutation::ZabAckBeforeHistory) {
            cx.send(from, Message::AckLeader { epoch, upto: end });
        }
    }

    /// Goes on from the leader's state after `last`. What comes after that place in its own history
    /// stays, if it has the place.
    fn install(&mut self, last: Place, machine: &Arc<Machine>, cx: &mut Context<'_, Self>) {
        if last.slot <= self.commit {
            return;
        }
        match self.history.place(last.slot) == Some(last) {
            true => self.history.cut(last),
            false => {
                self.drop_after(last.slot.saturating_sub(1), cx);
                self.history = Entries::after(last);
            }
        }
        self.commit = last.slot;
        self.replica.install(machine);
        self.write_snapshot(cx);
        self.replica.catch_up(cx);
    }

    /// A majority has the leader's history, up to this slot at the least.
    pub(super) fn on_up_to_date(&mut self, commit: Slot, cx: &mut Context<'_, Self>) {
        if !self.has_adopted() {
            return;
        }
        if self.puts_off_writing() {
            self.write_snapshot(cx);
        }
        let before = self.standing(cx.me());
        let Phase::Following(following) = &mut self.phase else { return };
        if !std::mem::replace(&mut following.up_to_date, true) {
            cx.cancel(Timer::Heartbeat);
            self.say_if_other(&before, cx);
            self.hand_on_all(cx);
        }
        self.learn(commit, cx);
    }
}

// -- broadcast -----------------------------------------------------------------------------------
impl Zab {
    pub(super) fn on_propose(
        &mut self,
        from: NodeId,
        after: Place,
        items: Items,
        cx: &mut Context<'_, Self>,
    ) {
        if !self.has_adopted() {
            return;
        }
        let epoch = self.accepted.round;
        let mut upto = self.history.last().slot;
        let mut next = Some((after, items));
        while let Some((after, items)) = next.take() {
            if !self.has_place(after) && !self.has(Mutation::ZabNoGapCheck) {
                self.put_by(after, items);
                break;
            }
            upto = after.slot + items.len() as u64;
            self.take_in(after.slot, items, cx);
            next = self.take_early();
        }
        cx.send(from, Message::Ack { epoch, upto });
    }

    /// Keeps a proposal that has come before those that it follows. More than may be under way have
    /// been sent again.
    fn put_by(&mut self, after: Place, items: Items) {
        let Phase::Following(following) = &mut self.phase else { return };
        if following.early.len() < PIPELINE && after.slot > self.history.last().slot {
            following.early.push((after, items));
        }
    }

    /// A proposal that was put by, and whose turn has come.
    fn take_early(&mut self) -> Option<(Place, Items)> {
        let last = self.history.last();
        let Phase::Following(following) = &mut self.phase else { return None };
        following.early.retain(|(after, _)| after.slot >= last.slot);
        let at = following.early.iter().position(|(after, _)| *after == last)?;
        Some(following.early.swap_remove(at))
    }

    pub(super) fn on_ping(&mut self, from: NodeId, commit: Slot, cx: &mut Context<'_, Self>) {
        if self.has_adopted() {
            let (epoch, upto) = (self.accepted.round, self.history.last().slot);
            cx.send(from, Message::Ack { epoch, upto });
            self.learn(commit, cx);
        }
    }

    /// All slots up to here are committed, and as far as it goes its own history has them.
    pub(super) fn learn(&mut self, commit: Slot, cx: &mut Context<'_, Self>) {
        let commit = commit.min(self.history.last().slot);
        if commit > self.commit && self.has_adopted() {
            self.commit = commit;
            cx.emit_with(|| Fact::Commits { slot: commit });
            self.advance(cx);
        }
    }
}

// -- the history ---------------------------------------------------------------------------------
impl Zab {
    /// Writes items of its history down, and says that it has them.
    pub(super) fn write_items(&self, first: Slot, items: Items, cx: &mut Context<'_, Self>) {
        let heard = cx.has_audience().then(|| items.clone());
        if !self.puts_off_writing() {
            cx.write(Record::Append(first, items));
        }
        if let Some(items) = heard {
            say_appended(first, &items, cx);
        }
    }

    /// Whether what it takes over is to be written when broadcast has begun.
    fn puts_off_writing(&self) -> bool {
        let syncs = matches!(self.phase, Phase::Following(Following { up_to_date: false, .. }));
        syncs && self.has(Mutation::ZabEpochFirst)
    }

    /// What is cut off is committed, so that the leader has the same.
    fn has_place(&self, place: Place) -> bool {
        match self.history.place(place.slot) {
            Some(own) => own == place,
            None => place.slot < self.history.base().slot,
        }
    }

    /// Takes in what it does not have. An entry of another epoch gives way, with all after it.
    fn take_in(&mut self, after: Slot, items: Items, cx: &mut Context<'_, Self>) {
        let keeps = self.has(Mutation::ZabNoTrunc);
        if let Some((before, new)) = self.history.lacks(after, items, keeps) {
            self.drop_after(before, cx);
            let first = self.history.last().slot + 1;
            new.iter().for_each(|item| self.history.push(item.clone()));
            self.write_items(first, new, cx);
        }
    }

    fn drop_after(&mut self, slot: Slot, cx: &mut Context<'_, Self>) {
        if self.history.last().slot > slot.max(self.history.base().slot) {
            self.history.truncate(slot);
            cx.write(Record::Truncate(slot));
            cx.emit(Fact::Truncates { after: slot });
        }
    }

    /// Applies all that is committed.
    pub(super) fn advance(&mut self, cx: &mut Context<'_, Self>) {
        while self.applied() < self.commit {
            let slot = self.applied() + 1;
            let Some(cell) = self.history.get_mut(slot) else { break };
            let entry = &cell.item.entry;
            if let Phase::Leading(leading) = &mut self.phase {
                leading.calls.remove(entry.call);
            }
            cell.digest = self.replica.apply(slot, entry, cx);
        }
        if self.replica.is_snapshot_due()
            && let Some(base) = self.history.place(self.applied())
        {
            self.replica.take_snapshot();
            self.history.cut(base);
            self.write_snapshot(cx);
        }
    }
}
