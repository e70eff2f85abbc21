use super::table::Paint;
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

/// The smallest contrast of any role of a theme at both depths on the given backgrounds.
fn smallest_contrast(theme: &Theme, backgrounds: &[u32]) -> f64 {
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
    let dark = smallest_contrast(&Theme::Dark, &[BLACK]);
    let light = smallest_contrast(&Theme::Light, &[WHITE]);
    let neutral = smallest_contrast(&Theme::Neutral, &[BLACK, WHITE]);
    assert!(dark >= 4.5, "dark {dark}");
    assert!(light >= 4.5, "light {light}");
    assert!(neutral >= 3.5, "neutral {neutral}");
    let projector = smallest_contrast(&Theme::Projector, &[WHITE]);
    assert!(projector >= 4.5, "projector {projector}");
    // The measure itself: black on white is 21 by definition.
    assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
}

#[test]
fn groups_keep_the_plain_text_readable() {
    for group in 0..4 {
        for (theme, text) in [(Theme::Dark, 0xD0D0D0), (Theme::Light, 0x202020)] {
            if let Paint::Wash(tint) = paint(&theme, Role::Group(group)) {
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
fn chosen(flags: (Option<Theme>, ColorArg, Option<GlyphsArg>), env: &[(&str, &str)]) -> String {
    let theme = flags.0.map(|theme| (theme, "--theme"));
    let flags = Flags { theme, color: flags.1, glyphs: flags.2 };
    let look = Look::choose(&flags, &Env::of(env));
    let (theme, depth) = (&look.theme, look.depth);
    format!("{theme:?} {depth:?} {} ({})", look.glyphs.name, look.because)
}

#[test]
fn the_environment_decides_unless_the_command_line_does() {
    use {ColorArg as C, GlyphsArg as G, Theme as T};
    let none = (None, C::Auto, None);
    let check = |flags, env, expected: &str| assert_eq!(chosen(flags, env), expected);
    check(none.clone(), &[], "Neutral Sixteen ascii (background unknown)");
    check(
        none.clone(),
        &[("COLORFGBG", "15;0"), ("COLORTERM", "truecolor"), ("LANG", "en_GB.UTF-8")],
        "Dark True unicode (COLORFGBG)",
    );
    check(
        none.clone(),
        &[("COLORFGBG", "0;default;15"), ("TERM", "xterm-256color"), ("LC_ALL", "C.utf8")],
        "Light Cube unicode (COLORFGBG)",
    );
    check(
        none.clone(),
        &[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8"), ("COLORFGBG", "0;default")],
        "Neutral Sixteen ascii (background unknown)",
    );
    check(
        none.clone(),
        &[("TERM", "linux"), ("LANG", "en_GB.UTF-8")],
        "Neutral Sixteen ascii (background unknown)",
    );
    check(none.clone(), &[("NO_COLOR", "")], "Neutral Sixteen ascii (background unknown)");
    check(none.clone(), &[("NO_COLOR", "1"), ("COLORTERM", "24bit")], "Mono None ascii (NO_COLOR)");
    check(
        (Some(T::Dark), C::Auto, None),
        &[("NO_COLOR", "1"), ("TERM", "xterm-direct")],
        "Dark Cube ascii (--theme)",
    );
    check((None, C::True, None), &[("NO_COLOR", "1")], "Neutral True ascii (background unknown)");
    check((Some(T::Dark), C::Never, None), &[], "Mono None ascii (--color never)");
    check((Some(T::Mono), C::True, None), &[], "Mono None ascii (--theme)");
    check(
        none.clone(),
        &[("NETSPLIT_THEME", "light"), ("NETSPLIT_GLYPHS", "block")],
        "Light Sixteen block (NETSPLIT_THEME)",
    );
    check(
        (Some(T::Neutral), C::Cube, Some(G::Unicode)),
        &[("NETSPLIT_THEME", "no such theme"), ("NETSPLIT_GLYPHS", "ascii")],
        "Neutral Cube unicode (--theme)",
    );
}

/// The roles that stand side by side, as red, green and blue, at both depths. Fills are told apart
/// by their ground, so they are left out where a theme fills.
fn side_by_side(theme: &Theme, at: impl Fn(table::Tint) -> u32) -> Vec<u32> {
    let roles = [
        Role::Leader,
        Role::Follower,
        Role::Candidate,
        Role::Ok,
        Role::Bad,
        Role::Warn,
        Role::Down,
    ];
    let inks = roles.into_iter().filter_map(|role| match paint(theme, role) {
        Paint::Ink(tint) => Some(at(tint)),
        _ => None,
    });
    inks.collect()
}

/// The smallest difference between any two of these, for everybody.
fn nearest_pair(colours: &[u32]) -> f64 {
    let mut nearest = f64::INFINITY;
    for sight in vision::SIGHTS {
        for (at, a) in colours.iter().enumerate() {
            for b in &colours[..at] {
                nearest = nearest.min(vision::difference(sight.sees(*a), sight.sees(*b)));
            }
        }
    }
    nearest
}

#[test]
fn roles_can_be_told_apart_by_people_who_see_fewer_colours() {
    let measured = |theme: &Theme| {
        let rgb = nearest_pair(&side_by_side(theme, |tint| tint.rgb));
        let of_cube = nearest_pair(&side_by_side(theme, |tint| cube(tint.cube)));
        format!("{} {rgb:.1} {of_cube:.1}", theme.name())
    };
    assert_eq!(measured(&Theme::Dark), "dark 14.0 14.4");
    assert_eq!(measured(&Theme::Light), "light 6.8 10.2");
    assert_eq!(measured(&Theme::Neutral), "neutral 8.3 8.8");
}

#[test]
fn neighbours_on_the_ring_are_far_apart() {
    for (theme, least) in [(Theme::Dark, 13.0), (Theme::Light, 10.9)] {
        let ink = |n| match paint(&theme, Role::Identity(n)) {
            Paint::Ink(tint) => tint.rgb,
            _ => panic!("an identity is an ink"),
        };
        for n in 0..7 {
            let nearest = nearest_pair(&[ink(n), ink(n + 1)]);
            assert!(nearest >= least, "{} {n}: {nearest}", theme.name());
        }
    }
}

#[test]
fn a_projector_has_its_own_ground_in_every_cell() {
    let flags = Flags {
        theme: Some((Theme::Projector, "--theme")),
        color: ColorArg::True,
        glyphs: Some(GlyphsArg::Unicode),
    };
    let look = Look::choose(&flags, &Env::default());
    let mut buf = Buffer::empty(ratatui::layout::Rect::new(0, 0, 4, 2));
    buf.set_string(0, 0, "n1", look.style(Role::Leader));
    look.finish(&mut buf);
    for cell in &buf.content {
        assert_eq!(cell.bg, Color::Rgb(255, 255, 255));
        assert!(cell.modifier.contains(Modifier::BOLD));
    }
    assert_eq!(buf[(0, 0)].fg, Color::from_u32(0x65310B));
    assert_eq!(buf[(3, 1)].fg, Color::Rgb(0, 0, 0));
}

#[test]
fn the_terminal_is_asked_only_where_its_answer_comes_back() {
    let may = |vars: &[(&str, &str)]| Env::of(vars).may_ask();
    assert!(may(&[("TERM", "xterm-256color")]));
    for (name, value) in [
        ("SSH_CONNECTION", "1.2.3.4"),
        ("TMUX", "/tmp/tmux"),
        ("STY", "screen"),
        ("COLORFGBG", "15;0"),
    ] {
        assert!(!may(&[("TERM", "xterm"), (name, value)]), "{name}");
    }
    for term in ["", "linux", "dumb", "screen-256color", "tmux-256color"] {
        assert!(!may(&[("TERM", term)]), "{term}");
    }
    let dark = Env::of(&[("TERM", "xterm")]).answered(Some(true));
    assert_eq!(Look::choose(&Flags::default(), &dark).theme, Theme::Dark);
    let light = Env::of(&[("TERM", "xterm")]).answered(Some(false));
    assert_eq!(Look::choose(&Flags::default(), &light).theme, Theme::Light);
}
