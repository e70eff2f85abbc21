//! Pictures of the screen at moments of a run that is over.

use super::screen::still_look;
use crate::base::Time;
use crate::cluster::Update;
use crate::error::Error;
use crate::event::Event;
use crate::script::writeup::{Moment, Picture, moments};
use crate::script::{Failure, Stop};
use crate::tui::app::{App, Speed, Title};
use crate::tui::config::Setup;
use crate::tui::{Look, print};
use std::path::{Path, PathBuf};

/// The columns and rows of a picture.
const SIZE: (u16, u16) = (120, 36);

/// Draws the screen, as `netsplit frame` does, into files of a directory.
#[derive(Debug)]
pub(super) struct Camera {
    dir: PathBuf,
    setup: Setup,
    look: Look,
}

impl Camera {
    /// Makes the directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new(dir: &Path, setup: Setup) -> Result<Camera, Stop> {
        std::fs::create_dir_all(dir).map_err(|error| {
            let error = Error::new(format!("cannot make '{}': {error}", dir.display()));
            Stop::Refused(error.help("choose another directory for --frames"))
        })?;
        Ok(Camera { dir: dir.to_owned(), look: still_look(&setup), setup })
    }

    /// Draws the moments of a run that matter. Their files begin with `name`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn moments(
        &self,
        name: &str,
        title: &Title,
        events: &[Event],
        failures: &[Failure],
    ) -> Result<Vec<Picture>, Stop> {
        let draw = |moment: Moment| {
            let file = self.dir.join(format!("{}-{}.svg", plain(name), moment.name));
            let picture = self.picture(title, &events[..moment.event + 1]);
            std::fs::write(&file, picture).map_err(|error| {
                Stop::Failed(Error::new(format!("cannot write '{}': {error}", file.display())))
            })?;
            Ok(Picture { caption: moment.caption, file: file.display().to_string() })
        };
        moments(events, failures).into_iter().map(draw).collect()
    }

    /// The screen after these events.
    fn picture(&self, title: &Title, events: &[Event]) -> String {
        let now = events.last().map_or(Time::ZERO, |event| event.at);
        let app = App::new(title.clone(), self.look.clone(), Speed::Percent(100), false);
        let mut app = app.set_up(self.setup.clone());
        app.fit(SIZE.0, SIZE.1);
        app.update(Update::Events(events.to_vec()));
        app.update(Update::Reached { now, busy: false });
        let buf = app.picture(SIZE.0, SIZE.1);
        print::svg(&buf, &self.look, &format!("netsplit: {} at {now}s", title.name))
    }
}

/// A word that can be a part of a file's name, and of a link to it.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    name.chars().map(plain).collect()
}
