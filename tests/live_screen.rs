//! The screen of clusters whose time is real: in this process, and elsewhere.
//!
//! The events are those of a simulated run, told as a live cluster tells them, so that the screens
//! are the same every time.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use netsplit::base::{NodeId, Time};
use netsplit::cli::desk;
use netsplit::cluster::{LinkState, Update};
use netsplit::command::Command;
use netsplit::event::{Event, Watch};
use netsplit::plan;
use netsplit::sim::World;
use netsplit::tui::Source;
use netsplit::tui::app::{App, Speed, Title};
use netsplit::tui::theme::{ColorArg, Env, Flags, GlyphsArg, Look};
use netsplit::view::timeline::MarkKind;
use pty_process::blocking::{Command as Program, Pty, open};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

/// A workbench without a cluster: what the cluster would say is said by the test.
struct Bench {
    app: App,
    world: World,
}

impl Bench {
    fn new(source: Source, glyphs: GlyphsArg) -> Bench {
        let plan = plan::builtin("default").unwrap();
        let title = Title { focus: None, ..desk::title(&plan, source) };
        let flags = Flags { glyphs: Some(glyphs), color: ColorArg::True, ..Flags::default() };
        let look = Look::choose(&flags, &Env::default());
        let app = App::new(title, look, Speed::Percent(100), true);
        let mut events = Vec::new();
        let world = World::new(&plan, 7, Watch::Labels, &mut events);
        let mut bench = Bench { app, world };
        bench.app.update(Update::Reached { now: Time::ZERO, busy: false });
        for process in plan.processes() {
            bench.link(process, LinkState::Up);
        }
        bench.tell(events);
        bench
    }

    fn link(&mut self, process: NodeId, state: LinkState) {
        self.app.update(Update::Link { process, state });
    }

    fn tell(&mut self, events: Vec<Event>) {
        self.app.update(Update::Events(events));
    }

    /// The cluster goes on until then, whatever the screen shows.
    fn reach(&mut self, millis: u64) {
        let mut events = Vec::new();
        while self.world.next() <= Time(millis * 1_000) {
            self.world.step(&mut events);
        }
        self.tell(events);
        self.app.update(Update::Reached { now: Time(millis * 1_000), busy: true });
    }

    fn press(&mut self, code: KeyCode) {
        self.app.key(&KeyEvent::new(code, KeyModifiers::NONE));
    }

    fn keys(&mut self, text: &str) {
        text.chars().for_each(|c| self.press(KeyCode::Char(c)));
    }

    fn order(&mut self, line: &str) {
        self.keys(":");
        self.keys(line);
        self.press(KeyCode::Enter);
    }

    /// What the screen wants of the cluster, as lines.
    fn sent(&mut self) -> Vec<String> {
        self.app.commands().iter().map(Command::to_string).collect()
    }

    fn screen(&self, width: u16, height: u16) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        self.app.draw(&mut buf);
        let row = |y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
    }

    #[track_caller]
    fn says(&self, text: &str) {
        let screen = self.screen(120, 36);
        assert!(screen.contains(text), "'{text}' is missing in\n{screen}");
    }
}

fn live() -> Bench {
    let mut bench = Bench::new(Source::Live { runtime: "memory".to_owned() }, GlyphsArg::Unicode);
    assert_eq!(bench.sent(), ["run"], "it is told to run, once");
    bench.reach(3_000);
    bench
}

fn remote(operator: bool) -> Bench {
    let mut bench = Bench::new(Source::Remote { operator }, GlyphsArg::Unicode);
    bench.sent();
    bench.reach(3_000);
    bench
}

fn leader(bench: &Bench) -> String {
    bench.app.timeline().live_board().leader().unwrap().0.to_string()
}

#[test]
fn time_is_never_steered() {
    let mut bench = live();
    for keys in [".", ">", "u", "U"] {
        bench.keys(keys);
        bench.says("a live cluster");
        assert!(bench.sent().is_empty() && bench.app.timeline().is_live(), "{keys}");
    }
    for line in ["step 3", "fork 10", "run until 9s", "stop", "run"] {
        bench.order(line);
        bench.says("a live cluster");
        assert!(bench.sent().is_empty(), "{line}");
    }
    assert!(!bench.app.moves(), "it needs no ticks");
}

#[test]
fn space_holds_the_view_while_the_cluster_goes_on() {
    let mut bench = live();
    bench.keys(" ");
    let (position, events) = (bench.app.timeline().position(), bench.app.timeline().events().len());
    bench.reach(6_500);
    assert_eq!(bench.app.timeline().position(), position);
    assert!(bench.app.timeline().events().len() > events, "what happens is recorded");
    bench.says("PAST -3.5s");
    bench.says("the past: only to look at");
    bench.keys("<");
    bench.says("PAST -4.5s");
    bench.keys(" ");
    assert!(bench.app.timeline().is_live());
    bench.says("LIVE t=6.5s");
    assert!(bench.sent().is_empty(), "the cluster does not notice");
}

#[test]
fn stepping_to_the_end_is_being_live_again() {
    let mut bench = live();
    bench.keys(",,..");
    assert!(bench.app.timeline().is_live() && bench.sent().is_empty());
}

#[test]
fn a_command_in_the_past_is_refused_and_begins_no_branch() {
    let mut bench = live();
    bench.reach(5_000);
    bench.keys("1<");
    for keys in ["x", "p", "i"] {
        bench.keys(keys);
        bench.says("Space returns to now");
    }
    bench.order("kill leader");
    bench.says("Space returns to now");
    assert!(bench.sent().is_empty());
    bench.keys(" ");
    bench.order("kill leader");
    let leader = leader(&bench);
    assert_eq!(bench.sent(), [format!("kill {leader}")], "no question: it is ours");
    assert_eq!(bench.app.timeline().branches().len(), 1);
}

#[test]
fn commands_are_given_when_their_time_has_come_wherever_one_looks() {
    let mut bench = live();
    bench.app.schedule(vec![(Time(4_000_000), "kill leader".parse().unwrap())]);
    bench.keys("<");
    bench.reach(3_900);
    assert!(bench.sent().is_empty());
    let leader = leader(&bench);
    bench.reach(4_000);
    assert_eq!(bench.sent(), [format!("kill {leader}")]);
}

#[test]
fn time_that_cannot_be_seen_to_pass_is_not_drawn() {
    let mut bench = live();
    let mut reach = |micros| bench.app.update(Update::Reached { now: Time(micros), busy: true });
    assert!(reach(3_100_000));
    assert!(!reach(3_133_000) && !reach(3_166_000) && !reach(3_199_000));
    assert!(reach(3_200_000));
}

#[test]
fn quitting_asks_where_a_cluster_would_die() {
    let mut bench = live();
    bench.keys("qq");
    assert!(!bench.app.quits(), "the same key twice says no");
    bench.keys("q");
    bench.says("ends when you quit");
    bench.press(KeyCode::Enter);
    bench.says("ends when you quit");
    bench.keys("n");
    assert!(!bench.app.quits());
    bench.keys("qy");
    assert!(bench.app.quits());
    let mut bench = live();
    bench.keys("q");
    bench.app.key(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(bench.app.quits(), "Ctrl+C always quits");
    let mut bench = remote(true);
    bench.keys("q");
    assert!(bench.app.quits(), "a cluster elsewhere goes on");
}

#[test]
fn an_observer_may_look_and_not_touch() {
    let mut bench = remote(false);
    bench.keys("1x");
    bench.says("operator's ticket");
    bench.order("c1 put x=5");
    bench.says("operator's ticket");
    bench.keys("Pab");
    bench.press(KeyCode::Enter);
    bench.says("operator's ticket");
    assert!(bench.sent().is_empty());
    bench.keys("<");
    assert!(!bench.app.timeline().is_live(), "looking back is looking");
}

#[test]
fn what_harms_a_cluster_elsewhere_is_asked_about_first() {
    let mut bench = remote(true);
    let leader = leader(&bench);
    let kill = format!("kill {leader}");
    for no in [KeyCode::Char('n'), KeyCode::Esc] {
        bench.order("kill leader");
        bench.says("for all who use it");
        bench.says(&format!("{leader} leads in"));
        bench.press(KeyCode::Enter);
        bench.says(&kill);
        bench.press(no);
        bench.says(&format!("not given: {kill}"));
        assert!(bench.sent().is_empty());
    }
    bench.order("kill leader");
    bench.keys("y");
    assert_eq!(bench.sent(), [kill]);
    bench.keys("1x");
    bench.says("Crash; the disk is kept");
    bench.keys("xn");
    bench.order("partition n1,n2 | n3,n4,n5");
    bench.says("It hits 12 directions of links");
    bench.keys("n");
    bench.order("disk n2 wipe");
    bench.says("gone for good");
    bench.keys("n");
    assert!(bench.sent().is_empty());
    for line in ["heal", "restart n3", "c1 put x=5", "loss all 0%"] {
        bench.order(line);
        assert_eq!(bench.sent().len(), 1, "{line} harms nobody");
    }
}

#[test]
fn links_that_are_down_are_seen_and_say_why() {
    let mut bench = remote(false);
    bench.says("8/8 linked");
    bench.link(NodeId::node(3), LinkState::Down("connection timed out".to_owned()));
    bench.reach(4_200);
    bench.says("7/8 linked");
    bench.says("? no link");
    bench.keys("1jjz");
    bench.says("n3 no link since 3.000");
    bench.says("connection timed out");
    bench.says("when it was last seen: up since");
    bench.link(NodeId::node(3), LinkState::Up);
    bench.says("8/8 linked");
    assert!(!bench.screen(120, 36).contains("no link"));
}

#[test]
fn what_was_missed_is_said_and_marked() {
    let mut bench = live();
    bench.app.update(Update::Missed { count: 1_204 });
    bench.says("1 204 events missed");
    let gaps = |bench: &Bench| {
        let marks = bench.app.timeline().viewed().marks().iter();
        let gaps =
            marks.filter(|mark| mark.kind == MarkKind::Gap).map(|mark| mark.text.to_string());
        gaps.collect::<Vec<_>>()
    };
    assert_eq!(gaps(&bench), ["1 204 events missed"]);
    let mut bench = remote(false);
    for why in ["timed out", "refused"] {
        bench.link(NodeId::node(2), LinkState::Down(why.to_owned()));
    }
    assert_eq!(gaps(&bench), ["n2 no link: timed out"], "once for each time");
}

#[test]
fn what_cannot_be_reached_at_all_is_listed() {
    let plan = plan::builtin("default").unwrap();
    let source = Source::Remote { operator: true };
    let title = Title { name: "prod".to_owned(), focus: None, ..desk::title(&plan, source) };
    let look = Look::choose(&Flags::default(), &Env::of(&[("LANG", "C.UTF-8")]));
    let app = App::new(title, look, Speed::Percent(100), true);
    let world = World::new(&plan, 7, Watch::Facts, &mut Vec::new());
    let bench = Bench { app, world };
    bench.says("0/8 linked");
    bench.says("n1 no link: connecting");
}

#[test]
fn a_cluster_that_has_ended_says_so_and_can_still_be_looked_at() {
    let mut bench = live();
    bench.app.ended();
    bench.says("the cluster has ended");
    bench.says("ENDED");
    bench.keys("1x");
    assert!(bench.sent().is_empty());
    bench.keys("<");
    bench.says("PAST -1.0s");
    bench.keys("q");
    assert!(bench.app.quits(), "there is nothing left to lose");
}

#[test]
fn headers_and_first_sight() {
    let mut pages = String::new();
    let mut page = |name: &str, bench: &Bench, size: (u16, u16)| {
        pages.push_str(&format!("{name} {}x{}\n{}", size.0, size.1, bench.screen(size.0, size.1)));
    };
    let mut observed = remote(false);
    observed.link(NodeId::node(4), LinkState::Down("connection refused".to_owned()));
    observed.reach(3_200);
    let mut asked = remote(true);
    asked.order("partition minority | majority");
    for size in [(120, 36), (80, 24)] {
        page("live", &live(), size);
        page("observed", &observed, size);
        page("asked", &asked, size);
    }
    let ascii = Bench::new(Source::Remote { operator: true }, GlyphsArg::Ascii);
    page("ascii", &ascii, (80, 24));
    insta::assert_snapshot!("headers", pages);
}

/// The program in a terminal of its own.
struct Session {
    pty: Pty,
    terminal: vt100::Parser,
    child: std::process::Child,
}

impl Session {
    fn start(args: &[&str]) -> Session {
        let (pty, pts) = open().unwrap();
        pty.resize(pty_process::Size::new(36, 120)).unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_netsplit"));
        let child = program
            .args(args)
            .arg("--no-tour")
            .env_clear()
            .envs([("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("RUST_BACKTRACE", "0")])
            .spawn(pts)
            .unwrap();
        let terminal = vt100::Parser::new(36.try_into().unwrap(), 120.try_into().unwrap(), 0);
        Session { pty, terminal, child }
    }

    fn screen(&self) -> String {
        self.terminal.screen().contents()
    }

    /// Reads until the terminal shows what is wanted. A live cluster always writes something.
    #[track_caller]
    fn until(&mut self, wanted: impl Fn(&str) -> bool) {
        let start = Instant::now();
        let mut bytes = [0; 4_096];
        while !wanted(&self.screen()) {
            let read = self.pty.read(&mut bytes).unwrap_or(0);
            self.terminal.process(&bytes[..read]);
            let fine = read > 0 && start.elapsed() < Duration::from_secs(30);
            assert!(fine, "the terminal shows\n{}", self.screen());
        }
    }

    fn type_in(&mut self, text: &str) {
        self.pty.write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end; the program's exit code.
    fn finish(mut self) -> Option<i32> {
        let mut rest = Vec::new();
        // Reading from a terminal that nobody writes to any more is an error on Linux.
        let _ = self.pty.read_to_end(&mut rest);
        self.terminal.process(&rest);
        let screen = self.terminal.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_live_cluster_runs_on_the_screen_and_loses_its_leader() {
    let mut session = Session::start(&["--runtime", "memory"]);
    session.until(|screen| screen.contains("LIVE memory") && screen.contains(" leads "));
    session.type_in(":kill leader\r");
    session.until(|screen| screen.contains("DOWN") && screen.contains("faults 1"));
    session.type_in("H");
    session.until(|screen| screen.contains("5 nodes: 5 up") && screen.contains("faults 0"));
    session.type_in("u");
    session.until(|screen| screen.contains("cannot go back in time"));
    session.type_in(" ");
    session.until(|screen| screen.contains("PAST"));
    session.type_in(" ");
    session.until(|screen| !screen.contains("PAST"));
    session.type_in("q");
    session.until(|screen| screen.contains("it ends when you quit"));
    session.type_in("y");
    assert_eq!(session.finish(), Some(0));
}
