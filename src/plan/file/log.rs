//! `[log]`: the replicated log, and the switches of its kinds.

use super::super::{Changes, ElectBy, Log, LogKind, Raft, Reads, Ways};
use super::{TICK, pair, time, ways};
use crate::base::{NodeId, Voters};
use crate::plan::Node;
use crate::read::{LONGEST, Read, Table, Value};

/// The switches of Raft stand last.
pub(super) const KEYS: &[&str] = &[
    "kind",
    "heartbeat",
    "election",
    "snapshot_every",
    "voters",
    "reads",
    "elect_by",
    "window",
    "pre_vote",
    "sticky",
    "check_quorum",
    "membership",
];

fn log_kind(table: &Table<'_>) -> Read<LogKind> {
    let kind = table.get("kind");
    match kind.as_ref().map(Value::text).transpose()? {
        None | Some("multipaxos") => without_switches(table, LogKind::MultiPaxos),
        Some("zab") => without_switches(table, LogKind::Zab),
        Some("raft") => log_raft(table),
        Some(_) => {
            let kinds = "write kind = \"multipaxos\", \"raft\" or \"zab\"";
            let kind = kind.expect("it was read");
            Err(kind.wrong("unknown kind of log", "not there").help(kinds))
        }
    }
}

/// A kind of log that has none of Raft's switches.
fn without_switches(table: &Table<'_>, kind: LogKind) -> Read<LogKind> {
    match KEYS[8..].iter().find_map(|key| table.get(key)) {
        Some(switch) => {
            let what = format!("'{}' is a switch of Raft", switch.key());
            let error = switch.wrong_key(what, format!("not of {}", kind.title()));
            Err(error.help("write kind = \"raft\" if that is meant"))
        }
        None => Ok(kind),
    }
}

fn log_raft(table: &Table<'_>) -> Read<LogKind> {
    let Raft { pre_vote, sticky, check_quorum, changes } = Raft::default();
    let raft = Raft {
        pre_vote: table.get_or("pre_vote", pre_vote, Value::flag)?,
        sticky: table.get_or("sticky", sticky, Value::flag)?,
        check_quorum: table.get_or("check_quorum", check_quorum, Value::flag)?,
        changes: table.get_or("membership", changes, log_changes)?,
    };
    Ok(LogKind::Raft(raft))
}

/// How one set of voters gives way to another.
fn log_changes(value: &Value<'_>) -> Read<Changes> {
    match value.text()? {
        "joint" => Ok(Changes::Joint),
        "single" => Ok(Changes::Single),
        _ => Err(value
            .wrong("unknown way to change voters", "not there")
            .help("write \"joint\" or \"single\"")),
    }
}

/// The ways to read, and whether a kind of log has them.
fn log_reads(value: &Value<'_>, kind: LogKind) -> Read<Reads> {
    let (raft, multipaxos) = (matches!(kind, LogKind::Raft(_)), kind == LogKind::MultiPaxos);
    let zab = kind == LogKind::Zab;
    let ways = [
        ("log", Reads::Log, true),
        ("index", Reads::Index, raft || multipaxos),
        ("lease", Reads::Lease, raft || multipaxos),
        ("quorum", Reads::Quorum, multipaxos),
        ("local", Reads::Local, true),
        ("sync", Reads::Sync, zab),
    ];
    let text = value.text()?;
    if let Some((_, reads, _)) = ways.iter().find(|(name, _, there)| *name == text && *there) {
        return Ok(*reads);
    }
    let known = ways.iter().filter(|(.., there)| *there).map(|(name, ..)| format!("\"{name}\""));
    let known: Vec<String> = known.collect();
    let what = format!("{} has no such way to read", kind.title());
    Err(value.wrong(what, "not there").help(format!("write {}", known.join(" or "))))
}

/// What makes a node seek to lead.
fn log_elect_by(value: &Value<'_>, kind: LogKind) -> Read<ElectBy> {
    match value.text()? {
        "patience" => Ok(ElectBy::Patience),
        "connectivity" if kind == LogKind::MultiPaxos => Ok(ElectBy::Connectivity),
        "connectivity" => {
            let what = format!("{} elects who has the newest log", kind.title());
            Err(value.wrong(what, "not by connectivity").help("write kind = \"multipaxos\""))
        }
        _ => {
            let error = value.wrong("unknown way to elect a leader", "not there");
            Err(error.help("write \"patience\" or \"connectivity\""))
        }
    }
}

/// How many slots may be under way.
fn log_window(value: &Value<'_>, kind: LogKind) -> Read<u64> {
    match kind {
        LogKind::MultiPaxos => value.number(1..=1_024),
        _ => {
            let what = format!("{} has no window", kind.title());
            Err(value.wrong_key(what, "not there").help("write kind = \"multipaxos\""))
        }
    }
}

/// Who votes on the log.
fn voters(value: &Value<'_>, nodes: &[Node]) -> Read<Voters> {
    let one = |item: &Value<'_>| {
        let id: NodeId = item.parse()?;
        match nodes.iter().any(|node| node.id == id) {
            true => Ok(id),
            false => Err(item.wrong("there is no such node", "cannot vote")),
        }
    };
    let voters = value.list()?.iter().map(one).collect::<Read<Vec<_>>>()?;
    match voters.is_empty() {
        true => Err(value.wrong("nobody votes on the log", "an empty list").help("name a node")),
        false => Ok(Voters::of(voters)),
    }
}

pub(super) fn log(table: &Table<'_>, nodes: &[Node]) -> Read<Log> {
    let kind = log_kind(table)?;
    let default = Log::default();
    let heartbeat = time(table, "heartbeat", default.heartbeat, TICK)?;
    let election = Ways { fastest: heartbeat.times(4), slowest: heartbeat.times(8) };
    let election =
        Ways { fastest: election.fastest.min(LONGEST), slowest: election.slowest.min(LONGEST) };
    let election = table.get_or("election", election, |value| ways(value, TICK))?;
    if election.fastest <= heartbeat {
        let what = "an 'election' must take longer than a 'heartbeat'";
        let (least, most) = (heartbeat.times(4), heartbeat.times(8));
        let help = format!("write election = \"{least}..{most}\"");
        return Err(pair(table, "election", "heartbeat", what).help(help));
    }
    let entries = |value: &Value<'_>| value.number(1..=1_000_000);
    let snapshot_every = table.get_or("snapshot_every", default.snapshot_every, entries)?;
    let voters = table.get("voters").map(|value| voters(&value, nodes)).transpose()?;
    let reads = table.get_or("reads", default.reads, |value| log_reads(value, kind))?;
    if reads == Reads::Lease && matches!(kind, LogKind::Raft(Raft { sticky: false, .. })) {
        let what = "a lease needs voters who keep to it";
        return Err(pair(table, "reads", "sticky", what).help("write sticky = true"));
    }
    let elect_by = table.get_or("elect_by", default.elect_by, |value| log_elect_by(value, kind))?;
    let window = table.get_or("window", default.window, |value| log_window(value, kind))?;
    Ok(Log { kind, heartbeat, election, snapshot_every, voters, reads, elect_by, window })
}
