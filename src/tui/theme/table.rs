//! The colours of the themes, at each depth.

use super::{Role, Theme};
use ratatui::style::{Color, Modifier, Style};

/// One colour at the two depths that have their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tint {
    pub(super) rgb: u32,
    pub(super) cube: u8,
}

/// How a role is coloured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paint {
    Plain,
    Ink(Tint),
    Fill { ink: Tint, ground: Tint },
    Wash(Tint),
}

impl Paint {
    pub(super) fn style(self, color: impl Fn(Tint) -> Color) -> Style {
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

/// How a built-in theme colours a role.
pub(super) fn paint(theme: &Theme, role: Role) -> Paint {
    match theme {
        Theme::Dark | Theme::ProjectorDark => dark(role),
        Theme::Light => light(role),
        Theme::Neutral => neutral(role),
        Theme::Projector => projector(role),
        Theme::Mono | Theme::Own(_) => Paint::Plain,
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

/// Black on white; where the hue would not carry, a fill does.
fn projector(role: Role) -> Paint {
    match role {
        Role::Leader => ink(0x65310B, 94),
        Role::Follower => ink(0x031363, 17),
        Role::Candidate | Role::Accent => ink(0x7B2C84, 90),
        Role::Ok => ink(0x006B62, 23),
        Role::Bad => fill((0xFFFFFF, 231), (0xAA2703, 124)),
        Role::Violation => fill((0xFFFFFF, 231), (0xB00000, 124)),
        Role::Warn => fill((0x000000, 16), (0xFFE45C, 221)),
        Role::Down => fill((0x000000, 16), (0xC8C8C8, 251)),
        Role::Text | Role::Muted | Role::Selection => Paint::Plain,
        Role::Group(_) | Role::Identity(_) => light(role),
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

/// How sixteen colours show a role.
pub(super) fn sixteen(theme: &Theme, role: Role) -> Style {
    let plain = Style::new();
    match role {
        // On a ground that is known to be white, these can be read better.
        Role::Follower if *theme == Theme::Projector => plain.fg(Color::Blue),
        Role::Ok if *theme == Theme::Projector => plain,
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

/// How a role shows without colours.
pub(super) fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Leader | Role::Bad | Role::Accent => plain.add_modifier(Modifier::BOLD),
        Role::Candidate => plain.add_modifier(Modifier::UNDERLINED),
        Role::Violation => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        Role::Warn => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        _ => plain,
    }
}

/// What a colour of the 256 looks like. Of the first sixteen, which the terminal's owner chooses,
/// what they usually look like.
pub fn cube(number: u8) -> u32 {
    const FIRST: [u32; 16] = [
        0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5, 0x7F7F7F,
        0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
    ];
    if let Some(first) = FIRST.get(usize::from(number)) {
        return *first;
    }
    let number = u32::from(number);
    if number >= 232 {
        return (8 + 10 * (number - 232)) * 0x010101;
    }
    let level = |n: u32| if n.is_multiple_of(6) { 0 } else { 55 + 40 * (n % 6) };
    let n = number - 16;
    level(n / 36) << 16 | level(n / 6) << 8 | level(n)
}
