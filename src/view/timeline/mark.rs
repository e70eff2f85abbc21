//! Points worth going to.

use crate::base::Time;
use crate::event::{Event, Fact, Kind};
use std::sync::Arc;

/// How many marks of a branch are kept at the most.
pub const MAX_MARKS: usize = 8_192;

/// What a mark on the scrubber stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// Somebody began to lead.
    Leader,
    /// A person set it.
    Person,
    /// From here on something could not be seen.
    Gap,
    /// A fault, or the end of one, by command.
    Fault,
    /// A process died of its own.
    Panic,
    /// A check found a violation.
    Violation,
}

/// A point worth going to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The index of the event.
    pub event: usize,
    /// Its time.
    pub at: Time,
    /// What it stands for.
    pub kind: MarkKind,
    /// What happened, as a line.
    pub text: Arc<str>,
}

impl Mark {
    /// The mark that an event sets by itself, if it does.
    pub(super) fn of(index: usize, event: &Event) -> Option<Mark> {
        let (kind, text) = match &event.kind {
            Kind::Commanded(command) if command.is_fault() => {
                (MarkKind::Fault, command.to_string())
            }
            Kind::Panicked { why } | Kind::Failed { why } => {
                (MarkKind::Panic, format!("{} died: {why}", event.node))
            }
            Kind::Fact(fact @ Fact::Leads { .. }) => {
                (MarkKind::Leader, format!("{} {fact}", event.node))
            }
            _ => return None,
        };
        Some(Mark { event: index, at: event.at, kind, text: text.into() })
    }
}

/// The marks of a branch, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    pub(super) fn all(&self) -> &[Mark] {
        &self.0
    }

    pub(super) fn add(&mut self, mark: Mark) {
        // A leader that is told to a newcomer leads as before.
        let known = |other: &Mark| other.kind == mark.kind && other.text == mark.text;
        if mark.kind == MarkKind::Leader && self.0.iter().any(known) {
            return;
        }
        if self.0.len() >= MAX_MARKS {
            let least = self.0.iter().position(|mark| mark.kind == MarkKind::Leader);
            self.0.remove(least.unwrap_or(0));
        }
        let place = self.0.partition_point(|known| known.event <= mark.event);
        self.0.insert(place, mark);
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Mark> {
        self.0.get_mut(index)
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.0.remove(index);
    }

    /// Keeps the marks of events that `wanted` names.
    pub(super) fn retain(&mut self, wanted: impl Fn(usize) -> bool) {
        self.0.retain(|mark| wanted(mark.event));
    }
}
