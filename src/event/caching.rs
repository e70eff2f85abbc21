//! What caches and those who ask them state, and the one rendering of each statement.

use crate::base::cache::Mode;
use crate::base::{Name, Span};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why an entry is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dropped {
    /// Its key was written.
    Invalidated,
    /// Its time is over.
    Expired,
    /// It made room for another.
    Evicted,
}

/// Something that a cache, or somebody who asks it, states.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caching {
    /// As a cache: it is empty, and from now on keeps so many entries, each for `ttl` from before
    /// it was read, and lets one asker fetch a missing one for `lease`. If it writes behind, it
    /// owes the store at most `behind` keys, and takes no write on credit while it has owed one for
    /// `credit`.
    Caches { mode: Mode, capacity: u32, ttl: Span, lease: Span, behind: u32, credit: Span },
    /// As a cache: it answered with this version, which it has had for so long.
    Hits { key: Name, version: u64, age: Span },
    /// As a cache: it has nothing, or something old, and lets somebody fetch it under this token.
    /// If it had let somebody else, and nothing came of that, then `after` this long by its clock.
    Leases { key: Name, token: u64, after: Option<Span> },
    /// As a cache: it has nothing, and somebody is fetching it.
    Waits { key: Name },
    /// As a cache: it has this version now.
    Fills { key: Name, version: u64 },
    /// As a cache: it turned a version down that came without a valid lease.
    Rejects { key: Name, version: u64 },
    /// As a cache: it has nothing of this key any more. If its key was written, `version` is what
    /// was written, 0 if nobody knows; else it is what it had.
    Drops { key: Name, version: u64, why: Dropped },
    /// As a cache that writes behind: it has acknowledged this version, which the store does not
    /// have yet. A crash would lose it.
    Owes { key: Name, version: u64 },
    /// As a cache that writes behind: the store has this version, or the value of a newer one.
    Pays { key: Name, version: u64 },
    /// It reads a key in the store.
    Fetches { key: Name },
    /// It has written this version; if `told`, the cache has nothing older any more.
    Wrote { key: Name, version: u64, told: bool },
}

/// A version as `epoch.count`, as in answers.
struct Ver(u64);

impl fmt::Display for Ver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}.{}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Display for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caching::Caches { mode, capacity, ttl, .. } => {
                write!(f, "caches {capacity} keys {mode}, each for {ttl}")
            }
            Caching::Hits { key, version, age } => {
                write!(f, "has {key} {} for {age}", Ver(*version))
            }
            Caching::Leases { key, token, .. } => {
                write!(f, "misses {key}, lease {}", token & 0xFFFF_FFFF)
            }
            Caching::Waits { key } => write!(f, "misses {key}, somebody fetches it"),
            Caching::Fills { key, version } => write!(f, "takes in {key} {}", Ver(*version)),
            Caching::Rejects { key, version } => {
                write!(f, "turns down {key} {}: no valid lease", Ver(*version))
            }
            Caching::Drops { key, version, why } => {
                let version = Ver(*version);
                match why {
                    Dropped::Invalidated if version.0 == 0 => write!(f, "drops {key}: written"),
                    Dropped::Invalidated => write!(f, "drops {key}: {version} was written"),
                    Dropped::Expired => write!(f, "drops {key} {version}: its time is over"),
                    Dropped::Evicted => write!(f, "drops {key} {version}: makes room"),
                }
            }
            Caching::Owes { key, version } => {
                write!(f, "owes the store {key} {}", Ver(*version))
            }
            Caching::Pays { key, version } => write!(f, "has paid {key} {}", Ver(*version)),
            Caching::Fetches { key } => write!(f, "reads {key} in the store"),
            Caching::Wrote { key, version, told: true } => {
                write!(f, "wrote {key} {}, the cache knows", Ver(*version))
            }
            Caching::Wrote { key, version, told: false } => {
                write!(f, "wrote {key} {}, the cache may not know", Ver(*version))
            }
        }
    }
}
