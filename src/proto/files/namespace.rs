//! The namespace: which blocks each file consists of, as a function of the replicated log.

use crate::base::{
    CallId, FileOp, FileOutcome, Manifest, Mutation, Mutations, Name, Outcome, Refusal,
};
use crate::event::{Fact, FileFact};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A file, or that it was removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) manifest: Option<Manifest>,
}

/// All files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Namespace(BTreeMap<Name, Entry>);

impl Namespace {
    /// Carries an operation of the log out. Others than those on files are refused.
    pub fn apply(
        &mut self,
        call: CallId,
        op: &FileOp,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
    ) -> Outcome {
        match op {
            FileOp::Link { file, manifest } => {
                let mut manifest = manifest.clone();
                if mutations.has(Mutation::FilesForgetEntry) && manifest.pieces.len() > 1 {
                    manifest.pieces = manifest.pieces[..manifest.pieces.len() - 1].into();
                }
                self.link(call, file, manifest, facts)
            }
            FileOp::Remove { file } => self.remove(file, facts),
            FileOp::Stat { file } => {
                let Entry { version, manifest } = self.0.get(file).cloned().unwrap_or_default();
                Outcome::File(FileOutcome::Manifest { version, manifest })
            }
            _ => Outcome::Refused(Refusal::NoService),
        }
    }

    fn link(
        &mut self,
        call: CallId,
        file: &Name,
        manifest: Manifest,
        facts: &mut Vec<Fact>,
    ) -> Outcome {
        let entry = self.0.entry(file.clone()).or_default();
        if manifest.put.call != call || manifest.put.base != entry.version {
            return Outcome::Refused(Refusal::Overtaken);
        }
        entry.version += 1;
        entry.manifest = Some(manifest);
        facts.push(entry.fact(file));
        Outcome::File(FileOutcome::Stored { version: entry.version })
    }

    fn remove(&mut self, file: &Name, facts: &mut Vec<Fact>) -> Outcome {
        match self.0.get_mut(file) {
            Some(entry) if entry.manifest.is_some() => {
                *entry = Entry { version: entry.version + 1, manifest: None };
                facts.push(entry.fact(file));
                Outcome::File(FileOutcome::Removed { version: entry.version })
            }
            _ => Outcome::Refused(Refusal::NoFile),
        }
    }

    /// Says all that there is, for a replica that starts.
    pub fn restate(&self, facts: &mut Vec<Fact>) {
        facts.extend(self.0.iter().map(|(file, entry)| entry.fact(file)));
    }
}

impl Entry {
    fn fact(&self, file: &Name) -> Fact {
        let Entry { version, manifest } = self.clone();
        Fact::File(FileFact::Links { file: file.clone(), version, manifest })
    }
}
