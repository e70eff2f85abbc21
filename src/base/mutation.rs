//! Known bugs, planted on purpose.
//!
//! A mutation switches one rule of one protocol off, by the name that literature or an incident
//! gave the mistake. Lessons show what happens then; tests prove that a check notices. None is on
//! unless a cluster file or a command asks for it.

use super::{ParseError, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! mutations {
    ($($variant:ident $name:literal $about:literal)*) => {
        /// A rule that can be switched off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutation { $(#[doc = $about] $variant,)* }

        impl Mutation {
            /// All of them, in the order of this file.
            pub const ALL: &[Mutation] = &[$(Mutation::$variant),*];

            /// Its name, as in a cluster file.
            pub const fn name(self) -> &'static str {
                match self { $(Mutation::$variant => $name),* }
            }

            /// What goes wrong, in one sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Mutation::$variant => $about),* }
            }
        }
    };
}

mutations! {
    HostNoBarrier "host.no_barrier" "A node speaks before what it says is on its disk."
    PaxosForgetPromise "paxos.forget_promise" "An acceptor does not write its promise down."
    PaxosAcceptBelow "paxos.accept_below" "An acceptor votes in ballots below its promise."
    PaxosOwnValue "paxos.own_value" "A proposer ignores the values that its promises report."
    PaxosFirstReport "paxos.first_report" "A proposer adopts the first value reported, not that of the highest ballot."
    PaxosReuseBallot "paxos.reuse_ballot" "A proposer forgets its round when it restarts."
    PaxosMinority "paxos.minority" "One acceptor less than a majority counts as a quorum."
    PaxosCountValues "paxos.count_values" "A learner adds up votes for one value from different ballots."
    PaxosRandomBallot "paxos.random_ballot" "A proposer draws its ballot by chance, from numbers that all share."
    PaxosNoPrepare "paxos.no_prepare" "A proposer asks for votes without asking for promises first."
    PaxosDecideAlone "paxos.decide_alone" "A learner takes a value for chosen as soon as one acceptor voted for it."
    PaxosVolatile "paxos.volatile" "An acceptor writes nothing down, neither promises nor votes."
    PaxosAcceptAbove "paxos.accept_above" "An acceptor votes only in ballots above its promise, never in the one that it promised."
    PaxosInvent "paxos.invent" "A proposer proposes a value that nobody has asked for."
    PaxosUnraised "paxos.unraised" "A vote does not raise the acceptor's promise."
    LogSkipPhaseOne "log.skip_phase_one" "A new leader proposes without asking what was accepted before."
    LogApplyGaps "log.apply_gaps" "A replica applies chosen entries without waiting for the gaps before them."
    LogNoClientTable "log.no_client_table" "A command that was retried is applied again."
    LogNoWindow "log.no_window" "A change of voters counts at once, in slots too that may be decided by those of before."
    LogFollowAny "log.follow_any" "A node follows whoever says that it leads, even in a ballot below its own leader's."
    LogReadLocal "log.read_local" "A node answers reads from its own state, however old that is."
    LogReadOldRound "log.read_old_round" "A leader answers a read when an earlier heartbeat was answered."
    LogReadEarly "log.read_early" "A new leader answers reads before it knows what is committed."
    LogReadApplied "log.read_applied" "A quorum read asks how far a majority has applied the log, not how far it has voted."
    LogReadBackwards "log.read_backwards" "A client takes an answer that is older than one that it has had."
    LogLeaseWall "log.lease_wall" "A leader measures its lease on a clock that can be set."
    LogBreakLease "log.break_lease" "A voter helps another to lead before the lease that it gave has ended."
    LogForgetLease "log.forget_lease" "A voter that restarted votes at once, though it may have given a leader a lease."
    RaftCommitAnyTerm "raft.commit_any_term" "A leader counts copies of entries of earlier terms."
    RaftForgetVote "raft.forget_vote" "A voter does not write its vote down."
    RaftForgetTerm "raft.forget_term" "A node writes neither its term nor its vote down."
    RaftVoteTwice "raft.vote_twice" "A voter votes for whoever asks, again and again in one term."
    RaftVoteBlind "raft.vote_blind" "A voter does not look whether the candidate's log is up to date."
    RaftAckEarly "raft.ack_early" "A follower acknowledges entries before they are on its disk."
    RaftNoMatch "raft.no_match" "A follower appends without comparing the term of the entry before."
    RaftNoTruncate "raft.no_truncate" "A follower keeps its own entries where the leader has others."
    RaftTruncateAlways "raft.truncate_always" "A follower drops what follows an old message's entries."
    RaftCommitBeyond "raft.commit_beyond" "A follower commits entries that the leader's message did not cover."
    RaftInstallOld "raft.install_old" "A follower goes back to a snapshot older than what it has committed."
    RaftConfigEarly "raft.config_early" "A new leader lets other voters in before it has committed an entry of its term."
    RaftConfigPending "raft.config_pending" "A leader lets other voters in while the change before is not committed."
    RaftConfigKept "raft.config_kept" "A node keeps its voters when the entry that named them is dropped."
    RaftSingleMany "raft.single_many" "Many voters come and go in one step."
    RaftJointNewOnly "raft.joint_new_only" "While one set of voters gives way to another, only the new one counts."
    RaftCountLearners "raft.count_learners" "Learners count as if they voted."
    RaftRemovedCounts "raft.removed_counts" "A leader that removed itself counts its own copy on."
    RaftRemovedLeads "raft.removed_leads" "A leader that was removed goes on leading."
    RaftTransferBehind "raft.transfer_behind" "A leader hands over to a node that does not have its whole log."
    RaftTransferKeepsLease "raft.transfer_keeps_lease" "A leader that hands over keeps its lease."
    RaftTransferIgnored "raft.transfer_ignored" "Voters who hear a leader do not listen to whom it hands over to."
    RaftAckOldTerm "raft.ack_old_term" "A leader takes an acknowledgement from an earlier term for one of its own."
    RaftLearnerRefuses "raft.learner_refuses" "A node that does not vote by its own log refuses a candidate whose log makes it a voter."
    RaftStuckProbe "raft.stuck_probe" "A leader whose probe was lost never probes that follower again."
    ZabForgetEpoch "zab.forget_epoch" "A node does not write down which epoch it accepted."
    ZabAckEpochTwice "zab.ack_epoch_twice" "A follower accepts one epoch from two leaders."
    ZabBlindLeader "zab.blind_leader" "The node with the highest number leads, whatever its history is."
    ZabEpochFirst "zab.epoch_first" "A follower writes down that it adopted an epoch, and the history only when broadcast begins."
    ZabAckBeforeHistory "zab.ack_before_history" "A follower acknowledges a new leader before the history is on its disk."
    ZabNoTrunc "zab.no_trunc" "A follower keeps entries of its own that the leader does not have."
    ZabNoGapCheck "zab.no_gap_check" "A follower takes a proposal in without looking for a gap before it."
    ZabCountObserver "zab.count_observer" "What an observer has counts towards the majority of all nodes, not of those who vote."
    ZabHole "zab.hole" "A leader leaves an entry out of what a follower lacks."
    LockBlindRelease "lock.blind_release" "A release frees the lock whoever holds it."
    LockNoFence "lock.no_fence" "The resource does not look at the token."
    LockRepeatToken "lock.repeat_token" "A grant repeats the token of the one before it."
    LockShared "lock.shared" "A lock that is held is granted again."
    LockNoExpiry "lock.no_expiry" "A lease never ends, as if the lock had been taken without an expiry."
    LockUnfair "lock.unfair" "A lock that is freed goes to whoever asked last."
    LockBlindRenew "lock.blind_renew" "A renewal prolongs the lease whoever holds the lock."
    LockWakeAll "lock.wake_all" "A lock that is freed is granted to all who wait."
    LockStaleExpiry "lock.stale_expiry" "An expiry frees a lock that was renewed meanwhile."
    LockForgetWaiters "lock.forget_waiters" "A lock that is freed is granted to nobody, though some wait."
    LockLateLease "lock.late_lease" "A client counts its lease from the answer, not from when it asked."
    LockLeaseWall "lock.lease_wall" "Whoever keeps locks measures leases on a clock that can be set."
    RedisConstantValue "redis.constant_value" "All clients set keys to one and the same value, so that it says nobody's name."
    RedisExpireLater "redis.expire_later" "A client sets the key first, and its expiry afterwards."
    RedisOwnKey "redis.own_key" "The name of the key has the client's name in it, so that each locks a key of its own."
    RedisReleaseBySecond "redis.release_by_second" "A release counts within the second in which the key was set, whoever asks, and never later."
    FailoverNoFence "failover.no_fence" "A node that has granted an epoch goes on taking in what comes of older ones."
    FailoverMinority "failover.minority" "A primary is chosen although fewer than half of the instances have said what they have."
    FailoverAnyTarget "failover.any_target" "The instance that has least becomes primary."
    FailoverGrantTwice "failover.grant_twice" "A node grants one epoch to all who ask."
    FailoverNoHold "failover.no_hold" "Another fail-over may follow at once."
    FailoverAckEarly "failover.ack_early" "A primary answers before its replicas have the write."
    FailoverUnanimous "failover.unanimous" "A primary is chosen only when all nodes have granted its epoch."
    FailoverFavourite "failover.favourite" "The first instance of the list becomes primary, whoever has granted."
    RedlockMinority "redlock.minority" "Of independent instances, one less than a majority is enough."
    LockNoCompare "lock.no_compare" "A client takes a lock for its own as soon as its node is there, wherever that stands in line."
    LockWaitAlways "lock.wait_always" "A client waits for a change even when its node is the lowest."
    LockFallThrough "lock.fall_through" "A client that waited takes any change for its turn, without listing the nodes again."
    LockBarePath "lock.bare_path" "A release removes the lowest node, whosever it is."
    LockNoGuid "lock.no_guid" "A client that hears no answer makes another node, and does not look for the first."
    LockOrphans "lock.orphans" "Nodes stay when their session ends."
    LockSuspendedIsOver "lock.suspended_is_over" "A client that hears no answer takes its session for ended."
    LockOvertaken "lock.overtaken" "A node is made though the client has given that up and gone on."
    LockListBackwards "lock.list_backwards" "A node lists and watches from a state that is older than one that the client has seen."
    RingNoWrap "ring.no_wrap" "Keys behind the last point go to its node, not round the circle to the first."
    RingOneNode "ring.one_node" "Only the member that is last in the list gets points on the circle."
    RingRandomPoints "ring.random_points" "Each node puts the members on the circle by chance of its own."
    RingRepeatOwner "ring.repeat_owner" "Copies go to the next points, not to the next nodes: one node may get several."
    RingLeaveLast "ring.leave_last" "The last member may leave the ring, too."
    RingUnevenEpoch "ring.uneven_epoch" "Nodes take a new view at once, without its epoch."
    RingReshuffle "ring.reshuffle" "The hash seed depends on the members, so that a change moves nearly every key."
    RingNoThrottle "ring.no_throttle" "Nothing bounds how many keys a node hands over at once."
    RingNoHandoff "ring.no_handoff" "A new owner serves a range before its data has arrived."
    StoreAckEarly "store.ack_early" "A write is acknowledged before the replicas have it."
    StoreNoEpoch "store.no_epoch" "A replica takes writes from an owner of an older ring."
    StoreOneSlot "store.one_slot" "An owner files values under its own name, so that a write overwrites its other keys."
    TxnIgnoreVotes "txn.ignore_votes" "The coordinator commits although a participant voted no."
    TxnNoForce "txn.no_force" "A participant votes yes without writing it down."
    TxnForgetDecision "txn.forget_decision" "The coordinator tells its decision without writing it down."
    TxnForgetEarly "txn.forget_early" "The coordinator forgets a commit before everybody has carried it out."
    TxnIgnoreAbort "txn.ignore_abort" "A participant that has voted yes refuses to abort."
    TxnHeuristic "txn.heuristic" "A participant in doubt decides to abort by itself when it gets impatient."
    TxnDisconnect "txn.disconnect" "A participant takes its yes-vote back when it loses sight of the coordinator."
    TxnAnyDecision "txn.any_decision" "A decision is carried out on whichever transaction holds the key."
    TxnReverse "txn.reverse" "The coordinator aborts after it has committed."
    TxnEarlyRelease "txn.early_release" "A participant gives up its locks as soon as it has voted."
    TxnNoCollecting "txn.no_collecting" "With presumed commit, the coordinator asks for votes before it has written down that it does."
    TxnForgetAbort "txn.forget_abort" "With presumed commit, the coordinator forgets an abort before everybody has carried it out."
    TxnAnswerUnvoted "txn.answer_unvoted" "A participant that has not voted tells another to abort, and votes yes afterwards."
    TxnLastDecision "txn.last_decision" "The last decision in the log counts, not the first."
    ThreePhaseSkip "threephase.skip" "The coordinator commits as soon as all have voted yes, without the phase in between."
    ThreePhaseIgnoreReady "threephase.ignore_ready" "Who takes over aborts unless it knows itself that all have voted yes."
    PaxosCommitFree "paxoscommit.free" "A leader that finds no vote proposes that the participant has prepared."
    PaxosCommitOwnValue "paxoscommit.own_value" "A leader proposes abort, whatever the acceptors report."
    PaxosCommitVolatile "paxoscommit.volatile" "An acceptor writes nothing down."
    PaxosCommitBelow "paxoscommit.below" "An acceptor accepts in ballots below its promise."
    PaxosCommitOne "paxoscommit.one" "A leader takes for chosen what one acceptor has accepted."
    SagaNoKey "saga.no_key" "A step that is asked for again takes effect again."
    SagaNoTombstone "saga.no_tombstone" "A compensation that overtakes its step leaves no mark, so the late step takes effect."
    SagaUndoBlind "saga.undo_blind" "A compensation takes effect though its step has not."
    SagaUndoForward "saga.undo_forward" "Steps are compensated in the order in which they were done."
    SagaUndoPivot "saga.undo_pivot" "A saga turns back although its pivot took effect."
    SagaLateIsFailed "saga.late_is_failed" "A step that is not answered in time is taken for one that has no effect."
    SagaDropUndo "saga.drop_undo" "A compensation that is not answered in time is given up."
    SagaNoLog "saga.no_log" "Whoever directs a saga asks for a step before it has written down that it does."
    SagaNoLock "saga.no_lock" "An owner disregards that a step may still be compensated."
    SagaPassAndForget "saga.pass_and_forget" "Whoever passes a saga on forgets it before the next one has it."
    ThreePhaseWait "threephase.wait" "A participant in doubt waits for the coordinator, however dead that is."
    PaxosCommitWait "paxoscommit.wait" "A participant in doubt leaves it to the coordinator to bring a transaction to its end."
    TxDirtyRead "tx.dirty_read" "A read shows what others have not committed, at every level."
    TxNoSnapshot "tx.no_snapshot" "A read shows what is committed by now, whatever was when the transaction began."
    TxLastCommitter "tx.last_committer" "On snapshots, a transaction commits though another has written the same key since it began."
    TxNoValidation "tx.no_validation" "A serializable transaction commits though another has written what it has read."
    TxKeepWrites "tx.keep_writes" "What an aborted transaction wrote stays."
    TxReopen "tx.reopen" "A transaction goes on after its end."
    TxAnyTransaction "tx.any_transaction" "A request counts for whichever transaction its client has open."
    TxForgetOwn "tx.forget_own" "A transaction does not see what it wrote itself."
    TxNoExpiry "tx.no_expiry" "A transaction whose client says no more stays open."
    MembershipBlind "membership.blind" "A node goes on trusting whoever has fallen silent."
    MembershipGrudge "membership.grudge" "A node never trusts again whom it has suspected once."
    SwimNoRefute "swim.no_refute" "A member that is suspected, though it is alive, does not refute it."
    SwimIncarnationZero "swim.incarnation_zero" "A member that restarts begins with the same incarnation as before."
    SwimHasty "swim.hasty" "Whoever does not answer is declared dead at once, without a suspicion that it could refute."
    SwimOnePath "swim.one_path" "Nobody else is asked to reach a member that does not answer."
    SwimForgetDead "swim.forget_dead" "The dead are never spoken to again."
    SwimRaiseOthers "swim.raise_others" "A node raises the incarnation of another, whom it suspected and who answers."
    SwimLastWord "swim.last_word" "A rumour is believed whatever its incarnation: who hears last is right."
    CacheStaleSet "cache.stale_set" "A cache takes in what was fetched before it heard of a write."
    CacheNoLease "cache.no_lease" "Everybody who misses a key fetches it, however many do already."
    CacheLeaseForever "cache.lease_forever" "A lease never ends: if its holder is gone, nobody fetches the key."
    CacheDeleteFirst "cache.delete_first" "A writer deletes a key in the cache before it writes to the store, not after."
    CacheSetInstead "cache.set_instead" "A writer sets its value in the cache, in whatever order writers come."
    CacheDeleteLost "cache.delete_lost" "A writer takes it that the cache knows, though nobody has acknowledged."
    CacheSetLast "cache.set_last" "A cache that writes keeps what was answered last, not what was written last."
    CacheOldContents "cache.old_contents" "A cache that returns has what it had before."
    CacheNoExpiry "cache.no_expiry" "Entries of a cache have no end."
    CacheNoEvict "cache.no_evict" "A cache never makes room."
    CacheUntold "cache.untold" "Nobody tells a cache of writes, and what it has has no end."
    CacheCreateOnly "cache.create_only" "A cache takes a value in only if it has none of that key."
    CacheBlindCredit "cache.blind_credit" "A cache that writes behind takes any number of writes on credit."
    CacheEvictOwed "cache.evict_owed" "A cache makes room with what the store does not have yet."
    CacheRefreshOwed "cache.refresh_owed" "A cache that writes behind fetches anew what it still owes."
    BalanceStartAtZero "balance.start_at_zero" "Every balancer begins its rounds at the first backend."
    BalanceRoundSkips "balance.round_skips" "A retry takes a turn of the round, too."
    BalanceBursts "balance.bursts" "Weights are turned into bursts: aaaaabc, not aabacaa."
    BalanceNoWeights "balance.no_weights" "Least connections does not look at weights."
    BalanceStaleLoad "balance.stale_load" "A balancer forgets what it has sent since a backend reported its load."
    BalancePickEjected "balance.pick_ejected" "A balancer picks backends that it has ejected."
    BalanceIgnoreDrain "balance.ignore_drain" "A balancer sends new requests to a backend that drains."
    BalanceSilentPanic "balance.silent_panic" "A balancer in a panic does not say so."
    BalanceEjectAll "balance.eject_all" "Any number of backends may be ejected at once."
    BalanceNeverEject "balance.never_eject" "Failures do not count: a backend that fails fast looks idle."
    BalanceNoSlowStart "balance.no_slow_start" "A backend that returns gets its full part at once."
    BalanceRetrySame "balance.retry_same" "A request that failed is sent to the same backend again."
    BalanceRetryStorm "balance.retry_storm" "Nothing bounds how many requests are sent again."
    BalanceUnbounded "balance.unbounded" "A key's backend takes all of its requests, however many it has."
    BalanceDrainStuck "balance.drain_stuck" "A backend that drains leaves its queue as it is."
    QuorumCountTwice "quorum.count_twice" "A coordinator that is a replica itself counts its own answer twice."
    QuorumCountHints "quorum.count_hints" "What a stand-in keeps counts towards a strict quorum."
    QuorumReadOne "quorum.read_one" "A read is answered as soon as one replica has answered."
    QuorumNoWriteBack "quorum.no_write_back" "A read is answered before what it found is at a write quorum."
    QuorumOneRing "quorum.one_ring" "While keys move, only the newest ring's replicas are asked."
    QuorumForgetHint "quorum.forget_hint" "A stand-in forgets a hint as soon as it has sent it."
    QuorumDropSibling "quorum.drop_sibling" "A replica keeps only the newest of several siblings."
    QuorumLocalClock "quorum.local_clock" "A writer stamps with its wall clock, though it knows later stamps."
    QuorumPurgeEarly "quorum.purge_early" "A replica drops a tombstone after its grace without asking whether others have it."
    QuorumOtherRange "quorum.other_range" "A replica compares the tree of all that it has, not of what both are to keep."
    LockNoRecheck "lock.no_recheck" "A client that waited takes the lock without a look whether its own node is still there."
    LessorAny "lessor.any" "A session is ended by whoever asks for it, a leader that was deposed included."
    LessorUnsure "lessor.unsure" "A leader answers a sign of life without making sure that it still leads."
    LessorKeepNote "lessor.keep_note" "A sign of life leaves what was noted of the session's time as it is."
    LessorOldCount "lessor.old_count" "A new leader counts sessions from when they were opened, as far as it knows."
    WatchResumeLate "watch.resume_late" "A client that watches goes on one slot after the one that it should."
    WatchResumeEarly "watch.resume_early" "A client that watches goes on from before what it was told last."
    WatchReorder "watch.reorder" "A node tells the newest change first."
    WatchSplit "watch.split" "Of several changes in one slot, a node tells the first."
    WatchSilent "watch.silent" "A node that has forgotten some changes tells the others, as if those were all."
    WatchHasty "watch.hasty" "A node says how far it is before it has told the changes up to there."
    WatchGhost "watch.ghost" "A node tells of a change that was refused."
    WatchStaleList "watch.stale_list" "A client that begins to watch lists from whichever node it asks, however far behind that is."
    FilesTrustRead "files.trust_read" "Who reads a file does not compare blocks with their checksums."
    FilesAckEarly "files.ack_early" "A file is acknowledged when each block is on one disk."
    FilesCopySpoilt "files.copy_spoilt" "A copy is made anew from one that does not fit its checksum."
    FilesTrustScrub "files.trust_scrub" "Scrubbing believes the checksum that was recorded, and does not read the block."
    FilesForgetEntry "files.forget_entry" "The namespace forgets the last block of a file."
    FilesDropEarly "files.drop_early" "A copy is dropped before those who are to hold it have theirs."
    FilesVouchBlind "files.vouch_blind" "A holder vouches for a copy without looking whether it has one."
    FilesNoThrottle "files.no_throttle" "Nothing bounds how much is copied at once."
    ConsulHasty "consul.hasty" "A lock is granted although its lock-delay is under way."
    ConsulNoDelay "consul.no_delay" "A session that ends leaves no lock-delay behind."
    ConsulForgetDelay "consul.forget_delay" "A new leader knows of no lock-delay and has all of them end."
    ConsulSameIndex "consul.same_index" "A grant does not raise the LockIndex."
    ConsulLate "consul.late" "The locks of a session that ended are freed when somebody asks for them."
    ConsulShared "consul.shared" "A lock is granted although another session holds it."
    ConsulBlindRelease "consul.blind_release" "A lock is given back by whoever asks for that."
    ConsulWrongNode "consul.wrong_node" "A node whose check turns critical takes the sessions of all nodes along."
    DeadlockStale "deadlock.stale" "Who looks for circles takes clients that were granted a lock for clients that wait for it."
    DeadlockLate "deadlock.late" "Circles are looked for only when somebody asks for a lock, not when one is granted."
    DeadlockOldest "deadlock.oldest" "Of a circle the call is refused that has waited longest."
    SharedBarge "shared.barge" "A reader is granted a lock that others read, though a writer waits for it."
    SharedWriter "shared.writer" "A writer waits for writers only, and for nobody who reads."
    SharedOneReader "shared.one_reader" "When a lock is freed, only the first of the readers in line is granted it."
    SharedNoGate "shared.no_gate" "A client counts who holds a permit, and then takes one, without the lock for that."
    ConsulNoCas "consul.no_cas" "Who has a permit is written down, whoever has done so in between."
    ConsulNoPrune "consul.no_prune" "A client counts permits of sessions that have ended."
    ConsulPruneLive "consul.prune_live" "A client takes all others that have a permit for dead."
    SharedOver "shared.over" "One permit more is given out than there are."
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mutation {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Mutation, ParseError> {
        match Mutation::ALL.iter().find(|m| m.name() == text) {
            Some(mutation) => Ok(*mutation),
            None => parse_error(format!("'{text}' is not a mutation; 'netsplit info' lists them")),
        }
    }
}

/// A set of mutations.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mutations([u128; 2]);

impl Mutations {
    /// No bug planted.
    pub const NONE: Mutations = Mutations([0; 2]);

    /// Whether `mutation` is on.
    pub const fn has(self, mutation: Mutation) -> bool {
        let at = mutation as usize;
        self.0[at / 128] & (1 << (at % 128)) != 0
    }

    /// These, and `mutation`.
    #[must_use]
    pub const fn with(self, mutation: Mutation) -> Mutations {
        let at = mutation as usize;
        let Mutations(mut bits) = self;
        bits[at / 128] |= 1 << (at % 128);
        Mutations(bits)
    }

    /// The ones that are on.
    pub fn iter(self) -> impl Iterator<Item = Mutation> {
        Mutation::ALL.iter().copied().filter(move |m| self.has(*m))
    }
}

impl FromIterator<Mutation> for Mutations {
    fn from_iter<I: IntoIterator<Item = Mutation>>(all: I) -> Mutations {
        all.into_iter().fold(Mutations::NONE, Mutations::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_is_a_switch_of_its_own() {
        assert!(Mutation::ALL.len() <= 256);
        for (i, mutation) in Mutation::ALL.iter().enumerate() {
            assert_eq!(mutation.name().parse(), Ok(*mutation));
            assert_eq!(Mutations::NONE.with(*mutation).iter().collect::<Vec<_>>(), [*mutation]);
            assert!(Mutation::ALL[i + 1..].iter().all(|m| m.name() != mutation.name()));
        }
    }
}
