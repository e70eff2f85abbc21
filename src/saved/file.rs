//! Files that hold runs.

use super::bytes::{Damage, Encoder, TITLE, decode};
use super::keep::EXTENSION;
use super::{About, Run, Seen};
use crate::error::Error;
use crate::event::Event;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 2 << 30;
/// How many events of a live run are written in one frame at the most.
const BATCH: usize = 1_024;

/// Whether a file is meant to be a saved run: by its name, or by how it begins.
pub fn is_run(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == EXTENSION)
        || start(path).is_some_and(|start| start == TITLE)
}

/// The first bytes of a file, as many as the title of a saved run has.
fn start(path: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    let file = File::open(path).ok()?;
    file.take(TITLE.len() as u64).read_to_end(&mut start).ok()?;
    Some(start)
}

/// Reads a saved run.
///
/// # Errors
/// Why it cannot be read: there is no such file, it is damaged (and where), or newer than this
/// program.
pub fn read(path: &Path) -> Result<Run, Error> {
    let name = path.display();
    let cannot = |why: String| Error::new(format!("cannot open '{name}': {why}"));
    let bytes = bytes(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => cannot("there is no such file".to_owned()),
        _ => cannot(error.to_string()),
    })?;
    decode(&bytes).map_err(|damage| {
        let help = match damage {
            Damage::NoRun => "saved runs are written by W on the screen, and by --save",
            Damage::Newer(_) | Damage::Unknown(_) => "a newer netsplit wrote it: use that one",
            Damage::Broken(_) | Damage::Short(_) => "nothing of it is shown, since some is missing",
        };
        cannot(damage.to_string()).help(help)
    })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() > MAX_BYTES {
        return Err(io::Error::other("it is larger than 2 GiB"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a whole file: it is there with all of its bytes, or as it was before.
///
/// # Errors
/// Why it cannot be written. A file that is there and is no saved run is left alone.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    spare(path)?;
    let beside = beside(path);
    let done = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    done.map_err(|error| {
        // It may not even be there.
        let _ = fs::remove_file(&beside);
        cannot_write(path, &error)
    })
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot write '{}': {error}", path.display()))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Refuses to write over what is no saved run.
fn spare(path: &Path) -> Result<(), Error> {
    if File::open(path).is_err() || start(path).is_some_and(|it| it.is_empty() || it == TITLE) {
        return Ok(());
    }
    let error = Error::new(format!("'{}' is there and is no saved run", path.display()));
    Err(error.help("choose another name; only saved runs are written over"))
}

/// A recording that is written while its cluster runs.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
    encoder: Encoder,
    events: Vec<Event>,
    written: u64,
    limit: u64,
}

impl Recording {
    /// Begins a file. Once it has `limit` bytes, no more is taken in.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn create(path: &Path, about: &About, limit: u64) -> Result<Recording, Error> {
        spare(path)?;
        let (encoder, bytes) = Encoder::new(about);
        let file = File::create(path).and_then(|mut file| file.write_all(&bytes).map(|()| file));
        let file = file.map_err(|error| cannot_write(path, &error))?;
        let (path, written, events) = (path.to_owned(), bytes.len() as u64, Vec::new());
        Ok(Recording { path, file, encoder, events, written, limit })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it takes no more in.
    pub fn is_full(&self) -> bool {
        self.written >= self.limit
    }

    /// Takes events in. They are written when there are enough of them, or by [`Recording::flush`].
    ///
    /// # Errors
    /// Why they cannot be written.
    pub fn events(&mut self, events: &[Event]) -> Result<(), Error> {
        if !self.is_full() {
            self.events.extend_from_slice(events);
        }
        if self.events.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Takes something else in, and writes it.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn piece(&mut self, piece: Seen) -> Result<(), Error> {
        self.flush()?;
        let bytes = self.encoder.seen(piece);
        self.put(&bytes)
    }

    /// Writes what was taken in.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.events.is_empty() {
            return Ok(());
        }
        let bytes = self.encoder.seen(Seen::Events(std::mem::take(&mut self.events)));
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| cannot_write(&self.path, &error))
    }

    /// Writes all that there is so far, with these marks and an end, into another file.
    ///
    /// # Errors
    /// Why it cannot be read or written.
    pub fn copy(&mut self, path: &Path, marks: Vec<(u64, String)>) -> Result<(), Error> {
        self.flush()?;
        let bytes = fs::read(&self.path);
        let mut bytes = bytes.map_err(|error| {
            Error::new(format!("cannot read '{}': {error}", self.path.display()))
        })?;
        let mut encoder = self.encoder.clone();
        for (event, text) in marks {
            bytes.extend(encoder.seen(Seen::Mark(event, text)));
        }
        bytes.extend(encoder.end());
        write(path, &bytes)
    }

    /// Writes the end.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn end(mut self) -> Result<PathBuf, Error> {
        self.flush()?;
        let Recording { path, mut file, encoder, .. } = self;
        let done = file.write_all(&encoder.end()).and_then(|()| file.sync_all());
        done.map_err(|error| cannot_write(&path, &error)).map(|()| path)
    }
}
