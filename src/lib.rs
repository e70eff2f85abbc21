//! Netsplit.
pub mod base;
