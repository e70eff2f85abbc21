//! Runs without a screen, and scenarios, which run with one or without.
//!
//! ```text
//!  -c '3s kill leader' ─> Step ─┐                      ┌─> lines ─> digest
//!  FILE with steps ─> Scenario ─┼─> Driver ─> Cluster ─┼─> Board (what words like leader mean)
//!                 --until 30s ──┘                      └─> Checks ─> Summary ─> exit code
//! ```
//!
//! It stands on the same seam as the screen, so what happens is the same: a run with the same plan,
//! seed and commands has the same event lines, and [`Summary::digest`] stands for all of them.
//! `run` gives commands at times; [`play`] plays a [`scenario`].

pub mod compare;
pub mod director;
mod driver;
pub mod expect;
pub mod library;
pub mod play;
pub mod record;
mod report;
mod run;
pub mod scenario;
mod told;
pub mod writeup;

pub use report::{Failure, Judgement, Summary};
pub use run::{Format, Options, Step, Stop, keep, run};
