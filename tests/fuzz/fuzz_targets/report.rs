#![no_main]

use libfuzzer_sys::fuzz_target;
use netsplit::live::control::Report;
use netsplit::live::wire::Frame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Report::Events { events, .. }) = Report::decode(bytes) {
        events.iter().for_each(|stamped| drop(stamped.event.to_string()));
    }
});
