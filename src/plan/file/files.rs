//! `[files]`: how files are kept.

use super::super::Files;
use super::{TICK, pair, time};
use crate::base::{MAX_FILE, Span};
use crate::read::{Read, Table};

pub(super) const KEYS: &[&str] = &["replicas", "block", "scrub", "throttle", "retry", "give_up"];

/// Reads the section, for a ring of so many members.
pub(super) fn files(table: &Table<'_>, members: u8) -> Read<Files> {
    let default = Files::default();
    let most = u32::try_from(MAX_FILE).unwrap_or(u32::MAX);
    let retry = time(table, "retry", default.retry, Span::millis(2))?;
    let give_up = time(table, "give_up", default.give_up.max(retry.times(2)), TICK)?;
    if give_up < retry {
        let what = "'give_up' must not be shorter than 'retry'";
        return Err(pair(table, "give_up", "retry", what));
    }
    let replicas = table.get_or("replicas", default.replicas.min(members), |value| {
        value.number(1..=members).map_err(|error| {
            error.help(format!("the ring has {members} members, and each has one copy at the most"))
        })
    })?;
    Ok(Files {
        replicas,
        block: table.get_or("block", default.block, |value| value.number(1..=most))?,
        scrub: time(table, "scrub", default.scrub, Span::ZERO)?,
        throttle: table
            .get_or("throttle", default.throttle, |value| value.number(1_024..=1 << 30))?,
        retry,
        give_up,
    })
}
