//! What keys do to time: undo, branches, marks, speed, a new start.

use super::*;

#[test]
fn every_command_can_be_undone_and_done_again() {
    let lines = [
        "kill n2 keep",
        "pause n3",
        "partition n1,n2 | n3,n4,n5",
        "partition n1 ~ n2",
        "isolate n4",
        "bridge n3",
        "ring",
        "delay n1 -> n2 90ms 20ms",
        "loss all 5%",
        "duplicate all 5%",
        "reorder all 5%",
        "hold n1 -> n2",
        "clock n4 +250ms",
        "clock n4 drift 200",
        "disk n1 slow 5ms",
        "disk n2 lose",
        "disk n2 wipe",
        "c1 put x=5",
    ];
    for line in lines {
        let mut bench = default();
        bench.run(1);
        let (before, then) = (bench.app.timeline().board().clone(), bench.now());
        bench.order(line);
        let after = bench.app.timeline().board().clone();
        assert!(before != after, "{line}");
        bench.keys("u");
        assert!(bench.app.timeline().board() == &before && bench.now() == then, "{line}");
        bench.keys("U");
        assert!(bench.app.timeline().board() == &after, "{line}");
        bench.keys("uU");
        assert!(bench.app.timeline().board() == &after, "{line}");
        bench.run(1);
    }
}

#[test]
fn what_ends_a_fault_and_what_hits_a_message_can_be_undone_too() {
    let mut bench = default();
    bench.run(1);
    for line in ["kill n2", "pause n3", "partition n1 ~ n4", "hold n1 -> n5"] {
        bench.order(line);
    }
    bench.run(1);
    let board = bench.app.timeline().board();
    let (msg, _) = board.network.flights().find(|(_, flight)| flight.held).unwrap();
    let drop = format!("drop {msg}");
    for line in ["restart n2", "resume n3", "heal n1 ~ n4", "release n1 -> n5", &drop, "heal"] {
        let before = bench.app.timeline().board().clone();
        bench.order(line);
        let after = bench.app.timeline().board().clone();
        assert!(before != after, "{line}");
        bench.keys("u");
        assert!(bench.app.timeline().board() == &before, "{line}");
        bench.keys("U");
        assert!(bench.app.timeline().board() == &after, "{line}");
        bench.keys("u");
    }
}

#[test]
fn what_one_key_healed_one_key_breaks_again() {
    let mut bench = default();
    bench.run(1);
    for line in ["kill n2", "pause n3", "partition n1 ~ n4"] {
        bench.order(line);
    }
    bench.keys("H");
    assert_eq!(bench.app.timeline().board().faults.count(), 0);
    bench.keys("u");
    assert_eq!(bench.app.timeline().board().faults.count(), 3);
    bench.keys("U");
    assert_eq!(bench.app.timeline().board().faults.count(), 0);
    bench.keys("uu");
    assert_eq!(bench.app.timeline().board().faults.count(), 2, "the last cut is gone");
}

#[test]
fn every_branch_can_be_gone_to_and_gone_on_with() {
    let mut bench = default();
    bench.run(2);
    bench.keys("<");
    bench.order("kill n1");
    bench.run(1);
    let what_if = bench.app.timeline().events().len();
    bench.keys("Bk");
    bench.press(KeyCode::Enter);
    assert_eq!(&*bench.app.timeline().viewed().name, "main");
    assert!(!bench.down(1) && !bench.app.timeline().is_live());
    bench.order("kill n2");
    assert!(bench.app.timeline().is_live() && bench.down(2) && !bench.down(1));
    assert_eq!(bench.app.timeline().branches().len(), 2, "it goes on along main itself");
    bench.run(1);
    let branches = bench.app.timeline().branches();
    assert_eq!(branches[1].events().len(), what_if, "the other one stands still");
    // Undo and a fork there begin at the branch that is looked at.
    bench.keys("u");
    assert_eq!(
        branches_of(&bench),
        [("main", None), ("what-if-1", Some(0)), ("what-if-2", Some(0))]
    );
    bench.keys("Bk");
    bench.press(KeyCode::Enter);
    bench.keys("u");
    assert_eq!(&*bench.app.timeline().viewed().name, "what-if-3");
    assert_eq!(bench.app.timeline().viewed().parent, Some(1));
    assert!(!bench.down(1));
    bench.keys(".");
    assert!(bench.app.timeline().is_live());
}

fn branches_of(bench: &Bench) -> Vec<(&str, Option<u32>)> {
    let all = bench.app.timeline().branches().iter();
    all.map(|branch| (&*branch.name, branch.parent)).collect()
}

#[test]
fn stepping_on_at_the_end_of_another_branch_goes_on_along_it() {
    let mut bench = default();
    bench.run(1);
    bench.keys(",u");
    bench.order("kill n1");
    let main = bench.app.timeline().branches()[0].events().len();
    bench.keys("Bg");
    bench.press(KeyCode::Enter);
    bench.keys(".");
    assert!(bench.app.timeline().branches()[0].events().len() > main);
    bench.keys(">");
    assert!(bench.app.timeline().is_live() && bench.now() > Time(1_800_000), "{}", bench.now());
}

#[test]
fn a_run_begins_again_with_the_same_or_another_seed() {
    let mut bench = default();
    bench.run(1);
    bench.order("kill n1");
    let boots = 8;
    bench.keys("R");
    bench.press(KeyCode::Enter);
    assert!(bench.now() == Time::ZERO && bench.app.timeline().events().len() >= boots);
    bench.run(1);
    let branches = bench.app.timeline().branches();
    let parting = branches[0].events().parting(branches[1].events());
    assert_eq!(branches[0].commands()[0].event, parting, "the same, up to the command");
    bench.keys("Rj");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("SIM seed 8"));
    bench.run(1);
    let branches = bench.app.timeline().branches();
    assert_eq!((&*branches[2].name, branches[2].parent), ("seed 8", None));
    assert_ne!(branches[0].events().get(50), branches[2].events().get(50));
    bench.keys("Rjj");
    bench.press(KeyCode::Enter);
    bench.press(KeyCode::Backspace);
    bench.keys("7000");
    bench.press(KeyCode::Enter);
    assert!(bench.screen(120, 36).contains("SIM seed 7000"));
}

#[test]
fn speed_goes_up_and_down_and_back() {
    let mut bench = default();
    bench.keys("))");
    assert!(bench.screen(120, 36).contains("x4"));
    bench.keys("=(((");
    assert!(bench.screen(120, 36).contains("x0.10"));
    bench.keys(&")".repeat(20));
    assert!(bench.screen(120, 36).contains("max"));
    bench.keys("=");
    assert!(bench.screen(120, 36).contains(" x1 "));
}

#[test]
fn marks_are_set_named_gone_to_and_taken_away() {
    let mut bench = default();
    bench.run(1);
    bench.keys("m");
    let there = bench.app.timeline().position();
    bench.order("kill n2");
    bench.run(1);
    bench.keys("[");
    assert!(bench.screen(120, 36).contains("kill n2"));
    bench.keys("[");
    assert_eq!(bench.app.timeline().position(), there);
    bench.keys("]");
    assert_eq!(bench.app.timeline().event().unwrap().command().unwrap().to_string(), "kill n2");
    bench.keys("[");
    bench.keys("'r");
    bench.keys("!");
    bench.press(KeyCode::Enter);
    bench.keys("'");
    assert!(bench.screen(120, 36).contains("m1!"), "{}", bench.screen(120, 36));
    bench.keys("x");
    bench.press(KeyCode::Esc);
    let own = |mark: &&netsplit::view::timeline::Mark| {
        mark.kind == netsplit::view::timeline::MarkKind::Person
    };
    assert_eq!(bench.app.timeline().viewed().marks().iter().filter(own).count(), 0);
}

#[test]
fn two_branches_are_compared_at_the_same_time_and_step_together() {
    let mut bench = default();
    bench.run(2);
    bench.keys("<");
    let parting = bench.app.timeline().position();
    bench.order("kill n1 keep");
    bench.run(1);
    bench.keys("Bc");
    let screen = bench.screen(120, 36);
    for text in ["main", "what-if-1", " up, boot 1", "DOWN, boot 1", "faults", "kill n1 keep"] {
        assert!(screen.contains(text), "{text}: {screen}");
    }
    assert!(screen.contains(&format!("the same up to event {parting}")), "{screen}");
    // Before they part, nothing differs; stepping on shows it again.
    bench.keys("<<");
    assert!(bench.screen(120, 36).contains("nothing differs at this time"));
    bench.keys(">.,>");
    assert!(bench.screen(120, 36).contains("DOWN, boot 1"));
    insta::assert_snapshot!("comparison", bench.screen(120, 36) + &bench.screen(80, 24));
    bench.press(KeyCode::Enter);
    assert!(!bench.app.timeline().is_live(), "Enter goes to that time");
}

#[test]
fn the_timeline_with_the_whole_screen_shows_leaders_branches_and_where_one_is() {
    let mut bench = default();
    bench.run(3);
    bench.order("kill n1 keep");
    bench.run(1);
    bench.keys("m<");
    bench.order("partition n1,n2 | n3,n4,n5");
    bench.run(2);
    bench.keys("8z<");
    insta::assert_snapshot!("timeline", bench.screen(120, 36) + &bench.screen(80, 24));
}

#[test]
fn what_broke_is_shown_by_the_fewest_events_and_nothing_is_done_to_them() {
    let text = "nodes = 3\nmutations = [\"raft.forget_vote\"]\n[log]\nkind = \"raft\"\n";
    let source = netsplit::error::Source::new("broken.toml", text);
    let mut bench = Bench::new(&plan::file::parse("broken", &source).unwrap());
    bench.keys("b");
    assert!(bench.screen(120, 36).contains("nothing is broken"));
    bench.run(1);
    bench.order("kill n1 lose");
    bench.order("restart n1");
    bench.run(1);
    let all = bench.app.timeline().events().len();
    bench.keys("b");
    let screen = bench.screen(120, 36);
    assert!(
        screen.contains("EXCERPT") && screen.contains("are enough to break RAFT-9"),
        "{screen}"
    );
    let few = bench.app.timeline().events().len();
    assert!(few < 12, "{few}");
    for key in ["x", "u", "m", "."] {
        bench.keys(key);
        assert!(bench.screen(120, 36).contains("cannot go on"), "{key}");
    }
    bench.keys("g ");
    assert_eq!(bench.app.timeline().events().len(), few, "it is played to its end, and no further");
    assert!(bench.app.story().is_some_and(|story| format!("{story:?}").contains("main")));
    bench.keys("b");
    assert_eq!(bench.app.timeline().events().len(), all);
    assert!(bench.screen(120, 36).contains("RAFT-9 broken at event"));
}

/// After which microseconds election timers run out, by node.
fn election_timers(bench: &Bench) -> Vec<(NodeId, u64)> {
    let board = bench.app.timeline().board();
    let election = |node: &netsplit::view::nodes::Node| {
        let mut timers = node.timers.iter();
        let (_, timer) = timers.find(|((_, name), _)| name == "election")?;
        Some((node.id, timer.until.since(board.now).0))
    };
    board.nodes.servers().filter(|node| node.life.is_up()).filter_map(election).collect()
}

#[test]
fn aligned_timers_split_the_vote_and_spread_ones_do_not() {
    use netsplit::view::elections::Outcome;
    let outcomes = |key: &str| {
        let mut bench = Bench::new(&plan::builtin("raft").unwrap());
        bench.run(1);
        bench.keys(key);
        assert!(bench.screen(120, 36).contains("next heartbeat sets them anew"));
        bench.order("kill leader");
        let (asked, before) = (bench.app.timeline().board().elections.rows().count(), bench.now());
        bench.keys(key);
        let timers = election_timers(&bench);
        assert_eq!(timers.len(), 4);
        bench.run(2);
        let board = bench.app.timeline().board();
        let asked = board.elections.rows().skip(asked);
        let outcomes = asked.map(|row| board.elections.outcome(row)).collect::<Vec<_>>();
        bench.keys("u");
        assert_eq!(bench.now(), before, "what one key did is undone by one");
        (timers, outcomes)
    };
    let (timers, aligned) = outcomes("A");
    assert!(timers.iter().all(|(_, left)| *left == timers[0].1), "{timers:?}");
    assert!(aligned.contains(&Outcome::Split), "{aligned:?}");
    let (mut timers, spread) = outcomes("S");
    timers.sort_by_key(|(_, left)| *left);
    let steps: Vec<u64> = timers.windows(2).map(|two| two[1].1 - two[0].1).collect();
    assert!(steps.iter().all(|step| *step == steps[0] && *step > 50_000), "{timers:?}");
    assert!(matches!(spread[..], [Outcome::Won(Some(_))]), "{spread:?}");
}
