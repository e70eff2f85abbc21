//! Files on their way between a person's disk and the cluster.
//!
//! `c1 upload plans @notes.txt` puts the bytes of that file. They then stand in the command itself,
//! so a run that is saved or played again does not need the file any more.

use crate::base::{Content, MAX_FILE, Name};
use crate::error::Error;
use crate::script::Summary;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The bytes of a file of the person, for the cluster.
///
/// # Errors
/// It cannot be read, or it has more bytes than a file of the cluster may have.
pub(super) fn bring(path: &str) -> Result<Content, String> {
    let why = |error| format!("cannot read '{path}': {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(why)?;
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(why)?;
    match bytes.len() > MAX_FILE {
        true => Err(format!(
            "'{path}' is too large: a file of the cluster has {} KiB at the most",
            MAX_FILE >> 10
        )),
        false => Ok(Content::Given(bytes.into())),
    }
}

/// A line as it is carried out, from how a person types it: with the bytes of the file of theirs
/// that it names, if it names one.
///
/// # Errors
/// Why the file cannot be put.
pub(super) fn typed(line: &str) -> Result<String, String> {
    match Content::named(line) {
        Some((head, path)) => Ok(format!("{head} {:#}", bring(path)?)),
        None => Ok(line.to_owned()),
    }
}

/// Writes bytes to where a person wants them.
///
/// # Errors
/// They cannot be written.
pub(super) fn put(to: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(to, bytes).map_err(|error| format!("cannot write '{}': {error}", to.display()))
}

/// A file of the cluster, and where a person wants it: `plans=notes.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fetch {
    file: Name,
    to: PathBuf,
}

impl FromStr for Fetch {
    type Err = String;
    fn from_str(text: &str) -> Result<Fetch, String> {
        let (file, to) = text.split_once('=').ok_or("write FILE=PATH: plans=notes.txt")?;
        let file = file.parse::<Name>().map_err(|why| why.to_string())?;
        Ok(Fetch { file, to: to.into() })
    }
}

impl Fetch {
    /// Writes what a client was told last is in the file.
    ///
    /// # Errors
    /// Nobody has read the file, or it cannot be written.
    pub(super) fn write(&self, summary: &Summary) -> Result<(), Error> {
        let Fetch { file, to } = self;
        match summary.read.get(file) {
            Some(content) => put(to, content.bytes()).map_err(Error::new),
            None => Err(Error::new(format!("no client has read the file {file}"))
                .help(format!("have one do so: -c '9s c1 download {file}'"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn a_file_of_the_person_becomes_part_of_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my notes.txt");
        fs::write(&path, b"hello").unwrap();
        let line = typed(&format!("c1 upload plans @{}", path.display())).unwrap();
        assert_eq!(line, "c1 upload plans bytes aGVsbG8");
        assert_eq!(line.parse::<Command>().unwrap().to_string(), line);
        assert_eq!(typed("c1 put x=5").unwrap(), "c1 put x=5");
        assert!(typed("c1 upload plans @/nowhere/at/all").unwrap_err().contains("cannot read"));
        fs::write(&path, vec![0; MAX_FILE + 1]).unwrap();
        assert!(bring(&path.to_string_lossy()).unwrap_err().contains("768 KiB at the most"));
    }
}
