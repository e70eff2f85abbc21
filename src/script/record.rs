//! What was done to a cluster, written down as a scenario that a person can read and edit.
//!
//! ```toml
//! cluster = "bank"              # or the cluster itself
//! seed = 7
//! [[step]]
//! at = "3s"
//! do = "kill n3"                # everything that was done is a line
//! ```
//!
//! What a scenario told meanwhile stands at its time, too. Of a simulated run it gives the same
//! events again, so its digest is that of the run. A live run
//! is never the same twice; its commands are given in the simulator, at the same times, and what
//! comes of them may differ.

use super::Summary;
use crate::base::Time;
use crate::command::Command;
use crate::plan::SAMPLES;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Where the cluster of a session is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// It is built in, under this name.
    BuiltIn(String),
    /// It is this text of a file.
    Text(String),
}

impl Home {
    /// Where the cluster of this text is described: a built-in one needs its name only.
    pub fn of(text: &str) -> Home {
        match SAMPLES.iter().find(|(_, known)| *known == text) {
            Some((name, _)) => Home::BuiltIn((*name).to_owned()),
            None => Home::Text(text.to_owned()),
        }
    }
}

/// What was done in a run, and what came of it.
#[derive(Clone, Debug)]
pub struct Deeds {
    /// The commands, in order of time.
    pub orders: Vec<(Time, Command)>,
    /// What a scenario told meanwhile, in order of time.
    pub told: Vec<Told>,
    /// When it ended.
    pub until: Time,
    /// The checks that were broken.
    pub broken: Vec<String>,
}

/// A step of a scenario that was told in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it began.
    pub at: Time,
    /// Its headline.
    pub title: String,
    /// What it told.
    pub say: Vec<String>,
}

/// A run that is to be written down.
#[derive(Clone, Debug)]
pub struct Session {
    /// What to call it.
    pub name: String,
    /// The cluster.
    pub home: Home,
    /// The seed, and whether the cluster would have it anyway.
    pub seed: (u64, bool),
    /// What was done.
    pub deeds: Deeds,
}

/// The names of the checks that were broken in a run.
pub fn broken(summary: &Summary) -> Vec<String> {
    summary.failures.iter().map(|failure| failure.check.to_owned()).collect()
}

impl Session {
    /// The scenario.
    pub fn scenario(&self) -> String {
        let mut text = String::from(
            "# Written by netsplit from what was done. Give steps a title, say what one sees, and \
             expect\n# what must be so: netsplit check says what is wrong with it.\n",
        );
        let Deeds { orders, told, until, broken } = &self.deeds;
        let breaks = list(broken.iter().map(String::as_str));
        match &self.home {
            Home::BuiltIn(name) => {
                let _ = writeln!(text, "cluster = {}", quoted(name));
                let _ = writeln!(text, "title = {}", quoted(&format!("{}, as played", self.name)));
                let _ = writeln!(text, "topic = \"sessions\"\nseed = {}", self.seed.0);
                if !broken.is_empty() {
                    let _ = writeln!(text, "breaks = {breaks}");
                }
            }
            Home::Text(own) => {
                let _ = writeln!(text, "{}", own.trim_end());
                let _ = writeln!(text, "\n[[act]]");
                if !self.seed.1 {
                    let _ = writeln!(text, "set = {{ seed = {} }}", self.seed.0);
                }
                if !broken.is_empty() {
                    let _ = writeln!(text, "breaks = {breaks}");
                }
            }
        }
        let times = orders.iter().map(|(at, _)| *at).chain(told.iter().map(|told| told.at));
        for at in times.collect::<BTreeSet<Time>>() {
            let _ = writeln!(text, "\n[[step]]\nat = \"{at}s\"");
            let told: Vec<&Told> = told.iter().filter(|told| told.at == at).collect();
            if let Some(title) = told.iter().map(|told| &told.title).find(|it| !it.is_empty()) {
                let _ = writeln!(text, "title = {}", quoted(title));
            }
            let say: Vec<&str> =
                told.iter().flat_map(|told| &told.say).map(String::as_str).collect();
            if !say.is_empty() {
                let _ = writeln!(text, "say = {}", quoted(&say.join("\n\n")));
            }
            let orders = orders.iter().filter(|(time, _)| *time == at);
            let lines: Vec<String> = orders.map(|(_, command)| command.to_string()).collect();
            if !lines.is_empty() {
                let _ = writeln!(text, "do = {}", list(lines.iter().map(String::as_str)));
            }
        }
        let _ = writeln!(text, "\n[[step]]\nat = \"{until}s\"\nsay = \"The end.\"");
        text
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// One text, or a list of several.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.map(quoted).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
