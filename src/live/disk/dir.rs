//! A directory that belongs to one process, and whose files are replaced in one step.

use super::{Sync, Trouble};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// The directory. Unlocked when it is dropped.
#[derive(Debug)]
pub(super) struct Dir {
    path: PathBuf,
    /// Whether to wait for the disk.
    pub(super) sync: Sync,
    _lock: File,
}

impl Dir {
    /// Makes the directory if it is missing, and locks it.
    pub(super) fn open(path: &Path, sync: Sync) -> Result<Dir, Trouble> {
        fs::create_dir_all(path).map_err(|error| failed("create the directory", path, &error))?;
        let lock = path.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let file = file.map_err(|error| failed("open", &lock, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Dir { path: path.to_owned(), sync, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(Trouble {
                what: format!("{} is in use by another process", path.display()),
                remedy: "stop that process, or choose another directory".to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed("lock", &lock, &error)),
        }
    }

    /// Where a file is.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn staged(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.new"))
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, name: &str) -> Result<bool, Trouble> {
        let path = self.join(name);
        path.try_exists().map_err(|error| failed("look for", &path, &error))
    }

    /// Writes what a file will hold, durably, beside it. Leaves nothing behind if it fails.
    pub(super) fn stage(&self, name: &str, bytes: &[u8]) -> Result<File, Trouble> {
        let path = self.staged(name);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            self.sync_all(&file)?;
            Ok(file)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&path);
            failed("write", &path, &error)
        })
    }

    /// Gives what was staged its name, durably.
    pub(super) fn publish(&self, name: &str) -> Result<(), Trouble> {
        let path = self.join(name);
        let rename = fs::rename(self.staged(name), &path);
        rename.map_err(|error| failed("replace", &path, &error))?;
        self.sync_names()
    }

    /// Removes what was staged, if anything was.
    pub(super) fn unstage(&self, name: &str) -> Result<(), Trouble> {
        let path = self.staged(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(failed("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the names of the files durable.
    pub(super) fn sync_names(&self) -> Result<(), Trouble> {
        self.sync_directory(&self.path).map_err(|error| failed("sync", &self.path, &error))
    }

    /// Makes the name of the directory durable, if the one above it can be opened.
    pub(super) fn sync_own_name(&self) {
        let above = self.path.parent().filter(|above| !above.as_os_str().is_empty());
        let _ = self.sync_directory(above.unwrap_or(Path::new(".")));
    }

    /// Makes a file durable.
    pub(super) fn sync_all(&self, file: &File) -> io::Result<()> {
        match self.sync {
            Sync::Full => file.sync_all(),
            Sync::Never => Ok(()),
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        // Elsewhere a directory is no file, and its names are as durable as its files.
        if cfg!(unix) { self.sync_all(&File::open(path)?) } else { Ok(()) }
    }
}

/// What to say when the system refuses something.
pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Trouble {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free some space, then start again"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let this user write there, or choose another directory"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "choose another directory",
        ErrorKind::NotFound => "give the node its files back, then start again",
        _ => "check the disk (the system's log may say more), then start again",
    };
    Trouble {
        what: format!("cannot {doing} {}: {error}", path.display()),
        remedy: remedy.to_owned(),
    }
}
