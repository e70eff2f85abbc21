//! What a key can ask for: one table, from which dispatch, help and the hint bar are made.
//!
//! Keys are global: no pane gives one another meaning. Verbs act on what is selected. Nothing here
//! is destructive in a simulation, since a run is recorded and [`Action::Undo`] goes back to before
//! the last command, so nothing asks there. No `Ctrl` letter changes the cluster, and no key needs
//! `Alt`, `Ctrl+arrow`, `Ctrl+Enter` or a function key but `F1`: some terminals keep those for
//! themselves.

/// Something a person can ask for with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Show or hide the keys.
    Help,
    /// Open the line that takes commands as text.
    Prompt,
    /// Narrow the list of events.
    Filter,
    /// Go to the next event that the filter lets through.
    NextMatch,
    /// Go to the event before that the filter lets through.
    PreviousMatch,
    /// Focus the next pane.
    NextPane,
    /// Focus the pane before.
    PreviousPane,
    /// Focus the pane with this number.
    Pane(u8),
    /// List all panes.
    Panes,
    /// List all layouts.
    Layouts,
    /// Try the themes.
    Theme,
    /// Give the focused pane the whole screen, or take it back.
    Zoom,
    /// Show the focused pane in its next view.
    NextView,
    /// Open the options menu of the focused pane.
    Options,
    /// Go to the moment that the selected row tells of, or inspect what is selected.
    Enter,
    /// Show less of time, closer.
    Closer,
    /// Show more of time, from farther away.
    Farther,
    /// Move the selection.
    Left,
    /// Move the selection.
    Down,
    /// Move the selection.
    Up,
    /// Move the selection.
    Right,
    /// Go to the first row, or to the start of the run.
    First,
    /// Go to the last row, or to now.
    Last,
    /// Move by a page.
    PageUp,
    /// Move by a page.
    PageDown,
    /// Break what is selected, or restore it.
    Break,
    /// Freeze the selected node, or let it go on.
    PauseNode,
    /// Cut the selected node off, or reconnect it.
    Isolate,
    /// Have the timer of the selected node run out now, or the selected message arrive.
    Fire,
    /// Have all election timers run out at once.
    AlignTimers,
    /// Have them run out one after the other.
    SpreadTimers,
    /// Have the selected node join the ring, or leave it.
    JoinRing,
    /// Open the menu of all faults for the selection.
    FaultMenu,
    /// Delay messages of the selection.
    Delay,
    /// Lose messages of the selection.
    Loss,
    /// Change the clock of the selection.
    Clock,
    /// List what is broken now.
    Broken,
    /// Cut the cluster into groups.
    Partition,
    /// Repair everything.
    Heal,
    /// Let the cluster run, or stop its time.
    RunPause,
    /// One event back.
    StepBack,
    /// One event forward.
    StepForward,
    /// One second back.
    SecondBack,
    /// One second forward.
    SecondForward,
    /// Slower.
    Slower,
    /// Faster.
    Faster,
    /// As fast as real time.
    RealTime,
    /// Set a mark here.
    Mark,
    /// Show all marks.
    Marks,
    /// Go to the next mark or fault.
    NextMark,
    /// Go to the mark or fault before.
    PreviousMark,
    /// Show all branches.
    Branches,
    /// Begin again.
    StartAgain,
    /// Save the run in a file.
    Save,
    /// Open a run from a file.
    Open,
    /// Go to the next broken property.
    NextViolation,
    /// Go to the broken property before.
    PreviousViolation,
    /// Show the fewest events that break a property, as a branch.
    FirstBad,
    /// Go back to before the last command.
    Undo,
    /// Do again what was undone.
    Redo,
    /// Copy what is selected.
    Copy,
    /// Copy the pane as text.
    CopyPane,
    /// Let the terminal have the mouse, or take it back.
    Mouse,
    /// Leave what is open: an input, help, zoom. Never the program.
    Back,
    /// Cancel what is open, or leave the program if nothing is.
    Interrupt,
    /// Put the program to sleep, back to the shell.
    Suspend,
    /// Draw the whole screen again.
    Redraw,
    /// Leave the program.
    Quit,
}

/// Under which heading an action stands in help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Finding one's way.
    Find,
    /// Which pane.
    Panes,
    /// Within a pane.
    Move,
    /// The cluster's time.
    Time,
    /// Faults.
    Break,
    /// The program itself.
    Leave,
}

impl Group {
    /// All of them, as help shows them.
    pub const ALL: [Group; 6] =
        [Group::Find, Group::Panes, Group::Move, Group::Time, Group::Break, Group::Leave];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Find => "find",
            Group::Panes => "panes",
            Group::Move => "move",
            Group::Time => "time",
            Group::Break => "break and repair",
            Group::Leave => "leave",
        }
    }
}

/// What the hint bar says of an action.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// The word behind the keys. Actions with the same word share one hint.
    pub word: &'static str,
    /// Hints with the highest rank go first when there is no room for all.
    pub rank: u8,
}

/// One action and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The action.
    pub action: Action,
    /// Its name in text: lower case, with dashes.
    pub name: &'static str,
    /// One sentence for help. Actions with the same sentence share one line there.
    pub doc: &'static str,
    /// Its heading in help.
    pub group: Group,
    /// The keys it has unless told otherwise, the one to show in the hint bar first.
    pub keys: &'static [&'static str],
    /// Its place in the hint bar, if it has one.
    pub hint: Option<Hint>,
    /// What it does to a live cluster, if that is something else.
    pub live: Option<Live>,
    /// Whether holding the key down repeats the action on terminals that tell.
    pub repeats: bool,
}

/// What an action that steers time does where time cannot be steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// It is refused, with the reason, so the hint bar does not offer it.
    Refused,
    /// It does this: a word for the hint bar, and a sentence for help.
    Means(&'static str, &'static str),
}

impl Row {
    const fn new(
        group: Group,
        action: Action,
        name: &'static str,
        keys: &'static [&'static str],
        doc: &'static str,
    ) -> Row {
        Row { action, name, doc, group, keys, hint: None, live: None, repeats: false }
    }

    const fn hint(mut self, rank: u8, word: &'static str) -> Row {
        self.hint = Some(Hint { word, rank });
        self
    }

    const fn live(mut self, live: Live) -> Row {
        self.live = Some(live);
        self
    }

    const fn repeats(mut self) -> Row {
        self.repeats = true;
        self
    }
}

const SELECT: &str = "Move the selection.";
const MATCH: &str = "Go to the next, the previous match of the filter.";
const PANE: &str = "Go to the pane with this number.";
const EVENT: &str = "One event back, forward.";
const SECOND: &str = "One second back, forward.";
const SPEED: &str = "Slower, faster, as fast as real time.";
const MARK: &str = "The mark or fault before, the next one.";
const MARKS: &str = "Set a mark here; list the marks and go to one.";
const FILES: &str = "Save the run (.toml: as a scenario); open another one.";
const VIOLATION: &str = "The next broken property, the one before.";
const TIMERS: &str = "Set all election timers alike (a split vote), or apart.";
const UNDO: &str = "Undo the last command; do it again.";

const fn pane(number: u8, name: &'static str, keys: &'static [&'static str]) -> Row {
    Row::new(Group::Panes, Action::Pane(number), name, keys, PANE).hint(2, "pane")
}

/// Every action, in the order of the hint bar and, within each group, of help.
pub static ACTIONS: &[Row] = {
    use Action as A;
    use Group as G;
    &[
        Row::new(G::Find, A::Help, "help", &["?", "F1"], "Show or hide this help.").hint(0, "help"),
        Row::new(
            G::Find,
            A::Prompt,
            "palette",
            &[":", "Ctrl+P"],
            "Find and type anything that can be done.",
        )
        .hint(1, "commands"),
        Row::new(G::Find, A::Filter, "filter", &["/"], "Narrow the list of events; empty: all.")
            .hint(14, "filter"),
        Row::new(G::Find, A::NextMatch, "next-match", &["n"], MATCH),
        Row::new(G::Find, A::PreviousMatch, "previous-match", &["N"], MATCH),
        Row::new(G::Panes, A::NextPane, "next-pane", &["Tab"], "Go to the next pane.")
            .hint(2, "pane"),
        Row::new(
            G::Panes,
            A::PreviousPane,
            "previous-pane",
            &["Shift+Tab"],
            "Go to the pane before.",
        ),
        pane(1, "pane-1", &["1"]),
        pane(2, "pane-2", &["2"]),
        pane(3, "pane-3", &["3"]),
        pane(4, "pane-4", &["4"]),
        pane(5, "pane-5", &["5"]),
        pane(6, "pane-6", &["6"]),
        pane(7, "pane-7", &["7"]),
        pane(8, "pane-8", &["8"]),
        pane(9, "pane-9", &["9"]),
        Row::new(G::Panes, A::Panes, "panes", &["0"], "List all panes, and go to one."),
        Row::new(G::Panes, A::Zoom, "zoom", &["z"], "Give the pane the whole screen, or not.")
            .hint(8, "zoom"),
        Row::new(G::Panes, A::NextView, "next-view", &["s"], "Show the pane in its next view.")
            .hint(12, "view"),
        Row::new(G::Panes, A::Options, "options", &["o"], "What can be chosen in the pane.")
            .hint(13, "options"),
        Row::new(G::Panes, A::Layouts, "layouts", &["w"], "List all layouts; take one, or save."),
        Row::new(G::Panes, A::Theme, "theme", &["T"], "Try sets of colours, and keep one."),
        Row::new(G::Panes, A::Closer, "closer", &["+"], "Show less or more time in the pane.")
            .repeats(),
        Row::new(G::Panes, A::Farther, "farther", &["-"], "Show less or more time in the pane.")
            .repeats(),
        Row::new(G::Move, A::Left, "left", &["Left", "h"], SELECT).repeats(),
        Row::new(G::Move, A::Down, "down", &["Down", "j"], SELECT).repeats(),
        Row::new(G::Move, A::Up, "up", &["Up", "k"], SELECT).repeats(),
        Row::new(G::Move, A::Right, "right", &["Right", "l"], SELECT).repeats(),
        Row::new(G::Move, A::First, "first", &["g", "Home"], "First row, or the start of the run."),
        Row::new(G::Move, A::Last, "last", &["G", "End"], "Last row, or now."),
        Row::new(G::Move, A::PageUp, "page-up", &["PgUp"], "Move by a page.").repeats(),
        Row::new(G::Move, A::PageDown, "page-down", &["PgDn"], "Move by a page.").repeats(),
        Row::new(
            G::Move,
            A::Enter,
            "enter",
            &["Enter"],
            "Inspect what is selected, or go to its moment.",
        ),
        Row::new(
            G::Break,
            A::Break,
            "break",
            &["x"],
            "Kill or start the node, cut or heal the link.",
        )
        .hint(7, "kill/start"),
        Row::new(G::Break, A::PauseNode, "pause-node", &["p"], "Pause the node, or let it go on.")
            .hint(11, "pause"),
        Row::new(G::Break, A::Isolate, "isolate", &["i"], "Cut the node off, or reconnect it."),
        Row::new(
            G::Break,
            A::Fire,
            "fire",
            &["e"],
            "Run out the node's timer now, or have the message arrive.",
        ),
        Row::new(G::Break, A::AlignTimers, "align-timers", &["A"], TIMERS),
        Row::new(G::Break, A::SpreadTimers, "spread-timers", &["S"], TIMERS),
        Row::new(G::Break, A::JoinRing, "join-ring", &["a"], "Have it join the ring, or leave it."),
        Row::new(
            G::Break,
            A::FaultMenu,
            "fault-menu",
            &["f"],
            "Everything that can be done to the selection, and bundles of faults.",
        )
        .hint(6, "faults"),
        Row::new(G::Break, A::Delay, "delay", &["d"], "Delay its messages."),
        Row::new(G::Break, A::Loss, "drop", &["D"], "Drop some of its messages."),
        Row::new(G::Break, A::Clock, "clock", &["t"], "Set its clock wrong, or right."),
        Row::new(G::Break, A::Broken, "broken-now", &["F"], "List what is broken, to heal it."),
        Row::new(G::Break, A::Partition, "partition", &["P"], "Cut the cluster into groups.")
            .hint(8, "partition"),
        Row::new(
            G::Break,
            A::Heal,
            "heal-everything",
            &["H"],
            "Repair every link, start and resume every node.",
        )
        .hint(9, "heal"),
        Row::new(G::Time, A::RunPause, "run-pause", &["Space"], "Run the cluster, or pause it.")
            .hint(4, "run")
            .live(Live::Means("hold", "Hold what you see, or return to now.")),
        Row::new(G::Time, A::StepBack, "step-back", &[","], EVENT).hint(5, "step").repeats(),
        Row::new(G::Time, A::StepForward, "step-forward", &["."], EVENT).hint(5, "step").repeats(),
        Row::new(G::Time, A::SecondBack, "second-back", &["<"], SECOND).repeats(),
        Row::new(G::Time, A::SecondForward, "second-forward", &[">"], SECOND).repeats(),
        Row::new(G::Time, A::Slower, "slower", &["("], SPEED).live(Live::Refused),
        Row::new(G::Time, A::Faster, "faster", &[")"], SPEED).live(Live::Refused),
        Row::new(G::Time, A::RealTime, "real-time", &["="], SPEED).live(Live::Refused),
        Row::new(G::Time, A::PreviousMark, "previous-mark", &["["], MARK).hint(12, "mark"),
        Row::new(G::Time, A::NextMark, "next-mark", &["]"], MARK).hint(12, "mark"),
        Row::new(G::Time, A::Mark, "mark", &["m"], MARKS),
        Row::new(G::Time, A::Marks, "marks", &["'"], MARKS),
        Row::new(
            G::Time,
            A::Branches,
            "branches",
            &["B"],
            "List the branches, go to one, compare two.",
        )
        .hint(13, "branches")
        .live(Live::Refused),
        Row::new(
            G::Time,
            A::StartAgain,
            "start-again",
            &["R"],
            "Begin again, with the same chance or another.",
        )
        .live(Live::Refused),
        Row::new(G::Time, A::Save, "save", &["W"], FILES),
        Row::new(G::Time, A::Open, "open", &["O"], FILES),
        Row::new(G::Time, A::NextViolation, "next-violation", &["v"], VIOLATION)
            .hint(10, "violation"),
        Row::new(G::Time, A::PreviousViolation, "previous-violation", &["V"], VIOLATION),
        Row::new(
            G::Time,
            A::FirstBad,
            "first-bad",
            &["b"],
            "The fewest events that break it, as a branch.",
        ),
        Row::new(G::Time, A::Undo, "undo", &["u"], UNDO).hint(8, "undo").live(Live::Refused),
        Row::new(G::Time, A::Redo, "redo", &["U"], UNDO).live(Live::Refused),
        Row::new(G::Find, A::Copy, "copy", &["y"], "Copy what is selected, or what was just said."),
        Row::new(G::Find, A::CopyPane, "copy-pane", &["Y"], "Copy the pane as text."),
        Row::new(
            G::Panes,
            A::Mouse,
            "mouse",
            &["M"],
            "Mouse on, or off so that the terminal selects text.",
        ),
        Row::new(
            G::Leave,
            A::Back,
            "back",
            &["Esc"],
            "Leave prompt, help, filter or zoom; never quits.",
        ),
        Row::new(
            G::Leave,
            A::Interrupt,
            "interrupt",
            &["Ctrl+C"],
            "Cancel what is open; if nothing is, quit.",
        ),
        Row::new(G::Leave, A::Suspend, "suspend", &["Ctrl+Z"], "Back to the shell; fg returns."),
        Row::new(G::Leave, A::Redraw, "redraw", &["Ctrl+L"], "Draw the whole screen again."),
        Row::new(G::Leave, A::Quit, "quit", &["q"], "Quit.").hint(3, "quit"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_and_a_sentence() {
        let mut names: Vec<&str> = ACTIONS.iter().map(|row| row.name).collect();
        for row in ACTIONS {
            assert!(row.doc.starts_with(char::is_uppercase) && row.doc.ends_with('.'), "{row:?}");
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(row.name.chars().all(letters), "{row:?}");
            assert!(!row.keys.is_empty(), "{row:?}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ACTIONS.len(), "a name stands twice");
        let mut actions: Vec<Action> = ACTIONS.iter().map(|row| row.action).collect();
        actions.sort_unstable();
        actions.dedup();
        assert_eq!(actions.len(), ACTIONS.len(), "an action stands twice");
    }
}
