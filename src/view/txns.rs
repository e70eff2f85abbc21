//! Transactions: votes, decisions, and who is in doubt.

use super::Board;
use super::effort::{Effort, Efforts};
use super::nodes::Node;
use crate::base::{Ballot, CallId, Commitment, Name, NodeId, Op, Span, Time, TxnId, majority};
use crate::event::{Change, Fact, Label};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// How many transactions are kept. Beyond, the oldest that is over goes, else the oldest.
pub const MAX_TXNS: usize = 64;

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Whether it was yes. A yes binds the participant until the decision.
    pub yes: bool,
    /// The keys that it locks.
    pub keys: Arc<[Name]>,
    /// When it was given.
    pub at: Time,
}

/// That a participant carried out the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Which outcome.
    pub commit: bool,
    /// What changed.
    pub changes: Arc<[Change]>,
    /// When.
    pub at: Time,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Votes are missing.
    Voting,
    /// All votes are yes, and nobody has decided.
    Prepared,
    /// It will commit; not everybody has carried it out.
    Committing,
    /// It will abort; not everybody who is bound has heard.
    Aborting,
    /// It committed, everywhere.
    Committed,
    /// It aborted, everywhere.
    Aborted,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Voting => "VOTING",
            Phase::Prepared => "PREPARED",
            Phase::Committing => "COMMITTING",
            Phase::Aborting => "ABORTING",
            Phase::Committed => "COMMITTED",
            Phase::Aborted => "ABORTED",
        })
    }
}

/// How one node stands to one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is no participant.
    None,
    /// Its vote is missing.
    Waiting,
    /// It voted yes, and the coordinator can still tell it the outcome.
    Yes,
    /// It voted yes, knows no outcome, and the coordinator is down or out of reach: it may decide
    /// nothing alone.
    InDoubt,
    /// It knows that all have voted yes (three-phase commit).
    Ready,
    /// It voted no.
    No,
    /// The outcome is decided, and it has not carried it out yet.
    Deciding {
        /// Which outcome.
        commit: bool,
    },
    /// It carried the outcome out.
    Done {
        /// Which outcome.
        commit: bool,
    },
}

/// Up to so many nodes are named in a sentence.
const NAMED: usize = 7;

/// One vote of Paxos Commit, as its acceptors keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// What each acceptor has accepted last: in which ballot, and whether it is *prepared*.
    pub accepted: BTreeMap<NodeId, (Ballot, bool)>,
    /// What a leader knows to be chosen.
    pub chosen: Option<bool>,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    /// Its name; it names the coordinator.
    pub id: TxnId,
    /// Whose call it is, if its begin was seen.
    pub call: Option<CallId>,
    /// What it does, if its begin was seen.
    pub op: Option<Arc<Op>>,
    /// How it comes to its outcome, if its begin was seen.
    pub how: Commitment,
    /// Whom the coordinator asked.
    pub participants: Arc<[NodeId]>,
    /// When it was first heard of.
    pub since: Time,
    /// The votes.
    pub votes: BTreeMap<NodeId, Vote>,
    /// The coordinator's decision, and when it was made.
    pub decision: Option<(bool, Time)>,
    /// Who carried the outcome out.
    pub resolved: BTreeMap<NodeId, Resolution>,
    /// Who knows that all have voted yes, in three-phase commit, and since when.
    pub ready: BTreeMap<NodeId, Time>,
    /// With Paxos Commit: what stands at the acceptors about each key.
    pub instances: BTreeMap<Name, Instance>,
    /// Who brings it to an end in the coordinator's place, and since when.
    pub heirs: BTreeMap<NodeId, Time>,
    /// When the coordinator knew that everybody knows.
    pub ended: Option<Time>,
    /// What it has taken so far.
    pub effort: Effort,
}

impl Txn {
    fn new(id: TxnId, since: Time) -> Txn {
        Txn {
            id,
            call: None,
            op: None,
            how: Commitment::default(),
            participants: Arc::default(),
            since,
            votes: BTreeMap::new(),
            decision: None,
            resolved: BTreeMap::new(),
            ready: BTreeMap::new(),
            instances: BTreeMap::new(),
            heirs: BTreeMap::new(),
            ended: None,
            effort: Effort::default(),
        }
    }

    /// The outcome, if anybody knows it. A participant may hear that it aborted from a coordinator
    /// that has no record of it.
    pub fn outcome(&self) -> Option<bool> {
        let carried = || self.resolved.values().next().map(|done| done.commit);
        self.decision.map(|(commit, _)| commit).or_else(carried)
    }

    /// Who voted yes on a key where the outcome has not been carried out.
    pub fn bound(&self) -> impl Iterator<Item = (NodeId, &Vote)> {
        let bound = |(node, vote): &(&NodeId, &Vote)| vote.yes && !self.is_done(**node);
        self.votes.iter().filter(bound).map(|(node, vote)| (*node, vote))
    }

    /// The keys that are locked for it now.
    pub fn locked(&self) -> impl Iterator<Item = &Name> {
        self.bound().flat_map(move |(node, vote)| {
            vote.keys.iter().filter(move |key| !self.is_settled(node, key))
        })
    }

    /// Whether the outcome was carried out on a key that `node` voted for: by the node, or by who
    /// took the key over from it.
    fn is_settled(&self, node: NodeId, key: &Name) -> bool {
        let whole = self.resolved.get(&node).is_some_and(|done| done.changes.is_empty());
        let changed = |done: &Resolution| done.changes.iter().any(|change| change.key == *key);
        whole || self.resolved.values().any(changed)
    }

    /// Whether a node has nothing left to carry out.
    fn is_done(&self, node: NodeId) -> bool {
        match self.votes.get(&node) {
            Some(vote) if vote.yes && !vote.keys.is_empty() => {
                vote.keys.iter().all(|key| self.is_settled(node, key))
            }
            _ => self.resolved.contains_key(&node),
        }
    }

    /// Since when somebody has been bound without knowing the outcome: the window in which a
    /// failure of the coordinator blocks.
    pub fn bound_since(&self) -> Option<Time> {
        self.bound().map(|(_, vote)| vote.at).min()
    }

    /// Everybody who takes part: whom the coordinator asked, and who took over from them.
    pub fn parts(&self) -> Vec<NodeId> {
        let late = self.votes.keys().chain(self.resolved.keys());
        let mut parts: Vec<NodeId> = self.participants.iter().chain(late).copied().collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        let waits = |node: &NodeId| !self.is_done(*node);
        match self.outcome() {
            Some(true) if self.ended.is_some() => Phase::Committed,
            Some(true) if self.participants.iter().any(waits) => Phase::Committing,
            Some(true) => Phase::Committed,
            Some(false) if self.bound().next().is_some() => Phase::Aborting,
            Some(false) => Phase::Aborted,
            None if self.votes.values().any(|vote| !vote.yes) => Phase::Voting,
            None if self.participants.iter().any(|node| !self.votes.contains_key(node)) => {
                Phase::Voting
            }
            None => Phase::Prepared,
        }
    }

    /// Whether nothing more is to come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase(), Phase::Committed | Phase::Aborted)
    }

    /// How one node stands to it.
    pub fn part(&self, node: NodeId, board: &Board) -> Part {
        if let Some(done) = self.resolved.get(&node).filter(|_| self.is_done(node)) {
            return Part::Done { commit: done.commit };
        }
        match self.votes.get(&node) {
            Some(vote) if !vote.yes => Part::No,
            Some(_) if !self.tells(node, board) => Part::InDoubt,
            Some(_) => match self.outcome() {
                Some(commit) => Part::Deciding { commit },
                None if self.ready.contains_key(&node) => Part::Ready,
                None => Part::Yes,
            },
            None if self.participants.contains(&node) => match self.outcome() {
                Some(true) => Part::Deciding { commit: true },
                _ => Part::Waiting,
            },
            None => Part::None,
        }
    }

    /// Who is in doubt: bound, and cut off from the one who knows.
    pub fn in_doubt(&self, board: &Board) -> Vec<NodeId> {
        self.bound().map(|(node, _)| node).filter(|node| !self.tells(*node, board)).collect()
    }

    /// Whether somebody can tell `node` the outcome.
    fn tells(&self, node: NodeId, board: &Board) -> bool {
        let reaches = |other: NodeId| {
            let up = board.node(other).is_none_or(|node| node.life.is_up());
            up && (node == other || board.network.talk(other, node))
        };
        let together = match self.how {
            Commitment::TwoPhase { cooperative, .. } => {
                let knows = |other: &NodeId| !self.bound().any(|(bound, _)| bound == *other);
                cooperative && self.participants.iter().any(|id| knows(id) && reaches(*id))
            }
            Commitment::Logged => {
                let near = board.nodes.servers().filter(|other| reaches(other.id)).count();
                near >= majority(board.nodes.servers().count())
            }
            // Whoever is left goes on, for better or worse.
            Commitment::ThreePhase => true,
            Commitment::PaxosCommit { acceptors } => {
                let all = board.nodes.servers().take(acceptors.into());
                let near = all.filter(|other| reaches(other.id)).count();
                near >= majority(acceptors.into())
            }
        };
        together || reaches(self.id.coordinator)
    }

    /// What happens next, as a sentence.
    pub fn next(&self, board: &Board) -> String {
        let coordinator = self.id.coordinator;
        let down = board.node(coordinator).is_some_and(|node| !node.life.is_up());
        let doubt = self.in_doubt(board);
        let parts = self.parts();
        match self.phase() {
            Phase::Committed => "done".to_owned(),
            Phase::Aborted => match self.votes.iter().find(|(_, vote)| !vote.yes) {
                Some((node, _)) => format!("done ({node} voted no)"),
                None => "done".to_owned(),
            },
            _ if down && !doubt.is_empty() => {
                format!("BLOCKED until {coordinator} is up; {} in doubt", names(&doubt))
            }
            _ if down => format!("waits for {coordinator}"),
            Phase::Voting => {
                let missing: Vec<NodeId> =
                    parts.into_iter().filter(|node| !self.votes.contains_key(node)).collect();
                self.voting(&missing, board)
            }
            _ if !doubt.is_empty() => {
                format!("BLOCKED until {} reaches {coordinator}", names(&doubt))
            }
            Phase::Prepared => format!("{coordinator} decides"),
            Phase::Committing | Phase::Aborting => {
                let late: Vec<NodeId> =
                    parts.into_iter().filter(|node| self.is_late(*node)).collect();
                format!("{} must hear of it", names(&late))
            }
        }
    }

    /// Whether the outcome is known and `node` has it still to carry out.
    fn is_late(&self, node: NodeId) -> bool {
        let bound = self.votes.get(&node).is_some_and(|vote| vote.yes);
        !self.resolved.contains_key(&node) && (bound || self.outcome() == Some(true))
    }

    fn voting(&self, missing: &[NodeId], board: &Board) -> String {
        if let Some((node, _)) = self.votes.iter().find(|(_, vote)| !vote.yes) {
            return format!("will abort: {node} voted no");
        }
        let gone = |node: &Node| match node.life.is_up() {
            false => Some(format!("will abort: {} is down", node.id)),
            true if !self.tells(node.id, board) => {
                Some(format!("will abort: {} is cut off", node.id))
            }
            true => None,
        };
        let trouble = missing.iter().filter_map(|id| board.node(*id)).find_map(gone);
        trouble.unwrap_or_else(|| format!("waits for the vote of {}", names(missing)))
    }

    /// Adds what it has taken, if it committed.
    fn count(&self, efforts: &mut Efforts) {
        if let Some(op) = self.op.as_ref().filter(|_| self.phase() == Phase::Committed) {
            efforts.add(op.legs().len(), &self.effort);
        }
    }

    /// How long it has lasted, or lasted.
    pub fn age(&self, now: Time) -> Span {
        let last = self.resolved.values().map(|done| done.at).max();
        let decided = self.decision.map(|(_, at)| at);
        let end = self.ended.or(last).or(decided).filter(|_| self.is_over());
        end.unwrap_or(now).since(self.since)
    }
}

fn names(nodes: &[NodeId]) -> String {
    match nodes.len() {
        0..=NAMED => nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" "),
        many => format!("{many} nodes"),
    }
}

/// The last [`MAX_TXNS`] transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txns {
    txns: BTreeMap<TxnId, Arc<Txn>>,
    order: VecDeque<TxnId>,
    /// The first and the last number that each coordinator was seen to use.
    used: BTreeMap<NodeId, (u32, u32)>,
    /// How many committed.
    pub committed: u64,
    /// How many aborted.
    pub aborted: u64,
    /// What those have taken that committed and are not kept any more.
    gone: Efforts,
}

impl Txns {
    /// One transaction.
    pub fn get(&self, id: TxnId) -> Option<&Txn> {
        self.txns.get(&id).map(Arc::as_ref)
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Txn> {
        self.order.iter().filter_map(|id| self.get(*id))
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What all have taken that committed, of those that were seen to begin.
    pub fn efforts(&self) -> Efforts {
        let mut efforts = self.gone;
        self.all().for_each(|txn| txn.count(&mut efforts));
        efforts
    }

    /// A message of transactions was sent.
    pub(super) fn sent(&mut self, label: &Label) {
        let about = label.as_str().split(' ').nth(1).and_then(|word| word.parse().ok());
        if let Some(txn) = about.and_then(|id: TxnId| self.txns.get_mut(&id)) {
            Arc::make_mut(txn).effort.messages += 1;
        }
    }

    /// Which transaction has locked a key.
    pub fn locker(&self, key: &Name) -> Option<&Txn> {
        self.all().find(|txn| txn.locked().any(|locked| locked == key))
    }

    /// Events of a process were missed: what it takes part in may be over.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.used.remove(&node);
        let open = |id: &&TxnId| self.get(**id).is_some_and(|txn| !txn.is_over());
        let open: Vec<TxnId> = self.order.iter().filter(open).copied().collect();
        for id in open {
            if id.coordinator == node {
                self.txns.remove(&id);
                self.order.retain(|known| *known != id);
            } else if let Some(txn) = self.txns.get_mut(&id)
                && txn.bound().any(|(who, _)| who == node)
            {
                Arc::make_mut(txn).votes.remove(&node);
            }
        }
    }

    /// `again` says that it is how things stand, and no news.
    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact, again: bool) {
        match fact {
            // How the last transaction on each key ended, however long ago that was.
            Fact::Resolves { txn, .. } if again && !self.txns.contains_key(txn) => {}
            // One that is over but for somebody who does not know, and had to go.
            Fact::Begins { txn, .. }
            | Fact::Decides { txn, .. }
            | Fact::Votes { txn, .. }
            | Fact::Precommits { txn, .. }
                if again && self.is_old(*txn) => {}
            // Acceptors keep votes long after it all is over.
            Fact::InstanceAccepts { txn, .. } if !self.txns.contains_key(txn) => {}
            Fact::Precommits { txn, .. } => {
                self.txn_mut(at, *txn).ready.entry(node).or_insert(at);
            }
            Fact::InstanceAccepts { txn, key, ballot, prepared } => {
                let instances = &mut self.txn_mut(at, *txn).instances;
                let instance = instances.entry(key.clone()).or_default();
                instance.accepted.insert(node, (*ballot, *prepared));
            }
            Fact::InstanceChooses { txn, key, prepared } => {
                let instances = &mut self.txn_mut(at, *txn).instances;
                instances.entry(key.clone()).or_default().chosen = Some(*prepared);
            }
            Fact::TakesOver { txn } => {
                self.txn_mut(at, *txn).heirs.entry(node).or_insert(at);
            }
            Fact::Begins { txn, call, op, participants, how } => {
                if !again {
                    let new = (txn.number, txn.number);
                    let (_, last) = self.used.entry(txn.coordinator).or_insert(new);
                    *last = txn.number.max(*last);
                }
                let txn = self.txn_mut(at, *txn);
                (txn.call, txn.op, txn.how) = (Some(*call), Some(op.clone()), *how);
                txn.participants = participants.clone();
            }
            Fact::Votes { txn, yes, keys } => {
                let txn = self.txn_mut(at, *txn);
                let first = || Vote { yes: *yes, keys: Arc::default(), at };
                let vote = txn.votes.entry(node).or_insert_with(first);
                // A node votes on each of its keys, and one no is enough. After a start, a vote is
                // said again; its time stays.
                vote.yes &= *yes;
                vote.keys = joined(&vote.keys, keys, |one, other| one == other);
            }
            Fact::Decides { txn, commit } => {
                self.count(*txn, *commit);
                self.txn_mut(at, *txn).decision.get_or_insert((*commit, at));
            }
            Fact::Resolves { txn, commit, changes } => {
                self.count(*txn, *commit);
                let first = || Resolution { commit: *commit, changes: Arc::default(), at };
                let done = self.txn_mut(at, *txn).resolved.entry(node).or_insert_with(first);
                done.changes = joined(&done.changes, changes, |one, other| one.key == other.key);
            }
            Fact::Ends { txn } => {
                self.txn_mut(at, *txn).ended.get_or_insert(at);
            }
            _ => {}
        }
        if let Some(txn) = about(fact).filter(|_| !again).and_then(|id| self.txns.get_mut(&id)) {
            let how = txn.how;
            Arc::make_mut(txn).effort.hear(node, fact, how);
        }
    }

    /// Whether it was here and is forgotten.
    fn is_old(&self, id: TxnId) -> bool {
        let used = self.used.get(&id.coordinator);
        let seen = used.is_some_and(|(first, last)| (*first..=*last).contains(&id.number));
        seen && !self.txns.contains_key(&id)
    }

    /// Counts an outcome when it is first heard of.
    fn count(&mut self, id: TxnId, commit: bool) {
        if self.get(id).is_none_or(|txn| txn.outcome().is_none()) {
            match commit {
                true => self.committed += 1,
                false => self.aborted += 1,
            }
        }
    }

    fn txn_mut(&mut self, at: Time, id: TxnId) -> &mut Txn {
        if !self.txns.contains_key(&id) {
            self.make_room();
            self.order.push_back(id);
        }
        Arc::make_mut(self.txns.entry(id).or_insert_with(|| Arc::new(Txn::new(id, at))))
    }

    fn make_room(&mut self) {
        if self.order.len() < MAX_TXNS {
            return;
        }
        let over = self.order.iter().position(|id| self.get(*id).is_none_or(Txn::is_over));
        if let Some(id) = self.order.remove(over.unwrap_or(0))
            && let Some(txn) = self.txns.remove(&id)
        {
            txn.count(&mut self.gone);
        }
    }
}

/// Which transaction a fact is about.
fn about(fact: &Fact) -> Option<TxnId> {
    match fact {
        Fact::Begins { txn, .. }
        | Fact::Votes { txn, .. }
        | Fact::Precommits { txn, .. }
        | Fact::InstanceAccepts { txn, .. }
        | Fact::Decides { txn, .. }
        | Fact::Resolves { txn, .. } => Some(*txn),
        _ => None,
    }
}

/// A list, and what another has beyond it.
fn joined<T: Clone>(list: &Arc<[T]>, more: &[T], same: impl Fn(&T, &T) -> bool) -> Arc<[T]> {
    let new = more.iter().filter(|item| !list.iter().any(|known| same(known, item)));
    let new: Vec<T> = new.cloned().collect();
    match new.is_empty() {
        true => list.clone(),
        false => list.iter().cloned().chain(new).collect(),
    }
}
