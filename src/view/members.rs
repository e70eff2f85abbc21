//! Who believes what of whom, by their own words, and how often that was wrong.
//!
//! A failure detector has no single answer: each node has its own opinion of each other. Where two
//! disagree about each other, one hears and is not heard.

use crate::base::{Incarnation, NodeId, Span, Time};
use crate::event::Fact;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one node believes of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Belief {
    /// That it is alive.
    Alive,
    /// That it may be dead.
    Suspect,
    /// That it is dead (SWIM).
    Dead,
}

/// The same, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// What it believes.
    pub belief: Belief,
    /// Of which incarnation.
    pub incarnation: Incarnation,
    /// Since when.
    pub since: Time,
}

/// What one node believes of all others.
type Row = Arc<BTreeMap<NodeId, Opinion>>;

/// How well crashes are noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// How often a node suspected another that ran.
    pub wrong: u32,
    /// How often a node found another dead that ran (SWIM).
    pub buried: u32,
    /// How many crashes somebody noticed.
    pub noticed: u32,
    /// How long that took, all crashes together.
    pub took: Span,
}

/// All opinions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    rows: BTreeMap<NodeId, Row>,
    /// When each of those that are down went down, as long as nobody has noticed.
    unnoticed: BTreeMap<NodeId, Time>,
    record: Record,
}

impl Members {
    /// What `observer` believes of `of`; none if it has not said.
    pub fn opinion(&self, observer: NodeId, of: NodeId) -> Option<Opinion> {
        self.rows.get(&observer)?.get(&of).copied()
    }

    /// Whether anybody has said what it believes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How well crashes are noticed.
    pub fn record(&self) -> Record {
        self.record
    }

    /// Whether `observer` suspects `of`, or more.
    pub fn doubts(&self, observer: NodeId, of: NodeId) -> bool {
        self.opinion(observer, of).is_some_and(|opinion| opinion.belief > Belief::Alive)
    }

    /// A process crashed: what it believed is gone, and others should notice.
    pub(super) fn fall(&mut self, at: Time, node: NodeId) {
        self.rows.remove(&node);
        self.unnoticed.insert(node, at);
    }

    /// A process starts, or has to say again what it believes.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.rows.remove(&node);
        self.unnoticed.remove(&node);
    }

    /// A node says what it believes. `runs` if the other does, as far as is known.
    pub(super) fn hear(
        &mut self,
        at: Time,
        observer: NodeId,
        fact: &Fact,
        runs: bool,
        again: bool,
    ) {
        let (who, incarnation, belief) = match *fact {
            Fact::Trusts { who, incarnation } => (who, incarnation, Belief::Alive),
            Fact::Suspects { who, incarnation } => (who, incarnation, Belief::Suspect),
            Fact::Dead { who, incarnation, .. } => (who, incarnation, Belief::Dead),
            _ => return,
        };
        let row = Arc::make_mut(self.rows.entry(observer).or_default());
        let same = |old: &Opinion| (old.belief, old.incarnation) == (belief, incarnation);
        if row.get(&who).is_some_and(same) {
            return;
        }
        row.insert(who, Opinion { belief, incarnation, since: at });
        match belief {
            _ if again => {}
            Belief::Suspect if runs => self.record.wrong += 1,
            Belief::Dead if runs => self.record.buried += 1,
            Belief::Suspect => {
                if let Some(since) = self.unnoticed.remove(&who) {
                    self.record.noticed += 1;
                    self.record.took = self.record.took + at.since(since);
                }
            }
            _ => {}
        }
    }
}
