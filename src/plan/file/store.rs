//! `[store]`: how keys are kept.

use super::super::{Quorum, Repair, Store, StoreKind};
use super::{TICK, pair, time};
use crate::base::{Conflict, Span};
use crate::error::{Error, nearest};
use crate::read::{Read, Table, Value};

pub(super) const KEYS: &[&str] = &[
    "kind",
    "retry",
    "give_up",
    "opening_balance",
    "read_time",
    "read_queue",
    "r",
    "w",
    "versions",
    "sloppy",
    "hint_window",
    "hint_rate",
    "read_repair",
    "grace",
    "sync_every",
    "survey",
];

/// The keys that have a meaning where keys have owners.
const OF_OWNERS: &[&str] = &["read_time", "read_queue"];

/// The keys that have a meaning for quorums only.
const OF_QUORUMS: &[&str] = &[
    "r",
    "w",
    "versions",
    "sloppy",
    "hint_window",
    "hint_rate",
    "read_repair",
    "grace",
    "sync_every",
    "survey",
];

/// Reads the section, for keys with so many replicas.
pub(super) fn store(top: &Table<'_>, table: &Table<'_>, replicas: u8) -> Read<Store> {
    let default = Store::default();
    let retry = time(table, "retry", default.retry, TICK)?;
    let give_up = time(table, "give_up", default.give_up.max(retry.times(2)), TICK)?;
    if give_up < retry {
        let what = "'give_up' must not be shorter than 'retry'";
        return Err(pair(table, "give_up", "retry", what));
    }
    let kind = table.get_or("kind", "primary", |value| {
        one_of(value, &[("primary", "primary"), ("quorum", "quorum")])
    })?;
    let balance = |value: Value<'_>| value.number(0..=1_000_000_000);
    let opening_balance = table.get("opening_balance").map(balance).transpose()?;
    let opening_balance = opening_balance.unwrap_or(default.opening_balance);
    let kind = match kind {
        "quorum" => {
            refuse_what_needs_an_order(top, table)?;
            refuse(table, OF_OWNERS, "only a store whose keys have owners has this", "primary")?;
            StoreKind::Quorum(quorum(table, replicas, give_up)?)
        }
        _ => {
            refuse(table, OF_QUORUMS, "only a store by quorums has this", "quorum")?;
            StoreKind::Primary
        }
    };
    let read_time = time(table, "read_time", default.read_time, Span::ZERO)?;
    let read_queue = queue(table, default.read_queue)?;
    Ok(Store { kind, retry, give_up, opening_balance, read_time, read_queue })
}

/// How many reads may wait at an owner.
fn queue(table: &Table<'_>, default: u16) -> Read<u16> {
    let timeless = table.get("read_time").is_none();
    match table.get("read_queue") {
        Some(value) if timeless => {
            let error = value.wrong_key("nobody waits where reads take no time", "of no effect");
            Err(error.help("write how long a read takes, read_time = \"5ms\", or leave it out"))
        }
        Some(value) => value.number(0..=10_000),
        None => Ok(default),
    }
}

/// Refuses keys that have a meaning for another kind.
fn refuse(table: &Table<'_>, keys: &[&str], what: &str, kind: &str) -> Read<()> {
    let Some(value) = keys.iter().find_map(|key| table.get(key)) else { return Ok(()) };
    let error = value.wrong_key(what, "of no effect");
    Err(error.help(format!("write kind = \"{kind}\", or leave it out")))
}

/// Which of these words it is.
pub(super) fn one_of<T: Copy>(value: &Value<'_>, words: &[(&str, T)]) -> Read<T> {
    let text = value.text()?;
    let known = || words.iter().map(|(word, _)| *word);
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let error = value.wrong(format!("unknown {}", value.key()), "not understood");
        match nearest(text, known()) {
            Some(near) => error.help(format!("did you mean \"{near}\"?")),
            None => error.help(format!("write one of {}", known().collect::<Vec<_>>().join(", "))),
        }
    })
}

/// Transactions and sums need one order of the writes of a key.
fn refuse_what_needs_an_order(top: &Table<'_>, table: &Table<'_>) -> Read<()> {
    let balance = table.get("opening_balance");
    let culprit = top.get("txn").or(balance);
    let Some(value) = culprit else { return Ok(()) };
    let what = "a store by quorums has no transactions";
    let error = value.wrong_key(what, "needs one order of the writes of a key");
    let kind = table.get("kind").map(|kind| kind.witness(error.clone(), "by quorums"));
    let help = "leave this out, or write kind = \"primary\"";
    Err(kind.unwrap_or(error).help(help))
}

fn quorum(table: &Table<'_>, replicas: u8, give_up: Span) -> Read<Quorum> {
    let default = Quorum::default();
    let number = |key, default: u8| match table.get(key) {
        None => Ok(default.min(replicas)),
        Some(value) => value.number(1..=replicas).map_err(|error| {
            error.help(format!("a key has {replicas} replicas; 'replicas' of [ring] says so"))
        }),
    };
    let versions = table.get_or("versions", default.versions, |value| {
        one_of(value, &[("lww", Conflict::LastWriter), ("siblings", Conflict::Siblings)])
    })?;
    let read_repair = table.get_or("read_repair", default.read_repair, |value| {
        let words =
            [("off", Repair::Off), ("async", Repair::Async), ("write-back", Repair::WriteBack)];
        one_of(value, &words)
    })?;
    let hint_window = time(table, "hint_window", default.hint_window, Span::ZERO)?;
    let sloppy = table.get_or("sloppy", default.sloppy, |value| value.flag())?;
    if sloppy && hint_window == Span::ZERO {
        let what = "a sloppy quorum needs hints";
        return Err(pair(table, "sloppy", "hint_window", what).help("write a longer hint_window"));
    }
    let grace = time(table, "grace", default.grace.max(give_up.times(2)), TICK)?;
    if grace < give_up.times(2) {
        return Err(short_grace(table, give_up));
    }
    Ok(Quorum {
        r: number("r", default.r)?,
        w: number("w", default.w)?,
        versions,
        sloppy,
        hint_window,
        hint_rate: table
            .get_or("hint_rate", default.hint_rate, |value| value.number(1..=10_000))?,
        read_repair,
        grace,
        sync_every: time(table, "sync_every", default.sync_every, Span::ZERO)?,
        survey: table.get_or("survey", default.survey, |value| value.flag())?,
    })
}

/// Tombstones must outlive every write that is under way.
fn short_grace(table: &Table<'_>, give_up: Span) -> Error {
    let what = "'grace' must be twice as long as 'give_up'";
    pair(table, "grace", "give_up", what).help(format!("write grace = \"{}\"", give_up.times(2)))
}
