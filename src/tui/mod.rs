//! The screen.
//!
//! ```text
//!  key ──> keys ──> Action        layout ──> where ┐
//!                                  theme ──> how   ├──> frame, help ──> Buffer ─> screen ──> bytes
//!                                  glyph ──> with  ┘
//! ```
//!
//! * [`action`] and [`keys`]: what a person can ask for, and with which key. Dispatch, help and the
//!   hint bar come from one table.
//! * [`theme`] and [`glyph`]: what things look like.
//! * [`background`]: what the terminal says of its background, where it may be asked.
//! * [`config`]: what a person has chosen, on the command line and for good; [`doctor`] shows it.
//! * [`layout`]: which pane is where, a pure function of the terminal's size.
//! * [`mode`] and [`menu`]: in which of its views a pane is shown, and what can be chosen in it.
//! * [`frame`] and [`help`]: what every screen has in common.
//! * [`source`]: whether one looks at a simulation, a live cluster or one elsewhere, and what that
//!   rules out.
//! * [`faults`]: what can be done to what is selected.
//! * [`copy`]: the clipboard.
//! * [`palette`]: everything that can be asked for, by a few letters of it.
//! * [`spots`]: where on the screen what is, so that it can be pointed at.
//! * [`mod@print`] and [`film`]: pictures and recordings, without a terminal.
//! * [`abreast`]: several runs side by side.
//! * [`tour`]: what to know first. [`plain`]: the same workbench as lines, without a screen.
//! * [`screen`] and [`keyboard`]: the terminal. Only `screen` knows that there is one, and only it
//!   writes.
//!
//! Everything but these two is a pure function from what is shown to a buffer of cells, so it is
//! tested without a terminal.

pub mod abreast;
pub mod action;
pub mod app;
#[cfg(unix)]
pub mod background;
pub mod config;
pub mod copy;
pub mod desk;
pub mod doctor;
pub mod faults;
pub mod film;
pub mod frame;
pub mod glyph;
pub mod help;
pub mod keyboard;
pub mod keys;
pub mod layout;
pub mod list;
pub mod menu;
pub mod mode;
mod narration;
pub mod overlay;
pub mod paint;
pub mod palette;
pub mod panes;
pub mod plain;
pub mod print;
pub mod prompt;
pub mod run;
pub mod screen;
pub mod search;
pub mod select;
pub mod source;
pub mod spots;
pub mod story;
pub mod theme;
pub mod tour;

pub use action::Action;
pub use config::Config;
pub use glyph::Glyphs;
pub use keys::Keymap;
pub use layout::{Focus, Layout, Library, PaneId, PaneKind};
pub use mode::Modes;
pub use screen::Screen;
pub use source::Source;
pub use theme::{Env, Flags, Look, Role};
