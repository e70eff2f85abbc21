//! What of a run was seen, and so what may be concluded from not having seen something.
//!
//! Who looks in late, or was too slow to see everything, knows less, but nothing wrong. What was
//! said stays said: two different entries in one slot contradict each other whatever was missed.
//! But that nobody promised, voted or asked can be concluded only from having seen everything that
//! they could have said it in. A rule of the second kind asks [`Witness::saw`] whether the event
//! that made it due is recent enough, and rests if it is not.

use super::Expect;
use crate::base::{NodeId, Time};
use crate::event::{Event, Fact, Kind, Presence};
use std::collections::BTreeSet;

/// What of a run was seen.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// All processes whose words count.
    all: Vec<NodeId>,
    /// Who was ever heard of.
    heard: BTreeSet<NodeId>,
    /// Who was not heard of, or not since events of it were missed.
    missing: BTreeSet<NodeId>,
    /// Who is saying how things stand.
    restating: BTreeSet<NodeId>,
    /// From this event on all was seen. None while somebody is missing.
    complete: Option<usize>,
    /// When it began to look, or missed something last; none if everything was seen.
    since: Option<Time>,
}

impl Witness {
    /// One that sees a run from its start.
    pub fn whole(expect: &Expect) -> Witness {
        let all = [expect.nodes.clone(), expect.clients.clone()].concat();
        Witness { all, ..Witness::of_nobody() }
    }

    /// One that sees a run from its start and expects nobody in particular.
    pub fn of_nobody() -> Witness {
        Witness { complete: Some(0), ..Witness::default() }
    }

    /// One that looks in later, and has heard of nobody yet.
    pub fn partial(expect: &Expect) -> Witness {
        let mut witness = Witness::whole(expect);
        witness.lose(NodeId::BENCH);
        witness
    }

    /// Whether it saw the run from its start, and all of it.
    pub fn is_whole(&self) -> bool {
        self.complete == Some(0)
    }

    /// Whether it saw everything that anybody said from event `at` on.
    pub fn saw(&self, at: usize) -> bool {
        self.complete.is_some_and(|complete| complete <= at)
    }

    /// Whether a process is just saying how things stand, so that what it says is not new.
    pub fn restates(&self, node: NodeId) -> bool {
        self.restating.contains(&node)
    }

    /// Whether a process was not heard of, or not since something of it was missed.
    pub fn misses(&self, node: NodeId) -> bool {
        self.missing.contains(&node)
    }

    /// When it began to look, or missed something last; none if it saw everything.
    pub fn since(&self) -> Option<Time> {
        self.since
    }

    /// Takes an event in. Says of whom something was missed before it, if anything was.
    pub(super) fn see(&mut self, at: usize, event: &Event) -> Option<NodeId> {
        let node = event.node;
        // Whoever sees a run from its start sees a first start first.
        let first = at == 0 && self.is_whole();
        let late = at == 0 && !(first && matches!(event.kind, Kind::Started { boot: 1, .. }));
        let missed = match &event.kind {
            _ if late => Some(NodeId::BENCH),
            Kind::Missed { .. } => Some(node),
            // It has been there for a while.
            Kind::Present { .. } if self.is_stranger(node) => Some(node),
            _ => None,
        };
        if let Some(whom) = missed {
            self.lose(whom);
            self.since = Some(event.at);
        }
        if let Kind::Started { .. } | Kind::Present { .. } = event.kind {
            self.heard.insert(node);
        }
        match &event.kind {
            Kind::Started { .. } | Kind::Present { state: Presence::Down, .. } => {
                self.find(at, node)
            }
            Kind::Fact(Fact::Restates) => drop(self.restating.insert(node)),
            Kind::Fact(Fact::Restated) => self.find(at, node),
            _ => {}
        }
        missed
    }

    fn is_stranger(&self, node: NodeId) -> bool {
        !self.heard.contains(&node) && !self.missing.contains(&node)
    }

    fn lose(&mut self, node: NodeId) {
        match node {
            NodeId::BENCH => {
                self.missing.extend(&self.all);
                self.restating.clear();
            }
            node => {
                self.missing.insert(node);
                self.restating.remove(&node);
            }
        }
        self.complete = None;
    }

    fn find(&mut self, at: usize, node: NodeId) {
        self.restating.remove(&node);
        self.missing.remove(&node);
        if self.missing.is_empty() {
            // What comes before its last word may be older than what it has just said.
            self.complete.get_or_insert(at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N1: NodeId = NodeId::node(1);
    const N2: NodeId = NodeId::node(2);

    /// Two nodes, and what they say, one event after the other.
    struct Lab {
        witness: Witness,
        at: usize,
    }

    fn expect() -> Expect {
        Expect::of(vec![N1, N2])
    }

    impl Lab {
        fn new(witness: Witness) -> Lab {
            Lab { witness, at: 0 }
        }

        fn see(&mut self, node: NodeId, kind: Kind) -> Option<NodeId> {
            self.at += 1;
            let at = Time(self.at as u64);
            self.witness.see(self.at - 1, &Event { at, node, kind })
        }

        fn restate(&mut self, node: NodeId) {
            self.see(node, Kind::Fact(Fact::Restates));
            assert!(self.witness.restates(node));
            self.see(node, Kind::Fact(Fact::Restated));
            assert!(!self.witness.restates(node));
        }
    }

    fn start(boot: u32) -> Kind {
        Kind::Started { boot, records: 0, torn: false }
    }

    fn present(state: Presence) -> Kind {
        Kind::Present { boot: 3, state, faults: [].into() }
    }

    #[test]
    fn who_sees_the_first_starts_sees_everything_until_something_is_missed() {
        let mut lab = Lab::new(Witness::whole(&expect()));
        assert_eq!(lab.see(N1, start(1)), None);
        assert_eq!(lab.see(N2, start(1)), None);
        assert_eq!(lab.see(N2, present(Presence::Up)), None, "for somebody else");
        lab.restate(N2);
        assert!(lab.witness.is_whole() && lab.witness.since().is_none());
        assert_eq!(lab.see(N2, Kind::Missed { count: 7 }), Some(N2));
        assert!(lab.witness.misses(N2) && !lab.witness.misses(N1));
        assert!(!lab.witness.saw(lab.at), "n2 may have said anything");
        lab.see(N2, present(Presence::Up));
        assert!(lab.witness.misses(N2), "its words may still be on their way");
        lab.restate(N2);
        assert!(lab.witness.saw(lab.at) && !lab.witness.saw(lab.at - 1));
        assert!(!lab.witness.is_whole() && lab.witness.since() == Some(Time(6)));
    }

    #[test]
    fn who_comes_late_has_to_hear_of_everybody_who_runs() {
        for whole in [true, false] {
            let witness = match whole {
                true => Witness::whole(&expect()),
                false => Witness::partial(&expect()),
            };
            let mut lab = Lab::new(witness);
            let missed = lab.see(N1, present(Presence::Up));
            assert_eq!(missed, Some(NodeId::BENCH), "nobody is there before it has started");
            lab.restate(N1);
            assert!(!lab.witness.saw(lab.at));
            assert_eq!(lab.see(N2, present(Presence::Down)), None);
            assert!(lab.witness.saw(lab.at), "who is down has nothing to say");
            assert_eq!(lab.see(NodeId::BENCH, Kind::Missed { count: 0 }), Some(NodeId::BENCH));
            assert!(lab.witness.misses(N1) && lab.witness.misses(N2));
            lab.see(N1, start(4));
            lab.see(N2, start(4));
            assert!(lab.witness.saw(lab.at), "who starts says all that it has");
        }
    }

    #[test]
    fn a_process_whose_start_was_not_seen_makes_a_run_partial() {
        let mut lab = Lab::new(Witness::whole(&expect()));
        assert_eq!(lab.see(N1, start(1)), None);
        assert_eq!(lab.see(N2, present(Presence::Up)), Some(N2));
        lab.restate(N2);
        assert!(!lab.witness.is_whole() && lab.witness.saw(lab.at));
    }
}
