//! The screen.
//!
//! Drawing is a pure function from what is shown to a buffer of cells; only [`screen`] knows that
//! there is a terminal, and only it writes.

pub mod action;
pub mod glyph;
pub mod keys;
pub mod layout;
pub mod screen;
pub mod theme;

pub use action::Action;
pub use glyph::Glyphs;
pub use keys::Keymap;
pub use layout::{Focus, Layout, PaneKind};
pub use screen::Screen;
pub use theme::{Env, Flags, Look, Role};
