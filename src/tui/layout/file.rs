//! Layout files: what a person draws, and what is wrong with it.

use super::track::Track;
use super::{Area, Layout, PaneId, PaneKind, Spec, Variant};
use crate::error::{Error, Source, nearest};
use crate::read::{self, Read, Table, Value};
use crate::tui::mode::{LIST, Mode};
use crate::tui::panes;
use std::ops::Range;

const TOP: &[&str] = &["schema", "title", "about", "for", "focus", "theme", "pane", "variant"];
const PANE: &[&str] = &["kind", "title", "view", "filter", "options"];
const VARIANT: &[&str] = &["name", "columns", "rows", "areas", "tabs"];

/// How many panes, columns and rows there may be, each.
const MOST: usize = 32;

impl Layout {
    /// Whether a text means to be a layout: it has panes or variants.
    pub fn is_meant(source: &Source) -> bool {
        let document = read::document(source);
        document
            .is_ok_and(|top| ["pane", "variant"].iter().any(|key| top.get_ref().contains_key(*key)))
    }

    /// Reads a layout file. `name` is what to call the layout.
    ///
    /// # Errors
    /// Says where something is wrong, and what to write instead.
    pub fn parse(name: &str, source: &Source) -> Result<Layout, Error> {
        let document = read::document(source)?;
        let top = Table::new(source, document.get_ref(), "a layout file", TOP)?;
        schema(&top)?;
        let panes = panes(&top)?;
        let variants = variants(&top, &panes)?;
        let focus = top.get_or("focus", PaneId(0), |value| pane_of(value, &panes))?;
        let layout = Layout {
            name: name.to_owned(),
            title: top.get_or("title", name.to_owned(), |value| value.line(40))?,
            about: top.get_or("about", String::new(), |value| value.line(200))?,
            suits: top.get_or("for", Vec::new(), |value| {
                value.list()?.iter().map(|word| word.line(20)).collect()
            })?,
            theme: top.get("theme").map(|value| value.line(200)).transpose()?,
            focus,
            file: None,
            declared: panes.len(),
            panes,
            variants,
        };
        Ok(layout.complete())
    }
}

fn schema(top: &Table<'_>) -> Read<()> {
    top.get_or("schema", (), |value| match value.number(0..=u32::MAX)? {
        1 => Ok(()),
        other => {
            let what = format!("schema {other}: this program reads schema 1");
            Err(value.wrong(what, "another form of layout files"))
        }
    })
}

/// An error at a value that is none of `known`.
fn unknown<'a>(
    value: &Value<'_>,
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Error {
    let error = value.wrong(format!("unknown {what} '{word}'"), format!("no such {what}"));
    match nearest(word, known.clone()) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error.help(format!("known: {}", known.collect::<Vec<_>>().join(", "))),
    }
}

// -- panes ---------------------------------------------------------------------------------------

fn panes(top: &Table<'_>) -> Read<Vec<Spec>> {
    let table = top.get("pane").ok_or_else(|| {
        Error::new("a layout needs panes").help("write [pane.nodes], [pane.timeline] and so on")
    })?;
    let entries = table.open_table()?.entries();
    if entries.is_empty() || entries.len() > MOST {
        return Err(table.wrong_key(format!("a layout has 1 to {MOST} panes"), "here"));
    }
    entries.iter().map(pane).collect()
}

fn pane(value: &Value<'_>) -> Read<Spec> {
    let id = value.key();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if id.is_empty() || id.len() > 20 || !id.chars().all(plain) {
        let what = "a pane is named by up to 20 letters, digits, '-' and '_'";
        return Err(value.wrong_key(what, "this is none"));
    }
    let table = value.table(&format!("[pane.{id}]"), PANE)?;
    let (kind, slot) = match table.get("kind") {
        Some(kind) if kind.is_text() => (kind_of(&kind)?, Vec::new()),
        Some(kinds) => {
            let slot = slot(&kinds, &table)?;
            (slot[0], slot)
        }
        None => (kind_named(value)?, Vec::new()),
    };
    let title = table.get("title").map(|title| title.line(20)).transpose()?;
    let mut mode = table.get_or("view", Mode::default(), |value| view(value, kind))?;
    if let Some(filter) = table.get("filter") {
        option(&filter, kind, &mut mode)?;
    }
    if let Some(options) = table.get("options") {
        for value in options.open_table()?.entries() {
            option(&value, kind, &mut mode)?;
        }
    }
    Ok(Spec { id: id.to_owned(), slot, title, mode, ..Spec::new(kind) })
}

/// The kind that a value names.
fn kind_of(value: &Value<'_>) -> Read<PaneKind> {
    let word = value.text()?;
    let ids = PaneKind::ALL.iter().map(|kind| kind.id());
    PaneKind::with_id(word).ok_or_else(|| unknown(value, "kind", word, ids))
}

/// The kind that a pane has by its name.
fn kind_named(pane: &Value<'_>) -> Read<PaneKind> {
    let id = pane.key();
    let ids = PaneKind::ALL.iter().map(|kind| kind.id());
    PaneKind::with_id(id).ok_or_else(|| {
        let error = pane.wrong_key(format!("unknown kind '{id}'"), "no pane of that name");
        match nearest(id, ids.clone()) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error.help(format!("give it a kind: {}", ids.collect::<Vec<_>>().join(", "))),
        }
    })
}

/// What a slot may show.
fn slot(kinds: &Value<'_>, table: &Table<'_>) -> Read<Vec<PaneKind>> {
    let slot = kinds.list()?.iter().map(kind_of).collect::<Read<Vec<_>>>()?;
    if slot.is_empty() {
        return Err(kinds.wrong("a slot needs a kind", "empty").help("write one kind or more"));
    }
    match ["view", "filter", "options"].iter().find_map(|key| table.get(key)) {
        Some(set) => {
            let what = format!("'{}' is of one kind of pane", set.key());
            Err(set.wrong_key(what, "this pane has a list of kinds").help("name one kind"))
        }
        None => Ok(slot),
    }
}

fn view(value: &Value<'_>, kind: PaneKind) -> Read<Mode> {
    let word = value.text()?;
    let views = panes::pane(kind).views();
    let known = views.iter().copied().chain([LIST]);
    Mode::default().in_view(views, word).ok_or_else(|| unknown(value, "view", word, known))
}

fn option(value: &Value<'_>, kind: PaneKind, mode: &mut Mode) -> Read<()> {
    let options = panes::pane(kind).options();
    let Some(choice) = options.iter().find(|choice| choice.name == value.key()) else {
        let error = value.wrong_key(format!("unknown option '{}'", value.key()), "no such option");
        let names = options.iter().map(|choice| choice.name);
        return Err(match (nearest(value.key(), names.clone()), options) {
            (_, []) => error.help(format!("'{}' has no options", kind.id())),
            (Some(near), _) => error.help(format!("did you mean '{near}'?")),
            (None, _) => error.help(format!("known: {}", names.collect::<Vec<_>>().join(", "))),
        });
    };
    let word = value.line(80)?;
    let known = choice.values.iter().copied();
    if !choice.values.is_empty() && !choice.values.contains(&word.as_str()) {
        return Err(unknown(value, choice.name, &word, known));
    }
    mode.choose(choice, word);
    Ok(())
}

fn pane_of(value: &Value<'_>, panes: &[Spec]) -> Read<PaneId> {
    let word = value.text()?;
    let ids = panes.iter().map(|spec| spec.id.as_str());
    find(word, panes).ok_or_else(|| unknown(value, "pane", word, ids))
}

fn find(word: &str, panes: &[Spec]) -> Option<PaneId> {
    (0..).map(PaneId).zip(panes).find(|(_, spec)| spec.id == word).map(|(id, _)| id)
}

// -- variants ------------------------------------------------------------------------------------

fn variants(top: &Table<'_>, panes: &[Spec]) -> Read<Vec<Variant>> {
    let list = top.get("variant").ok_or_else(|| {
        Error::new("a layout needs a variant")
            .help("write [[variant]], with columns, rows and areas")
    })?;
    let list = list.list().map_err(|error| error.help("write [[variant]], in double brackets"))?;
    (1..).zip(list).map(|(number, value)| variant(number, &value, panes)).collect()
}

/// A variant while it is read.
struct Draft<'a> {
    panes: &'a [Spec],
    tabs: Vec<Value<'a>>,
    lines: Vec<Value<'a>>,
    /// The words, line by line.
    grid: Vec<Vec<&'a str>>,
}

fn variant(number: usize, value: &Value<'_>, panes: &[Spec]) -> Read<Variant> {
    let table = value.table("[[variant]]", VARIANT)?;
    let need = |key: &str| {
        let missing = || value.wrong(format!("a variant needs {key}"), "it is not here");
        table.get(key).ok_or_else(missing)
    };
    let (columns, rows) = (tracks(&need("columns")?)?, tracks(&need("rows")?)?);
    let areas = need("areas")?;
    let tabs = match table.get("tabs") {
        Some(tabs) => tabs.open_table()?.entries(),
        None => Vec::new(),
    };
    let lines = areas.list()?;
    let texts = lines.iter().map(Value::text).collect::<Read<Vec<_>>>()?;
    let grid: Vec<Vec<&str>> = texts.iter().map(|text| text.split_whitespace().collect()).collect();
    if grid.len() != rows.len() {
        let what = format!("areas needs {} lines, one a row", rows.len());
        return Err(areas.wrong_key(what, format!("it has {}", grid.len())));
    }
    let odd = lines.iter().zip(&grid).find(|(_, words)| words.len() != columns.len());
    if let Some((line, words)) = odd {
        let what = format!("every line of areas needs {} words, one a column", columns.len());
        return Err(line.wrong(what, format!("{} here", words.len())));
    }
    let draft = Draft { panes, tabs, lines, grid };
    let name = table.get_or("name", number.to_string(), |value| value.line(20))?;
    Ok(Variant { name, columns, rows, areas: draft.areas()? })
}

fn tracks(value: &Value<'_>) -> Read<Vec<Track>> {
    let list = value.list()?;
    if list.is_empty() || list.len() > MOST {
        let what = format!("'{}' has 1 to {MOST} sizes", value.key());
        return Err(value.wrong(what, format!("{} here", list.len())));
    }
    let track = |item: &Value<'_>| {
        let forms = r#"write a number of cells ("9"), a share ("1fr") or "8..1fr""#;
        let text = item.text().map_err(|error| error.help(forms))?;
        let wrong = |()| item.wrong(format!("size '{text}'"), "not a size").help(forms);
        text.parse().map_err(wrong)
    };
    list.iter().map(track).collect()
}

impl<'a> Draft<'a> {
    /// Every area, in the order of reading; a pane stands in one of them at the most.
    fn areas(&self) -> Read<Vec<Area>> {
        let mut areas: Vec<Area> = Vec::new();
        for (row, words) in self.grid.iter().enumerate() {
            for word in words.iter().filter(|word| **word != ".") {
                if areas.iter().any(|area| area.word == *word) {
                    continue;
                }
                let area = self.area(word, row)?;
                let twice = |pane: &&PaneId| areas.iter().any(|other| other.panes.contains(pane));
                if let Some(pane) = area.panes.iter().find(twice) {
                    let id = &self.panes[pane.index()].id;
                    let what = format!("pane '{id}' stands twice");
                    return Err(self.lines[row].wrong(what, format!("again in '{word}'")));
                }
                areas.push(area);
            }
        }
        let unused = |tabs: &&Value<'_>| !areas.iter().any(|area| area.word == tabs.key());
        match self.tabs.iter().find(unused) {
            Some(tabs) => {
                let what = format!("no line of areas names the stack '{}'", tabs.key());
                Err(tabs.wrong_key(what, "it has no place"))
            }
            None => Ok(areas),
        }
    }

    /// The area of a word that was met in this row first.
    fn area(&self, word: &str, row: usize) -> Read<Area> {
        let rows = span(self.grid.iter().map(|line| line.contains(&word)));
        let width = self.grid[row].len();
        let columns = span((0..width).map(|at| self.grid.iter().any(|line| line[at] == word)));
        for at in rows.clone() {
            if self.grid[at][columns.clone()].iter().any(|other| *other != word) {
                let what = format!("area '{word}' is not a rectangle");
                return Err(self.lines[at].wrong(what, format!("'{word}' has a gap here")));
            }
        }
        let panes = self.members(word, row)?;
        Ok(Area { word: word.to_owned(), columns, rows, panes })
    }

    /// The panes that a word stands for.
    fn members(&self, word: &str, row: usize) -> Read<Vec<PaneId>> {
        let pane = find(word, self.panes);
        let tabs = self.tabs.iter().find(|tabs| tabs.key() == word);
        match (pane, tabs) {
            (Some(_), Some(tabs)) => {
                let what = format!("'{word}' is a pane and a stack of tabs");
                Err(tabs.wrong_key(what, "choose another name"))
            }
            (Some(pane), None) => Ok(vec![pane]),
            (None, Some(tabs)) => {
                let list = tabs.list()?;
                if list.is_empty() {
                    return Err(tabs.wrong(format!("tabs.{word} names no pane"), "empty"));
                }
                let mut panes = Vec::new();
                for tab in &list {
                    let pane = pane_of(tab, self.panes)?;
                    if panes.contains(&pane) {
                        return Err(
                            tab.wrong(format!("pane '{}' stands twice", tab.text()?), "again")
                        );
                    }
                    panes.push(pane);
                }
                Ok(panes)
            }
            (None, None) => {
                let stacks = self.tabs.iter().map(Value::key);
                let known = self.panes.iter().map(|spec| spec.id.as_str()).chain(stacks);
                let what = format!("there is no [pane.{word}] and no tabs.{word}");
                let error = self.lines[row].wrong(what, format!("'{word}' is unknown"));
                Err(match nearest(word, known) {
                    Some(near) => error.help(format!("did you mean '{near}'?")),
                    None => error.help("a dot is an empty cell"),
                })
            }
        }
    }
}

/// From the first to the last that is true.
fn span(flags: impl Iterator<Item = bool>) -> Range<usize> {
    let mut range = 0..0;
    for (at, _) in flags.enumerate().filter(|(_, flag)| *flag) {
        if range.is_empty() {
            range.start = at;
        }
        range.end = at + 1;
    }
    range
}
