//! Callers: what they wait for, and how their calls ended.
//!
//! Nodes are callers too when a person asks at their door.

use super::remember;
use crate::base::{CallId, NodeId, Op, Outcome, Span, Time};
use crate::event::Fact;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many calls of each caller that are over are kept.
pub const MAX_DONE: usize = 32;
/// How many open calls of each caller are kept.
pub const MAX_OPEN: usize = 64;

/// A call that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What is asked.
    pub op: Arc<Op>,
    /// Whom it asked last.
    pub at: NodeId,
    /// Since when.
    pub since: Time,
    /// How often it has asked again.
    pub retry: u32,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which call.
    pub call: CallId,
    /// What was asked, if the question was seen.
    pub op: Option<Arc<Op>>,
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Time,
    /// How long it took, if the question was seen.
    pub took: Option<Span>,
}

/// How a call ended, in one of three ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It took effect.
    Ok,
    /// It has no effect, now or later.
    Refused,
    /// Nobody can say.
    Unknown,
}

impl Verdict {
    /// Which of the three an outcome is.
    pub fn of(outcome: &Outcome) -> Verdict {
        match outcome {
            Outcome::Unknown => Verdict::Unknown,
            Outcome::Refused(_) | Outcome::Aborted { .. } => Verdict::Refused,
            _ => Verdict::Ok,
        }
    }
}

/// One caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    open: BTreeMap<CallId, Open>,
    done: VecDeque<Arc<Done>>,
    /// How many calls took effect.
    pub ok: u64,
    /// How many were refused or aborted: they have no effect, ever.
    pub refused: u64,
    /// How many have an unknown outcome.
    pub unknown: u64,
}

impl Client {
    /// The calls that are not over, oldest first.
    pub fn open(&self) -> impl DoubleEndedIterator<Item = (CallId, &Open)> {
        self.open.iter().map(|(call, open)| (*call, open))
    }

    /// One call that is not over.
    pub fn get(&self, call: CallId) -> Option<&Open> {
        self.open.get(&call)
    }

    /// The call that it has waited for the longest.
    pub fn current(&self) -> Option<(CallId, &Open)> {
        self.open().min_by_key(|(call, open)| (open.since, *call))
    }

    /// The last [`MAX_DONE`] calls that are over, oldest first.
    pub fn done(&self) -> impl DoubleEndedIterator<Item = &Done> {
        self.done.iter().map(Arc::as_ref)
    }

    /// The last call that is over.
    pub fn last(&self) -> Option<&Done> {
        self.done.back().map(Arc::as_ref)
    }

    /// How many calls are over.
    pub fn total(&self) -> u64 {
        self.ok + self.refused + self.unknown
    }
}

/// All callers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    clients: BTreeMap<NodeId, Client>,
}

impl Clients {
    /// One caller.
    pub fn get(&self, id: NodeId) -> Option<&Client> {
        self.clients.get(&id)
    }

    /// All that ever called.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Client)> {
        self.clients.iter().map(|(id, client)| (*id, client))
    }

    /// How many calls took effect, were refused, are unknown.
    pub fn totals(&self) -> (u64, u64, u64) {
        self.clients.values().fold((0, 0, 0), |(ok, refused, unknown), client| {
            (ok + client.ok, refused + client.refused, unknown + client.unknown)
        })
    }

    /// A caller that is down waits for nothing.
    pub(super) fn fall(&mut self, node: NodeId) {
        if let Some(client) = self.clients.get_mut(&node) {
            client.open.clear();
        }
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        let client = self.clients.entry(node).or_default();
        match fact {
            Fact::Invokes { call, op, at: target, retry } => {
                let new = || Open { op: op.clone(), at: *target, since: at, retry: *retry };
                let open = client.open.entry(*call).or_insert_with(new);
                (open.at, open.retry) = (*target, *retry);
                if client.open.len() > MAX_OPEN {
                    client.open.pop_first();
                }
            }
            Fact::Returns { call, outcome } => {
                match Verdict::of(outcome) {
                    Verdict::Ok => client.ok += 1,
                    Verdict::Refused => client.refused += 1,
                    Verdict::Unknown => client.unknown += 1,
                }
                let open = client.open.remove(call);
                let took = open.as_ref().map(|open| at.since(open.since));
                let op = open.map(|open| open.op);
                let (call, outcome) = (*call, Outcome::clone(outcome));
                let done = Done { call, op, outcome, at, took };
                remember(&mut client.done, MAX_DONE, Arc::new(done));
            }
            _ => {}
        }
    }
}
