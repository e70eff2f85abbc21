//! The keys of one instance, each with a value that names its owner and a time after which it is
//! gone. It reads no clock: whoever calls says what time it is, by a clock of the instance's own.

use super::View;
use crate::base::{CallId, Name, Span, Spot, Time, Token};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Records that may pile up beyond those that are needed.
const SLACK: usize = 256;

/// One key, as it is kept and copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The acquire that it was set for.
    pub call: CallId,
    /// Its value, by which its owner is known: a number drawn by chance for this attempt.
    pub value: u64,
    /// What resources are shown: how many grants there were, or the value if nobody counts.
    pub token: Token,
    /// How long it lasts when it is set or extended; zero is for ever.
    pub ttl: Span,
}

/// What an instance writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The lock's key is this one.
    Set(Name, Key),
    /// The lock has no key.
    Gone(Name),
    /// The lock has been granted so often.
    Count(Name, Token),
    /// All writes up to this one are on disk.
    At(Spot),
    /// This epoch was granted, and none before it will be any more.
    Promised(u32),
    /// Who is primary.
    View(View),
}

/// A key, and how long it lasts by the instance's clock.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// The number of its timer.
    pub(super) number: u32,
    /// When it was set.
    pub(super) since: Time,
    pub(super) until: Time,
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    entries: BTreeMap<Name, Entry>,
    /// How often each lock was granted; none if nobody counts.
    counts: Option<BTreeMap<Name, Token>>,
    last_number: u32,
    /// How many records are on disk.
    records: usize,
}

/// When a key ends that is set or extended now.
fn end_of(now: Time, ttl: Span) -> Time {
    if ttl == Span::ZERO { Time::NEVER } else { now + ttl }
}

impl Keys {
    /// What is on disk. How long it lasted until the crash nobody knows, so each key gets its full
    /// time again: a grant may last longer for that, but never shorter.
    pub(super) fn load(disk: &[Record], counts: bool, now: Time) -> Keys {
        let mut keys = Keys { counts: counts.then(BTreeMap::new), ..Keys::default() };
        disk.iter().for_each(|record| keys.take(record, now));
        keys.records = disk.len();
        keys
    }

    /// Takes in one change, written here or elsewhere.
    pub(super) fn take(&mut self, record: &Record, now: Time) {
        match record {
            Record::Set(lock, key) => self.put(lock, key.clone(), now),
            Record::Gone(lock) => drop(self.entries.remove(lock)),
            Record::Count(lock, count) => self.counted(lock, *count),
            Record::At(_) | Record::Promised(_) | Record::View(_) => {}
        }
    }

    /// Gives each key its full time again: how much of it is over, another instance knew.
    pub(super) fn begin_anew(&mut self, now: Time) {
        for entry in self.entries.values_mut() {
            (entry.since, entry.until) = (now, end_of(now, entry.key.ttl));
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn get(&self, lock: &Name) -> Option<&Entry> {
        self.entries.get(lock)
    }

    /// The number of a lock's next grant, if grants are counted.
    pub(super) fn count(&self, lock: &Name) -> Option<Token> {
        self.counts.as_ref().map(|counts| counts.get(lock).map_or(1, |count| count + 1))
    }

    fn counted(&mut self, lock: &Name, count: Token) {
        if let Some(counts) = &mut self.counts {
            counts.insert(lock.clone(), count);
        }
    }

    /// Sets a key, whatever was there.
    pub(super) fn put(&mut self, lock: &Name, key: Key, now: Time) {
        self.counted(lock, key.token);
        self.last_number += 1;
        let (number, until) = (self.last_number, end_of(now, key.ttl));
        self.entries.insert(lock.clone(), Entry { key, number, since: now, until });
    }

    /// Has a key's time begin anew.
    pub(super) fn extend(&mut self, lock: &Name, ttl: Span, now: Time) -> Option<&Entry> {
        let entry = self.entries.get_mut(lock)?;
        (entry.key.ttl, entry.until) = (ttl, end_of(now, ttl));
        Some(entry)
    }

    pub(super) fn remove(&mut self, lock: &Name) -> Option<Entry> {
        self.entries.remove(lock)
    }

    /// The lock whose key has this timer.
    pub(super) fn numbered(&self, number: u32) -> Option<(&Name, &Entry)> {
        self.entries.iter().find(|(_, entry)| entry.number == number)
    }

    /// One more record is written. All that is needed on disk, if much more than that is there.
    pub(super) fn wrote(&mut self) -> Option<Vec<Record>> {
        self.records += 1;
        let counts = self.counts.iter().flatten();
        if self.records < SLACK + 2 * (self.entries.len() + counts.clone().count()) {
            return None;
        }
        let records = self.records();
        self.records = records.len();
        Some(records)
    }

    /// All keys and counts.
    pub(super) fn records(&self) -> Vec<Record> {
        let counts = self.counts.iter().flatten();
        let counts = counts.map(|(lock, count)| Record::Count(lock.clone(), *count));
        let set = |(lock, entry): (&Name, &Entry)| Record::Set(lock.clone(), entry.key.clone());
        counts.chain(self.entries.iter().map(set)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::NodeId;

    fn lock() -> Name {
        "door".parse().unwrap()
    }

    fn key(value: u64, token: Token) -> Key {
        let call = CallId { client: NodeId::client(1), seq: value };
        Key { call, value, token, ttl: Span::secs(2) }
    }

    #[test]
    fn a_restarted_instance_gives_each_key_its_full_time_and_counts_on() {
        let mut disk = Vec::new();
        let mut keys = Keys::load(&[], true, Time::ZERO);
        for n in 1..1_000 {
            keys.put(&lock(), key(500 + n, n), Time(n));
            disk.push(Record::Set(lock(), key(500 + n, n)));
            if let Some(records) = keys.wrote() {
                disk = records;
            }
        }
        assert!(disk.len() < SLACK + 10, "{} records", disk.len());
        let restarted = Keys::load(&disk, true, Time(9_000_000));
        assert_eq!(restarted.get(&lock()).unwrap().until, Time(11_000_000));
        assert_eq!(restarted.count(&lock()), Some(1_000));
        disk.push(Record::Gone(lock()));
        let restarted = Keys::load(&disk, true, Time(0));
        assert!(restarted.get(&lock()).is_none() && restarted.count(&lock()) == Some(1_000));
    }

    #[test]
    fn a_key_without_a_time_never_ends() {
        let mut keys = Keys::default();
        keys.put(&lock(), Key { ttl: Span::ZERO, ..key(1, 1) }, Time(5));
        assert_eq!(keys.get(&lock()).unwrap().until, Time::NEVER);
        assert_eq!(keys.extend(&lock(), Span::secs(1), Time(7)).unwrap().until, Time(1_000_007));
    }
}
