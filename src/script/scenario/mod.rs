//! Scenarios: a cluster file with steps, which is a lesson, a test and an incident at once.
//!
//! ```toml
//! title = "A holder that slept too long"    # all that a cluster file has, and more
//! topic = "locks"
//! learn = ["Why a lease alone does not protect what it guards"]
//! sources = ["Kleppmann 2016, How to do distributed locking"]
//! nodes = 3                                 # or cluster = "locks": a built-in one, or a file
//! [log]
//! [lock]
//! [[client]]
//! do = "nothing"                            # it asks only when it is told
//!
//! [[act]]                                   # the same steps, once without the cure …
//! title = "Without a fence"
//! mutations = ["lock.no_fence"]
//! breaks = ["lock"]                         # … where a check must be broken
//! [[act]]
//! title = "With a fence"                    # … and once with it
//!
//! [[step]]
//! when = "everybody follows"                # waits for a condition on the board
//! say = "Three nodes agree who leads."
//! do = ["c1 acquire billing 2s"]
//! ask = { question = "…?", choices = ["…", "…"], answer = 2, why = "…" }
//! expect = ["within 2s: c1 heard granted"]
//! look = [{ pane = "locks", say = "billing has a holder" }]
//! show = { pane = "locks", zoom = true }
//! ```
//!
//! `file` reads it and says what is wrong with it; `play` runs it on a cluster, in any runtime; the
//! screen plays it with a person in front of it. Steps wait for what happens rather than for
//! seconds, so a scenario means the same with another seed and in real time.

mod file;
mod text;

pub use file::{KEYS, is_scenario, parse};

use super::expect::Expect;
use crate::base::{NodeId, Span, Time};
use crate::command::Command;
use crate::plan::Plan;
use crate::view::condition::Condition;

/// The names that a scenario may use for what the screen has, which is not known here.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// The panes.
    pub panes: Vec<String>,
    /// The layouts.
    pub layouts: Vec<String>,
}

/// A scenario, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What to call it: a word.
    pub name: String,
    /// Its headline.
    pub title: String,
    /// What it is about, in a few sentences.
    pub about: String,
    /// What it belongs to: `paxos`, `locks` …
    pub topic: String,
    /// What one knows afterwards.
    pub learn: Vec<String>,
    /// Where it comes from.
    pub sources: Vec<String>,
    /// The same steps, each time with other switches; at least one.
    pub acts: Vec<Act>,
    /// What happens, in order; at least one.
    pub steps: Vec<Step>,
}

/// One run of the steps.
#[derive(Clone, Debug)]
pub struct Act {
    /// What is different in it; empty if there is only one.
    pub title: String,
    /// What to say before it begins.
    pub say: String,
    /// The cluster.
    pub plan: Plan,
    /// The checks and rules that must be broken in it.
    pub breaks: Vec<String>,
}

/// What a step waits for before it begins, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// A time of the act.
    pub at: Option<Time>,
    /// So long after the step before.
    pub after: Option<Span>,
    /// Until this has been so.
    pub when: Option<Condition>,
    /// For how long at the most it waits for `when`.
    pub within: Span,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its headline; may be empty.
    pub title: String,
    /// In which acts it happens, counted from 1; in all, if empty.
    pub acts: Vec<usize>,
    /// What it waits for.
    pub wait: Wait,
    /// What is told, in paragraphs.
    pub say: Vec<String>,
    /// What to look at.
    pub look: Vec<Pointer>,
    /// A question to think about before what follows.
    pub ask: Option<Question>,
    /// What to do, in order.
    pub orders: Vec<Command>,
    /// What must be so.
    pub expect: Vec<Expect>,
    /// What the screen should show.
    pub show: Option<Show>,
}

impl Step {
    /// Whether it happens in an act, counted from 1.
    pub fn is_in(&self, act: usize) -> bool {
        self.acts.is_empty() || self.acts.contains(&act)
    }
}

/// A place on the screen, and what is to be seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The pane, by its name; none if a process is meant.
    pub pane: Option<String>,
    /// The process that is meant.
    pub node: Option<NodeId>,
    /// What one sees.
    pub say: String,
}

/// A question with choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub question: String,
    /// What one may answer.
    pub choices: Vec<String>,
    /// Which one is right, counted from 0.
    pub answer: usize,
    /// Why.
    pub why: String,
}

/// What the screen should show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Show {
    /// The pane that gets focus.
    pub pane: Option<String>,
    /// Whether it gets the whole screen.
    pub zoom: bool,
    /// The layout.
    pub layout: Option<String>,
}

impl Scenario {
    /// The steps of an act, counted from 1, with their numbers in the file, counted from 1.
    pub fn steps_of(&self, act: usize) -> impl Iterator<Item = (usize, &Step)> {
        let numbered = self.steps.iter().enumerate().map(|(i, step)| (i + 1, step));
        numbered.filter(move |(_, step)| step.is_in(act))
    }

    /// How many minutes it takes a person, about: reading, thinking, watching.
    pub fn minutes(&self) -> usize {
        let words = |text: &str| text.split_whitespace().count();
        let read = |step: &Step| {
            let say: usize = step.say.iter().map(|text| words(text)).sum();
            let look: usize = step.look.iter().map(|pointer| words(&pointer.say)).sum();
            let think =
                step.ask.as_ref().map_or(0, |ask| 40 + words(&ask.question) + words(&ask.why));
            say + look + think + 10
        };
        let all: usize = (1..=self.acts.len())
            .flat_map(|act| self.steps_of(act).map(|(_, step)| read(step)))
            .sum();
        all.div_ceil(150).max(1)
    }
}
