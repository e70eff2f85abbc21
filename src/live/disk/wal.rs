//! A write-ahead log in a directory.
//!
//! ```text
//!  lock    held while the process lives
//!  boots   how often the node was started
//!  log     its records
//!  *.new   takes the name before the dot once it is durable; left over after a crash
//! ```
//!
//! The number of boots has a file of its own, so that it outlives the log: a log that decayed can
//! be removed, and still no life of the node is taken for an earlier one.

use super::dir::{Dir, failed};
use super::frame::{self, Contents, Damage};
use super::{Loaded, Store, Trouble};
use crate::base::{Rng, Span};
use crate::error::Error;
use crate::host::{self, Write};
use crate::proto::Record;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::{fmt, mem};

const BOOTS: &str = "boots";
const LOG: &str = "log";

/// A log may grow by so many bytes, beyond twice what it began with, before it is rewritten.
const SLACK: u64 = 1 << 20;

/// Whether commits wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// They do.
    Full,
    /// They do not: a crash of the machine may lose them, or damage the log. For measuring.
    Never,
}

/// The end of a log, where frames are appended.
trait Tail: Send {
    /// Writes all of `bytes`.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes them durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl Tail for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A log that has been read and can be appended to.
struct Log {
    tail: Box<dyn Tail>,
    salt: u64,
    /// The number of the next frame.
    next: u64,
    /// How long the file is; all of it is durable.
    len: u64,
    /// It is rewritten when it is longer than this.
    limit: u64,
    /// What it holds.
    disk: host::Disk,
}

impl Log {
    fn commit(&mut self, group: &[Write], sync: Sync) -> io::Result<()> {
        let frame = frame::frame(self.salt, self.next, group);
        self.tail.append(&frame)?;
        if sync == Sync::Full {
            self.tail.sync()?;
        }
        self.next += 1;
        self.len += frame.len() as u64;
        Ok(())
    }
}

/// A write-ahead log in a directory of its own, which no other process can open meanwhile.
pub struct Wal {
    dir: Dir,
    /// Open from a load to the next failure, crash or wipe.
    log: Option<Log>,
    /// After a failure: the file is good up to here, and whatever else it seems to hold is not.
    good: Option<u64>,
    /// A torn tail was cut off since the last load.
    torn: bool,
}

impl Wal {
    /// Opens the log in a directory, or founds one. Reads all of it and cuts off a torn tail.
    ///
    /// # Errors
    /// The directory or a file in it cannot be made, read or written; another process has it open;
    /// the log is damaged, or newer than this program.
    pub fn open(dir: &Path, sync: Sync) -> Result<Wal, Error> {
        Wal::found(dir, sync).map_err(|trouble| Error::new(trouble.what).help(trouble.remedy))
    }

    fn found(path: &Path, sync: Sync) -> Result<Wal, Trouble> {
        let dir = Dir::open(path, sync)?;
        let mut wal = Wal { dir, log: None, good: None, torn: false };
        wal.dir.unstage(BOOTS)?;
        wal.dir.unstage(LOG)?;
        if !wal.dir.has(LOG)? {
            // The boots come first: a log without them has lost them.
            if !wal.dir.has(BOOTS)? {
                wal.set_boots(0)?;
                wal.dir.sync_own_name();
            }
            wal.write_anew(&[])?;
        }
        wal.boots()?;
        wal.recover()?;
        Ok(wal)
    }

    /// How often the node was started.
    fn boots(&self) -> Result<u32, Trouble> {
        let path = self.dir.join(BOOTS);
        let bytes = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
        let frame = frame::open(0, &bytes).filter(|frame| frame.len() == bytes.len());
        frame.and_then(|frame| u32::try_from(frame.sequence).ok()).ok_or_else(|| Trouble {
            what: format!(
                "{} is damaged: it does not say how often the node began",
                path.display()
            ),
            remedy: "restore it from a backup, or let the node join anew with an empty directory"
                .to_owned(),
        })
    }

    fn set_boots(&self, boots: u32) -> Result<(), Trouble> {
        self.dir.stage(BOOTS, &frame::seal(0, u64::from(boots), &[]))?;
        self.dir.publish(BOOTS)
    }

    /// Opens the log anew, reads it from the disk, and cuts it after the last frame that is good.
    fn recover(&mut self) -> Result<(), Trouble> {
        self.log = None;
        let path = self.dir.join(LOG);
        let path = &path;
        let fail = |doing| move |error: io::Error| failed(doing, path, &error);
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let mut file = opened.map_err(fail("open"))?;
        let mut bytes = Vec::new();
        let len = file.read_to_end(&mut bytes).map_err(fail("read"))? as u64;
        let good = self.good.map_or(len, |good| good.min(len));
        let contents = frame::read(&bytes[..good as usize]);
        let Contents { salt, disk, base, end, next } =
            contents.map_err(|damage| refused(path, &damage))?;
        if end < len {
            tracing::warn!(path = %path.display(), from = end, to = len, "cut the end off a log");
            file.set_len(end).map_err(fail("cut"))?;
        }
        file.seek(SeekFrom::Start(end)).map_err(fail("read"))?;
        self.dir.sync_all(&file).map_err(fail("sync"))?;
        self.dir.sync_names()?;
        (self.good, self.torn) = (None, self.torn || end < good);
        let tail = Box::new(file);
        self.log = Some(Log { tail, salt, next, len: end, limit: limit(base), disk });
        Ok(())
    }

    /// Replaces the log by one that begins with these records.
    fn write_anew(&mut self, records: &[Record]) -> Result<Log, Trouble> {
        let log = self.stage(records)?;
        self.dir.publish(LOG)?;
        Ok(log)
    }

    fn stage(&self, records: &[Record]) -> Result<Log, Trouble> {
        let writes: Vec<Write> = records.iter().cloned().map(Write::Append).collect();
        let salt = RandomState::new().hash_one(LOG);
        let bytes = [frame::header(salt), frame::frame(salt, 0, &writes)].concat();
        let tail = Box::new(self.dir.stage(LOG, &bytes)?);
        let mut disk = host::Disk::default();
        writes.into_iter().for_each(|write| disk.write(write));
        let len = bytes.len() as u64;
        Ok(Log { tail, salt, next: 1, len, limit: limit(len), disk })
    }

    /// After an error: forgets the open file, and cuts it if that is still possible, so that
    /// nobody takes for durable what only the system's memory holds.
    fn fail(&mut self, doing: &str, error: &io::Error) -> Trouble {
        let path = self.dir.join(LOG);
        if let Some(log) = self.log.take() {
            self.good = Some(log.len);
            let _ = OpenOptions::new().write(true).open(&path).and_then(|it| it.set_len(log.len));
        }
        failed(doing, &path, error)
    }
}

/// Nothing can be promised on a log that is not open.
fn closed() -> Trouble {
    Trouble { what: "the log is not open".to_owned(), remedy: "start the node again".to_owned() }
}

/// How long a log may get that began with so many bytes.
fn limit(base: u64) -> u64 {
    base.saturating_mul(2).saturating_add(SLACK)
}

/// What to say of a log that cannot be read.
fn refused(path: &Path, damage: &Damage) -> Trouble {
    const LOST: &str = "restore it from a backup; or remove it, which wipes the node: do so only \
                        if no other node of its quorums has lost anything";
    const NEWER: &str = "use the version of netsplit that wrote it, or a later one";
    let (what, remedy) = match damage {
        Damage::NoLog => ("is not a log of netsplit".to_owned(), LOST),
        Damage::Broken(at) => {
            (format!("is damaged at byte {at}: what was durable there cannot be read"), LOST)
        }
        Damage::Newer(format) => (
            format!("has format {format}, and this version knows none after {}", frame::FORMAT),
            NEWER,
        ),
        Damage::Unknown(at) => {
            (format!("holds something at byte {at} that this version does not know"), NEWER)
        }
    };
    Trouble { what: format!("{} {what}", path.display()), remedy: remedy.to_owned() }
}

impl Store for Wal {
    fn latency(&self, _: &mut Rng) -> Span {
        Span::ZERO
    }

    fn load(&mut self) -> Result<Loaded, Trouble> {
        self.recover()?;
        let boot = self.boots()?.saturating_add(1);
        self.set_boots(boot)?;
        let records = self.log.as_ref().map_or_else(Vec::new, |log| log.disk.records().to_vec());
        Ok(Loaded { boot, records, torn: mem::take(&mut self.torn) })
    }

    fn commit(&mut self, group: Vec<Write>) -> Result<(), Trouble> {
        let Some(log) = &mut self.log else { return Err(closed()) };
        if let Err(error) = log.commit(&group, self.dir.sync) {
            return Err(self.fail("write", &error));
        }
        group.into_iter().for_each(|write| log.disk.write(write));
        Ok(())
    }

    /// Rewrites the log if it has grown enough. If there is no room for the new one, the old one
    /// goes on.
    fn tidy(&mut self) -> Result<(), Trouble> {
        let Some(mut old) = self.log.take_if(|log| log.len > log.limit) else { return Ok(()) };
        match self.stage(old.disk.records()) {
            Ok(new) => {
                // After an error here, whichever of the two has the name is durable as it is.
                self.dir.publish(LOG)?;
                self.log = Some(new);
            }
            Err(trouble) => {
                tracing::warn!(%trouble, "a log could not be rewritten");
                old.limit = limit(old.len);
                self.log = Some(old);
            }
        }
        Ok(())
    }

    fn crash(&mut self, kept: Vec<Write>, torn: Option<Write>) -> Result<(), Trouble> {
        let Some(mut log) = self.log.take() else { return Ok(()) };
        let (mut bytes, mut next) = (Vec::new(), log.next);
        if !kept.is_empty() {
            bytes = frame::frame(log.salt, next, &kept);
            next += 1;
        }
        if let Some(torn) = torn {
            let frame = frame::frame(log.salt, next, &[torn]);
            bytes.extend(&frame[..frame.len() / 2]);
        }
        log.tail.append(&bytes).map_err(|error| {
            self.good = Some(log.len);
            failed("write", &self.dir.join(LOG), &error)
        })
    }

    fn wipe(&mut self) -> Result<(), Trouble> {
        self.log = None;
        self.write_anew(&[])?;
        (self.good, self.torn) = (None, false);
        Ok(())
    }
}

impl fmt::Debug for Wal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wal").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
