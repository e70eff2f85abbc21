//! What one looks at, what can be done with it, and which of its processes can be seen.
//!
//! A simulated cluster does what a person wants, with its time as well. A live one goes on by
//! itself: the screen can look back at what was seen, but nobody can turn its time back. And a
//! cluster elsewhere is somebody's: who only observes may not touch it, and who may is asked first.

use crate::base::{NodeId, Time};
use crate::cluster::LinkState;
use crate::command::Command;
use std::collections::BTreeMap;

/// What one looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A simulated cluster.
    Simulated {
        /// The seed of all its chance.
        seed: u64,
    },
    /// A cluster in this process, in real time. It ends with the program.
    Live {
        /// What carries its messages: `memory`, `quic`.
        runtime: String,
    },
    /// Processes elsewhere, that this program is attached to. They go on without it. Of each, the
    /// cluster says once that it is connected, and later when that changes.
    Remote {
        /// Whether commands are taken from here.
        operator: bool,
    },
    /// What was seen of a cluster that is not simulated. It can be looked at and played back.
    Recorded {
        /// Where it ran: `LIVE memory`.
        place: String,
        /// Whether it had been running before anybody looked.
        late: bool,
        /// Whether its processes were connected to one by one.
        remote: bool,
    },
}

impl Source {
    /// Whether its time is real time, which passes by itself and in one direction.
    pub fn is_live(&self) -> bool {
        matches!(self, Source::Live { .. } | Source::Remote { .. })
    }

    /// Whether checks see only a part of its run.
    pub fn is_late(&self) -> bool {
        matches!(self, Source::Remote { .. } | Source::Recorded { late: true, .. })
    }

    /// Whether its processes are not connected before that is said of each.
    pub fn links_one_by_one(&self) -> bool {
        matches!(self, Source::Remote { .. } | Source::Recorded { remote: true, .. })
    }

    /// The seed of all its chance, if it is a simulation.
    pub fn seed(&self) -> Option<u64> {
        match self {
            Source::Simulated { seed } => Some(*seed),
            _ => None,
        }
    }

    /// Whether it belongs to more people than the one at this screen.
    pub fn is_remote(&self) -> bool {
        matches!(self, Source::Remote { .. })
    }

    /// Whether it ends when the program does, and cannot be had again.
    pub fn dies_with_us(&self) -> bool {
        matches!(self, Source::Live { .. })
    }

    /// Whether commands are taken from here.
    pub fn obeys(&self) -> bool {
        !matches!(self, Source::Remote { operator: false } | Source::Recorded { .. })
    }

    /// As the header says it.
    pub fn label(&self, separator: &str) -> String {
        match self {
            Source::Simulated { seed } => format!("SIM seed {seed}"),
            Source::Live { runtime } => format!("LIVE {runtime}"),
            Source::Remote { operator } => {
                let role = if *operator { "operator" } else { "observer" };
                format!("REMOTE {separator} {role}")
            }
            Source::Recorded { place, .. } => format!("REC {place}"),
        }
    }

    /// Why it does not do what a command that steers time asks for, if it does not.
    pub(super) fn refuses(&self, command: &Command) -> Option<&'static str> {
        match command {
            _ if matches!(self, Source::Recorded { .. }) => Some(RECORDED),
            _ if !self.is_live() => None,
            Command::Run { .. } => Some("a live cluster runs by itself; Space returns to now"),
            Command::Stop => Some("a live cluster cannot be stopped; Space holds what you see"),
            Command::Step(_) => Some(NO_STEP),
            Command::Fork { .. } | Command::Branch(_) | Command::Seed(_) => Some(NO_WAY_BACK),
            _ => None,
        }
    }
}

/// Why nothing that happened to a live cluster can be undone.
pub(super) const NO_WAY_BACK: &str = "a live cluster cannot go back in time; you can look back: , and < go back, Space returns to now";

/// Why nothing can be done to a recording.
pub(super) const RECORDED: &str =
    "this is a recording: it can be looked at, and nothing in it can be changed";

/// Why a live cluster gets no faster.
pub(super) const REAL_TIME: &str = "a live cluster's time is real time: it has no speed";

/// Why a live cluster takes no steps.
pub(super) const NO_STEP: &str =
    "a live cluster goes on by itself; Space holds what you see, , and < look back";

/// Why an observer's command goes nowhere.
pub(super) const OBSERVER: &str = "you are an observer here: commands need an operator's ticket (netsplit invite --role operator)";

/// A process that cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Since when, by the cluster's time.
    pub since: Time,
    /// Why.
    pub why: String,
}

/// Which processes cannot be seen now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(BTreeMap<NodeId, Unseen>);

impl Links {
    /// None is connected yet.
    pub fn awaited(processes: &[NodeId]) -> Links {
        let unseen = Unseen { since: Time::ZERO, why: "connecting".to_owned() };
        Links(processes.iter().map(|id| (*id, unseen.clone())).collect())
    }

    /// A connection came or went. Says whether it was the other way round before.
    pub fn set(&mut self, now: Time, process: NodeId, state: LinkState) -> bool {
        match (state, self.0.get_mut(&process)) {
            (LinkState::Up, _) => self.0.remove(&process).is_some(),
            // It is tried again and again, and fails for another reason.
            (LinkState::Down(why), Some(unseen)) => {
                unseen.why = why;
                false
            }
            (LinkState::Down(why), None) => {
                self.0.insert(process, Unseen { since: now, why });
                true
            }
        }
    }

    /// Since when and why a process cannot be seen; none if it can.
    pub fn unseen(&self, process: NodeId) -> Option<&Unseen> {
        self.0.get(&process)
    }

    /// All that cannot be seen.
    pub fn all(&self) -> impl Iterator<Item = (NodeId, &Unseen)> {
        self.0.iter().map(|(id, unseen)| (*id, unseen))
    }

    /// How many processes cannot be seen.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_down_since_it_went_down_and_for_the_last_reason() {
        let (a, b) = (NodeId::node(1), NodeId::node(2));
        let mut links = Links::awaited(&[a, b]);
        assert_eq!(links.count(), 2);
        assert!(links.set(Time(5), a, LinkState::Up));
        assert!(!links.set(Time(6), a, LinkState::Up));
        assert!(links.set(Time(7), a, LinkState::Down("timed out".to_owned())));
        assert!(!links.set(Time(9), a, LinkState::Down("refused".to_owned())));
        let unseen = links.unseen(a).map(|unseen| (unseen.since, unseen.why.as_str()));
        assert_eq!(unseen, Some((Time(7), "refused")));
        links.set(Time(10), b, LinkState::Up);
        assert_eq!((links.count(), links.unseen(b)), (1, None));
    }

    #[test]
    fn only_a_simulator_steers_time() {
        let live = Source::Live { runtime: "memory".to_owned() };
        for line in ["run", "stop", "step 3", "fork 5"] {
            let command: Command = line.parse().unwrap();
            assert!(live.refuses(&command).is_some(), "{line}");
            assert_eq!(Source::Simulated { seed: 7 }.refuses(&command), None);
        }
        assert_eq!(live.refuses(&"kill n1".parse().unwrap()), None);
    }
}
