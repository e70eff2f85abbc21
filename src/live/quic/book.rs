//! Where the processes of a cluster listen, as far as one of them knows.

use crate::base::NodeId;
use crate::error::Error;
use crate::live::wire::BookEntry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The version of the file.
const FORMAT: u32 = 1;

/// No version is larger: microseconds since 1970, at the end of the year 9999.
const LATEST: u64 = 253_402_300_799_000_000;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Addresses, each with a version: of two for one process the one with the larger version holds,
/// and of two with the same version the one that was known first.
///
/// Only the process itself gives its address a new version, once at each start: the microseconds
/// since 1970, or one more than the version that it finds. So a process that has moved is found
/// again as soon as anybody has heard from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book(BTreeMap<NodeId, (SocketAddr, u64)>);

/// `members.toml`.
#[derive(Serialize, Deserialize)]
struct Saved {
    format: u32,
    members: BTreeMap<String, Member>,
}

/// A line of it.
#[derive(Serialize, Deserialize)]
struct Member {
    address: SocketAddr,
    version: u64,
}

impl Book {
    /// An empty one.
    pub fn new() -> Book {
        Book::default()
    }

    /// Where a process listens.
    pub fn get(&self, id: NodeId) -> Option<SocketAddr> {
        self.0.get(&id).map(|(addr, _)| *addr)
    }

    /// The version of its address; zero if there is none.
    pub fn version(&self, id: NodeId) -> u64 {
        self.0.get(&id).map_or(0, |(_, version)| *version)
    }

    /// Notes an address, unless a version is known that is as large. Says whether it is news.
    pub fn note(&mut self, id: NodeId, addr: SocketAddr, version: u64) -> bool {
        let news = version <= LATEST && self.0.get(&id).is_none_or(|(_, known)| version > *known);
        if news {
            self.0.insert(id, (addr, version));
        }
        news
    }

    /// Notes all that another one knows better.
    pub fn merge(&mut self, other: &Book) {
        for (id, (addr, version)) in &other.0 {
            self.note(*id, *addr, *version);
        }
    }

    /// Notes many.
    pub(super) fn note_all<'a>(&mut self, entries: impl IntoIterator<Item = &'a BookEntry>) {
        for entry in entries {
            self.note(entry.id, entry.addr, entry.version);
        }
    }

    /// Notes an address that was chosen for a process, as better than the one that is known.
    pub fn put(&mut self, id: NodeId, addr: SocketAddr) {
        if self.get(id) != Some(addr) {
            self.note(id, addr, self.version(id) + 1);
        }
    }

    /// Notes the address of a process that has just started, as that process.
    pub fn start(&mut self, id: NodeId, addr: SocketAddr, now: SystemTime) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_micros()).unwrap_or(LATEST);
        self.note(id, addr, now.max(self.version(id) + 1).min(LATEST));
    }

    /// All of it, in the order of processes.
    pub fn entries(&self) -> impl Iterator<Item = BookEntry> {
        self.0.iter().map(|(id, (addr, version))| {
            let (id, addr, version) = (*id, *addr, *version);
            BookEntry { id, addr, version }
        })
    }

    /// All addresses, in the order of processes.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.values().map(|(addr, _)| *addr).collect()
    }

    /// What is newer here than in another one.
    pub fn newer_than(&self, other: &Book) -> Vec<BookEntry> {
        self.entries().filter(|entry| entry.version > other.version(entry.id)).collect()
    }

    /// The one that was saved in a file; an empty one if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, or it is damaged.
    pub fn load(path: &Path) -> Result<Book, Error> {
        let cannot = |why: &dyn std::fmt::Display| {
            let what = format!("cannot read '{}': {why}", path.display());
            Error::new(what).help("remove it, and the node finds the others through --join")
        };
        match fs::metadata(path) {
            Ok(meta) if meta.len() > MAX_BYTES => return Err(cannot(&"it is too large")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::new()),
            _ => {}
        }
        let text = fs::read_to_string(path).map_err(|error| cannot(&error))?;
        let saved: Saved = toml::from_str(&text).map_err(|error| cannot(&error.message()))?;
        if saved.format != FORMAT {
            return Err(cannot(&format!("its format is {}, not {FORMAT}", saved.format)));
        }
        let mut book = Book::new();
        for (id, Member { address, version }) in saved.members {
            let id = id.parse().map_err(|error| cannot(&error))?;
            book.note(id, address, version);
        }
        Ok(book)
    }

    /// Saves it in place of any that is there. After a crash at any instant there is the old one
    /// or the new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let member = |entry: BookEntry| {
            let BookEntry { id, addr, version } = entry;
            (id.to_string(), Member { address: addr, version })
        };
        let saved = Saved { format: FORMAT, members: self.entries().map(member).collect() };
        let write = || -> io::Result<()> {
            let text = toml::to_string(&saved).map_err(io::Error::other)?;
            let dir = path.parent().filter(|dir| *dir != Path::new(""));
            let mut file = tempfile::NamedTempFile::new_in(dir.unwrap_or(Path::new(".")))?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_data()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|error| Error::new(format!("cannot write '{}': {error}", path.display())))
    }
}

/// Saves a book now, and whenever it changes. If that fails, says so once, and goes on trying.
pub async fn keep(path: PathBuf, mut book: watch::Receiver<Book>) {
    let mut failing = false;
    loop {
        let now = book.borrow_and_update().clone();
        let path = path.clone();
        let saved = tokio::task::spawn_blocking(move || now.save(&path)).await;
        match saved {
            Ok(Err(error)) if !failing => {
                tracing::warn!("{}", error.what());
                failing = true;
            }
            Ok(Ok(())) => failing = false,
            _ => {}
        }
        if book.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const N1: NodeId = NodeId::node(1);

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn the_larger_version_holds() {
        let mut book = Book::new();
        assert!(book.note(N1, addr(1), 5));
        assert!(!book.note(N1, addr(2), 4), "older");
        assert!(!book.note(N1, addr(2), 5), "as old");
        assert_eq!(book.get(N1), Some(addr(1)));
        assert!(book.note(N1, addr(2), 6));
        assert!(!book.note(N1, addr(3), u64::MAX), "no clock says that");
        assert_eq!((book.get(N1), book.version(N1)), (Some(addr(2)), 6));
    }

    #[test]
    fn a_start_beats_every_earlier_one_even_if_the_clock_was_set_back() {
        let mut book = Book::new();
        book.start(N1, addr(1), UNIX_EPOCH + Duration::from_secs(100));
        assert_eq!(book.version(N1), 100_000_000);
        book.start(N1, addr(2), UNIX_EPOCH + Duration::from_secs(50));
        assert_eq!((book.get(N1), book.version(N1)), (Some(addr(2)), 100_000_001));
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("members.toml");
        assert_eq!(Book::load(&path), Ok(Book::new()));
        let mut book = Book::new();
        book.note(N1, addr(1), 7);
        book.note(NodeId::client(3), "[::1]:9".parse().unwrap(), LATEST);
        book.save(&path).unwrap();
        assert_eq!(Book::load(&path), Ok(book));
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1, "no temporary file stays");
    }

    #[test]
    fn a_damaged_file_is_refused_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("members.toml");
        for text in [
            "nonsense",
            "format = 2\n[members]\n",
            "format = 1\n[members]\nx1 = { address = \"127.0.0.1:1\", version = 1 }\n",
            "format = 1\n[members]\nn1 = { address = \"here\", version = 1 }\n",
        ] {
            fs::write(&path, text).unwrap();
            let error = Book::load(&path).unwrap_err();
            assert!(error.to_string().contains("--join"), "{error}");
        }
    }
}
