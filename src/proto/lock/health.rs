//! Checks of nodes: whom the leader finds critical, where sessions hang on nodes.
//!
//! Every node hears from its own membership service whom it takes for dead; only the leader that
//! keeps the time of sessions has the log say so, and takes it back when the node is there again.
//! Its opinion is no better than the failure detector that it comes from.

use super::LockService;
use crate::base::{NodeId, Op, SessionOp};
use crate::event::Fact;
use crate::proto::Context;
use std::collections::{BTreeMap, BTreeSet};

/// What a node knows of the health of others.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    /// Whom this node takes for dead.
    missing: BTreeSet<NodeId>,
    /// Whose check is critical by the log.
    critical: BTreeSet<NodeId>,
    /// What this leader has asked the log to say.
    asked: BTreeMap<NodeId, bool>,
}

impl LockService {
    /// Takes in what the membership service believes, if it is about that.
    pub(super) fn hear_of_node(&mut self, fact: &Fact, cx: &mut Context<'_, Self>) {
        let Some(only_dead) = self.config.checks else { return };
        match fact {
            Fact::Suspects { .. } if only_dead => return,
            Fact::Suspects { who, .. } | Fact::Dead { who, .. } => {
                self.health.missing.insert(*who);
            }
            Fact::Trusts { who, .. } => drop(self.health.missing.remove(who)),
            _ => return,
        }
        self.check_nodes(cx);
    }

    /// Takes in what the log says of a node.
    pub(super) fn hear_of_check(
        &mut self,
        node: NodeId,
        critical: bool,
        cx: &mut Context<'_, Self>,
    ) {
        match critical {
            true => drop(self.health.critical.insert(node)),
            false => drop(self.health.critical.remove(&node)),
        }
        self.health.asked.remove(&node);
        self.check_nodes(cx);
    }

    /// All that the log says of nodes is said next.
    pub(super) fn forget_checks(&mut self) {
        self.health.critical.clear();
    }

    /// As the leader: has the log say how nodes are.
    pub(super) fn check_nodes(&mut self, cx: &mut Context<'_, Self>) {
        let Some(lessor) = self.leads.filter(|_| self.lessor.is_in_charge()) else { return };
        for node in self.config.peers.clone().iter().copied() {
            let critical = self.health.missing.contains(&node);
            let known = self.health.critical.contains(&node);
            let asked = self.health.asked.get(&node) == Some(&critical);
            if critical != known && !asked {
                self.health.asked.insert(node, critical);
                self.put(Op::Session(SessionOp::Check { lessor, node, critical }), cx);
            }
        }
    }

    /// It leads no longer.
    pub(super) fn leave_checks(&mut self) {
        self.health.asked.clear();
    }
}
