//! What has been logged already: a peer that does the same wrong thing over and over fills no log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a complaint is not repeated.
const QUIET: Duration = Duration::from_secs(60);
/// How many are remembered.
const MOST: usize = 256;

/// What was complained about, and when.
#[derive(Debug, Default)]
pub(super) struct Complaints(BTreeMap<(IpAddr, String), Instant>);

impl Complaints {
    /// Whether this must be said. If so, it counts as said.
    pub(super) fn is_new(&mut self, about: IpAddr, what: &str) -> bool {
        let now = Instant::now();
        if self.0.len() >= MOST {
            self.0.retain(|_, said| now.duration_since(*said) < QUIET);
        }
        if self.0.len() >= MOST || self.0.contains_key(&(about, what.to_owned())) {
            let known = self.0.get_mut(&(about, what.to_owned()));
            return known.is_some_and(|said| {
                let again = now.duration_since(*said) >= QUIET;
                if again {
                    *said = now;
                }
                again
            });
        }
        self.0.insert((about, what.to_owned()), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice_and_nobody_fills_the_memory() {
        let mut complaints = Complaints::default();
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert!(complaints.is_new(ip, "noise"));
        assert!(!complaints.is_new(ip, "noise"));
        assert!(complaints.is_new(IpAddr::from([127, 0, 0, 2]), "noise"));
        for i in 0..2 * MOST {
            complaints.is_new(ip, &format!("noise {i}"));
        }
        assert_eq!(complaints.0.len(), MOST);
    }
}
