//! `[membership]`: who is alive, and the settings of each way to find out.

use super::super::{Heartbeats, Membership, Swim};
use super::{TICK, pair, time};
use crate::base::Span;
use crate::error::Error;
use crate::proto::membership::MOST_PHI;
use crate::read::{LONGEST, Read, Table, Value};

/// The kind, then what heartbeats have, then what SWIM has.
pub(super) const KEYS: &[&str] = &[
    "kind",
    "heartbeat",
    "suspect_after",
    "phi",
    "period",
    "timeout",
    "helpers",
    "gossip",
    "push_pull",
    "lifeguard",
];

/// Where the keys of SWIM begin.
const FIRST_OF_SWIM: usize = 4;

pub(super) fn membership(table: &Table<'_>) -> Read<Membership> {
    let kind = table.get("kind");
    match kind.as_ref().map(Value::text).transpose()? {
        None | Some("heartbeats") => {
            without(table, &KEYS[FIRST_OF_SWIM..], "SWIM", "swim")?;
            heartbeats(table).map(Membership::Heartbeats)
        }
        Some("swim") => {
            without(table, &KEYS[1..FIRST_OF_SWIM], "heartbeats", "heartbeats")?;
            swim(table).map(Membership::Swim)
        }
        Some(_) => {
            let kind = kind.expect("it was read");
            let error = kind.wrong("unknown kind of membership", "not there");
            Err(error.help("write kind = \"heartbeats\" or \"swim\""))
        }
    }
}

/// None of the settings of another kind is there.
fn without(table: &Table<'_>, keys: &[&str], whose: &str, kind: &str) -> Read<()> {
    match keys.iter().find_map(|key| table.get(key)) {
        Some(value) => {
            let what = format!("'{}' is a setting of {whose}", value.key());
            let error = value.wrong_key(what, "not of this kind");
            Err(error.help(format!("write kind = \"{kind}\" if that is meant")))
        }
        None => Ok(()),
    }
}

fn heartbeats(table: &Table<'_>) -> Read<Heartbeats> {
    let heartbeat = time(table, "heartbeat", Heartbeats::default().heartbeat, TICK)?;
    let default = heartbeat.times(4).min(LONGEST);
    let suspect_after = time(table, "suspect_after", default, TICK)?;
    let phi = table.get_or("phi", None, |value| value.number(1..=MOST_PHI).map(Some))?;
    if suspect_after > heartbeat {
        return Ok(Heartbeats { heartbeat, suspect_after, phi });
    }
    let what = "'suspect_after' must be longer than 'heartbeat'";
    Err(longer(table, "suspect_after", "heartbeat", what, heartbeat.times(3)))
}

fn swim(table: &Table<'_>) -> Read<Swim> {
    let default = Swim::default();
    let period = time(table, "period", default.period, TICK)?;
    let Span(micros) = period;
    let timeout = time(table, "timeout", Span(micros / 2), Span::micros(500))?;
    if timeout >= period {
        let what = "'period' must be longer than 'timeout'";
        return Err(longer(table, "period", "timeout", what, timeout.times(2)));
    }
    Ok(Swim {
        period,
        timeout,
        helpers: table.get_or("helpers", default.helpers, |value| value.number(0..=16))?,
        gossip: time(table, "gossip", Span(micros / 5).max(TICK), TICK)?,
        push_pull: time(table, "push_pull", period.times(30).min(LONGEST), TICK)?,
        lifeguard: table.get_or("lifeguard", default.lifeguard, Value::flag)?,
    })
}

/// One time must be longer than another.
fn longer(table: &Table<'_>, one: &str, other: &str, what: &str, least: Span) -> Error {
    pair(table, one, other, what).help(format!("write {one} = \"{least}\" or more"))
}
