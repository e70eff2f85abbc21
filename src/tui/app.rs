//! What the screen shows and what keys do to it: a state, and functions of it.
//!
//! ```text
//!  Update ──> App::update ─┐                    ┌─> App::draw ──> Buffer
//!  key ─────> App::key ────┼──> the state ──────┤
//!  wall time> App::tick ───┘                    └─> App::commands ──> Cluster
//! ```
//!
//! The app reads no clock and no terminal; `run` feeds it. So all of it can be tested by feeding it
//! updates and keys and looking at the buffer.
//!
//! **Time.** The timeline has a cursor. Without one the screen follows the end of the run. Moving
//! it back only changes what is shown. A command that is given in the past begins a branch there:
//! `fork`, then the command. Undo is the same without a command.
//!
//! A live cluster is told to run once, and goes on by itself. Looking back works as ever, and what
//! happens meanwhile is recorded. What only a simulator can do is refused, and so is a command
//! given in the past: it would hit a cluster that looks different now.
//!
//! `orders` and `breaking` have what keys and commands do to the cluster, `schedule` what waits,
//! `time` what they do to time, `timers` what they do to timers, `places` which layout is shown
//! and which pane has focus, `themes` how it looks, `pointer` what the mouse does, `typing` what is
//! done with a typed line, `copying` what goes to the clipboard, `first_bad` the proof of what
//! broke, `picture` what is drawn, `plain` what is told instead.

mod breaking;
mod compare;
mod copying;
mod first_bad;
mod orders;
mod picture;
mod places;
mod plain;
mod pointer;
mod saving;
mod schedule;
mod search;
mod story;
mod themes;
mod time;
mod timers;
mod typing;

pub use plain::Plain;

use super::action::Action;
use super::copy::Copy;
use super::faults::{Lasting, Page};
use super::help::Reading;
use super::keys::{Bindings, Keymap};
use super::layout::{Border, Focus, Layout, Library, PaneId, PaneKind};
use super::menu::Menu;
use super::mode::Modes;
use super::overlay::{Answer, Overlay, Question, Wish};
use super::paint::Paint;
use super::palette;
use super::panes::{self, Scene, thousands};
use super::prompt::Prompt;
use super::select::{Move, Select};
use super::source::{Links, NO_WAY_BACK, Source};
use super::spots::Spots;
use super::story::Story;
use super::theme::{Look, Themes};
use super::tour::Tour;
use crate::base::{NodeId, Span, Time};
use crate::check::{Checks, Expect};
use crate::cluster::{LinkState, Update};
use crate::command::Command;
use crate::view::timeline::Timeline;
use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use schedule::Schedule;
use std::collections::VecDeque;

pub use saving::Errand;
use saving::Opening;

/// Of a live cluster, the time is shown in steps of this many microseconds.
const LIVE_STEP: u64 = 100_000;

/// What the app is told about the cluster it shows.
#[derive(Clone, Debug)]
pub struct Title {
    /// The cluster's name.
    pub name: String,
    /// What it is: a simulation, a live cluster, a cluster elsewhere.
    pub source: Source,
    /// What checks must know.
    pub expect: Expect,
    /// Processes, in order.
    pub processes: Vec<NodeId>,
    /// The kinds of panes in which it has something to show.
    pub shows: Vec<PaneKind>,
    /// The pane that shows best what the cluster is for; none leaves it to the layout.
    pub focus: Option<PaneKind>,
}

/// How fast virtual time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// This many percent of real time.
    Percent(u32),
    /// As fast as the machine can.
    Full,
}

/// The state of the screen.
#[derive(Debug)]
pub struct App {
    title: Title,
    look: Look,
    /// How it looked before a theme was tried that is not kept yet.
    tried: Option<Look>,
    keymap: Keymap,
    library: Library,
    themes: Themes,
    layout: Layout,
    focus: Focus,
    zoom: bool,
    modes: Modes,
    select: Select,
    timeline: Timeline,
    overlay: Option<Overlay>,
    prompt: Prompt,
    /// What else the screen could show, as far as it was known when the line was opened.
    places: Vec<palette::Entry>,
    /// What is where in the last picture.
    spots: Spots,
    /// Whether the terminal has the mouse, because somebody said so.
    mouse_off: bool,
    /// Whether the mouse drags the cursor along the scrubber.
    dragging: bool,
    /// What is to be put on the clipboard.
    copy: Option<Copy>,
    /// The time that a line asked to run to.
    bound_for: Option<Time>,
    /// What the last row but one says, until the next key.
    notice: Option<String>,
    playing: bool,
    speed: Speed,
    /// The virtual time that the cluster has reached, and whether it is on its way to a later one.
    reached: Time,
    running: bool,
    /// Where in virtual time a replay of the past is.
    replayed: Time,
    /// Commands to give when the run reaches their time.
    schedule: Schedule,
    /// Commands that were given just now and end by themselves: what is to be planned for that.
    ends: Option<(Vec<Command>, Lasting)>,
    /// How long faults from the menu last, as it was chosen last.
    lasting: Lasting,
    /// Commands for the cluster, oldest first.
    outbox: Vec<Command>,
    /// What was undone, the latest last: commands that were given in one breath stay together.
    undone: Vec<Vec<Command>>,
    /// What is to be done with files.
    errands: Vec<Errand>,
    /// What to make of a saved run that is still being gone through.
    opening: Option<Opening>,
    /// Commands on their way that belong together with the one before each.
    joined: VecDeque<Command>,
    /// Which processes of a live cluster can be seen.
    links: Links,
    /// The scenario that is shown, if one is, and how much time may pass for it.
    story: Option<Story>,
    budget: Span,
    next_act: Option<usize>,
    /// Whether nothing will come from the cluster any more.
    over: bool,
    quit: bool,
    /// The border between panes that the mouse holds.
    pulled: Option<Border>,
    /// The size of the terminal.
    screen: Rect,
}

impl App {
    /// The screen before the first event. A live cluster is told to run; `speed` and `playing` are
    /// for a simulated one.
    pub fn new(title: Title, look: Look, speed: Speed, playing: bool) -> App {
        let live = title.source.is_live();
        let first = title.processes.first().copied().unwrap_or(NodeId::BENCH);
        let second = title.processes.get(1).copied().unwrap_or(first);
        let checks = match title.source.is_late() {
            true => Checks::partial(&title.expect),
            false => Checks::all(&title.expect),
        };
        let layout = Layout::overview();
        let app = App {
            focus: Focus::new(layout.focus),
            library: Library::default(),
            select: Select::new(first, second),
            timeline: match live {
                true => Timeline::default().checked(checks).steady(),
                false => Timeline::default().checked(checks),
            },
            keymap: Keymap::new(live, &Bindings::default()),
            themes: Themes::default(),
            tried: None,
            links: match title.source.links_one_by_one() {
                true => Links::awaited(&title.processes),
                false => Links::default(),
            },
            overlay: None,
            prompt: Prompt::default(),
            places: Vec::new(),
            spots: Spots::default(),
            mouse_off: false,
            dragging: false,
            copy: None,
            bound_for: None,
            notice: None,
            reached: Time::ZERO,
            running: false,
            replayed: Time::ZERO,
            schedule: Schedule::default(),
            ends: None,
            lasting: Lasting::default(),
            outbox: if live { vec![Command::Run { until: None }] } else { Vec::new() },
            undone: Vec::new(),
            errands: Vec::new(),
            opening: None,
            joined: VecDeque::new(),
            story: None,
            budget: Span::ZERO,
            next_act: None,
            over: false,
            zoom: false,
            modes: Modes::default(),
            quit: false,
            pulled: None,
            screen: Rect::new(0, 0, 200, 60),
            title,
            look,
            layout: layout.clone(),
            speed,
            playing: playing && !live,
        };
        app.arranged(layout, Library::default())
    }

    /// Has commands given when the run reaches their times.
    pub fn schedule(&mut self, commands: Vec<(Time, Command)>) {
        self.schedule.story(commands);
        self.due();
    }

    /// Gives the commands whose time has come. They are the run's story, not the person's wish of
    /// now, so they go to the end of the run, wherever one looks.
    fn due(&mut self) {
        let events = self.timeline.running().events().len();
        while let Some((at, command, optional)) = self.schedule.due(self.reached, events) {
            let board = self.timeline.live_board();
            match board.resolve(&command) {
                // Somebody was faster.
                Ok(command) if optional && board.futile(&command).is_some() => {}
                Ok(command) => self.outbox.push(command),
                Err(why) => self.say(format!("at {at}: {}: {why}", command.brief())),
            }
        }
    }

    /// The time to run to, `passed` from now, but not past a command that is due.
    fn goal(&self, passed: Span) -> Time {
        let goal = self.reached + passed;
        self.schedule.next().map_or(goal, |at| goal.min(at))
    }

    /// Shows the tour for whoever is here for the first time.
    pub fn begin_tour(&mut self) {
        self.overlay = Some(Overlay::Tour(Tour::default()));
    }

    /// Whether the person wants to leave.
    pub fn quits(&self) -> bool {
        self.quit
    }

    /// The screen has so many columns and rows.
    pub fn fit(&mut self, width: u16, height: u16) {
        self.resize(Rect::new(0, 0, width, height));
    }

    /// The terminal has this size now. What the mouse holds is somewhere else then.
    pub fn resize(&mut self, screen: Rect) {
        if screen != self.screen {
            self.let_go();
        }
        self.screen = screen;
    }

    /// Whether time passes on the screen, so that ticks are needed. A live cluster ticks by itself.
    pub fn moves(&self) -> bool {
        self.playing || self.running
    }

    /// The time that the cluster has reached.
    pub fn reached(&self) -> Time {
        self.reached
    }

    /// Whether the cluster's time is real time.
    pub fn is_live(&self) -> bool {
        self.title.source.is_live()
    }

    /// The run as recorded, and where in it one looks.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Takes the commands that are to be sent to the cluster.
    pub fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.outbox)
    }

    /// Takes in what came out of the cluster. Says whether there is something new to show.
    pub fn update(&mut self, update: Update) -> bool {
        match update {
            Update::Events(events) => {
                self.plan_ends(&events);
                let first = self.timeline.running().events().len();
                self.timeline.extend(events);
                self.story_saw(first);
            }
            Update::Reached { now, busy } => {
                let before = std::mem::replace(&mut self.reached, now);
                self.running = busy && !self.is_live();
                if !busy && !matches!(self.title.source, Source::Recorded { .. }) {
                    self.opened();
                }
                let sent = self.outbox.len();
                self.due();
                self.go_on();
                if !busy {
                    self.story_reached(now);
                }
                // A live cluster says what time it is more often than one can read.
                let step = |time: Time| time.0 / LIVE_STEP;
                return !self.is_live()
                    || step(before) != step(now)
                    || self.outbox.len() != sent
                    || self.notice.is_some();
            }
            Update::Forked { keep, now } => {
                let keep = usize::try_from(keep).unwrap_or(usize::MAX);
                self.timeline.fork(keep);
                if let Some(story) = &mut self.story {
                    story.forked(self.timeline.running().id);
                }
                self.schedule.fork(keep);
                self.arrive(now);
            }
            Update::Begun { seed } => {
                self.timeline.begin(seed);
                self.schedule.begin();
                self.arrive(Time::ZERO);
            }
            Update::Switched { branch, now } => {
                self.timeline.switch(branch);
                self.arrive(now);
            }
            Update::Obeyed { step } => {
                let last = self.timeline.running().commands().last();
                let last = last.map(|given| &given.command);
                let joined = last.is_some() && last == self.joined.front();
                if joined {
                    self.joined.pop_front();
                }
                self.timeline.explain(step, joined);
            }
            Update::Refused { command, why } => {
                self.joined.retain(|joined| *joined != command);
                self.say(why);
            }
            Update::Link { process, state } => self.link(process, state),
            Update::Missed { count } => {
                let count = thousands(count);
                self.timeline.note_gap(&format!("{count} events missed"));
                self.say(format!("{count} events missed: they came too fast to be taken in"));
            }
        }
        true
    }

    /// A process of a live cluster came into sight, or went out of it.
    fn link(&mut self, process: NodeId, state: LinkState) {
        let lost = match &state {
            LinkState::Up => None,
            LinkState::Down(why) => Some(format!("{process} no link: {why}")),
        };
        let news = self.links.set(self.reached, process, state);
        if let Some(text) = lost.filter(|_| news) {
            self.timeline.note_gap(&text);
            self.say(text);
        }
    }

    /// Nothing will come from the cluster any more.
    pub fn ended(&mut self) {
        (self.over, self.playing, self.running) = (true, false, false);
        self.outbox.clear();
        self.schedule.clear();
        self.say(self.why_over());
        self.opened();
    }

    fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(text.into());
    }

    /// What a key does.
    pub fn key(&mut self, key: &KeyEvent) {
        let said = self.notice.take();
        if self.solve(self.screen).is_none() {
            // Nothing is drawn, so nothing may be hit.
            if let Some(action @ (Action::Quit | Action::Interrupt)) = self.keymap.action(key) {
                self.act(action);
            }
            return;
        }
        if self.prompt.is_open() {
            return self.prompt_key(key);
        }
        let action = self.keymap.action(key);
        if self.overlay.is_some() {
            return self.overlay_key(key, action);
        }
        if self.story_key(key) {
            return;
        }
        match action {
            Some(Action::Copy) => self.copy_selection(said),
            Some(action) => self.act(action),
            None => {}
        }
    }

    fn overlay_key(&mut self, key: &KeyEvent, action: Option<Action>) {
        if self.search_key(key) {
            return;
        }
        let leaves = [Action::Back, Action::Interrupt, Action::Help, Action::Quit];
        if let Some(Overlay::Options(menu)) = &mut self.overlay {
            let mode = self.modes.of_mut(menu.pane());
            if menu.key(key, action, mode) {
                self.overlay = None;
            }
            return;
        }
        if let Some(Overlay::Tour(tour)) = &mut self.overlay {
            if tour.key(key, action) {
                self.overlay = None;
            }
            return;
        }
        if let Some(Overlay::Faults(_)) = &self.overlay {
            return self.fault_key(key, action);
        }
        let Some(overlay) = &mut self.overlay else { return };
        let reads = matches!(overlay, Overlay::Help(_));
        let answer = match action.is_some_and(|action| leaves.contains(&action)) && !reads {
            true => Some(Answer::No),
            false => overlay.key(key, action),
        };
        let Some(answer) = answer else {
            self.try_theme();
            return self.bound_scroll();
        };
        let (wish, list) = match self.overlay.take() {
            Some(Overlay::Question(question)) => (Some(question.wish), None),
            Some(Overlay::List(list)) => (None, Some(list.of)),
            _ => (None, None),
        };
        match (answer, wish) {
            (Answer::Order(command, lasting), _) => self.order_all(&[command], lasting),
            (Answer::Take(row, key), _) => {
                if let Some(of) = list {
                    self.take(of, row, key);
                }
            }
            (Answer::Yes, Some(Wish::Give(commands, lasting))) => self.give(commands, lasting),
            (Answer::Yes, Some(Wish::Quit)) => self.quit = true,
            (Answer::No, Some(Wish::Give(commands, _))) => {
                let lines: Vec<String> = commands.iter().map(ToString::to_string).collect();
                self.say(format!("not given: {}", lines.join("; ")));
            }
            (Answer::No, Some(Wish::Quit)) => self.quit = action == Some(Action::Interrupt),
            (_, None) => self.uncover(),
        }
    }

    /// Does not scroll beyond what there is.
    fn bound_scroll(&mut self) {
        let Some(Overlay::Inspect(target, _)) = &self.overlay else { return };
        let last = panes::inspect::last(&self.scene(self.focus.pane()), target, self.screen.height);
        if let Some(Overlay::Inspect(_, scroll)) = &mut self.overlay {
            *scroll = (*scroll).min(last);
        }
    }

    /// Leaves, but asks first if a cluster would be lost that cannot be had again.
    fn leave(&mut self) {
        if self.over || !self.title.source.dies_with_us() {
            self.quit = true;
            return;
        }
        let text = "This cluster lives in this program: it ends when you quit, with all its data.";
        self.overlay = Some(Overlay::Question(Question {
            wish: Wish::Quit,
            title: "Quit?".to_owned(),
            text: vec![text.to_owned(), "Ctrl+C quits without asking.".to_owned()],
        }));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit => self.leave(),
            Action::Interrupt if self.is_deep() => self.back(),
            Action::Interrupt => self.quit = true,
            Action::Back if self.clear_filter() => {}
            Action::Back => self.back(),
            Action::Help => self.overlay = Some(Overlay::Help(Reading::default())),
            Action::Copy => self.copy_selection(None),
            Action::CopyPane => self.copy_pane(),
            Action::Prompt => self.open_prompt(),
            Action::NextPane => self.neighbour(true),
            Action::PreviousPane => self.neighbour(false),
            Action::Pane(number) => self.go_to_number(number),
            Action::Panes => self.list_panes(),
            Action::Layouts => self.list_layouts(),
            Action::Theme => self.list_themes(),
            Action::Zoom => self.zoom = !self.zoom,
            Action::NextView => {
                let views = panes::pane(self.focused()).views();
                self.modes.of_mut(self.focus.pane()).turn(views);
            }
            Action::Options => {
                let menu = Menu::new(self.focus.pane(), self.focused());
                self.overlay = Some(Overlay::Options(menu));
            }
            Action::Filter => self.open_search(),
            Action::NextMatch => self.next_match(true),
            Action::PreviousMatch => self.next_match(false),
            Action::Closer => self.scale(true),
            Action::Farther => self.scale(false),
            Action::Enter => self.enter(),
            Action::Left => self.select(Move::Left),
            Action::Right => self.select(Move::Right),
            Action::Up => self.select(Move::Up),
            Action::Down => self.select(Move::Down),
            Action::PageUp => self.select(Move::PageUp),
            Action::PageDown => self.select(Move::PageDown),
            Action::First => self.select(Move::First),
            Action::Last => self.select(Move::Last),
            Action::Mouse => self.toggle_mouse(),
            Action::Suspend | Action::Redraw => {}
            _ => self.act_on_cluster(action),
        }
    }

    fn act_on_cluster(&mut self, action: Action) {
        match action {
            Action::RunPause => self.run_pause(),
            Action::StepForward => self.step_forward(),
            Action::StepBack => self.look(|timeline| timeline.step(-1)),
            Action::SecondForward => self.second_forward(),
            Action::SecondBack => self.look(|timeline| timeline.skip_back(Span::secs(1))),
            Action::Slower => self.change_speed(Some(false)),
            Action::Faster => self.change_speed(Some(true)),
            Action::RealTime => self.change_speed(None),
            Action::Save => self.ask_save(),
            Action::Open => self.ask_open(),
            Action::Mark => self.set_mark(),
            Action::Marks => self.list_marks(),
            Action::NextMark => self.mark(true),
            Action::PreviousMark => self.mark(false),
            Action::Branches | Action::StartAgain | Action::Undo | Action::Redo
                if self.is_live() =>
            {
                self.say(NO_WAY_BACK);
            }
            Action::Branches => self.list_branches(),
            Action::StartAgain | Action::Undo | Action::Redo if self.over => {
                self.say(self.why_over());
            }
            Action::StartAgain => self.list_starts(),
            Action::FirstBad => self.first_bad(),
            Action::NextViolation => self.violation(true),
            Action::PreviousViolation => self.violation(false),
            Action::Break => self.break_or_restore(),
            Action::PauseNode => self.pause_or_resume(),
            Action::Isolate => self.isolate_or_reconnect(),
            Action::Fire => self.fire(),
            Action::AlignTimers => self.align_timers(),
            Action::SpreadTimers => self.spread_timers(),
            Action::JoinRing => self.join_or_leave(),
            Action::FaultMenu => self.open_faults(Page::All),
            Action::Delay => self.open_faults(Page::Delay),
            Action::Loss => self.open_faults(Page::Loss),
            Action::Clock => self.open_faults(Page::Clock),
            Action::Broken => self.open_faults(Page::Broken),
            Action::Partition => {
                let board = self.timeline.board();
                let servers = board.nodes.servers().map(|node| node.id);
                let leader = board.leader().map(|(leader, _)| leader);
                self.overlay = Some(Overlay::Paint(Paint::new(servers, leader, self.select.node)));
            }
            Action::Heal => self.heal(),
            Action::Undo => self.undo(),
            Action::Redo => self.redo(),
            _ => {}
        }
    }

    /// Shows less or more of time in the focused pane.
    fn scale(&mut self, closer: bool) {
        let pane = self.focus.pane();
        panes::pane(self.focused()).scale(self.modes.of_mut(pane), closer);
    }

    /// Goes to the moment that the selected row tells of, or tells all that is known of what is
    /// selected.
    fn enter(&mut self) {
        let scene = self.scene(self.focus.pane());
        match panes::pane(self.focused()).moment(&scene) {
            Some(event) => self.look(|timeline| timeline.seek(event + 1)),
            None => self.overlay = Some(Overlay::Inspect(self.target(), 0)),
        }
    }

    fn select(&mut self, to: Move) {
        let kind = self.focused();
        match (kind, to) {
            (PaneKind::Timeline | PaneKind::Events, Move::Last) => self.timeline.live(),
            (PaneKind::Timeline, Move::First) => self.look(Timeline::start),
            (PaneKind::Timeline, Move::Left | Move::Up) => self.look(|timeline| timeline.step(-1)),
            (PaneKind::Timeline, Move::Right | Move::Down) => self.step_forward(),
            _ => {}
        }
        self.select = panes::pane(kind).select(&self.scene(self.focus.pane()), to);
    }

    /// A line was pasted: into the prompt if it is open, else nowhere.
    pub fn paste(&mut self, text: &str) {
        if self.prompt.is_open() {
            self.prompt.paste(text);
        }
    }

    fn scene(&self, pane: PaneId) -> Scene<'_> {
        Scene {
            board: self.timeline.board(),
            timeline: &self.timeline,
            checks: self.timeline.checks(),
            look: &self.look,
            live: self.is_live(),
            links: &self.links,
            select: &self.select,
            mode: self.modes.of(pane),
            spots: &self.spots,
            zoomed: self.is_deep() && self.focus.pane() == pane,
            focused: self.focus.pane() == pane,
            story: self.story.as_ref(),
        }
    }
}
