//! A primary and its replicas: the stream of writes, and what of it is where.
//!
//! Each change of a key is a write of the primary's term of office (its *epoch*), with a number.
//! Replicas take in the writes of one epoch in order, from the state with which it began. A
//! primary that waits for replicas (`acks`) holds its answer back until so many have the write.

use super::{Answer, Context, Key, Keys, Message, Record, Redis, Timer, View};
use crate::base::{CallId, Mutation, Name, NodeId, Span, Spot};
use crate::event::{Fact, FailoverFact, KeyDeed};
use crate::proto::{Protocol, client};
use std::collections::{BTreeMap, VecDeque};

/// What a client is told once enough replicas have a write, and observers with it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) seq: u64,
    pub(super) to: NodeId,
    pub(super) answer: client::Message,
    /// What was done to which lock's key.
    pub(super) deed: Option<(Name, KeyDeed)>,
}

/// What a primary knows of its replicas, and whom it has not answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Up to where each replica has this epoch's writes.
    has: BTreeMap<NodeId, u64>,
    held: VecDeque<Held>,
}

impl Stream {
    /// A replica has all writes up to this one.
    pub(super) fn heard(&mut self, from: NodeId, seq: u64) {
        let has = self.has.entry(from).or_default();
        *has = seq.max(*has);
    }

    /// Keeps an answer back.
    pub(super) fn hold(&mut self, held: Held) {
        self.held.push_back(held);
    }

    /// The answers for which so many replicas have enough.
    pub(super) fn release(&mut self, acks: usize) -> Vec<Held> {
        let good = |seq: u64| self.has.values().filter(|has| **has >= seq).count() >= acks;
        let count = self.held.iter().take_while(|held| good(held.seq)).count();
        self.held.drain(..count).collect()
    }
}

/// The yes to a client, with the value that it asked with.
pub(super) fn answer(call: CallId, value: u64, answer: Answer) -> client::Message {
    client::Message::Instance { call, value, answer }
}

/// What a write says, as one word and the lock's name.
pub(super) fn shown(record: &Record) -> String {
    match record {
        Record::Set(lock, Key { token, .. }) => format!("set {lock} token {token}"),
        Record::Gone(lock) => format!("gone {lock}"),
        Record::Count(lock, count) => format!("count {lock} {count}"),
        Record::At(spot) => format!("at {spot}"),
        Record::Promised(epoch) => format!("promised e{epoch}"),
        Record::View(view) => format!("view {view}"),
    }
}

impl Redis {
    pub(super) fn has_replicas(&self) -> bool {
        !self.config.independent && self.config.instances.len() > 1
    }

    pub(super) fn to_replicas(&self, message: &Message, cx: &mut Context<'_, Self>) {
        let others = self.config.instances.iter().filter(|id| **id != self.me);
        cx.send_all(others, message);
    }

    /// Takes in one record of the disk that is about no key.
    pub(super) fn recall(&mut self, record: &Record) {
        match record {
            Record::At(spot) => self.at = *spot,
            Record::Promised(epoch) => self.watch.promised = *epoch,
            Record::View(view) => self.view = *view,
            Record::Set(..) | Record::Gone(_) | Record::Count(..) => {}
        }
    }

    /// Begins to be what it is: the primary, or one that watches it.
    pub(super) fn begin(&mut self, cx: &mut Context<'_, Self>) {
        if self.is_primary() {
            let numbers: Vec<(u32, Span)> =
                self.keys.all().map(|(_, entry)| (entry.number, entry.key.ttl)).collect();
            numbers.into_iter().for_each(|(number, ttl)| self.arm(number, ttl, cx));
            if self.has_replicas() {
                self.beat(cx);
            }
        }
        self.be_patient(cx);
    }

    /// Puts a change of a key on the disk, if keys are to be there, with the place of the write.
    pub(super) fn keep(&mut self, record: Record, cx: &mut Context<'_, Self>) {
        if !self.config.fsync {
            return;
        }
        cx.write(record);
        if self.has_replicas() {
            cx.write(Record::At(self.at));
        }
        if let Some(records) = self.keys.wrote() {
            self.checkpoint(records, cx);
        }
    }

    /// Writes all keys down anew, and with replicas what it knows of them.
    fn checkpoint(&self, keys: Vec<Record>, cx: &mut Context<'_, Self>) {
        let promised = Record::Promised(self.watch.promised);
        let own = [Record::At(self.at), promised, Record::View(self.view)];
        cx.checkpoint(keys.into_iter().chain(own.into_iter().filter(|_| self.has_replicas())));
    }

    /// Tells all others that it is the primary, unless it has granted that another may be.
    pub(super) fn beat(&mut self, cx: &mut Context<'_, Self>) {
        if self.is_primary() && !self.is_stale(self.view.epoch) {
            let beat = Message::Beat { view: self.view, seq: self.at.seq };
            cx.send_all(self.config.peers.iter().filter(|id| **id != self.me), &beat);
            cx.set(Timer::Beat, self.config.patience.beat);
        }
    }

    pub(super) fn on_beat(
        &mut self,
        from: NodeId,
        view: View,
        seq: u64,
        cx: &mut Context<'_, Self>,
    ) {
        if self.is_stale(view.epoch) {
            return self.enlighten(from, view.epoch, cx);
        }
        if view.epoch > self.view.epoch {
            self.go_by(view, cx);
        }
        self.hears_primary(cx);
        if self.keeps() {
            let epoch = view.epoch;
            match self.at.epoch != epoch || self.at.seq < self.seen {
                true => cx.send(from, Message::Lacks { epoch }),
                false => cx.send(from, Message::Copied { spot: self.at }),
            }
        }
        self.seen = self.seen.max(seq);
    }

    /// Whoever goes by an older epoch is told who is primary now, or which one was granted.
    fn enlighten(&self, node: NodeId, epoch: u32, cx: &mut Context<'_, Self>) {
        let (view, promised) = (self.view, self.watch.promised);
        match epoch < view.epoch {
            true => cx.send(node, Message::Promote { view }),
            false => cx.send(node, Message::Newer { epoch: promised }),
        }
    }

    pub(super) fn on_copy(
        &mut self,
        from: NodeId,
        spot: Spot,
        record: Record,
        cx: &mut Context<'_, Self>,
    ) {
        if self.is_stale(spot.epoch) {
            return self.enlighten(from, spot.epoch, cx);
        }
        if self.at.epoch == spot.epoch && self.at.seq + 1 == spot.seq {
            self.at = spot;
            self.keys.take(&record, self.clock(cx));
            self.keep(record, cx);
            cx.send(from, Message::Copied { spot });
        }
    }

    pub(super) fn on_copied(&mut self, from: NodeId, spot: Spot, cx: &mut Context<'_, Self>) {
        if self.is_primary() && spot.epoch == self.view.epoch {
            self.stream.heard(from, spot.seq);
            self.release(cx);
        }
    }

    /// Answers whom enough replicas allow to be answered.
    pub(super) fn release(&mut self, cx: &mut Context<'_, Self>) {
        let early = self.has(Mutation::FailoverAckEarly);
        let acks = if early { 0 } else { self.config.acks };
        for Held { seq, to, answer, deed } in self.stream.release(acks) {
            // What is over meanwhile was never granted.
            if deed.as_ref().is_some_and(|(lock, deed)| !self.counts_from_now(lock, deed, cx)) {
                continue;
            }
            self.say(deed, cx);
            let spot = Spot { epoch: self.view.epoch, seq };
            cx.emit(Fact::Failover(FailoverFact::Serves { spot }));
            cx.send_other(to, answer);
        }
    }

    /// A key's time counts from when its client is told. Returns whether the key is still there.
    fn counts_from_now(&mut self, lock: &Name, deed: &KeyDeed, cx: &mut Context<'_, Self>) -> bool {
        let (KeyDeed::Set { token, ttl, .. } | KeyDeed::Extended { token, ttl, .. }) = deed else {
            return true;
        };
        if self.keys.get(lock).is_none_or(|entry| entry.key.token != *token) {
            return false;
        }
        let now = self.clock(cx);
        if let Some(number) = self.keys.extend(lock, *ttl, now).map(|entry| entry.number) {
            self.arm(number, *ttl, cx);
        }
        true
    }

    pub(super) fn on_lacks(&mut self, from: NodeId, epoch: u32, cx: &mut Context<'_, Self>) {
        if self.is_primary() && epoch == self.view.epoch {
            let (spot, records) = (self.at, self.keys.records());
            cx.send(from, Message::State { spot, records });
        }
    }

    pub(super) fn on_state(
        &mut self,
        from: NodeId,
        spot: Spot,
        records: &[Record],
        cx: &mut Context<'_, Self>,
    ) {
        let of_now = spot.epoch == self.view.epoch && !self.is_stale(spot.epoch);
        if !of_now || self.is_primary() || spot <= self.at {
            return;
        }
        self.keys = Keys::load(records, self.config.counts, self.clock(cx));
        self.at = spot;
        if self.config.fsync {
            self.checkpoint(records.to_vec(), cx);
        }
        cx.emit(Fact::Failover(FailoverFact::Copies { spot }));
        cx.send(from, Message::Copied { spot });
    }

    /// Goes by another primary: maybe itself.
    pub(super) fn go_by(&mut self, view: View, cx: &mut Context<'_, Self>) {
        let was = self.is_primary();
        self.view = view;
        self.hold_down(cx);
        self.watch.promised = self.watch.promised.max(view.epoch);
        (self.seen, self.stream) = (0, Stream::default());
        cx.write(Record::Promised(self.watch.promised));
        cx.write(Record::View(view));
        if was {
            cx.cancel(Timer::Beat);
            let numbers: Vec<u32> = self.keys.all().map(|(_, entry)| entry.number).collect();
            numbers.into_iter().for_each(|number| cx.cancel(Timer::Expire(number)));
        }
        if self.is_primary() {
            let from = std::mem::replace(&mut self.at, Spot { epoch: view.epoch, seq: 0 });
            if self.config.fsync {
                cx.write(Record::At(self.at));
            }
            cx.cancel(Timer::Watch);
            self.keys.begin_anew(self.clock(cx));
            self.restate(cx);
            let epoch = view.epoch;
            cx.emit(Fact::Failover(FailoverFact::TakesOver { epoch, from }));
            self.begin(cx);
        } else {
            cx.emit(Fact::Primary { epoch: view.epoch, node: view.primary });
            self.hears_primary(cx);
        }
    }
}
