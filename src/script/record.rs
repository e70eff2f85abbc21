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
//! Of a simulated run it gives the same events again, so its digest is that of the run. A live run
//! is never the same twice; its commands are given in the simulator, at the same times, and what
//! comes of them may differ.

use super::Summary;
use crate::base::Time;
use crate::command::Command;
use crate::event::Event;
use std::fmt::Write as _;

/// Where the cluster of a session is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// It is built in, under this name.
    BuiltIn(String),
    /// It is this text of a file.
    Text(String),
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Session {
    /// What to call it.
    pub name: String,
    /// The cluster.
    pub home: Home,
    /// The seed, and whether the cluster would have it anyway.
    pub seed: (u64, bool),
    /// The commands, in order of time.
    pub orders: Vec<(Time, Command)>,
    /// When it ended.
    pub until: Time,
    /// The checks that were broken.
    pub broken: Vec<String>,
}

/// The commands in a run, as they took effect.
pub fn orders<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<(Time, Command)> {
    let order = |event: &Event| event.command().map(|command| (event.at, command.clone()));
    events.filter_map(order).collect()
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
        let broken = list(self.broken.iter().map(String::as_str));
        match &self.home {
            Home::BuiltIn(name) => {
                let _ = writeln!(text, "cluster = {}", quoted(name));
                let _ = writeln!(text, "title = {}", quoted(&format!("{}, as played", self.name)));
                let _ = writeln!(text, "topic = \"sessions\"\nseed = {}", self.seed.0);
                if !self.broken.is_empty() {
                    let _ = writeln!(text, "breaks = {broken}");
                }
            }
            Home::Text(own) => {
                let _ = writeln!(text, "{}", own.trim_end());
                let _ = writeln!(text, "\n[[act]]");
                if !self.seed.1 {
                    let _ = writeln!(text, "set = {{ seed = {} }}", self.seed.0);
                }
                if !self.broken.is_empty() {
                    let _ = writeln!(text, "breaks = {broken}");
                }
            }
        }
        let mut rest = self.orders.as_slice();
        while let Some((at, _)) = rest.first() {
            let count = rest.iter().take_while(|(time, _)| time == at).count();
            let (now, later) = rest.split_at(count);
            let lines: Vec<String> = now.iter().map(|(_, command)| command.to_string()).collect();
            let _ = writeln!(text, "\n[[step]]\nat = \"{at}s\"");
            let _ = writeln!(text, "do = {}", list(lines.iter().map(String::as_str)));
            rest = later;
        }
        let _ = writeln!(text, "\n[[step]]\nat = \"{}s\"\nsay = \"The end.\"", self.until);
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
