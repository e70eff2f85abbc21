//! How a lock is shared by those who hold it.

use super::{ParseError, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Beside whom a lock is wanted, or held.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum LockMode {
    /// Beside nobody: an ordinary lock, or to write.
    #[default]
    Alone,
    /// Beside others who read.
    Read,
    /// As one of so many permits of a semaphore.
    OneOf(u8),
}

impl LockMode {
    /// Whether it can be held beside all of these.
    pub fn fits(self, held: impl IntoIterator<Item = LockMode>) -> bool {
        let mut held = held.into_iter();
        match self {
            LockMode::Alone => held.next().is_none(),
            LockMode::Read => held.all(|mode| mode == LockMode::Read),
            LockMode::OneOf(limit) => {
                let (mut others, mut least) = (0, limit);
                let all = held.all(|mode| match mode {
                    LockMode::OneOf(limit) => {
                        (others, least) = (others + 1, least.min(limit));
                        true
                    }
                    _ => false,
                });
                all && others < usize::from(least)
            }
        }
    }

    /// Whether it is a permit of a semaphore.
    pub fn is_permit(self) -> bool {
        matches!(self, LockMode::OneOf(_))
    }

    /// The word in the text of facts, behind what it belongs to: `, read`; `, one of 3`.
    pub(crate) fn aside(self) -> String {
        match self {
            LockMode::Alone => String::new(),
            LockMode::Read => ", read".to_owned(),
            LockMode::OneOf(limit) => format!(", one of {limit}"),
        }
    }

    /// Reads what stands behind `acquire LOCK TTL`: nothing, `read` or `of N`.
    pub(super) fn read(words: &[&str]) -> Result<LockMode, ParseError> {
        match words {
            [] => Ok(LockMode::Alone),
            ["read"] => Ok(LockMode::Read),
            ["of", limit] => match limit.parse() {
                Ok(limit @ 1..) => Ok(LockMode::OneOf(limit)),
                _ => parse_error(format!("'{limit}' is not a number of permits from 1 to 255")),
            },
            _ => parse_error(format!(
                "'{}' does not say how the lock is shared; write read, or of and the number of \
                 permits, or nothing",
                words.join(" ")
            )),
        }
    }
}

/// As behind `acquire`: nothing, ` read`, ` of 3`.
impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockMode::Alone => Ok(()),
            LockMode::Read => f.write_str(" read"),
            LockMode::OneOf(limit) => write!(f, " of {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode::{self, Alone, OneOf, Read};

    #[test]
    fn who_can_hold_a_lock_beside_whom() {
        let fits = |mode: LockMode, held: &[LockMode]| mode.fits(held.iter().copied());
        assert!([Alone, Read, OneOf(1)].into_iter().all(|mode| fits(mode, &[])));
        assert!(fits(Read, &[Read, Read]) && !fits(Read, &[Alone]) && !fits(Alone, &[Read]));
        assert!(fits(OneOf(3), &[OneOf(3), OneOf(3)]) && !fits(OneOf(2), &[OneOf(2); 2]));
        assert!(!fits(OneOf(3), &[OneOf(1)]), "the smaller number counts");
        assert!(!fits(Read, &[OneOf(3)]) && !fits(OneOf(3), &[Read]));
    }
}
