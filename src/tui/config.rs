//! What a person has set up for good: the directory where files of their own are looked for.

use super::layout::Library;
use etcetera::AppStrategy as _;
use std::path::PathBuf;

/// The person's files, if they may be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    dir: Option<PathBuf>,
}

impl Config {
    /// `$XDG_CONFIG_HOME/netsplit`, or `~/.config/netsplit`; on every system, so that the same
    /// files serve on all of them.
    pub fn find() -> Config {
        let args = etcetera::AppStrategyArgs { app_name: "netsplit".into(), ..Default::default() };
        let strategy = etcetera::app_strategy::Xdg::new(args).ok();
        Config { dir: strategy.map(|strategy| strategy.config_dir()) }
    }

    /// Files at a place of one's own.
    pub fn at(dir: impl Into<PathBuf>) -> Config {
        Config { dir: Some(dir.into()) }
    }

    /// The directory; none if there is none, or if it is not to be looked at.
    pub fn dir(&self) -> Option<&PathBuf> {
        self.dir.as_ref()
    }

    /// Where layouts are: beside the clusters one works on, then among one's own.
    pub fn layouts(&self) -> Library {
        let own = self.dir.iter().map(|dir| dir.join("layouts"));
        Library::of([PathBuf::from("layouts")].into_iter().chain(own))
    }
}
