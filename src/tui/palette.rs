//! The command palette: everything that can be asked for, found by a few letters of it.
//!
//! It offers actions with their keys, commands with their targets as the board shows them now, and
//! the forms of commands to fill in. What is typed is the line that a script takes, and the line
//! that is chosen tells its effect before it is given.

use super::action::{ACTIONS, Action, Group, Row};
use super::frame;
use super::keys::Keymap;
use super::layout::PaneId;
use super::select::{Select, Target};
use super::spots::{Spot, Spots};
use super::theme::{Look, Role};
use crate::base::{NodeId, Op, Voters};
use crate::command::{Command, FORMS, Target as Whom};
use crate::view::Board;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use std::cmp::Reverse;
use std::ops::Range;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

/// Up to so many nodes, every link between two of them is offered.
const FEW_NODES: usize = 7;
/// How many messages under way are offered.
const MESSAGES: usize = 6;
/// How wide the palette is, and the text of an entry in it.
const WIDTH: u16 = 76;
const TEXT: usize = 34;

/// What an entry does when it is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// What a key asks for.
    Act(Action),
    /// Gives a command.
    Give(Command),
    /// Begins a line that has to be completed.
    Begin(String),
    /// Asks where to write down what was done, as a scenario.
    Scenario,
    /// Changes what the screen shows.
    Show(Place),
}

/// Something that the screen can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The layout of this name.
    Layout(String),
    /// A pane, also one that the layout does not place.
    Pane(PaneId),
    /// The theme of this name.
    Theme(String),
}

fn scenario() -> Entry {
    Entry {
        text: "save-scenario".to_owned(),
        about: "Write what was done as a scenario".to_owned(),
        key: String::new(),
        does: Does::Scenario,
        no: None,
    }
}

/// One thing that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is found by: the line, or the name of an action.
    pub text: String,
    /// What it is, in a few words.
    pub about: String,
    /// Its key, if it has one.
    pub key: String,
    /// What it does.
    pub does: Does,
    /// Why it cannot be done now, if it cannot.
    pub no: Option<String>,
}

impl Entry {
    /// An entry that shows something else.
    pub fn place(text: String, about: impl Into<String>, place: Place) -> Entry {
        Entry { text, about: about.into(), key: String::new(), does: Does::Show(place), no: None }
    }
}

/// What entries are made of.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The cluster as it is shown.
    pub board: &'a Board,
    /// What is selected.
    pub select: &'a Select,
    /// What verbs act on.
    pub target: &'a Target,
    /// The keys.
    pub keymap: &'a Keymap,
    /// The name of the pane with a number.
    pub panes: &'a dyn Fn(u8) -> Option<String>,
    /// What else the screen can show.
    pub places: &'a [Entry],
    /// Whether nobody can steer the cluster's time.
    pub live: bool,
    /// Why a command would come to nothing now, if it would.
    pub hinders: &'a dyn Fn(&Command) -> Option<String>,
}

impl Source<'_> {
    /// What is offered for what was typed, the best first, and how many entries there are at all.
    pub fn offers(&self, typed: &str) -> (Vec<Entry>, usize) {
        let all = self.all();
        let count = all.len();
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern =
            Pattern::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        let mut letters = Vec::new();
        let mut score = |entry: &Entry| {
            let score = pattern.score(Utf32Str::new(&entry.text, &mut letters), &mut matcher)?;
            // What begins with the word that was typed is meant, rather than what has its letters.
            let begins = typed.split(' ').next().is_some_and(|verb| entry.text.starts_with(verb));
            Some(score + if begins { 1_000 } else { 0 })
        };
        let found = all.into_iter().enumerate().filter_map(|(at, e)| Some((score(&e)?, at, e)));
        let mut found: Vec<(u32, usize, Entry)> = found.collect();
        found.sort_by_key(|(score, at, entry)| (Reverse(*score), entry.no.is_some(), *at));
        let mut offers: Vec<Entry> = found.into_iter().map(|(_, _, entry)| entry).collect();
        if let Ok(command) = typed.parse::<Command>() {
            offers.retain(|entry| entry.does != Does::Give(command.clone()));
            offers.insert(0, self.command(command, "as typed"));
        }
        (offers, count)
    }

    /// Everything there is, what is about the selection first.
    fn all(&self) -> Vec<Entry> {
        let mut all = self.selected();
        let rows = ACTIONS.iter().filter(|row| !is_plain(row.action, row.group));
        all.extend(rows.filter_map(|row| self.action(row)));
        all.push(scenario());
        all.extend_from_slice(self.places);
        for line in self.lines() {
            if let Ok(command) = line.parse() {
                all.push(self.command(command, ""));
            }
        }
        all.extend(self.forms());
        let mut known = std::collections::BTreeSet::new();
        all.retain(|entry| known.insert(entry.text.clone()));
        all
    }

    /// An action; a pane by its name, if there is one of that number.
    fn action(&self, row: &Row) -> Option<Entry> {
        let text = match row.action {
            Action::Pane(number) => format!("pane {}", (self.panes)(number)?.to_lowercase()),
            _ => row.name.to_owned(),
        };
        Some(Entry {
            text,
            about: row.doc.trim_end_matches('.').to_owned(),
            key: self.keymap.shown(row.action),
            does: Does::Act(row.action),
            no: None,
        })
    }

    /// The commands for what is selected.
    fn selected(&self) -> Vec<Entry> {
        let lines: Vec<String> = match self.target {
            Target::Node(id) => ["kill", "restart", "pause", "resume", "isolate", "fire"]
                .map(|verb| format!("{verb} {id}"))
                .to_vec(),
            Target::Link(a, b) => vec![format!("partition {a} ~ {b}"), format!("heal {a} ~ {b}")],
            Target::Message(msg) => {
                let lines = ["drop MSG", "deliver MSG", "twice MSG", "delay MSG 100ms"];
                lines.map(|line| line.replace("MSG", &msg.to_string())).to_vec()
            }
            Target::Lock(lock) => vec![format!("kill holder {lock}")],
            Target::Txn(txn) => vec![format!("kill coordinator {txn}")],
            Target::Nothing => Vec::new(),
        };
        let commands = lines.iter().filter_map(|line| line.parse().ok());
        commands.map(|command| self.command(command, "")).collect()
    }

    fn command(&self, command: Command, about: &str) -> Entry {
        let resolved = self.board.resolve(&command);
        let no = (self.hinders)(&command);
        let text = command.to_string();
        let about = match (about, &resolved) {
            ("", Ok(resolved)) if *resolved != command => format!("now {resolved}"),
            ("", _) => form(&text).map_or("", |(_, about)| about).to_owned(),
            _ => about.to_owned(),
        };
        let key = match &resolved {
            Ok(resolved) => self.key_of(resolved),
            Err(_) => String::new(),
        };
        Entry { text, about, key, does: Does::Give(command), no }
    }

    /// The key that does the same to what is selected.
    fn key_of(&self, command: &Command) -> String {
        let just = |who: &Whom| match (self.target, who.nodes()) {
            (Target::Node(id), [one]) => id == one,
            _ => false,
        };
        let action = match command {
            Command::Kill { who, .. } | Command::Restart(who) if just(who) => Action::Break,
            Command::Pause(who) | Command::Resume(who) if just(who) => Action::PauseNode,
            Command::Isolate(who) if just(who) => Action::Isolate,
            Command::Fire { who, .. } if just(who) => Action::Fire,
            Command::Ask { op: Op::Join { node, .. } | Op::Leave { node }, .. }
                if *self.target == Target::Node(*node) =>
            {
                Action::JoinRing
            }
            Command::Deliver(msg) if *self.target == Target::Message(*msg) => Action::Fire,
            Command::Drop(msg) if *self.target == Target::Message(*msg) => Action::Break,
            _ => return String::new(),
        };
        self.keymap.shown(action)
    }

    /// Lines with the targets that there are now.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let ids: Vec<NodeId> = self.board.nodes.ids().to_vec();
        let mut whom: Vec<String> =
            ["leader", "minority", "majority", "one"].map(str::to_owned).to_vec();
        let held = self.board.locks.all().filter(|(_, lock)| !lock.holders.is_empty());
        whom.extend(held.map(|(name, _)| format!("holder {name}")));
        let open = self.board.txns.all().filter(|txn| !txn.is_over());
        whom.extend(open.map(|txn| format!("coordinator {}", txn.id)));
        whom.extend(ids.iter().map(NodeId::to_string));
        for verb in ["kill", "restart", "pause", "resume", "isolate", "fire"] {
            lines.extend(whom.iter().map(|who| format!("{verb} {who}")));
        }
        let more = ["clock WHO +250ms", "clock WHO ok", "disk WHO slow 50ms", "disk WHO ok"];
        let more =
            more.into_iter().chain(["disk WHO lose", "disk WHO wipe", "bridge WHO", "star WHO"]);
        let links = ["delay WHO 100ms 20ms", "loss WHO 30%", "heal WHO", "hold WHO", "release WHO"];
        for form in more.chain(links) {
            lines.extend(whom.iter().map(|who| form.replace("WHO", who)));
        }
        lines.extend(self.network(&ids));
        lines.extend(self.requests(&ids));
        if !self.live {
            lines.extend(["run", "stop", "step"].map(str::to_owned));
        }
        lines
    }

    /// Lines for the network as a whole, for links, and for messages.
    fn network(&self, ids: &[NodeId]) -> Vec<String> {
        let whole = ["partition minority | majority", "heal", "ring", "delay all 50ms 20ms"];
        let mut lines: Vec<String> = whole.map(str::to_owned).to_vec();
        let rest = ["loss all 5%", "duplicate all 10%", "reorder all 20%", "hold all"];
        lines.extend(rest.into_iter().chain(["release all"]).map(str::to_owned));
        let cures = self.board.faults.active().iter().flat_map(|fault| fault.cures());
        lines.extend(cures.map(|cure| cure.to_string()));
        let servers: Vec<NodeId> = ids.iter().copied().filter(|id| !id.is_client()).collect();
        let mut pairs = vec![(self.select.node, self.select.peer)];
        if servers.len() <= FEW_NODES {
            let all = |a: &NodeId| servers.iter().map(|b| (*a, *b)).collect::<Vec<_>>();
            pairs.extend(servers.iter().flat_map(all));
        }
        for (a, b) in pairs.into_iter().filter(|(a, b)| a != b) {
            if a < b {
                lines.push(format!("partition {a} ~ {b}"));
            }
            lines.push(format!("partition {a} -> {b}"));
        }
        for (msg, _) in self.board.network.flights().take(MESSAGES) {
            lines.extend(["deliver", "drop", "twice"].map(|verb| format!("{verb} {msg}")));
        }
        lines
    }

    /// Lines by which processes ask for something.
    fn requests(&self, ids: &[NodeId]) -> Vec<String> {
        let mut lines = Vec::new();
        let client = ids.iter().find(|id| id.is_client());
        if let Some((client, lock)) = client.zip(self.board.locks.all().next()) {
            let acquire = format!("{client} acquire {} 3s", lock.0);
            let shared = ["read", "of 2"].map(|how| format!("{acquire} {how}"));
            lines.extend(shared.into_iter().filter(|_| !self.board.locks.are_keys()));
            lines.push(acquire);
        }
        lines.extend(self.voters());
        let Some(epoch) = self.board.ring.latest() else { return lines };
        for node in self.board.nodes.servers() {
            let verb = if epoch.has(node.id) { "leave" } else { "join" };
            let at = self.board.nodes.servers().find(|other| other.life.is_up());
            lines.extend(at.map(|at| format!("{} {verb} {}", at.id, node.id)));
        }
        lines
    }

    /// Lines that change who votes on the log and who leads it, as far as logs of that kind can.
    fn voters(&self) -> Vec<String> {
        let board = self.board;
        let Some((leader, _)) = board.leader().filter(|_| !board.log.is_zab()) else {
            return Vec::new();
        };
        let nodes: Vec<NodeId> = board.nodes.servers().map(|node| node.id).collect();
        let mut lines = Vec::new();
        for id in nodes.iter().copied() {
            let voters = |node: &NodeId| board.votes(*node) != (*node == id);
            let voters = Voters::of(nodes.iter().copied().filter(voters));
            if !voters.now().is_empty() {
                let op = Op::Voters { voters };
                lines.push(Command::Ask { who: leader, op }.to_string());
            }
            if board.log.is_raft() && board.votes(id) && id != leader {
                lines.push(format!("{leader} lead {id}"));
            }
        }
        lines
    }

    /// Forms to fill in, but those that would be refused.
    fn forms(&self) -> impl Iterator<Item = Entry> {
        let steers =
            |form: &str| ["run", "stop", "step", "fork", "branch", "seed"].contains(&verb(form));
        let forms = FORMS.iter().filter(move |(form, _)| !(self.live && steers(form)));
        forms.filter(|(form, _)| form.contains(' ')).map(|(form, about)| Entry {
            text: (*form).to_owned(),
            about: (*about).to_owned(),
            key: String::new(),
            does: Does::Begin(match verb(form) {
                "PROCESS" => String::new(),
                verb => format!("{verb} "),
            }),
            no: None,
        })
    }
}

/// Whether an action is of use only as a key.
fn is_plain(action: Action, group: Group) -> bool {
    group == Group::Move || matches!(action, Action::Prompt | Action::Back | Action::Interrupt)
}

fn verb(form: &str) -> &str {
    form.split(' ').next().unwrap_or_default()
}

/// The form that a line is of.
fn form(line: &str) -> Option<&'static (&'static str, &'static str)> {
    let words: Vec<&str> = line.split(' ').collect();
    let of = |(form, _): &&(&str, &str)| verb(form) == words[0];
    let ends = |(form, _): &&(&str, &str)| words.last().is_some_and(|last| form.contains(last));
    FORMS.iter().filter(of).find(ends).or_else(|| FORMS.iter().find(of))
}

/// What is drawn: the line, what is offered for it, and what the chosen entry would do.
#[derive(Clone, Copy, Debug)]
pub struct Palette<'a> {
    /// The line.
    pub input: &'a Input,
    /// What is offered, and how many entries there are at all.
    pub offers: (&'a [Entry], usize),
    /// Which of them is chosen.
    pub at: Option<usize>,
    /// What is wrong with the line, if somebody tried it.
    pub wrong: Option<&'a str>,
    /// What the chosen entry would do, in sentences.
    pub effect: &'a [String],
    /// The chosen entry as a script has it.
    pub script: Option<&'a str>,
}

impl Palette<'_> {
    /// Draws it in the middle of `screen`. Returns where the cursor is.
    pub fn draw(&self, look: &Look, screen: Rect, spots: &Spots, buf: &mut Buffer) -> Position {
        let (offers, all) = self.offers;
        let title = format!("Commands  {} of {all}", offers.len());
        let height = screen.height.saturating_sub(2).min(22);
        let size = Size::new(screen.width.min(WIDTH), height);
        let inside = frame::overlay(buf, screen, look, spots, &title, size);
        let told = self.told(look, usize::from(inside.width.saturating_sub(11)));
        let told_height = u16::try_from(told.len()).unwrap_or(u16::MAX).min(inside.height / 2);
        let [line, list, below, hints] = split(inside, told_height);
        let cursor = frame::prompt(buf, line, look, ":", self.input);
        for (row, at) in
            list.rows().zip(window(offers.len(), self.at.unwrap_or(0), list.height.into()))
        {
            let entry = &offers[at];
            frame::put(buf, row, &entry_line(look, entry, row.width.into(), self.at == Some(at)));
            spots.add(row, Spot::Row(at));
            if self.at == Some(at) {
                frame::select(buf, row, look);
            }
        }
        frame::put_all(buf, below, told);
        let hint = " Enter: do it  Tab: complete  Up: history  Ctrl+Y: copy it  Esc: leave";
        frame::put(buf, hints, &Line::styled(hint, look.style(Role::Muted)));
        cursor
    }

    /// What is wrong, or else what the chosen entry would do.
    fn told(&self, look: &Look, width: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let mut tell = |head: &str, text: &str, style: Style| {
            for (at, part) in frame::wrap(text, width).into_iter().enumerate() {
                let head = if at == 0 { head } else { "" };
                let head = Span::styled(format!(" {head:<8} "), look.style(Role::Muted));
                lines.push(Line::from(vec![head, Span::styled(part, style)]));
            }
        };
        if let Some(wrong) = self.wrong {
            tell("", wrong, look.style(Role::Bad));
            return lines;
        }
        if self.offers.0.is_empty() {
            tell("", "nothing here has these letters; Enter says what is wrong", Style::new());
        }
        let chosen = self.at.and_then(|at| self.offers.0.get(at));
        if let Some(no) = chosen.and_then(|entry| entry.no.as_ref()) {
            tell("not now", no, look.style(Role::Warn));
        } else {
            for (at, text) in self.effect.iter().enumerate() {
                tell(if at == 0 { "effect" } else { "" }, text, Style::new());
            }
        }
        if let Some(script) = self.script {
            tell("script", script, Style::new().add_modifier(Modifier::BOLD));
        }
        lines
    }
}

/// The line, the list, what is told below it after an empty row, and the hints.
fn split(inside: Rect, told: u16) -> [Rect; 4] {
    let row = |y: u16, height: u16| {
        let y = y.min(inside.height);
        Rect { y: inside.y + y, height: height.min(inside.height - y), ..inside }
    };
    let hints = inside.height.saturating_sub(1).max(1);
    let below = hints.saturating_sub(told).max(1);
    let gap = u16::from(below > 4);
    [row(0, 1), row(1, below.saturating_sub(1 + gap)), row(below, hints - below), row(hints, 1)]
}

/// Which of `len` rows to show in `room` so that row `at` is among them.
fn window(len: usize, at: usize, room: usize) -> Range<usize> {
    let start = (at + 1).saturating_sub(room).min(len);
    start..(start + room).min(len)
}

/// `>kill n3        crash; what was not …        x`
fn entry_line(look: &Look, entry: &Entry, width: usize, chosen: bool) -> Line<'static> {
    let mark = if chosen { ">" } else { " " };
    let key = entry.key.width() + 1;
    let text = TEXT.min(width * 2 / 5).max(entry.text.width().min(width.saturating_sub(key + 2)));
    let role = if entry.no.is_some() { Role::Muted } else { Role::Text };
    let pad = |text: &str, width: usize| {
        let line = frame::cut(Line::raw(text.to_owned()), width, look.glyphs.ellipsis).to_string();
        let gap = " ".repeat(width.saturating_sub(line.width()));
        line + &gap
    };
    let about = match &entry.no {
        Some(no) => format!("not now: {no}"),
        None => entry.about.clone(),
    };
    let rest = width.saturating_sub(1 + text + 1 + key + 1);
    Line::from(vec![
        Span::raw(mark),
        Span::styled(pad(&entry.text, text), look.style(role)),
        Span::raw(" "),
        Span::styled(pad(&about, rest), look.style(Role::Muted)),
        Span::styled(format!(" {} ", entry.key), look.style(Role::Accent)),
    ])
}
