//! `[cache]`: who keeps copies of keys, and how.

use super::super::{Cache, Node};
use super::balance::list;
use super::store::one_of;
use super::{TICK, pair, time};
use crate::base::cache::{Evict, Mode};
use crate::proto::cache::Settings;
use crate::read::{Read, Table};

pub(super) const KEYS: &[&str] =
    &["nodes", "mode", "capacity", "evict", "ttl", "lease", "timeout", "early"];

/// Reads the section.
pub(super) fn cache(top: &Table<'_>, table: &Table<'_>, nodes: &[Node]) -> Read<Cache> {
    refuse_quorums(top)?;
    let all = || nodes.iter().map(|node| node.id).collect();
    let some = table.get_or("nodes", None, |value| list(value, nodes).map(Some))?;
    let default = Settings::default();
    let (modes, rules) =
        (Mode::ALL.map(|it| (it.name(), it)), Evict::ALL.map(|it| (it.name(), it)));
    let settings = Settings {
        mode: table.get_or("mode", default.mode, |value| one_of(value, &modes))?,
        capacity: table.get_or("capacity", default.capacity, |v| v.number(1..=100_000))?,
        evict: table.get_or("evict", default.evict, |value| one_of(value, &rules))?,
        ttl: time(table, "ttl", default.ttl, TICK)?,
        lease: time(table, "lease", default.lease, TICK)?,
        timeout: time(table, "timeout", default.timeout, TICK)?,
        early: table.get_or("early", default.early, |value| value.number(0..=100))?,
    };
    if settings.lease > settings.ttl {
        let what = "'lease' must not be longer than 'ttl'";
        let help = "an entry's time counts from its lease, and would be over when it is filled";
        return Err(pair(table, "lease", "ttl", what).help(help));
    }
    Ok(Cache { nodes: some.unwrap_or_else(all), settings })
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
