//! House rules, as tests: who may name whom, what pure code may not touch, how long things may be,
//! and that what is promised in documents is there.

use netsplit::base::Mutation;
use netsplit::command::FORMS;
use netsplit::plan::SAMPLES;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, and which others each may name. From the bottom up: a module names
/// only what stands above it in this list.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("error", &[]),
    ("read", &["base", "error"]),
    ("command", &["base"]),
    ("event", &["base", "command"]),
    ("proto", &["base", "event"]),
    ("net", &["base", "command", "event"]),
    ("check", &["base", "command", "event"]),
    ("view", &["base", "error", "command", "event", "check"]),
    ("cluster", &["base", "command", "event"]),
    ("host", &["base", "event", "proto"]),
    ("plan", &["base", "error", "read", "check", "proto", "host"]),
    ("sim", &["base", "command", "event", "net", "check", "cluster", "proto", "host", "plan"]),
    ("live", &["base", "error", "command", "event", "net", "cluster", "proto", "host", "plan"]),
    ("saved", &["base", "error", "event", "cluster"]),
    ("script", FRONT),
    (
        "tui",
        &[
            "base", "error", "read", "command", "event", "check", "view", "cluster", "plan",
            "saved", "script",
        ],
    ),
    (
        "cli",
        &[
            "base", "command", "event", "error", "view", "cluster", "plan", "sim", "live", "saved",
            "script", "tui",
        ],
    ),
];

/// What the front may name: no protocol, no host, no simulator.
const FRONT: &[&str] =
    &["base", "error", "read", "command", "event", "check", "view", "cluster", "plan", "saved"];

/// Modules where the same input must give the same output, on every machine and for ever.
const PURE: &[&str] = &[
    "base", "read", "command", "event", "proto", "net", "check", "view", "cluster", "host", "plan",
    "sim",
];

/// What those may not touch, because it has no order, no seed, or is different tomorrow.
const IMPURE: &[&str] = &[
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "RandomState",
    "thread::",
    "rand::",
    "tokio::",
    "std::env",
    "std::fs",
    "std::net",
    "std::io",
    "std::process",
    "async fn",
    "static mut",
];

/// Where one of those is right: file, name, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/cluster.rs", "tokio::", "the seam is made of two channels"),
    ("src/sim/player.rs", "tokio::", "it holds the other ends of them"),
];

/// A source file of the crate.
struct File {
    path: String,
    /// The module under the crate's root that it belongs to.
    module: String,
    /// How many modules deep it is: 1 for `src/net.rs` and `src/sim/mod.rs`.
    depth: usize,
    /// Its lines without those of its test module.
    lines: Vec<String>,
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the tree can be read") {
        let path = entry.expect("the tree can be read").path();
        match path.is_dir() {
            true => walk(&path, found),
            false => found.push(path),
        }
    }
}

fn paths(dirs: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    dirs.iter()
        .filter(|dir| Path::new(dir).exists())
        .for_each(|dir| walk(Path::new(dir), &mut found));
    found.sort();
    found
}

/// Everything under `src` that is no test.
fn sources() -> Vec<File> {
    let is_source = |path: &PathBuf| {
        path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs")
    };
    paths(&["src"]).into_iter().filter(is_source).map(|path| source(&path)).collect()
}

fn source(path: &Path) -> File {
    let text = fs::read_to_string(path).expect("sources are text");
    let is_test = |line: &&str| line.trim() == "#[cfg(test)]";
    let lines = text.lines().take_while(|line| !is_test(line)).map(str::to_owned).collect();
    let inner = path.strip_prefix("src").expect("sources lie under src").with_extension("");
    let mut names: Vec<String> =
        inner.iter().map(|name| name.to_str().expect("names are ASCII").to_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    let path = path.to_str().expect("names are ASCII").replace('\\', "/");
    File { path, module: names[0].clone(), depth: names.len(), lines }
}

impl File {
    /// The lines that are no comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().enumerate().map(|(i, line)| (i + 1, line.as_str()));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The modules that a text names as `crate::x` or `crate::{x::…, y}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, word) in code.match_indices("crate::") {
        let rest = &code[at + word.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(name_at(rest).to_owned());
            continue;
        };
        let mut depth = 1;
        let mut fresh = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => fresh = true,
                c if fresh && c.is_ascii_alphabetic() => {
                    names.insert(name_at(&group[i..]).to_owned());
                    fresh = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn paths_are_found_in_every_form() {
    let code = "use crate::base::{Name, Op};\nuse crate::{\n    event::{Event, Kind},\n    net,\n};\n\
                let x = crate::sim::World::new();";
    let names: Vec<String> = named(code).into_iter().collect();
    assert_eq!(names, ["base", "event", "net", "sim"]);
}

#[test]
fn modules_name_only_what_they_may() {
    for file in sources() {
        if file.module == "lib" || file.module == "main" {
            continue;
        }
        let rule = MAY_NAME.iter().find(|(module, _)| *module == file.module);
        let (_, allowed) =
            rule.unwrap_or_else(|| panic!("{}: '{}' has no level", file.path, file.module));
        let code: String = file.code().map(|(_, line)| format!("{line}\n")).collect();
        for name in named(&code) {
            assert!(
                name == file.module || allowed.contains(&name.as_str()),
                "{}: '{}' may not name '{name}'",
                file.path,
                file.module
            );
        }
        let out = "super::".repeat(file.depth);
        assert!(!code.contains(&out), "{}: write crate:: for what is outside", file.path);
    }
}

#[test]
fn modules_name_no_module_above_them() {
    for (i, (module, allowed)) in MAY_NAME.iter().enumerate() {
        for name in *allowed {
            let place = MAY_NAME.iter().position(|(other, _)| other == name);
            assert!(place.is_some_and(|place| place < i), "{module} names {name}: a circle");
        }
    }
}

#[test]
fn pure_modules_touch_nothing_impure() {
    for file in sources().iter().filter(|file| PURE.contains(&file.module.as_str())) {
        for (number, line) in file.code() {
            for name in IMPURE.iter().filter(|name| line.contains(*name)) {
                let allowed =
                    EXCEPTIONS.iter().any(|(path, what, _)| *path == file.path && what == name);
                assert!(allowed, "{}:{number}: {name} has no place here", file.path);
            }
        }
    }
}

#[test]
fn pure_modules_have_the_compiler_watch_them_too() {
    for file in sources().iter().filter(|file| PURE.contains(&file.module.as_str())) {
        if file.depth == 1 {
            let watched =
                file.lines.iter().any(|line| line.starts_with("#![deny(clippy::disallowed_types"));
            assert!(watched, "{}: #![deny(clippy::disallowed_types, …)] is missing", file.path);
        }
    }
}

#[test]
fn only_the_screen_and_main_know_the_terminal() {
    for file in sources() {
        let front = ["tui", "main"].contains(&file.module.as_str());
        for (number, line) in file.code().filter(|_| !front) {
            for name in ["ratatui", "crossterm", "stdout()", "stderr()", "println!", "print!("] {
                assert!(!line.contains(name), "{}:{number}: {name} has no place here", file.path);
            }
        }
    }
}

#[test]
fn every_module_begins_with_its_chapter() {
    for file in sources() {
        assert!(
            file.lines.first().is_some_and(|line| line.starts_with("//! ")),
            "{}: the first line says what the module is for",
            file.path
        );
    }
}

#[test]
fn nothing_is_too_long() {
    let mut long = Vec::new();
    for file in sources() {
        if file.lines.len() > 800 {
            long.push(format!("{}: {} lines", file.path, file.lines.len()));
        }
        for (i, line) in file.lines.iter().enumerate() {
            // The formatter leaves texts and macros alone, and a table's row must be one line.
            let exempt = line.contains(['"', '$', '\\']) || line.starts_with("//! |");
            let width = line.chars().count();
            if !exempt && width > 100 {
                long.push(format!("{}:{}: {width} columns", file.path, i + 1));
            }
        }
    }
    assert!(long.is_empty(), "longer than 100 columns or 800 lines:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_unfinished_or_of_one_machine() {
    let mut texts = paths(&["src", "tests", "benches", "sample-clusters", "layouts", ".ci"]);
    texts.extend(["README.md", "CHANGELOG.md", "Cargo.toml", "clippy.toml"].map(PathBuf::from));
    let bad = ["todo!", "unimplemented!", "TODO", "FIXME", "XXX", "/home/", "/root/", "/Users/"];
    for path in texts {
        if path.ends_with("tests/tidy.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (i, line) in text.lines().enumerate() {
            if let Some(word) = bad.iter().find(|word| line.contains(**word)) {
                panic!("{}:{}: {word} has no place here", path.display(), i + 1);
            }
        }
    }
}

#[test]
fn every_mutation_says_what_goes_wrong() {
    let families = [
        "host",
        "paxos",
        "log",
        "raft",
        "zab",
        "lock",
        "redis",
        "redlock",
        "failover",
        "ring",
        "store",
        "txn",
        "membership",
        "swim",
        "balance",
        "threephase",
        "paxoscommit",
        "quorum",
        "cache",
        "lessor",
        "consul",
        "deadlock",
        "shared",
        "watch",
        "saga",
        "tx",
        "files",
    ];
    for mutation in Mutation::ALL {
        let (family, rule) = mutation.name().split_once('.').expect("a family and a rule");
        assert!(families.contains(&family) && !rule.is_empty(), "{mutation}");
        let about = mutation.about();
        assert!(about.len() > 20 && about.ends_with('.'), "{mutation}: one sentence");
    }
}

#[test]
fn every_mutation_is_a_switch_that_somebody_asks_for() {
    let code: String = sources()
        .iter()
        .filter(|file| file.module == "proto" || file.module == "host")
        .flat_map(|file| file.lines.clone())
        .collect();
    for mutation in Mutation::ALL {
        let name = format!("Mutation::{mutation:?}");
        let found =
            code.match_indices(&name).any(|(at, _)| name_at(&code[at + 10..]) == &name[10..]);
        assert!(found, "nobody asks for {mutation}");
    }
}

#[test]
fn the_readme_has_every_sample_and_every_command() {
    let readme = fs::read_to_string("README.md").expect("there is a README");
    for (name, _) in SAMPLES {
        assert!(readme.contains(&format!("| `{name}` |")), "the sample {name} is missing");
    }
    for (form, about) in FORMS {
        let row = format!("| `{}` | {about} |", form.replace('|', "\\|"));
        assert!(readme.contains(&row), "the README lacks this row:\n{row}");
    }
}
