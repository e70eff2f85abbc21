//! The same workbench, told line by line.

use super::{App, Errand};
use crate::base::{Span, Time};
use crate::command::Command;
use crate::event::{Event, Fact, Kind};
use crate::tui::action::Action;
use crate::tui::faults::{self, Entry, Lasting, Menu, Page};
use crate::tui::layout::PaneKind;
use crate::tui::overlay::{Overlay, Wish};
use crate::tui::palette::{self, Does};
use crate::tui::panes;
use crate::tui::select::Move;

/// The most entries that a menu of found commands has.
const OFFERS: usize = 9;

const HELP: &str = "\
Lines:
  nodes, ring, locks, …     list that pane; a number then selects, and shows what can be done
  menu, bundles, broken     what can be done to the selection; bundles of faults; what is broken
  effect COMMAND            what it would do
  run 3s, run until 10s     let time pass; step 5 takes steps; run and stop for who watches
  back 2s, now              look at the past; return
  save FILE, open FILE      the run, to go on with it later
  c1 upload F @FILE         put a file of yours; fetch F @FILE writes what a client has read
  tell all, tell few        every event that matters, or only trouble and changes of role
  status, undo, redo, quit  and every command: kill leader, partition n1 | n2,n3, heal
A few letters of anything show what it could be, as a menu. A number chooses from the last menu.";

/// What a number chooses.
#[derive(Clone, Debug)]
enum Choice {
    Item(PaneKind, usize),
    Fault(Entry),
    Offer(palette::Entry),
}

/// What was told, and what numbers mean.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    menu: Vec<Choice>,
    /// How many events of which branch were looked at.
    told: usize,
    branches: usize,
    violations: usize,
    /// Whether everything that matters is told, or only trouble.
    all: bool,
}

/// Whether an event is trouble, or a change of role.
fn is_news(event: &Event) -> bool {
    use Fact::*;
    match &event.kind {
        Kind::Commanded(_) | Kind::Killed { .. } | Kind::Paused | Kind::Resumed => true,
        Kind::Panicked { .. } | Kind::Failed { .. } | Kind::Missed { .. } => true,
        Kind::Started { boot, .. } => *boot > 1,
        Kind::Fact(fact) => match fact {
            Leads { .. } | Suspects { .. } | Dead { .. } => true,
            Guards { accepted, .. } => !accepted,
            Votes { yes, .. } => !yes,
            _ => false,
        },
        _ => false,
    }
}

/// A line for a terminal that knows letters only.
fn in_letters(line: &str) -> String {
    let plain = |c: char| match c {
        '→' => "->".to_owned(),
        '←' => "<-".to_owned(),
        '▼' => "v".to_owned(),
        '·' => "-".to_owned(),
        '…' => "...".to_owned(),
        '×' => "x".to_owned(),
        c if c.is_ascii() => c.to_string(),
        _ => "?".to_owned(),
    };
    line.chars().map(plain).collect()
}

impl App {
    /// How it stands, in a line.
    pub fn status(&self) -> String {
        let board = self.timeline.board();
        let live = self.timeline.is_live();
        let now = if live { board.now.max(self.reached) } else { board.now };
        let pace = match (live, self.moves()) {
            _ if self.timeline.excerpt().is_some() => "the fewest events that show what broke",
            (false, _) => "the past",
            _ if self.over => "ended",
            _ if self.is_live() => "live",
            (true, true) => "running",
            (true, false) => "paused",
        };
        let leader = match board.leader() {
            Some((id, ballot)) => format!("{id} leads {ballot}"),
            None => "nobody leads".to_owned(),
        };
        let checks = self.timeline.checks();
        let (holds, broken) = (checks.holding(), checks.violations().count());
        format!(
            "t {now} {pace}; {leader}; {} faults; checks: {holds} hold, {broken} broken; selected {}",
            board.faults.count(),
            self.select.node
        )
    }

    /// Lines as the terminal can show them.
    pub fn readable(&self, lines: Vec<String>) -> Vec<String> {
        match self.look.glyphs.is_ascii() {
            true => lines.iter().map(|line| in_letters(line)).collect(),
            false => lines,
        }
    }

    /// What happened since it was told last.
    pub fn news(&mut self, plain: &mut Plain) -> Vec<String> {
        let branch = self.timeline.running();
        let mut lines = Vec::new();
        if self.timeline.branches().len() != plain.branches.max(1) {
            plain.told = plain.told.min(branch.fork);
            plain.violations = 0;
            lines.push(format!("branch {} begins at {}", branch.name, branch.fork_at));
        }
        plain.branches = self.timeline.branches().len();
        let leader = self.timeline.live_board().leader().map(|(leader, _)| leader);
        let events = branch.events();
        for (_, event) in events.range(plain.told.min(events.len())..events.len()) {
            if is_news(event) || (plain.all && panes::is_worth_a_row(leader, event)) {
                lines.push(event.to_string());
            }
        }
        plain.told = events.len();
        let known = plain.violations;
        let found: Vec<String> =
            branch.checks().violations().skip(known).map(|found| format!("! {found}")).collect();
        plain.violations += found.len();
        lines.extend(found);
        lines
    }

    /// Takes a line, and says what there is to say to it.
    pub fn line(&mut self, plain: &mut Plain, line: &str) -> Vec<String> {
        self.notice = None;
        let line = line.trim();
        let mut answer = match &self.overlay {
            Some(Overlay::Question(_)) => self.answer_question(line),
            _ => self.obey(plain, line),
        };
        if let Some(Overlay::Question(question)) = &self.overlay {
            answer.push(question.title.clone());
            answer.extend(question.text.iter().cloned());
            answer.push("y: yes, do it; anything else: no".to_owned());
        }
        answer.extend(self.notice.take());
        answer
    }

    /// Yes is said by one word only.
    fn answer_question(&mut self, line: &str) -> Vec<String> {
        let Some(Overlay::Question(question)) = self.overlay.take() else { return Vec::new() };
        match (line, question.wish) {
            ("y" | "yes", Wish::Give(commands, lasting)) => self.give(commands, lasting),
            ("y" | "yes", Wish::Quit) => self.quit = true,
            _ => self.say("no"),
        }
        Vec::new()
    }

    fn obey(&mut self, plain: &mut Plain, line: &str) -> Vec<String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (verb, rest.trim()) {
            ("", _) | ("status", "") => return vec![self.status()],
            ("help" | "?", _) => return HELP.lines().map(str::to_owned).collect(),
            ("quit" | "q" | "exit", "") => self.leave(),
            ("save" | "open", "") => return vec![format!("write {verb} FILE, such as run.nsr")],
            ("save", path) => self.errands.push(Errand::Save(path.to_owned())),
            ("open", path) => self.errands.push(Errand::Open(path.to_owned())),
            ("tell", word @ ("all" | "few")) => plain.all = word == "all",
            ("menu", "") => return self.menu(plain, Page::All),
            ("bundles", "") => return self.menu(plain, Page::Bundles),
            ("broken", "") => return self.menu(plain, Page::Broken),
            ("effect", rest) => return self.foretell(rest),
            ("now", "") => self.timeline.live(),
            ("back", span) => match span.parse::<Span>() {
                Ok(span) => self.look(|timeline| timeline.skip_back(span)),
                Err(why) => return vec![why.to_string()],
            },
            ("run", rest) if !rest.is_empty() => return self.run_for(rest),
            _ => return self.find(plain, line),
        }
        match verb {
            "now" | "back" => vec![self.status()],
            _ => Vec::new(),
        }
    }

    /// `3s` or `until 10s`.
    fn run_for(&mut self, rest: &str) -> Vec<String> {
        let until = match rest.strip_prefix("until") {
            Some(time) => time.trim().parse::<Time>(),
            None => rest.parse::<Span>().map(|span| self.reached + span),
        };
        match until {
            Ok(_) if self.is_live() => vec!["a live cluster runs by itself".to_owned()],
            Ok(until) => {
                self.timeline.live();
                self.running = true;
                self.bound_for = Some(until);
                self.go_on();
                Vec::new()
            }
            Err(why) => vec![why.to_string()],
        }
    }

    /// Goes on to the time that was asked for, if it was not reached yet.
    pub(super) fn go_on(&mut self) {
        let Some(goal) = self.bound_for else { return };
        if self.reached >= goal || self.over {
            self.bound_for = None;
            return;
        }
        let until = self.goal(goal.since(self.reached));
        self.running = true;
        self.outbox.push(Command::Run { until: Some(until) });
    }

    fn foretell(&self, line: &str) -> Vec<String> {
        match line.parse::<Command>() {
            Ok(command) => self.effect(&command),
            Err(why) => vec![why.to_string()],
        }
    }

    /// A number, a pane, a command, or letters of something.
    fn find(&mut self, plain: &mut Plain, line: &str) -> Vec<String> {
        if let Ok(number) = line.parse::<usize>() {
            return self.pick(plain, number);
        }
        if let Some(pane) = PaneKind::ALL.into_iter().find(|pane| pane.id() == line) {
            return self.list(plain, pane);
        }
        if self.carries(line) {
            return Vec::new();
        }
        if let Ok(command) = line.parse::<Command>() {
            self.order(&command);
            return Vec::new();
        }
        let (offers, _) = self.offers_for(line);
        if let Some(exact) = offers.iter().find(|entry| entry.text == line) {
            return self.take_offer(exact.clone());
        }
        let shown: Vec<palette::Entry> =
            offers.into_iter().filter(|entry| entry.no.is_none()).take(OFFERS).collect();
        if shown.is_empty() {
            let why = line.parse::<Command>().err().map(|why| why.to_string());
            return why.into_iter().collect();
        }
        let lines =
            shown.iter().enumerate().map(|(at, e)| format!("{} {}: {}", at + 1, e.text, e.about));
        let lines = lines.collect();
        plain.menu = shown.into_iter().map(Choice::Offer).collect();
        lines
    }

    fn list(&mut self, plain: &mut Plain, pane: PaneKind) -> Vec<String> {
        self.focus.go(self.layout.first(pane));
        let scene = self.scene(self.focus.pane());
        let title = panes::pane(pane).title(&scene);
        let name = title.name.unwrap_or_else(|| pane.title().to_owned());
        let items = panes::pane(pane).list(&scene);
        let mut lines = vec![format!("{name}: {}", title.summary)];
        lines.extend(items.iter().enumerate().map(|(at, item)| format!("{:>2} {item}", at + 1)));
        plain.menu = (0..items.len()).map(|at| Choice::Item(pane, at)).collect();
        lines
    }

    fn menu(&mut self, plain: &mut Plain, page: Page) -> Vec<String> {
        let menu = Menu::new(self.target(), page, Lasting::Healed);
        let entries = menu.entries(self.timeline.board(), &|command| self.hinders(command));
        let mut entries: Vec<Entry> =
            entries.into_iter().flat_map(|entry| self.unfolded(entry)).collect();
        entries.retain(|entry| entry.no.is_none());
        let mut lines = vec![menu.title(self.timeline.board())];
        lines.extend(entries.iter().enumerate().map(|(at, entry)| {
            let give: Vec<String> = entry.give.iter().map(ToString::to_string).collect();
            format!("{:>2} {} {}: {}", at + 1, entry.label, entry.note, give.join("; "))
        }));
        if entries.is_empty() {
            lines.push("nothing".to_owned());
        }
        plain.menu = entries.into_iter().map(Choice::Fault).collect();
        lines
    }

    /// An entry that opens another page is told as the entries of that page.
    fn unfolded(&self, entry: Entry) -> Vec<Entry> {
        let Some(page) = entry.opens else { return vec![entry] };
        let menu = faults::Menu::new(self.target(), page, Lasting::Healed);
        let entries = menu.entries(self.timeline.board(), &|command| self.hinders(command));
        let name =
            |inner: Entry| Entry { label: format!("{} {}", entry.label, inner.label), ..inner };
        entries.into_iter().map(name).collect()
    }

    fn pick(&mut self, plain: &mut Plain, number: usize) -> Vec<String> {
        match number.checked_sub(1).and_then(|at| plain.menu.get(at)).cloned() {
            Some(Choice::Item(pane, at)) => {
                self.focus.go(self.layout.first(pane));
                for to in std::iter::once(Move::First).chain(std::iter::repeat_n(Move::Down, at)) {
                    let scene = self.scene(self.focus.pane());
                    self.select = panes::pane(pane).select(&scene, to);
                }
                self.menu(plain, Page::All)
            }
            Some(Choice::Fault(entry)) if entry.asks() => {
                self.ask(entry.give, Lasting::Healed);
                Vec::new()
            }
            Some(Choice::Fault(entry)) => {
                self.order_all(&entry.give, Lasting::Healed);
                Vec::new()
            }
            Some(Choice::Offer(entry)) => self.take_offer(entry),
            None => vec![format!("there is no {number} in the last menu")],
        }
    }

    /// Does what a key would. What needs a screen is said to.
    fn act_in_lines(&mut self, action: Action) -> Vec<String> {
        match action {
            Action::Save => return vec!["write save FILE, such as save run.nsr".to_owned()],
            Action::Open => return vec!["write open FILE, such as open run.nsr".to_owned()],
            _ => self.act(action),
        }
        let asks = matches!(self.overlay, Some(Overlay::Question(_)));
        let covered = self.prompt.is_open() || self.overlay.is_some() && !asks;
        if !covered {
            return Vec::new();
        }
        self.uncover();
        vec!["that needs a screen; help tells what there is in lines".to_owned()]
    }

    /// What there is to say that was not said yet.
    pub fn notices(&mut self) -> Vec<String> {
        self.notice.take().into_iter().collect()
    }

    fn take_offer(&mut self, entry: palette::Entry) -> Vec<String> {
        match (entry.does, entry.no) {
            (_, Some(no)) => return vec![no],
            (Does::Give(command), None) => self.order(&command),
            (Does::Act(action), None) => return self.act_in_lines(action),
            (Does::Show(_), None) => return vec!["that needs a screen".to_owned()],
            (Does::Begin(_), None) => return vec![format!("{}: {}", entry.text, entry.about)],
            (Does::Scenario, None) => {
                let line = "netsplit run --plain --save FILE.toml";
                return vec![format!("'{line}' writes a scenario when it is over")];
            }
        }
        Vec::new()
    }
}
