//! Changing who votes.
//!
//! A node goes by the last configuration in its log, committed or not; if that entry gives way, so
//! does the configuration (`follower`). The leader lets one in only when the one before it is
//! committed, and when it has committed an entry of its own term: else two leaders could each go on
//! from a different one, whose majorities need not meet (Ongaro, *bug in single-server membership
//! changes*, raft-dev, 2015).
//!
//! Two ways lead from one set of voters to another:
//!
//! ```text
//!  single   voters n1,n2,n3 ─────────────────────────────────> voters n1,n2,n3,n4
//!           one comes or goes: any two majorities share a node
//!  joint    voters n1,n2,n3 ──> joint n1,n2,n3>n3,n4,n5 ─────> voters n3,n4,n5
//!           meanwhile, a majority of each; the leader goes on when the joint entry is committed
//! ```
//!
//! *Who is to vote catches up first*, as a learner, which all other nodes are: else a node with an
//! empty log could stand between the cluster and its next commit. It does so in rounds: what was in
//! the log when a round began is copied; when a round takes no longer than an election, it will do.
//!
//! *A leader that is no voter any more* copies the log on without counting itself. When that it has
//! gone is committed, it steps down, and tells a voter with its whole log to take its place.

use super::{Context, Raft, Role};
use crate::base::{Entry, Mutation, NodeId, Op, Refusal, Slot, Time, Voters};
use crate::proto::log::{Agreement, Configuration, Teller};
use std::borrow::Cow;
use std::sync::Arc;

/// How one set of voters gives way to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Changes {
    /// Through joint consensus.
    #[default]
    Joint,
    /// One voter at a time.
    Single,
}

/// What the leader was asked for, and how far the new voters are with catching up.
#[derive(Clone, Debug)]
pub(super) struct Change {
    entry: Arc<Entry>,
    /// Since when it is its turn.
    since: Time,
    round: Round,
}

/// What new voters have to catch up with.
#[derive(Clone, Copy, Debug)]
struct Round {
    began: Time,
    /// The last slot of the log when it began.
    upto: Slot,
    /// The heartbeat that it began with, which they have to answer: they are there.
    beat: u64,
}

impl Raft {
    /// Takes in that others are to vote.
    pub(super) fn on_change(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &self.role else { return };
        if leader.changes.iter().all(|change| change.entry.call != entry.call) {
            let change = Change { entry, since: cx.now(), round: self.catch_up_round(cx) };
            let Role::Leader(leader) = &mut self.role else { return };
            leader.changes.push_back(change);
            self.go_on(cx);
        }
    }

    /// Does what is due and possible about who votes: after a commit, a copy, and now and then.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &self.role else { return };
        let last = self.configurations.last();
        let pending = last.slot > self.commit && !self.has(Mutation::RaftConfigPending);
        let fresh = self.commit < leader.first && !self.has(Mutation::RaftConfigEarly);
        if pending || fresh {
            return;
        }
        let gone = !last.voters.has(cx.me()) && !self.has(Mutation::RaftRemovedLeads);
        if gone {
            return self.retire(cx);
        }
        if leader.handing.is_some() {
            return;
        }
        if last.voters.is_joint() {
            let Configuration { call, voters, .. } = last.clone();
            let entry = Entry { call, op: Op::Voters { voters: voters.settled() } };
            return self.append(Arc::new(entry), cx);
        }
        self.begin_change(cx);
    }

    /// Begins the next change, if its new voters have caught up.
    fn begin_change(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &self.role else { return };
        let Some(change) = leader.changes.front() else { return };
        let Op::Voters { voters } = &change.entry.op else { return };
        let op = match self.step(voters) {
            Ok(op) if self.caught_up(voters, change.round) => match self.is_short(change, cx) {
                true => op,
                false => return self.catch_up_further(cx),
            },
            Ok(_) if cx.now().since(change.since) < self.config.log.election.1.times(10) => return,
            Ok(_) => Op::Decline { why: Refusal::Behind },
            Err(why) => Op::Decline { why },
        };
        let call = change.entry.call;
        let Role::Leader(leader) = &mut self.role else { return };
        leader.changes.pop_front();
        leader.changes.iter_mut().for_each(|next| next.since = cx.now());
        if leader.calls.add(call) {
            self.append(Arc::new(Entry { call, op }), cx);
        }
        self.go_on(cx);
    }

    /// The entry that leads from the voters of now to others, or why none may.
    fn step(&self, to: &Voters) -> Result<Op, Refusal> {
        let far = self.voters().distance(to) > 1 && !self.has(Mutation::RaftSingleMany);
        let voters = to.clone();
        match self.config.changes {
            Changes::Single if far => Err(Refusal::OneAtATime),
            Changes::Single => Ok(Op::Voters { voters }),
            Changes::Joint if self.voters() == to => Ok(Op::Voters { voters }),
            Changes::Joint => Ok(Op::Joint { voters }),
        }
    }

    /// Whether those who do not vote yet have said in this round that they have the log up to where
    /// it ended.
    fn caught_up(&self, to: &Voters, Round { beat, upto, .. }: Round) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let mut new = to.iter().filter(|id| !self.voters().has(*id));
        new.all(|id| leader.has_told(id, beat, upto))
    }

    fn is_short(&self, change: &Change, cx: &Context<'_, Self>) -> bool {
        cx.now().since(change.round.began) <= self.config.log.election.0
    }

    fn catch_up_round(&mut self, cx: &mut Context<'_, Self>) -> Round {
        let (began, upto) = (cx.now(), self.entries.last().slot);
        Round { began, upto, beat: self.begin_round(cx) }
    }

    fn catch_up_further(&mut self, cx: &mut Context<'_, Self>) {
        let round = self.catch_up_round(cx);
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(change) = leader.changes.front_mut() {
            change.round = round;
        }
    }

    /// Whether a node may have to lead: it votes, or may still be counted on to, until that it does
    /// not is committed.
    pub(super) fn may_lead(&self, id: NodeId) -> bool {
        self.configurations.since(self.commit).iter().any(|one| one.voters.has(id))
    }

    /// Those who count.
    pub(super) fn counted(&self) -> Cow<'_, Voters> {
        match self.voters() {
            _ if self.has(Mutation::RaftCountLearners) => {
                Cow::Owned(Voters::of(self.config.log.peers.iter().copied()))
            }
            voters if voters.is_joint() && self.has(Mutation::RaftJointNewOnly) => {
                Cow::Owned(voters.settled())
            }
            voters => Cow::Borrowed(voters),
        }
    }
}
