//! How much is written to the terminal, counted in virtual time.

use super::{Bench, default};
use netsplit::base::Span;
use netsplit::tui::screen::Painter;
use ratatui::layout::Size;

const SECONDS: u64 = 10;

/// Bytes a second of a running workbench at 120x36 with a frame after each step of so many
/// milliseconds; the first frame, which paints everything, does not count.
fn rate(bench: &mut Bench, step: u64) -> u64 {
    let mut painter = Painter::new(Vec::new(), Size::new(120, 36));
    painter.draw(|buf| bench.app.draw(buf)).unwrap();
    let first = painter.bytes();
    for _ in 0..SECONDS * 1_000 / step {
        bench.app.tick(Span::millis(step));
        bench.settle();
        painter.draw(|buf| bench.app.draw(buf)).unwrap();
    }
    (painter.bytes() - first) / SECONDS
}

#[test]
fn a_running_overview_writes_little_and_less_over_a_slow_line() {
    for (step, most) in [(33, 25_000), (125, 8_000)] {
        let mut bench = default();
        bench.run(2);
        bench.keys(" ");
        let rate = rate(&mut bench, step);
        assert!(rate <= most, "{rate} bytes a second, a frame each {step} ms");
    }
}

#[test]
fn a_paused_workbench_writes_nothing() {
    let mut bench = default();
    bench.run(2);
    assert_eq!(rate(&mut bench, 100), 0);
}
