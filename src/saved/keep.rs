//! The latest runs of a person, kept without being asked.
//!
//! `$XDG_STATE_HOME/netsplit/runs/NAME-DATE-TIME.nsr`; when there are more than [`KEPT`], the
//! oldest go.

use crate::error::Error;
use etcetera::AppStrategy as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many runs are kept.
pub const KEPT: usize = 20;
/// What the names of saved runs end with.
pub const EXTENSION: &str = "nsr";

/// Where the runs are kept.
///
/// # Errors
/// The system does not say where the person's files are.
pub fn directory() -> Result<PathBuf, Error> {
    let args = etcetera::AppStrategyArgs { app_name: "netsplit".into(), ..Default::default() };
    let strategy = etcetera::app_strategy::Xdg::new(args).map_err(|_| {
        Error::new("there is no home directory to keep the run in")
            .help("set HOME, or XDG_STATE_HOME to a directory of your own")
    })?;
    Ok(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("runs"))
}

/// Makes the directory, lets old runs go, and says what to call a new one.
///
/// # Errors
/// Why the directory cannot be made.
pub fn place(directory: &Path, name: &str, now: SystemTime) -> Result<PathBuf, Error> {
    fs::create_dir_all(directory).map_err(|error| {
        Error::new(format!("cannot make the directory '{}': {error}", directory.display()))
    })?;
    let mut runs = runs(directory);
    while runs.len() >= KEPT {
        // One that cannot be removed stays; so be it.
        let _ = fs::remove_file(runs.remove(0));
    }
    let stem = format!("{}-{}", plain(name), stamp(now));
    let numbered = (1..).map(|number| match number {
        1 => format!("{stem}.{EXTENSION}"),
        _ => format!("{stem}-{number}.{EXTENSION}"),
    });
    let mut free = numbered.map(|name| directory.join(name)).filter(|path| !path.exists());
    Ok(free.next().unwrap_or_else(|| directory.join(stem)))
}

/// The runs of a directory, the oldest first.
fn runs(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut runs: Vec<(SystemTime, PathBuf)> = entries
        .filter(|entry| entry.path().extension().is_some_and(|it| it == EXTENSION))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    runs.sort();
    runs.into_iter().map(|(_, path)| path).collect()
}

/// A word for a file's name.
pub fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    name.chars().map(plain).take(40).collect()
}

/// `20261128-031500`, in UTC.
pub fn stamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// The date, so many days after the start of 1970.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let every = |year: u64, years| year.is_multiple_of(years);
    let leap = |year| every(year, 4) && (!every(year, 100) || every(year, 400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stamp_is_date_and_time() {
        let at = |seconds| stamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101-000000");
        assert_eq!(at(951_782_400), "20000229-000000");
        assert_eq!(at(1_767_225_599), "20251231-235959");
    }

    #[test]
    fn the_latest_runs_are_kept_and_none_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut places = Vec::new();
        for _ in 0..KEPT + 3 {
            let path = place(dir.path(), "my/cluster", UNIX_EPOCH).unwrap();
            assert!(!path.exists());
            fs::write(&path, "x").unwrap();
            places.push(path);
        }
        assert_eq!(runs(dir.path()).len(), KEPT);
        assert!(places[0].ends_with("my-cluster-19700101-000000.nsr"));
        assert!(places.last().unwrap().exists());
    }
}
