//! A run without a screen: commands at given times, event lines out, a verdict at the end.
//!
//! ```text
//!  -c '3s kill leader' ─> Step ─┐                   ┌─> lines ─> digest
//!                               ├─> run ─> Cluster ─┼─> Board (what words like leader mean)
//!                --until 30s ───┘                   └─> Checks ─> Summary ─> exit code
//! ```
//!
//! It stands on the same seam as the screen, so what happens is the same: a run with the same plan,
//! seed and commands has the same event lines, and [`Summary::digest`] stands for all of them.

mod report;
mod run;

pub use report::{Failure, Judgement, Summary};
pub use run::{Format, Options, Step, Stop, run};
