//! Netsplit.
pub mod base;
pub mod tui;
