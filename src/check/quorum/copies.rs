//! Who has which versions of which key, as the nodes themselves say.

use crate::base::placement::Ring;
use crate::base::{CallId, Name, NodeId, Versions};
use crate::command::{Command, DiskFault};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// How many rings are remembered.
const RINGS: usize = 64;

/// A hint: who keeps it, for whom.
type Hint = (NodeId, NodeId);

/// What was said of copies, hints and rings.
#[derive(Clone, Debug, Default)]
pub(in crate::check) struct Copies {
    kept: BTreeMap<Name, BTreeMap<NodeId, Versions>>,
    hints: BTreeMap<Name, BTreeMap<CallId, BTreeSet<Hint>>>,
    rings: BTreeMap<u64, Ring>,
    /// The last ring that each node knows to be settled.
    settled: BTreeMap<NodeId, u64>,
    /// Who has said all that it has.
    known: BTreeSet<NodeId>,
    /// A disk was lost.
    pub(super) wiped: bool,
}

impl Copies {
    /// Takes an event in.
    pub(in crate::check) fn see(&mut self, event: &Event) {
        let node = event.node;
        match &event.kind {
            Kind::Started { boot, records, .. } => {
                self.wiped |= *boot > 1 && *records == 0;
                // It says next what it has: the crash may have come before it could say what it
                // had written down.
                self.forget(node);
                self.known.insert(node);
            }
            Kind::Commanded(command) => {
                if let Command::Disk { fault: DiskFault::Wipe, .. } = **command {
                    self.wiped = true;
                }
            }
            Kind::Fact(fact) => self.hear(node, fact),
            _ => {}
        }
    }

    fn hear(&mut self, node: NodeId, fact: &Fact) {
        match fact {
            Fact::Keeps { key, versions } => {
                let of = self.kept.entry(key.clone()).or_default();
                match versions.is_empty() {
                    true => drop(of.remove(&node)),
                    false => drop(of.insert(node, versions.clone())),
                }
            }
            Fact::Hints { target, key, dot } => {
                let of = self.hints.entry(key.clone()).or_default();
                of.entry(*dot).or_default().insert((node, *target));
            }
            Fact::Unhints { target, key, dot, .. } => self.end_hint(node, *target, key, *dot),
            Fact::View { epoch, members, shape } => {
                if !self.rings.contains_key(epoch) {
                    self.rings.insert(*epoch, Ring::new(members, *shape));
                }
                if self.rings.len() > RINGS {
                    self.rings.pop_first();
                }
            }
            Fact::Settled { epoch } => drop(self.settled.insert(node, *epoch)),
            Fact::Restates => self.forget(node),
            Fact::Restated => drop(self.known.insert(node)),
            _ => {}
        }
    }

    fn end_hint(&mut self, node: NodeId, target: NodeId, key: &Name, dot: CallId) {
        let Some(of) = self.hints.get_mut(key) else { return };
        if let Some(all) = of.get_mut(&dot) {
            all.remove(&(node, target));
            if all.is_empty() {
                of.remove(&dot);
            }
        }
        if of.is_empty() {
            self.hints.remove(key);
        }
    }

    /// What a node has may have changed unseen.
    pub(in crate::check) fn forget(&mut self, node: NodeId) {
        let is = |who: &NodeId| *who == node || node == NodeId::BENCH;
        self.known.retain(|who| !is(who));
        self.kept.values_mut().for_each(|of| of.retain(|who, _| !is(who)));
        for of in self.hints.values_mut() {
            of.values_mut().for_each(|all| all.retain(|(who, _)| !is(who)));
            of.retain(|_, all| !all.is_empty());
        }
    }

    /// What a node keeps of a key.
    pub(super) fn of(&self, key: &Name, node: NodeId) -> Option<&Versions> {
        self.kept.get(key)?.get(&node)
    }

    /// Everybody who keeps something of a key.
    pub(super) fn all<'a>(&'a self, key: &Name) -> impl Iterator<Item = (NodeId, &'a Versions)> {
        self.kept.get(key).into_iter().flatten().map(|(node, versions)| (*node, versions))
    }

    /// Who keeps hints of a key, of which write.
    pub(super) fn hints(&self, key: &Name) -> impl Iterator<Item = (NodeId, CallId)> {
        let all = self.hints.get(key).into_iter().flatten();
        all.flat_map(|(dot, all)| all.iter().map(|(node, _)| (*node, *dot)))
    }

    /// The preference lists of a key by which a node goes that is in the ring of `epoch`, each with
    /// its epoch; none if not all of these rings were seen.
    pub(super) fn lists(&self, node: NodeId, key: &Name, epoch: u64) -> Vec<(u64, &[NodeId])> {
        let first = self.settled.get(&node).copied().unwrap_or(epoch).min(epoch);
        let list = |of| {
            let ring = self.rings.get(&of)?;
            Some((of, ring.preference(ring.position(key.as_str()))))
        };
        (first..=epoch).map(list).collect::<Option<_>>().unwrap_or_default()
    }

    /// Who is to keep a key by the newest ring.
    pub(in crate::check) fn replicas(&self, key: &Name) -> &[NodeId] {
        let Some((_, ring)) = self.rings.last_key_value() else { return &[] };
        ring.preference(ring.position(key.as_str()))
    }

    /// The newest ring; 0 before the first.
    pub(in crate::check) fn epoch(&self) -> u64 {
        self.rings.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// All keys of which anybody keeps something.
    pub(in crate::check) fn keys(&self) -> impl Iterator<Item = &Name> {
        self.kept.keys()
    }

    /// Whether these have said all that they have.
    pub(super) fn knows(&self, nodes: [NodeId; 2]) -> bool {
        nodes.iter().all(|node| self.known.contains(node))
    }

    /// Whether there is or was a key in some part of the circle that both are to keep, in any ring.
    pub(super) fn share(&self, both: [NodeId; 2], is_there: impl Fn(u64) -> bool) -> bool {
        let common = |list: &[NodeId]| both.iter().all(|node| list.contains(node));
        self.kept.keys().any(|key| {
            self.rings.values().any(|ring| {
                let at = ring.position(key.as_str());
                is_there(at) && common(ring.preference(at))
            })
        })
    }

    /// Two replicas of a key that do not keep the same, if there are two that have said all.
    pub(in crate::check) fn differ(&self, key: &Name) -> Option<(NodeId, NodeId)> {
        let of = self.kept.get(key)?;
        let mut replicas = self.replicas(key).iter().filter(|node| self.known.contains(node));
        let first = replicas.next()?;
        let other = replicas.find(|node| of.get(node) != of.get(first))?;
        Some((*first, *other))
    }
}
