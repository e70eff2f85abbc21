//! `[cache]`: who keeps copies of keys, and how.

use super::super::{Cache, Node};
use super::balance::list;
use super::store::one_of;
use super::{TICK, pair, time};
use crate::base::cache::{Evict, Invalidate, Mode};
use crate::proto::cache::Settings;
use crate::read::{Read, Table};

pub(super) const KEYS: &[&str] = &[
    "nodes",
    "mode",
    "capacity",
    "evict",
    "ttl",
    "lease",
    "timeout",
    "early",
    "invalidate",
    "behind",
    "flush",
];

/// Reads the section.
pub(super) fn cache(top: &Table<'_>, table: &Table<'_>, nodes: &[Node]) -> Read<Cache> {
    refuse_quorums(top)?;
    let all = || nodes.iter().map(|node| node.id).collect();
    let some = table.get_or("nodes", None, |value| list(value, nodes).map(Some))?;
    let default = Settings::default();
    let (modes, rules) =
        (Mode::ALL.map(|it| (it.name(), it)), Evict::ALL.map(|it| (it.name(), it)));
    let told = Invalidate::ALL.map(|it| (it.name(), it));
    let mode = table.get_or("mode", default.mode, |value| one_of(value, &modes))?;
    refuse_what_has_no_effect(table, mode)?;
    let settings = Settings {
        mode,
        capacity: table.get_or("capacity", default.capacity, |v| v.number(1..=100_000))?,
        evict: table.get_or("evict", default.evict, |value| one_of(value, &rules))?,
        ttl: time(table, "ttl", default.ttl, TICK)?,
        lease: time(table, "lease", default.lease, TICK)?,
        timeout: time(table, "timeout", default.timeout, TICK)?,
        early: table.get_or("early", default.early, |value| value.number(0..=100))?,
        invalidate: table.get_or("invalidate", default.invalidate, |v| one_of(v, &told))?,
        behind: table.get_or("behind", default.behind, |value| value.number(1..=1_000))?,
        flush: time(table, "flush", default.flush, TICK)?,
    };
    if settings.lease > settings.ttl {
        let what = "'lease' must not be longer than 'ttl'";
        let help = "an entry's time counts from its lease, and would be over when it is filled";
        return Err(pair(table, "lease", "ttl", what).help(help));
    }
    if mode == Mode::WriteBehind && settings.behind >= settings.capacity {
        let what = "'behind' must be less than 'capacity'";
        let help = "what is owed to the store cannot make room for anything else";
        return Err(pair(table, "behind", "capacity", what).help(help));
    }
    Ok(Cache { nodes: some.unwrap_or_else(all), settings })
}

/// Some keys have a meaning in some modes only.
fn refuse_what_has_no_effect(table: &Table<'_>, mode: Mode) -> Read<()> {
    let behind = mode == Mode::WriteBehind;
    let stray = |keys: &[&str]| keys.iter().find_map(|key| table.get(key));
    if let Some(value) = stray(&["behind", "flush"]).filter(|_| !behind) {
        let error = value.wrong_key("only a cache that writes behind has this", "of no effect");
        return Err(error.help("write mode = \"write-behind\", or leave it out"));
    }
    if let Some(value) = stray(&["invalidate"]).filter(|_| !mode.tells()) {
        let error = value.wrong_key("the cache itself writes, and nobody tells it", "of no effect");
        return Err(error.help("write mode = \"aside\" or \"read-through\", or leave it out"));
    }
    Ok(())
}

/// A cache tells by versions which of two values is the newer one.
fn refuse_quorums(top: &Table<'_>) -> Read<()> {
    let store = top.get("store").map(|store| store.open_table()).transpose()?;
    let kind = store.and_then(|store| store.get("kind"));
    let Some(kind) = kind.filter(|kind| kind.text() == Ok("quorum")) else { return Ok(()) };
    let what = "a store by quorums cannot be cached";
    let error = kind.wrong(what, "may have several versions of a key");
    Err(error.help("write kind = \"primary\", or leave [cache] out"))
}
