//! What is saved of a run, and what opens again.

use super::*;
use netsplit::cli::play::tales;
use netsplit::saved::{self, About, Kind, Run, Story};

/// The run as a file, and from there as another workbench.
fn reopened(bench: &Bench, plan: &Plan) -> Bench {
    let about = About::new(&plan.name, &plan.text, Kind::Simulated { seed: 7 });
    let run = Run { about, story: bench.app.story().unwrap() };
    let read = saved::decode(&saved::encode(run.clone())).unwrap();
    assert_eq!(read, run);
    let mut other = Bench::new(plan);
    let Story::Branches(branches, _) = &read.story else { unreachable!() };
    let all = tales(branches, 7).unwrap();
    other.app.open(title(plan), Some(read.story.clone()));
    let app = &mut other.app;
    other.player = Player::again(plan, &all, &mut |update| {
        app.update(update);
    });
    other.player.command("stop".parse().unwrap(), &mut |update| {
        app.update(update);
    });
    other
}

/// All that must be the same, as text.
fn shape(bench: &Bench) -> String {
    let timeline = bench.app.timeline();
    let branch = |branch: &netsplit::view::timeline::Branch| {
        let commands: Vec<String> =
            branch.commands().iter().map(|given| format!("{given:?}")).collect();
        format!(
            "{} {:?} {} {:?} {:?} {:?}\n{:?}\n{commands:#?}\n",
            branch.name,
            branch.parent,
            branch.fork,
            branch.seed,
            branch.digest(),
            branch.events().len(),
            branch.marks(),
        )
    };
    let branches: String = timeline.branches().iter().map(branch).collect();
    format!("{branches}{} {}", timeline.viewed_index(), timeline.position())
}

#[test]
fn a_run_opens_as_it_was_and_goes_on() {
    let plan = plan::builtin("default").unwrap();
    let mut bench = Bench::new(&plan);
    bench.run(2);
    bench.keys("m");
    bench.order("kill n1");
    bench.run(1);
    bench.keys("u");
    bench.order("pause n2");
    bench.order("partition n1 ~ n3");
    bench.run(1);
    bench.keys("H");
    bench.keys("<Rj");
    bench.press(KeyCode::Enter);
    bench.run(1);
    bench.keys("Bg");
    bench.press(KeyCode::Enter);
    bench.keys("<,,");
    let mut again = reopened(&bench, &plan);
    assert_eq!(shape(&again), shape(&bench));
    assert!(again.screen(120, 36).contains("all is as it was"));
    for bench in [&mut bench, &mut again] {
        bench.order("kill n3");
        bench.run(1);
        bench.keys("Bgj");
        bench.press(KeyCode::Enter);
        bench.keys("u");
        bench.run(1);
    }
    assert_eq!(shape(&again), shape(&bench), "both go on alike");
}

#[test]
fn a_run_that_goes_another_way_is_called_another_run() {
    let plan = plan::builtin("default").unwrap();
    let mut bench = Bench::new(&plan);
    bench.run(1);
    let other = Plan { seed: 7, disk: plan.net, ..plan.clone() };
    assert!(reopened(&bench, &other).screen(120, 36).contains("main went another way"));
}

fn deed() -> impl Strategy<Value = &'static str> {
    let deeds = [
        ":kill n1",
        ":kill n2 lose",
        ":restart n1",
        ":pause n3",
        ":resume n3",
        ":heal",
        ":partition n1,n2 | n3,n4,n5",
        ":loss all 20%",
        ":clock n4 drift 5000",
        ":hold n1 -> n3",
        ":disk n2 wipe",
        ":c1 put x=5",
        ".",
        ",",
        ">",
        "<",
        "g",
        "u",
        "U",
        "H",
        "m",
        "run",
        "run",
        "run",
        "B0",
        "B1",
        "B9",
        "R0",
        "R1",
        "[",
        "v",
    ];
    prop::sample::select(deeds.to_vec())
}

fn act(bench: &mut Bench, deed: &str) {
    match deed.split_at(1) {
        (":", line) => bench.order(line),
        ("r", _) => {
            bench.keys(" ");
            bench.app.tick(Span::millis(150));
            bench.settle();
            bench.keys(" ");
        }
        (list @ ("B" | "R"), row) => {
            bench.keys(list);
            bench.keys("g");
            bench.keys(&"j".repeat(row.parse().unwrap()));
            bench.press(KeyCode::Enter);
        }
        _ => bench.keys(deed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_was_done_opens_as_it_was(deeds in prop::collection::vec(deed(), 1..40)) {
        let plan = plan::builtin("default").unwrap();
        let mut bench = Bench::new(&plan);
        for deed in deeds {
            act(&mut bench, deed);
        }
        let again = reopened(&bench, &plan);
        prop_assert_eq!(shape(&again), shape(&bench));
        prop_assert!(again.app.timeline().board() == bench.app.timeline().board());
    }
}
