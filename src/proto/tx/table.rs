//! Open transactions and the versions of keys: a part of the machine on the log.
//!
//! It reads no clock: the leader decides when a transaction has been idle for too long, and puts an
//! `expire` into the log.

use crate::base::{
    CallId, Isolation, Mutation, Mutations, Name, NodeId, Outcome, Slot, TxAbort, TxOp, TxOutcome,
    Wrote,
};
use crate::event::{Fact, Install, OpenTx, TxFact};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A value that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    slot: Slot,
    value: i64,
    wrote: Wrote,
}

/// A value that is not committed, and the slot that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Draft {
    slot: Slot,
    value: i64,
    nth: u32,
}

/// A transaction that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    tx: CallId,
    level: Isolation,
    /// It began in this slot.
    snapshot: Slot,
    /// The keys that it has read from others.
    reads: BTreeSet<Name>,
    writes: BTreeMap<Name, Draft>,
    /// How many writes it has made.
    wrote: u32,
    /// The slot in which something was asked of it last.
    last: Slot,
    /// Why it cannot commit any more, if that is so.
    doomed: Option<TxAbort>,
}

/// How the last transaction of a client ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Over {
    seq: u64,
    /// None if it committed.
    aborted: Option<TxAbort>,
}

/// All transactions, and all keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Oldest first. What no open transaction can read goes.
    keys: BTreeMap<Name, Vec<Version>>,
    /// A client has at most one.
    open: BTreeMap<NodeId, Open>,
    /// The last transaction of each client that has ended.
    over: BTreeMap<NodeId, Over>,
}

/// One operation on its way.
struct Step<'a> {
    slot: Slot,
    mutations: Mutations,
    facts: &'a mut Vec<Fact>,
}

impl Step<'_> {
    fn has(&self, mutation: Mutation) -> bool {
        self.mutations.has(mutation)
    }

    fn say(&mut self, fact: TxFact) {
        self.facts.push(Fact::Tx(fact));
    }
}

impl Table {
    /// Takes in the entry of `slot`, says what changed, and what the client is told.
    pub fn apply(
        &mut self,
        slot: Slot,
        call: CallId,
        op: &TxOp,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
    ) -> Outcome {
        let mut step = Step { slot, mutations, facts };
        let outcome = match op {
            TxOp::Begin { level } => self.begin(call, level.unwrap_or_default(), &mut step),
            TxOp::Expire { client, tx, since } => self.expire((*client, *tx), *since, &mut step),
            TxOp::Get { tx, .. }
            | TxOp::Set { tx, .. }
            | TxOp::Commit { tx }
            | TxOp::Abort { tx } => match self.take(call.client, *tx, &step) {
                Some(open) => self.carry_out(open, op, &mut step),
                None => self.answer_late(call.client, op, *tx),
            },
        };
        self.doom(&mut step);
        Outcome::Tx(outcome)
    }

    /// Takes the transaction that is meant out of those that are open.
    fn take(&mut self, client: NodeId, tx: u64, step: &Step<'_>) -> Option<Open> {
        match self.open.get(&client) {
            Some(open) if open.tx.seq == tx || step.has(Mutation::TxAnyTransaction) => {
                self.open.remove(&client)
            }
            None if step.has(Mutation::TxReopen)
                && self.over.get(&client).is_some_and(|over| over.seq == tx) =>
            {
                Some(Open::new(CallId { client, seq: tx }, Isolation::default(), step.slot))
            }
            _ => None,
        }
    }

    /// What is answered about a transaction that is not open. Whoever asks again for a commit is
    /// told what became of it.
    fn answer_late(&self, client: NodeId, op: &TxOp, tx: u64) -> TxOutcome {
        let over = self.over.get(&client).filter(|over| over.seq == tx);
        match (op, over.map(|over| &over.aborted)) {
            (TxOp::Commit { .. }, Some(None)) => TxOutcome::Committed,
            (TxOp::Commit { .. } | TxOp::Abort { .. }, Some(Some(why))) => {
                TxOutcome::Aborted { why: why.clone() }
            }
            (_, aborted) => TxOutcome::Over { committed: aborted.map(Option::is_none) },
        }
    }

    /// A late one does not end what its client has begun since.
    fn begin(&mut self, tx: CallId, level: Isolation, step: &mut Step<'_>) -> TxOutcome {
        let open = self.open.get(&tx.client).map(|open| open.tx.seq);
        let over = self.over.get(&tx.client).map(|over| over.seq);
        if open.max(over) > Some(tx.seq) {
            return TxOutcome::Over { committed: None };
        }
        if let Some(left) = self.open.remove(&tx.client) {
            self.abort(left, TxAbort::Left, step);
        }
        let open = Open::new(tx, level, step.slot);
        step.say(open.stated(step.slot));
        self.open.insert(tx.client, open);
        TxOutcome::Begun { level }
    }

    fn carry_out(&mut self, mut open: Open, op: &TxOp, step: &mut Step<'_>) -> TxOutcome {
        open.last = step.slot;
        let outcome = match op {
            TxOp::Get { key, .. } => self.read(&mut open, key, step),
            TxOp::Set { key, value, .. } => {
                open.wrote = open.wrote.saturating_add(1);
                let draft = Draft { slot: step.slot, value: *value, nth: open.wrote };
                open.writes.insert(key.clone(), draft);
                TxOutcome::Noted
            }
            TxOp::Commit { .. } => return self.commit(open, step),
            _ => return self.abort(open, TxAbort::Asked, step),
        };
        self.open.insert(open.tx.client, open);
        outcome
    }

    fn read(&self, open: &mut Open, key: &Name, step: &Step<'_>) -> TxOutcome {
        if let Some(Draft { value, nth, .. }) = open.writes.get(key)
            && !step.has(Mutation::TxForgetOwn)
        {
            let from = Some(Wrote { tx: open.tx, nth: *nth });
            return TxOutcome::Read { value: Some(*value), from };
        }
        open.reads.insert(key.clone());
        let dirty = open.level == Isolation::ReadUncommitted || step.has(Mutation::TxDirtyRead);
        let version = self.version(key, self.sees(open, step));
        let draft = self.draft(key).filter(|_| dirty);
        let (value, from) = match (draft, version) {
            (Some((tx, draft)), known) if known.is_none_or(|v| v.slot < draft.slot) => {
                (Some(draft.value), Some(Wrote { tx, nth: draft.nth }))
            }
            (_, Some(version)) => (Some(version.value), Some(version.wrote)),
            (_, None) => (None, None),
        };
        TxOutcome::Read { value, from }
    }

    /// The last slot whose commits a transaction sees.
    fn sees(&self, open: &Open, step: &Step<'_>) -> Slot {
        match open.level >= Isolation::Snapshot && !step.has(Mutation::TxNoSnapshot) {
            true => open.snapshot,
            false => step.slot,
        }
    }

    fn version(&self, key: &Name, upto: Slot) -> Option<&Version> {
        self.keys.get(key)?.iter().rfind(|version| version.slot <= upto)
    }

    /// The newest value of a key that somebody has not committed.
    fn draft(&self, key: &Name) -> Option<(CallId, &Draft)> {
        let drafts = self.open.values().filter_map(|open| Some((open.tx, open.writes.get(key)?)));
        drafts.max_by_key(|(_, draft)| draft.slot)
    }

    /// What keeps a transaction from committing.
    fn obstacle(&self, open: &Open, mutations: Mutations) -> Option<TxAbort> {
        let newer = |key: &Name| {
            let version = self.keys.get(key)?.last()?;
            (version.slot > open.snapshot).then(|| (key.clone(), version.wrote.tx))
        };
        match open.level {
            Isolation::Snapshot if !mutations.has(Mutation::TxLastCommitter) => {
                let (key, by) = open.writes.keys().find_map(newer)?;
                Some(TxAbort::Conflict { key, by })
            }
            // One that only reads was there all at once, when it began.
            Isolation::Serializable
                if !open.writes.is_empty() && !mutations.has(Mutation::TxNoValidation) =>
            {
                let (key, by) = open.reads.iter().find_map(newer)?;
                Some(TxAbort::Stale { key, by })
            }
            _ => None,
        }
    }

    /// Says of whom it is certain now that it cannot commit.
    fn doom(&mut self, step: &mut Step<'_>) {
        let fresh = self.open.values().filter(|open| open.doomed.is_none());
        let doomed = fresh.filter_map(|open| Some((open.tx, self.obstacle(open, step.mutations)?)));
        for (tx, why) in doomed.collect::<Vec<_>>() {
            self.open.entry(tx.client).and_modify(|open| open.doomed = Some(why.clone()));
            step.say(TxFact::Dooms { slot: step.slot, tx, why: Arc::new(why) });
        }
    }

    fn commit(&mut self, open: Open, step: &mut Step<'_>) -> TxOutcome {
        if let Some(why) = open.doomed.clone() {
            return self.abort(open, why, step);
        }
        let writes = self.install(&open, step.slot);
        self.over.insert(open.tx.client, Over { seq: open.tx.seq, aborted: None });
        step.say(TxFact::Commits { slot: step.slot, tx: open.tx, writes });
        TxOutcome::Committed
    }

    fn install(&mut self, open: &Open, slot: Slot) -> Arc<[Install]> {
        let snapshots = self.open.values().filter(|open| open.level >= Isolation::Snapshot);
        let oldest = snapshots.map(|open| open.snapshot).min().unwrap_or(slot);
        let mut installs = Vec::new();
        for (key, Draft { value, nth, .. }) in &open.writes {
            let wrote = Wrote { tx: open.tx, nth: *nth };
            let versions = self.keys.entry(key.clone()).or_default();
            versions.push(Version { slot, value: *value, wrote });
            let seen = versions.iter().rposition(|version| version.slot <= oldest).unwrap_or(0);
            versions.drain(..seen);
            installs.push(Install { key: key.clone(), value: *value, wrote });
        }
        installs.into()
    }

    fn abort(&mut self, open: Open, why: TxAbort, step: &mut Step<'_>) -> TxOutcome {
        if step.has(Mutation::TxKeepWrites) {
            self.install(&open, step.slot);
        }
        let over = Over { seq: open.tx.seq, aborted: Some(why.clone()) };
        self.over.insert(open.tx.client, over);
        step.say(TxFact::Aborts { slot: step.slot, tx: open.tx, why: Arc::new(why.clone()) });
        TxOutcome::Aborted { why }
    }

    fn expire(&mut self, of: (NodeId, u64), since: Slot, step: &mut Step<'_>) -> TxOutcome {
        let idle = |open: &&Open| open.tx.seq == of.1 && open.last <= since;
        match self.open.get(&of.0).filter(idle).cloned() {
            Some(open) => {
                self.open.remove(&of.0);
                self.abort(open, TxAbort::Idle, step)
            }
            None => TxOutcome::Over { committed: None },
        }
    }

    /// Says which are open, for a newcomer.
    pub fn restate(&self, slot: Slot, facts: &mut Vec<Fact>) {
        if *self == Table::default() {
            return;
        }
        let open = self.open.values().map(|open| open.tx).collect();
        facts.push(Fact::Tx(TxFact::All { slot, open }));
        for open in self.open.values() {
            facts.push(Fact::Tx(open.stated(slot)));
            let doomed = |why: &TxAbort| {
                let (tx, why) = (open.tx, Arc::new(why.clone()));
                Fact::Tx(TxFact::Dooms { slot, tx, why })
            };
            facts.extend(open.doomed.as_ref().map(doomed));
        }
    }
}

impl Open {
    fn new(tx: CallId, level: Isolation, slot: Slot) -> Open {
        let (reads, writes) = (BTreeSet::new(), BTreeMap::new());
        let (snapshot, last, wrote, doomed) = (slot, slot, 0, None);
        Open { tx, level, snapshot, reads, writes, wrote, last, doomed }
    }

    fn stated(&self, slot: Slot) -> TxFact {
        let Open { tx, level, snapshot, reads, writes, .. } = self;
        let reads = reads.iter().cloned().collect();
        let writes = writes.iter().map(|(key, draft)| (key.clone(), draft.value)).collect();
        let (tx, level, snapshot) = (*tx, *level, *snapshot);
        TxFact::Opens { slot, open: Arc::new(OpenTx { tx, level, snapshot, reads, writes }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients that work at one table, one operation a slot.
    #[derive(Default)]
    struct Lab {
        table: Table,
        slot: Slot,
        begun: BTreeMap<u16, u64>,
    }

    impl Lab {
        fn ask(&mut self, client: u16, text: &str) -> String {
            self.slot += 1;
            let call = CallId { client: NodeId::client(client), seq: self.slot };
            let op: TxOp = text.parse().unwrap();
            if op.tx().is_none() {
                self.begun.insert(client, self.slot);
            }
            let op = op.about(self.begun.get(&client).copied().unwrap_or_default());
            let (mutations, mut facts) = (Mutations::NONE, Vec::new());
            self.table.apply(self.slot, call, &op, mutations, &mut facts).to_string()
        }
    }

    #[test]
    fn levels_differ_in_what_a_read_sees() {
        let seen = |level: &str| {
            let mut lab = Lab::default();
            lab.ask(1, "begin");
            lab.ask(1, "set x=1");
            lab.ask(1, "commit");
            lab.ask(2, &format!("begin {level}"));
            lab.ask(1, "begin");
            lab.ask(1, "set x=2");
            let before = lab.ask(2, "get x");
            lab.ask(1, "commit");
            (before, lab.ask(2, "get x"))
        };
        let values = |(a, b): (String, String)| (a[..1].to_owned(), b[..1].to_owned());
        let all = Isolation::ALL.map(|level| values(seen(level.name())));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(all, [pair("2", "2"), pair("1", "2"), pair("1", "1"), pair("1", "1")]);
    }

    #[test]
    fn levels_differ_in_who_may_commit() {
        // Both read x and y; one writes x and the other y. And both write x.
        let ends = |level: &str, second: &str| {
            let mut lab = Lab::default();
            for client in [1, 2] {
                lab.ask(client, &format!("begin {level}"));
                lab.ask(client, "get x");
                lab.ask(client, "get y");
            }
            lab.ask(1, "set x=1");
            lab.ask(2, &format!("set {second}=2"));
            lab.ask(1, "commit");
            lab.ask(2, "commit") == "committed"
        };
        let (skew, lost) = ("y", "x");
        assert!(ends("read-committed", skew) && ends("read-committed", lost));
        assert!(ends("snapshot", skew) && !ends("snapshot", lost));
        assert!(!ends("serializable", skew) && !ends("serializable", lost));
    }

    #[test]
    fn what_is_over_stays_over() {
        let mut lab = Lab::default();
        lab.ask(1, "begin");
        lab.ask(1, "set x=1");
        lab.ask(1, "abort");
        assert_eq!(lab.ask(1, "set x=2"), "over: it aborted");
        assert_eq!(lab.ask(1, "commit"), "aborted: as asked");
        lab.ask(1, "begin");
        assert_eq!(lab.ask(1, "get x"), "absent");
        assert_eq!(lab.ask(1, "commit"), "committed");
        assert_eq!(lab.ask(1, "abort"), "over: it committed");
        assert_eq!(lab.ask(1, "commit"), "committed", "whoever was not answered may ask again");
    }
}
