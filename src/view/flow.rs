//! Space and time: who sent what to whom, and what happened where, around a moment of a run.
//!
//! A [`Flow`] is read from the recorded events of a window of time. Each message is a line from the
//! lane of its sender to that of its receiver; everything else that happened stands on one lane.
//!
//! ```text
//!  n1  ──○─────────────────────      sent, at the event of that index
//!         ╲                          a line for each end: it may arrive twice
//!  n2  ────►───────★───────────      received; then this node began to lead
//! ```
//!
//! # Rules
//!
//! * The cost is bounded, however long the window: at most [`MOST`] events in it are looked at,
//!   those nearest the moment, and [`REACH`] more on each side, to find the other ends of messages.
//!   What was left out is counted.
//! * What is not known is not made up: a message of which only the end was seen has no beginning.

use super::tape::Tape;
use crate::base::{MsgId, NodeId, ServiceId, Time};
use crate::event::{Event, Fact, FileFact, Kind, Label, Loss};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How many events of the window are looked at, at the most.
pub const MOST: usize = 4_096;
/// How many events before and after those are searched for the other ends of messages.
pub const REACH: usize = 2_048;

/// How a message ended, or a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The index of the event that tells it.
    pub index: usize,
    /// When.
    pub at: Time,
    /// Why it was lost; none if it arrived.
    pub lost: Option<Loss>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: MsgId,
    /// Who sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// The service whose message it is; none if only its loss was seen.
    pub service: Option<ServiceId>,
    /// What it says, if the run keeps labels.
    pub label: Label,
    /// The index and the time of the event that sent it, if that was seen.
    pub sent: Option<(usize, Time)>,
    /// The index and the time of the event that kept it back, if it was kept back.
    pub held: Option<(usize, Time)>,
    /// How it ended; several if it was doubled, none while it is under way.
    pub ends: Vec<End>,
}

impl Message {
    fn new(id: MsgId, from: NodeId, to: NodeId) -> Message {
        let (label, ends) = (Label::NONE, Vec::new());
        Message { id, from, to, service: None, label, sent: None, held: None, ends }
    }

    /// Whether it says no more than that its sender is alive.
    pub fn is_heartbeat(&self) -> bool {
        is_heartbeat(self.service, &self.label)
    }

    /// Whether it is under way after the first `position` events, as far as was seen.
    pub fn is_under_way(&self, position: usize) -> bool {
        let sent = self.sent.is_some_and(|(index, _)| index < position);
        sent && self.ends.iter().all(|end| end.index >= position)
    }

    /// Whether some of its way is within a window.
    fn touches(&self, window: &Window) -> bool {
        let begins = self.sent.is_none_or(|(_, at)| at <= window.to);
        let ends = self.ends.is_empty() || self.ends.iter().any(|end| end.at >= window.from);
        begins && ends
    }
}

/// Whether a message says no more than that its sender is alive.
pub fn is_heartbeat(service: Option<ServiceId>, label: &Label) -> bool {
    service == Some(ServiceId::Membership) || matches!(label.kind(), "Heartbeat" | "Alive")
}

/// What a deed is, as far as its sign goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Something of little weight: a promise, a vote in the log, a timer.
    Quiet,
    /// Anything else that it states.
    States,
    /// It took an entry of the log in.
    Applies,
    /// It takes another for dead.
    Suspects,
    /// It follows a leader.
    Follows,
    /// It wants to lead.
    Seeks,
    /// It leads.
    Leads,
    /// It boots, or goes on.
    Starts,
    /// It is frozen.
    Freezes,
    /// It cannot be seen.
    Vanishes,
    /// It died.
    Dies,
}

impl Sign {
    /// The sign of an event that is no message and no command.
    pub fn of(kind: &Kind) -> Sign {
        match kind {
            Kind::Started { .. } | Kind::Resumed | Kind::Present { .. } => Sign::Starts,
            Kind::Killed { .. } | Kind::Panicked { .. } | Kind::Failed { .. } => Sign::Dies,
            Kind::Paused => Sign::Freezes,
            Kind::Missed { .. } => Sign::Vanishes,
            Kind::Fact(fact) => Sign::of_fact(fact),
            _ => Sign::Quiet,
        }
    }

    fn of_fact(fact: &Fact) -> Sign {
        match fact {
            Fact::Leads { .. } => Sign::Leads,
            Fact::Seeks { .. } => Sign::Seeks,
            Fact::Follows { .. } => Sign::Follows,
            Fact::Suspects { .. } | Fact::Dead { .. } => Sign::Suspects,
            Fact::Applies { .. } => Sign::Applies,
            Fact::Acceptor { .. }
            | Fact::Promises { .. }
            | Fact::Accepts { .. }
            | Fact::Trusts { .. }
            | Fact::Incarnation { refutes: None, .. }
            | Fact::Renewed { .. }
            | Fact::LockIs { .. }
            | Fact::Serves { .. }
            | Fact::Yields { .. }
            | Fact::Load { .. }
            | Fact::Backlog { .. }
            | Fact::Restates
            | Fact::Restated => Sign::Quiet,
            Fact::Chooses { slot, .. } | Fact::Proposes { slot, .. } if *slot > 0 => Sign::Quiet,
            // Every replica says what the log did; it stands where the entry was taken in.
            Fact::Granted { .. }
            | Fact::Queued { .. }
            | Fact::Freed { .. }
            | Fact::Left { .. }
            | Fact::Session(_)
            | Fact::Deadlock(_)
            | Fact::File(FileFact::Links { .. } | FileFact::Opens { .. }) => Sign::Quiet,
            _ => Sign::States,
        }
    }
}

/// Something that happened on one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The index of the event.
    pub index: usize,
    /// When.
    pub at: Time,
    /// Where.
    pub node: NodeId,
    /// What.
    pub sign: Sign,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From when on.
    pub from: Time,
    /// Until when, that included.
    pub to: Time,
    /// Where one looks: a number of events.
    pub position: usize,
}

/// What happened in a window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The indices of the events that were looked at.
    pub range: Range<usize>,
    /// How many events of the window before those were not, and how many after.
    pub left_out: (usize, usize),
    /// The messages of which some of the way is within the window, in order of their numbers.
    pub messages: Vec<Message>,
    /// What else happened, in order.
    pub deeds: Vec<Deed>,
    /// The commands that took effect: index and time.
    pub orders: Vec<(usize, Time)>,
}

impl Flow {
    /// Reads what happened in a window.
    pub fn read(tape: &Tape, window: &Window) -> Flow {
        let (range, left_out) = bounds(tape, window);
        let wide = range.start.saturating_sub(REACH)..range.end.saturating_add(REACH);
        let mut flow =
            Flow { range, left_out, messages: Vec::new(), deeds: Vec::new(), orders: Vec::new() };
        let mut messages = BTreeMap::new();
        for (index, event) in tape.range(wide) {
            if flow.range.contains(&index) {
                flow.note(index, event);
            }
            follow(&mut messages, index, event);
        }
        let mut messages: Vec<Message> = messages.into_values().collect();
        messages.retain(|message| message.touches(window));
        flow.messages = messages;
        flow
    }

    /// A deed or a command.
    fn note(&mut self, index: usize, event: &Event) {
        let (at, node) = (event.at, event.node);
        match &event.kind {
            Kind::Sent { .. } | Kind::Received { .. } | Kind::Lost { .. } | Kind::Held { .. } => {}
            Kind::Commanded(_) => self.orders.push((index, at)),
            _ if node == NodeId::BENCH => {}
            kind => self.deeds.push(Deed { index, at, node, sign: Sign::of(kind) }),
        }
    }

    /// The message that the event of an index is about.
    pub fn message_of(&self, index: usize) -> Option<&Message> {
        let is = |message: &&Message| {
            message.sent.is_some_and(|(sent, _)| sent == index)
                || message.held.is_some_and(|(held, _)| held == index)
                || message.ends.iter().any(|end| end.index == index)
        };
        self.messages.iter().find(is)
    }

    /// What can be selected on a lane, as indices of events, in order: deeds, and the beginnings
    /// and ends of messages.
    pub fn stops(&self, lane: NodeId, wanted: &dyn Fn(&Message) -> bool) -> Vec<usize> {
        let deeds = self.deeds.iter().filter(|deed| deed.node == lane && deed.sign != Sign::Quiet);
        let mut stops: Vec<usize> = deeds.map(|deed| deed.index).collect();
        for message in self.messages.iter().filter(|message| wanted(message)) {
            if message.from == lane {
                stops.extend(message.sent.map(|(index, _)| index));
            } else if message.to == lane {
                let arrived = message.ends.iter().filter(|end| end.lost.is_none());
                stops.extend(arrived.map(|end| end.index));
            }
        }
        stops.retain(|index| self.range.contains(index));
        stops.sort_unstable();
        stops.dedup();
        stops
    }
}

/// Which events of the window to look at, and how many before and after those there are.
fn bounds(tape: &Tape, window: &Window) -> (Range<usize>, (usize, usize)) {
    let start = match window.from.0.checked_sub(1) {
        Some(before) => tape.upto(Time(before)),
        None => tape.first(),
    };
    let end = tape.upto(window.to).max(start);
    if end - start <= MOST {
        return (start..end, (0, 0));
    }
    let first = window.position.saturating_sub(MOST / 2).clamp(start, end - MOST);
    (first..first + MOST, (first - start, end - first - MOST))
}

/// Takes an event into the message that it is about.
fn follow(messages: &mut BTreeMap<MsgId, Message>, index: usize, event: &Event) {
    let (at, node) = (event.at, event.node);
    match &event.kind {
        Kind::Sent { msg, to, service, label } => {
            let message = messages.entry(*msg).or_insert_with(|| Message::new(*msg, node, *to));
            message.sent = Some((index, at));
            (message.service, message.label) = (Some(*service), label.clone());
        }
        Kind::Received { msg, from, service, label } => {
            let message = messages.entry(*msg).or_insert_with(|| Message::new(*msg, *from, node));
            (message.service, message.label) = (Some(*service), label.clone());
            message.ends.push(End { index, at, lost: None });
        }
        Kind::Lost { msg, to, why } => {
            let message = messages.entry(*msg).or_insert_with(|| Message::new(*msg, node, *to));
            message.ends.push(End { index, at, lost: Some(*why) });
        }
        Kind::Held { msg, to } => {
            let message = messages.entry(*msg).or_insert_with(|| Message::new(*msg, node, *to));
            message.held = Some((index, at));
        }
        _ => {}
    }
}

/// The lanes that are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lanes {
    /// Those with a lane of their own, in order.
    pub own: Vec<NodeId>,
    /// Those that share one lane below.
    pub others: Vec<NodeId>,
}

impl Lanes {
    /// At most `most` lanes: if there are more processes, that which is selected and those that
    /// exchange most of `messages` with it; the rest, and who is hidden, share the last one.
    pub fn choose<'a>(
        messages: impl Iterator<Item = &'a Message>,
        all: &[NodeId],
        selected: NodeId,
        hidden: &BTreeSet<NodeId>,
        most: usize,
    ) -> Lanes {
        let visible = all.iter().filter(|id| !hidden.contains(id));
        let mut own: Vec<NodeId> = visible.copied().collect();
        let shared = usize::from(own.len() < all.len());
        if own.len() + shared > most {
            let mut talk: BTreeMap<NodeId, usize> = BTreeMap::new();
            for message in messages {
                let (from, to) = (message.from, message.to);
                let peer = [(from, to), (to, from)].into_iter().find(|(a, _)| *a == selected);
                peer.into_iter().for_each(|(_, peer)| *talk.entry(peer).or_default() += 1);
            }
            let weight = |id: &NodeId| match *id == selected {
                true => usize::MAX,
                false => talk.get(id).copied().unwrap_or_default(),
            };
            // Of those that talk alike, the first stay.
            own.sort_by_key(|id| std::cmp::Reverse(weight(id)));
            own.truncate(most.saturating_sub(1).max(1));
            own.sort_unstable();
        }
        let others = all.iter().filter(|id| !own.contains(id)).copied().collect();
        Lanes { own, others }
    }

    /// The lane of a process, counted from 0.
    pub fn of(&self, id: NodeId) -> Option<usize> {
        let shared = || self.others.contains(&id).then_some(self.own.len());
        self.own.iter().position(|own| *own == id).or_else(shared)
    }

    /// How many there are, the shared one included.
    pub fn count(&self) -> usize {
        self.own.len() + usize::from(!self.others.is_empty())
    }
}

/// What happened right before and right after an event: on the same lane, at the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What came in: the message or the timer that the rest of the moment may be an answer to.
    pub before: Option<usize>,
    /// What the process then stated and sent.
    pub after: Vec<usize>,
}

/// How many events before and after one are searched for those of the same moment.
const MOMENT: usize = 256;

/// What happened right before and right after an event. That is no proof of what caused what: where
/// a process first had to write, its answer comes later, and nothing here tells.
pub fn around(tape: &Tape, index: usize) -> Around {
    let Some(event) = tape.get(index) else { return Around::default() };
    let same = |other: &Event| other.at == event.at && other.node == event.node;
    let comes_in = |kind: &Kind| {
        matches!(kind, Kind::Received { .. } | Kind::Fired { .. } | Kind::Started { .. })
    };
    let earlier = tape.range(index.saturating_sub(MOMENT)..index).rev();
    let mut earlier = earlier.take_while(|(_, other)| other.at == event.at);
    let before = match comes_in(&event.kind) {
        true => None,
        false => earlier.find(|(_, other)| same(other) && comes_in(&other.kind)),
    };
    let later = tape.range(index + 1..index.saturating_add(MOMENT));
    let later = later.take_while(|(_, other)| other.at == event.at);
    let mine = later.filter(|(_, other)| same(other));
    let after = mine.take_while(|(_, other)| !comes_in(&other.kind));
    Around {
        before: before.map(|(index, _)| index),
        after: after.map(|(index, _)| index).collect(),
    }
}
