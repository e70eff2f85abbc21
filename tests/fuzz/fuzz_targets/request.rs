#![no_main]

use libfuzzer_sys::fuzz_target;
use netsplit::live::control::Request;
use netsplit::live::wire::Frame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Request::Command { command, .. }) = Request::decode(bytes) {
        // What passes is what a person could have written.
        if command.check().is_ok() {
            assert_eq!(command.to_string().parse(), Ok(command));
        }
    }
});
