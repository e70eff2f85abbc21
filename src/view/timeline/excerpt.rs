//! First bad: the fewest events of a run that break a rule by themselves.
//!
//! A check reads nothing but events, so a run in which nothing else happened would be judged like
//! the whole one. Events are left out, many at a time and then fewer, as long as the rule is broken
//! by the last of them: what stays is a proof that fits on a page. It is shown on its stage: with
//! who was started, and when those crashed and came back whose words the proof is made of.

use super::branch::Branch;
use crate::base::NodeId;
use crate::check::{Checks, Violation};
use crate::event::{Event, Kind};
use crate::view::tape::Tape;
use std::collections::BTreeSet;

/// How many events the check is shown at the most, before what was found has to do.
const BUDGET: usize = 2_000_000;

/// A branch that has only those events of another that break this rule, on their stage, and how
/// many break it. None if that cannot be shown: the rule was broken by what never happened, or the
/// events are forgotten.
pub(super) fn excerpt(
    of: &Branch,
    fresh: &Checks,
    violation: &Violation,
) -> Option<(Branch, usize)> {
    let events = of.events();
    let mut search = Search::new(events, fresh, violation);
    let proof = search.shortest()?;
    let staged = staged(events, &proof);
    let picked = if search.breaks(&staged) { staged } else { proof.clone() };
    let name = format!("bad {}", violation.rule).into();
    let mut branch = Branch::new(of.id, name, fresh.clone());
    branch.parent = Some(of.id);
    branch.fork_at = events.get(violation.at)?.at;
    picked.iter().filter_map(|index| events.get(*index)).for_each(|event| {
        branch.push(event.clone());
    });
    Some((branch, proof.len()))
}

/// These events, with the first start of every process, and with all starts and ends of those that
/// they are of.
fn staged(events: &Tape, proof: &[usize]) -> Vec<usize> {
    let end = proof.last().map_or(0, |last| last + 1);
    let of: BTreeSet<NodeId> =
        proof.iter().filter_map(|index| Some(events.get(*index)?.node)).collect();
    let mut there = BTreeSet::new();
    let mut on_stage = |event: &Event| match event.kind {
        Kind::Started { .. } => there.insert(event.node) || of.contains(&event.node),
        Kind::Killed { .. } | Kind::Paused | Kind::Resumed => of.contains(&event.node),
        _ => false,
    };
    let picked = events
        .range(0..end)
        .filter(|(index, event)| on_stage(event) || proof.binary_search(index).is_ok());
    picked.map(|(index, _)| index).collect()
}

struct Search<'a> {
    events: &'a Tape,
    fresh: Checks,
    violation: &'a Violation,
    left: usize,
}

impl<'a> Search<'a> {
    fn new(events: &'a Tape, fresh: &Checks, violation: &'a Violation) -> Search<'a> {
        Search { events, fresh: fresh.only(violation.check), violation, left: BUDGET }
    }

    /// Whether the rule is broken by the last of these events, and not before.
    fn breaks(&mut self, picked: &[usize]) -> bool {
        self.left = self.left.saturating_sub(picked.len());
        let mut checks = self.fresh.clone();
        picked.iter().filter_map(|index| self.events.get(*index)).for_each(|event| {
            checks.see(event);
        });
        let found = checks.first();
        found.is_some_and(|found| found.rule == self.violation.rule && found.at + 1 == picked.len())
    }

    /// The events that contradict each other, if they are enough; else all that state something,
    /// or all, without those that can be left out.
    fn shortest(&mut self) -> Option<Vec<usize>> {
        let Violation { at, because, .. } = self.violation;
        let witnesses: BTreeSet<usize> = because.iter().chain([at]).copied().collect();
        let witnesses = Vec::from_iter(witnesses);
        if self.breaks(&witnesses) {
            return Some(self.without(witnesses));
        }
        let before = self.events.range(0..at + 1);
        let all: Vec<usize> = before.map(|(index, _)| index).collect();
        let states = |index: &usize| self.events.get(*index).is_some_and(states);
        let telling: Vec<usize> = all.iter().copied().filter(states).collect();
        let enough = [telling, all].into_iter().find(|picked| self.breaks(picked))?;
        Some(self.without(enough))
    }

    /// Leaves out what can be left out. The last event stays.
    fn without(&mut self, mut picked: Vec<usize>) -> Vec<usize> {
        let mut part = (picked.len() / 2).max(1);
        while self.left > 0 {
            let before = picked.len();
            let mut at = 0;
            while at + 1 < picked.len() && self.left > 0 {
                let end = (at + part).min(picked.len() - 1);
                let fewer = [&picked[..at], &picked[end..]].concat();
                match self.breaks(&fewer) {
                    true => picked = fewer,
                    false => at = end,
                }
            }
            if part == 1 && picked.len() == before {
                break;
            }
            part = (part / 2).max(1);
        }
        picked
    }
}

/// Whether an event is more than a message or a timer.
fn states(event: &Event) -> bool {
    !matches!(
        event.kind,
        Kind::Sent { .. }
            | Kind::Received { .. }
            | Kind::Lost { .. }
            | Kind::Held { .. }
            | Kind::Fired { .. }
            | Kind::Armed { .. }
    )
}
