//! Fail-over of an instance with replicas: no answered write is lost, no two primaries write, and
//! nobody is made primary who was not reached.

use super::{Broken, broken};
use crate::base::{NodeId, Span, Spot, Time};
use crate::check::{Failovers, Witness};
use crate::event::{Event, Fact, FailoverFact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// How many tenths of a hold-down are left by a clock that runs fast.
const REST: u64 = 5;

/// What fail-over is judged by.
#[derive(Clone, Debug, Default)]
pub(super) struct Failover {
    /// How long another must wait; none if it need not.
    hold_down: Option<Span>,
    /// Who took over in each epoch, from where, and in which event.
    takes: BTreeMap<u32, (NodeId, Spot, usize)>,
    /// The last epoch that each node has gone by, and since when in this life and in which event;
    /// none if that was in an earlier one.
    since: BTreeMap<NodeId, (u32, Option<(Time, usize)>)>,
    /// The last write of each epoch that was answered, and in which event.
    served: BTreeMap<u32, (u64, usize)>,
    /// The writes of each epoch that were answered, to count what is lost.
    answered: BTreeMap<u32, Vec<u64>>,
    /// Who asked for which epoch, and in which event.
    asked: BTreeMap<(u32, NodeId), usize>,
    /// Who granted which epoch to whom.
    granted: BTreeSet<(u32, NodeId, NodeId)>,
}

/// How many answered writes of an epoch are remembered one by one, to be counted when lost.
const COUNTED: usize = 4096;

impl Failover {
    /// By such rules, if there is any.
    pub(super) fn new(rules: Option<&Failovers>) -> Failover {
        Failover { hold_down: rules.map(|rules| rules.hold_down), ..Failover::default() }
    }

    /// Events of these processes were missed.
    pub(super) fn forget(&mut self, hit: impl Fn(NodeId) -> bool) {
        self.since.retain(|who, _| !hit(*who));
    }

    pub(super) fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Broken> {
        let (node, again) = (event.node, witness.restates(event.node));
        match &event.kind {
            Kind::Killed { .. } => {
                if let Some((_, since)) = self.since.get_mut(&node) {
                    *since = None;
                }
                None
            }
            Kind::Fact(Fact::Primary { epoch, .. }) if *epoch > 0 && !again => {
                let known = self.since.get(&node).is_some_and(|(before, _)| before >= epoch);
                if !known {
                    self.since.insert(node, (*epoch, Some((event.at, at))));
                }
                None
            }
            Kind::Fact(Fact::Failover(fact)) => match *fact {
                FailoverFact::TakesOver { epoch, from } if !again => {
                    self.takes_over(at, node, epoch, from)
                }
                FailoverFact::Serves { spot } => self.serves(at, node, spot),
                FailoverFact::Asks { epoch, .. } => {
                    self.asked.insert((epoch, node), at);
                    None
                }
                FailoverFact::Grants { epoch, to } => {
                    self.granted.insert((epoch, to, node));
                    self.is_early(event, epoch)
                }
                FailoverFact::Promotes { epoch, primary } => {
                    self.is_unreached(node, epoch, primary, witness)
                }
                FailoverFact::Copies { .. } | FailoverFact::TakesOver { .. } => None,
            },
            _ => None,
        }
    }

    fn takes_over(&mut self, at: usize, node: NodeId, epoch: u32, from: Spot) -> Option<Broken> {
        // Who hears late that it was chosen may be late for its epoch: FO-1 judges what it does.
        let (who, _, then) = *self.takes.entry(epoch).or_insert((node, from, at));
        if who != node {
            let what = format!("{node} takes over in e{epoch}, as {who} did");
            return broken("FO-3", Some(then), what);
        }
        self.loses(node, epoch, from)
    }

    /// FO-2.
    fn loses(&self, node: NodeId, epoch: u32, from: Spot) -> Option<Broken> {
        let lost = |(epoch, all): (&u32, &Vec<u64>)| {
            all.iter().filter(|seq| Spot { epoch: *epoch, seq: **seq } > from).count()
        };
        let count: usize = self.answered.range(..epoch).map(lost).sum();
        let (before, (seq, then)) = self.served.range(..epoch).next_back()?;
        let last = Spot { epoch: *before, seq: *seq };
        let what = format!(
            "{node} takes over in e{epoch} without {count} answered writes, up to {} of e{before}",
            last.number()
        );
        if last > from { broken("FO-2", Some(*then), what) } else { None }
    }

    /// FO-6. Who asked unseen may have been granted what it asked for unseen.
    fn is_unreached(
        &self,
        node: NodeId,
        epoch: u32,
        primary: NodeId,
        witness: &Witness,
    ) -> Option<Broken> {
        let asked = *self.asked.get(&(epoch, node)).filter(|asked| witness.saw(**asked))?;
        let what = format!("{node} makes {primary} primary in e{epoch}, which it did not reach");
        let reached = self.granted.contains(&(epoch, node, primary));
        if reached { None } else { broken("FO-6", Some(asked), what) }
    }

    /// FO-5.
    fn is_early(&self, event: &Event, epoch: u32) -> Option<Broken> {
        let Span(hold) = self.hold_down?;
        let (before, Some((since, then))) = self.since.get(&event.node)? else { return None };
        let (passed, wanted) = (event.at.since(*since), Span(hold / 10 * REST));
        let what = format!("{} grants e{epoch} {passed} after it heard of e{before}", event.node);
        if passed < wanted { broken("FO-5", Some(*then), what) } else { None }
    }

    /// FO-1: a primary answers only what later ones have.
    fn serves(&mut self, at: usize, node: NodeId, spot: Spot) -> Option<Broken> {
        let Spot { epoch, seq } = spot;
        let last = self.served.entry(epoch).or_default();
        *last = (seq.max(last.0), at);
        let all = self.answered.entry(epoch).or_default();
        if all.len() < COUNTED {
            all.push(seq);
        }
        let (_, (who, from, then)) = self.takes.range(epoch + 1..).next()?;
        let number = spot.number();
        let what = format!("{node} answers write {number} of e{epoch}, which {who} does not have");
        if spot > *from { broken("FO-1", Some(*then), what) } else { None }
    }
}
