//! Caches: who fetches and who writes, and what makes room.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Who fetches what is missing, and who writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mode {
    /// Whoever asks fetches and fills; whoever writes deletes.
    #[default]
    Aside,
    /// The cache fetches; whoever writes deletes.
    ReadThrough,
    /// The cache fetches and writes.
    WriteThrough,
    /// The cache fetches, and writes to the store after it has answered.
    WriteBehind,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 4] =
        [Mode::Aside, Mode::ReadThrough, Mode::WriteThrough, Mode::WriteBehind];

    /// As a cluster file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Aside => "aside",
            Mode::ReadThrough => "read-through",
            Mode::WriteThrough => "write-through",
            Mode::WriteBehind => "write-behind",
        }
    }

    /// Whether writers write to the store themselves, and have to tell the cache.
    pub const fn tells(self) -> bool {
        matches!(self, Mode::Aside | Mode::ReadThrough)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How the cache hears of what writers have written to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Invalidate {
    /// The writer tells it until it acknowledges, and is answered then.
    #[default]
    Acknowledged,
    /// The writer sends one message, which may be lost or late, and is answered at once.
    Message,
}

impl Invalidate {
    /// All of them.
    pub const ALL: [Invalidate; 2] = [Invalidate::Acknowledged, Invalidate::Message];

    /// As a cluster file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Invalidate::Acknowledged => "acknowledged",
            Invalidate::Message => "message",
        }
    }
}

/// Which entry makes room for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Evict {
    /// The one that was asked for longest ago.
    #[default]
    Lru,
    /// The one that was asked for least often; of several, the one longest ago.
    Lfu,
}

impl Evict {
    /// All of them.
    pub const ALL: [Evict; 2] = [Evict::Lru, Evict::Lfu];

    /// As a cluster file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Evict::Lru => "lru",
            Evict::Lfu => "lfu",
        }
    }
}
