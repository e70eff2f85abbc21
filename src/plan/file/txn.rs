//! `[txn]`: transactions, and by which protocol they come to their outcome.

use super::super::Txn;
use super::{TICK, time};
use crate::base::{Commitment, Presume};
use crate::read::{Read, Table, Value};

/// The keys of the section. The switches of two-phase commit stand last.
pub(super) const KEYS: &[&str] =
    &["vote_timeout", "retry", "kind", "acceptors", "presume", "termination", "coordinator"];

pub(super) fn txn(table: &Table<'_>, nodes: usize) -> Read<Txn> {
    let default = Txn::default();
    Ok(Txn {
        vote_timeout: time(table, "vote_timeout", default.vote_timeout, TICK)?,
        retry: time(table, "retry", default.retry, TICK)?,
        how: kind(table, nodes)?,
    })
}

fn kind(table: &Table<'_>, nodes: usize) -> Read<Commitment> {
    let word = table.get("kind").map(|kind| kind.text().map(str::to_owned)).transpose()?;
    if let Some(acceptors) =
        table.get("acceptors").filter(|_| word.as_deref() != Some("paxoscommit"))
    {
        let error = acceptors.wrong_key("'acceptors' is a switch of Paxos Commit", "not of this");
        return Err(error.help("write kind = \"paxoscommit\" if that is meant"));
    }
    let Some(kind) = table.get("kind") else { return two_phase(table) };
    match kind.text()? {
        "twophase" => two_phase(table),
        "threephase" => without_switches(table, Commitment::ThreePhase),
        "paxoscommit" => paxos_commit(table, nodes),
        _ => Err(kind
            .wrong("unknown kind of commitment", "not there")
            .help("write kind = \"twophase\", \"threephase\" or \"paxoscommit\"")),
    }
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
    without_switches(table, Commitment::PaxosCommit { acceptors: acceptors.min(most) })
}

/// A kind that has none of the switches of two-phase commit.
fn without_switches(table: &Table<'_>, kind: Commitment) -> Read<Commitment> {
    match KEYS[4..].iter().find_map(|key| table.get(key)) {
        Some(switch) => {
            let what = format!("'{}' is a switch of two-phase commit", switch.key());
            let error = switch.wrong_key(what, format!("not of {}", kind.title()));
            Err(error.help("write kind = \"twophase\" if that is meant"))
        }
        None => Ok(kind),
    }
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
fn needless(table: &Table<'_>, switch: &Value<'_>) -> crate::error::Error {
    let what = format!("'{}' has no meaning where the log decides", switch.key());
    let error = switch.wrong_key(what, "everybody asks the log");
    let error = match table.get("coordinator") {
        Some(log) => log.witness(error, "because of this"),
        None => error,
    };
    error.help("leave one of the two out")
}
