//! Who owns which keys.

mod views;

pub use views::{View, Views};
