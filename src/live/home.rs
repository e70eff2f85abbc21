//! Where clusters and consoles keep what outlives a process, on this machine.
//!
//! ```text
//! $XDG_STATE_HOME/netsplit/            ~/.local/state/netsplit, if the variable is not set
//!   clusters/NAME/                     one for each cluster that `up` has started
//!     NAME.toml                        what it runs
//!     authority/                       its certificate authority, and open invitations
//!     n1/ n2/ … c1/ …                  one data directory for each process
//!   consoles/CLUSTER-ID/ROLE/          what this person needs to look at a cluster again
//! ```
//!
//! A data directory holds the process's identity, the addresses that it knows (`members.toml`), its
//! disk, and its log if `up` started it.

use super::identity::{ClusterId, Role};
use crate::error::Error;
use etcetera::AppStrategy as _;
use std::path::{Path, PathBuf};

/// The directory of a cluster's authority, in that of the cluster or of the node that founded it.
pub const AUTHORITY: &str = "authority";
/// The file that holds the addresses of a cluster's processes.
pub const MEMBERS: &str = "members.toml";
/// The directory of a node's disk.
pub const DISK: &str = "disk";
/// The file that a process started by `up` logs to.
pub const LOG: &str = "log";

/// The root of all that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// The home of the person who runs the program.
    ///
    /// # Errors
    /// The system does not say where the person's files are.
    pub fn find() -> Result<Home, Error> {
        let args = etcetera::AppStrategyArgs { app_name: "netsplit".into(), ..Default::default() };
        let strategy = etcetera::app_strategy::Xdg::new(args).map_err(|_| {
            Error::new("there is no home directory to keep state in")
                .help("set HOME, or XDG_STATE_HOME to a directory of your own")
        })?;
        // This strategy always has one.
        Ok(Home(strategy.state_dir().unwrap_or_else(|| strategy.data_dir())))
    }

    /// A home at a place of one's own.
    pub fn at(root: impl Into<PathBuf>) -> Home {
        Home(root.into())
    }

    /// Whether this is the first time that somebody asks for this. It cannot be if nothing can be
    /// written down.
    pub fn once(&self, what: &str) -> bool {
        let made = std::fs::create_dir_all(&self.0);
        made.is_ok() && std::fs::File::create_new(self.0.join(what)).is_ok()
    }

    /// The directory of the cluster that `up` started under this name.
    pub fn cluster(&self, name: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
        self.0.join("clusters").join(name.chars().map(plain).collect::<String>())
    }

    /// The names of all clusters that `up` has started and that were not removed, in order.
    pub fn clusters(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join("clusters")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| text_of(&entry.path()).exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Where this person's certificate for a role in a cluster is kept.
    pub fn console(&self, cluster: ClusterId, role: Role) -> PathBuf {
        self.0.join("consoles").join(cluster.to_string()).join(role.to_string())
    }

    /// All those, in order.
    pub fn consoles(&self) -> Vec<PathBuf> {
        let inside = |dir: PathBuf| {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|entry| entry.path())
        };
        let mut places: Vec<PathBuf> = inside(self.0.join("consoles")).flat_map(inside).collect();
        places.sort();
        places
    }
}

/// The file that holds the text of the cluster in this directory. It goes by the cluster's name, as
/// that is what the processes that read it call the cluster.
pub fn text_of(cluster: &Path) -> PathBuf {
    let name = cluster.file_name().unwrap_or_default();
    cluster.join(name).with_extension("toml")
}

/// Makes a directory and those above it. Only its owner may look into it.
///
/// # Errors
/// Says which directory cannot be made, and why.
pub fn make(dir: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        Error::new(format!("cannot make the directory {}: {error}", dir.display()))
            .help("choose another one with --data, or mend its permissions")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_s_directory_stays_in_its_place_whatever_its_name() {
        let home = Home::at("/state");
        assert_eq!(home.cluster("my-bank"), Path::new("/state/clusters/my-bank"));
        assert_eq!(home.cluster("../../etc"), Path::new("/state/clusters/------etc"));
    }
}
