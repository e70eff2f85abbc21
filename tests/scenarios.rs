//! Scenarios: every one that is built in comes out as it announces, twice in the same way; wrong ones
//! are refused with their place and a remedy; what a scenario expects and does not get is said.
#![allow(clippy::unwrap_used)]

use clap::Parser as _;
use netsplit::base::Time;
use netsplit::cli::desk::{self, Files};
use netsplit::cli::{self, RuntimeArg, words};
use netsplit::cluster::Update;
use netsplit::error::Source;
use netsplit::event::Watch;
use netsplit::plan::{self, Plan};
use netsplit::script::library::{self, LIBRARY};
use netsplit::script::play::{self, Outcome, Output, Playing};
use netsplit::script::scenario::{self, Act, Scenario};
use netsplit::script::{Judgement, Stop};
use netsplit::sim::World;
use netsplit::tui::app::{App, Speed};
use netsplit::tui::desk::Desk as _;
use netsplit::tui::{Env, Flags, Look, Source as Place};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

fn playing(output: Output) -> Playing {
    Playing {
        seed: None,
        output,
        events: false,
        narrate: true,
        keep: false,
        live: false,
        replay: "netsplit demo x --headless".to_owned(),
    }
}

fn play(scenario: &Scenario, output: Output) -> (Outcome, String) {
    let mut start = |plan: &Plan, seed: u64| cli::start(plan, seed, Watch::Labels, RuntimeArg::Sim);
    let mut out = Vec::new();
    let scenario = &Arc::new(scenario.clone());
    let played = play::play(scenario, &playing(output), &mut start, &mut out);
    let outcome = match played {
        Ok(outcome) => outcome,
        Err(Stop::Refused(error)) => panic!("{}: {error}", scenario.name),
        Err(stop) => panic!("{}: {stop:?}", scenario.name),
    };
    (outcome, String::from_utf8(out).expect("it writes text"))
}

fn parse(text: &str) -> Result<Scenario, String> {
    let source = Source::new("mine.toml", text);
    scenario::parse("mine", &source, &words()).map_err(|error| error.to_string())
}

#[test]
fn every_lesson_and_incident_comes_out_as_announced_and_always_the_same() {
    for (_, scenario) in library::all(&words()).unwrap_or_else(|error| panic!("{error}")) {
        let ((first, text), (second, _)) =
            (play(&scenario, Output::Text), play(&scenario, Output::Text));
        let good = matches!(first.verdict, Judgement::Ok | Judgement::Expected);
        assert!(good, "{text}");
        assert_eq!(first.digest(), second.digest(), "{} is not deterministic", scenario.name);
    }
}

#[test]
fn every_lesson_and_incident_teaches() {
    for (shelf, scenario) in library::all(&words()).unwrap_or_else(|error| panic!("{error}")) {
        let Scenario { name, title, about, topic, learn, sources, steps, acts } = &scenario;
        let has = |what: &str, there: bool| assert!(there, "{shelf}/{name} has no {what}");
        has("title of its own", title != name);
        has("about", about.len() > 40);
        has("topic", topic != "other");
        has("learn", !learn.is_empty());
        has("sources", !sources.is_empty());
        has("question", steps.iter().any(|step| step.ask.is_some()));
        has("narration in each step", steps.iter().all(|step| !step.say.is_empty()));
        has("title in each step", steps.iter().all(|step| !step.title.is_empty()));
        let expects = |act: usize| scenario.steps_of(act).any(|(_, step)| !step.expect.is_empty());
        has("expectation in each act", (1..=acts.len()).all(expects));
        has("look", steps.iter().any(|step| !step.look.is_empty()));
        has("few steps", steps.len() <= 14);
    }
}

#[test]
fn the_cluster_of_every_act_is_a_cluster_file_of_its_own() {
    for (_, scenario) in library::all(&words()).unwrap_or_else(|error| panic!("{error}")) {
        for Act { plan, .. } in &scenario.acts {
            let source = Source::new("its text", &*plan.text);
            let again = plan::file::parse(&plan.name, &source);
            let again = again.unwrap_or_else(|error| panic!("{error}\n{}", plan.text));
            assert_eq!(format!("{again:?}"), format!("{plan:?}"), "{}", plan.text);
        }
    }
}

#[test]
fn every_file_on_the_shelves_is_built_in() {
    for shelf in ["lessons", "incidents"] {
        let files = std::fs::read_dir(format!("sample-clusters/{shelf}")).expect("there is one");
        let files: BTreeSet<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let built_in = LIBRARY.iter().filter(|(of, ..)| *of == shelf);
        let built_in: BTreeSet<String> =
            built_in.map(|(_, name, _)| format!("{name}.toml")).collect();
        assert_eq!(files, built_in);
    }
}

/// The least that is a scenario, with other steps.
fn small(steps: &str) -> String {
    format!("nodes = 3\n[log]\n[lock]\n[[client]]\ndo = \"nothing\"\n{steps}")
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let message = parse(text).expect_err("this must be refused");
    let expected = expected.trim_start_matches('\n');
    assert_eq!(message, expected, "the message is\n{message}");
}

#[test]
fn a_word_that_was_mistyped_is_shown_and_mended() {
    refused(
        &small("[[step]]\nwhen = \"n2 ledas and commit >= 4\"\nsay = \"x\"\n"),
        "
error: this is no condition
 --> mine.toml:7:12
  |
7 | when = \"n2 ledas and commit >= 4\"
  |            ^^^^^ 'ledas' is not understood here
  |
  = help: did you mean 'leads'?",
    );
    refused(
        &small("[[step]]\nsay = \"x\"\nexpext = \"n1 leads\"\n"),
        "
error: unknown key
 --> mine.toml:8:1
  |
8 | expext = \"n1 leads\"
  | ^^^^^^ not a key of [[step]]
  |
  = help: did you mean 'expect'?",
    );
    refused(
        &small("[[step]]\ndo = [\"kil leader\"]\n"),
        "
error: 'kil leader' is no command
 --> mine.toml:7:8
  |
7 | do = [\"kil leader\"]
  |        ^^^ 'kil' is not a command; did you mean 'kill'?",
    );
    refused(
        &small("[[step]]\nsay = \"x\"\nexpect = [\"within 3s: lokc is violated\"]\n"),
        "
error: this is no expectation
 --> mine.toml:8:23
  |
8 | expect = [\"within 3s: lokc is violated\"]
  |                       ^^^^ there is no check 'lokc'
  |
  = help: did you mean 'lock'?",
    );
    refused(
        &small("[[step]]\nshow = { pane = \"lock\" }\n"),
        "
error: there is no such pane
 --> mine.toml:7:17
  |
7 | show = { pane = \"lock\" }
  |                 ^^^^^^ not known
  |
  = help: did you mean 'locks'?",
    );
}

#[test]
fn a_stranger_is_told_what_to_write() {
    for (steps, culprit, remedy) in [
        ("[[steps]]\nsay = \"x\"", "steps", "did you mean 'step'?"),
        ("[step]\nsay = \"x\"", "[step]", "write [[step]], in double brackets"),
        ("[[step]]\nlook = { pane = \"nodes\" }", "{ pane", "write look = [{ … }]"),
        ("[[step]]\nask = \"Who?\"", "\"Who?\"", "write ask = { question = "),
        ("[[step]]\nsay = \"x\"\nacts = [2]", "2]", "write [[act]] for each"),
        ("[[step]]\ndo = \"kill leeder\"", "leeder\"", "did you mean 'leader'?"),
        ("[[step]]\ndo = \"kill\"", "\"kill\"", "whom? write n1"),
        ("[[step]]\nwhen = \"leader is up\"", "leader is", "such as n2 is up"),
        ("[[step]]\nwhen = \"commit >= four\"", "four", "write commit >= N"),
        ("[[step]]\nexpect = \"log is broken\"", "broken", "write ok, violated or stalled"),
        ("[[step]]\nexpect = \"log is ok and n1 leads\"", "and n1", "write several expectations"),
        ("[[step]]\nexpect = \"within 3s n1 leads\"", "within", "write within 3s: …"),
        ("[[step]]\nexpect = \"txn last is over\"", "txn", "add [txn] to the cluster"),
        ("[[step]]\ndo = \"c1 join n4\"", "n4", "processes are"),
        ("[[step]]\ndo = \"c1 join n3\"", "join", "add [ring]"),
        ("[[step]]\nsay = \"x", "", "of several lines"),
    ] {
        let text = small(steps);
        let source = Source::new("mine.toml", &*text);
        let error = scenario::parse("mine", &source, &words()).expect_err(&text);
        let (line, column) = error.place().unwrap();
        let at: String = text.lines().nth(line - 1).unwrap().chars().skip(column - 1).collect();
        assert!(at.starts_with(culprit), "{error}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
    let clusters = parse("topic = \"x\"\nnodes = 3\n").unwrap_err();
    assert!(clusters.contains("write [[step]] and below it"), "{clusters}");
}

#[test]
fn what_cannot_be_played_is_refused() {
    refused(
        &small("[[step]]\nsay = \"x\"\ndo = \"kill n7\"\n"),
        "
error: there is no n7 in this cluster
 --> mine.toml:8:12
  |
8 | do = \"kill n7\"
  |            ^^ not there
  |
  = help: processes are n1, n2, n3, c1",
    );
    refused(
        &small("[[step]]\nat = \"5s\"\nsay = \"x\"\n[[step]]\nat = \"3s\"\nsay = \"y\"\n"),
        "
error: this step comes before the one above it
  --> mine.toml:10:6
   |
10 | at = \"3s\"
   |      ^^^^ earlier
   |
   = help: put steps in the order of their times",
    );
    refused(
        &small(
            "[[step]]\nask = { question = \"Who?\", choices = [\"a\", \"b\"], answer = 3, why = \"w\" }\n",
        ),
        "
error: 'answer' must be from 1 to 2
 --> mine.toml:7:59
  |
7 | ask = { question = \"Who?\", choices = [\"a\", \"b\"], answer = 3, why = \"w\" }
  |                                                           ^ out of range
  |
  = help: the answer is the number of a choice, from 1 to 2",
    );
    refused(
        "cluster = \"bank\"\nnodes = 3\n[[step]]\nsay = \"x\"\n",
        "
error: the cluster is given twice
 --> mine.toml:2:1
  |
1 | cluster = \"bank\"
  |           ------ and all of it here
2 | nodes = 3
  | ^^^^^ a part of it here
  |
  = help: keep one; [act.set] changes a cluster that is named",
    );
    refused(
        "cluster = \"bank\"\n[[act]]\nset = { nodes = 2 }\n[[step]]\nsay = \"x\"\nacts = [1]\n[[act]]\nset = { lock = { ttl = 1 } }\n",
        "
error: unknown key
 --> mine.toml:8:1
  |
8 | set = { lock = { ttl = 1 } }
  | ^^^ this does not fit the cluster",
    );
    refused(
        &small("[[act]]\ntitle = \"a\"\nbreaks = \"locks\"\n[[step]]\nsay = \"x\"\n"),
        "
error: there is no such check
 --> mine.toml:8:10
  |
8 | breaks = \"locks\"
  |          ^^^^^^^ not known
  |
  = help: did you mean 'lock'?",
    );
    refused(
        &small("[[step]]\ntitle = \"nothing\"\nwithin = \"3s\"\n"),
        "
error: this bounds nothing
 --> mine.toml:8:1
  |
8 | within = \"3s\"
  | ^^^^^^ there is no 'when' in this step
  |
  = help: an expectation has its own: expect = [\"within 3s: …\"]",
    );
}

/// Plays a small scenario and returns its verdict and all that was written.
fn verdict(text: &str) -> (&'static str, String) {
    let scenario = parse(text).unwrap_or_else(|message| panic!("{message}"));
    let (outcome, text) = play(&scenario, Output::Text);
    (outcome.verdict.name(), text)
}

#[test]
fn what_is_expected_and_not_so_fails_and_says_how_things_stand() {
    let steps = "[[step]]\nwhen = \"everybody follows\"\nexpect = \"leaders = 2 and commit < 9\"\n";
    let (verdict, text) = verdict(&small(steps));
    assert_eq!(verdict, "failed");
    assert!(
        text.contains("leaders = 2 and commit < 9: it is not so that 'leaders = 2' (it is 1)"),
        "{text}"
    );
}

#[test]
fn who_expects_another_answer_is_told_which_one_came() {
    let put = |cluster: &str| cluster.replace("[lock]\n", "");
    let steps = "[[step]]\nwhen = \"everybody follows\"\ndo = \"c1 put x=1\"\n\
                 expect = \"within 1s: c1 heard 2\"\n";
    let (verdict, text) = verdict(&put(&small(steps)));
    assert_eq!(verdict, "failed");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("'c1 heard 2' (c1 heard now 1 @0.1)"), "{text}");
}

#[test]
fn what_never_happens_ends_the_wait_and_fails() {
    let steps = "[[step]]\nwhen = \"n1 is down\"\nwithin = \"2s\"\nsay = \"x\"\n\
                 [[step]]\ndo = \"kill n1\"\n";
    let (verdict, text) = verdict(&small(steps));
    assert_eq!(verdict, "failed");
    assert!(text.contains("'n1 is down': waited 2s in vain"), "{text}");
    assert!(!text.contains("step 2"), "it does not go on: {text}");
}

#[test]
fn what_must_be_so_throughout_is_watched_to_its_end() {
    let steps = "[[step]]\nwhen = \"everybody follows\"\nexpect = \"throughout: n1 is up\"\n\
                 [[step]]\nafter = \"1s\"\ndo = \"kill n1\"\n[[step]]\ndo = \"restart n1\"\n";
    let (broken, text) = verdict(&small(steps));
    assert_eq!(broken, "failed");
    assert!(text.contains("step 1: 'throughout: n1 is up': at 1."), "{text}");
    assert!(text.contains("  … throughout: n1 is up"), "nobody knows yet: {text}");
    let (_, xml) = play(&parse(&small(steps)).unwrap(), Output::Junit);
    assert!(xml.contains("step 1: throughout: n1 is up\"><failure"), "{xml}");
    let bounded = steps.replace("throughout:", "throughout 500ms:");
    assert_eq!(verdict(&small(&bounded)).0, "ok");
}

const LATE_WRITE: &str = "[[step]]\nwhen = \"everybody follows\"\ndo = \"c1 acquire a 1s\"\n\
    [[step]]\nwhen = \"c1 heard granted\"\ndo = [\"c1 release a own\", \"c1 acquire a 9s\"]\n\
    [[step]]\nwhen = \"lock a token > 2\"\ndo = \"c1 write a own 1\"\nexpect = \"within 1s: c1 heard ok\"\n\
    [[step]]\ndo = \"c1 write a 1 2\"\nexpect = \"within 1s: not call pending on c1\"\n";

#[test]
fn a_violation_counts_as_held_only_where_it_is_announced() {
    let act = |mutations: &str, breaks: &str| {
        small(&format!("[[act]]\nmutations = [{mutations}]\nbreaks = [{breaks}]\n{LATE_WRITE}"))
    };
    let bug = "\"lock.no_fence\"";
    assert_eq!(verdict(&act(bug, "\"lock\"")).0, "expected");
    assert_eq!(verdict(&act(bug, "")).0, "violation");
    assert_eq!(verdict(&act("", "")).0, "ok");
    let (unbroken, text) = verdict(&act("", "\"FENCE-2\""));
    assert_eq!(unbroken, "failed");
    assert!(text.contains("'FENCE-2 is violated': nothing was broken"), "{text}");
    let (other, text) = verdict(&act(bug, "\"paxos\""));
    assert_eq!(other, "violation", "{text}");
}

#[test]
fn a_command_that_makes_no_sense_fails_with_the_reason() {
    let (verdict, text) = verdict(&small("[[step]]\ndo = \"restart n1\"\n"));
    assert_eq!(verdict, "failed");
    assert!(text.contains("step 1: 'restart n1': it was refused: n1 is up"), "{text}");
}

#[test]
fn json_has_a_line_for_each_thing_and_junit_a_case_for_each_expectation() {
    let scenario = parse(&small("[[step]]\nexpect = [\"n1 is up\", \"leaders > 3\"]\n")).unwrap();
    let (_, json) = play(&scenario, Output::Json);
    let kinds: Vec<String> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON"))
        .map(|line| line["type"].as_str().expect("each has a type").to_owned())
        .collect();
    assert_eq!(kinds, ["step", "expect", "expect", "summary", "act", "end"]);
    let (_, xml) = play(&scenario, Output::Junit);
    let expected = "\
<testsuite name=\"mine\" tests=\"3\" failures=\"2\">
  <testcase classname=\"mine\" name=\"step 1: n1 is up\"/>
  <testcase classname=\"mine\" name=\"step 1: leaders &gt; 3\"><failure message=\"it is not so that 'leaders &gt; 3' (it is 0)\"/></testcase>
  <testcase classname=\"mine\" name=\"verdict\"><failure message=\"failed: step 1: 'leaders &gt; 3': it is not so that 'leaders &gt; 3' (it is 0)\"/></testcase>
</testsuite>
";
    assert_eq!(xml, expected);
}

#[test]
fn all_scenarios_make_one_document_for_test_runners() {
    let (xml, _) = program(&["demo", "--all", "--headless", "--format", "junit"]);
    let count = |part: &str| xml.matches(part).count();
    assert!(xml.starts_with("<?xml ") && xml.ends_with("</testsuite>\n</testsuites>\n"), "{xml}");
    assert_eq!((count("<?xml"), count("<testsuites>")), (1, 1));
    assert_eq!((count("<testsuite "), count("<failure")), (LIBRARY.len(), 0));
}

/// Whether a value is what a schema says, as far as this project's schema goes.
fn fits(schema: &Value, value: &toml::Value, whole: &Value) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{value}: {why}"));
    if let Some(at) = schema["$ref"].as_str() {
        fits(&whole["$defs"][at.trim_start_matches("#/$defs/")], value, whole)?;
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let misses: Vec<String> =
            any.iter().filter_map(|one| fits(one, value, whole).err()).collect();
        if misses.len() == any.len() {
            return Err(misses.join(" or "));
        }
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.iter().any(|known| known.as_str() == value.as_str())
    {
        return wrong("not one of the known words");
    }
    let kind = value.type_str();
    match schema["type"].as_str() {
        Some("object") if kind == "table" => {}
        Some(wanted) if wanted != kind => return wrong(&format!("not of type {wanted}")),
        _ => {}
    }
    if let Some(number) = value.as_integer() {
        let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
        if !(least..=most).contains(&number) {
            return wrong("out of range");
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        list.iter().try_for_each(|item| fits(items, item, whole))?;
    }
    let Some(table) = value.as_table() else { return Ok(()) };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(key) {
            return wrong(&format!("'{key}' is missing"));
        }
    }
    for (key, value) in table {
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(of), _) => fits(of, value, whole).map_err(|why| format!("{key}: {why}"))?,
            (None, Value::Bool(false)) => return wrong(&format!("unknown key '{key}'")),
            (None, Value::Object(_)) => fits(&schema["additionalProperties"], value, whole)?,
            (None, _) => {}
        }
    }
    Ok(())
}

#[test]
fn the_schema_fits_every_file_and_has_every_key() {
    let schema = cli::schema();
    let texts = LIBRARY.iter().map(|(_, name, text)| (name, text));
    let samples = netsplit::plan::SAMPLES.iter().map(|(name, text)| (name, text));
    for (name, text) in texts.chain(samples) {
        let value: toml::Value = toml::from_str(text).expect("it is TOML");
        fits(&schema, &value, &schema).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let wrong: toml::Value = toml::from_str("[[step]]\nsya = \"x\"").unwrap();
    assert!(fits(&schema, &wrong, &schema).is_err());
    let keys = |of: &Value| -> BTreeSet<String> {
        of["properties"].as_object().expect("it has keys").keys().cloned().collect()
    };
    for (table, known) in scenario::KEYS {
        let step = &schema["$defs"]["step"];
        let of = match *table {
            "" => &schema,
            "look" => &step["properties"]["look"]["items"],
            "ask" | "show" => &step["properties"][*table],
            other => &schema["$defs"][other],
        };
        let missing: Vec<_> = known.iter().filter(|key| !keys(of).contains(**key)).collect();
        assert!(missing.is_empty(), "[{table}] in the schema lacks {missing:?}");
        let strange = keys(of).len() > known.len() && !table.is_empty();
        assert!(!strange, "[{table}] in the schema has more than {known:?}");
    }
}

/// What the program writes on standard output and on standard error.
fn program(line: &[&str]) -> (String, String) {
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let line = ["netsplit"].iter().chain(line);
    let done = cli::Cli::parse_from(line).execute(&mut out, &mut talk);
    assert!(done.is_ok(), "{done:?}");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (text(out), text(talk))
}

#[test]
fn what_was_done_is_written_down_and_replays_to_the_same_digest() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).into_os_string().into_string().unwrap();
    let mine = path("mine.toml");
    let buggy = "seed = 3\nnodes = 3\nmutations = [\"lock.shared\"]\n[log]\n[lock]\n[[client]]\n\
                 do = [{ load = \"lock\" }]\n[[client]]\ndo = [{ load = \"lock\" }]\n";
    std::fs::write(&mine, buggy).unwrap();
    for (cluster, seed) in [("bank", "5"), (mine.as_str(), "4"), (mine.as_str(), "3")] {
        let saved = path(&format!("session-{seed}.toml"));
        let line = ["run", cluster, "--headless", "-q", "--seed", seed, "--until", "6s"];
        let steps = ["-c", "2s kill leader", "-c", "4s isolate c1"];
        let (out, talk) = program(&[&line[..], &steps, &["--save", &saved]].concat());
        let digest = out.split("digest ").nth(1).unwrap()[..16].to_owned();
        assert!(talk.contains(&format!("it replays to digest {digest}")), "{talk}");
        assert!(!talk.contains("step"), "{talk}");
        let text = std::fs::read_to_string(&saved).unwrap();
        assert!(text.contains("at = \"2.000s\"\ndo = \"kill leader\""), "{text}");
        let scenario = parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        let (again, _) = play(&scenario, Output::Text);
        assert_eq!(format!("{:016x}", again.acts[0].summary.digest), digest);
        assert!(matches!(again.verdict, Judgement::Ok | Judgement::Expected), "{text}");
    }
}

#[test]
fn a_live_run_is_written_down_and_compared_with_the_simulator() {
    let dir = tempfile::tempdir().unwrap();
    let saved = dir.path().join("live.toml").into_os_string().into_string().unwrap();
    let line = ["run", "locks", "--headless", "-q", "--runtime", "memory", "--until", "1s"];
    let (_, talk) = program(&[&line[..], &["-c", "500ms kill c1", "--save", &saved]].concat());
    assert!(talk.contains("in the simulator it ends alike"), "{talk}");
    assert!(std::fs::read_to_string(&saved).unwrap().contains("kill c1"));
}

/// What is said of a live run in which chance fell as with the seed `here`, when it is written down
/// and the simulator has it fall as with `there`.
fn written_down(here: u64, there: u64) -> String {
    let dir = tempfile::tempdir().unwrap();
    let text = netsplit::plan::SAMPLES.iter().find(|(name, _)| *name == "locks").unwrap().1;
    let text = format!("seed = {there}\nmutations = [\"lock.no_fence\"]\n{text}");
    let plan = plan::file::parse("mine", &Source::new("mine.toml", &*text)).unwrap();
    let source = Place::Live { runtime: "memory".to_owned() };
    let mut files = Files::new(&plan, &source, Some(dir.path().join("run.nsr"))).unwrap();
    let look = Look::choose(&Flags::default(), &Env::default());
    let mut app = App::new(desk::title(&plan, source), look, Speed::Percent(100), true);
    let mut out = Vec::new();
    let mut world = World::new(&plan, here, Watch::Labels, &mut out);
    for (at, line) in [(2_600_000, "pause c3"), (9_000_000, "resume c3"), (12_000_000, "heal")] {
        while world.next() <= Time(at) {
            world.step(&mut out);
        }
        world.wait(Time(at));
        world.apply(&line.parse().unwrap(), &mut out).unwrap();
        app.update(Update::Events(std::mem::take(&mut out)));
    }
    let path = dir.path().join("mine-session.toml");
    files.save(&app, path.to_str().unwrap()).unwrap()
}

#[test]
fn a_live_run_that_ends_otherwise_in_the_simulator_is_told_apart() {
    let otherwise = "in the simulator it ends otherwise: broken here";
    let (lucky, unlucky) = (5, 6);
    let said = written_down(unlucky, lucky);
    assert!(said.ends_with(&format!("{otherwise} lock, there nothing")), "{said}");
    let said = written_down(lucky, unlucky);
    assert!(said.contains(&format!("{otherwise} nothing, there lock")), "{said}");
    let said = written_down(unlucky, unlucky);
    assert!(said.contains("in the simulator it ends alike"), "{said}");
}

#[test]
fn a_report_tells_what_broke_why_and_what_the_cure_changes() {
    let (text, _) = program(&["report", "lock-fencing"]);
    for part in [
        "# A lock holder that slept too long",
        "| 0.", // rows of the timeline
        "▼ pause c1",
        "```mermaid\nsequenceDiagram\n  participant n1",
        "is broken\n```",
        "### FENCE-2 is broken",
        "| Without a fence | expected | FENCE-2:",
        "| With a fence | ok | nothing |",
        "netsplit demo lock-fencing --headless",
    ] {
        assert!(text.contains(part), "'{part}' is missing in\n{text}");
    }
}

#[test]
fn a_report_shows_the_screen_at_the_turning_point_and_where_it_broke() {
    let dir = tempfile::tempdir().unwrap();
    let frames = dir.path().join("frames").into_os_string().into_string().unwrap();
    let (text, _) = program(&["report", "lock-fencing", "--frames", &frames, "--no-config"]);
    let picture = |name: &str| {
        let file = format!("{frames}/lock-fencing-{name}.svg");
        assert!(text.contains(&format!("![The screen](<{file}>)")), "{file}: {text}");
        std::fs::read_to_string(file).unwrap()
    };
    assert!(text.contains("The turning point: 0.242 - ▼ pause c1"), "{text}");
    assert!(text.contains("1.251801s: FENCE-2 is broken"), "{text}");
    assert!(!picture("act1-turn").contains("VIOLATION"));
    assert!(picture("act1-broken").contains("FENCE-2 broken"));
    picture("act2-turn");
    assert!(!picture("act2-end").contains("FENCE-2 broken"));
}

#[test]
fn a_run_can_be_shown_by_other_tools() {
    let (log, _) = program(&["report", "lock-fencing", "--format", "shiviz"]);
    let mut lines = log.lines().skip(2);
    let mut last = std::collections::BTreeMap::new();
    while let (Some(head), Some(_)) = (lines.next(), lines.next()) {
        let (host, clock) = head.split_once(' ').unwrap();
        let clock: Value = serde_json::from_str(clock).unwrap();
        let own = clock[host].as_u64().unwrap();
        assert_eq!(own, last.get(host).copied().unwrap_or(0) + 1, "{head}");
        last.insert(host.to_owned(), own);
    }
    assert!(last.len() >= 5);
    let (trace, _) = program(&["report", "lock-fencing", "--format", "chrome-trace", "--act", "2"]);
    let trace: Value = serde_json::from_str(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let ids = |phase: &str| -> BTreeSet<&str> {
        let of = events.iter().filter(|event| event["ph"] == phase);
        of.map(|event| event["id"].as_str().unwrap()).collect()
    };
    assert!(ids("f").is_subset(&ids("s")) && !ids("f").is_empty());
    let (diagram, _) = program(&["report", "lock-fencing", "--format", "mermaid"]);
    assert!(diagram.starts_with("sequenceDiagram") && diagram.lines().count() < 60);
}

#[test]
fn a_scenario_on_the_screen_is_not_told_on_a_live_cluster() {
    for line in [["demo", "lock-fencing"], ["run", "lock-fencing"]] {
        let line = ["netsplit"].iter().chain(&line).chain(&["--runtime", "memory"]);
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let done = cli::Cli::parse_from(line).execute(&mut out, &mut talk);
        let Err(Stop::Refused(error)) = done else { panic!("{done:?}") };
        let error = error.to_string();
        assert!(error.contains("told in the simulator"), "{error}");
        assert!(error.contains("leave --runtime out, or add --headless"), "{error}");
    }
}

#[test]
fn whoever_wants_lines_has_a_scenario_told_in_lines() {
    let (text, _) = program(&["run", "lock-fencing", "--plain"]);
    for part in ["First the resource takes every write", "answer 2: A dead client", "verdict: "] {
        assert!(text.contains(part), "'{part}' is missing in\n{text}");
    }
    assert!(!text.contains("timer"), "events are for --headless: {text}");
}
