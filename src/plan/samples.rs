//! The clusters that the binary brings along, and files from elsewhere.

use super::{Plan, file};
use crate::error::{Error, Source, nearest};
use std::path::Path;

macro_rules! samples {
    ($($name:literal)*) => {
        /// The built-in clusters: name and text, in the order of reading.
        pub const SAMPLES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../sample-clusters/", $name, ".toml")))),*];
    };
}

samples! {
    "default" "three-paxos" "bank" "locks" "raft" "ring-50" "zab" "zookeeper" "sharing" "etcd" "consul" "redlock" "balance"
    "swim" "quorum" "cache" "saga" "transactions" "files"
}

/// The text that `word` means, and what to call it: as for [`load`].
pub fn source(word: &str) -> Result<Source, Error> {
    let is_path = word.contains(['/', '\\', '.']);
    match SAMPLES.iter().find(|(name, _)| *name == word) {
        Some((name, text)) if !is_path => {
            Ok(Source::new(format!("sample-clusters/{name}.toml"), *text))
        }
        _ if !Path::new(word).exists() => Err(missing(word, "there is no such file")),
        _ => Source::read(word),
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
    file::parse(&name_of(word), &source(word)?)
}

/// What the cluster is called that `word` means.
pub fn name_of(word: &str) -> String {
    let name = Path::new(word).file_stem().map_or(word.into(), |stem| stem.to_string_lossy());
    name.chars().filter(|c| !c.is_control()).take(40).collect()
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
