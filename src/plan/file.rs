//! Cluster files: what a person writes, and what is wrong with it.
//!
//! ```toml
//! title = "Three nodes agree"     # all keys have defaults
//! nodes = 3                       # or [[node]] tables with id, weight, member
//! [network]
//! latency = "1ms..4ms"
//! [paxos]                         # a service runs if its table is there
//! proposers = { n1 = "red" }
//! [[client]]
//! rate = 10
//! do = ["read-write", { load = "bank", accounts = 8 }]
//! ```
//!
//! A mistake is refused with its place and a remedy: a key that does not exist, a value out of
//! range, a service without the service that it stands on, a quorum that cannot be.

use super::{Membership, Node, Paxos, Plan, Ring, Services, Ways};
use crate::base::placement::{Member, Shape};
use crate::base::{Mutation, Mutations, NodeId, Span};
use crate::error::{Error, Source, nearest};
use crate::read::{self, Read, Table, Value};

mod balance;
mod cache;
mod clients;
mod files;
mod lock;
mod log;
mod membership;
mod store;
mod txn;

/// How many nodes a cluster file may ask for, if all that they do is to watch each other by SWIM.
pub const MAX_NODES: u16 = 1_000;
/// How many, if they do anything else: each of them then has to do with all others at once.
const MAX_BUSY: usize = 200;
/// How many clients a cluster file may ask for.
pub const MAX_CLIENTS: usize = 50;
/// How many points a ring may have at the most.
const MAX_POINTS: u64 = 100_000;

const TICK: Span = Span::millis(1);

const TOP: &[&str] = &[
    "title",
    "about",
    "seed",
    "nodes",
    "node",
    "client",
    "mutations",
    "progress_within",
    "network",
    "disk",
    "ping",
    "membership",
    "paxos",
    "log",
    "ring",
    "lock",
    "store",
    "txn",
    "balance",
    "cache",
    "files",
];

/// What each service stands on.
const NEEDS: &[(&str, &[&str])] = &[
    ("ring", &["membership", "log"]),
    ("lock", &["log"]),
    ("store", &["ring"]),
    ("txn", &["store"]),
    ("cache", &["store"]),
    ("files", &["ring"]),
];

/// Reads a cluster file. `name` is what to call the cluster.
///
/// # Errors
/// Says what is wrong with the file, where, and what to do about it.
pub fn parse(name: &str, source: &Source) -> Result<Plan, Error> {
    let document = read::document(source)?;
    let top = Table::new(source, document.get_ref(), "a cluster file", TOP)?;
    Ok(Plan { text: source.text.clone(), ..read(name, &top)? })
}

/// The keys of a cluster file. A file of another kind may have them besides its own.
pub(crate) fn keys() -> &'static [&'static str] {
    TOP
}

/// Reads the cluster that stands in a table, whose other keys are somebody else's.
pub(crate) fn read(name: &str, top: &Table<'_>) -> Result<Plan, Error> {
    let nodes = nodes(top)?;
    let services = services(top, &nodes)?;
    crowd(top, &nodes, &services)?;
    let empty = Plan::bare(0);
    Ok(Plan {
        text: empty.text,
        name: name.to_owned(),
        title: top.get_or("title", name.to_owned(), |value| value.line(80))?,
        about: top.get_or("about", String::new(), |value| value.line(400))?,
        seed: top.get_or("seed", empty.seed, |value| value.number(0..=u64::MAX))?,
        clients: clients::clients(top)?,
        net: one_range(top, "network", "latency", empty.net)?,
        disk: one_range(top, "disk", "sync", empty.disk)?,
        mutations: top.get_or("mutations", Mutations::NONE, mutations)?,
        progress_within: time(top, "progress_within", empty.progress_within, Span::secs(1))?,
        nodes,
        services,
    })
}

fn time(table: &Table<'_>, key: &str, default: Span, least: Span) -> Read<Span> {
    table.get_or(key, default, |value| value.time(least))
}

/// `[network]` and `[disk]`: a table with one range of times.
fn one_range(top: &Table<'_>, name: &str, key: &str, default: Ways) -> Read<Ways> {
    top.get_or(name, default, |section| {
        let table = section.table(&format!("[{name}]"), &[key])?;
        table.get_or(key, default, |value| ways(value, Span::micros(1)))
    })
}

fn ways(value: &Value<'_>, least: Span) -> Read<Ways> {
    value.times(least).map(|(fastest, slowest)| Ways { fastest, slowest })
}

fn mutations(value: &Value<'_>) -> Read<Mutations> {
    let one = |item: &Value<'_>| {
        let name = item.text()?;
        let known = Mutation::ALL.iter().map(|mutation| mutation.name());
        name.parse::<Mutation>().map_err(|_| {
            let error = item.wrong("unknown mutation", "there is no such rule to switch off");
            match nearest(name, known) {
                Some(near) => error.help(format!("did you mean '{near}'?")),
                None => error.help("'netsplit info' lists them"),
            }
        })
    };
    value.list()?.iter().map(one).collect()
}

// -- processes -----------------------------------------------------------------------------------

fn nodes(top: &Table<'_>) -> Read<Vec<Node>> {
    let list = match (top.get("nodes"), top.get("node")) {
        (Some(count), Some(node)) => {
            let error = node.wrong_key("nodes are given twice", "here one by one");
            return Err(count.witness(error, "here by number").help("keep one of the two"));
        }
        (Some(count), None) => {
            let help = "write nodes = 5, or a [[node]] table for each node";
            let count = count.number(1..=MAX_NODES).map_err(|error| error.help(help))?;
            return Ok(Plan::bare(count).nodes);
        }
        (None, None) => return Ok(Plan::bare(5).nodes),
        (None, Some(list)) => list,
    };
    let mut ids = Ids::default();
    let mut nodes = Vec::new();
    for item in list.list().map_err(|error| error.help("write [[node]], in double brackets"))? {
        if nodes.len() == usize::from(MAX_NODES) {
            return Err(list.wrong_key(format!("more than {MAX_NODES} nodes"), "too many"));
        }
        let table = item.table("[[node]]", &["id", "weight", "member"])?;
        nodes.push(Node {
            id: ids.take(&table, NodeId::node)?,
            weight: table.get_or("weight", 1, |value| value.number(1..=Member::MAX_WEIGHT))?,
            member: table.get_or("member", true, Value::flag)?,
        });
    }
    nodes.sort_unstable_by_key(|node| node.id);
    match nodes.is_empty() {
        true => Err(list.wrong("a cluster needs a node", "there is none")),
        false => Ok(nodes),
    }
}

/// Whether so many nodes can do what they are to.
fn crowd(top: &Table<'_>, nodes: &[Node], services: &Services) -> Read<()> {
    let alone = services.names() == ["membership"];
    let swim = matches!(services.membership, Some(Membership::Swim(_)));
    let idle = services.names().is_empty();
    match top.get("nodes").or_else(|| top.get("node")) {
        Some(value) if nodes.len() > MAX_BUSY && !(idle || alone && swim) => {
            let what = format!("more than {MAX_BUSY} nodes can only watch each other by SWIM");
            let error = value.wrong_key(what, format!("{} nodes", nodes.len()));
            let help = "write [membership] with kind = \"swim\", and no other service";
            Err(error.help(format!("{help}, or at most {MAX_BUSY} nodes")))
        }
        _ => Ok(()),
    }
}

/// The names given so far, to tell double ones and to find free ones.
#[derive(Default)]
struct Ids<'a> {
    taken: Vec<(NodeId, Option<Value<'a>>)>,
}

impl<'a> Ids<'a> {
    /// The name that a process was given, or the next one that is free.
    fn take(&mut self, table: &Table<'a>, make: fn(u16) -> NodeId) -> Read<NodeId> {
        let value = table.get("id");
        let id = match &value {
            Some(value) => self.check(value, make)?,
            None => (1..=NodeId::MAX)
                .map(make)
                .find(|id| self.taken.iter().all(|(taken, _)| taken != id))
                .expect("there are more names than processes are allowed"),
        };
        self.taken.push((id, value));
        Ok(id)
    }

    fn check(&self, value: &Value<'a>, make: fn(u16) -> NodeId) -> Read<NodeId> {
        let (first, second) = (make(1), make(2));
        let id = match value.text()?.parse::<NodeId>() {
            Ok(id) if id.is_client() == first.is_client() => id,
            _ => {
                let kind = if first.is_client() { "client" } else { "node" };
                let what = format!("this is no name for a {kind}");
                let help = format!("write \"{first}\", \"{second}\" … up to {}", make(NodeId::MAX));
                return Err(value.wrong(what, "not understood").help(help));
            }
        };
        let Some((_, before)) = self.taken.iter().find(|(taken, _)| *taken == id) else {
            return Ok(id);
        };
        let mut error = value.wrong(format!("{id} is there twice"), "the second one");
        if let Some(before) = before {
            error = before.witness(error, "the first one");
        }
        Err(error.help("every process needs a name of its own"))
    }
}

// -- services ------------------------------------------------------------------------------------

fn services(top: &Table<'_>, nodes: &[Node]) -> Read<Services> {
    for (service, needs) in NEEDS {
        let Some(section) = top.get(service) else { continue };
        if *service == "lock" && !lock::needs_log(&section)? {
            continue;
        }
        let needs = match *service == "txn" && txn::is_opened(top)? {
            true => &["log"],
            false => *needs,
        };
        if let Some(missing) = needs.iter().find(|need| top.get(need).is_none()) {
            let what = format!("[{service}] needs [{missing}], which is not there");
            let help = format!("add a line [{missing}] to the file");
            return Err(section.wrong_key(what, format!("stands on [{missing}]")).help(help));
        }
    }
    let ring = section(top, "ring", RING, |t| ring(top, t, nodes))?;
    let replicas = ring.as_ref().map_or(1, |ring| ring.replicas);
    let members = nodes.iter().filter(|node| node.member).count();
    let members = u8::try_from(members).unwrap_or(u8::MAX);
    Ok(Services {
        ping: section(top, "ping", &["width"], |t| {
            t.get_or("width", 1, |value| value.number(1..=1_000))
        })?,
        membership: section(top, "membership", membership::KEYS, membership::membership)?,
        paxos: section(top, "paxos", &["proposers", "retry", "backoff"], |t| paxos(t, nodes))?,
        log: section(top, "log", log::KEYS, |t| log::log(t, nodes))?,
        ring,
        lock: section(top, "lock", lock::KEYS, |t| lock::lock(t, nodes.len()))?,
        store: section(top, "store", store::KEYS, |t| store::store(top, t, replicas))?,
        txn: section(top, "txn", txn::KEYS, |t| txn::txn(t, nodes.len()))?,
        cache: section(top, "cache", cache::KEYS, |t| cache::cache(top, t, nodes))?,
        balance: section(top, "balance", balance::KEYS, |t| balance::balance(t, nodes))?,
        files: section(top, "files", files::KEYS, |t| files::files(t, members))?,
    })
}

fn section<'a, T>(
    top: &Table<'a>,
    name: &str,
    keys: &[&str],
    read: impl FnOnce(&Table<'a>) -> Read<T>,
) -> Read<Option<T>> {
    let Some(value) = top.get(name) else { return Ok(None) };
    let table = value.table(&format!("[{name}]"), keys);
    let help = |error: Error| match value.is_table() {
        true => error,
        false => error.help(format!("write [{name}] on a line of its own")),
    };
    read(&table.map_err(help)?).map(Some)
}

/// An error about two values that do not fit: the first is the culprit if it is there.
fn pair(table: &Table<'_>, culprit: &str, other: &str, what: &str) -> Error {
    match (table.get(culprit), table.get(other)) {
        (Some(culprit), Some(other)) => other.witness(culprit.wrong(what, "this"), "and this"),
        (Some(value), None) | (None, Some(value)) => value.wrong(what, "does not fit"),
        (None, None) => Error::new(what),
    }
}

fn paxos(table: &Table<'_>, nodes: &[Node]) -> Read<Paxos> {
    let default = Paxos::default();
    let proposers = match table.get("proposers") {
        Some(value) => value.open_table()?.entries(),
        None => Vec::new(),
    };
    let proposer = |value: &Value<'_>| {
        let id = value.key().parse().ok().filter(|id| nodes.iter().any(|node| node.id == *id));
        match id {
            Some(id) => Ok((id, value.parse()?)),
            None => {
                let error = value.wrong_key("there is no such node", "proposes nothing");
                let known: Vec<String> = nodes.iter().map(|node| node.id.to_string()).collect();
                Err(error.help(match known.as_slice() {
                    [only] => format!("the only node is {only}"),
                    [first, .., last] => format!("nodes are {first} … {last}"),
                    [] => "there are no nodes".to_owned(),
                }))
            }
        }
    };
    Ok(Paxos {
        proposers: proposers.iter().map(proposer).collect::<Read<_>>()?,
        retry: time(table, "retry", default.retry, TICK)?,
        backoff: time(table, "backoff", default.backoff, Span::ZERO)?,
    })
}

const RING: &[&str] =
    &["vnodes", "replicas", "hash_seed", "evict_after", "admit_after", "handoff_rate"];

/// How fast keys move, where they move by ranges.
fn handoff(top: &Table<'_>, value: &Value<'_>) -> Read<u32> {
    let store = top.get("store");
    let kind =
        store.as_ref().and_then(|store| store.raw_table().ok()?.get("kind")?.as_ref().as_str());
    if store.is_none() || kind.is_some_and(|kind| kind != "primary") {
        let what = "handoff_rate is of a store whose keys have owners";
        let error = value.wrong_key(what, "nothing is handed over");
        return Err(error.help("add [store] without kind = \"quorum\", or leave handoff_rate out"));
    }
    value.number(4..=1_000_000)
}

fn ring(top: &Table<'_>, table: &Table<'_>, nodes: &[Node]) -> Read<Ring> {
    let default = Ring::default();
    let members = nodes.iter().filter(|node| node.member).count();
    let members = u8::try_from(members).unwrap_or(u8::MAX);
    if members == 0 {
        let what = "the ring needs a member, and no node is one";
        let section = top.get("ring").map(|value| value.wrong_key(what, "without members"));
        return Err(section.unwrap_or_else(|| Error::new(what)).help("leave out member = false"));
    }
    let replicas = match table.get("replicas") {
        None => default.replicas.min(members),
        Some(value) => match value.number(1..=u8::MAX)? {
            replicas if replicas > members => {
                let what = format!("{replicas} replicas cannot be on {members} nodes");
                let label = "more than there are members";
                return Err(value.wrong(what, label).help(format!("write {members} or less")));
            }
            replicas => replicas,
        },
    };
    let vnodes =
        table.get_or("vnodes", default.vnodes, |value| value.number(1..=Shape::MAX_VNODES))?;
    let weights: u64 = nodes.iter().map(|node| u64::from(node.weight)).sum();
    if weights * u64::from(vnodes) > MAX_POINTS {
        let what = format!("the ring would have more than {MAX_POINTS} points");
        let error = match table.get("vnodes").or_else(|| top.get("node")).or(top.get("ring")) {
            Some(value) => value.wrong_key(what, format!("times {weights}, the sum of weights")),
            None => Error::new(what),
        };
        return Err(error.help("use fewer vnodes or smaller weights"));
    }
    Ok(Ring {
        vnodes,
        replicas,
        seed: table.get_or("hash_seed", default.seed, |value| value.number(0..=u64::MAX))?,
        evict_after: time(table, "evict_after", default.evict_after, Span::millis(10))?,
        admit_after: time(table, "admit_after", default.admit_after, Span::millis(10))?,
        handoff_rate: table.get("handoff_rate").map(|value| handoff(top, &value)).transpose()?,
    })
}
