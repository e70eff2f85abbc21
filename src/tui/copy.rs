//! The clipboard: by a tool of this machine, or by the terminal.
//!
//! A tool works on the machine where the program runs; over SSH that is the wrong one, and the
//! terminal is asked instead (OSC 52), which not every terminal allows and none confirms.

use super::theme::Env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The longest text that terminals take: beyond, many drop all of it.
pub const LONGEST: usize = 74_000;

/// What is to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The text.
    pub text: String,
    /// What it is, in a few words.
    pub what: String,
}

/// A program that fills the clipboard with what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tool {
    name: &'static str,
    args: &'static [&'static str],
    /// It works where this variable is set; anywhere if it is empty.
    needs: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { name: "wl-copy", args: &[], needs: "WAYLAND_DISPLAY" },
    Tool { name: "xclip", args: &["-selection", "clipboard"], needs: "DISPLAY" },
    Tool { name: "xsel", args: &["--input", "--clipboard"], needs: "DISPLAY" },
    Tool { name: "pbcopy", args: &[], needs: "" },
];

/// The tools that may be there and fill the clipboard of who sits at the terminal.
fn tools(env: &Env) -> impl Iterator<Item = &'static Tool> {
    let far = !env.get("SSH_CONNECTION").is_empty() || !env.get("SSH_TTY").is_empty();
    let fits = |tool: &&Tool| !far && (tool.needs.is_empty() || !env.get(tool.needs).is_empty());
    TOOLS.iter().filter(fits).collect::<Vec<_>>().into_iter()
}

/// Copies by the first tool that is there. Returns its name; none if there is none, so that the
/// terminal has to be asked.
pub fn by_tool(env: &Env, text: &str) -> Option<&'static str> {
    tools(env).find(|tool| feed(tool, text).is_ok()).map(|tool| tool.name)
}

fn feed(tool: &Tool, text: &str) -> io::Result<()> {
    let mut child = Command::new(tool.name)
        .args(tool.args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(text.as_bytes()));
    // It may stay to serve what it was given. Nobody waits for that but a thread of its own.
    std::thread::Builder::new().name("clipboard".to_owned()).spawn(move || child.wait())?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_fills_only_the_clipboard_of_who_sits_here() {
        let names = |vars: &[(&str, &str)]| -> Vec<&str> {
            tools(&Env::of(vars)).map(|tool| tool.name).collect()
        };
        assert_eq!(names(&[]), ["pbcopy"]);
        assert_eq!(names(&[("DISPLAY", ":0")]), ["xclip", "xsel", "pbcopy"]);
        assert_eq!(names(&[("WAYLAND_DISPLAY", "wayland-0")]), ["wl-copy", "pbcopy"]);
        assert!(names(&[("DISPLAY", ":0"), ("SSH_CONNECTION", "a b")]).is_empty());
    }
}
