//! Handing leadership on.
//!
//! The leader takes no more entries, waits until the chosen voter has its whole log, and tells it
//! to seek to lead at once. That one's request for votes says so, so that voters listen to it
//! although they hear a leader. If nothing has come of it after the longest election time, the
//! leader goes on as before, but for one thing: its word may still be under way, and voters who
//! listen on the strength of it do not keep to the leader's lease. So it answers no more reads
//! under a lease in this term.

use super::election::Campaign;
use super::{Context, Message, Raft, Role};
use crate::base::{Ballot, Mutation, NodeId, Time};
use crate::event::Fact;
use crate::proto::log::Agreement;

/// To whom a leader hands over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handing {
    to: NodeId,
    /// When the leader gives up on it.
    until: Time,
    /// Whether it was told to seek to lead.
    told: bool,
}

/// Tells a node that it is time to lead, and everybody that it was told.
fn tell(to: NodeId, term: u32, cx: &mut Context<'_, Raft>) {
    cx.emit(Fact::HandsOver { ballot: Ballot::new(term, cx.me()), to });
    cx.send(to, Message::TimeoutNow { term });
}

impl Raft {
    /// Hands over to a voter, unless it is doing so already.
    pub(super) fn on_hand_over(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let (votes, until) = (self.voters().has(to), cx.now() + self.config.log.election.1);
        let Role::Leader(leader) = &mut self.role else { return };
        if votes && to != cx.me() && leader.handing.is_none() {
            leader.handing = Some(Handing { to, until, told: false });
            self.tell_successor(cx);
        }
    }

    /// Tells whom it hands over to that it is time, if that one has the whole log.
    pub(super) fn tell_successor(&mut self, cx: &mut Context<'_, Self>) {
        let behind = self.has(Mutation::RaftTransferBehind);
        let keeps_lease = self.has(Mutation::RaftTransferKeepsLease);
        let (term, last) = (self.term, self.entries.last().slot);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(Handing { to, told: false, .. }) = leader.handing else { return };
        if leader.matched(to) == Some(last) || behind {
            leader.handing.iter_mut().for_each(|handing| handing.told = true);
            if !keeps_lease {
                leader.rounds.end_leases();
            }
            tell(to, term, cx);
        }
    }

    /// Stops leading, in favour of a voter that has its whole log, if one is known to.
    pub(super) fn retire(&mut self, cx: &mut Context<'_, Self>) {
        let last = self.entries.last().slot;
        let Role::Leader(leader) = &self.role else { return };
        let told = leader.handing.is_some_and(|handing| handing.told);
        let to = self.voters().iter().find(|id| leader.matched(*id) == Some(last));
        if let Some(to) = to.filter(|_| !told) {
            tell(to, self.term, cx);
        }
        self.wait_for_leader(cx);
    }

    /// Says so again, or gives up.
    pub(super) fn hand_over_or_go_on(&mut self, cx: &mut Context<'_, Self>) {
        let term = self.term;
        let Role::Leader(leader) = &mut self.role else { return };
        match leader.handing {
            Some(Handing { until, .. }) if until <= cx.now() => {
                leader.handing = None;
                self.hand_on_all(cx);
            }
            Some(Handing { to, told: true, .. }) => cx.send(to, Message::TimeoutNow { term }),
            _ => {}
        }
    }

    /// The leader hands over to this node.
    pub(super) fn on_timeout_now(&mut self, from: NodeId, term: u32, cx: &mut Context<'_, Self>) {
        let follows = matches!(self.role, Role::Follower(Some(leader)) if leader == from);
        if term == self.term && follows && self.may_lead(cx.me()) {
            self.seek(Campaign::HandedOver, cx);
        }
    }
}
