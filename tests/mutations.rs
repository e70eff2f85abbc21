//! Every planted bug is noticed by the check that is there for it, and the same runs without the
//! bug keep every check silent.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "mutations/faults.rs"]
mod faults;

use faults::{
    circles, crashes, doubt, duel, epochs, exodus, flickering, handovers, jitter, lapses,
    late_word, losses, moving, naps, one_dead, one_link, relay, second, servings, terms, unheard,
    voters, widowed, with_rot,
};
use netsplit::base::balance::{Limits, Policy};
use netsplit::base::cache::{Invalidate, Mode};
use netsplit::base::{
    Commitment, Conflict, Isolation, Mutation, Mutations, NodeId, Op, Pivot, Presume, Rng, Span,
    Style, Time, Voters,
};
use netsplit::check::Checks;
use netsplit::command::Command;
use netsplit::event::{self, Fact};
use netsplit::plan::{
    self, Balance, BalanceSettings, Cache, CacheSettings, Changes, Client, ElectBy, Failover,
    Files, Heartbeats, Keys, Load, Lock, LockKind, Log, LogKind, Membership, Paxos, Plan, Quorum,
    Raft, Reads, Repair, Ring, Services, Sharing, Store, StoreKind, Swim, Terms, Txn, TxnKind,
    Watch, Ways,
};
use netsplit::sim::World;
use netsplit::sim::hunt::{self, Found};
use std::collections::BTreeMap;

/// A kind of cluster, and what is done to it besides the storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// Three nodes and the single decree: two propose by themselves, all are asked to.
    Decree,
    /// Five nodes and the decree, three of them in a hurry, on a bad network and slow disks: many
    /// ballots with different values before one is chosen, and crashes in between.
    Duel,
    /// Five nodes and the log: nodes are asked for entries all the time.
    Log,
    /// The same, with leaders elected by connectivity.
    Connected,
    /// The same, three of five nodes voting at first, and a window of four slots. Every moment
    /// somebody is asked for other voters.
    Electorate,
    /// The same on Raft.
    Raft,
    /// The same without what keeps elections rare, on a bad network where some node crashes every
    /// moment: leaders of many terms whose logs have diverged.
    Terms,
    /// Raft as in `Terms`, three of five nodes voting at first. Every moment somebody is asked for
    /// other voters, or to have another lead.
    Voters,
    /// The same, one voter at a time, beginning with four.
    Singles,
    /// Keys on Raft, read under leases. Again and again a node is asked to have another lead, and cut
    /// off with a client the next moment.
    Handovers,
    /// Raft by these of its switches, in the storm of `Voters`.
    Switched(Switches),
    /// The same under leases, which need voters that listen to no candidate beside a leader.
    Leased(Switches),
    /// Keys on Multi-Paxos whose leaders are elected by connectivity, read so.
    Linked(Reads),
    /// Raft in peace, where somebody is asked to lead now and then.
    Relay,
    /// Raft without elections but those that are called for: acknowledgements come two terms late.
    LateWord,
    /// Keys on Raft, and one voter of five, which is cut off from the second just when that is to
    /// vote, too; then it restarts.
    Second,
    /// Keys on Raft: nobody hears a node just when it is to lead.
    Unheard,
    /// The log on Zab.
    Zab,
    /// The same, with three voters and two observers.
    Observers,
    /// The same in a hurry, on a bad network where some node crashes every moment: leaders of many
    /// epochs whose histories have diverged.
    Epochs,
    /// Keys on a log, read by `Reads::Index`: three clients at a few keys, and leaders that do not
    /// step down by themselves.
    Reads(On),
    /// The same on Multi-Paxos, read by `Reads::Quorum`.
    Quorums,
    /// The same on Zab, where two of the nodes are observers, read by `Reads::Local`; or, if that is
    /// said, by `Reads::Sync`.
    Stale(bool),
    /// The same, read by `Reads::Lease`, on a slow network. Again and again one node is cut off with
    /// a client, just when its wall clock is set back and others restart.
    Leases(On),
    /// The same with long leases and few writes: a node that has not heard of the leader for a while
    /// asks for votes just when the others have restarted and the leader is cut off.
    Naps(On),
    /// Three nodes and the lock service: three clients fight for one lock, and one of them does not
    /// look at its clock.
    Locks,
    /// The same with locks that are keys on one instance, which counts grants.
    Redis,
    /// The same with two replicas and fenced fail-over; and with links that flicker.
    Failover,
    Flickering,
    /// The same, and nothing is wrong but that one node is away for long.
    Widowed,
    /// The same with keys on five independent instances, which keep them over a crash, or forget
    /// them and are silent for a while.
    Redlock(bool),
    /// The same with sessions, nodes and watches, on each kind of log.
    Recipe(On, By),
    /// Locks on the log that clients share.
    Shared(Sharing),
    /// The same with sessions, nodes and watches.
    SharedBy(On, By, Sharing),
    /// Locks on the log, which looks for deadlocks: all the time some client is asked to take one of
    /// three locks for a while, or to give one back.
    Circles,
    /// Five nodes, the ring and the store: three clients read, write and count, few keys each.
    Keys,
    /// The same, and all nodes are told to leave the ring, one after the other.
    Exodus,
    /// More keys, which nodes hand over a page at a time.
    Pages,
    /// The sample bank: five nodes, three clients who move money between eight accounts.
    Bank,
    /// The same on a bad network, with a crash every second: decisions often fail to arrive.
    Doubt,
    /// The same, with nodes that are quick to lose sight of each other.
    Sessions,
    /// The sample bank, whose transactions end by another protocol.
    Money(Commitment),
    /// The same in the faults of `Doubt`.
    Unsure(Commitment),
    /// The same where nodes only crash, on a network that never fails: whoever is suspected is dead.
    Crashes(Commitment),
    /// The same where one of them crashes, for long, and nothing else is wrong.
    Dead(Commitment),
    /// The sample bank, whose transfers are sagas; clients are asked for longer ones, too.
    Trips(Style),
    /// The same in the faults of `Doubt`.
    Late(Style),
    /// The same, impatient, on a network where messages overtake each other.
    Impatient(Style),
    /// Five nodes and the log: three clients open transactions at few keys.
    Opened(On, Isolation),
    /// Five nodes, and keys that are kept by quorums: three clients write and read few of them.
    Quorum(Kept),
    /// Files, put and read by three clients.
    Files(Shelf),
    /// Five nodes that only watch each other; that learn how long to wait, if that is said.
    Watching(bool),
    /// The same by SWIM, which has Lifeguard, if that is said.
    Gossiping(bool),
    /// Nothing is wrong but one link, and every moment it is another.
    OneLink,
    /// Two balancers and four backends of different weights that get slow, fail and drain.
    Requests(Policy),
    /// The same, where balancers go by what backends report.
    Reports,
    /// `Keys` behind caches that keep few of them: little is written, and much is read.
    Cached(Mode),
    /// The same aside, where caches hear of writes by one message.
    Messages,
}

/// What becomes of disks with files on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shelf {
    /// Again and again two of five nodes that do not vote lose their disks at once.
    Lost,
    /// One does, while that of a voter rots, and nobody scrubs.
    Unread,
    /// Five nodes in a storm, and the disk of one of them rots.
    Rotting,
}

/// How keys are kept by quorums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Linearizable: a write asks first, a read writes back.
    Exactly,
    /// The same, r = 1 and w = 3.
    Everywhere,
    /// Two of three each way, the last writer wins, and lagging replicas are repaired later.
    Twice,
    /// The same with siblings.
    Siblings,
    /// Siblings, and keys are deleted and buried.
    Deleted,
    /// What stand-ins keep counts.
    Sloppily,
    /// Siblings, sloppily.
    SloppySiblings,
    /// One of three each way, and nobody asks before it writes.
    Once,
    /// Two of three each way, and nodes that are quick to lose sight of each other, so that keys move.
    Moving,
    /// The same with siblings.
    MovingSiblings,
}

/// Which of Raft's switches are on, bit by bit: pre-vote, sticky voters, quorum checks, voters who
/// change one at a time.
type Switches = u8;

/// Raft with these.
fn switched(on: Switches) -> LogKind {
    let has = |bit: u8| on & 1 << bit != 0;
    let changes = if has(3) { Changes::Single } else { Changes::Joint };
    LogKind::Raft(Raft { pre_vote: has(0), sticky: has(1), check_quorum: has(2), changes })
}

/// The log that a case is about, where it may be more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Raft,
    Paxos,
    Zab,
}

/// How clients take locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// As with ZooKeeper.
    Nodes,
    /// The same, where all watch the lock.
    Herd,
    /// As with etcd.
    Leases,
    /// The same, and the leader notes what is left of leases.
    Notes,
    /// As with etcd, and two more clients follow all changes.
    Watched,
    /// As with Consul; and with keys that go with their sessions.
    Keys,
    Deleted,
    /// As with Consul, on five nodes of which some are always down.
    Falling,
}

impl By {
    fn kind(self) -> LockKind {
        match self {
            By::Nodes => LockKind::ZooKeeper { watch: Watch::Predecessor },
            By::Herd => LockKind::ZooKeeper { watch: Watch::Parent },
            By::Leases | By::Watched => LockKind::Etcd { checkpoint: Span::ZERO },
            By::Notes => LockKind::Etcd { checkpoint: Span::millis(500) },
            By::Keys | By::Falling => {
                LockKind::Consul(Terms { delay: Span::secs(2), deletes: false })
            }
            By::Deleted => LockKind::Consul(Terms { delay: Span::millis(500), deletes: true }),
        }
    }
}

impl On {
    fn kind(self) -> LogKind {
        match self {
            On::Raft => LogKind::Raft(Raft { check_quorum: false, ..Raft::default() }),
            On::Paxos => LogKind::MultiPaxos,
            On::Zab => LogKind::Zab,
        }
    }
}

/// Locks that are mostly read, and semaphores of two permits.
const READ: Sharing = Sharing::Reads(60);
const TWO: Sharing = Sharing::Permits(2);

const COMMIT: Commitment = Commitment::TwoPhase { presume: Presume::Commit, cooperative: false };
const TOGETHER: Commitment = Commitment::TwoPhase { presume: Presume::Abort, cooperative: true };
const COMMIT_TOGETHER: Commitment =
    Commitment::TwoPhase { presume: Presume::Commit, cooperative: true };
const LOGGED: Commitment = Commitment::Logged;
const THREE: Commitment = Commitment::ThreePhase;
const PAXOS: Commitment = Commitment::PaxosCommit { acceptors: 3 };

const LED: Style = Style { choreographed: false, pivot: Pivot::Last, locks: true };
const DANCED: Style = Style { choreographed: true, ..LED };
const SURE: Style = Style { pivot: Pivot::Takes, ..LED };
const DANCED_SURE: Style = Style { pivot: Pivot::Takes, ..DANCED };
const UNLOCKED: Style = Style { locks: false, ..LED };
const DANCED_UNLOCKED: Style = Style { locks: false, ..DANCED };

/// Which check must notice which bug, in which cluster, within how many seeds.
const TABLE: &[(Mutation, &str, Case, u64)] = &[
    (Mutation::MembershipBlind, "progress", Case::Watching(false), 40),
    (Mutation::MembershipBlind, "progress", Case::Watching(true), 40),
    (Mutation::MembershipGrudge, "progress", Case::Watching(false), 40),
    (Mutation::SwimNoRefute, "progress", Case::Gossiping(false), 20),
    (Mutation::SwimNoRefute, "progress", Case::Gossiping(true), 20),
    (Mutation::SwimIncarnationZero, "swim", Case::Gossiping(false), 10),
    (Mutation::SwimHasty, "swim", Case::Gossiping(false), 10),
    (Mutation::SwimHasty, "swim", Case::Gossiping(true), 10),
    (Mutation::SwimOnePath, "swim", Case::OneLink, 10),
    (Mutation::SwimForgetDead, "progress", Case::Gossiping(false), 100),
    (Mutation::SwimRaiseOthers, "swim", Case::Gossiping(false), 10),
    (Mutation::SwimLastWord, "swim", Case::Gossiping(false), 10),
    (Mutation::HostNoBarrier, "paxos", Case::Duel, 40),
    (Mutation::HostNoBarrier, "paxos", Case::Log, 400),
    (Mutation::PaxosForgetPromise, "paxos", Case::Duel, 40),
    (Mutation::PaxosForgetPromise, "paxos", Case::Log, 40),
    (Mutation::PaxosAcceptBelow, "paxos", Case::Decree, 40),
    (Mutation::PaxosAcceptBelow, "paxos", Case::Log, 40),
    (Mutation::PaxosOwnValue, "paxos", Case::Decree, 40),
    (Mutation::PaxosOwnValue, "paxos", Case::Log, 40),
    (Mutation::PaxosFirstReport, "paxos", Case::Duel, 100),
    (Mutation::PaxosReuseBallot, "paxos", Case::Decree, 40),
    (Mutation::PaxosMinority, "paxos", Case::Decree, 40),
    (Mutation::PaxosMinority, "paxos", Case::Log, 40),
    (Mutation::PaxosCountValues, "paxos", Case::Duel, 100),
    (Mutation::PaxosRandomBallot, "paxos", Case::Decree, 10),
    (Mutation::PaxosNoPrepare, "paxos", Case::Decree, 10),
    (Mutation::PaxosDecideAlone, "paxos", Case::Decree, 10),
    (Mutation::PaxosVolatile, "paxos", Case::Duel, 40),
    (Mutation::PaxosAcceptAbove, "progress", Case::Locks, 10),
    (Mutation::PaxosInvent, "paxos", Case::Decree, 10),
    (Mutation::PaxosUnraised, "paxos", Case::Duel, 400),
    (Mutation::LogSkipPhaseOne, "paxos", Case::Log, 40),
    (Mutation::LogApplyGaps, "log", Case::Log, 40),
    (Mutation::LogFollowAny, "paxos", Case::Log, 40),
    (Mutation::LogSkipPhaseOne, "paxos", Case::Connected, 40),
    (Mutation::LogNoWindow, "paxos", Case::Electorate, 40),
    (Mutation::PaxosOwnValue, "paxos", Case::Electorate, 40),
    (Mutation::LogNoClientTable, "log", Case::Log, 40),
    (Mutation::RaftCommitAnyTerm, "raft", Case::Terms, 20),
    (Mutation::RaftForgetVote, "raft", Case::Raft, 10),
    (Mutation::RaftForgetTerm, "raft", Case::Raft, 10),
    (Mutation::RaftVoteTwice, "raft", Case::Raft, 60),
    (Mutation::RaftVoteBlind, "raft", Case::Raft, 40),
    (Mutation::RaftAckEarly, "raft", Case::Raft, 40),
    (Mutation::RaftNoMatch, "raft", Case::Terms, 60),
    (Mutation::RaftNoTruncate, "raft", Case::Raft, 40),
    (Mutation::RaftTruncateAlways, "raft", Case::Raft, 10),
    (Mutation::RaftCommitBeyond, "raft", Case::Raft, 60),
    (Mutation::RaftInstallOld, "raft", Case::Raft, 60),
    (Mutation::LogReadLocal, "clients", Case::Reads(On::Raft), 40),
    (Mutation::LogReadOldRound, "clients", Case::Reads(On::Raft), 40),
    (Mutation::LogReadEarly, "clients", Case::Leases(On::Raft), 40),
    (Mutation::LogLeaseWall, "clients", Case::Leases(On::Raft), 40),
    (Mutation::LogBreakLease, "clients", Case::Naps(On::Raft), 400),
    (Mutation::LogForgetLease, "clients", Case::Naps(On::Raft), 400),
    (Mutation::LogReadLocal, "clients", Case::Reads(On::Paxos), 40),
    (Mutation::LogReadOldRound, "clients", Case::Leases(On::Paxos), 40),
    (Mutation::LogReadEarly, "clients", Case::Leases(On::Paxos), 150),
    (Mutation::LogLeaseWall, "clients", Case::Leases(On::Paxos), 40),
    (Mutation::LogBreakLease, "clients", Case::Naps(On::Paxos), 40),
    (Mutation::LogForgetLease, "clients", Case::Naps(On::Paxos), 400),
    (Mutation::LogReadLocal, "clients", Case::Quorums, 40),
    (Mutation::LogReadApplied, "clients", Case::Quorums, 40),
    (Mutation::RaftConfigEarly, "raft", Case::Singles, 20),
    (Mutation::RaftConfigPending, "raft", Case::Singles, 20),
    (Mutation::RaftConfigKept, "raft", Case::Singles, 1_000),
    (Mutation::RaftSingleMany, "raft", Case::Singles, 20),
    (Mutation::RaftJointNewOnly, "raft", Case::Voters, 20),
    (Mutation::RaftCountLearners, "raft", Case::Voters, 20),
    (Mutation::RaftRemovedCounts, "raft", Case::Singles, 60),
    (Mutation::RaftRemovedLeads, "raft", Case::Singles, 20),
    (Mutation::RaftTransferBehind, "raft", Case::Voters, 20),
    (Mutation::RaftTransferKeepsLease, "clients", Case::Handovers, 40),
    (Mutation::RaftTransferIgnored, "progress", Case::Relay, 10),
    (Mutation::RaftAckOldTerm, "raft", Case::LateWord, 10),
    (Mutation::RaftLearnerRefuses, "progress", Case::Second, 10),
    (Mutation::RaftStuckProbe, "progress", Case::Unheard, 40),
    (Mutation::LogReadBackwards, "clients", Case::Stale(false), 40),
    (Mutation::LogReadBackwards, "clients", Case::Stale(true), 400),
    (Mutation::ZabCountObserver, "zab", Case::Observers, 40),
    (Mutation::LogNoClientTable, "log", Case::Raft, 40),
    (Mutation::ZabForgetEpoch, "zab", Case::Zab, 100),
    (Mutation::ZabAckEpochTwice, "zab", Case::Epochs, 400),
    (Mutation::ZabBlindLeader, "zab", Case::Epochs, 100),
    (Mutation::ZabEpochFirst, "zab", Case::Epochs, 100),
    (Mutation::ZabAckBeforeHistory, "zab", Case::Epochs, 100),
    (Mutation::ZabNoTrunc, "zab", Case::Epochs, 100),
    (Mutation::ZabNoGapCheck, "zab", Case::Epochs, 100),
    (Mutation::ZabHole, "zab", Case::Epochs, 40),
    (Mutation::LogNoClientTable, "log", Case::Zab, 40),
    (Mutation::HostNoBarrier, "raft", Case::Raft, 400),
    (Mutation::LockBlindRelease, "lock", Case::Locks, 40),
    (Mutation::LockNoFence, "lock", Case::Locks, 100),
    (Mutation::LockRepeatToken, "lock", Case::Locks, 10),
    (Mutation::LockShared, "lock", Case::Locks, 10),
    (Mutation::LockNoExpiry, "progress", Case::Locks, 40),
    (Mutation::LockUnfair, "lock", Case::Locks, 10),
    (Mutation::LockBlindRenew, "lock", Case::Locks, 100),
    (Mutation::LockWakeAll, "lock", Case::Locks, 10),
    (Mutation::LockStaleExpiry, "lock", Case::Locks, 100),
    (Mutation::LockForgetWaiters, "lock", Case::Locks, 10),
    (Mutation::LockLateLease, "lock", Case::Locks, 40),
    (Mutation::LockLeaseWall, "lock", Case::Locks, 100),
    (Mutation::LockShared, "lock", Case::Redis, 10),
    (Mutation::LockBlindRelease, "lock", Case::Redis, 40),
    (Mutation::LockBlindRenew, "lock", Case::Redis, 100),
    (Mutation::LockNoExpiry, "progress", Case::Redis, 40),
    (Mutation::LockNoFence, "lock", Case::Redis, 100),
    (Mutation::LockLateLease, "lock", Case::Redis, 40),
    (Mutation::LockLeaseWall, "lock", Case::Redis, 100),
    (Mutation::RedisConstantValue, "lock", Case::Redis, 40),
    (Mutation::RedisExpireLater, "progress", Case::Redis, 40),
    (Mutation::RedisOwnKey, "lock", Case::Redis, 10),
    (Mutation::RedisReleaseBySecond, "lock", Case::Redis, 40),
    (Mutation::LockShared, "lock", Case::Redlock(true), 10),
    (Mutation::LockLateLease, "lock", Case::Redlock(true), 40),
    (Mutation::LockLeaseWall, "lock", Case::Redlock(true), 100),
    (Mutation::RedisOwnKey, "lock", Case::Redlock(true), 10),
    (Mutation::FailoverNoFence, "lock", Case::Flickering, 600),
    (Mutation::FailoverMinority, "lock", Case::Failover, 100),
    (Mutation::FailoverAnyTarget, "lock", Case::Failover, 100),
    (Mutation::FailoverGrantTwice, "lock", Case::Flickering, 100),
    (Mutation::FailoverNoHold, "lock", Case::Failover, 100),
    (Mutation::FailoverAckEarly, "lock", Case::Failover, 100),
    (Mutation::FailoverUnanimous, "progress", Case::Widowed, 10),
    (Mutation::FailoverFavourite, "lock", Case::Widowed, 10),
    (Mutation::RedlockMinority, "lock", Case::Redlock(true), 40),
    (Mutation::LockNoCompare, "lock", Case::Recipe(On::Paxos, By::Nodes), 10),
    (Mutation::LockWaitAlways, "progress", Case::Recipe(On::Paxos, By::Nodes), 10),
    (Mutation::LockFallThrough, "lock", Case::Recipe(On::Paxos, By::Nodes), 10),
    (Mutation::LockFallThrough, "lock", Case::Recipe(On::Paxos, By::Herd), 10),
    (Mutation::LockBarePath, "lock", Case::Recipe(On::Paxos, By::Nodes), 10),
    (Mutation::LockNoGuid, "progress", Case::Recipe(On::Paxos, By::Nodes), 40),
    (Mutation::LockOvertaken, "progress", Case::Recipe(On::Paxos, By::Nodes), 200),
    (Mutation::LockOrphans, "lock", Case::Recipe(On::Paxos, By::Nodes), 10),
    (Mutation::LockSuspendedIsOver, "lock", Case::Recipe(On::Paxos, By::Nodes), 10),
    (Mutation::LockListBackwards, "progress", Case::Recipe(On::Paxos, By::Nodes), 80),
    (Mutation::LockStaleExpiry, "lock", Case::Recipe(On::Paxos, By::Nodes), 40),
    (Mutation::LockLateLease, "lock", Case::Recipe(On::Paxos, By::Nodes), 40),
    (Mutation::LockLeaseWall, "lock", Case::Recipe(On::Paxos, By::Nodes), 100),
    (Mutation::LockNoFence, "lock", Case::Recipe(On::Paxos, By::Nodes), 100),
    (Mutation::LockNoExpiry, "progress", Case::Recipe(On::Paxos, By::Nodes), 40),
    (Mutation::LockNoRecheck, "lock", Case::Recipe(On::Raft, By::Leases), 40),
    (Mutation::LessorAny, "lock", Case::Recipe(On::Raft, By::Leases), 40),
    (Mutation::LessorUnsure, "lock", Case::Recipe(On::Raft, By::Leases), 40),
    (Mutation::LessorKeepNote, "lock", Case::Recipe(On::Raft, By::Notes), 200),
    (Mutation::LessorOldCount, "lock", Case::Recipe(On::Raft, By::Leases), 40),
    (Mutation::LockOrphans, "lock", Case::Recipe(On::Raft, By::Leases), 10),
    (Mutation::WatchResumeLate, "lock", Case::Recipe(On::Raft, By::Watched), 10),
    (Mutation::WatchResumeEarly, "lock", Case::Recipe(On::Raft, By::Watched), 10),
    (Mutation::WatchReorder, "lock", Case::Recipe(On::Raft, By::Watched), 10),
    (Mutation::WatchSplit, "lock", Case::Recipe(On::Raft, By::Watched), 40),
    (Mutation::WatchSilent, "lock", Case::Recipe(On::Raft, By::Watched), 40),
    (Mutation::WatchHasty, "lock", Case::Recipe(On::Raft, By::Watched), 10),
    (Mutation::WatchGhost, "lock", Case::Recipe(On::Raft, By::Watched), 40),
    (Mutation::WatchStaleList, "lock", Case::Recipe(On::Raft, By::Watched), 40),
    (Mutation::LockNoExpiry, "progress", Case::Recipe(On::Raft, By::Leases), 40),
    (Mutation::LockLateLease, "lock", Case::Recipe(On::Raft, By::Leases), 40),
    (Mutation::LockNoFence, "lock", Case::Recipe(On::Raft, By::Leases), 100),
    (Mutation::ConsulHasty, "lock", Case::Recipe(On::Raft, By::Keys), 10),
    (Mutation::ConsulNoDelay, "lock", Case::Recipe(On::Paxos, By::Keys), 10),
    (Mutation::ConsulForgetDelay, "lock", Case::Recipe(On::Raft, By::Falling), 40),
    (Mutation::ConsulSameIndex, "lock", Case::Recipe(On::Zab, By::Keys), 10),
    (Mutation::ConsulLate, "lock", Case::Recipe(On::Raft, By::Keys), 10),
    (Mutation::ConsulShared, "lock", Case::Recipe(On::Paxos, By::Keys), 10),
    (Mutation::ConsulBlindRelease, "lock", Case::Recipe(On::Raft, By::Keys), 40),
    (Mutation::ConsulWrongNode, "lock", Case::Recipe(On::Raft, By::Keys), 10),
    (Mutation::LockOrphans, "lock", Case::Recipe(On::Raft, By::Keys), 10),
    (Mutation::SharedBarge, "lock", Case::Shared(READ), 10),
    (Mutation::SharedWriter, "lock", Case::Shared(READ), 10),
    (Mutation::SharedOneReader, "lock", Case::Shared(READ), 10),
    (Mutation::SharedOver, "lock", Case::Shared(TWO), 10),
    (Mutation::SharedBarge, "lock", Case::SharedBy(On::Paxos, By::Nodes, READ), 10),
    (Mutation::SharedWriter, "lock", Case::SharedBy(On::Raft, By::Leases, READ), 10),
    (Mutation::SharedNoGate, "lock", Case::SharedBy(On::Paxos, By::Nodes, TWO), 40),
    (Mutation::ConsulNoCas, "lock", Case::SharedBy(On::Raft, By::Keys, TWO), 10),
    (Mutation::ConsulPruneLive, "lock", Case::SharedBy(On::Paxos, By::Keys, TWO), 10),
    (Mutation::ConsulNoPrune, "progress", Case::SharedBy(On::Raft, By::Keys, TWO), 10),
    (Mutation::DeadlockStale, "lock", Case::Circles, 10),
    (Mutation::DeadlockLate, "lock", Case::Circles, 40),
    (Mutation::DeadlockOldest, "lock", Case::Circles, 10),
    (Mutation::RingNoWrap, "ring", Case::Bank, 10),
    (Mutation::RingOneNode, "ring", Case::Bank, 10),
    (Mutation::RingRandomPoints, "ring", Case::Bank, 10),
    (Mutation::RingRepeatOwner, "ring", Case::Bank, 10),
    (Mutation::RingLeaveLast, "ring", Case::Exodus, 1),
    (Mutation::RingUnevenEpoch, "ring", Case::Bank, 10),
    (Mutation::RingReshuffle, "ring", Case::Bank, 10),
    (Mutation::RingNoThrottle, "ring", Case::Pages, 10),
    (Mutation::RingNoHandoff, "ring", Case::Bank, 10),
    (Mutation::RingNoHandoff, "clients", Case::Keys, 10),
    (Mutation::StoreAckEarly, "clients", Case::Keys, 40),
    (Mutation::StoreNoEpoch, "bank", Case::Bank, 40),
    (Mutation::StoreNoEpoch, "clients", Case::Keys, 40),
    (Mutation::StoreOneSlot, "clients", Case::Keys, 40),
    (Mutation::QuorumCountTwice, "quorum", Case::Quorum(Kept::Twice), 10),
    (Mutation::QuorumCountHints, "quorum", Case::Quorum(Kept::Twice), 40),
    (Mutation::QuorumReadOne, "quorum", Case::Quorum(Kept::Twice), 10),
    (Mutation::QuorumNoWriteBack, "clients", Case::Quorum(Kept::Everywhere), 40),
    (Mutation::QuorumOneRing, "quorum", Case::Quorum(Kept::Moving), 40),
    (Mutation::QuorumForgetHint, "quorum", Case::Quorum(Kept::Sloppily), 40),
    (Mutation::QuorumDropSibling, "quorum", Case::Quorum(Kept::Siblings), 10),
    (Mutation::QuorumLocalClock, "clients", Case::Quorum(Kept::Exactly), 40),
    (Mutation::QuorumPurgeEarly, "quorum", Case::Quorum(Kept::Deleted), 40),
    (Mutation::QuorumOtherRange, "quorum", Case::Quorum(Kept::Twice), 10),
    (Mutation::FilesTrustRead, "files", Case::Files(Shelf::Unread), 10),
    (Mutation::FilesAckEarly, "files", Case::Files(Shelf::Rotting), 40),
    (Mutation::FilesCopySpoilt, "files", Case::Files(Shelf::Unread), 10),
    (Mutation::FilesTrustScrub, "files", Case::Files(Shelf::Rotting), 10),
    (Mutation::FilesForgetEntry, "files", Case::Files(Shelf::Lost), 10),
    (Mutation::FilesDropEarly, "files", Case::Files(Shelf::Lost), 10),
    (Mutation::FilesVouchBlind, "files", Case::Files(Shelf::Lost), 40),
    (Mutation::FilesNoThrottle, "files", Case::Files(Shelf::Lost), 10),
    (Mutation::TxnIgnoreVotes, "atomic", Case::Bank, 10),
    (Mutation::TxnNoForce, "atomic", Case::Bank, 20),
    (Mutation::TxnNoForce, "bank", Case::Doubt, 40),
    (Mutation::TxnForgetDecision, "atomic", Case::Doubt, 20),
    (Mutation::TxnForgetEarly, "bank", Case::Doubt, 10),
    (Mutation::TxnIgnoreAbort, "progress", Case::Doubt, 10),
    (Mutation::TxnHeuristic, "atomic", Case::Bank, 20),
    (Mutation::TxnDisconnect, "atomic", Case::Sessions, 40),
    (Mutation::TxnAnyDecision, "atomic", Case::Bank, 100),
    (Mutation::TxnReverse, "atomic", Case::Bank, 10),
    (Mutation::TxnEarlyRelease, "atomic", Case::Bank, 10),
    (Mutation::TxnNoCollecting, "atomic", Case::Unsure(COMMIT), 20),
    (Mutation::TxnForgetAbort, "atomic", Case::Unsure(COMMIT), 20),
    (Mutation::TxnForgetDecision, "atomic", Case::Unsure(COMMIT), 20),
    (Mutation::TxnAnswerUnvoted, "atomic", Case::Unsure(TOGETHER), 40),
    (Mutation::TxnForgetDecision, "atomic", Case::Unsure(LOGGED), 20),
    (Mutation::TxnLastDecision, "atomic", Case::Unsure(LOGGED), 20),
    (Mutation::CacheStaleSet, "cache", Case::Cached(Mode::Aside), 40),
    (Mutation::CacheNoLease, "cache", Case::Cached(Mode::Aside), 10),
    (Mutation::CacheNoLease, "cache", Case::Cached(Mode::ReadThrough), 10),
    (Mutation::CacheLeaseForever, "cache", Case::Cached(Mode::Aside), 10),
    (Mutation::CacheDeleteFirst, "cache", Case::Cached(Mode::Aside), 40),
    (Mutation::CacheSetInstead, "cache", Case::Cached(Mode::Aside), 40),
    (Mutation::CacheDeleteLost, "cache", Case::Cached(Mode::ReadThrough), 10),
    (Mutation::CacheSetLast, "cache", Case::Cached(Mode::WriteThrough), 40),
    (Mutation::CacheOldContents, "cache", Case::Cached(Mode::ReadThrough), 10),
    (Mutation::CacheNoEvict, "cache", Case::Cached(Mode::Aside), 10),
    (Mutation::CacheUntold, "cache", Case::Messages, 10),
    (Mutation::CacheNoExpiry, "cache", Case::Messages, 60),
    (Mutation::CacheCreateOnly, "cache", Case::Cached(Mode::WriteThrough), 10),
    (Mutation::CacheBlindCredit, "cache", Case::Cached(Mode::WriteBehind), 10),
    (Mutation::CacheEvictOwed, "cache", Case::Cached(Mode::WriteBehind), 10),
    (Mutation::CacheRefreshOwed, "cache", Case::Cached(Mode::WriteBehind), 20),
    (Mutation::SagaNoKey, "saga", Case::Late(LED), 10),
    (Mutation::SagaNoKey, "saga", Case::Late(DANCED), 10),
    (Mutation::SagaNoTombstone, "saga", Case::Impatient(LED), 20),
    (Mutation::SagaLateIsFailed, "saga", Case::Impatient(DANCED), 20),
    (Mutation::SagaUndoBlind, "saga", Case::Impatient(LED), 20),
    (Mutation::SagaUndoForward, "saga", Case::Late(LED), 40),
    (Mutation::SagaUndoForward, "saga", Case::Late(DANCED), 40),
    (Mutation::SagaUndoPivot, "saga", Case::Late(LED), 40),
    (Mutation::SagaUndoPivot, "saga", Case::Late(SURE), 40),
    (Mutation::SagaLateIsFailed, "saga", Case::Late(LED), 40),
    (Mutation::SagaDropUndo, "saga", Case::Late(LED), 40),
    (Mutation::SagaNoLog, "saga", Case::Late(LED), 40),
    (Mutation::SagaNoLog, "progress", Case::Late(DANCED), 40),
    (Mutation::SagaNoLock, "saga", Case::Late(LED), 40),
    (Mutation::SagaPassAndForget, "progress", Case::Late(DANCED), 40),
    (Mutation::TxDirtyRead, "isolation", Case::Opened(On::Raft, Isolation::ReadCommitted), 10),
    (Mutation::TxDirtyRead, "isolation", Case::Opened(On::Raft, Isolation::Serializable), 10),
    (Mutation::TxNoSnapshot, "isolation", Case::Opened(On::Raft, Isolation::Snapshot), 10),
    (Mutation::TxLastCommitter, "isolation", Case::Opened(On::Raft, Isolation::Snapshot), 10),
    (Mutation::TxNoValidation, "isolation", Case::Opened(On::Raft, Isolation::Serializable), 10),
    (Mutation::TxKeepWrites, "isolation", Case::Opened(On::Raft, Isolation::ReadCommitted), 10),
    (Mutation::TxForgetOwn, "isolation", Case::Opened(On::Raft, Isolation::ReadCommitted), 10),
    (Mutation::TxNoExpiry, "progress", Case::Opened(On::Raft, Isolation::Serializable), 40),
    (Mutation::TxReopen, "isolation", Case::Opened(On::Raft, Isolation::ReadCommitted), 100),
    (
        Mutation::TxAnyTransaction,
        "isolation",
        Case::Opened(On::Raft, Isolation::ReadCommitted),
        100,
    ),
    (Mutation::BalanceRoundSkips, "balance", Case::Requests(Policy::RoundRobin), 10),
    (Mutation::BalanceBursts, "balance", Case::Requests(Policy::Weighted), 10),
    (Mutation::BalanceNoWeights, "balance", Case::Requests(Policy::LeastConnections), 10),
    (Mutation::BalanceStaleLoad, "balance", Case::Reports, 10),
    (Mutation::BalancePickEjected, "balance", Case::Requests(Policy::Random), 10),
    (Mutation::BalanceIgnoreDrain, "balance", Case::Requests(Policy::RoundRobin), 10),
    (Mutation::BalanceSilentPanic, "balance", Case::Requests(Policy::RoundRobin), 10),
    (Mutation::BalanceEjectAll, "balance", Case::Requests(Policy::Random), 10),
    (Mutation::BalanceNeverEject, "balance", Case::Requests(Policy::LeastConnections), 10),
    (Mutation::BalanceNoSlowStart, "balance", Case::Requests(Policy::TwoChoices), 10),
    (Mutation::BalanceRetrySame, "balance", Case::Requests(Policy::WeightedRandom), 10),
    (Mutation::BalanceRetryStorm, "balance", Case::Requests(Policy::RoundRobin), 10),
    (Mutation::BalanceUnbounded, "balance", Case::Requests(Policy::Hash), 10),
    (Mutation::BalanceDrainStuck, "balance", Case::Requests(Policy::TwoChoices), 40),
    (Mutation::ThreePhaseWait, "progress", Case::Dead(THREE), 20),
    (Mutation::PaxosCommitWait, "progress", Case::Dead(PAXOS), 20),
    (Mutation::ThreePhaseSkip, "atomic", Case::Crashes(THREE), 10),
    (Mutation::ThreePhaseIgnoreReady, "atomic", Case::Crashes(THREE), 200),
    (Mutation::PaxosCommitFree, "paxoscommit", Case::Unsure(PAXOS), 20),
    (Mutation::PaxosCommitOwnValue, "paxoscommit", Case::Unsure(PAXOS), 20),
    (Mutation::PaxosCommitVolatile, "paxoscommit", Case::Unsure(PAXOS), 40),
    (Mutation::PaxosCommitBelow, "paxoscommit", Case::Unsure(PAXOS), 40),
    (Mutation::PaxosCommitOne, "paxoscommit", Case::Unsure(PAXOS), 40),
];

/// Answers from long leases, and six clients that seldom write.
fn long_leases(on: On) -> Plan {
    let election = Ways { fastest: Span::secs(2), slowest: Span::millis(2_400) };
    let log = Some(Log { kind: on.kind(), reads: Reads::Lease, election, ..Log::default() });
    let services = Services { log, ..Services::default() };
    let client = |n| {
        let load = vec![Load::ReadWrite { keys: 1, writes: 2 }];
        Client { rate: 20, timeout: Span::millis(300), ..Client::new(n, load) }
    };
    Plan { services, clients: (1..=6).map(client).collect(), ..Plan::bare(5) }
}

/// The others are observers.
fn three() -> Voters {
    Voters::of((1..=3).map(NodeId::node))
}

/// Three clients at one key.
fn reading(on: On, reads: Reads) -> Plan {
    // Leaders of Multi-Paxos step down when the longest time is over.
    let slowest = Span::millis(if on == On::Paxos { 1_600 } else { 800 });
    let election = Ways { slowest, ..Log::default().election };
    let voters = (on == On::Zab).then(three);
    let log = Some(Log { kind: on.kind(), reads, election, voters, ..Log::default() });
    let services = Services { log, ..Services::default() };
    let load = || vec![Load::ReadWrite { keys: 1, writes: 40 }];
    let client = |n| {
        let timeout = Span::millis(300);
        Client { rate: 40, timeout, ..Client::new(n, load()) }
    };
    let clients = (1..=3).map(client).collect();
    Plan { services, clients, ..Plan::bare(5) }
}

/// The same with another log.
fn with_log(mut plan: Plan, change: impl FnOnce(&mut Log)) -> Plan {
    if let Some(log) = &mut plan.services.log {
        change(log);
    }
    plan
}

/// Keys on Raft, where clients are to be answered soon.
fn pressed(voters: Option<Voters>) -> Plan {
    let plan = with_log(reading(On::Raft, Reads::Index), |log| log.voters = voters);
    Plan { progress_within: Span::secs(8), ..plan }
}

/// Raft without switches, where nobody seeks to lead by itself.
fn patient() -> Plan {
    let election = Ways { fastest: Span::secs(60), slowest: Span::secs(90) };
    with_log(hurried(switched(0), Span::millis(30)), |log| log.election = election)
}

/// A log in a hurry, whose voters change; the first so many nodes vote at first.
fn changing(kind: LogKind, voters: u16) -> Plan {
    let (heartbeat, snapshot_every) = (Span::millis(30), 50);
    let election = Ways { fastest: Span::millis(60), slowest: Span::millis(180) };
    let voters = Some(Voters::of((1..=voters).map(NodeId::node)));
    let log =
        Log { kind, heartbeat, election, snapshot_every, voters, window: 4, ..Log::default() };
    let services = Services { log: Some(log), ..Services::default() };
    Plan { services, ..Plan::bare(5) }
}

fn raft(changes: Changes) -> LogKind {
    LogKind::Raft(Raft { check_quorum: false, changes, ..Raft::default() })
}

/// The same cluster with so many clients like its first.
fn with_clients(count: u16, plan: Plan) -> Plan {
    let client = |n| Client { id: NodeId::client(n), ..plan.clients[0].clone() };
    Plan { clients: (1..=count).map(client).collect(), ..plan }
}

/// Five nodes with a store, and three clients that read, write and count, few keys each.
fn few_keys() -> Plan {
    let (paxos, lock, txn) = (None, None, None);
    let services = Services { paxos, lock, txn, ..Services::all() };
    let load = || vec![Load::ReadWrite { keys: 6, writes: 50 }, Load::Count { counters: 2 }];
    let clients = (1..=3).map(|n| Client::new(n, load())).collect();
    Plan { services, clients, ..Plan::bare(5) }
}

fn fighting() -> Plan {
    let (log, lock) = (Some(Log::default()), Some(Lock::default()));
    let services = Services { log, lock, ..Services::default() };
    let (ttl, hold, share) = (Span::millis(800), Span::millis(600), Sharing::Alone);
    let load = || vec![Load::Lock { locks: vec!["door".parse().unwrap()], ttl, hold, share }];
    let client = |n| Client { careful: n > 1, ..Client::new(n, load()) };
    let clients = (1..=3).map(client).collect();
    Plan { services, clients, progress_within: Span::secs(8), ..Plan::bare(3) }
}

/// The same fight among five, for locks that they share.
fn sharing(share: Sharing, plan: Plan) -> Plan {
    let mut plan = with_clients(5, plan);
    for load in plan.clients.iter_mut().flat_map(|client| &mut client.load) {
        if let Load::Lock { hold, share: how, .. } = load {
            (*hold, *how) = ((*hold).min(Span::millis(400)), share);
        }
    }
    plan
}

/// Four clients that do as they are told, and a log that looks for deadlocks.
fn crossing() -> Plan {
    let fighting = fighting();
    let lock = Some(Lock { detects: true, ..Lock::default() });
    let clients = (1..=4).map(|n| Client::new(n, Vec::new())).collect();
    Plan { services: Services { lock, ..fighting.services }, clients, ..fighting }
}

/// The same fight, for keys of instances.
fn polling(kind: LockKind, nodes: u16) -> Plan {
    let lock = Lock { kind, detects: false };
    let services = Services { lock: Some(lock), ..Services::default() };
    // Nobody is promised a turn, so turns are short, and there are many until somebody is missed.
    let (ttl, hold, share) = (Span::millis(800), Span::millis(500), Sharing::Alone);
    let load = || vec![Load::Lock { locks: vec!["door".parse().unwrap()], ttl, hold, share }];
    let client = |n| Client { retries: 2, careful: n > 1, ..Client::new(n, load()) };
    let clients = (1..=3).map(client).collect();
    Plan { services, clients, progress_within: Span::secs(19), ..Plan::bare(nodes) }
}

fn keys(fsync: bool) -> Keys {
    let (attempt, retry) = (Span::millis(200), Span::millis(100));
    let restart_delay = if fsync { Span::ZERO } else { Span::secs(1) };
    Keys { fsync, restart_delay, attempt, retry, ..Keys::default() }
}

/// One instance with two replicas, one of which has to have a write.
fn replicated() -> Keys {
    let (down_after, hold_down) = (Span::millis(300), Span::secs(1));
    let failover = Failover::Fenced;
    Keys { replicas: 2, acks: 1, failover, down_after, hold_down, fencing: true, ..keys(true) }
}

/// The same with a client that is alone, and never waits for another.
fn alone() -> Plan {
    let one = with_clients(1, polling(LockKind::Redis(replicated()), 5));
    Plan { progress_within: Span::secs(4), ..one }
}

/// The same by a recipe, with a fourth client, and sessions that often end.
fn by_recipe(on: On, by: By) -> Plan {
    let keys = matches!(by, By::Keys | By::Deleted | By::Falling);
    let (fighting, kind) = (with_clients(if keys { 3 } else { 4 }, fighting()), by.kind());
    // A note does harm only where another leader comes soon after it.
    let log = match by {
        By::Notes => {
            let election = Ways { fastest: Span::millis(150), slowest: Span::millis(300) };
            Log { heartbeat: Span::millis(40), election, ..Log::default() }
        }
        _ => Log::default(),
    };
    let log = Some(Log { kind: on.kind(), ..log });
    // Nodes that are quick to lose sight of each other take sessions along.
    let heartbeats =
        Heartbeats { heartbeat: Span::millis(200), suspect_after: Span::millis(800), phi: None };
    let membership = keys.then_some(Membership::Heartbeats(heartbeats));
    let lock = Some(Lock { kind, detects: false });
    let services = Services { log, lock, membership, ..fighting.services };
    let long = |mut client: Client| {
        for load in &mut client.load {
            if let (Load::Lock { ttl, .. }, By::Notes) = (&mut *load, by) {
                *ttl = Span::secs(3);
            }
            // Nobody is promised a turn, so turns are short.
            if let (Load::Lock { hold, .. }, true) = (load, keys) {
                *hold = Span::millis(100);
            }
        }
        client
    };
    let watching = |n| Client::new(n, vec![Load::Watch]);
    let more = if by == By::Watched { 5..7 } else { 5..5 };
    let clients = fighting.clients.into_iter().map(long).chain(more.map(watching)).collect();
    let nodes = Plan::bare(if by == By::Falling { 5 } else { 3 }).nodes;
    Plan { nodes, services, clients, ..fighting }
}

fn cached(mode: Mode, invalidate: Invalidate) -> Plan {
    let ttl = Span::millis(1_500);
    let lease = Span::millis(400);
    let settings =
        CacheSettings { mode, capacity: 2, ttl, lease, early: 20, ..CacheSettings::default() };
    let settings = CacheSettings { invalidate, behind: 1, ..settings };
    let nodes = (1..=5).map(NodeId::node).collect();
    let mut plan = plan(Case::Keys);
    plan.services.cache = Some(Cache { nodes, settings });
    let load = || vec![Load::ReadWrite { keys: 12, writes: 25 }];
    let client = |n| Client { rate: 40, ..Client::new(n, load()) };
    Plan { clients: (1..=4).map(client).collect(), ..plan }
}

fn requests(policy: Policy, reports: bool) -> Plan {
    let limits = Limits { reports, eject_after: 3, ..Limits::default() };
    let cold = Span::secs(2);
    let settings = BalanceSettings { policy, limits, cold, ..BalanceSettings::default() };
    let nodes = |from, to| (from..=to).map(NodeId::node).collect::<Vec<_>>();
    let balance = Balance { balancers: nodes(1, 2), backends: nodes(3, 6), settings };
    let services = Services { balance: Some(balance), ..Services::default() };
    let client = |n| Client { rate: 40, ..Client::new(n, vec![Load::Request { keys: 8 }]) };
    let mut plan = Plan { services, clients: (1..=3).map(client).collect(), ..Plan::bare(6) };
    for (node, weight) in plan.nodes.iter_mut().skip(2).zip([5, 1, 1, 2]) {
        node.weight = weight;
    }
    plan
}

fn watching(learning: bool) -> Plan {
    let (heartbeat, suspect_after) = (Span::millis(100), Span::millis(400));
    let phi = learning.then_some(8);
    let heartbeats = Heartbeats { heartbeat, suspect_after, phi };
    let membership = Some(Membership::Heartbeats(heartbeats));
    let services = Services { membership, ..Services::default() };
    Plan { services, progress_within: Span::secs(2), ..Plan::bare(5) }
}

/// On SWIM that is in a hurry.
fn gossiping(lifeguard: bool) -> Plan {
    let (period, timeout) = (Span::millis(100), Span::millis(40));
    let (gossip, push_pull) = (Span::millis(30), Span::secs(3));
    let swim = Swim { period, timeout, gossip, push_pull, lifeguard, ..Swim::default() };
    let membership = Some(Membership::Swim(swim));
    let services = Services { membership, ..Services::default() };
    Plan { services, progress_within: Span::secs(2), ..Plan::bare(5) }
}

/// Nodes notice soon that another is dead, and it takes them longer than any message is under way.
fn hasty(case: Case, mut plan: Plan) -> Plan {
    if let Case::Dead(_) = case {
        plan.progress_within = Span::secs(8);
    }
    if let Case::Crashes(_) = case {
        // So slow that most crashes come when some have heard the news, and others have not.
        plan.net = Ways { fastest: Span::millis(1), slowest: Span::millis(40) };
    }
    let (heartbeat, suspect_after) = (Span::millis(100), Span::millis(500));
    let heartbeats = Heartbeats { heartbeat, suspect_after, phi: None };
    plan.services.membership = Some(Membership::Heartbeats(heartbeats));
    for client in &mut plan.clients {
        client.rate = 20;
    }
    plan
}

/// The sample bank with another protocol.
fn bank(how: Commitment) -> Plan {
    let mut plan = plan::builtin("bank").unwrap();
    plan.services.txn = Some(Txn { kind: how.into(), ..Txn::default() });
    plan
}

/// Clients in a hurry, who give up soon and go on, and one that does only what it is told.
fn opened(on: On, level: Isolation) -> Plan {
    let kind = TxnKind::Opened { level, idle_timeout: Span::secs(3) };
    let txn = Some(Txn { kind, ..Txn::default() });
    let log = Some(Log { kind: on.kind(), snapshot_every: 40, ..Log::default() });
    let services = Services { log, txn, ..Services::default() };
    let client = |n| {
        let load = vec![Load::Transact { keys: 3 }];
        Client { rate: 20, timeout: Span::millis(400), retries: 2, ..Client::new(n, load) }
    };
    let clients = (1..=3).map(client).chain([Client::new(4, Vec::new())]).collect();
    Plan { services, clients, progress_within: Span::secs(6), ..Plan::bare(5) }
}

/// Twice, the last client opens a transaction and leaves it alone: in the storm, and after it.
fn left_open(calm: Time) -> Vec<(Time, Command)> {
    let at = |(after, line): (u64, &str)| (Time(after), line.parse().expect("a command"));
    let (one, two) = (calm.0 / 4, calm.0 + 1_000_000);
    let lines = [
        (one, "c4 tx begin"),
        (one + 200_000, "c4 tx get key/1"),
        (two, "c4 tx begin"),
        (two + 200_000, "c4 tx set key/1=1"),
    ];
    lines.map(at).into()
}

/// The sample bank with sagas.
fn trips(style: Style, step_timeout: Span) -> Plan {
    let mut plan = plan::builtin("bank").unwrap();
    let kind = TxnKind::Saga { step_timeout, style };
    plan.services.txn = Some(Txn { kind, retry: Span::millis(50), ..Txn::default() });
    plan
}

/// The sample bank, whose nodes are quick to lose sight of each other.
fn sessions() -> Plan {
    let mut plan = plan::builtin("bank").unwrap();
    let (heartbeat, suspect_after) = (Span::millis(100), Span::millis(500));
    let heartbeats = Heartbeats { heartbeat, suspect_after, phi: None };
    plan.services.membership = Some(Membership::Heartbeats(heartbeats));
    plan
}

fn kept(how: Kept) -> Plan {
    let base = Quorum {
        hint_window: Span::secs(10),
        grace: Span::secs(7),
        sync_every: Span::secs(1),
        ..Quorum::default()
    };
    let siblings = Quorum { versions: Conflict::Siblings, ..base };
    let quorum = match how {
        Kept::Exactly => Quorum { read_repair: Repair::WriteBack, ..base },
        Kept::Everywhere => Quorum { r: 1, w: 3, read_repair: Repair::WriteBack, ..base },
        Kept::Twice => base,
        Kept::Siblings | Kept::Deleted => siblings,
        Kept::Sloppily => Quorum { sloppy: true, ..base },
        Kept::SloppySiblings => Quorum { sloppy: true, ..siblings },
        Kept::Once => Quorum { r: 1, w: 1, survey: false, ..base },
        Kept::Moving => Quorum { read_repair: Repair::WriteBack, ..base },
        Kept::MovingSiblings => siblings,
    };
    let moving = matches!(how, Kept::Moving | Kept::MovingSiblings);
    let patience = if moving { Span::millis(500) } else { Span::secs(4) };
    let heartbeat = Span(patience.0 / 4);
    let membership = Heartbeats { heartbeat, suspect_after: patience, phi: None };
    let membership = Some(Membership::Heartbeats(membership));
    let ring = Some(Ring {
        evict_after: patience,
        admit_after: Span(patience.0 / 2),
        vnodes: 16,
        ..Ring::default()
    });
    let store = Some(Store { kind: StoreKind::Quorum(quorum), ..Store::default() });
    let services =
        Services { membership, ring, store, log: Some(Log::default()), ..Services::default() };
    let mut load = vec![Load::ReadWrite { keys: 6, writes: 50 }; 3];
    if matches!(how, Kept::Deleted | Kept::MovingSiblings | Kept::Sloppily | Kept::SloppySiblings) {
        load.push(Load::Delete { keys: 6 });
    }
    let hot = matches!(how, Kept::Exactly | Kept::Everywhere);
    if hot {
        load = vec![Load::ReadWrite { keys: 2, writes: 40 }];
    }
    let rate = if hot { 40 } else { 10 };
    let clients = (1..=3).map(|n| Client { rate, ..Client::new(n, load.clone()) }).collect();
    Plan { services, clients, progress_within: Span::secs(12), ..Plan::bare(5) }
}

/// A log of five nodes that miss their leader soon.
fn hurried(kind: LogKind, heartbeat: Span) -> Plan {
    let election = Ways { fastest: Span::millis(60), slowest: Span::millis(180) };
    let log = Some(Log { kind, heartbeat, election, snapshot_every: 200, ..Log::default() });
    Plan { services: Services { log, ..Services::default() }, ..Plan::bare(5) }
}

/// Three clients at files of up to four blocks, on nodes that are quick to lose sight of each other;
/// in a storm, where disks are slow, they have patience. Where nobody scrubs, files last for so long
/// that what is spoilt is read and copied.
fn shelf(how: Shelf) -> Plan {
    let patience = Span::secs(1);
    let (quick, slow) = (
        Heartbeats { heartbeat: Span::millis(200), suspect_after: patience, phi: None },
        Heartbeats::default(),
    );
    let membership = Membership::Heartbeats(if how == Shelf::Rotting { slow } else { quick });
    let ring = Ring { vnodes: 16, evict_after: patience, admit_after: patience, ..Ring::default() };
    let scrub = if how == Shelf::Unread { Span::ZERO } else { Span::secs(2) };
    let lasting = how == Shelf::Unread;
    let (count, rate, throttle) = if lasting { (12, 3, 256 << 10) } else { (3, 10, 16 << 10) };
    let files = Files { block: 8 << 10, throttle, scrub, ..Files::default() };
    let voters = (how != Shelf::Rotting).then(three);
    let services = Services {
        membership: Some(membership),
        log: Some(Log { voters, ..Log::default() }),
        ring: Some(ring),
        files: Some(files),
        ..Services::default()
    };
    let load = vec![Load::Files { files: count, size: 32 << 10 }];
    let clients = (1..=3).map(|n| Client { rate, ..Client::new(n, load.clone()) }).collect();
    let nodes = if how == Shelf::Rotting { 5 } else { 8 };
    Plan { services, clients, progress_within: Span::secs(10), ..Plan::bare(nodes) }
}

/// Forty keys, which nodes hand over no faster than they may.
fn pages() -> Plan {
    let mut plan = plan(Case::Keys);
    let ring = plan.services.ring.unwrap_or_default();
    plan.services.ring = Some(Ring { handoff_rate: Some(16), ..ring });
    for client in &mut plan.clients {
        client.load = vec![Load::ReadWrite { keys: 40, writes: 50 }];
    }
    plan
}

fn plan(case: Case) -> Plan {
    let name = |text: &str| text.parse().unwrap();
    match case {
        _ if is_of_logs(case) => log_plan(case),
        Case::Decree => {
            let proposers = vec![(NodeId::node(1), name("red")), (NodeId::node(2), name("blue"))];
            let paxos = Some(Paxos { proposers, ..Paxos::default() });
            Plan { services: Services { paxos, ..Services::default() }, ..Plan::bare(3) }
        }
        Case::Duel => {
            let proposers = ["red", "blue", "green"].map(name);
            let proposers = (1..).map(NodeId::node).zip(proposers).collect();
            let (retry, backoff) = (Span::millis(40), Span::millis(20));
            let paxos = Some(Paxos { proposers, retry, backoff });
            Plan { services: Services { paxos, ..Services::default() }, ..Plan::bare(5) }
        }
        Case::Locks => fighting(),
        Case::Shared(share) => sharing(share, fighting()),
        Case::SharedBy(on, by, share) => sharing(share, by_recipe(on, by)),
        Case::Circles => crossing(),
        Case::Redis => polling(LockKind::Redis(Keys { fencing: true, ..keys(true) }), 3),
        Case::Failover | Case::Flickering => polling(LockKind::Redis(replicated()), 5),
        Case::Widowed => alone(),
        Case::Redlock(fsync) => polling(LockKind::Redlock(keys(fsync)), 5),
        Case::Recipe(on, by) => by_recipe(on, by),
        Case::Keys | Case::Exodus => few_keys(),
        Case::Pages => pages(),
        Case::Quorum(how) => kept(how),
        Case::Files(how) => shelf(how),
        Case::Watching(learning) => watching(learning),
        Case::Gossiping(lifeguard) => gossiping(lifeguard),
        Case::OneLink => gossiping(true),
        Case::Requests(policy) => requests(policy, false),
        Case::Reports => requests(Policy::LeastConnections, true),
        Case::Cached(mode) => cached(mode, Invalidate::Acknowledged),
        Case::Messages => cached(Mode::Aside, Invalidate::Message),
        Case::Bank => plan::builtin("bank").unwrap(),
        Case::Doubt => Plan { progress_within: Span::secs(15), ..plan::builtin("bank").unwrap() },
        Case::Money(how) => bank(how),
        Case::Crashes(how) | Case::Dead(how) => hasty(case, bank(how)),
        Case::Unsure(how) => Plan { progress_within: Span::secs(15), ..bank(how) },
        Case::Sessions => sessions(),
        Case::Opened(on, level) => opened(on, level),
        Case::Trips(style) => trips(style, Span::secs(1)),
        Case::Late(style) => {
            Plan { progress_within: Span::secs(15), ..trips(style, Span::secs(1)) }
        }
        Case::Impatient(style) => trips(style, Span::millis(60)),
        _ => unreachable!("{case:?} is of logs"),
    }
}

fn log_plan(case: Case) -> Plan {
    match case {
        Case::Log | Case::Connected | Case::Raft | Case::Zab | Case::Observers => {
            let kind = match case {
                Case::Raft => LogKind::Raft(Raft::default()),
                Case::Zab | Case::Observers => LogKind::Zab,
                _ => LogKind::MultiPaxos,
            };
            let connected = case == Case::Connected;
            let elect_by = if connected { ElectBy::Connectivity } else { ElectBy::Patience };
            let voters = (case == Case::Observers).then(three);
            let log = Log { kind, elect_by, voters, snapshot_every: 20, ..Log::default() };
            let log = Some(log);
            Plan { services: Services { log, ..Services::default() }, ..Plan::bare(5) }
        }
        Case::Terms => hurried(switched(0), Span::millis(30)),
        Case::Electorate => changing(LogKind::MultiPaxos, 3),
        Case::Voters => changing(raft(Changes::Joint), 3),
        Case::Singles => changing(raft(Changes::Single), 4),
        Case::Switched(on) => changing(switched(on), 4),
        Case::Leased(on) => with_log(plan(Case::Leases(On::Raft)), |log| log.kind = switched(on)),
        Case::Linked(reads) => {
            with_log(reading(On::Paxos, reads), |log| log.elect_by = ElectBy::Connectivity)
        }
        Case::Relay => Plan { progress_within: Span::secs(1), ..plan(Case::Raft) },
        Case::LateWord => patient(),
        Case::Second => pressed(Some(Voters::of([NodeId::node(1)]))),
        Case::Unheard => pressed(None),
        Case::Handovers => with_clients(6, plan(Case::Leases(On::Raft))),
        Case::Epochs => hurried(LogKind::Zab, Span::millis(20)),
        Case::Reads(on) => reading(on, Reads::Index),
        Case::Quorums => reading(On::Paxos, Reads::Quorum),
        Case::Leases(on) => reading(on, Reads::Lease),
        Case::Stale(sync) => reading(On::Zab, if sync { Reads::Sync } else { Reads::Local }),
        Case::Naps(on) => long_leases(on),
        _ => unreachable!("{case:?} is not of logs"),
    }
}

fn until(case: Case) -> Time {
    match case {
        Case::Decree | Case::Exodus => Time(12_000_000),
        Case::Duel => Time(3_000_000),
        Case::Log | Case::Connected | Case::Raft | Case::Zab | Case::Observers => Time(18_000_000),
        Case::Terms
        | Case::Epochs
        | Case::Voters
        | Case::Singles
        | Case::Switched(_)
        | Case::Electorate => Time(12_000_000),
        Case::Linked(_) | Case::Reads(_) | Case::Quorums | Case::Stale(_) | Case::Relay => {
            Time(20_000_000)
        }
        Case::LateWord => Time(12_000_000),
        Case::Second | Case::Unheard => Time(20_000_000),
        Case::Leases(_) | Case::Leased(_) | Case::Handovers => Time(30_000_000),
        Case::Naps(_) => Time(54_000_000),
        Case::Locks
        | Case::Shared(_)
        | Case::SharedBy(..)
        | Case::Circles
        | Case::Recipe(..)
        | Case::Watching(_)
        | Case::OneLink => Time(30_000_000),
        Case::Redis | Case::Failover | Case::Redlock(_) => Time(60_000_000),
        Case::Flickering | Case::Widowed => Time(45_000_000),
        Case::Gossiping(_) => Time(60_000_000),
        Case::Doubt
        | Case::Sessions
        | Case::Unsure(_)
        | Case::Crashes(_)
        | Case::Dead(_)
        | Case::Late(_)
        | Case::Impatient(_) => Time(45_000_000),
        Case::Keys
        | Case::Pages
        | Case::Quorum(_)
        | Case::Bank
        | Case::Money(_)
        | Case::Trips(_) => Time(60_000_000),
        Case::Files(_) => Time(66_000_000),
        Case::Opened(..) => Time(36_000_000),
        Case::Requests(_) | Case::Reports | Case::Cached(_) | Case::Messages => Time(30_000_000),
    }
}

/// The storm of this seed, and requests in between.
fn commands(case: Case, seed: u64, plan: &Plan) -> Vec<(Time, Command)> {
    let until = until(case);
    match case {
        Case::Duel => return duel(seed),
        Case::Doubt | Case::Sessions | Case::Unsure(_) => return doubt(seed),
        Case::Crashes(_) => return crashes(seed),
        Case::Dead(_) => return one_dead(seed),
        Case::Late(_) => return moving(seed, doubt(seed)),
        Case::Impatient(_) => return moving(seed, jitter()),
        Case::Trips(_) => return moving(seed, hunt::storm(seed, plan, until)),
        Case::Exodus => return exodus(),
        Case::OneLink => return one_link(seed),
        Case::Flickering => return flickering(seed),
        Case::Widowed => return widowed(seed),
        Case::Requests(_) | Case::Reports => return servings(seed, plan, until),
        Case::Files(Shelf::Lost) => return losses(seed, 2, until),
        Case::Files(Shelf::Unread) => return with_rot(seed, 1, losses(seed, 1, until), until),
        Case::Files(Shelf::Rotting) => {
            let rotten = Rng::split(seed, "rotten", 0).between(1, 5);
            let storm = hunt::storm(seed, plan, until);
            return with_rot(seed, rotten as u16, storm, until);
        }
        Case::LateWord => return late_word(seed),
        _ => {}
    }
    let mut commands = match case {
        Case::Terms => terms(seed),
        Case::Epochs => epochs(seed),
        Case::Voters | Case::Singles | Case::Switched(_) | Case::Electorate => voters(seed, plan),
        Case::Handovers => handovers(seed),
        Case::Relay => relay(seed),
        Case::Second => second(seed),
        Case::Unheard => unheard(seed),
        Case::Leases(_) | Case::Leased(_) => lapses(seed),
        Case::Naps(_) => naps(seed),
        Case::Recipe(_, By::Notes) => lulls(seed),
        Case::Recipe(_, By::Falling) => crashes(seed),
        Case::Circles => circles(seed, hunt::storm(seed, plan, until), until),
        _ => hunt::storm(seed, plan, until),
    };
    if let Case::Opened(..) = case {
        commands.extend(left_open(hunt::calm(until)));
        commands.sort_by_key(|(at, _)| *at);
    }
    if matches!(case, Case::Recipe(_, By::Watched)) {
        // A session with two locks: its end removes several nodes in one slot.
        let asks = |(at, line): (u64, &str)| (Time(at), line.parse().expect("a command"));
        let roof = [(1_000_000, "c1 acquire roof 2s"), (2_000_000, "c2 acquire roof 2s")];
        commands.extend(roof.map(asks));
        commands.sort_by_key(|(at, _)| *at);
    }
    if !plan.clients.is_empty() {
        return commands;
    }
    let mut rng = Rng::split(seed, "asks", 0);
    let nodes: Vec<NodeId> = plan.nodes.iter().map(|node| node.id).collect();
    let mut at = Time::ZERO;
    for n in 0.. {
        at += rng.span(Span::millis(1), Span::millis(if case == Case::Decree { 400 } else { 150 }));
        if at >= until {
            break;
        }
        let who = *rng.pick(&nodes).unwrap();
        let op = Op::Propose { value: format!("v{n}").parse().unwrap() };
        commands.push((at, Command::Ask { who, op }));
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// Again and again a client is cut off until little is left of its session. Then it gives a sign of
/// life, and it and all nodes crash. The last time is over before the storm would be.
fn lulls(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "lulls", 0);
    let mut commands = Vec::new();
    for round in 0..3u64 {
        let mut at = Time(2_000_000 + round * 5_000_000);
        let client = rng.between(1, 4);
        let mut give = |after: Span, line: String| {
            at += after;
            commands.push((at, line.parse().expect("a command")));
        };
        give(rng.span(Span::ZERO, Span::millis(500)), format!("partition c{client} | n1,n2,n3"));
        give(Span::millis(2_200), "heal".to_owned());
        give(rng.span(Span::millis(100), Span::millis(1_200)), format!("kill c{client}"));
        give(Span::millis(1), "kill n1,n2,n3".to_owned());
        give(Span::millis(50), "restart n1,n2,n3".to_owned());
        give(Span::millis(800), format!("restart c{client}"));
    }
    commands
}

fn run(case: Case, seed: u64, mutations: Mutations) -> Found {
    let plan = Plan { mutations, ..plan(case) };
    let commands = commands(case, seed, &plan);
    hunt::run(&plan, seed, &commands, until(case), true, &mut |_| {})
}

/// `NETSPLIT_BUGS=txn.` chooses those whose names begin so.
#[test]
fn every_planted_bug_is_noticed() {
    let (mut missed, mut report) = (Vec::new(), Vec::new());
    let which = std::env::var("NETSPLIT_BUGS").unwrap_or_default();
    let chosen = TABLE.iter().filter(|(mutation, ..)| mutation.name().starts_with(&which));
    for (mutation, check, case, seeds) in chosen {
        let mutations = Mutations::NONE.with(*mutation);
        let caught = (0..*seeds).find_map(|seed| {
            let found = run(*case, seed, mutations);
            let violation = found.checks.violations().find(|v| v.check == *check).cloned();
            violation.map(|violation| (seed, violation))
        });
        match caught {
            Some(noticed) => report.push(format!("{mutation} in {case:?}: {noticed:?}")),
            None => missed.push(format!("{mutation} in {case:?}")),
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}; noticed: {report:#?}");
}

/// What a late observer of such a run finds, who comes when a tenth of it is over.
fn late(case: Case, seed: u64, mutations: Mutations) -> Checks {
    let plan = Plan { mutations, ..plan(case) };
    let mut commands = commands(case, seed, &plan).into_iter().peekable();
    let (until, mut out) = (until(case), Vec::new());
    let mut world = World::new(&plan, seed, event::Watch::Facts, &mut out);
    let mut checks: Option<Checks> = None;
    loop {
        let next = world.next();
        if checks.is_none() && next.0 > until.0 / 10 {
            out.clear();
            world.restate_all(&mut out);
            checks = Some(Checks::partial(&plan.expect()));
        } else if let Some((at, command)) = commands.next_if(|(at, _)| *at <= next && *at <= until)
        {
            world.wait(at);
            _ = world.apply(&command, &mut out);
        } else if next > until || !world.step(&mut out) {
            break;
        }
        for event in out.drain(..) {
            checks.iter_mut().for_each(|checks| _ = checks.see(&event));
        }
    }
    let mut checks = checks.unwrap();
    checks.finish();
    checks
}

/// That no quorum voted for one thing in one ballot is hidden from a late observer: who voted for it
/// in a later ballot may have done so in an earlier one too. And how long a lease had lasted is
/// judged only by who saw it all, and so is what clients have asked for, and what those who follow
/// changes were told before.
const ONLY_SEEN_FROM_THE_START: &[Mutation] = &[
    Mutation::PaxosCountValues,
    Mutation::PaxosDecideAlone,
    Mutation::LockLeaseWall,
    Mutation::PaxosInvent,
    Mutation::LockNoCompare,
    Mutation::LockFallThrough,
    Mutation::LockOrphans,
    Mutation::LockSuspendedIsOver,
    Mutation::FilesAckEarly,
    Mutation::FilesTrustScrub,
    Mutation::FilesDropEarly,
    Mutation::LockNoRecheck,
    Mutation::LessorUnsure,
    Mutation::LessorKeepNote,
    Mutation::LessorOldCount,
    Mutation::ConsulHasty,
    Mutation::ConsulNoDelay,
    Mutation::ConsulForgetDelay,
    Mutation::ConsulLate,
    Mutation::ConsulWrongNode,
    Mutation::DeadlockStale,
    Mutation::DeadlockLate,
    Mutation::DeadlockOldest,
    Mutation::SharedOneReader,
    Mutation::WatchResumeLate,
    Mutation::WatchResumeEarly,
    Mutation::WatchReorder,
    Mutation::WatchSplit,
    Mutation::WatchSilent,
    Mutation::WatchHasty,
    Mutation::WatchGhost,
    Mutation::WatchStaleList,
];

/// A late observer notices nearly all bugs as well, though it does not know how it all began.
#[test]
fn a_late_observer_notices_bugs_as_well() {
    let (mut missed, mut report) = (Vec::new(), Vec::new());
    // Bugs of caches show against earlier writes, which a newcomer has not seen.
    let late_too = |row: &&(Mutation, &str, _, _)| {
        // Nor has it seen what clients had asked for that take locks in steps.
        let in_steps = matches!(row.2, Case::SharedBy(..));
        !ONLY_SEEN_FROM_THE_START.contains(&row.0) && row.1 != "cache" && !in_steps
    };
    let which = std::env::var("NETSPLIT_BUGS").unwrap_or_default();
    let chosen = TABLE.iter().filter(|(mutation, ..)| mutation.name().starts_with(&which));
    for (mutation, check, case, seeds) in chosen.filter(late_too) {
        let mutations = Mutations::NONE.with(*mutation);
        let notices = |seed: &u64| {
            let checks = late(*case, *seed, mutations);
            checks.violations().any(|violation| violation.check == *check)
        };
        match (0..*seeds).find(notices) {
            Some(seed) => report.push(format!("{mutation} in {case:?}: {check}, seed {seed}")),
            None => missed.push((*mutation, *check, *case)),
        }
    }
    assert_eq!(missed, [], "noticed: {report:#?}");
}

/// No check is broken, and when the storm is over there is progress: what is asked for is answered
/// within three seconds, and something is chosen.
fn silent(case: Case, seeds: std::ops::Range<u64>) {
    let (calm, until) = (hunt::calm(until(case)), until(case));
    for seed in seeds {
        let (plan, mut open, mut chosen) = (plan(case), BTreeMap::new(), false);
        let commands = commands(case, seed, &plan);
        let found =
            hunt::run(&plan, seed, &commands, until, true, &mut |event| match event.fact() {
                Some(Fact::Invokes { call, .. }) => drop(open.insert(*call, event.at)),
                Some(Fact::Returns { call, .. }) => drop(open.remove(call)),
                Some(Fact::Chooses { .. } | Fact::Commits { .. }) => chosen = true,
                _ => {}
            });
        assert!(found.clean(), "{case:?} seed {seed}: {:?} {:?}", found.first(), found.panic);
        let due = calm..Time(until.0.saturating_sub(3_000_000));
        open.retain(|_, asked| due.contains(asked));
        // Where no ring change is due, nobody needs the log, and some have none.
        chosen |= is_of_money(case) || is_of_members(case);
        chosen |= matches!(case, Case::Keys | Case::Pages);
        chosen |= matches!(case, Case::Quorum(_) | Case::Redis | Case::Redlock(_));
        chosen |= matches!(case, Case::Requests(_) | Case::Reports) || is_of_caches(case);
        chosen |= matches!(case, Case::Failover | Case::Flickering | Case::Widowed);
        assert!(chosen && open.is_empty(), "{case:?} seed {seed} is stuck: {open:?}");
    }
}

/// Every case, and how many storms of it each test run has.
const SOUND: &[(Case, u64)] = &[
    (Case::Watching(false), 100),
    (Case::Watching(true), 100),
    (Case::Gossiping(false), 60),
    (Case::Gossiping(true), 60),
    (Case::OneLink, 40),
    (Case::Decree, 150),
    (Case::Duel, 100),
    (Case::Log, 30),
    (Case::Connected, 30),
    (Case::Electorate, 60),
    (Case::Raft, 60),
    (Case::Terms, 40),
    (Case::Voters, 40),
    (Case::Singles, 40),
    (Case::Handovers, 20),
    (Case::Switched(0), 4),
    (Case::Switched(1), 4),
    (Case::Switched(2), 4),
    (Case::Switched(3), 4),
    (Case::Switched(4), 4),
    (Case::Switched(5), 4),
    (Case::Switched(6), 4),
    (Case::Switched(7), 4),
    (Case::Switched(8), 4),
    (Case::Switched(9), 4),
    (Case::Switched(10), 4),
    (Case::Switched(11), 4),
    (Case::Switched(12), 4),
    (Case::Switched(13), 4),
    (Case::Switched(14), 4),
    (Case::Switched(15), 4),
    (Case::Leased(2), 4),
    (Case::Leased(3), 4),
    (Case::Leased(6), 4),
    (Case::Linked(Reads::Index), 4),
    (Case::Linked(Reads::Lease), 4),
    (Case::Linked(Reads::Quorum), 4),
    (Case::Relay, 10),
    (Case::LateWord, 10),
    (Case::Second, 10),
    (Case::Unheard, 20),
    (Case::Zab, 60),
    (Case::Observers, 60),
    (Case::Stale(false), 60),
    (Case::Stale(true), 60),
    (Case::Epochs, 40),
    (Case::Reads(On::Raft), 40),
    (Case::Reads(On::Paxos), 40),
    (Case::Quorums, 40),
    (Case::Leases(On::Raft), 40),
    (Case::Leases(On::Paxos), 40),
    (Case::Naps(On::Raft), 20),
    (Case::Naps(On::Paxos), 20),
    (Case::Locks, 100),
    (Case::Redis, 100),
    (Case::Failover, 60),
    (Case::Flickering, 40),
    (Case::Widowed, 30),
    (Case::Redlock(true), 60),
    (Case::Redlock(false), 60),
    (Case::Recipe(On::Paxos, By::Nodes), 60),
    (Case::Recipe(On::Raft, By::Nodes), 40),
    (Case::Recipe(On::Zab, By::Nodes), 40),
    (Case::Recipe(On::Paxos, By::Herd), 40),
    (Case::Recipe(On::Raft, By::Leases), 40),
    (Case::Recipe(On::Paxos, By::Leases), 40),
    (Case::Recipe(On::Zab, By::Leases), 40),
    (Case::Recipe(On::Raft, By::Notes), 40),
    (Case::Recipe(On::Raft, By::Watched), 40),
    (Case::Recipe(On::Paxos, By::Watched), 20),
    (Case::Recipe(On::Zab, By::Watched), 20),
    (Case::Recipe(On::Raft, By::Keys), 40),
    (Case::Recipe(On::Paxos, By::Keys), 40),
    (Case::Recipe(On::Zab, By::Keys), 40),
    (Case::Recipe(On::Raft, By::Deleted), 40),
    (Case::Recipe(On::Raft, By::Falling), 20),
    (Case::Circles, 40),
    (Case::Shared(READ), 60),
    (Case::Shared(TWO), 60),
    (Case::SharedBy(On::Paxos, By::Nodes, READ), 40),
    (Case::SharedBy(On::Zab, By::Nodes, READ), 20),
    (Case::SharedBy(On::Raft, By::Leases, READ), 40),
    (Case::SharedBy(On::Paxos, By::Nodes, TWO), 40),
    (Case::SharedBy(On::Zab, By::Herd, TWO), 20),
    (Case::SharedBy(On::Raft, By::Keys, TWO), 40),
    (Case::SharedBy(On::Paxos, By::Keys, TWO), 20),
    (Case::SharedBy(On::Zab, By::Keys, TWO), 20),
    (Case::SharedBy(On::Raft, By::Deleted, TWO), 20),
    (Case::Keys, 30),
    (Case::Pages, 20),
    (Case::Quorum(Kept::Exactly), 10),
    (Case::Quorum(Kept::Everywhere), 10),
    (Case::Quorum(Kept::Twice), 10),
    (Case::Quorum(Kept::Siblings), 10),
    (Case::Quorum(Kept::Deleted), 10),
    (Case::Quorum(Kept::Sloppily), 10),
    (Case::Quorum(Kept::SloppySiblings), 10),
    (Case::Quorum(Kept::Once), 10),
    (Case::Quorum(Kept::Moving), 10),
    (Case::Quorum(Kept::MovingSiblings), 10),
    (Case::Files(Shelf::Lost), 20),
    (Case::Files(Shelf::Unread), 10),
    (Case::Files(Shelf::Rotting), 20),
    (Case::Exodus, 3),
    (Case::Bank, 30),
    (Case::Doubt, 30),
    (Case::Money(COMMIT), 10),
    (Case::Unsure(COMMIT), 10),
    (Case::Money(TOGETHER), 10),
    (Case::Unsure(TOGETHER), 10),
    (Case::Unsure(COMMIT_TOGETHER), 10),
    (Case::Money(LOGGED), 10),
    (Case::Unsure(LOGGED), 10),
    (Case::Requests(Policy::RoundRobin), 20),
    (Case::Requests(Policy::Random), 10),
    (Case::Requests(Policy::Weighted), 20),
    (Case::Requests(Policy::WeightedRandom), 10),
    (Case::Requests(Policy::LeastConnections), 20),
    (Case::Requests(Policy::TwoChoices), 10),
    (Case::Requests(Policy::Hash), 20),
    (Case::Reports, 20),
    (Case::Crashes(THREE), 30),
    (Case::Dead(THREE), 20),
    (Case::Dead(PAXOS), 20),
    (Case::Crashes(PAXOS), 10),
    (Case::Opened(On::Raft, Isolation::ReadUncommitted), 10),
    (Case::Opened(On::Raft, Isolation::ReadCommitted), 10),
    (Case::Opened(On::Raft, Isolation::Snapshot), 20),
    (Case::Opened(On::Raft, Isolation::Serializable), 20),
    (Case::Opened(On::Paxos, Isolation::Snapshot), 10),
    (Case::Opened(On::Paxos, Isolation::Serializable), 20),
    (Case::Opened(On::Zab, Isolation::Snapshot), 10),
    (Case::Opened(On::Zab, Isolation::Serializable), 20),
    (Case::Trips(LED), 10),
    (Case::Late(LED), 10),
    (Case::Trips(DANCED), 10),
    (Case::Late(DANCED), 10),
    (Case::Trips(SURE), 10),
    (Case::Late(SURE), 10),
    (Case::Late(DANCED_SURE), 10),
    (Case::Trips(UNLOCKED), 10),
    (Case::Late(UNLOCKED), 10),
    (Case::Late(DANCED_UNLOCKED), 10),
    (Case::Impatient(LED), 10),
    (Case::Impatient(DANCED), 10),
    (Case::Impatient(SURE), 10),
    (Case::Money(PAXOS), 10),
    (Case::Unsure(PAXOS), 10),
    (Case::Cached(Mode::Aside), 10),
    (Case::Cached(Mode::ReadThrough), 10),
    (Case::Cached(Mode::WriteThrough), 10),
    (Case::Cached(Mode::WriteBehind), 10),
    (Case::Messages, 10),
];

/// Whether a case is about a log alone.
fn is_of_logs(case: Case) -> bool {
    use Case::*;
    matches!(
        case,
        Log | Connected
            | Electorate
            | Raft
            | Terms
            | Voters
            | Singles
            | Handovers
            | Relay
            | Switched(_)
            | Leased(_)
            | Linked(_)
            | LateWord
            | Second
            | Unheard
            | Zab
            | Observers
            | Stale(_)
            | Epochs
            | Reads(_)
            | Quorums
            | Leases(_)
            | Naps(_)
    )
}

fn is_of_money(case: Case) -> bool {
    use Case::*;
    matches!(
        case,
        Bank | Doubt
            | Sessions
            | Money(_)
            | Unsure(_)
            | Crashes(_)
            | Dead(_)
            | Trips(_)
            | Late(_)
            | Impatient(_)
            | Opened(..)
    )
}

/// Whether nodes only watch each other.
fn is_of_caches(case: Case) -> bool {
    matches!(case, Case::Cached(_) | Case::Messages)
}

fn is_of_members(case: Case) -> bool {
    matches!(case, Case::Watching(_) | Case::Gossiping(_) | Case::OneLink)
}

#[test]
fn without_a_bug_no_check_is_broken() {
    SOUND.iter().for_each(|(case, seeds)| silent(*case, 0..*seeds));
    // A node has accepted an epoch that came to nothing, and all others follow in an older one.
    silent(Case::Epochs, 1_086..1_087);
    // A node crashes when what it took over is on its disk, and before it came to say so.
    silent(Case::Crashes(THREE), 110..111);
    // A vote is repeated when the log is asked to commit already, and says no.
    silent(Case::Money(LOGGED), 607..608);
    // A saga is passed on once more, by a message that was under way until it was long over.
    silent(Case::Late(DANCED), 203..204);
    // A node crashes when it is on its disk that a saga has no step left, and not whose it is now.
    silent(Case::Late(DANCED), 441..442);
    // An acceptor crashes when a vote is on its disk, and before it came to say so.
    silent(Case::Unsure(PAXOS), 680..681);
    // A client that waits hears nothing for so long that the log has forgotten when it began to.
    silent(Case::Recipe(On::Zab, By::Nodes), 961..962);
}

/// What three-phase commit assumes is needed: the storms that all others survive break it.
#[test]
fn three_phase_commit_breaks_when_the_network_splits() {
    let broken = |seed: &u64| {
        let found = run(Case::Money(THREE), *seed, Mutations::NONE);
        found.checks.violations().any(|violation| violation.check == "atomic")
    };
    assert!((0..40).any(|seed| broken(&seed)));
}

/// `NETSPLIT_SEEDS=2000..5000` chooses which.
#[test]
#[ignore = "takes minutes; run it after a change to the store by quorums or its checks"]
fn quorums_survive_a_thousand_storms() {
    let quorums = SOUND.iter().filter(|(case, _)| matches!(case, Case::Quorum(_)));
    quorums.for_each(|(case, _)| silent(*case, seeds().unwrap_or(0..1_000)));
}

/// `NETSPLIT_SEEDS` chooses which, and `NETSPLIT_CASES=Aside` of which cases.
#[test]
#[ignore = "takes minutes; run it after a change to caches or their check"]
fn caches_survive_a_thousand_storms() {
    let which = std::env::var("NETSPLIT_CASES").unwrap_or_default();
    let chosen = |case: Case| is_of_caches(case) && format!("{case:?}").contains(&which);
    let caches = SOUND.iter().filter(|(case, _)| chosen(*case));
    caches.for_each(|(case, _)| silent(*case, seeds().unwrap_or(0..1_000)));
}

/// No byte is lost as long as fewer disks are lost at once than a block has copies.
#[test]
#[ignore = "takes minutes; run it after a change to the file store or its checks"]
fn files_survive_a_thousand_storms() {
    let files = SOUND.iter().filter(|(case, _)| matches!(case, Case::Files(_)));
    files.for_each(|(case, _)| silent(*case, seeds().unwrap_or(0..1_000)));
}

/// `NETSPLIT_SEEDS` chooses which, and `NETSPLIT_CASES=Failover` of which cases.
#[test]
#[ignore = "takes minutes; run it after a change to a protocol or a check"]
fn without_a_bug_no_check_is_broken_in_a_thousand_storms() {
    let which = std::env::var("NETSPLIT_CASES").unwrap_or_default();
    // An exodus is the same with every seed, but for the network.
    let chosen = |case: Case| case != Case::Exodus && format!("{case:?}").contains(&which);
    let all = SOUND.iter().filter(|(case, _)| chosen(*case));
    all.for_each(|(case, _)| silent(*case, seeds().unwrap_or(0..1_000)));
}

/// Which seeds `NETSPLIT_SEEDS=2000..5000` chooses.
fn seeds() -> Option<std::ops::Range<u64>> {
    let text = std::env::var("NETSPLIT_SEEDS").ok()?;
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// `NETSPLIT_SEEDS=200..400` chooses which, and `NETSPLIT_CASES=ThreePhase` of which cases.
#[test]
#[ignore = "takes many minutes; run it after a change to a protocol or a check of transactions"]
fn transactions_survive_a_thousand_storms() {
    let which = std::env::var("NETSPLIT_CASES").unwrap_or_default();
    let chosen = |case: Case| is_of_money(case) && format!("{case:?}").contains(&which);
    let money = SOUND.iter().filter(|(case, _)| chosen(*case));
    money.for_each(|(case, _)| silent(*case, seeds().unwrap_or(0..1_000)));
}

/// `NETSPLIT_SEEDS=200..400` chooses which, and `NETSPLIT_CASES=Leases` of which cases.
#[test]
#[ignore = "takes many minutes; run it after a change to locks or their check"]
fn locks_survive_a_thousand_storms() {
    let which = std::env::var("NETSPLIT_CASES").unwrap_or_default();
    let is_of_locks = |case| {
        matches!(
            case,
            Case::Locks
                | Case::Shared(_)
                | Case::SharedBy(..)
                | Case::Circles
                | Case::Redis
                | Case::Redlock(_)
                | Case::Recipe(..)
        )
    };
    let chosen = |case: Case| is_of_locks(case) && format!("{case:?}").contains(&which);
    let locks = SOUND.iter().filter(|(case, _)| chosen(*case));
    locks.for_each(|(case, _)| silent(*case, seeds().unwrap_or(0..1_000)));
}

/// `NETSPLIT_SEEDS` chooses which.
#[test]
#[ignore = "takes many minutes; run it after a change to a log or a check of logs"]
fn logs_survive_thousands_of_storms() {
    let seeds = seeds().unwrap_or(0..5_000);
    let logs = SOUND.iter().filter(|(case, _)| is_of_logs(*case));
    logs.for_each(|(case, _)| silent(*case, seeds.clone()));
}
