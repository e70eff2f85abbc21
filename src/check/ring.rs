//! The ring: everybody goes by the same one, and nobody answers for what is not theirs.
//!
//! | rule | holds as long as |
//! |---|---|
//! | RING-1 | in one epoch every key has an owner, no two nodes serve the same key, and once it is settled every key is served |
//! | RING-2 | a node serves only what the ring of its epoch gives it |
//! | RING-3 | from one epoch to the next, keys move only from or to nodes that left, joined or changed their weight |
//! | RING-5 | an owner keeps its keys on as many distinct nodes as the ring wants, or on all that there are |
//! | RING-7 | a range is served only when its data has arrived, and not again after it was given up |
//! | RING-8 | all nodes have the same members and the same layout in one epoch |
//! | RING-9 | no node hands over more keys a second than it says it may |
//!
//! Data has arrived when, for every ring since the last settled one, the server has taken in what a
//! node has that was to keep the range in that ring, or was such a node itself, or when that node
//! was synced in a later ring and was to keep it there.
//!
//! An owner that is cut off may go on serving an old epoch: that is legal, since it cannot
//! acknowledge anything. Where a disk was lost, data may have arrived unseen, and that part of
//! RING-7 rests. A newcomer judges it, and whether every key is served, for rings that it saw
//! begin.

use super::{Check, Violation, Witness};
use crate::base::placement::{KeyRange, Member, Ring, Shape, Share};
use crate::base::{Bucket, NodeId};
use crate::event::{Event, Fact, HandoffFact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// How many epochs before the settled one are remembered.
const REMEMBERED: u64 = 16;

/// A fact that holds from an event on.
type Since<T> = (T, usize);

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Rings {
    views: BTreeMap<u64, Since<Ring>>,
    /// The epochs that were told to a newcomer, and not seen to begin.
    told: BTreeSet<u64>,
    /// What each node serves, by epoch.
    serves: BTreeMap<u64, BTreeMap<NodeId, Since<Vec<KeyRange>>>>,
    /// The last epoch that each node has given up.
    yielded: BTreeMap<NodeId, Since<u64>>,
    /// By epoch and receiver: whose data has arrived.
    took: BTreeSet<(u64, NodeId, NodeId)>,
    /// The same of data of which a part has arrived, and where nothing of it is missing.
    paged: BTreeMap<(u64, NodeId, NodeId), KeyRange>,
    /// What each node may hand over.
    buckets: BTreeMap<NodeId, Bucket>,
    synced: BTreeSet<(u64, NodeId)>,
    settled: u64,
    /// Whether a disk was lost.
    blank: bool,
}

type Wrong = (&'static str, String, Vec<usize>);

impl Rings {
    /// For any cluster.
    pub fn new() -> Rings {
        Rings::default()
    }

    fn view(&mut self, at: usize, node: NodeId, epoch: u64, ring: Ring) -> Option<Wrong> {
        if ring.is_empty() {
            let what = format!("nobody owns anything in the ring of epoch {epoch}");
            return Some(("RING-1", what, Vec::new()));
        }
        if let Some((known, index)) = self.views.get(&epoch) {
            let what = format!("{node} has another ring in epoch {epoch} than who had it first");
            return (*known != ring).then(|| ("RING-8", what, vec![*index]));
        }
        if epoch + REMEMBERED < self.settled {
            return None;
        }
        let before = self.views.get(&epoch.wrapping_sub(1));
        let wrong = before.and_then(|(old, index)| {
            let stray = needless(old, &ring)?;
            let what = format!("keys move {stray} in epoch {epoch}, and neither has changed");
            Some(("RING-3", what, vec![*index]))
        });
        self.views.insert(epoch, (ring, at));
        wrong
    }

    fn serve(
        &mut self,
        at: usize,
        node: NodeId,
        epoch: u64,
        (ranges, copies): (&[KeyRange], u8),
        witness: &Witness,
    ) -> Option<Wrong> {
        let given_up = self.yielded.get(&node).filter(|(last, _)| *last >= epoch);
        let again = given_up.map(|(last, index)| {
            let what = format!("{node} serves in epoch {epoch} after it has given up {last}");
            ("RING-7", what, vec![*index])
        });
        let wrong = again
            .or_else(|| self.overlap(node, epoch, ranges))
            .or_else(|| self.foreign(node, epoch, ranges))
            .or_else(|| self.few(node, epoch, (ranges, copies)))
            .or_else(|| self.too_early(node, epoch, ranges, witness));
        let all = self.serves.entry(epoch).or_default();
        all.insert(node, (ranges.to_vec(), at));
        wrong
    }

    fn overlap(&self, node: NodeId, epoch: u64, ranges: &[KeyRange]) -> Option<Wrong> {
        for (other, (theirs, index)) in self.serves.get(&epoch)? {
            if *other == node {
                continue;
            }
            for range in ranges {
                if let Some(common) = theirs.iter().find(|their| meet(**their, *range)) {
                    let what = format!("{node} and {other} both serve {common} in epoch {epoch}");
                    return Some(("RING-1", what, vec![*index]));
                }
            }
        }
        None
    }

    fn foreign(&self, node: NodeId, epoch: u64, ranges: &[KeyRange]) -> Option<Wrong> {
        let (ring, index) = self.views.get(&epoch)?;
        let ends = ranges.iter().flat_map(|range| positions(*range, [ring]));
        let stray = ends.into_iter().find(|at| ring.owner(*at) != Some(node))?;
        let what = format!(
            "{node} serves {stray:016x} in epoch {epoch}, which is {}'s",
            ring.owner(stray).map_or_else(|| "nobody".to_owned(), |owner| owner.to_string())
        );
        Some(("RING-2", what, vec![*index]))
    }

    fn few(&self, node: NodeId, epoch: u64, served: (&[KeyRange], u8)) -> Option<Wrong> {
        let (ring, index) = self.views.get(&epoch)?;
        let (ranges, copies) = served;
        let wanted = ring.preference(ranges.first()?.end).len();
        let what = format!("{node} has keys on {copies} nodes in epoch {epoch}, not on {wanted}");
        (usize::from(copies) < wanted).then(|| ("RING-5", what, vec![*index]))
    }

    /// Whether all that was said of an epoch was seen.
    fn shows_all(&self, epoch: u64, witness: &Witness) -> bool {
        let seen = |(_, at): &Since<Ring>| witness.saw(*at) && !self.told.contains(&epoch);
        witness.is_whole() || self.views.get(&epoch).is_some_and(seen)
    }

    fn too_early(
        &self,
        node: NodeId,
        epoch: u64,
        ranges: &[KeyRange],
        witness: &Witness,
    ) -> Option<Wrong> {
        if self.blank || self.settled >= epoch || witness.restates(node) {
            return None;
        }
        if !(self.settled + 1..=epoch).all(|of| self.shows_all(of, witness)) {
            return None;
        }
        let behind: Vec<(u64, &Ring)> =
            self.views.range(self.settled..epoch).map(|(of, (ring, _))| (*of, ring)).collect();
        let mine = self.took.range((epoch, node, NodeId::default())..);
        let mine = mine.take_while(|(of, to, _)| (*of, *to) == (epoch, node));
        let sources: Vec<NodeId> = mine.map(|(_, _, from)| *from).chain([node]).collect();
        for range in ranges {
            for at in positions(*range, behind.iter().map(|(_, ring)| *ring)) {
                let paged = self.paged.range((epoch, node, NodeId::default())..);
                let paged = paged.take_while(|((of, to, _), _)| (*of, *to) == (epoch, node));
                let here = paged.filter(|(_, range)| range.contains(at));
                let sources: Vec<NodeId> =
                    here.map(|((_, _, from), _)| *from).chain(sources.iter().copied()).collect();
                let missed = behind.iter().find(|(of, ring)| {
                    !sources.iter().any(|source| {
                        let last = if *source == node { epoch - 1 } else { epoch };
                        self.knows(*source, *of, ring, last, at)
                    })
                });
                if let Some((of, _)) = missed {
                    let what = format!(
                        "{node} serves {at:016x} in epoch {epoch} without the data of epoch {of}"
                    );
                    return Some(("RING-7", what, Vec::new()));
                }
            }
        }
        None
    }

    /// Whether a node has all that was written at a position in the ring of epoch `of`, if it has
    /// been synced in a later one, up to `last`.
    fn knows(&self, node: NodeId, of: u64, ring: &Ring, last: u64, at: u64) -> bool {
        let later = |(epoch, (ring, _)): (&u64, &Since<Ring>)| {
            self.synced.contains(&(*epoch, node)) && ring.preference(at).contains(&node)
        };
        ring.preference(at).contains(&node) || self.views.range(of..=last).any(later)
    }

    fn settle(&mut self, epoch: u64, witness: &Witness) -> Option<Wrong> {
        if epoch <= self.settled {
            return None;
        }
        let first = self.settled == 0;
        self.settled = epoch;
        let served = self.serves.get(&epoch);
        let all = served.into_iter().flat_map(BTreeMap::values);
        let (mut because, mut share) = (Vec::new(), Share::NONE);
        for (ranges, index) in all {
            because.push(*index);
            share += ranges.iter().map(|range| range.size()).sum();
        }
        let oldest = epoch.saturating_sub(REMEMBERED);
        self.views.retain(|of, _| *of >= oldest);
        self.serves.retain(|of, _| *of >= oldest);
        self.told.retain(|of| *of >= oldest);
        self.took.retain(|(of, _, _)| *of >= oldest);
        self.paged.retain(|(of, _, _), _| *of >= oldest);
        self.synced.retain(|(of, _)| *of >= oldest);
        // The first ring holds no data yet, or began before anybody looked.
        let silent =
            first || self.blank || self.serves.is_empty() || !self.shows_all(epoch, witness);
        let what = format!("epoch {epoch} is settled, and only {share} of the keys are served");
        (!silent && share != Share::WHOLE).then_some(("RING-1", what, because))
    }
}

/// A movement of keys that the change of members does not call for, in words.
fn needless(old: &Ring, new: &Ring) -> Option<String> {
    let same = |node: Option<NodeId>| {
        let of = |ring: &Ring| -> Option<Member> {
            ring.members().iter().find(|member| Some(member.node) == node).copied()
        };
        of(old) == of(new)
    };
    let stray = old.moved(new).into_iter().find(|it| same(it.from) && same(it.to))?;
    let name = |node: Option<NodeId>| node.map_or_else(|| "nobody".to_owned(), |n| n.to_string());
    Some(format!("from {} to {}", name(stray.from), name(stray.to)))
}

fn meet(a: KeyRange, b: KeyRange) -> bool {
    a.contains(b.end) || b.contains(a.end)
}

/// One position for each part of a range in which none of these rings has a border.
fn positions<'a>(range: KeyRange, rings: impl IntoIterator<Item = &'a Ring>) -> Vec<u64> {
    let points = rings.into_iter().flat_map(Ring::points).map(|(at, _)| at);
    points.filter(|at| range.contains(*at)).chain([range.end]).collect()
}

impl Check for Rings {
    fn name(&self) -> &'static str {
        "ring"
    }

    fn about(&self) -> &'static str {
        "Every key has one owner in each epoch, which has its data, and no more keys move than must."
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::View { .. } | Fact::Serves { .. }))
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let node = event.node;
        let fact = match &event.kind {
            Kind::Fact(fact) => fact,
            Kind::Started { boot, records, .. } => {
                // A second life with nothing on disk has lost what there was.
                self.blank |= *boot > 1 && *records == 0;
                self.buckets.remove(&node);
                return None;
            }
            _ => return None,
        };
        if let Fact::View { epoch, .. } = fact
            && witness.restates(node)
            && !self.views.contains_key(epoch)
        {
            self.told.insert(*epoch);
        }
        let (rule, what, because) = match fact {
            Fact::View { epoch, members, shape } => self.stated(at, node, *epoch, members, *shape),
            Fact::Serves { epoch, ranges, copies } => {
                self.serve(at, node, *epoch, (ranges, *copies), witness)
            }
            Fact::Yields { epoch } => {
                self.yielded.insert(node, (*epoch, at));
                None
            }
            Fact::Took { epoch, from, .. } => {
                self.took.insert((*epoch, node, *from));
                None
            }
            Fact::Handoff(fact) => self.hand(node, fact),
            Fact::Synced { epoch } => {
                self.synced.insert((*epoch, node));
                None
            }
            Fact::Settled { epoch } => self.settle(*epoch, witness),
            _ => None,
        }?;
        Some(Violation { check: "ring", rule, what, at, because })
    }
}

impl Rings {
    /// A page is handed over, or has arrived. How fast it goes is judged by the giver's own clock.
    fn hand(&mut self, node: NodeId, fact: &HandoffFact) -> Option<Wrong> {
        match *fact {
            HandoffFact::Takes { epoch, from, range, .. } => {
                let range = range.map(|range| ((epoch, node, from), range));
                self.paged.extend(range);
                None
            }
            HandoffFact::Hands { to, keys, rate, at, .. } => {
                let bucket = self.buckets.entry(node).or_insert_with(|| Bucket::new(rate, at));
                let over = bucket.left(at) < i64::from(keys);
                bucket.spend(keys);
                if over {
                    bucket.fill();
                }
                let what =
                    format!("{node} hands {keys} keys to {to}, too many for {rate} a second");
                over.then_some(("RING-9", what, Vec::new()))
            }
        }
    }

    fn stated(
        &mut self,
        at: usize,
        node: NodeId,
        epoch: u64,
        members: &[Member],
        shape: Shape,
    ) -> Option<Wrong> {
        let same = |(ring, _): &Since<Ring>| ring.members() == members && ring.shape() == shape;
        match self.views.get(&epoch) {
            Some(known) if same(known) => None,
            _ => self.view(at, node, epoch, Ring::new(members, shape)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use std::sync::Arc;

    fn n(number: u16) -> NodeId {
        NodeId::node(number)
    }

    fn ring(nodes: &[u16], seed: u64) -> Ring {
        let members: Vec<Member> =
            nodes.iter().map(|i| Member { node: n(*i), weight: 1 }).collect();
        Ring::new(&members, Shape { vnodes: 8, replicas: 2, seed })
    }

    fn view(node: u16, epoch: u64, ring: &Ring) -> (u16, Fact) {
        (node, Fact::View { epoch, members: ring.members().into(), shape: ring.shape() })
    }

    fn serves(node: u16, epoch: u64, ring: &Ring) -> (u16, Fact) {
        let copies = ring.preference(0).len() as u8;
        (node, Fact::Serves { epoch, ranges: ring.owned_by(n(node)).into(), copies })
    }

    /// The rules that a list of facts breaks, in order, in a run seen from its start.
    fn broken(facts: &[(u16, Fact)]) -> Vec<&'static str> {
        let mut check = Rings::new();
        let mut see = |at, node, kind| {
            let event = Event { at: Time::ZERO, node: n(node), kind };
            check.see(at, &event, &Witness::of_nobody()).map(|v| v.rule)
        };
        let facts = facts.iter().enumerate();
        facts
            .filter_map(|(at, (node, fact))| see(at + 1, *node, Kind::Fact(fact.clone())))
            .collect()
    }

    /// Three nodes in epoch 1, all serving.
    fn begun() -> (Ring, Vec<(u16, Fact)>) {
        let three = ring(&[1, 2, 3], 7);
        let mut facts = vec![view(1, 1, &three), (1, Fact::Settled { epoch: 1 })];
        facts.extend([1, 2, 3].map(|node| serves(node, 1, &three)));
        (three, facts)
    }

    #[test]
    fn a_change_with_a_hand_over_is_not_reported() {
        let (three, mut facts) = begun();
        let four = three.with(Member { node: n(4), weight: 1 });
        facts.extend([1, 2, 3, 4].map(|node| view(node, 2, &four)));
        facts.extend([1, 2, 3].map(|node| (node, Fact::Yields { epoch: 1 })));
        facts.extend([1, 2, 3].map(|from| (4, Fact::Took { epoch: 2, from: n(from), keys: 0 })));
        // A replica of the old ring may lack some of its new ranges, so they all pull.
        let pull = |to, from| (to, Fact::Took { epoch: 2, from: n(from), keys: 0 });
        facts.extend([pull(1, 2), pull(1, 3), pull(2, 1), pull(2, 3), pull(3, 1), pull(3, 2)]);
        facts.extend([1, 2, 3, 4].map(|node| serves(node, 2, &four)));
        facts.push((1, Fact::Settled { epoch: 2 }));
        assert_eq!(broken(&facts), [""; 0]);
    }

    #[test]
    fn fewer_nodes_than_copies_are_not_reported() {
        let one = ring(&[1], 7);
        assert_eq!(broken(&[view(1, 1, &one), serves(1, 1, &one)]), [""; 0]);
        let owns_nothing = Fact::Serves { epoch: 1, ranges: Arc::default(), copies: 0 };
        assert_eq!(broken(&[view(1, 1, &one), (2, owns_nothing)]), [""; 0]);
    }

    #[test]
    fn every_rule_is_caught() {
        let (three, facts) = begun();
        let after = |more: &[(u16, Fact)]| broken(&[&facts[..], more].concat());
        let whole = KeyRange { start: 0, end: 0 };
        let all = Fact::Serves { epoch: 1, ranges: [whole].into(), copies: 2 };
        assert_eq!(after(&[(3, all.clone())]), ["RING-1"]);
        assert_eq!(broken(&[view(1, 1, &three), (1, all)]), ["RING-2"]);
        let alone = Fact::Serves { epoch: 1, ranges: three.owned_by(n(1)).into(), copies: 1 };
        assert_eq!(after(&[(1, alone)]), ["RING-5"]);
        let other = ring(&[1, 2], 7);
        assert_eq!(after(&[view(2, 1, &other)]), ["RING-8"]);
        assert_eq!(after(&[view(2, 2, &ring(&[1, 2], 8))]), ["RING-3"]);
        let four = three.with(Member { node: n(4), weight: 1 });
        assert_eq!(after(&[view(4, 2, &four), serves(4, 2, &four)]), ["RING-7"]);
        let given_up = [(1, Fact::Yields { epoch: 1 }), serves(1, 1, &three)];
        assert_eq!(after(&given_up), ["RING-7"]);
        assert_eq!(after(&[view(1, 2, &other), (1, Fact::Settled { epoch: 2 })]), ["RING-1"]);
    }
}
