//! The real program in a pseudo-terminal: keys, mouse, sizes, signals, exit codes.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "pty/files.rs"]
mod files;
mod session;

use rustix::process::Signal;
use session::{Session, given_back};

#[test]
fn keys_steer_time_and_break_things() {
    let mut session = Session::start(&["--paused"]);
    session.shows("PAUSED t=0.000s");
    session.keys(">>");
    session.shows("leads 1.3");
    session.keys(":kill leader");
    session.shows("leads in 1.3: it goes");
    session.keys("\r");
    session.shows("faults 1");
    session.keys("u");
    session.shows("faults 0");
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn logs_run_abreast_and_each_loses_its_own_leader() {
    let mut session = Session::start(&["--compare", "raft,zab", "--paused"]);
    session.shows("▌raft▐");
    session.shows("▌zab▐");
    session.keys(">>");
    session.until(|screen| screen.contents().matches("★ leader").count() == 2);
    session.keys(":kill leader\r");
    session.until(|screen| screen.contents().matches("✗ DOWN").count() == 2);
    session.keys("Y");
    session.shows("not while runs are compared");
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn the_mouse_acts_and_is_given_back() {
    let mut session = Session::start(&["--paused"]);
    session.shows("q:quit");
    session.until(|s| s.mouse_protocol_mode() == vt100::MouseProtocolMode::PressRelease);
    let (column, row) = session.find("6 Network");
    session.click(column + 2, row);
    session.shows("▌6 Network▐");
    let (column, row) = session.find("?:help");
    session.click(column, row);
    session.shows("type to search");
    session.click(0, 0);
    session.until(|screen| !screen.contents().contains("type to search"));
    session.keys("M");
    session.shows("mouse off");
    session.until(|s| s.mouse_protocol_mode() == vt100::MouseProtocolMode::None);
    session.keys("Mq");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn a_storm_of_sizes_ends_in_a_sound_screen() {
    let mut session = Session::start(&["--paused"]);
    session.shows("q:quit");
    session.keys(">>6");
    session.shows("▌6 Network▐");
    // Sizes as a window gets them that is dragged, none of them waited for.
    for step in 1..40u16 {
        session.resize(1 + step * 37 % 150, 1 + step * 13 % 50);
    }
    session.resize(120, 36);
    session.shows("▌6 Network▐");
    session.until(|screen| {
        let text = screen.contents();
        let rows: Vec<&str> = text.lines().collect();
        rows.len() == 36 && rows[0].contains("event") && rows[35].contains("?:help")
    });
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn a_signal_ends_it_the_run_is_kept_and_the_terminal_is_given_back() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().to_str().unwrap();
        let mut session = Session::with(&["--paused"], &[("XDG_STATE_HOME", state)]);
        session.shows("q:quit");
        session.signal(signal);
        assert_eq!(session.finish(), Some(code));
        let runs = home.path().join("netsplit/runs");
        assert_eq!(std::fs::read_dir(runs).unwrap().count(), 1);
    }
}

#[test]
fn a_lost_terminal_ends_it() {
    let mut session = Session::start(&["--paused"]);
    session.shows("q:quit");
    assert_eq!(session.lose(), Some(129));
}

#[test]
fn a_terminal_lost_in_the_middle_of_a_key_does_not_lose_the_run() {
    for started in ["\x1b", "\x1b[", "\x1b[<0;3", "\x1b[200~half a pas", ">>>>", "\x1bO"] {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().to_str().unwrap();
        let mut session = Session::with(&["--paused"], &[("XDG_STATE_HOME", state)]);
        session.shows("q:quit");
        session.keys(started);
        assert_eq!(session.lose(), Some(129), "{started:?}");
        let runs = home.path().join("netsplit/runs");
        assert_eq!(std::fs::read_dir(runs).unwrap().count(), 1, "{started:?}");
    }
}

#[test]
fn it_sleeps_and_wakes_with_its_screen_and_its_mouse() {
    let mut session =
        Session::by_shell(r#""$0" "$@"; echo "[status $?]"; read go; fg"#, &["--paused"]);
    session.shows("q:quit");
    session.keys("\x1a");
    session.until(|screen| !screen.alternate_screen());
    given_back(session.terminal.screen());
    // Only the shell says this, once it has the terminal.
    session.shows("[status");
    session.keys("\n");
    session.shows("q:quit");
    session.until(|s| s.mouse_protocol_mode() == vt100::MouseProtocolMode::PressRelease);
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn what_is_copied_goes_through_the_terminal_where_nothing_else_can() {
    let mut session = Session::with(&["--paused"], &[("SSH_CONNECTION", "far away")]);
    session.shows("q:quit");
    session.keys("1y");
    session.shows("by the terminal, if it allows it");
    let asked = b"\x1b]52;c;";
    assert!(session.bytes.windows(asked.len()).any(|part| part == asked));
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn the_tour_comes_once() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().to_str().unwrap();
    let mut session = Session::newcomer(&["--paused"], state);
    session.shows("1 of 6");
    session.keys("\r");
    session.shows("2 of 6");
    session.keys("\x1b");
    session.until(|screen| !screen.contents().contains("of 6"));
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
    let mut session = Session::newcomer(&["--paused"], state);
    session.shows("q:quit");
    assert!(!session.screen().contains("1 of 6"));
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn no_colour_keeps_attributes_and_ascii_keeps_to_letters() {
    let mut session = Session::with(&["--paused"], &[("NO_COLOR", "1"), ("LANG", "C")]);
    session.shows("q:quit");
    assert!(session.screen().is_ascii(), "{}", session.screen());
    let screen = session.terminal.screen();
    let cells = (0..36).flat_map(|y| (0..120).map(move |x| (y, x)));
    let cells: Vec<_> = cells.filter_map(|(y, x)| screen.cell(y, x)).collect();
    assert!(cells.iter().all(|cell| cell.fgcolor() == vt100::Color::Default));
    assert!(cells.iter().any(|cell| cell.bold()) && cells.iter().any(|cell| cell.inverse()));
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn every_frame_is_whole_and_nothing_is_cleared() {
    let mut session = Session::start(&[]);
    session.shows("leads");
    session.keys(" ");
    session.shows("PAUSED");
    let count = |part: &str| {
        session.bytes.windows(part.len()).filter(|window| *window == part.as_bytes()).count()
    };
    assert!(count("\x1b[?2026h") > 3);
    assert!(count("\x1b[?2026h") - count("\x1b[?2026l") <= 1, "frames do not overlap");
    assert_eq!(count("\x1b[2J"), 0);
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

/// Plays `lock-fencing` to the middle of its second act, with some arguments more.
fn both_acts(more: &[&str]) {
    let mut session = Session::start(&[&["run", "lock-fencing", "--speed", "full"], more].concat());
    for text in [
        "PgDn begins.",
        "only ever grows",
        "for one second at a time",
        "Think first: The lease",
        "That is what leases are for",
        "Think first: c1 wakes up",
        "Only the resource can see",
        "The act is over",
        "With a fence",
    ] {
        let stands = |text: &str| text.contains("PAUSED t=");
        session.until(|screen| screen.contents().contains(text) && stands(&screen.contents()));
        session.keys("\x1b[6~");
    }
    session.shows("1 of 5");
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}

#[test]
fn a_recording_of_a_scenario_has_all_acts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("both.cast");
    both_acts(&["--record", path.to_str().unwrap()]);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let head: serde_json::Value = lines.next().unwrap();
    assert_eq!(head["title"], "A lock holder that slept too long");
    let mut terminal = vt100::Parser::new(36.try_into().unwrap(), 120.try_into().unwrap(), 0);
    let mut seen = Vec::new();
    let mut last = 0.0;
    for line in lines {
        let at = line[0].as_f64().unwrap();
        assert!(at >= last, "{at} after {last}");
        last = at;
        terminal.process(line[2].as_str().unwrap().as_bytes());
        let screen = terminal.screen().contents();
        let told = ["Without a fence", "FENCE-2 is broken", "With a fence", "only ever grows"];
        seen.extend(told.into_iter().filter(|text| screen.contains(text)));
        seen.dedup();
    }
    assert!(seen.ends_with(&["FENCE-2 is broken", "With a fence", "only ever grows"]), "{seen:?}");
}

#[test]
fn each_act_of_a_scenario_is_saved_as_a_run_or_a_scenario_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let netsplit = |args: &[&str]| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_netsplit"));
        let output = program.args(args).env_clear().env("HOME", dir.path()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    both_acts(&["--save", &path("my.nsr")]);
    let first = netsplit(&["replay", &path("my.nsr"), "--headless"]);
    assert_eq!(first.0, Some(3), "{}", first.1);
    let second = netsplit(&["replay", &path("my-act2.nsr"), "--headless"]);
    assert_eq!(second.0, Some(0), "{}", second.1);
    both_acts(&["--save", &path("my.toml")]);
    for (name, mutated) in [("my.toml", true), ("my-act2.toml", false)] {
        let text = std::fs::read_to_string(path(name)).unwrap();
        assert_eq!(text.contains("lock.no_fence"), mutated, "{text}");
        assert_eq!(netsplit(&["demo", &path(name), "--headless"]).0, Some(0), "{text}");
    }
    std::fs::remove_file(path("my.toml")).unwrap();
    let again = netsplit(&["run", "lock-fencing", "--save", &path("my.toml")]);
    assert_eq!(again.0, Some(2));
    assert!(again.1.contains("my-act2.toml' is there already"), "before it begins: {}", again.1);
    for lines in [["--headless"], ["--plain"]] {
        let refused = netsplit(&[&["run", "lock-fencing", "--save", "x.nsr"][..], &lines].concat());
        assert_eq!(refused.0, Some(2));
        assert!(refused.1.contains("--save does not go with a scenario"), "{}", refused.1);
    }
}

#[test]
fn what_was_done_becomes_a_scenario_that_is_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    let name = path.to_str().unwrap();
    let mut session = Session::start(&["run", "lock-fencing"]);
    session.shows("PgDn begins.");
    session.keys("\x1b[6~");
    session.shows("only ever grows");
    session.keys(":kill n3\r");
    session.shows("n3  crashes");
    session.keys(":save-sc\r");
    session.shows("save the run as: lock-fencing-session.toml");
    session.keys(&format!("\x15{name}\r"));
    session.shows("it replays to digest");
    let text = std::fs::read_to_string(&path).unwrap();
    for part in ["mutations = [\"lock.no_fence\"]", "title = \"Three nodes", "do = \"kill n3\""] {
        assert!(text.contains(part), "'{part}' is missing in\n{text}");
    }
    session.keys(&format!("W\x15{name}\r"));
    session.shows("is there already");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    session.keys("q");
    assert_eq!(session.finish(), Some(0));
}
