//! `[txn]`: transactions, and by which protocol they come to their outcome.

use super::super::{Txn, TxnKind};
use super::{TICK, time};
use crate::base::{Commitment, Isolation, Pivot, Presume, Span, Style};
use crate::error::Error;
use crate::read::{Read, Table, Value};

/// The keys of the section.
pub(super) const KEYS: &[&str] = &[
    "retry",
    "kind",
    "vote_timeout",
    "acceptors",
    "presume",
    "termination",
    "coordinator",
    "step_timeout",
    "style",
    "pivot",
    "locks",
    "isolation",
    "idle_timeout",
];

/// The kinds, as they are written and as a person calls them, and the keys that each understands
/// besides the first two.
const KINDS: &[(&str, &str, &[&str])] = &[
    ("twophase", "two-phase commit", &["vote_timeout", "presume", "termination", "coordinator"]),
    ("threephase", "three-phase commit", &["vote_timeout"]),
    ("paxoscommit", "Paxos Commit", &["vote_timeout", "acceptors"]),
    ("saga", "a saga", &["step_timeout", "style", "pivot", "locks"]),
    ("opened", "transactions that clients open", &["isolation", "idle_timeout"]),
];

pub(super) fn txn(table: &Table<'_>, nodes: usize) -> Read<Txn> {
    let default = Txn::default();
    Ok(Txn {
        kind: kind(table, nodes)?,
        vote_timeout: time(table, "vote_timeout", default.vote_timeout, TICK)?,
        retry: time(table, "retry", default.retry, TICK)?,
    })
}

fn kind(table: &Table<'_>, nodes: usize) -> Read<TxnKind> {
    let said = table.get("kind").map(|kind| kind.text().map(str::to_owned)).transpose()?;
    let word = said.as_deref().unwrap_or("twophase");
    let Some((_, title, keys)) = KINDS.iter().find(|(name, ..)| *name == word) else {
        let known: Vec<String> = KINDS.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
        let kind = table.get("kind").map(|kind| kind.wrong("unknown kind of transactions", "here"));
        let error = kind.unwrap_or_else(|| Error::new("unknown kind of transactions"));
        return Err(error.help(format!("write one of {}", known.join(", "))));
    };
    let stray = KEYS[2..].iter().filter(|key| !keys.contains(key)).find_map(|key| table.get(key));
    if let Some(switch) = stray {
        return Err(of_another(&switch, title));
    }
    Ok(match word {
        "twophase" => TxnKind::Commit(two_phase(table)?),
        "threephase" => TxnKind::Commit(Commitment::ThreePhase),
        "paxoscommit" => TxnKind::Commit(paxos_commit(table, nodes)?),
        "saga" => saga(table)?,
        _ => opened(table)?,
    })
}

/// A switch that this kind does not have.
fn of_another(switch: &Value<'_>, title: &str) -> Error {
    let owners = KINDS.iter().filter(|(.., keys)| keys.contains(&switch.key()));
    let owners: Vec<&(&str, &str, &[&str])> = owners.collect();
    let name = owners.first().map_or("twophase", |(name, ..)| name);
    let whose = match owners.as_slice() {
        [(_, title, _)] => format!("'{}' is a switch of {title}", switch.key()),
        _ => format!("{title} has no '{}'", switch.key()),
    };
    let error = switch.wrong_key(whose, format!("not of {title}"));
    error.help(format!("write kind = \"{name}\" if that is meant"))
}

/// Whether clients open transactions in such a cluster.
pub(super) fn is_opened(top: &Table<'_>) -> Read<bool> {
    let table = top.get("txn").map(|txn| txn.open_table()).transpose()?;
    let kind = table.as_ref().and_then(|table| table.get("kind"));
    Ok(kind.is_some_and(|kind| kind.text() == Ok("opened")))
}

fn opened(table: &Table<'_>) -> Read<TxnKind> {
    let level = table.get_or("isolation", Isolation::default(), Value::parse)?;
    let idle_timeout = time(table, "idle_timeout", Span::secs(10), TICK)?;
    Ok(TxnKind::Opened { level, idle_timeout })
}

fn saga(table: &Table<'_>) -> Read<TxnKind> {
    let choreographed = either(table, "style", ["orchestrated", "choreographed"])?;
    let pivot = match either(table, "pivot", ["last", "takes"])? {
        true => Pivot::Takes,
        false => Pivot::Last,
    };
    let locks = table.get_or("locks", true, |value| value.flag())?;
    let step_timeout = time(table, "step_timeout", Span::secs(1), TICK)?;
    Ok(TxnKind::Saga { step_timeout, style: Style { choreographed, pivot, locks } })
}

/// The acceptors are the first nodes. An even number survives no more than the odd one below it.
fn paxos_commit(table: &Table<'_>, nodes: usize) -> Read<Commitment> {
    let most = u8::try_from(nodes).unwrap_or(u8::MAX);
    let acceptors =
        table.get_or("acceptors", most.min(3) | 1, |value| match value.number(1..=u8::MAX)? {
            many if many > most => Err(value
                .wrong(format!("{many} acceptors cannot be on {most} nodes"), "too many")
                .help(format!("write {most} or less"))),
            many => Ok(many),
        })?;
    Ok(Commitment::PaxosCommit { acceptors: acceptors.min(most) })
}

/// One of a few words, the first of which counts if none is there. True for the second.
fn either(table: &Table<'_>, key: &str, [first, second]: [&str; 2]) -> Read<bool> {
    table.get_or(key, false, |value| match value.text()? {
        text if text == first => Ok(false),
        text if text == second => Ok(true),
        _ => Err(value
            .wrong(format!("unknown '{key}'"), "not there")
            .help(format!("write \"{first}\" or \"{second}\""))),
    })
}

fn two_phase(table: &Table<'_>) -> Read<Commitment> {
    let commit = either(table, "presume", ["abort", "commit"])?;
    let cooperative = either(table, "termination", ["coordinator", "cooperative"])?;
    if !either(table, "coordinator", ["node", "log"])? {
        let presume = if commit { Presume::Commit } else { Presume::Abort };
        return Ok(Commitment::TwoPhase { presume, cooperative });
    }
    let said = |key: &&str| table.get(key);
    match ["presume", "termination"].iter().find_map(said) {
        Some(switch) => Err(needless(table, &switch)),
        None => Ok(Commitment::Logged),
    }
}

/// A switch that has no meaning, because the log decides and everybody asks it.
fn needless(table: &Table<'_>, switch: &Value<'_>) -> Error {
    let what = format!("'{}' has no meaning where the log decides", switch.key());
    let error = switch.wrong_key(what, "everybody asks the log");
    let error = match table.get("coordinator") {
        Some(log) => log.witness(error, "because of this"),
        None => error,
    };
    error.help("leave one of the two out")
}
