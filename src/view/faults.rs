//! What is broken now, since when, and what was broken before.
//!
//! A fault begins with its command and ends when nothing of its effect is left: the last process
//! that it killed has started, the last link that it cut is healed, the last clock is right. What
//! a later command takes over (another delay on the same link) is no longer the earlier one's.

use super::network::Pair;
use super::remember;
use crate::base::{NodeId, Span, Time};
use crate::command::{ClockFault, Command, DiskFault, Link, Target};
use crate::event::{Event, Kind, Presence};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many faults of the past are kept.
pub const MAX_PAST: usize = 64;

/// What a fault does to whom it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Down,
    Frozen,
    Offset,
    Drift,
    Slow,
    Cut,
    Hold,
    Delay,
    Loss,
    Duplicate,
    Reorder,
}

/// Something that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The command that broke it; none for a process that died of its own.
    pub command: Option<Arc<Command>>,
    /// What happened, as a line.
    pub text: Arc<str>,
    /// Since when.
    pub since: Time,
    /// The index of the event that it began with.
    pub event: usize,
    effect: Effect,
    nodes: Vec<NodeId>,
    links: Vec<Pair>,
}

impl Fault {
    /// The processes that it still affects, unless it is one of the network.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The directed links that it still affects, if it is one of the network.
    pub fn links(&self) -> &[Pair] {
        &self.links
    }

    /// Whether it affects this process, itself or a link of it.
    pub fn hits(&self, id: NodeId) -> bool {
        self.nodes.contains(&id) || self.links.iter().any(|(from, to)| *from == id || *to == id)
    }

    /// The commands that end it.
    pub fn cures(&self) -> Vec<Command> {
        let who = Target::Nodes(self.nodes.clone());
        match self.effect {
            Effect::Down => vec![Command::Restart(who)],
            Effect::Frozen => vec![Command::Resume(who)],
            Effect::Offset | Effect::Drift => {
                vec![Command::Clock { who, fault: ClockFault::Ok }]
            }
            Effect::Slow => vec![Command::Disk { who, fault: DiskFault::Ok }],
            Effect::Hold => self.heals().into_iter().map(Command::Release).collect(),
            _ => self.heals().into_iter().map(Command::Heal).collect(),
        }
    }

    /// The links to heal.
    fn heals(&self) -> Vec<Link> {
        match self.command.as_deref() {
            Some(Command::Isolate(who)) => vec![Link::Of(who.clone())],
            Some(Command::Partition(groups)) => {
                let later = |i: usize| groups[i + 1..].iter();
                let pairs = groups.iter().enumerate();
                pairs
                    .flat_map(|(i, a)| later(i).map(|b| Link::Between(a.clone(), b.clone())))
                    .collect()
            }
            Some(
                Command::Cut(link)
                | Command::Hold(link)
                | Command::Delay { link, .. }
                | Command::Loss { link, .. }
                | Command::Duplicate { link, .. }
                | Command::Reorder { link, .. },
            ) => vec![link.clone()],
            _ => {
                let once = |(a, b): &&Pair| a < b || !self.links.contains(&(*b, *a));
                self.links.iter().filter(once).map(|(a, b)| between(*a, *b)).collect()
            }
        }
    }

    fn is_over(&self) -> bool {
        self.nodes.is_empty() && self.links.is_empty()
    }
}

fn between(a: NodeId, b: NodeId) -> Link {
    Link::Between(Target::Nodes(vec![a]), Target::Nodes(vec![b]))
}

/// A fault that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What happened, as a line.
    pub text: Arc<str>,
    /// When it began.
    pub since: Time,
    /// When it ended.
    pub until: Time,
}

/// What is broken now and what was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    active: Vec<Fault>,
    past: VecDeque<Past>,
}

impl Faults {
    /// What is broken now, oldest first.
    pub fn active(&self) -> &[Fault] {
        &self.active
    }

    /// How much is broken now.
    pub fn count(&self) -> usize {
        self.active.len()
    }

    /// The last [`MAX_PAST`] faults that are over, in the order of their ends.
    pub fn past(&self) -> impl DoubleEndedIterator<Item = &Past> {
        self.past.iter()
    }

    pub(super) fn live(&mut self, index: usize, event: &Event) {
        let (at, node) = (event.at, event.node);
        match &event.kind {
            Kind::Started { .. } => self.free(at, Effect::Down, &[node]),
            Kind::Resumed | Kind::Killed { .. } => self.free(at, Effect::Frozen, &[node]),
            Kind::Panicked { why } | Kind::Failed { why } => {
                let text = format!("{node} died: {why}").into();
                let nodes = vec![node];
                self.begin(Fault {
                    command: None,
                    text,
                    since: at,
                    event: index,
                    effect: Effect::Down,
                    nodes,
                    links: Vec::new(),
                });
            }
            _ => {}
        }
    }

    pub(super) fn obey(&mut self, index: usize, at: Time, command: &Command, links: Vec<Pair>) {
        match command {
            Command::Heal(_) => {
                for effect in NETWORK {
                    self.mend(at, effect, &links);
                }
            }
            Command::Release(_) => self.mend(at, Effect::Hold, &links),
            Command::Clock { who, fault: ClockFault::Ok } => {
                self.free(at, Effect::Offset, who.nodes());
                self.free(at, Effect::Drift, who.nodes());
            }
            Command::Disk { who, fault: DiskFault::Ok } => self.free(at, Effect::Slow, who.nodes()),
            _ => self.strike(index, at, command, links),
        }
    }

    /// Just this is wrong with a process, its clock, its disk and its outgoing links. What is known
    /// stays with the command that did it.
    pub(super) fn find(
        &mut self,
        index: usize,
        event: &Event,
        state: Presence,
        faults: &[Command],
        ids: &[NodeId],
    ) {
        let (at, node) = (event.at, event.node);
        if state != Presence::Down {
            self.free(at, Effect::Down, &[node]);
        }
        if state != Presence::Paused {
            self.free(at, Effect::Frozen, &[node]);
        }
        for effect in [Effect::Offset, Effect::Drift, Effect::Slow] {
            if !faults.iter().any(|command| self::effect(command).is_some_and(|e| e.0 == effect)) {
                self.free(at, effect, &[node]);
            }
        }
        for effect in NETWORK {
            let told = faults.iter().filter(|c| self::effect(c).is_some_and(|e| e.0 == effect));
            let told: Vec<Pair> = told.flat_map(|command| command.links(ids)).collect();
            for fault in self.active.iter_mut().filter(|fault| fault.effect == effect) {
                fault.links.retain(|pair| pair.0 != node || told.contains(pair));
            }
        }
        self.bury(at);
        for command in faults {
            let Some((effect, _)) = effect(command) else { continue };
            let mut links = command.links(ids);
            let mut nodes = victims(command);
            let known = || self.active.iter().filter(|fault| fault.effect == effect);
            links.retain(|pair| !known().any(|fault| fault.links.contains(pair)));
            nodes.retain(|id| !known().any(|fault| fault.nodes.contains(id)));
            self.add(index, at, command, effect, nodes, links);
        }
        let effect = match state {
            Presence::Up => return,
            Presence::Paused => Effect::Frozen,
            Presence::Down => Effect::Down,
        };
        if !self.active.iter().any(|fault| fault.effect == effect && fault.nodes.contains(&node)) {
            self.begin(Fault {
                command: None,
                text: format!("{node} is {state}").into(),
                since: at,
                event: index,
                effect,
                nodes: vec![node],
                links: Vec::new(),
            });
        }
    }

    fn add(
        &mut self,
        event: usize,
        since: Time,
        command: &Command,
        effect: Effect,
        nodes: Vec<NodeId>,
        links: Vec<Pair>,
    ) {
        if !(links.is_empty() && nodes.is_empty()) {
            let text = command.to_string().into();
            let command = Some(Arc::new(command.clone()));
            self.begin(Fault { command, text, since, event, effect, nodes, links });
        }
    }

    /// A command that may break something.
    fn strike(&mut self, index: usize, at: Time, command: &Command, mut links: Vec<Pair>) {
        let Some((effect, breaks)) = effect(command) else { return };
        let mut nodes = victims(command);
        match effect {
            // What was broken already stays with the fault that broke it.
            Effect::Cut | Effect::Hold => {
                let earlier = || self.active.iter().filter(|fault| fault.effect == effect);
                links.retain(|pair| !earlier().any(|fault| fault.links.contains(pair)));
            }
            Effect::Down | Effect::Frozen => {
                let earlier = || self.active.iter().filter(|fault| fault.effect == effect);
                nodes.retain(|id| !earlier().any(|fault| fault.nodes.contains(id)));
            }
            // A new setting takes the place of the earlier one.
            _ => {
                self.mend(at, effect, &links);
                self.free(at, effect, &nodes);
            }
        }
        if breaks {
            self.add(index, at, command, effect, nodes, links);
        }
    }

    fn begin(&mut self, fault: Fault) {
        self.active.push(fault);
    }

    /// Ends an effect for these processes.
    fn free(&mut self, at: Time, effect: Effect, nodes: &[NodeId]) {
        for fault in self.active.iter_mut().filter(|fault| fault.effect == effect) {
            fault.nodes.retain(|id| !nodes.contains(id));
        }
        self.bury(at);
    }

    /// Ends an effect for these links, which are sorted.
    fn mend(&mut self, at: Time, effect: Effect, links: &[Pair]) {
        for fault in self.active.iter_mut().filter(|fault| fault.effect == effect) {
            fault.links.retain(|pair| links.binary_search(pair).is_err());
        }
        self.bury(at);
    }

    fn bury(&mut self, at: Time) {
        let past = &mut self.past;
        self.active.retain(|fault| {
            if fault.is_over() {
                let (text, since) = (fault.text.clone(), fault.since);
                remember(past, MAX_PAST, Past { text, since, until: at });
            }
            !fault.is_over()
        });
    }
}

const NETWORK: [Effect; 6] =
    [Effect::Cut, Effect::Hold, Effect::Delay, Effect::Loss, Effect::Duplicate, Effect::Reorder];

/// What a command does, and whether that is a fault or the end of one.
fn effect(command: &Command) -> Option<(Effect, bool)> {
    Some(match command {
        Command::Kill { .. } => (Effect::Down, true),
        Command::Disk { fault: DiskFault::Lose | DiskFault::Wipe, .. } => (Effect::Down, true),
        Command::Disk { fault: DiskFault::Slow(by), .. } => (Effect::Slow, *by > Span::ZERO),
        Command::Pause(_) => (Effect::Frozen, true),
        Command::Clock { fault: ClockFault::Offset(micros), .. } => (Effect::Offset, *micros != 0),
        Command::Clock { fault: ClockFault::Drift(ppm), .. } => (Effect::Drift, *ppm != 0),
        Command::Partition(_)
        | Command::Isolate(_)
        | Command::Bridge(_)
        | Command::Star(_)
        | Command::Ring
        | Command::Cut(_) => (Effect::Cut, true),
        Command::Delay { by, jitter, .. } => (Effect::Delay, *by + *jitter > Span::ZERO),
        Command::Loss { percent, .. } => (Effect::Loss, *percent > 0),
        Command::Duplicate { percent, .. } => (Effect::Duplicate, *percent > 0),
        Command::Reorder { percent, .. } => (Effect::Reorder, *percent > 0),
        Command::Hold(_) => (Effect::Hold, true),
        _ => return None,
    })
}

/// The processes that a command hits, if it is not one of the network.
fn victims(command: &Command) -> Vec<NodeId> {
    match command {
        Command::Kill { who, .. }
        | Command::Pause(who)
        | Command::Clock { who, .. }
        | Command::Disk { who, .. } => who.nodes().to_vec(),
        _ => Vec::new(),
    }
}
