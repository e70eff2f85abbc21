//! `[[client]]`: who asks, and for what.

use super::super::{Client, Load, Sharing};
use super::{Ids, MAX_CLIENTS, TICK, time};
use crate::base::{MAX_FILE, MAX_LEGS, Name, NodeId, Span};
use crate::error::nearest;
use crate::read::{Read, Table, Value};

pub(super) fn clients(top: &Table<'_>) -> Read<Vec<Client>> {
    let Some(list) = top.get("client") else { return Ok(Vec::new()) };
    let mut ids = Ids::default();
    let mut clients = Vec::new();
    for item in list.list().map_err(|error| error.help("write [[client]], in double brackets"))? {
        if clients.len() == MAX_CLIENTS {
            return Err(list.wrong_key(format!("more than {MAX_CLIENTS} clients"), "too many"));
        }
        let keys = &["id", "do", "rate", "timeout", "retries", "careful"];
        let table = item.table("[[client]]", keys)?;
        let default = Client::new(1, Vec::new());
        clients.push(Client {
            id: ids.take(&table, NodeId::client)?,
            load: match table.get("do") {
                Some(list) => loads(top, &list)?,
                None => {
                    let error = item.wrong("this client has nothing to do", "'do' is missing");
                    return Err(error.help("write do = [\"read-write\"]"));
                }
            },
            rate: table.get_or("rate", default.rate, |value| value.number(1..=1_000))?,
            timeout: time(&table, "timeout", default.timeout, TICK)?,
            retries: table.get_or("retries", default.retries, |value| value.number(0..=100))?,
            careful: table.get_or("careful", default.careful, |value| value.flag())?,
        });
    }
    // Who reads them looks for them by name.
    clients.sort_unstable_by_key(|client| client.id);
    Ok(clients)
}

/// The word for a client that asks only when it is told.
const NOTHING: &str = "nothing";

/// The words for loads, the service that each needs, and its keys.
const LOADS: &[(&str, &str, &[&str])] = &[
    ("read-write", "store", &["load", "keys", "writes"]),
    ("count", "store", &["load", "counters"]),
    ("lock", "lock", &["load", "locks", "ttl", "hold", "reads", "permits"]),
    ("bank", "txn", &["load", "accounts", "most", "legs"]),
    ("idle", "store", &["load"]),
    ("transact", "txn", &["load", "keys"]),
    ("request", "balance", &["load", "keys"]),
    ("delete", "store", &["load", "keys"]),
    ("watch", "lock", &["load"]),
    ("files", "files", &["load", "files", "size"]),
];

fn loads(top: &Table<'_>, list: &Value<'_>) -> Read<Vec<Load>> {
    let items = match list.is_text() {
        true => vec![list.clone()],
        false => list.list()?,
    };
    if items.is_empty() {
        let error = list.wrong("this client has nothing to do", "an empty list");
        return Err(error.help("write do = \"nothing\" if it is to ask only when told"));
    }
    if list.is_text() && list.text()? == NOTHING {
        return Ok(Vec::new());
    }
    items.iter().map(|item| load(top, item)).collect()
}

fn load(top: &Table<'_>, item: &Value<'_>) -> Read<Load> {
    let word = match item.is_text() {
        true => item.clone(),
        false => item.open_table()?.get("load").ok_or_else(|| {
            let error = item.wrong("it does not say which load this is", "'load' is missing");
            error.help("write { load = \"bank\", accounts = 8 }")
        })?,
    };
    let text = word.text()?;
    let Some((name, service, keys)) = LOADS.iter().find(|(name, ..)| *name == text) else {
        let error = word.wrong("unknown load", "no client does this");
        let names: Vec<&str> = LOADS.iter().map(|(name, ..)| *name).chain([NOTHING]).collect();
        return Err(match nearest(text, names.iter().copied()) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error.help(format!("clients know: {}", names.join(", "))),
        });
    };
    // Without a store, the log keeps the keys.
    let there = top.get(service).is_some() || (*service == "store" && top.get("log").is_some());
    if !there {
        let error = word.wrong(format!("'{name}' needs [{service}], which is not there"), "here");
        return Err(error.help(format!("add a line [{service}] to the file")));
    }
    fits_the_store(top, name, &word)?;
    fits_the_txn(top, name, &word)?;
    fits_the_locks(top, name, &word)?;
    let table = match item.is_text() {
        true => None,
        false => Some(item.table(&format!("the load '{name}'"), keys)?),
    };
    if let Some(table) = table.as_ref().filter(|_| *name == "lock") {
        fits_the_sharing(top, table)?;
    }
    load_of(name, table)
}

/// What the file says of who keeps locks, if anything.
fn kind_of_locks<'a>(top: &Table<'a>) -> Read<Option<Value<'a>>> {
    let lock = top.get("lock").filter(Value::is_table);
    Ok(lock.map(|lock| lock.open_table()).transpose()?.and_then(|table| table.get("kind")))
}

/// Only with etcd, changes are kept for those who follow them.
fn fits_the_locks(top: &Table<'_>, name: &str, word: &Value<'_>) -> Read<()> {
    let kind = kind_of_locks(top)?;
    match name == "watch" && kind.as_ref().is_none_or(|kind| kind.text() != Ok("etcd")) {
        true => {
            let error = word.wrong("these locks keep no changes to watch", "follows changes");
            Err(error.help("write kind = \"etcd\" in [lock]"))
        }
        false => Ok(()),
    }
}

/// Not all locks can be shared.
fn fits_the_sharing(top: &Table<'_>, load: &Table<'_>) -> Read<()> {
    let kind = kind_of_locks(top)?;
    let kind = kind.as_ref().map(Value::text).transpose()?.unwrap_or("log");
    let (reads, permits) = (load.get("reads"), load.get("permits"));
    let readers = "\"log\", \"zookeeper\" or \"etcd\"";
    let permitters = "\"log\", \"zookeeper\" or \"consul\"";
    let (key, why, kinds) = match (kind, reads, permits) {
        ("redis" | "redlock", Some(key), _) => (key, "a key of Redis has one owner", readers),
        ("redis" | "redlock", _, Some(key)) => (key, "a key of Redis has one owner", permitters),
        ("consul", Some(key), _) => (key, "a key of Consul has one owner", readers),
        ("etcd", _, Some(key)) => (key, "etcd has no recipe for semaphores", permitters),
        _ => return Ok(()),
    };
    let error = key.wrong_key(format!("locks of kind = \"{kind}\" are not shared so"), why);
    Err(error.help(format!("write kind = {kinds} in [lock], or leave '{}' out", key.key())))
}

/// Sums need one order of writes, and only quorums have deletions.
fn fits_the_store(top: &Table<'_>, name: &str, word: &Value<'_>) -> Read<()> {
    let kind = top.get("store").map(|store| store.open_table()).transpose()?;
    let kind = kind.and_then(|table| table.get("kind"));
    let quorum = kind.as_ref().is_some_and(|kind| kind.text() == Ok("quorum"));
    let cache = top.get("cache").map(|cache| cache.open_table()).transpose()?;
    let mode = cache.and_then(|table| table.get("mode"));
    if name == "count" && mode.is_some_and(|mode| mode.text() == Ok("write-behind")) {
        let error =
            word.wrong("a cache with mode = \"write-behind\" cannot add", "counts by adding");
        return Err(error.help("let it do \"read-write\", or write another mode in [cache]"));
    }
    match (name, quorum) {
        ("count", true) => {
            let error = word.wrong("a store by quorums cannot add", "counts by adding");
            let help = "let it do \"read-write\", or write kind = \"primary\" in [store]";
            Err(error.help(help))
        }
        ("delete", false) => {
            let error = word.wrong("only a store by quorums can delete", "deletes keys");
            Err(error.help("write kind = \"quorum\" in [store]"))
        }
        _ => Ok(()),
    }
}

/// Money moves in one request, or in a transaction that the client opens.
fn fits_the_txn(top: &Table<'_>, name: &str, word: &Value<'_>) -> Read<()> {
    let opened = super::txn::is_opened(top)?;
    let (label, help) = match (name, opened) {
        ("bank", true) => ("moves money in one request", "let it do \"transact\""),
        ("transact", false) => ("opens transactions", "write kind = \"opened\" in [txn]"),
        _ => return Ok(()),
    };
    Err(word.wrong(format!("these transactions are not for '{name}'"), label).help(help))
}

fn load_of(name: &str, table: Option<Table<'_>>) -> Read<Load> {
    let get = |key| table.and_then(|table| table.get(key));
    let count = |key, default, most| {
        get(key).map_or(Ok(default), |value: Value<'_>| value.number::<u32>(1..=most))
    };
    let span = |key, default, least| get(key).map_or(Ok(default), |value| value.time(least));
    Ok(match name {
        "count" => Load::Count { counters: count("counters", 3, 10_000)? },
        "lock" => Load::Lock {
            locks: get("locks").map_or_else(|| Ok(default_locks()), |value| locks(&value))?,
            ttl: span("ttl", Span::secs(3), Span::millis(10))?,
            hold: span("hold", Span::secs(1), Span::ZERO)?,
            share: sharing(get("reads"), get("permits"))?,
        },
        "bank" => {
            let legs = get("legs").map_or(Ok(2), |value| value.number(2..=MAX_LEGS as u8))?;
            let accounts = get("accounts").map_or(Ok(8), |value| {
                let least = u32::from(legs);
                value.number(least..=10_000).map_err(|error| match least {
                    2 => error,
                    _ => error.help(format!("a transfer between {least} needs as many")),
                })
            })?;
            let most = get("most").map_or(Ok(20), |value| value.number(1..=1_000_000_000))?;
            Load::Bank { accounts, most, legs }
        }
        "idle" => Load::Idle,
        "transact" => Load::Transact { keys: count("keys", 4, 100_000)? },
        "watch" => Load::Watch,
        "request" => Load::Request { keys: count("keys", 64, 100_000)? },
        "files" => {
            let size = get("size").map_or(Ok(65_536), |value| value.number(1..=MAX_FILE as u32))?;
            Load::Files { files: count("files", 4, 10_000)?, size }
        }
        "delete" => Load::Delete { keys: count("keys", 16, 100_000)? },
        _ => {
            let writes = get("writes").map_or(Ok(50), |value| value.number(0..=100))?;
            Load::ReadWrite { keys: count("keys", 16, 100_000)?, writes }
        }
    })
}

/// Whether locks are to be read, and how often, or are semaphores.
fn sharing(reads: Option<Value<'_>>, permits: Option<Value<'_>>) -> Read<Sharing> {
    match (reads, permits) {
        (None, None) => Ok(Sharing::Alone),
        (Some(reads), None) => Ok(Sharing::Reads(reads.number(0..=100)?)),
        (None, Some(permits)) => Ok(Sharing::Permits(permits.number(1..=255)?)),
        (Some(_), Some(permits)) => {
            let error = permits.wrong_key("'reads' and 'permits' do not go together", "either");
            Err(error.help("leave one of them out: a semaphore has no readers"))
        }
    }
}

fn default_locks() -> Vec<Name> {
    vec!["billing".parse().expect("a plain word is a name")]
}

fn locks(value: &Value<'_>) -> Read<Vec<Name>> {
    let locks = value.list()?.iter().map(Value::parse).collect::<Read<Vec<Name>>>()?;
    match locks.len() {
        0 => Err(value.wrong("this client has no lock to take", "an empty list")),
        1..=64 => Ok(locks),
        _ => Err(value.wrong("more than 64 locks", "too many")),
    }
}
