//! Fail-over (FO-4): while the primary is away, another takes over in time.
//!
//! Away is who is down, or frozen, or heard by no other node. Nothing is owed while that leaves too
//! few nodes, or too few instances that have what was written, or while anything else is wrong.
//! Time counts from the last change of either, and from the last fail-over.

use super::super::Failovers;
use super::super::faults::Faults;
use crate::base::{NodeId, Span, Time, majority};
use crate::event::{Event, Fact, Kind};

/// What was seen of it.
#[derive(Clone, Debug)]
pub(super) struct Takeover {
    rules: Failovers,
    /// The last primary, and its epoch.
    primary: (u32, NodeId),
    /// When what is wrong, or who is primary, changed last.
    since: Time,
    reported: bool,
}

impl Takeover {
    pub(super) fn new(rules: Failovers) -> Takeover {
        let first = rules.instances.first().copied().unwrap_or_default();
        Takeover { rules, primary: (0, first), since: Time::ZERO, reported: false }
    }

    /// Takes an event in.
    pub(super) fn see(&mut self, event: &Event) {
        let news = match &event.kind {
            Kind::Fact(Fact::Primary { epoch, node }) if *epoch > self.primary.0 => {
                self.primary = (*epoch, *node);
                true
            }
            Kind::Commanded(command) => command.is_fault(),
            Kind::Started { .. }
            | Kind::Killed { .. }
            | Kind::Panicked { .. }
            | Kind::Failed { .. }
            | Kind::Paused
            | Kind::Resumed
            | Kind::Present { .. } => true,
            _ => false,
        };
        if news {
            (self.since, self.reported) = (event.at, false);
        }
    }

    pub(super) fn forget(&mut self, now: Time) {
        (self.since, self.reported) = (now, false);
    }

    /// How long nobody has taken over, if that is too long.
    pub(super) fn overdue(&mut self, now: Time, faults: &Faults, within: Span) -> Option<String> {
        let Failovers { patience, hold_down, .. } = self.rules;
        let bound = patience + hold_down + within;
        if self.reported || now <= self.since + bound || !self.is_owed(faults) {
            return None;
        }
        self.reported = true;
        let (epoch, primary) = self.primary;
        let since = self.since;
        Some(format!(
            "{primary}, the primary of e{epoch}, is away, and nobody took over since {since}"
        ))
    }

    /// Whether the primary is away, and all that it takes to replace it is there.
    fn is_owed(&self, faults: &Faults) -> bool {
        let (_, primary) = self.primary;
        let counts = |id: &NodeId| !id.is_client() && *id != primary;
        let others: Vec<NodeId> = faults.all.iter().copied().filter(counts).collect();
        let up = |id: &&NodeId| others.contains(*id) && !faults.down.contains(*id);
        let instances = &self.rules.instances;
        let wanted = if self.rules.fenced { majority(instances.len()) } else { 1 };
        let enough = others.iter().filter(up).count() >= majority(others.len() + 1)
            && instances.iter().filter(up).count() >= wanted;
        enough && is_away(primary, &others, faults) && !faults.are_rough(|id| others.contains(&id))
    }
}

/// Whether none of the others can hear a node.
fn is_away(node: NodeId, others: &[NodeId], faults: &Faults) -> bool {
    let cut = |to: &NodeId| faults.links.get(&(node, *to)).is_some_and(|fault| fault.cut);
    faults.down.contains(&node) || faults.frozen.contains(&node) || others.iter().all(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: u16) -> NodeId {
        NodeId::node(number)
    }

    /// What is found 20 seconds after these went down and these links were cut, among five nodes
    /// of which three keep keys.
    fn found(down: &[u16], cut: &[(u16, u16)]) -> Option<String> {
        let instances = (1..=3).map(n).collect();
        let (patience, hold_down) = (Span::secs(2), Span::secs(1));
        let rules = Failovers { instances, fenced: true, patience, hold_down };
        let mut takeover = Takeover::new(rules);
        let mut faults = Faults::among((1..=5).map(n).collect());
        let mut see = |node, kind| {
            let event = Event { at: Time::ZERO, node, kind };
            takeover.see(&event);
            faults.see(&event);
        };
        down.iter().for_each(|node| see(n(*node), Kind::Killed { lost: 0 }));
        for (from, to) in cut {
            let line = format!("partition n{from} -> n{to}");
            let command = line.parse().expect("a command");
            see(NodeId::BENCH, Kind::Commanded(Box::new(command)));
        }
        let mut at = |secs| takeover.overdue(Time::ZERO + Span::secs(secs), &faults, Span::secs(5));
        assert_eq!(at(8), None, "there is time");
        let late = at(20);
        assert_eq!(at(30), None, "once is enough");
        late
    }

    #[test]
    fn who_is_away_for_long_is_to_be_replaced_by_those_that_are_there() {
        assert!(found(&[1], &[]).is_some());
        assert!(found(&[1, 4], &[]).is_some());
        assert!(found(&[], &[(1, 2), (1, 3), (1, 4), (1, 5)]).is_some());
        assert_eq!(found(&[], &[]), None);
        assert_eq!(found(&[2], &[]), None, "the primary is there");
        assert_eq!(found(&[], &[(1, 2), (1, 3), (1, 4)]), None, "n5 hears it");
        assert_eq!(found(&[1, 2], &[]), None, "one of three instances");
        assert_eq!(found(&[1, 4, 5], &[]), None, "two of five nodes");
        assert_eq!(found(&[1], &[(4, 5)]), None, "something else is wrong");
    }
}
