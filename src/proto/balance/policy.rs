//! How one of several backends is chosen.
//!
//! What is *stateful* (whose turn it is) is kept for first tries only: a retry takes any of those
//! who are left, or it would take somebody else's turn.

use crate::base::balance::Policy;
use crate::base::placement::{BOUND, Member, Ring, Shape};
use crate::base::{Mutation, Mutations, Name, NodeId, Rng};
use std::collections::BTreeMap;

/// The ring of the policy `hash`.
const SHAPE: Shape = Shape { vnodes: 64, replicas: 1, seed: 7 };

/// A backend that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub node: NodeId,
    /// How much it is to get, relative to others; more than zero.
    pub weight: u16,
    /// How many requests it has, as far as is known.
    pub load: u32,
}

impl Candidate {
    /// Whether it has less to do for its weight than another.
    fn is_freer_than(&self, other: &Candidate) -> bool {
        u64::from(self.load) * u64::from(other.weight)
            < u64::from(other.load) * u64::from(self.weight)
    }
}

/// A policy, and whose turn it is.
#[derive(Clone, Debug)]
pub struct Picker {
    policy: Policy,
    mutations: Mutations,
    /// Who was picked last, of round robin.
    last: Option<NodeId>,
    /// How far each is behind its part, of smooth weighted round robin.
    claims: BTreeMap<NodeId, i64>,
    /// How many in a row the last one has had, of bursts.
    burst: u16,
    ring: Option<Ring>,
}

impl Picker {
    /// Begins round robin anywhere: balancers that start together must not move together.
    pub fn new(policy: Policy, backends: &[Member], mutations: Mutations, rng: &mut Rng) -> Picker {
        let first = rng.pick(backends).map(|member| member.node);
        let last = first.filter(|_| !mutations.has(Mutation::BalanceStartAtZero));
        let ring = (policy == Policy::Hash).then(|| Ring::new(backends, SHAPE));
        Picker { policy, mutations, last, claims: BTreeMap::new(), burst: 0, ring }
    }

    /// Chooses for a first try. `pool` is in order of nodes; nobody, if it is empty.
    pub fn first(&mut self, pool: &[Candidate], key: &Name, rng: &mut Rng) -> Option<NodeId> {
        match self.policy {
            Policy::RoundRobin => self.next(pool),
            Policy::Weighted if self.mutations.has(Mutation::BalanceBursts) => self.in_bursts(pool),
            Policy::Weighted => self.furthest_behind(pool),
            _ => self.again(pool, key, rng),
        }
    }

    /// Begins anew to count who is behind its weight: somebody came or went.
    pub fn begin_anew(&mut self) {
        self.claims.clear();
    }

    /// Chooses for a retry.
    pub fn again(&self, pool: &[Candidate], key: &Name, rng: &mut Rng) -> Option<NodeId> {
        let chosen = match self.policy {
            Policy::RoundRobin | Policy::Random => rng.pick(pool).copied(),
            Policy::Weighted | Policy::WeightedRandom => by_weight(pool, rng),
            Policy::LeastConnections => self.least(pool, rng),
            Policy::TwoChoices => two_choices(pool, rng),
            Policy::Hash => return self.on_the_ring(pool, key),
        };
        chosen.map(|candidate| candidate.node)
    }

    fn next(&mut self, pool: &[Candidate]) -> Option<NodeId> {
        let after = pool.iter().find(|c| self.last.is_none_or(|last| c.node > last));
        self.last = after.or(pool.first()).map(|candidate| candidate.node);
        self.last
    }

    /// Everybody's claim grows by its weight; whose is largest gets the request and pays for it
    /// with the sum of weights.
    fn furthest_behind(&mut self, pool: &[Candidate]) -> Option<NodeId> {
        if !self.claims.keys().eq(pool.iter().map(|candidate| &candidate.node)) {
            self.claims = pool.iter().map(|candidate| (candidate.node, 0)).collect();
        }
        let mut total = 0;
        for candidate in pool {
            total += i64::from(candidate.weight);
            *self.claims.entry(candidate.node).or_default() += i64::from(candidate.weight);
        }
        let largest =
            self.claims.iter().max_by_key(|(node, claim)| (**claim, std::cmp::Reverse(**node)));
        let node = *largest?.0;
        *self.claims.entry(node).or_default() -= total;
        Some(node)
    }

    /// As many in a row as its weight says, then the next.
    fn in_bursts(&mut self, pool: &[Candidate]) -> Option<NodeId> {
        let on = pool.iter().find(|c| Some(c.node) == self.last && self.burst < c.weight);
        if let Some(on) = on {
            self.burst += 1;
            return Some(on.node);
        }
        self.burst = 1;
        self.next(pool)
    }

    /// One of those that have the least for their weight, by chance.
    fn least(&self, pool: &[Candidate], rng: &mut Rng) -> Option<Candidate> {
        let alike = self.mutations.has(Mutation::BalanceNoWeights);
        let seen = |candidate: &Candidate| match alike {
            true => Candidate { weight: 1, ..*candidate },
            false => *candidate,
        };
        let all: Vec<Candidate> = pool.iter().map(seen).collect();
        let least = all.iter().reduce(|a, b| if b.is_freer_than(a) { b } else { a })?;
        let ties: Vec<Candidate> =
            all.iter().filter(|candidate| !least.is_freer_than(candidate)).copied().collect();
        rng.pick(&ties).copied()
    }

    /// The first behind the key that has room for one more.
    fn on_the_ring(&self, pool: &[Candidate], key: &Name) -> Option<NodeId> {
        let ring = self.ring.as_ref()?;
        let bounded = !self.mutations.has(Mutation::BalanceUnbounded);
        let has_room = |node: NodeId| {
            let found = pool.iter().find(|candidate| candidate.node == node);
            found.is_some_and(|c| !bounded || u64::from(c.load) < room(pool, c))
        };
        ring.first_that(ring.position(key.as_str()), has_room)
    }
}

/// How many requests a backend may have when there is one more: [`BOUND`] of its fair part.
fn room(pool: &[Candidate], candidate: &Candidate) -> u64 {
    let (part, whole) = BOUND;
    let all: u64 = 1 + pool.iter().map(|candidate| u64::from(candidate.load)).sum::<u64>();
    let weights: u64 = pool.iter().map(|candidate| u64::from(candidate.weight)).sum();
    (all * u64::from(candidate.weight) * part).div_ceil((weights * whole).max(1))
}

fn by_weight(pool: &[Candidate], rng: &mut Rng) -> Option<Candidate> {
    let total: u64 = pool.iter().map(|candidate| u64::from(candidate.weight)).sum();
    let mut drawn = rng.below(total);
    let mut hit = |candidate: &&Candidate| {
        let weight = u64::from(candidate.weight);
        let hit = drawn < weight;
        drawn = drawn.saturating_sub(weight);
        hit
    };
    pool.iter().find(|candidate| hit(candidate)).copied()
}

fn two_choices(pool: &[Candidate], rng: &mut Rng) -> Option<Candidate> {
    let count = pool.len() as u64;
    let one = rng.below(count) as usize;
    // Another one: the draw passes over the first.
    let other = (one + 1 + rng.below(count.saturating_sub(1)) as usize) % pool.len().max(1);
    let (one, other) = (pool.get(one)?, pool.get(other)?);
    Some(if other.is_freer_than(one) { *other } else { *one })
}
