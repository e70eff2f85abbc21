//! What a command would do, told before it is given.
//!
//! A board is a fold of events, so it can fold those that a command would cause: a copy is told
//! that the command was given, that processes fell, froze or came back, and is compared with the
//! original. There is no second idea of quorums, groups or doubt to disagree with the first.

use super::Board;
use super::nodes::{Life, Node};
use crate::base::{NodeId, Op};
use crate::command::{Command, DiskFault, Unsynced};
use crate::event::{Event, Kind};
use std::fmt::Write as _;

/// How many names or things of one kind are told one by one.
const FEW: usize = 4;

impl Board {
    /// What a command that names whom it hits would do now, as sentences: first to those it hits,
    /// then to the cluster.
    pub fn effect(&self, command: &Command) -> Vec<String> {
        let after = self.after(command);
        let mut told = vec![self.direct(command)];
        told.extend(self.about_messages(command));
        told.extend(self.about_leader(&after));
        told.extend(self.about_majority(&after));
        told.extend(self.about_doubt(&after));
        told.extend(self.about_locks(&after));
        told.extend(self.about_ring(&after));
        told.retain(|text| !text.is_empty());
        told
    }

    /// Why a command would not do anything now, if it would not.
    pub fn futile(&self, command: &Command) -> Option<String> {
        let stranger = named(command).into_iter().find(|id| self.node(*id).is_none());
        if let Some(id) = stranger {
            return Some(format!("there is no {id} in this cluster"));
        }
        let find = |who: &[NodeId], is: fn(&Life) -> bool| {
            who.iter().copied().find(|id| self.node(*id).is_some_and(|node| is(&node.life)))
        };
        match command {
            Command::Kill { who, .. } | Command::Disk { who, fault: DiskFault::Lose } => {
                let down = find(who.nodes(), Life::is_down);
                down.map(|id| format!("{id} is down already; restart {id} starts it"))
            }
            Command::Restart(who) => {
                find(who.nodes(), Life::is_there).map(|id| format!("{id} runs already"))
            }
            Command::Pause(who) => find(who.nodes(), |life| !life.is_up())
                .map(|id| format!("{id} does not run, so it cannot freeze")),
            Command::Resume(who) => find(who.nodes(), |life| *life != Life::Paused)
                .map(|id| format!("{id} is not paused")),
            Command::Ask { who, .. } => find(&[*who], |life| !life.is_up())
                .map(|id| format!("{id} does not run, so it cannot ask")),
            Command::Fire { who, .. } => find(who.nodes(), |life| !life.is_up())
                .map(|id| format!("{id} does not run, so none of its timers does")),
            Command::Deliver(msg)
            | Command::Drop(msg)
            | Command::Twice(msg)
            | Command::Postpone { msg, .. } => match self.network.flight(*msg) {
                Some(_) => None,
                None => Some(format!("message {msg} is not under way any more")),
            },
            _ => None,
        }
    }

    /// The board as the command would leave it.
    fn after(&self, command: &Command) -> Board {
        let mut board = self.clone();
        let mut see = |node: NodeId, kind: Kind| {
            let index = board.events;
            board.see(index, &Event { at: self.now, node, kind });
        };
        see(NodeId::BENCH, Kind::Commanded(Box::new(command.clone())));
        match command {
            Command::Kill { who, .. }
            | Command::Disk { who, fault: DiskFault::Lose | DiskFault::Wipe } => {
                who.nodes().iter().for_each(|id| see(*id, Kind::Killed { lost: 0 }));
            }
            Command::Pause(who) => who.nodes().iter().for_each(|id| see(*id, Kind::Paused)),
            Command::Resume(who) => who.nodes().iter().for_each(|id| see(*id, Kind::Resumed)),
            Command::Restart(who) => {
                for id in who.nodes() {
                    let boot = self.node(*id).map_or(1, |node| node.boot + 1);
                    see(*id, Kind::Started { boot, records: 0, torn: false });
                }
            }
            _ => {}
        }
        board
    }

    /// What it does to those it hits.
    fn direct(&self, command: &Command) -> String {
        use Command::*;
        let text = match command {
            Kill { unsynced: Unsynced::Keep, .. } => "Crash; all that is written is kept.",
            Kill { unsynced: Unsynced::Lose, .. } => "Crash; what was not synced is lost.",
            Kill { unsynced: Unsynced::Tear, .. } => "Crash in the middle of a write.",
            Kill { .. } => "Crash; the disk is kept, what was not synced may be lost.",
            Restart(_) => "Boot from what is on disk.",
            Pause(_) => "Freeze, until somebody resumes it. Its clock and its leases run on.",
            Resume(_) => "Go on, with all messages that came meanwhile.",
            Disk { fault: DiskFault::Wipe, .. } => {
                "Crash, and everything on the disk is gone for good."
            }
            Disk { fault: DiskFault::Lose, .. } => {
                "Crash, and all that was not synced is gone for good."
            }
            Disk { fault: DiskFault::Slow(_), .. } => {
                "Every sync takes longer, until somebody says disk ok."
            }
            Disk { fault: DiskFault::Ok, .. } => "The disk is as fast as before.",
            Clock { fault, .. } if *fault == crate::command::ClockFault::Ok => {
                "The clock is right again."
            }
            Clock { .. } => {
                "The clock is wrong, and all leases counted by it, until somebody sets it right."
            }
            Ask { op: Op::Leave { .. }, .. } => "A node leaves the ring, and its keys move.",
            Ask { op: Op::Join { .. }, .. } => "A node joins the ring, and keys move to it.",
            Ask { op: Op::Release { .. }, .. } => "The lock is free for others.",
            Ask { op: Op::Voters { .. }, .. } => {
                "These nodes, and no others, will vote on the log once it says so."
            }
            Ask { op: Op::Lead { .. }, .. } => "The leader lets this node lead in its place.",
            Ask { op: Op::Serve { .. }, .. } => {
                "The backend serves like this until it is told otherwise."
            }
            Ask { .. } => "A request like any other.",
            Fire { after: Some(_), .. } => "It does then what it would do when the timer runs out.",
            Fire { .. } => "It does now what it would have done when the timer ran out.",
            _ => return self.about_links(command),
        };
        text.to_owned()
    }

    /// How many links it hits, and between whom if they are few.
    fn about_links(&self, command: &Command) -> String {
        let links = command.links(self.nodes.ids());
        let mut text = match links.as_slice() {
            [] => return String::new(),
            [(from, to)] => format!("It hits one direction of one link: {from} to {to}"),
            [(a, b), (c, d)] if (a, b) == (d, c) => format!("It hits both directions of {a} ~ {b}"),
            _ => format!("It hits {} directions of links", links.len()),
        };
        let lost = |pair: &(NodeId, NodeId)| {
            self.network.wire(pair.0, pair.1).map_or(0, |wire| wire.in_flight)
        };
        let under_way: u32 = links.iter().map(lost).sum();
        let word = match command {
            Command::Heal(_) | Command::Release(_) => "; what was kept back is let go",
            Command::Delay { .. } | Command::Reorder { .. } => "; new messages take longer",
            Command::Loss { .. } => "; senders are not told of a loss",
            Command::Duplicate { .. } => "; receivers must bear that",
            Command::Hold(_) => "; nothing is lost until it is released",
            _ => "",
        };
        text.push_str(word);
        if word.is_empty() && under_way > 0 {
            let _ = write!(text, "; {under_way} messages are under way there");
        }
        text + "."
    }

    fn about_messages(&self, command: &Command) -> Option<String> {
        let (msg, what) = match command {
            Command::Deliver(msg) => (msg, "arrives now".to_owned()),
            Command::Drop(msg) => (msg, "is lost; the sender is not told".to_owned()),
            Command::Twice(msg) => (msg, "arrives twice".to_owned()),
            Command::Postpone { msg, by } => (msg, format!("arrives {by} later")),
            _ => return None,
        };
        let flight = self.network.flight(*msg)?;
        Some(format!("{} to {}, {}: it {what}.", flight.from, flight.to, flight.label))
    }

    /// Who leads, if that can not stay so.
    fn about_leader(&self, after: &Board) -> Option<String> {
        let (leader, ballot) = self.leader()?;
        let (had, has) = (self.reach(leader), after.reach(leader));
        let majority = self.majority();
        if has >= had || has >= majority {
            return None;
        }
        let rest = after.best_reach() >= majority;
        let then = if rest { "another can be elected" } else { "nobody can be elected" };
        let how = match after.node(leader).map(|node| &node.life) {
            Some(Life::Up | Life::Unknown) => "loses touch with the majority",
            Some(Life::Paused) => "freezes and does not know that time passes",
            _ => "goes",
        };
        Some(format!("{leader} leads in {ballot}: it {how}, {then}."))
    }

    fn about_majority(&self, after: &Board) -> Option<String> {
        let all = self.voting();
        let (majority, had, has) = (self.majority(), self.best_reach(), after.best_reach());
        let sides = sides(after);
        match (had >= majority, has >= majority) {
            _ if all < 2 || (had == has && sides.is_empty()) => None,
            (true, false) => Some(format!(
                "No majority is left: {has} of {all} reach each other, {majority} are needed{sides}."
            )),
            (false, true) => {
                Some(format!("A majority is back: {has} of {all} reach each other{sides}."))
            }
            (false, false) => {
                Some(format!("There is no majority: {has} of {all} reach each other{sides}."))
            }
            (true, true) => Some(format!("{has} of {all} keep a majority{sides}.")),
        }
    }

    /// Transactions that block.
    fn about_doubt(&self, after: &Board) -> Option<String> {
        let mut blocked = Vec::new();
        for txn in self.txns.all().filter(|txn| !txn.is_over()) {
            let before = txn.in_doubt(self);
            let later = txn.in_doubt(after);
            if later.iter().any(|id| !before.contains(id)) {
                blocked.push(format!("{} at {}", txn.id, names(&later)));
            }
        }
        let coordinator = "its coordinator is back";
        match blocked.as_slice() {
            [] => None,
            [one] => Some(format!("In doubt, with its keys locked, until {coordinator}: {one}.")),
            many => Some(format!("In doubt: {}.", few(many))),
        }
    }

    /// Locks whose holder can not renew or release them any more.
    fn about_locks(&self, after: &Board) -> Option<String> {
        let gone = |id: NodeId| {
            let out = |board: &Board| board.node(id).is_none_or(|node| !node.life.is_up());
            let cut = |board: &Board| {
                !board.nodes.servers().any(|server| board.network.talk(id, server.id))
            };
            (out(after) || cut(after)) && !out(self) && !cut(self)
        };
        let held = self.locks.all().flat_map(|(name, lock)| {
            let lost = lock.holders.iter().filter(|holder| gone(holder.call.client));
            lost.map(move |holder| (name, lock, holder))
        });
        let held = held.map(|(name, lock, holder)| {
            let left = holder.deadline().since(self.now);
            let seconds = left.0 as f64 / 1e6;
            let waits = lock.queue.len();
            let queue = if waits > 0 { format!(", {waits} wait") } else { String::new() };
            format!("{} holds {name} for {seconds:.1} s more{queue}", holder.call.client)
        });
        let held: Vec<String> = held.collect();
        (!held.is_empty()).then(|| format!("{}.", few(&held)))
    }

    /// Keys whose owner does not answer any more.
    fn about_ring(&self, after: &Board) -> Option<String> {
        let epoch = self.ring.latest()?;
        let was_up = |id: NodeId| self.node(id).is_some_and(|node| node.life.is_up());
        let fell = |node: &&Node| !node.life.is_up() && was_up(node.id) && epoch.has(node.id);
        let gone: Vec<NodeId> = after.nodes.servers().filter(fell).map(|node| node.id).collect();
        if gone.is_empty() {
            return None;
        }
        let shares: Vec<String> =
            gone.iter().map(|id| format!("{id} {}", epoch.ring.share(*id))).collect();
        let copies = epoch.ring.shape().replicas;
        let word = match copies {
            0 | 1 => "there is no other copy".to_owned(),
            copies => format!("{} other copies are kept", copies - 1),
        };
        Some(format!("Keys without their owner: {} ({word}).", few(&shares)))
    }
}

/// All processes that a command names.
fn named(command: &Command) -> Vec<NodeId> {
    use Command::*;
    let link = |link: &crate::command::Link| {
        link.targets().into_iter().flat_map(|who| who.nodes().to_vec()).collect()
    };
    match command {
        Kill { who, .. } | Clock { who, .. } | Disk { who, .. } => who.nodes().to_vec(),
        Restart(who) | Pause(who) | Resume(who) | Isolate(who) | Bridge(who) | Star(who) => {
            who.nodes().to_vec()
        }
        Fire { who, .. } => who.nodes().to_vec(),
        Partition(groups) => groups.iter().flat_map(|who| who.nodes().to_vec()).collect(),
        Cut(l) | Heal(l) | Hold(l) | Release(l) => link(l),
        Delay { link: l, .. }
        | Loss { link: l, .. }
        | Duplicate { link: l, .. }
        | Reorder { link: l, .. } => link(l),
        Ask { who, .. } => vec![*who],
        _ => Vec::new(),
    }
}

/// The running nodes of each side, if the network has parted.
fn sides(board: &Board) -> String {
    if !board.network.is_parted() {
        return String::new();
    }
    let up = |id: &&NodeId| board.node(**id).is_some_and(|node| node.life.is_up());
    let side = |group: &Vec<NodeId>| {
        let here: Vec<NodeId> = group.iter().filter(up).copied().collect();
        names(&here)
    };
    let sides: Vec<String> =
        board.network.groups().iter().map(side).filter(|side| !side.is_empty()).collect();
    if sides.len() < 2 { String::new() } else { format!(" ({})", sides.join(" | ")) }
}

/// `n1 n2`, or how many they are.
fn names(ids: &[NodeId]) -> String {
    match ids.len() {
        many if many > 2 * FEW => format!("{many} nodes"),
        _ => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// The first few, and how many more there are.
fn few(texts: &[String]) -> String {
    let mut text = texts[..texts.len().min(FEW)].join(", ");
    if texts.len() > FEW {
        let _ = write!(text, " and {} more", texts.len() - FEW);
    }
    text
}
