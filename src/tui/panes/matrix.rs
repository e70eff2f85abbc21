//! Every pane in each of its views, a node's whole state and the brush for partitions, on screens
//! of every size, for few nodes and for many, in pictures and in letters, in its place and zoomed.
//!
//! All these pictures would fill megabytes. So `matrix/NAME.txt` keeps a line for each: a digest of
//! the whole (title, characters, roles), and two characters for each row that is not empty. Where
//! one differs the test shows the picture, `>` before the rows that are not what they were and
//! their roles below. `UPDATE_GOLDENFILES=1 cargo test --lib matrix` writes the digests anew; what
//! must be read is in the albums, in full.

use super::album::{runs, story};
use super::sample::{Story, n};
use super::*;
use crate::tui::glyph;
use crate::tui::paint::Paint;
use crate::tui::select::Target;
use crate::tui::theme::{GlyphsArg, Role};
use std::collections::BTreeMap;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

const SCREENS: [(u16, u16); 5] = [(40, 10), (60, 20), (80, 24), (120, 36), (200, 60)];
const NODES: [u16; 4] = [3, 5, 9, 50];

/// A picture: its name, and its rows as pieces of text in a role.
struct Page {
    name: String,
    rows: Vec<Vec<(u16, String, Role)>>,
}

/// What is drawn around the middle of a screen of this size. Nothing may be outside of `area`, and
/// every character must be one cell wide and of the set.
fn page(story: &Story, area: Rect, draw: impl FnOnce(&Scene<'_>, &mut Buffer) -> String) -> Page {
    let around = Rect::new(0, 0, area.right() + 2, area.bottom() + 2);
    let mut buf = Buffer::filled(around, ratatui::buffer::Cell::new("@"));
    story.with(|scene| {
        // An area is cleared before it is drawn in.
        area.positions().for_each(|at| buf[at].reset());
        let name = draw(scene, &mut buf);
        let ascii = story.glyphs == GlyphsArg::Ascii;
        for at in around.positions() {
            let symbol = buf[at].symbol();
            match area.contains(at) {
                false => assert_eq!(symbol, "@", "{name}: {at} is outside of {area}"),
                true => assert!(symbol.width() == 1, "{name}: {symbol:?} at {at}"),
            }
        }
        if ascii {
            glyph::keep_ascii(&mut buf);
        }
        let rows = area.rows().map(|row| runs(scene.look, &buf, row)).collect();
        Page { name, rows }
    })
}

impl Page {
    /// Its rows without the empty ones at its end.
    fn filled(&self) -> impl Iterator<Item = &Vec<(u16, String, Role)>> {
        let empty = |row: &Vec<(u16, String, Role)>| {
            let mut runs = row.iter();
            runs.all(|(_, text, role)| *role == Role::Text && text.trim().is_empty())
        };
        let end = self.rows.iter().rposition(|row| !empty(row)).map_or(0, |last| last + 1);
        self.rows[..end].iter()
    }

    fn digests(&self) -> String {
        let rows: Vec<String> = self.filled().map(|row| format!("{row:?}")).collect();
        let whole = digest(&format!("{}\n{}", self.name, rows.join("\n")), 6);
        let rows: String = rows.iter().map(|row| digest(row, 2)).collect();
        format!("{whole} {rows}")
    }

    /// How it looks, marked where `before` was different.
    fn show(&self, before: &str) -> String {
        let before = before.split(' ').nth(1).unwrap_or_default();
        let mut text = format!("== {}\n", self.name);
        for (at, row) in self.filled().enumerate() {
            let same = before.get(at * 2..at * 2 + 2) == Some(&digest(&format!("{row:?}"), 2));
            let words: String = row.iter().map(|(_, text, _)| text.as_str()).collect();
            text.push_str(&format!("{}|{words}|\n", if same { ' ' } else { '>' }));
            let roles = row.iter().filter(|(.., role)| !same && *role != Role::Text);
            roles.for_each(|(x, _, role)| text.push_str(&format!("    {x}: {role:?}\n")));
        }
        text
    }
}

/// FNV-1a in so many characters of six bits each.
fn digest(text: &str, len: u32) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let letters = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    // The high bits depend on all bytes.
    let letter = |at: u32| char::from(letters[(hash >> (58 - 6 * at)) as usize % 64]);
    (0..len).map(letter).collect()
}

/// The story of few nodes and of many.
fn stories() -> Vec<(u16, Story)> {
    NODES.into_iter().map(|nodes| (nodes, story(nodes))).collect()
}

/// All pictures that `draw` makes of the stories, by what they show.
fn pages(
    stories: &mut [(u16, Story)],
    forms: &[&str],
    mut draw: impl FnMut(&mut Story, &str, (u16, u16)) -> Page,
) -> BTreeMap<String, Page> {
    let mut pages = BTreeMap::new();
    for (nodes, story) in stories {
        for glyphs in [GlyphsArg::Unicode, GlyphsArg::Ascii] {
            story.glyphs = glyphs;
            for (size, form) in SCREENS.iter().flat_map(|size| forms.iter().map(move |f| (size, f)))
            {
                let set = if glyphs == GlyphsArg::Ascii { "letters" } else { "pictures" };
                let name = format!("{nodes} nodes, {}x{} {set} {form}", size.0, size.1);
                pages.insert(name, draw(story, form, *size));
            }
        }
    }
    pages
}

/// Fails, and shows what changed, if the pictures are not those that are kept.
fn compare(name: &str, pages: &BTreeMap<String, Page>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui/panes/matrix");
    let path = path.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        let lines = pages.iter().map(|(name, page)| format!("{name}: {}\n", page.digests()));
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let kept: BTreeMap<&str, &str> = kept.lines().filter_map(|l| l.split_once(": ")).collect();
    let before = |name: &String| kept.get(name.as_str()).copied().unwrap_or_default();
    let changed = pages.iter().filter(|(name, page)| before(name) != page.digests());
    let changed: Vec<String> =
        changed.map(|(name, page)| format!("{name}\n{}", page.show(before(name)))).collect();
    let some = changed.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
    let count = changed.len();
    assert!(
        count == 0,
        "{some}\n{name}: {count} pictures changed; UPDATE_GOLDENFILES=1 keeps them"
    );
    assert_eq!(kept.len(), pages.len(), "{name}: pictures that nobody draws are kept");
}

/// A pane inside its borders, between the first row of a screen and the last two.
fn of_pane(stories: &mut [(u16, Story)], kind: PaneKind) -> BTreeMap<String, Page> {
    let views = pane(kind).views().iter().copied().chain([crate::tui::mode::LIST]);
    let forms: Vec<String> =
        views.flat_map(|view| [view.to_owned(), format!("{view}, zoomed")]).collect();
    let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
    pages(stories, &forms, |story, form, (width, height)| {
        let view = form.trim_end_matches(", zoomed");
        story.mode = Mode::default().in_view(pane(kind).views(), view).unwrap();
        story.zoomed = view != form;
        let area = Rect::new(1, 2, width - 2, height - 4);
        page(story, area, |scene, buf| {
            draw(kind, scene, area, buf);
            let title = title(kind, scene);
            let call = if title.trouble { " !" } else { "" };
            format!("{}: {}{call}", title.name.unwrap_or_default(), title.summary)
        })
    })
}

#[test]
fn every_pane_is_what_it_was_at_every_size() {
    let mut stories = stories();
    for kind in PaneKind::ALL {
        compare(kind.id(), &of_pane(&mut stories, kind));
    }
}

#[test]
fn all_that_is_known_of_one_thing_is_what_it_was_at_every_size() {
    let pages =
        pages(&mut stories(), &["node", "link", "message"], |story, form, (width, height)| {
            let target = match form {
                "node" => Target::Node(n(2)),
                "link" => Target::Link(n(1), n(3)),
                _ => Target::Message(crate::base::MsgId(2)),
            };
            let area = Rect::new(0, 0, width, height);
            page(story, area, |scene, buf| {
                inspect::draw(scene, &target, 0, area, buf);
                form.to_owned()
            })
        });
    compare("inspect", &pages);
}

#[test]
fn the_brush_is_what_it_was_at_every_size() {
    let pages = pages(&mut stories(), &["nothing", "halves"], |story, form, (width, height)| {
        let area = Rect::new(0, 0, width, height);
        page(story, area, |scene, buf| {
            let nodes = scene.board.nodes.ids().iter().copied().filter(|id| !id.is_client());
            let mut paint = Paint::new(nodes, Some(n(1)), n(2));
            if form == "halves" {
                paint.key(&crossterm::event::KeyCode::Char('2').into(), None);
            }
            paint.draw(scene.look, area, scene.spots, buf);
            form.to_owned()
        })
    });
    compare("partition", &pages);
}

#[test]
fn a_changed_row_is_shown_with_its_mark() {
    let row = |text: &str| vec![(0, text.to_owned(), Role::Text)];
    let page =
        |rows: &[&str]| Page { name: "x".into(), rows: rows.iter().map(|r| row(r)).collect() };
    let (before, now) = (page(&["one", "two", "  "]), page(&["one", "too", "  "]));
    assert_ne!(before.digests(), now.digests());
    assert_eq!(now.show(&before.digests()), "== x\n |one|\n>|too|\n");
}
