//! What is wrong with a cluster by the commands that it was given: what excuses it.

use crate::base::{NodeId, Span};
use crate::command::{ClockFault, Command, DiskFault, Fault};
use crate::event::{Event, Kind, Presence};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with the cluster now: a node that is down or frozen, a link that is not as it was,
/// a slow disk, a clock at the wrong rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// All processes, in order.
    pub(super) all: Vec<NodeId>,
    pub(super) down: BTreeSet<NodeId>,
    pub(super) frozen: BTreeSet<NodeId>,
    pub(super) links: BTreeMap<(NodeId, NodeId), Fault>,
    pub(super) disks: BTreeSet<NodeId>,
    pub(super) clocks: BTreeSet<NodeId>,
}

impl Faults {
    /// None yet, among these processes.
    pub(super) fn among(mut all: Vec<NodeId>) -> Faults {
        all.sort_unstable();
        Faults { all, ..Faults::default() }
    }

    /// Takes in what an event says of them.
    pub(super) fn see(&mut self, event: &Event) {
        let node = event.node;
        match &event.kind {
            Kind::Commanded(command) if command.is_fault() => self.commanded(command),
            Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } => {
                self.down.insert(node);
                self.frozen.remove(&node);
            }
            Kind::Paused => drop(self.frozen.insert(node)),
            Kind::Started { .. } | Kind::Resumed => {
                if let Err(place) = self.all.binary_search(&node) {
                    self.all.insert(place, node);
                }
                self.down.remove(&node);
                self.frozen.remove(&node);
            }
            Kind::Present { state, faults, .. } => self.found(node, *state, faults),
            _ => {}
        }
    }

    /// Whether anything is wrong with some of these, or between them, but that they are down.
    pub(super) fn are_rough(&self, is_meant: impl Fn(NodeId) -> bool) -> bool {
        let mut nodes = self.frozen.iter().chain(&self.disks).chain(&self.clocks);
        nodes.any(|id| is_meant(*id))
            || self.links.keys().any(|(from, to)| is_meant(*from) && is_meant(*to))
    }

    fn commanded(&mut self, command: &Command) {
        match command {
            Command::Clock { who, fault } => {
                for node in who.nodes() {
                    match fault {
                        ClockFault::Drift(0) | ClockFault::Ok => self.clocks.remove(node),
                        ClockFault::Drift(_) => self.clocks.insert(*node),
                        ClockFault::Offset(_) => false,
                    };
                }
            }
            Command::Disk { who, fault } => {
                for node in who.nodes() {
                    match fault {
                        DiskFault::Ok | DiskFault::Slow(Span::ZERO) => self.disks.remove(node),
                        DiskFault::Slow(_) => self.disks.insert(*node),
                        DiskFault::Lose | DiskFault::Wipe => false,
                    };
                }
            }
            _ => {
                for link in command.links(&self.all) {
                    command.alter(self.links.entry(link).or_default());
                }
                self.links.retain(|_, fault| *fault != Fault::default());
            }
        }
    }

    /// A process is there, and all that is wrong with it is said.
    fn found(&mut self, node: NodeId, state: Presence, wrong: &[Command]) {
        let Faults { down, frozen, links, disks, clocks, .. } = self;
        for (set, is_in) in [
            (down, state == Presence::Down),
            (frozen, state == Presence::Paused),
            (disks, false),
            (clocks, false),
        ] {
            if is_in {
                set.insert(node)
            } else {
                set.remove(&node)
            };
        }
        links.retain(|(from, _), _| *from != node);
        wrong.iter().for_each(|command| self.commanded(command));
    }
}
