//! Keys: their text form, and which action each one asks for.
//!
//! Keys are written as words, `Ctrl+C`, `Shift+Tab`, `PgUp`, because the usual symbols are missing
//! from many fonts. A letter stands for itself: `G` is what Shift and `g` send. What help and the
//! hint bar show is read from the same [`Keymap`] that dispatches, so they cannot disagree.

use super::action::{ACTIONS, Action, Group, Live, Row};
use crate::error::nearest;
use crate::read::{Read, Value};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::fmt;
use std::str::FromStr;
use unicode_width::UnicodeWidthStr;

/// A key with the modifiers that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// The keys that have a word.
const WORDS: [(&str, KeyCode); 15] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Space", KeyCode::Char(' ')),
    ("Tab", KeyCode::Tab),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
];

const MODIFIERS: [(&str, KeyModifiers); 3] = [
    ("Ctrl+", KeyModifiers::CONTROL),
    ("Alt+", KeyModifiers::ALT),
    ("Shift+", KeyModifiers::SHIFT),
];

impl Key {
    /// Terminals tell the same key in several ways; this makes one of them.
    fn new(code: KeyCode, modifiers: KeyModifiers) -> Key {
        match code {
            KeyCode::BackTab => Key { code: KeyCode::Tab, modifiers: KeyModifiers::SHIFT },
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => Key {
                code: KeyCode::Char(c.to_ascii_lowercase()),
                modifiers: modifiers - KeyModifiers::SHIFT,
            },
            // The character says already whether Shift was held.
            KeyCode::Char(_) => Key { code, modifiers: modifiers - KeyModifiers::SHIFT },
            _ => Key { code, modifiers },
        }
    }
}

impl From<&KeyEvent> for Key {
    fn from(event: &KeyEvent) -> Key {
        Key::new(event.code, event.modifiers)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, modifier) in MODIFIERS {
            if self.modifiers.contains(modifier) {
                f.write_str(word)?;
            }
        }
        match (WORDS.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((word, _)), _) => f.write_str(word),
            (None, KeyCode::Char(c)) if !self.modifiers.is_empty() => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "F{n}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Key, String> {
        let mut modifiers = KeyModifiers::empty();
        let mut rest = text;
        for (word, modifier) in MODIFIERS {
            if let Some(after) = rest.strip_prefix(word).filter(|after| !after.is_empty()) {
                modifiers |= modifier;
                rest = after;
            }
        }
        let word = WORDS.iter().find(|(word, _)| *word == rest).map(|(_, code)| *code);
        let function = || rest.strip_prefix('F')?.parse().ok().map(KeyCode::F);
        let mut chars = rest.chars();
        let letter = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_whitespace() && !c.is_control() => Some(KeyCode::Char(c)),
            _ => None,
        };
        match word.or(letter).or_else(function) {
            Some(code) => Ok(Key::new(code, modifiers)),
            None => Err(format!("no key '{text}': write a letter, Space, Tab, PgUp, F1, Ctrl+C")),
        }
    }
}

/// Keys that a person has given to actions, instead of their usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings(Vec<(Action, Vec<Key>)>);

impl Bindings {
    /// Reads a table of actions and their keys. No key may ask for two things.
    ///
    /// # Errors
    /// There is no such action or no such key, or a key asks for something else already.
    pub fn read(value: &Value<'_>) -> Read<Bindings> {
        let entries = value.open_table()?.entries();
        let mut own = Bindings::default();
        for entry in &entries {
            let row = ACTIONS.iter().find(|row| row.name == entry.key()).ok_or_else(|| {
                let error =
                    entry.wrong_key(format!("unknown action '{}'", entry.key()), "no action");
                match nearest(entry.key(), ACTIONS.iter().map(|row| row.name)) {
                    Some(near) => error.help(format!("did you mean '{near}'?")),
                    None => error.help("'netsplit keys' lists them"),
                }
            })?;
            let words = if entry.is_text() { vec![entry.clone()] } else { entry.list()? };
            if words.is_empty() {
                return Err(entry.wrong("an action needs a key", "none"));
            }
            let key = |word: &Value<'_>| {
                word.text()?.parse::<Key>().map_err(|why| word.wrong(why, "no key"))
            };
            own.0.push((row.action, words.iter().map(key).collect::<Read<_>>()?));
        }
        for entry in &entries {
            own.unique(entry)?;
        }
        Ok(own)
    }

    /// Says which key of an action asks for something else, or twice for this.
    fn unique(&self, entry: &Value<'_>) -> Read<()> {
        let Some(row) = ACTIONS.iter().find(|row| row.name == entry.key()) else { return Ok(()) };
        for (at, key) in self.of(row).iter().enumerate() {
            let others = ACTIONS.iter().filter(|other| other.action != row.action);
            let other = others.into_iter().find(|other| self.of(other).contains(key));
            if let Some(other) = other {
                let what = format!("{key} asks for '{}' already", other.name);
                let help = format!("give '{}' another key, too", other.name);
                return Err(entry.wrong(what, "one key, two meanings").help(help));
            }
            if self.of(row)[..at].contains(key) {
                return Err(entry.wrong(format!("{key} stands twice"), "once is enough"));
            }
        }
        Ok(())
    }

    /// The keys of an action.
    fn of(&self, row: &Row) -> Vec<Key> {
        let own = self.0.iter().find(|(action, _)| *action == row.action);
        let key = |text: &&str| text.parse().expect("a test reads every key of the table");
        own.map_or_else(|| row.keys.iter().map(key).collect(), |(_, keys)| keys.clone())
    }
}

/// The press of the key that a text names.
///
/// # Errors
/// It names none.
pub fn press(text: &str) -> Result<KeyEvent, String> {
    let key: Key = text.parse()?;
    Ok(KeyEvent::new(key.code, key.modifiers))
}

/// Which key asks for what.
#[derive(Clone, Debug)]
pub struct Keymap {
    rows: Vec<(Key, &'static Row)>,
    /// Whether the cluster is live, so that some keys mean something else.
    live: bool,
}

/// One entry of the hint bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHint {
    /// The keys, such as `,/.`.
    pub keys: String,
    /// What they do, in a word.
    pub word: &'static str,
    /// What they ask for, in their order.
    pub actions: Vec<Action>,
}

impl KeyHint {
    /// Cells it takes; two more stand between it and the next one.
    fn width(&self) -> usize {
        self.keys.width() + 1 + self.word.width()
    }
}

impl Default for Keymap {
    fn default() -> Keymap {
        Keymap::new(false, &Bindings::default())
    }
}

impl Keymap {
    /// The usual keys, for a live cluster or for one whose time can be steered.
    ///
    /// What `own` says of an action replaces its usual keys.
    pub fn new(live: bool, own: &Bindings) -> Keymap {
        let rows =
            ACTIONS.iter().flat_map(|row| own.of(row).into_iter().map(move |key| (key, row)));
        Keymap { rows: rows.collect(), live }
    }

    /// The same keys, for a live cluster or for one whose time can be steered.
    #[must_use]
    pub fn of(self, live: bool) -> Keymap {
        Keymap { live, ..self }
    }

    /// What a key press asks for. Releases ask for nothing, and only movements repeat: some
    /// terminals tell every change of a key.
    pub fn action(&self, event: &KeyEvent) -> Option<Action> {
        let key = Key::from(event);
        let (_, row) = self.rows.iter().find(|(bound, _)| *bound == key)?;
        match event.kind {
            KeyEventKind::Press => Some(row.action),
            KeyEventKind::Repeat if row.repeats => Some(row.action),
            KeyEventKind::Repeat | KeyEventKind::Release => None,
        }
    }

    /// The keys of an action as they are now, the one to show first.
    pub fn keys(&self, row: &Row) -> Vec<Key> {
        let rows = self.rows.iter().filter(|(_, at)| at.action == row.action);
        rows.map(|(key, _)| *key).collect()
    }

    /// The key of an action to show where there is room for one; empty if it has none.
    pub fn shown(&self, action: Action) -> String {
        let row = ACTIONS.iter().find(|row| row.action == action);
        let key = row.and_then(|row| self.keys(row).first().copied());
        key.map(|key| key.to_string()).unwrap_or_default()
    }

    /// The hints that have room in `width` cells, in the order of the table, the most useful ones
    /// kept. The way to help is always there.
    pub fn hints(&self, width: usize) -> Vec<KeyHint> {
        let mut hints: Vec<(u8, KeyHint, Vec<Key>)> = Vec::new();
        for row in ACTIONS {
            let (Some(hint), Some(key)) = (row.hint, self.keys(row).first().copied()) else {
                continue;
            };
            let word = match row.live.filter(|_| self.live) {
                Some(Live::Refused) => continue,
                Some(Live::Means(word, _)) => word,
                None => hint.word,
            };
            match hints.iter_mut().find(|(_, known, _)| known.word == word) {
                Some((_, hint, keys)) => {
                    hint.actions.push(row.action);
                    keys.push(key);
                }
                None => {
                    let actions = vec![row.action];
                    let known = KeyHint { keys: String::new(), word, actions };
                    hints.push((hint.rank, known, vec![key]));
                }
            }
        }
        for (_, hint, keys) in &mut hints {
            hint.keys = joined(keys, "/");
        }
        while hints.len() > 1
            && hints.iter().map(|(_, hint, _)| hint.width() + 2).sum::<usize>() > width + 2
        {
            let last = hints.iter().enumerate().max_by_key(|(_, (rank, ..))| *rank);
            let Some((at, _)) = last else { break };
            hints.remove(at);
        }
        hints.into_iter().map(|(_, hint, _)| hint).collect()
    }

    /// The actions under a heading: their keys, their names, and what they do.
    pub fn table(&self, group: Group) -> Vec<(String, &'static str, &'static str)> {
        let rows = ACTIONS.iter().filter(|row| row.group == group);
        rows.map(|row| (joined(&self.keys(row), " "), row.name, row.doc)).collect()
    }

    /// The lines of help under a heading: keys, and what they do.
    pub fn help(&self, group: Group) -> Vec<(String, &'static str)> {
        let mut lines: Vec<(Vec<Vec<Key>>, &'static str)> = Vec::new();
        for row in ACTIONS.iter().filter(|row| row.group == group) {
            let keys = self.keys(row);
            let doc = match row.live.filter(|_| self.live) {
                Some(Live::Means(_, doc)) => doc,
                Some(Live::Refused) => "Only a simulated cluster can go back in time.",
                None => row.doc,
            };
            match lines.iter_mut().find(|(_, known)| *known == doc) {
                _ if keys.is_empty() => {}
                Some((known, _)) => known.push(keys),
                None => lines.push((vec![keys], doc)),
            }
        }
        // All first keys, then all second ones: `Left Down Up Right h j k l`.
        let in_order = |rows: &[Vec<Key>]| -> Vec<Key> {
            let most = rows.iter().map(Vec::len).max().unwrap_or(0);
            (0..most)
                .flat_map(|at| rows.iter().filter_map(move |row| row.get(at)))
                .copied()
                .collect()
        };
        lines.into_iter().map(|(rows, doc)| (joined(&in_order(&rows), " "), doc)).collect()
    }
}

/// Keys in a row as text; neighbouring digits as a range, the four arrows as a word.
fn joined(keys: &[Key], between: &str) -> String {
    const ARROWS: [KeyCode; 4] = [KeyCode::Left, KeyCode::Down, KeyCode::Up, KeyCode::Right];
    let mut parts: Vec<String> = Vec::new();
    let mut rest = keys;
    while let Some((first, others)) = rest.split_first() {
        let digit = |key: &Key, after: usize| match (first.code, key.code) {
            (KeyCode::Char(a), KeyCode::Char(b)) => {
                a.is_ascii_digit() && b.is_ascii_digit() && a as usize + after == b as usize
            }
            _ => false,
        };
        let digits = rest.iter().enumerate().take_while(|(at, key)| digit(key, *at)).count();
        if rest.len() >= 4 && rest.iter().zip(ARROWS).all(|(key, code)| key.code == code) {
            parts.push("arrows".to_owned());
            rest = &rest[4..];
        } else if digits > 2 {
            parts.push(format!("{first}-{}", rest[digits - 1]));
            rest = &rest[digits..];
        } else {
            parts.push(first.to_string());
            rest = others;
        }
    }
    parts.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(text: &str) -> KeyEvent {
        let key: Key = text.parse().unwrap();
        KeyEvent::new(key.code, key.modifiers)
    }

    fn bar(keymap: &Keymap, width: usize) -> String {
        let hints = keymap.hints(width);
        hints
            .iter()
            .map(|hint| format!("{}:{}", hint.keys, hint.word))
            .collect::<Vec<_>>()
            .join("  ")
    }

    #[test]
    fn keys_print_as_they_are_read() {
        for text in [
            "a",
            "G",
            "?",
            ":",
            "+",
            "1",
            "é",
            "Space",
            "Esc",
            "Tab",
            "Shift+Tab",
            "Ctrl+C",
            "Ctrl++",
            "PgUp",
            "F1",
            "F12",
            "Alt+X",
            "Ctrl+Left",
            "Ctrl+Alt+Delete",
        ] {
            assert_eq!(text.parse::<Key>().map(|key| key.to_string()), Ok(text.to_owned()));
        }
        for text in ["", " ", "Ctrl+", "ctrl+c", "F999", "gg", "Shift"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_key_stands_twice_and_every_key_can_be_read() {
        let mut known = Vec::new();
        for row in ACTIONS {
            for text in row.keys {
                let key: Key = text.parse().unwrap();
                assert_eq!(&key.to_string(), text);
                assert!(!known.contains(&key), "{text}");
                known.push(key);
            }
        }
    }

    #[test]
    fn the_same_key_told_in_several_ways_is_one_key() {
        let keymap = Keymap::default();
        let told = |code, modifiers| keymap.action(&KeyEvent::new(code, modifiers));
        let (none, shift) = (KeyModifiers::empty(), KeyModifiers::SHIFT);
        assert_eq!(told(KeyCode::BackTab, shift), Some(Action::PreviousPane));
        assert_eq!(told(KeyCode::BackTab, none), Some(Action::PreviousPane));
        assert_eq!(told(KeyCode::Char('G'), shift), Some(Action::Last));
        assert_eq!(told(KeyCode::Char('G'), none), Some(Action::Last));
        assert_eq!(told(KeyCode::Char('?'), shift), Some(Action::Help));
        assert_eq!(told(KeyCode::Char('C'), KeyModifiers::CONTROL), Some(Action::Interrupt));
        assert_eq!(told(KeyCode::Char('7'), none), Some(Action::Pane(7)));
        assert_eq!(told(KeyCode::Char('q'), KeyModifiers::ALT), None);
        assert_eq!(told(KeyCode::Char('q'), KeyModifiers::CONTROL), None);
    }

    #[test]
    fn releases_do_nothing_and_only_movement_repeats() {
        let keymap = Keymap::default();
        let told = |text, kind| keymap.action(&KeyEvent { kind, ..press(text) });
        assert_eq!(told("j", KeyEventKind::Repeat), Some(Action::Down));
        assert_eq!(told("x", KeyEventKind::Repeat), None);
        assert_eq!(told("x", KeyEventKind::Press), Some(Action::Break));
        assert_eq!(told("x", KeyEventKind::Release), None);
    }

    #[test]
    fn the_hint_bar_keeps_what_is_most_useful() {
        let keymap = Keymap::default();
        let wide = bar(&keymap, 240);
        for width in [0, 6, 40, 78, 120, 140] {
            let bar = bar(&keymap, width);
            assert!(bar.starts_with("?:help") && bar.len() <= width.max(6), "{bar}");
            assert!(bar.split("  ").all(|hint| wide.contains(hint)), "{bar}");
        }
        assert!(bar(&keymap, 40).contains("q:quit"));
        assert!(bar(&keymap, 78).contains("Space:run") && bar(&keymap, 78).contains(",/.:step"));
    }

    #[test]
    fn a_live_cluster_is_offered_no_undo() {
        let keymap = Keymap::new(true, &Bindings::default());
        let hints = bar(&keymap, 140);
        assert!(hints.contains("Space:hold") && !hints.contains("undo"), "{hints}");
        let help = keymap.help(Group::Time);
        let line = |keys: &str| help.iter().find(|line| line.0 == keys).map(|line| line.1);
        assert_eq!(line("Space"), Some("Hold what you see, or return to now."));
        assert_eq!(line("( ) = B R u U"), Some("Only a simulated cluster can go back in time."));
    }

    #[test]
    fn hints_and_help_follow_the_keys_as_they_are() {
        let mut keymap = Keymap::default();
        let row = ACTIONS.iter().find(|row| row.action == Action::Help).unwrap();
        keymap.rows.retain(|(_, row)| row.action != Action::Help);
        keymap.rows.push(("K".parse().unwrap(), row));
        assert_eq!(bar(&keymap, 0), "K:help");
        assert_eq!(keymap.help(Group::Find)[0], ("K".to_owned(), "Show or hide this help."));
    }

    #[test]
    fn help_shows_every_key_once() {
        let keymap = Keymap::default();
        let lines: Vec<_> = Group::ALL.iter().flat_map(|group| keymap.help(*group)).collect();
        let text = |doc: &str| lines.iter().find(|line| line.1.starts_with(doc)).unwrap().0.clone();
        assert_eq!(text("Move the selection"), "arrows h j k l");
        assert_eq!(text("Go to the pane with"), "1-9");
        assert_eq!(text("One event"), ", .");
        assert_eq!(text("First row"), "g Home");
        let folded = ACTIONS.iter().map(|row| row.doc).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(lines.len(), folded.len());
    }
}
