//! Electing a leader by who reaches whom, in the place of patience: ballot leader election.
//!
//! Nodes that wait for a leader until they lose patience elect whoever asks first, and a node that
//! a partition has left with too few links may go on asking, and unseat leaders, for ever. Here
//! nodes ask each other in rounds how they are, and each is *well* or not:
//!
//! * a leader is well if a quorum answered it in the last round;
//! * a follower is well if its leader answered, still leads it, and is well itself;
//! * who has just been elected, or has just found a leader, is well for a round.
//!
//! A node seeks to lead only if a quorum answered it, it is not well, and none of those who
//! answered is: nobody within reach has a leader that can do anything. It takes a ballot above that
//! of any leader it knows. How much of the log it has plays no part, because phase 1 brings the
//! rest.
//!
//! ```text
//!  n2                n1 (hub)             n3 (was the leader, and reaches n1 only)
//!   ├─ Health 7 unwell─>│<─ Health 7 unwell ─┤    nobody is well, and n1 has a quorum
//!   │<── Prepare 4.1 ───┼── Prepare 4.1 ────>│    so n1 seeks to lead
//! ```
//!
//! **What it guarantees.** If a node reaches a quorum for long enough, some node like that is
//! elected (LE-1), and in the end all who reach a quorum follow one that does (LE-2). The ballots
//! that a node goes by rise (LE-3, `check::paxos`). Safety rests on none of this.
//!
//! **Sources.** Ng, Haridi and Carbone, *Omni-Paxos: breaking the barriers of partial connectivity*
//! (EuroSys 2023).

use super::{Context, Log, Message, Role, Timer};
use crate::base::{Ballot, NodeId, Span};
use std::collections::BTreeMap;

/// What makes a node seek to lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ElectBy {
    /// That it has heard of no leader for some time.
    #[default]
    Patience,
    /// That it reaches a quorum, and nobody within its reach has a leader that does.
    Connectivity,
}

/// What a node knows of those around it.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbours {
    round: u64,
    /// Who has answered in this round: by which leader's ballot it goes, and whether it is well.
    answers: BTreeMap<NodeId, (Ballot, bool)>,
    /// In this round, this node was elected or has found a leader: what was answered before may be
    /// out of date.
    news: bool,
    /// How this node was at the end of the last round, or after such news.
    well: bool,
}

impl Log {
    /// Seeks to lead after that time, if patience decides.
    pub(super) fn wait(&self, span: Span, cx: &mut Context<'_, Self>) {
        if self.elect_by == ElectBy::Patience {
            cx.set(Timer::Election, span);
        }
    }

    /// Somebody has just been elected: this node, or one that it hears.
    pub(super) fn hope(&mut self) {
        (self.neighbours.news, self.neighbours.well) = (true, true);
    }

    /// The end of a round, and the begin of the next one.
    pub(super) fn on_round(&mut self, cx: &mut Context<'_, Self>) {
        let reached = self.reached(cx.me());
        let others_are_well = self.neighbours.answers.values().any(|(_, well)| *well);
        self.neighbours.well = self.is_well(reached);
        if reached && !self.neighbours.well && !others_are_well {
            self.on_election(cx);
        }
        self.begin_round_of_health(cx);
    }

    /// Whether a quorum has answered in this round.
    fn reached(&self, me: NodeId) -> bool {
        let answered = |id: NodeId| id == me || self.neighbours.answers.contains_key(&id);
        self.electorate.of(self.commit + 1).agree(answered)
    }

    fn is_well(&self, reached: bool) -> bool {
        let Neighbours { news, answers, .. } = &self.neighbours;
        match self.role {
            Role::Leader(_) => *news || reached,
            Role::Candidate(_) | Role::Follower(Ballot::NONE) => false,
            Role::Follower(ballot) => *news || answers.get(&ballot.node) == Some(&(ballot, true)),
        }
    }

    pub(super) fn begin_round_of_health(&mut self, cx: &mut Context<'_, Self>) {
        self.neighbours.round += 1;
        self.neighbours.news = false;
        self.neighbours.answers.clear();
        let ask = Message::AskHealth { round: self.neighbours.round };
        cx.send_all(self.config.others(cx.me()), &ask);
        // Not all at once, lest all seek to lead at once.
        let (shortest, longest) = self.config.election;
        let span = cx.rng().span(shortest, Span((shortest.0 + longest.0) / 2));
        cx.set(Timer::Round, span);
    }

    pub(super) fn on_ask_health(&self, from: NodeId, round: u64, cx: &mut Context<'_, Self>) {
        let ballot = match &self.role {
            Role::Leader(leader) => leader.ballot,
            Role::Candidate(_) => Ballot::NONE,
            Role::Follower(ballot) => *ballot,
        };
        let well = self.neighbours.well;
        cx.send(from, Message::Health { round, ballot, well });
    }

    pub(super) fn on_health(&mut self, from: NodeId, round: u64, ballot: Ballot, well: bool) {
        self.outbid = self.outbid.max(ballot.round);
        if round == self.neighbours.round {
            self.neighbours.answers.insert(from, (ballot, well));
        }
    }
}
