//! `[balance]`: who spreads requests over whom, and how.

use super::super::{Balance, Node, Ways};
use super::{TICK, pair, time, ways};
use crate::base::NodeId;
use crate::base::balance::{Limits, Policy};
use crate::error::nearest;
use crate::proto::balance::Settings;
use crate::read::{Read, Table, Value};

pub(super) const KEYS: &[&str] = &[
    "balancers",
    "backends",
    "policy",
    "load",
    "service",
    "slots",
    "queue",
    "cold",
    "timeout",
    "probe",
    "fall",
    "rise",
    "panic",
    "eject_after",
    "eject_for",
    "max_ejected",
    "slow_start",
    "retries",
    "retry_budget",
];

pub(super) fn balance(table: &Table<'_>, nodes: &[Node]) -> Read<Balance> {
    let some = |key| table.get_or(key, None, |value| list(value, nodes).map(Some));
    let all = || nodes.iter().map(|node| node.id).collect();
    let settings = settings(table)?;
    Ok(Balance {
        balancers: some("balancers")?.unwrap_or_else(all),
        backends: some("backends")?.unwrap_or_else(all),
        settings,
    })
}

pub(super) fn list(value: &Value<'_>, nodes: &[Node]) -> Read<Vec<NodeId>> {
    let one = |item: &Value<'_>| {
        let id: NodeId = item.parse()?;
        match nodes.iter().any(|node| node.id == id) {
            true => Ok(id),
            false => Err(item.wrong("there is no such node", "not one of the nodes")),
        }
    };
    let mut list = value.list()?.iter().map(one).collect::<Read<Vec<NodeId>>>()?;
    list.sort_unstable();
    list.dedup();
    match list.is_empty() {
        true => Err(value
            .wrong("somebody has to do it", "an empty list")
            .help("leave it out for all nodes")),
        false => Ok(list),
    }
}

fn policy(value: &Value<'_>) -> Read<Policy> {
    let text = value.text()?;
    let names = || Policy::ALL.iter().map(|policy| policy.name());
    Policy::ALL.into_iter().find(|policy| policy.name() == text).ok_or_else(|| {
        let error = value.wrong("there is no such policy", "not known");
        match nearest(text, names()) {
            Some(near) => error.help(format!("did you mean \"{near}\"?")),
            None => error.help(format!("policies are {}", names().collect::<Vec<_>>().join(", "))),
        }
    })
}

fn settings(table: &Table<'_>) -> Read<Settings> {
    let default = Settings::default();
    let policy = table.get_or("policy", default.policy, policy)?;
    let limits = limits(table, policy)?;
    let (fastest, slowest) = default.service;
    let service = table.get_or("service", Ways { fastest, slowest }, |value| ways(value, TICK))?;
    let short = |key, default| table.get_or(key, default, |value| value.number(1..=100));
    let timeout = time(table, "timeout", default.timeout, TICK)?;
    if timeout <= service.fastest {
        let what = "'timeout' must be longer than the fastest 'service'";
        return Err(pair(table, "timeout", "service", what));
    }
    Ok(Settings {
        policy,
        limits,
        service: (service.fastest, service.slowest),
        slots: table.get_or("slots", default.slots, |value| value.number(1..=1_000))?,
        room: table.get_or("queue", default.room, |value| value.number(0..=10_000))?,
        cold: time(table, "cold", default.cold, crate::base::Span::ZERO)?,
        timeout,
        probe: time(table, "probe", default.probe, TICK)?,
        fall: short("fall", default.fall)?,
        rise: short("rise", default.rise)?,
        eject_for: time(table, "eject_for", default.eject_for, TICK)?,
    })
}

fn limits(table: &Table<'_>, policy: Policy) -> Read<Limits> {
    let default = Limits::default();
    let percent = |key, default| table.get_or(key, default, |value| value.number(0..=100));
    let reports = table.get_or("load", false, |value| match value.text()? {
        "own" => Ok(false),
        "reports" if policy.looks_at_load() => Ok(true),
        "reports" => {
            let what = format!("'{policy}' does not look at loads");
            Err(value.wrong(what, "without effect").help("leave it out, or choose another policy"))
        }
        _ => Err(value
            .wrong("this is no way to know loads", "not known")
            .help("write \"own\" or \"reports\"")),
    })?;
    Ok(Limits {
        reports,
        panic: percent("panic", default.panic)?,
        eject_after: table.get_or("eject_after", default.eject_after, |v| v.number(1..=100))?,
        max_ejected: percent("max_ejected", default.max_ejected)?,
        slow_start: time(table, "slow_start", default.slow_start, crate::base::Span::ZERO)?,
        retry_budget: percent("retry_budget", default.retry_budget)?,
        retries: table.get_or("retries", default.retries, |value| value.number(0..=10))?,
    })
}
