//! A number that stands for all that was stated in a run.
//!
//! Messages and timers are left out: how much of them becomes events is a matter of who looks, and
//! the digest is the same for everybody. It changes with every fact, command, start and crash, and
//! with the time of each.

use crate::event::{Event, Watch};
use twox_hash::XxHash3_64;

/// The digest of the events so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Takes the next event in.
    pub fn see(&mut self, event: &Event) {
        if Watch::Facts.wants(&event.kind) {
            let bytes = postcard::to_stdvec(event).expect("events are plain data");
            self.0 = XxHash3_64::oneshot_with_seed(self.0, &bytes);
        }
    }

    /// As a number.
    pub fn value(self) -> u64 {
        self.0
    }
}
