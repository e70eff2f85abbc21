//! SWIM: incarnations and rumours, and whom nobody may suspect or bury.
//!
//! | rule | holds as long as |
//! |---|---|
//! | SWIM-1 | nobody speaks of an incarnation that its member has not said, and each that a member says is above the one before |
//! | SWIM-2 | what a node believes of another only grows: by incarnation, then alive, suspect, dead |
//! | SWIM-3 | whom somebody suspects, somebody could not reach; and nobody is found dead that was not suspected for long enough |
//! | SWIM-5 | nobody is missed because of one bad link, while others could reach it |
//!
//! Das, Gupta and Motivala (2002), sections 3 and 4. A fact waits for what its node wrote before,
//! and clocks may run up to half too fast, so SWIM-3 asks for a third of the time that a suspicion
//! lasts.

use super::faults::Faults;
use super::{Check, Expect, Violation, Witness};
use crate::base::{Incarnation, NodeId, Span, Time};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a cluster on SWIM keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long at the least a member is suspected before it is found dead.
    pub suspicion: Span,
    /// How long a probe lasts at the most. None if helpers cannot answer in time, or there are
    /// none.
    pub probe: Option<Span>,
}

/// What a node believes of another, in the order in which beliefs outweigh each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Alive,
    Suspect,
    Dead,
}

/// A belief: what, by which event, and since when.
#[derive(Clone, Copy, Debug)]
struct Belief {
    incarnation: Incarnation,
    state: State,
    at: usize,
    since: Time,
}

type Beliefs = Arc<BTreeMap<NodeId, Belief>>;

/// Something that was said of a member in this incarnation.
type Said = BTreeSet<(NodeId, Incarnation)>;

/// The check.
#[derive(Clone, Debug)]
pub struct Swim {
    bounds: Option<Bounds>,
    /// The last incarnation that each member said is its own, and in which event.
    own: BTreeMap<NodeId, (Incarnation, usize)>,
    /// What each node believes.
    beliefs: BTreeMap<NodeId, Beliefs>,
    /// Whom somebody could not reach, and who was found dead. Rumours of an incarnation may be
    /// heard long after the next one has begun, so nothing is forgotten: an entry for each
    /// accusation.
    missed: Said,
    buried: Said,
    faults: Faults,
    /// The only bad link, and since when it is the only thing that is wrong.
    bad: Option<(NodeId, NodeId)>,
    since: Time,
}

/// What is wrong: the rule, the sentence, and an earlier event that it contradicts.
type Found = (&'static str, String, Option<usize>);

impl Swim {
    /// For such a cluster.
    pub fn new(expect: &Expect) -> Swim {
        let all = [expect.nodes.clone(), expect.clients.clone()].concat();
        Swim {
            bounds: expect.swim,
            own: BTreeMap::new(),
            beliefs: BTreeMap::new(),
            missed: Said::new(),
            buried: Said::new(),
            faults: Faults::among(all),
            bad: None,
            since: Time::ZERO,
        }
    }

    /// A member says what its own incarnation is.
    fn says(
        &mut self,
        at: usize,
        event: &Event,
        incarnation: Incarnation,
        new: bool,
    ) -> Option<Found> {
        let node = event.node;
        let before = self.own.get(&node).copied();
        // Said again to a newcomer, it is as old as before.
        if before.is_none_or(|(old, _)| old != incarnation) {
            self.own.insert(node, (incarnation, at));
        }
        let (before, was) = before.filter(|(before, _)| new && *before >= incarnation)?;
        let what = format!("{node} goes by incarnation {incarnation} again, after {before}");
        Some(("SWIM-1", what, Some(was)))
    }

    /// A node says what it believes of another.
    fn believes(
        &mut self,
        at: usize,
        event: &Event,
        who: NodeId,
        incarnation: Incarnation,
        state: State,
    ) -> Option<Found> {
        let node = event.node;
        let belief = Belief { incarnation, state, at, since: event.at };
        let beliefs = Arc::make_mut(self.beliefs.entry(node).or_default());
        let before = beliefs.insert(who, belief);
        if let Some(same) =
            before.filter(|old| (old.incarnation, old.state) == (incarnation, state))
        {
            beliefs.insert(who, same);
        }
        match (before, self.own.get(&who)) {
            (Some(old), _) if (old.incarnation, old.state) > (incarnation, state) => {
                let what = format!("{node} takes back what it believes of {who}");
                Some(("SWIM-2", what, Some(old.at)))
            }
            (_, Some((own, said))) if incarnation > *own => {
                let what = format!("{node} speaks of {who} in {incarnation}, which goes by {own}");
                Some(("SWIM-1", what, Some(*said)))
            }
            _ => None,
        }
    }

    /// SWIM-3: whether a node may believe that another is suspect or dead. `before` is what it
    /// believed of it until now.
    fn hasty(&mut self, event: &Event, fact: &Fact, before: Option<Belief>) -> Option<Found> {
        let node = event.node;
        match *fact {
            Fact::Suspects { who, incarnation } => {
                let known = self.missed.contains(&(who, incarnation));
                let what = format!("{node} suspects {who}, whom nobody has missed");
                (!known).then_some(("SWIM-3", what, None))
            }
            // Its own finding may be one of an earlier life, which it hears of again.
            Fact::Dead { who, incarnation, by } if by == node => {
                let new = self.buried.insert((who, incarnation));
                self.early(event, who, incarnation, before).filter(|_| new)
            }
            Fact::Dead { who, incarnation, by } => {
                let known = self.buried.contains(&(who, incarnation));
                let what = format!("{node} has {who} dead by {by}, who has not found that");
                (!known).then_some(("SWIM-3", what, None))
            }
            _ => None,
        }
    }

    /// A node finds another dead.
    fn early(
        &self,
        event: &Event,
        who: NodeId,
        incarnation: Incarnation,
        before: Option<Belief>,
    ) -> Option<Found> {
        let Span(least) = self.bounds?.suspicion;
        let suspect = (incarnation, State::Suspect);
        let before = before.filter(|old| (old.incarnation, old.state) == suspect);
        let waited = before.map_or(Span::ZERO, |old| event.at.since(old.since));
        let what = format!("{} finds {who} dead after suspecting it for {waited}", event.node);
        (waited < Span(least / 3)).then_some(("SWIM-3", what, before.map(|old| old.at)))
    }

    /// SWIM-5: `node` has missed `who`.
    fn misses(&self, event: &Event, who: NodeId) -> Option<Found> {
        let longest = self.bounds?.probe?;
        let pair = (event.node.min(who), event.node.max(who));
        // A probe that began before, and the messages that were under way.
        let settled = event.at > self.since + longest.times(2);
        let what = format!(
            "{} misses {who}, though only the link between them is bad and others reach it",
            event.node
        );
        (self.bad == Some(pair) && settled).then_some(("SWIM-5", what, None))
    }

    /// Keeps account of what is wrong.
    fn watch(&mut self, event: &Event) {
        self.faults.see(event);
        let counts = matches!(
            event.kind,
            Kind::Commanded(_)
                | Kind::Started { .. }
                | Kind::Killed { .. }
                | Kind::Panicked { .. }
                | Kind::Failed { .. }
                | Kind::Paused
                | Kind::Resumed
                | Kind::Present { .. }
                | Kind::Missed { .. }
        );
        if counts {
            let bad = self.only_bad_link();
            if bad.is_none() || bad != self.bad {
                (self.bad, self.since) = (bad, event.at);
            }
        }
    }

    /// The one link that is bad, if nothing else is.
    fn only_bad_link(&self) -> Option<(NodeId, NodeId)> {
        let Faults { down, frozen, links, disks, clocks, .. } = &self.faults;
        if [down, frozen, disks, clocks].iter().any(|set| !set.is_empty()) {
            return None;
        }
        let mut pairs = links.keys().map(|(a, b)| (*a.min(b), *a.max(b)));
        let first = pairs.next()?;
        pairs.all(|pair| pair == first).then_some(first)
    }
}

impl Check for Swim {
    fn name(&self) -> &'static str {
        "swim"
    }

    fn about(&self) -> &'static str {
        "Only a member raises its incarnation, and nobody is found dead that could have answered."
    }

    fn judges(&self, event: &Event) -> bool {
        let Some(fact) = event.fact() else { return false };
        self.bounds.is_some() && matches!(fact, Fact::Misses { .. } | Fact::Dead { .. })
    }

    fn gap(&mut self, node: NodeId) {
        // Who was missed or found dead meanwhile is not known.
        match node {
            NodeId::BENCH => {
                self.own.clear();
                self.beliefs.clear();
            }
            node => {
                self.own.remove(&node);
                self.beliefs.remove(&node);
            }
        }
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        self.bounds?;
        self.watch(event);
        if let Kind::Started { .. } = event.kind {
            self.beliefs.remove(&event.node);
        }
        let fact = event.fact()?;
        let new = !witness.restates(event.node);
        let found = match *fact {
            Fact::Incarnation { incarnation, .. } => self.says(at, event, incarnation, new),
            Fact::Misses { who, incarnation } => {
                self.missed.insert((who, incarnation));
                self.misses(event, who)
            }
            Fact::Trusts { who, incarnation } => {
                self.believes(at, event, who, incarnation, State::Alive)
            }
            Fact::Suspects { who, incarnation } | Fact::Dead { who, incarnation, .. } => {
                let state = match fact {
                    Fact::Dead { .. } => State::Dead,
                    _ => State::Suspect,
                };
                let beliefs = self.beliefs.get(&event.node);
                let before = beliefs.and_then(|beliefs| beliefs.get(&who)).copied();
                let believes = self.believes(at, event, who, incarnation, state);
                // All that was said of this incarnation was seen.
                let now = self.own.get(&who).filter(|(own, _)| *own == incarnation);
                let saw = witness.is_whole() || now.is_some_and(|(_, at)| witness.saw(*at));
                let hasty = self.hasty(event, fact, before).filter(|_| new && saw);
                believes.or(hasty)
            }
            _ => None,
        };
        let (rule, what, because) = found?;
        let because = because.into_iter().collect();
        Some(Violation { check: "swim", rule, what, at, because })
    }
}
