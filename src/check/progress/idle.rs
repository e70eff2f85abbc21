//! Transactions whose clients say no more (TX-5): they are aborted in time.

use crate::base::{CallId, Op, Span, Time, TxOp};
use crate::event::{Event, Fact, Kind, Newest, TxFact};
use std::collections::BTreeMap;

/// What was seen of them.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    /// After how long they are aborted.
    timeout: Span,
    /// Since when nothing has been asked of those that are open, and whether that was reported.
    open: BTreeMap<CallId, (Time, bool)>,
    newest: Newest,
}

impl Idle {
    pub(super) fn new(timeout: Span) -> Idle {
        Idle { timeout, open: BTreeMap::new(), newest: Newest::default() }
    }

    pub(super) fn see(&mut self, event: &Event) {
        if let Kind::Started { .. } = event.kind {
            self.newest.starts(event.node);
        }
        let Kind::Fact(fact) = &event.kind else { return };
        match fact {
            Fact::Tx(fact) if self.newest.takes(fact.slot(), event.node) => {
                self.hear(fact, event.at);
            }
            Fact::Applies { entry, .. } => {
                if let Op::Tx(TxOp::Get { tx, .. } | TxOp::Set { tx, .. }) = entry.op {
                    let tx = CallId { seq: tx, ..entry.call };
                    self.open.entry(tx).and_modify(|(since, _)| *since = event.at);
                }
            }
            // Whoever leads next counts anew.
            Fact::Leads { .. } => self.open.values_mut().for_each(|(since, _)| *since = event.at),
            _ => {}
        }
    }

    fn hear(&mut self, fact: &TxFact, now: Time) {
        match fact {
            TxFact::All { open, .. } => self.open.retain(|tx, _| open.contains(tx)),
            TxFact::Opens { open, .. } => drop(self.open.entry(open.tx).or_insert((now, false))),
            TxFact::Commits { tx, .. } | TxFact::Aborts { tx, .. } => drop(self.open.remove(tx)),
            TxFact::Dooms { .. } => {}
        }
    }

    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    /// One that has been idle for too long, when nothing has been broken since `calm`.
    pub(super) fn overdue(&mut self, now: Time, calm: Time, within: Span) -> Option<String> {
        let within = self.timeout + within;
        let late =
            |(since, reported): &(Time, bool)| now > (*since).max(calm) + within && !reported;
        let (tx, (since, reported)) = self.open.iter_mut().find(|(_, debt)| late(debt))?;
        *reported = true;
        Some(format!("{tx} has been open since {since}, and nothing was asked of it"))
    }
}
