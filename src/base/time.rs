//! Time as whole microseconds: a point ([`Time`]) and a length ([`Span`]).
//!
//! The world's time starts at zero. A node never sees it: it sees its own clock, which the world
//! derives from it with an offset and a drift (see `sim`). Both types are 64 bits wide, so they
//! last for half a million years; arithmetic saturates instead of wrapping.

use super::{ParseError, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

/// A point in time, in microseconds since the start of the run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

/// A length of time, in microseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span(pub u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);
    /// A point that is never reached.
    pub const NEVER: Time = Time(u64::MAX);

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// `n` microseconds.
    pub const fn micros(n: u64) -> Span {
        Span(n)
    }

    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Span {
        Span(n * 1_000)
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Span {
        Span(n * 1_000_000)
    }

    /// This many times as long.
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

/// Seconds with microseconds where they matter: `12.480`, `0.000512`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        match micros % 1_000 {
            0 => write!(f, "{secs}.{:03}", micros / 1_000),
            _ => write!(f, "{secs}.{micros:06}"),
        }
    }
}

/// Reads `12.480`, `12.480s`, `250ms`, `7us`.
impl FromStr for Time {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Time, ParseError> {
        let text = if text.ends_with(|c: char| c.is_ascii_digit()) {
            format!("{text}s")
        } else {
            text.to_owned()
        };
        Ok(Time(text.parse::<Span>()?.0))
    }
}

/// In the largest unit that needs no fraction, `2s`, `1500ms`, `17us`; what is no whole number of
/// milliseconds has one: `271.014ms`, `1.108633s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0ms"),
            n if n % 1_000_000 == 0 => write!(f, "{}s", n / 1_000_000),
            n if n % 1_000 == 0 => write!(f, "{}ms", n / 1_000),
            n @ ..1_000 => write!(f, "{n}us"),
            n @ ..1_000_000 => {
                let fraction = format!("{:03}", n % 1_000);
                write!(f, "{}.{}ms", n / 1_000, fraction.trim_end_matches('0'))
            }
            n => {
                let fraction = format!("{:06}", n % 1_000_000);
                write!(f, "{}.{}s", n / 1_000_000, fraction.trim_end_matches('0'))
            }
        }
    }
}

/// Reads `2s`, `1.5s`, `150ms`, `1500us`, `2m`. A unit is required.
impl FromStr for Span {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Span, ParseError> {
        let bad =
            || ParseError(format!("'{text}' is not a length of time; write 150ms, 2s or 1.5s"));
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let (number, unit) = text.split_at(digits);
        let scale: u64 = match unit {
            "us" | "µs" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            _ => return Err(bad()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut micros =
            whole.parse::<u64>().map_err(|_| bad())?.checked_mul(scale).ok_or_else(bad)?;
        let mut step = scale;
        for digit in fraction.bytes() {
            step /= 10;
            micros =
                micros.checked_add(u64::from(digit.wrapping_sub(b'0')) * step).ok_or_else(bad)?;
            if !digit.is_ascii_digit() {
                return Err(bad());
            }
        }
        if number.ends_with('.') || micros > u64::MAX / 4 {
            return parse_error(bad().0);
        }
        Ok(Span(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_what_they_print() {
        for micros in [0, 1, 999, 1_000, 1_500, 150_000, 1_000_000, 90_000_000, 1_234_567] {
            let span = Span(micros);
            assert_eq!(span.to_string().parse(), Ok(span));
            let time = Time(micros);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        let printed = [999, 271_014, 1_500, 1_108_630].map(|micros| Span(micros).to_string());
        assert_eq!(printed, ["999us", "271.014ms", "1.5ms", "1.10863s"]);
    }

    #[test]
    fn spans_refuse_nonsense_without_panicking() {
        for text in ["", "s", "1", "1.s", "-1s", "1h", "99999999999999999999s", "1.2.3s", "1..s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!("1.5s".parse(), Ok(Span::millis(1500)));
        assert_eq!("2m".parse(), Ok(Span::secs(120)));
    }
}
