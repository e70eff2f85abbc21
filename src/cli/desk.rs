//! Where runs are filed: those that a person saves, and the latest ones of every person.

use super::{carry, play, saving};
use crate::base::{Blob, Content};
use crate::cluster::Update;
use crate::error::Error;
use crate::plan::{Plan, Services, Txn, TxnKind};
use crate::saved::file::{self, Recording};
use crate::saved::{self, About, Kind, Run, Seen, keep};
use crate::script::Stop;
use crate::tui::app::{App, Title};
use crate::tui::desk::{Desk, Opened};
use crate::tui::{PaneKind, Source};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How much of a live run is recorded if nobody asked for it, in bytes.
const UNASKED: u64 = 256 << 20;
/// How old what is recorded gets before it is written.
const DELAY: Duration = Duration::from_secs(1);

/// The desk of a workbench.
#[derive(Debug)]
pub struct Files {
    plan: Plan,
    about: About,
    /// Where the person wants the run; else it goes where all latest runs are kept.
    wanted: Option<PathBuf>,
    recording: Option<Recording>,
    /// The file that was opened, if it is a recording: there is nothing more to it.
    opened: Option<PathBuf>,
    flushed: Instant,
}

impl Files {
    /// A desk for a run that begins now. A live run is recorded from here on.
    ///
    /// # Errors
    /// Why the file that the person wants cannot be written.
    pub fn new(plan: &Plan, source: &Source, wanted: Option<PathBuf>) -> Result<Files, Error> {
        let about = About::new(&plan.name, &plan.text, kind(source));
        let recording = match (&about.kind, &wanted) {
            (Kind::Simulated { .. }, _) => None,
            (_, Some(path)) => Some(Recording::create(path, &about, u64::MAX)?),
            // Nobody asked for it, so it is no mistake of theirs if that cannot be.
            (_, None) => {
                place(&about.name).and_then(|path| Recording::create(&path, &about, UNASKED)).ok()
            }
        };
        let (plan, opened, flushed) = (plan.clone(), None, Instant::now());
        Ok(Files { plan, about, wanted, recording, opened, flushed })
    }

    /// A desk for a run that was opened from a file.
    pub fn of(path: &Path, plan: Plan, about: About) -> Files {
        let opened = matches!(about.kind, Kind::Recorded { .. }).then(|| path.to_owned());
        Files { plan, about, wanted: None, recording: None, opened, flushed: Instant::now() }
    }

    /// Puts the run away. Returns where it is; none if it is where it was, or there is nothing.
    ///
    /// # Errors
    /// Why it cannot be saved.
    pub fn close(&mut self, app: &App) -> Result<Option<PathBuf>, Error> {
        if let Some(mut recording) = self.recording.take() {
            for (event, text) in app.own_marks() {
                recording.piece(Seen::Mark(event, text))?;
            }
            return recording.end().map(Some);
        }
        let Some(story) = app.story() else { return Ok(None) };
        let path = match &self.wanted {
            Some(path) => path.clone(),
            None => place(&self.about.name)?,
        };
        let run = Run { about: self.about.clone(), story };
        file::write(&path, &saved::encode(run)).map(|()| Some(path))
    }

    fn record(&mut self, update: &Update) -> Result<(), Error> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        match update {
            Update::Events(events) => recording.events(events)?,
            Update::Link { process, state } => recording.piece(Seen::link(*process, state))?,
            Update::Missed { count } => recording.piece(Seen::Missed(*count))?,
            _ => {}
        }
        if self.flushed.elapsed() >= DELAY {
            self.flushed = Instant::now();
            recording.flush()?;
        }
        match recording.is_full() {
            true => Err(Error::new(format!("it has {} MiB", UNASKED >> 20))),
            false => Ok(()),
        }
    }

    fn put(&mut self, app: &App, path: &Path) -> Result<(), Error> {
        if let Some(opened) = &self.opened {
            let bytes = std::fs::read(opened);
            let bytes = bytes.map_err(|error| Error::new(format!("cannot read: {error}")))?;
            return file::write(path, &bytes);
        }
        if let Some(recording) = &mut self.recording {
            return recording.copy(path, app.own_marks());
        }
        let Some(story) = app.story() else {
            return Err(Error::new("this run is not recorded any more"));
        };
        file::write(path, &saved::encode(Run { about: self.about.clone(), story }))
    }
}

impl Desk for Files {
    fn see(&mut self, update: &Update) -> Option<String> {
        let why = self.record(update).err()?;
        let recording = self.recording.take()?;
        let path = recording.path().display().to_string();
        // What is there stays.
        let _ = recording.end();
        Some(format!("no more of this run is recorded: {}; what there is: {path}", why.what()))
    }

    fn save(&mut self, app: &App, path: &str) -> Result<String, String> {
        let path = with_extension(path);
        let done = match saving::is_scenario(&path) {
            true => saving::screen(&path, app, &self.plan),
            false => self.put(app, &path).map(|()| format!("saved: {}", path.display())),
        };
        done.map_err(|error| error.line())
    }

    fn bring(&mut self, path: &str) -> Result<Content, String> {
        carry::bring(path)
    }

    fn take(&mut self, content: &Blob, path: &str) -> Result<(), String> {
        carry::put(Path::new(path), content.bytes())
    }

    fn open(&mut self, app: &App, path: &str) -> Result<Opened, String> {
        let path = Path::new(path);
        let (files, opened) = open(path).map_err(|error| error.what().to_owned())?;
        let kept = self.close(app);
        *self = files;
        // The other run is there; that this one is not kept is no reason to refuse it.
        drop(kept);
        Ok(opened)
    }
}

/// Opens a saved run, and makes a desk for it.
fn open(path: &Path) -> Result<(Files, Opened), Error> {
    open_run(path, file::read(path)?)
}

/// Opens what a file holds, and makes a desk for it.
///
/// # Errors
/// Why it cannot be opened.
pub fn open_run(path: &Path, run: Run) -> Result<(Files, Opened), Error> {
    let plan = play::plan(&run)?;
    let cluster = play::open(&run, &plan).map_err(|stop| match stop {
        Stop::Refused(error) | Stop::Failed(error) => error,
        _ => Error::new("the run cannot be opened"),
    })?;
    let Run { about, story } = run;
    let title = title(&plan, source(&about.kind));
    Ok((Files::of(path, plan, about), Opened { title, cluster, story }))
}

/// What the app is told about a cluster.
pub fn title(plan: &Plan, source: Source) -> Title {
    Title {
        name: plan.name.clone(),
        source,
        expect: plan.expect(),
        processes: plan.processes().collect(),
        shows: shows(plan),
        focus: focus(&plan.services),
    }
}

/// In which panes a cluster has something to show.
fn shows(plan: &Plan) -> Vec<PaneKind> {
    let Services { paxos, log, ring, lock, store, txn, balance, cache, files, .. } = &plan.services;
    let saga = txn.as_ref().is_some_and(|txn| matches!(txn.kind, TxnKind::Saga { .. }));
    let opened = txn.as_ref().is_some_and(|txn| matches!(txn.kind, TxnKind::Opened { .. }));
    let quorum = store.as_ref().is_some_and(|store| store.quorum().is_some());
    let switched = [
        (PaneKind::Consensus, paxos.is_some() || log.is_some()),
        (PaneKind::Ring, ring.is_some()),
        (PaneKind::Locks, lock.is_some()),
        (PaneKind::Txn, txn.is_some() && !saga && !opened),
        (PaneKind::Isolation, opened),
        (PaneKind::Sagas, saga),
        (PaneKind::Replicas, quorum),
        (PaneKind::Balance, balance.is_some()),
        (PaneKind::Cache, cache.is_some()),
        (PaneKind::Files, files.is_some()),
        (PaneKind::Clients, !plan.clients.is_empty()),
    ];
    let always = PaneKind::ALL.into_iter().filter(|kind| !switched.iter().any(|it| it.0 == *kind));
    let on = switched.iter().filter(|(_, on)| *on).map(|(kind, _)| *kind);
    on.chain(always).collect()
}

/// Where to look first in a cluster that is about one thing.
fn focus(services: &Services) -> Option<PaneKind> {
    match services {
        Services { store: Some(store), .. } if store.quorum().is_some() => Some(PaneKind::Replicas),
        Services { cache: Some(_), .. } => Some(PaneKind::Cache),
        Services { files: Some(_), .. } => Some(PaneKind::Files),
        Services { ring: Some(_), lock: Some(_), .. } => None,
        Services { txn: Some(Txn { kind: TxnKind::Saga { .. }, .. }), .. } => Some(PaneKind::Sagas),
        Services { txn: Some(Txn { kind: TxnKind::Opened { .. }, .. }), .. } => {
            Some(PaneKind::Isolation)
        }
        Services { txn: Some(_), .. } => Some(PaneKind::Txn),
        Services { ring: Some(_), .. } => Some(PaneKind::Ring),
        Services { lock: Some(_), .. } => Some(PaneKind::Locks),
        Services { balance: Some(_), .. } => Some(PaneKind::Balance),
        _ => Some(PaneKind::Consensus),
    }
}

fn kind(source: &Source) -> Kind {
    match source {
        Source::Simulated { seed } => Kind::Simulated { seed: *seed },
        other => Kind::Recorded {
            place: other.label("-"),
            late: other.is_late(),
            remote: other.links_one_by_one(),
        },
    }
}

/// Where a run comes from, as the screen says it.
pub(super) fn source(kind: &Kind) -> Source {
    match kind {
        Kind::Simulated { seed } => Source::Simulated { seed: *seed },
        Kind::Recorded { place, late, remote } => {
            Source::Recorded { place: place.clone(), late: *late, remote: *remote }
        }
    }
}

fn place(name: &str) -> Result<PathBuf, Error> {
    keep::place(&keep::directory()?, name, SystemTime::now())
}

fn with_extension(path: &str) -> PathBuf {
    let path = PathBuf::from(path);
    match path.extension() {
        Some(_) => path,
        None => path.with_extension(keep::EXTENSION),
    }
}
