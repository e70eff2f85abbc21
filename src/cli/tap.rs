//! Saving a run that nobody looks at: between the cluster and whoever drives it, a thread takes
//! note of all that passes.

use crate::base::Time;
use crate::cluster::{Cluster, Update};
use crate::error::Error;
use crate::event::Event;
use crate::plan::Plan;
use crate::saved::file::{self, Recording};
use crate::saved::{self, About, Branch, End, Given, Kind, Run, Seen, Story, View};
use crate::script::Stop;
use crate::view::digest::Digest;
use std::path::PathBuf;
use std::thread::JoinHandle;
use tokio::sync::mpsc::channel;

/// Whoever takes note.
#[derive(Debug)]
pub(super) struct Tap(JoinHandle<Result<(), Error>>);

/// What is written down.
enum Notes {
    /// Of a simulated run, its commands.
    Simulated(Box<Scribe>),
    /// Of another one, all that is seen.
    Recorded(Recording),
}

/// Puts a tap on a cluster.
///
/// # Errors
/// Why the file cannot be written, or that there is no thread left.
pub(super) fn tap(
    mut cluster: Cluster,
    plan: &Plan,
    kind: Kind,
    path: PathBuf,
) -> Result<(Cluster, Tap), Stop> {
    let about = About::new(&plan.name, &plan.text, kind);
    let mut notes = match about.kind {
        Kind::Simulated { .. } => Notes::Simulated(Box::new(Scribe::new(about, path))),
        Kind::Recorded { .. } => {
            Notes::Recorded(Recording::create(&path, &about, u64::MAX).map_err(Stop::Refused)?)
        }
    };
    let (sender, updates) = channel(64);
    let listen = move || {
        let mut done = Ok(());
        while let Some(update) = cluster.updates.blocking_recv() {
            done = done.and_then(|()| notes.take(&update));
            // Whoever listened may have heard enough; the rest is noted all the same.
            let _ = sender.blocking_send(update);
        }
        done.and_then(|()| notes.end())
    };
    let thread = std::thread::Builder::new().name("tap".to_owned()).spawn(listen);
    let thread = thread
        .map_err(|error| Stop::Failed(Error::new(format!("the run cannot be saved: {error}"))))?;
    Ok((Cluster { commands: cluster.commands, updates }, Tap(thread)))
}

impl Tap {
    /// Waits until all is written. The cluster must have been let go.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(super) fn end(self) -> Result<(), Stop> {
        self.0.join().map_err(|_| Stop::Gone)?.map_err(Stop::Failed)
    }
}

impl Notes {
    fn take(&mut self, update: &Update) -> Result<(), Error> {
        match (self, update) {
            (Notes::Simulated(scribe), update) => scribe.take(update),
            (Notes::Recorded(recording), Update::Events(events)) => recording.events(events)?,
            (Notes::Recorded(recording), Update::Link { process, state }) => {
                recording.piece(Seen::link(*process, state))?;
            }
            (Notes::Recorded(recording), Update::Missed { count }) => {
                recording.piece(Seen::Missed(*count))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        match self {
            Notes::Simulated(scribe) => scribe.end(),
            Notes::Recorded(recording) => recording.end().map(|_| ()),
        }
    }
}

struct Scribe {
    about: About,
    path: PathBuf,
    commands: Vec<Given>,
    events: u64,
    digest: Digest,
    now: Time,
}

impl Scribe {
    fn new(about: About, path: PathBuf) -> Scribe {
        let (commands, digest) = (Vec::new(), Digest::default());
        Scribe { about, path, commands, events: 0, digest, now: Time::ZERO }
    }

    fn take(&mut self, update: &Update) {
        match update {
            Update::Events(events) => events.iter().for_each(|event| self.see(event)),
            Update::Obeyed { step } => {
                if let Some(last) = self.commands.last_mut() {
                    last.step = *step;
                }
            }
            Update::Reached { now, .. } => self.now = *now,
            _ => {}
        }
    }

    fn see(&mut self, event: &Event) {
        self.digest.see(event);
        if let Some(command) = event.command() {
            let (line, at) = (command.to_string(), event.at);
            self.commands.push(Given { step: 0, at, event: self.events, joined: false, line });
        }
        self.events += 1;
    }

    fn end(self) -> Result<(), Error> {
        let main = Branch {
            name: "main".to_owned(),
            parent: None,
            seed: None,
            commands: self.commands,
            // How many events there are depends on how much was asked for; the time does not.
            end: End { events: None, now: self.now },
            digest: self.digest.value(),
            marks: Vec::new(),
        };
        let story = Story::Branches(vec![main], View::default());
        file::write(&self.path, &saved::encode(Run { about: self.about, story }))
    }
}
