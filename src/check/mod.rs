//! Properties, read from events.
//!
//! A check sees every event of a run once, in order, and says so when one shows that a property is
//! broken: which rule, in which event, and which earlier events it contradicts. Checks never look
//! into a node, so the same ones guard a million simulated steps and a cluster somewhere else.
//!
//! A check is a value: a timeline keeps copies of all checks along a run, so that a branch begins
//! with what they knew there, and a look back shows how they stood.
//!
//! What a check must remember (who voted for what, which write was acknowledged) is *ghost state*:
//! it lives here and never in a protocol. It is bounded where a run may last for hours.
//!
//! What is legal is not reported: two leaders in different ballots, a client that believes it holds
//! an expired lock while its writes are rejected, an operation that timed out and takes effect
//! later, a fact that is repeated after a restart or for a newcomer.
//!
//! Who looks in late ([`Checks::partial`]) or misses events ([`Kind::Missed`]) is told how things
//! stand, and judges from there: each check says below its rules what it can judge then. What was
//! seen and what not is kept in one place, [`Witness`].
//!
//! | check | file | rules |
//! |---|---|---|
//! | paxos | `paxos` | PAX-1 to PAX-8, for the single decree and every slot of the log; LE-3, MP-5 |
//! | raft | `raft` | RAFT-1 to 4, 6 to 11, 13, RX-5, 9 to 12: one leader a term, one log, no entry lost |
//! | zab | `raft` | ZAB-2 to 4, 6, 7, 9 to 12: the same of epochs, in a cluster on Zab |
//! | log | `log` | MP-1, MP-2, MP-4: one order, no gaps, every command once |
//! | atomic | `atomic` | AC-1, AC-2, AC-3, AC-6, AC-7, 3PC-1, LOCKHOLD: all of a transaction or nothing |
//! | paxoscommit | `paxoscommit` | PC-1 to PC-3: each vote of a transaction is chosen once |
//! | isolation | `isolation` | TX-1 to TX-4, INT, AC-7, G0, G1a to c, G-single, G2: what a level allows, and no more |
//! | saga | `saga` | SAGA-1 to SAGA-6: all steps of a saga or none, compensated once and in order |
//! | bank | `bank` | BANK-1 to BANK-3: transfers make no money and lose none |
//! | ring | `ring` | RING-1, 2, 3, 7, 8: one ring for all, one owner for each key, with its data |
//! | quorum | `quorum` | Q-1, 2, 4, 5, 7 to 11: quorums meet, and nothing is lost that they took |
//! | lock | `lock` | LOCK-1, 3, 6 to 12, RL-1, FENCE-1, FENCE-2, FO-1 to 3, 5, 6, SES, CON, W: one holder, in order, behind a fence |
//! | balance | `balance` | LB-1 to 3, 5, 7 to 12: requests go where they should, and trouble is not multiplied |
//! | cache | `cache` | CACHE-1, 3, 4, 7, 8: how old answers may be, and who may fetch |
//! | files | `files` | FS-5, F-1 to F-7: files are what was put, on enough disks, repaired at a bounded rate |
//! | clients | `history` | CLIENT-1 to 5: acknowledged writes survive, reads are not stale |
//! | swim | `swim` | SWIM-1, 2, 3, 5: who raises an incarnation, and whom nobody may suspect |
//! | progress | `progress` | LIVE-1 to 10: answers, right suspicions, equal replicas, ended sagas, enough copies, another primary, in time |

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod atomic;
pub mod balance;
pub mod bank;
pub mod cache;
mod faults;
pub mod files;
pub mod history;
pub mod isolation;
pub mod lock;
pub mod log;
pub mod paxos;
pub mod paxoscommit;
pub mod progress;
pub mod quorum;
pub mod raft;
pub mod ring;
pub mod saga;
pub mod swim;
mod witness;

use crate::base::cache::Mode;
use crate::base::{Conflict, NodeId, Span, Time, Voters, majority};
use crate::event::Event;
#[cfg(doc)]
use crate::event::Kind;
pub use raft::Dialect;
use std::fmt;
pub use swim::Bounds as SwimBounds;
pub use witness::Witness;

/// A check whose copies can be kept without knowing which it is.
pub trait Copies {
    /// A copy.
    fn copy(&self) -> Box<dyn Check>;
}

impl<T: Check + Clone + 'static> Copies for T {
    fn copy(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Check> {
    fn clone(&self) -> Box<dyn Check> {
        (**self).copy()
    }
}

/// One property family.
pub trait Check: Copies + fmt::Debug + Send + Sync {
    /// Its name: one word.
    fn name(&self) -> &'static str;

    /// What holds as long as it is silent, in one sentence.
    fn about(&self) -> &'static str;

    /// Whether an event is one that it judges. Until there was one, it has nothing to say.
    fn judges(&self, event: &Event) -> bool {
        let _ = event;
        true
    }

    /// Takes in event number `at` of the run. Some, if that event shows the property to be broken.
    /// `witness` knows what of the run was seen, this event included.
    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation>;

    /// Events of `node` (of all, for [`NodeId::BENCH`]) were missed: forgets what may have changed
    /// in them. Comes before the event that shows it.
    fn gap(&mut self, node: NodeId) {
        let _ = node;
    }

    /// The run is over: what is broken because something never happened.
    fn finish(&mut self) -> Option<Violation> {
        None
    }

    /// For a property of progress: what it is waiting for now, in words.
    fn waits_for(&self) -> Option<String> {
        None
    }
}

/// The proof that a property is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check.
    pub check: &'static str,
    /// The rule, as in the protocol's chapter: `PAX-1`.
    pub rule: &'static str,
    /// What is wrong, in one sentence with the witnesses' names.
    pub what: String,
    /// Index of the event that showed it.
    pub at: usize,
    /// Indices of the earlier events that it contradicts, oldest first.
    pub because: Vec<usize>,
}

impl Violation {
    /// Whether it is a matter of progress: something good did not happen in time. All others are
    /// matters of safety: something bad happened.
    pub fn is_stall(&self) -> bool {
        self.rule.starts_with("LIVE-")
    }
}

/// `PAX-1 broken at event 812: …`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at event {}: {}", self.rule, self.at, self.what)
    }
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing that it judges has happened: what it watches is not used, or not yet.
    Idle,
    /// Nothing spoke against it so far.
    Holds,
    /// A property of progress that is not due yet.
    Waiting,
    /// A property of progress was broken: what was due did not happen.
    Stalled,
    /// It was broken.
    Broken,
}

impl Verdict {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Idle => "unused",
            Verdict::Holds => "holds",
            Verdict::Waiting => "waiting",
            Verdict::Stalled => "stalled",
            Verdict::Broken => "broken",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What checks must know about a cluster that its events do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The servers. All of them are acceptors of the decree; a quorum is more than half of them.
    pub nodes: Vec<NodeId>,
    /// The processes that ask by themselves, over and over.
    pub clients: Vec<NodeId>,
    /// How long after the last fault ends each client may wait for its next success.
    pub progress_within: Span,
    /// How long at the most a node trusts another that is silent. None if nodes do not watch each
    /// other.
    pub patience: Option<Span>,
    /// What SWIM keeps to, where nodes watch each other by it.
    pub swim: Option<SwimBounds>,
    /// What an absent key that begins with `acct/` is worth.
    pub opening_balance: i64,
    /// How the rules of elected leaders are called.
    pub dialect: Dialect,
    /// Who votes on the log at the start.
    pub voters: Voters,
    /// Whether reads of keys may show less than was told before they began.
    pub stale_reads: bool,
    /// Who writes and fetches, if there are caches in front of the store.
    pub cached: Option<Mode>,
    /// After how many slots a change of voters counts, on Multi-Paxos; 0 on other logs.
    pub window: u64,
    /// Whether instances that keep locks as keys count grants.
    pub counted: bool,
    /// How instances that keep locks as keys fail over, if they do.
    pub failover: Option<Failovers>,
    /// Whether the log looks for deadlocks among locks.
    pub detects: bool,
    /// What the store promises, if it is one by quorums.
    pub quorums: Option<Quorums>,
    /// What the file store promises, if there is one.
    pub files: Option<Shelves>,
    /// After how long an idle transaction is aborted; none if clients open none.
    pub idle: Option<Span>,
}

/// Fail-over among instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failovers {
    /// Those that keep keys. The first is the primary at the start.
    pub instances: Vec<NodeId>,
    /// Whether a majority of them is asked, and not only of the nodes.
    pub fenced: bool,
    /// How long it takes at the most until the others miss a primary and agree on another.
    pub patience: Span,
    /// How long after a fail-over another may follow.
    pub hold_down: Span,
}

/// A file store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelves {
    /// On how many disks each block is to be.
    pub replicas: u8,
    /// Within which time each disk is read; zero if never.
    pub scrub: Span,
    /// How many bytes a second a node copies at the most.
    pub throttle: u32,
    /// How many bytes a block has at the most.
    pub block: u32,
}

/// How much a read of a store by quorums shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promise {
    /// All that was told before it began: the key is linearizable.
    #[default]
    Current,
    /// All that was acknowledged before it began: the key is a regular register.
    Regular,
    /// Something that was written.
    Nothing,
}

/// A store by quorums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorums {
    /// How many replicas answer a read.
    pub r: u8,
    /// How many replicas have a write.
    pub w: u8,
    /// What becomes of concurrent writes.
    pub versions: Conflict,
    /// Whether what stand-ins keep counts.
    pub sloppy: bool,
    /// What a read shows.
    pub promise: Promise,
    /// Whether replicas compare what they have.
    pub converge: bool,
}

impl Expect {
    /// A cluster of these on Raft, whose clients ask nothing by themselves.
    pub fn of(nodes: Vec<NodeId>) -> Expect {
        let voters = Voters::of(nodes.iter().copied());
        let (clients, progress_within, dialect) = (Vec::new(), Span::ZERO, Dialect::Raft);
        Expect {
            nodes,
            clients,
            progress_within,
            patience: None,
            swim: None,
            opening_balance: 0,
            dialect,
            voters,
            stale_reads: false,
            cached: None,
            window: 0,
            counted: false,
            failover: None,
            detects: false,
            quorums: None,
            files: None,
            idle: None,
        }
    }

    /// How many nodes make a quorum.
    pub fn quorum(&self) -> usize {
        majority(self.nodes.len())
    }
}

/// One check, and what it has found.
#[derive(Clone, Debug)]
struct Watched {
    check: Box<dyn Check>,
    first: Option<Violation>,
    count: u64,
    judged: u64,
}

/// A set of checks that see the same events.
#[derive(Clone, Debug)]
pub struct Checks {
    all: Vec<Watched>,
    witness: Witness,
    seen: usize,
    finished: bool,
}

/// How one check stands, for people.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// Its name.
    pub name: &'static str,
    /// What holds, in one sentence.
    pub about: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// What it waits for, if it does.
    pub waits_for: Option<String>,
    /// The first violation.
    pub first: Option<&'a Violation>,
    /// How many events broke it.
    pub count: u64,
    /// How many events it judged.
    pub judged: u64,
    /// It speaks only for what happened since then; none if for the whole run.
    pub since: Option<Time>,
}

impl Checks {
    /// Every check there is, for such a cluster, seen from its start.
    pub fn all(expect: &Expect) -> Checks {
        let checks = Checks::of([
            Box::new(paxos::Paxos::new(expect)) as Box<dyn Check>,
            Box::new(raft::Raft::new(expect)),
            Box::new(log::Log::new(expect)),
            Box::new(atomic::Atomic::new()),
            Box::new(paxoscommit::PaxosCommit::new()),
            Box::new(saga::Sagas::default()),
            Box::new(isolation::Isolated::default()),
            Box::new(ring::Rings::new()),
            Box::new(quorum::Quorum::new(expect)),
            Box::new(bank::Bank::new(expect.opening_balance)),
            Box::new(lock::Lock::new(expect)),
            Box::new(balance::Balance::default()),
            Box::new(cache::Cache::default()),
            Box::new(files::Files::new(expect)),
            Box::new(history::History::new(expect)),
            Box::new(swim::Swim::new(expect)),
            Box::new(progress::Progress::new(expect)),
        ]);
        Checks { witness: Witness::whole(expect), ..checks }
    }

    /// The names of all checks, in order.
    pub fn names(expect: &Expect) -> Vec<&'static str> {
        let all = Checks::all(expect).all;
        let names = all.iter().map(|watched| watched.check.name());
        let mut names: Vec<&'static str> = names.collect();
        for dialect in Dialect::ALL.map(Dialect::name) {
            if !names.contains(&dialect) {
                names.push(dialect);
            }
        }
        names
    }

    /// Every check there is, for a cluster that has been running before anybody looked. Each
    /// process is to say how things stand first.
    pub fn partial(expect: &Expect) -> Checks {
        Checks { witness: Witness::partial(expect), ..Checks::all(expect) }
    }

    /// Only these.
    pub fn of(checks: impl IntoIterator<Item = Box<dyn Check>>) -> Checks {
        let watch = |check| Watched { check, first: None, count: 0, judged: 0 };
        let all = checks.into_iter().map(watch).collect();
        Checks { all, witness: Witness::of_nobody(), seen: 0, finished: false }
    }

    /// The check of this name without the others.
    pub fn only(&self, name: &str) -> Checks {
        let mut checks = self.clone();
        checks.all.retain(|watched| watched.check.name() == name);
        checks
    }

    /// Shows the next event to all checks. True if one of them was broken for the first time.
    pub fn see(&mut self, event: &Event) -> bool {
        let at = self.seen;
        self.seen += 1;
        let mut news = false;
        let missed = self.witness.see(at, event);
        for watched in &mut self.all {
            if let Some(node) = missed {
                watched.check.gap(node);
            }
            watched.judged += u64::from(watched.check.judges(event));
            if let Some(violation) = watched.check.see(at, event, &self.witness) {
                news |= watched.note(violation);
            }
        }
        news
    }

    /// Tells all checks that the run is over. Later calls do nothing. True if one was broken by it.
    pub fn finish(&mut self) -> bool {
        let mut news = false;
        if !std::mem::replace(&mut self.finished, true) {
            for watched in &mut self.all {
                if let Some(violation) = watched.check.finish() {
                    news |= watched.note(violation);
                }
            }
        }
        news
    }

    /// How many events were shown.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// How each check stands, in order.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        let since = self.witness.since();
        self.all.iter().map(move |watched| Standing { since, ..watched.standing() })
    }

    /// The first violation of each check that was broken, in the order of checks.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.all.iter().filter_map(|watched| watched.first.as_ref())
    }

    /// How many hold: they have seen something to judge, and nothing spoke against them.
    pub fn holding(&self) -> usize {
        self.standings().filter(|standing| standing.verdict == Verdict::Holds).count()
    }

    /// The earliest violation of all.
    pub fn first(&self) -> Option<&Violation> {
        self.violations().min_by_key(|violation| violation.at)
    }
}

impl Watched {
    fn note(&mut self, violation: Violation) -> bool {
        self.count += 1;
        let first = self.first.is_none();
        self.first.get_or_insert(violation);
        first
    }

    fn standing(&self) -> Standing<'_> {
        let waits_for = self.check.waits_for();
        let verdict = match (&self.first, &waits_for) {
            (Some(first), _) if first.is_stall() => Verdict::Stalled,
            (Some(_), _) => Verdict::Broken,
            (None, Some(_)) => Verdict::Waiting,
            (None, None) if self.judged == 0 => Verdict::Idle,
            (None, None) => Verdict::Holds,
        };
        Standing {
            name: self.check.name(),
            about: self.check.about(),
            verdict,
            waits_for,
            first: self.first.as_ref(),
            count: self.count,
            judged: self.judged,
            since: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::event::Kind;

    /// Nobody may freeze; the end must come.
    #[derive(Clone, Debug)]
    struct NoPause;

    impl Check for NoPause {
        fn name(&self) -> &'static str {
            "no-pause"
        }
        fn about(&self) -> &'static str {
            "Nobody freezes."
        }
        fn see(&mut self, at: usize, event: &Event, _: &Witness) -> Option<Violation> {
            let what = format!("{} freezes", event.node);
            let broken = event.kind == Kind::Paused;
            broken.then(|| Violation {
                check: "no-pause",
                rule: "T-1",
                what,
                at,
                because: Vec::new(),
            })
        }
        fn waits_for(&self) -> Option<String> {
            Some("the end".to_owned())
        }
    }

    #[test]
    fn the_first_violation_is_kept_and_all_are_counted() {
        let mut checks = Checks::of([Box::new(NoPause) as Box<dyn Check>]);
        let event = |kind| Event { at: Time::ZERO, node: NodeId::node(1), kind };
        assert!(!checks.see(&event(Kind::Resumed)));
        assert_eq!(checks.standings().next().map(|s| s.verdict), Some(Verdict::Waiting));
        assert!(checks.see(&event(Kind::Paused)));
        assert!(!checks.see(&event(Kind::Paused)), "no news");
        let standing = checks.standings().next().expect("there is one check");
        assert_eq!((standing.verdict, standing.count), (Verdict::Broken, 2));
        assert_eq!(checks.first().map(|violation| violation.at), Some(1));
    }
}
