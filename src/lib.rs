//! Netsplit: a cluster workbench for the terminal.
//!
//! One binary runs real protocol code (a consistent-hash ring, locks, Paxos, a log replicated by
//! Multi-Paxos, Raft or Zab, two-phase commit, sagas, transactions with levels of isolation, a
//! failure detector, load balancing, caches, a file store) as a cluster of nodes, draws what the
//! protocols do, lets a person break the cluster, goes back in time, and proves what went wrong.
//! This page is the map.
//!
//! # The one flow
//!
//! ```text
//!  keys ─┐                                             ┌─> Timeline ─> Board ─> panes
//!  -c   ─┼─> Command ─> Cluster ─> Host ─> services ─> Event ─> checks ─> Violation ─> exit code
//!  file ─┘       (simulator or live)                   └─> lines on stdout, digest
//! ```
//!
//! Three plain-data languages, and nothing else crosses a line: a [`command::Command`] goes in, a
//! [`proto::Message`] travels between nodes, an [`event::Event`] comes out. Nothing on the right
//! calls to the left: a pane that wants something done gives a command, and it goes round again.
//!
//! * *Looking back is not going back.* Scrubbing moves a cursor over the list of events, and panes
//!   draw a fold of it ([`view`]). Only acting in the past touches the simulator's world: it begins
//!   a branch ([`sim::history`]).
//! * *Checks read events only* ([`check`]). The invariant that guards a million simulated steps is
//!   the one that a person sees break on screen.
//! * *Everything has a text form.* The line that the `:` prompt takes is the line that `-c` takes
//!   and that the event list shows.
//!
//! # Where is what
//!
//! | level | module | what may happen there |
//! |---|---|---|
//! | 0 | [`base`], [`error`] | words: ids, time, chance, placement; what a user did wrong |
//! | 1 | [`command`], [`event`] | what goes in, what comes out, one text form each |
//! | 1 | [`read`] | values of TOML files, and what is wrong with them |
//! | 2 | [`proto`] | protocols as pure state machines, one directory or file each |
//! | 2 | [`net`] | what the network does to one message |
//! | 2 | [`check`] | properties, read from events |
//! | 2 | [`view`] | the board: a fold of events, without colours or a terminal |
//! | 2 | [`cluster`] | the seam: two channels |
//! | 3 | [`host`] | one node without I/O: services, timers, write barrier |
//! | 3 | [`plan`] | cluster files |
//! | 4 | [`sim`] | the world as one value, its history, the player, storms of faults |
//! | 4 | [`live`] | the same hosts in real time: agents, disks, links, consoles |
//! | 4 | [`saved`] | runs on disk: what they keep, and the file format |
//! | 5 | [`script`] | runs without a terminal; scenarios: lessons, tests, incidents |
//! | 6 | [`tui`] | the terminal: panes, keys, layout, and scenarios told on it |
//! | 7 | [`cli`] | arguments; puts the others together |
//!
//! # What must stay true
//!
//! Each line is enforced by a test, named behind it.
//!
//! * A module names only modules of lower levels, and `tui`, `script` and `check` never name
//!   `proto`, `host`, `sim` or `live` (`tests/tidy.rs`).
//! * `base`, `proto`, `host`, `net`, `sim`, `check`, `view` and `plan` read no clock, no
//!   environment and no unordered collection, and start no thread (`tests/tidy.rs`, `clippy.toml`).
//! * The same file, seed and commands give the same events, byte for byte (`tests/samples.rs`).
//! * A branch repeats its past exactly (`sim::history`, `sim::player`).
//! * A command prints what it is read from (`command`).
//! * Nothing a node says leaves before what it wrote is durable (`host`); switching that rule off
//!   is caught (`tests/mutations.rs`).
//! * Every check catches a planted bug, and is silent without it (`tests/mutations.rs`).
//! * The samples survive any storm, and make progress after it (`tests/seeds.rs`).
//! * Every lesson and incident comes out as it announces (`tests/scenarios.rs`), and is on the
//!   screen what it is without one (`tests/story.rs`).
//! * Drawing changes nothing and fits any size (`tests/screens.rs`).
//! * A scenario ends alike in the simulator, in memory and over QUIC (`tests/parity.rs`).
//! * Who comes late or misses events is shown and judged rightly (`tests/late.rs`).
//! * No byte on the wire or on a disk changes unnoticed, and none from elsewhere does harm
//!   (`tests/wire`).
//! * What was acknowledged survives `kill -9` at any instant (`tests/disk.rs`, `tests/soak.rs`).
//!
//! # Decisions that differ from what one might expect
//!
//! * Services of one node talk by calls and by *hearing each other's facts*
//!   ([`proto::Protocol::hear`]), not by embedding one in another: a fact is already the shared
//!   word for what happened, so no second vocabulary inside a node is needed.
//! * Facts wait behind the write barrier, as messages do. A check that counts a vote must never
//!   count one that a crash can take back.
//! * What comes through the seam is a [`cluster::Update`], not a bare event: batches, because a
//!   simulator makes millions of events a second, and the few answers (time stands still, a branch
//!   begins, a command was refused) that are no event of the cluster.
//! * Live nodes keep the same write barrier: what a node says waits in its host until the disk's
//!   thread has synced, and one sync serves all writes that came while the last one was under way.
//! * A console judges a live cluster by what it saw. A process that is silent or gone is *said* to
//!   be out of sight before anything later is shown ([`event::Kind::Missed`]), so no check takes
//!   what it did not see for what did not happen.
//! * The player keeps no pace. Whoever wants to watch sends `run until` a little at a time, so the
//!   only clock is in the terminal's loop.

pub mod base;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod error;
pub mod event;
pub mod host;
pub mod live;
pub mod net;
pub mod plan;
pub mod proto;
pub mod read;
pub mod saved;
pub mod script;
pub mod sim;
pub mod tui;
pub mod view;
