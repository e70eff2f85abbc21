//! A disk in memory: it survives crashes of its node, not of its process.

use super::{Loaded, Store, Trouble};
use crate::base::{Rng, Span};
use crate::host::{self, Write};

/// What is on it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    fastest: Span,
    slowest: Span,
    disk: host::Disk,
    boots: u32,
    torn: bool,
}

impl Memory {
    /// An empty one whose syncs take from `fastest` to `slowest`.
    pub(super) fn new(fastest: Span, slowest: Span) -> Memory {
        Memory { fastest, slowest, ..Memory::default() }
    }
}

impl Store for Memory {
    fn latency(&self, chance: &mut Rng) -> Span {
        chance.span(self.fastest, self.slowest)
    }

    fn load(&mut self) -> Result<Loaded, Trouble> {
        self.boots += 1;
        let records = self.disk.records().to_vec();
        Ok(Loaded { boot: self.boots, records, torn: std::mem::take(&mut self.torn) })
    }

    fn commit(&mut self, group: Vec<Write>) -> Result<(), Trouble> {
        group.into_iter().for_each(|write| self.disk.write(write));
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn crash(&mut self, kept: Vec<Write>, torn: Option<Write>) -> Result<(), Trouble> {
        self.torn = torn.is_some();
        self.commit(kept)
    }

    fn wipe(&mut self) -> Result<(), Trouble> {
        self.disk = host::Disk::default();
        self.torn = false;
        Ok(())
    }
}
