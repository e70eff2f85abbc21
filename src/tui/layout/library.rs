//! Where layouts are found: files, a search path for names, and those that are built in.

use super::Layout;
use crate::error::{Error, Source, nearest};
use std::path::{Path, PathBuf};

macro_rules! layouts {
    ($($name:literal)*) => {
        /// The built-in layouts: name and text, in the order of the list.
        const BUILTIN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../layouts/", $name, ".toml")))),*];
    };
}

layouts! {
    "overview" "paxos" "ring" "locks" "transactions" "sagas" "isolation" "replicas" "partition-lab" "lecture" "requests"
    "caches" "files"
}

/// The built-in layout of that name.
pub(super) fn builtin(name: &str) -> Option<Layout> {
    Layout::parse(name, &builtin_source(name, Library::builtin(name)?)).ok()
}

fn builtin_source(name: &str, text: &str) -> Source {
    Source::new(format!("layouts/{name}.toml"), text)
}

/// The directories in which a layout is looked for by its name, the first one first. What is in
/// none of them may be built in.
#[derive(Clone, Debug, Default)]
pub struct Library {
    dirs: Vec<PathBuf>,
}

/// A layout that there is.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Where it was found; none if it is built in.
    pub file: Option<PathBuf>,
    /// The layout, or what is wrong with the file.
    pub layout: Result<Layout, Error>,
}

impl Library {
    /// Looks in these directories, then at what is built in.
    pub fn of(dirs: impl IntoIterator<Item = PathBuf>) -> Library {
        Library { dirs: dirs.into_iter().collect() }
    }

    /// Where it looks.
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// The text of a built-in layout.
    pub fn builtin(name: &str) -> Option<&'static str> {
        BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Everything that can be had by name. A file hides a built-in layout of the same name.
    pub fn list(&self) -> Vec<Found> {
        let mut all: Vec<Found> = Vec::new();
        for dir in &self.dirs {
            for file in files(dir) {
                let name = stem(&file);
                if !all.iter().any(|found| found.name == name) {
                    let layout = read(&file);
                    all.push(Found { name, file: Some(file), layout });
                }
            }
        }
        for (name, text) in BUILTIN {
            if !all.iter().any(|found| found.name == *name) {
                let layout = Layout::parse(name, &builtin_source(name, text));
                all.push(Found { name: (*name).to_owned(), file: None, layout });
            }
        }
        all
    }

    /// Keeps a layout under a name, in the last of the directories, which is a person's own.
    ///
    /// # Errors
    /// The name is none, there is such a file already (other than `mine`, which may be replaced),
    /// or it cannot be written.
    pub fn save(&self, name: &str, text: &str, mine: Option<&Path>) -> Result<PathBuf, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            let what = format!("'{name}' is no name: up to 40 letters, digits, '-' and '_'");
            return Err(Error::new(what));
        }
        let Some(dir) = self.dirs.last() else {
            return Err(Error::new("there is no directory to keep layouts in"));
        };
        let file = dir.join(name).with_extension("toml");
        if file.exists() && mine != Some(file.as_path()) {
            let error = Error::new(format!("{} is there already", file.display()));
            return Err(error.help("choose another name"));
        }
        let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&file, text));
        match written {
            Ok(()) => Ok(file),
            Err(error) => Err(Error::new(format!("cannot write {}: {error}", file.display()))),
        }
    }

    /// The layout that `word` means: the name of one, or else the path of a file. A word with a
    /// slash or a dot is always a path.
    ///
    /// # Errors
    /// There is none, or something is wrong with it.
    pub fn load(&self, word: &str) -> Result<Layout, Error> {
        if word.contains(['/', '\\', '.']) {
            return read(Path::new(word));
        }
        let file = self.dirs.iter().map(|dir| dir.join(word).with_extension("toml"));
        if let Some(file) = file.into_iter().find(|file| file.is_file()) {
            return read(&file);
        }
        if let Some(text) = Library::builtin(word) {
            return Layout::parse(word, &builtin_source(word, text));
        }
        let all = self.list();
        let names = all.iter().map(|found| found.name.as_str());
        let error = Error::new(format!("there is no layout '{word}'"));
        Err(match nearest(word, names.clone()) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error.help(format!("layouts are {}", names.collect::<Vec<_>>().join(", "))),
        })
    }
}

/// Reads a layout from a file.
fn read(file: &Path) -> Result<Layout, Error> {
    let source = Source::read(&file.to_string_lossy())?;
    let layout = Layout::parse(&stem(file), &source)?;
    Ok(Layout { file: Some(file.to_owned()), ..layout })
}

/// What a layout in this file is called.
fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The files of a directory that may be layouts, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    files.sort();
    files
}
