//! Versions of a key that several writers may write at once: who wrote each, what its writer had
//! seen, and which of several count.
//!
//! A version is named by the call that wrote it (its *dot*), so a write that is repeated is the
//! same version wherever it arrives. It carries what its writer had seen as a *version vector*: the
//! newest call of each writer. One version follows another if its writer had seen the other, or
//! wrote both. Two of which neither follows the other are concurrent. They stay side by side as
//! siblings, or the one with the later time wins and the other is lost.
//!
//! Sources: Preguiça, Baquero, Almeida, Fonte, Gonçalves 2010, *Dotted version vectors* · DeCandia
//! et al. 2007, *Dynamo*, section 4.4 · Kulkarni et al. 2014, *Logical physical clocks* (a stamp is
//! above all stamps that its writer had seen).

use super::{CallId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// A version vector: the newest call of each writer. Whoever has seen it has seen the earlier ones.
/// Each life of a process is a writer of its own: it does not remember what it wrote in another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vector(BTreeMap<Writer, u64>);

/// A process, and which of its lives.
type Writer = (NodeId, u64);

/// Whose call it is. Calls begin with the boot of their process, in the upper half.
fn writer(dot: CallId) -> Writer {
    (dot.client, dot.seq >> 32)
}

impl Vector {
    /// Whether a version is in it.
    pub fn has(&self, dot: CallId) -> bool {
        self.0.get(&writer(dot)).is_some_and(|last| *last >= dot.seq)
    }

    /// Puts a version in, and all earlier ones of its writer.
    pub fn note(&mut self, dot: CallId) {
        let last = self.0.entry(writer(dot)).or_default();
        *last = dot.seq.max(*last);
    }

    /// Puts in all that another has.
    pub fn join(&mut self, other: &Vector) {
        for ((client, _), seq) in &other.0 {
            self.note(CallId { client: *client, seq: *seq });
        }
    }
}

/// `{c1/4 c2/7}`.
impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, ((client, _), seq)) in self.0.iter().enumerate() {
            let dot = CallId { client: *client, seq: *seq };
            write!(f, "{}{dot}", if i == 0 { "" } else { " " })?;
        }
        f.write_str("}")
    }
}

/// One value of a key, or that it was deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The call that wrote it.
    pub dot: CallId,
    /// What its writer had seen of the key.
    pub seen: Vector,
    /// When it was written, in microseconds of its writer's hybrid clock: what its wall clock
    /// showed, or just more than the latest stamp that it knew of.
    pub stamp: u64,
    /// The value; none if the key was deleted: a tombstone.
    pub value: Option<i64>,
}

impl Version {
    /// Whether its writer knew that version, or wrote it before.
    pub fn follows(&self, dot: CallId) -> bool {
        let own = writer(self.dot) == writer(dot) && self.dot.seq > dot.seq;
        own || (self.dot != dot && self.seen.has(dot))
    }

    /// Its place among all versions of the key if times decide, as one number. 0 is no version.
    pub fn number(&self) -> u64 {
        let client = self.dot.client;
        self.stamp << 15 | u64::from(client.number()) << 1 | u64::from(client.is_client())
    }

    fn digest(&self) -> u64 {
        let text = format!("{} {:?}", self.dot, self.value);
        XxHash3_64::oneshot(text.as_bytes())
    }
}

/// `5 (c1/7)`, `deleted (c1/8)`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{value} ({})", self.dot),
            None => write!(f, "deleted ({})", self.dot),
        }
    }
}

/// What becomes of versions of which neither follows the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Conflict {
    /// The last writer wins, by stamp; the others are lost.
    #[default]
    LastWriter,
    /// They stay, and who reads the key is told them all.
    Siblings,
}

/// All versions of a key that somebody has, by dot. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Versions(Arc<[Version]>);

impl Versions {
    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Version> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this very version is there.
    pub fn has(&self, dot: CallId) -> bool {
        self.iter().any(|version| version.dot == dot)
    }

    /// Whether a version is there, or one that follows it.
    pub fn covers(&self, dot: CallId) -> bool {
        self.iter().any(|version| version.dot == dot || version.follows(dot))
    }

    /// Whether there is something, and all of it says that the key was deleted.
    pub fn is_deleted(&self) -> bool {
        !self.is_empty() && self.iter().all(|version| version.value.is_none())
    }

    /// What somebody has seen who was told them.
    pub fn seen(&self) -> Vector {
        let mut seen = Vector::default();
        for version in self.iter() {
            seen.join(&version.seen);
            seen.note(version.dot);
        }
        seen
    }

    /// The one that was written last, by stamp.
    pub fn newest(&self) -> Option<&Version> {
        self.iter().max_by_key(|version| version.number())
    }

    /// The latest stamp; 0 if there is none.
    pub fn stamp(&self) -> u64 {
        self.iter().map(|version| version.stamp).max().unwrap_or(0)
    }

    /// A number that stands for them.
    pub fn digest(&self) -> u64 {
        self.iter().fold(0, |sum, version| sum ^ version.digest())
    }

    /// What is left of these and those: nothing that another one follows and, if the last writer
    /// wins, only its version.
    #[must_use]
    pub fn merged(&self, other: &Versions, conflict: Conflict) -> Versions {
        if other.is_empty() || self == other {
            return self.clone();
        }
        let mut all: Vec<Version> = self.iter().chain(other.iter()).cloned().collect();
        all.sort_unstable_by_key(|version| version.dot);
        all.dedup_by_key(|version| version.dot);
        match conflict {
            Conflict::LastWriter => {
                let newest = all.into_iter().max_by_key(Version::number);
                newest.into_iter().collect()
            }
            Conflict::Siblings => {
                let old = |dot| all.iter().any(|version| version.follows(dot));
                all.iter().filter(|version| !old(version.dot)).cloned().collect()
            }
        }
    }
}

impl FromIterator<Version> for Versions {
    fn from_iter<I: IntoIterator<Item = Version>>(all: I) -> Versions {
        Versions(all.into_iter().collect())
    }
}

impl From<Version> for Versions {
    fn from(version: Version) -> Versions {
        Versions([version].into())
    }
}

/// `5 (c1/7) | 6 (c2/3)`, or `nothing`.
impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (i, version) in self.iter().enumerate() {
            write!(f, "{}{version}", if i == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(client: u16, seq: u64) -> CallId {
        CallId { client: NodeId::client(client), seq }
    }

    fn version(dot: CallId, stamp: u64, seen: &Versions) -> Versions {
        Version { dot, seen: seen.seen(), stamp, value: Some(stamp as i64) }.into()
    }

    #[test]
    fn concurrent_versions_stay_until_somebody_has_seen_both() {
        let none = Versions::default();
        let (a, b) = (version(dot(1, 1), 10, &none), version(dot(2, 1), 20, &none));
        let both = a.merged(&b, Conflict::Siblings);
        assert_eq!(both.to_string(), "10 (c1/1) | 20 (c2/1)");
        assert_eq!(b.merged(&a, Conflict::Siblings), both, "whatever comes first");
        let c = version(dot(1, 2), 30, &both);
        assert_eq!(both.merged(&c, Conflict::Siblings), c);
        assert_eq!(c.merged(&a, Conflict::Siblings), c, "what was seen never comes back");
        assert!(c.covers(dot(2, 1)) && !a.covers(dot(2, 1)));
    }

    #[test]
    fn a_writer_knows_what_it_wrote_before() {
        let none = Versions::default();
        let (old, new) = (version(dot(1, 1), 10, &none), version(dot(1, 2), 20, &none));
        assert_eq!(old.merged(&new, Conflict::Siblings), new);
    }

    #[test]
    fn the_last_writer_wins_by_its_clock() {
        let none = Versions::default();
        let (fast, late) = (version(dot(1, 1), 99, &none), version(dot(2, 1), 20, &none));
        assert_eq!(fast.merged(&late, Conflict::LastWriter), fast);
        assert_eq!(late.merged(&fast, Conflict::LastWriter), fast);
        assert!(!fast.covers(dot(2, 1)), "the other is lost");
    }

    #[test]
    fn digests_tell_versions_apart() {
        let none = Versions::default();
        let (a, b) = (version(dot(1, 1), 10, &none), version(dot(2, 1), 20, &none));
        let both = a.merged(&b, Conflict::Siblings);
        assert_eq!(both.digest(), b.merged(&a, Conflict::Siblings).digest());
        assert!(a.digest() != b.digest() && both.digest() != a.digest());
        assert_eq!(none.digest(), 0);
    }
}
