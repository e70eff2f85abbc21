//! The ring: which nodes share the keys, and when that changes.
//!
//! **What it guarantees.** All nodes go through the same rings in the same order, each with an
//! epoch that is one more than the last (RING-2, RING-8), because rings are made by the replicated
//! log and by nothing else ([`Views`]). A ring follows from its members by consistent hashing
//! (`base::placement`), so a change moves no more keys than it must (RING-3). The cluster takes out
//! no more nodes by itself than leave a majority, and as many as a key has replicas.
//!
//! **Roles.** Each node's service hears from membership whom to trust. The one on the node that
//! leads the log acts on it: it proposes to *evict* a member that has been silent for
//! `evict_after`, and to *admit* it again when it has been back for `admit_after`. One change at a
//! time, and each counts only in the ring in which it was decided. A person's `join` and `leave` go
//! through the same log from any node; who was made to leave stays away until called back, and so
//! does a node that never joined. When the store of a node holds all of its ranges, its service
//! says so in the log; when all members have, the ring is *settled* and older ones are forgotten.
//!
//! ```text
//! membership ─ suspects n3 ─> n1 (leads) ─ Evict n3, in e4 ─> log ─> view e5 at n1 n2 n4 n5
//!                             stores hand ranges over …
//!                             n1 n2 n4 n5 ─ Synced e5 ──────> log ─> settled e5 at all
//! ```
//!
//! **Sources.** DeCandia et al. 2007, *Dynamo*, section 4.8 (membership is explicit and differs
//! from failure detection) · Lamport, Malkhi, Zhou 2009, *Vertical Paxos and Primary-Backup
//! Replication* (a configuration is active once its data has arrived).
//!
//! **What is left out.** Movement that is planned ahead: all ranges of a new ring begin to move at
//! once, though no faster than the store hands them over.

mod owners;
mod views;

pub(super) use owners::Owners;
pub use views::{View, Views};

use super::{Context, Protocol, Ticket};
use crate::base::placement::{self, Member, Shape};
use crate::base::{
    CallId, Mutation, Mutations, NodeId, Op, Outcome, Refusal, ServiceId, Span, Time,
};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes of the cluster and their weights, in the ring or not.
    pub nodes: Arc<[Member]>,
    /// How many nodes hold each key.
    pub replicas: u8,
    /// How long a member must be suspected before it is taken out.
    pub evict_after: Span,
    /// Whether only those are, who could not refute it: on SWIM.
    pub only_dead: bool,
    /// How long a node that was taken out must be trusted before it is taken in.
    pub admit_after: Span,
    /// Whether a store runs here, which must say when it holds its ranges.
    pub with_store: bool,
    /// Rules that are switched off.
    pub mutations: Mutations,
}

/// What it sends: nothing, the log speaks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {}

impl fmt::Display for Message {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// What it writes: nothing, the log remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Somebody may have been silent, or back, for long enough.
    Decide,
    /// The log has not answered a `Synced` yet.
    Tell,
}

/// Calls to the log: the two of its own, and from here on those of others.
const DECISION: u64 = 0;
const SYNCED: u64 = 1;
const FIRST_OTHER: u64 = 2;

/// How long it waits for the log before it proposes again.
const PATIENCE: Span = Span::millis(500);

/// One node's part.
#[derive(Clone, Debug)]
pub struct Ring {
    config: Config,
    leads: bool,
    epoch: u64,
    members: Arc<[Member]>,
    shape: Option<Shape>,
    /// Whether each node is trusted, and since when by this node's clock.
    trust: BTreeMap<NodeId, (bool, Time)>,
    /// When the decision under way was proposed, and about whom.
    proposed: Option<(Time, NodeId)>,
    /// Whom the log will not admit in this epoch.
    barred: BTreeSet<NodeId>,
    /// The epoch in which this node holds all of its ranges, until the log knows.
    synced: Option<u64>,
    settled: u64,
    asked: BTreeMap<u64, Ticket>,
    next: u64,
}

/// The circle that a node goes by: what the view says, unless a mutation has it otherwise.
pub(crate) fn circle(
    members: &[Member],
    shape: Shape,
    me: NodeId,
    mutations: Mutations,
) -> placement::Ring {
    if mutations.has(Mutation::RingRandomPoints) {
        let seed = shape.seed ^ u64::from(me.number()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        return placement::Ring::new(members, Shape { seed, ..shape });
    }
    if mutations.has(Mutation::RingNoWrap) {
        return placement::Ring::new(members, shape).unwrapped();
    }
    if mutations.has(Mutation::RingRepeatOwner) {
        return placement::Ring::new(members, shape).repeating();
    }
    match members {
        [.., last] if mutations.has(Mutation::RingOneNode) => placement::Ring::new(&[*last], shape),
        _ => placement::Ring::new(members, shape),
    }
}

impl Protocol for Ring {
    const ID: ServiceId = ServiceId::Ring;
    const HEARS: bool = true;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], _: &mut Context<'_, Self>) -> Self {
        Ring {
            config,
            leads: false,
            epoch: 0,
            members: Arc::default(),
            shape: None,
            trust: BTreeMap::new(),
            proposed: None,
            barred: BTreeSet::new(),
            synced: None,
            settled: 0,
            asked: BTreeMap::new(),
            next: FIRST_OTHER,
        }
    }

    fn message(&mut self, _: NodeId, message: Message, _: &mut Context<'_, Self>) {
        match message {}
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        match timer {
            Timer::Decide => self.decide(cx),
            Timer::Tell => self.tell(cx),
        }
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Decide => "decide",
            Timer::Tell => "tell",
        }
    }

    fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        match op {
            Op::Join { .. } | Op::Leave { .. } => {
                self.asked.insert(self.next, ticket);
                cx.call(ServiceId::Log, self.next, call, op);
                self.next += 1;
            }
            _ => cx.reply(ticket, Outcome::Refused(Refusal::NoService)),
        }
    }

    fn reply(&mut self, key: u64, outcome: Outcome, cx: &mut Context<'_, Self>) {
        match key {
            DECISION => {
                // Applied, and no new ring came of it: it never will in this epoch. Any other
                // answer is the log's trouble, and the timer tries again.
                if let (Some((_, about)), Outcome::Done) = (self.proposed, &outcome) {
                    self.barred.insert(about);
                    self.proposed = None;
                    self.decide(cx);
                }
            }
            SYNCED => {
                if outcome == Outcome::Done {
                    self.synced = None;
                    cx.cancel(Timer::Tell);
                }
            }
            _ => {
                if let Some(ticket) = self.asked.remove(&key) {
                    cx.reply(ticket, outcome);
                }
            }
        }
    }

    fn hear(&mut self, fact: &Fact, cx: &mut Context<'_, Self>) {
        match *fact {
            Fact::Suspects { .. } if self.config.only_dead => {}
            Fact::Suspects { who, .. } | Fact::Dead { who, .. } => self.note(who, false, cx),
            Fact::Trusts { who, .. } => self.note(who, true, cx),
            Fact::Leads { .. } => {
                (self.leads, self.proposed) = (true, None);
                self.decide(cx);
            }
            Fact::Follows { .. } | Fact::Seeks { .. } => self.leads = false,
            Fact::View { epoch, ref members, shape } if epoch > self.epoch => {
                self.take(epoch, members.clone(), shape, cx);
            }
            Fact::Settled { epoch } => {
                self.settled = self.settled.max(epoch);
                self.synced = self.synced.filter(|synced| *synced > epoch);
            }
            Fact::Synced { epoch } => {
                self.synced = Some(epoch);
                self.tell(cx);
            }
            _ => {}
        }
    }

    /// The log restates rings, the store what it holds.
    fn restate(&self, _: &mut Context<'_, Self>) {}
}

impl Ring {
    fn note(&mut self, who: NodeId, trusted: bool, cx: &mut Context<'_, Self>) {
        if self.trust.get(&who).is_none_or(|(old, _)| *old != trusted) {
            self.trust.insert(who, (trusted, cx.now()));
            self.decide(cx);
        }
    }

    fn take(
        &mut self,
        epoch: u64,
        members: Arc<[Member]>,
        shape: Shape,
        cx: &mut Context<'_, Self>,
    ) {
        (self.epoch, self.members, self.shape) = (epoch, members, Some(shape));
        self.proposed = None;
        self.barred.clear();
        if !self.config.with_store && epoch > self.settled {
            self.synced = Some(epoch);
            self.tell(cx);
        }
        self.decide(cx);
    }

    /// Tells the log that this node holds its ranges, until the log has heard it.
    fn tell(&mut self, cx: &mut Context<'_, Self>) {
        let Some(epoch) = self.synced.filter(|epoch| *epoch > self.settled) else { return };
        let (node, call) = (cx.me(), cx.new_call());
        cx.call(ServiceId::Log, SYNCED, call, Op::Synced { node, epoch });
        cx.set(Timer::Tell, PATIENCE);
    }

    /// Proposes the change that is due, or waits until one may be.
    fn decide(&mut self, cx: &mut Context<'_, Self>) {
        let uneven = self.config.mutations.has(Mutation::RingUnevenEpoch);
        if !self.leads && !uneven {
            return;
        }
        if let Some((since, _)) = self.proposed {
            let waited = cx.now().since(since);
            if waited < PATIENCE {
                return cx.set(Timer::Decide, PATIENCE - waited);
            }
        }
        let Some((due, node, op)) = self.earliest() else { return };
        if due > cx.now() {
            let wait = due.since(cx.now());
            return cx.set(Timer::Decide, wait);
        }
        if uneven {
            return self.change_alone(node, cx);
        }
        self.proposed = Some((cx.now(), node));
        let call = cx.new_call();
        cx.call(ServiceId::Log, DECISION, call, op);
        cx.set(Timer::Decide, PATIENCE);
    }

    /// Of all changes that are possible: which one is due first, and when.
    fn earliest(&self) -> Option<(Time, NodeId, Op)> {
        let epoch = self.epoch;
        let majority = self.config.nodes.len() / 2 + 1;
        let least = majority.max(usize::from(self.config.replicas));
        let since = |node: NodeId, trusted: bool| match self.trust.get(&node) {
            Some((is, since)) if *is == trusted && !self.barred.contains(&node) => Some(*since),
            _ => None,
        };
        let evict = self.members.iter().filter(|_| self.members.len() > least).filter_map(|m| {
            let due = since(m.node, false)? + self.config.evict_after;
            Some((due, m.node, Op::Evict { node: m.node, epoch }))
        });
        let outside = |m: &&Member| self.members.iter().all(|member| member.node != m.node);
        let admit = self.config.nodes.iter().filter(outside).filter_map(|m| {
            let due = since(m.node, true)? + self.config.admit_after;
            let op = Op::Admit { node: m.node, weight: m.weight, epoch };
            Some((due, m.node, op))
        });
        evict.chain(admit).min_by_key(|(due, node, _)| (*due, *node))
    }

    /// The mutation: goes by what this node alone believes.
    fn change_alone(&mut self, node: NodeId, cx: &mut Context<'_, Self>) {
        let Some(shape) = self.shape else { return };
        let others = self.members.iter().filter(|member| member.node != node);
        let back = self.config.nodes.iter().filter(|member| {
            member.node == node && self.members.iter().all(|old| old.node != node)
        });
        let mut members: Vec<Member> = others.chain(back).copied().collect();
        members.sort_unstable();
        let (epoch, members) = (self.epoch + 1, Arc::from(members));
        cx.emit(Fact::View { epoch, members: Arc::clone(&members), shape });
        self.take(epoch, members, shape, cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ballot, Incarnation, Rng};
    use crate::proto::{Frame, Inner, Outbox, Output};

    fn n(number: u16) -> NodeId {
        NodeId::node(number)
    }

    /// The service of n1 in a cluster of five, and its node.
    struct Bench {
        frame: Frame,
        ring: Ring,
    }

    impl Bench {
        fn new(mutations: Mutations) -> Bench {
            let nodes: Arc<[Member]> = (1..=5).map(|i| Member { node: n(i), weight: 1 }).collect();
            let config = Config {
                nodes: nodes.clone(),
                replicas: 3,
                only_dead: false,
                evict_after: Span::secs(2),
                admit_after: Span::secs(1),
                with_store: true,
                mutations,
            };
            let mut frame = Frame::new(n(1), 1, Rng::new(1), Outbox::new(true));
            let ring = Ring::start(config, &[], &mut Context::new(&mut frame));
            let mut bench = Bench { frame, ring };
            bench.hear(&[Fact::View { epoch: 1, members: nodes, shape: SHAPE }]);
            bench
        }

        fn hear(&mut self, facts: &[Fact]) -> Vec<String> {
            for fact in facts {
                self.ring.hear(fact, &mut Context::new(&mut self.frame));
            }
            self.proposed()
        }

        fn tick(&mut self, at: Span) -> Vec<String> {
            self.frame.now = Time::ZERO + at;
            self.ring.timer(Timer::Decide, &mut Context::new(&mut self.frame));
            self.proposed()
        }

        fn proposed(&mut self) -> Vec<String> {
            let asked = self.frame.inner.drain(..).filter_map(|(_, inner)| match inner {
                Inner::Call { op, .. } => Some(op.to_string()),
                _ => None,
            });
            let said = self.frame.outbox.ready().drain(..).filter_map(|output| match output {
                Output::Fact(fact) => Some(fact.to_string()),
                _ => None,
            });
            asked.chain(said).collect()
        }
    }

    const SHAPE: Shape = Shape { vnodes: 8, replicas: 3, seed: 7 };
    const LEADS: Fact = Fact::Leads { ballot: Ballot::NONE };

    fn suspects(number: u16) -> Fact {
        Fact::Suspects { who: n(number), incarnation: Incarnation::of_boot(1) }
    }

    #[test]
    fn the_leader_takes_a_silent_member_out_and_in_again() {
        let mut bench = Bench::new(Mutations::NONE);
        assert!(bench.hear(&[LEADS, suspects(3)]).is_empty());
        assert!(bench.tick(Span::millis(1_999)).is_empty());
        assert_eq!(bench.tick(Span::secs(2)), ["evict n3 1"]);
        assert!(bench.tick(Span::millis(2_400)).is_empty(), "one at a time");
        assert_eq!(bench.tick(Span::millis(2_600)), ["evict n3 1"], "the log may have lost it");
        let members: Arc<[Member]> = [1, 2, 4, 5].map(|i| Member { node: n(i), weight: 1 }).into();
        bench.hear(&[Fact::View { epoch: 2, members, shape: SHAPE }]);
        bench.hear(&[Fact::Trusts { who: n(3), incarnation: Incarnation::of_boot(2) }]);
        assert_eq!(bench.tick(Span::millis(3_600)), ["admit n3 1 2"]);
        bench.ring.reply(DECISION, Outcome::Done, &mut Context::new(&mut bench.frame));
        assert!(bench.tick(Span::secs(9)).is_empty(), "the log does not want it back");
    }

    #[test]
    fn a_follower_decides_nothing_and_nobody_goes_below_a_majority() {
        let mut bench = Bench::new(Mutations::NONE);
        bench.hear(&[suspects(3)]);
        assert!(bench.tick(Span::secs(9)).is_empty());
        let members: Arc<[Member]> = [1, 2, 3].map(|i| Member { node: n(i), weight: 1 }).into();
        bench.hear(&[LEADS, Fact::View { epoch: 2, members, shape: SHAPE }]);
        bench.proposed();
        assert!(bench.tick(Span::secs(19)).is_empty());
    }

    #[test]
    fn what_the_store_holds_is_told_until_the_log_knows() {
        let mut bench = Bench::new(Mutations::NONE);
        assert_eq!(bench.hear(&[Fact::Synced { epoch: 2 }]), ["synced n1 2"]);
        bench.ring.timer(Timer::Tell, &mut Context::new(&mut bench.frame));
        assert_eq!(bench.proposed(), ["synced n1 2"]);
        bench.ring.reply(SYNCED, Outcome::Done, &mut Context::new(&mut bench.frame));
        bench.ring.timer(Timer::Tell, &mut Context::new(&mut bench.frame));
        assert!(bench.proposed().is_empty());
    }

    #[test]
    fn without_epochs_each_node_goes_its_own_way() {
        let mut bench = Bench::new(Mutations::NONE.with(Mutation::RingUnevenEpoch));
        bench.hear(&[suspects(3)]);
        assert_eq!(bench.tick(Span::secs(2)), ["view e2 of n1 n2 n4 n5"]);
    }
}
