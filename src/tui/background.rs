//! Asking the terminal whether its background is dark.
//!
//! The question (OSC 11) is followed by one that every terminal answers (DA1), so that a terminal
//! that does not know the first costs no waiting, and both answers are taken out of the input
//! before anybody reads keys. It is asked once, before the screen is taken over, and only where
//! [`Env::may_ask`](super::theme::Env::may_ask) says that the answer comes back.

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

/// What is asked: the background, then what the terminal can.
const QUESTION: &[u8] = b"\x1b]11;?\x1b\\\x1b[c";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whether the background is dark; none if the terminal does not say.
pub fn ask() -> Option<bool> {
    let device = |path| std::fs::metadata(path).map(|meta| meta.rdev()).ok();
    // Standard input and output must be one terminal, or the answer goes astray.
    if device("/dev/stdin")? != device("/dev/stdout")? {
        return None;
    }
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    enable_raw_mode().ok()?;
    let answer = converse(&mut terminal);
    // Had it failed, the screen would say so when it is taken over.
    let _ = disable_raw_mode();
    is_dark(&answer?)
}

/// Asks, and reads until the second answer is there or patience is over.
fn converse(terminal: &mut File) -> Option<Vec<u8>> {
    terminal.write_all(QUESTION).ok()?;
    let (start, mut answer) = (Instant::now(), Vec::new());
    while !is_complete(&answer) {
        let left = PATIENCE.checked_sub(start.elapsed())?;
        let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::new(terminal, PollFlags::IN)];
        if poll(&mut fds, Some(&left)).ok()? == 0 {
            return Some(answer);
        }
        let mut bytes = [0; 64];
        let count = terminal.read(&mut bytes).ok()?;
        answer.extend_from_slice(&bytes[..count]);
    }
    Some(answer)
}

/// Whether the answer to the second question, `ESC [ ? … c`, is all there.
fn is_complete(answer: &[u8]) -> bool {
    let start = answer.windows(3).position(|bytes| bytes == b"\x1b[?");
    start.is_some_and(|start| answer[start..].contains(&b'c'))
}

/// Reads `rgb:RRRR/GGGG/BBBB`, with one to four digits each.
fn is_dark(answer: &[u8]) -> Option<bool> {
    let answer = String::from_utf8_lossy(answer);
    let (_, rgb) = answer.split_once("\x1b]11;rgb:")?;
    let part = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_hexdigit).take(4).collect();
        let most = 16_u32.checked_pow(u32::try_from(digits.len()).ok()?)? - 1;
        Some(f64::from(u32::from_str_radix(&digits, 16).ok()?) / f64::from(most))
    };
    let parts: Vec<f64> = rgb.splitn(3, '/').map(part).collect::<Option<_>>()?;
    let [red, green, blue] = parts[..] else { return None };
    Some(0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_every_form() {
        for (answer, dark) in [
            ("\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;22c", Some(true)),
            ("\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?1;2c", Some(false)),
            ("\x1b]11;rgb:1e/1e/2e\x07\x1b[?6c", Some(true)),
            ("\x1b[?62c", None),
            ("\x1b]11;rgb:zz/00/00\x07", None),
            ("\x1b]11;rgb:00/00", None),
            ("", None),
        ] {
            assert_eq!(is_dark(answer.as_bytes()), dark, "{answer:?}");
        }
        assert!(!is_complete(b"\x1b]11;rgb:0c/0c/0c\x07"));
        assert!(!is_complete(b"\x1b[?62;2"));
        assert!(is_complete(b"\x1b]11;rgb:0c/0c/0c\x07\x1b[?62c"));
    }
}
