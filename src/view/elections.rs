//! Elections: who asked to lead the log, in which ballot, who gave it a vote, and what came of it.
//!
//! The same for every kind of log: a ballot of Multi-Paxos that is prepared and promised, a term of
//! Raft with its votes, an epoch of Zab that is accepted.

use crate::base::{Ballot, NodeId, Span, Time, Voters};
use crate::event::Fact;
use std::collections::{BTreeMap, BTreeSet};

/// How many elections are kept, those of the highest ballots.
pub const MAX_ROWS: usize = 64;

/// Somebody asked to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// In which ballot; it names who asked.
    pub ballot: Ballot,
    /// Since when.
    pub since: Time,
    /// Who said that it votes for it, itself included.
    pub votes: BTreeSet<NodeId>,
    /// Whose votes count: those who voted on the log when it was asked; none if that was everybody.
    voters: Option<Voters>,
    /// When it led.
    won: Option<Time>,
    /// Whether who asked still does.
    asks: bool,
}

/// What came of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Who asked leads, or led: after so long, if it was seen to ask.
    Won(Option<Span>),
    /// It is still asking.
    Open,
    /// Somebody else led in the same term.
    Lost(NodeId),
    /// Several asked in the same term, and nobody got a quorum.
    Split,
    /// Nothing: it gave up, or crashed.
    Nothing,
}

impl Election {
    /// Whether a node's vote counts.
    pub fn counts(&self, node: NodeId) -> bool {
        self.voters.as_ref().is_none_or(|voters| voters.has(node))
    }

    /// How many votes that count it has got.
    pub fn count(&self) -> usize {
        self.votes.iter().filter(|node| self.counts(**node)).count()
    }
}

/// The elections that are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elections {
    rows: BTreeMap<Ballot, Election>,
}

impl Elections {
    /// All of them, in order of ballots.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Election> {
        self.rows.values()
    }

    /// Whom a node voted for in a term, if it did.
    pub fn vote(&self, term: u32, of: NodeId) -> Option<NodeId> {
        let votes = self.of_term(term).find(|row| row.votes.contains(&of));
        votes.map(|row| row.ballot.node)
    }

    fn of_term(&self, term: u32) -> impl Iterator<Item = &Election> {
        self.rows.values().filter(move |row| row.ballot.round == term)
    }

    /// What came of one.
    pub fn outcome(&self, election: &Election) -> Outcome {
        let rivals = || {
            let term = self.of_term(election.ballot.round);
            term.filter(|row| row.ballot != election.ballot)
        };
        match election.won {
            Some(at) => {
                let seen = !election.votes.is_empty();
                Outcome::Won(seen.then(|| at.since(election.since)))
            }
            None => match rivals().find(|row| row.won.is_some()) {
                Some(winner) => Outcome::Lost(winner.ballot.node),
                None if election.asks => Outcome::Open,
                None if rivals().next().is_some() => Outcome::Split,
                None => Outcome::Nothing,
            },
        }
    }

    /// A node crashed: it asks for nothing any more.
    pub(super) fn crash(&mut self, node: NodeId) {
        self.rows.values_mut().filter(|row| row.ballot.node == node).for_each(|row| {
            row.asks = false;
        });
    }

    /// Takes in what a node says while these vote on the log.
    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact, voters: Option<&Voters>) {
        match fact {
            Fact::Seeks { ballot } if ballot.node == node && *ballot != Ballot::NONE => {
                self.crash(node);
                self.row(at, *ballot, voters).asks = true;
            }
            Fact::VotesFor { ballot } | Fact::Promises { slot: 1.., ballot } => {
                self.row(at, *ballot, voters).votes.insert(node);
            }
            Fact::Leads { ballot } => {
                self.crash(node);
                self.row(at, *ballot, voters).won.get_or_insert(at);
            }
            Fact::Seeks { .. } | Fact::Follows { .. } => self.crash(node),
            _ => {}
        }
    }

    fn row(&mut self, at: Time, ballot: Ballot, voters: Option<&Voters>) -> &mut Election {
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&ballot) {
            self.rows.pop_first();
        }
        self.rows.entry(ballot).or_insert_with(|| {
            let (since, votes, voters) = (at, BTreeSet::new(), voters.cloned());
            Election { ballot, since, votes, voters, won: None, asks: false }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(round: u32, node: u16) -> Ballot {
        Ballot::new(round, NodeId::node(node))
    }

    /// What came of each, after these nodes said these things at these milliseconds.
    fn told(story: &[(u64, u16, Fact)]) -> Vec<(Ballot, usize, Outcome)> {
        let mut elections = Elections::default();
        for (at, node, fact) in story {
            elections.hear(Time(at * 1_000), NodeId::node(*node), fact, None);
        }
        elections.rows().map(|row| (row.ballot, row.votes.len(), elections.outcome(row))).collect()
    }

    fn asks(at: u64, round: u32, node: u16) -> [(u64, u16, Fact); 2] {
        let ballot = ballot(round, node);
        [(at, node, Fact::VotesFor { ballot }), (at, node, Fact::Seeks { ballot })]
    }

    fn votes(at: u64, node: u16, round: u32, of: u16) -> (u64, u16, Fact) {
        (at, node, Fact::VotesFor { ballot: ballot(round, of) })
    }

    #[test]
    fn a_term_that_two_share_is_split_and_the_next_is_won() {
        let mut story = [asks(100, 1, 1), asks(101, 1, 2)].concat();
        story.extend([votes(105, 3, 1, 1), votes(105, 4, 1, 2)]);
        assert_eq!(
            told(&story),
            [(ballot(1, 1), 2, Outcome::Open), (ballot(1, 2), 2, Outcome::Open)]
        );
        story.extend(asks(300, 2, 2));
        story.extend([votes(305, 1, 2, 2), votes(306, 3, 2, 2)]);
        story.push((310, 1, Fact::Seeks { ballot: Ballot::NONE }));
        story.push((312, 2, Fact::Leads { ballot: ballot(2, 2) }));
        assert_eq!(
            told(&story),
            [
                (ballot(1, 1), 2, Outcome::Split),
                (ballot(1, 2), 2, Outcome::Split),
                (ballot(2, 2), 3, Outcome::Won(Some(Span::millis(12))))
            ]
        );
    }

    #[test]
    fn who_asks_beside_a_winner_has_lost_and_who_gives_up_got_nothing() {
        let found = vec![(50, 5, Fact::Leads { ballot: ballot(0, 5) })];
        let mut story = [found, asks(100, 1, 1).into(), asks(101, 1, 2).into()].concat();
        story.push((110, 1, Fact::Leads { ballot: ballot(1, 1) }));
        story.extend(asks(500, 2, 3));
        story.push((600, 3, Fact::Follows { ballot: ballot(1, 1) }));
        let outcomes: Vec<Outcome> = told(&story).into_iter().map(|(_, _, it)| it).collect();
        let lost = Outcome::Lost(NodeId::node(1));
        let won = Outcome::Won(Some(Span::millis(10)));
        assert_eq!(outcomes, [Outcome::Won(None), won, lost, Outcome::Nothing]);
    }
}
