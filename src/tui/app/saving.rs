//! Saving and opening runs: what of the app goes into a file, and what comes of one.
//!
//! The app touches no file. It says what it wants as [`Errand`]s, and is told what came of them.

use super::{App, Title};
use crate::base::{Blob, Content, Name, Time};
use crate::command::Command;
use crate::saved::{Branch, End, Given, Seen, Story as Saved, View};
use crate::script::record::Deeds;
use crate::tui::prompt::Ask;
use crate::tui::source::Source;
use crate::tui::story::Story;
use crate::view::timeline::{self, MarkKind};

/// Something that is to be done with files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Save the run under this path; as a scenario, if it ends in `.toml`.
    Save(String),
    /// Open the run under this path, in the place of this one.
    Open(String),
    /// Carry out this line with the content of the person's file under this path.
    Bring(String, String),
    /// Write what is in a file of the cluster to the person's file under this path.
    Take(Blob, String),
}

/// What is still to be done when a saved run has been gone through.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    story: Saved,
    /// Which time to look at.
    at: Option<Time>,
}

impl App {
    /// Takes what is to be done with files.
    pub fn errands(&mut self) -> Vec<Errand> {
        std::mem::take(&mut self.errands)
    }

    /// Whether a line is about a file of the person, `c1 upload plans @notes.txt` or `fetch plans
    /// @back.txt`. Then it becomes an errand.
    pub(super) fn carries(&mut self, line: &str) -> bool {
        if let Some((head, path)) = Content::named(line) {
            self.errands.push(Errand::Bring(head.to_owned(), path.to_owned()));
            return true;
        }
        let fetch = line.strip_prefix("fetch ").and_then(|rest| rest.split_once(" @"));
        let Some((file, path)) = fetch else { return false };
        let file = file.trim();
        let name = file.parse::<Name>();
        let read = name.map(|name| self.timeline.board().files.read().get(&name).cloned());
        match read {
            Ok(Some(content)) => self.errands.push(Errand::Take(content, path.trim().to_owned())),
            Ok(None) => self.say(format!("no client has read {file} yet: c1 download {file}")),
            Err(why) => self.say(why.to_string()),
        }
        true
    }

    /// Carries out a line whose content has come.
    pub fn brought(&mut self, head: &str, content: &Content) {
        match format!("{head} {content:#}").parse::<Command>() {
            Ok(command) => self.order(&command),
            Err(why) => self.say(why.to_string()),
        }
    }

    /// What came of an errand.
    pub fn told(&mut self, text: impl Into<String>) {
        self.say(text);
    }

    pub(super) fn ask_save(&mut self) {
        let name = crate::saved::keep::plain(&self.title.name);
        let seed = self.title.source.seed().map_or(String::new(), |seed| format!("-{seed}"));
        self.prompt.ask(Ask::Save, &format!("{name}{seed}.nsr"));
    }

    /// Asks under which name to write down what was done, as a scenario.
    pub(super) fn ask_scenario(&mut self) {
        let name = crate::saved::keep::plain(&self.title.name);
        self.prompt.ask(Ask::Save, &format!("{name}-session.toml"));
    }

    pub(super) fn ask_open(&mut self) {
        self.prompt.ask(Ask::Open, "");
    }

    /// Shows another run in the place of this one. A saved one is gone through first.
    pub fn open(&mut self, title: Title, story: Option<Saved>) {
        let fresh = App::new(title, self.look.clone(), self.speed, false);
        let old = std::mem::replace(self, fresh);
        // What a person has set up stays.
        self.keymap = old.keymap.of(self.is_live());
        (self.library, self.themes) = (old.library, old.themes);
        match self.title.shows == old.title.shows {
            true => {
                (self.layout, self.modes) = (old.layout, old.modes);
                (self.focus, self.zoom) = (old.focus, old.zoom);
            }
            false => self.arrange(old.layout),
        }
        (self.mouse_off, self.screen) = (old.mouse_off, old.screen);
        self.resume(story, None);
    }

    /// Has the app know what a saved run is to look like when it has been gone through, and which
    /// time to look at.
    pub fn resume(&mut self, story: Option<Saved>, at: Option<Time>) {
        self.running = story.is_some();
        self.opening = story.map(|story| Opening { story, at });
    }

    /// All of a saved run has been gone through.
    pub(super) fn opened(&mut self) {
        let Some(Opening { story, at }) = self.opening.take() else { return };
        self.running = false;
        match story {
            Saved::Branches(branches, view) => self.opened_branches(&branches, view),
            Saved::Seen { pieces, whole } => {
                let marks = pieces.into_iter().filter_map(|piece| match piece {
                    Seen::Mark(event, text) => Some((usize::try_from(event).ok()?, text)),
                    _ => None,
                });
                self.timeline.dress(0, "main", marks, &[]);
                self.say(match whole {
                    true => "a recording, at its end: g goes to its start, and Space plays it",
                    false => {
                        "the end of this recording is missing: whoever wrote it died. \
                         g goes to its start, and Space plays it"
                    }
                });
            }
        }
        if let Some(time) = at {
            self.timeline.seek_time(time);
        }
    }

    fn opened_branches(&mut self, branches: &[Branch], view: View) {
        let mut others = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let marks = branch.marks.iter().cloned();
            let marks =
                marks.filter_map(|(event, text)| Some((usize::try_from(event).ok()?, text)));
            let joined: Vec<bool> = branch.commands.iter().map(|given| given.joined).collect();
            self.timeline.dress(index, &branch.name, marks, &joined);
            let again = self.timeline.branches().get(index);
            if again.is_none_or(|again| again.digest().value() != branch.digest) {
                others.push(branch.name.clone());
            }
        }
        self.timeline.view(view.branch as usize);
        if let Some(cursor) = view.cursor {
            self.timeline.seek(usize::try_from(cursor).unwrap_or(usize::MAX));
        }
        self.say(match others.is_empty() {
            true => "opened by running again: all is as it was".to_owned(),
            false => format!(
                "this is another run than the one that was saved: {} went another way, because \
                 this netsplit ({}) does something else than the one that saved it",
                others.join(", "),
                env!("CARGO_PKG_VERSION"),
            ),
        });
    }

    /// All that must be kept of a simulated run; none of another.
    pub fn story(&self) -> Option<Saved> {
        let Source::Simulated { .. } = self.title.source else { return None };
        let branches = self.timeline.branches().iter().map(|branch| self.kept(branch)).collect();
        let stands = !self.timeline.at_end() && self.timeline.excerpt().is_none();
        let cursor = stands.then(|| self.timeline.position() as u64);
        let branch = u32::try_from(self.timeline.viewed_index()).unwrap_or_default();
        Some(Saved::Branches(branches, View { branch, cursor }))
    }

    /// The marks that a person has set: index of the event, and text.
    pub fn own_marks(&self) -> Vec<(u64, String)> {
        own_marks(self.timeline.whole())
    }

    /// What was done in the branch that is looked at, to be written down as a scenario.
    pub fn deeds(&self) -> Deeds {
        let branch = self.timeline.whole();
        let orders = branch.commands().iter().map(|given| (given.at, given.command.clone()));
        let broken = branch.checks().violations().map(|violation| violation.check.to_owned());
        // Another branch may have left the script, or never been told.
        let told = self.story.as_ref().filter(|story| story.is_told_in(branch.id));
        Deeds {
            orders: orders.collect(),
            told: told.map(Story::told).unwrap_or_default(),
            until: self.end_of(branch),
            broken: broken.collect(),
        }
    }

    /// The seed of the branch that is looked at, if it is simulated.
    pub fn simulated(&self) -> Option<u64> {
        self.title.source.seed().map(|_| self.seed())
    }

    /// How far a branch went. The clock of the one that goes on may be ahead of its last event.
    fn end_of(&self, branch: &timeline::Branch) -> Time {
        match branch.id == self.timeline.running().id {
            true => branch.end().now.max(self.reached),
            false => branch.end().now,
        }
    }

    fn kept(&self, branch: &timeline::Branch) -> Branch {
        let place = |id| self.timeline.branches().iter().position(|other| other.id == id);
        let parent = branch.parent.and_then(place);
        let parent = parent.and_then(|at| Some((u32::try_from(at).ok()?, branch.fork as u64)));
        // What it has in common with a parent that is not kept any more is its own.
        let own = |given: &&timeline::Given| parent.is_none() || given.event >= branch.fork;
        let commands = branch.commands().iter().filter(own).map(|given| Given {
            step: given.step,
            at: given.at,
            event: given.event as u64,
            joined: given.joined,
            line: given.command.to_string(),
        });
        let now = self.end_of(branch);
        Branch {
            name: branch.name.to_string(),
            parent,
            seed: branch.seed,
            commands: commands.collect(),
            end: End { events: Some(branch.events().len() as u64), now },
            digest: branch.digest().value(),
            marks: own_marks(branch),
        }
    }
}

fn own_marks(branch: &timeline::Branch) -> Vec<(u64, String)> {
    let own = branch.marks().iter().filter(|mark| mark.kind == MarkKind::Person);
    own.map(|mark| (mark.event as u64, mark.text.to_string())).collect()
}
