//! What can be said: one table of forms, and the arguments that fill them.

use crate::base::{Name, NodeId, Span, TxnId};
use std::fmt;

/// What is stated. The table says how it is written, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Leads,
    Follows,
    Seeks,
    Deposed,
    Votes,
    Learns,
    SomebodyLeads,
    NobodyLeads,
    EverybodyFollows,
    Leaders,
    Elections,
    WrongSuspicions,
    WrongDeaths,
    Up,
    Down,
    Paused,
    Suspects,
    FindsDead,
    Reaches,
    Commit,
    Applied,
    Agree,
    SlotAccepts,
    SlotChosen,
    DecreeChosen,
    DecreeDuel,
    DecreeAccepts,
    DecreeBallots,
    DecreeIs,
    Voted,
    Learned,
    LockHeld,
    LockHeldBy,
    LockFree,
    LockLease,
    LockToken,
    LockWaiting,
    LockBelievers,
    Believes,
    Wrote,
    TxnYes,
    TxnNo,
    TxnDoubt,
    TxnVoting,
    TxnPrepared,
    TxnCommitting,
    TxnAborting,
    TxnCommitted,
    TxnAborted,
    TxnOver,
    RingSettled,
    RingHas,
    RingEpoch,
    RingMoved,
    Owns,
    Holds,
    Pending,
    Heard,
    Ok,
    Refused,
    Unknown,
    Faults,
    InFlight,
    Time,
    Gets,
    LeftOut,
    StaleReads,
    LostWrites,
    Hints,
    Keeps,
    KeyEqual,
    CacheHits,
    OldAnswers,
    OldestAnswer,
    StoreReads,
    ReadsWaiting,
    Owes,
    SagaSteps,
    SagaBack,
    SagaDone,
    SagaUndone,
    SagaOver,
    SagaStuck,
    FileWhole,
    Spoilt,
}

/// Every form: what it states, how it is written (words in capitals stand for something), and what
/// it means.
pub(super) const TABLE: &[(What, &str, &str)] = &[
    (What::SomebodyLeads, "somebody leads", "a node says that it leads the log"),
    (What::NobodyLeads, "nobody leads", "no node says so"),
    (What::EverybodyFollows, "everybody follows", "one node leads, and all others that run follow"),
    (What::Leads, "WHO leads", "it leads by its own words: n2 leads"),
    (What::Follows, "WHO follows", "it follows a leader"),
    (What::Seeks, "WHO seeks", "it knows no leader, or wants to be one"),
    (What::Deposed, "WHO is deposed", "it says that it leads, and another leads in a later ballot"),
    (What::Votes, "WHO votes", "it has a vote on the log"),
    (What::Learns, "WHO is a learner", "it keeps a replica of the log without a vote"),
    (What::Up, "WHO is up", "it runs"),
    (What::Down, "WHO is down", "it crashed"),
    (What::Paused, "WHO is paused", "it is frozen"),
    (What::Suspects, "WHO suspects WHO", "the first does not believe that the second lives"),
    (What::FindsDead, "WHO finds WHO dead", "the first takes the second for dead (SWIM)"),
    (What::Reaches, "WHO reaches WHO", "messages get through between them, both ways"),
    (What::Voted, "WHO voted NAME", "its vote for the decree is for this value: n1 voted red"),
    (What::Learned, "WHO learned NAME", "it knows that this value of the decree is chosen"),
    (What::Believes, "WHO believes NAME", "the client believes that it holds this lock"),
    (What::Wrote, "WHO wrote NAME", "the last write that this resource took is this client's"),
    (
        What::Heard,
        "WHO heard RESULT",
        "how its last call ended, if none is open: c1 heard granted, c1 heard 5",
    ),
    (What::Owns, "WHO owns CMP SHARE", "its share of the ring: n1 owns > 30%"),
    (
        What::Gets,
        "WHO gets CMP SHARE",
        "its part of the last requests that were spread: n3 gets > 30%",
    ),
    (
        What::LeftOut,
        "WHO is left out",
        "some balancer leaves it out: it is ejected, drains, or is down",
    ),
    (What::Holds, "WHO holds CMP N keys", "so many keys are on its disk"),
    (What::Applied, "WHO applied CMP N", "its state machine has taken in slots up to there"),
    (What::Pending, "OP pending on WHO", "a call of this kind waits there: write pending on n1"),
    (What::LockHeldBy, "lock NAME is held by WHO", "by the log, this client holds it"),
    (What::LockHeld, "lock NAME is held", "by the log, somebody holds it"),
    (What::LockFree, "lock NAME is free", "by the log, nobody holds it"),
    (What::LockLease, "lock NAME lease CMP SPAN", "what is left of it: lock billing lease < 100ms"),
    (What::LockToken, "lock NAME token CMP N", "the last fencing token given out"),
    (What::LockWaiting, "lock NAME has N waiting", "at least so many clients wait in its queue"),
    (What::LockBelievers, "lock NAME has N believers", "at least so many believe they hold it"),
    (What::TxnYes, "txn TXN has N yes", "at least so many yes votes: txn 4 has 1 yes"),
    (What::TxnNo, "txn TXN has N no", "at least so many no votes"),
    (What::TxnDoubt, "txn TXN is in doubt", "a participant is bound and cannot learn the outcome"),
    (What::TxnVoting, "txn TXN is voting", "votes are missing"),
    (What::TxnPrepared, "txn TXN is prepared", "all voted yes, and nobody has decided"),
    (What::TxnCommitting, "txn TXN is committing", "commit is decided, but not everywhere done"),
    (What::TxnAborting, "txn TXN is aborting", "abort is decided, but not everywhere known"),
    (What::TxnCommitted, "txn TXN is committed", "it committed everywhere"),
    (What::TxnAborted, "txn TXN is aborted", "it aborted everywhere"),
    (What::TxnOver, "txn TXN is over", "it committed or aborted everywhere"),
    (What::SlotChosen, "slot N is chosen", "somebody knows what is chosen there"),
    (What::SlotAccepts, "slot N has N accepts", "at least so many nodes voted in it"),
    (What::DecreeChosen, "decree is chosen", "somebody knows the decree's value"),
    (What::DecreeDuel, "decree is duelling", "proposers keep outbidding each other"),
    (What::DecreeAccepts, "decree has N accepts", "some ballot has at least so many votes"),
    (What::DecreeBallots, "decree has N ballots", "at least so many ballots were begun"),
    (What::DecreeIs, "decree is NAME", "this value is known to be chosen: decree is red"),
    (What::Agree, "replicas agree", "all nodes that run have applied the same"),
    (What::RingSettled, "ring is settled", "every member holds its ranges of the latest ring"),
    (What::RingEpoch, "ring epoch CMP N", "how often the ring has changed, plus one"),
    (What::RingMoved, "ring moved CMP SHARE", "what the last change gave to another owner"),
    (What::RingHas, "ring has WHO", "it is a member of the latest ring"),
    (What::Commit, "commit CMP N", "how far the log is chosen without a gap: commit >= 40"),
    (What::Leaders, "leaders CMP N", "how many say that they lead"),
    (What::Elections, "elections CMP N", "how many leaders of the log there have been"),
    (What::WrongSuspicions, "wrong suspicions CMP N", "how often a node that ran was suspected"),
    (What::WrongDeaths, "wrong deaths CMP N", "how often one was taken for dead (SWIM)"),
    (What::Ok, "ok CMP N", "how many calls took effect"),
    (What::Refused, "refused CMP N", "how many calls were refused or aborted"),
    (What::Unknown, "unknown CMP N", "how many calls have an unknown outcome"),
    (What::Faults, "faults CMP N", "how many faults are in force"),
    (What::InFlight, "in flight CMP N", "how many messages are under way"),
    (What::Time, "time CMP SPAN", "how long the run has lasted"),
    (
        What::StaleReads,
        "stale reads CMP N",
        "of keys by quorums: reads that missed an earlier write",
    ),
    (
        What::LostWrites,
        "lost writes CMP N",
        "acknowledged, and lost to a later stamp, or with a cache that had not written them yet",
    ),
    (What::Hints, "hints CMP N", "how many writes stand-ins keep for others"),
    (What::Keeps, "WHO keeps NAME", "this replica has a value of that key, not only a tombstone"),
    (What::CacheHits, "cache hits CMP SHARE", "of the last questions to caches: cache hits > 90%"),
    (What::OldAnswers, "old answers CMP N", "how often a cache answered what was not current"),
    (What::OldestAnswer, "oldest answer CMP SPAN", "by how much, at most: oldest answer < 2s"),
    (What::StoreReads, "store reads CMP N", "for caches, in the last second: store reads < 20"),
    (
        What::ReadsWaiting,
        "reads waiting CMP N",
        "at the owners of keys, where reads take time: reads waiting > 100",
    ),
    (What::Owes, "WHO owes CMP N keys", "a cache has acknowledged and not written so many"),
    (What::KeyEqual, "key NAME is equal", "all of its replicas keep the same of it"),
    (What::SagaSteps, "saga TXN has N done", "at least so many of its steps are in effect"),
    (What::SagaBack, "saga TXN goes back", "its steps are being compensated"),
    (What::SagaDone, "saga TXN is done", "it is over, and all of its steps are in effect"),
    (What::SagaUndone, "saga TXN is undone", "it is over, and none of its steps is in effect"),
    (What::SagaOver, "saga TXN is over", "it is done or undone"),
    (What::SagaStuck, "saga TXN is stuck", "one of its steps has been waited for for two seconds"),
    (
        What::FileWhole,
        "file NAME is whole",
        "each of its blocks is on as many disks as it should be",
    ),
    (What::Spoilt, "spoilt copies CMP N", "copies of blocks that are not what was put"),
];

/// How to write each statement, and what it means: for help and guides.
pub const FORMS: &[(&str, &str)] = &{
    let mut forms = [("", ""); TABLE.len()];
    let mut i = 0;
    while i < forms.len() {
        forms[i] = (TABLE[i].1, TABLE[i].2);
        i += 1;
    }
    forms
};

/// Operations that a call can be of. `write` is any that changes a value; `call` is any at all.
pub(super) const OPS: &[&str] = &[
    "call", "get", "put", "add", "write", "acquire", "renew", "release", "transfer", "propose",
    "join", "delete", "leave",
];

/// How a call can end, besides with a number.
pub(super) const RESULTS: &[&str] = &[
    "ok",
    "refused",
    "unknown",
    "granted",
    "committed",
    "aborted",
    "absent",
    "chosen",
    "stale",
    "unheld",
    "taken",
    "locked",
    "poor",
    "siblings",
];

/// One statement: a form and what fills it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub(super) what: What,
    pub(super) args: Vec<Arg>,
}

/// What fills a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    Who(NodeId),
    N(u64),
    Cmp(Cmp),
    Span(Span),
    Share(u8),
    Name(Name),
    Txn(Which),
    /// One of [`OPS`] or [`RESULTS`].
    Word(&'static str),
    Value(i64),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cmp {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Cmp {
    pub(super) const ALL: [(&'static str, Cmp); 5] = [
        ("<=", Cmp::AtMost),
        (">=", Cmp::AtLeast),
        ("<", Cmp::Less),
        ("=", Cmp::Equal),
        (">", Cmp::More),
    ];

    pub(super) fn holds<T: Ord>(self, a: T, b: T) -> bool {
        match self {
            Cmp::Less => a < b,
            Cmp::AtMost => a <= b,
            Cmp::Equal => a == b,
            Cmp::AtLeast => a >= b,
            Cmp::More => a > b,
        }
    }
}

/// Which transaction is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// This one.
    Id(TxnId),
    /// The latest of this number, whoever coordinates it.
    Number(u32),
    /// The one that began last.
    Last,
    /// Any of those that are remembered.
    Any,
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arg::Who(id) => write!(f, "{id}"),
            Arg::N(n) => write!(f, "{n}"),
            Arg::Cmp(cmp) => {
                let known = Cmp::ALL.iter().find(|(_, known)| known == cmp);
                f.write_str(known.map_or("", |(text, _)| text))
            }
            Arg::Span(span) => write!(f, "{span}"),
            Arg::Share(percent) => write!(f, "{percent}%"),
            Arg::Name(name) => write!(f, "{name}"),
            Arg::Txn(Which::Id(id)) => write!(f, "{id}"),
            Arg::Txn(Which::Number(number)) => write!(f, "{number}"),
            Arg::Txn(Which::Last) => f.write_str("last"),
            Arg::Txn(Which::Any) => f.write_str("any"),
            Arg::Word(word) => f.write_str(word),
            Arg::Value(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = TABLE.iter().find(|(what, ..)| *what == self.what);
        let mut args = self.args.iter();
        for (i, word) in form.map_or("", |(_, form, _)| form).split(' ').enumerate() {
            f.write_str(if i == 0 { "" } else { " " })?;
            match is_slot(word).then(|| args.next()).flatten() {
                Some(arg) => write!(f, "{arg}")?,
                None => f.write_str(word)?,
            }
        }
        Ok(())
    }
}

/// Whether a word of a form stands for something.
pub(super) fn is_slot(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_uppercase())
}
