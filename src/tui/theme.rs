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
//! each colour against the backgrounds its theme is for is checked by the tests below.

use super::glyph::{ASCII, BLOCK, Glyphs, UNICODE};
use clap::ValueEnum;
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// For black and near black.
    Dark,
    /// For white and near white.
    Light,
    /// Readable on both; less contrast.
    Neutral,
    /// Bold, underline and reverse only.
    Mono,
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

/// The `--theme` argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// By the background, if the environment tells it; else neutral.
    #[default]
    Auto,
    /// For dark backgrounds.
    Dark,
    /// For light backgrounds.
    Light,
    /// For any background.
    Neutral,
    /// No colours.
    Mono,
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

/// What the command line says about looks. It beats everything that is detected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--theme`.
    pub theme: ThemeArg,
    /// `--color`.
    pub color: ColorArg,
    /// `--glyphs`.
    pub glyphs: Option<GlyphsArg>,
}

/// Environment variables, as a value, so that choosing is a pure function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The environment of this process. Names and values that are not UTF-8 are read lossily.
    pub fn read() -> Env {
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        Env(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
    }

    /// An environment of just these variables.
    pub fn of(vars: &[(&str, &str)]) -> Env {
        Env(vars.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The value of a variable; the empty text when it is not set.
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// How everything is drawn: decided once at start.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The set of colours.
    pub theme: Theme,
    /// How many of them can be shown. `None` exactly if the theme is `Mono`.
    pub depth: Depth,
    /// The characters to draw with.
    pub glyphs: &'static Glyphs,
    /// What decided the theme, in words for the help screen.
    pub because: &'static str,
}

impl Look {
    /// Decides from the command line and the environment.
    ///
    /// A theme that was asked for beats `NO_COLOR`, as <https://no-color.org> wants it; `NO_COLOR`
    /// beats what the terminal can. The terminal is not asked for its background: the answer gets
    /// lost or arrives as key presses over slow links, so without `COLORFGBG` the theme is neutral.
    pub fn choose(flags: &Flags, env: &Env) -> Look {
        let asked = asked_theme(flags, env);
        let depth = match (flags.color, asked) {
            (ColorArg::Never, _) | (_, Some((Theme::Mono, _))) => Depth::None,
            (ColorArg::Sixteen, _) => Depth::Sixteen,
            (ColorArg::Cube, _) => Depth::Cube,
            (ColorArg::True, _) => Depth::True,
            (ColorArg::Auto, None) if !env.get("NO_COLOR").is_empty() => Depth::None,
            (ColorArg::Auto, _) => detected_depth(env),
        };
        let (theme, because) = match (depth, flags.color, asked) {
            (_, _, Some((Theme::Mono, because))) => (Theme::Mono, because),
            (Depth::None, ColorArg::Never, _) => (Theme::Mono, "--color never"),
            (Depth::None, _, _) => (Theme::Mono, "NO_COLOR"),
            (_, _, Some(asked)) => asked,
            (_, _, None) => detected_theme(env),
        };
        Look { theme, depth, glyphs: glyphs(flags, env), because }
    }

    /// How to draw something that plays `role`.
    pub fn style(&self, role: Role) -> Style {
        if role == Role::Selection {
            return Style::new().add_modifier(Modifier::REVERSED);
        }
        match self.depth {
            Depth::None => mono(role),
            Depth::Sixteen => sixteen(role),
            Depth::Cube => paint(self.theme, role).style(|tint| Color::Indexed(tint.cube)),
            Depth::True => paint(self.theme, role).style(|tint| Color::from_u32(tint.rgb)),
        }
    }
}

fn asked_theme(flags: &Flags, env: &Env) -> Option<(Theme, &'static str)> {
    let theme = |arg| match arg {
        ThemeArg::Auto => None,
        ThemeArg::Dark => Some(Theme::Dark),
        ThemeArg::Light => Some(Theme::Light),
        ThemeArg::Neutral => Some(Theme::Neutral),
        ThemeArg::Mono => Some(Theme::Mono),
    };
    let from_env = || ThemeArg::from_str(env.get("NETSPLIT_THEME"), true).ok().and_then(theme);
    theme(flags.theme)
        .map(|theme| (theme, "--theme"))
        .or_else(|| from_env().map(|theme| (theme, "NETSPLIT_THEME")))
}

/// By `COLORFGBG`, which some terminals set to `foreground;background` in colour numbers.
fn detected_theme(env: &Env) -> (Theme, &'static str) {
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

/// One colour at the two depths that have their own.
#[derive(Clone, Copy, Debug)]
struct Tint {
    rgb: u32,
    cube: u8,
}

/// How a role is coloured.
#[derive(Clone, Copy, Debug)]
enum Paint {
    Plain,
    Ink(Tint),
    Fill { ink: Tint, ground: Tint },
    Wash(Tint),
}

impl Paint {
    fn style(self, color: impl Fn(Tint) -> Color) -> Style {
        match self {
            Paint::Plain => Style::new(),
            Paint::Ink(tint) => Style::new().fg(color(tint)),
            Paint::Fill { ink, ground } => Style::new().fg(color(ink)).bg(color(ground)),
            Paint::Wash(ground) => Style::new().bg(color(ground)),
        }
    }
}

const fn tint(rgb: u32, cube: u8) -> Tint {
    Tint { rgb, cube }
}

const fn ink(rgb: u32, cube: u8) -> Paint {
    Paint::Ink(tint(rgb, cube))
}

const fn fill(ink: (u32, u8), ground: (u32, u8)) -> Paint {
    Paint::Fill { ink: tint(ink.0, ink.1), ground: tint(ground.0, ground.1) }
}

fn paint(theme: Theme, role: Role) -> Paint {
    match theme {
        Theme::Dark => dark(role),
        Theme::Light => light(role),
        Theme::Neutral => neutral(role),
        Theme::Mono => Paint::Plain,
    }
}

fn dark(role: Role) -> Paint {
    match role {
        Role::Leader => ink(0xFFBE16, 214),
        Role::Follower => ink(0x8790F3, 69),
        Role::Candidate | Role::Accent => ink(0xE6BFF2, 225),
        Role::Ok => ink(0x9EE0C9, 79),
        Role::Bad => ink(0xEC7051, 203),
        Role::Violation => fill((0x000000, 16), (0xEC7051, 203)),
        Role::Warn => ink(0xFFFFB2, 229),
        Role::Down | Role::Muted => ink(0x949494, 245),
        Role::Text | Role::Selection => Paint::Plain,
        Role::Group(1) => Paint::Wash(tint(0x26304A, 236)),
        Role::Group(2) => Paint::Wash(tint(0x3A2A1A, 235)),
        Role::Group(3) => Paint::Wash(tint(0x1F3328, 237)),
        Role::Group(_) => Paint::Plain,
        Role::Identity(n) => Paint::Ink(DARK_IDENTITIES[usize::from(n % 8)]),
    }
}

fn light(role: Role) -> Paint {
    match role {
        Role::Leader => ink(0x6A3006, 130),
        Role::Follower => ink(0x0A2A9E, 18),
        Role::Candidate | Role::Accent => ink(0xA81FB0, 91),
        Role::Ok => ink(0x00766E, 29),
        Role::Bad => ink(0xD21404, 124),
        Role::Violation => fill((0xFFFFFF, 231), (0xB00000, 124)),
        Role::Warn => fill((0x000000, 16), (0xFFE45C, 221)),
        Role::Down => ink(0x5A5A5A, 237),
        Role::Muted => ink(0x5A5A5A, 240),
        Role::Text | Role::Selection => Paint::Plain,
        Role::Group(1) => Paint::Wash(tint(0xDCE6FF, 189)),
        Role::Group(2) => Paint::Wash(tint(0xFFE9D0, 223)),
        Role::Group(3) => Paint::Wash(tint(0xDDF2DD, 194)),
        Role::Group(_) => Paint::Plain,
        Role::Identity(n) => Paint::Ink(LIGHT_IDENTITIES[usize::from(n % 8)]),
    }
}

fn neutral(role: Role) -> Paint {
    match role {
        Role::Leader => ink(0x7A630E, 94),
        Role::Follower => ink(0x4F70ED, 63),
        Role::Candidate | Role::Accent => ink(0xBF2492, 163),
        Role::Ok => ink(0x139861, 30),
        Role::Bad => ink(0xEC5151, 167),
        Role::Violation => fill((0xFFFFFF, 231), (0xB00000, 124)),
        Role::Warn => ink(0x8D7A0E, 100),
        Role::Down | Role::Muted => ink(0x6F6F6E, 242),
        Role::Text | Role::Selection | Role::Group(_) => Paint::Plain,
        Role::Identity(n) => Paint::Ink(NEUTRAL_IDENTITIES[usize::from(n % 8)]),
    }
}

/// Okabe and Ito's set plus two, ordered so that neighbours are far apart.
const DARK_IDENTITIES: [Tint; 8] = [
    tint(0x56B4E9, 74),
    tint(0xE69F00, 214),
    tint(0x009E73, 36),
    tint(0xF0E442, 184),
    tint(0xCC79A7, 175),
    tint(0xD55E00, 166),
    tint(0x4C8DFF, 69),
    tint(0xBBBBBB, 250),
];

const LIGHT_IDENTITIES: [Tint; 8] = [
    tint(0x0072B2, 25),
    tint(0x9A5B00, 130),
    tint(0x00694A, 29),
    tint(0x6B6100, 58),
    tint(0xA0336F, 125),
    tint(0xC24400, 160),
    tint(0x2F3FBF, 20),
    tint(0x555555, 240),
];

const NEUTRAL_IDENTITIES: [Tint; 8] = [
    tint(0x2F80C2, 32),
    tint(0xB8690B, 130),
    tint(0x128A62, 29),
    tint(0x857A0A, 100),
    tint(0xB4528C, 132),
    tint(0xD2521E, 166),
    tint(0x5B6EE1, 62),
    tint(0x767676, 243),
];

fn sixteen(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Leader => plain.add_modifier(Modifier::BOLD),
        Role::Follower => plain.fg(Color::Cyan),
        Role::Candidate | Role::Accent => plain.fg(Color::Magenta),
        Role::Ok => plain.fg(Color::Green),
        Role::Bad => plain.fg(Color::Red),
        Role::Violation => plain.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        Role::Warn => plain.fg(Color::Black).bg(Color::Yellow),
        Role::Down | Role::Text | Role::Muted | Role::Selection | Role::Group(_) => plain,
        Role::Identity(n) => {
            // Four that can be read on any background, then the same four in bold.
            let base = match n % 4 {
                0 => plain.fg(Color::Cyan),
                1 => plain.fg(Color::Magenta),
                2 => plain.fg(Color::Green),
                _ => plain,
            };
            if n % 8 < 4 { base } else { base.add_modifier(Modifier::BOLD) }
        }
    }
}

fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Leader | Role::Bad | Role::Accent => plain.add_modifier(Modifier::BOLD),
        Role::Candidate => plain.add_modifier(Modifier::UNDERLINED),
        Role::Violation => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        Role::Warn => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: u32 = 0x000000;
    const WHITE: u32 = 0xFFFFFF;
    const ROLES: [Role; 9] = [
        Role::Leader,
        Role::Follower,
        Role::Candidate,
        Role::Ok,
        Role::Bad,
        Role::Violation,
        Role::Warn,
        Role::Down,
        Role::Muted,
    ];

    /// Relative luminance as WCAG 2 defines it.
    fn luminance(rgb: u32) -> f64 {
        let part = |shift: u32| {
            let part = f64::from((rgb >> shift) & 0xFF) / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    }

    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        if a > b { a / b } else { b / a }
    }

    /// What a number of the 256-colour cube looks like.
    fn cube(number: u8) -> u32 {
        let number = u32::from(number);
        if number >= 232 {
            return (8 + 10 * (number - 232)) * 0x010101;
        }
        let level = |n: u32| if n.is_multiple_of(6) { 0 } else { 55 + 40 * (n % 6) };
        let n = number - 16;
        level(n / 36) << 16 | level(n / 6) << 8 | level(n)
    }

    /// The smallest contrast of any role of a theme at both depths on the given backgrounds.
    fn smallest_contrast(theme: Theme, backgrounds: &[u32]) -> f64 {
        let identities = (0..8).map(Role::Identity);
        let mut smallest = f64::INFINITY;
        for role in ROLES.into_iter().chain(identities) {
            let pairs: Vec<(u32, u32)> = match paint(theme, role) {
                Paint::Plain | Paint::Wash(_) => continue,
                Paint::Fill { ink, ground } => {
                    vec![(ink.rgb, ground.rgb), (cube(ink.cube), cube(ground.cube))]
                }
                Paint::Ink(tint) => backgrounds
                    .iter()
                    .flat_map(|&ground| [(tint.rgb, ground), (cube(tint.cube), ground)])
                    .collect(),
            };
            for (ink, ground) in pairs {
                smallest = smallest.min(contrast(ink, ground));
            }
        }
        smallest
    }

    #[test]
    fn every_colour_can_be_read_on_the_backgrounds_of_its_theme() {
        let dark = smallest_contrast(Theme::Dark, &[BLACK]);
        let light = smallest_contrast(Theme::Light, &[WHITE]);
        let neutral = smallest_contrast(Theme::Neutral, &[BLACK, WHITE]);
        assert!(dark >= 4.5, "dark {dark}");
        assert!(light >= 4.5, "light {light}");
        assert!(neutral >= 3.5, "neutral {neutral}");
        // The measure itself: black on white is 21 by definition.
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn groups_keep_the_plain_text_readable() {
        for group in 0..4 {
            for (theme, text) in [(Theme::Dark, 0xD0D0D0), (Theme::Light, 0x202020)] {
                if let Paint::Wash(tint) = paint(theme, Role::Group(group)) {
                    assert!(contrast(text, tint.rgb) > 7.0, "{theme:?} {group}");
                    assert!(contrast(text, cube(tint.cube)) > 7.0, "{theme:?} {group}");
                }
            }
        }
    }

    #[test]
    fn no_colour_is_left_without_colours() {
        let look = Look::choose(&Flags::default(), &Env::of(&[("NO_COLOR", "1")]));
        let identities = (0..9).map(Role::Identity);
        for role in ROLES.into_iter().chain(identities).chain((0..5).map(Role::Group)) {
            let style = look.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert!(look.style(Role::Violation).add_modifier.contains(Modifier::REVERSED));
    }

    /// `--theme --color --glyphs` as given, the environment, and what comes of them.
    fn chosen(flags: (ThemeArg, ColorArg, Option<GlyphsArg>), env: &[(&str, &str)]) -> String {
        let flags = Flags { theme: flags.0, color: flags.1, glyphs: flags.2 };
        let look = Look::choose(&flags, &Env::of(env));
        let (theme, depth) = (look.theme, look.depth);
        format!("{theme:?} {depth:?} {} ({})", look.glyphs.name, look.because)
    }

    #[test]
    fn the_environment_decides_unless_the_command_line_does() {
        use {ColorArg as C, GlyphsArg as G, ThemeArg as T};
        let none = (T::Auto, C::Auto, None);
        let check = |flags, env, expected: &str| assert_eq!(chosen(flags, env), expected);
        check(none, &[], "Neutral Sixteen ascii (background unknown)");
        check(
            none,
            &[("COLORFGBG", "15;0"), ("COLORTERM", "truecolor"), ("LANG", "en_GB.UTF-8")],
            "Dark True unicode (COLORFGBG)",
        );
        check(
            none,
            &[("COLORFGBG", "0;default;15"), ("TERM", "xterm-256color"), ("LC_ALL", "C.utf8")],
            "Light Cube unicode (COLORFGBG)",
        );
        check(
            none,
            &[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8"), ("COLORFGBG", "0;default")],
            "Neutral Sixteen ascii (background unknown)",
        );
        check(
            none,
            &[("TERM", "linux"), ("LANG", "en_GB.UTF-8")],
            "Neutral Sixteen ascii (background unknown)",
        );
        check(none, &[("NO_COLOR", "")], "Neutral Sixteen ascii (background unknown)");
        check(none, &[("NO_COLOR", "1"), ("COLORTERM", "24bit")], "Mono None ascii (NO_COLOR)");
        check(
            (T::Dark, C::Auto, None),
            &[("NO_COLOR", "1"), ("TERM", "xterm-direct")],
            "Dark Cube ascii (--theme)",
        );
        check(
            (T::Auto, C::True, None),
            &[("NO_COLOR", "1")],
            "Neutral True ascii (background unknown)",
        );
        check((T::Dark, C::Never, None), &[], "Mono None ascii (--color never)");
        check((T::Mono, C::True, None), &[], "Mono None ascii (--theme)");
        check(
            none,
            &[("NETSPLIT_THEME", "light"), ("NETSPLIT_GLYPHS", "block")],
            "Light Sixteen block (NETSPLIT_THEME)",
        );
        check(
            (T::Neutral, C::Cube, Some(G::Unicode)),
            &[("NETSPLIT_THEME", "no such theme"), ("NETSPLIT_GLYPHS", "ascii")],
            "Neutral Cube unicode (--theme)",
        );
    }
}
