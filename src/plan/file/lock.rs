//! `[lock]`: who keeps the locks, and the switches of locks that are keys.

use super::super::{Failover, Keys, Lock, LockKind, Terms, Watch};
use super::{TICK, time};
use crate::base::Span;
use crate::read::{Read, Table, Value};

/// The switches of locks with nodes stand behind the kind, and those of locks that are keys last.
pub(super) const KEYS: &[&str] = &[
    "kind",
    "watch",
    "checkpoint",
    "lock_delay",
    "behavior",
    "deadlock",
    "fsync",
    "restart_delay",
    "fencing",
    "drift",
    "attempt",
    "retry",
    "replicas",
    "acks",
    "failover",
    "down_after",
    "hold_down",
];

/// The lock-delay of Consul, if no other is named, and the longest that it takes.
const LOCK_DELAY: Span = Span::secs(15);
const MAX_LOCK_DELAY: Span = Span::secs(60);

/// Whether the log keeps the locks, so that there must be one.
pub(super) fn needs_log(section: &Value<'_>) -> Read<bool> {
    if !section.is_table() {
        return Ok(true);
    }
    let kind = section.open_table()?.get("kind");
    let kind = kind.as_ref().map(Value::text).transpose()?;
    Ok(matches!(kind, None | Some("log" | "zookeeper" | "etcd" | "consul")))
}

/// Reads the section, for so many nodes.
pub(super) fn lock(table: &Table<'_>, nodes: usize) -> Read<Lock> {
    let kind = table.get("kind");
    let word = kind.as_ref().map(Value::text).transpose()?;
    belongs(table, "watch", "zookeeper", word)?;
    belongs(table, "checkpoint", "etcd", word)?;
    belongs(table, "lock_delay", "consul", word)?;
    belongs(table, "behavior", "consul", word)?;
    let kind = match word {
        None | Some("log") => on_log(table, LockKind::Log)?,
        Some("zookeeper") => {
            let watch = table.get_or("watch", Watch::Predecessor, watch)?;
            on_log(table, LockKind::ZooKeeper { watch })?
        }
        Some("etcd") => {
            let checkpoint = time(table, "checkpoint", Span::ZERO, Span::ZERO)?;
            on_log(table, LockKind::Etcd { checkpoint })?
        }
        Some("consul") => on_log(table, LockKind::Consul(terms(table)?))?,
        Some("redis") => LockKind::Redis(replicated(table, nodes)?),
        Some("redlock") => LockKind::Redlock(redlock(table)?),
        Some(_) => {
            let kinds = "write kind = \"log\", \"redis\", \"redlock\", \"zookeeper\", \"etcd\" or \
                         \"consul\"";
            let kind = kind.expect("it was read");
            return Err(kind.wrong("unknown kind of locks", "not there").help(kinds));
        }
    };
    let detects = table.get_or("deadlock", false, deadlock)?;
    if let Some(switch) = table.get("deadlock").filter(|_| kind != LockKind::Log) {
        let what = "'deadlock' is a switch of kind = \"log\"";
        let error = switch.wrong_key(what, "nobody else sees all who wait");
        return Err(error.help("write kind = \"log\", or leave circles to the end of leases"));
    }
    Ok(Lock { kind, detects })
}

/// What is done about clients that wait for each other.
fn deadlock(value: &Value<'_>) -> Read<bool> {
    match value.text()? {
        "timeout" => Ok(false),
        "detect" => Ok(true),
        _ => Err(value
            .wrong("unknown way out of deadlocks", "not there")
            .help("write \"timeout\" or \"detect\"")),
    }
}

/// A switch of one kind is not there on another.
fn belongs(table: &Table<'_>, key: &str, to: &str, kind: Option<&str>) -> Read<()> {
    match table.get(key).filter(|_| kind != Some(to)) {
        Some(switch) => {
            let what = format!("'{key}' is a switch of kind = \"{to}\"");
            let error = switch.wrong_key(what, "not there");
            Err(error.help(format!("write kind = \"{to}\" if that is meant")))
        }
        None => Ok(()),
    }
}

/// Locks on the log have none of the switches of keys.
fn on_log(table: &Table<'_>, kind: LockKind) -> Read<LockKind> {
    match KEYS[6..].iter().find_map(|key| table.get(key)) {
        Some(switch) => {
            let what = format!("'{}' is a switch of locks that are keys", switch.key());
            let error = switch.wrong_key(what, "not of locks on the log");
            Err(error.help("write kind = \"redis\" or \"redlock\" if that is meant"))
        }
        None => Ok(kind),
    }
}

/// What becomes of locks when sessions end.
fn terms(table: &Table<'_>) -> Read<Terms> {
    let delay = time(table, "lock_delay", LOCK_DELAY, Span::ZERO)?;
    if let Some(value) = table.get("lock_delay").filter(|_| delay > MAX_LOCK_DELAY) {
        let error = value.wrong("too long", "Consul takes no more than 60s");
        return Err(error.help("write at most lock_delay = \"60s\""));
    }
    let deletes = table.get_or("behavior", false, |value| match value.text()? {
        "release" => Ok(false),
        "delete" => Ok(true),
        _ => Err(value
            .wrong("unknown behavior", "not there")
            .help("write \"release\" or \"delete\": what becomes of keys when sessions end")),
    })?;
    Ok(Terms { delay, deletes })
}

/// What who waits watches.
fn watch(value: &Value<'_>) -> Read<Watch> {
    match value.text()? {
        "predecessor" => Ok(Watch::Predecessor),
        "parent" => Ok(Watch::Parent),
        _ => Err(value
            .wrong("unknown thing to watch", "not there")
            .help("write \"predecessor\" or \"parent\"")),
    }
}

/// One instance, maybe with replicas.
fn replicated(table: &Table<'_>, nodes: usize) -> Read<Keys> {
    let keys = keys(table)?;
    let replicas = table.get_or("replicas", keys.replicas, |value| value.number(0..=6))?;
    let acks = table.get_or("acks", keys.acks, |value| value.number(0..=6))?;
    let failover = table.get_or("failover", keys.failover, failover)?;
    if let (Some(value), true) = (table.get("replicas"), usize::from(replicas) >= nodes) {
        let error =
            value.wrong("too many replicas", format!("of {nodes} nodes one is the primary"));
        return Err(error.help(format!("write at most {}, or more nodes", nodes - 1)));
    }
    if let (Some(value), true) = (table.get("acks"), acks > replicas) {
        let error = value.wrong("more than there are replicas", "never reached");
        return Err(error.help(format!("write at most {replicas}, or a larger 'replicas'")));
    }
    if let (Some(value), true) = (table.get("failover"), replicas == 0) {
        let error = value.wrong("nobody can take over", "there are no replicas");
        return Err(error.help("write replicas = 2, or leave 'failover' out"));
    }
    if let (Some(value), true) =
        (table.get("failover"), failover == Failover::Fenced && 2 * acks < replicas)
    {
        let what = "a fenced fail-over keeps only what most instances have";
        let error = value.wrong(what, "not every answered write has to be");
        return Err(error.help(format!("write acks = {}", replicas.div_ceil(2))));
    }
    let down_after = time(table, "down_after", keys.down_after, Span::millis(10))?;
    let hold_down = time(table, "hold_down", keys.hold_down, TICK)?;
    Ok(Keys { replicas, acks, failover, down_after, hold_down, ..keys })
}

/// How another instance becomes primary.
fn failover(value: &Value<'_>) -> Read<Failover> {
    match value.text()? {
        "none" => Ok(Failover::None),
        "sentinel" => Ok(Failover::Sentinel),
        "fenced" => Ok(Failover::Fenced),
        _ => Err(value
            .wrong("unknown way to fail over", "not there")
            .help("write \"none\", \"sentinel\" or \"fenced\"")),
    }
}

fn keys(table: &Table<'_>) -> Read<Keys> {
    let default = Keys::default();
    Ok(Keys {
        fsync: table.get_or("fsync", default.fsync, fsync)?,
        restart_delay: time(table, "restart_delay", default.restart_delay, Span::ZERO)?,
        fencing: table.get_or("fencing", default.fencing, Value::flag)?,
        drift: table.get_or("drift", default.drift, |value| value.number(0..=50))?,
        attempt: time(table, "attempt", default.attempt, TICK)?,
        retry: time(table, "retry", default.retry, TICK)?,
        ..default
    })
}

/// When a key is on the disk.
fn fsync(value: &Value<'_>) -> Read<bool> {
    match value.text()? {
        "always" => Ok(true),
        "no" => Ok(false),
        _ => {
            Err(value.wrong("unknown way to sync", "not there").help("write \"always\" or \"no\""))
        }
    }
}

fn redlock(table: &Table<'_>) -> Read<Keys> {
    let keys = keys(table)?;
    if let Some(switch) = KEYS[12..].iter().find_map(|key| table.get(key)) {
        let what = format!("'{}' is a switch of one instance with replicas", switch.key());
        let error = switch.wrong_key(what, "independent instances have none");
        return Err(error.help("leave it out, or write kind = \"redis\""));
    }
    match table.get("fencing").filter(|_| keys.fencing) {
        Some(fencing) => {
            let what = "independent instances have no fencing token: each counts its own grants";
            let error = fencing.wrong_key(what, "nothing to compare");
            Err(error.help("leave it out, or write kind = \"redis\" or \"log\""))
        }
        None => Ok(keys),
    }
}
