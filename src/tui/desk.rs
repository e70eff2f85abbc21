//! The desk: where runs are filed. The loop hands it what comes in and what the person wants saved
//! or opened; the app itself touches no file.

use super::app::{App, Title};
use crate::base::{Blob, Content};
use crate::cluster::{Cluster, Update};
use crate::saved::Story;

/// Another run, to be shown in the place of this one.
#[derive(Debug)]
pub struct Opened {
    /// What the app is told about it.
    pub title: Title,
    /// What stands behind the seam.
    pub cluster: Cluster,
    /// What to make of it when it has been gone through.
    pub story: Story,
}

/// Whoever knows about files.
pub trait Desk {
    /// Takes note of what comes from the cluster. Some, if there is something to tell the person:
    /// that no more can be recorded, and why.
    fn see(&mut self, update: &Update) -> Option<String>;

    /// Saves the run that the app shows. Says where, or why not.
    ///
    /// # Errors
    /// Why it cannot be saved.
    fn save(&mut self, app: &App, path: &str) -> Result<String, String>;

    /// Puts the run away, and opens another one.
    ///
    /// # Errors
    /// Why it cannot be opened. Then everything is as before.
    fn open(&mut self, app: &App, path: &str) -> Result<Opened, String>;

    /// The content of a file of the person, to be put into the cluster.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn bring(&mut self, path: &str) -> Result<Content, String>;

    /// Writes what is in a file of the cluster to one of the person.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn take(&mut self, content: &Blob, path: &str) -> Result<(), String>;
}
