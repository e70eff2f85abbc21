//! Fail-over: when the primary is silent, nodes agree on another.
//!
//! Every node of the cluster watches, whether it keeps keys or not. Who has not heard the primary
//! for its time asks all for the next epoch: first whether they would grant it, so that whoever is
//! cut off disturbs nobody when it is back, and with a majority in earnest. A node grants an epoch
//! once, if it does not hear the primary either and the last fail-over is long enough ago
//! (`hold_down`), and says what of the stream of writes it has. With a majority of all nodes, who
//! asked promotes the instance that has most.
//!
//! ```text
//!  n1 (primary e0)   n2 (has e0:7)          n3 (has e0:9)          n4
//!  ×                 │                      │                      │ silent for too long
//!                    │ ... would you? yes ...                      │
//!                    │<─── Ask e1 ──────────┼──────────────────────┤
//!                    ├──── Grant e1 e0:7 ───┼─────────────────────>│ a majority of nodes and,
//!                    │                      ├──── Grant e1 e0:9 ──>│ fenced, of instances
//!                    │<─── Promote e1 n3 ───┼<─────────────────────┤
//!                    │<─── State e1 ────────┤ goes on from what it has
//! ```
//!
//! *Fenced*: with its grant a node also promises to take nothing in from older epochs, and who asks
//! waits for a majority of the instances. So no write of the old primary can find enough replicas
//! any more (FO-1), and one of those that are asked has every write that did (FO-2), provided that
//! a majority of instances has to have a write before it is answered (`acks`). *Sentinel* is
//! without either, as Redis does it: the old primary goes on answering whoever still reaches it,
//! and gives up all that it wrote meanwhile when it hears of the new one.

use super::{Context, Message, Record, Redis, Timer, View};
use crate::base::{Mutation, NodeId, Span, Spot, Time, majority};
use crate::event::{Fact, FailoverFact};
use std::collections::BTreeMap;

/// How a cluster comes by another primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failover {
    /// It does not.
    #[default]
    None,
    /// Nodes vote, and the old primary is not asked.
    Sentinel,
    /// Nodes vote, and promise to take in nothing older.
    Fenced,
}

/// What a node needs to watch the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a primary tells that it is there.
    pub beat: Span,
    /// How long a node hears nothing before it takes the primary for dead.
    pub down_after: Span,
    /// How long a node grants no epoch after it has heard of another primary.
    pub hold_down: Span,
}

/// Who asks for an epoch, and who has granted it, with what of the stream it has; nothing from
/// nodes that keep no keys.
#[derive(Clone, Debug)]
pub(super) struct Bid {
    epoch: u32,
    /// It only asks whether it would be granted.
    pre: bool,
    grants: BTreeMap<NodeId, Option<Spot>>,
}

/// What a node knows of the primary.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// The largest epoch that was granted, here or elsewhere. On disk.
    pub(super) promised: u32,
    /// When the primary was heard last.
    heard: Time,
    /// No other epoch is granted before then: the last fail-over was not long ago.
    held: Time,
    bid: Option<Bid>,
}

impl Watch {
    pub(super) fn new(now: Time) -> Watch {
        Watch { promised: 0, heard: now, held: Time::ZERO, bid: None }
    }
}

impl Redis {
    /// The primary was heard.
    pub(super) fn hears_primary(&mut self, cx: &mut Context<'_, Self>) {
        self.watch.heard = cx.now();
        self.watch.bid = None;
        self.be_patient(cx);
    }

    /// Waits for the primary, by chance a little longer than another.
    pub(super) fn be_patient(&mut self, cx: &mut Context<'_, Self>) {
        let Span(shortest) = self.config.patience.down_after;
        if self.config.failover != Failover::None && !self.is_primary() {
            let wait = cx.rng().span(Span(shortest), Span(2 * shortest));
            cx.set(Timer::Watch, wait);
        }
    }

    /// Whether it has not heard the primary for its time. The primary hears itself, unless it has
    /// granted another epoch.
    fn is_silent(&self, cx: &Context<'_, Self>) -> bool {
        let there = self.is_primary() && self.watch.promised == self.view.epoch;
        !there && cx.now().since(self.watch.heard) >= self.config.patience.down_after
    }

    fn holds_down(&self, cx: &Context<'_, Self>) -> bool {
        cx.now() < self.watch.held && !self.has(Mutation::FailoverNoHold)
    }

    /// The primary was silent for too long: asks for the next epoch.
    pub(super) fn on_watch(&mut self, cx: &mut Context<'_, Self>) {
        self.be_patient(cx);
        if !self.is_silent(cx) || self.holds_down(cx) {
            return;
        }
        self.bid(true, cx);
    }

    /// Asks all for the next epoch, or only whether they would grant it.
    fn bid(&mut self, pre: bool, cx: &mut Context<'_, Self>) {
        let epoch = self.watch.promised.saturating_add(1);
        self.watch.bid = Some(Bid { epoch, pre, grants: BTreeMap::new() });
        if !pre {
            let primary = self.view.primary;
            cx.emit(Fact::Failover(FailoverFact::Asks { epoch, primary }));
        }
        cx.send_all(self.config.peers.iter(), &Message::Ask { epoch, pre });
    }

    /// Somebody asks for an epoch.
    pub(super) fn on_ask(
        &mut self,
        from: NodeId,
        epoch: u32,
        pre: bool,
        cx: &mut Context<'_, Self>,
    ) {
        let again = self.has(Mutation::FailoverGrantTwice) && epoch == self.watch.promised;
        if epoch <= self.watch.promised && !again {
            return cx.send(from, Message::Newer { epoch: self.watch.promised });
        }
        if !self.is_silent(cx) || self.holds_down(cx) {
            return;
        }
        if !pre {
            self.watch.promised = epoch;
            cx.write(Record::Promised(epoch));
            cx.emit(Fact::Failover(FailoverFact::Grants { epoch, to: from }));
        }
        let at = self.keeps().then_some(self.at);
        cx.send(from, Message::Grant { epoch, pre, at });
    }

    /// It goes by another primary than before.
    pub(super) fn hold_down(&mut self, cx: &Context<'_, Self>) {
        self.watch.held = cx.now() + self.config.patience.hold_down;
    }

    /// Another epoch has been granted: the next one that is asked for must be later.
    pub(super) fn on_newer(&mut self, epoch: u32, cx: &mut Context<'_, Self>) {
        if epoch > self.watch.promised {
            self.watch.promised = epoch;
            cx.write(Record::Promised(epoch));
        }
    }

    /// A node has granted the epoch that this one asked for.
    pub(super) fn on_grant(
        &mut self,
        from: NodeId,
        (epoch, pre): (u32, bool),
        at: Option<Spot>,
        cx: &mut Context<'_, Self>,
    ) {
        let bid = self.watch.bid.as_mut().filter(|bid| (bid.epoch, bid.pre) == (epoch, pre));
        let Some(bid) = bid else { return };
        bid.grants.insert(from, at);
        let Some(primary) = self.chosen() else { return };
        if pre {
            self.bid(false, cx);
        } else {
            self.watch.bid = None;
            let view = View { epoch, primary };
            cx.emit(Fact::Failover(FailoverFact::Promotes { epoch, primary }));
            cx.send_all(self.config.peers.iter(), &Message::Promote { view });
        }
    }

    /// Which instance has most, once enough nodes have granted.
    fn chosen(&self) -> Option<NodeId> {
        let grants = &self.watch.bid.as_ref()?.grants;
        let fenced = self.config.failover == Failover::Fenced;
        let instances = grants.values().flatten().count();
        let few = instances < majority(self.config.instances.len());
        let few = few && fenced && !self.has(Mutation::FailoverMinority);
        let wanted = match (self.config.peers.len(), self.has(Mutation::FailoverUnanimous)) {
            (all, true) => all,
            (all, false) => majority(all),
        };
        if few || grants.len() < wanted {
            return None;
        }
        if self.has(Mutation::FailoverFavourite) {
            return self.config.instances.first().copied();
        }
        let having = grants.iter().filter_map(|(node, at)| at.map(|at| (at, *node)));
        let having = having.filter(|(_, node)| fenced || *node != self.view.primary);
        let best = match self.has(Mutation::FailoverAnyTarget) {
            true => having.min(),
            false => having.max(),
        };
        best.map(|(_, node)| node)
    }

    /// Who is primary now.
    pub(super) fn on_promote(&mut self, view: View, cx: &mut Context<'_, Self>) {
        if view.epoch > self.view.epoch && view.epoch >= self.watch.promised {
            self.go_by(view, cx);
        }
    }

    /// Whether what comes of this epoch is too old to be taken in.
    pub(super) fn is_stale(&self, epoch: u32) -> bool {
        let fences = self.config.failover == Failover::Fenced;
        let fences = fences && !self.has(Mutation::FailoverNoFence);
        epoch < self.view.epoch || fences && epoch < self.watch.promised
    }
}
