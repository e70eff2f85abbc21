//! What each command does to the world.

use super::world::{Envelope, Item, State, World};
use crate::base::{MsgId, Name, NodeId, Span, Time};
use crate::command::{ClockFault, Command, DiskFault, Target, Unsynced};
use crate::event::{Event, Kind, Loss};
use crate::host::Input;
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a command could not be carried out, in words for a person.
type Refused<T = ()> = Result<T, String>;

impl World {
    /// Carries a command out, or says why not and changes nothing. Its targets must be resolved.
    pub fn apply(&mut self, command: &Command, out: &mut Vec<Event>) -> Refused {
        self.check(command)?;
        self.steps += 1;
        self.tell(NodeId::BENCH, Kind::Commanded(Box::new(command.clone())), out);
        match command {
            Command::Kill { who, unsynced } => {
                self.each(who, |world, index| world.crash(index, *unsynced, out));
            }
            Command::Restart(who) => self.each(who, |world, index| world.start(index, out)),
            Command::Pause(who) => self.each(who, |world, index| world.freeze(index, out)),
            Command::Resume(who) => self.each(who, |world, index| world.thaw(index, out)),
            Command::Clock { who, fault } => {
                self.each(who, |world, index| world.set_clock(index, *fault));
            }
            Command::Disk { who, fault } => {
                self.each(who, |world, index| world.set_disk(index, *fault, out));
            }
            Command::Ask { who, op } => {
                if let Some(index) = self.index(*who) {
                    self.feed(index, Input::Ask { op: op.clone() }, out);
                }
            }
            Command::Fire { who, timer, after } => self.each(who, |world, index| {
                world.feed(index, Input::Fire { timer: timer.clone(), after: *after }, out);
            }),
            Command::Deliver(msg)
            | Command::Twice(msg)
            | Command::Drop(msg)
            | Command::Postpone { msg, .. } => {
                self.handle_message(command, *msg, out);
            }
            _ => self.change_network(command),
        }
        Ok(())
    }

    /// Whether the command makes sense now.
    fn check(&self, command: &Command) -> Refused {
        match command {
            Command::Kill { who, .. } => self.all(who, "down", |s| !matches!(s, State::Down)),
            Command::Restart(who) => self.all(who, "up", |s| matches!(s, State::Down)),
            Command::Pause(who) => self.all(who, "not running", |s| matches!(s, State::Up)),
            Command::Resume(who) => self.all(who, "not paused", |s| matches!(s, State::Paused(_))),
            Command::Disk { who, fault: DiskFault::Lose } => {
                self.all(who, "down", |s| !matches!(s, State::Down))
            }
            Command::Clock { who, .. } | Command::Disk { who, .. } => self.nodes(who).map(|_| ()),
            Command::Isolate(who) | Command::Bridge(who) | Command::Star(who) => {
                self.nodes(who).map(|_| ())
            }
            Command::Partition(groups) => groups.iter().try_for_each(|g| self.nodes(g).map(|_| ())),
            Command::Cut(link)
            | Command::Heal(link)
            | Command::Delay { link, .. }
            | Command::Loss { link, .. }
            | Command::Duplicate { link, .. }
            | Command::Reorder { link, .. }
            | Command::Hold(link)
            | Command::Release(link) => {
                link.targets().into_iter().try_for_each(|who| self.nodes(who).map(|_| ()))
            }
            Command::Deliver(msg)
            | Command::Drop(msg)
            | Command::Twice(msg)
            | Command::Postpone { msg, .. } => {
                match self.find(*msg).is_some() || self.held.iter().any(|e| e.id == *msg) {
                    true => Ok(()),
                    false => Err(format!("message {msg} is not in flight")),
                }
            }
            Command::Ask { who, .. } => {
                let target = Target::Nodes(vec![*who]);
                self.all(&target, "not running", |s| matches!(s, State::Up))
            }
            Command::Fire { who, timer, .. } => {
                self.all(who, "not running", |s| matches!(s, State::Up))?;
                self.nodes(who)?.iter().try_for_each(|id| self.can_fire(*id, timer.as_ref()))
            }
            Command::Ring => Ok(()),
            _ => Err(format!("'{command}' steers time; it is no command to the cluster")),
        }
    }

    fn can_fire(&self, id: NodeId, timer: Option<&Name>) -> Refused {
        let host = self.index(id).and_then(|index| self.slots[index].host.as_ref());
        match host.and_then(|host| host.cannot_fire(timer)) {
            Some(why) => Err(format!("{id}: {why}")),
            None => Ok(()),
        }
    }

    fn nodes<'a>(&self, target: &'a Target) -> Refused<&'a [NodeId]> {
        let Target::Nodes(nodes) = target else {
            return Err(format!("'{target}' is not resolved"));
        };
        match nodes.iter().find(|id| self.index(**id).is_none()) {
            Some(stranger) => Err(format!("there is no {stranger} in this cluster")),
            None => Ok(nodes),
        }
    }

    fn all(&self, who: &Target, trouble: &str, good: impl Fn(&State) -> bool) -> Refused {
        for id in self.nodes(who)? {
            if self.index(*id).is_some_and(|index| !good(&self.slots[index].state)) {
                return Err(format!("{id} is {trouble}"));
            }
        }
        Ok(())
    }

    fn each(&mut self, who: &Target, mut act: impl FnMut(&mut World, usize)) {
        let indices: Vec<usize> = match self.nodes(who) {
            Ok(nodes) => nodes.iter().filter_map(|id| self.index(*id)).collect(),
            Err(_) => Vec::new(),
        };
        indices.into_iter().for_each(|index| act(self, index));
    }

    fn freeze(&mut self, index: usize, out: &mut Vec<Event>) {
        self.slots[index].state = State::Paused(VecDeque::new());
        self.rearm(index);
        self.tell(self.ids[index], Kind::Paused, out);
    }

    fn thaw(&mut self, index: usize, out: &mut Vec<Event>) {
        let state = std::mem::replace(&mut self.slots[index].state, State::Up);
        self.tell(self.ids[index], Kind::Resumed, out);
        self.rearm(index);
        if let State::Paused(inbox) = state {
            inbox.into_iter().for_each(|input| self.feed(index, input, out));
        }
    }

    fn set_clock(&mut self, index: usize, fault: ClockFault) {
        let now = self.now;
        let clock = &mut self.slots[index].clock;
        match fault {
            ClockFault::Offset(micros) => clock.offset = micros,
            ClockFault::Drift(ppm) => clock.drift(now, ppm),
            ClockFault::Ok => {
                clock.offset = 0;
                clock.drift(now, 0);
            }
        }
        self.rearm(index);
    }

    fn set_disk(&mut self, index: usize, fault: DiskFault, out: &mut Vec<Event>) {
        match fault {
            DiskFault::Slow(by) => self.slots[index].disk_slow = by,
            DiskFault::Ok => self.slots[index].disk_slow = Span::ZERO,
            DiskFault::Lose => self.crash(index, Unsynced::Lose, out),
            DiskFault::Wipe => {
                self.crash(index, Unsynced::Lose, out);
                self.slots[index].disk = Arc::default();
            }
        }
    }

    fn find(&self, msg: MsgId) -> Option<(Time, u64)> {
        let is = |item: &Item| matches!(item, Item::Deliver(e) if e.id == msg && e.from != e.to);
        self.queue.iter().find(|(_, item)| is(item)).map(|(key, _)| *key)
    }

    /// Takes a message out of what is under way, and says when it would have arrived: now, if it
    /// was held.
    fn take_out(&mut self, msg: MsgId) -> Option<(Time, Envelope)> {
        if let Some(index) = self.held.iter().position(|envelope| envelope.id == msg) {
            return Some((self.now, self.held.remove(index)));
        }
        let key = self.find(msg)?;
        match self.queue.remove(&key) {
            Some(Item::Deliver(envelope)) => Some((key.0, envelope)),
            _ => None,
        }
    }

    fn handle_message(&mut self, command: &Command, msg: MsgId, out: &mut Vec<Event>) {
        let Some((due, envelope)) = self.take_out(msg) else { return };
        match command {
            Command::Drop(_) => {
                let lost = Kind::Lost { msg, to: envelope.to, why: Loss::Dropped };
                self.tell(envelope.from, lost, out);
            }
            Command::Twice(_) => {
                self.later(self.now, Item::Deliver(envelope.clone()));
                self.later(self.now, Item::Deliver(envelope));
            }
            Command::Postpone { by, .. } => self.later(due + *by, Item::Deliver(envelope)),
            _ => self.later(self.now, Item::Deliver(envelope)),
        }
    }

    fn change_network(&mut self, command: &Command) {
        let links = command.links(&self.ids);
        for (from, to) in &links {
            self.rules.change(*from, *to, |fault| command.alter(fault));
        }
        if matches!(command, Command::Heal(_) | Command::Release(_)) {
            self.release(&links);
        }
    }

    /// Sends on what was held on these links.
    fn release(&mut self, links: &[(NodeId, NodeId)]) {
        let held = std::mem::take(&mut self.held);
        let (free, kept): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|e| links.binary_search(&(e.from, e.to)).is_ok());
        self.held = kept;
        for envelope in free {
            self.later(self.now, Item::Deliver(envelope));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Watch;
    use crate::plan::{Plan, Services};

    fn world() -> (World, Vec<Event>) {
        let plan =
            Plan { services: Services { ping: Some(1), ..Services::default() }, ..Plan::bare(5) };
        let mut out = Vec::new();
        let world = World::new(&plan, 7, Watch::Messages, &mut out);
        (world, out)
    }

    fn apply(world: &mut World, text: &str) -> Result<Vec<Event>, String> {
        let mut out = Vec::new();
        let command = text.parse::<Command>().map_err(|error| error.0)?;
        world.apply(&command, &mut out).map(|()| out)
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let (mut world, _) = world();
        for (text, why) in [
            ("restart n1", "n1 is up"),
            ("kill n9", "there is no n9"),
            ("kill leader", "not resolved"),
            ("resume n1", "n1 is not paused"),
            ("drop #999999", "not in flight"),
            ("step 3", "steers time"),
        ] {
            let steps = world.steps();
            let refused = apply(&mut world, text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
            assert_eq!(world.steps(), steps);
        }
    }

    #[test]
    fn a_frozen_process_keeps_its_messages_and_a_dead_one_loses_them() {
        for (text, lost) in [("pause n2", false), ("kill n2", true)] {
            let (mut world, _) = world();
            apply(&mut world, text).expect("n2 is up");
            let mut out = Vec::new();
            for _ in 0..20 {
                world.step(&mut out);
            }
            let down = |e: &Event| matches!(e.kind, Kind::Lost { why: Loss::Down, .. });
            assert_eq!(out.iter().any(down), lost, "{text}");
            if !lost {
                let resumed = apply(&mut world, "resume n2").expect("n2 is paused");
                let sends = |e: &Event| matches!(e.kind, Kind::Sent { .. });
                assert!(resumed.iter().any(sends), "it takes in what waited");
            }
        }
    }

    #[test]
    fn what_waits_for_a_slow_disk_is_written_fast_once_that_is_repaired() {
        let plan = Plan {
            services: Services { log: Some(Default::default()), ..Services::default() },
            ..Plan::bare(1)
        };
        let mut world = World::new(&plan, 7, Watch::Facts, &mut Vec::new());
        apply(&mut world, "disk n1 slow 1s").expect("there is n1");
        let mut out = Vec::new();
        while world.next() < Time(9_000_000) && world.step(&mut out) {}
        for n in 1..=4 {
            apply(&mut world, &format!("n1 put x={n}")).expect("n1 is up");
        }
        let waits = |world: &World| world.slots[0].pending.len();
        assert!(waits(&world) > 2, "it takes one second for each: {}", waits(&world));
        apply(&mut world, "disk n1 ok").expect("there is n1");
        while world.next() < Time(10_100_000) && world.step(&mut out) {}
        assert_eq!(waits(&world), 0, "only the first had begun while it was slow");
    }

    #[test]
    fn a_timer_that_is_fired_by_hand_makes_its_node_stand_for_leader() {
        let plan = Plan {
            services: Services { log: Some(Default::default()), ..Services::default() },
            ..Plan::bare(3)
        };
        let mut world = World::new(&plan, 7, Watch::Messages, &mut Vec::new());
        let mut out = apply(&mut world, "fire n2 election").expect("n2 waits to stand");
        assert!(matches!(out[0].kind, Kind::Commanded(_)), "who did it is said");
        // It asks for votes when its own is on its disk.
        while world.next() < Time(10_000) && world.step(&mut out) {}
        let fired = |e: &Event| matches!(&e.kind, Kind::Fired { timer, .. } if timer == "election");
        let asks = |e: &Event| matches!(e.kind, Kind::Sent { .. });
        let n2: Vec<&Event> = out.iter().filter(|e| e.node == NodeId::node(2)).collect();
        assert!(fired(n2[0]) && n2.iter().any(|e| asks(e)), "{n2:?}");
        let why = apply(&mut world, "fire n2 lease").expect_err("it has no lease");
        assert!(why.starts_with("n2: no timer lease is set, but "), "{why}");
    }

    #[test]
    fn held_messages_wait_for_their_release() {
        let (mut world, _) = world();
        apply(&mut world, "hold all").expect("links");
        let mut out = Vec::new();
        while world.step(&mut out) {}
        assert!(world.held.len() >= 5, "every ball is held");
        apply(&mut world, "release all").expect("links");
        assert!(world.held.is_empty() && world.step(&mut out));
    }

    #[test]
    fn one_message_can_be_dropped_delivered_and_repeated() {
        let in_flight = |world: &World| {
            world.queue.values().find_map(|item| match item {
                Item::Deliver(envelope) => Some(envelope.id),
                Item::Synced { .. } => None,
            })
        };
        for (verb, arrivals) in [("drop", 0), ("deliver", 1), ("twice", 2)] {
            let (mut world, _) = world();
            let msg = in_flight(&world).expect("five balls are thrown");
            apply(&mut world, &format!("{verb} {msg}")).expect(verb);
            let mut out = Vec::new();
            for _ in 0..30 {
                world.step(&mut out);
            }
            let arrived = |e: &&Event| matches!(e.kind, Kind::Received { msg: m, .. } if m == msg);
            assert_eq!(out.iter().filter(arrived).count(), arrivals, "{verb}");
        }
    }

    #[test]
    fn a_message_that_is_delayed_arrives_so_much_later() {
        let arrival = |orders: &[&str]| {
            let (mut world, _) = world();
            let msg = world.queue.values().find_map(|item| match item {
                Item::Deliver(envelope) => Some(envelope.id),
                Item::Synced { .. } => None,
            });
            let msg = msg.expect("five balls are thrown");
            for order in orders {
                apply(&mut world, &order.replace("MSG", &msg.to_string())).expect("it is thrown");
            }
            let mut out = Vec::new();
            while world.next() < Time(1_000_000) && world.step(&mut out) {}
            let here = |e: &&Event| matches!(e.kind, Kind::Received { msg: m, .. } if m == msg);
            out.iter().find(here).map(|event| event.at)
        };
        let usual = arrival(&[]).expect("nothing is lost");
        assert_eq!(arrival(&["delay MSG 70ms"]), Some(usual + Span::millis(70)));
        assert_eq!(arrival(&["delay MSG 70ms", "delay MSG 5ms"]), Some(usual + Span::millis(75)));
        assert_eq!(arrival(&["delay MSG 70ms", "drop MSG"]), None);
        assert_eq!(arrival(&["delay MSG 70ms", "deliver MSG"]), Some(Time::ZERO));
    }

    #[test]
    fn in_a_ring_of_majorities_each_node_sees_a_majority_and_each_another_one() {
        for n in [3u16, 5, 7, 9] {
            let mut out = Vec::new();
            let mut world = World::new(&Plan::bare(n), 7, Watch::Messages, &mut out);
            apply(&mut world, "ring").expect("no condition");
            let sees = |a: NodeId| -> Vec<NodeId> {
                world.ids.iter().copied().filter(|b| !world.rules.fault(a, *b).cut).collect()
            };
            let views: Vec<_> = world.ids.iter().map(|id| sees(*id)).collect();
            assert!(views.iter().all(|view| view.len() > usize::from(n) / 2), "{n}: {views:?}");
            let mut different = views.clone();
            different.sort();
            different.dedup();
            assert!(n == 3 || different.len() == views.len(), "{n}: {views:?}");
        }
    }
}
