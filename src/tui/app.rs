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

use super::action::Action;
use super::frame::{self, Header, Pace};
use super::glyph::keep_ascii;
use super::help::{self, Help};
use super::keys::Keymap;
use super::layout::{Focus, Layout, PaneKind, Solved};
use super::overlay::{Overlay, Paint};
use super::panes::{self, Scene};
use super::prompt::Prompt;
use super::select::{Move, Select, Target};
use super::theme::{Look, Role};
use crate::base::{NodeId, Op, Span, Time};
use crate::check::{Checks, Expect, Standing, Verdict};
use crate::cluster::Update;
use crate::command::{Command, FORMS, Link, Target as Whom, Unsynced};
use crate::event::Event;
use crate::view::network::State;
use crate::view::nodes::{Life, Node};
use crate::view::timeline::Timeline;
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use std::collections::VecDeque;

/// How many commands are offered over the prompt at the most.
const MOST_FORMS: usize = 8;

/// What the app is told about the cluster it shows.
#[derive(Clone, Debug)]
pub struct Title {
    /// The cluster's name.
    pub name: String,
    /// The seed of the run.
    pub seed: u64,
    /// What checks must know.
    pub expect: Expect,
    /// Processes, in order.
    pub processes: Vec<NodeId>,
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
    keymap: Keymap,
    layout: Layout,
    focus: Focus,
    zoom: bool,
    select: Select,
    timeline: Timeline,
    checks: Checks,
    overlay: Option<Overlay>,
    prompt: Prompt,
    /// What the last row but one says, until the next key.
    notice: Option<String>,
    playing: bool,
    speed: Speed,
    /// The virtual time that the cluster has reached, and whether it is on its way to a later one.
    reached: Time,
    running: bool,
    /// Where in virtual time a replay of the past is.
    replayed: Time,
    /// Commands to give when the run reaches their time, in order of time.
    schedule: VecDeque<(Time, Command)>,
    /// Commands for the cluster, oldest first.
    outbox: Vec<Command>,
    undone: Vec<Command>,
    quit: bool,
    too_small: bool,
}

impl App {
    /// The screen before the first event.
    pub fn new(title: Title, look: Look, speed: Speed, playing: bool) -> App {
        let layout = Layout::overview();
        let first = title.processes.first().copied().unwrap_or(NodeId::BENCH);
        let second = title.processes.get(1).copied().unwrap_or(first);
        App {
            focus: Focus::new(title.focus.unwrap_or(layout.focus)),
            checks: Checks::all(&title.expect),
            select: Select::new(first, second),
            timeline: Timeline::default(),
            keymap: Keymap::default(),
            overlay: None,
            prompt: Prompt::default(),
            notice: None,
            reached: Time::ZERO,
            running: false,
            replayed: Time::ZERO,
            schedule: VecDeque::new(),
            outbox: Vec::new(),
            undone: Vec::new(),
            zoom: false,
            quit: false,
            too_small: false,
            title,
            look,
            layout,
            speed,
            playing,
        }
    }

    /// Has commands given when the run reaches their times.
    pub fn schedule(&mut self, mut commands: Vec<(Time, Command)>) {
        commands.sort_by_key(|(at, _)| *at);
        self.schedule = commands.into();
        self.due();
    }

    /// Gives the commands whose time has come. They are the run's story, not the person's wish of
    /// now, so they go to the end of the run, wherever one looks.
    fn due(&mut self) {
        while self.schedule.front().is_some_and(|(at, _)| *at <= self.reached) {
            let Some((at, command)) = self.schedule.pop_front() else { return };
            match self.timeline.live_board().resolve(&command) {
                Ok(command) => self.outbox.push(command),
                Err(why) => self.say(format!("at {at}: {command}: {why}")),
            }
        }
    }

    /// The time to run to, `passed` from now, but not past a command that is due.
    fn goal(&self, passed: Span) -> Time {
        let goal = self.reached + passed;
        self.schedule.front().map_or(goal, |(at, _)| goal.min(*at))
    }

    /// Whether the person wants to leave.
    pub fn quits(&self) -> bool {
        self.quit
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, screen: Rect) {
        self.too_small = self.layout.solve(screen).is_none();
    }

    /// Whether time passes on the screen, so that ticks are needed.
    pub fn moves(&self) -> bool {
        self.playing || self.running
    }

    /// The run as recorded, and where in it one looks.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Takes the commands that are to be sent to the cluster.
    pub fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.outbox)
    }

    /// Takes in what came out of the cluster.
    pub fn update(&mut self, update: Update) {
        match update {
            Update::Events(events) => self.take_events(events),
            Update::Reached { now, busy } => {
                (self.reached, self.running) = (now, busy);
                self.due();
            }
            Update::Forked { keep, now } => self.forked(keep, now),
            Update::Refused { why, .. } => self.say(why),
            Update::Link { .. } | Update::Missed { .. } => {}
        }
    }

    fn take_events(&mut self, events: Vec<Event>) {
        let mut found = Vec::new();
        for event in &events {
            if self.checks.see(event) {
                let index = self.checks.seen() - 1;
                let new = self.checks.violations().filter(|violation| violation.at == index);
                found.extend(new.map(|violation| (index, violation.what.clone())));
            }
        }
        self.timeline.extend(events);
        for (index, what) in found {
            self.timeline.note_violation(index, &what);
        }
    }

    /// A branch begins: checks have to forget what comes after it.
    fn forked(&mut self, keep: u64, now: Time) {
        self.timeline.fork(usize::try_from(keep).unwrap_or(usize::MAX));
        self.reached = now;
        self.checks = Checks::all(&self.title.expect);
        let events = self.timeline.events();
        for (_, event) in events.range(0..events.len()) {
            self.checks.see(event);
        }
    }

    /// Lets `wall` pass on the person's clock.
    pub fn tick(&mut self, wall: Span) {
        if !self.playing {
            return;
        }
        let passed = match self.speed {
            Speed::Percent(percent) => Span(wall.0.saturating_mul(u64::from(percent)) / 100),
            Speed::Full => Span::secs(3_600),
        };
        if !self.timeline.is_live() {
            return self.replay(passed);
        }
        if !self.running {
            self.running = true;
            self.outbox.push(Command::Run { until: Some(self.goal(passed)) });
        }
    }

    /// Plays what is recorded; at its end the run goes on.
    fn replay(&mut self, passed: Span) {
        let passed = if self.speed == Speed::Full { Span::millis(100) } else { passed };
        self.replayed += passed;
        let goal = self.replayed;
        self.forward(|timeline| timeline.seek_time(goal));
    }

    fn stop(&mut self) {
        if self.playing || self.running {
            // The answer, which ends `running`, comes after all that has happened until then.
            self.running = true;
            self.outbox.push(Command::Stop);
        }
        self.playing = false;
    }

    fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(text.into());
    }

    /// What a key does.
    pub fn key(&mut self, key: &KeyEvent) {
        self.notice = None;
        if self.too_small {
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
        if let Some(action) = action {
            self.act(action);
        }
    }

    fn prompt_key(&mut self, key: &KeyEvent) {
        if let Some(line) = self.prompt.key(key) {
            match line.parse::<Command>() {
                Ok(command) => self.order(&command),
                Err(error) => {
                    self.prompt.reopen(&line);
                    self.say(error.to_string());
                }
            }
        }
    }

    fn overlay_key(&mut self, key: &KeyEvent, action: Option<Action>) {
        let leaves = [Action::Back, Action::Interrupt, Action::Help, Action::Quit];
        if action.is_some_and(|action| leaves.contains(&action)) {
            self.overlay = None;
        } else if let Some(overlay) = &mut self.overlay
            && let Some(command) = overlay.key(key, action)
        {
            self.overlay = None;
            self.order(&command);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit => self.quit = true,
            Action::Interrupt if self.zoom => self.zoom = false,
            Action::Interrupt => self.quit = true,
            Action::Back => self.zoom = false,
            Action::Help => self.overlay = Some(Overlay::Help(0)),
            Action::Prompt => self.prompt.open(),
            Action::NextPane => self.neighbour(true),
            Action::PreviousPane => self.neighbour(false),
            Action::Pane(number) => {
                if let Some(pane) = PaneKind::with_number(number) {
                    self.focus.go(pane);
                }
            }
            Action::Zoom => self.zoom = !self.zoom,
            Action::Left => self.select(Move::Left),
            Action::Right => self.select(Move::Right),
            Action::Up => self.select(Move::Up),
            Action::Down => self.select(Move::Down),
            Action::PageUp => self.select(Move::PageUp),
            Action::PageDown => self.select(Move::PageDown),
            Action::First => self.select(Move::First),
            Action::Last => self.select(Move::Last),
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
            Action::NextViolation => self.violation(true),
            Action::PreviousViolation => self.violation(false),
            Action::Break => self.break_or_restore(),
            Action::PauseNode => self.pause_or_resume(),
            Action::Isolate => self.isolate_or_reconnect(),
            Action::Partition => {
                let servers = self.timeline.board().nodes.servers().map(|node| node.id);
                self.overlay = Some(Overlay::Paint(Paint::new(servers)));
            }
            Action::Heal => self.heal(),
            Action::Undo => self.undo(),
            Action::Redo => match self.undone.pop() {
                Some(command) => self.order_again(&command),
                None => self.say("nothing to redo"),
            },
            _ => {}
        }
    }

    fn run_pause(&mut self) {
        if self.playing {
            return self.stop();
        }
        self.playing = true;
        self.replayed = self.timeline.board().now;
    }

    /// Moves the cursor. The cluster's time stands still meanwhile.
    fn look(&mut self, go: impl FnOnce(&mut Timeline)) {
        self.stop();
        go(&mut self.timeline);
    }

    fn step_forward(&mut self) {
        self.stop();
        match self.timeline.is_live() {
            true => self.outbox.push(Command::Step(1)),
            false => self.forward(|timeline| timeline.step(1)),
        }
    }

    fn second_forward(&mut self) {
        self.stop();
        match self.timeline.is_live() {
            true => {
                self.running = true;
                self.outbox.push(Command::Run { until: Some(self.goal(Span::secs(1))) });
            }
            false => self.forward(|timeline| timeline.skip(Span::secs(1))),
        }
    }

    /// Moves the cursor on; at the end of the run it follows the run again.
    fn forward(&mut self, go: impl FnOnce(&mut Timeline)) {
        go(&mut self.timeline);
        let branch = self.timeline.viewed_index() + 1 == self.timeline.branches().len();
        if branch && self.timeline.position() == self.timeline.events().len() {
            self.timeline.live();
        }
    }

    fn violation(&mut self, forward: bool) {
        self.stop();
        let found = match forward {
            true => self.timeline.next_violation(),
            false => self.timeline.previous_violation(),
        };
        match self.timeline.event().map(|_| self.timeline.position() - 1) {
            Some(index) if found => {
                let here = self.checks.violations().find(|violation| violation.at == index);
                if let Some(violation) = here {
                    self.notice = Some(violation.to_string());
                }
            }
            _ => self.say(if forward {
                "no later violation; V goes back"
            } else {
                "no earlier violation"
            }),
        }
    }

    fn neighbour(&mut self, forward: bool) {
        // The order of panes does not depend on the size; any that fits everything will do.
        if let Some(solved) = self.layout.solve(Rect::new(0, 0, 200, 60)) {
            self.focus.go(solved.neighbour(self.focus.pane(), forward));
        }
    }

    fn select(&mut self, to: Move) {
        let pane = self.focus.pane();
        match (pane, to) {
            (PaneKind::Timeline | PaneKind::Events, Move::Last) => self.timeline.live(),
            (PaneKind::Timeline, Move::First) => self.look(Timeline::start),
            (PaneKind::Timeline, Move::Left | Move::Up) => self.look(|timeline| timeline.step(-1)),
            (PaneKind::Timeline, Move::Right | Move::Down) => self.step_forward(),
            _ => {}
        }
        self.select = panes::pane(pane).select(&self.scene(pane), to);
    }

    /// Resolves a command and sends it, in a branch of its own if the screen shows the past.
    fn order(&mut self, command: &Command) {
        self.undone.clear();
        self.order_again(command);
    }

    fn order_again(&mut self, command: &Command) {
        match command {
            Command::Run { until: None } => self.playing = true,
            Command::Stop => self.stop(),
            _ if command.steers_time() => {
                self.stop();
                self.outbox.push(command.clone());
            }
            _ => match self.timeline.board().resolve(command) {
                Ok(command) => {
                    self.branch_here();
                    self.say(format!("{command}"));
                    self.outbox.push(command);
                }
                Err(why) => self.say(why),
            },
        }
    }

    fn branch_here(&mut self) {
        if !self.timeline.is_live() {
            self.outbox.push(Command::Fork { event: self.timeline.position() as u64 });
        }
    }

    fn undo(&mut self) {
        let Some((index, command)) = self.timeline.last_command() else {
            return self.say("nothing to undo");
        };
        let command = command.clone();
        self.stop();
        self.say(format!("undone: {command}"));
        self.undone.push(command);
        self.outbox.push(Command::Fork { event: index as u64 });
    }

    fn target(&self) -> Target {
        let pane = self.focus.pane();
        panes::pane(pane).target(&self.scene(pane))
    }

    fn target_node(&self) -> NodeId {
        match self.target() {
            Target::Node(node) | Target::Link(node, _) => node,
            Target::Txn(txn) => txn.coordinator,
            _ => self.select.node,
        }
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.timeline.board().node(id)
    }

    fn is_down(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.life.is_down())
    }

    fn break_or_restore(&mut self) {
        let target = self.target();
        match self.breaks(&target) {
            Ok(command) => self.order(&command),
            Err(why) => self.say(why),
        }
    }

    /// The command that breaks what is whole, or restores what is broken.
    fn breaks(&self, target: &Target) -> Result<Command, String> {
        let board = self.timeline.board();
        Ok(match target {
            Target::Node(id) => self.kill_or_start(*id),
            Target::Txn(txn) => self.kill_or_start(txn.coordinator),
            Target::Message(msg) => Command::Drop(*msg),
            Target::Link(from, to) if from == to => return Err("no link is selected".to_owned()),
            Target::Link(from, to) => {
                let link = Link::Between(Whom::just(*from), Whom::just(*to));
                let cut = |a, b| board.network.state(a, b) == State::Cut;
                match cut(*from, *to) || cut(*to, *from) {
                    true => Command::Heal(link),
                    false => Command::Cut(link),
                }
            }
            Target::Lock(lock) => {
                let holder = board.locks.get(lock).and_then(|lock| lock.holder.as_ref());
                let holder = holder.ok_or_else(|| format!("nobody holds {lock}"))?;
                let op = Op::Release { lock: lock.clone(), token: holder.token };
                Command::Ask { who: holder.call.client, op }
            }
            Target::Nothing => return Err("nothing is selected here".to_owned()),
        })
    }

    fn kill_or_start(&self, id: NodeId) -> Command {
        match self.is_down(id) {
            true => Command::Restart(Whom::just(id)),
            false => Command::Kill { who: Whom::just(id), unsynced: Unsynced::Chance },
        }
    }

    fn pause_or_resume(&mut self) {
        let id = self.target_node();
        match self.node(id).map(|node| &node.life) {
            Some(Life::Paused) => self.order(&Command::Resume(Whom::just(id))),
            Some(life) if life.is_up() => self.order(&Command::Pause(Whom::just(id))),
            _ => self.say(format!("p: {id} is down; x starts it")),
        }
    }

    fn isolate_or_reconnect(&mut self) {
        let id = self.target_node();
        let board = self.timeline.board();
        let cut = |other: NodeId| board.network.state(id, other) == State::Cut;
        let others = board.nodes.ids().iter().filter(|other| **other != id);
        let command = match others.copied().all(cut) {
            true => Command::Heal(Link::Of(Whom::just(id))),
            false => Command::Isolate(Whom::just(id)),
        };
        self.order(&command);
    }

    /// Ends every fault.
    fn heal(&mut self) {
        let faults = self.timeline.board().faults.active();
        let mut cures: Vec<Command> = faults.iter().flat_map(|fault| fault.cures()).collect();
        cures.sort();
        cures.dedup();
        if cures.is_empty() {
            return self.say("nothing to heal");
        }
        self.undone.clear();
        self.branch_here();
        self.say(format!("heals {} faults", cures.len()));
        self.outbox.append(&mut cures);
    }

    /// A line was pasted: into the prompt if it is open, else nowhere.
    pub fn paste(&mut self, text: &str) {
        if self.prompt.is_open() {
            self.prompt.paste(text);
        }
    }

    fn scene(&self, pane: PaneKind) -> Scene<'_> {
        Scene {
            board: self.timeline.board(),
            timeline: &self.timeline,
            checks: &self.checks,
            look: &self.look,
            select: &self.select,
            zoomed: self.zoom && self.focus.pane() == pane,
            focused: self.focus.pane() == pane,
        }
    }

    fn solve(&self, area: Rect) -> Option<Solved> {
        let mut solved = self.layout.solve(area)?;
        if self.zoom {
            solved.zoom(self.focus.pane());
        }
        Some(solved)
    }

    /// Draws the whole screen. Returns where the terminal's cursor belongs, if anywhere.
    pub fn draw(&self, buf: &mut Buffer) -> Option<Position> {
        let Some(solved) = self.solve(buf.area) else {
            frame::too_small(buf);
            return None;
        };
        self.draw_header(solved.header, buf);
        let title = |kind| panes::pane(kind).title(&self.scene(kind));
        for (kind, inside) in frame::panes(buf, &self.look, &solved, &self.focus, title) {
            panes::pane(kind).draw(&self.scene(kind), inside, buf);
        }
        let cursor = self.draw_hints(solved.hints, buf);
        self.draw_overlay(buf);
        if self.look.glyphs.is_ascii() {
            keep_ascii(buf);
        }
        cursor
    }

    fn draw_header(&self, area: Rect, buf: &mut Buffer) {
        let board = self.timeline.board();
        // Time passes also where nothing happens.
        let live = self.timeline.is_live();
        let now = if live { board.now.max(self.reached) } else { board.now };
        let pace = match (self.timeline.is_live(), self.moves()) {
            (false, _) => Pace::Past(format!("-{:.1}s", self.behind())),
            (true, true) => Pace::Running,
            (true, false) => Pace::Paused,
        };
        let speed = match self.speed {
            Speed::Full => "max".to_owned(),
            Speed::Percent(percent) if percent % 100 == 0 => format!("x{}", percent / 100),
            Speed::Percent(percent) => format!("x{}.{:02}", percent / 100, percent % 100),
        };
        let broken = self.checks.violations().filter(|v| v.at < board.events).count();
        let waits = |standing: &Standing<'_>| standing.verdict == Verdict::Waiting;
        let waiting = self.checks.standings().filter(waits).count();
        let all = self.checks.standings().count() - waiting;
        let header = Header {
            cluster: &self.title.name,
            source: &format!("SIM seed {}", self.title.seed),
            pace,
            time: &format!("{}.{:03}s", now.0 / 1_000_000, now.0 / 1_000 % 1_000),
            speed: &speed,
            event: &format!("{}/{}", board.events, self.timeline.events().len()),
            faults: board.faults.count(),
            holds: all.saturating_sub(broken),
            broken,
        };
        frame::header(buf, area, &self.look, &header);
    }

    /// How far the cursor is behind the end of the run, in seconds.
    fn behind(&self) -> f64 {
        let end = self.timeline.viewed().end().now;
        end.since(self.timeline.board().now).0 as f64 / 1e6
    }

    fn draw_hints(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let mut cursor = None;
        match self.prompt.input() {
            Some(input) => {
                cursor = Some(frame::prompt(buf, area, &self.look, input));
                self.draw_forms(input.value(), area, buf);
            }
            None => frame::hints(buf, area, &self.look, &self.keymap.hints(area.width.into())),
        }
        if let Some(notice) = &self.notice {
            frame::note(buf, area, &self.look, Role::Candidate, notice);
        }
        cursor
    }

    /// Over the prompt, the commands that what was typed can become.
    fn draw_forms(&self, typed: &str, prompt: Rect, buf: &mut Buffer) {
        if self.notice.is_some() {
            return;
        }
        let verb = typed.split_whitespace().next().unwrap_or_default();
        let asks = verb.parse::<NodeId>().is_ok();
        let fits = |form: &str| match form.split(' ').next() {
            Some("PROCESS") => asks || verb.is_empty(),
            word => word.is_some_and(|word| word.starts_with(verb)),
        };
        let known: Vec<_> = FORMS.iter().filter(|(form, _)| fits(form)).take(MOST_FORMS).collect();
        let height = u16::try_from(known.len()).unwrap_or(0).min(prompt.y.saturating_sub(1));
        let area = Rect { y: prompt.y - height, height, ..prompt };
        frame::clear(buf, area);
        let line = |(form, about): &(&str, &str)| Line::from(format!(" {form:<30} {about}"));
        for (row, known) in area.rows().zip(known) {
            let ellipsis = self.look.glyphs.ellipsis;
            frame::put(buf, row, &frame::cut(line(known), row.width.into(), ellipsis));
        }
        buf.set_style(area.intersection(buf.area), self.look.style(Role::Muted));
    }

    fn draw_overlay(&self, buf: &mut Buffer) {
        let screen = buf.area;
        match &self.overlay {
            Some(Overlay::Help(scroll)) => {
                let pane = self.focus.pane();
                let about = panes::pane(pane).about();
                let help = Help { keymap: &self.keymap, pane, about, scroll: *scroll };
                help::draw(buf, screen, &self.look, &help);
            }
            Some(Overlay::Paint(paint)) => paint.draw(&self.look, screen, buf),
            None => {}
        }
    }
}
