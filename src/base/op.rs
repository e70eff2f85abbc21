//! What clients ask for, what they are told, and what the replicated log carries.

use super::balance::Serving;
use super::placement::Member;
use super::{
    CallId, FileOp, FileOutcome, LockMode, NodeId, OWN_SESSION, ParseError, SagaStep, SessionOp,
    SessionOutcome, Span, Token, TxOp, TxOutcome, TxnId, Version, Versions, Voters, parse_error,
};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a key, a lock or a resource: 1 to 64 of `a-z A-Z 0-9 _ - / :`. Cheap to clone: up to
/// 24 letters it has no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString")]
pub struct Name(CompactString);

impl Name {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Name, ParseError> {
        CompactString::from(text).try_into()
    }
}

impl TryFrom<CompactString> for Name {
    type Error = ParseError;
    fn try_from(text: CompactString) -> Result<Name, ParseError> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_-/:".contains(&c);
        match (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Name(text)),
            false => parse_error(format!(
                "'{text}' is not a name; write 1 to 64 letters, digits and any of _ - / :"
            )),
        }
    }
}

/// Money from one account to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Transfer {
    /// The key that gives.
    pub from: Name,
    /// The key that takes. Never the same as `from`.
    pub to: Name,
    /// How much; more than zero.
    pub amount: i64,
}

/// What a transaction does to one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// Which key.
    pub key: Name,
    /// What is added to it.
    pub by: i64,
}

/// How many keys one transaction may change.
pub const MAX_LEGS: usize = 8;

/// One operation. The first group is what clients ask for; the second is what services ask of the
/// log and of each other.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Read a key.
    Get { key: Name },
    /// Set a key.
    Put { key: Name, value: i64 },
    /// Add to a key; an absent key counts as zero.
    Add { key: Name, by: i64 },
    /// Take a lock, or wait in its queue, for `ttl` at a time; `mode` says beside whom.
    Acquire { lock: Name, ttl: Span, mode: LockMode },
    /// Keep a lock for another `ttl`, measured from when the log grants it.
    Renew { lock: Name, token: Token },
    /// Give a lock back.
    Release { lock: Name, token: Token },
    /// Write to the resource that a lock guards, showing the token of the grant.
    Write { resource: Name, token: Token, value: i64 },
    /// Move money between two keys in one transaction.
    Transfer(Transfer),
    /// Propose a value for the single decree.
    Propose { value: Name },
    /// Bring a node into the ring, or change its weight.
    Join { node: NodeId, weight: u16 },
    /// Take a node out of the ring.
    Leave { node: NodeId },

    /// Fills a gap, or starts a leader's term.
    Noop,
    /// Free a lock whose lease ran out. Has no effect unless `token` still holds it, and unless it
    /// was renewed no more than `renewals` times, so that a renewal ordered before it wins.
    Expire { lock: Name, token: Token, renewals: u32 },
    /// A node holds all of its ranges of ring epoch `epoch`.
    Synced { node: NodeId, epoch: u64 },
    /// The cluster takes a silent node out of the ring. Has no effect unless the ring is still that
    /// of `epoch`, in which it was decided.
    Evict { node: NodeId, epoch: u64 },
    /// The cluster takes a node in. Has no effect unless the ring is still that of `epoch`, nor if
    /// a person made the node leave.
    Admit { node: NodeId, weight: u16, epoch: u64 },
    /// For `call`'s transaction `txn`, lock `key` and plan to add `by` to it. `others` are the
    /// other keys that it changes.
    Intend { txn: TxnId, call: CallId, key: Name, by: i64, others: Arc<[Name]> },
    /// Carry out (`commit`) or drop what `txn` planned for `key` for `call`, and unlock it.
    Settle { txn: TxnId, call: CallId, key: Name, commit: bool },

    /// Have these nodes vote on the log, and no others.
    Voters { voters: Voters },
    /// Have this node lead the log in the place of who does.
    Lead { node: NodeId },
    /// In the log, before a `Voters` of the same call: from here on these voters count beside those
    /// of before.
    Joint { voters: Voters },
    /// In the log: what `call` asked for will not be done.
    Decline { why: Refusal },
    /// Add to several keys in one transaction.
    Move { legs: Arc<[Leg]> },
    /// Say how `txn` of `call` stands at `key`. If it is not prepared there, it never will be.
    Consult { txn: TxnId, call: CallId, key: Name },
    /// In the log: `txn` ends so, unless it was decided before.
    Conclude { txn: TxnId, commit: bool },
    /// Something about sessions, which clients ask for while they take a lock.
    Session(SessionOp),

    /// Have some backend do work for a key.
    Request { key: Name },
    /// As a backend, serve like this from now on.
    Serve { how: Serving },
    /// Note at `key`, where `txn` of `call` is prepared, that all have voted yes.
    Precommit { txn: TxnId, call: CallId, key: Name },

    /// Delete a key.
    Delete { key: Name },
    /// Tell which versions of a key there are, for who is about to write it.
    Survey { key: Name },
    /// Keep this version of a key.
    Store { key: Name, version: Arc<Version> },
    /// Something that a saga asks for at a key.
    Saga(SagaStep),
    /// Something about files.
    File(FileOp),
    /// Something about a transaction that the client opened.
    Tx(TxOp),
}

/// `get x`, `put x=5`, `add x 3`, `acquire billing 3s`, `write billing 17 5`, `transfer a b 10` …
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Get { key } => write!(f, "get {key}"),
            Op::Put { key, value } => write!(f, "put {key}={value}"),
            Op::Add { key, by } => write!(f, "add {key} {by}"),
            Op::Acquire { lock, ttl, mode } => write!(f, "acquire {lock} {ttl}{mode}"),
            Op::Renew { lock, token } => write!(f, "renew {lock} {}", Shown(*token)),
            Op::Release { lock, token } => write!(f, "release {lock} {}", Shown(*token)),
            Op::Write { resource, token, value } => {
                write!(f, "write {resource} {} {value}", Shown(*token))
            }
            Op::Transfer(t) => write!(f, "transfer {} {} {}", t.from, t.to, t.amount),
            Op::Propose { value } => write!(f, "propose {value}"),
            Op::Join { node, weight } => write!(f, "join {node} {weight}"),
            Op::Leave { node } => write!(f, "leave {node}"),
            Op::Noop => f.write_str("noop"),
            Op::Expire { lock, token, renewals } => write!(f, "expire {lock} {token} {renewals}"),
            Op::Synced { node, epoch } => write!(f, "synced {node} {epoch}"),
            Op::Evict { node, epoch } => write!(f, "evict {node} {epoch}"),
            Op::Admit { node, weight, epoch } => write!(f, "admit {node} {weight} {epoch}"),
            Op::Intend { txn, key, by, .. } => write!(f, "intend {txn} {key} {by}"),
            Op::Settle { txn, key, commit: true, .. } => write!(f, "commit {txn} {key}"),
            Op::Settle { txn, key, commit: false, .. } => write!(f, "abort {txn} {key}"),
            Op::Voters { voters } => write!(f, "voters {voters}"),
            Op::Lead { node } => write!(f, "lead {node}"),
            Op::Joint { voters } => write!(f, "joint voters {voters}"),
            Op::Decline { why } => write!(f, "decline: {why}"),
            Op::Move { legs } => {
                f.write_str("move")?;
                legs.iter().try_for_each(|Leg { key, by }| write!(f, " {key} {by}"))
            }
            Op::Consult { txn, key, .. } => write!(f, "consult {txn} {key}"),
            Op::Conclude { txn, commit: true } => write!(f, "conclude {txn} commit"),
            Op::Precommit { txn, key, .. } => write!(f, "precommit {txn} {key}"),
            Op::Conclude { txn, commit: false } => write!(f, "conclude {txn} abort"),
            Op::Session(op) => op.fmt(f),
            Op::Request { key } => write!(f, "request {key}"),
            Op::Serve { how } => write!(f, "serve {how}"),
            Op::Delete { key } => write!(f, "delete {key}"),
            Op::Survey { key } => write!(f, "survey {key}"),
            Op::Store { key, version } => write!(f, "store {key}={version}"),
            Op::Saga(asked) => asked.fmt(f),
            Op::Tx(op) => op.fmt(f),
            Op::File(op) => op.fmt(f),
        }
    }
}

/// A token that stands for the one that the caller was granted last. No grant has it; whoever
/// watches the cluster puts the real one in its place.
pub const OWN: Token = 0;

/// A token as a person writes it.
struct Shown(Token);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            OWN => f.write_str("own"),
            token => write!(f, "{token}"),
        }
    }
}

/// Reads what a client may ask for; the log's own operations are refused.
impl FromStr for Op {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Op, ParseError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| match word.parse::<i64>() {
            Ok(n) => Ok(n),
            Err(_) => parse_error(format!("'{word}' is not a whole number")),
        };
        let token = |word: &str| match word.parse::<Token>() {
            _ if word == "own" => Ok(OWN),
            Ok(n @ 1..) => Ok(n),
            _ => parse_error(format!(
                "'{word}' is not a fencing token; write a number from 1, or own for the caller's"
            )),
        };
        if let Some(op) = FileOp::read(&words) {
            return op.map(Op::File);
        }
        Ok(match words[..] {
            ["get", key] => Op::Get { key: key.parse()? },
            ["put", pair] => match pair.split_once('=') {
                Some((key, value)) => Op::Put { key: key.parse()?, value: number(value)? },
                None => return parse_error("write put KEY=NUMBER"),
            },
            ["delete", key] => Op::Delete { key: key.parse()? },
            ["add", key, by] => Op::Add { key: key.parse()?, by: number(by)? },
            ["acquire", lock, ttl, ref mode @ ..] => {
                let mode = LockMode::read(mode)?;
                Op::Acquire { lock: lock.parse()?, ttl: ttl.parse()?, mode }
            }
            ["renew", lock, t] => Op::Renew { lock: lock.parse()?, token: token(t)? },
            ["release", lock, t] => Op::Release { lock: lock.parse()?, token: token(t)? },
            ["write", resource, t, value] => {
                Op::Write { resource: resource.parse()?, token: token(t)?, value: number(value)? }
            }
            ["transfer", from, to, amount] => match (from == to, number(amount)?) {
                (false, amount @ 1..) => {
                    Op::Transfer(Transfer { from: from.parse()?, to: to.parse()?, amount })
                }
                _ => return parse_error("a transfer needs two accounts and an amount above zero"),
            },
            ["move", ref legs @ ..] => Op::Move { legs: read_legs(legs)? },
            ["propose", value] => Op::Propose { value: value.parse()? },
            ["join", node] => Op::Join { node: node.parse()?, weight: 1 },
            ["join", node, weight] => match weight.parse() {
                Ok(weight @ 1..=Member::MAX_WEIGHT) => Op::Join { node: node.parse()?, weight },
                _ => {
                    return parse_error(format!("weight '{weight}' is not a number from 1 to 100"));
                }
            },
            ["leave", node] => Op::Leave { node: node.parse()? },
            ["voters", voters] => Op::Voters { voters: voters.parse()? },
            ["lead", node] => Op::Lead { node: node.parse()? },
            ["tx", ..] => Op::Tx(text.trim_start().strip_prefix("tx").unwrap_or_default().parse()?),
            ["request", key] => Op::Request { key: key.parse()? },
            ["close", "session"] => Op::Session(SessionOp::Close { session: OWN_SESSION }),
            ["serve", ..] => {
                let how = text.trim_start().strip_prefix("serve").unwrap_or_default();
                Op::Serve { how: how.parse()? }
            }
            _ => {
                return parse_error(format!(
                    "'{text}' is not an operation; known: get K · put K=V · add K N · delete K · \
                     acquire L TTL [read|of N] · renew L TOKEN · release L TOKEN · close session · write R TOKEN V · \
                     transfer A B N · move A N B N … · propose V · join N [WEIGHT] · leave N · \
                     voters N,N,… · lead N · request K · serve well|slowly N|failing|draining · \
                     tx begin [LEVEL] · tx get K · tx set K=V · tx commit · tx abort · \
                     upload F SIZE seed N · download F · remove F · rot [F]"
                ));
            }
        })
    }
}

impl Op {
    /// Whether it is an entry of the log that says who votes.
    pub fn names_voters(&self) -> bool {
        matches!(self, Op::Voters { .. } | Op::Joint { .. })
    }

    /// What it does to which keys, if it is a transaction.
    pub fn legs(&self) -> Vec<Leg> {
        match self {
            Op::Transfer(Transfer { from, to, amount }) => {
                let (from, to) = (from.clone(), to.clone());
                vec![Leg { key: from, by: amount.saturating_neg() }, Leg { key: to, by: *amount }]
            }
            Op::Move { legs } => legs.to_vec(),
            _ => Vec::new(),
        }
    }
}

/// Reads `acct/1 -10 acct/2 10`.
fn read_legs(words: &[&str]) -> Result<Arc<[Leg]>, ParseError> {
    let leg = |pair: &[&str]| match (pair[0].parse(), pair[1].parse::<i64>()) {
        (Ok(key), Ok(by)) if by != 0 => Ok(Leg { key, by }),
        (Err(error), _) => Err(error),
        _ => parse_error(format!("'{}' is not a whole number other than 0", pair[1])),
    };
    if !words.len().is_multiple_of(2) || !(2..=MAX_LEGS).contains(&(words.len() / 2)) {
        return parse_error(format!("write move KEY NUMBER KEY NUMBER …, 2 to {MAX_LEGS} pairs"));
    }
    let legs = words.chunks(2).map(leg).collect::<Result<Vec<Leg>, ParseError>>()?;
    let twice = |(at, leg): (usize, &Leg)| legs[..at].iter().any(|other| other.key == leg.key);
    match legs.iter().enumerate().any(twice) {
        true => parse_error("each key of a transaction stands there once"),
        false => Ok(legs.into()),
    }
}

/// What a client is told.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It took effect, and there is nothing more to say.
    Done,
    /// A read: the value, and the version that was read. Versions of one key rise; 0 is absent.
    Value { value: Option<i64>, version: u64 },
    /// A write: the value now, and the version it got.
    Written { value: i64, version: u64 },
    /// The lock is the caller's, under this fencing token.
    Granted { token: Token },
    /// The transaction committed.
    Committed { txn: TxnId },
    /// The transaction aborted: it has no effect, now or later.
    Aborted { txn: TxnId },
    /// The single decree's value.
    Chosen { value: Name },
    /// It has no effect, now or later.
    Refused(Refusal),
    /// Nobody can say whether it took, or will take, effect.
    Unknown,
    /// Among services: a transaction of `call` is prepared here and has no outcome yet; `others`
    /// are the other keys that it changes. Whether it is known here that all have voted yes.
    Prepared { call: CallId, others: Arc<[Name]>, ready: bool },
    /// The answer to something about sessions.
    Session(SessionOutcome),
    /// A read of a key that is kept by quorums: all versions that count.
    Found { versions: Versions },
    /// The answer to something about files.
    File(FileOutcome),
    /// The answer to something about a transaction that the client opened.
    Tx(TxOutcome),
}

/// Why an operation was refused.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// This node cannot serve it now; another may.
    NotHere { try_node: Option<NodeId> },
    /// The cluster does not run the service that it needs.
    NoService,
    /// The lock is not, or no longer, held under that token.
    NotHeld,
    /// The resource has accepted a write with a larger token.
    StaleToken { highest: Token },
    /// A key is locked by a transaction.
    Locked,
    /// The account has too little.
    Funds,
    /// Nothing can be done now: no quorum, no owner, a range on the move.
    Unavailable,
    /// This kind of log has no way to do it.
    NotByThisLog,
    /// There is no such node.
    NoSuchNode { node: NodeId },
    /// The node does not vote on the log, so it cannot lead it.
    NoVoter,
    /// Only one voter may come or go at a time.
    OneAtATime,
    /// A new voter did not catch up with the log.
    Behind,
    /// The transaction was not prepared here, and never will be.
    NotPrepared,
    /// Somebody else holds the lock, whenever it was asked for.
    Taken,
    /// The session has ended.
    Expired,
    /// Such locks are taken in several steps, which only clients know.
    OnlyClients,
    /// Whoever should do it has too much to do.
    Overloaded,
    /// What was asked for is too old: it was forgotten.
    Compacted,
    /// What became of it was forgotten for a later call of the same client.
    Forgotten,
    /// There is no such file.
    NoFile,
    /// Somebody else has put or removed the file meanwhile.
    Overtaken,
    /// The check of the node is critical: no session hangs on it.
    Critical,
    /// It waited in a circle of clients that waited for each other, and had lined up last.
    Deadlock,
    /// Others have the lock in another way: as a lock, or as a semaphore of another limit.
    NotShared,
    /// Locks of this kind have one owner: nobody reads beside others.
    NoReaders,
    /// Locks of this kind have no permits.
    NoPermits,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Value { value: Some(value), version } => {
                write!(f, "{value} @{}", Ver(*version))
            }
            Outcome::Value { value: None, version } => write!(f, "absent @{}", Ver(*version)),
            Outcome::Written { value, version } => write!(f, "now {value} @{}", Ver(*version)),
            Outcome::Granted { token } => write!(f, "granted token {token}"),
            Outcome::Committed { txn } => write!(f, "{txn} committed"),
            Outcome::Aborted { txn } => write!(f, "{txn} aborted"),
            Outcome::Chosen { value } => write!(f, "chosen {value}"),
            Outcome::Refused(why) => write!(f, "refused: {why}"),
            Outcome::Unknown => f.write_str("unknown"),
            Outcome::Prepared { call, .. } => write!(f, "prepared ({call})"),
            Outcome::Session(outcome) => outcome.fmt(f),
            Outcome::Tx(outcome) => outcome.fmt(f),
            Outcome::Found { versions } => versions.fmt(f),
            Outcome::File(outcome) => outcome.fmt(f),
        }
    }
}

/// A version as `epoch.count`.
struct Ver(u64);

impl fmt::Display for Ver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotHere { try_node: Some(node) } => write!(f, "not here, try {node}"),
            Refusal::NotHere { try_node: None } => f.write_str("not here"),
            Refusal::NoService => f.write_str("no such service"),
            Refusal::NotHeld => f.write_str("lock not held"),
            Refusal::StaleToken { highest } => write!(f, "stale token, {highest} was seen"),
            Refusal::Locked => f.write_str("key is locked"),
            Refusal::Funds => f.write_str("not enough money"),
            Refusal::Unavailable => f.write_str("unavailable"),
            Refusal::NotByThisLog => f.write_str("this kind of log cannot do that"),
            Refusal::NoSuchNode { node } => write!(f, "there is no {node}"),
            Refusal::NoVoter => f.write_str("who does not vote cannot lead"),
            Refusal::OneAtATime => f.write_str("one voter may come or go at a time"),
            Refusal::Behind => f.write_str("a new voter does not catch up"),
            Refusal::NotPrepared => f.write_str("it was not prepared"),
            Refusal::Taken => f.write_str("lock is taken"),
            Refusal::Expired => f.write_str("the session has expired"),
            Refusal::OnlyClients => f.write_str("only clients take such locks"),
            Refusal::Overloaded => f.write_str("too much to do"),
            Refusal::Compacted => f.write_str("so old changes are forgotten"),
            Refusal::Forgotten => f.write_str("what became of it was forgotten"),
            Refusal::NoFile => f.write_str("no such file"),
            Refusal::Overtaken => f.write_str("somebody else has changed the file"),
            Refusal::Critical => f.write_str("the check of that node is critical"),
            Refusal::Deadlock => {
                f.write_str("it closed a circle of clients that wait for each other")
            }
            Refusal::NotShared => f.write_str("others have it in another way: ask as they did"),
            Refusal::NoReaders => {
                f.write_str("no readers: write kind = \"log\", \"zookeeper\" or \"etcd\" in [lock]")
            }
            Refusal::NoPermits => f.write_str(
                "no permits: write kind = \"log\", \"zookeeper\" or \"consul\" in [lock]",
            ),
        }
    }
}

/// One command of the replicated log. Two entries are the same if their calls and operations are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Whose it is. Services use a client id of their own node and a number they never reuse.
    pub call: CallId,
    /// What to do.
    pub op: Op,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.op {
            Op::Noop => f.write_str("noop"),
            _ => write!(f, "{} ({})", self.op, self.call),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_read_back_what_they_print() {
        for text in [
            "get x",
            "delete x",
            "put x=5",
            "put x=-5",
            "add x 3",
            "acquire billing 3s",
            "renew billing 17",
            "release billing 17",
            "write billing 17 5",
            "release billing own",
            "write billing own 5",
            "transfer a b 10",
            "move a -10 b 4 c 6",
            "propose red",
            "join n6 1",
            "leave n3",
            "voters n1,n2,n4",
            "lead n2",
            "tx begin snapshot",
            "tx set x=-5",
            "request k",
            "serve slowly 10",
            "upload plans 4096 seed 7",
            "download plans",
            "remove plans",
            "rot",
            "rot plans",
        ] {
            assert_eq!(text.parse::<Op>().unwrap().to_string(), text);
        }
        let bytes = "upload plans bytes aGVsbG8".parse::<Op>().unwrap().to_string();
        assert_eq!(bytes, "upload plans 5 bytes, sum 9555e8555c62dcfd", "too much for a line");
    }

    #[test]
    fn operations_refuse_nonsense() {
        for text in [
            "",
            "put x",
            "put x=y",
            "transfer a a 1",
            "upload f",
            "upload f 9999999 seed 1",
            "upload f bytes ***",
            "transfer a b 0",
            "move a 1",
            "move a 1 b 0",
            "move a 1 a 2",
            "noop",
            "get é",
            "release billing 0",
            "join n1 0",
        ] {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
    }
}
