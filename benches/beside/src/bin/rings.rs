//! Consistent-hash rings beside each other, on the same work: 160 points a node, keys as text, one
//! thread. How long a lookup, building, and a change of members take; how many of the keys a change
//! moves beyond those that it must; and how far the fullest node is over the mean.
//!
//! Each is used as its documentation says, with the hash that it brings.

use conhash::{ConsistentHash, Node as ConhashNode};
use consistent_hash_ring::{Ring as OtherRing, RingBuilder};
use hash_ring::HashRing as OldRing;
use hashring::HashRing;
use netsplit::base::{Member, NodeId, Ring, Shape};
use std::hint::black_box;
use std::time::{Duration, Instant};

const POINTS: u16 = 160;
/// More keys than a branch predictor remembers.
const KEYS: usize = 100_000;
/// How long each figure is measured for.
const LONG: Duration = Duration::from_millis(400);

/// A ring of nodes n1 to some number.
trait Placement {
    fn build(nodes: u16) -> Self;
    fn owner(&self, key: &str) -> u16;
    fn add(&mut self, node: u16);
    fn remove(&mut self, node: u16);
}

impl Placement for Ring {
    fn build(nodes: u16) -> Ring {
        let member = |number| Member { node: NodeId::node(number), weight: 1 };
        let members: Vec<Member> = (1..=nodes).map(member).collect();
        Ring::new(&members, Shape { vnodes: POINTS, replicas: 3, seed: 7 })
    }

    fn owner(&self, key: &str) -> u16 {
        self.owner(self.position(key)).expect("there are nodes").number()
    }

    fn add(&mut self, node: u16) {
        *self = self.with(Member { node: NodeId::node(node), weight: 1 });
    }

    fn remove(&mut self, node: u16) {
        *self = self.without(NodeId::node(node));
    }
}

impl Placement for HashRing<(u16, u16)> {
    fn build(nodes: u16) -> Self {
        let mut ring = HashRing::new();
        let points = |node| (0..POINTS).map(move |point| (node, point));
        ring.batch_add((1..=nodes).flat_map(points).collect());
        ring
    }

    fn owner(&self, key: &str) -> u16 {
        self.get(&key).expect("there are nodes").0
    }

    fn add(&mut self, node: u16) {
        self.batch_add((0..POINTS).map(|point| (node, point)).collect());
    }

    fn remove(&mut self, node: u16) {
        (0..POINTS).for_each(|point| {
            HashRing::remove(self, &(node, point));
        });
    }
}

impl Placement for OtherRing<u16> {
    fn build(nodes: u16) -> Self {
        RingBuilder::default().vnodes(POINTS.into()).nodes_iter(1..=nodes).build()
    }

    fn owner(&self, key: &str) -> u16 {
        *self.get(key)
    }

    fn add(&mut self, node: u16) {
        self.insert(node);
    }

    fn remove(&mut self, node: u16) {
        OtherRing::remove(self, &node);
    }
}

#[derive(Clone)]
struct Named(u16);

impl ConhashNode for Named {
    fn name(&self) -> String {
        format!("n{}", self.0)
    }
}

impl Placement for ConsistentHash<Named> {
    fn build(nodes: u16) -> Self {
        let mut ring = ConsistentHash::new();
        (1..=nodes).for_each(|node| ring.add(&Named(node), POINTS.into()));
        ring
    }

    fn owner(&self, key: &str) -> u16 {
        self.get_str(key).expect("there are nodes").0
    }

    fn add(&mut self, node: u16) {
        ConsistentHash::add(self, &Named(node), POINTS.into());
    }

    fn remove(&mut self, node: u16) {
        ConsistentHash::remove(self, &Named(node));
    }
}

impl Placement for OldRing<u16> {
    fn build(nodes: u16) -> Self {
        OldRing::new((1..=nodes).collect(), (POINTS as i16).into())
    }

    fn owner(&self, key: &str) -> u16 {
        *self.get_node(key.to_owned()).expect("there are nodes")
    }

    fn add(&mut self, node: u16) {
        self.add_node(&node);
    }

    fn remove(&mut self, node: u16) {
        self.remove_node(&node);
    }
}

/// Microseconds for one turn, of as many as fit into some time.
fn time(mut turn: impl FnMut()) -> f64 {
    let (begin, mut turns) = (Instant::now(), 0);
    while turns == 0 || begin.elapsed() < LONG {
        turn();
        turns += 1;
    }
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(turns)
}

fn measure<P: Placement>(name: &str, nodes: u16, keys: &[String]) {
    let mut ring = P::build(nodes);
    let lookup = time(|| keys.iter().for_each(|key| _ = black_box(ring.owner(black_box(key)))));
    let build = time(|| _ = black_box(P::build(nodes)));
    let before: Vec<u16> = keys.iter().map(|key| ring.owner(key)).collect();
    let mut load = vec![0_u64; usize::from(nodes) + 2];
    before.iter().for_each(|node| load[usize::from(*node)] += 1);
    let fullest = *load.iter().max().expect("there are nodes") as f64;
    ring.remove(3);
    let after = keys.iter().map(|key| ring.owner(key));
    let moved: Vec<u16> =
        before.iter().zip(after).filter(|(a, b)| **a != *b).map(|p| *p.0).collect();
    let needless = moved.iter().filter(|node| **node != 3).count();
    ring.add(3);
    let change = time(|| {
        ring.remove(3);
        ring.add(3);
    });
    println!(
        "{name:22}{nodes:>6}{:>12.1}{:>12.3}{:>14.3}{:>9.2}{:>8.2}%{needless:>10}",
        lookup * 1e3 / keys.len() as f64,
        build / 1e3,
        change / 2e3,
        fullest * f64::from(nodes) / keys.len() as f64,
        moved.len() as f64 * 100.0 / keys.len() as f64,
    );
}

fn main() {
    println!(
        "{:22}{:>6}{:>12}{:>12}{:>14}{:>9}{:>9}{:>10}",
        "", "nodes", "lookup ns", "build ms", "change ms", "max/mean", "moved", "needless"
    );
    let keys: Vec<String> = (0..KEYS).map(|key| format!("user:{key}")).collect();
    for nodes in [10, 100, 1_000] {
        measure::<Ring>("netsplit", nodes, &keys);
        measure::<HashRing<(u16, u16)>>("hashring", nodes, &keys);
        measure::<OtherRing<u16>>("consistent_hash_ring", nodes, &keys);
        measure::<ConsistentHash<Named>>("conhash", nodes, &keys);
        measure::<OldRing<u16>>("hash_ring", nodes, &keys);
    }
}
