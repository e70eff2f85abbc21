//! Scenarios on the screen: what a viewer sees step by step is what happens without a screen, there
//! is a way back, and whoever leaves the script finds it again.
#![allow(missing_docs, clippy::unwrap_used)]

mod stage;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use netsplit::base::Span;
use netsplit::cli::desk;
use netsplit::cli::{self, RuntimeArg, words};
use netsplit::event::Watch;
use netsplit::plan::Plan;
use netsplit::script::library;
use netsplit::script::play::{self, Output, Playing};
use netsplit::script::scenario::Scenario;
use netsplit::sim::player::Player;
use netsplit::tui::app::{App, Speed, Title};
use netsplit::tui::story::Story;
use netsplit::tui::{Env, Flags, Library, Look, Source, print};
use std::hash::Hasher as _;
use std::sync::Arc;

/// The screen, and the cluster that it steers, without a thread between them.
struct Hall {
    app: App,
    player: Player,
}

impl Hall {
    fn new(scenario: &Arc<Scenario>, act: usize) -> Hall {
        let plan = &scenario.acts[act - 1].plan;
        let source = Source::Simulated { seed: plan.seed };
        let title = Title { focus: None, ..desk::title(plan, source) };
        let look = Look::choose(&Flags::default(), &Env::of(&[("LANG", "C.UTF-8")]));
        let mut app = App::new(title, look, Speed::Percent(100), false);
        app.tell(Story::new(Arc::clone(scenario), act, false));
        let player = Player::new(plan, plan.seed, Watch::Labels);
        let mut hall = Hall { app, player };
        stage::command(&mut hall.app, &mut hall.player, "stop");
        hall
    }

    fn settle(&mut self) {
        stage::settle(&mut self.app, &mut self.player);
    }

    /// Presses a key and lets time pass until nothing moves any more.
    fn press(&mut self, code: KeyCode) {
        self.app.key(&KeyEvent::new(code, KeyModifiers::NONE));
        self.settle();
        for _ in 0..10_000 {
            if !self.app.moves() {
                return;
            }
            self.app.tick(Span::millis(33));
            self.settle();
        }
        panic!("it never stops");
    }

    fn next(&mut self) {
        self.press(KeyCode::PageDown);
    }

    fn order(&mut self, line: &str) {
        self.app.key(&KeyEvent::new(KeyCode::Char(':'), KeyModifiers::NONE));
        for c in line.chars() {
            self.app.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        self.press(KeyCode::Enter);
    }

    fn screen(&self, width: u16, height: u16) -> String {
        stage::screen(&self.app, width, height)
    }

    fn sees(&self, text: &str) -> bool {
        self.screen(160, 50).contains(text)
    }

    /// Goes on until the act is over.
    fn finish(&mut self) {
        for _ in 0..100 {
            if self.sees("The act is over") || self.sees("The end.") {
                return;
            }
            self.next();
        }
        panic!("there is no end:\n{}", self.screen(120, 36));
    }

    /// Stands for all events of the run.
    fn digest(&self) -> u64 {
        let mut digest = twox_hash::XxHash3_64::with_seed(0);
        let events = self.app.timeline().events();
        for (_, event) in events.range(0..events.len()) {
            digest.write(format!("{event}\n").as_bytes());
        }
        digest.finish()
    }
}

fn load(name: &str) -> Arc<Scenario> {
    Arc::new(library::load(name, &words()).unwrap_or_else(|error| panic!("{error}")))
}

/// The digests of all acts without a screen.
fn played(scenario: &Arc<Scenario>) -> Vec<u64> {
    let (live, replay) = (false, String::new());
    let output = Output::Text;
    let playing =
        Playing { seed: None, output, events: false, narrate: false, keep: false, live, replay };
    let mut start = |plan: &Plan, seed: u64| cli::start(plan, seed, Watch::Labels, RuntimeArg::Sim);
    let outcome = play::play(scenario, &playing, &mut start, &mut std::io::sink()).unwrap();
    outcome.acts.iter().map(|act| act.summary.digest).collect()
}

#[test]
fn what_a_viewer_sees_is_what_happens_without_a_screen() {
    for (_, scenario) in library::all(&words()).unwrap_or_else(|error| panic!("{error}")) {
        let scenario = Arc::new(scenario);
        for (act, digest) in (1..).zip(played(&scenario)) {
            let mut hall = Hall::new(&scenario, act);
            hall.finish();
            assert_eq!(hall.digest(), digest, "{}, act {act}", scenario.name);
        }
    }
}

#[test]
fn all_that_is_told_fits_on_a_small_screen() {
    let mut cut = Vec::new();
    for (_, scenario) in library::all(&words()).unwrap_or_else(|error| panic!("{error}")) {
        let scenario = Arc::new(scenario);
        for act in 1..=scenario.acts.len() {
            let mut hall = Hall::new(&scenario, act);
            for step in 0..40 {
                let screen = hall.screen(80, 24);
                if screen.lines().any(|line| line.starts_with("┃ …  ")) {
                    cut.push(format!("{} act {act}, after {step} keys:\n{screen}", scenario.name));
                }
                if hall.sees("The act is over") || hall.sees("The end.") {
                    break;
                }
                hall.next();
            }
        }
    }
    assert!(cut.is_empty(), "{}", cut.join("\n"));
}

#[test]
fn a_question_is_answered_when_the_viewer_has_thought() {
    let mut hall = Hall::new(&load("lock-fencing"), 1);
    (0..3).for_each(|_| hall.next());
    assert!(hall.sees("Think first: The lease of c1 runs out"));
    assert!(!hall.sees("A dead client must not block"));
    hall.next();
    assert!(hall.sees("A dead client must not block") && hall.sees("✓ 2 It frees the lock"));
    hall.next();
    assert!(hall.sees("c2 gets the lock and writes"));
}

#[test]
fn one_can_go_back_and_see_a_step_again() {
    let mut hall = Hall::new(&load("lock-fencing"), 1);
    (0..2).for_each(|_| hall.next());
    let (two, at) = (hall.digest(), hall.screen(120, 36));
    (0..3).for_each(|_| hall.next());
    assert_ne!(hall.digest(), two);
    hall.press(KeyCode::PageUp);
    hall.press(KeyCode::PageUp);
    assert_eq!(hall.digest(), two);
    assert!(hall.sees("step 2 of 5") && at.contains("step 2 of 5"));
    hall.press(KeyCode::Char('R'));
    assert_eq!(hall.digest(), two, "the same step gives the same events");
    hall.finish();
    assert_eq!(hall.digest(), played(&load("lock-fencing"))[0]);
}

#[test]
fn whoever_leaves_the_script_finds_it_again() {
    let scenario = load("lock-fencing");
    let mut hall = Hall::new(&scenario, 1);
    (0..2).for_each(|_| hall.next());
    let before = hall.digest();
    hall.order("kill n1");
    assert!(hall.sees("You left the script here"));
    hall.app.key(&KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE));
    for _ in 0..20 {
        hall.app.tick(Span::millis(33));
        hall.settle();
    }
    hall.press(KeyCode::Char(' '));
    assert_ne!(hall.digest(), before);
    hall.next();
    assert_eq!(hall.digest(), before, "it goes on where the script was left");
    hall.finish();
    assert_eq!(hall.digest(), played(&scenario)[0]);
}

#[test]
fn the_next_act_is_another_cluster() {
    let mut hall = Hall::new(&load("lock-fencing"), 1);
    hall.finish();
    assert_eq!(hall.app.next_act(), None);
    hall.next();
    assert_eq!((hall.app.next_act(), hall.app.quits()), (Some(2), true));
    let mut hall = Hall::new(&load("lock-fencing"), 2);
    assert!(hall.sees("With a fence"));
    hall.press(KeyCode::PageUp);
    assert_eq!(hall.app.next_act(), Some(1));
}

#[test]
fn it_fits_every_size() {
    let mut hall = Hall::new(&load("vote-that-evaporated"), 1);
    for step in 0..9 {
        for (width, height) in [(80, 24), (120, 36), (200, 50), (40, 10), (60, 16), (13, 4)] {
            let screen = hall.screen(width, height);
            let fits = width < 60 || screen.contains("The vote that evaporated");
            assert!(fits, "step {step}:\n{screen}");
        }
        hall.next();
    }
}

#[test]
fn a_layout_with_a_pane_for_it_tells_there_and_not_in_a_box() {
    let scenario = Arc::new(library::load("lock-fencing", &words()).unwrap());
    let layout = |name: &str| Library::default().load(name).unwrap();
    let told = "A client takes a lock";
    for (name, size, boxed) in [
        ("lecture", (120, 36), false),
        ("lecture", (80, 24), false),
        ("lecture", (60, 20), false),
        ("overview", (120, 36), true),
    ] {
        let mut hall = Hall::new(&scenario, 1);
        hall.app = hall.app.arranged(layout(name), Library::default());
        hall.app.fit(size.0, size.1);
        let text = print::text(&hall.app.picture(size.0, size.1));
        assert_eq!(text.matches(told).count(), 1, "{text}");
        let below = text.lines().rev().nth(1).unwrap().starts_with('┗');
        assert_eq!(below, boxed, "{text}");
        hall.app.key(&KeyEvent::new(KeyCode::Char('z'), KeyModifiers::NONE));
        let text = print::text(&hall.app.picture(size.0, size.1));
        assert!(text.contains(told), "another pane has the whole screen: {text}");
    }
}
