//! Looking for trouble: random faults from a seed, and a run under them with every check on.
//!
//! A storm lasts for two thirds of a run; then there is calm.
//!
//! A storm is a list of commands with times, so it is a script like any other: it can be printed,
//! read, shortened and given to the workbench by hand. Where the log can, half of the storms change
//! its voters, and hand leadership on. During the calm everything is repaired, so
//! that progress can be asked for. At no time is a majority of the nodes crashed or frozen: more
//! would be legal, but would only make everybody wait.

mod voters;

use super::world::World;
use crate::base::{NodeId, Rng, Span, Time};
use crate::check::{Checks, Violation};
use crate::command::{ClockFault, Command, DiskFault, Link, Target, Unsynced};
use crate::event::{Event, Kind, Watch};
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A command, and when to give it.
pub type Order = (Time, Command);

/// What is wrong with a process, as far as the storm knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Down,
    Frozen,
}

/// A storm in the making.
struct Storm<'a> {
    rng: Rng,
    plan: &'a Plan,
    trouble: BTreeMap<NodeId, Trouble>,
    orders: Vec<Order>,
}

/// The faults of `seed` for a run of `plan` until `until`: random crashes (that lose, keep or tear
/// what was not synced), freezes, partitions of all shapes, lost, late, repeated and overtaking
/// messages, skewed and drifting clocks, slow disks. From two thirds of the run on nothing is
/// wrong any more.
pub fn storm(seed: u64, plan: &Plan, until: Time) -> Vec<Order> {
    let rng = Rng::split(seed, "storm", 0);
    let mut storm = Storm { rng, plan, trouble: BTreeMap::new(), orders: Vec::new() };
    let calm = calm(until);
    let mut at = Time(until.0 / 30);
    while at < calm {
        storm.one_thing(at);
        at += storm.rng.span(Span::millis(100), Span::millis(2_000));
    }
    storm.calm(calm);
    let mut orders = storm.orders;
    orders.extend(voters::changes(seed, plan, calm));
    orders.sort_by_key(|(at, _)| *at);
    orders
}

/// When the storm of a run until `until` is over.
pub fn calm(until: Time) -> Time {
    Time(until.0 / 3 * 2)
}

impl Storm<'_> {
    fn order(&mut self, at: Time, command: Command) {
        self.orders.push((at, command));
    }

    fn one_thing(&mut self, at: Time) {
        match self.rng.below(20) {
            0..=3 => self.hit(at, Trouble::Down),
            4..=5 => self.hit(at, Trouble::Frozen),
            6..=10 => self.cure_one(at),
            11..=13 => self.cut(at),
            14..=15 => self.order(at, Command::Heal(Link::All)),
            16..=17 => self.blur(at),
            18 => self.clock(at),
            _ => self.disk(at),
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.plan.nodes.iter().map(|node| node.id).collect()
    }

    fn any_node(&mut self) -> Target {
        let nodes = self.nodes();
        Target::Nodes(self.rng.pick(&nodes).copied().into_iter().collect())
    }

    fn any_process(&mut self) -> NodeId {
        let all: Vec<NodeId> = self.plan.processes().collect();
        self.rng.pick(&all).copied().unwrap_or(NodeId::BENCH)
    }

    fn hit(&mut self, at: Time, trouble: Trouble) {
        let id = self.any_process();
        let most = (self.plan.nodes.len().saturating_sub(1)) / 2;
        let hit = self.trouble.keys().filter(|id| !id.is_client()).count();
        if self.trouble.contains_key(&id) || (!id.is_client() && hit >= most) {
            return;
        }
        self.trouble.insert(id, trouble);
        let who = Target::Nodes(vec![id]);
        let how = [Unsynced::Chance, Unsynced::Lose, Unsynced::Keep, Unsynced::Tear];
        let command = match trouble {
            Trouble::Frozen => Command::Pause(who),
            Trouble::Down => {
                let unsynced = self.rng.pick(&how).copied().unwrap_or_default();
                Command::Kill { who, unsynced }
            }
        };
        self.order(at, command);
    }

    fn cure_one(&mut self, at: Time) {
        let hit: Vec<NodeId> = self.trouble.keys().copied().collect();
        if let Some(id) = self.rng.pick(&hit).copied() {
            self.cure(at, id);
        }
    }

    fn cure(&mut self, at: Time, id: NodeId) {
        let who = Target::Nodes(vec![id]);
        match self.trouble.remove(&id) {
            Some(Trouble::Down) => self.order(at, Command::Restart(who)),
            Some(Trouble::Frozen) => self.order(at, Command::Resume(who)),
            None => {}
        }
    }

    fn cut(&mut self, at: Time) {
        let mut nodes: Vec<NodeId> = self.plan.processes().collect();
        self.rng.shuffle(&mut nodes);
        let split = self.rng.between(1, nodes.len().saturating_sub(1) as u64) as usize;
        let (a, b) = nodes.split_at(split.min(nodes.len()));
        let (a, b) = (Target::Nodes(a.to_vec()), Target::Nodes(b.to_vec()));
        let one = self.any_node();
        let two = self.any_node();
        let command = match self.rng.below(6) {
            0 | 1 => Command::Partition(vec![a, b]),
            2 => Command::Cut(Link::OneWay(one, two)),
            3 => Command::Cut(Link::Between(one, two)),
            4 => Command::Isolate(one),
            _ => match self.rng.percent(50) {
                true => Command::Bridge(one),
                false => Command::Cut(Link::OneWay(a, b)),
            },
        };
        self.order(at, command);
    }

    /// Makes the network worse without cutting it.
    fn blur(&mut self, at: Time) {
        let link = match self.rng.percent(50) {
            true => Link::All,
            false => Link::Of(self.any_node()),
        };
        let percent = self.rng.between(1, 20) as u8;
        let command = match self.rng.below(4) {
            0 => {
                let by = self.rng.span(Span::millis(1), Span::millis(80));
                Command::Delay { link, by, jitter: self.rng.span(Span::ZERO, by) }
            }
            1 => Command::Loss { link, percent },
            2 => Command::Duplicate { link, percent },
            _ => Command::Reorder { link, percent },
        };
        self.order(at, command);
    }

    fn clock(&mut self, at: Time) {
        let who = Target::Nodes(vec![self.any_process()]);
        let fault = match self.rng.percent(50) {
            true => ClockFault::Offset(self.rng.below(4_000_000) as i64 - 2_000_000),
            false => ClockFault::Drift(self.rng.below(100_000) as i32 - 50_000),
        };
        self.order(at, Command::Clock { who, fault });
    }

    fn disk(&mut self, at: Time) {
        let who = self.any_node();
        let fault = match self.rng.percent(50) {
            true => DiskFault::Slow(self.rng.span(Span::millis(1), Span::millis(40))),
            false => DiskFault::Ok,
        };
        self.order(at, Command::Disk { who, fault });
    }

    fn calm(&mut self, at: Time) {
        self.order(at, Command::Heal(Link::All));
        let everybody = Target::Nodes(self.plan.processes().collect());
        self.order(at, Command::Clock { who: everybody.clone(), fault: ClockFault::Ok });
        self.order(at, Command::Disk { who: everybody, fault: DiskFault::Ok });
        let hit: Vec<NodeId> = self.trouble.keys().copied().collect();
        hit.into_iter().for_each(|id| self.cure(at, id));
    }
}

/// What came of one run.
#[derive(Debug)]
pub struct Found {
    /// The checks, finished.
    pub checks: Checks,
    /// The first panic: who, and what it said.
    pub panic: Option<(NodeId, Arc<str>)>,
    /// How many events there were.
    pub events: u64,
    /// How many commands were refused, because they made no sense any more.
    pub refused: u64,
}

impl Found {
    /// Whether nothing is wrong.
    pub fn clean(&self) -> bool {
        self.panic.is_none() && self.checks.first().is_none()
    }

    /// The earliest violation.
    pub fn first(&self) -> Option<&Violation> {
        self.checks.first()
    }
}

/// Runs the cluster of `plan` from `seed` until `until` under `commands` (in order of time), shows
/// every event to all checks and to `see`, and stops at once when a check is broken or a process
/// panics, if it is to `stop`.
pub fn run(
    plan: &Plan,
    seed: u64,
    commands: &[Order],
    until: Time,
    stop: bool,
    see: &mut impl FnMut(&Event),
) -> Found {
    let mut out = Vec::new();
    let mut world = World::new(plan, seed, Watch::Facts, &mut out);
    let checks = Checks::all(&plan.expect());
    let mut found = Found { checks, panic: None, events: 0, refused: 0 };
    let mut commands = commands.iter().peekable();
    loop {
        let trouble = found.take_in(&mut out, see);
        if trouble && stop {
            break;
        }
        let next = world.next();
        if let Some((at, command)) = commands.next_if(|(at, _)| *at <= next && *at <= until) {
            world.wait(*at);
            found.refused += u64::from(world.apply(command, &mut out).is_err());
        } else if next > until || !world.step(&mut out) {
            break;
        }
    }
    found.checks.finish();
    found
}

impl Found {
    fn take_in(&mut self, out: &mut Vec<Event>, see: &mut impl FnMut(&Event)) -> bool {
        let mut trouble = false;
        for event in out.drain(..) {
            self.events += 1;
            if let Kind::Panicked { why } = &event.kind {
                self.panic.get_or_insert((event.node, why.clone()));
                trouble = true;
            }
            trouble |= self.checks.see(&event);
            see(&event);
        }
        trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_carried_out_to_the_letter_and_leaves_nothing_broken() {
        for seed in 0..20 {
            let plan = Plan::bare(5);
            let orders = storm(seed, &plan, Time(60_000_000));
            let mut out = Vec::new();
            let mut world = World::new(&plan, seed, Watch::Facts, &mut out);
            for (_, command) in &orders {
                assert_eq!(world.apply(command, &mut out), Ok(()), "seed {seed}: {command}");
            }
            assert!(orders.len() > 20 && orders.is_sorted_by_key(|(at, _)| *at));
            assert_eq!(world.network_faults(), 0, "seed {seed}");
        }
    }
}
