//! Phase 1: a majority promises the leader an epoch that is newer than all that it ever promised.

use super::leader::{Leading, Stage};
use super::{Context, Message, Phase, Timer, Zab};
use crate::base::{Ballot, Mutation, NodeId};
use crate::proto::log::Place;

// -- the follower --------------------------------------------------------------------------------
impl Zab {
    /// The leader begins an epoch.
    pub(super) fn on_new_epoch(&mut self, from: NodeId, epoch: u32, cx: &mut Context<'_, Self>) {
        let Phase::Following(following) = &mut self.phase else { return };
        if following.leader != from {
            return;
        }
        if epoch < self.accepted.round {
            return self.look(cx);
        }
        following.has_epoch = true;
        let again = epoch == self.accepted.round && self.accepted.node != from;
        if epoch > self.accepted.round || (again && self.has(Mutation::ZabAckEpochTwice)) {
            self.accept(Ballot::new(epoch, from), cx);
        }
        self.ack_epoch(from, cx);
    }

    /// Says what it has accepted, and what its history is.
    pub(super) fn ack_epoch(&self, leader: NodeId, cx: &mut Context<'_, Self>) {
        let (epoch, counts) = (self.accepted.round, self.accepted.node == leader);
        let (current, last) = (self.current, self.history.last());
        cx.send(leader, Message::AckEpoch { epoch, current, last, counts });
    }
}

// -- the leader ----------------------------------------------------------------------------------
impl Zab {
    /// A majority wants this node to lead.
    pub(super) fn lead(&mut self, cx: &mut Context<'_, Self>) {
        let mut leading = Leading::new(cx.now());
        leading.accepted.set(cx.me(), self.accepted.round);
        self.turn_into(Phase::Leading(Box::new(leading)), cx);
        cx.cancel(Timer::Election);
        cx.set(Timer::Heartbeat, self.config.heartbeat);
        self.choose_epoch(cx);
    }

    /// A follower tells which epoch it accepted last.
    pub(super) fn on_cepoch(&mut self, from: NodeId, accepted: u32, cx: &mut Context<'_, Self>) {
        let epoch = self.accepted.round;
        let Phase::Leading(leading) = &mut self.phase else { return };
        if leading.has_epoch() && accepted > epoch {
            // It can follow in a newer epoch only, which takes an election.
            return self.look(cx);
        }
        leading.hear(from, cx.now());
        if leading.has_epoch() {
            return cx.send(from, Message::NewEpoch { epoch });
        }
        leading.accepted.set(from, accepted);
        self.choose_epoch(cx);
    }

    /// Begins an epoch when a majority has told.
    fn choose_epoch(&mut self, cx: &mut Context<'_, Self>) {
        let Phase::Leading(leading) = &mut self.phase else { return };
        if !self.config.voters.agree(|id| leading.accepted.has(id)) {
            return;
        }
        let newest = leading.accepted.iter().map(|(_, epoch)| *epoch).max().unwrap_or_default();
        let epoch = newest + 1;
        leading.stage = Stage::Epoch;
        let followers: Vec<NodeId> = leading.accepted.iter().map(|(id, _)| id).collect();
        let before = self.standing(cx.me());
        self.accept(Ballot::new(epoch, cx.me()), cx);
        self.say_if_other(&before, cx);
        for id in followers {
            // That it is durable here arrives as a message.
            match id == cx.me() {
                true => self.ack_epoch(id, cx),
                false => cx.send(id, Message::NewEpoch { epoch }),
            }
        }
    }

    /// A follower has accepted the epoch.
    pub(super) fn on_ack_epoch(
        &mut self,
        from: NodeId,
        epoch: u32,
        (current, last): (u32, Place),
        counts: bool,
        cx: &mut Context<'_, Self>,
    ) {
        let own = (self.current, self.history.last());
        let blind = self.has(Mutation::ZabBlindLeader);
        let leads = self.accepted == Ballot::new(epoch, cx.me());
        let Phase::Leading(leading) = &mut self.phase else { return };
        if !leads || !leading.has_epoch() {
            return;
        }
        leading.hear(from, cx.now());
        let votes = self.config.voters.has(from);
        if leading.stage == Stage::Epoch && votes && (current, last) > own && !blind {
            // What it would have to drop may be committed.
            return self.look(cx);
        }
        if counts {
            leading.promised.add(from);
        }
        leading.learn_of(from, last);
        match leading.stage {
            Stage::Epoch if leading.promised.is_quorum(&self.config.voters) => self.begin_sync(cx),
            Stage::Discovery | Stage::Epoch => {}
            Stage::Sync | Stage::Broadcast => self.synchronise(from, last, cx),
        }
    }
}
