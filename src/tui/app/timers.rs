//! Aligning and spreading election timers: who sets them all alike provokes a split vote, and who
//! sets them apart avoids one.

use super::App;
use crate::base::{NodeId, Span};
use crate::command::{Command, Target};
use crate::tui::faults::Lasting;

/// The name of the timer at whose end a node asks to lead.
const ELECTION: &str = "election";

impl App {
    /// Has all election timers run out at the same moment: when the last of them would.
    pub(super) fn align_timers(&mut self) {
        let waits = self.election_timers();
        let Some((_, last)) = waits.last().filter(|_| waits.len() > 1) else {
            return self.say_no_timers();
        };
        let (last, who) = (*last, waits.into_iter().map(|(id, _)| id).collect());
        self.set_timers(&[expire(who, last)]);
    }

    /// Has all election timers run out one after the other, at even distances, in the order in
    /// which they would.
    pub(super) fn spread_timers(&mut self) {
        let waits = self.election_timers();
        let Some((_, last)) = waits.last().filter(|_| waits.len() > 1) else {
            return self.say_no_timers();
        };
        let step = Span::millis(last.0 / 1_000 / waits.len() as u64);
        let commands =
            waits.iter().zip(1..).map(|((id, _), turn)| expire(vec![*id], step.times(turn)));
        self.set_timers(&commands.collect::<Vec<_>>());
    }

    /// While somebody leads, what is done does not last.
    fn set_timers(&mut self, commands: &[Command]) {
        let given = self.outbox.len();
        self.order_all(commands, Lasting::Healed);
        let board = self.timeline.board();
        let leader = board.leader().filter(|_| self.outbox.len() > given);
        let leads = |id: NodeId| board.node(id).is_some_and(|node| node.life.is_up());
        if let Some((leader, _)) = leader.filter(|(id, _)| leads(*id)) {
            let told = self.notice.take().unwrap_or_default();
            self.say(format!("{told}; until {leader}'s next heartbeat sets them anew"));
        }
    }

    /// Who waits to ask, and for how long still, the most impatient first.
    fn election_timers(&self) -> Vec<(NodeId, Span)> {
        let board = self.timeline.board();
        let up = board.nodes.servers().filter(|node| node.life.is_up());
        let waits = up.filter_map(|node| {
            let (_, timer) = node.timers.iter().find(|((_, name), _)| name == ELECTION)?;
            Some((node.id, timer.until.since(board.now)))
        });
        let mut waits: Vec<(NodeId, Span)> = waits.collect();
        waits.sort_by_key(|(id, left)| (*left, *id));
        waits
    }

    fn say_no_timers(&mut self) {
        self.say("fewer than two election timers run down");
    }
}

/// Has the election timers of these run out after this time, in whole milliseconds.
fn expire(who: Vec<NodeId>, after: Span) -> Command {
    let after = Span::millis((after.0 / 1_000).max(1));
    Command::Fire { who: Target::Nodes(who), timer: ELECTION.parse().ok(), after: Some(after) }
}
