//! The screen.
//!
//! Drawing is a pure function from what is shown to a buffer of cells; only [`screen`] knows that
//! there is a terminal, and only it writes.

pub mod glyph;
pub mod theme;

pub use glyph::Glyphs;
pub use theme::{Env, Flags, Look, Role};
