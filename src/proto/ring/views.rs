//! The ring's part of the replicated state machine: which rings there were, in one order for all.
//!
//! Every change of the members makes a new ring with the next epoch. Rings since the last *settled*
//! one are remembered: data may still be on its way from any of them. A ring is settled when each
//! of its members has said, through the log, that it holds all of its ranges.

use crate::base::placement::{Member, Ring, Shape};
use crate::base::{Mutation, Mutations, NodeId, Op, Outcome, Refusal, Slot};
use crate::event::Fact;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// More rings than there will ever be: versions of keys have 32 bits for the epoch.
const EPOCHS: u64 = 1 << 32;

/// The most points of all rings of one state that another machine sends.
const POINTS: u64 = 2 * Ring::MAX_POINTS;

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// Counts rings from 1.
    pub epoch: u64,
    /// Who is in it, by node.
    pub members: Arc<[Member]>,
    /// How it is laid out.
    pub shape: Shape,
}

/// All rings since the last settled one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Views {
    /// Never empty. The first is the last one that is settled, the last is the current one.
    #[serde(deserialize_with = "sound")]
    views: Vec<View>,
    /// Who holds all of its ranges, for each epoch that is not settled.
    synced: BTreeMap<u64, BTreeSet<NodeId>>,
    /// Whom the cluster itself took out: only they may come back without a person's `join`.
    evicted: BTreeSet<NodeId>,
    /// The seed of the hash, for the mutation that spoils it.
    seed: u64,
    reshuffle: bool,
}

impl Views {
    /// The first ring. It is settled, since there is no data yet.
    pub fn new(members: &[Member], shape: Shape, mutations: Mutations) -> Views {
        let reshuffle = mutations.has(Mutation::RingReshuffle);
        let mut members = members.to_vec();
        members.sort_unstable();
        let first = View { epoch: 1, members: members.into(), shape };
        Views {
            views: vec![first],
            synced: BTreeMap::new(),
            evicted: BTreeSet::new(),
            seed: shape.seed,
            reshuffle,
        }
    }

    /// The ring that counts.
    pub fn current(&self) -> &View {
        self.views.last().expect("the list starts with one ring and never loses its last")
    }

    /// Takes in one operation of the log. Others than the ring's are refused.
    ///
    /// `Join` and `Leave` are a person's word and always count. `Evict` and `Admit` are the
    /// cluster's, and count only in the ring for which they were decided.
    pub fn apply(&mut self, op: &Op, mutations: Mutations, facts: &mut Vec<Fact>) -> Outcome {
        let epoch = self.current().epoch;
        match *op {
            // No person can have written that.
            Op::Join { weight, .. } if weight > Member::MAX_WEIGHT => {
                Outcome::Refused(Refusal::NoService)
            }
            Op::Join { node, weight } => {
                self.evicted.remove(&node);
                self.join(node, weight, facts)
            }
            Op::Leave { node } => {
                let outcome = self.leave(node, mutations, facts);
                if outcome == Outcome::Done {
                    self.evicted.remove(&node);
                }
                outcome
            }
            Op::Evict { node, epoch: of } if of == epoch => {
                let outcome = self.leave(node, mutations, facts);
                if self.current().epoch > epoch {
                    self.evicted.insert(node);
                }
                outcome
            }
            Op::Admit { node, weight, epoch: of } if of == epoch && self.evicted.remove(&node) => {
                self.join(node, weight, facts)
            }
            Op::Synced { node, epoch } => self.note_synced(node, epoch, facts),
            // Too late, or not wanted: applied without effect.
            Op::Evict { .. } | Op::Admit { .. } => Outcome::Done,
            _ => Outcome::Refused(Refusal::NoService),
        }
    }

    /// Says all that a newcomer must know: every ring since the last settled one, in order.
    pub fn restate(&self, _: Slot, facts: &mut Vec<Fact>) {
        for (i, view) in self.views.iter().enumerate() {
            facts.push(fact_of(view));
            if i == 0 {
                facts.push(Fact::Settled { epoch: view.epoch });
            }
        }
    }

    fn join(&mut self, node: NodeId, weight: u16, facts: &mut Vec<Fact>) -> Outcome {
        let old = &self.current().members;
        if !old.contains(&Member { node, weight }) {
            let others = old.iter().filter(|member| member.node != node).copied();
            self.change(others.chain([Member { node, weight }]).collect(), facts);
        }
        Outcome::Done
    }

    fn leave(&mut self, node: NodeId, mutations: Mutations, facts: &mut Vec<Fact>) -> Outcome {
        let old = &self.current().members;
        let rest: Vec<Member> = old.iter().filter(|m| m.node != node).copied().collect();
        let nobody = !rest.iter().any(|member| member.weight > 0);
        if nobody && !mutations.has(Mutation::RingLeaveLast) {
            // Somebody must be left to hold the data.
            return Outcome::Refused(Refusal::Unavailable);
        }
        if rest.len() < old.len() {
            self.change(rest, facts);
        }
        Outcome::Done
    }

    fn change(&mut self, mut members: Vec<Member>, facts: &mut Vec<Fact>) {
        members.sort_unstable();
        let mut shape = self.current().shape;
        if self.reshuffle {
            let mix = |seed: u64, m: &Member| seed.rotate_left(7) ^ u64::from(m.node.number());
            shape.seed = members.iter().fold(self.seed, mix);
        }
        let view = View { epoch: self.current().epoch + 1, members: members.into(), shape };
        facts.push(fact_of(&view));
        self.views.push(view);
    }

    fn note_synced(&mut self, node: NodeId, epoch: u64, facts: &mut Vec<Fact>) -> Outcome {
        let Some(at) = self.views.iter().position(|view| view.epoch == epoch) else {
            return Outcome::Done;
        };
        if at == 0 {
            return Outcome::Done;
        }
        let synced = self.synced.entry(epoch).or_default();
        synced.insert(node);
        if self.views[at].members.iter().all(|member| synced.contains(&member.node)) {
            self.views.drain(..at);
            self.synced.retain(|of, _| *of > epoch);
            facts.push(Fact::Settled { epoch });
        }
        Outcome::Done
    }
}

/// Reads rings that may come from anywhere: at least one, in order, and no more of them than fit
/// into memory once they are laid out.
fn sound<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<View>, D::Error> {
    let views = Vec::<View>::deserialize(from)?;
    let points = |view: &View| Ring::points_wanted(&view.members, view.shape).min(Ring::MAX_POINTS);
    let heavy = |member: &Member| member.weight > Member::MAX_WEIGHT;
    let immoderate =
        |view: &View| view.shape.vnodes > Shape::MAX_VNODES || view.members.iter().any(heavy);
    let why = if views.is_empty() {
        "there is no ring"
    } else if !views.is_sorted_by(|a, b| a.epoch < b.epoch) {
        "rings are out of order"
    } else if views.iter().any(|view| view.epoch >= EPOCHS) {
        "a ring has an epoch that is none"
    } else if views.iter().any(immoderate) {
        "a ring has a weight or a number of points that none has"
    } else if views.iter().map(points).sum::<u64>() > POINTS {
        "the rings have too many points"
    } else {
        return Ok(views);
    };
    Err(D::Error::custom(why))
}

fn fact_of(view: &View) -> Fact {
    Fact::View { epoch: view.epoch, members: view.members.clone(), shape: view.shape }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: u16) -> NodeId {
        NodeId::node(number)
    }

    fn views(nodes: u16, mutations: Mutations) -> Views {
        let members: Vec<Member> = (1..=nodes).map(|i| Member { node: n(i), weight: 1 }).collect();
        Views::new(&members, Shape { vnodes: 8, replicas: 3, seed: 7 }, mutations)
    }

    fn apply(views: &mut Views, op: Op) -> (Outcome, Vec<String>) {
        let mut facts = Vec::new();
        let outcome = views.apply(&op, Mutations::NONE, &mut facts);
        (outcome, facts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn rings_from_elsewhere_are_looked_at() {
        let good = views(3, Mutations::NONE);
        let again = |change: &dyn Fn(&mut Vec<View>)| {
            let mut views = good.clone();
            change(&mut views.views);
            let bytes = postcard::to_stdvec(&views).unwrap();
            postcard::from_bytes::<Views>(&bytes).is_ok_and(|read| read == views)
        };
        let heavy = |weight| [Member { node: n(1), weight }].into();
        assert!(again(&|_| {}));
        assert!(!again(&|views| views.clear()));
        assert!(!again(&|views| views.push(views[0].clone())), "not in order");
        assert!(!again(&|views| views[0].epoch = EPOCHS));
        assert!(!again(&|views| views[0].shape.vnodes = u16::MAX));
        assert!(!again(&|views| views[0].members = heavy(Member::MAX_WEIGHT + 1)));
        assert!(!again(&|views| {
            views[0].shape.vnodes = Shape::MAX_VNODES;
            let many = (1..5_000).map(|i| Member { node: n(i), weight: 100 });
            views[0].members = many.collect();
            views.push(View { epoch: 2, ..views[0].clone() });
            views.push(View { epoch: 3, ..views[0].clone() });
        }));
    }

    #[test]
    fn nobody_joins_with_a_weight_that_no_person_could_ask_for() {
        let mut views = views(2, Mutations::NONE);
        let (outcome, facts) = apply(&mut views, Op::Join { node: n(3), weight: 101 });
        assert_eq!((outcome, facts.len()), (Outcome::Refused(Refusal::NoService), 0));
    }

    fn epochs(views: &Views) -> Vec<u64> {
        views.views.iter().map(|view| view.epoch).collect()
    }

    #[test]
    fn a_ring_is_settled_when_all_of_its_members_are_synced() {
        let mut views = views(3, Mutations::NONE);
        apply(&mut views, Op::Leave { node: n(3) });
        apply(&mut views, Op::Synced { node: n(1), epoch: 2 });
        apply(&mut views, Op::Synced { node: n(3), epoch: 2 });
        assert_eq!(epochs(&views), [1, 2], "n2 still misses data");
        let (_, facts) = apply(&mut views, Op::Synced { node: n(2), epoch: 2 });
        assert_eq!(facts, [Fact::Settled { epoch: 2 }.to_string()]);
        assert_eq!(epochs(&views), [2]);
        let mut restated = Vec::new();
        views.restate(9, &mut restated);
        assert!(matches!(restated[..], [Fact::View { epoch: 2, .. }, Fact::Settled { epoch: 2 }]));
    }

    #[test]
    fn an_older_ring_may_settle_after_a_newer_one_came() {
        let mut views = views(3, Mutations::NONE);
        apply(&mut views, Op::Leave { node: n(3) });
        apply(&mut views, Op::Join { node: n(3), weight: 2 });
        for node in [n(1), n(2)] {
            apply(&mut views, Op::Synced { node, epoch: 2 });
        }
        assert_eq!(epochs(&views), [2, 3]);
    }

    #[test]
    fn decisions_of_the_cluster_count_only_in_their_ring() {
        let mut views = views(3, Mutations::NONE);
        apply(&mut views, Op::Evict { node: n(3), epoch: 1 });
        apply(&mut views, Op::Evict { node: n(2), epoch: 1 });
        assert_eq!(views.current().members.len(), 2);
        apply(&mut views, Op::Admit { node: n(3), weight: 1, epoch: 2 });
        assert_eq!(views.current().members.len(), 3);
    }

    #[test]
    fn who_was_made_to_leave_stays_away_until_a_person_calls() {
        let mut views = views(3, Mutations::NONE);
        apply(&mut views, Op::Leave { node: n(3) });
        apply(&mut views, Op::Admit { node: n(3), weight: 1, epoch: 2 });
        assert_eq!(views.current().epoch, 2);
        apply(&mut views, Op::Join { node: n(3), weight: 1 });
        assert_eq!(views.current().epoch, 3);
        apply(&mut views, Op::Evict { node: n(3), epoch: 3 });
        apply(&mut views, Op::Admit { node: n(3), weight: 1, epoch: 4 });
        assert_eq!(views.current().epoch, 5);
    }

    #[test]
    fn somebody_must_stay_and_nothing_changes_twice() {
        let mut views = views(2, Mutations::NONE);
        apply(&mut views, Op::Join { node: n(2), weight: 1 });
        assert_eq!(views.current().epoch, 1);
        apply(&mut views, Op::Leave { node: n(2) });
        apply(&mut views, Op::Leave { node: n(2) });
        let (outcome, _) = apply(&mut views, Op::Leave { node: n(1) });
        assert_eq!((outcome, views.current().epoch), (Outcome::Refused(Refusal::Unavailable), 2));
    }

    #[test]
    fn a_shuffled_ring_gets_another_seed_by_its_members() {
        for (mutations, same) in
            [(Mutations::NONE, true), (Mutations::NONE.with(Mutation::RingReshuffle), false)]
        {
            let mut views = views(3, mutations);
            let before = views.current().shape;
            apply(&mut views, Op::Leave { node: n(3) });
            assert_eq!(views.current().shape == before, same);
        }
    }
}
