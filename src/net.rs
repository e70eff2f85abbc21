//! What the network does to one message: the rules, and the verdict on it.
//!
//! Rules act at the sender's side, on messages, in every runtime: no packet filter, no root, one
//! vocabulary. A message that a node sends to itself never comes here.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::base::{NodeId, Rng, Span};
pub use crate::command::Fault;
use crate::event::Loss;
use std::collections::BTreeMap;

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Deliver {
        /// How long it is under way.
        after: Span,
    },
    /// It is lost.
    Drop(Loss),
    /// It waits for a `release`.
    Hold,
    /// It arrives, and a copy arrives too.
    Twice {
        /// How long it is under way.
        after: Span,
        /// How long its copy is.
        again: Span,
    },
}

/// The state of the network.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The shortest way of a message on a sound link.
    pub fastest: Span,
    /// The longest.
    pub slowest: Span,
    faults: BTreeMap<(NodeId, NodeId), Fault>,
}

impl Rules {
    /// A sound network, with ways between `fastest` and `slowest`.
    pub fn new(fastest: Span, slowest: Span) -> Rules {
        Rules { fastest, slowest: slowest.max(fastest), faults: BTreeMap::new() }
    }

    /// Decides about one message from `from` to `to`.
    pub fn judge(&self, from: NodeId, to: NodeId, rng: &mut Rng) -> Verdict {
        let way = rng.span(self.fastest, self.slowest);
        if self.faults.is_empty() {
            return Verdict::Deliver { after: way };
        }
        match self.faults.get(&(from, to)) {
            None => Verdict::Deliver { after: way },
            Some(fault) => self.judge_faulty(fault, way, rng),
        }
    }

    fn judge_faulty(&self, fault: &Fault, way: Span, rng: &mut Rng) -> Verdict {
        if fault.cut {
            return Verdict::Drop(Loss::Cut);
        }
        if rng.percent(fault.loss) {
            return Verdict::Drop(Loss::Chance);
        }
        if fault.hold {
            return Verdict::Hold;
        }
        // A real network's own way is not known here.
        let usual = self.slowest.max(Span::millis(1));
        let mut late = || fault.delay + rng.span(Span::ZERO, fault.jitter);
        let (first, second) = (late(), late());
        let after = match rng.percent(fault.reorder) {
            true => way + first + rng.span(usual, usual.times(10)),
            false => way + first,
        };
        match rng.percent(fault.duplicate) {
            true => Verdict::Twice {
                after,
                again: rng.span(self.fastest, self.slowest.times(4)) + second,
            },
            false => Verdict::Deliver { after },
        }
    }

    /// Changes what is wrong with one direction of a link.
    pub fn change(&mut self, from: NodeId, to: NodeId, change: impl FnOnce(&mut Fault)) {
        if from == to {
            return;
        }
        let mut fault = self.faults.get(&(from, to)).copied().unwrap_or_default();
        change(&mut fault);
        if fault == Fault::default() {
            self.faults.remove(&(from, to));
        } else {
            self.faults.insert((from, to), fault);
        }
    }

    /// What is wrong with one direction of a link.
    pub fn fault(&self, from: NodeId, to: NodeId) -> Fault {
        self.faults.get(&(from, to)).copied().unwrap_or_default()
    }

    /// All links that something is wrong with, in order.
    pub fn faults(&self) -> impl Iterator<Item = (NodeId, NodeId, Fault)> {
        self.faults.iter().map(|((from, to), fault)| (*from, *to, *fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::node(1);
    const B: NodeId = NodeId::node(2);

    fn rules(change: impl FnOnce(&mut Fault)) -> Rules {
        let mut rules = Rules::new(Span::millis(1), Span::millis(2));
        rules.change(A, B, change);
        rules
    }

    #[test]
    fn a_cut_is_one_way() {
        let rules = rules(|fault| fault.cut = true);
        let mut rng = Rng::new(1);
        assert_eq!(rules.judge(A, B, &mut rng), Verdict::Drop(Loss::Cut));
        assert!(matches!(rules.judge(B, A, &mut rng), Verdict::Deliver { .. }));
    }

    #[test]
    fn a_link_whose_faults_are_taken_back_is_as_new() {
        let mut rules = rules(|fault| fault.cut = true);
        rules.change(A, B, |fault| fault.cut = false);
        assert_eq!(rules.faults().count(), 0);
    }

    #[test]
    fn shares_are_kept() {
        let rules = rules(|fault| (fault.loss, fault.duplicate) = (50, 50));
        let mut rng = Rng::new(1);
        let verdicts: Vec<_> = (0..1_000).map(|_| rules.judge(A, B, &mut rng)).collect();
        let lost = verdicts.iter().filter(|v| matches!(v, Verdict::Drop(_))).count();
        let twice = verdicts.iter().filter(|v| matches!(v, Verdict::Twice { .. })).count();
        assert!((450..550).contains(&lost) && (200..300).contains(&twice), "{lost} {twice}");
    }
}
