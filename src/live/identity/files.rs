//! Files that are there as a whole or not at all, and secrets that only their owner can read.

use crate::error::Error;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Larger than anything that is kept here, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// What the names of files begin with that are not finished yet.
const TEMPORARY: &str = ".new-";

/// An error about a file or directory. `doing` is a verb.
pub(super) fn cannot(doing: &str, path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot {doing} '{}': {why}", path.display()))
}

/// Writes a file that only its owner can read, from its creation on. After a crash at any instant
/// there is the old file or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let dir = parent(path);
    let write = || {
        // Temporary files are created with mode 0600, whatever the umask.
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_dir(dir)
    };
    write().map_err(|error: io::Error| {
        cannot("write", path, error)
            .help("let this user write there, free space, or choose another directory")
    })
}

/// The directory that something lies in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes what happened to the entries of a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(dir)?.sync_all(),
        false => Ok(()),
    }
}

/// Creates a directory, and what it lies in, if it is not there.
pub(super) fn create_dir(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|error| cannot("create", dir, error))
}

/// Creates a directory that only its owner can look into, under a name that nobody uses.
pub(super) fn private_dir(parent: &Path) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

/// The text of a file; none if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    open(path, |_| Ok(()))
}

/// The text of a file with a secret; none if there is no such file. It is refused if others than
/// its owner can read it, because then it is no secret any more. `renew` is how to get a new one.
pub(super) fn read_secret(path: &Path, renew: &str) -> Result<Option<String>, Error> {
    open(path, |file| refuse_shared(path, file, renew))
}

fn open(
    path: &Path,
    check: impl FnOnce(&File) -> Result<(), Error>,
) -> Result<Option<String>, Error> {
    let cannot_read = |error: io::Error| cannot("read", path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(error)),
    };
    check(&file)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(cannot_read)?;
    match text.len() as u64 > MAX_BYTES {
        true => Err(cannot("read", path, "it is larger than 64 KiB")),
        false => Ok(Some(text)),
    }
}

#[cfg(unix)]
fn refuse_shared(path: &Path, file: &File, renew: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = file.metadata().map_err(|error| cannot("read", path, error))?;
    let mode = meta.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(Error::new(format!(
            "others can read the private key in '{}' (mode {mode:04o})",
            path.display()
        ))
        .help(format!("if nobody has, run: chmod 600 '{}'", path.display()))
        .help(format!("if somebody may have, {renew}"))),
    }
}

#[cfg(not(unix))]
fn refuse_shared(_: &Path, _: &File, _: &str) -> Result<(), Error> {
    Ok(())
}
