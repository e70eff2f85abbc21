//! The lessons and incidents that the binary brings along, and scenarios from elsewhere.

use super::scenario::{self, Scenario, Words};
use crate::error::{Error, Source, nearest};
use crate::plan;
use std::path::Path;

macro_rules! library {
    ($($shelf:literal: $($name:literal)*;)*) => {
        /// The built-in scenarios: shelf, name and text, in the order of reading.
        pub const LIBRARY: &[(&str, &str, &str)] = &[$($((
            $shelf,
            $name,
            include_str!(concat!("../../sample-clusters/", $shelf, "/", $name, ".toml")),
        )),*),*];
    };
}

library! {
    "lessons":
        "paxos-one-value"
        "paxos-nobody-asked"
        "paxos-duel"
        "paxos-adopt"
        "paxos-equal-ballot"
        "paxos-newest-vote"
        "paxos-minority"
        "paxos-adds-up"
        "paxos-late-vote"
        "paxos-raise"
        "paxos-numbers"
        "paxos-amnesia"
        "log-minority-leader"
        "log-takeover"
        "log-deposed"
        "log-window"
        "log-gap"
        "exactly-once"
        "who-may-lead"
        "returning-node"
        "raft-forgotten-vote"
        "raft-repair"
        "raft-stale-append"
        "raft-figure-8"
        "raft-old-snapshot"
        "raft-two-majorities"
        "raft-dropped-voters"
        "raft-late-word"
        "raft-lost-probe"
        "raft-new-voter"
        "raft-leader-leaves"
        "learners-count"
        "raft-hand-over"
        "raft-hand-over-lease"
        "read-too-early"
        "read-old-answer"
        "read-what-is-voted"
        "read-backwards"
        "lease-forgotten"
        "zab-truncate"
        "zab-joining"
        "zab-hole"
        "zab-epoch-twice"
        "zab-two-calls"
        "lock-fencing"
        "lock-delay"
        "consul-sessions"
        "consul-index"
        "lock-circle"
        "lock-circle-grant"
        "lock-line-up"
        "line-up-turn"
        "line-up-session"
        "line-up-twice"
        "line-up-late"
        "line-up-back-in-time"
        "watch-resume"
        "watch-promises"
        "lessor-time"
        "lessor-note"
        "lock-repeated-token"
        "lock-without-end"
        "lock-renewal"
        "lock-clocks"
        "lock-queue"
        "lock-readers"
        "semaphore"
        "semaphore-key"
        "lock-without-token"
        "redis-key"
        "redis-two-steps"
        "redlock-minority"
        "redlock-majority"
        "redis-replica"
        "failover-decides"
        "failover-target"
        "failover-epochs"
        "failover-fence"
        "failover-flapping"
        "txn-two-phase"
        "txn-blocked"
        "txn-one-no"
        "txn-yes-on-disk"
        "txn-decision"
        "txn-locks"
        "txn-presumed-commit"
        "txn-ask-each-other"
        "txn-first-word"
        "txn-three-phase"
        "txn-three-rules"
        "tx-lost-update"
        "tx-write-skew"
        "tx-drafts"
        "tx-first-committer"
        "tx-ends"
        "tx-late-request"
        "saga-compensates"
        "saga-order"
        "saga-once"
        "saga-late-step"
        "saga-memory"
        "saga-locks"
        "saga-stuck"
        "txn-paxos-commit"
        "txn-paxos-rules"
        "txn-paxos-acceptors"
        "ring-join-leave"
        "ring-vnodes"
        "ring-copies"
        "ring-round"
        "ring-handoff"
        "ring-pace"
        "ring-by-oneself"
        "store-replicas"
        "store-old-owner"
        "store-one-slot"
        "quorum-overlap"
        "quorum-count"
        "quorum-sloppy"
        "quorum-hint"
        "quorum-write-back"
        "last-writer"
        "quorum-siblings"
        "quorum-trees"
        "quorum-moving"
        "slow-or-dead"
        "suspicion"
        "fails-fast"
        "balance-ejected"
        "balance-come-and-go"
        "balance-retries"
        "balance-rounds"
        "balance-weights"
        "balance-old-loads"
        "balance-hot-key"
        "bad-link"
        "refutation"
        "swim-incarnations"
        "swim-dead"
        "slow-observer"
        "cache-stale-set"
        "cache-delete-first"
        "cache-two-writers"
        "cache-lost-message"
        "cache-unheard-delete"
        "cache-gone-holder"
        "cache-comes-back"
        "cache-room"
        "cache-through-order"
        "cache-write-behind"
        "cache-debts"
        "files-lost-disks"
        "files-acknowledged"
        "files-turned-bit"
        "files-copies"
        "files-moved";
    "incidents":
        "lock-blind-release"
        "set-without-nx"
        "stale-plan"
        "herd-on-a-lock"
        "zombie-controller"
        "the-long-pause"
        "lock-without-lease"
        "deposed-lessor"
        "back-in-time"
        "ack-before-sync"
        "jetstream"
        "stale-reads"
        "epoch-before-history"
        "endless-elections"
        "voters-side-by-side"
        "two-masters"
        "returning-member"
        "deaf-network-card"
        "the-hub"
        "vote-that-evaporated"
        "wrong-transaction"
        "modulo-placement"
        "zombie-rows"
        "replica-promoted"
        "forty-three-seconds"
        "ring-of-one"
        "shoot-each-other"
        "everybody-repairs"
        "empty-caches";
}

/// The text that `word` means: a built-in scenario, a built-in cluster, or the path of a file. A
/// word with a slash or a dot is always a path.
///
/// # Errors
/// Says that there is nothing of that name, and what was probably meant.
pub fn source(word: &str) -> Result<Source, Error> {
    let is_path = word.contains(['/', '\\', '.']);
    match LIBRARY.iter().find(|(_, name, _)| *name == word) {
        Some((shelf, name, text)) if !is_path => {
            Ok(Source::new(format!("sample-clusters/{shelf}/{name}.toml"), *text))
        }
        _ => plan::source(word).map_err(|error| match closest(word) {
            Some(near) if !is_path => {
                Error::new(error.what()).help(format!("did you mean the scenario '{near}'?"))
            }
            _ => error,
        }),
    }
}

fn closest(word: &str) -> Option<&'static str> {
    nearest(word, LIBRARY.iter().map(|(_, name, _)| *name))
}

/// What to call what `word` means.
pub fn name(word: &str) -> String {
    let stem = Path::new(word).file_stem().map_or(word.into(), |stem| stem.to_string_lossy());
    stem.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The scenario that `word` means.
///
/// # Errors
/// Says what is wrong with the file, or that there is none, or that it has no steps.
pub fn load(word: &str, words: &Words) -> Result<Scenario, Error> {
    let source = source(word)?;
    scenario::parse(&name(word), &source, words)
}

/// All built-in scenarios, with their shelves.
///
/// # Errors
/// Never, as long as the tests pass.
pub fn all(words: &Words) -> Result<Vec<(&'static str, Scenario)>, Error> {
    let load = |(shelf, name, _): &(&'static str, &str, &str)| Ok((*shelf, load(name, words)?));
    LIBRARY.iter().map(load).collect()
}
