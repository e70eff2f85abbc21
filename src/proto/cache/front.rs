//! A front: asks cache nodes for clients, and goes to the store where they do not know.

use super::{Cx, FRONT, Message, Settings, Timer, key_of};
use crate::base::cache::{Invalidate, Mode};
use crate::base::placement::Ring;
use crate::base::{
    CallId, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, ServiceId, Span,
};
use crate::event::{Caching, Fact};
use crate::proto::Ticket;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a cache node that is silent is asked before a reader goes to the store itself.
const QUESTIONS: u32 = 2;
/// How often it is told of a write before the writer is answered all the same.
const TELLINGS: u32 = 5;
/// Somebody who waits for another's fetch asks so many times in the time of a lease, and half as
/// many more.
const LOOKS: u32 = 20;

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// The cache node's answer.
    Get,
    /// Time to pass while somebody else fetches.
    Pause,
    /// The store's answer to a read, under this lease if there is one.
    Read(Option<u64>),
    /// The store's answer to a write.
    Write,
    /// The cache node's word that it knows of the write.
    Tell,
    /// The cache node's answer to a write.
    Through,
}

/// A request under way.
#[derive(Clone, Debug)]
struct Flight {
    /// Who is to be answered; nobody, if a key is fetched before its time.
    ticket: Option<Ticket>,
    call: CallId,
    op: Arc<Op>,
    key: Name,
    doing: Doing,
    /// How often the cache node was asked or told, or looked at.
    asked: u32,
    outcome: Outcome,
}

/// All of a node's requests.
#[derive(Clone, Debug)]
pub(super) struct Fronts {
    ring: Ring,
    settings: Settings,
    mutations: Mutations,
    flights: BTreeMap<u64, Flight>,
    last: u64,
}

impl Fronts {
    pub(super) fn new(
        ring: Ring,
        settings: Settings,
        mutations: Mutations,
        cx: &mut Cx<'_>,
    ) -> Fronts {
        let last = u64::from(cx.boot()) << 32;
        Fronts { ring, settings, mutations, flights: BTreeMap::new(), last }
    }

    /// A client asks.
    pub(super) fn request(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        let Some(key) = key_of(&op) else {
            return cx.reply(ticket, Outcome::Refused(Refusal::NoService));
        };
        let doing = match (&op, self.settings.mode) {
            (Op::Get { .. }, _) => Doing::Get,
            (_, Mode::WriteThrough | Mode::WriteBehind) => Doing::Through,
            _ => Doing::Write,
        };
        self.last += 1;
        let outcome = match op {
            Op::Get { .. } => Outcome::Refused(Refusal::Unavailable),
            _ => Outcome::Unknown,
        };
        let (op, ticket) = (Arc::new(op), Some(ticket));
        let flight = Flight { ticket, call, op, key, doing, asked: 0, outcome };
        if doing == Doing::Write && self.mutations.has(Mutation::CacheDeleteFirst) {
            let (key, version) = (flight.key.clone(), 0);
            self.send(&flight, Message::Delete { flight: 0, key, version }, cx);
        }
        self.flights.insert(self.last, flight);
        self.go_on(self.last, doing, cx);
    }

    fn send(&self, flight: &Flight, message: Message, cx: &mut Cx<'_>) {
        cx.send(self.home(&flight.key), message);
    }

    /// The cache node of a key.
    fn home(&self, key: &Name) -> NodeId {
        self.ring.owner(self.ring.position(key.as_str())).unwrap_or_default()
    }

    /// Does what comes next.
    fn go_on(&mut self, number: u64, doing: Doing, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        if flight.doing != doing {
            (flight.doing, flight.asked) =
                (doing, if doing == Doing::Get { flight.asked } else { 0 });
        }
        flight.asked += 1;
        let (flight, key) = (flight.clone(), flight.key.clone());
        let mut patience = Some(self.settings.timeout);
        match doing {
            Doing::Get => self.send(&flight, Message::Get { flight: number, key }, cx),
            Doing::Pause => {
                patience = Some(Span((self.settings.lease.0 / u64::from(LOOKS)).max(1_000)))
            }
            Doing::Read(_) => {
                patience = None;
                cx.emit(Fact::Cache(Caching::Fetches { key: key.clone() }));
                let call = cx.new_call();
                cx.call(ServiceId::Store, number << 1 | FRONT, call, Op::Get { key });
            }
            Doing::Write => {
                patience = None;
                let op = Op::clone(&flight.op);
                cx.call(ServiceId::Store, number << 1 | FRONT, flight.call, op);
            }
            Doing::Tell => self.tell(number, &flight, cx),
            Doing::Through => {
                let (call, op) = (flight.call, flight.op.clone());
                self.send(&flight, Message::Write { flight: number, call, op }, cx);
            }
        }
        match patience {
            Some(patience) => cx.set(Timer::Flight(number), patience),
            None => cx.cancel(Timer::Flight(number)),
        }
    }

    /// Tells the cache node of a write.
    fn tell(&self, number: u64, flight: &Flight, cx: &mut Cx<'_>) {
        let (flight_of, key) = (number, flight.key.clone());
        let message = match flight.outcome {
            Outcome::Written { value, version }
                if self.mutations.has(Mutation::CacheSetInstead) =>
            {
                Message::Set { flight: flight_of, key, value, version }
            }
            Outcome::Written { version, .. } => Message::Delete { flight: flight_of, key, version },
            _ => Message::Delete { flight: flight_of, key, version: 0 },
        };
        self.send(flight, message, cx);
    }

    /// A cache node has answered.
    pub(super) fn answered(&mut self, message: Message, cx: &mut Cx<'_>) {
        match message {
            Message::Hit { flight, value, version, lease } => {
                self.hit(flight, Outcome::Value { value, version }, lease, cx);
            }
            Message::Miss { flight, lease } if self.is(flight, Doing::Get) => match lease {
                Some(_) => self.go_on(flight, Doing::Read(lease), cx),
                None => self.pause(flight, cx),
            },
            Message::Deleted { flight } if self.is(flight, Doing::Tell) => {
                self.finish(flight, true, cx);
            }
            Message::Wrote { flight, outcome } if self.is(flight, Doing::Through) => {
                if let Some(flight) = self.flights.get_mut(&flight) {
                    flight.outcome = *outcome;
                }
                self.finish(flight, true, cx);
            }
            _ => {}
        }
    }

    fn is(&self, number: u64, doing: Doing) -> bool {
        self.flights.get(&number).is_some_and(|flight| flight.doing == doing)
    }

    fn hit(&mut self, number: u64, outcome: Outcome, lease: Option<u64>, cx: &mut Cx<'_>) {
        let asks = |flight: &&mut Flight| matches!(flight.doing, Doing::Get | Doing::Pause);
        let Some(flight) = self.flights.get_mut(&number).filter(asks) else { return };
        if let Some(ticket) = flight.ticket.take() {
            cx.reply(ticket, outcome);
        }
        match lease {
            Some(_) => self.go_on(number, Doing::Read(lease), cx),
            None => self.end(number, cx),
        }
    }

    /// Somebody else fetches. If that takes longer than leases last, somebody has to.
    fn pause(&mut self, number: u64, cx: &mut Cx<'_>) {
        let asked = self.flights.get(&number).map_or(0, |flight| flight.asked);
        match asked > LOOKS + LOOKS / 2 {
            true => self.go_past(number, cx),
            false => {
                self.go_on(number, Doing::Pause, cx);
                if let Some(flight) = self.flights.get_mut(&number) {
                    flight.asked = asked;
                }
            }
        }
    }

    /// Reads in the store what the cache node does not tell, unless that may be behind it.
    fn go_past(&mut self, number: u64, cx: &mut Cx<'_>) {
        match self.settings.mode {
            Mode::WriteBehind => self.finish(number, false, cx),
            _ => self.go_on(number, Doing::Read(None), cx),
        }
    }

    /// Nothing was heard, or it is time to look again.
    pub(super) fn timed_out(&mut self, number: u64, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get(&number) else { return };
        let (doing, asked) = (flight.doing, flight.asked);
        match doing {
            Doing::Get if asked >= QUESTIONS => self.go_past(number, cx),
            Doing::Pause => self.go_on(number, Doing::Get, cx),
            // It may have been taken on credit.
            Doing::Through if asked >= TELLINGS && self.settings.mode == Mode::WriteBehind => {
                self.finish(number, false, cx);
            }
            // A cache node that is this very node has asked the store already.
            Doing::Through if asked >= TELLINGS && self.home(&flight.key) != cx.me() => {
                self.go_on(number, Doing::Write, cx);
            }
            Doing::Tell if asked >= TELLINGS => self.finish(number, false, cx),
            _ => self.go_on(number, doing, cx),
        }
    }

    /// The store has answered.
    pub(super) fn replied(&mut self, number: u64, outcome: Outcome, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        flight.outcome = outcome;
        let flight = flight.clone();
        match (flight.doing, &flight.outcome) {
            (Doing::Read(lease), outcome) => {
                if let (Some(lease), Outcome::Value { value, version }) = (lease, outcome) {
                    let (key, value, version) = (flight.key.clone(), *value, *version);
                    self.send(&flight, Message::Fill { key, lease, value, version }, cx);
                }
                self.finish(number, false, cx);
            }
            (_, Outcome::Written { .. } | Outcome::Unknown) => self.wrote(number, &flight, cx),
            _ => self.finish(number, false, cx),
        }
    }

    /// The cache node has to know before the writer does.
    fn wrote(&mut self, number: u64, flight: &Flight, cx: &mut Cx<'_>) {
        if self.mutations.has(Mutation::CacheDeleteFirst) {
            return self.finish(number, true, cx);
        }
        if self.mutations.has(Mutation::CacheUntold) {
            return self.finish(number, false, cx);
        }
        let lost = self.mutations.has(Mutation::CacheDeleteLost);
        if lost || self.settings.invalidate == Invalidate::Message {
            self.tell(number, flight, cx);
            return self.finish(number, lost, cx);
        }
        self.go_on(number, Doing::Tell, cx);
    }

    /// Answers; `told` says that the cache node knows of the write.
    fn finish(&mut self, number: u64, told: bool, cx: &mut Cx<'_>) {
        let Some(flight) = self.flights.get(&number) else { return };
        if let Outcome::Written { version, .. } = flight.outcome {
            let key = flight.key.clone();
            cx.emit(Fact::Cache(Caching::Wrote { key, version, told }));
        }
        if let Some(ticket) = flight.ticket {
            cx.reply(ticket, flight.outcome.clone());
        }
        self.end(number, cx);
    }

    fn end(&mut self, number: u64, cx: &mut Cx<'_>) {
        self.flights.remove(&number);
        cx.cancel(Timer::Flight(number));
    }
}
