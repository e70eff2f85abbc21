//! The clusters that the binary brings along, and files from elsewhere.

use super::{Plan, file};
use crate::error::{Error, Source, nearest};
use std::io::Read as _;
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

macro_rules! samples {
    ($($name:literal)*) => {
        /// The built-in clusters: name and text, in the order of reading.
        pub const SAMPLES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../sample-clusters/", $name, ".toml")))),*];
    };
}

samples! { "default" "three-paxos" "bank" "locks" "ring-50" }

/// The text that `word` means, and what to call it: as for [`load`].
pub fn source(word: &str) -> Result<Source, Error> {
    let is_path = word.contains(['/', '\\', '.']);
    match SAMPLES.iter().find(|(name, _)| *name == word) {
        Some((name, text)) if !is_path => {
            Ok(Source::new(format!("sample-clusters/{name}.toml"), *text))
        }
        _ => read(word),
    }
}

/// The built-in cluster of that name.
pub fn builtin(name: &str) -> Result<Plan, Error> {
    match SAMPLES.iter().find(|(sample, _)| *sample == name) {
        Some((_, text)) => {
            file::parse(name, &Source::new(format!("sample-clusters/{name}.toml"), *text))
        }
        None => Err(missing(name, "no built-in cluster has that name")),
    }
}

/// The cluster that `word` means: the name of a built-in one, or else the path of a file. A word
/// with a slash or a dot is always a path.
pub fn load(word: &str) -> Result<Plan, Error> {
    let source = source(word)?;
    let name = Path::new(word).file_stem().map_or(word.into(), |stem| stem.to_string_lossy());
    let plain = name.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
    file::parse(&plain, &source)
}

/// Reads a file that must be text and not too large.
fn read(path: &str) -> Result<Source, Error> {
    let refuse = |why: &str| Error::new(format!("cannot read '{path}': {why}"));
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing(path, "there is no such file"));
        }
        Err(error) => return Err(refuse(&error.to_string())),
    };
    let mut bytes = Vec::new();
    if let Err(error) = file.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
        return Err(refuse(&error.to_string()));
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse("it is larger than 1 MiB")
            .help("cluster files have a few lines; is this the right file?"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path, text)),
        Err(error) => {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            Err(refuse(&format!("line {} is not UTF-8 text", line + 1)))
        }
    }
}

fn missing(word: &str, why: &str) -> Error {
    let names = SAMPLES.iter().map(|(name, _)| *name);
    let error = Error::new(format!("'{word}': {why}"));
    let stem = word.strip_suffix(".toml").unwrap_or(word);
    let stem = stem.rsplit('/').next().unwrap_or(stem);
    match nearest(stem, names.clone()) {
        Some(near) => error.help(format!("did you mean the built-in cluster '{near}'?")),
        None => {
            error.help(format!("built-in clusters are {}", names.collect::<Vec<_>>().join(", ")))
        }
    }
}
