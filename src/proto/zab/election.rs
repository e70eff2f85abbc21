//! Phase 0: whoever has the newest history is to lead.
//!
//! Nobody's safety rests on it: two leaders may come of one election, and discovery sorts them out.
//! Observers have no vote; they ask, and follow whom a majority of the voters follows.
//! It is ZooKeeper's *fast leader election*: everybody tells its vote, takes over any better one,
//! and goes on when a majority agrees and no better vote has come for a moment.

use super::message::{State, Vote};
use super::{Context, Message, Phase, Timer, Zab};
use crate::base::{Ballot, Mutation, NodeId};
use crate::event::Fact;
use crate::proto::log::Place;
use std::collections::BTreeMap;

/// Who looks for a leader.
#[derive(Clone, Debug)]
pub(super) struct Election {
    /// The best vote so far.
    vote: Vote,
    /// The votes of this round, its own included.
    votes: BTreeMap<NodeId, Vote>,
    /// Whom those follow who have a leader, and whether they are that leader.
    settled: BTreeMap<NodeId, (NodeId, bool)>,
    /// Whether a majority agrees, and a better vote is waited for.
    settling: bool,
}

impl Zab {
    fn own_vote(&self, me: NodeId) -> Vote {
        match self.has(Mutation::ZabBlindLeader) {
            true => Vote { epoch: 0, last: Place::default(), node: me },
            false => Vote { epoch: self.current, last: self.history.last(), node: me },
        }
    }

    /// Gives up what it is, and looks for a leader.
    pub(super) fn look(&mut self, cx: &mut Context<'_, Self>) {
        let vote = self.own_vote(cx.me());
        let votes = self.votes(cx.me()).then_some((cx.me(), vote)).into_iter().collect();
        self.round += 1;
        let election = Election { vote, votes, settled: BTreeMap::new(), settling: false };
        self.turn_into(Phase::Looking(election), cx);
        cx.cancel(Timer::Heartbeat);
        cx.cancel(Timer::Settle);
        self.be_patient(cx);
        self.notify_all(cx);
        self.count_votes(cx);
    }

    /// Nobody was found in time: tells its vote again.
    pub(super) fn look_on(&mut self, cx: &mut Context<'_, Self>) {
        self.be_patient(cx);
        self.notify_all(cx);
    }

    fn notice(&self, me: NodeId) -> Message {
        let round = self.round;
        let (vote, state) = match &self.phase {
            Phase::Looking(election) => (election.vote, State::Looking),
            Phase::Following(following) => {
                (Vote { node: following.leader, ..self.own_vote(me) }, State::Following)
            }
            Phase::Leading(_) => (self.own_vote(me), State::Leading),
        };
        Message::Notify { round, vote, state }
    }

    fn notify_all(&self, cx: &mut Context<'_, Self>) {
        let notice = self.notice(cx.me());
        cx.send_all(self.config.others(cx.me()), &notice);
    }

    pub(super) fn on_notify(
        &mut self,
        from: NodeId,
        round: u64,
        vote: Vote,
        state: State,
        cx: &mut Context<'_, Self>,
    ) {
        let Phase::Looking(_) = self.phase else {
            if state == State::Looking {
                cx.send(from, self.notice(cx.me()));
            }
            return;
        };
        if !self.votes(from) {
            return;
        }
        match state {
            State::Looking if !self.votes(cx.me()) => {}
            State::Looking => self.on_vote(from, round, vote, cx),
            State::Following | State::Leading => {
                self.on_settled(from, round, vote.node, state == State::Leading, cx);
            }
        }
    }

    /// Somebody else looks for a leader, too.
    fn on_vote(&mut self, from: NodeId, round: u64, vote: Vote, cx: &mut Context<'_, Self>) {
        let (me, own) = (cx.me(), self.own_vote(cx.me()));
        let Phase::Looking(election) = &mut self.phase else { return };
        if round < self.round {
            return cx.send(from, self.notice(me));
        }
        let mut better = election.vote.max(vote);
        if round > self.round {
            // What was said in earlier rounds does not count any more.
            self.round = round;
            election.votes.clear();
            better = own.max(vote);
        }
        election.votes.insert(from, vote);
        election.settled.remove(&from);
        let news = better != election.vote || !election.votes.contains_key(&me);
        if news {
            election.vote = better;
            election.votes.insert(me, better);
            self.notify_all(cx);
        }
        self.count_votes(cx);
    }

    /// Waits a moment for better votes when a majority agrees.
    fn count_votes(&mut self, cx: &mut Context<'_, Self>) {
        let Phase::Looking(election) = &mut self.phase else { return };
        let agrees = |id: NodeId| election.votes.get(&id) == Some(&election.vote);
        let enough = self.config.voters.agree(agrees);
        match (enough, election.settling) {
            (true, false) => cx.set(Timer::Settle, self.config.heartbeat),
            (false, true) => cx.cancel(Timer::Settle),
            _ => {}
        }
        election.settling = enough;
    }

    pub(super) fn on_settle(&mut self, cx: &mut Context<'_, Self>) {
        let Phase::Looking(Election { vote, settling: true, .. }) = &self.phase else { return };
        match vote.node == cx.me() {
            true => self.lead(cx),
            false => self.follow(vote.node, cx),
        }
    }

    /// Somebody has a leader. If a majority has the same, and that leader says so itself, that is
    /// this node's too.
    fn on_settled(
        &mut self,
        from: NodeId,
        round: u64,
        leader: NodeId,
        leads: bool,
        cx: &mut Context<'_, Self>,
    ) {
        let me = cx.me();
        let Phase::Looking(election) = &mut self.phase else { return };
        election.votes.remove(&from);
        election.settled.insert(from, (leader, leads));
        // In the same round, its own vote helped to elect that leader.
        let own = round == self.round && election.vote.node == leader;
        let same = |id: NodeId| match id == me {
            true => own,
            false => election.settled.get(&id).is_some_and(|(whom, _)| *whom == leader),
        };
        let knows = election.settled.get(&leader).is_some_and(|(_, leads)| *leads);
        if self.config.voters.agree(same) && knows && leader != me {
            self.round = round;
            self.follow(leader, cx);
        }
    }

    /// What it is, as a fact.
    pub(super) fn standing(&self, me: NodeId) -> Fact {
        let epoch = self.accepted.round;
        match &self.phase {
            Phase::Leading(leading) if leading.is_established() => {
                Fact::Leads { ballot: Ballot::new(epoch, me) }
            }
            Phase::Leading(leading) if leading.has_epoch() => {
                Fact::Seeks { ballot: Ballot::new(epoch, me) }
            }
            Phase::Following(following) if following.up_to_date => {
                Fact::Follows { ballot: Ballot::new(epoch, following.leader) }
            }
            _ => Fact::Seeks { ballot: Ballot::NONE },
        }
    }

    /// Changes its phase, and says so, unless it knew of no leader and does not now.
    pub(super) fn turn_into(&mut self, phase: Phase, cx: &mut Context<'_, Self>) {
        self.write_rest(cx);
        let before = self.standing(cx.me());
        self.phase = phase;
        self.say_if_other(&before, cx);
    }

    /// Says what it is if that is something else than before.
    pub(super) fn say_if_other(&self, before: &Fact, cx: &mut Context<'_, Self>) {
        let after = self.standing(cx.me());
        if *before != after {
            cx.emit(after);
        }
    }

    pub(super) fn be_patient(&mut self, cx: &mut Context<'_, Self>) {
        self.patience = self.config.draw(cx);
        cx.set(Timer::Election, self.patience);
    }
}
