//! What a node wants said, written and woken for; and the write barrier.
//!
//! **The write barrier.** What a node says, to other nodes or to observers, leaves only when all
//! that it wrote before is durable ([`Outbox::release`]). This one rule replaces a contract about
//! the order of disk and network in every protocol. The mutation `host.no_barrier` removes it.

use super::{Message, Record, Timer};
use crate::base::{NodeId, ServiceId, Span, Time};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One change of the write-ahead log.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Write {
    /// Append a record.
    Append(Record),
    /// Replace all records of one service.
    Checkpoint { service: ServiceId, records: Vec<Record> },
}

/// What a node wants from its driver.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Send { to: NodeId, message: Message },
    /// Write these, in order; they are to be reported durable by this number.
    Write { upto: u64, batch: Vec<Write> },
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
    batch: Vec<Write>,
    /// How many batches were written, and how many of them are durable.
    written: u64,
    durable: u64,
    barrier: bool,
    /// What may be said once batch `.0` is durable.
    waiting: VecDeque<(u64, Output)>,
    /// What may be said now.
    ready: Vec<Output>,
}

impl Outbox {
    /// Nothing is said yet. Without `barrier`, nothing waits for the disk.
    pub fn new(barrier: bool) -> Outbox {
        Outbox {
            timers: Vec::new(),
            batch: Vec::new(),
            written: 0,
            durable: 0,
            barrier,
            waiting: VecDeque::new(),
            ready: Vec::new(),
        }
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
    pub fn say(&mut self, output: Output) {
        let needs = self.written + u64::from(!self.batch.is_empty());
        if needs > self.durable && self.barrier {
            self.waiting.push_back((needs, output));
        } else {
            self.ready.push(output);
        }
    }

    /// Tells observers something that waits for no disk.
    pub fn note(&mut self, output: Output) {
        self.ready.push(output);
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
        while self.waiting.front().is_some_and(|(needs, _)| *needs <= self.durable) {
            self.ready.extend(self.waiting.pop_front().map(|(_, output)| output));
        }
    }

    /// Sets a timer to run out at a time, or moves it there.
    pub fn set(&mut self, timer: Timer, at: Time, now: Time) {
        if timer.is_watched() {
            self.note(Output::Armed(timer, Some(at.since(now))));
        }
        match self.timers.iter_mut().find(|(_, set)| *set == timer) {
            Some(slot) => slot.0 = at,
            None => self.timers.push((at, timer)),
        }
    }

    /// Cancels a timer, if it is set.
    pub fn cancel(&mut self, timer: Timer) {
        if timer.is_watched() {
            self.note(Output::Armed(timer, None));
        }
        self.timers.retain(|(_, set)| *set != timer);
    }

    /// Has the timer at an index of [`Outbox::timers`] run out.
    pub fn fire(&mut self, index: usize) -> Timer {
        let (_, timer) = self.timers.swap_remove(index);
        self.note(Output::Fired(timer));
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
