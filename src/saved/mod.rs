//! Runs on disk: what must be kept of a run to look at it again, and the files that hold it.
//!
//! A *simulated* run is its plan, its seeds and its commands, each with the step at which it was
//! given, for every branch. It opens by running again; a digest says
//! whether that gave the same. A *recorded* run, of a live cluster or one elsewhere, is what was
//! seen of it. It can be looked at, and nothing else.
//!
//! # The file
//!
//! ```text
//!  header   "netsplit run" | format u32 | salt u64
//!  frame 0  About: which program wrote it, the cluster file, and which kind of run it is
//!  frames   Branch, one for each branch of a simulated run, then View: where one looked
//!           Seen, one for each piece of a recorded run
//!  last     End
//! ```
//!
//! Frames have checksums and count up ([`crate::base::frame`]); what is in them is postcard. A
//! simulated run is written in one piece, beside the file first, so the file is whole or not there.
//! A recorded one is written while it is seen. If the program dies, all is there up to the last
//! whole frame, and whoever opens the file is told that its end is missing.
//!
//! [`bytes`] reads and writes all that, [`mod@file`] knows about files, and [`keep`] keeps the
//! latest runs of a person.

pub mod bytes;
pub mod file;
pub mod keep;

use crate::base::{NodeId, Time};
use crate::cluster::LinkState;
use crate::event::Event;
use serde::{Deserialize, Serialize};

pub use bytes::{FORMAT, decode, encode};

/// What a run is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The version of the program that wrote it.
    pub program: String,
    /// The name of the cluster.
    pub name: String,
    /// The text of its cluster file.
    pub plan: String,
    /// What kind of run it is.
    pub kind: Kind,
}

/// The two kinds of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It is made again from its plan, this seed and its commands.
    Simulated {
        /// The seed of `main`.
        seed: u64,
    },
    /// It is what was seen.
    Recorded {
        /// Where it ran, as the header of the screen said: `LIVE memory`.
        place: String,
        /// Whether it had been running before anybody looked, so that checks speak for a part only.
        late: bool,
        /// Whether processes were connected to one by one, rather than all there from the start.
        remote: bool,
    },
}

/// A command of a simulated run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Which step of the run it was, counted from 0.
    pub step: u64,
    /// The world's time then.
    pub at: Time,
    /// The index of its event, counted with messages.
    pub event: u64,
    /// Whether it was given in one breath with the command before it.
    pub joined: bool,
    /// The command's line.
    pub line: String,
}

/// One branch of a simulated run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// The branch that it came from, by its place in the file, and how many events it has in common
    /// with that; none if it has a start of its own.
    pub parent: Option<(u32, u64)>,
    /// The seed of its chance, if that is another than that of the first branch.
    pub seed: Option<u64>,
    /// Its own commands, in order; those that it has in common with its parent are there.
    pub commands: Vec<Given>,
    /// How far it went.
    pub end: End,
    /// Stands for all that was stated in it.
    pub digest: u64,
    /// The marks that a person has set: index of the event, and text.
    pub marks: Vec<(u64, String)>,
}

/// How far a branch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// To this many events, counted with messages; none if only the time tells.
    pub events: Option<u64>,
    /// To this time.
    pub now: Time,
}

/// Where one looked when the run was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// At which branch, by its place in the file.
    pub branch: u32,
    /// At which position of it; none for its end.
    pub cursor: Option<u64>,
}

/// A piece of a recorded run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Seen {
    /// These events, in order.
    Events(Vec<Event>),
    /// A process could be seen from here on, or no longer, for this reason.
    Link(NodeId, Option<String>),
    /// So many events are missing here.
    Missed(u64),
    /// A person's mark: index of the event, and text.
    Mark(u64, String),
}

impl Seen {
    /// What a connection's state is in a file.
    pub fn link(process: NodeId, state: &LinkState) -> Seen {
        let why = match state {
            LinkState::Up => None,
            LinkState::Down(why) => Some(why.clone()),
        };
        Seen::Link(process, why)
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Story {
    /// All branches of a simulated run, and where one looked.
    Branches(Vec<Branch>, View),
    /// What was seen of a live one; `whole` says that the recording was ended and not cut off.
    Seen {
        /// The pieces, in order.
        pieces: Vec<Seen>,
        /// Whether the recording came to its end.
        whole: bool,
    },
}

/// A saved run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it is of.
    pub about: About,
    /// What happened.
    pub story: Story,
}

impl About {
    /// About a run of a cluster, by this program.
    pub fn new(name: &str, plan: &str, kind: Kind) -> About {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        About { program, name: name.to_owned(), plan: plan.to_owned(), kind }
    }
}
