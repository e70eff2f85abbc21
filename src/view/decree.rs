//! The single decree (slot 0): ballots as rows, acceptors as columns.
//!
//! Rows are history; what acceptors hold now is beside them, since only that binds them.

use crate::base::{Ballot, Entry, NodeId, Time};
use crate::event::{Fact, Phase};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many ballots are kept, the highest ones.
pub const MAX_ROWS: usize = 64;
/// After how many turns between proposers, with nothing chosen, it is a duel.
pub const DUEL: u32 = 3;

/// How an acceptor answered one phase of one ballot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It did not, as far as anybody knows.
    #[default]
    Waiting,
    /// It promised, or accepted.
    Yes,
    /// It refused, because it had promised this higher ballot.
    No(Ballot),
}

/// One acceptor's answers to one ballot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// To the prepare.
    pub promise: Answer,
    /// To the accept.
    pub accept: Answer,
}

/// One ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which; it names the proposer.
    pub ballot: Ballot,
    /// When it was first heard of.
    pub since: Time,
    /// What is proposed, once the proposer knows.
    pub entry: Option<Arc<Entry>>,
    /// The ballot whose vote the proposer had to take the value from, if it had to.
    pub adopted: Option<Ballot>,
    /// The acceptors that answered.
    pub cells: BTreeMap<NodeId, Cell>,
}

impl Row {
    /// How many acceptors promised.
    pub fn promises(&self) -> usize {
        self.cells.values().filter(|cell| cell.promise == Answer::Yes).count()
    }

    /// How many accepted.
    pub fn accepts(&self) -> usize {
        self.cells.values().filter(|cell| cell.accept == Answer::Yes).count()
    }

    /// How many refused, in either phase.
    pub fn refusals(&self) -> usize {
        let refused = |answer: Answer| matches!(answer, Answer::No(_));
        self.cells.values().filter(|cell| refused(cell.promise) || refused(cell.accept)).count()
    }

    /// One acceptor's answers.
    pub fn cell(&self, acceptor: NodeId) -> Cell {
        self.cells.get(&acceptor).copied().unwrap_or_default()
    }
}

/// What an acceptor holds on its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptor {
    /// It will not vote below this.
    pub promised: Ballot,
    /// The ballot of its highest vote.
    pub accepted: Ballot,
    /// What it voted for, if that is known.
    pub entry: Option<Arc<Entry>>,
}

/// Proposers that keep overtaking each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duel {
    /// How many ballots were begun since it started.
    pub ballots: u32,
    /// How often it was another proposer's turn.
    pub turns: u32,
    /// When the first of the ballots was prepared.
    pub since: Time,
}

/// The single decree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decree {
    rows: BTreeMap<Ballot, Row>,
    acceptors: BTreeMap<NodeId, Acceptor>,
    learners: BTreeMap<NodeId, Arc<Entry>>,
    chosen: Option<(Arc<Entry>, Time)>,
    highest: Ballot,
    race: Option<Duel>,
}

impl Decree {
    /// Whether anything was ever proposed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The ballots, lowest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values()
    }

    /// One ballot.
    pub fn row(&self, ballot: Ballot) -> Option<&Row> {
        self.rows.get(&ballot)
    }

    /// What each acceptor holds now.
    pub fn acceptors(&self) -> &BTreeMap<NodeId, Acceptor> {
        &self.acceptors
    }

    /// The chosen value as the first learner said it, and when.
    pub fn chosen(&self) -> Option<(&Arc<Entry>, Time)> {
        self.chosen.as_ref().map(|(entry, at)| (entry, *at))
    }

    /// The lowest ballot in which the chosen value got the votes of `majority` acceptors.
    pub fn chosen_in(&self, majority: usize) -> Option<Ballot> {
        self.rows.values().find(|row| row.accepts() >= majority).map(|row| row.ballot)
    }

    /// Who learned which value.
    pub fn learners(&self) -> &BTreeMap<NodeId, Arc<Entry>> {
        &self.learners
    }

    /// The duel, if proposers have taken turns [`DUEL`] times and nothing is chosen.
    pub fn duel(&self) -> Option<Duel> {
        self.race.filter(|race| race.turns >= DUEL && self.chosen.is_none())
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        match fact {
            // To a newcomer, too, who has promised nothing is no news.
            Fact::Acceptor { promised: Ballot::NONE, .. }
                if !self.acceptors.contains_key(&node) => {}
            Fact::Acceptor { log: false, promised, accepted } => {
                let known = self.acceptors.get(&node).filter(|known| known.accepted == *accepted);
                let entry = self.rows.get(accepted).and_then(|row| row.entry.clone());
                let entry = entry.or_else(|| known?.entry.clone());
                let acceptor = Acceptor { promised: *promised, accepted: *accepted, entry };
                self.acceptors.insert(node, acceptor);
            }
            Fact::Prepares { slot: 0, ballot } => {
                self.race(at, *ballot);
                self.row_mut(at, *ballot);
            }
            Fact::Promises { slot: 0, ballot } => {
                let acceptor = self.acceptors.entry(node).or_default();
                acceptor.promised = acceptor.promised.max(*ballot);
                self.cell(at, *ballot, node).promise = Answer::Yes;
            }
            Fact::Refuses { slot: 0, ballot, promised, phase } => {
                let cell = self.cell(at, *ballot, node);
                match phase {
                    Phase::Prepare => cell.promise = Answer::No(*promised),
                    Phase::Accept => cell.accept = Answer::No(*promised),
                }
            }
            Fact::Proposes { slot: 0, ballot, entry, adopted } => {
                let row = self.row_mut(at, *ballot);
                row.entry = Some(entry.clone());
                row.adopted = Some(*adopted).filter(|ballot| *ballot != Ballot::NONE);
            }
            Fact::Accepts { slot: 0, ballot, entry } => self.accept(at, node, *ballot, entry),
            Fact::Chooses { slot: 0, entry } => {
                self.learners.insert(node, entry.clone());
                self.chosen.get_or_insert_with(|| (entry.clone(), at));
            }
            _ => {}
        }
    }

    fn accept(&mut self, at: Time, node: NodeId, ballot: Ballot, entry: &Arc<Entry>) {
        let acceptor = self.acceptors.entry(node).or_default();
        acceptor.promised = acceptor.promised.max(ballot);
        if ballot >= acceptor.accepted {
            (acceptor.accepted, acceptor.entry) = (ballot, Some(entry.clone()));
        }
        // An old vote, said again, does not bring back a row that had to go.
        let lowest = self.rows.first_key_value().map(|(lowest, _)| *lowest);
        if self.rows.len() < MAX_ROWS || lowest.is_some_and(|lowest| lowest <= ballot) {
            self.row_mut(at, ballot).entry.get_or_insert_with(|| entry.clone());
            self.cell(at, ballot, node).accept = Answer::Yes;
        }
    }

    /// Counts the turns between proposers. Each must overtake the last to count.
    fn race(&mut self, at: Time, ballot: Ballot) {
        if ballot <= self.highest || self.chosen.is_some() {
            return;
        }
        let turns = u32::from(self.highest != Ballot::NONE && ballot.node != self.highest.node);
        let race = self.race.get_or_insert(Duel { ballots: 0, turns: 0, since: at });
        race.ballots += 1;
        race.turns += turns;
        self.highest = ballot;
    }

    fn row_mut(&mut self, at: Time, ballot: Ballot) -> &mut Row {
        let full = self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&ballot);
        if full && self.rows.first_key_value().is_some_and(|(lowest, _)| *lowest < ballot) {
            self.rows.pop_first();
        }
        let new = || Row { ballot, since: at, entry: None, adopted: None, cells: BTreeMap::new() };
        self.rows.entry(ballot).or_insert_with(new)
    }

    fn cell(&mut self, at: Time, ballot: Ballot, acceptor: NodeId) -> &mut Cell {
        self.row_mut(at, ballot).cells.entry(acceptor).or_default()
    }
}
