//! Netsplit: a cluster workbench for the terminal.

pub mod base;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod error;
pub mod event;
pub mod host;
pub mod net;
pub mod plan;
pub mod proto;
pub mod script;
pub mod sim;
pub mod tui;
pub mod view;
