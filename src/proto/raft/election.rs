//! Terms and votes.

use super::{Context, Message, Raft, Role, Timer};
use crate::base::{Ballot, Mutation, NodeId};
use crate::event::Fact;
use crate::proto::log::{Agreement, Place};
use crate::proto::quorum::Tally;
use serde::{Deserialize, Serialize};

/// Why a node asks for votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Campaign {
    /// It only asks whether it would get them, and has not entered the term yet.
    Ask,
    /// It has heard of no leader for too long.
    Seek,
    /// The leader hands over to it: voters listen to it although they hear a leader.
    HandedOver,
}

/// Who asks for votes.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// It only asks whether it would get them.
    pub(super) pre: bool,
    votes: Tally,
}

// -- asking --------------------------------------------------------------------------------------
impl Raft {
    /// Has heard of no leader for too long. Who does not vote, as far as it knows, only waits on.
    pub(super) fn on_election(&mut self, cx: &mut Context<'_, Self>) {
        match self.role {
            Role::Leader(_) => {}
            _ if self.may_lead(cx.me()) => match self.config.pre_vote {
                true => self.seek(Campaign::Ask, cx),
                false => self.seek(Campaign::Seek, cx),
            },
            _ => {
                self.turn_into(Role::Follower(None), cx);
                self.be_patient(cx);
            }
        }
    }

    /// Asks for votes in the next term, or only whether it would get them.
    pub(super) fn seek(&mut self, campaign: Campaign, cx: &mut Context<'_, Self>) {
        let (me, term) = (cx.me(), self.term + 1);
        let pre = campaign == Campaign::Ask;
        if !pre {
            (self.term, self.vote) = (term, Some(me));
            self.write_term(cx);
            let ballot = Ballot::new(term, me);
            cx.emit(Fact::Enters { term });
            cx.emit(Fact::VotesFor { ballot });
        }
        self.turn_into(Role::Candidate(Candidate { pre, votes: Tally::default() }), cx);
        let request = Message::RequestVote { term, last: self.entries.last(), campaign };
        cx.send_all(self.config.log.others(me), &request);
        // Its own vote; that it is durable arrives as a message.
        cx.send(me, Message::Vote { term, granted: true, pre });
        self.be_patient(cx);
    }

    pub(super) fn on_vote(
        &mut self,
        from: NodeId,
        term: u32,
        granted: bool,
        pre: bool,
        cx: &mut Context<'_, Self>,
    ) {
        if !granted {
            if term > self.term {
                self.enter(term, cx);
            }
            return;
        }
        let (own, counted) = (self.term, self.counted().into_owned());
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.pre != pre || term != own + u32::from(pre) {
            return;
        }
        candidate.votes.add(from);
        if candidate.votes.is_quorum(&counted) {
            match pre {
                true => self.seek(Campaign::Seek, cx),
                false => self.lead(cx),
            }
        }
    }
}

// -- answering -----------------------------------------------------------------------------------
impl Raft {
    pub(super) fn on_request_vote(
        &mut self,
        from: NodeId,
        term: u32,
        last: Place,
        campaign: Campaign,
        cx: &mut Context<'_, Self>,
    ) {
        let handed = campaign == Campaign::HandedOver && !self.has(Mutation::RaftTransferIgnored);
        let sticky = self.config.sticky && !self.has(Mutation::LogBreakLease);
        if term > self.term && sticky && !handed && self.has_leader(cx) {
            return;
        }
        if self.has(Mutation::RaftLearnerRefuses) && !self.voters().has(cx.me()) {
            return;
        }
        let pre = campaign == Campaign::Ask;
        let fresh = last >= self.entries.last() || self.has(Mutation::RaftVoteBlind);
        if pre {
            let granted = term > self.term && fresh;
            let term = if granted { term } else { self.term };
            return cx.send(from, Message::Vote { term, granted, pre });
        }
        if term > self.term {
            self.enter(term, cx);
        }
        let free = self.vote.is_none_or(|vote| vote == from) || self.has(Mutation::RaftVoteTwice);
        let granted = term == self.term && fresh && free;
        if granted && self.vote != Some(from) {
            self.vote = Some(from);
            self.write_term(cx);
            cx.emit(Fact::VotesFor { ballot: Ballot::new(term, from) });
            self.be_patient(cx);
        }
        cx.send(from, Message::Vote { term: self.term, granted, pre });
    }

    /// Whether it leads, or has heard of a leader within the shortest election time. Who has just
    /// restarted may have done so in its last life.
    fn has_leader(&self, cx: &Context<'_, Self>) -> bool {
        let shortest = self.config.log.election.0;
        let fresh = cx.now().since(self.heard) < shortest;
        let woken = cx.boot() > 1 && !self.has(Mutation::LogForgetLease);
        let woken = woken && cx.now().since(self.woke) < shortest;
        match self.role {
            Role::Leader(_) => true,
            Role::Candidate(_) => false,
            Role::Follower(leader) => (leader.is_some() && fresh) || woken,
        }
    }
}

// -- terms ---------------------------------------------------------------------------------------
impl Raft {
    /// Goes by a newer term, in which it has not voted and knows no leader.
    pub(super) fn enter(&mut self, term: u32, cx: &mut Context<'_, Self>) {
        (self.term, self.vote) = (term, None);
        self.write_term(cx);
        cx.emit(Fact::Enters { term });
        self.wait_for_leader(cx);
    }

    /// Gives up what it is, and waits for somebody to lead.
    pub(super) fn wait_for_leader(&mut self, cx: &mut Context<'_, Self>) {
        let led = matches!(self.role, Role::Leader(_));
        self.turn_into(Role::Follower(None), cx);
        if led {
            self.be_patient(cx);
        }
    }

    /// Changes its role, and says so, unless it knew of no leader and does not now.
    pub(super) fn turn_into(&mut self, role: Role, cx: &mut Context<'_, Self>) {
        const ALONE: Fact = Fact::Seeks { ballot: Ballot::NONE };
        self.write_rest(cx);
        let before = self.standing(cx.me());
        if let Role::Leader(_) = std::mem::replace(&mut self.role, role) {
            cx.cancel(Timer::Heartbeat);
        }
        let after = self.standing(cx.me());
        if let Fact::Leads { ballot } | Fact::Follows { ballot } = after {
            self.replica.grant(ballot.node, cx);
        }
        if before != ALONE || after != ALONE {
            cx.emit(after);
        }
    }

    fn be_patient(&mut self, cx: &mut Context<'_, Self>) {
        (self.heard, self.patience) = (cx.now(), self.config.log.draw(cx));
        cx.set(Timer::Election, self.patience);
    }

    /// Hears the leader of a term, or tells it that there is a newer one. Returns whether it was
    /// heard.
    pub(super) fn listen(&mut self, from: NodeId, term: u32, cx: &mut Context<'_, Self>) -> bool {
        if term < self.term {
            cx.send(from, Message::Outdated { term: self.term });
            return false;
        }
        if term > self.term {
            self.enter(term, cx);
        }
        match self.role {
            Role::Leader(_) => return false,
            Role::Follower(Some(leader)) if leader == from => {
                self.heard = cx.now();
                cx.set(Timer::Election, self.patience);
            }
            _ => {
                self.turn_into(Role::Follower(Some(from)), cx);
                self.be_patient(cx);
                self.hand_on_all(cx);
            }
        }
        true
    }
}
