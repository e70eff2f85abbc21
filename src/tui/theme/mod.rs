//! What things look like: roles, themes, colour depths, and how the three are chosen.
//!
//! A pane never names a colour. It names what it draws, a [`Role`], and asks the [`Look`] for a
//! style. There are few roles on purpose: a person must be able to learn them, and to find the one
//! to change. Colour is never the only bearer of a meaning; the glyph and the word stay when the
//! colour goes, so `mono` is the same screen with less decoration.
//!
//! Every colour is written twice, as red-green-blue and as a number of the 256-colour cube, both
//! picked by hand: the nearest cube colour of a well-chosen one is often a badly chosen one.
//! Sixteen-colour terminals get one table for all themes, because what their colours look like is
//! the owner's choice, not ours. Rules kept by every table: never bright black, never blue on an
//! unknown background, yellow only as a fill with black text, no blinking, no dim. The contrast of
//! each colour against the backgrounds its theme is for, and how far apart roles look for people
//! who see fewer colours, is computed by tests.
//!
//! Which theme it is: the one that the command line names, else the layout, else the settings, else
//! `NETSPLIT_THEME`, else `mono` if `NO_COLOR` is set, else one for the terminal's background, and
//! `neutral` if nobody knows that. `table` has the colours, `file` the themes that people write.

mod file;
mod table;

pub use file::{Own, Themes};
pub use table::cube;

use super::glyph::{ASCII, BLOCK, Glyphs, UNICODE, keep_ascii};
use clap::ValueEnum;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use std::sync::Arc;
use table::{mono, paint, sixteen};

/// What a thing on the screen is, as far as its looks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Leads: the leader, the chosen proposer, the coordinator.
    Leader,
    /// Follows: a follower, a replica, an acceptor.
    Follower,
    /// Wants to lead, or is between two states.
    Candidate,
    /// Yes, committed, healthy, holds.
    Ok,
    /// No, lost, cut, aborted.
    Bad,
    /// A property is broken: the loudest thing on the screen.
    Violation,
    /// In doubt, paused, waiting, about to run out.
    Warn,
    /// Crashed, absent, switched off.
    Down,
    /// Everything else.
    Text,
    /// Borders, axes, older rows.
    Muted,
    /// The selected row.
    Selection,
    /// The background of partition group `0` (A), `1` (B), and so on; the letter stands beside it.
    Group(u8),
    /// The focused pane's border and title.
    Accent,
    /// One of eight colours that tell nodes and lines apart; larger numbers start over.
    Identity(u8),
}

/// A set of colours, by the background it is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Theme {
    /// For black and near black.
    Dark,
    /// For white and near white.
    Light,
    /// Readable on both; less contrast.
    Neutral,
    /// Bold, underline and reverse only.
    Mono,
    /// Black on white, bold, with heavy lines and solid fills: for a projector.
    Projector,
    /// Bold on pure black: for a projector in a dark room.
    ProjectorDark,
    /// Somebody's own, on top of one of these.
    Own(Arc<Own>),
}

impl Theme {
    /// Those that are built in.
    pub const BUILTIN: [Theme; 6] = [
        Theme::Dark,
        Theme::Light,
        Theme::Neutral,
        Theme::Mono,
        Theme::Projector,
        Theme::ProjectorDark,
    ];

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Theme::Dark => "dark",
            Theme::Light => "light",
            Theme::Neutral => "neutral",
            Theme::Mono => "mono",
            Theme::Projector => "projector",
            Theme::ProjectorDark => "projector-dark",
            Theme::Own(own) => &own.name,
        }
    }

    /// The built-in theme of this name.
    pub fn builtin(name: &str) -> Option<Theme> {
        Theme::BUILTIN.into_iter().find(|theme| theme.name() == name)
    }

    /// The built-in theme that it is, or that it stands on.
    fn base(&self) -> &Theme {
        match self {
            Theme::Own(own) => own.base.base(),
            base => base,
        }
    }
}

/// How many colours the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Attributes only.
    None,
    /// The sixteen of the terminal's own palette.
    Sixteen,
    /// The 256-colour cube.
    Cube,
    /// Red, green, blue, a byte each.
    True,
}

impl Depth {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Depth::None => "none",
            Depth::Sixteen => "16",
            Depth::Cube => "256",
            Depth::True => "24 bits",
        }
    }
}

/// The `--color` argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// What the environment says the terminal can.
    #[default]
    Auto,
    /// No colours.
    Never,
    /// The terminal's own sixteen.
    #[value(name = "16")]
    Sixteen,
    /// The 256-colour cube.
    #[value(name = "256")]
    Cube,
    /// 24 bits.
    True,
}

/// The `--glyphs` argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GlyphsArg {
    /// Everything, braille included.
    Unicode,
    /// No braille: for fonts that lack it.
    Block,
    /// Bytes 32 to 126 only.
    Ascii,
}

/// What the command line, the layout and the settings say about looks. It beats everything that is
/// detected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The theme, and who asks for it.
    pub theme: Option<(Theme, &'static str)>,
    /// `--color`.
    pub color: ColorArg,
    /// `--glyphs`.
    pub glyphs: Option<GlyphsArg>,
}

/// Environment variables, as a value, so that choosing is a pure function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    vars: BTreeMap<String, String>,
    /// What the terminal answered when it was asked for its background.
    dark: Option<bool>,
}

impl Env {
    /// The environment of this process. Names and values that are not UTF-8 are read lossily.
    pub fn read() -> Env {
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        let vars = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Env { vars, dark: None }
    }

    /// An environment of just these variables.
    pub fn of(vars: &[(&str, &str)]) -> Env {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Env { vars: vars.iter().map(own).collect(), dark: None }
    }

    /// The terminal says whether its background is dark, if it was asked and has answered.
    #[must_use]
    pub fn answered(mut self, dark: Option<bool>) -> Env {
        self.dark = dark;
        self
    }

    /// Whether it is safe to ask the terminal for its background. Over a slow line the answer comes
    /// late and is taken for key presses, multiplexers swallow it, and some terminals print it.
    pub fn may_ask(&self) -> bool {
        let none = |names: &[&str]| names.iter().all(|name| self.get(name).is_empty());
        none(&["SSH_CONNECTION", "SSH_TTY", "TMUX", "STY", "COLORFGBG"])
            && !["", "linux", "dumb"].contains(&self.get("TERM"))
            && !["screen", "tmux"].iter().any(|term| self.get("TERM").starts_with(term))
    }

    /// The value of a variable; the empty text when it is not set.
    pub fn get(&self, name: &str) -> &str {
        self.vars.get(name).map_or("", String::as_str)
    }
}

/// How everything is drawn.
#[derive(Clone, Debug)]
pub struct Look {
    /// The set of colours.
    pub theme: Theme,
    /// How many of them are shown. `None` exactly if the theme is `Mono`.
    pub depth: Depth,
    /// How many colours there could be, with another theme.
    pub able: Depth,
    /// The characters to draw with.
    pub glyphs: &'static Glyphs,
    /// What decided the theme, in words for the help screen.
    pub because: &'static str,
}

impl Look {
    /// Decides from what is asked for and from the environment.
    ///
    /// A theme that was asked for beats `NO_COLOR`, as <https://no-color.org> wants it; `NO_COLOR`
    /// beats what the terminal can.
    pub fn choose(flags: &Flags, env: &Env) -> Look {
        let from_env = || Some((Theme::builtin(env.get("NETSPLIT_THEME"))?, "NETSPLIT_THEME"));
        let asked = flags.theme.clone().or_else(from_env);
        let able = match (flags.color, &asked) {
            (ColorArg::Never, _) => Depth::None,
            (ColorArg::Sixteen, _) => Depth::Sixteen,
            (ColorArg::Cube, _) => Depth::Cube,
            (ColorArg::True, _) => Depth::True,
            (ColorArg::Auto, None) if !env.get("NO_COLOR").is_empty() => Depth::None,
            (ColorArg::Auto, _) => detected_depth(env),
        };
        let (theme, because) = match (able, flags.color, asked) {
            (Depth::None, ColorArg::Never, _) => (Theme::Mono, "--color never"),
            (Depth::None, ..) => (Theme::Mono, "NO_COLOR"),
            (_, _, Some(asked)) => asked,
            (_, _, None) => detected_theme(env),
        };
        let depth = if theme == Theme::Mono { Depth::None } else { able };
        Look { theme, depth, able, glyphs: glyphs(flags, env), because }
    }

    /// The same with another theme. Where there are no colours it stays `mono`.
    pub fn switch(&mut self, theme: Theme) {
        if self.able > Depth::None {
            self.depth = if theme == Theme::Mono { Depth::None } else { self.able };
            self.theme = theme;
        }
    }

    /// How to draw something that plays `role`.
    pub fn style(&self, role: Role) -> Style {
        if role == Role::Selection {
            return Style::new().add_modifier(Modifier::REVERSED);
        }
        let base = self.theme.base();
        let style = match self.depth {
            Depth::None => mono(role),
            Depth::Sixteen => sixteen(base, role),
            Depth::Cube => paint(base, role).style(|tint| Color::Indexed(tint.cube)),
            Depth::True => paint(base, role).style(|tint| Color::from_u32(tint.rgb)),
        };
        match &self.theme {
            Theme::Own(own) => own.patch(style, role, self.depth),
            _ => style,
        }
    }

    /// Whether lines are heavy.
    pub fn is_heavy(&self) -> bool {
        matches!(self.theme.base(), Theme::Projector | Theme::ProjectorDark)
    }

    /// Gives what has been drawn the theme's own ground, if it has one, and keeps to the characters
    /// that the terminal knows. The last thing that is done to a picture.
    pub fn finish(&self, buf: &mut Buffer) {
        if self.glyphs.is_ascii() {
            keep_ascii(buf);
        }
        let (ink, ground) = match (self.depth, self.theme.base()) {
            (Depth::None, _) => return,
            (_, Theme::Projector) => (Color::Black, Color::White),
            (_, Theme::ProjectorDark) => (Color::White, Color::Black),
            _ => (Color::Reset, Color::Reset),
        };
        // The two ends of the cube look the same everywhere; the owner's black and white may not.
        let pure = |color| match (self.depth, color) {
            (Depth::True, Color::Black) => Color::Rgb(0, 0, 0),
            (Depth::True, Color::White) => Color::Rgb(255, 255, 255),
            (Depth::Cube, Color::Black) => Color::Indexed(16),
            (Depth::Cube, Color::White) => Color::Indexed(231),
            _ => color,
        };
        let mut plain = Style::new().fg(pure(ink)).bg(pure(ground));
        if let Theme::Own(own) = &self.theme {
            plain = own.patch(plain, Role::Text, self.depth);
        }
        if self.is_heavy() {
            plain = plain.add_modifier(Modifier::BOLD);
        }
        for cell in &mut buf.content {
            let keep = |own: Color, plain: Option<Color>| match own {
                Color::Reset => plain.unwrap_or(Color::Reset),
                own => own,
            };
            (cell.fg, cell.bg) = (keep(cell.fg, plain.fg), keep(cell.bg, plain.bg));
            cell.modifier |= plain.add_modifier;
        }
    }

    /// The colours of plain text and of what it stands on, where nothing else is known of them: in
    /// a picture.
    pub fn paper(&self) -> (u32, u32) {
        match self.theme.base() {
            Theme::Light => (0x1F2328, 0xFFFFFF),
            Theme::Projector => (0x000000, 0xFFFFFF),
            Theme::ProjectorDark => (0xFFFFFF, 0x000000),
            _ => (0xD8DEE4, 0x0D1117),
        }
    }
}

/// By what the terminal says, or by `COLORFGBG`, which some terminals set to
/// `foreground;background` in colour numbers.
fn detected_theme(env: &Env) -> (Theme, &'static str) {
    match env.dark {
        Some(true) => return (Theme::Dark, "the terminal says that it is dark"),
        Some(false) => return (Theme::Light, "the terminal says that it is light"),
        None => {}
    }
    let background = env.get("COLORFGBG").rsplit(';').next().and_then(|last| last.parse().ok());
    match background {
        Some(0..=6 | 8) => (Theme::Dark, "COLORFGBG"),
        Some(7 | 9..=15) => (Theme::Light, "COLORFGBG"),
        Some(16_u8..) | None => (Theme::Neutral, "background unknown"),
    }
}

fn detected_depth(env: &Env) -> Depth {
    let term = env.get("TERM");
    if matches!(env.get("COLORTERM"), "truecolor" | "24bit") {
        Depth::True
    } else if term.contains("256color") || term.contains("direct") {
        Depth::Cube
    } else {
        Depth::Sixteen
    }
}

fn glyphs(flags: &Flags, env: &Env) -> &'static Glyphs {
    let from_env = || GlyphsArg::from_str(env.get("NETSPLIT_GLYPHS"), true).ok();
    match flags.glyphs.or_else(from_env) {
        Some(GlyphsArg::Unicode) => &UNICODE,
        Some(GlyphsArg::Block) => &BLOCK,
        Some(GlyphsArg::Ascii) => &ASCII,
        None if matches!(env.get("TERM"), "linux" | "dumb") => &ASCII,
        None if cfg!(windows) || speaks_utf8(env) => &UNICODE,
        None => &ASCII,
    }
}

/// The first of the three variables that is set decides, as in `setlocale`.
fn speaks_utf8(env: &Env) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| env.get(name));
    let locale = locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod vision;
