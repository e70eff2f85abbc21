//! The fault menu: what can be done to the thing that is selected, bundles of faults from easy to
//! nasty, and what is broken now.
//!
//! Each entry stands for lines that could be typed as well. How long a fault lasts is chosen beside
//! it: its end is one more command, planned for later.

use super::action::Action;
use super::frame;
use super::select::Target;
use super::spots::{Spot, Spots};
use super::theme::{Look, Role};
use crate::base::{NodeId, Op, Span as Length};
use crate::command::{ClockFault, Command, DiskFault, Link, Target as Whom};
use crate::view::Board;
use crate::view::network::State;
use crate::view::nodes::Life;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Bundles of faults, from easy to nasty: name, what it is like, lines.
pub const BUNDLES: &[(&str, &str, &[&str])] = &[
    ("drizzle", "a network that is slow at times", &["delay all 20ms 20ms"]),
    ("rain", "slow, and now and then a message is lost", &["delay all 30ms 30ms", "loss all 2%"]),
    (
        "storm",
        "lost, doubled and overtaken messages",
        &["loss all 10%", "duplicate all 5%", "reorder all 10%"],
    ),
    ("split", "the leader is on the smaller side", &["partition minority | majority"]),
    (
        "grey",
        "nothing is down, and nothing is right",
        &["disk leader slow 100ms", "clock one +500ms", "loss leader 20%"],
    ),
    ("hub", "all nodes reach one of them, and no other", &["star one"]),
    ("decapitation", "the leader dies in bad weather", &["loss all 10%", "kill leader"]),
    (
        "nightmare",
        "no two nodes see the same majority, messages are lost, a clock runs away",
        &["ring", "loss all 20%", "reorder all 30%", "clock one drift 10000"],
    ),
];

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lasting {
    /// Until somebody ends it.
    #[default]
    Healed,
    /// For so many seconds.
    Seconds(u64),
    /// It comes and goes every second, [`FLAPS`] times.
    Flapping,
}

/// How often a flapping fault comes.
pub const FLAPS: u64 = 5;

const LASTINGS: [(Lasting, &str); 4] = [
    (Lasting::Healed, "until healed"),
    (Lasting::Seconds(5), "5 s"),
    (Lasting::Seconds(30), "30 s"),
    (Lasting::Flapping, "flapping"),
];

impl Lasting {
    /// What to do later, counted from when the fault began.
    pub fn later(self, give: &[Command]) -> Vec<(Length, Command)> {
        let ends: Vec<Command> = give.iter().rev().flat_map(end).collect();
        let all = |at: u64, commands: &[Command]| {
            let at = Length::secs(at);
            commands.iter().map(|command| (at, command.clone())).collect::<Vec<_>>()
        };
        match self {
            Lasting::Healed => Vec::new(),
            Lasting::Seconds(seconds) => all(seconds, &ends),
            Lasting::Flapping => (0..FLAPS)
                .flat_map(|round| {
                    let again = if round + 1 < FLAPS { give } else { &[] };
                    [all(2 * round + 1, &ends), all(2 * round + 2, again)].concat()
                })
                .collect(),
        }
    }
}

/// The commands that end what this one begins; none if it begins nothing that lasts.
fn end(command: &Command) -> Vec<Command> {
    use Command::*;
    let zero = Length::ZERO;
    vec![match command.clone() {
        Kill { who, .. } => Restart(who),
        Pause(who) => Resume(who),
        Isolate(who) | Bridge(who) => Heal(Link::Of(who)),
        Star(_) => Heal(Link::All),
        Cut(link) => Heal(link),
        Ring => Heal(Link::All),
        Partition(groups) => return between(&groups),
        Delay { link, .. } => Delay { link, by: zero, jitter: zero },
        Loss { link, .. } => Loss { link, percent: 0 },
        Duplicate { link, .. } => Duplicate { link, percent: 0 },
        Reorder { link, .. } => Reorder { link, percent: 0 },
        Hold(link) => Release(link),
        Clock { who, .. } => Clock { who, fault: ClockFault::Ok },
        Disk { who, fault: DiskFault::Slow(_) } => Disk { who, fault: DiskFault::Ok },
        Disk { who, fault: DiskFault::Lose | DiskFault::Wipe } => Restart(who),
        _ => return Vec::new(),
    }]
}

fn between(groups: &[Whom]) -> Vec<Command> {
    let pairs = groups.iter().enumerate().flat_map(|(at, a)| {
        let later = groups[at + 1..].iter();
        later.map(move |b| Command::Heal(Link::Between(a.clone(), b.clone())))
    });
    pairs.collect()
}

/// What a menu is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Everything that can be done to the selection.
    All,
    /// How much to delay.
    Delay,
    /// How much to lose.
    Loss,
    /// What to do to a clock.
    Clock,
    /// Bundles of faults.
    Bundles,
    /// What is broken now.
    Broken,
}

/// One thing that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key that does it.
    pub key: Option<char>,
    /// What it belongs to; entries of one kind stand together.
    pub heading: &'static str,
    /// What it does, in a few words.
    pub label: String,
    /// What that is like.
    pub note: String,
    /// The commands that it stands for; none opens another page.
    pub give: Vec<Command>,
    /// The page that it opens.
    pub opens: Option<Page>,
    /// Why it cannot be done now, if it cannot.
    pub no: Option<String>,
}

impl Entry {
    fn new(key: char, heading: &'static str, label: &str, note: &str, lines: &[String]) -> Entry {
        Entry {
            key: Some(key),
            heading,
            label: label.to_owned(),
            note: note.to_owned(),
            give: lines.iter().filter_map(|line| line.parse().ok()).collect(),
            opens: None,
            no: None,
        }
    }

    fn opens(key: char, heading: &'static str, label: &str, note: &str, page: Page) -> Entry {
        Entry { opens: Some(page), ..Entry::new(key, heading, label, note, &[]) }
    }

    /// Whether it has an end that can be planned.
    fn lasts(&self) -> bool {
        self.give.iter().any(|command| command.harms() && !end(command).is_empty())
    }

    /// Whether it takes what nobody can give back.
    pub fn asks(&self) -> bool {
        let gone =
            |command: &Command| matches!(command, Command::Disk { fault: DiskFault::Wipe, .. });
        self.give.iter().any(gone)
    }
}

/// What a key says to the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    /// Leave it.
    Leave,
    /// Do this, and leave.
    Do(Entry, Lasting),
}

/// The menu.
#[derive(Clone, Debug)]
pub struct Menu {
    target: Target,
    page: Page,
    at: usize,
    lasting: usize,
}

impl Menu {
    /// The menu for what is selected; how long faults last is as it was chosen last.
    pub fn new(target: Target, page: Page, lasting: Lasting) -> Menu {
        let lasting = LASTINGS.iter().position(|(known, _)| *known == lasting).unwrap_or(0);
        let page =
            if target == Target::Nothing && page == Page::All { Page::Bundles } else { page };
        Menu { target, page, at: 0, lasting }
    }

    /// How long faults last, as chosen.
    pub fn lasting(&self) -> Lasting {
        LASTINGS[self.lasting].0
    }

    /// What can be done, on the page that is open. `hinders` says why a command would come to
    /// nothing.
    pub fn entries(
        &self,
        board: &Board,
        hinders: &dyn Fn(&Command) -> Option<String>,
    ) -> Vec<Entry> {
        let mut entries = match self.page {
            Page::All => all(&self.target, board),
            Page::Delay => delays(&self.target),
            Page::Loss => losses(&self.target),
            Page::Clock => clocks(&self.target, board),
            Page::Bundles => bundles(),
            Page::Broken => broken(board),
        };
        for entry in &mut entries {
            // Of a bundle, later commands may need what earlier ones do.
            entry.no = entry.give.first().and_then(hinders);
        }
        entries
    }

    /// Handles a key.
    pub fn key(
        &mut self,
        key: &KeyEvent,
        action: Option<Action>,
        entries: &[Entry],
    ) -> Option<Picked> {
        let last = entries.len().saturating_sub(1);
        if let KeyCode::Char(letter) = key.code
            && let Some(at) = entries.iter().position(|entry| entry.key == Some(letter))
        {
            self.at = at;
            return self.pick(entries);
        }
        match (key.code, action) {
            (KeyCode::Enter, _) => return self.pick(entries),
            (_, Some(Action::Up)) => self.at = self.at.saturating_sub(1),
            (_, Some(Action::Down)) => self.at = (self.at + 1).min(last),
            (_, Some(Action::Left)) => self.lasting = self.lasting.saturating_sub(1),
            (_, Some(Action::Right)) => self.lasting = (self.lasting + 1).min(LASTINGS.len() - 1),
            (_, Some(Action::NextPane)) => self.turn(1),
            (_, Some(Action::PreviousPane)) => self.turn(2),
            (_, Some(Action::FaultMenu | Action::Quit | Action::Interrupt)) => {
                return Some(Picked::Leave);
            }
            (_, Some(Action::Back)) => return self.back(),
            _ => {}
        }
        None
    }

    /// Does the row that is pointed at, if it is chosen already, else chooses it.
    pub fn point(&mut self, at: usize, entries: &[Entry]) -> Option<Picked> {
        let chosen = self.at == at;
        self.at = at;
        if chosen { self.pick(entries) } else { None }
    }

    /// The wheel turns over it.
    pub fn wheel(&mut self, down: bool, entries: &[Entry]) {
        let last = entries.len().saturating_sub(1);
        self.at = if down { (self.at + 1).min(last) } else { self.at.saturating_sub(1) };
    }

    /// Leaves a page of values for the one that opened it, else the menu.
    fn back(&mut self) -> Option<Picked> {
        match self.page {
            Page::Delay | Page::Loss | Page::Clock => {
                (self.page, self.at) = (Page::All, 0);
                None
            }
            _ => Some(Picked::Leave),
        }
    }

    /// The chosen entry.
    pub fn chosen<'a>(&self, entries: &'a [Entry]) -> Option<&'a Entry> {
        entries.get(self.at.min(entries.len().saturating_sub(1)))
    }

    fn pick(&mut self, entries: &[Entry]) -> Option<Picked> {
        let entry = self.chosen(entries)?.clone();
        if let Some(page) = entry.opens {
            (self.page, self.at) = (page, 0);
            return None;
        }
        entry.no.is_none().then(|| Picked::Do(entry, self.lasting()))
    }

    /// To the next of the three pages that have a tab.
    fn turn(&mut self, steps: usize) {
        let tabs = [Page::All, Page::Bundles, Page::Broken];
        let here = tabs.iter().position(|tab| *tab == self.page).unwrap_or(0);
        let skip = usize::from(self.target == Target::Nothing && (here + steps).is_multiple_of(3));
        (self.page, self.at) = (tabs[(here + steps + skip * steps) % 3], 0);
    }
}

/// Its name in a sentence.
fn name(target: &Target, board: &Board) -> String {
    match target {
        Target::Node(id) => match board.leader().filter(|(leader, _)| leader == id) {
            Some((_, ballot)) => format!("{id}, leads in {ballot}"),
            None => id.to_string(),
        },
        Target::Link(a, b) => format!("the link {a} to {b}"),
        Target::Message(msg) => match board.network.flight(*msg) {
            Some(flight) => format!("{msg}, {} to {}: {}", flight.from, flight.to, flight.label),
            None => format!("{msg}, which has arrived"),
        },
        Target::Lock(lock) => format!("lock {lock}"),
        Target::Txn(txn) => format!("transaction {txn}"),
        Target::Nothing => "the cluster".to_owned(),
    }
}

/// The links that delays and losses are for, as a line has them.
fn links(target: &Target) -> Option<String> {
    match target {
        Target::Node(id) => Some(id.to_string()),
        Target::Link(a, b) if a != b => Some(format!("{a} -> {b}")),
        Target::Message(msg) => Some(msg.to_string()),
        Target::Lock(lock) => Some(format!("holder {lock}")),
        Target::Txn(txn) => Some(txn.coordinator.to_string()),
        _ => None,
    }
}

fn all(target: &Target, board: &Board) -> Vec<Entry> {
    match target {
        Target::Node(id) => node(*id, board),
        Target::Link(a, b) if a != b => link(*a, *b, board),
        Target::Message(msg) => vec![
            Entry::new('x', "message", "drop", "the sender is not told", &[format!("drop {msg}")]),
            Entry::new('e', "message", "deliver now", "", &[format!("deliver {msg}")]),
            Entry::new('u', "message", "deliver twice", "", &[format!("twice {msg}")]),
            Entry::opens('d', "message", "delay", "how much", Page::Delay),
        ],
        Target::Lock(lock) => {
            let held = board.locks.get(lock).and_then(|lock| lock.holder());
            let Some(holder) = held else { return Vec::new() };
            let client = holder.call.client;
            let op = Op::Release { lock: lock.clone(), token: holder.token };
            let release = Command::Ask { who: client, op }.to_string();
            let mut entries =
                vec![Entry::new('x', "lock", "release", "its holder asks", &[release])];
            entries.extend(process(client, board, "its holder"));
            entries.extend(network(&client.to_string(), client, board));
            entries
        }
        Target::Txn(txn) => {
            let mut entries = process(txn.coordinator, board, "its coordinator");
            entries.extend(network(&txn.coordinator.to_string(), txn.coordinator, board));
            entries
        }
        _ => Vec::new(),
    }
}

/// What can be done to a process as such.
fn process(id: NodeId, board: &Board, heading: &'static str) -> Vec<Entry> {
    let life = board.node(id).map_or(Life::Unknown, |node| node.life.clone());
    let kill = match life.is_down() {
        true => Entry::new('x', heading, "start", "from its disk", &[format!("restart {id}")]),
        false => Entry::new('x', heading, "kill", "x again starts it", &[format!("kill {id}")]),
    };
    // A lock has its own x.
    let kill = Entry { key: kill.key.filter(|_| heading != "its holder").or(Some('c')), ..kill };
    let pause = match life {
        Life::Paused => Entry::new('p', heading, "resume", "", &[format!("resume {id}")]),
        _ => {
            let note = "like SIGSTOP; its leases run on";
            Entry::new('p', heading, "pause", note, &[format!("pause {id}")])
        }
    };
    vec![kill, pause]
}

fn node(id: NodeId, board: &Board) -> Vec<Entry> {
    let mut entries = process(id, board, "process");
    let state = board.node(id);
    let again = [format!("kill {id}"), format!("restart {id}")];
    entries.push(Entry::new('r', "process", "restart", "crash, and boot from disk", &again));
    if !id.is_client() {
        let wipe = [format!("disk {id} wipe")];
        entries.push(Entry::new('w', "process", "lose the disk", "asks first", &wipe));
    }
    let timer = state.and_then(|node| node.acts_by());
    let fire = Command::Fire { who: Whom::just(id), timer: timer.clone(), after: None }.to_string();
    let note = timer.map_or("the one that is due first".to_owned(), |timer| timer.to_string());
    entries.push(Entry::new('e', "process", "run a timer out", &note, &[fire]));
    entries.push(Entry::opens(
        't',
        "clock and disk",
        "clock",
        "ahead, behind, fast, slow",
        Page::Clock,
    ));
    if !id.is_client() {
        let slow = state.is_some_and(|node| node.disk_slow > Length::ZERO);
        entries.push(match slow {
            true => Entry::new('y', "clock and disk", "fast disk", "", &[format!("disk {id} ok")]),
            false => {
                let line = format!("disk {id} slow 200ms");
                Entry::new('y', "clock and disk", "slow disk", "every sync +200 ms", &[line])
            }
        });
    }
    entries.extend(network(&id.to_string(), id, board));
    entries
}

/// What can be done to the network around a process.
fn network(link: &str, id: NodeId, board: &Board) -> Vec<Entry> {
    const HEADING: &str = "network around it";
    let others: Vec<NodeId> = board.nodes.ids().iter().copied().filter(|o| *o != id).collect();
    let cut = |other: &NodeId| board.network.state(id, *other) == State::Cut;
    let isolate = match !others.is_empty() && others.iter().all(cut) {
        true => Entry::new('i', HEADING, "reconnect", "", &[format!("heal {link}")]),
        false => Entry::new('i', HEADING, "isolate", "cut all links", &[format!("isolate {link}")]),
    };
    let names: Vec<String> = others.iter().map(ToString::to_string).collect();
    let names = names.join(",");
    let deaf = [format!("partition {names} -> {link}")];
    let dumb = [format!("partition {link} -> {names}")];
    vec![
        isolate,
        Entry::new('o', HEADING, "cut outgoing", "others do not hear it", &dumb),
        Entry::new('n', HEADING, "cut incoming", "it does not hear others", &deaf),
        Entry::opens('d', HEADING, "delay", "how much", Page::Delay),
        Entry::opens('D', HEADING, "drop", "how many", Page::Loss),
        Entry::new('u', HEADING, "duplicate", "20 %", &[format!("duplicate {link} 20%")]),
        Entry::new('s', HEADING, "reorder", "30 %", &[format!("reorder {link} 30%")]),
        Entry::new('b', HEADING, "hold back", "until released", &[format!("hold {link}")]),
    ]
}

fn link(a: NodeId, b: NodeId, board: &Board) -> Vec<Entry> {
    const HEADING: &str = "link";
    let cut = |a, b| board.network.state(a, b) == State::Cut;
    let both = match cut(a, b) || cut(b, a) {
        true => Entry::new('x', HEADING, "heal", "both ways", &[format!("heal {a} ~ {b}")]),
        false => Entry::new('x', HEADING, "cut", "both ways", &[format!("partition {a} ~ {b}")]),
    };
    let (one, way) = (format!("{a} -> {b}"), format!("partition {a} -> {b}"));
    vec![
        both,
        Entry::new('o', HEADING, "cut one way", &format!("{b} does not hear {a}"), &[way]),
        Entry::opens('d', HEADING, "delay", "how much", Page::Delay),
        Entry::opens('D', HEADING, "drop", "how many", Page::Loss),
        Entry::new('u', HEADING, "duplicate", "20 %", &[format!("duplicate {one} 20%")]),
        Entry::new('s', HEADING, "reorder", "30 %", &[format!("reorder {one} 30%")]),
        Entry::new('b', HEADING, "hold back", "until released", &[format!("hold {one}")]),
    ]
}

fn delays(target: &Target) -> Vec<Entry> {
    let Some(links) = links(target) else { return Vec::new() };
    let message = matches!(target, Target::Message(_));
    let entry = |(key, by, jitter): (char, &str, &str)| {
        let line = if message {
            format!("delay {links} {by}")
        } else {
            format!("delay {links} {by} {jitter}")
        };
        let note = if message { String::new() } else { format!("and up to {jitter} more") };
        Entry::new(key, "delay", by, &note, &[line])
    };
    let all = [('1', "10ms", "5ms"), ('2', "50ms", "20ms"), ('3', "100ms", "20ms")];
    let rest = [('4', "500ms", "100ms"), ('5', "2s", "500ms")];
    let mut entries: Vec<Entry> = all.into_iter().chain(rest).map(entry).collect();
    if !message {
        let line = format!("delay {links} 0ms");
        entries.push(Entry::new('0', "delay", "none", "as fast as before", &[line]));
    }
    entries
}

fn losses(target: &Target) -> Vec<Entry> {
    let Some(links) = links(target).filter(|_| !matches!(target, Target::Message(_))) else {
        return Vec::new();
    };
    let entry = |(key, percent): (char, u8)| {
        let note = if percent == 0 { "none is lost" } else { "of all messages" };
        let line = format!("loss {links} {percent}%");
        Entry::new(key, "drop", &format!("{percent} %"), note, &[line])
    };
    [('1', 5), ('2', 10), ('3', 30), ('4', 50), ('5', 90), ('0', 0)]
        .into_iter()
        .map(entry)
        .collect()
}

fn clocks(target: &Target, board: &Board) -> Vec<Entry> {
    let id = match target {
        Target::Node(id) | Target::Link(id, _) => *id,
        Target::Txn(txn) => txn.coordinator,
        Target::Lock(lock) => match board.locks.get(lock).and_then(|lock| lock.holder()) {
            Some(holder) => holder.call.client,
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let entry = |(key, label, fault): (char, &str, &str)| {
        Entry::new(key, "clock", label, "", &[format!("clock {id} {fault}")])
    };
    let all = [
        ('1', "50 ms ahead", "+50ms"),
        ('2', "250 ms ahead", "+250ms"),
        ('3', "5 s ahead", "+5s"),
        ('4', "250 ms behind", "-250ms"),
        ('5', "1 % fast", "drift 10000"),
        ('6', "1 % slow", "drift -10000"),
        ('0', "right", "ok"),
    ];
    all.into_iter().map(entry).collect()
}

fn bundles() -> Vec<Entry> {
    let entry = |(key, (name, about, lines)): (char, &(&str, &str, &[&str]))| {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Entry::new(key, "from easy to nasty", name, about, &lines)
    };
    ('1'..='9').zip(BUNDLES).map(entry).collect()
}

fn broken(board: &Board) -> Vec<Entry> {
    let entry = |(at, fault): (usize, &crate::view::faults::Fault)| Entry {
        key: char::from_digit(at as u32 + 1, 10),
        heading: "heal one",
        label: fault.text.to_string(),
        note: format!("since {}", fault.since),
        give: fault.cures(),
        opens: None,
        no: None,
    };
    let active = board.faults.active();
    let mut entries: Vec<Entry> = active.iter().enumerate().map(entry).collect();
    if entries.len() > 1 {
        let mut give: Vec<Command> = active.iter().flat_map(|fault| fault.cures()).collect();
        give.sort();
        give.dedup();
        let all = Entry::new('H', "heal all", "heal everything", "", &[]);
        entries.push(Entry { give, ..all });
    }
    entries
}

impl Menu {
    /// What the page that is open is about.
    pub fn title(&self, board: &Board) -> String {
        match self.page {
            Page::Bundles => "Bundles of faults".to_owned(),
            Page::Broken => format!("Broken now: {}", board.faults.count()),
            _ => format!("Fault on {}", name(&self.target, board)),
        }
    }

    /// Draws it in the middle of `screen`. `effect` is what the chosen entry would do.
    pub fn draw(
        &self,
        look: &Look,
        board: &Board,
        (entries, effect): (&[Entry], &[String]),
        screen: Rect,
        spots: &Spots,
        buf: &mut Buffer,
    ) {
        let title = self.title(board);
        let width = screen.width.min(68);
        let headings = headings(entries);
        let told = self.told(look, entries, effect, usize::from(width.saturating_sub(4)));
        let lasts = self.page != Page::Broken;
        let want = entries.len().max(1) + headings + told.len().max(2) + usize::from(lasts) + 4;
        let height = u16::try_from(want).unwrap_or(u16::MAX).min(screen.height);
        let inside = frame::overlay(buf, screen, look, spots, &title, Size::new(width, height));
        let mut rows = inside.rows();
        if let Some(row) = rows.next() {
            frame::put(buf, row, &self.tabs(look, board));
        }
        // From below: the hint, how long it lasts, what it does; the list has the rest.
        let hint = " a key or Enter: do it   Tab: more   Esc: leave";
        let mut below = vec![Line::styled(hint, look.style(Role::Muted))];
        if lasts && inside.height > 6 {
            below.insert(0, self.lasting_line(look, entries));
        }
        let spare = usize::from(inside.height).saturating_sub(4 + below.len());
        let told = told.into_iter().take(spare.min(4));
        let below: Vec<Line<'_>> = told.chain(below).collect();
        let list = usize::from(inside.height).saturating_sub(1 + below.len());
        self.list(
            look,
            entries,
            Rect { y: inside.y + 1, height: list as u16, ..inside },
            spots,
            buf,
        );
        let y = (inside.y + 1 + list as u16).min(inside.bottom());
        frame::put_all(buf, Rect { y, height: inside.bottom() - y, ..inside }, below);
    }

    fn tabs(&self, look: &Look, board: &Board) -> Line<'static> {
        let broken = format!("broken now {}", board.faults.count());
        let tabs = [
            (!matches!(self.page, Page::Bundles | Page::Broken), "this".to_owned()),
            (self.page == Page::Bundles, "bundles".to_owned()),
            (self.page == Page::Broken, broken),
        ];
        let tab = |(here, text): (bool, String)| match here {
            true => Span::styled(format!(" [{text}]"), look.style(Role::Accent)),
            false => Span::styled(format!("  {text} "), look.style(Role::Muted)),
        };
        tabs.into_iter().map(tab).collect::<Vec<_>>().into()
    }

    fn list(&self, look: &Look, entries: &[Entry], area: Rect, spots: &Spots, buf: &mut Buffer) {
        if entries.is_empty() {
            let text = if self.page == Page::Broken {
                " nothing is broken"
            } else {
                " nothing can be done to it"
            };
            return frame::put(buf, area, &Line::styled(text, look.style(Role::Muted)));
        }
        let mut lines: Vec<(Option<usize>, Line<'static>)> = Vec::new();
        let mut heading = "";
        for (at, entry) in entries.iter().enumerate() {
            if entry.heading != heading && entries.len() > 7 {
                let bold = Style::new().add_modifier(Modifier::BOLD);
                lines.push((None, Line::styled(format!(" {}", entry.heading), bold)));
            }
            heading = entry.heading;
            lines.push((Some(at), row(look, entry, at == self.at)));
        }
        let here = lines.iter().position(|(at, _)| *at == Some(self.at)).unwrap_or(0);
        let first = (here + 1).saturating_sub(area.height.into());
        for (place, (at, line)) in area.rows().zip(lines.into_iter().skip(first)) {
            frame::put(buf, place, &frame::cut(line, place.width.into(), look.glyphs.ellipsis));
            let Some(at) = at else { continue };
            spots.add(place, Spot::Row(at));
            if at == self.at {
                frame::select(buf, place, look);
            }
        }
    }

    fn lasting_line(&self, look: &Look, entries: &[Entry]) -> Line<'static> {
        let lasts = self.chosen(entries).is_some_and(Entry::lasts);
        let mut line = Line::raw(" for");
        for (at, (_, word)) in LASTINGS.iter().enumerate() {
            let chosen = at == self.lasting;
            let role = if chosen && lasts { Role::Accent } else { Role::Muted };
            let text = if chosen { format!(" [{word}]") } else { format!("  {word} ") };
            line.push_span(Span::styled(text, look.style(role)));
        }
        line.push_span(Span::styled("  Left/Right", look.style(Role::Muted)));
        line
    }

    /// What the chosen entry would do, or why it cannot be done; its lines if they are several.
    fn told(
        &self,
        look: &Look,
        entries: &[Entry],
        effect: &[String],
        width: usize,
    ) -> Vec<Line<'static>> {
        let Some(entry) = self.chosen(entries) else { return Vec::new() };
        let (texts, role) = match &entry.no {
            Some(no) => (vec![format!("not now: {no}")], Role::Warn),
            None => {
                let lines = entry.give.iter().map(ToString::to_string).collect::<Vec<_>>();
                let lines = (!lines.is_empty()).then(|| lines.join("; "));
                (lines.into_iter().chain(effect.iter().cloned()).collect(), Role::Text)
            }
        };
        let parts = texts.iter().flat_map(|text| frame::wrap(text, width));
        parts.map(|part| Line::styled(format!(" {part}"), look.style(role))).collect()
    }
}

fn headings(entries: &[Entry]) -> usize {
    let mut kinds: Vec<&str> = entries.iter().map(|entry| entry.heading).collect();
    kinds.dedup();
    if entries.len() > 7 { kinds.len() } else { 0 }
}

/// `> x  kill          x again starts it`
fn row(look: &Look, entry: &Entry, chosen: bool) -> Line<'static> {
    let role = if entry.no.is_some() { Role::Muted } else { Role::Text };
    let key = entry.key.map(String::from).unwrap_or_default();
    Line::from(vec![
        Span::raw(if chosen { ">" } else { " " }),
        Span::styled(format!(" {key:<2} "), look.style(Role::Accent)),
        Span::styled(format!("{:<18} ", entry.label), look.style(role)),
        Span::styled(entry.note.clone(), look.style(Role::Muted)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundle_is_made_of_commands() {
        for (entry, (name, _, lines)) in bundles().iter().zip(BUNDLES) {
            assert_eq!(entry.give.len(), lines.len(), "{name}");
        }
    }

    #[test]
    fn what_lasts_ends_and_what_flaps_ends_too() {
        let give: Vec<Command> = vec!["kill n1".parse().unwrap()];
        let lines = |lasting: Lasting| -> Vec<String> {
            let later = lasting.later(&give).into_iter();
            later.map(|(at, command)| format!("{at} {command}")).collect()
        };
        assert!(lines(Lasting::Healed).is_empty());
        assert_eq!(lines(Lasting::Seconds(5)), ["5s restart n1"]);
        let flaps = lines(Lasting::Flapping);
        assert_eq!(flaps[..3], ["1s restart n1", "2s kill n1", "3s restart n1"]);
        assert_eq!(flaps.last().map(String::as_str), Some("9s restart n1"));
        let ends = |line: &str| -> Vec<String> {
            end(&line.parse().unwrap()).iter().map(ToString::to_string).collect()
        };
        assert_eq!(ends("partition n1 | n2,n3 | n4").len(), 3);
        assert_eq!(ends("delay all 50ms"), ["delay all 0ms"]);
        assert!(ends("drop #7").is_empty());
    }
}
