//! Isolation: each transaction sees of others no more than its level allows.
//!
//! | rule | holds as long as | from level |
//! |---|---|---|
//! | TX-1 | a transaction ends once, and is told nothing but that afterwards | all |
//! | TX-2 | nobody reads what is not committed yet | `read-committed` |
//! | TX-4 | who was told that it committed, or did not, was told the truth | all |
//! | INT | a transaction sees what it has written itself | all |
//! | AC-7 | what is asked of one transaction is done to no other of its client | all |
//! | G0 | writes of transactions do not go round in a circle | all |
//! | G1a | nobody reads what an aborted transaction wrote (TX-3) | `read-committed` |
//! | G1b | nobody reads a write that its transaction has written over | `read-committed` |
//! | G1c | reads and writes do not go round in a circle | `read-committed` |
//! | G-single | nor with what was read before another wrote it, if two such never follow each other | `snapshot` |
//! | G2 | nor in any other circle | `serializable` |
//!
//! From Adya 1999, *Weak consistency*, chapters 3 and 4; INT is from Cerone, Bernardi and Gotsman
//! 2015, *A framework for transactional consistency models*. The transactions that committed are
//! the nodes of a graph. An edge goes to who wrote the next version of a key (ww), to who read a
//! version from who wrote it (wr), and from who read a version to who wrote the next one (rw). What
//! was read is what clients were told; versions follow each other as they were committed. Where
//! levels are mixed, an edge counts if it is an obligation of the level of who reads (Adya, section
//! 4.2.3): wr from `read-committed` on, rw for `serializable`, or for `snapshot` in search of
//! G-single. Circles are sought among the last 512 transactions.
//!
//! A level promises nothing else: a lost update under `read-committed` and write skew under
//! `snapshot` are what they are, and the check is silent. A newcomer judges the transactions that
//! it saw begin.

mod graph;

use super::{Check, Violation, Witness};
use crate::base::{CallId, Isolation, Name, NodeId, Op, Outcome, TxAbort, TxOp, TxOutcome, Wrote};
use crate::event::{Event, Fact, Install, Kind, Newest, TxFact};
use graph::{Edge, Graph};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many transactions that have ended are remembered.
const REMEMBERED: usize = 512;

/// What is known of one transaction, which is named by the call that began it.
#[derive(Clone, Debug)]
struct Txn {
    /// None until the log has begun it.
    level: Option<Isolation>,
    begun: usize,
    /// What it was told of keys, but of its own writes.
    reads: BTreeSet<(Name, Option<Wrote>)>,
    /// Keys of which it was told that its write is noted, and when that was first.
    noted: BTreeMap<Name, usize>,
    /// What its client has asked for: that it commits, that it aborts, and writes.
    asked: [bool; 2],
    sets: BTreeSet<(Name, i64)>,
    /// How it ended, by the log, and where that was seen first.
    ended: Option<(bool, usize)>,
    writes: Vec<Install>,
}

/// Who wrote the versions of a key.
#[derive(Clone, Debug, Default)]
struct Versions {
    /// In order.
    all: VecDeque<CallId>,
    /// Some that came before are forgotten.
    cut: bool,
}

/// The check.
#[derive(Clone, Debug, Default)]
pub struct Isolated {
    txns: BTreeMap<CallId, Txn>,
    ended: VecDeque<CallId>,
    /// Calls that are not answered: what was asked, and since when.
    asked: BTreeMap<CallId, (TxOp, usize)>,
    versions: BTreeMap<Name, Versions>,
    graph: Graph,
    newest: Newest,
}

/// What a rule says is wrong: the rule, the sentence, the earlier events.
type Wrong = (&'static str, String, Vec<usize>);

impl Versions {
    /// Who wrote the version after that of `from`, if that is known.
    fn after(&self, from: Option<Wrote>) -> Option<CallId> {
        match from {
            Some(from) => {
                let at = self.all.iter().position(|tx| *tx == from.tx)?;
                self.all.get(at + 1).copied()
            }
            None if self.cut => None,
            None => self.all.front().copied(),
        }
    }

    fn push(&mut self, tx: CallId) {
        self.all.push_back(tx);
        if self.all.len() > REMEMBERED {
            self.all.pop_front();
            self.cut = true;
        }
    }
}

impl Txn {
    /// Its client has asked for its begin.
    fn asked(at: usize) -> Txn {
        Txn {
            level: None,
            begun: at,
            reads: BTreeSet::new(),
            noted: BTreeMap::new(),
            asked: [false; 2],
            sets: BTreeSet::new(),
            ended: None,
            writes: Vec::new(),
        }
    }
}

impl Isolated {
    fn invoked(&mut self, at: usize, call: CallId, op: &TxOp) {
        self.asked.entry(call).or_insert((op.clone(), at));
        let Some(seq) = op.tx() else {
            // One that never began is given up with the next.
            self.txns.retain(|tx, txn| tx.client != call.client || txn.level.is_some());
            self.txns.entry(call).or_insert_with(|| Txn::asked(at));
            return;
        };
        let Some(txn) = self.txns.get_mut(&CallId { seq, ..call }) else { return };
        match op {
            TxOp::Commit { .. } => txn.asked[0] = true,
            TxOp::Abort { .. } => txn.asked[1] = true,
            TxOp::Set { key, value, .. } => drop(txn.sets.insert((key.clone(), *value))),
            _ => {}
        }
    }

    fn returned(&mut self, at: usize, call: CallId, outcome: &Outcome) -> Option<Wrong> {
        let (op, asked) = self.asked.remove(&call)?;
        let Outcome::Tx(outcome) = outcome else { return None };
        let tx = CallId { seq: op.tx()?, ..call };
        let txn = self.txns.get_mut(&tx)?;
        let end = txn.ended.filter(|(_, end)| *end < asked);
        match (outcome, &op, end) {
            (TxOutcome::Read { .. } | TxOutcome::Noted, _, Some((_, end))) => {
                Some(("TX-1", format!("{tx} has ended, and goes on: {op}"), vec![end]))
            }
            (TxOutcome::Noted, TxOp::Set { key, .. }, None) => {
                txn.noted.entry(key.clone()).or_insert(at);
                None
            }
            (TxOutcome::Read { from, .. }, TxOp::Get { key, .. }, None) => {
                self.reads(tx, key, *from, asked)
            }
            (TxOutcome::Committed | TxOutcome::Over { committed: Some(true) }, ..) => {
                told(tx, txn, true)
            }
            (TxOutcome::Aborted { .. } | TxOutcome::Over { committed: Some(false) }, ..) => {
                told(tx, txn, false)
            }
            _ => None,
        }
    }

    /// A transaction was told what a key is, and which write that is from.
    fn reads(
        &mut self,
        tx: CallId,
        key: &Name,
        from: Option<Wrote>,
        asked: usize,
    ) -> Option<Wrong> {
        let txn = self.txns.get_mut(&tx)?;
        if from.is_some_and(|from| from.tx == tx) {
            return None;
        }
        if let Some(noted) = txn.noted.get(key).filter(|noted| **noted < asked) {
            let what = format!("{tx} has written {key}, and reads what it was before");
            return Some(("INT", what, vec![*noted]));
        }
        txn.reads.insert((key.clone(), from));
        let clean = txn.level >= Some(Isolation::ReadCommitted);
        let writer = self.txns.get(&from?.tx).filter(|writer| clean && writer.ended.is_none())?;
        let what = format!("{tx} reads {key} from {}, which has not committed", from?.tx);
        Some(("TX-2", what, vec![writer.begun]))
    }

    /// What a replica says that the log did.
    fn states(&mut self, at: usize, fact: &TxFact) -> Option<Wrong> {
        match fact {
            TxFact::Opens { open, .. } => {
                let txn = self.txns.get_mut(&open.tx)?;
                txn.level.get_or_insert(open.level);
                None
            }
            TxFact::All { .. } | TxFact::Dooms { .. } => None,
            TxFact::Commits { tx, writes, .. } => {
                let wrong = self.ends(at, *tx, true, false).or_else(|| self.strays(*tx, writes));
                if let Some(txn) = self.txns.get_mut(tx) {
                    txn.writes = writes.to_vec();
                    self.link(*tx);
                }
                wrong.or_else(|| self.dirty(*tx)).or_else(|| self.circle(*tx))
            }
            TxFact::Aborts { tx, why, .. } => {
                let wrong = self.ends(at, *tx, false, **why != TxAbort::Asked);
                wrong.or_else(|| {
                    let readers: Vec<CallId> = self.readers(*tx).collect();
                    readers.into_iter().find_map(|reader| self.dirty(reader))
                })
            }
        }
    }

    /// A transaction ends; by itself if nobody need have asked for it.
    fn ends(&mut self, at: usize, tx: CallId, commit: bool, itself: bool) -> Option<Wrong> {
        let txn = self.txns.get_mut(&tx)?;
        if let Some((_, index)) = txn.ended {
            return Some(("TX-1", format!("{tx} ends a second time"), vec![index]));
        }
        txn.ended = Some((commit, at));
        let asked = itself || txn.asked[usize::from(!commit)];
        let (begun, word) = (txn.begun, if commit { "commits" } else { "aborts" });
        self.ended.push_back(tx);
        if self.ended.len() > REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.txns.remove(&oldest);
            self.graph.forget(oldest);
        }
        let what = format!("{tx} {word}, which its client has asked of another transaction only");
        (!asked).then(|| ("AC-7", what, vec![begun]))
    }

    /// A write that its client has asked of another transaction.
    fn strays(&self, tx: CallId, writes: &[Install]) -> Option<Wrong> {
        let txn = self.txns.get(&tx)?;
        let stray = writes.iter().find(|w| !txn.sets.contains(&(w.key.clone(), w.value)))?;
        let what = format!(
            "{tx} commits {}={}, which its client has not asked of it",
            stray.key, stray.value
        );
        Some(("AC-7", what, vec![txn.begun]))
    }

    fn committed(&self, tx: CallId) -> Option<&Txn> {
        self.txns.get(&tx).filter(|txn| matches!(txn.ended, Some((true, _))))
    }

    /// Who has committed and read something that `tx` wrote.
    fn readers(&self, tx: CallId) -> impl Iterator<Item = CallId> {
        let read = move |txn: &Txn| {
            txn.reads.iter().any(|(_, from)| from.is_some_and(|from| from.tx == tx))
        };
        self.ended.iter().copied().filter(move |id| self.committed(*id).is_some_and(read))
    }

    /// Adds all edges to and from a transaction that has just committed.
    fn link(&mut self, tx: CallId) {
        let Some(Txn { reads, writes, .. }) = self.txns.get(&tx).cloned() else { return };
        let mut edges = Vec::new();
        for (key, from) in &reads {
            let writer =
                from.map(|from| from.tx).filter(|writer| self.committed(*writer).is_some());
            edges.extend(writer.map(|writer| (writer, Edge::Wr, tx, key)));
            let next = self.versions.get(key).and_then(|versions| versions.after(*from));
            edges.extend(next.map(|next| (tx, Edge::Rw, next, key)));
        }
        for Install { key, .. } in &writes {
            let before = self.versions.get(key).and_then(|versions| versions.all.back()).copied();
            edges.extend(before.map(|before| (before, Edge::Ww, tx, key)));
            for (id, txn) in self.ended.iter().filter_map(|id| Some((*id, self.committed(*id)?))) {
                let of = |(name, from): &&(Name, Option<Wrote>)| {
                    name == key && from.map(|from| from.tx) == before
                };
                edges.extend(txn.reads.iter().find(of).map(|_| (id, Edge::Rw, tx, key)));
                let mine = |(name, from): &&(Name, Option<Wrote>)| {
                    name == key && from.is_some_and(|from| from.tx == tx)
                };
                edges.extend(txn.reads.iter().find(mine).map(|_| (tx, Edge::Wr, id, key)));
            }
        }
        for (from, edge, to, key) in edges.into_iter().filter(|(from, _, to, _)| from != to) {
            self.graph.add(from, edge, to, key);
        }
        for Install { key, .. } in &writes {
            self.versions.entry(key.clone()).or_default().push(tx);
        }
    }

    /// G1a and G1b: what a transaction that has committed should not have read.
    fn dirty(&self, tx: CallId) -> Option<Wrong> {
        let txn = self.committed(tx).filter(|txn| txn.level >= Some(Isolation::ReadCommitted))?;
        txn.reads.iter().find_map(|(key, from)| {
            let from = (*from)?;
            let writer = self.txns.get(&from.tx)?;
            let (commit, end) = writer.ended?;
            if !commit {
                let what = format!("{tx} has read {key} from {}, which aborted", from.tx);
                return Some(("G1a", what, vec![end]));
            }
            let last = writer.writes.iter().find(|write| write.key == *key)?;
            let what = format!("{tx} has read {key} from {} before its last write", from.tx);
            (last.wrote != from).then(|| ("G1b", what, vec![end]))
        })
    }

    /// A circle of dependencies that some level in it forbids.
    fn circle(&self, tx: CallId) -> Option<Wrong> {
        let level = |id: CallId| self.txns.get(&id)?.level;
        let path = self.graph.circle(tx, &level)?;
        let count = |edge: Edge| path.iter().filter(|(_, of, _)| *of == edge).count();
        let rule = match (count(Edge::Rw), count(Edge::Wr)) {
            (0, 0) => "G0",
            (0, _) => "G1c",
            (1, _) => "G-single",
            _ => "G2",
        };
        let steps = path.iter().map(|(id, edge, key)| format!("{id} {edge} {key}"));
        let what = format!("{} {tx}", steps.collect::<Vec<_>>().join(", "));
        let ends = path.iter().filter_map(|(id, ..)| Some(self.txns.get(id)?.ended?.1));
        let mut because: Vec<usize> = ends.collect();
        because.sort_unstable();
        Some((rule, format!("in a circle: {what}"), because))
    }
}

/// TX-4: what its client was told of the end.
fn told(tx: CallId, txn: &Txn, commit: bool) -> Option<Wrong> {
    let (ended, end) = txn.ended?;
    let what = format!("{tx} was told another end than it had");
    (ended != commit).then(|| ("TX-4", what, vec![end]))
}

impl Check for Isolated {
    fn name(&self) -> &'static str {
        "isolation"
    }

    fn about(&self) -> &'static str {
        "Each transaction sees of others no more than its level allows."
    }

    fn gap(&mut self, _: NodeId) {
        *self = Isolated { newest: self.newest, ..Isolated::default() };
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(event.fact(), Some(Fact::Tx(TxFact::Commits { .. } | TxFact::Aborts { .. })))
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        if let Kind::Started { .. } = event.kind {
            // What it had asked for is answered to nobody.
            self.asked.retain(|call, _| call.client != event.node);
            self.newest.starts(event.node);
        }
        let Kind::Fact(fact) = &event.kind else { return None };
        let (rule, what, mut because) = match fact {
            Fact::Tx(fact) if self.newest.takes(fact.slot(), event.node) => {
                match witness.restates(event.node) {
                    true => return None,
                    false => self.states(at, fact)?,
                }
            }
            Fact::Invokes { call, op, retry: 0, .. } => {
                if let Op::Tx(op) = &**op
                    && !witness.restates(event.node)
                {
                    self.invoked(at, *call, op);
                }
                return None;
            }
            Fact::Returns { call, outcome } => self.returned(at, *call, outcome)?,
            _ => return None,
        };
        because.retain(|index| *index != at);
        Some(Violation { check: "isolation", rule, what, at, because })
    }
}
