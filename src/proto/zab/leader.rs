//! Leading: phase 2, making all histories one's own, and phase 3, broadcast.

use super::message::Sync;
use super::{Context, Message, Phase, Timer, Zab};
use crate::base::{Ballot, CallId, Entry, Few, Lane, Mutation, NodeId, Slot, Time, Voters};
use crate::event::{self, Fact};
use crate::proto::log::{Agreement, BATCH, Batch, Item, PIPELINE, Place};
use crate::proto::machine::Known;
use crate::proto::quorum::Tally;
use std::collections::VecDeque;
use std::sync::Arc;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It does not know which epochs a majority has accepted.
    Discovery,
    /// It has an epoch, and no majority has accepted it.
    Epoch,
    /// No majority has its history.
    Sync,
    /// It is established.
    Broadcast,
}

/// What it knows of one node that has accepted its epoch, itself included.
#[derive(Clone, Debug)]
struct Learner {
    /// The last place of that node's history when it was last told.
    last: Place,
    /// Whether its history was made the leader's.
    synced: bool,
    /// The next slot to send; its own, to write.
    next: Slot,
    /// It has the leader's history up to here on disk.
    acked: Slot,
    /// The last slots of proposals under way to it, and when they left.
    sent: VecDeque<(Slot, Time)>,
}

/// Who leads.
#[derive(Clone, Debug)]
pub(super) struct Leading {
    pub(super) stage: Stage,
    since: Time,
    /// Which epochs nodes had accepted.
    pub(super) accepted: Few<NodeId, u32>,
    /// Who has accepted its epoch, and who has adopted it.
    pub(super) promised: Tally,
    adopted: Tally,
    learners: Few<NodeId, Learner>,
    heard: Few<NodeId, Time>,
    /// The calls of all entries in the history that are not applied.
    pub(super) calls: Lane<CallId>,
    batch: Batch,
}

impl Leading {
    pub(super) fn new(since: Time) -> Leading {
        Leading {
            stage: Stage::Discovery,
            since,
            accepted: Few::default(),
            promised: Tally::default(),
            adopted: Tally::default(),
            learners: Few::default(),
            heard: Few::default(),
            calls: Lane::default(),
            batch: Batch::default(),
        }
    }

    pub(super) fn has_epoch(&self) -> bool {
        self.stage != Stage::Discovery
    }

    /// The phase it is in.
    pub(super) fn stage(&self) -> event::Stage {
        match self.stage {
            Stage::Discovery | Stage::Epoch => event::Stage::Discovery,
            Stage::Sync => event::Stage::Synchronisation,
            Stage::Broadcast => event::Stage::Broadcast,
        }
    }

    pub(super) fn is_established(&self) -> bool {
        self.stage == Stage::Broadcast
    }

    pub(super) fn hear(&mut self, from: NodeId, now: Time) {
        self.heard.set(from, now);
    }

    /// A node has accepted the epoch, and its history ends there.
    pub(super) fn learn_of(&mut self, id: NodeId, last: Place) {
        let fresh = Learner { last, synced: false, next: 0, acked: 0, sent: VecDeque::new() };
        match self.learners.get_mut(id) {
            Some(learner) => learner.last = last,
            None => self.learners.set(id, fresh),
        }
    }
}

impl Learner {
    /// It has everything up to here.
    fn acked(&mut self, upto: Slot) {
        self.acked = self.acked.max(upto);
        self.next = self.next.max(upto + 1);
        while self.sent.front().is_some_and(|(slot, _)| *slot <= upto) {
            self.sent.pop_front();
        }
    }
}

// -- synchronisation -----------------------------------------------------------------------------
impl Zab {
    /// Whether this node leads that epoch, and has heard from who accepted it.
    pub(super) fn hears_learner(
        &mut self,
        from: NodeId,
        epoch: u32,
        cx: &mut Context<'_, Self>,
    ) -> bool {
        let leads = self.accepted == Ballot::new(epoch, cx.me());
        let Phase::Leading(leading) = &mut self.phase else { return false };
        let hears = leads
            && matches!(leading.stage, Stage::Sync | Stage::Broadcast)
            && leading.learners.has(from);
        if hears {
            leading.hear(from, cx.now());
        }
        hears
    }

    /// A majority has accepted the epoch: this node's history is to be everybody's.
    pub(super) fn begin_sync(&mut self, cx: &mut Context<'_, Self>) {
        self.adopt(cx);
        let Phase::Leading(leading) = &mut self.phase else { return };
        leading.stage = Stage::Sync;
        let learners = leading.learners.iter().map(|(id, learner)| (id, learner.last));
        for (id, last) in learners.collect::<Vec<_>>() {
            self.synchronise(id, last, cx);
        }
        // That it is durable here arrives as a message.
        let (epoch, upto, me) = (self.accepted.round, self.history.last().slot, cx.me());
        let Phase::Leading(leading) = &mut self.phase else { return };
        leading.learners.get_mut(me).into_iter().for_each(|own| own.next = upto + 1);
        cx.send(me, Message::AckLeader { epoch, upto });
    }

    /// Sends a node, whose history ends at `last`, what makes it this one's.
    pub(super) fn synchronise(&mut self, to: NodeId, last: Place, cx: &mut Context<'_, Self>) {
        if to == cx.me() {
            return;
        }
        let base = self.history.base();
        let common = self.history.last_upto(last.slot, last.term);
        let (how, after) = match common.slot < base.slot || common.term > last.term {
            true => (Sync::Snap(self.replica.snapshot().clone()), base),
            false if common == last => (Sync::Diff, common),
            false => (Sync::Trunc, common),
        };
        let mut items = self.history.items(after.slot + 1, BATCH);
        if items.len() > 1 && self.has(Mutation::ZabHole) {
            items = items[1..].into();
        }
        let (epoch, upto) = (self.accepted.round, self.history.last().slot);
        cx.send(to, Message::NewLeader { epoch, how, after, items, upto });
    }

    /// A node has adopted the epoch.
    pub(super) fn on_ack_leader(&mut self, from: NodeId, upto: Slot, cx: &mut Context<'_, Self>) {
        let last = self.history.last().slot;
        let Phase::Leading(leading) = &mut self.phase else { return };
        let Some(learner) = leading.learners.get_mut(from).filter(|_| upto <= last) else {
            return;
        };
        learner.synced = true;
        learner.acked(upto);
        leading.adopted.add(from);
        match leading.stage {
            Stage::Sync if leading.adopted.is_quorum(&self.config.voters) => self.establish(cx),
            Stage::Broadcast => {
                self.tell_up_to_date(from, cx);
                self.count(cx);
                self.send_more(from, cx);
            }
            _ => {}
        }
    }

    /// A majority has this history: all of it is committed, and broadcast begins.
    fn establish(&mut self, cx: &mut Context<'_, Self>) {
        let before = self.standing(cx.me());
        let open = self.history.iter().filter(|(slot, _)| *slot > self.replica.applied());
        let calls = open.map(|(_, cell)| (cell.item.entry.call, ())).collect();
        let Phase::Leading(leading) = &mut self.phase else { return };
        (leading.stage, leading.calls) = (Stage::Broadcast, calls);
        let peers = self.config.peers.iter().copied();
        let adopted: Vec<NodeId> = peers.filter(|id| leading.adopted.has(*id)).collect();
        self.commit_upto(self.history.last().slot, cx);
        self.say_if_other(&before, cx);
        adopted.into_iter().for_each(|id| self.tell_up_to_date(id, cx));
        self.hand_on_all(cx);
    }

    fn tell_up_to_date(&self, to: NodeId, cx: &mut Context<'_, Self>) {
        if to != cx.me() {
            let (epoch, commit) = (self.accepted.round, self.commit);
            cx.send(to, Message::UpToDate { epoch, commit });
        }
    }
}

// -- broadcast -----------------------------------------------------------------------------------
impl Zab {
    /// Puts an entry into the history, if this node is established and the entry is not there.
    pub(super) fn propose(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        let again = self.has(Mutation::LogNoClientTable);
        let Phase::Leading(leading) = &mut self.phase else { return };
        if !leading.is_established() {
            return;
        }
        if !again && self.replica.machine().known(entry.call) != Known::No {
            return;
        }
        if leading.calls.add(entry.call) || again {
            self.history.push(Item { term: self.accepted.round, entry });
            self.keep(cx);
            self.send_all_more(cx);
        }
    }

    fn send_all_more(&mut self, cx: &mut Context<'_, Self>) {
        let peers = self.config.peers.clone();
        peers.iter().for_each(|id| self.send_more(*id, cx));
    }

    /// Writes its own entries down, unless some are on their way to the disk: what comes meanwhile
    /// is written together.
    fn keep(&mut self, cx: &mut Context<'_, Self>) {
        let Phase::Leading(leading) = &self.phase else { return };
        if leading.learners.get(cx.me()).is_some_and(|own| own.sent.is_empty()) {
            self.write_rest(cx);
        }
    }

    /// Writes down what is not on its own disk, if it is established, and tells itself: that
    /// arrives once it is durable.
    pub(super) fn write_rest(&mut self, cx: &mut Context<'_, Self>) {
        let (epoch, upto, me) = (self.accepted.round, self.history.last().slot, cx.me());
        let Phase::Leading(leading) = &mut self.phase else { return };
        let own = leading.learners.get_mut(me);
        let Some(own) = own.filter(|own| (1..=upto).contains(&own.next)) else { return };
        let first = std::mem::replace(&mut own.next, upto + 1);
        own.sent.push_back((upto, cx.now()));
        let items = leading.batch.from(first, &self.history, usize::MAX);
        self.write_items(first, items, cx);
        cx.send(me, Message::Ack { epoch, upto });
    }

    /// Sends a node what it lacks, as far as it may be sent now.
    fn send_more(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let last = self.history.last().slot;
        if to == cx.me() {
            return self.keep(cx);
        }
        loop {
            let Phase::Leading(leading) = &mut self.phase else { return };
            let Some(learner) = leading.learners.get_mut(to).filter(|it| it.synced) else {
                return;
            };
            if learner.next > last || learner.sent.len() >= PIPELINE {
                return;
            }
            let Some(after) = self.history.place(learner.next - 1) else {
                let place = Place { term: 0, slot: learner.acked };
                learner.next = last + 1;
                learner.sent.push_back((last, cx.now()));
                return self.synchronise(to, place, cx);
            };
            let epoch = self.accepted.round;
            let items = leading.batch.from(learner.next, &self.history, BATCH);
            learner.next += items.len() as u64;
            learner.sent.push_back((learner.next - 1, cx.now()));
            cx.send(to, Message::Propose { epoch, after, items });
        }
    }

    pub(super) fn on_ack(&mut self, from: NodeId, upto: Slot, cx: &mut Context<'_, Self>) {
        let last = self.history.last().slot;
        let Phase::Leading(leading) = &mut self.phase else { return };
        let Some(learner) = leading.learners.get_mut(from) else { return };
        if upto > last || upto <= learner.acked {
            return;
        }
        learner.acked(upto);
        if upto > self.commit {
            self.count(cx);
        }
        self.send_more(from, cx);
    }

    /// What a majority has is committed.
    fn count(&mut self, cx: &mut Context<'_, Self>) {
        let Phase::Leading(leading) = &self.phase else { return };
        let acked = |id: NodeId| leading.learners.get(id).map_or(0, |it| it.acked);
        let slot = match self.has(Mutation::ZabCountObserver) {
            true => Voters::of(self.config.peers.iter().copied()).reached(self.commit, acked),
            false => self.config.voters.reached(self.commit, acked),
        };
        if let Some(slot) = slot.filter(|_| leading.is_established()) {
            self.commit_upto(slot, cx);
            let commit = Message::Commit { epoch: self.accepted.round, upto: self.commit };
            let (me, Phase::Leading(leading)) = (cx.me(), &self.phase) else { return };
            let synced = leading.learners.iter().filter(|(id, it)| it.synced && *id != me);
            synced.for_each(|(id, _)| cx.send(id, commit.clone()));
        }
    }

    fn commit_upto(&mut self, slot: Slot, cx: &mut Context<'_, Self>) {
        if slot > self.commit {
            self.write_rest(cx);
            self.commit = slot;
            cx.emit_with(|| Fact::Commits { slot });
            self.advance(cx);
        }
    }
}

// -- heartbeats ----------------------------------------------------------------------------------
impl Zab {
    /// Steps down if a majority is not with it in time; else tells that it is there, and repeats
    /// what was not acknowledged.
    pub(super) fn on_beat(&mut self, cx: &mut Context<'_, Self>) {
        let (now, limit) = (cx.now(), self.init_limit());
        let Phase::Leading(leading) = &self.phase else { return };
        let (me, longest) = (cx.me(), self.config.election.1);
        let recent = |at: &Time| now.since(*at) <= longest;
        let hears = |id: NodeId| id == me || leading.heard.get(id).is_some_and(recent);
        let alone = match leading.is_established() {
            true => !self.config.voters.agree(hears),
            false => now.since(leading.since) > limit,
        };
        if alone {
            return self.look(cx);
        }
        if matches!(leading.stage, Stage::Sync | Stage::Broadcast) {
            self.ping_all(cx);
        }
        cx.set(Timer::Heartbeat, self.config.heartbeat);
    }

    fn ping_all(&mut self, cx: &mut Context<'_, Self>) {
        let patience = self.config.heartbeat.times(2);
        let ping = Message::Ping { epoch: self.accepted.round, commit: self.commit };
        let (me, Phase::Leading(leading)) = (cx.me(), &mut self.phase) else { return };
        for (id, learner) in leading.learners.iter_mut().filter(|(id, _)| *id != me) {
            cx.send(id, ping.clone());
            if learner.sent.front().is_some_and(|(_, at)| cx.now().since(*at) >= patience) {
                learner.next = learner.acked + 1;
                learner.sent.clear();
            }
        }
        self.send_all_more(cx);
    }
}
