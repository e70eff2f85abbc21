//! What a node wants said, written and woken for; and the write barrier.
//!
//! **The write barrier.** What a node says, to other nodes or to observers, leaves only when all
//! that it wrote before is durable ([`Outbox::release`]). This one rule replaces a contract about
//! the order of disk and network in every protocol. The mutation `host.no_barrier` removes it.

use super::{Message, Record, Timer, multipaxos, raft, zab};
use crate::base::{NodeId, ServiceId, Slot, Span, Time};
use crate::event::{Fact, Watch};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

/// One change of the write-ahead log.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Write {
    /// Append a record.
    Append(Record),
    /// Replace all records of one service.
    Checkpoint { service: ServiceId, records: Vec<Record> },
}

impl Write {
    /// The same in smaller writes, of which a crash may keep the first and lose the rest: the
    /// entries of a log are written one after the other.
    pub fn pieces(self) -> Vec<Write> {
        fn each<T: Clone>(
            first: Slot,
            items: &[T],
            piece: impl Fn(Slot, Arc<[T]>) -> Record,
        ) -> Vec<Write> {
            let items = items.iter().map(|item| [item.clone()].into());
            (first..).zip(items).map(|(slot, one)| Write::Append(piece(slot, one))).collect()
        }
        match &self {
            Write::Append(Record::Raft(raft::Record::Append(first, items))) => {
                each(*first, items, |slot, one| raft::Record::Append(slot, one).into())
            }
            Write::Append(Record::Zab(zab::Record::Append(first, items))) => {
                each(*first, items, |slot, one| zab::Record::Append(slot, one).into())
            }
            Write::Append(Record::Log(multipaxos::Record::Accepted { ballot, first, entries })) => {
                each(*first, entries, |first, entries| {
                    multipaxos::Record::Accepted { ballot: *ballot, first, entries }.into()
                })
            }
            Write::Append(_) | Write::Checkpoint { .. } => vec![self],
        }
    }
}

/// What is written while one input is handled.
pub type Batch = SmallVec<[Write; 1]>;

/// What a node wants from its driver.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Send { to: NodeId, message: Message },
    /// Write these, in order; they are to be reported durable by this number.
    Write { upto: u64, batch: Batch },
    /// Tell observers.
    Fact(Fact),
    /// A timer ran out (for observers).
    Fired(Timer),
    /// A timer that people watch was set to run out so long after now, by the node's own clock, or
    /// cancelled (for observers).
    Armed(Timer, Option<Span>),
}

/// All that a node has said and not been rid of yet.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The timers that are set, and when they run out by the node's own clock.
    timers: Vec<(Time, Timer)>,
    /// What was written while the input at hand is handled: one write to the disk.
    batch: Batch,
    /// How many batches were written, and how many of them are durable.
    written: u64,
    durable: u64,
    barrier: bool,
    /// What may not be said yet, in order.
    waiting: Vec<Output>,
    /// How many of those wait for which batch, in order.
    marks: VecDeque<(u64, usize)>,
    /// What may be said now.
    ready: Vec<Output>,
    /// How much observers want to know; none if nobody looks.
    watch: Option<Watch>,
}

impl Outbox {
    /// Nothing is said yet. Without `barrier`, nothing waits for the disk.
    pub fn new(barrier: bool) -> Outbox {
        Outbox {
            timers: Vec::new(),
            batch: Batch::new(),
            written: 0,
            durable: 0,
            barrier,
            waiting: Vec::new(),
            marks: VecDeque::new(),
            ready: Vec::new(),
            watch: Some(Watch::Labels),
        }
    }

    /// From now on, tells observers only so much.
    pub fn watch(&mut self, watch: Option<Watch>) {
        self.watch = watch;
    }

    /// All timers that are set.
    pub fn timers(&self) -> &[(Time, Timer)] {
        &self.timers
    }

    /// What may be said now: the driver takes it out when an input is handled, and gives the room
    /// for it before.
    pub fn ready(&mut self) -> &mut Vec<Output> {
        &mut self.ready
    }

    /// Says something now, or once the writes before it are durable.
    #[inline]
    pub fn say(&mut self, output: Output) {
        self.room().push(output);
    }

    /// Where the next thing that is said has its place.
    fn room(&mut self) -> &mut Vec<Output> {
        let needs = self.written + u64::from(!self.batch.is_empty());
        if needs <= self.durable || !self.barrier {
            return &mut self.ready;
        }
        match self.marks.back_mut() {
            Some((batch, count)) if *batch == needs => *count += 1,
            _ => self.marks.push_back((needs, 1)),
        }
        &mut self.waiting
    }

    /// Whether there are observers.
    pub fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// Tells observers a fact, if there are any, once the writes before it are durable.
    pub fn state(&mut self, fact: Fact) {
        if self.watch.is_some() {
            self.say(Output::Fact(fact));
        }
    }

    /// Whether observers want to know what becomes of timers. It waits for no disk.
    fn shows_timers(&self) -> bool {
        self.watch > Some(Watch::Facts)
    }

    /// Writes something.
    pub fn write(&mut self, write: Write) {
        self.batch.push(write);
    }

    /// Hands the batch to the disk, if anything was written.
    pub fn close(&mut self) {
        if !self.batch.is_empty() {
            self.written += 1;
            let batch = std::mem::take(&mut self.batch);
            self.ready.push(Output::Write { upto: self.written, batch });
        }
    }

    /// All batches up to this number are durable: what waited for them may be said.
    pub fn release(&mut self, upto: u64) {
        self.durable = self.durable.max(upto);
        let mut freed = 0;
        while let Some((batch, count)) = self.marks.front()
            && *batch <= self.durable
        {
            freed += count;
            self.marks.pop_front();
        }
        match self.marks.is_empty() {
            // Most often it is everything: that is moved as one piece.
            true => self.ready.append(&mut self.waiting),
            false => self.ready.extend(self.waiting.drain(..freed)),
        }
    }

    /// Sets a timer to run out at a time, or moves it there.
    pub fn set(&mut self, timer: Timer, at: Time, now: Time) {
        if self.shows_timers() && timer.is_watched() {
            self.ready.push(Output::Armed(timer, Some(at.since(now))));
        }
        match self.timers.iter_mut().find(|(_, set)| *set == timer) {
            Some(slot) => slot.0 = at,
            None => self.timers.push((at, timer)),
        }
    }

    /// Cancels a timer, if it is set.
    pub fn cancel(&mut self, timer: Timer) {
        if self.shows_timers() && timer.is_watched() {
            self.ready.push(Output::Armed(timer, None));
        }
        self.timers.retain(|(_, set)| *set != timer);
    }

    /// Has the timer at an index of [`Outbox::timers`] run out.
    pub fn fire(&mut self, index: usize) -> Timer {
        let (_, timer) = self.timers.swap_remove(index);
        if self.shows_timers() {
            self.ready.push(Output::Fired(timer));
        }
        timer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_after_a_write_waits_for_it() {
        let fact = |epoch| Output::Fact(Fact::Yields { epoch });
        let said = |outbox: &mut Outbox| -> Vec<String> {
            let line = |output| match output {
                Output::Fact(Fact::Yields { epoch }) => format!("fact {epoch}"),
                Output::Write { upto, .. } => format!("write {upto}"),
                other => format!("{other:?}"),
            };
            outbox.ready().drain(..).map(line).collect()
        };
        let mut outbox = Outbox::new(true);
        outbox.say(fact(1));
        outbox.write(Write::Checkpoint { service: ServiceId::Ping, records: Vec::new() });
        outbox.say(fact(2));
        outbox.close();
        assert_eq!(said(&mut outbox), ["fact 1", "write 1"]);
        outbox.say(fact(3));
        assert!(said(&mut outbox).is_empty(), "what is said later does not overtake");
        outbox.release(1);
        assert_eq!(said(&mut outbox), ["fact 2", "fact 3"]);
    }
}
