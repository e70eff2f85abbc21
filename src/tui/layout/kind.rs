//! The kinds of panes there are: one table of names, sizes and views.

use ratatui::layout::Size;

/// A kind of pane. A layout may have several of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaneKind {
    /// Every process, its state and roles.
    Nodes,
    /// Who owns which part of the key space.
    Ring,
    /// Ballots and the log.
    Consensus,
    /// Locks, holders, leases, waiters.
    Locks,
    /// Distributed transactions.
    Txn,
    /// Links, groups, messages in flight.
    Network,
    /// What happened, newest first.
    Events,
    /// Where in time we are.
    Timeline,
    /// Which properties hold.
    Checks,
    /// Messages as lines between lanes, over time.
    SpaceTime,
    /// How long calls took, and how many there were.
    Charts,
    /// Who asks for what.
    Clients,
    /// What a scenario tells.
    Narration,
    /// Requests that are spread over backends.
    Balance,
    /// Keys that are kept by quorums.
    Replicas,
    /// Copies of keys, and how often they are of use.
    Cache,
    /// Sagas.
    Sagas,
    /// Files, their blocks, and whose disks have them.
    Files,
    /// Transactions that clients open.
    Isolation,
}

/// A row of the table.
struct Facts {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    short: &'static str,
    smallest: (u16, u16),
}

const fn facts(
    id: &'static str,
    title: &'static str,
    short: &'static str,
    smallest: (u16, u16),
    about: &'static str,
) -> Facts {
    Facts { id, title, about, short, smallest }
}

impl PaneKind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [PaneKind; 19] = [
        PaneKind::Nodes,
        PaneKind::Ring,
        PaneKind::Consensus,
        PaneKind::Locks,
        PaneKind::Txn,
        PaneKind::Network,
        PaneKind::Events,
        PaneKind::Timeline,
        PaneKind::Checks,
        PaneKind::SpaceTime,
        PaneKind::Charts,
        PaneKind::Clients,
        PaneKind::Narration,
        PaneKind::Balance,
        PaneKind::Replicas,
        PaneKind::Cache,
        PaneKind::Sagas,
        PaneKind::Files,
        PaneKind::Isolation,
    ];

    /// The kind with this name in layout files.
    pub fn with_id(id: &str) -> Option<PaneKind> {
        PaneKind::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// Its name in layout files.
    pub fn id(self) -> &'static str {
        self.facts().id
    }

    /// Its name on the screen.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// What it shows, in a few words.
    pub fn about(self) -> &'static str {
        self.facts().about
    }

    /// Its name where room is scarce.
    pub fn short_title(self) -> &'static str {
        self.facts().short
    }

    /// The smallest size it can be read at, borders included.
    pub fn smallest(self) -> Size {
        let (width, height) = self.facts().smallest;
        Size::new(width, height)
    }

    fn facts(self) -> Facts {
        match self {
            PaneKind::Nodes => {
                facts("nodes", "Nodes", "Nodes", (38, 7), "every process, its state and roles")
            }
            PaneKind::Ring => {
                facts("ring", "Ring", "Ring", (30, 10), "who owns which part of the key space")
            }
            PaneKind::Consensus => {
                facts("consensus", "Consensus", "Cons", (38, 7), "ballots, the leader and the log")
            }
            PaneKind::Locks => {
                facts("locks", "Locks", "Locks", (38, 6), "locks, holders, leases, waiters")
            }
            PaneKind::Txn => {
                facts("txn", "Transactions", "Txn", (40, 6), "transactions and their votes")
            }
            PaneKind::Network => {
                facts("network", "Network", "Net", (30, 8), "links, sides, messages in flight")
            }
            PaneKind::Events => {
                facts("events", "Events", "Events", (28, 6), "what happened, newest first")
            }
            PaneKind::Timeline => {
                facts("timeline", "Timeline", "Time", (40, 1), "where in time one looks")
            }
            PaneKind::Checks => {
                facts("checks", "Checks", "Checks", (28, 6), "which properties hold")
            }
            PaneKind::SpaceTime => facts(
                "spacetime",
                "Space-time",
                "Msgs",
                (40, 9),
                "messages between lanes, over time",
            ),
            PaneKind::Charts => {
                facts("charts", "Charts", "Charts", (40, 8), "latency, throughput, messages")
            }
            PaneKind::Clients => facts(
                "clients",
                "Clients",
                "Clients",
                (38, 6),
                "who asks for what, and believes what",
            ),
            PaneKind::Files => facts(
                "files",
                "Files",
                "Files",
                (40, 6),
                "blocks of files, and whose disks have them",
            ),
            PaneKind::Isolation => {
                facts("isolation", "Isolation", "Iso", (40, 6), "who is in whose transaction's way")
            }
            PaneKind::Cache => {
                facts("cache", "Cache", "Cache", (40, 6), "copies of keys, hits, and who fetches")
            }
            PaneKind::Balance => {
                facts("balance", "Balance", "Bal", (40, 6), "backends, their work and their share")
            }
            PaneKind::Narration => {
                facts("narration", "Narration", "Told", (38, 6), "what a scenario tells")
            }
            PaneKind::Replicas => facts(
                "replicas",
                "Replicas",
                "Repl",
                (40, 6),
                "keys by quorums: versions, hints, trees",
            ),
            PaneKind::Sagas => facts(
                "sagas",
                "Sagas",
                "Sagas",
                (40, 6),
                "steps, compensations, who waits for whom",
            ),
        }
    }
}
