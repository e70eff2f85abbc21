//! What keys do to the cluster and to time, with the whole workbench but the terminal.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "workbench/bytes.rs"]
mod bytes;
#[path = "workbench/saved.rs"]
mod saved;
mod stage;
#[path = "workbench/time.rs"]
mod time;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use netsplit::base::{NodeId, Span, Time};
use netsplit::cli::desk;
use netsplit::event::{Event, Fact, Watch};
use netsplit::plan::{self, Plan};
use netsplit::sim::player::Player;
use netsplit::tui::app::{App, Speed, Title};
use netsplit::tui::screen::Mouse;
use netsplit::tui::theme::GlyphsArg;
use netsplit::tui::{Env, Flags, Layout, Library, Look, Source};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What the app is told about a cluster.
fn title(plan: &Plan) -> Title {
    Title { focus: None, ..desk::title(plan, Source::Simulated { seed: 7 }) }
}

/// A workbench: the app, and the cluster that it steers, without a thread between them.
struct Bench {
    app: App,
    player: Player,
}

impl Bench {
    fn new(plan: &Plan) -> Bench {
        Bench::with(plan, GlyphsArg::Unicode)
    }

    fn with(plan: &Plan, glyphs: GlyphsArg) -> Bench {
        let title = title(plan);
        let flags = Flags { glyphs: Some(glyphs), ..Flags::default() };
        let look = Look::choose(&flags, &Env::default());
        let app = App::new(title, look, Speed::Percent(100), false);
        let mut bench = Bench { app, player: Player::new(plan, 7, Watch::Labels) };
        stage::command(&mut bench.app, &mut bench.player, "stop");
        bench
    }

    /// Lets the cluster do what the app wants of it.
    fn settle(&mut self) {
        stage::settle(&mut self.app, &mut self.player);
    }

    fn press(&mut self, code: KeyCode) {
        self.app.key(&KeyEvent::new(code, KeyModifiers::NONE));
        self.settle();
    }

    /// Presses the keys of a text, one after the other.
    fn keys(&mut self, text: &str) {
        text.chars().for_each(|c| self.press(KeyCode::Char(c)));
    }

    fn order(&mut self, line: &str) {
        self.keys(":");
        self.keys(line);
        self.press(KeyCode::Enter);
    }

    /// Runs for so many seconds.
    fn run(&mut self, seconds: u64) {
        self.keys(" ");
        for _ in 0..seconds * 10 {
            self.app.tick(Span::millis(100));
            self.settle();
        }
        self.keys(" ");
    }

    fn screen(&self, width: u16, height: u16) -> String {
        stage::screen(&self.app, width, height)
    }

    fn mouse(&mut self, kind: MouseEventKind, (column, row): (u16, u16), again: bool) {
        self.app.mouse(&MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }, again);
        self.settle();
    }

    /// Clicks on the first place in the picture where this text stands.
    fn click(&mut self, text: &str) {
        self.click_at(self.find(text), false);
    }

    fn click_at(&mut self, place: (u16, u16), again: bool) {
        self.screen(120, 36);
        self.mouse(MouseEventKind::Down(MouseButton::Left), place, again);
        self.mouse(MouseEventKind::Up(MouseButton::Left), place, again);
    }

    fn find(&self, text: &str) -> (u16, u16) {
        let screen = self.screen(120, 36);
        let found = screen.lines().enumerate().find_map(|(y, line)| Some((line.find(text)?, y)));
        let (at, y) = found.unwrap_or_else(|| panic!("no {text} in\n{screen}"));
        let line = screen.lines().nth(y).unwrap();
        (line[..at].chars().count() as u16, y as u16)
    }

    fn down(&self, node: u16) -> bool {
        let node = self.app.timeline().board().node(NodeId::node(node));
        node.is_some_and(|node| node.life.is_down())
    }

    fn now(&self) -> Time {
        self.app.timeline().board().now
    }
}

fn default() -> Bench {
    Bench::new(&plan::builtin("default").unwrap())
}

#[test]
fn a_pane_turns_to_its_list_and_back_and_shows_its_options() {
    let mut bench = Bench::new(&Plan::bare(3));
    bench.run(1);
    bench.keys("1");
    let first = bench.screen(120, 36);
    // The list is the last of its views.
    for _ in 0..9 {
        if !bench.screen(120, 36).contains("Nodes (list)") {
            bench.keys("s");
        }
    }
    let list = bench.screen(120, 36);
    assert!(list.contains("Nodes (list)") && list.contains("n2 up"), "{list}");
    bench.keys("o");
    let menu = bench.screen(120, 36);
    assert!(menu.contains("Nodes options") && menu.contains("[list]"), "{menu}");
    // In the menu, the key of the next view still means that, and Esc leaves.
    bench.keys("s");
    bench.press(KeyCode::Esc);
    assert_eq!(bench.screen(120, 36), first);
}

#[test]
fn space_lets_time_pass_and_stops_it() {
    let mut bench = default();
    bench.run(2);
    let now = bench.now();
    assert!((Time(1_900_000)..=Time(2_000_000)).contains(&now), "{now}");
    bench.app.tick(Span::secs(1));
    bench.settle();
    assert_eq!(bench.now(), now, "paused");
    assert!(!bench.app.moves());
}

#[test]
fn a_step_takes_in_the_next_events_and_a_second_the_next_second() {
    let mut bench = default();
    let events = bench.app.timeline().events().len();
    bench.keys(".");
    assert!(bench.app.timeline().events().len() > events);
    bench.keys(">");
    assert!((Time(900_000)..=Time(1_000_000)).contains(&bench.now()));
}

#[test]
fn seconds_that_are_asked_for_in_a_row_are_all_taken() {
    let mut bench = default();
    for _ in 0..3 {
        bench.app.key(&KeyEvent::new(KeyCode::Char('>'), KeyModifiers::NONE));
    }
    bench.settle();
    assert_eq!(bench.now(), Time(3_000_000));
    bench.keys("<");
    assert!(!bench.app.moves());
}

#[test]
fn what_is_killed_can_be_undone_and_done_again() {
    let mut bench = default();
    bench.run(1);
    bench.keys("1jx");
    assert!(bench.down(2), "the second node is selected");
    bench.keys("u");
    assert!(!bench.down(2));
    assert_eq!(bench.app.timeline().branches().len(), 2, "main is kept");
    bench.keys("U");
    assert!(bench.down(2));
    bench.keys("x");
    assert!(!bench.down(2), "x starts what is down");
}

#[test]
fn a_command_in_the_past_begins_a_branch_there() {
    let mut bench = default();
    bench.run(3);
    let main = bench.app.timeline().events().len();
    bench.keys("<<");
    assert!(!bench.app.timeline().is_live());
    let then = bench.now();
    assert!(then <= Time(1_000_000));
    bench.order("kill n1");
    assert!(bench.down(1) && bench.app.timeline().is_live());
    assert_eq!(bench.now(), then, "the crash is at the time that was looked at");
    let branches = bench.app.timeline().branches();
    assert_eq!((branches[0].events().len(), branches[0].name.as_ref()), (main, "main"));
    bench.run(1);
    assert!(bench.down(1));
}

#[test]
fn stepping_to_the_end_is_being_live_again() {
    let mut bench = default();
    bench.run(1);
    bench.keys(",,.");
    assert!(!bench.app.timeline().is_live());
    bench.keys(".");
    assert!(bench.app.timeline().is_live());
}

#[test]
fn words_name_whom_the_board_shows() {
    let mut bench = default();
    bench.run(3);
    let (leader, _) = bench.app.timeline().board().leader().unwrap();
    bench.order("kill leader");
    assert!(bench.down(leader.number()));
    assert!(bench.screen(120, 36).contains(&format!("kill {leader}")));
}

#[test]
fn a_wrong_line_stays_to_be_mended_and_says_what_is_wrong() {
    let mut bench = default();
    bench.order("partitoin n1 | n2");
    let screen = bench.screen(120, 36);
    assert!(screen.contains("did you mean 'partition'") && screen.contains(":partitoin n1"));
    bench.press(KeyCode::Esc);
    bench.order("kill n9");
    assert!(bench.screen(120, 36).contains("n9"));
}

#[test]
fn a_few_letters_find_a_command_and_tell_its_effect() {
    let mut bench = default();
    bench.run(3);
    let (leader, ballot) = bench.app.timeline().board().leader().unwrap();
    bench.keys(":killead");
    let screen = bench.screen(120, 36);
    assert!(screen.contains(&format!("now kill {leader}")), "{screen}");
    assert!(screen.contains(&format!("{leader} leads in {ballot}: it goes")), "{screen}");
    assert!(screen.contains("-c '3.000s kill leader'") || screen.contains("kill leader'"));
    bench.app.key(&KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL));
    let script = bench.app.to_copy().unwrap().text;
    assert!(script.starts_with("-c '") && script.ends_with("s kill leader'"), "{script}");
    bench.press(KeyCode::Enter);
    assert!(bench.down(leader.number()));
    bench.keys(":");
    bench.press(KeyCode::Up);
    assert!(bench.screen(120, 36).contains(":kill leader"), "what was done is remembered");
    bench.press(KeyCode::Esc);
    bench.keys(":zoo");
    bench.press(KeyCode::Enter);
    assert!(!bench.screen(120, 36).contains("8 Timeline"), "actions are found, too");
}

#[test]
fn what_cannot_be_done_says_why_and_stays() {
    let mut bench = default();
    bench.run(1);
    bench.order("kill n1");
    bench.order("kill n1");
    assert!(bench.screen(120, 36).contains("n1 is down already"));
    bench.press(KeyCode::Esc);
    bench.keys(":kill n1 keep");
    assert!(bench.screen(120, 36).contains("not now"));
}

#[test]
fn a_form_is_completed_and_a_click_chooses_and_does() {
    let mut bench = default();
    bench.run(1);
    bench.keys(":dela");
    bench.press(KeyCode::Tab);
    assert!(bench.screen(120, 36).contains(":delay "));
    bench.press(KeyCode::Esc);
    bench.keys(":pause n2");
    bench.press(KeyCode::Backspace);
    bench.click("pause n4");
    assert!(bench.screen(120, 36).contains(">pause n4"));
    bench.click(">pause n4");
    let node = bench.app.timeline().board().node(NodeId::node(4)).unwrap().clone();
    assert!(!node.life.is_up(), "{:?}", node.life);
}

#[test]
fn whatever_the_screen_can_show_is_found_by_its_name() {
    let mut bench = default();
    bench.run(1);
    bench.keys(":layout paxos");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("layout paxos: Ballots"), "{}", bench.screen(120, 36));
    bench.keys(":pane spacetime");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("Space-time▐"), "{}", bench.screen(120, 36));
    bench.keys(":theme light");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("theme light; --theme"), "{}", bench.screen(120, 36));
    bench.keys(":qqqq");
    assert!(bench.screen(120, 36).contains("nothing here has these letters"));
}

/// What the palette says before, and what the board says after.
#[test]
fn what_is_foretold_comes_true() {
    for line in [
        "kill n1,n2",
        "kill n1,n2,n3",
        "pause n4",
        "partition n1,n2 | n3,n4,n5",
        "partition n1,n2 | n3,n4 | n5",
        "isolate n2",
        "bridge n3",
        "partition n1 ~ n2",
        "partition n1 -> n2",
        "ring",
    ] {
        let mut bench = default();
        bench.run(2);
        let told = bench.app.timeline().board().effect(&line.parse().unwrap()).join(" ");
        bench.order(line);
        let board = bench.app.timeline().board();
        let (best, majority) = (board.best_reach(), board.majority());
        match best >= majority {
            true => assert!(!told.contains("No majority"), "{line}: {told}"),
            false => assert!(told.contains(&format!("{best} of 5")), "{line}: {told}"),
        }
        let sides = board.network.groups().iter().filter(|_| board.network.is_parted());
        assert_eq!(told.matches(" | ").count(), sides.count().saturating_sub(1), "{line}: {told}");
    }
}

#[test]
fn the_fault_menu_does_what_its_keys_say() {
    let mut bench = default();
    bench.run(2);
    bench.keys("1jf");
    let screen = bench.screen(120, 36);
    assert!(screen.contains("Fault on n2") && screen.contains("[until healed]"), "{screen}");
    assert!(screen.contains("kill n2") && screen.contains("Crash; the disk is kept"), "{screen}");
    bench.keys("x");
    assert!(bench.down(2));
    bench.keys("f");
    assert!(bench.screen(120, 36).contains("start"), "x again starts it");
    bench.keys("x");
    assert!(!bench.down(2));
    bench.keys("d3");
    let faults = bench.app.timeline().board().faults.active();
    assert_eq!(faults.iter().map(|f| f.text.as_ref()).collect::<Vec<_>>(), ["delay n2 100ms 20ms"]);
    bench.keys("6lf");
    assert!(bench.screen(120, 36).contains("Fault on the link"), "{}", bench.screen(120, 36));
    bench.press(KeyCode::Esc);
    assert!(!bench.screen(120, 36).contains("Fault on"));
}

#[test]
fn a_fault_lasts_as_long_as_it_was_chosen_to() {
    let mut bench = default();
    bench.run(1);
    bench.keys("1f");
    bench.press(KeyCode::Right);
    bench.keys("x");
    assert!(bench.down(1) && bench.screen(120, 36).contains("ends after 5s"));
    bench.run(4);
    assert!(bench.down(1));
    bench.run(2);
    assert!(!bench.down(1));
}

#[test]
fn a_fault_that_is_undone_does_not_end_later() {
    let mut bench = default();
    bench.run(1);
    bench.keys("1f");
    bench.press(KeyCode::Right);
    bench.keys("xu");
    bench.order("kill n1");
    bench.run(7);
    assert!(bench.down(1), "nobody asked for the end of this one");
}

#[test]
fn a_flapping_link_comes_and_goes_and_ends_whole() {
    let mut bench = default();
    bench.run(1);
    bench.keys("6f");
    for _ in 0..3 {
        bench.press(KeyCode::Right);
    }
    bench.keys("x");
    bench.run(12);
    let timeline = bench.app.timeline();
    assert_eq!(timeline.viewed().commands().len(), 10, "five times there and back");
    assert_eq!(timeline.board().faults.count(), 0);
}

#[test]
fn bundles_go_from_easy_to_nasty_and_each_fault_is_healed_by_its_row() {
    let mut bench = default();
    bench.run(2);
    bench.keys("f");
    bench.press(KeyCode::Tab);
    let screen = bench.screen(120, 36);
    assert!(screen.contains("drizzle") && screen.contains("nightmare"), "{screen}");
    bench.keys("3");
    let texts = |bench: &Bench| -> Vec<String> {
        let faults = bench.app.timeline().board().faults.active().iter();
        faults.map(|fault| fault.text.to_string()).collect()
    };
    assert_eq!(texts(&bench), ["loss all 10%", "duplicate all 5%", "reorder all 10%"]);
    bench.order("kill n4");
    bench.keys("F");
    assert!(bench.screen(120, 36).contains("Broken now: 4"), "{}", bench.screen(120, 36));
    bench.keys("4");
    assert!(!bench.down(4) && texts(&bench).len() == 3);
    bench.keys("FH");
    assert!(texts(&bench).is_empty());
}

#[test]
fn losing_a_disk_asks_first() {
    let mut bench = default();
    bench.run(1);
    bench.keys("1fw");
    assert!(bench.screen(120, 36).contains("This cannot be given back"));
    bench.keys("w");
    bench.press(KeyCode::Enter);
    assert!(!bench.down(1), "only y says yes");
    bench.keys("y");
    assert!(bench.down(1));
}

#[test]
fn the_right_button_opens_the_fault_menu() {
    let mut bench = default();
    bench.run(1);
    let (column, row) = bench.find("n4   ● up");
    bench.mouse(MouseEventKind::Down(MouseButton::Right), (column, row), false);
    assert!(bench.screen(120, 36).contains("Fault on n4"));
    bench.click("pause");
    bench.click(">");
    bench.click_at((0, 0), false);
    assert!(!bench.screen(120, 36).contains("Fault on n4"), "a click beside it closes it");
}

#[test]
fn what_is_selected_is_copied_and_what_was_said_too() {
    let mut bench = default();
    bench.run(2);
    bench.keys("1jy");
    let copy = bench.app.to_copy().unwrap();
    assert!(copy.text.contains("n2") && !copy.text.contains('\n'), "{copy:?}");
    bench.app.copied(&copy, "xclip");
    assert!(bench.screen(120, 36).contains("characters by xclip: "), "{}", bench.screen(120, 36));
    bench.keys("v");
    assert!(bench.screen(120, 36).contains("no later violation"));
    bench.keys("y");
    assert!(bench.app.to_copy().unwrap().text.starts_with("no later violation"));
    bench.keys("1Y");
    let copy = bench.app.to_copy().unwrap();
    assert!(
        copy.text.starts_with("Nodes  5 nodes: 5 up\n") && copy.text.contains("n5"),
        "{copy:?}"
    );
    assert_eq!(copy.what, "pane Nodes");
}

#[test]
fn help_is_searched_by_typing() {
    let mut bench = default();
    bench.keys("?fault menu");
    let screen = bench.screen(120, 36);
    assert!(!screen.contains("signs and colours"), "{screen}");
    bench.press(KeyCode::Esc);
    bench.keys("torn");
    let screen = bench.screen(120, 36);
    assert!(screen.contains("kill WHO [lose|keep|tear]"), "commands are found, too: {screen}");
    bench.keys("xyz");
    assert!(bench.screen(120, 36).contains("nothing is found"));
    bench.press(KeyCode::Esc);
    assert!(bench.screen(120, 36).contains("type to search"), "the search is left first");
    bench.press(KeyCode::Esc);
    assert!(!bench.screen(120, 36).contains("type to search"));
}

#[test]
fn healing_ends_every_fault() {
    let mut bench = default();
    bench.run(1);
    for line in
        ["partition n1,n2 | n3,n4,n5", "kill n3", "pause n4", "clock n5 +2s", "disk n1 slow 5ms"]
    {
        bench.order(line);
    }
    bench.run(1);
    assert!(bench.app.timeline().board().faults.count() >= 5);
    bench.keys("H");
    assert_eq!(bench.app.timeline().board().faults.count(), 0);
}

#[test]
fn a_painted_partition_is_one_command() {
    let mut bench = default();
    bench.keys("Paabbb");
    bench.press(KeyCode::Enter);
    let board = bench.app.timeline().board();
    assert_eq!(board.faults.active().len(), 1);
    assert_eq!(board.faults.active()[0].text.as_ref(), "partition n1,n2 | n3,n4,n5");
    bench.keys("HP27");
    assert!(bench.screen(120, 36).contains("It comes every other second"));
    bench.press(KeyCode::Enter);
    let mut parted = Vec::new();
    for _ in 0..12 {
        parted.push(bench.app.timeline().board().network.is_parted());
        bench.keys(">");
    }
    parted.dedup();
    assert_eq!(parted.len(), 10, "five times there and gone: {parted:?}");
}

#[test]
fn a_filter_narrows_the_list_and_leads_from_match_to_match() {
    let mut bench = default();
    bench.run(1);
    for line in ["kill n2", "pause n4"] {
        bench.order(line);
        bench.run(1);
    }
    bench.keys("/kind:fault node:n4");
    bench.press(KeyCode::Enter);
    let screen = bench.screen(120, 36);
    assert!(screen.contains("filter: kind:fault node:n4"), "{screen}");
    assert!(screen.contains("n4  freezes") && !screen.contains("n2  crashes"), "{screen}");
    bench.keys("N");
    let event = bench.app.timeline().event().unwrap().to_string();
    assert!(event.contains("n4"), "{event}");
    bench.keys("NNNN");
    assert!(bench.screen(120, 36).contains("no earlier match"));
    bench.press(KeyCode::Esc);
    assert!(!bench.screen(120, 36).contains("filter:"), "Esc takes the filter away");
}

#[test]
fn a_wrong_filter_stays_to_be_mended() {
    let mut bench = default();
    bench.keys("/kind:fualt");
    bench.press(KeyCode::Enter);
    let screen = bench.screen(80, 24);
    assert!(screen.contains("/kind:fualt_") && screen.contains("did you mean 'fault'"), "{screen}");
    bench.press(KeyCode::Esc);
    assert!(!bench.screen(80, 24).contains("fualt"));
}

/// Goes to the space-time pane, whatever its number.
fn to_messages(bench: &mut Bench) {
    // It comes first of those that the layout does not have.
    bench.keys("0gjjjjjjjjjjjj");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("Space-time"));
}

#[test]
fn a_message_that_was_delivered_can_be_dropped_in_a_branch() {
    let mut bench = default();
    bench.run(2);
    let main = bench.app.timeline().events().len();
    to_messages(&mut bench);
    bench.press(KeyCode::Left);
    let is_message = |bench: &Bench| bench.screen(120, 36).contains("x drop");
    for _ in 0..50 {
        if !is_message(&bench) {
            bench.press(KeyCode::Left);
        }
    }
    let selected = |bench: &Bench| {
        let screen = bench.screen(120, 36);
        let line = screen.lines().find(|line| line.contains(">#")).unwrap().to_owned();
        line.split("#").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    let msg = selected(&bench);
    bench.keys("x");
    let branches = bench.app.timeline().branches();
    assert_eq!((branches.len(), branches[0].events().len()), (2, main), "main stays");
    let lost = format!("lost #{msg}: dropped");
    let events = bench.app.timeline().events();
    let mut told = events.range(0..events.len()).map(|(_, event)| event.to_string());
    assert!(told.any(|text| text.contains(&lost)), "{lost}");
}

#[test]
fn a_message_under_way_is_delivered_late_by_its_line() {
    let mut bench = default();
    bench.run(1);
    bench.order("hold n1 -> n2");
    bench.run(1);
    let flying = |bench: &Bench| {
        let board = bench.app.timeline().board();
        board.network.flights().map(|(msg, _)| msg).next()
    };
    let msg = flying(&bench).unwrap();
    bench.order(&format!("delay {msg} 50ms"));
    bench.run(1);
    assert_ne!(flying(&bench), Some(msg), "it arrived");
    let events = bench.app.timeline().events();
    let event = format!("▼ delay {msg} 50ms");
    assert!(events.range(0..events.len()).any(|(_, e)| e.kind.to_string() == event));
}

#[test]
fn what_is_due_later_happens_by_hand_and_a_node_leaves_the_ring() {
    let mut bench = default();
    bench.run(1);
    bench.keys("1e");
    assert!(bench.screen(120, 36).contains("▼  1.000 -   fire n1 election"));
    bench.run(1);
    let events = bench.app.timeline().events();
    let stood = |(_, event): (usize, &Event)| matches!(event.fact(), Some(Fact::Seeks { .. }));
    let n1 = |event: &(usize, &Event)| event.1.node == NodeId::node(1);
    assert!(events.range(0..events.len()).filter(n1).any(stood), "n1 stands for leader");
    bench.keys("a");
    bench.run(1);
    let in_ring = |bench: &Bench| {
        let board = bench.app.timeline().board();
        board.ring.latest().unwrap().has(NodeId::node(1))
    };
    assert!(!in_ring(&bench));
    bench.keys("a");
    bench.run(1);
    assert!(in_ring(&bench), "and joins it again");
    bench.order("hold n1 -> n2");
    bench.run(1);
    to_messages(&mut bench);
    while !bench.screen(120, 36).contains("x drop") {
        bench.press(KeyCode::Left);
    }
    bench.keys("e");
    assert!(bench.screen(120, 36).lines().nth(34).unwrap().starts_with(" deliver #"));
}

#[test]
fn inspecting_a_node_tells_all_that_it_stated_and_ends_with_what_there_is() {
    let mut bench = default();
    bench.run(2);
    bench.app.resize(Rect::new(0, 0, 80, 24));
    bench.keys("1");
    bench.press(KeyCode::Enter);
    let first = bench.screen(80, 24);
    assert!(first.contains("Inspect n1") && first.contains("up since 0.000"), "{first}");
    bench.keys("G");
    let last = bench.screen(80, 24);
    assert!(last.contains("lately, newest first"), "{last}");
    bench.keys("k");
    assert_ne!(bench.screen(80, 24), last, "one row up");
    bench.press(KeyCode::Esc);
    assert!(!bench.screen(80, 24).contains("Inspect"));
}

#[test]
fn where_nothing_is_drawn_no_key_hits_anything() {
    let mut bench = default();
    bench.app.resize(Rect::new(0, 0, 30, 8));
    bench.keys("x");
    assert!(!bench.down(1));
    bench.keys("q");
    assert!(bench.app.quits());
}

#[test]
fn escape_never_quits() {
    let mut bench = default();
    bench.keys("z");
    bench.press(KeyCode::Esc);
    bench.press(KeyCode::Esc);
    assert!(!bench.app.quits());
    bench.keys("?q");
    assert!(!bench.app.quits(), "letters search in help");
    bench.press(KeyCode::Esc);
    bench.press(KeyCode::Esc);
    bench.keys("q");
    assert!(bench.app.quits());
}

#[test]
fn a_click_selects_a_row_and_focuses_its_pane() {
    let mut bench = default();
    bench.run(2);
    let (column, row) = bench.find("n4   ● up");
    bench.click_at((column + 2, row), false);
    bench.keys("x");
    assert!(bench.down(4), "the node that was clicked on is the selected one");
    bench.click("Network");
    assert!(bench.screen(120, 36).contains("▌6 Network▐"));
    bench.click_at(bench.find("6 Network"), true);
    assert!(!bench.screen(120, 36).contains("1 Nodes"), "a double click zooms");
}

#[test]
fn hints_and_header_fields_are_keys() {
    let mut bench = default();
    bench.run(2);
    assert!(!bench.app.moves());
    bench.click("PAUSED");
    assert!(bench.app.moves());
    bench.click("Space:run");
    assert!(!bench.app.moves());
    bench.click("?:help");
    assert!(bench.screen(120, 36).contains("Show or hide this help"));
    bench.click_at((0, 0), false);
    assert!(
        !bench.screen(120, 36).contains("Show or hide this help"),
        "beside it, a click closes it"
    );
    let position = bench.app.timeline().position();
    bench.click(",/.:step");
    assert_eq!(bench.app.timeline().position(), position - 1);
    let (column, row) = bench.find(",/.:step");
    bench.click_at((column + 2, row), false);
    assert!(bench.app.timeline().is_live());
}

#[test]
fn the_scrubber_is_dragged_and_everything_else_is_not() {
    let mut bench = default();
    bench.run(4);
    let end = bench.now();
    let (_, row) = bench.find("8 Timeline");
    bench.screen(120, 36);
    let hold = MouseEventKind::Down(MouseButton::Left);
    let drag = MouseEventKind::Drag(MouseButton::Left);
    bench.mouse(hold, (60, row + 1), false);
    let middle = bench.now();
    assert!(middle < end && !bench.app.timeline().is_live());
    bench.mouse(drag, (30, row + 1), false);
    assert!(bench.now() < middle);
    bench.mouse(MouseEventKind::Up(MouseButton::Left), (30, row + 1), false);
    let now = bench.now();
    bench.mouse(drag, (90, row + 1), false);
    assert_eq!(bench.now(), now, "nothing is held any more");
}

#[test]
fn a_border_that_is_held_while_the_size_changes_is_let_go() {
    let mut bench = default();
    bench.app.resize(Rect::new(0, 0, 117, 35));
    bench.screen(117, 35);
    bench.mouse(MouseEventKind::Down(MouseButton::Left), (47, 22), false);
    assert_eq!(bench.app.mouse_wanted(), Mouse::Drags);
    bench.app.resize(Rect::new(0, 0, 110, 84));
    assert_eq!(bench.app.mouse_wanted(), Mouse::Clicks);
    bench.mouse(MouseEventKind::Drag(MouseButton::Left), (0, 1), false);
}

#[test]
fn the_wheel_scrolls_what_is_under_the_pointer() {
    let mut bench = default();
    bench.run(2);
    bench.keys("6");
    let place = bench.find("1 Nodes");
    bench.mouse(MouseEventKind::ScrollDown, place, false);
    assert!(bench.screen(120, 36).contains("▌6 Network▐"), "the focus stays");
    bench.keys("1x");
    assert!(bench.down(4), "three rows down from the first");
}

#[test]
fn the_mouse_can_be_let_go() {
    let mut bench = default();
    assert_eq!(bench.app.mouse_wanted(), Mouse::Clicks);
    bench.keys("M");
    assert_eq!(bench.app.mouse_wanted(), Mouse::Off);
    let screen = bench.screen(120, 36);
    assert!(screen.contains("mouse off") && screen.contains("the terminal selects text"));
    bench.click("Space:run");
    assert!(!bench.app.moves());
    bench.keys("M");
    assert_eq!(bench.app.mouse_wanted(), Mouse::Clicks);
}

#[test]
fn another_layout_is_picked_from_the_list() {
    let mut bench = default();
    bench.keys("w");
    let list = bench.screen(120, 36);
    assert!(list.contains("Layouts") && list.contains("partition-lab"), "{list}");
    bench.keys("jjjjjjjj");
    bench.press(KeyCode::Enter);
    let screen = bench.screen(120, 36);
    assert!(screen.contains("1 Network") && screen.contains("2 Sides"), "{screen}");
    let matrix = |bench: &Bench| bench.screen(120, 36).contains(" to     n1    n2");
    assert!(matrix(&bench), "{screen}");
    bench.keys("s");
    assert!(!matrix(&bench), "the first shows sides now");
    bench.keys("2ss");
    assert!(matrix(&bench), "each has a view of its own");
}

#[test]
fn a_pane_that_the_layout_does_not_place_can_be_gone_to_and_left() {
    let mut bench = default();
    let layout = Library::default().load("paxos").unwrap();
    bench.app = bench.app.arranged(layout, Library::default());
    bench.run(1);
    assert!(!bench.screen(120, 36).contains("Ring"));
    bench.keys("0");
    assert!(bench.screen(120, 36).contains("7 Ring"));
    bench.keys("7");
    let alone = bench.screen(120, 36);
    assert!(alone.contains("7 Ring") && !alone.contains("1 Cons"), "{alone}");
    bench.press(KeyCode::Esc);
    let screen = bench.screen(120, 36);
    assert!(!screen.contains("Ring") && screen.contains("▌1 "), "{screen}");
}

#[test]
fn a_saved_layout_applies_at_once_and_a_wrong_one_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.toml");
    let text = |pane: &str| {
        format!(
            "[pane.{pane}]\n[[variant]]\ncolumns = [\"1fr\"]\nrows = [\"1fr\"]\nareas = [\"{pane}\"]"
        )
    };
    std::fs::write(&file, text("nodes")).unwrap();
    let layout = Library::default().load(&file.to_string_lossy()).unwrap();
    let mut bench = default();
    bench.app = bench.app.arranged(layout, Library::default());
    assert!(bench.screen(80, 24).contains("1 Nodes"));
    std::fs::write(&file, text("checks")).unwrap();
    bench.app.reload();
    let screen = bench.screen(80, 24);
    assert!(screen.contains("1 Checks"), "{screen}");
    std::fs::write(&file, text("chekcs")).unwrap();
    bench.app.reload();
    let screen = bench.screen(80, 24);
    assert!(screen.contains("1 Checks") && screen.contains("did you mean"), "{screen}");
    assert_eq!(Layout::overview().file(), None, "what is built in never changes");
}

#[test]
fn what_is_shown_is_kept_as_a_layout_of_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = default();
    let library = Library::of([dir.path().to_owned()]);
    bench.app = bench.app.arranged(Layout::overview(), library.clone());
    // The border between nodes and log goes four columns to the left.
    bench.screen(120, 36);
    bench.app.resize(Rect::new(0, 0, 120, 36));
    bench.mouse(MouseEventKind::Down(MouseButton::Left), (46, 5), false);
    assert_eq!(bench.app.mouse_wanted(), Mouse::Drags);
    bench.mouse(MouseEventKind::Drag(MouseButton::Left), (42, 5), false);
    bench.mouse(MouseEventKind::Up(MouseButton::Left), (42, 5), false);
    bench.keys("6sws");
    assert!(bench.screen(120, 36).contains("name of the layout: "));
    bench.keys("mine");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("mine.toml"));
    let (nodes, _) = bench.find("3 ");
    assert_eq!(nodes, 45, "the log begins where it was put");
    let text = std::fs::read_to_string(dir.path().join("mine.toml")).unwrap();
    for part in ["focus  = \"network\"", "view  = \"groups\"", "columns = [\"43\""] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(library.load("mine").is_ok());
    bench.keys("ws");
    bench.keys("mine");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("there already"), "nothing is written over");
}

#[test]
fn a_theme_is_shown_while_it_is_chosen_and_kept_by_enter_only() {
    let mut bench = default();
    // The colour of the sign of the focused pane tells one theme from another.
    let looks = |bench: &Bench| {
        let mut buf = Buffer::empty(Rect::new(0, 0, 120, 36));
        bench.app.draw(&mut buf);
        format!("{:?}", buf[(5, 1)].style())
    };
    let (before, mut seen) = (looks(&bench), Vec::new());
    for _ in 0..6 {
        bench.keys("T");
        seen.push(looks(&bench));
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 3, "most differ here: {seen:?}");
    bench.press(KeyCode::Esc);
    assert_eq!(looks(&bench), before, "nothing was kept");
    bench.keys("TT");
    let second = looks(&bench);
    bench.press(KeyCode::Enter);
    assert_eq!(looks(&bench), second);
    assert!(bench.screen(120, 36).contains("theme projector; --theme projector begins with it"));
    bench.keys("Tk");
    bench.click_at((0, 35), false);
    assert_eq!(looks(&bench), second, "a click beside the list keeps nothing");
}

#[test]
fn the_wheel_over_the_timeline_shows_less_of_it_and_more_again() {
    let mut bench = default();
    bench.run(4);
    let row = |bench: &Bench| {
        let screen = bench.screen(120, 36);
        screen.lines().nth(32).unwrap().chars().filter(|c| !c.is_whitespace()).collect::<String>()
    };
    assert!(row(&bench).starts_with("│0.0s"), "{}", row(&bench));
    let place = (20, 32);
    bench.mouse(MouseEventKind::ScrollUp, place, false);
    assert!(row(&bench).starts_with("│2.9s"), "{}", row(&bench));
    assert!(bench.screen(120, 36).contains(" 1/4 of main "));
    bench.keys("<<");
    assert!(row(&bench).starts_with("│1."), "it goes with the cursor: {}", row(&bench));
    bench.mouse(MouseEventKind::ScrollDown, place, false);
    assert!(row(&bench).starts_with("│0.0s"));
    bench.keys("8++++--");
    assert!(bench.screen(120, 36).contains(" 1/16 of main "), "and so do keys");
}

#[test]
fn the_wheel_over_space_time_goes_through_time_and_lanes_stay() {
    let mut bench = default();
    bench.run(2);
    to_messages(&mut bench);
    let end = bench.now();
    let place = bench.find("Space-time");
    bench.mouse(MouseEventKind::ScrollUp, place, false);
    bench.mouse(MouseEventKind::ScrollUp, place, false);
    let back = bench.now();
    assert!(back < end && back >= end - Span::millis(80), "2 notches of 4 ms and more: {back}");
    assert!(bench.screen(120, 36).contains("PAST"));
    bench.mouse(MouseEventKind::ScrollDown, place, false);
    assert!(bench.now() > back, "on by one event at least");
    (0..30).for_each(|_| bench.mouse(MouseEventKind::ScrollDown, place, false));
    assert!(!bench.screen(120, 36).contains("PAST"), "beyond the end is now");
}

#[test]
fn a_row_of_a_list_is_selected_by_a_click() {
    let mut bench = default();
    bench.run(2);
    bench.keys("1");
    while !bench.screen(120, 36).contains("Nodes (list)") {
        bench.keys("s");
    }
    bench.click("n4 up");
    bench.keys("x");
    assert!(bench.down(4));
}

#[test]
fn the_moment_chosen_on_a_chart_tells_its_values_and_is_gone_to() {
    let mut bench = default();
    bench.run(4);
    bench.keys("0gjjjjjjjjjjjjj");
    bench.press(KeyCode::Enter);
    let head = |bench: &Bench| {
        let screen = bench.screen(120, 36);
        let head = screen.lines().find(|line| line.contains("latency of calls")).unwrap();
        head.trim_matches(['│', '┃', ' ']).to_owned()
    };
    assert_eq!(head(&bench), "latency of calls that succeeded, ms");
    bench.keys("hhh");
    let told = head(&bench);
    assert!(told.contains(" at 3.") && told.contains(" p50 ") && told.contains(" p99 "), "{told}");
    bench.keys("h");
    assert_ne!(head(&bench), told);
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("PAST -0."), "the cursor is there");
    bench.keys("G");
    bench.click_at((60, 6), false);
    assert!(bench.screen(120, 36).contains("PAST -"), "and a click goes there at once");
}

/// Whether a sign may stand on the screen: one cell wide everywhere, in the basic plane, no emoji.
fn known(sign: char, ascii: bool) -> bool {
    const OTHERS: &str = "★●◆○•✗‖◌Δ✓…·×»►◉▼▸◄→←≤≥µ";
    matches!(sign, ' '..='~')
        || (!ascii
            && (matches!(sign, '\u{2500}'..='\u{259F}' | '\u{2800}'..='\u{28FF}')
                || OTHERS.contains(sign)))
}

fn any_key() -> impl Strategy<Value = KeyCode> {
    let named = [
        KeyCode::Esc,
        KeyCode::Enter,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::F(1),
        KeyCode::F(5),
    ];
    let letters = "?0123456789zswohjklgG .,><xpiPHuUvVMT:abcdDetfFyYo()=m'[]BRr/nN+-";
    let letters = letters.chars().map(KeyCode::Char);
    let keys: Vec<KeyCode> = named.into_iter().chain(letters).collect();
    proptest::sample::select(keys)
}

fn any_click() -> impl Strategy<Value = (MouseEventKind, (u16, u16), bool)> {
    let kinds = [
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
    ];
    (prop::sample::select(kinds.to_vec()), (0u16..160, 0u16..60), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// And every row is exactly as wide as the screen, and made of known signs only.
    #[test]
    fn no_keys_at_any_size_do_harm(
        keys in prop::collection::vec((any_key(), any_click(), 1u16..300, 1u16..100), 1..60),
        which in prop::sample::select(vec!["default", "bank", "three-paxos", "locks"]),
        ascii: bool,
    ) {
        let glyphs = if ascii { GlyphsArg::Ascii } else { GlyphsArg::Unicode };
        let mut bench = Bench::with(&plan::builtin(which).unwrap(), glyphs);
        for (code, (kind, place, again), width, height) in keys {
            bench.app.resize(Rect::new(0, 0, width, height));
            bench.press(code);
            bench.mouse(kind, place, again);
            bench.app.tick(Span::millis(50));
            bench.settle();
            for row in bench.screen(width, height).lines() {
                prop_assert_eq!(row.chars().count(), usize::from(width), "{}", row);
                let strange = row.chars().find(|c| !known(*c, ascii));
                prop_assert_eq!(strange, None, "{}", row);
            }
        }
    }
}
