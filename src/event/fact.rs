//! What a process states about itself, and the one rendering of each statement.

use super::key::{self, KeyDeed};
use super::{
    Balancing, Caching, FailoverFact, FileFact, HandoffFact, SagaFact, SessionFact, TxFact,
};
use crate::base::placement::{KeyRange, Member, Shape};
use crate::base::{
    Ballot, CallId, Commitment, Entry, Incarnation, LockMode, Name, NodeId, Op, Outcome, Slot,
    Span, Token, Turn, TxnId, Versions, Voters,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Which half of a ballot was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Prepare and promise.
    Prepare,
    /// Accept and accepted.
    Accept,
}

/// The phases of Zab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// It looks for whoever has the newest history.
    Election,
    /// It has found whom to follow, or is to lead: which epoch comes next is open.
    Discovery,
    /// It has an epoch: its history is made the leader's, or the leader's everybody's.
    Synchronisation,
    /// What the leader proposes is copied.
    Broadcast,
}

/// Why a lock was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Freed {
    /// Its holder gave it back.
    Released,
    /// Its lease ran out, by the log's order.
    Expired,
    /// Whoever kept it has lost it, and the holder was not asked.
    Lost,
    /// The session that it hung on has ended, by the log's order.
    Ended,
}

/// Why a client stopped believing that it holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LetGo {
    /// It gave the lock back.
    Released,
    /// Its lease ran out by its own clock.
    RanOut,
    /// It was told that the lock is not its own.
    Told,
}

/// One key that a transaction changed at one owner. Absent keys count as their opening balance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// Which key.
    pub key: Name,
    /// Its value before.
    pub before: i64,
    /// Its value after.
    pub after: i64,
}

/// Something that a process states about itself.
///
/// Facts about durable state are repeated when a process starts ("restated"), and all that a
/// newcomer must know is repeated when somebody begins to look, between [`Fact::Restates`] and
/// [`Fact::Restated`]. So whoever reads facts must take a repetition for what it is.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    // -- membership -------------------------------------------------------------------------------
    /// It no longer believes that `who`, in this incarnation, is alive. On SWIM, it may still
    /// refute that.
    Suspects { who: NodeId, incarnation: Incarnation },
    /// It believes that `who`, in this incarnation, is alive.
    Trusts { who: NodeId, incarnation: Incarnation },

    // -- consensus: slot 0 is the single decree, slots from 1 are the log ------------------------
    /// As an acceptor: what it holds on disk for the log (`log`) or the single decree, after a
    /// start. `accepted` is the highest vote of the single decree; votes of the log are restated
    /// one by one.
    Acceptor { log: bool, promised: Ballot, accepted: Ballot },
    /// As a proposer: it asks for promises, for `slot` and (in the log) all slots after it.
    Prepares { slot: Slot, ballot: Ballot },
    /// As an acceptor: it will not vote below `ballot`, in `slot` and (in the log) any other.
    Promises { slot: Slot, ballot: Ballot },
    /// As an acceptor: it turned `ballot` down, because it promised `promised`.
    Refuses { slot: Slot, ballot: Ballot, promised: Ballot, phase: Phase },
    /// As a proposer: it asks for votes for `entry`. `adopted` is the ballot whose vote it had to
    /// take the entry from; none if the entry is its own to choose.
    Proposes { slot: Slot, ballot: Ballot, entry: Arc<Entry>, adopted: Ballot },
    /// As an acceptor: it voted.
    Accepts { slot: Slot, ballot: Ballot, entry: Arc<Entry> },
    /// As a learner: it knows that `entry` is chosen.
    Chooses { slot: Slot, entry: Arc<Entry> },
    /// It leads the log in `ballot`.
    Leads { ballot: Ballot },
    /// It follows the leader of `ballot`.
    Follows { ballot: Ballot },
    /// It neither leads nor knows who does; it wants to lead in `ballot` if that is not none.
    Seeks { ballot: Ballot },
    /// Its state machine took in the entry of `slot`; `digest` stands for the state after it.
    Applies { slot: Slot, entry: Arc<Entry>, digest: u64 },
    /// Its state machine is that of `slot`: from its own snapshot or another node's. Slots up to
    /// there are gone from its log.
    Snapshot { slot: Slot, digest: u64 },

    // -- locks, by the log's order; every replica says them --------------------------------------
    /// Slot `slot` gave `lock` to `call`'s client under `token`, for `ttl` at a time.
    Granted { slot: Slot, lock: Name, call: CallId, token: Token, ttl: Span, mode: LockMode },
    /// Slot `slot` put `call` into the queue of `lock`, behind `ahead` others.
    Queued { slot: Slot, lock: Name, call: CallId, ahead: u32, mode: LockMode },
    /// Slot `slot` gave the holder of `lock` another `ttl`.
    Renewed { slot: Slot, lock: Name, token: Token, ttl: Span },
    /// Slot `slot` freed `lock`.
    Freed { slot: Slot, lock: Name, token: Token, why: Freed },
    /// After a start: the last token of `lock` as of `slot`, and under which ones it is held, each
    /// with how often that grant was renewed.
    /// Followed by `Granted` and `Queued` for what is held and waited for, with their own slots.
    LockIs { slot: Slot, lock: Name, token: Token, held: Vec<(Token, u32)> },
    /// As a client: it believes that it holds `lock` for another `lease` by its own clock.
    Holds { lock: Name, token: Token, lease: Span, mode: LockMode },
    /// As a client: it no longer believes so.
    LetsGo { lock: Name, token: Token, why: LetGo },
    /// As the guarded resource: it judged a write by `call` under `token`; `highest` is the
    /// largest token it had seen before.
    Guards { resource: Name, call: CallId, token: Token, highest: Token, accepted: bool },

    // -- ring ------------------------------------------------------------------------------------
    /// It goes by this ring from now on.
    View { epoch: u64, members: Arc<[Member]>, shape: Shape },
    /// As an owner: it answers for these ranges, in this epoch, and keeps each of their keys on
    /// `copies` nodes at least, itself included.
    Serves { epoch: u64, ranges: Arc<[KeyRange]>, copies: u8 },
    /// As an owner: it no longer answers for anything by that epoch.
    Yields { epoch: u64 },
    /// It took in `keys` keys from `from` that it must hold by the ring of `epoch`.
    Took { epoch: u64, from: NodeId, keys: u32 },
    /// It holds all of its ranges of this epoch.
    Synced { epoch: u64 },
    /// Every member of the ring of `epoch` holds its ranges; earlier rings may be forgotten.
    Settled { epoch: u64 },
    /// How many keys it holds, and of how many it is the owner.
    Load { keys: u32, owned: u32 },

    // -- transactions ----------------------------------------------------------------------------
    /// As a coordinator: it asks these nodes to prepare `op` for `call`. `how` they come to the
    /// same outcome.
    Begins { txn: TxnId, call: CallId, op: Arc<Op>, participants: Arc<[NodeId]>, how: Commitment },
    /// As a participant: its vote. A yes locks `keys` until the decision.
    Votes { txn: TxnId, yes: bool, keys: Arc<[Name]> },
    /// As a coordinator: the outcome, which is on disk if it is commit.
    Decides { txn: TxnId, commit: bool },
    /// As a participant: it carried the outcome out and gave up its locks.
    Resolves { txn: TxnId, commit: bool, changes: Arc<[Change]> },
    /// As a coordinator: everybody knows; it may forget.
    Ends { txn: TxnId },

    // -- clients ---------------------------------------------------------------------------------
    /// It asks `at` for `op`. A retry repeats the call's id, possibly at another node.
    Invokes { call: CallId, op: Arc<Op>, at: NodeId, retry: u32 },
    /// The operation is over for the client. [`Outcome::Unknown`] means that it may take effect
    /// later, or has, or never will.
    Returns { call: CallId, outcome: Box<Outcome> },

    // -- newcomers -------------------------------------------------------------------------------
    /// Somebody has begun to look: what it says from here to `Restated` is how things stand, and
    /// nothing of it is new.
    Restates,
    /// What a newcomer must know has been said.
    Restated,

    // -- consensus with elected leaders: the log's entries have terms ----------------------------
    /// It goes by this term from now on.
    Enters { term: u32 },
    /// As a voter: it votes for `ballot.node` to lead in term `ballot.round`.
    VotesFor { ballot: Ballot },
    /// Its log has, in `slot`, the entry that a leader made in `term`.
    Appends { slot: Slot, term: u32, entry: Arc<Entry> },
    /// Its log ends at `after`: what came after it is dropped.
    Truncates { after: Slot },
    /// It knows that its entries up to `slot` are committed.
    Commits { slot: Slot },
    /// As a voter: what it holds on disk besides the entries that it has just said one by one: its
    /// term and its vote in it (`ballot`; nobody's if the bench's), and its log's last slot.
    Voter { ballot: Ballot, last: Slot },
    /// Its log is that of the leader of this epoch (Zab), and both are on its disk.
    Adopts { epoch: u32 },
    /// It goes by these voters from now on: the entry of `slot` in its log names them; 0 for those
    /// of the start. As long as it has said nothing of it, all nodes vote.
    Voters { slot: Slot, voters: Voters },
    /// As leader of `ballot`: it has told `to` to take its place, whose log is its own.
    HandsOver { ballot: Ballot, to: NodeId },
    /// It is in this phase of Zab, with this leader; in the election, its own name stands there.
    Stands { stage: Stage, leader: NodeId },
    /// As leader of a term (Raft): what it sends `to` begins at slot `next`. If `agreed`, it knows
    /// that the logs are the same before it; else it is looking for the place where they are.
    Copies { to: NodeId, next: Slot, agreed: bool },

    // -- locks that are keys of instances, each of which speaks for itself alone -----------------
    /// As an instance: what it did to the key of `lock`, or has of it.
    Key { lock: Name, deed: KeyDeed },
    /// As an instance: it goes by `node` as the primary since `epoch`, whom alone clients may ask.
    /// Where several instances are independent, each goes by itself.
    Primary { epoch: u32, node: NodeId },
    /// As a resource that compares no tokens: it took a write of `call` under `token`.
    Takes { resource: Name, call: CallId, token: Token },

    // -- membership by SWIM ----------------------------------------------------------------------
    /// It could not reach `who`, in this incarnation, in a whole probe period: neither itself nor
    /// through others.
    Misses { who: NodeId, incarnation: Incarnation },
    /// It takes `who`, in this incarnation, for dead: `by` was the first to find that, and had
    /// suspected it for long enough.
    Dead { who: NodeId, incarnation: Incarnation, by: NodeId },
    /// As a member: this is its own incarnation, which refutes an accusation by `refutes` if there
    /// was one.
    Incarnation { incarnation: Incarnation, refutes: Option<NodeId> },

    // -- locks with sessions ---------------------------------------------------------------------
    /// Slot `slot` took `call` out of the queue of `lock` without granting it.
    Left { slot: Slot, lock: Name, call: CallId },
    /// Something about sessions, or what hangs on them.
    Session(SessionFact),

    // -- requests that are spread over backends ---------------------------------------------------
    /// What it says as a balancer or as a backend.
    Balance(Balancing),

    // -- transactions that others than the coordinator end ------------------------------------
    /// As a participant of three-phase commit: it knows that all have voted yes on `txn`, and has
    /// that on disk.
    Precommits { txn: TxnId, keys: Arc<[Name]> },
    /// As a participant: it brings `txn` to an end in the coordinator's place.
    TakesOver { txn: TxnId },
    /// As an acceptor of Paxos Commit: it accepts nothing below this ballot for the vote on `key`.
    InstancePromises { txn: TxnId, key: Name, ballot: Ballot },
    /// As an acceptor: it accepted in this ballot that the participant has prepared, or has not.
    InstanceAccepts { txn: TxnId, key: Name, ballot: Ballot, prepared: bool },
    /// As a leader: a majority has accepted that.
    InstanceChooses { txn: TxnId, key: Name, prepared: bool },

    // -- keys copied by quorums ------------------------------------------------------------------
    /// As a replica: these are its versions of `key`; none if it has dropped the key.
    Keeps { key: Name, versions: Versions },
    /// As a coordinator: the write `dot` is acknowledged, by the ring of `epoch`. `acks` have it on
    /// disk; stand-ins keep it for `hinted`.
    Acknowledges { key: Name, dot: CallId, epoch: u64, acks: Arc<[NodeId]>, hinted: Arc<[NodeId]> },
    /// As a coordinator: it answers the read `call`, by the ring of `epoch`, with what `from` had.
    Answers { key: Name, call: CallId, epoch: u64, from: Arc<[NodeId]>, versions: Versions },
    /// As a stand-in: it keeps the write `dot` for `target`, which did not answer.
    Hints { target: NodeId, key: Name, dot: CallId },
    /// As a stand-in: it does not keep that any more.
    Unhints { target: NodeId, key: Name, dot: CallId, why: Unhinted },
    /// As a replica: of two concurrent writes it has dropped `dot`, since `by` was written later.
    Loses { key: Name, dot: CallId, by: CallId },
    /// As a replica: it drops the tombstones of `key`: nobody has anything older.
    Purges { key: Name, versions: Versions },
    /// As a replica: at this level of their trees (0 is the root) it has compared these nodes with
    /// those of `with`, and `differ` of them differ.
    Compares { with: NodeId, level: u8, nodes: u16, differ: Arc<[u16]> },
    /// As a replica: of `keys` keys in leaves that differed, it took `news` over from `from`.
    Streams { from: NodeId, keys: u32, news: u32 },

    // -- copies of keys in front of the store -----------------------------------------------------
    /// What it says as a cache, or as one who asks it.
    Cache(Caching),

    // -- locks with replicas ----------------------------------------------------------------------
    /// Something about the primary of keys, and its replicas.
    Failover(FailoverFact),

    // -- sagas ---------------------------------------------------------------------------------
    /// Something about a saga.
    Saga(SagaFact),

    // -- files ------------------------------------------------------------------------------------
    /// Something about files and their blocks.
    File(FileFact),

    // -- handoffs a page at a time ----------------------------------------------------------------
    /// Something about keys that move no faster than they may.
    Handoff(HandoffFact),

    // -- deadlocks --------------------------------------------------------------------------------
    /// A circle of clients that waited for each other was broken.
    Deadlock(super::Deadlock),

    // -- transactions that clients open, by the log's order; every replica says them --------------
    /// Something about such a transaction.
    Tx(TxFact),

    // -- reads that take time --------------------------------------------------------------------
    /// As an owner of keys: so many reads wait for their turn, or have it.
    Backlog { reads: u32 },
}

impl fmt::Display for Freed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Freed::Released => "released",
            Freed::Lost => "lost",
            Freed::Expired => "expired",
            Freed::Ended => "its session ended",
        })
    }
}

/// Why a stand-in does not keep a hint any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unhinted {
    /// Whom it was for has it on disk.
    Delivered,
    /// It was too old.
    Expired,
    /// Whom it was for is no replica of the key any more: the stand-in sees to it that those who
    /// are get it.
    Moved,
    /// Everybody has a later version.
    Overtaken,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Election => "election",
            Stage::Discovery => "discovery",
            Stage::Synchronisation => "synchronisation",
            Stage::Broadcast => "broadcast",
        })
    }
}

/// A list as `a,b,c`.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}→{}", self.key, self.before, self.after)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Suspects { .. }
            | Fact::Trusts { .. }
            | Fact::Misses { .. }
            | Fact::Dead { .. }
            | Fact::Incarnation { .. }
            | Fact::View { .. }
            | Fact::Serves { .. }
            | Fact::Yields { .. }
            | Fact::Took { .. }
            | Fact::Synced { .. }
            | Fact::Settled { .. }
            | Fact::Load { .. }
            | Fact::Backlog { .. } => self.membership(f),
            Fact::Granted { .. }
            | Fact::Queued { .. }
            | Fact::Renewed { .. }
            | Fact::Freed { .. }
            | Fact::LockIs { .. }
            | Fact::Holds { .. }
            | Fact::LetsGo { .. }
            | Fact::Guards { .. }
            | Fact::Key { .. }
            | Fact::Primary { .. }
            | Fact::Takes { .. }
            | Fact::Left { .. } => self.lock(f),
            Fact::Session(fact) => fact.fmt(f),
            Fact::Deadlock(fact) => fact.fmt(f),
            Fact::Failover(fact) => fact.fmt(f),
            Fact::Saga(fact) => fact.fmt(f),
            Fact::Tx(fact) => fact.fmt(f),
            Fact::Keeps { .. }
            | Fact::Acknowledges { .. }
            | Fact::Answers { .. }
            | Fact::Hints { .. }
            | Fact::Unhints { .. }
            | Fact::Loses { .. }
            | Fact::Purges { .. }
            | Fact::Compares { .. }
            | Fact::Streams { .. } => self.quorum(f),
            Fact::Begins { .. }
            | Fact::Votes { .. }
            | Fact::Decides { .. }
            | Fact::Resolves { .. }
            | Fact::Ends { .. }
            | Fact::Precommits { .. }
            | Fact::TakesOver { .. }
            | Fact::InstancePromises { .. }
            | Fact::InstanceAccepts { .. }
            | Fact::InstanceChooses { .. }
            | Fact::Invokes { .. }
            | Fact::Returns { .. }
            | Fact::Restates
            | Fact::Restated => self.transaction(f),
            Fact::Balance(balancing) => balancing.fmt(f),
            Fact::Cache(caching) => caching.fmt(f),
            Fact::File(fact) => fact.fmt(f),
            Fact::Handoff(fact) => fact.fmt(f),
            _ => self.consensus(f),
        }
    }
}

impl Fact {
    fn membership(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Suspects { who, incarnation } => write!(f, "suspects {who} boot {incarnation}"),
            Fact::Trusts { who, incarnation } => write!(f, "trusts {who} boot {incarnation}"),
            Fact::Misses { who, incarnation } => write!(f, "misses {who} boot {incarnation}"),
            Fact::Dead { who, incarnation, by } => {
                write!(f, "takes {who} boot {incarnation} for dead, found by {by}")
            }
            Fact::Incarnation { incarnation, refutes: None } => {
                write!(f, "goes by incarnation {incarnation}")
            }
            Fact::Incarnation { incarnation, refutes: Some(accuser) } => {
                write!(f, "refutes {accuser} by incarnation {incarnation}")
            }
            Fact::View { epoch, members, .. } => {
                write!(f, "view e{epoch} of")?;
                for member in members.iter() {
                    match member.weight {
                        1 => write!(f, " {}", member.node)?,
                        weight => write!(f, " {}*{weight}", member.node)?,
                    }
                }
                Ok(())
            }
            Fact::Serves { epoch, ranges, copies } => {
                write!(f, "serves {} ranges e{epoch}, {copies} copies", ranges.len())
            }
            Fact::Yields { epoch } => write!(f, "yields e{epoch}"),
            Fact::Took { epoch, from, keys } => write!(f, "took {keys} keys from {from} e{epoch}"),
            Fact::Settled { epoch } => write!(f, "ring e{epoch} is settled"),
            Fact::Synced { epoch } => write!(f, "synced e{epoch}"),
            Fact::Load { keys, owned } => write!(f, "holds {keys} keys, owns {owned}"),
            Fact::Backlog { reads: 0 } => f.write_str("has no reads to do"),
            Fact::Backlog { reads: 1 } => f.write_str("has one read to do"),
            Fact::Backlog { reads } => write!(f, "has {reads} reads to do"),
            _ => Ok(()),
        }
    }

    fn consensus(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Acceptor { log, promised, accepted } => {
                let what = if *log { "log" } else { "decree" };
                write!(f, "acceptor of the {what}: promised {promised} accepted {accepted}")
            }
            Fact::Prepares { slot, ballot } => write!(f, "prepares {ballot} from slot {slot}"),
            Fact::Promises { slot, ballot } => write!(f, "promises {ballot} from slot {slot}"),
            Fact::Refuses { slot, ballot, promised, phase } => {
                let phase = if *phase == Phase::Prepare { "prepare" } else { "accept" };
                write!(f, "refuses {phase} {ballot} slot {slot}, promised {promised}")
            }
            Fact::Proposes { slot, ballot, entry, adopted: Ballot::NONE } => {
                write!(f, "proposes {ballot} slot {slot} {entry}")
            }
            Fact::Proposes { slot, ballot, entry, adopted } => {
                write!(f, "proposes {ballot} slot {slot} {entry} adopted from {adopted}")
            }
            Fact::Accepts { slot, ballot, entry } => {
                write!(f, "accepts {ballot} slot {slot} {entry}")
            }
            Fact::Chooses { slot, entry } => write!(f, "knows slot {slot} chosen {entry}"),
            Fact::Leads { ballot } => write!(f, "leads {ballot}"),
            Fact::Follows { ballot } => write!(f, "follows {ballot}"),
            Fact::Seeks { ballot } => write!(f, "seeks {ballot}"),
            Fact::Applies { slot, entry, digest } => {
                write!(f, "applies slot {slot} {entry} state {digest:016x}")
            }
            Fact::Snapshot { slot, digest } => {
                write!(f, "snapshot up to slot {slot} state {digest:016x}")
            }
            Fact::Enters { term } => write!(f, "enters term {term}"),
            Fact::VotesFor { ballot } => {
                write!(f, "votes for {} in term {}", ballot.node, ballot.round)
            }
            Fact::Appends { slot, term, entry } => {
                write!(f, "appends slot {slot} term {term} {entry}")
            }
            Fact::Truncates { after } => write!(f, "drops all after slot {after}"),
            Fact::Commits { slot } => write!(f, "commits up to slot {slot}"),
            Fact::Voter { ballot: Ballot { round, node: NodeId::BENCH }, last } => {
                write!(f, "voter: term {round} no vote, log up to slot {last}")
            }
            Fact::Voter { ballot: Ballot { round, node }, last } => {
                write!(f, "voter: term {round} vote {node}, log up to slot {last}")
            }
            Fact::Adopts { epoch } => write!(f, "adopts epoch {epoch}"),
            Fact::Voters { slot: 0, voters } => write!(f, "goes by voters {voters}"),
            Fact::Voters { slot, voters } => write!(f, "goes by voters {voters} of slot {slot}"),
            Fact::Copies { to, next, agreed: true } => {
                write!(f, "copies to {to} from slot {next} on")
            }
            Fact::Copies { to, next, agreed: false } => {
                write!(f, "asks {to} whether logs agree before slot {next}")
            }
            Fact::Stands { stage: Stage::Election, .. } => f.write_str("is in the election"),
            Fact::Stands { stage, leader } => write!(f, "is in {stage} with {leader}"),
            Fact::HandsOver { ballot, to } => write!(f, "hands {ballot} over to {to}"),
            _ => Ok(()),
        }
    }

    fn lock(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Granted { slot, lock, call, token, ttl, mode } => {
                let how = mode.aside();
                write!(f, "slot {slot} grants {lock} to {call} token {token} for {ttl}{how}")
            }
            Fact::Queued { slot, lock, call, ahead, mode } => {
                let how = mode.aside();
                write!(f, "slot {slot} queues {call} for {lock} behind {ahead}{how}")
            }
            Fact::Renewed { slot, lock, token, ttl } => {
                write!(f, "slot {slot} renews {lock} token {token} for {ttl}")
            }
            Fact::Freed { slot, lock, token, why } => {
                write!(f, "slot {slot} frees {lock} token {token}: {why}")
            }
            Fact::Left { slot, lock, call } => {
                write!(f, "slot {slot} takes {call} out of the queue of {lock}")
            }
            Fact::LockIs { slot, lock, token, held } => {
                write!(f, "slot {slot} has {lock} at token {token}")?;
                held.iter().try_for_each(|(token, renewals)| {
                    write!(f, ", held under {token} and renewed {renewals} times")
                })
            }
            Fact::Holds { lock, token, lease, mode } => {
                let how = mode.aside();
                write!(f, "believes it holds {lock} token {token} for {lease}{how}")
            }
            Fact::LetsGo { lock, token, why } => {
                let why = match why {
                    LetGo::Released => "released",
                    LetGo::RanOut => "lease ran out",
                    LetGo::Told => "was told",
                };
                write!(f, "lets go of {lock} token {token}: {why}")
            }
            Fact::Guards { resource, call, token, highest, accepted } => {
                let verdict = if *accepted { "accepts" } else { "rejects" };
                write!(f, "{resource} {verdict} write of {call} token {token}, highest {highest}")
            }
            Fact::Key { lock, deed } => key::display(f, lock.as_str(), deed),
            Fact::Primary { epoch, node } => write!(f, "goes by {node} as primary of e{epoch}"),
            Fact::Takes { resource, call, token } => {
                write!(f, "{resource} takes write of {call} token {token}, compares none")
            }
            _ => Ok(()),
        }
    }

    fn quorum(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Keeps { key, versions } => write!(f, "keeps {key}: {versions}"),
            Fact::Acknowledges { key, dot, epoch, acks, hinted } => {
                write!(f, "acknowledges {key} {dot} e{epoch} by {}", List(acks))?;
                match hinted.is_empty() {
                    true => Ok(()),
                    false => write!(f, ", hints for {}", List(hinted)),
                }
            }
            Fact::Answers { key, call, epoch, from, versions } => {
                write!(f, "answers {call} {key} e{epoch} by {}: {versions}", List(from))
            }
            Fact::Hints { target, key, dot } => write!(f, "keeps a hint for {target}: {key} {dot}"),
            Fact::Unhints { target, key, dot, why } => {
                let why = match why {
                    Unhinted::Delivered => "delivered",
                    Unhinted::Expired => "expired",
                    Unhinted::Moved => "moved",
                    Unhinted::Overtaken => "overtaken",
                };
                write!(f, "ends the hint for {target}: {key} {dot} {why}")
            }
            Fact::Loses { key, dot, by } => write!(f, "loses {key} {dot} to {by}"),
            Fact::Purges { key, versions } => write!(f, "purges {key}: {versions}"),
            Fact::Compares { with, level, nodes, differ } => {
                let differ = differ.len();
                write!(f, "compares {nodes} at level {level} with {with}, {differ} differ")
            }
            Fact::Streams { from, keys, news } => {
                write!(f, "compares {keys} keys with {from}, {news} are news")
            }
            _ => Ok(()),
        }
    }

    fn transaction(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = |commit: bool| if commit { "commit" } else { "abort" };
        let value = |prepared: bool| if prepared { "prepared" } else { "aborted" };
        match self {
            Fact::Begins { txn, call, op, participants, how } => {
                write!(f, "{txn} begins {op} ({call}) at {}", List(participants))?;
                match *how == Commitment::default() {
                    true => Ok(()),
                    false => write!(f, " by {how}"),
                }
            }
            Fact::Votes { txn, yes: true, keys } => {
                write!(f, "{txn} votes yes, locks {}", List(keys))
            }
            Fact::Votes { txn, yes: false, .. } => write!(f, "{txn} votes no"),
            Fact::Decides { txn, commit } => write!(f, "{txn} decides {}", outcome(*commit)),
            Fact::Resolves { txn, commit, changes } => {
                write!(f, "{txn} carries out {} {}", outcome(*commit), List(changes))
            }
            Fact::Ends { txn } => write!(f, "{txn} ends"),
            Fact::Precommits { txn, keys } => write!(f, "{txn} precommits {}", List(keys)),
            Fact::InstancePromises { txn, key, ballot } => {
                write!(f, "{txn} {key}: promises {ballot}")
            }
            Fact::InstanceAccepts { txn, key, ballot, prepared } => {
                write!(f, "{txn} {key}: accepts {} in {}", value(*prepared), Turn(*ballot))
            }
            Fact::InstanceChooses { txn, key, prepared } => {
                write!(f, "{txn} {key}: {} is chosen", value(*prepared))
            }
            Fact::TakesOver { txn } => {
                write!(f, "{txn} takes over from {}", txn.coordinator)
            }
            Fact::Invokes { call, op, at, retry } => {
                write!(f, "{call} asks {at}: {op}")?;
                if *retry > 0 { write!(f, ", retry {retry}") } else { Ok(()) }
            }
            Fact::Returns { call, outcome } => write!(f, "{call} hears {outcome}"),
            Fact::Restates => f.write_str("restates what is known"),
            Fact::Restated => f.write_str("has restated"),
            _ => Ok(()),
        }
    }
}
