//! Themes that people write: what they change of a built-in one.
//!
//! ```toml
//! inherits = "dark"                  # dark unless said
//! [leader]
//! fg = "#ffcc00"                     # "#rrggbb", a name of the sixteen, or a number to 255
//! bold = true
//! [violation]
//! fg = "black"
//! bg = 203
//! [text]                             # also what everything stands on
//! bg = "#101418"
//! ```
//!
//! A colour that the terminal has not is replaced by the nearest that it has.

use super::{Depth, Role, Theme, cube};
use crate::error::{Error, Source, nearest};
use crate::read::{self, Read, Table, Value};
use ratatui::style::{Color, Modifier, Style};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A role by its name in files.
const ROLES: [(&str, Role); 24] = [
    ("leader", Role::Leader),
    ("follower", Role::Follower),
    ("candidate", Role::Candidate),
    ("ok", Role::Ok),
    ("bad", Role::Bad),
    ("violation", Role::Violation),
    ("warn", Role::Warn),
    ("down", Role::Down),
    ("text", Role::Text),
    ("muted", Role::Muted),
    ("accent", Role::Accent),
    ("group-a", Role::Group(0)),
    ("group-b", Role::Group(1)),
    ("group-c", Role::Group(2)),
    ("group-d", Role::Group(3)),
    ("identity-1", Role::Identity(0)),
    ("identity-2", Role::Identity(1)),
    ("identity-3", Role::Identity(2)),
    ("identity-4", Role::Identity(3)),
    ("identity-5", Role::Identity(4)),
    ("identity-6", Role::Identity(5)),
    ("identity-7", Role::Identity(6)),
    ("identity-8", Role::Identity(7)),
    ("selection", Role::Selection),
];

/// The sixteen, by name, in the order of their numbers.
const SIXTEEN: [(&str, Color); 16] = [
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// A theme of somebody's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// What it is called.
    pub name: String,
    /// The theme that it changes.
    pub(super) base: Theme,
    patches: Vec<(Role, Patch)>,
}

/// What a theme changes of a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Patch {
    fg: Option<Color>,
    bg: Option<Color>,
    on: Modifier,
    off: Modifier,
}

impl Own {
    /// The style of a role as this theme has it.
    pub(super) fn patch(&self, style: Style, role: Role, depth: Depth) -> Style {
        let role = match role {
            Role::Identity(n) => Role::Identity(n % 8),
            role => role,
        };
        let Some((_, patch)) = self.patches.iter().find(|(of, _)| *of == role) else {
            return style;
        };
        let fit = |color: Option<Color>| color.map(|color| fitted(color, depth));
        let style =
            Style { fg: fit(patch.fg).or(style.fg), bg: fit(patch.bg).or(style.bg), ..style };
        style.add_modifier(patch.on).remove_modifier(patch.off)
    }
}

/// The nearest colour that there is at this depth.
fn fitted(color: Color, depth: Depth) -> Color {
    let rgb = match color {
        Color::Rgb(r, g, b) => u32::from_be_bytes([0, r, g, b]),
        Color::Indexed(index) => cube(index),
        _ => return color,
    };
    match (depth, color) {
        (Depth::True, _) | (Depth::Cube, Color::Indexed(_)) => color,
        (Depth::Cube, _) => Color::Indexed(closest(16..=255, rgb)),
        _ => SIXTEEN[usize::from(closest(0..=15, rgb))].1,
    }
}

/// The number of the colour that looks most like this one.
fn closest(numbers: std::ops::RangeInclusive<u8>, rgb: u32) -> u8 {
    let part = |rgb: u32, shift: u32| i64::from((rgb >> shift) & 0xFF);
    let distance = |number: &u8| -> i64 {
        [(16, 3), (8, 4), (0, 2)]
            .iter()
            .map(|(shift, weight)| {
                weight * (part(cube(*number), *shift) - part(rgb, *shift)).pow(2)
            })
            .sum()
    };
    // Bright black is left out: some palettes have the background there.
    numbers.filter(|number| *number != 8).min_by_key(distance).unwrap_or(0)
}

/// Where themes are: built in, and in a directory of a person's own.
#[derive(Clone, Debug, Default)]
pub struct Themes {
    dir: Option<PathBuf>,
}

impl Themes {
    /// Looks here too.
    pub fn of(dir: Option<PathBuf>) -> Themes {
        Themes { dir }
    }

    /// The directory of a person's own, if it may be looked at.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// The theme that `word` means: a name, or the path of a file, which has a slash or a dot.
    ///
    /// # Errors
    /// There is none, or something is wrong with it.
    pub fn load(&self, word: &str) -> Result<Theme, Error> {
        if word.contains(['/', '\\', '.']) {
            return read_file(Path::new(word));
        }
        let file = self.dir.as_ref().map(|dir| dir.join(word).with_extension("toml"));
        match file.filter(|file| file.is_file()) {
            Some(file) => read_file(&file),
            None => Theme::builtin(word).ok_or_else(|| self.missing(word)),
        }
    }

    fn missing(&self, word: &str) -> Error {
        let names = self.names();
        let error = Error::new(format!("there is no theme '{word}'"));
        match nearest(word, names.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error.help(format!("themes are {}", names.join(", "))),
        }
    }

    /// The names of all themes, the built-in ones first.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            Theme::BUILTIN.iter().map(|theme| theme.name().to_owned()).collect();
        let dir = self.dir.iter().flat_map(std::fs::read_dir).flatten().flatten();
        let mut own: Vec<String> = dir
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .filter(|name| !names.contains(name))
            .collect();
        own.sort();
        names.append(&mut own);
        names
    }
}

fn read_file(file: &Path) -> Result<Theme, Error> {
    let source = Source::read(&file.to_string_lossy())?;
    parse(&file.file_stem().unwrap_or_default().to_string_lossy(), &source)
}

/// Reads a theme file. It inherits a built-in theme, so that none can inherit itself.
fn parse(name: &str, source: &Source) -> Read<Theme> {
    let document = read::document(source)?;
    let known: Vec<&str> =
        ["inherits"].into_iter().chain(ROLES.iter().map(|(name, _)| *name)).collect();
    let top = Table::new(source, document.get_ref(), "a theme", &known)?;
    let base = top.get_or("inherits", Theme::Dark, |value| {
        let word = value.text()?;
        Theme::builtin(word).ok_or_else(|| {
            let error = value.wrong(format!("unknown theme '{word}'"), "no built-in theme");
            let names: Vec<&str> = Theme::BUILTIN.iter().map(Theme::name).collect();
            match nearest(word, names.iter().copied()) {
                Some(near) => error.help(format!("did you mean '{near}'?")),
                None => error.help(format!("built-in themes are {}", names.join(", "))),
            }
        })
    })?;
    let mut patches = Vec::new();
    for (name, role) in ROLES {
        if let Some(value) = top.get(name) {
            patches.push((role, patch(&value, name)?));
        }
    }
    Ok(Theme::Own(Arc::new(Own { name: name.to_owned(), base, patches })))
}

fn patch(value: &Value<'_>, role: &str) -> Read<Patch> {
    let known = ["fg", "bg", "bold", "underline", "reverse"];
    let table = value.table(&format!("[{role}]"), &known)?;
    let colour = |key: &str| table.get(key).map(|value| color(&value)).transpose();
    let mut patch = Patch { fg: colour("fg")?, bg: colour("bg")?, ..Patch::default() };
    for (key, modifier) in [
        ("bold", Modifier::BOLD),
        ("underline", Modifier::UNDERLINED),
        ("reverse", Modifier::REVERSED),
    ] {
        match table.get(key).map(|value| value.flag()).transpose()? {
            Some(true) => patch.on |= modifier,
            Some(false) => patch.off |= modifier,
            None => {}
        }
    }
    Ok(patch)
}

fn color(value: &Value<'_>) -> Read<Color> {
    if !value.is_text() {
        return value.number(0..=255_u8).map(Color::Indexed);
    }
    let word = value.text()?;
    let hex = word.strip_prefix('#').filter(|hex| hex.len() == 6);
    if let Some(rgb) = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
        return Ok(Color::from_u32(rgb));
    }
    if word == "default" {
        return Ok(Color::Reset);
    }
    let names = SIXTEEN.iter().map(|(name, _)| *name);
    SIXTEEN.iter().find(|(name, _)| *name == word).map(|(_, color)| *color).ok_or_else(|| {
        let error = value.wrong(format!("unknown colour '{word}'"), "no colour");
        match nearest(word, names) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error.help("write \"#rrggbb\", a name such as \"cyan\", or a number to 255"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Read<Theme> {
        parse("mine", &Source::new("mine.toml", text))
    }

    #[test]
    fn a_theme_of_ones_own_changes_what_it_names_and_no_more() {
        let text = "inherits = \"light\"\n[leader]\nfg = \"#ffcc00\"\nbold = true\n\
                    [violation]\nfg = \"black\"\nbg = 203\n[ok]\nfg = \"default\"";
        let theme = read(text).unwrap();
        let mut look = super::super::Look::choose(
            &super::super::Flags {
                theme: Some((theme, "--theme")),
                color: super::super::ColorArg::True,
                glyphs: None,
            },
            &super::super::Env::default(),
        );
        let leader = look.style(Role::Leader);
        assert_eq!(leader.fg, Some(Color::Rgb(255, 204, 0)));
        assert!(leader.add_modifier.contains(Modifier::BOLD));
        let violation = look.style(Role::Violation);
        assert_eq!((violation.fg, violation.bg), (Some(Color::Black), Some(Color::Indexed(203))));
        assert_eq!(look.style(Role::Bad).fg, Some(Color::from_u32(0xD21404)), "as in light");
        look.depth = Depth::Cube;
        assert_eq!(look.style(Role::Leader).fg, Some(Color::Indexed(220)));
        look.depth = Depth::Sixteen;
        assert_eq!(look.style(Role::Violation).bg, Some(Color::LightRed));
    }

    #[test]
    fn a_wrong_theme_is_told_what_to_write() {
        let mut text = String::new();
        for file in [
            "[leadr]",
            "inherits = \"drak\"",
            "[ok]\nfg = \"gren\"",
            "[ok]\nfg = \"#12345\"",
            "[ok]\nbg = 256",
            "[ok]\nbold = \"yes\"",
            "[ok]\nblink = true",
        ] {
            text.push_str(&format!("{}\n\n", read(file).unwrap_err()));
        }
        insta::assert_snapshot!(text);
    }
}
