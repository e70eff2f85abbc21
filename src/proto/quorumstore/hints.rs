//! The stand-in's part: it keeps what others have missed, and hands it on.

use super::{Cx, Message, QuorumStore, Record};
use crate::base::{CallId, Mutation, Name, NodeId, Time, Version, Versions};
use crate::event::{Fact, Unhinted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A write that another node is to have.
#[derive(Clone, Debug)]
pub(super) struct Hint {
    pub(super) version: Arc<Version>,
    /// When it was told, by its wall clock, which goes on while it is down.
    pub(super) created: Time,
}

impl Hint {
    pub(super) fn alone(&self) -> Versions {
        Version::clone(&self.version).into()
    }
}

/// Whom a hint is for, and what it says.
type Slip = (NodeId, Name, CallId);

impl QuorumStore {
    /// Keeps a hint for each of these versions.
    pub(super) fn keep_hint(
        &mut self,
        target: NodeId,
        key: &Name,
        versions: &Versions,
        cx: &mut Cx<'_>,
    ) {
        let versions = &self.accepted(key, versions);
        self.clock = self.clock.max(versions.stamp());
        for version in versions.iter() {
            let (dot, created) = (version.dot, cx.wall());
            let slip = (target, key.clone(), dot);
            if self.hints.contains_key(&slip) {
                continue;
            }
            let version = Arc::new(version.clone());
            self.hints.insert(slip, Hint { version: Arc::clone(&version), created });
            self.write_down(Record::Hint { target, key: key.clone(), version, created }, cx);
            cx.emit(Fact::Hints { target, key: key.clone(), dot });
        }
    }

    pub(super) fn end_hint(&mut self, slip: &Slip, why: Unhinted, cx: &mut Cx<'_>) {
        if self.hints.remove(slip).is_none() {
            return;
        }
        let (target, key, dot) = slip.clone();
        self.write_down(Record::Unhint { target, key: key.clone(), dot }, cx);
        cx.emit(Fact::Unhints { target, key, dot, why });
    }

    /// Whom a hint was for has it.
    pub(super) fn replayed(&mut self, from: NodeId, key: Name, dot: CallId, cx: &mut Cx<'_>) {
        self.end_hint(&(from, key, dot), Unhinted::Delivered, cx);
    }

    /// Drops what is too old, and hands on some of the rest.
    pub(super) fn tend_hints(&mut self, cx: &mut Cx<'_>) {
        let quorum = self.config.quorum;
        let old = |hint: &Hint| cx.wall().since(hint.created) >= quorum.hint_window;
        let expired = self.hints.iter().filter(|(_, hint)| old(hint));
        let expired: Vec<Slip> = expired.map(|(slip, _)| slip.clone()).collect();
        expired.iter().for_each(|slip| self.end_hint(slip, Unhinted::Expired, cx));
        self.readdress_hints(cx);
        let mut sent: BTreeMap<NodeId, u16> = BTreeMap::new();
        let mut forgotten = Vec::new();
        for (slip, hint) in &self.hints {
            let (target, key, _) = slip;
            let count = sent.entry(*target).or_default();
            if self.suspects.contains(target) || *count >= quorum.hint_rate {
                continue;
            }
            *count += 1;
            let version = Arc::clone(&hint.version);
            cx.send(*target, Message::Replay { key: key.clone(), version });
            forgotten.push(slip.clone());
        }
        if self.has(Mutation::QuorumForgetHint) {
            forgotten.iter().for_each(|slip| self.end_hint(slip, Unhinted::Delivered, cx));
        }
    }

    /// Takes over what is for nodes that are no replicas any more, to bring it to those who are.
    fn readdress_hints(&mut self, cx: &mut Cx<'_>) {
        if self.ring().is_none() {
            return;
        }
        let lost = |slip: &&Slip| !self.replicas(&slip.1).contains(&slip.0);
        let lost: Vec<Slip> = self.hints.keys().filter(lost).cloned().collect();
        for slip in lost {
            if let Some(hint) = self.hints.get(&slip).cloned() {
                self.keep(&slip.1, &hint.alone(), cx);
                self.end_hint(&slip, Unhinted::Moved, cx);
            }
        }
    }
}
