//! What a person has set up for good: settings, layouts and themes in a directory of one's own.
//!
//! ```toml
//! theme  = "light"               # a name, or a file
//! glyphs = "block"
//! color  = "256"
//! layout = "ring"
//! [keys]                         # 'netsplit keys' lists the actions
//! help = ["?", "F1"]
//! quit = "Q"
//! ```
//!
//! No setting is needed, and the command line wins over all of them.

use super::keys::Bindings;
use super::layout::{Layout, Library};
use super::theme::{ColorArg, Flags, GlyphsArg, Themes};
use crate::error::{Error, Source, nearest};
use crate::read::{self, Read, Table, Value};
use clap::ValueEnum;
use etcetera::AppStrategy as _;
use std::path::PathBuf;

/// The name of the file of settings.
const FILE: &str = "config.toml";
const TOP: &[&str] = &["theme", "glyphs", "color", "layout", "keys"];

/// The person's files, if they may be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    dir: Option<PathBuf>,
}

/// What the command line asks of the screen; whatever it leaves out is up to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `--theme`: a name or a file; `auto` leaves it to what is detected.
    pub theme: Option<String>,
    /// `--color`.
    pub color: ColorArg,
    /// `--glyphs`.
    pub glyphs: Option<GlyphsArg>,
    /// `--layout`: a name or a file.
    pub layout: Option<String>,
}

/// All that can be chosen about the screen, chosen.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How it looks.
    pub flags: Flags,
    /// Which panes it has, and where.
    pub layout: Layout,
    /// Where other layouts are.
    pub library: Library,
    /// Where other themes are.
    pub themes: Themes,
    /// The keys that are not the usual ones.
    pub keys: Bindings,
}

/// What `config.toml` says.
#[derive(Debug, Default)]
struct Settings {
    theme: Option<String>,
    color: Option<ColorArg>,
    glyphs: Option<GlyphsArg>,
    layout: Option<String>,
    keys: Bindings,
}

impl Config {
    /// `$XDG_CONFIG_HOME/netsplit`, or `~/.config/netsplit`; on every system, so that the same
    /// files serve on all of them.
    pub fn find() -> Config {
        let args = etcetera::AppStrategyArgs { app_name: "netsplit".into(), ..Default::default() };
        let strategy = etcetera::app_strategy::Xdg::new(args).ok();
        Config { dir: strategy.map(|strategy| strategy.config_dir()) }
    }

    /// Files at a place of one's own.
    pub fn at(dir: impl Into<PathBuf>) -> Config {
        Config { dir: Some(dir.into()) }
    }

    /// The file of settings, whether there is one or not.
    pub fn file(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(FILE))
    }

    /// Where layouts are: beside the clusters one works on, then among one's own.
    pub fn layouts(&self) -> Library {
        let own = self.dir.iter().map(|dir| dir.join("layouts"));
        Library::of([PathBuf::from("layouts")].into_iter().chain(own))
    }

    /// Where themes are.
    pub fn themes(&self) -> Themes {
        Themes::of(self.dir.as_ref().map(|dir| dir.join("themes")))
    }

    /// The keys that are not the usual ones.
    ///
    /// # Errors
    /// Something is wrong with the settings.
    pub fn keys(&self) -> Result<Bindings, Error> {
        Ok(self.settings()?.keys)
    }

    /// Chooses: what the command line says, else what the layout says, else what the settings say.
    ///
    /// # Errors
    /// Something does not exist, or something is wrong with its file.
    pub fn set_up(&self, wishes: &Wishes) -> Result<Setup, Error> {
        let settings = self.settings()?;
        let (library, themes) = (self.layouts(), self.themes());
        let layout = wishes.layout.as_deref().or(settings.layout.as_deref());
        let layout = library.load(layout.unwrap_or("overview"))?;
        let asked = [
            (wishes.theme.as_deref(), "--theme"),
            (layout.theme.as_deref(), "the layout"),
            (settings.theme.as_deref(), FILE),
        ];
        let asked = asked.into_iter().find_map(|(theme, by)| Some((theme?, by)));
        let theme = match asked {
            None | Some(("auto", _)) => None,
            Some((theme, by)) => Some((themes.load(theme)?, by)),
        };
        let color = match wishes.color {
            ColorArg::Auto => settings.color.unwrap_or_default(),
            color => color,
        };
        let flags = Flags { theme, color, glyphs: wishes.glyphs.or(settings.glyphs) };
        Ok(Setup { flags, layout, library, themes, keys: settings.keys })
    }

    fn settings(&self) -> Result<Settings, Error> {
        match self.file().filter(|file| file.is_file()) {
            Some(file) => {
                let source = Source::read(&file.to_string_lossy())?;
                parse(&source).map_err(|error| error.help("--no-config leaves it out"))
            }
            None => Ok(Settings::default()),
        }
    }
}

fn parse(source: &Source) -> Read<Settings> {
    let document = read::document(source)?;
    let top = Table::new(source, document.get_ref(), FILE, TOP)?;
    let line = |key: &str| top.get(key).map(|value| value.line(200)).transpose();
    Ok(Settings {
        theme: line("theme")?,
        layout: line("layout")?,
        color: top.get("color").map(|value| one_of(&value)).transpose()?,
        glyphs: top.get("glyphs").map(|value| one_of(&value)).transpose()?,
        keys: top.get_or("keys", Bindings::default(), |value| Bindings::read(value))?,
    })
}

/// One of the words that the command line takes, too.
fn one_of<T: ValueEnum>(value: &Value<'_>) -> Read<T> {
    let word = value.text()?;
    T::from_str(word, false).map_err(|_| {
        let known = T::value_variants().iter().filter_map(T::to_possible_value);
        let known: Vec<String> = known.map(|known| known.get_name().to_owned()).collect();
        let error = value.wrong(format!("unknown {} '{word}'", value.key()), "no such word");
        match nearest(word, known.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error.help(format!("known: {}", known.join(", "))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        let config = Config::at(dir.path());
        (dir, config)
    }

    #[test]
    fn the_command_line_beats_the_layout_and_that_the_settings() {
        let (dir, config) = config("theme = \"light\"\nglyphs = \"ascii\"\nlayout = \"ring\"");
        let theme = |setup: &Setup| {
            setup.flags.theme.clone().map(|(theme, by)| (theme.name().to_owned(), by))
        };
        let setup = config.set_up(&Wishes::default()).unwrap();
        assert_eq!(theme(&setup), Some(("light".to_owned(), "config.toml")));
        assert_eq!(
            (setup.layout.name.as_str(), setup.flags.glyphs),
            ("ring", Some(GlyphsArg::Ascii))
        );
        let wishes = Wishes { layout: Some("lecture".to_owned()), ..Wishes::default() };
        let setup = config.set_up(&wishes).unwrap();
        assert_eq!(theme(&setup), Some(("projector".to_owned(), "the layout")));
        let setup = config.set_up(&Wishes { theme: Some("dark".to_owned()), ..wishes }).unwrap();
        assert_eq!(theme(&setup), Some(("dark".to_owned(), "--theme")));
        let auto = Wishes { theme: Some("auto".to_owned()), ..Wishes::default() };
        assert_eq!(theme(&config.set_up(&auto).unwrap()), None);
        std::fs::create_dir(dir.path().join("themes")).unwrap();
        std::fs::write(dir.path().join("themes/mine.toml"), "[ok]\nfg = 2").unwrap();
        assert_eq!(config.themes().load("mine").unwrap().name(), "mine");
        assert_eq!(config.themes().names().last().map(String::as_str), Some("mine"));
    }

    #[test]
    fn wrong_settings_are_told_what_to_write() {
        let mut text = String::new();
        for file in [
            "them = \"dark\"",
            "glyphs = \"asci\"",
            "[keys]\nhlep = \"?\"",
            "[keys]\nhelp = \"Strg+C\"",
            "[keys]\nhelp = \"x\"",
            "[keys]\nhelp = [\"F2\", \"F2\"]",
            "[keys]\nhelp = []",
        ] {
            let source = Source::new(FILE, file);
            text.push_str(&format!("{}\n\n", parse(&source).unwrap_err()));
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_key_may_be_given_away_and_taken() {
        let source = Source::new(FILE, "[keys]\nbreak = \"X\"\nhelp = [\"x\", \"F1\"]");
        let keys = parse(&source).unwrap().keys;
        let keymap = crate::tui::Keymap::new(false, &keys);
        assert_eq!(keymap.hints(0)[0].keys, "x");
        assert_eq!(keymap.shown(crate::tui::Action::Break), "X");
    }
}
