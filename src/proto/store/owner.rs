//! The owner's half, and the replica's: one state after the other for each key, copied to all.

use super::deeds;
use super::item::{self, Ended, Step};
use super::{Cx, Item, Message, Stamp, Store, key_of, owner, preference};
use crate::base::{CallId, Mutation, Name, NodeId, Op, Outcome, Time};
use std::sync::Arc;

/// Somebody's operation on a key.
#[derive(Clone, Debug)]
pub(super) struct Want {
    /// The node that gets the answer.
    router: NodeId,
    call: CallId,
    op: Arc<Op>,
    since: Time,
}

/// What is to be told to whom.
type Answer = (NodeId, CallId, Outcome);

/// What is going on with one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The state that is being copied.
    flight: Option<u64>,
    waiting: Vec<Want>,
}

impl Line {
    /// Whether the last state of the key is not everybody's yet.
    pub(super) fn is_copying(&self) -> bool {
        self.flight.is_some()
    }
}

/// A state on its way to the replicas.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    key: Name,
    item: Arc<Item>,
    /// Who does not have it yet.
    missing: Vec<NodeId>,
    answers: Vec<Answer>,
    /// Transactions to be stated as ended once everybody has the state.
    ended: Vec<Ended>,
    /// What sagas did since this version is to be stated then, too.
    stated: u64,
    since: Time,
}

/// Answers that change nothing, until all replicas have said that they are in this ring.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// Whose answer is missing, to which question.
    needs: Vec<(NodeId, u64)>,
    answers: Vec<Answer>,
}

/// Questions to one replica. One is under way at a time; who comes meanwhile shares the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    asked: u64,
    answered: u64,
    /// Somebody waits for the question after the one that is under way.
    again: bool,
    since: Time,
}

impl Store {
    /// A router asks for an operation.
    pub(super) fn asked(&mut self, from: NodeId, call: CallId, op: &Arc<Op>, cx: &mut Cx<'_>) {
        if !self.want(from, call, op, cx) {
            cx.send(from, Message::NotOwner { epoch: self.epoch });
        }
        self.retry_later(cx);
    }

    /// Takes an operation in, if the key is this node's to answer for.
    pub(super) fn want(
        &mut self,
        router: NodeId,
        call: CallId,
        op: &Arc<Op>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let Some(key) = key_of(op) else { return false };
        if !self.answers_for(key, cx.me()) {
            return false;
        }
        match self.takes_time(op) && !self.is_known(key, router, call) {
            true => self.line_up(router, call, op, cx),
            false => self.admit(router, call, op, key, cx),
        }
        true
    }

    /// Whether an operation is under way.
    fn is_known(&self, key: &Name, router: NodeId, call: CallId) -> bool {
        let same = |a: &Answer| (a.0, a.1) == (router, call);
        let waits = |line: &Line| {
            let copying = line.flight.and_then(|flight| self.flights.get(&flight));
            line.waiting.iter().any(|want| (want.router, want.call) == (router, call))
                || copying.is_some_and(|flight| flight.answers.iter().any(same))
        };
        self.lines.get(key).is_some_and(waits)
            || self.reads.iter().any(|read| read.answers.iter().any(same))
    }

    /// Carries an operation out as soon as that is possible.
    pub(super) fn admit(
        &mut self,
        router: NodeId,
        call: CallId,
        op: &Arc<Op>,
        key: &Name,
        cx: &mut Cx<'_>,
    ) {
        let known = self.is_known(key, router, call);
        let line = self.lines.entry(key.clone()).or_default();
        if !known {
            line.waiting.push(Want { router, call, op: Arc::clone(op), since: cx.now() });
        }
        self.advance(key, cx);
    }

    pub(super) fn answers_for(&self, key: &Name, me: NodeId) -> bool {
        self.ring().is_some_and(|ring| {
            let position = ring.position(key.as_str());
            ring.owner(position) == Some(me) && self.covered(position)
        })
    }

    /// Carries out what waits for a key, unless a state is on its way already.
    pub(super) fn advance(&mut self, key: &Name, cx: &mut Cx<'_>) {
        let Some(line) = self.lines.get_mut(key).filter(|line| line.flight.is_none()) else {
            return;
        };
        let waiting = std::mem::take(&mut line.waiting);
        let old = self.items.get(key).cloned().unwrap_or_default();
        let mut draft = Item::clone(&old);
        let (mut answers, mut still) = (Vec::new(), Vec::new());
        let (rules, patience) = (self.rules(), self.config.give_up.0 / 2);
        let mut changed = false;
        draft.ended.clear();
        for want in waiting {
            let late = cx.now().since(want.since).0 >= patience;
            match draft.carry_out((self.epoch, want.call, &want.op), late, rules) {
                // Its router goes on asking, or gives up.
                Step::Wait if late => {}
                Step::Wait => still.push(want),
                Step::Read(outcome) => answers.push((want.router, want.call, outcome)),
                Step::Wrote(outcome) => {
                    changed = true;
                    answers.push((want.router, want.call, outcome));
                }
            }
        }
        if draft.ended.is_empty() {
            draft.ended.clone_from(&old.ended);
        }
        match self.lines.get_mut(key) {
            Some(line) if !still.is_empty() => line.waiting = still,
            _ => drop(self.lines.remove(key)),
        }
        let voted = draft.intents != old.intents && draft.ended == old.ended;
        if changed && voted && self.has(Mutation::TxnNoForce) {
            self.items.insert(key.clone(), Arc::new(draft));
            self.state_votes(key, cx);
            self.answer(answers, cx);
        } else if changed || (!answers.is_empty() && !self.clean.contains(key)) {
            self.fly(key, draft, &old, answers, cx);
        } else if !answers.is_empty() {
            self.confirm(key, answers, cx);
        }
    }

    /// Copies a key to all replicas that this owner has not touched yet in this ring and life.
    pub(super) fn adopt(&mut self, key: &Name, cx: &mut Cx<'_>) {
        let busy = self.lines.get(key).is_some_and(|line| line.flight.is_some());
        if let Some(old) = self.items.get(key).filter(|_| !busy && !self.clean.contains(key)) {
            let old = Arc::clone(old);
            self.fly(key, Item::clone(&old), &old, Vec::new(), cx);
        }
    }

    /// Writes a state down and sends it to the replicas.
    fn fly(
        &mut self,
        key: &Name,
        mut draft: Item,
        old: &Item,
        answers: Vec<Answer>,
        cx: &mut Cx<'_>,
    ) {
        let count = old.stamp.count.saturating_add(1);
        draft.stamp = Stamp { epoch: self.epoch, boot: cx.boot(), count };
        let item = Arc::new(draft);
        if self.has(Mutation::StoreOneSlot) {
            self.items.values_mut().for_each(|other| Arc::make_mut(other).value = item.value);
        }
        self.keep(key.clone(), Arc::clone(&item), cx);
        // A deposed owner may be told the wrong outcome, when the transaction was carried out under
        // the next one and is forgotten. It cannot reach all replicas, so it will not state it.
        let mut ended = Vec::new();
        let stated = if self.clean.contains(key) { old.version } else { 0 };
        if !self.clean.contains(key) {
            ended.extend_from_slice(&old.ended);
        }
        if item.ended != old.ended {
            ended.extend_from_slice(&item.ended);
        }
        let me = cx.me();
        let missing: Vec<NodeId> = self.ring().map_or_else(Vec::new, |ring| {
            preference(ring, key).iter().filter(|node| **node != me).copied().collect()
        });
        self.next_flight += 1;
        let flight = self.next_flight;
        let early = self.has(Mutation::StoreAckEarly);
        let (now, later) = if early { (answers, Vec::new()) } else { (Vec::new(), answers) };
        let (epoch, copy) = (self.epoch, Arc::clone(&item));
        let copy = Message::Copy { epoch, flight, key: key.clone(), item: copy };
        cx.send_all(&missing, &copy);
        let arrived = missing.is_empty();
        let (key, since) = (key.clone(), cx.now());
        let state =
            Flight { key: key.clone(), item, missing, answers: later, ended, stated, since };
        self.flights.insert(flight, state);
        self.lines.entry(key.clone()).or_default().flight = Some(flight);
        if early {
            self.state_votes(&key, cx);
            self.answer(now, cx);
        }
        if arrived {
            self.land(flight, cx);
        }
    }

    /// All replicas have a state.
    fn land(&mut self, flight: u64, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.remove(&flight) else { return };
        let Flight { key, item, answers, ended, stated, .. } = flight;
        item::resolves(&key, &ended).for_each(|fact| cx.emit(fact));
        deeds::facts(&key, &item, stated).into_iter().for_each(|fact| cx.emit(fact));
        self.clean.insert(key.clone());
        self.state_votes(&key, cx);
        self.answer(answers, cx);
        if let Some(line) = self.lines.get_mut(&key) {
            line.flight = None;
            match line.waiting.is_empty() {
                true => drop(self.lines.remove(&key)),
                false => self.advance(&key, cx),
            }
        }
    }

    /// Every replica knows of the intents: they are votes.
    fn state_votes(&self, key: &Name, cx: &mut Cx<'_>) {
        if let Some(item) = self.items.get(key) {
            item::votes(key, item).for_each(|fact| cx.emit(fact));
        }
    }

    /// Answers once all replicas have said that they are in this ring, from now on.
    fn confirm(&mut self, key: &Name, answers: Vec<Answer>, cx: &mut Cx<'_>) {
        let (me, now, epoch) = (cx.me(), cx.now(), self.epoch);
        let first = u64::from(cx.boot()) << 32;
        let list = self.ring().map_or_else(Vec::new, |ring| preference(ring, key).to_vec());
        let mut needs = Vec::new();
        for node in list.into_iter().filter(|node| *node != me) {
            let new = Peer { asked: first, answered: first, again: false, since: now };
            let peer = self.peers.entry(node).or_insert(new);
            if peer.asked > peer.answered {
                peer.again = true;
                needs.push((node, peer.asked + 1));
            } else {
                (peer.asked, peer.since) = (peer.asked + 1, now);
                needs.push((node, peer.asked));
                cx.send(node, Message::Check { epoch, round: peer.asked });
            }
        }
        match needs.is_empty() {
            true => self.answer(answers, cx),
            false => self.reads.push(Read { needs, answers }),
        }
    }

    pub(super) fn answer(&mut self, answers: Vec<Answer>, cx: &mut Cx<'_>) {
        for (router, call, outcome) in answers {
            if router == cx.me() {
                self.routed(call, outcome, cx);
            } else {
                cx.send(router, Message::Answer { call, outcome: Box::new(outcome) });
            }
        }
    }

    /// Whether it may act on a message of `epoch`. Tells the sender if the ring is an old one.
    fn same_epoch(&self, from: NodeId, epoch: u64, cx: &mut Cx<'_>) -> bool {
        if epoch < self.epoch && self.has(Mutation::StoreNoEpoch) {
            return true;
        }
        if epoch < self.epoch {
            cx.send(from, Message::NotOwner { epoch: self.epoch });
        }
        epoch == self.epoch && self.ring().is_some()
    }

    /// As a replica: takes over a state.
    pub(super) fn copy(
        &mut self,
        from: NodeId,
        (epoch, flight): (u64, u64),
        key: Name,
        item: Arc<Item>,
        cx: &mut Cx<'_>,
    ) {
        if !self.same_epoch(from, epoch, cx) {
            return;
        }
        let foreign = self.ring().is_some_and(|ring| owner(ring, &key) != Some(from));
        if foreign && epoch == self.epoch {
            return;
        }
        if self.items.get(&key).is_none_or(|old| old.stamp < item.stamp) {
            self.keep(key, item, cx);
        }
        cx.send(from, Message::Copied { epoch, flight });
    }

    /// A replica has a state on disk.
    pub(super) fn copied(&mut self, from: NodeId, epoch: u64, flight: u64, cx: &mut Cx<'_>) {
        if epoch != self.epoch {
            return;
        }
        if let Some(state) = self.flights.get_mut(&flight) {
            state.missing.retain(|node| *node != from);
            if state.missing.is_empty() {
                self.land(flight, cx);
            }
        }
    }

    /// As a replica: says that it is still in this ring.
    pub(super) fn check(&mut self, from: NodeId, epoch: u64, round: u64, cx: &mut Cx<'_>) {
        if self.same_epoch(from, epoch, cx) {
            cx.send(from, Message::Checked { epoch, round });
        }
    }

    /// A replica is still in this ring.
    pub(super) fn checked(&mut self, from: NodeId, epoch: u64, round: u64, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(peer) = self.peers.get_mut(&from).filter(|_| epoch == self.epoch) else { return };
        if round > peer.asked {
            return;
        }
        peer.answered = peer.answered.max(round);
        let answered = peer.answered;
        if answered == peer.asked && std::mem::take(&mut peer.again) {
            (peer.asked, peer.since) = (peer.asked + 1, now);
            cx.send(from, Message::Check { epoch, round: peer.asked });
        }
        let mut ready = Vec::new();
        self.reads.retain_mut(|read| {
            read.needs.retain(|(node, round)| *node != from || *round > answered);
            if read.needs.is_empty() {
                ready.append(&mut read.answers);
            }
            !read.needs.is_empty()
        });
        self.answer(ready, cx);
    }

    /// Asks replicas again, and looks after what has waited for a locked key.
    pub(super) fn retry_owned(&mut self, cx: &mut Cx<'_>) {
        let (now, epoch, retry) = (cx.now(), self.epoch, self.config.retry);
        for (flight, state) in &mut self.flights {
            if now.since(state.since) < retry {
                continue;
            }
            state.since = now;
            let (key, item) = (state.key.clone(), Arc::clone(&state.item));
            cx.send_all(&state.missing, &Message::Copy { epoch, flight: *flight, key, item });
        }
        for (node, peer) in &mut self.peers {
            if peer.asked > peer.answered && now.since(peer.since) >= retry {
                peer.since = now;
                cx.send(*node, Message::Check { epoch, round: peer.asked });
            }
        }
        let keys: Vec<Name> = self.lines.keys().cloned().collect();
        keys.iter().for_each(|key| self.advance(key, cx));
    }

    /// Drops all that it had under way as an owner: routers will ask the new one.
    pub(super) fn depose(&mut self) {
        self.clean.clear();
        self.lines.clear();
        self.flights.clear();
        self.reads.clear();
        self.peers.clear();
    }
}
